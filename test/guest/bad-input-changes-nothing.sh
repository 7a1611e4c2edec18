#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whatever luod is handed, by root or by a user: it answers with the error that fits, changes nothing, leaks nothing, loses
# nothing, and goes on; the contents are right after the update.
# vm: timeout=500
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

invalid_args=org.freedesktop.DBus.Error.InvalidArgs

long() { # LENGTH
        printf '%*s' "$1" '' | tr ' ' x
}

# call_refused USER ERROR ARGUMENTS...: busctl call; it prints no names of errors, so the text must match.
busctl_refused() {
        local user=$1 pattern=$2
        shift 2

        assert_fails as "$user" busctl "$@"
        grep -qE "$pattern" <<<"$output" || fail "'busctl $*' as $user should say '$pattern', but: $output"
}

bad_names() { # USER
        local name

        for name in "" . .. .hidden systemd a/b / $'a\nb' $'\x01' $'a\x7f' $'c1-\xc2\x85' "$(long 64)" "$(long 1000)"; do
                ask InvalidName create "$name"
        done
        # A name that can't be: the object is not there.
        ask NoSuchSession get ""
        ask NoSuchSession get "$(long 5000)"

        for name in a..b "$(long 63)" "with space" "%41" 'quo"te' "back\\slash" "ümläut 🦊" "$(printf 'ä%.0s' {1..31})x" _ -; do
                ask ok create "$name"
                ask ok preserve "$name" 1=content=named
                ask TokenInUse preserve "$name" 1=content=another
                ask SessionExists create "$name"
                ask ok discard "$name"
                ask NoSuchSession get "$name"
        done
        asked_as "$1"
}

unknown_session() { # USER
        local call

        ask NoSuchSession get nowhere
        for call in "preserve nowhere 1=content=x" "preserve --many nowhere 1=content=x" "retrieve nowhere 1" \
                "retrieve --many nowhere 1" "metadata nowhere a=b" "finish nowhere" "discard nowhere"; do
                # shellcheck disable=SC2086
                ask NoSuchSession $call
        done
        asked_as "$1"
        busctl_refused "$1" "no session 'nowhere'" get-property org.luod1 /org/luod1/session/nowhere org.luod1.Session Files
}

bad_files() { # USER SESSION
        local kind

        for kind in noexec-seal linked path=/etc/passwd,access=ro path=/proc/self/status,access=ro opath socket pipe eventfd epoll timerfd hugetlb \
                device=/dev/null device=/dev/zero; do
                ask UnsupportedFile preserve "$2" "50=$kind"
                ask UnsupportedFile preserve --many "$2" 51=content=x "50=$kind"
        done
        # More than there is: it would take the memory of the whole machine.
        ask OutOfMemory preserve "$2" 50=size=0x10000000000
        ask OutOfMemory preserve "$2" "50=size=$((1 << 32))"
        if [[ "$1" == root ]]; then
                refused UnsupportedFile preserve "$2" 50=session
        else
                # What somebody else can still write to, and the caller could not: freezing it is not his to do.
                [[ -e /dev/shm/roots ]] || { echo root >/dev/shm/roots; chmod 644 /dev/shm/roots; }
                ask UnsupportedFile preserve "$2" 50=path=/dev/shm/roots,access=ro
        fi
        asked_as "$1"
        rm -f /dev/shm/luod-test-* /dev/shm/roots
}

bad_tokens() { # USER SESSION
        ask TokenInUse preserve "$2" 1=content=other
        ask TokenInUse preserve --many "$2" 51=content=a 1=content=b
        ask TokenInUse preserve "$2" 52=content=a 52=content=b
        ask AlreadyPreserved preserve "$2" 53=content=a 54=same=53
        ask AlreadyPreserved preserve "$2" 53=content=a 54=dup=53
        ask AlreadyPreserved preserve "$2" 53=content=a 54=reopen=53
        ask WrongDirection retrieve "$2" 1
        ask WrongDirection retrieve --many "$2" 1
        ask WrongDirection finish "$2"

        ask ok create "${2}again"
        # The same object once more: under another token, in another session, in its place.
        ask AlreadyPreserved preserve --again="${2}again:61" "${2}again" 60=content=x
        ask ok create "${2}again2"
        ask AlreadyPreserved preserve --again="${2}again2:62" "${2}again" 62=content=x
        ask ok preserve --again="${2}again:63" "${2}again" 63=content=x
        # 0 and 2^64-1 are tokens as any other, as often as they are different ones.
        ask ok preserve "${2}again" 0=content=zero 18446744073709551615=content=all
        ask TokenInUse preserve "${2}again" 18446744073709551615=content=x
        ask ok discard "${2}again"
        ask ok discard "${2}again2"
        asked_as "$1"
}

bad_texts() { # USER SESSION
        local args keys=() i

        ask $invalid_args preserve "$2" "50:$(long 64)=content=x"
        ask $invalid_args preserve "$2" $'50:a\nb=content=x'
        ask $invalid_args preserve --many "$2" "50=content=x" "51:$(long 3000)=content=x"
        for args in =x "$(long 64)=x" $'a\x01=x'; do
                ask $invalid_args metadata "$2" "$args"
                ask $invalid_args create "${2}new" "$args"
        done
        ask $invalid_args metadata "$2" twice=1 twice=2
        ask QuotaExceeded metadata "$2" big@=65536
        ask QuotaExceeded metadata "$2" ok=1 a@=40000 b@=40000
        ask QuotaExceeded create "${2}new" big@=65536
        for ((i = 0; i < 257; i++)); do
                keys+=("k$i=x")
        done
        ask QuotaExceeded metadata "$2" "${keys[@]}"
        ask QuotaExceeded metadata "$2" huge@=2000000
        ask NoSuchSession get "${2}new"
        asked_as "$1"
}

# With busctl: what a client library would not let through.
bad_calls() { # USER SESSION
        local m="org.luod1 /org/luod1 org.luod1.Manager" s="org.luod1 /org/luod1/session/$2 org.luod1.Session"

        # shellcheck disable=SC2086
        {
                busctl_refused "$1" "Unknown option 'nonsense'" call $m CreateSession 'sa{sv}' new 1 nonsense s x
                busctl_refused "$1" 'is of type a.say.' call $m CreateSession 'sa{sv}' new 1 metadata s x
                busctl_refused "$1" "Unknown option 'nonsense'" call $s PreserveMany 'a(tsh)a{sv}' 0 1 nonsense b true
                busctl_refused "$1" "is of type b" call $s PreserveMany 'a(tsh)a{sv}' 0 1 accept-write-seal s true
                busctl_refused "$1" 'nvalid arg|xpected|signature|type' call $m CreateSession s new
                busctl_refused "$1" 'nvalid arg|xpected|signature|type' call $s Preserve ts 1 x
                busctl_refused "$1" 'nvalid arg|xpected|signature|type' call $s Retrieve s 1
                busctl_refused "$1" 'nknown method|ccess denied' call $s Steal
                busctl_refused "$1" 'read-only|not writ|denied' set-property $s Owner u 1001
                busctl_refused "$1" 'nknown (object|property|interface)|no session|No such' get-property org.luod1 /org/luod1/session \
                        org.luod1.Session Name
        }
        refused_as "$1" NoSuchSession get new
}

# A peer that is gone before the answer: what it asked for is done or not, but nothing is left over.
closed_peers() { # USER SESSION
        local i session

        ask ok create "${2}dropped"
        for ((i = 0; i < 10; i++)); do
                ask ok create --drop "${2}dropped-$i"
                ask ok preserve --drop "${2}dropped" "$i=content=x"
                ask ok preserve --drop --many "${2}dropped" "$((100 + i))=content=x" "$((200 + i))=socket"
                ask ok preserve --drop "${2}nowhere" "$i=content=x"
        done
        # The answer to this comes after those.
        ask ok preserve "${2}dropped" 1000=content=x
        asked_as "$1"
        output=$(client files "${2}dropped")
        ! grep -qE '^[12][0-9][0-9] ' <<<"$output" || fail "PreserveMany left some files of a call that failed: $output"
        while read -r session _; do
                [[ "$session" != "${2}dropped"* ]] || ask ok discard "$session"
        done < <(client list)
        asked_as "$1"
}

# (10,000 tokens one by one are in ten-thousand-tokens.sh: they take a while.)
quotas() { # USER SESSION
        local i files

        ask ok create "${2}full"
        for ((i = 0; i < 1024; i += 253)); do
                # 253 fds are as many as fit into a message.
                mapfile -t files < <(seq $i $((i + 252 < 1023 ? i + 252 : 1023)) | sed 's/$/=size=4/')
                ask ok preserve --many "${2}full" "${files[@]}"
        done
        ask QuotaExceeded preserve "${2}full" 10000=content=x
        ask QuotaExceeded preserve "${2}full" 10000=content=x 10001=content=y
        asked_as "$1"
        assert_eq "the number of files" "$(client files "${2}full" | wc -l)" 1024
        client_as "$1" discard "${2}full"
}

limit_fds() { # PID SOFT-LIMIT
        prlimit --pid "$1" --nofile="$2":16384
}

# luod has no fd left, or one, or two, and so on: it says so, or the bus does, keeps what it has, and is well when there are fds again.
fd_exhaustion() {
        local pid fds free room well=

        pid=$(luod_pid)
        fds=$(luod_other_fds)
        trap 'limit_fds "$(luod_pid)" 16384' EXIT
        for ((room = 0; ; room += room < 8 ? 1 : 8)); do
                # Below this number so many are free.
                free=$(comm -13 <(find "/proc/$pid/fd" -type l -printf '%f\n' | sort) <(seq 0 1000 | sort) | sort -n | sed -n $((room + 1))p)
                limit_fds "$pid" "$free"
                if output=$(timeout 60 "$TESTS/luod-test-client" preserve rootbad "7$room=content=x" 2>&1); then
                        say "with room for $room fds it goes well"
                        ((room > 0)) || fail "without any fd that can't be"
                        well=1
                else
                        say "with room for $room fds: $output"
                        grep -qE '^(org\.luod1\.Error|org\.freedesktop\.DBus\.Error)\.[A-Za-z]+: ' <<<"$output" || fail "that is no named error"
                        ((room < 64)) || fail "that should be enough"
                fi
                limit_fds "$pid" 16384
                assert_eq "luod's process" "$(luod_pid)" "$pid"
                assert_nothing_leaked "$fds"
                [[ -z "$well" ]] || break
        done
}

before() {
        local user pid fds

        pid=$(luod_pid)
        for user in root alice; do
                client_as $user create "${user}bad" what=kept
                client_as $user preserve "${user}bad" 1:label=random=1,size=10000
                client_as $user preserve "${user}bad" 2=content=two 3=content=three
                describe "${user}bad" >$user.before
        done
        wait_until 20 luod_sessions_are_in_custody
        fds=$(luod_other_fds)
        client list | sort >list.before

        for user in root alice; do
                for what in bad_names unknown_session bad_files bad_tokens bad_texts bad_calls closed_peers quotas; do
                        # A limit is the same for everybody.
                        [[ $user$what != rootquotas ]] || continue
                        start=$EPOCHREALTIME
                        $what $user "${user}bad"
                        say "$what, as $user: $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms"
                        describe "${user}bad" >now
                        diff $user.before now || fail "$what as $user changed the session (see above)"
                        assert_nothing_leaked "$fds"
                        assert_eq "luod's process after $what" "$(luod_pid)" "$pid"
                done
        done
        client list | sort | sed 's/ [0-9]*$//' >list.now
        sed 's/ [0-9]*$//' list.before | diff - list.now || fail "sessions came or went (see above)"

        fd_exhaustion
        describe rootbad | grep -v '^7[0-9] ' | diff root.before - || fail "without fds, luod changed the session (see above)"
}

after() {
        local user

        for user in root alice; do
                assert_eq "file 1 of $user" "checksum=$(field checksum "$(client_as $user retrieve "${user}bad" 1)")" \
                        "$(client checksum random=1,size=10000)"
                assert_eq "file 2 of $user" "$(field head "$(client_as $user retrieve "${user}bad" 2)")" two
                assert_eq "file 3 of $user" "$(field head "$(client_as $user retrieve "${user}bad" 3)")" three
                refused_as $user NoSuchToken retrieve "${user}bad" 50
                refused_as $user NoSuchToken retrieve --many "${user}bad" 1 50
                refused_as $user WrongDirection preserve "${user}bad" 9=content=x
                refused_as $user WrongDirection preserve --many "${user}bad" 9=content=x
                refused_as $user SessionExists create "${user}bad"
                client_as $user finish "${user}bad"
                refused_as $user NoSuchSession finish "${user}bad"
        done
}

case $VM_BOOT in
        0) before; next_boot ;;
        1) after ;;
esac
