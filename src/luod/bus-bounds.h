/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/* What a client can make luod hold, or send, has bounds. */

/* For a method call that is answered later: stands for @m in all sd_bus_reply_*() and sd_bus_message_new_method_return(), and has
 * nothing of what came with it. A call may be tens of megabytes, and bring file descriptors that its arguments don't use;
 * both would be held as long as the call is in flight, by nobody's quota. Never NULL: without memory it is a reference to
 * @m itself. */
sd_bus_message *bus_keep_call(sd_bus_message *m);

/* Refuses calls of standard interfaces whose arguments sd-bus would repeat in its error, however long they are: such an answer
 * may be longer than what the bus lets through, and then the bus cuts luod off. 1: refused; 0: go on; -errno. */
int bus_check_bounds(sd_bus_message *m, sd_bus_error *reterr);

/* What reading a file descriptor from a message came to, @r, as a handler returns it: a message that has less of them than it
 * says came while luod had none free. */
int bus_explain_missing_fd(int r, sd_bus_error *reterr);
