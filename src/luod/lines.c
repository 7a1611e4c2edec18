/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lines.h"

bool lines_take(const char **p, const char *key, char *ret, size_t size) {
        const char *end = strchr(*p, '\n');
        size_t n_key = strlen(key), n;

        if (!end || strncmp(*p, key, n_key) != 0 || (*p)[n_key] != ' ')
                return false;
        n = (size_t) (end - *p) - n_key - 1;
        if (n >= size)
                return false;
        memcpy(ret, *p + n_key + 1, n);
        ret[n] = '\0';
        *p = end + 1;
        return true;
}

bool lines_take_u64(const char **p, const char *key, uint64_t *ret) {
        char value[24], *end;
        const char *q = *p;
        uint64_t n;

        if (!lines_take(&q, key, value, sizeof(value)) || value[0] < '0' || value[0] > '9')
                return false;
        errno = 0;
        n = strtoull(value, &end, 10);
        if (errno != 0 || *end != '\0')
                return false;
        *ret = n;
        *p = q;
        return true;
}
