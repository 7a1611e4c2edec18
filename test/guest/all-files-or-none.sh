#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# PreserveMany keeps all files of a call or none: when one is refused, those before it are as free as they were. RetrieveMany
# hands out 16 files; 17 would have the bus cut luod off, so they are refused.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

sixteen=()
for ((i = 100; i < 116; i++)); do
        sixteen+=("$i=random=$i,size=$((i * 10))")
done

# The third is refused, by luod or by the kernel; the size of the first two is not frozen, or not any more.
third_fails() { # ERROR THIRD
        refused "$1" preserve many 1=content=one,truncate-after 2=content=two,truncate-after "$2"
        assert_eq "file 1 after $2" "$(sed -n 's/^token=1 truncated=//p' <<<"$output")" yes
        assert_eq "file 2 after $2" "$(sed -n 's/^token=2 truncated=//p' <<<"$output")" yes
        assert_eq "the files after $2" "$(client files many | cut -d ' ' -f 1 | tr '\n' ' ')" "50 "
}

before() {
        local fds pid

        client create many
        client preserve many 50=content=fifty
        wait_until 20 luod_sessions_are_in_custody
        fds=$(luod_other_fds)
        pid=$(luod_pid)

        third_fails UnsupportedFile 3=socket
        third_fails UnsupportedFile 3=eventfd
        third_fails UnsupportedFile 3=linked
        third_fails UnsupportedFile 3=noexec-seal
        third_fails TokenInUse 50=content=x
        third_fails AlreadyPreserved 3=dup=1
        third_fails OutOfMemory 3=size=0x10000000000
        rm -f /dev/shm/luod-test-*
        assert_nothing_leaked "$fds"

        # And it is not that nothing is ever frozen.
        output=$(client preserve many 1=content=one,truncate-after 2=content=two,truncate-after)
        assert_eq "a kept file" "$(sed -n 's/^token=1 truncated=//p' <<<"$output")" EPERM
        client preserve --print --many many "${sixteen[@]}" >"$VM_STATE/sixteen"
        # dbus-broker takes 253 in a message.
        client create crowd
        mapfile -t crowd < <(for ((i = 0; i < 253; i++)); do echo "$i=random=$i,size=100"; done)
        client preserve --print --many crowd "${crowd[@]}" >"$VM_STATE/crowd"
        # None is fine, too.
        busctl call org.luod1 /org/luod1/session/many org.luod1.Session PreserveMany 'a(tsh)a{sv}' 0 0
        assert_nothing_leaked "$fds"
        assert_eq "luod's process" "$(luod_pid)" "$pid"
}

after() {
        local pid

        pid=$(luod_pid)
        refused TooManyFiles retrieve many {100..115} 50
        refused TooManyFiles retrieve crowd {0..99}
        assert_eq "luod's process" "$(luod_pid)" "$pid"
        # All or an error.
        refused NoSuchToken retrieve many 50 1 999
        client retrieve many {100..115} | diff "$VM_STATE/sixteen" - || fail "something else came back (see above)"
        for ((i = 0; i < 253; i += 16)); do
                # shellcheck disable=SC2046
                client retrieve --many crowd $(seq $i $((i + 15 < 252 ? i + 15 : 252)))
        done | diff "$VM_STATE/crowd" - || fail "something else came back of the crowd (see above)"
        # The same one twice in a call is no mistake.
        client retrieve many 50 50 >twice
        assert_eq "lines of the same" "$(sort -u twice | wc -l)" 1
        busctl call org.luod1 /org/luod1/session/many org.luod1.Session RetrieveMany at 0 >/dev/null
        assert_eq "luod's process" "$(luod_pid)" "$pid"
        client finish many
        client finish crowd
}

case $VM_BOOT in
        0) before; next_boot ;;
        1) after ;;
esac
