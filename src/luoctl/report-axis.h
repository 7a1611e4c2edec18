/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "report.h"

/* All moments of a report on one line, in µs after its first one. Within a boot they are as far apart as CLOCK_BOOTTIME
 * says; the next boot never begins before the last moment of the one before, whatever the realtime clock says. */
typedef struct ReportAxis {
        const Report *report;
        const ReportStamp *first;
        uint64_t next_boot; /* where the next kernel's clock began */
        uint64_t end;       /* the last moment of all */
} ReportAxis;

/* False if not a single moment is known. */
bool report_axis_init(ReportAxis *ret, const Report *report);
bool report_axis_place(const ReportAxis *axis, const ReportStamp *stamp, uint64_t *ret);
/* The first moment of the timeline after @time that is known; _REPORT_TIME_MAX: none is. */
ReportTime report_axis_next(const Report *report, ReportTime time);
