/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>

#include "options.h"
#include "output.h"
#include "time-span.h"

enum {
        ARG_VERSION = 0x100,
        ARG_JSON,
        ARG_BYTES,
        ARG_NO_LEGEND,
        ARG_LABEL,
        ARG_METADATA,
        ARG_KERNEL,
        ARG_INITRD,
        ARG_NO_INITRD,
        ARG_REUSE_CMDLINE,
        ARG_APPEND,
        ARG_CMDLINE,
        ARG_FORCE,
        ARG_DRY_RUN,
        ARG_DEADLINE,
        ARG_YES,
        ARG_DROP_UNCLAIMED,
        ARG_CARRY,
        ARG_NO_WAIT,
        ARG_WHO,
        ARG_WHY,
        ARG_MODE,
        ARG_AUTO_RENEW,
        ARG_ALL,
        ARG_PLOT,
        ARG_LIST,
        ARG_QUOTA,
};

static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, ARG_VERSION },
        { "json", optional_argument, NULL, ARG_JSON },
        { "bytes", no_argument, NULL, ARG_BYTES },
        { "no-legend", no_argument, NULL, ARG_NO_LEGEND },
        { "label", required_argument, NULL, ARG_LABEL },
        { "metadata", required_argument, NULL, ARG_METADATA },
        { "kernel", required_argument, NULL, ARG_KERNEL },
        { "initrd", required_argument, NULL, ARG_INITRD },
        { "no-initrd", no_argument, NULL, ARG_NO_INITRD },
        { "reuse-cmdline", no_argument, NULL, ARG_REUSE_CMDLINE },
        { "append", required_argument, NULL, ARG_APPEND },
        { "cmdline", required_argument, NULL, ARG_CMDLINE },
        { "force", no_argument, NULL, ARG_FORCE },
        { "dry-run", no_argument, NULL, ARG_DRY_RUN },
        { "deadline", required_argument, NULL, ARG_DEADLINE },
        { "yes", no_argument, NULL, ARG_YES },
        { "drop-unclaimed", required_argument, NULL, ARG_DROP_UNCLAIMED },
        { "carry", no_argument, NULL, ARG_CARRY },
        { "no-wait", no_argument, NULL, ARG_NO_WAIT },
        { "who", required_argument, NULL, ARG_WHO },
        { "why", required_argument, NULL, ARG_WHY },
        { "mode", required_argument, NULL, ARG_MODE },
        { "auto-renew", no_argument, NULL, ARG_AUTO_RENEW },
        { "all", no_argument, NULL, ARG_ALL },
        { "plot", no_argument, NULL, ARG_PLOT },
        { "list", no_argument, NULL, ARG_LIST },
        { "quota", no_argument, NULL, ARG_QUOTA },
        {},
};

static const struct {
        OptionFlags flag;
        const char *name;
        const char *form;
        const char *help;
} option_help[] = {
        { OPTION_JSON, "--json", "--json[=MODE]", "Print JSON: pretty, short (one line), or off" },
        { OPTION_BYTES, "--bytes", "--bytes", "Print sizes in bytes" },
        { OPTION_NO_LEGEND, "--no-legend", "--no-legend",
          "Print neither column headers nor a closing line" },
        { OPTION_LABEL, "--label", "--label=LABEL", "A name for the content, for people (up to 63 bytes)" },
        { OPTION_METADATA, "--metadata", "--metadata=KEY=VALUE",
          "Set metadata; may be given several times" },
        { OPTION_AUTO_RENEW, "--auto-renew", "--auto-renew",
          "Have luod renew it before each live update that follows" },
        { OPTION_ALL, "--all", "--all", "All sessions that were not claimed" },
        { OPTION_KERNEL, "--kernel", "--kernel=FILE",
          "The kernel to load (default: /boot/vmlinuz-RELEASE of the one that runs)" },
        { OPTION_INITRD, "--initrd", "--initrd=FILE",
          "Its initrd (default: the one beside /boot/vmlinuz-RELEASE, if any)" },
        { OPTION_NO_INITRD, "--no-initrd", "--no-initrd", "Load it without an initrd" },
        { OPTION_REUSE_CMDLINE, "--reuse-cmdline", "--reuse-cmdline",
          "With the command line of the kernel that runs (the default)" },
        { OPTION_APPEND, "--append", "--append=TEXT",
          "Add this to the command line of the kernel that runs" },
        { OPTION_CMDLINE, "--cmdline", "--cmdline=TEXT", "With this command line instead" },
        { OPTION_FORCE, "--force", "--force", "Go on although something is lost by it: see the verb" },
        { OPTION_DRY_RUN, "--dry-run", "--dry-run", "Look at everything, and change nothing" },
        { OPTION_DEADLINE, "--deadline", "--deadline=TIME",
          "Wait so long for those who prepare: \"90\" (seconds), \"1min 30s\"" },
        { OPTION_YES, "--yes", "--yes", "Don't ask" },
        { OPTION_DROP_UNCLAIMED, "--drop-unclaimed", "--drop-unclaimed=SESSION",
          "This incoming session may be lost; may be given several times" },
        { OPTION_CARRY, "--carry", "--carry", "Carry what nobody has claimed over this update, too" },
        { OPTION_NO_WAIT, "--no-wait", "--no-wait", "Return once all are told to prepare" },
        { OPTION_WHO, "--who", "--who=TEXT", "Who is waited for (default: the command)" },
        { OPTION_WHY, "--why", "--why=TEXT", "And for what" },
        { OPTION_MODE, "--mode", "--mode=MODE",
          "delay (the default): be waited for; block: let none begin" },
        { OPTION_PLOT, "--plot", "--plot", "Print a picture of it (SVG)" },
        { OPTION_LIST, "--list", "--list", "List all reports there are" },
        { OPTION_QUOTA, "--quota", "--quota", "Show who has how much of what is limited" },
};

const Verb *verb_find(const Verb *verbs, const char *name) {
        for (const Verb *v = verbs; v->name; v++)
                if (streq(v->name, name))
                        return v;
        return NULL;
}

void options_done(Options *o) {
        free(o->metadata);
        free(o->drop_unclaimed);
        *o = (Options) OPTIONS_NULL;
}

static ExitStatus add_value(const char ***values, size_t *n_values, const char *value) {
        const char **larger = reallocarray(*values, *n_values + 1, sizeof(*larger));

        if (!larger)
                return report_oom();
        *values = larger;
        larger[(*n_values)++] = value;
        return STATUS_OK;
}

/* What getopt_long() stumbled over; @word is the last argument that it is through with. */
static ExitStatus refuse_option(int c, const char *word) {
        if (c == ':')
                return report_usage(NULL, "Option '%s' needs a value.", word);
        /* A letter it does not know, perhaps one of several in an argument. */
        if (optopt > 0 && optopt < ARG_VERSION && optopt != 'h')
                return report_usage(NULL, "There is no option '-%c'.", optopt);
        if (optopt > 0)
                return report_usage(NULL, "Option '%.*s' takes no value.", (int) strcspn(word, "="), word);
        return report_usage(NULL, "There is no option '%s'.", word);
}

static ExitStatus take_deadline(Options *o) {
        if (time_span_parse(optarg, &o->deadline) < 0 || o->deadline == UINT64_MAX)
                return report_usage(
                        NULL,
                        "'%s' is not a span of time: a number of seconds, or one such as \"1min 30s\" "
                        "(h, min, s, ms).",
                        optarg);
        return STATUS_OK;
}

static ExitStatus take_mode(Options *o) {
        if (!streq(optarg, "delay") && !streq(optarg, "block"))
                return report_usage(NULL, "'%s' is not a mode of --mode: delay, block.", optarg);
        o->mode = optarg;
        return STATUS_OK;
}

/* Those of `update` and `inhibit`. */
static ExitStatus take_update_option(Options *o, int c, const char *word, unsigned *given) {
        switch (c) {
        case ARG_DRY_RUN:
                o->dry_run = true;
                *given |= OPTION_DRY_RUN;
                return STATUS_OK;
        case ARG_DEADLINE:
                *given |= OPTION_DEADLINE;
                return take_deadline(o);
        case ARG_YES:
                o->yes = true;
                *given |= OPTION_YES;
                return STATUS_OK;
        case ARG_DROP_UNCLAIMED:
                *given |= OPTION_DROP_UNCLAIMED;
                return add_value(&o->drop_unclaimed, &o->n_drop_unclaimed, optarg);
        case ARG_CARRY:
                o->carry = true;
                *given |= OPTION_CARRY;
                return STATUS_OK;
        case ARG_NO_WAIT:
                o->no_wait = true;
                *given |= OPTION_NO_WAIT;
                return STATUS_OK;
        case ARG_WHO:
                o->who = optarg;
                *given |= OPTION_WHO;
                return STATUS_OK;
        case ARG_WHY:
                o->why = optarg;
                *given |= OPTION_WHY;
                return STATUS_OK;
        case ARG_MODE:
                *given |= OPTION_MODE;
                return take_mode(o);
        default:
                return refuse_option(c, word);
        }
}

/* Those of `load`. */
static ExitStatus take_kernel_option(Options *o, int c, const char *word, unsigned *given) {
        switch (c) {
        case ARG_KERNEL:
                o->kernel = optarg;
                *given |= OPTION_KERNEL;
                return STATUS_OK;
        case ARG_INITRD:
                o->initrd = optarg;
                *given |= OPTION_INITRD;
                return STATUS_OK;
        case ARG_NO_INITRD:
                o->no_initrd = true;
                *given |= OPTION_NO_INITRD;
                return STATUS_OK;
        case ARG_REUSE_CMDLINE:
                o->reuse_cmdline = true;
                *given |= OPTION_REUSE_CMDLINE;
                return STATUS_OK;
        case ARG_APPEND:
                o->append = optarg;
                *given |= OPTION_APPEND;
                return STATUS_OK;
        case ARG_CMDLINE:
                o->cmdline = optarg;
                *given |= OPTION_CMDLINE;
                return STATUS_OK;
        case ARG_FORCE:
                o->force = true;
                *given |= OPTION_FORCE;
                return STATUS_OK;
        default:
                return take_update_option(o, c, word, given);
        }
}

/* One option that getopt_long() found; *given collects OptionFlags. */
static ExitStatus take_option(Options *o, int c, const char *word, unsigned *given) {
        switch (c) {
        case 'h':
                o->help = true;
                return STATUS_OK;
        case ARG_VERSION:
                o->version = true;
                return STATUS_OK;
        case ARG_JSON:
                o->json = optarg ? json_mode_from_string(optarg) : JSON_PRETTY;
                if (o->json == _JSON_MODE_INVALID)
                        return report_usage(NULL, "'%s' is not a mode of --json: short, pretty, off.",
                                            optarg);
                *given |= OPTION_JSON;
                return STATUS_OK;
        case ARG_BYTES:
                o->bytes = true;
                *given |= OPTION_BYTES;
                return STATUS_OK;
        case ARG_NO_LEGEND:
                o->legend = false;
                *given |= OPTION_NO_LEGEND;
                return STATUS_OK;
        case ARG_LABEL:
                o->label = optarg;
                *given |= OPTION_LABEL;
                return STATUS_OK;
        case ARG_PLOT:
                o->plot = true;
                *given |= OPTION_PLOT;
                return STATUS_OK;
        case ARG_QUOTA:
                o->quota = true;
                *given |= OPTION_QUOTA;
                return STATUS_OK;
        case ARG_LIST:
                o->list = true;
                *given |= OPTION_LIST;
                return STATUS_OK;
        case ARG_METADATA:
                *given |= OPTION_METADATA;
                return add_value(&o->metadata, &o->n_metadata, optarg);
        case ARG_AUTO_RENEW:
                o->auto_renew = true;
                *given |= OPTION_AUTO_RENEW;
                return STATUS_OK;
        case ARG_ALL:
                o->all = true;
                *given |= OPTION_ALL;
                return STATUS_OK;
        default:
                return take_kernel_option(o, c, word, given);
        }
}

static ExitStatus check_verb(const Options *o, unsigned given) {
        const Verb *v = o->verb;

        for (size_t i = 0; i < ARRAY_SIZE(option_help); i++)
                if (given & option_help[i].flag & ~v->options)
                        return report_usage(v->name, "'%s' does not take %s.", v->name, option_help[i].name);

        if (o->n_arguments < v->min_arguments)
                return report_usage(v->name, "'%s' needs more arguments: %s", v->name, v->arguments);
        if (v->max_arguments == 0 && o->n_arguments > 0)
                return report_usage(v->name, "'%s' takes no arguments.", v->name);
        if (v->max_arguments >= 0 && o->n_arguments > v->max_arguments)
                return report_usage(v->name, "'%s' takes fewer arguments: %s", v->name, v->arguments);
        return STATUS_OK;
}

/* All options up to what is none, or, with @permute, all that there are: those that are none are last then. *ret_first is
 * the first of them. */
static ExitStatus
take_options(int argc, char **argv, bool permute, Options *o, unsigned *given, int *ret_first) {
        ExitStatus status = STATUS_OK;

        optind = 0; /* once more from the start */
        opterr = 0;
        for (;;) {
                int c = getopt_long(argc, argv, permute ? ":h" : "+:h", long_options, NULL);

                if (c < 0)
                        break;
                status = take_option(o, c, argv[optind - 1], given);
                if (status != STATUS_OK)
                        break;
        }
        *ret_first = optind;
        return status;
}

static ExitStatus parse(int argc, char **argv, const Verb *verbs, Options *o) {
        unsigned given = 0;
        ExitStatus status;
        int first;

        status = take_options(argc, argv, /* permute= */ false, o, &given, &first);
        if (status != STATUS_OK)
                return status;
        if (o->version || (o->help && first == argc))
                return STATUS_OK;
        if (first == argc)
                return report_usage(NULL, "No verb given.");

        o->verb = verb_find(verbs, argv[first]);
        if (!o->verb)
                return report_usage(NULL, "There is no verb '%s'.", argv[first]);
        argc -= first;
        argv += first; /* the verb is in the place of the program's name */
        status = take_options(argc, argv, !o->verb->command, o, &given, &first);
        if (status != STATUS_OK)
                return status;
        if (o->version)
                return STATUS_OK;
        o->arguments = argv + first;
        o->n_arguments = argc - first;

        return o->help ? STATUS_OK : check_verb(o, given);
}

ExitStatus options_parse(int argc, char **argv, const Verb *verbs, Options *ret) {
        *ret = (Options) OPTIONS_NULL;
        return parse(argc, argv, verbs, ret);
}

void help_print(const Verb *verbs) {
        printf("Usage: luoctl [OPTION...] VERB [ARGUMENT...]\n\n"
               "Keep objects alive over a live update of the kernel, with luod.\n\n"
               "Verbs:\n");
        for (const Verb *v = verbs; v->name; v++) {
                char usage[64];

                snprintf(usage, sizeof(usage), "%s %s", v->name, v->arguments);
                printf("  %-36s %s\n", usage, v->summary);
        }

        printf("\nOptions (each verb's --help tells which it takes):\n");
        for (size_t i = 0; i < ARRAY_SIZE(option_help); i++)
                printf("  %-36s %s\n", option_help[i].form, option_help[i].help);
        printf("  %-36s %s\n  %-36s %s\n\n", "-h, --help", "Show this, or the help on a verb", "--version",
               "Show the version");
        printf("See luoctl(1) for the exit status and the JSON that is printed.\n");
}

void help_print_verb(const Verb *v) {
        printf("Usage: luoctl %s%s%s%s\n\n%s\n", v->name, v->options ? " [OPTION...]" : "",
               v->arguments[0] ? " " : "", v->arguments, v->description);

        printf("\nOptions:\n");
        for (size_t i = 0; i < ARRAY_SIZE(option_help); i++)
                if (v->options & option_help[i].flag)
                        printf("  %-22s %s\n", option_help[i].form, option_help[i].help);
        printf("  %-22s %s\n", "-h, --help", "Show this help");
}
