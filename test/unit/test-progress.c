/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "macro.h"
#include "progress.h"

#define SECOND UINT64_C(1000000)
#define NOW (1000 * SECOND)

static char idle[] = "idle", preparing[] = "preparing", going_down[] = "shutting-down", lock[] = "lock",
            session[] = "session", renewal[] = "renewal", vm1[] = "vm1", qemu[] = "qemu",
            flushing[] = "flushing", nothing[] = "";

static WaitingInfo session_vm1 = { session, vm1, nothing }, lock_qemu = { lock, qemu, flushing },
                   renewal_vm1 = { renewal, vm1, nothing };

static void assert_format(ManagerInfo *info, const char *expected) {
        char *text;

        assert_int_equal(progress_format(info, NOW, &text), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void test_line_tells_who_is_waited_for_and_how_long(void **state) {
        WaitingInfo items[] = { session_vm1, lock_qemu, renewal_vm1, session_vm1, session_vm1 };
        ManagerInfo info = { .state = preparing, .waiting_for = { items, 2 } };

        assert_format(&info, "Preparing: session 'vm1', the lock of 'qemu' (flushing)");
        info.update_deadline = NOW + 24 * SECOND + 1;
        assert_format(&info, "Preparing, 25s left: session 'vm1', the lock of 'qemu' (flushing)");
        info.update_deadline = NOW + 90 * SECOND;
        info.waiting_for.n_items = 5;
        assert_format(
                &info,
                "Preparing, 1min 30s left: session 'vm1', the lock of 'qemu' (flushing), the renewal of 'vm1', "
                "and 2 more");
        info.update_deadline = NOW - 1;
        info.waiting_for.n_items = 0;
        assert_format(&info, "Preparing, 0s left");
}

static void test_line_tells_the_state(void **state) {
        static char future[] = "tunnelling";
        WaitingInfo items[] = { session_vm1 };
        ManagerInfo info = { .state = going_down,
                             .update_deadline = NOW + SECOND,
                             .waiting_for = { items, 1 } };

        assert_format(&info, "The host is going down");
        info.state = future;
        assert_format(&info, "tunnelling");
        info.state = NULL;
        assert_format(&info, "");
}

static void test_an_update_is_under_way_or_not(void **state) {
        assert_false(progress_is_under_way(NULL));
        assert_false(progress_is_under_way("idle"));
        assert_false(progress_is_under_way("stopping"));
        assert_true(progress_is_under_way("preparing"));
        assert_true(progress_is_under_way("handing-over"));
        assert_true(progress_is_under_way("shutting-down"));
}

/* The lines, each with a newline. */
static void assert_changes(const ManagerInfo *before, const ManagerInfo *after, const char *expected) {
        StringList lines = {};
        char text[512] = "";

        assert_int_equal(progress_changes(before, after, NOW, &lines), 0);
        for (size_t i = 0; i < lines.n_items; i++)
                (void) strcat(strcat(text, lines.items[i]), "\n");
        assert_string_equal(text, expected);
        string_list_done(&lines);
}

static void test_each_change_is_a_line(void **state) {
        WaitingInfo before_items[] = { session_vm1, lock_qemu }, after_items[] = { lock_qemu, renewal_vm1 };
        ManagerInfo none = {}, before = { .state = idle }, after = before;

        assert_changes(&before, &after, "");
        after.state = preparing;
        after.update_deadline = NOW + 10 * SECOND;
        after.waiting_for = (WaitingList){ before_items, 2 };
        assert_changes(&before, &after,
                       "Preparing, 10s left.\nWaiting for session 'vm1'.\n"
                       "Waiting for the lock of 'qemu' (flushing).\n");
        before = after;
        assert_changes(&before, &after, "");
        after.waiting_for = (WaitingList){ after_items, 2 };
        assert_changes(&before, &after,
                       "No longer waiting for session 'vm1'.\nWaiting for the renewal of 'vm1'.\n");
        before = after;
        after.update_deadline += 5 * SECOND;
        assert_changes(&before, &after, "Preparing, 15s left.\n");
        before = after;
        after.update_deadline = 0; /* on its way to another state */
        assert_changes(&before, &after, "");
        before = after;
        after.state = going_down; /* who is not ready does not count any more */
        assert_changes(&before, &after,
                       "The host is going down.\nNo longer waiting for the lock of 'qemu' (flushing).\n"
                       "No longer waiting for the renewal of 'vm1'.\n");
        assert_changes(&none, &none, "");
}

static void test_a_copy_is_the_same(void **state) {
        WaitingInfo items[] = { session_vm1, { NULL, NULL, NULL } };
        ManagerInfo info = { .state = preparing, .update_deadline = NOW, .waiting_for = { items, 2 } },
                    copy = {}, empty = {};

        assert_int_equal(progress_copy(&info, &copy), 0);
        assert_changes(&info, &copy, "");
        assert_string_equal(copy.state, "preparing");
        assert_int_equal(copy.waiting_for.n_items, 2);
        manager_info_done(&copy);
        assert_int_equal(progress_copy(&empty, &copy), 0);
        assert_changes(&empty, &copy, "");
        manager_info_done(&copy);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_line_tells_who_is_waited_for_and_how_long),
                cmocka_unit_test(test_line_tells_the_state),
                cmocka_unit_test(test_an_update_is_under_way_or_not),
                cmocka_unit_test(test_each_change_is_a_line),
                cmocka_unit_test(test_a_copy_is_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
