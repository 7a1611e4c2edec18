/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"
#include "stop-point.h"

typedef enum RequestType {
        REQUEST_POINT,
        REQUEST_START, /* points count from here */
        REQUEST_ACK,
        REQUEST_REFUSE,
        REQUEST_DEVICE,
        REQUEST_CREATE,
        REQUEST_RETRIEVE_SESSION,
        REQUEST_GET_NAME,
        REQUEST_PRESERVE,
        REQUEST_RETRIEVE,
        REQUEST_FINISH,
        REQUEST_PUSH,
        REQUEST_REMOVE,
} RequestType;

static const char *const request_names[] = {
        [REQUEST_DEVICE] = "open",         [REQUEST_CREATE] = "create",
        [REQUEST_RETRIEVE_SESSION] = "retrieve-session", [REQUEST_GET_NAME] = "get-name",
        [REQUEST_PRESERVE] = "preserve",   [REQUEST_RETRIEVE] = "retrieve",
        [REQUEST_FINISH] = "finish",       [REQUEST_PUSH] = "push",
        [REQUEST_REMOVE] = "remove",
};

typedef struct Request {
        int32_t type;
        int32_t pid;        /* who asks: luod or a child of it */
        int32_t fd_is_none; /* PRESERVE of -1 */
        uint64_t token;
        char text[512];
} Request;

typedef struct Reply {
        int32_t result;
        int32_t has_fd; /* instead of the result */
        char name[LUO_NAME_SIZE];
} Reply;

/* --- luod's side */

/* Of the test's socket. Set in luod's process and its children, which close all fds that they do not know. */
static struct sockaddr_un address;
static socklen_t address_size;

/* PID 1's notify socket: for the helper that gets sessions by name and stores them itself. */
static char notify_name[64];

static int make_socket(int type) {
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        if (fd < 0)
                abort();
        return fd;
}

/* Whether luod could have one more fd, as the kernel looks first. */
static bool has_free_fd(void) {
        int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

        safe_close(fd);
        return fd >= 0;
}

/* The world is no part of luod, and needs fds whatever luod may have. */
static struct rlimit lift_limit(void) {
        struct rlimit limit, lifted;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                abort();
        lifted = limit;
        lifted.rlim_cur = lifted.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &lifted) < 0)
                abort();
        return limit;
}

static bool gives_fd(const Request *q) {
        return q->type == REQUEST_DEVICE || q->type == REQUEST_CREATE || q->type == REQUEST_RETRIEVE_SESSION ||
               q->type == REQUEST_RETRIEVE;
}

/* @about: the fds that the request is about. */
static int ask(Request *request, const int *about, size_t n_about, char ret_name[LUO_NAME_SIZE]) {
        struct rlimit limit;
        int fd, sock;
        Reply reply;
        size_t n;

        if (gives_fd(request) && !has_free_fd())
                return -EMFILE;
        limit = lift_limit();
        sock = make_socket(SOCK_SEQPACKET);
        request->pid = getpid();
        if (connect(sock, (struct sockaddr *) &address, address_size) < 0 ||
            fd_send(sock, request, sizeof(*request), about, n_about) < 0 ||
            fd_receive(sock, &reply, sizeof(reply), &fd, 1, &n) < 0)
                _exit(EXIT_FAILURE); /* the world has gone */
        safe_close(sock);
        if (reply.has_fd) { /* where it would be if there had been no socket */
                int lower = fd_dup(fd);

                safe_close(fd);
                fd = lower;
        }
        (void) setrlimit(RLIMIT_NOFILE, &limit);
        if (ret_name)
                memcpy(ret_name, reply.name, LUO_NAME_SIZE);
        return reply.has_fd ? fd : reply.result;
}

static void tell(RequestType type, const char *text) {
        Request request = { .type = type };

        (void) snprintf(request.text, sizeof(request.text), "%s", text);
        (void) ask(&request, NULL, 0, NULL);
}

/* Instead of that of luod. */
void stop_point(const char *name) {
        if (address_size > 0)
                tell(REQUEST_POINT, name);
}

void remote_ack(void) {
        tell(REQUEST_ACK, "");
}

_Noreturn void remote_refuse(const char *message) {
        tell(REQUEST_REFUSE, message);
        _exit(EXIT_SUCCESS);
}

static int remote_device_open(const LuoOps *ops) {
        Request request = { .type = REQUEST_DEVICE };

        return ask(&request, NULL, 0, NULL);
}

static int ask_by_name(RequestType type, const char *name) {
        Request request = { .type = type };

        (void) snprintf(request.text, sizeof(request.text), "%s", name);
        return ask(&request, NULL, 0, NULL);
}

static int remote_session_create(const LuoOps *ops, int device, const char *name) {
        return ask_by_name(REQUEST_CREATE, name);
}

/* What there is at the start; in a boot incoming sessions only become less. Most of the 2048 names that luod tries
 * need no asking. */
static char (*incoming)[LUO_NAME_SIZE];
static size_t n_incoming;

static void note_incoming(FakeKernel *k) {
        FakeSession *s;

        incoming = calloc(fake_kernel_count_sessions(k, /* incoming= */ true) + 1, sizeof(*incoming));
        if (!incoming)
                _exit(EXIT_FAILURE);
        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                if (s->incoming)
                        memcpy(incoming[n_incoming++], s->name, LUO_NAME_SIZE);
}

static int remote_session_retrieve(const LuoOps *ops, int device, const char *name) {
        for (size_t i = 0; i < n_incoming; i++)
                if (streq(incoming[i], name))
                        return ask_by_name(REQUEST_RETRIEVE_SESSION, name);
        return -ENOENT;
}

static int remote_session_get_name(const LuoOps *ops, int session, char ret[static LUO_NAME_SIZE]) {
        Request request = { .type = REQUEST_GET_NAME };

        return ask(&request, &session, 1, ret);
}

static int remote_preserve(const LuoOps *ops, int session, uint64_t token, int fd) {
        Request request = { .type = REQUEST_PRESERVE, .token = token, .fd_is_none = fd < 0 };

        return ask(&request, (int[]) { session, fd }, fd < 0 ? 1 : 2, NULL);
}

static int remote_retrieve(const LuoOps *ops, int session, uint64_t token) {
        Request request = { .type = REQUEST_RETRIEVE, .token = token };

        return ask(&request, &session, 1, NULL);
}

static int remote_finish(const LuoOps *ops, int session) {
        Request request = { .type = REQUEST_FINISH };

        return ask(&request, &session, 1, NULL);
}

/* The custodian is asked when the event loop turns next, and answers then. */
typedef struct RemoteOrder {
        sd_event_source *source;
        int fd;
        char fdname[CUSTODY_FDNAME_SIZE];
        custody_done_fn done;
        void *userdata;
} RemoteOrder;

static int on_order(sd_event_source *source, void *userdata) {
        RemoteOrder *o = userdata;
        Request request = { .type = o->fd >= 0 ? REQUEST_PUSH : REQUEST_REMOVE };
        int r;

        (void) snprintf(request.text, sizeof(request.text), "%s", o->fdname);
        r = ask(&request, &o->fd, o->fd >= 0, NULL);
        safe_close(o->fd);
        sd_event_source_disable_unref(o->source);
        o->done(r, o->userdata);
        free(o);
        return 0;
}

static sd_event *remote_event;

static int remote_order(Custody *custody, int fd, const char *fdname, custody_done_fn done, void *userdata) {
        RemoteOrder *o = calloc(1, sizeof(*o));

        if (!o)
                return -ENOMEM;
        *o = (RemoteOrder) { .fd = fd < 0 ? -EBADF : fd_dup(fd), .done = done, .userdata = userdata };
        (void) snprintf(o->fdname, sizeof(o->fdname), "%s", fdname);
        return sd_event_add_defer(remote_event, &o->source, on_order, o);
}

static int remote_remove(Custody *custody, const char *fdname, custody_done_fn done, void *userdata) {
        return remote_order(custody, -EBADF, fdname, done, userdata);
}

static CustodyState remote_get_state(Custody *custody) {
        return CUSTODY_FDSTORE;
}

static unsigned remote_get_capacity(Custody *custody) {
        return PARTS_MAX;
}

static Custody *remote_free(Custody *custody) {
        return NULL;
}

static Custody *remote_custody_new(sd_event *event) {
        static const CustodyOps ops = {
                .push = remote_order,
                .remove = remote_remove,
                .get_state = remote_get_state,
                .get_capacity = remote_get_capacity,
                .free = remote_free,
        };
        static Custody custody = { .ops = &ops };

        remote_event = event;
        return &custody;
}

_Noreturn static void luod(World *w, remote_fn fn, void *userdata) {
        static const LuoOps ops = {
                .device_open = remote_device_open,
                .session_create = remote_session_create,
                .session_retrieve = remote_session_retrieve,
                .session_get_name = remote_session_get_name,
                .preserve = remote_preserve,
                .retrieve = remote_retrieve,
                .finish = remote_finish,
        };
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) setpgid(0, 0);
        (void) setenv("NOTIFY_SOCKET", notify_name, 1);

        /* Of what the kernel has nothing is ours; of PID 1's, copies will be. */
        note_incoming(&w->kernel);
        fake_kernel_done(&w->kernel);
        w->remote_luo = &ops;
        w->remote_custody_new = remote_custody_new;
        r = world_start(w);
        if (r < 0) {
                char text[64];

                (void) snprintf(text, sizeof(text), "luod does not start: %s", strerror(-r));
                remote_refuse(text);
        }
        if (fn) {
                tell(REQUEST_START, "");
                fn(w, userdata);
        }
        _exit(EXIT_SUCCESS);
}

/* --- the world's side */

typedef struct Server {
        Trial *trial;
        pid_t pid;
        bool reaped;
        bool counting;
} Server;

static int carry_out(World *w, const Request *q, const int *fds, Reply *reply) {
        switch (q->type) {
        case REQUEST_DEVICE:
                return fake_device_open(&w->kernel);
        case REQUEST_CREATE:
                return fake_session_create(&w->kernel, q->text);
        case REQUEST_RETRIEVE_SESSION:
                return fake_session_retrieve(&w->kernel, q->text);
        case REQUEST_GET_NAME:
                return fake_session_get_name(&w->kernel, fds[0], reply->name);
        case REQUEST_PRESERVE:
                return fake_preserve(&w->kernel, fds[0], q->token, q->fd_is_none ? -1 : fds[1]);
        case REQUEST_RETRIEVE:
                return fake_retrieve(&w->kernel, fds[0], q->token);
        case REQUEST_FINISH:
                return fake_finish(&w->kernel, fds[0]);
        case REQUEST_PUSH:
                fake_store_add(&w->store, fds[0], q->text);
                return 0;
        case REQUEST_REMOVE:
                fake_store_remove(&w->store, q->text);
                return 0;
        default:
                return 0;
        }
}

/* true: here it dies. */
static bool pass_point(Server *s, const char *when, const Request *q) {
        Trial *t = s->trial;

        if (!s->counting || t->died || s->reaped)
                return false;
        if (++t->n_points != t->die_at)
                return false;

        if (q->type == REQUEST_POINT)
                (void) snprintf(t->died_at, sizeof(t->died_at), "%.80s", q->text);
        else
                (void) snprintf(t->died_at, sizeof(t->died_at), "%s %s %.32s %llu", when, request_names[q->type], q->text,
                                (unsigned long long) q->token);
        return true;
}

static void die(Server *s) {
        Trial *t = s->trial;

        t->died = true;
        if (t->fate == FATE_JUMP)
                fake_store_kexec(&t->world->store, &t->world->kernel);
        (void) kill(t->fate == FATE_KILL ? s->pid : -s->pid, SIGKILL);
        s->reaped = waitpid(s->pid, NULL, 0) == s->pid;
}

static void note(Server *s, const Request *q) {
        Trial *t = s->trial;

        if (q->type == REQUEST_START)
                s->counting = true;
        if (q->type == REQUEST_ACK && !t->died)
                t->n_acked++;
        if (q->type == REQUEST_REFUSE && !t->died) {
                t->refused = true;
                (void) snprintf(t->refusal, sizeof(t->refusal), "%s", q->text);
        }
}

/* Where nothing is changed, to die is like dying before or after. */
static bool is_point(Server *s, const Request *q) {
        switch (q->type) {
        case REQUEST_POINT:
        case REQUEST_CREATE:
        case REQUEST_PRESERVE:
        case REQUEST_RETRIEVE:
        case REQUEST_FINISH:
        case REQUEST_PUSH:
        case REQUEST_REMOVE:
                return true;
        case REQUEST_RETRIEVE_SESSION:
                return fake_kernel_find(&s->trial->world->kernel, q->text, /* incoming= */ true);
        default:
                return false;
        }
}

/* Returns whether the asker gets to know what came of it. */
static bool serve_request(Server *s, const Request *q, const int *fds, Reply *reply) {
        bool outlives = s->trial->fate == FATE_KILL && q->pid != s->pid; /* a child: it may go on */
        bool point = is_point(s, q);

        if (point && pass_point(s, "before", q)) {
                die(s);
                if (!outlives)
                        return false;
        }
        reply->result = carry_out(s->trial->world, q, fds, reply);
        reply->has_fd = reply->result >= 0 && gives_fd(q);
        if (point && q->type != REQUEST_POINT && pass_point(s, "after", q)) {
                die(s);
                return outlives;
        }
        return true;
}

static void serve(Server *s, int sock) {
        Reply reply = {};
        int fds[2];
        size_t n_fds;
        Request q;

        if (fd_receive(sock, &q, sizeof(q), fds, ARRAY_SIZE(fds), &n_fds) < 0)
                return;
        note(s, &q);
        if (serve_request(s, &q, fds, &reply))
                (void) fd_send(sock, &reply, sizeof(reply), reply.has_fd ? &reply.result : NULL, reply.has_fd);
        if (reply.has_fd)
                safe_close(reply.result);
        for (size_t i = 0; i < n_fds; i++)
                safe_close(fds[i]);
}

/* Children of a luod that died become ours. */
static bool all_are_gone(Server *s) {
        pid_t pid;

        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
                s->reaped |= pid == s->pid;
        return s->reaped && pid < 0;
}

/* sd_notify(): FDSTORE=1 with FDNAME=, and barriers, which are answered by closing what came. */
static void serve_notification(World *w, int sock) {
        char text[256] = {};
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct iovec iov = { text, sizeof(text) - 1 };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *c;
        char *name;
        int fd;

        if (recvmsg(sock, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
                return;
        c = CMSG_FIRSTHDR(&message);
        if (!c || c->cmsg_type != SCM_RIGHTS)
                return;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        name = strstr(text, "FDNAME=");
        if (strstr(text, "FDSTORE=1") && name) {
                name += strlen("FDNAME=");
                name[strcspn(name, "\n")] = '\0';
                fake_store_add(&w->store, fd, name);
        }
        safe_close(fd);
}

static int bind_somewhere(int type, struct sockaddr_un *ret, socklen_t *ret_size) {
        static unsigned n;
        int fd = make_socket(type);

        *ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
        *ret_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 +
                                 (size_t) snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "luod-test-%d-%u",
                                                   (int) getpid(), n++));
        if (bind(fd, (struct sockaddr *) ret, *ret_size) < 0)
                abort();
        return fd;
}

static int listen_somewhere(void) {
        int fd = bind_somewhere(SOCK_SEQPACKET, &address, &address_size);

        if (listen(fd, 128) < 0)
                abort();
        return fd;
}

static int listen_for_notifications(void) {
        struct sockaddr_un where;
        socklen_t size;
        int fd = bind_somewhere(SOCK_DGRAM, &where, &size);

        (void) snprintf(notify_name, sizeof(notify_name), "@%.50s", where.sun_path + 1);
        return fd;
}

void remote_run(Trial *t, remote_fn fn, void *userdata, bool late) {
        Server s = { .trial = t, .counting = !late };
        _cleanup_(closep) int listener = listen_somewhere(), notifications = listen_for_notifications();
        _cleanup_(closep) int children = -EBADF;
        World *w = t->world;
        sigset_t mask;

        assert_null(w->manager);
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        children = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        assert_true(children >= 0);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);

        s.pid = fork();
        assert_true(s.pid >= 0);
        if (s.pid == 0)
                luod(w, fn, userdata);
        (void) setpgid(s.pid, s.pid);

        for (;;) {
                struct pollfd p[] = {
                        { .fd = listener, .events = POLLIN },
                        { .fd = notifications, .events = POLLIN },
                        { .fd = children, .events = POLLIN },
                };
                _cleanup_(closep) int sock = -EBADF;
                struct signalfd_siginfo si;

                assert_true(poll(p, ARRAY_SIZE(p), -1) > 0);
                if (p[0].revents) {
                        sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                        serve(&s, sock);
                        continue; /* all that was asked before its end */
                }
                if (p[1].revents) {
                        if (t->fate == FATE_KILL || !t->died)
                                serve_notification(w, notifications);
                        continue;
                }
                while (read(children, &si, sizeof(si)) > 0)
                        ;
                if (all_are_gone(&s))
                        break;
        }
        address_size = 0;

        if (t->fate == FATE_UPDATE)
                fake_store_kexec(&w->store, &w->kernel);
        if (t->fate != FATE_KILL && (t->died || t->fate == FATE_UPDATE))
                world_new_boot(w);
}
