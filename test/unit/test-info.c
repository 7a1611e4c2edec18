/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "info.h"
#include "macro.h"

/* A connection only gives messages their byte order: nothing is ever sent. */
typedef struct Fixture {
        sd_bus *bus;
        sd_bus_message *m;
        int other_end;
        ManagerInfo manager;
        SessionInfo session;
        IdentificationInfo identification;
        SessionRows rows;
        Findings findings;
} Fixture;

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        int fds[2];

        assert_non_null(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        f->other_end = fds[1];
        assert_true(sd_bus_new(&f->bus) >= 0);
        assert_true(sd_bus_set_fd(f->bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_start(f->bus) >= 0);
        assert_true(sd_bus_message_new_signal(f->bus, &f->m, "/", "test.Test", "Test") >= 0);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        manager_info_done(&f->manager);
        session_info_done(&f->session);
        identification_info_done(&f->identification);
        session_rows_done(&f->rows);
        findings_done(&f->findings);
        sd_bus_message_unref(f->m);
        sd_bus_close_unref(f->bus);
        close(f->other_end);
        free(f);
        return 0;
}

/* From writing to reading. */
static void turn(Fixture *f) {
        assert_true(sd_bus_message_seal(f->m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(f->m, /* complete= */ true) >= 0);
}

static uint64_t present(const Property *properties, const char *name) {
        for (size_t i = 0; properties[i].name; i++)
                if (streq(properties[i].name, name))
                        return UINT64_C(1) << i;
        fail();
        return 0;
}

static void test_properties_land_in_their_fields(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a{sv}",
                                          4,
                                          "Custody", "s", "fdstore",
                                          "BootedByLiveUpdate", "b", 1,
                                          "NFiles", "u", UINT32_MAX,
                                          "KeptBytes", "t", UINT64_MAX) >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, manager_properties, &f->manager), 0);
        assert_string_equal(f->manager.custody, "fdstore");
        assert_true(f->manager.booted_by_live_update);
        assert_int_equal(f->manager.n_files, UINT32_MAX);
        assert_true(f->manager.kept_bytes == UINT64_MAX);
        assert_null(f->manager.ledger);
        assert_true(f->manager.present & present(manager_properties, "Custody"));
        assert_false(f->manager.present & present(manager_properties, "Ledger"));
}

static void test_properties_of_a_newer_luod_are_passed_over(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a{sv}",
                                          2,
                                          "Future", "a(sv)", 1, "x", "u", 7,
                                          "Name", "s", "vm-1") >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, session_properties, &f->session), 0);
        assert_string_equal(f->session.name, "vm-1");
}

static void test_a_property_of_another_type_is_refused(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m, "a{sv}", 1, "Owner", "s", "root") >= 0);
        turn(f);

        assert_true(info_read(f->m, session_properties, &f->session) < 0);
}

static void test_files_and_metadata_come_complete(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a{sv}",
                                          3,
                                          "Files", "a(tsstuss)", 2,
                                          UINT64_MAX, "ram", "memfd", UINT64_C(4096), 0600U, "rw", "kept",
                                          UINT64_C(0), "", "file", UINT64_C(0), 0U, "ro", "failed",
                                          "Metadata", "a{say}", 2,
                                          "empty", 0,
                                          "key", 3, 0xff, 0, 'x',
                                          "Flags", "as", 1, "parts-missing") >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, session_properties, &f->session), 0);
        assert_int_equal(f->session.files.n_items, 2);
        assert_true(f->session.files.items[0].token == UINT64_MAX);
        assert_string_equal(f->session.files.items[0].label, "ram");
        assert_int_equal(f->session.files.items[0].mode, 0600);
        assert_string_equal(f->session.files.items[1].state, "failed");
        assert_int_equal(f->session.metadata.n_items, 2);
        assert_int_equal(f->session.metadata.items[0].size, 0);
        assert_string_equal(f->session.metadata.items[1].key, "key");
        assert_memory_equal(f->session.metadata.items[1].value, "\xff\0x", 3);
        assert_int_equal(f->session.flags.n_items, 1);
        assert_string_equal(f->session.flags.items[0], "parts-missing");
}

static void test_a_property_sent_twice_counts_once(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a{sv}",
                                          4,
                                          "Name", "s", "a",
                                          "Flags", "as", 1, "x",
                                          "Name", "s", "b",
                                          "Flags", "as", 1, "y") >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, session_properties, &f->session), 0);
        assert_string_equal(f->session.name, "b");
        assert_int_equal(f->session.flags.n_items, 1);
}

static void test_rows_are_sorted_by_name(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a(ssuuto)",
                                          2,
                                          "b", "outgoing", 0U, 1U, UINT64_C(10), "/b",
                                          "a", "incoming", 1000U, 2U, UINT64_C(20), "/a") >= 0);
        turn(f);

        assert_int_equal(session_rows_read(f->m, &f->rows), 0);
        assert_int_equal(f->rows.n_items, 2);
        assert_string_equal(f->rows.items[0].name, "a");
        assert_int_equal(f->rows.items[0].owner, 1000);
        assert_int_equal(f->rows.items[1].size, 10);
}

/* A keeper that the caller may not know is left out: the path of its session is an object path, not a string. */
static void test_identification_comes_with_or_without_the_keeper(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a{sv}",
                                          6,
                                          "Size", "t", UINT64_C(4096),
                                          "Seals", "as", 2, "grow", "shrink",
                                          "Kept", "b", 1,
                                          "Session", "s", "vm-1",
                                          "SessionPath", "o", "/org/luod1/session/vm_2d1",
                                          "Token", "t", UINT64_MAX) >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, identification_properties, &f->identification), 0);
        assert_true(f->identification.size == 4096);
        assert_int_equal(f->identification.seals.n_items, 2);
        assert_true(f->identification.kept);
        assert_string_equal(f->identification.session_path, "/org/luod1/session/vm_2d1");
        assert_true(f->identification.token == UINT64_MAX);
        assert_null(f->identification.direction);
        assert_true(f->identification.present & present(identification_properties, "SessionPath"));
        assert_false(f->identification.present & present(identification_properties, "Direction"));
}

static void test_there_may_be_no_findings(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m, "a(ssss)", 0) >= 0);
        turn(f);

        assert_int_equal(findings_read(f->m, &f->findings), 0);
        assert_int_equal(f->findings.n_items, 0);
}

static void test_managed_objects_give_all_sessions_by_name(void **state) {
        _cleanup_(session_infos_done) SessionInfos infos = {};
        Fixture *f = *state;

        assert_true(sd_bus_message_append(f->m,
                                          "a{oa{sa{sv}}}",
                                          3,
                                          "/org/luod1", 1, "org.luod1.Manager", 1, "Name", "u", 1U,
                                          "/org/luod1/session/b", 2,
                                          "org.freedesktop.DBus.Peer", 0,
                                          "org.luod1.Session", 2, "Name", "s", "b", "Claim", "s", "failed",
                                          "/org/luod1/session/a", 1,
                                          "org.luod1.Session", 2, "Name", "s", "a", "Errno", "u", 5U) >= 0);
        turn(f);

        assert_int_equal(session_infos_read(f->m, &infos), 0);
        assert_int_equal(infos.n_items, 2);
        assert_string_equal(infos.items[0].name, "a");
        assert_int_equal(infos.items[0].error, 5);
        assert_string_equal(infos.items[1].name, "b");
        assert_string_equal(infos.items[1].claim, "failed");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void append_bool(sd_bus_message *m, const char *key, int value) {
        assert_true(sd_bus_message_append(m, "{sv}", key, "b", value) >= 0);
}

static void test_loaded_kernel_is_read_with_what_is_in_it(void **state) {
        Fixture *f = *state;
        const KernelInfo *k = &f->manager.loaded_kernel;

        assert_true(sd_bus_message_open_container(f->m, 'a', "{sv}") >= 0);
        for (unsigned i = 0; i < 2; i++) { /* sent twice, it counts once */
                assert_true(sd_bus_message_open_container(f->m, 'e', "sv") >= 0);
                assert_true(sd_bus_message_append(f->m, "s", "LoadedKernel") >= 0);
                assert_true(sd_bus_message_open_container(f->m, 'v', "a{sv}") >= 0);
                assert_true(sd_bus_message_open_container(f->m, 'a', "{sv}") >= 0);
                append_bool(f->m, "Loaded", 1);
                assert_true(sd_bus_message_append(f->m, "{sv}{sv}{sv}", "Release", "s", "7.3.4", "OfANewerLuod", "t", UINT64_C(1),
                                                  "ByLuod", "s", "yes") >= 0);
                for (unsigned j = 0; j < 3; j++)
                        assert_true(sd_bus_message_close_container(f->m) >= 0);
        }
        assert_true(sd_bus_message_close_container(f->m) >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, manager_properties, &f->manager), 0);
        assert_true(k->loaded);
        assert_string_equal(k->release, "7.3.4");
        assert_string_equal(k->by_luod, "yes");
        assert_null(k->luo);
}

static void append_waiting(sd_bus_message *m, const char *name) {
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(m, "s", "WaitingFor") >= 0);
        assert_true(sd_bus_message_append(m, "v", "a(sss)", 2, "lock", "qemu", "flushing", "session", name,
                                          "") >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
}

static void test_who_is_waited_for_is_read_anew_each_time(void **state) {
        Fixture *f = *state;

        assert_true(sd_bus_message_open_container(f->m, 'a', "{sv}") >= 0);
        append_waiting(f->m, "first");
        append_waiting(f->m, "second");
        assert_true(sd_bus_message_append(f->m, "{sv}", "UpdateDeadline", "t", UINT64_C(7)) >= 0);
        assert_true(sd_bus_message_close_container(f->m) >= 0);
        turn(f);

        assert_int_equal(info_read(f->m, manager_properties, &f->manager), 0);
        assert_int_equal(f->manager.update_deadline, 7);
        assert_int_equal(f->manager.waiting_for.n_items, 2);
        assert_string_equal(f->manager.waiting_for.items[0].kind, "lock");
        assert_string_equal(f->manager.waiting_for.items[0].name, "qemu");
        assert_string_equal(f->manager.waiting_for.items[0].why, "flushing");
        assert_string_equal(f->manager.waiting_for.items[1].name, "second");
}

static void test_inhibitors_come_complete(void **state) {
        Fixture *f = *state;
        Inhibitors l = {};

        assert_true(sd_bus_message_append(f->m, "a(ssssuut)", 2, "update", "qemu", "flushing", "delay", 1000,
                                          77, UINT64_MAX, "update", "x", "", "block", 0, 1, (uint64_t) 2) >= 0);
        turn(f);

        assert_int_equal(inhibitors_read(f->m, &l), 0);
        assert_int_equal(l.n_items, 2);
        assert_string_equal(l.items[0].who, "qemu");
        assert_string_equal(l.items[0].why, "flushing");
        assert_int_equal(l.items[0].uid, 1000);
        assert_int_equal(l.items[0].pid, 77);
        assert_true(l.items[0].id == UINT64_MAX);
        assert_int_equal(l.items[1].id, 2);
        assert_string_equal(l.items[1].mode, "block");
        inhibitors_done(&l);
        assert_int_equal(l.n_items, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_properties_land_in_their_fields),
                TEST(test_properties_of_a_newer_luod_are_passed_over),
                TEST(test_a_property_of_another_type_is_refused),
                TEST(test_files_and_metadata_come_complete),
                TEST(test_a_property_sent_twice_counts_once),
                TEST(test_rows_are_sorted_by_name),
                TEST(test_identification_comes_with_or_without_the_keeper),
                TEST(test_there_may_be_no_findings),
                cmocka_unit_test_setup_teardown(test_managed_objects_give_all_sessions_by_name, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_loaded_kernel_is_read_with_what_is_in_it, set_up,
                                                tear_down),
                TEST(test_who_is_waited_for_is_read_anew_each_time),
                TEST(test_inhibitors_come_complete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
