/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "macro.h"
#include "parse.h"
#include "text.h"

/* Not isxdigit(): that one asks the locale. */
static int digit_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int parse_token(const char *s, uint64_t *ret) {
        unsigned base = 10;
        uint64_t token = 0;
        bool overflow = false;

        if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
                base = 16;
                s += 2;
        }
        if (*s == '\0')
                return -EINVAL;

        for (; *s; s++) {
                int digit = digit_value(*s);

                if (digit < 0 || (unsigned) digit >= base)
                        return -EINVAL;
                if (__builtin_mul_overflow(token, base, &token) ||
                    __builtin_add_overflow(token, (uint64_t) digit, &token))
                        overflow = true; /* but a letter further on is the better thing to complain of */
        }
        if (overflow)
                return -ERANGE;

        *ret = token;
        return 0;
}

int parse_assignment(const char *s, char **ret_key, const char **ret_value) {
        const char *equals = strchr(s, '=');
        char *key;

        if (!equals || equals == s)
                return -EINVAL;
        if (!text_is_utf8(s, (size_t) (equals - s)))
                return -EILSEQ;

        key = strndup(s, (size_t) (equals - s));
        if (!key)
                return -ENOMEM;

        *ret_key = key;
        *ret_value = equals + 1;
        return 0;
}

int parse_yes_no(const char *s, bool *ret) {
        if (!streq(s, "yes") && !streq(s, "no"))
                return -EINVAL;
        *ret = streq(s, "yes");
        return 0;
}
