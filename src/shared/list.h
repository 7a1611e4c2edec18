/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "macro.h"

/* A doubly linked list that lives in its members. A field says whose list it is in: `ListLink link; // Foo.bars` */

typedef struct ListLink ListLink;
struct ListLink {
        ListLink *prev, *next; /* NULL, NULL: not in a list */
};

typedef struct List {
        ListLink head; /* of a ring; head.next is the first */
} List;

static inline void list_init(List *list) {
        list->head.prev = list->head.next = &list->head;
}

static inline bool list_is_empty(const List *list) {
        return list->head.next == &list->head;
}

static inline void list_append(List *list, ListLink *link) {
        link->prev = list->head.prev;
        link->next = &list->head;
        link->prev->next = link;
        list->head.prev = link;
}

/* Behind @before, which may be a list's head. */
static inline void list_insert_after(ListLink *before, ListLink *link) {
        link->prev = before;
        link->next = before->next;
        link->next->prev = link;
        before->next = link;
}

/* Harmless for one that is in no list. */
static inline void list_unlink(ListLink *link) {
        if (!link->next)
                return;
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->prev = link->next = NULL;
}

static inline ListLink *list_first(const List *list) {
        return list_is_empty(list) ? NULL : list->head.next;
}

#define LIST_ENTRY(link_ptr, type, member) container_of(link_ptr, type, member)

/* Walks the list; the current entry may be unlinked and freed. */
#define LIST_FOREACH(list, type, member, i)                                                          \
        for (ListLink *_link_##i = (list)->head.next, *_next_##i = _link_##i->next;                  \
             _link_##i != &(list)->head && ((i) = LIST_ENTRY(_link_##i, type, member), true);        \
             _link_##i = _next_##i, _next_##i = _link_##i->next)
