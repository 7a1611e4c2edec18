#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: own kernel=7.3+patches
#
# One of the files that are kept can't be frozen, so the kexec fails and the host goes on: with all sessions as they were,
# files that can be written, and luod at work. The next kexec goes well, and everything comes back.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

[[ -e /dev/luo_test_file ]] || fail "this kernel should have the test file handler"

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

                load_kernel
                assert_fails kexec -e
                # shellcheck disable=SC2154
                say "$output"
                [[ "$output" == *"Invalid cross-device link"* ]] || fail "the kexec failed for another reason: $output"
                dmesg | grep -F 'Freeze failed for token[0x2] handler[luo-test-file-v1]' || fail "the kernel says nothing about it"

                assert_eq "the boot" "$(boot_id)" "$boot"
                assert_eq "the process of luod" "$(luod_pid)" "$pid"
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

                kexec_hard
                ;;
        1)
                assert_manager Generation 1
                assert_manager Ledger intact
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
                ;;
esac
