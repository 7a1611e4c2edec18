#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A client with After=luod.service may preserve in its ExecStop= while `systemctl kexec` shuts the system down: luod is
# there until it is done, and what it was told is there afterwards.
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

case $VM_BOOT in
        0)
                cat >"$VM_STATE/stop" <<EOF
#!/bin/bash
c=$TESTS/luod-test-client
exec >"$VM_STATE/log" 2>&1
set -ex
\$c create late when=shutdown
\$c preserve late 1=random=1,size=200000
\$c preserve --many late 2=content=two,pos=1 3=content=three
\$c preserve early 2=content=late-in-early
\$c metadata early late=yes
touch "$VM_STATE/stopped"
sync -f "$VM_STATE"
EOF
                chmod +x "$VM_STATE/stop"
                client create early
                client preserve early 1=content=one
                systemd-run --quiet --unit=late-client -p Type=oneshot -p RemainAfterExit=yes -p After=luod.service \
                        -p ExecStop="$VM_STATE/stop" true
                systemctl is-active --quiet late-client.service
                next_boot
                ;;
        1)
                [[ -e "$VM_STATE/stopped" ]] || fail "ExecStop= failed during the shutdown: $(cat "$VM_STATE/log")"
                assert_eq "metadata" "$(client metadata late)" when=shutdown
                assert_eq "metadata of the other" "$(client metadata early)" late=yes
                assert_eq "file 1" "checksum=$(field checksum "$(client retrieve late 1)")" "$(client checksum random=1,size=200000)"
                assert_eq "file 2" "$(field head "$(client retrieve late 2)")" two
                assert_eq "file 3" "$(field head "$(client retrieve late 3)")" three
                assert_eq "file 1 of the other" "$(field head "$(client retrieve early 1)")" one
                assert_eq "file 2 of the other" "$(field head "$(client retrieve early 2)")" late-in-early
                client finish late
                client finish early
                ;;
esac
