/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "macro.h"
#include "unit-file.h"

static char top[] = "/tmp/test-unit-file.XXXXXX";
static char etc[64], lib[64];
static const char *const directories[] = { etc, lib, NULL };

static void put(const char *directory, const char *name, const char *text) {
        char path[256];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
        char path[128];

        strcpy(top, "/tmp/test-unit-file.XXXXXX");
        assert_non_null(mkdtemp(top));
        (void) snprintf(etc, sizeof(etc), "%s/etc", top);
        (void) snprintf(lib, sizeof(lib), "%s/lib", top);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(mkdir(directories[i], 0700), 0);
                (void) snprintf(path, sizeof(path), "%s/luod.service.d", directories[i]);
                assert_int_equal(mkdir(path, 0700), 0);
        }
        put(lib, "luod.service",
            "[Service]\nExecStart=/usr/lib/luod/luod\nFileDescriptorStoreMax=1016\n# FileDescriptorStoreMax=1\n"
            " FileDescriptorStorePreserve = yes \n");
        return 0;
}

static int teardown(void **state) {
        char command[128];

        (void) snprintf(command, sizeof(command), "rm -r '%s'", top);
        return system(command);
}

static UnitFile read_unit(void) {
        UnitFile u;

        assert_int_equal(unit_file_read(directories, "luod.service", &u), 0);
        return u;
}

static void test_the_shipped_unit_is_read(void **state) {
        UnitFile u = read_unit();

        assert_true(u.found && u.startable && u.preserve && !u.masked);
        assert_int_equal(u.store_max, 1016);
}

static void test_a_drop_in_lowers_the_store(void **state) {
        put(etc, "luod.service.d/b.conf", "[Service]\nFileDescriptorStoreMax=4\n");
        put(lib, "luod.service.d/a.conf", "[Service]\nFileDescriptorStoreMax=8\nFileDescriptorStorePreserve=no\n");
        assert_int_equal(read_unit().store_max, 4);
        assert_false(read_unit().preserve);
}

static void test_the_first_directory_hides_a_drop_in_of_the_same_name(void **state) {
        put(lib, "luod.service.d/a.conf", "[Service]\nFileDescriptorStoreMax=8\n");
        put(etc, "luod.service.d/a.conf", "");
        assert_int_equal(read_unit().store_max, 1016);
}

static void test_a_masked_unit_is_seen(void **state) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/luod.service", etc);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_true(read_unit().masked);
        assert_int_equal(unlink(path), 0);
        put(etc, "luod.service", "");
        assert_true(read_unit().masked);
}

static void test_a_unit_without_a_command_is_seen(void **state) {
        put(etc, "luod.service.d/x.conf", "[Service]\nExecStart=\n");
        assert_false(read_unit().startable);
        put(etc, "luod.service.d/x.conf", "[Service]\nExecStart=\nExecStart=/bin/other\n");
        assert_true(read_unit().startable);
}

static void test_a_missing_unit_is_seen(void **state) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/luod.service", lib);
        assert_int_equal(unlink(path), 0);
        assert_false(read_unit().found);
}

static void link_to(const char *target, const char *directory, const char *wants) {
        char path[256];

        (void) snprintf(path, sizeof(path), "%s/%s", directory, wants);
        (void) mkdir(path, 0700);
        (void) strcat(path, "/luod.service");
        (void) unlink(path);
        assert_int_equal(symlink(target, path), 0);
}

static bool is_enabled(void) {
        return unit_file_is_enabled(directories, "luod.service");
}

static void test_a_unit_is_enabled_by_a_link_in_any_directory(void **state) {
        assert_false(is_enabled());
        link_to("../luod.service", lib, "luod.service.d"); /* not such a directory */
        link_to("../luod.service", lib, ".wants");
        assert_false(is_enabled());
        link_to("../luod.service", lib, "multi-user.target.wants");
        assert_true(is_enabled());
}

static void test_an_enabled_unit_may_be_required_from_etc(void **state) {
        link_to("/usr/lib/systemd/system/luod.service", etc, "some@x.target.requires");
        assert_true(is_enabled());
}

static void test_a_link_to_nothing_takes_back_what_comes_after_it(void **state) {
        link_to("../luod.service", lib, "multi-user.target.wants");
        link_to("/dev/null", etc, "multi-user.target.wants");
        assert_false(is_enabled());
        link_to("../luod.service", etc, "other.target.wants");
        assert_true(is_enabled());
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_shipped_unit_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_drop_in_lowers_the_store, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_first_directory_hides_a_drop_in_of_the_same_name,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_masked_unit_is_seen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_unit_without_a_command_is_seen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_missing_unit_is_seen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_unit_is_enabled_by_a_link_in_any_directory, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_an_enabled_unit_may_be_required_from_etc, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_link_to_nothing_takes_back_what_comes_after_it, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
