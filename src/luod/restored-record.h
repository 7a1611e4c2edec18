/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "record.h"

/* What of the restore a restarted luod must know and can't see from the sessions, as the file "restore" in its runtime
 * directory:
 *
 *   luod-restore 1
 *   boot-id 5b0c5d7e-…
 *   sessions 3
 *   units 5
 *   end
 *
 * Lost or unreadable, sessions that ended before are not counted, and units may be started once more. */

typedef struct RestoredRecord {
        char boot_id[BOOT_ID_SIZE];
        uint32_t n_sessions; /* that this boot began with */
        uint32_t units;      /* bits of RestoredUnit (restored.h): were started in this boot */
} RestoredRecord;

#define RESTORED_RECORD_SIZE 160U

void restored_record_encode(const RestoredRecord *record, char ret[static RESTORED_RECORD_SIZE]);
/* 0, or -EBADMSG: it is anything but a whole record of this version. */
int restored_record_decode(const char *text, RestoredRecord *ret);
