#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernel=7.3,7.3+patches,6.19,6.19+patches long timeout=2400
#
# one-object-one-keeper with each race run 1000 times.
export LUOD_GUEST_RACES=1000
exec /usr/lib/luod/tests/guest/one-object-one-keeper.sh
