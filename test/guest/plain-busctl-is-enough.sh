#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The README's lines for busctl work as they stand there.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

case $VM_BOOT in
        0)
                assert_eq "CreateSession" "$(busctl call org.luod1 /org/luod1 org.luod1.Manager CreateSession 'sa{sv}' demo 0)" \
                        'o "/org/luod1/session/demo"'
                # The file is fd 5 of busctl.
                head -c 10000 /dev/urandom >"$VM_STATE/in"
                python3 - "$VM_STATE/in" <<'EOF'
import os, sys
fd = os.memfd_create("greeting", os.MFD_ALLOW_SEALING)
os.write(fd, open(sys.argv[1], "rb").read())
os.dup2(fd, 5)
os.execvp("busctl", "busctl call org.luod1 /org/luod1/session/demo org.luod1.Session Preserve tsh 1 greeting 5".split())
EOF
                busctl call org.luod1 /org/luod1/session/demo org.luod1.Session SetMetadata 'a{say}' 1 colour 4 98 108 117 101
                assert_says '"demo" "outgoing" 0 1 10000 "/org/luod1/session/demo"' busctl call org.luod1 /org/luod1 org.luod1.Manager ListSessions
                assert_eq "Files" "$(busctl get-property org.luod1 /org/luod1/session/demo org.luod1.Session Files)" \
                        'a(tsstuss) 1 1 "greeting" "memfd" 10000 511 "rw" "kept"'
                assert_eq "Metadata" "$(busctl get-property org.luod1 /org/luod1/session/demo org.luod1.Session Metadata)" \
                        'a{say} 1 "colour" 4 98 108 117 101'
                assert_says '^\.Retrieve  *method  *t  *h ' busctl introspect org.luod1 /org/luod1/session/demo
                assert_says '^\.CreateSession  *method  *sa[{]sv[}]  *o ' busctl introspect org.luod1 /org/luod1
                next_boot
                ;;
        1)
                assert_says '^h [0-9]+' busctl call org.luod1 /org/luod1/session/demo org.luod1.Session Retrieve t 1
                luoctl retrieve demo 1 | cmp - "$VM_STATE/in"
                busctl call org.luod1 /org/luod1/session/demo org.luod1.Session Finish
                assert_fails busctl call org.luod1 /org/luod1 org.luod1.Manager GetSession s demo
                ;;
esac
