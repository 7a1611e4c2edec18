/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-cmdline.h"

typedef struct Word {
        const char *start; /* of all of it, quotes included */
        const char *param;
        size_t n_param;
        const char *value; /* NULL: none */
        size_t n_value;
        const char *end;
} Word;

static bool is_space(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As next_arg() of the kernel does, with its idea of quotes. */
static bool next_word(const char *p, Word *ret) {
        bool in_quote, quoted;
        const char *args;
        size_t i = 0, equals = 0, end;

        while (is_space(*p))
                p++;
        if (!*p)
                return false;

        in_quote = quoted = *p == '"';
        args = p + quoted;
        for (; args[i]; i++) {
                if (is_space(args[i]) && !in_quote)
                        break;
                if (equals == 0 && args[i] == '=')
                        equals = i;
                if (args[i] == '"')
                        in_quote = !in_quote;
        }

        end = i;
        if (quoted && end > 0 && args[end - 1] == '"')
                end--;
        *ret = (Word){ .start = p, .param = args, .n_param = equals ? equals : end, .end = args + i };
        if (equals) {
                size_t from = equals + 1;

                if (args[from] == '"') {
                        from++;
                        if (end == i && i > from && args[i - 1] == '"')
                                end--;
                }
                ret->value = args + from;
                ret->n_value = end > from ? end - from : 0;
        }
        return true;
}

static bool word_is(const Word *w, const char *param) {
        return w->n_param == strlen(param) && memcmp(w->param, param, w->n_param) == 0;
}

static KernelSwitch read_bool(const Word *w, KernelSwitch before) {
        char c = w->n_value > 0 ? w->value[0] : '\0', d = w->n_value > 1 ? w->value[1] : '\0';

        if (c && strchr("yYtT1", c))
                return KERNEL_SWITCH_ON;
        if (c && strchr("nNfF0", c))
                return KERNEL_SWITCH_OFF;
        if ((c == 'o' || c == 'O') && (d == 'n' || d == 'N'))
                return KERNEL_SWITCH_ON;
        if ((c == 'o' || c == 'O') && (d == 'f' || d == 'F'))
                return KERNEL_SWITCH_OFF;
        return before;
}

KernelSwitch kernel_cmdline_switch(const char *cmdline, const char *param, KernelSwitch before) {
        Word w;

        for (const char *p = cmdline; next_word(p, &w); p = w.end) {
                if (!w.value && word_is(&w, "--"))
                        break;
                if (word_is(&w, param))
                        before = read_bool(&w, before);
        }
        return before;
}

int kernel_cmdline_without(const char *cmdline, const char *param, char **ret) {
        char *copy = malloc(strlen(cmdline) + 1);
        size_t n = 0;
        Word w;

        if (!copy)
                return -ENOMEM;
        for (const char *p = cmdline; next_word(p, &w); p = w.end) {
                if (word_is(&w, param))
                        continue;
                if (n > 0)
                        copy[n++] = ' ';
                memcpy(copy + n, w.start, (size_t) (w.end - w.start));
                n += (size_t) (w.end - w.start);
        }
        copy[n] = '\0';
        *ret = copy;
        return 0;
}
