#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# kill -9 at random instants while clients create, preserve and set metadata. After each restart everything that was
# acknowledged is there; one update at the end proves the content.
# vm: own
# vm: timeout=1200
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/stop-lib.sh

client=$TESTS/luod-test-client
work=$VM_STATE/hammer
kills=200

hammer_check() {
        "$client" hammer-check "$work" 1 "$@" && "$client" hammer-check "$work" 2 "$@"
}

case $VM_BOOT in
0)
        mkdir -p "$work"
        "$client" hammer "$work" 1 & one=$!
        "$client" hammer "$work" 2 & two=$!
        RANDOM=4711
        for ((i = 1; i <= kills; i++)); do
                before=$(systemctl show -P InvocationID luod)
                # A pause of up to 250 ms by chance is what the test is about: the instant of the kill.
                read -rt "0.$(printf %03d $((RANDOM % 250)))" <> <(:) || :
                systemctl kill --kill-whom=main -s KILL luod 2>/dev/null || :
                await_luod "$before" || fail "luod did not come back after kill $i"
                # Stopped, so that what they note and what is there hold still.
                kill -STOP $one $two
                hammer_check || fail "something is missing after kill $i"
                kill -CONT $one $two
                ((i % 20 != 0)) || say "$i kills: $(cat "$work"/acked.* | wc -l) acknowledged"
        done
        : >"$work/stop"
        wait $one $two || fail "a client saw something else than success in the end"
        hammer_check || fail "something is missing after the last kill"
        say "$(cat "$work"/acked.* | wc -l) acknowledged in all"
        luoctl status
        next_boot
        ;;
1)
        hammer_check --retrieve || fail "something is missing after the update"
        luoctl status
        luoctl list --no-legend | grep -q unknown && fail "there are unknown sessions"
        exit 0
        ;;
esac
