/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "quota.h"

/* Who uses how much of what is limited (quota.h), and what the limits are: luod.conf's, or less where this host has not got that
 * much. What is kept is counted from the state each time, so that there are no counts that could come to differ from it; what is
 * in flight, and what calls in flight will add to the state, is held in Manager.in_flight. */

struct Manager;

QuotaLimit usage_limit(struct Manager *manager, QuotaResource resource);
/* As quota_check(): whether @uid may have @wanted more. */
int usage_check(struct Manager *manager, QuotaResource resource, uid_t uid, uid_t asker, uint64_t wanted, Failure *ret);
/* Counts what a call in flight has, or is about to make, until it is given back. 0 or -ENOMEM. */
int usage_hold(struct Manager *manager, QuotaResource resource, uid_t uid, uint64_t n);
void usage_release(struct Manager *manager, QuotaResource resource, uid_t uid, uint64_t n);
/* Everybody's. 0 or -ENOMEM; *ret is to be done with tally_done() in any case. Spare kernel sessions are in the total alone. */
int usage_collect(struct Manager *manager, Tally *ret);
/* How many kernel sessions, of what systemd's store would take, the limit of open files allows. */
unsigned usage_parts_for_fds(void);
