/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "world.h"

/* --- CreateSession */

static void test_names_of_all_kinds_are_sessions(void **state) {
        World *w = *state;
        static const char *const names[] = {
                "a", "with space", "quote\"s' and \\", "Größe", "日本", "%41_41", "systemd2", "Systemd", "-", "a.b",
                "\xf0\x9f\x90\xa7",
                "this name has sixty-three bytes, which is as long as can be, it",
        };

        assert_int_equal(strlen(names[ARRAY_SIZE(names) - 1]), NAME_LENGTH_MAX);
        for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(closep) int fd = make_memfd(names[i]);

                assert_success(w, create(w, i % 2 ? OTHER : ROOT, names[i]));
                assert_success(w, preserve(w, ROOT, names[i], i, fd));
        }
        world_update(w);
        for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
                int back;

                assert_int_equal(find_session(w, names[i])->record.uid, i % 2 ? OTHER_UID : 0);
                assert_success(w, retrieve(w, i % 2 ? OTHER : ROOT, names[i], i, &back));
                assert_content(back, names[i]);
        }
}

static void test_names_that_cannot_be_are_refused(void **state) {
        World *w = *state;
        static const char *const names[] = {
                "", ".", "..", ".hidden", "a/b", "/", "systemd", "new\nline", "tab\t", "\x1b[2J", "\x7f", "\xc2\x85",
                "this name has sixty-four bytes, which is longer than can be, it.",
        };

        for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
                assert_refused(w, "InvalidName", create(w, ROOT, names[i]));
}

static void test_name_is_taken_once_the_answer_was_sent(void **state) {
        World *w = *state;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_refused(w, "SessionExists", create(w, ROOT, "vm1"));
        assert_refused(w, "SessionExists", create(w, OTHER, "vm1"));
        world_restart(w);
        assert_refused(w, "SessionExists", create(w, ROOT, "vm1"));
}

static void test_creation_without_an_answer_can_be_repeated_by_its_owner(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");

        assert_int_equal(op_create(w, "vm1", OTHER_UID), 0); /* nobody hears of it */
        world_restart(w);
        assert_int_equal(op_create(w, "vm1", OTHER_UID), 0);
        assert_int_equal(op_create(w, "vm1", 0), -ECANCELED);
        assert_int_equal(w->failure.kind, FAILURE_SESSION_EXISTS);
        assert_int_equal(w->manager->state.n_sessions, 1);

        /* Who keeps something in it knows of it. */
        assert_int_equal(op_preserve(w, "vm1", OTHER_UID, (uint64_t[]) { 1 }, &fd, 1, /* many= */ false), 0);
        assert_int_equal(op_create(w, "vm1", OTHER_UID), -ECANCELED);
        assert_int_equal(w->failure.kind, FAILURE_SESSION_EXISTS);
        world_check(w);
}

static int create_with_option(World *w, const char *key, const char *type, const char *content, ...) {
        sd_bus_message *m = manager_message(w, ROOT, "CreateSession");
        va_list ap;

        assert_true(sd_bus_message_append(m, "s", "vm1") >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        for (unsigned i = 0; i < (streq(key, "twice") ? 2 : 1); i++) {
                assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
                assert_true(sd_bus_message_append(m, "s", streq(key, "twice") ? "metadata" : key) >= 0);
                assert_true(sd_bus_message_open_container(m, 'v', type) >= 0);
                va_start(ap, content);
                assert_true(sd_bus_message_appendv(m, content, ap) >= 0);
                va_end(ap);
                assert_true(sd_bus_message_close_container(m) >= 0);
                assert_true(sd_bus_message_close_container(m) >= 0);
        }
        assert_true(sd_bus_message_close_container(m) >= 0);
        return world_send(w, ROOT, m, NULL);
}

static void test_options_that_are_not_known_are_refused(void **state) {
        World *w = *state;

        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, create_with_option(w, "colour", "s", "s", "blue"));
        assert_non_null(strstr(w->error_message, "colour"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, create_with_option(w, "metadata", "a{ss}", "a{ss}", 1, "k", "v"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, create_with_option(w, "twice", "a{say}", "a{say}", 0));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, create_with_option(w, "metadata", "a{say}", "a{say}", 1, "", 1, 'v'));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER,
                                                                "CreateSession", NULL, "s", "vm1"));
        assert_success(w, create_with_option(w, "metadata", "a{say}", "a{say}", 2, "k", 1, 'v', "gone", 0));
        assert_int_equal(find_session(w, "vm1")->n_metadata, 1);
        world_check(w);
}

static void test_users_have_a_quota_of_sessions(void **state) {
        World *w = *state;
        char name[32];

        for (unsigned i = 0; i < SESSIONS_PER_USER_MAX; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                assert_success(w, create(w, OTHER, name));
        }
        assert_refused(w, "QuotaExceeded", create(w, OTHER, "one more"));
        assert_success(w, create(w, ROOT, "root's"));
        assert_success(w, discard(w, OTHER, "s7"));
        assert_success(w, create(w, OTHER, "one more"));
        world_check(w);
        world_update(w);
        assert_int_equal(w->manager->state.n_sessions, SESSIONS_PER_USER_MAX + 1);
}

static void test_store_is_never_overfilled(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        unsigned n = 0;
        char name[32];

        w->store.capacity = 20;
        for (;; n++) {
                (void) snprintf(name, sizeof(name), "s%u", n);
                if (create(w, ROOT, name) < 0)
                        break;
                assert_true(w->store.n_stored <= 20);
        }
        assert_string_equal(w->error, LUOD_ERROR_QUOTA_EXCEEDED);
        assert_true(n > 10);
        world_check(w);
        assert_refused(w, "QuotaExceeded", create(w, ROOT, "one more"));
        /* What there is can be used, and a place that is free again, too. */
        assert_success(w, preserve(w, ROOT, "s0", 1, fd));
        assert_success(w, discard(w, ROOT, "s1"));
        assert_success(w, create(w, ROOT, "one more"));
        world_check(w);
        assert_true(w->store.n_stored <= 20);
}

/* --- GetSession, ListSessions, GetManagedObjects */

static void test_session_is_found_by_its_owner_and_root(void **state) {
        World *w = *state;
        _cleanup_free_ char *path = session_path("the vm");
        sd_bus_message *reply = NULL;
        const char *found;

        assert_success(w, create(w, OTHER, "the vm"));
        assert_success(w, create(w, ROOT, "root's"));
        for (unsigned i = 0; i < 2; i++) {
                assert_success(w, world_call(w, i ? ROOT : OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetSession",
                                            &reply, "s", "the vm"));
                assert_true(sd_bus_message_read(reply, "o", &found) > 0);
                assert_string_equal(found, path);
                sd_bus_message_unref(reply);
        }
        assert_refused(w, "NotOwner", world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetSession",
                                                 NULL, "s", "root's"));
        assert_refused(w, "NoSuchSession", world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetSession",
                                                      NULL, "s", "nobody's"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER,
                                                                "GetSession", NULL, "o", "/org/luod1"));
}

static unsigned list_sessions(World *w, ClientId client, char ret_last[static NAME_LENGTH_MAX + 1]) {
        const char *name, *direction, *path;
        sd_bus_message *reply = NULL;
        uint32_t uid, n_files;
        uint64_t n_bytes;
        unsigned n = 0;

        assert_success(w, world_call(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", &reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ssuuto)") > 0);
        for (; sd_bus_message_read(reply, "(ssuuto)", &name, &direction, &uid, &n_files, &n_bytes, &path) > 0; n++) {
                (void) snprintf(ret_last, NAME_LENGTH_MAX + 1, "%s", name);
                assert_string_equal(direction, "outgoing");
                if (client == OTHER)
                        assert_int_equal(uid, OTHER_UID);
                assert_int_equal(n_bytes, n_files * 5);
        }
        sd_bus_message_unref(reply);
        return n;
}

/* Names of the sessions that GetManagedObjects() has, with their number of files. */
static void managed_objects(World *w, ClientId client, char ret[static 512]) {
        sd_bus_message *reply = NULL;
        const char *path, *interface;
        _cleanup_free_ char *name = NULL;

        ret[0] = '\0';
        assert_success(w, world_call(w, client, LUOD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
                                    "GetManagedObjects", &reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") > 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                assert_true(sd_bus_message_read(reply, "o", &path) > 0);
                assert_true(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}") > 0);
                while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
                        assert_true(sd_bus_message_read(reply, "s", &interface) > 0);
                        if (streq(interface, LUOD_INTERFACE_SESSION)) {
                                name = (free(name), NULL);
                                assert_true(sd_bus_path_decode(path, LUOD_SESSION_PATH_PREFIX, &name) > 0);
                                (void) strcat(strcat(ret, name), " ");
                        }
                        assert_true(sd_bus_message_skip(reply, "a{sv}") > 0);
                        assert_true(sd_bus_message_exit_container(reply) > 0);
                }
                assert_true(sd_bus_message_exit_container(reply) > 0);
                assert_true(sd_bus_message_exit_container(reply) > 0);
        }
        sd_bus_message_unref(reply);
}

static void test_everybody_lists_what_is_theirs(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        char last[NAME_LENGTH_MAX + 1], objects[512];

        assert_int_equal(list_sessions(w, ROOT, last), 0);
        managed_objects(w, ROOT, objects);
        assert_string_equal(objects, "");

        assert_success(w, create(w, OTHER, "theirs"));
        assert_success(w, create(w, ROOT, "root's"));
        assert_success(w, preserve(w, ROOT, "root's", 1, fd));
        assert_int_equal(list_sessions(w, ROOT, last), 2);
        assert_string_equal(last, "root's");
        assert_int_equal(list_sessions(w, OTHER, last), 1);
        assert_string_equal(last, "theirs");

        managed_objects(w, OTHER, objects);
        assert_string_equal(objects, "theirs ");
        managed_objects(w, ROOT, objects);
        assert_non_null(strstr(objects, "theirs "));
        assert_non_null(strstr(objects, "root's "));
}

/* --- signals */

typedef struct Heard {
        char text[4096];
} Heard;

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Heard *h = userdata;
        const char *name, *path, *how = "";

        assert_true(sd_bus_message_read(m, "so", &name, &path) > 0);
        if (streq(sd_bus_message_get_member(m), "SessionRemoved"))
                assert_true(sd_bus_message_read(m, "s", &how) > 0);
        (void) strcat(strcat(strcat(h->text, sd_bus_message_get_member(m)), " "), name);
        (void) strcat(strcat(h->text, " "), how);
        (void) strcat(h->text, "\n");
        return 0;
}

static int on_interfaces_added(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Heard *h = userdata;
        const char *path, *interface, *property;

        assert_true(sd_bus_message_read(m, "o", &path) > 0);
        (void) strcat(strcat(strcat(h->text, "added "), path), "\n");
        assert_true(sd_bus_message_enter_container(m, 'a', "{sa{sv}}") > 0);
        assert_true(sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0);
        assert_true(sd_bus_message_read(m, "s", &interface) > 0);
        assert_string_equal(interface, LUOD_INTERFACE_SESSION);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &property) > 0);
                if (streq(property, "Metadata")) { /* goes to everybody: must be empty */
                        assert_true(sd_bus_message_enter_container(m, 'v', "a{say}") > 0);
                        assert_true(sd_bus_message_enter_container(m, 'a', "{say}") >= 0);
                        assert_int_equal(sd_bus_message_at_end(m, /* complete= */ false), 1);
                        assert_true(sd_bus_message_exit_container(m) > 0);
                        assert_true(sd_bus_message_exit_container(m) > 0);
                } else
                        assert_true(sd_bus_message_skip(m, "v") > 0);
                assert_true(sd_bus_message_exit_container(m) > 0);
        }
        return 0;
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Heard *h = userdata;
        const char *interface, *property;

        assert_true(sd_bus_message_read(m, "s", &interface) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") >= 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &property) > 0);
                assert_true(sd_bus_message_skip(m, "v") > 0);
                assert_true(sd_bus_message_exit_container(m) > 0);
                (void) strcat(strcat(strcat(h->text, "changed "), property), "\n");
        }
        assert_true(sd_bus_message_exit_container(m) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "s") > 0);
        while (sd_bus_message_read(m, "s", &property) > 0)
                (void) strcat(strcat(strcat(h->text, "invalidated "), property), "\n");
        return 0;
}

static void test_signals_tell_what_happens_and_no_secrets(void **state) {
        World *w = *state;
        sd_bus *bus = w->clients[ROOT].client;
        _cleanup_(closep) int fd = make_memfd("hello");
        Heard h = {};

        assert_true(sd_bus_match_signal(bus, NULL, NULL, NULL, LUOD_INTERFACE_MANAGER, NULL, on_signal, &h) >= 0);
        assert_true(sd_bus_match_signal(bus, NULL, NULL, NULL, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                                        on_interfaces_added, &h) >= 0);
        assert_true(sd_bus_match_signal(bus, NULL, NULL, NULL, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                        on_properties_changed, &h) >= 0);

        assert_success(w, create_with(w, OTHER, "theirs", "secret", "yes"));
        assert_non_null(strstr(h.text, "SessionNew theirs"));
        assert_non_null(strstr(h.text, "added /org/luod1/session/theirs"));
        assert_non_null(strstr(h.text, "changed NSessions"));
        h.text[0] = '\0';
        assert_success(w, preserve(w, ROOT, "theirs", 1, fd));
        assert_non_null(strstr(h.text, "invalidated Files"));
        assert_non_null(strstr(h.text, "changed NFiles"));
        h.text[0] = '\0';
        assert_success(w, set_metadata(w, OTHER, "theirs", "secret", "no"));
        assert_non_null(strstr(h.text, "invalidated Metadata"));
        h.text[0] = '\0';
        assert_success(w, discard(w, OTHER, "theirs"));
        assert_non_null(strstr(h.text, "SessionRemoved theirs discarded"));
}

/* --- properties and Check */

static void get_string(World *w, const char *property, char ret[static 512]) {
        sd_bus_message *reply = NULL;
        const char *value;

        assert_success(w, get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, property, "s", &reply));
        assert_true(sd_bus_message_read(reply, "s", &value) > 0);
        (void) snprintf(ret, 512, "%s", value);
        sd_bus_message_unref(reply);
}

static uint64_t get_number(World *w, const char *property, const char *type) {
        sd_bus_message *reply = NULL;
        uint64_t value = 0;
        uint32_t small = 0;

        assert_success(w, get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, property, type, &reply));
        assert_true(sd_bus_message_read_basic(reply, *type, *type == 't' ? (void *) &value : (void *) &small) > 0);
        sd_bus_message_unref(reply);
        return *type == 't' ? value : small;
}

static void test_properties_tell_how_it_is(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        sd_bus_message *reply = NULL;
        char text[512];

        get_string(w, "State", text);
        assert_string_equal(text, "idle");
        get_string(w, "KernelSupport", text);
        assert_string_equal(text, "supported");
        get_string(w, "Custody", text);
        assert_string_equal(text, "fdstore");
        get_string(w, "Ledger", text);
        assert_string_equal(text, "intact");
        assert_int_equal(get_number(w, "Generation", "t"), 0);
        assert_int_equal(get_number(w, "BootedByLiveUpdate", "b"), 0);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        assert_int_equal(get_number(w, "NSessions", "u"), 1);
        assert_int_equal(get_number(w, "NFiles", "u"), 1);
        assert_int_equal(get_number(w, "KeptBytes", "t"), 5);
        assert_int_equal(get_number(w, "LimitFilesPerSession", "u"), FILES_PER_SESSION_MAX);
        assert_int_equal(get_number(w, "NParts", "u"), w->manager->state.n_parts);
        w->store.capacity = 100;
        assert_int_equal(get_number(w, "LimitParts", "u"), 100);

        world_update(w);
        assert_int_equal(get_number(w, "Generation", "t"), 1);
        assert_int_equal(get_number(w, "BootedByLiveUpdate", "b"), 1);
        assert_refused(w, "org.freedesktop.DBus.Error.PropertyReadOnly",
                       world_call(w, ROOT, LUOD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "Set", &reply, "ssv",
                                  LUOD_INTERFACE_MANAGER, "NFiles", "u", 7));
}

/* The findings of Check() as "severity id" lines. */
static void check(World *w, char ret[static 1024]) {
        const char *severity, *id, *message, *fix;
        sd_bus_message *reply = NULL;

        ret[0] = '\0';
        assert_success(w, world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Check", &reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ssss)") > 0);
        while (sd_bus_message_read(reply, "(ssss)", &severity, &id, &message, &fix) > 0) {
                assert_true(strlen(message) > 0);
                assert_int_equal(strlen(fix) == 0, streq(severity, "ok"));
                (void) strcat(strcat(strcat(strcat(ret, severity), " "), id), "\n");
        }
        sd_bus_message_unref(reply);
}

static void test_check_says_what_stands_in_the_way(void **state) {
        World *w = *state;
        static const char *const ids[] = { "kernel",   "handlers", "custody", "ledger", "sessions",
                                           "incoming", "memory",   "files" /* "target": test-target.c */ };
        char text[1024];

        check(w, text);
        for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
                char line[32];

                (void) snprintf(line, sizeof(line), "ok %s\n", ids[i]);
                assert_non_null(strstr(text, line));
        }
        assert_null(strstr(text, "blocks"));
        w->store.state = CUSTODY_FDSTORE_NO_KEXEC;
        check(w, text);
        assert_non_null(strstr(text, "blocks custody\n"));
        w->store.state = CUSTODY_DEGRADED;
        check(w, text);
        assert_non_null(strstr(text, "blocks custody\n"));
        w->store.state = CUSTODY_FDSTORE;
        assert_success(w, create(w, ROOT, "vm1"));
        world_update(w);
        check(w, text);
        assert_non_null(strstr(text, "blocks incoming\n"));
}

/* --- where it can't work */

static void test_kernel_without_luo_is_said_and_all_is_refused(void **state) {
        World *w = *state;
        char text[1024];

        w->kernel.device_error = -ENOENT;
        assert_int_equal(world_start(w), 0);
        assert_refused(w, "KernelUnsupported", create(w, ROOT, "vm1"));
        get_string(w, "KernelSupport", text);
        assert_string_not_equal(text, "supported");
        assert_string_not_equal(text, "impaired");
        get_string(w, "KernelSupportMessage", text);
        assert_true(strlen(text) > 20);
        check(w, text);
        assert_non_null(strstr(text, "blocks kernel\n"));
        assert_int_equal(list_sessions(w, ROOT, text), 0);
}

static void test_impaired_kernel_is_said_and_all_is_refused(void **state) {
        World *w = *state;
        char text[1024];

        w->kernel.device_error = -EIO;
        assert_int_equal(world_start(w), 0);
        assert_refused(w, "Impaired", create(w, ROOT, "vm1"));
        get_string(w, "KernelSupport", text);
        assert_string_equal(text, "impaired");
        check(w, text);
        assert_non_null(strstr(text, "blocks kernel\n"));
}

static void on_idle(Manager *m, void *userdata) {
        *(int *) userdata += 1;
}

static void test_stopping_luod_refuses_what_comes_and_ends_what_is_there(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");
        Call call = CALL_NULL;
        sd_bus_message *m;
        int idle = 0, back;

        assert_success(w, create(w, ROOT, "vm1"));
        m = session_message(w, ROOT, "vm1", "Preserve");
        assert_true(sd_bus_message_append(m, "tsh", (uint64_t) 7, "", fd) >= 0);
        call_send(w, ROOT, m, &call);
        sd_bus_message_unref(m);
        while (w->manager->n_jobs == 0)
                assert_true(sd_event_run(w->event, 0) >= 0);
        manager_stop(w->manager, on_idle, &idle);
        assert_int_equal(idle, 0);
        assert_int_equal(call_wait(&call, NULL), 0);
        assert_int_equal(idle, 1);
        call_done(&call);

        assert_refused(w, "ShuttingDown", create(w, ROOT, "vm2"));
        assert_refused(w, "ShuttingDown", preserve(w, ROOT, "vm1", 8, fd));
        assert_refused(w, "ShuttingDown", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 8 }, &fd, 1));
        assert_refused(w, "ShuttingDown", retrieve(w, ROOT, "vm1", 7, &back));
        assert_refused(w, "ShuttingDown", set_metadata(w, ROOT, "vm1", "k", "v"));
        assert_refused(w, "ShuttingDown", discard(w, ROOT, "vm1"));
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", 7, &back));
        assert_content(back, "hello");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
#define TEST_DOWN(name) cmocka_unit_test_setup_teardown(name, world_setup_down, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_names_of_all_kinds_are_sessions),
                TEST(test_names_that_cannot_be_are_refused),
                TEST(test_name_is_taken_once_the_answer_was_sent),
                TEST(test_creation_without_an_answer_can_be_repeated_by_its_owner),
                TEST(test_options_that_are_not_known_are_refused),
                TEST(test_users_have_a_quota_of_sessions),
                TEST(test_store_is_never_overfilled),
                TEST(test_session_is_found_by_its_owner_and_root),
                TEST(test_everybody_lists_what_is_theirs),
                TEST(test_signals_tell_what_happens_and_no_secrets),
                TEST(test_properties_tell_how_it_is),
                TEST(test_check_says_what_stands_in_the_way),
                TEST_DOWN(test_kernel_without_luo_is_said_and_all_is_refused),
                TEST_DOWN(test_impaired_kernel_is_said_and_all_is_refused),
                TEST(test_stopping_luod_refuses_what_comes_and_ends_what_is_there),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
