/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "operations.h"

/* Renewals that luod sees to itself: of sessions that a live update would lose otherwise (before it), and of those that were begun
 * and failed behind the point of no return, whoever began them. A few at a time, as each has files parked in systemd's fd store
 * meanwhile; one that fails is tried again after a pause, which doubles. */

static uint64_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static bool failed_for_good(const Session *s) {
        return s->renewal_tries >= RENEWAL_TRIES;
}

static void note_failure(Session *s) {
        s->renewal_next = now_monotonic() + MIN(RENEWAL_RETRY_USEC << MIN(s->renewal_tries, 16U), RENEWAL_RETRY_MAX_USEC);
        s->renewal_tries++;
}

static bool wants_renewal(const Manager *m, const Session *s) {
        if (s->record.direction != DIRECTION_INCOMING || s->n_renewals > 0)
                return false;
        if (s->record.state == SESSION_RENEWING) /* for as long as it takes */
                return true;
        return s->record.state == SESSION_LIVE && m->renewals_wanted && !failed_for_good(s) && m->renewals_wanted(m, s);
}

/* @s may be gone afterwards: what waits for the renewal may be its end. */
static void start_one(Manager *m, Session *s) {
        Failure failure = FAILURE_INIT;

        if (s->record.state == SESSION_RENEWING) {
                if (operation_continue_renewal(m, s) == -ENOMEM)
                        note_failure(s);
                return;
        }
        if (manager_check_ready(m, /* keeps= */ true, &failure) < 0)
                note_failure(s);
        else if (operation_renew_unasked(m, s, &failure) < 0 &&
                 (failure.kind == FAILURE_RETRIEVE_FAILED || failure.kind == FAILURE_WRONG_DIRECTION))
                s->renewal_tries = RENEWAL_TRIES; /* that is how it is */
        else if (failure.kind == FAILURE_OUT_OF_MEMORY)
                note_failure(s);
}

static void call_over(Manager *m) {
        void (*over)(Manager *, void *) = m->renewals_over;
        void *userdata = m->renewals_userdata;

        renewals_stop_automatic(m);
        if (over)
                over(m, userdata);
}

/* Starts what can be started now. */
static void renewals_go_on(Manager *m) {
        uint64_t now = now_monotonic(), wake = UINT64_MAX;
        bool more = false;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                if (!wants_renewal(m, s))
                        continue;
                more |= !failed_for_good(s);
                if (s->renewal_next > now)
                        wake = MIN(wake, s->renewal_next);
                else if (m->n_renewals < RENEWALS_AT_ONCE) /* else one that ends comes by here */
                        start_one(m, s);
        }
        if (wake != UINT64_MAX) {
                (void) sd_event_source_set_time(m->renewals_timer, wake);
                (void) sd_event_source_set_enabled(m->renewals_timer, SD_EVENT_ONESHOT);
        }
        if (m->renewals_wanted && !more && m->n_renewals == 0)
                call_over(m);
}

static int on_defer(sd_event_source *source, void *userdata) {
        Manager *m = userdata;

        if (!m->stopping)
                renewals_go_on(m);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        return on_defer(source, userdata);
}

int renewals_init(Manager *m) {
        int r;

        r = sd_event_add_defer(m->event, &m->renewals_defer, on_defer, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->renewals_defer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(m->event, &m->renewals_timer, CLOCK_MONOTONIC, /* usec= */ 0, /* accuracy= */ 0, on_timer, m);
        return r < 0 ? r : sd_event_source_set_enabled(m->renewals_timer, SD_EVENT_OFF);
}

void renewals_done(Manager *m) {
        m->renewals_defer = sd_event_source_disable_unref(m->renewals_defer);
        m->renewals_timer = sd_event_source_disable_unref(m->renewals_timer);
}

void renewals_kick(Manager *m) {
        if (m->renewals_defer)
                (void) sd_event_source_set_enabled(m->renewals_defer, SD_EVENT_ONESHOT);
}

void renewals_begun(Manager *m, Session *s) {
        s->n_renewals++;
        m->n_renewals++;
}

void renewals_ended(Manager *m, Session *s) {
        m->n_renewals--;
        if (s) {
                s->n_renewals--;
                if (s->record.direction == DIRECTION_INCOMING)
                        note_failure(s);
                else
                        s->renewal_tries = 0;
        }
        renewals_kick(m);
}

int renewals_start_automatic(Manager *m,
                             bool (*is_wanted)(const Manager *manager, const Session *session),
                             void (*done)(Manager *manager, void *userdata),
                             void *userdata) {
        Session *s;

        if (m->renewals_wanted)
                return -EBUSY;
        m->renewals_wanted = is_wanted;
        m->renewals_over = done;
        m->renewals_userdata = userdata;
        LIST_FOREACH(&m->state.sessions, Session, link, s)
                s->renewal_tries = s->renewal_next = 0;
        renewals_kick(m);
        return 0;
}

void renewals_stop_automatic(Manager *m) {
        m->renewals_wanted = NULL;
        m->renewals_over = NULL;
}

unsigned renewals_under_way(Manager *m) {
        unsigned n = 0;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                n += s->n_renewals > 0 || s->record.state == SESSION_RENEWING;
        return n;
}
