/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fd-util.h"
#include "kexec.h"
#include "manager.h"
#include "name-util.h"
#include "protect.h"

#define KEXEC_LOADED "/sys/kernel/kexec_loaded"
#define PROGRAMS "/usr/sbin"
#define NAMES_MAX 4U

static bool kernel_is_loaded(Manager *m) {
        Protect *p = &m->protect;
        char digit;

        /* Not by opening it: that would wake the watch. */
        if (p->loaded_fd >= 0)
                return pread(p->loaded_fd, &digit, 1, 0) == 1 && digit == '1';
        return m->target.kexec->is_loaded(m->target.kexec) > 0;
}

/* true: *ret says what would be lost. */
static bool reboot_would_lose(Manager *m, char *ret, size_t size) {
        const Session *s;
        unsigned n = 0;
        size_t used;

        used = (size_t) snprintf(ret, size, "A reboot without a kernel loaded would lose what these sessions keep:");
        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                if (s->n_files == 0 || n++ >= NAMES_MAX)
                        continue;
                used += (size_t) snprintf(ret + used, size - used, "%s %s", n > 1 ? "," : "", s->record.name);
        }
        if (n > NAMES_MAX)
                (void) snprintf(ret + used, size - used, " and %u more", n - NAMES_MAX);
        return n > 0;
}

static uint64_t now_monotonic(Manager *m) {
        uint64_t usec = 0;

        (void) sd_event_now(m->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        ((Manager *) userdata)->protect.held_for_want = false; /* so that it is told anew what would be lost */
        protect_refresh(userdata);
        return 0;
}

static int on_run(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Manager *m = userdata;

        if (event->len == 0 || !streq(event->name, "kexec"))
                return 0;
        m->protect.grace_until = now_monotonic(m) + PROTECT_GRACE_USEC;
        protect_refresh(m);
        return 0;
}

static void keep_looking(Manager *m, bool on) {
        Protect *p = &m->protect;
        uint64_t next = now_monotonic(m) < p->often_until ? PROTECT_LOOK_OFTEN_USEC : PROTECT_LOOK_USEC;

        if (!on) {
                p->timer = sd_event_source_disable_unref(p->timer);
                p->run = sd_event_source_disable_unref(p->run);
                return;
        }
        if (p->loaded_fd >= 0 && !p->run &&
            sd_event_add_inotify(m->event, &p->run, PROGRAMS, IN_OPEN | IN_ONLYDIR, on_run, m) >= 0)
                (void) sd_event_source_set_ratelimit(p->run, PROTECT_LOOK_USEC, 50);
        if (!p->timer)
                (void) sd_event_add_time_relative(m->event, &p->timer, CLOCK_MONOTONIC, next, /* accuracy= */ 1, on_timer, m);
        else {
                (void) sd_event_source_set_time_relative(p->timer, next);
                (void) sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
        }
}

void protect_refresh(Manager *m) {
        bool would_lose = false, want = false;
        char why[512];
        const Lock *l;

        if (!m->protect.started)
                return;
        if (m->update.state == UPDATE_IDLE && !logind_is_shutting_down(m->logind))
                protect_hold_delay(m); /* where logind refused it before */
        l = participants_find(&m->participants, LOCK_BLOCK);
        if (m->stopping || m->update.state >= UPDATE_HANDING_OVER || logind_is_shutting_down(m->logind))
                logind_hold(m->logind, LOGIND_BLOCK, NULL);
        else if (l) {
                (void) snprintf(why, sizeof(why), "No live update for now, says '%.100s': %.200s", l->who, l->why);
                logind_hold(m->logind, LOGIND_BLOCK, utf8_mend(why)); /* it may be cut within a character */
        } else {
                would_lose = m->config.protect_reboot && m->support == LUO_SUPPORTED && reboot_would_lose(m, why, sizeof(why));
                want = would_lose && now_monotonic(m) >= m->protect.grace_until && !kernel_is_loaded(m);
                /* Not a call to logind for each session that comes and goes: the names can wait for the timer. */
                if (!want || !m->protect.held_for_want)
                        logind_hold(m->logind, LOGIND_BLOCK, want ? why : NULL);
        }
        m->protect.held_for_want = want;
        keep_looking(m, would_lose);
}

void protect_hold_delay(Manager *m) {
        if (m->support == LUO_SUPPORTED && !m->stopping)
                logind_hold(m->logind, LOGIND_DELAY, "Objects are kept over a live update, their owners get ready");
}

static int on_opened(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Manager *m = userdata;

        m->protect.often_until = now_monotonic(m) + PROTECT_OFTEN_USEC;
        protect_refresh(m);
        return 0;
}

void protect_start(Manager *m) {
        Protect *p = &m->protect;

        p->started = true;
        if (m->logind && m->target.kexec == kexec_kernel_ops()) {
                p->loaded_fd = open(KEXEC_LOADED, O_RDONLY | O_CLOEXEC);
                if (p->loaded_fd >= 0 && sd_event_add_inotify(m->event, &p->opened, KEXEC_LOADED, IN_OPEN, on_opened, m) >= 0)
                        (void) sd_event_source_set_ratelimit(p->opened, PROTECT_LOOK_USEC, 50);
        }
        protect_hold_delay(m);
        protect_refresh(m);
}

void protect_done(Manager *m) {
        Protect *p = &m->protect;

        p->opened = sd_event_source_disable_unref(p->opened);
        p->run = sd_event_source_disable_unref(p->run);
        p->timer = sd_event_source_disable_unref(p->timer);
        p->loaded_fd = safe_close(p->loaded_fd);
}
