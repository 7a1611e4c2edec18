/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"

/* Handlers of the Manager's vtable; userdata is a Bus. */
int bus_method_get_report(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_method_get_report_of(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_method_list_reports(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
