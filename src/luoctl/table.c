/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "table.h"
#include "text.h"

#define GAP 2U        /* columns between two cells */
#define SHRINK_MIN 8U /* a cell that is cut shorter than this tells nothing */

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        char **cells; /* row by row, escaped */
        size_t n_rows;
};

int table_new(const TableColumn *columns, size_t n_columns, Table **ret) {
        Table *t;

        assert(n_columns > 0);

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;

        t->columns = columns;
        t->n_columns = n_columns;
        *ret = t;
        return 0;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;

        for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
        return NULL;
}

int table_add(Table *t, const char *const *cells) {
        size_t first = t->n_rows * t->n_columns;
        char **larger;

        larger = reallocarray(t->cells, first + t->n_columns, sizeof(char *));
        if (!larger)
                return -ENOMEM;
        t->cells = larger;

        for (size_t i = 0; i < t->n_columns; i++) {
                int r = text_escape(cells[i], strlen(cells[i]), &t->cells[first + i]);

                if (r < 0) {
                        while (i-- > 0)
                                free(t->cells[first + i]);
                        return r;
                }
        }

        t->n_rows++;
        return 0;
}

static void measure(const Table *t, bool header, size_t *widths) {
        for (size_t i = 0; i < t->n_columns; i++)
                widths[i] = header ? text_width(t->columns[i].header) : 0;

        for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
                size_t *w = &widths[i % t->n_columns];

                *w = MAX(*w, text_width(t->cells[i]));
        }
}

/* Takes the columns one by one from whichever is the widest at the time, so that short cells stay whole. */
static void shrink(const Table *t, size_t width, size_t *widths) {
        size_t total = GAP * (t->n_columns - 1);

        for (size_t i = 0; i < t->n_columns; i++)
                total += widths[i];

        for (; total > width; total--) {
                size_t *widest = NULL;

                for (size_t i = 0; i < t->n_columns; i++)
                        if (t->columns[i].shrink &&
                            widths[i] > MAX(SHRINK_MIN, text_width(t->columns[i].header)) &&
                            (!widest || widths[i] > *widest))
                                widest = &widths[i];
                if (!widest)
                        return;
                (*widest)--;
        }
}

static void pad(FILE *f, size_t n) {
        while (n-- > 0)
                fputc(' ', f);
}

static int print_cell(const Table *t, FILE *f, size_t column, const char *text, size_t width) {
        _cleanup_free_ char *cut = NULL;
        bool last = column + 1 == t->n_columns;
        size_t used;
        int r;

        r = text_ellipsize(text, width, &cut);
        if (r < 0)
                return r;
        used = text_width(cut);

        if (last && used == 0) { /* no blanks at the end of a line */
                fputc('\n', f);
                return 0;
        }
        if (column > 0)
                pad(f, GAP);
        if (t->columns[column].right)
                pad(f, width - used);
        fputs(cut, f);
        if (last)
                fputc('\n', f);
        else if (!t->columns[column].right)
                pad(f, width - used);
        return 0;
}

int table_print(const Table *t, FILE *f, size_t width, bool header) {
        _cleanup_free_ size_t *widths = NULL;
        int r;

        widths = calloc(t->n_columns, sizeof(*widths));
        if (!widths)
                return -ENOMEM;
        measure(t, header, widths);
        shrink(t, width, widths);

        for (size_t i = 0; header && i < t->n_columns; i++) {
                r = print_cell(t, f, i, t->columns[i].header, widths[i]);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
                size_t column = i % t->n_columns;

                r = print_cell(t, f, column, t->cells[i], widths[column]);
                if (r < 0)
                        return r;
        }

        return 0;
}
