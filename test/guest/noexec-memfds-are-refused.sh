#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A memfd with F_SEAL_EXEC would come back write-sealed, so it is refused, with the way out in the message; unless the caller
# accepts that, or has it write-sealed anyway. The sysctl that makes such memfds shows in `luoctl check`.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

trap 'sysctl -q -w vm.memfd_noexec=0' EXIT

case $VM_BOOT in
        0)
                client create noexec
                refused UnsupportedFile preserve noexec 1=noexec-seal,content=x
                # shellcheck disable=SC2154
                [[ "$output" == *MFD_EXEC* && "$output" == *accept-write-seal* ]] || fail "the message does not tell the way out: $output"
                refused UnsupportedFile preserve --many noexec 1=noexec-seal,content=x

                client preserve --accept-write-seal noexec 1=noexec-seal,content=accepted,mode=0600
                client preserve noexec 2=noexec-seal,content=write-sealed,seals=write+grow+shrink,mode=0600
                client preserve noexec 3=tmpfile,content=tmpfile
                client preserve noexec 4=content=mfd-exec

                assert_check '^ok  *memfd: '
                sysctl -q -w vm.memfd_noexec=1
                assert_check '^warning  *memfd: vm.memfd_noexec=1'
                # luoctl's own files are not of that kind.
                echo under-1 | luoctl preserve noexec 5 -
                sysctl -q -w vm.memfd_noexec=2
                assert_check '^warning  *memfd: vm.memfd_noexec=2'
                echo under-2 | luoctl preserve noexec 6 -
                next_boot
                ;;
        1)
                line=$(client retrieve noexec 1)
                assert_eq "content of what was accepted" "$(field head "$line")" accepted
                # F_SEAL_EXEC pins the bits for execution, and the kernel brings files back with all of them.
                assert_eq "mode of what was accepted" "$(field mode "$line")" 0711
                assert_eq "writing to what was accepted" "$(field write "$line")" EPERM
                [[ "$(field seals "$line")" == *write*exec ]] || fail "it should be write-sealed, and have F_SEAL_EXEC: $line"
                line=$(client retrieve noexec 2)
                assert_eq "content of what was write-sealed" "$(field head "$line")" write-sealed
                assert_eq "its mode" "$(field mode "$line")" 0711
                # F_ADD_SEALS adds all of these with F_SEAL_EXEC.
                assert_eq "its seals" "$(field seals "$line")" shrink+grow+write+future-write+exec
                for token in 3:tmpfile 4:mfd-exec 5:under-1. 6:under-2.; do
                        line=$(client retrieve noexec "${token%:*}")
                        assert_eq "content of ${token%:*}" "$(field head "$line")" "${token#*:}"
                        assert_eq "writing to ${token%:*}" "$(field write "$line")" yes
                done
                client finish noexec
                ;;
esac
