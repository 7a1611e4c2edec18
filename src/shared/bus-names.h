/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of luod's face on the bus. What the members mean is documented in dbus/org.luod1.xml and in
 * org.luod1(5). */

#define LUOD_BUS_NAME "org.luod1"
#define LUOD_OBJECT_PATH "/org/luod1"
#define LUOD_SESSION_PATH_PREFIX "/org/luod1/session"
#define LUOD_INTERFACE_MANAGER "org.luod1.Manager"
#define LUOD_INTERFACE_SESSION "org.luod1.Session"

/* Error names. Each stands for one reason a client can act on; src/luod/bus-error.c maps errnos to them. */
#define LUOD_ERROR_PREFIX "org.luod1.Error."
#define LUOD_ERROR_ALREADY_PRESERVED LUOD_ERROR_PREFIX "AlreadyPreserved"
#define LUOD_ERROR_COMMAND_LINE_TOO_LONG LUOD_ERROR_PREFIX "CommandLineTooLong"
#define LUOD_ERROR_COMMAND_LINE_UNFIT LUOD_ERROR_PREFIX "CommandLineUnfit"
#define LUOD_ERROR_DEVICE_BUSY LUOD_ERROR_PREFIX "DeviceBusy"
#define LUOD_ERROR_IMPAIRED LUOD_ERROR_PREFIX "Impaired"
#define LUOD_ERROR_INVALID_NAME LUOD_ERROR_PREFIX "InvalidName"
#define LUOD_ERROR_KERNEL_REJECTED LUOD_ERROR_PREFIX "KernelRejected"
#define LUOD_ERROR_KERNEL_TRUNCATED LUOD_ERROR_PREFIX "KernelTruncated"
#define LUOD_ERROR_KERNEL_UNFIT LUOD_ERROR_PREFIX "KernelUnfit"
#define LUOD_ERROR_KERNEL_UNSUPPORTED LUOD_ERROR_PREFIX "KernelUnsupported"
#define LUOD_ERROR_KEXEC_BUSY LUOD_ERROR_PREFIX "KexecBusy"
#define LUOD_ERROR_NO_CUSTODY LUOD_ERROR_PREFIX "NoCustody"
#define LUOD_ERROR_NO_REPORT LUOD_ERROR_PREFIX "NoReport"
#define LUOD_ERROR_NO_SUCH_SESSION LUOD_ERROR_PREFIX "NoSuchSession"
#define LUOD_ERROR_NO_SUCH_TOKEN LUOD_ERROR_PREFIX "NoSuchToken"
#define LUOD_ERROR_NOT_A_KERNEL LUOD_ERROR_PREFIX "NotAKernel"
#define LUOD_ERROR_NOT_OWNER LUOD_ERROR_PREFIX "NotOwner"
#define LUOD_ERROR_OUT_OF_MEMORY LUOD_ERROR_PREFIX "OutOfMemory"
#define LUOD_ERROR_QUOTA_EXCEEDED LUOD_ERROR_PREFIX "QuotaExceeded"
#define LUOD_ERROR_RETRIEVE_FAILED LUOD_ERROR_PREFIX "RetrieveFailed"
#define LUOD_ERROR_SESSION_EXISTS LUOD_ERROR_PREFIX "SessionExists"
#define LUOD_ERROR_SHUTTING_DOWN LUOD_ERROR_PREFIX "ShuttingDown"
#define LUOD_ERROR_TOKEN_IN_USE LUOD_ERROR_PREFIX "TokenInUse"
#define LUOD_ERROR_TOO_MANY_FILES LUOD_ERROR_PREFIX "TooManyFiles"
#define LUOD_ERROR_UNSUPPORTED_FILE LUOD_ERROR_PREFIX "UnsupportedFile"
#define LUOD_ERROR_WRONG_ARCHITECTURE LUOD_ERROR_PREFIX "WrongArchitecture"
#define LUOD_ERROR_WRONG_DIRECTION LUOD_ERROR_PREFIX "WrongDirection"
