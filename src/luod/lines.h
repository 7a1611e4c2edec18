/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "macro.h"

/* Small records as text, a line "KEY VALUE" for each key, in a fixed order: what luod writes into its runtime directory for
 * the next luod. Values are free of control characters. */

/* Takes the line "KEY VALUE" from *@p, which stays where it is if the next line is another one or the value does not fit. */
bool lines_take(const char **p, const char *key, char *ret, size_t size);
bool lines_take_u64(const char **p, const char *key, uint64_t *ret);
