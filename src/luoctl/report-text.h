/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "options.h"
#include "report.h"

/* A report for people, on standard output. 0 or -ENOMEM. */
int report_print(const Options *options, const Report *report);

/* What goes on from that moment to the next. */
const char *report_describe_time(ReportTime time);
