/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "config-file.h"
#include "job.h"
#include "manager.h"
#include "operations.h"
#include "parking.h"
#include "parts.h"
#include "probe.h"
#include "restored.h"
#include "unit-file.h"

int manager_new(sd_event *event, const LuoOps *luo, const char *runtime_dir, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = malloc(sizeof(*m));
        int r;

        if (!m)
                return -ENOMEM;
        *m = (Manager){
                .event = sd_event_ref(event),
                .unit_directories = unit_directories,
                .luo = luo,
                .store = STORE_NULL,
                .protect = PROTECT_NULL,
                .target = { .kexec = kexec_kernel_ops(), .boot_dir = "/boot" },
                .runtime_dir = strdup(runtime_dir),
        };
        config_set_defaults(&m->config);
        m->reports.next_id = 1;
        list_init(&m->parked);
        list_init(&m->probes);
        list_init(&m->identifications);
        list_init(&m->spare_waiters);
        tally_init(&m->in_flight);
        participants_init(&m->participants);
        state_init(&m->state);
        workers_init(&m->workers, event);
        if (!m->runtime_dir)
                return -ENOMEM;
        r = renewals_init(m);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(m);
        return 0;
}

static void abandon_jobs(Manager *m) {
        Session *s;
        Job *j;

        LIST_FOREACH(&m->spare_waiters, Job, wait_link, j) {
                list_unlink(&j->wait_link);
                sd_event_source_disable_unref(j->timeout);
                if (!j->session)
                        j->free(j);
                else
                        j->timeout = NULL;
        }
        LIST_FOREACH(&m->state.sessions, Session, link, s)
                LIST_FOREACH(&s->jobs, Job, link, j) {
                        list_unlink(&j->link);
                        j->free(j);
                }
}

/* Lets go of everything without ending anything: what is in custody stays there. */
Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;

        m->hooks = (ManagerHooks) {};
        sd_event_source_disable_unref(m->upkeep);
        renewals_done(m);
        update_done(m);
        custody_free(m->custody);
        workers_done(&m->workers);
        probe_free_all(m);
        abandon_jobs(m);
        target_done(&m->target);
        reports_done(&m->reports);
        store_done(&m->store);
        parking_free_all(m);
        restored_done(m);
        state_done(&m->state);
        tally_done(&m->in_flight);
        owners_seen_done(&m->owners_seen);
        config_reset(config_items, &m->config);
        sd_event_unref(m->event);
        free(m->runtime_dir);
        free(m);
        return NULL;
}

void manager_configure(Manager *m, Config *config) {
        Config former = m->config;

        m->config = *config;
        *config = (Config) {};
        if (former.sessions_per_user != m->config.sessions_per_user)
                manager_emit(m, "LimitSessionsPerUser");
        if (former.files_per_user != m->config.files_per_user)
                manager_emit(m, "LimitFilesPerUser");
        if (former.files != m->config.files)
                manager_emit(m, "LimitFiles");
        if (former.protect_reboot != m->config.protect_reboot)
                protect_refresh(m);
        if (former.parts != m->config.parts) {
                manager_emit(m, "LimitParts");
                parts_upkeep(m); /* there may be room for spares now */
        }
        config_reset(config_items, &former);
}

int manager_reload(Manager *m, config_message_fn message, void *userdata) {
        Config config;
        int r;

        if (!m->config_directories)
                return 0;
        r = config_load(m->config_directories, &m->config, &config, message, userdata);
        if (r >= 0)
                manager_configure(m, &config);
        return r;
}

void manager_stop(Manager *m, void (*idle)(Manager *manager, void *userdata), void *userdata) {
        m->stopping = true;
        manager_emit(m, "State");
        reports_flush(m);
        job_refuse_spare_waiters(m);
        m->idle = idle;
        m->idle_userdata = userdata;

        if (m->n_jobs == 0)
                idle(m, userdata);
}

static int check_custody(Manager *m, Failure *ret) {
        switch (parts_custody_state(m)) {
        case CUSTODY_FDSTORE:
        case CUSTODY_DEGRADED: /* what is asked for waits until it is in custody, or fails */
                return 0;
        case CUSTODY_FDSTORE_NO_KEXEC:
                return failure_set(ret, FAILURE_NO_CUSTODY,
                                   "Nothing can be kept: systemd 261 or newer, and FileDescriptorStorePreserve=yes in "
                                   "luod.service, are needed to hold what is kept over the live update");
        default:
                return failure_set(ret, FAILURE_NO_CUSTODY,
                                   "Nothing can be kept: systemd can't be asked for luod's fd store. Is luod run as "
                                   "luod.service, and the system bus up?");
        }
}

int manager_check_ready(Manager *m, bool keeps, Failure *ret) {
        int r;

        if (m->stopping)
                return failure_set(ret, FAILURE_SHUTTING_DOWN,
                                   "luod is being stopped and takes no new requests; ask again when it is back");
        if (m->support == LUO_IMPAIRED)
                return failure_set(ret, FAILURE_IMPAIRED, "%s", luo_support_message(m->support));
        if (m->support != LUO_SUPPORTED)
                return failure_set(ret, FAILURE_KERNEL_UNSUPPORTED, "%s", luo_support_message(m->support));
        if (!keeps)
                return 0;
        r = update_check_open(m, ret);
        return r < 0 ? r : check_custody(m, ret);
}

bool session_is_seen_by(const Session *session, const Caller *caller) {
        return caller_is_root(caller) || caller->uid == session->record.uid;
}

int manager_check_access(const Session *session, const Caller *caller, Failure *ret) {
        if (session_is_seen_by(session, caller))
                return 0;
        return failure_set(ret, FAILURE_NOT_OWNER, "Session '%s' belongs to somebody else", session->record.name);
}

const char *ledger_health_to_string(LedgerHealth health) {
        static const char *const names[_LEDGER_HEALTH_MAX] = {
                [LEDGER_NONE] = "none",       [LEDGER_INTACT] = "intact", [LEDGER_DAMAGED] = "damaged",
                [LEDGER_REBUILT] = "rebuilt", [LEDGER_NEWER] = "newer",
        };

        return health >= 0 && health < _LEDGER_HEALTH_MAX ? names[health] : NULL;
}

uint64_t now_realtime(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static void nothing(void *arg, WorkerReply *reply) {
}

static void on_objects_closed(WorkerReply *reply, void *userdata) {
}

void manager_close_objects(Manager *m) {
        _cleanup_free_ int *fds = NULL;
        size_t n = registry_take_closing(&m->state.registry, &fds);

        /* Children have copies, and their exit is the last close: it may be slow. */
        for (size_t i = 0; i < n; i += FD_TRANSFER_MAX)
                (void) worker_run(&m->workers, nothing, NULL, fds + i, MIN(n - i, (size_t) FD_TRANSFER_MAX),
                                  WORKER_OUTLIVES, on_objects_closed, NULL);
        for (size_t i = 0; i < n; i++)
                safe_close(fds[i]);
}

void manager_emit(Manager *m, const char *property) {
        if (m->hooks.changed)
                m->hooks.changed(m, property, m->hooks.userdata);
}

void manager_emit_session(Manager *m, Session *session, const char *property) {
        if (m->hooks.session_changed)
                m->hooks.session_changed(session, property, m->hooks.userdata);
        manager_emit(m, "NFiles");
}
