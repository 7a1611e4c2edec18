/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "bus-call.h"
#include "manager.h"

/* luod's face on one connection. The interface is documented in dbus/org.luod1.xml. */
typedef struct Bus {
        Manager *manager;
        sd_bus *bus;
        Calls calls;
        sd_bus_slot *manager_slot, *object_manager_slot, *session_slot, *enumerator_slot;
} Bus;

/* Puts the objects on @connection and makes @bus the one that the manager's hooks tell. The connection is ref'd.
 * @bus is the caller's and must stay where it is. */
int bus_init(Bus *bus, Manager *manager, sd_bus *connection);
void bus_done(Bus *bus);

/* Who sent the message that is being handled; borrowed. 0 or -errno, which a handler returns. */
int bus_get_caller(Bus *bus, sd_bus_message *m, Caller **ret);

/* Whether the message being processed asks for properties, so that an answer goes to its sender alone. In any
 * other case what a property says goes to everybody, in a signal. */
bool bus_is_property_request(sd_bus *connection);

/* Reads luod.conf anew, tells systemd meanwhile, and logs what is wrong with it; *ret has that, too. 0 or -ENOMEM. */
int bus_reload(Bus *bus, ConfigMessages *ret);

/* The object path of a session; the caller frees it. */
int bus_session_path(const Session *session, char **ret);
int bus_session_add(Bus *bus);
int bus_manager_add(Bus *bus);

/* Of the Manager and, bus_get_claim(), of a session (bus-restored.c). */
int bus_get_restore(sd_bus *bus,
                    const char *path,
                    const char *interface,
                    const char *property,
                    sd_bus_message *reply,
                    void *userdata,
                    sd_bus_error *reterr_error);
int bus_get_restore_count(sd_bus *bus,
                          const char *path,
                          const char *interface,
                          const char *property,
                          sd_bus_message *reply,
                          void *userdata,
                          sd_bus_error *reterr_error);
int bus_get_claim(sd_bus *bus,
                  const char *path,
                  const char *interface,
                  const char *property,
                  sd_bus_message *reply,
                  void *userdata,
                  sd_bus_error *reterr_error);
/* The property Restore has changed: logs that. */
void bus_restore_changed(const Manager *manager);

/* Reads metadata (a{say}); the result's keys and values are borrowed from @m. The caller frees *ret. */
struct MetadataChange;
int bus_read_metadata(sd_bus_message *m, struct MetadataChange **ret, size_t *ret_n, sd_bus_error *reterr);
