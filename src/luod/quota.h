/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"
#include "list.h"

/* What is counted, of whom, and how much of it there may be. Pure data: usage.c knows how much is used, luod.conf how much may
 * be, and this says yes or no, in one form of words for all.
 *
 * A user's limit does not bind root; that of all users together does. Of what is only in flight root has a part for itself
 * (QuotaItem.roots_part), so that an admin gets through whatever others do. A limit below what is used ends nothing. */

typedef enum QuotaResource {
        QUOTA_SESSIONS,
        QUOTA_FILES,
        QUOTA_PARTS,           /* kernel sessions */
        QUOTA_METADATA,        /* bytes, METADATA_KEY_COST for each key included */
        QUOTA_KEPT,            /* bytes of the files: the kernel pins that memory */
        QUOTA_LOCKS,
        QUOTA_CALLS,           /* in flight */
        QUOTA_FDS,             /* of clients, held by calls in flight */
        QUOTA_IDENTIFICATIONS, /* in flight: each may take a child */
        _QUOTA_MAX,
        _QUOTA_INVALID = -EINVAL,
} QuotaResource;

typedef struct QuotaItem {
        const char *name;      /* on the bus */
        const char *what;      /* in a sentence: "the WHAT of user 1000" */
        bool bytes;
        const char *user_key;  /* of luod.conf; NULL: the limit is built in */
        const char *total_key;
        const char *total_note; /* what else bounds it; or NULL */
        unsigned roots_part;   /* of the limit of all users one part in that many is for root alone; 0: none is */
        const char *advice;
} QuotaItem;

extern const QuotaItem quota_items[_QUOTA_MAX];

#define QUOTA_UNLIMITED UINT64_MAX

typedef struct QuotaLimit {
        uint64_t user;         /* of one user other than root */
        uint64_t total;
} QuotaLimit;

typedef struct QuotaRequest {
        QuotaResource resource;
        uid_t uid;             /* who has it then */
        uid_t asker;           /* who reads the refusal: how much others have is for root */
        uint64_t wanted;
        uint64_t used;         /* by the user */
        uint64_t used_in_all;
} QuotaRequest;

/* The limit that binds @uid of what all users have together. */
uint64_t quota_total_for(QuotaResource resource, const QuotaLimit *limit, uid_t uid);
/* 0, or -ECANCELED with *ret saying which limit of whom, how much of it is used, and what to do. */
int quota_check(const QuotaRequest *request, const QuotaLimit *limit, Failure *ret);
/* The same for a limit that is built in, of one thing: "the WHAT of WHOSE", as "the files of session 'vm1'". */
int quota_check_one(const char *what,
                    const char *whose,
                    uint64_t used,
                    uint64_t wanted,
                    uint64_t limit,
                    const char *advice,
                    Failure *ret);

/* Who has how much. */
typedef struct Tally {
        List users;            /* TallyUser.link, ascending by uid */
        uint64_t total[_QUOTA_MAX];
} Tally;

typedef struct TallyUser {
        uid_t uid;
        uint64_t used[_QUOTA_MAX];
        ListLink link;
} TallyUser;

void tally_init(Tally *tally);
void tally_done(Tally *tally);
/* 0 or -ENOMEM; nothing is counted then. */
int tally_add(Tally *tally, QuotaResource resource, uid_t uid, uint64_t n);
/* What was added before. */
void tally_remove(Tally *tally, QuotaResource resource, uid_t uid, uint64_t n);
uint64_t tally_of(const Tally *tally, QuotaResource resource, uid_t uid);
