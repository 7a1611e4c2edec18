/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <signal.h>
#include <systemd/sd-event.h>

#include "bus-names.h"
#include "client.h"
#include "format-value.h"
#include "output.h"
#include "verbs.h"

/* Event.event, as documented in luoctl(1) */
#define EVENT_SESSION_NEW "session-new"
#define EVENT_SESSION_REMOVED "session-removed"
#define EVENT_CHANGED "changed"
#define EVENT_LUOD_GONE "luod-gone"
#define EVENT_LUOD_BACK "luod-back"

typedef struct Monitor {
        const Options *options;
        sd_bus *bus;
        sd_event *event;
        ExitStatus status; /* why the loop ends */
} Monitor;

static void monitor_done(Monitor *m) {
        m->bus = sd_bus_flush_close_unref(m->bus);
        m->event = sd_event_unref(m->event);
}

static int monitor_stop(Monitor *m, ExitStatus status) {
        m->status = status;
        return sd_event_exit(m->event, 0);
}

static void print_value(const Property *p, const void *field) {
        switch (p->type) {
        case PROPERTY_STRING:
                print_text(strempty(*(char *const *) field));
                break;
        case PROPERTY_BOOL:
                printf("%s", yes_no(*(const bool *) field));
                break;
        case PROPERTY_U32:
                printf("%" PRIu32, *(const uint32_t *) field);
                break;
        case PROPERTY_U64:
                printf("%" PRIu64, *(const uint64_t *) field);
                break;
        case PROPERTY_STRINGS:
                for (size_t i = 0; i < ((const StringList *) field)->n_items; i++) {
                        printf("%s", i > 0 ? "," : "");
                        print_text(((const StringList *) field)->items[i]);
                }
                break;
        case PROPERTY_FILES:
                printf("(%zu)", ((const FileList *) field)->n_items);
                break;
        case PROPERTY_METADATA:
                printf("(%zu)", ((const MetadataList *) field)->n_items);
                break;
        case PROPERTY_KERNEL: {
                const KernelInfo *k = field;

                print_text(!k->loaded ? "none" : strempty(k->release)[0] ? k->release : "unknown");
                break;
        }
        case PROPERTY_WAITING:
                printf("(%zu)", ((const WaitingList *) field)->n_items);
                break;
        default:
                break;
        }
}

static void print_changes(const Event *e) {
        uint64_t present = *(const uint64_t *) e->info;

        for (size_t i = 0; e->properties[i].name; i++) {
                if (!(present & UINT64_C(1) << i))
                        continue;
                printf(" %s=", e->properties[i].name);
                print_value(&e->properties[i], (const char *) e->info + e->properties[i].offset);
        }

        for (size_t i = 0; e->invalidated && i < e->invalidated->n_items; i++) {
                putchar(' ');
                print_text(e->invalidated->items[i]);
        }
}

static void print_event(const Event *e) {
        char time[FORMAT_TIME_MAX];

        printf("%s  ", format_time(time, e->timestamp));
        if (streq(e->event, EVENT_LUOD_GONE))
                printf("luod went away");
        else if (streq(e->event, EVENT_LUOD_BACK))
                printf("luod came back");
        else
                printf("%-15s  ", e->event);

        if (e->session)
                print_text(e->session);
        else if (e->properties)
                printf("(luod)");
        if (e->how) {
                printf(" (");
                print_text(e->how);
                putchar(')');
        }
        if (e->properties)
                print_changes(e);
        putchar('\n');
}

/* Whoever reads along wants each line at once. Returns 0, or stops the monitor. */
static int monitor_tell(Monitor *m, Event *e) {
        _cleanup_free_ char *json = NULL;
        ExitStatus status;

        e->timestamp = now_realtime();
        if (m->options->json == JSON_OFF)
                print_event(e);
        else if (encode_event(e, m->options->json, &json) < 0)
                return monitor_stop(m, report_oom());
        else
                print_json(json);

        status = output_finish(STATUS_OK);
        return status == STATUS_OK ? 0 : monitor_stop(m, status);
}

/* A signal that can't be understood is no reason to miss the next. */
static int skip_signal(sd_bus_message *message, int r) {
        report("Can't understand signal %s, ignoring: %s", sd_bus_message_get_member(message), strerror(-r));
        return 0;
}

static int on_session_new(sd_bus_message *message, void *userdata, sd_bus_error *reterr_error) {
        Event e = { .event = EVENT_SESSION_NEW };
        int r;

        r = sd_bus_message_read(message, "so", &e.session, &e.path);
        if (r < 0)
                return skip_signal(message, r);

        return monitor_tell(userdata, &e);
}

static int on_session_removed(sd_bus_message *message, void *userdata, sd_bus_error *reterr_error) {
        Event e = { .event = EVENT_SESSION_REMOVED };
        int r;

        r = sd_bus_message_read(message, "sos", &e.session, &e.path, &e.how);
        if (r < 0)
                return skip_signal(message, r);

        return monitor_tell(userdata, &e);
}

/* Reads what follows the interface name in PropertiesChanged, and tells it. */
static int tell_changes(Monitor *m, sd_bus_message *message, Event *e, void *info) {
        _cleanup_(string_list_done) StringList invalidated = {};
        int r;

        r = info_read(message, e->properties, info);
        if (r < 0)
                return skip_signal(message, r);
        r = string_list_read(message, &invalidated);
        if (r < 0)
                return skip_signal(message, r);

        if (*(uint64_t *) info == 0 && invalidated.n_items == 0)
                return 0; /* nothing that luoctl knows */
        e->info = info;
        e->invalidated = invalidated.n_items > 0 ? &invalidated : NULL;
        return monitor_tell(m, e);
}

static int on_session_changed(Monitor *m, sd_bus_message *message) {
        _cleanup_(session_info_done) SessionInfo info = {};
        _cleanup_free_ char *name = NULL;
        Event e = {
                .event = EVENT_CHANGED,
                .path = sd_bus_message_get_path(message),
                .properties = session_properties,
        };
        int r;

        r = sd_bus_path_decode(e.path, LUOD_SESSION_PATH_PREFIX, &name);
        if (r <= 0)
                return skip_signal(message, r < 0 ? r : -EBADMSG);

        e.session = name;
        return tell_changes(m, message, &e, &info);
}

static int on_manager_changed(Monitor *m, sd_bus_message *message) {
        _cleanup_(manager_info_done) ManagerInfo info = {};
        Event e = { .event = EVENT_CHANGED, .properties = manager_properties };

        return tell_changes(m, message, &e, &info);
}

static int on_properties_changed(sd_bus_message *message, void *userdata, sd_bus_error *reterr_error) {
        const char *interface;
        int r;

        r = sd_bus_message_read_basic(message, 's', &interface);
        if (r < 0)
                return skip_signal(message, r);

        if (streq(interface, LUOD_INTERFACE_SESSION))
                return on_session_changed(userdata, message);
        if (streq(interface, LUOD_INTERFACE_MANAGER))
                return on_manager_changed(userdata, message);
        return 0;
}

static int on_name_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *reterr_error) {
        const char *new_owner;
        Event e = {};
        int r;

        r = sd_bus_message_read(message, "sss", NULL, NULL, &new_owner);
        if (r < 0)
                return skip_signal(message, r);

        e.event = new_owner[0] ? EVENT_LUOD_BACK : EVENT_LUOD_GONE;
        return monitor_tell(userdata, &e);
}

static int add_matches(Monitor *m) {
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='" LUOD_BUS_NAME "',interface='" LUOD_INTERFACE_MANAGER
                  "',member='SessionNew'",
                  on_session_new },
                { "type='signal',sender='" LUOD_BUS_NAME "',interface='" LUOD_INTERFACE_MANAGER
                  "',member='SessionRemoved'",
                  on_session_removed },
                { "type='signal',sender='" LUOD_BUS_NAME "',interface='org.freedesktop.DBus.Properties'"
                  ",member='PropertiesChanged',path_namespace='" LUOD_OBJECT_PATH "'",
                  on_properties_changed },
                { "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'"
                  ",member='NameOwnerChanged',arg0='" LUOD_BUS_NAME "'",
                  on_name_owner_changed },
        };

        for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
                int r = sd_bus_add_match(m->bus, /* ret_slot= */ NULL, matches[i].rule, matches[i].handler,
                                         m);

                if (r < 0)
                        return r;
        }

        return 0;
}

/* To monitor does not start luod: that would change what is looked at. But one should know. */
static int tell_if_absent(Monitor *m) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Event e = { .event = EVENT_LUOD_GONE };
        int r;

        r = sd_bus_call_method(m->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", "GetNameOwner", &error,
                               /* ret_reply= */ NULL, "s", LUOD_BUS_NAME);
        if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return monitor_tell(m, &e);
        return MIN(r, 0);
}

static int monitor_start(Monitor *m) {
        static const int signals[] = { SIGINT, SIGTERM };
        sigset_t mask;
        int r;

        r = sd_event_default(&m->event);
        if (r < 0)
                return r;

        sigemptyset(&mask);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigaddset(&mask, signals[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                /* without a callback a signal ends the loop, with 0 */
                r = sd_event_add_signal(m->event, /* ret= */ NULL, signals[i], /* callback= */ NULL, NULL);
                if (r < 0)
                        return r;
        }

        r = sd_bus_set_exit_on_disconnect(m->bus, true);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(m->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = add_matches(m);
        if (r < 0)
                return r;
        return tell_if_absent(m);
}

ExitStatus verb_monitor(const Options *o) {
        _cleanup_(monitor_done) Monitor m = { .options = o };
        ExitStatus status;
        int r;

        status = client_open(&m.bus);
        if (status != STATUS_OK)
                return status;
        r = monitor_start(&m);
        if (r < 0) {
                report("Can't listen on the bus: %s", strerror(-r));
                return STATUS_UNREACHABLE;
        }

        r = sd_event_loop(m.event);
        if (r < 0) {
                report("Can't wait for events: %s", strerror(-r));
                return STATUS_FAILURE;
        }
        if (r > 0) { /* exit on disconnect */
                report("The bus went away.");
                return STATUS_UNREACHABLE;
        }
        return m.status;
}
