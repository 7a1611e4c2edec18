/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fd-util.h"
#include "identity.h"

/* Drivers that have one object behind several open files, and say in fdinfo which one it is. */
static const struct {
        const char *link; /* /proc/PID/fd/N begins so */
        const char *key;  /* the line of /proc/PID/fdinfo/N */
} rules[] = {
        /* A device of VFIO, by its container or its group: drivers/vfio/vfio_main.c, vfio_device_show_fdinfo(). */
        { "/dev/vfio/devices/", "vfio-device-syspath:" },
        { "anon_inode:[vfio-device]", "vfio-device-syspath:" },
        /* The test file of kernel-patches/7.3. */
        { "anon_inode:[luo_test_file]", "luo-test-object:" },
};

bool identity_no_kcmp = false;

/* --- by name */

static bool is_plain(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (s[i] < ' ' || s[i] > '~')
                        return false;
        return n > 0;
}

static bool find_line(const char *text, const char *key, char *ret) {
        size_t n = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                const char *value;
                size_t length;

                line += *line == '\n';
                if (strncmp(line, key, n) != 0)
                        continue;
                value = line + n + strspn(line + n, " \t");
                length = strcspn(value, "\n");
                if (!is_plain(value, length) || n + length > OBJECT_NAME_MAX)
                        return false;
                (void) snprintf(ret, OBJECT_NAME_MAX + 1, "%s%.*s", key, (int) length, value);
                return true;
        }
        return false;
}

bool identity_name_from_text(const char *link, const char *fdinfo, char *ret) {
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                if (strncmp(link, rules[i].link, strlen(rules[i].link)) == 0 && find_line(fdinfo, rules[i].key, ret))
                        return true;
        return false;
}

static bool link_has_rule(const char *link) {
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                if (strncmp(link, rules[i].link, strlen(rules[i].link)) == 0)
                        return true;
        return false;
}

/* Only drivers in the table are asked for their fdinfo. What they have is a device or an anonymous inode: a file of somebody's own
 * can be made to have such a link (by a bind mount), but is a regular one. */
static bool read_name(int fd, char *ret) {
        _cleanup_free_ char *fdinfo = NULL;
        struct statx sx;
        char path[64], link[256];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, link, sizeof(link) - 1);
        if (n < 0)
                return false;
        link[n] = '\0';
        if (!link_has_rule(link) || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) < 0 ||
            S_ISREG(sx.stx_mode) || S_ISDIR(sx.stx_mode))
                return false;

        (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        return read_small_file(path, &fdinfo) >= 0 && identity_name_from_text(link, fdinfo, ret);
}

/* --- */

/* Only shmem and hugetlbfs have seals, so that a file system of somebody's own (FUSE) is never asked here: it may not
 * answer. */
bool fd_is_shmem(int fd) {
        struct statfs sfs;

        return fcntl(fd, F_GET_SEALS) >= 0 && fstatfs(fd, &sfs) >= 0 && sfs.f_type == TMPFS_MAGIC;
}

Identity identity_from_inode(uint64_t dev, uint64_t ino) {
        return (Identity) { .type = IDENTITY_INODE, .dev = dev, .ino = ino, .fd = -EBADF };
}

int identity_from_name(const char *name, Identity *ret) {
        char *copy = strdup(name);

        if (!copy)
                return -ENOMEM;
        *ret = (Identity) { .type = IDENTITY_NAMED, .name = copy, .fd = -EBADF };
        return 0;
}

int identity_from_fd(int fd, Identity *ret) {
        char name[OBJECT_NAME_MAX + 1];
        struct stat st;
        int copy;

        if (fd_is_shmem(fd)) {
                if (fstat(fd, &st) < 0)
                        return -errno;
                *ret = identity_from_inode(st.st_dev, st.st_ino);
                return 0;
        }
        if (read_name(fd, name))
                return identity_from_name(name, ret);

        copy = fd_dup(fd);
        if (copy < 0)
                return copy;
        *ret = (Identity) { .type = IDENTITY_FILE, .fd = copy };
        return 0;
}

void identity_done(Identity *i) {
        free(i->name);
        safe_close(i->fd);
        *i = (Identity) IDENTITY_NULL;
}

/* --- comparing */

/* kcmp(2): 0 equal, 1 less, 2 greater, 3 not equal and no order; -1 where it is not to be had. */
static int compare_files(int a, int b) {
        if (identity_no_kcmp)
                return -1;
        return (int) syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, (unsigned long) a, (unsigned long) b);
}

bool identity_is_ordered(const Identity *i) {
        return i->type != IDENTITY_FILE || compare_files(i->fd, i->fd) == 0;
}

static int compare_u64(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

int identity_compare(const Identity *a, const Identity *b) {
        int r;

        if (a->type != b->type)
                return a->type < b->type ? -1 : 1;
        switch (a->type) {
        case IDENTITY_INODE:
                r = compare_u64(a->dev, b->dev);
                return r != 0 ? r : compare_u64(a->ino, b->ino);
        case IDENTITY_NAMED:
                return strcmp(a->name, b->name);
        case IDENTITY_FILE:
                r = compare_files(a->fd, b->fd);
                assert(r >= 0 && r <= 2);
                return r == 0 ? 0 : r == 1 ? -1 : 1;
        default:
                return 0;
        }
}

bool identity_equal(const Identity *a, const Identity *b) {
        int r;

        if (a->type == IDENTITY_NONE || a->type != b->type)
                return false;
        if (a->type != IDENTITY_FILE)
                return identity_compare(a, b) == 0;
        r = fcntl(a->fd, F_DUPFD_QUERY, b->fd);
        if (r < 0) /* older than any kernel with LUO: only in tests */
                r = compare_files(a->fd, b->fd) == 0;
        return r == 1;
}
