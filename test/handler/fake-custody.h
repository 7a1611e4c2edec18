/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "custody.h"
#include "list.h"
#include "manager.h"

/* PID 1's fd store of luod, for tests. The store outlives luod; a Custody is luod's connection to it. */

typedef struct FakeStored {
        char fdname[CUSTODY_FDNAME_SIZE];
        int fd;
        ListLink link; /* FakeStore.stored */
} FakeStored;

typedef struct FakeStore {
        List stored;       /* FakeStored.link */
        unsigned n_stored;
        unsigned capacity; /* what luod is told */
        CustodyState state;

        /* What goes wrong. */
        bool silent;       /* orders are kept waiting */
        int push_error;    /* not taken, and said so: -ENOSPC, -ETIMEDOUT, … */
        int push_unheard;  /* taken, but luod is told this */
        int remove_error;
        unsigned n_pushed, n_removed; /* orders that were heard */
} FakeStore;

void fake_store_init(FakeStore *store);
void fake_store_done(FakeStore *store);

FakeStored *fake_store_find(FakeStore *store, const char *fdname);
/* As PID 1 does: an open file that is there already is not taken a second time, whatever its name. */
void fake_store_add(FakeStore *store, int fd, const char *fdname);
/* All of that name. */
void fake_store_remove(FakeStore *store, const char *fdname);
/* Over a live update, with fake_kernel_kexec(). */
struct FakeKernel;
void fake_store_kexec(FakeStore *store, struct FakeKernel *kernel);

Custody *fake_custody_new(FakeStore *store, sd_event *event);
/* After `store->silent = false`: takes the waiting orders. */
void fake_custody_wake(Custody *custody);

/* PID 1 was reloaded: luod is shown what is in the store now. */
void fake_store_show(FakeStore *store, Manager *manager);
