/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ledger.h"
#include "state.h"

/* The ledger as a file: a tmpfs file of fixed size, mapped, in which State is written down record by record.
 *
 * Files of luod's kernel sessions (the ledger here, the index pages in parts.h) are made as O_TMPFILE,
 * preserved while they have no name (the kernel takes no others) and then linked to one: writing by the name
 * goes on to the kexec, and a restarted luod finds them again. */

typedef struct Store {
        State *state;   /* borrowed: what is written on compaction */
        Ledger *ledger; /* NULL: nothing can be written */
        void *memory;
        size_t size;
        int fd;
} Store;

#define STORE_NULL { .fd = -EBADF }

/* Makes the file, nameless, in the directory @dir, and fills it with the state as it is. 0 or -errno. */
int store_create(Store *store, State *state, const char *dir);
/* Takes over *fd, a ledger's file, and reads it into @state. @writable: it is this boot's and will be written.
 * 0, or as ledger_open(); on failure @store is empty, and *fd as well as what @state was is still the caller's
 * (@state may hold a part of the file then). */
int store_open(Store *store, State *state, int *fd, bool writable, LedgerDamage *ret_damage);
void store_done(Store *store);

/* Gives a nameless file the name @path. Fails with -EEXIST if that is taken. */
int file_link(int fd, const char *path);

/* Each writes one record; on return 0 it holds over every death. -ENOSPC: even compacted, the ledger is full.
 * On failure nothing was written. */
int store_put_head(Store *store);
int store_put_session(Store *store, const Session *session);
int store_put_part(Store *store, const Part *part);
/* The part is its session's no more; written before it is detached or closed. */
int store_put_part_gone(Store *store, const Part *part);
int store_put_file(Store *store, const File *file);
int store_put_metadata(Store *store, const Session *session, const char *key);
int store_put_end(Store *store, const Session *session, EndHow how, uint64_t now);

/* Whether a handful of records more can be taken: checked before anything is begun. */
bool store_has_room(Store *store, size_t n_records, size_t n_bytes);
