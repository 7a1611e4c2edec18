/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* What an admin should know before a live update. */

typedef enum FindingSeverity {
        FINDING_OK,
        FINDING_WARNING, /* something will be lost, or is not as it should be */
        FINDING_BLOCKS,  /* nothing can be kept */
        _FINDING_SEVERITY_MAX,
} FindingSeverity;

typedef struct Finding {
        FindingSeverity severity;
        const char *id;       /* short, stable, static */
        char message[512];
        char fix[384];        /* what to do; empty for FINDING_OK */
} Finding;

#define FINDINGS_MAX 10U

/* Looks at everything; returns how many of @ret were filled. */
size_t manager_check(Manager *manager, Finding ret[static FINDINGS_MAX]);

const char *finding_severity_to_string(FindingSeverity severity);
