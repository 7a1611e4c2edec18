/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "luod-limits.h"
#include "macro.h"

/* What makes two file descriptors the same object, as the kernel's live update handlers see it (their get_id(),
 * include/linux/liveupdate.h, from 7.1 on): the state of a shmem file is in its inode, so a dup and a file opened
 * anew through /proc are the same one; that of other files hangs on the open file, unless their driver has one
 * object behind several files. The latter can't be seen from outside but where the driver names the object in
 * /proc/PID/fdinfo: see the table of rules in identity.c, which a new type joins by a line. */

typedef enum IdentityType {
        IDENTITY_NONE,  /* not known */
        IDENTITY_INODE, /* shmem: device and inode number, in this boot */
        IDENTITY_NAMED, /* the driver's name of the object, in this boot */
        IDENTITY_FILE,  /* the open file: told by a copy of an fd */
        _IDENTITY_TYPE_MAX,
} IdentityType;

typedef struct Identity {
        IdentityType type;
        uint64_t dev, ino; /* IDENTITY_INODE */
        char *name;        /* IDENTITY_NAMED; owned */
        int fd;            /* IDENTITY_FILE; owned */
} Identity;

#define IDENTITY_NULL { .fd = -EBADF }

/* The identity of the file behind @fd. Looks at /proc, asks no file system. 0, -ENOMEM, -EMFILE, or what fstat()
 * said. */
int identity_from_fd(int fd, Identity *ret);
/* Whether the file is a shmem one: a memfd, or on a tmpfs. */
bool fd_is_shmem(int fd);
/* From what was written down in this boot. */
Identity identity_from_inode(uint64_t dev, uint64_t ino);
int identity_from_name(const char *name, Identity *ret);

/* Frees what @identity owns and makes it IDENTITY_NONE. */
void identity_done(Identity *identity);

/* Whether identity_compare() orders it: all but open files on a kernel without kcmp(2) (CONFIG_KCMP). */
bool identity_is_ordered(const Identity *identity);
/* A total order of ordered identities: < 0, 0 (the same object), > 0. */
int identity_compare(const Identity *a, const Identity *b);
/* For ordered and other ones. IDENTITY_NONE equals nothing. */
bool identity_equal(const Identity *a, const Identity *b);

/* For tests: what the rules make of a link of /proc/PID/fd and the text of its fdinfo. @ret has room for
 * OBJECT_NAME_MAX + 1. */
bool identity_name_from_text(const char *link, const char *fdinfo, char *ret);
/* For tests: as if kcmp(2) were not there. */
extern bool identity_no_kcmp;
