/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "caller.h"
#include "fd-util.h"

/* <sys/socket.h> of Debian 12 has not heard of it. Since Linux 6.5. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* --- what /proc says */

/* The pid behind a pidfd. -ESRCH: it has ended. */
static int pidfd_get_pid(int pidfd, pid_t *ret) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        const char *p;
        long pid;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        r = read_small_file(path, &text);
        if (r < 0)
                return r;
        p = strstr(text, "\nPid:");
        if (!p)
                return -ENOTTY; /* another kind of file */
        pid = strtol(p + strlen("\nPid:"), NULL, 10);
        if (pid <= 0)
                return -ESRCH;
        *ret = (pid_t) pid;
        return 0;
}

/* A file in the directory of the process @pid, which is surely that of @pidfd. */
static int read_of_process(int pidfd, pid_t pid, const char *name, char **ret) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        pid_t still;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
        r = read_small_file(path, &text);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        /* The pid is taken as long as the process is there, and so was it while the file was read. */
        r = pidfd_get_pid(pidfd, &still);
        if (r < 0)
                return r;
        if (still != pid)
                return -ESRCH;

        *ret = TAKE_PTR(text);
        return 0;
}

static int read_cgroup(int pidfd, pid_t pid, char **ret) {
        _cleanup_free_ char *text = NULL;
        char *p;
        int r;

        r = read_of_process(pidfd, pid, "cgroup", &text);
        if (r < 0)
                return r;
        p = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
        if (!p)
                return -ENODATA;
        p = strchr(p, '/');
        p[strcspn(p, "\n")] = '\0';
        p = strdup(p);
        if (!p)
                return -ENOMEM;
        *ret = p;
        return 0;
}

/* The name of the process, in parentheses, may be anything. */
static int read_start_time(int pidfd, pid_t pid, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        unsigned long long start;
        const char *p;
        int r;

        r = read_of_process(pidfd, pid, "stat", &text);
        if (r < 0)
                return r;
        p = strrchr(text, ')');
        if (!p || sscanf(p, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &start) != 1)
                return -EBADMSG;
        *ret = start;
        return 0;
}

/* Whether one of its four uids is @uid. */
static bool process_is_of(int pidfd, pid_t pid, uid_t uid) {
        _cleanup_free_ char *text = NULL;
        unsigned uids[4];
        const char *p;

        if (read_of_process(pidfd, pid, "status", &text) < 0)
                return false;
        p = strstr(text, "\nUid:");
        if (!p || sscanf(p, "\nUid: %u %u %u %u", uids, uids + 1, uids + 2, uids + 3) != 4)
                return false;
        return uids[0] == uid || uids[1] == uid || uids[2] == uid || uids[3] == uid;
}

/* --- the unit */

static bool is_unit_name(const char *s, size_t n) {
        static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

        if (n > 255)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                size_t l = strlen(suffixes[i]);

                if (n > l && memcmp(s + n - l, suffixes[i], l) == 0)
                        return true;
        }
        return false;
}

int cgroup_get_unit(const char *cgroup, char **ret) {
        for (const char *p = cgroup;;) {
                size_t n;
                char *unit;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n > strlen(".slice") && memcmp(p + n - strlen(".slice"), ".slice", strlen(".slice")) == 0) {
                        p += n;
                        continue;
                }
                if (*p == '_') { /* systemd's escape of names that the kernel could take for its own files */
                        p++;
                        n--;
                }
                if (!is_unit_name(p, n))
                        return -ENXIO;
                unit = strndup(p, n);
                if (!unit)
                        return -ENOMEM;
                *ret = unit;
                return 0;
        }
}

/* --- callers */

Caller *caller_ref(Caller *c) {
        assert(c->n_refs > 0);
        c->n_refs++;
        return c;
}

Caller *caller_unref(Caller *c) {
        if (!c || --c->n_refs > 0)
                return NULL;
        safe_close(c->pidfd);
        free(c->gids);
        free(c->unit);
        free(c);
        return NULL;
}

bool caller_is_in_group(const Caller *c, gid_t gid) {
        for (size_t i = 0; i < c->n_gids; i++)
                if (c->gids[i] == gid)
                        return true;
        return false;
}

int caller_read_cgroup(const Caller *c, char **ret) {
        return c->pidfd < 0 ? -ESRCH : read_cgroup(c->pidfd, c->pid, ret);
}

/* Opens the process that has the pid now, if it may be the one that is meant. */
static int open_by_pid(const CallerCredentials *credentials) {
        _cleanup_(closep) int fd = (int) syscall(SYS_pidfd_open, credentials->pid, 0);
        unsigned long long ticks = (unsigned long long) sysconf(_SC_CLK_TCK);
        uint64_t start;
        int r;

        if (fd < 0)
                return -errno;
        r = read_start_time(fd, credentials->pid, &start);
        if (r < 0)
                return r;
        if (start > credentials->heard * ticks / 1000000)
                return -ESRCH;
        if (!process_is_of(fd, credentials->pid, credentials->uid))
                return -ESRCH;
        return TAKE_FD(fd);
}

static int look_at_process(Caller *c, const CallerCredentials *credentials) {
        _cleanup_free_ char *cgroup = NULL;
        int r;

        c->pidfd = credentials->pidfd >= 0 ? fd_dup(credentials->pidfd)
                : credentials->pid > 0     ? open_by_pid(credentials)
                                           : -ESRCH;
        if (c->pidfd < 0)
                return c->pidfd;
        r = pidfd_get_pid(c->pidfd, &c->pid);
        if (r >= 0)
                r = read_start_time(c->pidfd, c->pid, &c->start_time);
        if (r >= 0)
                r = read_cgroup(c->pidfd, c->pid, &cgroup);
        if (r >= 0)
                r = cgroup_get_unit(cgroup, &c->unit);
        return r == -ENXIO || r == -ENODATA ? 0 : r;
}

int caller_new(const CallerCredentials *credentials, Caller **ret) {
        _cleanup_(caller_unrefp) Caller *c = malloc(sizeof(*c));

        if (!c)
                return -ENOMEM;
        *c = (Caller) { .n_refs = 1, .uid = credentials->uid, .pidfd = -EBADF };
        if (credentials->n_gids > 0) {
                c->gids = calloc(credentials->n_gids, sizeof(gid_t));
                if (!c->gids)
                        return -ENOMEM;
                memcpy(c->gids, credentials->gids, credentials->n_gids * sizeof(gid_t));
                c->n_gids = credentials->n_gids;
        }
        if (look_at_process(c, credentials) < 0) {
                c->pidfd = safe_close(c->pidfd);
                c->pid = 0;
                c->start_time = 0;
        }

        *ret = TAKE_PTR(c);
        return 0;
}

static int peer_groups(int fd, gid_t primary, gid_t **ret, size_t *ret_n) {
        for (socklen_t size = 64 * sizeof(gid_t);;) {
                _cleanup_free_ gid_t *gids = malloc(size + sizeof(gid_t));

                if (!gids)
                        return -ENOMEM;
                if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids + 1, &size) < 0) {
                        if (errno == ERANGE) /* @size is what it takes */
                                continue;
                        size = 0;
                }
                gids[0] = primary;
                *ret = TAKE_PTR(gids);
                *ret_n = 1 + size / sizeof(gid_t);
                return 0;
        }
}

int caller_new_from_socket(int fd, Caller **ret) {
        _cleanup_(closep) int pidfd = -EBADF;
        _cleanup_free_ gid_t *gids = NULL;
        CallerCredentials credentials;
        struct timespec now;
        struct ucred peer;
        socklen_t size;
        size_t n_gids;
        int r;

        size = sizeof(peer);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        size = sizeof(pidfd);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0) {
                /* ENOPROTOOPT before Linux 6.5. With any other errno the process has ended: its pid says nothing. */
                if (errno != ENOPROTOOPT)
                        peer.pid = 0;
                pidfd = -EBADF;
        }
        r = peer_groups(fd, peer.gid, &gids, &n_gids);
        if (r < 0)
                return r;

        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        credentials = (CallerCredentials) {
                .uid = peer.uid,
                .gids = gids,
                .n_gids = n_gids,
                .pid = peer.pid,
                .pidfd = pidfd,
                .heard = (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000,
        };
        return caller_new(&credentials, ret);
}
