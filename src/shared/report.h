/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "luod-limits.h"

/* What became of one live update, as a plain struct and as JSON: luod writes it down before the jump, completes it
 * afterwards and hands it out, luoctl shows it.
 *
 * Clocks: a moment has the realtime clock (CLOCK_REALTIME, µs since the epoch), which goes on over the jump but may
 * be set and, right after a kexec, may be off by a second (the clock chip counts seconds); and, where it is known,
 * CLOCK_BOOTTIME with the boot that it belongs to. Within one boot durations are differences of CLOCK_BOOTTIME, from
 * one boot to the next of the realtime clock. */

typedef enum ReportRoad {
        REPORT_ROAD_LUOCTL,       /* Update() was asked for */
        REPORT_ROAD_LOGIND,       /* "systemctl kexec" through logind, which luod held up to prepare */
        REPORT_ROAD_KEXEC_TARGET, /* kexec.target was started past logind */
        REPORT_ROAD_STOP_JOB,     /* luod heard of it only when it was stopped itself */
        REPORT_ROAD_UNANNOUNCED,  /* luod did not hear of it before the jump */
        _REPORT_ROAD_MAX,
        _REPORT_ROAD_INVALID = -22, /* -EINVAL */
} ReportRoad;

typedef enum ReportResult {
        REPORT_UNDER_WAY,
        REPORT_DONE,
        REPORT_CANCELLED,
        REPORT_FAILED,    /* it came to nothing, and the host went on as before */
        REPORT_LOST,      /* after the hand-over the host was restarted cold: what was kept is gone */
        REPORT_COLD_BOOT, /* the host was restarted before anything was handed over */
        _REPORT_RESULT_MAX,
        _REPORT_RESULT_INVALID = -22,
} ReportResult;

typedef enum ReportTime {
        REPORT_TIME_REQUEST,
        REPORT_TIME_PREPARE,     /* PrepareForUpdate was sent */
        REPORT_TIME_READY,       /* the last participant was ready */
        REPORT_TIME_HANDOVER,    /* systemd was told to go on */
        REPORT_TIME_SHUTDOWN,    /* systemd began to stop everything (systemd 262) */
        REPORT_TIME_JUMP,        /* systemd-shutdown called kexec (systemd 262) */
        REPORT_TIME_KERNEL,      /* the next kernel's clock began */
        REPORT_TIME_USERSPACE,   /* systemd began in it */
        REPORT_TIME_LUOD,        /* luod was up */
        REPORT_TIME_FIRST_CLAIM, /* the first file was handed out */
        REPORT_TIME_LAST_FINISH, /* the latest end of a session up to now */
        _REPORT_TIME_MAX,
        _REPORT_TIME_INVALID = -22,
} ReportTime;

typedef enum ReportDelayKind {
        REPORT_DELAY_LOCK,
        REPORT_DELAY_SESSION, /* that was not ready */
        _REPORT_DELAY_KIND_MAX,
        _REPORT_DELAY_KIND_INVALID = -22,
} ReportDelayKind;

typedef enum ReportOutcome {
        REPORT_KEPT,      /* before the jump; and of an update that came to nothing */
        REPORT_UNCLAIMED, /* it came over, and nobody has retrieved anything yet */
        REPORT_CLAIMED,
        REPORT_FINISHED,
        REPORT_DISCARDED,
        REPORT_RENEWED,   /* its owner put it into the next update */
        REPORT_CARRIED,   /* luod did, for an absent owner */
        REPORT_GONE_BAD,  /* "failed": the kernel could not bring back one of its files */
        REPORT_GONE,      /* "lost": it did not come over */
        _REPORT_OUTCOME_MAX,
        _REPORT_OUTCOME_INVALID = -22,
} ReportOutcome;

typedef enum ReportFileOutcome {
        REPORT_FILE_KEPT,
        REPORT_FILE_LOST,
        REPORT_FILE_FAILED,
        REPORT_FILE_RETRIEVED,
        _REPORT_FILE_OUTCOME_MAX,
        _REPORT_FILE_OUTCOME_INVALID = -22,
} ReportFileOutcome;

#define REPORT_BOOT_ID_SIZE 37U
#define REPORT_KERNEL_SIZE 65U /* utsname.release */
#define REPORT_TEXT_SIZE 256U

typedef struct ReportStamp {
        uint64_t realtime;                 /* 0: the moment is not known */
        uint64_t boottime;                 /* of the boot @boot_id */
        char boot_id[REPORT_BOOT_ID_SIZE]; /* empty: @boottime is not known */
} ReportStamp;

typedef struct ReportDelay {
        ReportDelayKind kind;
        char who[REPORT_TEXT_SIZE];        /* of REPORT_DELAY_SESSION the session's name */
        char why[REPORT_TEXT_SIZE];
        uint64_t from, until;              /* CLOCK_BOOTTIME of the boot that ended; 0: not known */
        bool waited_for;                   /* false: the time was up, or it was forced */
} ReportDelay;

typedef struct ReportFile {
        uint64_t token;
        char label[LABEL_LENGTH_MAX + 1];
        uint64_t size;
        ReportFileOutcome outcome;
        int error;                         /* REPORT_FILE_FAILED: positive errno */
        char why[128];
} ReportFile;

typedef struct ReportSession {
        uint64_t sid;                      /* luod's own number of it */
        char name[NAME_LENGTH_MAX + 1];
        uid_t uid;
        ReportOutcome outcome;
        char why[REPORT_TEXT_SIZE];
        ReportStamp ready, claimed, finished;
        ReportFile *files;
        size_t n_files;
} ReportSession;

typedef struct Report {
        uint64_t id;                       /* counts up; 0: there is none */
        ReportRoad road;
        ReportResult result;
        bool forced;
        char message[2 * REPORT_TEXT_SIZE];
        char from_kernel[REPORT_KERNEL_SIZE], to_kernel[REPORT_KERNEL_SIZE]; /* "uname -r", or empty */
        char from_boot[REPORT_BOOT_ID_SIZE], to_boot[REPORT_BOOT_ID_SIZE];
        ReportStamp times[_REPORT_TIME_MAX];
        ReportDelay *delays;
        size_t n_delays;
        ReportSession *sessions;
        size_t n_sessions;
} Report;

/* Frees what it owns; all zero afterwards, which is a valid report without content. */
void report_done(Report *report);

/* New ones at the end, all zero; NULL without memory. They move when another is added. */
ReportDelay *report_add_delay(Report *report);
ReportSession *report_add_session(Report *report);
/* Room for @n files, in place of what it had. 0 or -ENOMEM. */
int report_session_set_files(ReportSession *session, size_t n);
ReportFile *report_session_find_file(ReportSession *session, uint64_t token);

/* Copies what fits; what is not printable UTF-8 becomes '?'. */
void report_set_text(char *to, size_t size, const char *from);

/* Now; @boot_id is this boot's. */
ReportStamp report_stamp_now(const char *boot_id);
bool report_stamp_is_known(const ReportStamp *stamp);
/* From @a to @b in µs, by the clock that fits; 0 if the realtime clock ran backwards. False if one is not known. */
bool report_duration(const ReportStamp *a, const ReportStamp *b, uint64_t *ret);

/* How long clients were without what is theirs: from when the last of them was ready (else from the first of hand-over,
 * shutdown, jump that is known) to the first claim. Of a session: from its own ready to its own claim. False while it
 * is not known. */
bool report_blackout(const Report *report, uint64_t *ret);
bool report_session_blackout(const Report *report, const ReportSession *session, uint64_t *ret);
/* Where these begin. */
const ReportStamp *report_blackout_start(const Report *report);
const ReportStamp *report_session_blackout_start(const Report *report, const ReportSession *session);

/* How many sessions have that outcome. */
size_t report_count(const Report *report, ReportOutcome outcome);

/* {"format":1,"id":3,"road":"luoctl","result":"done",…}. @viewer other than 0: only the sessions of that user, and of
 * others neither who they are nor what they said. The caller frees *ret. 0 or -ENOMEM. */
#define REPORT_FORMAT 1U
int report_encode(const Report *report, uid_t viewer, char **ret);
/* *ret is filled wholly, or untouched. 0, -ENOMEM, -EPROTONOSUPPORT (a newer luod wrote it) or -EBADMSG. */
int report_decode(const char *text, size_t size, Report *ret);

/* NULL for what is out of range. */
const char *report_road_to_string(ReportRoad road);
const char *report_result_to_string(ReportResult result);
const char *report_time_to_string(ReportTime time);
const char *report_delay_kind_to_string(ReportDelayKind kind);
const char *report_outcome_to_string(ReportOutcome outcome);
const char *report_file_outcome_to_string(ReportFileOutcome outcome);
