/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fd-util.h"
#include "objects.h"
#include "parking.h"
#include "operations.h"
#include "parts.h"
#include "stop-point.h"

/* Finish() and Discard(): the places where preserved state is dropped, because its owner decided so.
 *
 *   ledger: session ("finishing" or "discarding")                       end:intent
 *   kernel: FINISH of the incoming parts                       (child)  end:kernel
 *   custody: FDSTOREREMOVE of all parts                                 end:custody
 *   last close of the parts; the kernel drops outgoing ones    (child)  end:closed
 *   ledger: end                                                         end:commit
 *   answer
 *
 * From the intent on a restarted luod goes on with it. */

typedef struct Ending {
        Job job;
        EndHow how;
        SessionState before;
        bool claims;           /* it is the owner's Finish() */
        unsigned n_removing; /* orders to the custodian under way */
        int remove_error;
        int *fds;            /* of the parts: the child's, when it comes to the last close */
        size_t n_fds;
        int *incoming;       /* those of them that are to be finished */
        size_t n_incoming;
        char (*knames)[KNAME_SIZE]; /* of the outgoing ones, whose end is waited for */
        size_t n_knames;
} Ending;

static void ending_free(Job *job) {
        Ending *e = (Ending *) job;

        free(e->fds);
        free(e->incoming);
        free(e->knames);
        free(e);
}

static int ending_collect_fds(Ending *e) {
        Session *s = e->job.session;
        size_t n = 0;
        Part *p;

        LIST_FOREACH(&s->parts, Part, session_link, p)
                n++;
        e->fds = calloc(n + 1, sizeof(int));
        e->incoming = calloc(n + 1, sizeof(int));
        e->knames = calloc(n + 1, sizeof(*e->knames));
        if (!e->fds || !e->incoming || !e->knames)
                return -ENOMEM;
        LIST_FOREACH(&s->parts, Part, session_link, p) {
                if (p->fd >= 0)
                        e->fds[e->n_fds++] = p->fd;
                if (p->fd >= 0 && !p->outgoing)
                        e->incoming[e->n_incoming++] = p->fd;
                if (p->outgoing && (p->fd >= 0 || p->leaving)) /* closed before, when its end did not come in time */
                        (void) snprintf(e->knames[e->n_knames++], KNAME_SIZE, "%s", p->record.kname);
        }
        return 0;
}

static void ending_complete(Ending *e) {
        Manager *m = e->job.manager;
        Session *s = e->job.session;
        Part *p;
        int r;

        r = store_put_end(&m->store, s, e->how, now_realtime());
        if (r < 0) { /* the next start finishes it */
                failure_set_errno(&e->job.failure, r, "The session is over, but that could not be written down");
                job_end(&e->job, &e->job.failure);
                return;
        }
        stop_point("end:commit");
        reports_ended(m, s, e->how == END_FINISHED ? REPORT_FINISHED : REPORT_DISCARDED);

        jobs_refuse_waiting(s);
        list_unlink(&e->job.link);
        e->job.session = NULL;
        while (s->n_files > 0) /* only now: until the kernel has let go of an object nobody else may have it kept */
                file_free(&m->state, s->files[s->n_files - 1]);
        objects_rebuild_kept(m); /* a damaged ledger may have had one of them twice */
        LIST_FOREACH(&s->parts, Part, session_link, p)
                part_close(&m->state, p);
        parking_free_of(m, s->sid);
        session_detach(&m->state, s);
        if (m->hooks.session_removed)
                m->hooks.session_removed(s, e->how, m->hooks.userdata);
        restored_session_left(m, s);
        session_free(&m->state, s);
        job_end(&e->job, /* failure= */ NULL);
        parts_upkeep(m);
}

/* In a child that holds the last copies but PID 1's, which go a moment later: for outgoing sessions the end is
 * when the name is free again, and only then may the files be changed or kept anew. */
static void await_last_close(void *arg, WorkerReply *reply) {
        Ending *e = arg;

        for (size_t i = 0; i < e->n_fds; i++)
                safe_close(e->fds[i]);
        for (size_t i = 0; i < e->n_knames && reply->error >= 0; i++)
                reply->error = kernel_session_await_end(e->job.manager->luo, e->knames[i]);
}

static void on_closed(WorkerReply *reply, void *userdata) {
        Ending *e = userdata;
        Manager *m = e->job.manager;

        stop_point("end:closed");
        if (reply->error < 0 && !(m->features & LUO_FEATURE_ONE_KEEPER)) {
                /* The kernel may still have the objects, and would take them for somebody else as well: both would be lost. */
                failure_set_errno(&e->job.failure, reply->error, "The kernel has not let go of the session yet; ask again");
                job_end(&e->job, &e->job.failure);
                return;
        }
        ending_complete(e);
}

/* Drops the parts: their fds, and with the last copy what they keep. */
static void ending_close(Ending *e) {
        Manager *m = e->job.manager;
        Session *s = e->job.session;
        Part *p;
        int r;

        stop_point("end:custody");

        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (p->outgoing)
                        part_unlink_pages(m, p);

        if (m->workers.inline_) /* tests: nobody else has copies */
                e->n_fds = e->n_knames = 0;
        r = worker_run(&m->workers, await_last_close, e, e->fds, e->n_fds, WORKER_OUTLIVES, on_closed, e);
        /* The parts stay in the state until then, so that nobody takes their names meanwhile. */
        LIST_FOREACH(&s->parts, Part, session_link, p)
                p->fd = safe_close(p->fd);
        if (r < 0)
                ending_complete(e);
}

static void on_removed(int error, void *userdata) {
        Ending *e = userdata;

        if (error < 0)
                e->remove_error = error;
        if (--e->n_removing > 0)
                return;
        if (e->remove_error < 0) {
                /* The custodian still has it, so it is not over: said so, and gone on with at the next start, or
                 * when asked again. */
                failure_set(&e->job.failure, FAILURE_NO_CUSTODY,
                            "systemd did not give up the session's file descriptors (%s); ask again",
                            strerror(-e->remove_error));
                job_end(&e->job, &e->job.failure);
                return;
        }
        ending_close(e);
}

static void ending_leave_custody(Ending *e) {
        Manager *m = e->job.manager;
        Parked *parked;
        Part *p;

        if (e->claims) /* only now: a Finish() that the kernel refuses has changed nothing */
                restored_claim(m, e->job.session);
        stop_point("end:kernel");

        e->remove_error = 0;
        e->n_removing = 1; /* ourselves */
        LIST_FOREACH(&e->job.session->parts, Part, session_link, p) {
                int r;

                p->leaving = true;
                if (p->fd < 0) /* not there; its FDNAME may be another's by now */
                        continue;
                e->n_removing++;
                r = custody_remove(m->custody, p->record.fdname, on_removed, e);
                if (r < 0) {
                        e->n_removing--;
                        if (m->custody)
                                e->remove_error = r;
                }
        }
        /* What an unfinished Renew() has left with the custodian. */
        LIST_FOREACH(&m->parked, Parked, link, parked) {
                char name[PARKED_NAME_SIZE];
                int r;

                if (parked->sid != e->job.session->sid)
                        continue;
                parked_name_format(parked->sid, parked->token, name);
                parked->leaving = true;
                e->n_removing++;
                r = custody_remove(m->custody, name, on_removed, e);
                if (r < 0) {
                        e->n_removing--;
                        if (m->custody)
                                e->remove_error = r;
                }
        }
        on_removed(0, e);
}

static void finish_parts(void *arg, WorkerReply *reply) {
        Ending *e = arg;
        const LuoOps *luo = e->job.manager->luo;

        for (size_t i = 0; i < e->n_incoming; i++) {
                int r = luo->finish(luo, e->incoming[i]);

                if (r < 0) {
                        reply->error = r;
                        return;
                }
        }
}

static void on_finished(WorkerReply *reply, void *userdata) {
        Ending *e = userdata;
        Session *s = e->job.session;

        if (reply->error < 0) {
                failure_set(&e->job.failure, FAILURE_INTERNAL,
                            "The kernel does not finish session '%s' (%s); what it did not finish is as before. See "
                            "'dmesg | grep -i luo'",
                            s->record.name, strerror(-reply->error));
                s->record.state = e->before;
                (void) store_put_session(&e->job.manager->store, s);
                job_end(&e->job, &e->job.failure);
                return;
        }
        ending_leave_custody(e);
}

/* Also when it comes to its turn: what was asked for before it may have changed that. */
static int check_direction(const Session *s, EndHow how, Failure *ret) {
        if (how != END_FINISHED || s->record.state == SESSION_FINISHING)
                return 0;
        if (s->record.direction != DIRECTION_INCOMING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' is outgoing: there is nothing to finish before the next live update. To "
                                   "drop it with all that it keeps, use Discard()",
                                   s->record.name);
        if (s->record.state == SESSION_RENEWING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' is being renewed, and half of that is done: repeat Renew(), or drop it with "
                                   "all that it keeps by Discard()",
                                   s->record.name);
        return 0;
}

static void ending_run(Job *job) {
        Ending *e = (Ending *) job;
        Manager *m = job->manager;
        Session *s = job->session;
        int r;

        if (check_direction(s, e->how, &job->failure) < 0) {
                job_end(job, &job->failure);
                return;
        }
        e->before = s->record.state;
        r = ending_collect_fds(e);
        if (r >= 0 && (s->record.state == SESSION_LIVE || s->record.state == SESSION_RENEWING)) {
                s->record.state = e->how == END_FINISHED ? SESSION_FINISHING : SESSION_DISCARDING;
                r = store_put_session(&m->store, s);
        }
        if (r >= 0) {
                stop_point("end:intent");
                if (e->n_incoming == 0) {
                        ending_leave_custody(e);
                        return;
                }
                r = worker_run(&m->workers, finish_parts, e, e->incoming, e->n_incoming, WORKER_OUTLIVES, on_finished, e);
        }
        if (r < 0) {
                s->record.state = e->before;
                (void) store_put_session(&m->store, s);
                failure_set_errno(&job->failure, r, "Can't end the session");
                job_end(job, &job->failure);
        }
}

static Ending *ending_new(Manager *m, Session *s, EndHow how, job_done_fn done, void *userdata) {
        Ending *e = malloc(sizeof(*e));

        if (e)
                *e = (Ending) {
                        .job = { .manager = m,
                                 .session = s,
                                 .done = done,
                                 .userdata = userdata,
                                 .run = ending_run,
                                 .free = ending_free },
                        .how = how,
                };
        return e;
}

int operation_end(Manager *m, Session *session, Caller *caller, EndHow how, job_done_fn done, void *userdata, Failure *ret) {
        Ending *e;
        int r;

        r = manager_check_access(session, caller, ret);
        if (r < 0)
                return r;
        r = manager_check_ready(m, /* keeps= */ false, ret);
        if (r < 0)
                return r;
        r = check_direction(session, how, ret);
        if (r < 0)
                return r;

        e = ending_new(m, session, how, done, userdata);
        if (!e)
                return failure_set_errno(ret, -ENOMEM, "Can't end the session");
        e->claims = how == END_FINISHED && caller->uid == session->record.uid;
        return job_submit(&e->job, caller, ret);
}

int operation_continue_end(Manager *m, Session *session) {
        EndHow how = session->record.state == SESSION_FINISHING ? END_FINISHED : END_DISCARDED;
        Ending *e = ending_new(m, session, how, /* done= */ NULL, /* userdata= */ NULL);
        Failure failure;

        if (!e)
                return -ENOMEM;
        return job_submit(&e->job, /* asker= */ NULL, &failure) < 0 ? -EAGAIN : 0;
}
