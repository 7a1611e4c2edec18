/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reports.h"

/* Between reports.c and reports-systemd.c. */

/* What @changed stands for is to be written soon, or while luod is being stopped at once. */
void reports_changed(Manager *manager, bool *changed);

/* NULL if it has none of that sid. */
ReportSession *report_find_session(Report *report, const Session *session);
