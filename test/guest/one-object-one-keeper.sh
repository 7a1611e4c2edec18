#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernel=7.3,7.3+patches,6.19,6.19+patches timeout=600
#
# The same object is never kept twice: by whatever fd it comes, wherever it is tried, and whoever is first. On 6.19 without
# patches luod alone sees to that; raw-double-preserve shows that the kernel there does not.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

name=keepers${LUOD_GUEST_RACES:+-$LUOD_GUEST_RACES}
ways=(same dup reopen passed tmpfile unlinked)
[[ ! -e /dev/luo_test_file ]] || ways+=(object)
if [[ $(uname -r) == 7.3*-patches && ! -e /dev/luo_test_file ]]; then
        fail "this kernel should have the test file handler"
fi

matrix() {
        local before

        before=$(luod_other_fds)
        "$TESTS/luod-test-keepers" "$name" alice "${LUOD_GUEST_RACES:-100}" "${ways[@]}"
        assert_nothing_leaked "$before"
        assert_eq "the sessions that are left" "$(luoctl list --no-legend | grep -c "^$name" || true)" 0
}

# What came over is kept from Retrieve() to Finish(), whoever has it in hand.
incoming() {
        local line

        client create "$name-next"
        line=$(client retrieve "$name-in" 1)
        assert_eq "what came over" "$(field head "$line")" over
        refused AlreadyPreserved retrieve "--again=$name-next:1" "$name-in" 1
        # shellcheck disable=SC2154
        [[ "$output" == *"'$name-in' under token 1"*"Finish()"* ]] || fail "it does not say who keeps it: $output"
        systemctl restart luod.service
        refused AlreadyPreserved retrieve "--again=$name-next:1" "$name-in" 1
        client renew "$name-in" "$name-renewed" 1
        client discard "$name-next"
        client discard "$name-renewed"
}

case $VM_BOOT in
        0)
                matrix
                client create "$name-in"
                client preserve "$name-in" 1=content=over
                next_boot
                ;;
        1) incoming ;;
esac
