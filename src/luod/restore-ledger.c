/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "fd-util.h"
#include "parking.h"
#include "restore-internal.h"

void restore_reset_state(State *state, const char *boot_id) {
        uint64_t next_fdname = state->head.next_fdname;

        state_done(state);
        state_init(state);
        state->head.next_fdname = next_fdname;
        state->head.next_sid = 1;
        state->head.series = 'a';
        (void) snprintf(state->head.boot_id, sizeof(state->head.boot_id), "%s", boot_id);
}

static LedgerHealth judge_ledger(int error, const LedgerDamage *damage) {
        if (error == -EPROTONOSUPPORT)
                return LEDGER_NEWER;
        if (error < 0)
                return LEDGER_REBUILT;
        return damage->n_records > 0 || damage->gap ? LEDGER_DAMAGED : LEDGER_INTACT;
}

void restore_set_health(Restore *r, LedgerHealth health) {
        r->manager->ledger_health = health;
        r->complete = health == LEDGER_INTACT;
}

int read_own_ledger(Restore *r) {
        Manager *m = r->manager;
        _cleanup_(closep) int fd = -EBADF;
        char path[PATH_MAX], aside[PATH_MAX];
        LedgerDamage damage = {};
        int error;

        runtime_path(m, "ledger", path);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 && errno != EISDIR && errno != ELOOP && errno != ENXIO)
                return -errno;

        error = fd < 0 ? -ENODATA : store_open(&m->store, &m->state, &fd, /* writable= */ true, &damage);
        if (error >= 0 && !streq(m->state.head.boot_id, r->boot_id)) {
                store_done(&m->store);
                error = -ENODATA;
        }
        if (error < 0 && error != -ENODATA && error != -EPROTONOSUPPORT)
                return error == -ENOENT ? -EIO : error; /* says nothing about the ledger */
        restore_set_health(r, judge_ledger(error, &damage));
        if (error < 0) {
                restore_reset_state(&m->state, r->boot_id);
                runtime_path(m, "ledger.unreadable", aside);
                (void) rename(path, aside);
                return error;
        }
        r->same_boot = true;
        return 0;
}

/* A ledger that came over the live update, read into a state of its own. */
typedef struct Candidate {
        State state;
        LedgerHealth health;
        uint64_t in_service; /* since when: it was linked, and written to; 0: its change-over was cut short */
        bool set;
} Candidate;

static void candidate_done(Candidate *c) {
        if (c->set)
                state_done(&c->state);
        c->set = false;
}

/* Reads the ledger from the kernel session @f, if it holds one: 0; -ENOENT: it does not. */
static int candidate_read(Restore *r, const Found *f, Candidate *ret) {
        Manager *m = r->manager;
        _cleanup_(closep) int fd = -EBADF;
        LedgerDamage damage = {};
        Store old = STORE_NULL;
        IndexHead head;
        int error;

        error = read_incoming_head(m->luo, f->fd, &head);
        if (error_is_transient(error))
                return error;
        if (error < 0 || head.role != INDEX_LEDGER)
                return -ENOENT;

        state_init(&ret->state);
        ret->set = true;
        ret->in_service = head.created;
        ret->state.head.next_fdname = m->state.head.next_fdname;
        /* In case the ledger's own head record is the damaged one. */
        restore_reset_state(&ret->state, head.boot_id);
        (void) kernel_name_parse(f->kname, &ret->state.head.series, NULL);

        fd = m->luo->retrieve(m->luo, f->fd, LEDGER_KTOKEN);
        if (error_is_transient(fd))
                return fd;
        error = fd < 0 ? -ENODATA : store_open(&old, &ret->state, &fd, /* writable= */ false, &damage);
        store_done(&old);
        if (error < 0 && error != -ENODATA && error != -EPROTONOSUPPORT)
                return error == -ENOENT ? -EIO : error;
        ret->health = judge_ledger(error, &damage);
        (void) snprintf(ret->state.head.previous, sizeof(ret->state.head.previous), "%.*s", (int) KNAME_SIZE - 1,
                        f->kname);
        return 0;
}

/* A readable one before one that is not; one that was in service before one that was not; the later generation; the
 * later in service. */
static bool candidate_is_better(const Candidate *a, const Candidate *b) {
        bool a_reads = a->health < LEDGER_REBUILT, b_reads = b->health < LEDGER_REBUILT;

        if (!b->set || a_reads != b_reads)
                return !b->set || a_reads;
        if (!a->in_service != !b->in_service)
                return a->in_service != 0;
        if (a->state.head.generation != b->state.head.generation)
                return a->state.head.generation > b->state.head.generation;
        return a->in_service > b->in_service; /* of one boot: the first one's file was lost */
}

void part_rename_lost(State *state, Part *p) {
        Session *s = p->session;

        if (!kernel_name_parse(p->record.kname, NULL, NULL))
                return;
        (void) snprintf(p->record.kname, sizeof(p->record.kname), "lost-%llx",
                        (unsigned long long) state->head.next_fdname++);
        for (size_t i = 0; s && i < s->n_files; i++)
                if (s->files[i]->part == p)
                        memcpy(s->files[i]->record.part, p->record.kname, sizeof(p->record.kname));
}

/* What was outgoing when the ledger was written came in with this boot; what was incoming then did not go through
 * another update, and is lost: its parts will be missing. */
static bool is_parked(Manager *m, uint64_t sid) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p)
                if (p->sid == sid)
                        return true;
        return false;
}

static void state_enter_boot(Restore *r) {
        Manager *m = r->manager;
        State *state = &m->state;
        Session *s;
        Part *p;

        LIST_FOREACH(&state->parts, Part, state_link, p)
                if (p->outgoing)
                        p->outgoing = false;
                else
                        part_rename_lost(state, p);

        state->head.generation++;
        state->head.series = state->head.series == 'a' ? 'b' : 'a';
        (void) snprintf(state->head.boot_id, sizeof(state->head.boot_id), "%s", r->boot_id);

        LIST_FOREACH(&state->sessions, Session, link, s) {
                s->record.direction = DIRECTION_INCOMING;
                s->record.participates = s->record.unready = false;
                s->record.claimed = 0;
                /* Goes on only where it has come so far that the files are parked; else it is for the owner to say. */
                if (s->record.state == SESSION_RENEWING && !is_parked(m, s->sid)) {
                        s->record.state = SESSION_LIVE;
                        s->record.carrying = false;
                }
        }
}

static void candidate_take(Restore *r, Candidate *c) {
        Manager *m = r->manager;

        restore_set_health(r, c->health);
        if (c->health >= LEDGER_REBUILT) /* nothing could be read; it is kept */
                return;

        state_done(&m->state);
        state_move(&m->state, &c->state);
        state_enter_boot(r);
}

/* Of the sessions that the fd store brought, those whose FDNAME says so; all others when none of them reads. */
static int find_candidates(Restore *r, bool by_fdname, Candidate *best) {
        for (size_t i = 0; i < r->n_found; i++) {
                const Found *f = r->found + i;
                Candidate c = {};
                IndexHead head;
                int error;

                if (by_fdname != (f->stored && f->fdname[0] == LEDGER_FDNAME_PREFIX))
                        continue;
                if (!f->incoming || read_outgoing_head(r->manager, f, &head) != -ENOENT) /* made in this boot */
                        continue;
                error = candidate_read(r, f, &c);
                if (error >= 0 && candidate_is_better(&c, best)) {
                        candidate_done(best);
                        *best = c;
                        state_move(&best->state, &c.state);
                }
                candidate_done(&c);
                if (error < 0 && error != -ENOENT)
                        return error;
        }
        return 0;
}

int read_incoming_ledger(Restore *r) {
        Candidate best = {};
        int error;

        error = find_candidates(r, /* by_fdname= */ true, &best);
        if (error >= 0 && (!best.set || best.health >= LEDGER_REBUILT))
                error = find_candidates(r, /* by_fdname= */ false, &best);
        if (error >= 0) {
                error = best.set ? 0 : -ENOENT;
                if (best.set)
                        candidate_take(r, &best);
        }
        candidate_done(&best);
        return error;
}
