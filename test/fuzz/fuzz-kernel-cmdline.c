/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "kernel-cmdline.h"

/* A kernel command line. */

static void try_param(const char *cmdline, const char *param) {
        KernelSwitch unset = kernel_cmdline_switch(cmdline, param, KERNEL_SWITCH_UNSET), off, on;
        char *without, *again;

        off = kernel_cmdline_switch(cmdline, param, KERNEL_SWITCH_OFF);
        on = kernel_cmdline_switch(cmdline, param, KERNEL_SWITCH_ON);
        require(unset == KERNEL_SWITCH_UNSET ? off == KERNEL_SWITCH_OFF && on == KERNEL_SWITCH_ON : off == unset && on == unset);

        require(kernel_cmdline_without(cmdline, param, &without) == 0);
        require(strlen(without) <= strlen(cmdline));
        require(kernel_cmdline_switch(without, param, KERNEL_SWITCH_UNSET) == KERNEL_SWITCH_UNSET);
        require(kernel_cmdline_without(without, param, &again) == 0);
        require(streq(without, again));
        free(without);
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        char *cmdline = input_string(&input);

        try_param(cmdline, "kho");
        try_param(cmdline, "liveupdate");
        try_param(cmdline, "a-b");
        free(cmdline);
        return 0;
}
