/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "describe.h"
#include "macro.h"

static char supported[] = "supported", fdstore[] = "fdstore", intact[] = "intact", idle[] = "idle";

static ManagerInfo healthy(void) {
        return (ManagerInfo){
                .kernel_support = supported,
                .custody = fdstore,
                .ledger = intact,
                .state = idle,
        };
}

static void test_all_well_needs_no_warning(void **state) {
        const char *warnings[WARNINGS_MAX + 1];
        ManagerInfo info = healthy();

        describe_warnings(&info, warnings);
        assert_null(warnings[0]);
}

static void test_what_is_not_well_is_said_in_words(void **state) {
        static char disabled[] = "disabled", message[] = "Add liveupdate=on.", degraded[] = "degraded",
                    damaged[] = "damaged", stopping[] = "stopping";
        const char *warnings[WARNINGS_MAX + 1];
        ManagerInfo info = {
                .kernel_support = disabled,
                .kernel_support_message = message,
                .custody = degraded,
                .ledger = damaged,
                .state = stopping,
        };

        describe_warnings(&info, warnings);
        assert_string_equal(warnings[0], message);
        assert_non_null(strstr(warnings[1], "not safe"));
        assert_non_null(strstr(warnings[2], "ledger"));
        assert_non_null(strstr(warnings[3], "stopping"));
        assert_null(warnings[4]);
}

static void test_what_did_not_come_back_is_said_unless_the_kernel_says_more(void **state) {
        static char impaired[] = "impaired", finished[] = "finished", message[] = "Of 1 of 2 sessions", no[] = "no-device";
        const char *warnings[WARNINGS_MAX + 1];
        ManagerInfo info = healthy();

        info.restore_message = message;
        info.restore = impaired;
        describe_warnings(&info, warnings);
        assert_string_equal(warnings[0], message);
        assert_null(warnings[1]);

        info.restore = finished;
        describe_warnings(&info, warnings);
        assert_null(warnings[0]);

        info.restore = impaired;
        info.kernel_support = no;
        describe_warnings(&info, warnings);
        assert_null(strstr(warnings[0], message));
        assert_null(warnings[1]);
}

static void test_every_stage_of_the_restore_has_words(void **state) {
        static const char *const stages[] = { "none", "restored", "claimed", "finished", "impaired" };

        for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
                assert_non_null(describe_restore(stages[i]));
        assert_null(describe_restore("of a newer luod"));
}

static void test_every_keeper_has_words(void **state) {
        static const char *const keepers[] = { "none", "session", "unknown", "foreign" };

        for (size_t i = 0; i < ARRAY_SIZE(keepers); i++)
                assert_non_null(describe_keeper(keepers[i]));
        assert_null(describe_keeper("of a newer luod"));
        assert_null(describe_keeper(NULL));
}

static void test_a_kernel_without_explanation_still_warns(void **state) {
        static char impaired[] = "impaired";
        const char *warnings[WARNINGS_MAX + 1];
        ManagerInfo info = healthy();

        info.kernel_support = impaired;
        describe_warnings(&info, warnings);
        assert_non_null(warnings[0]);
        assert_null(warnings[1]);
}

static void test_what_follows_from_the_kernel_is_not_repeated(void **state) {
        static char disabled[] = "disabled", none[] = "none";
        const char *warnings[WARNINGS_MAX + 1];
        ManagerInfo info = healthy();

        info.custody = none;
        describe_warnings(&info, warnings);
        assert_non_null(strstr(warnings[0], "Nobody holds"));

        info.kernel_support = disabled;
        info.ledger = none;
        describe_warnings(&info, warnings);
        assert_non_null(strstr(warnings[0], "kernel"));
        assert_null(warnings[1]);
}

static void test_words_of_a_newer_luod_have_no_meaning(void **state) {
        assert_null(describe_flag("from-the-future"));
        assert_null(describe_direction(NULL));
        assert_non_null(describe_flag("parts-missing"));
        assert_non_null(describe_custody("none"));
}

static void test_next_kernel_has_words_for_what_is_wrong(void **state) {
        static char yes[] = "yes", no[] = "no", unknown[] = "unknown";
        const KernelInfo fine = { .loaded = true, .by_luod = yes, .luo = yes, .memfd = yes, .same_formats = yes, .switched_on = true };
        KernelInfo k = fine;

        assert_non_null(strstr(describe_kernel(&k), "takes over"));
        k.same_formats = unknown;
        assert_non_null(strstr(describe_kernel(&k), "not known"));
        k.memfd = unknown;
        assert_non_null(strstr(describe_kernel(&k), "files in memory is not known"));
        k.switched_on = false;
        assert_non_null(strstr(describe_kernel(&k), "kho=on"));
        k.same_formats = no;
        assert_non_null(strstr(describe_kernel(&k), "not understand"));
        k.memfd = no;
        assert_non_null(strstr(describe_kernel(&k), "no handler"));
        k.luo = no;
        assert_non_null(strstr(describe_kernel(&k), "CONFIG_LIVEUPDATE"));
        k.by_luod = unknown;
        assert_non_null(strstr(describe_kernel(&k), "perhaps"));
        k.by_luod = no;
        assert_non_null(strstr(describe_kernel(&k), "not by luod"));
        k.loaded = false;
        assert_non_null(strstr(describe_kernel(&k), "cold"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_well_needs_no_warning),
                cmocka_unit_test(test_what_is_not_well_is_said_in_words),
                cmocka_unit_test(test_what_did_not_come_back_is_said_unless_the_kernel_says_more),
                cmocka_unit_test(test_every_stage_of_the_restore_has_words),
                cmocka_unit_test(test_every_keeper_has_words),
                cmocka_unit_test(test_a_kernel_without_explanation_still_warns),
                cmocka_unit_test(test_what_follows_from_the_kernel_is_not_repeated),
                cmocka_unit_test(test_words_of_a_newer_luod_have_no_meaning),
                cmocka_unit_test(test_next_kernel_has_words_for_what_is_wrong),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
