/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "by-name.h"
#include "index-page.h"
#include "name-util.h"
#include "operations.h"
#include "parts.h"
#include "restore.h"
#include "stop-point.h"

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

typedef struct Found {
        int fd;
        char kname[LUO_NAME_SIZE];
        char fdname[KERNEL_NAME_SIZE];
        bool stored;
} Found;

typedef struct Restore {
        Manager *manager;
        char boot_id[BOOT_ID_SIZE];
        Found *found;
        size_t n_found;
        bool same_boot;      /* the ledger of this boot was there */
        bool complete;       /* and it was intact: what it does not know does not exist */
        bool keep_ledgers;   /* an old ledger can't be read: don't end it */
} Restore;

static void path_in(const Manager *m, const char *name, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/%s", m->runtime_dir, name);
}

/* --- finding kernel sessions */

static int found_add(Restore *r, int *fd, const char *kname, const char *fdname, bool stored) {
        Found *larger = realloc(r->found, (r->n_found + 1) * sizeof(Found));
        Found *f;

        if (!larger)
                return -ENOMEM;
        r->found = larger;
        f = r->found + r->n_found++;
        *f = (Found) { .fd = TAKE_FD(*fd), .stored = stored };
        (void) snprintf(f->kname, sizeof(f->kname), "%s", kname);
        (void) snprintf(f->fdname, sizeof(f->fdname), "%s", fdname);
        return 0;
}

static int found_from_custody(Restore *r, FoundFd *fds, size_t n) {
        Manager *m = r->manager;
        int error;

        for (size_t i = 0; i < n; i++) {
                char kname[LUO_NAME_SIZE];
                uint64_t number;
                char *end;

                number = strtoull(fds[i].fdname, &end, 16);
                if (*end == '\0')
                        m->state.head.next_fdname = MAX(m->state.head.next_fdname, number + 1);

                /* What is no session, or not one of luod's, is left open and in the store: not ours to drop. */
                if (m->luo->session_get_name(m->luo, fds[i].fd, kname) < 0 || !kernel_name_parse(kname, NULL, NULL))
                        continue;
                error = found_add(r, &fds[i].fd, kname, fds[i].fdname, /* stored= */ true);
                if (error < 0)
                        return error;
        }
        return 0;
}

static bool found_has(const Restore *r, const char *kname) {
        for (size_t i = 0; i < r->n_found; i++)
                if (streq(r->found[i].kname, kname))
                        return true;
        return false;
}

/* In a boot's first start all names are tried, later only those that are known and missing. */
static size_t names_to_try(const Restore *r, NamedSession *ret) {
        Manager *m = r->manager;
        size_t n = 0;
        Part *p;

        if (r->same_boot) {
                LIST_FOREACH(&m->state.parts, Part, state_link, p)
                        if (!p->outgoing && kernel_name_parse(p->record.kname, NULL, NULL) &&
                            !found_has(r, p->record.kname) && n < 2 * PART_NUMBER_END)
                                (void) snprintf(ret[n++].kname, KERNEL_NAME_SIZE, "%s", p->record.kname);
                return n;
        }

        for (char series = 'a'; series <= 'b'; series++)
                for (uint32_t i = 0; i < PART_NUMBER_END; i++) {
                        kernel_name_format(series, i, ret[n].kname);
                        n += !found_has(r, ret[n].kname);
                }
        return n;
}

static int found_by_name(Restore *r) {
        Manager *m = r->manager;
        _cleanup_free_ NamedSession *names = calloc(2 * PART_NUMBER_END, sizeof(*names));
        size_t n;
        int error;

        if (!names)
                return -ENOMEM;
        n = names_to_try(r, names);
        error = retrieve_sessions_by_name(m->luo, names, n, m->workers.inline_);
        if (error < 0 && error != -EOWNERDEAD)
                return error;
        for (size_t i = 0; i < n; i++) {
                if (names[i].fd < 0)
                        continue;
                error = found_add(r, &names[i].fd, names[i].kname, names[i].fdname, /* stored= */ false);
                if (error < 0)
                        return error;
        }
        return 0;
}

/* --- index pages of incoming sessions */

/* Maps a copy-on-write view; the caller unmaps INDEX_PAGE_SIZE bytes. -ENOENT: there is no such page. */
static int retrieve_index_page(const LuoOps *luo, int session, uint32_t page, void **ret) {
        _cleanup_(closep) int fd = luo->retrieve(luo, session, index_page_ktoken(page));
        struct stat st;
        void *p;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size != INDEX_PAGE_SIZE)
                return -EBADMSG;
        p = mmap(NULL, INDEX_PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = p;
        return 0;
}

static int read_incoming_head(const LuoOps *luo, int session, IndexHead *ret) {
        void *page;
        int r;

        r = retrieve_index_page(luo, session, 0, &page);
        if (r < 0)
                return r;
        r = index_page_get_head(page, ret);
        (void) munmap(page, INDEX_PAGE_SIZE);
        return r;
}

/* --- reading the ledger */

static void state_reset(Manager *m, const char *boot_id) {
        uint64_t next_fdname = m->state.head.next_fdname;

        state_done(&m->state);
        state_init(&m->state);
        m->state.head.next_fdname = next_fdname;
        m->state.head.next_sid = 1;
        m->state.head.series = 'a';
        (void) snprintf(m->state.head.boot_id, sizeof(m->state.head.boot_id), "%s", boot_id);
}

static void note_ledger(Restore *r, int error, const LedgerDamage *damage) {
        Manager *m = r->manager;

        if (error == -EPROTONOSUPPORT)
                m->ledger_health = LEDGER_NEWER;
        else if (error < 0)
                m->ledger_health = LEDGER_REBUILT;
        else if (damage->n_records > 0 || damage->gap)
                m->ledger_health = LEDGER_DAMAGED;
        else
                m->ledger_health = LEDGER_INTACT;
        r->complete = m->ledger_health == LEDGER_INTACT;
        r->keep_ledgers = error < 0;
}

/* The ledger of this boot. 0: read; -ENOENT: there is none; others: what is there can't be used, and was put
 * aside. */
static int read_own_ledger(Restore *r) {
        Manager *m = r->manager;
        _cleanup_(closep) int fd = -EBADF;
        char path[PATH_MAX], aside[PATH_MAX];
        LedgerDamage damage = {};
        int error;

        path_in(m, "ledger", path);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;

        error = store_open(&m->store, &m->state, &fd, /* writable= */ true, &damage);
        if (error >= 0 && !streq(m->state.head.boot_id, r->boot_id)) {
                store_done(&m->store);
                error = -ENODATA;
        }
        note_ledger(r, error, &damage);
        if (error < 0) {
                state_reset(m, r->boot_id);
                path_in(m, "ledger.unreadable", aside);
                (void) rename(path, aside);
                return error == -ENOENT ? -ENODATA : error;
        }
        r->same_boot = true;
        return 0;
}

/* Reads the ledger from the kernel session @f, if it holds one: 0; -ENOENT: it does not. */
static int read_incoming_ledger(Restore *r, const Found *f) {
        Manager *m = r->manager;
        _cleanup_(closep) int fd = -EBADF;
        LedgerDamage damage = {};
        Store old = STORE_NULL;
        IndexHead head;
        int error;

        if (read_incoming_head(m->luo, f->fd, &head) < 0 || head.role != INDEX_LEDGER)
                return -ENOENT;

        /* In case the ledger's own head record is the damaged one. */
        state_reset(m, head.boot_id);
        (void) kernel_name_parse(f->kname, &m->state.head.series, NULL);

        fd = m->luo->retrieve(m->luo, f->fd, /* token= */ 1);
        error = fd < 0 ? -ENODATA : store_open(&old, &m->state, &fd, /* writable= */ false, &damage);
        note_ledger(r, error, &damage);
        if (error < 0)
                state_reset(m, r->boot_id);
        store_done(&old);
        return error == -ENOENT ? -ENODATA : error;
}

/* The kernel name of a lost part will be used again. */
static void part_rename_lost(State *state, Part *p) {
        Session *s = p->session;

        if (!kernel_name_parse(p->record.kname, NULL, NULL))
                return;
        (void) snprintf(p->record.kname, sizeof(p->record.kname), "lost-%llx",
                        (unsigned long long) state->head.next_fdname++);
        for (size_t i = 0; s && i < s->n_files; i++)
                if (s->files[i]->part == p)
                        memcpy(s->files[i]->record.part, p->record.kname, sizeof(p->record.kname));
}

/* What was outgoing when the ledger was written came in with this boot; what was incoming then did not go through
 * another update, and is lost: its parts will be missing. */
static void state_enter_boot(Restore *r) {
        Manager *m = r->manager;
        State *state = &m->state;
        Session *s;
        Part *p;

        LIST_FOREACH(&state->parts, Part, state_link, p)
                if (p->outgoing)
                        p->outgoing = false;
                else
                        part_rename_lost(state, p);

        state->head.generation++;
        state->head.series = state->head.series == 'a' ? 'b' : 'a';
        (void) snprintf(state->head.boot_id, sizeof(state->head.boot_id), "%s", r->boot_id);

        LIST_FOREACH(&state->sessions, Session, link, s)
                s->record.direction = DIRECTION_INCOMING;
}

/* N is 0 for the ledger in most boots, so that is looked at first. */
static int find_incoming_ledger(Restore *r) {
        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < r->n_found; i++) {
                        uint32_t number;
                        int error;

                        if (!kernel_name_parse(r->found[i].kname, NULL, &number) || (number == 0) != (pass == 0))
                                continue;
                        error = read_incoming_ledger(r, r->found + i);
                        if (error == -ENOENT)
                                continue;
                        if (error >= 0)
                                state_enter_boot(r);
                        return error;
                }
        return -ENOENT;
}

/* --- putting them together */

static int part_map_pages(Manager *m, Part *p) {
        int r;

        while ((r = part_map_next_page(m, p)) >= 0)
                ;
        return r == -ENOENT ? 0 : r;
}

/* The session of an index: the one with its sid, made if there is none. */
static int session_from_index(Restore *r, const IndexHead *head, bool outgoing, Session **ret) {
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
        if (s && s->flags & SESSION_OWNER_UNKNOWN) {
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
        if (m->ledger_health != LEDGER_DAMAGED)
                m->state.head.generation = MAX(m->state.head.generation, head->created_generation + !outgoing);
        *ret = s;
        return 0;
}

static void file_from_slot(Manager *m, Part *part, const void *page, uint32_t number, unsigned slot) {
        FileRecord record = {};
        File *f;
        int r;

        r = index_page_get_file(page, number, slot, &record);
        if (r == -EBADMSG)
                part->session->flags |= SESSION_FILES_DAMAGED;
        if (r < 0)
                return;

        f = session_find_file(part->session, record.token);
        if (!f)
                (void) file_new(&m->state, part, &record, NULL);
        else if (f->record.state == FILE_INTENT)
                f->record.state = record.state;
}

/* Adds what the index pages of @part know and the ledger does not. */
static void part_fill_from_index(Manager *m, Part *part) {
        if (part->outgoing) {
                for (uint32_t i = 0; i < part->n_pages; i++)
                        for (unsigned slot = 0; slot < INDEX_SLOTS; slot++)
                                file_from_slot(m, part, part->pages[i], i, slot);
                return;
        }

        for (uint32_t i = 0;; i++) {
                void *page;
                int r = retrieve_index_page(m->luo, part->fd, i, &page);

                if (r == -ENOENT)
                        return;
                if (r < 0) {
                        part->session->flags |= SESSION_FILES_DAMAGED;
                        return;
                }
                for (unsigned slot = 0; slot < INDEX_SLOTS; slot++)
                        file_from_slot(m, part, page, i, slot);
                (void) munmap(page, INDEX_PAGE_SIZE);
        }
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
        error = session_new(&m->state, m->state.head.next_sid, &record, &s);
        if (error < 0)
                return error;
        s->flags |= SESSION_OWNER_UNKNOWN | SESSION_UNINDEXED;
        part_attach(part, s);
        return 0;
}

/* A kernel session that the ledger does not know: by its index. */
static int part_adopt(Restore *r, Part *part, int head_error, const IndexHead *head) {
        Manager *m = r->manager;
        Session *s;
        int error;

        if (head_error < 0 && head_error != -ENODATA)
                return part_adopt_unknown(r, part);

        part->role = PART_UNKNOWN;
        if (head_error == -ENODATA || head->role == INDEX_SPARE) {
                if (part->outgoing)
                        part->role = PART_READY;
                else
                        part->leaving = true; /* it is empty */
                return 0;
        }
        if (head->role == INDEX_LEDGER) {
                /* An earlier boot's, or one of this boot that was not completed. */
                part->leaving = !r->keep_ledgers;
                return 0;
        }

        part->record.many = head->many;
        error = session_from_index(r, head, part->outgoing, &s);
        if (error < 0)
                return error;
        part_attach(part, s);
        part_fill_from_index(m, part);
        return 0;
}

/* Whether the index file of this boot is there: then the session was made in it. */
static int read_outgoing_head(Manager *m, const Found *f, IndexHead *ret) {
        _cleanup_(closep) int fd = -EBADF;
        char name[LUO_NAME_SIZE + 16], path[PATH_MAX];
        char page[INDEX_PAGE_SIZE];

        (void) snprintf(name, sizeof(name), "index/%s.0", f->kname);
        path_in(m, name, path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (pread(fd, page, sizeof(page), 0) != sizeof(page))
                return -EBADMSG;
        return index_page_get_head(page, ret);
}

static int adopt_found(Restore *r, Found *f) {
        Manager *m = r->manager;
        PartRecord record = {};
        IndexHead head = {};
        int error, head_error;
        bool outgoing;
        Part *part;

        head_error = read_outgoing_head(m, f, &head);
        outgoing = head_error != -ENOENT;
        if (!outgoing) {
                head_error = read_incoming_head(m->luo, f->fd, &head);
                if (head_error == -ENOENT) /* it was finished already, or is empty: index page 0 is the first file */
                        head_error = -ENODATA;
                if (head_error == -EINVAL) { /* an outgoing one, whose index file is gone */
                        outgoing = true;
                        head_error = -EBADMSG;
                }
        }

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

static int attach_found(Restore *r) {
        Manager *m = r->manager;

        for (size_t i = 0; i < r->n_found; i++) {
                Found *f = r->found + i;
                Part *p = state_find_part(&m->state, f->kname);
                int error;

                if (!p || p->fd >= 0) {
                        error = p ? 0 : adopt_found(r, f);
                        if (error < 0)
                                return error;
                        continue;
                }
                (void) snprintf(p->record.fdname, sizeof(p->record.fdname), "%.*s", (int) FDNAME_SIZE - 1, f->fdname);
                p->in_custody = f->stored;
                part_take_fd(p, &f->fd);
                if (p->outgoing)
                        (void) part_map_pages(m, p);
                if (!r->complete && p->session)
                        part_fill_from_index(m, p);
        }
        return 0;
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
                error = p->outgoing ? (p->n_pages > 0 ? index_page_get_head(p->pages[0], &head) : -ENODATA)
                                    : read_incoming_head(m->luo, p->fd, &head);
                if (error >= 0 && head.role == INDEX_SESSION && head.sid == p->session->sid)
                        (void) session_from_index(r, &head, p->outgoing, &s);
        }
}

static void part_forget_files(Manager *m, Part *p, bool only_intents) {
        Session *s = p->session;

        for (size_t i = s->n_files; i-- > 0;) {
                File *f = s->files[i];

                if (f->part != p || (only_intents && f->record.state != FILE_INTENT))
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
                        part_forget_files(m, p, /* only_intents= */ true);
                        if (p->n_files == 0 && !only)
                                part_close(&m->state, p);
                        else
                                s->flags |= SESSION_PARTS_MISSING;
                }
}

/* Creations that nobody was told of. */
static void undo_creations(Manager *m) {
        Session *s;
        Part *p;

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                if (s->record.state != SESSION_NEW)
                        continue;
                LIST_FOREACH(&s->parts, Part, session_link, p) {
                        part_forget_files(m, p, /* only_intents= */ false);
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

        path_in(m, "index", path);
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
        }
}

static int restore_all(Restore *r) {
        Manager *m = r->manager;
        bool any_incoming = false;
        int error;
        Part *p;

        error = read_own_ledger(r);
        if (error == -ENOMEM)
                return error;
        if (error == -ENOENT) {
                m->ledger_health = LEDGER_INTACT;
                r->complete = true;
        }

        error = found_by_name(r);
        if (error < 0)
                return error;

        if (!r->same_boot && m->ledger_health == LEDGER_INTACT) {
                error = find_incoming_ledger(r);
                if (error == -ENOMEM)
                        return error;
                if (error == -ENOENT && r->n_found > 0) {
                        m->ledger_health = LEDGER_REBUILT;
                        r->complete = false;
                }
        }
        if (!r->same_boot && m->ledger_health >= LEDGER_REBUILT && r->n_found > 0) {
                /* Nothing says which series is whose: the incoming ones have none of our names. */
                IndexHead head;
                char series = 'b';

                (void) kernel_name_parse(r->found[0].kname, &series, NULL);
                m->state.head.series = read_outgoing_head(m, r->found, &head) == -ENOENT ?
                                (series == 'a' ? 'b' : 'a') : series;
        }

        error = attach_found(r);
        if (error < 0)
                return error;
        note_own_ledger_part(r);
        repair_owners(r);
        note_missing_parts(m);
        undo_creations(m);
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
        state_reset(m, boot_id);
        m->support = luo_probe_support(m->luo);
        if (m->support != LUO_SUPPORTED)
                return 0;

        path_in(m, "index", path);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;

        error = found_from_custody(&r, found, n_found);
        if (error >= 0)
                error = restore_all(&r);
        free(r.found); /* fds that were not taken stay open: they are not ours to close */
        return error;
}
