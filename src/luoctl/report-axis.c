/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "macro.h"
#include "report-axis.h"

ReportTime report_axis_next(const Report *report, ReportTime time) {
        do
                time++;
        while (time < _REPORT_TIME_MAX && !report_stamp_is_known(report->times + time));
        return time;
}

static bool is_after_jump(const Report *report, const ReportStamp *stamp) {
        return report->to_boot[0] && streq(stamp->boot_id, report->to_boot);
}

static void stretch(ReportAxis *a, const ReportStamp *stamp) {
        uint64_t place;

        if (report_axis_place(a, stamp, &place))
                a->end = MAX(a->end, place);
}

bool report_axis_init(ReportAxis *ret, const Report *report) {
        ReportTime first = report_axis_next(report, (ReportTime) -1);
        const ReportStamp *kernel = report->times + REPORT_TIME_KERNEL;
        ReportAxis a = { .report = report };

        if (first == _REPORT_TIME_MAX)
                return false;
        a.first = report->times + first;
        (void) report_duration(a.first, kernel, &a.next_boot);
        for (ReportTime t = 0; t < REPORT_TIME_KERNEL; t++) {
                uint64_t place;

                if (report_axis_place(&a, report->times + t, &place))
                        a.next_boot = MAX(a.next_boot, place);
        }
        for (ReportTime t = 0; t < _REPORT_TIME_MAX; t++)
                stretch(&a, report->times + t);
        for (size_t i = 0; i < report->n_sessions; i++) {
                stretch(&a, &report->sessions[i].claimed);
                stretch(&a, &report->sessions[i].finished);
        }
        *ret = a;
        return true;
}

bool report_axis_place(const ReportAxis *a, const ReportStamp *stamp, uint64_t *ret) {
        const ReportStamp *kernel = a->report->times + REPORT_TIME_KERNEL;

        if (!report_stamp_is_known(stamp))
                return false;
        if (!is_after_jump(a->report, stamp) || !report_stamp_is_known(kernel))
                return report_duration(a->first, stamp, ret);
        if (!report_duration(kernel, stamp, ret))
                return false;
        *ret += a->next_boot;
        return true;
}
