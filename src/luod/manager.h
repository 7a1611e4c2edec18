/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "caller.h"
#include "config.h"
#include "custody.h"
#include "failure.h"
#include "logind.h"
#include "luo.h"
#include "owners.h"
#include "participants.h"
#include "protect.h"
#include "restored.h"
#include "reports.h"
#include "state.h"
#include "store.h"
#include "target.h"
#include "update.h"
#include "usage.h"
#include "worker.h"

/* Everything luod is made of, wired together. The modules that act on it: restore.c (what is there at the
 * start), parts.c (kernel sessions), creation.c, preserve.c, retrieve.c, metadata.c, ending.c (what clients ask
 * for), restored.c (what became of what came). None of them knows the bus; what they must tell it goes through ManagerHooks. */

typedef enum LedgerHealth {
        LEDGER_NONE,    /* no LUO in this kernel: there is none */
        LEDGER_INTACT,
        LEDGER_DAMAGED, /* some records were lost; what they concern carries flags */
        LEDGER_REBUILT, /* it was lost: all that is known comes from the index of each part */
        LEDGER_NEWER,   /* it was written by a newer luod: kept, and known is what the index of each part says */
        _LEDGER_HEALTH_MAX,
        _LEDGER_HEALTH_INVALID = -EINVAL,
} LedgerHealth;

typedef struct ManagerHooks {
        void (*session_added)(Session *session, void *userdata);
        /* The session is not in the state any more, but can still be looked at during the call. */
        void (*session_removed)(Session *session, EndHow how, void *userdata);
        void (*session_changed)(Session *session, const char *property, void *userdata);
        void (*changed)(Manager *manager, const char *property, void *userdata);
        /* @deadline: usec, CLOCK_REALTIME; 0 with @start false. */
        void (*prepare_for_update)(bool start, uint64_t deadline, void *userdata);
        /* Everybody hears of it: @message names nobody. */
        void (*update_finished)(const char *result, const char *message, void *userdata);
        void *userdata;
} ManagerHooks;

struct Manager {
        sd_event *event;
        Config config;               /* what holds; manager_configure() changes it */
        const char *const *config_directories; /* where luod.conf is looked for; static, NULL: nowhere */
        const char *const *unit_directories; /* where luod.service is looked for; static */
        const LuoOps *luo;
        LuoSupport support;
        unsigned features;           /* LuoFeature; none while they are not known */
        int features_error;          /* and why not */
        bool probing_features;
        Workers workers;
        Custody *custody;            /* NULL: none */
        State state;
        Store store;
        LedgerHealth ledger_health;
        bool booted_by_live_update;
        bool stopping;               /* SIGTERM came: new requests are refused */
        Target target;               /* the kernel that comes next */
        Logind *logind;              /* NULL: none */
        Participants participants;
        Update update;
        Protect protect;
        Restored restored;           /* what became of what the last one brought */
        UnitStarter *unit_starter;   /* NULL: none */
        Reports reports;             /* of live updates */
        OwnersSeen owners_seen;      /* check.c */
        char *runtime_dir;           /* "/run/luod": the ledger's and the index files' names */
        ManagerHooks hooks;

        List parked;                 /* Parked.link (parking.h) */
        List probes;                 /* Probe.link (probe.c) */
        List identifications;        /* Identifying.link (identify.c) */
        List spare_waiters;          /* Job.wait_link: wait for a spare kernel session */
        unsigned n_jobs;
        Tally in_flight;             /* what calls hold and will add (usage.h) */
        uint64_t holes_in_flight;    /* bytes of holes that PRESERVEs under way may be filling */
        unsigned n_making;           /* spare kernel sessions being made */
        int making_error;            /* what the last making of spares came to */
        bool making_failed;          /* and will be tried again by the timer */
        bool device_busy;            /* the last try to make some failed so */
        sd_event_source *upkeep;     /* timer: tries again what failed (making spares, custody) */
        unsigned n_renewals;         /* jobs that renew sessions */
        /* renewals_start_automatic() is not through; NULL: it is. */
        bool (*renewals_wanted)(const Manager *manager, const Session *session);
        void (*renewals_over)(Manager *manager, void *userdata);
        void *renewals_userdata;
        sd_event_source *renewals_defer, *renewals_timer;
        void (*idle)(Manager *manager, void *userdata); /* called when the last job ended while stopping */
        void *idle_userdata;
};

/* @runtime_dir is copied, the configuration is as built. Nothing is read or done yet: that is manager_reload() and
 * manager_restore(). */
int manager_new(sd_event *event, const LuoOps *luo, const char *runtime_dir, Manager **ret);
Manager *manager_free(Manager *manager);
DEFINE_CLEANUP_FUNC(Manager, manager_free)

/* What luod.conf sets holds from now on, for new requests: nothing that there is already is ended. Takes over what
 * *config owns. */
void manager_configure(Manager *manager, Config *config);
/* Reads luod.conf anew. Of wrong values, and without memory, what held before stays. 0 or -ENOMEM. */
int manager_reload(Manager *manager, config_message_fn message, void *userdata);

/* No new requests from now on; @idle is called once those under way have ended, at once if there are none. */
void manager_stop(Manager *manager, void (*idle)(Manager *manager, void *userdata), void *userdata);

/* Refuses with the reason when sessions can't be made or changed: stopping, no LUO, no custody. @keeps: the
 * request would make something new kept. 0 or -ECANCELED with *ret filled. */
int manager_check_ready(Manager *manager, bool keeps, Failure *ret);
/* Refuses everybody but the session's owner and root. */
int manager_check_access(const Session *session, const Caller *caller, Failure *ret);
/* The same as an answer: whether @caller may know of the session and what is in it. */
bool session_is_seen_by(const Session *session, const Caller *caller);

const char *ledger_health_to_string(LedgerHealth health);
uint64_t now_realtime(void); /* usec */

/* Has the last fds of objects closed that nobody keeps any more. */
void manager_close_objects(Manager *manager);

/* Tells the bus, if there is one. */
void manager_emit(Manager *manager, const char *property);
void manager_emit_session(Manager *manager, Session *session, const char *property);
