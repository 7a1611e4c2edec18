/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-error.h"
#include "bus-names.h"

const char *failure_kind_to_bus_name(FailureKind kind) {
        static const char *const names[_FAILURE_MAX] = {
                [FAILURE_ALREADY_PRESERVED] = LUOD_ERROR_ALREADY_PRESERVED,
                [FAILURE_CMDLINE_TOO_LONG] = LUOD_ERROR_COMMAND_LINE_TOO_LONG,
                [FAILURE_CMDLINE_UNFIT] = LUOD_ERROR_COMMAND_LINE_UNFIT,
                [FAILURE_DEVICE_BUSY] = LUOD_ERROR_DEVICE_BUSY,
                [FAILURE_IMPAIRED] = LUOD_ERROR_IMPAIRED,
                [FAILURE_INVALID_ARGUMENT] = SD_BUS_ERROR_INVALID_ARGS,
                [FAILURE_INVALID_NAME] = LUOD_ERROR_INVALID_NAME,
                [FAILURE_KERNEL_REJECTED] = LUOD_ERROR_KERNEL_REJECTED,
                [FAILURE_KERNEL_TRUNCATED] = LUOD_ERROR_KERNEL_TRUNCATED,
                [FAILURE_KERNEL_UNFIT] = LUOD_ERROR_KERNEL_UNFIT,
                [FAILURE_KERNEL_UNSUPPORTED] = LUOD_ERROR_KERNEL_UNSUPPORTED,
                [FAILURE_KEXEC_BUSY] = LUOD_ERROR_KEXEC_BUSY,
                [FAILURE_NO_CUSTODY] = LUOD_ERROR_NO_CUSTODY,
                [FAILURE_NO_REPORT] = LUOD_ERROR_NO_REPORT,
                [FAILURE_NO_SUCH_LOCK] = LUOD_ERROR_NO_SUCH_LOCK,
                [FAILURE_NO_SUCH_SESSION] = LUOD_ERROR_NO_SUCH_SESSION,
                [FAILURE_NO_SUCH_TOKEN] = LUOD_ERROR_NO_SUCH_TOKEN,
                [FAILURE_NO_UPDATE] = LUOD_ERROR_NO_UPDATE,
                [FAILURE_NOT_A_KERNEL] = LUOD_ERROR_NOT_A_KERNEL,
                [FAILURE_NOT_OWNER] = LUOD_ERROR_NOT_OWNER,
                [FAILURE_NOT_PERMITTED] = SD_BUS_ERROR_ACCESS_DENIED,
                [FAILURE_OUT_OF_MEMORY] = LUOD_ERROR_OUT_OF_MEMORY,
                [FAILURE_QUOTA_EXCEEDED] = LUOD_ERROR_QUOTA_EXCEEDED,
                [FAILURE_RETRIEVE_FAILED] = LUOD_ERROR_RETRIEVE_FAILED,
                [FAILURE_SESSION_EXISTS] = LUOD_ERROR_SESSION_EXISTS,
                [FAILURE_SHUTTING_DOWN] = LUOD_ERROR_SHUTTING_DOWN,
                [FAILURE_TOKEN_IN_USE] = LUOD_ERROR_TOKEN_IN_USE,
                [FAILURE_TOO_LATE] = LUOD_ERROR_TOO_LATE,
                [FAILURE_TOO_MANY_FILES] = LUOD_ERROR_TOO_MANY_FILES,
                [FAILURE_UNSUPPORTED_FILE] = LUOD_ERROR_UNSUPPORTED_FILE,
                [FAILURE_UPDATE_BLOCKED] = LUOD_ERROR_UPDATE_BLOCKED,
                [FAILURE_UPDATE_CANCELLED] = LUOD_ERROR_UPDATE_CANCELLED,
                [FAILURE_UPDATE_FAILED] = LUOD_ERROR_UPDATE_FAILED,
                [FAILURE_UPDATE_IN_PROGRESS] = LUOD_ERROR_UPDATE_IN_PROGRESS,
                [FAILURE_UPDATE_TIMED_OUT] = LUOD_ERROR_UPDATE_TIMED_OUT,
                [FAILURE_UPDATE_VETOED] = LUOD_ERROR_UPDATE_VETOED,
                [FAILURE_WRONG_ARCHITECTURE] = LUOD_ERROR_WRONG_ARCHITECTURE,
                [FAILURE_WRONG_DIRECTION] = LUOD_ERROR_WRONG_DIRECTION,
                [FAILURE_INTERNAL] = SD_BUS_ERROR_FAILED,
        };

        return kind > FAILURE_NONE && kind < _FAILURE_MAX ? names[kind] : SD_BUS_ERROR_FAILED;
}

int bus_error_set_failure(sd_bus_error *reterr, const Failure *failure) {
        (void) sd_bus_error_set(reterr, failure_kind_to_bus_name(failure->kind), failure->message);
        return -ECANCELED;
}

int bus_reply_failure(sd_bus_message *m, const Failure *failure) {
        return sd_bus_reply_method_errorf(m, failure_kind_to_bus_name(failure->kind), "%s", failure->message);
}
