/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether those who have sessions are still there. */

typedef struct Owner {
        uid_t uid;
        bool lives; /* a process of that user runs */
        bool named; /* /etc/passwd has it; users that come from elsewhere it has not */
} Owner;

/* Fills in Owner.lives of @owners, sorted by uid, by looking at the processes in @proc ("/proc"). Looks for @max_usec at
 * the most. Returns 0 or -errno: -E2BIG, -ETIME: there are too many processes to look at, -ENODATA: processes of others can't be
 * seen (hidepid=). */
int owners_find_processes(const char *proc, Owner *owners, size_t n, uint64_t max_usec);
/* Fills in Owner.named of @owners, sorted by uid. 0 or -errno. */
int owners_find_names(const char *passwd, Owner *owners, size_t n);

/* Brings into order, without duplicates; returns how many are left. */
size_t owners_sort(Owner *owners, size_t n);
/* NULL if it is not among them. */
Owner *owners_find(Owner *owners, size_t n, uid_t uid);

/* What was found last. */
typedef struct OwnersSeen {
        Owner *owners;
        size_t n;
        int error;     /* or what it came to */
        uint64_t when; /* usec, of the clock that @now is of; 0: nothing was looked at */
} OwnersSeen;

/* owners_find_processes(), but not more often than every OWNERS_SEEN_USEC for the same owners: anybody may ask, as often as he likes,
 * and a host may have tens of thousands of processes. */
int owners_find_processes_seldom(OwnersSeen *seen, const char *proc, Owner *owners, size_t n, uint64_t max_usec, uint64_t now);
void owners_seen_done(OwnersSeen *seen);
