/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/kexec.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd-util.h"
#include "kexec.h"
#include "macro.h"

#ifdef __NR_kexec_file_load
static int kernel_load(const KexecOps *ops, int kernel, int initrd, const char *cmdline) {
        unsigned long flags = initrd < 0 ? KEXEC_FILE_NO_INITRAMFS : 0;

        return syscall(__NR_kexec_file_load, kernel, initrd, strlen(cmdline) + 1, cmdline, flags) < 0
                       ? -errno
                       : 0;
}

static int kernel_unload(const KexecOps *ops) {
        return syscall(__NR_kexec_file_load, -1, -1, 0UL, NULL, (unsigned long) KEXEC_FILE_UNLOAD) < 0
                       ? -errno
                       : 0;
}
#else
static int kernel_load(const KexecOps *ops, int kernel, int initrd, const char *cmdline) {
        return -ENOSYS;
}

static int kernel_unload(const KexecOps *ops) {
        return -ENOSYS;
}
#endif

static int kernel_is_loaded(const KexecOps *ops) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_small_file("/sys/kernel/kexec_loaded", &text);
        if (r == -ENOENT) /* may go one day: the newer name */
                r = read_small_file("/sys/kernel/kexec/loaded", &text);
        return r < 0 ? r : !streq(text, "0");
}

const KexecOps *kexec_kernel_ops(void) {
        static const KexecOps ops = {
                .load = kernel_load,
                .unload = kernel_unload,
                .is_loaded = kernel_is_loaded,
        };

        return &ops;
}
