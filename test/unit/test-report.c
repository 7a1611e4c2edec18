/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "macro.h"
#include "name-util.h"
#include "report-maker.h"

static char *encode(const Report *r, uid_t viewer) {
        char *text;

        assert_int_equal(report_encode(r, viewer, &text), 0);
        return text;
}

static void test_what_is_encoded_comes_back(void **state) {
        for (unsigned n = 0; n < 9; n += 4) {
                _cleanup_free_ char *text = NULL, *again = NULL;
                _cleanup_(report_done) Report r = {}, back = {};

                make_report(&r, n, /* hostile= */ true);
                text = encode(&r, 0);
                assert_int_equal(report_decode(text, strlen(text), &back), 0);
                again = encode(&back, 0);
                assert_string_equal(again, text);
                assert_int_equal(back.n_sessions, n);
                assert_memory_equal(back.times, r.times, sizeof(r.times));
                if (n > 0) {
                        assert_true(back.sessions[0].sid == UINT64_MAX);
                        assert_true(back.sessions[0].files[0].token == UINT64_MAX);
                        assert_true(back.sessions[0].files[0].size == UINT64_C(1) << 63);
                }
        }
}

static void test_every_truncated_text_is_refused(void **state) {
        _cleanup_(report_done) Report r = {};
        _cleanup_free_ char *text = NULL;

        make_report(&r, 2, /* hostile= */ true);
        text = encode(&r, 0);
        for (size_t n = 0; n < strlen(text); n++) {
                Report back = { .id = 99 };

                assert_int_equal(report_decode(text, n, &back), -EBADMSG);
                assert_true(back.id == 99);
        }
}

/* The text with @from replaced by @to, which must be in it. */
static char *replaced(const char *text, const char *from, const char *to) {
        const char *at = strstr(text, from);
        char *result;

        assert_non_null(at);
        assert_true(asprintf(&result, "%.*s%s%s", (int) (at - text), text, to, at + strlen(from)) >= 0);
        return result;
}

static void test_a_wrong_value_is_refused(void **state) {
        static const char *const wrong[][2] = {
                { "\"id\":7", "\"id\":-7" },
                { "\"id\":7", "\"id\":\"7\"" },
                { "\"id\":7", "\"id\":18446744073709551616" },
                { "\"id\":7", "\"nr\":7" },
                { "\"road\":\"luoctl\"", "\"road\":\"rail\"" },
                { "\"result\":\"done\"", "\"result\":1" },
                { "\"forced\":false", "\"forced\":0" },
                { "\"uid\":0", "\"uid\":4294967296" },
                { "\"errno\":0", "\"errno\":2147483648" },
                { "\"from_kernel\":\"", "\"from_kernel\":\"\\u0000" },
                { "\"from_kernel\":\"", "\"from_kernel\":\"\\u001b" },
                { "\"from_kernel\":\"", "\"from_kernel\":\"\xff" },
                { "\"timeline\":{", "\"timeline\":[],\"x\":{" },
                { "\"request\":{", "\"request\":3,\"x\":{" },
                { "\"files\":[", "\"files\":[7," },
                { "\"sessions\":[", "\"sessions\":[null," },
                { "\"delays\":[", "\"delays\":[{}," },
        };
        _cleanup_(report_done) Report r = {};
        _cleanup_free_ char *text = NULL;

        make_report(&r, 2, /* hostile= */ false);
        text = encode(&r, 0);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_free_ char *bad = replaced(text, wrong[i][0], wrong[i][1]);
                Report back = {};

                if (report_decode(bad, strlen(bad), &back) != -EBADMSG)
                        fail_msg("%s was taken", wrong[i][1]);
        }
}

static void test_a_newer_format_is_told_from_a_damaged_one(void **state) {
        _cleanup_(report_done) Report r = {};
        _cleanup_free_ char *text = NULL, *newer = NULL;
        Report back = {};

        make_report(&r, 1, /* hostile= */ false);
        text = encode(&r, 0);
        newer = replaced(text, "\"format\":1", "\"format\":2");
        assert_int_equal(report_decode(newer, strlen(newer), &back), -EPROTONOSUPPORT);
        assert_int_equal(report_decode("{\"format\":2}", 12, &back), -EPROTONOSUPPORT);
}

static void test_others_see_only_their_own(void **state) {
        _cleanup_(report_done) Report r = {}, back = {};
        _cleanup_free_ char *text = NULL;

        make_report(&r, 4, /* hostile= */ false);
        report_set_text(r.message, sizeof(r.message), "guest-0 vetoed it");
        text = encode(&r, 1000);
        assert_null(strstr(text, "guest-0"));
        assert_null(strstr(text, "libvirtd"));
        assert_int_equal(report_decode(text, strlen(text), &back), 0);
        assert_int_equal(back.n_sessions, 2);
        assert_int_equal(back.n_delays, 2);
        assert_string_equal(back.delays[0].who, "");
        assert_string_equal(back.delays[0].why, "");
        assert_string_equal(back.delays[1].who, "guest-1.example.org"); /* it is theirs */

        report_done(&back);
        free(text);
        text = encode(&r, 1001);
        assert_null(strstr(text, "guest-"));
        assert_int_equal(report_decode(text, strlen(text), &back), 0);
        assert_int_equal(back.n_sessions, 0);
}

static void test_durations_go_by_the_clock_that_fits(void **state) {
        ReportStamp a = { .realtime = 1000, .boottime = 50, .boot_id = "x" }, b = { .realtime = 900, .boottime = 70, .boot_id = "x" },
                    c = { .realtime = 5000, .boottime = 3, .boot_id = "y" }, unknown = {};
        uint64_t usec;

        assert_true(report_duration(&a, &b, &usec)); /* the realtime clock was set back */
        assert_int_equal(usec, 20);
        assert_true(report_duration(&a, &c, &usec));
        assert_int_equal(usec, 4000);
        assert_true(report_duration(&c, &a, &usec));
        assert_int_equal(usec, 0);
        assert_false(report_duration(&a, &unknown, &usec));
}

static void test_blackout_begins_when_the_last_is_ready(void **state) {
        _cleanup_(report_done) Report r = {};
        uint64_t usec;

        make_report(&r, 1, /* hostile= */ false);
        assert_true(report_blackout(&r, &usec));
        assert_int_equal(usec, (8500 + 4800 - 3300) * 1000);
        assert_true(report_session_blackout(&r, r.sessions, &usec));
        assert_int_equal(usec, (8500 + 4800 - 1200) * 1000);
        /* who never said so was there until the hand-over */
        r.sessions[0].ready = (ReportStamp) {};
        assert_true(report_session_blackout(&r, r.sessions, &usec));
        assert_int_equal(usec, (8500 + 4800 - 3700) * 1000);
        r.times[REPORT_TIME_READY] = (ReportStamp) {};
        assert_true(report_blackout(&r, &usec));
        assert_int_equal(usec, (8500 + 4800 - 3700) * 1000);
        r.times[REPORT_TIME_FIRST_CLAIM] = (ReportStamp) {};
        assert_false(report_blackout(&r, &usec));
}

static void test_text_is_made_fit(void **state) {
        char text[8];

        report_set_text(text, sizeof(text), "a\nb\xff\xc3\xa4");
        assert_string_equal(text, "a?b?\xc3\xa4");
        report_set_text(text, sizeof(text), "aaaaaa\xc3\xa4"); /* would be cut in the middle */
        assert_string_equal(text, "aaaaaa");
        report_set_text(text, sizeof(text), "\xe2\x82"); /* ends too early */
        assert_string_equal(text, "??");
        assert_true(is_printable_utf8(text));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_encoded_comes_back),
                cmocka_unit_test(test_every_truncated_text_is_refused),
                cmocka_unit_test(test_a_wrong_value_is_refused),
                cmocka_unit_test(test_a_newer_format_is_told_from_a_damaged_one),
                cmocka_unit_test(test_others_see_only_their_own),
                cmocka_unit_test(test_durations_go_by_the_clock_that_fits),
                cmocka_unit_test(test_blackout_begins_when_the_last_is_ready),
                cmocka_unit_test(test_text_is_made_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
