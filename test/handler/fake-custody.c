/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/stat.h>

#include "fake-custody.h"
#include "fake-kernel.h"
#include "fd-util.h"
#include "parts.h"

typedef struct Order {
        int fd; /* -EBADF: a removal */
        char fdname[CUSTODY_FDNAME_SIZE];
        custody_done_fn done;
        void *userdata;
        ListLink link; /* FakeCustody.orders */
} Order;

typedef struct FakeCustody {
        Custody custody;
        FakeStore *store;
        List orders; /* Order.link */
        sd_event_source *defer;
} FakeCustody;

/* --- the store */

void fake_store_init(FakeStore *store) {
        *store = (FakeStore) { .capacity = PARTS_MAX, .state = CUSTODY_FDSTORE };
        list_init(&store->stored);
}

static void stored_free(FakeStore *store, FakeStored *s) {
        list_unlink(&s->link);
        safe_close(s->fd);
        free(s);
        store->n_stored--;
}

void fake_store_done(FakeStore *store) {
        FakeStored *s;

        LIST_FOREACH(&store->stored, FakeStored, link, s)
                stored_free(store, s);
}

FakeStored *fake_store_find(FakeStore *store, const char *fdname) {
        FakeStored *s;

        LIST_FOREACH(&store->stored, FakeStored, link, s)
                if (streq(s->fdname, fdname))
                        return s;
        return NULL;
}

void fake_store_add(FakeStore *store, int fd, const char *fdname) {
        struct stat a, b;
        FakeStored *s;

        if (fstat(fd, &a) < 0)
                abort();
        LIST_FOREACH(&store->stored, FakeStored, link, s)
                if (fstat(s->fd, &b) >= 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
                        return;

        s = calloc(1, sizeof(*s));
        if (!s)
                abort();
        s->fd = fake_fd_keep(fd);
        (void) snprintf(s->fdname, sizeof(s->fdname), "%s", fdname);
        list_append(&store->stored, &s->link);
        store->n_stored++;
}

void fake_store_remove(FakeStore *store, const char *fdname) {
        char name[64];
        FakeStored *s;

        (void) snprintf(name, sizeof(name), "%s", fdname); /* it may be that of the one that goes */
        LIST_FOREACH(&store->stored, FakeStored, link, s)
                if (streq(s->fdname, name))
                        stored_free(store, s);
}

void fake_store_kexec(FakeStore *store, FakeKernel *kernel) {
        int **fds = calloc(store->n_stored + 1, sizeof(int *));
        FakeStored *s;
        size_t n = 0;

        if (!fds)
                abort();
        LIST_FOREACH(&store->stored, FakeStored, link, s)
                fds[n++] = &s->fd;
        fake_kernel_kexec(kernel, fds, n);
        free(fds);
        LIST_FOREACH(&store->stored, FakeStored, link, s)
                if (s->fd < 0)
                        stored_free(store, s);
}

void fake_store_show(FakeStore *store, Manager *manager) {
        char **names = calloc(store->n_stored + 1, sizeof(char *));
        FakeStored *s;
        size_t n = 0;

        if (!names)
                abort();
        LIST_FOREACH(&store->stored, FakeStored, link, s)
                names[n++] = s->fdname;
        parts_listed(manager, names);
        free(names);
}

/* --- luod's end */

static void order_free(Order *o) {
        list_unlink(&o->link);
        safe_close(o->fd);
        free(o);
}

static int order_carry_out(FakeStore *store, Order *o) {
        if (o->fd < 0) {
                store->n_removed++;
                if (store->remove_error == 0)
                        fake_store_remove(store, o->fdname);
                return store->remove_error;
        }

        store->n_pushed++;
        if (store->push_error < 0)
                return store->push_error;
        fake_store_add(store, o->fd, o->fdname);
        if (store->push_unheard < 0)
                return store->push_unheard;
        return fake_store_find(store, o->fdname) ? 0 : -ENOSPC;
}

static int on_defer(sd_event_source *source, void *userdata) {
        FakeCustody *c = userdata;
        List heard;
        ListLink *l;

        if (c->store->silent)
                return 0;

        list_init(&heard);
        while ((l = list_first(&c->orders))) {
                list_unlink(l);
                list_append(&heard, l);
        }
        while ((l = list_first(&heard))) {
                Order *o = LIST_ENTRY(l, Order, link);
                int r = order_carry_out(c->store, o);
                custody_done_fn done = o->done;
                void *data = o->userdata;

                order_free(o);
                if (done)
                        done(r, data);
        }
        return 0;
}

void fake_custody_wake(Custody *custody) {
        (void) sd_event_source_set_enabled(((FakeCustody *) custody)->defer, SD_EVENT_ONESHOT);
}

static int fake_order(Custody *custody, int fd, const char *fdname, custody_done_fn done, void *userdata) {
        FakeCustody *c = (FakeCustody *) custody;
        Order *o = malloc(sizeof(*o));

        if (!o)
                return -ENOMEM;
        *o = (Order) { .fd = fd < 0 ? -EBADF : fake_fd_keep(fd), .done = done, .userdata = userdata };
        (void) snprintf(o->fdname, sizeof(o->fdname), "%s", fdname);
        list_append(&c->orders, &o->link);
        fake_custody_wake(custody);
        return 0;
}

static int fake_remove(Custody *custody, const char *fdname, custody_done_fn done, void *userdata) {
        return fake_order(custody, -EBADF, fdname, done, userdata);
}

static CustodyState fake_get_state(Custody *custody) {
        return ((FakeCustody *) custody)->store->state;
}

static unsigned fake_get_capacity(Custody *custody) {
        return ((FakeCustody *) custody)->store->capacity;
}

static Custody *fake_free(Custody *custody) {
        FakeCustody *c = (FakeCustody *) custody;
        Order *o;

        LIST_FOREACH(&c->orders, Order, link, o)
                order_free(o);
        sd_event_source_disable_unref(c->defer);
        free(c);
        return NULL;
}

Custody *fake_custody_new(FakeStore *store, sd_event *event) {
        static const CustodyOps ops = {
                .push = fake_order,
                .remove = fake_remove,
                .get_state = fake_get_state,
                .get_capacity = fake_get_capacity,
                .free = fake_free,
        };
        FakeCustody *c = calloc(1, sizeof(*c));

        if (!c)
                abort();
        *c = (FakeCustody) { .custody.ops = &ops, .store = store };
        list_init(&c->orders);
        if (sd_event_add_defer(event, &c->defer, on_defer, c) < 0 ||
            sd_event_source_set_enabled(c->defer, SD_EVENT_OFF) < 0)
                abort();
        return &c->custody;
}
