/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Creates sessions, preserves files and sets metadata, in an order that follows from @seed, until DIR/stop is there. Each
 * step that luod has acknowledged is appended to DIR/acked.SEED, one line, after the answer:
 *
 *   create NAME
 *   preserve NAME TOKEN CONTENT-SEED SIZE
 *   metadata NAME KEY NUMBER
 *   discarding NAME      (before the call: from here on the session may be there or not)
 *   discarded NAME
 *
 * A call that luod did not live to answer is repeated. Returns the exit status. */
int hammer(const char *dir, uint64_t seed);

/* Whether all that the file DIR/acked.SEED tells of is there, and nothing that was discarded; with @retrieve (after the live
 * update) the contents of the files as well. Prints what is not, and a count. */
int hammer_check(const char *dir, uint64_t seed, bool retrieve);
