/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "restored-record.h"
#include "unit-starter.h"

/* What became of the sessions that the last live update brought: claimed by their owners, failed, or still waiting; and
 * those who want to know: units that are started once for each stage, /run/luod/incoming/NAME for conditions of units, and
 * properties on the bus. Nothing here drops anything or waits for anything. */

struct Manager;
struct Session;

/* One after the other, and never back within a boot. */
typedef enum RestoreStage {
        RESTORE_NONE,     /* this boot was none by a live update */
        RESTORE_RESTORED, /* sessions are there to be claimed */
        RESTORE_CLAIMED,  /* none waits for its owner any more */
        RESTORE_FINISHED, /* no incoming session is left: they were finished, discarded or renewed */
} RestoreStage;

typedef enum RestoredUnit {
        RESTORED_UNIT_RESTORED, /* OnRestored= */
        RESTORED_UNIT_CLAIMED,  /* OnClaimed= */
        RESTORED_UNIT_FINISHED, /* OnFinished= */
        RESTORED_UNIT_IMPAIRED, /* OnImpaired=, each time that the host becomes so */
        _RESTORED_UNIT_MAX,
} RestoredUnit;

/* Started for OnRestored= if that does not name another one. */
#define RESTORED_TARGET "luod-restored.target"

/* Each incoming session is one of these. */
typedef enum Claim {
        CLAIM_NONE,    /* "": not an incoming session */
        CLAIM_WAITING, /* "unclaimed" */
        CLAIM_CLAIMED, /* "claimed" */
        CLAIM_FAILED,  /* "failed": something of it did not come back */
        _CLAIM_MAX,
        _CLAIM_INVALID = -22, /* -EINVAL */
} Claim;

typedef struct RestoredCounts {
        unsigned by_claim[_CLAIM_MAX]; /* CLAIM_NONE: 0 */
        unsigned incoming;             /* all of those */
        unsigned renewed;              /* went on into the next update */
        unsigned ended;                /* finished or discarded */
        unsigned flagged;              /* incoming ones that have flags (state.h) */
        int error;                     /* of the first that failed */
} RestoredCounts;

typedef struct RestoredStart {
        struct Manager *manager;
        RestoredUnit unit;
} RestoredStart;

typedef struct Restored {
        bool started;
        RestoredRecord record;
        RestoredStart starts[_RESTORED_UNIT_MAX];
        unsigned units_under_way; /* bits of RestoredUnit */
        char state[16];           /* what the bus was told last */
        char message[256];
        RestoredCounts counts;
} Restored;

/* Once the change-over is through, before READY=1: makes the files in incoming/, and starts units. */
void restored_start(struct Manager *manager);
void restored_done(struct Manager *manager);

/* The one place where a session is claimed: its owner used it (Retrieve(), RetrieveMany(), Finish(), Renew()). Does nothing
 * when it was before. */
void restored_claim(struct Manager *manager, struct Session *session);
/* A file of it did not come back; the file's record says so. */
void restored_session_failed(struct Manager *manager, struct Session *session);
/* It is over, or an outgoing one now. */
void restored_session_left(struct Manager *manager, const struct Session *session);

Claim session_get_claim(const struct Session *session);
/* Positive errno of what failed first; ENODATA: a kernel session did not come; 0: nothing. */
int session_get_error(const struct Session *session);
const char *claim_to_string(Claim claim);
