#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What came over one update goes into the next: renewed while its owner has it in hand, carried for one who never came, and with
# luod killed between any two steps of it. The memory that the owner has mapped all the while is the one that comes back.
# vm: own
# vm: kernel=7.3,6.19 timeout=900
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh
# shellcheck source=test/guest/stop-lib.sh
. /usr/lib/luod/tests/guest/stop-lib.sh

points=(intent retrieved parked finished moved kernel kept unparked closed commit)

assert_renewed() { # SESSION
        [[ "$(client show "$1")" == "direction=outgoing"*"flags=" ]] || fail "$1 is $(client show "$1")"
        assert_eq "what is not kept of $1" "$(client files "$1" | grep -vc ' kept$' || true)" 0
}

case $VM_BOOT in
0)
        client_as alice create held key=value
        client_as alice preserve held 1=content=one......,mode=640 2=content=two
        client_as alice preserve --many held 3=content=three 4=random=4,size=5000000
        client_as alice preserve held 0xffffffffffffffff=content=last
        client_as alice create carried
        client_as alice preserve carried 1=content=carried,access=ro
        client_as alice create carried-too
        for point in "${points[@]}"; do
                client create "at-$point"
                client preserve "at-$point" 1=content="$point" 0xfffffffffffffffe=content=second
        done
        kexec_now
        ;;
1)
        exits=0
        as bob luoctl renew held || exits=$?
        assert_eq "the exit status for somebody else" $exits 4
        # Owned by nobody but the kernel and luod meanwhile, and mapped by its owner.
        mkfifo go
        client_as alice retrieve --hold held 1 <go >held.out &
        exec {go}>go
        wait_until 20 grep -q holding held.out
        as alice luoctl renew held
        assert_renewed held
        as alice luoctl renew held
        exec {go}>&-
        wait
        exits=0
        luoctl carry held || exits=$?
        assert_eq "the exit status for what is outgoing already" $exits 0
        exits=0
        as alice luoctl carry carried || exits=$?
        assert_eq "the exit status for who is not root" $exits 4
        luoctl carry carried carried-too
        assert_renewed carried
        refused_as alice WrongDirection retrieve carried 1
        # shellcheck disable=SC2154 # of assert_fails
        assert_says "carried into the next live update" printf '%s\n' "$output"
        assert_says "through 1 live update unclaimed, with the next one" luoctl show carried
        exits=0
        luoctl create fresh
        luoctl renew fresh || exits=$?
        assert_eq "the exit status for what was made here" $exits 12

        stop_points_enable
        for point in "${points[@]}"; do
                stop_at "renew:$point"
                luoctl renew "at-$point" >/dev/null 2>&1 &
                await_stopped "renew:$point" || fail "never came to renew:$point"
                kill_luod
                wait
                luoctl renew "at-$point"
                assert_renewed "at-$point"
                say "killed at renew:$point, and renewed"
        done
        assert_eq "what is parked" "$(busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
                org.freedesktop.systemd1.Manager DumpUnitFileDescriptorStore s luod.service | grep -c '"p[0-9a-f]*\.' || true)" 0
        wait_until 20 luod_sessions_are_in_custody
        stop_points_disable
        kexec_now
        ;;
2)
        assert_manager Ledger intact
        assert_eq "one" "$(field head "$(client_as alice retrieve held 1)")" "one......"
        assert_eq "its mode" "$(field mode "$(client_as alice retrieve held 1)")" 0640
        assert_eq "four" "checksum=$(field checksum "$(client_as alice retrieve held 4)")" "$(client checksum random=4,size=5000000)"
        assert_eq "the last" "$(field head "$(client_as alice retrieve held 0xffffffffffffffff)")" last
        assert_eq "the metadata" "$(client_as alice metadata held)" key=value
        assert_eq "what is kept of the carried one, nothing had" "$(client_as alice files carried | grep -c ' kept$')" 1
        line=$(client_as alice retrieve carried 1)
        assert_eq "how the carried one can be used" "$(field access "$line")" ro
        assert_eq "the carried one" "$(field head "$line")" carried
        for point in "${points[@]}"; do
                assert_eq "killed at $point" "$(field head "$(client retrieve "at-$point" 1)")" "$point"
                assert_eq "killed at $point, the second" "$(field head "$(client retrieve "at-$point" 0xfffffffffffffffe)")" second
                client finish "at-$point"
        done
        client_as alice finish held
        client_as alice finish carried
        client_as alice finish carried-too
        ;;
esac
