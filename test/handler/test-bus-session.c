/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* --- Preserve */

static void test_preserve_keeps_the_file_and_lists_it(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        _cleanup_free_ char *files = NULL;

        assert_int_equal(fchmod(fd, 0640), 0);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        assert_true(fake_kernel_keeps(&w->kernel, fd));
        files = get_files(w, ROOT, "vm1");
        assert_string_equal(files, "7 label memfd 5 640 rw kept\n");
        world_check(w);
}

static void test_memfd_comes_back_after_the_update(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        assert_int_equal(pwrite(fd, "HELLO", 5, 0), 5); /* as late as can be */
        world_check(w);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", 7, &back));
        assert_content(back, "HELLO");
        world_check(w);
        assert_success(w, finish(w, ROOT, "vm1"));
        assert_null(find_session(w, "vm1"));
        assert_int_equal(fake_kernel_count_sessions(&w->kernel, /* incoming= */ true), 0);
        world_check(w);
}

static void test_first_and_last_token_are_tokens_like_others(void **state) {
        World *w = *state;
        _cleanup_(closep) int first = make_memfd("first"), last = make_memfd("last");
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 0, first));
        assert_success(w, preserve(w, ROOT, "vm1", UINT64_MAX, last));
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", UINT64_MAX, &back));
        assert_content(back, "last");
        assert_success(w, retrieve(w, ROOT, "vm1", 0, &back));
        assert_content(back, "first");
}

static void test_same_preserve_again_is_success(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), anew = -EBADF;
        char path[64];

        assert_success(w, create(w, ROOT, "vm1"));
        for (unsigned i = 0; i < 3; i++)
                assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        anew = open(path, O_RDONLY | O_CLOEXEC);
        assert_success(w, preserve(w, ROOT, "vm1", 7, anew));
        assert_int_equal(find_session(w, "vm1")->n_files, 1);
        world_restart(w);
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_check(w);
}

static void test_token_in_use_is_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), other = make_memfd("other");
        uint64_t tokens[] = { 7 };

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        assert_refused(w, "TokenInUse", preserve(w, ROOT, "vm1", 7, other));
        assert_refused(w, "TokenInUse", preserve_many(w, ROOT, "vm1", tokens, &other, 1));
        world_check(w);
}

static void test_object_has_one_keeper(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), anew = -EBADF;
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        anew = open(path, O_RDWR | O_CLOEXEC);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, create(w, ROOT, "vm2"));
        assert_success(w, create(w, OTHER, "theirs"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));

        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm1", 8, anew));
        assert_non_null(strstr(w->error_message, "'vm1' under token 7"));
        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm2", 7, anew));
        assert_refused(w, "AlreadyPreserved", preserve_many(w, ROOT, "vm2", (uint64_t[]) { 1 }, &anew, 1));
        /* Who may not know is not told. */
        assert_int_equal(fchown(fd, OTHER_UID, OTHER_UID), 0);
        assert_refused(w, "AlreadyPreserved", preserve(w, OTHER, "theirs", 7, anew));
        assert_null(strstr(w->error_message, "vm1"));
        world_check(w);
}

static void test_object_that_others_keep_is_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int session = fake_session_create(&w->kernel, "pid1's"), fd = make_memfd("hello");

        assert_int_equal(fake_preserve(&w->kernel, session, 1, fd), 0);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm1", 7, fd));
        assert_refused(w, "AlreadyPreserved", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 7 }, &fd, 1));
        world_check(w);
}

static void test_what_the_kernel_cannot_keep_is_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int named = open("/dev/shm/luod-test-named", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        _cleanup_(closep) int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
        _cleanup_(closep) int memfd = make_memfd("hello"), path_only = -EBADF, neither = -EBADF, null = -EBADF;
        int pair[2];
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
        path_only = open(path, O_PATH | O_CLOEXEC);
        neither = open(path, O_ACCMODE | O_CLOEXEC); /* for ioctls alone: neither reading nor writing */
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_true(named >= 0 && path_only >= 0 && neither >= 0 && null >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, named));
        assert_non_null(strstr(w->error_message, "nlink it"));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, dir));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, event));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, pair[0]));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, null));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, path_only));
        assert_non_null(strstr(w->error_message, "O_PATH"));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, neither));
        assert_refused(w, "UnsupportedFile", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 2 },
                                                           (int[]) { memfd, event }, 2));
        /* A name that is gone is none. */
        assert_int_equal(unlink("/dev/shm/luod-test-named"), 0);
        assert_success(w, preserve(w, ROOT, "vm1", 7, named));
        world_check(w);
        safe_close(pair[0]);
        safe_close(pair[1]);
}

static void test_read_only_file_of_others_is_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int theirs = make_memfd("hello"), mine = make_memfd("mine"), r1 = -EBADF, r2 = -EBADF;
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", theirs);
        r1 = open(path, O_RDONLY | O_CLOEXEC);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", mine);
        r2 = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(fchown(mine, OTHER_UID, OTHER_UID), 0);

        assert_success(w, create(w, OTHER, "vm1"));
        assert_refused(w, "UnsupportedFile", preserve(w, OTHER, "vm1", 7, r1));
        assert_success(w, preserve(w, OTHER, "vm1", 8, r2));
        assert_int_equal(fcntl(theirs, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
        assert_success(w, preserve(w, OTHER, "vm1", 7, r1));
}

static void test_memfd_that_would_come_back_sealed_is_refused_unless_accepted(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        sd_bus_message *m;
        int back;

        assert_int_equal(fchmod(fd, 0600), 0);
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC) < 0)
                skip(); /* before 6.3 */
        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "UnsupportedFile", preserve(w, ROOT, "vm1", 7, fd));
        assert_non_null(strstr(w->error_message, "MFD_EXEC"));

        m = session_message(w, ROOT, "vm1", "PreserveMany");
        assert_true(sd_bus_message_append(m, "a(tsh)a{sv}", 1, (uint64_t) 7, "", fd, 1, "accept-write-seal", "b", 1) >= 0);
        assert_success(w, world_send(w, ROOT, m, NULL));
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", 7, &back));
        assert_true(fcntl(back, F_GET_SEALS) & F_SEAL_WRITE);
        assert_content(back, "hello");
}

static void test_holes_that_would_fill_the_memory_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");

        assert_int_equal(ftruncate(fd, 1LL << 50), 0);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "OutOfMemory", preserve(w, ROOT, "vm1", 7, fd));
        assert_non_null(strstr(w->error_message, "MiB"));
}

static void test_refusals_of_the_kernel_have_names(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");

        assert_success(w, create(w, ROOT, "vm1"));
        w->kernel.preserve_error = -ENOMEM;
        assert_refused(w, "OutOfMemory", preserve(w, ROOT, "vm1", 7, fd));
        w->kernel.preserve_error = -EIO;
        assert_refused(w, SD_BUS_ERROR_FAILED, preserve(w, ROOT, "vm1", 7, fd));
        w->kernel.preserve_error = 0;
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_check(w);
}

static int preserve_labelled(World *w, const char *session, uint64_t token, const char *label, int fd) {
        sd_bus_message *m = session_message(w, ROOT, session, "Preserve");

        assert_true(sd_bus_message_append(m, "tsh", token, label, fd) >= 0);
        return world_send(w, ROOT, m, NULL);
}

static void test_bad_labels_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        char label[LABEL_LENGTH_MAX + 2] = {};

        assert_success(w, create(w, ROOT, "vm1"));
        memset(label, 'x', LABEL_LENGTH_MAX + 1);
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, preserve_labelled(w, "vm1", 7, label, fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, preserve_labelled(w, "vm1", 7, "a\nb", fd));
        label[LABEL_LENGTH_MAX] = '\0';
        assert_success(w, preserve_labelled(w, "vm1", 7, label, fd));
        assert_string_equal(find_file(w, "vm1", 7)->record.label, label);
        world_check(w);
}

static void test_unknown_session_is_refused_by_all(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        int back;

        assert_refused(w, "NoSuchSession", preserve(w, ROOT, "vm1", 7, fd));
        assert_refused(w, "NoSuchSession", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 7 }, &fd, 1));
        assert_refused(w, "NoSuchSession", retrieve(w, ROOT, "vm1", 7, &back));
        assert_refused(w, "NoSuchSession", set_metadata(w, ROOT, "vm1", "k", "v"));
        assert_refused(w, "NoSuchSession", finish(w, ROOT, "vm1"));
        assert_refused(w, "NoSuchSession", discard(w, ROOT, "vm1"));
}

static void test_others_can_do_nothing_with_a_session(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        _cleanup_free_ char *path = session_path("vm1");
        sd_bus_message *reply = NULL, *m;
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_int_equal(fchown(fd, OTHER_UID, OTHER_UID), 0);
        for (unsigned i = 0; i < 2; i++) { /* outgoing, incoming */
                assert_refused(w, "NotOwner", preserve(w, OTHER, "vm1", 7, fd));
                assert_refused(w, "NotOwner", preserve_many(w, OTHER, "vm1", (uint64_t[]) { 7 }, &fd, 1));
                assert_refused(w, "NotOwner", retrieve(w, OTHER, "vm1", 7, &back));
                m = session_message(w, OTHER, "vm1", "RetrieveMany");
                assert_true(sd_bus_message_append(m, "at", 1, (uint64_t) 7) >= 0);
                assert_refused(w, "NotOwner", world_send(w, OTHER, m, NULL));
                assert_refused(w, "NotOwner", set_metadata(w, OTHER, "vm1", "k", "v"));
                assert_refused(w, "NotOwner", finish(w, OTHER, "vm1"));
                assert_refused(w, "NotOwner", discard(w, OTHER, "vm1"));
                assert_refused(w, "NotOwner",
                               get_property(w, OTHER, path, LUOD_INTERFACE_SESSION, "Files", "a(tsstuss)", &reply));
                assert_refused(w, "NotOwner", get_property(w, OTHER, path, LUOD_INTERFACE_SESSION, "Name", "s", &reply));
                assert_refused(w, "NotOwner", world_call(w, OTHER, path, "org.freedesktop.DBus.Properties", "GetAll",
                                                         &reply, "s", LUOD_INTERFACE_SESSION));
                if (i == 0)
                        world_update(w);
        }
}

static void test_root_can_do_all_with_a_session_of_others(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        _cleanup_free_ char *files = NULL;
        int back;

        assert_success(w, create(w, OTHER, "theirs"));
        assert_int_equal(find_session(w, "theirs")->record.uid, OTHER_UID);
        assert_success(w, preserve(w, ROOT, "theirs", 7, fd));
        assert_success(w, set_metadata(w, ROOT, "theirs", "k", "v"));
        world_update(w);
        assert_int_equal(find_session(w, "theirs")->record.uid, OTHER_UID);
        files = get_files(w, ROOT, "theirs");
        assert_string_equal(files, "7 label memfd 5 777 rw kept\n");
        assert_success(w, retrieve(w, OTHER, "theirs", 7, &back));
        assert_content(back, "hello");
        assert_success(w, retrieve(w, ROOT, "theirs", 7, &back));
        assert_content(back, "hello");
        assert_success(w, finish(w, ROOT, "theirs"));
}

static void test_wrong_types_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        _cleanup_free_ char *path = session_path("vm1");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "Preserve", NULL,
                                                                "ush", 7, "label", fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "Preserve", NULL,
                                                                "ts", (uint64_t) 7, "label"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "PreserveMany",
                                                                NULL, "a(tsh)", 1, (uint64_t) 7, "label", fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "Retrieve", NULL,
                                                                "s", "7"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "SetMetadata",
                                                                NULL, "a{ss}", 1, "k", "v"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "Finish", NULL,
                                                                "s", "now"));
        /* A string is not a fixed-size array, an fd is not a number. */
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "Preserve", NULL,
                                                                "tsu", (uint64_t) 7, "label", 3));
}

/* Whoever looks for a way is told that there is none, instead of "unknown method". */
static void test_single_file_can_not_be_given_back(void **state) {
        static const char *const members[] = { "Release", "Unpreserve" };
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        _cleanup_free_ char *path = session_path("vm1");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                assert_refused(w, SD_BUS_ERROR_NOT_SUPPORTED,
                               world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, members[i], NULL, "t", (uint64_t) 7));
                assert_non_null(strstr(w->error_message, "Discard()"));
        }
}

static int preserve_with_option(World *w, int fd, const char *option, const char *type, const void *value) {
        sd_bus_message *m = session_message(w, ROOT, "vm1", "PreserveMany");

        assert_true(sd_bus_message_append(m, "a(tsh)", 1, (uint64_t) 7, "", fd) >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(m, "s", option) >= 0);
        assert_true(sd_bus_message_open_container(m, 'v', type) >= 0);
        assert_true(sd_bus_message_append_basic(m, *type, value) >= 0);
        for (unsigned i = 0; i < 3; i++)
                assert_true(sd_bus_message_close_container(m) >= 0);
        return world_send(w, ROOT, m, NULL);
}

static void test_unknown_options_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        int yes = 1;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, preserve_with_option(w, fd, "later", "b", &yes));
        assert_non_null(strstr(w->error_message, "later"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, preserve_with_option(w, fd, "accept-write-seal", "s", "yes"));
        assert_success(w, preserve_with_option(w, fd, "accept-write-seal", "b", &yes));
}

static void test_ten_thousand_tokens_meet_the_quota_and_what_was_kept_stays(void **state) {
        World *w = *state;
        _cleanup_(closep) int extra = make_memfd("extra");
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        for (uint64_t token = 0; token < FILES_PER_SESSION_MAX; token++) {
                _cleanup_(closep) int fd = -EBADF;
                char text[32];

                (void) snprintf(text, sizeof(text), "file %llu", (unsigned long long) token);
                fd = make_memfd(text);
                assert_success(w, preserve(w, ROOT, "vm1", token, fd));
        }
        for (uint64_t token = FILES_PER_SESSION_MAX; token < 10000; token++)
                assert_true(preserve(w, ROOT, "vm1", token, extra) < 0);
        assert_refused(w, "QuotaExceeded", preserve(w, ROOT, "vm1", 10000, extra));
        assert_false(fake_kernel_keeps(&w->kernel, extra));
        assert_int_equal(find_session(w, "vm1")->n_files, FILES_PER_SESSION_MAX);
        world_check(w);

        world_update(w);
        assert_int_equal(find_session(w, "vm1")->n_files, FILES_PER_SESSION_MAX);
        assert_success(w, retrieve(w, ROOT, "vm1", 1023, &back));
        assert_content(back, "file 1023");
        assert_success(w, retrieve(w, ROOT, "vm1", 500, &back));
        assert_content(back, "file 500");
}

/* luod has a few fds at hand, from none to more than enough: the call is refused or done, but never half. */
static void test_fd_exhaustion_loses_nothing(void **state) {
        World *w = *state;
        _cleanup_(closep) int kept = make_memfd("kept"), fd = make_memfd("hello");
        int many[] = { make_memfd("a"), make_memfd("b") };
        uint64_t tokens[] = { 1, 2, 3 };
        unsigned n_refused[3] = {};

        assert_int_equal(op_create(w, "vm", 0), 0);
        assert_int_equal(op_preserve(w, "vm", 0, tokens, &kept, 1, /* many= */ false), 0);
        for (unsigned spare = 0; spare < 32; spare++) {
                unsigned n_before = world_count_fds(w);
                struct rlimit before;
                char name[16];

                (void) snprintf(name, sizeof(name), "vm-%u", spare / 2);
                before = limit_fds(spare / 2);
                n_refused[0] += op_preserve(w, "vm", 0, tokens + 1, &fd, 1, /* many= */ false) < 0;
                n_refused[1] += op_preserve(w, "vm", 0, tokens + 1, many, 2, /* many= */ true) < 0;
                n_refused[2] += find_session(w, name) ? 0 : op_create(w, name, 0) < 0;
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

                world_time_passes(w);
                world_check(w);
                assert_int_equal(file_state(w, "vm", 1), FILE_KEPT);
                assert_int_equal(world_count_fds(w), n_before);
        }
        assert_true(n_refused[0] > 0 && n_refused[1] > 0);
        assert_int_equal(file_state(w, "vm", 2), FILE_KEPT);
        world_restart(w);
        safe_close(many[0]);
        safe_close(many[1]);
}

/* --- PreserveMany */

static void test_preserve_many_keeps_all(void **state) {
        World *w = *state;
        uint64_t tokens[FDS_PER_CALL_MAX];
        int fds[FDS_PER_CALL_MAX], back;

        assert_success(w, create(w, ROOT, "vm1"));
        for (unsigned i = 0; i < FDS_PER_CALL_MAX; i++) {
                char text[32];

                (void) snprintf(text, sizeof(text), "file %u", i);
                tokens[i] = i * 3;
                fds[i] = make_memfd(text);
        }
        assert_success(w, preserve_many(w, ROOT, "vm1", tokens, fds, FDS_PER_CALL_MAX));
        world_check(w);
        for (unsigned i = 0; i < FDS_PER_CALL_MAX; i++)
                safe_close(fds[i]);
        world_restart(w);
        world_update(w);
        assert_int_equal(find_session(w, "vm1")->n_files, FDS_PER_CALL_MAX);
        assert_success(w, retrieve(w, ROOT, "vm1", 200 * 3, &back));
        assert_content(back, "file 200");
}

static void test_preserve_many_keeps_nothing_if_one_fails(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b"), c = make_memfd("c");
        uint64_t tokens[] = { 1, 2, 3 };
        int fds[] = { a, b, c };

        assert_success(w, create(w, ROOT, "vm1"));
        w->kernel.preserve_error = -ENOMEM;
        for (unsigned after = 0; after < 3; after++) {
                w->kernel.preserve_after = after;
                assert_refused(w, "OutOfMemory", preserve_many(w, ROOT, "vm1", tokens, fds, 3));
                assert_false(fake_kernel_keeps(&w->kernel, a));
                assert_false(fake_kernel_keeps(&w->kernel, b));
                world_check(w);
        }
        w->kernel.preserve_error = 0;
        assert_success(w, preserve_many(w, ROOT, "vm1", tokens, fds, 3));
        world_check(w);
}

static void test_preserve_many_again_keeps_what_is_missing(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b"), c = make_memfd("c");
        uint64_t tokens[] = { 1, 2, 3 };
        int fds[] = { a, b, c };

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 2, b));
        assert_success(w, preserve_many(w, ROOT, "vm1", tokens, fds, 3));
        assert_success(w, preserve_many(w, ROOT, "vm1", tokens, fds, 3));
        assert_success(w, preserve_many(w, ROOT, "vm1", tokens, fds, 0));
        assert_int_equal(find_session(w, "vm1")->n_files, 3);
        world_check(w);
}

static void test_preserve_many_refuses_the_same_twice_in_a_call(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "TokenInUse", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 1 }, (int[]) { a, b }, 2));
        assert_refused(w, "AlreadyPreserved", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 2 }, (int[]) { a, a }, 2));
}

static void test_preserve_many_refuses_more_than_a_message_takes(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        uint64_t tokens[FDS_PER_CALL_MAX + 1];
        int fds[FDS_PER_CALL_MAX + 1];

        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
                tokens[i] = i;
                fds[i] = fd; /* the same may stand for any number of entries */
        }
        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "AlreadyPreserved", preserve_many(w, ROOT, "vm1", tokens, fds, 20));
        assert_int_equal(op_preserve(w, "vm1", 0, tokens, fds, ARRAY_SIZE(fds), /* many= */ true), -ECANCELED);
        assert_int_equal(w->failure.kind, FAILURE_TOO_MANY_FILES);
}

/* --- Retrieve */

typedef struct Attributes {
        uid_t uid;
        mode_t mode;
        int access, seals;
        off_t position;
} Attributes;

static const Attributes attributes[] = {
        { 0, 0777, O_RDWR, 0, 0 },
        { 1000, 0600, O_RDWR, 0, 3 },
        { 1000, 04640, O_RDONLY, 0, 4 },
        { 0, 0400, O_WRONLY, F_SEAL_GROW, 1 },
        { 1000, 0, O_RDONLY, F_SEAL_SHRINK | F_SEAL_SEAL, 2 },
        { 1001, 0666, O_RDWR, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, 5 },
        { 1001, 0600, O_RDWR, F_SEAL_FUTURE_WRITE, 0 },
};

static void assert_attributes(int fd, const Attributes *a, bool first) {
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_uid, a->uid);
        assert_int_equal(st.st_gid, a->uid + 1);
        assert_int_equal(st.st_mode & 07777, a->mode);
        assert_int_equal(st.st_nlink, 0);
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, a->access);
        assert_int_equal(fcntl(fd, F_GET_SEALS), a->seals);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        if (first)
                assert_int_equal(lseek(fd, 0, SEEK_CUR), a->position);
}

static void test_retrieve_gives_back_what_was_given(void **state) {
        World *w = *state;

        assert_success(w, create(w, ROOT, "vm1"));
        for (unsigned i = 0; i < ARRAY_SIZE(attributes); i++) {
                const Attributes *a = attributes + i;
                _cleanup_(closep) int fd = make_memfd("hello"), anew = -EBADF;
                char path[64];

                assert_int_equal(fchown(fd, a->uid, a->uid + 1), 0);
                assert_int_equal(fchmod(fd, a->mode), 0);
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                anew = open(path, a->access | O_CLOEXEC);
                assert_true(anew >= 0);
                assert_int_equal(fcntl(fd, F_ADD_SEALS, a->seals), 0);
                assert_int_equal(lseek(anew, a->position, SEEK_SET), a->position);
                assert_success(w, preserve(w, ROOT, "vm1", i, anew));
        }

        world_update(w);
        for (unsigned pass = 0; pass < 3; pass++) {
                for (unsigned i = 0; i < ARRAY_SIZE(attributes); i++) {
                        int back;

                        assert_success(w, retrieve(w, ROOT, "vm1", i, &back));
                        assert_attributes(back, attributes + i, pass == 0);
                        safe_close(back);
                        assert_int_equal(file_state(w, "vm1", i), FILE_RETRIEVED);
                }
                if (pass == 1)
                        world_restart(w);
        }
        world_check(w);
}

static void test_retrieve_many_gives_back_sixteen_right(void **state) {
        World *w = *state;
        sd_bus_message *m, *reply = NULL;
        uint64_t tokens[17], token;
        int fd;

        assert_success(w, create(w, OTHER, "vm1"));
        for (unsigned i = 0; i < 17; i++) {
                _cleanup_(closep) int file = make_memfd("hello");

                tokens[i] = i;
                assert_int_equal(fchown(file, OTHER_UID, i), 0);
                assert_int_equal(fchmod(file, 0600 + i), 0);
                assert_success(w, preserve(w, OTHER, "vm1", i, file));
        }
        world_update(w);

        m = session_message(w, OTHER, "vm1", "RetrieveMany");
        assert_true(sd_bus_message_append_array(m, 't', tokens, sizeof(tokens)) >= 0);
        assert_refused(w, "TooManyFiles", world_send(w, OTHER, m, NULL));

        for (unsigned pass = 0; pass < 2; pass++) {
                m = session_message(w, OTHER, "vm1", "RetrieveMany");
                assert_true(sd_bus_message_append_array(m, 't', tokens + 1, 16 * sizeof(uint64_t)) >= 0);
                assert_success(w, world_send(w, OTHER, m, &reply));
                assert_true(sd_bus_message_enter_container(reply, 'a', "(th)") > 0);
                for (unsigned i = 1; i < 17; i++) {
                        struct stat st;

                        assert_true(sd_bus_message_read(reply, "(th)", &token, &fd) > 0);
                        assert_int_equal(token, i);
                        assert_int_equal(fstat(fd, &st), 0);
                        assert_int_equal(st.st_uid, OTHER_UID);
                        assert_int_equal(st.st_gid, i);
                        assert_int_equal(st.st_mode & 07777, 0600 + i);
                }
                sd_bus_message_unref(reply);
        }

        m = session_message(w, OTHER, "vm1", "RetrieveMany");
        assert_true(sd_bus_message_append(m, "at", 0) >= 0);
        assert_success(w, world_send(w, OTHER, m, NULL));
        m = session_message(w, OTHER, "vm1", "RetrieveMany");
        assert_true(sd_bus_message_append(m, "at", 2, (uint64_t) 1, (uint64_t) 99) >= 0);
        assert_refused(w, "NoSuchToken", world_send(w, OTHER, m, NULL));
}

static void test_seals_are_those_at_preserve(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", 7, &back));
        assert_int_equal(fcntl(back, F_GET_SEALS), 0);
        safe_close(back);
}

static void test_retrieve_of_an_unknown_token_is_refused(void **state) {
        World *w = *state;
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "WrongDirection", retrieve(w, ROOT, "vm1", 7, &back));
        world_update(w);
        assert_refused(w, "NoSuchToken", retrieve(w, ROOT, "vm1", 7, &back));
        /* Index pages are luod's. */
        assert_refused(w, "NoSuchToken", retrieve(w, ROOT, "vm1", 0, &back));
}

static void test_failed_retrieve_is_final_and_said_so(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), other = make_memfd("other");
        _cleanup_free_ char *files = NULL;
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        assert_success(w, preserve(w, ROOT, "vm1", 8, other));
        world_update(w);

        w->kernel.retrieve_error = -ENOMEM;
        assert_true(retrieve(w, ROOT, "vm1", 7, &back) < 0);
        assert_string_equal(w->error, LUOD_ERROR_RETRIEVE_FAILED);
        for (unsigned i = 0; i < 2; i++) {
                assert_refused(w, "RetrieveFailed", retrieve(w, ROOT, "vm1", 7, &back));
                world_restart(w);
        }
        files = get_files(w, ROOT, "vm1");
        assert_string_equal(files, "7 label memfd 5 777 rw failed\n8 label memfd 5 777 rw kept\n");
        assert_success(w, retrieve(w, ROOT, "vm1", 8, &back));
        assert_content(back, "other");
        assert_success(w, finish(w, ROOT, "vm1"));
}

static void test_retrieve_without_free_fds_can_be_repeated(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), anew = -EBADF;
        uint64_t token = 7;
        unsigned n_refused = 0;
        char path[64];
        int back;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        anew = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(op_create(w, "vm", 0), 0);
        assert_int_equal(op_preserve(w, "vm", 0, &token, &anew, 1, /* many= */ false), 0);
        world_update(w);
        for (unsigned spare = 0; spare < 10; spare++) {
                unsigned n_before = world_count_fds(w);
                struct rlimit before = limit_fds(spare);
                int r;

                r = op_retrieve(w, "vm", 0, 7, &back);
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
                if (r < 0)
                        assert_int_equal(w->failure.kind, FAILURE_QUOTA_EXCEEDED);
                n_refused += r < 0;
                safe_close(back);
                assert_int_equal(world_count_fds(w), n_before);
        }
        assert_true(n_refused > 1);
        assert_int_equal(op_retrieve(w, "vm", 0, 7, &back), 0);
        assert_content(back, "hello");
}

/* --- SetMetadata */

static void test_metadata_is_set_replaced_and_removed(void **state) {
        World *w = *state;
        _cleanup_free_ char *path = session_path("vm1");
        sd_bus_message *reply = NULL;
        const void *value;
        const char *key;
        size_t n;

        assert_success(w, create_with(w, ROOT, "vm1", "first", "1"));
        assert_success(w, set_metadata(w, ROOT, "vm1", "second", "2"));
        assert_success(w, set_metadata(w, ROOT, "vm1", "third", "3"));
        assert_success(w, set_metadata(w, ROOT, "vm1", "second", "two"));
        assert_success(w, set_metadata(w, ROOT, "vm1", "third", NULL));
        assert_success(w, set_metadata(w, ROOT, "vm1", "never there", NULL));
        world_restart(w);
        world_update(w);

        assert_success(w, get_property(w, ROOT, path, LUOD_INTERFACE_SESSION, "Metadata", "a{say}", &reply));
        assert_true(sd_bus_message_enter_container(reply, 'a', "{say}") > 0);
        assert_true(sd_bus_message_enter_container(reply, 'e', "say") > 0);
        assert_true(sd_bus_message_read(reply, "s", &key) > 0);
        assert_string_equal(key, "first");
        assert_true(sd_bus_message_read_array(reply, 'y', &value, &n) > 0);
        assert_int_equal(n, 1);
        assert_true(sd_bus_message_exit_container(reply) > 0);
        assert_true(sd_bus_message_enter_container(reply, 'e', "say") > 0);
        assert_true(sd_bus_message_read(reply, "s", &key) > 0);
        assert_string_equal(key, "second");
        assert_true(sd_bus_message_read_array(reply, 'y', &value, &n) > 0);
        assert_memory_equal(value, "two", 3);
        assert_true(sd_bus_message_exit_container(reply) > 0);
        assert_int_equal(sd_bus_message_at_end(reply, /* complete= */ false), 1);
        sd_bus_message_unref(reply);

        /* The incoming session takes some, too: notes of who is on it. */
        assert_success(w, set_metadata(w, ROOT, "vm1", "claimed", "yes"));
        world_check(w);
}

static void test_metadata_beyond_the_limits_is_refused(void **state) {
        World *w = *state;
        _cleanup_free_ char *large = malloc(METADATA_SIZE_MAX + 1);
        char key[METADATA_KEY_MAX + 2] = {};

        memset(key, 'k', METADATA_KEY_MAX + 1);
        memset(large, 'x', METADATA_SIZE_MAX);
        large[METADATA_SIZE_MAX] = '\0';
        assert_success(w, create_with(w, ROOT, "vm1", "first", "1"));
        assert_refused(w, "QuotaExceeded", set_metadata(w, ROOT, "vm1", "k", large));
        assert_refused(w, "QuotaExceeded", create_with(w, ROOT, "vm2", "k", large));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, set_metadata(w, ROOT, "vm1", key, "v"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, set_metadata(w, ROOT, "vm1", "", "v"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, set_metadata(w, ROOT, "vm1", "a\tb", "v"));
        key[METADATA_KEY_MAX] = '\0';
        assert_success(w, set_metadata(w, ROOT, "vm1", key, "v"));

        /* Exactly full is allowed, and so is to replace it. */
        large[METADATA_SIZE_MAX - strlen("first") - 1 - METADATA_KEY_MAX - 1 - 1] = '\0';
        assert_success(w, set_metadata(w, ROOT, "vm1", "k", large));
        assert_int_equal(find_session(w, "vm1")->metadata_size, METADATA_SIZE_MAX);
        assert_success(w, set_metadata(w, ROOT, "vm1", "k", large));
        assert_refused(w, "QuotaExceeded", set_metadata(w, ROOT, "vm1", "l", "v"));
        world_restart(w);
        world_update(w);
        assert_int_equal(find_session(w, "vm1")->metadata_size, METADATA_SIZE_MAX);
}

static sd_bus_message *metadata_message(World *w, const char *session, unsigned n, const char *value) {
        sd_bus_message *m = session_message(w, ROOT, session, "SetMetadata");

        assert_true(sd_bus_message_open_container(m, 'a', "{say}") >= 0);
        for (unsigned i = 0; i < n; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key-%u", i);
                assert_true(sd_bus_message_open_container(m, 'e', "say") >= 0);
                assert_true(sd_bus_message_append(m, "s", key) >= 0);
                assert_true(sd_bus_message_append_array(m, 'y', value, strlen(value)) >= 0);
                assert_true(sd_bus_message_close_container(m) >= 0);
        }
        assert_true(sd_bus_message_close_container(m) >= 0);
        return m;
}

static void test_too_many_metadata_keys_are_refused_at_once(void **state) {
        World *w = *state;
        uint64_t start;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "QuotaExceeded",
                       world_send(w, ROOT, metadata_message(w, "vm1", METADATA_KEYS_MAX + 1, "v"), NULL));
        assert_success(w, world_send(w, ROOT, metadata_message(w, "vm1", METADATA_KEYS_MAX, "v"), NULL));
        world_check(w);

        /* A message has room for many: it must not keep everybody waiting. */
        start = now_realtime();
        assert_refused(w, "QuotaExceeded", world_send(w, ROOT, metadata_message(w, "vm1", 60000, ""), NULL));
        assert_true(now_realtime() - start < 5 * 1000 * 1000);
}

static void test_metadata_key_twice_in_a_call_is_refused(void **state) {
        World *w = *state;
        sd_bus_message *m;

        assert_success(w, create(w, ROOT, "vm1"));
        m = session_message(w, ROOT, "vm1", "SetMetadata");
        assert_true(sd_bus_message_append(m, "a{say}", 2, "k", 1, 'a', "k", 1, 'b') >= 0);
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_send(w, ROOT, m, NULL));
}

static void test_metadata_of_all_sessions_has_a_limit(void **state) {
        World *w = *state;
        _cleanup_free_ char *large = malloc(METADATA_SIZE_MAX);
        unsigned n = METADATA_SIZE_TOTAL / (METADATA_SIZE_MAX + METADATA_KEY_COST);
        char name[16];

        memset(large, 'x', METADATA_SIZE_MAX - 1);
        large[METADATA_SIZE_MAX - 1] = '\0';
        for (unsigned i = 0; i < n; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                assert_success(w, create_with(w, ROOT, name, "k", large));
        }
        assert_refused(w, "QuotaExceeded", create_with(w, ROOT, "more", "k", large));
        /* Many times over: the log is compacted, and nothing is lost of it. */
        for (unsigned i = 0; i < 200; i++)
                assert_success(w, set_metadata(w, ROOT, "s0", "k", large));
        world_check(w);
        world_restart(w);
        world_update(w);
        assert_int_equal(w->manager->state.metadata_size, n * (METADATA_SIZE_MAX + METADATA_KEY_COST));
}

/* --- Finish and Discard */

static void test_discard_frees_the_files(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b");
        unsigned n_stored;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, a));
        assert_success(w, preserve_many(w, ROOT, "vm1", (uint64_t[]) { 2 }, &b, 1));
        n_stored = w->store.n_stored;
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_int_equal(w->store.n_stored, n_stored - 2);
        assert_false(fake_kernel_keeps(&w->kernel, a));
        assert_false(fake_kernel_keeps(&w->kernel, b));
        assert_null(find_session(w, "vm1"));
        assert_refused(w, "NoSuchSession", discard(w, ROOT, "vm1"));
        world_check(w);
        assert_success(w, create(w, OTHER, "vm1"));
        assert_success(w, create(w, ROOT, "vm2"));
        assert_success(w, preserve(w, ROOT, "vm2", 1, a));
        world_restart(w);
        assert_int_equal(find_session(w, "vm1")->record.uid, OTHER_UID);
}

static void test_finish_of_an_outgoing_session_is_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        assert_refused(w, "WrongDirection", finish(w, ROOT, "vm1"));
        assert_true(fake_kernel_keeps(&w->kernel, fd));
}

static void test_incoming_session_can_be_finished_or_discarded_but_not_filled(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, create(w, ROOT, "vm2"));
        world_update(w);
        assert_refused(w, "WrongDirection", preserve(w, ROOT, "vm1", 1, fd));
        assert_refused(w, "WrongDirection", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1 }, &fd, 1));
        assert_refused(w, "SessionExists", create(w, ROOT, "vm1"));
        assert_success(w, finish(w, ROOT, "vm1"));
        assert_success(w, discard(w, ROOT, "vm2"));
        assert_int_equal(w->manager->state.n_sessions, 0);
        assert_success(w, create(w, ROOT, "vm1"));
        world_check(w);
}

static void test_finish_that_the_kernel_refuses_changes_nothing(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_update(w);
        w->kernel.finish_error = -EBUSY;
        assert_refused(w, SD_BUS_ERROR_FAILED, finish(w, ROOT, "vm1"));
        w->kernel.finish_error = 0;
        assert_success(w, retrieve(w, ROOT, "vm1", 7, &back));
        assert_content(back, "hello");
        assert_success(w, finish(w, ROOT, "vm1"));
}

static void test_retrieved_file_can_be_kept_again_after_finish(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        int back, again;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", 7, &back));
        assert_success(w, create(w, ROOT, "vm1-next"));
        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm1-next", 7, back));
        assert_success(w, finish(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1-next", 7, back));
        safe_close(back);
        world_update(w);
        assert_int_equal(w->manager->state.head.generation, 2);
        assert_success(w, retrieve(w, ROOT, "vm1-next", 7, &again));
        assert_content(again, "hello");
}

/* --- peers that go away */

static void test_call_of_a_peer_that_is_gone_takes_effect_and_leaks_nothing(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        Call preserving = CALL_NULL, creating = CALL_NULL;
        sd_bus_message *m;

        assert_success(w, create(w, OTHER, "vm1"));
        m = session_message(w, OTHER, "vm1", "Preserve");
        assert_int_equal(fchown(fd, OTHER_UID, OTHER_UID), 0);
        assert_true(sd_bus_message_append(m, "tsh", (uint64_t) 7, "", fd) >= 0);
        call_send(w, OTHER, m, &preserving);
        sd_bus_message_unref(m);
        m = manager_message(w, OTHER, "CreateSession");
        assert_true(sd_bus_message_append(m, "sa{sv}", "vm2", 0) >= 0);
        call_send(w, OTHER, m, &creating);
        sd_bus_message_unref(m);
        assert_true(sd_bus_flush(w->clients[OTHER].client) >= 0);
        call_done(&preserving);
        call_done(&creating);
        sd_bus_close(w->clients[OTHER].client);

        world_settle(w);
        assert_int_equal(file_state(w, "vm1", 7), FILE_KEPT);
        world_check(w);
        /* Nobody was told of vm2, so it can be asked for again: by its owner alone. */
        world_restart(w);
        if (find_session(w, "vm2"))
                assert_refused(w, "SessionExists", create(w, ROOT, "vm2"));
        assert_success(w, create(w, OTHER, "vm2"));
        assert_refused(w, "SessionExists", create(w, OTHER, "vm2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_preserve_keeps_the_file_and_lists_it),
                TEST(test_memfd_comes_back_after_the_update),
                TEST(test_first_and_last_token_are_tokens_like_others),
                TEST(test_same_preserve_again_is_success),
                TEST(test_token_in_use_is_refused),
                TEST(test_object_has_one_keeper),
                TEST(test_object_that_others_keep_is_refused),
                TEST(test_what_the_kernel_cannot_keep_is_refused),
                TEST(test_read_only_file_of_others_is_refused),
                TEST(test_memfd_that_would_come_back_sealed_is_refused_unless_accepted),
                TEST(test_holes_that_would_fill_the_memory_are_refused),
                TEST(test_refusals_of_the_kernel_have_names),
                TEST(test_bad_labels_are_refused),
                TEST(test_unknown_session_is_refused_by_all),
                TEST(test_others_can_do_nothing_with_a_session),
                TEST(test_root_can_do_all_with_a_session_of_others),
                TEST(test_wrong_types_are_refused),
                TEST(test_single_file_can_not_be_given_back),
                TEST(test_unknown_options_are_refused),
                TEST(test_ten_thousand_tokens_meet_the_quota_and_what_was_kept_stays),
                TEST(test_fd_exhaustion_loses_nothing),
                TEST(test_preserve_many_keeps_all),
                TEST(test_preserve_many_keeps_nothing_if_one_fails),
                TEST(test_preserve_many_again_keeps_what_is_missing),
                TEST(test_preserve_many_refuses_the_same_twice_in_a_call),
                TEST(test_preserve_many_refuses_more_than_a_message_takes),
                TEST(test_retrieve_gives_back_what_was_given),
                TEST(test_retrieve_many_gives_back_sixteen_right),
                TEST(test_seals_are_those_at_preserve),
                TEST(test_retrieve_of_an_unknown_token_is_refused),
                TEST(test_failed_retrieve_is_final_and_said_so),
                TEST(test_retrieve_without_free_fds_can_be_repeated),
                TEST(test_metadata_is_set_replaced_and_removed),
                TEST(test_metadata_beyond_the_limits_is_refused),
                TEST(test_too_many_metadata_keys_are_refused_at_once),
                TEST(test_metadata_key_twice_in_a_call_is_refused),
                TEST(test_metadata_of_all_sessions_has_a_limit),
                TEST(test_discard_frees_the_files),
                TEST(test_finish_of_an_outgoing_session_is_refused),
                TEST(test_incoming_session_can_be_finished_or_discarded_but_not_filled),
                TEST(test_finish_that_the_kernel_refuses_changes_nothing),
                TEST(test_retrieved_file_can_be_kept_again_after_finish),
                TEST(test_call_of_a_peer_that_is_gone_takes_effect_and_leaks_nothing),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
