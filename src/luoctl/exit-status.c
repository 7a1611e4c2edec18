/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-names.h"
#include "exit-status.h"
#include "macro.h"

#define DBUS_ERROR "org.freedesktop.DBus.Error."

static const struct {
        const char *name;
        ExitStatus status;
} statuses[] = {
        { LUOD_ERROR_ALREADY_PRESERVED, STATUS_EXISTS },
        { LUOD_ERROR_COMMAND_LINE_TOO_LONG, STATUS_UNFIT },
        { LUOD_ERROR_COMMAND_LINE_UNFIT, STATUS_UNFIT },
        { LUOD_ERROR_DEVICE_BUSY, STATUS_BUSY },
        { LUOD_ERROR_IMPAIRED, STATUS_UNABLE },
        { LUOD_ERROR_INVALID_NAME, STATUS_USAGE },
        { LUOD_ERROR_KERNEL_REJECTED, STATUS_NOT_PERMITTED },
        { LUOD_ERROR_KERNEL_TRUNCATED, STATUS_UNFIT },
        { LUOD_ERROR_KERNEL_UNFIT, STATUS_UNFIT },
        { LUOD_ERROR_KERNEL_UNSUPPORTED, STATUS_UNABLE },
        { LUOD_ERROR_KEXEC_BUSY, STATUS_BUSY },
        { LUOD_ERROR_NO_CUSTODY, STATUS_UNABLE },
        { LUOD_ERROR_NO_REPORT, STATUS_NOT_FOUND },
        { LUOD_ERROR_NO_SUCH_LOCK, STATUS_NOT_FOUND },
        { LUOD_ERROR_NO_SUCH_SESSION, STATUS_NOT_FOUND },
        { LUOD_ERROR_NO_SUCH_TOKEN, STATUS_NOT_FOUND },
        { LUOD_ERROR_NO_UPDATE, STATUS_NOT_FOUND },
        { LUOD_ERROR_NOT_A_KERNEL, STATUS_UNFIT },
        { LUOD_ERROR_NOT_OWNER, STATUS_NOT_PERMITTED },
        { LUOD_ERROR_OUT_OF_MEMORY, STATUS_NO_ROOM },
        { LUOD_ERROR_QUOTA_EXCEEDED, STATUS_NO_ROOM },
        { LUOD_ERROR_RETRIEVE_FAILED, STATUS_LOST },
        { LUOD_ERROR_SESSION_EXISTS, STATUS_EXISTS },
        { LUOD_ERROR_SHUTTING_DOWN, STATUS_BUSY },
        { LUOD_ERROR_TOKEN_IN_USE, STATUS_EXISTS },
        { LUOD_ERROR_TOO_MANY_FILES, STATUS_NO_ROOM },
        { LUOD_ERROR_UNSUPPORTED_FILE, STATUS_FAILURE },
        { LUOD_ERROR_TOO_LATE, STATUS_TOO_LATE },
        { LUOD_ERROR_UPDATE_BLOCKED, STATUS_CHECK_BLOCKED },
        { LUOD_ERROR_UPDATE_CANCELLED, STATUS_CANCELLED },
        { LUOD_ERROR_UPDATE_IN_PROGRESS, STATUS_BUSY },
        { LUOD_ERROR_UPDATE_TIMED_OUT, STATUS_TIMED_OUT },
        { LUOD_ERROR_UPDATE_VETOED, STATUS_VETOED },
        { LUOD_ERROR_WRONG_ARCHITECTURE, STATUS_UNFIT },
        { LUOD_ERROR_WRONG_DIRECTION, STATUS_DIRECTION },

        { DBUS_ERROR "AccessDenied", STATUS_NOT_PERMITTED },
        { DBUS_ERROR "AuthFailed", STATUS_NOT_PERMITTED },
        { DBUS_ERROR "InteractiveAuthorizationRequired", STATUS_NOT_PERMITTED },
        { DBUS_ERROR "InvalidArgs", STATUS_USAGE },
        { DBUS_ERROR "LimitsExceeded", STATUS_NO_ROOM },
        { DBUS_ERROR "NoMemory", STATUS_NO_ROOM },
        /* the session went away between finding and using it */
        { DBUS_ERROR "UnknownObject", STATUS_NOT_FOUND },

        { DBUS_ERROR "Disconnected", STATUS_UNREACHABLE },
        { DBUS_ERROR "NameHasNoOwner", STATUS_UNREACHABLE },
        { DBUS_ERROR "NoReply", STATUS_UNREACHABLE },
        { DBUS_ERROR "NoServer", STATUS_UNREACHABLE },
        { DBUS_ERROR "ServiceUnknown", STATUS_UNREACHABLE },
        { DBUS_ERROR "TimedOut", STATUS_UNREACHABLE },
        { DBUS_ERROR "Timeout", STATUS_UNREACHABLE },
        /* sd-bus's own words for a bus that hung up */
        { "System.Error.ECONNABORTED", STATUS_UNREACHABLE },
        { "System.Error.ECONNRESET", STATUS_UNREACHABLE },
        { "System.Error.ENOTCONN", STATUS_UNREACHABLE },
        { "System.Error.EPIPE", STATUS_UNREACHABLE },
        { "System.Error.ESHUTDOWN", STATUS_UNREACHABLE },
};

/* Families of errors for a service that could not be started. */
static const char *const unreachable_prefixes[] = {
        DBUS_ERROR "Spawn.",
        "org.freedesktop.systemd1.",
};

ExitStatus exit_status_from_error(const char *name) {
        if (!name)
                return STATUS_FAILURE;

        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
                if (streq(statuses[i].name, name))
                        return statuses[i].status;

        for (size_t i = 0; i < ARRAY_SIZE(unreachable_prefixes); i++)
                if (strncmp(name, unreachable_prefixes[i], strlen(unreachable_prefixes[i])) == 0)
                        return STATUS_UNREACHABLE;

        return STATUS_FAILURE;
}

ExitStatus exit_status_from_result(const char *result) {
        if (streq(result, "handed-over"))
                return STATUS_OK;
        return streq(result, "cancelled") ? STATUS_CANCELLED : STATUS_FAILURE;
}
