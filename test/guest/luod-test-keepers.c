/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus-names.h"
#include "fd-util.h"
#include "test-bus.h"
#include "test-file.h"

/* One object, one keeper: tries to have an object kept twice, by fds that were come by in every way, in every place, and
 * by two clients at once. */

static const char help[] =
        "luod-test-keepers PREFIX USER RACES WAY...\n"
        "\n"
        "Makes an object, and a second fd of it by each WAY:\n"
        "  same, dup, reopen      of a memfd: the same fd, a dup, opened once more through /proc\n"
        "  passed                 the memfd's fd, sent through another process\n"
        "  tmpfile, unlinked      O_TMPFILE, and a file of a tmpfs whose name is gone, opened once more through /proc\n"
        "  object                 the kernel's test file handler's second open\n"
        "\n"
        "Has it kept in a session of root's, and tries the second fd in the same session, in another one, and as USER;\n"
        "then root and USER race for objects, RACES times. Sessions are named PREFIX-... Prints a line for each WAY. Exit\n"
        "status: 0 if of two exactly one was taken each time; 1 if not; 2 usage; 3 it could not do its part.\n";

static const struct {
        const char *name, *first, *second;
} ways[] = {
        { "same", "1=content=first", "2=same=1" },
        { "dup", "1=content=first", "2=dup=1" },
        { "reopen", "1=content=first", "2=reopen=1" },
        { "passed", "1=content=first", "2=same=1" },
        { "tmpfile", "1=tmpfile,content=first", "2=reopen=1" },
        { "unlinked", "1=unlinked,content=first", "2=reopen=1" },
        { "object", "1=object,content=first", "2=second=1" },
};

#define SESSION_NAME_SIZE 64
#define RACES_PER_SESSION 100U

/* --- clients, each a process with a connection of its own */

typedef enum Order {
        ORDER_CREATE,
        ORDER_DISCARD,
        ORDER_PRESERVE,
        ORDER_RACE, /* Preserve, when @start says so */
        ORDER_ECHO, /* gives the fd back */
} Order;

typedef struct Request {
        Order order;
        char session[SESSION_NAME_SIZE];
        uint64_t token;
        uint64_t start;
} Request;

typedef struct Answer {
        char error[128]; /* "": it went well */
        char message[512];
} Answer;

typedef struct Client {
        const char *name;
        int sock;
        pid_t pid;
} Client;

/* Which race may start: both clients look at it, so that neither is before the other by more than a moment. */
static _Atomic uint64_t *start_gate;

static sd_bus_message *make_message(sd_bus *bus, const Request *request, int fd) {
        sd_bus_message *m;

        switch (request->order) {
        case ORDER_CREATE:
                m = test_bus_manager_call(bus, "CreateSession");
                check_message(sd_bus_message_append(m, "sa{sv}", request->session, 0));
                return m;
        case ORDER_DISCARD:
                return test_bus_session_call(bus, request->session, "Discard");
        default:
                m = test_bus_session_call(bus, request->session, "Preserve");
                check_message(sd_bus_message_append(m, "tsh", request->token, "", fd));
                return m;
        }
}

static void carry_out(sd_bus *bus, const Request *request, int fd, Answer *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = make_message(bus, request, fd);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (request->order == ORDER_RACE)
                while (atomic_load(start_gate) < request->start)
                        (void) sched_yield();
        if (sd_bus_call(bus, m, TEST_TIMEOUT_USEC, &error, NULL) < 0) {
                (void) snprintf(ret->error, sizeof(ret->error), "%s", strempty(error.name));
                (void) snprintf(ret->message, sizeof(ret->message), "%s", strempty(error.message));
        }
}

_noreturn_ static void serve(int sock, const struct passwd *user) {
        sd_bus *bus;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (user && (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
                     setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0))
                die("Can't become %s: %m", user->pw_name);
        bus = test_bus_open();
        for (;;) {
                Request request;
                Answer answer = {};
                size_t n_fds = 0;
                int fd = -EBADF, r;

                r = fd_receive(sock, &request, sizeof(request), &fd, 1, &n_fds);
                if (r < 0)
                        exit(r == -ENODATA ? EXIT_SUCCESS : EXIT_BROKEN);
                if (request.order != ORDER_ECHO)
                        carry_out(bus, &request, fd, &answer);
                if (fd_send(sock, &answer, sizeof(answer), &fd, request.order == ORDER_ECHO) < 0)
                        exit(EXIT_BROKEN);
                safe_close(fd);
        }
}

static void client_start(Client *c, const char *name) {
        const struct passwd *user = NULL;
        int socks[2];

        if (!streq(name, "root")) {
                user = getpwnam(name);
                if (!user)
                        die("There is no user '%s'", name);
        }
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0)
                die("socketpair: %m");
        *c = (Client) { .name = name, .sock = socks[0], .pid = fork() };
        if (c->pid < 0)
                die("fork: %m");
        if (c->pid == 0) {
                safe_close(socks[0]);
                serve(socks[1], user);
        }
        safe_close(socks[1]);
}

static void ask(const Client *c, const Request *request, int fd) {
        if (fd_send(c->sock, request, sizeof(*request), &fd, fd >= 0) < 0)
                die("%s is gone", c->name);
}

static int answer_of(const Client *c, Answer *ret) {
        size_t n_fds = 0;
        int fd = -EBADF;

        if (fd_receive(c->sock, ret, sizeof(*ret), &fd, 1, &n_fds) < 0)
                die("%s gave no answer", c->name);
        return fd;
}

static Answer call(const Client *c, Order order, const char *session, uint64_t token, int fd) {
        Request request = { .order = order, .token = token };
        Answer answer;

        (void) snprintf(request.session, sizeof(request.session), "%s", session);
        ask(c, &request, fd);
        safe_close(answer_of(c, &answer));
        return answer;
}

static void must(Answer answer, const char *what) {
        if (answer.error[0])
                wrong("%s: %s: %s", what, answer.error, answer.message);
}

static void must_not(Answer answer, const char *what, const char *part_of_message) {
        if (!answer.error[0])
                wrong("%s was taken: two keepers", what);
        if (!streq(answer.error, LUOD_ERROR_ALREADY_PRESERVED))
                wrong("%s: %s: %s", what, answer.error, answer.message);
        if (part_of_message && !strstr(answer.message, part_of_message))
                wrong("%s: the message does not say '%s': %s", what, part_of_message, answer.message);
}

/* --- the matrix */

typedef struct Matrix {
        Client root, user;
        char one[SESSION_NAME_SIZE], other[SESSION_NAME_SIZE], theirs[SESSION_NAME_SIZE];
        uint64_t n_races;
} Matrix;

typedef struct Pair {
        TestFile files[2];
} Pair;

static void pair_make(const Matrix *x, size_t way, Pair *ret) {
        test_file_make(ways[way].first, NULL, 0, ret->files);
        test_file_make(ways[way].second, ret->files, 1, ret->files + 1);
        if (streq(ways[way].name, "passed")) {
                Request request = { .order = ORDER_ECHO };
                Answer answer;

                ask(&x->user, &request, ret->files[1].fd);
                ret->files[1].fd = answer_of(&x->user, &answer);
                if (ret->files[1].fd < 0)
                        die("%s did not give the fd back", x->user.name);
                ret->files[1].reference = REFERENCE_NONE; /* it is another number */
        }
}

static void pair_done(Pair *p) {
        test_file_done(p->files + 1);
        test_file_done(p->files);
}

static void create_sessions(const Matrix *x) {
        must(call(&x->root, ORDER_CREATE, x->one, 0, -EBADF), "CreateSession");
        must(call(&x->root, ORDER_CREATE, x->other, 0, -EBADF), "CreateSession");
        must(call(&x->user, ORDER_CREATE, x->theirs, 0, -EBADF), "CreateSession");
}

static void discard_sessions(const Matrix *x) {
        must(call(&x->root, ORDER_DISCARD, x->one, 0, -EBADF), "Discard");
        must(call(&x->root, ORDER_DISCARD, x->other, 0, -EBADF), "Discard");
        must(call(&x->user, ORDER_DISCARD, x->theirs, 0, -EBADF), "Discard");
}

/* The second fd everywhere, while the first is kept; afterwards it is free. */
static void try_places(const Matrix *x, size_t way) {
        char keeper[2 * SESSION_NAME_SIZE];
        Pair p;

        pair_make(x, way, &p);
        create_sessions(x);
        (void) snprintf(keeper, sizeof(keeper), "'%s' under token 1", x->one);
        must(call(&x->root, ORDER_PRESERVE, x->one, 1, p.files[0].fd), "Preserve");
        must_not(call(&x->root, ORDER_PRESERVE, x->one, 2, p.files[1].fd), "The same session", keeper);
        must_not(call(&x->root, ORDER_PRESERVE, x->other, 2, p.files[1].fd), "Another session", keeper);
        must_not(call(&x->user, ORDER_PRESERVE, x->theirs, 2, p.files[1].fd), "Another user", "somebody else");
        must(call(&x->root, ORDER_PRESERVE, x->one, 1, p.files[1].fd), "Preserve again"); /* the same call */
        must(call(&x->root, ORDER_DISCARD, x->one, 0, -EBADF), "Discard");
        must(call(&x->user, ORDER_PRESERVE, x->theirs, 2, p.files[1].fd), "Preserve once it is free");
        must_not(call(&x->root, ORDER_PRESERVE, x->other, 2, p.files[0].fd), "Its first fd", x->theirs);
        must(call(&x->root, ORDER_CREATE, x->one, 0, -EBADF), "CreateSession");
        discard_sessions(x);
        pair_done(&p);
}

/* Returns whether root won. */
static bool race(Matrix *x, size_t way, uint64_t token) {
        Request requests[2] = { { .order = ORDER_RACE, .token = token }, { .order = ORDER_RACE, .token = token } };
        Answer answers[2];
        Pair p;

        pair_make(x, way, &p);
        x->n_races++;
        requests[0].start = requests[1].start = x->n_races;
        (void) snprintf(requests[0].session, SESSION_NAME_SIZE, "%s", x->one);
        (void) snprintf(requests[1].session, SESSION_NAME_SIZE, "%s", x->theirs);
        ask(&x->root, requests, p.files[0].fd);
        ask(&x->user, requests + 1, p.files[1].fd);
        atomic_store(start_gate, x->n_races);
        safe_close(answer_of(&x->root, answers));
        safe_close(answer_of(&x->user, answers + 1));
        if (answers[0].error[0])
                must(answers[1], "The winner");
        must_not(answers[answers[0].error[0] ? 0 : 1], "The loser", NULL);
        pair_done(&p);
        return !answers[0].error[0];
}

static void try_way(Matrix *x, size_t way, uint64_t n_races) {
        uint64_t n_won = 0;

        test_context = ways[way].name;
        try_places(x, way);
        for (uint64_t i = 0; i < n_races; i++) {
                if (i % RACES_PER_SESSION == 0)
                        create_sessions(x);
                n_won += race(x, way, i);
                if (i % RACES_PER_SESSION == RACES_PER_SESSION - 1 || i == n_races - 1)
                        discard_sessions(x);
        }
        printf("%s: refused in the same session, another one, and to another user; of %" PRIu64 " races %" PRIu64
               " were won by %s, the others by %s\n",
               ways[way].name, n_races, n_won, x->root.name, x->user.name);
        fflush(stdout);
}

static size_t find_way(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
                if (streq(ways[i].name, name))
                        return i;
        usage("There is no way '%s'", name);
}

int main(int argc, char **argv) {
        Matrix x = {};

        if (argc < 5) {
                fputs(help, stderr);
                return EXIT_USAGE;
        }
        start_gate = mmap(NULL, sizeof(*start_gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (start_gate == MAP_FAILED)
                die("mmap: %m");
        (void) snprintf(x.one, sizeof(x.one), "%.40s-one", argv[1]);
        (void) snprintf(x.other, sizeof(x.other), "%.40s-other", argv[1]);
        (void) snprintf(x.theirs, sizeof(x.theirs), "%.40s-theirs", argv[1]);
        client_start(&x.root, "root");
        client_start(&x.user, argv[2]);

        for (int i = 4; i < argc; i++)
                try_way(&x, find_way(argv[i]), parse_number(argv[3]));
        return EXIT_SUCCESS;
}
