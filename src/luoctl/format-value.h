/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers as people read them. Each function fills a buffer of the given size and returns it. */

#define FORMAT_BYTES_MAX 24U
#define FORMAT_AGE_MAX 64U
#define FORMAT_TIME_MAX 64U
#define FORMAT_USER_MAX 64U

#define FORMAT_SPAN_MAX 32U

#define USEC_PER_SEC UINT64_C(1000000)

/* 1536 is "1.5K"; powers of 1024, at most one digit after the point, rounded. */
const char *format_bytes(char buffer[static FORMAT_BYTES_MAX], uint64_t bytes);

/* The same, or with @exact all digits and no unit. */
const char *format_size(char buffer[static FORMAT_BYTES_MAX], uint64_t bytes, bool exact);

/* How long ago @then was at @now (both in µs of one clock), in its two largest units: "3min 2s ago",
 * "just now"; "in 5s" for what is yet to come (the clock may have been set). */
const char *format_age(char buffer[static FORMAT_AGE_MAX], uint64_t now, uint64_t then);

/* How long something took: "350ms", "12.3s", "3min 2s". */
const char *format_span(char buffer[static FORMAT_SPAN_MAX], uint64_t usec);

/* A point in time (µs since the epoch) in the local time zone: "2026-02-01 13:04:05 CET". */
const char *format_time(char buffer[static FORMAT_TIME_MAX], uint64_t usec);

/* The name of a user, or the number where there is none. */
const char *format_user(char buffer[static FORMAT_USER_MAX], uint32_t uid);

/* The time now (µs since the epoch). */
uint64_t now_realtime(void);
