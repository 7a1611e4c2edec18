/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "bus-bounds.h"
#include "bus-names.h"
#include "macro.h"

/* Of interfaces and members, as the bus has it. */
#define BUS_NAME_MAX 255U

static int make_stand_in(sd_bus_message *m, sd_bus_message **ret) {
        const char *sender = sd_bus_message_get_sender(m);
        sd_bus_message *s = NULL;
        uint64_t cookie;
        int r;

        r = sd_bus_message_new_method_call(sd_bus_message_get_bus(m), &s, /* destination= */ NULL, sd_bus_message_get_path(m),
                                           sd_bus_message_get_interface(m), sd_bus_message_get_member(m));
        if (r >= 0 && sender)
                r = sd_bus_message_set_sender(s, sender);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(s, sd_bus_message_get_expect_reply(m));
        if (r >= 0)
                r = sd_bus_message_get_cookie(m, &cookie);
        if (r >= 0)
                r = sd_bus_message_seal(s, cookie, /* timeout_usec= */ 0);
        if (r < 0)
                sd_bus_message_unref(s);
        else
                *ret = s;
        return r;
}

sd_bus_message *bus_keep_call(sd_bus_message *m) {
        sd_bus_message *s;

        return make_stand_in(m, &s) < 0 ? sd_bus_message_ref(m) : s;
}

int bus_check_bounds(sd_bus_message *m, sd_bus_error *reterr) {
        const char *interface = sd_bus_message_get_interface(m), *s;
        int r;

        if (!interface || !streq(interface, "org.freedesktop.DBus.Properties"))
                return 0;
        for (unsigned i = 0; i < 2; i++) { /* Get(ss), Set(ssv), GetAll(s) */
                r = sd_bus_message_read_basic(m, 's', &s);
                if (r <= 0) /* that it should have had another type is said by sd-bus */
                        break;
                if (strlen(s) > BUS_NAME_MAX)
                        return sd_bus_error_set(reterr, SD_BUS_ERROR_INVALID_ARGS,
                                                "A name of an interface or of a property has at most 255 bytes");
        }
        r = sd_bus_message_rewind(m, /* complete= */ true);
        return MIN(r, 0);
}

int bus_explain_missing_fd(int r, sd_bus_error *reterr) {
        if (r != -EBADMSG)
                return r;
        return sd_bus_error_set(reterr, LUOD_ERROR_QUOTA_EXCEEDED,
                                "The call came without the file descriptor that it speaks of: luod has none free, and LimitNOFILE= of "
                                "luod.service is too low (then try again), or the caller sent none");
}
