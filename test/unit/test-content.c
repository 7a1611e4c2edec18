/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"
#include "fd-util.h"
#include "macro.h"

#define SIZE (1024U * 1024U + 123U)

typedef struct Fixture {
        char directory[64];
        char path[128]; /* a file in it that is not there yet */
        char *content;  /* SIZE bytes, most of them zero */
        int memfd;      /* with this content, at position 7 */
        size_t n_fds;
} Fixture;

static size_t count_entries(const char *directory) {
        DIR *d = opendir(directory);
        size_t n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n - 2;
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        f->n_fds = count_entries("/proc/self/fd");
        strcpy(f->directory, "/tmp/test-content-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        snprintf(f->path, sizeof(f->path), "%s/file", f->directory);

        f->content = calloc(1, SIZE);
        assert_non_null(f->content);
        memcpy(f->content, "begin", 5);
        memcpy(f->content + 500000, "middle", 6);
        f->content[SIZE - 1] = 'e';

        assert_int_equal(content_new_memfd(&f->memfd), 0);
        assert_int_equal(write(f->memfd, f->content, SIZE), SIZE);
        assert_int_equal(lseek(f->memfd, 7, SEEK_SET), 7);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        safe_close(f->memfd);
        (void) unlink(f->path);
        assert_int_equal(rmdir(f->directory), 0); /* nothing else was left behind */
        assert_int_equal(count_entries("/proc/self/fd"), f->n_fds);
        free(f->content);
        free(f);
        return 0;
}

static void assert_file_is(const char *path, const char *content, size_t size) {
        char *read_back = malloc(size + 1);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_non_null(read_back);
        assert_true(fd >= 0);
        assert_int_equal(read(fd, read_back, size + 1), (ssize_t) size);
        assert_memory_equal(read_back, content, size);
        safe_close(fd);
        free(read_back);
}

static void make_file(const char *path, const char *content) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_true(fputs(content, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void test_memfd_can_be_kept_and_is_private(void **state) {
        Fixture *f = *state;
        struct stat st;

        assert_int_equal(fstat(f->memfd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_nlink, 0);
        assert_int_equal(fcntl(f->memfd, F_GET_SEALS), 0); /* no F_SEAL_EXEC above all */
        assert_int_equal(fcntl(f->memfd, F_GETFD), FD_CLOEXEC);
}

static void test_fill_copies_all_and_rewinds(void **state) {
        int memfd, pipe_fds[2];
        bool reading;
        char buffer[16];

        assert_int_equal(content_new_memfd(&memfd), 0);
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        assert_int_equal(write(pipe_fds[1], "hello", 5), 5);
        safe_close(pipe_fds[1]);

        assert_int_equal(content_fill(memfd, pipe_fds[0], UINT64_MAX, &reading), 0);
        assert_int_equal(read(memfd, buffer, sizeof(buffer)), 5); /* from the start */
        assert_memory_equal(buffer, "hello", 5);

        safe_close(pipe_fds[0]);
        safe_close(memfd);
}

static void test_fill_stops_where_there_is_too_much(void **state) {
        int memfd, zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), pipe_fds[2];
        struct stat st;
        bool reading;

        assert_int_equal(content_new_memfd(&memfd), 0);
        assert_int_equal(content_fill(memfd, zero, 1 << 20, &reading), -EFBIG);
        assert_false(reading);
        assert_int_equal(fstat(memfd, &st), 0);
        assert_true(st.st_size <= 1 << 20);
        safe_close(memfd);

        assert_int_equal(content_new_memfd(&memfd), 0);
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        assert_int_equal(write(pipe_fds[1], "hello", 5), 5);
        safe_close(pipe_fds[1]);
        assert_int_equal(content_fill(memfd, pipe_fds[0], 5, &reading), 0); /* just as much */
        safe_close(pipe_fds[0]);
        safe_close(memfd);
        safe_close(zero);
}

static void test_fill_tells_reading_from_writing(void **state) {
        Fixture *f = *state;
        int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), memfd;
        bool reading = false;

        assert_int_equal(content_new_memfd(&memfd), 0);
        assert_int_equal(content_fill(memfd, directory, UINT64_MAX, &reading), -EISDIR);
        assert_true(reading);

        assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW), 0);
        assert_int_equal(content_fill(memfd, f->memfd, UINT64_MAX, &reading), -EPERM);
        assert_false(reading);

        safe_close(memfd);
        safe_close(directory);
}

static void test_save_makes_a_private_sparse_file(void **state) {
        Fixture *f = *state;
        struct stat st;

        assert_int_equal(content_save(f->memfd, f->path), 0);
        assert_file_is(f->path, f->content, SIZE);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_true((uint64_t) st.st_blocks * 512 < SIZE / 2);
}

static void test_save_leaves_the_position_alone(void **state) {
        Fixture *f = *state;

        assert_int_equal(content_save(f->memfd, f->path), 0);
        assert_int_equal(lseek(f->memfd, 0, SEEK_CUR), 7);
}

static void test_save_replaces_a_regular_file(void **state) {
        Fixture *f = *state;

        make_file(f->path, "old");
        assert_int_equal(content_save(f->memfd, f->path), 0);
        assert_file_is(f->path, f->content, SIZE);
}

static void test_save_takes_a_path_without_directory(void **state) {
        Fixture *f = *state;
        int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(chdir(f->directory), 0);
        assert_int_equal(content_save(f->memfd, "file"), 0);
        assert_int_equal(fchdir(cwd), 0);
        assert_file_is(f->path, f->content, SIZE);
        safe_close(cwd);
}

static void test_save_keeps_an_empty_file_empty(void **state) {
        Fixture *f = *state;

        assert_int_equal(ftruncate(f->memfd, 0), 0);
        assert_int_equal(content_save(f->memfd, f->path), 0);
        assert_file_is(f->path, "", 0);
}

static void test_save_does_not_replace_what_is_no_regular_file(void **state) {
        Fixture *f = *state;
        struct stat st;

        assert_int_equal(symlink("/dev/null", f->path), 0);
        assert_int_equal(content_save(f->memfd, f->path), -EEXIST);
        assert_int_equal(lstat(f->path, &st), 0);
        assert_true(S_ISLNK(st.st_mode));

        assert_int_equal(unlink(f->path), 0);
        assert_int_equal(mkfifo(f->path, 0600), 0);
        assert_int_equal(content_save(f->memfd, f->path), -EEXIST);

        assert_int_equal(content_save(f->memfd, f->directory), -EISDIR);
        assert_int_equal(content_save(f->memfd, "/"), -EISDIR);
        assert_int_equal(content_save(f->memfd, "."), -EISDIR);
        assert_int_equal(content_save(f->memfd, ""), -EISDIR);
        assert_int_equal(content_save(f->memfd, "/nonexistent/file"), -ENOENT);
}

static void test_failed_save_leaves_the_old_file(void **state) {
        Fixture *f = *state;
        int pipe_fds[2];

        make_file(f->path, "old");

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        assert_int_equal(content_save(pipe_fds[0], f->path), -ENOTSUP);
        safe_close(pipe_fds[0]);
        safe_close(pipe_fds[1]);

        assert_file_is(f->path, "old", 3);
        assert_int_equal(count_entries(f->directory), 1);
}

static void test_write_only_file_can_not_be_copied(void **state) {
        Fixture *f = *state;
        char proc[64];
        int fd;

        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->memfd);
        fd = open(proc, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(content_save(fd, f->path), -EBADFD);
        assert_int_equal(access(f->path, F_OK), -1);
        safe_close(fd);
}

static void test_write_gives_all_of_it_to_a_pipe(void **state) {
        Fixture *f = *state;
        char buffer[16] = {};
        int pipe_fds[2];

        assert_int_equal(ftruncate(f->memfd, 5), 0);
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        assert_int_equal(content_write(f->memfd, pipe_fds[1]), 0);
        assert_int_equal(read(pipe_fds[0], buffer, sizeof(buffer)), 5);
        assert_string_equal(buffer, "begin");
        safe_close(pipe_fds[0]);
        safe_close(pipe_fds[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_memfd_can_be_kept_and_is_private),
                TEST(test_fill_copies_all_and_rewinds),
                TEST(test_fill_stops_where_there_is_too_much),
                TEST(test_fill_tells_reading_from_writing),
                TEST(test_save_makes_a_private_sparse_file),
                TEST(test_save_leaves_the_position_alone),
                TEST(test_save_replaces_a_regular_file),
                TEST(test_save_takes_a_path_without_directory),
                TEST(test_save_keeps_an_empty_file_empty),
                TEST(test_save_does_not_replace_what_is_no_regular_file),
                TEST(test_failed_save_leaves_the_old_file),
                TEST(test_write_only_file_can_not_be_copied),
                TEST(test_write_gives_all_of_it_to_a_pipe),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
