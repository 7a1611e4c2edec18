#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: own luod-stopped timeout=600
# vm: kernel=7.3,7.3+patches,6.19,6.19+patches
#
# The kernel's own tests of LUO (tools/testing/selftests/liveupdate), and those that kernel-patches/ adds. Some have two
# stages with a kexec between them; all of them go through one.
. /usr/lib/luod/tests/guest/lib.sh

selftests=$TESTS/kernel-selftests

# run_selftest NAME [ARG...]: it must pass, and all that is in it; a part that is skipped has shown nothing.
run_selftest() {
        local name=$1 status=0 output=$VM_STATE/output
        shift

        timeout 300 "$selftests/$name" "$@" </dev/null >"$output" 2>&1 || status=$?
        cat "$output"
        [[ $status == 0 ]] || fail "$name $* gave status $status"
        if grep -E '^(not ok|.*# SKIP)' "$output"; then
                fail "$name $* did not pass as a whole"
        fi
}

# Those with two stages. They all take -s, and say which one they are in; what does that for them is linked into the others
# as well, but not what is said in the second.
staged_selftests() {
        grep -laF '[STAGE 2]' "$selftests"/* | sed 's,.*/,,'
}

[[ -x $selftests/liveupdate ]] || fail "the kernel's selftests are not here"
# A kexec that no test goes through would show nothing; these two are in every version.
staged=$(staged_selftests)
for name in luo_kexec_simple luo_multi_session; do
        grep -xF "$name" >/dev/null <<<"$staged" || fail "$name is not here, or takes no --stage"
done
systemctl stop luod.service

if [[ $VM_BOOT == 0 ]]; then
        for name in $(cd "$selftests" && ls); do
                grep -xF "$name" >/dev/null <<<"$staged" || run_selftest "$name"
        done
        # For what they try with a kexec that fails.
        load_kernel
fi
for name in $staged; do
        run_selftest "$name" -s $((VM_BOOT + 1))
done
[[ $VM_BOOT == 1 ]] || kexec_hard
