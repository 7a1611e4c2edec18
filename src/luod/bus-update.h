/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus-names.h"
#include "bus.h"

/* Members of org.luod1.Manager for the table in bus-manager.c. */

/* Refuses everybody but root: "@what is for root alone". 0, or what a handler returns. */
int bus_check_root(Bus *bus, sd_bus_message *m, const char *what, sd_bus_error *reterr);

int bus_method_update(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_method_list_inhibitors(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_method_release_lock(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_get_waiting_for(sd_bus *bus,
                        const char *path,
                        const char *interface,
                        const char *property,
                        sd_bus_message *reply,
                        void *userdata,
                        sd_bus_error *reterr_error);

/* For ManagerHooks. */
void bus_tell_prepare_for_update(bool start, uint64_t deadline, void *userdata);
void bus_tell_update_finished(const char *result, const char *message, void *userdata);
