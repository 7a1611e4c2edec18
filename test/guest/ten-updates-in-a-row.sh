#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A host that is updated every day: one session is in use all the time, another one nobody ever claims. Both are renewed after
# each update and have all they had after the tenth.
# vm: own
# vm: long timeout=1200
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

updates=10

assert_there() {
        local line

        assert_manager Generation "$VM_BOOT"
        assert_manager Ledger intact
        line=$(client_as alice retrieve used 1)
        assert_eq "what was written before update $VM_BOOT" "$(field head "$line")" "update-$(printf %02d "$VM_BOOT")"
        assert_eq "the mode" "$(field mode "$line")" 0640
        assert_eq "the metadata" "$(client_as alice metadata used)" key=value
}

case $VM_BOOT in
0)
        client_as alice create used key=value
        client_as alice preserve used 1=content=update-01,mode=640
        client create carried
        client preserve --many carried 1=random=1,size=3000000 2=content=two,access=ro
        kexec_now
        ;;
"$updates")
        assert_there
        assert_eq "the carried one" "checksum=$(field checksum "$(client retrieve carried 1)")" "$(client checksum random=1,size=3000000)"
        assert_eq "how its second can be used" "$(field access "$(client retrieve carried 2)")" ro
        client_as alice finish used
        client finish carried
        ;;
*)
        assert_there
        # Whoever has it in hand writes to it before and after the renewal.
        mkfifo "go-$VM_BOOT"
        client_as alice retrieve --hold used 1 <"go-$VM_BOOT" >held.out &
        exec {go}>"go-$VM_BOOT"
        wait_until 20 grep -q holding held.out
        as alice luoctl renew used
        holder=$(pgrep -u alice -f 'luod-test-client retrieve --hold')
        for fd in "/proc/$holder/fd/"*; do
                # Memory of the kernel's making: a file without any name. ("/memfd:" is not what all of it is called.)
                [[ "$(stat -L -c '%F, %h' "$fd")" != "regular file, 0" ]] || printf 'update-%02d' $((VM_BOOT + 1)) 1<>"$fd"
        done
        exec {go}>&-
        wait
        luoctl renew carried
        kexec_now
        ;;
esac
