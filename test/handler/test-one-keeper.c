/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects.h"
#include "world.h"

/* One object, one keeper: on a kernel that checks, as 7.1 and newer do, and on one that does not, as 6.19. */

typedef enum KernelKind {
        KERNEL_CHECKS,
        KERNEL_DOES_NOT,
} KernelKind;

static World *world_on(KernelKind kind) {
        World *w = world_new();

        assert_non_null(w);
        w->kernel.keeps_eventfds = true;
        w->kernel.one_keeper_unchecked = w->kernel.direction_unchecked = kind == KERNEL_DOES_NOT;
        return w;
}

static int setup_checking(void **state) {
        *state = world_on(KERNEL_CHECKS);
        return world_start(*state);
}

static int setup_not_checking(void **state) {
        *state = world_on(KERNEL_DOES_NOT);
        return world_start(*state);
}

/* --- objects, and fds of them */

typedef enum ObjectKind {
        OBJECT_MEMFD,
        OBJECT_TMPFILE,  /* O_TMPFILE */
        OBJECT_UNLINKED, /* a tmpfs file whose name is gone */
        OBJECT_EVENTFD,  /* an anonymous inode: the open file is the object */
        _OBJECT_KIND_MAX,
} ObjectKind;

static int make_object(World *w, ObjectKind kind) {
        char path[64];
        int fd;

        switch (kind) {
        case OBJECT_MEMFD:
                return make_memfd("hello");
        case OBJECT_TMPFILE:
                fd = open(w->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
                break;
        case OBJECT_UNLINKED:
                (void) snprintf(path, sizeof(path), "%s/object", w->dir);
                fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
                assert_int_equal(unlink(path), 0);
                break;
        default:
                fd = eventfd(0, EFD_CLOEXEC);
        }
        assert_true(fd >= 0);
        if (kind != OBJECT_EVENTFD)
                assert_int_equal(write(fd, "hello", 5), 5);
        return fd;
}

typedef enum Way {
        WAY_DUP,
        WAY_REOPENED, /* through /proc */
        _WAY_MAX,
} Way;

/* -EBADF: this kind of object has no such way. */
static int another_fd(int fd, ObjectKind kind, Way way) {
        char path[64];
        int another;

        if (way == WAY_REOPENED && kind == OBJECT_EVENTFD)
                return -EBADF;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        another = way == WAY_REOPENED ? open(path, O_RDWR | O_CLOEXEC) : fd_dup(fd);
        assert_true(another >= 0);
        return another;
}

static int preserve_one_by_many(World *w, ClientId client, const char *session, uint64_t token, int fd) {
        return preserve_many(w, client, session, &token, &fd, 1);
}

static void make_sessions(World *w) {
        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, create(w, ROOT, "vm2"));
        assert_success(w, create(w, OTHER, "theirs"));
}

/* Everywhere but where it is kept already. */
static void assert_refused_everywhere(World *w, int fd) {
        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm1", 8, fd));
        assert_non_null(strstr(w->error_message, "'vm1' under token 7"));
        assert_refused(w, "AlreadyPreserved", preserve_one_by_many(w, ROOT, "vm1", 8, fd));
        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm2", 7, fd));
        assert_non_null(strstr(w->error_message, "'vm1' under token 7"));
        assert_refused(w, "AlreadyPreserved", preserve_one_by_many(w, ROOT, "vm2", 7, fd));
        assert_refused(w, "AlreadyPreserved", preserve(w, OTHER, "theirs", 7, fd));
        assert_null(strstr(w->error_message, "vm1"));
        assert_refused(w, "AlreadyPreserved", preserve_one_by_many(w, OTHER, "theirs", 7, fd));
        assert_null(strstr(w->error_message, "vm1"));
}

static void test_second_keeper_is_refused_by_every_way_everywhere(void **state) {
        World *w = *state;

        make_sessions(w);
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                _cleanup_(closep) int fd = make_object(w, kind);

                assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
                for (Way way = 0; way < _WAY_MAX; way++) {
                        _cleanup_(closep) int another = another_fd(fd, kind, way);

                        if (another < 0)
                                continue;
                        assert_refused_everywhere(w, fd);
                        assert_refused_everywhere(w, another);
                        assert_success(w, preserve(w, ROOT, "vm1", 7, another)); /* the same again */
                        assert_success(w, preserve_one_by_many(w, ROOT, "vm1", 7, another));
                        world_check(w);
                }
                assert_success(w, discard(w, ROOT, "vm1"));
                assert_success(w, preserve(w, OTHER, "theirs", 100 + kind, fd));
                assert_success(w, create(w, ROOT, "vm1"));
        }
        world_check(w);
}

static void test_two_objects_of_a_kind_are_two(void **state) {
        World *w = *state;

        make_sessions(w);
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                _cleanup_(closep) int a = make_object(w, kind), b = make_object(w, kind);

                assert_success(w, preserve(w, ROOT, "vm1", 2 * kind, a));
                assert_success(w, preserve(w, ROOT, "vm1", 2 * kind + 1, b));
        }
        world_check(w);
}

static void test_the_same_twice_in_a_call_is_refused(void **state) {
        World *w = *state;

        make_sessions(w);
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                _cleanup_(closep) int fd = make_object(w, kind), first = make_object(w, OBJECT_MEMFD);

                for (Way way = 0; way < _WAY_MAX; way++) {
                        _cleanup_(closep) int another = another_fd(fd, kind, way);

                        if (another >= 0)
                                assert_refused(w, "AlreadyPreserved",
                                               preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 2, 3 },
                                                             (int[]) { first, fd, another }, 3));
                }
                /* and none of it has left a trace */
                assert_success(w, preserve(w, OTHER, "theirs", kind, fd));
        }
        world_check(w);
}

/* Answers of "AlreadyPreserved", of two. */
static unsigned refused_of(Call calls[2]) {
        unsigned n = 0;

        for (unsigned i = 0; i < 2; i++) {
                World *w = calls[i].world;

                if (call_wait(calls + i, NULL) >= 0)
                        continue;
                assert_string_equal(w->error, LUOD_ERROR_PREFIX "AlreadyPreserved");
                n++;
        }
        return n;
}

static sd_bus_message *many_message(World *w, ClientId client, const char *session, uint64_t token, int fd) {
        sd_bus_message *m = session_message(w, client, session, "PreserveMany");

        assert_true(sd_bus_message_append(m, "a(tsh)a{sv}", 1, token, "", fd, 0) >= 0);
        return m;
}

static sd_bus_message *single_message(World *w, ClientId client, const char *session, uint64_t token, int fd) {
        sd_bus_message *m = session_message(w, client, session, "Preserve");

        assert_true(sd_bus_message_append(m, "tsh", token, "", fd) >= 0);
        return m;
}

static void send(World *w, ClientId client, sd_bus_message *m, Call *call) {
        call_send(w, client, m, call);
        sd_bus_message_unref(m);
}

/* Two clients at once, PreserveMany() waiting for the custodian while the other call comes, and the other way round. */
static void test_of_two_calls_at_once_one_is_refused(void **state) {
        World *w = *state;

        make_sessions(w);
        for (unsigned i = 0; i < 8; i++) {
                _cleanup_(closep) int fd = make_object(w, (i & 1) ? OBJECT_EVENTFD : OBJECT_MEMFD);
                Call calls[2] = { CALL_NULL, CALL_NULL };

                w->store.silent = i & 2;
                send(w, (i & 4) ? OTHER : ROOT, many_message(w, (i & 4) ? OTHER : ROOT, (i & 4) ? "theirs" : "vm1", i, fd),
                     calls);
                if (i & 2)
                        world_settle(w);
                send(w, (i & 4) ? ROOT : OTHER,
                     single_message(w, (i & 4) ? ROOT : OTHER, (i & 4) ? "vm1" : "theirs", i, fd), calls + 1);
                world_settle(w);
                if (w->store.silent) {
                        w->store.silent = false;
                        fake_custody_wake(w->manager->custody);
                }
                assert_int_equal(refused_of(calls), 1);
                call_done(calls);
                call_done(calls + 1);
                world_check(w);
        }
}

static void test_claim_goes_with_the_call_that_failed(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), first = make_memfd("first");

        make_sessions(w);
        w->kernel.preserve_error = -ENOMEM;
        assert_refused(w, "OutOfMemory", preserve(w, ROOT, "vm1", 7, fd));
        w->kernel.preserve_after = 1; /* the first one */
        assert_refused(w, "OutOfMemory",
                       preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 2 }, (int[]) { first, fd }, 2));
        w->kernel.preserve_error = 0;
        assert_success(w, preserve(w, OTHER, "theirs", 7, fd));
        assert_success(w, preserve(w, OTHER, "theirs", 8, first));
        world_check(w);
}

/* --- over restarts and updates */

static void test_answers_are_the_same_after_a_restart(void **state) {
        World *w = *state;

        make_sessions(w);
        for (ObjectKind kind = 0; kind < OBJECT_EVENTFD; kind++) {
                _cleanup_(closep) int fd = make_object(w, kind);

                assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
                for (unsigned i = 0; i < 2; i++) {
                        world_restart(w);
                        for (Way way = 0; way < _WAY_MAX; way++) {
                                _cleanup_(closep) int another = another_fd(fd, kind, way);

                                assert_refused_everywhere(w, another);
                        }
                        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
                }
                assert_success(w, discard(w, ROOT, "vm1"));
                assert_success(w, create(w, ROOT, "vm1"));
        }
        world_check(w);
}

static void test_retrieved_file_is_kept_until_finish(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), back = -EBADF;

        assert_success(w, create(w, ROOT, "old"));
        assert_success(w, preserve(w, ROOT, "old", 7, fd));
        world_update(w);
        make_sessions(w);
        assert_success(w, retrieve(w, ROOT, "old", 7, &back));
        for (unsigned i = 0; i < 2; i++) {
                for (Way way = 0; way < _WAY_MAX; way++) {
                        _cleanup_(closep) int another = another_fd(back, OBJECT_MEMFD, way);

                        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "vm1", 7, another));
                        assert_non_null(strstr(w->error_message, "'old' under token 7"));
                        assert_non_null(strstr(w->error_message, "Finish()"));
                        assert_refused(w, "AlreadyPreserved", preserve_one_by_many(w, OTHER, "theirs", 7, another));
                        assert_null(strstr(w->error_message, "old"));
                }
                world_restart(w);
        }
        assert_success(w, finish(w, ROOT, "old"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, back));
        world_check(w);
}

/* --- what luod can't tell after a restart */

static void test_repeated_call_is_recognised_by_the_kernel(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);

        make_sessions(w);
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_restart(w);
        assert_int_equal(objects_count_unknown(w->manager), 1);

        /* Somebody else's call is refused, by the kernel, and luod says that it may be one of its own. */
        assert_refused(w, "AlreadyPreserved", preserve(w, OTHER, "theirs", 7, fd));
        assert_refused(w, "TokenInUse", preserve(w, ROOT, "vm1", 7, other));
        assert_false(fake_kernel_keeps(&w->kernel, other));
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        assert_int_equal(objects_count_unknown(w->manager), 0);
        assert_refused_everywhere(w, fd);
        assert_refused(w, "TokenInUse", preserve(w, ROOT, "vm1", 7, other));
        assert_success(w, preserve(w, ROOT, "vm1", 8, other));
        world_check(w);
}

/* "Kept already" is no yes where it may be about another object. */
static void test_kept_already_is_not_enough_to_recognise(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = eventfd(0, EFD_CLOEXEC), b = eventfd(0, EFD_CLOEXEC);

        make_sessions(w);
        assert_success(w, preserve(w, ROOT, "vm1", 7, a));
        assert_success(w, preserve(w, OTHER, "theirs", 8, b));
        world_restart(w);
        assert_refused(w, "TokenInUse", preserve(w, ROOT, "vm1", 7, b));
        assert_refused(w, "TokenInUse", preserve(w, ROOT, "vm1", 7, a)); /* it can't be told */
        assert_success(w, discard(w, OTHER, "theirs"));
        assert_success(w, preserve(w, ROOT, "vm1", 7, a));
        assert_success(w, create(w, OTHER, "theirs"));
        assert_success(w, preserve(w, OTHER, "theirs", 8, b));
        world_check(w);
}

static void test_repeated_many_is_recognised_by_the_kernel(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC), more = make_memfd("more");

        make_sessions(w);
        assert_success(w, preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 2 }, (int[]) { fd, other }, 2));
        world_restart(w);
        assert_success(w, preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1, 2, 3 }, (int[]) { fd, other, more }, 3));
        assert_int_equal(find_session(w, "vm1")->n_files, 3);
        assert_int_equal(objects_count_unknown(w->manager), 0);
        world_check(w);
}

/* There the kernel would take it twice: what may be kept is left alone. */
static void test_unknown_objects_are_not_kept_twice_where_nobody_checks(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC), memfd = make_memfd("hello");

        make_sessions(w);
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_restart(w);
        assert_refused(w, "AlreadyPreserved", preserve(w, OTHER, "theirs", 7, fd));
        assert_refused(w, "AlreadyPreserved", preserve_one_by_many(w, ROOT, "vm2", 7, fd));
        assert_refused(w, "TokenInUse", preserve(w, ROOT, "vm1", 7, fd));
        assert_success(w, preserve(w, OTHER, "theirs", 8, memfd)); /* it can be told */
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_success(w, preserve(w, OTHER, "theirs", 7, fd));
        world_check(w);
}

/* Its index file deleted, and the ledger: only the store has the session, and nothing but the name tells that it is an
 * outgoing one. Asked for its files the kernel would take them apart (the fake one aborts). */
static void test_outgoing_session_without_any_record_is_left_whole(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        char command[128];

        make_sessions(w);
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_kill(w);
        (void) snprintf(command, sizeof(command), "rm -rf %s/index %s/ledger", w->dir, w->dir);
        assert_int_equal(system(command), 0);
        assert_int_equal(world_start(w), 0);
        assert_true(fake_kernel_keeps(&w->kernel, fd));
        world_kill(w);
        assert_int_equal(world_start(w), 0);
        assert_true(fake_kernel_keeps(&w->kernel, fd));
}

/* --- Identify() */

static sd_bus_message *identify(World *w, ClientId client, int fd) {
        sd_bus_message *m = manager_message(w, client, "Identify"), *reply = NULL;

        assert_true(sd_bus_message_append(m, "h", fd) >= 0);
        assert_success(w, world_send(w, client, m, &reply));
        return reply;
}

/* A string of the answer; "-" if there is no such key. The caller frees it. */
static char *answer_get(sd_bus_message *m, const char *key) {
        char *value = strdup("-");
        const char *name, *s;
        char type;

        assert_true(sd_bus_message_rewind(m, true) >= 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") >= 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                const char *contents;
                uint64_t t = 0;

                assert_true(sd_bus_message_read_basic(m, 's', &name) >= 0);
                if (strcmp(name, key) != 0) {
                        assert_true(sd_bus_message_skip(m, "v") >= 0);
                } else {
                        assert_true(sd_bus_message_peek_type(m, &type, &contents) >= 0);
                        assert_true(sd_bus_message_enter_container(m, 'v', contents) >= 0);
                        free(value);
                        if (*contents == 's' || *contents == 'o') {
                                assert_true(sd_bus_message_read_basic(m, *contents, &s) >= 0);
                                value = strdup(s);
                        } else {
                                assert_true(sd_bus_message_read_basic(m, *contents, &t) >= 0);
                                assert_true(asprintf(&value, "%llu", (unsigned long long) t) > 0);
                        }
                        assert_true(sd_bus_message_exit_container(m) >= 0);
                }
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        assert_true(sd_bus_message_exit_container(m) >= 0);
        return value;
}

/* @expect: "Key=value Key=value ..." */
static void assert_identified(World *w, ClientId client, int fd, const char *expect) {
        _cleanup_free_ char *before = world_dump(w), *after = NULL, *words = strdup(expect);
        sd_bus_message *m = identify(w, client, fd);
        char *rest = words, *word;

        while ((word = strsep(&rest, " "))) {
                _cleanup_free_ char *value = NULL;
                char *equals = strchr(word, '=');

                *equals = '\0';
                value = answer_get(m, word);
                if (strcmp(value, equals + 1) != 0)
                        fail_msg("%s is '%s' instead of '%s'", word, value, equals + 1);
        }
        sd_bus_message_unref(m);
        world_settle(w);
        after = world_dump(w);
        assert_string_equal(after, before);
        world_check(w);
}

static void test_identify_tells_the_keeper_to_those_who_may_know(void **state) {
        World *w = *state;

        make_sessions(w);
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                _cleanup_(closep) int fd = make_object(w, kind);

                assert_identified(w, ROOT, fd, kind == OBJECT_EVENTFD && w->kernel.one_keeper_unchecked ?
                                  "Kept=0 Keeper=none Session=- Keepable=unknown" :
                                  "Kept=0 Keeper=none Session=- Keepable=yes");
                assert_false(fake_kernel_keeps(&w->kernel, fd));
                assert_success(w, preserve(w, OTHER, "theirs", 7, fd));
                assert_identified(w, OTHER, fd, "Kept=1 Keeper=session Session=theirs Token=7 Direction=outgoing "
                                  "SessionPath=/org/luod1/session/theirs");
                assert_identified(w, ROOT, fd, "Kept=1 Keeper=session Session=theirs Token=7");
                assert_success(w, discard(w, ROOT, "theirs"));
                assert_identified(w, OTHER, fd, "Kept=0 Keeper=none");

                assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
                assert_identified(w, OTHER, fd, "Kept=1 Keeper=session Session=- Token=- Direction=- SessionPath=-");
                assert_success(w, discard(w, ROOT, "vm1"));
                assert_success(w, create(w, ROOT, "vm1"));
                assert_success(w, create(w, OTHER, "theirs"));
        }
}

static void test_identify_tells_what_it_is(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), reading = -EBADF;
        int ends[2];
        char path[64];

        assert_int_equal(fchmod(fd, 0640), 0);
        assert_identified(w, ROOT, fd, "Kind=memfd Type=memfd Size=5 Holes=0 Mode=416 Owner=0 Access=rw Keepable=yes Reason=");
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        reading = open(path, O_RDONLY | O_CLOEXEC);
        assert_identified(w, ROOT, reading, "Access=ro Keepable=yes");
        assert_identified(w, OTHER, reading, "Access=ro Keepable=no");

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_identified(w, ROOT, ends[0], w->kernel.one_keeper_unchecked ? "Kind=other Type=pipe Keepable=unknown" :
                          "Kind=other Type=pipe Keepable=no");
        safe_close(ends[0]);
        safe_close(ends[1]);
}

static void test_identify_knows_incoming_files(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), back = -EBADF;

        assert_success(w, create(w, ROOT, "old"));
        assert_success(w, preserve(w, ROOT, "old", 7, fd));
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "old", 7, &back));
        assert_identified(w, ROOT, back, "Kept=1 Keeper=session Session=old Token=7 Direction=incoming");
        world_restart(w);
        assert_identified(w, ROOT, back, "Kept=1 Keeper=session Session=old Token=7 Direction=incoming");
        assert_success(w, finish(w, ROOT, "old"));
        assert_identified(w, ROOT, back, "Kept=0 Keeper=none");
}

/* Those who meet each other's look at an object wait for their turn. */
static void test_several_looks_at_once_tell_the_same(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC);
        Call looks[IDENTIFICATIONS_PER_USER_MAX + 1] = {}, keep = CALL_NULL;

        make_sessions(w);
        for (unsigned i = 0; i < ARRAY_SIZE(looks); i++) {
                sd_bus_message *m = manager_message(w, OTHER, "Identify");

                assert_true(sd_bus_message_append(m, "h", fd) >= 0);
                send(w, OTHER, m, looks + i);
        }
        send(w, ROOT, single_message(w, ROOT, "vm1", 7, fd), &keep);
        world_settle(w);
        assert_success(w, call_wait(&keep, NULL));
        for (unsigned i = 0; i < ARRAY_SIZE(looks); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                _cleanup_free_ char *keeper = NULL;

                if (call_wait(looks + i, &reply) < 0) { /* the limit */
                        assert_string_equal(w->error, LUOD_ERROR_PREFIX "QuotaExceeded");
                        continue;
                }
                keeper = answer_get(reply, "Keeper");
                assert_true(strcmp(keeper, "none") == 0 || strcmp(keeper, "session") == 0);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(looks); i++)
                call_done(looks + i);
        call_done(&keep);
        world_check(w);
}

static void test_identify_without_a_spare_says_so(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *keepable = NULL;
        Call call = CALL_NULL;
        sd_bus_message *m;

        make_sessions(w);
        w->kernel.device_error = -EBUSY;
        world_restart(w);
        m = manager_message(w, ROOT, "Identify");
        assert_true(sd_bus_message_append(m, "h", fd) >= 0);
        send(w, ROOT, m, &call);
        world_settle(w);
        world_time_passes(w);
        assert_success(w, call_wait(&call, &reply));
        keepable = answer_get(reply, "Keepable");
        assert_string_equal(keepable, "unknown");
        call_done(&call);
}

static void test_identify_says_when_it_can_not_know(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
        _cleanup_(closep) int session = -EBADF, theirs = eventfd(0, EFD_CLOEXEC);

        make_sessions(w);
        session = fake_session_create(&w->kernel, "pid1's");
        assert_int_equal(fake_preserve(&w->kernel, session, 1, theirs), 0);
        assert_identified(w, ROOT, theirs, "Kept=1 Keeper=foreign Session=-");
        assert_success(w, preserve(w, ROOT, "vm1", 7, fd));
        world_restart(w);
        assert_identified(w, ROOT, fd, "Kept=1 Keeper=unknown Session=-");
        assert_identified(w, ROOT, other, "Kept=0 Keeper=none Keepable=yes");
}

/* --- what kernels differ in */

static void assert_check(World *w, const char *severity) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *s, *id, *message, *fix;

        assert_success(w, world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Check", &reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ssss)") > 0);
        while (sd_bus_message_read(reply, "(ssss)", &s, &id, &message, &fix) > 0)
                if (strcmp(id, "handlers") == 0) {
                        assert_string_equal(s, severity);
                        return;
                }
        fail_msg("Check() says nothing of it");
}

static void test_check_tells_what_the_kernel_lacks(void **state) {
        World *w = *state;

        assert_check(w, w->kernel.one_keeper_unchecked ? "warning" : "ok");
        w->kernel.preserve_error = -ENOENT;
        world_restart(w);
        assert_check(w, "blocks");
        w->manager->features = 0; /* it could not be tried */
        assert_check(w, "warning");
        w->kernel.preserve_error = 0;
}

static void test_features_are_found_out_by_trying(void **state) {
        World *w = *state;

        assert_int_equal(luo_probe_features(&w->kernel.ops, 0),
                         LUO_FEATURE_PROBED | LUO_FEATURE_MEMFD | LUO_FEATURE_ONE_KEEPER | LUO_FEATURE_DIRECTION);
        w->kernel.one_keeper_unchecked = true;
        assert_int_equal(luo_probe_features(&w->kernel.ops, 0),
                         LUO_FEATURE_PROBED | LUO_FEATURE_MEMFD | LUO_FEATURE_DIRECTION);
        w->kernel.direction_unchecked = true;
        assert_int_equal(luo_probe_features(&w->kernel.ops, 0), LUO_FEATURE_PROBED | LUO_FEATURE_MEMFD);
        w->kernel.preserve_error = -ENOENT;
        assert_int_equal(luo_probe_features(&w->kernel.ops, 0), LUO_FEATURE_PROBED);
        w->kernel.preserve_error = 0;
        w->kernel.device_error = -EBUSY;
        assert_int_equal(luo_probe_features(&w->kernel.ops, 0), -EBUSY);
        w->kernel.device_error = 0;
        assert_int_equal(fake_kernel_count_sessions(&w->kernel, /* incoming= */ false), 0);
}

#define ON_CHECKING(f) { .name = #f " (the kernel checks)", .test_func = f, .setup_func = setup_checking, \
                         .teardown_func = world_teardown }
#define ON_NOT_CHECKING(f) { .name = #f " (it does not)", .test_func = f, .setup_func = setup_not_checking, \
                             .teardown_func = world_teardown }
#define ON_BOTH(f) ON_CHECKING(f), ON_NOT_CHECKING(f)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ON_BOTH(test_second_keeper_is_refused_by_every_way_everywhere),
                ON_BOTH(test_two_objects_of_a_kind_are_two),
                ON_BOTH(test_the_same_twice_in_a_call_is_refused),
                ON_BOTH(test_of_two_calls_at_once_one_is_refused),
                ON_BOTH(test_claim_goes_with_the_call_that_failed),
                ON_BOTH(test_answers_are_the_same_after_a_restart),
                ON_BOTH(test_retrieved_file_is_kept_until_finish),
                ON_CHECKING(test_repeated_call_is_recognised_by_the_kernel),
                ON_CHECKING(test_kept_already_is_not_enough_to_recognise),
                ON_CHECKING(test_repeated_many_is_recognised_by_the_kernel),
                ON_NOT_CHECKING(test_unknown_objects_are_not_kept_twice_where_nobody_checks),
                ON_BOTH(test_outgoing_session_without_any_record_is_left_whole),
                ON_BOTH(test_identify_tells_the_keeper_to_those_who_may_know),
                ON_BOTH(test_identify_tells_what_it_is),
                ON_BOTH(test_identify_knows_incoming_files),
                ON_BOTH(test_several_looks_at_once_tell_the_same),
                ON_BOTH(test_identify_without_a_spare_says_so),
                ON_CHECKING(test_identify_says_when_it_can_not_know),
                ON_BOTH(test_check_tells_what_the_kernel_lacks),
                { .name = "test_features_are_found_out_by_trying", .test_func = test_features_are_found_out_by_trying,
                  .setup_func = world_setup_down, .teardown_func = world_teardown },
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
