/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <unistd.h>

#include "build-config.h"
#include "output.h"
#include "verbs.h"

static ExitStatus verb_help(const Options *options);

static const Verb verbs[] = {
        {
                .name = "status",
                .arguments = "",
                .summary = "Show how luod is doing",
                .description =
                        "Shows what luod holds, what the kernel and systemd give it, and what is not as it\n"
                        "should be. With --quota, how much you have of what is limited (root: all users), and\n"
                        "the limits.",
                .options = OPTION_JSON | OPTION_BYTES | OPTION_QUOTA | OPTION_NO_LEGEND,
                .run = verb_status,
        },
        {
                .name = "list",
                .arguments = "",
                .summary = "List sessions",
                .description = "Lists the sessions that you may see: root sees all, others see their own.",
                .options = OPTION_JSON | OPTION_BYTES | OPTION_NO_LEGEND,
                .run = verb_list,
        },
        {
                .name = "show",
                .arguments = "SESSION",
                .summary = "Show a session and its files",
                .description = "Shows a session with its metadata and the files that it keeps.",
                .options = OPTION_JSON | OPTION_BYTES | OPTION_NO_LEGEND,
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_show,
        },
        {
                .name = "create",
                .arguments = "SESSION",
                .summary = "Make a session",
                .description =
                        "Makes a session that is kept over the next live update, and prints its object path.",
                .options = OPTION_JSON | OPTION_METADATA | OPTION_AUTO_RENEW,
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_create,
        },
        {
                .name = "preserve",
                .arguments = "SESSION TOKEN FILE|-",
                .summary = "Keep a copy of a file",
                .description =
                        "Copies FILE, or standard input, into memory and keeps that copy under TOKEN, a\n"
                        "number of your choice (decimal, or hexadecimal after 0x). Later changes of FILE are\n"
                        "not followed. The session must be an outgoing one.",
                .options = OPTION_LABEL,
                .min_arguments = 3,
                .max_arguments = 3,
                .run = verb_preserve,
        },
        {
                .name = "retrieve",
                .arguments = "SESSION TOKEN [FILE|-]",
                .summary = "Get back what was kept",
                .description =
                        "Writes what is kept under TOKEN to FILE, or to standard output. A regular FILE that\n"
                        "is there already is replaced in one step. The session must be an incoming one; it\n"
                        "still keeps the content until it is finished.",
                .min_arguments = 2,
                .max_arguments = 3,
                .run = verb_retrieve,
        },
        {
                .name = "was-restored",
                .arguments = "SESSION",
                .summary = "Tell whether a live update brought a session",
                .description =
                        "For a program that starts and must know whether to claim what was kept or to begin\n"
                        "afresh. Exits with 0 if SESSION is an incoming session of yours, with 1 if there is none,\n"
                        "with 13 if something in it did not come back, and with other statuses if that can't be\n"
                        "told. Prints nothing but errors.",
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_was_restored,
        },
        {
                .name = "set-metadata",
                .arguments = "SESSION KEY=VALUE...",
                .summary = "Change a session's metadata",
                .description = "Sets metadata of a session. An empty VALUE removes KEY.",
                .min_arguments = 2,
                .max_arguments = -1,
                .run = verb_set_metadata,
        },
        {
                .name = "renew",
                .arguments = "SESSION",
                .summary = "Keep an incoming session over the next live update, too",
                .description =
                        "Makes an incoming session an outgoing one with all that it has, under the same name\n"
                        "and tokens. Who has retrieved files goes on using them.",
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_renew,
        },
        {
                .name = "carry",
                .arguments = "SESSION...",
                .summary = "Keep unclaimed sessions over the next live update, too",
                .description =
                        "Keeps incoming sessions over the next live update for owners who do not come. They stay\n"
                        "unclaimed, and are there again after that update. With --all those are all that\n"
                        "were not claimed. Only root may.",
                .options = OPTION_ALL,
                .min_arguments = 0,
                .max_arguments = -1,
                .run = verb_carry,
        },
        {
                .name = "finish",
                .arguments = "SESSION",
                .summary = "End an incoming session",
                .description =
                        "Ends a session that a live update brought. What was not retrieved before is gone\n"
                        "for good; what 'luoctl retrieve' wrote is a copy and stays.",
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_finish,
        },
        {
                .name = "discard",
                .arguments = "SESSION",
                .summary = "Drop a session and all it keeps",
                .description =
                        "Drops a session of either direction. What it keeps is gone for good. There is no\n"
                        "way to drop a single file: the kernel has none.",
                .min_arguments = 1,
                .max_arguments = 2,
                .run = verb_discard,
        },
        {
                .name = "identify",
                .arguments = "FILE|-",
                .summary = "Tell what a file is, whether it can be kept, and who keeps it",
                .description =
                        "Looks at FILE, or at what standard input is (\"<&5\" passes the shell's file\n"
                        "descriptor 5), and changes nothing.",
                .options = OPTION_JSON | OPTION_BYTES,
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_identify,
        },
        {
                .name = "check",
                .arguments = "",
                .summary = "Tell what stands in the way of a live update",
                .description =
                        "Lists what luod found about this host, and what to do about it. The exit status is\n"
                        "0 if all is well, 10 if there are warnings, 11 if something blocks a live update.",
                .options = OPTION_JSON | OPTION_NO_LEGEND,
                .run = verb_check,
        },
        {
                .name = "reload",
                .arguments = "",
                .summary = "Have luod read its configuration anew",
                .description =
                        "Has luod read luod.conf and its drop-ins anew, and says what is wrong in them; all the\n"
                        "rest holds then. Only root may. The same as 'systemctl reload luod.service'.",
                .run = verb_reload,
        },
        {
                .name = "load",
                .arguments = "",
                .summary = "Load the kernel that comes next",
                .description =
                        "Has luod look into a kernel and load it, so that the next live update ('systemctl kexec')\n"
                        "jumps into it. Without options that is the kernel that runs, with its command line. What\n"
                        "would lose what is kept is refused, but with --force. Only root may.",
                .options = OPTION_KERNEL | OPTION_INITRD | OPTION_NO_INITRD | OPTION_REUSE_CMDLINE |
                           OPTION_APPEND | OPTION_CMDLINE | OPTION_FORCE,
                .run = verb_load,
        },
        {
                .name = "unload",
                .arguments = "",
                .summary = "Drop the kernel that is loaded",
                .description =
                        "Drops the kernel that is loaded to come next, whoever loaded it. Only root may.",
                .run = verb_unload,
        },
        {
                .name = "update",
                .arguments = "",
                .summary = "Update the kernel, keeping what sessions keep",
                .description =
                        "Checks, asks, loads the kernel that runs if none is loaded, has all prepare and waits for\n"
                        "them, and then has the host go down into the next kernel. What blocks ends it before it\n"
                        "begins. Interrupting luoctl cancels it. With --force it goes on at the deadline without\n"
                        "those who are not ready. Without a terminal nobody is asked. Only root may.",
                .options = OPTION_DRY_RUN | OPTION_DEADLINE | OPTION_FORCE | OPTION_YES |
                           OPTION_DROP_UNCLAIMED | OPTION_CARRY | OPTION_NO_WAIT,
                .run = verb_update,
        },
        {
                .name = "cancel",
                .arguments = "",
                .summary = "Cancel an update that is being prepared",
                .description =
                        "Cancels the update that is being prepared, whoever asked for it. All are told, and the\n"
                        "host is as before. Only root may.",
                .run = verb_cancel,
        },
        {
                .name = "inhibit",
                .arguments = "COMMAND...",
                .summary = "Run a command, and have updates wait for it",
                .description =
                        "Runs COMMAND, and holds a lock as long as it runs: an update waits for it, or with\n"
                        "--mode=block none can begin. Exits with its exit status. Options of luoctl stand before\n"
                        "COMMAND.",
                .options = OPTION_WHO | OPTION_WHY | OPTION_MODE,
                .min_arguments = 1,
                .max_arguments = -1,
                .command = true,
                .run = verb_inhibit,
        },
        {
                .name = "inhibitors",
                .arguments = "",
                .summary = "List the locks that hold updates off",
                .description =
                        "Lists the locks against updates that you may see: root sees all, others see their own.",
                .options = OPTION_JSON | OPTION_NO_LEGEND,
                .run = verb_inhibitors,
        },
        {
                .name = "release-lock",
                .arguments = "ID",
                .summary = "Break a lock that holds updates off",
                .description =
                        "Breaks the lock with the number ID ('luoctl inhibitors' has it), whoever holds it. Root may\n"
                        "break all, others their own.",
                .min_arguments = 1,
                .max_arguments = 1,
                .run = verb_release_lock,
        },
        {
                .name = "ready",
                .arguments = "SESSION [yes|no]",
                .summary = "Say whether a session is ready for an update",
                .description =
                        "With 'no' updates wait for the session from now on, until it is ready or their deadline\n"
                        "has come; with 'yes', or nothing, it is ready.",
                .min_arguments = 1,
                .max_arguments = 2,
                .run = verb_ready,
        },
        {
                .name = "report",
                .arguments = "[ID]",
                .summary = "Tell what became of a live update",
                .description =
                        "Shows when each stage of the live update began, what became of each session and who was\n"
                        "waited for: of the newest, or of the one with the number ID. Root sees all, others what\n"
                        "concerns their own sessions.",
                .options = OPTION_JSON | OPTION_PLOT | OPTION_LIST | OPTION_NO_LEGEND,
                .max_arguments = 1,
                .run = verb_report,
        },
        {
                .name = "monitor",
                .arguments = "",
                .summary = "Print what happens, as it happens",
                .description =
                        "Prints a line for each session that comes or goes, each change, and when luod goes\n"
                        "away or comes back, until it is interrupted.",
                .options = OPTION_JSON,
                .run = verb_monitor,
        },
        {
                .name = "help",
                .arguments = "[VERB]",
                .summary = "Show this, or the help on a verb",
                .description = "Shows the help on luoctl or on one of its verbs.",
                .max_arguments = 1,
                .run = verb_help,
        },
        {},
};

static ExitStatus verb_help(const Options *options) {
        const Verb *verb;

        if (options->n_arguments == 0) {
                help_print(verbs);
                return STATUS_OK;
        }

        verb = verb_find(verbs, options->arguments[0]);
        if (!verb)
                return report_usage(NULL, "There is no verb '%s'.", options->arguments[0]);
        help_print_verb(verb);
        return STATUS_OK;
}

/* A connection or file of luoctl's must not become 0, 1 or 2, or results would be written into it. Opened
 * read-only, so that to write there still fails. */
static void occupy_standard_fds(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && fd <= STDERR_FILENO);

        if (fd >= 0)
                (void) close(fd);
}

/* Names are UTF-8 whatever the locale says: one that does not know it could not measure wide characters. */
static void set_locale(void) {
        (void) setlocale(LC_ALL, "");
        if (!streq(nl_langinfo(CODESET), "UTF-8"))
                (void) setlocale(LC_CTYPE, "C.UTF-8");
}

static ExitStatus run(const Options *options) {
        if (options->version) {
                printf("luoctl " PROJECT_VERSION "\n");
                return STATUS_OK;
        }
        if (!options->verb) {
                help_print(verbs);
                return STATUS_OK;
        }
        if (options->help) {
                help_print_verb(options->verb);
                return STATUS_OK;
        }

        return options->verb->run(options);
}

int main(int argc, char **argv) {
        _cleanup_(options_done) Options options = OPTIONS_NULL;
        ExitStatus status;

        occupy_standard_fds();
        set_locale();
        status = options_parse(argc, argv, verbs, &options);
        if (status == STATUS_OK)
                status = run(&options);
        return output_finish(status);
}
