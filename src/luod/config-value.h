/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Values as an admin writes them. All take the text without white space around it, return 0 and write *ret on success,
 * and return -EINVAL (it is none), -ERANGE (a number that does not fit) or -ENOMEM otherwise. */

/* "yes", "no", "true", "false", "on", "off", "1", "0", as in systemd's files. */
int config_value_bool(const char *text, bool *ret);
/* Decimal digits and nothing else. */
int config_value_number(const char *text, uint64_t *ret);
/* Bytes: a number, perhaps with K, M or G (powers of 1024). */
int config_value_size(const char *text, uint64_t *ret);
/* "50%": 0 to 100; -ERANGE where it is more. */
int config_value_percent(const char *text, uint64_t *ret);
/* Microseconds: "5" and "5s", "100ms", "2min", "1h", several added up ("1min 30s"), or "infinity" (UINT64_MAX). */
int config_value_time(const char *text, uint64_t *ret);
/* A full unit name, "NAME.TYPE". The caller frees *ret. */
int config_value_unit(const char *text, char **ret);
/* Words that are separated by white space, added at the end of *list, which is NULL or ends with NULL; the caller frees
 * all of it with config_strings_free(). -EINVAL: no printable UTF-8. On failure *list is as it was. */
int config_value_strings(const char *text, char ***list);

char **config_strings_free(char **list);
