/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "index-page.h"
#include "world.h"

/* What luod finds when it starts: after its death, after a live update, with the ledger whole, damaged, lost or
 * written by a newer luod, with the fd store whole or not. Deaths in the middle of something: test-death.c. */

static const char *const contents[] = { "zero", "one", "two", "three", "four" };

/* Two sessions with files and metadata, and one that has ended. vm1: 1 alone, 2 and 3 together; vm2: 4. */
static void furnish(World *w) {
        int fds[ARRAY_SIZE(contents)];

        for (unsigned i = 0; i < ARRAY_SIZE(contents); i++)
                fds[i] = make_memfd(contents[i]);
        assert_success(w, create(w, ROOT, "gone"));
        assert_success(w, create_with(w, ROOT, "vm1", "k", "v"));
        assert_success(w, create_with(w, OTHER, "vm2", "k", "v"));
        assert_success(w, preserve(w, ROOT, "gone", 1, fds[0]));
        assert_success(w, discard(w, ROOT, "gone"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, fds[1]));
        assert_success(w, preserve_many(w, ROOT, "vm1", (uint64_t[]) { 2, 3 }, fds + 2, 2));
        assert_success(w, preserve(w, ROOT, "vm2", 4, fds[4]));
        for (unsigned i = 0; i < ARRAY_SIZE(contents); i++)
                safe_close(fds[i]);
}

/* All but metadata is there. */
static void assert_furnished(World *w) {
        assert_int_equal(w->manager->state.n_sessions, 2);
        assert_non_null(find_session(w, "vm1"));
        assert_non_null(find_session(w, "vm2"));
        assert_int_equal(find_session(w, "vm1")->record.uid, 0);
        assert_int_equal(find_session(w, "vm2")->record.uid, OTHER_UID);
        assert_int_equal(find_session(w, "vm1")->n_files, 3);
        assert_int_equal(find_session(w, "vm2")->n_files, 1);
        for (unsigned i = 1; i < ARRAY_SIZE(contents); i++) {
                const File *f = find_file(w, i < 4 ? "vm1" : "vm2", i);

                assert_non_null(f);
                assert_true(f->record.state == FILE_KEPT || f->record.state == FILE_RETRIEVED);
                assert_string_equal(f->record.label, i == 2 || i == 3 ? "many" : "label");
        }
}

static void assert_contents(World *w) {
        for (unsigned i = 1; i < ARRAY_SIZE(contents); i++) {
                int fd;

                assert_success(w, retrieve(w, i < 4 ? ROOT : OTHER, i < 4 ? "vm1" : "vm2", i, &fd));
                assert_content(fd, contents[i]);
        }
}

/* --- nothing is wrong */

static void test_everything_is_there_after_any_number_of_deaths(void **state) {
        World *w = *state;
        _cleanup_free_ char *before = NULL;

        furnish(w);
        before = world_dump(w);
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_free_ char *after = NULL;

                world_restart(w);
                after = world_dump(w);
                assert_string_equal(after, before);
                assert_int_equal(w->manager->ledger_health, LEDGER_INTACT);
                assert_int_equal(w->manager->state.head.generation, 0);
        }
        assert_furnished(w);
}

static void test_everything_is_there_after_updates_of_every_kind(void **state) {
        World *w = *state;

        furnish(w);
        world_update(w);
        assert_furnished(w);
        assert_contents(w);
        world_restart(w);
        assert_contents(w);
        assert_int_equal(w->manager->ledger_health, LEDGER_INTACT);
        assert_int_equal(find_session(w, "vm1")->n_metadata, 1);
        assert_int_equal(find_session(w, "vm1")->flags, 0);
}

static void test_everything_is_there_after_a_sudden_jump(void **state) {
        World *w = *state;

        furnish(w);
        world_jump(w);
        assert_furnished(w);
        assert_contents(w);
        assert_int_equal(w->manager->ledger_health, LEDGER_INTACT);
        assert_int_equal(find_session(w, "vm1")->n_metadata, 1);
        /* Nothing is left over of the last boot but what is somebody's. */
        assert_int_equal(fake_kernel_count_sessions(&w->kernel, /* incoming= */ true), 3);
}

static void test_update_after_update_needs_no_more_room(void **state) {
        World *w = *state;
        unsigned n_stored = 0, n_sessions = 0;

        for (unsigned i = 0; i < 6; i++) {
                _cleanup_(closep) int fd = make_memfd("hello");

                assert_success(w, create(w, ROOT, "vm1"));
                assert_success(w, preserve(w, ROOT, "vm1", 1, fd));
                if (i % 2)
                        world_update(w);
                else
                        world_jump(w);
                assert_success(w, finish(w, ROOT, "vm1"));
                world_check(w);
                if (i > 0) {
                        assert_int_equal(w->store.n_stored, n_stored);
                        assert_int_equal(fake_kernel_count_sessions(&w->kernel, false), n_sessions);
                }
                n_stored = w->store.n_stored;
                n_sessions = fake_kernel_count_sessions(&w->kernel, false);
                assert_int_equal(fake_kernel_count_sessions(&w->kernel, true), 0);
                assert_int_equal(w->manager->state.head.generation, i + 1);
        }
}

static void test_session_that_nobody_finished_is_lost_at_the_next_update_and_said_so(void **state) {
        World *w = *state;
        int fd;

        furnish(w);
        world_update(w);
        world_update(w);
        assert_non_null(find_session(w, "vm1"));
        assert_true(find_session(w, "vm1")->flags & SESSION_PARTS_MISSING);
        assert_refused(w, "RetrieveFailed", retrieve(w, ROOT, "vm1", 1, &fd));
        assert_refused(w, "NotOwner", discard(w, OTHER, "vm1"));
        world_restart(w);
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_success(w, finish(w, OTHER, "vm2"));
        world_restart(w);
        assert_int_equal(w->manager->state.n_sessions, 0);
}

static void test_restart_in_the_second_boot_finds_both_directions(void **state) {
        World *w = *state;
        _cleanup_(closep) int fd = make_memfd("new");
        int back;

        furnish(w);
        world_update(w);
        assert_success(w, create(w, ROOT, "next"));
        assert_success(w, preserve(w, ROOT, "next", 1, fd));
        world_restart(w);
        assert_int_equal(find_session(w, "vm1")->record.direction, DIRECTION_INCOMING);
        assert_int_equal(find_session(w, "next")->record.direction, DIRECTION_OUTGOING);
        assert_contents(w);
        world_update(w);
        assert_success(w, retrieve(w, ROOT, "next", 1, &back));
        assert_content(back, "new");
}

/* --- the fd store was not whole */

static void test_sessions_that_the_store_did_not_bring_are_found_by_name(void **state) {
        World *w = *state;
        FakeStored *s;
        unsigned i = 0;

        furnish(w);
        world_kill(w);
        world_kexec(w);
        /* PID 1 never had them: as a process that lived to the jump brings them. */
        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                if (i++ % 2) {
                        FakeSession *ks = fake_kernel_find_by_fd(&w->kernel, s->fd);

                        ks->retrieved = false;
                        ks->end = safe_close(ks->end);
                        fake_store_remove(&w->store, s->fdname);
                }
        assert_int_equal(world_start(w), 0);
        world_check(w);
        assert_furnished(w);
        assert_contents(w);
        world_restart(w);
        assert_furnished(w);
}

static void test_foreign_fds_in_the_store_are_left_alone(void **state) {
        World *w = *state;
        _cleanup_(closep) int foreign = fake_session_create(&w->kernel, "somebody's"), file = make_memfd("x");
        _cleanup_(closep) int kept = make_memfd("kept");

        assert_int_equal(fake_preserve(&w->kernel, foreign, 1, kept), 0);
        furnish(w);
        world_kill(w);
        fake_store_add(&w->store, foreign, "theirs");
        fake_store_add(&w->store, file, "file");
        fake_store_add(&w->store, file, "..");
        foreign = safe_close(foreign);
        assert_int_equal(world_start(w), 0);
        world_check(w);
        assert_furnished(w);
        assert_non_null(fake_store_find(&w->store, "theirs"));
        assert_true(fake_kernel_keeps(&w->kernel, kept));
        world_update(w);
        assert_furnished(w);
}

static void test_names_in_the_store_are_only_a_hint(void **state) {
        World *w = *state;
        FakeStored *s;
        unsigned i = 0;

        furnish(w);
        world_kill(w);
        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                (void) snprintf(s->fdname, sizeof(s->fdname), "x%u", 100 - i++);
        world_restart(w);
        assert_furnished(w);
        world_update(w);
        assert_furnished(w);
        assert_contents(w);
}

static void test_part_that_was_lost_while_luod_was_down_is_flagged(void **state) {
        World *w = *state;
        _cleanup_free_ char *fdname = NULL;
        _cleanup_(closep) int fd = make_memfd("again");

        furnish(w);
        fdname = strdup(find_file(w, "vm1", 2)->part->record.fdname);
        world_kill(w);
        fake_store_remove(&w->store, fdname);
        assert_int_equal(world_start(w), 0);
        assert_true(find_session(w, "vm1")->flags & SESSION_PARTS_MISSING);
        assert_int_equal(find_session(w, "vm1")->n_files, 3);
        assert_int_equal(find_session(w, "vm2")->flags, 0);
        /* The rest goes on. */
        assert_success(w, preserve(w, ROOT, "vm1", 9, fd));
        assert_true(preserve(w, ROOT, "vm1", 2, fd) < 0);
        world_check(w);
        world_update(w);
        assert_int_equal(file_state(w, "vm1", 1), FILE_KEPT);
        assert_int_equal(file_state(w, "vm1", 9), FILE_KEPT);
        assert_true(find_session(w, "vm1")->flags & SESSION_PARTS_MISSING);
        assert_success(w, discard(w, ROOT, "vm1"));
}

static void test_store_that_was_emptied_costs_the_sessions_but_not_the_knowledge(void **state) {
        World *w = *state;
        FakeStored *s;

        furnish(w);
        world_kill(w);
        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                fake_store_remove(&w->store, s->fdname);
        assert_int_equal(world_start(w), 0);
        assert_int_equal(w->manager->state.n_sessions, 2);
        assert_true(find_session(w, "vm1")->flags & SESSION_PARTS_MISSING);
        assert_true(find_session(w, "vm2")->flags & SESSION_PARTS_MISSING);
        assert_success(w, discard(w, ROOT, "vm1"));
        assert_success(w, create_with(w, ROOT, "vm3", "k", "v"));
        world_check(w); /* the ledger, too, is kept again */
        world_update(w);
        assert_int_equal(find_session(w, "vm3")->n_metadata, 1);
        assert_true(find_session(w, "vm2")->flags & SESSION_PARTS_MISSING);
}

/* --- the ledger is damaged, lost or newer */

typedef enum Damage {
        HALF_0_ZERO,
        HALF_1_ZERO,
        ALL_ZERO,
        GARBAGE,
        NEWER_VERSION,
        _DAMAGE_MAX,
} Damage;

static uint8_t *map_ledger(World *w) {
        char path[64];
        void *p;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/ledger", w->dir);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        p = mmap(NULL, LEDGER_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(p != MAP_FAILED);
        safe_close(fd);
        return p;
}

/* The head's version and checksum, at their place in all versions (ledger.c). */
static void make_newer(uint8_t *head) {
        uint32_t version = 2, crc;

        memcpy(head + 12, &version, 4);
        crc = crc32c(0, head + 12, 48 - 12);
        memcpy(head + 8, &crc, 4);
}

static void damage_ledger(World *w, Damage damage) {
        uint8_t *p = map_ledger(w);

        switch (damage) {
        case HALF_0_ZERO:
                memset(p, 0, LEDGER_HALF_SIZE);
                break;
        case HALF_1_ZERO:
                memset(p + LEDGER_HALF_SIZE, 0, LEDGER_HALF_SIZE);
                break;
        case ALL_ZERO:
                memset(p, 0, LEDGER_FILE_SIZE);
                break;
        case GARBAGE:
                for (size_t i = 0; i < LEDGER_FILE_SIZE; i++)
                        p[i] = (uint8_t) (i * 2654435761U >> 13);
                break;
        default:
                for (unsigned i = 0; i < 2; i++) {
                        make_newer(p + i * LEDGER_HALF_SIZE);
                        make_newer(p + (i + 1) * LEDGER_HALF_SIZE - 64);
                }
                break;
        }
        (void) munmap(p, LEDGER_FILE_SIZE);
}

/* From here on all must be well again: what is acknowledged now is not lost by the trouble of before. */
static void assert_recovered(World *w) {
        unsigned n_boots = w->n_boots;

        assert_success(w, set_metadata(w, ROOT, "vm1", "new", "after the damage"));
        for (unsigned i = 0; i < 2; i++) {
                world_restart(w);
                assert_furnished(w);
                assert_non_null(session_find_metadata(find_session(w, "vm1"), "new"));
        }
        if (n_boots > 1)
                return; /* incoming ones don't go over another update */
        world_update(w);
        assert_furnished(w);
        assert_contents(w);
        assert_non_null(session_find_metadata(find_session(w, "vm1"), "new"));
}

static void try_damage(World *w, Damage damage, bool update) {
        furnish(w);
        damage_ledger(w, damage);
        if (update)
                world_update(w);
        else
                world_restart(w);
        assert_furnished(w);
        if (damage == NEWER_VERSION)
                assert_int_equal(w->manager->ledger_health, LEDGER_NEWER);
        else if (damage >= ALL_ZERO)
                assert_int_equal(w->manager->ledger_health, LEDGER_REBUILT);
        else if (find_session(w, "vm1")->n_metadata == 0)
                assert_int_not_equal(w->manager->ledger_health, LEDGER_INTACT);
        if (update)
                assert_contents(w);
        assert_recovered(w);
}

static void test_damaged_or_lost_ledger_costs_metadata_alone(void **state) {
        for (unsigned update = 0; update < 2; update++)
                for (Damage damage = 0; damage < _DAMAGE_MAX; damage++) {
                        World *w = world_new();

                        assert_int_equal(world_start(w), 0);
                        try_damage(w, damage, update);
                        world_free(w);
                }
}

/* The kernel session that has this file. */
static FakeSession *keeper_of(World *w, uint64_t size) {
        FakeSession *s;
        FakeFile *f;

        LIST_FOREACH(&w->kernel.sessions, FakeSession, link, s)
                LIST_FOREACH(&s->files, FakeFile, link, f)
                        if (s->incoming && lseek(f->fd, 0, SEEK_END) == (off_t) size)
                                return s;
        return NULL;
}

static void test_ledger_of_a_newer_luod_is_kept_and_not_finished(void **state) {
        World *w = *state;
        FakeSession *keeper;

        furnish(w);
        damage_ledger(w, NEWER_VERSION);
        world_update(w);
        keeper = keeper_of(w, LEDGER_FILE_SIZE);
        assert_non_null(keeper);
        assert_int_equal(w->manager->ledger_health, LEDGER_NEWER);
        for (unsigned i = 0; i < 3; i++) {
                assert_ptr_equal(keeper_of(w, LEDGER_FILE_SIZE), keeper);
                world_restart(w);
        }
        assert_furnished(w);
        assert_contents(w);
}

static void test_ledger_file_that_is_gone_is_made_anew(void **state) {
        World *w = *state;
        char path[64];

        furnish(w);
        (void) snprintf(path, sizeof(path), "%s/ledger", w->dir);
        assert_int_equal(unlink(path), 0);
        world_restart(w);
        assert_furnished(w);
        assert_recovered(w);
}

static void test_ledger_of_another_kind_of_file_does_no_harm(void **state) {
        World *w = *state;
        static const char *const kinds[] = { "empty", "short", "directory", "fifo", "link" };

        for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
                _cleanup_(closep) int fd = -EBADF;
                char path[64];

                world_free(w);
                *state = w = world_new();
                assert_int_equal(world_start(w), 0);
                furnish(w);
                world_kill(w);
                (void) snprintf(path, sizeof(path), "%s/ledger", w->dir);
                assert_int_equal(unlink(path), 0);
                if (streq(kinds[i], "directory"))
                        assert_int_equal(mkdir(path, 0700), 0);
                else if (streq(kinds[i], "fifo"))
                        assert_int_equal(mkfifo(path, 0600), 0);
                else if (streq(kinds[i], "link"))
                        assert_int_equal(symlink("/dev/zero", path), 0);
                else
                        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                if (streq(kinds[i], "short"))
                        assert_int_equal(write(fd, "luod", 4), 4);

                if (world_start(w) < 0) { /* it may refuse, but neither hang nor drop anything */
                        world_kill(w);
                        assert_true(unlink(path) == 0 || rmdir(path) == 0);
                        assert_int_equal(world_start(w), 0);
                }
                world_check(w);
                assert_furnished(w);
        }
}

/* The damage is told as long as it matters: also by a luod that starts later, and after the next update. */
static void test_flags_stay_until_the_session_ends(void **state) {
        World *w = *state;
        uint8_t *p;
        size_t at = 0;

        furnish(w);
        p = map_ledger(w);
        for (size_t i = 0; i + 40 < LEDGER_FILE_SIZE && at == 0; i++)
                if (memcmp(p + i, "\"key\":\"k\"", 9) == 0)
                        at = i;
        assert_true(at > 0);
        p[at + 2] ^= 1;
        (void) munmap(p, LEDGER_FILE_SIZE);
        for (unsigned i = 0; i < 3; i++) {
                world_restart(w);
                assert_true(find_session(w, "vm1")->flags & SESSION_METADATA_DAMAGED);
                assert_furnished(w);
        }
        world_update(w);
        assert_true(find_session(w, "vm1")->flags & SESSION_METADATA_DAMAGED);
        world_restart(w);
        assert_true(find_session(w, "vm1")->flags & SESSION_METADATA_DAMAGED);
}

/* --- neither ledger nor index */

static void destroy_index(World *w, const char *kname) {
        FakeSession *s = fake_kernel_find(&w->kernel, kname, /* incoming= */ false);
        static const uint8_t zeros[INDEX_PAGE_SIZE];
        FakeFile *f;

        LIST_FOREACH(&s->files, FakeFile, link, f)
                if (ktoken_is_index(f->token)) {
                        uint8_t noise[INDEX_PAGE_SIZE];

                        memset(noise, 0x5a, sizeof(noise));
                        assert_int_equal(pwrite(f->fd, f->token ? zeros : noise, INDEX_PAGE_SIZE, 0), INDEX_PAGE_SIZE);
                }
}

static void test_session_of_which_nothing_is_known_is_kept_for_root(void **state) {
        World *w = *state;
        char name[64];
        int fd;

        furnish(w);
        (void) snprintf(name, sizeof(name), "unknown-%s", find_file(w, "vm2", 4)->part->record.kname);
        destroy_index(w, find_file(w, "vm2", 4)->part->record.kname);
        damage_ledger(w, ALL_ZERO);
        world_kill(w);
        world_kexec(w);
        assert_int_equal(world_start(w), 0);
        for (unsigned i = 0; i < 2; i++) {
                assert_null(find_session(w, "vm2"));
                assert_non_null(find_session(w, name));
                assert_int_equal(find_session(w, name)->record.uid, 0);
                assert_true(find_session(w, name)->flags & SESSION_OWNER_UNKNOWN);
                assert_int_equal(find_session(w, "vm1")->n_files, 3);
                assert_true(retrieve(w, OTHER, name, 1, &fd) < 0);
                assert_success(w, retrieve(w, ROOT, name, 1, &fd)); /* the kernel's own token */
                assert_content(fd, "four");
                world_restart(w);
        }
        assert_success(w, discard(w, ROOT, name));
}

static void test_damaged_index_does_no_harm_while_the_ledger_is_whole(void **state) {
        World *w = *state;

        furnish(w);
        destroy_index(w, find_file(w, "vm1", 1)->part->record.kname);
        destroy_index(w, find_file(w, "vm2", 4)->part->record.kname);
        world_kill(w);
        world_kexec(w);
        assert_int_equal(world_start(w), 0);
        assert_furnished(w);
        assert_contents(w);
        assert_int_equal(find_session(w, "vm1")->flags, 0);
}

/* --- two ledgers */

static void test_readable_ledger_wins_over_one_that_is_not(void **state) {
        World *w = *state;

        furnish(w);
        damage_ledger(w, ALL_ZERO);
        world_restart(w); /* there are two now, of which one is of no use */
        assert_success(w, set_metadata(w, ROOT, "vm1", "new", "v"));
        world_jump(w);
        assert_furnished(w);
        assert_non_null(session_find_metadata(find_session(w, "vm1"), "new"));
        assert_contents(w);
}

static void test_old_ledger_that_could_not_be_dropped_is_not_believed(void **state) {
        World *w = *state;

        furnish(w);
        world_kill(w);
        world_kexec(w);
        w->store.remove_error = -EBUSY; /* PID 1 does not let go of it */
        assert_int_equal(world_start(w), 0);
        assert_success(w, set_metadata(w, ROOT, "vm1", "new", "v"));
        w->store.remove_error = 0;
        world_restart(w);
        assert_furnished(w);
        assert_non_null(session_find_metadata(find_session(w, "vm1"), "new"));
        world_update(w);
        assert_non_null(session_find_metadata(find_session(w, "vm1"), "new"));
}

/* --- starts that fail */

static void test_start_with_a_busy_device_fails_and_loses_nothing(void **state) {
        World *w = *state;

        furnish(w);
        world_kill(w);
        world_kexec(w);
        w->kernel.device_error = -EBUSY;
        for (unsigned i = 0; i < 2; i++) {
                n_pauses = 0;
                assert_true(world_start(w) < 0);
                assert_true(n_pauses > 10);
                world_kill(w);
        }
        w->kernel.device_error = 0;
        assert_int_equal(world_start(w), 0);
        world_check(w);
        assert_furnished(w);
        assert_contents(w);
}

static void test_start_that_cannot_make_a_ledger_fails_and_loses_nothing(void **state) {
        World *w = *state;

        furnish(w);
        world_kill(w);
        world_kexec(w);
        for (unsigned i = 0; i < 3; i++) {
                w->kernel.create_error = i == 0 ? -ENOMEM : 0;
                w->kernel.preserve_error = i > 0 ? -ENOMEM : 0; /* of the index page, of the ledger */
                w->kernel.preserve_after = i - 1;
                assert_true(world_start(w) < 0);
                world_kill(w);
        }
        w->kernel.preserve_error = 0;
        assert_int_equal(world_start(w), 0);
        world_check(w);
        assert_furnished(w);
        assert_contents(w);
        assert_int_equal(find_session(w, "vm1")->n_metadata, 1);
}

static void test_ledger_that_the_custodian_does_not_take_at_once_is_safe_later(void **state) {
        World *w = *state;
        unsigned n_incoming;

        furnish(w);
        world_kill(w);
        world_kexec(w);
        w->store.push_error = -ENOSPC;
        assert_int_equal(world_start(w), 0);
        n_incoming = fake_kernel_count_sessions(&w->kernel, /* incoming= */ true);
        assert_true(n_incoming >= 4); /* three of ours, and the old ledger */
        assert_furnished(w);

        w->store.push_error = 0;
        world_time_passes(w);
        assert_success(w, set_metadata(w, ROOT, "vm1", "new", "v"));
        assert_success(w, create_with(w, ROOT, "vm3", "k", "v"));
        world_check(w);
        world_update(w);
        assert_int_equal(find_session(w, "vm3")->n_metadata, 1);
}

static void test_ledger_that_never_got_into_custody_is_made_again_at_the_next_start(void **state) {
        World *w = *state;

        furnish(w);
        world_kill(w);
        world_kexec(w);
        w->store.push_error = -ENOSPC;
        assert_int_equal(world_start(w), 0);
        world_kill(w); /* with the only fd of the ledger's session */
        w->store.push_error = 0;
        assert_int_equal(world_start(w), 0);
        world_check(w);
        assert_furnished(w);
        assert_contents(w);
        assert_success(w, create_with(w, ROOT, "vm3", "k", "v"));
        world_update(w);
        assert_int_equal(find_session(w, "vm3")->n_metadata, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_everything_is_there_after_any_number_of_deaths),
                TEST(test_everything_is_there_after_updates_of_every_kind),
                TEST(test_everything_is_there_after_a_sudden_jump),
                TEST(test_update_after_update_needs_no_more_room),
                TEST(test_session_that_nobody_finished_is_lost_at_the_next_update_and_said_so),
                TEST(test_restart_in_the_second_boot_finds_both_directions),
                TEST(test_sessions_that_the_store_did_not_bring_are_found_by_name),
                TEST(test_foreign_fds_in_the_store_are_left_alone),
                TEST(test_names_in_the_store_are_only_a_hint),
                TEST(test_part_that_was_lost_while_luod_was_down_is_flagged),
                TEST(test_store_that_was_emptied_costs_the_sessions_but_not_the_knowledge),
                TEST(test_damaged_or_lost_ledger_costs_metadata_alone),
                TEST(test_ledger_of_a_newer_luod_is_kept_and_not_finished),
                TEST(test_ledger_file_that_is_gone_is_made_anew),
                TEST(test_ledger_of_another_kind_of_file_does_no_harm),
                TEST(test_flags_stay_until_the_session_ends),
                TEST(test_session_of_which_nothing_is_known_is_kept_for_root),
                TEST(test_damaged_index_does_no_harm_while_the_ledger_is_whole),
                TEST(test_readable_ledger_wins_over_one_that_is_not),
                TEST(test_old_ledger_that_could_not_be_dropped_is_not_believed),
                TEST(test_start_with_a_busy_device_fails_and_loses_nothing),
                TEST(test_start_that_cannot_make_a_ledger_fails_and_loses_nothing),
                TEST(test_ledger_that_the_custodian_does_not_take_at_once_is_safe_later),
                TEST(test_ledger_that_never_got_into_custody_is_made_again_at_the_next_start),
        };

        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
