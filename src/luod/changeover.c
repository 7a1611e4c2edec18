/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "changeover.h"
#include "operations.h"
#include "parking.h"
#include "parts.h"
#include "stop-point.h"

/*   kernel session for the ledger, with its index page     (child)
 *   the ledger's file, complete, nameless                           changeover:written
 *   kernel: PRESERVE of the file under token 1             (child)  changeover:kernel
 *   custody                                                         changeover:custody
 *   the file gets its name                                          changeover:linked
 *   kernel: FINISH of the old ledger and of old spares     (child)  changeover:finished
 *   custody: FDSTOREREMOVE of those; last close                     changeover:dropped
 *
 * Before "linked" a new start begins again, from the old ledger; from then on this boot's is the one. */

typedef struct Changeover {
        Manager *manager;
        changeover_done_fn done;
        void *userdata;
        PartsMaking making;
        Part *part;
        int session_fd, ledger_fd; /* borrowed; for the child */
        bool in_custody;
        int *fds;                  /* of the parts to end; borrowed */
        size_t n_fds;
        unsigned n_removing;
        bool removal_failed;
} Changeover;

static void changeover_free(Changeover *c) {
        free(c->fds);
        free(c);
}

static void changeover_end(Changeover *c, int error) {
        Manager *m = c->manager;
        changeover_done_fn done = c->done;
        void *userdata = c->userdata;

        changeover_free(c);
        done(m, error, userdata);
}

/* Where the ledger was damaged, what is there tells: a renewal that was not through has files parked, or parts of both
 * directions. */
static bool session_is_renewing(Manager *m, Session *s) {
        bool incoming = false, outgoing = false, parked = false;
        Parked *p;
        Part *part;

        if (s->record.state != SESSION_LIVE || m->ledger_health == LEDGER_INTACT)
                return s->record.state == SESSION_RENEWING;
        LIST_FOREACH(&m->parked, Parked, link, p)
                parked |= p->sid == s->sid;
        LIST_FOREACH(&s->parts, Part, session_link, part) {
                incoming |= !part->outgoing && part->fd >= 0;
                outgoing |= part->outgoing;
        }
        if (!parked && !(outgoing && (incoming || s->record.direction == DIRECTION_INCOMING)))
                return false;
        s->record.state = SESSION_RENEWING;
        s->record.direction = DIRECTION_INCOMING;
        return true;
}

/* Goes on with what was begun, and opens for business. */
static void changeover_resume(Changeover *c) {
        Manager *m = c->manager;
        Session *s;
        int r = 0;

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                if (s->record.state == SESSION_FINISHING || s->record.state == SESSION_DISCARDING)
                        r = operation_continue_end(m, s);
                else if (session_is_renewing(m, s))
                        r = operation_continue_renewal(m, s);
                else if (s->record.direction == DIRECTION_OUTGOING)
                        r = operation_settle(m, s);
                if (r < 0)
                        break;
        }
        if (m->ledger_health == LEDGER_INTACT)
                renewals_clean(m);
        parts_upkeep(m);
        renewals_kick(m);
        changeover_end(c, r);
}

/* --- ending what is of no use */

static bool part_is_leaving(const Part *p) {
        return p->leaving && !p->session;
}

static void on_removed(int error, void *userdata) {
        Changeover *c = userdata;
        Manager *m = c->manager;
        Part *p;

        if (error < 0)
                c->removal_failed = true;
        if (--c->n_removing > 0)
                return;
        if (c->removal_failed) { /* they stay until the next start */
                changeover_resume(c);
                return;
        }
        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (part_is_leaving(p)) {
                        if (p->outgoing)
                                part_unlink_pages(m, p);
                        part_close(&m->state, p);
                }
        stop_point("changeover:dropped");
        changeover_resume(c);
}

static void on_finished(WorkerReply *reply, void *userdata) {
        Changeover *c = userdata;
        Manager *m = c->manager;
        Part *p;

        stop_point("changeover:finished");
        c->n_removing = 1;
        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (part_is_leaving(p) && custody_remove(m->custody, p->record.fdname, on_removed, c) >= 0)
                        c->n_removing++;
        on_removed(0, c);
}

/* FINISH is for incoming sessions; an outgoing one (a ledger that was not completed) ends with its last close. */
static void finish_leaving(void *arg, WorkerReply *reply) {
        Changeover *c = arg;

        for (size_t i = 0; i < c->n_fds; i++)
                (void) c->manager->luo->finish(c->manager->luo, c->fds[i]);
}

static void changeover_drop(Changeover *c) {
        Manager *m = c->manager;
        Part *p;
        int r;

        c->fds = calloc(m->state.n_parts + 1, sizeof(int));
        if (!c->fds) {
                changeover_end(c, -ENOMEM);
                return;
        }
        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (part_is_leaving(p) && !p->outgoing && p->fd >= 0)
                        c->fds[c->n_fds++] = p->fd;

        r = worker_run(&m->workers, finish_leaving, c, c->fds, c->n_fds, WORKER_OUTLIVES, on_finished, c);
        if (r < 0)
                changeover_end(c, r);
}

/* --- the new ledger */

/* What tells it from one whose change-over was cut short. */
static void ledger_note_in_service(Manager *m) {
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                IndexHead head;

                if (p->role != PART_LEDGER || p->n_pages == 0 || !streq(p->record.kname, m->state.head.ledger) ||
                    index_page_get_head(p->pages[0], &head) < 0 || head.created != 0)
                        continue;
                head.created = now_realtime();
                index_page_set_head(p->pages[0], &head);
        }
}

static void changeover_link(Changeover *c) {
        Manager *m = c->manager;
        char path[PATH_MAX], anew[PATH_MAX];
        int r;

        /* Renamed into place: there may be one whose kernel session was lost, and it counts until this one does. */
        (void) snprintf(path, sizeof(path), "%s/ledger", m->runtime_dir);
        (void) snprintf(anew, sizeof(anew), "%s/ledger.new", m->runtime_dir);
        (void) unlink(anew);
        r = file_link(m->store.fd, anew);
        if (r >= 0 && rename(anew, path) < 0)
                r = -errno;
        if (r < 0) {
                changeover_end(c, r);
                return;
        }
        stop_point("changeover:linked");
        ledger_note_in_service(m);

        if (c->in_custody)
                changeover_drop(c);
        else /* the old one stays: nothing else would come back */
                changeover_resume(c);
}

static void on_pushed(Part *part, int error, void *userdata) {
        Changeover *c = userdata;

        c->in_custody = error >= 0;
        stop_point("changeover:custody");
        changeover_link(c);
}

static void on_preserved(WorkerReply *reply, void *userdata) {
        Changeover *c = userdata;

        stop_point("changeover:kernel");
        if (reply->error < 0) {
                changeover_end(c, reply->error);
                return;
        }
        if (part_push(c->manager, c->part, on_pushed, c) < 0)
                on_pushed(c->part, -ENOTCONN, c);
}

static void preserve_ledger(void *arg, WorkerReply *reply) {
        Changeover *c = arg;
        const LuoOps *luo = c->manager->luo;

        reply->error = luo->preserve(luo, c->session_fd, LEDGER_KTOKEN, c->ledger_fd);
}

static void on_made(WorkerReply *reply, void *userdata) {
        Changeover *c = userdata;
        Manager *m = c->manager;
        int r = reply->error;

        if (r >= 0)
                r = reply->n_fds == 1 ? parts_adopt(m, (uint32_t) reply->values[0], reply->fds, &c->part) : -EIO;
        if (r >= 0) {
                c->part->role = PART_LEDGER;
                part_assign_fdname(m, c->part);
                (void) snprintf(m->state.head.ledger, sizeof(m->state.head.ledger), "%s", c->part->record.kname);
                r = store_create(&m->store, &m->state, m->runtime_dir);
        }
        if (r >= 0) {
                stop_point("changeover:written");
                c->session_fd = c->part->fd;
                c->ledger_fd = m->store.fd;
                r = worker_run(&m->workers, preserve_ledger, c, (int[]) { c->session_fd, c->ledger_fd }, 2,
                               /* flags= */ 0, on_preserved, c);
        }
        if (r < 0)
                changeover_end(c, r);
}

int changeover_start(Manager *m, changeover_done_fn done, void *userdata) {
        Changeover *c;
        int r;

        if (m->support != LUO_SUPPORTED) {
                done(m, 0, userdata);
                return 0;
        }

        c = malloc(sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (Changeover) { .manager = m, .done = done, .userdata = userdata };
        if (m->store.ledger) {
                ledger_note_in_service(m); /* if the last start came only as far as the link */
                changeover_drop(c);
                return 0;
        }

        parts_making_init(m, INDEX_LEDGER, 1, &c->making);
        r = worker_run(&m->workers, parts_make, &c->making, NULL, 0, /* flags= */ 0, on_made, c);
        if (r < 0)
                changeover_free(c);
        return r;
}
