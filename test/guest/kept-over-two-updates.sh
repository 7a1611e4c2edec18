#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is retrieved, finished and preserved anew after each update survives the next one, too. So does, over a `systemctl kexec`
# that nobody could refuse, a session that nobody has claimed, and one whose owner has claimed it and not finished it.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# Not the same twice: the generation, and luod's word about the boot.
check_generation() { # N
        assert_manager Generation "$(($(<"$VM_STATE/generation") + $1))"
        assert_manager BootedByLiveUpdate true
}

case $VM_BOOT in
        0)
                manager Generation >"$VM_STATE/generation"
                client_as alice create daily-0 what=daily
                client_as alice preserve --print --many daily-0 1=random=1,size=5000 2=content=two,mode=0600,pos=1 >"$VM_STATE/expected"
                client_as alice create unclaimed
                client_as alice preserve unclaimed 1=content=nobody-asks
                client_as bob create in-use what=in-use
                client_as bob preserve in-use 1=random=2,size=7000 2=content=two,mode=0640
                next_boot
                ;;
        1)
                check_generation 1
                client_as alice retrieve daily-0 1 2 >now
                diff "$VM_STATE/expected" now || fail "something else came back from the first update"
                client_as alice renew daily-0 daily-1 1 2
                refused NoSuchSession get daily-0

                # An update that can be refused is, as it would lose the others; the next one can't.
                assert_eq "the other session" "$(client show unclaimed)" "direction=incoming owner=1000 flags="
                client_as bob retrieve in-use 1 2 >"$VM_STATE/in-use"
                assert_check "^blocks  *incoming: .* next one loses "
                next_boot
                ;;
        2)
                check_generation 2
                client_as alice retrieve daily-1 1 2 >now
                diff "$VM_STATE/expected" now || fail "something else came back from the second update"
                client_as alice finish daily-1

                assert_eq "the session that nobody has claimed" "$(client show unclaimed)" "direction=incoming owner=1000 flags="
                assert_eq "how often it was carried" "$(busctl get-property org.luod1 /org/luod1/session/unclaimed org.luod1.Session Carried)" "u 1"
                assert_eq "its file" "$(field head "$(client_as alice retrieve unclaimed 1)")" nobody-asks
                client_as alice finish unclaimed
                client_as bob retrieve in-use 1 2 >now
                diff "$VM_STATE/in-use" now || fail "something else came back of what was in use"
                assert_eq "its metadata" "$(client_as bob metadata in-use)" what=in-use
                output=$(luoctl report)
                grep -Eq "^unclaimed .* 1 of 1 " <<<"$output" || fail "the report does not say that 'unclaimed' came: $output"
                grep -Eq "^in-use .* 2 of 2 " <<<"$output" || fail "the report does not say that 'in-use' came: $output"
                client_as bob finish in-use
                ;;
esac
