#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# While somebody else holds /dev/liveupdate open, sessions are still made, from those that luod has in reserve; only when
# these are used up, and after the documented time, the answer is DeviceBusy. Afterwards all is as before.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

made=0

hold_device() {
        coproc client hold-device
        read -r line <&"${COPROC[0]}"
        assert_eq "what the holder says" "$line" holding
}

release_device() {
        eval "exec ${COPROC[1]}>&-"
        wait "$COPROC_PID"
}

session_can_be_made() {
        client create "held-$made" >output && made=$((made + 1))
}

pid=$(luod_pid)
wait_until 20 luod_sessions_are_in_custody
fds=$(luod_other_fds)

hold_device
assert_fails client hold-device
while session_can_be_made; do
        ((made < 50)) || fail "50 sessions, with the device held all the while"
done
start=$SECONDS
say "$made sessions were made meanwhile"
((made >= 3)) || fail "there should be more in reserve"
grep -q "^org.luod1.Error.DeviceBusy: .*fuser" output || fail "this is not DeviceBusy, or does not tell what to do: $(cat output)"
refused DeviceBusy create held-no &
luoctl create held-neither >/dev/null 2>&1 || status=$?
assert_eq "the exit status of luoctl" "${status:-0}" 9
wait $!
((SECONDS - start >= 8 && SECONDS - start <= 15)) || fail "the answer took $((SECONDS - start)) s, instead of about ten"
# All that needs no kernel session works.
client preserve held-0 1=content=meanwhile
client metadata held-0 a=b
client discard held-1
assert_eq "the number of sessions" "$(client list | grep -c '^held-')" $((made - 1))

# Held for a while only: the call waits for it.
client create held-later >later 2>&1 &
waiting=$!
release_device
wait $waiting || fail "the call that waited failed: $(cat later)"
for session in $(client list | awk '/^held-/ { print $1 }'); do
        client discard "$session"
done
assert_nothing_leaked "$fds"
assert_eq "luod's process" "$(luod_pid)" "$pid"
