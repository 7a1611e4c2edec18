/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "world.h"

/* What a client sends is not held longer than it is needed, and not sent back however long it is. */

#define LONG (64U * 1024U)
/* No refusal is longer. */
#define REFUSAL_MAX 1024U

static char *make_long(void) {
        char *s = malloc(LONG + 1);

        assert_non_null(s);
        memset(s, 'x', LONG);
        s[LONG] = '\0';
        return s;
}

static void assert_short_refusal(World *w, int r) {
        assert_true(r < 0);
        if (strlen(w->error_message) > REFUSAL_MAX)
                fail_msg("%s: %zu bytes: %.200s", w->error, strlen(w->error_message), w->error_message);
}

static void test_no_answer_repeats_a_long_argument(void **state) {
        static const char properties[] = "org.freedesktop.DBus.Properties";
        _cleanup_free_ char *text = make_long(), *session = session_path("theirs"), *path = NULL;
        World *w = *state;

        assert_true(asprintf(&path, "/org/luod1/session/%s", text) > 0);
        assert_success(w, create(w, OTHER, "theirs"));
        for (unsigned i = 0; i < 4; i++) {
                const char *paths[] = { LUOD_OBJECT_PATH, session, "/", "/org/luod1/session/nothing" };

                assert_short_refusal(w, world_call(w, OTHER, paths[i], properties, "GetAll", NULL, "s", text));
                assert_short_refusal(w, world_call(w, OTHER, paths[i], properties, "Get", NULL, "ss", text, "Name"));
                assert_short_refusal(w, world_call(w, OTHER, paths[i], properties, "Get", NULL, "ss", LUOD_INTERFACE_SESSION, text));
                assert_short_refusal(w, world_call(w, OTHER, paths[i], properties, "Set", NULL, "ssv", text, "Name", "s", text));
                assert_short_refusal(w, world_call(w, OTHER, paths[i], properties, "Set", NULL, "ssv", LUOD_INTERFACE_MANAGER, "Version",
                                                   "s", text));
                assert_short_refusal(w, world_call(w, OTHER, paths[i], properties, "GetAll", NULL, "u", 1U));
        }
        assert_short_refusal(w, create(w, OTHER, text));
        assert_short_refusal(w, create_with(w, OTHER, "s", text, "v"));
        assert_short_refusal(w, set_metadata(w, OTHER, "theirs", text, "v"));
        assert_short_refusal(w, world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "CreateSession", NULL, "sa{sv}", "s", 1,
                                           text, "b", 1));
        assert_short_refusal(w, world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetSession", NULL, "s", text));
        for (unsigned i = 0; i < 4; i++)
                assert_short_refusal(w, world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Inhibit", NULL, "ssss",
                                                   i == 0 ? text : "update", i == 1 ? text : "who", i == 2 ? text : "why",
                                                   i == 3 ? text : "delay"));
        assert_success(w, world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetQuota", NULL, NULL));
        world_check(w);
}

/* What may be asked of properties is answered as ever. */
static void test_properties_can_be_asked_for(void **state) {
        World *w = *state;
        sd_bus_message *reply = NULL;
        const char *s;

        assert_success(w, world_call(w, OTHER, LUOD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "Get", &reply, "ss",
                                     LUOD_INTERFACE_MANAGER, "State"));
        assert_true(sd_bus_message_read(reply, "v", "s", &s) > 0);
        sd_bus_message_unref(reply);
        assert_success(w, world_call(w, OTHER, LUOD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "GetAll", NULL, "s",
                                     LUOD_INTERFACE_MANAGER));
        assert_success(w, world_call(w, OTHER, LUOD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "GetAll", NULL, "s", ""));
}

/* --- calls in flight */

static void test_a_call_in_flight_holds_each_file_once(void **state) {
        enum { N = 10 };
        World *w = *state;
        sd_bus_message *m;
        Call call = CALL_NULL;
        int fds[N], r;
        unsigned before;

        assert_success(w, create(w, OTHER, "theirs"));
        m = session_message(w, OTHER, "theirs", "PreserveMany");
        assert_true(sd_bus_message_open_container(m, 'a', "(tsh)") >= 0);
        for (unsigned i = 0; i < N; i++) {
                fds[i] = make_memfd("hello");
                assert_true(sd_bus_message_append(m, "(tsh)", (uint64_t) i, "", fds[i]) >= 0);
        }
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
        before = world_count_fds(w);
        w->store.silent = true;
        call_send(w, OTHER, m, &call);
        sd_bus_message_unref(m); /* with its copies */
        world_settle(w);
        assert_false(call.answered);
        assert_int_equal(world_count_fds(w), before); /* the message's copies are luod's now */
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        r = call_wait(&call, NULL);
        assert_success(w, r);
        call_done(&call);
        for (unsigned i = 0; i < N; i++)
                safe_close(fds[i]);
        world_check(w);
}

static void test_a_file_that_got_lost_for_want_of_an_fd_is_no_fault_of_the_callers(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        sd_bus_message *m;
        struct rlimit before;
        int r;

        assert_success(w, create(w, OTHER, "theirs"));
        m = session_message(w, OTHER, "theirs", "Preserve");
        assert_true(sd_bus_message_append(m, "tsh", (uint64_t) 1, "", fd) >= 0);
        before = limit_fds(0);
        r = world_send(w, OTHER, m, NULL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_true(r < 0);
        assert_string_equal(w->error, LUOD_ERROR_QUOTA_EXCEEDED);
        assert_non_null(strstr(w->error_message, "LimitNOFILE="));
        assert_success(w, preserve(w, OTHER, "theirs", 1, fd));
        world_check(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
                TEST(test_no_answer_repeats_a_long_argument),
                TEST(test_properties_can_be_asked_for),
                TEST(test_a_call_in_flight_holds_each_file_once),
                TEST(test_a_file_that_got_lost_for_want_of_an_fd_is_no_fault_of_the_callers),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
