/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "caller.h"
#include "list.h"

/* What every method call to luod passes before its handler: it is found out who calls. On a bus that takes a question to the bus
 * driver, and no call waits in luod for the answer to another's. */

#define SENDER_BUCKETS 256U

typedef struct Calls {
        sd_bus *connection;
        Caller *peer;                 /* of a connection without a bus; NULL: there is a bus */
        List senders;                 /* Sender.link, the one that was heard of longest ago first */
        List buckets[SENDER_BUCKETS]; /* Sender.bucket_link */
        unsigned n_senders;
        unsigned n_held;              /* messages of all senders */
        sd_bus_slot *filter_slot, *gone_slot;
} Calls;

/* Before the objects are put on @connection, which must be ready where it is no bus. @calls must stay where it is. 0 or
 * -errno. */
int calls_init(Calls *calls, sd_bus *connection);
void calls_done(Calls *calls);

/* Who sent the method call that is being handled. *ret is borrowed, until the handler returns. 0 or -EACCES. */
int calls_get_caller(Calls *calls, sd_bus_message *m, Caller **ret);
