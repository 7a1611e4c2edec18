/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "fd-util.h"

/* A process that has connected to us, and lives until its other pipe is closed. */
typedef struct Peer {
        pid_t pid;
        int socket, life;
} Peer;

static unsigned n_fds;

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 100; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

_noreturn_ static void be_peer(const struct sockaddr_un *address, socklen_t size, int life, uid_t uid) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char c;

        if (fd < 0 || (uid != geteuid() && seteuid(uid) < 0) || connect(fd, (const struct sockaddr *) address, size) < 0)
                _exit(1);
        (void) !read(life, &c, 1);
        _exit(0);
}

static void peer_start(Peer *p, uid_t uid) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = sizeof(sa_family_t); /* the kernel chooses a name */
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ends[2];

        assert_true(listener >= 0);
        assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
        size = sizeof(address);
        assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(pipe(ends), 0);
        p->pid = fork();
        assert_true(p->pid >= 0);
        if (p->pid == 0) {
                safe_close(ends[1]);
                be_peer(&address, size, ends[0], uid);
        }
        safe_close(ends[0]);
        p->life = ends[1];
        p->socket = accept(listener, NULL, NULL);
        assert_true(p->socket >= 0);
        safe_close(listener);
}

static void peer_end(Peer *p) {
        if (p->pid <= 0)
                return;
        p->life = safe_close(p->life);
        assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
        p->pid = 0;
}

static int setup(void **state) {
        Peer *p = calloc(1, sizeof(*p));

        n_fds = count_fds();
        p->life = p->socket = -EBADF;
        *state = p;
        return 0;
}

static int teardown(void **state) {
        Peer *p = *state;

        peer_end(p);
        safe_close(p->socket);
        free(p);
        return count_fds() != n_fds;
}

static uint64_t now_boottime(void) {
        struct timespec now;

        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static void test_the_unit_is_what_comes_first_below_the_slices(void **state) {
        static const struct {
                const char *cgroup, *unit;
        } cases[] = {
                { "/system.slice/vm.service", "vm.service" },
                { "/system.slice/vm.service/", "vm.service" },
                { "/vm.service", "vm.service" },
                { "/system.slice/system-vm.slice/vm@1.service/sub/other.service", "vm@1.service" },
                { "/machine.slice/machine-one.scope/payload/system.slice/luod.service", "machine-one.scope" },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/vm.service", "user@1000.service" },
                { "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
                { "/system.slice/_cgroup.service", "cgroup.service" },
                { "/init.scope", "init.scope" },
                { "/", NULL },
                { "", NULL },
                { "/system.slice", NULL },
                { "/system.slice/made-by-somebody/vm.service", NULL },
                { "/.slice/vm.service", NULL },
                { "/system.slice/.service", NULL },
                { "/docker/0123456789abcdef", NULL },
                { "/../other.service", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *unit = NULL;

                if (cases[i].unit) {
                        assert_int_equal(cgroup_get_unit(cases[i].cgroup, &unit), 0);
                        assert_string_equal(unit, cases[i].unit);
                } else
                        assert_int_equal(cgroup_get_unit(cases[i].cgroup, &unit), -ENXIO);
        }
}

static void test_a_peer_is_who_connected(void **state) {
        _cleanup_(caller_unrefp) Caller *c = NULL;
        _cleanup_free_ char *cgroup = NULL, *again = NULL;
        Peer *p = *state;

        peer_start(p, geteuid());
        assert_int_equal(caller_new_from_socket(p->socket, &c), 0);
        assert_int_equal(c->uid, geteuid());
        assert_int_equal(c->pid, p->pid);
        assert_true(c->start_time > 0);
        assert_true(caller_is_in_group(c, getegid()));
        assert_false(caller_is_in_group(c, 3999999999U));
        assert_int_equal(caller_is_root(c), geteuid() == 0);
        if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) >= 0) {
                assert_int_equal(caller_read_cgroup(c, &cgroup), 0);
                assert_int_equal(cgroup[0], '/');
        }

        /* its number may be anybody's from now on */
        peer_end(p);
        assert_int_equal(caller_read_cgroup(c, &again), -ESRCH);
}

static void test_a_peer_is_its_effective_user(void **state) {
        _cleanup_(caller_unrefp) Caller *c = NULL;
        Peer *p = *state;

        if (geteuid() != 0)
                skip();
        peer_start(p, 4242);
        assert_int_equal(caller_new_from_socket(p->socket, &c), 0);
        assert_int_equal(c->uid, 4242);
        assert_int_equal(c->pid, p->pid);
}

static void test_a_peer_that_has_ended_is_its_user_without_a_process(void **state) {
        _cleanup_(caller_unrefp) Caller *c = NULL;
        Peer *p = *state;

        peer_start(p, geteuid());
        peer_end(p);
        assert_int_equal(caller_new_from_socket(p->socket, &c), 0);
        assert_int_equal(c->uid, geteuid());
        assert_int_equal(c->pid, 0);
        assert_int_equal(c->pidfd, -EBADF);
        assert_null(c->unit);
}

static void test_a_pid_is_believed_only_of_a_process_that_is_old_enough_and_the_users(void **state) {
        CallerCredentials credentials = { .uid = geteuid(), .pidfd = -EBADF };
        Peer *p = *state;
        Caller *c;

        peer_start(p, geteuid());
        credentials.pid = p->pid;
        credentials.heard = now_boottime();
        assert_int_equal(caller_new(&credentials, &c), 0);
        assert_int_equal(c->pid, p->pid);
        caller_unref(c);

        /* The process that connected had ended by then, and this one got its number. */
        credentials.heard -= 3600ULL * 1000 * 1000;
        if ((int64_t) credentials.heard < 0)
                credentials.heard = 0;
        assert_int_equal(caller_new(&credentials, &c), 0);
        assert_int_equal(c->pid, 0);
        assert_int_equal(c->pidfd, -EBADF);
        caller_unref(c);

        credentials.heard = now_boottime();
        credentials.uid = 3999999999U;
        assert_int_equal(caller_new(&credentials, &c), 0);
        assert_int_equal(c->uid, 3999999999U);
        assert_int_equal(c->pid, 0);
        caller_unref(c);
}

static void test_another_fd_is_no_process(void **state) {
        const CallerCredentials credentials = { .uid = 7, .pid = getpid(), .pidfd = STDIN_FILENO };
        _cleanup_(caller_unrefp) Caller *c = NULL;

        assert_int_equal(caller_new(&credentials, &c), 0);
        assert_int_equal(c->pid, 0);
        assert_int_equal(c->pidfd, -EBADF);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_unit_is_what_comes_first_below_the_slices),
                cmocka_unit_test_setup_teardown(test_a_peer_is_who_connected, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_peer_is_its_effective_user, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_peer_that_has_ended_is_its_user_without_a_process, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_pid_is_believed_only_of_a_process_that_is_old_enough_and_the_users, setup,
                                                teardown),
                cmocka_unit_test(test_another_fd_is_no_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
