/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A checksum can't be guessed, and to have none in a build for fuzzing would be to test another reader: so this is on the inside
 * of ledger.c, and sets right what the fuzzer has changed. */
#include "../../src/luod/ledger.c" // NOLINT(bugprone-suspicious-include)

#include "log.h"
#include "state.h"

/* The reader of the ledger. The first byte says what follows:
 *
 *   bit 0    the ledger's memory as it is; otherwise operations, with which one is written and damaged
 *   bit 1    the checksums of all frames and heads are right */

#define MEMORY_SIZE 16384U
#define MEMORY_MAX 65536U

typedef struct Reading {
        State state;
        unsigned n_records, n_damaged;
        uint32_t crc;
        const uint8_t *memory;
        size_t size;
} Reading;

static int on_record(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        Reading *r = userdata;

        r->n_records++;
        r->n_damaged += !payload;
        require(payload || size == 0);
        if (payload) {
                require((const uint8_t *) payload >= r->memory && size <= r->size &&
                        (const uint8_t *) payload + size <= r->memory + r->size);
                r->crc = crc32c(r->crc, payload, size);
        }
        r->crc = crc32c(r->crc, &type, sizeof(type));
        r->crc = crc32c(r->crc, &sid, sizeof(sid));
        require(state_apply(&r->state, type, sid, payload, size) == 0);
        return 0;
}

static int read_all(uint8_t *memory, size_t size, bool repair, Reading *ret, LedgerDamage *ret_damage, Ledger **ret_ledger) {
        int r;

        *ret = (Reading) { .memory = memory, .size = size };
        state_init(&ret->state);
        *ret_damage = (LedgerDamage) {};
        r = ledger_open(memory, size, repair, on_record, ret, ret_damage, ret_ledger);
        state_done(&ret->state);
        return r;
}

static void set_right(uint8_t *memory, size_t size) {
        for (unsigned half = 0; half < 2; half++)
                for (unsigned copy = 0; copy < 2; copy++) {
                        Half h = half_at(memory, size / 2, half, 0);
                        Head *head = half_head(&h, copy);

                        if (head->magic != HEAD_MAGIC)
                                continue;
                        head->half_size = size / 2;
                        head->crc = head_crc(head);
                }
        for (size_t offset = 0; offset + sizeof(Frame) <= size; offset += 8) {
                Frame *f = (Frame *) (memory + offset);

                if (f->magic == LEAD_MAGIC && f->size <= size - offset - sizeof(Frame))
                        f->payload_crc = crc32c(0, f + 1, f->size);
                if (f->magic == LEAD_MAGIC || f->magic == TRAIL_MAGIC)
                        f->crc = frame_crc(f);
        }
}

/* Whatever is in it: reading finds the same as repairing; what was repaired is read without frames that are damaged, and can
 * be written to. */
static void try_memory(uint8_t *memory, size_t size) {
        Reading first, repaired, again;
        LedgerDamage damage;
        Ledger *l = NULL;
        int r;

        r = read_all(memory, size, /* repair= */ false, &first, &damage, NULL);
        require(r == 0 || r == -ENODATA || r == -EPROTONOSUPPORT);
        require(read_all(memory, size, /* repair= */ true, &repaired, &damage, &l) == r);
        if (r < 0)
                return;
        require(repaired.n_records == first.n_records && repaired.crc == first.crc);

        if (ledger_append(l, RECORD_META, 1, "{}", 2) == 0) {
                require(read_all(memory, size, /* repair= */ false, &again, &damage, NULL) == 0);
                require(again.n_records == first.n_records + 1 && damage.n_frames == 0);
        }
        ledger_compact_begin(l);
        require(ledger_compact_append(l, RECORD_META, 1, "{}", 2) == 0);
        ledger_compact_commit(l);
        require(read_all(memory, size, /* repair= */ false, &again, &damage, NULL) == 0);
        require(again.n_records == 1 && damage.n_records == 0 && damage.n_frames == 0 && !damage.gap);
        ledger_free(l);
}

static void try_raw(Input *input, bool right) {
        size_t size = MIN(MAX(input->size / SIZE_STEP * SIZE_STEP, (size_t) SIZE_MIN), (size_t) MEMORY_MAX), n;
        uint8_t *memory = aligned_alloc(64, size);
        const uint8_t *bytes;

        require(memory);
        memset(memory, 0, size);
        bytes = input_bytes(input, size, &n);
        if (n > 0)
                memcpy(memory, bytes, n);
        if (right)
                set_right(memory, size);
        try_memory(memory, size);
        free(memory);
}

static void try_operations(Input *input, bool right) {
        uint8_t *memory = aligned_alloc(64, MEMORY_SIZE);
        unsigned n_appended = 0;
        bool damaged = false;
        Ledger *l;

        require(memory);
        require(ledger_new(memory, MEMORY_SIZE, &l) == 0);
        ledger_compact_begin(l);
        ledger_compact_commit(l);
        while (input->size > 0) {
                uint8_t what = input_u8(input);

                if (what < 0x80) {
                        LogEntry e = log_take(input);

                        n_appended += ledger_append(l, e.type, e.sid, e.payload, e.size) == 0;
                } else if (what < 0xc0) {
                        ledger_compact_begin(l);
                        for (n_appended = 0; what > 0x80; what--) {
                                LogEntry e = log_take(input);

                                n_appended += ledger_compact_append(l, e.type, e.sid, e.payload, e.size) == 0;
                        }
                        ledger_compact_commit(l);
                } else {
                        size_t at = (size_t) input_number(input, 2) % MEMORY_SIZE;

                        if (!damaged) { /* from here on l's idea of it is wrong, so that it must not be written to */
                                Reading reading;
                                LedgerDamage damage;

                                require(read_all(memory, MEMORY_SIZE, false, &reading, &damage, NULL) == 0);
                                require(reading.n_records == n_appended && reading.n_damaged == 0);
                                require(damage.n_records == 0 && damage.n_frames == 0 && !damage.gap);
                        }
                        memory[at] ^= input_u8(input);
                        damaged = true;
                        while (input->size >= 3 && input_u8(input) >= 0xc0) {
                                at = (size_t) input_number(input, 2) % MEMORY_SIZE;
                                memory[at] ^= input_u8(input);
                        }
                        break;
                }
        }
        ledger_free(l);
        if (right)
                set_right(memory, MEMORY_SIZE);
        try_memory(memory, MEMORY_SIZE);
        free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        uint8_t flags = input_u8(&input);

        (flags & 1 ? try_raw : try_operations)(&input, flags & 2);
        return 0;
}
