/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-names.h"
#include "bus-update.h"
#include "bus.h"
#include "operations.h"

int bus_get_caller(Bus *b, sd_bus_message *m, Caller **ret) {
        return calls_get_caller(&b->calls, m, ret);
}

bool bus_is_property_request(sd_bus *connection) {
        sd_bus_message *m = sd_bus_get_current_message(connection);
        const char *interface = m ? sd_bus_message_get_interface(m) : NULL;

        return interface && (streq(interface, "org.freedesktop.DBus.Properties") ||
                             streq(interface, "org.freedesktop.DBus.ObjectManager"));
}

int bus_session_path(const Session *session, char **ret) {
        return sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, session->record.name, ret);
}

int bus_read_metadata(sd_bus_message *m, MetadataChange **ret, size_t *ret_n, sd_bus_error *reterr) {
        _cleanup_free_ MetadataChange *changes = NULL;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{say}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "say")) > 0) {
                MetadataChange c = {}, *larger;

                r = sd_bus_message_read_basic(m, 's', &c.key);
                if (r >= 0)
                        r = sd_bus_message_read_array(m, 'y', &c.value, &c.n_value);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;

                larger = realloc(changes, (n + 1) * sizeof(*changes));
                if (!larger)
                        return -ENOMEM;
                (void) TAKE_PTR(changes);
                changes = larger;
                changes[n++] = c;
                if (n > 2 * METADATA_KEYS_MAX)
                        return sd_bus_error_setf(reterr, LUOD_ERROR_QUOTA_EXCEEDED,
                                                 "At most %u metadata keys can be changed in one call",
                                                 2 * METADATA_KEYS_MAX);
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(changes);
        *ret_n = n;
        return 0;
}

static void on_session_added(Session *session, void *userdata) {
        Bus *b = userdata;
        _cleanup_free_ char *path = NULL;

        /* Nobody may listen, and a signal that is lost is found again by ListSessions(). */
        if (bus_session_path(session, &path) < 0)
                return;
        (void) sd_bus_emit_interfaces_added(b->bus, path, LUOD_INTERFACE_SESSION, NULL);
        (void) sd_bus_emit_signal(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "SessionNew", "so",
                                  session->record.name, path);
        (void) sd_bus_emit_properties_changed(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "NSessions", NULL);
}

static void on_session_removed(Session *session, EndHow how, void *userdata) {
        Bus *b = userdata;
        _cleanup_free_ char *path = NULL;

        if (bus_session_path(session, &path) < 0)
                return;
        (void) sd_bus_emit_interfaces_removed(b->bus, path, LUOD_INTERFACE_SESSION, NULL);
        (void) sd_bus_emit_signal(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "SessionRemoved", "sos",
                                  session->record.name, path, end_how_to_string(how));
        (void) sd_bus_emit_properties_changed(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "NSessions", "NFiles",
                                              NULL);
}

static void on_session_changed(Session *session, const char *property, void *userdata) {
        Bus *b = userdata;
        _cleanup_free_ char *path = NULL;

        if (bus_session_path(session, &path) >= 0)
                (void) sd_bus_emit_properties_changed(b->bus, path, LUOD_INTERFACE_SESSION, property, NULL);
}

static void on_changed(Manager *manager, const char *property, void *userdata) {
        Bus *b = userdata;

        (void) sd_bus_emit_properties_changed(b->bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, property, NULL);
        if (streq(property, "Restore"))
                bus_restore_changed(manager);
}

int bus_init(Bus *b, Manager *manager, sd_bus *connection) {
        int r;

        *b = (Bus) { .manager = manager, .bus = sd_bus_ref(connection) };
        r = calls_init(&b->calls, connection);
        if (r >= 0)
                r = bus_manager_add(b);
        if (r >= 0)
                r = bus_session_add(b);
        if (r < 0) {
                bus_done(b);
                return r;
        }

        manager->hooks = (ManagerHooks) {
                .session_added = on_session_added,
                .session_removed = on_session_removed,
                .session_changed = on_session_changed,
                .changed = on_changed,
                .prepare_for_update = bus_tell_prepare_for_update,
                .update_finished = bus_tell_update_finished,
                .userdata = b,
        };
        return 0;
}

void bus_done(Bus *b) {
        if (b->manager)
                b->manager->hooks = (ManagerHooks) {};
        sd_bus_slot_unref(b->manager_slot);
        sd_bus_slot_unref(b->object_manager_slot);
        sd_bus_slot_unref(b->session_slot);
        sd_bus_slot_unref(b->enumerator_slot);
        calls_done(&b->calls);
        sd_bus_unref(b->bus);
        *b = (Bus) {};
}
