/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "unit-starter.h"

/* Units are started by PID 1, asked over the system bus @bus: StartUnit(unit, "replace"). A failure is logged here, once.
 * 0 or -ENOMEM. */
int unit_starter_new_systemd(sd_bus *bus, UnitStarter **ret);
