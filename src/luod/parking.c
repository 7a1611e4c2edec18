/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fd-util.h"
#include "parking.h"
#include "parts.h"

void parked_name_format(uint64_t sid, uint64_t token, char ret[static PARKED_NAME_SIZE]) {
        (void) snprintf(ret, PARKED_NAME_SIZE, "p%llx.%llx", (unsigned long long) sid, (unsigned long long) token);
}

static bool is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool parked_name_parse(const char *name, uint64_t *ret_sid, uint64_t *ret_token) {
        char *end;

        if (name[0] != 'p' || !is_hex(name[1]))
                return false;
        *ret_sid = strtoull(name + 1, &end, 16);
        if (end[0] != '.' || !is_hex(end[1]))
                return false;
        *ret_token = strtoull(end + 1, &end, 16);
        return *end == '\0';
}

Parked *parking_find(Manager *m, uint64_t sid, uint64_t token) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p)
                if (p->sid == sid && p->token == token)
                        return p;
        return NULL;
}

int parking_add(Manager *m, uint64_t sid, uint64_t token, int *fd, bool in_custody, Parked **ret) {
        Parked *p;

        if (parking_find(m, sid, token))
                return -EEXIST;
        p = malloc(sizeof(*p));
        if (!p)
                return -ENOMEM;
        *p = (Parked) { .sid = sid, .token = token, .fd = TAKE_FD(*fd), .in_custody = in_custody, .was_stored = in_custody };
        list_append(&m->parked, &p->link);
        if (ret)
                *ret = p;
        return 0;
}

Parked *parked_free(Parked *p) {
        list_unlink(&p->link);
        safe_close(p->fd);
        free(p);
        return NULL;
}

void parking_free_of(Manager *m, uint64_t sid) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p)
                if (p->sid == sid)
                        parked_free(p);
}

size_t parking_count(Manager *m) {
        size_t n = 0;
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p)
                n += p->fd >= 0;
        return n;
}

void parked_note_stored(Parked *p) {
        p->in_custody = p->was_stored = true;
}

static bool is_missing(const Parked *p) {
        return p->fd >= 0 && p->was_stored && !p->in_custody && !p->leaving;
}

bool parking_is_missing_in_custody(Manager *m) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p)
                if (is_missing(p))
                        return true;
        return false;
}

/* What a push needs to remember: the file may have left when it is through. */
typedef struct ParkedPush {
        Manager *manager;
        uint64_t sid, token;
} ParkedPush;

static void on_pushed(int error, void *userdata) {
        _cleanup_free_ ParkedPush *push = userdata;
        Manager *m = push->manager;
        Parked *p = parking_find(m, push->sid, push->token);

        if (p) {
                p->pushing = false;
                if (error >= 0)
                        parked_note_stored(p);
        }
        if (error < 0)
                parts_upkeep_later(m);
        manager_emit(m, "Custody");
}

void parking_push_missing(Manager *m) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p) {
                char name[PARKED_NAME_SIZE];
                ParkedPush *push;

                if (!is_missing(p) || p->pushing)
                        continue;
                parked_name_format(p->sid, p->token, name);
                push = malloc(sizeof(*push));
                if (push)
                        *push = (ParkedPush) { .manager = m, .sid = p->sid, .token = p->token };
                p->pushing = push && custody_push(m->custody, p->fd, name, on_pushed, push) >= 0;
                if (!p->pushing) {
                        free(push);
                        parts_upkeep_later(m);
                }
        }
}

void parking_listed(Manager *m, char **fdnames) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p) {
                char name[PARKED_NAME_SIZE];

                parked_name_format(p->sid, p->token, name);
                p->in_custody = false;
                for (size_t i = 0; fdnames[i] && !p->in_custody; i++)
                        p->in_custody = streq(fdnames[i], name);
        }
}

void parking_free_all(Manager *m) {
        Parked *p;

        LIST_FOREACH(&m->parked, Parked, link, p)
                parked_free(p);
}
