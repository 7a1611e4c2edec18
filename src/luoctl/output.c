/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"
#include "table.h"
#include "text.h"

#define COLUMNS_DEFAULT 80U
#define COLUMNS_MAX 10000UL

static void _printf_(1, 0) vreport(const char *format, va_list ap) {
        _cleanup_free_ char *message = NULL, *escaped = NULL;
        int saved = errno;

        if (vasprintf(&message, format, ap) < 0) {
                message = NULL;
                fputs("luoctl: Out of memory.\n", stderr);
        } else if (text_escape(message, strlen(message), &escaped) < 0)
                fputs("luoctl: Out of memory.\n", stderr);
        else
                fprintf(stderr, "luoctl: %s\n", escaped);

        errno = saved;
}

void report(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vreport(format, ap);
        va_end(ap);
}

ExitStatus report_oom(void) {
        fputs("luoctl: Out of memory.\n", stderr);
        return STATUS_FAILURE;
}

ExitStatus report_usage(const char *verb, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vreport(format, ap);
        va_end(ap);

        fprintf(stderr, "Try 'luoctl %s%s--help'.\n", strempty(verb), verb ? " " : "");
        return STATUS_USAGE;
}

void print_bytes(const void *data, size_t size) {
        _cleanup_free_ char *escaped = NULL;

        if (text_escape(data, size, &escaped) < 0)
                fputs("(out of memory)", stdout);
        else
                fputs(escaped, stdout);
}

void print_text(const char *text) {
        print_bytes(text, strlen(text));
}

void print_key(const char *key, int width) {
        printf("%*s%c ", width, strempty(key), key ? ':' : ' ');
}

void print_described(const char *word, const char *meaning) {
        print_text(strempty(word));
        if (meaning)
                printf(" (%s)", meaning);
        putchar('\n');
}

size_t output_width(void) {
        const char *columns = getenv("COLUMNS");
        struct winsize size = {};

        if (!isatty(STDOUT_FILENO))
                return TABLE_WIDTH_UNLIMITED;

        if (columns) {
                char *end;
                unsigned long n = strtoul(columns, &end, 10);

                if (end != columns && *end == '\0' && n > 0 && n <= COLUMNS_MAX)
                        return n;
        }

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return COLUMNS_DEFAULT;
        return size.ws_col;
}

void print_json(const char *json) {
        fputs(json, stdout);
        fputc('\n', stdout);
}

ExitStatus output_finish(ExitStatus status) {
        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;

        report("Can't write to standard output: %s", errno > 0 ? strerror(errno) : "write error");
        return STATUS_FAILURE;
}
