/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "macro.h"
#include "report-axis.h"
#include "report-maker.h"
#include "report-plot.h"
#include "text.h"

/* test-report-plot [DIRECTORY]: with one, the pictures are left there to be looked at. */
static const char *pictures;

static char *plot(const Report *r, const char *name) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        assert_int_equal(report_plot(r, f), 0);
        assert_int_equal(fclose(f), 0);
        if (pictures) {
                _cleanup_free_ char *path = NULL;

                assert_true(asprintf(&path, "%s/%s.svg", pictures, name) >= 0);
                f = fopen(path, "w");
                assert_non_null(f);
                fputs(text, f);
                fclose(f);
        }
        return text;
}

/* --- a strict reader of the XML that is in such a picture: elements, attributes in double quotes, the five entities */

static const char *skip_text(const char *p) {
        static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

        while (*p && *p != '<') {
                size_t n = 1;

                assert_true((unsigned char) *p >= 0x20 || *p == '\n');
                assert_int_not_equal(strncmp(p, "]]>", 3), 0);
                assert_int_not_equal(strncmp(p, "\xef\xbf\xbe", 3), 0);
                if (*p == '&') {
                        n = 0;
                        for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
                                if (strncmp(p, entities[i], strlen(entities[i])) == 0)
                                        n = strlen(entities[i]);
                        assert_true(n > 0);
                }
                p += n;
        }
        return p;
}

/* After "<NAME": its attributes, to behind ">". */
static const char *skip_attributes(const char *p, bool *ret_empty) {
        for (;;) {
                while (*p == ' ')
                        p++;
                if (*p == '>' || strncmp(p, "/>", 2) == 0)
                        break;
                assert_true(strcspn(p, "=\"<>&") > 0);
                p += strcspn(p, "=\"<>& ");
                assert_int_equal(strncmp(p, "=\"", 2), 0);
                p += 2;
                assert_int_equal(p[strcspn(p, "\"<&")], '"');
                p += strcspn(p, "\"") + 1;
        }
        *ret_empty = *p == '/';
        return p + 1 + *ret_empty;
}

static unsigned assert_well_formed(const char *text) {
        char open[16][16];
        unsigned depth = 0, n = 0;
        const char *p = strstr(text, "?>");

        assert_true(text_is_utf8(text, strlen(text)));
        assert_non_null(p);
        p += 2;
        for (;;) {
                size_t length;
                bool end, empty;

                p = skip_text(p);
                if (!*p)
                        break;
                end = p[1] == '/';
                p += 1 + end;
                length = strspn(p, "abcdefghijklmnopqrstuvwxyz");
                assert_in_range(length, 1, 15);
                if (end) {
                        assert_true(depth > 0);
                        depth--;
                        assert_int_equal(strlen(open[depth]), length);
                        assert_memory_equal(open[depth], p, length);
                        assert_int_equal(p[length], '>');
                        p += length + 1;
                        continue;
                }
                assert_true(depth > 0 || n == 0); /* one root */
                assert_true(depth < ARRAY_SIZE(open));
                (void) snprintf(open[depth], sizeof(open[0]), "%.*s", (int) length, p);
                assert_string_not_equal(open[depth], "script");
                n++;
                p = skip_attributes(p + length, &empty);
                depth += !empty;
        }
        assert_int_equal(depth, 0);
        return n;
}

static unsigned count(const char *text, const char *what) {
        unsigned n = 0;

        for (text = strstr(text, what); text; text = strstr(text + 1, what))
                n++;
        return n;
}

static void test_pictures_are_well_formed(void **state) {
        static const unsigned numbers[] = { 0, 1, 8, 300 };

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                _cleanup_(report_done) Report r = {};
                _cleanup_free_ char *text = NULL;
                char name[16];

                make_report(&r, numbers[i], /* hostile= */ false);
                (void) snprintf(name, sizeof(name), "%u", numbers[i]);
                text = plot(&r, name);
                assert_true(assert_well_formed(text) > 40);
                assert_int_equal(count(text, "guest-0.example.org</text>"), numbers[i] > 0);
                assert_int_equal(count(text, "guest-299.example.org</text>"), numbers[i] == 300);
        }
}

static void test_hostile_names_stay_text(void **state) {
        _cleanup_(report_done) Report r = {};
        _cleanup_free_ char *text = NULL;

        make_report(&r, 8, /* hostile= */ true);
        text = plot(&r, "hostile");
        (void) assert_well_formed(text);
        assert_int_equal(count(text, "<script"), 0);
        assert_int_equal(count(text, "\xe2\x80\xae"), 0); /* turns the line around */
        assert_true(count(text, "&lt;script&gt;") > 8);
}

static void test_a_report_of_which_nothing_is_known_is_drawn(void **state) {
        Report r = { .id = 1 };
        _cleanup_free_ char *text = plot(&r, "nothing");

        (void) assert_well_formed(text);
        assert_int_equal(count(text, "There were none."), 1);
        assert_int_equal(count(text, "nan"), 0);
}

static void test_the_next_boot_does_not_begin_before_the_jump(void **state) {
        _cleanup_(report_done) Report r = {};
        uint64_t jump, kernel, luod;
        ReportAxis axis;

        make_report(&r, 0, /* hostile= */ false);
        r.times[REPORT_TIME_JUMP].realtime = r.times[REPORT_TIME_KERNEL].realtime + 600000; /* a clock that shows seconds */
        assert_true(report_axis_init(&axis, &r));
        assert_true(report_axis_place(&axis, r.times + REPORT_TIME_JUMP, &jump));
        assert_true(report_axis_place(&axis, r.times + REPORT_TIME_KERNEL, &kernel));
        assert_true(report_axis_place(&axis, r.times + REPORT_TIME_LUOD, &luod));
        assert_true(kernel == jump);
        assert_int_equal(luod - kernel, 4400000);
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pictures_are_well_formed),
                cmocka_unit_test(test_hostile_names_stay_text),
                cmocka_unit_test(test_a_report_of_which_nothing_is_known_is_drawn),
                cmocka_unit_test(test_the_next_boot_does_not_begin_before_the_jump),
        };

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        pictures = argc > 1 ? argv[1] : NULL;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
