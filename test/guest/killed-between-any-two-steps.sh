#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# luod is stopped at each named point between two steps and killed there. The client's call, repeated by luoctl when luod
# is back, succeeds, and in the end one live update proves that all of it is there.
# vm: own
# vm: luod-stopped
# vm: timeout=1500
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/stop-lib.sh

client=$TESTS/luod-test-client
work=$VM_STATE/work

# killed_at POINT COMMAND...: runs the command, kills luod at the point; the command must come to a good end.
killed_at() {
        local point=$1 status=0
        shift

        stop_at "$point"
        "$@" >"$work/out" 2>&1 &
        await_stopped "$point" || fail "never came to $point"
        kill_luod || fail "luod did not come back from $point"
        wait $! || status=$?
        [ $status -eq 0 ] || fail "$point: '$*' ended with $status: $(cat "$work/out")"
        say "killed at $point: the repeated call succeeded"
}

content() { # NAME
        [ -s "$work/$1" ] || head -c 20000 /dev/urandom >"$work/$1"
        echo "$work/$1"
}

# Whether the session keeps what it should, and nothing is left unconfirmed.
check_kept() { # SESSION TOKEN...
        local session=$1 files t
        shift

        files=$(luoctl show --no-legend "$session") || fail "$session is not there"
        for t; do
                grep -Eq "^ *$t .* kept" <<<"$files" || fail "$session has no token $t: $files"
        done
}

# What only a repeat on an equal fd can show: the same object, the same token is success, so the client holds its memfd.
preserve() { # SESSION TOKEN FILE
        luoctl preserve "$1" "$2" "$3"
}

before_the_update() {
        local p i=0

        mkdir -p "$work"
        stop_points_enable

        for p in creation:intent creation:index creation:commit creation:answered; do
                killed_at "$p" luoctl create --metadata kind=test "s-$p"
                luoctl show "s-$p" | grep -q 'kind=test' || fail "s-$p has lost its metadata"
        done
        luoctl create kept
        for p in preserve:intent preserve:kernel preserve:commit; do
                i=$((i + 1))
                killed_at "$p" preserve kept $i "$(content kept-$i)"
                check_kept kept $i
        done
        luoctl create many
        for p in many:kernel many:intent many:custody many:commit; do
                i=$((i + 10))
                killed_at "$p" "$client" preserve --many many "$i=random=$i,size=5000" "$((i + 1))=random=$((i + 1)),size=6000"
                check_kept many $i $((i + 1))
                echo "$i" >>"$work/many"
        done
        killed_at metadata:written luoctl set-metadata kept colour=blue
        luoctl show kept | grep -q 'colour=blue' || fail "metadata lost"

        for p in end:intent end:kernel end:custody end:closed end:commit; do
                luoctl create "gone-$p"
                preserve "gone-$p" 1 "$(content gone)"
                killed_at "$p" luoctl discard "gone-$p"
                luoctl show "gone-$p" 2>/dev/null && fail "gone-$p is still there"
        done

        check_kept kept 1 2 3
        luoctl list
        # the change-over after the update is stopped at each of its points, too
        echo changeover:written >"$VM_STATE/stop-at-start"
        systemctl disable luod
        sync
        next_boot
}

kill_in_changeover() {
        local p
        local points=(changeover:written changeover:kernel changeover:custody changeover:linked changeover:finished
                changeover:dropped)

        systemctl start --no-block luod
        for p in "${points[@]}"; do
                [ "$p" = changeover:written ] || stop_at "$p"
                [ "$p" = changeover:written ] || systemctl kill --kill-whom=main -s KILL luod
                await_stopped "$p" || fail "never came to $p"
                say "killed at $p"
        done
        kill_luod || fail "luod did not come back after the change-over"
}

after_the_update() {
        local p i

        kill_in_changeover
        luoctl status
        luoctl status | grep -q 'Ledger: intact' || fail "the ledger is not intact"
        luoctl list
        luoctl list --no-legend | grep -q unknown && fail "there are unknown sessions"

        for p in creation:intent creation:index creation:commit creation:answered; do
                luoctl show "s-$p" | grep -q 'kind=test' || fail "s-$p did not come over the update whole"
        done
        i=0
        for p in retrieve:kernel retrieve:commit none; do
                i=$((i + 1))
                if [ $p = none ]; then
                        luoctl retrieve kept $i "$work/back-$i"
                else
                        killed_at "$p" luoctl retrieve kept $i "$work/back-$i"
                fi
                cmp "$work/kept-$i" "$work/back-$i" || fail "token $i came back changed"
        done
        while read -r i; do
                [ "$("$client" retrieve many "$i" | sed 's/.*checksum=//; s/ .*//')" = \
                        "$("$client" checksum "random=$i,size=5000" | sed 's/.*checksum=//; s/ .*//')" ] ||
                        fail "token $i of many came back changed"
        done <"$work/many"

        for p in end:intent end:kernel end:custody end:closed end:commit; do
                killed_at "$p" luoctl finish "${fin[0]}"
                luoctl show "${fin[0]}" 2>/dev/null && fail "${fin[0]} is still there"
                fin=("${fin[@]:1}")
        done
        stop_points_disable
        luoctl status
}

fin=(s-creation:intent s-creation:index s-creation:commit s-creation:answered kept)
case $VM_BOOT in
0) before_the_update ;;
1) after_the_update ;;
esac
