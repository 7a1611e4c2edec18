/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/* The index that each part (kernel session) carries of itself, so that with the ledger lost only history is.
 *
 * A page is one preserved 4096-byte file. Page p sits at kernel token p * (INDEX_SLOTS + 1) and describes the
 * INDEX_SLOTS kernel tokens behind it, so that a damaged page hides no other. The page is a fixed binary form,
 * version 1, host byte order (a live update does not change the machine): a head at the beginning and a copy of
 * it at the end, and INDEX_SLOTS slots in between, each with a checksum of its own. All functions work on
 * memory that is mapped by the caller, aligned to 8; they never trust it.
 *
 * Writers make a slot or head valid by one last 8-byte store. A head is replaced atomically (the other copy is
 * the old one until then); so are state and error of a slot. A slot of which more changes is empty in between. */

#define INDEX_PAGE_SIZE 4096U
#define INDEX_SLOTS 31U

typedef enum IndexRole {
        INDEX_SPARE,   /* an empty kernel session in the pool */
        INDEX_SESSION, /* belongs to the session in the head */
        INDEX_LEDGER,  /* luod's own: kernel token 1 is the ledger */
        _INDEX_ROLE_MAX,
        _INDEX_ROLE_INVALID = -22,
} IndexRole;

typedef struct IndexHead {
        IndexRole role;
        uint32_t page;                   /* number of this page in the part */
        char boot_id[BOOT_ID_SIZE];      /* boot in which the part was made */
        uint64_t sid;
        char name[NAME_LENGTH_MAX + 1];  /* of the session; empty unless INDEX_SESSION */
        uid_t uid;                       /* its owner */
        uint64_t created;                /* of the session, usec */
        uint64_t created_generation;
        bool many;                       /* as PartRecord.many */
} IndexHead;

/* The ledger in a part of INDEX_LEDGER. IndexHead.created is 0 until it is in service. */
#define LEDGER_KTOKEN 1U
/* Its FDNAME begins so: a hint, by which it is looked for first. */
#define LEDGER_FDNAME_MARK "L"
#define LEDGER_FDNAME_PREFIX 'L'

/* Writes the head. */
void index_page_set_head(void *page, const IndexHead *head);
/* 0; -ENODATA: blank (never written); -EBADMSG: damaged, both copies; -EPROTONOSUPPORT: a newer luod wrote it. */
int index_page_get_head(const void *page, IndexHead *ret);

/* The slot of @file->ktoken, which must lie behind page number @page_number. FILE_DROPPED clears it. */
void index_page_set_file(void *page, uint32_t page_number, const FileRecord *file);
/* @slot below INDEX_SLOTS. Fills ktoken, token, label, kind, state, size, uid, gid, mode, access, seals, dev,
 * ino, error; part is empty and extra NULL. 0; -ENODATA: empty; -EBADMSG: damaged (ret->ktoken alone is set). */
int index_page_get_file(const void *page, uint32_t page_number, unsigned slot, FileRecord *ret);

/* Kernel token arithmetic. */
static inline uint64_t index_page_ktoken(uint32_t page_number) {
        return (uint64_t) page_number * (INDEX_SLOTS + 1);
}
static inline bool ktoken_is_index(uint64_t ktoken) {
        return ktoken % (INDEX_SLOTS + 1) == 0;
}
static inline uint32_t ktoken_page(uint64_t ktoken) {
        return (uint32_t) (ktoken / (INDEX_SLOTS + 1));
}
