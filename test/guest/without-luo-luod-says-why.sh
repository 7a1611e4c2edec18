#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# On a kernel without LUO luod starts all the same, says what is missing and how to get it, and refuses the rest by name.
# vm: own
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

config=/boot/config-$(uname -r)

if [[ -c /dev/liveupdate ]]; then
        # Most distributions put the kernel's configuration there.
        zcat /proc/config.gz >"$config"
        # The next kernel does without LUO.
        kexec -l -s "/boot/vmlinuz-$(uname -r)" --command-line="$(sed 's/liveupdate=on/liveupdate=off/' /proc/cmdline)"
        systemctl kexec
        sleep infinity
fi

# Before anybody asks: by itself, without a failure or a restart.
assert_eq "luod.service" "$(systemctl show -P ActiveState -P Result -P NRestarts luod.service | tr '\n' ' ')" "active success 0 "
assert_manager KernelSupport disabled
assert_manager Custody fdstore
assert_manager NSessions 0
assert_manager NParts 0
[[ "$(manager KernelSupportMessage)" == *liveupdate=on* ]] || fail "KernelSupportMessage does not tell what to do: $(manager KernelSupportMessage)"
refused KernelUnsupported create any
grep -q 'liveupdate=on' <<<"$output" || fail "the error does not tell what to do: $output"
refused_as alice KernelUnsupported create any
refused NoSuchSession get any
refused NoSuchSession preserve any 1=content=x
assert_eq "the sessions" "$(client list)" ""

status=0
output=$(luoctl check) || status=$?
assert_eq "the exit status of luoctl check" $status 11
[[ "$output" == *kernel:*"kho=on liveupdate=on"* ]] || fail "luoctl check says: $output"
status=0
luoctl create any 2>/dev/null || status=$?
assert_eq "the exit status of luoctl create" $status 7
assert_says 'Kernel: .*disabled' luoctl status
# The log has it as well, once, beside what became of the update that led here.
warnings=$(journalctl -q -o cat -p warning -u luod.service _COMM=luod)
assert_eq "what the log says of the kernel" "$(grep -c "^The Live Update Orchestrator is not switched on" <<<"$warnings")" 1
assert_eq "what it says of the update" "$(grep -c "^Live update 1 came to nothing (lost): .*liveupdate=on" <<<"$warnings")" 1
assert_eq "warnings in the log" "$(wc -l <<<"$warnings")" 2

# A kernel that was built without it.
sed -i 's/^CONFIG_LIVEUPDATE=y/# CONFIG_LIVEUPDATE is not set/' "$config"
systemctl restart luod.service
assert_manager KernelSupport not-configured
[[ "$(manager KernelSupportMessage)" == *CONFIG_LIVEUPDATE=y* ]] || fail "KernelSupportMessage does not tell what to do: $(manager KernelSupportMessage)"
# And one that nothing is known of.
rm "$config"
systemctl restart luod.service
assert_manager KernelSupport disabled
