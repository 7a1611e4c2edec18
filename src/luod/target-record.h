/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernel-image.h"
#include "luod-limits.h"
#include "record.h"

/* What luod remembers of the kernel that it has loaded, as the file "next-kernel" in its runtime directory:
 *
 *   luod-next-kernel 1
 *   boot-id 5b0c5d7e-…
 *   state loaded
 *   release 7.3.4-1-amd64
 *   luo yes
 *   memfd yes
 *   abi unknown
 *   handlers no
 *   lacks vfio-pci-v1
 *   switched-on yes
 *   forced no
 *   timestamp 1764061679000000
 *   command-line root=/dev/vda kho=on liveupdate=on
 *   end
 *
 * All keys, in this order; an older luod did not write "handlers" and "lacks". The kernel itself tells only that something is loaded. */

typedef enum TargetState {
        TARGET_LOADING, /* it was asked for; what came of it is not known */
        TARGET_LOADED,
        _TARGET_STATE_MAX,
        _TARGET_STATE_INVALID = -EINVAL,
} TargetState;

typedef struct TargetRecord {
        char boot_id[BOOT_ID_SIZE];
        TargetState state;
        char release[KERNEL_RELEASE_MAX + 1]; /* "": unknown */
        Knowledge luo, memfd;                 /* as in KernelImage */
        Knowledge abi;                        /* whether its formats are those of this kernel */
        Knowledge handlers;                   /* whether it has those of this kernel for files that are not in memory */
        char lacks[KERNEL_ABI_LENGTH_MAX + 1]; /* with handlers=no: one that it has not; "" otherwise */
        bool switched_on;                     /* kho=on liveupdate=on */
        bool forced;
        uint64_t timestamp;               /* usec, CLOCK_REALTIME */
        char cmdline[KERNEL_CMDLINE_MAX]; /* no control characters */
} TargetRecord;

/* 0 or -ENOMEM; the caller frees *ret. */
int target_record_encode(const TargetRecord *record, char **ret);
/* 0 or -EBADMSG: it is anything but a whole record of this version. */
int target_record_decode(const char *text, TargetRecord *ret);
