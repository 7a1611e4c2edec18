/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <sys/stat.h>

#include "fd-util.h"
#include "inspect.h"
#include "name-util.h"
#include "objects.h"
#include "operations.h"
#include "parts.h"
#include "probe.h"
#include "stop-point.h"

/* Preserve() and PreserveMany().
 *
 * A single file goes into a part of the session that has room, or a fresh one, which is in custody already:
 *
 *   index pages where the part has no room for the file          (child)
 *   ledger and index: part, file (state "intent")                 preserve:intent
 *   kernel: PRESERVE                                     (child)  preserve:kernel
 *   ledger and index: file (state "kept")                         preserve:commit
 *   answer
 *
 * The kernel cannot give back a single file, so the all-or-nothing of PreserveMany() comes from a part that luod
 * alone holds: until it is in custody, luod's death and every failure undo it whole.
 *
 *   kernel: index pages, PRESERVE of all                 (child)  many:kernel
 *   ledger and index: part, files (state "intent")                many:intent
 *   custody                                                       many:custody
 *   ledger and index: files (state "kept")                        many:commit
 *   answer
 *
 * Before either begins each object is entered into the registry, as a claim: so that of two calls one is refused,
 * whatever the kernel checks. The claim becomes the file's entry with the intent, and is given up only when the kernel
 * has let go of what it took. */

typedef struct Preservation {
        Job job;
        Caller *caller;
        uid_t owner;          /* the session's */
        bool many;
        FileRecord *records;
        Identity *identities; /* of the files; moved on into the claims */
        RegistryEntry **claims;
        int *fds;
        size_t n;             /* of them to be kept; those kept already are dropped from the list */
        size_t n_taken;       /* fds that were taken, counted as QUOTA_FDS of the caller's */
        uint64_t held[_QUOTA_MAX]; /* of the owner's: what will be in the state if all goes well, until it is there */
        size_t *unknown;      /* positions of those whose token has a file that luod can't compare, n_unknown of them */
        size_t n_unknown;
        bool recognised;      /* and the kernel was asked about them */
        Part *part;           /* set once it was chosen */
        int session_fd;       /* of the part */
        uint32_t first_page;  /* index pages that the child makes: n_pages from here on */
        unsigned n_pages;
        IndexHead head;       /* for them; page is filled in by the child */
        uint64_t holes;       /* counted in Manager.holes_in_flight while the child runs */
        bool repeated;        /* the file was found as an intent that nobody has settled */
        bool check_frozen;    /* the kernel would take an object twice */
        bool pushed;          /* the custodian has its part, or may have had it */
        bool kernel_has_it;   /* what is left to do is to wait for custody, and to commit */
} Preservation;

static void preservation_start_kernel(Preservation *p);
static void preservation_run(Job *job);
static void preservation_run_one(Preservation *p);

static void preservation_release_quota(Preservation *p) {
        for (QuotaResource r = 0; r < _QUOTA_MAX; r++) {
                usage_release(p->job.manager, r, p->owner, p->held[r]);
                p->held[r] = 0;
        }
}

static void preservation_free(Job *job) {
        Preservation *p = (Preservation *) job;

        for (size_t i = 0; i < p->n_taken; i++) {
                safe_close(p->fds[i]);
                file_record_done(p->records + i);
                identity_done(p->identities + i);
                registry_remove(&p->job.manager->state.registry, p->claims[i]);
        }
        usage_release(p->job.manager, QUOTA_FDS, p->caller->uid, p->n_taken);
        preservation_release_quota(p);
        p->job.manager->holes_in_flight -= p->holes;
        caller_unref(p->caller);
        free(p->records);
        free(p->identities);
        free(p->claims);
        free(p->unknown);
        free(p->fds);
        free(p);
}

/* What the caller may know of who keeps the object. There is no way to have a single file given back, so nobody is led
 * to look for one. */
static int already_preserved(Manager *m, const RegistryEntry *e, const Caller *caller, uint64_t token, Failure *ret) {
        Session *s = state_find_session_by_sid(&m->state, e->sid);
        File *f = s ? session_find_file(s, e->token) : NULL;

        if (!s || !session_is_seen_by(s, caller))
                return failure_set(ret, FAILURE_ALREADY_PRESERVED,
                                   "The object for token %llu is kept already, in a session of somebody else",
                                   (unsigned long long) token);
        if (s->record.direction == DIRECTION_INCOMING)
                return failure_set(ret, FAILURE_ALREADY_PRESERVED,
                                   "The object for token %llu came over the last live update in session '%s' under token "
                                   "%llu, which still keeps it: Finish() that session first",
                                   (unsigned long long) token, s->record.name, (unsigned long long) e->token);
        return failure_set(ret, FAILURE_ALREADY_PRESERVED,
                           "The object for token %llu is %s already: in session '%s' under token %llu. A single file is "
                           "never given back, only a whole session, by Discard()",
                           (unsigned long long) token, f && f->record.state != FILE_INTENT ? "kept" : "being kept",
                           s->record.name, (unsigned long long) e->token);
}

static int token_in_use(Preservation *p, const File *f) {
        const char *session = p->job.session->record.name;
        unsigned long long token = f->record.token;

        if (!f->entry && f->record.kind == FILE_KIND_OTHER)
                return failure_set(&p->job.failure, FAILURE_TOKEN_IN_USE,
                                   "Token %llu is in use in session '%s', by a file that was kept before luod was restarted; "
                                   "the kernel does not say that it is this one. Choose another token",
                                   token, session);
        return failure_set(&p->job.failure, FAILURE_TOKEN_IN_USE,
                           "Token %llu is %s in session '%s' by another file; choose another token. It becomes free with "
                           "the session alone: a single file is never given back",
                           token, f->record.state == FILE_INTENT ? "being used" : "in use", session);
}

/* The kernel would take it a second time, and luod can't tell whether it has it: then it has to be left alone. */
static int may_be_kept(Preservation *p, size_t i) {
        return failure_set(&p->job.failure, FAILURE_ALREADY_PRESERVED,
                           "The object for token %llu may be kept already: luod was restarted since it took files of which it "
                           "can't tell any more what they are, and this kernel does not check. Discard the sessions that keep "
                           "them (those with files of kind 'other'), or use a kernel that checks (7.1 or newer)",
                           (unsigned long long) p->records[i].token);
}

typedef enum RecordCheck {
        RECORD_IS_KEPT,      /* just so: nothing to do */
        RECORD_IS_NEW,       /* or (a single one) an intent that is to be settled */
        RECORD_IS_UNKNOWN,   /* its token is in use by a file that luod can't compare: the kernel is to be asked */
        RECORD_IS_LOOKED_AT, /* by another call, for a moment: to be waited for */
} RecordCheck;

/* Whether a file that luod can't compare may be the one that is handed in. */
static bool is_alike(const FileRecord *a, const FileRecord *b) {
        return a->kind == FILE_KIND_OTHER && b->kind == FILE_KIND_OTHER && a->dev == b->dev && a->ino == b->ino &&
               a->mode == b->mode && a->access == b->access && a->object[0] == '\0' && b->object[0] == '\0';
}

/* A RecordCheck, or -ECANCELED. */
static int check_record(Preservation *p, size_t i) {
        Manager *m = p->job.manager;
        Session *s = p->job.session;
        const FileRecord *record = p->records + i;
        File *f = session_find_file(s, record->token);
        RegistryEntry *e = registry_find(&m->state.registry, p->identities + i);

        if (f && f->part->fd < 0)
                return failure_set(&p->job.failure, FAILURE_TOKEN_IN_USE,
                                   "What session '%s' kept under token %llu is lost: its kernel session is gone. Discard the "
                                   "session when you have taken note, or choose another token",
                                   s->record.name, (unsigned long long) record->token);
        if (f && e && f->entry == e && f->record.state == FILE_KEPT)
                return RECORD_IS_KEPT;
        if (f && e && f->entry == e && !p->many)
                return RECORD_IS_NEW;
        if (e && e->sid == PROBE_SID)
                return RECORD_IS_LOOKED_AT;
        if (f && !e && !f->entry && !p->recognised && is_alike(&f->record, record) && probe_is_possible(m))
                return RECORD_IS_UNKNOWN;
        if (f)
                return token_in_use(p, f);
        if (e)
                return already_preserved(m, e, p->caller, record->token, &p->job.failure);
        if (p->identities[i].type == IDENTITY_FILE && !probe_is_possible(m) && objects_count_unknown(m) > 0)
                return may_be_kept(p, i);
        return RECORD_IS_NEW;
}

static void preservation_move(Preservation *p, size_t to, size_t from) {
        if (to == from)
                return;
        p->records[to] = p->records[from];
        p->records[from].extra = NULL;
        p->identities[to] = p->identities[from];
        p->identities[from] = (Identity) IDENTITY_NULL;
        p->claims[to] = TAKE_PTR(p->claims[from]);
        p->fds[to] = TAKE_FD(p->fds[from]);
}

/* All of the files, before anything is done about one. A RecordCheck, or -ECANCELED. */
static int preservation_check(Preservation *p) {
        int result = RECORD_IS_NEW;

        p->n_unknown = 0;
        for (size_t i = 0; i < p->n; i++) {
                int r = p->claims[i] ? RECORD_IS_NEW : check_record(p, i);

                if (r < 0 || r == RECORD_IS_LOOKED_AT)
                        return r;
                if (r != RECORD_IS_UNKNOWN)
                        continue;
                p->unknown[p->n_unknown++] = i;
                result = r;
        }
        return result;
}

/* Drops from the list what is kept already, so that a call repeated after a lost answer is a success, and claims the
 * rest. Called again when the job had to wait. */
static int preservation_claim(Preservation *p) {
        Manager *m = p->job.manager;
        size_t n = 0;

        for (size_t i = 0; i < p->n; i++) {
                const FileRecord *record = p->records + i;
                int r;

                if (!p->claims[i] && check_record(p, i) == RECORD_IS_KEPT) {
                        p->fds[i] = safe_close(p->fds[i]);
                        identity_done(p->identities + i);
                        continue;
                }
                if (!p->claims[i] && !session_find_file(p->job.session, record->token)) {
                        r = registry_add(&m->state.registry, p->identities + i, p->job.session->sid, record->token,
                                         p->claims + i);
                        if (r < 0)
                                return failure_set_errno(&p->job.failure, r, "Can't keep the file");
                }
                preservation_move(p, n++, i);
        }

        p->n = n;
        return 0;
}

/* Each file alone may fit, and all that are under way together not: then the kernel would kill whoever it finds. What
 * is reserved here is counted until the child is done. */
static int preservation_reserve_memory(Preservation *p) {
        Manager *m = p->job.manager;
        uint64_t holes = 0;

        for (size_t i = 0; i < p->n; i++)
                holes += file_holes(p->fds[i]);
        if (holes > 0 && !memory_has_room(m->holes_in_flight + holes, m->config.memory_reserve))
                return failure_set(&p->job.failure, FAILURE_OUT_OF_MEMORY,
                                   "Keeping this fills holes of %llu MiB, for which there is no memory beside the %llu MiB "
                                   "that are being filled just now; nothing was changed. Try again later",
                                   (unsigned long long) (holes >> 20), (unsigned long long) (m->holes_in_flight >> 20));
        m->holes_in_flight += holes;
        p->holes = holes;
        return 0;
}

static void preservation_release_memory(Preservation *p) {
        p->job.manager->holes_in_flight -= p->holes;
        p->holes = 0;
}

static Part *session_part_with_room(Session *s) {
        Part *p;

        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (!p->record.many && !p->full && !p->leaving && p->outgoing && p->in_custody && p->n_files < FILES_PER_PART_MAX && p->fd >= 0)
                        return p;
        return NULL;
}

/* A client may have written more into it since it came. */
static void update_sizes(Preservation *p) {
        for (size_t i = 0; i < p->n; i++) {
                struct stat st;

                if (p->records[i].kind == FILE_KIND_MEMFD && fstat(p->fds[i], &st) >= 0)
                        p->records[i].size = (uint64_t) st.st_size;
        }
}

/* Held from here on, as others are looked at before these are in the state. */
static int preservation_hold_quota(Preservation *p) {
        uint64_t wanted[_QUOTA_MAX] = { [QUOTA_FILES] = p->n, [QUOTA_PARTS] = p->many || !session_part_with_room(p->job.session) };
        Manager *m = p->job.manager;
        int r = 0;

        preservation_release_quota(p); /* what had to wait is looked at anew */
        update_sizes(p);
        for (size_t i = 0; i < p->n; i++)
                if (__builtin_add_overflow(wanted[QUOTA_KEPT], p->records[i].size, &wanted[QUOTA_KEPT]))
                        wanted[QUOTA_KEPT] = UINT64_MAX;
        for (QuotaResource resource = 0; resource < _QUOTA_MAX && r >= 0; resource++)
                r = usage_check(m, resource, p->owner, p->caller->uid, wanted[resource], &p->job.failure);
        for (QuotaResource resource = 0; resource < _QUOTA_MAX && r >= 0; resource++) {
                r = usage_hold(m, resource, p->owner, wanted[resource]);
                if (r < 0)
                        return failure_set_errno(&p->job.failure, r, "Can't keep the file");
                p->held[resource] = wanted[resource];
        }
        return r;
}

static int preservation_check_quota(Preservation *p) {
        Manager *m = p->job.manager;
        Session *s = p->job.session;

        char whose[NAME_LENGTH_MAX + 16];
        int r;

        (void) snprintf(whose, sizeof(whose), "session '%s'", s->record.name);
        r = quota_check_one("files", whose, s->n_files, p->n, FILES_PER_SESSION_MAX, "use another session", &p->job.failure);
        if (r >= 0)
                r = preservation_hold_quota(p);
        if (r < 0)
                return r;
        if (!store_has_room(&m->store, 2 * p->n + 2, 0))
                return failure_set_errno(&p->job.failure, -ENOSPC, "Can't keep the file");
        return 0;
}

/* Kernel tokens run in sequence. */
static void assign_ktokens(Preservation *p) {
        uint64_t ktoken = p->part->next_ktoken;

        for (size_t i = 0; i < p->n; i++, ktoken = ktoken_next(ktoken))
                p->records[i].ktoken = ktoken;

        p->first_page = p->part->n_pages;
        p->n_pages = part_missing_pages(p->part, p->records[p->n - 1].ktoken + 1);
}

static int make_pages(const Preservation *p, const char *kname) {
        const Manager *m = p->job.manager;
        int r = 0;

        for (uint32_t i = 0; i < p->n_pages && r >= 0; i++) {
                IndexHead head = p->head;

                head.page = p->first_page + i;
                r = index_file_make(m->luo, m->runtime_dir, p->session_fd, kname, head.page, &head);
        }
        return r;
}

/* In the child. */
static void preserve_files(void *arg, WorkerReply *reply) {
        const Preservation *p = arg;
        const LuoOps *luo = p->job.manager->luo;

        /* Should the kernel run out of memory filling holes, this child is to go first. */
        if (!p->job.manager->workers.inline_)
                worker_offer_to_oom_killer();
        if (p->many)
                reply->error = make_pages(p, p->part->record.kname);
        for (size_t i = 0; i < p->n && reply->error >= 0; i++) {
                /* Again, as the client may have punched new ones. */
                reply->error = memory_has_room(file_holes(p->fds[i]), p->job.manager->config.memory_reserve) ? 0 : -ENOMEM;
                /* Somebody else's (a raw session, systemd's fd store), where the kernel does not see to that. */
                if (reply->error >= 0 && p->check_frozen && p->records[i].kind == FILE_KIND_MEMFD &&
                    file_is_frozen(p->fds[i], /* may_open= */ p->caller->uid == 0 || p->caller->uid == p->records[i].uid))
                        reply->error = -EBUSY;
                if (reply->error >= 0)
                        reply->error = luo->preserve(luo, p->session_fd, p->records[i].ktoken, p->fds[i]);
                reply->n_done += reply->error >= 0;
        }
}

static void make_pages_only(void *arg, WorkerReply *reply) {
        const Preservation *p = arg;

        reply->error = make_pages(p, p->part->record.kname);
}

static int preservation_run_worker(Preservation *p, worker_fn fn, worker_done_fn done) {
        int keep[FDS_PER_CALL_MAX + 1];

        memcpy(keep, p->fds, p->n * sizeof(int));
        keep[p->n] = p->session_fd;
        return worker_run(&p->job.manager->workers, fn, p, keep, p->n + 1, /* flags= */ 0, done, p);
}

static int map_new_pages(Preservation *p) {
        int r = 0;

        for (unsigned i = 0; i < p->n_pages && r >= 0; i++)
                r = part_map_next_page(p->job.manager, p->part);
        p->n_pages = 0;
        return r;
}

static void fill_index_head(Preservation *p, const Session *s) {
        p->head = (IndexHead) {
                .role = INDEX_SESSION,
                .sid = s->sid,
                .uid = s->record.uid,
                .created = s->record.created,
                .created_generation = s->record.created_generation,
                .many = p->many,
        };
        (void) snprintf(p->head.name, sizeof(p->head.name), "%s", s->record.name);
        (void) snprintf(p->head.boot_id, sizeof(p->head.boot_id), "%s", p->job.manager->state.head.boot_id);
}

/* Notes the files in the ledger and the part's index, as intents. On failure some may be noted. */
static int write_intents(Preservation *p) {
        Manager *m = p->job.manager;

        preservation_release_quota(p);
        for (size_t i = 0; i < p->n; i++) {
                File *f;
                int r;

                p->records[i].state = FILE_INTENT;
                r = file_new(&m->state, p->part, p->records + i, &f);
                if (r < 0)
                        return r;
                f->entry = TAKE_PTR(p->claims[i]);
                r = store_put_file(&m->store, f);
                if (r < 0)
                        return r;
                part_write_index_file(p->part, &f->record);
        }
        return 0;
}

/* The claims stay until the job ends: then the kernel has let go of what it took. */
static void drop_intents(Preservation *p) {
        Manager *m = p->job.manager;

        for (size_t i = 0; i < p->n; i++) {
                File *f = session_find_file(p->job.session, p->records[i].token);

                if (!f || f->part != p->part)
                        continue;
                f->record.state = FILE_DROPPED;
                (void) store_put_file(&m->store, f);
                part_write_index_file(p->part, &f->record);
                p->claims[i] = TAKE_PTR(f->entry);
                file_free(&m->state, f);
        }
}

/* From PRESERVE on it is frozen: what it was before, a client may have changed after it was looked at. */
static void note_frozen_size(Preservation *p, size_t i, File *f) {
        FileRecord now = f->record;
        struct stat st;

        if (f->record.kind != FILE_KIND_MEMFD || fstat(p->fds[i], &st) < 0)
                return;
        now.size = (uint64_t) st.st_size;
        file_set_attributes(&p->job.manager->state, f, &now);
}

static int commit_files(Preservation *p, const char *stop) {
        Manager *m = p->job.manager;

        for (size_t i = 0; i < p->n; i++) {
                File *f = session_find_file(p->job.session, p->records[i].token);
                int r;

                assert(f);
                note_frozen_size(p, i, f);
                f->record.state = FILE_KEPT;
                r = store_put_file(&m->store, f);
                if (r < 0) { /* room was made sure of before; what is kept stays kept, as an intent */
                        f->record.state = FILE_INTENT;
                        return r;
                }
                part_write_index_file(p->part, &f->record);
        }
        stop_point(stop);
        return 0;
}

static void preservation_succeeded(Preservation *p) {
        Manager *m = p->job.manager;

        manager_emit_session(m, p->job.session, "Files");
        job_end(&p->job, /* failure= */ NULL);
}

static void preservation_fail_errno(Preservation *p, int error, const char *what) {
        failure_set_errno(&p->job.failure, error, what);
        job_end(&p->job, &p->job.failure);
}

/* --- a single file */

static void probe_token(void *arg, WorkerReply *reply) {
        const Preservation *p = arg;
        const LuoOps *luo = p->job.manager->luo;
        int r = luo_token_is_known(luo, p->session_fd, p->records[0].ktoken);

        reply->error = r < 0 ? r : 0;
        reply->values[0] = r > 0;
}

/* The part was in custody when it was chosen; a reload of PID 1 in between may have changed that. */
static void preservation_commit_one(Preservation *p) {
        int r;

        p->kernel_has_it = true;
        if (!p->part->in_custody || custody_get_state(p->job.manager->custody) != CUSTODY_FDSTORE) {
                job_wait_for_custody(&p->job, "The kernel has the file, but systemd's fd store is not known to have its "
                                              "session; repeat the call. See 'systemctl status luod.service'");
                return;
        }
        r = commit_files(p, "preserve:commit");

        if (r < 0)
                preservation_fail_errno(p, r, "The file is kept, but that could not be written down; repeat the call");
        else
                preservation_succeeded(p);
}

static void preservation_refused(Preservation *p, int error, size_t which) {
        drop_intents(p);
        preserve_failure(error, p->records + which, &p->job.failure);
        job_end(&p->job, &p->job.failure);
}

static void on_probed(WorkerReply *reply, void *userdata) {
        Preservation *p = userdata;

        if (reply->error == 0 && reply->values[0])
                preservation_commit_one(p);
        else if (reply->error == 0 && p->repeated) { /* an intent of before that did not come true: begin anew */
                drop_intents(p);
                p->repeated = false;
                preservation_run(&p->job);
        } else if (reply->error == 0)
                preservation_refused(p, -EOWNERDEAD, 0);
        else /* neither yes nor no: stays an intent, which the next start settles */
                preservation_fail_errno(p, reply->error, "The kernel can't be asked whether it keeps the file");
}

static void on_preserved(WorkerReply *reply, void *userdata) {
        Preservation *p = userdata;

        stop_point("preserve:kernel");
        preservation_release_memory(p);
        if (reply->error == 0)
                preservation_commit_one(p);
        else if (reply->error == -EOWNERDEAD) {
                /* The child was killed, before or behind the kernel's yes. */
                if (preservation_run_worker(p, probe_token, on_probed) < 0)
                        preservation_fail_errno(p, -EAGAIN, "The kernel can't be asked whether it keeps the file");
        } else
                preservation_refused(p, reply->error, 0);
}

static void on_pages_made(WorkerReply *reply, void *userdata) {
        Preservation *p = userdata;
        int r = reply->error;

        if (r == -EEXIST) {
                /* An earlier luod died between PRESERVE of that page and giving it its name: nobody can write to it
                 * any more. What the part has stays; what is new goes into another one. */
                p->part->full = true;
                preservation_run_one(p);
                return;
        }
        if (r >= 0)
                r = map_new_pages(p);
        if (r < 0)
                preservation_fail_errno(p, r, "Can't make an index page");
        else
                preservation_start_kernel(p);
}

static void preservation_start_kernel(Preservation *p) {
        int r;

        r = write_intents(p);
        if (r >= 0) {
                stop_point("preserve:intent");
                r = preservation_run_worker(p, preserve_files, on_preserved);
        }
        if (r < 0) {
                drop_intents(p);
                preservation_fail_errno(p, r, "Can't keep the file");
        }
}

static int preservation_choose_part(Preservation *p) {
        Manager *m = p->job.manager;
        Session *s = p->job.session;
        int r;

        p->part = session_part_with_room(s);
        if (p->part)
                return 0;

        p->part = parts_take_spare(m, PART_READY);
        if (!p->part)
                return -EAGAIN;
        part_attach(p->part, s);
        r = store_put_part(&m->store, p->part);
        if (r < 0) {
                part_attach(p->part, NULL);
                p->part->role = PART_READY;
                return r;
        }
        part_write_index_head(m, p->part);
        parts_upkeep(m);
        return 0;
}

/* The call was made before, and luod could not find out what became of it. */
static bool preservation_run_repeated(Preservation *p) {
        File *f = session_find_file(p->job.session, p->records[0].token);

        if (!f)
                return false;
        p->repeated = true;
        p->part = f->part;
        p->session_fd = f->part->fd;
        p->records[0].ktoken = f->record.ktoken;
        if (preservation_run_worker(p, probe_token, on_probed) < 0)
                preservation_fail_errno(p, -EAGAIN, "The kernel can't be asked whether it keeps the file");
        return true;
}

static void preservation_run_one(Preservation *p) {
        int r;

        if (preservation_run_repeated(p))
                return;
        r = preservation_choose_part(p);
        if (r == -EAGAIN) {
                job_wait_for_spare_of(&p->job, PART_READY);
                return;
        }
        if (r >= 0) {
                p->session_fd = p->part->fd;
                fill_index_head(p, p->job.session);
                assign_ktokens(p);
                if (p->n_pages == 0) {
                        preservation_start_kernel(p);
                        return;
                }
                r = preservation_run_worker(p, make_pages_only, on_pages_made);
        }
        if (r < 0)
                preservation_fail_errno(p, r, "Can't keep the file");
}

/* --- all or none */

static void on_part_dropped(void *userdata) {
        Preservation *p = userdata;

        job_end(&p->job, &p->job.failure);
}

/* PreserveMany() failed, before anybody was told yes. */
static void drop_part(Preservation *p) {
        Manager *m = p->job.manager;

        drop_intents(p);
        if (p->part->session)
                (void) store_put_part_gone(&m->store, p->part);
        part_drop(m, TAKE_PTR(p->part), p->pushed, on_part_dropped, p);
}

static void on_removed_from_custody(int error, void *userdata) {
        Preservation *p = userdata;

        if (error >= 0) {
                drop_part(p);
                return;
        }
        /* The custodian may have it, so it is not over: the files stay what they are, intents, which the next start settles. */
        p->part->leaving = false;
        failure_set(&p->job.failure, FAILURE_NO_CUSTODY,
                    "systemd does not answer (%s), so it is not known whether the files are kept; that is settled when luod is "
                    "started again. See 'systemctl status luod.service'",
                    strerror(-error));
        job_end(&p->job, &p->job.failure);
}

static void on_many_in_custody(Part *part, int error, void *userdata) {
        Preservation *p = userdata;
        int r;

        if (error >= 0 && part) {
                stop_point("many:custody");
                part->leaving = false;
                r = commit_files(p, "many:commit");
                if (r >= 0) {
                        preservation_succeeded(p);
                        return;
                }
                error = r;
        }

        failure_set(&p->job.failure, FAILURE_NO_CUSTODY,
                    "systemd did not take the files into custody (%s); nothing was kept. See 'systemctl status "
                    "luod.service'",
                    strerror(-error));
        /* The store may have it, or get it later: have it dropped before the last close. */
        p->part->leaving = true;
        r = custody_remove(p->job.manager->custody, p->part->record.fdname, on_removed_from_custody, p);
        if (r < 0)
                on_removed_from_custody(r, p);
}

static void on_many_preserved(WorkerReply *reply, void *userdata) {
        Preservation *p = userdata;
        Manager *m = p->job.manager;
        int r = reply->error;

        stop_point("many:kernel");
        preservation_release_memory(p);
        if (r < 0) {
                preserve_failure(r, p->records + MIN(reply->n_done, p->n - 1), &p->job.failure);
                drop_part(p);
                return;
        }

        r = map_new_pages(p);
        if (r >= 0) {
                part_attach(p->part, p->job.session);
                part_write_index_head(m, p->part);
                r = store_put_part(&m->store, p->part);
        }
        if (r >= 0)
                r = write_intents(p);
        if (r >= 0) {
                stop_point("many:intent");
                p->pushed = true;
                r = part_push(m, p->part, on_many_in_custody, p);
        }
        if (r < 0) {
                failure_set_errno(&p->job.failure, r, "Can't keep the files");
                drop_part(p);
        }
}

static void preservation_run_many(Preservation *p) {
        Manager *m = p->job.manager;
        int r;

        p->part = parts_take_spare(m, PART_BARE);
        if (!p->part) {
                job_wait_for_spare_of(&p->job, PART_BARE);
                return;
        }

        /* Not the session's before the kernel has it all, but no spare any more either. */
        p->part->role = PART_UNKNOWN;
        p->part->leaving = true;
        p->part->record.many = true;
        p->session_fd = p->part->fd;
        fill_index_head(p, p->job.session);
        assign_ktokens(p);
        r = preservation_run_worker(p, preserve_files, on_many_preserved);
        if (r < 0) {
                p->part->role = PART_BARE;
                p->part->leaving = p->part->record.many = false;
                preservation_fail_errno(p, r, "Can't keep the files");
        }
}

/* --- */

/* Keeping them was tried: where the kernel says of all that they are kept already, and luod knows of no other files that they
 * could be, they are what their tokens stand for. (It can't be told from outside if somebody else than luod keeps such a file,
 * and its holder asks for it under the token of another one.) */
static void on_recognised(const int *results, size_t n, int error, void *userdata) {
        Preservation *p = userdata;
        Manager *m = p->job.manager;
        bool all = objects_count_unknown(m) == n;

        if (error == -EAGAIN) {
                job_wait_for_spare(&p->job);
                return;
        }
        if (error < 0) {
                preservation_fail_errno(p, error, "The kernel can't be asked whether it keeps the file");
                return;
        }
        for (size_t k = 0; k < n; k++)
                all &= results[k] == -EBUSY;
        for (size_t k = 0; k < n && all; k++) {
                size_t i = p->unknown[k];
                File *f = session_find_file(p->job.session, p->records[i].token);
                _cleanup_(identity_done) Identity identity = IDENTITY_NULL;

                if (f && !f->entry && identity_from_fd(p->fds[i], &identity) >= 0)
                        (void) file_register(&m->state, f, &identity);
        }
        p->recognised = true;
        preservation_run(&p->job);
}

static void preservation_recognise(Preservation *p) {
        int fds[FDS_PER_CALL_MAX], r;

        if (objects_count_unknown(p->job.manager) != p->n_unknown) { /* it could be another one of them */
                p->recognised = true;
                preservation_run(&p->job);
                return;
        }
        for (size_t k = 0; k < p->n_unknown; k++)
                fds[k] = p->fds[p->unknown[k]];
        r = probe_start(p->job.manager, fds, p->n_unknown, on_recognised, p);
        if (r < 0)
                preservation_fail_errno(p, r, "The kernel can't be asked whether it keeps the file");
}

static void preservation_run(Job *job) {
        Preservation *p = (Preservation *) job;
        int r;

        if (p->kernel_has_it) {
                preservation_commit_one(p);
                return;
        }
        if (job->session->record.direction != DIRECTION_OUTGOING || job->session->record.state != SESSION_LIVE) { /* its end was begun meanwhile, and failed half way */
                job_fail(job, FAILURE_WRONG_DIRECTION, "Session '%s' is being ended", job->session->record.name);
                return;
        }
        r = preservation_check(p);
        if (r == RECORD_IS_LOOKED_AT) {
                job_wait_for_custody(job, "The object is being looked at for another call, which takes its time; try again");
                return;
        }
        if (r == RECORD_IS_UNKNOWN) {
                preservation_recognise(p);
                return;
        }
        if (r >= 0)
                r = preservation_claim(p);
        if (r < 0) {
                job_end(job, &job->failure);
                return;
        }
        if (p->n == 0) {
                job_end(job, /* failure= */ NULL);
                return;
        }
        if (preservation_check_quota(p) < 0 || (p->holes == 0 && preservation_reserve_memory(p) < 0)) {
                job_end(job, &job->failure);
                return;
        }

        if (p->many)
                preservation_run_many(p);
        else
                preservation_run_one(p);
}

/* The same token, or the same object, twice in one call. */
static int check_duplicates(const Preservation *p, size_t i, Failure *ret) {
        for (size_t j = 0; j < i; j++) {
                if (p->records[i].token == p->records[j].token)
                        return failure_set(ret, FAILURE_TOKEN_IN_USE, "Token %llu is there twice in this call",
                                           (unsigned long long) p->records[i].token);
                if (identity_equal(p->identities + i, p->identities + j))
                        return failure_set(ret, FAILURE_ALREADY_PRESERVED,
                                           "Tokens %llu and %llu of this call are the same object",
                                           (unsigned long long) p->records[j].token,
                                           (unsigned long long) p->records[i].token);
        }
        return 0;
}

/* On failure what was taken of it is the preservation's all the same, and goes with it. */
static int take_file(Preservation *p, const FileRecord *wanted, int fd, bool accept_write_seal, Failure *ret) {
        FileRecord *record = p->records + p->n;
        Identity *identity = p->identities + p->n;
        int r;

        if (!label_is_valid(wanted->label))
                return failure_set(ret, FAILURE_INVALID_ARGUMENT,
                                   "A label is at most %u bytes of UTF-8 without control characters", LABEL_LENGTH_MAX);
        record->token = wanted->token;
        memcpy(record->label, wanted->label, sizeof(record->label));
        r = file_inspect(fd, p->caller->uid, accept_write_seal, p->job.manager->config.memory_reserve, record, ret);
        if (r < 0)
                return r;

        *identity = (Identity) IDENTITY_NULL;
        p->fds[p->n] = fd_dup(fd);
        if (p->fds[p->n] < 0)
                return failure_set_errno(ret, p->fds[p->n], "Can't take the file");
        r = usage_hold(p->job.manager, QUOTA_FDS, p->caller->uid, 1);
        if (r < 0) {
                p->fds[p->n] = safe_close(p->fds[p->n]);
                return failure_set_errno(ret, r, "Can't take the file");
        }
        p->n_taken = ++p->n;

        r = identity_from_fd(fd, identity);
        if (r < 0)
                return failure_set_errno(ret, r, "Can't take the file");
        if (identity->type == IDENTITY_NAMED)
                (void) snprintf(record->object, sizeof(record->object), "%s", identity->name);
        return check_duplicates(p, p->n - 1, ret);
}

static int preservation_take_files(Preservation *p,
                                   const FileRecord *records,
                                   const int *fds,
                                   size_t n,
                                   bool accept_write_seal,
                                   Failure *ret) {
        int r;

        r = usage_check(p->job.manager, QUOTA_FDS, p->caller->uid, p->caller->uid, n, ret);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = take_file(p, records + i, fds[i], accept_write_seal, ret);
                if (r < 0)
                        return r;
        }
        return 0;
}

int operation_preserve(Manager *m,
                       Session *session,
                       Caller *caller,
                       const FileRecord *records,
                       const int *fds,
                       size_t n,
                       bool many,
                       bool accept_write_seal,
                       job_done_fn done,
                       void *userdata,
                       Failure *ret) {
        Preservation *p;
        int r;

        r = manager_check_access(session, caller, ret);
        if (r < 0)
                return r;
        r = manager_check_ready(m, /* keeps= */ true, ret);
        if (r < 0)
                return r;
        if (session->record.direction != DIRECTION_OUTGOING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' is incoming: it only gives back. Make a new session to keep files over the "
                                   "next live update",
                                   session->record.name);
        if (session->record.state != SESSION_LIVE)
                return failure_set(ret, FAILURE_WRONG_DIRECTION, "Session '%s' is being ended", session->record.name);
        if (n > FDS_PER_CALL_MAX)
                return failure_set(ret, FAILURE_TOO_MANY_FILES, "At most %u files in one call", FDS_PER_CALL_MAX);

        p = calloc(1, sizeof(*p));
        if (!p)
                return failure_set_errno(ret, -ENOMEM, "Can't keep the file");
        *p = (Preservation) {
                .job = { .manager = m,
                         .session = session,
                         .done = done,
                         .userdata = userdata,
                         .run = preservation_run,
                         .free = preservation_free },
                .caller = caller_ref(caller),
                .owner = session->record.uid,
                .many = many,
                .check_frozen = !(m->features & LUO_FEATURE_ONE_KEEPER),
                .records = calloc(n + 1, sizeof(FileRecord)),
                .identities = calloc(n + 1, sizeof(Identity)),
                .claims = calloc(n + 1, sizeof(RegistryEntry *)),
                .unknown = calloc(n + 1, sizeof(size_t)),
                .fds = calloc(n + 1, sizeof(int)),
        };
        if (!p->records || !p->identities || !p->claims || !p->unknown || !p->fds)
                r = failure_set_errno(ret, -ENOMEM, "Can't keep the file");
        else
                r = preservation_take_files(p, records, fds, n, accept_write_seal, ret);
        if (r < 0) {
                preservation_free(&p->job);
                return r;
        }
        return job_submit(&p->job, caller, ret);
}
