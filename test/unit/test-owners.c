/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "luod-limits.h"
#include "macro.h"
#include "owners.h"

static char proc[32];

/* Some of these users must own directories: root's test only, others have but themselves. */
static void make_process(const char *name, uid_t uid) {
        char path[64];

        (void) snprintf(path, sizeof(path), "%s/%s", proc, name);
        assert_int_equal(mkdir(path, 0555), 0);
        if (uid != geteuid() && chown(path, uid, (gid_t) -1) < 0)
                skip();
}

static int setup(void **state) {
        strcpy(proc, "/tmp/test-owners.XXXXXX");
        return mkdtemp(proc) ? 0 : -1;
}

static int teardown(void **state) {
        char command[64];

        (void) snprintf(command, sizeof(command), "rm -r '%s'", proc);
        return system(command);
}

static void test_owners_are_sorted_and_there_once(void **state) {
        Owner owners[] = { { .uid = 7 }, { .uid = 3 }, { .uid = 7 }, { .uid = 4000000000U }, { .uid = 3 } };

        assert_int_equal(owners_sort(owners, 5), 3);
        assert_int_equal(owners[0].uid, 3);
        assert_int_equal(owners[1].uid, 7);
        assert_int_equal(owners[2].uid, 4000000000U);
        assert_ptr_equal(owners_find(owners, 3, 7), owners + 1);
        assert_null(owners_find(owners, 3, 5));
        assert_int_equal(owners_sort(owners, 0), 0);
        assert_null(owners_find(owners, 0, 7));
}

static void test_processes_are_looked_at_once_a_second(void **state) {
        Owner owners[] = { { .uid = 1000 }, { .uid = 1001 } };
        OwnersSeen seen = {};

        make_process("1", geteuid());
        make_process("20", 1001);
        assert_int_equal(owners_find_processes_seldom(&seen, proc, owners, 2, 10000000, 5), 0);
        assert_true(!owners[0].lives && owners[1].lives);
        make_process("21", 1000);
        owners[1].lives = false;
        assert_int_equal(owners_find_processes_seldom(&seen, proc, owners, 2, 10000000, OWNERS_SEEN_USEC + 4), 0);
        assert_true(!owners[0].lives && owners[1].lives);
        /* Of others nothing is known. */
        owners[1] = (Owner) {};
        assert_int_equal(owners_find_processes_seldom(&seen, proc, owners, 1, 10000000, OWNERS_SEEN_USEC + 4), 0);
        assert_true(owners[0].lives);
        owners[0].lives = false;
        assert_int_equal(owners_find_processes_seldom(&seen, proc, owners, 1, 10000000, 2 * OWNERS_SEEN_USEC + 4), 0);
        assert_true(owners[0].lives);
        owners_seen_done(&seen);
}

static void test_an_owner_with_a_process_lives(void **state) {
        Owner owners[] = { { .uid = 1000 }, { .uid = 1001 }, { .uid = 1002 } };

        make_process("1", geteuid());
        make_process("20", 1001);
        make_process("21", 1001);
        make_process("notaprocess", 1002);
        assert_int_equal(owners_find_processes(proc, owners, 3, 10000000), 0);
        assert_false(owners[0].lives);
        assert_true(owners[1].lives);
        assert_false(owners[2].lives);
}

static void test_what_can_not_be_seen_is_not_known(void **state) {
        Owner owners[] = { { .uid = 1000 } };

        make_process("20", geteuid()); /* without PID 1 */
        assert_int_equal(owners_find_processes(proc, owners, 1, 10000000), -ENODATA);
        assert_int_equal(owners_find_processes("/nonexistent", owners, 1, 10000000), -ENOENT);
}

static void test_names_are_read_from_a_passwd(void **state) {
        Owner owners[] = { { .uid = 1 }, { .uid = 100 }, { .uid = 1000 }, { .uid = 4294967294U } };
        char path[64];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/passwd", proc);
        f = fopen(path, "we");
        assert_non_null(f);
        fputs("root:x:0:0::/:/bin/sh\nalice:x:1000:1000:,,,:/home:/bin/sh\n\n+\nx:y\nbroken:x:100\nb:x:1a:\n"
              "wide:x:8589934591:0:::\nnobody:x:4294967294:0:::\n",
              f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(owners_find_names(path, owners, 4), 0);
        assert_false(owners[0].named);
        assert_false(owners[1].named);
        assert_true(owners[2].named);
        assert_true(owners[3].named);
        assert_int_equal(owners_find_names("/nonexistent", owners, 4), -ENOENT);
}

static void test_looking_at_many_processes_has_an_end(void **state) {
        Owner owners[] = { { .uid = 4000000000U } };
        char name[16];

        for (unsigned i = 1; i <= 64; i++) {
                (void) snprintf(name, sizeof(name), "%u", i);
                make_process(name, geteuid());
        }
        assert_int_equal(owners_find_processes(proc, owners, 1, 0), -ETIME);
        assert_int_equal(owners_find_processes(proc, owners, 1, 10000000), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_owners_are_sorted_and_there_once),
                cmocka_unit_test_setup_teardown(test_processes_are_looked_at_once_a_second, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_owner_with_a_process_lives, setup, teardown),
                cmocka_unit_test_setup_teardown(test_looking_at_many_processes_has_an_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_can_not_be_seen_is_not_known, setup, teardown),
                cmocka_unit_test_setup_teardown(test_names_are_read_from_a_passwd, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
