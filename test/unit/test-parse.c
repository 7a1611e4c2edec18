/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "macro.h"
#include "parse.h"

static void assert_token(const char *s, uint64_t expected) {
        uint64_t token = ~expected;

        assert_int_equal(parse_token(s, &token), 0);
        assert_true(token == expected);
}

static void assert_no_token(const char *s, int expected) {
        uint64_t token = 42;

        assert_int_equal(parse_token(s, &token), expected);
        assert_true(token == 42);
}

static void test_token_is_decimal_or_hexadecimal(void **state) {
        assert_token("0", 0);
        assert_token("42", 42);
        assert_token("007", 7); /* not octal */
        assert_token("0x0", 0);
        assert_token("0xfF", 255);
        assert_token("0X10", 16);
}

static void test_token_has_the_full_range(void **state) {
        assert_token("18446744073709551615", UINT64_MAX);
        assert_token("0xffffffffffffffff", UINT64_MAX);
        assert_token("0x00000000000000000000001", 1);
        assert_no_token("18446744073709551616", -ERANGE);
        assert_no_token("99999999999999999999999999", -ERANGE);
        assert_no_token("0x10000000000000000", -ERANGE);
}

static void test_token_is_nothing_but_digits(void **state) {
        static const char *const bad[] = {
                "",
                "0x",
                "x",
                "-1",
                "+1",
                " 1",
                "1 ",
                "1\n",
                "1.0",
                "1e3",
                "ff",
                "0xg",
                "0x-1",
                "0x 1",
                "1,000",
                "٣",
                "99999999999999999999999x",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_no_token(bad[i], -EINVAL);
}

static void assert_assignment(const char *s, const char *expected_key, const char *expected_value) {
        const char *value = NULL;
        char *key = NULL;

        assert_int_equal(parse_assignment(s, &key, &value), 0);
        assert_string_equal(key, expected_key);
        assert_string_equal(value, expected_value);
        free(key);
}

static void test_assignment_splits_at_the_first_equals_sign(void **state) {
        assert_assignment("key=value", "key", "value");
        assert_assignment("key=a=b", "key", "a=b");
        assert_assignment("key=", "key", "");
        assert_assignment("a b=c d", "a b", "c d");
        assert_assignment("clé=\xff\xfe", "clé", "\xff\xfe");
}

static void test_assignment_needs_a_key(void **state) {
        const char *value;
        char *key;

        assert_int_equal(parse_assignment("", &key, &value), -EINVAL);
        assert_int_equal(parse_assignment("key", &key, &value), -EINVAL);
        assert_int_equal(parse_assignment("=value", &key, &value), -EINVAL);
        assert_int_equal(parse_assignment("\xff=value", &key, &value), -EILSEQ);
}

static void test_yes_and_no_are_all_there_is(void **state) {
        bool b = false;

        assert_int_equal(parse_yes_no("yes", &b), 0);
        assert_true(b);
        assert_int_equal(parse_yes_no("y", &b), -EINVAL);
        assert_int_equal(parse_yes_no("", &b), -EINVAL);
        assert_true(b);
        assert_int_equal(parse_yes_no("no", &b), 0);
        assert_false(b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_token_is_decimal_or_hexadecimal),
                cmocka_unit_test(test_token_has_the_full_range),
                cmocka_unit_test(test_token_is_nothing_but_digits),
                cmocka_unit_test(test_assignment_splits_at_the_first_equals_sign),
                cmocka_unit_test(test_assignment_needs_a_key),
                cmocka_unit_test(test_yes_and_no_are_all_there_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
