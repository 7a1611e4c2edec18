/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "exit-status.h"
#include "macro.h"

/* What luoctl says. Results go to standard output, messages to standard error. */

/* Prints "luoctl: MESSAGE". Foreign text in it can't harm the terminal. Keeps errno. */
void report(const char *format, ...) _printf_(1, 2);

/* Says that memory ran out. */
ExitStatus report_oom(void);

/* report_usage() - complain about the command line
 *
 * Says where help is as well; @verb may be NULL. Returns STATUS_USAGE. */
ExitStatus report_usage(const char *verb, const char *format, ...) _printf_(2, 3);

/* For the name of a session, a user, ... from elsewhere: prints it such that it can't harm the terminal. */
void print_text(const char *text);
void print_bytes(const void *data, size_t size);

/* The left side of a line "  Key: value", @width wide; NULL: one more value of the key above. */
void print_key(const char *key, int width);

/* The right side: "word (what it means)"; both may be NULL. @meaning is luoctl's own. */
void print_described(const char *word, const char *meaning);

/* Columns of the terminal that standard output is, TABLE_WIDTH_UNLIMITED if it is none. */
size_t output_width(void);

/* Prints a line of JSON. */
void print_json(const char *json);

/* output_finish() - see to it that standard output took everything
 *
 * Call it last: a full disk or a closed pipe is a failure even if all else went well. Returns @status, or
 * STATUS_FAILURE with a message. */
ExitStatus output_finish(ExitStatus status);
