/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <unistd.h>

#include "bulk.h"
#include "fd-util.h"
#include "hammer.h"
#include "test-bus.h"
#include "test-file.h"

/* A client of luod for the tests: makes files of every kind, and says exactly what came back. */

static const char help[] =
        "luod-test-client VERB [OPTION]... [ARGUMENT]...\n"
        "\n"
        "  create NAME [KEY=VALUE]...          CreateSession, with metadata\n"
        "  get NAME                            GetSession\n"
        "  list                                ListSessions: name direction owner files bytes, one line each\n"
        "  show SESSION                        direction, owner, flags; one line\n"
        "  files SESSION                       token label kind size mode access state, one line each\n"
        "  metadata SESSION [KEY=VALUE]...     SetMetadata, or print it; KEY@=N: N bytes\n"
        "  preserve SESSION FILE...            one: Preserve; more, or --many: PreserveMany\n"
        "  retrieve SESSION TOKEN...           one: Retrieve; more, or --many: RetrieveMany\n"
        "  renew SESSION NEW TOKEN...          Retrieve, Finish, CreateSession NEW, Preserve again\n"
        "  finish SESSION\n"
        "  discard SESSION\n"
        "  checksum SPEC                       'checksum=' as retrieve prints it\n"
        "  fill SESSION COUNT                  COUNT times Preserve\n"
        "  raw-create-many PREFIX COUNT FILES SIZE\n"
        "  verify-many PREFIX COUNT FILES SIZE\n"
        "  hammer DIR SEED\n"
        "  hammer-check [--retrieve] DIR SEED\n"
        "  finish-many PREFIX COUNT\n"
        "  batch                               VERBs from stdin, over one connection, see below\n"
        "  hold-device                         keep /dev/liveupdate open; prints a line, ends with stdin\n"
        "\n"
        "  --each                raw-create-many: Preserve for each file, instead of PreserveMany for 16\n"
        "  --many                PreserveMany, RetrieveMany even for one\n"
        "  --accept-write-seal   option of PreserveMany\n"
        "  --print               after preserve: print the files as retrieve does\n"
        "  --again=SESSION:TOKEN after preserve or retrieve: Preserve the first file, opened once more, there;\n"
        "                        --expect is about this call then; with --hold: when that ends\n"
        "  --expect=ERROR        the call must fail with this error\n"
        "  --fail-finish         retrieve: the kernel refuses the next Finish of the objects' session\n"
        "  --hold                keep running (and all files open) until stdin ends\n"
        "  --drop                send the call over another connection, and close that without waiting for the answer\n"
        "\n"
        "FILE is TOKEN[:LABEL]=SPEC; SPEC is a list of, with commas between:\n"
        "  content=TEXT, random=SEED,size=N, size=N       what is in it\n"
        "  noexec-seal, tmpfile, linked, unlinked, path=FILE, opath, socket, pipe, eventfd, epoll, timerfd,\n"
        "  hugetlb, device=FILE, session, object          what it is, if not a memfd\n"
        "  fail-preserve=ERRNO, fail-freeze=ERRNO, fail-retrieve=ERRNO\n"
        "                                                 what the kernel is to refuse once, of an object\n"
        "  access=ro|wo|rw, pos=N, uid=N, gid=N, mode=OCTAL,\n"
        "  seals=seal+grow+shrink+write+future-write      how it is\n"
        "  same=TOKEN, dup=TOKEN, reopen=TOKEN, second=TOKEN\n"
        "                                                 an earlier one of the call\n"
        "  truncate-after, write-after=TEXT               done after the call, result printed\n"
        "  write-last=TEXT                                done when --hold ends, result printed\n"
        "\n"
        "A line for batch is VERB, options and arguments, with a tab after each but the last; \\t, \\n, \\\\ and\n"
        "\\xNN stand for bytes. It ends at the first that gives another status than 0, and says which.\n"
        "\n"
        "A call whose answer was lost because luod died is repeated. Exit status: 0; 1 if luod answered\n"
        "otherwise than it should; 2 usage; 3 the client could not do its part.\n";

static struct {
        const char *expect;
        const char *again;
        bool each, many, accept_write_seal, hold, drop, print, retrieve, fail_finish;
} options;

/* --- small calls */

/* A peer that is gone before it could be answered. */
static void send_and_leave(sd_bus_message *m) {
        sd_bus *bus = test_bus_open();
        int r = sd_bus_send(bus, m, NULL);

        if (r >= 0)
                r = sd_bus_flush(bus);
        check_message(r);
        sd_bus_close_unref(bus);
}

/* What every verb with one call and no result does in the end. */
static int call_and_end(sd_bus *bus, sd_bus_message *m) {
        if (!options.drop)
                return test_bus_call(bus, m, options.expect, /* ret_reply= */ NULL);
        send_and_leave(m);
        return EXIT_SUCCESS;
}

static void append_value(sd_bus_message *m, const char *value, bool sized) {
        _cleanup_free_ char *bytes = NULL;
        size_t size = sized ? parse_number(value) : strlen(value);

        bytes = malloc(size + 1);
        if (!bytes)
                die("Out of memory");
        if (sized)
                memset(bytes, 'x', size);
        else
                memcpy(bytes, value, size);
        check_message(sd_bus_message_append_array(m, 'y', bytes, size));
}

static void append_metadata(sd_bus_message *m, char **assignments, int n) {
        check_message(sd_bus_message_open_container(m, 'a', "{say}"));
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *key = strdup(assignments[i]);
                char *value = key ? strchr(key, '=') : NULL;
                bool sized;

                if (!value)
                        usage("'%s' is not KEY=VALUE", assignments[i]);
                sized = value > key && value[-1] == '@';
                value[sized ? -1 : 0] = '\0';
                check_message(sd_bus_message_open_container(m, 'e', "say"));
                check_message(sd_bus_message_append(m, "s", key));
                append_value(m, value + 1, sized);
                check_message(sd_bus_message_close_container(m));
        }
        check_message(sd_bus_message_close_container(m));
}

static int verb_create(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_manager_call(bus, "CreateSession");

        check_message(sd_bus_message_append(m, "s", argv[0]));
        check_message(sd_bus_message_open_container(m, 'a', "{sv}"));
        if (argc > 1) {
                check_message(sd_bus_message_open_container(m, 'e', "sv"));
                check_message(sd_bus_message_append(m, "s", "metadata"));
                check_message(sd_bus_message_open_container(m, 'v', "a{say}"));
                append_metadata(m, argv + 1, argc - 1);
                check_message(sd_bus_message_close_container(m));
                check_message(sd_bus_message_close_container(m));
        }
        check_message(sd_bus_message_close_container(m));
        return call_and_end(bus, m);
}

static int verb_get(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_manager_call(bus, "GetSession"), *reply = NULL;
        const char *path;
        int status;

        check_message(sd_bus_message_append(m, "s", argv[0]));
        status = test_bus_call(bus, m, options.expect, &reply);
        if (reply) {
                check_message(sd_bus_message_read(reply, "o", &path));
                puts(path);
        }
        return status;
}

static int end_session(sd_bus *bus, const char *name, const char *member) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_session_call(bus, name, member);

        return call_and_end(bus, m);
}

static int verb_finish(sd_bus *bus, int argc, char **argv) {
        return end_session(bus, argv[0], "Finish");
}

static int verb_discard(sd_bus *bus, int argc, char **argv) {
        return end_session(bus, argv[0], "Discard");
}

static void print_metadata(sd_bus *bus, const char *session) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = test_bus_get(bus, session, "Metadata", "a{say}");
        int r;

        check_message(sd_bus_message_enter_container(reply, 'a', "{say}"));
        while ((r = sd_bus_message_enter_container(reply, 'e', "say")) > 0) {
                const char *key;
                const void *value;
                size_t size;

                check_message(sd_bus_message_read(reply, "s", &key));
                check_message(sd_bus_message_read_array(reply, 'y', &value, &size));
                check_message(sd_bus_message_exit_container(reply));
                printf("%s=%.*s\n", key, (int) size, (const char *) value);
        }
        check_message(r);
}

static int verb_metadata(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (argc == 1) {
                print_metadata(bus, argv[0]);
                return EXIT_SUCCESS;
        }
        m = test_bus_session_call(bus, argv[0], "SetMetadata");
        append_metadata(m, argv + 1, argc - 1);
        return call_and_end(bus, m);
}

static int verb_list(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_manager_call(bus, "ListSessions"), *reply = NULL;
        const char *name, *direction, *path;
        uint32_t uid, n_files;
        uint64_t bytes;
        int r, status;

        status = test_bus_call(bus, m, options.expect, &reply);
        if (!reply)
                return status;
        check_message(sd_bus_message_enter_container(reply, 'a', "(ssuuto)"));
        while ((r = sd_bus_message_read(reply, "(ssuuto)", &name, &direction, &uid, &n_files, &bytes, &path)) > 0)
                printf("%s %s %u %u %" PRIu64 "\n", name, direction, uid, n_files, bytes);
        check_message(r);
        return EXIT_SUCCESS;
}

static void print_flags(sd_bus *bus, const char *session) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = test_bus_get(bus, session, "Flags", "as");
        const char *flag, *separator = "";
        int r;

        printf(" flags=");
        check_message(sd_bus_message_enter_container(reply, 'a', "s"));
        for (; (r = sd_bus_message_read(reply, "s", &flag)) > 0; separator = "+")
                printf("%s%s", separator, flag);
        check_message(r);
        putchar('\n');
}

static int verb_show(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *direction = test_bus_get(bus, argv[0], "Direction", "s"),
                                                        *owner = test_bus_get(bus, argv[0], "Owner", "u");
        const char *text;
        uint32_t uid;

        check_message(sd_bus_message_read(direction, "s", &text));
        check_message(sd_bus_message_read(owner, "u", &uid));
        printf("direction=%s owner=%u", text, uid);
        print_flags(bus, argv[0]);
        return EXIT_SUCCESS;
}

static int verb_files(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = test_bus_get(bus, argv[0], "Files", "a(tsstuss)");
        const char *label, *kind, *access, *state;
        uint64_t token, size;
        uint32_t mode;
        int r;

        check_message(sd_bus_message_enter_container(reply, 'a', "(tsstuss)"));
        while ((r = sd_bus_message_read(reply, "(tsstuss)", &token, &label, &kind, &size, &mode, &access, &state)) > 0)
                printf("%" PRIu64 " '%s' %s %" PRIu64 " %04o %s %s\n", token, label, kind, size, mode, access, state);
        check_message(r);
        return EXIT_SUCCESS;
}

/* --- preserve, retrieve */

static sd_bus_message *preserve_call(sd_bus *bus, const char *session, const TestFile *files, size_t n) {
        bool many = n > 1 || options.many || options.accept_write_seal;
        sd_bus_message *m = test_bus_session_call(bus, session, many ? "PreserveMany" : "Preserve");

        if (!many) {
                check_message(sd_bus_message_append(m, "tsh", files[0].token, files[0].label, files[0].fd));
                return m;
        }
        check_message(sd_bus_message_open_container(m, 'a', "(tsh)"));
        for (size_t i = 0; i < n; i++)
                check_message(sd_bus_message_append(m, "(tsh)", files[i].token, files[i].label, files[i].fd));
        check_message(sd_bus_message_close_container(m));
        if (options.accept_write_seal)
                check_message(sd_bus_message_append(m, "a{sv}", 1, "accept-write-seal", "b", 1));
        else
                check_message(sd_bus_message_append(m, "a{sv}", 0));
        return m;
}

static void hold_until_stdin_ends(void) {
        char buffer[256];

        puts("holding");
        fflush(stdout);
        while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
                ;
}

static int preserve_again(sd_bus *bus, int first) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *session = strdup(options.again);
        _cleanup_(closep) int fd = test_file_again(first);
        char *token = session ? strrchr(session, ':') : NULL;

        if (!token)
                usage("'%s' is not SESSION:TOKEN", options.again);
        if (fd < 0)
                die("Can't open the file once more: %s", strerror(-fd));
        *token++ = '\0';
        m = test_bus_session_call(bus, session, "Preserve");
        check_message(sd_bus_message_append(m, "tsh", parse_number(token), "again", fd));
        return test_bus_call(bus, m, options.expect, /* ret_reply= */ NULL);
}

static int verb_preserve(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        size_t n = (size_t) argc - 1;
        _cleanup_free_ TestFile *files = calloc(n + 1, sizeof(*files));
        int status;

        if (!files)
                die("Out of memory");
        for (size_t i = 0; i < n; i++)
                test_file_make(argv[1 + i], files, i, files + i);

        m = preserve_call(bus, argv[0], files, n);
        if (options.again)
                status = test_bus_call(bus, m, /* expect= */ NULL, /* ret_reply= */ NULL);
        else
                status = call_and_end(bus, m);
        for (size_t i = 0; i < n; i++) {
                test_file_act_afterwards(files + i);
                if (options.print)
                        test_file_print(files[i].token, files[i].fd);
        }
        if (options.hold)
                hold_until_stdin_ends();
        if (options.again && status == EXIT_SUCCESS)
                status = preserve_again(bus, files[0].fd);
        for (size_t i = 0; i < n; i++)
                test_file_act_at_last(files + i);
        while (n > 0)
                test_file_done(files + --n);
        return status;
}

/* The files in a reply belong to it. */
static sd_bus_message *retrieve(sd_bus *bus, const char *session, char **tokens, size_t n, int *ret_status) {
        bool many = n != 1 || options.many;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                test_bus_session_call(bus, session, many ? "RetrieveMany" : "Retrieve");
        sd_bus_message *reply;

        if (many)
                check_message(sd_bus_message_open_container(m, 'a', "t"));
        for (size_t i = 0; i < n; i++)
                check_message(sd_bus_message_append(m, "t", parse_number(tokens[i])));
        if (many)
                check_message(sd_bus_message_close_container(m));
        *ret_status = test_bus_call(bus, m, options.expect, &reply);
        return reply;
}

/* Calls @found for each file of the reply. */
static void read_files(sd_bus_message *reply, uint64_t only_token, void (*found)(uint64_t token, int fd, void *userdata),
                       void *userdata) {
        uint64_t token;
        int fd, r;

        if (sd_bus_message_has_signature(reply, "h")) {
                check_message(sd_bus_message_read(reply, "h", &fd));
                found(only_token, fd, userdata);
                return;
        }
        check_message(sd_bus_message_enter_container(reply, 'a', "(th)"));
        while ((r = sd_bus_message_read(reply, "(th)", &token, &fd)) > 0)
                found(token, fd, userdata);
        check_message(r);
}

static void print_file(uint64_t token, int fd, void *userdata) {
        int *first = userdata;

        test_file_print(token, fd);
        if (*first < 0)
                *first = fd;
        if (options.fail_finish)
                test_file_fail_to_finish(fd);
}

static int verb_retrieve(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *expect = options.expect;
        int status, first = -EBADF;

        if (options.again)
                options.expect = NULL;
        reply = retrieve(bus, argv[0], argv + 1, (size_t) argc - 1, &status);
        options.expect = expect;
        if (!reply)
                return status;
        read_files(reply, parse_number(argv[1]), print_file, &first);
        if (options.hold)
                hold_until_stdin_ends();
        if (options.again)
                status = preserve_again(bus, first);
        return status;
}

typedef struct Renewal {
        TestFile files[16];
        size_t n;
} Renewal;

static void keep_file(uint64_t token, int fd, void *userdata) {
        Renewal *r = userdata;

        if (r->n >= ARRAY_SIZE(r->files))
                die("Too many files");
        r->files[r->n++] = (TestFile) { .token = token, .label = (char *) "renewed", .fd = fd };
}

static int verb_renew(sd_bus *bus, int argc, char **argv) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL, *m = NULL;
        Renewal renewal = {};
        int status;

        reply = retrieve(bus, argv[0], argv + 2, (size_t) argc - 2, &status);
        if (!reply)
                return status;
        read_files(reply, parse_number(argv[2]), keep_file, &renewal);

        status = end_session(bus, argv[0], "Finish");
        if (status == EXIT_SUCCESS)
                status = verb_create(bus, 1, argv + 1);
        if (status != EXIT_SUCCESS)
                return status;
        m = preserve_call(bus, argv[1], renewal.files, renewal.n);
        return call_and_end(bus, m);
}

/* --- without the bus */

static int verb_checksum(sd_bus *bus, int argc, char **argv) {
        _cleanup_free_ char *text = NULL;
        TestFile file;

        if (asprintf(&text, "0=%s", argv[0]) < 0)
                die("Out of memory");
        test_file_make(text, NULL, 0, &file);
        printf("checksum=%08x\n", test_file_checksum(file.spare));
        test_file_done(&file);
        return EXIT_SUCCESS;
}

static int verb_hold_device(sd_bus *bus, int argc, char **argv) {
        _cleanup_(closep) int fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

        if (fd < 0)
                die("/dev/liveupdate: %m");
        hold_until_stdin_ends();
        return EXIT_SUCCESS;
}

static int verb_finish_many(sd_bus *bus, int argc, char **argv) {
        return bulk_finish(argv[0], parse_number(argv[1]));
}

static int verb_fill(sd_bus *bus, int argc, char **argv) {
        return bulk_fill(argv[0], parse_number(argv[1]));
}

static int verb_raw_create_many(sd_bus *bus, int argc, char **argv) {
        return bulk_create(argv[0], parse_number(argv[1]), parse_number(argv[2]), parse_number(argv[3]), options.each);
}

static int verb_verify_many(sd_bus *bus, int argc, char **argv) {
        return bulk_verify(argv[0], parse_number(argv[1]), parse_number(argv[2]), parse_number(argv[3]));
}

static int verb_hammer(sd_bus *bus, int argc, char **argv) {
        return hammer(argv[0], parse_number(argv[1]));
}

static int verb_hammer_check(sd_bus *bus, int argc, char **argv) {
        return hammer_check(argv[0], parse_number(argv[1]), options.retrieve);
}

/* --- */

static int verb_batch(sd_bus *bus, int argc, char **argv);

static const struct {
        const char *name;
        int min_arguments, max_arguments; /* the latter -1: no limit */
        bool no_bus;
        int (*run)(sd_bus *bus, int argc, char **argv);
} verbs[] = {
        { "create", 1, -1, false, verb_create },
        { "get", 1, 1, false, verb_get },
        { "list", 0, 0, false, verb_list },
        { "show", 1, 1, false, verb_show },
        { "files", 1, 1, false, verb_files },
        { "metadata", 1, -1, false, verb_metadata },
        { "preserve", 1, -1, false, verb_preserve },
        { "retrieve", 1, -1, false, verb_retrieve },
        { "renew", 3, 18, false, verb_renew },
        { "finish", 1, 1, false, verb_finish },
        { "discard", 1, 1, false, verb_discard },
        { "checksum", 1, 1, true, verb_checksum },
        { "fill", 2, 2, true, verb_fill },
        { "raw-create-many", 4, 4, true, verb_raw_create_many },
        { "verify-many", 4, 4, true, verb_verify_many },
        { "hammer", 2, 2, true, verb_hammer },
        { "hammer-check", 2, 2, true, verb_hammer_check },
        { "finish-many", 2, 2, true, verb_finish_many },
        { "batch", 0, 0, false, verb_batch },
        { "hold-device", 0, 0, true, verb_hold_device },
};

static void parse_options(int argc, char **argv) {
        static const struct option long_options[] = {
                { "many", no_argument, NULL, 'm' },     { "accept-write-seal", no_argument, NULL, 'a' },
                { "expect", required_argument, NULL, 'e' }, { "hold", no_argument, NULL, 'o' },
                { "drop", no_argument, NULL, 'd' },     { "retrieve", no_argument, NULL, 'r' },
                { "each", no_argument, NULL, 'E' },
                { "print", no_argument, NULL, 'p' },    { "again", required_argument, NULL, 'A' },
                { "fail-finish", no_argument, NULL, 'F' }, { "help", no_argument, NULL, 'h' },
                {},
        };

        for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0;)
                switch (c) {
                case 'm':
                        options.many = true;
                        break;
                case 'a':
                        options.accept_write_seal = true;
                        break;
                case 'e':
                        options.expect = optarg;
                        break;
                case 'o':
                        options.hold = true;
                        break;
                case 'd':
                        options.drop = true;
                        break;
                case 'E':
                        options.each = true;
                        break;
                case 'p':
                        options.print = true;
                        break;
                case 'A':
                        options.again = optarg;
                        break;
                case 'r':
                        options.retrieve = true;
                        break;
                case 'F':
                        options.fail_finish = true;
                        break;
                case 'h':
                        fputs(help, stdout);
                        exit(EXIT_SUCCESS);
                default:
                        exit(EXIT_USAGE);
                }
}

/* The arguments, the verb first. */
static int run_verb(sd_bus *bus, int argc, char **argv) {
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                if (!streq(verbs[i].name, argv[0]))
                        continue;
                argc--;
                if (argc < verbs[i].min_arguments || (verbs[i].max_arguments >= 0 && argc > verbs[i].max_arguments))
                        usage("Wrong number of arguments for '%s'; see --help", argv[0]);
                return verbs[i].run(bus, argc, argv + 1);
        }
        usage("There is no verb '%s'; see --help", argv[0]);
}

static bool needs_bus(const char *verb) {
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i].name, verb))
                        return !verbs[i].no_bus;
        return false;
}

static char unescape(char **p) {
        unsigned value;
        int n = 0;

        switch (*++*p) {
        case 't':
                return '\t';
        case 'n':
                return '\n';
        case 'x':
                if (sscanf(*p, "x%2x%n", &value, &n) == 1 && n == 3) {
                        *p += 2;
                        return (char) value;
                }
                usage("There is a wrong escape in the batch");
        default:
                return **p;
        }
}

/* Cuts the line up, in place. */
static int split_line(char *line, char **ret_argv, int max) {
        char *to = line;
        int n = 0;

        ret_argv[n++] = (char *) "luod-test-client";
        ret_argv[n++] = line;
        for (char *p = line; *p; p++) {
                if (*p == '\t') {
                        if (n >= max - 1)
                                usage("There is a line of too many words in the batch");
                        *to++ = '\0';
                        ret_argv[n++] = to;
                } else
                        *to++ = *p == '\\' ? unescape(&p) : *p;
        }
        *to = '\0';
        ret_argv[n] = NULL;
        return n;
}

static int run_line(sd_bus *bus, char *line) {
        char *argv[1024];
        int argc = split_line(line, argv, ARRAY_SIZE(argv));

        memset(&options, 0, sizeof(options));
        optind = 0; /* getopt starts anew */
        parse_options(argc, argv);
        if (optind >= argc)
                usage("There is an empty line in the batch");
        return run_verb(bus, argc - optind, argv + optind);
}

static int verb_batch(sd_bus *bus, int argc, char **argv) {
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;
        ssize_t n;

        while ((n = getline(&line, &allocated, stdin)) > 0) {
                _cleanup_free_ char *copy = NULL;
                int status;

                if (line[n - 1] == '\n')
                        line[n - 1] = '\0';
                copy = strdup(line);
                if (!copy)
                        die("Out of memory");
                test_context = line;
                status = run_line(bus, copy);
                if (status != EXIT_SUCCESS)
                        wrong("That was not what it should be");
        }
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        sd_bus *bus = NULL;
        int status;

        parse_options(argc, argv);
        if (optind >= argc)
                usage("%s", help);
        if (needs_bus(argv[optind]))
                bus = test_bus_open();
        status = run_verb(bus, argc - optind, argv + optind);
        sd_bus_flush_close_unref(bus);
        return status;
}
