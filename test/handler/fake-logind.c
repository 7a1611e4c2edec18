/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-logind.h"

typedef struct FakeConnection {
        Logind logind;
        FakeLogind *fake;
        LogindEvents events;
        logind_done_fn done;
        void *userdata;
} FakeConnection;

static FakeConnection *connection_of(Logind *l) {
        return (FakeConnection *) l;
}

static void answer(FakeConnection *c) {
        logind_done_fn done = c->done;

        c->done = NULL;
        if (!c->fake->refusal)
                c->fake->shutting_down = true;
        if (done)
                done(c->fake->refusal, c->userdata);
}

static int fake_kexec(Logind *l, logind_done_fn done, void *userdata) {
        FakeConnection *c = connection_of(l);

        c->fake->n_kexecs++;
        c->done = done;
        c->userdata = userdata;
        if (!c->fake->silent)
                answer(c);
        return 0;
}

static void fake_hold(Logind *l, LogindLock lock, const char *why) {
        FakeLogind *f = connection_of(l)->fake;

        free(f->held[lock]);
        f->held[lock] = why ? strdup(why) : NULL;
}

static bool fake_holds(Logind *l, LogindLock lock) {
        return connection_of(l)->fake->held[lock];
}

static uint64_t fake_get_delay_max(Logind *l) {
        return connection_of(l)->fake->delay_max;
}

static bool fake_is_shutting_down(Logind *l) {
        return connection_of(l)->fake->shutting_down;
}

static ShutdownKind fake_get_kind(Logind *l) {
        return connection_of(l)->fake->kind;
}

static bool fake_look_for_kexec(Logind *l) {
        return connection_of(l)->fake->kexec_queued;
}

static Logind *fake_free(Logind *l) {
        FakeConnection *c = connection_of(l);

        for (LogindLock lock = 0; lock < _LOGIND_LOCK_MAX; lock++)
                fake_hold(l, lock, NULL);
        c->fake->connection = NULL;
        free(c);
        return NULL;
}

static const LogindOps fake_ops = {
        .kexec = fake_kexec,
        .hold = fake_hold,
        .holds = fake_holds,
        .get_delay_max = fake_get_delay_max,
        .is_shutting_down = fake_is_shutting_down,
        .get_kind = fake_get_kind,
        .look_for_kexec = fake_look_for_kexec,
        .free = fake_free,
};

void fake_logind_init(FakeLogind *f) {
        *f = (FakeLogind) { .delay_max = 5000000 };
}

void fake_logind_done(FakeLogind *f) {
        for (LogindLock lock = 0; lock < _LOGIND_LOCK_MAX; lock++)
                free(f->held[lock]);
}

Logind *fake_logind_connect(FakeLogind *f, const LogindEvents *events) {
        FakeConnection *c = calloc(1, sizeof(*c));

        if (!c)
                abort();
        *c = (FakeConnection) { .logind.ops = &fake_ops, .fake = f, .events = *events };
        f->connection = c;
        return &c->logind;
}

void fake_logind_answer(FakeLogind *f) {
        answer(f->connection);
}

void fake_logind_prepare(FakeLogind *f, bool start, ShutdownKind kind) {
        f->shutting_down = start;
        f->kind = kind;
        f->connection->events.prepare(start, kind, f->connection->events.userdata);
}

void fake_logind_begin(FakeLogind *f) {
        f->shutting_down = true;
        f->connection->events.kexec_begun(f->connection->events.userdata);
}
