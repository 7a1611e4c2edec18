#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Over `systemctl kexec` by somebody who does not know luod, files come back with content, label, owner, mode, access mode,
# position and seals: from the first Retrieve, from the second, and from RetrieveMany. So do the session and its metadata.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# TOKEN:LABEL=SPEC. What each is like is noted before the update, in the words of `client retrieve`.
files=(
        "0:none=content=token-zero"
        "18446744073709551615:last=content=token-last"
        "1:position=content=0123456789,pos=7"
        "2:private=content=private,mode=0600"
        "3:read-only=content=read-only,access=ro,pos=3"
        "4:write-only=content=write-only,access=wo,pos=5"
        "5:private read-only=content=private-ro,access=ro,mode=0400"
        "6:private write-only=content=private-wo,access=wo,mode=0200"
        "10:seal=content=sealed,seals=seal"
        "11:shrink=content=sealed,seals=shrink"
        "12:grow=content=sealed,seals=grow"
        "13:write=content=sealed,seals=write"
        "14:future-write=content=sealed,seals=future-write"
        "15:all=content=sealed,seals=seal+shrink+grow+write+future-write,mode=0640"
        "16:sealed and read-only=content=sealed,seals=shrink+grow+write,access=ro,pos=2"
        "20:tmpfile=tmpfile,content=on-dev-shm"
        "21:large=random=21,size=3000001"
        "22:hole=size=1000000"
        "23:late=content=early....,write-after=LATE"
        "24:müsli=content=label"
        "25:empty=size=0"
)

# As root: owners that are not the caller.
foreign_files=(
        "1=content=bobs,uid=1001,gid=1000,mode=0640"
        "2=content=bobs,uid=1001,gid=1001,mode=0600,access=ro"
        "3=content=set-id,uid=1000,gid=1000,mode=06755"
        "4=content=nobodys,uid=65534,gid=12345,mode=0000"
)

before() {
        client_as alice create right colour=blue empty-is-not-kept= "$(printf 'long@=%d' 30000)"
        client_as alice metadata right second=2 colour=green
        for file in "${files[@]}"; do
                ask ok preserve --print right "$file"
        done
        asked_as alice
        # shellcheck disable=SC2154
        grep -v ' written=' <<<"$output" >"$VM_STATE/expected"
        client create foreign
        client preserve --print --many foreign "${foreign_files[@]}" >"$VM_STATE/expected-foreign"

        # That the notes say what the test is about.
        check_notes "$VM_STATE/expected"
        describe right >"$VM_STATE/described"
}

check_notes() {
        local line

        while read -r line; do
                assert_eq "uid" "$(field uid "$line")" 1000
                case $(field token "$line") in
                        1) assert_eq "position" "$(field pos "$line")" 7 ;;
                        2) assert_eq "mode" "$(field mode "$line")" 0600 ;;
                        3)
                                assert_eq "access" "$(field access "$line")" ro
                                assert_eq "position" "$(field pos "$line")" 3
                                assert_eq "writing" "$(field write "$line")" EBADF
                                assert_eq "mapping" "$(field map "$line")" EACCES
                                ;;
                        4)
                                assert_eq "access" "$(field access "$line")" wo
                                assert_eq "position" "$(field pos "$line")" 5
                                ;;
                        1[0-4])
                                assert_eq "the seal" "$(field seals "$line")" \
                                        "$(printf '%s\n' "${files[@]}" | sed -n "s/^$(field token "$line"):.*seals=//p")"
                                ;;
                        15)
                                assert_eq "seals" "$(field seals "$line")" seal+shrink+grow+write+future-write
                                assert_eq "writing" "$(field write "$line")" EPERM
                                assert_eq "mapping" "$(field map "$line")" EPERM
                                ;;
                        21) assert_eq "checksum=$(field checksum "$line")" "$(client checksum random=21,size=3000001)" "checksum=$(field checksum "$line")" ;;
                        23) assert_eq "content" "$(field head "$line")" LATEy.... ;;
                esac
        done <"$1"
        assert_eq "the number of files" "$(wc -l <"$1")" "${#files[@]}"
}

# tokens EXPECTED: those of the notes, to $tokens
tokens() {
        mapfile -t tokens < <(sed 's/^token=\([0-9]*\) .*/\1/' "$1")
}

# retrieve_each USER SESSION EXPECTED
retrieve_each() {
        local token

        tokens "$3"
        for token in "${tokens[@]}"; do
                ask ok retrieve "$2" "$token"
        done
        asked_as "$1"
        printf '%s\n' "$output"
}

# All of them, 16 in a call.
retrieve_many() { # USER SESSION EXPECTED
        tokens "$3"
        client_as "$1" retrieve --many "$2" "${tokens[@]:0:16}"
        [[ ${#tokens[@]} -le 16 ]] || client_as "$1" retrieve --many "$2" "${tokens[@]:16}"
}

same() { # WHAT FILE FILE
        diff "$2" "$3" || fail "$1: see above what came back (>) instead of what should (<)"
}

after() {
        local session attempt

        check_notes "$VM_STATE/expected"
        # What is to come is exactly what was there, but for the direction.
        describe right | sed 's/direction=incoming/direction=outgoing/' >now
        same "the session" "$VM_STATE/described" now

        for attempt in first second; do
                retrieve_each alice right "$VM_STATE/expected" >now
                same "the $attempt Retrieve" "$VM_STATE/expected" now
        done
        retrieve_many alice right "$VM_STATE/expected" >now
        same "RetrieveMany" "$VM_STATE/expected" now
        # The other way round: RetrieveMany is the first.
        for attempt in first second; do
                retrieve_many root foreign "$VM_STATE/expected-foreign" >now
                same "the $attempt RetrieveMany" "$VM_STATE/expected-foreign" now
        done
        retrieve_each root foreign "$VM_STATE/expected-foreign" >now
        same "Retrieve after RetrieveMany" "$VM_STATE/expected-foreign" now

        # Its owner may not read it.
        assert_eq "what only root can read" "$(field head "$(client retrieve right 6)")" private-wo

        if client_as alice files right | grep -v ' retrieved$'; then
                fail "these are not told to be retrieved"
        fi
        for session in right foreign; do
                client finish $session
                refused NoSuchSession get $session
        done
}

case $VM_BOOT in
        0) before; next_boot ;;
        1) after ;;
esac
