/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "identity.h"
#include "list.h"

/* Who keeps which object: identity to (session, token). The place that makes sure that one object has one keeper.
 *
 * An object is entered before the kernel is asked to keep it, so that of two calls one is refused, and leaves when the
 * kernel has let go of it: with the last close of an outgoing kernel session, with FINISH of an incoming one, where
 * objects are entered when they are retrieved.
 *
 * Pure data. Looking up takes O(log n), but among open files on a kernel that can't order them (identity.h). */

typedef struct RegistryEntry {
        Identity identity;
        uint64_t sid;   /* who keeps it */
        uint64_t token; /* the client's */
        ListLink link;  /* Registry.unordered */
} RegistryEntry;

typedef struct Registry {
        void *tree;     /* of ordered entries: tsearch(3) */
        List unordered; /* RegistryEntry.link */
        size_t n;
        int *closing;   /* fds of entries that were removed, n_closing of them: registry_take_closing() */
        size_t n_closing;
} Registry;

void registry_init(Registry *registry);
/* Frees all entries that are left. */
void registry_done(Registry *registry);
/* Moves all of @from, which is empty then, to @to, which need not be initialized. */
void registry_move(Registry *to, Registry *from);

/* NULL: nobody keeps it. */
RegistryEntry *registry_find(const Registry *registry, const Identity *identity);
/* Enters an object; takes over what @identity owns. Returns 0, -EEXIST with *ret the entry that is there, or -ENOMEM;
 * on failure @identity is still the caller's. @identity must not be IDENTITY_NONE. */
int registry_add(Registry *registry, Identity *identity, uint64_t sid, uint64_t token, RegistryEntry **ret);
/* Takes an entry out and frees it. NULL is nothing. Returns NULL. */
RegistryEntry *registry_remove(Registry *registry, RegistryEntry *entry);
/* The fds by which removed entries told their open files. Each may be the last one of its file, whose driver may take its
 * time to close it: whoever takes them has them closed where nobody waits. The caller frees *ret. */
size_t registry_take_closing(Registry *registry, int **ret);
