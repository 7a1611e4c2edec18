/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "logind.h"

/* logind and PID 1 as luod sees them at a shutdown, for tests. It outlives luod, whose locks it loses with it. */

typedef struct FakeLogind {
        char *held[_LOGIND_LOCK_MAX]; /* why; NULL: not held */
        uint64_t delay_max;           /* usec */
        bool shutting_down;
        ShutdownKind kind;            /* of that */
        bool kexec_queued;            /* PID 1 has the job, and luod has not heard of it */
        const char *refusal;          /* what a kexec is answered with; NULL: it is taken */
        bool silent;                  /* it is not answered before fake_logind_answer() */
        unsigned n_kexecs;            /* asked for */
        struct FakeConnection *connection; /* luod's; NULL: luod is down */
} FakeLogind;

void fake_logind_init(FakeLogind *logind);
void fake_logind_done(FakeLogind *logind);
Logind *fake_logind_connect(FakeLogind *logind, const LogindEvents *events);
void fake_logind_answer(FakeLogind *logind);
/* What luod is told. */
void fake_logind_prepare(FakeLogind *logind, bool start, ShutdownKind kind);
void fake_logind_begin(FakeLogind *logind);
