/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "check.h"
#include "fd-util.h"
#include "job.h"
#include "lines.h"
#include "manager.h"
#include "operations.h"
#include "participants.h"
#include "protect.h"
#include "stop-point.h"
#include "update.h"

/* An update by Update() goes
 *
 *   check: nothing blocks it; nobody holds a block lock
 *   record: "preparing"                                           update:written
 *   PrepareForUpdate(true, deadline)                              update:preparing
 *   everybody is ready, or the deadline has come (force)          update:ready
 *   record: "handing-over"                                        update:recorded
 *   logind is asked for the kexec                                 update:asked
 *   logind has taken it                                           update:accepted
 *   PID 1 stops units
 *
 * and up to the asking every failure ends it with PrepareForUpdate(false), the host being as before. From there on only logind
 * can end it (PrepareForShutdown(false)).
 *
 * A kexec that others ask for comes by logind, where luod's delay lock holds it for a few seconds: luod prepares in that time and
 * then lets go, whoever is not ready (it can't say no). One without logind is heard of when PID 1 begins to stop units; luod then
 * prepares in its own stop.
 *
 * Sessions that the last update brought, and that nobody has finished or renewed, would not go through the next one. Update()
 * refuses then; of an update that can't be refused luod renews them in its own stop, when those who use them have left:
 *
 *   units that are ordered after luod.service are stopped
 *   luod is: what is still incoming is renewed                    update:saving, update:saved
 *   the jump
 *
 * The record lies in the runtime directory, as "update": a luod that is started again in the middle tells by it that there was
 * one, and by logind and PID 1 whether it goes on. */

static const char *const states[_UPDATE_STATE_MAX] = {
        [UPDATE_IDLE] = "idle",
        [UPDATE_PREPARING] = "preparing",
        [UPDATE_HANDING_OVER] = "handing-over",
        [UPDATE_SHUTTING_DOWN] = "shutting-down",
};

static const char *const roads[_UPDATE_ROAD_MAX] = {
        [ROAD_UPDATE] = "update",
        [ROAD_LOGIND] = "logind",
        [ROAD_TARGET] = "kexec.target",
};

const char *update_state_to_string(UpdateState state) {
        return state >= 0 && state < _UPDATE_STATE_MAX ? states[state] : NULL;
}

const char *update_road_to_string(UpdateRoad road) {
        return road >= 0 && road < _UPDATE_ROAD_MAX ? roads[road] : NULL;
}

const char *update_result_to_string(UpdateResult result) {
        static const char *const names[_UPDATE_RESULT_MAX] = { "handed-over", "cancelled", "failed" };

        return result >= 0 && result < _UPDATE_RESULT_MAX ? names[result] : NULL;
}

static char **strv_copy(char *const *strv) {
        size_t n = 0;
        char **copy;

        while (strv && strv[n])
                n++;
        copy = calloc(n + 1, sizeof(char *));
        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = strdup(strv[i]);
                if (!copy[i]) {
                        for (size_t k = 0; k < i; k++)
                                free(copy[k]);
                        free(copy);
                        return NULL;
                }
        }
        return copy;
}

static char **strv_free(char **strv) {
        for (size_t i = 0; strv && strv[i]; i++)
                free(strv[i]);
        free(strv);
        return NULL;
}

static bool is_dropped(const Manager *m, const Session *s) {
        char **names = m->update.drop_unclaimed;

        for (size_t i = 0; names && names[i]; i++)
                if (streq(names[i], s->record.name))
                        return true;
        return false;
}

/* --- the record */

static void record_path(Manager *m, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/update", m->runtime_dir);
}

static int record_write(Manager *m, UpdateState state) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];

        if (asprintf(&text, "luod-update 1\nstate %s\nroad %s\nend\n", states[state], roads[m->update.road]) < 0)
                return -ENOMEM;
        record_path(m, path);
        return write_small_file(path, text);
}

static void record_remove(Manager *m) {
        char path[PATH_MAX];

        record_path(m, path);
        (void) unlink(path);
}

/* false: there was no update under way. */
static bool record_read(Manager *m, UpdateState *ret_state, UpdateRoad *ret_road) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX], version[8], state[16], road[16];
        const char *p;

        *ret_state = UPDATE_PREPARING;
        *ret_road = ROAD_UPDATE;
        record_path(m, path);
        if (read_small_file(path, &text) < 0)
                return access(path, F_OK) >= 0; /* there was one, whatever it was */
        p = text;
        if (!lines_take(&p, "luod-update", version, sizeof(version)) || !streq(version, "1") ||
            !lines_take(&p, "state", state, sizeof(state)) || !lines_take(&p, "road", road, sizeof(road)) || !streq(p, "end"))
                return true;
        *ret_state = streq(state, states[UPDATE_HANDING_OVER]) ? UPDATE_HANDING_OVER : UPDATE_PREPARING;
        for (UpdateRoad r = 0; r < _UPDATE_ROAD_MAX; r++)
                if (streq(road, roads[r]))
                        *ret_road = r;
        return true;
}

/* --- who is waited for */

int update_foreach_awaited(Manager *m,
                           int (*each)(const char *kind, const char *name, const char *why, void *userdata),
                           void *userdata) {
        const Session *s;
        const Lock *l;
        int r;

        if (m->update.state != UPDATE_PREPARING)
                return 0;
        LIST_FOREACH(&m->participants.locks, Lock, link, l)
                if (l->mode == LOCK_DELAY) {
                        r = each("lock", l->who, l->why, userdata);
                        if (r != 0)
                                return r;
                }
        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                const char *why = session_is_awaited(s) ? "its owner has not said that it is ready" :
                        s->record.state == SESSION_RENEWING ? "it is being renewed" : NULL;

                r = why ? each(session_is_awaited(s) ? "session" : "renewal", s->record.name, why, userdata) : 0;
                if (r != 0)
                        return r;
        }
        return 0;
}

typedef struct Names {
        unsigned n;
        char text[256];
} Names;

static int add_name(const char *kind, const char *name, const char *why, void *userdata) {
        Names *names = userdata;
        size_t used = strlen(names->text);

        names->n++;
        if (names->n <= 4)
                (void) snprintf(names->text + used, sizeof(names->text) - used, "%s%s '%.40s'", used ? ", " : "", kind, name);
        return 0;
}

static Names list_awaited(Manager *m) {
        Names names = {};

        (void) update_foreach_awaited(m, add_name, &names);
        if (names.n > 4) {
                size_t used = strlen(names.text);

                (void) snprintf(names.text + used, sizeof(names.text) - used, " and %u more", names.n - 4);
        }
        return names;
}

/* --- changes of the state */

static void set_state(Manager *m, UpdateState state) {
        m->update.state = state;
        manager_emit(m, "State");
        protect_refresh(m);
}

static void tell_prepare(Manager *m, bool start) {
        if (m->hooks.prepare_for_update)
                m->hooks.prepare_for_update(start, start ? m->update.deadline : 0, m->hooks.userdata);
}

static void tell_finished(Manager *m, UpdateResult result, const char *message) {
        if (m->hooks.update_finished)
                m->hooks.update_finished(update_result_to_string(result), message, m->hooks.userdata);
}

static void stop_waiting(Manager *m) {
        Update *u = &m->update;

        if (u->renewing)
                renewals_stop_automatic(m);
        u->renewing = u->carry = u->force = false;

        u->timer = sd_event_source_disable_unref(u->timer);
        u->deadline = 0;
        manager_emit(m, "UpdateDeadline");
        manager_emit(m, "WaitingFor");
}

static void answer(Manager *m, const Failure *failure) {
        update_done_fn done = m->update.done;

        m->update.done = NULL;
        if (done)
                done(failure, m->update.userdata);
}

static void tell_stopped(Manager *m) {
        void (*stopped)(Manager *, void *) = m->update.stopped;

        m->update.timer = sd_event_source_disable_unref(m->update.timer);
        m->update.stopped = NULL;
        if (stopped)
                stopped(m, m->update.stopped_userdata);
}

/* --- what the jump would lose is saved in luod's stop */

static bool is_left(const Manager *m, const Session *s) {
        return !is_dropped(m, s);
}

static void on_saved(Manager *m, void *userdata) {
        stop_point("update:saved");
        tell_stopped(m);
}

static int on_not_saved(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        (void) sd_journal_print(LOG_WARNING, "What the live update would lose could not be renewed in time");
        renewals_stop_automatic(m);
        tell_stopped(m);
        return 0;
}

static unsigned count_left(const Manager *m) {
        unsigned n = 0;
        const Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                n += s->record.direction == DIRECTION_INCOMING && is_left(m, s);
        return n;
}

/* And then luod's stop goes on. */
static void save_what_is_left(Manager *m) {
        unsigned n = count_left(m);

        if (n > 0) {
                renewals_stop_automatic(m);
                m->update.timer = sd_event_source_disable_unref(m->update.timer);
                if (sd_event_add_time_relative(m->event, &m->update.timer, CLOCK_MONOTONIC, STOP_SAVE_MAX_USEC, /* accuracy= */ 0,
                                               on_not_saved, m) >= 0 &&
                    renewals_start_automatic(m, is_left, on_saved, NULL) >= 0) {
                        (void) sd_journal_print(LOG_NOTICE,
                                                "%u sessions of the last live update are neither finished nor renewed; luod renews them, or "
                                                "this one would lose them",
                                                n);
                        stop_point("update:saving");
                        return;
                }
        }
        tell_stopped(m);
}

/* What everybody may know of why it came to nothing: nobody's name, neither a session's nor a lock's. All of it goes to who asked
 * for the update, to the journal and, to each his own, into the report. */
static const char *public_reason(const Failure *failure, unsigned n_awaited, char *buffer, size_t size) {
        switch (failure->kind) {
        case FAILURE_UPDATE_CANCELLED: /* which is always one of luod's own sentences */
                return failure->message;
        case FAILURE_UPDATE_VETOED:
                return "A lock was held against it";
        case FAILURE_UPDATE_TIMED_OUT:
                (void) snprintf(buffer, size, "The deadline has passed, and %u were not ready", n_awaited);
                return buffer;
        case FAILURE_UPDATE_BLOCKED:
                return "Something that is kept would have been lost";
        default:
                return "The shutdown could not be had";
        }
}

/* The host stays as it is, or rather becomes so again. Everybody hears of it. */
static void update_end(Manager *m, UpdateResult result, FailureKind kind, const char *format, ...) _printf_(4, 5);

static void update_end(Manager *m, UpdateResult result, FailureKind kind, const char *format, ...) {
        unsigned n_awaited = list_awaited(m).n;
        Failure failure = FAILURE_INIT;
        char buffer[128];
        va_list ap;

        va_start(ap, format);
        (void) failure_setv(&failure, kind, format, ap);
        va_end(ap);

        (void) sd_journal_print(LOG_NOTICE, "The live update came to nothing: %s", failure.message);
        m->update.writing = false;
        stop_waiting(m);
        m->update.drop_unclaimed = strv_free(m->update.drop_unclaimed);
        set_state(m, UPDATE_IDLE);
        participants_reset(m);
        stop_point("update:ending");
        tell_prepare(m, false);
        /* Only now: a luod that dies before this must be followed by one that tells everybody. */
        record_remove(m);
        reports_end(m, result == UPDATE_RESULT_CANCELLED ? REPORT_CANCELLED : REPORT_FAILED, failure.message);
        tell_finished(m, result, public_reason(&failure, n_awaited, buffer, sizeof(buffer)));
        answer(m, &failure);
        tell_stopped(m);
}

/* --- what the report says of those who were waited for */

static uint64_t now_boottime(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

void update_lock_released(Manager *m, const Lock *l) {
        if (m->update.state == UPDATE_PREPARING && l->mode == LOCK_DELAY)
                reports_delay(m, REPORT_DELAY_LOCK, l->who, l->why, m->update.begun, now_boottime(), /* waited_for= */ true);
        update_poke(m);
}

void update_session_ready(Manager *m, const Session *s) {
        if (m->update.state == UPDATE_PREPARING) {
                reports_ready(m, s);
                reports_delay(m, REPORT_DELAY_SESSION, s->record.name, "", m->update.begun, now_boottime(), /* waited_for= */ true);
        }
        update_poke(m);
}

static int report_not_waited_for(const char *kind, const char *name, const char *why, void *userdata) {
        Manager *m = userdata;

        reports_delay(m, streq(kind, "lock") ? REPORT_DELAY_LOCK : REPORT_DELAY_SESSION, name, why, m->update.begun, now_boottime(),
                      /* waited_for= */ false);
        return 0;
}

/* --- from ready to the jump */

static int refuse_while_locked(Manager *m, Failure *ret) {
        const Lock *l = participants_find(&m->participants, LOCK_BLOCK);

        if (!l)
                return 0;
        return failure_set(ret, FAILURE_UPDATE_VETOED,
                           "'%.80s' (uid %u, pid %d) holds a lock against the update: %.120s. Have it released ('luoctl "
                           "inhibitors' lists all), or break it: 'luoctl release-lock %" PRIu64 "'",
                           l->who, (unsigned) l->uid, (int) l->pid, l->why, l->id);
}

static void on_kexec_asked(const char *message, void *userdata) {
        Manager *m = userdata;

        stop_point("update:accepted");
        if (m->update.state != UPDATE_HANDING_OVER && m->update.state != UPDATE_SHUTTING_DOWN)
                return;
        if (message) {
                update_end(m, UPDATE_RESULT_FAILED, FAILURE_UPDATE_FAILED, "The shutdown was refused: %.300s", message);
                return;
        }
        (void) sd_journal_print(LOG_NOTICE, "The live update is handed over");
        tell_finished(m, UPDATE_RESULT_HANDED_OVER, "");
        answer(m, NULL);
}

static void on_report_written(Manager *m);

static void hand_over(Manager *m) {
        Failure failure;
        int r;

        stop_point("update:ready");
        if (manager_check_blocking(m, (const char *const *) m->update.drop_unclaimed, /* before_renewal= */ false,
                                   /* carry= */ false, &failure) < 0) {
                update_end(m, UPDATE_RESULT_FAILED, failure.kind, "%s", failure.message);
                return;
        }
        r = record_write(m, UPDATE_HANDING_OVER);
        if (r < 0) {
                update_end(m, UPDATE_RESULT_FAILED, FAILURE_UPDATE_FAILED, "The update can't be written down: %s", strerror(-r));
                return;
        }
        stop_waiting(m);
        set_state(m, UPDATE_HANDING_OVER);
        m->update.writing = true;
        reports_hand_over(m, on_report_written);
}

static void ask_for_kexec(Manager *m) {
        int r;

        if (logind_is_shutting_down(m->logind)) { /* somebody was faster */
                on_kexec_asked(NULL, m);
                if (m->update.stopped) {
                        set_state(m, UPDATE_SHUTTING_DOWN);
                        save_what_is_left(m);
                }
                return;
        }
        if (m->update.stopped) {
                update_end(m, UPDATE_RESULT_CANCELLED, FAILURE_UPDATE_CANCELLED, "luod was stopped");
                return;
        }
        r = logind_kexec(m->logind, on_kexec_asked, m);
        stop_point("update:asked");
        if (r < 0)
                update_end(m, UPDATE_RESULT_FAILED, FAILURE_UPDATE_FAILED, "Nobody can be asked for the shutdown: %s",
                           strerror(-r));
}

static void on_report_written(Manager *m) {
        if (!m->update.writing)
                return;
        m->update.writing = false;
        stop_point("update:recorded");
        if (m->update.road == ROAD_UPDATE) {
                ask_for_kexec(m);
                return;
        }
        logind_hold(m->logind, LOGIND_DELAY, NULL);
        if (m->update.stopped)
                save_what_is_left(m);
}

/* The shutdown goes on, whoever is not ready: it is not luod's to stop. */
static void let_go(Manager *m) {
        Names names = list_awaited(m);

        stop_point("update:ready");
        (void) sd_journal_print(LOG_NOTICE, "The live update goes on%s%s", names.n > 0 ? " without these, who are not ready: " : "",
                                names.text);
        (void) record_write(m, UPDATE_HANDING_OVER);
        stop_waiting(m);
        set_state(m, m->update.road == ROAD_TARGET ? UPDATE_SHUTTING_DOWN : UPDATE_HANDING_OVER);
        tell_finished(m, UPDATE_RESULT_HANDED_OVER, "");
        m->update.writing = true;
        reports_hand_over(m, on_report_written);
}

static void go_on(Manager *m) {
        if (m->update.road == ROAD_UPDATE)
                hand_over(m);
        else
                let_go(m);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        Names names = list_awaited(m);

        if (m->update.state != UPDATE_PREPARING)
                return 0;
        (void) update_foreach_awaited(m, report_not_waited_for, m);
        if (m->update.road == ROAD_UPDATE && !m->update.force)
                update_end(m, UPDATE_RESULT_FAILED, FAILURE_UPDATE_TIMED_OUT,
                           "The deadline has passed, and these are not ready: %s. Nothing was changed; --force would go on without "
                           "them",
                           names.text);
        else {
                if (m->update.road == ROAD_UPDATE)
                        (void) sd_journal_print(LOG_WARNING, "The deadline has passed, the live update goes on without: %s", names.text);
                go_on(m);
        }
        return 0;
}

static void look(Manager *m) {
        Failure failure;

        if (m->update.state != UPDATE_PREPARING)
                return;
        manager_emit(m, "WaitingFor");
        if (m->update.road == ROAD_UPDATE && refuse_while_locked(m, &failure) < 0) {
                update_end(m, UPDATE_RESULT_FAILED, failure.kind, "%s", failure.message);
                return;
        }
        if (!m->update.renewing && list_awaited(m).n == 0) {
                reports_stage(m, REPORT_TIME_READY);
                go_on(m);
        }
}

static int on_defer(sd_event_source *source, void *userdata) {
        look(userdata);
        protect_refresh(userdata);
        return 0;
}

/* Later: what is in the middle of a change is let come to its end first. */
void update_poke(Manager *m) {
        Update *u = &m->update;

        if (!u->defer && sd_event_add_defer(m->event, &u->defer, on_defer, m) < 0)
                return;
        (void) sd_event_source_set_enabled(u->defer, SD_EVENT_ONESHOT);
}

/* --- what is put into the next update before it is handed over */

static void on_renewed(Manager *m, void *userdata) {
        m->update.renewing = false;
        update_poke(m);
}

static bool is_to_be_renewed(const Manager *m, const Session *s) {
        return s->record.auto_renew || (m->update.carry && !session_is_claimed(s) && !is_dropped(m, s));
}

/* Those that it can't be begun with stay incoming, and hand_over() says so. Also where the shutdown can't be stopped: then as
 * many as the time allows, the others in luod's stop. */
static void renew_all(Manager *m) {
        m->update.renewing = renewals_start_automatic(m, is_to_be_renewed, on_renewed, NULL) >= 0;
}

/* --- the beginning */

static const ReportRoad report_roads[_UPDATE_ROAD_MAX] = {
        [ROAD_UPDATE] = REPORT_ROAD_LUOCTL,
        [ROAD_LOGIND] = REPORT_ROAD_LOGIND,
        [ROAD_TARGET] = REPORT_ROAD_KEXEC_TARGET,
};

static uint64_t deadline_of(const Manager *m, UpdateRoad road, uint64_t asked) {
        uint64_t delay_max;

        switch (road) {
        case ROAD_UPDATE:
                return asked ? asked : m->config.prepare_timeout;
        case ROAD_LOGIND:
                delay_max = logind_get_delay_max(m->logind);
                if (delay_max == 0)
                        delay_max = LOGIND_DELAY_MAX_USEC;
                return MIN(m->config.prepare_timeout, delay_max - delay_max / LOGIND_DELAY_RESERVE);
        default:
                return MIN(m->config.prepare_timeout, STOP_PREPARE_MAX_USEC);
        }
}

static int prepare(Manager *m, UpdateRoad road, uint64_t asked) {
        Update *u = &m->update;
        uint64_t usec = deadline_of(m, road, asked), now = now_realtime();
        int r;

        u->road = road;
        u->begun = now_boottime();
        r = record_write(m, UPDATE_PREPARING);
        stop_point("update:written");
        if (r >= 0 || road != ROAD_UPDATE) /* what can't be refused is told of as well as can be */
                r = sd_event_add_time_relative(m->event, &u->timer, CLOCK_BOOTTIME, usec, /* accuracy= */ 0, on_deadline, m);
        if (r < 0) {
                record_remove(m);
                return r;
        }
        (void) sd_journal_print(LOG_NOTICE, "A live update is being prepared (by way of %s), for %" PRIu64 " ms at the most", roads[road],
                                usec / 1000);
        u->deadline = usec > UINT64_MAX - now ? UINT64_MAX : now + usec;
        if (reports_begin(m, report_roads[road], road == ROAD_UPDATE && u->force) >= 0) {
                reports_stage(m, REPORT_TIME_REQUEST);
                reports_stage(m, REPORT_TIME_PREPARE);
        }
        set_state(m, UPDATE_PREPARING);
        manager_emit(m, "UpdateDeadline");
        tell_prepare(m, true);
        renew_all(m);
        stop_point("update:preparing");
        update_poke(m); /* in the next turn: whoever is told has no chance to answer in this one */
        return 0;
}

int operation_update(Manager *m, const UpdateOptions *options, update_done_fn done, void *userdata, Failure *ret) {
        Update *u = &m->update;
        int r;

        r = manager_check_ready(m, /* keeps= */ false, ret);
        if (r < 0)
                return r;
        if (u->state != UPDATE_IDLE)
                return failure_set(ret, FAILURE_UPDATE_IN_PROGRESS, "An update is under way already (%s)", states[u->state]);
        if (logind_is_shutting_down(m->logind))
                return failure_set(ret, FAILURE_SHUTTING_DOWN, "The host is being shut down already");
        r = refuse_while_locked(m, ret);
        if (r >= 0)
                r = manager_check_blocking(m, (const char *const *) options->drop_unclaimed, /* before_renewal= */ true,
                                           options->carry, ret);
        if (r < 0)
                return r;

        u->force = options->force;
        u->carry = options->carry;
        u->drop_unclaimed = strv_copy(options->drop_unclaimed);
        r = u->drop_unclaimed ? prepare(m, ROAD_UPDATE, options->deadline) : -ENOMEM;
        if (r < 0) {
                u->drop_unclaimed = strv_free(u->drop_unclaimed);
                return failure_set_errno(ret, r, "Can't prepare the update");
        }
        u->done = done;
        u->userdata = userdata;
        if (options->no_wait)
                answer(m, NULL);
        return 0;
}

int operation_cancel_update(Manager *m, Failure *ret) {
        Update *u = &m->update;

        if (u->state == UPDATE_IDLE)
                return failure_set(ret, FAILURE_NO_UPDATE, "No update is under way");
        if (u->road != ROAD_UPDATE || (u->state != UPDATE_PREPARING && !(u->writing && u->state == UPDATE_HANDING_OVER)))
                return failure_set(ret, FAILURE_TOO_LATE,
                                   "The shutdown is under way, and not luod's to stop%s",
                                   u->road == ROAD_UPDATE ? " any more" : ": it was asked for by 'systemctl kexec' or the like");
        update_end(m, UPDATE_RESULT_CANCELLED, FAILURE_UPDATE_CANCELLED, "The update was cancelled");
        return 0;
}

int update_check_open(Manager *m, Failure *ret) {
        if (m->update.state != UPDATE_HANDING_OVER)
                return 0;
        return failure_set(ret, FAILURE_UPDATE_IN_PROGRESS,
                           "A live update is being handed over; nothing new is taken until it is over");
}

/* --- what logind and PID 1 tell */

/* Somebody was faster than the update that is being prepared: from now on the time that he gives counts, and everybody is told
 * so. It is not luod's to stop any more. */
static void take_road(Manager *m, UpdateRoad road) {
        Update *u = &m->update;
        uint64_t usec = deadline_of(m, road, /* asked= */ 0), now = now_realtime();

        u->road = road;
        u->drop_unclaimed = strv_free(u->drop_unclaimed); /* that was a decision about the other one */
        (void) record_write(m, UPDATE_PREPARING);
        if (u->deadline <= now + usec)
                usec = u->deadline > now ? u->deadline - now : 0;
        (void) sd_event_source_set_time_relative(u->timer, usec);
        u->deadline = now + usec;
        manager_emit(m, "UpdateDeadline");
        tell_prepare(m, true);
        answer(m, NULL);
}

static bool is_kexec(Manager *m, ShutdownKind kind) {
        return kind == SHUTDOWN_KEXEC || (kind == SHUTDOWN_UNKNOWN && target_look(m).loaded);
}

/* Before that nobody could be told, and afterwards nothing can be waited for. */
static bool is_open(const Manager *m) {
        return m->protect.started && !m->stopping;
}

static void on_shutdown(bool start, ShutdownKind kind, void *userdata) {
        Manager *m = userdata;
        Update *u = &m->update;

        if (!is_open(m))
                return;
        if (!start) {
                protect_hold_delay(m);
                if (u->state != UPDATE_IDLE)
                        update_end(m, UPDATE_RESULT_CANCELLED, FAILURE_UPDATE_CANCELLED, "The shutdown was cancelled");
                protect_refresh(m);
                return;
        }
        if (u->state == UPDATE_IDLE && is_kexec(m, kind)) {
                if (prepare(m, ROAD_LOGIND, /* asked= */ 0) < 0)
                        logind_hold(m->logind, LOGIND_DELAY, NULL);
                return;
        }
        if (u->state == UPDATE_PREPARING) { /* somebody was faster than the update */
                if (!is_kexec(m, kind))
                        update_end(m, UPDATE_RESULT_CANCELLED, FAILURE_UPDATE_CANCELLED,
                                   "The host is being shut down otherwise");
                else {
                        take_road(m, ROAD_LOGIND);
                        return;
                }
        }
        logind_hold(m->logind, LOGIND_DELAY, NULL);
}

/* What is on disk of it must be there before the jump; from luod's stop on every change is. */
static void on_kexec_begun(void *userdata) {
        Manager *m = userdata;
        Update *u = &m->update;

        if (!is_open(m))
                return;
        if (u->state == UPDATE_IDLE)
                (void) prepare(m, ROAD_TARGET, /* asked= */ 0);
        else if (u->state == UPDATE_PREPARING)
                take_road(m, ROAD_TARGET);
        else
                set_state(m, UPDATE_SHUTTING_DOWN);
        reports_stage(m, REPORT_TIME_SHUTDOWN);
}

LogindEvents update_logind_events(Manager *m) {
        return (LogindEvents) { .prepare = on_shutdown, .kexec_begun = on_kexec_begun, .userdata = m };
}

/* --- luod's own end and beginning */

static bool is_being_shut_down(Manager *m) {
        return logind_is_shutting_down(m->logind) || logind_look_for_kexec(m->logind);
}

void update_stop(Manager *m, void (*stopped)(Manager *manager, void *userdata), void *userdata) {
        Update *u = &m->update;

        u->stopped = stopped;
        u->stopped_userdata = userdata;
        if (u->state == UPDATE_IDLE && is_open(m) && logind_look_for_kexec(m->logind))
                (void) prepare(m, ROAD_TARGET, /* asked= */ 0);
        if (u->state == UPDATE_PREPARING && u->road == ROAD_UPDATE)
                update_end(m, UPDATE_RESULT_CANCELLED, FAILURE_UPDATE_CANCELLED, "luod was stopped");
        else if (u->writing)
                ; /* on_report_written() goes on with it */
        else if (u->state == UPDATE_SHUTTING_DOWN || (u->state == UPDATE_HANDING_OVER && is_being_shut_down(m))) {
                set_state(m, UPDATE_SHUTTING_DOWN);
                save_what_is_left(m);
        } else if (u->state != UPDATE_PREPARING)
                tell_stopped(m);
        /* or else when everybody is ready, or the deadline has come */
}

void update_restore(Manager *m) {
        Update *u = &m->update;
        bool going_down, otherwise;
        UpdateState state;
        UpdateRoad road;

        participants_restore(m);
        /* A shutdown of another kind is not the update's, which then came to nothing. */
        going_down = logind_is_shutting_down(m->logind);
        otherwise = going_down && logind_get_kind(m->logind) == SHUTDOWN_COLD;
        if (record_read(m, &state, &road)) {
                u->road = road;
                if (going_down && !otherwise)
                        u->state = UPDATE_SHUTTING_DOWN;
                else
                        u->interrupted = true;
        } else if (reports_under_way(m)) /* of which only the report is left */
                u->interrupted = !going_down || otherwise;
        u->shut_down_otherwise = otherwise;
        protect_start(m);
}

void update_resume(Manager *m) {
        if (!m->update.interrupted)
                return;
        m->update.interrupted = false;
        update_end(m, UPDATE_RESULT_CANCELLED, FAILURE_UPDATE_CANCELLED, "luod died while the update was under way, and %s",
                   m->update.shut_down_otherwise ? "the host is being shut down otherwise" : "is back; the host is as before");
}

void update_done(Manager *m) {
        Update *u = &m->update;
        Failure failure;

        (void) failure_set(&failure, FAILURE_SHUTTING_DOWN, "luod is being stopped while the update is under way; see 'luoctl report'");
        answer(m, &failure);
        u->timer = sd_event_source_disable_unref(u->timer);
        u->defer = sd_event_source_disable_unref(u->defer);
        u->drop_unclaimed = strv_free(u->drop_unclaimed);
        protect_done(m);
        participants_done(&m->participants);
        m->logind = logind_free(m->logind);
}
