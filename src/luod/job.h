/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* A job is one request that takes several turns of the event loop. The jobs of a session run one after the
 * other, in the order of arrival; those of different sessions do not wait for each other. */

typedef struct Job Job;

/* What the asker gets: once for each job, when it is over. @failure is NULL on success. */
typedef void (*job_done_fn)(Job *job, const Failure *failure, void *userdata);

struct Job {
        Manager *manager;
        Session *session;         /* NULL: a creation that has none yet */
        job_done_fn done;         /* NULL: nobody waits for the answer */
        void *userdata;
        void (*run)(Job *job);    /* starts the job, and again after job_wait_for_spare() */
        void (*give_up)(Job *job); /* ends the job where waiting for a spare was in vain; NULL: it fails */
        void (*free)(Job *job);   /* frees the whole job, which is the first member of a larger struct */
        Failure failure;          /* scratch space */
        sd_event_source *timeout; /* of job_wait_for_spare() */
        const char *wait_message; /* why it failed, when that took too long; NULL: no spare */

        uid_t asker;              /* whose call it is, if it is counted as one */
        bool counted;

        ListLink link;            /* Session.jobs */
        ListLink wait_link;       /* Manager.spare_waiters */
};

/* Takes over @job, and runs it when it is its turn (which may be before this returns). It counts among the calls in flight of
 * @asker (NULL: it is luod's own, or one of those that there is but one of). On failure (-ECANCELED with *ret filled: too many
 * jobs) the job was freed and its done function not called. */
int job_submit(Job *job, const Caller *asker, Failure *ret);
/* Ends the running job: calls done, frees it, and runs the next one of its session. With @failure NULL it was a
 * success. If the session is gone meanwhile set job->session to NULL before. */
void job_end(Job *job, const Failure *failure);
/* For the common `failure_set(&job->failure, …); job_end(job, &job->failure)`. */
void job_fail(Job *job, FailureKind kind, const char *format, ...) _printf_(3, 4);

/* The session is over: refuses all of its waiting jobs (not the running one). */
void jobs_refuse_waiting(Session *session);

/* Runs the job again when there is a spare kernel session; after RESOURCE_TIMEOUT_USEC it fails with why there
 * is none. */
void job_wait_for_spare(Job *job);
/* The same, of that kind (parts.h): where no more are made one of the other kind becomes one. */
void job_wait_for_spare_of(Job *job, PartRole role);
/* The same for the custodian: until anything about it changes. @message: what to say if that takes too long. */
void job_wait_for_custody(Job *job, const char *message);
/* Refuses all who wait: luod is being stopped. */
void job_refuse_spare_waiters(Manager *manager);
/* Wakes all who wait. @error: what the last making of spares came to (0: look again). */
void job_wake_spare_waiters(Manager *manager, int error);
