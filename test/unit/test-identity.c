/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "identity.h"

static int open_anew(int fd, int flags) {
        char path[64];
        int anew;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        anew = open(path, flags | O_CLOEXEC);
        assert_true(anew >= 0);
        return anew;
}

static bool is_same(int a, int b) {
        _cleanup_(identity_done) Identity x = IDENTITY_NULL, y = IDENTITY_NULL;
        bool equal;

        assert_int_equal(identity_from_fd(a, &x), 0);
        assert_int_equal(identity_from_fd(b, &y), 0);
        equal = identity_equal(&x, &y);
        assert_int_equal(identity_equal(&y, &x), equal);
        if (identity_is_ordered(&x) && identity_is_ordered(&y)) {
                int order = identity_compare(&x, &y);

                assert_int_equal(order == 0, equal);
                assert_int_equal(order < 0, identity_compare(&y, &x) > 0);
        }
        return equal;
}

static void test_memfd_is_its_inode(void **state) {
        _cleanup_(closep) int fd = memfd_create("one", MFD_CLOEXEC), other = memfd_create("one", MFD_CLOEXEC);
        _cleanup_(closep) int copy = fd_dup(fd), anew = open_anew(fd, O_RDWR), reading = open_anew(fd, O_RDONLY);
        _cleanup_(identity_done) Identity identity = IDENTITY_NULL;

        assert_true(is_same(fd, copy));
        assert_true(is_same(fd, anew));
        assert_true(is_same(fd, reading));
        assert_false(is_same(fd, other));

        assert_int_equal(identity_from_fd(fd, &identity), 0);
        assert_int_equal(identity.type, IDENTITY_INODE);
        assert_int_equal(identity.fd, -EBADF); /* needs no fd to be told again */
}

static void test_nameless_tmpfs_file_is_its_inode(void **state) {
        _cleanup_(closep) int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), anew = -EBADF;

        if (fd < 0)
                skip();
        anew = open_anew(fd, O_RDWR);
        assert_true(is_same(fd, anew));
}

/* All eventfds have one inode; the file makes the difference. */
static void test_other_file_is_the_open_file(void **state) {
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC), copy = fd_dup(fd);
        _cleanup_(identity_done) Identity identity = IDENTITY_NULL;

        for (int i = 0; i < 2; i++) {
                identity_no_kcmp = i == 1;
                assert_true(is_same(fd, copy));
                assert_false(is_same(fd, other));
        }
        identity_no_kcmp = false;
        assert_int_equal(identity_from_fd(fd, &identity), 0);
        assert_int_equal(identity.type, IDENTITY_FILE);
        assert_true(identity.fd >= 3 && identity.fd != fd);
        assert_true(fcntl(identity.fd, F_GETFD) & FD_CLOEXEC);
}

static void test_open_file_goes_by_its_copy_when_the_original_is_closed(void **state) {
        _cleanup_(closep) int copy = -EBADF;
        _cleanup_(identity_done) Identity before = IDENTITY_NULL, after = IDENTITY_NULL;
        int fd = eventfd(0, EFD_CLOEXEC);

        copy = fd_dup(fd);
        assert_int_equal(identity_from_fd(fd, &before), 0);
        safe_close(fd);
        assert_int_equal(identity_from_fd(copy, &after), 0);
        assert_true(identity_equal(&before, &after));
}

static void test_files_of_different_kinds_differ(void **state) {
        _cleanup_(closep) int memfd = memfd_create("one", MFD_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);

        assert_false(is_same(memfd, event));
}

static void test_nothing_equals_nothing(void **state) {
        _cleanup_(identity_done) Identity none = IDENTITY_NULL, inode = identity_from_inode(0, 0);

        assert_false(identity_equal(&none, &none));
        assert_false(identity_equal(&none, &inode));
        assert_true(identity_equal(&inode, &inode));
}

static void test_order_is_total_and_tells_all_parts_of_an_identity(void **state) {
        Identity list[6] = { identity_from_inode(1, 1), identity_from_inode(1, 2), identity_from_inode(2, 1),
                             identity_from_inode(UINT64_MAX, UINT64_MAX) };

        assert_int_equal(identity_from_name("a", list + 4), 0);
        assert_int_equal(identity_from_name("ab", list + 5), 0);
        for (size_t i = 0; i < ARRAY_SIZE(list); i++)
                for (size_t j = 0; j < ARRAY_SIZE(list); j++) {
                        int order = identity_compare(list + i, list + j);

                        assert_int_equal(order < 0 ? -1 : order > 0, i < j ? -1 : i > j);
                        assert_int_equal(identity_equal(list + i, list + j), i == j);
                }
        for (size_t i = 0; i < ARRAY_SIZE(list); i++)
                identity_done(list + i);
}

static void test_driver_names_its_object_in_fdinfo(void **state) {
        static const char fdinfo[] = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t9\n"
                                     "vfio-device-syspath: /sys/devices/pci0000:e0/0000:e0:01.1/0000:e1:00.0\n";
        char name[OBJECT_NAME_MAX + 1] = "untouched";

        assert_true(identity_name_from_text("/dev/vfio/devices/vfio0", fdinfo, name));
        assert_string_equal(name, "vfio-device-syspath:/sys/devices/pci0000:e0/0000:e0:01.1/0000:e1:00.0");
        memset(name, 0, sizeof(name));
        assert_true(identity_name_from_text("anon_inode:[vfio-device]", fdinfo, name));
        assert_string_equal(name, "vfio-device-syspath:/sys/devices/pci0000:e0/0000:e0:01.1/0000:e1:00.0");

        /* Anybody may name a file like that key, or write it into his own. */
        assert_false(identity_name_from_text("/home/u/dev/vfio/devices/vfio0", fdinfo, name));
        assert_false(identity_name_from_text("anon_inode:[eventfd]", fdinfo, name));
}

static void test_fdinfo_that_is_not_as_it_should_be_names_nothing(void **state) {
        char name[OBJECT_NAME_MAX + 1], text[2 * OBJECT_NAME_MAX] = "vfio-device-syspath:";

        static const char *const bad[] = {
                "",
                "pos:\t0\n",
                "vfio-device-syspath:",
                "vfio-device-syspath: \t\npos:\t0\n",
                "x vfio-device-syspath: /sys\n",
                "vfio-device-syspath: /sys/\x01\n",
                "vfio-device-syspath: /sys/\xff\n",
        };
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(identity_name_from_text("anon_inode:[vfio-device]", bad[i], name));

        memset(text + strlen(text), 'x', OBJECT_NAME_MAX - strlen(text));
        assert_true(identity_name_from_text("anon_inode:[vfio-device]", text, name));
        assert_int_equal(strlen(name), OBJECT_NAME_MAX);
        text[OBJECT_NAME_MAX] = 'x';
        assert_false(identity_name_from_text("anon_inode:[vfio-device]", text, name));
}

static void test_what_is_no_fd_has_no_identity(void **state) {
        Identity identity = IDENTITY_NULL;

        assert_int_equal(identity_from_fd(-1, &identity), -EBADF);
        assert_int_equal(identity.type, IDENTITY_NONE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memfd_is_its_inode),
                cmocka_unit_test(test_nameless_tmpfs_file_is_its_inode),
                cmocka_unit_test(test_other_file_is_the_open_file),
                cmocka_unit_test(test_open_file_goes_by_its_copy_when_the_original_is_closed),
                cmocka_unit_test(test_files_of_different_kinds_differ),
                cmocka_unit_test(test_nothing_equals_nothing),
                cmocka_unit_test(test_order_is_total_and_tells_all_parts_of_an_identity),
                cmocka_unit_test(test_driver_names_its_object_in_fdinfo),
                cmocka_unit_test(test_fdinfo_that_is_not_as_it_should_be_names_nothing),
                cmocka_unit_test(test_what_is_no_fd_has_no_identity),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
