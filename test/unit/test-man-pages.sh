#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The man pages name all there is: test-man-pages.sh SOURCE-DIRECTORY LUOCTL
set -eu

source=$1
luoctl=$2
missing=0

# Each line of standard input must be found in page $1 as a word, roff's "\-" read as "-".
all_in_page() {
    sed 's/\\-/-/g; s/\\f[A-Z]//g' "$source/docs/man/$1" >"$page"
    n=0
    while read -r word; do
        n=$((n + 1))
        if ! grep -qwF -e "$word" "$page"; then
            echo "$1 does not mention '$word'"
            missing=$((missing + 1))
        fi
    done
    if [ "$n" -eq 0 ]; then
        echo "$1: found nothing to look for"
        missing=$((missing + 1))
    fi
}

page=$(mktemp)
words=$(mktemp)
trap 'rm -f "$page" "$words"' EXIT

# methods, signals, properties and arguments
sed -n 's/.* name="\([^"]*\)".*/\1/p' "$source/dbus/org.luod1.xml" >"$words"
all_in_page org.luod1.5 <"$words"

# keys and sections of the configuration, in the page and in the file that is installed
sed -n 's/^ *{ "\([A-Z][A-Za-z]*\)", "\([A-Z][A-Za-z]*\)", CONFIG_.*/\[\1]\n\2=/p' "$source/src/luod/config.c" | sort -u >"$words"
all_in_page luod.conf.5 <"$words"
while read -r word; do
    if ! grep -q -e "^#*$(printf '%s' "$word" | sed 's/\[/\\[/')" "$source/units/luod.conf"; then
        echo "luod.conf does not have '$word'"
        missing=$((missing + 1))
    fi
done <"$words"
if [ "$(grep -c '^#[A-Z][A-Za-z]*=' "$source/units/luod.conf")" -ne "$(grep -c '=$' "$words")" ]; then
    echo "luod.conf does not have the same keys as the table in config.c"
    missing=$((missing + 1))
fi

# errors
sed -n 's/.*LUOD_ERROR_PREFIX "\([A-Za-z]*\)"$/\1/p' "$source/src/shared/bus-names.h" >"$words"
all_in_page org.luod1.5 <"$words"

# verbs and options, as the help has them
"$luoctl" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p; s/^  .*\(--[a-z-]*\).*/\1/p' >"$words"
all_in_page luoctl.1 <"$words"

# exit statuses
sed -n 's/^ *STATUS_[A-Z_]* = \([0-9]*\),.*/\1/p' "$source/src/luoctl/exit-status.h" >"$words"
all_in_page luoctl.1 <"$words"

[ "$missing" -eq 0 ]
