#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `kexec -e`, with no shutdown at all, while clients hold their files and go on asking: all that was acknowledged is there
# afterwards, and what was written to a kept file up to the jump.
# vm: own
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

noted() {
        (($(cat "$VM_STATE"/hammer/acked.? | wc -l) > $1))
}

case $VM_BOOT in
        0)
                client_as alice create held who=alice
                # They live on until the jump.
                mkfifo "$VM_STATE/never"
                # shellcheck disable=SC2034
                exec {never}<>"$VM_STATE/never"
                client_as alice preserve --hold held 1=content=one,pos=2,write-after=ONE <"$VM_STATE/never" >held.out &
                wait_until 10 grep -q holding held.out
                client_as alice preserve held 2=random=2,size=300000 3=content=three,access=ro,mode=0600
                client create empty
                mkdir -p "$VM_STATE/hammer"
                client hammer "$VM_STATE/hammer" 1 &
                client hammer "$VM_STATE/hammer" 2 &
                # The notes go to the disk at each step: some hundred are enough.
                wait_until 60 noted 300
                kexec_hard
                ;;
        1)
                say "$(wc -l "$VM_STATE"/hammer/acked.? | tr '\n' ' ')"
                assert_manager Generation 1
                line=$(client_as alice retrieve held 1)
                assert_eq "what was written after it was kept" "$(field head "$line")" ONE
                assert_eq "the position" "$(field pos "$line")" 2
                assert_eq "file 2" "checksum=$(field checksum "$(client_as alice retrieve held 2)")" "$(client checksum random=2,size=300000)"
                line=$(client_as alice retrieve held 3)
                assert_eq "file 3" "$(field head "$line") $(field access "$line") $(field mode "$line") $(field uid "$line") $(field write "$line")" \
                        "three ro 0600 1000 EBADF"
                assert_eq "metadata" "$(client metadata held)" who=alice
                assert_eq "the empty session" "$(client show empty)" "direction=incoming owner=0 flags="
                client hammer-check --retrieve "$VM_STATE/hammer" 1
                client hammer-check --retrieve "$VM_STATE/hammer" 2
                assert_manager Ledger intact
                for session in $(client list | cut -d ' ' -f 1); do
                        client finish "$session"
                done
                ;;
esac
