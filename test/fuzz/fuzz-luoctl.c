/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "encode.h"
#include "format-value.h"
#include "fuzz.h"
#include "options.h"
#include "parse.h"
#include "table.h"
#include "text.h"
#include "time-span.h"

/* What luoctl is given: words of its command line, and text from elsewhere that it shows. The first byte: 0: the words of a
 * command line, each ending with a NUL; otherwise a single text. */

#define WORDS 16

static ExitStatus run_nothing(const Options *options) {
        return STATUS_OK;
}

static const Verb verbs[] = {
        { .name = "every", .arguments = "", .summary = "s", .description = "d", .options = ~0U, .max_arguments = -1, .run = run_nothing },
        { .name = "none", .arguments = "", .summary = "s", .description = "d", .min_arguments = 1, .max_arguments = 2, .run = run_nothing },
        { .name = "command", .arguments = "", .summary = "s", .description = "d", .options = OPTION_WHO | OPTION_MODE, .min_arguments = 1, .max_arguments = -1, .command = true, .run = run_nothing },
        {},
};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        require(fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
        return 0;
}

static void try_options(Input *input) {
        static char name[] = "luoctl";
        char *argv[WORDS + 2] = { name }, *words[WORDS];
        int argc = 1, errors;
        Options options;

        while (argc <= WORDS && input->size > 0) {
                words[argc - 1] = argv[argc] = input_string(input);
                argc++;
        }
        /* What it says of them is not of interest; require() must be heard. */
        errors = dup(STDERR_FILENO);
        require(errors >= 0 && dup2(STDOUT_FILENO, STDERR_FILENO) >= 0);
        if (options_parse(argc, argv, verbs, &options) == STATUS_OK && options.verb)
                require(options.help || options.n_arguments >= options.verb->min_arguments);
        options_done(&options);
        require(dup2(errors, STDERR_FILENO) >= 0);
        (void) close(errors);
        for (int i = 1; i < argc; i++)
                free(words[i - 1]);
}

static bool is_harmless(const char *s) {
        for (; *s; s++)
                if ((unsigned char) *s < 0x20 || *s == 0x7f)
                        return false;
        return true;
}

static void try_shown(const char *text) {
        static const TableColumn columns[] = { { "A", .shrink = true }, { "B", .right = true } };
        const char *cells[] = { text, "1" };
        char *escaped, *shorter, *s = NULL;
        size_t n = 0;
        Table *table;
        FILE *f;

        require(text_escape(text, strlen(text), &escaped) == 0);
        require(is_harmless(escaped) && text_is_utf8(escaped, strlen(escaped)));
        (void) text_width(escaped);
        require(text_ellipsize(escaped, 7, &shorter) == 0);
        require(is_harmless(shorter));
        free(shorter);
        require(text_shorten(text, 20, &shorter) == 0);
        require(is_harmless(shorter) && strlen(shorter) <= 20);
        free(shorter);
        free(escaped);

        f = open_memstream(&s, &n);
        require(f && table_new(columns, 2, &table) == 0 && table_add(table, cells) == 0);
        require(table_print(table, f, 20, /* header= */ true) == 0);
        table_free(table);
        (void) fclose(f);
        free(s);
}

static void try_parsers(const char *text) {
        const char *value;
        uint64_t number;
        char *key;
        bool yes;

        (void) parse_token(text, &number);
        (void) parse_yes_no(text, &yes);
        if (parse_assignment(text, &key, &value) == 0) {
                require(value > text && value <= text + strlen(text) && key[0] != '\0');
                free(key);
        }
        (void) time_span_parse(text, &number);
        (void) json_mode_from_string(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        char *text, *json;

        if (input_u8(&input) == 0) {
                try_options(&input);
                return 0;
        }
        text = input_string(&input);
        try_parsers(text);
        try_shown(text);
        if (text_is_utf8(text, strlen(text))) {
                require(text_escape_json(text, &json) == 0);
                free(json);
        }
        free(text);
        return 0;
}
