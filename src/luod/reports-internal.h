/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reports.h"

/* Between reports.c and reports-systemd.c. */

/* What @changed stands for is to be written soon, or while luod is being stopped at once. */
void reports_changed(Manager *manager, bool *changed);

/* What report_store_put() returned, and its *ret_error: says what there is to say. */
void reports_note_written(Manager *manager, int r, int error);
void reports_complain(Manager *manager, const char *format, ...) _printf_(2, 3);

/* What the jump takes along, and what it will not, goes into the report that is under way. 0 or -ENOMEM. */
int reports_list_outgoing(Manager *manager);

/* It has come to its end while a worker still has it. */
void reports_forget_hand_over(Manager *manager);
void reports_hand_over_done(Reports *reports);

/* NULL if it has none of that sid. */
ReportSession *report_find_session(Report *report, const Session *session);
