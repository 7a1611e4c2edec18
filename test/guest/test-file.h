/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files as a test wants them, described by a line of text:
 *
 *   what is in it   content=TEXT | random=SEED,size=N | size=N (one hole)
 *   what it is      (a memfd) | noexec-seal | tmpfile | linked | unlinked | path=FILE | opath | socket | pipe |
 *                   eventfd | epoll | timerfd | hugetlb | device=FILE | session
 *   how it is open  access=ro|wo|rw, pos=N, uid=N, gid=N, mode=OCTAL, seals=seal+grow+shrink+write+future-write
 *                   of an object: fail-preserve=ERRNO, fail-freeze=ERRNO, fail-retrieve=ERRNO
 *   or another one  same=TOKEN | dup=TOKEN | reopen=TOKEN | second=TOKEN (of this call)
 *   afterwards      truncate-after | write-after=TEXT | write-last=TEXT
 */
typedef enum Reference {
        REFERENCE_NONE,
        REFERENCE_SAME,   /* the very same fd */
        REFERENCE_DUP,    /* dup() of it */
        REFERENCE_REOPEN, /* the same file, opened once more */
        REFERENCE_SECOND, /* another file of the same object */
} Reference;

typedef struct TestFile {
        uint64_t token;
        char *label;
        int fd;    /* what is handed over */
        int spare; /* open for writing, if it can be; -EBADF otherwise */
        Reference reference;
        uint64_t referred; /* token */
        bool truncate_after;
        char *write_after, *write_last;
} TestFile;

/* "TOKEN[:LABEL]=SPEC". The earlier files of the call are there for the references. Ends the program when the
 * text makes no sense or the file can't be made. */
void test_file_make(const char *text, const TestFile *earlier, size_t n_earlier, TestFile *ret);
void test_file_done(TestFile *file);

/* The same file, opened once more. Returns the fd or -errno. */
int test_file_reopen(int fd, int flags);

/* The same, open for both, or another file of the same object. */
int test_file_again(int fd);

/* An object that was retrieved: the next finish of its session is to be refused by the kernel. */
void test_file_fail_to_finish(int fd);

/* What the file's "afterwards" asks for; prints what came of it. */
void test_file_act_afterwards(const TestFile *file);
/* The same for what is to be done when everything else is. */
void test_file_act_at_last(const TestFile *file);

/* Prints what an fd is like: owner, mode, access, position, size, seals, cloexec, whether writing works, checksum and
 * beginning of the content ("?" where the caller may not read). Leaves everything about it as it is. */
void test_file_print(uint64_t token, int fd);

/* CRC-32C of the whole content, of what may be open write-only as well. */
uint32_t test_file_checksum(int fd);

/* A memfd of @size bytes that follow from @seed. */
int test_file_random(uint64_t seed, uint64_t size);

/* The checksum of such a file. */
uint32_t test_file_random_checksum(uint64_t seed, uint64_t size);
