/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdarg.h>

#include "macro.h"

/* Why a request of a client is refused: a kind that the bus edge turns into an error name (bus-error.c), and a
 * message that says what to do. */

typedef enum FailureKind {
        FAILURE_NONE,
        FAILURE_ALREADY_PRESERVED,
        FAILURE_CMDLINE_TOO_LONG,
        FAILURE_CMDLINE_UNFIT,
        FAILURE_DEVICE_BUSY,
        FAILURE_IMPAIRED,
        FAILURE_INVALID_ARGUMENT,
        FAILURE_INVALID_NAME,
        FAILURE_KERNEL_REJECTED,
        FAILURE_KERNEL_TRUNCATED,
        FAILURE_KERNEL_UNFIT,
        FAILURE_KERNEL_UNSUPPORTED,
        FAILURE_KEXEC_BUSY,
        FAILURE_NO_CUSTODY,
        FAILURE_NO_REPORT,
        FAILURE_NO_SUCH_LOCK,
        FAILURE_NO_SUCH_SESSION,
        FAILURE_NO_SUCH_TOKEN,
        FAILURE_NO_UPDATE,
        FAILURE_NOT_A_KERNEL,
        FAILURE_NOT_OWNER,
        FAILURE_NOT_PERMITTED,
        FAILURE_OUT_OF_MEMORY,
        FAILURE_QUOTA_EXCEEDED,
        FAILURE_RETRIEVE_FAILED,
        FAILURE_SESSION_EXISTS,
        FAILURE_SHUTTING_DOWN,
        FAILURE_TOKEN_IN_USE,
        FAILURE_TOO_LATE,
        FAILURE_TOO_MANY_FILES,
        FAILURE_UNSUPPORTED_FILE,
        FAILURE_UPDATE_BLOCKED,
        FAILURE_UPDATE_CANCELLED,
        FAILURE_UPDATE_FAILED,
        FAILURE_UPDATE_IN_PROGRESS,
        FAILURE_UPDATE_TIMED_OUT,
        FAILURE_UPDATE_VETOED,
        FAILURE_WRONG_ARCHITECTURE,
        FAILURE_WRONG_DIRECTION,
        FAILURE_INTERNAL,
        _FAILURE_MAX,
        _FAILURE_INVALID = -EINVAL,
} FailureKind;

typedef struct Failure {
        FailureKind kind;
        char message[1024]; /* a finding with what to do about it fits (check.h) */
} Failure;

#define FAILURE_INIT { .kind = FAILURE_NONE }

/* Fills *ret and returns -ECANCELED, so that `return failure_set(…)` is a refusal. A long message is cut. */
int failure_set(Failure *ret, FailureKind kind, const char *format, ...) _printf_(3, 4);

int failure_setv(Failure *ret, FailureKind kind, const char *format, va_list ap) _printf_(3, 0);

/* The refusal for an errno that has no better explanation: out of memory, no more fds, or internal. @error is
 * negative. Returns -ECANCELED. */
int failure_set_errno(Failure *ret, int error, const char *what);
