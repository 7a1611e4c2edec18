/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <libgen.h>
#include <linux/limits.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"
#include "fd-util.h"
#include "macro.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define CHUNK (256U * 1024U)
#define BLOCK 4096U /* runs of zeros this long, and aligned so, become holes */

int content_new_memfd(int *ret_fd) {
        _cleanup_(closep) int fd = -EBADF;

        /* Without MFD_EXEC, vm.memfd_noexec=1 would add F_SEAL_EXEC. Kernels before 6.3 know neither. */
        fd = memfd_create("luoctl", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
        if (fd < 0 && errno == EINVAL)
                fd = memfd_create("luoctl", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        /* vm.memfd_noexec=2 forbids MFD_EXEC. A file without a name on tmpfs is kept just as well. */
        if (fd < 0 && errno == EACCES)
                fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;

        if (fchmod(fd, 0600) < 0)
                return -errno;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }

        return 0;
}

int content_fill(int memfd, int input, uint64_t max, bool *reterr_read) {
        _cleanup_free_ char *buffer = NULL;
        uint64_t size = 0;

        *reterr_read = false;
        buffer = malloc(CHUNK);
        if (!buffer)
                return -ENOMEM;

        for (;;) {
                ssize_t n;
                int r;

                n = read(input, buffer, CHUNK);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        *reterr_read = true;
                        return -errno;
                }
                if (n == 0)
                        break;
                size += (uint64_t) n;
                if (size > max)
                        return -EFBIG;

                r = write_all(memfd, buffer, (size_t) n);
                if (r < 0)
                        return r;
        }

        return lseek(memfd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static bool is_zero(const char *data, size_t size) {
        return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* Writes what is not zero at its place in @fd, a new file of the right size. */
static int write_sparse(int fd, const char *data, size_t size, uint64_t offset) {
        for (size_t n; size > 0; data += n, size -= n, offset += n) {
                size_t done = 0;

                n = MIN(size, (size_t) BLOCK);
                if (is_zero(data, n))
                        continue;

                while (done < n) {
                        ssize_t k = pwrite(fd, data + done, n - done, (off_t) (offset + done));

                        if (k < 0 && errno == EINTR)
                                continue;
                        if (k < 0)
                                return -errno;
                        done += (size_t) k;
                }
        }

        return 0;
}

static int stat_content(int fd, uint64_t *ret_size) {
        struct stat st;
        int flags;

        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fstat(fd, &st) < 0)
                return -errno;
        if ((flags & O_ACCMODE) == O_WRONLY)
                return -EBADFD;
        if (!S_ISREG(st.st_mode))
                return -ENOTSUP;

        *ret_size = (uint64_t) st.st_size;
        return 0;
}

/* Copies the first @size bytes of @fd. A kept file has no holes left (the kernel fills them when it
 * preserves it), so @sparse goes by zeros rather than by SEEK_HOLE, which would move the position as well. */
static int copy(int fd, uint64_t size, int output, bool sparse) {
        _cleanup_free_ char *buffer = NULL;
        uint64_t offset = 0;

        buffer = malloc(CHUNK);
        if (!buffer)
                return -ENOMEM;

        while (offset < size) {
                ssize_t n;
                int r;

                n = pread(fd, buffer, (size_t) MIN(size - offset, (uint64_t) CHUNK), (off_t) offset);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ENODATA;

                r = sparse ? write_sparse(output, buffer, (size_t) n, offset)
                           : write_all(output, buffer, (size_t) n);
                if (r < 0)
                        return r;
                offset += (uint64_t) n;
        }

        return 0;
}

int content_write(int fd, int output) {
        uint64_t size = 0;
        int r;

        r = stat_content(fd, &size);
        if (r < 0)
                return r;

        return copy(fd, size, output, /* sparse= */ false);
}

/* A file in the making: without a name where the file system can do that, so that nothing is left behind if
 * luoctl is killed; else with a hidden one. */
typedef struct NewFile {
        int directory; /* of the file to be */
        char target[NAME_MAX + 1];
        char temporary[64]; /* "" while it has no name */
        int fd;
} NewFile;

#define NEW_FILE_NULL \
        { .directory = -EBADF, .fd = -EBADF }

static void new_file_done(NewFile *f) {
        if (f->temporary[0] != '\0')
                (void) unlinkat(f->directory, f->temporary, 0);
        f->fd = safe_close(f->fd);
        f->directory = safe_close(f->directory);
}

/* Splits @path and opens its directory. */
static int new_file_locate(NewFile *f, const char *path) {
        _cleanup_free_ char *for_dirname = strdup(path), *for_basename = strdup(path);
        const char *name;
        size_t length = strlen(path);
        struct stat st;

        if (!for_dirname || !for_basename)
                return -ENOMEM;

        name = basename(for_basename);
        if (length == 0 || path[length - 1] == '/' || streq(name, ".") || streq(name, ".."))
                return -EISDIR;
        if (strlen(name) > NAME_MAX)
                return -ENAMETOOLONG;
        memcpy(f->target, name, strlen(name) + 1);

        f->directory = open(dirname(for_dirname), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (f->directory < 0)
                return -errno;

        /* rename() would put the file in the place of a device node or a symlink: never what was meant. */
        if (fstatat(f->directory, f->target, &st, AT_SYMLINK_NOFOLLOW) >= 0)
                return S_ISREG(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
        return errno == ENOENT ? 0 : -errno;
}

static int new_temporary_name(char *buffer, size_t size) {
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != (ssize_t) sizeof(random))
                return -EIO;

        snprintf(buffer, size, ".luoctl-%016llx.tmp", (unsigned long long) random);
        return 0;
}

static int new_file_open(NewFile *f) {
        char name[sizeof(f->temporary)];
        int r;

        f->fd = openat(f->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        if (f->fd >= 0)
                return 0;
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
                return -errno;

        r = new_temporary_name(name, sizeof(name));
        if (r < 0)
                return r;
        f->fd = openat(f->directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (f->fd < 0)
                return -errno;
        memcpy(f->temporary, name, sizeof(name));
        return 0;
}

/* Gives the complete file its name. */
static int new_file_commit(NewFile *f) {
        /* On disk before it is seen: who retrieves is about to finish the session, the only other copy. */
        if (fchmod(f->fd, 0600) < 0 || fsync(f->fd) < 0)
                return -errno;

        if (f->temporary[0] == '\0') {
                char name[sizeof(f->temporary)], proc[64];
                int r;

                r = new_temporary_name(name, sizeof(name));
                if (r < 0)
                        return r;
                snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
                if (linkat(AT_FDCWD, proc, f->directory, name, AT_SYMLINK_FOLLOW) < 0)
                        return -errno;
                memcpy(f->temporary, name, sizeof(name));
        }

        if (renameat(f->directory, f->temporary, f->directory, f->target) < 0)
                return -errno;
        f->temporary[0] = '\0';
        return 0;
}

/* So that the name, too, survives a crash. Tolerated where a file system can't. */
static void sync_directory(int directory) {
        _cleanup_(closep) int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0)
                (void) fsync(fd);
}

int content_save(int fd, const char *path) {
        _cleanup_(new_file_done) NewFile f = NEW_FILE_NULL;
        uint64_t size = 0;
        int r;

        r = stat_content(fd, &size);
        if (r < 0)
                return r;
        r = new_file_locate(&f, path);
        if (r < 0)
                return r;
        r = new_file_open(&f);
        if (r < 0)
                return r;

        if (ftruncate(f.fd, (off_t) size) < 0)
                return -errno;
        r = copy(fd, size, f.fd, /* sparse= */ true);
        if (r < 0)
                return r;

        r = new_file_commit(&f);
        if (r < 0)
                return r;
        sync_directory(f.directory);
        return 0;
}
