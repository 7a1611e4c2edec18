#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sessions stay through everything that can happen to luod.service but a reboot; nothing leaks meanwhile, and the update after
# that brings the contents.
# vm: timeout=600
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

new_luod_serves() { # PID-BEFORE
        [[ "$(luod_pid)" != "$1" ]] && manager State
}

expect_new_luod() {
        local pid
        pid=$(luod_pid)

        "$@"
        wait_until 30 new_luod_serves "$pid"
}

events=(
        "expect_new_luod systemctl restart luod.service"
        "expect_new_luod systemctl kill --kill-whom=main -s KILL luod.service"
        "systemctl daemon-reload"
        "systemctl daemon-reexec"
        "disable_and_enable"
        "expect_new_luod stop_and_start"
        "expect_new_luod stop_and_call"
)

disable_and_enable() {
        systemctl --quiet disable luod.service
        systemctl --quiet enable luod.service
        systemctl reset-failed luod.service
}

stop_and_start() {
        systemctl stop luod.service
        systemctl start luod.service
}

# The bus starts luod when somebody asks for it.
stop_and_call() {
        systemctl stop luod.service
        client list >/dev/null
}

before() {
        local event n=10 fds=

        client_as alice create restarts colour=red
        client_as alice preserve restarts 1:one=content=one,mode=0600
        client_as alice preserve restarts 2=random=2,size=100000 3=content=three,access=ro
        client create many-empty
        # The first start after the boot leaves luod with what the kernel's device gave it; from the first restart on the
        # count of fds must stay the same.
        expect_new_luod systemctl restart luod.service
        wait_until 20 luod_sessions_are_in_custody
        fds=$(luod_other_fds)

        for event in "${events[@]}"; do
                describe restarts >before
                $event
                assert_nothing_leaked "$fds"
                describe restarts >after
                diff before after || fail "'$event' changed the session (see above)"
                assert_manager Ledger intact
                [[ "$(client files many-empty)" == "" ]] || fail "the empty session has files"
                # And all works as before.
                n=$((n + 1))
                ask ok preserve restarts $n=random=$n,size=5000
                ask ok metadata restarts "count=$n"
                ask TokenInUse preserve restarts 1=content=other
                asked_as alice
                say "$event: fine; luod has $fds fds besides $(luod_session_fds) sessions, systemd stores $(systemctl show -P NFileDescriptorStore luod.service)"
        done
        assert_says 'Custody: fdstore' luoctl status
        client discard many-empty
        echo $n >"$VM_STATE/last"
}

after() {
        local i

        assert_eq "the first file" "$(field checksum "$(client_as alice retrieve restarts 1)")" "$(field checksum "$(client checksum content=one)")"
        assert_eq "the second file" "$(field checksum "$(client_as alice retrieve restarts 2)")" \
                "$(field checksum "$(client checksum random=2,size=100000)")"
        for ((i = 11; i <= $(<"$VM_STATE/last"); i++)); do
                assert_eq "file $i" "$(field checksum "$(client_as alice retrieve restarts $i)")" \
                        "$(field checksum "$(client checksum random=$i,size=5000)")"
        done
        assert_eq "the metadata" "$(client_as alice metadata restarts | sort | tr '\n' ' ')" "colour=red count=$(<"$VM_STATE/last") "
        client_as alice finish restarts
        refused NoSuchSession get many-empty
}

case $VM_BOOT in
        0) before; next_boot ;;
        1) after ;;
esac
