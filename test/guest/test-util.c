/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <time.h>

#include "test-util.h"

const char *test_context;

_noreturn_ static void _printf_(2, 0) end(int status, const char *format, va_list ap) {
        fflush(stdout);
        vfprintf(stderr, format, ap);
        if (test_context)
                fprintf(stderr, " (at: %s)", test_context);
        fputc('\n', stderr);
        exit(status);
}

void die(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        end(EXIT_BROKEN, format, ap);
}

void usage(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        end(EXIT_USAGE, format, ap);
}

void wrong(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        end(EXIT_REFUSED, format, ap);
}

uint64_t parse_number_base(const char *s, int base) {
        char *end_of_number;
        uint64_t n;

        errno = 0;
        n = strtoull(s, &end_of_number, base);
        if (errno != 0 || end_of_number == s || *end_of_number != '\0' || s[0] == '-')
                usage("'%s' is not a number", s);
        return n;
}

uint64_t parse_number(const char *s) {
        return parse_number_base(s, 0);
}

uint64_t now_monotonic_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* splitmix64 */
uint64_t random_next(uint64_t *state) {
        uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
}
