/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config-value.h"
#include "macro.h"
#include "name-util.h"
#include "time-span.h"

#define WHITESPACE " \t"
#define UNIT_NAME_MAX 255U

int config_value_bool(const char *text, bool *ret) {
        static const char *const names[][2] = { { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" } };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                for (unsigned value = 0; value < 2; value++)
                        if (streq(text, names[i][value])) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

int config_value_number(const char *text, uint64_t *ret) {
        uint64_t n;
        int r;

        text = digits_read(text, &n, &r);
        if (*text != '\0')
                return -EINVAL;
        if (r >= 0)
                *ret = n;
        return r;
}

int config_value_size(const char *text, uint64_t *ret) {
        static const char suffixes[] = "KMG";
        const char *suffix;
        uint64_t n;
        int r;

        text = digits_read(text, &n, &r);
        if (r == -EINVAL)
                return r;
        suffix = *text == '\0' ? NULL : strchr(suffixes, *text);
        if (*text != '\0' && (!suffix || text[1] != '\0'))
                return -EINVAL;
        if (r >= 0 && suffix && __builtin_mul_overflow(n, 1ULL << (10 * (suffix - suffixes + 1)), &n))
                r = -ERANGE;
        if (r >= 0)
                *ret = n;
        return r;
}

int config_value_percent(const char *text, uint64_t *ret) {
        uint64_t n;
        int r;

        text = digits_read(text, &n, &r);
        if (r == -EINVAL || !streq(text, "%"))
                return -EINVAL;
        if (r < 0 || n > 100)
                return -ERANGE;
        *ret = n;
        return 0;
}

int config_value_time(const char *text, uint64_t *ret) {
        return time_span_parse(text, ret);
}

static bool unit_name_is_valid(const char *text) {
        static const char *const types[] = { "automount", "device", "mount", "path",   "scope", "service",
                                             "slice",     "socket", "swap",  "target", "timer" };
        static const char valid[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.\\-@";
        const char *dot = strrchr(text, '.');

        if (!dot || dot == text || *text == '@' || strlen(text) > UNIT_NAME_MAX || text[strspn(text, valid)] != '\0')
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (streq(dot + 1, types[i]))
                        return true;
        return false;
}

int config_value_unit(const char *text, char **ret) {
        char *name;

        if (!unit_name_is_valid(text))
                return -EINVAL;
        name = strdup(text);
        if (!name)
                return -ENOMEM;
        *ret = name;
        return 0;
}

char **config_strings_free(char **list) {
        for (char **s = list; s && *s; s++)
                free(*s);
        free(list);
        return NULL;
}

DEFINE_CLEANUP_FUNC(char *, config_strings_free)

int config_value_strings(const char *text, char ***list) {
        _cleanup_(config_strings_freep) char **words = NULL;
        size_t n_old = 0, n = 0;
        char **longer;

        if (!is_printable_utf8(text))
                return -EINVAL;
        words = calloc(strlen(text) / 2 + 2, sizeof(*words)); /* each takes a byte and a space */
        if (!words)
                return -ENOMEM;
        for (const char *p = text; *(p += strspn(p, WHITESPACE)) != '\0'; p += strcspn(p, WHITESPACE)) {
                words[n] = strndup(p, strcspn(p, WHITESPACE));
                if (!words[n++])
                        return -ENOMEM;
        }

        while (*list && (*list)[n_old])
                n_old++;
        longer = reallocarray(*list, n_old + n + 1, sizeof(*longer));
        if (!longer)
                return -ENOMEM;
        memcpy(longer + n_old, words, (n + 1) * sizeof(*longer));
        memset(words, 0, n * sizeof(*words));
        *list = longer;
        return 0;
}
