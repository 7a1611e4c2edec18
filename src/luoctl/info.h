/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* What luod tells about itself, as plain structures. One table for each interface says which property goes
 * where; reading, encoding and printing all go by it. */

typedef struct FileInfo {
        uint64_t token;
        char *label;
        char *kind;
        uint64_t size; /* bytes */
        uint32_t mode; /* permission bits */
        char *access;
        char *state;
} FileInfo;

typedef struct FileList {
        FileInfo *items;
        size_t n_items;
} FileList;

typedef struct MetadataEntry {
        char *key;
        void *value; /* any bytes */
        size_t size;
} MetadataEntry;

typedef struct MetadataList {
        MetadataEntry *items;
        size_t n_items;
} MetadataList;

typedef struct StringList {
        char **items;
        size_t n_items;
} StringList;

/* Somebody for whom an update waits. */
typedef struct WaitingInfo {
        char *kind; /* "lock", "session", "renewal" */
        char *name;
        char *why;
} WaitingInfo;

typedef struct WaitingList {
        WaitingInfo *items;
        size_t n_items;
} WaitingList;

/* The property LoadedKernel. */
typedef struct KernelInfo {
        uint64_t present; /* bit i: kernel_properties[i] was sent */
        bool loaded;
        char *by_luod; /* "yes", "no", "unknown", as those that follow */
        char *release;
        char *command_line;
        char *luo;
        char *memfd;
        char *same_formats;
        bool switched_on;
        bool forced;
        uint64_t timestamp; /* µs since the epoch */
} KernelInfo;

/* Strings are NULL, numbers 0 and lists empty where luod did not send them; see @present. */
typedef struct ManagerInfo {
        uint64_t present; /* bit i: manager_properties[i] was sent */
        char *version;
        char *state;
        uint64_t generation;
        bool booted_by_live_update;
        char *kernel_support;
        char *kernel_support_message;
        char *custody;
        char *ledger;
        char *restore;
        char *restore_message;
        uint32_t n_incoming;
        uint32_t n_unclaimed;
        uint32_t n_claimed;
        uint32_t n_failed;
        uint32_t n_renewed;
        uint32_t n_ended;
        KernelInfo loaded_kernel;
        uint32_t n_sessions;
        uint32_t n_files;
        uint32_t n_parts;
        uint64_t kept_bytes;
        uint32_t limit_parts;
        uint32_t limit_sessions_per_user;
        uint32_t limit_files_per_user;
        uint32_t limit_files_per_session;
        uint32_t limit_files;
        uint32_t limit_metadata_per_session; /* bytes */
        uint64_t update_deadline;            /* µs since the epoch, 0: there is none */
        WaitingList waiting_for;
} ManagerInfo;

typedef struct SessionInfo {
        uint64_t present; /* bit i: session_properties[i] was sent */
        char *name;
        char *direction;
        uint32_t owner; /* uid */
        FileList files;
        MetadataList metadata;
        uint64_t created_timestamp; /* µs since the epoch */
        uint64_t created_generation;
        bool auto_renew;
        uint32_t carried; /* live updates */
        StringList flags;
        bool ready;
        char *claim;
        uint64_t claimed_timestamp; /* µs since the epoch; 0: not claimed */
        uint32_t error;             /* errno; 0: none */
} SessionInfo;

typedef struct SessionInfos {
        SessionInfo *items;
        size_t n_items;
} SessionInfos;

/* The reply of Identify(). */
typedef struct IdentificationInfo {
        uint64_t present; /* bit i: identification_properties[i] was sent */
        char *kind;
        char *type;
        uint64_t size;  /* bytes */
        uint64_t holes; /* bytes */
        uint32_t mode;  /* permission bits */
        uint32_t owner; /* uid */
        char *access;
        StringList seals;
        char *keepable;
        char *reason;
        bool kept;
        char *keeper;
        char *session;
        char *session_path;
        char *direction;
        uint64_t token; /* 0 without @session */
} IdentificationInfo;

typedef enum PropertyType {
        PROPERTY_STRING,   /* char * */
        PROPERTY_PATH,     /* char *, of an object */
        PROPERTY_BOOL,     /* bool */
        PROPERTY_U32,      /* uint32_t */
        PROPERTY_U64,      /* uint64_t */
        PROPERTY_STRINGS,  /* StringList */
        PROPERTY_FILES,    /* FileList */
        PROPERTY_METADATA, /* MetadataList */
        PROPERTY_KERNEL,   /* KernelInfo */
        PROPERTY_WAITING,  /* WaitingList */
        _PROPERTY_TYPE_MAX,
} PropertyType;

typedef struct Property {
        const char *name; /* on the bus */
        const char *key;  /* in JSON */
        PropertyType type;
        size_t offset; /* in the structure that the table belongs to */
} Property;

/* All end with an entry without a name. */
extern const Property manager_properties[];
extern const Property kernel_properties[];
extern const Property session_properties[];
extern const Property identification_properties[];

void manager_info_done(ManagerInfo *info);
void session_info_done(SessionInfo *info);
void identification_info_done(IdentificationInfo *info);

/* info_read() - read an a{sv} of properties
 *
 * @info is a zeroed ManagerInfo, SessionInfo or IdentificationInfo, @properties its table. What the table does not have is
 * passed over: a newer luod may know more.
 * Returns 0, -ENOMEM, or another -errno if a property is not of the type that it should have; @info may then
 * be partly filled and is to be released all the same. */
int info_read(sd_bus_message *m, const Property *properties, void *info);

/* Reads the reply of GetManagedObjects(): all sessions, sorted by name. As info_read(). */
int session_infos_read(sd_bus_message *m, SessionInfos *infos);
void session_infos_done(SessionInfos *infos);

/* Reads an as. As info_read(). */
int string_list_read(sd_bus_message *m, StringList *list);
void string_list_done(StringList *list);

/* A row of ListSessions(). */
typedef struct SessionRow {
        char *name;
        char *direction;
        uint32_t owner; /* uid */
        uint32_t n_files;
        uint64_t size; /* bytes */
        char *path;
} SessionRow;

typedef struct SessionRows {
        SessionRow *items;
        size_t n_items;
} SessionRows;

/* Reads the reply of ListSessions(), sorted by name then. As info_read(). */
int session_rows_read(sd_bus_message *m, SessionRows *rows);
void session_rows_done(SessionRows *rows);

/* A lock of Inhibit(). */
typedef struct Inhibitor {
        char *what;
        char *who;
        char *why;
        char *mode;
        uint32_t uid;
        uint32_t pid;
        uint64_t id; /* for ReleaseLock() */
} Inhibitor;

typedef struct Inhibitors {
        Inhibitor *items;
        size_t n_items;
} Inhibitors;

/* Reads the reply of ListInhibitors(). As info_read(). */
int inhibitors_read(sd_bus_message *m, Inhibitors *inhibitors);
void inhibitors_done(Inhibitors *inhibitors);

/* A row of GetQuota(). */
typedef struct QuotaRow {
        uint32_t uid;   /* QUOTA_ALL_USERS: of all together */
        char *resource; /* "sessions", ... */
        char *unit;     /* "bytes" or "" */
        uint64_t used;
        uint64_t limit; /* QUOTA_NO_LIMIT: none */
        char *key;      /* of luod.conf, or "" */
} QuotaRow;

#define QUOTA_ALL_USERS UINT32_MAX
#define QUOTA_NO_LIMIT UINT64_MAX

typedef struct QuotaRows {
        QuotaRow *items;
        size_t n_items;
} QuotaRows;

/* Reads the reply of GetQuota(). As info_read(). */
int quota_rows_read(sd_bus_message *m, QuotaRows *rows);
void quota_rows_done(QuotaRows *rows);

/* A finding of Check(). */
typedef struct Finding {
        char *severity; /* "ok", "warning", "blocks" */
        char *id;
        char *text;
        char *advice; /* "" if there is nothing to do */
} Finding;

typedef struct Findings {
        Finding *items;
        size_t n_items;
} Findings;

typedef enum Severity {
        SEVERITY_OK,
        SEVERITY_WARNING,
        SEVERITY_BLOCKS,
        _SEVERITY_MAX,
} Severity;

/* Reads the reply of Check(). As info_read(). */
int findings_read(sd_bus_message *m, Findings *findings);
void findings_done(Findings *findings);

/* The severity of a finding; one that luoctl does not know is a warning. */
Severity finding_severity(const Finding *finding);

/* The worst of all, and how many there are of each severity. */
Severity findings_worst(const Findings *findings, size_t ret_count[static _SEVERITY_MAX]);

const char *severity_to_string(Severity severity);
