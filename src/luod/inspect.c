/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fd-util.h"
#include "identity.h"
#include "inspect.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
/* A file that nobody can change any more, so that freezing its size takes nothing from anybody. */
#define SEALS_FULL (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

/* What is known of the file without asking a file system. */
static int stat_cached(int fd, struct stat *ret) {
        struct statx sx;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx) < 0)
                return -errno;
        *ret = (struct stat) {
                .st_dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
                .st_ino = sx.stx_ino,
                .st_mode = sx.stx_mode,
                .st_nlink = sx.stx_nlink,
                .st_uid = sx.stx_uid,
                .st_gid = sx.stx_gid,
                .st_size = (off_t) sx.stx_size,
                .st_blocks = (blkcnt_t) sx.stx_blocks,
        };
        return 0;
}

uint64_t memory_available(void) {
        _cleanup_free_ char *text = NULL;
        const char *p;

        if (read_small_file("/proc/meminfo", &text) < 0)
                return UINT64_MAX;
        p = strstr(text, "MemAvailable:");
        return p ? strtoull(p + strlen("MemAvailable:"), NULL, 10) * 1024 : UINT64_MAX;
}

bool memory_has_room(uint64_t holes, uint64_t reserve) {
        uint64_t available;

        if (holes == 0)
                return true;
        available = memory_available();
        return available == UINT64_MAX || (available >= reserve && holes <= available - reserve);
}

static uint64_t holes_of(const struct stat *st) {
        uint64_t size = (uint64_t) st->st_size, filled = (uint64_t) st->st_blocks * 512;

        return size > filled ? size - filled : 0;
}

uint64_t file_holes(int fd) {
        struct stat st;

        if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0) /* its handler knows what it takes */
                return 0;
        return holes_of(&st);
}

bool file_is_frozen(int fd, bool may_open) {
        static const off_t beyond = INT64_MAX - 8192; /* no page of any file is touched there */
        _cleanup_(closep) int anew = -EBADF;
        struct statx sx;
        char path[64];

        if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) < 0 || sx.stx_size >= (uint64_t) beyond)
                return false;
        /* These refuse it for other reasons. */
        if ((sx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) ||
            (fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
                return false;
        if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
                if (!may_open)
                        return false;
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                fd = anew = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
        }
        return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, beyond, 1) < 0 && errno == EPERM;
}

static int check_holes(const struct stat *st, uint64_t reserve, Failure *failure) {
        uint64_t holes = holes_of(st);

        if (memory_has_room(holes, reserve))
                return 0;
        return failure_set(failure, FAILURE_OUT_OF_MEMORY,
                           "Keeping the file fills its holes: %llu MiB, but only %llu MiB are free on this host, of which %llu "
                           "are reserved (MemoryReserve= in luod.conf). Make it smaller or free memory; nothing was changed",
                           (unsigned long long) (holes >> 20), (unsigned long long) (memory_available() >> 20),
                           (unsigned long long) (reserve >> 20));
}

static int check_shmem(const struct stat *st,
                       const FileRecord *r,
                       bool accept_write_seal,
                       uint64_t memory_reserve,
                       Failure *failure) {
        if (st->st_nlink != 0)
                return failure_set(failure, FAILURE_UNSUPPORTED_FILE,
                                   "The file has a name on a tmpfs; the kernel keeps only nameless ones. Unlink it first, "
                                   "or use memfd_create() or O_TMPFILE");
        if ((r->seals & F_SEAL_EXEC) && !(r->seals & F_SEAL_WRITE) && !accept_write_seal)
                return failure_set(failure, FAILURE_UNSUPPORTED_FILE,
                                   "The memfd has F_SEAL_EXEC (MFD_NOEXEC_SEAL, or sysctl vm.memfd_noexec) and would come "
                                   "back write-sealed. Create it with MFD_EXEC, or as O_TMPFILE on a tmpfs, or accept that "
                                   "with the option accept-write-seal of PreserveMany()");
        return check_holes(st, memory_reserve, failure);
}

static int describe(int fd, FileRecord *ret, struct stat *ret_st, int *ret_flags) {
        int flags, seals, r;

        flags = fcntl(fd, F_GETFL);
        r = flags < 0 ? -errno : stat_cached(fd, ret_st);
        if (r < 0)
                return r;

        seals = fcntl(fd, F_GET_SEALS);
        ret->kind = fd_is_shmem(fd) ? FILE_KIND_MEMFD : FILE_KIND_OTHER;
        ret->size = S_ISREG(ret_st->st_mode) ? (uint64_t) ret_st->st_size : 0;
        ret->uid = ret_st->st_uid;
        ret->gid = ret_st->st_gid;
        ret->mode = ret_st->st_mode & 07777;
        ret->access = (flags & O_ACCMODE) == O_ACCMODE ? O_RDONLY : flags & O_ACCMODE;
        ret->seals = seals < 0 ? 0 : (uint32_t) seals;
        ret->dev = ret_st->st_dev;
        ret->ino = ret_st->st_ino;
        *ret_flags = flags;
        return 0;
}

int file_describe(int fd, FileRecord *ret) {
        struct stat st = {};
        int flags = 0;

        return describe(fd, ret, &st, &flags);
}

int file_inspect(int fd,
                 uid_t uid,
                 bool accept_write_seal,
                 uint64_t memory_reserve,
                 FileRecord *ret,
                 Failure *failure) {
        FileRecord r = *ret;
        struct stat st = {};
        int flags, error;

        error = describe(fd, &r, &st, &flags);
        if (error < 0)
                return failure_set_errno(failure, error, "Can't look at the file");
        if (flags & O_PATH)
                return failure_set(failure, FAILURE_UNSUPPORTED_FILE,
                                   "An O_PATH file descriptor gives no access to the file; open it for reading and writing");
        if ((flags & O_ACCMODE) == O_ACCMODE) /* Linux's third mode, for ioctls alone */
                return failure_set(failure, FAILURE_UNSUPPORTED_FILE,
                                   "The file descriptor is neither for reading nor for writing; open it for both");
        if (r.access == O_RDONLY && uid != 0 && st.st_uid != uid && (r.seals & SEALS_FULL) != SEALS_FULL)
                return failure_set(failure, FAILURE_UNSUPPORTED_FILE,
                                   "The file descriptor is read-only and the file is neither yours nor fully sealed: keeping "
                                   "it would freeze its size for its owner. Pass one that is open for writing");
        if (r.kind == FILE_KIND_MEMFD)
                error = check_shmem(&st, &r, accept_write_seal, memory_reserve, failure);
        if (error < 0)
                return error;

        *ret = r;
        return 0;
}

static int restore_mode(int fd, mode_t mode) {
        struct stat st;

        if (fchmod(fd, mode) >= 0)
                return 0;
        /* Confined more than it came (RestrictSUIDSGID=), luod may not give set-id bits; and F_SEAL_EXEC holds the
         * execute bits as they came back. Neither is a reason to withhold the file. */
        if (errno == EPERM && fchmod(fd, mode & ~06000U) >= 0)
                return 0;
        if (errno != EPERM || fstat(fd, &st) < 0 || fchmod(fd, (mode & ~06111U) | (st.st_mode & 0111U)) < 0)
                return -errno;
        return 0;
}

static int restore_attributes(int fd, const FileRecord *r) {
        int seals, error;

        /* The owner first: chown clears set-id bits. Seals last: F_SEAL_EXEC forbids chmod. */
        if (fchown(fd, r->uid, r->gid) < 0)
                return -errno;
        error = restore_mode(fd, r->mode);
        if (error < 0)
                return error;

        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0)
                return errno == EINVAL ? 0 : -errno;
        if ((r->seals & ~(uint32_t) seals) != 0 && fcntl(fd, F_ADD_SEALS, r->seals & ~(uint32_t) seals) < 0)
                return -errno;
        return 0;
}

/* The kernel gives everything back readable and writable: nobody gets more access than he had. */
static int restore_access(int *fd, int access) {
        _cleanup_(closep) int anew = -EBADF;
        char path[64];
        off_t position;

        position = lseek(*fd, 0, SEEK_CUR);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
        anew = open(path, access | O_CLOEXEC | O_NOCTTY);
        if (anew < 0)
                return -errno;
        if (position > 0 && lseek(anew, position, SEEK_SET) < 0)
                return -errno;

        safe_close(*fd);
        *fd = TAKE_FD(anew);
        return 0;
}

int file_restore(int *fd, const FileRecord *record, bool fresh) {
        int r = 0;

        if (record->kind == FILE_KIND_MEMFD && fresh)
                r = restore_attributes(*fd, record);
        if (r >= 0 && record->kind == FILE_KIND_MEMFD && record->access != O_RDWR)
                r = restore_access(fd, record->access);
        if (r < 0)
                *fd = safe_close(*fd);
        return r;
}

int preserve_failure(int error, const FileRecord *record, Failure *ret) {
        switch (-error) {
        case ENOENT:
        case EOPNOTSUPP:
                return failure_set(ret, FAILURE_UNSUPPORTED_FILE,
                                   "This kernel can't keep this kind of file over a live update (token %llu). It keeps "
                                   "memfds and nameless files on tmpfs",
                                   (unsigned long long) record->token);
        case EBUSY:
                return failure_set(ret, FAILURE_ALREADY_PRESERVED,
                                   "The kernel keeps this object already (token %llu), but not for a file that luod knows: it "
                                   "came over the last live update in a session that is not finished yet, it is in systemd's "
                                   "fd store or a session of another agent, or luod took it before it was restarted and can't "
                                   "tell it any more",
                                   (unsigned long long) record->token);
        case ENOMEM:
                return failure_set(ret, FAILURE_OUT_OF_MEMORY,
                                   "Not enough memory to keep the file (token %llu); nothing was changed",
                                   (unsigned long long) record->token);
        case EOWNERDEAD:
                return failure_set(ret, FAILURE_OUT_OF_MEMORY,
                                   "The process that asked the kernel to keep the file was killed (token %llu), most likely "
                                   "for want of memory; nothing was kept",
                                   (unsigned long long) record->token);
        default:
                return failure_set_errno(ret, error, "The kernel refused to keep the file");
        }
}
