/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* luod's own locks at logind. The delay lock is always held, so that luod hears of a shutdown. The block lock is held while a
 * participant holds one against updates (Inhibit()), and, with ProtectReboot=, while a reboot would be a cold one and lose what
 * sessions keep: there are files, and no kernel is loaded. (logind knows no lock against some ways of shutting down only; with a
 * kernel loaded 'systemctl reboot' does a kexec, too.) Manager.protect.
 *
 * 'kexec -l -s KERNEL && systemctl kexec' must not meet that lock. But the kernel tells nobody that one was loaded, and logind sees
 * a moment later only that a lock was released. So it is given up as soon as somebody runs kexec(8), and taken again if nothing is
 * loaded PROTECT_GRACE_USEC later. Who loads a kernel by other means is found out by looking, and often when
 * /sys/kernel/kexec_loaded is opened, as systemctl does first; should luod lose that race, the shutdown is refused with the reason, and
 * can be asked for again. (In luod.service that never wakes: PrivateNetwork= gives it a /sys of its own. There it is the looking
 * alone, once a second.) */

struct Manager;

typedef struct Protect {
        bool started;
        int loaded_fd;           /* /sys/kernel/kexec_loaded; -EBADF: asked for by target.h's way */
        sd_event_source *opened; /* somebody opens that file */
        sd_event_source *run;    /* somebody opens a program where kexec(8) is; while it matters */
        sd_event_source *timer;  /* looks again; while it matters */
        bool held_for_want;      /* the block lock is held for want of a kernel; what it says may be a moment old */
        uint64_t grace_until;    /* usec, CLOCK_MONOTONIC: kexec(8) was run a moment ago */
        uint64_t often_until;    /* the same: the file was opened a moment ago */
} Protect;

#define PROTECT_NULL { .loaded_fd = -EBADF }

void protect_start(struct Manager *manager);
void protect_done(struct Manager *manager);
/* Takes and releases the block lock as things are now. Cheap. */
void protect_refresh(struct Manager *manager);
void protect_hold_delay(struct Manager *manager);
