/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "bus-names.h"
#include "macro.h"

/* What luoctl sees of luod in an update, on a bus: fake-luod MODE LOG. Writes the calls that it gets to LOG.
 *
 *   loaded: an update is ready soon                        idle: the same, but no kernel is loaded
 *   blocked: Check() has something, there are no more locks
 *   hold: an update waits until it is cancelled            late: and can't be cancelled
 *   veto: there is a lock                                  die: luod dies while it prepares
 *   resumed: it has come back, and goes on                 given-up: it has come back, and does not
 */

#define STEP_USEC 50000

static const char *mode, *state = "idle", *waiting;
static FILE *logfile;
static sd_bus *bus;
static sd_event *event;
static sd_bus_message *update; /* not answered yet */
static bool loaded, seen;      /* who is waited for was asked for */

static bool mode_is(const char *name) {
        return streq(mode, name);
}

static void set_state(const char *s, const char *w) {
        state = s;
        waiting = w;
        seen = false;
        (void) sd_bus_emit_properties_changed(bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "State",
                                              "WaitingFor", NULL);
}

static void answer(const char *error, const char *message) {
        if (update && error)
                (void) sd_bus_reply_method_errorf(update, error, "%s", message);
        else if (update)
                (void) sd_bus_reply_method_return(update, NULL);
        update = sd_bus_message_unref(update);
}

static int on_step(sd_event_source *s, uint64_t usec, void *userdata) {
        if (waiting && !seen)
                ; /* luoctl is slow today */
        else if (mode_is("die"))
                _exit(0);
        else if (streq(state, "preparing") && waiting && !mode_is("hold") && !mode_is("late"))
                set_state("preparing", NULL);
        else if (streq(state, "preparing") && !waiting)
                set_state("handing-over", NULL);
        else if (streq(state, "handing-over") && mode_is("resumed")) {
                (void) sd_bus_emit_signal(bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "UpdateFinished",
                                          "ss", "handed-over", "");
                return 0;
        } else if (streq(state, "handing-over")) {
                answer(NULL, NULL);
                return 0;
        } else if (mode_is("late") && streq(state, "shutting-down")) {
                answer(NULL, NULL);
                return 0;
        }
        (void) sd_event_source_set_time_relative(s, STEP_USEC);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int start_steps(void) {
        return sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, STEP_USEC, 1000, on_step, NULL);
}

static int method_check(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *severity = mode_is("blocked") ? "blocks" : "ok";

        return sd_bus_reply_method_return(m, "a(ssss)", 2, severity, "incoming", "It is as it is.",
                                          mode_is("blocked") ? "Fix it." : "", "warning", "target",
                                          "No kernel is loaded.", "Load it.");
}

static void log_option(sd_bus_message *m, const char *key) {
        const char *contents, *s;
        uint64_t t;
        char type;
        int b;

        (void) sd_bus_message_peek_type(m, &type, &contents);
        (void) sd_bus_message_enter_container(m, 'v', contents);
        if (streq(contents, "t") && sd_bus_message_read(m, "t", &t) > 0)
                fprintf(logfile, " %s=%llu", key, (unsigned long long) t);
        else if (streq(contents, "b") && sd_bus_message_read(m, "b", &b) > 0)
                fprintf(logfile, " %s=%s", key, yes_no(b));
        else {
                (void) sd_bus_message_enter_container(m, 'a', "s");
                while (sd_bus_message_read(m, "s", &s) > 0)
                        fprintf(logfile, " %s=%s", key, s);
                (void) sd_bus_message_exit_container(m);
        }
        (void) sd_bus_message_exit_container(m);
}

static int method_update(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *key;

        fprintf(logfile, "Update");
        (void) sd_bus_message_enter_container(m, 'a', "{sv}");
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                (void) sd_bus_message_read(m, "s", &key);
                log_option(m, key);
                (void) sd_bus_message_exit_container(m);
        }
        fprintf(logfile, "\n");
        if (mode_is("veto"))
                return sd_bus_error_set(reterr, LUOD_ERROR_UPDATE_VETOED,
                                        "'qemu' holds a lock: it migrates");
        update = sd_bus_message_ref(m);
        set_state("preparing", "vm1");
        return start_steps() < 0 ? -EIO : 1; /* answered later */
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        fprintf(logfile, "Cancel\n");
        if (mode_is("late")) {
                set_state("shutting-down", NULL);
                return sd_bus_error_set(reterr, LUOD_ERROR_TOO_LATE, "The host is going down");
        }
        if (!update)
                return sd_bus_error_set(reterr, LUOD_ERROR_NO_UPDATE, "There is no update");
        set_state("idle", NULL);
        answer(LUOD_ERROR_UPDATE_CANCELLED, "It was cancelled");
        return sd_bus_reply_method_return(m, NULL);
}

static int method_load(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        fprintf(logfile, "LoadKernel\n");
        loaded = true;
        return sd_bus_reply_method_return(m, NULL);
}

static int on_released(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        fprintf(logfile, "released\n");
        (void) close(fd);
        return sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

static int method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *what, *who, *why, *how;
        int fds[2], r;

        if (sd_bus_message_read(m, "ssss", &what, &who, &why, &how) < 0 || pipe2(fds, O_CLOEXEC) < 0)
                return -EIO;
        fprintf(logfile, "Inhibit %s|%s|%s|%s\n", what, who, why, how);
        if (mode_is("blocked"))
                return sd_bus_error_set(reterr, LUOD_ERROR_QUOTA_EXCEEDED, "No more locks");
        (void) sd_event_add_io(event, NULL, fds[0], 0, on_released, NULL); /* EPOLLHUP comes by itself */
        r = sd_bus_reply_method_return(m, "h", fds[1]);
        (void) close(fds[1]);
        return r;
}

static int method_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return sd_bus_reply_method_return(m, "a(ssssuut)", 1, "update", "qemu", "it migrates", "block", 0,
                                          77, (uint64_t) 12);
}

static int method_release_lock(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        uint64_t id;

        if (sd_bus_message_read(m, "t", &id) < 0)
                return -EINVAL;
        fprintf(logfile, "ReleaseLock %llu\n", (unsigned long long) id);
        if (id != 12)
                return sd_bus_error_set(reterr, "org.luod1.Error.NoSuchLock", "There is no lock with that number");
        return sd_bus_reply_method_return(m, NULL);
}

static int method_get_session(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return sd_bus_reply_method_return(m, "o", LUOD_SESSION_PATH_PREFIX "/vm1");
}

static int method_set_ready(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int ready;

        if (sd_bus_message_read(m, "b", &ready) < 0)
                return -EIO;
        fprintf(logfile, "SetReady %s\n", yes_no(ready));
        return sd_bus_reply_method_return(m, NULL);
}

static int get_state(sd_bus *b,
                     const char *path,
                     const char *interface,
                     const char *property,
                     sd_bus_message *reply,
                     void *userdata,
                     sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "s", state);
}

static int get_waiting(sd_bus *b,
                       const char *path,
                       const char *interface,
                       const char *property,
                       sd_bus_message *reply,
                       void *userdata,
                       sd_bus_error *reterr) {
        seen = true;
        return waiting ? sd_bus_message_append(reply, "a(sss)", 1, "session", waiting, "not ready")
                       : sd_bus_message_append(reply, "a(sss)", 0);
}

static int get_loaded(sd_bus *b,
                      const char *path,
                      const char *interface,
                      const char *property,
                      sd_bus_message *reply,
                      void *userdata,
                      sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "a{sv}", 1, "Loaded", "b", (int) loaded);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Check", "", "a(ssss)", method_check, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Update", "a{sv}", "", method_update, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Cancel", "", "", method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LoadKernel", "hhsa{sv}", "", method_load, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Inhibit", "ssss", "h", method_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListInhibitors", "", "a(ssssuut)", method_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ReleaseLock", "t", "", method_release_lock, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetSession", "s", "o", method_get_session, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("WaitingFor", "a(sss)", get_waiting, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("LoadedKernel", "a{sv}", get_loaded, 0, 0),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("SetReady", "b", "", method_set_ready, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END
};

int main(int argc, char **argv) {
        int r;

        if (argc != 3)
                return 2;
        mode = argv[1];
        logfile = fopen(argv[2], "ae");
        if (!logfile)
                return 1;
        loaded = !mode_is("idle");
        (void) setvbuf(logfile, NULL, _IOLBF, 0);
        if (mode_is("resumed"))
                state = "handing-over";
        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER,
                                             manager_vtable, NULL);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, LUOD_SESSION_PATH_PREFIX "/vm1",
                                             LUOD_INTERFACE_SESSION, session_vtable, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, LUOD_BUS_NAME, 0);
        if (r >= 0 && mode_is("resumed"))
                r = start_steps();
        if (r >= 0)
                r = sd_event_loop(event);
        return r < 0;
}
