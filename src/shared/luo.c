/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "fd-util.h"
#include "kernel-cmdline.h"
#include "luod-limits.h"
#include "luo-abi.h"
#include "luo.h"
#include "macro.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int kernel_device_open(const LuoOps *ops) {
        int fd = open(LUO_DEVICE, O_RDWR | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* proc_pid_stat(5): the state is behind the name, which is in brackets and may hold any. */
static bool kernel_pid1_is_busy(const LuoOps *ops) {
        _cleanup_free_ char *stat = NULL;
        const char *name_end;

        if (read_small_file("/proc/1/stat", &stat) < 0)
                return false;
        name_end = strrchr(stat, ')');
        return name_end && name_end[1] == ' ' && name_end[2] != 'S';
}

static int kernel_session_create(const LuoOps *ops, int device, const char *name) {
        struct luo_abi_create_session arg = { .size = sizeof(arg), .fd = -EBADF };

        assert(strlen(name) < sizeof(arg.name));
        strcpy((char *) arg.name, name);
        if (ioctl(device, LIVEUPDATE_IOCTL_CREATE_SESSION, &arg) < 0)
                return -errno;
        return arg.fd; /* made close-on-exec by the kernel */
}

static int kernel_session_retrieve(const LuoOps *ops, int device, const char *name) {
        struct luo_abi_retrieve_session arg = { .size = sizeof(arg), .fd = -EBADF };

        assert(strlen(name) < sizeof(arg.name));
        strcpy((char *) arg.name, name);
        if (ioctl(device, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &arg) < 0)
                return -errno;
        return arg.fd;
}

/* Before 7.2 there is no GET_NAME; /proc tells, cut to 38 bytes on some, which is enough for luod's names. */
static int session_name_from_proc(int session, char ret[static LUO_NAME_SIZE]) {
        static const char prefix[] = "anon_inode:[luo_session]";
        char path[64], target[256];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", session);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return errno == ENOENT ? -EBADF : -errno;
        target[n] = '\0';

        if (strncmp(target, prefix, strlen(prefix)) != 0 || target[strlen(prefix)] != ' ')
                return -ENOTTY;
        if (snprintf(ret, LUO_NAME_SIZE, "%s", target + strlen(prefix) + 1) >= (int) LUO_NAME_SIZE)
                return -ENOTTY;
        return 0;
}

static int kernel_session_get_name(const LuoOps *ops, int session, char ret[static LUO_NAME_SIZE]) {
        struct luo_abi_session_get_name arg = { .size = sizeof(arg) };

        if (ioctl(session, LIVEUPDATE_SESSION_GET_NAME, &arg) < 0)
                return session_name_from_proc(session, ret);

        memcpy(ret, arg.name, LUO_NAME_SIZE);
        ret[LUO_NAME_SIZE - 1] = '\0';
        return 0;
}

static int kernel_preserve(const LuoOps *ops, int session, uint64_t token, int fd) {
        struct luo_abi_session_preserve_fd arg = { .size = sizeof(arg), .fd = fd, .token = token };

        return ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg) < 0 ? -errno : 0;
}

static int kernel_retrieve(const LuoOps *ops, int session, uint64_t token) {
        struct luo_abi_session_retrieve_fd arg = { .size = sizeof(arg), .fd = -EBADF, .token = token };

        if (ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg) < 0)
                return -errno;
        return arg.fd;
}

static int kernel_finish(const LuoOps *ops, int session) {
        struct luo_abi_session_finish arg = { .size = sizeof(arg) };

        return ioctl(session, LIVEUPDATE_SESSION_FINISH, &arg) < 0 ? -errno : 0;
}

const LuoOps *luo_kernel_ops(void) {
        static const LuoOps ops = {
                .device_open = kernel_device_open,
                .pid1_is_busy = kernel_pid1_is_busy,
                .session_create = kernel_session_create,
                .session_retrieve = kernel_session_retrieve,
                .session_get_name = kernel_session_get_name,
                .preserve = kernel_preserve,
                .retrieve = kernel_retrieve,
                .finish = kernel_finish,
        };

        return &ops;
}

static void pause_for(uint64_t usec) {
        struct timespec ts = { .tv_nsec = (long) usec * 1000 };

        (void) clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* How long that took. */
static uint64_t await_pid1(const LuoOps *ops) {
        uint64_t waited = 0;

        while (ops->pid1_is_busy && waited < DEVICE_PID1_BUSY_MAX_USEC && ops->pid1_is_busy(ops)) {
                pause_for(DEVICE_PID1_BUSY_RETRY_USEC);
                waited += DEVICE_PID1_BUSY_RETRY_USEC;
        }
        return waited;
}

int luo_device_open_patiently(const LuoOps *ops, uint64_t timeout) {
        uint64_t pause = DEVICE_BUSY_RETRY_FIRST_USEC, waited = 0;

        /* The kernel has no event for "the device is free again": inotify tells of the close before the driver
         * lets go. So: growing pauses, in a process of its own. */
        for (;;) {
                int fd;

                waited += await_pid1(ops);
                fd = ops->device_open(ops);
                if (fd != -EBUSY || waited >= timeout)
                        return fd;

                pause_for(pause);
                waited += pause;
                pause = MIN(pause * 2, DEVICE_BUSY_RETRY_MAX_USEC);
        }
}

int luo_token_is_known(const LuoOps *ops, int session, uint64_t token) {
        int r = ops->preserve(ops, session, token, -1);

        if (r == -EEXIST)
                return 1;
        if (r == -EBADF)
                return 0;
        return r < 0 ? r : -EIO;
}

/* An empty file: keeping it twice, where that is not refused, puts no page at risk. FINISH comes first, as where it is not
 * refused it drops what the session keeps. */
static int session_features(const LuoOps *ops, int session) {
        _cleanup_(closep) int fd = memfd_create("luod-probe", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
        int features = LUO_FEATURE_PROBED, r;

        if (fd < 0) /* where vm.memfd_noexec=2 nothing else is allowed */
                return -errno;
        if (ops->finish(ops, session) == -EINVAL)
                features |= LUO_FEATURE_DIRECTION;
        r = ops->preserve(ops, session, 1, fd);
        if (r == -ENOENT || r == -EOPNOTSUPP)
                return features;
        if (r < 0)
                return r;
        features |= LUO_FEATURE_MEMFD;
        if (ops->preserve(ops, session, 2, fd) == -EBUSY)
                features |= LUO_FEATURE_ONE_KEEPER;
        return features;
}

int luo_probe_features(const LuoOps *ops, uint64_t timeout) {
        _cleanup_(closep) int device = luo_device_open_patiently(ops, timeout), session = -EBADF;
        char name[LUO_NAME_SIZE];

        if (device < 0)
                return device;
        (void) snprintf(name, sizeof(name), "luod-probe-%d", (int) getpid());
        session = ops->session_create(ops, device, name);
        if (session < 0)
                return session;
        device = safe_close(device); /* others wait for it */
        return session_features(ops, session);
}

/* Whether the kernel's configuration as a file has "CONFIG_…=y" for both options. 1, 0, or -errno. */
static int config_has_luo(void) {
        _cleanup_free_ char *text = NULL;
        struct utsname uts;
        char path[128];
        int r;

        if (uname(&uts) < 0)
                return -errno;
        (void) snprintf(path, sizeof(path), "/boot/config-%.100s", uts.release);
        r = read_small_file(path, &text);
        if (r < 0)
                return r;

        return strstr(text, "CONFIG_LIVEUPDATE=y") && strstr(text, "CONFIG_KEXEC_HANDOVER=y");
}

static LuoSupport support_without_device(void) {
        _cleanup_free_ char *cmdline = NULL;
        int configured = config_has_luo(); /* negative: nobody knows */

        if (configured == 0)
                return LUO_NOT_CONFIGURED;
        if (read_small_file("/proc/cmdline", &cmdline) < 0)
                return LUO_NO_DEVICE;
        if (kernel_cmdline_switch(cmdline, "liveupdate", KERNEL_SWITCH_UNSET) != KERNEL_SWITCH_ON ||
            kernel_cmdline_switch(cmdline, "kho", KERNEL_SWITCH_UNSET) != KERNEL_SWITCH_ON)
                return LUO_DISABLED;
        return configured > 0 ? LUO_NO_DEVICE : LUO_NOT_CONFIGURED;
}

int luo_probe_support(const LuoOps *ops) {
        _cleanup_(closep) int fd = luo_device_open_patiently(ops, /* timeout= */ 0);

        if (fd >= 0 || fd == -EBUSY)
                return LUO_SUPPORTED;
        if (fd == -EIO)
                return LUO_IMPAIRED;
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
                return fd;
        return support_without_device();
}

static const struct {
        const char *name, *message;
} support_table[_LUO_SUPPORT_MAX] = {
        [LUO_SUPPORTED] = { "supported", "This kernel keeps objects over a live update." },
        [LUO_NOT_CONFIGURED] = { "not-configured",
                                 "This kernel was built without the Live Update Orchestrator. Boot one with "
                                 "CONFIG_LIVEUPDATE=y, CONFIG_LIVEUPDATE_MEMFD=y and CONFIG_KEXEC_HANDOVER=y "
                                 "(Linux 6.19 or newer), with 'kho=on liveupdate=on' on its command line." },
        [LUO_DISABLED] = { "disabled",
                           "The Live Update Orchestrator is not switched on. Add 'kho=on liveupdate=on' to the kernel "
                           "command line and boot again; the kernel must have CONFIG_LIVEUPDATE=y (Linux 6.19 or "
                           "newer)." },
        [LUO_NO_DEVICE] = { "no-device",
                            "There is no " LUO_DEVICE ", although the kernel seems to have it switched on. See "
                            "'dmesg | grep -i -e luo -e kho' for why, and that /dev is a devtmpfs." },
        [LUO_IMPAIRED] = { "impaired",
                           "What the previous kernel handed over can't be read by this one (" LUO_DEVICE
                           " answers EIO), so nothing can be kept or given back. Only a reboot helps; what was kept "
                           "is lost then. The reason is in 'dmesg | grep -i -e luo -e kho'." },
};

const char *luo_support_to_string(LuoSupport support) {
        return support >= 0 && support < _LUO_SUPPORT_MAX ? support_table[support].name : NULL;
}

const char *luo_support_message(LuoSupport support) {
        return support >= 0 && support < _LUO_SUPPORT_MAX ? support_table[support].message : NULL;
}
