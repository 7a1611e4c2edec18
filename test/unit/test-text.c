/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "macro.h"
#include "text.h"

static int set_utf8_locale(void **state) {
        return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static void assert_escaped(const void *data, size_t size, const char *expected) {
        char *escaped = NULL;

        assert_int_equal(text_escape(data, size, &escaped), 0);
        assert_string_equal(escaped, expected);
        free(escaped);
}

static void assert_ellipsized(const char *text, size_t width, const char *expected) {
        char *cut = NULL;

        assert_int_equal(text_ellipsize(text, width, &cut), 0);
        assert_string_equal(cut, expected);
        free(cut);
}

#define BYTES(s) (s), sizeof(s) - 1

static void test_well_formed_utf8_is_told_from_the_rest(void **state) {
        assert_true(text_is_utf8(BYTES("")));
        assert_true(text_is_utf8(BYTES("plain")));
        assert_true(text_is_utf8(BYTES("ä日😀")));
        assert_true(text_is_utf8(BYTES("with\0NUL")));
        assert_true(text_is_utf8(BYTES("\xf4\x8f\xbf\xbf"))); /* U+10FFFF */

        assert_false(text_is_utf8(BYTES("\xff")));
        assert_false(text_is_utf8(BYTES("\x80")));
        assert_false(text_is_utf8(BYTES("\xc3")));             /* cut off */
        assert_false(text_is_utf8(BYTES("\xc3(")));            /* no continuation */
        assert_false(text_is_utf8(BYTES("\xc0\xaf")));         /* overlong '/' */
        assert_false(text_is_utf8(BYTES("\xed\xa0\x80")));     /* surrogate */
        assert_false(text_is_utf8(BYTES("\xf4\x90\x80\x80"))); /* beyond U+10FFFF */
        assert_false(text_is_utf8(BYTES("\xf8\x88\x80\x80\x80")));
}

static void test_escape_keeps_printable_text(void **state) {
        assert_escaped(BYTES(""), "");
        assert_escaped(BYTES("vm-1 \\ \"ä日😀\""), "vm-1 \\ \"ä日😀\"");
}

static void test_escape_leaves_a_terminal_alone(void **state) {
        assert_escaped(BYTES("a\x1b[31mb"), "a\\x1b[31mb");
        assert_escaped(BYTES("1\n2\t3\r"), "1\\n2\\t3\\r");
        assert_escaped(BYTES("\0\x7f"), "\\x00\\x7f");
        assert_escaped(BYTES("\xc2\x9b" "2J"), "\\u009b2J"); /* CSI in one character */
        assert_escaped(BYTES("\xe2\x80\xae" "txt"), "\\u202etxt"); /* right-to-left override */
        assert_escaped(BYTES("ok\xff\xc3"), "ok\\xff\\xc3");
}

static void test_escaped_json_is_the_same_json(void **state) {
        char *escaped = NULL;

        assert_int_equal(text_escape_json("{\n \"a\": \"\xc2\x9b\x7f" "ä\" }", &escaped), 0);
        assert_string_equal(escaped, "{\n \"a\": \"\\u009b\\u007fä\" }");
        free(escaped);
}

static void test_width_counts_columns(void **state) {
        assert_int_equal(text_width(""), 0);
        assert_int_equal(text_width("abc"), 3);
        assert_int_equal(text_width("äö"), 2);
        assert_int_equal(text_width("日本"), 4);
        assert_int_equal(text_width("e\xcc\x81"), 1); /* e and a combining accent */
}

static void test_ellipsize_leaves_what_fits(void **state) {
        assert_ellipsized("", 0, "");
        assert_ellipsized("abc", 3, "abc");
        assert_ellipsized("日本", 4, "日本");
}

static void test_ellipsize_cuts_to_the_column(void **state) {
        assert_ellipsized("abcdef", 4, "abc…");
        assert_ellipsized("abcdef", 1, "…");
        assert_ellipsized("abcdef", 0, "");
        assert_ellipsized("日本語", 5, "日本…");
        assert_ellipsized("日本語", 4, "日…"); /* half a character can't be shown */
        assert_ellipsized("e\xcc\x81" "bcd", 2, "e\xcc\x81…");
}

static void assert_shortened(const char *text, size_t max, const char *expected) {
        char *shortened;

        assert_int_equal(text_shorten(text, max, &shortened), 0);
        assert_string_equal(shortened, expected);
        assert_true(text_is_utf8(shortened, strlen(shortened)));
        free(shortened);
}

static void test_shorten_counts_bytes_and_cuts_no_character(void **state) {
        assert_shortened("", 0, "");
        assert_shortened("abcdef", 6, "abcdef");
        assert_shortened("abcdef", 5, "ab…");
        assert_shortened("abcdef", 3, "…");
        assert_shortened("abcdef", 2, "ab");
        assert_shortened("日本語", 9, "日本語");
        assert_shortened("日本語", 8, "日…");
        assert_shortened("日本語", 2, "");
        assert_shortened("a\xff\n", 9, "a\\xff\\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_well_formed_utf8_is_told_from_the_rest),
                cmocka_unit_test(test_escape_keeps_printable_text),
                cmocka_unit_test(test_escape_leaves_a_terminal_alone),
                cmocka_unit_test(test_escaped_json_is_the_same_json),
                cmocka_unit_test(test_width_counts_columns),
                cmocka_unit_test(test_ellipsize_leaves_what_fits),
                cmocka_unit_test(test_ellipsize_cuts_to_the_column),
                cmocka_unit_test(test_shorten_counts_bytes_and_cuts_no_character),
        };

        return cmocka_run_group_tests(tests, set_utf8_locale, NULL);
}
