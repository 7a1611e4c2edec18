/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
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

#define HELPERS_MAX 5U
#define BARRIER_TIMEOUT_USEC (120ULL * 1000 * 1000)

static void store(const NamedSession *s) {
        char state[64];

        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", s->fdname);
        (void) sd_pid_notify_with_fds(0, /* unset_environment= */ 0, state, &s->fd, 1);
}

/* What is shared with the helper, which has no other way to tell. */
typedef struct Shared {
        int result;
        int device;                /* while the helper has it open: it is in luod's fd table, too */
        NamedSession sessions[];
} Shared;

static int retrieve_all(const LuoOps *luo, Shared *shared, size_t n, bool give) {
        int n_found = 0, r = 0;

        shared->device = luo_device_open_patiently(luo, DEVICE_BUSY_TIMEOUT_USEC);
        if (shared->device < 0)
                return shared->device;

        for (size_t i = 0; i < n; i++) {
                NamedSession *s = shared->sessions + i;
                int fd;

                if (s->fd != -EBADF) /* tried by an earlier helper */
                        continue;
                fd = luo->session_retrieve(luo, shared->device, s->kname);
                if (fd == -ENOENT || fd == -EINVAL) { /* none of that name, or somebody has it */
                        s->fd = fd;
                        continue;
                }
                if (fd < 0) {
                        r = fd;
                        break;
                }
                s->fd = fd;
                stop_point("by-name:retrieved");
                if (give)
                        store(s);
                n_found++;
        }

        shared->device = safe_close(shared->device);
        return r < 0 ? r : n_found;
}

_noreturn_ static void helper(const LuoOps *luo, Shared *shared, size_t n) {
        sigset_t all;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_BLOCK, &all, NULL);
        shared->result = retrieve_all(luo, shared, n, /* give= */ true);
        (void) sd_notify_barrier(/* unset_environment= */ 0, BARRIER_TIMEOUT_USEC);
        _exit(EXIT_SUCCESS);
}

/* The helper was killed, perhaps before it could note what the kernel had just put into our fd table. */
static void collect_unnoted(const LuoOps *luo, Shared *shared, size_t n) {
        struct dirent *de;
        DIR *d;

        shared->device = safe_close(shared->device);

        d = opendir("/proc/self/fd");
        if (!d)
                return;
        while ((de = readdir(d))) {
                char kname[LUO_NAME_SIZE];
                int fd = atoi(de->d_name);

                if (fd < 3 || luo->session_get_name(luo, fd, kname) < 0)
                        continue;
                for (size_t i = 0; i < n; i++)
                        if (shared->sessions[i].fd < 0 && streq(shared->sessions[i].kname, kname))
                                shared->sessions[i].fd = fd;
        }
        (void) closedir(d);
}

static int run_helper(const LuoOps *luo, Shared *shared, size_t n) {
        pid_t pid;
        int status;

        shared->result = -EOWNERDEAD;
        pid = (pid_t) syscall(SYS_clone, (unsigned long) (CLONE_FILES | SIGCHLD), NULL, NULL, NULL, NULL);
        if (pid == 0)
                helper(luo, shared, n);
        if (pid < 0)
                return -errno;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (shared->result == -EOWNERDEAD)
                collect_unnoted(luo, shared, n);
        return shared->result;
}

int retrieve_sessions_by_name(const LuoOps *luo, NamedSession *sessions, size_t n, bool inline_) {
        size_t size = sizeof(Shared) + n * sizeof(NamedSession);
        Shared *shared;
        int r = -EOWNERDEAD;

        if (n == 0)
                return 0;
        shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return -errno;
        shared->device = -EBADF;
        memcpy(shared->sessions, sessions, n * sizeof(NamedSession));
        for (size_t i = 0; i < n; i++)
                shared->sessions[i].fd = -EBADF;

        if (inline_)
                r = retrieve_all(luo, shared, n, /* give= */ false);
        /* What a killed helper has got is ours; another one looks for the rest. */
        for (unsigned i = 0; !inline_ && r == -EOWNERDEAD && i < HELPERS_MAX; i++)
                r = run_helper(luo, shared, n);

        memcpy(sessions, shared->sessions, n * sizeof(NamedSession));
        (void) munmap(shared, size);
        return r;
}
