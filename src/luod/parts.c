/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "index-page.h"
#include "job.h"
#include "name-util.h"
#include "parking.h"
#include "parts.h"
#include "probe.h"
#include "stop-point.h"

#define UPKEEP_RETRY_USEC (1000ULL * 1000)
/* PID 1 closes what it removes from the store in a process of its own, a moment later. */
#define LAST_CLOSE_TIMEOUT_USEC (5ULL * 1000 * 1000)

/* What a push needs to remember: parts may be closed while it is under way. */
typedef struct Push {
        Manager *manager;
        char kname[KNAME_SIZE];
        part_custody_fn done;
        void *userdata;
} Push;

static void index_path(const char *runtime_dir, const char *kname, uint32_t page, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/index/%s.%u", runtime_dir, kname, page);
}

uint64_t ktoken_next(uint64_t ktoken) {
        ktoken++;
        return ktoken_is_index(ktoken) ? ktoken + 1 : ktoken;
}

static unsigned count_parts(Manager *m, PartRole role) {
        unsigned n = 0;
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                n += p->role == role && p->outgoing;
        return n;
}

unsigned parts_limit(Manager *m) {
        return MIN(MIN(custody_get_capacity(m->custody), m->config.parts), usage_parts_for_fds());
}

bool parts_limit_reached(Manager *m) {
        return m->state.n_parts + parking_count(m) >= parts_limit(m);
}

void part_assign_fdname(Manager *m, Part *part) {
        (void) snprintf(part->record.fdname, sizeof(part->record.fdname), "%.*s%llx", part->role == PART_LEDGER,
                        LEDGER_FDNAME_MARK, (unsigned long long) m->state.head.next_fdname++);
}

/* --- index pages */

static int index_file_write(int fd, const IndexHead *head) {
        void *page;

        if (ftruncate(fd, INDEX_PAGE_SIZE) < 0)
                return -errno;
        page = mmap(NULL, INDEX_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        index_page_set_head(page, head);
        (void) munmap(page, INDEX_PAGE_SIZE);
        return 0;
}

int index_file_make(const LuoOps *luo,
                    const char *runtime_dir,
                    int session,
                    const char *kname,
                    uint32_t page,
                    const IndexHead *head) {
        _cleanup_(closep) int fd = -EBADF;
        char path[PATH_MAX];
        int r;

        (void) snprintf(path, sizeof(path), "%s/index", runtime_dir);
        fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT) { /* somebody has cleaned up */
                (void) mkdir(runtime_dir, 0700);
                (void) mkdir(path, 0700);
                fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        }
        if (fd < 0)
                return -errno;
        r = index_file_write(fd, head);
        if (r >= 0)
                r = luo->preserve(luo, session, index_page_ktoken(page), fd);
        if (r < 0)
                return r;

        /* The kernel session is new, so a file of that name is a left-over. */
        index_path(runtime_dir, kname, page, path);
        (void) unlink(path);
        return file_link(fd, path);
}

static int map_page(Manager *m, const char *kname, uint32_t page, void **ret) {
        _cleanup_(closep) int fd = -EBADF;
        char path[PATH_MAX];
        struct stat st;
        void *p;

        index_path(m->runtime_dir, kname, page, path);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size != INDEX_PAGE_SIZE)
                return -EBADMSG;
        p = mmap(NULL, INDEX_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = p;
        return 0;
}

int part_map_next_page(Manager *m, Part *part) {
        void **larger;
        int r;

        larger = realloc(part->pages, (part->n_pages + 1) * sizeof(void *));
        if (!larger)
                return -ENOMEM;
        part->pages = larger;
        r = map_page(m, part->record.kname, part->n_pages, part->pages + part->n_pages);
        if (r < 0)
                return r;
        part->n_pages++;
        return 0;
}

void part_unlink_pages(Manager *m, const Part *part) {
        char path[PATH_MAX];

        for (uint32_t i = 0; i < MAX(part->n_pages, 1U); i++) {
                index_path(m->runtime_dir, part->record.kname, i, path);
                (void) unlink(path);
        }
}

static void index_head_of(Manager *m, const Part *part, uint32_t page, IndexHead *ret) {
        const Session *s = part->session;

        *ret = (IndexHead) {
                .role = s ? INDEX_SESSION : INDEX_SPARE,
                .page = page,
                .many = part->record.many,
        };
        (void) snprintf(ret->boot_id, sizeof(ret->boot_id), "%s", m->state.head.boot_id);
        if (!s)
                return;
        ret->sid = s->sid;
        ret->uid = s->record.uid;
        ret->created = s->record.created;
        ret->created_generation = s->record.created_generation;
        (void) snprintf(ret->name, sizeof(ret->name), "%s", s->record.name);
}

void part_write_index_head(Manager *m, Part *part) {
        for (uint32_t i = 0; i < part->n_pages; i++) {
                IndexHead head;

                index_head_of(m, part, i, &head);
                index_page_set_head(part->pages[i], &head);
        }
}

void part_write_index_file(Part *part, const FileRecord *file) {
        uint32_t page = ktoken_page(file->ktoken);

        if (page < part->n_pages)
                index_page_set_file(part->pages[page], page, file);
}

unsigned part_missing_pages(const Part *part, uint64_t end) {
        unsigned need = end == 0 ? 0 : ktoken_page(end - 1) + 1;

        return need > part->n_pages ? need - part->n_pages : 0;
}

/* --- dropping one */

int kernel_session_await_end(const LuoOps *luo, const char *kname) {
        uint64_t pause = DEVICE_BUSY_RETRY_FIRST_USEC, waited = 0;

        for (;;) {
                _cleanup_(closep) int device = luo_device_open_patiently(luo, DEVICE_BUSY_TIMEOUT_USEC), fd = -EBADF;
                struct timespec ts = { .tv_nsec = (long) pause * 1000 };

                if (device < 0)
                        return device;
                fd = luo->session_create(luo, device, kname);
                if (fd != -EEXIST)
                        return MIN(fd, 0);
                if (waited >= LAST_CLOSE_TIMEOUT_USEC)
                        return -ETIMEDOUT;
                device = safe_close(device); /* others wait for it */
                (void) nanosleep(&ts, NULL);
                waited += pause;
                pause = MIN(pause * 2, DEVICE_BUSY_RETRY_MAX_USEC);
        }
}

typedef struct Drop {
        Manager *manager;
        Part *part;
        char kname[KNAME_SIZE]; /* to wait for its end; or empty */
        int fd;
        part_dropped_fn done;
        void *userdata;
} Drop;

static void drop_last_copy(void *arg, WorkerReply *reply) {
        Drop *drop = arg;

        if (drop->kname[0] == '\0') /* with the child's end */
                return;
        safe_close(drop->fd);
        (void) kernel_session_await_end(drop->manager->luo, drop->kname);
}

static void on_dropped(WorkerReply *reply, void *userdata) {
        _cleanup_free_ Drop *drop = userdata;

        part_close(&drop->manager->state, drop->part);
        parts_upkeep(drop->manager);
        drop->done(drop->userdata);
}

void part_drop(Manager *m, Part *part, bool was_stored, part_dropped_fn done, void *userdata) {
        Drop *drop = malloc(sizeof(*drop));
        int fd = part->fd, r = -ENOMEM;

        part_unlink_pages(m, part);
        if (drop) {
                *drop = (Drop) { .manager = m, .part = part, .fd = fd, .done = done, .userdata = userdata };
                if (was_stored && !m->workers.inline_) /* tests: nobody else has copies */
                        (void) snprintf(drop->kname, sizeof(drop->kname), "%s", part->record.kname);
                r = worker_run(&m->workers, drop_last_copy, drop, &fd, 1, /* flags= */ 0, on_dropped, drop);
        }
        /* It stays in the state until then, so that nobody takes its name meanwhile. */
        part->fd = safe_close(part->fd);
        part->leaving = true;
        part_attach(part, NULL);
        part->role = PART_UNKNOWN;
        if (r < 0) {
                free(drop);
                part_close(&m->state, part);
                parts_upkeep(m);
                done(userdata);
        }
}

/* --- making them */

void parts_making_init(Manager *m, IndexRole role, size_t n_wanted, PartsMaking *ret) {
        bool used[PART_NUMBER_END] = {};
        Part *p;

        *ret = (PartsMaking) {
                .luo = m->luo,
                .runtime_dir = m->runtime_dir,
                .busy_timeout = m->config.busy_timeout,
                .series = m->state.head.series,
                .role = role,
                .n_wanted = n_wanted,
        };
        (void) snprintf(ret->boot_id, sizeof(ret->boot_id), "%s", m->state.head.boot_id);

        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                uint32_t n;
                char series;

                if (kernel_name_parse(p->record.kname, &series, &n) && series == ret->series)
                        used[n] = true;
        }
        for (uint32_t i = 0; i < PART_NUMBER_END; i++)
                if (!used[i])
                        ret->numbers[ret->n_numbers++] = i;
}

/* Creates the kernel sessions, the device open only for that: PID 1 needs it, too, and does not try twice. */
static int make_sessions(const PartsMaking *making, WorkerReply *reply) {
        _cleanup_(closep) int device = luo_device_open_patiently(making->luo, making->busy_timeout);

        if (device < 0)
                return device;

        for (size_t i = 0; i < making->n_numbers && reply->n_fds < making->n_wanted; i++) {
                char kname[KERNEL_NAME_SIZE];
                int fd;

                kernel_name_format(making->series, making->numbers[i], kname);
                fd = making->luo->session_create(making->luo, device, kname);
                if (fd == -EEXIST) /* somebody else's, or not quite gone yet */
                        continue;
                if (fd < 0)
                        return fd;
                reply->values[reply->n_fds] = making->numbers[i];
                reply->fds[reply->n_fds++] = fd;
        }

        return reply->n_fds > 0 ? 0 : -ENOSPC;
}

void parts_make(void *arg, WorkerReply *reply) {
        const PartsMaking *making = arg;
        size_t n;

        reply->error = make_sessions(making, reply);
        n = reply->n_fds;
        for (size_t i = 0; i < n; i++) {
                IndexHead head = { .role = making->role };
                char kname[KERNEL_NAME_SIZE];
                int r;

                (void) snprintf(head.boot_id, sizeof(head.boot_id), "%s", making->boot_id);
                kernel_name_format(making->series, (uint32_t) reply->values[i], kname);
                r = index_file_make(making->luo, making->runtime_dir, reply->fds[i], kname, 0, &head);
                if (r >= 0)
                        continue;

                /* Sessions without an index are of no use: give back those from here on, they are empty. */
                reply->error = r;
                for (size_t j = i; j < n; j++)
                        reply->fds[j] = safe_close(reply->fds[j]);
                reply->n_fds = i;
                break;
        }
}

int parts_adopt(Manager *m, uint32_t number, int *fd, Part **ret) {
        PartRecord record = {};
        Part *p;
        int r;

        kernel_name_format(m->state.head.series, number, record.kname);
        (void) snprintf(record.boot_id, sizeof(record.boot_id), "%s", m->state.head.boot_id);
        r = part_new(&m->state, /* session= */ NULL, &record, &p);
        if (r < 0)
                return r;
        r = part_map_next_page(m, p);
        if (r < 0) {
                part_close(&m->state, p);
                return r;
        }

        p->role = PART_BARE;
        part_assign_fdname(m, p);
        part_take_fd(p, fd);
        if (ret)
                *ret = p;
        return 0;
}

static int on_upkeep(sd_event_source *source, uint64_t usec, void *userdata) {
        ((Manager *) userdata)->making_failed = false;
        parts_upkeep(userdata);
        return 0;
}

void parts_upkeep_later(Manager *m) {
        if (m->upkeep)
                (void) sd_event_source_set_time_relative(m->upkeep, UPKEEP_RETRY_USEC);
        else
                (void) sd_event_add_time_relative(m->event, &m->upkeep, CLOCK_MONOTONIC, UPKEEP_RETRY_USEC,
                                                  /* accuracy= */ 0, on_upkeep, m);
        (void) sd_event_source_set_enabled(m->upkeep, SD_EVENT_ONESHOT);
}

typedef struct Making {
        Manager *manager;
        PartsMaking parts;
} Making;

static void on_made(WorkerReply *reply, void *userdata) {
        _cleanup_free_ Making *making = userdata;
        Manager *m = making->manager;

        m->n_making = 0;
        m->device_busy = reply->error == -EBUSY;
        m->making_error = reply->error;
        m->making_failed = reply->error < 0; /* until the timer: not a child for every call that waits */
        for (size_t i = 0; i < reply->n_fds; i++)
                if (parts_adopt(m, (uint32_t) reply->values[i], reply->fds + i, NULL) < 0)
                        reply->error = -ENOMEM;

        job_wake_spare_waiters(m, reply->error);
        if (reply->error < 0)
                parts_upkeep_later(m);
        else {
                probe_features(m); /* the device can be had now */
                parts_upkeep(m);
        }
}

static void parts_start_making(Manager *m, unsigned n) {
        Making *making = malloc(sizeof(*making));
        int r;

        if (!making) {
                parts_upkeep_later(m);
                return;
        }
        making->manager = m;
        parts_making_init(m, INDEX_SPARE, n, &making->parts);
        r = worker_run(&m->workers, parts_make, &making->parts, NULL, 0, /* flags= */ 0, on_made, making);
        if (r < 0) {
                free(making);
                parts_upkeep_later(m);
                return;
        }
        m->n_making = n;
}

/* --- custody */

static void on_pushed(int error, void *userdata) {
        _cleanup_free_ Push *push = userdata;
        Part *p = state_find_part(&push->manager->state, push->kname);

        if (p) {
                p->pushing = false;
                p->in_custody = error == 0;
                if (error == 0 && p->role == PART_BARE && p->promote) {
                        p->role = PART_READY;
                        p->promote = false;
                }
        }
        if (push->done)
                push->done(p, error, push->userdata);
        if (error < 0)
                parts_upkeep_later(push->manager);
        else
                job_wake_spare_waiters(push->manager, 0);
        manager_emit(push->manager, "Custody");
}

int part_push(Manager *m, Part *part, part_custody_fn done, void *userdata) {
        Push *push = malloc(sizeof(*push));
        int r;

        if (!push)
                return -ENOMEM;
        *push = (Push) { .manager = m, .done = done, .userdata = userdata };
        (void) snprintf(push->kname, sizeof(push->kname), "%s", part->record.kname);
        part->pushing = true;
        r = custody_push(m->custody, part->fd, part->record.fdname, on_pushed, push);
        if (r < 0) {
                part->pushing = false;
                free(push);
        }
        return r;
}

void parts_listed(Manager *m, char **fdnames) {
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                bool found = false;

                for (size_t i = 0; fdnames[i] && !found; i++)
                        found = streq(fdnames[i], p->record.fdname);
                if (!p->pushing)
                        p->in_custody = found;
        }
        parking_listed(m, fdnames);
        parts_upkeep(m);
        job_wake_spare_waiters(m, 0);
        manager_emit(m, "Custody");
        manager_emit(m, "LimitParts"); /* a reload of systemd may have changed what its store takes */
}

/* Everything but the bare spares belongs into custody. */
static bool part_is_missing_in_custody(const Part *p) {
        return p->role != PART_BARE && p->fd >= 0 && !p->leaving && !p->in_custody;
}

CustodyState parts_custody_state(Manager *m) {
        CustodyState state = custody_get_state(m->custody);
        Part *p;

        if (state != CUSTODY_FDSTORE)
                return state;
        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (part_is_missing_in_custody(p))
                        return CUSTODY_DEGRADED;
        if (parking_is_missing_in_custody(m))
                return CUSTODY_DEGRADED;
        return state;
}

static void push_missing(Manager *m) {
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                if (!part_is_missing_in_custody(p) || p->pushing)
                        continue;
                if (part_push(m, p, NULL, NULL) < 0)
                        parts_upkeep_later(m);
        }
}

static void promote_spares(Manager *m) {
        unsigned ready = 0, bare = 0;
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                ready += p->role == PART_READY || (p->role == PART_BARE && p->promote);
                bare += p->role == PART_BARE && !p->promote;
        }
        LIST_FOREACH(&m->state.parts, Part, state_link, p) {
                if (ready >= POOL_READY_TARGET || bare <= POOL_BARE_TARGET)
                        return;
                if (p->role != PART_BARE || p->promote)
                        continue;
                p->promote = true;
                ready++;
                bare--;
        }
}

static void push_promoted(Manager *m) {
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (p->role == PART_BARE && p->promote && !p->pushing && part_push(m, p, NULL, NULL) < 0)
                        parts_upkeep_later(m);
}

/* --- from one kind of spare to the other */

static Part *find_spare(Manager *m, PartRole role) {
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (p->role == role && p->outgoing && !p->leaving && !p->pushing && (role == PART_BARE || p->in_custody))
                        return p;
        return NULL;
}

static bool is_converting(Manager *m, PartRole to) {
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (to == PART_READY ? p->role == PART_BARE && p->promote : p->role == PART_READY && p->demote)
                        return true;
        return false;
}

static void on_demoted(int error, void *userdata) {
        _cleanup_free_ Push *push = userdata;
        Manager *m = push->manager;
        Part *p = state_find_part(&m->state, push->kname);

        if (p) {
                /* Where PID 1 did not say so it may have it still: then it is a ready one, and is given again. */
                p->leaving = p->demote = p->in_custody = false;
                if (error >= 0)
                        p->role = PART_BARE;
        }
        if (error < 0)
                parts_upkeep_later(m);
        else
                job_wake_spare_waiters(m, 0);
}

static bool demote_spare(Manager *m, Part *p) {
        Push *push = malloc(sizeof(*push));

        if (!push)
                return false;
        *push = (Push) { .manager = m };
        (void) snprintf(push->kname, sizeof(push->kname), "%s", p->record.kname);
        p->leaving = p->demote = true;
        if (custody_remove(m->custody, p->record.fdname, on_demoted, push) >= 0)
                return true;
        p->leaving = p->demote = false;
        free(push);
        return false;
}

bool parts_convert_spare(Manager *m, PartRole role) {
        Part *p;

        if (m->stopping || custody_get_state(m->custody) != CUSTODY_FDSTORE)
                return false;
        if (is_converting(m, role)) /* one after the other: who waits asks again */
                return true;
        p = find_spare(m, role == PART_READY ? PART_BARE : PART_READY);
        if (!p)
                return false;
        if (role == PART_BARE)
                return demote_spare(m, p);
        p->promote = true;
        push_promoted(m);
        return true;
}

void parts_upkeep(Manager *m) {
        unsigned spares, target = POOL_READY_TARGET + POOL_BARE_TARGET, room;

        if (m->support != LUO_SUPPORTED || m->stopping || !m->custody)
                return;
        push_missing(m);
        parking_push_missing(m);
        if (!m->store.ledger) /* the start is not through */
                return;
        promote_spares(m);
        push_promoted(m);

        /* A refill opens the device once for several: not before half of them are used. */
        spares = count_parts(m, PART_READY) + count_parts(m, PART_BARE);
        if (m->n_making > 0 || m->making_failed || (spares >= target / 2 && list_is_empty(&m->spare_waiters)) || spares >= target)
                return;
        room = parts_limit(m);
        if (m->state.n_parts < room)
                parts_start_making(m, MIN(target - spares, room - m->state.n_parts));
}

Part *parts_take_spare(Manager *m, PartRole role) {
        Part *p;

        /* While PID 1's list is being read anew nobody knows what is in custody. */
        if (custody_get_state(m->custody) == CUSTODY_DEGRADED)
                return NULL;

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                if (p->role == role && p->outgoing && !p->promote && !p->leaving && (role == PART_BARE || p->in_custody))
                        return p;
        return NULL;
}
