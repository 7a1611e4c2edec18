# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What tests that are clients of luod have in common; after lib.sh.

# What refused(), asked_as() and others leave behind: the output of the command.
output=

error=org.luod1.Error

# client VERB...: luod-test-client --help tells what there is.
client() {
        "$TESTS/luod-test-client" "$@"
}

# client_as USER VERB...
client_as() {
        local user=$1
        shift

        if [[ "$user" == root ]]; then
                "$TESTS/luod-test-client" "$@"
        else
                as "$user" "$TESTS/luod-test-client" "$@"
        fi
}

# refused ERROR VERB...: the call must fail with just this error (without "org.luod1.Error.", if it is one of those).
refused() {
        refused_as root "$@"
}

# refused_as USER ERROR VERB...
refused_as() {
        local user=$1 name=$2
        shift 2

        [[ "$name" == *.* ]] || name=$error.$name
        output=$(client_as "$user" --expect="$name" "$@" 2>&1) || fail "'$*' as $user should give $name: $output"
}

# A program takes its time to start, in an emulated guest above all. So calls that only follow on each other can be collected,
# and made over one connection:
#
#   ask ok VERB...       it must go well
#   ask ERROR VERB...    it must be refused, as in refused()
#   asked_as USER        now
batch=

ask() {
        local result=$1 word line
        shift

        [[ "$result" == ok || "$result" == *.* ]] || result=org.luod1.Error.$result
        [[ "$result" == ok ]] || set -- "--expect=$result" "$@"
        line=
        for word; do
                word=${word//\\/\\\\}
                word=${word//$'\t'/\\t}
                line+=${word//$'\n'/\\n}$'\t'
        done
        batch+=${line%$'\t'}$'\n'
}

asked_as() {
        output=$(printf '%s' "$batch" | client_as "$1" batch 2>&1) || fail "as $1: $output"
        batch=
}

# manager PROPERTY: its value, as busctl prints it, without the type.
manager() {
        local value

        value=$(busctl get-property org.luod1 /org/luod1 org.luod1.Manager "$1")
        value=${value#* }
        value=${value#\"}
        printf '%s\n' "${value%\"}"
}

# assert_manager PROPERTY SHOULD
assert_manager() {
        assert_eq "$1 of the manager" "$(manager "$1")" "$2"
}

luod_pid() {
        systemctl show -P MainPID luod.service
}

# Open files of luod: kernel sessions, and all others. How many spare sessions there are varies, and logind's locks come and
# go with what there is to lose; the others are the ones that a leak would show in.
luod_session_fds() {
        find "/proc/$(luod_pid)/fd" -lname 'anon_inode:*luo_session*' | wc -l
}

luod_other_fds() {
        local all

        all=$(find "/proc/$(luod_pid)/fd" -type l ! -lname '/run/systemd/inhibit/*' | wc -l)
        echo $((all - $(luod_session_fds)))
}

luod_other_fds_are() {
        [[ "$(luod_other_fds)" == "$1" ]]
}

# Each kernel session that luod has is one fd, and all but up to two (bare spares) are stored with systemd.
luod_sessions_are_in_custody() {
        local parts stored

        parts=$(manager NParts)
        stored=$(systemctl show -P NFileDescriptorStore luod.service)
        [[ "$(luod_session_fds)" == "$parts" ]] && ((stored <= parts && stored >= parts - 2)) &&
                [[ "$(manager Custody)" == fdstore ]]
}

# After a test, or while nothing is being asked: no fd is left over, and custody is whole.
assert_nothing_leaked() { # OTHER-FDS-BEFORE
        wait_until 20 luod_other_fds_are "$1"
        wait_until 20 luod_sessions_are_in_custody
}

# Everything that a client can know about a session, to compare before and after.
describe() { # SESSION
        printf '%s\t%s\n' show "$1" files "$1" metadata "$1" | client batch
}

# field NAME LINE: the value of NAME= in a line that `client retrieve` printed.
field() {
        local word

        for word in $2; do
                if [[ "$word" == "$1="* ]]; then
                        printf '%s\n' "${word#*=}"
                        return
                fi
        done
        fail "there is no $1= in '$2'"
}

# assert_says PATTERN COMMAND...: its output has a line that matches. (Not `| grep -q`: that ends before what it reads from
# has written all, which then fails.)
assert_says() {
        local pattern=$1
        shift

        output=$("$@")
        grep -qE -- "$pattern" <<<"$output" || fail "'$*' says nothing like '$pattern': $output"
}

# assert_check PATTERN: `luoctl check` has a line that matches.
assert_check() {
        output=$(luoctl check) || true
        grep -qE "$1" <<<"$output" || fail "luoctl check says nothing like '$1': $output"
}
