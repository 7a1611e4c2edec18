/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/ioctl.h>
#include <linux/types.h>

/* The kernel's test file handler (kernel-patches/7.3, CONFIG_LIVEUPDATE_TEST_FILE), from what it says in
 * kernel/liveupdate/luo_test_file_uapi.h: objects behind an anonymous inode, which can be told to fail. */

#define TEST_OBJECT_DEVICE "/dev/luo_test_file"

/* On the device: a new object; on an object's fd: another open file of it. Argument: 0 or O_CLOEXEC. Return an fd. */
#define TEST_OBJECT_NEW _IO(0xBA, 0xE0)
#define TEST_OBJECT_SECOND _IO(0xBA, 0xE1)

/* What is to fail. All but the retrieval do so once. */
typedef enum TestObjectFailAt {
        TEST_OBJECT_FAIL_PRESERVE,
        TEST_OBJECT_FAIL_FREEZE,   /* reboot() returns the error */
        TEST_OBJECT_FAIL_RETRIEVE, /* in the next kernel; the object is gone then */
        TEST_OBJECT_FAIL_FINISH,   /* of the session that it was retrieved from: EBUSY, whatever the error is */
        _TEST_OBJECT_FAIL_MAX,
} TestObjectFailAt;

struct test_object_fail {
        __u32 at;
        __u32 error; /* an errno; 0 takes it back */
};

#define TEST_OBJECT_FAIL _IOW(0xBA, 0xE2, struct test_object_fail)
