#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# systemd opens /dev/liveupdate for each start of a unit with LUOSession=, and does not try twice. While clients keep luod
# busy, none of 30 such starts fails; with the device held by somebody else one does, so the test would notice.
# vm: timeout=240
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

unit=/run/systemd/system/luo-test@.service
busy=

stop_clients() {
        [[ -z "$busy" ]] || kill "$busy" 2>/dev/null || true
        rm -f "$unit"
        systemctl daemon-reload
}
trap stop_clients EXIT

# Creating uses up the spare sessions; each refill opens the device.
keep_creating() {
        local i

        for ((i = 0; ; i++)); do
                client raw-create-many "busy-$i" 8 1 100 >/dev/null
                echo $((i * 8 + 8)) >created
                for ((j = 0; j < 8; j++)); do
                        client discard "busy-$i-$j"
                done
        done
}

refills() {
        [[ -e created ]] && (($(<created) >= $1))
}

[[ "$(systemctl show -p LUOSession luod.service)" == LUOSession* ]] || skip "this systemd does not know LUOSession="
cat >"$unit" <<'UNIT'
[Service]
Type=oneshot
ExecStart=true
FileDescriptorStoreMax=4
LUOSession=luo-test-%i
UNIT
systemctl daemon-reload

keep_creating &
busy=$!
wait_until 20 refills 8
before=$(<created)
for ((i = 0; i < 30; i++)); do
        systemctl start "luo-test@$i.service" || fail "start $i failed: $(systemctl status --no-pager "luo-test@$i.service")"
done
say "meanwhile, clients made $(($(<created) - before)) sessions"
# At least as many as make luod open the device four times.
(($(<created) - before >= 16)) || wait_until 20 refills $((before + 16))
kill "$busy"
wait "$busy" || true
busy=

# Proof that the above means something.
coproc client hold-device
read -r line <&"${COPROC[0]}"
assert_eq "what the holder says" "$line" holding
assert_fails systemctl start luo-test@held.service
eval "exec ${COPROC[1]}>&-"
wait "$COPROC_PID"
systemctl start luo-test@free.service

for session in $(client list | awk '/^busy-/ { print $1 }'); do
        client discard "$session"
done
