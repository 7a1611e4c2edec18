/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "failure.h"
#include "name-util.h"

int failure_setv(Failure *ret, FailureKind kind, const char *format, va_list ap) {
        ret->kind = kind;
        (void) vsnprintf(ret->message, sizeof(ret->message), format, ap);
        (void) utf8_mend(ret->message); /* names in it may have been cut */
        return -ECANCELED;
}

int failure_set(Failure *ret, FailureKind kind, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) failure_setv(ret, kind, format, ap);
        va_end(ap);
        return -ECANCELED;
}

int failure_set_errno(Failure *ret, int error, const char *what) {
        switch (-error) {
        case ENOMEM:
                return failure_set(ret, FAILURE_OUT_OF_MEMORY, "%s: out of memory; nothing was changed", what);
        case EMFILE:
        case ENFILE:
                return failure_set(ret, FAILURE_QUOTA_EXCEEDED,
                                   "%s: luod has too many file descriptors open; try again, or raise LimitNOFILE= "
                                   "of luod.service",
                                   what);
        case ENOSPC:
                return failure_set(ret, FAILURE_QUOTA_EXCEEDED,
                                   "%s: luod's ledger is full; finish or discard sessions first", what);
        default:
                return failure_set(ret, FAILURE_INTERNAL, "%s: %s", what, strerror(-error));
        }
}
