/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "custody.h"
#include "fd-util.h"
#include "inspect.h"
#include "objects.h"
#include "operations.h"
#include "parking.h"
#include "parts.h"
#include "stop-point.h"

/* Renew(): an incoming session becomes an outgoing one, with all that it has, so that it goes into the next live update. The
 * kernel takes a file anew only once the session that it came in is finished, and between the two it has no keeper. So for
 * each incoming part, one after the other (but the first two, which are done once):
 *
 *   memory for the holes of all files                    (child)
 *   ledger: session ("renewing")                                  renew:intent
 *   kernel: RETRIEVE of all files                        (child)  renew:retrieved
 *   custody: an fd of each file ("parked")                        renew:parked
 *   kernel: FINISH of the part                           (child)  renew:finished
 *   ledger and index: a new part, and the files in it ("intent")  renew:moved
 *   kernel: PRESERVE of all files                        (child)  renew:kernel
 *   ledger and index: the files ("kept")                          renew:kept
 *   custody: FDSTOREREMOVE of what was parked                     renew:unparked
 *
 * and at last
 *
 *   custody: FDSTOREREMOVE of the old parts; last close           renew:closed
 *   ledger: session (outgoing)                                    renew:commit
 *   answer
 *
 * Up to "parked" a failure leaves everything as it was. From FINISH on there is no way back: should the rest fail, the session
 * stays "renewing", its files parked, and the same call goes on with it, as does a restarted luod. Each step looks at what is
 * there and not at what was done before, so that it does not matter who did it.
 *
 * Carry() is the same for a session that its owner has not claimed: it stays unclaimed in all that he can see of it. Nobody but
 * luod has its files meanwhile, so none is noted as handed out. */

typedef struct Renewal {
        Job job;
        Caller *caller;      /* NULL: luod itself */
        Part *part;          /* the incoming one, or the outgoing one whose files are being preserved */
        int session_fd;      /* its fd */
        File **files;        /* of that part; borrowed, n of them */
        FileRecord *records; /* copies for the child */
        int *fds;            /* retrieved by the child, or borrowed from what is parked */
        size_t n;
        uint32_t first_page; /* index pages that the child makes: n_pages from here on */
        unsigned n_pages;
        IndexHead head;
        unsigned n_waiting;  /* orders to the custodian under way */
        int error;
        bool carry;          /* its owner has not claimed it, nor asked for this */
        uint64_t holes;      /* of the part's files; counted in Manager.holes_in_flight */
        bool may_go_back;    /* it is certain that nothing was finished yet */
        bool claims;         /* it is the owner's */
} Renewal;

static void renewal_next(Renewal *r);

static void files_done(Renewal *r) {
        free(r->files);
        free(r->records);
        free(r->fds);
        r->files = NULL;
        r->records = NULL;
        r->fds = NULL;
        r->n = 0;
}

static void release_holes(Renewal *r) {
        r->job.manager->holes_in_flight -= r->holes;
        r->holes = 0;
}

static void renewal_free(Job *job) {
        release_holes((Renewal *) job);
        files_done((Renewal *) job);
        renewals_ended(job->manager, job->session);
        caller_unref(((Renewal *) job)->caller);
        free(job);
}

static void on_given_back(int error, void *userdata) {
}

/* As it was. What systemd does not give up now goes with the session's end. */
static void go_back(Renewal *r) {
        Manager *m = r->job.manager;
        Session *s = r->job.session;
        Parked *p;

        s->record.state = SESSION_LIVE;
        s->record.carrying = false;
        (void) store_put_session(&m->store, s);
        LIST_FOREACH(&m->parked, Parked, link, p) {
                char name[PARKED_NAME_SIZE];

                if (p->sid != s->sid)
                        continue;
                parked_name_format(p->sid, p->token, name);
                if (custody_remove(m->custody, name, on_given_back, NULL) >= 0)
                        parked_free(p);
        }
}

/* With the reason in job.failure. */
static void fail(Renewal *r) {
        if (r->job.session->record.state == SESSION_RENEWING && r->may_go_back)
                go_back(r);
        job_end(&r->job, &r->job.failure);
}

static void fail_errno(Renewal *r, int error, const char *what) {
        failure_set_errno(&r->job.failure, error, what);
        fail(r);
}

static void fail_holes(Renewal *r) {
        failure_set(&r->job.failure, FAILURE_OUT_OF_MEMORY,
                    "Keeping the session anew fills the holes of its files, and this host has not that much memory free beyond "
                    "what is reserved (MemoryReserve= in luod.conf). Free memory, or make the files smaller, and repeat the call");
        fail(r);
}

static Parked *parked_of(Renewal *r, const File *f) {
        return parking_find(r->job.manager, r->job.session->sid, f->record.token);
}

static int compare_ktokens(const void *a, const void *b) {
        const File *const *x = a, *const *y = b;

        return (*x)->record.ktoken < (*y)->record.ktoken ? -1 : (*x)->record.ktoken > (*y)->record.ktoken;
}

/* Those of the session's files that are in the part, at most @max, and with @intents only those that are not kept yet. */
static int collect_files(Renewal *r, bool intents) {
        Session *s = r->job.session;

        files_done(r);
        r->files = calloc(s->n_files + 1, sizeof(File *));
        r->records = calloc(s->n_files + 1, sizeof(FileRecord));
        r->fds = calloc(s->n_files + 1, sizeof(int));
        if (!r->files || !r->records || !r->fds)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_files && r->n < FDS_PER_CALL_MAX; i++) {
                File *f = s->files[i];

                if (f->part != r->part || (intents && f->record.state != FILE_INTENT))
                        continue;
                if (r->part->fd < 0 && !parked_of(r, f)) /* lost */
                        continue;
                r->files[r->n++] = f;
        }
        qsort(r->files, r->n, sizeof(File *), compare_ktokens); /* the order in which they were kept counts (VFIO, iommufd) */
        for (size_t i = 0; i < r->n; i++) {
                r->records[i] = r->files[i]->record;
                r->records[i].extra = NULL;
                r->fds[i] = -EBADF;
        }
        r->session_fd = r->part->fd;
        return 0;
}

/* --- the end */

static void renewal_commit(Renewal *r) {
        Manager *m = r->job.manager;
        Session *s = r->job.session;
        SessionRecord before;
        int error;
        Part *p;

        if (r->claims)
                restored_claim(m, s);
        before = s->record;
        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (!p->outgoing) /* did not come over the last live update */
                        s->flags |= SESSION_PARTS_MISSING;
        s->record.direction = DIRECTION_OUTGOING;
        s->record.state = SESSION_LIVE;
        s->record.carried = s->record.carrying ? s->record.carried + 1 : 0;
        s->record.carrying = false;
        error = store_put_session(&m->store, s);
        if (error < 0) {
                s->record = before;
                fail_errno(r, error, "All is kept anew, but that could not be written down; repeat the call");
                return;
        }
        stop_point("renew:commit");
        reports_ended(m, s, before.carrying ? REPORT_CARRIED : REPORT_RENEWED);
        manager_emit_session(m, s, "Direction");
        manager_emit_session(m, s, "Carried");
        restored_session_left(m, s);
        manager_emit_session(m, s, "Files");
        job_end(&r->job, /* failure= */ NULL);
}

/* --- leaving custody */

static void on_old_part_removed(int error, void *userdata) {
        Renewal *r = userdata;
        Manager *m = r->job.manager;

        if (error < 0) {
                fail_errno(r, error, "systemd did not give up a kernel session that is over; repeat the call");
                return;
        }
        (void) store_put_part_gone(&m->store, r->part);
        part_close(&m->state, TAKE_PTR(r->part));
        stop_point("renew:closed");
        renewal_next(r);
}

/* The incoming part has no files any more. */
static void close_old_part(Renewal *r) {
        r->part->leaving = true;
        if (r->part->fd < 0) { /* it did not come, or is closed */
                on_old_part_removed(0, r);
                return;
        }
        if (custody_remove(r->job.manager->custody, r->part->record.fdname, on_old_part_removed, r) < 0)
                on_old_part_removed(-ENOTCONN, r);
}

/* What the kernel keeps anew, or what is no file of the session's any more. */
static bool is_settled(Renewal *r, const Parked *p) {
        const File *f = session_find_file(r->job.session, p->token);

        return p->sid == r->job.session->sid && (!f || (f->part->outgoing && f->record.state == FILE_KEPT));
}

static void on_unparked(int error, void *userdata) {
        Renewal *r = userdata;
        Manager *m = r->job.manager;
        Parked *p;

        if (error < 0)
                r->error = error;
        if (--r->n_waiting > 0)
                return;
        if (r->error < 0) {
                fail_errno(r, r->error, "systemd did not give up files that are kept anew; repeat the call");
                return;
        }
        LIST_FOREACH(&m->parked, Parked, link, p)
                if (is_settled(r, p))
                        parked_free(p);
        stop_point("renew:unparked");
        renewal_next(r);
}

static void unpark_settled(Renewal *r) {
        Manager *m = r->job.manager;
        Parked *p;

        r->error = 0;
        r->n_waiting = 1; /* ourselves */
        LIST_FOREACH(&m->parked, Parked, link, p) {
                char name[PARKED_NAME_SIZE];

                if (!is_settled(r, p))
                        continue;
                parked_name_format(p->sid, p->token, name);
                p->leaving = true;
                r->n_waiting++;
                if (custody_remove(m->custody, name, on_unparked, r) < 0) {
                        r->n_waiting--;
                        r->error = -ENOTCONN;
                }
        }
        on_unparked(0, r);
}

/* --- into the new part */

static void on_preserved(WorkerReply *reply, void *userdata) {
        Renewal *r = userdata;
        Manager *m = r->job.manager;

        stop_point("renew:kernel");
        for (size_t i = 0; i < MIN((size_t) reply->n_done, r->n); i++) {
                File *f = r->files[i];

                f->record.state = FILE_KEPT;
                if (store_put_file(&m->store, f) < 0) {
                        f->record.state = FILE_INTENT;
                        reply->error = -ENOSPC;
                        break;
                }
                part_write_index_file(f->part, &f->record);
        }
        if (reply->error < 0) {
                fail_errno(r, reply->error, "The kernel did not take a file anew. All files are parked in systemd's fd store; "
                                            "repeat the call");
                return;
        }
        stop_point("renew:kept");
        renewal_next(r);
}

/* In a child. A token that the kernel knows is a file that was preserved before luod died: kernel tokens are luod's own. */
static void preserve_parked(void *arg, WorkerReply *reply) {
        Renewal *r = arg;
        const LuoOps *luo = r->job.manager->luo;

        for (size_t i = 0; i < r->n; i++) {
                int e = luo_token_is_known(luo, r->session_fd, r->records[i].ktoken);

                if (e == 0)
                        e = luo->preserve(luo, r->session_fd, r->records[i].ktoken, r->fds[i]);
                if (e < 0) {
                        reply->error = e;
                        return;
                }
                reply->n_done++;
        }
}

/* The files of an outgoing part of which the kernel may not know yet. */
static void preserve_part(Renewal *r) {
        int error = collect_files(r, /* intents= */ true);

        for (size_t i = 0; i < r->n && error >= 0; i++) {
                Parked *p = parked_of(r, r->files[i]);

                r->fds[i] = p ? p->fd : -EBADF;
        }
        if (error >= 0) {
                int keep[FDS_PER_CALL_MAX + 1];
                size_t n_keep = 0;

                for (size_t i = 0; i < r->n; i++)
                        if (r->fds[i] >= 0)
                                keep[n_keep++] = r->fds[i];
                keep[n_keep++] = r->session_fd;
                error = worker_run(&r->job.manager->workers, preserve_parked, r, keep, n_keep, /* flags= */ 0, on_preserved, r);
        }
        if (error < 0)
                fail_errno(r, error, "Can't keep the files anew; repeat the call");
}

/* The same file, in another part: what is written down of it now holds for this boot. */
static int move_file(Renewal *r, File *f, Part *to, uint64_t ktoken) {
        Manager *m = r->job.manager;
        _cleanup_(identity_done) Identity identity = IDENTITY_NULL;
        const Parked *p = parked_of(r, f);
        FileRecord now = {};
        int error;

        error = file_describe(p->fd, &now);
        if (error >= 0)
                error = identity_from_fd(p->fd, &identity);
        if (error < 0)
                return error;
        (void) snprintf(f->record.object, sizeof(f->record.object), "%s", strempty(identity.name));
        file_note_object(m, f, p->fd); /* luod was restarted after FINISH */
        file_set_attributes(&m->state, f, &now);
        f->record.state = FILE_INTENT;
        file_move(&m->state, f, to, ktoken);
        error = store_put_file(&m->store, f);
        if (error >= 0)
                part_write_index_file(to, &f->record);
        return error;
}

static void move_files(Renewal *r, Part *to) {
        uint64_t ktoken = to->next_ktoken;
        int error = 0;

        for (size_t i = 0; i < r->n && error >= 0; i++, ktoken = ktoken_next(ktoken))
                error = move_file(r, r->files[i], to, ktoken);
        if (error < 0) {
                fail_errno(r, error, "What becomes of the files could not be written down; repeat the call");
                return;
        }
        stop_point("renew:moved");
        r->part = to;
        preserve_part(r);
}

static void on_pages_made(WorkerReply *reply, void *userdata) {
        Renewal *r = userdata;
        Manager *m = r->job.manager;
        Part *to = r->part;
        int error = reply->error;

        for (unsigned i = 0; i < r->n_pages && error >= 0; i++)
                error = part_map_next_page(m, to);
        if (error < 0) {
                fail_errno(r, error, "Can't make an index page; repeat the call");
                return;
        }
        move_files(r, to);
}

static void make_pages(void *arg, WorkerReply *reply) {
        Renewal *r = arg;
        const Manager *m = r->job.manager;

        for (unsigned i = 0; i < r->n_pages && reply->error >= 0; i++) {
                IndexHead head = r->head;

                head.page = r->first_page + i;
                reply->error = index_file_make(m->luo, m->runtime_dir, r->session_fd, r->part->record.kname, head.page, &head);
        }
}

static void fill_index_head(Renewal *r) {
        const Session *s = r->job.session;

        r->head = (IndexHead) {
                .role = INDEX_SESSION,
                .sid = s->sid,
                .uid = s->record.uid,
                .created = s->record.created,
                .created_generation = s->record.created_generation,
        };
        (void) snprintf(r->head.name, sizeof(r->head.name), "%s", s->record.name);
        (void) snprintf(r->head.boot_id, sizeof(r->head.boot_id), "%s", r->job.manager->state.head.boot_id);
}

/* The part is finished, or did not come; what it had is parked. */
static void renew_into_new_part(Renewal *r) {
        Manager *m = r->job.manager;
        Session *s = r->job.session;
        Part *to;
        int error;

        to = parts_take_spare(m, PART_READY);
        if (!to) {
                job_wait_for_spare(&r->job);
                return;
        }
        part_attach(to, s);
        error = store_put_part(&m->store, to);
        if (error < 0) {
                part_attach(to, NULL);
                to->role = PART_READY;
                fail_errno(r, error, "A new kernel session could not be written down; repeat the call");
                return;
        }
        part_write_index_head(m, to);
        parts_upkeep(m);

        r->n = MIN(r->n, (size_t) FILES_PER_PART_MAX); /* the rest comes in the next round */
        fill_index_head(r);
        r->first_page = to->n_pages;
        r->n_pages = part_missing_pages(to, to->next_ktoken + r->n + (r->n + 31) / 31);
        r->session_fd = to->fd;
        r->part = to;
        if (r->n_pages == 0) {
                move_files(r, to);
                return;
        }
        error = worker_run(&m->workers, make_pages, r, &r->session_fd, 1, /* flags= */ 0, on_pages_made, r);
        if (error < 0)
                fail_errno(r, error, "Can't make an index page; repeat the call");
}

/* --- out of the old one */

static void on_finished(WorkerReply *reply, void *userdata) {
        Renewal *r = userdata;

        if (reply->error < 0) {
                if (reply->error == -EOWNERDEAD) /* else the kernel says that nothing was done */
                        r->may_go_back = false;
                fail_errno(r, reply->error, "The kernel does not finish the session; see 'dmesg | grep -i luo'");
                return;
        }
        stop_point("renew:finished");
        r->may_go_back = false;
        renew_into_new_part(r);
}

static void finish_part(void *arg, WorkerReply *reply) {
        const Renewal *r = arg;

        reply->error = r->job.manager->luo->finish(r->job.manager->luo, r->session_fd);
}

static void on_parked(int error, void *userdata) {
        Renewal *r = userdata;
        Manager *m = r->job.manager;

        if (error < 0)
                r->error = error;
        if (--r->n_waiting > 0)
                return;
        if (r->error < 0) {
                fail_errno(r, r->error, "systemd did not take the files into custody; nothing was changed");
                return;
        }
        for (size_t i = 0; i < r->n; i++)
                parked_note_stored(parked_of(r, r->files[i]));
        stop_point("renew:parked");

        /* PID 1 is being reloaded, and nobody knows what its store has: no FINISH now. */
        if (custody_get_state(m->custody) == CUSTODY_DEGRADED) {
                job_wait_for_custody(&r->job, "systemd's fd store is not known to have the files; repeat the call. See 'systemctl "
                                              "status luod.service'");
                return;
        }

        if (r->part->fd < 0) {
                r->may_go_back = false;
                renew_into_new_part(r);
                return;
        }
        error = worker_run(&m->workers, finish_part, r, &r->session_fd, 1, WORKER_OUTLIVES, on_finished, r);
        if (error < 0)
                fail_errno(r, error, "Can't finish the session");
}

static void park_files(Renewal *r) {
        Manager *m = r->job.manager;

        if (m->state.n_parts + parking_count(m) > custody_get_capacity(m->custody)) {
                fail_errno(r, -ENOSPC, "systemd's fd store has no room to hold the files meanwhile; finish or discard sessions "
                                       "first");
                return;
        }
        r->error = 0;
        r->n_waiting = 1; /* ourselves */
        for (size_t i = 0; i < r->n; i++) {
                Parked *p = parked_of(r, r->files[i]);
                char name[PARKED_NAME_SIZE];

                if (p->in_custody)
                        continue;
                parked_name_format(p->sid, p->token, name);
                r->n_waiting++;
                if (custody_push(m->custody, p->fd, name, on_parked, r) < 0) {
                        r->n_waiting--;
                        r->error = -ENOTCONN;
                }
        }
        on_parked(0, r);
}

static void on_retrieved(WorkerReply *reply, void *userdata) {
        Renewal *r = userdata;
        Manager *m = r->job.manager;
        int error = reply->error;
        size_t k = 0;

        stop_point("renew:retrieved");
        if (error < 0 && reply->values[0] == 1) {
                fail_holes(r);
                return;
        }
        if (error >= 0) {
                r->holes = reply->values[1];
                m->holes_in_flight += r->holes;
        }
        for (size_t i = 0; i < r->n && error >= 0; i++) {
                File *f = r->files[i];

                if (parked_of(r, f))
                        continue;
                if (k >= reply->n_fds) {
                        error = -EMFILE;
                        break;
                }
                file_note_object(m, f, reply->fds[k]);
                if (f->record.state != FILE_RETRIEVED && !r->carry) {
                        f->record.state = FILE_RETRIEVED;
                        (void) store_put_file(&m->store, f); /* otherwise attributes are put right again */
                }
                error = parking_add(m, r->job.session->sid, f->record.token, reply->fds + k++, /* in_custody= */ false, NULL);
        }
        if (error < 0) {
                fail_errno(r, error, "A file can't be had from the kernel; Retrieve() tells more");
                return;
        }
        park_files(r);
}

/* PRESERVE will fill the holes of all of them: those that their owner has made. @holes: of the files up to this one. */
static int count_holes(Renewal *r, int fd, uint64_t *holes) {
        const Manager *m = r->job.manager;

        *holes += file_holes(fd);
        return *holes == 0 || memory_has_room(m->holes_in_flight + *holes, m->config.memory_reserve) ? 0 : -ENOMEM;
}

/* In a child. values: 1: there is not enough memory for the holes; the holes. */
static void retrieve_files(void *arg, WorkerReply *reply) {
        Renewal *r = arg;
        const LuoOps *luo = r->job.manager->luo;

        for (size_t i = 0; i < r->n; i++) {
                const FileRecord *record = r->records + i;
                FileRecord wanted = *record;
                int fd;

                if (r->fds[i] >= 0) { /* parked already */
                        (void) count_holes(r, r->fds[i], reply->values + 1);
                        continue;
                }
                fd = luo->retrieve(luo, r->session_fd, record->ktoken);
                if (fd < 0) {
                        reply->error = fd;
                        return;
                }
                wanted.access = O_RDWR; /* how clients have it open is not luod's matter */
                reply->error = file_restore(&fd, &wanted, record->state != FILE_RETRIEVED);
                if (reply->error < 0)
                        return;
                reply->error = count_holes(r, fd, reply->values + 1);
                reply->values[0] = reply->error < 0;
                reply->fds[reply->n_fds++] = fd;
                if (reply->error < 0)
                        return;
        }
}

static bool has_outgoing_part(const Session *s) {
        Part *p;

        LIST_FOREACH((List *) &s->parts, Part, session_link, p)
                if (p->outgoing)
                        return true;
        return false;
}

static void renew_part(Renewal *r) {
        Manager *m = r->job.manager;
        int keep[FDS_PER_CALL_MAX + 1], error;
        bool all_parked = true;
        size_t n_keep = 0;

        release_holes(r);
        error = collect_files(r, /* intents= */ false);
        for (size_t i = 0; i < r->n && error >= 0; i++) {
                const Parked *p = parked_of(r, r->files[i]);

                r->fds[i] = p ? p->fd : -EBADF;
                all_parked &= p != NULL;
                if (p)
                        keep[n_keep++] = p->fd;
        }
        keep[n_keep++] = r->session_fd;
        /* FINISH comes once all are parked, and after it the files have nobody else; then there are outgoing parts. */
        r->may_go_back = !all_parked && !has_outgoing_part(r->job.session);
        if (error >= 0 && r->part->fd >= 0 && r->n != r->part->n_files) /* FINISH would free the others */
                error = -E2BIG;
        if (error >= 0 && all_parked) {
                park_files(r);
                return;
        }
        if (error >= 0)
                error = worker_run(&m->workers, retrieve_files, r, keep, n_keep, WORKER_OUTLIVES, on_retrieved, r);
        if (error < 0)
                fail_errno(r, error, "Can't have the files from the kernel");
}

/* --- */

static bool has_settled(Renewal *r) {
        Parked *p;

        LIST_FOREACH(&r->job.manager->parked, Parked, link, p)
                if (is_settled(r, p))
                        return true;
        return false;
}

static bool part_has_intents(const Session *s, const Part *p) {
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->part == p && s->files[i]->record.state == FILE_INTENT)
                        return true;
        return false;
}

/* There is a file to be had: from the kernel, or parked. What is left in a part that is gone is lost, as the session says. */
static bool part_has_files(Renewal *r, const Part *p) {
        const Session *s = r->job.session;

        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->part == p && (p->fd >= 0 || parked_of(r, s->files[i])))
                        return true;
        return false;
}

static bool outgoing_parts_in_custody(const Session *s) {
        Part *p;

        LIST_FOREACH((List *) &s->parts, Part, session_link, p)
                if (p->outgoing && !p->in_custody)
                        return false;
        return true;
}

/* What is to be done, by what is there. */
static void renewal_next(Renewal *r) {
        Session *s = r->job.session;
        Part *p;

        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (p->outgoing && part_has_intents(s, p)) {
                        r->part = p;
                        preserve_part(r);
                        return;
                }
        if (has_settled(r)) {
                /* What was parked is given up only for a part that is in custody, which a reload of PID 1 may have changed. */
                if (outgoing_parts_in_custody(s) && custody_get_state(r->job.manager->custody) == CUSTODY_FDSTORE)
                        unpark_settled(r);
                else
                        job_wait_for_custody(&r->job, "All files are kept anew, but systemd's fd store is not known to have "
                                                      "them; repeat the call. See 'systemctl status luod.service'");
                return;
        }
        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (!p->outgoing && part_has_files(r, p)) {
                        r->part = p;
                        renew_part(r);
                        return;
                }
        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (!p->outgoing && p->n_files == 0) {
                        r->part = p;
                        close_old_part(r);
                        return;
                }
        renewal_commit(r);
}

/* Intent: from here on a restarted luod goes on with it. */
static int renewal_begin(Renewal *r) {
        Manager *m = r->job.manager;
        Session *s = r->job.session;
        int error;

        if (!store_has_room(&m->store, 3 * s->n_files + 8, 0))
                return -ENOSPC;
        s->record.state = SESSION_RENEWING;
        s->record.carrying = r->carry;
        error = store_put_session(&m->store, s);
        if (error < 0) {
                s->record.state = SESSION_LIVE;
                s->record.carrying = false;
                return error;
        }
        r->may_go_back = true;
        stop_point("renew:intent");
        return 0;
}

/* It was begun before. An owner who asks for what is being done for him has claimed the session. */
static int renewal_go_on(Renewal *r) {
        Session *s = r->job.session;
        int error;

        if (r->carry || !s->record.carrying) {
                r->carry = s->record.carrying;
                return 0;
        }
        s->record.carrying = false;
        error = store_put_session(&r->job.manager->store, s);
        if (error < 0)
                s->record.carrying = true;
        return error;
}

/* Also when it comes to its turn: what was asked for before it may have changed that. */
static int check_state(const Session *s, bool carry, Failure *ret) {
        if (s->record.state != SESSION_LIVE && s->record.state != SESSION_RENEWING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION, "Session '%s' is being ended", s->record.name);
        if (carry && s->record.direction == DIRECTION_INCOMING && s->record.state == SESSION_LIVE && session_is_claimed(s))
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' was claimed by its owner, who decides what becomes of it: Renew() keeps it over "
                                   "the next live update, Finish() ends it",
                                   s->record.name);
        return 0;
}

static void begin(Renewal *r) {
        int error = renewal_begin(r);

        if (error < 0)
                fail_errno(r, error, "Can't renew the session");
        else
                renewal_next(r);
}

static void on_holes_counted(WorkerReply *reply, void *userdata) {
        Renewal *r = userdata;

        if (reply->values[0] == 1)
                fail_holes(r);
        else if (reply->error < 0)
                fail_errno(r, reply->error, "Can't look at the session's files");
        else
                begin(r);
}

/* In a child. A file that was had before can be had again; values: as retrieve_files(). */
static void count_all_holes(void *arg, WorkerReply *reply) {
        Renewal *r = arg;
        const LuoOps *luo = r->job.manager->luo;
        const Session *s = r->job.session;

        for (size_t i = 0; i < s->n_files && reply->error >= 0; i++) {
                const File *f = s->files[i];
                _cleanup_(closep) int fd = -EBADF;

                if (f->record.state != FILE_RETRIEVED || f->part->fd < 0)
                        continue;
                fd = luo->retrieve(luo, f->part->fd, f->record.ktoken);
                if (fd < 0)
                        reply->error = fd;
                else if (count_holes(r, fd, reply->values + 1) < 0) {
                        reply->values[0] = 1;
                        return;
                }
        }
}

static bool has_retrieved_files(const Session *s) {
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->record.state == FILE_RETRIEVED)
                        return true;
        return false;
}

/* Only files that somebody has had have holes. Once a part is renewed there is no way back, so all of them are looked at
 * before. */
static void check_holes(Renewal *r) {
        Manager *m = r->job.manager;
        Session *s = r->job.session;
        _cleanup_free_ int *fds = NULL;
        size_t n = 0;
        int error;
        Part *p;

        if (!has_retrieved_files(s)) {
                begin(r);
                return;
        }
        LIST_FOREACH(&s->parts, Part, session_link, p)
                n++;
        fds = calloc(n + 1, sizeof(int));
        n = 0;
        LIST_FOREACH(&s->parts, Part, session_link, p)
                if (fds && p->fd >= 0)
                        fds[n++] = p->fd;
        error = fds ? worker_run(&m->workers, count_all_holes, r, fds, n, WORKER_OUTLIVES, on_holes_counted, r) : -ENOMEM;
        if (error < 0)
                fail_errno(r, error, "Can't look at the session's files");
}

static void renewal_run(Job *job) {
        Renewal *r = (Renewal *) job;
        Session *s = job->session;
        int error;

        r->may_go_back = false;
        if (s->record.direction == DIRECTION_OUTGOING) { /* the same call was answered, or its answer lost, before */
                job_end(job, /* failure= */ NULL);
                return;
        }
        if (check_state(s, r->carry, &job->failure) < 0) {
                job_end(job, &job->failure);
                return;
        }
        if (s->record.state == SESSION_LIVE) {
                check_holes(r);
                return;
        }
        error = renewal_go_on(r);
        if (error < 0) {
                fail_errno(r, error, "Can't renew the session");
                return;
        }
        renewal_next(r);
}

static Renewal *renewal_new(Manager *m, Session *s, bool carry, job_done_fn done, void *userdata) {
        Renewal *r = malloc(sizeof(*r));

        if (!r)
                return NULL;
        *r = (Renewal) {
                .job = { .manager = m,
                         .session = s,
                         .done = done,
                         .userdata = userdata,
                         .run = renewal_run,
                         .free = renewal_free },
                .carry = carry,
        };
        renewals_begun(m, s);
        return r;
}

static int check_complete(const Session *s, Failure *ret) {
        if (s->flags & (SESSION_UNINDEXED | SESSION_PARTS_MISSING | SESSION_FILES_DAMAGED))
                return failure_set(ret, FAILURE_RETRIEVE_FAILED,
                                   "Session '%s' is not complete (see its Flags), so it can't be renewed as a whole. Retrieve what "
                                   "is there, finish the session, and keep that in a new one",
                                   s->record.name);
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->record.state == FILE_FAILED)
                        return failure_set(ret, FAILURE_RETRIEVE_FAILED,
                                           "The kernel could not bring back the file under token %llu of session '%s', so it "
                                           "can't be renewed as a whole. Retrieve what is there, finish the session, and keep "
                                           "that in a new one",
                                           (unsigned long long) s->files[i]->record.token, s->record.name);
        return 0;
}

bool session_is_claimed(const Session *s) {
        return s->record.claimed > 0;
}

static int
renewal_submit(Manager *m, Session *session, Caller *caller, bool carry, bool claims, job_done_fn done, void *userdata, Failure *ret) {
        Renewal *renewal;
        int r;

        r = manager_check_ready(m, /* keeps= */ true, ret);
        if (r < 0)
                return r;
        if (session->record.direction == DIRECTION_OUTGOING && session->record.created_generation == m->state.head.generation)
                return failure_set(ret, FAILURE_WRONG_DIRECTION,
                                   "Session '%s' was made in this kernel: it is kept over the next live update anyway",
                                   session->record.name);
        r = check_state(session, carry, ret);
        if (r < 0)
                return r;
        r = check_complete(session, ret);
        if (r < 0)
                return r;

        renewal = renewal_new(m, session, carry, done, userdata);
        if (!renewal)
                return failure_set_errno(ret, -ENOMEM, "Can't renew the session");
        renewal->caller = caller ? caller_ref(caller) : NULL;
        renewal->claims = claims;
        return job_submit(&renewal->job, caller, ret);
}

int operation_renew(Manager *m, Session *session, Caller *caller, job_done_fn done, void *userdata, Failure *ret) {
        int r;

        r = manager_check_access(session, caller, ret);
        if (r < 0)
                return r;
        return renewal_submit(m, session, caller, /* carry= */ false, /* claims= */ caller->uid == session->record.uid, done, userdata, ret);
}

int operation_carry(Manager *m, Session *session, Caller *caller, job_done_fn done, void *userdata, Failure *ret) {
        int r;

        r = manager_check_access(session, caller, ret);
        if (r < 0)
                return r;
        if (!caller_is_root(caller))
                return failure_set(ret, FAILURE_NOT_PERMITTED,
                                   "Only root may carry a session for an owner who does not come; its owner calls Renew()");
        return renewal_submit(m, session, caller, /* carry= */ true, /* claims= */ false, done, userdata, ret);
}

int operation_renew_unasked(Manager *m, Session *session, Failure *ret) {
        return renewal_submit(m, session, /* caller= */ NULL, /* carry= */ !session_is_claimed(session), /* claims= */ false, /* done= */ NULL,
                              /* userdata= */ NULL, ret);
}

int operation_continue_renewal(Manager *m, Session *session) {
        Renewal *r = renewal_new(m, session, session->record.carrying, /* done= */ NULL, /* userdata= */ NULL);
        Failure failure;

        if (!r)
                return -ENOMEM;
        return job_submit(&r->job, /* asker= */ NULL, &failure) < 0 ? -EAGAIN : 0;
}

static void on_cleaned(int error, void *userdata) {
}

void renewals_clean(Manager *m) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p) {
                char name[PARKED_NAME_SIZE];

                if (state_find_session_by_sid(&m->state, p->sid))
                        continue;
                parked_name_format(p->sid, p->token, name);
                (void) custody_remove(m->custody, name, on_cleaned, NULL);
                parked_free(p);
        }
}
