# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# killed_at_random KILLS: kill -9 at random instants while clients create, preserve, set metadata and discard. After each
# restart everything that was acknowledged is there; one update at the end proves the content.

client=$TESTS/luod-test-client
work=$VM_STATE/hammer

# Both clients' notes against what is there, once luod is back: luoctl makes a call again whose answer was lost.
hammer_check() {
        local other

        luoctl list >"$work/list"
        "$client" hammer-check "$@" "$work" 2 >"$work/check.2" 2>&1 &
        other=$!
        if ! "$client" hammer-check "$@" "$work" 1 || ! wait $other; then
                cat "$work/check.2"
                return 1
        fi
}

killed_at_random() {
        local kills=$1 one two i pid restarts

        case $VM_BOOT in
        0)
                mkdir -p "$work"
                "$client" hammer "$work" 1 & one=$!
                "$client" hammer "$work" 2 & two=$!
                wait_until 30 test -s "$work/acked.1"
                wait_until 30 test -s "$work/acked.2"

                RANDOM=4711
                for ((i = 1; i <= kills; i++)); do
                        # The pause, up to 250 ms by chance, is the instant of the kill: it waits for nothing.
                        read -rt "0.$(printf %03d $((RANDOM % 250)))" <> <(:) || :
                        pid=$(systemctl show -P MainPID luod)
                        ((pid == 0)) || kill -KILL "$pid" || :
                        # Stopped, so that what they note and what is there hold still.
                        kill -STOP $one $two
                        hammer_check >"$work/check.1" || fail "something is missing after kill $i: $(cat "$work/check.1")"
                        kill -CONT $one $two
                        ((i % 20 != 0)) || say "$i kills: $(cat "$work"/acked.* | wc -l) acknowledged"
                done
                restarts=$(systemctl show -P NRestarts luod)
                [ "$restarts" -ge $((kills * 9 / 10)) ] || fail "luod was restarted only $restarts times"

                : >"$work/stop"
                wait $one $two || fail "a client saw something else than success in the end"
                hammer_check
                say "$(cat "$work"/acked.* | wc -l) acknowledged in all, $restarts restarts"
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
}
