/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "macro.h"
#include "quota.h"

static Failure failure;

static int check(QuotaResource resource, uid_t uid, uint64_t used, uint64_t used_in_all, uint64_t wanted, QuotaLimit limit) {
        QuotaRequest request = { resource, .uid = uid, .asker = uid, wanted, used, used_in_all };

        failure = (Failure) FAILURE_INIT;
        return quota_check(&request, &limit, &failure);
}

static void assert_message(const char *message) {
        assert_int_equal(failure.kind, FAILURE_QUOTA_EXCEEDED);
        assert_string_equal(failure.message, message);
}

static void test_a_limit_is_reached_and_not_passed(void **state) {
        const QuotaLimit limit = { 64, 100 };

        assert_int_equal(check(QUOTA_FILES, 1000, 63, 63, 1, limit), 0);
        assert_int_equal(check(QUOTA_FILES, 1000, 64, 64, 1, limit), -ECANCELED);
        assert_message("The files of user 1000: 64 of 64 in use, 1 more asked for (FilesPerUser= in luod.conf); finish or discard "
                       "sessions first");
        assert_int_equal(check(QUOTA_FILES, 1000, 60, 60, 5, limit), -ECANCELED);
        assert_int_equal(check(QUOTA_FILES, 1000, 0, 96, 4, limit), 0);
        assert_int_equal(check(QUOTA_FILES, 1000, 0, 96, 5, limit), -ECANCELED);
}

static void test_more_than_a_lowered_limit_only_refuses_what_is_new(void **state) {
        assert_int_equal(check(QUOTA_SESSIONS, 1000, 10, 10, 0, (QuotaLimit) { 2, 5 }), 0);
        assert_int_equal(check(QUOTA_SESSIONS, 1000, 10, 10, 1, (QuotaLimit) { 2, 50 }), -ECANCELED);
        assert_message("The sessions of user 1000: 10 of 2 in use, 1 more asked for (SessionsPerUser= in luod.conf); finish or "
                       "discard some first");
}

static void test_no_sum_overflows(void **state) {
        assert_int_equal(check(QUOTA_KEPT, 1000, 1, 1, UINT64_MAX, (QuotaLimit) { 1 << 20, UINT64_MAX - 1 }), -ECANCELED);
        assert_message("The kept memory of user 1000: 1 of 1048576 bytes in use, 18446744073709551615 more asked for (KeptPerUser= in "
                       "luod.conf); finish or discard sessions first");
        assert_int_equal(check(QUOTA_KEPT, 0, 1, 1, UINT64_MAX, (QuotaLimit) { 1, UINT64_MAX - 1 }), -ECANCELED);
        assert_int_equal(check(QUOTA_KEPT, 1000, 1, 1, UINT64_MAX, (QuotaLimit) { QUOTA_UNLIMITED, QUOTA_UNLIMITED }), 0);
}

static void test_root_is_bound_by_the_limit_of_all_alone(void **state) {
        assert_int_equal(check(QUOTA_SESSIONS, 0, 70, 99, 1, (QuotaLimit) { 0, 100 }), 0);
        assert_int_equal(check(QUOTA_SESSIONS, 0, 70, 100, 1, (QuotaLimit) { 0, 100 }), -ECANCELED);
        assert_message("The sessions of all users: 100 of 100 in use, 1 more asked for (Sessions= in luod.conf); finish or discard "
                       "some first");
}

static void test_how_much_others_have_is_for_root(void **state) {
        QuotaRequest request = { QUOTA_METADATA, .uid = 1000, .asker = 1000, .wanted = 20, .used = 5, .used_in_all = 777 };
        const QuotaLimit limit = { 700, 790 };

        assert_int_equal(quota_check(&request, &limit, &failure), -ECANCELED);
        assert_message("The metadata of all users: no room for 20 more, the limit is 790 bytes (Metadata= in luod.conf); remove some, "
                       "or keep it in a memfd");
        /* Also where it asks on behalf of somebody else. */
        request.asker = 0;
        assert_int_equal(quota_check(&request, &limit, &failure), -ECANCELED);
        assert_non_null(strstr(failure.message, "777 of 790 bytes in use"));
}

static void test_root_has_a_part_of_what_is_in_flight_for_itself(void **state) {
        const QuotaLimit limit = { 100, 80 };

        assert_int_equal(quota_total_for(QUOTA_CALLS, &limit, 1000), 70);
        assert_int_equal(quota_total_for(QUOTA_CALLS, &limit, 0), 80);
        assert_int_equal(quota_total_for(QUOTA_FILES, &limit, 1000), 80);
        assert_int_equal(check(QUOTA_CALLS, 1000, 69, 69, 1, limit), 0);
        assert_int_equal(check(QUOTA_CALLS, 1000, 70, 70, 1, limit), -ECANCELED);
        assert_message("The calls in flight of all users: no room for 1 more, the limit is 70 (Calls= in luod.conf, less root's part); "
                       "wait for the answers");
        assert_int_equal(check(QUOTA_CALLS, 0, 9, 79, 1, limit), 0);
        assert_int_equal(check(QUOTA_CALLS, 0, 10, 80, 1, limit), -ECANCELED);
}

static void test_one_thing_is_refused_in_the_same_words(void **state) {
        assert_int_equal(quota_check_one("files", "session 'vm1'", 1023, 1, 1024, "use another session", &failure), 0);
        assert_int_equal(quota_check_one("files", "session 'vm1'", 1024, 1, 1024, "use another session", &failure), -ECANCELED);
        assert_message("The files of session 'vm1': 1024 of 1024 in use, 1 more asked for (built in); use another session");
}

static void test_all_that_is_limited_has_its_words(void **state) {
        for (QuotaResource r = 0; r < _QUOTA_MAX; r++) {
                assert_non_null(quota_items[r].name);
                assert_non_null(quota_items[r].what);
                assert_non_null(quota_items[r].advice);
                for (QuotaResource other = 0; other < r; other++)
                        assert_string_not_equal(quota_items[other].name, quota_items[r].name);
                assert_int_equal(check(r, 1000, 1, 1, 1, (QuotaLimit) { 1, 1 }), -ECANCELED);
                assert_int_equal(failure.kind, FAILURE_QUOTA_EXCEEDED);
        }
}

static void test_what_is_counted_is_given_back(void **state) {
        static const uid_t uids[] = { 7, 0, 1000, UINT32_MAX - 1, 3 };
        const TallyUser *u;
        uid_t last = 0;
        Tally tally;
        int n = 0;

        tally_init(&tally);
        for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
                assert_int_equal(tally_add(&tally, QUOTA_FDS, uids[i], i + 1), 0);
                assert_int_equal(tally_add(&tally, QUOTA_CALLS, uids[i], 1), 0);
                assert_int_equal(tally_add(&tally, QUOTA_LOCKS, uids[i], 0), 0);
        }
        assert_int_equal(tally.total[QUOTA_FDS], 15);
        assert_int_equal(tally.total[QUOTA_CALLS], 5);
        for (size_t i = 0; i < ARRAY_SIZE(uids); i++)
                assert_int_equal(tally_of(&tally, QUOTA_FDS, uids[i]), i + 1);
        assert_int_equal(tally_of(&tally, QUOTA_FDS, 8), 0);
        LIST_FOREACH(&tally.users, TallyUser, link, u) {
                assert_true(n++ == 0 || u->uid > last);
                last = u->uid;
        }
        assert_int_equal(n, 5);

        tally_remove(&tally, QUOTA_FDS, 1000, 1);
        assert_int_equal(tally_of(&tally, QUOTA_FDS, 1000), 2);
        for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
                tally_remove(&tally, QUOTA_FDS, uids[i], tally_of(&tally, QUOTA_FDS, uids[i]));
                tally_remove(&tally, QUOTA_CALLS, uids[i], 1);
        }
        assert_true(list_is_empty(&tally.users));
        assert_int_equal(tally.total[QUOTA_FDS] + tally.total[QUOTA_CALLS], 0);

        assert_int_equal(tally_add(&tally, QUOTA_FDS, 5, 1), 0);
        tally_done(&tally);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_limit_is_reached_and_not_passed),
                cmocka_unit_test(test_more_than_a_lowered_limit_only_refuses_what_is_new),
                cmocka_unit_test(test_no_sum_overflows),
                cmocka_unit_test(test_root_is_bound_by_the_limit_of_all_alone),
                cmocka_unit_test(test_how_much_others_have_is_for_root),
                cmocka_unit_test(test_root_has_a_part_of_what_is_in_flight_for_itself),
                cmocka_unit_test(test_one_thing_is_refused_in_the_same_words),
                cmocka_unit_test(test_all_that_is_limited_has_its_words),
                cmocka_unit_test(test_what_is_counted_is_given_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
