/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "failure.h"

/* The one table from kinds of failures to names of errors. */
const char *failure_kind_to_bus_name(FailureKind kind);

/* Fills @reterr and returns the negative errno that sd-bus handlers return with it. */
int bus_error_set_failure(sd_bus_error *reterr, const Failure *failure);
/* Sends the error as the answer to @m, which may come from a peer that is gone. */
int bus_reply_failure(sd_bus_message *m, const Failure *failure);
