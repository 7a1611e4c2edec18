/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "luo-abi.h"
#include "luo.h"
#include "luod-limits.h"
#include "macro.h"

/* What luod makes of the kernel's answers; the kernel itself is met in the guest tests. */

typedef struct Kernel {
        LuoOps ops;
        int error;        /* of device_open() */
        unsigned n_busy;  /* first it says EBUSY so often */
        unsigned n_opened;
        unsigned n_pid1_busy;  /* so often PID 1 is seen at work */
        bool opened_meanwhile; /* the device was, with PID 1 at work */
        int preserve;     /* answer of PRESERVE */
        uint64_t token;
        int fd;
} Kernel;

/* Instead of the C library's: nobody waits. */
static uint64_t slept, longest;

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remain) {
        uint64_t usec = (uint64_t) request->tv_sec * 1000000 + (uint64_t) request->tv_nsec / 1000;

        slept += usec;
        longest = MAX(longest, usec);
        return 0;
}

static int device_open(const LuoOps *ops) {
        Kernel *k = ops->userdata;

        k->n_opened++;
        k->opened_meanwhile = k->n_pid1_busy > 0;
        if (k->n_busy > 0) {
                k->n_busy--;
                return -EBUSY;
        }
        return k->error < 0 ? k->error : eventfd(0, EFD_CLOEXEC);
}

static bool pid1_is_busy(const LuoOps *ops) {
        Kernel *k = ops->userdata;

        if (k->n_pid1_busy == 0)
                return false;
        k->n_pid1_busy--;
        return true;
}

static int preserve(const LuoOps *ops, int session, uint64_t token, int fd) {
        Kernel *k = ops->userdata;

        k->token = token;
        k->fd = fd;
        return k->preserve;
}

static Kernel *kernel_new(void) {
        static Kernel k;

        k = (Kernel) { .ops = { .userdata = &k, .device_open = device_open, .pid1_is_busy = pid1_is_busy,
                                 .preserve = preserve } };
        slept = longest = 0;
        return &k;
}

static void test_free_device_is_opened_at_once(void **state) {
        Kernel *k = kernel_new();
        _cleanup_(closep) int fd = luo_device_open_patiently(&k->ops, DEVICE_BUSY_TIMEOUT_USEC);

        assert_true(fd >= 0);
        assert_int_equal(k->n_opened, 1);
        assert_int_equal(slept, 0);
}

static void test_busy_device_is_tried_again_with_growing_pauses(void **state) {
        Kernel *k = kernel_new();
        _cleanup_(closep) int fd = -EBADF;

        k->n_busy = 12;
        fd = luo_device_open_patiently(&k->ops, DEVICE_BUSY_TIMEOUT_USEC);
        assert_true(fd >= 0);
        assert_int_equal(k->n_opened, 13);
        assert_int_equal(longest, DEVICE_BUSY_RETRY_MAX_USEC);
}

static void test_device_that_stays_busy_is_given_up_after_the_time_out(void **state) {
        Kernel *k = kernel_new();

        k->n_busy = UINT32_MAX;
        assert_int_equal(luo_device_open_patiently(&k->ops, DEVICE_BUSY_TIMEOUT_USEC), -EBUSY);
        assert_true(slept >= DEVICE_BUSY_TIMEOUT_USEC);
        assert_true(slept <= DEVICE_BUSY_TIMEOUT_USEC + DEVICE_BUSY_RETRY_MAX_USEC);
        assert_true(k->n_opened < 100);

        k = kernel_new();
        k->n_busy = UINT32_MAX;
        assert_int_equal(luo_device_open_patiently(&k->ops, /* timeout= */ 0), -EBUSY);
        assert_int_equal(k->n_opened, 1);
}

static void test_device_is_not_opened_while_pid1_is_at_work(void **state) {
        Kernel *k = kernel_new();
        int fd;

        k->n_pid1_busy = 7;
        k->n_busy = 1;
        fd = luo_device_open_patiently(&k->ops, DEVICE_BUSY_TIMEOUT_USEC);
        assert_true(fd >= 0);
        close(fd);
        assert_false(k->opened_meanwhile);
        assert_int_equal(slept, 7 * DEVICE_PID1_BUSY_RETRY_USEC + DEVICE_BUSY_RETRY_FIRST_USEC);

        /* One that never sleeps is not waited for without end. */
        k = kernel_new();
        k->n_pid1_busy = UINT32_MAX;
        fd = luo_device_open_patiently(&k->ops, /* timeout= */ 0);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(slept, DEVICE_PID1_BUSY_MAX_USEC);

        /* And counts for the time-out, of which a start can't take more than it was given. */
        k = kernel_new();
        k->n_pid1_busy = k->n_busy = UINT32_MAX;
        assert_int_equal(luo_device_open_patiently(&k->ops, DEVICE_BUSY_TIMEOUT_USEC), -EBUSY);
        assert_true(slept >= DEVICE_BUSY_TIMEOUT_USEC);
        assert_true(slept <= DEVICE_BUSY_TIMEOUT_USEC + DEVICE_PID1_BUSY_MAX_USEC + DEVICE_BUSY_RETRY_MAX_USEC);
}

static void test_other_errors_of_the_device_are_final(void **state) {
        static const int errors[] = { -ENOENT, -EIO, -EPERM, -ENODEV };

        for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
                Kernel *k = kernel_new();

                k->error = errors[i];
                k->n_busy = i;
                assert_int_equal(luo_device_open_patiently(&k->ops, DEVICE_BUSY_TIMEOUT_USEC), errors[i]);
                assert_int_equal(k->n_opened, i + 1);
        }
}

static void test_probe_of_a_token_asks_with_no_file_and_reads_the_error(void **state) {
        Kernel *k = kernel_new();

        k->preserve = -EEXIST;
        assert_int_equal(luo_token_is_known(&k->ops, 5, UINT64_MAX), 1);
        assert_true(k->token == UINT64_MAX);
        assert_int_equal(k->fd, -1);
        k->preserve = -EBADF;
        assert_int_equal(luo_token_is_known(&k->ops, 5, 0), 0);
        k->preserve = -EINVAL;
        assert_int_equal(luo_token_is_known(&k->ops, 5, 0), -EINVAL);
        k->preserve = -EINTR;
        assert_int_equal(luo_token_is_known(&k->ops, 5, 0), -EINTR);
        k->preserve = 0; /* the kernel cannot have taken it */
        assert_true(luo_token_is_known(&k->ops, 5, 0) < 0);
}

static void test_support_is_told_from_the_device(void **state) {
        Kernel *k = kernel_new();
        int support;

        assert_int_equal(luo_probe_support(&k->ops), LUO_SUPPORTED);
        k->n_busy = 1;
        assert_int_equal(luo_probe_support(&k->ops), LUO_SUPPORTED);
        assert_int_equal(slept, 0);
        k->error = -EIO;
        assert_int_equal(luo_probe_support(&k->ops), LUO_IMPAIRED);
        k->error = -EMFILE; /* no word about the kernel */
        assert_int_equal(luo_probe_support(&k->ops), -EMFILE);
        k->error = -ENOENT; /* what it is then depends on the kernel that runs this test */
        support = luo_probe_support(&k->ops);
        assert_true(support == LUO_NOT_CONFIGURED || support == LUO_DISABLED || support == LUO_NO_DEVICE);
}

static void test_every_kind_of_support_has_a_name_and_tells_what_to_do(void **state) {
        for (LuoSupport s = 0; s < _LUO_SUPPORT_MAX; s++) {
                assert_non_null(luo_support_to_string(s));
                assert_non_null(luo_support_message(s));
                for (LuoSupport t = 0; t < s; t++)
                        assert_string_not_equal(luo_support_to_string(s), luo_support_to_string(t));
        }
        assert_null(luo_support_to_string(_LUO_SUPPORT_MAX));
        assert_null(luo_support_to_string(_LUO_SUPPORT_INVALID));
        assert_null(luo_support_message(_LUO_SUPPORT_INVALID));
        assert_non_null(strstr(luo_support_message(LUO_DISABLED), "kho=on liveupdate=on"));
        assert_non_null(strstr(luo_support_message(LUO_NOT_CONFIGURED), "CONFIG_LIVEUPDATE=y"));
}

static void test_what_is_no_session_has_no_name(void **state) {
        const LuoOps *ops = luo_kernel_ops();
        _cleanup_(closep) int event = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
        char name[LUO_NAME_SIZE];

        assert_int_equal(ops->session_get_name(ops, event, name), -ENOTTY);
        assert_int_equal(ops->session_get_name(ops, null, name), -ENOTTY);
        assert_int_equal(ops->session_get_name(ops, 1999, name), -EBADF);
}

/* include/uapi/linux/liveupdate.h: what is declared here must be what the kernel has. */
static void test_abi_has_the_numbers_of_the_kernel(void **state) {
        assert_int_equal(LIVEUPDATE_IOCTL_CREATE_SESSION, 0xba00);
        assert_int_equal(LIVEUPDATE_IOCTL_RETRIEVE_SESSION, 0xba01);
        assert_int_equal(LIVEUPDATE_SESSION_PRESERVE_FD, 0xba40);
        assert_int_equal(LIVEUPDATE_SESSION_RETRIEVE_FD, 0xba41);
        assert_int_equal(LIVEUPDATE_SESSION_FINISH, 0xba42);
        assert_int_equal(LIVEUPDATE_SESSION_GET_NAME, 0xba43);
        assert_int_equal(offsetof(struct luo_abi_create_session, fd), 4);
        assert_int_equal(offsetof(struct luo_abi_create_session, name), 8);
        assert_int_equal(offsetof(struct luo_abi_session_preserve_fd, fd), 4);
        assert_int_equal(offsetof(struct luo_abi_session_preserve_fd, token), 8);
        assert_int_equal(offsetof(struct luo_abi_session_get_name, name), 8);
        assert_int_equal(sizeof(struct luo_abi_session_finish), 8);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_free_device_is_opened_at_once),
                cmocka_unit_test(test_busy_device_is_tried_again_with_growing_pauses),
                cmocka_unit_test(test_device_that_stays_busy_is_given_up_after_the_time_out),
                cmocka_unit_test(test_device_is_not_opened_while_pid1_is_at_work),
                cmocka_unit_test(test_other_errors_of_the_device_are_final),
                cmocka_unit_test(test_probe_of_a_token_asks_with_no_file_and_reads_the_error),
                cmocka_unit_test(test_support_is_told_from_the_device),
                cmocka_unit_test(test_every_kind_of_support_has_a_name_and_tells_what_to_do),
                cmocka_unit_test(test_what_is_no_session_has_no_name),
                cmocka_unit_test(test_abi_has_the_numbers_of_the_kernel),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
