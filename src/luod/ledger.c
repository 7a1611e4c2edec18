/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "crc32c.h"
#include "ledger.h"

/* How it works, and what always holds.
 *
 * Writing. luod may be killed, or the machine may jump into the next kernel, between any two stores. So what
 * is written is worth nothing until one aligned 8-byte store, the magic of the frame or head, is made; it
 * comes after all the rest (publish()). Memory behind the last record is always zero, but for what a death
 * in the middle of an append left there, and that is cleared by the next opening that repairs.
 *
 *   append:      payload, both frames without magic | magic of the leading frame: the record is there |
 *                magic of the trailer | count in both heads
 *   compaction:  other half: magic of both heads to zero, all of it to zero, records as above, heads without
 *                magic | magic of the head: the half is in force | magic of the copy | old half: superseded
 *
 * A death behind the bar leaves redundancy incomplete, never content; a repair completes it.
 *
 * Reading. All that is believed has a checksum. A record is known by either of its frames, so the reader
 * takes whichever it meets first: at the place where a record must begin normally the leading frame,
 * otherwise the next valid frame of any kind at an 8-byte step. Only what begins with a magic is looked at
 * closer and each word is passed once, so reading is linear, whatever the memory holds. A frame counts only
 * with the epoch of its half and a sequence number higher than all before: what an earlier use of the memory
 * left there never does. The magics contain bytes that JSON never does, so nobody can put a frame into a
 * payload to be found when the true frame is damaged.
 *
 * Loss that leaves no frame shows as a gap in the sequence numbers; at the end of the log, where no higher
 * number follows, by the count of records in the heads. That lies outside of the checksum as it changes with
 * each append: of both heads the lower one is believed, so that damage cannot invent a loss.
 *
 * When both heads of a half are damaged, the other half, older but superseded, tells that there was a
 * complete one, and its epoch. Then its records are read without a head. */

#define HEAD_MAGIC 0x011f64616568006cULL /* every magic: bytes below 0x20, and far apart from each other */
#define LEAD_MAGIC 0x1e026461656c0072ULL
#define TRAIL_MAGIC 0x03056c6961740174ULL
#define SUPERSEDED_MAGIC 0x0406646e65001d73ULL
#define VERSION 1U
#define TYPE_END 65536U
#define SEQUENCE_END (1ULL << 62) /* no log gets there; more is not a number to go on from */

/* The first 48 bytes, and the place at the start of the file, stay as they are in every version: from them a
 * newer version is recognised. */
typedef struct Head {
        uint64_t magic;
        uint32_t crc; /* of what follows, up to n_records */
        uint32_t version;
        uint64_t epoch;
        uint64_t half_size;
        uint64_t reserved[2];
        uint64_t n_records;  /* next sequence number, when all is well */
        uint64_t superseded; /* SUPERSEDED_MAGIC: the half with the next epoch was committed */
} Head;

typedef struct Frame {
        uint64_t magic;
        uint64_t epoch;
        uint64_t sequence;
        uint64_t sid;
        uint32_t size; /* of the payload, without padding */
        uint32_t type;
        uint32_t payload_crc;
        uint32_t crc; /* of all above but the magic: the two frames of a record differ in that alone */
} Frame;

static_assert(sizeof(Head) == 64, "Head has a fixed layout");
static_assert(sizeof(Frame) == 48, "Frame has a fixed layout");

#define SIZE_MIN 8192U
#define SIZE_STEP 128U

typedef struct Half {
        uint8_t *base; /* NULL: none */
        size_t size;
        uint64_t epoch;
        size_t tail;       /* where the next record begins */
        uint64_t sequence; /* its number */
} Half;

struct Ledger {
        uint8_t *memory; /* the caller's */
        size_t half_size;
        bool writable;
        Half force; /* what counts */
        Half next;  /* compaction: what will */
};

/* What was written before is there before the value, and nothing that is written later comes before it. */
static void publish(uint64_t *place, uint64_t value) {
        __atomic_store_n(place, value, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static Half half_at(uint8_t *memory, size_t half_size, unsigned i, uint64_t epoch) {
        return (Half) {
                .base = memory + i * half_size,
                .size = half_size,
                .epoch = epoch,
                .tail = sizeof(Head),
        };
}

/* Where records end at the latest: there the copy of the head begins. */
static size_t half_end(const Half *half) {
        return half->size - sizeof(Head);
}

static Head *half_head(const Half *half, bool copy) {
        return (Head *) (half->base + (copy ? half_end(half) : 0));
}

static Frame *half_frame(const Half *half, size_t offset) {
        return (Frame *) (half->base + offset);
}

size_t ledger_record_size(size_t size) {
        if (size > SIZE_MAX - 2 * sizeof(Frame) - 7)
                return SIZE_MAX;
        return 2 * sizeof(Frame) + ALIGN_UP(size, 8);
}

/* Heads */

static uint32_t head_crc(const Head *head) {
        return crc32c(0, &head->version, offsetof(Head, n_records) - offsetof(Head, version));
}

static bool head_is_sound(const Head *head) {
        return head->magic == HEAD_MAGIC && head->crc == head_crc(head);
}

static bool head_is_newer(const Head *head) {
        return head_is_sound(head) && head->version > VERSION;
}

static bool head_is_valid(const Head *head, size_t half_size) {
        return head_is_sound(head) && head->version == VERSION && head->half_size == half_size;
}

static bool half_is_superseded(const Half *half) {
        return half_head(half, false)->superseded == SUPERSEDED_MAGIC ||
               half_head(half, true)->superseded == SUPERSEDED_MAGIC;
}

/* Never a valid one in between: the magic is taken away first and comes last. */
static void half_write_head(const Half *half, bool copy) {
        Head *head = half_head(half, copy);
        Head fresh = {
                .version = VERSION,
                .epoch = half->epoch,
                .half_size = half->size,
                .n_records = half->sequence,
                .superseded = half_is_superseded(half) ? SUPERSEDED_MAGIC : 0,
        };

        fresh.crc = head_crc(&fresh);
        publish(&head->magic, 0);
        memcpy(&head->crc, &fresh.crc, sizeof(Head) - offsetof(Head, crc));
        publish(&head->magic, HEAD_MAGIC);
}

static void half_write_count(const Half *half) {
        publish(&half_head(half, false)->n_records, half->sequence);
        publish(&half_head(half, true)->n_records, half->sequence);
}

/* A valid head of the half, or NULL. */
static const Head *half_valid_head(const Half *half) {
        if (head_is_valid(half_head(half, false), half->size))
                return half_head(half, false);
        if (head_is_valid(half_head(half, true), half->size))
                return half_head(half, true);
        return NULL;
}

static void half_set_superseded(const Half *half) {
        publish(&half_head(half, false)->superseded, SUPERSEDED_MAGIC);
        publish(&half_head(half, true)->superseded, SUPERSEDED_MAGIC);
}

/* How many records there should be at least. */
static uint64_t half_count(const Half *half) {
        const Head *head = half_head(half, false), *copy = half_head(half, true);
        bool head_valid = head_is_valid(head, half->size), copy_valid = head_is_valid(copy, half->size);

        if (head_valid && copy_valid)
                return MIN(head->n_records, copy->n_records);
        if (head_valid)
                return head->n_records;
        return copy_valid ? copy->n_records : 0;
}

static void half_wipe(const Half *half) {
        publish(&half_head(half, false)->magic, 0);
        publish(&half_head(half, true)->magic, 0);
        memset(half->base, 0, half->size);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Writing */

static uint32_t frame_crc(const Frame *frame) {
        return crc32c(0, &frame->epoch, offsetof(Frame, crc) - offsetof(Frame, epoch));
}

static void frame_write(Frame *frame, const Frame *from) {
        memcpy(&frame->epoch, &from->epoch, sizeof(Frame) - offsetof(Frame, epoch));
}

static int half_append(Half *half, RecordType type, uint64_t sid, const char *payload, size_t size) {
        size_t record_size = ledger_record_size(size);
        Frame *lead, *trail, frame;

        assert((unsigned) type < TYPE_END);

        if (record_size > half_end(half) - sizeof(Head))
                return -E2BIG;
        if (record_size > half_end(half) - half->tail)
                return -ENOSPC;

        frame = (Frame) {
                .epoch = half->epoch,
                .sequence = half->sequence,
                .sid = sid,
                .size = (uint32_t) size,
                .type = (uint32_t) type,
                .payload_crc = crc32c(0, payload, size),
        };
        frame.crc = frame_crc(&frame);
        lead = half_frame(half, half->tail);
        trail = half_frame(half, half->tail + record_size - sizeof(Frame));

        if (size > 0)
                memcpy(lead + 1, payload, size);
        frame_write(trail, &frame);
        frame_write(lead, &frame);
        publish(&lead->magic, LEAD_MAGIC);
        publish(&trail->magic, TRAIL_MAGIC);

        half->tail += record_size;
        half->sequence++;
        half_write_count(half);
        return 0;
}

int ledger_append(Ledger *ledger, RecordType type, uint64_t sid, const char *payload, size_t size) {
        assert(ledger->writable);

        if (ledger_record_size(size) > ledger_capacity(ledger))
                return -E2BIG;
        if (!ledger->force.base)
                return -ENOSPC;
        return half_append(&ledger->force, type, sid, payload, size);
}

void ledger_compact_begin(Ledger *ledger) {
        unsigned other = ledger->force.base == ledger->memory ? 1 : 0;

        assert(ledger->writable);

        ledger->next = half_at(ledger->memory, ledger->half_size, other, ledger->force.epoch + 1);
        half_wipe(&ledger->next);
}

int ledger_compact_append(Ledger *ledger, RecordType type, uint64_t sid, const char *payload, size_t size) {
        assert(ledger->next.base);

        return half_append(&ledger->next, type, sid, payload, size);
}

void ledger_compact_commit(Ledger *ledger) {
        assert(ledger->next.base);

        half_write_head(&ledger->next, /* copy= */ false);
        half_write_head(&ledger->next, /* copy= */ true);
        if (ledger->force.base)
                half_set_superseded(&ledger->force);
        ledger->force = ledger->next;
        ledger->next = (Half) {};
}

size_t ledger_room(const Ledger *ledger) {
        return ledger->force.base ? half_end(&ledger->force) - ledger->force.tail : 0;
}

size_t ledger_capacity(const Ledger *ledger) {
        return ledger->half_size - 2 * sizeof(Head);
}

/* Reading */

static bool frame_is_valid(const Half *half, const Frame *frame) {
        return (frame->magic == LEAD_MAGIC || frame->magic == TRAIL_MAGIC) && frame->epoch == half->epoch &&
               frame->sequence >= half->sequence && frame->sequence < SEQUENCE_END &&
               frame->type < TYPE_END && frame->crc == frame_crc(frame);
}

/* Where the record of the frame at @offset begins, a leading one or a trailer. False when it would reach
 * over the end or into what was read already: then it is none. */
static bool frame_locate(const Half *half, size_t offset, size_t *ret_start) {
        const Frame *frame = half_frame(half, offset);
        size_t before = ledger_record_size(frame->size) - sizeof(Frame);

        if (frame->magic == LEAD_MAGIC) {
                *ret_start = offset;
                return before + sizeof(Frame) <= half_end(half) - offset;
        }

        if (before > offset - half->tail)
                return false;
        *ret_start = offset - before;
        return true;
}

/* Finds the first record at or behind half->tail: where it begins, and which of its frames is good. */
static bool half_find(const Half *half, size_t *ret_start, const Frame **ret_frame) {
        for (size_t offset = half->tail; offset + sizeof(Frame) <= half_end(half); offset += 8) {
                const Frame *frame = half_frame(half, offset);

                if (!frame_is_valid(half, frame) || !frame_locate(half, offset, ret_start))
                        continue;
                *ret_frame = frame;
                return true;
        }

        return false;
}

static bool frame_is_same(const Frame *a, const Frame *b) {
        return memcmp(&a->epoch, &b->epoch, sizeof(Frame) - offsetof(Frame, epoch)) == 0;
}

/* Compares, and with @repair mends, the frame that should be a twin of the good one. That a trailer has no
 * magic yet is how a death in the middle of an append looks: no damage. */
static void frame_check(Frame *twin, uint64_t magic, const Frame *good, bool repair, LedgerDamage *damage) {
        bool same = frame_is_same(twin, good);

        if (same && twin->magic == magic)
                return;
        if (!same || twin->magic != 0 || magic == LEAD_MAGIC)
                damage->n_frames++;
        if (!repair)
                return;

        publish(&twin->magic, 0);
        frame_write(twin, good);
        publish(&twin->magic, magic);
}

static void damage_add_gap(LedgerDamage *damage) {
        damage->n_records++;
        damage->gap = true;
}

/* Delivers the record at @start and moves on behind it. */
static int half_take(Half *half,
                     size_t start,
                     const Frame *good,
                     bool repair,
                     ledger_record_fn fn,
                     void *userdata,
                     LedgerDamage *damage) {
        size_t record_size = ledger_record_size(good->size);
        Frame *lead = half_frame(half, start),
              *trail = half_frame(half, start + record_size - sizeof(Frame));
        const char *payload = (const char *) (lead + 1);
        bool whole = crc32c(0, payload, good->size) == good->payload_crc;

        frame_check(lead, LEAD_MAGIC, good, repair, damage);
        frame_check(trail, TRAIL_MAGIC, good, repair, damage);
        if (good->sequence > half->sequence)
                damage_add_gap(damage);
        if (!whole)
                damage->n_records++;

        half->tail = start + record_size;
        half->sequence = good->sequence + 1;
        return fn((RecordType) good->type, good->sid, whole ? payload : NULL, whole ? good->size : 0,
                  userdata);
}

static int half_read(Half *half, bool repair, ledger_record_fn fn, void *userdata, LedgerDamage *damage) {
        uint64_t count = half_count(half);
        const Frame *frame;
        size_t start;
        int r;

        while (half_find(half, &start, &frame)) {
                r = half_take(half, start, frame, repair, fn, userdata, damage);
                if (r < 0)
                        return r;
        }

        if (count > half->sequence) {
                damage_add_gap(damage);
                if (count < SEQUENCE_END)
                        half->sequence = count; /* keeps the gap on record */
        }
        return 0;
}

static void half_check_heads(const Half *half, bool repair, LedgerDamage *damage) {
        for (unsigned copy = 0; copy < 2; copy++) {
                const Head *head = half_head(half, copy);

                if (head_is_valid(head, half->size) && head->epoch == half->epoch)
                        continue;
                if (!copy || head->magic != 0) /* otherwise: a death in the middle of a commit */
                        damage->n_frames++;
                if (repair)
                        half_write_head(half, copy);
        }
}

/* Zeros behind the last record. Pages that are zero already are not written to. */
static void half_clear_tail(const Half *half) {
        for (size_t offset = half->tail; offset < half_end(half); offset += 8) {
                uint64_t *word = (uint64_t *) (half->base + offset);

                if (*word != 0)
                        *word = 0;
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool memory_is_newer(uint8_t *memory, size_t size) {
        for (unsigned i = 0; i < 2; i++) {
                Half half = half_at(memory, size / 2, i, /* epoch= */ 0);

                if (head_is_newer(half_head(&half, false)) || head_is_newer(half_head(&half, true)))
                        return true;
        }
        return false;
}

/* The two halves, the one in force first; base is NULL where no head is valid. */
static bool memory_find_halves(uint8_t *memory, size_t half_size, Half *ret_force, Half *ret_other) {
        Half halves[2];
        unsigned best = 0;

        for (unsigned i = 0; i < 2; i++) {
                const Head *head;

                halves[i] = half_at(memory, half_size, i, /* epoch= */ 0);
                head = half_valid_head(&halves[i]);
                if (head)
                        halves[i].epoch = head->epoch;
                else
                        halves[i].base = NULL;
        }

        if (!halves[0].base || (halves[1].base && halves[1].epoch > halves[0].epoch))
                best = 1;
        *ret_force = halves[best];
        *ret_other = halves[!best];
        return ret_force->base != NULL;
}

/* The half in force was superseded by one that has no valid head any more. If there are records in that, it
 * is the one that counts: it was complete, and an older half would bring back what was true long ago. */
static Half half_successor(const Half *force, uint8_t *memory, LedgerDamage *damage) {
        Half next = half_at(memory, force->size, force->base == memory ? 1 : 0, force->epoch + 1);
        const Frame *frame;
        size_t start;

        if (half_find(&next, &start, &frame))
                return next;

        damage_add_gap(damage);
        return *force;
}

static void half_repair(const Half *half, const Half *other) {
        half_clear_tail(half);
        if (half_count(half) != half->sequence)
                half_write_count(half);
        if (other->base && other->epoch < half->epoch && !half_is_superseded(other))
                half_set_superseded(other); /* a death in the middle of a commit */
}

static int ledger_allocate(void *memory, size_t size, bool writable, Ledger **ret) {
        Ledger *ledger;

        ledger = malloc(sizeof(*ledger));
        if (!ledger)
                return -ENOMEM;
        *ledger = (Ledger) {
                .memory = memory,
                .half_size = size / 2,
                .writable = writable,
        };

        *ret = ledger;
        return 0;
}

static bool size_is_valid(size_t size) {
        return size >= SIZE_MIN && size % SIZE_STEP == 0 && size / 2 <= UINT32_MAX;
}

int ledger_new(void *memory, size_t size, Ledger **ret) {
        int r;

        assert(size_is_valid(size));
        assert((uintptr_t) memory % 8 == 0);

        r = ledger_allocate(memory, size, /* writable= */ true, ret);
        if (r < 0)
                return r;

        for (unsigned i = 0; i < 2; i++) {
                Half half = half_at(memory, size / 2, i, /* epoch= */ 0);

                half_wipe(&half);
        }
        return 0;
}

int ledger_open(void *memory,
                size_t size,
                bool repair,
                ledger_record_fn fn,
                void *userdata,
                LedgerDamage *ret_damage,
                Ledger **ret) {
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        LedgerDamage damage = {};
        Half force, other;
        int r;

        assert((uintptr_t) memory % 8 == 0);

        if (!size_is_valid(size))
                return -ENODATA;
        if (memory_is_newer(memory, size))
                return -EPROTONOSUPPORT;
        if (!memory_find_halves(memory, size / 2, &force, &other))
                return -ENODATA;
        if (half_is_superseded(&force))
                force = half_successor(&force, memory, &damage);

        r = ledger_allocate(memory, size, repair, &ledger);
        if (r < 0)
                return r;

        r = half_read(&force, repair, fn, userdata, &damage);
        if (r < 0)
                return r;
        half_check_heads(&force, repair, &damage);
        if (repair)
                half_repair(&force, &other);

        ledger->force = force;
        if (ret_damage)
                *ret_damage = damage;
        if (ret)
                *ret = TAKE_PTR(ledger);
        return 0;
}

Ledger *ledger_free(Ledger *ledger) {
        free(ledger);
        return NULL;
}
