# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Helpers for the tests in this directory. A test begins with:
#
#   #!/bin/bash
#   . /usr/lib/luod/tests/guest/lib.sh
#
# Which also makes it end at the first command that fails, and say which one that was.

set -euo pipefail

# Where the executables named luod-test-* of the build are.
# shellcheck disable=SC2034
TESTS=/usr/lib/luod/tests

trap 'echo "line $LINENO of $0: \"$BASH_COMMAND\" gave status $?" >&2' ERR

say() {
        printf '%s\n' "$*"
}

# fail WHY: the test has failed.
fail() {
        printf 'FAILED in line %s: %s\n' "${BASH_LINENO[-2]:-?}" "$*"
        exit 1
}

# skip WHY: the test cannot run here.
skip() {
        printf '%s\n' "$*"
        exit 77
}

# next_boot: kexec now, and call this test again with VM_BOOT one higher. What is to be known then goes to $VM_STATE.
next_boot() {
        exit 100
}

# assert_eq WHAT IS SHOULD
assert_eq() {
        [[ "$2" == "$3" ]] || fail "$1 is '$2', but should be '$3'"
}

# assert_fails COMMAND...: it must fail; its output goes to $output.
assert_fails() {
        if output=$("$@" 2>&1); then
                fail "'$*' went well, but should fail; it said: $output"
        fi
}

# wait_until SECONDS COMMAND...: until COMMAND succeeds; fails the test if it does not within SECONDS.
wait_until() {
        local seconds=$1 end
        shift

        end=$((SECONDS + seconds))
        until "$@" >/dev/null 2>&1; do
                ((SECONDS < end)) || fail "waited $seconds s in vain for: $*"
                sleep 0.1
        done
}

# as USER COMMAND...: run it as another user (alice and bob exist).
as() {
        local user=$1
        shift

        setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- "$@"
}

# The kernel that runs is loaded to come next, the way that hands memory over (kexec_file_load; `kexec -l` without -s is not).
# load_kernel [RELEASE]: another one, if it is in /boot.
# shellcheck disable=SC2120
load_kernel() {
        kexec -l -s "/boot/vmlinuz-${1:-$(uname -r)}" --reuse-cmdline
}

# For tests with a guest of their own ("# vm: own"): kexec by themselves. The test is called again with VM_BOOT one higher.
kexec_now() {
        load_kernel ""
        sync
        systemctl kexec
        # It only queues the job; shutdown ends this.
        sleep infinity
}

# The same at once, with no shutdown: what processes hold is what they held.
kexec_hard() {
        load_kernel ""
        sync
        kexec -e
        sleep infinity
}

# The shutdown that follows ends in the firmware and not in a kexec, and that is what the test is about. Where it is not
# said, a cold restart of the guest fails the test.
cold_boot_is_meant() {
        mkdir -p /run/vm
        : >/run/vm/cold
}

# outside_time: microseconds, by a clock that knows nothing of what happens to this machine. It is the host's.
outside_time() {
        local dir port time

        for dir in /sys/class/virtio-ports/*; do
                [[ $(<"$dir/name") != luod.clock ]] || port=/dev/${dir##*/}
        done
        exec {clock}<>"$port"
        echo >&"$clock"
        read -r -t 10 -u "$clock" time || fail "the host does not tell the time"
        exec {clock}>&-
        printf '%s\n' "$time"
}

# boot_id: differs in every boot.
boot_id() {
        cat /proc/sys/kernel/random/boot_id
}
