/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../unit/kernel-maker.h"
#include "fuzz.h"
#include "kernel-image.h"
#include "luod-limits.h"
#include "unpack.h"

/* Kernel images. The first byte says what the rest is:
 *
 *   0        an image
 *   1        something packed
 *   2        a configuration
 *   3, 4, …  what is packed in an image, or is its configuration: packed bytes can't be guessed */

static bool is_text(const char *s) {
        for (; *s; s++)
                if (*s < 0x20 || *s > 0x7e)
                        return false;
        return true;
}

static void check(const KernelImage *image) {
        require(image->kind >= 0 && image->kind < _KERNEL_IMAGE_KIND_MAX);
        require(memchr(image->arch, 0, sizeof(image->arch)) && is_text(image->arch));
        require(memchr(image->release, 0, sizeof(image->release)) && is_text(image->release));
        require(memchr(image->version, 0, sizeof(image->version)) && is_text(image->version));
        require(image->n_abis <= KERNEL_ABIS_MAX);
        for (unsigned i = 0; i < image->n_abis; i++)
                require(memchr(image->abis[i], 0, sizeof(image->abis[i])) && is_text(image->abis[i]));
        (void) kernel_image_is_switched_on(image, "kho=on liveupdate=on");
        require(kernel_image_same_abi(image, image, /* memfd= */ true) != KNOWLEDGE_NO);
}

static void try_image(const uint8_t *data, size_t size) {
        KernelImage image;

        if (kernel_image_parse(data, size, &image) == 0)
                check(&image);
}

static void try_config(const uint8_t *data, size_t size) {
        KernelImage image = { .kind = KERNEL_IMAGE_BZIMAGE };

        kernel_image_add_config(&image, (const char *) data, size);
        check(&image);
}

static int sink(const void *data, size_t n, void *userdata) {
        size_t *sum = userdata;

        for (size_t i = 0; i < n; i++) /* all of it is there to be read */
                sum[1] += ((const volatile uint8_t *) data)[i];
        sum[0] += n;
        return sum[0] > 4 * 1024 * 1024 ? -EFBIG : 0;
}

static void try_unpack(const uint8_t *data, size_t size) {
        size_t sum[2] = {};
        int r = unpack(data, size, sink, sum);

        require(r == 0 || r == -EOPNOTSUPP || r == -EBADMSG || r == -ENOMEM || r == -EFBIG);
}

static void try_packed(unsigned how, const uint8_t *data, size_t size) {
        char *text = strndup(size > 0 ? (const char *) data : "", size);
        const char *abis[] = { text, NULL };
        Recipe recipe = { .packing = (Packing) (how % _PACKING_MAX), .release = "7.3.4" };
        uint8_t *image;
        size_t n;

        require(text);
        if (how / _PACKING_MAX % 2)
                recipe.config = text;
        else
                recipe.abis = abis;
        if (packing_is_possible(recipe.packing)) {
                image = how % 3 == 0 ? make_vmlinux(&recipe, EM_X86_64, &n) : make_bzimage(&recipe, &n);
                try_image(image, n);
                free(image);
        }
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        uint8_t what = input_u8(&input);

        if (what == 0)
                try_image(input.data, input.size);
        else if (what == 1)
                try_unpack(input.data, input.size);
        else if (what == 2)
                try_config(input.data, input.size);
        else
                try_packed(what, input.data, MIN(input.size, (size_t) 60000));
        return 0;
}
