#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: own timeout=700
#
# An update from the request to the jump: who may say no, who is waited for and for how long, what a death of luod at each stage
# comes to, and that nothing that is kept is lost by any of it. Then one by 'luoctl update' with a slow client, one that holds a
# delay lock, and one that claims late; two that a killed luod had handed over already, one of them by force without one who is
# not ready; one by plain 'systemctl kexec', on the same road; and without logind one by 'systemctl kexec' and one by 'luoctl
# update'. A session that is to be renewed by luod goes through all of them, claimed by its owner in each boot.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh
. /usr/lib/luod/tests/guest/stop-lib.sh

state() {
        busctl get-property org.luod1 /org/luod1 org.luod1.Manager State | cut -d'"' -f2
}

state_is() {
        [[ $(state) == "$1" ]]
}

# exits STATUS COMMAND...: its output goes to $output.
exits_with_failure() {
        local status=0

        output=$("$@" 2>&1) || status=$?
        ((status != 0)) || fail "'$*' went well, but should fail; it said: $output"
}

says() {
        [[ "$output" == *"$1"* ]] || fail "nothing like '$1' in: $output"
}

# holds MODE WHO WHY: takes a lock in the background; $holder is the process.
holds() {
        luoctl inhibit --mode="$1" --who="$2" --why="$3" sleep infinity &
        holder=$!
        wait_until 20 lock_is_listed "$2"
}

lock_is_listed() {
        [[ $(busctl call org.luod1 /org/luod1 org.luod1.Manager ListInhibitors) == *"\"$1\""* ]]
}

no_locks() {
        [[ $(busctl call org.luod1 /org/luod1 org.luod1.Manager ListInhibitors) == "a(ssssuut) 0" ]]
}

# The whole tree of the holder: luoctl, and what it runs.
kill_holder() {
        pkill -KILL -P "$holder" || :
        kill -KILL "$holder" 2>/dev/null || :
        wait "$holder" 2>/dev/null || :
}

everything_is_as_before() {
        wait_until 20 state_is idle
        assert_eq "the files of vm" "$(luoctl show vm --json=short | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["files"]))')" 1
}

update_in_background() {
        luoctl update --yes --deadline=5min >"$VM_STATE/update.log" 2>&1 &
        updater=$!
        wait_until 20 state_is preparing
}

report() { # PYTHON-EXPRESSION of r, the newest report
        luoctl report --json=short | python3 -c 'import json, sys; r = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

assert_went() { # ROAD
        assert_eq "the road" "$(report "r['road'], r['result']")" "('$1', 'done')"
        assert_eq "the first of vm" "$(luoctl retrieve vm 1 -)" first
        assert_eq "what luod renews" "$(as alice luoctl retrieve daily 1 -)" daily
}

# As on a host that has none.
remove_logind() {
        systemctl mask --now systemd-logind.service
        ! busctl status org.freedesktop.login1 >/dev/null 2>&1 || fail "logind is still there"
}

reboot_is_forbidden() {
        systemd-inhibit --list --no-pager | grep -E 'would lose.* vm +block'
}

says_no() {
        # No kernel is loaded, so a reboot would be cold, and a mistake.
        wait_until 20 reboot_is_forbidden
        assert_fails systemctl reboot
        # shellcheck disable=SC2154
        [[ "$output" == *inhibit* ]] || fail "the reboot was refused otherwise: $output"

        exits_with_failure busctl call org.luod1 /org/luod1 org.luod1.Manager Update 'a{sv}' 0
        says "oaded" # no kernel is; luoctl would load one
        load_kernel

        # A veto, with who and why; a death releases it.
        holds block backup "a snapshot is written"
        exits_with_failure luoctl update --yes
        says backup
        says "a snapshot is written"
        exits_with_failure luoctl update --yes --force
        kill_holder
        wait_until 20 no_locks

        # Not ready in time.
        luoctl ready vm no
        exits_with_failure luoctl update --yes --deadline=1s
        says "vm"
        everything_is_as_before

        # A veto while it is prepared.
        update_in_background
        luoctl inhibit --mode=block --who=late --why=veto sleep infinity &
        holder=$!
        if wait "$updater"; then fail "a veto was not heard"; fi
        grep -q veto "$VM_STATE/update.log" || fail "no reason in: $(cat "$VM_STATE/update.log")"
        kill_holder
        wait_until 20 no_locks
        everything_is_as_before

        # Cancelled.
        update_in_background
        luoctl cancel
        if wait "$updater"; then fail "a cancelled update went well"; fi
        everything_is_as_before
        exits_with_failure luoctl cancel
}

dies_at() {
        stop_at "$1"
        luoctl update --yes >"$VM_STATE/update.log" 2>&1 &
        updater=$!
        await_stopped "$1"
        kill_luod
        if wait "$updater"; then fail "an update went well whose luod died"; fi
        everything_is_as_before
        wait_until 20 luod_sessions_are_in_custody
}

case $VM_BOOT in
        0)
                luoctl create vm
                echo first | luoctl preserve vm 1 -
                says_no

                luoctl ready vm yes
                # luod is as after its start in all of it: the kernel that is loaded lets reboots be.
                stop_points_enable
                for point in update:written update:preparing update:ready update:recorded; do
                        say "luod dies at $point"
                        dies_at $point
                        luoctl ready vm yes
                done
                # What it asked logind for was only whether its own lock is gone.
                luoctl unload
                wait_until 20 reboot_is_forbidden
                say "luod dies at update:asked"
                dies_at update:asked
                luoctl report | head -n 3
                assert_eq "the report" "$(report "r['result'], 'luod died' in r['message']")" "('cancelled', True)"
                luoctl ready vm yes
                # While everybody is about to be told that it came to nothing: they hear of it from the next luod.
                luoctl ready vm no
                update_in_background
                stop_at update:ending
                luoctl cancel >/dev/null 2>&1 &
                await_stopped update:ending
                busctl wait --timeout=60 /org/luod1 org.luod1.Manager UpdateFinished >"$VM_STATE/heard" 2>&1 &
                hearer=$!
                kill_luod
                wait $hearer || fail "nobody heard that the update came to nothing: $(cat "$VM_STATE/heard")"
                if wait "$updater"; then fail "an update went well whose luod died"; fi
                everything_is_as_before
                luoctl ready vm yes
                stop_points_disable

                # Three clients: one is slow, one has a delay lock, one will claim late.
                luoctl create slow
                luoctl ready slow no
                as alice luoctl create --auto-renew daily
                echo daily | as alice luoctl preserve daily 1 -
                luoctl create late
                echo late | luoctl preserve late 1 -
                cat >"$VM_STATE/delays" <<'EOF'
#!/bin/bash
busctl wait --timeout=60 /org/luod1 org.luod1.Manager PrepareForUpdate >/dev/null
echo in-prepare | luoctl preserve vm 2 -
EOF
                chmod +x "$VM_STATE/delays"
                luoctl inhibit --mode=delay --who=delays --why="puts in order" "$VM_STATE/delays" &
                wait_until 20 lock_is_listed delays
                date +%s.%N >"$VM_STATE/before"
                sync
                luoctl update --yes --deadline=2min &
                updater=$!
                wait_until 30 no_locks
                state_is preparing || fail "it did not wait for the slow one"
                echo slow | luoctl preserve slow 1 -
                # From the hand-over on it is too late; somebody else's lock with logind is the time to see that.
                mkdir -p /etc/systemd/logind.conf.d
                printf '[Login]\nInhibitDelayMaxSec=120\n' >/etc/systemd/logind.conf.d/luod-test.conf
                systemctl reload systemd-logind.service
                mkfifo "$VM_STATE/end"
                systemd-inhibit --what=shutdown --mode=delay --who=test cat "$VM_STATE/end" &
                exec {end}>"$VM_STATE/end"
                luoctl ready slow yes
                wait $updater
                state_is handing-over || fail "it is $(state) after the hand-over"
                status=0
                luoctl cancel || status=$?
                assert_eq "the status of cancel after the hand-over" $status 18
                status=0
                luoctl create too-late || status=$?
                assert_eq "the status of create after the hand-over" $status 9
                : >"$VM_STATE/was-too-late"
                rm /etc/systemd/logind.conf.d/luod-test.conf
                sync
                exec {end}>&-
                sleep infinity
                ;;
        1)
                [[ -e "$VM_STATE/was-too-late" ]] || fail "the former boot did not come to its end"
                assert_eq "vm 1" "$(luoctl retrieve vm 1 -)" first
                date +%s.%N >"$VM_STATE/after"
                assert_went luoctl
                assert_eq "vm 2" "$(luoctl retrieve vm 2 -)" in-prepare
                assert_eq "slow" "$(luoctl retrieve slow 1 -)" slow
                exits_with_failure luoctl update --yes
                says late
                assert_eq "late" "$(luoctl retrieve late 1 -)" late

                luoctl report
                luoctl report --json >report.json
                python3 - report.json "$(cat "$VM_STATE/before")" "$(cat "$VM_STATE/after")" <<'EOF'
import json, sys
r = json.load(open(sys.argv[1]))
before, after = float(sys.argv[2]), float(sys.argv[3])
assert r["road"] == "luoctl" and r["result"] == "done", (r["road"], r["result"])
assert {d["who"] for d in r["delays"]} >= {"delays", "slow"}, r["delays"]
t = {k: v["realtime"] / 1e6 for k, v in r["timeline"].items()}
for k in ("request", "prepare", "ready", "handover", "kernel", "userspace", "luod", "first-claim"):
    assert k in t, (k, t)
order = [t[k] for k in ("request", "prepare", "ready", "handover", "kernel", "userspace", "luod", "first-claim")]
assert all(b - a > -1.5 for a, b in zip(order, order[1:])), t
told, seen = t["first-claim"] - t["request"], after - before
assert abs(told - seen) < max(2.5, 0.1 * seen), (told, seen)
assert {s["name"]: s["outcome"] for s in r["sessions"]}["vm"] == "claimed", r["sessions"]
EOF
                luoctl report --plot >report.svg
                assert_eq "the picture's last line" "$(tail -1 report.svg)" '</svg>'

                luoctl finish slow
                luoctl renew vm
                luoctl finish late
                load_kernel
                stop_points_enable
                stop_at update:accepted
                sync
                luoctl update --yes >"$VM_STATE/update.log" 2>&1 &
                await_stopped update:accepted
                # logind has it: the host goes down, and a luod that is started meanwhile does not stand in its way.
                systemctl kill --kill-whom=main -s KILL luod
                sleep infinity
                ;;
        2)
                assert_went luoctl
                rm -f /etc/systemd/system/luod.service.d/stop.conf
                systemctl daemon-reload
                systemctl restart luod
                luoctl renew vm
                luoctl inhibit --mode=delay --who=delays --why="puts in order" bash -c '
                        busctl wait --timeout=60 /org/luod1 org.luod1.Manager PrepareForUpdate >/dev/null
                        echo plain | luoctl preserve vm 3 -; sync' &
                wait_until 20 lock_is_listed delays
                kexec_now
                ;;
        3)
                assert_went logind
                assert_eq "vm 3" "$(luoctl retrieve vm 3 -)" plain
                assert_eq "two reports and more" "$(($(luoctl report --list | grep -c 'done') >= 2))" 1
                luoctl renew vm
                remove_logind
                kexec_now
                ;;
        4)
                # As kexec.target is started, too.
                assert_went kexec.target
                assert_eq "who was waited for" "$(report "r['delays']")" "[]"
                luoctl renew vm
                assert_fails busctl status org.freedesktop.login1
                # Who is against it is heard without logind, too.
                holds block backup "a snapshot is written"
                exits_with_failure luoctl update --yes
                says "a snapshot is written"
                kill_holder
                wait_until 20 no_locks
                sync
                luoctl update --yes
                sleep infinity
                ;;
        5)
                assert_went luoctl
                assert_eq "how it was handed over" "$(report "sorted(r['timeline'].keys() & {'ready', 'handover', 'shutdown'})")" \
                        "['handover', 'ready', 'shutdown']"
                systemctl unmask systemd-logind.service
                systemctl start systemd-logind.service
                luoctl renew vm
                load_kernel
                stop_points_enable
                stop_at update:asked
                luoctl create laggard
                luoctl ready laggard no
                sync
                luoctl update --yes --deadline=2s --force >"$VM_STATE/update.log" 2>&1 &
                await_stopped update:asked
                # Now it has asked for the kexec itself, without the one who was not ready.
                systemctl kill --kill-whom=main -s KILL luod
                sleep infinity
                ;;
        6)
                assert_went luoctl
                assert_eq "who was not waited for" "$(report "r['forced'], [(d['who'], d['waited_for']) for d in r['delays']]")" \
                        "(True, [('laggard', False)])"
                luoctl finish laggard
                luoctl finish vm
                as alice luoctl finish daily
                ;;
esac
