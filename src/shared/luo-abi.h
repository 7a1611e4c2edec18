/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The ioctl ABI of /dev/liveupdate, as include/uapi/linux/liveupdate.h of the kernel has it (6.19 and newer;
 * GET_NAME from 7.2 on). The system's header is used where it exists and knows all of it; otherwise the same
 * layout is declared here. Every argument starts with its own size; all structs are extended at the end. */

#if defined(__has_include)
#if __has_include(<linux/liveupdate.h>)
#include <linux/liveupdate.h>
#endif
#endif

#ifndef LIVEUPDATE_SESSION_GET_NAME

#include <linux/ioctl.h>
#include <linux/types.h>

#define luo_abi_create_session luo_abi_session_by_name
#define luo_abi_retrieve_session luo_abi_session_by_name

struct luo_abi_session_by_name {
        __u32 size;
        __s32 fd;
        __u8 name[64];
};

struct luo_abi_session_file {
        __u32 size;
        __s32 fd;
        __aligned_u64 token;
};

#define luo_abi_session_preserve_fd luo_abi_session_file
#define luo_abi_session_retrieve_fd luo_abi_session_file

struct luo_abi_session_finish {
        __u32 size;
        __u32 reserved;
};

struct luo_abi_session_get_name {
        __u32 size;
        __u32 reserved;
        __u8 name[64];
};

#undef LIVEUPDATE_IOCTL_CREATE_SESSION
#undef LIVEUPDATE_IOCTL_RETRIEVE_SESSION
#undef LIVEUPDATE_SESSION_PRESERVE_FD
#undef LIVEUPDATE_SESSION_RETRIEVE_FD
#undef LIVEUPDATE_SESSION_FINISH
#define LIVEUPDATE_IOCTL_CREATE_SESSION _IO(0xBA, 0x00)
#define LIVEUPDATE_IOCTL_RETRIEVE_SESSION _IO(0xBA, 0x01)
#define LIVEUPDATE_SESSION_PRESERVE_FD _IO(0xBA, 0x40)
#define LIVEUPDATE_SESSION_RETRIEVE_FD _IO(0xBA, 0x41)
#define LIVEUPDATE_SESSION_FINISH _IO(0xBA, 0x42)
#define LIVEUPDATE_SESSION_GET_NAME _IO(0xBA, 0x43)

#else

#define luo_abi_create_session liveupdate_ioctl_create_session
#define luo_abi_retrieve_session liveupdate_ioctl_retrieve_session
#define luo_abi_session_preserve_fd liveupdate_session_preserve_fd
#define luo_abi_session_retrieve_fd liveupdate_session_retrieve_fd
#define luo_abi_session_finish liveupdate_session_finish
#define luo_abi_session_get_name liveupdate_session_get_name

#endif

_Static_assert(sizeof(struct luo_abi_create_session) == 72, "ABI of CREATE_SESSION");
_Static_assert(sizeof(struct luo_abi_session_preserve_fd) == 16, "ABI of PRESERVE_FD");
_Static_assert(sizeof(struct luo_abi_session_get_name) == 72, "ABI of GET_NAME");
