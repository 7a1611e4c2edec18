/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>
#include <unistd.h>

#include "describe.h"
#include "encode.h"
#include "findings.h"
#include "fuzz-message.h"
#include "info.h"
#include "progress.h"

/* Replies as luoctl reads them: what luod, or who sits in its place, may send. The first byte says which. */

static sd_bus *bus;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        int fds[2];

        /* A connection only gives messages their byte order: nothing is ever sent. */
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        require(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
        require(sd_bus_negotiate_fds(bus, true) >= 0 && sd_bus_start(bus) >= 0);
        return 0;
}

/* Properties under the names that luoctl knows, but of any type. */
static int append_properties(sd_bus_message *m, const Property *properties, Input *input) {
        static const char *const types[] = { "s", "b", "u", "t", "a(tsstuss)", "a{say}", "as", "a(sss)", "a{sv}", "o", "v", "x" };
        unsigned n_properties = 0, n = input_u8(input) % 32;
        int r;

        while (properties[n_properties].name)
                n_properties++;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (; r >= 0 && n > 0; n--) {
                const Property *p = properties + input_u8(input) % n_properties;
                const char *type = types[input_u8(input) % ARRAY_SIZE(types)];

                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", p->name);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', type);
                if (r >= 0)
                        r = fuzz_append(m, type, input);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* With json a variable of its own. */
#define check_json(encode, json)        \
        do {                            \
                require((encode) == 0); \
                free(json);             \
        } while (0)

static void try_manager(sd_bus_message *m) {
        const char *warnings[WARNINGS_MAX + 1];
        StringList changes = {};
        ManagerInfo info = {}, none = {};
        char *text = NULL;

        if (info_read(m, manager_properties, &info) == 0) {
                describe_warnings(&info, warnings);
                check_json(encode_manager(&info, warnings, JSON_PRETTY, &text), text);
                require(progress_format(&info, 1000, &text) == 0);
                free(text);
                require(progress_changes(&none, &info, 1000, &changes) == 0);
                require(progress_changes(&info, &none, 1000, &changes) == 0);
                string_list_done(&changes);
        }
        manager_info_done(&info);
}

static void try_session(sd_bus_message *m) {
        SessionInfo info = {};
        char *text = NULL;

        if (info_read(m, session_properties, &info) == 0)
                check_json(encode_session(&info, JSON_SHORT, &text), text);
        session_info_done(&info);
}

static void try_identification(sd_bus_message *m) {
        IdentificationInfo info = {};
        char *text = NULL;

        if (info_read(m, identification_properties, &info) == 0)
                check_json(encode_identification(&info, JSON_SHORT, &text), text);
        identification_info_done(&info);
}

static void try_lists(sd_bus_message *m, unsigned which) {
        size_t counts[_SEVERITY_MAX];
        Inhibitors inhibitors = {};
        SessionInfos infos = {};
        SessionRows rows = {};
        Findings findings = {};
        StringList list = {};
        char *text = NULL;

        if (which == 3 && session_rows_read(m, &rows) == 0)
                check_json(encode_session_rows(&rows, JSON_PRETTY, &text), text);
        else if (which == 4 && inhibitors_read(m, &inhibitors) == 0)
                check_json(encode_inhibitors(&inhibitors, JSON_PRETTY, &text), text);
        else if (which == 5 && findings_read(m, &findings) == 0) {
                (void) findings_worst(&findings, counts);
                (void) findings_count_blocking(&findings, true);
                check_json(encode_findings(&findings, JSON_PRETTY, &text), text);
        } else if (which == 6)
                (void) session_infos_read(m, &infos);
        else if (which == 7)
                (void) string_list_read(m, &list);
        inhibitors_done(&inhibitors);
        session_infos_done(&infos);
        session_rows_done(&rows);
        findings_done(&findings);
        string_list_done(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const signatures[] = { [3] = "a(ssuuto)", [4] = "a(ssssuut)", [5] = "a(ssss)", [6] = "a{oa{sa{sv}}}", [7] = "as" };
        static const Property *const tables[] = { manager_properties, session_properties, identification_properties };
        Input input = { data, size };
        unsigned which = input_u8(&input) % 8;
        sd_bus_message *m;
        int r;

        require(sd_bus_message_new_signal(bus, &m, "/", "test.Test", "Test") >= 0);
        if (which < 3)
                r = append_properties(m, tables[which], &input);
        else
                r = fuzz_append(m, signatures[which], &input);
        if (r >= 0 && sd_bus_message_seal(m, 1, 0) >= 0) {
                require(sd_bus_message_rewind(m, true) >= 0);
                if (which == 0)
                        try_manager(m);
                else if (which == 1)
                        try_session(m);
                else if (which == 2)
                        try_identification(m);
                else
                        try_lists(m, which);
        }
        sd_bus_message_unref(m);
        return 0;
}
