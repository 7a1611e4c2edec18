/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "worker.h"

/* Custody: who holds luod's kernel sessions while luod does not run. From systemd 261 on, PID 1's fd store does,
 * over kexec too (FileDescriptorStorePreserve=yes). PID 1 tells nobody when it drops an fd, so everything
 * given is looked for in its list (DumpUnitFileDescriptorStore) before it counts as kept. */

typedef enum CustodyState {
        CUSTODY_NONE,             /* not run by systemd, or PID 1 can't be asked */
        CUSTODY_FDSTORE,          /* complete, and goes over kexec */
        CUSTODY_FDSTORE_NO_KEXEC, /* systemd before 261, or FileDescriptorStorePreserve= is not yes */
        CUSTODY_DEGRADED,         /* something is missing in the store and is being given again */
        _CUSTODY_STATE_MAX,
        _CUSTODY_STATE_INVALID = -22, /* -EINVAL */
} CustodyState;

/* The longest name in the store, with NUL: parts have short ones (FDNAME_SIZE), parked files longer ones (parking.h). */
#define CUSTODY_FDNAME_SIZE 64U

typedef struct Custody Custody;

/* @error: 0; -ENOSPC: the store did not take it; -ENOTCONN, -ETIMEDOUT and others: PID 1 could not be asked. */
typedef void (*custody_done_fn)(int error, void *userdata);

/* What a custodian must be able to do. One implementation is systemd's fd store; tests bring their own. */
typedef struct CustodyOps {
        /* Give a copy of @fd under @fdname, which was never used before; it counts once @done says 0. */
        int (*push)(Custody *custody, int fd, const char *fdname, custody_done_fn done, void *userdata);
        /* Have the fd of that name dropped. @done says 0 when it is not in the store any more (its last close
         * may follow a moment later: PID 1 does that in a process of its own). */
        int (*remove)(Custody *custody, const char *fdname, custody_done_fn done, void *userdata);
        CustodyState (*get_state)(Custody *custody);
        /* How many fds the custodian takes in all, with a reserve. */
        unsigned (*get_capacity)(Custody *custody);
        Custody *(*free)(Custody *custody);
} CustodyOps;

struct Custody {
        const CustodyOps *ops;
};

/* Called when PID 1 was reloaded (which may drop stored fds without a word) and its list was read anew:
 * @fdnames is what it has, NULL-terminated. The receiver pushes again what is missing. @fdnames NULL: the list could not be had. */
typedef void (*custody_listed_fn)(char **fdnames, void *userdata);

/* systemd's fd store of the unit that this process runs in. @bus is the system bus, connected. @error 0 means
 * that the custodian was found, not that it is good: see custody_get_state(). The first listing comes through
 * @listed, too. */
int custody_new_systemd(sd_event *event,
                        sd_bus *bus,
                        Workers *workers,
                        custody_listed_fn listed,
                        void *userdata,
                        Custody **ret);

int custody_push(Custody *custody, int fd, const char *fdname, custody_done_fn done, void *userdata);
int custody_remove(Custody *custody, const char *fdname, custody_done_fn done, void *userdata);
CustodyState custody_get_state(Custody *custody);
unsigned custody_get_capacity(Custody *custody);
Custody *custody_free(Custody *custody);

const char *custody_state_to_string(CustodyState state);
