/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job.h"
#include "parts.h"
#include "probe.h"

typedef struct Probe {
        Manager *manager;
        Part *part;
        int session_fd;
        uint64_t ktoken;
        int fds[FDS_PER_CALL_MAX], results[FDS_PER_CALL_MAX];
        RegistryEntry *claims[FDS_PER_CALL_MAX];
        size_t n;
        int error;
        probe_done_fn done;
        void *userdata;
        ListLink link; /* Manager.probes; the first one is running */
} Probe;

static void probe_begin(Probe *p);

bool probe_is_possible(const Manager *m) {
        return m->features & LUO_FEATURE_ONE_KEEPER;
}

static void probe_end(void *userdata) {
        _cleanup_free_ Probe *p = userdata;
        Manager *m = p->manager;
        bool had_claims = false;
        ListLink *next;

        for (size_t i = 0; i < p->n; i++) {
                had_claims |= p->claims[i] != NULL;
                registry_remove(&m->state.registry, p->claims[i]);
        }
        manager_close_objects(m);
        list_unlink(&p->link);
        p->done(p->results, p->n, p->error, p->userdata);
        if (had_claims) /* somebody may have met one; before the next one makes some */
                job_wake_spare_waiters(m, 0);

        next = list_first(&m->probes);
        if (next)
                probe_begin(LIST_ENTRY(next, Probe, link));
}

/* In the child. */
static void try_to_keep(void *arg, WorkerReply *reply) {
        const Probe *p = arg;
        const LuoOps *luo = p->manager->luo;
        uint64_t ktoken = p->ktoken;

        for (size_t i = 0; i < p->n; i++) {
                int r = p->claims[i] ? luo->preserve(luo, p->session_fd, ktoken, p->fds[i]) : -EALREADY;

                reply->values[i] = (uint64_t) -r;
                if (r < 0)
                        continue;
                reply->n_done++;
                ktoken = ktoken_next(ktoken);
        }
}

static void on_tried(WorkerReply *reply, void *userdata) {
        Probe *p = userdata;

        p->error = reply->error;
        for (size_t i = 0; i < p->n; i++)
                p->results[i] = -(int) reply->values[i];
        if (p->error == 0 && reply->n_done == 0) { /* it is as before */
                p->part->role = PART_BARE;
                p->part->leaving = false;
                probe_end(p);
                return;
        }
        part_drop(p->manager, TAKE_PTR(p->part), /* was_stored= */ false, probe_end, p);
}

/* Without a claim: somebody has got it kept since the asker looked. */
static int claim(Probe *p) {
        for (size_t i = 0; i < p->n; i++) {
                _cleanup_(identity_done) Identity identity = IDENTITY_NULL;
                RegistryEntry *e;
                int r;

                r = identity_from_fd(p->fds[i], &identity);
                if (r >= 0)
                        r = registry_add(&p->manager->state.registry, &identity, PROBE_SID, 0, &e);
                if (r >= 0)
                        p->claims[i] = e;
                else if (r != -EEXIST)
                        return r;
        }
        return 0;
}

static void probe_begin(Probe *p) {
        Manager *m = p->manager;
        Part *part = parts_take_spare(m, PART_BARE);
        int keep[FDS_PER_CALL_MAX + 1], r = -EAGAIN;

        if (part) {
                p->part = part;
                p->session_fd = part->fd;
                p->ktoken = part->next_ktoken;
                memcpy(keep, p->fds, p->n * sizeof(int));
                keep[p->n] = part->fd;
                r = claim(p);
        }
        if (r >= 0)
                r = worker_run(&m->workers, try_to_keep, p, keep, p->n + 1, /* flags= */ 0, on_tried, p);
        if (r < 0) {
                p->error = r;
                probe_end(p);
                return;
        }
        part->role = PART_UNKNOWN;
        part->leaving = true;
}

int probe_start(Manager *m, const int *fds, size_t n, probe_done_fn done, void *userdata) {
        Probe *p = calloc(1, sizeof(*p));
        bool first = list_is_empty(&m->probes);

        if (!p)
                return -ENOMEM;
        p->manager = m;
        p->n = n;
        p->done = done;
        p->userdata = userdata;
        memcpy(p->fds, fds, n * sizeof(int));
        list_append(&m->probes, &p->link);
        if (first)
                probe_begin(p);
        return 0;
}

void probe_free_all(Manager *m) {
        Probe *p;

        LIST_FOREACH(&m->probes, Probe, link, p) {
                list_unlink(&p->link);
                free(p);
        }
}

/* --- */

static void try_features(void *arg, WorkerReply *reply) {
        const Manager *m = arg;

        reply->error = luo_probe_features(m->luo, m->config.busy_timeout);
        if (reply->error >= 0) {
                reply->values[0] = (uint64_t) reply->error;
                reply->error = 0;
        }
}

static void on_features(WorkerReply *reply, void *userdata) {
        Manager *m = userdata;

        m->features_error = reply->error;
        if (reply->error >= 0)
                m->features = (unsigned) reply->values[0];
        m->probing_features = false;
}

void probe_features(Manager *m) {
        if ((m->features & LUO_FEATURE_PROBED) || m->probing_features)
                return;
        m->probing_features = worker_run(&m->workers, try_features, m, NULL, 0, /* flags= */ 0, on_features, m) >= 0;
}
