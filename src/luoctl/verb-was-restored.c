/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"
#include "output.h"
#include "verbs.h"

/* For scripts and ExecCondition=: what is known for sure is said by the exit status alone. 1 says "there is none, boot
 * fresh", so no failure may end with it. */

static ExitStatus failed(ExitStatus status) {
        return status == STATUS_FAILURE ? STATUS_UNREACHABLE : status;
}

ExitStatus verb_was_restored(const Options *o) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(session_info_done) SessionInfo info = {};
        _cleanup_free_ char *path = NULL;
        ExitStatus status;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return failed(status);
        status = client_look_for_session(bus, o->arguments[0], &path);
        if (status != STATUS_OK)
                return failed(status);
        if (!path)
                return STATUS_NOT_RESTORED;
        status = client_get_session(bus, path, &info);
        if (status != STATUS_OK)
                return failed(status);

        if (!streq(strempty(info.direction), "incoming"))
                return STATUS_NOT_RESTORED;
        if (streq(strempty(info.claim), "failed")) {
                report("Session '%s' came over the live update, but not everything in it: %s.", o->arguments[0],
                       strerror((int) info.error));
                return STATUS_LOST;
        }
        return STATUS_OK;
}
