/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-journal.h>

#include "bus-bounds.h"
#include "bus-error.h"
#include "bus-options.h"
#include "bus-update.h"
#include "fd-util.h"

/* The part of org.luod1.Manager that is about an update: dbus/org.luod1.xml. */

int bus_check_root(Bus *b, sd_bus_message *m, const char *what, sd_bus_error *reterr) {
        Failure failure = FAILURE_INIT;
        Caller *caller;
        int r;

        r = bus_get_caller(b, m, &caller);
        if (r < 0 || caller_is_root(caller))
                return r;
        (void) failure_set(&failure, FAILURE_NOT_PERMITTED, "%s is for root alone", what);
        return bus_error_set_failure(reterr, &failure);
}

/* --- Update(), Cancel() */

typedef struct OptionsRead {
        UpdateOptions options;
        char **drop_unclaimed; /* ours; the strings are too */
} OptionsRead;

static void options_read_done(OptionsRead *o) {
        for (size_t i = 0; o->drop_unclaimed && o->drop_unclaimed[i]; i++)
                free(o->drop_unclaimed[i]);
        free(o->drop_unclaimed);
}

static int read_deadline(sd_bus_message *m, void *field, sd_bus_error *reterr) {
        uint64_t *usec = field;
        int r;

        r = sd_bus_message_read_basic(m, 't', usec);
        if (r >= 0 && (*usec == 0 || *usec > PREPARE_TIMEOUT_MAX_USEC))
                return sd_bus_error_setf(reterr, SD_BUS_ERROR_INVALID_ARGS,
                                         "The deadline must be 1 to %llu microseconds from now",
                                         (unsigned long long) PREPARE_TIMEOUT_MAX_USEC);
        return r;
}

static const BusOption update_options[] = {
        { "carry", "b", offsetof(OptionsRead, options.carry) },
        { "deadline", "t", offsetof(OptionsRead, options.deadline), read_deadline },
        { "drop-unclaimed", "as", offsetof(OptionsRead, drop_unclaimed) },
        { "force", "b", offsetof(OptionsRead, options.force) },
        { "no-wait", "b", offsetof(OptionsRead, options.no_wait) },
};

static void on_updated(const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;

        if (failure)
                (void) bus_reply_failure(m, failure);
        else
                (void) sd_bus_reply_method_return(m, NULL);
        sd_bus_message_unref(m);
}

int bus_method_update(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_(options_read_done) OptionsRead o = {};
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        Bus *b = userdata;
        int r;

        r = bus_read_options(m, update_options, &o, reterr_error);
        o.options.drop_unclaimed = o.drop_unclaimed;
        if (r >= 0)
                r = bus_check_root(b, m, "To update the host", reterr_error);
        if (r < 0)
                return r;
        kept = bus_keep_call(m);
        r = operation_update(b->manager, &o.options, on_updated, kept, &failure);
        if (r < 0) {
                sd_bus_message_unref(kept);
                return bus_error_set_failure(reterr_error, &failure);
        }
        return 1;
}

int bus_method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        Bus *b = userdata;
        int r;

        r = bus_check_root(b, m, "To cancel an update", reterr_error);
        if (r < 0)
                return r;
        r = operation_cancel_update(b->manager, &failure);
        return r < 0 ? bus_error_set_failure(reterr_error, &failure) : sd_bus_reply_method_return(m, NULL);
}

/* --- Inhibit(), ListInhibitors() */

int bus_method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *what, *who, *why, *mode;
        _cleanup_(closep) int fd = -EBADF;
        Failure failure = FAILURE_INIT;
        Bus *b = userdata;
        Caller *caller;
        int r;

        r = sd_bus_message_read(m, "ssss", &what, &who, &why, &mode);
        if (r >= 0)
                r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;
        r = operation_inhibit(b->manager, caller, what, who, why, mode, &fd, &failure);
        return r < 0 ? bus_error_set_failure(reterr_error, &failure) : sd_bus_reply_method_return(m, "h", fd);
}

int bus_method_list_inhibitors(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        sd_bus_message *reply = NULL;
        Bus *b = userdata;
        const Lock *l;
        Caller *caller;
        int r;

        r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssuut)");
        LIST_FOREACH(&b->manager->participants.locks, Lock, link, l)
                if (r >= 0 && (caller_is_root(caller) || caller->uid == l->uid))
                        r = sd_bus_message_append(reply, "(ssssuut)", "update", l->who, l->why, lock_mode_to_string(l->mode),
                                                  (uint32_t) l->uid, (uint32_t) l->pid, l->id);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}

int bus_method_release_lock(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        Bus *b = userdata;
        Caller *caller;
        uint64_t id;
        int r;

        r = sd_bus_message_read(m, "t", &id);
        if (r >= 0)
                r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;
        r = operation_release_lock(b->manager, caller, id, &failure);
        if (r < 0)
                return bus_error_set_failure(reterr_error, &failure);
        (void) sd_journal_print(LOG_NOTICE, "User %u has broken the lock %llu", (unsigned) caller->uid, (unsigned long long) id);
        return sd_bus_reply_method_return(m, NULL);
}

/* --- properties */

static int append_awaited(const char *kind, const char *name, const char *why, void *userdata) {
        int r = sd_bus_message_append(userdata, "(sss)", kind, name, why);

        return r < 0 ? r : 0;
}

/* Who it is, is for root: others could learn names of sessions. Nobody in signals. */
int bus_get_waiting_for(sd_bus *bus,
                        const char *path,
                        const char *interface,
                        const char *property,
                        sd_bus_message *reply,
                        void *userdata,
                        sd_bus_error *reterr_error) {
        Caller *caller = NULL;
        Bus *b = userdata;
        int r;

        if (bus_is_property_request(bus)) {
                r = bus_get_caller(b, sd_bus_get_current_message(bus), &caller);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_open_container(reply, 'a', "(sss)");
        if (r >= 0 && caller && caller_is_root(caller))
                r = update_foreach_awaited(b->manager, append_awaited, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

void bus_tell_prepare_for_update(bool start, uint64_t deadline, void *userdata) {
        Bus *b = userdata;

        (void) sd_bus_emit_signal(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "PrepareForUpdate", "bt", (int) start, deadline);
}

void bus_tell_update_finished(const char *result, const char *message, void *userdata) {
        Bus *b = userdata;

        (void) sd_bus_emit_signal(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "UpdateFinished", "ss", result, message);
}
