/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>

#include "info.h"

/* What `--json=` prints. luoctl(1) documents the keys. Tokens, sizes and times are whole numbers of up to 64
 * bits. Bytes (the values of metadata) are a string where they are UTF-8, else {"base64": "..."}.
 *
 * All functions give one JSON value as text without a newline at its end, which the caller frees, and return
 * 0 or -ENOMEM. @mode is never JSON_OFF. */

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
        _JSON_MODE_MAX,
        _JSON_MODE_INVALID = -EINVAL,
} JsonMode;

JsonMode json_mode_from_string(const char *s);

/* The properties that @info has, and "warnings". */
int encode_manager(const ManagerInfo *info, const char *const *warnings, JsonMode mode, char **ret);
int encode_session(const SessionInfo *info, JsonMode mode, char **ret);
int encode_identification(const IdentificationInfo *info, JsonMode mode, char **ret);
int encode_session_rows(const SessionRows *rows, JsonMode mode, char **ret);
int encode_inhibitors(const Inhibitors *inhibitors, JsonMode mode, char **ret);
int encode_quota(const QuotaRows *rows, JsonMode mode, char **ret);
int encode_findings(const Findings *findings, JsonMode mode, char **ret);

/* The session that `create` made. */
int encode_created(const char *name, const char *path, JsonMode mode, char **ret);

/* The report that luod gave as JSON, whatever is in it. -EBADMSG if it is no JSON. */
int encode_report(const char *report, JsonMode mode, char **ret);

/* A line of `report --list`; the strings are borrowed. */
typedef struct ReportRow {
        uint64_t id;
        const char *road, *result;
        uint64_t realtime; /* µs since the epoch; 0: not known */
} ReportRow;
int encode_report_rows(const ReportRow *rows, size_t n, JsonMode mode, char **ret);

/* A line of `monitor`. */
typedef struct Event {
        uint64_t timestamp;            /* µs since the epoch */
        const char *event;             /* what happened, as luoctl(1) names it */
        const char *session;           /* NULL: not about a session */
        const char *path;              /* NULL likewise */
        const char *how;               /* of SessionRemoved, else NULL */
        const Property *properties;    /* the table of @info, or NULL */
        const void *info;              /* what changed */
        const StringList *invalidated; /* names of properties that changed, without their values; or NULL */
} Event;

int encode_event(const Event *event, JsonMode mode, char **ret);
