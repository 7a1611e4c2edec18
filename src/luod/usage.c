/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>
#include <unistd.h>

#include "job.h"
#include "manager.h"
#include "parking.h"
#include "parts.h"
#include "usage.h"

/* --- limits */

static uint64_t memory_of_host(void) {
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

        return pages > 0 && size > 0 ? (uint64_t) pages * (uint64_t) size : QUOTA_UNLIMITED;
}

/* LimitNOFILE=, the soft one. */
static uint64_t fds_of_process(void) {
        struct rlimit limit;

        return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? QUOTA_UNLIMITED : limit.rlim_cur;
}

/* Each is an fd of luod's, and systemd can't start luod any more with more of them than that. */
unsigned usage_parts_for_fds(void) {
        return (unsigned) MIN(fds_of_process() / 2, (uint64_t) PARTS_MAX);
}

/* With no fd free luod could take no call that brings one. So what all limits may come to is less than there are. */
static uint64_t fds_for_locks(Manager *m) {
        return MIN((uint64_t) m->config.locks, fds_of_process() / 8);
}

static uint64_t fds_for_calls(Manager *m) {
        uint64_t all = fds_of_process();
        uint64_t others = parts_limit(m) + fds_for_locks(m) + MIN((uint64_t) FDS_OF_LUOD, all / 8);

        return all > others ? MAX((all - others) / FDS_PER_FD, (uint64_t) 1) : 1;
}

static QuotaLimit limit_of_fds(Manager *m) {
        QuotaLimit limit = { m->config.fds_per_user, m->config.fds };
        uint64_t most = fds_for_calls(m);

        if (most >= limit.total)
                return limit;
        return (QuotaLimit) { MIN(limit.user, MAX(most / 2, (uint64_t) 1)), most };
}

QuotaLimit usage_limit(Manager *m, QuotaResource resource) {
        const Config *c = &m->config;

        switch (resource) {
        case QUOTA_SESSIONS:
                return (QuotaLimit) { c->sessions_per_user, c->sessions };
        case QUOTA_FILES:
                return (QuotaLimit) { c->files_per_user, c->files };
        case QUOTA_PARTS:
                return (QuotaLimit) { c->parts_per_user, parts_limit(m) };
        case QUOTA_METADATA:
                return (QuotaLimit) { c->metadata_per_user, c->metadata };
        case QUOTA_KEPT:
                return (QuotaLimit) { config_share_of(c->kept_per_user, memory_of_host()),
                                      config_share_of(c->kept, memory_of_host()) };
        case QUOTA_LOCKS:
                return (QuotaLimit) { c->locks_per_user, fds_for_locks(m) };
        case QUOTA_CALLS:
                return (QuotaLimit) { c->calls_per_user, c->calls };
        case QUOTA_FDS:
                return limit_of_fds(m);
        case QUOTA_IDENTIFICATIONS:
                return (QuotaLimit) { IDENTIFICATIONS_PER_USER_MAX, IDENTIFICATIONS_MAX };
        default:
                return (QuotaLimit) { QUOTA_UNLIMITED, QUOTA_UNLIMITED };
        }
}

/* --- use */

static unsigned count_parts(const Session *s) {
        unsigned n = 0;

        for (const ListLink *l = s->parts.head.next; l != &s->parts.head; l = l->next)
                n++;
        return n;
}

static uint64_t use_of_session(const Session *s, QuotaResource resource) {
        switch (resource) {
        case QUOTA_SESSIONS:
                return 1;
        case QUOTA_FILES:
                return s->n_files;
        case QUOTA_PARTS:
                return count_parts(s);
        case QUOTA_METADATA:
                return s->metadata_size + s->n_metadata * METADATA_KEY_COST;
        case QUOTA_KEPT:
                return s->kept_bytes;
        default:
                return 0;
        }
}

static uint64_t use_in_state(Manager *m, QuotaResource resource, uid_t uid) {
        uint64_t n = 0;
        const Lock *l;
        Session *s;

        if (resource == QUOTA_LOCKS)
                LIST_FOREACH(&m->participants.locks, Lock, link, l)
                        n += l->uid == uid;
        if (resource <= QUOTA_KEPT)
                LIST_FOREACH(&m->state.sessions, Session, link, s)
                        if (s->record.uid == uid)
                                n += use_of_session(s, resource);
        return n;
}

static uint64_t use_of_all(Manager *m, QuotaResource resource) {
        switch (resource) {
        case QUOTA_SESSIONS:
                return m->state.n_sessions;
        case QUOTA_FILES:
                return m->state.n_files;
        case QUOTA_PARTS:
                return m->state.n_parts + parking_count(m);
        case QUOTA_METADATA:
                return m->state.metadata_size;
        case QUOTA_KEPT:
                return m->state.kept_bytes;
        case QUOTA_LOCKS:
                return m->participants.n_locks;
        default:
                return 0;
        }
}

int usage_check(Manager *m, QuotaResource resource, uid_t uid, uid_t asker, uint64_t wanted, Failure *ret) {
        QuotaLimit limit = usage_limit(m, resource);
        QuotaRequest request = {
                .resource = resource,
                .uid = uid,
                .asker = asker,
                .wanted = wanted,
                .used = use_in_state(m, resource, uid) + tally_of(&m->in_flight, resource, uid),
                .used_in_all = use_of_all(m, resource) + m->in_flight.total[resource],
        };

        if (resource == QUOTA_PARTS) /* there are spares: whether one can be had is parts.c's to say */
                limit.total = QUOTA_UNLIMITED;
        return quota_check(&request, &limit, ret);
}

int usage_hold(Manager *m, QuotaResource resource, uid_t uid, uint64_t n) {
        return tally_add(&m->in_flight, resource, uid, n);
}

void usage_release(Manager *m, QuotaResource resource, uid_t uid, uint64_t n) {
        tally_remove(&m->in_flight, resource, uid, n);
}

static int collect_session(const Session *s, Tally *tally) {
        int r = 0;

        for (QuotaResource resource = 0; resource <= QUOTA_KEPT && r >= 0; resource++)
                r = tally_add(tally, resource, s->record.uid, use_of_session(s, resource));
        return r;
}

static int collect_in_flight(const Tally *in_flight, Tally *tally) {
        const TallyUser *u;
        int r = 0;

        LIST_FOREACH(&in_flight->users, TallyUser, link, u)
                for (QuotaResource resource = 0; resource < _QUOTA_MAX && r >= 0; resource++)
                        r = tally_add(tally, resource, u->uid, u->used[resource]);
        return r;
}

int usage_collect(Manager *m, Tally *ret) {
        const Lock *l;
        Session *s;
        int r;

        tally_init(ret);
        r = collect_in_flight(&m->in_flight, ret);
        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (r >= 0)
                        r = collect_session(s, ret);
        LIST_FOREACH(&m->participants.locks, Lock, link, l)
                if (r >= 0)
                        r = tally_add(ret, QUOTA_LOCKS, l->uid, 1);
        ret->total[QUOTA_PARTS] = use_of_all(m, QUOTA_PARTS) + m->in_flight.total[QUOTA_PARTS];
        return r;
}
