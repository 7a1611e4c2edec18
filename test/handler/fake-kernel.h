/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "list.h"
#include "luo.h"

/* A kernel with LUO, for tests: sessions, tokens and files behave as in kernel/liveupdate/ of Linux 7.3.
 *
 * A session's fd is the reading end of a pipe of which the kernel has the other: so it sees the last close for
 * real, wherever the copies were (in another process, in flight in a socket). The same goes for the device.
 * What the kernel holds itself has fds from FAKE_FD_BASE upwards, so that they are not in the way of tests that
 * count fds or forbid new ones. */

#define FAKE_FD_BASE 4096

typedef struct FakeFile {
        uint64_t token;
        int fd;            /* outgoing: the file; incoming: the one that is handed out */
        uint64_t dev, ino; /* identity */
        int seals;         /* those at PRESERVE */
        bool retrieved;
        int error;         /* incoming: RETRIEVE has failed so, for ever */
        ListLink link;     /* FakeSession.files */
} FakeFile;

typedef struct FakeSession {
        char name[LUO_NAME_SIZE];
        bool incoming, retrieved;
        int end;           /* the kernel's end of the pipe; -EBADF: nobody has the session */
        uint64_t ino;      /* of the pipe */
        List files;        /* FakeFile.link, in the order of PRESERVE */
        ListLink link;     /* FakeKernel.sessions */
} FakeSession;

typedef struct FakeKernel {
        LuoOps ops;
        List sessions;     /* FakeSession.link: outgoing and incoming */
        int device_end;
        unsigned n_opened; /* successful open()s of the device */

        /* What kernels differ in. Set from the start with LUOD_TEST_FAKE_KERNEL=6.19. What does harm there ends the test. */
        bool one_keeper_unchecked;  /* an object may be preserved twice, and is lost with the first close */
        bool direction_unchecked;   /* FINISH and RETRIEVE_FD take an outgoing session apart */
        bool keeps_eventfds;        /* a handler for files that share their inode with others of their kind */

        /* What goes wrong. Errors are -errno, 0: nothing. */
        int device_error;
        int create_error, preserve_error, finish_error;
        unsigned preserve_after; /* so many PRESERVEs go well before preserve_error */
        int retrieve_error;      /* of the next RETRIEVE: for ever */
        int known_error;         /* what a PRESERVE of the fd -1 says */
} FakeKernel;

/* @kernel must stay where it is. */
void fake_kernel_init(FakeKernel *kernel);
void fake_kernel_done(FakeKernel *kernel);

/* Looks for sessions whose last fd was closed; none of the functions here tells of one. */
void fake_kernel_reap(FakeKernel *kernel);

FakeSession *fake_kernel_find(FakeKernel *kernel, const char *name, bool incoming);
FakeSession *fake_kernel_find_by_fd(FakeKernel *kernel, int fd);
FakeFile *fake_session_find(FakeSession *session, uint64_t token);

/* Whether the file is kept in an outgoing session: then it can't be truncated, for example. */
bool fake_kernel_keeps(FakeKernel *kernel, int fd);
unsigned fake_kernel_count_sessions(FakeKernel *kernel, bool incoming);

/* A live update: outgoing sessions become incoming ones with a copy of their files as they are now, incoming ones
 * are gone. @stored are fds in PID 1's store: PID 1 brings the outgoing sessions among them over and gets them
 * back as incoming, others are closed and set to -EBADF. */
void fake_kernel_kexec(FakeKernel *kernel, int *stored[], size_t n_stored);

/* The operations, for those who are not in this process and have no LuoOps. */
int fake_device_open(FakeKernel *kernel);
int fake_session_create(FakeKernel *kernel, const char *name);
int fake_session_retrieve(FakeKernel *kernel, const char *name);
int fake_session_get_name(FakeKernel *kernel, int session, char ret[static LUO_NAME_SIZE]);
int fake_preserve(FakeKernel *kernel, int session, uint64_t token, int fd);
int fake_retrieve(FakeKernel *kernel, int session, uint64_t token);
int fake_finish(FakeKernel *kernel, int session);

/* Copies of fds out of the way of luod's, even if luod may have no more. Aborts when there are none. */
int fake_fd_keep(int fd);
/* How many fds this process has, those from FAKE_FD_BASE upwards not counted. */
unsigned count_fds(void);

/* Pauses of luo_device_open_patiently() are not waited for; this counts them. */
extern unsigned n_pauses;
