#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: own kernel=7.3+patches also-kernel=7.3
#
# One of the files that are kept can't be frozen, so the kexec fails and the host goes on: with all sessions as they were,
# files that can be written, luod at work, and an update that was being prepared to be cancelled. The next kexec goes well, and
# everything comes back. Then the same by 'systemctl kexec', which can't go back: it ends in a cold boot, after which luod's report
# says what was lost, and why.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

[[ -e /dev/luo_test_file ]] || fail "this kernel should have the test file handler"

# Without the patches, and so without that handler.
plain=/boot/vmlinuz-$(uname -r | sed 's/-patches$//')

manager_state_is() {
        [[ $(manager State) == "$1" ]]
}

report() { # PYTHON-EXPRESSION of r, the newest report
        luoctl report --json=short | python3 -c 'import json, sys; r = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

case $VM_BOOT in
        0)
                client_as alice create first who=alice
                # Held, to be written to after the failure.
                mkfifo go
                client_as alice preserve --hold first 1=content=memfd...,write-last=MEMFD 2=object,content=object..,write-last=OBJECT \
                        <go >held.out &
                holder=$!
                exec {go}>go
                wait_until 10 grep -q holding held.out
                client create obstinate
                client preserve obstinate 1=content=before 2=object,content=obstinate,fail-freeze=18 3=object,content=behind
                client create empty
                describe first >before
                describe obstinate >>before
                boot=$(boot_id)
                pid=$(luod_pid)

                # An update is being prepared, and somebody is faster.
                luoctl load
                luoctl ready obstinate no
                luoctl update --yes --deadline=5min >update.log 2>&1 &
                updater=$!
                wait_until 20 manager_state_is preparing
                assert_fails kexec -e
                # shellcheck disable=SC2154
                say "$output"
                [[ "$output" == *"Invalid cross-device link"* ]] || fail "the kexec failed for another reason: $output"
                dmesg | grep -F 'Freeze failed for token[0x2] handler[luo-test-file-v1]' || fail "the kernel says nothing about it"

                assert_eq "the boot" "$(boot_id)" "$boot"
                assert_eq "the process of luod" "$(luod_pid)" "$pid"
                assert_manager State preparing
                luoctl cancel
                status=0
                wait "$updater" || status=$?
                assert_eq "the status of the update ($(cat update.log))" $status 17
                assert_manager State idle
                assert_eq "the report" "$(report "r['road'], r['result'], r['message']")" "('luoctl', 'cancelled', 'The update was cancelled')"
                luoctl ready obstinate yes
                describe first >after
                describe obstinate >>after
                diff before after || fail "sessions are not as they were"
                # Nothing is frozen any more: it can be written to, more can be kept, and what is kept can be dropped.
                exec {go}>&-
                wait "$holder"
                assert_eq "what could be written" "$(grep -c 'written=yes' held.out)" 2
                client_as alice preserve first 3=content=third 4=object,content=fourth
                client_as alice create dropped
                client_as alice preserve dropped 1=content=x,truncate-after 2=object
                client_as alice discard dropped
                wait_until 20 luod_sessions_are_in_custody
                # And luod starts anew as ever.
                systemctl restart luod.service
                assert_manager Ledger intact
                client_as alice preserve first 5=object,content=fifth

                # Past logind.
                sync
                systemctl start --no-block kexec.target
                sleep infinity
                ;;
        1)
                assert_manager Generation 1
                assert_manager Ledger intact
                assert_eq "the road" "$(report "r['road'], r['result']")" "('kexec.target', 'done')"
                for file in 1:MEMFD... 2:OBJECT.. 3:third 4:fourth 5:fifth; do
                        assert_eq "file ${file%:*}" "$(field head "$(client_as alice retrieve first "${file%:*}")")" "${file#*:}"
                done
                for file in 1:before 2:obstinate 3:behind; do
                        assert_eq "file ${file%:*} of the obstinate one" "$(field head "$(client retrieve obstinate "${file%:*}")")" "${file#*:}"
                done
                assert_eq "the metadata" "$(client metadata first)" who=alice
                assert_eq "the empty session" "$(client show empty)" "direction=incoming owner=0 flags="
                refused NoSuchSession get dropped
                client_as alice finish first
                client finish obstinate
                client finish empty

                client_as alice create left who=alice
                client_as alice preserve left 1=content=left
                client create obstinate
                client preserve obstinate 1=object,content=obstinate,fail-freeze=18 2=content=behind

                # A kernel that has no handler for them at all is known beforehand.
                status=0
                output=$(luoctl load --kernel="$plain" 2>&1) || status=$?
                assert_eq "the status of loading a kernel without the handler ($output)" $status 14
                assert_says "lacks the handler 'luo-test-file-v1' .* session 'obstinate'" printf '%s\n' "$output"
                luoctl load --kernel="$plain" --force
                status=0
                output=$(luoctl update --yes 2>&1) || status=$?
                assert_eq "the status of an update to it ($output)" $status 11
                assert_says "lacks the handler 'luo-test-file-v1'" printf '%s\n' "$output"
                status=0
                output=$(busctl call org.luod1 /org/luod1 org.luod1.Manager Update 'a{sv}' 1 force b true 2>&1) || status=$?
                assert_eq "the status of Update() to it ($output)" $status 1
                assert_says "lacks the handler 'luo-test-file-v1'" printf '%s\n' "$output"
                assert_manager State idle

                luoctl load
                assert_check '^ok *files: '
                boot_id >boot
                cold_boot_is_meant
                kexec_now
                ;;
        2)
                # Nothing is kept any more, and that is not all that is known.
                assert_manager Generation 0
                assert_manager BootedByLiveUpdate false
                assert_manager Ledger intact
                assert_manager State idle
                assert_eq "the sessions" "$(luoctl list --no-legend)" ""
                luoctl report
                assert_eq "the report" "$(report "r['road'], r['result'], r['from_boot'], r['to_boot']")" \
                        "('logind', 'lost', '$(cat boot)', '$(boot_id)')"
                assert_eq "the sessions in it" "$(report "sorted((s['name'], s['uid'], s['outcome'], [f['outcome'] for f in s['files']]) for s in r['sessions'])")" \
                        "[('left', 1000, 'lost', ['lost']), ('obstinate', 0, 'lost', ['lost', 'lost'])]"
                assert_eq "why" "$(report "all('the kernel refused the kexec' in why for why in [r['message']] + [s['why'] for s in r['sessions']])")" True
                assert_says '^left +alice +.*lost .*the kernel refused the kexec' luoctl report
                assert_says 'left' as alice luoctl report
                id=$(report "r['id']")
                assert_says '"lost"' cat "/var/lib/luod/reports/$id.json"
                [[ ! -e /var/lib/luod/reports/under-way.json ]] || fail "the report is still under way"
                assert_says "^ *$id .* logind +lost$" luoctl report --list
                journalctl --sync
                journalctl -b -o json _SYSTEMD_UNIT=luod.service LUOD_RESULT=lost >entries
                assert_says '"LUOD_SESSIONS_LOST":"2"' cat entries
                assert_says '"PRIORITY":"4"' cat entries
                journalctl -b -x -o cat _SYSTEMD_UNIT=luod.service LUOD_RESULT=lost
                # And all begins anew.
                client_as alice create left
                client_as alice preserve left 1=content=anew
                client_as alice discard left
                ;;
esac
