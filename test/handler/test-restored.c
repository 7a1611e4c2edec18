/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "restored.h"
#include "world.h"

/* What becomes of the sessions that a live update brought, and who is told. */

/* "vm1" is ROOT's, "vm2" OTHER's; each with one file. */
static void bring(World *w) {
        _cleanup_(closep) int one = make_memfd("one"), two = make_memfd("two");

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, create(w, OTHER, "vm2"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, one));
        assert_success(w, preserve(w, OTHER, "vm2", 1, two));
        w->units.started[0] = '\0';
        world_update(w);
}

static void get_session(World *w, const char *session, const char *property, const char *type, sd_bus_message **ret) {
        _cleanup_free_ char *path = session_path(session);

        assert_success(w, get_property(w, ROOT, path, LUOD_INTERFACE_SESSION, property, type, ret));
}

static void assert_claim(World *w, const char *session, const char *claim, bool timestamp, unsigned error) {
        sd_bus_message *m = NULL;
        const char *s;
        uint64_t t;
        uint32_t u;

        get_session(w, session, "Claim", "s", &m);
        assert_true(sd_bus_message_read(m, "s", &s) > 0);
        assert_string_equal(s, claim);
        m = sd_bus_message_unref(m);
        get_session(w, session, "ClaimedTimestamp", "t", &m);
        assert_true(sd_bus_message_read(m, "t", &t) > 0);
        assert_int_equal(t > 0, timestamp);
        m = sd_bus_message_unref(m);
        get_session(w, session, "Errno", "u", &m);
        assert_true(sd_bus_message_read(m, "u", &u) > 0);
        assert_int_equal(u, error);
        sd_bus_message_unref(m);
}

static unsigned get_count(World *w, const char *property) {
        sd_bus_message *m;
        uint32_t u;

        assert_success(w, get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, property, "u", &m));
        assert_true(sd_bus_message_read(m, "u", &u) > 0);
        sd_bus_message_unref(m);
        return u;
}

static void assert_counts(World *w, unsigned unclaimed, unsigned claimed, unsigned failed, unsigned renewed, unsigned ended) {
        assert_int_equal(get_count(w, "NIncoming"), unclaimed + claimed + failed);
        assert_int_equal(get_count(w, "NUnclaimed"), unclaimed);
        assert_int_equal(get_count(w, "NClaimed"), claimed);
        assert_int_equal(get_count(w, "NFailed"), failed);
        assert_int_equal(get_count(w, "NRenewed"), renewed);
        assert_int_equal(get_count(w, "NEnded"), ended);
}

static void assert_restore(World *w, const char *state, const char *message) {
        sd_bus_message *m;
        const char *s;

        assert_success(w, get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "Restore", "s", &m));
        assert_true(sd_bus_message_read(m, "s", &s) > 0);
        assert_string_equal(s, state);
        sd_bus_message_unref(m);
        assert_success(w, get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "RestoreMessage", "s", &m));
        assert_true(sd_bus_message_read(m, "s", &s) > 0);
        if (message)
                assert_non_null(strstr(s, message));
        else
                assert_string_equal(s, "");
        sd_bus_message_unref(m);
}

/* The units started since the last call. */
static void assert_started(World *w, const char *units) {
        assert_string_equal(w->units.started, units);
        w->units.started[0] = '\0';
}

static void configure(World *w) {
        assert_non_null(w->manager->config.on_claimed = strdup("all-claimed.service"));
        assert_non_null(w->manager->config.on_finished = strdup("all-finished.service"));
        assert_non_null(w->manager->config.on_impaired = strdup("impaired.service"));
}

static bool is_incoming(World *w, const char *name) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/incoming/%s", w->dir, name);
        return access(path, F_OK) >= 0;
}

static void retrieve_one(World *w, ClientId client, const char *session, const char *content) {
        int fd;

        assert_success(w, retrieve(w, client, session, 1, &fd));
        assert_content(fd, content);
}

static void test_cold_boot_restores_nothing(void **state) {
        World *w = *state;

        assert_restore(w, "none", NULL);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_claim(w, "vm1", "", false, 0);
        assert_counts(w, 0, 0, 0, 0, 0);
        world_restart(w);
        assert_restore(w, "none", NULL);
        assert_false(is_incoming(w, "vm1"));
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_counts(w, 0, 0, 0, 0, 0);
        assert_started(w, "");
}

static void test_session_is_claimed_by_its_first_use_and_each_stage_is_told_once(void **state) {
        World *w = *state;
        uint64_t when;

        bring(w);
        configure(w);
        assert_restore(w, "restored", NULL);
        assert_started(w, RESTORED_TARGET " ");
        assert_claim(w, "vm1", "unclaimed", false, 0);
        assert_claim(w, "vm2", "unclaimed", false, 0);
        assert_counts(w, 2, 0, 0, 0, 0);

        retrieve_one(w, ROOT, "vm1", "one");
        assert_claim(w, "vm1", "claimed", true, 0);
        when = find_session(w, "vm1")->record.claimed;
        assert_counts(w, 1, 1, 0, 0, 0);
        assert_started(w, "");

        world_restart(w);
        configure(w);
        assert_restore(w, "restored", NULL);
        assert_counts(w, 1, 1, 0, 0, 0);
        assert_started(w, "");
        retrieve_one(w, ROOT, "vm1", "one");
        assert_int_equal(find_session(w, "vm1")->record.claimed, when);

        retrieve_one(w, OTHER, "vm2", "two");
        assert_restore(w, "claimed", NULL);
        assert_started(w, "all-claimed.service ");
        world_restart(w);
        configure(w);
        assert_started(w, "");

        assert_success(w, finish(w, ROOT, "vm1"));
        assert_counts(w, 0, 1, 0, 0, 1);
        assert_started(w, "");
        assert_success(w, renew(w, OTHER, "vm2"));
        assert_claim(w, "vm2", "", true, 0);
        assert_counts(w, 0, 0, 0, 1, 1);
        assert_restore(w, "finished", NULL);
        assert_started(w, "all-finished.service ");
        world_restart(w);
        configure(w);
        assert_counts(w, 0, 0, 0, 1, 1);
        assert_restore(w, "finished", NULL);
        assert_started(w, "");

        /* In the next boot all that begins anew. */
        world_update(w);
        assert_claim(w, "vm2", "unclaimed", false, 0);
        assert_counts(w, 1, 0, 0, 0, 0);
        assert_restore(w, "restored", NULL);
        assert_started(w, RESTORED_TARGET " ");
}

static void test_only_the_owner_claims_and_only_with_success(void **state) {
        World *w = *state;
        int fd;

        bring(w);
        assert_refused(w, "NotOwner", retrieve(w, OTHER, "vm1", 1, &fd));
        assert_refused(w, "NoSuchToken", retrieve(w, ROOT, "vm1", 2, &fd));
        retrieve_one(w, ROOT, "vm2", "two");
        assert_claim(w, "vm1", "unclaimed", false, 0);
        assert_claim(w, "vm2", "unclaimed", false, 0);
        assert_success(w, renew(w, ROOT, "vm2"));
        assert_int_equal(find_session(w, "vm2")->record.claimed, 0);
}

static void test_finish_and_discard_of_the_last_one_pass_all_stages(void **state) {
        World *w = *state;

        bring(w);
        configure(w);
        assert_started(w, RESTORED_TARGET " ");
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_success(w, finish(w, OTHER, "vm2"));
        assert_counts(w, 0, 0, 0, 0, 2);
        assert_started(w, "all-claimed.service all-finished.service ");
}

static void test_file_that_fails_marks_its_session_and_the_host_and_the_rest_goes_on(void **state) {
        World *w = *state;
        int fd;

        bring(w);
        configure(w);
        assert_started(w, RESTORED_TARGET " ");
        w->kernel.retrieve_error = -EIO;
        assert_true(retrieve(w, ROOT, "vm1", 1, &fd) < 0);
        assert_claim(w, "vm1", "failed", true, EIO);
        assert_restore(w, "impaired", strerror(EIO));
        assert_counts(w, 1, 0, 1, 0, 0);
        assert_started(w, "impaired.service ");

        world_restart(w);
        configure(w);
        assert_claim(w, "vm1", "failed", true, EIO);
        assert_restore(w, "impaired", strerror(EIO));
        assert_started(w, "");

        w->kernel.retrieve_error = 0;
        retrieve_one(w, OTHER, "vm2", "two");
        assert_claim(w, "vm2", "claimed", true, 0);
        assert_started(w, "all-claimed.service ");
        assert_restore(w, "impaired", strerror(EIO));

        /* Who has taken note ends it. */
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_restore(w, "claimed", NULL);
        assert_success(w, finish(w, OTHER, "vm2"));
        assert_restore(w, "finished", NULL);
        assert_started(w, "all-finished.service ");
}

static void test_session_that_did_not_come_has_failed(void **state) {
        World *w = *state;

        bring(w);
        world_update(w); /* what nobody finished does not go on */
        assert_claim(w, "vm1", "failed", false, ENODATA);
        assert_claim(w, "vm2", "failed", false, ENODATA);
        assert_restore(w, "impaired", "2 of 2 sessions");
}

static void test_lost_ledger_is_an_impairment_until_its_sessions_are_ended(void **state) {
        World *w = *state;
        _cleanup_(closep) int one = make_memfd("one");
        char path[64];

        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, one));
        /* Its content is what goes over. */
        (void) snprintf(path, sizeof(path), "%s/ledger", w->dir);
        world_kill(w);
        {
                _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
                char zeros[4096] = {};

                assert_true(fd >= 0);
                for (size_t i = 0; i < LEDGER_FILE_SIZE; i += sizeof(zeros))
                        assert_int_equal(pwrite(fd, zeros, sizeof(zeros), (off_t) i), sizeof(zeros));
        }
        world_kexec(w);
        assert_int_equal(world_start(w), 0);
        assert_restore(w, "impaired", "ledger");
        retrieve_one(w, ROOT, "vm1", "one");
        assert_claim(w, "vm1", "claimed", true, 0);
        world_restart(w);
        assert_restore(w, "impaired", "");
        assert_success(w, finish(w, ROOT, "vm1"));
        assert_restore(w, "finished", NULL);
}

static void test_kernel_that_can_read_nothing_is_an_impairment(void **state) {
        World *w = *state;

        world_kill(w);
        w->kernel.device_error = -EIO;
        assert_int_equal(world_start(w), 0);
        assert_restore(w, "impaired", luo_support_message(LUO_IMPAIRED));
        world_kill(w); /* nothing can be checked without a device */
        w->kernel.device_error = 0;
        assert_int_equal(world_start(w), 0);
        assert_restore(w, "none", NULL);
}

/* What luod was not there to see does not come twice, nor is it missed. */
static void test_configured_units_are_taken_as_they_are_at_that_moment(void **state) {
        World *w = *state;

        bring(w);
        assert_started(w, RESTORED_TARGET " ");
        assert_non_null(w->manager->config.on_restored = strdup("later.target"));
        assert_non_null(w->manager->config.on_claimed = strdup("claimed.target"));
        retrieve_one(w, ROOT, "vm1", "one");
        assert_started(w, "");
        retrieve_one(w, OTHER, "vm2", "two");
        assert_started(w, "claimed.target ");
}

static void test_unit_that_could_not_be_asked_for_is_asked_for_again(void **state) {
        World *w = *state;

        w->units.error = -ETIMEDOUT;
        bring(w);
        assert_started(w, RESTORED_TARGET " ");
        w->units.error = -ENOENT; /* an answer, which is not asked for twice */
        world_restart(w);
        assert_started(w, RESTORED_TARGET " ");
        world_restart(w);
        assert_started(w, "");
}

static void test_each_incoming_session_has_its_file_for_conditions(void **state) {
        World *w = *state;
        char path[128];
        int fd;

        assert_success(w, create(w, ROOT, "Zoë ☃"));
        bring(w);
        assert_success(w, create(w, ROOT, "new"));
        assert_true(is_incoming(w, "vm1"));
        assert_true(is_incoming(w, "vm2"));
        assert_true(is_incoming(w, "Zoë ☃"));
        assert_false(is_incoming(w, "new"));

        assert_success(w, finish(w, ROOT, "vm1"));
        assert_false(is_incoming(w, "vm1"));
        assert_success(w, renew(w, OTHER, "vm2"));
        assert_false(is_incoming(w, "vm2"));

        /* What is not right is put right by a start. */
        (void) snprintf(path, sizeof(path), "%s/incoming/stale", w->dir);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        safe_close(fd);
        (void) snprintf(path, sizeof(path), "%s/incoming/%s", w->dir, "Zoë ☃");
        assert_int_equal(unlink(path), 0);
        world_restart(w);
        assert_false(is_incoming(w, "stale"));
        assert_false(is_incoming(w, "vm2"));
        assert_true(is_incoming(w, "Zoë ☃"));
        world_update(w);
        assert_true(is_incoming(w, "vm2"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
                TEST(test_cold_boot_restores_nothing),
                TEST(test_session_is_claimed_by_its_first_use_and_each_stage_is_told_once),
                TEST(test_only_the_owner_claims_and_only_with_success),
                TEST(test_finish_and_discard_of_the_last_one_pass_all_stages),
                TEST(test_file_that_fails_marks_its_session_and_the_host_and_the_rest_goes_on),
                TEST(test_session_that_did_not_come_has_failed),
                TEST(test_lost_ledger_is_an_impairment_until_its_sessions_are_ended),
                TEST(test_kernel_that_can_read_nothing_is_an_impairment),
                TEST(test_configured_units_are_taken_as_they_are_at_that_moment),
                TEST(test_unit_that_could_not_be_asked_for_is_asked_for_again),
                TEST(test_each_incoming_session_has_its_file_for_conditions),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
