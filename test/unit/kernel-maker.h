/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Makes small kernel images that have what luod looks at, and nothing else. */

typedef enum Packing {
        PACK_NONE, /* not a format that anybody knows */
        PACK_GZIP,
        PACK_XZ,
        PACK_ZSTD,
        PACK_LZ4,
        _PACKING_MAX,
} Packing;

typedef struct Recipe {
        Packing packing;
        const char *release;     /* NULL: "7.3.4-test" */
        const char *config;      /* text of the embedded configuration; NULL: none */
        const char *const *abis; /* NULL-terminated; NULL: none */
        size_t padding;          /* bytes in front of all that, which don't pack well */
} Recipe;

/* Whether this build knows it. */
int packing_is_possible(Packing packing);
/* A whole bzImage; the caller frees it. */
uint8_t *make_bzimage(const Recipe *recipe, size_t *ret_n);
/* The kernel that is in it. */
uint8_t *make_unpacked(const Recipe *recipe, size_t *ret_n);
/* The same in an ELF file for that machine (EM_…). */
uint8_t *make_vmlinux(const Recipe *recipe, uint16_t machine, size_t *ret_n);

#define CONFIG_LUO                                                                                 \
        "#\n# Linux/x86 7.3.4 Kernel Configuration\n#\nCONFIG_PRINTK=y\nCONFIG_KEXEC_HANDOVER=y\n" \
        "CONFIG_LIVEUPDATE=y\nCONFIG_LIVEUPDATE_MEMFD=y\n# CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT is not set\n"
#define CONFIG_NO_MEMFD \
        "CONFIG_PRINTK=y\nCONFIG_KEXEC_HANDOVER=y\nCONFIG_LIVEUPDATE=y\n# CONFIG_LIVEUPDATE_MEMFD is not set\n"
#define CONFIG_619 "CONFIG_PRINTK=y\nCONFIG_KEXEC_HANDOVER=y\nCONFIG_LIVEUPDATE=y\n"
#define CONFIG_NO_LUO "CONFIG_PRINTK=y\nCONFIG_PREEMPT=y\n"
