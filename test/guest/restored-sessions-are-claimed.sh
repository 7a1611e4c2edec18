#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# After a live update: units start by what came, sessions are claimed by being used, and each stage is made known once,
# however often luod dies meanwhile.
# vm: own
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# Each unit leaves a line in $VM_STATE/started when it is started.
unit() { # NAME LINE...
        local name=$1
        shift

        printf '%s\n' "[Unit]" "After=luod.service" "$@" "[Service]" Type=oneshot \
                "ExecStart=sh -c 'echo $name >>$VM_STATE/started; sync -f $VM_STATE/started'" \
                "[Install]" WantedBy=multi-user.target >"/etc/systemd/system/$name.service"
}

# assert_starts NAME N: so often in this boot it was started.
starts() {
        grep -cxF "$1" "$VM_STATE/started" 2>/dev/null || true
}
starts_are() {
        [[ "$(starts "$1")" == "$2" ]]
}
assert_starts() {
        wait_until 20 starts_are "$1" "$2"
}

# was_restored USER NAME STATUS
was_restored() {
        local status=0

        output=$(as "$1" luoctl was-restored "$2" 2>&1) || status=$?
        assert_eq "the status of was-restored $2 as $1 ($output)" $status "$3"
}

assert_claim() { # NAME CLAIM
        assert_eq "the claim of $1" "$(luoctl show --json=short "$1" | sed 's/.*"claim":"\([a-z]*\)".*/\1/')" "$2"
}

kill_luod() {
        local pid

        pid=$(luod_pid)
        kill -KILL "$pid"
        luod_is_another() {
                [[ "$(luod_pid)" != "$pid" ]] && [[ "$(systemctl is-active luod.service)" == active ]]
        }
        wait_until 30 luod_is_another
}

case $VM_BOOT in
0)
        mkdir -p /etc/luod/luod.conf.d
        printf '%s\n' "[Restore]" OnClaimed=test-claimed.service OnFinished=test-finished.service \
                OnImpaired=there-is-none.service >/etc/luod/luod.conf.d/restored.conf
        unit test-claimed
        unit test-finished
        unit test-claim-vm1 Requires=luod.service ConditionPathExists=/run/luod/incoming/vm1
        unit test-fresh-vm1 Requires=luod.service 'ConditionPathExists=!/run/luod/incoming/vm1'
        unit test-restored-hook
        mkdir -p /etc/systemd/system/luod-restored.target.wants
        ln -s ../test-restored-hook.service /etc/systemd/system/luod-restored.target.wants/
        systemctl daemon-reload
        systemctl enable test-claim-vm1 test-fresh-vm1
        systemctl reload luod.service

        client create vm1
        client preserve vm1 1=content=one
        client_as alice create vm2
        client_as alice preserve vm2 1=content=two 2=content=three
        was_restored root vm1 1
        assert_manager Restore none
        assert_eq "luod-restored.target" "$(systemctl is-active luod-restored.target || true)" inactive
        [[ ! -e /run/luod/incoming/vm1 ]] || fail "vm1 is said to be incoming"
        rm -f "$VM_STATE/started"
        kexec_now
        ;;
1)
        assert_manager Ledger intact
        assert_starts test-claim-vm1 1
        assert_starts test-fresh-vm1 0
        assert_starts test-restored-hook 1
        assert_eq "luod-restored.target" "$(systemctl is-active luod-restored.target)" active
        since=$(systemctl show -P ActiveEnterTimestampMonotonic luod-restored.target)
        assert_eq "what is incoming" "$(cd /run/luod/incoming && head ./*)" $'==> ./vm1 <==\n1\n\n==> ./vm2 <==\n2'

        assert_manager Restore restored
        assert_manager NUnclaimed 2
        assert_claim vm1 unclaimed
        assert_says 'vm2: unclaimed, since the boot .* ago' luoctl status
        was_restored root vm1 0
        was_restored alice vm2 0
        was_restored bob vm2 4
        was_restored alice nothing 1
        status=0
        DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent luoctl was-restored vm1 2>/dev/null || status=$?
        assert_eq "the status without a bus" $status 8

        # As a condition of the unit's own.
        systemd-run --quiet --wait -p ExecCondition="luoctl was-restored vm1" sh -c "echo condition >>$VM_STATE/started"
        assert_starts condition 1
        systemd-run --quiet --wait -p ExecCondition="luoctl was-restored nothing" sh -c "echo no-condition >>$VM_STATE/started" || true
        assert_starts no-condition 0

        client retrieve vm1 1 >/dev/null
        assert_claim vm1 claimed
        assert_manager Restore restored
        kill_luod
        assert_claim vm1 claimed
        assert_claim vm2 unclaimed
        was_restored root vm1 0
        [[ -e /run/luod/incoming/vm1 ]] || fail "vm1 is not said to be incoming"
        assert_starts test-claimed 0

        client_as alice retrieve vm2 2 >/dev/null
        assert_manager Restore claimed
        assert_starts test-claimed 1
        systemctl restart luod.service
        assert_manager NClaimed 2
        assert_says '0 unclaimed, 2 claimed, 0 failed, 0 renewed, 0 finished' luoctl status

        client finish vm1
        was_restored root vm1 1
        [[ ! -e /run/luod/incoming/vm1 ]] || fail "vm1 is still said to be incoming"
        assert_starts test-finished 0
        as alice luoctl renew vm2
        was_restored alice vm2 1
        assert_manager Restore finished
        assert_starts test-finished 1
        kill_luod
        assert_manager Restore finished
        assert_says '0 unclaimed, 0 claimed, 0 failed, 1 renewed, 1 finished' luoctl status
        assert_eq "what is incoming" "$(ls /run/luod/incoming)" ""

        assert_starts test-claimed 1
        assert_starts test-finished 1
        assert_starts test-restored-hook 1
        assert_eq "when luod-restored.target was started" \
                "$(systemctl show -P ActiveEnterTimestampMonotonic luod-restored.target)" "$since"
        rm "$VM_STATE/started"
        kexec_hard
        ;;
2)
        # vm1 is no more.
        assert_starts test-fresh-vm1 1
        assert_starts test-claim-vm1 0
        assert_starts test-restored-hook 1
        assert_claim vm2 unclaimed
        # Nobody can take it along: the next boot misses it, and says so.
        kexec_hard
        ;;
3)
        assert_manager Restore impaired
        was_restored alice vm2 13
        assert_says 'vm2: failed, .* \(errno 61\)' luoctl status
        unit_failed() {
                journalctl --sync
                journalctl -b -u luod.service -o cat | grep -F "Can't start there-is-none.service" >/dev/null
        }
        wait_until 20 unit_failed
        kill_luod
        assert_eq "warnings of the unit that there is not" \
                "$(journalctl -b -u luod.service -o cat | grep -cF "Can't start there-is-none.service")" 1
        as alice luoctl discard vm2
        assert_manager Restore finished
        ;;
esac
