/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <search.h>

#include "fd-util.h"
#include "registry.h"

static int compare_entries(const void *a, const void *b) {
        return identity_compare(&((const RegistryEntry *) a)->identity, &((const RegistryEntry *) b)->identity);
}

static RegistryEntry *entry_free(RegistryEntry *e) {
        identity_done(&e->identity);
        free(e);
        return NULL;
}

static void tree_entry_free(void *e) {
        entry_free(e);
}

void registry_init(Registry *r) {
        *r = (Registry) {};
        list_init(&r->unordered);
}

void registry_done(Registry *r) {
        RegistryEntry *e;

        tdestroy(r->tree, tree_entry_free);
        LIST_FOREACH(&r->unordered, RegistryEntry, link, e) {
                list_unlink(&e->link);
                entry_free(e);
        }
        for (size_t i = 0; i < r->n_closing; i++)
                safe_close(r->closing[i]);
        free(r->closing);
        registry_init(r);
}

void registry_move(Registry *to, Registry *from) {
        ListLink *l;

        *to = *from;
        list_init(&to->unordered);
        while ((l = list_first(&from->unordered))) {
                list_unlink(l);
                list_append(&to->unordered, l);
        }
        registry_init(from);
}

static RegistryEntry *find_ordered(const Registry *r, const Identity *identity) {
        RegistryEntry key = { .identity = *identity };
        void *node = tfind(&key, &r->tree, compare_entries);

        return node ? *(RegistryEntry **) node : NULL;
}

static RegistryEntry *find_unordered(const Registry *r, const Identity *identity) {
        RegistryEntry *e;

        LIST_FOREACH((List *) &r->unordered, RegistryEntry, link, e)
                if (identity_equal(&e->identity, identity))
                        return e;
        return NULL;
}

RegistryEntry *registry_find(const Registry *r, const Identity *identity) {
        return identity_is_ordered(identity) ? find_ordered(r, identity) : find_unordered(r, identity);
}

int registry_add(Registry *r, Identity *identity, uint64_t sid, uint64_t token, RegistryEntry **ret) {
        RegistryEntry *e;

        assert(identity->type != IDENTITY_NONE);

        e = registry_find(r, identity);
        if (e) {
                *ret = e;
                return -EEXIST;
        }

        e = malloc(sizeof(*e));
        if (!e)
                return -ENOMEM;
        *e = (RegistryEntry) { .identity = *identity, .sid = sid, .token = token };
        if (!identity_is_ordered(identity))
                list_append(&r->unordered, &e->link);
        else if (!tsearch(e, &r->tree, compare_entries)) {
                free(e);
                return -ENOMEM;
        }
        *identity = (Identity) IDENTITY_NULL;
        r->n++;
        *ret = e;
        return 0;
}

static void close_later(Registry *r, int *fd) {
        int *larger = realloc(r->closing, (r->n_closing + 1) * sizeof(int));

        if (!larger) /* then here and now */
                return;
        r->closing = larger;
        r->closing[r->n_closing++] = TAKE_FD(*fd);
}

size_t registry_take_closing(Registry *r, int **ret) {
        size_t n = r->n_closing;

        r->n_closing = 0;
        *ret = TAKE_PTR(r->closing);
        return n;
}

RegistryEntry *registry_remove(Registry *r, RegistryEntry *e) {
        if (!e)
                return NULL;

        if (e->link.next)
                list_unlink(&e->link);
        else
                (void) tdelete(e, &r->tree, compare_entries);
        r->n--;
        if (e->identity.fd >= 0)
                close_later(r, &e->identity.fd);
        return entry_free(e);
}
