#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# kill -9 at random instants, 30 times: see killed-lib.sh.
# vm: own
# vm: timeout=900
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/killed-lib.sh

killed_at_random 30
