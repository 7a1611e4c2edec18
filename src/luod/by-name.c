/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "by-name.h"
#include "fd-util.h"
#include "luod-limits.h"
#include "macro.h"
#include "stop-point.h"

#define BARRIER_TIMEOUT_USEC (120ULL * 1000 * 1000)

static void store(const NamedSession *s) {
        char state[64];

        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", s->fdname);
        (void) sd_pid_notify_with_fds(0, /* unset_environment= */ 0, state, &s->fd, 1);
}

static int retrieve_all(const LuoOps *luo, NamedSession *sessions, size_t n, bool give) {
        _cleanup_(closep) int device = luo_device_open_patiently(luo, DEVICE_BUSY_TIMEOUT_USEC);
        int n_found = 0;

        if (device < 0)
                return device;

        for (size_t i = 0; i < n; i++) {
                int fd = luo->session_retrieve(luo, device, sessions[i].kname);

                if (fd < 0)
                        continue;
                sessions[i].fd = fd;
                stop_point("by-name:retrieved");
                if (give)
                        store(sessions + i);
                n_found++;
        }
        return n_found;
}

static void name_fds(NamedSession *sessions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint32_t number = 0;
                char series = '?';

                (void) kernel_name_parse(sessions[i].kname, &series, &number);
                (void) snprintf(sessions[i].fdname, sizeof(sessions[i].fdname), "n%c%x", series, number);
                sessions[i].fd = -EBADF;
        }
}

/* Shared with the helper, which has no other way to tell. */
typedef struct Shared {
        int result;
        NamedSession sessions[];
} Shared;

_noreturn_ static void helper(const LuoOps *luo, Shared *shared, size_t n) {
        sigset_t all;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_BLOCK, &all, NULL);
        shared->result = retrieve_all(luo, shared->sessions, n, /* give= */ true);
        (void) sd_notify_barrier(/* unset_environment= */ 0, BARRIER_TIMEOUT_USEC);
        _exit(EXIT_SUCCESS);
}

int retrieve_sessions_by_name(const LuoOps *luo, NamedSession *sessions, size_t n, bool inline_) {
        size_t size = sizeof(Shared) + n * sizeof(NamedSession);
        Shared *shared;
        int status, r;
        pid_t pid;

        if (n == 0)
                return 0;
        name_fds(sessions, n);
        if (inline_)
                return retrieve_all(luo, sessions, n, /* give= */ false);

        shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return -errno;
        shared->result = -EOWNERDEAD;
        memcpy(shared->sessions, sessions, n * sizeof(NamedSession));

        pid = (pid_t) syscall(SYS_clone, (unsigned long) (CLONE_FILES | SIGCHLD), NULL, NULL, NULL, NULL);
        if (pid == 0)
                helper(luo, shared, n);
        if (pid < 0)
                r = -errno;
        else {
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        ;
                /* What a killed helper has got is ours now. */
                memcpy(sessions, shared->sessions, n * sizeof(NamedSession));
                r = shared->result;
        }

        (void) munmap(shared, size);
        return r;
}
