/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "parts.h"
#include "world.h"

/* Who has how much, what is refused, and that nobody gets more by asking for much at once. */

typedef struct Row {
        uint32_t uid;
        char name[32], unit[8], key[32];
        uint64_t used, limit;
} Row;

#define ROWS_MAX 64U

static size_t get_quota(World *w, ClientId client, Row rows[static ROWS_MAX]) {
        const char *name, *unit, *key;
        sd_bus_message *reply = NULL;
        size_t n = 0;
        Row row = {};

        assert_success(w, world_call(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetQuota", &reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'a', "(usstts)") > 0);
        for (; sd_bus_message_read(reply, "(usstts)", &row.uid, &name, &unit, &row.used, &row.limit, &key) > 0; n++) {
                assert_true(n < ROWS_MAX);
                (void) snprintf(row.name, sizeof(row.name), "%s", name);
                (void) snprintf(row.unit, sizeof(row.unit), "%s", unit);
                (void) snprintf(row.key, sizeof(row.key), "%s", key);
                rows[n] = row;
        }
        sd_bus_message_unref(reply);
        return n;
}

static const Row *find_row(const Row *rows, size_t n, uint32_t uid, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (rows[i].uid == uid && streq(rows[i].name, name))
                        return rows + i;
        return NULL;
}

static void assert_row(const Row *rows, size_t n, uint32_t uid, const char *name, uint64_t used, uint64_t limit, const char *key) {
        const Row *row = find_row(rows, n, uid, name);

        assert_non_null(row);
        assert_int_equal(row->used, used);
        assert_int_equal(row->limit, limit);
        assert_string_equal(row->key, key);
}

#define assert_says(w, text)                                              \
        do {                                                              \
                if (!strstr((w)->error_message, (text)))                  \
                        fail_msg("'%s' is not in '%s'", (text), (w)->error_message); \
        } while (0)

/* --- GetQuota() */

static void test_everybody_sees_what_is_theirs_and_root_all(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), theirs = make_memfd("hello, world");
        Row rows[ROWS_MAX];
        size_t n;

        w->manager->config.kept = 1 << 20;
        w->manager->config.kept_per_user = 4096;
        assert_success(w, create(w, ROOT, "root's"));
        assert_success(w, preserve(w, ROOT, "root's", 1, fd));
        assert_success(w, create_with(w, OTHER, "theirs", "key", "value"));
        assert_success(w, preserve(w, OTHER, "theirs", 1, theirs));

        n = get_quota(w, OTHER, rows);
        assert_int_equal(n, _QUOTA_MAX);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(rows[i].uid, OTHER_UID);
        assert_row(rows, n, OTHER_UID, "sessions", 1, SESSIONS_PER_USER_MAX, "SessionsPerUser");
        assert_row(rows, n, OTHER_UID, "files", 1, FILES_PER_USER_MAX, "FilesPerUser");
        assert_row(rows, n, OTHER_UID, "parts", 1, PARTS_PER_USER_MAX, "PartsPerUser");
        assert_row(rows, n, OTHER_UID, "metadata", 8 + METADATA_KEY_COST, METADATA_SIZE_PER_USER, "MetadataPerUser");
        assert_row(rows, n, OTHER_UID, "kept", 12, 4096, "KeptPerUser");
        assert_string_equal(find_row(rows, n, OTHER_UID, "kept")->unit, "bytes");
        assert_string_equal(find_row(rows, n, OTHER_UID, "files")->unit, "");
        assert_row(rows, n, OTHER_UID, "fds", 0, w->manager->config.fds_per_user, "FileDescriptorsPerUser");
        assert_row(rows, n, OTHER_UID, "identifications", 0, IDENTIFICATIONS_PER_USER_MAX, "");

        n = get_quota(w, ROOT, rows);
        assert_row(rows, n, 0, "sessions", 1, UINT64_MAX, "");
        assert_row(rows, n, OTHER_UID, "sessions", 1, SESSIONS_PER_USER_MAX, "SessionsPerUser");
        assert_null(find_row(rows, n, OTHER_UID, "locks"));
        assert_row(rows, n, UINT32_MAX, "sessions", 2, PARTS_MAX, "Sessions");
        assert_row(rows, n, UINT32_MAX, "files", 2, FILES_MAX, "Files");
        assert_row(rows, n, UINT32_MAX, "kept", 17, 1 << 20, "Kept");
        assert_row(rows, n, UINT32_MAX, "parts", w->manager->state.n_parts, parts_limit(w->manager), "Parts");

        /* Over the live update as well: what came is somebody's. */
        world_update(w);
        n = get_quota(w, OTHER, rows);
        assert_row(rows, n, OTHER_UID, "sessions", 1, SESSIONS_PER_USER_MAX, "SessionsPerUser");
        assert_int_equal(find_row(rows, n, OTHER_UID, "kept")->used, 12);
        assert_success(w, discard(w, OTHER, "theirs"));
        n = get_quota(w, OTHER, rows);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(rows[i].used, 0);
}

/* --- kept bytes */

static void test_kept_bytes_of_a_user_are_limited(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("hello"), b = make_memfd("hello"), c = make_memfd("hello");

        w->manager->config.kept_per_user = 10;
        assert_success(w, create(w, OTHER, "theirs"));
        assert_success(w, preserve(w, OTHER, "theirs", 1, a));
        assert_success(w, preserve(w, OTHER, "theirs", 2, b));
        assert_refused(w, "QuotaExceeded", preserve(w, OTHER, "theirs", 3, c));
        assert_says(w, "The kept memory of user 4242: 10 of 10 bytes in use, 5 more asked for (KeptPerUser= in luod.conf)");
        /* It is the owner's, whoever asks. */
        assert_refused(w, "QuotaExceeded", preserve(w, ROOT, "theirs", 3, c));
        assert_refused(w, "QuotaExceeded", preserve_many(w, OTHER, "theirs", (uint64_t[]) { 3 }, &c, 1));
        assert_success(w, preserve(w, OTHER, "theirs", 2, b)); /* repeated */

        /* What root has counts in all. */
        w->manager->config.kept = 12;
        assert_success(w, create(w, ROOT, "root's"));
        assert_refused(w, "QuotaExceeded", preserve(w, ROOT, "root's", 3, c));
        assert_says(w, "The kept memory of all users: 10 of 12 bytes in use, 5 more asked for (Kept= in luod.conf)");
        w->manager->config.kept_per_user = 100;
        assert_refused(w, "QuotaExceeded", preserve(w, OTHER, "theirs", 3, c));
        assert_says(w, "The kept memory of all users: no room for 5 more, the limit is 12 bytes (Kept= in luod.conf)");
        w->manager->config.kept = 15;
        assert_success(w, preserve(w, ROOT, "root's", 3, c));

        /* A limit below what there is ends nothing. */
        w->manager->config.kept = w->manager->config.kept_per_user = 0;
        world_update(w);
        assert_int_equal(w->manager->state.kept_bytes, 15);
        world_check(w);
}

static void send_preserve(World *w, ClientId client, const char *session, uint64_t token, int fd, Call *call) {
        sd_bus_message *m = session_message(w, client, session, "Preserve");

        assert_true(sd_bus_message_append(m, "tsh", token, "", fd) >= 0);
        call_send(w, client, m, call);
        sd_bus_message_unref(m);
}

static void send_preserve_many(World *w, ClientId client, const char *session, const int *fds, size_t n, Call *call) {
        sd_bus_message *m = session_message(w, client, session, "PreserveMany");

        assert_true(sd_bus_message_open_container(m, 'a', "(tsh)") >= 0);
        for (size_t i = 0; i < n; i++)
                assert_true(sd_bus_message_append(m, "(tsh)", (uint64_t) i, "", fds[i]) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
        call_send(w, client, m, call);
        sd_bus_message_unref(m);
}

/* What a file is when it is kept counts, not what it was when it was handed in. */
static void test_a_file_that_grows_while_it_waits_is_counted_as_it_is(void **state) {
        World *w = *state;
        _cleanup_(closep) int first = make_memfd("hello"), fd = make_memfd("hello");
        Call calls[2] = { CALL_NULL, CALL_NULL };

        assert_success(w, create(w, OTHER, "theirs"));
        w->store.silent = true; /* the first call waits for custody, and the second one for it */
        send_preserve_many(w, OTHER, "theirs", (int[]) { first }, 1, calls);
        send_preserve(w, OTHER, "theirs", 2, fd, calls + 1);
        world_settle(w);
        assert_false(calls[0].answered || calls[1].answered);
        assert_int_equal(ftruncate(fd, 8192), 0);
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        assert_success(w, call_wait(calls, NULL));
        assert_success(w, call_wait(calls + 1, NULL));
        assert_int_equal(find_file(w, "theirs", 2)->record.size, 8192);
        assert_int_equal(find_session(w, "theirs")->kept_bytes, 8192 + 5);
        world_check(w);
        for (size_t i = 0; i < 2; i++)
                call_done(calls + i);
}

/* --- much at once */

static void test_calls_at_once_get_no_more_than_one_after_the_other(void **state) {
        World *w = *state;
        Call calls[4] = { CALL_NULL, CALL_NULL, CALL_NULL, CALL_NULL };
        char name[16];
        unsigned n_good = 0;
        int fds[4][3];

        w->manager->config.files_per_user = 7;
        for (unsigned i = 0; i < 4; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                assert_success(w, create(w, OTHER, name));
                for (unsigned j = 0; j < 3; j++)
                        fds[i][j] = make_memfd("hello");
        }
        w->store.silent = true; /* none comes to its end before all are under way */
        for (unsigned i = 0; i < 4; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                send_preserve_many(w, OTHER, name, fds[i], 3, calls + i);
        }
        world_settle(w);
        assert_true(w->manager->state.n_files <= 7);
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        for (unsigned i = 0; i < 4; i++) {
                n_good += call_wait(calls + i, NULL) >= 0;
                call_done(calls + i);
                for (unsigned j = 0; j < 3; j++)
                        safe_close(fds[i][j]);
        }
        assert_int_equal(n_good, 2);
        assert_int_equal(w->manager->state.n_files, 6);
        world_check(w);
}

/* All spare kernel sessions are used, and no more can be made. */
static void use_up_spares(World *w) {
        char name[32];

        w->kernel.device_error = -EBUSY;
        for (unsigned i = 0; parts_take_spare(w->manager, PART_READY); i++) {
                (void) snprintf(name, sizeof(name), "taker-%u", i);
                assert_success(w, create(w, ROOT, name));
        }
}

static void test_metadata_of_sessions_that_wait_to_be_made_counts(void **state) {
        World *w = *state;
        char value[20001] = "", name[16];
        Call calls[8] = {};
        unsigned n_good = 0;

        memset(value, 'x', sizeof(value) - 1);
        w->manager->config.metadata_per_user = 3 * (20000 + 1 + METADATA_KEY_COST);
        use_up_spares(w);
        for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
                sd_bus_message *m = manager_message(w, OTHER, "CreateSession");

                (void) snprintf(name, sizeof(name), "s%u", i);
                assert_true(sd_bus_message_append(m, "s", name) >= 0);
                assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
                assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
                assert_true(sd_bus_message_append(m, "s", "metadata") >= 0);
                assert_true(sd_bus_message_open_container(m, 'v', "a{say}") >= 0);
                assert_true(sd_bus_message_open_container(m, 'a', "{say}") >= 0);
                assert_true(sd_bus_message_open_container(m, 'e', "say") >= 0);
                assert_true(sd_bus_message_append(m, "s", "k") >= 0);
                assert_true(sd_bus_message_append_array(m, 'y', value, 20000) >= 0);
                for (unsigned j = 0; j < 5; j++)
                        assert_true(sd_bus_message_close_container(m) >= 0);
                call_send(w, OTHER, m, calls + i);
                sd_bus_message_unref(m);
        }
        world_settle(w);
        for (unsigned i = 3; i < ARRAY_SIZE(calls); i++)
                assert_true(calls[i].answered);
        w->kernel.device_error = 0;
        assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
                n_good += call_wait(calls + i, NULL) >= 0;
                call_done(calls + i);
        }
        assert_int_equal(n_good, 3);
        assert_success(w, discard(w, OTHER, "s0"));
        assert_success(w, create_with(w, OTHER, "s0", "k", "v"));
        world_check(w);
}

/* --- the limit of kernel sessions: spares of the one kind are of use to who needs the other */

static void fill_up(World *w, unsigned limit) {
        char name[32];

        w->store.capacity = limit;
        world_settle(w);
        for (unsigned i = 0; w->manager->state.n_parts < limit; i++) {
                (void) snprintf(name, sizeof(name), "filler-%u", i);
                assert_success(w, create(w, ROOT, name));
                world_settle(w);
        }
}

static unsigned count_spares(World *w) {
        unsigned n = 0;
        Part *p;

        LIST_FOREACH(&w->manager->state.parts, Part, state_link, p)
                n += p->role == PART_BARE || p->role == PART_READY;
        return n;
}

static void test_at_the_limit_spares_serve_all_calls(void **state) {
        World *w = *state;
        _cleanup_(closep) int again = make_memfd("hello");
        unsigned spares;
        char name[16];
        int fd;

        assert_success(w, create(w, ROOT, "many"));
        assert_success(w, create(w, ROOT, "other"));
        fill_up(w, 24);
        spares = count_spares(w);
        assert_true(spares > POOL_BARE_TARGET);
        for (unsigned i = 0; i < spares; i++) { /* bare ones first, then those in custody */
                fd = make_memfd("hello");
                assert_success(w, preserve_many(w, ROOT, "many", (uint64_t[]) { i }, &fd, 1));
                safe_close(fd);
        }
        assert_int_equal(count_spares(w), 0);
        assert_refused(w, "QuotaExceeded", preserve_many(w, ROOT, "many", (uint64_t[]) { 1000 }, &again, 1));
        assert_says(w, "The kernel sessions of all users: 24 of 24 in use, 1 more asked for (Parts= in luod.conf");
        world_check(w);

        assert_success(w, discard(w, ROOT, "many"));
        world_settle(w);
        spares = count_spares(w);
        for (unsigned i = 0; i < 24; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                if (create(w, ROOT, name) < 0)
                        break;
                world_settle(w);
        }
        assert_string_equal(w->error, LUOD_ERROR_QUOTA_EXCEEDED);
        assert_int_equal(count_spares(w), 0);
        world_check(w);
        world_restart(w);
        world_check(w);
        world_update(w);
}

static void test_a_spare_that_systemd_does_not_give_up_is_given_again(void **state) {
        World *w = *state;
        int fds[POOL_BARE_TARGET + 1];

        assert_success(w, create(w, ROOT, "many"));
        fill_up(w, 24);
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = make_memfd("hello");
        for (unsigned i = 0; i < POOL_BARE_TARGET; i++)
                assert_success(w, preserve_many(w, ROOT, "many", (uint64_t[]) { i }, fds + i, 1));
        w->store.remove_error = -ETIMEDOUT;
        {
                Call call = CALL_NULL;

                send_preserve_many(w, ROOT, "many", (int[]) { -EBADF }, 0, &call);
                assert_success(w, call_wait(&call, NULL)); /* nothing to keep */
                call_done(&call);
        }
        {
                sd_bus_message *m = session_message(w, ROOT, "many", "PreserveMany");
                Call call = CALL_NULL;

                assert_true(sd_bus_message_append(m, "a(tsh)a{sv}", 1, (uint64_t) 77, "", fds[POOL_BARE_TARGET], 0) >= 0);
                call_send(w, ROOT, m, &call);
                sd_bus_message_unref(m);
                world_settle(w);
                assert_false(call.answered);
                w->store.remove_error = 0;
                assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
                assert_success(w, call_wait(&call, NULL));
                call_done(&call);
        }
        world_settle(w);
        world_check(w);
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
                safe_close(fds[i]);
}

/* --- calls in flight */

static void send_create(World *w, ClientId client, const char *name, Call *call) {
        sd_bus_message *m = manager_message(w, client, "CreateSession");

        assert_true(sd_bus_message_append(m, "sa{sv}", name, 0) >= 0);
        call_send(w, client, m, call);
        sd_bus_message_unref(m);
}

static void test_calls_in_flight_of_a_user_are_limited(void **state) {
        World *w = *state;
        Call calls[20] = {}, roots = CALL_NULL;
        Row rows[ROWS_MAX];
        unsigned n = 0;
        char name[16];

        w->manager->config.calls_per_user = 3;
        w->manager->config.calls = 16;
        use_up_spares(w);
        for (unsigned i = 0; i < 5; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                send_create(w, OTHER, name, calls + i);
        }
        world_settle(w);
        assert_true(call_wait(calls + 3, NULL) < 0);
        assert_says(w, "The calls in flight of user 4242: 3 of 3 in use, 1 more asked for (CallsPerUser= in luod.conf); wait");
        assert_true(call_wait(calls + 4, NULL) < 0);
        /* Nobody else is held up by that, and what needs no waiting is answered. */
        assert_row(rows, get_quota(w, OTHER, rows), OTHER_UID, "calls", 3, 3, "CallsPerUser");
        send_create(w, ROOT, "root's", &roots);
        world_settle(w);
        assert_false(roots.answered);

        /* Of what there is in all an eighth is root's. */
        w->manager->config.calls_per_user = 100;
        for (unsigned i = 5; i < ARRAY_SIZE(calls); i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                send_create(w, OTHER, name, calls + i);
        }
        world_settle(w);
        for (unsigned i = 5; i < ARRAY_SIZE(calls); i++)
                n += !calls[i].answered;
        assert_int_equal(n, 14 - 4);
        assert_true(call_wait(calls + ARRAY_SIZE(calls) - 1, NULL) < 0);
        assert_says(w, "The calls in flight of all users: no room for 1 more, the limit is 14 (Calls= in luod.conf, less root's part)");

        w->kernel.device_error = 0;
        assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        assert_success(w, call_wait(&roots, NULL));
        for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
                (void) call_wait(calls + i, NULL);
                call_done(calls + i);
        }
        call_done(&roots);
        world_check(w);
        assert_true(list_is_empty(&w->manager->in_flight.users));
}

/* --- file descriptors */

static void test_fds_in_flight_of_a_user_are_limited(void **state) {
        World *w = *state;
        Call calls[3] = { CALL_NULL, CALL_NULL, CALL_NULL };
        int fds[3];

        w->manager->config.fds_per_user = 2;
        assert_success(w, create(w, OTHER, "theirs"));
        assert_success(w, create(w, ROOT, "root's"));
        w->store.silent = true;
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = make_memfd("hello");
                send_preserve_many(w, i < 2 ? OTHER : ROOT, i < 2 ? "theirs" : "root's", fds + i, 1, calls + i);
        }
        world_settle(w);
        {
                _cleanup_(closep) int more = make_memfd("hello");

                assert_true(preserve(w, OTHER, "theirs", 9, more) < 0);
                assert_says(w, "The file descriptors in flight of user 4242: 2 of 2 in use, 1 more asked for (FileDescriptorsPerUser= in");
                assert_true(world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Identify", NULL, "h", more) < 0);
                assert_string_equal(w->error, LUOD_ERROR_QUOTA_EXCEEDED);
                assert_success(w, world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Identify", NULL, "h", more));
        }
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
                (void) call_wait(calls + i, NULL);
                call_done(calls + i);
                safe_close(fds[i]);
        }
        world_settle(w);
        world_check(w);
        assert_true(list_is_empty(&w->manager->in_flight.users));
}

/* However low LimitNOFILE= is, what may be open stays below it. */
static void test_limits_leave_fds_free(void **state) {
        static const rlim_t nofile[] = { 64, 256, 1024, 16384, 524288 };
        World *w = *state;
        struct rlimit before, few;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(nofile) && nofile[i] <= before.rlim_max; i++) {
                QuotaLimit fds;

                few = (struct rlimit) { nofile[i], before.rlim_max };
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
                fds = usage_limit(w->manager, QUOTA_FDS);
                assert_true(fds.user >= 1 && fds.user <= fds.total);
                assert_true(parts_limit(w->manager) + usage_limit(w->manager, QUOTA_LOCKS).total + FDS_PER_FD * fds.total + nofile[i] / 8 <=
                            nofile[i] || nofile[i] > 16384);
                assert_true(parts_limit(w->manager) <= nofile[i] / 2);
        }
        /* luod.service has enough for all that luod.conf allows. */
        assert_int_equal(usage_limit(w->manager, QUOTA_FDS).total, FDS_IN_FLIGHT_MAX);
        assert_int_equal(parts_limit(w->manager), PARTS_MAX);
        assert_int_equal(usage_limit(w->manager, QUOTA_LOCKS).total, LOCKS_MAX);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
                TEST(test_everybody_sees_what_is_theirs_and_root_all),
                TEST(test_kept_bytes_of_a_user_are_limited),
                TEST(test_a_file_that_grows_while_it_waits_is_counted_as_it_is),
                TEST(test_calls_at_once_get_no_more_than_one_after_the_other),
                TEST(test_metadata_of_sessions_that_wait_to_be_made_counts),
                TEST(test_at_the_limit_spares_serve_all_calls),
                TEST(test_a_spare_that_systemd_does_not_give_up_is_given_again),
                TEST(test_calls_in_flight_of_a_user_are_limited),
                TEST(test_fds_in_flight_of_a_user_are_limited),
                TEST(test_limits_leave_fds_free),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
