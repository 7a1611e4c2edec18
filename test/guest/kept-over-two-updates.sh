#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is retrieved, finished and preserved anew after each update survives the next one, too. A session that nobody claimed
# before the second is lost: it says so, and can be discarded.
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
                next_boot
                ;;
        1)
                check_generation 1
                client_as alice retrieve daily-0 1 2 >now
                diff "$VM_STATE/expected" now || fail "something else came back from the first update"
                client_as alice renew daily-0 daily-1 1 2
                refused NoSuchSession get daily-0

                # The next update would lose the other one, and Check says so.
                assert_eq "the other session" "$(client show unclaimed)" "direction=incoming owner=1000 flags="
                assert_check "^blocks  *incoming: .* next one loses "
                next_boot
                ;;
        2)
                check_generation 2
                client_as alice retrieve daily-1 1 2 >now
                diff "$VM_STATE/expected" now || fail "something else came back from the second update"
                client_as alice finish daily-1

                assert_eq "the lost session" "$(client show unclaimed)" "direction=incoming owner=1000 flags=parts-missing"
                [[ "$(client files unclaimed)" == "1 "*" failed" ]] || fail "its file is not told to be lost: $(client files unclaimed)"
                refused_as alice RetrieveFailed retrieve unclaimed 1
                refused_as alice RetrieveFailed retrieve --many unclaimed 1
                status=0
                luoctl retrieve unclaimed 1 /dev/null 2>/dev/null || status=$?
                assert_eq "the exit status of luoctl" $status 13
                assert_check '^warning  *sessions: .*not complete'

                client_as alice discard unclaimed
                refused NoSuchSession get unclaimed
                ;;
esac
