#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernel=7.3+patches
#
# Files whose state is an object behind an anonymous inode, as those of VFIO, iommufd and KVM have it: all share an inode,
# none can be opened through /proc, several can be one object. Each object has one keeper, also for a luod that was killed and
# has no file of it any more, comes back with its content, and can be kept anew. What the kernel refuses to preserve, to
# retrieve or to finish is told, and costs nothing else.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

[[ -e /dev/luo_test_file ]] || fail "this kernel should have the test file handler"

failed=org.freedesktop.DBus.Error.Failed
kept_already=org.luod1.Error.AlreadyPreserved

keep() {
        client_as alice create objects
        client_as alice preserve objects 1=object,content=early...,write-after=LATE
        # On the same inode, but other objects; in one call as well.
        client_as alice preserve objects 2=object,content=two 3=object,random=3,size=65536 4=content=memfd
}

# shellcheck disable=SC2154
refuse_a_second() {
        client_as alice create others
        refused_as alice AlreadyPreserved preserve others 1=object,content=x 2=second=1
        assert_eq "what is kept of that" "$(client files others)" ""
        refused_as alice AlreadyPreserved preserve --again=objects:9 objects 8=object,content=eight
        [[ "$output" == *"'objects' under token 8"* ]] || fail "it does not say who keeps it: $output"
        refused_as alice AlreadyPreserved preserve --again=others:1 objects 10=object,content=ten
        refused AlreadyPreserved preserve --again=others:1 objects 11=object,content=eleven
        # The same call repeated, by another file of the object.
        client_as alice preserve --again=objects:12 objects 12=object,content=twelve
}

killed() {
        local pid
        pid=$(luod_pid)

        systemctl kill --kill-whom=main -s KILL luod.service
        wait_until 30 new_luod_serves "$pid"
}

new_luod_serves() { # PID-BEFORE
        [[ "$(luod_pid)" != "$1" ]] && manager State
}

# hold NAME COMMAND...: in the background, until release NAME. That fails if the command does; $output is what it said.
hold() {
        local name=$1
        shift

        mkfifo "$name.go"
        client_as alice "$@" <"$name.go" >"$name.out" 2>&1 &
        holder=$!
        exec {go}>"$name.go"
        wait_until 30 grep -q holding "$name.out"
}

release() {
        exec {go}>&-
        wait "$holder" || fail "what was held: $(<"$1.out")"
        output=$(<"$1.out")
}

# All that luod has left is what the object is called.
refuse_a_second_after_a_crash() {
        client_as alice create crashed
        hold second preserve --hold --again=others:20 "--expect=$kept_already" crashed 7=object,content=crashed
        # The highest number so far, as they are used once.
        grep -h '^luo-test-object:' "/proc/$(pgrep -n luod-test-clien)"/fdinfo/* | tail -n 1 | cut -f 2 >"$VM_STATE/number"
        killed
        release second
        [[ "$output" == *"'crashed' under token 7"* ]] || fail "it does not say who keeps it: $output"
        client_as alice preserve crashed 8=object,content=another
        refused_as alice AlreadyPreserved preserve --again=others:21 crashed 9=object,content=nine
        # Dropped, it is anybody's.
        client_as alice create dropped
        hold third preserve --hold --again=crashed:22 dropped 1=object,content=free
        killed
        client_as alice discard dropped
        release third
}

# They are counted from 1 in every boot: what an object was called in the last one says nothing.
same_numbers_as_before() {
        local number n args=()

        number=$(<"$VM_STATE/number")
        [[ $number -gt 0 ]] || fail "the number of an object is '$number'"
        ((number < 60)) || number=60
        client_as alice create fresh
        for ((n = 1; n <= number; n++)); do
                args+=("$n=object,content=fresh$n")
        done
        for ((n = 0; n < number; n += 10)); do
                client_as alice preserve --many fresh "${args[@]:n:10}"
        done
}

# It belongs to the session it came from until that is finished.
refuse_before_finish() {
        refused_as alice AlreadyPreserved retrieve --again=fresh:100 crashed 7
        [[ "$output" == *"'crashed' under token 7"* ]] || fail "it does not say who keeps it: $output"
        hold early retrieve --hold --again=fresh:101 "--expect=$kept_already" crashed 7
        killed
        release early
        [[ "$output" == *"'crashed' under token 7"* ]] || fail "it does not say who keeps it: $output"
        hold late retrieve --hold --again=fresh:102 crashed 7
        client_as alice finish crashed
        release late
}

refuse_to_preserve() {
        refused_as alice $failed preserve objects 13=object,fail-preserve=18
        [[ "$output" == *"Invalid cross-device link"* ]] || fail "it does not say what the kernel said: $output"
        client_as alice preserve objects 13=object,content=thirteen
        # All or none: the memfd can be resized again.
        refused_as alice $failed preserve others 1=content=a,truncate-after 2=object,content=b 3=object,fail-preserve=18
        [[ "$output" == *"token=1 truncated=yes"* ]] || fail "something of a call that failed is still kept: $output"
        assert_eq "what is kept of that" "$(client files others)" ""
        client_as alice discard others
}

check_content() { # SESSION
        local lines

        mapfile -t lines < <(client_as alice retrieve "$1" 1 2 3 4)
        assert_eq "what was written after it was kept" "$(field head "${lines[0]}")" LATEy...
        assert_eq "the second object" "$(field head "${lines[1]}")" two
        assert_eq "the third object" "checksum=$(field checksum "${lines[2]}")" "$(client checksum random=3,size=65536)"
        assert_eq "the memfd" "$(field head "${lines[3]}")" memfd
        for line in "${lines[@]}"; do
                assert_eq "how it can be used" "$(field access "$line") $(field write "$line") $(field cloexec "$line")" "rw yes yes"
        done
}

refuse_to_retrieve() {
        refused_as alice RetrieveFailed retrieve broken 2
        refused_as alice RetrieveFailed retrieve broken 2
        assert_eq "the file beside it" "$(field head "$(client_as alice retrieve broken 1)")" whole
        client_as alice finish broken
}

refuse_to_finish() {
        client_as alice retrieve --fail-finish stubborn 1
        refused_as alice $failed finish stubborn
        [[ "$output" == *"does not finish session 'stubborn'"* ]] || fail "it does not say what is wrong: $output"
        assert_eq "the session" "$(client show stubborn)" "direction=incoming owner=1000 flags="
        assert_eq "its object" "$(field head "$(client_as alice retrieve stubborn 1)")" stays
        client_as alice finish stubborn
        refused NoSuchSession get stubborn
}

open_before=$(luod_other_fds)
case $VM_BOOT in
        0)
                keep
                refuse_a_second
                refuse_a_second_after_a_crash
                refuse_to_preserve
                client_as alice create broken
                client_as alice preserve broken 1=object,content=whole 2=object,content=lost,fail-retrieve=117
                client_as alice create stubborn
                client_as alice preserve stubborn 1=object,content=stays
                client_as alice create renewed
                client_as alice preserve renewed 1=object,content=renewed 2=content=memfd
                next_boot
                ;;
        1)
                same_numbers_as_before
                refuse_before_finish
                check_content objects
                check_content objects
                assert_eq "one that was refused twice" "$(field head "$(client_as alice retrieve objects 8)")" eight
                refuse_to_retrieve
                refuse_to_finish

                as alice luoctl renew renewed
                client_as alice renew objects objects-anew 1 2 3 4
                refused NoSuchSession get objects
                assert_eq "how many are kept anew" "$(client files objects-anew | wc -l)" 4
                next_boot
                ;;
        2)
                check_content objects-anew
                client_as alice finish objects-anew
                assert_eq "the renewed object" "$(field head "$(client_as alice retrieve renewed 1)")" renewed
                assert_eq "the memfd beside it" "$(field head "$(client_as alice retrieve renewed 2)")" memfd
                client_as alice finish renewed
                assert_eq "a fresh one" "$(field head "$(client_as alice retrieve fresh 1)")" fresh1
                assert_eq "one that was kept anew" "$(field head "$(client_as alice retrieve fresh 102)")" crashed
                client_as alice finish fresh
                assert_nothing_leaked "$open_before"
                ;;
esac
