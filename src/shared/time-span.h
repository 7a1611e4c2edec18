/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* A span of time as in luod.conf(5): "90", "1min 30s", "infinity" (UINT64_MAX), in µs. Returns 0, -EINVAL if it is none,
 * -ERANGE if it is too long. */
int time_span_parse(const char *text, uint64_t *ret);

/* strtoull() takes signs, white space and more. Returns the first byte that is no digit, *reterr filled: 0, -EINVAL for
 * no digit, -ERANGE. */
const char *digits_read(const char *p, uint64_t *ret, int *reterr);
