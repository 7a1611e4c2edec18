/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* <fcntl.h> of Debian 12 has not heard of it. Since Linux 6.10: 1: the same open file, 0: another. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3)
#endif

/* Closes @fd if it is one (>= 0), keeps errno, returns -EBADF: `fd = safe_close(fd)`. */
int safe_close(int fd);

static inline void closep(int *fd) {
        safe_close(*fd);
}

/* A close-on-exec copy of @fd, at 3 or above. Returns the fd or -errno (-EMFILE: the table is full). */
int fd_dup(int fd);

/* Sends @n_data bytes and @n_fds (at most FD_TRANSFER_MAX) fds as one message of a SOCK_SEQPACKET socket.
 * Returns 0 or -errno. */
int fd_send(int sock, const void *data, size_t n_data, const int *fds, size_t n_fds);

/* Receives one such message. @data must be filled to the last byte (-EBADMSG otherwise, -ENODATA at the end
 * of the stream). The fds are close-on-exec and the caller's; *ret_n_fds of them, never more than @max_fds.
 * On failure no fd is left open. */
int fd_receive(int sock, void *data, size_t n_data, int *ret_fds, size_t max_fds, size_t *ret_n_fds);

/* SCM_MAX_FD of the kernel (include/net/scm.h). */
#define FD_TRANSFER_MAX 253U

/* In a forked child: closes all fds from 3 upwards but @keep (need not be sorted). Ends the
 * process if there is no memory. */
void fd_close_all_but(const int *keep, size_t n_keep);

/* Reads a whole small file of /proc, /sys or the like as a string, one trailing newline cut off. Returns 0,
 * -errno, or -E2BIG past 1 MiB. The caller frees *ret. */
int read_small_file(const char *path, char **ret);

/* Writes @text as the file @path in one step: the old file or the new one is there, never a part. Mode 0600. Not synced:
 * for a tmpfs. @path with ".new" after it is used on the way. Returns 0 or -errno. */
int write_small_file(const char *path, const char *text);
