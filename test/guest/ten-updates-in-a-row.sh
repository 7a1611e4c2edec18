#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A host that is updated every day: one session is in use all the time and renewed by its owner, another one nobody ever claims,
# so that the admin carries it. Both have all they had after the tenth update.
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

carried() {
        busctl get-property org.luod1 /org/luod1/session/carried org.luod1.Session Carried
}

case $VM_BOOT in
0)
        client_as alice create used key=value
        client_as alice preserve used 1=content=update-01,mode=640
        client_as bob create carried key=value
        client_as bob preserve carried 1=random=1,size=3000000,mode=600,seals=grow+shrink
        client_as bob preserve --many carried 2=content=two,access=ro 0xffffffffffffffff=content=last
        kexec_now
        ;;
"$updates")
        assert_there
        assert_eq "how often it was carried" "$(carried)" "u $((updates - 1))"
        assert_eq "what is kept of it, nothing had" "$(client_as bob files carried | grep -c ' kept$')" 3
        line=$(client_as bob retrieve carried 1)
        assert_eq "the carried one" "checksum=$(field checksum "$line")" "$(client checksum random=1,size=3000000)"
        assert_eq "its mode" "$(field mode "$line")" 0600
        assert_eq "its seals" "$(field seals "$line")" shrink+grow
        assert_eq "how its second can be used" "$(field access "$(client_as bob retrieve carried 2)")" ro
        assert_eq "its last" "$(field head "$(client_as bob retrieve carried 0xffffffffffffffff)")" last
        assert_eq "its metadata" "$(client_as bob metadata carried)" key=value
        client_as alice finish used
        client_as bob finish carried
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
        luoctl carry --all
        assert_eq "how often it was carried" "$(carried)" "u $VM_BOOT"
        kexec_now
        ;;
esac
