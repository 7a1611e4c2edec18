/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd-util.h"
#include "manager.h"
#include "restored.h"

/* All but what RestoredRecord has is worked out from the sessions, each time that something of them changes: there are a
 * thousand of them at the most, and so a death at any instant leaves nothing that does not agree. */

/* --- what each session is */

const char *claim_to_string(Claim claim) {
        static const char *const names[_CLAIM_MAX] = {
                [CLAIM_NONE] = "",
                [CLAIM_WAITING] = "unclaimed",
                [CLAIM_CLAIMED] = "claimed",
                [CLAIM_FAILED] = "failed",
        };

        return claim >= 0 && claim < _CLAIM_MAX ? names[claim] : NULL;
}

int session_get_error(const Session *s) {
        if (s->record.direction != DIRECTION_INCOMING)
                return 0;
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->record.state == FILE_FAILED && s->files[i]->record.error > 0)
                        return s->files[i]->record.error;
        return s->flags & SESSION_PARTS_MISSING ? ENODATA : 0;
}

Claim session_get_claim(const Session *s) {
        if (s->record.direction != DIRECTION_INCOMING)
                return CLAIM_NONE;
        if (session_get_error(s) > 0)
                return CLAIM_FAILED;
        return s->record.claimed > 0 ? CLAIM_CLAIMED : CLAIM_WAITING;
}

/* --- all of them */

static RestoredCounts count(const Manager *m) {
        RestoredCounts c = {};
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                Claim claim = session_get_claim(s);

                if (claim == CLAIM_NONE) {
                        c.renewed += s->record.created_generation < m->state.head.generation;
                        continue;
                }
                c.incoming++;
                c.by_claim[claim]++;
                c.flagged += s->flags != 0;
                if (c.error == 0)
                        c.error = session_get_error(s);
        }
        c.ended = m->restored.record.n_sessions - MIN(m->restored.record.n_sessions, c.incoming + c.renewed);
        return c;
}

static RestoreStage stage_of(const Manager *m, const RestoredCounts *c) {
        if (!m->booted_by_live_update)
                return RESTORE_NONE;
        if (c->incoming == 0)
                return RESTORE_FINISHED;
        return c->by_claim[CLAIM_WAITING] == 0 ? RESTORE_CLAIMED : RESTORE_RESTORED;
}

/* Why the host is impaired. False: it is not. */
static bool find_impairment(const Manager *m, const RestoredCounts *c, char *ret, size_t size) {
        if (m->support == LUO_IMPAIRED)
                (void) snprintf(ret, size, "%s", luo_support_message(m->support));
        else if (c->by_claim[CLAIM_FAILED] > 0)
                (void) snprintf(ret, size, "Of %u of %u sessions not everything came back: %s. 'luoctl status' names them",
                                c->by_claim[CLAIM_FAILED], c->incoming, strerror(c->error));
        else if (c->incoming > 0 && m->ledger_health >= LEDGER_REBUILT)
                (void) snprintf(ret, size, "The ledger did not come over: metadata of %u sessions is not known", c->incoming);
        else if (c->flagged > 0)
                (void) snprintf(ret, size, "Of %u of %u sessions not everything is known. 'luoctl show' says of what",
                                c->flagged, c->incoming);
        else {
                ret[0] = '\0';
                return false;
        }
        return true;
}

/* --- /run/luod/restore */

static void record_path(const Manager *m, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/restore", m->runtime_dir);
}

static void record_write(Manager *m) {
        char path[PATH_MAX], text[RESTORED_RECORD_SIZE];

        record_path(m, path);
        restored_record_encode(&m->restored.record, text);
        (void) write_small_file(path, text);
}

static void record_read(Manager *m) {
        RestoredRecord *record = &m->restored.record;
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        RestoredCounts c;

        record_path(m, path);
        if (read_small_file(path, &text) >= 0 && restored_record_decode(text, record) >= 0 &&
            streq(record->boot_id, m->state.head.boot_id))
                return;

        *record = (RestoredRecord) {};
        (void) snprintf(record->boot_id, sizeof(record->boot_id), "%s", m->state.head.boot_id);
        c = count(m);
        record->n_sessions = c.incoming + c.renewed;
        record_write(m);
}

/* --- /run/luod/incoming/ */

/* Names are valid from CreateSession() on; those in a ledger that was damaged may be anything. */
static bool is_file_name(const char *name) {
        return name[0] != '\0' && name[0] != '.' && !strchr(name, '/');
}

static bool is_claimable(const Session *s) {
        return s->record.direction == DIRECTION_INCOMING && s->record.state != SESSION_FINISHING &&
               s->record.state != SESSION_DISCARDING && is_file_name(s->record.name);
}

static int incoming_open(const Manager *m) {
        char path[PATH_MAX];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/incoming", m->runtime_dir);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

/* Of another boot, or of a session that ended when luod died. */
static void incoming_remove_stale(Manager *m, int dir) {
        int fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *de;

        if (!d) {
                safe_close(fd);
                return;
        }
        while ((de = readdir(d))) {
                Session *s = state_find_session(&m->state, de->d_name);

                if (de->d_name[0] != '.' && (!s || !is_claimable(s)))
                        (void) unlinkat(dir, de->d_name, 0);
        }
        (void) closedir(d);
}

static void incoming_add(int dir, const Session *s) {
        _cleanup_(closep) int fd = openat(dir, s->record.name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd >= 0)
                (void) dprintf(fd, "%zu\n", s->n_files);
}

static void incoming_rebuild(Manager *m) {
        _cleanup_(closep) int dir = incoming_open(m);
        Session *s;

        if (dir < 0)
                return;
        incoming_remove_stale(m, dir);
        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (is_claimable(s))
                        incoming_add(dir, s);
}

static void incoming_remove(Manager *m, const Session *s) {
        _cleanup_(closep) int dir = is_file_name(s->record.name) ? incoming_open(m) : -EBADF;

        if (dir >= 0)
                (void) unlinkat(dir, s->record.name, 0);
}

/* --- units */

static void note_unit(Manager *m, RestoredUnit unit) {
        m->restored.record.units |= 1U << unit;
        record_write(m);
}

static void on_unit_started(int error, void *userdata) {
        const RestoredStart *u = userdata;
        Restored *r = &u->manager->restored;

        r->units_under_way &= ~(1U << u->unit);
        if (error != -ETIMEDOUT && error != -ENOTCONN) /* else it is tried again with the next change, or start */
                note_unit(u->manager, u->unit);
}

static const char *unit_name(const Manager *m, RestoredUnit unit, bool *ret_optional) {
        const char *names[_RESTORED_UNIT_MAX] = {
                [RESTORED_UNIT_RESTORED] = m->config.on_restored ? m->config.on_restored : RESTORED_TARGET,
                [RESTORED_UNIT_CLAIMED] = m->config.on_claimed,
                [RESTORED_UNIT_FINISHED] = m->config.on_finished,
                [RESTORED_UNIT_IMPAIRED] = m->config.on_impaired,
        };

        *ret_optional = unit == RESTORED_UNIT_RESTORED && !m->config.on_restored;
        return names[unit];
}

static void start_unit(Manager *m, RestoredUnit unit) {
        bool optional;
        const char *name = unit_name(m, unit, &optional);
        RestoredStart *u = m->restored.starts + unit;

        if (!name) { /* not even if one is configured later: the moment has passed */
                note_unit(m, unit);
                return;
        }
        if (!m->unit_starter || m->stopping) /* the next start does it */
                return;
        *u = (RestoredStart) { .manager = m, .unit = unit };
        m->restored.units_under_way |= 1U << unit;
        if (m->unit_starter->ops->start(m->unit_starter, name, optional, on_unit_started, u) < 0)
                on_unit_started(-ENOTCONN, u);
}

static void start_units(Manager *m, RestoreStage stage, bool impaired) {
        Restored *r = &m->restored;
        unsigned wanted = impaired ? 1U << RESTORED_UNIT_IMPAIRED : 0;

        if (stage >= RESTORE_RESTORED)
                wanted |= 1U << RESTORED_UNIT_RESTORED;
        if (stage >= RESTORE_CLAIMED)
                wanted |= 1U << RESTORED_UNIT_CLAIMED;
        if (stage >= RESTORE_FINISHED)
                wanted |= 1U << RESTORED_UNIT_FINISHED;

        if (!impaired && r->record.units & (1U << RESTORED_UNIT_IMPAIRED)) {
                r->record.units &= ~(1U << RESTORED_UNIT_IMPAIRED);
                record_write(m);
        }
        for (RestoredUnit unit = 0; unit < _RESTORED_UNIT_MAX; unit++)
                if (wanted & ~r->record.units & ~r->units_under_way & (1U << unit))
                        start_unit(m, unit);
}

/* --- what happens */

static void tell_counts(Manager *m, const RestoredCounts *before, const RestoredCounts *now) {
        if (before->incoming != now->incoming)
                manager_emit(m, "NIncoming");
        if (before->by_claim[CLAIM_WAITING] != now->by_claim[CLAIM_WAITING])
                manager_emit(m, "NUnclaimed");
        if (before->by_claim[CLAIM_CLAIMED] != now->by_claim[CLAIM_CLAIMED])
                manager_emit(m, "NClaimed");
        if (before->by_claim[CLAIM_FAILED] != now->by_claim[CLAIM_FAILED])
                manager_emit(m, "NFailed");
        if (before->renewed != now->renewed)
                manager_emit(m, "NRenewed");
        if (before->ended != now->ended)
                manager_emit(m, "NEnded");
}

static void update(Manager *m) {
        static const char *const stages[] = {
                [RESTORE_NONE] = "none",
                [RESTORE_RESTORED] = "restored",
                [RESTORE_CLAIMED] = "claimed",
                [RESTORE_FINISHED] = "finished",
        };
        Restored *r = &m->restored;
        RestoredCounts before = r->counts;
        char message[sizeof(r->message)];
        const char *state;
        RestoreStage stage;
        bool impaired;

        if (!r->started)
                return;
        r->counts = count(m);
        stage = stage_of(m, &r->counts);
        impaired = find_impairment(m, &r->counts, message, sizeof(message));
        state = impaired ? "impaired" : stages[stage];

        tell_counts(m, &before, &r->counts);
        if (!streq(r->message, message)) {
                (void) snprintf(r->message, sizeof(r->message), "%s", message);
                manager_emit(m, "RestoreMessage");
        }
        if (!streq(r->state, state)) {
                (void) snprintf(r->state, sizeof(r->state), "%s", state);
                manager_emit(m, "Restore");
        }
        start_units(m, stage, impaired);
}

void restored_start(Manager *m) {
        m->restored.started = true;
        record_read(m);
        incoming_rebuild(m);
        update(m);
}

void restored_done(Manager *m) {
        if (m->unit_starter)
                m->unit_starter = m->unit_starter->ops->free(m->unit_starter);
}

static void tell_session(Manager *m, Session *s, const char *property) {
        if (m->hooks.session_changed)
                m->hooks.session_changed(s, property, m->hooks.userdata);
}

void restored_claim(Manager *m, Session *s) {
        if (s->record.direction != DIRECTION_INCOMING || s->record.claimed > 0)
                return;
        s->record.claimed = now_realtime();
        (void) store_put_session(&m->store, s); /* the ledger full: after a restart the next use is the first */
        tell_session(m, s, "Claim");
        tell_session(m, s, "ClaimedTimestamp");
        update(m);
}

void restored_session_failed(Manager *m, Session *s) {
        tell_session(m, s, "Claim");
        tell_session(m, s, "Errno");
        update(m);
}

void restored_session_left(Manager *m, const Session *s) {
        incoming_remove(m, s);
        if (s->link.next) /* it is an outgoing one now */
                tell_session(m, (Session *) s, "Claim");
        update(m);
}
