/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "luo.h"
#include "name-util.h"

/* Getting incoming kernel sessions by name: where the fd store did not bring them.
 *
 * The last close of a retrieved session finishes it, so a process that is killed between the ioctl and custody
 * would take all of its files along. It is therefore done by a helper that shares luod's fd table (CLONE_FILES)
 * and gives each session to systemd's fd store itself, before it exits: killing the helper leaves the fds with
 * luod, killing luod lets the helper come to its end. */

typedef struct NamedSession {
        char kname[KERNEL_NAME_SIZE];
        char fdname[KERNEL_NAME_SIZE]; /* under which it is stored */
        int fd;                        /* out: -ENOENT: no incoming session has that name; -EINVAL: it is somebody's
                                        * already; -EBADF: was not tried */
} NamedSession;

/* Tries all of @sessions, whose names are set. @busy_timeout: usec, for the device. @inline_: tests, no helper and no fd store. Returns how many were
 * found, or -errno: -EBUSY (the device), -EIO (impaired), -EMFILE and the like: what was found is the caller's all the
 * same. Blocks for as long. */
int retrieve_sessions_by_name(const LuoOps *luo, uint64_t busy_timeout, NamedSession *sessions, size_t n, bool inline_);
