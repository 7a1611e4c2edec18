/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "macro.h"

/* Exit statuses of luod-test-client. */
enum {
        EXIT_REFUSED = 1, /* luod said no where it should not have, or yes, or something that is not right */
        EXIT_USAGE = 2,
        EXIT_BROKEN = 3, /* the client could not do its own part */
};

/* What is being done, for messages; may be NULL. */
extern const char *test_context;

/* The test client can't do its work: says why, and ends. */
_noreturn_ void die(const char *format, ...) _printf_(1, 2);
_noreturn_ void usage(const char *format, ...) _printf_(1, 2);
_noreturn_ void wrong(const char *format, ...) _printf_(1, 2);

/* Numbers from the command line; end the program when they are none. */
uint64_t parse_number(const char *s);
uint64_t parse_number_base(const char *s, int base);

uint64_t now_monotonic_usec(void);

/* The next number of a fixed sequence for each start value. */
uint64_t random_next(uint64_t *state);
