/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Text from elsewhere, made fit for a terminal. Widths are columns of a terminal; they are right for wide
 * and combining characters once LC_CTYPE is set to a UTF-8 locale. */

/* Whether all of @data is well-formed UTF-8. */
bool text_is_utf8(const void *data, size_t size);

/* text_escape() - copy @data as one line that does nothing to a terminal
 *
 * Printable UTF-8 is copied as it is. Control characters, characters that reorder or break lines, and bytes
 * that are not UTF-8 become \n, \t, \r, \xNN or \uNNNN. A backslash stays as it is: the result is for
 * people, not for parsers.
 * Returns 0 or -ENOMEM. The caller frees *ret. */
int text_escape(const void *data, size_t size, char **ret);

/* The same for the text of a JSON value: what would do something to a terminal becomes \uNNNN, which means
 * the same; line breaks stay. */
int text_escape_json(const char *json, char **ret);

/* The columns that @text takes. */
size_t text_width(const char *text);

/* Copies as much of @text as fits into @width columns; what is cut off is shown as "…". The result may be a
 * column short where a wide character does not fit. Returns 0 or -ENOMEM. The caller frees *ret. */
int text_ellipsize(const char *text, size_t width, char **ret);

/* Escapes as text_escape(), and cuts off what is beyond @max bytes, with "…" for it where @max is 3 or more. Returns 0 or
 * -ENOMEM. The caller frees *ret. */
int text_shorten(const char *text, size_t max, char **ret);
