/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "record.h"
#include "state.h"

/* The JSON of the ledger's records. A byte says of which type; what is behind it is the text. What can be read can be written,
 * and reads the same then. */

#define ROUND_TRIP(kind, Kind)                                                                     \
        static void try_##kind(const char *text, size_t size) {                                    \
                Kind first = {}, second = {};                                                      \
                char *once = NULL, *twice = NULL;                                                  \
                size_t n_once, n_twice;                                                            \
                                                                                                   \
                if (kind##_record_decode(text, size, &first) < 0)                                  \
                        return;                                                                    \
                require(kind##_record_encode(&first, &once, &n_once) == 0);                        \
                require(kind##_record_decode(once, n_once, &second) == 0);                         \
                require(kind##_record_encode(&second, &twice, &n_twice) == 0);                     \
                require(n_once == n_twice && memcmp(once, twice, n_once) == 0);                    \
                for (size_t i = 0; i < n_once; i++)                                                \
                        require((unsigned char) once[i] >= 0x20);                                  \
                free(once);                                                                        \
                free(twice);                                                                       \
                kind##_record_done(&first);                                                        \
                kind##_record_done(&second);                                                       \
        }

ROUND_TRIP(head, HeadRecord)
ROUND_TRIP(session, SessionRecord)
ROUND_TRIP(part, PartRecord)
ROUND_TRIP(file, FileRecord)
ROUND_TRIP(meta, MetaRecord)
ROUND_TRIP(end, EndRecord)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static void (*const tries[_RECORD_TYPE_MAX])(const char *, size_t) = {
                [RECORD_HEAD] = try_head, [RECORD_SESSION] = try_session, [RECORD_PART] = try_part,
                [RECORD_FILE] = try_file, [RECORD_META] = try_meta,       [RECORD_END] = try_end,
        };
        Input input = { data, size };
        uint8_t type = input_u8(&input);

        tries[type % _RECORD_TYPE_MAX]((const char *) input.data, input.size);
        return 0;
}
