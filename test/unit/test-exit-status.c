/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bus-names.h"
#include "exit-status.h"
#include "macro.h"

static void test_scripts_can_tell_what_to_do_next(void **state) {
        assert_int_equal(exit_status_from_error(LUOD_ERROR_INVALID_NAME), STATUS_USAGE);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_NO_SUCH_SESSION), STATUS_NOT_FOUND);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_NO_SUCH_TOKEN), STATUS_NOT_FOUND);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_NOT_OWNER), STATUS_NOT_PERMITTED);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_TOKEN_IN_USE), STATUS_EXISTS);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_QUOTA_EXCEEDED), STATUS_NO_ROOM);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_KERNEL_UNSUPPORTED), STATUS_UNABLE);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_SHUTTING_DOWN), STATUS_BUSY);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_WRONG_DIRECTION), STATUS_DIRECTION);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_RETRIEVE_FAILED), STATUS_LOST);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_KERNEL_UNFIT), STATUS_UNFIT);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_KERNEL_TRUNCATED), STATUS_UNFIT);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_KEXEC_BUSY), STATUS_BUSY);
}

static void test_a_missing_service_is_not_a_missing_session(void **state) {
        static const char *const names[] = {
                "org.freedesktop.DBus.Error.ServiceUnknown",
                "org.freedesktop.DBus.Error.NoReply",
                "org.freedesktop.DBus.Error.Spawn.ChildExited",
                "org.freedesktop.systemd1.UnitMasked",
                "System.Error.ECONNRESET",
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                assert_int_equal(exit_status_from_error(names[i]), STATUS_UNREACHABLE);
}

static void test_unknown_errors_are_failures(void **state) {
        assert_int_equal(exit_status_from_error(NULL), STATUS_FAILURE);
        assert_int_equal(exit_status_from_error(""), STATUS_FAILURE);
        assert_int_equal(exit_status_from_error("org.luod1.Error.FromTheFuture"), STATUS_FAILURE);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_NO_SUCH_SESSION "s"), STATUS_FAILURE);
}

static void test_each_end_of_an_update_has_its_status(void **state) {
        assert_int_equal(exit_status_from_error(LUOD_ERROR_UPDATE_BLOCKED), STATUS_CHECK_BLOCKED);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_UPDATE_VETOED), STATUS_VETOED);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_UPDATE_TIMED_OUT), STATUS_TIMED_OUT);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_UPDATE_CANCELLED), STATUS_CANCELLED);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_UPDATE_IN_PROGRESS), STATUS_BUSY);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_UPDATE_FAILED), STATUS_FAILURE);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_NO_UPDATE), STATUS_NOT_FOUND);
        assert_int_equal(exit_status_from_error(LUOD_ERROR_TOO_LATE), STATUS_TOO_LATE);
        assert_int_equal(exit_status_from_result("handed-over"), STATUS_OK);
        assert_int_equal(exit_status_from_result("cancelled"), STATUS_CANCELLED);
        assert_int_equal(exit_status_from_result("failed"), STATUS_FAILURE);
        assert_int_equal(exit_status_from_result("of-the-future"), STATUS_FAILURE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scripts_can_tell_what_to_do_next),
                cmocka_unit_test(test_a_missing_service_is_not_a_missing_session),
                cmocka_unit_test(test_unknown_errors_are_failures),
                cmocka_unit_test(test_each_end_of_an_update_has_its_status),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
