/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Content between files and memfds. Nothing here moves the position of a kept file: it is shared with all
 * who have that file, and its owner wants it back as it was. */

/* content_new_memfd() - an empty file in memory that can be kept over a live update
 *
 * Mode 0600, no seals; further seals can be added, but for a host whose vm.memfd_noexec is 2. Above all it
 * has no F_SEAL_EXEC, with which it would come back write-sealed.
 * Returns 0 or -errno. The caller owns *ret_fd. */
int content_new_memfd(int *ret_fd);

/* Copies all that can still be read from @input into the empty @memfd and leaves its position at 0.
 * Returns 0 or -errno: of reading where *reterr_read is true, of writing otherwise; -EFBIG: there is more than @max bytes. */
int content_fill(int memfd, int input, uint64_t max, bool *reterr_read);

/* content_write() - copy all of the kept file @fd to @output, a pipe or the like
 *
 * Returns 0 or -errno; -EBADFD if @fd was kept write-only, -ENOTSUP if it is not a file with content,
 * -ENODATA if it became shorter meanwhile. On failure part of it may have been written. */
int content_write(int fd, int output);

/* content_save() - copy all of the kept file @fd into the file @path
 *
 * @path has all of the content and mode 0600, or is as it was: an existing regular file is replaced in one
 * step once everything is on disk. Blocks of zeros become holes.
 * Returns 0 or -errno; as content_write(), and -EEXIST if there is something at @path that is not a regular
 * file (it stays), -EISDIR if @path names no file. */
int content_save(int fd, const char *path);
