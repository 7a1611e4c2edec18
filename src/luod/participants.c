/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd-util.h"
#include "lines.h"
#include "manager.h"
#include "name-util.h"
#include "participants.h"
#include "update.h"

static const char *const lock_modes[_LOCK_MODE_MAX] = {
        [LOCK_DELAY] = "delay",
        [LOCK_BLOCK] = "block",
};

const char *lock_mode_to_string(LockMode mode) {
        return mode >= 0 && mode < _LOCK_MODE_MAX ? lock_modes[mode] : NULL;
}

LockMode lock_mode_from_string(const char *s) {
        for (LockMode mode = 0; mode < _LOCK_MODE_MAX; mode++)
                if (streq(s, lock_modes[mode]))
                        return mode;
        return _LOCK_MODE_INVALID;
}

/* --- the files: RUNTIME_DIR/inhibit/ID is the record, RUNTIME_DIR/inhibit/ID.fifo the lock itself */

static void lock_path(Manager *m, uint64_t id, const char *suffix, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/inhibit/%" PRIu64 "%s", m->runtime_dir, id, suffix);
}

static void lock_unlink(Manager *m, uint64_t id) {
        char path[PATH_MAX];

        lock_path(m, id, ".fifo", path);
        (void) unlink(path);
        lock_path(m, id, "", path);
        (void) unlink(path);
}

static int lock_write(const Lock *l) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];

        if (asprintf(&text,
                     "luod-lock 1\nmode %s\nuid %" PRIu64 "\npid %" PRIu64 "\ntaken %" PRIu64 "\nwho %s\nwhy %s\nend\n",
                     lock_modes[l->mode], (uint64_t) l->uid, (uint64_t) l->pid, l->taken, l->who, l->why) < 0)
                return -ENOMEM;
        lock_path(l->manager, l->id, "", path);
        return write_small_file(path, text);
}

static int lock_read(Manager *m, Lock *l) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX], version[8], mode[8];
        uint64_t uid, pid;
        const char *p;
        int r;

        lock_path(m, l->id, "", path);
        r = read_small_file(path, &text);
        if (r < 0)
                return r;
        p = text;
        if (!lines_take(&p, "luod-lock", version, sizeof(version)) || !streq(version, "1") ||
            !lines_take(&p, "mode", mode, sizeof(mode)) || lock_mode_from_string(mode) < 0 ||
            !lines_take_u64(&p, "uid", &uid) || uid > UINT32_MAX || !lines_take_u64(&p, "pid", &pid) || pid > INT32_MAX ||
            !lines_take_u64(&p, "taken", &l->taken) || !lines_take(&p, "who", l->who, sizeof(l->who)) ||
            !lines_take(&p, "why", l->why, sizeof(l->why)) || !streq(p, "end"))
                return -EBADMSG;
        l->mode = lock_mode_from_string(mode);
        l->uid = (uid_t) uid;
        l->pid = (pid_t) pid;
        return 0;
}

/* --- locks */

static Lock *lock_free(Lock *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->source);
        safe_close(l->fd);
        list_unlink(&l->link);
        free(l);
        return NULL;
}
DEFINE_CLEANUP_FUNC(Lock, lock_free)

static void lock_release(Lock *l) {
        Manager *m = l->manager;

        lock_unlink(m, l->id);
        m->participants.n_locks--;
        list_unlink(&l->link);
        update_lock_released(m, l);
        lock_free(l);
}

/* The last writing end is closed. What is written into it means nothing, and wakes nobody. */
static int on_lock(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        if (revents & (EPOLLHUP | EPOLLERR))
                lock_release(userdata);
        return 0;
}

static Lock *lock_new(Manager *m, uint64_t id) {
        Lock *l = malloc(sizeof(*l));

        if (l)
                *l = (Lock) { .manager = m, .id = id, .fd = -EBADF };
        return l;
}

static int lock_open(Lock *l) {
        char path[PATH_MAX];

        lock_path(l->manager, l->id, ".fifo", path);
        l->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        return l->fd < 0 ? -errno : 0;
}

/* Takes over *@l. */
static int lock_enter(Lock **lock) {
        Lock *l = *lock;
        Manager *m = l->manager;
        int r;

        r = sd_event_add_io(m->event, &l->source, l->fd, /* events= */ 0, on_lock, l);
        if (r < 0)
                return r;
        list_append(&m->participants.locks, &l->link);
        m->participants.n_locks++;
        m->participants.next_id = MAX(m->participants.next_id, l->id + 1);
        *lock = NULL;
        return 0;
}

/* poll() would not tell: this end never saw a writer. */
static bool has_no_holder(int fd) {
        char buffer[4096];
        ssize_t n;

        do
                n = read(fd, buffer, sizeof(buffer));
        while (n > 0);
        return n == 0;
}

static void lock_restore(Manager *m, uint64_t id) {
        _cleanup_(lock_freep) Lock *l = lock_new(m, id);

        if (!l) /* it is held, and the files stay: the next start has it */
                return;
        if (lock_open(l) < 0 || has_no_holder(l->fd) || lock_read(m, l) < 0)
                lock_unlink(m, id);
        else
                (void) lock_enter(&l);
}

void participants_restore(Manager *m) {
        char path[PATH_MAX];
        struct dirent *de;
        DIR *d;

        (void) snprintf(path, sizeof(path), "%s/inhibit", m->runtime_dir);
        d = opendir(path);
        if (!d)
                return;
        while ((de = readdir(d))) {
                char *end;
                uint64_t id;

                if (de->d_name[0] < '0' || de->d_name[0] > '9')
                        continue;
                id = strtoull(de->d_name, &end, 10);
                if (*end == '\0' || streq(end, ".fifo")) {
                        const Lock *l;
                        bool known = false;

                        LIST_FOREACH(&m->participants.locks, Lock, link, l)
                                known |= l->id == id;
                        if (!known)
                                lock_restore(m, id);
                } else if (streq(end, ".new")) /* a luod died here */
                        (void) unlinkat(dirfd(d), de->d_name, 0);
        }
        (void) closedir(d);
}

static int check_inhibit(Manager *m, uid_t uid, const char *what, const char *who, const char *why, LockMode mode, Failure *ret) {
        int r;

        if (!streq(what, "update"))
                return failure_set(ret, FAILURE_INVALID_ARGUMENT, "What is held off must be 'update': there is nothing else");
        if (mode < 0)
                return failure_set(ret, FAILURE_INVALID_ARGUMENT, "The mode must be 'delay' or 'block'");
        if (who[0] == '\0' || strlen(who) > LOCK_TEXT_MAX || !is_printable_utf8(who) || why[0] == '\0' ||
            strlen(why) > LOCK_TEXT_MAX || !is_printable_utf8(why))
                return failure_set(ret, FAILURE_INVALID_ARGUMENT,
                                   "Who and why must be said, in at most %u bytes each and without control characters",
                                   LOCK_TEXT_MAX);
        r = usage_check(m, QUOTA_LOCKS, uid, uid, 1, ret);
        if (r < 0)
                return r;
        if (m->update.state == UPDATE_SHUTTING_DOWN)
                return failure_set(ret, FAILURE_TOO_LATE, "The host is being shut down already");
        return update_check_open(m, ret);
}

static int lock_make(Lock *l, int *ret_fd) {
        char path[PATH_MAX];
        int r;

        (void) snprintf(path, sizeof(path), "%s/inhibit", l->manager->runtime_dir);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;
        r = lock_write(l);
        if (r < 0)
                return r;
        lock_path(l->manager, l->id, ".fifo", path);
        if (mkfifo(path, 0600) < 0)
                return -errno;
        r = lock_open(l);
        if (r < 0)
                return r;
        *ret_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        return *ret_fd < 0 ? -errno : 0;
}

int operation_inhibit(Manager *m,
                      const Caller *caller,
                      const char *what,
                      const char *who,
                      const char *why,
                      const char *mode_string,
                      int *ret_fd,
                      Failure *ret) {
        LockMode mode = lock_mode_from_string(mode_string);
        _cleanup_(lock_freep) Lock *l = NULL;
        _cleanup_(closep) int fd = -EBADF;
        uint64_t id;
        int r;

        r = check_inhibit(m, caller->uid, what, who, why, mode, ret);
        if (r < 0)
                return r;

        id = m->participants.next_id++;
        l = lock_new(m, id);
        if (!l)
                return failure_set_errno(ret, -ENOMEM, "Can't make a lock");
        l->mode = mode;
        l->uid = caller->uid;
        l->pid = caller->pid;
        l->taken = now_realtime();
        (void) snprintf(l->who, sizeof(l->who), "%s", who);
        (void) snprintf(l->why, sizeof(l->why), "%s", why);

        r = lock_make(l, &fd);
        if (r >= 0)
                r = lock_enter(&l);
        if (r < 0) {
                lock_unlink(m, id);
                return failure_set_errno(ret, r, "Can't make a lock");
        }
        *ret_fd = TAKE_FD(fd);
        update_poke(m);
        return 0;
}

int operation_release_lock(Manager *m, const Caller *caller, uint64_t id, Failure *ret) {
        Lock *l;

        LIST_FOREACH(&m->participants.locks, Lock, link, l) {
                if (l->id != id || (!caller_is_root(caller) && caller->uid != l->uid))
                        continue;
                lock_release(l);
                return 0;
        }
        return failure_set(ret, FAILURE_NO_SUCH_LOCK, "There is no lock with the number %" PRIu64 "; ListInhibitors() lists yours",
                           id);
}

const Lock *participants_find(const Participants *participants, LockMode mode) {
        const Lock *l;

        LIST_FOREACH(&participants->locks, Lock, link, l)
                if (l->mode == mode)
                        return l;
        return NULL;
}

void participants_init(Participants *p) {
        *p = (Participants) { .next_id = 1 };
        list_init(&p->locks);
}

void participants_done(Participants *p) {
        Lock *l;

        LIST_FOREACH(&p->locks, Lock, link, l)
                lock_free(l);
}

/* --- sessions */

bool session_is_awaited(const Session *s) {
        return s->record.unready && s->record.direction == DIRECTION_OUTGOING && s->record.state == SESSION_LIVE;
}

static int put_ready(Manager *m, Session *s, bool participates, bool unready) {
        bool former_participates = s->record.participates, former_unready = s->record.unready;
        int r;

        if (former_participates == participates && former_unready == unready)
                return 0;
        s->record.participates = participates;
        s->record.unready = unready;
        r = store_put_session(&m->store, s);
        if (r < 0) {
                s->record.participates = former_participates;
                s->record.unready = former_unready;
                return r;
        }
        manager_emit_session(m, s, "Ready");
        return 0;
}

int operation_set_ready(Manager *m, Session *s, const Caller *caller, bool ready, Failure *ret) {
        int r;

        r = manager_check_access(s, caller, ret);
        if (r >= 0)
                r = manager_check_ready(m, /* keeps= */ false, ret);
        if (r < 0)
                return r;
        if (s->record.state != SESSION_LIVE && s->record.state != SESSION_RENEWING)
                return failure_set(ret, FAILURE_NO_SUCH_SESSION, "Session '%s' is being ended", s->record.name);
        if (!ready) {
                r = update_check_open(m, ret);
                if (r < 0)
                        return r;
        }
        r = put_ready(m, s, s->record.participates || !ready, !ready);
        if (r < 0)
                return failure_set_errno(ret, r, "Can't write down whether the session is ready");
        if (ready)
                update_session_ready(m, s);
        else
                update_poke(m);
        return 0;
}

void participants_reset(Manager *m) {
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (s->record.participates)
                        (void) put_ready(m, s, /* participates= */ true, /* unready= */ true);
}
