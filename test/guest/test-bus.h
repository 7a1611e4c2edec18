/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "test-util.h"

#define TEST_TIMEOUT_USEC (180ULL * 1000 * 1000)

/* Ends the program if a message can't be built or read: "r" of whatever did it. */
static inline void check_message(int r) {
        if (r < 0)
                die("Can't build or read a message: %s", strerror(-r));
}

sd_bus *test_bus_open(void);

/* A call to the manager, or to the session @name: its object path follows from that, nobody is asked. */
sd_bus_message *test_bus_manager_call(sd_bus *bus, const char *member);
sd_bus_message *test_bus_session_call(sd_bus *bus, const char *name, const char *member);

/* The value of a session's property, ready to be read; ends the program if it can't be had. */
sd_bus_message *test_bus_get(sd_bus *bus, const char *session, const char *property, const char *type);

/* Makes the call and says how it ended: prints the error, if any, and returns the exit status. A call whose answer was lost
 * with luod is made again. @expect: the error that must come, or NULL. *ret_reply (may be NULL) is NULL unless the call
 * succeeded. */
int test_bus_call(sd_bus *bus, sd_bus_message *m, const char *expect, sd_bus_message **ret_reply);

/* Makes the same call until it is answered, luod dying or not, for two minutes; also through what a restart can cause
 * besides. @gone_is_fine: that the session is no longer there is a yes, as it must be when an answer about its end was
 * lost. Every other error ends the program. */
void test_bus_call_until_answered(sd_bus *bus, sd_bus_message *m, bool gone_is_fine, const char *what);
