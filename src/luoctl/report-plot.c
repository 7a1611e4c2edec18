/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "format-value.h"
#include "macro.h"
#include "report-axis.h"
#include "report-plot.h"
#include "report-text.h"
#include "text.h"

/* From top to bottom: title, stages, time axis, delays, sessions, axis again, legend. All text from elsewhere goes through
 * put_text(). */

enum {
        WIDTH = 1240,
        MARGIN = 24,
        PLOT_LEFT = 250,
        PLOT_RIGHT = 1060,
        NOTES_LEFT = PLOT_RIGHT + 14,
        PLOT_WIDTH = PLOT_RIGHT - PLOT_LEFT,
        HEAD_HEIGHT = 96,
        STAGES_HEIGHT = 34,
        AXIS_HEIGHT = 28,
        ROW_HEIGHT = 24,
        SECTION_HEIGHT = 30,
        LEGEND_ROW_HEIGHT = 22,
};

#define NAME_COLUMNS 30U
#define NOTE_COLUMNS 24U
/* Marks further to the right than this, times what it took until luod was up again, would leave no room for the rest. */
#define TAIL_FACTOR 1U
#define TAIL_LEAST_USEC (5 * USEC_PER_SEC)

static const char *const stage_colors[_REPORT_TIME_MAX] = {
        [REPORT_TIME_REQUEST] = "#b4c0ca",   [REPORT_TIME_PREPARE] = "#8fbfe8",     [REPORT_TIME_READY] = "#9fd0a5",
        [REPORT_TIME_HANDOVER] = "#ecd98a",  [REPORT_TIME_SHUTDOWN] = "#f2b266",    [REPORT_TIME_JUMP] = "#e0736c",
        [REPORT_TIME_KERNEL] = "#bd93cf",    [REPORT_TIME_USERSPACE] = "#98a5dc",   [REPORT_TIME_LUOD] = "#7fc6be",
        [REPORT_TIME_FIRST_CLAIM] = "#c3dd9a", [REPORT_TIME_LAST_FINISH] = "#e6e9ec",
};

typedef struct Plot {
        const Report *report;
        FILE *f;
        ReportAxis axis;
        bool timed;
        uint64_t span; /* of the axis, in µs */
        unsigned y;    /* the next free line */
        int error;
} Plot;

/* --- pieces */

/* Foreign text: what XML, or a reader's eye, would take for something else is replaced. */
static void put_text(Plot *p, const char *text, size_t columns) {
        _cleanup_free_ char *escaped = NULL, *cut = NULL;

        if (text_escape(text, strlen(text), &escaped) < 0 ||
            (columns > 0 && text_ellipsize(escaped, columns, &cut) < 0)) {
                p->error = -ENOMEM;
                return;
        }
        for (const char *c = cut ? cut : escaped; *c; c++)
                switch (*c) {
                case '&':
                        fputs("&amp;", p->f);
                        break;
                case '<':
                        fputs("&lt;", p->f);
                        break;
                case '>':
                        fputs("&gt;", p->f);
                        break;
                case '"':
                        fputs("&quot;", p->f);
                        break;
                case '\'':
                        fputs("&#39;", p->f);
                        break;
                default:
                        /* U+FFFE and U+FFFF are in no XML */
                        if (strncmp(c, "\xef\xbf\xbe", 3) == 0 || strncmp(c, "\xef\xbf\xbf", 3) == 0) {
                                fputc('?', p->f);
                                c += 2;
                        } else
                                fputc(*c, p->f);
                }
}

static void put_label(Plot *p, double x, double y, const char *class, const char *text, size_t columns) {
        fprintf(p->f, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
        put_text(p, text, columns);
        fputs("</text>\n", p->f);
}

static void put_tooltip(Plot *p, const char *text, const char *more) {
        fputs("<title>", p->f);
        put_text(p, text, 0);
        if (more && more[0]) {
                fputs(": ", p->f);
                put_text(p, more, 0);
        }
        fputs("</title>", p->f);
}

static double x_of(const Plot *p, uint64_t place) {
        return PLOT_LEFT + (double) PLOT_WIDTH * (double) MIN(place, p->span) / (double) p->span;
}

static bool x_of_stamp(const Plot *p, const ReportStamp *stamp, double *ret) {
        uint64_t place;

        if (!p->timed || !report_axis_place(&p->axis, stamp, &place))
                return false;
        *ret = x_of(p, place);
        return true;
}

/* A mark: ready is a diamond, claimed a disk, finished a square; what is beyond the right edge is an arrow there. */
static void put_mark(Plot *p, const char *class, const ReportStamp *stamp, double y) {
        char span[FORMAT_SPAN_MAX];
        uint64_t place;
        double x;

        if (!p->timed || !report_axis_place(&p->axis, stamp, &place))
                return;
        x = x_of(p, place);
        fprintf(p->f, "<g class=\"%s\">", class);
        if (place > p->span)
                fprintf(p->f, "<path d=\"M%.1f %.1fl7 5l-7 5z\"/>", x, y - 5);
        else if (streq(class, "ready"))
                fprintf(p->f, "<path d=\"M%.1f %.1fl5 6l-5 6l-5 -6z\"/>", x, y - 6);
        else if (streq(class, "claimed"))
                fprintf(p->f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
        else
                fprintf(p->f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"/>", x - 4, y - 4);
        put_tooltip(p, class, format_span(span, place));
        fputs("</g>\n", p->f);
}

static void put_section(Plot *p, const char *title) {
        p->y += SECTION_HEIGHT;
        fprintf(p->f, "<text x=\"%d\" y=\"%u\" class=\"section\">%s</text>\n", MARGIN, p->y - 9, title);
}

/* --- the axis */

static uint64_t choose_span(const ReportAxis *axis) {
        const Report *r = axis->report;
        uint64_t core = 0, place;

        for (ReportTime t = 0; t <= REPORT_TIME_FIRST_CLAIM; t++)
                if ((t <= REPORT_TIME_LUOD || core == 0) && report_axis_place(axis, r->times + t, &place))
                        core = MAX(core, place);
        core += MAX(TAIL_FACTOR * core, TAIL_LEAST_USEC);
        return MAX(MIN(core, axis->end + axis->end / 50), UINT64_C(1000));
}

/* 1, 2 or 5 times a power of ten, so that there are at most a dozen. */
static uint64_t choose_step(uint64_t span) {
        static const unsigned factors[] = { 1, 2, 5 };

        for (uint64_t power = 100;; power *= 10)
                for (size_t i = 0; i < ARRAY_SIZE(factors); i++)
                        if (span / (power * factors[i]) < 12 || power > UINT64_MAX / 100)
                                return power * factors[i];
}

static void put_axis(Plot *p) {
        uint64_t step;

        p->y += AXIS_HEIGHT;
        if (!p->timed)
                return;
        step = choose_step(p->span);
        fprintf(p->f, "<path d=\"M%d %uH%d\" class=\"axis\"/>\n", PLOT_LEFT, p->y - 20, PLOT_RIGHT);
        for (uint64_t t = 0; t <= p->span; t += step) {
                char span[FORMAT_SPAN_MAX];

                fprintf(p->f, "<path d=\"M%.1f %uv5\" class=\"axis\"/><text x=\"%.1f\" y=\"%u\" class=\"tick\">%s</text>\n",
                        x_of(p, t), p->y - 20, x_of(p, t), p->y - 3, format_span(span, t));
        }
}

static void put_grid(Plot *p, unsigned top, unsigned bottom) {
        uint64_t step;
        double from, to;

        if (!p->timed)
                return;
        step = choose_step(p->span);
        for (uint64_t t = 0; t <= p->span; t += step)
                fprintf(p->f, "<path d=\"M%.1f %uV%u\" class=\"grid\"/>\n", x_of(p, t), top, bottom);
        if (!x_of_stamp(p, p->report->times + REPORT_TIME_JUMP, &from))
                return;
        if (!x_of_stamp(p, p->report->times + REPORT_TIME_KERNEL, &to))
                to = from;
        fprintf(p->f, "<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%u\" class=\"jump\"/>\n", from, top,
                MAX(to - from, 1.5), bottom - top);
}

/* --- the parts of the picture */

static unsigned picture_height(const Report *r) {
        unsigned n_times = 0, height;

        for (ReportTime t = 0; t < _REPORT_TIME_MAX; t++)
                n_times += report_stamp_is_known(r->times + t);
        height = HEAD_HEIGHT + STAGES_HEIGHT + ROW_HEIGHT + 2 * AXIS_HEIGHT;
        if (r->n_delays > 0)
                height += SECTION_HEIGHT + ROW_HEIGHT * (unsigned) r->n_delays;
        height += SECTION_HEIGHT + ROW_HEIGHT * (unsigned) MAX(r->n_sessions, 1U);
        return height + SECTION_HEIGHT + LEGEND_ROW_HEIGHT * MAX(n_times, 5U) + MARGIN;
}

static void put_start(Plot *p, unsigned height) {
        fprintf(p->f,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" role=\"img\">\n"
                "<style>\n"
                "text{font:12px 'DejaVu Sans',Verdana,sans-serif;fill:#2b333b}\n"
                ".title{font-size:21px;font-weight:bold}.sub{font-size:13px;fill:#55606b}\n"
                ".section{font-size:13px;font-weight:bold;fill:#55606b}\n"
                ".name{text-anchor:end}.note{fill:#55606b;font-size:11px}.bad{fill:#b3261e;font-size:11px}\n"
                ".tick{text-anchor:middle;fill:#55606b;font-size:11px}.stage{text-anchor:middle;font-size:11px}\n"
                ".axis{stroke:#7d8893;fill:none}.grid{stroke:#e4e8ec;fill:none}\n"
                ".row{stroke:#d3d9df;fill:none}.jump{fill:#e0736c;opacity:.16}\n"
                ".out{fill:#5b7fae;opacity:.45}.open{fill:#c0c7ce;opacity:.6}.gone{fill:#c9483f;opacity:.55}\n"
                ".blackout{stroke:#2b333b;stroke-width:2;fill:none}\n"
                ".delay{fill:#8fbfe8}.late{fill:#e0736c}\n"
                ".ready{fill:#2e8b57}.claimed{fill:#1f5fa8}.finished{fill:#4a4f55}\n"
                "</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                WIDTH, height, WIDTH, height);
}

static void put_head(Plot *p) {
        const Report *r = p->report;
        char began[FORMAT_TIME_MAX] = "at an unknown time", span[FORMAT_SPAN_MAX], line[1024];
        uint64_t blackout;

        (void) snprintf(line, sizeof(line), "Live update %" PRIu64 ": %s", r->id, report_result_to_string(r->result));
        put_label(p, MARGIN, 36, "title", line, 0);

        if (p->timed)
                (void) format_time(began, p->axis.first->realtime);
        (void) snprintf(line, sizeof(line), "%s, by way of: %s, kernel %s%s%s", began, report_road_to_string(r->road),
                        r->from_kernel[0] ? r->from_kernel : "unknown", r->to_kernel[0] ? " → " : "", r->to_kernel);
        put_label(p, MARGIN, 58, "sub", line, 0);

        (void) snprintf(line, sizeof(line), "%zu sessions, %zu lost, %zu failed; blackout: %s%s%s", r->n_sessions,
                        report_count(r, REPORT_GONE), report_count(r, REPORT_GONE_BAD),
                        report_blackout(r, &blackout) ? format_span(span, blackout) : "not known yet",
                        r->message[0] ? "; " : "", r->message);
        put_label(p, MARGIN, 78, "sub", line, 150);
        p->y = HEAD_HEIGHT;
}

static void put_stages(Plot *p) {
        const Report *r = p->report;

        for (ReportTime t = 0; t < REPORT_TIME_LAST_FINISH && p->timed; t++) {
                ReportTime next = report_axis_next(r, t);
                char span[FORMAT_SPAN_MAX];
                uint64_t from, to;
                double x, width;

                if (!report_axis_place(&p->axis, r->times + t, &from))
                        continue;
                if (next == _REPORT_TIME_MAX || !report_axis_place(&p->axis, r->times + next, &to))
                        to = p->axis.end;
                to = MAX(to, from);
                x = x_of(p, from);
                width = x_of(p, to) - x;
                fprintf(p->f, "<g><rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>", x, p->y,
                        MAX(width, 1.0), STAGES_HEIGHT - 6, stage_colors[t]);
                put_tooltip(p, report_time_to_string(t), format_span(span, to - from));
                fputs("</g>\n", p->f);
                if (width > 7.5 * (double) strlen(report_time_to_string(t)))
                        put_label(p, x + width / 2, p->y + 18, "stage", report_time_to_string(t), 0);
        }
        fprintf(p->f, "<text x=\"%d\" y=\"%u\" class=\"name section\">Stages</text>\n", PLOT_LEFT - 12, p->y + 18);
        p->y += STAGES_HEIGHT;
}

static void put_whole_blackout(Plot *p) {
        char span[FORMAT_SPAN_MAX];
        uint64_t usec;
        double from, to;

        p->y += ROW_HEIGHT;
        if (!report_blackout(p->report, &usec) || !x_of_stamp(p, report_blackout_start(p->report), &from) ||
            !x_of_stamp(p, p->report->times + REPORT_TIME_FIRST_CLAIM, &to))
                return;
        fprintf(p->f, "<text x=\"%d\" y=\"%u\" class=\"name section\">Blackout</text>\n", PLOT_LEFT - 12, p->y - 9);
        fprintf(p->f, "<path d=\"M%.1f %uv12m0 -6H%.1fm0 -6v12\" class=\"blackout\"/>\n", from, p->y - 19, to);
        put_label(p, to + 8, p->y - 9, "note", format_span(span, usec), 0);
}

static void put_row(Plot *p, const char *name) {
        put_label(p, PLOT_LEFT - 12, p->y + 16, "name", name, NAME_COLUMNS);
        fprintf(p->f, "<path d=\"M%d %.1fH%d\" class=\"row\"/>\n", PLOT_LEFT, p->y + ROW_HEIGHT / 2.0, PLOT_RIGHT);
}

static void put_delay(Plot *p, const ReportDelay *d) {
        const Report *r = p->report;
        ReportStamp from = { .realtime = 1, .boottime = d->from }, until = { .realtime = 1, .boottime = d->until };
        char note[FORMAT_SPAN_MAX + 16], span[FORMAT_SPAN_MAX];
        double x, end;

        report_set_text(from.boot_id, sizeof(from.boot_id), r->from_boot);
        report_set_text(until.boot_id, sizeof(until.boot_id), r->from_boot);
        put_row(p, d->who[0] ? d->who : "somebody else");
        if (d->from > 0 && d->until >= d->from && p->timed && streq(p->axis.first->boot_id, r->from_boot) &&
            x_of_stamp(p, &from, &x) && x_of_stamp(p, &until, &end)) {
                fprintf(p->f, "<g><rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\" rx=\"2\" class=\"%s\"/>", x, p->y + 5,
                        MAX(end - x, 2.0), ROW_HEIGHT - 10, d->waited_for ? "delay" : "late");
                put_tooltip(p, d->who[0] ? d->who : "somebody else", d->why);
                fputs("</g>\n", p->f);
        }
        (void) snprintf(note, sizeof(note), "%s%s", d->until > d->from ? format_span(span, d->until - d->from) : "",
                        d->waited_for ? "" : " not waited for");
        put_label(p, NOTES_LEFT, p->y + 16, d->waited_for ? "note" : "bad", note, NOTE_COLUMNS);
        p->y += ROW_HEIGHT;
}

static void put_blackout(Plot *p, const ReportSession *s) {
        bool bad = s->outcome == REPORT_GONE || s->outcome == REPORT_GONE_BAD;
        double from, to = PLOT_RIGHT;

        if (!x_of_stamp(p, report_session_blackout_start(p->report, s), &from))
                return;
        if (!x_of_stamp(p, &s->claimed, &to) && !x_of_stamp(p, &s->finished, &to))
                to = x_of(p, p->axis.end);
        fprintf(p->f, "<g><rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>", from, p->y + 7,
                MAX(to - from, 1.0), ROW_HEIGHT - 14,
                bad ? "gone" : report_stamp_is_known(&s->claimed) ? "out" : "open");
        put_tooltip(p, s->name, s->why);
        fputs("</g>\n", p->f);
}

static void put_session(Plot *p, const ReportSession *s) {
        bool bad = s->outcome == REPORT_GONE || s->outcome == REPORT_GONE_BAD;
        char note[FORMAT_SPAN_MAX + 32], span[FORMAT_SPAN_MAX];
        uint64_t blackout;

        put_row(p, s->name);
        put_blackout(p, s);
        put_mark(p, "ready", &s->ready, p->y + ROW_HEIGHT / 2.0);
        put_mark(p, "claimed", &s->claimed, p->y + ROW_HEIGHT / 2.0);
        put_mark(p, "finished", &s->finished, p->y + ROW_HEIGHT / 2.0);
        if (report_session_blackout(p->report, s, &blackout))
                (void) snprintf(note, sizeof(note), "%s, %s", report_outcome_to_string(s->outcome),
                                format_span(span, blackout));
        else
                (void) snprintf(note, sizeof(note), "%s", report_outcome_to_string(s->outcome));
        put_label(p, NOTES_LEFT, p->y + 16, bad ? "bad" : "note", note, NOTE_COLUMNS);
        p->y += ROW_HEIGHT;
}

static void put_stage_legend(Plot *p) {
        const Report *r = p->report;
        unsigned y = p->y;

        for (ReportTime t = 0; t < _REPORT_TIME_MAX && p->timed; t++) {
                ReportTime next = report_axis_next(r, t);
                char span[FORMAT_SPAN_MAX] = "", text[256];
                uint64_t from, to;

                if (!report_axis_place(&p->axis, r->times + t, &from))
                        continue;
                if (next < _REPORT_TIME_MAX && report_axis_place(&p->axis, r->times + next, &to))
                        (void) format_span(span, to > from ? to - from : 0);
                fprintf(p->f, "<rect x=\"%d\" y=\"%u\" width=\"14\" height=\"14\" fill=\"%s\"/>\n", PLOT_LEFT, y,
                        stage_colors[t]);
                put_label(p, PLOT_LEFT + 22, y + 12, "", report_time_to_string(t), 0);
                put_label(p, PLOT_LEFT + 116, y + 12, "note", span, 0);
                (void) snprintf(text, sizeof(text), "%s", report_describe_time(t));
                put_label(p, PLOT_LEFT + 196, y + 12, "note", text, 0);
                y += LEGEND_ROW_HEIGHT;
        }
}

static void put_mark_legend(Plot *p) {
        static const char *const texts[] = { "ready", "first claimed", "finished, discarded or renewed",
                                             "without its owner until it was claimed", "not claimed yet", "lost or failed" };
        enum { X = PLOT_LEFT + 470 };
        unsigned y = p->y;

        fprintf(p->f, "<path class=\"ready\" d=\"M%d %ul5 6l-5 6l-5 -6z\"/>\n", X + 7, y + 1);
        fprintf(p->f, "<circle class=\"claimed\" cx=\"%d\" cy=\"%u\" r=\"5\"/>\n", X + 7, y + LEGEND_ROW_HEIGHT + 7);
        fprintf(p->f, "<rect class=\"finished\" x=\"%d\" y=\"%u\" width=\"8\" height=\"8\"/>\n", X + 3,
                y + 2 * LEGEND_ROW_HEIGHT + 3);
        fprintf(p->f, "<rect class=\"out\" x=\"%d\" y=\"%u\" width=\"14\" height=\"10\"/>\n", X, y + 3 * LEGEND_ROW_HEIGHT + 2);
        fprintf(p->f, "<rect class=\"open\" x=\"%d\" y=\"%u\" width=\"14\" height=\"10\"/>\n", X, y + 4 * LEGEND_ROW_HEIGHT + 2);
        fprintf(p->f, "<rect class=\"gone\" x=\"%d\" y=\"%u\" width=\"14\" height=\"10\"/>\n", X + 190,
                y + 4 * LEGEND_ROW_HEIGHT + 2);
        for (unsigned i = 0; i < 5; i++)
                put_label(p, X + 22, y + i * LEGEND_ROW_HEIGHT + 12, "note", texts[i], 0);
        put_label(p, X + 212, y + 4 * LEGEND_ROW_HEIGHT + 12, "note", texts[5], 0);
}

int report_plot(const Report *r, FILE *f) {
        unsigned height = picture_height(r), top;
        Plot p = { .report = r, .f = f };

        p.timed = report_axis_init(&p.axis, r);
        p.span = p.timed ? choose_span(&p.axis) : 1;
        put_start(&p, height);
        put_head(&p);
        top = p.y + STAGES_HEIGHT + ROW_HEIGHT + 8;
        put_grid(&p, top, top + (r->n_delays > 0 ? SECTION_HEIGHT + ROW_HEIGHT * (unsigned) r->n_delays : 0) +
                              SECTION_HEIGHT + ROW_HEIGHT * (unsigned) MAX(r->n_sessions, 1U) + AXIS_HEIGHT);
        put_stages(&p);
        put_whole_blackout(&p);
        put_axis(&p);
        if (r->n_delays > 0)
                put_section(&p, "Waited for");
        for (size_t i = 0; i < r->n_delays; i++)
                put_delay(&p, r->delays + i);
        put_section(&p, "Sessions");
        if (r->n_sessions == 0) {
                put_label(&p, PLOT_LEFT, p.y + 16, "note", "There were none.", 0);
                p.y += ROW_HEIGHT;
        }
        for (size_t i = 0; i < r->n_sessions; i++)
                put_session(&p, r->sessions + i);
        put_axis(&p);
        put_section(&p, "Legend");
        put_stage_legend(&p);
        put_mark_legend(&p);
        fputs("</svg>\n", f);
        return p.error;
}
