/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "luod-limits.h"
#include "list.h"
#include "macro.h"
#include "record.h"
#include "registry.h"

/* What luod knows: sessions, their files and metadata, and the kernel sessions ("parts") that they are made of.
 *
 * Pure data: nothing here touches the kernel, the ledger or the bus, so that a wrong step costs nothing. Who
 * changes something here also writes it to the ledger (store.h), in the order that operations.c describes. */

typedef struct State State;
typedef struct Session Session;
typedef struct Part Part;
typedef struct File File;
typedef struct Metadata Metadata;

typedef enum PartRole {
        PART_SESSION, /* belongs to Part.session */
        PART_BARE,    /* a spare that luod alone holds: it is gone when luod dies, and keeps nothing */
        PART_READY,   /* a spare in custody */
        PART_LEDGER,  /* luod's own */
        PART_UNKNOWN, /* nothing is known of it: held, never ended by luod itself */
} PartRole;

/* One kernel session. */
struct Part {
        PartRecord record;
        PartRole role;
        Session *session;      /* NULL unless PART_SESSION */
        bool outgoing;         /* made in this boot */
        int fd;                /* -EBADF: missing. Closing the last copy drops what it keeps. */
        bool in_custody;       /* seen in the custodian's list */
        bool pushing;          /* on its way there */
        bool promote;          /* PART_BARE: will be PART_READY once it is in custody */
        bool demote;           /* PART_READY: will be PART_BARE once it is out of custody */
        bool full;             /* takes no more files */
        bool unindexed;        /* found without a readable index */
        bool leaving;          /* being ended: must not be given into custody again */
        uint64_t next_ktoken;  /* the lowest kernel token not in use and not an index page's */
        unsigned n_files;
        void **pages;          /* mapped index pages, n_pages of them; outgoing parts only */
        unsigned n_pages;

        ListLink session_link; /* Session.parts */
        ListLink state_link;   /* State.parts */
};

struct File {
        FileRecord record;
        Part *part;
        RegistryEntry *entry;  /* in State.registry while luod knows which object it is, else NULL */
};

struct Metadata {
        char *key;
        char *extra;           /* MetaRecord.extra */
        uint8_t *value;
        size_t n_value;
};

typedef enum SessionFlag {
        SESSION_OWNER_UNKNOWN = 1 << 0,    /* nothing readable says whose it is: root's */
        SESSION_METADATA_DAMAGED = 1 << 1, /* a metadata record was damaged */
        SESSION_FILES_DAMAGED = 1 << 2,    /* a file's record was damaged, the file may be missing here */
        SESSION_END_DAMAGED = 1 << 3,      /* a record of its state was damaged: it may have been ended */
        SESSION_PARTS_MISSING = 1 << 4,    /* the kernel, or the custodian, did not bring all of it */
        SESSION_UNINDEXED = 1 << 5,        /* its files are not known: any token is tried as the kernel's */
} SessionFlag;

struct Session {
        uint64_t sid;
        SessionRecord record;
        unsigned flags;        /* SessionFlag */
        List parts;            /* Part.session_link */
        File **files;          /* sorted by token, n_files of them */
        size_t n_files, n_allocated;
        Metadata *metadata;    /* sorted by key */
        size_t n_metadata;
        size_t metadata_size;  /* bytes of keys and values */
        /* ... the same with METADATA_KEY_COST for each key is in State.metadata_size */
        uint64_t kept_bytes;   /* sum of the files' sizes */
        List jobs;             /* Job.link (operations.h); the first one is running */
        unsigned n_jobs;
        unsigned n_renewals;   /* those of them that renew it (renewals.c) */
        unsigned renewal_tries;    /* that failed, one after the other */
        uint64_t renewal_next;     /* usec, CLOCK_MONOTONIC: luod does not try it again before */

        ListLink link;         /* State.sessions */
};

struct State {
        HeadRecord head;
        List sessions;         /* Session.link */
        List parts;            /* Part.state_link: all of them, spare ones too */
        Registry registry;     /* objects that are kept, or are about to be */
        unsigned n_sessions, n_parts, n_files;
        size_t metadata_size;
        uint64_t kept_bytes;
};

void state_init(State *state);
void state_done(State *state);
/* Moves all of @from, which is empty then, to @to, which need not be initialized. */
void state_move(State *to, State *from);

Session *state_find_session(State *state, const char *name); /* NULL if there is none */
Session *state_find_session_by_sid(State *state, uint64_t sid);
Part *state_find_part(State *state, const char *kname);

/* A new session in the state, which owns it; a copy of @record is taken (@extra moves into it). 0 or -ENOMEM. */
int session_new(State *state, uint64_t sid, SessionRecord *record, Session **ret);
/* Takes the session out of the state's list, so that nobody finds or counts it any more; session_free() follows. */
void session_detach(State *state, Session *session);
/* Forgets the session, its files and metadata; its parts stay in the state, as nobody's. Returns NULL. */
Session *session_free(State *state, Session *session);

/* A new part in the state; as session_new(). @session may be NULL. */
int part_new(State *state, Session *session, PartRecord *record, Part **ret);
void part_attach(Part *part, Session *session);
/* Forgets the part, which must have no files, unmaps its pages and closes its fd: where that is the last copy,
 * the kernel drops what it keeps, so this is called only where that was decided. Returns NULL. */
Part *part_close(State *state, Part *part);
/* Takes over *fd, as @part's. Any earlier fd must have been -EBADF. */
void part_take_fd(Part *part, int *fd);
/* The number in the part's kernel name. */
uint32_t part_number(const Part *part);

/* NULL if there is none with that token. */
File *session_find_file(Session *session, uint64_t token);
/* A new file in @part, which belongs to a session; -EEXIST if it has that token, -ENOMEM. */
int file_new(State *state, Part *part, FileRecord *record, File **ret);
File *file_free(State *state, File *file);
/* What the file is like now: kind, size, owner, mode, seals, identity. */
void file_set_attributes(State *state, File *file, const FileRecord *now);
/* The file is in another part of its session now. */
void file_move(State *state, File *file, Part *to, uint64_t ktoken);
/* Forgets all files of the part. */
void part_drop_files(State *state, Part *part);
/* Enters the file's object into the registry; as registry_add(). The entry leaves with the file. */
int file_register(State *state, File *file, Identity *identity);
/* Whether the file is one that the kernel's check counts: it keeps the object of @file now. */
bool file_holds_object(const File *file);

/* Sets, or with @value NULL removes, a key; the value is copied. 0 or -ENOMEM. */
int session_set_metadata(State *state, Session *session, const char *key, const void *value, size_t size);
/* NULL if there is none. */
const Metadata *session_find_metadata(const Session *session, const char *key);

/* Applies one record of the ledger, in the order of writing. @payload NULL: it was damaged; what that means is
 * noted in the flags of the session. Payloads that don't decode count as damaged. 0 or -ENOMEM. */
int state_apply(State *state, RecordType type, uint64_t sid, const char *payload, size_t size);

/* Names of the set flags, NULL-terminated, static strings: at most 7 pointers are written. */
void session_flags_to_strings(unsigned flags, const char *ret[static 7]);
