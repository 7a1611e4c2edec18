/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "failure.h"
#include "logind.h"

/* A live update, from the request to the jump. Manager.update; update.c opens with how it goes. */

struct Lock;
struct Manager;
struct Session;

typedef enum UpdateState {
        UPDATE_IDLE,
        UPDATE_PREPARING,     /* PrepareForUpdate(true) was sent; who takes part is waited for */
        UPDATE_HANDING_OVER,  /* logind has it, or is being asked: nothing new is kept */
        UPDATE_SHUTTING_DOWN, /* units are being stopped for the kexec; what they keep on their way out is taken */
        _UPDATE_STATE_MAX,
        _UPDATE_STATE_INVALID = -EINVAL,
} UpdateState;

/* How the host came to be updated. Only on the first is anybody able to say no. */
typedef enum UpdateRoad {
        ROAD_UPDATE, /* Update() */
        ROAD_LOGIND, /* 'systemctl kexec' through logind, which waits InhibitDelayMaxSec= for luod */
        ROAD_TARGET, /* kexec.target was started without logind: nobody waits for luod but PID 1, in luod's stop */
        _UPDATE_ROAD_MAX,
        _UPDATE_ROAD_INVALID = -EINVAL,
} UpdateRoad;

typedef enum UpdateResult {
        UPDATE_RESULT_HANDED_OVER, /* accepted by logind */
        UPDATE_RESULT_CANCELLED,
        UPDATE_RESULT_FAILED,
        _UPDATE_RESULT_MAX,
} UpdateResult;

/* Once for each Update() that was accepted: @failure NULL: it was handed over. */
typedef void (*update_done_fn)(const Failure *failure, void *userdata);

typedef struct Update {
        UpdateState state;
        UpdateRoad road;
        bool force;                /* at the deadline goes on without those who are not ready */
        uint64_t begun;            /* usec, CLOCK_BOOTTIME */
        uint64_t deadline;         /* usec, CLOCK_REALTIME, for people; 0: none */
        sd_event_source *timer;    /* the deadline, on CLOCK_BOOTTIME */
        sd_event_source *defer;    /* looks who is still waited for */
        char **drop_unclaimed;     /* names, NULL-terminated; or NULL */
        bool interrupted;          /* a luod before this one had begun it, and nobody was told yet that it is over */
        bool shut_down_otherwise;  /* and the host is being shut down meanwhile, not for it */
        bool carry;                /* sessions that nobody has claimed are carried first */
        bool writing;              /* the report is on its way to the disk, and the hand-over waits for that */
        bool renewing;             /* the renewals that luod does by itself are under way */
        update_done_fn done;       /* NULL: nobody waits */
        void *userdata;
        void (*stopped)(struct Manager *manager, void *userdata); /* update_stop() */
        void *stopped_userdata;
} Update;

typedef struct UpdateOptions {
        uint64_t deadline;         /* usec from now; 0: as configured (PrepareTimeout=) */
        bool force;
        bool carry;                /* carries unclaimed sessions on; root's decision */
        bool no_wait;              /* @done is called once preparing has begun */
        char *const *drop_unclaimed; /* borrowed; NULL: none */
} UpdateOptions;

/* What logind and PID 1 tell: for logind_new_systemd(). @userdata is the manager. */
LogindEvents update_logind_events(struct Manager *manager);

/* Looks what became of an update that a luod before this one, in this boot, had begun: it goes on if the shutdown is under way,
 * else it is cancelled. Once there are sessions, and before clients. */
void update_restore(struct Manager *manager);
/* Once clients can hear of it: tells of one that ended with luod's death. */
void update_resume(struct Manager *manager);
/* Ends nothing, tells nobody. */
void update_done(struct Manager *manager);

/* 0 when it is being prepared: @done is then called exactly once, perhaps before this returns; or -ECANCELED: somebody or
 * something is against it. */
int operation_update(struct Manager *manager, const UpdateOptions *options, update_done_fn done, void *userdata, Failure *ret);
/* 0, or -ECANCELED: there is none, or it is too late. */
int operation_cancel_update(struct Manager *manager, Failure *ret);

/* Something that an update may wait for, or that luod's own locks depend on, has changed: it is looked at in the next turn of
 * the event loop. */
void update_poke(struct Manager *manager);

/* The same of a lock that is about to be freed, and of a session that says that it is ready. */
void update_lock_released(struct Manager *manager, const struct Lock *lock);
void update_session_ready(struct Manager *manager, const struct Session *session);

/* Refuses what would keep something new, or hold the update off, once it is being handed over. 0 or -ECANCELED. */
int update_check_open(struct Manager *manager, Failure *ret);

/* luod is being stopped: an update that is prepared on its own road is cancelled, one that the shutdown waits for comes to its
 * end first. @stopped is called once, perhaps at once. */
void update_stop(struct Manager *manager, void (*stopped)(struct Manager *manager, void *userdata), void *userdata);

/* Who is waited for, as long as one is prepared. Strings are borrowed; returns 0 or what @each returned first. */
int update_foreach_awaited(struct Manager *manager,
                           int (*each)(const char *kind, const char *name, const char *why, void *userdata),
                           void *userdata);

const char *update_state_to_string(UpdateState state);
const char *update_road_to_string(UpdateRoad road);
const char *update_result_to_string(UpdateResult result);
