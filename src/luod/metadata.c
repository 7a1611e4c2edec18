/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "name-util.h"
#include "operations.h"
#include "stop-point.h"

int metadata_check(Manager *m,
                   const Session *session,
                   uid_t uid,
                   uid_t asker,
                   const MetadataChange *changes,
                   size_t n,
                   Failure *ret) {
        size_t size = session ? session->metadata_size : 0, keys = session ? session->n_metadata : 0;
        static const char advice[] = "remove some, or keep it in a memfd";
        size_t before = size, keys_before = keys;
        char whose[NAME_LENGTH_MAX + 16];
        uint64_t cost, cost_before;
        int r;

        /* All keys replaced by others; more need not be looked at, one by one, while everybody waits. */
        r = quota_check_one("metadata keys", "one call", 0, n, 2 * METADATA_KEYS_MAX, "make several calls", ret);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                const Metadata *old = NULL;

                if (!metadata_key_is_valid(changes[i].key))
                        return failure_set(ret, FAILURE_INVALID_ARGUMENT,
                                           "A metadata key is 1 to %u bytes of UTF-8 without control characters",
                                           METADATA_KEY_MAX);
                for (size_t j = 0; j < i; j++)
                        if (streq(changes[i].key, changes[j].key))
                                return failure_set(ret, FAILURE_INVALID_ARGUMENT, "Metadata key '%s' is there twice",
                                                   changes[i].key);
                if (session)
                        old = session_find_metadata(session, changes[i].key);
                if (old) {
                        size -= strlen(old->key) + old->n_value;
                        keys--;
                }
                if (changes[i].n_value > 0) {
                        size += strlen(changes[i].key) + changes[i].n_value;
                        keys++;
                }
        }

        (void) snprintf(whose, sizeof(whose), "session%s%s%s", session ? " '" : "", session ? session->record.name : "",
                        session ? "'" : "");
        r = quota_check_one("bytes of metadata", whose, before, size - MIN(before, size), METADATA_SIZE_MAX, advice, ret);
        if (r >= 0)
                r = quota_check_one("metadata keys", whose, keys_before, keys - MIN(keys_before, keys), METADATA_KEYS_MAX,
                                    advice, ret);
        if (r < 0)
                return r;
        cost = size + keys * METADATA_KEY_COST;
        cost_before = before + keys_before * METADATA_KEY_COST;
        return cost <= cost_before ? 0 : usage_check(m, QUOTA_METADATA, uid, asker, cost - cost_before, ret);
}

uint64_t metadata_cost(const MetadataChange *changes, size_t n) {
        uint64_t cost = 0;

        for (size_t i = 0; i < n; i++)
                if (changes[i].n_value > 0)
                        cost += strlen(changes[i].key) + changes[i].n_value + METADATA_KEY_COST;
        return cost;
}

static int set_one(Manager *m, Session *s, const MetadataChange *change) {
        int r;

        r = session_set_metadata(&m->state, s, change->key, change->n_value > 0 ? change->value : NULL,
                                 change->n_value);
        return r < 0 ? r : store_put_metadata(&m->store, s, change->key);
}

int operation_set_metadata(
                Manager *m, Session *session, Caller *caller, const MetadataChange *changes, size_t n, Failure *ret) {
        size_t size = 0;
        int r;

        r = manager_check_access(session, caller, ret);
        if (r < 0)
                return r;
        r = manager_check_ready(m, /* keeps= */ false, ret);
        if (r < 0)
                return r;
        if (session->record.state != SESSION_LIVE && session->record.state != SESSION_RENEWING)
                return failure_set(ret, FAILURE_WRONG_DIRECTION, "Session '%s' is being ended", session->record.name);
        r = metadata_check(m, session, session->record.uid, caller->uid, changes, n, ret);
        if (r < 0)
                return r;

        /* Room for all of it is made sure of first, so that none or all is written. */
        for (size_t i = 0; i < n; i++)
                size += 2 * changes[i].n_value;
        if (!store_has_room(&m->store, n, size))
                return failure_set_errno(ret, -ENOSPC, "Can't keep the metadata");

        for (size_t i = 0; i < n; i++) {
                r = set_one(m, session, changes + i);
                if (r < 0)
                        return failure_set_errno(ret, r, "Can't keep the metadata");
                stop_point("metadata:written");
        }

        manager_emit_session(m, session, "Metadata");
        return 0;
}
