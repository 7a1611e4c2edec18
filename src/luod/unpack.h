/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Unpacks what kernels are packed with: gzip, xz, lzma, zstd, lz4 (the "legacy" format), each if the library was there
 * when luod was built. Foreign data: whatever it is, memory stays bounded (UNPACK_MEMORY_MAX, and what zlib and lz4 need,
 * which is less). How much comes out is for the sink to bound. */

/* Takes the next bytes. A value below 0 ends the unpacking, which returns it. */
typedef int (*unpack_sink_fn)(const void *data, size_t n, void *userdata);

/* The format goes by the first bytes; what follows the packed data is passed over. 0, -EOPNOTSUPP (a format that is not
 * known, or whose library is missing), -EBADMSG (damaged or cut off), -ENOMEM (or more than the bound), or what
 * @sink said. */
int unpack(const void *data, size_t n, unpack_sink_fn sink, void *userdata);
