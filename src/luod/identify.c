/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd-util.h"
#include "identify.h"
#include "inspect.h"
#include "name-util.h"
#include "objects.h"
#include "probe.h"

/* Who keeps an object is in the registry; of what luod does not keep only the kernel knows. It is asked in a child: a shmem
 * file that is kept is frozen, which shows in its refusing a hole to be punched where it has nothing; of another file it
 * shows in trying to keep it (probe.c). */

typedef struct Identifying {
        Job job;
        Caller *caller;
        int fd;
        Identity identity;
        Identification result;
        unsigned counted;  /* 1: among what is in flight */
        ListLink link; /* Manager.identifications */
} Identifying;

static void identifying_free(Job *job) {
        Identifying *i = (Identifying *) job;

        list_unlink(&i->link);
        usage_release(job->manager, QUOTA_FDS, i->caller->uid, i->counted);
        usage_release(job->manager, QUOTA_IDENTIFICATIONS, i->caller->uid, i->counted);
        identity_done(&i->identity);
        safe_close(i->fd);
        caller_unref(i->caller);
        free(i);
}

const Identification *identification_get(const Job *job) {
        return &((const Identifying *) job)->result;
}

const Caller *identification_get_caller(const Job *job) {
        return ((const Identifying *) job)->caller;
}

/* --- what it is */

static const char *type_of_mode(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFSOCK: return "socket";
        case S_IFIFO: return "pipe";
        case S_IFDIR: return "directory";
        case S_IFCHR: return "character device";
        case S_IFBLK: return "block device";
        case S_IFLNK: return "symbolic link";
        case S_IFREG: return "regular file";
        default: return "file";
        }
}

static void describe_type(int fd, FileKind kind, char ret[static FILE_TYPE_LENGTH_MAX + 1]) {
        static const char anonymous[] = "anon_inode:", memfd[] = "/memfd:";
        char path[64], link[FILE_TYPE_LENGTH_MAX + 1];
        const char *type = "tmpfs file";
        struct statx sx = {};
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, link, sizeof(link) - 1);
        link[n < 0 ? 0 : n] = '\0';
        if (strncmp(link, anonymous, strlen(anonymous)) == 0 && label_is_valid(link))
                type = link;
        else if (strncmp(link, memfd, strlen(memfd)) == 0)
                type = "memfd";
        else if (kind != FILE_KIND_MEMFD) { /* no file system is asked: one of somebody's own may not answer */
                (void) statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx);
                type = type_of_mode(sx.stx_mode);
        }
        (void) snprintf(ret, FILE_TYPE_LENGTH_MAX + 1, "%s", type);
}

/* --- whether it can be kept, and who keeps it */

static void set_keeper(Identifying *i, const RegistryEntry *e) {
        i->result.keeper = KEEPER_SESSION;
        i->result.sid = e->sid;
        i->result.token = e->token;
}

static void identifying_end(Identifying *i) {
        job_end(&i->job, /* failure= */ NULL);
}

static void refuse(Identifying *i, Keepable keepable, const char *reason) {
        i->result.keepable = keepable;
        failure_set(&i->result.reason, FAILURE_UNSUPPORTED_FILE, "%s", reason);
}

static void look_whether_frozen(void *arg, WorkerReply *reply) {
        const Identifying *i = arg;

        reply->values[0] = file_is_frozen(i->fd, /* may_open= */ false);
}

static void on_looked(WorkerReply *reply, void *userdata) {
        Identifying *i = userdata;

        if (reply->error == 0 && reply->values[0])
                i->result.keeper = KEEPER_FOREIGN;
        identifying_end(i);
}

static void identify_shmem(Identifying *i) {
        Manager *m = i->job.manager;

        if (m->support != LUO_SUPPORTED ||
            worker_run(&m->workers, look_whether_frozen, i, &i->fd, 1, /* flags= */ 0, on_looked, i) < 0)
                identifying_end(i);
}

static void identifying_give_up(Job *job) {
        Identifying *i = (Identifying *) job;

        refuse(i, KEEPABLE_UNKNOWN, "There is no kernel session to try it in just now; try again");
        identifying_end(i);
}

static void on_probed(const int *results, size_t n, int error, void *userdata) {
        Identifying *i = userdata;
        Manager *m = i->job.manager;

        if (error >= 0 && results[0] == -EALREADY) { /* luod has got it meanwhile */
                i->job.run(&i->job);
                return;
        }
        if (error == -EAGAIN) {
                job_wait_for_spare(&i->job);
                return;
        }
        if (error < 0)
                refuse(i, KEEPABLE_UNKNOWN, "The kernel could not be asked just now; try again");
        else if (results[0] == -EBUSY)
                i->result.keeper = objects_count_unknown(m) > 0 ? KEEPER_UNKNOWN : KEEPER_FOREIGN;
        else if (results[0] == -ENOENT || results[0] == -EOPNOTSUPP)
                refuse(i, KEEPABLE_NO, "This kernel has no live update handler for this kind of file");
        else if (results[0] < 0) {
                i->result.keepable = KEEPABLE_NO;
                failure_set(&i->result.reason, FAILURE_UNSUPPORTED_FILE, "The kernel refuses to keep it: %s",
                            strerror(-results[0]));
        }
        identifying_end(i);
}

static void identify_other(Identifying *i) {
        Manager *m = i->job.manager;
        int r;

        if (m->support != LUO_SUPPORTED || m->stopping || !m->custody || !probe_is_possible(m)) {
                if (i->result.keepable == KEEPABLE_YES)
                        refuse(i, KEEPABLE_UNKNOWN, "Only an attempt to keep it would tell");
                identifying_end(i);
                return;
        }
        r = probe_start(m, &i->fd, 1, on_probed, i);
        if (r < 0)
                on_probed(NULL, 0, r, i);
}

static void identifying_run(Job *job) {
        Identifying *i = (Identifying *) job;
        Manager *m = job->manager;
        const RegistryEntry *e = registry_find(&m->state.registry, &i->identity);

        if (e && e->sid == PROBE_SID) /* another call is looking at it; in turn */
                e = NULL;
        if (e)
                set_keeper(i, e);
        if (e || (i->result.keepable == KEEPABLE_NO && i->result.record.kind != FILE_KIND_MEMFD))
                identifying_end(i);
        else if (i->result.record.kind == FILE_KIND_MEMFD)
                identify_shmem(i);
        else
                identify_other(i);
}

/* What can be said without asking the kernel. */
static int judge(Identifying *i, Failure *ret) {
        Manager *m = i->job.manager;
        FileRecord record = {};
        int r;

        r = file_describe(i->fd, &i->result.record);
        if (r < 0)
                return failure_set_errno(ret, r, "Can't look at the file");
        describe_type(i->fd, i->result.record.kind, i->result.type);
        i->result.holes = file_holes(i->fd);

        if (m->support != LUO_SUPPORTED)
                refuse(i, KEEPABLE_NO, luo_support_message(m->support));
        else if (file_inspect(i->fd, i->caller->uid, /* accept_write_seal= */ false, m->config.memory_reserve,
                              &record, &i->result.reason) < 0)
                i->result.keepable = KEEPABLE_NO;
        else if (i->result.record.kind == FILE_KIND_MEMFD && (m->features & LUO_FEATURE_PROBED) &&
                 !(m->features & LUO_FEATURE_MEMFD))
                refuse(i, KEEPABLE_NO, "This kernel was built without CONFIG_LIVEUPDATE_MEMFD");
        return 0;
}

static int check_limits(Manager *m, uid_t uid, Failure *ret) {
        int r;

        if (m->stopping)
                return failure_set(ret, FAILURE_SHUTTING_DOWN, "luod is being stopped; ask again when it is back");
        r = usage_check(m, QUOTA_IDENTIFICATIONS, uid, uid, 1, ret);
        return r < 0 ? r : usage_check(m, QUOTA_FDS, uid, uid, 1, ret);
}

static int count(Identifying *i) {
        Manager *m = i->job.manager;
        int r;

        r = usage_hold(m, QUOTA_FDS, i->caller->uid, 1);
        if (r < 0)
                return r;
        r = usage_hold(m, QUOTA_IDENTIFICATIONS, i->caller->uid, 1);
        if (r < 0)
                usage_release(m, QUOTA_FDS, i->caller->uid, 1);
        else
                i->counted = 1;
        return r;
}

int operation_identify(Manager *m, Caller *caller, int fd, job_done_fn done, void *userdata, Failure *ret) {
        Identifying *i;
        int r;

        r = check_limits(m, caller->uid, ret);
        if (r < 0)
                return r;
        i = malloc(sizeof(*i));
        if (!i)
                return failure_set_errno(ret, -ENOMEM, "Can't look at the file");
        *i = (Identifying) {
                .job = { .manager = m,
                         .done = done,
                         .userdata = userdata,
                         .run = identifying_run,
                         .give_up = identifying_give_up,
                         .free = identifying_free },
                .caller = caller_ref(caller),
                .fd = fd_dup(fd),
                .identity = IDENTITY_NULL,
        };
        list_append(&m->identifications, &i->link);
        r = i->fd < 0 ? i->fd : count(i);
        if (r >= 0)
                r = identity_from_fd(i->fd, &i->identity);
        if (r < 0)
                failure_set_errno(ret, r, "Can't take the file");
        else
                r = judge(i, ret);
        if (r < 0) {
                identifying_free(&i->job);
                return -ECANCELED;
        }
        return job_submit(&i->job, caller, ret);
}

const char *keepable_to_string(Keepable k) {
        static const char *const names[_KEEPABLE_MAX] = {
                [KEEPABLE_YES] = "yes",
                [KEEPABLE_NO] = "no",
                [KEEPABLE_UNKNOWN] = "unknown",
        };

        return k >= 0 && k < _KEEPABLE_MAX ? names[k] : NULL;
}

const char *keeper_kind_to_string(KeeperKind k) {
        static const char *const names[_KEEPER_KIND_MAX] = {
                [KEEPER_NONE] = "none",
                [KEEPER_SESSION] = "session",
                [KEEPER_UNKNOWN] = "unknown",
                [KEEPER_FOREIGN] = "foreign",
        };

        return k >= 0 && k < _KEEPER_KIND_MAX ? names[k] : NULL;
}
