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

# json EXPRESSION COMMAND...: a Python expression that must hold for `j`, what the command prints being JSON, and `t`, all of
# it as text. Collected, as Python takes its time to start; json_holds asks.
json() {
        local expression=$1
        shift

        json_n=$((json_n + 1))
        printf '%s' "$expression" >"json.$json_n.expression"
        "$@" >"json.$json_n.text" || true
}
json_n=0

json_holds() {
        python3 - "$json_n" <<'EOF'
import json, sys
for n in range(1, int(sys.argv[1]) + 1):
    text = open(f"json.{n}.text").read()
    expression = open(f"json.{n}.expression").read()
    try:
        j = json.loads(text)
        t = repr(j)
        good = eval(expression)
    except Exception as e:
        good = False
        print(e)
    if not good:
        sys.exit(f"'{expression}' does not hold for {text}")
EOF
}

helps() {
        local verb

        exits 0 luoctl --help
        exits 0 luoctl --version
        exits 0 luoctl help list
        for verb in status list show create preserve retrieve set-metadata renew carry finish discard identify check reload load unload monitor; do
                exits 0 luoctl $verb --help
                grep -q "luoctl.* $verb" <<<"$output" || fail "the help on $verb does not show it: $output"
        done
        exits 2 luoctl nonsense
        exits 2 luoctl --nonsense
        exits 2 luoctl create
        exits 2 luoctl create a b
        exits 2 luoctl carry
        exits 2 luoctl carry --all a
        exits 0 luoctl carry --all
        exits 3 luoctl carry nowhere
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
        json 'j["path"] == "/org/luod1/session/ctl_20two"' luoctl create --json=short 'ctl two'
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
                json '[s["n_files"] for s in j if s["name"] == "ctl"] == [3]' luoctl list --json=$format
                json 'all(x in t for x in ("Straße", "kept", "colour", "outgoing"))' luoctl show --json=$format ctl
                json 'all(x in t for x in ("fdstore", "intact", "supported"))' luoctl status --json=$format
                json 'set(f["id"] for f in j["findings"]) >= {"kernel", "custody", "ledger"}' luoctl check --json=$format
        done
        exits 0 luoctl list --json=off
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
        exits 2 luoctl discard ctl 1
        [[ "$output" == *"as a whole"* ]] || fail "discard of one file: $output"
        identifies

        monitors

        exits 0 luoctl discard 'ctl two'
        exits 3 luoctl show 'ctl two'
}

# The shell's fd 5 is a file without a name, as good as a memfd.
identifies() {
        echo >"$VM_STATE/shm"
        json 'j["kind"] == "other" and j["type"] == "regular file" and j["keepable"] == "no" and j["reason"]' \
                luoctl identify --json=short "$VM_STATE/shm"
        exec 5<>/dev/shm/identifies
        chmod 0640 /dev/shm/identifies
        rm /dev/shm/identifies
        printf 1234567 >&5
        json 'j["size"] == 7 and j["mode"] == 0o640 and j["access"] == "rw" and j["keepable"] == "yes" and not j["kept"]' \
                luoctl identify --json=pretty - <&5
        exits 0 luoctl create identified
        busctl call org.luod1 /org/luod1/session/identified org.luod1.Session Preserve tsh 77 five 5
        json 'j["kept"] and j["session"] == "identified" and j["token"] == 77 and j["direction"] == "outgoing"' \
                luoctl identify --json=short /proc/self/fd/5
        exits 0 luoctl identify - <&5
        [[ "$output" == *"in outgoing session 'identified', token 77"* ]] || fail "identify: $output"
        json 'j["kept"] and "session" not in j' as bob luoctl identify --json=short - <&5
        exits 0 luoctl discard identified
        exits 0 luoctl identify - <&5
        [[ "$output" == *"no (nobody keeps it)"* ]] || fail "identify: $output"
        exec 5<&-
        exits 1 luoctl identify /nonexistent
        exits 0 luoctl identify - </dev/null
        [[ "$output" == *"character device"* ]] || fail "identify: $output"
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
                json '"event" in j' printf '%s' "$line"
        done <monitor.out
        ((json_n > 10)) || fail "the monitor printed no JSON"
        json_holds
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
        assert_check "^blocks  *incoming: "
        exits 11 luoctl check
        exits 0 luoctl finish ctl
        exits 3 luoctl finish ctl
}

case $VM_BOOT in
        0) before; next_boot ;;
        1) after ;;
esac
