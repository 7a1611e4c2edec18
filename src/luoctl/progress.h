/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "info.h"

/* How an update is getting on, in words. Of ManagerInfo these count: state, update_deadline, waiting_for. All texts may have
 * foreign words in them: they are made safe when they are printed. */

/* All of it on one line: "Preparing, 25s left: session 'vm1' (not ready), and 2 more". @now: µs since the epoch. Returns 0 or
 * -ENOMEM; the caller frees *ret. */
int progress_format(const ManagerInfo *info, uint64_t now, char **ret);

/* What has changed from @before to @after, a line for each thing, to be read one after the other. As progress_format();
 * *ret is added to. */
int progress_changes(const ManagerInfo *before, const ManagerInfo *after, uint64_t now, StringList *ret);

/* Whether there is an update in that state. */
bool progress_is_under_way(const char *state);

/* Copies state, update_deadline and waiting_for. Returns 0 or -ENOMEM; *ret is released with manager_info_done(). */
int progress_copy(const ManagerInfo *info, ManagerInfo *ret);
