/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "caller.h"
#include "job.h"
#include "record.h"

/* Identify(): what a file is, whether it can be kept, and who keeps it. Changes nothing. */

typedef enum Keepable {
        KEEPABLE_YES,
        KEEPABLE_NO,      /* see the reason */
        KEEPABLE_UNKNOWN, /* only trying would tell, and luod may not, or can't, try it unnoticed here */
        _KEEPABLE_MAX,
        _KEEPABLE_INVALID = -EINVAL,
} Keepable;

typedef enum KeeperKind {
        KEEPER_NONE,     /* nobody, as far as can be seen */
        KEEPER_SESSION,  /* one of luod's: Identification.sid and token */
        KEEPER_UNKNOWN,  /* luod, for a file that was kept before its restart: which one it was is not known any more */
        KEEPER_FOREIGN,  /* somebody else than luod, says the kernel */
        _KEEPER_KIND_MAX,
        _KEEPER_KIND_INVALID = -EINVAL,
} KeeperKind;

#define FILE_TYPE_LENGTH_MAX 63U

typedef struct Identification {
        FileRecord record;                  /* kind, size, mode, access, seals */
        char type[FILE_TYPE_LENGTH_MAX + 1]; /* for people: "memfd", "tmpfs file", "socket", "anon_inode:[eventfd]", … */
        uint64_t holes;                     /* bytes that keeping it would fill in */
        Keepable keepable;
        Failure reason;                     /* unless KEEPABLE_YES */
        KeeperKind keeper;
        uint64_t sid, token;
} Identification;

/* Looks at @fd, of which a duplicate is taken, for @caller. As the operations in operations.h; in @done
 * identification_get(job) is the answer. */
int operation_identify(Manager *manager, Caller *caller, int fd, job_done_fn done, void *userdata, Failure *ret);
const Identification *identification_get(const Job *job);
/* Who asked; borrowed. */
const Caller *identification_get_caller(const Job *job);

const char *keepable_to_string(Keepable k);
const char *keeper_kind_to_string(KeeperKind k);
