/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fd-util.h"
#include "macro.h"

#define SMALL_FILE_MAX (1024U * 1024U)

int safe_close(int fd) {
        int saved = errno;

        if (fd >= 0)
                (void) close(fd);

        errno = saved;
        return -EBADF;
}

int fd_dup(int fd) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        return copy < 0 ? -errno : copy;
}

int fd_send(int sock, const void *data, size_t n_data, const int *fds, size_t n_fds) {
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(int) * FD_TRANSFER_MAX)];
        } control = {};
        struct iovec iov = { .iov_base = (void *) data, .iov_len = n_data };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        assert(n_fds <= FD_TRANSFER_MAX);

        if (n_fds > 0) {
                struct cmsghdr *c;

                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                c = CMSG_FIRSTHDR(&message);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
        }

        if (sendmsg(sock, &message, MSG_NOSIGNAL) < 0)
                return -errno;
        return 0;
}

/* Moves the fds of a received message out; those beyond @max are closed. Returns how many came. */
static size_t collect_fds(struct msghdr *message, int *ret_fds, size_t max) {
        size_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t k;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;

                k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < k; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        if (n < max)
                                ret_fds[n] = fd;
                        else
                                safe_close(fd);
                        n++;
                }
        }

        return n;
}

int fd_receive(int sock, void *data, size_t n_data, int *ret_fds, size_t max_fds, size_t *ret_n_fds) {
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(int) * FD_TRANSFER_MAX)];
        } control;
        struct iovec iov = { .iov_base = data, .iov_len = n_data };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        size_t n_fds;
        ssize_t n;
        int r;

        n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;

        n_fds = collect_fds(&message, ret_fds, max_fds);

        if (n == 0 && n_fds == 0)
                r = -ENODATA;
        else if (message.msg_flags & MSG_CTRUNC)
                r = -EMFILE; /* our fd table is full: some did not come through */
        else if ((size_t) n != n_data || (message.msg_flags & MSG_TRUNC) || n_fds > max_fds)
                r = -EBADMSG;
        else {
                *ret_n_fds = n_fds;
                return 0;
        }

        for (size_t i = 0; i < MIN(n_fds, max_fds); i++)
                safe_close(ret_fds[i]);
        return r;
}

static int compare_int(const void *a, const void *b) {
        int x = *(const int *) a, y = *(const int *) b;

        return (x > y) - (x < y);
}

void fd_close_all_but(const int *keep, size_t n_keep) {
        _cleanup_free_ int *sorted = calloc(n_keep + 1, sizeof(int));
        unsigned first = 3;

        if (!sorted)
                _exit(EXIT_FAILURE); /* better none than a child that holds what it should not */
        if (n_keep > 0)
                memcpy(sorted, keep, n_keep * sizeof(int));
        qsort(sorted, n_keep, sizeof(int), compare_int);

        for (size_t i = 0; i < n_keep; i++) {
                if (sorted[i] < (int) first)
                        continue;
                if (sorted[i] > (int) first)
                        (void) close_range(first, (unsigned) sorted[i] - 1, 0);
                first = (unsigned) sorted[i] + 1;
        }

        (void) close_range(first, ~0U, 0);
}

int read_small_file(const char *path, char **ret) {
        _cleanup_(closep) int fd = -EBADF;
        _cleanup_free_ char *buffer = NULL;
        size_t size = 0, allocated = 0;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;

        for (;;) {
                ssize_t n;

                if (size + 1 >= allocated) {
                        char *larger;

                        if (allocated >= SMALL_FILE_MAX)
                                return -E2BIG;
                        allocated = MAX(allocated * 2, 4096U);
                        larger = realloc(buffer, allocated);
                        if (!larger)
                                return -ENOMEM;
                        (void) TAKE_PTR(buffer);
                        buffer = larger;
                }

                n = read(fd, buffer + size, allocated - size - 1);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                if (n > 0)
                        size += (size_t) n;
        }

        if (size > 0 && buffer[size - 1] == '\n')
                size--;
        buffer[size] = '\0';
        *ret = TAKE_PTR(buffer);
        return 0;
}

static int write_all(int fd, const char *text) {
        for (size_t n = strlen(text); n > 0;) {
                ssize_t k = write(fd, text, n);

                if (k < 0)
                        return -errno;
                text += k;
                n -= (size_t) k;
        }
        return 0;
}

int write_small_file(const char *path, const char *text) {
        _cleanup_(closep) int fd = -EBADF;
        _cleanup_free_ char *temporary = NULL;
        int r;

        if (asprintf(&temporary, "%s.new", path) < 0)
                return -ENOMEM;
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text);
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}
