/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), as in iSCSI and ext4. @seed is 0, or the checksum of what comes before: the checksum
 * of a whole is that of its last part seeded with that of the rest. @data may be NULL when @size is 0. */
uint32_t crc32c(uint32_t seed, const void *data, size_t size);
