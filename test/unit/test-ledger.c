/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "crc32c.h"
#include "ledger.h"
#include "macro.h"
#include "step.h"

/* The layout is written down here a second time, on purpose: within a version it must not change. */
#define HEAD 64U
#define HEAD_CRC 8U
#define HEAD_VERSION 12U
#define HEAD_EPOCH 16U
#define HEAD_COUNT 48U
#define HEAD_SUPERSEDED 56U
#define FRAME 48U
#define FRAME_SEQUENCE 16U
#define FRAME_SIZE 32U
#define FRAME_TYPE 36U
#define FRAME_CRC 44U

#define SMALL 8192U
#define RECORDS_MAX 512U

typedef struct Record {
        RecordType type;
        uint64_t sid;
        char *payload; /* NULL: damaged */
        size_t size;
        size_t start, end; /* in memory, where this is known */
} Record;

typedef struct Log {
        Record records[RECORDS_MAX];
        size_t n;
} Log;

typedef struct Fixture {
        uint8_t *memory; /* heap, exactly @size: a sanitizer sees every step beyond */
        size_t size;
        bool shared; /* @memory is a shared mapping instead */
        Ledger *ledger;
        Log log;   /* what is in it */
        Log seen;  /* what was read */
        Log again; /* and the second time */
        LedgerDamage damage;
        uint64_t random;
} Fixture;

static uint64_t next_random(Fixture *f) {
        f->random ^= f->random << 13;
        f->random ^= f->random >> 7;
        f->random ^= f->random << 17;
        return f->random;
}

static void fill_random(Fixture *f, uint8_t *p, size_t size) {
        for (size_t i = 0; i < size; i++)
                p[i] = (uint8_t) (next_random(f) >> 32);
}

static void log_clear(Log *log) {
        for (size_t i = 0; i < log->n; i++)
                free(log->records[i].payload);
        log->n = 0;
}

static Record *log_add(Log *log, RecordType type, uint64_t sid, const char *payload, size_t size) {
        Record *r = &log->records[log->n++];

        assert_true(log->n <= RECORDS_MAX);
        *r = (Record) { .type = type, .sid = sid, .size = size };
        if (!payload)
                return r;

        r->payload = malloc(size + 1);
        assert_non_null(r->payload);
        if (size > 0)
                memcpy(r->payload, payload, size);
        r->payload[size] = 0;
        return r;
}

static int collect(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        (void) log_add(userdata, type, sid, payload, size);
        return 0;
}

static bool record_equal(const Record *a, const Record *b) {
        return a->type == b->type && a->sid == b->sid && !a->payload == !b->payload && a->size == b->size &&
               (!a->payload || memcmp(a->payload, b->payload, a->size) == 0);
}

static bool log_equal(const Log *a, const Log *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!record_equal(&a->records[i], &b->records[i]))
                        return false;
        return true;
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        f->random = 0x9e3779b97f4a7c15ULL;
        *state = f;
        return 0;
}

static void drop(Fixture *f) {
        f->ledger = ledger_free(f->ledger);
        if (f->shared)
                (void) step_memory_free(f->memory, f->size);
        else
                free(f->memory);
        f->memory = NULL;
        f->shared = false;
        log_clear(&f->log);
        log_clear(&f->seen);
        log_clear(&f->again);
}

static int teardown(void **state) {
        drop(*state);
        free(*state);
        return 0;
}

static void make(Fixture *f, size_t size) {
        drop(f);
        f->size = size;
        f->memory = malloc(size);
        assert_non_null(f->memory);
        fill_random(f, f->memory, size);
        assert_int_equal(ledger_new(f->memory, size, &f->ledger), 0);
}

static int read_memory(Fixture *f, uint8_t *memory, bool repair) {
        log_clear(&f->seen);
        f->damage = (LedgerDamage) { 77, 77, true };
        return ledger_open(memory, f->size, repair, collect, &f->seen, &f->damage, NULL);
}

static bool is_undamaged(const LedgerDamage *damage) {
        return damage->n_records == 0 && damage->n_frames == 0 && !damage->gap;
}

/* Opens as luod does after a restart; what was read is in f->seen. */
static int reopen(Fixture *f) {
        f->ledger = ledger_free(f->ledger);
        log_clear(&f->seen);
        return ledger_open(f->memory, f->size, /* repair= */ true, collect, &f->seen, &f->damage,
                           &f->ledger);
}

/* Appends to the ledger and to the log. The half in force is given by @half. */
static void put(Fixture *f, unsigned half, RecordType type, uint64_t sid, const char *payload) {
        size_t size = strlen(payload), end;
        Record *r;

        end = (half + 1) * f->size / 2 - HEAD - ledger_room(f->ledger);
        assert_int_equal(ledger_append(f->ledger, type, sid, payload, size), 0);
        r = log_add(&f->log, type, sid, payload, size);
        r->start = end;
        r->end = end + ledger_record_size(size);
}

static void compact_to_log(Fixture *f) {
        ledger_compact_begin(f->ledger);
        for (size_t i = 0; i < f->log.n; i++) {
                const Record *r = &f->log.records[i];

                assert_int_equal(ledger_compact_append(f->ledger, r->type, r->sid, r->payload, r->size), 0);
        }
        ledger_compact_commit(f->ledger);
}

/* As it is after some days: older half with what was true before, newer half 1 in force. */
static void make_realistic(Fixture *f, size_t size, size_t n_records) {
        char text[256];

        make(f, size);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        for (unsigned i = 0; i < n_records; i++)
                assert_int_equal(ledger_append(f->ledger, RECORD_SESSION, 900 + i, "{\"name\":\"old\"}", 14),
                                 0);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);

        put(f, 1, RECORD_HEAD, 0, "{\"generation\":3,\"boot\":\"4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1\"}");
        put(f, 1, RECORD_END, 1, "");
        for (unsigned i = 2; i < n_records; i++) {
                (void) snprintf(text, sizeof(text),
                                "{\"part\":\"luod-a-%u\",\"token\":%u,\"label\":\"%.*s\"}", i, i * 7,
                                (int) (i % 13), "abcdefghijklm");
                put(f, 1, (RecordType) (RECORD_SESSION + i % 5), i, text);
        }
        put(f, 1, (RecordType) 4711, UINT64_MAX, "of a newer luod");
}

/* Basics */

static void test_records_come_back_in_order_and_exactly(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 12);
        assert_int_equal(read_memory(f, f->memory, /* repair= */ false), 0);
        assert_true(log_equal(&f->seen, &f->log));
        assert_true(is_undamaged(&f->damage));
}

static void test_new_ledger_is_invisible_until_first_commit(void **state) {
        Fixture *f = *state;

        make(f, SMALL);
        assert_int_equal(read_memory(f, f->memory, false), -ENODATA);
        assert_int_equal(ledger_append(f->ledger, RECORD_HEAD, 0, "x", 1), -ENOSPC);
        assert_int_equal(ledger_room(f->ledger), 0);
        ledger_compact_begin(f->ledger);
        assert_int_equal(ledger_compact_append(f->ledger, RECORD_HEAD, 0, "x", 1), 0);
        assert_int_equal(read_memory(f, f->memory, false), -ENODATA);
        ledger_compact_commit(f->ledger);
        assert_int_equal(read_memory(f, f->memory, false), 0);
        assert_int_equal(f->seen.n, 1);
}

static void test_new_ledger_hides_the_one_that_was_there(void **state) {
        Fixture *f = *state;
        Ledger *fresh = NULL;

        make_realistic(f, SMALL, 12);
        assert_int_equal(ledger_new(f->memory, f->size, &fresh), 0);
        fresh = ledger_free(fresh);
        assert_int_equal(read_memory(f, f->memory, false), -ENODATA);
}

static void test_ledger_without_records_opens_and_takes_some(void **state) {
        Fixture *f = *state;

        make(f, SMALL);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        assert_int_equal(reopen(f), 0);
        assert_int_equal(f->seen.n, 0);
        assert_true(is_undamaged(&f->damage));
        assert_int_equal(ledger_room(f->ledger), ledger_capacity(f->ledger));
        put(f, 0, RECORD_HEAD, 0, "{}");
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

static void test_appends_go_on_after_each_reopening(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 4);
        for (unsigned i = 0; i < 15; i++) {
                assert_int_equal(reopen(f), 0);
                assert_true(is_undamaged(&f->damage));
                assert_true(log_equal(&f->seen, &f->log));
                put(f, 1, RECORD_META, i, "{\"key\":\"k\"}");
        }
}

static int refuse_third(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        return ++*(unsigned *) userdata == 3 ? -ECANCELED : 0;
}

static void test_callback_stops_the_reading(void **state) {
        Fixture *f = *state;
        Ledger *untouched = (Ledger *) f;
        unsigned n = 0;

        make_realistic(f, SMALL, 12);
        assert_int_equal(ledger_open(f->memory, f->size, true, refuse_third, &n, NULL, &untouched),
                         -ECANCELED);
        assert_int_equal(n, 3);
        assert_ptr_equal(untouched, f);
}

static void test_reading_works_on_read_only_memory_even_if_damaged(void **state) {
        Fixture *f = *state;
        uint8_t *memory;

        make_realistic(f, SMALL, 12);
        memory = step_memory_new(f->size);
        memcpy(memory, f->memory, f->size);
        memory[f->log.records[3].start] ^= 0xff;
        memory[f->log.records[5].end - 1] ^= 0xff;
        memory[f->size / 2] ^= 0xff;
        assert_int_equal(mprotect(memory, f->size, PROT_READ), 0);
        assert_int_equal(read_memory(f, memory, /* repair= */ false), 0);
        assert_true(log_equal(&f->seen, &f->log));
        assert_int_equal(f->damage.n_frames, 3);
        (void) step_memory_free(memory, f->size);
}

static void test_sizes_that_no_ledger_has_are_no_data(void **state) {
        static const size_t sizes[] = { 0, 1, 64, 4096, 8191, 8192 - 128, 8192 + 1, 8192 + 64, 16384 - 8 };
        Fixture *f = *state;

        make_realistic(f, 16384, 12);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
                assert_int_equal(ledger_open(f->memory, sizes[i], true, collect, &f->seen, NULL, NULL),
                                 -ENODATA);
        for (size_t size = 8192; size < 16384; size += 128) /* cut off: the sizes do not agree */
                assert_int_equal(ledger_open(f->memory, size, true, collect, &f->seen, NULL, NULL),
                                 -ENODATA);
        assert_int_equal(f->seen.n, 0);
}

static void test_payloads_of_all_lengths_and_bytes_survive(void **state) {
        Fixture *f = *state;
        uint8_t payload[300];

        make(f, 262144);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        for (size_t size = 0; size < sizeof(payload); size++) {
                fill_random(f, payload, size);
                assert_int_equal(ledger_append(f->ledger, RECORD_META, size, (char *) payload, size), 0);
                (void) log_add(&f->log, RECORD_META, size, (char *) payload, size);
        }
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

static void test_frames_inside_a_payload_are_payload(void **state) {
        Fixture *f = *state;
        Record *r;
        char image[1024];

        make_realistic(f, SMALL, 8);
        memcpy(image, f->memory + f->log.records[2].start,
               sizeof(image)); /* same epoch, but for the number */
        assert_int_equal(ledger_append(f->ledger, RECORD_META, 5, image, sizeof(image)), 0);
        r = log_add(&f->log, RECORD_META, 5, image, sizeof(image));
        assert_non_null(r);
        put(f, 1, RECORD_META, 6, "{}");
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

static bool has_control_byte(const uint8_t *magic) {
        for (unsigned i = 0; i < 8; i++)
                if (magic[i] < 0x20)
                        return true;
        return false;
}

static void test_no_json_can_contain_a_magic(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 8);
        assert_true(has_control_byte(f->memory));
        assert_true(has_control_byte(f->memory + f->log.records[0].start));
        assert_true(has_control_byte(f->memory + f->log.records[0].end - FRAME));
}

/* Full */

static void test_full_half_refuses_and_changes_nothing(void **state) {
        Fixture *f = *state;
        uint8_t *before;
        char payload[2048] = "";

        make_realistic(f, SMALL, 8);
        while (ledger_room(f->ledger) > sizeof(payload))
                put(f, 1, RECORD_META, 1, "{\"key\":\"k\",\"value\":\"00\"}");

        before = malloc(f->size);
        assert_non_null(before);
        memcpy(before, f->memory, f->size);
        for (size_t more = 1; more < 100; more++)
                assert_int_equal(ledger_append(f->ledger, RECORD_META, 1, payload,
                                               ledger_room(f->ledger) - 2 * FRAME + more),
                                 -ENOSPC);
        assert_memory_equal(before, f->memory, f->size);
        free(before);

        /* to the last byte */
        memset(payload, 'x', sizeof(payload));
        payload[ledger_room(f->ledger) - 2 * FRAME] = 0;
        put(f, 1, RECORD_META, 2, payload);
        assert_int_equal(ledger_room(f->ledger), 0);
        assert_int_equal(ledger_append(f->ledger, RECORD_META, 3, NULL, 0), -ENOSPC);
        assert_int_equal(reopen(f), 0);
        assert_true(is_undamaged(&f->damage));
        assert_true(log_equal(&f->seen, &f->log));
        assert_int_equal(ledger_append(f->ledger, RECORD_META, 3, NULL, 0), -ENOSPC);
}

static void test_record_beyond_an_empty_half_is_too_big(void **state) {
        static const size_t beyond[] = { 1, 8, 4096, UINT32_MAX, SIZE_MAX / 2 };
        Fixture *f = *state;
        size_t fits;
        char *payload;

        make_realistic(f, SMALL, 8);
        fits = ledger_capacity(f->ledger) - 2 * FRAME;
        payload = calloc(1, fits);
        assert_non_null(payload);
        for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
                assert_int_equal(ledger_append(f->ledger, RECORD_META, 1, payload, fits + beyond[i]),
                                 -E2BIG);
        assert_int_equal(ledger_append(f->ledger, RECORD_META, 1, payload, SIZE_MAX), -E2BIG);
        assert_int_equal(ledger_append(f->ledger, RECORD_META, 1, payload, fits), -ENOSPC);
        ledger_compact_begin(f->ledger);
        assert_int_equal(ledger_compact_append(f->ledger, RECORD_META, 1, payload, fits + 1), -E2BIG);
        assert_int_equal(ledger_compact_append(f->ledger, RECORD_META, 1, payload, fits), 0);
        assert_int_equal(ledger_compact_append(f->ledger, RECORD_META, 1, payload, 0), -ENOSPC);
        ledger_compact_commit(f->ledger);
        free(payload);
        assert_int_equal(reopen(f), 0);
        assert_int_equal(f->seen.n, 1);
}

#define LIVE 32U

static void compact_live(Fixture *f, char live[LIVE][64]) {
        ledger_compact_begin(f->ledger);
        for (unsigned i = 0; i < LIVE; i++)
                assert_int_equal(ledger_compact_append(f->ledger, RECORD_FILE, i, live[i], strlen(live[i])),
                                 0);
        ledger_compact_commit(f->ledger);
}

static int take_live(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        char(*live)[64] = userdata;

        assert_int_equal(type, RECORD_FILE);
        assert_true(sid < LIVE && size < 64);
        assert_non_null(payload);
        memset(live[sid], 0, sizeof(live[sid]));
        memcpy(live[sid], payload, size);
        return 0;
}

static void test_hundred_thousand_appends_with_compactions(void **state) {
        Fixture *f = *state;
        char live[LIVE][64] = {}, read[LIVE][64];
        unsigned n_compactions = 0;

        make(f, 65536);
        compact_live(f, live);
        for (unsigned i = 0; i < 100000; i++) {
                unsigned sid = (unsigned) next_random(f) % LIVE;
                int r;

                memset(live[sid], 0, sizeof(live[sid]));
                (void) snprintf(live[sid], 64, "{\"n\":%u%.*s}", i, (int) (i % 30),
                                "                              ");
                r = ledger_append(f->ledger, RECORD_FILE, sid, live[sid], strlen(live[sid]));
                if (r == -ENOSPC) {
                        compact_live(f, live);
                        n_compactions++;
                } else
                        assert_int_equal(r, 0);
                if (i % 997 != 0)
                        continue;
                memset(read, 0, sizeof(read));
                f->ledger = ledger_free(f->ledger);
                assert_int_equal(
                        ledger_open(f->memory, f->size, true, take_live, read, &f->damage, &f->ledger), 0);
                assert_memory_equal(read, live, sizeof(live));
                assert_true(is_undamaged(&f->damage));
        }
        assert_true(n_compactions > 300);
}

/* Damage */

static void assert_goes_on_after_repair(Fixture *f, uint8_t *memory) {
        Ledger *ledger = NULL;
        LedgerDamage damage, damage_again;
        bool room;

        log_clear(&f->seen);
        assert_int_equal(ledger_open(memory, f->size, true, collect, &f->seen, &damage, &ledger), 0);
        room = ledger_room(ledger) >= ledger_record_size(5);
        assert_int_equal(ledger_append(ledger, RECORD_META, 99, "after", 5), room ? 0 : -ENOSPC);
        if (room)
                (void) log_add(&f->seen, RECORD_META, 99, "after", 5);
        ledger = ledger_free(ledger);

        log_clear(&f->again);
        assert_int_equal(ledger_open(memory, f->size, false, collect, &f->again, &damage_again, NULL), 0);
        assert_true(log_equal(&f->again, &f->seen));
        assert_int_equal(damage_again.n_frames, 0);
        assert_int_equal(damage_again.gap, damage.gap);
        if (!damage.gap) /* two gaps, at the end and in the sequence, can become one */
                assert_int_equal(damage_again.n_records, damage.n_records);
}

static const Record *record_at(const Log *log, size_t offset) {
        for (size_t i = 0; i < log->n; i++)
                if (offset >= log->records[i].start && offset < log->records[i].end)
                        return &log->records[i];
        return NULL;
}

/* Everything but the payload in which the byte lies is as it was. */
static void assert_byte_costs_one_payload(Fixture *f, size_t offset) {
        const Record *hit = record_at(&f->log, offset);
        bool payload = hit && offset >= hit->start + FRAME && offset < hit->start + FRAME + hit->size;
        bool frame = hit && (offset < hit->start + FRAME || offset >= hit->end - FRAME);

        assert_int_equal(f->seen.n, f->log.n);
        for (size_t i = 0; i < f->log.n; i++) {
                const Record *is = &f->seen.records[i], *was = &f->log.records[i];

                if (was != hit || !payload) {
                        assert_true(record_equal(is, was));
                        continue;
                }
                assert_null(is->payload);
                assert_int_equal(is->type, was->type);
                assert_int_equal(is->sid, was->sid);
        }
        assert_false(f->damage.gap);
        assert_int_equal(f->damage.n_records, payload);
        if (hit)
                assert_int_equal(f->damage.n_frames, frame);
}

static void test_any_one_damaged_byte_costs_at_most_its_record(void **state) {
        Fixture *f = *state;
        uint8_t *memory;
        unsigned n = 0;

        make_realistic(f, SMALL, 12);
        memory = malloc(f->size);
        assert_non_null(memory);
        for (size_t offset = 0; offset < f->size; offset++) {
                uint8_t was = f->memory[offset], patterns[] = { was ^ 0xff, was ^ 0x01, 0 };

                for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
                        if (patterns[i] == was)
                                continue;
                        memcpy(memory, f->memory, f->size);
                        memory[offset] = patterns[i];
                        assert_int_equal(read_memory(f, memory, false), 0);
                        assert_byte_costs_one_payload(f, offset);
                        assert_goes_on_after_repair(f, memory);
                        n++;
                }
        }
        assert_true(n > 2 * SMALL);
        free(memory);
}

static bool overlaps(const Record *r, size_t start, size_t size) {
        return r->start < start + size && start < r->end;
}

/* What was read is a part of what was written, in order; what the run did not touch is whole, and what is
 * missing is said to be. */
static void assert_run_costs_what_it_touched(Fixture *f, size_t start, size_t size) {
        size_t k = 0, n_missing = 0;

        for (size_t i = 0; i < f->log.n; i++) {
                const Record *was = &f->log.records[i], *is = k < f->seen.n ? &f->seen.records[k] : NULL;

                if (is && record_equal(is, was)) {
                        k++;
                        continue;
                }
                assert_true(overlaps(was, start, size));
                if (is && !is->payload && is->sid == was->sid && is->type == was->type)
                        k++;
                else
                        n_missing++;
        }
        assert_int_equal(k, f->seen.n);
        assert_int_equal(f->damage.gap, n_missing > 0);
        if (n_missing > 0)
                assert_true(f->damage.n_records > 0);
}

static void damage_run(Fixture *f, uint8_t *p, size_t size, unsigned kind) {
        if (kind == 2)
                fill_random(f, p, size);
        else
                memset(p, kind == 0 ? 0 : 0xff, size);
}

static void test_runs_of_damage_cost_what_they_touch_and_are_reported(void **state) {
        static const struct {
                size_t size, step;
        } runs[] = { { 8, 40 }, { 64, 136 }, { 512, 248 }, { 4096, 264 } };
        Fixture *f = *state;
        uint8_t *memory;

        make_realistic(f, 32768, 60);
        memory = malloc(f->size);
        assert_non_null(memory);
        for (unsigned i = 0; i < ARRAY_SIZE(runs); i++)
                for (size_t start = 0; start + runs[i].size <= f->size; start += runs[i].step)
                        for (unsigned kind = 0; kind < 3; kind++) {
                                memcpy(memory, f->memory, f->size);
                                damage_run(f, memory + start, runs[i].size, kind);
                                assert_int_equal(read_memory(f, memory, false), 0);
                                assert_run_costs_what_it_touched(f, start, runs[i].size);
                                assert_goes_on_after_repair(f, memory);
                        }
        free(memory);
}

static void test_lost_end_of_the_log_is_reported_until_compaction(void **state) {
        Fixture *f = *state;
        const Record *last;

        make_realistic(f, SMALL, 12);
        last = &f->log.records[f->log.n - 1];
        memset(f->memory + last->start, 0, last->end - last->start);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(reopen(f), 0);
                assert_true(f->damage.gap);
                assert_int_equal(f->damage.n_records, 1);
                assert_int_equal(f->seen.n, f->log.n - 1 + i);
                assert_int_equal(ledger_append(f->ledger, RECORD_META, i, "{}", 2), 0);
        }
        compact_to_log(f);
        assert_int_equal(reopen(f), 0);
        assert_true(is_undamaged(&f->damage));
        assert_true(log_equal(&f->seen, &f->log));
}

static void test_garbage_is_no_ledger(void **state) {
        Fixture *f = *state;

        make(f, SMALL);
        memset(f->memory, 0, f->size);
        assert_int_equal(reopen(f), -ENODATA);
        memset(f->memory, 0xff, f->size);
        assert_int_equal(reopen(f), -ENODATA);
        for (unsigned i = 0; i < 50; i++) {
                fill_random(f, f->memory, f->size);
                assert_int_equal(reopen(f), -ENODATA);
        }
}

static void test_garbage_between_good_heads_is_an_empty_ledger_with_a_gap(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 12);
        for (unsigned i = 0; i < 50; i++) {
                fill_random(f, f->memory + f->size / 2 + HEAD, f->size / 2 - 2 * HEAD);
                assert_int_equal(read_memory(f, f->memory, false), 0);
                assert_int_equal(f->seen.n, 0);
                assert_true(f->damage.gap);
        }
        assert_goes_on_after_repair(f, f->memory);
}

static void fix_frame(uint8_t *frame) {
        uint32_t crc = crc32c(0, frame + 8, FRAME_CRC - 8);

        memcpy(frame + FRAME_CRC, &crc, sizeof(crc));
}

static void fix_head(uint8_t *head) {
        uint32_t crc = crc32c(0, head + HEAD_VERSION, HEAD_COUNT - HEAD_VERSION);

        memcpy(head + HEAD_CRC, &crc, sizeof(crc));
}

static void test_hostile_lengths_cost_no_other_record(void **state) {
        static const uint32_t sizes[] = { 0,          1,          7,          8,
                                          100,        2000,       3968,       4096,
                                          8192,       0x7fffffff, 0x80000000, 0xffffff00,
                                          0xffffff98, 0xffffffa0, 0xfffffff8, 0xffffffff };
        Fixture *f = *state;
        uint8_t *memory;

        make_realistic(f, SMALL, 12);
        memory = malloc(f->size);
        assert_non_null(memory);
        for (size_t i = 0; i < f->log.n; i++)
                for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++)
                        for (unsigned which = 1; which < 4; which++) {
                                const Record *r = &f->log.records[i];

                                memcpy(memory, f->memory, f->size);
                                for (unsigned trailer = 0; trailer < 2; trailer++) {
                                        uint8_t *frame = memory + (trailer ? r->end - FRAME : r->start);

                                        if (!(which & 1U << trailer))
                                                continue;
                                        memcpy(frame + FRAME_SIZE, &sizes[k], 4);
                                        fix_frame(frame);
                                }
                                assert_int_equal(read_memory(f, memory, false), 0);
                                for (size_t j = 0; j < i && j < f->seen.n; j++)
                                        assert_true(record_equal(&f->seen.records[j], &f->log.records[j]));
                                assert_true(f->seen.n >= i);
                                assert_goes_on_after_repair(f, memory);
                        }
        free(memory);
}

static void test_hostile_frames_with_good_checksums_never_break_the_reader(void **state) {
        Fixture *f = *state;
        uint8_t *memory;

        make_realistic(f, SMALL, 12);
        memory = malloc(f->size);
        assert_non_null(memory);
        for (unsigned i = 0; i < 2000; i++) {
                memcpy(memory, f->memory, f->size);
                for (unsigned k = 0; k < 4; k++) {
                        const Record *r = &f->log.records[next_random(f) % f->log.n];
                        uint8_t *frame = memory + (next_random(f) & 1 ? r->end - FRAME : r->start);
                        size_t to = f->size / 2 + HEAD +
                                    next_random(f) % (f->size / 2 - 2 * HEAD - FRAME) / 8 * 8;
                        uint64_t value = next_random(f) >> next_random(f) % 64;

                        memcpy(frame + 8 + next_random(f) % 4 * 8, &value, next_random(f) & 1 ? 4 : 8);
                        fix_frame(frame);
                        memmove(memory + to, frame, FRAME);
                }
                assert_int_equal(read_memory(f, memory, false), 0);
                assert_goes_on_after_repair(f, memory);
        }
        free(memory);
}

/* Overwrites the last record's @offset with @value, checksums put right: it is gone, and the log goes on. */
static void assert_last_is_refused(Fixture *f, size_t offset, const void *value, size_t size) {
        const Record *last;

        make_realistic(f, SMALL, 12);
        last = &f->log.records[f->log.n - 1];
        for (unsigned trailer = 0; trailer < 2; trailer++) {
                uint8_t *frame = f->memory + (trailer ? last->end - FRAME : last->start);

                memcpy(frame + offset, value, size);
                fix_frame(frame);
        }
        assert_int_equal(read_memory(f, f->memory, false), 0);
        assert_int_equal(f->seen.n, f->log.n - 1);
        assert_true(f->damage.gap);
        assert_goes_on_after_repair(f, f->memory);
}

static void test_hostile_type_or_number_is_no_record(void **state) {
        static const uint64_t numbers[] = { UINT64_MAX, UINT64_MAX - 1, 1ULL << 63, 0 };
        static const uint32_t types[] = { 65536, UINT32_MAX, 1U << 31 };

        for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
                assert_last_is_refused(*state, FRAME_SEQUENCE, &numbers[i], 8);
        for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
                assert_last_is_refused(*state, FRAME_TYPE, &types[i], 4);
}

static void test_hostile_count_is_not_gone_on_from(void **state) {
        Fixture *f = *state;
        uint64_t count = UINT64_MAX;

        make_realistic(f, SMALL, 12);
        memcpy(f->memory + f->size / 2 + HEAD_COUNT, &count, 8);
        memcpy(f->memory + f->size - HEAD + HEAD_COUNT, &count, 8);
        assert_int_equal(read_memory(f, f->memory, false), 0);
        assert_true(f->damage.gap);
        assert_int_equal(reopen(f), 0);
        put(f, 1, RECORD_META, 5, "{}");
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

static void test_stale_bytes_behind_the_tail_are_never_records(void **state) {
        Fixture *f = *state;
        size_t tail;

        make_realistic(f, SMALL, 12);
        tail = f->log.records[f->log.n - 1].end;
        for (size_t from = f->log.records[0].start; from < f->log.records[3].start; from += 8) {
                memcpy(f->memory + tail, f->memory + from, 1024);
                assert_int_equal(read_memory(f, f->memory, false), 0);
                assert_true(log_equal(&f->seen, &f->log));
                assert_false(f->damage.gap);
        }
        assert_int_equal(reopen(f), 0);
        for (size_t i = tail; i < f->size - HEAD; i++)
                assert_int_equal(f->memory[i], 0);
        put(f, 1, RECORD_META, 5, "{}");
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

static void test_records_of_an_earlier_epoch_behind_the_tail_are_never_records(void **state) {
        Fixture *f = *state;
        size_t tail;

        make_realistic(f, SMALL, 20); /* the older half has 20 */
        log_clear(&f->log);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        put(f, 0, RECORD_HEAD, 0, "{}");
        put(f, 0, RECORD_META, 1, "{}");
        tail = f->log.records[f->log.n - 1].end;
        for (size_t from = f->size / 2 + HEAD; from < f->size - 1024;
             from += 8) { /* also those that come in order */
                memcpy(f->memory + tail, f->memory + from, 1024);
                assert_int_equal(read_memory(f, f->memory, false), 0);
                assert_true(log_equal(&f->seen, &f->log));
                assert_false(f->damage.gap);
        }
        assert_int_equal(reopen(f), 0);
        put(f, 0, RECORD_META, 5, "{}");
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

/* Heads */

static void test_one_of_two_heads_lost_is_mended(void **state) {
        Fixture *f = *state;
        size_t heads[2];

        make_realistic(f, SMALL, 12);
        heads[0] = f->size / 2;
        heads[1] = f->size - HEAD;
        for (unsigned i = 0; i < 2; i++)
                for (unsigned kind = 0; kind < 3; kind++) {
                        damage_run(f, f->memory + heads[i], HEAD, kind);
                        assert_int_equal(reopen(f), 0);
                        assert_true(log_equal(&f->seen, &f->log));
                        assert_int_equal(f->damage.n_records, 0);
                        assert_int_equal(f->damage.n_frames, i == 0 || kind != 0);
                        assert_int_equal(read_memory(f, f->memory, false), 0);
                        assert_true(is_undamaged(&f->damage));
                }
}

static void test_both_heads_lost_are_rebuilt_from_what_the_older_half_knows(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 12);
        for (unsigned kind = 0; kind < 3; kind++) {
                damage_run(f, f->memory + f->size / 2, HEAD, kind);
                damage_run(f, f->memory + f->size - HEAD, HEAD, kind);
                assert_int_equal(read_memory(f, f->memory, false), 0);
                assert_true(log_equal(&f->seen, &f->log));
                assert_int_equal(reopen(f), 0);
                assert_true(log_equal(&f->seen, &f->log));
                assert_int_equal(f->damage.n_records, 0);
                assert_int_equal(read_memory(f, f->memory, false), 0);
                assert_true(is_undamaged(&f->damage));
        }
}

static void test_death_before_the_older_half_was_marked_is_made_up_for(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 12);
        memset(f->memory + HEAD_SUPERSEDED, 0, 8);
        memset(f->memory + f->size / 2 - HEAD + HEAD_SUPERSEDED, 0, 8);
        assert_int_equal(reopen(f), 0);
        assert_true(is_undamaged(&f->damage));
        damage_run(f, f->memory + f->size / 2, HEAD, 1);
        damage_run(f, f->memory + f->size - HEAD, HEAD, 1);
        assert_int_equal(read_memory(f, f->memory, false), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

static void test_half_lost_altogether_falls_back_to_the_older_one_with_a_gap(void **state) {
        Fixture *f = *state;

        for (unsigned kind = 0; kind < 3; kind++) {
                make_realistic(f, SMALL, 12);
                damage_run(f, f->memory + f->size / 2, f->size / 2, kind);
                for (unsigned i = 0; i < 3; i++) {
                        assert_int_equal(reopen(f), 0);
                        assert_int_equal(f->seen.n, 12 + i);
                        assert_int_equal(f->seen.records[0].sid, 900);
                        assert_true(f->damage.gap);
                        assert_int_equal(ledger_append(f->ledger, RECORD_META, 1, "{}", 2), 0);
                }
                compact_to_log(f);
                assert_int_equal(reopen(f), 0);
                assert_true(is_undamaged(&f->damage));
                assert_true(log_equal(&f->seen, &f->log));
        }
}

static void test_older_half_lost_altogether_costs_nothing(void **state) {
        Fixture *f = *state;

        for (unsigned kind = 0; kind < 3; kind++) {
                make_realistic(f, SMALL, 12);
                damage_run(f, f->memory, f->size / 2, kind);
                assert_int_equal(reopen(f), 0);
                assert_true(is_undamaged(&f->damage));
                assert_true(log_equal(&f->seen, &f->log));
                compact_to_log(f);
                assert_int_equal(reopen(f), 0);
                assert_true(log_equal(&f->seen, &f->log));
        }
}

static void test_newer_version_is_refused_and_untouched(void **state) {
        Fixture *f = *state;
        uint8_t *before;
        uint32_t version = 2;

        make(f, SMALL);
        before = malloc(f->size);
        assert_non_null(before);
        for (unsigned i = 0; i < 4; i++) {
                uint8_t *head;

                make_realistic(f, SMALL, 12);
                head = f->memory + i / 2 * f->size / 2 + (i % 2 ? f->size / 2 - HEAD : 0);
                memcpy(head + HEAD_VERSION, &version, 4);
                fix_head(head);
                f->memory[f->log.records[2].start] ^= 1; /* would be mended */
                memcpy(before, f->memory, f->size);
                assert_int_equal(reopen(f), -EPROTONOSUPPORT);
                assert_int_equal(f->seen.n, 0);
                assert_memory_equal(before, f->memory, f->size);
        }
        free(before);
}

/* Compaction */

static void test_compaction_left_undone_leaves_the_older_half_in_force(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 12);
        ledger_compact_begin(f->ledger);
        for (unsigned i = 0; i < 6; i++) {
                assert_int_equal(ledger_compact_append(f->ledger, RECORD_HEAD, 555, "{}", 2), 0);
                assert_int_equal(read_memory(f, f->memory, false), 0);
                assert_true(log_equal(&f->seen, &f->log));
                assert_true(is_undamaged(&f->damage));
        }
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));

        /* again, shorter: nothing of the first try shows, though it had the same epoch */
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        assert_int_equal(reopen(f), 0);
        assert_int_equal(f->seen.n, 0);
        assert_true(is_undamaged(&f->damage));
}

static void test_compaction_can_be_begun_again(void **state) {
        Fixture *f = *state;

        make_realistic(f, SMALL, 12);
        ledger_compact_begin(f->ledger);
        assert_int_equal(ledger_compact_append(f->ledger, RECORD_HEAD, 555, "{}", 2), 0);
        put(f, 1, RECORD_META, 5, "{\"in\":\"between\"}");
        compact_to_log(f);
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
        put(f, 0, RECORD_META, 5, "{}");
        assert_int_equal(reopen(f), 0);
        assert_true(log_equal(&f->seen, &f->log));
}

/* Death */

static void test_every_prefix_of_an_append_is_the_old_state_or_the_new(void **state) {
        Fixture *f = *state;
        uint8_t *before, *memory;
        size_t start, end;
        Log *old = calloc(1, sizeof(*old));

        assert_non_null(old);
        make_realistic(f, SMALL, 5);
        before = malloc(f->size);
        memory = malloc(f->size);
        assert_non_null(before);
        assert_non_null(memory);
        memcpy(before, f->memory, f->size);
        put(f, 1, RECORD_FILE, 77, "{\"torn\":\"or not at all\"}");
        start = f->log.records[f->log.n - 1].start;
        end = f->log.records[f->log.n - 1].end;
        memcpy(old->records, f->log.records, sizeof(old->records));
        old->n = f->log.n - 1;

        /* All but the magics, in either direction: nobody promises the order of these stores. */
        for (unsigned down = 0; down < 2; down++) {
                memcpy(memory, before, f->size);
                for (size_t i = 0; i < end - start; i++) {
                        size_t at = down ? end - 1 - i : start + i;

                        if (at < start + 8 || (at >= end - FRAME && at < end - FRAME + 8))
                                continue;
                        memory[at] = f->memory[at];
                        assert_int_equal(read_memory(f, memory, false), 0);
                        assert_true(log_equal(&f->seen, old));
                        assert_true(is_undamaged(&f->damage));
                        if (i % 16 == 0) {
                                uint8_t *copy = malloc(f->size);

                                assert_non_null(copy);
                                memcpy(copy, memory, f->size);
                                assert_goes_on_after_repair(f, copy);
                                free(copy);
                        }
                }
        }

        memcpy(memory + start, f->memory + start, 8); /* the one store that makes it visible */
        assert_int_equal(read_memory(f, memory, false), 0);
        assert_true(log_equal(&f->seen, &f->log));
        assert_true(is_undamaged(&f->damage));
        assert_goes_on_after_repair(f, memory);
        free(before);
        free(memory);
        free(old);
}

/* What may be found by somebody who comes after a death: the old log or the new one. */
typedef struct Death {
        Fixture *f;
        Log old, new;
        bool new_seen;
} Death;

static void check_old_or_new(void *copy, size_t size, bool done, void *userdata) {
        Death *death = userdata;
        bool is_new;

        assert_int_equal(read_memory(death->f, copy, false), 0);
        assert_int_equal(death->f->damage.n_records, 0);
        is_new = log_equal(&death->f->seen, &death->new);
        assert_true(is_new || log_equal(&death->f->seen, &death->old));
        assert_true(is_new || !death->new_seen); /* never back */
        assert_true(is_new || !done);
        death->new_seen = is_new;

        assert_goes_on_after_repair(death->f, copy);
        assert_int_equal(death->f->seen.n, (is_new ? &death->new : &death->old)->n + 1);
}

static void die_appending(void *memory, size_t size, void *userdata) {
        Death *death = userdata;
        const Record *r = &death->new.records[death->new.n - 1];

        (void) ledger_append(death->f->ledger, r->type, r->sid, r->payload, r->size);
}

static void die_compacting(void *memory, size_t size, void *userdata) {
        Death *death = userdata;

        ledger_compact_begin(death->f->ledger);
        for (size_t i = 0; i < death->new.n; i++) {
                const Record *r = &death->new.records[i];

                (void) ledger_compact_append(death->f->ledger, r->type, r->sid, r->payload, r->size);
        }
        ledger_compact_commit(death->f->ledger);
}

static int ignore(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        return 0;
}

static void die_repairing(void *memory, size_t size, void *userdata) {
        (void) ledger_open(memory, size, true, ignore, NULL, NULL, NULL);
}

/* A ledger with three records in shared memory; Death.old has them. */
static Death *death_new(Fixture *f) {
        Death *death = calloc(1, sizeof(*death));

        assert_non_null(death);
        death->f = f;
        f->size = SMALL;
        f->memory = step_memory_new(SMALL);
        f->shared = true;
        assert_int_equal(ledger_new(f->memory, SMALL, &f->ledger), 0);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        compact_to_log(f);
        put(f, 1, RECORD_HEAD, 0, "{\"generation\":3}");
        put(f, 1, RECORD_SESSION, 1, "{\"name\":\"vm1\"}");
        put(f, 1, RECORD_FILE, 1, "{\"token\":42}");
        for (size_t i = 0; i < f->log.n; i++)
                (void) collect(f->log.records[i].type, f->log.records[i].sid, f->log.records[i].payload,
                               f->log.records[i].size, &death->old);
        return death;
}

static void death_free(Death *death) {
        log_clear(&death->old);
        log_clear(&death->new);
        free(death);
}

static int die(Death *death, step_action_fn action) {
        int n = step_through(death->f->memory, SMALL, action, check_old_or_new, death);

        death_free(death);
        if (n == -EPERM)
                skip();
        return n;
}

static void test_death_at_any_instruction_of_an_append(void **state) {
        Fixture *f = *state;
        Death *death = death_new(f);

        for (size_t i = 0; i < death->old.n; i++)
                (void) log_add(&death->new, death->old.records[i].type, death->old.records[i].sid,
                               death->old.records[i].payload, death->old.records[i].size);
        (void) log_add(&death->new, RECORD_META, 1, "{\"key\":\"k\",\"value\":\"00\"}", 24);
        assert_true(die(death, die_appending) >= 5);
}

static void test_death_at_any_instruction_of_a_compaction(void **state) {
        Fixture *f = *state;
        Death *death = death_new(f);

        (void) log_add(&death->new, RECORD_HEAD, 0, "{\"generation\":4}", 16);
        (void) log_add(&death->new, RECORD_SESSION, 1, "{\"name\":\"vm2\"}", 14);
        assert_true(die(death, die_compacting) >= 20);
}

static void test_death_at_any_instruction_of_a_compaction_to_nothing(void **state) {
        assert_true(die(death_new(*state), die_compacting) >= 10);
}

static void test_death_at_any_instruction_of_a_repair(void **state) {
        Fixture *f = *state;
        Death *death = death_new(f);

        for (size_t i = 0; i < death->old.n; i++)
                (void) log_add(&death->new, death->old.records[i].type, death->old.records[i].sid,
                               death->old.records[i].payload, death->old.records[i].size);
        fill_random(f, f->memory + f->log.records[0].start, FRAME);
        fill_random(f, f->memory + f->log.records[1].end - FRAME, FRAME);
        fill_random(f, f->memory + f->log.records[2].end + 8, 64);
        fill_random(f, f->memory + f->size - HEAD, HEAD);
        assert_true(die(death, die_repairing) >= 20);
}

/* Time */

static double cpu_seconds(void) {
        struct timespec t;

        assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double time_to_open(Fixture *f) {
        double start = cpu_seconds();

        f->ledger = ledger_free(f->ledger);
        assert_int_equal(ledger_open(f->memory, f->size, true, ignore, NULL, &f->damage, &f->ledger), 0);
        return cpu_seconds() - start;
}

/* Milliseconds as built for use. The limit is for a sanitizer on a busy machine: it tells linear from not.
 */
static void test_opening_takes_linear_time_whatever_is_in_it(void **state) {
        Fixture *f = *state;
        char payload[200] = "";
        uint64_t magic;
        double full, empty, magics, frames;
        uint8_t *half;

        make(f, LEDGER_FILE_SIZE);
        ledger_compact_begin(f->ledger);
        ledger_compact_commit(f->ledger);
        empty = time_to_open(f);
        half = f->memory;
        while (ledger_append(f->ledger, RECORD_FILE, 1, payload, sizeof(payload)) == 0)
                ;
        full = time_to_open(f);

        memcpy(&magic, half + HEAD, 8);
        for (size_t i = 2 * HEAD; i < LEDGER_HALF_SIZE - HEAD; i += 8)
                memcpy(half + i, &magic, 8);
        magics = time_to_open(f);

        for (size_t i = HEAD + 2 * FRAME; i + FRAME <= LEDGER_HALF_SIZE - HEAD; i += FRAME) {
                uint64_t sequence = i;
                uint32_t size = (uint32_t) (LEDGER_HALF_SIZE - HEAD - i);

                memcpy(half + i, &magic, 8);
                memcpy(half + i + 8, half + HEAD_EPOCH, 8);
                memcpy(half + i + FRAME_SEQUENCE, &sequence, 8);
                memcpy(half + i + FRAME_SIZE, &size, 4);
                memset(half + i + FRAME_SIZE + 4, 0, 4);
                fix_frame(half + i);
        }
        frames = time_to_open(f);
        print_message("6 MiB: empty %.1f ms, full %.1f ms, all magics %.1f ms, all frames %.1f ms\n",
                      empty * 1e3, full * 1e3, magics * 1e3, frames * 1e3);
        assert_true(empty < 3 && full < 3 && magics < 3 && frames < 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_records_come_back_in_order_and_exactly),
                TEST(test_new_ledger_is_invisible_until_first_commit),
                TEST(test_new_ledger_hides_the_one_that_was_there),
                TEST(test_ledger_without_records_opens_and_takes_some),
                TEST(test_appends_go_on_after_each_reopening),
                TEST(test_callback_stops_the_reading),
                TEST(test_reading_works_on_read_only_memory_even_if_damaged),
                TEST(test_sizes_that_no_ledger_has_are_no_data),
                TEST(test_payloads_of_all_lengths_and_bytes_survive),
                TEST(test_frames_inside_a_payload_are_payload),
                TEST(test_no_json_can_contain_a_magic),
                TEST(test_full_half_refuses_and_changes_nothing),
                TEST(test_record_beyond_an_empty_half_is_too_big),
                TEST(test_hundred_thousand_appends_with_compactions),
                TEST(test_any_one_damaged_byte_costs_at_most_its_record),
                TEST(test_runs_of_damage_cost_what_they_touch_and_are_reported),
                TEST(test_lost_end_of_the_log_is_reported_until_compaction),
                TEST(test_garbage_is_no_ledger),
                TEST(test_garbage_between_good_heads_is_an_empty_ledger_with_a_gap),
                TEST(test_hostile_lengths_cost_no_other_record),
                TEST(test_hostile_frames_with_good_checksums_never_break_the_reader),
                TEST(test_hostile_type_or_number_is_no_record),
                TEST(test_hostile_count_is_not_gone_on_from),
                TEST(test_stale_bytes_behind_the_tail_are_never_records),
                TEST(test_records_of_an_earlier_epoch_behind_the_tail_are_never_records),
                TEST(test_one_of_two_heads_lost_is_mended),
                TEST(test_both_heads_lost_are_rebuilt_from_what_the_older_half_knows),
                TEST(test_death_before_the_older_half_was_marked_is_made_up_for),
                TEST(test_half_lost_altogether_falls_back_to_the_older_one_with_a_gap),
                TEST(test_older_half_lost_altogether_costs_nothing),
                TEST(test_newer_version_is_refused_and_untouched),
                TEST(test_compaction_left_undone_leaves_the_older_half_in_force),
                TEST(test_compaction_can_be_begun_again),
                TEST(test_every_prefix_of_an_append_is_the_old_state_or_the_new),
                TEST(test_death_at_any_instruction_of_an_append),
                TEST(test_death_at_any_instruction_of_a_compaction),
                TEST(test_death_at_any_instruction_of_a_compaction_to_nothing),
                TEST(test_death_at_any_instruction_of_a_repair),
                TEST(test_opening_takes_linear_time_whatever_is_in_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
