/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "macro.h"

/* There the limit of fds is valgrind's own affair. */
static bool is_valgrind(void) {
        const char *preload = getenv("LD_PRELOAD");

        return preload && strstr(preload, "vgpreload");
}

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 2048; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

typedef struct Fixture {
        int pair[2];
        unsigned n_before;
} Fixture;

static int setup(void **state) {
        static Fixture f;

        f.n_before = count_fds();
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f.pair) < 0)
                return -1;
        *state = &f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        safe_close(f->pair[0]);
        safe_close(f->pair[1]);
        return count_fds() == f->n_before ? 0 : -1;
}

static bool same_file(int a, int b) {
        struct stat x, y;

        return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void test_closing_keeps_errno_and_takes_what_is_no_fd(void **state) {
        errno = EXDEV;
        assert_int_equal(safe_close(-EBADF), -EBADF);
        assert_int_equal(safe_close(1999), -EBADF);
        assert_int_equal(errno, EXDEV);
}

static void test_copies_are_close_on_exec_and_not_standard_streams(void **state) {
        _cleanup_(closep) int fd = fd_dup(0);

        assert_true(fd >= 3);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fd_dup(1999), -EBADF);
}

static void test_fds_and_data_arrive_together(void **state) {
        Fixture *f = *state;
        int sent[FD_TRANSFER_MAX], got[FD_TRANSFER_MAX];
        char data[8] = "seven 7", back[8];
        size_t n;

        for (size_t i = 0; i < FD_TRANSFER_MAX; i++)
                sent[i] = i % 2 ? f->pair[0] : f->pair[1];
        for (unsigned pass = 0; pass < 3; pass++) {
                size_t n_sent = pass == 0 ? 0 : pass == 1 ? 1 : FD_TRANSFER_MAX;

                assert_int_equal(fd_send(f->pair[0], data, sizeof(data), sent, n_sent), 0);
                assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), got, ARRAY_SIZE(got), &n), 0);
                assert_memory_equal(data, back, sizeof(data));
                assert_int_equal(n, n_sent);
                for (size_t i = 0; i < n; i++) {
                        assert_true(same_file(got[i], sent[i]));
                        assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
                        safe_close(got[i]);
                }
        }
}

static void test_message_of_another_size_is_refused_and_its_fds_closed(void **state) {
        Fixture *f = *state;
        unsigned n_before = count_fds();
        char back[8];
        int got[4];
        size_t n;

        assert_int_equal(fd_send(f->pair[0], "short", 5, f->pair, 2), 0);
        assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), got, ARRAY_SIZE(got), &n), -EBADMSG);
        assert_int_equal(fd_send(f->pair[0], "much longer", 11, f->pair, 2), 0);
        assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), got, ARRAY_SIZE(got), &n), -EBADMSG);
        assert_int_equal(count_fds(), n_before);
}

static void test_more_fds_than_expected_are_refused_and_closed(void **state) {
        Fixture *f = *state;
        unsigned n_before = count_fds();
        char back[8];
        int got[1];
        size_t n;

        assert_int_equal(fd_send(f->pair[0], "12345678", 8, f->pair, 2), 0);
        assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), got, 1, &n), -EBADMSG);
        assert_int_equal(fd_send(f->pair[0], "12345678", 8, f->pair, 1), 0);
        assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), NULL, 0, &n), -EBADMSG);
        assert_int_equal(count_fds(), n_before);
}

static void test_end_of_stream_is_told_from_an_empty_socket(void **state) {
        Fixture *f = *state;
        char back[8];
        size_t n;

        assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), NULL, 0, &n), -EAGAIN);
        f->pair[0] = safe_close(f->pair[0]);
        assert_int_equal(fd_receive(f->pair[1], back, sizeof(back), NULL, 0, &n), -ENODATA);
        assert_int_equal(fd_send(f->pair[1], "x", 1, NULL, 0), -EPIPE); /* and no SIGPIPE */
}

static void test_full_fd_table_is_told_and_leaks_nothing(void **state) {
        Fixture *f = *state;
        unsigned n_before = count_fds();
        struct rlimit before, few;
        int sent[16], got[16];
        char back[8];
        size_t n;
        int r;

        if (is_valgrind())
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
                sent[i] = f->pair[0];
        assert_int_equal(fd_send(f->pair[0], "12345678", 8, sent, ARRAY_SIZE(sent)), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        few = before;
        few.rlim_cur = (rlim_t) f->pair[1] + 8;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        r = fd_receive(f->pair[1], back, sizeof(back), got, ARRAY_SIZE(got), &n);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(r, -EMFILE);
        assert_int_equal(count_fds(), n_before);
}

/* In a child: all above 2 but the ones to keep, whatever their order. */
static int child_closes(const int *keep, size_t n_keep, const int *gone, size_t n_gone) {
        fd_close_all_but(keep, n_keep);
        for (size_t i = 0; i < n_keep; i++)
                if (keep[i] >= 0 && fcntl(keep[i], F_GETFD) < 0)
                        return 1;
        for (size_t i = 0; i < n_gone; i++)
                if (fcntl(gone[i], F_GETFD) >= 0)
                        return 2;
        for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        return 3;
        return 0;
}

static void test_child_closes_all_but_what_it_keeps(void **state) {
        int fds[8];

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = fcntl(0, F_DUPFD_CLOEXEC, (int) (i * i) + 20);
        for (unsigned pass = 0; pass < 4; pass++) {
                int keep[] = { fds[5], fds[1], 2, fds[5], fds[2], -EBADF };
                int gone[] = { fds[0], fds[3], fds[4], fds[6], fds[7] };
                int status;
                pid_t pid = fork();

                if (pid == 0)
                        _exit(pass == 0 ? child_closes(keep, ARRAY_SIZE(keep), gone, ARRAY_SIZE(gone))
                              : pass == 1 ? child_closes(NULL, 0, fds, ARRAY_SIZE(fds))
                              : pass == 2 ? child_closes(fds + 7, 1, fds, 7)
                                          : child_closes(fds, 8, NULL, 0));
                assert_true(pid > 0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                safe_close(fds[i]);
}

static void write_file(const char *path, const char *content, size_t n) {
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, n), n);
}

static void test_small_files_are_read_whole(void **state) {
        char path[] = "/tmp/luod-test-XXXXXX";
        char large[4100];
        static const char *const contents[] = { "", "\n", "one", "one\n", "one\n\n" };
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        safe_close(fd);
        for (unsigned i = 0; i < ARRAY_SIZE(contents); i++) {
                _cleanup_free_ char *text = NULL;
                size_t n = strlen(contents[i]);

                write_file(path, contents[i], n);
                assert_int_equal(read_small_file(path, &text), 0);
                assert_int_equal(strlen(text), n > 0 && contents[i][n - 1] == '\n' ? n - 1 : n);
                assert_memory_equal(text, contents[i], strlen(text));
        }

        memset(large, 'x', sizeof(large));
        for (size_t size = 4090; size < 4100; size++) {
                _cleanup_free_ char *text = NULL;

                write_file(path, large, size);
                assert_int_equal(read_small_file(path, &text), 0);
                assert_int_equal(strlen(text), size);
        }
        assert_int_equal(unlink(path), 0);
}

static void test_files_that_are_not_small_or_not_there_are_refused(void **state) {
        char *text = NULL;

        assert_int_equal(read_small_file("/dev/zero", &text), -E2BIG);
        assert_int_equal(read_small_file("/nowhere", &text), -ENOENT);
        assert_int_equal(read_small_file("/", &text), -EISDIR);
        assert_null(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_closing_keeps_errno_and_takes_what_is_no_fd),
                TEST(test_copies_are_close_on_exec_and_not_standard_streams),
                TEST(test_fds_and_data_arrive_together),
                TEST(test_message_of_another_size_is_refused_and_its_fds_closed),
                TEST(test_more_fds_than_expected_are_refused_and_closed),
                TEST(test_end_of_stream_is_told_from_an_empty_socket),
                TEST(test_full_fd_table_is_told_and_leaks_nothing),
                TEST(test_child_closes_all_but_what_it_keeps),
                TEST(test_small_files_are_read_whole),
                TEST(test_files_that_are_not_small_or_not_there_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
