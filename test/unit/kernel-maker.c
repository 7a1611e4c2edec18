/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build-config.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#if HAVE_ZLIB
#include <zlib.h>
#endif
#if HAVE_LZMA
#include <lzma.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#endif
#if HAVE_LZ4
#include <lz4.h>
#endif

#include <cmocka.h>

#include "kernel-maker.h"
#include "macro.h"

#define SETUP_SIZE 1024U

int packing_is_possible(Packing packing) {
        static const int possible[_PACKING_MAX] = {
                [PACK_NONE] = 1,         [PACK_GZIP] = HAVE_ZLIB, [PACK_XZ] = HAVE_LZMA,
                [PACK_ZSTD] = HAVE_ZSTD, [PACK_LZ4] = HAVE_LZ4,
        };

        return possible[packing];
}

static void put_u32(uint8_t *p, uint32_t value) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t) (value >> 8 * i);
}

/* Into @out, which has room for 2 * @n + 65536 bytes. */
static size_t pack(Packing packing, const uint8_t *data, size_t n, uint8_t *out) {
        size_t max _unused_ = 2 * n + 65536; /* where there is any packer */

        switch (packing) {
#if HAVE_ZLIB
        case PACK_GZIP: {
                z_stream z = { .next_in = (Bytef *) data,
                               .avail_in = (uInt) n,
                               .next_out = out,
                               .avail_out = (uInt) max };

                assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
                assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
                assert_int_equal(deflateEnd(&z), Z_OK);
                return z.total_out;
        }
#endif
#if HAVE_LZMA
        case PACK_XZ: {
                size_t used = 0;

                assert_int_equal(
                        lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, data, n, out, &used, max),
                        LZMA_OK);
                return used;
        }
#endif
#if HAVE_ZSTD
        case PACK_ZSTD: {
                size_t used = ZSTD_compress(out, max, data, n, 3);

                assert_false(ZSTD_isError(used));
                return used;
        }
#endif
#if HAVE_LZ4
        case PACK_LZ4: {
                int used =
                        LZ4_compress_default((const char *) data, (char *) out + 8, (int) n, (int) max - 8);

                assert_true(used > 0);
                put_u32(out, 0x184c2102);
                put_u32(out + 4, (uint32_t) used);
                return (size_t) used + 8;
        }
#endif
        default:
                memcpy(out, data, n);
                return n;
        }
}

static size_t append(uint8_t *p, const void *data, size_t n) {
        memcpy(p, data, n);
        return n;
}

uint8_t *make_unpacked(const Recipe *r, size_t *ret_n) {
        size_t n_config = r->config ? strlen(r->config) : 0, n = 0;
        uint8_t *p = calloc(1, r->padding + 3 * n_config + 131072);
        uint32_t noise = 1;

        assert_non_null(p);
        for (; n < r->padding; n++)
                p[n] = (uint8_t) ((noise = noise * 1103515245 + 12345) >> 24);
        n += 1 + append(p + n + 1, "IKCFG_ST is not always what it seems", 37);
        if (r->config) {
                n += append(p + n, "IKCFG_ST", 8);
                n += pack(PACK_GZIP, (const uint8_t *) r->config, n_config, p + n);
                n += append(p + n, "IKCFG_ED", 9);
        }
        n += append(p + n, "arm,something-v2", 17);
        n += append(p + n, "a luo-v77 b", 12);
        for (size_t i = 0; r->abis && r->abis[i]; i++) {
                n += append(p + n, r->abis[i], strlen(r->abis[i]) + 1);
                n += append(p + n, "liveupdate", 11);
        }
        *ret_n = n;
        return p;
}

uint8_t *make_bzimage(const Recipe *r, size_t *ret_n) {
        size_t n_unpacked, n_payload, n_all;
        uint8_t *unpacked = make_unpacked(r, &n_unpacked),
                *p = calloc(1, SETUP_SIZE + 2 * n_unpacked + 131072);

        assert_non_null(p);
        n_payload = pack(r->packing, unpacked, n_unpacked, p + SETUP_SIZE + 32);
        put_u32(p + SETUP_SIZE + 32 + n_payload, (uint32_t) n_unpacked); /* as the kernel's build does */
        n_payload += r->packing == PACK_GZIP ? 0 : 4;
        free(unpacked);

        n_all = ALIGN_UP(SETUP_SIZE + 32 + n_payload, 16U);
        (void) memcpy(p, "MZ", 2);
        p[0x1f1] = SETUP_SIZE / 512 - 1;
        put_u32(p + 0x1f4, (uint32_t) ((n_all - SETUP_SIZE) / 16));
        p[0x1fe] = 0x55;
        p[0x1ff] = 0xaa;
        (void) memcpy(p + 0x202, "HdrS", 4);
        p[0x206] = 0x0f;
        p[0x207] = 0x02;
        p[0x20e] = 0x80; /* at 0x280 */
        p[0x211] = 1;
        p[0x234] = 1;
        p[0x236] = 0x63;
        put_u32(p + 0x238, 2047);
        put_u32(p + 0x248, 32);
        put_u32(p + 0x24c, (uint32_t) n_payload);
        (void) snprintf((char *) p + 0x280, 256, "%s (somebody@somewhere) #7 SMP test",
                        r->release ? r->release : "7.3.4-test");
        *ret_n = n_all;
        return p;
}

uint8_t *make_vmlinux(const Recipe *r, uint16_t machine, size_t *ret_n) {
        size_t n_unpacked, n;
        uint8_t *unpacked = make_unpacked(r, &n_unpacked), *p = calloc(1, n_unpacked + 512);
        Elf64_Ehdr header = {
                .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                .e_type = ET_EXEC,
                .e_machine = machine,
                .e_phoff = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 1,
        };
        Elf64_Phdr segment = { .p_type = PT_LOAD, .p_offset = 256 };

        assert_non_null(p);
        n = 256 +
            (size_t) snprintf((char *) p + 256, 256, "Linux version %s (somebody@somewhere) #7 SMP test\n",
                              r->release ? r->release : "7.3.4-test") +
            1;
        memcpy(p + n, unpacked, n_unpacked);
        n += n_unpacked;
        free(unpacked);
        segment.p_filesz = n - 256;
        memcpy(p, &header, sizeof(header));
        memcpy(p + sizeof(header), &segment, sizeof(segment));
        *ret_n = n;
        return p;
}
