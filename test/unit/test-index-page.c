/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "crc32c.h"
#include "index-page.h"
#include "macro.h"
#include "step.h"

/* The layout a second time, on purpose: within a version it must not change. */
#define HEAD 168U
#define HEAD_VERSION 8U
#define HEAD_CRC 160U
#define SLOT 120U
#define COPY (INDEX_PAGE_SIZE - HEAD)

#define PAGE_NUMBER 3U

static const IndexHead spare = { .role = INDEX_SPARE, .page = PAGE_NUMBER, .boot_id = "boot" };
static const IndexHead owned = {
        .role = INDEX_SESSION,
        .page = PAGE_NUMBER,
        .boot_id = "4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1",
        .sid = 0x1122334455667788ULL,
        .name = "a name of sixty-three bytes, the longest there is, \"quoted\"",
        .uid = 1000,
        .created = 1719000000000000,
        .created_generation = 7,
        .many = true,
};

static int setup(void **state) {
        *state = step_memory_new(INDEX_PAGE_SIZE);
        return 0;
}

static int teardown(void **state) {
        *state = step_memory_free(*state, INDEX_PAGE_SIZE);
        return 0;
}

static FileRecord file_of_slot(unsigned slot) {
        FileRecord file = {
                .ktoken = index_page_ktoken(PAGE_NUMBER) + 1 + slot,
                .token = UINT64_MAX - slot,
                .kind = slot % _FILE_KIND_MAX,
                .state = slot % FILE_DROPPED,
                .size = 1ULL << (slot + 20),
                .uid = 1000 + slot,
                .gid = 100 + slot,
                .mode = 0600,
                .access = (int) slot % 3,
                .seals = 15,
                .dev = 23,
                .ino = UINT64_MAX / 2 + slot,
                .error = slot % FILE_DROPPED == FILE_FAILED ? EIO : 0,
        };

        (void) snprintf(file.label, sizeof(file.label), "label-%0*u", (int) (slot * 2 % 57), slot);
        return file;
}

static bool file_equal(const FileRecord *a, const FileRecord *b) {
        return a->ktoken == b->ktoken && a->token == b->token && streq(a->label, b->label) &&
               a->kind == b->kind && a->state == b->state && a->size == b->size && a->uid == b->uid &&
               a->gid == b->gid && a->mode == b->mode && a->access == b->access && a->seals == b->seals &&
               a->dev == b->dev && a->ino == b->ino && a->error == b->error && streq(a->part, b->part) &&
               a->extra == b->extra;
}

static bool head_equal(const IndexHead *a, const IndexHead *b) {
        return a->role == b->role && a->page == b->page && streq(a->boot_id, b->boot_id) &&
               a->sid == b->sid && streq(a->name, b->name) && a->uid == b->uid && a->created == b->created &&
               a->created_generation == b->created_generation && a->many == b->many;
}

static bool has_head(const void *page, const IndexHead *head) {
        IndexHead read;

        return index_page_get_head(page, &read) == 0 && head_equal(&read, head);
}

static bool has_file(const void *page, const FileRecord *file) {
        unsigned slot = (unsigned) (file->ktoken - index_page_ktoken(PAGE_NUMBER) - 1);
        FileRecord read;

        return index_page_get_file(page, PAGE_NUMBER, slot, &read) == 0 && file_equal(&read, file);
}

static void fill(void *page, unsigned n_files) {
        index_page_set_head(page, &owned);
        for (unsigned slot = 0; slot < n_files; slot++) {
                FileRecord file = file_of_slot(slot);

                index_page_set_file(page, PAGE_NUMBER, &file);
        }
}

static void test_blank_page_has_neither_head_nor_files(void **state) {
        FileRecord file;
        IndexHead head;

        assert_int_equal(index_page_get_head(*state, &head), -ENODATA);
        for (unsigned slot = 0; slot < INDEX_SLOTS; slot++)
                assert_int_equal(index_page_get_file(*state, PAGE_NUMBER, slot, &file), -ENODATA);
}

static void test_full_page_comes_back_exactly(void **state) {
        fill(*state, INDEX_SLOTS);
        assert_true(has_head(*state, &owned));
        for (unsigned slot = 0; slot < INDEX_SLOTS; slot++) {
                FileRecord file = file_of_slot(slot);

                assert_true(has_file(*state, &file));
        }
}

static void test_head_can_be_replaced_any_number_of_times(void **state) {
        for (unsigned i = 0; i < 1000; i++) {
                IndexHead head = owned;

                head.sid = i;
                index_page_set_head(*state, i % 2 ? &head : &spare);
                assert_true(has_head(*state, i % 2 ? &head : &spare));
        }
}

static void test_file_is_changed_and_cleared_alone(void **state) {
        FileRecord file = file_of_slot(7), read;

        fill(*state, INDEX_SLOTS);
        file.state = FILE_FAILED;
        file.error = ENOMEM;
        index_page_set_file(*state, PAGE_NUMBER, &file);
        assert_true(has_file(*state, &file));
        (void) snprintf(file.label, sizeof(file.label), "other");
        index_page_set_file(*state, PAGE_NUMBER, &file);
        assert_true(has_file(*state, &file));
        file.state = FILE_DROPPED;
        index_page_set_file(*state, PAGE_NUMBER, &file);
        assert_int_equal(index_page_get_file(*state, PAGE_NUMBER, 7, &read), -ENODATA);

        for (unsigned slot = 0; slot < INDEX_SLOTS; slot++) {
                FileRecord other = file_of_slot(slot);

                assert_int_equal(has_file(*state, &other), slot != 7);
        }
}

static void test_tokens_and_pages_add_up(void **state) {
        assert_int_equal(index_page_ktoken(0), 0);
        for (uint64_t ktoken = 0; ktoken < 4 * (INDEX_SLOTS + 1); ktoken++) {
                uint64_t page = index_page_ktoken(ktoken_page(ktoken));

                assert_int_equal(ktoken_is_index(ktoken), ktoken == page);
                assert_true(page <= ktoken && ktoken - page <= INDEX_SLOTS);
        }
        assert_int_equal(index_page_ktoken(UINT32_MAX) / (INDEX_SLOTS + 1), UINT32_MAX);
}

static void test_every_label_and_name_up_to_the_longest_survives(void **state) {
        for (unsigned length = 0; length <= LABEL_LENGTH_MAX; length++) {
                FileRecord file = file_of_slot(0);
                IndexHead head = owned;

                memset(file.label, 0, sizeof(file.label));
                memset(file.label, 0xe9, length);
                memset(head.name, 0, sizeof(head.name));
                memset(head.name, 'n', length);
                index_page_set_file(*state, PAGE_NUMBER, &file);
                index_page_set_head(*state, &head);
                assert_true(has_file(*state, &file));
                assert_true(has_head(*state, &head));
        }
}

/* Which slot the byte lies in, or -1. */
static int slot_at(size_t offset) {
        if (offset < HEAD || offset >= HEAD + INDEX_SLOTS * SLOT)
                return -1;
        return (int) ((offset - HEAD) / SLOT);
}

static void assert_only_slot_is_damaged(const void *page, int damaged, unsigned n_files) {
        assert_true(has_head(page, &owned));
        for (unsigned slot = 0; slot < INDEX_SLOTS; slot++) {
                FileRecord file = file_of_slot(slot), read;
                int r = index_page_get_file(page, PAGE_NUMBER, slot, &read);

                if (slot < n_files && (int) slot != damaged)
                        assert_true(r == 0 && file_equal(&read, &file));
                else if (slot < n_files)
                        assert_true(r == -EBADMSG && read.ktoken == file.ktoken && read.token == 0);
                else /* damage to what is empty makes no file of it */
                        assert_true(r == -ENODATA || (r == -EBADMSG && (int) slot == damaged));
        }
}

static void test_any_one_damaged_byte_costs_at_most_its_slot(void **state) {
        const unsigned n_files = 20;
        uint8_t *page = *state;

        fill(page, n_files);
        for (size_t offset = 0; offset < INDEX_PAGE_SIZE; offset++) {
                uint8_t was = page[offset], patterns[] = { was ^ 0xff, was ^ 0x01, 0 };

                for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
                        if (patterns[i] == was)
                                continue;
                        page[offset] = patterns[i];
                        assert_only_slot_is_damaged(page, slot_at(offset), n_files);
                }
                page[offset] = was;
        }
}

static void test_both_heads_damaged_are_bad_and_hide_no_slot(void **state) {
        uint8_t *page = *state;
        IndexHead head;
        FileRecord file = file_of_slot(5);

        fill(page, INDEX_SLOTS);
        for (unsigned i = 0; i < HEAD_CRC; i++) {
                page[i] ^= 0xff;
                page[COPY + (i * 7) % HEAD_CRC] ^= 0x01;
                assert_int_equal(index_page_get_head(page, &head), -EBADMSG);
                assert_true(has_file(page, &file));
                page[i] ^= 0xff;
                page[COPY + (i * 7) % HEAD_CRC] ^= 0x01;
        }
        page[0] ^= 1;
        page[COPY] ^= 1;
        index_page_set_head(page, &owned);
        assert_true(has_head(page, &owned));
}

static void test_damage_never_brings_back_what_the_part_was_before(void **state) {
        uint8_t *page = *state;

        index_page_set_head(page, &spare);
        index_page_set_head(page, &owned);
        for (unsigned i = 0; i < HEAD; i++)
                for (unsigned copy = 0; copy < 2; copy++) {
                        page[i + copy * COPY] ^= 0xff;
                        assert_true(has_head(page, &owned));
                        page[i + copy * COPY] ^= 0xff;
                }
}

static void test_slot_is_valid_in_its_place_alone(void **state) {
        uint8_t *page = *state;
        FileRecord read;

        fill(page, 4);
        memcpy(page + HEAD + 10 * SLOT, page + HEAD + 2 * SLOT, SLOT);
        assert_int_equal(index_page_get_file(page, PAGE_NUMBER, 10, &read), -EBADMSG);
        assert_int_equal(index_page_get_file(page, PAGE_NUMBER + 1, 2, &read), -EBADMSG);
        assert_int_equal(index_page_get_file(page, PAGE_NUMBER, 2, &read), 0);
}

static void test_newer_version_is_told_from_damage(void **state) {
        uint8_t *page = *state;
        IndexHead head;

        for (unsigned copy = 0; copy < 2; copy++) {
                uint8_t *place = page + copy * COPY;
                uint32_t version = 2, crc;

                fill(page, 4);
                memcpy(place + HEAD_VERSION, &version, 4);
                assert_true(has_head(page, &owned)); /* that alone is damage: the other holds */
                crc = crc32c(0, place, HEAD_CRC);
                memcpy(place + HEAD_CRC, &crc, 4);
                assert_int_equal(index_page_get_head(page, &head), -EPROTONOSUPPORT);
                memset(place, 0, HEAD);
        }
}

static void test_garbage_is_bad_and_harmless(void **state) {
        uint8_t *page = *state;
        uint32_t seed = 1;
        FileRecord file;
        IndexHead head;

        for (unsigned i = 0; i < 200; i++) {
                for (size_t k = 0; k < INDEX_PAGE_SIZE; k++) {
                        seed = seed * 1664525 + 1013904223;
                        page[k] = i == 0 ? 0xff : (uint8_t) (seed >> 24);
                }
                assert_int_equal(index_page_get_head(page, &head), -EBADMSG);
                for (unsigned slot = 0; slot < INDEX_SLOTS; slot++)
                        assert_int_equal(index_page_get_file(page, PAGE_NUMBER, slot, &file), -EBADMSG);
        }
}

/* Values that no writer writes, with good checksums. */
static void test_hostile_slot_with_good_checksum_is_bad(void **state) {
        static const struct {
                size_t offset, size;
                uint8_t value;
        } changes[] = { { 32, 64, 'x' },
                        { 108, 2, 0xff },
                        { 110, 1, 3 },
                        { 111, 1, _FILE_KIND_MAX },
                        { 118, 1, _FILE_STATE_MAX } };
        uint64_t ktoken = index_page_ktoken(PAGE_NUMBER) + 1;
        uint8_t *page = *state, *slot = page + HEAD;
        FileRecord read;

        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                uint32_t crc;

                memset(page, 0, INDEX_PAGE_SIZE);
                fill(page, 1);
                memset(slot + changes[i].offset, changes[i].value, changes[i].size);
                crc = crc32c(crc32c(crc32c(0, &ktoken, 8), slot, 112), slot + 116, 4);
                memcpy(slot + 112, &crc, 4);
                assert_int_equal(index_page_get_file(page, PAGE_NUMBER, 0, &read), -EBADMSG);
        }
}

/* Death */

typedef struct Death {
        IndexHead new_head;
        FileRecord old_file, new_file;
        bool may_be_empty;
        bool new_seen;
} Death;

static void replace_head(void *page, size_t size, void *userdata) {
        index_page_set_head(page, &((Death *) userdata)->new_head);
}

static void check_head(void *page, size_t size, bool done, void *userdata) {
        Death *death = userdata;
        bool new = has_head(page, &death->new_head);

        assert_true(new || has_head(page, &spare));
        assert_true(new || (!done && !death->new_seen));
        death->new_seen = new;

        index_page_set_head(page, &owned); /* whatever was left: it goes on from there */
        assert_true(has_head(page, &owned));
}

static void replace_file(void *page, size_t size, void *userdata) {
        index_page_set_file(page, PAGE_NUMBER, &((Death *) userdata)->new_file);
}

static void check_file(void *page, size_t size, bool done, void *userdata) {
        Death *death = userdata;
        bool new = has_file(page, &death->new_file);
        FileRecord read;

        if (death->may_be_empty && !new && !has_file(page, &death->old_file))
                assert_int_equal(index_page_get_file(page, PAGE_NUMBER, 3, &read), -ENODATA);
        else
                assert_true(new || has_file(page, &death->old_file));
        assert_true(new || (!done && !death->new_seen));
        death->new_seen = new;

        index_page_set_file(page, PAGE_NUMBER, &death->new_file);
        assert_true(has_file(page, &death->new_file));
}

static void die(void *page, step_action_fn action, step_check_fn check, Death *death, int n_states) {
        int n = step_through(page, INDEX_PAGE_SIZE, action, check, death);

        if (n == -EPERM)
                skip();
        assert_true(n >= n_states);
}

static void test_death_while_head_is_replaced_leaves_old_or_new(void **state) {
        Death death = { .new_head = owned };

        index_page_set_head(*state, &spare);
        die(*state, replace_head, check_head, &death, 6);
}

static void test_second_death_while_head_is_replaced_leaves_old_or_new(void **state) {
        uint8_t *page = *state;

        for (unsigned copy = 0; copy < 2; copy++) {
                Death death = { .new_head = owned };

                memset(page, 0, INDEX_PAGE_SIZE);
                index_page_set_head(page, &spare);
                memset(page + copy * COPY + HEAD - 8, 0, 8); /* as the first death left it */
                die(page, replace_head, check_head, &death, 6);
        }
}

static void test_death_while_state_is_changed_leaves_old_or_new(void **state) {
        Death death = { .old_file = file_of_slot(3), .new_file = file_of_slot(3) };

        death.old_file.state = FILE_INTENT;
        death.old_file.error = 0;
        death.new_file.state = FILE_FAILED;
        death.new_file.error = EIO;
        fill(*state, INDEX_SLOTS);
        index_page_set_file(*state, PAGE_NUMBER, &death.old_file);
        die(*state, replace_file, check_file, &death, 1);
}

static void test_death_while_file_is_written_first_leaves_none_or_all(void **state) {
        Death death = { .old_file = file_of_slot(3), .new_file = file_of_slot(3), .may_be_empty = true };

        fill(*state, 3);
        die(*state, replace_file, check_file, &death, 3);
}

static void test_death_while_file_is_changed_leaves_old_or_none_or_new(void **state) {
        Death death = { .old_file = file_of_slot(3), .new_file = file_of_slot(3), .may_be_empty = true };

        fill(*state, INDEX_SLOTS);
        death.new_file.token = 4711;
        (void) snprintf(death.new_file.label, sizeof(death.new_file.label), "other");
        die(*state, replace_file, check_file, &death, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_blank_page_has_neither_head_nor_files),
                TEST(test_full_page_comes_back_exactly),
                TEST(test_head_can_be_replaced_any_number_of_times),
                TEST(test_file_is_changed_and_cleared_alone),
                TEST(test_tokens_and_pages_add_up),
                TEST(test_every_label_and_name_up_to_the_longest_survives),
                TEST(test_any_one_damaged_byte_costs_at_most_its_slot),
                TEST(test_both_heads_damaged_are_bad_and_hide_no_slot),
                TEST(test_damage_never_brings_back_what_the_part_was_before),
                TEST(test_slot_is_valid_in_its_place_alone),
                TEST(test_newer_version_is_told_from_damage),
                TEST(test_garbage_is_bad_and_harmless),
                TEST(test_hostile_slot_with_good_checksum_is_bad),
                TEST(test_death_while_head_is_replaced_leaves_old_or_new),
                TEST(test_second_death_while_head_is_replaced_leaves_old_or_new),
                TEST(test_death_while_state_is_changed_leaves_old_or_new),
                TEST(test_death_while_file_is_written_first_leaves_none_or_all),
                TEST(test_death_while_file_is_changed_leaves_old_or_none_or_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
