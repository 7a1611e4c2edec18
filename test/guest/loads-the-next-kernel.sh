#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which kernel comes next is luod's business: what would not bring back what is kept is refused with a name, what is loaded
# is known, also to a restarted luod, and to it sessions come over. What was loaded by force, because it was to lose everything,
# no update goes to: it is refused, and leaves the host as it was.
# vm: also-kernel=debian timeout=400
. /usr/lib/luod/tests/guest/lib.sh
. /usr/lib/luod/tests/guest/client-lib.sh

kernel=/boot/vmlinuz-$(uname -r)

# exits STATUS COMMAND...: the output, of both kinds, goes to $output.
exits() {
        local should=$1 status=0
        shift

        output=$("$@" 2>&1) || status=$?
        [[ $status == "$should" ]] || fail "'$*' exits with $status instead of $should: $output"
}

# says WORD: $output does.
says() {
        [[ "$output" == *"$1"* ]] || fail "nothing like '$1' in: $output"
}

kexec_loaded() {
        cat /sys/kernel/kexec_loaded
}

# status KEY: of loaded_kernel
status() {
        luoctl status --json=short | python3 -c '
import json, sys
value = json.load(sys.stdin)["loaded_kernel"].get(sys.argv[1])
print({True: "yes", False: "no"}.get(value, value))' "$1"
}

nothing_is_loaded() {
        assert_eq "kexec_loaded" "$(kexec_loaded)" 0
        assert_eq "loaded" "$(status loaded)" no
        assert_says 'Next kernel: *none' luoctl status
        assert_check '^warning *target: No kernel'
}

own_kernel_is_loaded() {
        assert_eq "kexec_loaded" "$(kexec_loaded)" 1
        assert_eq "loaded" "$(status loaded)" yes
        assert_eq "by_luod" "$(status by_luod)" yes
        assert_eq "release" "$(status release)" "$(uname -r)"
        assert_eq "luo" "$(status luo)" yes
        assert_eq "memfd" "$(status memfd)" yes
        assert_eq "same_formats" "$(status same_formats)" yes
        assert_eq "switched_on" "$(status switched_on)" yes
        assert_says "Next kernel: *$(uname -r)" luoctl status
        assert_check '^ok *target: '
}

is_refused() {
        head -c 1000000 "$kernel" >truncated.img
        exits 14 luoctl load --kernel=truncated.img
        says "not complete"
        exits 14 luoctl load --kernel=truncated.img --force
        exits 14 luoctl load --kernel=/bin/bash
        says "not a kernel"
        exits 14 luoctl load --kernel=/etc/passwd
        exits 14 luoctl load --kernel=/dev/null
        { head -c 56 /dev/zero; printf 'ARM\x64'; head -c 4000 /dev/zero; } >arm.img
        exits 14 luoctl load --kernel=arm.img --force
        says "aarch64"
        exits 1 luoctl load --kernel=/nonexistent
        exits 2 luoctl load --cmdline=x --append=y
        exits 14 luoctl load --cmdline="root=/dev/vda"
        says "kho=on liveupdate=on"
        exits 14 luoctl load --append=liveupdate=off
        exits 14 luoctl load --append="$(head -c 3000 /dev/zero | tr '\0' x)"
        says "bytes"
        exits 2 luoctl load --initrd=/dev/null
        exits 4 as bob luoctl load
        exits 4 as bob luoctl unload
        nothing_is_loaded
}

# The kernel that is loaded by force is none that an update goes to: by luoctl, and by Update() itself.
no_update_goes_to_it() { # WHY
        local status=0

        luoctl report --list >reports
        exits 11 luoctl update --yes
        says "$1"
        says "Nothing was begun"
        exits 11 luoctl update --yes --force
        exits 11 luoctl update --yes --dry-run
        says "$1"
        output=$(busctl call org.luod1 /org/luod1 org.luod1.Manager Update 'a{sv}' 1 force b true 2>&1) || status=$?
        [[ $status != 0 ]] || fail "Update() goes to a kernel that loses everything: $output"
        says "$1"
        # As before: nobody was told anything, nothing was written down, the session is there, and the kernel still loaded.
        assert_manager State idle
        assert_eq "kexec_loaded" "$(kexec_loaded)" 1
        assert_eq "forced" "$(status forced)" yes
        luoctl report --list | diff reports - || fail "there is a report of what was refused"
        assert_eq "the file" "$(client files next-kernel | grep -c ' kept$')" 1
}

# Debian's own kernel: all of it without LUO, told by what is in it, and by its configuration where that is installed.
kernel_without_luo_is_refused() {
        local image config

        image=$(echo /boot/vmlinuz-*-cloud-amd64)
        config=${image/vmlinuz/config}
        mv "$config" config.away
        exits 14 luoctl load --kernel="$image"
        says "CONFIG_LIVEUPDATE"
        says "${image#*vmlinuz-}"
        mv config.away "$config"
        exits 14 luoctl load --kernel="$image"
        says "built without the Live Update Orchestrator"
        nothing_is_loaded

        exits 0 luoctl load --kernel="$image" --force
        assert_eq "luo" "$(status luo)" no
        assert_eq "release" "$(status release)" "${image#*vmlinuz-}"
        assert_check '^blocks *target: .* was built without CONFIG_LIVEUPDATE'
        no_update_goes_to_it "was built without CONFIG_LIVEUPDATE"
}

before() {
        luoctl create next-kernel >/dev/null
        luoctl preserve next-kernel 1 /etc/hostname
        luoctl unload
        nothing_is_loaded

        is_refused

        exits 0 luoctl load
        says "$kernel"
        own_kernel_is_loaded
        systemctl restart luod.service
        own_kernel_is_loaded
        exits 4 as bob luoctl unload
        exits 0 luoctl load --reuse-cmdline --append=luod_was_here=1
        [[ "$(status command_line)" == *" luod_was_here=1" ]] || fail "command line: $(status command_line)"
        # By force, what loses everything: it says so.
        exits 0 luoctl load --append=liveupdate=off --force
        assert_check '^blocks *target: '
        no_update_goes_to_it "does not switch the Live Update Orchestrator on"
        exits 0 luoctl load --append=kho=off --force
        no_update_goes_to_it "does not switch the Live Update Orchestrator on"
        luoctl unload
        exits 14 luoctl load --append=kho=off
        says "kho=on liveupdate=on"
        nothing_is_loaded
        kernel_without_luo_is_refused

        luoctl unload
        nothing_is_loaded
        # By somebody else.
        load_kernel
        assert_eq "by_luod" "$(status by_luod)" no
        assert_check '^warning *target: Somebody else'
        luoctl unload
        nothing_is_loaded

        exits 0 luoctl load
        own_kernel_is_loaded
        next_boot
}

after() {
        nothing_is_loaded
        luoctl retrieve next-kernel 1 - | cmp - /etc/hostname || fail "another content came back"
        luoctl finish next-kernel
}

case $VM_BOOT in
        0) before ;;
        *) after ;;
esac
