/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parking.h"
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
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
