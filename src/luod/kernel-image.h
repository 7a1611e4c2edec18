/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "kernel-cmdline.h"
#include "macro.h"

/* What a kernel image says of itself: an x86 bzImage (Documentation/arch/x86/boot.rst of the kernel), or an uncompressed
 * ELF vmlinux. It is foreign data: nothing in it is believed, and reading it takes long: in a child (worker.h). */

typedef enum KernelImageKind {
        KERNEL_IMAGE_NONE,         /* not a kernel */
        KERNEL_IMAGE_TRUNCATED,    /* one, but not all of it */
        KERNEL_IMAGE_OTHER_ARCH,   /* one, but not for x86-64 */
        KERNEL_IMAGE_NOT_LOADABLE, /* one for x86-64, but kexec can't load it: too old, not relocatable */
        KERNEL_IMAGE_VMLINUX,      /* uncompressed: can be looked into, but not be loaded */
        KERNEL_IMAGE_BZIMAGE,
        _KERNEL_IMAGE_KIND_MAX,
        _KERNEL_IMAGE_KIND_INVALID = -EINVAL,
} KernelImageKind;

typedef enum Knowledge {
        KNOWLEDGE_UNKNOWN,
        KNOWLEDGE_NO,
        KNOWLEDGE_YES,
        _KNOWLEDGE_MAX,
        _KNOWLEDGE_INVALID = -EINVAL,
} Knowledge;

#define KERNEL_RELEASE_MAX 64U /* as in struct new_utsname */
#define KERNEL_VERSION_MAX 64U
#define KERNEL_ABIS_MAX 16U
#define KERNEL_ABI_LENGTH_MAX 31U

/* Flat: it is copied from process to process. All strings are printable ASCII. */
typedef struct KernelImage {
        KernelImageKind kind;
        char arch[16];                        /* KERNEL_IMAGE_OTHER_ARCH: "aarch64", …, or "" */
        char release[KERNEL_RELEASE_MAX + 1]; /* "7.3.4-1-amd64", as uname -r; "" unknown */
        char version[KERNEL_VERSION_MAX + 1]; /* "#1 SMP …", as uname -v; "" unknown */
        uint32_t cmdline_max;                 /* bytes, with the NUL; 0 unknown */

        bool unpacked;         /* all of the kernel was looked through */
        bool has_config;       /* its own configuration was found, in it or as /boot/config-RELEASE */
        Knowledge luo;         /* CONFIG_LIVEUPDATE and CONFIG_KEXEC_HANDOVER */
        Knowledge memfd;       /* CONFIG_LIVEUPDATE_MEMFD: the handler for files in memory */
        Knowledge kho_default; /* kho=on without being told */
        KernelSwitch built_in_kho, built_in_liveupdate; /* by the command line that is built in */
        bool cmdline_override;                          /* and that one is the only one that counts */

        /* What it calls its formats: "kho-v4", "luo-v5", "memfd-v2", … (include/linux/kho/abi), and its handlers for
         * files that are not in memory. Complete if unpacked. */
        char abis[KERNEL_ABIS_MAX][KERNEL_ABI_LENGTH_MAX + 1];
        uint32_t n_abis;
} KernelImage;

#define KERNEL_IMAGE_NULL \
        {}

/* Fills *ret from the @n bytes of an image. 0 or -ENOMEM; what is not understood is said in *ret. */
int kernel_image_parse(const void *data, size_t n, KernelImage *ret);

/* Reads @fd from its beginning, wherever its position is, and for what the image does not tell the file
 * "config-RELEASE" in @boot_dir. 0 or -errno: -EISDIR, -EBADF (not open for reading), -EFBIG, -ENOMEM. */
int kernel_image_read(int fd, const char *boot_dir, KernelImage *ret);

/* Takes from a kernel configuration (a .config) what the image did not tell. What it is is checked. */
void kernel_image_add_config(KernelImage *image, const char *text, size_t n);

/* Whether @image understands what a kernel that calls its formats as @ours does hands over: the core formats,
 * and with @memfd those for files in memory. */
Knowledge kernel_image_same_abi(const KernelImage *image, const KernelImage *ours, bool memfd);

/* Whether @image has the handlers that the kernel @ours has for files that are not in memory, as far as kernels name them
 * ("vfio-pci-v1"): all of them, none (then *ret_missing is the first), or it can't be told: some, or @ours names none. */
Knowledge kernel_image_same_handlers(
                const KernelImage *image, const KernelImage *ours, char ret_missing[static KERNEL_ABI_LENGTH_MAX + 1]);

/* Whether it will have LUO switched on with that command line: kho= and liveupdate=. Whether it has LUO at all is another
 * question. */
bool kernel_image_is_switched_on(const KernelImage *image, const char *cmdline);

const char *knowledge_to_string(Knowledge k);
Knowledge knowledge_from_string(const char *s);
