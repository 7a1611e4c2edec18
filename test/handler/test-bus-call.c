/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>

#include "luod-limits.h"
#include "world.h"

/* luod on a bus whose driver takes its time: who calls is asked for once, and nobody waits for that but the caller. */

#define CALLS_MAX 128U

typedef struct Driver {
        World *world;
        sd_bus *luod, *bus; /* luod's connection, and the other end */
        Bus face;
        bool slow;          /* questions about ":1.7" are not answered before driver_answer() */
        bool says_nothing;  /* it does not know anybody */
        sd_bus_message *question;
        unsigned n_questions;
        struct {
                uint64_t cookie;
                char error[64]; /* "": success */
        } replies[CALLS_MAX];   /* in the order in which they came */
        unsigned n_replies;
} Driver;

static void answer(Driver *d, sd_bus_message *question, const char *name) {
        uint32_t uid = streq(name, ":1.7") ? OTHER_UID : 0;

        if (d->says_nothing)
                (void) sd_bus_reply_method_errorf(question, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "Nobody");
        else
                (void) sd_bus_reply_method_return(question, "a{sv}", 4, "UnixUserID", "u", uid, "ProcessID", "u",
                                                  (uint32_t) getpid(), "UnixGroupIDs", "au", 2, uid, 17U, "LinuxSecurityLabel", "ay", 2,
                                                  'a', 0);
}

static void driver_answer(Driver *d) {
        assert_non_null(d->question);
        answer(d, d->question, ":1.7");
        d->question = sd_bus_message_unref(d->question);
        world_settle(d->world);
}

static void note_reply(Driver *d, sd_bus_message *m) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        if (d->n_replies >= CALLS_MAX || sd_bus_message_get_reply_cookie(m, &d->replies[d->n_replies].cookie) < 0)
                abort();
        (void) snprintf(d->replies[d->n_replies++].error, sizeof(d->replies->error), "%s", e ? e->name : "");
}

/* All that luod sends. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Driver *d = userdata;
        const char *name;

        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello"))
                return sd_bus_reply_method_return(m, "s", ":1.1");
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "AddMatch") ||
            sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "RemoveMatch"))
                return sd_bus_reply_method_return(m, NULL);
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "GetConnectionCredentials")) {
                d->n_questions++;
                if (sd_bus_message_read(m, "s", &name) < 0)
                        abort();
                if (d->slow && streq(name, ":1.7"))
                        d->question = sd_bus_message_ref(m);
                else
                        answer(d, m, name);
                return 1;
        }
        if (!sd_bus_message_is_signal(m, NULL, NULL))
                note_reply(d, m);
        return 1;
}

static int driver_setup(void **state) {
        Driver *d = calloc(1, sizeof(*d));
        sd_id128_t id;
        int pair[2];

        d->world = world_new();
        if (world_start(d->world) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
            sd_bus_new(&d->bus) < 0 || sd_bus_set_fd(d->bus, pair[0], pair[0]) < 0 || sd_id128_randomize(&id) < 0 ||
            sd_bus_set_server(d->bus, true, id) < 0 || sd_bus_add_filter(d->bus, NULL, on_message, d) < 0 ||
            sd_bus_start(d->bus) < 0 || sd_bus_attach_event(d->bus, d->world->event, 0) < 0)
                return -1;
        if (sd_bus_new(&d->luod) < 0 || sd_bus_set_fd(d->luod, pair[1], pair[1]) < 0 || sd_bus_set_bus_client(d->luod, true) < 0 ||
            sd_bus_start(d->luod) < 0 || sd_bus_attach_event(d->luod, d->world->event, 0) < 0)
                return -1;
        if (bus_init(&d->face, d->world->manager, d->luod) < 0)
                return -1;
        world_settle(d->world);
        *state = d;
        return 0;
}

static int driver_teardown(void **state) {
        World *w;
        Driver *d = *state;

        bus_done(&d->face);
        sd_bus_message_unref(d->question);
        sd_bus_close_unref(d->luod);
        sd_bus_close_unref(d->bus);
        w = d->world;
        free(d);
        *state = w;
        return world_teardown(state);
}

/* Returns the call's cookie. */
static uint64_t call(Driver *d, const char *sender, const char *path, const char *interface, const char *member, const char *types, ...) {
        sd_bus_message *m;
        uint64_t cookie;
        va_list ap;

        va_start(ap, types);
        assert_true(sd_bus_message_new_method_call(d->bus, &m, LUOD_BUS_NAME, path, interface, member) >= 0);
        assert_true(!types || sd_bus_message_appendv(m, types, ap) >= 0);
        assert_true(sd_bus_message_set_sender(m, sender) >= 0);
        assert_true(sd_bus_send(d->bus, m, &cookie) >= 0);
        sd_bus_message_unref(m);
        va_end(ap);
        return cookie;
}

static uint64_t create_as(Driver *d, const char *sender, const char *name) {
        return call(d, sender, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "CreateSession", "sa{sv}", name, 0);
}

static void say_gone(Driver *d, const char *name) {
        sd_bus_message *m;

        assert_true(sd_bus_message_new_signal(d->bus, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged") >= 0);
        assert_true(sd_bus_message_append(m, "sss", name, name, "") >= 0);
        assert_true(sd_bus_message_set_sender(m, "org.freedesktop.DBus") >= 0);
        assert_true(sd_bus_send(d->bus, m, NULL) >= 0);
        sd_bus_message_unref(m);
        world_settle(d->world);
}

#define assert_reply(d, i, cookie_, error_)                                    \
        do {                                                                   \
                assert_true((i) < (d)->n_replies);                             \
                assert_int_equal((d)->replies[i].cookie, cookie_);             \
                assert_string_equal((d)->replies[i].error, error_);            \
        } while (0)

static void test_a_slow_answer_about_one_is_awaited_by_nobody_else(void **state) {
        Driver *d = *state;
        uint64_t slow, quick, property;

        d->slow = true;
        slow = create_as(d, ":1.7", "slow");
        quick = create_as(d, ":1.8", "quick");
        property = call(d, ":1.8", "/org/luod1/session/quick", "org.freedesktop.DBus.Properties", "Get", "ss", LUOD_INTERFACE_SESSION,
                        "Owner");
        world_settle(d->world);
        assert_int_equal(d->n_replies, 2);
        assert_reply(d, 0, quick, "");
        assert_reply(d, 1, property, "");

        driver_answer(d);
        assert_int_equal(d->n_replies, 3);
        assert_reply(d, 2, slow, "");
        assert_int_equal(find_session(d->world, "slow")->record.uid, OTHER_UID);
        assert_int_equal(find_session(d->world, "quick")->record.uid, 0);
}

/* Also of those that come while the ones before them are on their way for the second time. */
static void test_the_order_of_one_senders_calls_is_kept(void **state) {
        Driver *d = *state;
        uint64_t cookies[6];
        char name[16];

        d->slow = true;
        for (unsigned i = 0; i < 3; i++) {
                (void) snprintf(name, sizeof(name), "s%u", i);
                cookies[i] = create_as(d, ":1.7", name);
        }
        world_settle(d->world);
        assert_int_equal(d->n_replies, 0);

        /* The answer and three more calls are there in one go. */
        answer(d, d->question, ":1.7");
        d->question = sd_bus_message_unref(d->question);
        cookies[3] = call(d, ":1.7", "/org/luod1/session/s2", LUOD_INTERFACE_SESSION, "Discard", NULL);
        cookies[4] = call(d, ":1.7", LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "GetSession", "s", "s1");
        cookies[5] = call(d, ":1.7", LUOD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", LUOD_INTERFACE_MANAGER,
                          "NSessions");
        world_settle(d->world);
        assert_int_equal(d->n_replies, 6);
        for (unsigned i = 0; i < 3; i++)
                assert_reply(d, i, cookies[i], "");
        for (unsigned i = 3; i < 6; i++)
                assert_string_equal(d->replies[i].error, "");
        assert_int_equal(d->n_questions, 1);
        assert_int_equal(d->face.calls.n_held, 0);
}

static void test_a_sender_is_asked_for_once_and_forgotten_when_it_leaves(void **state) {
        Driver *d = *state;

        for (unsigned i = 0; i < 5; i++) {
                (void) call(d, ":1.7", LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", NULL);
                world_settle(d->world);
        }
        assert_int_equal(d->n_questions, 1);
        assert_int_equal(d->face.calls.n_senders, 1);

        say_gone(d, ":1.7");
        assert_int_equal(d->face.calls.n_senders, 0);
        (void) call(d, ":1.7", LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", NULL);
        world_settle(d->world);
        assert_int_equal(d->n_questions, 2);
        assert_int_equal(d->n_replies, 6);
}

static void test_who_leaves_before_it_is_known_is_not_served(void **state) {
        Driver *d = *state;

        d->slow = true;
        (void) create_as(d, ":1.7", "vm");
        world_settle(d->world);
        say_gone(d, ":1.7");
        assert_int_equal(d->face.calls.n_senders, 0);
        assert_int_equal(d->face.calls.n_held, 0);
        driver_answer(d); /* to a question that nobody has any more */
        assert_null(find_session(d->world, "vm"));
        assert_int_equal(d->n_replies, 0);
}

static void test_nobody_whom_the_bus_does_not_know_is_served(void **state) {
        Driver *d = *state;
        uint64_t first, second;

        d->slow = true;
        first = create_as(d, ":1.7", "vm");
        second = call(d, ":1.7", LUOD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "GetAll", "s", LUOD_INTERFACE_MANAGER);
        world_settle(d->world);
        d->says_nothing = true;
        driver_answer(d);
        assert_int_equal(d->n_replies, 2);
        assert_reply(d, 0, first, SD_BUS_ERROR_ACCESS_DENIED);
        assert_reply(d, 1, second, SD_BUS_ERROR_ACCESS_DENIED);
        assert_null(find_session(d->world, "vm"));

        /* it may have been the bus's bad moment */
        d->says_nothing = d->slow = false;
        (void) create_as(d, ":1.7", "vm");
        world_settle(d->world);
        assert_non_null(find_session(d->world, "vm"));
}

static void test_only_so_many_calls_of_a_sender_wait(void **state) {
        unsigned n_refused = 0;
        Driver *d = *state;

        d->slow = true;
        for (unsigned i = 0; i < CALLS_HELD_PER_SENDER_MAX + 10; i++)
                (void) call(d, ":1.7", LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", NULL);
        world_settle(d->world);
        for (unsigned i = 0; i < d->n_replies; i++)
                n_refused += streq(d->replies[i].error, SD_BUS_ERROR_LIMITS_EXCEEDED);
        assert_int_equal(n_refused, 10);
        assert_int_equal(d->face.calls.n_held, CALLS_HELD_PER_SENDER_MAX);

        driver_answer(d);
        assert_int_equal(d->n_replies, CALLS_HELD_PER_SENDER_MAX + 10);
        assert_int_equal(d->face.calls.n_held, 0);
}

/* Of those who left without a word, too. */
static void test_only_so_many_senders_are_remembered(void **state) {
        Driver *d = *state;
        char name[16];

        for (unsigned i = 0; i < SENDERS_MAX + 20; i++) {
                (void) snprintf(name, sizeof(name), ":2.%u", i);
                (void) call(d, name, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", NULL);
                if (i % 100 == 99 || i >= SENDERS_MAX + 19) {
                        d->n_replies = 0;
                        world_settle(d->world);
                }
        }
        assert_int_equal(d->face.calls.n_senders, SENDERS_MAX);
        assert_int_equal(d->n_questions, SENDERS_MAX + 20);
        (void) call(d, ":2.0", LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", NULL);
        (void) call(d, ":2.1000", LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", NULL);
        world_settle(d->world);
        assert_int_equal(d->n_questions, SENDERS_MAX + 21);
}

/* Without a bus nobody checks what a message says of its sender. */
static void test_a_peer_can_not_pass_for_another(void **state) {
        Driver *d = *state;
        World *w = d->world;
        sd_bus_message *m = manager_message(w, OTHER, "CreateSession");

        assert_true(sd_bus_message_append(m, "sa{sv}", "vm", 0) >= 0);
        assert_true(sd_bus_message_set_sender(m, ":1.8") >= 0);
        assert_success(w, world_send(w, OTHER, m, NULL));
        assert_int_equal(find_session(w, "vm")->record.uid, OTHER_UID);
}

int main(void) {
        world_require();
        const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, driver_setup, driver_teardown)
                TEST(test_a_slow_answer_about_one_is_awaited_by_nobody_else),
                TEST(test_the_order_of_one_senders_calls_is_kept),
                TEST(test_a_sender_is_asked_for_once_and_forgotten_when_it_leaves),
                TEST(test_who_leaves_before_it_is_known_is_not_served),
                TEST(test_nobody_whom_the_bus_does_not_know_is_served),
                TEST(test_only_so_many_calls_of_a_sender_wait),
                TEST(test_only_so_many_senders_are_remembered),
                TEST(test_a_peer_can_not_pass_for_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
