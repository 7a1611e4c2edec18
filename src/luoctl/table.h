/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "macro.h"

/* A table of text for people: columns as wide as what they hold, and no line wider than the terminal. */

typedef struct Table Table;

typedef struct TableColumn {
        const char *header;
        bool right;  /* aligned to the right, as numbers are */
        bool shrink; /* may be cut short with "…" where the table is too wide */
} TableColumn;

#define TABLE_WIDTH_UNLIMITED ((size_t) -1)

/* @columns is borrowed and must outlive the table. Returns 0 or -ENOMEM. */
int table_new(const TableColumn *columns, size_t n_columns, Table **ret);
Table *table_free(Table *table);
DEFINE_CLEANUP_FUNC(Table, table_free)

/* Adds a row of as many cells as there are columns; they are copied and made safe for a terminal.
 * Returns 0, or -ENOMEM with the table as it was. */
int table_add(Table *table, const char *const *cells);

/* Prints the rows, with @header the column headers above them. Where that is wider than @width, the widest
 * columns that may shrink do so, though not below what their header needs. Returns 0 or -ENOMEM; whether @f
 * took it all is for the caller to ask. */
int table_print(const Table *table, FILE *f, size_t width, bool header);
