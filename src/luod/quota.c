/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "luod-limits.h"
#include "macro.h"
#include "quota.h"

#define ROOTS_PART 8U

const QuotaItem quota_items[_QUOTA_MAX] = {
        [QUOTA_SESSIONS] = { .name = "sessions",
                             .what = "sessions",
                             .user_key = "SessionsPerUser",
                             .total_key = "Sessions",
                             .advice = "finish or discard some first" },
        [QUOTA_FILES] = { .name = "files",
                          .what = "files",
                          .user_key = "FilesPerUser",
                          .total_key = "Files",
                          .advice = "finish or discard sessions first" },
        [QUOTA_PARTS] = { .name = "parts",
                          .what = "kernel sessions",
                          .user_key = "PartsPerUser",
                          .total_key = "Parts",
                          .total_note = ", or what systemd's fd store and LimitNOFILE= of luod.service allow",
                          .advice = "finish or discard sessions first; each session and each PreserveMany() takes one" },
        [QUOTA_METADATA] = { .name = "metadata",
                             .what = "metadata",
                             .bytes = true,
                             .user_key = "MetadataPerUser",
                             .total_key = "Metadata",
                             .advice = "remove some, or keep it in a memfd" },
        [QUOTA_KEPT] = { .name = "kept",
                         .what = "kept memory",
                         .bytes = true,
                         .user_key = "KeptPerUser",
                         .total_key = "Kept",
                         .advice = "finish or discard sessions first" },
        [QUOTA_LOCKS] = { .name = "locks",
                          .what = "locks",
                          .user_key = "LocksPerUser",
                          .total_key = "Locks",
                          .roots_part = ROOTS_PART,
                          .advice = "release those that are not needed" },
        [QUOTA_CALLS] = { .name = "calls",
                          .what = "calls in flight",
                          .user_key = "CallsPerUser",
                          .total_key = "Calls",
                          .roots_part = ROOTS_PART,
                          .advice = "wait for the answers" },
        [QUOTA_FDS] = { .name = "fds",
                        .what = "file descriptors in flight",
                        .user_key = "FileDescriptorsPerUser",
                        .total_key = "FileDescriptors",
                        .total_note = ", or what LimitNOFILE= of luod.service leaves for them",
                        .roots_part = ROOTS_PART,
                        .advice = "hand in fewer at once, or wait for the answers" },
        [QUOTA_IDENTIFICATIONS] = { .name = "identifications",
                                    .what = "files being looked at",
                                    .advice = "wait for the answers" },
};

/* --- yes or no */

static bool fits(uint64_t used, uint64_t wanted, uint64_t limit) {
        return limit == QUOTA_UNLIMITED || (used <= limit && wanted <= limit - used);
}

/* What is said of all refusals: which limit, and where it comes from. */
typedef struct Wording {
        const char *what;
        const char *whose;
        const char *unit;      /* "" or " bytes" */
        const char *key;       /* of luod.conf; NULL: built in */
        const char *note;
        const char *advice;
        bool less;             /* root's part is not in the limit */
        bool untold;           /* nobody but root learns how much others have */
} Wording;

static int refuse(const Wording *w, uint64_t used, uint64_t wanted, uint64_t limit, Failure *ret) {
        char how_much[160], source[160] = "built in";

        if (w->untold)
                (void) snprintf(how_much, sizeof(how_much), "no room for %" PRIu64 " more, the limit is %" PRIu64 "%s", wanted, limit,
                                w->unit);
        else
                (void) snprintf(how_much, sizeof(how_much), "%" PRIu64 " of %" PRIu64 "%s in use, %" PRIu64 " more asked for", used,
                                limit, w->unit, wanted);
        if (w->key)
                (void) snprintf(source, sizeof(source), "%s= in luod.conf%s%s", w->key, w->less ? ", less root's part" : "",
                                strempty(w->note));
        return failure_set(ret, FAILURE_QUOTA_EXCEEDED, "The %s of %s: %s (%s); %s", w->what, w->whose, how_much, source,
                           w->advice);
}

uint64_t quota_total_for(QuotaResource resource, const QuotaLimit *limit, uid_t uid) {
        unsigned part = quota_items[resource].roots_part;

        if (uid == 0 || part == 0 || limit->total == QUOTA_UNLIMITED)
                return limit->total;
        return limit->total - limit->total / part;
}

int quota_check(const QuotaRequest *r, const QuotaLimit *limit, Failure *ret) {
        const QuotaItem *item = quota_items + r->resource;
        uint64_t total = quota_total_for(r->resource, limit, r->uid);
        Wording w = { .what = item->what, .unit = item->bytes ? " bytes" : "", .advice = item->advice };
        char whose[32];

        if (r->wanted == 0)
                return 0;
        if (r->uid != 0 && !fits(r->used, r->wanted, limit->user)) {
                (void) snprintf(whose, sizeof(whose), "user %" PRIu32, (uint32_t) r->uid);
                w.whose = whose;
                w.key = item->user_key;
                return refuse(&w, r->used, r->wanted, limit->user, ret);
        }
        if (fits(r->used_in_all, r->wanted, total))
                return 0;
        w.whose = "all users";
        w.key = item->total_key;
        w.note = item->total_note;
        w.less = total < limit->total;
        w.untold = r->asker != 0;
        return refuse(&w, r->used_in_all, r->wanted, total, ret);
}

int quota_check_one(const char *what,
                    const char *whose,
                    uint64_t used,
                    uint64_t wanted,
                    uint64_t limit,
                    const char *advice,
                    Failure *ret) {
        const Wording w = { .what = what, .whose = whose, .unit = "", .advice = advice };

        return wanted == 0 || fits(used, wanted, limit) ? 0 : refuse(&w, used, wanted, limit, ret);
}

/* --- who has how much */

void tally_init(Tally *t) {
        *t = (Tally) {};
        list_init(&t->users);
}

void tally_done(Tally *t) {
        TallyUser *u;

        LIST_FOREACH(&t->users, TallyUser, link, u) {
                list_unlink(&u->link);
                free(u);
        }
}

/* The user, or the one behind whom it would be (NULL: first). */
static TallyUser *find(const Tally *t, uid_t uid) {
        TallyUser *u, *before = NULL;

        LIST_FOREACH(&t->users, TallyUser, link, u) {
                if (u->uid > uid)
                        break;
                before = u;
        }
        return before;
}

static TallyUser *add_user(Tally *t, uid_t uid, TallyUser *before) {
        TallyUser *u = calloc(1, sizeof(*u));

        if (!u)
                return NULL;
        u->uid = uid;
        list_insert_after(before ? &before->link : &t->users.head, &u->link); /* the ring's head is before all */
        return u;
}

int tally_add(Tally *t, QuotaResource resource, uid_t uid, uint64_t n) {
        TallyUser *u;

        if (n == 0)
                return 0;
        u = find(t, uid);
        if (!u || u->uid != uid)
                u = add_user(t, uid, u);
        if (!u)
                return -ENOMEM;
        u->used[resource] += n;
        t->total[resource] += n;
        return 0;
}

static bool is_idle(const TallyUser *u) {
        for (QuotaResource r = 0; r < _QUOTA_MAX; r++)
                if (u->used[r] > 0)
                        return false;
        return true;
}

void tally_remove(Tally *t, QuotaResource resource, uid_t uid, uint64_t n) {
        TallyUser *u;

        if (n == 0)
                return;
        u = find(t, uid);
        assert(u && u->uid == uid && u->used[resource] >= n);
        u->used[resource] -= n;
        t->total[resource] -= n;
        if (is_idle(u)) {
                list_unlink(&u->link);
                free(u);
        }
}

uint64_t tally_of(const Tally *t, QuotaResource resource, uid_t uid) {
        const TallyUser *u = find(t, uid);

        return u && u->uid == uid ? u->used[resource] : 0;
}
