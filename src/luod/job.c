/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "job.h"
#include "parking.h"
#include "parts.h"

static int check_limits(Manager *m, const Session *s, const Caller *asker, Failure *ret) {
        char whose[NAME_LENGTH_MAX + 16];
        int r;

        r = quota_check_one("calls in flight", "luod", m->n_jobs, 1, JOBS_MAX, "wait for the answers", ret);
        if (r >= 0 && asker)
                r = usage_check(m, QUOTA_CALLS, asker->uid, asker->uid, 1, ret);
        if (r < 0 || !s || !asker)
                return r;
        (void) snprintf(whose, sizeof(whose), "session '%s'", s->record.name);
        return quota_check_one("calls in flight", whose, s->n_jobs, 1, JOBS_PER_SESSION_MAX, "wait for the answers", ret);
}

static int count(Job *job, const Caller *asker, Failure *ret) {
        int r;

        if (!asker)
                return 0;
        r = usage_hold(job->manager, QUOTA_CALLS, asker->uid, 1);
        if (r < 0)
                return failure_set_errno(ret, r, "Can't take the call");
        job->asker = asker->uid;
        job->counted = true;
        return 0;
}

int job_submit(Job *job, const Caller *asker, Failure *ret) {
        Manager *m = job->manager;
        Session *s = job->session;

        if (check_limits(m, s, asker, ret) < 0 || count(job, asker, ret) < 0) {
                job->free(job);
                return -ECANCELED;
        }

        m->n_jobs++;
        if (!s) {
                job->run(job);
                return 0;
        }

        list_append(&s->jobs, &job->link);
        if (s->n_jobs++ == 0)
                job->run(job);
        return 0;
}

static void job_release(Job *job) {
        Manager *m = job->manager;

        list_unlink(&job->wait_link);
        sd_event_source_disable_unref(job->timeout);
        m->n_jobs--;
        if (job->counted)
                usage_release(m, QUOTA_CALLS, job->asker, 1);
        job->free(job);
        manager_close_objects(m);
        update_poke(m);
        if (m->n_jobs == 0 && m->stopping && m->idle)
                m->idle(m, m->idle_userdata);
}

void job_end(Job *job, const Failure *failure) {
        Session *s = job->session;
        ListLink *next = NULL;

        if (s) {
                list_unlink(&job->link);
                s->n_jobs--;
                next = list_first(&s->jobs);
        }
        if (job->done)
                job->done(job, failure, job->userdata);
        job_release(job);

        if (next) {
                Job *j = LIST_ENTRY(next, Job, link);

                j->run(j);
        }
}

void job_fail(Job *job, FailureKind kind, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) failure_setv(&job->failure, kind, format, ap);
        va_end(ap);
        job_end(job, &job->failure);
}

void jobs_refuse_waiting(Session *s) {
        ListLink *first = list_first(&s->jobs);
        Job *j;

        LIST_FOREACH(&s->jobs, Job, link, j) {
                if (&j->link == first)
                        continue;
                list_unlink(&j->link);
                s->n_jobs--;
                failure_set(&j->failure, FAILURE_NO_SUCH_SESSION, "Session '%s' has ended meanwhile", s->record.name);
                j->session = NULL;
                if (j->done)
                        j->done(j, &j->failure, j->userdata);
                job_release(j);
        }
}

/* The job is not in the list of those who wait any more. true: it has ended, and is gone. */
static bool gave_up(Job *job) {
        if (!job->give_up)
                return false;
        job->give_up(job);
        return true;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;
        Manager *m = job->manager;

        if (!job->wait_link.next) /* it found its spare, and is running */
                return 0;
        list_unlink(&job->wait_link);
        if (gave_up(job))
                return 0;
        if (job->wait_message)
                job_fail(job, FAILURE_NO_CUSTODY, "%s", job->wait_message);
        else if (m->device_busy)
                job_fail(job, FAILURE_DEVICE_BUSY,
                         LUO_DEVICE " is held open by another process for more than %llu s, so no kernel session can "
                                    "be made. Find it with 'fuser " LUO_DEVICE "', then try again",
                         (unsigned long long) (RESOURCE_TIMEOUT_USEC / 1000000));
        else if (m->making_error < 0)
                job_fail(job, FAILURE_INTERNAL, "No kernel session could be made: %s. See 'systemctl status luod.service'",
                         strerror(-m->making_error));
        else
                job_fail(job, FAILURE_NO_CUSTODY,
                         "systemd did not take a kernel session into luod's fd store within %llu s; nothing was "
                         "changed. See 'systemctl status luod.service', then try again",
                         (unsigned long long) (RESOURCE_TIMEOUT_USEC / 1000000));
        return 0;
}

/* One that waits several times does so for as long in all; but the time may have run out while it did not wait. */
static int job_arm_timeout(Job *job) {
        int enabled, r;

        if (!job->timeout)
                return sd_event_add_time_relative(job->manager->event, &job->timeout, CLOCK_MONOTONIC, RESOURCE_TIMEOUT_USEC,
                                                  /* accuracy= */ 0, on_timeout, job);
        r = sd_event_source_get_enabled(job->timeout, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r;
        r = sd_event_source_set_time_relative(job->timeout, RESOURCE_TIMEOUT_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(job->timeout, SD_EVENT_ONESHOT);
}

static void job_wait(Job *job) {
        Manager *m = job->manager;

        if (job_arm_timeout(job) < 0) {
                job_fail(job, FAILURE_OUT_OF_MEMORY, "Out of memory");
                return;
        }
        list_append(&m->spare_waiters, &job->wait_link);
        parts_upkeep(m);
}

void job_wait_for_custody(Job *job, const char *message) {
        job->wait_message = message;
        job_wait(job);
}

static void refuse_part(Job *job) {
        Manager *m = job->manager;
        QuotaLimit limit = usage_limit(m, QUOTA_PARTS);
        QuotaRequest request = {
                .resource = QUOTA_PARTS,
                .wanted = 1,
                .used_in_all = MAX((uint64_t) m->state.n_parts + parking_count(m), limit.total),
        };

        (void) quota_check(&request, &limit, &job->failure);
        job_end(job, &job->failure);
}

void job_wait_for_spare(Job *job) {
        Manager *m = job->manager;

        job->wait_message = NULL;
        if ((m->stopping || parts_limit_reached(m)) && gave_up(job))
                return;
        if (m->stopping) {
                job_fail(job, FAILURE_SHUTTING_DOWN,
                         "luod is being stopped; nothing was changed. Ask again when it is back");
                return;
        }
        if (parts_limit_reached(m)) {
                refuse_part(job);
                return;
        }
        job_wait(job);
}

void job_wait_for_spare_of(Job *job, PartRole role) {
        if (parts_limit_reached(job->manager) && parts_convert_spare(job->manager, role))
                job_wait_for_custody(job, "systemd did not say that it took or gave up a kernel session in luod's fd store; nothing was "
                                          "changed. See 'systemctl status luod.service', then try again");
        else
                job_wait_for_spare(job);
}

void job_refuse_spare_waiters(Manager *m) {
        ListLink *l;

        while ((l = list_first(&m->spare_waiters))) {
                Job *job = LIST_ENTRY(l, Job, wait_link);

                list_unlink(l);
                if (!gave_up(job))
                        job_fail(job, FAILURE_SHUTTING_DOWN, "luod is being stopped; repeat the call when it is back");
        }
}

/* There are no spares to be had: says so at once. */
static void refuse_spare_waiters(Manager *m, int error) {
        Job *job;

        LIST_FOREACH(&m->spare_waiters, Job, wait_link, job) {
                if (job->wait_message)
                        continue;
                list_unlink(&job->wait_link);
                if (gave_up(job))
                        continue;
                if (error == -ENOSPC)
                        failure_set(&job->failure, FAILURE_QUOTA_EXCEEDED,
                                    "All kernel sessions that luod can name are taken; finish or discard sessions first");
                else
                        failure_set_errno(&job->failure, error, "Can't make a kernel session");
                job_end(job, &job->failure);
        }
}

void job_wake_spare_waiters(Manager *m, int error) {
        List woken;
        ListLink *l;

        if (error == -ENOMEM || error == -ENOSPC || error == -EMFILE || error == -ENFILE)
                refuse_spare_waiters(m, error);
        if (error < 0)
                return; /* is tried again by the timer of parts.c; the time-out decides */

        /* Who still finds none queues up again, behind the others. */
        list_init(&woken);
        while ((l = list_first(&m->spare_waiters))) {
                list_unlink(l);
                list_append(&woken, l);
        }
        while ((l = list_first(&woken))) {
                Job *job = LIST_ENTRY(l, Job, wait_link);

                list_unlink(l);
                job->run(job);
        }
}
