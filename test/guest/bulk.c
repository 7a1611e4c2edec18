/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "bulk.h"
#include "fd-util.h"
#include "luod-limits.h"
#include "test-bus.h"
#include "test-file.h"

/* Calls in flight: below what luod takes for one session, and their fds below what the bus takes from one user. */
#define IN_FLIGHT_MAX 24U
#define FILES_PER_CALL 16U
#define ERRORS_MAX 8U

typedef struct Bulk {
        sd_bus *bus;
        unsigned in_flight;
        uint64_t n_done, n_failed;
        struct {
                char *name;
                uint64_t count;
        } errors[ERRORS_MAX];
        const char *prefix; /* of what is being verified */
        uint64_t n_files, size, n_wrong;
} Bulk;

static uint64_t content_seed(uint64_t session, uint64_t file) {
        return session * 1000 + file + 1;
}

static void note_error(Bulk *b, const sd_bus_error *error) {
        size_t i = 0;

        b->n_failed++;
        while (i < ERRORS_MAX - 1 && b->errors[i].name && !streq(b->errors[i].name, error->name))
                i++;
        if (!b->errors[i].name) {
                b->errors[i].name = strdup(error->name);
                printf("%s: %s\n", error->name, strempty(error->message));
        }
        b->errors[i].count++;
}

/* Counts the answer, and says whether it was a yes. */
static bool take_answer(Bulk *b, sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        b->in_flight--;
        if (error)
                note_error(b, error);
        else
                b->n_done++;
        return !error;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        take_answer(userdata, reply);
        return 0;
}

static void wait_until_in_flight(Bulk *b, unsigned n) {
        while (b->in_flight > n) {
                int r = sd_bus_process(b->bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(b->bus, TEST_TIMEOUT_USEC);
                if (r < 0)
                        die("The bus is gone: %s", strerror(-r));
        }
}

static void send_call(Bulk *b, sd_bus_message *m, sd_bus_message_handler_t handler, void *userdata) {
        wait_until_in_flight(b, IN_FLIGHT_MAX - 1);
        check_message(sd_bus_call_async(b->bus, NULL, m, handler, userdata, TEST_TIMEOUT_USEC));
        b->in_flight++;
}

/* Prints what came of it and ends the stage. */
static bool finish_stage(Bulk *b, const char *what, uint64_t start) {
        uint64_t failed;

        wait_until_in_flight(b, 0);
        printf("%s: %" PRIu64 " done, %" PRIu64 " refused, %" PRIu64 " ms\n", what, b->n_done, b->n_failed,
               (now_monotonic_usec() - start) / 1000);
        for (size_t i = 0; i < ERRORS_MAX && b->errors[i].name; i++) {
                printf("%s %" PRIu64 " times\n", b->errors[i].name, b->errors[i].count);
                b->errors[i].name = (free(b->errors[i].name), NULL);
                b->errors[i].count = 0;
        }
        failed = b->n_failed;
        b->n_done = b->n_failed = 0;
        return failed == 0;
}

static bool create_sessions(Bulk *b, const char *prefix, uint64_t count) {
        uint64_t start = now_monotonic_usec();

        for (uint64_t i = 0; i < count; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_manager_call(b->bus, "CreateSession");
                char name[64];

                (void) snprintf(name, sizeof(name), "%s-%" PRIu64, prefix, i);
                check_message(sd_bus_message_append(m, "sa{sv}", name, 0));
                send_call(b, m, on_answer, b);
        }
        return finish_stage(b, "CreateSession", start);
}

static void send_files(Bulk *b, const char *name, uint64_t session, uint64_t first, uint64_t n, uint64_t size) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_session_call(b->bus, name, "PreserveMany");

        check_message(sd_bus_message_open_container(m, 'a', "(tsh)"));
        for (uint64_t i = first; i < first + n; i++) {
                _cleanup_(closep) int fd = test_file_random(content_seed(session, i), size);

                check_message(sd_bus_message_append(m, "(tsh)", i, "", fd));
        }
        check_message(sd_bus_message_close_container(m));
        check_message(sd_bus_message_append(m, "a{sv}", 0));
        send_call(b, m, on_answer, b);
}

static void send_file(Bulk *b, const char *name, uint64_t session, uint64_t token, uint64_t size) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_session_call(b->bus, name, "Preserve");
        _cleanup_(closep) int fd = test_file_random(content_seed(session, token), size);

        check_message(sd_bus_message_append(m, "tsh", token, "", fd));
        send_call(b, m, on_answer, b);
}

static bool preserve_files(Bulk *b, const char *prefix, uint64_t count, uint64_t n_files, uint64_t size, bool each) {
        uint64_t start = now_monotonic_usec();

        for (uint64_t i = 0; i < count; i++) {
                char name[64];

                (void) snprintf(name, sizeof(name), "%s-%" PRIu64, prefix, i);
                for (uint64_t token = 0; each && token < n_files; token++)
                        send_file(b, name, i, token, size);
                for (uint64_t first = 0; !each && first < n_files; first += FILES_PER_CALL)
                        send_files(b, name, i, first, MIN(n_files - first, (uint64_t) FILES_PER_CALL), size);
        }
        return finish_stage(b, each ? "Preserve" : "PreserveMany", start);
}

int bulk_create(const char *prefix, uint64_t count, uint64_t n_files, uint64_t size, bool each) {
        Bulk b = { .bus = test_bus_open() };
        bool good;

        good = create_sessions(&b, prefix, count);
        good = preserve_files(&b, prefix, count, n_files, size, each) && good;
        sd_bus_flush_close_unref(b.bus);
        return good ? EXIT_SUCCESS : EXIT_REFUSED;
}

/* --- afterwards */

typedef struct Verification {
        Bulk *bulk;
        uint64_t session;
} Verification;

static void verify_file(Bulk *b, uint64_t session, uint64_t token, int fd) {
        if (test_file_checksum(fd) == test_file_random_checksum(content_seed(session, token), b->size))
                return;
        printf("%s-%" PRIu64 ": token %" PRIu64 " has another content\n", b->prefix, session, token);
        b->n_wrong++;
}

static int on_files(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        Verification *v = userdata;
        uint64_t token;
        int fd, r;

        if (take_answer(v->bulk, reply)) {
                check_message(sd_bus_message_enter_container(reply, 'a', "(th)"));
                while ((r = sd_bus_message_read(reply, "(th)", &token, &fd)) > 0)
                        verify_file(v->bulk, v->session, token, fd);
                check_message(r);
        }
        free(v);
        return 0;
}

static void ask_for_files(Bulk *b, uint64_t session, uint64_t first, uint64_t n) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Verification *v = malloc(sizeof(*v));
        char name[64];

        if (!v)
                die("Out of memory");
        *v = (Verification) { .bulk = b, .session = session };
        (void) snprintf(name, sizeof(name), "%s-%" PRIu64, b->prefix, session);
        m = test_bus_session_call(b->bus, name, "RetrieveMany");
        check_message(sd_bus_message_open_container(m, 'a', "t"));
        for (uint64_t i = first; i < first + n; i++)
                check_message(sd_bus_message_append(m, "t", i));
        check_message(sd_bus_message_close_container(m));
        send_call(b, m, on_files, v);
}

int bulk_verify(const char *prefix, uint64_t count, uint64_t n_files, uint64_t size) {
        Bulk b = { .bus = test_bus_open(), .prefix = prefix, .n_files = n_files, .size = size };
        uint64_t start = now_monotonic_usec();
        bool good;

        for (uint64_t i = 0; i < count; i++)
                for (uint64_t first = 0; first < n_files; first += FDS_PER_REPLY_MAX)
                        ask_for_files(&b, i, first, MIN(n_files - first, (uint64_t) FDS_PER_REPLY_MAX));
        good = finish_stage(&b, "RetrieveMany", start);
        printf("%" PRIu64 " files with another content\n", b.n_wrong);
        sd_bus_flush_close_unref(b.bus);
        return good && b.n_wrong == 0 ? EXIT_SUCCESS : EXIT_REFUSED;
}

int bulk_finish(const char *prefix, uint64_t count) {
        Bulk b = { .bus = test_bus_open() };
        uint64_t start = now_monotonic_usec();
        bool good;

        for (uint64_t i = 0; i < count; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                char name[64];

                (void) snprintf(name, sizeof(name), "%s-%" PRIu64, prefix, i);
                m = test_bus_session_call(b.bus, name, "Finish");
                send_call(&b, m, on_answer, &b);
        }
        good = finish_stage(&b, "Finish", start);
        sd_bus_flush_close_unref(b.bus);
        return good ? EXIT_SUCCESS : EXIT_REFUSED;
}

int bulk_fill(const char *session, uint64_t count) {
        Bulk b = { .bus = test_bus_open() };
        uint64_t start = now_monotonic_usec();

        for (uint64_t i = 0; i < count; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_session_call(b.bus, session, "Preserve");
                _cleanup_(closep) int fd = test_file_random(i, 4);

                check_message(sd_bus_message_append(m, "tsh", i, "", fd));
                send_call(&b, m, on_answer, &b);
        }
        (void) finish_stage(&b, "Preserve", start);
        sd_bus_flush_close_unref(b.bus);
        return EXIT_SUCCESS;
}
