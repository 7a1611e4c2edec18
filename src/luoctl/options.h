/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encode.h"
#include "exit-status.h"
#include "macro.h"

/* The command line: luoctl [OPTION...] VERB [ARGUMENT...] */

typedef struct Options Options;

/* Bits of Verb.options */
typedef enum OptionFlags {
        OPTION_JSON = 1 << 0,
        OPTION_BYTES = 1 << 1,
        OPTION_NO_LEGEND = 1 << 2,
        OPTION_LABEL = 1 << 3,
        OPTION_METADATA = 1 << 4,
        OPTION_KERNEL = 1 << 5,
        OPTION_INITRD = 1 << 6,
        OPTION_NO_INITRD = 1 << 7,
        OPTION_REUSE_CMDLINE = 1 << 8,
        OPTION_APPEND = 1 << 9,
        OPTION_CMDLINE = 1 << 10,
        OPTION_FORCE = 1 << 11,
        OPTION_DRY_RUN = 1 << 12,
        OPTION_DEADLINE = 1 << 13,
        OPTION_YES = 1 << 14,
        OPTION_DROP_UNCLAIMED = 1 << 15,
        OPTION_CARRY = 1 << 16,
        OPTION_NO_WAIT = 1 << 17,
        OPTION_WHO = 1 << 18,
        OPTION_WHY = 1 << 19,
        OPTION_MODE = 1 << 20,
        OPTION_PLOT = 1 << 21,
        OPTION_LIST = 1 << 22,
        OPTION_AUTO_RENEW = 1 << 23,
        OPTION_ALL = 1 << 24,
        OPTION_QUOTA = 1 << 25,
} OptionFlags;

typedef struct Verb {
        const char *name;
        const char *arguments; /* for the help; "" if there are none */
        const char *summary;   /* one line */
        const char *description;
        unsigned options; /* OptionFlags that it takes, besides --help */
        int min_arguments;
        int max_arguments; /* -1: any number */
        bool command;      /* the arguments are a command: what follows the first one is not luoctl's */
        ExitStatus (*run)(const Options *options);
} Verb;

/* What to do, and how. All strings are borrowed from argv. */
struct Options {
        const Verb *verb;       /* NULL: none was given (--help alone) */
        char *const *arguments; /* of the verb */
        int n_arguments;
        bool help;
        bool version;
        JsonMode json;
        bool bytes;
        bool legend;
        const char *label;
        const char **metadata; /* KEY=VALUE, owned array */
        size_t n_metadata;
        const char *kernel; /* NULL: not given, as those that follow */
        const char *initrd;
        const char *append;
        const char *cmdline;
        bool no_initrd;
        bool reuse_cmdline;
        bool force;
        uint64_t deadline; /* µs from now; UINT64_MAX: not given */
        bool dry_run;
        bool yes;
        const char **drop_unclaimed; /* names of sessions, owned array */
        size_t n_drop_unclaimed;
        bool carry;
        bool no_wait;
        const char *who; /* NULL: not given, as those that follow */
        const char *why;
        const char *mode;
        bool plot;
        bool list;
        bool auto_renew;
        bool all;
        bool quota;
};

#define OPTIONS_NULL \
        { .json = JSON_OFF, .legend = true, .label = "", .deadline = UINT64_MAX }

/* options_parse() - understand the command line
 *
 * Reorders @argv, as getopt_long() does. @verbs ends with an entry without a name. Without a verb, one named
 * "help" or --help is what is meant. Release @ret with options_done() in any case.
 * Returns STATUS_OK, or STATUS_USAGE after saying why. */
ExitStatus options_parse(int argc, char **argv, const Verb *verbs, Options *ret);
void options_done(Options *options);

const Verb *verb_find(const Verb *verbs, const char *name);

/* The help on everything, and on one verb. */
void help_print(const Verb *verbs);
void help_print_verb(const Verb *verb);
