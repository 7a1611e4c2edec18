/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* What the kernel says of files that luod can't judge: found out by having them kept, for a moment, in a kernel session
 * that luod alone holds and drops again. Only for files that are no shmem (keeping one of those fills its holes), and on
 * kernels that refuse to keep an object twice.
 *
 * One at a time, so that no two probes, and no PRESERVE, take each other for a keeper: while an object is being looked at the
 * registry has it under PROBE_SID, which is no session's, and whoever meets that waits (job_wait_for_custody()). */

#define PROBE_SID 0U

bool probe_is_possible(const Manager *manager);

/* @results, one for each fd: 0: the kernel can keep it and nobody does; -EBUSY: it is kept; -ENOENT, -EOPNOTSUPP: this
 * kernel can't; -EALREADY: it got into the registry meanwhile, look there; others: it refused for that reason. @error < 0: it
 * could not be asked, and there are no results (-EAGAIN: there is no spare kernel session just now). What was taken was given
 * back before the call. */
typedef void (*probe_done_fn)(const int *results, size_t n, int error, void *userdata);

/* Asks about @n files, at most FDS_PER_CALL_MAX, whose fds must stay open until @done, which may be called before the return.
 * 0 or -ENOMEM; then @done is not called. */
int probe_start(Manager *manager, const int *fds, size_t n, probe_done_fn done, void *userdata);

/* Forgets all of them: for the end of the manager, whose workers are done with. */
void probe_free_all(Manager *manager);

/* Tries once more what the kernel can do, if that could not be told at the start. */
void probe_features(Manager *manager);
