/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luod-limits.h"

/* Valid UTF-8 without control characters (C0, DEL, C1). */
bool is_printable_utf8(const char *text);

/* Takes out what is no UTF-8, such as a character that was cut: D-Bus refuses to send it, and with it the whole message. Returns
 * @text. */
char *utf8_mend(char *text);

/* A session's name: 1 to NAME_LENGTH_MAX bytes of valid UTF-8 without control characters (C0, DEL, C1) and
 * without '/', not starting with '.', and not "systemd", which is PID 1's own kernel session, nor beginning with "unknown-" or
 * "recovered-", as luod names what it knows too little of. */
bool session_name_is_valid(const char *name);

/* A label: 0 to LABEL_LENGTH_MAX bytes of valid UTF-8 without control characters. */
bool label_is_valid(const char *label);

/* A metadata key: as a label, but not empty. */
bool metadata_key_is_valid(const char *key);

/* Kernel names of luod's sessions: "luod-", the series ('a' or 'b', alternating from one live update to the
 * next), "-", and a number below PART_NUMBER_END without leading zeros. */
#define KERNEL_NAME_SIZE 24U
void kernel_name_format(char series, uint32_t number, char ret[static KERNEL_NAME_SIZE]);
/* Returns false if @name is not one of luod's; the results may be NULL. */
bool kernel_name_parse(const char *name, char *ret_series, uint32_t *ret_number);
