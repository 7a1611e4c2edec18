/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "luod-limits.h"

/* What is written into the ledger, one plain struct for each kind of record, and its JSON form.
 *
 * A record states the whole of one thing (a session, a part, a file, a key), not a change: the newest record of
 * a thing is what holds, and a damaged one leaves the older one in force. JSON lives in record.c alone.
 *
 * Unknown keys that a newer luod of the same format version wrote are kept in @extra (JSON text of an object,
 * or NULL) and written back. */

typedef enum RecordType {
        RECORD_HEAD,    /* the daemon itself: {"generation":3,"boot":"…","series":"a","next_sid":12,…} */
        RECORD_SESSION, /* {"name":"vm1","uid":1000,"direction":"outgoing","state":"live","created":…,…} */
        RECORD_PART,    /* {"kname":"luod-a-7","fdname":"1f","boot":"…","many":false,"gone":false} */
        RECORD_FILE,    /* {"part":"luod-a-7","ktoken":1,"token":42,"label":"ram","size":4096,…} */
        RECORD_META,    /* {"key":"k","value":"hex"}; no "value": the key is gone */
        RECORD_END,     /* {"how":"finished","name":"vm1","when":…}: the session is over */
        _RECORD_TYPE_MAX,
        _RECORD_TYPE_INVALID = -22, /* -EINVAL */
} RecordType;

typedef enum Direction {
        DIRECTION_OUTGOING, /* made in this kernel */
        DIRECTION_INCOMING, /* brought by a live update */
        _DIRECTION_MAX,
        _DIRECTION_INVALID = -22,
} Direction;

typedef enum SessionState {
        SESSION_NEW,        /* intent: not acknowledged yet */
        SESSION_LIVE,
        SESSION_FINISHING,  /* Finish() was asked for: goes on after a restart */
        SESSION_DISCARDING, /* Discard() was asked for: goes on after a restart */
        SESSION_RENEWING,   /* Renew() was asked for: goes on after a restart */
        _SESSION_STATE_MAX,
        _SESSION_STATE_INVALID = -22,
} SessionState;

typedef enum FileState {
        FILE_INTENT,    /* PRESERVE was about to be asked for; whether the kernel has it must be found out */
        FILE_KEPT,
        FILE_RETRIEVED, /* was handed out at least once since the live update */
        FILE_FAILED,    /* the kernel could not bring it back: @error */
        FILE_DROPPED,   /* an intent that did not come true: the record undoes the earlier one */
        _FILE_STATE_MAX,
        _FILE_STATE_INVALID = -22,
} FileState;

typedef enum FileKind {
        FILE_KIND_MEMFD, /* shmem: memfd, or a nameless file on tmpfs */
        FILE_KIND_OTHER, /* anything else that the kernel took */
        _FILE_KIND_MAX,
        _FILE_KIND_INVALID = -22,
} FileKind;

#define BOOT_ID_SIZE 37U /* 36 characters of /proc/sys/kernel/random/boot_id and NUL */
#define KNAME_SIZE 24U   /* luod-a-1023 and NUL fit; kernel names of others are not in the ledger */
#define FDNAME_SIZE 16U

typedef struct HeadRecord {
        uint64_t generation;         /* live updates since cold boot */
        char boot_id[BOOT_ID_SIZE];  /* the boot in which this was written */
        char series;                 /* 'a' or 'b': of the kernel names of outgoing parts in that boot */
        uint64_t next_sid;           /* sids are never used twice */
        uint64_t next_fdname;        /* nor are FDNAMEs */
        char ledger[KNAME_SIZE];     /* the kernel session that this ledger is preserved in */
        char previous[KNAME_SIZE];   /* that of the ledger that was wholly taken over: it may be finished */
        char *extra;
} HeadRecord;

typedef struct SessionRecord {
        char name[NAME_LENGTH_MAX + 1];
        uid_t uid;
        Direction direction;
        SessionState state;
        uint64_t created;            /* usec, CLOCK_REALTIME */
        uint64_t created_generation;
        bool answered;               /* CreateSession's success reply was handed to the bus */
        bool auto_renew;             /* luod renews it itself before each live update */
        bool carrying;               /* SESSION_RENEWING: nobody had claimed it */
        uint32_t carried;            /* live updates in a row that it was renewed for without having been claimed */
        uint32_t flags;              /* SessionFlag (state.h): what is wrong with it, until it ends */
        bool participates;           /* SetReady(false) was called in this boot: it is not ready by itself (participants.h) */
        bool unready;                /* a live update waits for it */
        uint64_t claimed;            /* usec, CLOCK_REALTIME: when its owner first used it in this boot; 0: not yet */
        char *extra;
} SessionRecord;

typedef struct PartRecord {
        char kname[KNAME_SIZE];      /* name of the kernel session */
        char fdname[FDNAME_SIZE];    /* its name in the fd store, a hint */
        char boot_id[BOOT_ID_SIZE];  /* the boot in which it was made: this one: outgoing, another: incoming */
        bool many;                   /* made for one PreserveMany: all of its files or none */
        bool gone;                   /* it is the session's no more; its name may be taken again */
        char *extra;
} PartRecord;

typedef struct FileRecord {
        char part[KNAME_SIZE];       /* PartRecord.kname */
        uint64_t ktoken;             /* the kernel's token, in sequence within the part */
        uint64_t token;              /* the client's */
        char label[LABEL_LENGTH_MAX + 1];
        FileKind kind;
        FileState state;
        uint64_t size;
        uid_t uid;
        gid_t gid;
        mode_t mode;                 /* permission bits, 07777 */
        int access;                  /* O_RDONLY, O_WRONLY or O_RDWR */
        uint32_t seals;              /* F_GET_SEALS at PRESERVE, 0 where there are none */
        uint64_t dev, ino;           /* identity of shmem, valid in the part's boot only */
        int error;                   /* FILE_FAILED: positive errno */
        char object[OBJECT_NAME_MAX + 1]; /* its driver's name of it (identity.h), valid in the part's boot; or empty */
        char *extra;
} FileRecord;

typedef struct MetaRecord {
        char key[METADATA_KEY_MAX + 1];
        uint8_t *value;              /* NULL: the key is gone */
        size_t n_value;
        char *extra;
} MetaRecord;

typedef enum EndHow {
        END_FINISHED,
        END_DISCARDED,
        END_UNDONE, /* a creation that was never acknowledged */
        _END_HOW_MAX,
        _END_HOW_INVALID = -22,
} EndHow;

typedef struct EndRecord {
        EndHow how;
        char name[NAME_LENGTH_MAX + 1];
        uint64_t when;               /* usec, CLOCK_REALTIME */
        char *extra;
} EndRecord;

/* Each *_encode() returns the JSON text (NUL-terminated, caller frees *ret, *ret_size without the NUL), 0,
 * -ENOMEM, or -EBADMSG when @extra is no JSON object; enums, series and mode must be in range. No byte of the text
 * is below 0x20. Each *_decode() fills *ret completely or leaves it untouched: 0, -ENOMEM, or -EBADMSG when it is
 * not valid JSON, a key is missing, has the wrong type or a value out of range; @text need not be terminated. Free
 * with *_done(), which takes zeroed structs. 64-bit numbers are exact. */
int head_record_encode(const HeadRecord *record, char **ret, size_t *ret_size);
int head_record_decode(const char *text, size_t size, HeadRecord *ret);
void head_record_done(HeadRecord *record);

int session_record_encode(const SessionRecord *record, char **ret, size_t *ret_size);
int session_record_decode(const char *text, size_t size, SessionRecord *ret);
void session_record_done(SessionRecord *record);

int part_record_encode(const PartRecord *record, char **ret, size_t *ret_size);
int part_record_decode(const char *text, size_t size, PartRecord *ret);
void part_record_done(PartRecord *record);

int file_record_encode(const FileRecord *record, char **ret, size_t *ret_size);
int file_record_decode(const char *text, size_t size, FileRecord *ret);
void file_record_done(FileRecord *record);

int meta_record_encode(const MetaRecord *record, char **ret, size_t *ret_size);
int meta_record_decode(const char *text, size_t size, MetaRecord *ret);
void meta_record_done(MetaRecord *record);

int end_record_encode(const EndRecord *record, char **ret, size_t *ret_size);
int end_record_decode(const char *text, size_t size, EndRecord *ret);
void end_record_done(EndRecord *record);

/* String tables: *_to_string() NULL for what is out of range, *_from_string() the value or -EINVAL. */
const char *record_type_to_string(RecordType t);
const char *direction_to_string(Direction d);
Direction direction_from_string(const char *s);
const char *session_state_to_string(SessionState s);
SessionState session_state_from_string(const char *s);
const char *file_state_to_string(FileState s);
FileState file_state_from_string(const char *s);
const char *file_kind_to_string(FileKind k);
FileKind file_kind_from_string(const char *s);
const char *end_how_to_string(EndHow h);
EndHow end_how_from_string(const char *s);
