/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>

#include "manager.h"

/* Files that have no keeper for a moment: between FINISH of the session that they came in and PRESERVE in the one that they go
 * out with (renewal.c). Meanwhile the custodian has an fd of each, under a name that says whose it is, so that luod's death
 * loses none; and where the live update comes in between, systemd's fd store takes them along as far as it can. */

typedef struct Parked {
        uint64_t sid, token;
        int fd;          /* owned */
        bool in_custody; /* seen in the custodian's list */
        bool was_stored; /* it was there once, and must be until it leaves */
        bool pushing;    /* on its way there once more */
        bool leaving;    /* the custodian was told to give it up */
        ListLink link;   /* Manager.parked */
} Parked;

#define PARKED_NAME_SIZE 40U
static_assert(PARKED_NAME_SIZE <= CUSTODY_FDNAME_SIZE, "the custodian takes these names whole");

/* "p" SID "." TOKEN, in hexadecimal. */
void parked_name_format(uint64_t sid, uint64_t token, char ret[static PARKED_NAME_SIZE]);
bool parked_name_parse(const char *name, uint64_t *ret_sid, uint64_t *ret_token);

/* NULL: there is none. */
Parked *parking_find(Manager *manager, uint64_t sid, uint64_t token);
/* Takes over *@fd. 0, -ENOMEM; -EEXIST: there is one. */
int parking_add(Manager *manager, uint64_t sid, uint64_t token, int *fd, bool in_custody, Parked **ret);
/* Closes the fd; what the custodian has is not touched. Returns NULL. */
Parked *parked_free(Parked *parked);
void parking_free_of(Manager *manager, uint64_t sid);
void parking_free_all(Manager *manager);
size_t parking_count(Manager *manager);
/* The custodian has it. */
void parked_note_stored(Parked *parked);
/* Whether the custodian has lost one that it had. */
bool parking_is_missing_in_custody(Manager *manager);
/* Gives the custodian once more what it has lost: parts_upkeep()'s. */
void parking_push_missing(Manager *manager);
/* The custodian's list, NULL-terminated: notes what it has. */
void parking_listed(Manager *manager, char **fdnames);
