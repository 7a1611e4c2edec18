/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "state.h"

/* A log is applied record by record, as a start does it (state_apply()). */

#define BOOT "4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1"

static int setup(void **state) {
        State *s = malloc(sizeof(*s));

        assert_non_null(s);
        state_init(s);
        strcpy(s->head.boot_id, BOOT);
        s->head.next_sid = 1;
        *state = s;
        return 0;
}

static int teardown(void **state) {
        state_done(*state);
        free(*state);
        return 0;
}

static void put(State *s, RecordType type, uint64_t sid, const char *text) {
        assert_int_equal(state_apply(s, type, sid, text, text ? strlen(text) : 0), 0);
}

static void put_session(State *s, uint64_t sid, const char *name, const char *session_state) {
        char text[256];

        (void) snprintf(text, sizeof(text),
                        "{\"name\":\"%s\",\"uid\":%u,\"direction\":\"outgoing\",\"state\":\"%s\",\"created\":1,"
                        "\"created_generation\":0,\"answered\":true,\"flags\":0}",
                        name, 1000U + (unsigned) sid, session_state);
        put(s, RECORD_SESSION, sid, text);
}

static void put_part(State *s, uint64_t sid, const char *kname, const char *fdname, bool gone) {
        char text[256];

        (void) snprintf(text, sizeof(text),
                        "{\"kname\":\"%s\",\"fdname\":\"%s\",\"boot\":\"" BOOT "\",\"many\":false,\"gone\":%s}", kname,
                        fdname, gone ? "true" : "false");
        put(s, RECORD_PART, sid, text);
}

static void put_file(State *s, uint64_t sid, const char *kname, unsigned token, const char *label, const char *file_state) {
        char text[512];

        (void) snprintf(text, sizeof(text),
                        "{\"part\":\"%s\",\"ktoken\":%u,\"token\":%u,\"label\":\"%s\",\"kind\":\"memfd\",\"state\":\"%s\","
                        "\"size\":1,\"uid\":0,\"gid\":0,\"mode\":384,\"access\":\"read-write\",\"seals\":0,\"dev\":1,"
                        "\"ino\":%u,\"error\":0}",
                        kname, token, token, label, file_state, token);
        put(s, RECORD_FILE, sid, text);
}

static Session *session(State *s, uint64_t sid) {
        Session *found = state_find_session_by_sid(s, sid);

        assert_non_null(found);
        return found;
}

/* PreserveMany() of "a" was given up, its part's name used again by "b", without a word of the log in between. */
static void test_a_kernel_name_belongs_to_who_had_it_last(void **state) {
        State *s = *state;

        put_session(s, 1, "a", "live");
        put_part(s, 1, "luod-a-1", "1", false);
        put_file(s, 1, "luod-a-1", 7, "of a", "kept");
        put_part(s, 1, "luod-a-5", "5", false);
        put_session(s, 2, "b", "live");
        put_part(s, 2, "luod-a-5", "6", false);
        put_file(s, 2, "luod-a-5", 7, "of b", "kept");

        assert_int_equal(session(s, 1)->n_files, 1);
        assert_string_equal(session_find_file(session(s, 1), 7)->record.label, "of a");
        assert_int_equal(session(s, 2)->n_files, 1);
        assert_string_equal(session_find_file(session(s, 2), 7)->record.label, "of b");
        assert_ptr_equal(state_find_part(s, "luod-a-5")->session, session(s, 2));
        assert_int_equal(s->n_parts, 2);
}

/* The end of "a" is damaged: it looks as if it were still being discarded, and must not take "b" along. */
static void test_a_damaged_end_takes_nothing_from_the_next_owner(void **state) {
        State *s = *state;

        put_session(s, 1, "a", "live");
        put_part(s, 1, "luod-a-5", "5", false);
        put_file(s, 1, "luod-a-5", 1, "of a", "kept");
        put_session(s, 1, "a", "discarding");
        put(s, RECORD_END, 1, NULL);
        put_session(s, 2, "b", "live");
        put_part(s, 2, "luod-a-5", "6", false);
        put_file(s, 2, "luod-a-5", 1, "of b", "kept");

        assert_true(session(s, 1)->flags & SESSION_END_DAMAGED);
        assert_true(list_is_empty(&session(s, 1)->parts));
        assert_int_equal(session(s, 1)->n_files, 0);
        assert_string_equal(session_find_file(session(s, 2), 1)->record.label, "of b");
}

static void test_a_damaged_part_record_does_not_leave_files_with_the_old_owner(void **state) {
        State *s = *state;

        put_session(s, 1, "a", "live");
        put_part(s, 1, "luod-a-5", "5", false);
        put_session(s, 2, "b", "live");
        put(s, RECORD_PART, 2, NULL);
        put_file(s, 2, "luod-a-5", 3, "of b", "kept");

        assert_int_equal(session(s, 1)->n_files, 0);
        assert_string_equal(session_find_file(session(s, 2), 3)->record.label, "of b");
        assert_true(session(s, 2)->flags & SESSION_FILES_DAMAGED);
}

static void test_a_part_that_is_gone_is_forgotten_unless_another_has_it(void **state) {
        State *s = *state;

        put_session(s, 1, "a", "live");
        put_part(s, 1, "luod-a-5", "5", false);
        put_part(s, 1, "luod-a-5", "5", true);
        assert_null(state_find_part(s, "luod-a-5"));

        put_session(s, 2, "b", "live");
        put_part(s, 2, "luod-a-5", "6", false);
        put_part(s, 1, "luod-a-5", "5", true);
        put_file(s, 1, "luod-a-5", 1, "of a", "dropped");
        assert_ptr_equal(state_find_part(s, "luod-a-5")->session, session(s, 2));
}

static void test_fdnames_of_the_log_are_not_used_again(void **state) {
        State *s = *state;

        put_session(s, 1, "a", "live");
        put_part(s, 1, "luod-a-5", "1f", false);
        assert_int_equal(s->head.next_fdname, 0x20);
        put_part(s, 1, "luod-a-6", "L2a", false);
        assert_int_equal(s->head.next_fdname, 0x2b);
}

static void test_flags_are_read_back(void **state) {
        State *s = *state;

        put(s, RECORD_SESSION, 1,
            "{\"name\":\"a\",\"uid\":1,\"direction\":\"incoming\",\"state\":\"live\",\"created\":1,"
            "\"created_generation\":0,\"answered\":true,\"flags\":48}");
        assert_int_equal(session(s, 1)->flags, SESSION_PARTS_MISSING | SESSION_UNINDEXED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_kernel_name_belongs_to_who_had_it_last),
                TEST(test_a_damaged_end_takes_nothing_from_the_next_owner),
                TEST(test_a_damaged_part_record_does_not_leave_files_with_the_old_owner),
                TEST(test_a_part_that_is_gone_is_forgotten_unless_another_has_it),
                TEST(test_fdnames_of_the_log_are_not_used_again),
                TEST(test_flags_are_read_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
