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
#include "objects.h"
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
        bool incoming;       /* the kernel says so: there is an incoming session of that name, and it is somebody's */
} Found;

typedef struct Restore {
        Manager *manager;
        char boot_id[BOOT_ID_SIZE];
        Found *found;
        size_t n_found;
        bool same_boot;      /* the ledger of this boot was there */
        bool complete;       /* and it was intact: what it does not know does not exist */
} Restore;

/* Not a word about what is kept: the start fails, and the next one finds everything as it is. */
static bool is_transient(int error) {
        return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EINTR || error == -EAGAIN;
}

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
        *f = (Found) { .fd = TAKE_FD(*fd), .stored = stored, .incoming = !stored };
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

                number = strtoull(fds[i].fdname + (fds[i].fdname[0] == LEDGER_FDNAME_PREFIX), &end, 16);
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

static Found *found_find(Restore *r, const char *kname) {
        for (size_t i = 0; i < r->n_found; i++)
                if (streq(r->found[i].kname, kname))
                        return r->found + i;
        return NULL;
}

/* Index files are of outgoing sessions. */
static bool index_file_is_there(const Manager *m, const char *kname) {
        char name[LUO_NAME_SIZE + 16], path[PATH_MAX];

        (void) snprintf(name, sizeof(name), "index/%s.0", kname);
        path_in(m, name, path);
        return access(path, F_OK) >= 0;
}

static void name_to_try(Manager *m, const char *kname, NamedSession *ret) {
        (void) snprintf(ret->kname, sizeof(ret->kname), "%.*s", (int) sizeof(ret->kname) - 1, kname);
        (void) snprintf(ret->fdname, sizeof(ret->fdname), "%llx", (unsigned long long) m->state.head.next_fdname++);
}

/* In a boot's first start all names are tried, later only those that are known and missing. And those of sessions of which
 * only the kernel knows the direction: some kernels take a session apart when asked for an outgoing one's files, so they
 * are not asked before that is clear. */
static size_t names_to_try(Restore *r, NamedSession *ret) {
        Manager *m = r->manager;
        size_t n = 0;
        Part *p;

        if (r->same_boot) {
                LIST_FOREACH(&m->state.parts, Part, state_link, p)
                        if (!p->outgoing && kernel_name_parse(p->record.kname, NULL, NULL) &&
                            !found_find(r, p->record.kname) && n < 2 * PART_NUMBER_END)
                                name_to_try(m, p->record.kname, ret + n++);
                for (size_t i = 0; i < r->n_found && n < 2 * PART_NUMBER_END; i++)
                        if (!state_find_part(&m->state, r->found[i].kname) && !index_file_is_there(m, r->found[i].kname))
                                name_to_try(m, r->found[i].kname, ret + n++);
                return n;
        }

        for (char series = 'a'; series <= 'b'; series++)
                for (uint32_t i = 0; i < PART_NUMBER_END; i++) {
                        char kname[KERNEL_NAME_SIZE];

                        kernel_name_format(series, i, kname);
                        name_to_try(m, kname, ret + n++);
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
        if (error < 0)
                return error;
        for (size_t i = 0; i < n; i++) {
                Found *f = found_find(r, names[i].kname);

                if (f && names[i].fd == -EINVAL)
                        f->incoming = true;
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
        void *page = NULL; /* gcc -O3 does not see that it is set */
        int r;

        r = retrieve_index_page(luo, session, 0, &page);
        if (r < 0)
                return r;
        r = index_page_get_head(page, ret);
        (void) munmap(page, INDEX_PAGE_SIZE);
        return r;
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

/* --- reading the ledger */

static void state_reset(State *state, const char *boot_id) {
        uint64_t next_fdname = state->head.next_fdname;

        state_done(state);
        state_init(state);
        state->head.next_fdname = next_fdname;
        state->head.next_sid = 1;
        state->head.series = 'a';
        (void) snprintf(state->head.boot_id, sizeof(state->head.boot_id), "%s", boot_id);
}

static LedgerHealth judge_ledger(int error, const LedgerDamage *damage) {
        if (error == -EPROTONOSUPPORT)
                return LEDGER_NEWER;
        if (error < 0)
                return LEDGER_REBUILT;
        return damage->n_records > 0 || damage->gap ? LEDGER_DAMAGED : LEDGER_INTACT;
}

static void set_health(Restore *r, LedgerHealth health) {
        r->manager->ledger_health = health;
        r->complete = health == LEDGER_INTACT;
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
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 && errno != EISDIR && errno != ELOOP && errno != ENXIO)
                return -errno;

        error = fd < 0 ? -ENODATA : store_open(&m->store, &m->state, &fd, /* writable= */ true, &damage);
        if (error >= 0 && !streq(m->state.head.boot_id, r->boot_id)) {
                store_done(&m->store);
                error = -ENODATA;
        }
        if (error < 0 && error != -ENODATA && error != -EPROTONOSUPPORT)
                return error == -ENOENT ? -EIO : error; /* says nothing about the ledger */
        set_health(r, judge_ledger(error, &damage));
        if (error < 0) {
                state_reset(&m->state, r->boot_id);
                path_in(m, "ledger.unreadable", aside);
                (void) rename(path, aside);
                return error;
        }
        r->same_boot = true;
        return 0;
}

/* A ledger that came over the live update, read into a state of its own. */
typedef struct Candidate {
        State state;
        LedgerHealth health;
        uint64_t in_service; /* since when: it was linked, and written to; 0: its change-over was cut short */
        bool set;
} Candidate;

static void candidate_done(Candidate *c) {
        if (c->set)
                state_done(&c->state);
        c->set = false;
}

/* Reads the ledger from the kernel session @f, if it holds one: 0; -ENOENT: it does not. */
static int candidate_read(Restore *r, const Found *f, Candidate *ret) {
        Manager *m = r->manager;
        _cleanup_(closep) int fd = -EBADF;
        LedgerDamage damage = {};
        Store old = STORE_NULL;
        IndexHead head;
        int error;

        error = read_incoming_head(m->luo, f->fd, &head);
        if (is_transient(error))
                return error;
        if (error < 0 || head.role != INDEX_LEDGER)
                return -ENOENT;

        state_init(&ret->state);
        ret->set = true;
        ret->in_service = head.created;
        ret->state.head.next_fdname = m->state.head.next_fdname;
        /* In case the ledger's own head record is the damaged one. */
        state_reset(&ret->state, head.boot_id);
        (void) kernel_name_parse(f->kname, &ret->state.head.series, NULL);

        fd = m->luo->retrieve(m->luo, f->fd, LEDGER_KTOKEN);
        if (is_transient(fd))
                return fd;
        error = fd < 0 ? -ENODATA : store_open(&old, &ret->state, &fd, /* writable= */ false, &damage);
        store_done(&old);
        if (error < 0 && error != -ENODATA && error != -EPROTONOSUPPORT)
                return error == -ENOENT ? -EIO : error;
        ret->health = judge_ledger(error, &damage);
        (void) snprintf(ret->state.head.previous, sizeof(ret->state.head.previous), "%.*s", (int) KNAME_SIZE - 1,
                        f->kname);
        return 0;
}

/* A readable one before one that is not; one that was in service before one that was not; the later generation; the
 * later in service. */
static bool candidate_is_better(const Candidate *a, const Candidate *b) {
        bool a_reads = a->health < LEDGER_REBUILT, b_reads = b->health < LEDGER_REBUILT;

        if (!b->set || a_reads != b_reads)
                return !b->set || a_reads;
        if (!a->in_service != !b->in_service)
                return a->in_service != 0;
        if (a->state.head.generation != b->state.head.generation)
                return a->state.head.generation > b->state.head.generation;
        return a->in_service > b->in_service; /* of one boot: the first one's file was lost */
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

static void candidate_take(Restore *r, Candidate *c) {
        Manager *m = r->manager;

        set_health(r, c->health);
        if (c->health >= LEDGER_REBUILT) /* nothing could be read; it is kept */
                return;

        state_done(&m->state);
        state_move(&m->state, &c->state);
        state_enter_boot(r);
}

/* Of the sessions that the fd store brought, those whose FDNAME says so; all others when none of them reads. */
static int find_candidates(Restore *r, bool by_fdname, Candidate *best) {
        for (size_t i = 0; i < r->n_found; i++) {
                const Found *f = r->found + i;
                Candidate c = {};
                IndexHead head;
                int error;

                if (by_fdname != (f->stored && f->fdname[0] == LEDGER_FDNAME_PREFIX))
                        continue;
                if (!f->incoming || read_outgoing_head(r->manager, f, &head) != -ENOENT) /* made in this boot */
                        continue;
                error = candidate_read(r, f, &c);
                if (error >= 0 && candidate_is_better(&c, best)) {
                        candidate_done(best);
                        *best = c;
                        state_move(&best->state, &c.state);
                }
                candidate_done(&c);
                if (error < 0 && error != -ENOENT)
                        return error;
        }
        return 0;
}

static int find_incoming_ledger(Restore *r) {
        Candidate best = {};
        int error;

        error = find_candidates(r, /* by_fdname= */ true, &best);
        if (error >= 0 && (!best.set || best.health >= LEDGER_REBUILT))
                error = find_candidates(r, /* by_fdname= */ false, &best);
        if (error >= 0) {
                error = best.set ? 0 : -ENOENT;
                if (best.set)
                        candidate_take(r, &best);
        }
        candidate_done(&best);
        return error;
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
                if (is_transient(r))
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
                if (is_transient(head_error))
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

/* The index head of a part that has its fd. */
static int part_read_head(Manager *m, const Part *p, IndexHead *ret) {
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
        if (is_transient(error))
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
                if (is_transient(error))
                        return error;
        }
        error = part_check_owner(r, p);
        if (error >= 0 && !r->complete && p->session)
                error = part_fill_from_index(m, p);
        return error;
}

static int attach_found(Restore *r) {
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
        int error;
        Part *p;

        error = read_own_ledger(r);
        if (error < 0 && error != -ENOENT && error != -ENODATA && error != -EPROTONOSUPPORT)
                return error;
        if (error == -ENOENT)
                set_health(r, LEDGER_INTACT);

        error = found_by_name(r);
        if (error < 0)
                return error;

        if (!r->same_boot && m->ledger_health == LEDGER_INTACT) {
                error = find_incoming_ledger(r);
                if (error < 0 && error != -ENOENT)
                        return error;
                if (error == -ENOENT && any_sessions_found(r))
                        set_health(r, LEDGER_REBUILT);
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
        state_reset(&m->state, boot_id);
        m->support = luo_probe_support(m->luo);
        if (m->support != LUO_SUPPORTED)
                return 0;

        error = luo_probe_features(m->luo, DEVICE_BUSY_TIMEOUT_USEC);
        if (error >= 0) /* else, the device being somebody's say, luod trusts the kernel with nothing */
                m->features = (unsigned) error;

        path_in(m, "index", path);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;

        error = found_from_custody(&r, found, n_found);
        if (error >= 0)
                error = restore_all(&r);
        free(r.found); /* fds that were not taken stay open: they are not ours to close */
        return error;
}
