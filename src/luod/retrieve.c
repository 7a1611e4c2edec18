/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "fd-util.h"
#include "inspect.h"
#include "objects.h"
#include "operations.h"
#include "parts.h"
#include "stop-point.h"

/* Retrieve(): the child asks the kernel for the files and puts right what that does not keep. A failed RETRIEVE
 * fails for ever, so the child is never killed (WORKER_OUTLIVES); a successful one can be repeated, so that
 * nothing is lost when luod dies before the answer. */

typedef struct Retrieval {
        Job job;
        uint64_t *tokens;    /* the client's */
        size_t n;
        FileRecord *records; /* what the child needs to know of each, in the same order */
        int *sessions;       /* fd of each one's part; borrowed */
        int *fds;            /* the results */
        size_t n_fds;
        Caller *caller;
        bool claims;         /* it is the owner's */
} Retrieval;

static void retrieval_free(Job *job) {
        Retrieval *r = (Retrieval *) job;

        for (size_t i = 0; i < r->n_fds; i++)
                safe_close(r->fds[i]);
        free(r->tokens);
        free(r->records);
        free(r->sessions);
        free(r->fds);
        caller_unref(r->caller);
        free(r);
}

const int *retrieval_get_fds(Job *job) {
        return ((Retrieval *) job)->fds;
}

const uint64_t *retrieval_get_tokens(Job *job, size_t *ret_n) {
        *ret_n = ((Retrieval *) job)->n;
        return ((Retrieval *) job)->tokens;
}

static void retrieve_files(void *arg, WorkerReply *reply) {
        Retrieval *r = arg;
        const LuoOps *luo = r->job.manager->luo;

        for (size_t i = 0; i < r->n; i++) {
                const FileRecord *record = r->records + i;
                int fd = luo->retrieve(luo, r->sessions[i], record->ktoken);

                if (fd < 0) {
                        reply->error = fd;
                        return;
                }
                reply->error = file_restore(&fd, record, record->state != FILE_RETRIEVED);
                if (reply->error < 0) {
                        reply->values[0] = 1; /* the kernel has done its part */
                        return;
                }
                reply->fds[reply->n_fds++] = fd;
                reply->n_done++;
        }
}

/* The file number n_done could not be had: what that means for it, and for the client. */
static void retrieval_failed(Retrieval *r, WorkerReply *reply) {
        Manager *m = r->job.manager;
        Session *s = r->job.session;
        uint64_t token = r->tokens[reply->n_done];
        File *f = session_find_file(s, token);

        if (reply->error == -EOWNERDEAD || reply->error == -EMFILE || reply->error == -ENFILE ||
            reply->values[0] == 1) {
                failure_set_errno(&r->job.failure, reply->error == -EOWNERDEAD ? -ENOMEM : reply->error,
                                  "The file is still kept, but could not be handed out; try again");
                return;
        }
        if (reply->error == -ENOENT && (!f || f->record.state == FILE_INTENT)) {
                if (f) { /* the live update came between the intent and the kernel's yes: nobody was told yes */
                        f->record.state = FILE_DROPPED;
                        (void) store_put_file(&m->store, f);
                        file_free(&m->state, f);
                }
                failure_set(&r->job.failure, FAILURE_NO_SUCH_TOKEN, "Session '%s' has no file under token %llu",
                            s->record.name, (unsigned long long) token);
                return;
        }

        if (f) {
                f->record.state = FILE_FAILED;
                f->record.error = -reply->error;
                (void) store_put_file(&m->store, f);
                if (r->claims)
                        restored_claim(m, s);
                restored_session_failed(m, s);
                reports_file_failed(m, s, f);
        }
        failure_set(&r->job.failure, FAILURE_RETRIEVE_FAILED,
                    "The kernel can't bring back the file under token %llu of session '%s': %s. This is final; see "
                    "'dmesg | grep -i -e luo -e kho'",
                    (unsigned long long) token, s->record.name, strerror(-reply->error));
}

/* A token that nothing knew of has brought something: from now on it is known. NULL: no memory. */
static File *note_unindexed(Retrieval *r, size_t i) {
        Manager *m = r->job.manager;
        Part *part = LIST_ENTRY(list_first(&r->job.session->parts), Part, session_link);
        FileRecord record = r->records[i];
        File *f;

        record.token = r->tokens[i];
        record.access = O_RDWR;
        return file_new(&m->state, part, &record, &f) < 0 ? NULL : f;
}

static void on_retrieved(WorkerReply *reply, void *userdata) {
        Retrieval *r = userdata;
        Manager *m = r->job.manager;
        Session *s = r->job.session;

        stop_point("retrieve:kernel");
        if (reply->error < 0 || reply->n_fds != r->n) {
                if (reply->error == 0)
                        reply->error = -EMFILE;
                retrieval_failed(r, reply);
                manager_emit_session(m, s, "Files");
                job_end(&r->job, &r->job.failure);
                return;
        }

        for (size_t i = 0; i < r->n; i++) {
                File *f = session_find_file(s, r->tokens[i]);

                r->fds[r->n_fds++] = TAKE_FD(reply->fds[i]);
                if (!f)
                        f = note_unindexed(r, i);
                if (!f)
                        continue;
                file_note_object(m, f, r->fds[i]);
                if (f->record.state == FILE_RETRIEVED)
                        continue;
                f->record.state = FILE_RETRIEVED;
                if (store_put_file(&m->store, f) < 0) /* then the next Retrieve() puts owner and mode right again */
                        continue;
        }
        if (r->claims) {
                restored_claim(m, s);
                reports_claimed(m, s);
        }
        stop_point("retrieve:commit");
        manager_emit_session(m, s, "Files");
        job_end(&r->job, /* failure= */ NULL);
}

/* Finds the file, or for a session of which nothing is known the kernel's own token. */
static int retrieval_look_up(Retrieval *r, size_t i) {
        Session *s = r->job.session;
        File *f = session_find_file(s, r->tokens[i]);
        Part *part = f ? f->part : NULL;

        if (f)
                r->records[i] = f->record;
        else if (s->flags & SESSION_UNINDEXED && list_first(&s->parts)) {
                part = LIST_ENTRY(list_first(&s->parts), Part, session_link);
                r->records[i] = (FileRecord) { .ktoken = r->tokens[i], .kind = FILE_KIND_OTHER, .state = FILE_KEPT };
        } else
                return failure_set(&r->job.failure, FAILURE_NO_SUCH_TOKEN,
                                   "Session '%s' has no file under token %llu; the property Files lists what it has%s",
                                   s->record.name, (unsigned long long) r->tokens[i],
                                   s->flags & SESSION_FILES_DAMAGED ? " (a record of its files was damaged)" : "");

        r->records[i].extra = NULL;
        if (part->outgoing)
                return failure_set(&r->job.failure, FAILURE_WRONG_DIRECTION,
                                   "Token %llu of session '%s' is outgoing: it can be had after the next live update",
                                   (unsigned long long) r->tokens[i], s->record.name);
        if (part->fd < 0)
                return failure_set(&r->job.failure, FAILURE_RETRIEVE_FAILED,
                                   "The kernel session that kept token %llu of session '%s' did not come over the last live "
                                   "update: it was not finished before, or the custodian lost it. Discard the session when "
                                   "you have taken note",
                                   (unsigned long long) r->tokens[i], s->record.name);
        if (f && f->record.state == FILE_FAILED)
                return failure_set(&r->job.failure, FAILURE_RETRIEVE_FAILED,
                                   "The kernel could not bring back the file under token %llu of session '%s': %s. This is "
                                   "final",
                                   (unsigned long long) r->tokens[i], s->record.name, strerror(f->record.error));
        r->sessions[i] = part->fd;
        return 0;
}

/* Also when it comes to its turn: what was asked for before it may have changed that. */
static int check_session(const Session *session, Failure *ret) {
        if (session->record.state == SESSION_RENEWING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' is being renewed: it goes into the next live update. If an answer to Renew() "
                                   "was an error, repeat it",
                                   session->record.name);
        if (session->record.direction != DIRECTION_INCOMING && session->record.carried > 0)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' was carried into the next live update, as nobody had claimed it: it comes back "
                                   "after that, with all its files. Discard() drops it with all that it keeps",
                                   session->record.name);
        if (session->record.direction != DIRECTION_INCOMING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' is outgoing: its files can be had after the next live update",
                                   session->record.name);
        if (session->record.state != SESSION_LIVE)
                return failure_set(ret, FAILURE_WRONG_DIRECTION, "Session '%s' is being ended", session->record.name);
        return 0;
}

static void retrieval_run(Job *job) {
        Retrieval *r = (Retrieval *) job;
        int error;

        error = check_session(job->session, &job->failure);
        for (size_t i = 0; i < r->n && error >= 0; i++)
                error = retrieval_look_up(r, i);
        if (error < 0) {
                job_end(job, &job->failure);
                return;
        }

        error = worker_run(&job->manager->workers, retrieve_files, r, r->sessions, r->n, WORKER_OUTLIVES,
                           on_retrieved, r);
        if (error < 0) {
                failure_set_errno(&job->failure, error, "Can't start the retrieval");
                job_end(job, &job->failure);
        }
}

int operation_retrieve(Manager *m,
                       Session *session,
                       Caller *caller,
                       const uint64_t *tokens,
                       size_t n,
                       job_done_fn done,
                       void *userdata,
                       Failure *ret) {
        Retrieval *r;
        int error;

        error = manager_check_access(session, caller, ret);
        if (error < 0)
                return error;
        error = manager_check_ready(m, /* keeps= */ false, ret);
        if (error < 0)
                return error;
        error = check_session(session, ret);
        if (error < 0)
                return error;
        if (n > FDS_PER_REPLY_MAX)
                return failure_set(ret, FAILURE_TOO_MANY_FILES,
                                   "At most %u files are handed out in one call (the bus takes no more); ask again for the "
                                   "others",
                                   FDS_PER_REPLY_MAX);

        r = calloc(1, sizeof(*r));
        if (!r)
                return failure_set_errno(ret, -ENOMEM, "Can't start the retrieval");
        *r = (Retrieval) {
                .job = { .manager = m,
                         .session = session,
                         .done = done,
                         .userdata = userdata,
                         .run = retrieval_run,
                         .free = retrieval_free },
                .tokens = calloc(n + 1, sizeof(uint64_t)),
                .n = n,
                .records = calloc(n + 1, sizeof(FileRecord)),
                .sessions = calloc(n + 1, sizeof(int)),
                .fds = calloc(n + 1, sizeof(int)),
                .claims = caller->uid == session->record.uid,
                .caller = caller_ref(caller),
        };
        if (!r->tokens || !r->records || !r->sessions || !r->fds) {
                retrieval_free(&r->job);
                return failure_set_errno(ret, -ENOMEM, "Can't start the retrieval");
        }
        if (n > 0)
                memcpy(r->tokens, tokens, n * sizeof(uint64_t));
        return job_submit(&r->job, caller, ret);
}
