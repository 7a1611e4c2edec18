/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "options.h"

static ExitStatus run_nothing(const Options *options) {
        return STATUS_OK;
}

static const Verb verbs[] = {
        { .name = "list",
          .arguments = "",
          .options = OPTION_JSON | OPTION_BYTES | OPTION_NO_LEGEND,
          .run = run_nothing },
        { .name = "get",
          .arguments = "A [B]",
          .options = OPTION_LABEL,
          .min_arguments = 1,
          .max_arguments = 2,
          .run = run_nothing },
        { .name = "set",
          .arguments = "A B...",
          .options = OPTION_METADATA,
          .min_arguments = 2,
          .max_arguments = -1,
          .run = run_nothing },
        { .name = "load",
          .arguments = "",
          .options = OPTION_KERNEL | OPTION_INITRD | OPTION_NO_INITRD | OPTION_REUSE_CMDLINE |
                     OPTION_APPEND | OPTION_CMDLINE | OPTION_FORCE,
          .run = run_nothing },
        { .name = "update",
          .arguments = "",
          .options = OPTION_DRY_RUN | OPTION_DEADLINE | OPTION_YES | OPTION_DROP_UNCLAIMED | OPTION_CARRY |
                     OPTION_NO_WAIT,
          .run = run_nothing },
        { .name = "run",
          .arguments = "COMMAND...",
          .options = OPTION_WHO | OPTION_WHY | OPTION_MODE,
          .min_arguments = 1,
          .max_arguments = -1,
          .command = true,
          .run = run_nothing },
        { .name = "create",
          .arguments = "A",
          .options = OPTION_AUTO_RENEW,
          .min_arguments = 1,
          .max_arguments = 1,
          .run = run_nothing },
        { .name = "carry",
          .arguments = "A...",
          .options = OPTION_ALL,
          .max_arguments = -1,
          .run = run_nothing },
        {},
};

typedef struct Fixture {
        Options options;
        char *argv[16];
} Fixture;

/* The complaints of luoctl are not the tests' own output. */
static ExitStatus parse_quietly(int argc, char **argv, Options *ret) {
        int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        ExitStatus status;

        assert_true(saved >= 0 && null >= 0);
        assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
        status = options_parse(argc, argv, verbs, ret);
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        close(null);
        close(saved);
        return status;
}

static int set_up(void **state) {
        *state = calloc(1, sizeof(Fixture));
        return *state ? 0 : -1;
}

static int tear_down(void **state) {
        options_done(&((Fixture *) *state)->options);
        free(*state);
        return 0;
}

/* Each string is a word of the command line; the last is NULL. */
static ExitStatus parse(Fixture *f, ...) {
        static char program[] = "luoctl";
        int argc = 1;
        va_list ap;

        options_done(&f->options);
        f->argv[0] = program;
        va_start(ap, f);
        do
                f->argv[argc] = va_arg(ap, char *);
        while (f->argv[argc++]);
        va_end(ap);

        return parse_quietly(argc - 1, f->argv, &f->options);
}

static void test_a_verb_comes_with_defaults(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "list", NULL), STATUS_OK);
        assert_string_equal(f->options.verb->name, "list");
        assert_int_equal(f->options.json, JSON_OFF);
        assert_true(f->options.legend);
        assert_false(f->options.bytes);
        assert_string_equal(f->options.label, "");
}

static void test_options_may_stand_anywhere(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "--bytes", "list", "--json=pretty", "--no-legend", NULL), STATUS_OK);
        assert_int_equal(f->options.json, JSON_PRETTY);
        assert_true(f->options.bytes);
        assert_false(f->options.legend);
        assert_int_equal(parse(f, "list", "--json", NULL), STATUS_OK); /* as pretty */
        assert_int_equal(f->options.json, JSON_PRETTY);
}

static void test_sessions_are_renewed_by_luod_or_carried_if_asked_for(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "create", "vm", NULL), STATUS_OK);
        assert_false(f->options.auto_renew || f->options.all);
        assert_int_equal(parse(f, "create", "vm", "--auto-renew", NULL), STATUS_OK);
        assert_true(f->options.auto_renew);
        assert_int_equal(parse(f, "create", "vm", "--all", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "carry", "--all", NULL), STATUS_OK);
        assert_true(f->options.all);
        assert_int_equal(parse(f, "carry", "a", "b", NULL), STATUS_OK);
        assert_int_equal(parse(f, "carry", "--auto-renew", NULL), STATUS_USAGE);
}

static void test_arguments_after_two_dashes_are_no_options(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "get", "--label", "x", "--", "--bytes", "-", NULL), STATUS_OK);
        assert_string_equal(f->options.label, "x");
        assert_int_equal(f->options.n_arguments, 2);
        assert_string_equal(f->options.arguments[0], "--bytes");
        assert_string_equal(f->options.arguments[1], "-");
}

static void test_metadata_adds_up(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "set", "--metadata=a=1", "x", "--metadata", "b=2", "y", "z", NULL),
                         STATUS_OK);
        assert_int_equal(f->options.n_metadata, 2);
        assert_string_equal(f->options.metadata[0], "a=1");
        assert_string_equal(f->options.metadata[1], "b=2");
        assert_int_equal(f->options.n_arguments, 3);
}

static void test_what_can_not_be_understood_is_refused(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "frobnicate", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "list", "--frobnicate", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "list", "-x", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "list", "--json=yaml", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "list", "--bytes=1", NULL), STATUS_USAGE);
}

static void test_a_verb_takes_only_its_own_options(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "list", "--label=x", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "get", "a", "--json=off", NULL), STATUS_USAGE);
}

static void test_the_number_of_arguments_is_checked(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "list", "x", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "get", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "get", "a", NULL), STATUS_OK);
        assert_int_equal(parse(f, "get", "a", "b", NULL), STATUS_OK);
        assert_int_equal(parse(f, "get", "a", "b", "c", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "set", "a", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "set", "a", "b", "c", "d", NULL), STATUS_OK);
}

static void test_help_needs_no_arguments(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "--help", NULL), STATUS_OK);
        assert_true(f->options.help);
        assert_null(f->options.verb);

        assert_int_equal(parse(f, "get", "-h", NULL), STATUS_OK);
        assert_true(f->options.help);
        assert_string_equal(f->options.verb->name, "get");

        assert_int_equal(parse(f, "--version", NULL), STATUS_OK);
        assert_true(f->options.version);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void test_options_of_load_are_taken(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "load", NULL), STATUS_OK);
        assert_null(f->options.kernel);
        assert_null(f->options.cmdline);
        assert_false(f->options.force);
        assert_int_equal(parse(f, "load", "--kernel=k", "--initrd", "i", "--append=a=b c", "--reuse-cmdline", "--force",
                               "--no-initrd", "--cmdline=", NULL),
                         STATUS_OK);
        assert_string_equal(f->options.kernel, "k");
        assert_string_equal(f->options.initrd, "i");
        assert_string_equal(f->options.append, "a=b c");
        assert_string_equal(f->options.cmdline, "");
        assert_true(f->options.reuse_cmdline && f->options.force && f->options.no_initrd);
        assert_int_equal(parse(f, "load", "--force=yes", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "load", "--kernel", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "list", "--force", NULL), STATUS_USAGE);
}

static void test_options_of_update_are_taken(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "update", NULL), STATUS_OK);
        assert_true(f->options.deadline == UINT64_MAX);
        assert_false(f->options.dry_run || f->options.yes || f->options.carry || f->options.no_wait);
        assert_int_equal(parse(f, "update", "--dry-run", "--yes", "--carry", "--no-wait",
                               "--deadline=1min 30s", "--drop-unclaimed=a", "--drop-unclaimed", "b", NULL),
                         STATUS_OK);
        assert_true(f->options.dry_run && f->options.yes && f->options.carry && f->options.no_wait);
        assert_true(f->options.deadline == 90000000);
        assert_int_equal(f->options.n_drop_unclaimed, 2);
        assert_string_equal(f->options.drop_unclaimed[0], "a");
        assert_string_equal(f->options.drop_unclaimed[1], "b");
        assert_int_equal(parse(f, "update", "--deadline=20", NULL), STATUS_OK);
        assert_true(f->options.deadline == 20000000);
        assert_int_equal(parse(f, "update", "--deadline=soon", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "update", "--deadline=-1", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "update", "--deadline=infinity", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "update", "--deadline=", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "list", "--dry-run", NULL), STATUS_USAGE);
}

static void test_a_command_keeps_its_own_options(void **state) {
        Fixture *f = *state;

        assert_int_equal(parse(f, "--why=x", "run", "--who", "w", "--mode=block", "cp", "--bytes", "-a",
                               "--", "b", NULL),
                         STATUS_OK);
        assert_string_equal(f->options.who, "w");
        assert_string_equal(f->options.why, "x");
        assert_string_equal(f->options.mode, "block");
        assert_false(f->options.bytes);
        assert_int_equal(f->options.n_arguments, 5);
        assert_string_equal(f->options.arguments[0], "cp");
        assert_string_equal(f->options.arguments[1], "--bytes");
        assert_string_equal(f->options.arguments[3], "--");
        assert_int_equal(parse(f, "run", "--", "--odd", "x", NULL), STATUS_OK);
        assert_string_equal(f->options.arguments[0], "--odd");
        assert_int_equal(f->options.n_arguments, 2);
        assert_int_equal(parse(f, "run", "sh", "--help", NULL), STATUS_OK);
        assert_false(f->options.help);
        assert_int_equal(parse(f, "run", "--help", NULL), STATUS_OK);
        assert_true(f->options.help);
        assert_int_equal(parse(f, "run", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "run", "--mode=later", "true", NULL), STATUS_USAGE);
        assert_int_equal(parse(f, "run", "--bytes", "true", NULL), STATUS_USAGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_verb_comes_with_defaults),
                TEST(test_options_may_stand_anywhere),
                TEST(test_arguments_after_two_dashes_are_no_options),
                TEST(test_metadata_adds_up),
                TEST(test_what_can_not_be_understood_is_refused),
                TEST(test_a_verb_takes_only_its_own_options),
                TEST(test_the_number_of_arguments_is_checked),
                TEST(test_help_needs_no_arguments),
                TEST(test_options_of_load_are_taken),
                TEST(test_options_of_update_are_taken),
                TEST(test_a_command_keeps_its_own_options),
                TEST(test_sessions_are_renewed_by_luod_or_carried_if_asked_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
