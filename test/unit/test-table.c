/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "table.h"

static const TableColumn columns[] = {
        { .header = "NAME", .shrink = true },
        { .header = "N", .right = true },
        { .header = "LABEL", .shrink = true },
};

static int set_up(void **state) {
        Table *table;

        if (!setlocale(LC_CTYPE, "C.UTF-8") || table_new(columns, ARRAY_SIZE(columns), &table) < 0)
                return -1;
        *state = table;
        return 0;
}

static int tear_down(void **state) {
        (void) table_free(*state);
        return 0;
}

static void add(Table *table, const char *a, const char *b, const char *c) {
        assert_int_equal(table_add(table, (const char *const[]){ a, b, c }), 0);
}

static void assert_printed(const Table *table, size_t width, bool header, const char *expected) {
        char *printed = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&printed, &size);
        assert_non_null(f);
        assert_int_equal(table_print(table, f, width, header), 0);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(printed, expected);
        free(printed);
}

static void test_an_empty_table_is_its_header(void **state) {
        assert_printed(*state, TABLE_WIDTH_UNLIMITED, true, "NAME  N  LABEL\n");
        assert_printed(*state, TABLE_WIDTH_UNLIMITED, false, "");
}

static void test_columns_are_as_wide_as_what_they_hold(void **state) {
        add(*state, "a", "1", "first");
        add(*state, "longer", "123", "");

        assert_printed(*state, TABLE_WIDTH_UNLIMITED, true,
                       "NAME      N  LABEL\n"
                       "a         1  first\n"
                       "longer  123\n");
        assert_printed(*state, TABLE_WIDTH_UNLIMITED, false,
                       "a         1  first\n"
                       "longer  123\n");
}

static void test_wide_characters_stay_in_their_columns(void **state) {
        add(*state, "日本語", "1", "x");
        add(*state, "äöü", "2", "y");

        assert_printed(*state, TABLE_WIDTH_UNLIMITED, true,
                       "NAME    N  LABEL\n"
                       "日本語  1  x\n"
                       "äöü     2  y\n");
}

static void test_the_widest_column_shrinks_first(void **state) {
        add(*state, "short-name", "1", "a label that is much too long");

        assert_printed(*state, 30, true,
                       "NAME        N  LABEL\n"
                       "short-name  1  a label that i…\n");
        /* then both */
        assert_printed(*state, 22, true,
                       "NAME      N  LABEL\n"
                       "short-n…  1  a label …\n");
}

static void test_no_column_shrinks_below_use(void **state) {
        add(*state, "short-name", "123456789", "a label that is much too long");

        assert_printed(*state, 1, true,
                       "NAME              N  LABEL\n"
                       "short-n…  123456789  a label…\n");
}

static void test_foreign_text_stays_on_its_line(void **state) {
        add(*state, "a\nb", "1", "\x1b[2J");

        assert_printed(*state, TABLE_WIDTH_UNLIMITED, false, "a\\nb  1  \\x1b[2J\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_an_empty_table_is_its_header, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_columns_are_as_wide_as_what_they_hold, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_wide_characters_stay_in_their_columns, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_the_widest_column_shrinks_first, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_no_column_shrinks_below_use, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_foreign_text_stays_on_its_line, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
