/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "format-value.h"
#include "macro.h"

static void assert_bytes(uint64_t bytes, const char *expected) {
        char buffer[FORMAT_BYTES_MAX];

        assert_string_equal(format_bytes(buffer, bytes), expected);
}

static void assert_age(uint64_t seconds, const char *expected) {
        uint64_t now = UINT64_C(1700000000) * USEC_PER_SEC;
        char buffer[FORMAT_AGE_MAX];

        assert_string_equal(format_age(buffer, now, now - seconds * USEC_PER_SEC), expected);
}

static void test_bytes_have_one_digit_after_the_point(void **state) {
        assert_bytes(0, "0B");
        assert_bytes(1023, "1023B");
        assert_bytes(1024, "1K");
        assert_bytes(1536, "1.5K");
        assert_bytes(3000000, "2.9M");
        assert_bytes(UINT64_C(1536) * 1024 * 1024, "1.5G");
        assert_bytes(UINT64_C(5) << 40, "5T");
}

static void test_bytes_round_into_the_next_unit(void **state) {
        assert_bytes(1024 * 1024 - 1, "1M");
        assert_bytes((UINT64_C(1) << 30) - 1, "1G");
}

static void test_bytes_do_not_overflow(void **state) {
        assert_bytes(UINT64_MAX, "16E");
        assert_bytes(UINT64_C(1) << 60, "1E");
}

static void test_size_is_exact_if_asked(void **state) {
        char buffer[FORMAT_BYTES_MAX];

        assert_string_equal(format_size(buffer, 1536, false), "1.5K");
        assert_string_equal(format_size(buffer, 1536, true), "1536");
        assert_string_equal(format_size(buffer, UINT64_MAX, true), "18446744073709551615");
}

static void test_age_has_two_units(void **state) {
        assert_age(0, "just now");
        assert_age(2, "2s ago");
        assert_age(60, "1min ago");
        assert_age(182, "3min 2s ago");
        assert_age(3600, "1h ago");
        assert_age(3601, "1h ago");
        assert_age(2 * 86400 + 3 * 3600 + 59, "2d 3h ago");
        assert_age(UINT64_C(400) * 86400, "1y 35d ago");
}

static void test_age_of_what_is_to_come(void **state) {
        char buffer[FORMAT_AGE_MAX];

        assert_string_equal(format_age(buffer, 0, 5 * USEC_PER_SEC), "in 5s");
        assert_string_equal(format_age(buffer, 0, 1), "just now");
        assert_non_null(strstr(format_age(buffer, 0, UINT64_MAX), "in 584942y"));
}

static void test_time_is_local(void **state) {
        char buffer[FORMAT_TIME_MAX];

        assert_int_equal(setenv("TZ", "UTC", 1), 0);
        tzset();
        assert_string_equal(format_time(buffer, UINT64_C(1700000000) * USEC_PER_SEC),
                            "2023-11-14 22:13:20 UTC");
        assert_non_null(format_time(buffer, UINT64_MAX));
}

static void test_user_without_a_name_is_a_number(void **state) {
        char buffer[FORMAT_USER_MAX];

        assert_string_equal(format_user(buffer, 0), "root");
        assert_string_equal(format_user(buffer, UINT32_MAX - 7), "4294967288");
}

static void test_spans_are_read_at_a_glance(void **state) {
        static const struct {
                uint64_t usec;
                const char *expected;
        } spans[] = {
                { 0, "0s" },          { 1, "1us" },           { 999, "999us" },     { 1000, "1ms" },
                { 999999, "999ms" },  { 1000000, "1s" },      { 12340000, "12.3s" }, { 59949999, "59.9s" },
                { 59960000, "1min" }, { 182000000, "3min 2s" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
                char buffer[FORMAT_SPAN_MAX];

                assert_string_equal(format_span(buffer, spans[i].usec), spans[i].expected);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spans_are_read_at_a_glance),
                cmocka_unit_test(test_bytes_have_one_digit_after_the_point),
                cmocka_unit_test(test_bytes_round_into_the_next_unit),
                cmocka_unit_test(test_bytes_do_not_overflow),
                cmocka_unit_test(test_size_is_exact_if_asked),
                cmocka_unit_test(test_age_has_two_units),
                cmocka_unit_test(test_age_of_what_is_to_come),
                cmocka_unit_test(test_time_is_local),
                cmocka_unit_test(test_user_without_a_name_is_a_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
