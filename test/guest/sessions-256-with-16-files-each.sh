#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 256 sessions with 16 files each, of two users, go over an update with all contents.
# vm: timeout=600
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# Nobody else's quota. (Each PreserveMany takes a kernel session, of which one user can't have 512.)
crowd_as() { # UID VERB...
        local uid=$1
        shift

        setpriv --reuid="$uid" --regid="$uid" --clear-groups -- "$TESTS/luod-test-client" "$@"
}

ms_since() { # EPOCHREALTIME
        echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000))
}

case $VM_BOOT in
        0)
                for uid in 4242 4243; do
                        crowd_as $uid raw-create-many crowd-$uid 128 16 4096
                        assert_eq "the number of sessions of $uid" "$(crowd_as $uid list | grep -c " outgoing $uid 16 65536\$")" 128
                done
                wait_until 60 luod_sessions_are_in_custody
                say "$(manager NParts) kernel sessions, $(systemctl show -P NFileDescriptorStore luod.service) stored, $(manager NFiles) files, $(manager KeptBytes) bytes"
                start=$EPOCHREALTIME
                systemctl restart luod.service
                client list >/dev/null
                say "restart of luod: $(ms_since "$start") ms"
                next_boot
                ;;
        1)
                say "start of luod after the update: $(systemctl show -P ExecMainStartTimestampMonotonic luod.service) to $(systemctl show -P ActiveEnterTimestampMonotonic luod.service) µs"
                for uid in 4242 4243; do
                        assert_eq "the number of sessions of $uid" "$(crowd_as $uid list | grep -c " incoming $uid 16 65536\$")" 128
                        crowd_as $uid verify-many crowd-$uid 128 16 4096
                        crowd_as $uid finish-many crowd-$uid 128
                        assert_eq "what is left" "$(crowd_as $uid list)" ""
                done
                ;;
esac
