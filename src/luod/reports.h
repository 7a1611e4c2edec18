/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "record.h"
#include "report-store.h"

/* The reports of live updates: what is written down of one while it is under way, and completed after the jump.
 *
 * At most two are in memory: the one of the update that brought this boot, which claims and ends of sessions complete for as
 * long as this boot lasts; and the one of the update that is under way, or came to nothing, in this boot.
 * Nothing here ever fails an update: what can't be written down is said once, and kept in memory. */

typedef struct Manager Manager;
typedef struct Session Session;
typedef struct File File;

typedef struct ReportHooks {
        /* An update has come to its end, one way or the other. */
        void (*made)(const Report *report, void *userdata);
        /* The first file was handed out after it: report_blackout() is known now. */
        void (*claimed)(const Report *report, void *userdata);
        void (*trouble)(const char *message, void *userdata);
        void *userdata;
} ReportHooks;

typedef struct Reports {
        ReportStore store;
        ReportHooks hooks;
        Report arrived;          /* of the update that brought this boot; id 0: none did */
        Report departing;        /* begun in this boot; id 0: none was */
        bool arrived_changed, departing_changed; /* not written yet */
        bool complained;         /* that it can't be written; once */
        ReportSummary *list;     /* of those that have come to an end, by number; n_list of them */
        size_t n_list;
        uint64_t next_id;
        sd_event_source *writing;
        struct ReportHandOver *hand_over; /* a worker has it (reports-hand-over.c); NULL: none */
        sd_bus_slot *systemd_slot;
        sd_bus *systemd_bus;
} Reports;

/* Where they are kept; before that they are in memory alone. @directory is luod's state directory. 0 or -ENOMEM. */
int reports_open(Manager *manager, const char *directory);
void reports_done(Reports *reports);

/* After the change-over, and before anybody is served: takes up the report that was under way, and completes it if the jump
 * is behind; makes one of a jump that nobody announced. */
void reports_restore(Manager *manager);
/* Asks PID 1 when it went down and came up. The answer comes later; nothing if it knows nothing. */
void reports_ask_systemd(Manager *manager, sd_bus *bus);
/* What is not yet on disk goes there. From manager_stop() on every change does so at once. */
void reports_flush(Manager *manager);

/* --- the update that is under way. Without one, all but reports_begin() do nothing. */

/* The one that was begun in this boot and has not come to an end, also by a luod before this one; NULL: there is none. */
const Report *reports_under_way(const Manager *manager);
/* 0, or -EALREADY if there is one under way. */
int reports_begin(Manager *manager, ReportRoad road, bool forced);
/* It is now; the latest one counts. */
void reports_stage(Manager *manager, ReportTime stage);
/* @from, @until: CLOCK_BOOTTIME in µs. */
void reports_delay(Manager *manager,
                   ReportDelayKind kind,
                   const char *who,
                   const char *why,
                   uint64_t from,
                   uint64_t until,
                   bool waited_for);
/* The session was declared ready, now. */
void reports_ready(Manager *manager, const Session *session);
/* Lists all that goes, and has a worker bring the report to the disk, which may be slow. @done is called once it is there, or
 * can't be (which is told as trouble), or does not come there within REPORT_SYNC_MAX_USEC; perhaps before this returns. Not, if
 * the report has come to its end by then. */
void reports_hand_over(Manager *manager, void (*done)(Manager *manager));
/* REPORT_CANCELLED or REPORT_FAILED; "done" is what reports_restore() says. */
void reports_end(Manager *manager, ReportResult result, const char *message);

/* --- what becomes of the sessions that the last one brought. Of others these do nothing. */

/* Files were handed out. */
void reports_claimed(Manager *manager, Session *session);
/* REPORT_FINISHED, _DISCARDED, _RENEWED, _CARRIED. */
void reports_ended(Manager *manager, const Session *session, ReportOutcome how);
/* The kernel could not bring the file back. */
void reports_file_failed(Manager *manager, const Session *session, const File *file);

/* --- reading */

/* The newest, or -ENOENT. report_done() is the caller's. */
int reports_get_newest(Manager *manager, Report *ret);
/* -ENOENT, and as report_decode(). */
int reports_get(Manager *manager, uint64_t id, Report *ret);
/* Calls @each for all, by number. Ends with the first that is negative, and returns that. */
int reports_for_each(Manager *manager, int (*each)(const ReportSummary *summary, void *userdata), void *userdata);
