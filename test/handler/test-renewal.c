/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect.h"
#include "parking.h"
#include "parts.h"
#include "world.h"

/* Renew(): what came over a live update goes into the next one. Deaths in the middle of it: test-death.c. */

static void bring(World *w) {
        int fds[] = { make_memfd("one"), make_memfd("two"), make_memfd("three") };

        assert_int_equal(fchmod(fds[0], 0640), 0);
        assert_int_equal(fchown(fds[0], OTHER_UID, OTHER_UID), 0);
        assert_success(w, create_with(w, ROOT, "vm", "k", "v"));
        assert_success(w, preserve(w, ROOT, "vm", 1, fds[0]));
        assert_success(w, preserve_many(w, ROOT, "vm", (uint64_t[]) { 2, 3 }, fds + 1, 2));
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                safe_close(fds[i]);
        world_update(w);
}

static void assert_nothing_parked(World *w) {
        FakeStored *s;
        uint64_t sid, token;

        assert_int_equal(parking_count(w->manager), 0);
        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                assert_false(parked_name_parse(s->fdname, &sid, &token));
}

static void assert_contents(World *w, const char *one) {
        int fd;

        assert_success(w, retrieve(w, ROOT, "vm", 1, &fd));
        assert_content(fd, one);
        assert_success(w, retrieve(w, ROOT, "vm", 2, &fd));
        assert_content(fd, "two");
        assert_success(w, retrieve(w, ROOT, "vm", 3, &fd));
        assert_content(fd, "three");
}

static void test_renewed_session_goes_over_the_next_update(void **state) {
        World *w = *state;
        _cleanup_free_ char *files = NULL;
        _cleanup_(closep) int fd = -EBADF;

        bring(w);
        assert_success(w, retrieve(w, ROOT, "vm", 1, &fd));
        assert_success(w, renew(w, ROOT, "vm"));
        assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
        assert_nothing_parked(w);
        assert_true(fake_kernel_keeps(&w->kernel, fd)); /* the very file that its owner has in hand */
        files = get_files(w, ROOT, "vm");
        assert_string_equal(files, "1 label memfd 3 640 rw kept\n2 many memfd 3 777 rw kept\n3 many memfd 5 777 rw kept\n");
        assert_int_equal(fake_kernel_count_sessions(&w->kernel, /* incoming= */ true), 0);
        world_check(w);

        assert_int_equal(pwrite(fd, "ONE", 3, 0), 3);
        world_restart(w);
        assert_success(w, create(w, ROOT, "other"));
        assert_refused(w, "AlreadyPreserved", preserve(w, ROOT, "other", 1, fd));
        world_update(w);
        assert_contents(w, "ONE");
        assert_int_equal(find_session(w, "vm")->n_metadata, 1);
        assert_int_equal(find_session(w, "vm")->flags, 0);
        world_check(w);
}

static void test_a_session_nobody_claimed_is_carried_through_ten_updates(void **state) {
        World *w = *state;

        bring(w);
        for (unsigned i = 0; i < 10; i++) {
                struct stat st;
                int fd;

                assert_success(w, renew(w, ROOT, "vm"));
                world_check(w);
                if (i % 2)
                        world_update(w);
                else
                        world_jump(w);
                assert_success(w, retrieve(w, ROOT, "vm", 1, &fd));
                assert_int_equal(fstat(fd, &st), 0);
                assert_int_equal(st.st_uid, OTHER_UID);
                assert_int_equal(st.st_mode & 07777, 0640);
                safe_close(fd);
        }
        assert_contents(w, "one");
}

static void test_renewing_again_is_success(void **state) {
        World *w = *state;

        bring(w);
        assert_success(w, renew(w, ROOT, "vm"));
        assert_success(w, renew(w, ROOT, "vm"));
        world_restart(w);
        assert_success(w, renew(w, ROOT, "vm"));
        world_check(w);
}

static void test_what_was_made_in_this_kernel_needs_no_renewal(void **state) {
        World *w = *state;

        assert_success(w, create(w, ROOT, "vm"));
        assert_refused(w, "WrongDirection", renew(w, ROOT, "vm"));
}

static void test_others_can_not_renew(void **state) {
        World *w = *state;

        bring(w);
        assert_refused(w, "NotOwner", world_call(w, OTHER, "/org/luod1/session/vm", LUOD_INTERFACE_SESSION, "Renew", NULL, NULL));
}

static void test_file_that_the_kernel_lost_is_no_renewal(void **state) {
        World *w = *state;

        bring(w);
        w->kernel.retrieve_error = -EIO;
        assert_true(renew(w, ROOT, "vm") < 0);
        assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_INCOMING);
        assert_int_equal(find_session(w, "vm")->record.state, SESSION_LIVE);
        assert_success(w, finish(w, ROOT, "vm"));
        assert_nothing_parked(w);
        world_check(w);
}

static void test_kernel_that_does_not_finish_leaves_it_as_it_was(void **state) {
        World *w = *state;

        bring(w);
        w->kernel.finish_error = -EBUSY;
        assert_true(renew(w, ROOT, "vm") < 0);
        assert_int_equal(find_session(w, "vm")->record.state, SESSION_LIVE);
        assert_contents(w, "one");
        w->kernel.finish_error = 0;
        assert_success(w, renew(w, ROOT, "vm"));
        assert_nothing_parked(w);
        world_check(w);
}

/* Behind FINISH there is no way back, but the files are parked. */
static void test_failing_preserve_is_gone_on_with(void **state) {
        World *w = *state;

        for (int restarted = 0; restarted <= 1; restarted++) {
                bring(w);
                w->kernel.preserve_error = -ENOMEM;
                w->kernel.preserve_after = 1;
                assert_true(renew(w, ROOT, "vm") < 0);
                assert_int_equal(find_session(w, "vm")->record.state, SESSION_RENEWING);
                w->kernel.preserve_error = 0;
                if (restarted)
                        world_restart(w);
                else {
                        assert_refused(w, "WrongDirection", finish(w, ROOT, "vm"));
                        assert_success(w, renew(w, ROOT, "vm"));
                }
                assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
                assert_nothing_parked(w);
                world_check(w);
                world_update(w);
                assert_contents(w, "one");
                assert_success(w, discard(w, ROOT, "vm"));
        }
}

/* The name of what is parked says whose it is, and tokens are as long as a client likes. */
static void test_files_with_the_longest_tokens_outlive_luod_while_parked(void **state) {
        static const uint64_t tokens[] = { UINT64_MAX, UINT64_MAX - 1 };
        World *w = *state;
        int fd;

        assert_success(w, create(w, ROOT, "vm"));
        for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
                fd = make_memfd(i == 0 ? "last" : "last but one");
                assert_success(w, preserve(w, ROOT, "vm", tokens[i], fd));
                safe_close(fd);
        }
        world_update(w);
        w->kernel.preserve_error = -ENOMEM;
        w->kernel.preserve_after = 1;
        assert_true(renew(w, ROOT, "vm") < 0);
        assert_int_equal(parking_count(w->manager), 2);
        w->kernel.preserve_error = 0;
        world_restart(w);
        assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
        assert_nothing_parked(w);
        world_check(w);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm", UINT64_MAX, &fd));
        assert_content(fd, "last");
        assert_success(w, retrieve(w, ROOT, "vm", UINT64_MAX - 1, &fd));
        assert_content(fd, "last but one");
}

static void test_renewal_half_done_can_be_discarded(void **state) {
        World *w = *state;

        bring(w);
        w->kernel.preserve_error = -ENOMEM;
        w->kernel.preserve_after = 1;
        assert_true(renew(w, ROOT, "vm") < 0);
        w->kernel.preserve_error = 0;
        assert_success(w, discard(w, ROOT, "vm"));
        assert_nothing_parked(w);
        assert_int_equal(fake_kernel_count_sessions(&w->kernel, /* incoming= */ true), 0);
        world_check(w);
}

/* Between Retrieve() and Renew() a file is its owner's, who may change it. */
static void test_file_is_kept_as_it_is_now(void **state) {
        World *w = *state;
        _cleanup_free_ char *files = NULL;
        _cleanup_(closep) int fd = -EBADF;

        bring(w);
        assert_success(w, retrieve(w, ROOT, "vm", 1, &fd));
        assert_int_equal(ftruncate(fd, 10000), 0);
        assert_int_equal(fchmod(fd, 0600), 0);
        assert_success(w, renew(w, ROOT, "vm"));
        files = get_files(w, ROOT, "vm");
        assert_string_equal(files, "1 label memfd 10000 600 rw kept\n2 many memfd 3 777 rw kept\n3 many memfd 5 777 rw kept\n");
        assert_int_equal(w->manager->state.kept_bytes, 10008);
        assert_int_equal(find_session(w, "vm")->kept_bytes, 10008);
        assert_success(w, discard(w, ROOT, "vm"));
        assert_int_equal(w->manager->state.kept_bytes, 0);
}

static void send(World *w, sd_bus_message *m, Call *call) {
        call_send(w, ROOT, m, call);
        sd_bus_message_unref(m);
}

static void assert_answer(Call *call, const char *error) {
        World *w = call->world;
        int r = call_wait(call, NULL);

        call_done(call);
        if (!error) {
                assert_success(w, r);
                return;
        }
        assert_true(r < 0);
        assert_string_equal(w->error, error);
}

/* Whoever asked before the renewal was through, asked for something else. */
static void test_calls_that_waited_for_the_renewal_are_refused(void **state) {
        World *w = *state;
        Call renewal = CALL_NULL, again = CALL_NULL, retrieval = CALL_NULL, end = CALL_NULL;
        sd_bus_message *m;

        bring(w);
        w->store.silent = true;
        send(w, session_message(w, ROOT, "vm", "Renew"), &renewal);
        m = session_message(w, ROOT, "vm", "Retrieve");
        assert_true(sd_bus_message_append(m, "t", (uint64_t) 2) >= 0);
        send(w, m, &retrieval);
        send(w, session_message(w, ROOT, "vm", "Finish"), &end);
        send(w, session_message(w, ROOT, "vm", "Renew"), &again);
        world_settle(w);
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        world_settle(w);
        assert_answer(&renewal, NULL);
        assert_answer(&retrieval, LUOD_ERROR_PREFIX "WrongDirection");
        assert_answer(&end, LUOD_ERROR_PREFIX "WrongDirection");
        assert_answer(&again, NULL);
        world_check(w);
        world_update(w);
        assert_contents(w, "one");
}

static void test_two_hundred_files_are_renewed(void **state) {
        World *w = *state;
        uint64_t token;

        assert_success(w, create(w, ROOT, "many"));
        for (token = 0; token < 200; token++) {
                int fd = make_memfd("x");

                assert_success(w, preserve(w, ROOT, "many", token, fd));
                safe_close(fd);
        }
        world_update(w);
        assert_success(w, renew(w, ROOT, "many"));
        assert_int_equal(find_session(w, "many")->n_files, 200);
        assert_nothing_parked(w);
        world_check(w);
        world_update(w);
        for (token = 0; token < 200; token++) {
                int fd;

                assert_success(w, retrieve(w, ROOT, "many", token, &fd));
                assert_content(fd, "x");
        }
}

/* --- carried for an owner who does not come */

static void bring_of_other(World *w) {
        int fds[] = { make_memfd("one"), make_memfd("two") };

        assert_int_equal(fchmod(fds[0], 0640), 0);
        assert_int_equal(fcntl(fds[0], F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
        assert_success(w, create_with(w, OTHER, "vm", "k", "v"));
        assert_success(w, preserve(w, OTHER, "vm", 1, fds[0]));
        assert_success(w, preserve(w, OTHER, "vm", 2, fds[1]));
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                safe_close(fds[i]);
        world_update(w);
}

static unsigned get_carried(World *w, const char *session) {
        _cleanup_free_ char *path = session_path(session);
        sd_bus_message *reply;
        uint32_t n;

        assert_int_equal(get_property(w, ROOT, path, LUOD_INTERFACE_SESSION, "Carried", "u", &reply), 0);
        assert_true(sd_bus_message_read(reply, "u", &n) > 0);
        sd_bus_message_unref(reply);
        return n;
}

static void test_carried_session_stays_unclaimed_with_all_it_has(void **state) {
        World *w = *state;
        _cleanup_free_ char *files = NULL, *again = NULL;
        struct stat st;
        int fd;

        bring_of_other(w);
        files = get_files(w, OTHER, "vm");
        for (unsigned i = 1; i <= 10; i++) {
                assert_success(w, carry(w, ROOT, "vm"));
                assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
                assert_int_equal(get_carried(w, "vm"), i);
                assert_nothing_parked(w);
                world_check(w);
                if (i == 2)
                        world_restart(w);
                if (i % 2)
                        world_update(w);
                else
                        world_jump(w);
                assert_int_equal(get_carried(w, "vm"), i);
        }
        again = get_files(w, OTHER, "vm");
        assert_string_equal(again, files); /* none was retrieved */
        assert_int_equal(find_session(w, "vm")->record.uid, OTHER_UID);
        assert_int_equal(find_session(w, "vm")->n_metadata, 1);
        assert_int_equal(find_session(w, "vm")->flags, 0);

        assert_success(w, retrieve(w, OTHER, "vm", 1, &fd));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_GROW | F_SEAL_SHRINK), F_SEAL_GROW | F_SEAL_SHRINK);
        assert_content(fd, "one");
        assert_success(w, renew(w, OTHER, "vm")); /* he is back */
        assert_int_equal(get_carried(w, "vm"), 0);
}

static void test_owner_of_a_carried_session_is_told_when_it_comes_back(void **state) {
        World *w = *state;
        int fd;

        bring_of_other(w);
        assert_success(w, carry(w, ROOT, "vm"));
        assert_refused(w, "WrongDirection", retrieve(w, OTHER, "vm", 1, &fd));
        assert_non_null(strstr(w->error_message, "carried into the next live update"));
        assert_non_null(strstr(w->error_message, "Discard()"));
        assert_success(w, carry(w, ROOT, "vm"));
        assert_int_equal(get_carried(w, "vm"), 1);
        assert_success(w, discard(w, OTHER, "vm"));
        world_check(w);
}

static void test_claimed_session_is_renewed_not_carried(void **state) {
        World *w = *state;
        int fd;

        bring_of_other(w);
        assert_success(w, retrieve(w, OTHER, "vm", 2, &fd));
        safe_close(fd);
        assert_refused(w, "WrongDirection", carry(w, ROOT, "vm"));
        assert_non_null(strstr(w->error_message, "Renew()"));
}

static void test_only_root_carries(void **state) {
        World *w = *state;

        assert_success(w, create(w, ROOT, "fresh"));
        assert_refused(w, "WrongDirection", carry(w, ROOT, "fresh"));
        bring_of_other(w);
        assert_true(carry(w, OTHER, "vm") < 0);
        assert_string_equal(w->error, SD_BUS_ERROR_ACCESS_DENIED);
        assert_non_null(strstr(w->error_message, "Renew()"));
        assert_true(op_carry(w, "vm", OTHER_UID + 1) < 0);
        assert_int_equal(w->failure.kind, FAILURE_NOT_OWNER);
        assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_INCOMING);
}

static void test_failing_carry_leaves_it_unclaimed(void **state) {
        World *w = *state;
        struct stat st;
        int fd;

        bring_of_other(w);
        w->kernel.finish_error = -EBUSY;
        assert_true(carry(w, ROOT, "vm") < 0);
        w->kernel.finish_error = 0;
        assert_int_equal(find_session(w, "vm")->record.state, SESSION_LIVE);
        assert_int_equal(file_state(w, "vm", 1), FILE_KEPT);
        assert_int_equal(get_carried(w, "vm"), 0);
        assert_success(w, carry(w, ROOT, "vm"));
        world_update(w);
        assert_success(w, retrieve(w, OTHER, "vm", 1, &fd));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_content(fd, "one");
}

/* Behind FINISH it goes on: with luod restarted, or taken over by the owner. */
static void test_carry_half_done_is_gone_on_with(void **state) {
        World *w = *state;
        int fd;

        for (int taken_over = 0; taken_over <= 1; taken_over++) {
                bring_of_other(w);
                w->kernel.preserve_error = -ENOMEM;
                w->kernel.preserve_after = 1;
                assert_true(carry(w, ROOT, "vm") < 0);
                assert_int_equal(find_session(w, "vm")->record.state, SESSION_RENEWING);
                w->kernel.preserve_error = 0;
                if (taken_over)
                        assert_success(w, renew(w, OTHER, "vm"));
                else
                        world_restart(w);
                assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
                assert_int_equal(get_carried(w, "vm"), taken_over ? 0 : 1);
                assert_nothing_parked(w);
                world_check(w);
                world_update(w);
                assert_int_equal(file_state(w, "vm", 1), FILE_KEPT);
                assert_success(w, retrieve(w, OTHER, "vm", 1, &fd));
                assert_content(fd, "one");
                assert_success(w, discard(w, OTHER, "vm"));
        }
}

/* --- by luod itself */

static bool wants_renewal(const Manager *m, const Session *s) {
        return s->record.auto_renew;
}

static void on_over(Manager *m, void *userdata) {
        ++*(unsigned *) userdata;
}

static void bring_auto_renewed(World *w, const char *const *names, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int fd = make_memfd(names[i]);

                assert_success(w, create_auto_renewed(w, OTHER, names[i]));
                assert_success(w, preserve(w, OTHER, names[i], 1, fd));
                safe_close(fd);
        }
        assert_success(w, create(w, OTHER, "by-hand"));
        world_update(w);
}

static bool get_auto_renew(World *w, const char *session) {
        _cleanup_free_ char *path = session_path(session);
        sd_bus_message *reply;
        int yes;

        assert_int_equal(get_property(w, OTHER, path, LUOD_INTERFACE_SESSION, "AutoRenew", "b", &reply), 0);
        assert_true(sd_bus_message_read(reply, "b", &yes) > 0);
        sd_bus_message_unref(reply);
        return yes;
}

static void test_sessions_that_want_it_are_renewed_by_luod(void **state) {
        static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
        World *w = *state;
        unsigned over = 0;
        int fd, held;

        bring_auto_renewed(w, names, ARRAY_SIZE(names));
        assert_true(get_auto_renew(w, "a"));
        assert_false(get_auto_renew(w, "by-hand"));
        world_restart(w);
        assert_true(get_auto_renew(w, "a"));
        assert_success(w, retrieve(w, OTHER, "a", 1, &held));

        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), -EBUSY);
        assert_int_equal(over, 0); /* from the event loop */
        world_settle(w);
        assert_int_equal(over, 1);
        assert_int_equal(renewals_under_way(w->manager), 0);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                assert_int_equal(find_session(w, names[i])->record.direction, DIRECTION_OUTGOING);
        assert_int_equal(find_session(w, "by-hand")->record.direction, DIRECTION_INCOMING);
        assert_true(fake_kernel_keeps(&w->kernel, held));
        safe_close(held);
        assert_int_equal(get_carried(w, "a"), 0); /* claimed */
        assert_int_equal(get_carried(w, "b"), 1);
        assert_nothing_parked(w);
        world_check(w);

        assert_success(w, discard(w, OTHER, "by-hand"));
        world_update(w);
        assert_int_equal(file_state(w, "b", 1), FILE_KEPT);
        assert_success(w, retrieve(w, OTHER, "f", 1, &fd));
        assert_content(fd, "f");
}

static void test_no_session_to_renew_is_over_at_once(void **state) {
        World *w = *state;
        unsigned over = 0;

        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        world_settle(w);
        assert_int_equal(over, 1);
}

static void test_renewals_of_others_are_waited_for(void **state) {
        World *w = *state;
        Call renewal = CALL_NULL;
        unsigned over = 0;

        bring(w);
        w->store.silent = true;
        send(w, session_message(w, ROOT, "vm", "Renew"), &renewal);
        world_settle(w);
        assert_int_equal(renewals_under_way(w->manager), 1);
        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        world_settle(w);
        assert_int_equal(over, 0);
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        world_settle(w);
        assert_answer(&renewal, NULL);
        assert_int_equal(over, 1);
        assert_int_equal(renewals_under_way(w->manager), 0);
}

static void test_renewals_that_were_called_off_say_nothing(void **state) {
        World *w = *state;
        unsigned over = 0;

        bring_auto_renewed(w, (const char *const[]) { "a" }, 1);
        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        renewals_stop_automatic(w->manager);
        world_settle(w);
        assert_int_equal(over, 0);
        assert_int_equal(find_session(w, "a")->record.direction, DIRECTION_INCOMING);
        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        world_settle(w);
        assert_int_equal(over, 1);
}

static void test_renewal_that_fails_for_good_holds_nothing_off(void **state) {
        World *w = *state;
        unsigned over = 0;
        int fd;

        /* What the kernel lost. */
        bring_auto_renewed(w, (const char *const[]) { "a", "b" }, 2);
        w->kernel.retrieve_error = -EIO;
        assert_true(retrieve(w, OTHER, "a", 1, &fd) < 0);
        w->kernel.retrieve_error = 0;
        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        world_settle(w);
        assert_int_equal(over, 1);
        assert_int_equal(find_session(w, "a")->record.direction, DIRECTION_INCOMING);
        assert_int_equal(find_session(w, "b")->record.direction, DIRECTION_OUTGOING);
        assert_success(w, discard(w, OTHER, "a"));

        /* What the kernel does not take again: tried three times, and from then on without anybody waiting. */
        world_update(w);
        w->kernel.preserve_error = -ENOMEM;
        assert_int_equal(renewals_start_automatic(w->manager, wants_renewal, on_over, &over), 0);
        world_settle(w);
        assert_int_equal(over, 1);
        for (unsigned i = 1; i < RENEWAL_TRIES; i++)
                world_time_passes(w);
        assert_int_equal(over, 2);
        assert_int_equal(renewals_under_way(w->manager), 1);
        assert_int_equal(find_session(w, "b")->record.state, SESSION_RENEWING);
        w->kernel.preserve_error = 0;
        world_time_passes(w);
        assert_int_equal(find_session(w, "b")->record.direction, DIRECTION_OUTGOING);
        assert_int_equal(renewals_under_way(w->manager), 0);
        assert_nothing_parked(w);
        world_check(w);
}

static void test_renewal_without_a_caller_is_tried_again(void **state) {
        World *w = *state;

        bring(w);
        w->kernel.preserve_error = -ENOMEM;
        w->kernel.preserve_after = 1;
        assert_true(renew(w, ROOT, "vm") < 0);
        w->kernel.preserve_after = 0;
        world_restart(w);
        assert_int_equal(find_session(w, "vm")->record.state, SESSION_RENEWING);
        w->kernel.preserve_error = 0;
        world_time_passes(w);
        assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
        assert_nothing_parked(w);
        world_check(w);
        world_update(w);
        assert_contents(w, "one");
}

/* --- custody of what is parked */

static void park(World *w) {
        bring(w);
        w->kernel.preserve_error = -ENOMEM;
        assert_true(renew(w, ROOT, "vm") < 0);
        assert_true(parking_count(w->manager) > 0);
}

static const FakeStored *find_parked(World *w) {
        FakeStored *s;
        uint64_t sid, token;

        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                if (parked_name_parse(s->fdname, &sid, &token))
                        return s;
        return NULL;
}

static void test_parked_files_that_custody_lost_are_given_again(void **state) {
        World *w = *state;
        const FakeStored *lost;

        park(w);
        lost = find_parked(w);
        assert_non_null(lost);
        fake_store_remove(&w->store, lost->fdname);
        w->store.push_error = -ENOSPC;
        fake_store_show(&w->store, w->manager);
        assert_int_equal(parts_custody_state(w->manager), CUSTODY_DEGRADED);
        world_settle(w);
        assert_int_equal(parts_custody_state(w->manager), CUSTODY_DEGRADED);
        w->store.push_error = 0;
        world_time_passes(w);
        assert_int_equal(parts_custody_state(w->manager), CUSTODY_FDSTORE);
        assert_non_null(find_parked(w));

        w->kernel.preserve_error = 0;
        world_restart(w);
        assert_int_equal(find_session(w, "vm")->record.direction, DIRECTION_OUTGOING);
        assert_nothing_parked(w);
        world_check(w);
}

/* What is on its way out is not given again by a list that was read before. */
static void test_parked_files_that_leave_are_not_given_again(void **state) {
        World *w = *state;
        Call renewal = CALL_NULL;

        park(w);
        w->kernel.preserve_error = 0;
        w->store.silent = true;
        send(w, session_message(w, ROOT, "vm", "Renew"), &renewal);
        world_settle(w);
        while (find_parked(w)) /* PID 1 has done it, and not said so yet */
                fake_store_remove(&w->store, find_parked(w)->fdname);
        fake_store_show(&w->store, w->manager);
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        world_settle(w);
        assert_answer(&renewal, NULL);
        assert_nothing_parked(w);
        world_check(w);
}

static void test_nothing_is_finished_while_systemd_is_reloaded(void **state) {
        World *w = *state;
        Call renewal = CALL_NULL;

        bring(w);
        w->kernel.finish_error = -EIO;
        w->store.state = CUSTODY_DEGRADED;
        send(w, session_message(w, ROOT, "vm", "Renew"), &renewal);
        world_settle(w);
        assert_true(parking_count(w->manager) > 0);
        assert_false(renewal.answered);
        assert_int_equal(find_session(w, "vm")->record.state, SESSION_RENEWING);
        w->kernel.finish_error = 0;
        w->store.state = CUSTODY_FDSTORE;
        fake_store_show(&w->store, w->manager);
        world_settle(w);
        assert_answer(&renewal, NULL);
        assert_nothing_parked(w);
        world_check(w);
}

/* Of each there is room for the holes, of both together not. */
static void test_holes_of_all_files_are_counted_together(void **state) {
        World *w = *state;
        uint64_t free_memory = memory_available();
        int fds[2];

        bring(w);
        assert_success(w, retrieve(w, ROOT, "vm", 2, fds));
        assert_success(w, retrieve(w, ROOT, "vm", 3, fds + 1));
        w->manager->config.memory_reserve = free_memory / 2;
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                assert_int_equal(ftruncate(fds[i], (off_t) (free_memory / 10 * 3)), 0);
                if (i == 0)
                        continue;
                assert_true(renew(w, ROOT, "vm") < 0);
                assert_string_equal(w->error, LUOD_ERROR_PREFIX "OutOfMemory");
                assert_int_equal(find_session(w, "vm")->record.state, SESSION_LIVE);
                assert_int_equal(w->manager->holes_in_flight, 0);
                assert_nothing_parked(w);
        }
        assert_int_equal(ftruncate(fds[0], 3), 0);
        assert_success(w, renew(w, ROOT, "vm"));
        assert_int_equal(w->manager->holes_in_flight, 0);
        safe_close(fds[0]);
        safe_close(fds[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(test_renewed_session_goes_over_the_next_update),
                TEST(test_a_session_nobody_claimed_is_carried_through_ten_updates),
                TEST(test_renewing_again_is_success),
                TEST(test_what_was_made_in_this_kernel_needs_no_renewal),
                TEST(test_others_can_not_renew),
                TEST(test_file_that_the_kernel_lost_is_no_renewal),
                TEST(test_kernel_that_does_not_finish_leaves_it_as_it_was),
                TEST(test_failing_preserve_is_gone_on_with),
                TEST(test_files_with_the_longest_tokens_outlive_luod_while_parked),
                TEST(test_renewal_half_done_can_be_discarded),
                TEST(test_file_is_kept_as_it_is_now),
                TEST(test_calls_that_waited_for_the_renewal_are_refused),
                TEST(test_two_hundred_files_are_renewed),
                TEST(test_carried_session_stays_unclaimed_with_all_it_has),
                TEST(test_owner_of_a_carried_session_is_told_when_it_comes_back),
                TEST(test_claimed_session_is_renewed_not_carried),
                TEST(test_only_root_carries),
                TEST(test_failing_carry_leaves_it_unclaimed),
                TEST(test_carry_half_done_is_gone_on_with),
                TEST(test_sessions_that_want_it_are_renewed_by_luod),
                TEST(test_no_session_to_renew_is_over_at_once),
                TEST(test_renewals_of_others_are_waited_for),
                TEST(test_renewals_that_were_called_off_say_nothing),
                TEST(test_renewal_that_fails_for_good_holds_nothing_off),
                TEST(test_renewal_without_a_caller_is_tried_again),
                TEST(test_parked_files_that_custody_lost_are_given_again),
                TEST(test_parked_files_that_leave_are_not_given_again),
                TEST(test_nothing_is_finished_while_systemd_is_reloaded),
                TEST(test_holes_of_all_files_are_counted_together),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
