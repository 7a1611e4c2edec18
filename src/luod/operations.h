/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "job.h"

/* What clients ask for. Whoever calls has established that @uid is the caller's.
 *
 * The order of every change: intent in the ledger; kernel; custody; commit in the ledger; answer. What is
 * acknowledged is therefore safe, and what is found half done after luod's death is settled by restore.c: an
 * intent either came true in the kernel, and is committed, or it did not, and is dropped. Each gap between
 * two steps has a stop point (stop-point.h) that is named there.
 *
 * Each takes over what its arguments own only on success. They return 0 when the request was accepted: @done is
 * then called exactly once, perhaps before the return; or -ECANCELED with *ret filled. */

/* A key and its new value; @value NULL or @n_value 0: remove it. All borrowed. */
typedef struct MetadataChange {
        const char *key;
        const void *value;
        size_t n_value;
} MetadataChange;

/* The answer's session is creation_get_session(job) in @done. @changes are the first metadata. */
int operation_create(Manager *manager,
                     const char *name,
                     uid_t uid,
                     const MetadataChange *changes,
                     size_t n_changes,
                     job_done_fn done,
                     void *userdata,
                     Failure *ret);
Session *creation_get_session(Job *job);
/* The success was handed to the bus: from now on the name is taken, while before that the same request by the
 * same owner is the same session. */
void creation_answered(Manager *manager, Session *session);

/* Whose fds and records: token and label are set. At most FDS_PER_CALL_MAX; duplicates of the fds are taken. With
 * @many all are kept or none, in a part of their own. */
int operation_preserve(Manager *manager,
                       Session *session,
                       uid_t uid,
                       const FileRecord *records,
                       const int *fds,
                       size_t n,
                       bool many,
                       bool accept_write_seal,
                       job_done_fn done,
                       void *userdata,
                       Failure *ret);

/* In @done retrieval_get_fds() are the files in the order of @tokens, the job's until it returns. */
int operation_retrieve(Manager *manager,
                       Session *session,
                       uid_t uid,
                       const uint64_t *tokens,
                       size_t n,
                       job_done_fn done,
                       void *userdata,
                       Failure *ret);
const int *retrieval_get_fds(Job *job);

/* At once: 0 or -ECANCELED. All of the changes, or on failure none; killed half way some, until the call is repeated. */
int operation_set_metadata(Manager *manager,
                           Session *session,
                           uid_t uid,
                           const MetadataChange *changes,
                           size_t n_changes,
                           Failure *ret);

/* @how: END_FINISHED or END_DISCARDED. */
int operation_end(Manager *manager,
                  Session *session,
                  uid_t uid,
                  EndHow how,
                  job_done_fn done,
                  void *userdata,
                  Failure *ret);

/* An incoming session becomes an outgoing one with all that it has. */
int operation_renew(Manager *manager, Session *session, uid_t uid, job_done_fn done, void *userdata, Failure *ret);
int operation_continue_renewal(Manager *manager, Session *session);
/* Gives up what is parked for sessions that are no more. Only with a ledger that knows all of them. */
void renewals_clean(Manager *manager);

/* For restore.c: goes on with an end that was begun; finds out what became of the intents of a session. Both
 * without anybody waiting, as first job of the session. 0 or -errno. */
int operation_continue_end(Manager *manager, Session *session);
int operation_settle(Manager *manager, Session *session);
/* Undoes a creation that was not acknowledged: its part becomes a spare. */
void operation_undo_creation(Manager *manager, Session *session);

/* Checks against the limits of the session (NULL: a new one), of its owner @uid and of all, and for validity. 0 or
 * -ECANCELED. */
int metadata_check(Manager *manager,
                   const Session *session,
                   uid_t uid,
                   const MetadataChange *changes,
                   size_t n,
                   Failure *ret);
