#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The ground that every other test stands on: the kernel has LUO, and a kexec leads to a new kernel that says it took over.
. /usr/lib/luod/tests/guest/lib.sh

case $VM_BOOT in
        0)
                [[ -c /dev/liveupdate ]] || fail "this kernel has no /dev/liveupdate"
                assert_eq "the mode of /dev/liveupdate" "$(stat -c %a /dev/liveupdate)" 600
                boot_id >"$VM_STATE/boot-id"
                next_boot
                ;;
        1)
                [[ "$(boot_id)" != "$(<"$VM_STATE/boot-id")" ]] || fail "this is still the same kernel"
                # No `grep -q` behind a pipe: it ends early, and what it read from then fails in writing.
                dmesg | grep 'KHO: found kexec handover data' || fail "the kernel found no handover data"
                dmesg | grep 'luo: Retrieved live update data'
                ;;
esac
