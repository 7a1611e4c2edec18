#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# luoctl's verbs for an update against a fake luod on a bus of its own: test-luoctl-update.sh LUOCTL FAKE-LUOD
set -eu

luoctl=$1
fake=$2
if ! command -v dbus-daemon >/dev/null; then
    echo "there is no dbus-daemon"
    exit 77
fi

dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

fail() {
    echo "$*" >&2
    echo "--- output:" >&2
    cat "$dir/output" >&2
    echo "--- calls:" >&2
    cat "$dir/calls" >&2
    exit 1
}

cat >"$dir/bus.conf" <<END
<busconfig>
  <listen>unix:path=$dir/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
END
mkfifo "$dir/ready"
dbus-daemon --config-file="$dir/bus.conf" --nofork --nopidfile --print-address=3 3>"$dir/ready" &
read -r _ <"$dir/ready"
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/bus

# until COMMAND...: nothing says when a fake luod or luoctl is that far.
until_true() {
    local i
    for ((i = 0; i < 600; i++)); do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        read -r -t 0.05 <>"$dir/ready" || true
    done
    fail "it never came to '$*'"
}

luod_pid=
is_up() {
    "$luoctl" inhibitors
}

# luod MODE: a fake luod takes the place of the one before.
luod() {
    stop_luod
    : >"$dir/calls"
    "$fake" "$1" "$dir/calls" &
    luod_pid=$!
    until_true is_up
}

stop_luod() {
    if [[ -n $luod_pid ]]; then
        kill "$luod_pid" 2>/dev/null || true
        wait "$luod_pid" || true
    fi
    luod_pid=
}

# exits STATUS ARGUMENT...: of luoctl. Output of both kinds is in $dir/output.
exits() {
    local should=$1 status=0
    shift
    "$luoctl" "$@" >"$dir/output" 2>&1 </dev/null || status=$?
    [[ $status == "$should" ]] || fail "'luoctl $*' exits with $status instead of $should"
}

says() {
    grep -qF -e "$1" "$dir/output" || fail "luoctl does not say '$1'"
}

called() {
    grep -qxF -e "$1" "$dir/calls" || fail "luod was not called: '$1'"
}

not_called() {
    ! grep -q -e "$1" "$dir/calls" || fail "luod was called: '$1'"
}

# What would have to be loaded is this host's kernel: only where there is one.
have_kernel=$([[ -r /boot/vmlinuz-$(uname -r) ]] && echo yes || echo no)

# All is well: the findings, who is waited for, and the end.
luod loaded
exits 0 update --deadline=90 --force --drop-unclaimed=a --drop-unclaimed=b
says 'warning  target: No kernel is loaded.'
says 'Preparing.'
says "Waiting for session 'vm1' (not ready)."
says "No longer waiting for session 'vm1' (not ready)."
says 'Handing over.'
says 'Handed over: '
called 'Update deadline=90000000 force=yes drop-unclaimed=a drop-unclaimed=b'
not_called LoadKernel

luod loaded
exits 0 update --yes --carry --no-wait
says 'All are told to prepare.'
called 'Update carry=yes no-wait=yes'

# Where no kernel is loaded the one that runs is.
luod idle
if [[ $have_kernel == yes ]]; then
    exits 0 update
    called LoadKernel
else
    exits 1 update
    says "Can't open '/boot/vmlinuz-"
    not_called Update
fi

# Nothing is begun.
luod blocked
exits 11 update
says 'blocks   incoming: It is as it is.'
says 'Nothing was begun'
exits 11 update --dry-run --drop-unclaimed=a
not_called Update
luod loaded
exits 10 update --dry-run
not_called Update
not_called LoadKernel
exits 2 update --deadline=soon

luod veto
exits 15 update
says 'it migrates'

# ^C
start_update() {
    local status
    : >"$dir/output"
    (
        status=0
        "$luoctl" update >"$dir/output" 2>&1 </dev/null || status=$?
        echo "$status" >"$dir/status"
    ) &
    until_true grep -qF "Waiting for session 'vm1'" "$dir/output"
}

# interrupt: SIGTERM, as background jobs of a shell don't get SIGINT.
interrupt() {
    local child
    child=$(pgrep -x luoctl -P "$1")
    kill -TERM "$child"
}

ends() {
    wait "$1"
    [[ $(cat "$dir/status") == "$2" ]] || fail "luoctl exits with $(cat "$dir/status") instead of $2"
}

luod hold
start_update
job=$!
"$luoctl" status | grep -qF "Update: Preparing: session 'vm1' (not ready)" || fail "status does not tell of the update"
interrupt $job
ends $job 17
says 'Cancelling the update.'
says 'It was cancelled'
called Cancel

luod late
start_update
job=$!
interrupt $job
ends $job 0
says "Can't cancel the update: The host is going down"

# luod dies, and comes back
luod die
start_update
job=$!
until_true grep -qF 'luod went away' "$dir/output"
luod resumed
ends $job 0
says 'Handed over: '

luod die
start_update
job=$!
until_true grep -qF 'luod went away' "$dir/output"
luod given-up
ends $job 1
says 'the update has ended'

# cancel
luod idle
exits 3 cancel
called Cancel
luod late
exits 18 cancel

# inhibit
pipes() {
    grep -o 'pipe:.*' "$1" | sort || true
}

luod idle
# shellcheck disable=SC2217 # so that it is the same as of the other
ls -l /proc/self/fd >"$dir/own-fds" 2>"$dir/output" </dev/null
exits 7 inhibit sh -c "ls -l /proc/self/fd >'$dir/fds'; exit 7"
called "Inhibit update|sh -c ls -l /proc/self/fd >'$dir/fds'; exit 7|Unknown reason|delay"
[[ "$(pipes "$dir/fds")" == "$(pipes "$dir/own-fds")" ]] || fail "the command has the lock: $(cat "$dir/fds")"
until_true grep -qx released "$dir/calls"
exits 0 inhibit --who=w --why='because of x' --mode=block true --help
called 'Inhibit update|w|because of x|block'
exits 127 inhibit nonexistent-command
says "Can't run 'nonexistent-command'"
exits 143 inhibit sh -c 'kill -TERM $$'
# shellcheck disable=SC2016 # for that shell
exits 3 inhibit sh -c 'trap "exit 3" TERM; kill -TERM $PPID; while :; do :; done'
luod blocked
exits 6 inhibit touch "$dir/was-run"
[[ ! -e $dir/was-run ]] || fail "the command was run without a lock"

exits 0 inhibitors --no-legend
says 'qemu'
says 'it migrates'
exits 0 inhibitors --json=short
says '[{"what":"update","who":"qemu","why":"it migrates","mode":"block","uid":0,"pid":77,"id":12}]'
exits 0 release-lock 12
called 'ReleaseLock 12'
exits 3 release-lock 13
exits 2 release-lock qemu

# ready
luod idle
exits 0 ready vm1
called 'SetReady yes'
exits 0 ready vm1 no
called 'SetReady no'
exits 2 ready vm1 maybe
