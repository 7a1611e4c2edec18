#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: own
#
#
# A plain systemctl kexec has a report afterwards: which kernels, when what happened, what became of each
# session; to root and to owners; as text, JSON and picture; also after luod's restart.
. /usr/lib/luod/tests/guest/lib.sh

json() { # PYTHON-EXPRESSION of r, the report
        luoctl report --json=short >report.json
        python3 -c 'import json, sys; r = json.load(open("report.json")); print(eval(sys.argv[1]))' "$1"
}

# That report-c was renewed, the last that happened, is written a moment after the answer.
is_written() {
        grep -F '"renewed"' "/var/lib/luod/reports/$1.json"
}

is_known() { # STAGE
        [[ $(json "'$1' in r['timeline']") == True ]]
}

case $VM_BOOT in
0)
        as alice luoctl create report-a
        echo story | as alice luoctl preserve report-a 1 - --label=part-one
        luoctl create report-b
        luoctl preserve report-b 1 /etc/hostname
        luoctl create report-c
        outside_time >before
        date +%s%6N >before-inside
        uname -r >kernel
        boot_id >boot
        next_boot
        ;;
1)
        wait_until 30 is_known userspace
        assert_eq "the road" "$(json "r['road']")" logind
        assert_eq "the result" "$(json "r['result']")" 'done'
        assert_eq "the former kernel" "$(json "r['from_kernel']")" "$(cat kernel)"
        assert_eq "the kernel" "$(json "r['to_kernel']")" "$(uname -r)"
        assert_eq "the former boot" "$(json "r['from_boot']")" "$(cat boot)"
        assert_eq "the boot" "$(json "r['to_boot']")" "$(boot_id)"
        assert_eq "what was claimed" "$(json "'blackout' in r")" False

        as alice luoctl retrieve report-a 1 - >content
        assert_eq "the content" "$(cat content)" story
        outside_time >after
        luoctl retrieve report-b 1 - >/dev/null
        luoctl finish report-b
        luoctl renew report-c

        outcomes="{s['name']: s['outcome'] for s in r['sessions'] if s['name'].startswith('report-')}"
        assert_eq "what became of them" "$(json "$outcomes")" \
                "{'report-a': 'claimed', 'report-b': 'finished', 'report-c': 'renewed'}"
        assert_eq "the file of report-a" "$(json "[(f['token'], f['label'], f['outcome']) for s in r['sessions']
                if s['name'] == 'report-a' for f in s['files']]")" "[(1, 'part-one', 'retrieved')]"

        # The report's numbers and the wall: what passed outside is what passed before all were ready, and the blackout. Each stage
        # within the boots is as long as a clock that never stops says; the one between them is told by the wall clock, which
        # a kernel that starts reads in whole seconds.
        wall=$(($(cat after) - $(cat before)))
        blackout=$(json "r['blackout']")
        ready=$(($(json "r['timeline']['ready']['realtime']") - $(cat before-inside)))
        say "outside $wall us passed; the report has $ready us to the ready, and a blackout of $blackout us"
        close_to() { # US SHOULD: within 4 percent, and that second
                (($1 - $2 < $2 / 25 + 1000000 && $2 - $1 < $2 / 25 + 1000000))
        }
        close_to $((ready + blackout)) $wall || fail "the stages don't add up to what passed"
        assert_eq "the stages that are not known" "$(json "[k for k in ('request', 'prepare', 'ready', 'handover', 'shutdown', 'jump', 'kernel', 'userspace',
                'luod', 'first-claim') if k not in r['timeline']]")" "[]"
        assert_eq "the order of the stages" "$(json "[(a, b) for a, b in zip(*[[r['timeline'][k]['realtime'] for k in ('request', 'prepare', 'ready',
                'handover', 'shutdown', 'jump', 'kernel', 'userspace', 'luod', 'first-claim')][i:] for i in (0, 1)]) if b < a - 1000000]")" "[]"

        # Owners see theirs, and others nothing.
        as alice luoctl report --json=short >alice.json
        assert_eq "what alice sees" \
                "$(python3 -c 'import json; print([s["name"] for s in json.load(open("alice.json"))["sessions"]])')" \
                "['report-a']"
        as bob luoctl report >bob.txt
        grep -F 'report-' bob.txt && fail "bob sees sessions of others"

        luoctl report >text
        cat text
        grep -E '^report-a +alice +1 of 1 +claimed ' text
        grep -E '^luod ' text
        luoctl report --plot >plot.svg
        assert_eq "the picture's first line" "$(head -1 plot.svg)" '<?xml version="1.0" encoding="UTF-8"?>'
        assert_eq "the picture's last line" "$(tail -1 plot.svg)" '</svg>'
        grep -F '>report-b</text>' plot.svg
        luoctl report --list >list
        id=$(json "r['id']")
        grep -E "^ *$id .* logind +done$" list
        assert_eq "the report by its number" "$(luoctl report --json=short "$id" | md5sum)" \
                "$(luoctl report --json=short | md5sum)"
        assert_fails luoctl report 999
        # shellcheck disable=SC2154 # of assert_fails
        [[ $output == *"no such report"* ]] || fail "it says: $output"

        journalctl -b -o json _SYSTEMD_UNIT=luod.service LUOD_RESULT=done >entries
        grep -F "\"LUOD_REPORT_ID\":\"$id\"" entries
        grep -E '"LUOD_BLACKOUT_USEC":"[0-9]+"' entries

        # On disk it is, and a restart goes on with it: what was claimed when stays.
        wait_until 10 is_written "$id"
        luoctl report --json=short >before.json
        systemctl kill -s KILL luod.service
        wait_until 30 luoctl status
        luoctl report --json=short | cmp - before.json
        as alice luoctl finish report-a
        systemctl stop luod.service
        # Told to stop, it has all on disk, at once.
        assert_eq "report-a on disk" "$(python3 -c 'import json, sys
print([s["outcome"] for s in json.load(open(sys.argv[1]))["sessions"] if s["name"] == "report-a"])' \
                "/var/lib/luod/reports/$id.json")" "['finished']"
        systemctl start luod.service
        assert_eq "report-a in the end" "$(json "[s['outcome'] for s in r['sessions'] if s['name'] == 'report-a']")" \
                "['finished']"
        luoctl discard report-c
        ;;
esac
