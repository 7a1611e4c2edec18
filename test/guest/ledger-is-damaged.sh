#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# With bytes of the ledger damaged, no session, owner or token is lost, over a restart and over a kexec; with all of it
# destroyed, nothing but metadata is. (What each single byte costs is a unit test.)
# vm: own
# vm: timeout=600
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

ledger=/run/luod/ledger
users=(root alice bob)

# Sessions of three users, with files, labels and metadata, and some that are gone.
make_sessions() { # GENERATION
        local user i

        for user in "${users[@]}"; do
                for i in 1 2 3; do
                        ask ok create "$user-$1-$i" "of=$user" "number=$i"
                        ask ok preserve "$user-$1-$i" "1:one=random=$i,size=3000,mode=0600" "2:two=content=two-$user,access=ro"
                        ask ok preserve "$user-$1-$i" "18446744073709551615:last=content=last-$user"
                done
                ask ok create "$user-$1-gone"
                ask ok discard "$user-$1-gone"
                asked_as "$user"
        done
}

# What must never be lost: sessions, owners, and the files with all that is known of them.
describe_all() { # GENERATION DIRECTION
        local user i

        for user in "${users[@]}"; do
                for i in 1 2 3; do
                        ask ok show "$user-$1-$i"
                        ask ok files "$user-$1-$i"
                done
        done
        asked_as root
        # shellcheck disable=SC2154
        sed "s/direction=$2 //; s/ flags=.*//" <<<"$output"
        client list | awk '{ print $1, $3, $4, $5 }' | sort
}

assert_all_there() { # GENERATION DIRECTION
        describe_all "$1" "$2" | diff "$VM_STATE/all-$1" - || fail "something is lost or changed (see above)"
}

assert_all_come_back() { # GENERATION
        local user i line lines

        for user in "${users[@]}"; do
                for i in 1 2 3; do
                        ask ok retrieve "$user-$1-$i" 1
                        ask ok retrieve "$user-$1-$i" 2
                        ask ok retrieve "$user-$1-$i" 18446744073709551615
                        asked_as "$user"
                        mapfile -t lines <<<"$output"
                        line=${lines[0]}
                        assert_eq "file 1 of $user-$1-$i" "checksum=$(field checksum "$line")" "$(client checksum "random=$i,size=3000")"
                        assert_eq "what file 1 of $user-$1-$i is like" "$(field uid "$line") $(field mode "$line")" "$(id -u "$user") 0600"
                        line=${lines[1]}
                        assert_eq "file 2 of $user-$1-$i" "$(field head "$line") $(field access "$line") $(field write "$line")" "two-$user ro EBADF"
                        assert_eq "the last file of $user-$1-$i" "$(field head "${lines[2]}")" "last-$user"
                done
        done
}

# Metadata that is there is right, and what is not there is owned up to by a flag of the session, or by "rebuilt".
assert_metadata_right_or_flagged() { # GENERATION
        local user i flags lost=0

        for user in "${users[@]}"; do
                for i in 1 2 3; do
                        flags=$(client show "$user-$1-$i")
                        client metadata "$user-$1-$i" | sort >found
                        if ! printf 'number=%s\nof=%s\n' "$i" "$user" | diff - found >difference; then
                                lost=$((lost + 1))
                                ! grep '^>' difference || fail "metadata of $user-$1-$i is wrong (see above)"
                                [[ "$flags" == *metadata-damaged* || "$(manager Ledger)" == rebuilt ]] || fail "metadata of $user-$1-$i is lost without a word: $flags; $(cat found)"
                        fi
                done
        done
        say "$lost of 9 sessions lost some of their metadata"
}

# While luod does not run. The log of the half that is in use lies from a page on.
damage_samples() { # NTH: each NTH byte of what is written in the ledger, from byte 0 of the file on
        systemctl stop luod.service
        python3 - "$ledger" "$1" <<'PY'
import sys
path, nth = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as f:
    data = f.read()
    used = [i for i in range(len(data)) if data[i]]
    for i in used[nth // 2::nth]:
        f.seek(i)
        f.write(bytes([data[i] ^ 0x55]))
print(f"{len(used[nth // 2::nth])} of {len(used)} bytes damaged")
PY
}

destroy() {
        systemctl stop luod.service
        dd if=/dev/urandom of=$ledger bs=1M count=16 conv=notrunc status=none
}

finish_all() {
        local session

        for session in $(client list | cut -d ' ' -f 1); do
                client finish "$session" || client discard "$session"
        done
        assert_eq "the sessions" "$(client list)" ""
}

case $VM_BOOT in
        0)
                make_sessions 0
                describe_all 0 outgoing >"$VM_STATE/all-0"

                # A restart with damage, twice; then all of it.
                for nth in 5000 701; do
                        damage_samples $nth
                        systemctl start luod.service
                        say "restarted: ledger $(manager Ledger)"
                        assert_manager Ledger damaged
                        assert_all_there 0 outgoing
                        assert_metadata_right_or_flagged 0
                done
                assert_says 'Ledger: damaged' luoctl status
                assert_check '^warning  *ledger: '

                destroy
                systemctl start luod.service
                assert_manager Ledger rebuilt
                assert_says 'Ledger: rebuilt' luoctl status
                assert_all_there 0 outgoing
                assert_metadata_right_or_flagged 0

                # It is a good one again: new things are kept, and damage over a kexec is the next.
                for user in "${users[@]}"; do
                        for i in 1 2 3; do
                                ask ok metadata "$user-0-$i" "of=$user" "number=$i"
                        done
                done
                asked_as root
                client create another
                client discard another
                damage_samples 997
                kexec_now
                ;;
        1)
                say "after the update: ledger $(manager Ledger)"
                assert_manager Ledger damaged
                assert_manager Generation 1
                assert_all_there 0 incoming
                assert_metadata_right_or_flagged 0
                assert_all_come_back 0
                finish_all
                make_sessions 1
                describe_all 1 outgoing >"$VM_STATE/all-1"
                destroy
                kexec_now
                ;;
        2)
                say "after the update: ledger $(manager Ledger)"
                assert_manager Ledger rebuilt
                assert_manager BootedByLiveUpdate true
                assert_all_there 1 incoming
                assert_metadata_right_or_flagged 1
                assert_all_come_back 1
                finish_all
                ;;
esac
