/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "macro.h"

/* A fuzz target is a file fuzz-NAME.c with this one function. It is linked with libFuzzer (meson option "fuzzers"), or with
 * fuzz-main.c, which runs it over the files in corpus/NAME as a plain test. What must hold is said by require(). */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Optional. May end the process with 77 (skipped). */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define require(condition)                                                                              \
        do {                                                                                            \
                if (!(condition)) {                                                                     \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);  \
                        abort();                                                                        \
                }                                                                                       \
        } while (0)

/* The bytes of an input, taken from the front. Behind the end all is 0. */
typedef struct Input {
        const uint8_t *data;
        size_t size;
} Input;

static inline _unused_ uint8_t input_u8(Input *i) {
        if (i->size == 0)
                return 0;
        i->size--;
        return *i->data++;
}

static inline _unused_ uint64_t input_number(Input *i, unsigned n_bytes) {
        uint64_t value = 0;

        for (unsigned k = 0; k < n_bytes; k++)
                value |= (uint64_t) input_u8(i) << 8 * k;
        return value;
}

/* Up to @n bytes, borrowed. */
static inline _unused_ const uint8_t *input_bytes(Input *i, size_t n, size_t *ret_n) {
        const uint8_t *start = i->data;

        *ret_n = MIN(n, i->size);
        i->data += *ret_n;
        i->size -= *ret_n;
        return start;
}

/* Up to the first NUL, or all the rest; the caller frees it. */
static inline _unused_ char *input_string(Input *i) {
        size_t n = strnlen((const char *) (i->data ? i->data : (const uint8_t *) ""), i->size), n_taken;
        const uint8_t *start = input_bytes(i, n, &n_taken);
        char *s = malloc(n_taken + 1);

        require(s);
        if (n_taken > 0)
                memcpy(s, start, n_taken);
        s[n_taken] = '\0';
        (void) input_u8(i);
        return s;
}
