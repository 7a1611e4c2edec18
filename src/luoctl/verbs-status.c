/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <time.h>

#include "bus-names.h"
#include "client.h"
#include "describe.h"
#include "findings.h"
#include "format-value.h"
#include "output.h"
#include "progress.h"
#include "verbs.h"

enum { STATUS_KEY_WIDTH = 13 };

static void print_loaded_kernel(const KernelInfo *k, int width) {
        const char *release = strempty(k->release)[0] ? k->release : "unknown";

        print_key("Next kernel", width);
        print_described(k->loaded ? release : "none", describe_kernel(k));
        if (!strempty(k->command_line)[0])
                return;
        print_key("Command line", width);
        print_described(k->command_line, NULL);
}

static void print_update(const ManagerInfo *info, int width) {
        _cleanup_free_ char *text = NULL;

        if (!progress_is_under_way(info->state) || progress_format(info, now_realtime(), &text) < 0)
                return;
        print_key("Update", width);
        print_described(text, NULL);
}

static void print_manager(const Options *o, const ManagerInfo *info) {
        enum { WIDTH = STATUS_KEY_WIDTH };
        char kept[FORMAT_BYTES_MAX], metadata[FORMAT_BYTES_MAX];

        print_key("luod", WIDTH);
        print_text(strempty(info->version));
        printf(", ");
        print_described(info->state, NULL);
        print_update(info, WIDTH);
        print_key("Kernel", WIDTH);
        print_described(info->kernel_support, NULL);
        print_key("Custody", WIDTH);
        print_described(info->custody, describe_custody(info->custody));
        print_key("Ledger", WIDTH);
        print_described(info->ledger, NULL);
        print_key("Live updates", WIDTH);
        printf("%" PRIu64 " since the last cold boot%s\n", info->generation,
               info->booted_by_live_update ? "; this boot brought sessions along" : "");

        if (info->loaded_kernel.by_luod)
                print_loaded_kernel(&info->loaded_kernel, WIDTH);

        print_key("Sessions", WIDTH);
        printf("%" PRIu32 " (up to %" PRIu32 " a user)\n", info->n_sessions, info->limit_sessions_per_user);
        print_key("Files", WIDTH);
        printf("%" PRIu32 " of %" PRIu32 " (up to %" PRIu32 " a user, %" PRIu32 " a session)\n", info->n_files,
               info->limit_files, info->limit_files_per_user, info->limit_files_per_session);
        print_key("Kept", WIDTH);
        printf("%s (and up to %s of metadata a session)\n", format_size(kept, info->kept_bytes, o->bytes),
               format_size(metadata, info->limit_metadata_per_session, o->bytes));
        print_key("Parts", WIDTH);
        printf("%" PRIu32 " of %" PRIu32 " kernel sessions in use\n", info->n_parts, info->limit_parts);
}

static void print_incoming(const SessionInfo *s) {
        struct timespec ts = {};
        char age[FORMAT_AGE_MAX];

        print_key(NULL, STATUS_KEY_WIDTH);
        print_text(strempty(s->name));
        printf(": %s", strempty(s->claim));
        if (s->error != 0)
                printf(", %s (errno %" PRIu32 ")", strerror((int) s->error), s->error);
        if (s->claimed_timestamp != 0)
                printf(", %s%s", streq(strempty(s->claim), "failed") ? "claimed " : "",
                       format_age(age, now_realtime(), s->claimed_timestamp));
        else {
                (void) clock_gettime(CLOCK_BOOTTIME, &ts);
                printf(", since the boot %s", format_age(age, (uint64_t) ts.tv_sec * USEC_PER_SEC, 0));
        }
        putchar('\n');
}

/* Those that wait, those that are in use, and those that failed, one after the other. */
static void print_restore(const ManagerInfo *info, const SessionInfos *sessions) {
        static const char *const claims[] = { "failed", "unclaimed", "claimed" };

        if (!info->restore)
                return;
        print_key("Restore", STATUS_KEY_WIDTH);
        print_described(info->restore, describe_restore(info->restore));
        if (info->n_incoming + info->n_renewed + info->n_ended == 0 || streq(info->restore, "none"))
                return;
        print_key("Restored", STATUS_KEY_WIDTH);
        printf("%" PRIu32 " unclaimed, %" PRIu32 " claimed, %" PRIu32 " failed, %" PRIu32 " renewed, %" PRIu32
               " finished or discarded\n",
               info->n_unclaimed, info->n_claimed, info->n_failed, info->n_renewed, info->n_ended);
        for (size_t i = 0; i < ARRAY_SIZE(claims); i++)
                for (size_t j = 0; j < sessions->n_items; j++)
                        if (streq(strempty(sessions->items[j].claim), claims[i]))
                                print_incoming(sessions->items + j);
}

ExitStatus verb_status(const Options *o) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(manager_info_done) ManagerInfo info = {};
        _cleanup_(session_infos_done) SessionInfos sessions = {};
        _cleanup_free_ char *json = NULL;
        const char *warnings[WARNINGS_MAX + 1];
        ExitStatus status;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        if (o->quota)
                return show_quota(o, bus);
        status = client_get_manager(bus, &info);
        if (status != STATUS_OK)
                return status;

        describe_warnings(&info, warnings);
        if (o->json != JSON_OFF) {
                if (encode_manager(&info, warnings, o->json, &json) < 0)
                        return report_oom();
                print_json(json);
                return STATUS_OK;
        }

        if (info.n_incoming > 0) {
                status = client_get_sessions(bus, &sessions);
                if (status != STATUS_OK)
                        return status;
        }
        print_manager(o, &info);
        print_restore(&info, &sessions);
        for (const char **w = warnings; *w; w++) {
                printf("\nWarning: ");
                print_text(*w);
                putchar('\n');
        }
        return STATUS_OK;
}

ExitStatus verb_check(const Options *o) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_free_ char *json = NULL;
        ExitStatus status;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        status = client_get_findings(bus, &findings);
        if (status != STATUS_OK)
                return status;

        if (o->json == JSON_OFF)
                findings_print(&findings, o->legend);
        else {
                if (encode_findings(&findings, o->json, &json) < 0)
                        return report_oom();
                print_json(json);
        }
        return findings_to_status(&findings);
}

ExitStatus verb_reload(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(string_list_done) StringList messages = {};
        ExitStatus status;
        int r;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(bus, LUOD_OBJECT_PATH, "Reload", &m);
        if (status != STATUS_OK)
                return status;
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = string_list_read(reply, &messages);
        if (r < 0)
                return client_message_failed(r);

        /* No failure: all the rest holds now. */
        for (size_t i = 0; i < messages.n_items; i++)
                report("%s", messages.items[i]);
        return STATUS_OK;
}
