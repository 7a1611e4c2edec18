#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 256 sessions of a user with 16 files each, which is as many sessions as one may have, go over an update with all contents.
# vm: timeout=200
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# Nobody else's quota.
crowd() {
        setpriv --reuid=4242 --regid=4242 --clear-groups -- "$TESTS/luod-test-client" "$@"
}

ms_since() { # EPOCHREALTIME
        echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000))
}

case $VM_BOOT in
        0)
                # Each PreserveMany takes a kernel session, of which one user can't have 512.
                crowd raw-create-many many 128 16 4096
                crowd raw-create-many --each each 128 16 4096
                output=$(crowd create --expect=org.luod1.Error.QuotaExceeded one-more) || fail "the 257th: $output"
                client create not-of-the-crowd
                client discard not-of-the-crowd
                assert_eq "the number of sessions" "$(crowd list | grep -c ' outgoing 4242 16 65536$')" 256
                wait_until 60 luod_sessions_are_in_custody
                say "$(manager NParts) kernel sessions, $(systemctl show -P NFileDescriptorStore luod.service) stored, $(manager NFiles) files, $(manager KeptBytes) bytes"
                start=$EPOCHREALTIME
                systemctl restart luod.service
                crowd list >/dev/null
                say "restart of luod: $(ms_since "$start") ms"
                next_boot
                ;;
        1)
                say "start of luod after the update: $(systemctl show -P ExecMainStartTimestampMonotonic luod.service) to $(systemctl show -P ActiveEnterTimestampMonotonic luod.service) µs"
                assert_eq "the number of sessions" "$(crowd list | grep -c ' incoming 4242 16 65536$')" 256
                crowd verify-many many 128 16 4096
                crowd verify-many each 128 16 4096
                crowd finish-many many 128
                crowd finish-many each 128
                assert_eq "what is left" "$(crowd list)" ""
                ;;
esac
