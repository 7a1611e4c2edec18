/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <systemd/sd-journal.h>

#include "macro.h"
#include "message-ids.h"
#include "report-journal.h"

static void send_entry(const Report *r, const char *message_id, int priority, const char *message) {
        char blackout[32] = "LUOD_BLACKOUT_USEC=";
        uint64_t usec;

        if (report_blackout(r, &usec))
                (void) snprintf(blackout, sizeof(blackout), "LUOD_BLACKOUT_USEC=%" PRIu64, usec);
        (void) sd_journal_send("MESSAGE_ID=%s", message_id, "PRIORITY=%i", priority, "MESSAGE=%s", message,
                               "LUOD_REPORT_ID=%" PRIu64, r->id, "LUOD_RESULT=%s", report_result_to_string(r->result),
                               "LUOD_ROAD=%s", report_road_to_string(r->road), "LUOD_FROM_KERNEL=%s", r->from_kernel,
                               "LUOD_TO_KERNEL=%s", r->to_kernel, "LUOD_SESSIONS=%zu", r->n_sessions,
                               "LUOD_SESSIONS_LOST=%zu", report_count(r, REPORT_GONE), "LUOD_SESSIONS_FAILED=%zu",
                               report_count(r, REPORT_GONE_BAD), "%s", blackout, NULL);
}

static void on_made(const Report *r, void *userdata) {
        size_t n_lost = report_count(r, REPORT_GONE);
        char message[1024];
        bool good = r->result == REPORT_DONE && n_lost == 0;

        if (r->result == REPORT_DONE)
                (void) snprintf(message, sizeof(message), "Live update %" PRIu64 " is done, %zu of %zu sessions came over%s",
                                r->id, r->n_sessions - n_lost, r->n_sessions,
                                n_lost > 0 ? "; 'luoctl report' says which did not, and why" : "");
        else
                (void) snprintf(message, sizeof(message), "Live update %" PRIu64 " came to nothing (%s): %s", r->id,
                                report_result_to_string(r->result), r->message);
        send_entry(r, r->result == REPORT_DONE ? MESSAGE_ID_UPDATE_DONE : MESSAGE_ID_UPDATE_NOT_DONE,
                   good || r->result == REPORT_CANCELLED ? LOG_NOTICE : LOG_WARNING, message);
}

static void on_claimed(const Report *r, void *userdata) {
        uint64_t usec;
        char message[160];

        if (!report_blackout(r, &usec))
                return;
        (void) snprintf(message, sizeof(message), "The first session was claimed after live update %" PRIu64 ", %" PRIu64
                        ".%" PRIu64 " s after it had been left", r->id, usec / 1000000, usec / 100000 % 10);
        send_entry(r, MESSAGE_ID_UPDATE_CLAIMED, LOG_INFO, message);
}

static void on_trouble(const char *message, void *userdata) {
        (void) sd_journal_print(LOG_WARNING, "%s", message);
}

const ReportHooks report_journal_hooks = { .made = on_made, .claimed = on_claimed, .trouble = on_trouble };
