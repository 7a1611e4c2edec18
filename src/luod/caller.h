/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "macro.h"

/* Who asks: what the kernel says of the process that made a connection, however it came to luod. Never changed once it is
 * made, so that jobs may keep a reference to it: a connection belongs to who made it, whatever becomes of the process. */
typedef struct Caller {
        unsigned n_refs;
        uid_t uid;           /* effective, when it connected */
        gid_t *gids;         /* primary and supplementary ones, n_gids of them; none: not known */
        size_t n_gids;
        pid_t pid;           /* 0: not known, or it has ended */
        int pidfd;           /* of that process; -EBADF: not known, or it has ended */
        uint64_t start_time; /* of the process: ticks since the boot (proc(5), stat, field 22); 0: not known */
        char *unit;          /* the system unit that it was in; NULL: none, or not known */
} Caller;

/* What a connection says of its maker. All borrowed. */
typedef struct CallerCredentials {
        uid_t uid;
        const gid_t *gids;
        size_t n_gids;
        pid_t pid;      /* 0: not known */
        int pidfd;      /* handed out by who knows it (SO_PEERPIDFD, ProcessFD); -EBADF: there is only the pid */
        uint64_t heard; /* usec, CLOCK_BOOTTIME: the connection is not newer than that. For a pid without pidfd */
} CallerCredentials;

/* A pid may be another process's by now. So where there is no pidfd, one is opened by the pid, and believed only if that process
 * is @uid's and not younger than the connection is known to be (@heard). What is left is a connection that outlived its
 * maker, in another process, and a process of the same user that got its number before luod was first spoken to; such a one
 * passes for the maker. dbus-broker and dbus-daemon 1.16 give the pidfd.
 *
 * A process that can't be looked at has no pid, pidfd and unit; that is no failure. 0 or -ENOMEM. */
int caller_new(const CallerCredentials *credentials, Caller **ret);
/* The maker of the other end of a unix socket (of a socketpair: of both). 0 or -errno. */
int caller_new_from_socket(int fd, Caller **ret);
Caller *caller_ref(Caller *caller);
Caller *caller_unref(Caller *caller);
DEFINE_CLEANUP_FUNC(Caller, caller_unref)

static inline bool caller_is_root(const Caller *caller) {
        return caller->uid == 0;
}

bool caller_is_in_group(const Caller *caller, gid_t gid);

/* The control group that the process is in now, as luod sees it: "/system.slice/vm.service". The caller frees *ret. 0, -ESRCH (it
 * has ended, or is not known) or -errno. */
int caller_read_cgroup(const Caller *caller, char **ret);

/* The system unit of a control group: what comes first below the slices. What is further down is made by those who own that,
 * under whatever name they like. The caller frees *ret. 0, -ENXIO: there is none, or -ENOMEM. */
int cgroup_get_unit(const char *cgroup, char **ret);
