#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernel=7.3,6.19
#
# What somebody else than luod keeps, in a session of his own, is refused and said to be that; also where the kernel would
# take it twice, and the close of either session would be the end of both.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

# elsewhere COMMAND...: with a memfd as fd 3 that is kept by a raw session as long as COMMAND runs.
elsewhere() {
        "$TESTS/luod-test-raw" hold somebody "$@"
}

# shellcheck disable=SC2154
taken() {
        output=$(elsewhere "$TESTS/luod-test-client" "--expect=$error.AlreadyPreserved" preserve "$@" 2>&1) ||
                fail "preserve $*: $output"
        [[ "$output" == *"not for a file that luod knows"* ]] || fail "it does not say who has it: $output"
}

client create elsewhere
taken elsewhere 1=path=/proc/self/fd/3
taken elsewhere 1=path=/proc/self/fd/3,access=ro
taken --many elsewhere 1=content=mine 2=path=/proc/self/fd/3
assert_eq "what is kept" "$(client files elsewhere)" ""

output=$(elsewhere luoctl identify /proc/self/fd/3)
[[ "$output" == *"kept by somebody else than luod"* ]] || fail "identify: $output"
output=$(elsewhere luoctl identify --json=short - </dev/null)
[[ "$output" == *'"kept":false'* ]] || fail "identify of another file: $output"
client discard elsewhere
