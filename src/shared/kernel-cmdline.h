/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "macro.h"

/* Command lines, read as the kernel reads them (next_arg() in lib/cmdline.c, kstrtobool() in lib/kstrtox.c). */

typedef enum KernelSwitch {
        KERNEL_SWITCH_UNSET,
        KERNEL_SWITCH_OFF,
        KERNEL_SWITCH_ON,
} KernelSwitch;

/* What the boolean early parameter @param is after @cmdline, when it was @before. Several: the last one counts. A value
 * that is no boolean changes nothing, nor does what comes after a word "--". */
KernelSwitch kernel_cmdline_switch(const char *cmdline, const char *param, KernelSwitch before);

/* A copy of @cmdline without the parameter @param (all of them, with their values). 0 or -ENOMEM; the caller frees
 * *ret. */
int kernel_cmdline_without(const char *cmdline, const char *param, char **ret);
