/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macro.h"
#include "record.h"

/* The ledger: an append-only log of records in shared memory that outlives luod and, preserved, the kernel.
 *
 * This module knows bytes, not files: the caller maps the memory (store.c). Layout, version 1:
 *
 *   half 0 | half 1         each LEDGER_HALF_SIZE (half of @size in tests)
 *   half:   head | record … record | zeros | copy of head
 *   head:   magic, checksum, version, epoch, size of the half; valid only once the half is complete. Besides:
 *           number of records, and whether the other half has taken over
 *   record: frame | payload (JSON, padded) | frame again (trailer)
 *   frame:  magic (of a leading frame or of a trailer), epoch, sequence number, sid, length of the payload,
 *           type, checksum of the payload, checksum of the frame itself
 *
 * The half with the higher epoch and a valid head is in force. A record becomes visible by one last store (the
 * magic of its leading frame). Compaction writes the live state to the other half and makes that valid by one
 * last store: at every instant there is one complete half.
 *
 * One damaged byte costs at most the record that it is in: a damaged leading frame is repaired from the
 * trailer; of a record with a damaged payload the type and sid are still known and reported. Frames are found
 * again by their magic at 8-byte steps, whatever lies between. The two heads of a half are as far apart as can
 * be, so that a lost page does not take both; with both lost, the older half still tells that this one counts. */

typedef struct Ledger Ledger;

/* One record in the order of writing. @payload lies in the ledger's memory, valid during the call, and is not
 * NUL-terminated. It is NULL, and @size 0, when it was damaged. Returns 0, or -errno to stop. */
typedef int (*ledger_record_fn)(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata);

typedef struct LedgerDamage {
        unsigned n_records; /* records whose payload was damaged, and gaps in the sequence */
        unsigned n_frames;  /* frames or heads that were damaged, without loss */
        bool gap;           /* at least one record is gone without a trace of its type and sid */
} LedgerDamage;

/* Makes an empty ledger in zeroed or foreign memory: both halves are cleared. @size: both halves together, a
 * multiple of 128, at least 8192. The memory stays the caller's and must outlive the Ledger. Not valid, and
 * invisible to ledger_open(), until the first ledger_compact_commit(). Returns 0 or -ENOMEM. */
int ledger_new(void *memory, size_t size, Ledger **ret);

/* Reads an existing one and calls @fn for each record of the half in force. With @repair damaged frames are
 * mended and the ledger can be appended to; without it the memory is only read (and may be mapped read-only).
 * Returns 0; -ENODATA: no valid half, or no ledger has this @size; -EPROTONOSUPPORT: written by a newer luod,
 * nothing touched; -ENOMEM; or what @fn returned. What is lost for good is reported at every opening until the
 * next compaction. @ret may be NULL when only reading; a Ledger that was opened without @repair must not be
 * written to. */
int ledger_open(void *memory,
                size_t size,
                bool repair,
                ledger_record_fn fn,
                void *userdata,
                LedgerDamage *ret_damage,
                Ledger **ret);

Ledger *ledger_free(Ledger *ledger);
DEFINE_CLEANUP_FUNC(Ledger, ledger_free);

/* Appends a record; visible to a later ledger_open() when this returned 0. -ENOSPC: the half is full, nothing
 * was written (compact and try again); -E2BIG: would not fit an empty half. Any type below 65536 may be
 * written, known or not. Before the first commit there is no half to write to: -ENOSPC. */
int ledger_append(Ledger *ledger, RecordType type, uint64_t sid, const char *payload, size_t size);

/* Compaction: begin, append the whole live state, commit. Nothing of it counts before the commit; begin again
 * to start over. Appending: as ledger_append(). What ledger_append() writes between begin and commit is not in
 * the new half. */
void ledger_compact_begin(Ledger *ledger);
int ledger_compact_append(Ledger *ledger, RecordType type, uint64_t sid, const char *payload, size_t size);
void ledger_compact_commit(Ledger *ledger);

/* Bytes that a record with a payload of @size takes, bytes left in the half in force, bytes of an empty half. */
size_t ledger_record_size(size_t size);
size_t ledger_room(const Ledger *ledger);
size_t ledger_capacity(const Ledger *ledger);
