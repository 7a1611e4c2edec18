/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fuzz.h"
#include "record.h"

/* Records of a ledger as an input has them: TYPE SID SIZE(2) PAYLOAD, over and over. */

typedef struct LogEntry {
        RecordType type; /* may be one that nobody knows */
        uint64_t sid;
        const char *payload; /* NULL: damaged */
        size_t size;
} LogEntry;

static inline _unused_ LogEntry log_take(Input *i) {
        LogEntry e = { .type = input_u8(i) % 16, .sid = input_u8(i) };
        size_t size = (size_t) input_number(i, 2);

        e.payload = (const char *) input_bytes(i, size, &e.size);
        return e;
}
