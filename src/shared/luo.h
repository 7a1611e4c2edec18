/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The only code that knows /dev/liveupdate and the ioctls of its sessions (kernel: kernel/liveupdate/,
 * include/uapi/linux/liveupdate.h). A table, so that tests can hand in a kernel of their own. */

#define LUO_DEVICE "/dev/liveupdate"
/* Of a kernel session's name, with the NUL. */
#define LUO_NAME_SIZE 64U

typedef struct LuoOps LuoOps;
struct LuoOps {
        void *userdata; /* borrowed; for the table's owner */

        /* The device. -EBUSY: somebody else has it (see luo_device_open_patiently()); -ENOENT: no LUO in this
         * kernel, or switched off; -EIO: what the previous kernel handed over can't be read, until a cold
         * reboot. */
        int (*device_open)(const LuoOps *ops);
        /* Whether PID 1 is at work right now, and so might be about to open the device. NULL: it is not. */
        bool (*pid1_is_busy)(const LuoOps *ops);

        /* Make an outgoing session: an fd, -EEXIST. */
        int (*session_create)(const LuoOps *ops, int device, const char *name);
        /* Get an incoming one, once in a boot: an fd, -ENOENT (unknown), -EINVAL (somebody has it). Closing the
         * last copy of that fd FINISHes the session. */
        int (*session_retrieve)(const LuoOps *ops, int device, const char *name);

        /* The name of a session's fd: 0; -EBADF or -ENOTTY: it is no session. */
        int (*session_get_name)(const LuoOps *ops, int session, char ret[static LUO_NAME_SIZE]);

        /* All below take the session's mutex, which a slow PRESERVE in another process may hold for many
         * seconds: never on the event loop. */

        /* -EEXIST: token in use; -EBUSY: the object is kept already (7.1 and newer); -ENOENT: no handler takes
         * this kind of file; -EBADF: @fd is none; -EINVAL: an incoming session. */
        int (*preserve)(const LuoOps *ops, int session, uint64_t token, int fd);
        /* A new fd; -ENOENT: no such token. Any other failure is for ever: the same errno each time. */
        int (*retrieve)(const LuoOps *ops, int session, uint64_t token);
        /* Ends an incoming session; what was not retrieved is freed. Twice is fine. */
        int (*finish)(const LuoOps *ops, int session);
};

/* The real kernel. */
const LuoOps *luo_kernel_ops(void);

/* Opens the device; while another process has it (-EBUSY) tries again with growing pauses, up to @timeout usec.
 * PID 1 does not try again: a unit with LUOSession= that it starts while the device is open has failed. So a moment is
 * waited for in which PID 1 sleeps, DEVICE_PID1_BUSY_MAX_USEC at the most: to be woken, to read what it is asked for and
 * to come to that unit takes it longer than others have the device. What is left is the case of a caller that is not
 * given a processor in between. That wait counts for @timeout; without one it is all there is.
 * Blocks that long: not for the event loop. Returns an fd, -EBUSY after the time-out, or as device_open(). */
int luo_device_open_patiently(const LuoOps *ops, uint64_t timeout);

/* Whether the outgoing session @session knows @token, without changing anything: PRESERVE of the fd -1 answers
 * EEXIST for a known token and EBADF for an unknown one (7.1 and newer). Returns 1, 0, or -errno (-EINVAL: the
 * session is incoming). */
int luo_token_is_known(const LuoOps *ops, int session, uint64_t token);

/* What kernels differ in, and what can't be told by their version, as distributions carry patches. */
typedef enum LuoFeature {
        /* PRESERVE of an object that is kept already is refused (-EBUSY), whatever the file, session or process:
         * 7.1 and newer, 6.19 with kernel-patches/6.19. */
        LUO_FEATURE_ONE_KEEPER = 1 << 0,
        /* Session ioctls of the wrong direction are refused (-EINVAL). Without it FINISH drops what an outgoing session
         * keeps, and RETRIEVE_FD of an outgoing session takes its memory apart. As above. */
        LUO_FEATURE_DIRECTION = 1 << 1,
        /* There is a handler for memfds (CONFIG_LIVEUPDATE_MEMFD). */
        LUO_FEATURE_MEMFD = 1 << 2,
        /* It was tried: what is not set is not there. */
        LUO_FEATURE_PROBED = 1 << 3,
} LuoFeature;

/* Tries it out in a session of its own that keeps at most an empty memfd, and is gone on return. Waits for the device
 * up to @timeout usec. Returns a set of LuoFeature, or -errno: -EBUSY (the device), as device_open(). */
int luo_probe_features(const LuoOps *ops, uint64_t timeout);

typedef enum LuoSupport {
        LUO_SUPPORTED,
        LUO_NOT_CONFIGURED, /* this kernel was built without CONFIG_LIVEUPDATE or CONFIG_KEXEC_HANDOVER */
        LUO_DISABLED,       /* by the command line: kho=on liveupdate=on is missing */
        LUO_NO_DEVICE,      /* configured and on, as far as can be seen, but there is no device */
        LUO_IMPAIRED,       /* open() says EIO */
        _LUO_SUPPORT_MAX,
        _LUO_SUPPORT_INVALID = -22, /* -EINVAL */
} LuoSupport;

/* Finds out whether this kernel can do it, by opening the device once and, where that fails, from the kernel's
 * configuration as far as it is to be had (/boot/config-RELEASE) and its command line. A LuoSupport; or -EMFILE, -ENFILE,
 * -ENOMEM: that says nothing of the kernel. */
int luo_probe_support(const LuoOps *ops);

const char *luo_support_to_string(LuoSupport support);
/* One line for people: what is missing and how to get it. Never NULL for a valid @support. */
const char *luo_support_message(LuoSupport support);
