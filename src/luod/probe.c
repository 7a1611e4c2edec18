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
        size_t n;
        int error;
        probe_done_fn done;
        void *userdata;
} Probe;

bool probe_is_possible(const Manager *m) {
        return m->features & LUO_FEATURE_ONE_KEEPER;
}

/* In the child. */
static void try_to_keep(void *arg, WorkerReply *reply) {
        const Probe *p = arg;
        const LuoOps *luo = p->manager->luo;
        uint64_t ktoken = p->ktoken;

        for (size_t i = 0; i < p->n; i++) {
                int r = luo->preserve(luo, p->session_fd, ktoken, p->fds[i]);

                reply->values[i] = (uint64_t) -r;
                if (r < 0)
                        continue;
                reply->n_done++;
                ktoken = ktoken_next(ktoken);
        }
}

static void probe_end(void *userdata) {
        _cleanup_free_ Probe *p = userdata;

        p->done(p->results, p->n, p->error, p->userdata);
}

static void on_tried(WorkerReply *reply, void *userdata) {
        Probe *p = userdata;

        p->error = reply->error;
        for (size_t i = 0; i < p->n; i++)
                p->results[i] = -(int) reply->values[i];
        if (p->error == 0 && reply->n_done == 0) { /* it is as before */
                p->part->role = PART_BARE;
                p->part->leaving = false;
                job_wake_spare_waiters(p->manager, 0);
                probe_end(p);
                return;
        }
        part_drop(p->manager, TAKE_PTR(p->part), /* was_stored= */ false, probe_end, p);
}

int probe_start(Manager *m, const int *fds, size_t n, probe_done_fn done, void *userdata) {
        Part *part = parts_take_spare(m, PART_BARE);
        int keep[FDS_PER_CALL_MAX + 1], r;
        Probe *p;

        if (!part)
                return -EAGAIN;
        p = malloc(sizeof(*p));
        if (!p)
                return -ENOMEM;
        *p = (Probe) {
                .manager = m,
                .part = part,
                .session_fd = part->fd,
                .ktoken = part->next_ktoken,
                .n = n,
                .done = done,
                .userdata = userdata,
        };
        memcpy(p->fds, fds, n * sizeof(int));
        memcpy(keep, fds, n * sizeof(int));
        keep[n] = part->fd;

        r = worker_run(&m->workers, try_to_keep, p, keep, n + 1, /* flags= */ 0, on_tried, p);
        if (r < 0) {
                free(p);
                return r;
        }
        part->role = PART_UNKNOWN;
        part->leaving = true;
        return 0;
}
