# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Stopping luod exactly between two steps (src/luod/stop-point.h), for the tests that kill it there.

stop_dir=/run/luod/stop

# From here on luod looks for stop points, after later boots as well. Those in the file $VM_STATE/stop-at-start are set
# before luod starts.
stop_points_enable() {
        mkdir -p /etc/systemd/system/luod.service.d
        cat >"$VM_STATE/set-stop-points" <<EOF
#!/bin/sh
mkdir -p $stop_dir
while read -r p; do : >"$stop_dir/\$p"; done <$VM_STATE/stop-at-start
: >$VM_STATE/stop-at-start
EOF
        chmod +x "$VM_STATE/set-stop-points"
        cat >/etc/systemd/system/luod.service.d/stop.conf <<EOF
[Service]
Environment=LUOD_STOP_DIR=$stop_dir
WatchdogSec=0
ExecStartPre=+$VM_STATE/set-stop-points
EOF
        : >>"$VM_STATE/stop-at-start"
        systemctl daemon-reload
        systemctl restart luod
}

stop_points_disable() {
        rm -f /etc/systemd/system/luod.service.d/stop.conf
        systemctl daemon-reload
        systemctl restart luod
}

# stop_at POINT: the next time luod passes POINT it stops.
stop_at() {
        rm -f "$stop_dir/stopped"
        : >"$stop_dir/$1"
}

luod_pid() {
        systemctl show -P MainPID luod
}

# Waits until luod (or its helper) has stopped at the point.
await_stopped() {
        local i

        for ((i = 0; i < 600; i++)); do
                [ -e "$stop_dir/stopped" ] && return 0
                sleep 0.05
        done
        echo "luod did not come to the stop point $1" >&2
        return 1
}

# Kills luod where it stands, and waits until it is back and serving.
kill_luod() {
        local before
        before=$(systemctl show -P InvocationID luod)

        systemctl kill --kill-whom=main -s KILL luod
        await_luod "$before"
}

# await_luod INVOCATION: until luod serves in another invocation than this.
await_luod() {
        local i

        for ((i = 0; i < 600; i++)); do
                if [ "$(systemctl show -P InvocationID luod)" != "$1" ] && systemctl -q is-active luod; then
                        return 0
                fi
                sleep 0.05
        done
        systemctl status luod --no-pager >&2
        return 1
}
