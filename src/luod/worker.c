/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "macro.h"
#include "worker.h"

typedef struct Worker {
        sd_event_source *source; /* the child's end, or the deferred call */
        pid_t pid;
        int socket;              /* the reply comes here */
        worker_fn fn;            /* inline only */
        void *arg;
        worker_done_fn done;
        void *userdata;
        ListLink link;           /* Workers.running */
} Worker;

/* What goes over the socket in front of the fds. */
typedef struct ReplyMessage {
        int32_t error;
        uint32_t n_done;
        uint64_t values[FD_TRANSFER_MAX];
} ReplyMessage;

static Worker *worker_free(Worker *w) {
        if (!w)
                return NULL;
        list_unlink(&w->link);
        sd_event_source_disable_unref(w->source);
        safe_close(w->socket);
        free(w);
        return NULL;
}

DEFINE_CLEANUP_FUNC(Worker, worker_free)

void workers_init(Workers *workers, sd_event *event) {
        *workers = (Workers) { .event = event };
        list_init(&workers->running);
}

void workers_done(Workers *workers) {
        Worker *w;

        LIST_FOREACH(&workers->running, Worker, link, w)
                worker_free(w);
}

bool workers_are_idle(const Workers *workers) {
        return list_is_empty(&workers->running);
}

static void worker_complete(Worker *worker, WorkerReply *reply) {
        worker_done_fn done = worker->done;
        void *userdata = worker->userdata;

        worker_free(worker);
        done(reply, userdata);
        for (size_t i = 0; i < reply->n_fds; i++)
                safe_close(reply->fds[i]);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        Worker *w = userdata;
        ReplyMessage message;
        WorkerReply reply = {};
        int r;

        r = fd_receive(w->socket, &message, sizeof(message), reply.fds, FD_TRANSFER_MAX, &reply.n_fds);
        if (r == -EMFILE || r == -ENOMEM)
                reply.error = r;
        else if (r < 0)
                reply.error = -EOWNERDEAD;
        else {
                reply.error = message.error;
                reply.n_done = message.n_done;
                memcpy(reply.values, message.values, sizeof(reply.values));
        }

        worker_complete(w, &reply);
        return 0;
}

static int on_inline(sd_event_source *source, void *userdata) {
        Worker *w = userdata;
        WorkerReply reply = {};

        w->fn(w->arg, &reply);
        worker_complete(w, &reply);
        return 0;
}

void worker_offer_to_oom_killer(void) {
        _cleanup_(closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd >= 0)
                (void) !write(fd, "1000", 4);
}

_noreturn_ static void child(
                worker_fn fn, void *arg, const int *keep, size_t n_keep, int socket, unsigned flags, pid_t parent) {
        _cleanup_free_ int *fds = calloc(n_keep + 1, sizeof(int));
        ReplyMessage message = {};
        WorkerReply reply = {};
        sigset_t all;

        /* systemd's SIGTERM to the control group is for luod: a task comes to its end. */
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_BLOCK, &all, NULL);

        if (!(flags & WORKER_OUTLIVES)) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(EXIT_FAILURE);
        }

        if (!fds)
                _exit(EXIT_FAILURE);
        if (n_keep > 0)
                memcpy(fds, keep, n_keep * sizeof(int));
        fds[n_keep] = socket;
        fd_close_all_but(fds, n_keep + 1);

        fn(arg, &reply);

        message.error = reply.error;
        message.n_done = reply.n_done;
        memcpy(message.values, reply.values, sizeof(message.values));
        _exit(fd_send(socket, &message, sizeof(message), reply.fds, reply.n_fds) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int worker_run(Workers *workers,
               worker_fn fn,
               void *arg,
               const int *keep_fds,
               size_t n_keep_fds,
               unsigned flags,
               worker_done_fn done,
               void *userdata) {

        _cleanup_(worker_freep) Worker *w = NULL;
        _cleanup_(closep) int theirs = -EBADF;
        pid_t parent = getpid();
        int pair[2], r;

        w = malloc(sizeof(*w));
        if (!w)
                return -ENOMEM;
        *w = (Worker) { .socket = -EBADF, .fn = fn, .arg = arg, .done = done, .userdata = userdata };

        if (workers->inline_) {
                r = sd_event_add_defer(workers->event, &w->source, on_inline, w);
                if (r < 0)
                        return r;
                list_append(&workers->running, &TAKE_PTR(w)->link);
                return 0;
        }

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        w->socket = pair[0];
        theirs = pair[1];

        w->pid = fork();
        if (w->pid < 0)
                return -errno;
        if (w->pid == 0)
                child(fn, arg, keep_fds, n_keep_fds, theirs, flags, parent);

        r = sd_event_add_child(workers->event, &w->source, w->pid, WEXITED, on_child, w);
        if (r < 0) {
                /* It can't be awaited on the event loop, nor be killed (worker.h): the one place that blocks. */
                (void) waitpid(w->pid, NULL, 0);
                return r;
        }

        list_append(&workers->running, &TAKE_PTR(w)->link);
        return 0;
}
