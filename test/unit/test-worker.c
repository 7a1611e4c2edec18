/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "macro.h"
#include "worker.h"

typedef struct Fixture {
        sd_event *event;
        Workers workers;
        unsigned n_fds;
        int *shared; /* with the children */

        unsigned n_done;
        WorkerReply reply; /* the last one; its fds are not ours but @taken */
        int taken;
} Fixture;

/* There the limit of fds is valgrind's own affair. */
static bool is_valgrind(void) {
        const char *preload = getenv("LD_PRELOAD");

        return preload && strstr(preload, "vgpreload");
}

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 2048; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static int setup(void **state) {
        static Fixture f;
        sigset_t mask;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        f = (Fixture) { .n_fds = count_fds(), .taken = -EBADF };
        f.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (f.shared == MAP_FAILED || sd_event_new(&f.event) < 0)
                return -1;
        workers_init(&f.workers, f.event);
        *state = &f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        safe_close(f->taken);
        workers_done(&f->workers);
        sd_event_unref(f->event);
        (void) munmap(f->shared, 4096);
        return count_fds() == f->n_fds ? 0 : -1;
}

static void on_done(WorkerReply *reply, void *userdata) {
        Fixture *f = userdata;

        f->n_done++;
        f->reply = *reply;
        if (reply->n_fds > 0)
                f->taken = TAKE_FD(reply->fds[0]);
}

static void wait_for(Fixture *f, unsigned n_done) {
        while (f->n_done < n_done)
                assert_true(sd_event_run(f->event, 10 * 1000 * 1000) > 0);
}

/* --- */

static void answer(void *arg, WorkerReply *reply) {
        reply->error = -EXDEV;
        reply->n_done = 7;
        for (unsigned i = 0; i < FD_TRANSFER_MAX; i++)
                reply->values[i] = UINT64_MAX - i;
        *(int *) arg = 1;
}

static void test_answer_comes_back_from_a_process_of_its_own(void **state) {
        Fixture *f = *state;
        int touched = 0;

        assert_int_equal(worker_run(&f->workers, answer, &touched, NULL, 0, 0, on_done, f), 0);
        assert_false(workers_are_idle(&f->workers));
        assert_int_equal(f->n_done, 0);
        wait_for(f, 1);
        assert_true(workers_are_idle(&f->workers));
        assert_int_equal(f->reply.error, -EXDEV);
        assert_int_equal(f->reply.n_done, 7);
        for (unsigned i = 0; i < FD_TRANSFER_MAX; i++)
                assert_true(f->reply.values[i] == UINT64_MAX - i);
        assert_int_equal(touched, 0);
}

static void test_inline_answer_comes_at_the_next_turn(void **state) {
        Fixture *f = *state;
        int touched = 0;

        f->workers.inline_ = true;
        assert_int_equal(worker_run(&f->workers, answer, &touched, NULL, 0, 0, on_done, f), 0);
        assert_int_equal(f->n_done, 0);
        wait_for(f, 1);
        assert_int_equal(f->reply.error, -EXDEV);
        assert_int_equal(touched, 1);
}

static void make_fds(void *arg, WorkerReply *reply) {
        for (unsigned i = 0; i < *(unsigned *) arg; i++) {
                reply->fds[reply->n_fds] = memfd_create("x", MFD_CLOEXEC);
                if (ftruncate(reply->fds[reply->n_fds++], i + 1) < 0)
                        reply->error = -errno;
        }
}

static void test_fds_come_back_and_those_not_taken_are_closed(void **state) {
        Fixture *f = *state;
        unsigned n_before = count_fds();

        for (unsigned n = 0; n <= FD_TRANSFER_MAX; n += n == 0 ? 1 : FD_TRANSFER_MAX - 1) {
                struct stat st;

                assert_int_equal(worker_run(&f->workers, make_fds, &n, NULL, 0, 0, on_done, f), 0);
                wait_for(f, f->n_done + 1);
                assert_int_equal(f->reply.error, 0);
                assert_int_equal(f->reply.n_fds, n);
                if (n > 0) {
                        assert_int_equal(fstat(f->taken, &st), 0);
                        assert_int_equal(st.st_size, 1);
                        assert_int_equal(fcntl(f->taken, F_GETFD), FD_CLOEXEC);
                        f->taken = safe_close(f->taken);
                }
                assert_int_equal(count_fds(), n_before);
        }
}

static void note_fds(void *arg, WorkerReply *reply) {
        for (int fd = 3; fd < 512; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        reply->values[reply->n_done++] = (uint64_t) fd;
}

static void test_child_has_only_the_fds_that_it_was_left(void **state) {
        Fixture *f = *state;
        int keep[] = { fcntl(0, F_DUPFD_CLOEXEC, 300), fcntl(0, F_DUPFD_CLOEXEC, 200) };
        bool has[2] = {};

        assert_int_equal(worker_run(&f->workers, note_fds, NULL, keep, 2, 0, on_done, f), 0);
        wait_for(f, 1);
        assert_int_equal(f->reply.n_done, 3); /* and its socket */
        for (unsigned i = 0; i < 3; i++)
                for (unsigned j = 0; j < 2; j++)
                        has[j] |= f->reply.values[i] == (uint64_t) keep[j];
        assert_true(has[0] && has[1]);
        safe_close(keep[0]);
        safe_close(keep[1]);
}

static void kill_myself(void *arg, WorkerReply *reply) {
        (void) raise(SIGKILL);
}

static void leave(void *arg, WorkerReply *reply) {
        _exit(0);
}

static void test_death_of_the_child_is_an_answer(void **state) {
        Fixture *f = *state;

        assert_int_equal(worker_run(&f->workers, kill_myself, NULL, NULL, 0, 0, on_done, f), 0);
        wait_for(f, 1);
        assert_int_equal(f->reply.error, -EOWNERDEAD);
        assert_int_equal(worker_run(&f->workers, leave, NULL, NULL, 0, 0, on_done, f), 0);
        wait_for(f, 2);
        assert_int_equal(f->reply.error, -EOWNERDEAD);
        assert_int_equal(f->reply.n_fds, 0);
}

static void test_full_fd_table_is_an_answer(void **state) {
        Fixture *f = *state;
        unsigned n = 16, n_before = count_fds();
        struct rlimit before, few;

        if (is_valgrind())
                skip();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(worker_run(&f->workers, make_fds, &n, NULL, 0, 0, on_done, f), 0);
        few = before;
        few.rlim_cur = 16;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        wait_for(f, 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(f->reply.error, -EMFILE);
        assert_int_equal(f->reply.n_fds, 0);
        f->taken = -EBADF;
        assert_true(count_fds() <= n_before);
}

static void test_no_room_for_a_worker_is_told_at_once(void **state) {
        Fixture *f = *state;
        struct rlimit before, none;
        int r;

        if (is_valgrind())
                skip();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = worker_run(&f->workers, answer, NULL, NULL, 0, 0, on_done, f);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(r, -EMFILE);
        assert_true(workers_are_idle(&f->workers));
        assert_int_equal(f->n_done, 0);
}

static void sleep_and_answer(void *arg, WorkerReply *reply) {
        (void) usleep(*(unsigned *) arg);
        reply->values[0] = *(unsigned *) arg;
}

static void test_slow_ones_do_not_hold_up_quick_ones(void **state) {
        Fixture *f = *state;
        unsigned slow = 300000, quick = 1;

        assert_int_equal(worker_run(&f->workers, sleep_and_answer, &slow, NULL, 0, 0, on_done, f), 0);
        assert_int_equal(worker_run(&f->workers, sleep_and_answer, &quick, NULL, 0, 0, on_done, f), 0);
        wait_for(f, 1);
        assert_int_equal(f->reply.values[0], quick);
        wait_for(f, 2);
        assert_int_equal(f->reply.values[0], slow);
}

static void test_forgotten_ones_do_not_call_back(void **state) {
        Fixture *f = *state;
        unsigned time = 1;

        for (unsigned i = 0; i < 2; i++) {
                f->workers.inline_ = i > 0;
                assert_int_equal(worker_run(&f->workers, sleep_and_answer, &time, NULL, 0, 0, on_done, f), 0);
                workers_done(&f->workers);
                assert_true(workers_are_idle(&f->workers));
                (void) usleep(20000);
                while (sd_event_run(f->event, 0) > 0)
                        ;
                assert_int_equal(f->n_done, 0);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
}

static void chain(WorkerReply *reply, void *userdata) {
        Fixture *f = userdata;
        static unsigned time = 1;

        if (++f->n_done < 5)
                assert_int_equal(worker_run(&f->workers, sleep_and_answer, &time, NULL, 0, 0, chain, f), 0);
}

static void test_answers_can_start_the_next_one(void **state) {
        Fixture *f = *state;
        unsigned time = 1;

        for (unsigned i = 0; i < 2; i++) {
                f->n_done = 0;
                f->workers.inline_ = i > 0;
                assert_int_equal(worker_run(&f->workers, sleep_and_answer, &time, NULL, 0, 0, chain, f), 0);
                wait_for(f, 5);
                assert_true(workers_are_idle(&f->workers));
        }
}

/* --- death of the parent */

static void wait_and_note(void *arg, WorkerReply *reply) {
        int *shared = arg;

        __atomic_store_n(shared, (int) getpid(), __ATOMIC_SEQ_CST);
        (void) usleep(200000);
        __atomic_store_n(shared + 1, 1, __ATOMIC_SEQ_CST);
}

/* Whether the worker came to its end after luod was killed. */
static bool outlives(Fixture *f, unsigned flags) {
        pid_t luod, worker;
        int status;

        memset(f->shared, 0, 2 * sizeof(int));
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        luod = fork();
        if (luod == 0) {
                Workers workers;
                sd_event *event;

                if (sd_event_new(&event) < 0)
                        _exit(1);
                workers_init(&workers, event);
                if (worker_run(&workers, wait_and_note, f->shared, NULL, 0, flags, on_done, f) < 0)
                        _exit(1);
                for (;;)
                        (void) pause();
        }
        while ((worker = __atomic_load_n(f->shared, __ATOMIC_SEQ_CST)) == 0)
                (void) usleep(1000);
        assert_int_equal(kill(luod, SIGKILL), 0);
        assert_int_equal(waitpid(luod, &status, 0), luod);
        assert_int_equal(waitpid(worker, &status, 0), worker);
        return __atomic_load_n(f->shared + 1, __ATOMIC_SEQ_CST);
}

static void test_child_dies_with_luod_unless_it_must_not(void **state) {
        assert_false(outlives(*state, 0));
        assert_true(outlives(*state, WORKER_OUTLIVES));
}

static void note_terminations(void *arg, WorkerReply *reply) {
        (void) raise(SIGTERM);
        (void) raise(SIGINT);
        reply->values[0] = 1;
}

static void test_child_is_not_ended_by_the_signals_that_stop_luod(void **state) {
        Fixture *f = *state;

        assert_int_equal(worker_run(&f->workers, note_terminations, NULL, NULL, 0, 0, on_done, f), 0);
        wait_for(f, 1);
        assert_int_equal(f->reply.error, 0);
        assert_int_equal(f->reply.values[0], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_answer_comes_back_from_a_process_of_its_own),
                TEST(test_inline_answer_comes_at_the_next_turn),
                TEST(test_fds_come_back_and_those_not_taken_are_closed),
                TEST(test_child_has_only_the_fds_that_it_was_left),
                TEST(test_death_of_the_child_is_an_answer),
                TEST(test_full_fd_table_is_an_answer),
                TEST(test_no_room_for_a_worker_is_told_at_once),
                TEST(test_slow_ones_do_not_hold_up_quick_ones),
                TEST(test_forgotten_ones_do_not_call_back),
                TEST(test_answers_can_start_the_next_one),
                TEST(test_child_dies_with_luod_unless_it_must_not),
                TEST(test_child_is_not_ended_by_the_signals_that_stop_luod),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
