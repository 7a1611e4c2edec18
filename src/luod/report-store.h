/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "report.h"

/* Reports as files: "under-way.json" and "ID.json" in a directory that outlives reboots. Where that can't be written (full,
 * read-only) they go to another one, which holds for this boot, and are read from there first. A file is replaced in one
 * step, so that a death leaves the old or the new one. */

#define REPORT_UNDER_WAY_NAME "under-way"

typedef struct ReportStore {
        char *directory; /* "/var/lib/luod/reports"; NULL: nothing is written or read at all */
        char *fallback;  /* "/run/luod/reports" */
} ReportStore;

/* What a listing has of each. */
typedef struct ReportSummary {
        uint64_t id;
        ReportRoad road;
        ReportResult result;
        uint64_t realtime; /* of the first moment known; 0: none is */
} ReportSummary;
ReportSummary report_summarize(const Report *report);

/* A file that can't be read as a report; @why is for people. */
typedef void (*report_unreadable_fn)(const char *path, const char *why, void *userdata);

/* Both 0 or -ENOMEM; @directory and @runtime_dir are without "reports". */
int report_store_init(ReportStore *store, const char *directory, const char *runtime_dir);
void report_store_done(ReportStore *store);

/* @name without ".json". @sync: it is on disk when this returns. @writer: where more than one process writes they have different
 * ones, for their temporary files. 0: it is in the directory; 1: in the fallback, and
 * *ret_error says why; -errno: in neither. */
int report_store_put(
                const ReportStore *store, const char *writer, const char *name, const char *text, bool sync, int *ret_error);
/* 0, -ENOENT, -EBADMSG (damaged), -EPROTONOSUPPORT (a newer luod's) or another -errno. */
int report_store_get(ReportStore *store, const char *name, Report *ret);
void report_store_remove(ReportStore *store, const char *name);
/* A file that can't be read gets out of the way, but is kept: its name gets "@suffix" added. */
void report_store_put_aside(ReportStore *store, const char *name, const char *suffix);
/* All with a number as name that can be read, by number. What can't is told to @unreadable, and counts for *ret_highest. */
int report_store_list(ReportStore *store,
                      ReportSummary **ret,
                      size_t *ret_n,
                      uint64_t *ret_highest,
                      report_unreadable_fn unreadable,
                      void *userdata);

/* The small text that is not a report: NULL if there is none. */
char *report_store_get_text(ReportStore *store, const char *name);
