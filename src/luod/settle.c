/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "operations.h"
#include "parts.h"

/* Intents that were found without a commit after luod's death: the kernel is asked what became of them. */

typedef struct Settling {
        Job job;
        uint64_t *tokens;   /* of the intents; the client's */
        uint64_t *ktokens;
        int *sessions;      /* fd of each one's part; borrowed */
        size_t n;
} Settling;

static void settling_free(Job *job) {
        Settling *s = (Settling *) job;

        free(s->tokens);
        free(s->ktokens);
        free(s->sessions);
        free(s);
}

/* values: 0 no, 1 yes, 2 can't tell. Chunks are not needed: a job never has more intents than a call has files. */
static void probe_intents(void *arg, WorkerReply *reply) {
        Settling *s = arg;
        const LuoOps *luo = s->job.manager->luo;

        for (size_t i = 0; i < s->n; i++) {
                int r = luo_token_is_known(luo, s->sessions[i], s->ktokens[i]);

                reply->values[i] = r < 0 ? 2 : (uint64_t) r;
        }
}

/* The files of a PreserveMany() were all in the kernel before their part went into custody, so with the part
 * there, all of them come true. */
static void on_intents_probed(WorkerReply *reply, void *userdata) {
        Settling *settling = userdata;
        Manager *m = settling->job.manager;
        Session *s = settling->job.session;

        for (size_t i = 0; i < settling->n && reply->error >= 0; i++) {
                File *f = session_find_file(s, settling->tokens[i]);

                if (!f || reply->values[i] == 2)
                        continue;
                f->record.state = reply->values[i] ? FILE_KEPT : FILE_DROPPED;
                if (store_put_file(&m->store, f) < 0) {
                        f->record.state = FILE_INTENT;
                        continue;
                }
                part_write_index_file(f->part, &f->record);
                if (f->record.state == FILE_DROPPED)
                        file_free(&m->state, f);
        }
        manager_emit_session(m, s, "Files");
        job_end(&settling->job, /* failure= */ NULL);
}

static void settling_run(Job *job) {
        Settling *s = (Settling *) job;

        if (worker_run(&job->manager->workers, probe_intents, s, s->sessions, s->n, /* flags= */ 0, on_intents_probed,
                       s) < 0)
                job_end(job, /* failure= */ NULL); /* they stay intents */
}

int operation_settle(Manager *m, Session *session) {
        Settling *s = malloc(sizeof(*s));
        Failure failure;

        if (!s)
                return -ENOMEM;
        *s = (Settling) {
                .job = { .manager = m, .session = session, .run = settling_run, .free = settling_free },
                .tokens = calloc(FD_TRANSFER_MAX, sizeof(uint64_t)),
                .ktokens = calloc(FD_TRANSFER_MAX, sizeof(uint64_t)),
                .sessions = calloc(FD_TRANSFER_MAX, sizeof(int)),
        };
        if (!s->tokens || !s->ktokens || !s->sessions) {
                settling_free(&s->job);
                return -ENOMEM;
        }

        for (size_t i = 0; i < session->n_files && s->n < FD_TRANSFER_MAX; i++) {
                const File *f = session->files[i];

                if (f->record.state != FILE_INTENT || !f->part->outgoing || f->part->fd < 0)
                        continue;
                s->tokens[s->n] = f->record.token;
                s->ktokens[s->n] = f->record.ktoken;
                s->sessions[s->n++] = f->part->fd;
        }
        if (s->n == 0) {
                settling_free(&s->job);
                return 0;
        }
        return job_submit(&s->job, /* asker= */ NULL, &failure) < 0 ? -EAGAIN : 0;
}
