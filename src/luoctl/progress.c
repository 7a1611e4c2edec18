/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "format-value.h"
#include "macro.h"
#include "progress.h"

static const char *describe_state(const char *state) {
        static const char *const words[][2] = {
                { "idle", "No update is under way" }, { "preparing", "Preparing" },
                { "handing-over", "Handing over" },   { "shutting-down", "The host is going down" },
                { "stopping", "luod is stopping" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (streq(strempty(state), words[i][0]))
                        return words[i][1];
        return strempty(state);
}

bool progress_is_under_way(const char *state) {
        return !streq(strempty(state), "") && !streq(state, "idle") && !streq(state, "stopping");
}

static const char *describe_kind(const char *kind) {
        if (streq(strempty(kind), "lock"))
                return "the lock of";
        return streq(strempty(kind), "renewal") ? "the renewal of" : "session";
}

static int format_item(const WaitingInfo *w, char **ret) {
        int r;

        r = asprintf(ret, "%s '%s'%s%s%s", describe_kind(w->kind), strempty(w->name),
                     strempty(w->why)[0] ? " (" : "", strempty(w->why), strempty(w->why)[0] ? ")" : "");
        if (r < 0)
                *ret = NULL;
        return r < 0 ? -ENOMEM : 0;
}

/* Up to three of them, and how many more. */
static int format_waiting(const WaitingList *l, char **ret) {
        enum { NAMED = 3 };
        _cleanup_free_ char *text = strdup("");

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < MIN(l->n_items, (size_t) NAMED); i++) {
                _cleanup_free_ char *item = NULL, *longer = NULL;

                if (format_item(&l->items[i], &item) < 0)
                        return -ENOMEM;
                if (asprintf(&longer, "%s%s%s", text, i > 0 ? ", " : ": ", item) < 0) {
                        longer = NULL;
                        return -ENOMEM;
                }
                free(text);
                text = TAKE_PTR(longer);
        }
        if (l->n_items <= NAMED) {
                *ret = TAKE_PTR(text);
                return 0;
        }
        if (asprintf(ret, "%s, and %zu more", text, l->n_items - NAMED) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* "25s left"; rounded up, so that it is "0s" only when it is over. */
static void format_left(uint64_t deadline, uint64_t now, char *buffer, size_t size) {
        uint64_t left = deadline > now ? (deadline - now + USEC_PER_SEC - 1) / USEC_PER_SEC : 0;

        if (deadline == 0)
                buffer[0] = '\0';
        else if (left >= 60)
                (void) snprintf(buffer, size, ", %llumin %llus left", (unsigned long long) left / 60,
                                (unsigned long long) left % 60);
        else
                (void) snprintf(buffer, size, ", %llus left", (unsigned long long) left);
}

static bool is_preparing(const ManagerInfo *info) {
        return streq(strempty(info->state), "preparing");
}

/* Only then anybody is waited for, whatever was known before. */
static const WaitingList *waiting_of(const ManagerInfo *info) {
        static const WaitingList nobody;

        return is_preparing(info) ? &info->waiting_for : &nobody;
}

int progress_format(const ManagerInfo *info, uint64_t now, char **ret) {
        _cleanup_free_ char *waiting = NULL;
        char left[64] = "";

        if (is_preparing(info))
                format_left(info->update_deadline, now, left, sizeof(left));
        if (format_waiting(waiting_of(info), &waiting) < 0)
                return -ENOMEM;
        if (asprintf(ret, "%s%s%s", describe_state(info->state), left, waiting) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

static int _printf_(2, 3) add_line(StringList *l, const char *format, ...) {
        char **larger = reallocarray(l->items, l->n_items + 1, sizeof(*larger));
        va_list ap;
        int r;

        if (!larger)
                return -ENOMEM;
        l->items = larger;
        va_start(ap, format);
        r = vasprintf(&l->items[l->n_items], format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;
        l->n_items++;
        return 0;
}

static bool same(const char *a, const char *b) {
        return streq(strempty(a), strempty(b));
}

static bool is_waited_for(const WaitingList *l, const WaitingInfo *w) {
        for (size_t i = 0; i < l->n_items; i++)
                if (same(l->items[i].kind, w->kind) && same(l->items[i].name, w->name) &&
                    same(l->items[i].why, w->why))
                        return true;
        return false;
}

/* A line for each of @list that is not in @other. */
static int
add_difference(StringList *lines, const char *what, const WaitingList *list, const WaitingList *other) {
        for (size_t i = 0; i < list->n_items; i++) {
                _cleanup_free_ char *item = NULL;

                if (is_waited_for(other, &list->items[i]))
                        continue;
                if (format_item(&list->items[i], &item) < 0 || add_line(lines, "%s %s.", what, item) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int progress_changes(const ManagerInfo *before, const ManagerInfo *after, uint64_t now, StringList *ret) {
        char left[64] = "";
        int r = 0;

        if (is_preparing(after))
                format_left(after->update_deadline, now, left, sizeof(left));
        if (!same(before->state, after->state) ||
            (is_preparing(after) && after->update_deadline != 0 && before->update_deadline != after->update_deadline))
                r = add_line(ret, "%s%s.", describe_state(after->state), left);
        if (r >= 0)
                r = add_difference(ret, "No longer waiting for", waiting_of(before), waiting_of(after));
        if (r >= 0)
                r = add_difference(ret, "Waiting for", waiting_of(after), waiting_of(before));
        return r;
}

static int copy(const char *s, char **ret) {
        *ret = strdup(strempty(s));
        return *ret ? 0 : -ENOMEM;
}

int progress_copy(const ManagerInfo *info, ManagerInfo *ret) {
        _cleanup_(manager_info_done) ManagerInfo to = { .update_deadline = info->update_deadline };
        size_t n = info->waiting_for.n_items;

        to.waiting_for.items = calloc(n + 1, sizeof(*to.waiting_for.items));
        if (!to.waiting_for.items || copy(info->state, &to.state) < 0)
                return -ENOMEM;
        to.waiting_for.n_items = n;
        for (size_t i = 0; i < n; i++) {
                const WaitingInfo *from = &info->waiting_for.items[i];
                WaitingInfo *w = &to.waiting_for.items[i];

                if (copy(from->kind, &w->kind) < 0 || copy(from->name, &w->name) < 0 ||
                    copy(from->why, &w->why) < 0)
                        return -ENOMEM;
        }
        *ret = to;
        to = (ManagerInfo){};
        return 0;
}
