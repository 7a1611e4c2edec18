/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "bus-names.h"
#include "client.h"
#include "describe.h"
#include "fd-util.h"
#include "format-value.h"
#include "output.h"
#include "verbs.h"

/* luoctl identify: whether a file can be kept depends on how it is open, so it is opened with all that is allowed. */

static int open_as_allowed(const char *path) {
        static const int access[] = { O_RDWR, O_RDONLY, O_WRONLY };
        int fd, error = 0;

        for (size_t i = 0; i < ARRAY_SIZE(access); i++) {
                /* Nobody is waited for: it may be a pipe. */
                fd = open(path, access[i] | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
                if (fd >= 0)
                        return fd;
                if (error == 0)
                        error = errno;
        }
        return -error;
}

static ExitStatus identify(int fd, IdentificationInfo *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus status;
        int r;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(bus, LUOD_OBJECT_PATH, "Identify", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append_basic(m, 'h', &fd);
        if (r < 0)
                return client_message_failed(r);
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = info_read(reply, identification_properties, ret);
        if (r < 0)
                return client_message_failed(r);
        return STATUS_OK;
}

enum { KEY_WIDTH = 8 };

static void print_seals(const StringList *seals) {
        if (seals->n_items == 0)
                return;
        print_key("Seals", KEY_WIDTH);
        for (size_t i = 0; i < seals->n_items; i++) {
                if (i > 0)
                        putchar(' ');
                print_text(seals->items[i]);
        }
        putchar('\n');
}

static void print_keeper(const IdentificationInfo *info) {
        print_key("Kept", KEY_WIDTH);
        if (!info->session) {
                print_described(info->kept ? "yes" : "no", describe_keeper(info->keeper));
                return;
        }
        printf("yes (in %s session '", streq(strempty(info->direction), "incoming") ? "incoming" : "outgoing");
        print_text(info->session);
        printf("', token %" PRIu64 ")\n", info->token);
}

static void print_identification(const Options *o, const IdentificationInfo *info) {
        char size[FORMAT_BYTES_MAX], holes[FORMAT_BYTES_MAX], user[FORMAT_USER_MAX];

        print_key("Type", KEY_WIDTH);
        print_described(info->type, NULL);
        print_key("Size", KEY_WIDTH);
        printf("%s", format_size(size, info->size, o->bytes));
        if (info->holes > 0)
                printf(" (keeping it fills holes of %s)", format_size(holes, info->holes, o->bytes));
        putchar('\n');
        print_key("Owner", KEY_WIDTH);
        print_text(format_user(user, info->owner));
        printf(" (uid %" PRIu32 ")\n", info->owner);
        print_key("Mode", KEY_WIDTH);
        printf("%04" PRIo32 "\n", info->mode & 07777);
        print_key("Access", KEY_WIDTH);
        print_described(info->access, NULL);
        print_seals(&info->seals);
        print_key("Keepable", KEY_WIDTH);
        print_text(strempty(info->keepable));
        if (strempty(info->reason)[0]) {
                printf(": ");
                print_text(info->reason);
        }
        putchar('\n');
        print_keeper(info);
}

ExitStatus verb_identify(const Options *o) {
        _cleanup_(identification_info_done) IdentificationInfo info = {};
        _cleanup_(closep) int opened = -EBADF;
        const char *path = o->arguments[0];
        _cleanup_free_ char *json = NULL;
        ExitStatus status;

        if (!streq(path, "-")) {
                opened = open_as_allowed(path);
                if (opened < 0) {
                        report("Can't open '%s': %s%s", path, strerror(-opened),
                               opened == -ENXIO ? "; hand it over as standard input: luoctl identify - <&FD" : "");
                        return STATUS_FAILURE;
                }
        }

        status = identify(opened >= 0 ? opened : STDIN_FILENO, &info);
        if (status != STATUS_OK)
                return status;

        if (o->json == JSON_OFF) {
                print_identification(o, &info);
                return STATUS_OK;
        }
        if (encode_identification(&info, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}
