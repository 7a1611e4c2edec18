/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "format-value.h"
#include "output.h"
#include "report-axis.h"
#include "report-text.h"
#include "table.h"

enum { KEY_WIDTH = 8 };

const char *report_describe_time(ReportTime time) {
        static const char *const descriptions[_REPORT_TIME_MAX] = {
                [REPORT_TIME_REQUEST] = "the update was asked for",
                [REPORT_TIME_PREPARE] = "participants get ready",
                [REPORT_TIME_READY] = "all are ready",
                [REPORT_TIME_HANDOVER] = "systemd is told to go on",
                [REPORT_TIME_SHUTDOWN] = "services are stopped",
                [REPORT_TIME_JUMP] = "the kernel jumps",
                [REPORT_TIME_KERNEL] = "the next kernel starts",
                [REPORT_TIME_USERSPACE] = "systemd starts services",
                [REPORT_TIME_LUOD] = "luod is up and waits for claims",
                [REPORT_TIME_FIRST_CLAIM] = "sessions are claimed",
                [REPORT_TIME_LAST_FINISH] = "the latest session was ended",
        };

        return time >= 0 && time < _REPORT_TIME_MAX ? descriptions[time] : "";
}

static const char *describe_result(ReportResult result) {
        switch (result) {
        case REPORT_FAILED:
                return "the host went on as before";
        case REPORT_CANCELLED:
                return "the host went on as before";
        case REPORT_LOST:
                return "the host was restarted cold: what was kept is gone";
        case REPORT_COLD_BOOT:
                return "the host was restarted before the hand-over";
        default:
                return NULL;
        }
}

static const char *describe_road(ReportRoad road) {
        switch (road) {
        case REPORT_ROAD_LUOCTL:
                return "luoctl update";
        case REPORT_ROAD_LOGIND:
                return "systemctl kexec, by way of logind";
        case REPORT_ROAD_KEXEC_TARGET:
                return "kexec.target was started past logind";
        case REPORT_ROAD_STOP_JOB:
                return "luod heard of it when it was stopped itself";
        default:
                return "luod did not hear of it before the jump";
        }
}

/* The time of day with milliseconds. */
static const char *format_clock(char buffer[static FORMAT_TIME_MAX], uint64_t usec) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;
        size_t n;

        if (!localtime_r(&seconds, &tm))
                return "?";
        n = strftime(buffer, FORMAT_TIME_MAX, "%H:%M:%S", &tm);
        (void) snprintf(buffer + n, FORMAT_TIME_MAX - n, ".%03u", (unsigned) (usec / 1000 % 1000));
        return buffer;
}

static void print_kernels(const Report *r) {
        print_key("Kernel", KEY_WIDTH);
        print_text(r->from_kernel[0] ? r->from_kernel : "unknown");
        if (r->to_kernel[0]) {
                printf(" -> ");
                print_text(r->to_kernel);
        }
        putchar('\n');
}

static void print_head(const Report *r, const ReportAxis *axis) {
        char began[FORMAT_TIME_MAX], span[FORMAT_SPAN_MAX];
        uint64_t blackout;

        printf("Live update %" PRIu64 "\n", r->id);
        print_key("Result", KEY_WIDTH);
        print_described(report_result_to_string(r->result), describe_result(r->result));
        print_key("Road", KEY_WIDTH);
        print_described(report_road_to_string(r->road), describe_road(r->road));
        if (r->message[0]) {
                print_key("Message", KEY_WIDTH);
                print_described(r->message, NULL);
        }
        print_kernels(r);
        if (axis) {
                print_key("Began", KEY_WIDTH);
                printf("%s%s\n", format_time(began, axis->first->realtime), r->forced ? ", forced" : "");
        }
        print_key("Sessions", KEY_WIDTH);
        printf("%zu", r->n_sessions);
        for (ReportOutcome o = 0; o < _REPORT_OUTCOME_MAX; o++)
                if (report_count(r, o) > 0)
                        printf(", %zu %s", report_count(r, o), report_outcome_to_string(o));
        putchar('\n');
        print_key("Blackout", KEY_WIDTH);
        if (report_blackout(r, &blackout))
                printf("%s (from %s to first-claim)\n", format_span(span, blackout),
                       report_time_to_string((ReportTime) (report_blackout_start(r) - r->times)));
        else
                printf("%s\n", r->result == REPORT_DONE && r->n_sessions > 0 ? "nothing was claimed yet" : "-");
}

static int add_time(Table *table, const Report *r, const ReportAxis *axis, ReportTime t) {
        ReportTime next = report_axis_next(r, t);
        char clock[FORMAT_TIME_MAX], after[FORMAT_SPAN_MAX], took[FORMAT_SPAN_MAX] = "";
        uint64_t place, end;

        if (!report_axis_place(axis, r->times + t, &place))
                return 0;
        if (next < _REPORT_TIME_MAX && report_axis_place(axis, r->times + next, &end))
                (void) format_span(took, end > place ? end - place : 0);
        return table_add(table, (const char *const[]){ report_time_to_string(t), format_clock(clock, r->times[t].realtime),
                                                       format_span(after, place), took, report_describe_time(t) });
}

static int print_timeline(const Options *o, const Report *r, const ReportAxis *axis) {
        static const TableColumn columns[] = {
                { .header = "STAGE" },
                { .header = "AT" },
                { .header = "AFTER", .right = true },
                { .header = "TOOK", .right = true },
                { .header = "WHAT", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int error;

        error = table_new(columns, ARRAY_SIZE(columns), &table);
        for (ReportTime t = 0; t < _REPORT_TIME_MAX && error >= 0; t++)
                error = add_time(table, r, axis, t);
        if (error < 0)
                return error;
        putchar('\n');
        return table_print(table, stdout, output_width(), o->legend);
}

static const char *format_place(char buffer[static FORMAT_SPAN_MAX], const ReportAxis *axis, const ReportStamp *stamp) {
        uint64_t place;

        return axis && report_axis_place(axis, stamp, &place) ? format_span(buffer, place) : "";
}

static int add_session(Table *table, const Report *r, const ReportAxis *axis, const ReportSession *s) {
        char owner[FORMAT_USER_MAX], files[48], ready[FORMAT_SPAN_MAX], claimed[FORMAT_SPAN_MAX], finished[FORMAT_SPAN_MAX],
                blackout[FORMAT_SPAN_MAX] = "";
        size_t n_good = 0;
        uint64_t usec;

        for (size_t i = 0; i < s->n_files; i++)
                n_good += s->files[i].outcome == REPORT_FILE_KEPT || s->files[i].outcome == REPORT_FILE_RETRIEVED;
        (void) snprintf(files, sizeof(files), "%zu of %zu", n_good, s->n_files);
        if (report_session_blackout(r, s, &usec))
                (void) format_span(blackout, usec);
        return table_add(table, (const char *const[]){ s->name, format_user(owner, s->uid), files,
                                                       report_outcome_to_string(s->outcome), blackout,
                                                       format_place(ready, axis, &s->ready),
                                                       format_place(claimed, axis, &s->claimed),
                                                       format_place(finished, axis, &s->finished), s->why });
}

static int print_sessions(const Options *o, const Report *r, const ReportAxis *axis) {
        static const TableColumn columns[] = {
                { .header = "SESSION", .shrink = true },
                { .header = "OWNER" },
                { .header = "FILES", .right = true },
                { .header = "OUTCOME" },
                { .header = "BLACKOUT", .right = true },
                { .header = "READY", .right = true },
                { .header = "CLAIMED", .right = true },
                { .header = "FINISHED", .right = true },
                { .header = "WHY", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int error;

        if (r->n_sessions == 0)
                return 0;
        error = table_new(columns, ARRAY_SIZE(columns), &table);
        for (size_t i = 0; i < r->n_sessions && error >= 0; i++)
                error = add_session(table, r, axis, r->sessions + i);
        if (error < 0)
                return error;
        putchar('\n');
        return table_print(table, stdout, output_width(), o->legend);
}

static int add_bad_files(Table *table, const ReportSession *s, size_t *n) {
        int error = 0;

        for (size_t i = 0; i < s->n_files && error >= 0; i++) {
                const ReportFile *f = s->files + i;
                char token[24];

                if (f->outcome != REPORT_FILE_LOST && f->outcome != REPORT_FILE_FAILED)
                        continue;
                (void) snprintf(token, sizeof(token), "%" PRIu64, f->token);
                error = table_add(table, (const char *const[]){ s->name, token, f->label,
                                                                report_file_outcome_to_string(f->outcome), f->why });
                ++*n;
        }
        return error;
}

static int print_bad_files(const Options *o, const Report *r) {
        static const TableColumn columns[] = {
                { .header = "SESSION", .shrink = true },
                { .header = "TOKEN", .right = true },
                { .header = "LABEL", .shrink = true },
                { .header = "FILE" },
                { .header = "WHY", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;
        size_t n = 0;
        int error;

        error = table_new(columns, ARRAY_SIZE(columns), &table);
        for (size_t i = 0; i < r->n_sessions && error >= 0; i++)
                error = add_bad_files(table, r->sessions + i, &n);
        if (error < 0 || n == 0)
                return error;
        putchar('\n');
        return table_print(table, stdout, output_width(), o->legend);
}

static int print_delays(const Options *o, const Report *r) {
        static const TableColumn columns[] = {
                { .header = "WAITED FOR", .shrink = true },
                { .header = "KIND" },
                { .header = "TOOK", .right = true },
                { .header = "IN TIME" },
                { .header = "WHY", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int error;

        if (r->n_delays == 0)
                return 0;
        error = table_new(columns, ARRAY_SIZE(columns), &table);
        for (size_t i = 0; i < r->n_delays && error >= 0; i++) {
                const ReportDelay *d = r->delays + i;
                char took[FORMAT_SPAN_MAX] = "";

                if (d->from > 0 && d->until >= d->from)
                        (void) format_span(took, d->until - d->from);
                error = table_add(table, (const char *const[]){ d->who[0] ? d->who : "somebody else",
                                                                report_delay_kind_to_string(d->kind), took,
                                                                yes_no(d->waited_for), d->why });
        }
        if (error < 0)
                return error;
        putchar('\n');
        return table_print(table, stdout, output_width(), o->legend);
}

int report_print(const Options *o, const Report *r) {
        ReportAxis axis;
        bool timed = report_axis_init(&axis, r);
        int error = 0;

        print_head(r, timed ? &axis : NULL);
        if (timed)
                error = print_timeline(o, r, &axis);
        if (error >= 0)
                error = print_sessions(o, r, timed ? &axis : NULL);
        if (error >= 0)
                error = print_bad_files(o, r);
        return error < 0 ? error : print_delays(o, r);
}
