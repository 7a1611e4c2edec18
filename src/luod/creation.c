/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "name-util.h"
#include "operations.h"
#include "parts.h"
#include "stop-point.h"

/* CreateSession(): a spare kernel session, which is in custody already, gets an owner. The kernel is not asked.
 *
 *   ledger: session (state "new"), part, metadata     creation:intent
 *   index page of the part: name and owner            creation:index
 *   ledger: session (state "live")                    creation:commit
 *   answer, then ledger: session ("answered")         creation:answered */

typedef struct Creation {
        Job job;
        char name[NAME_LENGTH_MAX + 1];
        Caller *caller;
        bool auto_renew;
        MetadataChange *changes; /* copies, with their keys and values */
        size_t n_changes;
        uint64_t metadata;       /* what they count for, held as QUOTA_METADATA until they are the session's */
        Session *session;        /* the result */
} Creation;

static void creation_free(Job *job) {
        Creation *c = (Creation *) job;

        for (size_t i = 0; i < c->n_changes; i++) {
                free((char *) c->changes[i].key);
                free((void *) c->changes[i].value);
        }
        free(c->changes);
        usage_release(job->manager, QUOTA_METADATA, c->caller->uid, c->metadata);
        caller_unref(c->caller);
        free(c);
}

Session *creation_get_session(Job *job) {
        return ((Creation *) job)->session;
}

/* 1: @name is free; 0: the session is there, made by an earlier request whose answer may not have come through;
 * -ECANCELED. */
static int creation_check(Manager *m, const char *name, const Caller *caller, Session **ret_session, Failure *ret) {
        Session *s = state_find_session(&m->state, name);
        uid_t uid = caller->uid;

        *ret_session = NULL;
        if (!s) {
                int r = usage_check(m, QUOTA_SESSIONS, caller->uid, caller->uid, 1, ret);

                if (r >= 0)
                        r = usage_check(m, QUOTA_PARTS, caller->uid, caller->uid, 1, ret);
                return r < 0 ? r : 1;
        }
        if (s->record.uid == uid && !s->record.answered && s->n_files == 0 &&
            s->record.direction == DIRECTION_OUTGOING && s->record.state == SESSION_LIVE) {
                *ret_session = s;
                return 0;
        }

        return failure_set(ret, FAILURE_SESSION_EXISTS,
                           "There is a session '%s' already%s; choose another name%s", name,
                           s->record.direction == DIRECTION_INCOMING ? " that came over the last live update" : "",
                           s->record.uid == uid ? ", or finish or discard that one first" : "");
}

/* Writes down whose the spare @part is from now on. */
static int creation_commit(Creation *c, Session *s, Part *part) {
        Manager *m = c->job.manager;
        int r;

        r = store_put_session(&m->store, s);
        if (r >= 0)
                r = store_put_part(&m->store, part);
        for (size_t i = 0; i < c->n_changes && r >= 0; i++) {
                r = session_set_metadata(&m->state, s, c->changes[i].key, c->changes[i].value, c->changes[i].n_value);
                if (r >= 0)
                        r = store_put_metadata(&m->store, s, c->changes[i].key);
        }
        if (r < 0)
                return r;
        stop_point("creation:intent");

        part_write_index_head(m, part);
        stop_point("creation:index");

        s->record.state = SESSION_LIVE;
        r = store_put_session(&m->store, s);
        if (r < 0)
                return r;
        stop_point("creation:commit");
        return 0;
}

static int creation_make(Creation *c, Part *part, Session **ret) {
        Manager *m = c->job.manager;
        SessionRecord record = {
                .uid = c->caller->uid,
                .auto_renew = c->auto_renew,
                .direction = DIRECTION_OUTGOING,
                .state = SESSION_NEW,
                .created = now_realtime(),
                .created_generation = m->state.head.generation,
        };
        Session *s;
        int r;

        (void) snprintf(record.name, sizeof(record.name), "%s", c->name);
        r = session_new(&m->state, m->state.head.next_sid, &record, &s);
        if (r < 0)
                return r;
        part_attach(part, s);
        r = creation_commit(c, s, part);
        if (r < 0) {
                operation_undo_creation(m, s);
                return r;
        }
        *ret = s;
        return 0;
}

/* The session is there, and is what was asked for now. */
static void creation_repeat(Creation *c) {
        Session *s = c->session;
        bool before = s->record.auto_renew;
        int r = 0;

        s->record.auto_renew = c->auto_renew;
        if (before != c->auto_renew)
                r = store_put_session(&c->job.manager->store, s);
        if (r < 0) {
                s->record.auto_renew = before;
                failure_set_errno(&c->job.failure, r, "Can't make the session");
        }
        job_end(&c->job, r < 0 ? &c->job.failure : NULL);
}

static void creation_run(Job *job) {
        Creation *c = (Creation *) job;
        Manager *m = job->manager;
        Part *part;
        int r;

        /* Another request may have taken the name while this one waited for a spare. */
        r = creation_check(m, c->name, c->caller, &c->session, &job->failure);
        if (r < 0) {
                job_end(job, &job->failure);
                return;
        }
        if (r == 0) {
                creation_repeat(c);
                return;
        }

        part = parts_take_spare(m, PART_READY);
        if (!part) {
                job_wait_for_spare_of(job, PART_READY);
                return;
        }
        usage_release(m, QUOTA_METADATA, c->caller->uid, c->metadata); /* it is the session's now, or nobody's */
        c->metadata = 0;
        r = creation_make(c, part, &c->session);
        if (r < 0) {
                failure_set_errno(&job->failure, r, "Can't make the session");
                job_end(job, &job->failure);
                return;
        }

        parts_upkeep(m);
        if (m->hooks.session_added)
                m->hooks.session_added(c->session, m->hooks.userdata);
        job_end(job, /* failure= */ NULL);
}

static int copy_changes(Creation *c, const MetadataChange *changes, size_t n) {
        c->changes = calloc(n + 1, sizeof(*changes));
        if (!c->changes)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                char *key;
                void *value;

                if (changes[i].n_value == 0)
                        continue;
                key = strdup(changes[i].key);
                value = malloc(changes[i].n_value);
                if (!key || !value) {
                        free(key);
                        free(value);
                        return -ENOMEM;
                }
                memcpy(value, changes[i].value, changes[i].n_value);
                c->changes[c->n_changes++] = (MetadataChange) { key, value, changes[i].n_value };
        }

        return 0;
}

int operation_create(Manager *m,
                     const char *name,
                     Caller *caller,
                     const MetadataChange *changes,
                     size_t n_changes,
                     bool auto_renew,
                     job_done_fn done,
                     void *userdata,
                     Failure *ret) {
        Creation *c;
        Session *existing;
        int r;

        if (!session_name_is_valid(name))
                return failure_set(ret, FAILURE_INVALID_NAME,
                                   "A session's name is 1 to %u bytes of UTF-8 without '/' and control characters, does not "
                                   "start with '.', 'unknown-' or 'recovered-', and is not 'systemd'",
                                   NAME_LENGTH_MAX);
        r = manager_check_ready(m, /* keeps= */ true, ret);
        if (r < 0)
                return r;
        r = metadata_check(m, /* session= */ NULL, caller->uid, caller->uid, changes, n_changes, ret);
        if (r < 0)
                return r;
        r = creation_check(m, name, caller, &existing, ret);
        if (r < 0)
                return r;
        if (!store_has_room(&m->store, 4 + n_changes, 2 * METADATA_SIZE_MAX))
                return failure_set_errno(ret, -ENOSPC, "Can't make the session");

        c = malloc(sizeof(*c));
        if (!c)
                return failure_set_errno(ret, -ENOMEM, "Can't make the session");
        *c = (Creation) {
                .job = { .manager = m, .done = done, .userdata = userdata, .run = creation_run, .free = creation_free },
                .caller = caller_ref(caller),
                .auto_renew = auto_renew,
        };
        (void) snprintf(c->name, sizeof(c->name), "%s", name);
        r = copy_changes(c, changes, n_changes);
        if (r >= 0) {
                uint64_t cost = metadata_cost(changes, n_changes);

                r = usage_hold(m, QUOTA_METADATA, caller->uid, cost);
                c->metadata = r >= 0 ? cost : 0;
        }
        if (r < 0) {
                creation_free(&c->job);
                return failure_set_errno(ret, r, "Can't make the session");
        }
        return job_submit(&c->job, caller, ret);
}

void creation_answered(Manager *m, Session *s) {
        stop_point("creation:answered");
        s->record.answered = true;
        /* If this can't be written, a repeated request is answered once more: no harm. */
        (void) store_put_session(&m->store, s);
}

void operation_undo_creation(Manager *m, Session *s) {
        Part *p;

        LIST_FOREACH(&s->parts, Part, session_link, p) {
                part_attach(p, NULL);
                if (p->outgoing && p->fd >= 0 && p->n_pages > 0) {
                        p->role = PART_READY;
                        part_write_index_head(m, p);
                }
        }
        (void) store_put_end(&m->store, s, END_UNDONE, now_realtime());
        session_free(&m->state, s);
}
