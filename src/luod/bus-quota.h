/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"

/* GetQuota() of org.luod1.Manager: dbus/org.luod1.xml. */
int bus_method_get_quota(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
