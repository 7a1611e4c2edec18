/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "macro.h"
#include "restored-record.h"

void restored_record_encode(const RestoredRecord *r, char ret[static RESTORED_RECORD_SIZE]) {
        (void) snprintf(ret, RESTORED_RECORD_SIZE, "luod-restore 1\nboot-id %s\nsessions %" PRIu32 "\nunits %" PRIu32 "\nend\n",
                        r->boot_id, r->n_sessions, r->units);
}

int restored_record_decode(const char *text, RestoredRecord *ret) {
        char again[RESTORED_RECORD_SIZE];
        RestoredRecord r = {};
        size_t n;

        if (sscanf(text, "luod-restore 1 boot-id %36[0-9a-f-] sessions %" SCNu32 " units %" SCNu32, r.boot_id, &r.n_sessions,
                   &r.units) != 3)
                return -EBADMSG;
        /* sscanf() is easily pleased: it must be what would be written, but for the last newline (read_small_file() cuts it). */
        restored_record_encode(&r, again);
        n = strlen(again) - 1;
        if (strncmp(text, again, n) != 0 || (text[n] != '\0' && !streq(text + n, "\n")))
                return -EBADMSG;
        *ret = r;
        return 0;
}
