#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# luod.conf: a limit that is lowered holds after a reload and ends nothing, what is wrong is named, and without the file all is
# as before.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

drop_in=/etc/luod/luod.conf.d/configuration-test.conf

# limits LINE...: are what the drop-in has.
limits() {
        mkdir -p "${drop_in%/*}"
        printf '%s\n' "[Limits]" "$@" >"$drop_in"
}

# Lines of luod's journal from now on: said TEXT.
mark() {
        journalctl --sync
        cursor=$(journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p')
}
said() {
        journalctl --sync
        journalctl -u luod.service -o cat --after-cursor="$cursor" | grep -F -e "$1" >/dev/null
}

main_pid() {
        systemctl show -P MainPID luod.service
}

make_three() {
        local i

        for i in 1 2 3; do
                client_as bob create "configuration-$i"
        done
}

clean_up() {
        local i

        rm -f "$drop_in"
        systemctl reload luod.service || true
        for i in 1 2 3 4; do
                luoctl discard "configuration-$i" 2>/dev/null || true
        done
}
trap clean_up EXIT

[[ -e /etc/luod/luod.conf ]] || fail "luod.conf is not installed"
assert_eq "the limit as built" "$(manager LimitSessionsPerUser)" 256
pid=$(main_pid)
make_three

# As an admin does it.
limits SessionsPerUser=2 Colour=blue
mark
systemctl reload luod.service
assert_eq "the limit after a reload" "$(manager LimitSessionsPerUser)" 2
said "$drop_in:3: there is no key 'Colour' in section [Limits]" || fail "the journal does not name the wrong key"
assert_eq "luod's process after a reload" "$(main_pid)" "$pid"
assert_eq "the state of the unit" "$(systemctl is-active luod.service)" active
refused_as bob QuotaExceeded create configuration-4
[[ "$output" == *"SessionsPerUser= in luod.conf"* ]] || fail "the refusal does not name the limit: $output"
for i in 1 2 3; do
        luoctl show "configuration-$i" >/dev/null || fail "a lower limit ended a session"
done

# luoctl shows what is wrong, and that is no failure; a wrong value leaves what holds.
limits SessionsPerUser=two
output=$(luoctl reload 2>&1)
[[ "$output" == *"$drop_in:2: SessionsPerUser=two is not a number"* ]] || fail "luoctl reload does not say what is wrong: $output"
assert_eq "the limit after a wrong value" "$(manager LimitSessionsPerUser)" 2
assert_fails as bob luoctl reload

# With a signal; nobody says when it has been read.
limits SessionsPerUser=3
systemctl kill --kill-whom=main --signal=HUP luod.service
limit_is() {
        [[ "$(manager LimitSessionsPerUser)" == "$1" ]]
}
wait_until 10 limit_is 3
assert_eq "luod's process after SIGHUP" "$(main_pid)" "$pid"

# It is read at the start, too.
limits SessionsPerUser=1
systemctl restart luod.service
assert_eq "the limit after a restart" "$(manager LimitSessionsPerUser)" 1

rm "$drop_in"
mark
systemctl reload luod.service
assert_eq "the limit without the file" "$(manager LimitSessionsPerUser)" 256
! said luod.conf || fail "something is said to be wrong without the file"
client_as bob create configuration-4
