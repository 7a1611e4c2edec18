/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What luoctl exits with. Scripts rely on these numbers, and luoctl(1) documents them: a number keeps its
 * meaning for ever. */
typedef enum ExitStatus {
        STATUS_OK = 0,
        STATUS_FAILURE = 1,                   /* anything that is not listed below */
        STATUS_NOT_RESTORED = STATUS_FAILURE, /* `was-restored`: there is none, and nothing else */
        STATUS_USAGE = 2,          /* the command line can't be understood, or a name in it is not valid */
        STATUS_NOT_FOUND = 3,      /* no such session, token, lock or report */
        STATUS_NOT_PERMITTED = 4,  /* the session is somebody else's, or the bus does not allow the call */
        STATUS_EXISTS = 5,         /* session, token or object are taken already */
        STATUS_NO_ROOM = 6,        /* a limit, or want of memory */
        STATUS_UNABLE = 7,         /* this host can't keep objects: kernel or custody */
        STATUS_UNREACHABLE = 8,    /* luod or the bus can't be reached, or does not answer */
        STATUS_BUSY = 9,           /* not now: worth trying again */
        STATUS_CHECK_WARNING = 10, /* `check` has warnings */
        STATUS_CHECK_BLOCKED =
                11,            /* `check` found what stands in the way, or an update was refused for it */
        STATUS_DIRECTION = 12, /* not for a session of this direction */
        STATUS_LOST = 13,      /* the kernel could not bring the content back: it is gone for good */
        STATUS_UNFIT = 14,     /* this kernel, or this command line, is not one that can come next */
        STATUS_VETOED = 15,    /* somebody holds a lock that lets no update begin */
        STATUS_TIMED_OUT = 16, /* those who prepare were not ready in time */
        STATUS_CANCELLED = 17, /* the update was cancelled */
        STATUS_TOO_LATE = 18,  /* to cancel it: the host is going down */
} ExitStatus;

/* The status for a D-Bus error name; STATUS_FAILURE for NULL and for names it does not know. */
ExitStatus exit_status_from_error(const char *name);

/* The status for the result of an update, as UpdateFinished() has it. */
ExitStatus exit_status_from_result(const char *result);
