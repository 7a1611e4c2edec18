/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "failure.h"
#include "record.h"

/* What can be told of a client's file before the kernel is asked, and what must be put right when the kernel
 * gives it back. */

/* Judges @fd for Preserve() by @uid and fills kind, size, owner, mode, access, seals and identity of *ret (the
 * rest is left alone). Refuses (-ECANCELED, @failure filled): an O_PATH fd; a tmpfs file that has a name; an fd
 * that can't be written through, unless the file is the caller's own, fully sealed, or the caller is root
 * (preserving freezes the size for everybody who has it); F_SEAL_EXEC without F_SEAL_WRITE unless
 * @accept_write_seal (it would come back write-sealed); holes that would take more memory than is free beside
 * @memory_reserve. Other kinds of files are the kernel's to judge. */
int file_inspect(int fd,
                 uid_t uid,
                 bool accept_write_seal,
                 uint64_t memory_reserve,
                 FileRecord *ret,
                 Failure *failure);

/* The same without a judgement: only fills *ret. 0 or -errno. */
int file_describe(int fd, FileRecord *ret);

/* Whether a shmem file is frozen, as it is while somebody has it kept: it refuses a hole where it has nothing. false also
 * where that can't be told: it is sealed against writing, or @fd is not open for that and may not be opened anew (@may_open: by the
 * owner's leave; the file's times change). Takes the file's lock, which somebody may hold: not for the event loop. */
bool file_is_frozen(int fd, bool may_open);

/* The bytes that PRESERVE would fill in: 0 for what is no shmem file. */
uint64_t file_holes(int fd);
/* Bytes that can be had without swapping (MemAvailable); UINT64_MAX: not known. */
uint64_t memory_available(void);
/* Whether that many bytes can be filled with @reserve left free. */
bool memory_has_room(uint64_t holes, uint64_t reserve);

/* Puts right what the kernel does not keep: owner, mode and missing seals, and the access mode by opening the
 * file anew at the same position. @fresh: the file was not handed out before (owner and mode are the client's
 * own business afterwards). Takes over *fd and replaces it; 0 or -errno (-EBADF left in *fd). */
int file_restore(int *fd, const FileRecord *record, bool fresh);

/* The kernel's errno of PRESERVE, explained. Always -ECANCELED. */
int preserve_failure(int error, const FileRecord *record, Failure *ret);
