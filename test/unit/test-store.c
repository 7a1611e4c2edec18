/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "store.h"

#define BOOT "4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1"

typedef struct Fixture {
        char dir[40], path[64];
        State state;
        Store store;
        Session *session;
        Part *part;
} Fixture;

static void init_state(State *s) {
        state_init(s);
        (void) snprintf(s->head.boot_id, sizeof(s->head.boot_id), BOOT);
        s->head.next_sid = 1;
        s->head.series = 'a';
}

static int setup(void **state) {
        static Fixture f;
        SessionRecord session = { .name = "vm1", .uid = 1000, .state = SESSION_LIVE };
        PartRecord part = { .kname = "luod-a-1", .fdname = "1", .boot_id = BOOT };

        f = (Fixture) { .dir = "/dev/shm/luod-test-XXXXXX", .store = STORE_NULL };
        if (!mkdtemp(f.dir))
                return -1;
        (void) snprintf(f.path, sizeof(f.path), "%s/ledger", f.dir);
        init_state(&f.state);
        if (session_new(&f.state, 1, &session, &f.session) < 0 || part_new(&f.state, f.session, &part, &f.part) < 0)
                return -1;
        *state = &f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        store_done(&f->store);
        state_done(&f->state);
        (void) unlink(f->path);
        return rmdir(f->dir);
}

static File *add_file(Fixture *f, uint64_t token) {
        FileRecord record = {
                .token = token, .ktoken = f->part->next_ktoken, .label = "label", .size = 7, .state = FILE_KEPT,
        };
        File *file;

        assert_int_equal(file_new(&f->state, f->part, &record, &file), 0);
        return file;
}

/* As a start does: another state from the file of that name. */
static int reopen(Fixture *f, State *ret) {
        Store store = STORE_NULL;
        LedgerDamage damage = {};
        int fd = open(f->path, O_RDWR | O_CLOEXEC), r;

        assert_true(fd >= 0);
        init_state(ret);
        r = store_open(&store, ret, &fd, /* writable= */ false, &damage);
        if (r < 0) {
                assert_true(fd >= 0); /* still ours */
                safe_close(fd);
                return r;
        }
        assert_int_equal(fd, -EBADF);
        assert_int_equal(damage.n_records + damage.n_frames + damage.gap, 0);
        store_done(&store);
        return 0;
}

static void assert_same(Fixture *f) {
        State read;
        Session *a, *b;

        assert_int_equal(reopen(f, &read), 0);
        assert_int_equal(read.n_sessions, f->state.n_sessions);
        assert_int_equal(read.n_files, f->state.n_files);
        assert_int_equal(read.metadata_size, f->state.metadata_size);
        assert_string_equal(read.head.boot_id, f->state.head.boot_id);
        LIST_FOREACH(&f->state.sessions, Session, link, a) {
                b = state_find_session_by_sid(&read, a->sid);
                assert_non_null(b);
                assert_string_equal(a->record.name, b->record.name);
                assert_int_equal(a->record.uid, b->record.uid);
                assert_int_equal(a->record.state, b->record.state);
                assert_int_equal(a->flags, b->flags);
                assert_int_equal(a->n_files, b->n_files);
                for (size_t i = 0; i < a->n_files; i++) {
                        assert_true(a->files[i]->record.token == b->files[i]->record.token);
                        assert_true(a->files[i]->record.ktoken == b->files[i]->record.ktoken);
                        assert_string_equal(a->files[i]->record.label, b->files[i]->record.label);
                        assert_int_equal(a->files[i]->record.state, b->files[i]->record.state);
                        assert_string_equal(a->files[i]->part->record.kname, b->files[i]->part->record.kname);
                }
                assert_int_equal(a->n_metadata, b->n_metadata);
                for (size_t i = 0; i < a->n_metadata; i++) {
                        assert_string_equal(a->metadata[i].key, b->metadata[i].key);
                        assert_int_equal(a->metadata[i].n_value, b->metadata[i].n_value);
                        assert_memory_equal(a->metadata[i].value, b->metadata[i].value, a->metadata[i].n_value);
                }
        }
        state_done(&read);
}

static void create_and_link(Fixture *f) {
        assert_int_equal(store_create(&f->store, &f->state, f->dir), 0);
        assert_int_equal(file_link(f->store.fd, f->path), 0);
}

static void test_new_ledger_has_no_name_and_all_that_is_known(void **state) {
        Fixture *f = *state;
        struct stat st;

        (void) add_file(f, 7);
        assert_int_equal(session_set_metadata(&f->state, f->session, "key", "value", 5), 0);
        assert_int_equal(store_create(&f->store, &f->state, f->dir), 0);
        assert_int_equal(fstat(f->store.fd, &st), 0);
        assert_int_equal(st.st_nlink, 0); /* the kernel keeps no others */
        assert_int_equal(st.st_size, LEDGER_FILE_SIZE);
        assert_true(st.st_blocks * 512 >= (blkcnt_t) LEDGER_FILE_SIZE); /* no SIGBUS when memory is short */
        assert_int_equal(fcntl(f->store.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(file_link(f->store.fd, f->path), 0);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(file_link(f->store.fd, f->path), -EEXIST);
        assert_same(f);
}

static void test_each_record_is_there_when_its_call_returns(void **state) {
        Fixture *f = *state;
        File *file;

        create_and_link(f);
        file = add_file(f, UINT64_MAX);
        assert_int_equal(store_put_file(&f->store, file), 0);
        assert_same(f);
        file->record.state = FILE_RETRIEVED;
        assert_int_equal(store_put_file(&f->store, file), 0);
        assert_same(f);
        assert_int_equal(session_set_metadata(&f->state, f->session, "key", "value", 5), 0);
        assert_int_equal(store_put_metadata(&f->store, f->session, "key"), 0);
        assert_same(f);
        assert_int_equal(session_set_metadata(&f->state, f->session, "key", NULL, 0), 0);
        assert_int_equal(store_put_metadata(&f->store, f->session, "key"), 0);
        assert_same(f);
        f->session->record.state = SESSION_DISCARDING;
        f->session->flags = SESSION_METADATA_DAMAGED;
        assert_int_equal(store_put_session(&f->store, f->session), 0);
        assert_same(f);
        f->state.head.generation = 17;
        assert_int_equal(store_put_head(&f->store), 0);
        assert_same(f);
}

static void test_end_of_a_session_ends_its_files(void **state) {
        Fixture *f = *state;
        State read;

        (void) add_file(f, 7);
        create_and_link(f);
        assert_int_equal(store_put_end(&f->store, f->session, END_DISCARDED, 1), 0);
        assert_int_equal(reopen(f, &read), 0);
        assert_int_equal(read.n_sessions + read.n_files + read.n_parts, 0);
        assert_true(read.head.next_sid > 1);
        state_done(&read);
}

static void test_part_that_is_gone_takes_its_files_along(void **state) {
        Fixture *f = *state;
        State read;

        (void) add_file(f, 7);
        create_and_link(f);
        assert_int_equal(store_put_part_gone(&f->store, f->part), 0);
        assert_int_equal(reopen(f, &read), 0);
        assert_int_equal(read.n_sessions, 1);
        assert_int_equal(read.n_files + read.n_parts, 0);
        state_done(&read);
}

static void test_full_ledger_is_compacted_and_loses_nothing(void **state) {
        Fixture *f = *state;
        uint8_t *value = malloc(METADATA_SIZE_MAX);
        unsigned n = 3 * LEDGER_FILE_SIZE / METADATA_SIZE_MAX;

        assert_non_null(value);
        for (unsigned i = 0; i < 50; i++)
                (void) add_file(f, i);
        create_and_link(f);
        for (unsigned i = 0; i < n; i++) {
                memset(value, (int) i, METADATA_SIZE_MAX);
                assert_int_equal(session_set_metadata(&f->state, f->session, "key", value, METADATA_SIZE_MAX - 3), 0);
                assert_int_equal(store_put_metadata(&f->store, f->session, "key"), 0);
                if (i % 64 == 0)
                        assert_same(f);
        }
        assert_same(f);
        free(value);
}

/* A record that does not fit even so is refused, and what was before stays. */
static void test_ledger_that_is_really_full_says_so(void **state) {
        Fixture *f = *state;
        uint8_t *value = calloc(1, METADATA_SIZE_MAX);
        unsigned n = 0;
        char key[16];
        int r;

        assert_non_null(value);
        create_and_link(f);
        do {
                (void) snprintf(key, sizeof(key), "key %u", n++);
                assert_int_equal(session_set_metadata(&f->state, f->session, key, value, METADATA_SIZE_MAX / 2), 0);
                r = store_put_metadata(&f->store, f->session, key);
        } while (r >= 0 && n < 1000);
        assert_int_equal(r, -ENOSPC);
        assert_true(n > 50);
        assert_int_equal(session_set_metadata(&f->state, f->session, key, NULL, 0), 0);
        assert_same(f);
        assert_false(store_has_room(&f->store, 1, METADATA_SIZE_MAX));
        /* With something given up there is room again. */
        for (unsigned i = 0; i < n; i += 2) {
                (void) snprintf(key, sizeof(key), "key %u", i);
                assert_int_equal(session_set_metadata(&f->state, f->session, key, NULL, 0), 0);
                assert_int_equal(store_put_metadata(&f->store, f->session, key), 0);
        }
        assert_same(f);
        assert_true(store_has_room(&f->store, 1, METADATA_SIZE_MAX));
        free(value);
}

static void test_room_is_told_before_it_is_needed(void **state) {
        Fixture *f = *state;

        assert_false(store_has_room(&f->store, 1, 0)); /* there is none yet */
        create_and_link(f);
        assert_true(store_has_room(&f->store, 100, 0));
        assert_false(store_has_room(&f->store, 1, LEDGER_HALF_SIZE));
        assert_false(store_has_room(&f->store, LEDGER_HALF_SIZE / 1024, 0));
}

static void test_without_a_ledger_nothing_can_be_written(void **state) {
        Fixture *f = *state;
        File *file = add_file(f, 7);

        assert_int_equal(store_put_head(&f->store), -EROFS);
        assert_int_equal(store_put_session(&f->store, f->session), -EROFS);
        assert_int_equal(store_put_part(&f->store, f->part), -EROFS);
        assert_int_equal(store_put_part_gone(&f->store, f->part), -EROFS);
        assert_int_equal(store_put_file(&f->store, file), -EROFS);
        assert_int_equal(store_put_metadata(&f->store, f->session, "key"), -EROFS);
        assert_int_equal(store_put_end(&f->store, f->session, END_DISCARDED, 1), -EROFS);
}

static void test_files_that_are_no_ledger_are_refused(void **state) {
        static const off_t sizes[] = { 0, 1, 8191, 8192, 12345, LEDGER_FILE_SIZE };
        Fixture *f = *state;

        for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
                int fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                State read;

                assert_true(fd >= 0);
                assert_int_equal(ftruncate(fd, sizes[i]), 0);
                safe_close(fd);
                assert_int_equal(reopen(f, &read), -ENODATA);
                state_done(&read);
        }
}

static void test_directory_that_cannot_be_written_to_is_told(void **state) {
        Fixture *f = *state;

        assert_int_equal(store_create(&f->store, &f->state, "/nowhere"), -ENOENT);
        assert_null(f->store.ledger);
        assert_true(store_create(&f->store, &f->state, "/proc") < 0);
        assert_int_equal(f->store.fd, -EBADF);
        create_and_link(f);
}

static void test_reopened_ledger_can_be_written_on(void **state) {
        Fixture *f = *state;
        LedgerDamage damage = {};
        int fd;

        create_and_link(f);
        store_done(&f->store);
        state_done(&f->state);
        init_state(&f->state);
        fd = open(f->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(store_open(&f->store, &f->state, &fd, /* writable= */ true, &damage), 0);
        f->session = state_find_session(&f->state, "vm1");
        assert_non_null(f->session);
        f->part = LIST_ENTRY(list_first(&f->session->parts), Part, session_link);
        assert_int_equal(store_put_file(&f->store, add_file(f, 7)), 0);
        assert_same(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_new_ledger_has_no_name_and_all_that_is_known),
                TEST(test_each_record_is_there_when_its_call_returns),
                TEST(test_end_of_a_session_ends_its_files),
                TEST(test_part_that_is_gone_takes_its_files_along),
                TEST(test_full_ledger_is_compacted_and_loses_nothing),
                TEST(test_ledger_that_is_really_full_says_so),
                TEST(test_room_is_told_before_it_is_needed),
                TEST(test_without_a_ledger_nothing_can_be_written),
                TEST(test_files_that_are_no_ledger_are_refused),
                TEST(test_directory_that_cannot_be_written_to_is_told),
                TEST(test_reopened_ledger_can_be_written_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
