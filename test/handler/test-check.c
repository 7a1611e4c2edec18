/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

/* Check(): what it finds is in test-bus-manager.c and test-target.c, too. */

static void assert_finding(World *w, const char *id, FindingSeverity severity, const char *hint) {
        Finding findings[FINDINGS_MAX];
        size_t n = manager_check(w->manager, findings);

        for (size_t i = 0; i < n; i++)
                if (streq(findings[i].id, id)) {
                        if (findings[i].severity != severity || !strstr(findings[i].message, hint))
                                fail_msg("%d: %s", findings[i].severity, findings[i].message);
                        assert_int_equal(findings[i].fix[0] == '\0', severity == FINDING_OK);
                        return;
                }
        fail_msg("there is no such finding");
}

/* As if luod had loaded the kernel that runs. */
static TargetRecord *pretend_loaded(World *w) {
        Target *t = &w->manager->target;
        struct utsname uts;

        assert_int_equal(uname(&uts), 0);
        w->kexec.loaded = true;
        t->known = true;
        t->record = (TargetRecord){
                .state = TARGET_LOADED,
                .luo = KNOWLEDGE_YES,
                .memfd = KNOWLEDGE_YES,
                .abi = KNOWLEDGE_YES,
                .switched_on = true,
        };
        (void) snprintf(t->record.release, sizeof(t->record.release), "%s", uts.release);
        return &t->record;
}

/* A directory of units in which luod.service is as it should be. */
static void install_unit(World *w, bool enabled) {
        static char directory[64];
        static const char *directories[] = { directory, NULL };
        char path[128];
        FILE *f;

        (void) snprintf(directory, sizeof(directory), "%s/units", w->dir);
        (void) mkdir(directory, 0700);
        (void) snprintf(path, sizeof(path), "%s/luod.service", directory);
        f = fopen(path, "we");
        assert_non_null(f);
        fputs("[Service]\nExecStart=/bin/luod\nFileDescriptorStoreMax=1016\nFileDescriptorStorePreserve=yes\n",
              f);
        assert_int_equal(fclose(f), 0);
        (void) snprintf(path, sizeof(path), "%s/multi-user.target.wants", directory);
        (void) mkdir(path, 0700);
        (void) strcat(path, "/luod.service");
        (void) unlink(path);
        if (enabled)
                assert_int_equal(symlink("../luod.service", path), 0);
        w->manager->unit_directories = w->unit_directories = directories;
}

/* --- units */

static void test_unit_that_would_not_come_back_is_told(void **state) {
        World *w = *state;
        static const char *const nowhere[] = { NULL };

        w->manager->unit_directories = nowhere;
        assert_finding(w, "units", FINDING_WARNING, "not installed");
        install_unit(w, /* enabled= */ false);
        assert_finding(w, "unit", FINDING_OK, "");
        assert_finding(w, "units", FINDING_WARNING, "not enabled");
        install_unit(w, /* enabled= */ true);
        assert_finding(w, "units", FINDING_OK, "");
}

/* --- memory */

static void test_memory_that_gets_scarce_is_told(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        assert_finding(w, "memory", FINDING_OK, "1 MiB are kept;");
        w->manager->holes_in_flight = 3ULL << 20;
        assert_finding(w, "memory", FINDING_OK, "holes of 3 MiB");
        w->manager->holes_in_flight = UINT64_MAX >> 1;
        assert_finding(w, "memory", FINDING_WARNING, "holes of");
        w->manager->holes_in_flight = 0;
        w->manager->config.memory_reserve = MEMORY_RESERVE_MAX;
        assert_finding(w, "memory", FINDING_WARNING, "MemoryReserve=");
}

/* --- owners */

static void test_sessions_without_a_living_owner_are_named(void **state) {
        World *w = *state;
        static const uid_t nobodies[] = { 3999999001U, 3999999002U, 3999999003U, 3999999004U };
        int status, pipe_fds[2], ready_fds[2];
        char name[8];
        pid_t pid;

        assert_finding(w, "owners", FINDING_OK, "");
        assert_success(w, create(w, ROOT, "roots"));
        assert_finding(w, "owners", FINDING_OK, "");
        for (unsigned i = 0; i < ARRAY_SIZE(nobodies); i++) {
                (void) snprintf(name, sizeof(name), "vm%u", i);
                assert_int_equal(op_create(w, name, nobodies[i]), 0);
        }
        assert_finding(w, "owners", FINDING_WARNING, "'vm0' (of uid 3999999001, not in /etc/passwd), 'vm1'");
        assert_finding(w, "owners", FINDING_WARNING,
                       "'vm2' (of uid 3999999003, not in /etc/passwd) and 1 more");
        for (unsigned i = 1; i < ARRAY_SIZE(nobodies); i++) {
                (void) snprintf(name, sizeof(name), "vm%u", i);
                assert_int_equal(op_end(w, name, nobodies[i], END_DISCARDED), 0);
        }

        /* Somebody with that uid, who lives until the pipe is closed. */
        assert_int_equal(pipe(pipe_fds), 0);
        assert_int_equal(pipe(ready_fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char c;

                (void) close(pipe_fds[1]);
                if (setuid(nobodies[0]) < 0 || write(ready_fds[1], "x", 1) != 1)
                        _exit(1);
                _exit(read(pipe_fds[0], &c, 1) == 0 ? 0 : 1);
        }
        (void) close(pipe_fds[0]);
        (void) close(ready_fds[1]);
        assert_int_equal(read(ready_fds[0], name, 1), 1);
        (void) close(ready_fds[0]);
        assert_finding(w, "owners", FINDING_OK, "");
        (void) close(pipe_fds[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_finding(w, "owners", FINDING_OK, ""); /* looked at once a second */
        w->manager->owners_seen.when -= OWNERS_SEEN_USEC;
        assert_finding(w, "owners", FINDING_WARNING, "'vm0'");
}

/* --- incoming */

static void test_unfinished_sessions_block_and_are_named(void **state) {
        World *w = *state;
        char name[NAME_LENGTH_MAX + 1];

        assert_finding(w, "incoming", FINDING_OK, "");
        for (unsigned i = 0; i < 7; i++) {
                memset(name, 'x', sizeof(name) - 1);
                name[sizeof(name) - 1] = '\0';
                name[0] = (char) ('a' + i);
                assert_success(w, create(w, ROOT, name));
        }
        assert_success(w, create(w, ROOT, "lost"));
        assert_finding(w, "incoming", FINDING_OK, "");
        world_update(w);
        assert_finding(w, "incoming", FINDING_BLOCKS, "'axxx");
        assert_finding(w, "incoming", FINDING_BLOCKS, "'exxx");
        assert_finding(w, "incoming", FINDING_BLOCKS,
                       " and 3 more of the last live update are not finished");
        for (unsigned i = 0; i < 7; i++) {
                name[0] = (char) ('a' + i);
                assert_success(w, i % 2 == 0 ? finish(w, ROOT, name) : renew(w, ROOT, name));
        }
        assert_finding(w, "incoming", FINDING_BLOCKS,
                       "'lost' of the last live update is not finished: the next one loses it.");
        assert_success(w, finish(w, ROOT, "lost"));
        assert_finding(w, "incoming", FINDING_OK, "");
}

static void test_what_luod_renews_itself_does_not_block(void **state) {
        World *w = *state;
        int fd;

        assert_success(w, create_auto_renewed(w, ROOT, "daily"));
        assert_success(w, create(w, ROOT, "other"));
        world_update(w);
        assert_finding(w, "incoming", FINDING_BLOCKS, "'other' of the last live update is not finished");
        assert_success(w, finish(w, ROOT, "other"));
        assert_finding(w, "incoming", FINDING_OK, "'daily'");

        /* Claimed, too. */
        fd = make_memfd("more");
        assert_success(w, renew(w, ROOT, "daily"));
        assert_success(w, preserve(w, ROOT, "daily", 1, fd));
        safe_close(fd);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "daily", 1, &fd));
        safe_close(fd);
        assert_finding(w, "incoming", FINDING_OK, "'daily'");
}

/* --- target */

static void test_kernel_that_could_be_loaded_is_told(void **state) {
        World *w = *state;
        struct utsname uts;
        char path[256];
        FILE *f;

        assert_finding(w, "target", FINDING_WARNING, "The one that runs is not in ");
        assert_int_equal(uname(&uts), 0);
        (void) snprintf(path, sizeof(path), "%s/vmlinuz-%s", w->dir, uts.release);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fclose(f), 0);
        assert_finding(w, "target", FINDING_WARNING, "The one that runs is loadable: ");
        assert_finding(w, "target", FINDING_WARNING, path);
}

/* --- files */

static void test_files_without_a_handler_are_told(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("hello"), event = eventfd(0, EFD_CLOEXEC);
        TargetRecord *record;

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
        assert_finding(w, "files", FINDING_OK, "All 1 files");
        record = pretend_loaded(w);
        record->memfd = KNOWLEDGE_NO;
        assert_finding(w, "files", FINDING_BLOCKS, "1 files in memory");
        record->memfd = KNOWLEDGE_YES;
        assert_finding(w, "files", FINDING_OK, "");

        w->kernel.keeps_eventfds = true;
        assert_success(w, preserve(w, ROOT, "vm1", 2, event));
        assert_finding(w, "files", FINDING_OK, "the kernel that runs comes next");
        record->release[0] = '\0';
        assert_finding(w, "files", FINDING_WARNING, "'vm1'");
        record->handlers = KNOWLEDGE_YES;
        assert_finding(w, "files", FINDING_OK, "has the handlers of this one");
        record->handlers = KNOWLEDGE_NO;
        (void) strcpy(record->lacks, "vfio-pci-v1");
        assert_finding(w, "files", FINDING_BLOCKS, "lacks the handler 'vfio-pci-v1'");
        assert_finding(w, "files", FINDING_BLOCKS, "'vm1'");
        record->luo = KNOWLEDGE_NO;
        assert_finding(w, "files", FINDING_BLOCKS, "1 files in memory");
        w->kexec.loaded = false;
        assert_finding(w, "files", FINDING_WARNING, "not known");

        /* What came over the last one does not go over the next. */
        world_update(w);
        assert_finding(w, "files", FINDING_OK, "All 0 files");
}

/* --- the first that blocks */

static void assert_blocked(World *w, const char *const *drop, const char *hint) {
        Failure failure = FAILURE_INIT;

        assert_int_equal(manager_check_blocking(w->manager, drop, false, false, &failure), -ECANCELED);
        assert_int_equal(failure.kind, FAILURE_UPDATE_BLOCKED);
        if (!strstr(failure.message, hint))
                fail_msg("not '%s' but '%s'", hint, failure.message);
}

static void test_update_is_blocked_by_what_would_be_lost(void **state) {
        World *w = *state;
        Failure failure = FAILURE_INIT;
        TargetRecord *record;

        install_unit(w, true);
        assert_blocked(w, NULL, "No kernel is loaded");
        record = pretend_loaded(w);
        assert_int_equal(manager_check_blocking(w->manager, NULL, false, false, &failure), 0);
        w->manager->config.memory_reserve = MEMORY_RESERVE_MAX; /* a warning */
        assert_int_equal(manager_check_blocking(w->manager, NULL, false, false, &failure), 0);
        assert_int_equal(failure.kind, FAILURE_NONE);
        record->switched_on = false;
        assert_blocked(w, NULL, "kho=on liveupdate=on");
        w->manager->target.known = false; /* somebody else's: not known, so a warning */
        assert_int_equal(manager_check_blocking(w->manager, NULL, false, false, &failure), 0);
        w->store.state = CUSTODY_DEGRADED;
        assert_blocked(w, NULL, "fd store");
        assert_blocked(w, NULL, "systemctl status luod.service");
}

static void test_sessions_that_may_be_lost_do_not_block(void **state) {
        World *w = *state;
        Failure failure = FAILURE_INIT;

        assert_success(w, create(w, ROOT, "a"));
        assert_success(w, create(w, ROOT, "b"));
        world_update(w);
        install_unit(w, true);
        (void) pretend_loaded(w);
        assert_blocked(w, NULL, "'a', 'b' of the last");
        assert_blocked(w, NULL, "--drop-unclaimed=");
        assert_blocked(w, (const char *const[]){ "a", "c", NULL }, "'b' of the last");
        assert_int_equal(
                manager_check_blocking(w->manager, (const char *const[]){ "b", "a", NULL }, false, false, &failure), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_unit_that_would_not_come_back_is_told),
                TEST(test_memory_that_gets_scarce_is_told),
                TEST(test_sessions_without_a_living_owner_are_named),
                TEST(test_unfinished_sessions_block_and_are_named),
                TEST(test_what_luod_renews_itself_does_not_block),
                TEST(test_kernel_that_could_be_loaded_is_told),
                TEST(test_files_without_a_handler_are_told),
                TEST(test_update_is_blocked_by_what_would_be_lost),
                TEST(test_sessions_that_may_be_lost_do_not_block),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
