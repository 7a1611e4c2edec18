/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/mman.h>

#include "fd-util.h"
#include "parts.h"
#include "restore-internal.h"

static int part_map_pages(Manager *m, Part *p) {
        int r;

        while ((r = part_map_next_page(m, p)) >= 0)
                ;
        return r == -ENOENT ? 0 : r;
}

int session_from_index(Restore *r, const IndexHead *head, bool outgoing, Session **ret) {
        Manager *m = r->manager;
        Session *s = state_find_session_by_sid(&m->state, head->sid);
        SessionRecord record = {
                .uid = head->uid,
                .direction = outgoing ? DIRECTION_OUTGOING : DIRECTION_INCOMING,
                .state = SESSION_LIVE,
                .created = head->created,
                .created_generation = head->created_generation,
                .answered = true,
        };
        int error;

        (void) snprintf(record.name, sizeof(record.name), "%s", head->name);
        if (s && s->flags & SESSION_OWNER_UNKNOWN && !(s->flags & SESSION_UNINDEXED)) {
                s->record = record;
                s->flags &= ~(unsigned) SESSION_OWNER_UNKNOWN;
        }
        if (!s) {
                if (state_find_session(&m->state, record.name)) /* a damaged ledger: the name must stay unique */
                        (void) snprintf(record.name, sizeof(record.name), "recovered-%llu",
                                        (unsigned long long) head->sid);
                error = session_new(&m->state, head->sid, &record, &s);
                if (error < 0)
                        return error;
        }
        if (m->ledger_health >= LEDGER_REBUILT) /* an index has none: nobody knows whether there was any */
                s->flags |= SESSION_METADATA_DAMAGED;
        if (m->ledger_health != LEDGER_DAMAGED)
                m->state.head.generation = MAX(m->state.head.generation, head->created_generation + !outgoing);
        *ret = s;
        return 0;
}

static int file_from_slot(Manager *m, Part *part, const void *page, uint32_t number, unsigned slot) {
        FileRecord record = {};
        File *f;
        int r;

        r = index_page_get_file(page, number, slot, &record);
        if (r == -EBADMSG)
                part->session->flags |= SESSION_FILES_DAMAGED;
        if (r < 0)
                return 0;

        f = session_find_file(part->session, record.token);
        if (!f)
                return file_new(&m->state, part, &record, NULL);
        if (f->record.state == FILE_INTENT)
                f->record.state = record.state;
        return 0;
}

static int files_from_page(Manager *m, Part *part, const void *page, uint32_t number) {
        int r = 0;

        for (unsigned slot = 0; slot < INDEX_SLOTS && r >= 0; slot++)
                r = file_from_slot(m, part, page, number, slot);
        return r;
}

/* Adds what the index pages of @part know and the ledger does not. A page that can't be read hides no other. */
static int part_fill_from_index(Manager *m, Part *part) {
        int r = 0;

        if (part->outgoing) {
                for (uint32_t i = 0; i < part->n_pages && r >= 0; i++)
                        r = files_from_page(m, part, part->pages[i], i);
                return r;
        }

        for (uint32_t i = 0; r >= 0; i++) {
                void *page;

                r = retrieve_index_page(m->luo, part->fd, i, &page);
                if (r == -ENOENT)
                        return 0;
                if (error_is_transient(r))
                        return r;
                if (r < 0) {
                        part->session->flags |= SESSION_FILES_DAMAGED;
                        r = 0;
                        continue;
                }
                r = files_from_page(m, part, page, i);
                (void) munmap(page, INDEX_PAGE_SIZE);
        }
        return r;
}

/* Nothing says what it is: kept under a name of its own, as root's. */
static int part_adopt_unknown(Restore *r, Part *part) {
        Manager *m = r->manager;
        SessionRecord record = {
                .direction = part->outgoing ? DIRECTION_OUTGOING : DIRECTION_INCOMING,
                .state = SESSION_LIVE,
                .created_generation = m->state.head.generation,
                .answered = true,
        };
        Session *s;
        int error;

        (void) snprintf(record.name, sizeof(record.name), "unknown-%s", part->record.kname);
        if (state_find_session(&m->state, record.name)) /* of an earlier boot */
                (void) snprintf(record.name, sizeof(record.name), "unknown-%llu",
                                (unsigned long long) m->state.head.next_sid);
        error = session_new(&m->state, m->state.head.next_sid, &record, &s);
        if (error < 0)
                return error;
        s->flags |= SESSION_OWNER_UNKNOWN | SESSION_UNINDEXED;
        part_attach(part, s);
        return 0;
}

/* A ledger that is not the one in force: it may be ended when that one says that it was wholly taken over from it, or
 * when it never was in service, its change-over cut short. One that can't be read is kept. */
static bool ledger_may_leave(const Restore *r, const Part *part, const IndexHead *head) {
        const Manager *m = r->manager;

        if (m->ledger_health >= LEDGER_REBUILT)
                return false;
        return streq(m->state.head.previous, part->record.kname) || head->created == 0;
}

/* A kernel session that the ledger does not know: by its index. Those without one come last (PART_UNKNOWN with
 * @unindexed), so that no sid that an index names is given to them. */
static int part_adopt(Restore *r, Part *part, int head_error, const IndexHead *head) {
        Manager *m = r->manager;
        Session *s;
        int error;

        part->role = PART_UNKNOWN;
        if (head_error < 0 && head_error != -ENODATA) {
                part->unindexed = true;
                return 0;
        }

        if (head_error == -ENODATA || head->role == INDEX_SPARE) {
                if (part->outgoing)
                        part->role = PART_READY;
                else
                        part->leaving = true; /* it is empty */
                return 0;
        }
        if (head->role == INDEX_LEDGER) {
                part->leaving = ledger_may_leave(r, part, head);
                return 0;
        }

        part->record.many = head->many;
        error = session_from_index(r, head, part->outgoing, &s);
        if (error < 0)
                return error;
        part_attach(part, s);
        return part_fill_from_index(m, part);
}

static int adopt_found(Restore *r, Found *f) {
        Manager *m = r->manager;
        PartRecord record = {};
        IndexHead head = {};
        int error, head_error;
        bool outgoing;
        Part *part;

        head_error = read_outgoing_head(m, f, &head);
        outgoing = head_error != -ENOENT || !f->incoming;
        if (!outgoing) {
                head_error = read_incoming_head(m->luo, f->fd, &head);
                if (error_is_transient(head_error))
                        return head_error;
                if (head_error == -ENOENT) /* it was finished already, or is empty: index page 0 is the first file */
                        head_error = -ENODATA;
        } else if (head_error == -ENOENT) /* its index file is gone */
                head_error = -EBADMSG;

        (void) snprintf(record.kname, sizeof(record.kname), "%.*s", (int) sizeof(record.kname) - 1, f->kname);
        if (outgoing)
                (void) snprintf(record.boot_id, sizeof(record.boot_id), "%s", r->boot_id);
        error = part_new(&m->state, /* session= */ NULL, &record, &part);
        if (error < 0)
                return error;
        (void) snprintf(part->record.fdname, sizeof(part->record.fdname), "%.*s", (int) FDNAME_SIZE - 1, f->fdname);
        part->in_custody = f->stored;
        part_take_fd(part, &f->fd);
        if (outgoing)
                (void) part_map_pages(m, part);
        return part_adopt(r, part, head_error, &head);
}

int part_read_head(Manager *m, const Part *p, IndexHead *ret) {
        if (!p->outgoing)
                return read_incoming_head(m->luo, p->fd, ret);
        return p->n_pages > 0 ? index_page_get_head(p->pages[0], ret) : -ENODATA;
}

/* The ledger says that @p is its session's; where its index says otherwise, the index is right: a name that was used
 * again, and the record of that damaged or not written. */
static int part_check_owner(Restore *r, Part *p) {
        Manager *m = r->manager;
        IndexHead head = {};
        Session *s;
        int error;

        if (!p->session || (!p->outgoing && r->complete && !(p->session->flags & SESSION_UNINDEXED)))
                return 0;
        error = part_read_head(m, p, &head);
        if (error_is_transient(error))
                return error;
        if (error < 0 || (head.role == INDEX_SESSION && head.sid == p->session->sid))
                return 0;

        if (head.role == INDEX_SESSION) {
                Session *before = p->session;

                part_drop_files(&m->state, p);
                error = session_from_index(r, &head, p->outgoing, &s);
                if (error < 0)
                        return error;
                s->flags |= SESSION_METADATA_DAMAGED;
                part_attach(p, s);
                /* An outgoing part whose index file was deleted was unknown until now. */
                if (before->flags & SESSION_UNINDEXED && list_is_empty(&before->parts))
                        session_free(&m->state, before);
                return part_fill_from_index(m, p);
        }
        if (p->n_files == 0 && head.role == INDEX_SPARE && p->outgoing) {
                if (m->store.ledger)
                        (void) store_put_part_gone(&m->store, p);
                part_attach(p, NULL);
                p->role = PART_READY;
        }
        return 0;
}

static int attach_one(Restore *r, Found *f) {
        Manager *m = r->manager;
        Part *p = state_find_part(&m->state, f->kname);
        int error;

        if (p && !r->same_boot && p->outgoing == f->incoming) { /* the kernel knows better whose name it is now */
                part_rename_lost(&m->state, p);
                p = NULL;
        }
        if (!p)
                return adopt_found(r, f);
        if (p->fd >= 0) /* twice in the store: ours is enough */
                return 0;

        (void) snprintf(p->record.fdname, sizeof(p->record.fdname), "%.*s", (int) FDNAME_SIZE - 1, f->fdname);
        p->in_custody = f->stored;
        part_take_fd(p, &f->fd);
        if (p->outgoing) {
                error = part_map_pages(m, p);
                if (error_is_transient(error))
                        return error;
        }
        error = part_check_owner(r, p);
        if (error >= 0 && !r->complete && p->session)
                error = part_fill_from_index(m, p);
        return error;
}

int attach_found(Restore *r) {
        Manager *m = r->manager;
        int error = 0;
        Part *p;

        for (size_t i = 0; i < r->n_found && error >= 0; i++)
                error = attach_one(r, r->found + i);
        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (p->unindexed && !p->session && error >= 0)
                        error = part_adopt_unknown(r, p);
        return error;
}
