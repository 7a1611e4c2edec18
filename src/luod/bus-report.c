/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-error.h"
#include "bus-report.h"

/* GetReport(), GetReportOf(), ListReports(): root sees all, others what concerns their own sessions. */

static int reply_report(Bus *b, sd_bus_message *m, int found, Report *report, sd_bus_error *reterr) {
        _cleanup_free_ char *text = NULL;
        Failure failure = FAILURE_INIT;
        Caller *caller;
        int r = found;

        if (r == -ENOENT)
                (void) failure_set(&failure, FAILURE_NO_REPORT,
                                   "There is no such report: no live update was tried yet, or it is of one longer ago than "
                                   "Keep= of luod.conf; ListReports() lists those there are");
        else if (r == -EPROTONOSUPPORT)
                (void) failure_set(&failure, FAILURE_NO_REPORT,
                                   "A newer luod wrote this report; it is kept, and can be read by that luod");
        else if (r == -EBADMSG)
                (void) failure_set(&failure, FAILURE_NO_REPORT, "The file of this report is damaged; it is left as it is");
        if (failure.kind != FAILURE_NONE)
                return bus_error_set_failure(reterr, &failure);
        if (r >= 0)
                r = bus_get_caller(b, m, &caller);
        if (r >= 0)
                r = report_encode(report, caller->uid, &text);
        report_done(report);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", text);
}

int bus_method_get_report(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Report report = {};

        return reply_report(userdata, m, reports_get_newest(((Bus *) userdata)->manager, &report), &report, reterr_error);
}

int bus_method_get_report_of(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Report report = {};
        uint64_t id;
        int r;

        r = sd_bus_message_read(m, "t", &id);
        if (r < 0)
                return r;
        return reply_report(userdata, m, reports_get(((Bus *) userdata)->manager, id, &report), &report, reterr_error);
}

static int append_summary(const ReportSummary *s, void *userdata) {
        return sd_bus_message_append(userdata, "(tsst)", s->id, report_road_to_string(s->road),
                                     report_result_to_string(s->result), s->realtime);
}

int bus_method_list_reports(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(tsst)");
        if (r >= 0)
                r = reports_for_each(((Bus *) userdata)->manager, append_summary, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}
