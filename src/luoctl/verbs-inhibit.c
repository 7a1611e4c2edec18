/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus-names.h"
#include "client.h"
#include "fd-util.h"
#include "format-value.h"
#include "luod-limits.h"
#include "output.h"
#include "parse.h"
#include "table.h"
#include "text.h"
#include "verbs.h"

/* luoctl inhibit, inhibitors, release-lock and ready: who an update waits for. */

/* --- the lock */

/* "COMMAND ARGUMENT…" */
static ExitStatus describe_command(const Options *o, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t n = 1;

        for (int i = 0; i < o->n_arguments; i++)
                n += strlen(o->arguments[i]) + 1;
        text = calloc(n, 1);
        if (!text)
                return report_oom();
        for (int i = 0; i < o->n_arguments; i++)
                (void) strcat(strcat(text, i > 0 ? " " : ""), o->arguments[i]);
        return text_shorten(text, LOCK_TEXT_MAX, ret) < 0 ? report_oom() : STATUS_OK;
}

static ExitStatus check_text(const char *option, const char *text) {
        if (!text || text_is_utf8(text, strlen(text)))
                return STATUS_OK;
        return report_usage("inhibit", "What '%s' says is not UTF-8.", option);
}

/* The lock is the fd: it is closed on exec, so that COMMAND and what it leaves behind don't have it. */
static ExitStatus take_lock(const Options *o, const char *who, int *ret_fd) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus status;
        int fd, r;

        status = client_open(&bus);
        if (status == STATUS_OK)
                status = client_new_call(bus, LUOD_OBJECT_PATH, "Inhibit", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append(m, "ssss", "update", o->who ? o->who : who,
                                  o->why ? o->why : "Unknown reason", o->mode ? o->mode : "delay");
        if (r < 0)
                return client_message_failed(r);
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_read_basic(reply, 'h', &fd);
        if (r >= 0)
                r = fd = fd_dup(fd); /* the other one goes with the message */
        if (r < 0)
                return client_message_failed(r);
        *ret_fd = fd;
        return STATUS_OK;
}

/* --- the command */

static _noreturn_ void run_command(const Options *o, pid_t parent, const sigset_t *mask) {
        /* With luoctl the lock goes: COMMAND must know. */
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(STATUS_FAILURE);
        (void) signal(SIGINT, SIG_DFL);
        (void) signal(SIGQUIT, SIG_DFL);
        (void) sigprocmask(SIG_SETMASK, mask, NULL);
        (void) execvp(o->arguments[0], o->arguments);
        report("Can't run '%s': %m", o->arguments[0]);
        _exit(errno == ENOENT ? 127 : 126); /* as shells have it */
}

/* Hands on what is to end luoctl, which must outlive COMMAND. ^C and ^\ both get from the terminal. */
static int wait_for_command(pid_t pid, const sigset_t *signals) {
        int status, signal;

        for (;;) {
                pid_t p = waitpid(pid, &status, WNOHANG);

                if (p == pid)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                if (p < 0)
                        return STATUS_FAILURE;
                signal = sigwaitinfo(signals, NULL);
                if (signal == SIGTERM || signal == SIGHUP)
                        (void) kill(pid, signal);
        }
}

static ExitStatus run_locked(const Options *o) {
        pid_t pid, self = getpid();
        sigset_t signals, before;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGCHLD);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &signals, &before);
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGQUIT, SIG_IGN);
        (void) fflush(stdout);
        pid = fork();
        if (pid < 0) {
                report("Can't start a process: %m");
                return STATUS_FAILURE;
        }
        if (pid == 0)
                run_command(o, self, &before);
        return (ExitStatus) wait_for_command(pid, &signals);
}

ExitStatus verb_inhibit(const Options *o) {
        _cleanup_(closep) int lock = -EBADF;
        _cleanup_free_ char *who = NULL;
        ExitStatus status;

        status = check_text("--who", o->who);
        if (status == STATUS_OK)
                status = check_text("--why", o->why);
        if (status == STATUS_OK)
                status = describe_command(o, &who);
        if (status == STATUS_OK)
                status = take_lock(o, who, &lock);
        return status == STATUS_OK ? run_locked(o) : status;
}

/* --- all locks */

static int add_inhibitor(Table *table, const Inhibitor *i) {
        char user[FORMAT_USER_MAX], pid[16], id[24];

        (void) snprintf(pid, sizeof(pid), "%" PRIu32, i->pid);
        (void) snprintf(id, sizeof(id), "%" PRIu64, i->id);
        return table_add(table,
                         (const char *const[]){ id, i->who, format_user(user, i->uid), pid, i->mode, i->why });
}

static int print_inhibitors(const Options *o, const Inhibitors *inhibitors) {
        static const TableColumn columns[] = {
                { "ID", .right = true }, { "WHO", .shrink = true }, { "USER" }, { "PID", .right = true }, { "MODE" },
                { "WHY", .shrink = true },
        };
        _cleanup_(table_freep) Table *table = NULL;

        if (table_new(columns, ARRAY_SIZE(columns), &table) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < inhibitors->n_items; i++)
                if (add_inhibitor(table, &inhibitors->items[i]) < 0)
                        return -ENOMEM;
        if (table_print(table, stdout, output_width(), o->legend) < 0)
                return -ENOMEM;
        if (o->legend)
                printf("\nLocks: %zu\n", inhibitors->n_items);
        return 0;
}

ExitStatus verb_inhibitors(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(inhibitors_done) Inhibitors inhibitors = {};
        _cleanup_free_ char *json = NULL;
        ExitStatus status;
        int r;

        status = client_open(&bus);
        if (status == STATUS_OK)
                status = client_new_call(bus, LUOD_OBJECT_PATH, "ListInhibitors", &m);
        if (status == STATUS_OK)
                status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = inhibitors_read(reply, &inhibitors);
        if (r < 0)
                return client_message_failed(r);

        if (o->json == JSON_OFF)
                return print_inhibitors(o, &inhibitors) < 0 ? report_oom() : STATUS_OK;
        if (encode_inhibitors(&inhibitors, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}

ExitStatus verb_release_lock(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus status;
        uint64_t id;
        int r;

        if (parse_token(o->arguments[0], &id) < 0)
                return report_usage("release-lock", "'%s' is not the number of a lock.", o->arguments[0]);
        status = client_open(&bus);
        if (status == STATUS_OK)
                status = client_new_call(bus, LUOD_OBJECT_PATH, "ReleaseLock", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append_basic(m, 't', &id);
        if (r < 0)
                return client_message_failed(r);
        return client_call(bus, m, CLIENT_TIMEOUT, /* ret_reply= */ NULL);
}

/* --- ready */

ExitStatus verb_ready(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL;
        ExitStatus status;
        bool ready = true;
        int r;

        if (o->n_arguments > 1 && parse_yes_no(o->arguments[1], &ready) < 0)
                return report_usage("ready", "'%s' is neither 'yes' nor 'no'.", o->arguments[1]);
        status = client_open(&bus);
        if (status == STATUS_OK)
                status = client_find_session(bus, o->arguments[0], &path);
        if (status == STATUS_OK)
                status = client_new_call(bus, path, "SetReady", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append_basic(m, 'b', &(int){ ready });
        if (r < 0)
                return client_message_failed(r);
        return client_call(bus, m, CLIENT_TIMEOUT, /* ret_reply= */ NULL);
}
