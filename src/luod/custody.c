/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

#include "custody.h"
#include "luod-limits.h"

/* How it works: pushes and removals are collected and handed to a child in batches, which sends the messages to
 * PID 1's notify socket (a full socket may block it, not us) and waits for PID 1 to have read them (barrier).
 * Then the unit's list is asked for over the bus, and each push that is not on it, each removal that still is,
 * has failed. One batch is under way at a time, so that orders reach PID 1 in sequence. */

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"
#define DBUS_PROPERTIES "org.freedesktop.DBus.Properties"

#define BARRIER_TIMEOUT_USEC (120ULL * 1000 * 1000)
/* systemd 261 is the first that takes fd stores over kexec. */
#define SYSTEMD_VERSION_KEXEC 261U
#define STORE_RESERVE 8U
#define RETRY_USEC (1000ULL * 1000)

typedef struct Order {
        int fd;                  /* a copy of its own; -EBADF: a removal */
        char fdname[CUSTODY_FDNAME_SIZE];
        custody_done_fn done;
        void *userdata;
        bool listed;             /* found on PID 1's list */
        ListLink link;           /* SystemdCustody.waiting or .under_way */
} Order;

typedef struct SystemdCustody {
        Custody custody;
        sd_event *event;
        sd_bus *bus;
        Workers *workers;
        custody_listed_fn listed;
        void *userdata;

        char *unit, *unit_path;
        unsigned version;        /* of systemd; 0: not known */
        bool preserve;           /* FileDescriptorStorePreserve=yes */
        unsigned capacity;       /* from FileDescriptorStoreMax= and other limits */
        bool degraded, reachable;

        List waiting, under_way; /* Order.link */
        bool busy;
        bool list_wanted;        /* read the list when not busy, also without an order */
        bool waiting_to_retry;   /* ... but only when the timer says so: it failed just now */
        sd_event_source *retry;
        sd_bus_slot *reloading_slot, *call_slot, *store_max_slot, *preserve_slot;
        sd_event_source *defer;
} SystemdCustody;

static void custody_kick(SystemdCustody *c);

static Order *order_free(Order *o) {
        if (!o)
                return NULL;
        list_unlink(&o->link);
        safe_close(o->fd);
        free(o);
        return NULL;
}

static void order_complete(Order *o, int error) {
        custody_done_fn done = o->done;
        void *userdata = o->userdata;

        order_free(o);
        if (done)
                done(error, userdata);
}

static void send_orders(void *arg, WorkerReply *reply) {
        SystemdCustody *c = arg;
        Order *o;

        LIST_FOREACH(&c->under_way, Order, link, o) {
                char state[32 + CUSTODY_FDNAME_SIZE];
                int r;

                if (o->fd >= 0) {
                        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", o->fdname);
                        r = sd_pid_notify_with_fds(0, /* unset_environment= */ 0, state, &o->fd, 1);
                } else {
                        (void) snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", o->fdname);
                        r = sd_notify(/* unset_environment= */ 0, state);
                }
                if (r <= 0) {
                        reply->error = r < 0 ? r : -ENOTCONN;
                        return;
                }
        }

        reply->error = sd_notify_barrier(/* unset_environment= */ 0, BARRIER_TIMEOUT_USEC);
        if (reply->error >= 0)
                reply->error = 0;
}

static void batch_complete(SystemdCustody *c, int error) {
        Order *o;

        c->busy = false;
        c->reachable = error == 0;
        LIST_FOREACH(&c->under_way, Order, link, o) {
                bool push = o->fd >= 0;

                if (error < 0)
                        order_complete(o, error);
                else if (push != o->listed)
                        order_complete(o, push ? -ENOSPC : -EBUSY);
                else
                        order_complete(o, 0);
        }

        custody_kick(c);
}

static void mark_listed(SystemdCustody *c, const char *fdname) {
        Order *o;

        LIST_FOREACH(&c->under_way, Order, link, o)
                if (streq(o->fdname, fdname))
                        o->listed = true;
}

/* One entry of the list: name, mode, device, inode, rdev, path, flags. */
static int read_entry(sd_bus_message *m, const char **ret_name) {
        int r;

        r = sd_bus_message_enter_container(m, 'r', "suuutuusu");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "s", ret_name);
        if (r >= 0)
                r = sd_bus_message_skip(m, "uuutuusu");
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static char **strv_free(char **l) {
        for (size_t i = 0; l && l[i]; i++)
                free(l[i]);
        free(l);
        return NULL;
}

static int read_list(SystemdCustody *c, sd_bus_message *m, char ***ret) {
        char **names = calloc(1, sizeof(char *)), **larger;
        size_t n = 0;
        const char *name;
        int r;

        if (!names)
                return -ENOMEM;

        r = sd_bus_message_enter_container(m, 'a', "(suuutuusu)");
        while (r >= 0 && (r = read_entry(m, &name)) > 0) {
                mark_listed(c, name);
                larger = realloc(names, (n + 2) * sizeof(char *));
                if (larger)
                        names = larger;
                names[n] = larger ? strdup(name) : NULL;
                if (!names[n]) {
                        r = -ENOMEM;
                        break;
                }
                names[++n] = NULL;
        }
        if (r < 0) {
                strv_free(names);
                return r;
        }

        *ret = names;
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        ((SystemdCustody *) userdata)->waiting_to_retry = false;
        custody_kick(userdata);
        return 0;
}

/* A list that was wanted can't be had: says so, so that a start goes on, and asks again in a while. */
static void custody_unreachable(SystemdCustody *c) {
        c->reachable = false;
        if (!c->list_wanted || !list_is_empty(&c->under_way))
                return;

        c->waiting_to_retry = true;
        if (c->retry)
                (void) sd_event_source_set_time_relative(c->retry, RETRY_USEC);
        else
                (void) sd_event_add_time_relative(c->event, &c->retry, CLOCK_MONOTONIC, RETRY_USEC, /* accuracy= */ 0,
                                                  on_retry, c);
        (void) sd_event_source_set_enabled(c->retry, SD_EVENT_ONESHOT);
        c->listed(NULL, c->userdata);
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdCustody *c = userdata;
        char **names = NULL;
        int r;

        c->call_slot = sd_bus_slot_unref(c->call_slot);
        r = sd_bus_message_is_method_error(m, NULL) ? -sd_bus_message_get_errno(m) : read_list(c, m, &names);
        if (r >= 0 && c->list_wanted && list_is_empty(&c->under_way)) {
                c->list_wanted = false;
                c->degraded = false;
                c->reachable = true;
                c->listed(names, c->userdata);
        }
        strv_free(names);
        if (r < 0)
                custody_unreachable(c);
        batch_complete(c, r < 0 ? r : 0);
        return 0;
}

static int request_list(SystemdCustody *c) {
        return sd_bus_call_method_async(c->bus, &c->call_slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                        "DumpUnitFileDescriptorStore", on_list, c, "s", c->unit);
}

static void on_sent(WorkerReply *reply, void *userdata) {
        SystemdCustody *c = userdata;
        int r = reply->error < 0 ? reply->error : request_list(c);

        if (r < 0)
                batch_complete(c, r);
}

static int start_batch(SystemdCustody *c) {
        int fds[FD_TRANSFER_MAX];
        size_t n = 0;
        ListLink *l;

        /* The fds that the child must keep open bound the batch. */
        while (n < FD_TRANSFER_MAX && (l = list_first(&c->waiting))) {
                Order *o = LIST_ENTRY(l, Order, link);

                list_unlink(l);
                list_append(&c->under_way, l);
                if (o->fd >= 0)
                        fds[n++] = o->fd;
        }

        return worker_run(c->workers, send_orders, c, fds, n, WORKER_OUTLIVES, on_sent, c);
}

static int on_defer(sd_event_source *source, void *userdata) {
        SystemdCustody *c = userdata;
        int r;

        if (c->busy)
                return 0;

        c->busy = true;
        if (!list_is_empty(&c->waiting))
                r = start_batch(c);
        else if (c->list_wanted && !c->waiting_to_retry)
                r = request_list(c);
        else {
                c->busy = false;
                return 0;
        }
        if (r < 0) {
                custody_unreachable(c);
                batch_complete(c, r);
        }
        return 0;
}

/* Goes on at the next turn of the event loop, so that orders of one turn go out together. */
static void custody_kick(SystemdCustody *c) {
        if (!c->busy && (!list_is_empty(&c->waiting) || (c->list_wanted && !c->waiting_to_retry)))
                (void) sd_event_source_set_enabled(c->defer, SD_EVENT_ONESHOT);
}

static int systemd_order(Custody *custody, int fd, const char *fdname, custody_done_fn done, void *userdata) {
        SystemdCustody *c = (SystemdCustody *) custody;
        Order *o = malloc(sizeof(*o));

        if (!o)
                return -ENOMEM;
        *o = (Order) { .fd = -EBADF, .done = done, .userdata = userdata };
        (void) snprintf(o->fdname, sizeof(o->fdname), "%s", fdname);
        if (fd >= 0) {
                o->fd = fd_dup(fd);
                if (o->fd < 0) {
                        int r = o->fd;

                        order_free(o);
                        return r;
                }
        }

        list_append(&c->waiting, &o->link);
        custody_kick(c);
        return 0;
}

static int systemd_remove(Custody *custody, const char *fdname, custody_done_fn done, void *userdata) {
        return systemd_order(custody, -EBADF, fdname, done, userdata);
}

static CustodyState systemd_get_state(Custody *custody) {
        SystemdCustody *c = (SystemdCustody *) custody;

        if (!c->reachable)
                return CUSTODY_NONE;
        if (!c->preserve || c->version < SYSTEMD_VERSION_KEXEC)
                return CUSTODY_FDSTORE_NO_KEXEC;
        return c->degraded ? CUSTODY_DEGRADED : CUSTODY_FDSTORE;
}

/* init.scope's limit of processes: PID 1 forks once for each stored fd that it closes, and 3000 at once in
 * daemon-reexec froze it for good. */
static unsigned read_pids_max(void) {
        _cleanup_free_ char *text = NULL;
        unsigned long n;

        if (read_small_file("/sys/fs/cgroup/init.scope/pids.max", &text) < 0)
                return 2 * PARTS_MAX;
        n = strtoul(text, NULL, 10); /* or "max" */
        return n == 0 ? 2 * PARTS_MAX : (unsigned) MIN(n, 1000000UL);
}

static unsigned systemd_get_capacity(Custody *custody) {
        return ((SystemdCustody *) custody)->capacity;
}

static Custody *systemd_free(Custody *custody) {
        SystemdCustody *c = (SystemdCustody *) custody;
        Order *o;

        if (!c)
                return NULL;
        LIST_FOREACH(&c->waiting, Order, link, o)
                order_free(o);
        LIST_FOREACH(&c->under_way, Order, link, o)
                order_free(o);
        sd_bus_slot_unref(c->reloading_slot);
        sd_bus_slot_unref(c->call_slot);
        sd_bus_slot_unref(c->store_max_slot);
        sd_bus_slot_unref(c->preserve_slot);
        sd_event_source_disable_unref(c->defer);
        sd_event_source_disable_unref(c->retry);
        sd_bus_unref(c->bus);
        free(c->unit);
        free(c->unit_path);
        free(c);
        return NULL;
}

static const CustodyOps systemd_ops = {
        .push = systemd_order,
        .remove = systemd_remove,
        .get_state = systemd_get_state,
        .get_capacity = systemd_get_capacity,
        .free = systemd_free,
};

static void set_capacity(SystemdCustody *c, uint32_t store_max) {
        c->capacity = MIN(MIN(store_max, PARTS_MAX + STORE_RESERVE) - MIN(store_max, STORE_RESERVE),
                          read_pids_max() / 2);
}

static int on_store_max(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        uint32_t store_max;

        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "v", "u", &store_max) >= 0)
                set_capacity(userdata, store_max);
        return 0;
}

static int on_preserve(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *preserve;

        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "v", "s", &preserve) >= 0)
                ((SystemdCustody *) userdata)->preserve = streq(preserve, "yes");
        return 0;
}

static void request_property(SystemdCustody *c, sd_bus_slot **slot, const char *name, sd_bus_message_handler_t done) {
        *slot = sd_bus_slot_unref(*slot);
        (void) sd_bus_call_method_async(c->bus, slot, SYSTEMD_NAME, c->unit_path, DBUS_PROPERTIES, "Get", done, c, "ss",
                                        SYSTEMD_SERVICE, name);
}

static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdCustody *c = userdata;
        int active;

        if (sd_bus_message_read(m, "b", &active) < 0)
                return 0;

        /* A reload may drop stored fds: a lower FileDescriptorStoreMax=, a unit that is masked or bad. */
        c->degraded = true;
        if (!active) {
                request_property(c, &c->store_max_slot, "FileDescriptorStoreMax", on_store_max);
                request_property(c, &c->preserve_slot, "FileDescriptorStorePreserve", on_preserve);
                c->list_wanted = true;
                custody_kick(c);
        }
        return 0;
}

static int read_unit(SystemdCustody *c) {
        _cleanup_free_ char *preserve = NULL, *version = NULL;
        uint32_t store_max = 0;
        int r;

        r = sd_bus_get_property_string(c->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Version", NULL, &version);
        if (r < 0)
                return r;
        c->version = (unsigned) strtoul(version, NULL, 10); /* "262.1-1" */

        r = sd_bus_get_property_trivial(c->bus, SYSTEMD_NAME, c->unit_path, SYSTEMD_SERVICE,
                                        "FileDescriptorStoreMax", NULL, 'u', &store_max);
        if (r < 0)
                return r;

        set_capacity(c, store_max);

        /* since 254; without it a store does not even outlive a stop */
        r = sd_bus_get_property_string(c->bus, SYSTEMD_NAME, c->unit_path, SYSTEMD_SERVICE,
                                       "FileDescriptorStorePreserve", NULL, &preserve);
        c->preserve = r >= 0 && streq(preserve, "yes");
        return 0;
}

static int custody_connect(SystemdCustody *c) {
        int r;

        r = sd_pid_get_unit(0, &c->unit);
        if (r < 0)
                return r;
        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", c->unit, &c->unit_path);
        if (r < 0)
                return r;
        r = read_unit(c);
        if (r < 0)
                return r;

        r = sd_bus_match_signal_async(c->bus, &c->reloading_slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                      "Reloading", on_reloading, NULL, c);
        if (r < 0)
                return r;
        /* PID 1 sends its signals only to those who asked. */
        r = sd_bus_call_method(c->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
        if (r < 0)
                return r;

        c->degraded = c->list_wanted = true;
        custody_kick(c);
        return 0;
}

int custody_new_systemd(sd_event *event,
                        sd_bus *bus,
                        Workers *workers,
                        custody_listed_fn listed,
                        void *userdata,
                        Custody **ret) {
        SystemdCustody *c = malloc(sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        *c = (SystemdCustody) {
                .custody.ops = &systemd_ops,
                .event = event,
                .bus = sd_bus_ref(bus),
                .workers = workers,
                .listed = listed,
                .userdata = userdata,
        };
        list_init(&c->waiting);
        list_init(&c->under_way);

        r = sd_event_add_defer(event, &c->defer, on_defer, c);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->defer, SD_EVENT_OFF);
        if (r >= 0)
                r = custody_connect(c);
        if (r < 0) {
                systemd_free(&c->custody);
                return r;
        }

        *ret = &c->custody;
        return 0;
}

int custody_push(Custody *custody, int fd, const char *fdname, custody_done_fn done, void *userdata) {
        return custody ? custody->ops->push(custody, fd, fdname, done, userdata) : -ENOTCONN;
}

int custody_remove(Custody *custody, const char *fdname, custody_done_fn done, void *userdata) {
        return custody ? custody->ops->remove(custody, fdname, done, userdata) : -ENOTCONN;
}

CustodyState custody_get_state(Custody *custody) {
        return custody ? custody->ops->get_state(custody) : CUSTODY_NONE;
}

unsigned custody_get_capacity(Custody *custody) {
        return custody ? custody->ops->get_capacity(custody) : PARTS_MAX;
}

Custody *custody_free(Custody *custody) {
        return custody ? custody->ops->free(custody) : NULL;
}

const char *custody_state_to_string(CustodyState state) {
        static const char *const names[_CUSTODY_STATE_MAX] = {
                [CUSTODY_NONE] = "none",
                [CUSTODY_FDSTORE] = "fdstore",
                [CUSTODY_FDSTORE_NO_KEXEC] = "fdstore-no-kexec",
                [CUSTODY_DEGRADED] = "degraded",
        };

        return state >= 0 && state < _CUSTODY_STATE_MAX ? names[state] : NULL;
}
