/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "crc32c.h"
#include "fd-util.h"
#include "luo-abi.h"
#include "test-file.h"
#include "test-object.h"
#include "test-util.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* In the order in which they are printed. */
static const struct {
        const char *name;
        unsigned seal;
} seal_names[] = {
        { "seal", F_SEAL_SEAL },   { "shrink", F_SEAL_SHRINK },             { "grow", F_SEAL_GROW },
        { "write", F_SEAL_WRITE }, { "future-write", F_SEAL_FUTURE_WRITE }, { "exec", F_SEAL_EXEC },
};

/* The description, read. */
typedef struct Spec {
        const char *what; /* NULL: a memfd */
        const char *path;
        const char *content;
        const char *write_after, *write_last;
        uint64_t seed, size, position;
        bool random;
        int access;
        uid_t uid;
        gid_t gid;
        unsigned mode, seals;
        Reference reference;
        uint64_t referred;
        bool truncate_after;
        unsigned fail[_TEST_OBJECT_FAIL_MAX]; /* of an object */
} Spec;

static unsigned parse_seals(char *s) {
        unsigned seals = 0;

        for (char *save, *name = strtok_r(s, "+", &save); name; name = strtok_r(NULL, "+", &save)) {
                size_t i = 0;

                while (i < ARRAY_SIZE(seal_names) && !streq(seal_names[i].name, name))
                        i++;
                if (i == ARRAY_SIZE(seal_names))
                        usage("There is no seal '%s'", name);
                seals |= seal_names[i].seal;
        }
        return seals;
}

static int parse_access(const char *s) {
        if (streq(s, "ro"))
                return O_RDONLY;
        if (streq(s, "wo"))
                return O_WRONLY;
        if (streq(s, "rw"))
                return O_RDWR;
        usage("There is no access mode '%s'", s);
}

static bool is_kind(const char *s) {
        static const char *const kinds[] = { "noexec-seal", "tmpfile", "linked",  "unlinked", "opath",   "socket", "pipe",
                                             "eventfd",     "epoll",   "timerfd", "hugetlb",  "session", "memfd",
                                             "object" };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (streq(kinds[i], s))
                        return true;
        return false;
}

static void spec_set_reference(Spec *spec, Reference reference, const char *token) {
        spec->reference = reference;
        spec->referred = parse_number(token);
}

static void spec_set(Spec *spec, const char *key, char *value) {
        if (streq(key, "content"))
                spec->content = value;
        else if (streq(key, "random")) {
                spec->seed = parse_number(value);
                spec->random = true;
        } else if (streq(key, "size"))
                spec->size = parse_number(value);
        else if (streq(key, "access"))
                spec->access = parse_access(value);
        else if (streq(key, "pos"))
                spec->position = parse_number(value);
        else if (streq(key, "uid"))
                spec->uid = (uid_t) parse_number(value);
        else if (streq(key, "gid"))
                spec->gid = (gid_t) parse_number(value);
        else if (streq(key, "mode"))
                spec->mode = (unsigned) parse_number_base(value, 8);
        else if (streq(key, "seals"))
                spec->seals = parse_seals(value);
        else if (streq(key, "path") || streq(key, "device")) {
                spec->what = key;
                spec->path = value;
        } else if (streq(key, "same"))
                spec_set_reference(spec, REFERENCE_SAME, value);
        else if (streq(key, "dup"))
                spec_set_reference(spec, REFERENCE_DUP, value);
        else if (streq(key, "reopen"))
                spec_set_reference(spec, REFERENCE_REOPEN, value);
        else if (streq(key, "second"))
                spec_set_reference(spec, REFERENCE_SECOND, value);
        else if (streq(key, "fail-preserve"))
                spec->fail[TEST_OBJECT_FAIL_PRESERVE] = (unsigned) parse_number(value);
        else if (streq(key, "fail-freeze"))
                spec->fail[TEST_OBJECT_FAIL_FREEZE] = (unsigned) parse_number(value);
        else if (streq(key, "fail-retrieve"))
                spec->fail[TEST_OBJECT_FAIL_RETRIEVE] = (unsigned) parse_number(value);
        else if (streq(key, "write-after"))
                spec->write_after = value;
        else if (streq(key, "write-last"))
                spec->write_last = value;
        else
                usage("A file has no '%s='", key);
}

static void spec_parse(char *text, Spec *ret) {
        *ret = (Spec) { .access = O_RDWR, .uid = (uid_t) -1, .gid = (gid_t) -1, .mode = UINT32_MAX };

        for (char *save, *item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
                char *value = strchr(item, '=');

                if (value) {
                        *value = '\0';
                        spec_set(ret, item, value + 1);
                } else if (streq(item, "truncate-after"))
                        ret->truncate_after = true;
                else if (is_kind(item))
                        ret->what = item;
                else
                        usage("A file can't be '%s'", item);
        }
}

/* --- content */

static void fill_random(uint64_t *state, uint64_t *buffer, size_t n) {
        for (size_t i = 0; i < n; i++)
                buffer[i] = htole64(random_next(state));
}

static void write_random(int fd, uint64_t seed, uint64_t size) {
        uint64_t buffer[512];

        for (uint64_t done = 0; done < size;) {
                size_t n = (size_t) MIN(size - done, (uint64_t) sizeof(buffer));

                fill_random(&seed, buffer, ARRAY_SIZE(buffer));
                if (write(fd, buffer, n) != (ssize_t) n)
                        die("Can't fill a file: %m");
                done += n;
        }
}

uint32_t test_file_random_checksum(uint64_t seed, uint64_t size) {
        uint64_t buffer[512];
        uint32_t crc = 0;

        for (uint64_t done = 0; done < size;) {
                size_t n = (size_t) MIN(size - done, (uint64_t) sizeof(buffer));

                fill_random(&seed, buffer, ARRAY_SIZE(buffer));
                crc = crc32c(crc, buffer, n);
                done += n;
        }
        return crc;
}

int test_file_random(uint64_t seed, uint64_t size) {
        int fd = memfd_create("luod-test", MFD_CLOEXEC | MFD_EXEC);

        if (fd < 0)
                die("memfd_create: %m");
        write_random(fd, seed, size);
        return fd;
}

static void spec_fill(const Spec *spec, int fd) {
        size_t n;

        if (spec->content) {
                n = strlen(spec->content);
                if (write(fd, spec->content, n) != (ssize_t) n)
                        die("Can't write the content: %m");
        } else if (spec->random)
                write_random(fd, spec->seed, spec->size);
        else if (ftruncate(fd, (off_t) spec->size) < 0)
                die("ftruncate: %m");
}

/* --- kinds */

static int open_linked(bool unlink_it) {
        char path[] = "/dev/shm/luod-test-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);

        if (fd < 0)
                die("mkostemp: %m");
        if (unlink_it && unlink(path) < 0)
                die("Can't unlink '%s': %m", path);
        return fd;
}

static int open_session(void) {
        struct luo_abi_create_session args = { .size = sizeof(args), .fd = -1, .name = "luod-test-client" };
        _cleanup_(closep) int device = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

        if (device < 0)
                die("/dev/liveupdate: %m");
        if (ioctl(device, LIVEUPDATE_IOCTL_CREATE_SESSION, &args) < 0)
                die("LIVEUPDATE_IOCTL_CREATE_SESSION: %m");
        return args.fd;
}

static int open_one_of_two(int (*open_two)(int fds[2])) {
        int fds[2];

        if (open_two(fds) < 0)
                die("Can't make a pair: %m");
        return fds[0];
}

static int two_sockets(int fds[2]) {
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static int two_pipes(int fds[2]) {
        return pipe2(fds, O_CLOEXEC);
}

/* Files with content; -EBADF for the others. */
static int open_shmem(const Spec *spec) {
        const char *what = spec->what ? spec->what : "memfd";
        int fd;

        if (streq(what, "memfd"))
                fd = memfd_create("luod-test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
        else if (streq(what, "noexec-seal"))
                fd = memfd_create("luod-test", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
        else if (streq(what, "tmpfile"))
                fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        else if (streq(what, "linked"))
                fd = open_linked(/* unlink_it= */ false);
        else if (streq(what, "unlinked"))
                fd = open_linked(/* unlink_it= */ true);
        else
                return -EBADF;
        if (fd < 0)
                die("Can't make a %s: %m", what);
        return fd;
}

static int open_other(const Spec *spec) {
        int fd;

        if (streq(spec->what, "path"))
                fd = open(spec->path, spec->access | O_CLOEXEC | O_NOCTTY);
        else if (streq(spec->what, "device"))
                fd = open(spec->path, O_RDWR | O_CLOEXEC | O_NOCTTY);
        else if (streq(spec->what, "opath"))
                fd = open("/dev/shm", O_PATH | O_CLOEXEC);
        else if (streq(spec->what, "socket"))
                fd = open_one_of_two(two_sockets);
        else if (streq(spec->what, "pipe"))
                fd = open_one_of_two(two_pipes);
        else if (streq(spec->what, "eventfd"))
                fd = eventfd(0, EFD_CLOEXEC);
        else if (streq(spec->what, "epoll"))
                fd = epoll_create1(EPOLL_CLOEXEC);
        else if (streq(spec->what, "timerfd"))
                fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        else if (streq(spec->what, "hugetlb"))
                fd = memfd_create("luod-test", MFD_CLOEXEC | MFD_HUGETLB);
        else
                fd = open_session();
        if (fd < 0)
                die("Can't open a %s: %m", spec->what);
        return fd;
}

int test_file_reopen(int fd, int flags) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? -errno : fd;
}

/* The order matters: seals forbid writing and chmod, the owner and mode forbid opening. */
static void make_shmem(const Spec *spec, int fd, TestFile *ret) {
        spec_fill(spec, fd);

        ret->fd = spec->access == O_RDWR ? fd_dup(fd) : test_file_reopen(fd, spec->access);
        if (ret->fd < 0)
                die("Can't open the file once more: %s", strerror(-ret->fd));
        if (lseek(ret->fd, (off_t) spec->position, SEEK_SET) < 0)
                die("lseek: %m");

        if (spec->mode != UINT32_MAX && fchmod(fd, spec->mode) < 0)
                die("fchmod: %m");
        if ((spec->uid != (uid_t) -1 || spec->gid != (gid_t) -1) && fchown(fd, spec->uid, spec->gid) < 0)
                die("fchown: %m");
        if (spec->seals != 0 && fcntl(fd, F_ADD_SEALS, spec->seals) < 0)
                die("F_ADD_SEALS: %m");
        ret->spare = fd;
}

/* --- objects of the kernel's test file handler */

static int open_object(void) {
        _cleanup_(closep) int device = open(TEST_OBJECT_DEVICE, O_RDWR | O_CLOEXEC);
        int fd;

        if (device < 0)
                die("%s: %m", TEST_OBJECT_DEVICE);
        fd = ioctl(device, TEST_OBJECT_NEW, O_CLOEXEC);
        if (fd < 0)
                die("Can't make an object: %m");
        return fd;
}

static void fail_object(int fd, TestObjectFailAt at, unsigned error) {
        struct test_object_fail arg = { .at = at, .error = error };

        if (ioctl(fd, TEST_OBJECT_FAIL, &arg) < 0)
                die("Can't tell an object to fail: %m");
}

void test_file_fail_to_finish(int fd) {
        fail_object(fd, TEST_OBJECT_FAIL_FINISH, EBUSY);
}

static void make_object(const Spec *spec, TestFile *ret) {
        int fd = open_object();

        if (spec->content || spec->random)
                spec_fill(spec, fd);
        if (lseek(fd, (off_t) spec->position, SEEK_SET) < 0)
                die("lseek: %m");
        for (TestObjectFailAt at = 0; at < _TEST_OBJECT_FAIL_MAX; at++)
                if (spec->fail[at] != 0)
                        fail_object(fd, at, spec->fail[at]);
        ret->fd = fd;
        ret->spare = fd_dup(fd);
        if (ret->spare < 0)
                die("Can't copy an fd: %s", strerror(-ret->spare));
}

static int object_second(int fd) {
        fd = ioctl(fd, TEST_OBJECT_SECOND, O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int test_file_again(int fd) {
        int second = object_second(fd);

        return second == -ENOTTY || second == -EINVAL ? test_file_reopen(fd, O_RDWR) : second;
}

static int find_referred(const Spec *spec, const TestFile *earlier, size_t n) {
        int fd;

        for (size_t i = 0; i < n; i++) {
                if (earlier[i].token != spec->referred)
                        continue;
                if (spec->reference == REFERENCE_REOPEN)
                        fd = test_file_reopen(earlier[i].fd, O_RDWR);
                else if (spec->reference == REFERENCE_DUP)
                        fd = fd_dup(earlier[i].fd);
                else if (spec->reference == REFERENCE_SECOND)
                        fd = object_second(earlier[i].fd);
                else
                        fd = earlier[i].fd;
                if (fd < 0)
                        die("Can't open token %llu once more: %s", (unsigned long long) spec->referred, strerror(-fd));
                return fd;
        }
        usage("There is no file %llu before the one that refers to it", (unsigned long long) spec->referred);
}

void test_file_make(const char *text, const TestFile *earlier, size_t n_earlier, TestFile *ret) {
        _cleanup_free_ char *copy = strdup(text);
        char *description, *label;
        Spec spec;
        int fd;

        if (!copy)
                die("Out of memory");
        description = strchr(copy, '=');
        if (!description)
                usage("'%s' is not TOKEN[:LABEL]=FILE", text);
        *description++ = '\0';
        label = strchr(copy, ':');
        if (label)
                *label++ = '\0';
        spec_parse(description, &spec);

        *ret = (TestFile) {
                .token = parse_number(copy),
                .label = strdup(label ? label : ""),
                .fd = -EBADF,
                .spare = -EBADF,
                .reference = spec.reference,
                .referred = spec.referred,
                .truncate_after = spec.truncate_after,
                .write_after = spec.write_after ? strdup(spec.write_after) : NULL,
                .write_last = spec.write_last ? strdup(spec.write_last) : NULL,
        };

        if (spec.reference != REFERENCE_NONE) {
                ret->fd = find_referred(&spec, earlier, n_earlier);
                return;
        }
        if (spec.what && streq(spec.what, "object")) {
                make_object(&spec, ret);
                return;
        }
        fd = open_shmem(&spec);
        if (fd >= 0)
                make_shmem(&spec, fd, ret);
        else
                ret->fd = open_other(&spec);
}

void test_file_done(TestFile *file) {
        if (file->reference != REFERENCE_SAME)
                safe_close(file->fd);
        safe_close(file->spare);
        free(file->label);
        free(file->write_after);
        free(file->write_last);
        *file = (TestFile) { .fd = -EBADF, .spare = -EBADF };
}

static void write_at_start(const TestFile *file, const char *text) {
        if (text)
                printf("token=%llu written=%s\n", (unsigned long long) file->token,
                       pwrite(file->spare, text, strlen(text), 0) < 0 ? strerrorname_np(errno) : "yes");
}

void test_file_act_afterwards(const TestFile *file) {
        struct stat st;

        /* A preserved file has its size frozen: this is how to see whether it is one. */
        if (file->truncate_after && fstat(file->spare, &st) >= 0)
                printf("token=%llu truncated=%s\n", (unsigned long long) file->token,
                       ftruncate(file->spare, st.st_size + 1) < 0 ? strerrorname_np(errno) : "yes");
        write_at_start(file, file->write_after);
}

void test_file_act_at_last(const TestFile *file) {
        write_at_start(file, file->write_last);
}

/* --- looking at one */

/* @fd, or a copy of it, that can be read; an fd that is not allowed to is told by -errno. */
static int readable(int fd, int *ret_close) {
        *ret_close = -EBADF;
        if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY)
                return fd;
        return *ret_close = test_file_reopen(fd, O_RDONLY);
}

static int try_checksum(int fd, uint32_t *ret) {
        _cleanup_(closep) int opened = -EBADF;
        char buffer[16384];
        uint32_t crc = 0;
        ssize_t n;

        fd = readable(fd, &opened);
        if (fd < 0)
                return fd;
        for (off_t offset = 0; (n = pread(fd, buffer, sizeof(buffer), offset)) != 0; offset += n) {
                if (n < 0)
                        die("Can't read: %m");
                crc = crc32c(crc, buffer, (size_t) n);
        }
        *ret = crc;
        return 0;
}

uint32_t test_file_checksum(int fd) {
        uint32_t crc;
        int r = try_checksum(fd, &crc);

        if (r < 0)
                die("Can't read what was opened for writing only: %s", strerror(-r));
        return crc;
}

static size_t read_head(int fd, char *ret, size_t size) {
        _cleanup_(closep) int opened = -EBADF;
        ssize_t n;

        fd = readable(fd, &opened);
        n = fd < 0 ? -1 : pread(fd, ret, size, 0);
        return n < 0 ? 0 : (size_t) n;
}

/* Writes the first byte once more; "?" where that can't be known. */
static const char *try_to_write(int fd) {
        char byte;

        if (read_head(fd, &byte, 1) != 1)
                return "?";
        return pwrite(fd, &byte, 1, 0) == 1 ? "yes" : strerrorname_np(errno);
}

static const char *try_to_map(int fd) {
        void *p = mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0);

        if (p == MAP_FAILED)
                return strerrorname_np(errno);
        (void) munmap(p, 4096);
        return "yes";
}

static void print_seals(int fd) {
        int seals = fcntl(fd, F_GET_SEALS);
        const char *separator = "";

        printf(" seals=");
        if (seals < 0)
                printf("%s", strerrorname_np(errno));
        for (size_t i = 0; i < ARRAY_SIZE(seal_names) && seals > 0; i++)
                if (seals & (int) seal_names[i].seal) {
                        printf("%s%s", separator, seal_names[i].name);
                        separator = "+";
                }
}

void test_file_print(uint64_t token, int fd) {
        static const char *const access[] = { "ro", "wo", "rw" };
        char head[32];
        size_t n = read_head(fd, head, sizeof(head));
        struct stat st;
        uint32_t crc;

        if (fstat(fd, &st) < 0)
                die("fstat: %m");
        printf("token=%llu uid=%u gid=%u mode=%04o access=%s pos=%lld size=%lld", (unsigned long long) token, st.st_uid,
               st.st_gid, st.st_mode & 07777, access[MIN(fcntl(fd, F_GETFL) & O_ACCMODE, 2)],
               (long long) lseek(fd, 0, SEEK_CUR), (long long) st.st_size);
        print_seals(fd);
        printf(" cloexec=%s write=%s map=%s", yes_no(fcntl(fd, F_GETFD) & FD_CLOEXEC), try_to_write(fd), try_to_map(fd));
        if (try_checksum(fd, &crc) >= 0)
                printf(" checksum=%08x head=", crc);
        else
                printf(" checksum=? head=");
        for (size_t i = 0; i < n; i++)
                putchar(isgraph((unsigned char) head[i]) ? head[i] : '.');
        putchar('\n');
}
