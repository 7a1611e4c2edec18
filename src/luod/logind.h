/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "macro.h"

/* Who shuts the host down: logind, so that inhibitors, wall messages and the order of all units hold; where there is none,
 * PID 1. luod asks it for the kexec, hears of those that others ask for, and holds locks against them. One implementation is
 * the real one; tests bring their own. */

typedef struct Logind Logind;

typedef enum LogindLock {
        LOGIND_DELAY, /* luod hears of a shutdown before anything stops, and logind waits a while for luod */
        LOGIND_BLOCK, /* there is no shutdown */
        _LOGIND_LOCK_MAX,
} LogindLock;

typedef enum ShutdownKind {
        SHUTDOWN_KEXEC,
        SHUTDOWN_COLD,    /* reboot, power-off, halt, soft-reboot */
        SHUTDOWN_UNKNOWN, /* an old logind does not say */
} ShutdownKind;

/* @message is NULL on success. */
typedef void (*logind_done_fn)(const char *message, void *userdata);

typedef struct LogindEvents {
        /* logind is about to shut down, and waits for delay locks; or (@start false) it does not any more. */
        void (*prepare)(bool start, ShutdownKind kind, void *userdata);
        /* PID 1 has begun to stop units for a kexec. */
        void (*kexec_begun)(void *userdata);
        void *userdata;
} LogindEvents;

typedef struct LogindOps {
        /* Has the host shut down into the loaded kernel. @done: it was accepted, or why not; where the answer fails to come, that is
         * what became of it as far as logind and PID 1 can tell. 0 or -errno. */
        int (*kexec)(Logind *logind, logind_done_fn done, void *userdata);
        /* Takes a lock, or with @why NULL releases it. It is asked for and may come later, or never where there is no logind.
         * One that is held with another @why is replaced. */
        void (*hold)(Logind *logind, LogindLock lock, const char *why);
        bool (*holds)(Logind *logind, LogindLock lock);
        /* How long logind waits for delay locks (InhibitDelayMaxSec=), usec; 0: not known, or there is no logind. */
        uint64_t (*get_delay_max)(Logind *logind);
        /* Whether a shutdown is under way, as far as is known, and of what kind. */
        bool (*is_shutting_down)(Logind *logind);
        ShutdownKind (*get_kind)(Logind *logind);
        /* Whether PID 1 has a job for kexec.target now. Asks, and waits for up to 2 s: for luod's stop, which may come before the
         * news of what it is for. */
        bool (*look_for_kexec)(Logind *logind);
        Logind *(*free)(Logind *logind);
} LogindOps;

struct Logind {
        const LogindOps *ops;
};

/* @bus is the system bus, connected. What must be known at once is asked for before this returns. 0 or -errno. */
int logind_new_systemd(sd_event *event, sd_bus *bus, const LogindEvents *events, Logind **ret);

/* All take NULL for a host where nobody can be asked. */
int logind_kexec(Logind *logind, logind_done_fn done, void *userdata);
void logind_hold(Logind *logind, LogindLock lock, const char *why);
bool logind_holds(Logind *logind, LogindLock lock);
uint64_t logind_get_delay_max(Logind *logind);
bool logind_is_shutting_down(Logind *logind);
/* Only while there is one. */
ShutdownKind logind_get_kind(Logind *logind);
bool logind_look_for_kexec(Logind *logind);
Logind *logind_free(Logind *logind);
