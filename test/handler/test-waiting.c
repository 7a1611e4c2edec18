/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "job.h"
#include "parts.h"
#include "world.h"

/* Calls that must wait: for each other, for a spare kernel session, for the custodian, for the device. */

#define N_SENT_MAX (JOBS_PER_SESSION_MAX + 1)

static void send_preserve(World *w, const char *session, uint64_t token, int fd, Call *call) {
        sd_bus_message *m = session_message(w, ROOT, session, "Preserve");

        assert_true(sd_bus_message_append(m, "tsh", token, "", fd) >= 0);
        call_send(w, ROOT, m, call);
        sd_bus_message_unref(m);
}

static void send_preserve_many(World *w, const char *session, uint64_t token, int fd, Call *call) {
        sd_bus_message *m = session_message(w, ROOT, session, "PreserveMany");

        assert_true(sd_bus_message_append(m, "a(tsh)a{sv}", 1, token, "", fd, 0) >= 0);
        call_send(w, ROOT, m, call);
        sd_bus_message_unref(m);
}

static void send_create(World *w, const char *name, Call *call) {
        sd_bus_message *m = manager_message(w, ROOT, "CreateSession");

        assert_true(sd_bus_message_append(m, "sa{sv}", name, 0) >= 0);
        call_send(w, ROOT, m, call);
        sd_bus_message_unref(m);
}

static void send_discard(World *w, const char *session, Call *call) {
        sd_bus_message *m = session_message(w, ROOT, session, "Discard");

        call_send(w, ROOT, m, call);
        sd_bus_message_unref(m);
}

static void let_custodian_answer(World *w) {
        w->store.silent = false;
        fake_custody_wake(w->manager->custody);
        world_settle(w);
}

static void upkeep_now(World *w) {
        assert_non_null(w->manager->upkeep);
        assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        world_settle(w);
}

/* A call that ends in success, or in the error named. */
static void assert_answer(Call *call, const char *error) {
        World *w = call->world;
        int r = call_wait(call, NULL);

        if (!error) {
                assert_success(w, r);
        } else {
                assert_true(r < 0);
                assert_string_equal(w->error + strlen(LUOD_ERROR_PREFIX), error);
        }
        call_done(call);
}

/* Takes all spare kernel sessions of a kind while no new ones can be made. */
static void use_up_spares(World *w) {
        char name[32];

        w->kernel.device_error = -EBUSY;
        for (unsigned i = 0; parts_take_spare(w->manager, PART_READY); i++) {
                (void) snprintf(name, sizeof(name), "taker-%u", i);
                assert_success(w, create(w, ROOT, name));
        }
}

/* --- for each other */

static void test_sessions_do_not_wait_for_each_other(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b"), c = make_memfd("c");
        Call slow = CALL_NULL, behind = CALL_NULL, quick = CALL_NULL;
        unsigned position;

        assert_success(w, create(w, ROOT, "slow"));
        assert_success(w, create(w, ROOT, "quick"));
        w->store.silent = true;
        send_preserve_many(w, "slow", 1, a, &slow);
        send_preserve(w, "slow", 2, b, &behind);
        send_preserve(w, "quick", 1, c, &quick);
        assert_answer(&quick, NULL);
        assert_false(slow.answered);
        assert_false(behind.answered);
        assert_success(w, set_metadata(w, ROOT, "quick", "k", "v"));
        assert_false(behind.answered);

        let_custodian_answer(w);
        position = slow.position;
        assert_true(behind.position > position);
        assert_answer(&slow, NULL);
        assert_answer(&behind, NULL);
        world_check(w);
}

static void test_calls_of_a_session_are_answered_in_order_up_to_a_limit(void **state) {
        World *w = *state;
        Call calls[N_SENT_MAX] = {}, other = CALL_NULL;
        int fds[N_SENT_MAX];

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, create(w, ROOT, "vm2"));
        w->store.silent = true;
        for (unsigned i = 0; i < N_SENT_MAX; i++) {
                fds[i] = make_memfd("x");
                if (i % 2)
                        send_preserve(w, "vm1", i, fds[i], calls + i);
                else
                        send_preserve_many(w, "vm1", i, fds[i], calls + i);
        }
        world_settle(w);
        assert_true(calls[N_SENT_MAX - 1].answered);
        assert_answer(calls + N_SENT_MAX - 1, "QuotaExceeded");
        send_preserve(w, "vm2", 1, fds[N_SENT_MAX - 1], &other);
        assert_answer(&other, NULL);

        let_custodian_answer(w);
        for (unsigned i = 0; i + 1 < N_SENT_MAX; i++) {
                assert_true(calls[i].answered);
                if (i > 0)
                        assert_true(calls[i].position == calls[i - 1].position + 1);
        }
        for (unsigned i = 0; i + 1 < N_SENT_MAX; i++)
                assert_answer(calls + i, NULL);
        for (unsigned i = 0; i < N_SENT_MAX; i++)
                safe_close(fds[i]);
        assert_int_equal(find_session(w, "vm1")->n_files, JOBS_PER_SESSION_MAX);
        assert_int_equal(w->manager->n_jobs, 0);
        world_check(w);
}

static void test_calls_behind_an_end_learn_that_the_session_is_over(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b");
        Call first = CALL_NULL, end = CALL_NULL, behind = CALL_NULL, again = CALL_NULL;

        assert_success(w, create(w, ROOT, "vm1"));
        w->store.silent = true;
        send_preserve_many(w, "vm1", 1, a, &first);
        send_discard(w, "vm1", &end);
        send_preserve(w, "vm1", 2, b, &behind);
        send_discard(w, "vm1", &again);
        world_settle(w);
        let_custodian_answer(w);
        assert_answer(&first, NULL);
        assert_answer(&end, NULL);
        assert_answer(&behind, "NoSuchSession");
        assert_answer(&again, "NoSuchSession");
        assert_false(fake_kernel_keeps(&w->kernel, a));
        assert_false(fake_kernel_keeps(&w->kernel, b));
        world_check(w);
}

static void test_same_object_in_two_calls_at_once_is_kept_once(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        Call many = CALL_NULL, same = CALL_NULL, other = CALL_NULL;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, create(w, ROOT, "vm2"));
        w->store.silent = true;
        send_preserve_many(w, "vm1", 1, fd, &many);
        send_preserve(w, "vm1", 1, fd, &same);
        world_settle(w);
        send_preserve(w, "vm2", 1, fd, &other); /* the kernel has it, luod's first caller has no answer yet */
        world_settle(w);
        let_custodian_answer(w);
        assert_answer(&many, NULL);
        assert_answer(&same, NULL);
        assert_answer(&other, "AlreadyPreserved");
        world_check(w);
}

/* --- for a spare kernel session */

static void test_create_waits_for_a_spare(void **state) {
        World *w = *state;
        Call call = CALL_NULL;

        use_up_spares(w);
        send_create(w, "vm1", &call);
        world_settle(w);
        assert_false(call.answered);
        w->kernel.device_error = 0;
        assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        assert_answer(&call, NULL);
        world_check(w);
}

static void test_two_who_wait_for_the_same_name_get_one_session(void **state) {
        World *w = *state;
        Call first = CALL_NULL, second = CALL_NULL;

        use_up_spares(w);
        send_create(w, "vm1", &first);
        send_create(w, "vm1", &second);
        world_settle(w);
        w->kernel.device_error = 0;
        assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        assert_answer(&first, NULL);
        assert_answer(&second, "SessionExists");
        world_check(w);
}

static void test_busy_device_is_said_after_a_while(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        Call creation = CALL_NULL, many = CALL_NULL;

        n_pauses = 0;
        use_up_spares(w);
        assert_true(n_pauses > 10);
        for (Part *p; (p = parts_take_spare(w->manager, PART_BARE));)
                p->leaving = true; /* nobody takes that one */
        send_create(w, "vm1", &creation);
        send_preserve_many(w, "taker-0", 1, fd, &many);
        world_settle(w);
        assert_false(creation.answered);
        world_time_passes(w);
        assert_answer(&creation, "DeviceBusy");
        assert_answer(&many, "DeviceBusy");
        assert_int_equal(w->manager->n_jobs, 0);
        assert_false(fake_kernel_keeps(&w->kernel, fd));

        w->kernel.device_error = 0;
        upkeep_now(w);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve_many(w, ROOT, "taker-0", (uint64_t[]) { 1 }, &fd, 1));
        world_check(w);
}

static void test_failing_creation_of_spares_is_not_tried_without_end(void **state) {
        World *w = *state;
        static const int errors[] = { -ENOSPC, -ENOMEM, -EPERM };

        use_up_spares(w);
        w->kernel.device_error = 0;
        for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
                Call calls[3] = {};
                unsigned n_opened = w->kernel.n_opened;
                char name[16];

                w->kernel.create_error = errors[i];
                for (unsigned j = 0; j < ARRAY_SIZE(calls); j++) {
                        (void) snprintf(name, sizeof(name), "vm%u", j);
                        send_create(w, name, calls + j);
                }
                world_settle(w);
                assert_true(w->kernel.n_opened - n_opened <= 2 * ARRAY_SIZE(calls));
                world_time_passes(w);
                for (unsigned j = 0; j < ARRAY_SIZE(calls); j++) {
                        assert_true(call_wait(calls + j, NULL) < 0);
                        call_done(calls + j);
                }
                assert_int_equal(w->manager->n_jobs, 0);
        }
        w->kernel.create_error = 0;
        upkeep_now(w);
        assert_success(w, create(w, ROOT, "vm1"));
}

static void test_who_got_a_spare_in_time_is_not_timed_out(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        Call many = CALL_NULL;
        Job *job;

        use_up_spares(w);
        for (Part *p; (p = parts_take_spare(w->manager, PART_BARE));)
                p->leaving = true;
        send_preserve_many(w, "taker-0", 1, fd, &many);
        world_settle(w);
        assert_false(list_is_empty(&w->manager->spare_waiters));
        job = LIST_ENTRY(list_first(&w->manager->spare_waiters), Job, wait_link);

        w->kernel.device_error = 0;
        w->store.silent = true;
        assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        world_settle(w);
        assert_true(list_is_empty(&w->manager->spare_waiters));
        assert_ptr_equal(LIST_ENTRY(list_first(&find_session(w, "taker-0")->jobs), Job, link), job);
        if (job->timeout) /* now its time would have been up */
                assert_true(sd_event_source_set_time(job->timeout, 0) >= 0);
        world_settle(w);
        assert_false(many.answered);
        let_custodian_answer(w);
        assert_answer(&many, NULL);
        assert_int_equal(w->manager->n_jobs, 0);
        world_check(w);
}

static void on_idle(Manager *m, void *userdata) {
        *(int *) userdata += 1;
}

static void test_stopping_refuses_those_who_wait(void **state) {
        World *w = *state;
        Call call = CALL_NULL;
        int idle = 0;

        use_up_spares(w);
        send_create(w, "vm1", &call);
        world_settle(w);
        manager_stop(w->manager, on_idle, &idle);
        assert_answer(&call, "ShuttingDown");
        assert_int_equal(idle, 1);
}

/* luod dies while some wait: nothing of them may be left. */
static void test_waiting_requests_are_forgotten_without_a_trace(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        FileRecord record = { .token = 1 };
        Session *s;

        use_up_spares(w);
        for (Part *p; (p = parts_take_spare(w->manager, PART_BARE));)
                p->leaving = true;
        s = state_find_session(&w->manager->state, "taker-0");
        for (unsigned many = 0; many < 2; many++) {
                record.token = many;
                assert_int_equal(operation_preserve(w->manager, s, caller_of(w, 0), &record, &fd, 1, !many,
                                                    /* accept_write_seal= */ false, NULL, NULL, &w->failure), 0);
        }
        assert_int_equal(operation_end(w->manager, s, caller_of(w, 0), END_DISCARDED, NULL, NULL, &w->failure), 0);
        assert_int_equal(operation_create(w->manager, "vm1", caller_of(w, 0), NULL, 0, /* auto_renew= */ false, NULL, NULL, &w->failure), 0);
        world_settle(w);
        assert_int_equal(w->manager->n_jobs, 4);
        w->kernel.device_error = 0;
        world_restart(w);
        assert_non_null(find_session(w, "taker-0"));
        assert_null(find_session(w, "vm1"));
        assert_false(fake_kernel_keeps(&w->kernel, fd));
}

/* --- for the custodian */

static void test_spares_that_are_not_in_custody_are_not_given_away(void **state) {
        World *w = *state;
        Call call = CALL_NULL;

        w->store.silent = true;
        assert_int_equal(world_start(w), -EINPROGRESS); /* the ledger is not safe: nobody is served */
        let_custodian_answer(w);
        assert_true(w->changed_over);
        world_kill(w);

        assert_int_equal(world_start(w), 0);
        use_up_spares(w);
        w->kernel.device_error = 0;
        w->store.silent = true;
        upkeep_now(w);
        send_create(w, "vm1", &call);
        world_settle(w);
        assert_false(call.answered);
        assert_null(find_session(w, "vm1"));
        world_time_passes(w);
        assert_answer(&call, "NoCustody");
        let_custodian_answer(w);
        assert_success(w, create(w, ROOT, "vm1"));
        world_check(w);
}

static void test_custodian_that_refuses_undoes_the_call(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        unsigned n_stored;

        assert_success(w, create(w, ROOT, "vm1"));
        n_stored = w->store.n_stored;
        w->store.push_error = -ENOSPC;
        assert_refused(w, "NoCustody", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1 }, &fd, 1));
        assert_false(fake_kernel_keeps(&w->kernel, fd));
        assert_int_equal(w->store.n_stored, n_stored);

        /* It has it, but luod is not told: nobody was told yes, so it must not stay. */
        w->store.push_error = 0;
        w->store.push_unheard = -ETIMEDOUT;
        assert_refused(w, "NoCustody", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1 }, &fd, 1));
        assert_false(fake_kernel_keeps(&w->kernel, fd));
        assert_int_equal(w->store.n_stored, n_stored);
        w->store.push_unheard = 0;
        world_time_passes(w);
        assert_success(w, preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1 }, &fd, 1));
        world_check(w);
        world_restart(w);
}

static void test_preserve_needs_no_custodian_while_the_session_is_safe(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");

        assert_success(w, create(w, ROOT, "vm1"));
        w->store.silent = true;
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        world_kill(w);
        w->store.silent = false;
        world_update(w);
        assert_int_equal(file_state(w, "vm1", 1), FILE_KEPT);
}

static void test_what_the_custodian_lost_is_given_again(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a"), b = make_memfd("b");
        _cleanup_free_ char *fdname = NULL;
        Call call = CALL_NULL;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, a));
        fdname = strdup(find_file(w, "vm1", 1)->part->record.fdname);
        fake_store_remove(&w->store, fdname);
        w->store.silent = true;
        fake_store_show(&w->store, w->manager);
        assert_int_equal(parts_custody_state(w->manager), CUSTODY_DEGRADED);
        /* Into another part, which is safe. */
        send_preserve(w, "vm1", 2, b, &call);
        assert_answer(&call, NULL);
        assert_ptr_not_equal(find_file(w, "vm1", 1)->part, find_file(w, "vm1", 2)->part);

        let_custodian_answer(w);
        assert_int_equal(parts_custody_state(w->manager), CUSTODY_FDSTORE);
        assert_non_null(fake_store_find(&w->store, fdname));
        world_check(w);
        world_update(w);
        assert_int_equal(file_state(w, "vm1", 1), FILE_KEPT);
        assert_int_equal(file_state(w, "vm1", 2), FILE_KEPT);
}

static void test_all_that_the_custodian_lost_is_given_again(void **state) {
        World *w = *state;
        _cleanup_(closep) int a = make_memfd("a");
        FakeStored *s;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, a));
        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                fake_store_remove(&w->store, s->fdname);
        assert_int_equal(w->store.n_stored, 0);
        fake_store_show(&w->store, w->manager);
        world_check(w);
        world_update(w);
        assert_int_equal(file_state(w, "vm1", 1), FILE_KEPT);
}

static void test_custody_that_does_not_go_over_kexec_is_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        int back;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        w->store.state = CUSTODY_FDSTORE_NO_KEXEC;
        assert_refused(w, "NoCustody", create(w, ROOT, "vm2"));
        assert_refused(w, "NoCustody", preserve(w, ROOT, "vm1", 2, fd));
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "vm1", 1, &back)); /* giving back needs none */
        assert_content(back, "a");
        assert_success(w, finish(w, ROOT, "vm1"));
}

static void test_without_a_custodian_nothing_is_taken_and_nothing_dropped(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        int back;

        assert_success(w, create_with(w, ROOT, "vm1", "k", "v"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        world_kexec(w);
        w->no_custodian = true;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(world_start(w), 0);
                assert_refused(w, "NoCustody", create(w, ROOT, "vm2"));
                assert_int_equal(find_session(w, "vm1")->n_metadata, 1);
                world_kill(w);
        }
        w->no_custodian = false;
        assert_int_equal(world_start(w), 0);
        assert_int_equal(find_session(w, "vm1")->n_metadata, 1);
        assert_success(w, retrieve(w, ROOT, "vm1", 1, &back));
        assert_content(back, "a");
        assert_success(w, create_with(w, ROOT, "vm2", "k", "v"));
        world_check(w);
        world_update(w);
        assert_int_equal(find_session(w, "vm2")->n_metadata, 1);
}

static void test_discard_that_the_custodian_refuses_goes_on_when_asked_again(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a"), other = make_memfd("b");
        Call end = CALL_NULL, behind = CALL_NULL;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        w->store.remove_error = -EBUSY;
        send_discard(w, "vm1", &end);
        send_preserve(w, "vm1", 2, other, &behind);
        assert_answer(&end, "NoCustody");
        assert_answer(&behind, "WrongDirection"); /* it will go on: what is kept now would be dropped then */
        assert_refused(w, "WrongDirection", preserve(w, ROOT, "vm1", 2, other));
        assert_refused(w, "WrongDirection", set_metadata(w, ROOT, "vm1", "k", "v"));
        w->store.remove_error = 0;
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_false(fake_kernel_keeps(&w->kernel, fd));
        world_check(w);
}

static void test_discard_that_the_custodian_refuses_goes_on_at_the_next_start(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        w->store.remove_error = -EBUSY;
        assert_true(discard(w, ROOT, "vm1") < 0);
        w->store.remove_error = 0;
        world_restart(w);
        assert_null(find_session(w, "vm1"));
        assert_false(fake_kernel_keeps(&w->kernel, fd));
}

/* --- what can't be told */

static void test_intent_that_could_not_be_settled_is_no_success(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");

        assert_success(w, create(w, ROOT, "vm1"));
        w->kernel.preserve_error = -EOWNERDEAD; /* the child was killed, and whether in time can't be told */
        w->kernel.known_error = -EINTR;
        assert_true(preserve(w, ROOT, "vm1", 1, fd) < 0);
        assert_int_equal(file_state(w, "vm1", 1), FILE_INTENT);
        assert_true(preserve(w, ROOT, "vm1", 1, fd) < 0);
        assert_true(preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1 }, &fd, 1) < 0);

        w->kernel.preserve_error = w->kernel.known_error = 0;
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        assert_true(fake_kernel_keeps(&w->kernel, fd));
        assert_int_equal(file_state(w, "vm1", 1), FILE_KEPT);
        world_check(w);
}

static void test_intent_that_came_true_unseen_is_success_when_repeated(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");
        const File *f;

        assert_success(w, create(w, ROOT, "vm1"));
        w->kernel.preserve_error = -EOWNERDEAD;
        w->kernel.known_error = -EINTR;
        assert_true(preserve(w, ROOT, "vm1", 1, fd) < 0);
        w->kernel.preserve_error = w->kernel.known_error = 0;
        f = find_file(w, "vm1", 1);
        assert_int_equal(fake_preserve(&w->kernel, f->part->fd, f->record.ktoken, fd), 0);

        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        assert_int_equal(file_state(w, "vm1", 1), FILE_KEPT);
        world_check(w);
}

static void test_child_killed_before_the_kernel_said_yes_is_out_of_memory(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("a");

        assert_success(w, create(w, ROOT, "vm1"));
        w->kernel.preserve_error = -EOWNERDEAD;
        assert_refused(w, "OutOfMemory", preserve(w, ROOT, "vm1", 1, fd));
        assert_refused(w, "OutOfMemory", preserve_many(w, ROOT, "vm1", (uint64_t[]) { 1 }, &fd, 1));
        world_check(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
#define TEST_DOWN(name) cmocka_unit_test_setup_teardown(name, world_setup_down, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_sessions_do_not_wait_for_each_other),
                TEST(test_calls_of_a_session_are_answered_in_order_up_to_a_limit),
                TEST(test_calls_behind_an_end_learn_that_the_session_is_over),
                TEST(test_same_object_in_two_calls_at_once_is_kept_once),
                TEST(test_create_waits_for_a_spare),
                TEST(test_two_who_wait_for_the_same_name_get_one_session),
                TEST(test_busy_device_is_said_after_a_while),
                TEST(test_failing_creation_of_spares_is_not_tried_without_end),
                TEST(test_who_got_a_spare_in_time_is_not_timed_out),
                TEST(test_stopping_refuses_those_who_wait),
                TEST(test_waiting_requests_are_forgotten_without_a_trace),
                TEST_DOWN(test_spares_that_are_not_in_custody_are_not_given_away),
                TEST(test_custodian_that_refuses_undoes_the_call),
                TEST(test_preserve_needs_no_custodian_while_the_session_is_safe),
                TEST(test_what_the_custodian_lost_is_given_again),
                TEST(test_all_that_the_custodian_lost_is_given_again),
                TEST(test_custody_that_does_not_go_over_kexec_is_refused),
                TEST(test_without_a_custodian_nothing_is_taken_and_nothing_dropped),
                TEST(test_discard_that_the_custodian_refuses_goes_on_when_asked_again),
                TEST(test_discard_that_the_custodian_refuses_goes_on_at_the_next_start),
                TEST(test_intent_that_could_not_be_settled_is_no_success),
                TEST(test_intent_that_came_true_unseen_is_success_when_repeated),
                TEST(test_child_killed_before_the_kernel_said_yes_is_out_of_memory),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
