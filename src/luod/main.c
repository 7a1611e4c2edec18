/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "build-config.h"
#include "bus-names.h"
#include "bus-units.h"
#include "bus.h"
#include "changeover.h"
#include "config-file.h"
#include "fd-util.h"
#include "message-ids.h"
#include "parts.h"
#include "report-journal.h"
#include "restore.h"

#define log_at(priority, ...) (void) sd_journal_print(priority, __VA_ARGS__)
#define log_errno(priority, error, format, ...) \
        log_at(priority, format ": %s", ##__VA_ARGS__, strerror((error) < 0 ? -(error) : (error)))

typedef struct Daemon {
        sd_event *event;
        sd_bus *system_bus;
        Manager *manager;
        Bus bus;
        bool started; /* the change-over was begun */
        bool serving;
        bool stopping; /* SIGTERM came */
} Daemon;

static void on_idle(Manager *manager, void *userdata) {
        (void) sd_event_exit(((Daemon *) userdata)->event, 0);
}

static void on_update_stopped(Manager *manager, void *userdata) {
        manager_stop(manager, on_idle, userdata);
}

/* stop and shutdown are the same: no new requests, those under way end, and everything stays in custody. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Daemon *d = userdata;

        if (d->stopping)
                return 0;
        d->stopping = true;
        (void) sd_notify(/* unset_environment= */ 0, "STOPPING=1");
        update_stop(d->manager, on_update_stopped, d);
        return 0;
}

static void log_config_message(const char *message, void *userdata) {
        log_at(LOG_WARNING, "%s", message);
}

/* As Reload() on the bus, for those who are used to it. */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        _cleanup_(config_messages_done) ConfigMessages messages = {};

        (void) bus_reload(&((Daemon *) userdata)->bus, &messages);
        return 0;
}

/* What an admin must act on carries a message id: units/luod.catalog. */
static void log_alarm(const char *message_id, const char *message) {
        (void) sd_journal_send("MESSAGE_ID=%s", message_id, "PRIORITY=%i", LOG_WARNING, "MESSAGE=%s", message, NULL);
}

static void log_state(Manager *m) {
        CustodyState custody = parts_custody_state(m);
        unsigned n_flagged = 0;
        Session *s;

        if (m->support != LUO_SUPPORTED) {
                log_alarm(MESSAGE_ID_KERNEL_UNSUPPORTED, luo_support_message(m->support));
                return;
        }

        log_at(LOG_INFO, "%u sessions with %u files, generation %llu, ledger %s, custody %s", m->state.n_sessions,
               m->state.n_files, (unsigned long long) m->state.head.generation,
               ledger_health_to_string(m->ledger_health), custody_state_to_string(custody));

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                n_flagged += s->flags != 0;
        if (n_flagged > 0 || m->ledger_health != LEDGER_INTACT)
                log_alarm(MESSAGE_ID_NOT_COMPLETE, "Not everything that was kept is wholly known, see 'luoctl check'");
        if (custody == CUSTODY_NONE || custody == CUSTODY_FDSTORE_NO_KEXEC)
                log_alarm(MESSAGE_ID_NO_CUSTODY, "Nothing new can be kept: systemd's fd store can't be used");
}

static int daemon_serve(Daemon *d) {
        Manager *m = d->manager;
        int r;

        reports_restore(m); /* before anybody can claim anything */
        reports_ask_systemd(m, d->system_bus);
        update_restore(m);
        r = bus_init(&d->bus, m, d->system_bus);
        if (r < 0) {
                log_errno(LOG_ERR, r, "Can't put the objects on the bus");
                return r;
        }
        restored_start(m); /* before READY=1: units that come after luod have conditions on it */
        r = sd_bus_request_name(d->system_bus, LUOD_BUS_NAME, 0);
        if (r < 0) {
                log_errno(LOG_ERR, r, "Can't have the bus name " LUOD_BUS_NAME);
                return r;
        }
        d->serving = true;
        /* It was blocked until now: not before READY=1 was it luod's to say that it is ready again. */
        r = sd_event_add_signal(d->event, NULL, SIGHUP, on_hangup, d);
        if (r < 0) {
                log_errno(LOG_ERR, r, "Can't wait for SIGHUP");
                return r;
        }

        update_resume(m);
        log_state(m);
        return sd_notifyf(/* unset_environment= */ 0, "READY=1\nSTATUS=%s",
                          m->support == LUO_SUPPORTED ? "Keeping objects over live updates"
                                                      : luo_support_message(m->support));
}

static void on_changed_over(Manager *manager, int error, void *userdata) {
        Daemon *d = userdata;

        if (error < 0)
                log_errno(LOG_ERR, error, "Can't make the ledger of this boot; nothing was dropped");
        else
                error = daemon_serve(d);
        if (error < 0)
                (void) sd_event_exit(d->event, error);
}

static void on_custody_listed(char **fdnames, void *userdata) {
        Daemon *d = userdata;
        int r;

        if (fdnames)
                parts_listed(d->manager, fdnames);
        if (d->started)
                return;

        d->started = true;
        r = changeover_start(d->manager, on_changed_over, d);
        if (r < 0)
                on_changed_over(d->manager, r, d);
}

static int take_listen_fds(FoundFd **ret, size_t *ret_n, char ***ret_names) {
        int n = sd_listen_fds_with_names(/* unset_environment= */ 1, ret_names);
        FoundFd *found;

        if (n < 0)
                return n;
        found = calloc((size_t) n + 1, sizeof(*found));
        if (!found)
                return -ENOMEM;
        for (int i = 0; i < n; i++)
                found[i] = (FoundFd) { SD_LISTEN_FDS_START + i, (*ret_names)[i] };
        *ret = found;
        *ret_n = (size_t) n;
        return 0;
}

static int daemon_restore(Daemon *d) {
        _cleanup_free_ FoundFd *found = NULL;
        _cleanup_free_ char *boot_id = NULL;
        char **names = NULL;
        size_t n = 0;
        int r;

        r = read_small_file("/proc/sys/kernel/random/boot_id", &boot_id);
        if (r >= 0)
                r = take_listen_fds(&found, &n, &names); /* close-on-exec from here on */
        if (r >= 0)
                r = manager_restore(d->manager, boot_id, found, n);
        for (size_t i = 0; names && names[i]; i++)
                free(names[i]);
        free(names);
        if (r < 0)
                log_errno(LOG_ERR, r, "Can't find out what is kept; nothing was dropped");
        return r;
}

static int daemon_connect(Daemon *d) {
        int r;

        r = sd_bus_open_system_with_description(&d->system_bus, "luod");
        if (r >= 0)
                r = sd_bus_attach_event(d->system_bus, d->event, SD_EVENT_PRIORITY_NORMAL);
        /* Without the bus there are no clients; a restart waits for it, and loses nothing. */
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(d->system_bus, true);
        if (r < 0)
                log_errno(LOG_ERR, r, "Can't connect to the system bus");
        return r;
}

/* Without it plain updates are not heard of before units are stopped. */
static void daemon_find_logind(Daemon *d) {
        LogindEvents events = update_logind_events(d->manager);
        int r;

        r = logind_new_systemd(d->event, d->system_bus, &events, &d->manager->logind);
        if (r < 0)
                log_errno(LOG_WARNING, r, "logind and systemd can't be listened to, shutdowns will not be prepared");
}

static int daemon_start(Daemon *d) {
        const char *runtime_dir = secure_getenv("RUNTIME_DIRECTORY"), *state_dir = secure_getenv("STATE_DIRECTORY");
        sigset_t mask;
        int r;

        (void) umask(0077);
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGHUP);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);

        r = sd_event_default(&d->event);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d);
        if (r >= 0)
                r = sd_event_set_watchdog(d->event, true);
        if (r >= 0)
                r = manager_new(d->event, luo_kernel_ops(), runtime_dir ? runtime_dir : "/run/luod", &d->manager);
        if (r >= 0)
                r = reports_open(d->manager, state_dir ? state_dir : "/var/lib/luod");
        if (r < 0) {
                log_errno(LOG_ERR, r, "Can't start");
                return r;
        }

        d->manager->reports.hooks = report_journal_hooks;
        d->manager->config_directories = config_directories;
        r = manager_reload(d->manager, log_config_message, NULL);
        if (r < 0) {
                log_errno(LOG_ERR, r, "Can't read the configuration");
                return r;
        }
        r = daemon_restore(d);
        if (r >= 0)
                r = daemon_connect(d);
        if (r < 0)
                return r;
        r = unit_starter_new_systemd(d->system_bus, &d->manager->unit_starter);
        if (r < 0) {
                log_errno(LOG_ERR, r, "Can't start");
                return r;
        }

        daemon_find_logind(d);
        r = custody_new_systemd(d->event, d->system_bus, &d->manager->workers, on_custody_listed, d,
                                &d->manager->custody);
        if (r < 0) {
                log_errno(LOG_WARNING, r, "systemd can't be asked for luod's fd store, nothing new will be kept");
                on_custody_listed(NULL, d);
        }
        return 0;
}

static void daemon_done(Daemon *d) {
        bus_done(&d->bus);
        d->manager = manager_free(d->manager);
        if (d->system_bus)
                sd_bus_flush_close_unref(d->system_bus);
        sd_event_unref(d->event);
}

static int parse_argv(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        printf("%s [OPTIONS...]\n\n"
                               "Keeps objects of programs over live updates of the kernel. Run by systemd as\n"
                               "luod.service; use luoctl(1) to talk to it.\n\n"
                               "  -h --help      Show this help\n"
                               "     --version   Show the version\n",
                               program_invocation_short_name);
                        return 0;
                case 'v':
                        printf("luod %s\n", PROJECT_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "%s: takes no arguments\n", program_invocation_short_name);
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char *argv[]) {
        Daemon d = {};
        int r;

        r = parse_argv(argc, argv);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        r = daemon_start(&d);
        if (r >= 0)
                r = sd_event_loop(d.event);
        daemon_done(&d);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
