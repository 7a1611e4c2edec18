/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* What an admin should know before a live update. */

typedef enum FindingSeverity {
        FINDING_OK,
        FINDING_WARNING, /* something will be lost, or is not as it should be */
        FINDING_BLOCKS,  /* something that is kept would be lost by a live update, or all of it */
        _FINDING_SEVERITY_MAX,
} FindingSeverity;

typedef struct Finding {
        FindingSeverity severity;
        const char *id;       /* short, stable, static */
        char message[512];
        char fix[384];        /* what to do; empty for FINDING_OK */
} Finding;

#define FINDINGS_MAX 15U

/* Looks at everything; returns how many of @ret were filled. */
size_t manager_check(Manager *manager, Finding ret[static FINDINGS_MAX]);

/* The first of them that is against a live update now, as FAILURE_UPDATE_BLOCKED: one that blocks, or that no kernel is loaded.
 * Incoming sessions named in @drop_unclaimed (NULL-terminated; NULL: none) may be lost. @before_renewal: those that luod will
 * renew by itself first don't count, nor, with @carry, those that nobody has claimed. 0, or -ECANCELED with *ret filled. */
int manager_check_blocking(
                Manager *manager, const char *const *drop_unclaimed, bool before_renewal, bool carry, Failure *ret);

/* Files of that kind that go over the next live update; if there are some, *ret_session has one of them. */
unsigned manager_count_outgoing(const Manager *manager, FileKind kind, const char **ret_session);

const char *finding_severity_to_string(FindingSeverity severity);
