/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "remote.h"

/* Each story is told again and again, and each time luod dies one point later, in one of three ways (remote.h).
 * Then all that was acknowledged must be there, what was not must have come true wholly or not at all, and the
 * same calls made again must succeed. */

#define TOKENS_END 64U
#define DIE_AGAIN_END 41U /* prime, so that all pairs come up */

typedef enum StepKind {
        CREATE,
        PRESERVE,      /* token */
        PRESERVE_MANY, /* token, token + 1, … @n of them */
        METADATA,      /* "k" to @value */
        RETRIEVE,      /* token */
        RENEW,
        CARRY,
        FINISH,
        DISCARD,
} StepKind;

typedef struct Step {
        StepKind kind;
        const char *session;
        uint64_t token;
        unsigned n;
        const char *value;
} Step;

typedef struct Story {
        const char *name;
        void (*prelude)(World *w, const int *fds); /* with luod up; or NULL */
        bool updated;                              /* between prelude and story there is a live update */
        bool unstored;                             /* of which PID 1 brings nothing: all must be found by name */
        Step steps[8];
        unsigned n_steps;
} Story;

static const char *const fate_names[_FATE_MAX] = {
        [FATE_KILL] = "kill",
        [FATE_UPDATE] = "update",
        [FATE_JUMP] = "jump",
};

static int fds[TOKENS_END];
static bool with_workers; /* luod's children are processes, too, and some of them live on */
static bool twice;        /* luod dies again, while it gets over its first death */
static bool few_fds;      /* luod does not die, but has few fds, from its start on: in place of the point there is their number */

static void make_files(void) {
        for (unsigned i = 0; i < TOKENS_END; i++) {
                char text[32];

                (void) snprintf(text, sizeof(text), "content %u", i);
                fds[i] = make_memfd(text);
        }
}

static void close_files(void) {
        for (unsigned i = 0; i < TOKENS_END; i++)
                fds[i] = safe_close(fds[i]);
}

/* --- doing steps: with luod in another process or in this one */

static int take_step(World *w, const Step *step) {
        Session *s = state_find_session(&w->manager->state, step->session);
        uint64_t tokens[TOKENS_END];
        MetadataChange change = { "k", step->value, step->value ? strlen(step->value) : 0 };
        int fd, r;

        for (unsigned i = 0; i < step->n; i++)
                tokens[i] = step->token + i;
        w->failure = (Failure) FAILURE_INIT;
        switch (step->kind) {
        case CREATE:
                return op_create(w, step->session, 0);
        case FINISH:
        case DISCARD:
                return s ? op_end(w, step->session, 0, step->kind == FINISH ? END_FINISHED : END_DISCARDED) : 0;
        default:
                if (!s)
                        return failure_set(&w->failure, FAILURE_NO_SUCH_SESSION, "there is no session");
        }

        switch (step->kind) {
        case PRESERVE:
                return op_preserve(w, step->session, 0, &step->token, fds + step->token, 1, /* many= */ false);
        case PRESERVE_MANY:
                return op_preserve(w, step->session, 0, tokens, fds + step->token, step->n, /* many= */ true);
        case RENEW:
                return op_renew(w, step->session, 0);
        case CARRY: /* this test looked into the files before it asks again: then they are claimed */
                r = op_carry(w, step->session, 0);
                return r < 0 && session_is_claimed(s) ? op_renew(w, step->session, 0) : r;
        case METADATA:
                return operation_set_metadata(w->manager, s, caller_of(w, 0), &change, 1, &w->failure);
        default:
                r = op_retrieve(w, step->session, 0, step->token, &fd);
                safe_close(fd);
                return r;
        }
}

static void tell_story(World *w, void *userdata) {
        const Story *story = userdata;

        for (unsigned i = 0; i < story->n_steps; i++) {
                if (take_step(w, story->steps + i) < 0)
                        remote_refuse(w->failure.message);
                remote_ack();
                if (story->steps[i].kind == CREATE) /* the answer is out */
                        creation_answered(w->manager, state_find_session(&w->manager->state, story->steps[i].session));
        }
        world_settle(w);
}

/* --- judging */

static const char *doing; /* what the assert that fails next is about */

#define must(w, condition)                                                                     \
        do {                                                                                   \
                if (!(condition)) {                                                            \
                        char *_dump = (w)->manager ? world_dump(w) : NULL;                     \
                        fail_msg("%s: not so (line %d): %s\n%s", doing, __LINE__, #condition, _dump); \
                }                                                                              \
        } while (0)

static bool is_there(World *w, const Step *step, unsigned i) {
        int state = file_state(w, step->session, step->token + i);

        return state == FILE_KEPT || state == FILE_RETRIEVED;
}

/* It came with the last live update, and was not finished before the next one. */
static bool is_lost(const Session *s) {
        return s && s->record.direction == DIRECTION_INCOMING && s->flags == SESSION_PARTS_MISSING;
}

/* As it must be once the step was acknowledged. */
static void assert_done(World *w, const Step *step) {
        const Session *s = find_session(w, step->session);
        const Metadata *m;

        if (step->kind == RETRIEVE && is_lost(s))
                return;
        if (step->kind == FINISH || step->kind == DISCARD) {
                must(w, !s);
                return;
        }
        must(w, s);
        must(w, s->record.uid == 0);
        must(w, s->flags == 0);
        if (step->kind == PRESERVE || step->kind == PRESERVE_MANY)
                for (unsigned i = 0; i < MAX(step->n, 1U); i++)
                        must(w, is_there(w, step, i));
        if (step->kind == RENEW || step->kind == CARRY) {
                must(w, !s->record.carrying && s->record.carried <= (step->kind == CARRY));
                must(w, s->n_files == 3);
                for (size_t i = 0; i < s->n_files; i++) {
                        uint64_t token = s->files[i]->record.token;
                        char text[32];
                        int fd;

                        must(w, s->files[i]->part->fd >= 0);
                        must(w, s->record.direction == DIRECTION_INCOMING || s->files[i]->record.state == FILE_KEPT);
                        if (s->record.direction == DIRECTION_OUTGOING)
                                continue;
                        must(w, op_retrieve(w, s->record.name, 0, token, &fd) == 0);
                        (void) snprintf(text, sizeof(text), "content %llu", (unsigned long long) token);
                        assert_content(fd, text);
                }
        }
        if (step->kind == METADATA) {
                m = session_find_metadata(s, "k");
                must(w, m && m->n_value == strlen(step->value) && memcmp(m->value, step->value, m->n_value) == 0);
        }
}

/* What is under way is done or it is not; but of a live update nobody can ask the old kernel any more what it kept, so
 * files may be unconfirmed then. */
static void assert_settled(World *w, const Step *step, bool updated) {
        const Session *s = find_session(w, step->session);
        unsigned n_there = 0;

        if (!s)
                return;
        must(w, s->record.state == SESSION_LIVE);
        must(w, s->flags == 0);
        for (unsigned i = 0; i < step->n; i++) {
                const File *f = find_file(w, step->session, step->token + i);

                n_there += f != NULL;
                must(w, !f || updated || f->record.state == FILE_KEPT);
                must(w, f || updated || !fake_kernel_keeps(&w->kernel, fds[step->token + i]));
        }
        if (step->kind == PRESERVE_MANY)
                must(w, n_there == 0 || n_there == step->n);
}

static bool same_session(const Step *a, const Step *b) {
        return streq(a->session, b->session);
}

/* Whether a later step that was acknowledged, or is under way, makes this one void. */
static bool is_overtaken(const Story *story, unsigned i, unsigned n_acked) {
        for (unsigned j = i + 1; j <= n_acked && j < story->n_steps; j++) {
                const Step *later = story->steps + j;

                if (!same_session(later, story->steps + i))
                        continue;
                if (later->kind == DISCARD || later->kind == FINISH)
                        return true;
                if (later->kind == METADATA && story->steps[i].kind == METADATA)
                        return true;
        }
        return false;
}

static void assert_acknowledged(World *w, const Story *story, unsigned n_acked) {
        for (unsigned i = 0; i < n_acked; i++)
                if (!is_overtaken(story, i, n_acked))
                        assert_done(w, story->steps + i);
}

static void assert_file_contents(World *w) {
        Session *s;

        LIST_FOREACH(&w->manager->state.sessions, Session, link, s)
                for (size_t i = 0; i < s->n_files; i++) {
                        uint64_t token = s->files[i]->record.token;
                        char text[32];
                        int fd;

                        if (s->record.direction != DIRECTION_INCOMING || s->files[i]->record.state == FILE_INTENT)
                                continue;
                        must(w, op_retrieve(w, s->record.name, 0, token, &fd) == 0);
                        (void) snprintf(text, sizeof(text), "content %llu", (unsigned long long) token);
                        assert_content(fd, text);
                }
}

/* Those who got no answer ask again. */
static void finish_story(World *w, const Story *story, unsigned n_acked) {
        for (unsigned i = n_acked; i < story->n_steps; i++)
                if (take_step(w, story->steps + i) < 0)
                        fail_msg("%s: step %u is refused when made again: %s", doing, i, w->failure.message);
        assert_acknowledged(w, story, story->n_steps);
        world_check(w);
}

/* --- telling */

/* As if PID 1 had never had them: a process that lived to the jump brings them. */
static void lose_store(World *w) {
        FakeStored *s;

        LIST_FOREACH(&w->store.stored, FakeStored, link, s) {
                FakeSession *ks = fake_kernel_find_by_fd(&w->kernel, s->fd);

                ks->retrieved = false;
                ks->end = safe_close(ks->end);
                fake_store_remove(&w->store, s->fdname);
        }
}

static World *prepare(const Story *story) {
        World *w = world_new();

        assert_non_null(w);
        make_files();
        assert_int_equal(world_start(w), 0);
        if (story->prelude)
                story->prelude(w, fds);
        world_kill(w);
        if (story->updated)
                world_kexec(w);
        if (story->unstored)
                lose_store(w);
        return w;
}

static void story_updates(World *w, const Story *story) {
        world_update(w);
        assert_acknowledged(w, story, story->n_steps);
        if (!story->updated)
                assert_file_contents(w);
}

static bool is_after_update(const Trial *t) {
        return t->fate == FATE_UPDATE || (t->fate == FATE_JUMP && t->died);
}

static void assert_for_want_of_fds(const char *refusal) {
        if (!strstr(refusal, "file descriptors") && !strstr(refusal, "LimitNOFILE=") && !strstr(refusal, strerror(EMFILE)))
                fail_msg("%s: refused, and not for want of fds: %s", doing, refusal);
}

/* How many points there were until luod died or the story ended. */
static bool try_once(const Story *story, Fate fate, unsigned die_at) {
        World *w = prepare(story);
        Trial t = { .world = w, .fate = fate, .die_at = die_at }, again = {};
        char text[384];

        w->with_workers = with_workers;
        w->few_fds = few_fds;
        w->n_few_fds = die_at - 1;
        if (few_fds)
                t.die_at = UINT_MAX;
        remote_run(&t, tell_story, (void *) story, /* late= */ false);
        if (twice && t.died) {
                again = (Trial) { .world = w, .fate = FATE_KILL, .die_at = die_at % DIE_AGAIN_END + 1 };
                remote_run(&again, NULL, NULL, /* late= */ false);
        }
        w->with_workers = w->few_fds = false;
        (void) snprintf(text, sizeof(text), "%s, %s at point %u (%s), %u acknowledged%s%s", story->name,
                        fate_names[fate], die_at, t.died_at, t.n_acked, again.died ? ", again at " : "", again.died_at);
        doing = text;
        if (few_fds && t.refused)
                assert_for_want_of_fds(t.refusal);
        else if (t.refused || again.refused)
                fail_msg("%s: refused: %s", doing, t.refused ? t.refusal : again.refusal);

        if (world_start(w) < 0)
                fail_msg("%s: luod does not start any more", doing);
        world_check(w);
        assert_acknowledged(w, story, t.n_acked);
        if (!story->updated || !is_after_update(&t)) {
                must(w, w->manager->ledger_health == LEDGER_INTACT);
                if ((t.died || t.refused) && t.n_acked < story->n_steps)
                        assert_settled(w, story->steps + t.n_acked, is_after_update(&t));
                assert_file_contents(w);
        }
        if (!is_after_update(&t)) {
                finish_story(w, story, t.n_acked);
                world_restart(w);
                assert_acknowledged(w, story, story->n_steps);
                story_updates(w, story);
        }

        world_free(w);
        close_files();
        return few_fds ? t.refused : t.died;
}

/* --- the stories */

static void must_succeed(World *w, int r) {
        if (r < 0)
                fail_msg("%s", w->failure.message);
}

static void with_a_full_page(World *w, const int *files) {
        uint64_t token;

        must_succeed(w, op_create(w, "vm", 0));
        for (token = 0; token < 31; token++)
                must_succeed(w, op_preserve(w, "vm", 0, &token, files + token, 1, /* many= */ false));
}

static void with_two_sessions(World *w, const int *files) {
        static const Step steps[] = {
                { CREATE, "vm" },
                { PRESERVE, "vm", 1, 1 },
                { PRESERVE_MANY, "vm", 2, 2 },
                { METADATA, "vm", .value = "v" },
                { CREATE, "other" },
                { PRESERVE, "other", 9, 1 },
        };

        for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
                must_succeed(w, take_step(w, steps + i));
}

static const Story stories[] = {
        { "create", .steps = { { CREATE, "vm" }, { CREATE, "vm2" } }, .n_steps = 2 },
        { "preserve", .steps = { { CREATE, "vm" }, { PRESERVE, "vm", 1, 1 }, { PRESERVE, "vm", 2, 1 } }, .n_steps = 3 },
        { "preserve-many",
          .steps = { { CREATE, "vm" }, { PRESERVE_MANY, "vm", 1, 3 }, { PRESERVE_MANY, "vm", 5, 2 } },
          .n_steps = 3 },
        { "another-page",
          .prelude = with_a_full_page,
          .steps = { { PRESERVE, "vm", 31, 1 }, { PRESERVE, "vm", 32, 1 } },
          .n_steps = 2 },
        { "metadata",
          .steps = { { CREATE, "vm" }, { METADATA, "vm", .value = "one" }, { METADATA, "vm", .value = "two" } },
          .n_steps = 3 },
        { "discard",
          .prelude = with_two_sessions,
          .steps = { { DISCARD, "vm" }, { CREATE, "again" }, { PRESERVE, "again", 1, 1 } },
          .n_steps = 3 },
        { "pool",
          .steps = { { CREATE, "a" }, { CREATE, "b" }, { CREATE, "c" }, { CREATE, "d" }, { CREATE, "e" },
                     { CREATE, "f" }, { CREATE, "g" } },
          .n_steps = 7 },
        { "change-over",
          .prelude = with_two_sessions,
          .updated = true,
          .steps = { { CREATE, "new" }, { METADATA, "new", .value = "v" } },
          .n_steps = 2 },
        { "change-over-by-name",
          .prelude = with_two_sessions,
          .updated = true,
          .unstored = true,
          .steps = { { RETRIEVE, "vm", 1 }, { CREATE, "new" } },
          .n_steps = 2 },
        { "renew",
          .prelude = with_two_sessions,
          .updated = true,
          .steps = { { RETRIEVE, "vm", 1 }, { RENEW, "vm" }, { METADATA, "vm", .value = "w" } },
          .n_steps = 3 },
        { "carry",
          .prelude = with_two_sessions,
          .updated = true,
          .steps = { { CARRY, "vm" }, { METADATA, "vm", .value = "w" } },
          .n_steps = 2 },
        { "retrieve-and-finish",
          .prelude = with_two_sessions,
          .updated = true,
          .steps = { { RETRIEVE, "vm", 1 }, { RETRIEVE, "vm", 3 }, { FINISH, "vm" }, { CREATE, "next" } },
          .n_steps = 4 },
};

static const Story *chosen;
static Fate chosen_fate;
static unsigned first = 1, stride = 1;

static void test_luod_dies_at_every_point(void **state) {
        unsigned n = first;

        while (try_once(chosen, chosen_fate, n))
                n += stride;
        if (few_fds)
                print_message("it goes well with %u more fds\n", n - 1);
        assert_true(few_fds || n > 3);
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_luod_dies_at_every_point),
        };

        for (unsigned i = 0; i < ARRAY_SIZE(stories) && argc > 2; i++)
                if (streq(argv[1], stories[i].name))
                        chosen = stories + i;
        few_fds = argc > 2 && streq(argv[2], "few-fds");
        if (few_fds)
                argv[2] = (char *) fate_names[FATE_KILL];
        for (chosen_fate = 0; argc > 2 && chosen_fate < _FATE_MAX && !streq(argv[2], fate_names[chosen_fate]);)
                chosen_fate++;
        if (argc > 4) {
                first = (unsigned) atoi(argv[3]);
                stride = (unsigned) atoi(argv[4]);
        }
        with_workers = argc > 5 && streq(argv[5], "workers");
        twice = argc > 5 && streq(argv[5], "twice");
        if (!chosen || chosen_fate == _FATE_MAX || first == 0 || stride == 0) {
                fprintf(stderr, "usage: %s STORY kill|update|jump|few-fds [FIRST STRIDE [workers|twice]]\n", argv[0]);
                return EXIT_FAILURE;
        }
        world_require();
        return cmocka_run_group_tests_name(chosen->name, tests, NULL, NULL);
}
