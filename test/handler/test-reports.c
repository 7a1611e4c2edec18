/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "world.h"

/* luod with a state directory: what GetReport() says, and what is in the files. */

typedef struct Story {
        World *world;
        char dir[40]; /* luod's state directory */
        unsigned n_made, n_claimed, n_troubles;
        ReportResult made;
        size_t n_made_lost;
        char trouble[512];
} Story;

static void on_made(const Report *report, void *userdata) {
        Story *s = userdata;

        s->n_made++;
        s->made = report->result;
        s->n_made_lost = report_count(report, REPORT_GONE);
}

static void on_claimed(const Report *report, void *userdata) {
        ((Story *) userdata)->n_claimed++;
}

static void on_trouble(const char *message, void *userdata) {
        Story *s = userdata;

        s->n_troubles++;
        (void) snprintf(s->trouble, sizeof(s->trouble), "%s", message);
}

static int setup(void **state) {
        Story *s = calloc(1, sizeof(*s));
        void *world;

        if (!s || world_setup_down(&world) < 0)
                return -1;
        s->world = world;
        (void) strcpy(s->dir, "/tmp/luod-test-reports-XXXXXX");
        if (!mkdtemp(s->dir))
                return -1;
        s->world->reports_dir = s->dir;
        s->world->report_hooks = (ReportHooks) { on_made, on_claimed, on_trouble, s };
        if (world_start(s->world) < 0)
                return -1;
        *state = s;
        return 0;
}

static int teardown(void **state) {
        Story *s = *state;
        void *world = s->world;
        char command[64];
        int r;

        r = world_teardown(&world);
        (void) snprintf(command, sizeof(command), "rm -rf %s", s->dir);
        if (system(command) != 0)
                r = -1;
        free(s);
        return r;
}

static bool has_file(const Story *s, const char *name) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/reports/%s", s->dir, name);
        return access(path, F_OK) == 0;
}

static char *read_file(const Story *s, const char *name) {
        char path[128], *text;

        (void) snprintf(path, sizeof(path), "%s/reports/%s", s->dir, name);
        assert_int_equal(read_small_file(path, &text), 0);
        return text;
}

static void write_file(const Story *s, const char *name, const char *text) {
        char path[128];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/reports", s->dir);
        (void) mkdir(path, 0700);
        (void) snprintf(path, sizeof(path), "%s/reports/%s", s->dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* With @from replaced by @to in the file. */
static void edit_file(const Story *s, const char *name, const char *from, const char *to) {
        _cleanup_free_ char *text = read_file(s, name), *edited = NULL;
        size_t n = 0;

        while (text[n] && strncmp(text + n, from, strlen(from)) != 0)
                n++;
        assert_int_not_equal(text[n], '\0');
        assert_true(asprintf(&edited, "%.*s%s%s", (int) n, text, to, text + n + strlen(from)) >= 0);
        write_file(s, name, edited);
}

/* What the client is told; @id 0: the newest. */
static int get_report(Story *s, ClientId client, uint64_t id, Report *ret) {
        sd_bus_message *m = manager_message(s->world, client, id > 0 ? "GetReportOf" : "GetReport"), *reply = NULL;
        const char *text;
        int r;

        if (id > 0)
                assert_true(sd_bus_message_append(m, "t", id) >= 0);
        r = world_send(s->world, client, m, &reply);
        if (r < 0)
                return r;
        assert_true(sd_bus_message_read(reply, "s", &text) >= 0);
        assert_int_equal(report_decode(text, strlen(text), ret), 0);
        sd_bus_message_unref(reply);
        return 0;
}

static ReportSession *session_of(Report *report, const char *name) {
        for (size_t i = 0; i < report->n_sessions; i++)
                if (streq(report->sessions[i].name, name))
                        return report->sessions + i;
        return NULL;
}

static ReportOutcome outcome_of(Story *s, const char *name) {
        _cleanup_(report_done) Report r = {};
        ReportSession *session;

        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        session = session_of(&r, name);
        return session ? session->outcome : _REPORT_OUTCOME_INVALID;
}

/* "1:luoctl:done 2:..." */
static char *list_reports(Story *s, ClientId client) {
        sd_bus_message *reply = NULL;
        const char *road, *result;
        char *text = NULL;
        uint64_t id, when;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        assert_int_equal(world_send(s->world, client, manager_message(s->world, client, "ListReports"), &reply), 0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "(tsst)") >= 0);
        while (sd_bus_message_read(reply, "(tsst)", &id, &road, &result, &when) > 0)
                fprintf(f, "%" PRIu64 ":%s:%s ", id, road, result);
        sd_bus_message_unref(reply);
        assert_int_equal(fclose(f), 0);
        return text;
}

#define assert_list(s, client, should)                            \
        do {                                                      \
                _cleanup_free_ char *_is = list_reports(s, client); \
                assert_string_equal(_is, should);                 \
        } while (0)

static void keep(Story *s, ClientId client, const char *name) {
        _cleanup_(closep) int fd = make_memfd(name);

        assert_success(s->world, create(s->world, client, name));
        assert_success(s->world, preserve(s->world, client, name, 5, fd));
}

static void take(Story *s, ClientId client, const char *name) {
        int fd;

        assert_success(s->world, retrieve(s->world, client, name, 5, &fd));
        safe_close(fd);
}

static void test_without_an_update_there_is_no_report(void **state) {
        Story *s = *state;
        Report r = {};

        assert_refused(s->world, "NoReport", get_report(s, ROOT, 0, &r));
        assert_refused(s->world, "NoReport", get_report(s, OTHER, 0, &r));
        assert_refused(s->world, "NoReport", get_report(s, ROOT, 1, &r));
        assert_list(s, OTHER, "");
        world_restart(s->world);
        assert_refused(s->world, "NoReport", get_report(s, ROOT, 0, &r));
        assert_int_equal(s->n_made, 0);
}

static void test_an_update_that_nobody_announced_has_a_report(void **state) {
        Story *s = *state;
        _cleanup_(report_done) Report r = {};
        char former_boot[BOOT_ID_SIZE];
        struct utsname u;

        keep(s, ROOT, "one");
        keep(s, OTHER, "two");
        (void) strcpy(former_boot, s->world->boot_id);
        world_update(s->world);

        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        assert_int_equal(uname(&u), 0);
        assert_int_equal(r.id, 1);
        assert_int_equal(r.road, REPORT_ROAD_UNANNOUNCED);
        assert_int_equal(r.result, REPORT_DONE);
        assert_string_equal(r.from_boot, former_boot);
        assert_string_equal(r.from_kernel, u.release);
        assert_string_equal(r.to_boot, s->world->boot_id);
        assert_string_equal(r.to_kernel, u.release);
        assert_true(report_stamp_is_known(r.times + REPORT_TIME_KERNEL));
        assert_true(report_stamp_is_known(r.times + REPORT_TIME_LUOD));
        assert_false(report_stamp_is_known(r.times + REPORT_TIME_FIRST_CLAIM));
        assert_int_equal(r.n_sessions, 2);
        assert_int_equal(session_of(&r, "two")->outcome, REPORT_UNCLAIMED);
        assert_int_equal(session_of(&r, "two")->uid, OTHER_UID);
        assert_int_equal(session_of(&r, "two")->n_files, 1);
        assert_int_equal(session_of(&r, "two")->files[0].token, 5);
        assert_int_equal(session_of(&r, "two")->files[0].outcome, REPORT_FILE_KEPT);
        assert_int_equal(s->n_made, 1);
        assert_list(s, ROOT, "1:unannounced:done ");

        world_restart(s->world); /* is not another update */
        assert_list(s, ROOT, "1:unannounced:done ");
        assert_int_equal(s->n_made, 1);
        world_update(s->world);
        assert_list(s, ROOT, "1:unannounced:done 2:unannounced:done ");
}

static int handed_over;
static void on_handed_over(Manager *m) {
        handed_over++;
}

static void hand_over(Story *s) {
        handed_over = 0;
        reports_hand_over(s->world->manager, on_handed_over);
        world_run_until(s->world, &handed_over);
        assert_int_equal(handed_over, 1);
}

static void test_others_see_their_own_sessions_only(void **state) {
        Story *s = *state;
        _cleanup_(report_done) Report r = {};

        keep(s, ROOT, "one");
        keep(s, OTHER, "two");
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LOGIND, false), 0);
        reports_delay(s->world->manager, REPORT_DELAY_LOCK, "a secret", "why it is", 1, 2, true);
        hand_over(s);
        assert_int_equal(get_report(s, OTHER, 0, &r), 0); /* while under way, too */
        assert_int_equal(r.result, REPORT_UNDER_WAY);
        report_done(&r);
        world_update(s->world);

        assert_int_equal(get_report(s, OTHER, 0, &r), 0);
        assert_int_equal(r.n_sessions, 1);
        assert_string_equal(r.sessions[0].name, "two");
        assert_int_equal(r.n_delays, 1);
        assert_string_equal(r.delays[0].who, "");
        assert_string_equal(r.delays[0].why, "");
        report_done(&r);
        assert_int_equal(get_report(s, OTHER, 1, &r), 0);
        assert_int_equal(r.n_sessions, 1);
}

static void test_what_becomes_of_sessions_is_noted(void **state) {
        Story *s = *state;
        _cleanup_(report_done) Report r = {};
        uint64_t first;

        keep(s, ROOT, "claimed");
        keep(s, ROOT, "finished");
        keep(s, ROOT, "discarded");
        keep(s, ROOT, "renewed");
        world_update(s->world);
        take(s, ROOT, "claimed");
        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        first = r.times[REPORT_TIME_FIRST_CLAIM].realtime;
        assert_true(first > 0);
        report_done(&r);
        take(s, ROOT, "finished");
        assert_success(s->world, finish(s->world, ROOT, "finished"));
        assert_success(s->world, discard(s->world, ROOT, "discarded"));
        assert_success(s->world, renew(s->world, ROOT, "renewed"));
        assert_int_equal(s->n_claimed, 1);

        /* One of the same name is another session. */
        keep(s, ROOT, "finished");
        assert_success(s->world, discard(s->world, ROOT, "finished"));

        reports_flush(s->world->manager);
        world_restart(s->world);
        assert_int_equal(outcome_of(s, "claimed"), REPORT_CLAIMED);
        assert_int_equal(outcome_of(s, "finished"), REPORT_FINISHED);
        assert_int_equal(outcome_of(s, "discarded"), REPORT_DISCARDED);
        assert_int_equal(outcome_of(s, "renewed"), REPORT_RENEWED);
        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        assert_true(r.times[REPORT_TIME_FIRST_CLAIM].realtime == first);
        assert_true(r.times[REPORT_TIME_LAST_FINISH].realtime >= first);
        assert_int_equal(session_of(&r, "claimed")->files[0].outcome, REPORT_FILE_RETRIEVED);
        assert_false(report_stamp_is_known(&session_of(&r, "discarded")->claimed));

        /* And after the restart that luod goes on with it. */
        assert_success(s->world, finish(s->world, ROOT, "claimed"));
        assert_int_equal(outcome_of(s, "claimed"), REPORT_FINISHED);
}

static void test_a_file_that_the_kernel_cannot_bring_back_is_noted(void **state) {
        Story *s = *state;
        _cleanup_(report_done) Report r = {};
        int fd;

        keep(s, ROOT, "bad");
        world_update(s->world);
        s->world->kernel.retrieve_error = -ENOMEM;
        assert_true(retrieve(s->world, ROOT, "bad", 5, &fd) < 0);
        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        assert_int_equal(session_of(&r, "bad")->outcome, REPORT_GONE_BAD);
        assert_int_equal(session_of(&r, "bad")->files[0].outcome, REPORT_FILE_FAILED);
        assert_int_equal(session_of(&r, "bad")->files[0].error, ENOMEM);
        assert_string_equal(session_of(&r, "bad")->files[0].why, strerror(ENOMEM));
        assert_false(report_stamp_is_known(&session_of(&r, "bad")->claimed));
}

static void on_idle(Manager *m, void *userdata) {
}

static void test_told_to_stop_luod_has_all_on_disk(void **state) {
        Story *s = *state;
        char *text;

        keep(s, ROOT, "one");
        world_update(s->world);
        take(s, ROOT, "one");
        text = read_file(s, "1.json");
        assert_null(strstr(text, "first-claim"));
        free(text);
        manager_stop(s->world->manager, on_idle, NULL);
        text = read_file(s, "1.json");
        assert_non_null(strstr(text, "first-claim"));
        free(text);
}

static void test_handed_over_is_on_disk_and_completed_after_the_jump(void **state) {
        Story *s = *state;
        Manager *m = s->world->manager;
        _cleanup_(report_done) Report r = {};
        _cleanup_free_ char *text = NULL;

        keep(s, ROOT, "comes");
        keep(s, ROOT, "stays");
        assert_int_equal(reports_begin(m, REPORT_ROAD_LUOCTL, true), 0);
        assert_int_equal(reports_begin(m, REPORT_ROAD_LOGIND, false), -EALREADY);
        reports_stage(m, REPORT_TIME_PREPARE);
        reports_ready(m, find_session(s->world, "comes"));
        reports_delay(m, REPORT_DELAY_SESSION, "stays", "is slow", 3, 4, false);
        reports_stage(m, REPORT_TIME_READY);
        hand_over(s);
        text = read_file(s, "under-way.json");
        assert_int_equal(report_decode(text, strlen(text), &r), 0);
        assert_int_equal(r.n_sessions, 2);
        assert_int_equal(session_of(&r, "stays")->outcome, REPORT_KEPT);
        assert_int_equal(session_of(&r, "stays")->n_files, 1);
        report_done(&r);

        assert_success(s->world, discard(s->world, ROOT, "stays")); /* so that it does not come over */
        world_update(s->world);
        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        assert_int_equal(r.id, 1);
        assert_int_equal(r.road, REPORT_ROAD_LUOCTL);
        assert_int_equal(r.result, REPORT_DONE);
        assert_true(r.forced);
        assert_true(report_stamp_is_known(r.times + REPORT_TIME_REQUEST));
        assert_true(report_stamp_is_known(r.times + REPORT_TIME_READY));
        assert_true(report_stamp_is_known(r.times + REPORT_TIME_HANDOVER));
        assert_int_equal(r.n_delays, 1);
        assert_string_equal(r.delays[0].why, "is slow");
        assert_int_equal(session_of(&r, "comes")->outcome, REPORT_UNCLAIMED);
        assert_true(report_stamp_is_known(&session_of(&r, "comes")->ready));
        assert_int_equal(session_of(&r, "stays")->outcome, REPORT_GONE);
        assert_int_equal(session_of(&r, "stays")->files[0].outcome, REPORT_FILE_LOST);
        assert_string_not_equal(session_of(&r, "stays")->why, "");
        assert_int_equal(s->n_made_lost, 1);
        assert_false(has_file(s, "under-way.json"));
        assert_null(reports_under_way(s->world->manager));
}

static void test_a_restart_finds_the_update_still_under_way(void **state) {
        Story *s = *state;

        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        reports_flush(s->world->manager);
        s->world->logind.shutting_down = true; /* else update.c ends it */
        world_restart(s->world);
        assert_non_null(reports_under_way(s->world->manager));
        assert_int_equal(reports_under_way(s->world->manager)->id, 1);
        assert_list(s, ROOT, "1:luoctl:under-way ");
        reports_end(s->world->manager, REPORT_FAILED, "luod was restarted meanwhile");
        assert_null(reports_under_way(s->world->manager));
        assert_list(s, ROOT, "1:luoctl:failed ");
        assert_int_equal(s->made, REPORT_FAILED);
        assert_false(has_file(s, "under-way.json"));
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        assert_int_equal(reports_under_way(s->world->manager)->id, 2);
}

static void test_a_cold_boot_after_the_hand_over_says_what_is_lost(void **state) {
        Story *s = *state;
        _cleanup_(report_done) Report r = {};

        keep(s, ROOT, "one");
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        hand_over(s);
        assert_success(s->world, discard(s->world, ROOT, "one"));
        world_kill(s->world);
        edit_file(s, "under-way.json", s->world->boot_id, "99999999-b007-4000-8000-000000000000"); /* of another boot */
        assert_int_equal(world_start(s->world), 0);

        assert_int_equal(s->made, REPORT_LOST);
        assert_int_equal(s->n_made_lost, 1);
        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        assert_int_equal(r.result, REPORT_LOST);
        assert_non_null(strstr(r.message, "cold reboot"));
        assert_int_equal(session_of(&r, "one")->outcome, REPORT_GONE);
        assert_non_null(strstr(session_of(&r, "one")->why, "cold reboot"));
        assert_false(has_file(s, "under-way.json"));
        assert_null(reports_under_way(s->world->manager));
}

static void test_a_cold_boot_before_the_hand_over_is_told_from_it(void **state) {
        Story *s = *state;

        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        reports_flush(s->world->manager);
        world_kill(s->world);
        edit_file(s, "under-way.json", s->world->boot_id, "99999999-b007-4000-8000-000000000000");
        assert_int_equal(world_start(s->world), 0);
        assert_list(s, ROOT, "1:luoctl:cold-boot ");
}

static void test_death_before_the_former_file_is_removed_changes_nothing(void **state) {
        Story *s = *state;
        _cleanup_free_ char *text = NULL;

        keep(s, ROOT, "one");
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        hand_over(s);
        text = read_file(s, "under-way.json");
        world_update(s->world);
        assert_list(s, ROOT, "1:luoctl:done ");
        world_kill(s->world);
        write_file(s, "under-way.json", text);
        assert_int_equal(world_start(s->world), 0);
        assert_list(s, ROOT, "1:luoctl:done ");
        assert_false(has_file(s, "under-way.json"));
}

static void test_only_so_many_are_kept(void **state) {
        Story *s = *state;
        Report r = {};

        s->world->manager->config.report_keep = 2;
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
                reports_end(s->world->manager, REPORT_CANCELLED, "for the test");
        }
        assert_list(s, ROOT, "3:luoctl:cancelled 4:luoctl:cancelled ");
        assert_false(has_file(s, "1.json"));
        assert_false(has_file(s, "2.json"));
        assert_true(has_file(s, "3.json"));
        assert_refused(s->world, "NoReport", get_report(s, ROOT, 2, &r));
        world_restart(s->world);
        assert_list(s, ROOT, "3:luoctl:cancelled 4:luoctl:cancelled ");
}

static void test_what_cannot_be_read_is_left_alone_and_said(void **state) {
        Story *s = *state;
        _cleanup_free_ char *text = NULL;
        Report r = {};

        reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false);
        reports_end(s->world->manager, REPORT_CANCELLED, "for the test");
        world_kill(s->world);
        write_file(s, "7.json", "{\"format\":1,");
        write_file(s, "8.json", "{\"format\":2}");
        write_file(s, "under-way.json", "{\"format\":2}");
        assert_int_equal(world_start(s->world), 0);
        assert_int_equal(s->n_troubles, 3);
        assert_list(s, ROOT, "1:luoctl:cancelled ");
        assert_refused(s->world, "NoReport", get_report(s, ROOT, 7, &r));
        assert_non_null(strstr(s->world->error_message, "damaged"));
        assert_refused(s->world, "NoReport", get_report(s, ROOT, 8, &r));
        assert_non_null(strstr(s->world->error_message, "newer"));
        text = read_file(s, "7.json");
        assert_string_equal(text, "{\"format\":1,");
        assert_true(has_file(s, "8.json"));
        assert_false(has_file(s, "under-way.json"));
        assert_true(has_file(s, "under-way.json.newer"));
        /* Their numbers are not given out again. */
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        assert_int_equal(reports_under_way(s->world->manager)->id, 9);
}

static void test_a_directory_that_cannot_be_written_is_said_once(void **state) {
        Story *s = *state;
        _cleanup_(report_done) Report r = {};
        char path[64];

        world_kill(s->world);
        (void) snprintf(path, sizeof(path), "%s/no/such/directory", s->dir);
        s->world->reports_dir = path;
        assert_int_equal(world_start(s->world), 0);
        keep(s, ROOT, "one");
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        hand_over(s); /* no failure */
        reports_end(s->world->manager, REPORT_CANCELLED, "for the test");
        assert_int_equal(s->n_troubles, 1);
        world_restart(s->world); /* the runtime directory has them */
        assert_int_equal(get_report(s, ROOT, 0, &r), 0);
        assert_int_equal(r.result, REPORT_CANCELLED);
        assert_int_equal(r.n_sessions, 1);
}

/* A disk that takes its time: who writes there waits for a reader. */
static void make_slow_file(const Story *s, char ret[static 128]) {
        sigset_t mask;

        (void) snprintf(ret, 128, "%s/reports", s->dir);
        (void) mkdir(ret, 0700);
        (void) snprintf(ret, 128, "%s/reports/.under-way.json.hand-over", s->dir);
        assert_int_equal(mkfifo(ret, 0600), 0);
        s->world->manager->workers.inline_ = false;
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
}

static void test_slow_disk_holds_up_nobody_but_the_hand_over(void **state) {
        Story *s = *state;
        char path[128];
        int fd;

        keep(s, ROOT, "one");
        make_slow_file(s, path);
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        handed_over = 0;
        reports_hand_over(s->world->manager, on_handed_over);
        assert_success(s->world, set_metadata(s->world, ROOT, "one", "key", "value"));
        reports_stage(s->world->manager, REPORT_TIME_SHUTDOWN);
        assert_int_equal(handed_over, 0);
        fd = open(path, O_RDONLY | O_CLOEXEC); /* now it goes on, and ends in an error: no fsync */
        assert_true(fd >= 0);
        world_run_until(s->world, &handed_over);
        safe_close(fd);
        assert_int_equal(s->n_troubles, 1);
        assert_null(s->world->manager->reports.hand_over);
        assert_true(s->world->manager->reports.departing_changed); /* what came meanwhile is yet to be written */
        s->world->manager->workers.inline_ = true;
}

static void test_disk_that_hangs_is_waited_for_so_long_and_no_longer(void **state) {
        Story *s = *state;
        char path[128];
        int fd;

        make_slow_file(s, path);
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        hand_over(s);
        assert_int_equal(s->n_troubles, 1);
        assert_non_null(strstr(s->trouble, "not on disk"));
        assert_non_null(s->world->manager->reports.hand_over);

        /* The next update does not wait for what hangs; whatever the worker does in the end, the report that has ended stays so. */
        reports_end(s->world->manager, REPORT_CANCELLED, "for the test");
        assert_int_equal(reports_begin(s->world->manager, REPORT_ROAD_LUOCTL, false), 0);
        hand_over(s);
        reports_end(s->world->manager, REPORT_CANCELLED, "for the test");
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        while (s->world->manager->reports.hand_over)
                assert_true(sd_event_run(s->world->event, UINT64_MAX) >= 0);
        safe_close(fd);
        assert_false(has_file(s, "under-way.json"));
        s->world->manager->workers.inline_ = true;
        world_restart(s->world);
        assert_list(s, ROOT, "1:luoctl:cancelled 2:luoctl:cancelled ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_without_an_update_there_is_no_report),
                TEST(test_an_update_that_nobody_announced_has_a_report),
                TEST(test_others_see_their_own_sessions_only),
                TEST(test_what_becomes_of_sessions_is_noted),
                TEST(test_a_file_that_the_kernel_cannot_bring_back_is_noted),
                TEST(test_told_to_stop_luod_has_all_on_disk),
                TEST(test_handed_over_is_on_disk_and_completed_after_the_jump),
                TEST(test_a_restart_finds_the_update_still_under_way),
                TEST(test_a_cold_boot_after_the_hand_over_says_what_is_lost),
                TEST(test_a_cold_boot_before_the_hand_over_is_told_from_it),
                TEST(test_death_before_the_former_file_is_removed_changes_nothing),
                TEST(test_only_so_many_are_kept),
                TEST(test_what_cannot_be_read_is_left_alone_and_said),
                TEST(test_a_directory_that_cannot_be_written_is_said_once),
                TEST(test_slow_disk_holds_up_nobody_but_the_hand_over),
                TEST(test_disk_that_hangs_is_waited_for_so_long_and_no_longer),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
