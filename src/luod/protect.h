/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

/* luod's own locks at logind. The delay lock is always held, so that luod hears of a shutdown. The block lock is held while a
 * participant holds one against updates (Inhibit()), and, with ProtectReboot=, while a reboot would be a cold one and lose what
 * sessions keep: there are files, and no kernel is loaded. (logind knows no lock against some ways of shutting down only; with a
 * kernel loaded 'systemctl reboot' does a kexec, too.) Manager.protect. */

struct Manager;

typedef struct Protect {
        bool started;
        int loaded_fd;          /* /sys/kernel/kexec_loaded; -EBADF: asked for by target.h's way */
        sd_event_source *watch; /* somebody opens that file, as systemctl does before it asks logind */
        sd_event_source *timer; /* while the lock is held for want of a kernel: the kernel tells nobody that one was loaded */
} Protect;

#define PROTECT_NULL { .loaded_fd = -EBADF }

void protect_start(struct Manager *manager);
void protect_done(struct Manager *manager);
/* Takes and releases the block lock as things are now. Cheap. */
void protect_refresh(struct Manager *manager);
void protect_hold_delay(struct Manager *manager);
