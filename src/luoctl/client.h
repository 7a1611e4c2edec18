/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "exit-status.h"
#include "info.h"

/* Calls to luod. All functions that return an ExitStatus have told the user why it is not STATUS_OK; out
 * parameters are written only on STATUS_OK. */

#define CLIENT_TIMEOUT UINT64_C(30000000)  /* µs, for calls that do little */
#define CLIENT_TIMEOUT_INFINITE UINT64_MAX /* for those that move memory: there is no saying how much */

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS, if set). */
ExitStatus client_open(sd_bus **ret);

/* Says that a message could not be built or understood; @r is the -errno of it. */
ExitStatus client_message_failed(int r);

/* Says why a call failed: its error, or else the -errno @r. */
ExitStatus client_report_error(const sd_bus_error *error, int r);

/* Starts a call of a method of the Manager, or of the session at @path. */
ExitStatus client_new_call(sd_bus *bus, const char *path, const char *member, sd_bus_message **ret);

/* client_call() - send @m and wait for the answer
 *
 * If luod dies before it has answered, the same call is made again (with the same fds), as luod's contract
 * wants it: it is then answered as if it came for the first time. ret_reply may be NULL. */
ExitStatus client_call(sd_bus *bus, sd_bus_message *m, uint64_t timeout, sd_bus_message **ret_reply);

/* Like client_call(), for a call after which its object is gone: if luod died before it has answered, not to
 * find the object again is success. */
ExitStatus client_call_final(sd_bus *bus, sd_bus_message *m, uint64_t timeout);

/* The object path of the session @name; the caller frees it. */
ExitStatus client_find_session(sd_bus *bus, const char *name, char **ret_path);

/* The same without a word when there is none: STATUS_OK, *ret_path is NULL. */
ExitStatus client_look_for_session(sd_bus *bus, const char *name, char **ret_path);

/* All sessions that the caller may see, with all properties; session_infos_done(). */
ExitStatus client_get_sessions(sd_bus *bus, SessionInfos *ret);

/* What Check() finds; the caller releases *ret with findings_done(). */
ExitStatus client_get_findings(sd_bus *bus, Findings *ret);

/* Read all properties in one call. The caller releases *ret: manager_info_done(), session_info_done(). */
ExitStatus client_get_manager(sd_bus *bus, ManagerInfo *ret);
ExitStatus client_get_session(sd_bus *bus, const char *path, SessionInfo *ret);
