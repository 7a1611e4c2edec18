/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "logind.h"

/* logind.c on a bus of its own, with a logind and a PID 1 that can be told what to do. They run in a thread. */

typedef struct Theirs {
        pthread_t thread;
        int commands[2]; /* 'd': logind dies, 'l': it is back, 'p': it announces a kexec, 'q': the end */
        sd_event *event;
        sd_bus *logind, *systemd;
        atomic_bool mute;      /* RebootWithFlags() gets no answer */
        atomic_bool preparing, stopping;
        atomic_bool lists_block; /* luod's block lock, for ever */
        atomic_uint n_lists;
        atomic_uint n_reboots, n_locks, n_states_asked;
        atomic_ullong delay_max;
        sd_bus_message *unanswered;
} Theirs;

static Theirs theirs;
static char address[128];
static pid_t daemon_pid;

static int method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        theirs.n_locks++;
        r = sd_bus_reply_method_return(m, "h", fds[1]);
        safe_close(fds[0]);
        safe_close(fds[1]);
        return r;
}

static int method_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        theirs.n_lists++;
        if (theirs.lists_block)
                return sd_bus_reply_method_return(m, "a(ssssuu)", 1, "shutdown", "luod", "why", "block", (uint32_t) 0,
                                                  (uint32_t) getpid());
        return sd_bus_reply_method_return(m, "a(ssssuu)", 0);
}

static int method_reboot(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        theirs.n_reboots++;
        if (!theirs.mute)
                return sd_bus_reply_method_return(m, NULL);
        theirs.unanswered = sd_bus_message_unref(theirs.unanswered);
        theirs.unanswered = sd_bus_message_ref(m);
        return 1;
}

static int method_list_units(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return sd_bus_reply_method_return(m, "a(ssssssouso)", 1, "kexec.target", "", "loaded", "inactive", "dead", "", "/x",
                                          (uint32_t) 0, "", "/");
}

static int get(sd_bus *bus,
               const char *path,
               const char *interface,
               const char *property,
               sd_bus_message *reply,
               void *userdata,
               sd_bus_error *reterr) {
        if (streq(property, "PreparingForShutdown"))
                return sd_bus_message_append(reply, "b", (int) theirs.preparing);
        if (streq(property, "InhibitDelayMaxUSec"))
                return sd_bus_message_append(reply, "t", (uint64_t) theirs.delay_max);
        theirs.n_states_asked += streq(property, "SystemState");
        return sd_bus_message_append(reply, "s", streq(property, "Version") ? "262" : theirs.stopping ? "stopping" : "running");
}

static const sd_bus_vtable logind_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Inhibit", "ssss", "h", method_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListInhibitors", "", "a(ssssuu)", method_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RebootWithFlags", "t", "", method_reboot, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("PreparingForShutdown", "b", get, 0, 0),
        SD_BUS_PROPERTY("InhibitDelayMaxUSec", "t", get, 0, 0),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("ListUnitsByNames", "as", "a(ssssssouso)", method_list_units, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Version", "s", get, 0, 0),
        SD_BUS_PROPERTY("SystemState", "s", get, 0, 0),
        SD_BUS_VTABLE_END
};

static void check(int r) {
        if (r < 0)
                abort(); /* no assert of cmocka outside the main thread */
}

static sd_bus *open_bus(sd_event *event) {
        sd_bus *bus;

        check(sd_bus_new(&bus));
        check(sd_bus_set_address(bus, address));
        check(sd_bus_set_bus_client(bus, true));
        check(sd_bus_negotiate_fds(bus, true));
        check(sd_bus_start(bus));
        check(sd_bus_attach_event(bus, event, 0));
        return bus;
}

static sd_bus *appear(const char *name, const char *path, const char *interface, const sd_bus_vtable *vtable) {
        sd_bus *bus = open_bus(theirs.event);

        check(sd_bus_add_object_vtable(bus, NULL, path, interface, vtable, NULL));
        check(sd_bus_request_name(bus, name, 0));
        return bus;
}

static void logind_appears(void) {
        theirs.logind = appear("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", logind_vtable);
}

static int on_command(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        char c = 'q';

        check((int) read(fd, &c, 1));
        if (c == 'q')
                return sd_event_exit(theirs.event, 0);
        if (c == 'd') {
                theirs.unanswered = sd_bus_message_unref(theirs.unanswered);
                theirs.logind = sd_bus_close_unref(theirs.logind);
        } else if (c == 'p')
                check(sd_bus_emit_signal(theirs.logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                         "PrepareForShutdownWithMetadata", "ba{sv}", 1, 1, "type", "s", "kexec"));
        else
                logind_appears();
        check((int) write(fd, "", 1));
        return 0;
}

static void *run_them(void *userdata) {
        check(sd_event_new(&theirs.event));
        theirs.systemd = appear("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                systemd_vtable);
        logind_appears();
        check(sd_event_add_io(theirs.event, NULL, theirs.commands[1], /* EPOLLIN */ 1, on_command, NULL));
        check((int) write(theirs.commands[1], "", 1));
        check(sd_event_loop(theirs.event));
        sd_bus_message_unref(theirs.unanswered);
        sd_bus_flush_close_unref(theirs.logind);
        sd_bus_flush_close_unref(theirs.systemd);
        sd_event_unref(theirs.event);
        return NULL;
}

static void command(char c) {
        assert_int_equal(write(theirs.commands[0], &c, 1), 1);
        assert_int_equal(read(theirs.commands[0], &c, 1), 1);
}

/* --- luod's side */

typedef struct Ours {
        sd_event *event;
        sd_bus *bus;
        Logind *logind;
        unsigned n_begun, n_over, n_done;
        char message[256]; /* of the kexec; empty: it was taken */
} Ours;

static void on_prepare(bool start, ShutdownKind kind, void *userdata) {
        Ours *o = userdata;

        *(start ? &o->n_begun : &o->n_over) += 1;
}

static void on_begun(void *userdata) {
}

static void on_done(const char *message, void *userdata) {
        Ours *o = userdata;

        o->n_done++;
        (void) snprintf(o->message, sizeof(o->message), "%s", message ? message : "");
}

static int setup(void **state) {
        LogindEvents events = { .prepare = on_prepare, .kexec_begun = on_begun };
        Ours *o = calloc(1, sizeof(*o));
        char c;

        theirs = (Theirs) { .delay_max = 5000000 };
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, theirs.commands), 0);
        assert_int_equal(pthread_create(&theirs.thread, NULL, run_them, NULL), 0);
        assert_int_equal(read(theirs.commands[0], &c, 1), 1);
        assert_int_equal(sd_event_new(&o->event), 0);
        o->bus = open_bus(o->event);
        assert_true(sd_bus_set_method_call_timeout(o->bus, 300000) >= 0);
        events.userdata = o;
        assert_int_equal(logind_new_systemd(o->event, o->bus, &events, &o->logind), 0);
        *state = o;
        return 0;
}

static int teardown(void **state) {
        Ours *o = *state;

        logind_free(o->logind);
        sd_bus_flush_close_unref(o->bus);
        sd_event_unref(o->event);
        free(o);
        assert_int_equal(write(theirs.commands[0], "q", 1), 1);
        assert_int_equal(pthread_join(theirs.thread, NULL), 0);
        safe_close(theirs.commands[0]);
        safe_close(theirs.commands[1]);
        return 0;
}

/* At most 10 s. */
#define run_until(o, condition)                                                     \
        for (unsigned _i = 0; !(condition); _i++) {                                 \
                assert_true(_i < 1000);                                             \
                assert_true(sd_event_run((o)->event, /* timeout= */ 10000) >= 0);   \
        }

static void test_kexec_is_taken(void **state) {
        Ours *o = *state;

        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, o->n_done > 0);
        assert_string_equal(o->message, "");
        assert_int_equal(theirs.n_reboots, 1);
}

static void test_time_out_is_no_refusal_if_the_shutdown_comes(void **state) {
        Ours *o = *state;

        theirs.mute = true;
        theirs.preparing = true;
        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, o->n_done > 0);
        assert_string_equal(o->message, "");
        assert_true(logind_is_shutting_down(o->logind));
}

static void test_time_out_is_none_either_if_PID_1_has_begun(void **state) {
        Ours *o = *state;

        theirs.mute = true;
        theirs.stopping = true;
        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, o->n_done > 0);
        assert_string_equal(o->message, "");
}

static void test_time_out_without_a_shutdown_is_a_failure(void **state) {
        Ours *o = *state;

        theirs.mute = true;
        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, o->n_done > 0);
        assert_non_null(strstr(o->message, "did not answer"));
        assert_false(logind_is_shutting_down(o->logind));

        theirs.mute = false; /* and it can be tried again */
        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, o->n_done > 1);
        assert_string_equal(o->message, "");
}

static void test_lock_that_does_not_go_from_the_list_is_not_looked_at_for_ever(void **state) {
        Ours *o = *state;

        logind_hold(o->logind, LOGIND_BLOCK, "why not");
        run_until(o, logind_holds(o->logind, LOGIND_BLOCK));
        logind_hold(o->logind, LOGIND_BLOCK, NULL);
        theirs.lists_block = true;
        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, theirs.n_lists > 1);
        assert_int_equal(o->n_done, 0);
        for (time_t end = time(NULL) + 5; o->n_done == 0;) {
                assert_true(time(NULL) < end);
                assert_true(sd_event_run(o->event, /* timeout= */ 10000) >= 0);
        }
        assert_string_equal(o->message, ""); /* asked it was */
}

static void test_logind_dies_while_it_is_asked(void **state) {
        Ours *o = *state;

        theirs.mute = true;
        assert_int_equal(logind_kexec(o->logind, on_done, o), 0);
        run_until(o, theirs.n_reboots > 0);
        theirs.stopping = true; /* it came that far */
        command('d');
        run_until(o, o->n_done > 0);
        assert_string_equal(o->message, "");
}

static void test_new_logind_is_asked_for_all_anew(void **state) {
        Ours *o = *state;

        logind_hold(o->logind, LOGIND_DELAY, "why");
        logind_hold(o->logind, LOGIND_BLOCK, "why not");
        run_until(o, logind_holds(o->logind, LOGIND_DELAY) && logind_holds(o->logind, LOGIND_BLOCK));
        assert_int_equal(theirs.n_locks, 2);
        assert_int_equal(logind_get_delay_max(o->logind), 5000000);
        command('d');
        theirs.delay_max = 30000000;
        command('l');
        run_until(o, theirs.n_locks == 4 && logind_get_delay_max(o->logind) == 30000000);
        assert_true(logind_holds(o->logind, LOGIND_DELAY) && logind_holds(o->logind, LOGIND_BLOCK));
        assert_int_equal(o->n_begun + o->n_over, 0);
}

/* What logind had only announced is forgotten with it. */
static void test_shutdown_that_a_dead_logind_had_announced_is_over(void **state) {
        Ours *o = *state;

        command('p');
        run_until(o, o->n_begun == 1);
        command('d');
        command('l');
        run_until(o, o->n_over == 1);
        assert_false(logind_is_shutting_down(o->logind));
}

static void test_shutdown_that_PID_1_has_begun_goes_on(void **state) {
        Ours *o = *state;
        unsigned n;

        command('p');
        run_until(o, o->n_begun == 1);
        theirs.stopping = true;
        command('d');
        n = theirs.n_states_asked;
        command('l');
        run_until(o, theirs.n_states_asked > n);
        theirs.delay_max = 7000000; /* what is asked after that is answered after it, too */
        command('d');
        command('l');
        run_until(o, logind_get_delay_max(o->logind) == 7000000);
        assert_int_equal(o->n_over, 0);
        assert_true(logind_is_shutting_down(o->logind));
}

static void test_shutdown_that_was_announced_while_nobody_listened(void **state) {
        Ours *o = *state;

        command('d');
        theirs.preparing = true;
        command('l');
        run_until(o, o->n_begun == 1);
        assert_true(logind_is_shutting_down(o->logind));
        assert_int_equal(logind_get_kind(o->logind), SHUTDOWN_UNKNOWN);
}

/* --- the bus */

static int start_daemon(char *dir) {
        _cleanup_free_ char *path = NULL;
        char line[256];
        int ready[2];
        FILE *f;

        if (asprintf(&path, "%s/bus.conf", dir) < 0)
                return -1;
        f = fopen(path, "we");
        if (!f)
                return -1;
        fprintf(f,
                "<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
                dir);
        (void) fclose(f);
        (void) snprintf(address, sizeof(address), "unix:path=%s/bus", dir);
        if (pipe(ready) < 0)
                return -1;
        daemon_pid = fork();
        if (daemon_pid == 0) {
                char option[300], fd[32];

                (void) snprintf(option, sizeof(option), "--config-file=%s", path);
                (void) snprintf(fd, sizeof(fd), "--print-address=%d", ready[1]);
                (void) execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile", fd, (char *) NULL);
                _exit(127);
        }
        safe_close(ready[1]);
        return read(ready[0], line, sizeof(line)) > 0 ? 0 : -1;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_kexec_is_taken),
                T(test_time_out_is_no_refusal_if_the_shutdown_comes),
                T(test_time_out_is_none_either_if_PID_1_has_begun),
                T(test_time_out_without_a_shutdown_is_a_failure),
                T(test_lock_that_does_not_go_from_the_list_is_not_looked_at_for_ever),
                T(test_logind_dies_while_it_is_asked),
                T(test_new_logind_is_asked_for_all_anew),
                T(test_shutdown_that_a_dead_logind_had_announced_is_over),
                T(test_shutdown_that_PID_1_has_begun_goes_on),
                T(test_shutdown_that_was_announced_while_nobody_listened),
        };
        char dir[] = "/tmp/test-logind-XXXXXX", path[64];
        int r;

        if (!mkdtemp(dir))
                return EXIT_FAILURE;
        r = start_daemon(dir);
        if (r < 0)
                printf("there is no dbus-daemon\n");
        else
                r = cmocka_run_group_tests_name("logind", tests, NULL, NULL);
        if (daemon_pid > 0) {
                (void) kill(daemon_pid, SIGTERM);
                (void) waitpid(daemon_pid, NULL, 0);
        }
        (void) snprintf(path, sizeof(path), "%s/bus.conf", dir);
        (void) unlink(path);
        (void) snprintf(path, sizeof(path), "%s/bus", dir);
        (void) unlink(path);
        (void) rmdir(dir);
        return r < 0 ? 77 : r;
}
