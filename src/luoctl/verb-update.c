/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "bus-names.h"
#include "client.h"
#include "findings.h"
#include "format-value.h"
#include "output.h"
#include "progress.h"
#include "text.h"
#include "verbs.h"

/* luoctl update: check, load a kernel if none is, and have luod do the rest, which is watched and can be cancelled. The call
 * of Update() is answered when all is handed over, or by why it is not. If luod dies meanwhile there is no answer: then
 * its state tells, once it is back. */

#define LUOD_BACK_USEC (60 * USEC_PER_SEC)

typedef struct Update {
        sd_bus *bus;
        sd_event *event;
        sd_event_source *patience; /* runs while luod is away */
        ManagerInfo now, shown;
        bool terminal; /* one line that is redrawn; else a line for each change */
        bool line;     /* it is there */
        bool no_wait;
        bool asking;    /* for the state */
        bool ask_again; /* it has changed meanwhile */
        bool lost;      /* there will be no answer */
        bool cancelled; /* Cancel() was called */
        ExitStatus status;
} Update;

static void update_done(Update *u) {
        u->patience = sd_event_source_unref(u->patience);
        u->bus = sd_bus_flush_close_unref(u->bus);
        u->event = sd_event_unref(u->event);
        manager_info_done(&u->now);
        manager_info_done(&u->shown);
}

/* --- what is shown */

static void clear_line(Update *u) {
        if (u->line) {
                printf("\r\033[K");
                (void) fflush(stdout);
        }
        u->line = false;
}

static int update_stop(Update *u, ExitStatus status) {
        clear_line(u);
        u->status = status;
        return sd_event_exit(u->event, 0);
}

static void say(Update *u, const char *text) {
        clear_line(u);
        print_text(text);
        putchar('\n');
        (void) fflush(stdout);
}

static int draw_line(Update *u) {
        _cleanup_free_ char *text = NULL, *escaped = NULL, *fitting = NULL;
        size_t width = output_width();

        if (progress_format(&u->now, now_realtime(), &text) < 0 ||
            text_escape(text, strlen(text), &escaped) < 0 ||
            text_ellipsize(escaped, width > 1 ? width - 1 : 1, &fitting) < 0)
                return -ENOMEM;
        printf("\r%s\033[K", fitting);
        u->line = true;
        return fflush(stdout) < 0 ? -errno : 0;
}

static int print_lines(Update *u) {
        _cleanup_(string_list_done) StringList lines = {};

        if (progress_changes(&u->shown, &u->now, now_realtime(), &lines) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < lines.n_items; i++)
                say(u, lines.items[i]);
        manager_info_done(&u->shown);
        return progress_copy(&u->now, &u->shown);
}

static void show(Update *u) {
        int r = 0;

        if (!u->terminal)
                r = print_lines(u);
        else if (progress_is_under_way(u->now.state))
                r = draw_line(u);
        if (r == -ENOMEM)
                (void) update_stop(u, report_oom());
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata) {
        show(userdata);
        (void) sd_event_source_set_time_relative(s, USEC_PER_SEC);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* --- what becomes of it */

static int update_succeeded(Update *u) {
        if (u->no_wait)
                say(u,
                    "All are told to prepare. 'luoctl status' shows how it gets on, 'luoctl cancel' cancels it.");
        else
                say(u, "Handed over: the host goes down now, and comes back with the next kernel.");
        return update_stop(u, STATUS_OK);
}

static int on_no_patience(sd_event_source *s, uint64_t usec, void *userdata) {
        Update *u = userdata;

        clear_line(u);
        report("luod went away, and did not come back: what becomes of the update is not known. See 'systemctl status "
               "luod.service'.");
        return update_stop(u, STATUS_UNREACHABLE);
}

static int luod_is_lost(Update *u) {
        u->lost = true;
        if (u->patience)
                return 0;
        clear_line(u);
        report("luod went away; waiting for it to come back.");
        return sd_event_add_time_relative(u->event, &u->patience, CLOCK_MONOTONIC, LUOD_BACK_USEC, 0,
                                          on_no_patience, u);
}

/* luod is back, and has not gone on with the update. */
static int update_is_over(Update *u) {
        clear_line(u);
        report("luod was restarted, and the update has ended. 'journalctl -u luod.service' tells why.");
        return update_stop(u, STATUS_FAILURE);
}

/* Who is waited for is told to root who asks, and not in signals. */
static int ask_for_state(Update *u);

static int on_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Update *u = userdata;

        u->asking = false;
        if (sd_bus_message_is_method_error(m, NULL))
                return 0; /* luod went away: NameOwnerChanged tells when to ask again */
        if (info_read(m, manager_properties, &u->now) < 0)
                return update_stop(u, client_message_failed(-EBADMSG));
        u->patience = sd_event_source_disable_unref(u->patience);
        show(u);
        if (u->lost && !progress_is_under_way(u->now.state))
                return update_is_over(u);
        return u->ask_again ? ask_for_state(u) : 0;
}

static int ask_for_state(Update *u) {
        u->ask_again = u->asking;
        if (u->asking)
                return 0;
        u->asking = true;
        return sd_bus_call_method_async(u->bus, /* ret_slot= */ NULL, LUOD_BUS_NAME, LUOD_OBJECT_PATH,
                                        "org.freedesktop.DBus.Properties", "GetAll", on_state, u, "s",
                                        LUOD_INTERFACE_MANAGER);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Update *u = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (!error)
                return update_succeeded(u);
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)) {
                int r = luod_is_lost(u);

                return r < 0 ? r : ask_for_state(u);
        }
        clear_line(u);
        return update_stop(u, client_report_error(error, -EIO));
}

/* --- signals of luod */

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Update *u = userdata;
        const char *interface;

        if (sd_bus_message_read_basic(m, 's', &interface) < 0 || !streq(interface, LUOD_INTERFACE_MANAGER))
                return 0;
        if (info_read(m, manager_properties, &u->now) < 0)
                return 0; /* the next one will do */
        if (!streq(strempty(u->now.state), "preparing")) /* in that all belongs together */
                show(u);
        return ask_for_state(u);
}

/* The answer of the call says more, where there will be one. */
static int on_finished(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *result, *message;
        Update *u = userdata;

        if (!u->lost || sd_bus_message_read(m, "ss", &result, &message) < 0)
                return 0;
        if (streq(result, "handed-over"))
                return update_succeeded(u);
        clear_line(u);
        report("The update has ended (%s): %s; 'luoctl report' has more", result, message);
        return update_stop(u, exit_status_from_result(result));
}

static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *new_owner;
        Update *u = userdata;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &new_owner) < 0 || !u->lost)
                return 0;
        return new_owner[0] ? ask_for_state(u) : luod_is_lost(u);
}

/* --- ^C */

static int on_cancel_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Update *u = userdata;

        if (!error)
                return 0; /* Update() is answered as well */
        clear_line(u);
        report("Can't cancel the update: %s", strempty(error->message));
        show(u);
        return 0;
}

static int on_interrupt(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        Update *u = userdata;

        if (streq(strempty(u->now.state), "shutting-down"))
                return update_stop(u, STATUS_OK); /* this very update ends luoctl, too */
        if (u->cancelled) {
                clear_line(u);
                report("Leaving the update as it is; 'luoctl status' tells how it gets on.");
                return update_stop(u, STATUS_FAILURE);
        }
        u->cancelled = true;
        say(u, "Cancelling the update. Once more, and luoctl leaves it as it is.");
        return sd_bus_call_method_async(u->bus, /* ret_slot= */ NULL, LUOD_BUS_NAME, LUOD_OBJECT_PATH,
                                        LUOD_INTERFACE_MANAGER, "Cancel", on_cancel_answer, u, NULL);
}

static int catch_signals(Update *u) {
        static const int signals[] = { SIGINT, SIGTERM };
        sigset_t mask;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                int r = sd_event_add_signal(u->event, /* ret= */ NULL, signals[i], on_interrupt, u);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int listen_to_luod(Update *u) {
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='" LUOD_BUS_NAME "',interface='org.freedesktop.DBus.Properties'"
                  ",member='PropertiesChanged',path='" LUOD_OBJECT_PATH "'",
                  on_properties_changed },
                { "type='signal',sender='" LUOD_BUS_NAME "',interface='" LUOD_INTERFACE_MANAGER
                  "',member='UpdateFinished'",
                  on_finished },
                { "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'"
                  ",member='NameOwnerChanged',arg0='" LUOD_BUS_NAME "'",
                  on_name_owner_changed },
        };

        for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
                int r = sd_bus_add_match(u->bus, /* ret_slot= */ NULL, matches[i].rule, matches[i].handler,
                                         u);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int update_start(Update *u) {
        int r;

        r = sd_event_default(&u->event);
        if (r >= 0)
                r = catch_signals(u);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(u->bus, true);
        if (r >= 0)
                r = sd_bus_attach_event(u->bus, u->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = listen_to_luod(u);
        if (r >= 0 && u->terminal)
                r = sd_event_add_time_relative(u->event, /* ret= */ NULL, CLOCK_MONOTONIC, USEC_PER_SEC, 0,
                                               on_tick, u);
        return r;
}

/* --- the call */

static int append_flag(sd_bus_message *m, const char *name, bool value) {
        return value ? sd_bus_message_append(m, "{sv}", name, "b", 1) : 0;
}

static int append_names(sd_bus_message *m, const char *const *names, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "drop-unclaimed");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append_basic(m, 's', names[i]);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_options(sd_bus_message *m, const Options *o) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && o->deadline != UINT64_MAX)
                r = sd_bus_message_append(m, "{sv}", "deadline", "t", o->deadline);
        if (r >= 0)
                r = append_flag(m, "force", o->force);
        if (r >= 0 && o->n_drop_unclaimed > 0)
                r = append_names(m, (const char *const *) o->drop_unclaimed, o->n_drop_unclaimed);
        if (r >= 0)
                r = append_flag(m, "carry", o->carry);
        if (r >= 0)
                r = append_flag(m, "no-wait", o->no_wait);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static ExitStatus call_update(Update *u, const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitStatus status;
        int r;

        status = client_new_call(u->bus, LUOD_OBJECT_PATH, "Update", &m);
        if (status != STATUS_OK)
                return status;
        r = append_options(m, o);
        if (r >= 0)
                r = sd_bus_call_async(u->bus, /* ret_slot= */ NULL, m, on_answer, u,
                                      CLIENT_TIMEOUT_INFINITE);
        return r < 0 ? client_message_failed(r) : STATUS_OK;
}

static ExitStatus run_update(Update *u, const Options *o) {
        ExitStatus status;
        int r;

        r = update_start(u);
        if (r < 0) {
                report("Can't listen on the bus: %s", strerror(-r));
                return STATUS_UNREACHABLE;
        }
        if (progress_copy(&u->now, &u->shown) < 0)
                return report_oom();
        status = call_update(u, o);
        if (status != STATUS_OK)
                return status;
        r = sd_event_loop(u->event);
        clear_line(u);
        if (r < 0) {
                report("Can't wait for events: %s", strerror(-r));
                return STATUS_FAILURE;
        }
        if (r > 0 && !streq(strempty(u->now.state), "shutting-down")) { /* exit on disconnect */
                report("The bus went away.");
                return STATUS_UNREACHABLE;
        }
        return r > 0 ? STATUS_OK : u->status;
}

/* --- before that */

static ExitStatus check_names(const Options *o) {
        for (size_t i = 0; i < o->n_drop_unclaimed; i++)
                if (!text_is_utf8(o->drop_unclaimed[i], strlen(o->drop_unclaimed[i]))) {
                        report("'%s' is not the name of a session: it is not UTF-8.", o->drop_unclaimed[i]);
                        return STATUS_USAGE;
                }
        return STATUS_OK;
}

/* Of a script nobody is asked: who wrote "luoctl update" into it has decided. */
static bool may_go_on(const Options *o) {
        char answer[8];

        if (o->yes || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                return true;
        printf("\nContinue? [y/N] ");
        (void) fflush(stdout);
        return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static ExitStatus look_at_findings(const Options *o, sd_bus *bus) {
        _cleanup_(findings_done) Findings findings = {};
        ExitStatus status;

        status = client_get_findings(bus, &findings);
        if (status != STATUS_OK)
                return status;
        findings_print(&findings, /* legend= */ false);
        if (o->dry_run)
                return findings_to_status(&findings);
        if (findings_count_blocking(&findings, o->carry || o->n_drop_unclaimed > 0) == 0)
                return STATUS_OK;
        printf("\nNothing was begun: something blocks the update.\n");
        return STATUS_CHECK_BLOCKED;
}

static ExitStatus update(const Options *o, Update *u) {
        ExitStatus status;

        status = look_at_findings(o, u->bus);
        if (status != STATUS_OK || o->dry_run)
                return status;
        if (!may_go_on(o)) {
                printf("Nothing was begun.\n");
                return STATUS_CANCELLED;
        }
        status = client_get_manager(u->bus, &u->now);
        if (status == STATUS_OK && !u->now.loaded_kernel.loaded)
                status = load_default_kernel(u->bus);
        return status == STATUS_OK ? run_update(u, o) : status;
}

ExitStatus verb_update(const Options *o) {
        const char *terminal = getenv("TERM");
        _cleanup_(update_done) Update u = {
                .terminal = isatty(STDOUT_FILENO) && terminal && !streq(terminal, "dumb"),
                .no_wait = o->no_wait,
        };
        ExitStatus status;

        status = check_names(o);
        if (status == STATUS_OK)
                status = client_open(&u.bus);
        return status == STATUS_OK ? update(o, &u) : status;
}

ExitStatus verb_cancel(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus status;

        status = client_open(&bus);
        if (status == STATUS_OK)
                status = client_new_call(bus, LUOD_OBJECT_PATH, "Cancel", &m);
        if (status == STATUS_OK)
                status = client_call(bus, m, CLIENT_TIMEOUT, /* ret_reply= */ NULL);
        return status;
}
