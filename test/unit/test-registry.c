/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <search.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "registry.h"

static int setup(void **state) {
        Registry *r = malloc(sizeof(*r));

        assert_non_null(r);
        registry_init(r);
        *state = r;
        return 0;
}

static int teardown(void **state) {
        Registry *r = *state;

        registry_done(r);
        assert_int_equal(r->n, 0);
        free(r);
        return 0;
}

static RegistryEntry *add_inode(Registry *r, uint64_t dev, uint64_t ino, uint64_t sid, uint64_t token) {
        Identity identity = identity_from_inode(dev, ino);
        RegistryEntry *e = NULL;

        assert_int_equal(registry_add(r, &identity, sid, token, &e), 0);
        assert_int_equal(identity.type, IDENTITY_NONE); /* it was taken over */
        return e;
}

static RegistryEntry *find_inode(Registry *r, uint64_t dev, uint64_t ino) {
        Identity identity = identity_from_inode(dev, ino);

        return registry_find(r, &identity);
}

static void test_one_object_has_one_keeper(void **state) {
        Registry *r = *state;
        Identity again = identity_from_inode(1, 2);
        RegistryEntry *e = add_inode(r, 1, 2, 10, 20), *found = NULL;

        assert_int_equal(registry_add(r, &again, 11, 21, &found), -EEXIST);
        assert_ptr_equal(found, e);
        assert_int_equal(found->sid, 10);
        assert_int_equal(found->token, 20);
        assert_int_equal(again.type, IDENTITY_INODE); /* still the caller's */
        assert_int_equal(r->n, 1);
}

static void test_object_is_free_again_once_it_was_removed(void **state) {
        Registry *r = *state;
        RegistryEntry *e = add_inode(r, 1, 2, 10, 20);

        add_inode(r, 1, 3, 10, 21);
        assert_null(registry_remove(r, e));
        assert_null(find_inode(r, 1, 2));
        assert_non_null(find_inode(r, 1, 3));
        add_inode(r, 1, 2, 12, 22);
        assert_int_equal(find_inode(r, 1, 2)->sid, 12);
        assert_null(registry_remove(r, NULL));
}

static void check_open_files(Registry *r) {
        int copies[3];
        RegistryEntry *entries[3];
        int *closing;

        for (size_t i = 0; i < 3; i++) {
                _cleanup_(identity_done) Identity again = IDENTITY_NULL;
                Identity identity = IDENTITY_NULL;
                int fd = eventfd(0, EFD_CLOEXEC);

                copies[i] = fd_dup(fd);
                assert_int_equal(identity_from_fd(fd, &identity), 0);
                assert_int_equal(registry_add(r, &identity, 1, i, entries + i), 0);
                safe_close(fd);
                assert_int_equal(identity_from_fd(copies[i], &again), 0);
                assert_ptr_equal(registry_find(r, &again), entries[i]);
                assert_int_equal(registry_add(r, &again, 2, i, entries + i), -EEXIST);
        }

        registry_remove(r, entries[1]);
        for (size_t i = 0; i < 3; i++) {
                _cleanup_(identity_done) Identity identity = IDENTITY_NULL;

                assert_int_equal(identity_from_fd(copies[i], &identity), 0);
                assert_ptr_equal(registry_find(r, &identity), i == 1 ? NULL : entries[i]);
        }
        /* Its last fd is not closed here and now. */
        assert_int_equal(registry_take_closing(r, &closing), 1);
        assert_true(fcntl(closing[0], F_GETFD) >= 0);
        safe_close(closing[0]);
        free(closing);
        assert_int_equal(registry_take_closing(r, &closing), 0);
        assert_null(closing);

        registry_remove(r, entries[0]);
        registry_remove(r, entries[2]);
        assert_int_equal(registry_take_closing(r, &closing), 2);
        safe_close(closing[0]);
        safe_close(closing[1]);
        free(closing);
        for (size_t i = 0; i < 3; i++)
                safe_close(copies[i]);
}

static void test_open_files_are_told_apart(void **state) {
        check_open_files(*state);
        identity_no_kcmp = true;
        check_open_files(*state);
        identity_no_kcmp = false;
}

static void test_entries_move_with_the_registry(void **state) {
        Registry *r = *state, to;
        Identity file = IDENTITY_NULL;
        RegistryEntry *inode = add_inode(r, 1, 1, 1, 1), *open_file;
        int fd = eventfd(0, EFD_CLOEXEC);

        identity_no_kcmp = true;
        assert_int_equal(identity_from_fd(fd, &file), 0);
        assert_int_equal(registry_add(r, &file, 1, 2, &open_file), 0);
        registry_move(&to, r);
        assert_int_equal(r->n, 0);
        assert_null(find_inode(r, 1, 1));
        assert_ptr_equal(find_inode(&to, 1, 1), inode);
        assert_int_equal(identity_from_fd(fd, &file), 0);
        assert_null(registry_find(r, &file));
        assert_ptr_equal(registry_find(&to, &file), open_file);
        identity_done(&file);
        registry_done(&to);
        identity_no_kcmp = false;
        safe_close(fd);
}

#define MANY 100000U

static uint64_t random_next(uint64_t *state) {
        *state = *state * 6364136223846793005U + 1442695040888963407U;
        return *state >> 33;
}

/* Against a plain table, in any order. */
static void test_hundred_thousand_objects_come_and_go(void **state) {
        Registry *r = *state;
        RegistryEntry **entries = calloc(MANY, sizeof(*entries));
        uint64_t random = 1;
        size_t n = 0;

        assert_non_null(entries);
        for (unsigned i = 0; i < MANY; i++)
                entries[i] = add_inode(r, i % 7, i, i / 16, i % 16);
        assert_int_equal(r->n, MANY);
        for (unsigned i = 0; i < MANY; i++)
                assert_ptr_equal(find_inode(r, i % 7, i), entries[i]);
        assert_null(find_inode(r, 7, 0));
        assert_null(find_inode(r, 0, MANY * 7));

        for (unsigned step = 0; step < 4 * MANY; step++) {
                unsigned i = (unsigned) (random_next(&random) % MANY);

                if (entries[i])
                        entries[i] = registry_remove(r, entries[i]);
                else
                        entries[i] = add_inode(r, i % 7, i, step, i);
        }
        for (unsigned i = 0; i < MANY; i++) {
                assert_ptr_equal(find_inode(r, i % 7, i), entries[i]);
                n += entries[i] != NULL;
        }
        assert_int_equal(r->n, n);
        free(entries);
}

static int deepest;

static void note_depth(const void *node, VISIT which, int depth) {
        deepest = MAX(deepest, depth);
}

/* Entered in order, the worst for a tree that does not balance itself. Not by the clock, which tells more of the machine. */
static void test_lookup_takes_few_steps_however_many_there_are(void **state) {
        Registry *r = *state;

        for (unsigned i = 0; i < MANY; i++)
                add_inode(r, 1, i, 1, i);
        deepest = 0;
        twalk(r->tree, note_depth);
        assert_true(deepest >= 16 && deepest <= 36); /* log2(MANY), and twice that */
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_one_object_has_one_keeper, setup, teardown),
                cmocka_unit_test_setup_teardown(test_object_is_free_again_once_it_was_removed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_open_files_are_told_apart, setup, teardown),
                cmocka_unit_test_setup_teardown(test_entries_move_with_the_registry, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hundred_thousand_objects_come_and_go, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lookup_takes_few_steps_however_many_there_are, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
