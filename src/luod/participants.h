/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "caller.h"
#include "failure.h"
#include "list.h"
#include "luod-limits.h"

/* Who takes part in a live update: those who hold a lock against it (Inhibit()), and sessions whose owner wants to be waited
 * for (SetReady()). What follows from that is update.c's. Manager.participants.
 *
 * A lock is a FIFO in RUNTIME_DIR/inhibit, as logind's are: its holder has the writing end, luod the reading one, which
 * hangs up when the last copy of the holder's is closed, by whatever death. Beside it lies a record, so that a restarted luod
 * has the same locks. */

struct Manager;
struct Session;

typedef enum LockMode {
        LOCK_DELAY, /* is waited for, up to the deadline */
        LOCK_BLOCK, /* there is no update while it is held; taken while one is prepared it ends that */
        _LOCK_MODE_MAX,
        _LOCK_MODE_INVALID = -EINVAL,
} LockMode;

typedef struct Lock {
        struct Manager *manager;
        uint64_t id;
        LockMode mode;
        char who[LOCK_TEXT_MAX + 1], why[LOCK_TEXT_MAX + 1];
        uid_t uid;
        pid_t pid;             /* of who asked for it, for people to read: it may be another's by now; 0: not known */
        uint64_t taken;        /* usec, CLOCK_REALTIME */
        int fd;                /* the reading end */
        sd_event_source *source;
        ListLink link;         /* Participants.locks */
} Lock;

typedef struct Participants {
        List locks;            /* Lock.link */
        unsigned n_locks;
        uint64_t next_id;
} Participants;

void participants_init(Participants *participants);
/* The locks stay where they are: the next luod has them. */
void participants_done(Participants *participants);
/* Takes up the locks that a luod before this one gave out in this boot and that are still held. What can't be read is
 * removed. */
void participants_restore(struct Manager *manager);

/* At once: 0 with the writing end in *ret_fd, the caller's; or -ECANCELED. @who and @why: LOCK_TEXT_MAX bytes at the most,
 * printable UTF-8, not empty. */
int operation_inhibit(struct Manager *manager,
                      const Caller *caller,
                      const char *what,
                      const char *who,
                      const char *why,
                      const char *mode,
                      int *ret_fd,
                      Failure *ret);

/* Breaks the lock @id: the holder sees an error (POLLERR) on his end, the update does not wait for it any more. For root, and for
 * whoever took it. At once: 0 or -ECANCELED, which is the same for a lock of others and for none. */
int operation_release_lock(struct Manager *manager, const Caller *caller, uint64_t id, Failure *ret);

/* The first of that mode, or NULL. */
const Lock *participants_find(const Participants *participants, LockMode mode);

/* A session is waited for from SetReady(false) until SetReady(true), or while it is incoming not at all. At once: 0 or
 * -ECANCELED. */
int operation_set_ready(struct Manager *manager, struct Session *session, const Caller *caller, bool ready, Failure *ret);
bool session_is_awaited(const struct Session *session);
/* An update came to nothing: who takes part is not ready any more. */
void participants_reset(struct Manager *manager);

const char *lock_mode_to_string(LockMode mode);
LockMode lock_mode_from_string(const char *s);
