/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "fd-util.h"
#include "luod-limits.h"
#include "macro.h"
#include "owners.h"

static int compare_owners(const void *a, const void *b) {
        uid_t x = ((const Owner *) a)->uid, y = ((const Owner *) b)->uid;

        return x < y ? -1 : x > y;
}

size_t owners_sort(Owner *owners, size_t n) {
        size_t kept = 0;

        if (n == 0)
                return 0;
        qsort(owners, n, sizeof(*owners), compare_owners);
        for (size_t i = 1; i < n; i++)
                if (owners[i].uid != owners[kept].uid)
                        owners[++kept] = owners[i];
        return kept + 1;
}

Owner *owners_find(Owner *owners, size_t n, uid_t uid) {
        const Owner key = { .uid = uid };

        return n > 0 ? bsearch(&key, owners, n, sizeof(*owners), compare_owners) : NULL;
}

static uint64_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* The directory of a process is its effective user's, whatever else of it is root's. */
static int look_at_processes(DIR *d, Owner *owners, size_t n, uint64_t max_usec) {
        uint64_t begun = now_monotonic();
        size_t n_missing = n;
        unsigned seen = 0;
        struct dirent *de;
        struct stat st;

        while (n_missing > 0 && (de = readdir(d))) {
                Owner *o;

                if (!isdigit((unsigned char) de->d_name[0]))
                        continue;
                if (++seen > PROCESSES_MAX)
                        return -E2BIG;
                if (seen % 64 == 0 && now_monotonic() - begun >= max_usec)
                        return -ETIME;
                if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue; /* it has ended */
                o = owners_find(owners, n, st.st_uid);
                n_missing -= o && !o->lives;
                if (o)
                        o->lives = true;
        }
        return 0;
}

int owners_find_processes(const char *proc, Owner *owners, size_t n, uint64_t max_usec) {
        struct stat st;
        DIR *d;
        int r;

        d = opendir(proc);
        if (!d)
                return -errno;
        /* PID 1 may do more than luod, so it is hidden where others are. */
        r = fstatat(dirfd(d), "1", &st, AT_SYMLINK_NOFOLLOW) < 0 ? -ENODATA
                                                                 : look_at_processes(d, owners, n, max_usec);
        (void) closedir(d);
        return r;
}

/* name:password:uid:… */
static void look_at_user(const char *line, Owner *owners, size_t n) {
        const char *p = strchr(line, ':');
        unsigned long uid;
        char *end;
        Owner *o;

        p = p ? strchr(p + 1, ':') : NULL;
        if (!p || !isdigit((unsigned char) p[1]))
                return;
        uid = strtoul(p + 1, &end, 10);
        o = *end == ':' && uid == (uid_t) uid ? owners_find(owners, n, (uid_t) uid) : NULL;
        if (o)
                o->named = true;
}

int owners_find_names(const char *passwd, Owner *owners, size_t n) {
        _cleanup_free_ char *text = NULL;
        char *state = NULL;
        int r;

        r = read_small_file(passwd, &text);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
                look_at_user(line, owners, n);
        return 0;
}

static bool is_recent(const OwnersSeen *seen, const Owner *owners, size_t n, uint64_t now) {
        if (seen->when == 0 || now < seen->when || now - seen->when >= OWNERS_SEEN_USEC || seen->n != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (seen->owners[i].uid != owners[i].uid)
                        return false;
        return true;
}

int owners_find_processes_seldom(OwnersSeen *seen, const char *proc, Owner *owners, size_t n, uint64_t max_usec, uint64_t now) {
        int r;

        if (is_recent(seen, owners, n, now)) {
                memcpy(owners, seen->owners, n * sizeof(*owners));
                return seen->error;
        }
        owners_seen_done(seen);
        r = owners_find_processes(proc, owners, n, max_usec);
        seen->owners = calloc(n + 1, sizeof(*owners));
        if (!seen->owners)
                return r;
        memcpy(seen->owners, owners, n * sizeof(*owners));
        seen->n = n;
        seen->error = r;
        seen->when = now;
        return r;
}

void owners_seen_done(OwnersSeen *seen) {
        free(seen->owners);
        *seen = (OwnersSeen) {};
}
