#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each verb of luoctl against the real daemon: what it does, what it prints for people and for programs, and with which status
# it exits.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# exits STATUS COMMAND...: the output, of both kinds, goes to $output.
exits() {
        local should=$1 status=0
        shift

        output=$("$@" 2>&1) || status=$?
        [[ $status == "$should" ]] || fail "'$*' exits with $status instead of $should: $output"
}

# json EXPRESSION COMMAND...: the value of a Python expression in `j`, what the command prints being JSON.
json() {
        local expression=$1
        shift

        "$@" | python3 -c 'import json, sys
j = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$expression"
}

helps() {
        local verb

        exits 0 luoctl --help
        exits 0 luoctl --version
        for verb in status list show create preserve retrieve set-metadata finish discard check monitor; do
                exits 0 luoctl help $verb
                exits 0 luoctl $verb --help
                grep -q "luoctl.* $verb" <<<"$output" || fail "the help on $verb does not show it: $output"
        done
        exits 2 luoctl nonsense
        exits 2 luoctl --nonsense
        exits 2 luoctl create
        exits 2 luoctl create a b
        exits 2 luoctl preserve ctl x /etc/hostname
        exits 2 luoctl preserve ctl 18446744073709551616 /etc/hostname
        exits 2 luoctl set-metadata ctl nonsense
        exits 2 luoctl --json=nonsense list
}

before() {
        local format

        helps
        head -c 100000 /dev/urandom >"$VM_STATE/in"

        exits 0 luoctl create --metadata=colour=blue --metadata=shape=round ctl
        assert_eq "what create prints" "$output" /org/luod1/session/ctl
        assert_eq "create as JSON" "$(json 'j["path"]' luoctl create --json=short 'ctl two')" /org/luod1/session/ctl_20two
        exits 0 luoctl preserve ctl 1 "$VM_STATE/in" --label=input
        exits 0 luoctl preserve ctl 0xff "$VM_STATE/in"
        printf 'from stdin' | luoctl preserve ctl 2 - --label='Straße 🦊'
        exits 0 luoctl set-metadata ctl colour=green shape= size=large
        assert_eq "the metadata" "$(client metadata ctl | sort | tr '\n' ' ')" "colour=green size=large "
        assert_eq "the files" "$(client files ctl | cut -d ' ' -f 1 | sort -n | tr '\n' ' ')" "1 2 255 "

        # For people.
        exits 0 luoctl list
        grep -qE '^ctl  *outgoing  *root  *3 ' <<<"$output" || fail "list: $output"
        exits 0 luoctl list --no-legend
        ! grep -q '^SESSION\|listed' <<<"$output" || fail "list --no-legend: $output"
        exits 0 luoctl show ctl
        [[ "$output" == *"Straße 🦊"* && "$output" == *"colour=green"* ]] || fail "show: $output"
        assert_says 'Custody: fdstore' luoctl status
        COLUMNS=40 exits 0 luoctl list
        # For programs.
        for format in short pretty; do
                assert_eq "list as JSON" "$(json '[s["n_files"] for s in (j["sessions"] if type(j) is dict else j) if s["name"] == "ctl"]' luoctl list --json=$format)" "[3]"
                [[ "$(json 'repr(j)' luoctl show --json=$format ctl)" == *"Straße"*"kept"* ]] || fail "show as JSON: $(luoctl show --json=$format ctl)"
                [[ "$(json 'repr(j)' luoctl status --json=$format)" == *fdstore* ]] || fail "status as JSON: $(luoctl status --json=$format)"
        done
        exits 0 luoctl list --json=off
        # The findings as JSON: whatever they are, warnings or not, they are as many as there are lines.
        (luoctl check --json=short || true) >check.json
        [[ "$(json 'repr(j)' cat check.json)" == *custody* ]] || fail "check as JSON: $(cat check.json)"

        # Each exit status for a reason of its own.
        exits 1 luoctl preserve ctl 9 /nonexistent
        exits 2 luoctl create a/b
        exits 2 luoctl create $'\xff'
        exits 3 luoctl show nowhere
        exits 3 luoctl discard nowhere
        exits 4 as bob luoctl show ctl
        exits 5 luoctl create ctl
        exits 5 luoctl preserve ctl 1 "$VM_STATE/in"
        exits 6 luoctl set-metadata ctl "big=$(head -c 70000 /dev/zero | tr '\0' x)"
        exits 8 env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent luoctl list
        exits 12 luoctl retrieve ctl 1
        exits 12 luoctl finish ctl

        monitors

        exits 0 luoctl discard 'ctl two'
        exits 3 luoctl show 'ctl two'
}

says() {
        grep -qE "$1" monitor.out
}

monitors() {
        local monitor

        luoctl monitor >monitor.out 2>&1 &
        monitor=$!
        # Until it listens.
        wait_until 10 monitor_hears
        luoctl create watched >/dev/null
        wait_until 10 says watched
        luoctl discard watched
        wait_until 10 says 'watched.*discarded|discarded.*watched'
        systemctl restart luod.service
        wait_until 10 says '[Bb]ack|[Gg]one|away'
        kill $monitor
        wait $monitor || true
        luoctl monitor --json=short >monitor.out 2>&1 &
        monitor=$!
        wait_until 10 monitor_hears
        kill -INT $monitor
        wait $monitor || true
        # Each line by itself is JSON.
        while read -r line; do
                json 'j' printf '%s' "$line" >/dev/null || fail "the monitor's '$line' is not JSON"
        done <monitor.out
}

heard=0
monitor_hears() {
        heard=$((heard + 1))
        luoctl create "hear-$heard" >/dev/null
        luoctl discard "hear-$heard"
        grep -q hear- monitor.out
}

after() {
        local mode

        exits 0 luoctl list
        grep -qE '^ctl  *incoming  *root  *3 ' <<<"$output" || fail "list: $output"
        exits 0 luoctl retrieve ctl 1 "$VM_STATE/out"
        cmp "$VM_STATE/in" "$VM_STATE/out" || fail "another content came back"
        mode=$(stat -c %a "$VM_STATE/out")
        assert_eq "the mode of what was written" "$mode" 600
        luoctl retrieve ctl 0xff - | cmp - "$VM_STATE/in" || fail "another content came back on standard output"
        assert_eq "what was on stdin" "$(luoctl retrieve ctl 2)" "from stdin"
        exits 1 luoctl retrieve ctl 1 /nonexistent/out
        exits 3 luoctl retrieve ctl 77
        exits 12 luoctl preserve ctl 5 "$VM_STATE/in"
        assert_check '^warning  *incoming: '
        exits 10 luoctl check
        exits 0 luoctl finish ctl
        exits 3 luoctl finish ctl
}

case $VM_BOOT in
        0) before; next_boot ;;
        1) after ;;
esac
