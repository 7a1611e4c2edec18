/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects.h"
#include "operations.h"
#include "parking.h"
#include "parts.h"
#include "restore-internal.h"

/* What is there at a start, and how it is put together.
 *
 * Kernel sessions come as fds from the fd store, and by name (by-name.h). The ledger says what they are. It is
 * either this boot's, a file in the runtime directory, or it came over the live update in a kernel session of
 * its own. What the ledger does not know, or what of it was damaged, is read from the index pages that each
 * kernel session carries; what has no readable index either is kept, and listed as unknown, owned by root.
 *
 * The change-over after a live update: a complete new ledger in a new kernel session, preserved, in custody,
 * linked to its name; only then the old one is finished. At every instant there is one complete ledger, and a
 * start in between begins the change-over again. */

bool error_is_transient(int error) {
        return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EINTR || error == -EAGAIN;
}

void runtime_path(const Manager *m, const char *name, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/%s", m->runtime_dir, name);
}

/* With a damaged ledger: whose is what has lost its record. */
static void repair_owners(Restore *r) {
        Manager *m = r->manager;
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                IndexHead head = {};
                Session *s;
                int error;

                if (p->fd < 0 || !p->session || !(p->session->flags & SESSION_OWNER_UNKNOWN))
                        continue;
                error = part_read_head(m, p, &head);
                if (error >= 0 && head.role == INDEX_SESSION && head.sid == p->session->sid)
                        (void) session_from_index(r, &head, p->outgoing, &s);
        }
}

static void part_forget_intents(Manager *m, Part *p) {
        Session *s = p->session;

        for (size_t i = s->n_files; i-- > 0;) {
                File *f = s->files[i];

                if (f->part != p || f->record.state != FILE_INTENT)
                        continue;
                f->record.state = FILE_DROPPED;
                if (m->store.ledger)
                        (void) store_put_file(&m->store, f);
                file_free(&m->state, f);
        }
}

/* A part that nobody has: if it held nothing that was acknowledged it is forgotten, else the session says so. */
static void note_missing_parts(Manager *m) {
        Session *s;
        Part *p;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                LIST_FOREACH(&s->parts, Part, session_link, p) {
                        bool only = s->parts.head.next->next == &s->parts.head;

                        if (p->fd >= 0 || s->record.state != SESSION_LIVE) /* its end was begun: they may be gone */
                                continue;
                        part_forget_intents(m, p);
                        if (p->n_files == 0 && !only) {
                                if (m->store.ledger)
                                        (void) store_put_part_gone(&m->store, p);
                                part_close(&m->state, p);
                        } else
                                s->flags |= SESSION_PARTS_MISSING; /* its files are shown as failed */
                }
}

/* Creations that nobody was told of. */
static void undo_creations(Restore *r) {
        Manager *m = r->manager;
        Session *s;
        Part *p;

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                if (s->record.state != SESSION_NEW)
                        continue;
                if (!r->complete || s->flags != 0 || s->n_files > 0) {
                        /* The record that it was acknowledged may be the damaged one: then it was. */
                        s->record.state = SESSION_LIVE;
                        if (m->store.ledger)
                                (void) store_put_session(&m->store, s);
                        continue;
                }
                LIST_FOREACH(&s->parts, Part, session_link, p) {
                        if (p->outgoing && p->fd >= 0)
                                continue;
                        part_attach(p, NULL);
                        p->leaving = true;
                }
                if (m->store.ledger)
                        operation_undo_creation(m, s);
                else {
                        LIST_FOREACH(&s->parts, Part, session_link, p) {
                                part_attach(p, NULL);
                                p->role = PART_READY;
                                part_write_index_head(m, p);
                        }
                        session_free(&m->state, s);
                }
        }
}

/* Names of index files whose kernel session is gone. */
static void clean_index_files(Manager *m) {
        char path[PATH_MAX];
        struct dirent *de;
        DIR *d;

        runtime_path(m, "index", path);
        d = opendir(path);
        if (!d)
                return;
        while ((de = readdir(d))) {
                char kname[NAME_MAX + 1];
                char *dot;

                (void) snprintf(kname, sizeof(kname), "%s", de->d_name);
                dot = strrchr(kname, '.');
                if (!dot || dot == kname)
                        continue;
                *dot = '\0';
                if (kernel_name_parse(kname, NULL, NULL) && !state_find_part(&m->state, kname))
                        (void) unlinkat(dirfd(d), de->d_name, 0);
        }
        (void) closedir(d);
}

/* The ledger's own kernel session, of this boot: found by its index like every other that the ledger does not
 * name; with the ledger read it is the current one, unless the change-over was cut short. */
static void note_own_ledger_part(Restore *r) {
        Manager *m = r->manager;
        bool found = false;
        Part *p;

        if (!r->same_boot)
                return;
        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                IndexHead head;

                if (!p->outgoing || p->session || p->n_pages == 0 || index_page_get_head(p->pages[0], &head) < 0 ||
                    head.role != INDEX_LEDGER)
                        continue;
                /* With the head record damaged it can't be told from one that was not completed: keep both. */
                if (m->state.head.ledger[0] != '\0' && !streq(m->state.head.ledger, p->record.kname))
                        continue;
                p->leaving = false;
                p->role = PART_LEDGER;
                found = true;
        }

        /* It was not in custody when luod died: what it says still holds, but it would not come over the next live
         * update. The change-over makes another one of it. */
        if (!found)
                store_done(&m->store);
}

/* Whether anything found belongs, or may belong, to a session: then there was a ledger in service. Else its very first
 * change-over was cut short. */
static bool any_sessions_found(Restore *r) {
        Manager *m = r->manager;

        if (!list_is_empty(&m->parked))
                return true;
        for (size_t i = 0; i < r->n_found; i++) {
                IndexHead head = {};
                int error = read_outgoing_head(m, r->found + i, &head);

                if (error == -ENOENT)
                        error = r->found[i].incoming ? read_incoming_head(m->luo, r->found[i].fd, &head) : -EBADMSG;
                if (error != -ENODATA && error != -ENOENT && (error < 0 || head.role == INDEX_SESSION))
                        return true;
        }
        return false;
}

static int restore_all(Restore *r) {
        Manager *m = r->manager;
        bool any_incoming = false;
        Parked *parked;
        int error;
        Part *p;

        error = read_own_ledger(r);
        if (error < 0 && error != -ENOENT && error != -ENODATA && error != -EPROTONOSUPPORT)
                return error;
        if (error == -ENOENT)
                restore_set_health(r, LEDGER_INTACT);

        error = found_by_name(r);
        if (error < 0)
                return error;

        if (!r->same_boot && m->ledger_health == LEDGER_INTACT) {
                error = read_incoming_ledger(r);
                if (error < 0 && error != -ENOENT)
                        return error;
                if (error == -ENOENT && any_sessions_found(r))
                        restore_set_health(r, LEDGER_REBUILT);
        }
        if (!r->same_boot && (m->ledger_health >= LEDGER_REBUILT || m->state.head.previous[0] == '\0') &&
            r->n_found > 0) {
                /* Nothing says which series is whose: the incoming ones have none of our names. */
                char series = 'b';

                (void) kernel_name_parse(r->found[0].kname, &series, NULL);
                m->state.head.series = r->found[0].incoming ? (series == 'a' ? 'b' : 'a') : series;
        }

        /* sids of an index must not meet one that is given out before that index was seen. */
        if (m->ledger_health >= LEDGER_REBUILT)
                m->state.head.next_sid = MAX(m->state.head.next_sid, now_realtime());
        LIST_FOREACH(&m->parked, Parked, link, parked)
                m->state.head.next_sid = MAX(m->state.head.next_sid, parked->sid + 1);
        error = attach_found(r);
        if (error < 0)
                return error;
        note_own_ledger_part(r);
        repair_owners(r);
        note_missing_parts(m);
        undo_creations(r);
        objects_rebuild(m);
        clean_index_files(m);

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                any_incoming |= !p->outgoing && p->fd >= 0;
        m->booted_by_live_update = any_incoming || m->state.head.generation > 0;
        return 0;
}

int manager_restore(Manager *m, const char *boot_id, FoundFd *found, size_t n_found) {
        Restore r = { .manager = m };
        char path[PATH_MAX];
        int error;

        (void) snprintf(r.boot_id, sizeof(r.boot_id), "%s", boot_id);
        restore_reset_state(&m->state, boot_id);
        target_restore(m, boot_id);
        error = luo_probe_support(m->luo);
        if (error < 0)
                return error;
        m->support = (LuoSupport) error;
        if (m->support != LUO_SUPPORTED)
                return 0;

        error = luo_probe_features(m->luo, m->config.busy_timeout);
        m->features_error = MIN(error, 0);
        if (error >= 0) /* else, the device being somebody's say, luod trusts the kernel with nothing until it is told */
                m->features = (unsigned) error;

        runtime_path(m, "index", path);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;

        error = found_from_custody(&r, found, n_found);
        if (error >= 0)
                error = restore_all(&r);
        free(r.found); /* fds that were not taken stay open: they are not ours to close */
        return error;
}
