/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "macro.h"
#include "name-util.h"

static const char *const good_text[] = {
        "a",  "with space", "\"quoted\" and \\", "Größe", "日本", "\xf0\x9f\x90\xa7",
        "-", "%2f", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\xa0",
};

/* Neither names, nor labels, nor keys. */
static const char *const bad_text[] = {
        "\n", "a\tb", "\x01", "\x1f", "\x7f", "\xc2\x80", "\xc2\x9f", /* control characters */
        "\x80", "\xbf", "\xfe", "\xff", "\xc3", "\xe6\x97", "\xf0\x9f\x90", "\xc3(", "\xe6\x97z", /* cut short */
        "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80", "\xed\xbf\xbf", /* surrogates */
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", /* beyond Unicode */
};

static void test_printable_utf8_is_good_for_all(void **state) {
        for (unsigned i = 0; i < ARRAY_SIZE(good_text); i++) {
                assert_true(session_name_is_valid(good_text[i]));
                assert_true(label_is_valid(good_text[i]));
                assert_true(metadata_key_is_valid(good_text[i]));
        }
}

static void test_other_bytes_are_bad_for_all_wherever_they_stand(void **state) {
        for (unsigned i = 0; i < ARRAY_SIZE(bad_text); i++)
                for (unsigned position = 0; position < 3; position++) {
                        char text[32];

                        (void) snprintf(text, sizeof(text), "%s%s%s", position > 0 ? "ab" : "", bad_text[i],
                                        position < 2 ? "cd" : "");
                        assert_false(session_name_is_valid(text));
                        assert_false(label_is_valid(text));
                        assert_false(metadata_key_is_valid(text));
                }
}

static void test_text_is_mended_by_leaving_out_what_is_no_utf8(void **state) {
        static const char *const pairs[][2] = {
                { "", "" },
                { "a b\n", "a b\n" },
                { "Gr\xc3\xb6\xc3\x9f" "e \xf0\x9f\x90\xa7", "Gr\xc3\xb6\xc3\x9f" "e \xf0\x9f\x90\xa7" },
                { "cut \xf0\x9f\x90", "cut " },
                { "cut \xf0\x9f\x90' in the middle \xc3'", "cut ' in the middle '" },
                { "\xed\xa0\x80\xff.", "." },
        };

        for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
                char text[64];

                (void) snprintf(text, sizeof(text), "%s", pairs[i][0]);
                assert_string_equal(utf8_mend(text), pairs[i][1]);
        }
}

static void test_lengths_are_in_bytes(void **state) {
        char text[NAME_LENGTH_MAX + 2] = {};

        memset(text, 'x', NAME_LENGTH_MAX);
        assert_true(session_name_is_valid(text));
        assert_true(label_is_valid(text));
        assert_true(metadata_key_is_valid(text));
        text[NAME_LENGTH_MAX] = 'x';
        assert_false(session_name_is_valid(text));
        assert_false(label_is_valid(text));
        assert_false(metadata_key_is_valid(text));
        memcpy(text + NAME_LENGTH_MAX - 1, "\xc3\xb6", 2);
        assert_false(session_name_is_valid(text));
}

static void test_empty_and_missing_text(void **state) {
        assert_false(session_name_is_valid(""));
        assert_true(label_is_valid(""));
        assert_false(metadata_key_is_valid(""));
        assert_false(session_name_is_valid(NULL));
        assert_false(label_is_valid(NULL));
        assert_false(metadata_key_is_valid(NULL));
}

static void test_names_must_do_as_file_names_and_not_be_taken_by_others(void **state) {
        static const char *const bad[] = { ".", "..", ".hidden", "a/b", "/", "a/", "systemd", "unknown-7", "recovered-1" };
        static const char *const good[] = { "a.", "Systemd", "systemd-", "unknown", "recovered", "luod-a-1" };

        for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
                assert_false(session_name_is_valid(bad[i]));
                assert_true(label_is_valid(bad[i]));
                assert_true(metadata_key_is_valid(bad[i]));
        }
        for (unsigned i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(session_name_is_valid(good[i]));
}

static void test_kernel_names_are_read_as_written(void **state) {
        for (char series = 'a'; series <= 'b'; series++)
                for (uint32_t i = 0; i < PART_NUMBER_END; i++) {
                        char name[KERNEL_NAME_SIZE], read_series = '?';
                        uint32_t number = UINT32_MAX;

                        kernel_name_format(series, i, name);
                        assert_true(kernel_name_parse(name, &read_series, &number));
                        assert_int_equal(read_series, series);
                        assert_int_equal(number, i);
                        assert_true(kernel_name_parse(name, NULL, NULL));
                }
}

static void test_other_names_are_not_ours(void **state) {
        static const char *const names[] = {
                "", "luod", "luod-", "luod-a", "luod-a-", "luod-c-1", "luod-A-1", "luod-a-01", "luod-a-00",
                "luod-a-1024", "luod-a-99999", "luod-a-100000", "luod-a-4294967296",
                "luod-a-18446744073709551617", "luod-a--1", "luod-a-+1",
                "luod-a- 1", "luod-a-1 ", "luod-a-1x", "xluod-a-1", "Luod-a-1", "luod_a_1", "luod-a-\xd9\xa1", "systemd",
        };
        char series = '?';
        uint32_t number = 7;

        for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
                assert_false(kernel_name_parse(names[i], &series, &number));
        assert_int_equal(series, '?');
        assert_int_equal(number, 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_printable_utf8_is_good_for_all),
                cmocka_unit_test(test_other_bytes_are_bad_for_all_wherever_they_stand),
                cmocka_unit_test(test_text_is_mended_by_leaving_out_what_is_no_utf8),
                cmocka_unit_test(test_lengths_are_in_bytes),
                cmocka_unit_test(test_empty_and_missing_text),
                cmocka_unit_test(test_names_must_do_as_file_names_and_not_be_taken_by_others),
                cmocka_unit_test(test_kernel_names_are_read_as_written),
                cmocka_unit_test(test_other_names_are_not_ours),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
