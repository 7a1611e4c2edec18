/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "world.h"

/* luod.conf: Reload(), and that what is set there holds. The world is on a tmpfs, and the configuration beside it. */

static char etc[64];
static const char *const directories[] = { etc, NULL };

static void configure(const char *text) {
        char path[128];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/luod.conf", etc);
        if (!text) {
                assert_true(unlink(path) >= 0 || errno == ENOENT);
                return;
        }
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
        World *w;

        strcpy(etc, "/tmp/test-bus-reload.XXXXXX");
        assert_non_null(mkdtemp(etc));
        assert_int_equal(world_setup(state), 0);
        w = *state;
        w->config_directories = w->manager->config_directories = directories;
        return 0;
}

static int teardown(void **state) {
        configure(NULL);
        assert_int_equal(rmdir(etc), 0);
        return world_teardown(state);
}

/* All messages of the reload, a line each. */
static int reload_as(World *w, ClientId client, char ret[static 4096]) {
        sd_bus_message *reply = NULL;
        const char *message;
        int r;

        ret[0] = '\0';
        r = world_call(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Reload", &reply, NULL);
        if (r < 0)
                return r;
        assert_true(sd_bus_message_enter_container(reply, 'a', "s") > 0);
        while (sd_bus_message_read(reply, "s", &message) > 0)
                (void) strcat(strcat(ret, message), "\n");
        sd_bus_message_unref(reply);
        return 0;
}

/* Nothing may be wrong with @text. */
static void reload(World *w, const char *text) {
        char messages[4096];

        configure(text);
        assert_success(w, reload_as(w, ROOT, messages));
        assert_string_equal(messages, "");
}

static uint32_t get_limit(World *w, const char *property) {
        sd_bus_message *reply = NULL;
        uint32_t value = 0;

        assert_success(w, get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, property, "u", &reply));
        assert_true(sd_bus_message_read(reply, "u", &value) > 0);
        sd_bus_message_unref(reply);
        return value;
}

#define assert_says(w, text) assert_non_null(strstr((w)->error_message, text))

static void test_without_a_file_all_is_as_built(void **state) {
        World *w = *state;

        reload(w, NULL);
        assert_int_equal(get_limit(w, "LimitSessionsPerUser"), SESSIONS_PER_USER_MAX);
        assert_int_equal(get_limit(w, "LimitFilesPerUser"), FILES_PER_USER_MAX);
        assert_int_equal(get_limit(w, "LimitFiles"), FILES_MAX);
        assert_int_equal(get_limit(w, "LimitParts"), PARTS_MAX);
}

static void test_only_root_reloads(void **state) {
        World *w = *state;
        char messages[4096];

        configure("[Limits]\nFiles=1\n");
        assert_true(reload_as(w, OTHER, messages) < 0);
        assert_string_equal(w->error, SD_BUS_ERROR_ACCESS_DENIED);
        assert_int_equal(get_limit(w, "LimitFiles"), FILES_MAX);
}

static void test_units_are_set_and_a_wrong_one_keeps_what_held(void **state) {
        World *w = *state;
        char messages[4096];

        assert_null(w->manager->config.on_claimed);
        for (unsigned i = 0; i < 2; i++)
                reload(w, "[Restore]\nOnClaimed=claimed.service\nOnImpaired=impaired.target\n");
        assert_string_equal(w->manager->config.on_claimed, "claimed.service");
        assert_string_equal(w->manager->config.on_impaired, "impaired.target");
        configure("[Restore]\nOnClaimed=no unit\n");
        assert_success(w, reload_as(w, ROOT, messages));
        assert_string_equal(w->manager->config.on_claimed, "claimed.service");
        assert_null(w->manager->config.on_impaired);
        reload(w, "[Restore]\nOnClaimed=\n");
        assert_null(w->manager->config.on_claimed);
}

static void test_what_is_wrong_is_told_and_keeps_what_held(void **state) {
        World *w = *state;
        char messages[4096], should[512];

        reload(w, "[Limits]\nFiles=10\nParts=100\n");
        assert_int_equal(get_limit(w, "LimitFiles"), 10);
        configure("[Limits]\nFiles=ten\nFoo=\xff\nParts=1001\nSessionsPerUser=7\n");
        assert_success(w, reload_as(w, ROOT, messages));
        (void) snprintf(should, sizeof(should),
                        "%s/luod.conf:2: Files=ten is not a number, ignored\n"
                        "%s/luod.conf:3: there is no key 'Foo' in section [Limits], ignored\n"
                        "%s/luod.conf:4: Parts=1001 is out of range (16 to 1000), ignored\n",
                        etc, etc, etc);
        assert_string_equal(messages, should);
        assert_int_equal(get_limit(w, "LimitFiles"), 10);
        assert_int_equal(get_limit(w, "LimitParts"), 100);
        assert_int_equal(get_limit(w, "LimitSessionsPerUser"), 7);

        /* A start has nothing that held before. */
        world_restart(w);
        assert_int_equal(get_limit(w, "LimitFiles"), FILES_MAX);
        assert_int_equal(get_limit(w, "LimitSessionsPerUser"), 7);
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        char *heard = userdata;
        const char *property;

        assert_true(sd_bus_message_skip(m, "s") > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") >= 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                uint32_t value;

                assert_true(sd_bus_message_read(m, "s", &property) > 0);
                if (strncmp(property, "Limit", 5) != 0)
                        assert_true(sd_bus_message_skip(m, "v") > 0);
                else {
                        assert_true(sd_bus_message_read(m, "v", "u", &value) > 0);
                        (void) sprintf(heard + strlen(heard), "%s=%u ", property, value);
                }
                assert_true(sd_bus_message_exit_container(m) > 0);
        }
        return 0;
}

static void test_changed_limits_are_told_and_only_those(void **state) {
        World *w = *state;
        char heard[1024] = "";

        assert_true(sd_bus_match_signal(w->clients[ROOT].client, NULL, NULL, NULL, "org.freedesktop.DBus.Properties",
                                        "PropertiesChanged", on_properties_changed, heard) >= 0);
        reload(w, "[Limits]\nFiles=10\nParts=100\nSessionsPerUser=256\n");
        assert_string_equal(heard, "LimitFiles=10 LimitParts=100 ");
        heard[0] = '\0';
        reload(w, "[Limits]\nFiles=10\nParts=100\n");
        assert_string_equal(heard, "");
        reload(w, "[Limits]\nFiles=10\nSessionsPerUser=3\nFilesPerUser=4\n");
        assert_string_equal(heard, "LimitSessionsPerUser=3 LimitFilesPerUser=4 LimitParts=1000 ");
}

static void test_fewer_sessions_than_there_are_lose_nothing(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        char name[32];
        int back;

        for (unsigned i = 0; i < 5; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                assert_success(w, create(w, OTHER, name));
        }
        reload(w, "[Limits]\nSessionsPerUser=2\n");
        assert_refused(w, "QuotaExceeded", create(w, OTHER, "one more"));
        assert_says(w, "The sessions of user 4242: 5 of 2 in use, 1 more asked for (SessionsPerUser= in luod.conf); finish");
        assert_success(w, create(w, ROOT, "root's"));
        assert_success(w, preserve(w, OTHER, "s4", 1, fd));

        world_update(w);
        assert_int_equal(w->manager->state.n_sessions, 6);
        assert_success(w, retrieve(w, OTHER, "s4", 1, &back));
        assert_content(back, "hello");
        for (unsigned i = 0; i < 4; i++) {
                assert_refused(w, "QuotaExceeded", create(w, OTHER, "one more"));
                (void) snprintf(name, sizeof(name), "s%u", i);
                assert_success(w, discard(w, OTHER, name));
        }
        assert_success(w, create(w, OTHER, "one more"));
        assert_refused(w, "QuotaExceeded", create(w, OTHER, "and another"));
        reload(w, "[Limits]\nSessionsPerUser=\n");
        assert_success(w, create(w, OTHER, "and another"));
        reload(w, "[Limits]\nSessionsPerUser=0\n");
        assert_refused(w, "QuotaExceeded", create(w, OTHER, "none at all"));
        world_check(w);
}

static void test_fewer_files_than_there_are_lose_nothing(void **state) {
        World *w = *state;
        int fds[7], back;

        assert_success(w, create(w, OTHER, "theirs"));
        assert_success(w, create(w, ROOT, "root's"));
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = make_memfd("hello");
        for (unsigned i = 0; i < 3; i++)
                assert_success(w, preserve(w, OTHER, "theirs", i, fds[i]));

        reload(w, "[Limits]\nFilesPerUser=2\nFiles=4\n");
        assert_refused(w, "QuotaExceeded", preserve(w, OTHER, "theirs", 3, fds[3]));
        assert_says(w, "FilesPerUser= in luod.conf");
        assert_success(w, preserve(w, OTHER, "theirs", 2, fds[2])); /* repeated: it is kept */
        assert_success(w, preserve(w, ROOT, "root's", 3, fds[3]));
        assert_refused(w, "QuotaExceeded", preserve(w, ROOT, "root's", 4, fds[4]));
        assert_says(w, "The files of all users: 4 of 4 in use, 1 more asked for (Files= in luod.conf); finish");
        reload(w, "[Limits]\nFiles=6\n");
        assert_refused(w, "QuotaExceeded", preserve_many(w, ROOT, "root's", (uint64_t[]) { 7, 8, 9 }, fds + 4, 3));
        assert_success(w, preserve_many(w, ROOT, "root's", (uint64_t[]) { 7, 8 }, fds + 4, 2));

        reload(w, "[Limits]\nFiles=0\n");
        world_update(w);
        for (unsigned i = 0; i < 3; i++) {
                assert_success(w, retrieve(w, OTHER, "theirs", i, &back));
                assert_content(back, "hello");
        }
        assert_success(w, finish(w, OTHER, "theirs"));
        world_check(w);
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
                safe_close(fds[i]);
}

static void test_fewer_parts_than_there_are_lose_nothing(void **state) {
        World *w = *state;
        unsigned n = 0;
        char name[32];

        for (; n < 30; n++) {
                (void) snprintf(name, sizeof(name), "s%u", n);
                assert_success(w, create(w, ROOT, name));
        }
        reload(w, "[Limits]\nParts=16\n");
        assert_int_equal(get_limit(w, "LimitParts"), 16);
        for (;; n++) { /* spares that there are may be used */
                (void) snprintf(name, sizeof(name), "s%u", n);
                if (create(w, ROOT, name) < 0)
                        break;
                assert_true(n < 50);
        }
        assert_string_equal(w->error, LUOD_ERROR_QUOTA_EXCEEDED);
        assert_says(w, " of 16 in use, 1 more asked for (Parts= in luod.conf");
        world_check(w);

        /* The ledger of the next boot needs a kernel session, limit or not. */
        world_update(w);
        assert_int_equal(w->manager->state.n_sessions, n);
        assert_refused(w, "QuotaExceeded", create(w, ROOT, "one more"));
        reload(w, NULL);
        assert_success(w, create(w, ROOT, "one more"));
        world_check(w);
}

static void test_reserved_memory_is_not_filled(void **state) {
        World *w = *state;
        _cleanup_(closep) int sparse = make_memfd("hello"), full = make_memfd("hello");

        assert_int_equal(ftruncate(sparse, 1 << 20), 0);
        assert_success(w, create(w, ROOT, "vm1"));
        reload(w, "[Limits]\nMemoryReserve=1048576G\n");
        assert_refused(w, "OutOfMemory", preserve(w, ROOT, "vm1", 1, sparse));
        assert_says(w, "MemoryReserve= in luod.conf");
        assert_success(w, preserve(w, ROOT, "vm1", 2, full));
        reload(w, "[Limits]\nMemoryReserve=0\n");
        assert_success(w, preserve(w, ROOT, "vm1", 1, sparse));
}

static void test_patience_with_the_device_is_as_long_as_it_is_set(void **state) {
        World *w = *state;
        static const struct {
                const char *text;
                unsigned least, most;
        } rows[] = { { "[Device]\nBusyTimeout=100ms\n", 5, 9 }, { "[Device]\nBusyTimeout=1s\n", 10, 20 }, { NULL, 50, 70 } };

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                reload(w, rows[i].text);
                w->kernel.device_error = -EBUSY;
                world_kill(w);
                n_pauses = 0;
                (void) world_start(w);
                assert_in_range(n_pauses, rows[i].least, rows[i].most);
                w->kernel.device_error = 0;
                world_restart(w);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_without_a_file_all_is_as_built),
                TEST(test_only_root_reloads),
                TEST(test_units_are_set_and_a_wrong_one_keeps_what_held),
                TEST(test_what_is_wrong_is_told_and_keeps_what_held),
                TEST(test_changed_limits_are_told_and_only_those),
                TEST(test_fewer_sessions_than_there_are_lose_nothing),
                TEST(test_fewer_files_than_there_are_lose_nothing),
                TEST(test_fewer_parts_than_there_are_lose_nothing),
                TEST(test_reserved_memory_is_not_filled),
                TEST(test_patience_with_the_device_is_as_long_as_it_is_set),
        };

        world_require();
        (void) sd_journal_print(LOG_DEBUG, "The journal's socket stays open from the first message on");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
