/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* luod.service as it is on disk, which is what PID 1 goes by after its next reload, and after a live update: a unit
 * that is masked, can't be started, or has a smaller fd store then loses stored fds without a word. */
typedef struct UnitFile {
        bool found;         /* there is a unit file; removing it keeps the fds as long as the unit runs */
        bool masked;        /* a link to /dev/null, or empty */
        bool startable;     /* it has an ExecStart= */
        bool preserve;      /* FileDescriptorStorePreserve=yes */
        uint32_t store_max; /* FileDescriptorStoreMax= */
} UnitFile;

/* systemd.unit(5): where system units are looked for, the first wins. */
extern const char *const unit_directories[];

/* Reads the unit file @name and its drop-ins (NAME.d/x.conf, by file name across the directories, the first directory
 * winning; the last assignment counts). Returns 0 or -errno. */
int unit_file_read(const char *const *directories, const char *name, UnitFile *ret);

/* Whether something wants the unit @name at boot: a link to it in X.wants, X.requires or X.upholds of one of the directories,
 * which a link to /dev/null of the same name in an earlier directory takes back. */
bool unit_file_is_enabled(const char *const *directories, const char *name);
