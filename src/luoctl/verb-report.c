/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "bus-names.h"
#include "client.h"
#include "format-value.h"
#include "output.h"
#include "parse.h"
#include "report-plot.h"
#include "report-text.h"
#include "table.h"
#include "verbs.h"

/* luoctl report: what became of a live update. */

static ExitStatus get_report(sd_bus *bus, const char *id, sd_bus_message **ret_reply, const char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        ExitStatus status;
        uint64_t number = 0;
        int r;

        if (id && parse_token(id, &number) < 0)
                return report_usage("report", "'%s' is not the number of a live update.", id);
        status = client_new_call(bus, LUOD_OBJECT_PATH, id ? "GetReportOf" : "GetReport", &m);
        if (status != STATUS_OK)
                return status;
        r = id ? sd_bus_message_append_basic(m, 't', &number) : 0;
        if (r < 0)
                return client_message_failed(r);
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_read_basic(reply, 's', ret);
        if (r < 0)
                return client_message_failed(r);
        *ret_reply = TAKE_PTR(reply);
        return STATUS_OK;
}

static ExitStatus show_report(const Options *o, const char *text) {
        _cleanup_(report_done) Report what = {};
        int r;

        r = report_decode(text, strlen(text), &what);
        if (r == -EPROTONOSUPPORT) {
                report("luod is newer than luoctl, and so is this report; --json=short prints it as it is.");
                return STATUS_FAILURE;
        }
        if (r < 0)
                return client_message_failed(r);
        r = o->plot ? report_plot(&what, stdout) : report_print(o, &what);
        return r < 0 ? report_oom() : STATUS_OK;
}

static ExitStatus show_json(const Options *o, const char *text) {
        _cleanup_free_ char *json = NULL;
        int r;

        r = encode_report(text, o->json, &json);
        if (r == -ENOMEM)
                return report_oom();
        if (r < 0)
                return client_message_failed(r);
        print_json(json);
        return STATUS_OK;
}

/* --- the list */

static int read_row(sd_bus_message *reply, ReportRow *ret) {
        return sd_bus_message_read(reply, "(tsst)", &ret->id, &ret->road, &ret->result, &ret->realtime);
}

static int read_rows(sd_bus_message *reply, ReportRow **ret, size_t *ret_n) {
        _cleanup_free_ ReportRow *rows = NULL;
        ReportRow row;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(tsst)");
        while (r >= 0 && (r = read_row(reply, &row)) > 0) {
                ReportRow *larger = reallocarray(rows, n + 1, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                (void) TAKE_PTR(rows);
                rows = larger;
                rows[n++] = row;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(rows);
        *ret_n = n;
        return 0;
}

static int print_rows(const Options *o, const ReportRow *rows, size_t n) {
        static const TableColumn columns[] = {
                { .header = "UPDATE", .right = true },
                { .header = "BEGAN" },
                { .header = "ROAD" },
                { .header = "RESULT" },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = table_new(columns, ARRAY_SIZE(columns), &table);
        for (size_t i = 0; i < n && r >= 0; i++) {
                char id[24], began[FORMAT_TIME_MAX];

                (void) snprintf(id, sizeof(id), "%" PRIu64, rows[i].id);
                r = table_add(table, (const char *const[]){ id, rows[i].realtime ? format_time(began, rows[i].realtime) : "",
                                                            rows[i].road, rows[i].result });
        }
        if (r >= 0)
                r = table_print(table, stdout, output_width(), o->legend && n > 0);
        if (r >= 0 && n == 0 && o->legend)
                printf("No reports.\n");
        return r;
}

static ExitStatus list_reports(const Options *o, sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_free_ ReportRow *rows = NULL;
        _cleanup_free_ char *json = NULL;
        ExitStatus status;
        size_t n;
        int r;

        status = client_new_call(bus, LUOD_OBJECT_PATH, "ListReports", &m);
        if (status == STATUS_OK)
                status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = read_rows(reply, &rows, &n);
        if (r < 0)
                return client_message_failed(r);
        if (o->json == JSON_OFF)
                return print_rows(o, rows, n) < 0 ? report_oom() : STATUS_OK;
        if (encode_report_rows(rows, n, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}

ExitStatus verb_report(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        const char *text;
        ExitStatus status;

        if ((o->list && o->n_arguments > 0) || o->list + o->plot > 1 || (o->plot && o->json != JSON_OFF))
                return report_usage("report", "Only one of --list, --plot, and --json with a number.");
        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        if (o->list)
                return list_reports(o, bus);
        status = get_report(bus, o->n_arguments > 0 ? o->arguments[0] : NULL, &reply, &text);
        if (status != STATUS_OK)
                return status;
        return o->json == JSON_OFF ? show_report(o, text) : show_json(o, text);
}
