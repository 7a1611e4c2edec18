/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "caller.h"
#include "job.h"

/* What clients ask for, on behalf of @caller, to whom a job that needs it later keeps a reference.
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

/* The answer's session is creation_get_session(job) in @done. @changes are the first metadata. @auto_renew: luod
 * renews the session by itself before each live update that follows the first. */
int operation_create(Manager *manager,
                     const char *name,
                     Caller *caller,
                     const MetadataChange *changes,
                     size_t n_changes,
                     bool auto_renew,
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
                       Caller *caller,
                       const FileRecord *records,
                       const int *fds,
                       size_t n,
                       bool many,
                       bool accept_write_seal,
                       job_done_fn done,
                       void *userdata,
                       Failure *ret);

/* In @done retrieval_get_fds() are the files of retrieval_get_tokens(), which are @tokens, and so many: the job's until it returns. */
int operation_retrieve(Manager *manager,
                       Session *session,
                       Caller *caller,
                       const uint64_t *tokens,
                       size_t n,
                       job_done_fn done,
                       void *userdata,
                       Failure *ret);
const int *retrieval_get_fds(Job *job);
const uint64_t *retrieval_get_tokens(Job *job, size_t *ret_n);

/* At once: 0 or -ECANCELED. All of the changes, or on failure none; killed half way some, until the call is repeated. */
int operation_set_metadata(Manager *manager,
                           Session *session,
                           Caller *caller,
                           const MetadataChange *changes,
                           size_t n_changes,
                           Failure *ret);

/* @how: END_FINISHED or END_DISCARDED. */
int operation_end(Manager *manager,
                  Session *session,
                  Caller *caller,
                  EndHow how,
                  job_done_fn done,
                  void *userdata,
                  Failure *ret);

/* An incoming session becomes an outgoing one with all that it has. */
int operation_renew(Manager *manager, Session *session, Caller *caller, job_done_fn done, void *userdata, Failure *ret);
/* The same for a session that its owner has not claimed, decided by root; for its owner it stays unclaimed. */
int operation_carry(Manager *manager, Session *session, Caller *caller, job_done_fn done, void *userdata, Failure *ret);
/* The one or the other, decided by luod; nobody waits for the answer. */
int operation_renew_unasked(Manager *manager, Session *session, Failure *ret);
int operation_continue_renewal(Manager *manager, Session *session);
/* Whether its owner has come for it since the live update. */
bool session_is_claimed(const Session *session);
/* Gives up what is parked for sessions that are no more. Only with a ledger that knows all of them. */
void renewals_clean(Manager *manager);

/* --- renewals that nobody asks for, or that nobody asks for any more (renewals.c) */

/* Before and after all else. */
int renewals_init(Manager *manager);
void renewals_done(Manager *manager);
/* Renews all incoming sessions that @is_wanted (carries those that nobody has claimed), a few at a time, and calls @done, from
 * the event loop, once no renewal is under way any more, whoever asked for it. What fails is tried again a few times, so in the
 * end there may be sessions that are incoming still, or half renewed (renewals_under_way()): then trying again soon is in vain.
 * 0; -EBUSY: the last start's @done is still to come. Not called: luod is being stopped, or renewals_stop_automatic(). */
int renewals_start_automatic(Manager *manager,
                             bool (*is_wanted)(const Manager *manager, const Session *session),
                             void (*done)(Manager *manager, void *userdata),
                             void *userdata);
/* Begins no more of them, and forgets @done; those under way are finished. */
void renewals_stop_automatic(Manager *manager);
/* Sessions that are being renewed, or that a renewal was begun with that has not come to its end. */
unsigned renewals_under_way(Manager *manager);
/* For renewal.c: a job was made, and freed. @session NULL: it is gone. */
void renewals_begun(Manager *manager, Session *session);
void renewals_ended(Manager *manager, Session *session);
/* Looks after what is to be renewed at the next turn of the event loop. */
void renewals_kick(Manager *manager);

/* For restore.c: goes on with an end that was begun; finds out what became of the intents of a session. Both
 * without anybody waiting, as first job of the session. 0 or -errno. */
int operation_continue_end(Manager *manager, Session *session);
int operation_settle(Manager *manager, Session *session);
/* Undoes a creation that was not acknowledged: its part becomes a spare. */
void operation_undo_creation(Manager *manager, Session *session);

/* What they count for in the limits of a user and of all, as a session's first ones. */
uint64_t metadata_cost(const MetadataChange *changes, size_t n);
/* Checks against the limits of the session (NULL: a new one), of its owner @uid and of all, and for validity. 0 or
 * -ECANCELED. */
int metadata_check(Manager *manager,
                   const Session *session,
                   uid_t uid,
                   uid_t asker,
                   const MetadataChange *changes,
                   size_t n,
                   Failure *ret);
