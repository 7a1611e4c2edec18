/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager.h"
#include "reports.h"
#include "reports-internal.h"

/* The report must be on disk before the jump: of all that luod writes it alone outlives a cold boot, and it is to tell what was
 * lost by it. A disk may take seconds for that, so a worker does it, and nobody waits for longer than REPORT_SYNC_MAX_USEC. What is
 * noted meanwhile is written when the worker is through. */

typedef struct ReportHandOver {
        Manager *manager;
        char *text;
        void (*done)(Manager *manager); /* NULL: it was called, or is not wanted any more */
        sd_event_source *timer;
} ReportHandOver;

static void hand_over_free(ReportHandOver *h) {
        sd_event_source_disable_unref(h->timer);
        free(h->text);
        free(h);
}

static void tell(ReportHandOver *h) {
        void (*done)(Manager *) = h->done;

        h->done = NULL;
        h->timer = sd_event_source_disable_unref(h->timer);
        if (done)
                done(h->manager);
}

/* In the worker. */
static void put(void *arg, WorkerReply *reply) {
        const ReportHandOver *h = arg;
        int error = 0;

        reply->error = report_store_put(&h->manager->reports.store, "hand-over", REPORT_UNDER_WAY_NAME, h->text, /* sync= */ true,
                                        &error);
        reply->values[0] = (uint64_t) -error;
}

static void on_put(WorkerReply *reply, void *userdata) {
        ReportHandOver *h = userdata;
        Manager *m = h->manager;

        m->reports.hand_over = NULL;
        reports_note_written(m, reply->error, -(int) reply->values[0]);
        if (!reports_under_way(m)) /* its end was faster, and is in a file of its own */
                report_store_remove(&m->reports.store, REPORT_UNDER_WAY_NAME);
        else if (m->reports.departing_changed)
                reports_changed(m, &m->reports.departing_changed);
        tell(h);
        hand_over_free(h);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        ReportHandOver *h = userdata;

        reports_complain(h->manager,
                         "The report of the live update is not on disk after %llu s: it is not waited for any more, and may be lost "
                         "should the kexec fail",
                         REPORT_SYNC_MAX_USEC / 1000000);
        tell(h);
        return 0;
}

static int start(Manager *m, void (*done)(Manager *manager)) {
        ReportHandOver *h;
        int r;

        if (m->reports.hand_over) /* of an update before this one, which has come to nothing: the disk hangs */
                return -EBUSY;
        h = malloc(sizeof(*h));
        if (!h)
                return -ENOMEM;
        *h = (ReportHandOver) { .manager = m, .done = done };
        r = report_encode(&m->reports.departing, /* viewer= */ 0, &h->text);
        if (r >= 0)
                r = sd_event_add_time_relative(m->event, &h->timer, CLOCK_BOOTTIME, REPORT_SYNC_MAX_USEC, /* accuracy= */ 0, on_time,
                                               h);
        if (r >= 0)
                r = worker_run(&m->workers, put, h, NULL, 0, /* flags= */ 0, on_put, h);
        if (r < 0) {
                hand_over_free(h);
                return r;
        }
        m->reports.hand_over = h;
        m->reports.departing_changed = false;
        return 0;
}

void reports_hand_over(Manager *m, void (*done)(Manager *manager)) {
        int r;

        if (!reports_under_way(m)) {
                done(m);
                return;
        }
        r = reports_list_outgoing(m);
        reports_stage(m, REPORT_TIME_HANDOVER);
        if (r >= 0)
                r = start(m, done);
        if (r >= 0)
                return;
        reports_complain(m, "The report of the live update can't be brought to the disk before the jump: %s", strerror(-r));
        done(m);
}

void reports_forget_hand_over(Manager *m) {
        if (m->reports.hand_over)
                m->reports.hand_over->done = NULL;
}

void reports_hand_over_done(Reports *rs) {
        if (rs->hand_over)
                hand_over_free(rs->hand_over);
}
