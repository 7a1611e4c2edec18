/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reports.h"

/* What of the reports goes to the journal; the fields are named in luod(8). */
extern const ReportHooks report_journal_hooks;
