/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-quota.h"

/* Everybody sees what is theirs; root sees all users who have something, and what all have together. */

#define ALL_USERS UINT32_MAX

typedef struct QuotaReply {
        Manager *manager;
        sd_bus_message *message;
        Tally tally;
} QuotaReply;

static int append_row(QuotaReply *q, uint32_t uid, QuotaResource resource, uint64_t used, uint64_t limit, const char *key) {
        const QuotaItem *item = quota_items + resource;

        return sd_bus_message_append(q->message, "(usstts)", uid, item->name, item->bytes ? "bytes" : "", used, limit, strempty(key));
}

/* @all: what there is none of, too. */
static int append_user(QuotaReply *q, uid_t uid, bool all) {
        int r = 0;

        for (QuotaResource resource = 0; resource < _QUOTA_MAX && r >= 0; resource++) {
                uint64_t used = tally_of(&q->tally, resource, uid);
                uint64_t limit = uid == 0 ? QUOTA_UNLIMITED : usage_limit(q->manager, resource).user;

                if (all || used > 0)
                        r = append_row(q, uid, resource, used, limit, uid == 0 ? NULL : quota_items[resource].user_key);
        }
        return r;
}

static int append_total(QuotaReply *q) {
        int r = 0;

        for (QuotaResource resource = 0; resource < _QUOTA_MAX && r >= 0; resource++)
                r = append_row(q, ALL_USERS, resource, q->tally.total[resource], usage_limit(q->manager, resource).total,
                               quota_items[resource].total_key);
        return r;
}

static int append_rows(QuotaReply *q, uid_t asker) {
        const TallyUser *u;
        int r;

        r = append_user(q, asker, /* all= */ true);
        if (r < 0 || asker != 0)
                return r;
        LIST_FOREACH(&q->tally.users, TallyUser, link, u)
                if (u->uid != 0 && r >= 0)
                        r = append_user(q, u->uid, /* all= */ false);
        return r < 0 ? r : append_total(q);
}

int bus_method_get_quota(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        QuotaReply q = { .manager = ((Bus *) userdata)->manager };
        Caller *caller;
        int r;

        r = bus_get_caller(userdata, m, &caller);
        if (r < 0)
                return r;
        r = usage_collect(q.manager, &q.tally);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &q.message);
        if (r >= 0)
                r = sd_bus_message_open_container(q.message, 'a', "(usstts)");
        if (r >= 0)
                r = append_rows(&q, caller->uid);
        if (r >= 0)
                r = sd_bus_message_close_container(q.message);
        if (r >= 0)
                r = sd_bus_message_send(q.message);
        sd_bus_message_unref(q.message);
        tally_done(&q.tally);
        return r;
}
