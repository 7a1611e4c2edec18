/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <unistd.h>

#include "bus-names.h"
#include "client.h"
#include "format-value.h"
#include "output.h"
#include "table.h"
#include "verbs.h"

static const char *format_amount(char buffer[static FORMAT_BYTES_MAX], const QuotaRow *row, uint64_t n, bool exact) {
        if (n == QUOTA_NO_LIMIT)
                (void) snprintf(buffer, FORMAT_BYTES_MAX, "-");
        else if (streq(row->unit, "bytes"))
                return format_size(buffer, n, exact);
        else
                (void) snprintf(buffer, FORMAT_BYTES_MAX, "%" PRIu64, n);
        return buffer;
}

static int add_row(Table *table, const Options *o, const QuotaRow *row) {
        char user[FORMAT_USER_MAX] = "(all)", used[FORMAT_BYTES_MAX], limit[FORMAT_BYTES_MAX], key[64] = "";

        if (row->uid != QUOTA_ALL_USERS)
                (void) format_user(user, row->uid);
        if (row->key[0])
                (void) snprintf(key, sizeof(key), "%s=", row->key);
        return table_add(table, (const char *const[]) { user, row->resource, format_amount(used, row, row->used, o->bytes),
                                                        format_amount(limit, row, row->limit, o->bytes), key });
}

static int print_quota(const Options *o, const QuotaRows *rows) {
        static const TableColumn columns[] = {
                { "USER" }, { "WHAT" }, { "USED", .right = true }, { "LIMIT", .right = true }, { "KEY", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;

        if (table_new(columns, ARRAY_SIZE(columns), &table) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < rows->n_items; i++)
                if (add_row(table, o, rows->items + i) < 0)
                        return -ENOMEM;
        return table_print(table, stdout, output_width(), o->legend);
}

ExitStatus show_quota(const Options *o, sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(quota_rows_done) QuotaRows rows = {};
        _cleanup_free_ char *json = NULL;
        ExitStatus status;
        int r;

        status = client_new_call(bus, LUOD_OBJECT_PATH, "GetQuota", &m);
        if (status == STATUS_OK)
                status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = quota_rows_read(reply, &rows);
        if (r < 0)
                return client_message_failed(r);

        if (o->json == JSON_OFF)
                return print_quota(o, &rows) < 0 ? report_oom() : STATUS_OK;
        if (encode_quota(&rows, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}

uint64_t get_room(sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(quota_rows_done) QuotaRows rows = {};
        uint64_t room = UINT64_MAX;

        if (sd_bus_call_method(bus, LUOD_BUS_NAME, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetQuota", NULL, &reply, NULL) < 0 ||
            quota_rows_read(reply, &rows) < 0)
                return UINT64_MAX;
        for (size_t i = 0; i < rows.n_items; i++) {
                const QuotaRow *row = rows.items + i;

                /* One's own, and for root that of all users; others don't see that. */
                if (streq(row->resource, "kept") && row->limit != QUOTA_NO_LIMIT && (row->uid == getuid() || row->uid == QUOTA_ALL_USERS))
                        room = MIN(room, row->limit > row->used ? row->limit - row->used : 0);
        }
        return room;
}
