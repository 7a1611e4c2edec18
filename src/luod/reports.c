/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <sys/utsname.h>

#include "manager.h"
#include "reports.h"
#include "reports-internal.h"

#define LAST_BOOT_NAME "last-boot"
#define COLD_BOOT_WHY                                                                                                      \
        "the kernel refused the kexec or the machine was reset: systemd falls back to a cold reboot, which keeps nothing"

int reports_open(Manager *m, const char *directory) {
        return report_store_init(&m->reports.store, directory, m->runtime_dir);
}

void reports_done(Reports *r) {
        sd_event_source_disable_unref(r->writing);
        reports_hand_over_done(r);
        sd_bus_slot_unref(r->systemd_slot);
        sd_bus_unref(r->systemd_bus);
        report_done(&r->arrived);
        report_done(&r->departing);
        report_store_done(&r->store);
        free(r->list);
        *r = (Reports) {};
}

void reports_complain(Manager *m, const char *format, ...) {
        char message[512];
        va_list ap;

        if (!m->reports.hooks.trouble)
                return;
        va_start(ap, format);
        (void) vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        m->reports.hooks.trouble(message, m->reports.hooks.userdata);
}

/* --- writing */

static const char *report_file_name(const Report *report, char ret[static 24]) {
        if (report->result == REPORT_UNDER_WAY)
                return REPORT_UNDER_WAY_NAME;
        (void) snprintf(ret, 24, "%" PRIu64, report->id);
        return ret;
}

void reports_note_written(Manager *m, int r, int error) {
        Reports *rs = &m->reports;

        if (r != 0 && !rs->complained) {
                reports_complain(m, "Reports of live updates can't be written to '%s' (%s)%s", strempty(rs->store.directory),
                         strerror(-error),
                         r > 0 ? "; they are in memory, and lost with the next boot" : " nor to memory; they are lost with luod");
                rs->complained = true;
        }
        if (r == 0)
                rs->complained = false;
}

static int write_text(Manager *m, const char *name, const char *text, bool sync) {
        int error = 0, r;

        r = report_store_put(&m->reports.store, "new", name, text, sync, &error);
        reports_note_written(m, r, error);
        return r;
}

static int write_report(Manager *m, const Report *report, bool sync) {
        _cleanup_free_ char *text = NULL;
        char name[24];
        int r;

        r = report_encode(report, /* viewer= */ 0, &text);
        return r < 0 ? r : write_text(m, report_file_name(report, name), text, sync);
}

static void write_changed(Manager *m, bool sync) {
        Reports *rs = &m->reports;

        /* A worker would overwrite it by what is older: it is written when that is through. In luod's stop that may be too late. */
        if (rs->departing_changed && (!rs->hand_over || sync) && write_report(m, &rs->departing, sync) >= 0)
                rs->departing_changed = rs->hand_over; /* the worker may yet come last */
        if (rs->arrived_changed && write_report(m, &rs->arrived, sync) >= 0)
                rs->arrived_changed = false;
}

void reports_flush(Manager *m) {
        m->reports.writing = sd_event_source_disable_unref(m->reports.writing);
        write_changed(m, /* sync= */ true);
}

static int on_time_to_write(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->reports.writing = sd_event_source_disable_unref(m->reports.writing);
        /* No sync, which may take its time: a death of luod loses nothing of it, and a power failure what is kept as well. */
        write_changed(m, /* sync= */ false);
        return 0;
}

void reports_changed(Manager *m, bool *changed) {
        Reports *rs = &m->reports;

        *changed = true;
        if (m->stopping)
                reports_flush(m);
        else if (!rs->writing &&
                 sd_event_add_time_relative(m->event, &rs->writing, CLOCK_MONOTONIC, REPORT_WRITE_DELAY_USEC, 0,
                                            on_time_to_write, m) < 0)
                write_changed(m, /* sync= */ false);
}

/* --- the list */

static void list_prune(Manager *m) {
        Reports *rs = &m->reports;

        while (rs->n_list > m->config.report_keep) {
                char name[24];

                (void) snprintf(name, sizeof(name), "%" PRIu64, rs->list[0].id);
                report_store_remove(&rs->store, name);
                memmove(rs->list, rs->list + 1, --rs->n_list * sizeof(*rs->list));
        }
}

/* It has come to an end. */
static void list_add(Manager *m, const Report *report) {
        Reports *rs = &m->reports;
        ReportSummary *larger = reallocarray(rs->list, rs->n_list + 1, sizeof(*larger));

        if (!larger)
                return;
        rs->list = larger;
        rs->list[rs->n_list++] = report_summarize(report);
        list_prune(m);
}

static void on_unreadable(const char *path, const char *why, void *userdata) {
        reports_complain(userdata, "The report '%s' is left alone: %s", path, why);
}

/* An end: written at once, in place of the one that was under way. @sync: at luod's start, before anybody waits for it. */
static void conclude(Manager *m, Report *report, bool *changed, bool sync) {
        *changed = true;
        if (write_report(m, report, sync) >= 0) {
                *changed = false;
                report_store_remove(&m->reports.store, REPORT_UNDER_WAY_NAME);
        }
        list_add(m, report);
        if (m->reports.hooks.made)
                m->reports.hooks.made(report, m->reports.hooks.userdata);
}

/* --- sessions */

ReportSession *report_find_session(Report *report, const Session *session) {
        for (size_t i = 0; i < report->n_sessions; i++)
                if (report->sessions[i].sid == session->sid)
                        return report->sessions + i;
        return NULL;
}

static ReportFileOutcome file_outcome(const File *file) {
        if (file->record.state == FILE_FAILED)
                return REPORT_FILE_FAILED;
        if (file->part->fd < 0)
                return REPORT_FILE_LOST;
        return file->record.state == FILE_RETRIEVED ? REPORT_FILE_RETRIEVED : REPORT_FILE_KEPT;
}

static void note_file(ReportFile *to, const File *file) {
        to->token = file->record.token;
        report_set_text(to->label, sizeof(to->label), file->record.label);
        to->size = file->record.size;
        to->outcome = file_outcome(file);
        to->error = to->outcome == REPORT_FILE_FAILED ? file->record.error : 0;
        report_set_text(to->why, sizeof(to->why),
                        to->outcome == REPORT_FILE_FAILED ? strerror(file->record.error)
                                : to->outcome == REPORT_FILE_LOST
                                ? "its kernel session did not come over"
                                : "");
}

static bool file_counts(const File *file) {
        return file->record.state != FILE_INTENT && file->record.state != FILE_DROPPED;
}

static int note_files(ReportSession *to, const Session *s) {
        size_t n = 0;
        int r;

        r = report_session_set_files(to, s->n_files);
        if (r < 0)
                return r;
        for (size_t i = 0; i < s->n_files; i++)
                if (file_counts(s->files[i]))
                        note_file(to->files + n++, s->files[i]);
        to->n_files = n;
        return 0;
}

/* Finds it, or adds it. NULL: no memory. */
static ReportSession *note_session(Report *report, const Session *s) {
        ReportSession *to = report_find_session(report, s);

        if (!to)
                to = report_add_session(report);
        if (!to)
                return NULL;
        to->sid = s->sid;
        to->uid = s->record.uid;
        report_set_text(to->name, sizeof(to->name), s->record.name);
        return to;
}

/* --- the update that is under way */

static bool is_under_way(const Report *report) {
        return report->id > 0 && report->result == REPORT_UNDER_WAY;
}

const Report *reports_under_way(const Manager *m) {
        return is_under_way(&m->reports.departing) ? &m->reports.departing : NULL;
}

static void note_kernel(char ret[static REPORT_KERNEL_SIZE]) {
        struct utsname u;

        if (uname(&u) >= 0)
                report_set_text(ret, REPORT_KERNEL_SIZE, u.release);
}

int reports_begin(Manager *m, ReportRoad road, bool forced) {
        Reports *rs = &m->reports;

        if (reports_under_way(m))
                return -EALREADY;
        write_changed(m, /* sync= */ m->stopping);
        report_done(&rs->departing);
        rs->departing = (Report) { .id = rs->next_id++, .road = road, .result = REPORT_UNDER_WAY, .forced = forced };
        note_kernel(rs->departing.from_kernel);
        report_set_text(rs->departing.from_boot, sizeof(rs->departing.from_boot), m->state.head.boot_id);
        reports_stage(m, REPORT_TIME_REQUEST);
        return 0;
}

void reports_stage(Manager *m, ReportTime stage) {
        if (!reports_under_way(m))
                return;
        m->reports.departing.times[stage] = report_stamp_now(m->state.head.boot_id);
        reports_changed(m, &m->reports.departing_changed);
}

void reports_delay(Manager *m,
                   ReportDelayKind kind,
                   const char *who,
                   const char *why,
                   uint64_t from,
                   uint64_t until,
                   bool waited_for) {
        ReportDelay *d;

        if (!reports_under_way(m) || m->reports.departing.n_delays >= REPORT_DELAYS_MAX)
                return;
        d = report_add_delay(&m->reports.departing);
        if (!d)
                return;
        *d = (ReportDelay) { .kind = kind, .from = from, .until = until, .waited_for = waited_for };
        report_set_text(d->who, sizeof(d->who), who);
        report_set_text(d->why, sizeof(d->why), why);
        reports_changed(m, &m->reports.departing_changed);
}

void reports_ready(Manager *m, const Session *s) {
        ReportSession *to = reports_under_way(m) ? note_session(&m->reports.departing, s) : NULL;

        if (!to)
                return;
        to->ready = report_stamp_now(m->state.head.boot_id);
        reports_changed(m, &m->reports.departing_changed);
}

/* What the jump takes along, and what it will not. */
int reports_list_outgoing(Manager *m) {
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                ReportSession *to;

                if (s->record.state != SESSION_LIVE && s->record.state != SESSION_RENEWING)
                        continue;
                to = note_session(&m->reports.departing, s);
                if (!to || note_files(to, s) < 0)
                        return -ENOMEM;
                to->outcome = REPORT_KEPT;
                if (s->record.direction == DIRECTION_INCOMING)
                        report_set_text(to->why, sizeof(to->why),
                                        "it came by the update before, and was neither renewed nor finished");
        }
        return 0;
}

void reports_end(Manager *m, ReportResult result, const char *message) {
        Report *report = &m->reports.departing;

        if (!reports_under_way(m))
                return;
        reports_forget_hand_over(m);
        report->result = result;
        report_set_text(report->message, sizeof(report->message), message);
        /* No sync, as above: a power failure in the next seconds may lose the story of an update that came to nothing. */
        conclude(m, report, &m->reports.departing_changed, /* sync= */ m->stopping);
}

/* --- after the jump */

/* What the sessions that are there make of those in the report. */
static void judge_arrival(ReportSession *to, const Session *s) {
        size_t n_lost = 0, n_failed = 0;

        for (size_t i = 0; i < to->n_files; i++) {
                File *f = session_find_file((Session *) s, to->files[i].token);

                if (f)
                        note_file(to->files + i, f);
                else {
                        to->files[i].outcome = REPORT_FILE_LOST;
                        report_set_text(to->files[i].why, sizeof(to->files[i].why), "nothing is known of it any more");
                }
                n_lost += to->files[i].outcome == REPORT_FILE_LOST;
                n_failed += to->files[i].outcome == REPORT_FILE_FAILED;
        }
        to->outcome = REPORT_UNCLAIMED;
        to->why[0] = '\0';
        if (n_lost > 0)
                (void) snprintf(to->why, sizeof(to->why), "%zu of %zu files did not come over", n_lost, to->n_files);
        if (n_failed > 0)
                to->outcome = REPORT_GONE_BAD;
        if (n_lost > 0 && n_lost == to->n_files)
                to->outcome = REPORT_GONE;
}

static void lose_session(ReportSession *s, const char *why) {
        s->outcome = REPORT_GONE;
        for (size_t i = 0; i < s->n_files; i++) {
                s->files[i].outcome = REPORT_FILE_LOST;
                report_set_text(s->files[i].why, sizeof(s->files[i].why), "its session did not come over");
        }
        if (s->why[0] == '\0')
                report_set_text(s->why, sizeof(s->why), why);
}

static Session *find_arrived(Manager *m, const char *name) {
        Session *s = state_find_session(&m->state, name);

        return s && s->record.state != SESSION_NEW && s->record.direction == DIRECTION_INCOMING ? s : NULL;
}

static void note_arrivals(Manager *m, Report *report) {
        Session *s;

        for (size_t i = 0; i < report->n_sessions; i++) {
                s = find_arrived(m, report->sessions[i].name);
                if (!s) {
                        lose_session(report->sessions + i, "the next kernel, or systemd's fd store, did not bring it");
                        continue;
                }
                report->sessions[i].sid = s->sid;
                judge_arrival(report->sessions + i, s);
        }
        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                ReportSession *to;

                if (!find_arrived(m, s->record.name) || report_find_session(report, s))
                        continue;
                to = note_session(report, s);
                if (!to || note_files(to, s) < 0)
                        return;
                judge_arrival(to, s);
        }
}

/* "BOOT-ID RELEASE": of the boot before, if luod ran in it. */
static void note_last_boot(Manager *m, Report *report) {
        _cleanup_free_ char *text = report_store_get_text(&m->reports.store, LAST_BOOT_NAME);
        char *release = text ? strchr(text, ' ') : NULL;

        if (!release)
                return;
        *release++ = '\0';
        if (report->from_boot[0] == '\0')
                report_set_text(report->from_boot, sizeof(report->from_boot), text);
        if (report->from_kernel[0] == '\0' && streq(report->from_boot, text))
                report_set_text(report->from_kernel, sizeof(report->from_kernel), release);
}

static void write_last_boot(Manager *m) {
        _cleanup_free_ char *before = report_store_get_text(&m->reports.store, LAST_BOOT_NAME);
        char text[REPORT_BOOT_ID_SIZE + REPORT_KERNEL_SIZE + 1], release[REPORT_KERNEL_SIZE] = "";

        note_kernel(release);
        (void) snprintf(text, sizeof(text), "%s %s", m->state.head.boot_id, release);
        if (!before || !streq(before, text))
                (void) write_text(m, LAST_BOOT_NAME, text, /* sync= */ false);
}

static ReportStamp kernel_start(Manager *m) {
        ReportStamp s = report_stamp_now(m->state.head.boot_id);

        s.realtime -= MIN(s.realtime, s.boottime);
        s.boottime = 0;
        return s;
}

static void complete_arrived(Manager *m) {
        Report *report = &m->reports.arrived;

        report->result = REPORT_DONE;
        note_last_boot(m, report);
        note_kernel(report->to_kernel);
        report_set_text(report->to_boot, sizeof(report->to_boot), m->state.head.boot_id);
        report->times[REPORT_TIME_KERNEL] = kernel_start(m);
        report->times[REPORT_TIME_LUOD] = report_stamp_now(m->state.head.boot_id);
        note_arrivals(m, report);
        if (!report_stamp_is_known(report->times + REPORT_TIME_HANDOVER) && report->road != REPORT_ROAD_UNANNOUNCED)
                report_set_text(report->message, sizeof(report->message), "The jump came before luod had handed over");
        conclude(m, report, &m->reports.arrived_changed, /* sync= */ true);
}

/* The jump was to come, and a cold boot came. */
static void complete_lost(Manager *m, Report *report) {
        bool handed_over = report_stamp_is_known(report->times + REPORT_TIME_HANDOVER), changed;

        report->result = handed_over ? REPORT_LOST : REPORT_COLD_BOOT;
        if (handed_over && m->support != LUO_SUPPORTED)
                (void) snprintf(report->message, sizeof(report->message), "this kernel takes nothing over: %s",
                                luo_support_message(m->support));
        else
                report_set_text(report->message, sizeof(report->message),
                                handed_over ? COLD_BOOT_WHY : "the machine was restarted before anything was handed over");
        for (size_t i = 0; i < report->n_sessions; i++) {
                report->sessions[i].why[0] = '\0';
                lose_session(report->sessions + i, report->message);
        }
        note_kernel(report->to_kernel);
        report_set_text(report->to_boot, sizeof(report->to_boot), m->state.head.boot_id);
        report->times[REPORT_TIME_KERNEL] = kernel_start(m);
        report->times[REPORT_TIME_LUOD] = report_stamp_now(m->state.head.boot_id);
        conclude(m, report, &changed, /* sync= */ true);
}

static void read_list(Manager *m) {
        Reports *rs = &m->reports;
        uint64_t highest = 0;

        free(rs->list);
        rs->list = NULL;
        rs->n_list = 0;
        (void) report_store_list(&rs->store, &rs->list, &rs->n_list, &highest, on_unreadable, m);
        rs->next_id = MAX(MAX(rs->next_id, highest + 1), 1);
        list_prune(m);
}

static bool list_has(const Reports *rs, uint64_t id) {
        for (size_t i = 0; i < rs->n_list; i++)
                if (rs->list[i].id == id)
                        return true;
        return false;
}

static bool read_under_way(Manager *m, Report *ret) {
        int r = report_store_get(&m->reports.store, REPORT_UNDER_WAY_NAME, ret);

        if (r >= 0 && !is_under_way(ret)) {
                report_done(ret);
                r = -EBADMSG;
        }
        if (r == -EPROTONOSUPPORT || r == -EBADMSG) {
                reports_complain(m, "The report of the update that was under way is put aside in '%s': %s",
                         strempty(m->reports.store.directory), r == -EBADMSG ? "it is damaged" : "a newer luod wrote it");
                report_store_put_aside(&m->reports.store, REPORT_UNDER_WAY_NAME, r == -EBADMSG ? ".damaged" : ".newer");
        }
        if (r >= 0 && list_has(&m->reports, ret->id)) { /* luod died between writing its end and removing this */
                report_done(ret);
                report_store_remove(&m->reports.store, REPORT_UNDER_WAY_NAME);
                r = -ENOENT;
        }
        return r >= 0;
}

/* luod was restarted: which reports it had in hand is told by their boots. */
static void take_up(Manager *m) {
        Reports *rs = &m->reports;

        for (size_t i = rs->n_list; i > 0 && rs->arrived.id == 0; i--) {
                Report report = {};

                if (reports_get(m, rs->list[i - 1].id, &report) < 0)
                        continue;
                if (streq(report.to_boot, m->state.head.boot_id) && report.result == REPORT_DONE)
                        rs->arrived = report;
                else
                        report_done(&report);
        }
}

void reports_restore(Manager *m) {
        Reports *rs = &m->reports;
        Report report = {};

        if (!rs->store.directory)
                return;
        read_list(m);
        take_up(m);
        if (read_under_way(m, &report)) {
                rs->next_id = MAX(rs->next_id, report.id + 1);
                if (streq(report.from_boot, m->state.head.boot_id))
                        rs->departing = report;
                else if (m->booted_by_live_update && rs->arrived.id == 0)
                        rs->arrived = report;
                else {
                        complete_lost(m, &report);
                        report_done(&report);
                }
        } else if (m->booted_by_live_update && rs->arrived.id == 0)
                rs->arrived = (Report) { .id = rs->next_id++, .road = REPORT_ROAD_UNANNOUNCED };

        if (rs->arrived.id > 0 && rs->arrived.to_boot[0] == '\0')
                complete_arrived(m);
        write_last_boot(m);
}

/* --- what becomes of it */

void reports_claimed(Manager *m, Session *s) {
        Reports *rs = &m->reports;
        ReportSession *to = report_find_session(&rs->arrived, s);
        bool first;

        if (!to)
                return;
        for (size_t i = 0; i < to->n_files; i++) {
                File *f = session_find_file(s, to->files[i].token);

                if (f && f->record.state == FILE_RETRIEVED)
                        to->files[i].outcome = REPORT_FILE_RETRIEVED;
        }
        first = !report_stamp_is_known(rs->arrived.times + REPORT_TIME_FIRST_CLAIM);
        if (!report_stamp_is_known(&to->claimed))
                to->claimed = report_stamp_now(m->state.head.boot_id);
        if (to->outcome == REPORT_UNCLAIMED)
                to->outcome = REPORT_CLAIMED;
        if (first)
                rs->arrived.times[REPORT_TIME_FIRST_CLAIM] = to->claimed;
        reports_changed(m, &rs->arrived_changed);
        if (first && rs->hooks.claimed)
                rs->hooks.claimed(&rs->arrived, rs->hooks.userdata);
}

void reports_ended(Manager *m, const Session *s, ReportOutcome how) {
        ReportSession *to = report_find_session(&m->reports.arrived, s);

        if (!to || report_stamp_is_known(&to->finished))
                return;
        to->outcome = how;
        to->finished = report_stamp_now(m->state.head.boot_id);
        m->reports.arrived.times[REPORT_TIME_LAST_FINISH] = to->finished;
        reports_changed(m, &m->reports.arrived_changed);
}

void reports_file_failed(Manager *m, const Session *s, const File *file) {
        ReportSession *to = report_find_session(&m->reports.arrived, s);
        ReportFile *f = to ? report_session_find_file(to, file->record.token) : NULL;

        if (!f)
                return;
        note_file(f, file);
        to->outcome = REPORT_GONE_BAD;
        report_set_text(to->why, sizeof(to->why), "the kernel could not bring back all of its files");
        reports_changed(m, &m->reports.arrived_changed);
}

/* --- reading */

/* A copy of one in memory, by way of its text. */
static int report_copy(const Report *report, Report *ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = report_encode(report, /* viewer= */ 0, &text);
        return r < 0 ? r : report_decode(text, strlen(text), ret);
}

int reports_get(Manager *m, uint64_t id, Report *ret) {
        Reports *rs = &m->reports;
        char name[24];

        if (id == 0)
                return -ENOENT;
        if (rs->departing.id == id)
                return report_copy(&rs->departing, ret);
        if (rs->arrived.id == id)
                return report_copy(&rs->arrived, ret);
        (void) snprintf(name, sizeof(name), "%" PRIu64, id);
        return report_store_get(&rs->store, name, ret);
}

int reports_get_newest(Manager *m, Report *ret) {
        Reports *rs = &m->reports;
        uint64_t id = reports_under_way(m) ? rs->departing.id : 0;

        for (size_t i = 0; i < rs->n_list; i++)
                id = MAX(id, rs->list[i].id);
        return reports_get(m, id, ret);
}

int reports_for_each(Manager *m, int (*each)(const ReportSummary *summary, void *userdata), void *userdata) {
        int r = 0;

        for (size_t i = 0; i < m->reports.n_list && r >= 0; i++)
                r = each(m->reports.list + i, userdata);
        if (r >= 0 && reports_under_way(m)) {
                ReportSummary s = report_summarize(&m->reports.departing);

                r = each(&s, userdata);
        }
        return r;
}
