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
        uint64_t busy_timeout;     /* usec */
        int device;                /* while the helper has it open: it is in luod's fd table, too */
        NamedSession sessions[];
} Shared;

/* A session that is got and then can't be given away is finished when luod, which can't start like this, exits: so there must be
 * fds for both, and for the barrier, before it is asked for. Nobody else takes them meanwhile, as luod waits. */
static int check_room(int fd) {
        int fds[4], n = 0, r = 0;

        for (; n < (int) ARRAY_SIZE(fds) && r >= 0; n++) {
                fds[n] = fd_dup(fd);
                r = fds[n];
        }
        while (n > 0)
                safe_close(fds[--n]);
        return MIN(r, 0);
}

static int retrieve_all(const LuoOps *luo, Shared *shared, size_t n, bool give) {
        int n_found = 0, r = 0;

        shared->device = luo_device_open_patiently(luo, shared->busy_timeout);
        if (shared->device < 0)
                return shared->device;

        for (size_t i = 0; i < n; i++) {
                NamedSession *s = shared->sessions + i;
                int fd;

                if (s->fd != -EBADF) /* tried by an earlier helper */
                        continue;
                r = check_room(shared->device);
                if (r < 0)
                        break;
                stop_point("by-name:asking");
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

/* The fds that are open now, ascending. */
static int list_fds(int **ret, size_t *ret_n) {
        _cleanup_free_ int *fds = NULL;
        size_t n = 0, n_allocated = 0;
        struct dirent *de;
        DIR *d;

        d = opendir("/proc/self/fd");
        if (!d)
                return -errno;
        while ((de = readdir(d))) {
                int fd = atoi(de->d_name);

                if (fd < 3 || fd == dirfd(d))
                        continue;
                if (n == n_allocated) {
                        int *larger = realloc(fds, (n_allocated = 2 * n_allocated + 64) * sizeof(int));

                        if (!larger) {
                                (void) closedir(d);
                                return -ENOMEM;
                        }
                        fds = larger;
                }
                fds[n++] = fd;
        }
        (void) closedir(d);
        *ret = TAKE_PTR(fds);
        *ret_n = n;
        return 0;
}

static bool contains(const int *fds, size_t n, int fd) {
        for (size_t i = 0; i < n; i++)
                if (fds[i] == fd)
                        return true;
        return false;
}

/* The helper was killed, perhaps before it could note what the kernel had just put into our fd table: that is a session of a
 * name that it had not done with, by an fd that was not there before. (Sessions that the fd store brought are there under
 * such names as well.) Whatever else is new was the helper's: copies of the device, which would keep everybody from it. */
static int collect_unnoted(const LuoOps *luo, Shared *shared, size_t n, const int *before, size_t n_before) {
        _cleanup_free_ int *now = NULL;
        size_t n_now;
        int r;

        shared->device = safe_close(shared->device);

        r = list_fds(&now, &n_now);
        for (size_t k = 0; k < n_now && r >= 0; k++) {
                char kname[LUO_NAME_SIZE];

                if (contains(before, n_before, now[k]))
                        continue;
                r = luo->session_get_name(luo, now[k], kname);
                if (r == -EBADF || r == -ENOTTY) { /* no session */
                        safe_close(now[k]);
                        r = 0;
                        continue;
                }
                for (size_t i = 0; i < n; i++)
                        if (shared->sessions[i].fd == -EBADF && streq(shared->sessions[i].kname, kname))
                                shared->sessions[i].fd = now[k];
        }
        return r;
}

static int run_helper(const LuoOps *luo, Shared *shared, size_t n, const int *before, size_t n_before) {
        pid_t pid;
        int status, r;

        shared->result = -EOWNERDEAD;
        pid = (pid_t) syscall(SYS_clone, (unsigned long) (CLONE_FILES | SIGCHLD), NULL, NULL, NULL, NULL);
        if (pid == 0)
                helper(luo, shared, n);
        if (pid < 0)
                return -errno;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (shared->result == -EOWNERDEAD) {
                r = collect_unnoted(luo, shared, n, before, n_before);
                if (r < 0) /* it may have something that nobody knows of: the start fails, and the next one finds it */
                        return r;
        }
        return shared->result;
}

int retrieve_sessions_by_name(const LuoOps *luo, uint64_t busy_timeout, NamedSession *sessions, size_t n, bool inline_) {
        size_t size = sizeof(Shared) + n * sizeof(NamedSession), n_before;
        _cleanup_free_ int *before = NULL;
        Shared *shared;
        int r;

        if (n == 0)
                return 0;
        r = list_fds(&before, &n_before);
        if (r < 0)
                return r;
        shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return -errno;
        shared->busy_timeout = busy_timeout;
        shared->device = -EBADF;
        memcpy(shared->sessions, sessions, n * sizeof(NamedSession));
        for (size_t i = 0; i < n; i++)
                shared->sessions[i].fd = -EBADF;

        r = inline_ ? retrieve_all(luo, shared, n, /* give= */ false) : -EOWNERDEAD;
        /* What a killed helper has got is ours; another one looks for the rest. */
        for (unsigned i = 0; !inline_ && r == -EOWNERDEAD && i < HELPERS_MAX; i++)
                r = run_helper(luo, shared, n, before, n_before);

        memcpy(sessions, shared->sessions, n * sizeof(NamedSession));
        (void) munmap(shared, size);
        return r;
}
