#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 10,000 tokens in one session: as many as the limit allows are kept, the others refused by name, and none of it takes luod's
# attention from others. 256 sessions of one user, and no more.
# vm: long
# vm: timeout=300
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

slowest=0

# How long others wait meanwhile.
watch_others() {
        local start ms

        while [[ ! -e finished ]]; do
                start=$EPOCHREALTIME
                client_as bob list >/dev/null
                ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
                ((ms <= slowest)) || slowest=$ms
        done
        say "another client waited $slowest ms at the most"
        ((slowest < 5000)) || fail "that is too long"
}

case $VM_BOOT in
        0)
                wait_until 20 luod_sessions_are_in_custody
                fds=$(luod_other_fds)
                client_as alice create full
                {
                        client_as alice fill full 10000 >filled
                        touch finished
                } &
                watch_others
                wait $!
                cat filled
                grep -q '^Preserve: 1024 done, 8976 refused' filled || fail "that is not the limit"
                grep -q '^org.luod1.Error.QuotaExceeded 8976 times' filled || fail "that is not the error"
                assert_eq "the number of files" "$(client files full | wc -l)" 1024
                assert_nothing_leaked "$fds"

                # As many sessions as one may have, and not one more; others are not concerned.
                client_as bob raw-create-many bobs 256 0 0
                refused_as bob QuotaExceeded create bobs-256
                client_as alice create alices
                client_as alice discard alices
                client_as bob discard bobs-7
                client_as bob create bobs-7
                for ((i = 0; i < 256; i++)); do
                        ask ok discard bobs-$i
                done
                asked_as bob
                next_boot
                ;;
        1)
                assert_eq "the number of files" "$(client files full | wc -l)" 1024
                for ((i = 0; i < 1024; i++)); do
                        ask ok retrieve full $i
                done
                asked_as alice
                # A file's content follows from its token.
                for i in 0 1 500 1023; do
                        # shellcheck disable=SC2154
                        grep -q "^token=$i .* $(client checksum random=$i,size=4) " <<<"$output" || fail "file $i came back changed"
                done
                client_as alice finish full
                ;;
esac
