/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-journal.h>

#include "bus-units.h"
#include "list.h"
#include "macro.h"

typedef struct SystemdStarter {
        UnitStarter starter;
        sd_bus *bus;
        List starts; /* Start.link */
} SystemdStarter;

typedef struct Start {
        char *unit;
        bool optional;
        unit_started_fn done;
        void *userdata;
        sd_bus_slot *slot;
        ListLink link; /* SystemdStarter.starts */
} Start;

static Start *start_free(Start *s) {
        if (!s)
                return NULL;
        list_unlink(&s->link);
        sd_bus_slot_unref(s->slot);
        free(s->unit);
        free(s);
        return NULL;
}
DEFINE_CLEANUP_FUNC(Start, start_free)

/* There is none, or it was masked, which is how an admin says that none is wanted. */
static bool is_missing(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit") ||
               sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitMasked");
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_(start_freep) Start *s = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        int r = 0;

        if (e) {
                r = is_missing(e) ? -ENOENT : -MAX(sd_bus_message_get_errno(m), 1);
                (void) sd_journal_print(r == -ENOENT && s->optional ? LOG_DEBUG : LOG_WARNING, "Can't start %s, going on: %s",
                                        s->unit, e->message ? e->message : e->name);
        }
        s->done(r, s->userdata);
        return 0;
}

static int systemd_start(UnitStarter *starter, const char *unit, bool optional, unit_started_fn done, void *userdata) {
        SystemdStarter *starter_ = (SystemdStarter *) starter;
        _cleanup_(start_freep) Start *s = malloc(sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (Start) { .unit = strdup(unit), .optional = optional, .done = done, .userdata = userdata };
        if (!s->unit)
                return -ENOMEM;
        r = sd_bus_call_method_async(starter_->bus, &s->slot, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                     "org.freedesktop.systemd1.Manager", "StartUnit", on_started, s, "ss", unit, "replace");
        if (r < 0)
                return r;
        list_append(&starter_->starts, &TAKE_PTR(s)->link);
        return 0;
}

static UnitStarter *systemd_free(UnitStarter *starter) {
        SystemdStarter *s = (SystemdStarter *) starter;
        Start *start;

        LIST_FOREACH(&s->starts, Start, link, start)
                start_free(start);
        sd_bus_unref(s->bus);
        free(s);
        return NULL;
}

int unit_starter_new_systemd(sd_bus *bus, UnitStarter **ret) {
        static const UnitStarterOps ops = { .start = systemd_start, .free = systemd_free };
        SystemdStarter *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;
        *s = (SystemdStarter) { .starter.ops = &ops, .bus = sd_bus_ref(bus) };
        list_init(&s->starts);
        *ret = &s->starter;
        return 0;
}
