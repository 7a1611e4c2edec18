/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build-config.h"

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

#include "luod-limits.h"
#include "macro.h"
#include "unpack.h"

#define OUTPUT_SIZE (128U * 1024U)

#if HAVE_ZLIB
static int unpack_gzip(const uint8_t *data, size_t n, uint8_t *output, unpack_sink_fn sink, void *userdata) {
        z_stream z = { .next_in = (Bytef *) data };
        int r, end;

        if (n > UINT32_MAX)
                return -EBADMSG;
        z.avail_in = (uInt) n;
        if (inflateInit2(&z, 15 + 16) != Z_OK) /* a gzip header, and the largest window */
                return -ENOMEM;
        do {
                z.next_out = output;
                z.avail_out = OUTPUT_SIZE;
                end = inflate(&z, Z_NO_FLUSH);
                r = end == Z_OK || end == Z_STREAM_END ? sink(output, OUTPUT_SIZE - z.avail_out, userdata)
                    : end == Z_MEM_ERROR               ? -ENOMEM
                                                       : -EBADMSG;
        } while (r >= 0 && end == Z_OK);
        (void) inflateEnd(&z);
        return MIN(r, 0);
}
#endif

#if HAVE_LZMA
static int
unpack_lzma(const uint8_t *data, size_t n, uint8_t *output, unpack_sink_fn sink, void *userdata, bool xz) {
        lzma_stream z = LZMA_STREAM_INIT;
        lzma_ret end;
        int r;

        end = xz ? lzma_stream_decoder(&z, UNPACK_MEMORY_MAX, /* flags= */ 0)
                 : lzma_alone_decoder(&z, UNPACK_MEMORY_MAX);
        if (end != LZMA_OK)
                return -ENOMEM;
        z.next_in = data;
        z.avail_in = n;
        do {
                z.next_out = output;
                z.avail_out = OUTPUT_SIZE;
                end = lzma_code(&z, LZMA_FINISH);
                r = end == LZMA_OK || end == LZMA_STREAM_END
                            ? sink(output, OUTPUT_SIZE - z.avail_out, userdata)
                    : end == LZMA_MEM_ERROR || end == LZMA_MEMLIMIT_ERROR ? -ENOMEM
                    : end == LZMA_OPTIONS_ERROR                           ? -EOPNOTSUPP
                                                                          : -EBADMSG;
        } while (r >= 0 && end == LZMA_OK);
        lzma_end(&z);
        return MIN(r, 0);
}
#endif

#if HAVE_ZSTD
static int
zstd_run(ZSTD_DCtx *z, const uint8_t *data, size_t n, uint8_t *output, unpack_sink_fn sink, void *userdata) {
        ZSTD_inBuffer in = { .src = data, .size = n };
        int r;

        for (;;) {
                ZSTD_outBuffer out = { .dst = output, .size = OUTPUT_SIZE };
                size_t left = ZSTD_decompressStream(z, &out, &in);

                if (ZSTD_isError(left))
                        return -EBADMSG;
                r = sink(output, out.pos, userdata);
                if (r < 0 || left == 0)
                        return MIN(r, 0);
                if (in.pos == in.size && out.pos < out.size)
                        return -EBADMSG; /* cut off */
        }
}

static int unpack_zstd(const uint8_t *data, size_t n, uint8_t *output, unpack_sink_fn sink, void *userdata) {
        ZSTD_DCtx *z = ZSTD_createDCtx(); /* refuses windows of more than 128 MiB by itself */
        int r;

        if (!z)
                return -ENOMEM;
        r = zstd_run(z, data, n, output, sink, userdata);
        (void) ZSTD_freeDCtx(z);
        return r;
}
#endif

#if HAVE_LZ4
#define LZ4_BLOCK_MAX (8U * 1024U * 1024U)

/* A magic number, then blocks of up to 8 MiB, each behind its packed size; as lib/decompress_unlz4.c reads it. */
static int unpack_lz4(const uint8_t *data, size_t n, unpack_sink_fn sink, void *userdata) {
        _cleanup_free_ char *block = malloc(LZ4_BLOCK_MAX);
        size_t p = 4;
        int r;

        if (!block)
                return -ENOMEM;
        while (n - p > 4) { /* the size of all may follow, in 4 bytes */
                uint32_t size = (uint32_t) data[p] | (uint32_t) data[p + 1] << 8 |
                                (uint32_t) data[p + 2] << 16 | (uint32_t) data[p + 3] << 24;

                p += 4;
                if (size == 0)
                        break;
                if (size == 0x184C2102) /* one more magic number */
                        continue;
                if (size > n - p || size > (uint32_t) LZ4_compressBound(LZ4_BLOCK_MAX))
                        return -EBADMSG;
                r = LZ4_decompress_safe((const char *) data + p, block, (int) size, LZ4_BLOCK_MAX);
                if (r < 0)
                        return -EBADMSG;
                r = sink(block, (size_t) r, userdata);
                if (r < 0)
                        return r;
                p += size;
        }
        return 0;
}
#endif

static _unused_ bool begins_with(const uint8_t *data, size_t n, const char *magic, size_t n_magic) {
        return n > n_magic && memcmp(data, magic, n_magic) == 0;
}

int unpack(const void *data, size_t n, unpack_sink_fn sink, void *userdata) {
        _cleanup_free_ uint8_t *output = malloc(OUTPUT_SIZE);

        if (!output)
                return -ENOMEM;
#if HAVE_ZLIB
        if (begins_with(data, n, "\x1f\x8b\x08", 3))
                return unpack_gzip(data, n, output, sink, userdata);
#endif
#if HAVE_LZMA
        if (begins_with(data, n,
                        "\xfd"
                        "7zXZ\0",
                        6))
                return unpack_lzma(data, n, output, sink, userdata, /* xz= */ true);
        if (begins_with(data, n, "\x5d\0\0", 3))
                return unpack_lzma(data, n, output, sink, userdata, /* xz= */ false);
#endif
#if HAVE_ZSTD
        if (begins_with(data, n, "\x28\xb5\x2f\xfd", 4))
                return unpack_zstd(data, n, output, sink, userdata);
#endif
#if HAVE_LZ4
        if (begins_with(data, n, "\x02\x21\x4c\x18", 4))
                return unpack_lz4(data, n, sink, userdata);
#endif
        return -EOPNOTSUPP;
}
