#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The fd store brings all sessions, and the helper that looks for further ones by name is killed before it has asked for any,
# and once more half way: what the store brought stays what it is.
# vm: own
# vm: luod-stopped
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh
# shellcheck source=test/guest/stop-lib.sh
. /usr/lib/luod/tests/guest/stop-lib.sh

kill_helper() {
        await_stopped by-name:asking || fail "nothing was looked for by name"
        rm -f "$stop_dir/stopped"
        [[ -z "${1:-}" ]] || : >"$stop_dir/by-name:asking"
        pkill -KILL -P "$(luod_pid)" || fail "there is no helper"
}

case $VM_BOOT in
0)
        stop_points_enable
        client create first key=value
        client preserve first 1=content=one
        client_as alice create second
        client_as alice preserve second 1=content=two
        client_as alice preserve --many second 2=content=three 3=content=four
        systemctl disable luod
        kexec_now
        ;;
1)
        echo by-name:asking >"$VM_STATE/stop-at-start"
        systemctl start --no-block luod
        kill_helper again
        kill_helper
        wait_until 60 systemctl -q is-active luod
        for round in before after; do
                assert_manager Ledger intact
                assert_eq "first, $round a restart" "$(client show first)" "direction=incoming owner=0 flags="
                assert_eq "second, $round a restart" "$(client show second)" "direction=incoming owner=1000 flags="
                assert_eq "how many there are, $round a restart" "$(client list | wc -l)" 2
                assert_eq "one" "$(field head "$(client retrieve first 1)")" one
                [[ "$(client_as alice retrieve second 1 2 3)" == *two*three*four* ]] || fail "another content came back"
                systemctl restart luod
        done
        wait_until 20 luod_sessions_are_in_custody
        client finish first
        client_as alice finish second
        ;;
esac
