/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel-cmdline.h"

static void test_switches_are_read_as_the_kernel_reads_them(void **state) {
        static const struct {
                const char *cmdline;
                KernelSwitch is;
        } cases[] = {
                { "", KERNEL_SWITCH_UNSET },
                { "kho=on", KERNEL_SWITCH_ON },
                { "quiet kho=1 ro", KERNEL_SWITCH_ON },
                { "kho=y", KERNEL_SWITCH_ON },
                { "kho=True", KERNEL_SWITCH_ON },
                { "kho=On", KERNEL_SWITCH_ON },
                { "kho=off", KERNEL_SWITCH_OFF },
                { "kho=0", KERNEL_SWITCH_OFF },
                { "kho=no", KERNEL_SWITCH_OFF },
                { "kho", KERNEL_SWITCH_UNSET },
                { "kho=", KERNEL_SWITCH_UNSET },
                { "kho=o", KERNEL_SWITCH_UNSET },
                { "kho=enabled", KERNEL_SWITCH_UNSET },
                { "xkho=on", KERNEL_SWITCH_UNSET },
                { "kho.x=on kho_scratch=1M", KERNEL_SWITCH_UNSET },
                { "kho=on kho=off", KERNEL_SWITCH_OFF },
                { "kho=off kho=on kho=what", KERNEL_SWITCH_ON },
                { "kho=on kho=nonsense", KERNEL_SWITCH_OFF }, /* the first letter decides */
                { "kho=on -- kho=off", KERNEL_SWITCH_ON },
                { "-- kho=on", KERNEL_SWITCH_UNSET },
                { "kho=\"on\"", KERNEL_SWITCH_ON },
                { "\"kho=on\"", KERNEL_SWITCH_ON },
                { "a=\"b kho=on c\"", KERNEL_SWITCH_UNSET },
                { "a=\"b kho=on", KERNEL_SWITCH_UNSET },
                { "\tkho=on\n", KERNEL_SWITCH_ON },
                { "\"", KERNEL_SWITCH_UNSET },
                { "=on \"=\" \"\" kho=\"", KERNEL_SWITCH_UNSET },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                KernelSwitch is = kernel_cmdline_switch(cases[i].cmdline, "kho", KERNEL_SWITCH_UNSET);

                if (is != cases[i].is)
                        fail_msg("'%s' is %d", cases[i].cmdline, is);
        }
        assert_int_equal(kernel_cmdline_switch("kho=nix", "kho", KERNEL_SWITCH_ON), KERNEL_SWITCH_OFF);
        assert_int_equal(kernel_cmdline_switch("kho", "kho", KERNEL_SWITCH_ON), KERNEL_SWITCH_ON);
}

static void test_parameters_are_taken_out_whole(void **state) {
        static const char *const cases[][2] = {
                { "BOOT_IMAGE=/vmlinuz root=/dev/sda ro", "root=/dev/sda ro" },
                { "  ro BOOT_IMAGE=\"/a b\"  quiet ", "ro quiet" },
                { "\"BOOT_IMAGE=/a b\" x=\"y z\"", "x=\"y z\"" },
                { "NOT_BOOT_IMAGE=1", "NOT_BOOT_IMAGE=1" },
                { "BOOT_IMAGE=a BOOT_IMAGE", "" },
                { "", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *left = NULL;

                assert_int_equal(kernel_cmdline_without(cases[i][0], "BOOT_IMAGE", &left), 0);
                assert_string_equal(left, cases[i][1]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_switches_are_read_as_the_kernel_reads_them),
                cmocka_unit_test(test_parameters_are_taken_out_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
