/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "by-name.h"
#include "fd-util.h"
#include "macro.h"

/* The helper is a process of its own here, with luod's fd table, as in luod; the kernel is not. It is killed as it comes to a
 * name, before or behind the kernel's answer. */

#define N_NAMES 6U

static const char *const names[N_NAMES] = { "luod-a-0", "luod-a-1", "luod-a-2", "luod-a-3", "luod-a-4", "luod-a-5" };
/* What the kernel has: two that the fd store brought, one that it made itself, and three to be had, or not. */
static const enum { STORED_INCOMING, STORED_OUTGOING, INCOMING, NONE } kinds[N_NAMES] = {
        STORED_INCOMING, INCOMING, NONE, STORED_OUTGOING, INCOMING, STORED_INCOMING,
};

typedef struct Kernel {
        LuoOps ops;
        int fds[N_NAMES]; /* of the sessions that somebody has; -EBADF */
        unsigned n_asked, die_at;
        bool die_behind;
} Kernel;

static Kernel *kernel; /* shared with the helper */

static int device_open(const LuoOps *ops) {
        return eventfd(0, EFD_CLOEXEC);
}

static int session_retrieve(const LuoOps *ops, int device, const char *name) {
        bool dies = ++kernel->n_asked == kernel->die_at;
        unsigned i = 0;

        while (!streq(names[i], name))
                i++;
        if (dies && !kernel->die_behind) {
                (void) fd_dup(device); /* as one that it was about to close */
                (void) raise(SIGKILL);
        }
        if (kinds[i] == INCOMING && kernel->fds[i] < 0)
                kernel->fds[i] = eventfd(0, EFD_CLOEXEC);
        else if (kinds[i] != NONE && kinds[i] != STORED_OUTGOING)
                return -EINVAL;
        if (dies)
                (void) raise(SIGKILL);
        return kernel->fds[i] >= 0 && kinds[i] == INCOMING ? kernel->fds[i] : -ENOENT;
}

static int session_get_name(const LuoOps *ops, int session, char ret[static LUO_NAME_SIZE]) {
        for (unsigned i = 0; i < N_NAMES; i++)
                if (kernel->fds[i] == session) {
                        (void) snprintf(ret, LUO_NAME_SIZE, "%s", names[i]);
                        return 0;
                }
        return -ENOTTY;
}

static int set_up(void **state) {
        kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(kernel != MAP_FAILED);
        *kernel = (Kernel) {
                .ops = { .device_open = device_open, .session_retrieve = session_retrieve, .session_get_name = session_get_name },
        };
        for (unsigned i = 0; i < N_NAMES; i++) {
                bool stored = kinds[i] == STORED_INCOMING || kinds[i] == STORED_OUTGOING;

                kernel->fds[i] = stored ? eventfd(0, EFD_CLOEXEC) : -EBADF;
        }
        return 0;
}

static int tear_down(void **state) {
        for (unsigned i = 0; i < N_NAMES; i++)
                safe_close(kernel->fds[i]);
        return munmap(kernel, sizeof(*kernel));
}

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void assert_all_found(unsigned die_at, bool behind) {
        NamedSession sessions[N_NAMES] = {};
        unsigned n_fds = count_fds();

        kernel->die_at = die_at;
        kernel->die_behind = behind;
        for (unsigned i = 0; i < N_NAMES; i++)
                (void) snprintf(sessions[i].kname, sizeof(sessions[i].kname), "%s", names[i]);
        assert_true(retrieve_sessions_by_name(&kernel->ops, DEVICE_BUSY_TIMEOUT_USEC, sessions, N_NAMES, /* inline_= */ false) >= 0);
        for (unsigned i = 0; i < N_NAMES; i++) {
                static const int expected[] = { [STORED_INCOMING] = -EINVAL, [STORED_OUTGOING] = -ENOENT, [NONE] = -ENOENT };

                if (kinds[i] == INCOMING) {
                        assert_true(sessions[i].fd >= 0);
                        assert_int_equal(sessions[i].fd, kernel->fds[i]);
                        n_fds++;
                } else
                        assert_int_equal(sessions[i].fd, expected[kinds[i]]);
        }
        /* A device that is left open in luod's table is closed to everybody. */
        assert_int_equal(count_fds(), n_fds);
}

static void test_all_is_found(void **state) {
        assert_all_found(0, false);
}

/* What the store brought has fds of such names as well: they are no news. */
static void test_killed_helper_leaves_what_the_store_brought_alone(void **state) {
        for (unsigned die_at = 1; die_at <= N_NAMES; die_at++)
                for (int behind = 0; behind <= 1; behind++) {
                        assert_all_found(die_at, behind);
                        assert_true(kernel->n_asked > N_NAMES || behind); /* it did die */
                        tear_down(state);
                        set_up(state);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_all_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_killed_helper_leaves_what_the_store_brought_alone, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
