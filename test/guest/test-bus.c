/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "bus-names.h"
#include "test-bus.h"

#define PATIENCE_USEC (120ULL * 1000 * 1000)
#define RETRY_NSEC (20L * 1000 * 1000)

sd_bus *test_bus_open(void) {
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                die("Can't connect to the system bus: %s", strerror(-r));
        return bus;
}

static sd_bus_message *new_call(sd_bus *bus, const char *path, const char *interface, const char *member) {
        sd_bus_message *m = NULL;

        check_message(sd_bus_message_new_method_call(bus, &m, LUOD_BUS_NAME, path, interface, member));
        return m;
}

sd_bus_message *test_bus_manager_call(sd_bus *bus, const char *member) {
        return new_call(bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, member);
}

sd_bus_message *test_bus_session_call(sd_bus *bus, const char *name, const char *member) {
        _cleanup_free_ char *path = NULL;

        check_message(sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, name, &path));
        return new_call(bus, path, LUOD_INTERFACE_SESSION, member);
}

sd_bus_message *test_bus_get(sd_bus *bus, const char *session, const char *property, const char *type) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = NULL;
        sd_bus_message *reply;
        int status;

        check_message(sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, session, &path));
        m = new_call(bus, path, "org.freedesktop.DBus.Properties", "Get");
        check_message(sd_bus_message_append(m, "ss", LUOD_INTERFACE_SESSION, property));
        status = test_bus_call(bus, m, /* expect= */ NULL, &reply);
        if (status != EXIT_SUCCESS)
                exit(status);
        check_message(sd_bus_message_enter_container(reply, 'v', type));
        return reply;
}

/* luod died, or is being started. */
static bool answer_was_lost(const sd_bus_error *error) {
        static const char *const names[] = {
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                SD_BUS_ERROR_NO_REPLY,
                SD_BUS_ERROR_SERVICE_UNKNOWN,
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (sd_bus_error_has_name(error, names[i]))
                        return true;
        return strncmp(strempty(error->name), "org.freedesktop.DBus.Error.Spawn.", 33) == 0 ||
               strncmp(strempty(error->name), "org.freedesktop.systemd1.", 25) == 0;
}

static bool will_pass(const sd_bus_error *error) {
        return answer_was_lost(error) || sd_bus_error_has_name(error, LUOD_ERROR_DEVICE_BUSY) ||
               sd_bus_error_has_name(error, LUOD_ERROR_NO_CUSTODY) ||
               sd_bus_error_has_name(error, LUOD_ERROR_SHUTTING_DOWN);
}

static void pause_shortly(void) {
        const struct timespec pause = { .tv_nsec = RETRY_NSEC };

        (void) nanosleep(&pause, NULL);
}

/* As sd_bus_call(); *ret_repeated tells whether it took more than one attempt. */
static int call_again_and_again(sd_bus *bus,
                                sd_bus_message *m,
                                bool (*again)(const sd_bus_error *error),
                                sd_bus_error *reterr_error,
                                sd_bus_message **ret_reply,
                                bool *ret_repeated) {
        uint64_t start = now_monotonic_usec();
        int r;

        *ret_repeated = false;
        for (;;) {
                r = sd_bus_call(bus, m, TEST_TIMEOUT_USEC, reterr_error, ret_reply);
                if (r >= 0 || !again(reterr_error) || now_monotonic_usec() - start > PATIENCE_USEC)
                        return r;
                sd_bus_error_free(reterr_error);
                *ret_repeated = true;
                pause_shortly();
        }
}

int test_bus_call(sd_bus *bus, sd_bus_message *m, const char *expect, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        bool repeated;
        int r;

        if (ret_reply)
                *ret_reply = NULL;
        r = call_again_and_again(bus, m, answer_was_lost, &error, &reply, &repeated);
        if (r < 0) {
                printf("%s: %s\n", error.name ? error.name : "?", error.message ? error.message : strerror(-r));
                if (!expect)
                        return EXIT_REFUSED;
                if (error.name && streq(error.name, expect))
                        return EXIT_SUCCESS;
                printf("Expected %s\n", expect);
                return EXIT_REFUSED;
        }

        if (expect) {
                printf("Succeeded; expected %s\n", expect);
                return EXIT_REFUSED;
        }
        if (ret_reply)
                *ret_reply = TAKE_PTR(reply);
        return EXIT_SUCCESS;
}

void test_bus_call_until_answered(sd_bus *bus, sd_bus_message *m, bool gone_is_fine, const char *what) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool repeated;
        int r;

        r = call_again_and_again(bus, m, will_pass, &error, /* ret_reply= */ NULL, &repeated);
        if (r >= 0 || (repeated && gone_is_fine && sd_bus_error_has_name(&error, LUOD_ERROR_NO_SUCH_SESSION)))
                return;
        wrong("%s: %s: %s%s", what, strempty(error.name), strempty(error.message),
              repeated ? " (the call was repeated)" : "");
}
