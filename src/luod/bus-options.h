/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "macro.h"

/* The options of methods, a{sv}: each method has a table of those that it knows. What is not in it, what is given twice
 * and what is of another type is refused. */

typedef struct BusOption {
        const char *key;
        const char *type; /* of the value, a signature */
        size_t offset;    /* where in the caller's structure it goes: "b": a bool; "t": a uint64_t; "as": a char **, the caller's
                           * to free with its strings; of other types what @read makes of it */
        /* Reads the value itself, inside its variant, to @field, or looks at it first. Returns as a handler does. NULL: as the type
         * says. */
        int (*read)(sd_bus_message *m, void *field, sd_bus_error *reterr);
} BusOption;

#define BUS_OPTIONS_MAX 32U

/* Reads them to @target; what is not given is left as it is. 0, or what a handler returns: some of @target may have been filled
 * then, and is the caller's to free as ever. */
int bus_read_options_table(
                sd_bus_message *m, const BusOption *options, size_t n_options, void *target, sd_bus_error *reterr);
#define bus_read_options(m, options, target, reterr) \
        bus_read_options_table(m, options, ARRAY_SIZE(options), target, reterr)
