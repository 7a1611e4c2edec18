/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "bus-names.h"
#include "client.h"
#include "format-value.h"
#include "macro.h"
#include "output.h"
#include "text.h"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

/* luod restarts at once when it dies; a call that lost its answer is made again for about this long. */
#define RETRY_MAX 20U
#define RETRY_DELAY_MS 500L

ExitStatus client_open(sd_bus **ret) {
        int r;

        r = sd_bus_open_system(ret);
        if (r < 0) {
                report("Can't connect to the system bus: %s", strerror(-r));
                return STATUS_UNREACHABLE;
        }

        return STATUS_OK;
}

ExitStatus client_message_failed(int r) {
        if (r == -ENOMEM)
                return report_oom();

        if (r == -EBADMSG || r == -ENXIO)
                report("luoctl does not understand luod's answer; are they of different versions?");
        else
                report("Can't talk to luod: %s", strerror(-r));
        return STATUS_FAILURE;
}

ExitStatus client_new_call(sd_bus *bus, const char *path, const char *member, sd_bus_message **ret) {
        const char *interface =
                streq(path, LUOD_OBJECT_PATH) ? LUOD_INTERFACE_MANAGER : LUOD_INTERFACE_SESSION;
        int r;

        r = sd_bus_message_new_method_call(bus, ret, LUOD_BUS_NAME, path, interface, member);
        return r < 0 ? client_message_failed(r) : STATUS_OK;
}

ExitStatus client_report_error(const sd_bus_error *error, int r) {
        ExitStatus status = exit_status_from_error(error->name);
        const char *message = error->message ? error->message : strerror(-r);

        if (status == STATUS_UNREACHABLE)
                report("luod can't be reached: %s", message);
        else
                report("%s", message);
        return status;
}

static uint64_t now_monotonic(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* Whether the answer was lost with luod. A call that ran into its time-out has the same error name. */
static bool answer_was_lost(const sd_bus_error *error, uint64_t start, uint64_t timeout) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) &&
               (timeout == CLIENT_TIMEOUT_INFINITE || now_monotonic() - start < timeout);
}

/* As long as luod is not back on the bus, a bus that can't start it says so. */
static bool is_restarting(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static void wait_for_restart(void) {
        struct timespec delay = { .tv_nsec = RETRY_DELAY_MS * 1000 * 1000 };

        (void) nanosleep(&delay, NULL);
}

/* Returns as sd_bus_call(); *ret_repeated tells whether the call was made more than once. */
static int call_until_answered(sd_bus *bus,
                               sd_bus_message *m,
                               uint64_t timeout,
                               sd_bus_error *reterr_error,
                               sd_bus_message **ret_reply,
                               bool *ret_repeated) {
        uint64_t start = now_monotonic();
        int r;

        r = sd_bus_call(bus, m, timeout, reterr_error, ret_reply);
        *ret_repeated = r < 0 && answer_was_lost(reterr_error, start, timeout);

        for (unsigned i = 0; *ret_repeated && r < 0 && i < RETRY_MAX && is_restarting(reterr_error); i++) {
                wait_for_restart();
                sd_bus_error_free(reterr_error);
                r = sd_bus_call(bus, m, timeout, reterr_error, ret_reply);
        }

        return r;
}

ExitStatus client_call(sd_bus *bus, sd_bus_message *m, uint64_t timeout, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool repeated;
        int r;

        r = call_until_answered(bus, m, timeout, &error, ret_reply, &repeated);
        return r < 0 ? client_report_error(&error, r) : STATUS_OK;
}

ExitStatus client_call_final(sd_bus *bus, sd_bus_message *m, uint64_t timeout) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool repeated;
        int r;

        r = call_until_answered(bus, m, timeout, &error, /* ret_reply= */ NULL, &repeated);
        if (r < 0 && repeated && exit_status_from_error(error.name) == STATUS_NOT_FOUND)
                return STATUS_OK;
        return r < 0 ? client_report_error(&error, r) : STATUS_OK;
}

static ExitStatus copy_path(sd_bus_message *reply, char **ret_path) {
        const char *path;
        char *copy;
        int r;

        r = sd_bus_message_read_basic(reply, 'o', &path);
        if (r < 0)
                return client_message_failed(r);
        copy = strdup(path);
        if (!copy)
                return report_oom();

        *ret_path = copy;
        return STATUS_OK;
}

static ExitStatus new_get_session(sd_bus *bus, const char *name, sd_bus_message **ret) {
        ExitStatus status;
        int r;

        if (!text_is_utf8(name, strlen(name))) {
                report("'%s' is not the name of a session: it is not UTF-8.", name);
                return STATUS_USAGE;
        }

        status = client_new_call(bus, LUOD_OBJECT_PATH, "GetSession", ret);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append_basic(*ret, 's', name);
        return r < 0 ? client_message_failed(r) : STATUS_OK;
}

ExitStatus client_find_session(sd_bus *bus, const char *name, char **ret_path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        ExitStatus status;

        status = new_get_session(bus, name, &m);
        if (status != STATUS_OK)
                return status;
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;

        return copy_path(reply, ret_path);
}

ExitStatus client_look_for_session(sd_bus *bus, const char *name, char **ret_path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitStatus status;
        bool repeated;
        int r;

        status = new_get_session(bus, name, &m);
        if (status != STATUS_OK)
                return status;
        r = call_until_answered(bus, m, CLIENT_TIMEOUT, &error, &reply, &repeated);
        if (r >= 0)
                return copy_path(reply, ret_path);
        if (!sd_bus_error_has_name(&error, LUOD_ERROR_NO_SUCH_SESSION))
                return client_report_error(&error, r);
        *ret_path = NULL;
        return STATUS_OK;
}

ExitStatus client_get_sessions(sd_bus *bus, SessionInfos *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(session_infos_done) SessionInfos infos = {};
        ExitStatus status;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, LUOD_BUS_NAME, LUOD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
                                           "GetManagedObjects");
        if (r < 0)
                return client_message_failed(r);
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = session_infos_read(reply, &infos);
        if (r < 0)
                return client_message_failed(r);

        *ret = infos;
        infos = (SessionInfos){};
        return STATUS_OK;
}

static ExitStatus get_all(sd_bus *bus, const char *path, const char *interface, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, LUOD_BUS_NAME, path, PROPERTIES_INTERFACE, "GetAll");
        if (r < 0)
                return client_message_failed(r);
        r = sd_bus_message_append_basic(m, 's', interface);
        if (r < 0)
                return client_message_failed(r);

        return client_call(bus, m, CLIENT_TIMEOUT, ret_reply);
}

ExitStatus client_get_manager(sd_bus *bus, ManagerInfo *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(manager_info_done) ManagerInfo info = {};
        ExitStatus status;
        int r;

        status = get_all(bus, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, &reply);
        if (status != STATUS_OK)
                return status;
        r = info_read(reply, manager_properties, &info);
        if (r < 0)
                return client_message_failed(r);

        *ret = info;
        info = (ManagerInfo){};
        return STATUS_OK;
}

ExitStatus client_get_session(sd_bus *bus, const char *path, SessionInfo *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(session_info_done) SessionInfo info = {};
        ExitStatus status;
        int r;

        status = get_all(bus, path, LUOD_INTERFACE_SESSION, &reply);
        if (status != STATUS_OK)
                return status;
        r = info_read(reply, session_properties, &info);
        if (r < 0)
                return client_message_failed(r);

        *ret = info;
        info = (SessionInfo){};
        return STATUS_OK;
}

ExitStatus client_get_findings(sd_bus *bus, Findings *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(findings_done) Findings findings = {};
        ExitStatus status;
        int r;

        status = client_new_call(bus, LUOD_OBJECT_PATH, "Check", &m);
        if (status != STATUS_OK)
                return status;
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = findings_read(reply, &findings);
        if (r < 0)
                return client_message_failed(r);

        *ret = findings;
        findings = (Findings){};
        return STATUS_OK;
}
