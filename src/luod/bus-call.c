/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "bus-bounds.h"
#include "bus-call.h"
#include "bus-names.h"
#include "luod-limits.h"

/* How a call finds its caller.
 *
 * All of a bus's messages pass the filter before they come to an object. The first one of a sender is held while the bus driver
 * is asked who that is (GetConnectionCredentials), and with it whatever the same sender sends meanwhile. With the answer the
 * messages are put back into the connection's queue (sd_bus_enqueue_for_read()), to be dispatched as if they had just come.
 * From then on the sender is known by its unique name, which a bus gives out once, until it leaves the bus. So methods,
 * properties and introspection alike find their caller there, and none of them ever asks.
 *
 * The order of one sender's calls is kept: as long as some of its messages are on their way through the queue a second time
 * (they are in Sender.held until they pass), later ones go the same way, behind them.
 *
 * A message on a connection without a bus may say what it likes of its sender: there it is the peer's. */

typedef struct Held {
        sd_bus_message *message;
        ListLink link; /* Sender.held */
} Held;

typedef struct Sender {
        Calls *calls;
        char *name;         /* ":1.42" */
        Caller *caller;     /* NULL: the bus driver was asked, see query */
        sd_bus_slot *query;
        uint64_t heard;     /* usec, CLOCK_BOOTTIME: of its first message */
        List held;          /* Held.link */
        unsigned n_held;
        ListLink link;        /* Calls.senders */
        ListLink bucket_link; /* Calls.buckets[…] */
} Sender;

static uint64_t now_boottime(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static List *bucket_of(Calls *c, const char *name) {
        uint32_t h = 5381;

        for (; *name; name++)
                h = h * 33 ^ (unsigned char) *name;
        return c->buckets + h % SENDER_BUCKETS;
}

static Sender *calls_find(Calls *c, const char *name) {
        Sender *s;

        LIST_FOREACH(bucket_of(c, name), Sender, bucket_link, s)
                if (streq(s->name, name))
                        return s;
        return NULL;
}

static void sender_drop(Sender *s, Held *h) {
        list_unlink(&h->link);
        s->n_held--;
        s->calls->n_held--;
        sd_bus_message_unref(h->message);
        free(h);
}

static Sender *sender_free(Sender *s) {
        Held *h;

        if (!s)
                return NULL;
        LIST_FOREACH(&s->held, Held, link, h)
                sender_drop(s, h);
        sd_bus_slot_unref(s->query);
        if (s->link.next)
                s->calls->n_senders--;
        list_unlink(&s->link);
        list_unlink(&s->bucket_link);
        caller_unref(s->caller);
        free(s->name);
        free(s);
        return NULL;
}
DEFINE_CLEANUP_FUNC(Sender, sender_free)

/* --- the bus driver's answer */

typedef struct Answer {
        CallerCredentials credentials; /* pidfd is the message's */
        bool has_uid;
        gid_t *gids;
} Answer;

static int read_credential(sd_bus_message *m, const char *key, Answer *a) {
        const uint32_t *gids;
        uint32_t u;
        size_t size;
        int r;

        if (streq(key, "UnixUserID")) {
                r = sd_bus_message_read(m, "v", "u", &u);
                if (r >= 0) {
                        a->credentials.uid = u;
                        a->has_uid = true;
                }
        } else if (streq(key, "ProcessID")) {
                r = sd_bus_message_read(m, "v", "u", &u);
                if (r >= 0)
                        a->credentials.pid = (pid_t) u;
        } else if (streq(key, "ProcessFD"))
                r = sd_bus_message_read(m, "v", "h", &a->credentials.pidfd);
        else if (streq(key, "UnixGroupIDs") && !a->gids) {
                r = sd_bus_message_enter_container(m, 'v', "au");
                if (r >= 0)
                        r = sd_bus_message_read_array(m, 'u', (const void **) &gids, &size);
                if (r >= 0 && size > 0) {
                        a->gids = malloc(size);
                        if (!a->gids)
                                return -ENOMEM;
                        memcpy(a->gids, gids, size);
                        a->credentials.gids = a->gids;
                        a->credentials.n_gids = size / sizeof(uint32_t);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        } else
                r = sd_bus_message_skip(m, "v");
        return r;
}

static int read_credentials(sd_bus_message *m, Answer *a) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r >= 0)
                        r = read_credential(m, key, a);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : a->has_uid ? 0 : -ENODATA;
}

static int sender_learn(Sender *s, sd_bus_message *m) {
        Answer a = { .credentials = { .pidfd = -EBADF, .heard = s->heard } };
        int r;

        r = sd_bus_message_is_method_error(m, NULL) ? -ENXIO : read_credentials(m, &a);
        if (r >= 0)
                r = caller_new(&a.credentials, &s->caller);
        free(a.gids);
        return r;
}

static void sender_refuse(Sender *s, Held *h, const char *name, const char *message) {
        (void) sd_bus_reply_method_errorf(h->message, name, "%s", message);
        sender_drop(s, h);
}

static int on_credentials(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Sender *s = userdata;
        Held *h;
        int r;

        s->query = sd_bus_slot_unref(s->query);
        r = sender_learn(s, m);
        LIST_FOREACH(&s->held, Held, link, h)
                if (r < 0)
                        sender_refuse(s, h, SD_BUS_ERROR_ACCESS_DENIED, "The bus does not say who you are; connect anew");
                else if (sd_bus_enqueue_for_read(s->calls->connection, h->message) < 0)
                        sender_refuse(s, h, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many calls are waiting; try again");
        if (r < 0)
                sender_free(s); /* its next call asks again */
        return 0;
}

/* --- calls */

/* Makes room for one more. -ENOBUFS: all are being asked about. */
static int calls_make_room(Calls *c) {
        Sender *s;

        if (c->n_senders < SENDERS_MAX)
                return 0;
        LIST_FOREACH(&c->senders, Sender, link, s)
                if (s->caller && s->n_held == 0) {
                        sender_free(s);
                        return 0;
                }
        return -ENOBUFS;
}

static int sender_new(Calls *c, const char *name, Sender **ret) {
        _cleanup_(sender_freep) Sender *s = NULL;
        int r;

        r = calls_make_room(c);
        if (r < 0)
                return r;
        s = malloc(sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = (Sender) { .calls = c, .heard = now_boottime(), .name = strdup(name) };
        list_init(&s->held);
        if (!s->name)
                return -ENOMEM;
        r = sd_bus_call_method_async(c->connection, &s->query, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionCredentials", on_credentials, s, "s", name);
        if (r < 0)
                return r;
        list_append(&c->senders, &s->link);
        list_append(bucket_of(c, name), &s->bucket_link);
        c->n_senders++;

        *ret = TAKE_PTR(s);
        return 0;
}

static int sender_hold(Sender *s, sd_bus_message *m) {
        Held *h;
        int r;

        if (s->n_held >= CALLS_HELD_PER_SENDER_MAX || s->calls->n_held >= CALLS_HELD_MAX)
                return -ENOBUFS;
        h = malloc(sizeof(*h));
        if (!h)
                return -ENOMEM;
        if (s->caller) {
                r = sd_bus_enqueue_for_read(s->calls->connection, m);
                if (r < 0) {
                        free(h);
                        return r;
                }
        }
        *h = (Held) { .message = sd_bus_message_ref(m) };
        list_append(&s->held, &h->link);
        s->n_held++;
        s->calls->n_held++;
        return 0;
}

/* Whether @m is the one whose turn it is. */
static bool sender_passes(Sender *s, sd_bus_message *m) {
        Held *first;

        if (!s->caller)
                return false;
        if (s->n_held == 0)
                return true;
        first = LIST_ENTRY(list_first(&s->held), Held, link);
        if (first->message != m)
                return false;
        sender_drop(s, first); /* the connection has a reference of its own */
        return true;
}

/* 1: @m was taken care of; 0: it goes on to the objects. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *name = sd_bus_message_get_sender(m);
        Calls *c = userdata;
        uint8_t type;
        Sender *s;
        int r;

        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        r = bus_check_bounds(m, reterr_error);
        if (r != 0)
                return r;
        if (c->peer || !name)
                return 0;
        s = calls_find(c, name);
        if (!s)
                r = sender_new(c, name, &s);
        if (r >= 0 && sender_passes(s, m)) {
                list_unlink(&s->link);
                list_append(&c->senders, &s->link);
                return 0;
        }
        if (r >= 0)
                r = sender_hold(s, m);
        if (r == -ENOBUFS)
                return sd_bus_error_set(reterr_error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many calls are waiting; try again");
        return r < 0 ? r : 1;
}

static int on_gone(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *name;

        if (sd_bus_message_read(m, "s", &name) >= 0)
                sender_free(calls_find(userdata, name));
        return 0;
}

/* Without it those who left are forgotten when there are too many of them. */
static int on_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        return 0;
}

int calls_get_caller(Calls *c, sd_bus_message *m, Caller **ret) {
        const char *name = sd_bus_message_get_sender(m);
        Sender *s;

        if (c->peer) {
                *ret = c->peer;
                return 0;
        }
        s = name ? calls_find(c, name) : NULL;
        if (!s || !s->caller)
                return -EACCES;
        *ret = s->caller;
        return 0;
}

int calls_init(Calls *c, sd_bus *connection) {
        int r;

        *c = (Calls) { .connection = sd_bus_ref(connection) };
        list_init(&c->senders);
        for (size_t i = 0; i < SENDER_BUCKETS; i++)
                list_init(c->buckets + i);

        r = sd_bus_is_bus_client(connection);
        if (r > 0)
                r = sd_bus_add_match_async(connection, &c->gone_slot,
                                           "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                           "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                                           on_gone, on_match_installed, c);
        else if (r == 0) {
                r = sd_bus_get_fd(connection);
                if (r >= 0)
                        r = caller_new_from_socket(r, &c->peer);
        }
        if (r >= 0)
                r = sd_bus_add_filter(connection, &c->filter_slot, on_message, c);
        if (r < 0)
                calls_done(c);
        return r < 0 ? r : 0;
}

void calls_done(Calls *c) {
        Sender *s;

        if (!c->connection)
                return;
        LIST_FOREACH(&c->senders, Sender, link, s)
                sender_free(s);
        sd_bus_slot_unref(c->filter_slot);
        sd_bus_slot_unref(c->gone_slot);
        caller_unref(c->peer);
        sd_bus_unref(c->connection);
        *c = (Calls) {};
}
