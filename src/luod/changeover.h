/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* The second half of a start, on the event loop, once custody is there (or known not to be): writes this boot's
 * ledger where there is none, ends what the start found to be of no use any more (the old ledger, spares of the
 * last boot), goes on with ends and intents that were begun, fills the pool.
 *
 * @done is called once, with 0, or -errno when there can't be a ledger: then nothing was dropped, and luod can't
 * take anything. Without custody the old ledger is kept. */
typedef void (*changeover_done_fn)(Manager *manager, int error, void *userdata);

int changeover_start(Manager *manager, changeover_done_fn done, void *userdata);
