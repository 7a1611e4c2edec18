#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: luod-stopped
# vm: kernel=7.3,7.3+patches,6.19,6.19+patches
# What luod builds on, seen from the kernel's side: a memfd that is preserved is refused a second time, through whatever
# file descriptor and session, and a session takes only what is meant for its direction. 6.19 needs kernel-patches/6.19/
# for both; without them it accepts a second preserve.
. /usr/lib/luod/tests/guest/lib.sh

raw=$TESTS/luod-test-raw
expected=EBUSY
[[ "$(uname -r)" != 6.19* || "$(uname -r)" == *-patches ]] || expected=accepted
say "this is $(uname -r)"

for kind in same dup reopen; do
        for other in raw-double-a raw-double-b; do
                # Twice: what was refused, or accepted, has left nothing behind when its sessions are closed.
                for round in 1 2; do
                        assert_eq "the second preserve ($kind, raw-double-a and $other, round $round)" \
                                "$("$raw" double raw-double-a $other $kind)" "$expected"
                done
        done
done

# Not tried where it is accepted: the memory would be lost to this guest until the next boot.
if [[ $expected == EBUSY ]]; then
        for call in finish retrieve; do
                assert_eq "$call on a session that was created here" "$("$raw" wrong-direction raw-direction $call)" EINVAL
        done
fi
