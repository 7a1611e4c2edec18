/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "fake-kernel.h"
#include "fd-util.h"

#define COPIED_MAX (1024 * 1024)

unsigned n_pauses;

/* Instead of that of the C library. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remain) {
        n_pauses++;
        return 0;
}

/* --- fds */

/* Tests forbid luod more fds; the kernel has its own. */
static int beyond_limit(int (*get)(int *fds), int *fds) {
        struct rlimit before, most;
        int r = get(fds);

        if (r >= 0)
                return r;
        if (getrlimit(RLIMIT_NOFILE, &before) < 0)
                abort();
        most = before;
        most.rlim_cur = most.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &most) < 0)
                abort();
        r = get(fds);
        (void) setrlimit(RLIMIT_NOFILE, &before);
        if (r < 0)
                abort();
        return r;
}

static int dup_high(int *fd) {
        return fcntl(*fd, F_DUPFD_CLOEXEC, FAKE_FD_BASE);
}

static int make_pipe(int *pair) {
        return pipe2(pair, O_CLOEXEC);
}

int fake_fd_keep(int fd) {
        return beyond_limit(dup_high, &fd);
}

unsigned count_fds(void) {
        DIR *d = opendir("/proc/self/fd");
        struct dirent *de;
        unsigned n = 0;

        if (!d)
                abort();
        while ((de = readdir(d)))
                if (de->d_name[0] != '.' && atoi(de->d_name) < FAKE_FD_BASE)
                        n++;
        (void) closedir(d);
        return n - 1; /* that of the directory */
}

/* Makes a pipe: the kernel's end, which stays, and the one that is handed out. 0 or -EMFILE. */
static int make_handle(int *ret_end, int *ret_fd, uint64_t *ret_ino) {
        int pair[2], fd, end, high;
        struct stat st;

        (void) beyond_limit(make_pipe, pair);
        end = fake_fd_keep(pair[1]);
        high = fake_fd_keep(pair[0]);
        safe_close(pair[0]);
        safe_close(pair[1]);
        fd = fd_dup(high); /* as the caller's limit has it */
        safe_close(high);
        if (fd < 0) {
                safe_close(end);
                return fd;
        }

        if (fstat(fd, &st) < 0)
                abort();
        *ret_end = end;
        *ret_fd = fd;
        if (ret_ino)
                *ret_ino = st.st_ino;
        return 0;
}

/* Nobody has the other end any more. */
static bool is_hung_up(int end) {
        struct pollfd p = { .fd = end };

        return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

/* --- sessions and files */

static void file_drop(FakeFile *f) {
        list_unlink(&f->link);
        safe_close(f->fd);
        free(f);
}

static void session_drop_files(FakeSession *s) {
        FakeFile *f;

        LIST_FOREACH(&s->files, FakeFile, link, f)
                file_drop(f);
}

static void session_drop(FakeSession *s) {
        session_drop_files(s);
        list_unlink(&s->link);
        safe_close(s->end);
        free(s);
}

/* The last close unpreserves all, or finishes it. true: it is gone. */
static bool session_reap(FakeSession *s) {
        if (s->end < 0 || !is_hung_up(s->end))
                return false;
        session_drop(s);
        return true;
}

void fake_kernel_reap(FakeKernel *k) {
        FakeSession *s;

        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                (void) session_reap(s);
}

FakeSession *fake_kernel_find(FakeKernel *k, const char *name, bool incoming) {
        FakeSession *s;

        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                if (s->incoming == incoming && streq(s->name, name) && !session_reap(s))
                        return s;
        return NULL;
}

FakeSession *fake_kernel_find_by_fd(FakeKernel *k, int fd) {
        FakeSession *s;
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
                return NULL;
        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                if (s->end >= 0 && s->ino == st.st_ino)
                        return s;
        return NULL;
}

FakeFile *fake_session_find(FakeSession *s, uint64_t token) {
        FakeFile *f;

        LIST_FOREACH(&s->files, FakeFile, link, f)
                if (f->token == token)
                        return f;
        return NULL;
}

/* Who keeps the object: an outgoing session, or an incoming one from RETRIEVE to FINISH. */
static FakeFile *find_object(FakeKernel *k, int fd, const struct stat *st, bool outgoing_only) {
        FakeSession *s;
        FakeFile *f;

        fake_kernel_reap(k);
        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                LIST_FOREACH(&s->files, FakeFile, link, f)
                        if (f->dev == st->st_dev && f->ino == st->st_ino && (!s->incoming || f->retrieved) &&
                            !(outgoing_only && s->incoming) &&
                            (S_ISREG(st->st_mode) || fcntl(f->fd, F_DUPFD_QUERY, fd) == 1))
                                return f;
        return NULL;
}

bool fake_kernel_keeps(FakeKernel *k, int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                abort();
        return find_object(k, fd, &st, /* outgoing_only= */ true);
}

unsigned fake_kernel_count_sessions(FakeKernel *k, bool incoming) {
        unsigned n = 0;
        FakeSession *s;

        fake_kernel_reap(k);
        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                n += s->incoming == incoming;
        return n;
}

/* --- operations */

int fake_device_open(FakeKernel *k) {
        int fd, r;

        if (k->device_error < 0)
                return k->device_error;
        if (k->device_end >= 0 && !is_hung_up(k->device_end))
                return -EBUSY;
        k->device_end = safe_close(k->device_end);
        r = make_handle(&k->device_end, &fd, NULL);
        if (r < 0)
                return r;
        k->n_opened++;
        return fd;
}

int fake_session_create(FakeKernel *k, const char *name) {
        FakeSession *s;
        int fd, r;

        if (k->create_error < 0)
                return k->create_error;
        if (fake_kernel_find(k, name, /* incoming= */ false))
                return -EEXIST;
        s = calloc(1, sizeof(*s));
        if (!s)
                abort();
        r = make_handle(&s->end, &fd, &s->ino);
        if (r < 0) {
                free(s);
                return r;
        }

        (void) snprintf(s->name, sizeof(s->name), "%s", name);
        list_init(&s->files);
        list_append(&k->sessions, &s->link);
        return fd;
}

int fake_session_retrieve(FakeKernel *k, const char *name) {
        FakeSession *s = fake_kernel_find(k, name, /* incoming= */ true);
        int fd, r;

        if (!s)
                return -ENOENT;
        if (s->retrieved)
                return -EINVAL;
        r = make_handle(&s->end, &fd, &s->ino);
        if (r < 0)
                return r;
        s->retrieved = true;
        return fd;
}

int fake_session_get_name(FakeKernel *k, int session, char ret[static LUO_NAME_SIZE]) {
        FakeSession *s = fake_kernel_find_by_fd(k, session);

        if (!s)
                return fcntl(session, F_GETFD) < 0 ? -EBADF : -ENOTTY;
        memcpy(ret, s->name, LUO_NAME_SIZE);
        return 0;
}

static bool is_eventfd(int fd) {
        char path[64], link[64];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, link, sizeof(link) - 1);
        return n > 0 && (link[n] = '\0', streq(link, "anon_inode:[eventfd]"));
}

static bool can_preserve(const FakeKernel *k, int fd, const struct stat *st) {
        struct statfs sfs;

        if (k->keeps_eventfds && is_eventfd(fd))
                return true;

        return S_ISREG(st->st_mode) && st->st_nlink == 0 && fstatfs(fd, &sfs) >= 0 && sfs.f_type == TMPFS_MAGIC;
}

/* What 6.19 does when asked, and what nobody may ask. */
_Noreturn static void unforgivable(const char *what, const FakeSession *s) {
        fprintf(stderr, "%s: %s\n", what, s->name);
        abort();
}

int fake_preserve(FakeKernel *k, int session, uint64_t token, int fd) {
        FakeSession *s = fake_kernel_find_by_fd(k, session);
        struct stat st;
        FakeFile *f;

        if (!s)
                return -ENOTTY;
        if (s->incoming && !k->direction_unchecked)
                return -EINVAL;
        if (fd < 0 && k->known_error < 0)
                return k->known_error;
        if (fake_session_find(s, token))
                return -EEXIST;
        if (fstat(fd, &st) < 0 || (fcntl(fd, F_GETFL) & O_PATH))
                return -EBADF;
        if (!can_preserve(k, fd, &st))
                return -ENOENT;
        if (find_object(k, fd, &st, /* outgoing_only= */ false)) {
                if (!k->one_keeper_unchecked)
                        return -EBUSY;
                /* The close of either session would be the end of both. luod tries it with a file of its own. */
                if (strncmp(s->name, "luod-probe-", 11) != 0)
                        unforgivable("An object was to be kept twice", s);
        }
        if (k->preserve_error < 0 && k->preserve_after-- == 0) {
                k->preserve_after = 0;
                return k->preserve_error;
        }

        f = calloc(1, sizeof(*f));
        if (!f)
                abort();
        *f = (FakeFile) {
                .token = token,
                .fd = fake_fd_keep(fd),
                .dev = st.st_dev,
                .ino = st.st_ino,
                .seals = fcntl(fd, F_GET_SEALS),
        };
        list_append(&s->files, &f->link);
        return 0;
}

int fake_retrieve(FakeKernel *k, int session, uint64_t token) {
        FakeSession *s = fake_kernel_find_by_fd(k, session);
        FakeFile *f;
        int fd;

        if (!s)
                return -ENOTTY;
        if (!s->incoming && !k->direction_unchecked)
                return -EINVAL;
        f = fake_session_find(s, token);
        if (!f)
                return -ENOENT;
        if (!s->incoming)
                unforgivable("The files of an outgoing session were taken apart", s);
        fd = fd_dup(f->fd); /* first of all, as in the kernel: a full table does no harm */
        if (fd < 0)
                return fd;

        if (!f->retrieved && f->error == 0 && k->retrieve_error < 0) {
                f->error = k->retrieve_error;
                k->retrieve_error = 0;
        }
        if (f->error < 0) {
                safe_close(fd);
                return f->error;
        }
        f->retrieved = true;
        return fd;
}

int fake_finish(FakeKernel *k, int session) {
        FakeSession *s = fake_kernel_find_by_fd(k, session);

        if (!s)
                return -ENOTTY;
        if (!s->incoming && !k->direction_unchecked)
                return -EINVAL;
        if (k->finish_error < 0)
                return k->finish_error;
        if (!s->incoming && !list_is_empty(&s->files))
                unforgivable("An outgoing session was finished", s);
        session_drop_files(s);
        return 0;
}

/* --- the live update */

static void copy_content(int from, int to, off_t size) {
        off_t position = 0;

        if (ftruncate(to, size) < 0)
                abort();
        while (position < size) {
                off_t data = lseek(from, position, SEEK_DATA), hole;

                if (data < 0)
                        break; /* a hole to the end */
                hole = lseek(from, data, SEEK_HOLE);
                if (lseek(to, data, SEEK_SET) < 0)
                        abort();
                for (position = data; position < hole;)
                        if (sendfile(to, from, &position, (size_t) (hole - position)) <= 0)
                                abort();
        }
}

/* A new file as the kernel makes it: content, position and the seals are what is kept. Large ones (the ledger) are
 * not copied, nobody writes to them any more. */
static int make_copy(int fd, const struct stat *st, int seals) {
        char path[64];
        int from, to;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        from = open(path, (st->st_size < COPIED_MAX ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        if (from < 0)
                abort();
        if (st->st_size >= COPIED_MAX)
                return from;

        to = memfd_create("kept", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (to < 0)
                abort();
        copy_content(from, to, st->st_size);
        if (seals > 0 && fcntl(to, F_ADD_SEALS, seals) < 0)
                abort();
        safe_close(from);
        return to;
}

static void file_carry_over(FakeFile *f) {
        struct stat st;
        int copy;

        if (fstat(f->fd, &st) < 0)
                abort();
        if (!S_ISREG(st.st_mode)) /* has its state elsewhere */
                return;
        copy = make_copy(f->fd, &st, f->seals);
        if (lseek(copy, lseek(f->fd, 0, SEEK_CUR), SEEK_SET) < 0 || fstat(copy, &st) < 0)
                abort();
        safe_close(f->fd);
        f->fd = fake_fd_keep(copy);
        safe_close(copy);
        f->dev = st.st_dev;
        f->ino = st.st_ino;
}

static void session_carry_over(FakeSession *s) {
        FakeFile *f;

        s->incoming = true;
        s->end = safe_close(s->end);
        LIST_FOREACH(&s->files, FakeFile, link, f)
                file_carry_over(f);
}

void fake_kernel_kexec(FakeKernel *k, int *stored[], size_t n_stored) {
        FakeSession **of_stored = calloc(n_stored + 1, sizeof(*of_stored));
        FakeSession *s;

        if (!of_stored)
                abort();
        fake_kernel_reap(k);
        for (size_t i = 0; i < n_stored; i++) {
                s = fake_kernel_find_by_fd(k, *stored[i]);
                of_stored[i] = s && !s->incoming ? s : NULL;
        }

        k->device_end = safe_close(k->device_end);
        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                if (s->incoming)
                        session_drop(s);
                else
                        session_carry_over(s);

        for (size_t i = 0; i < n_stored; i++) {
                int fd;

                *stored[i] = safe_close(*stored[i]);
                if (!of_stored[i])
                        continue;
                fd = fake_session_retrieve(k, of_stored[i]->name);
                if (fd < 0)
                        abort();
                *stored[i] = fake_fd_keep(fd);
                safe_close(fd);
        }
        free(of_stored);
}

/* --- the table */

static FakeKernel *kernel_of(const LuoOps *ops) {
        return ops->userdata;
}

static int op_device_open(const LuoOps *ops) {
        return fake_device_open(kernel_of(ops));
}

static int op_session_create(const LuoOps *ops, int device, const char *name) {
        return fake_session_create(kernel_of(ops), name);
}

static int op_session_retrieve(const LuoOps *ops, int device, const char *name) {
        return fake_session_retrieve(kernel_of(ops), name);
}

static int op_session_get_name(const LuoOps *ops, int session, char ret[static LUO_NAME_SIZE]) {
        return fake_session_get_name(kernel_of(ops), session, ret);
}

static int op_preserve(const LuoOps *ops, int session, uint64_t token, int fd) {
        return fake_preserve(kernel_of(ops), session, token, fd);
}

static int op_retrieve(const LuoOps *ops, int session, uint64_t token) {
        return fake_retrieve(kernel_of(ops), session, token);
}

static int op_finish(const LuoOps *ops, int session) {
        return fake_finish(kernel_of(ops), session);
}

void fake_kernel_init(FakeKernel *k) {
        const char *kind = getenv("LUOD_TEST_FAKE_KERNEL");
        bool old = kind && streq(kind, "6.19");

        *k = (FakeKernel) {
                .ops = {
                        .userdata = k,
                        .device_open = op_device_open,
                        .session_create = op_session_create,
                        .session_retrieve = op_session_retrieve,
                        .session_get_name = op_session_get_name,
                        .preserve = op_preserve,
                        .retrieve = op_retrieve,
                        .finish = op_finish,
                },
                .device_end = -EBADF,
                .one_keeper_unchecked = old,
                .direction_unchecked = old,
        };
        list_init(&k->sessions);
}

void fake_kernel_done(FakeKernel *k) {
        FakeSession *s;

        LIST_FOREACH(&k->sessions, FakeSession, link, s)
                session_drop(s);
        k->device_end = safe_close(k->device_end);
}
