#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The jump comes without a word, while luod stands between two steps: `kexec -e`, no shutdown, nobody hands over an fd store.
# Sessions are found again by name. What was acknowledged is there; what was not is there or not, and said so. In the new
# kernels the helper that looks for them is killed, and then luod, with a session in hand that nobody else holds yet.
# vm: own
# vm: luod-stopped
# vm: timeout=900
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/stop-lib.sh

client=$TESTS/luod-test-client

jump_at() { # POINT COMMAND...
        local point=$1
        shift

        stop_at "$point"
        "$@" >/dev/null 2>&1 &
        await_stopped "$point" || fail "never came to $point"
        say "luod stands at $point"
        load_kernel
        sync
        kexec -e
}

checksum_of() {
        sed 's/.*checksum=//; s/ .*//' <<<"$1"
}

check_session() { # SESSION SEED
        local is should

        is=$("$client" retrieve "$1" 1)
        should=$("$client" checksum "random=$2,size=9000")
        assert_eq "the content of $1" "$(checksum_of "$is")" "$(checksum_of "$should")"
        luoctl show "$1" | grep -q 'name=value' || fail "$1 has lost its metadata"
}

make_session() { # SESSION SEED
        luoctl create "$1"
        "$client" preserve "$1" "1=random=$2,size=9000"
        luoctl set-metadata "$1" name=value
}

# Starts luod up to where its helper has got the first session of them, and gave it to nobody yet.
start_and_stop_helper() {
        echo by-name:retrieved >"$VM_STATE/stop-at-start"
        systemctl start --no-block luod
        await_stopped by-name:retrieved || fail "nothing was looked for by name"
        pid=$(luod_pid)
        helper=$(pgrep -P "$pid")
}

case $VM_BOOT in
0)
        stop_points_enable
        make_session first 11
        make_session second 12
        systemctl disable luod
        jump_at preserve:kernel "$client" preserve first 2=random=13,size=5000
        ;;
1)
        # The helper dies: what it had got is luod's, another one finds the rest, and the device is free.
        start_and_stop_helper
        kill -KILL "$helper"
        wait_until 60 systemctl -q is-active luod
        assert_eq "luod's pid" "$(luod_pid)" "$pid"
        readlink "/proc/$pid/fd/"* | grep liveupdate && fail "luod holds the device"

        luoctl list
        luoctl status | grep -q 'Ledger: intact' || fail "the ledger is not intact"
        check_session first 11
        check_session second 12
        # Not acknowledged, but the kernel had said yes.
        luoctl show first | grep -Eq '^ +2 .* unconfirmed' || fail "the file half way is not shown as such"
        "$client" retrieve first 2 >/dev/null || fail "it is not there"
        luoctl finish first
        luoctl finish second

        make_session third 21
        luoctl create many
        systemctl disable luod
        jump_at many:custody "$client" preserve --many many 1=random=22,size=5000 2=random=23,size=5000
        ;;
2)
        # luod dies: the helper comes to its end, and the next luod finds all of them in the store.
        start_and_stop_helper
        kill -KILL "$pid"
        wait_until 10 test ! -e "/proc/$pid/exe"
        kill -CONT "$helper" 2>/dev/null || true # systemd may have done so, and it has come to its end
        wait_until 60 systemctl -q is-active luod
        luoctl list
        check_session third 21
        "$client" retrieve many 1 2 >/dev/null || fail "PreserveMany was all in the kernel, but is not there"
        luoctl finish many

        jump_at creation:intent luoctl create fifth
        ;;
3)
        systemctl start luod
        luoctl list
        luoctl show fifth 2>/dev/null && fail "a session that was not made is there"
        luoctl list --no-legend | grep -q unknown && fail "there are unknown sessions"
        # `kexec -e` asks nobody: what was not finished or renewed is lost, and says so.
        luoctl show third | grep -q parts-missing || fail "a session that was not finished is not shown as lost"
        luoctl show third | grep -Eq '^ +1 .* failed' || fail "its file is not told to be lost"
        output=$(luoctl check) || true
        grep -Eq '^warning  *sessions: .*not complete' <<<"$output" || fail "luoctl check does not tell: $output"
        for how in "" --many; do
                # shellcheck disable=SC2086
                output=$("$client" retrieve $how third 1 2>&1) && fail "a file that is lost came back"
                [[ "$output" == *RetrieveFailed* ]] || fail "it is not told to be lost: $output"
        done
        status=0
        luoctl retrieve third 1 /dev/null 2>/dev/null || status=$?
        [ "$status" = 13 ] || fail "the exit status of luoctl retrieve is $status"
        [ "$(luoctl status | sed -n 's/.*Live updates: \([0-9]*\).*/\1/p')" = 3 ] || fail "the generation is not 3"
        luoctl discard third
        ;;
esac
