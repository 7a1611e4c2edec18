/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Death at any instant, for real: @action runs on @memory (a shared mapping) in a child that is stopped
 * after every machine instruction. Whenever the memory has changed, @check gets a copy of what somebody
 * would find who came after a kill -9 at that point; the last time with @done. The copy is @check's to
 * change.
 *
 * Returns the number of different states seen, or -errno where processes cannot be traced. */
typedef void (*step_action_fn)(void *memory, size_t size, void *userdata);
typedef void (*step_check_fn)(void *copy, size_t size, bool done, void *userdata);

int step_through(void *memory, size_t size, step_action_fn action, step_check_fn check, void *userdata);

/* Shared memory, zeroed, page aligned; the test ends when there is none. */
void *step_memory_new(size_t size);
void *step_memory_free(void *memory, size_t size);
