/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "kernel-image.h"
#include "kernel-maker.h"

static const char *const abis_73[] = { "kho-v4", "luo-v5", "memfd-v2", NULL };
static const char *const abis_74[] = { "kho-v4", "luo-v6", "memfd-v2", NULL };
static const char *const abis_619[] = { "kho-v1", "luo-v1", "luo-session-v2", "memfd-v1", NULL };
static const char *const abis_no_memfd[] = { "kho-v4", "luo-v5", NULL };

static KernelImage parse(const uint8_t *data, size_t n) {
        uint8_t *exact = malloc(n ? n : 1); /* so that a byte too far is seen */
        KernelImage image;

        assert_non_null(exact);
        memcpy(exact, data, n);
        assert_int_equal(kernel_image_parse(exact, n, &image), 0);
        free(exact);
        return image;
}

static KernelImage parse_recipe(const Recipe *r) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t n;

        data = make_bzimage(r, &n);
        return parse(data, n);
}

static bool has_abi(const KernelImage *image, const char *abi) {
        for (uint32_t i = 0; i < image->n_abis; i++)
                if (streq(image->abis[i], abi))
                        return true;
        return false;
}

static void assert_luo_kernel(const KernelImage *image) {
        assert_int_equal(image->kind, KERNEL_IMAGE_BZIMAGE);
        assert_string_equal(image->release, "7.3.4-test");
        assert_string_equal(image->version, "#7 SMP test");
        assert_int_equal(image->cmdline_max, 2047);
        assert_true(image->unpacked);
        assert_int_equal(image->luo, KNOWLEDGE_YES);
        assert_int_equal(image->memfd, KNOWLEDGE_YES);
        assert_int_equal(image->n_abis, 3);
        assert_true(has_abi(image, "kho-v4") && has_abi(image, "luo-v5") && has_abi(image, "memfd-v2"));
}

static void test_luo_kernel_is_known_however_it_is_packed(void **state) {
        for (Packing p = PACK_GZIP; p < _PACKING_MAX; p++) {
                Recipe r = { .packing = p, .config = CONFIG_LUO, .abis = abis_73, .padding = 1000000 };
                KernelImage image;

                if (!packing_is_possible(p))
                        continue;
                image = parse_recipe(&r);
                assert_luo_kernel(&image);
                if (!packing_is_possible(PACK_GZIP))
                        continue;
                assert_true(image.has_config);
                assert_int_equal(image.kho_default, KNOWLEDGE_NO);
        }
}

/* Whatever lies across the border of two windows. */
static void test_nothing_is_lost_between_two_pieces(void **state) {
        Recipe r = { .packing = PACK_LZ4, .config = CONFIG_LUO, .abis = abis_73 };

        if (!packing_is_possible(r.packing))
                r.packing = PACK_GZIP;
        if (!packing_is_possible(r.packing))
                skip();
        for (size_t i = 0; i < 700; i++) {
                KernelImage image;

                r.padding = 262144 - 600 + i;
                image = parse_recipe(&r);
                assert_luo_kernel(&image);
                assert_int_equal(image.has_config, packing_is_possible(PACK_GZIP));
        }
}

static void test_kernel_without_luo_is_known(void **state) {
        Recipe no_luo = { .packing = PACK_GZIP, .config = CONFIG_NO_LUO },
               no_memfd = { .packing = PACK_GZIP, .config = CONFIG_NO_MEMFD, .abis = abis_no_memfd },
               like_619 = { .packing = PACK_GZIP, .config = CONFIG_619, .abis = abis_619 },
               less_than_619 = { .packing = PACK_GZIP, .config = CONFIG_619, .abis = abis_no_memfd },
               no_config = { .packing = PACK_GZIP },
               strings = { .packing = PACK_GZIP, .abis = abis_no_memfd };
        KernelImage image;

        if (!packing_is_possible(PACK_GZIP))
                skip();
        image = parse_recipe(&no_luo);
        assert_int_equal(image.luo, KNOWLEDGE_NO);
        assert_int_equal(image.memfd, KNOWLEDGE_NO);
        image = parse_recipe(&no_memfd);
        assert_int_equal(image.luo, KNOWLEDGE_YES);
        assert_int_equal(image.memfd, KNOWLEDGE_NO);
        image = parse_recipe(&like_619); /* which has no option for files in memory */
        assert_int_equal(image.luo, KNOWLEDGE_YES);
        assert_int_equal(image.memfd, KNOWLEDGE_YES);
        image = parse_recipe(&less_than_619);
        assert_int_equal(image.memfd, KNOWLEDGE_NO);
        image = parse_recipe(&no_config);
        assert_false(image.has_config);
        assert_int_equal(image.luo, KNOWLEDGE_NO);
        image = parse_recipe(&strings);
        assert_false(image.has_config);
        assert_int_equal(image.luo, KNOWLEDGE_YES);
        assert_int_equal(image.memfd, KNOWLEDGE_NO);
        assert_int_equal(image.kho_default, KNOWLEDGE_UNKNOWN);
}

static void test_what_cannot_be_unpacked_is_unknown(void **state) {
        Recipe r = { .packing = PACK_NONE, .config = CONFIG_LUO, .abis = abis_73 };
        KernelImage image = parse_recipe(&r);

        assert_int_equal(image.kind, KERNEL_IMAGE_BZIMAGE);
        assert_string_equal(image.release, "7.3.4-test");
        assert_false(image.unpacked);
        assert_int_equal(image.luo, KNOWLEDGE_UNKNOWN);
        assert_int_equal(image.memfd, KNOWLEDGE_UNKNOWN);

        /* The configuration that lies beside it tells. */
        kernel_image_add_config(&image, "half a fi", 9);
        assert_int_equal(image.luo, KNOWLEDGE_UNKNOWN);
        kernel_image_add_config(&image, CONFIG_NO_MEMFD, strlen(CONFIG_NO_MEMFD));
        assert_int_equal(image.luo, KNOWLEDGE_YES);
        assert_int_equal(image.memfd, KNOWLEDGE_NO);
        kernel_image_add_config(&image, CONFIG_LUO, strlen(CONFIG_LUO)); /* the first one counts */
        assert_int_equal(image.memfd, KNOWLEDGE_NO);
}

static void test_every_truncation_is_refused(void **state) {
        for (Packing p = PACK_NONE; p < _PACKING_MAX; p++) {
                Recipe r = { .packing = p, .config = CONFIG_LUO, .abis = abis_73, .padding = 300 };
                _cleanup_free_ uint8_t *data = NULL;
                size_t n;

                if (!packing_is_possible(p))
                        continue;
                data = make_bzimage(&r, &n);
                for (size_t i = 0; i < n; i++) {
                        KernelImage image = parse(data, i);

                        assert_int_equal(image.kind, i < 0x206 ? KERNEL_IMAGE_NONE : KERNEL_IMAGE_TRUNCATED);
                }
        }
}

static void test_every_truncated_vmlinux_is_refused(void **state) {
        Recipe r = { .config = CONFIG_LUO, .abis = abis_73 };
        _cleanup_free_ uint8_t *data = NULL;
        KernelImage image;
        size_t n;

        data = make_vmlinux(&r, EM_X86_64, &n);
        image = parse(data, n);
        assert_int_equal(image.kind, KERNEL_IMAGE_VMLINUX);
        assert_string_equal(image.release, "7.3.4-test");
        assert_string_equal(image.version, "#7 SMP test");
        assert_int_equal(image.luo, KNOWLEDGE_YES);
        assert_int_equal(image.memfd, KNOWLEDGE_YES);
        for (size_t i = 0; i < n; i++) {
                image = parse(data, i);
                assert_true(image.kind == KERNEL_IMAGE_NONE || image.kind == KERNEL_IMAGE_TRUNCATED);
        }
}

static void test_other_architectures_are_told(void **state) {
        Recipe r = { .packing = PACK_NONE };
        _cleanup_free_ uint8_t *arm = NULL, *x86 = NULL;
        uint8_t raw[512] = "MZ";
        KernelImage image;
        size_t n;

        arm = make_vmlinux(&r, EM_AARCH64, &n);
        image = parse(arm, n);
        assert_int_equal(image.kind, KERNEL_IMAGE_OTHER_ARCH);
        assert_string_equal(image.arch, "aarch64");
        memcpy(raw + 0x38, "ARM\x64", 4);
        image = parse(raw, sizeof(raw));
        assert_int_equal(image.kind, KERNEL_IMAGE_OTHER_ARCH);
        assert_string_equal(image.arch, "aarch64");

        x86 = make_bzimage(&r, &n);
        x86[0x236] &= (uint8_t) ~1U;
        image = parse(x86, n);
        assert_int_equal(image.kind, KERNEL_IMAGE_OTHER_ARCH);
        assert_string_equal(image.arch, "32-bit x86");
        x86[0x236] |= 1;
        x86[0x234] = 0; /* not relocatable */
        image = parse(x86, n);
        assert_int_equal(image.kind, KERNEL_IMAGE_NOT_LOADABLE);
        x86[0x234] = 1;
        x86[0x206] = 0x0b; /* protocol 2.11 */
        image = parse(x86, n);
        assert_int_equal(image.kind, KERNEL_IMAGE_NOT_LOADABLE);
}

static void test_what_is_no_kernel_is_told(void **state) {
        static const char *const texts[] = { "",
                                             "\x7f",
                                             ("\x7f"
                                              "ELF"),
                                             "#!/bin/sh\n",
                                             "MZ",
                                             "Linux version 7.3.4 (a@b) #1\n" };
        _cleanup_(closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        KernelImage image;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                image = parse((const uint8_t *) texts[i], strlen(texts[i]));
                assert_int_equal(image.kind, KERNEL_IMAGE_NONE);
        }
        assert_true(fd >= 0);
        assert_int_equal(kernel_image_read(fd, "/nonexistent", &image), 0);
        assert_int_equal(image.kind, KERNEL_IMAGE_NONE);
}

/* Foreign data: whatever the bytes are. A fuzzer with the patience of a unit test. */
static void test_damage_does_no_harm(void **state) {
        uint32_t noise = 4711;

        for (Packing p = PACK_NONE; p < _PACKING_MAX; p++) {
                Recipe r = { .packing = p, .config = CONFIG_LUO, .abis = abis_73, .padding = 200 };
                _cleanup_free_ uint8_t *data = NULL;
                size_t n;

                if (!packing_is_possible(p))
                        continue;
                data = make_bzimage(&r, &n);
                for (unsigned i = 0; i < 1500; i++) {
                        size_t at = i % 3 == 0 ? 0x1f1 + i / 3 % 0x70
                                               : (noise = noise * 1103515245 + 12345) / 7 % n;
                        uint8_t before = data[at];

                        data[at] = (uint8_t) (noise >> 16);
                        (void) parse(data, n);
                        if (i % 5) /* some of it stays */
                                data[at] = before;
                }
        }
}

static void test_file_is_read_from_its_beginning_and_its_config_from_beside(void **state) {
        Recipe r = { .packing = PACK_NONE, .release = "7.3.4-beside" };
        _cleanup_(closep) int fd = memfd_create("kernel", MFD_CLOEXEC), config = -EBADF, dir = -EBADF;
        char boot_dir[] = "/tmp/test-kernel-image-XXXXXX", path[128];
        _cleanup_free_ uint8_t *data = NULL;
        KernelImage image;
        size_t n;

        data = make_bzimage(&r, &n);
        assert_int_equal(write(fd, data, n), n); /* the position is at the end now */
        assert_int_equal(kernel_image_read(fd, "/nonexistent", &image), 0);
        assert_int_equal(image.kind, KERNEL_IMAGE_BZIMAGE);
        assert_int_equal(image.luo, KNOWLEDGE_UNKNOWN);

        assert_non_null(mkdtemp(boot_dir));
        (void) snprintf(path, sizeof(path), "%s/config-7.3.4-beside", boot_dir);
        config = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(config, CONFIG_LUO, strlen(CONFIG_LUO)), strlen(CONFIG_LUO));
        assert_int_equal(kernel_image_read(fd, boot_dir, &image), 0);
        assert_int_equal(image.luo, KNOWLEDGE_YES);
        assert_int_equal(image.memfd, KNOWLEDGE_YES);

        dir = open(boot_dir, O_RDONLY | O_CLOEXEC);
        assert_int_equal(kernel_image_read(dir, boot_dir, &image), -EISDIR);
        (void) unlink(path);
        (void) rmdir(boot_dir);
}

static void test_formats_are_compared(void **state) {
        Recipe ours_r = { .packing = PACK_GZIP, .abis = abis_73 },
               newer_r = { .packing = PACK_GZIP, .abis = abis_74 },
               no_memfd_r = { .packing = PACK_GZIP, .abis = abis_no_memfd };
        KernelImage ours, newer, no_memfd, nothing = KERNEL_IMAGE_NULL;

        if (!packing_is_possible(PACK_GZIP))
                skip();
        ours = parse_recipe(&ours_r);
        newer = parse_recipe(&newer_r);
        no_memfd = parse_recipe(&no_memfd_r);
        assert_int_equal(kernel_image_same_abi(&ours, &ours, true), KNOWLEDGE_YES);
        assert_int_equal(kernel_image_same_abi(&newer, &ours, true), KNOWLEDGE_NO);
        assert_int_equal(kernel_image_same_abi(&no_memfd, &ours, false), KNOWLEDGE_YES);
        assert_int_equal(kernel_image_same_abi(&no_memfd, &ours, true), KNOWLEDGE_UNKNOWN);
        assert_int_equal(kernel_image_same_abi(&nothing, &ours, true), KNOWLEDGE_UNKNOWN);
        assert_int_equal(kernel_image_same_abi(&ours, &nothing, true), KNOWLEDGE_UNKNOWN);
        assert_int_equal(kernel_image_same_abi(&nothing, &nothing, true), KNOWLEDGE_UNKNOWN);
}

static void test_handlers_are_compared_as_far_as_they_have_names(void **state) {
        static const char *const two[] = { "kho-v4", "luo-v5", "memfd-v2", "vfio-pci-v1", "luo-test-file-v1", NULL },
                          *const other[] = { "kho-v4", "luo-v5", "memfd-v2", "vfio-pci-v2", NULL },
                          *const one[] = { "kho-v4", "luo-v5", "memfd-v2", "iommufd-v1", "luo-test-file-v1", NULL };
        Recipe two_r = { .packing = PACK_GZIP, .abis = two }, other_r = { .packing = PACK_GZIP, .abis = other },
               one_r = { .packing = PACK_GZIP, .abis = one }, none_r = { .packing = PACK_GZIP, .abis = abis_73 };
        KernelImage with_two, with_other, with_one, with_none, nothing = KERNEL_IMAGE_NULL;
        char missing[KERNEL_ABI_LENGTH_MAX + 1] = "";

        if (!packing_is_possible(PACK_GZIP))
                skip();
        with_two = parse_recipe(&two_r);
        with_other = parse_recipe(&other_r);
        with_one = parse_recipe(&one_r);
        with_none = parse_recipe(&none_r);
        assert_int_equal(kernel_image_same_handlers(&with_two, &with_two, missing), KNOWLEDGE_YES);
        assert_int_equal(kernel_image_same_handlers(&with_two, &with_none, missing), KNOWLEDGE_UNKNOWN);
        assert_int_equal(kernel_image_same_handlers(&with_one, &with_two, missing), KNOWLEDGE_UNKNOWN);
        assert_int_equal(kernel_image_same_handlers(&nothing, &with_two, missing), KNOWLEDGE_UNKNOWN);
        assert_int_equal(kernel_image_same_handlers(&with_two, &nothing, missing), KNOWLEDGE_UNKNOWN);
        assert_string_equal(missing, "");
        assert_int_equal(kernel_image_same_handlers(&with_none, &with_two, missing), KNOWLEDGE_NO);
        assert_string_equal(missing, "vfio-pci-v1");
        assert_int_equal(kernel_image_same_handlers(&with_none, &with_other, missing), KNOWLEDGE_NO);
        assert_string_equal(missing, "vfio-pci-v2");
        assert_int_equal(kernel_image_same_handlers(&with_two, &with_other, missing), KNOWLEDGE_NO);
        /* They are no formats of the core's. */
        assert_int_equal(kernel_image_same_abi(&with_none, &with_two, true), KNOWLEDGE_YES);
}

static void test_built_in_command_line_counts(void **state) {
        static const char plain
                [] = "CONFIG_PRINTK=y\nCONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"x=\\\"a b\\\" kho=on liveupdate=1\"\n",
           only[] =
                   "CONFIG_PRINTK=y\nCONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_OVERRIDE=y\n",
           dflt[] = "CONFIG_PRINTK=y\nCONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT=y\n";
        KernelImage none = KERNEL_IMAGE_NULL, with = none, overriding = none, by_default = none;

        kernel_image_add_config(&with, plain, strlen(plain));
        kernel_image_add_config(&overriding, only, strlen(only));
        kernel_image_add_config(&by_default, dflt, strlen(dflt));
        assert_true(kernel_image_is_switched_on(&none, "kho=on liveupdate=on"));
        assert_false(kernel_image_is_switched_on(&none, "liveupdate=on"));
        assert_false(kernel_image_is_switched_on(&none, "kho=on"));
        assert_false(kernel_image_is_switched_on(&none, ""));
        assert_true(kernel_image_is_switched_on(&with, "quiet"));
        assert_false(kernel_image_is_switched_on(&with, "liveupdate=off"));
        assert_false(kernel_image_is_switched_on(&overriding, "kho=on liveupdate=on"));
        assert_true(kernel_image_is_switched_on(&by_default, "liveupdate=on"));
        assert_false(kernel_image_is_switched_on(&by_default, "liveupdate=on kho=off"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_luo_kernel_is_known_however_it_is_packed),
                cmocka_unit_test(test_nothing_is_lost_between_two_pieces),
                cmocka_unit_test(test_kernel_without_luo_is_known),
                cmocka_unit_test(test_what_cannot_be_unpacked_is_unknown),
                cmocka_unit_test(test_every_truncation_is_refused),
                cmocka_unit_test(test_every_truncated_vmlinux_is_refused),
                cmocka_unit_test(test_other_architectures_are_told),
                cmocka_unit_test(test_what_is_no_kernel_is_told),
                cmocka_unit_test(test_damage_does_no_harm),
                cmocka_unit_test(test_file_is_read_from_its_beginning_and_its_config_from_beside),
                cmocka_unit_test(test_formats_are_compared),
                cmocka_unit_test(test_handlers_are_compared_as_far_as_they_have_names),
                cmocka_unit_test(test_built_in_command_line_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
