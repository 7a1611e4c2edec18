/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

/* Options, a{sv}: the same rules for all methods that take some. */

static const struct {
        const char *member, *key; /* one that it has, a boolean */
} methods[] = {
        { "CreateSession", "auto-renew" },
        { "PreserveMany", "accept-write-seal" },
        { "LoadKernel", "no-initrd" },
        { "Update", "no-wait" },
};

/* All but the options. */
static sd_bus_message *begin(World *w, ClientId client, const char *member, int fd) {
        sd_bus_message *m;

        if (streq(member, "PreserveMany")) {
                m = session_message(w, client, "vm", member);
                assert_true(sd_bus_message_append(m, "a(tsh)", 1, (uint64_t) 1, "", fd) >= 0);
                return m;
        }
        m = manager_message(w, client, member);
        if (streq(member, "CreateSession"))
                assert_true(sd_bus_message_append(m, "s", "new") >= 0);
        else if (streq(member, "LoadKernel"))
                assert_true(sd_bus_message_append(m, "hhs", fd, fd, "") >= 0);
        return m;
}

static int call_with(World *w, ClientId client, const char *member, int fd, const char *types, ...) {
        sd_bus_message *m = begin(w, client, member, fd);
        va_list ap;

        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        return world_send(w, client, m, NULL);
}

static int setup(void **state) {
        if (world_setup(state) != 0)
                return -1;
        assert_success((World *) *state, create(*state, OTHER, "vm"));
        return 0;
}

static void test_unknown_options_are_refused_with_those_there_are(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("x");

        for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
                assert_refused(w, SD_BUS_ERROR_INVALID_ARGS,
                               call_with(w, ROOT, methods[i].member, fd, "a{sv}", 1, "colour", "s", "blue"));
                assert_non_null(strstr(w->error_message, "colour"));
                assert_non_null(strstr(w->error_message, methods[i].key));
        }
}

static void test_options_of_another_type_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("x");

        for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
                assert_refused(w, SD_BUS_ERROR_INVALID_ARGS,
                               call_with(w, ROOT, methods[i].member, fd, "a{sv}", 1, methods[i].key, "as", 1, "yes"));
                assert_non_null(strstr(w->error_message, "is of type b"));
        }
}

static void test_options_that_are_given_twice_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("x");

        for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
                assert_refused(w, SD_BUS_ERROR_INVALID_ARGS,
                               call_with(w, ROOT, methods[i].member, fd, "a{sv}", 2, methods[i].key, "b", 1, methods[i].key, "b", 0));
                assert_non_null(strstr(w->error_message, "twice"));
        }
        assert_success(w, create(w, ROOT, "new")); /* which nothing has made */
}

/* An answer that is not UTF-8 can't be sent: a key must not be cut within a character, nor may a message grow with it. */
static void test_whatever_the_key_is_there_is_an_answer(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("x");
        char key[4096];

        for (unsigned i = 0; i < ARRAY_SIZE(methods); i++)
                for (unsigned length = 60; length < 70; length++) {
                        (void) memset(key, 'a', sizeof(key));
                        (void) snprintf(key + length, sizeof(key) - length, "%s", "\xf0\x9f\x90\xa7\x01");
                        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS,
                                       call_with(w, OTHER, methods[i].member, fd, "a{sv}", 1, key, "b", 1));
                        assert_true(strlen(w->error_message) < 512);
                }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_unknown_options_are_refused_with_those_there_are),
                T(test_options_of_another_type_are_refused),
                T(test_options_that_are_given_twice_are_refused),
                T(test_whatever_the_key_is_there_is_an_answer),
        };

        world_require();
        return cmocka_run_group_tests_name("bus-options", tests, NULL, NULL);
}
