/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Many sessions over one connection, with calls in flight together: PREFIX-0 to PREFIX-(COUNT-1), each with @n_files
 * files (tokens from 0 on) of @size bytes; with @each a Preserve for each, otherwise a PreserveMany for 16. Print what they did and how long it took. Return the exit status. */
int bulk_create(const char *prefix, uint64_t count, uint64_t n_files, uint64_t size, bool each);

/* After the live update: whether each file is there with its content. */
int bulk_verify(const char *prefix, uint64_t count, uint64_t n_files, uint64_t size);

int bulk_finish(const char *prefix, uint64_t count);

/* Preserves files of four bytes, tokens from 0 on, in the one session until luod says no or @count is reached; then goes on
 * asking. Prints how many were taken and each error's name with its count. */
int bulk_fill(const char *session, uint64_t count);
