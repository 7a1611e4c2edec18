/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "name-util.h"
#include "world.h"

/* Update(), Cancel(), Inhibit(), SetReady(), and what luod does when others shut the host down. The deadlines are real time. */

typedef struct Heard {
        unsigned n_prepare, n_over, n_finished;
        uint64_t deadline;
        char result[32], message[512];
} Heard;
static Heard heard;

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        if (sd_bus_message_is_signal(m, LUOD_INTERFACE_MANAGER, "PrepareForUpdate")) {
                uint64_t deadline;
                int start;

                assert_true(sd_bus_message_read(m, "bt", &start, &deadline) > 0);
                if (start) {
                        heard.n_prepare++;
                        heard.deadline = deadline;
                } else {
                        assert_int_equal(deadline, 0);
                        heard.n_over++;
                }
        } else if (sd_bus_message_is_signal(m, LUOD_INTERFACE_MANAGER, "UpdateFinished")) {
                const char *result, *message;

                assert_true(sd_bus_message_read(m, "ss", &result, &message) > 0);
                heard.n_finished++;
                (void) snprintf(heard.result, sizeof(heard.result), "%s", result);
                (void) snprintf(heard.message, sizeof(heard.message), "%s", message);
        }
        return 0;
}

/* The clients of a restarted luod are new ones. */
static void listen(World *w) {
        assert_true(sd_bus_add_filter(w->clients[ROOT].client, NULL, on_signal, NULL) >= 0);
}

static int setup(void **state) {
        World *w;

        heard = (Heard) {};
        if (world_setup(state) != 0)
                return -1;
        w = *state;
        listen(w);
        w->kexec.loaded = true;
        return 0;
}

static int call_manager(World *w, const char *member) {
        return world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, member, NULL, NULL);
}

static sd_bus_message *update_message(World *w, ClientId client, uint64_t deadline, bool force) {
        sd_bus_message *m = manager_message(w, client, "Update");

        assert_true(sd_bus_message_append(m, "a{sv}", 2, "deadline", "t", deadline, "force", "b", (int) force) >= 0);
        return m;
}

#define LONG (600ULL * 1000 * 1000)
#define SHORT (50ULL * 1000)

static void start_update(World *w, uint64_t deadline, bool force, Call *ret) {
        sd_bus_message *m = update_message(w, ROOT, deadline, force);

        call_send(w, ROOT, m, ret);
        sd_bus_message_unref(m);
        world_settle(w);
}

static int update(World *w, uint64_t deadline, bool force) {
        Call call = CALL_NULL;
        int r;

        start_update(w, deadline, force, &call);
        r = call_wait(&call, NULL);
        call_done(&call);
        world_settle(w);
        return r;
}

static int inhibit_as(World *w, ClientId client, const char *who, const char *why, const char *mode, int *ret_fd) {
        sd_bus_message *reply = NULL;
        int fd, r;

        r = world_call(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Inhibit", &reply, "ssss", "update", who, why, mode);
        if (r < 0)
                return r;
        assert_true(sd_bus_message_read(reply, "h", &fd) > 0);
        *ret_fd = fd_dup(fd);
        sd_bus_message_unref(reply);
        return 0;
}

static int set_ready(World *w, const char *session, bool ready) {
        _cleanup_free_ char *path = session_path(session);

        return world_call(w, ROOT, path, LUOD_INTERFACE_SESSION, "SetReady", NULL, "b", (int) ready);
}

static bool is_ready(World *w, const char *session) {
        _cleanup_free_ char *path = session_path(session);
        sd_bus_message *reply;
        int ready;

        assert_success(w, get_property(w, ROOT, path, LUOD_INTERFACE_SESSION, "Ready", "b", &reply));
        assert_true(sd_bus_message_read(reply, "b", &ready) > 0);
        sd_bus_message_unref(reply);
        return ready;
}

static void assert_state(World *w, const char *expected) {
        sd_bus_message *reply;
        const char *value;

        assert_success(w, get_property(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "State", "s", &reply));
        assert_true(sd_bus_message_read(reply, "s", &value) > 0);
        assert_string_equal(value, expected);
        sd_bus_message_unref(reply);
}

/* The names, with a blank after each. */
static void assert_waiting_for(World *w, const char *expected) {
        const char *kind, *name, *why;
        sd_bus_message *reply;
        char text[512] = "";

        assert_success(w, get_property(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "WaitingFor", "a(sss)", &reply));
        assert_true(sd_bus_message_enter_container(reply, 'a', "(sss)") > 0);
        while (sd_bus_message_read(reply, "(sss)", &kind, &name, &why) > 0)
                (void) strcat(strcat(strcat(strcat(text, kind), ":"), name), " ");
        assert_string_equal(text, expected);
        sd_bus_message_unref(reply);
}

static void assert_error(World *w, const char *name, int r) {
        assert_true(r < 0);
        assert_non_null(strstr(w->error, name));
}

/* It came to nothing: everybody heard, and the host is as before. */
static void assert_back(World *w, const char *result) {
        assert_state(w, "idle");
        assert_int_equal(heard.n_over, 1);
        assert_string_equal(heard.result, result);
        assert_int_equal(w->logind.n_kexecs, 0);
        assert_waiting_for(w, "");
        assert_success(w, create(w, ROOT, "after"));
        assert_success(w, discard(w, ROOT, "after"));
}

/* --- Update() */

static void test_update_goes_to_logind(void **state) {
        World *w = *state;

        assert_success(w, update(w, LONG, false));
        assert_int_equal(w->logind.n_kexecs, 1);
        assert_int_equal(heard.n_prepare, 1);
        assert_int_equal(heard.n_over, 0);
        assert_string_equal(heard.result, "handed-over");
        assert_true(heard.deadline > now_realtime());
        assert_state(w, "handing-over");
}

static void test_update_is_roots(void **state) {
        World *w = *state;
        sd_bus_message *m = update_message(w, OTHER, LONG, false);

        assert_error(w, "AccessDenied", world_send(w, OTHER, m, NULL));
        assert_error(w, "AccessDenied",
                     world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Cancel", NULL, NULL));
        assert_state(w, "idle");
}

static void test_update_without_a_kernel_is_refused(void **state) {
        World *w = *state;

        w->kexec.loaded = false;
        assert_error(w, "UpdateBlocked", update(w, LONG, false));
        assert_int_equal(heard.n_prepare, 0);
        assert_state(w, "idle");
}

static void test_unknown_options_are_refused(void **state) {
        World *w = *state;
        sd_bus_message *m = manager_message(w, ROOT, "Update");

        assert_true(sd_bus_message_append(m, "a{sv}", 1, "fast", "b", 1) >= 0);
        assert_error(w, "InvalidArgs", world_send(w, ROOT, m, NULL));
        m = manager_message(w, ROOT, "Update");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "force", "s", "yes") >= 0);
        assert_error(w, "InvalidArgs", world_send(w, ROOT, m, NULL));
        assert_error(w, "InvalidArgs", update(w, 0, false));
        assert_error(w, "InvalidArgs", update(w, PREPARE_TIMEOUT_MAX_USEC + 1, false));
        assert_state(w, "idle");
}

static void test_unclaimed_session_blocks_unless_named(void **state) {
        World *w = *state;
        sd_bus_message *m;
        int fd = make_memfd("x");

        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, preserve(w, ROOT, "vm", 1, fd));
        safe_close(fd);
        world_update(w);
        w->kexec.loaded = true;
        assert_error(w, "UpdateBlocked", update(w, LONG, false));
        assert_non_null(strstr(w->error_message, "vm"));

        m = manager_message(w, ROOT, "Update");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "drop-unclaimed", "as", 1, "other") >= 0);
        assert_error(w, "UpdateBlocked", world_send(w, ROOT, m, NULL));
        m = manager_message(w, ROOT, "Update");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "drop-unclaimed", "as", 1, "vm") >= 0);
        assert_success(w, world_send(w, ROOT, m, NULL));
        assert_int_equal(w->logind.n_kexecs, 1);
}

static void test_what_luod_renews_itself_does_not_block(void **state) {
        World *w = *state;
        sd_bus_message *m = manager_message(w, ROOT, "CreateSession");
        int fd = make_memfd("auto"), absent = make_memfd("absent");

        assert_true(sd_bus_message_append(m, "sa{sv}", "auto", 1, "auto-renew", "b", 1) >= 0);
        assert_success(w, world_send(w, ROOT, m, NULL));
        assert_success(w, preserve(w, ROOT, "auto", 1, fd));
        assert_success(w, create(w, OTHER, "absent"));
        assert_success(w, preserve(w, OTHER, "absent", 1, absent));
        safe_close(fd);
        safe_close(absent);
        world_update(w);
        w->kexec.loaded = true;

        assert_error(w, "UpdateBlocked", update(w, LONG, false));
        assert_non_null(strstr(w->error_message, "absent"));
        assert_null(strstr(w->error_message, "auto"));
        m = manager_message(w, ROOT, "Update");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "carry", "b", 1) >= 0);
        assert_success(w, world_send(w, ROOT, m, NULL));
        assert_int_equal(w->logind.n_kexecs, 1);
        assert_int_equal(find_session(w, "auto")->record.direction, DIRECTION_OUTGOING);
        assert_int_equal(find_session(w, "absent")->record.direction, DIRECTION_OUTGOING);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "auto", 1, &fd));
        assert_content(fd, "auto");
        assert_success(w, retrieve(w, OTHER, "absent", 1, &fd));
        assert_content(fd, "absent");
}

static void test_slow_session_is_awaited(void **state) {
        World *w = *state;
        Call call = CALL_NULL;

        assert_success(w, create(w, ROOT, "vm"));
        assert_true(is_ready(w, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        assert_false(is_ready(w, "vm"));
        start_update(w, LONG, false, &call);
        assert_state(w, "preparing");
        assert_waiting_for(w, "session:vm ");
        assert_int_equal(call.answered, 0);
        assert_success(w, create(w, ROOT, "late")); /* what is needed to get ready is taken */
        assert_success(w, set_ready(w, "vm", true));
        assert_success(w, call_wait(&call, NULL));
        call_done(&call);
        assert_int_equal(w->logind.n_kexecs, 1);
}

static void test_deadline_without_force_ends_it(void **state) {
        World *w = *state;

        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        assert_error(w, "UpdateTimedOut", update(w, SHORT, false));
        assert_non_null(strstr(w->error_message, "session 'vm'"));
        assert_non_null(strstr(heard.message, "1 were not ready"));
        assert_null(strstr(heard.message, "vm")); /* that goes to everybody */
        assert_back(w, "failed");
}

static void test_deadline_with_force_goes_on_without(void **state) {
        World *w = *state;

        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        assert_success(w, update(w, SHORT, true));
        assert_int_equal(w->logind.n_kexecs, 1);
}

static void test_who_was_ready_is_not_when_it_came_to_nothing(void **state) {
        World *w = *state;
        Call call = CALL_NULL;

        assert_success(w, create(w, ROOT, "quick"));
        assert_success(w, create(w, ROOT, "slow"));
        assert_success(w, create(w, ROOT, "plain"));
        assert_success(w, set_ready(w, "quick", false));
        assert_success(w, set_ready(w, "slow", false));
        start_update(w, LONG, false, &call);
        assert_success(w, set_ready(w, "quick", true));
        assert_success(w, call_manager(w, "Cancel"));
        assert_error(w, "UpdateCancelled", call_wait(&call, NULL));
        call_done(&call);
        assert_false(is_ready(w, "quick"));
        assert_true(is_ready(w, "plain"));
        assert_back(w, "cancelled");
}

static void test_no_wait_is_answered_at_once(void **state) {
        World *w = *state;
        sd_bus_message *m = manager_message(w, ROOT, "Update");
        int lock = -EBADF;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "no-wait", "b", 1) >= 0);
        assert_success(w, world_send(w, ROOT, m, NULL));
        assert_state(w, "preparing");
        safe_close(lock);
        world_settle(w);
        assert_state(w, "handing-over");
}

static void test_there_is_one_update(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        assert_error(w, "NoUpdate", call_manager(w, "Cancel"));
        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        assert_error(w, "UpdateInProgress", update(w, LONG, false));
        safe_close(lock);
        assert_success(w, call_wait(&call, NULL));
        call_done(&call);
        assert_error(w, "TooLate", call_manager(w, "Cancel"));
        assert_error(w, "UpdateInProgress", update(w, LONG, false));
}

static void test_what_logind_refuses_came_to_nothing(void **state) {
        World *w = *state;

        w->logind.refusal = "Operation denied due to active block inhibitor";
        assert_error(w, "UpdateFailed", update(w, LONG, false));
        assert_non_null(strstr(w->error_message, "active block inhibitor"));
        assert_null(strstr(heard.message, "active block inhibitor")); /* it may name who holds it */
        assert_int_equal(w->logind.n_kexecs--, 1);
        assert_back(w, "failed");
        w->logind.refusal = NULL;
        assert_success(w, update(w, LONG, false));
}

static void test_kernel_that_was_unloaded_meanwhile(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        w->kexec.loaded = false;
        safe_close(lock);
        assert_error(w, "UpdateBlocked", call_wait(&call, NULL));
        call_done(&call);
        world_settle(w);
        assert_back(w, "failed");
}

static void test_nothing_new_while_handing_over_but_from_units_being_stopped(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int fd = make_memfd("x"), lock;

        assert_success(w, create(w, ROOT, "vm"));
        w->logind.silent = true;
        start_update(w, LONG, false, &call);
        assert_state(w, "handing-over");
        assert_error(w, "UpdateInProgress", create(w, ROOT, "new"));
        assert_error(w, "UpdateInProgress", preserve(w, ROOT, "vm", 1, fd));
        assert_error(w, "UpdateInProgress", inhibit_as(w, ROOT, "a", "b", "block", &lock));
        fake_logind_answer(&w->logind);
        assert_success(w, call_wait(&call, NULL));
        call_done(&call);
        assert_error(w, "UpdateInProgress", preserve(w, ROOT, "vm", 1, fd));
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        fake_logind_begin(&w->logind);
        assert_state(w, "shutting-down");
        assert_success(w, preserve(w, ROOT, "vm", 1, fd));
        safe_close(fd);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm", 1, &fd));
        assert_content(fd, "x");
}

static void test_shutdown_that_logind_cancels(void **state) {
        World *w = *state;

        assert_success(w, update(w, LONG, false));
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        assert_null(w->logind.held[LOGIND_DELAY]);
        fake_logind_prepare(&w->logind, false, SHUTDOWN_KEXEC);
        world_settle(w);
        w->logind.n_kexecs = 0;
        assert_back(w, "cancelled");
        assert_non_null(w->logind.held[LOGIND_DELAY]);
}

/* --- locks */

static void test_block_lock_refuses_naming_who_and_why(void **state) {
        World *w = *state;
        int lock = -EBADF;

        assert_success(w, inhibit_as(w, OTHER, "backup", "a snapshot is written", "block", &lock));
        assert_error(w, "UpdateVetoed", update(w, LONG, true));
        assert_non_null(strstr(w->error_message, "backup"));
        assert_non_null(strstr(w->error_message, "a snapshot is written"));
        assert_int_equal(heard.n_prepare, 0);
        assert_non_null(strstr(w->logind.held[LOGIND_BLOCK], "backup"));
        safe_close(lock);
        world_settle(w);
        assert_null(w->logind.held[LOGIND_BLOCK]);
        assert_success(w, update(w, LONG, false));
}

static void test_block_lock_taken_meanwhile_is_a_veto(void **state) {
        World *w = *state;
        int delay = -EBADF, block = -EBADF;
        Call call = CALL_NULL;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &delay));
        start_update(w, LONG, false, &call);
        assert_waiting_for(w, "lock:a ");
        assert_success(w, inhibit_as(w, ROOT, "secret", "secret, too", "block", &block));
        assert_error(w, "UpdateVetoed", call_wait(&call, NULL));
        assert_non_null(strstr(w->error_message, "secret"));
        call_done(&call);
        world_settle(w);
        assert_non_null(strstr(heard.message, "lock"));
        assert_null(strstr(heard.message, "secret"));
        safe_close(delay);
        safe_close(block);
        assert_back(w, "failed");
}

/* Whoever holds it: the answer is sent, and logind's lock can be taken, which both must be UTF-8. */
static void test_who_and_why_are_not_cut_within_a_character(void **state) {
        World *w = *state;
        char text[LOCK_TEXT_MAX + 1];
        int lock;

        for (unsigned i = 0; i < 4; i++) {
                (void) memset(text, 'x', i);
                for (unsigned k = i; k + 4 <= LOCK_TEXT_MAX; k += 4)
                        (void) memcpy(text + k, "\xf0\x9f\x90\xa7", 5);
                assert_success(w, inhibit_as(w, OTHER, text, text, "block", &lock));
                assert_error(w, "UpdateVetoed", update(w, LONG, false));
                assert_true(is_printable_utf8(w->logind.held[LOGIND_BLOCK]));
                assert_success(w, call_manager(w, "Check"));
                safe_close(lock);
                world_settle(w);
        }
}

static void test_last_copy_of_a_lock_releases_it(void **state) {
        World *w = *state;
        int lock = -EBADF, copy;
        Call call = CALL_NULL;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        copy = fd_dup(lock);
        start_update(w, LONG, false, &call);
        safe_close(lock);
        world_settle(w);
        assert_state(w, "preparing");
        assert_int_equal(write(copy, "noise", 5), 5); /* means nothing */
        world_settle(w);
        assert_state(w, "preparing");
        safe_close(copy);
        assert_success(w, call_wait(&call, NULL));
        call_done(&call);
}

static void test_locks_outlive_a_restart_of_luod(void **state) {
        World *w = *state;
        int lock = -EBADF, released = -EBADF;

        assert_success(w, inhibit_as(w, OTHER, "backup", "why \xc3\xa4", "block", &lock));
        assert_success(w, inhibit_as(w, ROOT, "gone", "b", "block", &released));
        world_kill(w);
        safe_close(released);
        assert_int_equal(world_start(w), 0);
        assert_int_equal(w->manager->participants.n_locks, 1);
        assert_error(w, "UpdateVetoed", update(w, LONG, false));
        assert_non_null(strstr(w->error_message, "backup"));
        assert_non_null(strstr(w->error_message, "why \xc3\xa4"));
        safe_close(lock);
        world_settle(w);
        assert_success(w, update(w, LONG, false));
}

static void test_wrong_locks_are_refused(void **state) {
        World *w = *state;
        char longer[LOCK_TEXT_MAX + 2];
        int fd;

        (void) memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, inhibit_as(w, ROOT, "", "b", "delay", &fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, inhibit_as(w, ROOT, "a", "", "delay", &fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, inhibit_as(w, ROOT, "a", "b\nuid 0", "delay", &fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, inhibit_as(w, ROOT, longer, "b", "delay", &fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, inhibit_as(w, ROOT, "a", longer, "delay", &fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, inhibit_as(w, ROOT, "a", "b", "stop", &fd));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS,
                       world_call(w, ROOT, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Inhibit", NULL, "ssss", "shutdown", "a",
                                  "b", "delay"));
}

static void test_locks_of_one_user_are_limited(void **state) {
        World *w = *state;
        int fds[LOCKS_PER_USER_MAX], fd;

        for (unsigned i = 0; i < LOCKS_PER_USER_MAX; i++)
                assert_success(w, inhibit_as(w, OTHER, "a", "b", "delay", fds + i));
        assert_refused(w, "QuotaExceeded", inhibit_as(w, OTHER, "a", "b", "delay", &fd));
        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &fd));
        safe_close(fd);
        for (unsigned i = 0; i < LOCKS_PER_USER_MAX; i++)
                safe_close(fds[i]);
        world_settle(w);
        assert_int_equal(w->manager->participants.n_locks, 0);
}

static uint64_t lock_id(World *w, ClientId client, const char *who) {
        const char *what, *name, *why, *mode;
        sd_bus_message *reply;
        uint64_t id, found = 0;
        uint32_t uid, pid;

        assert_success(w, world_call(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListInhibitors", &reply, NULL));
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ssssuut)") > 0);
        while (sd_bus_message_read(reply, "(ssssuut)", &what, &name, &why, &mode, &uid, &pid, &id) > 0)
                if (streq(name, who))
                        found = id;
        sd_bus_message_unref(reply);
        return found;
}

static int release_lock(World *w, ClientId client, uint64_t id) {
        return world_call(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ReleaseLock", NULL, "t", id);
}

static void test_root_breaks_any_lock_and_others_their_own(void **state) {
        World *w = *state;
        int mine, his, another;

        assert_success(w, inhibit_as(w, ROOT, "root's", "b", "block", &mine));
        assert_success(w, inhibit_as(w, OTHER, "his", "b", "block", &his));
        assert_success(w, inhibit_as(w, OTHER, "another", "b", "delay", &another));
        assert_int_equal(lock_id(w, OTHER, "root's"), 0);
        assert_refused(w, "NoSuchLock", release_lock(w, OTHER, lock_id(w, ROOT, "root's")));
        assert_refused(w, "NoSuchLock", release_lock(w, OTHER, 999));
        assert_success(w, release_lock(w, OTHER, lock_id(w, OTHER, "another")));
        assert_success(w, release_lock(w, ROOT, lock_id(w, ROOT, "root's")));
        assert_error(w, "UpdateVetoed", update(w, LONG, false));
        assert_non_null(strstr(w->error_message, "luoctl release-lock")); /* the way out */
        assert_success(w, release_lock(w, ROOT, lock_id(w, ROOT, "his")));
        world_settle(w);
        assert_null(w->logind.held[LOGIND_BLOCK]);
        assert_true(write(his, "x", 1) < 0 && errno == EPIPE); /* he can tell */
        world_restart(w); /* and it does not come back */
        assert_int_equal(w->manager->participants.n_locks, 0);
        w->kexec.loaded = true;
        assert_success(w, update(w, LONG, false));
        safe_close(mine);
        safe_close(his);
        safe_close(another);
}

/* --- others shut the host down */

static void test_plain_kexec_is_prepared_while_logind_waits(void **state) {
        World *w = *state;

        assert_non_null(w->logind.held[LOGIND_DELAY]);
        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        world_settle(w);
        assert_int_equal(heard.n_prepare, 1);
        assert_state(w, "preparing");
        assert_non_null(w->logind.held[LOGIND_DELAY]);
        assert_true(heard.deadline <= now_realtime() + w->logind.delay_max);
        assert_error(w, "TooLate", call_manager(w, "Cancel"));
        assert_success(w, set_ready(w, "vm", true));
        world_settle(w);
        assert_null(w->logind.held[LOGIND_DELAY]);
        assert_int_equal(w->logind.n_kexecs, 0); /* it was others' */
        fake_logind_begin(&w->logind);
        assert_state(w, "shutting-down");
}

static void test_plain_kexec_goes_on_at_the_deadline(void **state) {
        World *w = *state;
        int lock = -EBADF;

        w->logind.delay_max = SHORT;
        assert_success(w, inhibit_as(w, ROOT, "a", "b", "block", &lock)); /* can't stop it any more */
        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        while (w->logind.held[LOGIND_DELAY])
                assert_true(sd_event_run(w->event, UINT64_MAX) >= 0);
        assert_state(w, "handing-over");
        safe_close(lock);
}

static void test_cold_shutdown_is_not_prepared(void **state) {
        World *w = *state;

        fake_logind_prepare(&w->logind, true, SHUTDOWN_COLD);
        world_settle(w);
        assert_int_equal(heard.n_prepare, 0);
        assert_null(w->logind.held[LOGIND_DELAY]);
        assert_state(w, "idle");
}

static void test_cold_shutdown_ends_an_update(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        fake_logind_prepare(&w->logind, true, SHUTDOWN_COLD);
        assert_error(w, "UpdateCancelled", call_wait(&call, NULL));
        call_done(&call);
        assert_null(w->logind.held[LOGIND_DELAY]);
        safe_close(lock);
}

static void test_plain_kexec_overtakes_an_update(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        assert_success(w, call_wait(&call, NULL));
        call_done(&call);
        assert_state(w, "preparing");
        assert_int_equal(heard.n_prepare, 2);
        assert_true(heard.deadline <= now_realtime() + w->logind.delay_max);
        safe_close(lock);
        world_settle(w);
        assert_null(w->logind.held[LOGIND_DELAY]);
        assert_int_equal(w->logind.n_kexecs, 0);
}

static unsigned n_stopped;
static void on_stopped(Manager *m, void *userdata) {
        n_stopped++;
}

static void test_kexec_without_logind_is_prepared_in_the_stop(void **state) {
        World *w = *state;

        n_stopped = 0;
        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        fake_logind_begin(&w->logind);
        world_settle(w);
        assert_int_equal(heard.n_prepare, 1);
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(n_stopped, 0);
        assert_success(w, set_ready(w, "vm", true));
        world_settle(w);
        assert_int_equal(n_stopped, 1);
}

/* --- what the jump would lose */

/* "claimed", whose owner has a file of it, "absent", that nobody has come for, "broken", and "done". */
static void bring_four(World *w) {
        static const char *const names[] = { "claimed", "absent", "broken", "done" };
        int fd;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                fd = make_memfd(names[i]);
                assert_success(w, create(w, OTHER, names[i]));
                assert_success(w, preserve(w, OTHER, names[i], 1, fd));
                safe_close(fd);
        }
        world_update(w);
        assert_success(w, retrieve(w, OTHER, "claimed", 1, &fd));
        safe_close(fd);
        w->kernel.retrieve_error = -EIO;
        assert_true(retrieve(w, OTHER, "broken", 1, &fd) < 0);
        w->kernel.retrieve_error = 0;
        assert_success(w, finish(w, OTHER, "done"));
}

static void assert_saved(World *w) {
        static const char *const names[] = { "claimed", "absent" };
        int fd;

        assert_int_equal(n_stopped, 1);
        world_update(w);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                assert_success(w, retrieve(w, OTHER, names[i], 1, &fd));
                assert_content(fd, names[i]);
        }
        assert_null(find_session(w, "done"));
}

static void test_stop_of_a_plain_kexec_saves_what_it_would_lose(void **state) {
        World *w = *state;

        n_stopped = 0;
        bring_four(w);
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        world_settle(w);
        /* Not before everybody had his chance: it is their business first. */
        assert_int_equal(find_session(w, "claimed")->record.direction, DIRECTION_INCOMING);
        assert_int_equal(find_session(w, "absent")->record.direction, DIRECTION_INCOMING);
        fake_logind_begin(&w->logind);
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(find_session(w, "broken")->record.direction, DIRECTION_INCOMING);
        assert_saved(w);
}

static void test_stop_of_a_kexec_without_logind_saves_as_well(void **state) {
        World *w = *state;

        n_stopped = 0;
        bring_four(w);
        w->logind.kexec_queued = true;
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_saved(w);
}

static void test_what_is_to_be_dropped_is_not_saved(void **state) {
        World *w = *state;
        sd_bus_message *m;

        n_stopped = 0;
        bring_four(w);
        w->kexec.loaded = true;
        m = manager_message(w, ROOT, "Update");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "drop-unclaimed", "as", 3, "claimed", "absent", "broken") >= 0);
        assert_success(w, world_send(w, ROOT, m, NULL));
        fake_logind_prepare(&w->logind, true, SHUTDOWN_KEXEC);
        fake_logind_begin(&w->logind);
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(n_stopped, 1);
        assert_int_equal(find_session(w, "absent")->record.direction, DIRECTION_INCOMING);
        assert_int_equal(find_session(w, "claimed")->record.direction, DIRECTION_INCOMING);
}

static void test_saving_that_takes_too_long_is_given_up(void **state) {
        World *w = *state;

        n_stopped = 0;
        bring_four(w);
        w->store.silent = true;
        fake_logind_begin(&w->logind);
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(n_stopped, 0);
        assert_true(sd_event_source_set_time(w->manager->update.timer, 0) >= 0);
        world_settle(w);
        assert_int_equal(n_stopped, 1);
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
}

static void test_plain_stop_saves_nothing(void **state) {
        World *w = *state;

        n_stopped = 0;
        bring_four(w);
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(n_stopped, 1);
        assert_int_equal(find_session(w, "absent")->record.direction, DIRECTION_INCOMING);
}

static void test_stop_that_is_faster_than_the_news_of_the_kexec(void **state) {
        World *w = *state;

        n_stopped = 0;
        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        w->logind.kexec_queued = true;
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(heard.n_prepare, 1);
        assert_int_equal(n_stopped, 0);
        fake_logind_begin(&w->logind);
        assert_success(w, set_ready(w, "vm", true));
        world_settle(w);
        assert_int_equal(n_stopped, 1);
}

static void test_plain_stop_is_no_update(void **state) {
        World *w = *state;

        n_stopped = 0;
        update_stop(w->manager, on_stopped, NULL);
        world_settle(w);
        assert_int_equal(n_stopped, 1);
        assert_int_equal(heard.n_prepare, 0);
}

static void test_stop_ends_an_update(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        n_stopped = 0;
        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        update_stop(w->manager, on_stopped, NULL);
        assert_error(w, "UpdateCancelled", call_wait(&call, NULL));
        call_done(&call);
        assert_int_equal(n_stopped, 1);
        safe_close(lock);
}

/* --- luod dies */

static void test_luod_dies_while_preparing(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        assert_success(w, create(w, ROOT, "vm"));
        assert_success(w, set_ready(w, "vm", false));
        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        assert_success(w, set_ready(w, "vm", true));
        call_done(&call);
        world_kill(w);
        assert_int_equal(world_start(w), 0);
        assert_state(w, "idle");
        assert_false(is_ready(w, "vm")); /* what a client that was told "not any more" would say */
        safe_close(lock);
        world_settle(w);
        assert_int_equal(w->logind.n_kexecs, 0);
        world_restart(w);
        assert_state(w, "idle");
}

static void test_luod_dies_when_logind_has_it(void **state) {
        World *w = *state;

        assert_success(w, update(w, LONG, false));
        world_kill(w);
        assert_int_equal(world_start(w), 0);
        assert_state(w, "shutting-down");
        assert_null(w->logind.held[LOGIND_BLOCK]);
}

static void test_luod_dies_and_the_host_goes_down_otherwise(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int lock = -EBADF;

        assert_success(w, inhibit_as(w, ROOT, "a", "b", "delay", &lock));
        start_update(w, LONG, false, &call);
        call_done(&call);
        world_kill(w);
        w->logind.shutting_down = true;
        w->logind.kind = SHUTDOWN_COLD;
        assert_int_equal(world_start(w), 0);
        assert_state(w, "idle"); /* it is not this update's, which is over */
        safe_close(lock);
        world_settle(w);
        assert_int_equal(w->logind.n_kexecs, 0);
}

/* --- ProtectReboot= */

static void test_reboot_that_would_lose_is_forbidden(void **state) {
        World *w = *state;
        int fd = make_memfd("x");

        w->kexec.loaded = false;
        assert_success(w, create(w, ROOT, "vm"));
        world_settle(w);
        assert_null(w->logind.held[LOGIND_BLOCK]); /* it keeps nothing */
        assert_success(w, preserve(w, ROOT, "vm", 1, fd));
        world_settle(w);
        assert_non_null(strstr(w->logind.held[LOGIND_BLOCK], "vm"));
        world_restart(w);
        assert_non_null(w->logind.held[LOGIND_BLOCK]);

        w->kexec.loaded = true;
        protect_refresh(w->manager);
        assert_null(w->logind.held[LOGIND_BLOCK]);
        w->kexec.loaded = false;
        protect_refresh(w->manager);
        assert_non_null(w->logind.held[LOGIND_BLOCK]);
        w->manager->config.protect_reboot = false;
        protect_refresh(w->manager);
        assert_null(w->logind.held[LOGIND_BLOCK]);
        w->manager->config.protect_reboot = true;
        assert_success(w, discard(w, ROOT, "vm"));
        world_settle(w);
        assert_null(w->logind.held[LOGIND_BLOCK]);
        safe_close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_update_goes_to_logind),
                T(test_update_is_roots),
                T(test_update_without_a_kernel_is_refused),
                T(test_unknown_options_are_refused),
                T(test_unclaimed_session_blocks_unless_named),
                T(test_what_luod_renews_itself_does_not_block),
                T(test_slow_session_is_awaited),
                T(test_deadline_without_force_ends_it),
                T(test_deadline_with_force_goes_on_without),
                T(test_who_was_ready_is_not_when_it_came_to_nothing),
                T(test_no_wait_is_answered_at_once),
                T(test_there_is_one_update),
                T(test_what_logind_refuses_came_to_nothing),
                T(test_kernel_that_was_unloaded_meanwhile),
                T(test_nothing_new_while_handing_over_but_from_units_being_stopped),
                T(test_shutdown_that_logind_cancels),
                T(test_block_lock_refuses_naming_who_and_why),
                T(test_block_lock_taken_meanwhile_is_a_veto),
                T(test_who_and_why_are_not_cut_within_a_character),
                T(test_last_copy_of_a_lock_releases_it),
                T(test_locks_outlive_a_restart_of_luod),
                T(test_wrong_locks_are_refused),
                T(test_locks_of_one_user_are_limited),
                T(test_root_breaks_any_lock_and_others_their_own),
                T(test_plain_kexec_is_prepared_while_logind_waits),
                T(test_plain_kexec_goes_on_at_the_deadline),
                T(test_cold_shutdown_is_not_prepared),
                T(test_cold_shutdown_ends_an_update),
                T(test_plain_kexec_overtakes_an_update),
                T(test_kexec_without_logind_is_prepared_in_the_stop),
                T(test_stop_that_is_faster_than_the_news_of_the_kexec),
                T(test_stop_of_a_plain_kexec_saves_what_it_would_lose),
                T(test_stop_of_a_kexec_without_logind_saves_as_well),
                T(test_what_is_to_be_dropped_is_not_saved),
                T(test_saving_that_takes_too_long_is_given_up),
                T(test_plain_stop_saves_nothing),
                T(test_plain_stop_is_no_update),
                T(test_stop_ends_an_update),
                T(test_luod_dies_while_preparing),
                T(test_luod_dies_when_logind_has_it),
                T(test_luod_dies_and_the_host_goes_down_otherwise),
                T(test_reboot_that_would_lose_is_forbidden),
        };

        world_require();
        (void) signal(SIGPIPE, SIG_IGN);
        /* Its socket is kept open from the first message on. */
        (void) sd_journal_print(LOG_DEBUG, "test-update begins");
        return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
