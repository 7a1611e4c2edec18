/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "macro.h"
#include "report-maker.h"

#define BEGAN UINT64_C(1795610140000000)
#define MS UINT64_C(1000)

static ReportStamp before_jump(uint64_t ms) {
        ReportStamp s = { .realtime = BEGAN + ms * MS, .boottime = 5000 * MS + ms * MS };

        memcpy(s.boot_id, MAKER_FROM_BOOT, sizeof(s.boot_id));
        return s;
}

/* The next kernel's clock begins 9.2 s after the request, and shows 700 ms less than is right. */
static ReportStamp after_jump(uint64_t ms) {
        ReportStamp s = { .realtime = BEGAN + 8500 * MS + ms * MS, .boottime = ms * MS };

        memcpy(s.boot_id, MAKER_TO_BOOT, sizeof(s.boot_id));
        return s;
}

static void make_session(Report *r, unsigned i, bool hostile) {
        static const ReportOutcome outcomes[] = { REPORT_FINISHED, REPORT_CLAIMED, REPORT_RENEWED, REPORT_UNCLAIMED,
                                                  REPORT_GONE_BAD, REPORT_GONE,    REPORT_CARRIED };
        ReportSession *s = report_add_session(r);

        assert(s && report_session_set_files(s, 2) >= 0);
        s->sid = UINT64_MAX - i;
        if (hostile)
                report_set_text(s->name, sizeof(s->name), MAKER_HOSTILE);
        else
                (void) snprintf(s->name, sizeof(s->name), "guest-%u.example.org", i);
        s->uid = i % 2 ? 1000 : 0;
        s->outcome = outcomes[i % ARRAY_SIZE(outcomes)];
        s->ready = before_jump(1200 + 97 * i % 2000);
        s->files[0] = (ReportFile) { .token = UINT64_MAX, .label = "ram", .size = UINT64_C(1) << 63 };
        s->files[1] = (ReportFile) { .token = 0, .outcome = REPORT_FILE_RETRIEVED };
        if (s->outcome == REPORT_GONE)
                report_set_text(s->why, sizeof(s->why), "the next kernel did not bring it");
        if (s->outcome == REPORT_GONE_BAD) {
                s->files[0].outcome = REPORT_FILE_FAILED;
                s->files[0].error = ENOMEM;
                report_set_text(s->files[0].why, sizeof(s->files[0].why), strerror(ENOMEM));
        }
        if (s->outcome != REPORT_UNCLAIMED && s->outcome != REPORT_GONE)
                s->claimed = after_jump(4800 + 131 * i % 4000);
        if (s->outcome == REPORT_FINISHED || s->outcome == REPORT_RENEWED)
                s->finished = after_jump(6500 + 177 * i % 9000 + (i % 5 == 0 ? 3600000 : 0));
}

static void make_delay(Report *r, ReportDelayKind kind, const char *who, uint64_t from, uint64_t until, bool waited_for) {
        ReportDelay *d = report_add_delay(r);

        assert(d);
        *d = (ReportDelay) { .kind = kind, .from = (5000 + from) * MS, .until = (5000 + until) * MS, .waited_for = waited_for };
        report_set_text(d->who, sizeof(d->who), who);
        report_set_text(d->why, sizeof(d->why), "pausing its guests");
}

void make_report(Report *ret, unsigned n_sessions, bool hostile) {
        Report r = { .id = 7, .road = REPORT_ROAD_LUOCTL, .result = REPORT_DONE, .from_kernel = "7.3.4-1-amd64",
                     .to_kernel = "7.3.5-1-amd64", .from_boot = MAKER_FROM_BOOT, .to_boot = MAKER_TO_BOOT };

        report_set_text(r.message, sizeof(r.message), hostile ? MAKER_HOSTILE : "");
        r.times[REPORT_TIME_REQUEST] = before_jump(0);
        r.times[REPORT_TIME_PREPARE] = before_jump(350);
        r.times[REPORT_TIME_READY] = before_jump(3300);
        r.times[REPORT_TIME_HANDOVER] = before_jump(3700);
        r.times[REPORT_TIME_SHUTDOWN].realtime = BEGAN + 3900 * MS;
        r.times[REPORT_TIME_JUMP].realtime = BEGAN + 7900 * MS;
        r.times[REPORT_TIME_KERNEL] = after_jump(0);
        r.times[REPORT_TIME_USERSPACE] = after_jump(2100);
        r.times[REPORT_TIME_LUOD] = after_jump(4400);
        r.times[REPORT_TIME_FIRST_CLAIM] = after_jump(4800);
        r.times[REPORT_TIME_LAST_FINISH] = after_jump(12000);
        make_delay(&r, REPORT_DELAY_LOCK, hostile ? MAKER_HOSTILE : "libvirtd", 400, 2900, true);
        make_delay(&r, REPORT_DELAY_SESSION, hostile ? MAKER_HOSTILE : "guest-1.example.org", 400, 3300, false);
        for (unsigned i = 0; i < n_sessions; i++)
                make_session(&r, i, hostile);
        *ret = r;
}
