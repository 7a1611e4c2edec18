/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "bus-names.h"
#include "client.h"
#include "describe.h"
#include "format-value.h"
#include "output.h"
#include "table.h"
#include "verbs.h"

static int add_session_row(const Options *o, Table *table, const SessionRow *row) {
        char owner[FORMAT_USER_MAX], files[16], size[FORMAT_BYTES_MAX];

        snprintf(files, sizeof(files), "%" PRIu32, row->n_files);
        return table_add(table, (const char *const[]){
                                        row->name,
                                        row->direction,
                                        format_user(owner, row->owner),
                                        files,
                                        format_size(size, row->size, o->bytes),
                                });
}

static int print_session_rows(const Options *o, const SessionRows *rows) {
        static const TableColumn columns[] = {
                { .header = "SESSION", .shrink = true },
                { .header = "DIRECTION" },
                { .header = "OWNER" },
                { .header = "FILES", .right = true },
                { .header = "SIZE", .right = true },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = table_new(columns, ARRAY_SIZE(columns), &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < rows->n_items; i++) {
                r = add_session_row(o, table, &rows->items[i]);
                if (r < 0)
                        return r;
        }

        r = table_print(table, stdout, output_width(), o->legend && rows->n_items > 0);
        if (r < 0)
                return r;
        if (o->legend && rows->n_items == 0)
                printf("No sessions.\n");
        else if (o->legend)
                printf("\n%zu session%s listed.\n", rows->n_items, rows->n_items == 1 ? "" : "s");
        return 0;
}

ExitStatus verb_list(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(session_rows_done) SessionRows rows = {};
        _cleanup_free_ char *json = NULL;
        ExitStatus status;
        int r;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(bus, LUOD_OBJECT_PATH, "ListSessions", &m);
        if (status != STATUS_OK)
                return status;
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = session_rows_read(reply, &rows);
        if (r < 0)
                return client_message_failed(r);

        if (o->json == JSON_OFF)
                return print_session_rows(o, &rows) < 0 ? report_oom() : STATUS_OK;

        if (encode_session_rows(&rows, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}

enum { SESSION_KEY_WIDTH = 9 };

static void print_flags(const StringList *flags) {
        for (size_t i = 0; i < flags->n_items; i++) {
                print_key(i == 0 ? "Flags" : NULL, SESSION_KEY_WIDTH);
                print_described(flags->items[i], describe_flag(flags->items[i]));
        }
}

static void print_metadata(const MetadataList *metadata) {
        for (size_t i = 0; i < metadata->n_items; i++) {
                const MetadataEntry *e = &metadata->items[i];

                print_key(i == 0 ? "Metadata" : NULL, SESSION_KEY_WIDTH);
                print_text(e->key);
                putchar('=');
                print_bytes(e->value, e->size);
                putchar('\n');
        }
}

static void print_created(const SessionInfo *info) {
        char created[FORMAT_TIME_MAX], age[FORMAT_AGE_MAX];

        print_key("Created", SESSION_KEY_WIDTH);
        if (info->created_timestamp == 0) { /* nothing readable was left of the session but its files */
                printf("unknown\n");
                return;
        }

        printf("%s (%s), generation %" PRIu64 "\n", format_time(created, info->created_timestamp),
               format_age(age, now_realtime(), info->created_timestamp), info->created_generation);
}

static void print_claim(const SessionInfo *info) {
        char time[FORMAT_TIME_MAX], age[FORMAT_AGE_MAX];

        if (!strempty(info->claim)[0])
                return;
        print_key("Claim", SESSION_KEY_WIDTH);
        print_text(info->claim);
        if (info->error != 0)
                printf(", %s (errno %" PRIu32 ")", strerror((int) info->error), info->error);
        if (info->claimed_timestamp != 0)
                printf(", %s (%s)", format_time(time, info->claimed_timestamp),
                       format_age(age, now_realtime(), info->claimed_timestamp));
        putchar('\n');
}

static void print_renewal(const SessionInfo *info) {
        bool outgoing = info->direction && streq(info->direction, "outgoing");

        if (info->auto_renew) {
                print_key("Renewed", SESSION_KEY_WIDTH);
                printf("by luod, before each live update\n");
        }
        if (info->carried > 0) {
                print_key("Carried", SESSION_KEY_WIDTH);
                printf("through %" PRIu32 " live update%s unclaimed%s\n", info->carried, info->carried == 1 ? "" : "s",
                       outgoing ? ", with the next one" : "");
        }
}

static void print_session(const Options *o, const SessionInfo *info) {
        char user[FORMAT_USER_MAX], size[FORMAT_BYTES_MAX];
        uint64_t sum = 0;

        for (size_t i = 0; i < info->files.n_items; i++)
                sum += info->files.items[i].size;

        print_key("Session", SESSION_KEY_WIDTH);
        print_described(info->name, NULL);
        print_key("Direction", SESSION_KEY_WIDTH);
        print_described(info->direction, describe_direction(info->direction));
        print_key("Owner", SESSION_KEY_WIDTH);
        print_text(format_user(user, info->owner));
        printf(" (uid %" PRIu32 ")\n", info->owner);
        print_created(info);
        print_claim(info);
        print_renewal(info);
        print_flags(&info->flags);
        print_metadata(&info->metadata);
        print_key("Files", SESSION_KEY_WIDTH);
        printf("%zu, %s\n", info->files.n_items, format_size(size, sum, o->bytes));
}

static int add_file_row(const Options *o, Table *table, const FileInfo *file) {
        char token[24], size[FORMAT_BYTES_MAX], mode[16];

        snprintf(token, sizeof(token), "%" PRIu64, file->token);
        snprintf(mode, sizeof(mode), "%04" PRIo32, file->mode & 07777);
        return table_add(table, (const char *const[]){
                                        token,
                                        format_size(size, file->size, o->bytes),
                                        mode,
                                        file->access,
                                        file->kind,
                                        file->state,
                                        file->label,
                                });
}

static int print_files(const Options *o, const FileList *files) {
        static const TableColumn columns[] = {
                { .header = "TOKEN", .right = true },
                { .header = "SIZE", .right = true },
                { .header = "MODE" },
                { .header = "ACCESS" },
                { .header = "KIND" },
                { .header = "STATE" },
                { .header = "LABEL", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        if (files->n_items == 0)
                return 0;

        r = table_new(columns, ARRAY_SIZE(columns), &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < files->n_items; i++) {
                r = add_file_row(o, table, &files->items[i]);
                if (r < 0)
                        return r;
        }

        putchar('\n');
        return table_print(table, stdout, output_width(), o->legend);
}

ExitStatus verb_show(const Options *o) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(session_info_done) SessionInfo info = {};
        _cleanup_free_ char *path = NULL, *json = NULL;
        ExitStatus status;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        status = client_find_session(bus, o->arguments[0], &path);
        if (status != STATUS_OK)
                return status;
        status = client_get_session(bus, path, &info);
        if (status != STATUS_OK)
                return status;

        if (o->json == JSON_OFF) {
                print_session(o, &info);
                return print_files(o, &info.files) < 0 ? report_oom() : STATUS_OK;
        }

        if (encode_session(&info, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}
