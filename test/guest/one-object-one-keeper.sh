#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernel=7.3,7.3+patches,6.19,6.19+patches timeout=600
#
# The same object is never kept twice: by whatever fd it comes, wherever it is tried, and whoever is first. On 6.19 without
# patches luod alone sees to that; raw-double-preserve shows that the kernel there does not.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

ways=(same dup reopen passed tmpfile unlinked)
[[ ! -e /dev/luo_test_file ]] || ways+=(object)
if [[ $(uname -r) == 7.3*-patches && ! -e /dev/luo_test_file ]]; then
        fail "this kernel should have the test file handler"
fi

before=$(luod_other_fds)
"$TESTS/luod-test-keepers" keepers alice "${LUOD_GUEST_RACES:-150}" "${ways[@]}"
assert_nothing_leaked "$before"
assert_eq "the sessions that are left" "$(luoctl list --no-legend | grep -c keepers || true)" 0
