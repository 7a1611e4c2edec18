/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* parse_token() - read a token off the command line
 *
 * Decimal, or hexadecimal after "0x"; 0 to 2^64-1; digits and nothing else: no sign, no blanks.
 * Returns 0, -EINVAL if it is not such a number, -ERANGE if it is too large. */
int parse_token(const char *s, uint64_t *ret);

/* parse_assignment() - split KEY=VALUE at the first '='
 *
 * The key is copied (the caller frees *ret_key); *ret_value points into @s. The value may be empty.
 * Returns 0, -ENOMEM, -EINVAL if there is no '=' or no key, -EILSEQ if the key is not UTF-8. */
int parse_assignment(const char *s, char **ret_key, const char **ret_value);

/* parse_yes_no() - "yes" or "no"
 *
 * Returns 0 or -EINVAL. */
int parse_yes_no(const char *s, bool *ret);
