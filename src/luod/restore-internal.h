/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>

#include "index-page.h"
#include "manager.h"
#include "name-util.h"
#include "restore.h"

/* What the files restore*.c share: restore.c is the whole, and opens with how it goes. */

typedef struct Found {
        int fd;
        char kname[LUO_NAME_SIZE];
        char fdname[KERNEL_NAME_SIZE];
        bool stored;
        bool incoming;       /* the kernel says so: there is an incoming session of that name, and it is somebody's */
} Found;

typedef struct Restore {
        Manager *manager;
        char boot_id[BOOT_ID_SIZE];
        Found *found;
        size_t n_found;
        bool same_boot;      /* the ledger of this boot was there */
        bool complete;       /* and it was intact: what it does not know does not exist */
} Restore;

/* Not a word about what is kept: the start fails, and the next one finds everything as it is. */
bool error_is_transient(int error);
void runtime_path(const Manager *manager, const char *name, char ret[static PATH_MAX]);

/* --- restore-found.c: kernel sessions, and the index pages in them */

/* Takes those of @fds that are luod's kernel sessions into @restore->found. */
int found_from_custody(Restore *restore, FoundFd *fds, size_t n);
/* Adds those that are had by name; of all it says which way they go. The ledger of this boot was read before, if there
 * is one. */
int found_by_name(Restore *restore);

/* Maps a copy-on-write view; the caller unmaps INDEX_PAGE_SIZE bytes. -ENOENT: there is no such page. */
int retrieve_index_page(const LuoOps *luo, int session, uint32_t page, void **ret);
int read_incoming_head(const LuoOps *luo, int session, IndexHead *ret);
/* Whether the index file of this boot is there: then the session was made in it. */
int read_outgoing_head(Manager *manager, const Found *found, IndexHead *ret);

/* --- restore-ledger.c: which ledger is in force */

void restore_set_health(Restore *restore, LedgerHealth health);
/* An empty state, for this boot. */
void restore_reset_state(State *state, const char *boot_id);
/* The ledger of this boot. 0: read; -ENOENT: there is none; -ENODATA, -EPROTONOSUPPORT: what is there can't be used, and
 * was put aside; others. */
int read_own_ledger(Restore *restore);
/* The best of those that came over the live update; -ENOENT: none did. */
int read_incoming_ledger(Restore *restore);
/* The kernel name of a lost part will be used again. */
void part_rename_lost(State *state, Part *part);

/* --- restore-attach.c: what the ledger says and what was found, put together */

int attach_found(Restore *restore);
/* The session of an index: the one with its sid, made if there is none. */
int session_from_index(Restore *restore, const IndexHead *head, bool outgoing, Session **ret);
/* The index head of a part that has its fd. */
int part_read_head(Manager *manager, const Part *part, IndexHead *ret);
