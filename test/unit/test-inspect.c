/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "inspect.h"
#include "macro.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

#define SOMEBODY 4242U

static int make_memfd(void) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "hello", 5), 5);
        return fd;
}

static int reopen(int fd, int flags) {
        char path[64];
        int anew;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        anew = open(path, flags | O_CLOEXEC);
        assert_true(anew >= 0);
        return anew;
}

static void assert_refused(int fd, uid_t uid, FailureKind kind, const char *hint) {
        FileRecord record = { .token = 7, .size = 99 }, before = record;
        Failure failure = FAILURE_INIT;

        assert_int_equal(file_inspect(fd, uid, /* accept_write_seal= */ false, MEMORY_RESERVE, &record, &failure), -ECANCELED);
        assert_int_equal(failure.kind, kind);
        assert_non_null(strstr(failure.message, hint));
        assert_memory_equal(&record, &before, sizeof(record));
}

static void assert_taken(int fd, uid_t uid, FileRecord *record) {
        Failure failure = FAILURE_INIT;

        if (file_inspect(fd, uid, /* accept_write_seal= */ false, MEMORY_RESERVE, record, &failure) < 0)
                fail_msg("%s", failure.message);
}

static void test_memfd_is_described(void **state) {
        _cleanup_(closep) int fd = make_memfd(), reader = -EBADF, writer = -EBADF;
        FileRecord record = { .token = 7, .ktoken = 8, .label = "label" };
        struct stat st;

        assert_int_equal(fchmod(fd, 01640), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_taken(fd, st.st_uid, &record);
        assert_int_equal(record.kind, FILE_KIND_MEMFD);
        assert_int_equal(record.size, 5);
        assert_int_equal(record.uid, st.st_uid);
        assert_int_equal(record.gid, st.st_gid);
        assert_int_equal(record.mode, 01640);
        assert_int_equal(record.access, O_RDWR);
        assert_int_equal(record.seals, F_SEAL_GROW);
        assert_true(record.dev == st.st_dev && record.ino == st.st_ino);
        /* The rest is the caller's. */
        assert_int_equal(record.token, 7);
        assert_int_equal(record.ktoken, 8);
        assert_string_equal(record.label, "label");

        reader = reopen(fd, O_RDONLY);
        writer = reopen(fd, O_WRONLY | O_APPEND | O_NONBLOCK);
        assert_taken(reader, st.st_uid, &record);
        assert_int_equal(record.access, O_RDONLY);
        assert_true(record.ino == st.st_ino); /* one object, whatever fd it comes by */
        assert_taken(writer, st.st_uid, &record);
        assert_int_equal(record.access, O_WRONLY);
}

static void test_nameless_tmpfs_file_is_like_a_memfd(void **state) {
        _cleanup_(closep) int nameless = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), named = -EBADF;
        char path[] = "/dev/shm/luod-test-XXXXXX";
        FileRecord record = {};

        named = mkstemp(path);
        if (nameless < 0 || named < 0)
                skip();
        assert_taken(nameless, 0, &record);
        assert_int_equal(record.kind, FILE_KIND_MEMFD);
        assert_refused(named, 0, FAILURE_UNSUPPORTED_FILE, "nlink");
        assert_int_equal(unlink(path), 0);
        assert_taken(named, 0, &record);
}

static void test_other_kinds_are_the_kernels_to_judge(void **state) {
        _cleanup_(closep) int event = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
        _cleanup_(closep) int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        FileRecord record = {};

        assert_taken(event, 0, &record);
        assert_int_equal(record.kind, FILE_KIND_OTHER);
        assert_taken(null, 0, &record);
        assert_int_equal(record.kind, FILE_KIND_OTHER);
        assert_taken(socket_fd, 0, &record);
        assert_int_equal(record.kind, FILE_KIND_OTHER);
        assert_int_equal(record.seals, 0);
}

static void test_fds_without_access_are_refused(void **state) {
        _cleanup_(closep) int fd = make_memfd(), path_only = reopen(fd, O_PATH), neither = reopen(fd, O_ACCMODE);

        assert_refused(path_only, 0, FAILURE_UNSUPPORTED_FILE, "O_PATH");
        assert_refused(neither, 0, FAILURE_UNSUPPORTED_FILE, "neither");
        assert_refused(1999, 0, FAILURE_INTERNAL, "");
}

static void test_reader_freezes_only_what_is_his_or_nobodys(void **state) {
        _cleanup_(closep) int fd = make_memfd(), reader = reopen(fd, O_RDONLY), writer = reopen(fd, O_WRONLY);
        FileRecord record = {};
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        assert_refused(reader, SOMEBODY, FAILURE_UNSUPPORTED_FILE, "read-only");
        assert_taken(reader, st.st_uid, &record);
        assert_taken(reader, 0, &record);
        assert_taken(writer, SOMEBODY, &record);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
        assert_refused(reader, SOMEBODY, FAILURE_UNSUPPORTED_FILE, "read-only");
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
        assert_taken(reader, SOMEBODY, &record);
}

static void test_noexec_seal_is_refused_unless_accepted(void **state) {
        _cleanup_(closep) int fd = make_memfd();
        FileRecord record = {};
        Failure failure;

        assert_int_equal(fchmod(fd, 0600), 0);
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC) < 0)
                skip();
        assert_refused(fd, 0, FAILURE_UNSUPPORTED_FILE, "accept-write-seal");
        assert_int_equal(file_inspect(fd, 0, /* accept_write_seal= */ true, MEMORY_RESERVE, &record, &failure), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* it comes back no worse */
        assert_taken(fd, 0, &record);
}

static void test_holes_beyond_the_memory_are_refused(void **state) {
        _cleanup_(closep) int fd = make_memfd();
        FileRecord record = {};

        assert_int_equal((memory_has_room(file_holes(fd), MEMORY_RESERVE) ? 0 : -ENOMEM), 0);
        assert_int_equal(ftruncate(fd, 1 << 20), 0);
        assert_taken(fd, 0, &record);
        assert_int_equal(record.size, 1 << 20);
        assert_int_equal(ftruncate(fd, 1LL << 52), 0);
        assert_refused(fd, 0, FAILURE_OUT_OF_MEMORY, "MiB");
        assert_int_equal((memory_has_room(file_holes(fd), MEMORY_RESERVE) ? 0 : -ENOMEM), -ENOMEM);
}

/* --- giving back: the kernel has made a file of root's with mode 0777 that can be read and written */

static int as_the_kernel_makes_it(void) {
        int fd = make_memfd();

        assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
        return fd;
}

static void test_what_the_kernel_does_not_keep_is_put_right(void **state) {
        static const int accesses[] = { O_RDWR, O_RDONLY, O_WRONLY };

        if (geteuid() != 0)
                skip();
        for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
                FileRecord record = {
                        .kind = FILE_KIND_MEMFD, .uid = 1000, .gid = 1001, .mode = 02400, .access = accesses[i],
                        .seals = F_SEAL_GROW | F_SEAL_WRITE,
                };
                _cleanup_(closep) int fd = as_the_kernel_makes_it();
                struct stat st;

                assert_int_equal(file_restore(&fd, &record, /* fresh= */ true), 0);
                assert_int_equal(fstat(fd, &st), 0);
                assert_int_equal(st.st_uid, 1000);
                assert_int_equal(st.st_gid, 1001);
                assert_int_equal(st.st_mode & 07777, 02400);
                assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, accesses[i]);
                assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_WRITE);
                assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
                assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
        }
}

static void test_second_time_owner_and_mode_are_left_alone(void **state) {
        FileRecord record = { .kind = FILE_KIND_MEMFD, .uid = 1000, .mode = 0400, .access = O_RDONLY, .seals = F_SEAL_GROW };
        _cleanup_(closep) int fd = as_the_kernel_makes_it();
        struct stat before, after;

        assert_int_equal(fstat(fd, &before), 0);
        assert_int_equal(file_restore(&fd, &record, /* fresh= */ false), 0);
        assert_int_equal(fstat(fd, &after), 0);
        assert_int_equal(after.st_uid, before.st_uid);
        assert_int_equal(after.st_mode, before.st_mode);
        assert_int_equal(fcntl(fd, F_GET_SEALS), 0);
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY); /* but nobody gets more than he had */
}

static void test_seals_that_came_back_already_are_no_obstacle(void **state) {
        FileRecord record = {
                .kind = FILE_KIND_MEMFD,
                .uid = geteuid(),
                .gid = getegid(),
                .mode = 0600,
                .access = O_RDWR,
                .seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL,
        };
        _cleanup_(closep) int fd = as_the_kernel_makes_it();

        assert_int_equal(fcntl(fd, F_ADD_SEALS, (int) record.seals), 0);
        assert_int_equal(file_restore(&fd, &record, /* fresh= */ true), 0);
        assert_int_equal(fcntl(fd, F_GET_SEALS), record.seals);
}

static void test_files_of_other_kinds_are_handed_on_as_they_are(void **state) {
        FileRecord record = { .kind = FILE_KIND_OTHER, .uid = 1000, .mode = 0600, .access = O_RDONLY };
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC);
        int before = fd;

        assert_int_equal(file_restore(&fd, &record, /* fresh= */ true), 0);
        assert_int_equal(fd, before);
}

static void test_failed_restoring_leaves_no_fd(void **state) {
        FileRecord record = { .kind = FILE_KIND_MEMFD, .uid = geteuid(), .gid = getegid(), .mode = 0600, .access = O_RDWR };
        _cleanup_(closep) int fd = as_the_kernel_makes_it();
        int number = fd;

        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
        record.seals = F_SEAL_SEAL | F_SEAL_GROW; /* can't be added any more */
        assert_int_equal(file_restore(&fd, &record, /* fresh= */ true), -EPERM);
        assert_int_equal(fd, -EBADF);
        assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void test_refusals_of_the_kernel_are_explained(void **state) {
        static const struct {
                int error;
                FailureKind kind;
        } cases[] = {
                { -ENOENT, FAILURE_UNSUPPORTED_FILE }, { -EOPNOTSUPP, FAILURE_UNSUPPORTED_FILE },
                { -EBUSY, FAILURE_ALREADY_PRESERVED }, { -ENOMEM, FAILURE_OUT_OF_MEMORY },
                { -EOWNERDEAD, FAILURE_OUT_OF_MEMORY }, { -EMFILE, FAILURE_QUOTA_EXCEEDED },
                { -EIO, FAILURE_INTERNAL },             { -EXDEV, FAILURE_INTERNAL },
        };
        FileRecord record = { .token = 18446744073709551615ULL };

        for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
                Failure failure = FAILURE_INIT;

                assert_int_equal(preserve_failure(cases[i].error, &record, &failure), -ECANCELED);
                assert_int_equal(failure.kind, cases[i].kind);
                assert_true(strlen(failure.message) > 20);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memfd_is_described),
                cmocka_unit_test(test_nameless_tmpfs_file_is_like_a_memfd),
                cmocka_unit_test(test_other_kinds_are_the_kernels_to_judge),
                cmocka_unit_test(test_fds_without_access_are_refused),
                cmocka_unit_test(test_reader_freezes_only_what_is_his_or_nobodys),
                cmocka_unit_test(test_noexec_seal_is_refused_unless_accepted),
                cmocka_unit_test(test_holes_beyond_the_memory_are_refused),
                cmocka_unit_test(test_what_the_kernel_does_not_keep_is_put_right),
                cmocka_unit_test(test_second_time_owner_and_mode_are_left_alone),
                cmocka_unit_test(test_seals_that_came_back_already_are_no_obstacle),
                cmocka_unit_test(test_files_of_other_kinds_are_handed_on_as_they_are),
                cmocka_unit_test(test_failed_restoring_leaves_no_fd),
                cmocka_unit_test(test_refusals_of_the_kernel_are_explained),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
