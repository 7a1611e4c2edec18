# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the scripts in this directory have in common. Sourced, never run.

# The tree is found from this file, so that every script works from any directory.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # used by those that source this
vm_dir="$top/test/vm"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/luod"

# Exit statuses of test/vm/run that are not the script's own (documented in docs/testing.md).
# shellcheck disable=SC2034
{
        EX_SKIP=77              # cannot be done here, for a reason that was printed
        EX_PANIC=120            # the guest's kernel panicked
        EX_COLD=121             # the guest restarted through the firmware instead of by kexec
        EX_NOBOOT=122           # the guest never came up
        EX_GONE=123             # the guest powered itself off, or the emulator died
        EX_TIMEOUT=124          # the script did not end in time
        EX_HARNESS=125          # the harness could not do its work
}

me=${0##*/}

# Everything but results goes to stderr: stdout belongs to the answer, or to the script in the guest.
say() {
        printf '%s: %s\n' "$me" "$*" >&2
}

die() {
        say "$*"
        exit "$EX_HARNESS"
}

# seconds_since START: bash's EPOCHREALTIME has a locale-dependent decimal sign, so count in microseconds.
now_us() {
        printf '%s' "${EPOCHREALTIME/[.,]/}"
}

seconds_since() {
        local us=$(($(now_us) - $1))

        printf '%d.%d' $((us / 1000000)) $((us % 1000000 / 100000))
}

# hash_of FILE...: one short name for the content of files, and of what is on stdin if it is no terminal's.
hash_of() {
        sha256sum -- "$@" | cut -d' ' -f1 | sha256sum | cut -c1-16
}

# The mirror that this machine already uses: no host name is built into these scripts. LUOD_DEBIAN_MIRROR overrides it.
debian_mirror() {
        local uri

        if [[ -n "${LUOD_DEBIAN_MIRROR:-}" ]]; then
                printf '%s\n' "$LUOD_DEBIAN_MIRROR"
                return
        fi
        # Suites of the security archive and other vendors' repositories do not carry what we need. --no-release-info lists
        # the targets even where `apt-get update` never ran, but knows no origin then: go by the path and the suite.
        uri=$(apt-get indextargets --format "\$(CREATED_BY) \$(REPO_URI) \$(RELEASE)" 2>/dev/null |
                awk '$1 == "Packages" && $2 ~ /\/debian\/?$/ && $3 !~ /security/ { print $2; exit }')
        if [[ -z "$uri" ]]; then
                uri=$(apt-get indextargets --no-release-info --format "\$(CREATED_BY) \$(REPO_URI) \$(RELEASE)" 2>/dev/null |
                        awk '$1 == "Packages" && $2 ~ /\/debian\/?$/ && $3 !~ /security/ { print $2; exit }')
        fi
        [[ -n "$uri" ]] ||
                die "no Debian mirror in this machine's apt sources; name one in LUOD_DEBIAN_MIRROR"
        printf '%s\n' "${uri%/}"
}

# apt with a state of its own: reads other suites than the machine's without touching the machine's configuration.
apt_private() {
        local tool=$1
        shift

        local dir="$cache/apt"
        "$tool" -q \
                -o Dir::State::lists="$dir/lists" \
                -o Dir::Cache="$dir/cache" \
                -o Dir::Etc::sourcelist="$dir/sources.list" \
                -o Dir::Etc::sourceparts=/dev/null \
                -o Dir::Etc::preferencesparts=/dev/null \
                -o APT::Sandbox::User=root \
                -o Acquire::Languages=none \
                -o Acquire::Retries=3 \
                -o Acquire::Check-Valid-Until=false \
                "$@"
}

# apt_private_update [force]: fetch the indices of the suites that carry kernels; a day old is new enough.
apt_private_update() {
        local dir="$cache/apt" mirror suite apt_lock

        mirror=$(debian_mirror)
        mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
        # Two kernels may be wanted at once. The lock ends with the function, or with the script.
        exec {apt_lock}>"$dir/lock"
        flock "$apt_lock"
        for suite in trixie-backports forky sid experimental; do
                printf '%s [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
                        deb "$mirror" "$suite" deb-src "$mirror" "$suite"
        done >"$dir/sources.list.new"
        if [[ "${1:-}" != force ]] && cmp -s "$dir/sources.list.new" "$dir/sources.list" &&
                [[ -n "$(find "$dir/updated" -mmin -1440 2>/dev/null)" ]]; then
                rm "$dir/sources.list.new"
                exec {apt_lock}>&-
                return
        fi
        mv "$dir/sources.list.new" "$dir/sources.list"

        say "reading the package indices of trixie-backports, forky, sid and experimental"
        # One suite that is missing on the mirror makes apt fail as a whole, though the others were read.
        apt_private apt-get update >"$dir/update.log" 2>&1 ||
                say "not every index could be read, going on with what is there: $(grep '^E:' "$dir/update.log" | head -n1)"
        touch "$dir/updated"
        exec {apt_lock}>&-
}
