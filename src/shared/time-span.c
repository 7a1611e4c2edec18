/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "macro.h"
#include "time-span.h"

#define WHITESPACE " \t"

const char *digits_read(const char *p, uint64_t *ret, int *reterr) {
        uint64_t n = 0;

        *reterr = *p >= '0' && *p <= '9' ? 0 : -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(n, 10U, &n) ||
                    __builtin_add_overflow(n, (uint64_t) (*p - '0'), &n))
                        *reterr = -ERANGE;
        *ret = n;
        return p;
}

int time_span_parse(const char *text, uint64_t *ret) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                { "", 1000000 }, { "s", 1000000 }, { "ms", 1000 }, { "min", 60000000 }, { "h", 3600000000 }
        };
        uint64_t sum = 0;
        int error = 0;

        if (streq(text, "infinity")) {
                *ret = UINT64_MAX;
                return 0;
        }
        do {
                uint64_t n;
                size_t length, i;
                int r;

                text = digits_read(text, &n, &r);
                if (r == -EINVAL)
                        return r;
                text += strspn(text, WHITESPACE);
                length = strcspn(text, WHITESPACE "0123456789");
                for (i = 0; i < ARRAY_SIZE(units); i++)
                        if (strlen(units[i].name) == length && strncmp(text, units[i].name, length) == 0)
                                break;
                if (i == ARRAY_SIZE(units))
                        return -EINVAL;
                /* UINT64_MAX is "infinity", and not to be had by a number. */
                if (r < 0 || __builtin_mul_overflow(n, units[i].usec, &n) ||
                    __builtin_add_overflow(sum, n, &sum) || sum == UINT64_MAX)
                        error = -ERANGE;
                text += length;
                text += strspn(text, WHITESPACE);
        } while (*text != '\0');

        if (error >= 0)
                *ret = sum;
        return error;
}
