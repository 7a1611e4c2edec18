/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* An fd that the custodian handed over at the start. */
typedef struct FoundFd {
        int fd;
        const char *fdname; /* borrowed */
} FoundFd;

/* Brings luod to where it was: after a restart, or a live update. Reads the ledger of this boot, or the one that
 * came over the live update; finds the kernel sessions by the fds in @found, and by name where those lack some;
 * puts the two together; writes a new ledger where there is none for this boot; goes on with what was begun.
 *
 * Takes over the fds. @custody may be set later (manager->custody): what needs it is done by
 * restore_continue(). @boot_id is that of this boot. Called once, before anything is served; takes no turn of the
 * event loop, but waits for the device as long as luod-limits.h says. Returns 0 or -errno; luod can't serve then. */
int manager_restore(Manager *manager, const char *boot_id, FoundFd *found, size_t n_found);

