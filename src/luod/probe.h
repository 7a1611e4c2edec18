/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* What the kernel says of files that luod can't judge: found out by having them kept, for a moment, in a kernel session
 * that luod alone holds and drops again. Only for files that are no shmem (keeping one of those fills its holes), and on
 * kernels that refuse to keep an object twice. */

bool probe_is_possible(const Manager *manager);

/* @results, one for each fd: 0: the kernel can keep it and nobody does; -EBUSY: it is kept; -ENOENT, -EOPNOTSUPP: this
 * kernel can't; others: it refused for that reason. @error < 0: it could not be asked, and there are no results. What
 * was taken was given back before the call. */
typedef void (*probe_done_fn)(const int *results, size_t n, int error, void *userdata);

/* Asks about @n files, at most FDS_PER_CALL_MAX, whose fds must stay open until @done. 0; -EAGAIN: there is no spare
 * kernel session just now, see job_wait_for_spare(); other -errno; on failure @done is not called. */
int probe_start(Manager *manager, const int *fds, size_t n, probe_done_fn done, void *userdata);
