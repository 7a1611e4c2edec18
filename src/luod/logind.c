/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "fd-util.h"
#include "logind.h"

/* org.freedesktop.login1(5), org.freedesktop.systemd1(5), systemd.inhibitor locks. A lock that was released is seen by logind a
 * moment later, when its end of the FIFO hangs up, and a message may overtake that: so before a kexec is asked for, its list is
 * read until luod's own block lock is not on it. */

#define LOGIN_NAME "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"
#define LOGIN_MANAGER "org.freedesktop.login1.Manager"
#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

/* SD_LOGIND_KEXEC_REBOOT of RebootWithFlags(), since systemd 252. */
#define REBOOT_KEXEC (UINT64_C(1) << 1)
/* The first that says what kind of shutdown it is (PrepareForShutdownWithMetadata), beside the plain signal. */
#define SYSTEMD_VERSION_METADATA 255U
#define LOOK_TIMEOUT_USEC (2ULL * 1000 * 1000)
#define ASK_TIMEOUT_USEC (10ULL * 1000 * 1000)
/* So long the list is read again and again; then logind may say itself what is in the way. */
#define LISTED_MAX_USEC (1000ULL * 1000)

typedef struct HeldLock {
        int fd;            /* -EBADF: not held */
        char *why;         /* what is wanted; NULL: no lock */
        sd_bus_slot *call; /* it is being asked for */
} HeldLock;

typedef struct SystemdLogind {
        Logind logind;
        sd_event *event;
        sd_bus *bus;
        LogindEvents events;
        unsigned version;   /* of systemd; 0: not known */
        uint64_t delay_max;
        bool shutting_down;
        ShutdownKind kind;  /* of that */
        bool may_be_listed; /* the block lock was released, and logind may not have seen it yet */
        HeldLock locks[_LOGIND_LOCK_MAX];
        sd_bus_slot *metadata_slot, *prepare_slot, *job_slot, *removed_slot, *owner_slot;

        sd_bus_slot *delay_call, *look_call; /* what an other logind is asked, or one that does not answer */
        bool prepares;      /* what logind has said to that */

        /* A kexec that is being asked for. */
        sd_bus_slot *kexec_call;
        logind_done_fn done;
        void *userdata;
        uint64_t list_until; /* usec, CLOCK_MONOTONIC */
        bool unanswered;    /* whether it was taken is being found out */
} SystemdLogind;

/* --- locks */

static void lock_ask(SystemdLogind *l, LogindLock lock);

static int on_lock(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        HeldLock *h = userdata;
        int fd;

        h->call = sd_bus_slot_unref(h->call);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "h", &fd) >= 0 && h->why) {
                int former = h->fd;

                h->fd = fd_dup(fd);
                safe_close(former); /* without a gap between the two */
        }
        return 0;
}

static void lock_ask(SystemdLogind *l, LogindLock lock) {
        HeldLock *h = &l->locks[lock];

        (void) sd_bus_call_method_async(l->bus, &h->call, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "Inhibit", on_lock, h, "ssss",
                                        "shutdown", "luod", h->why, lock == LOGIND_BLOCK ? "block" : "delay");
}

static void systemd_hold(Logind *logind, LogindLock lock, const char *why) {
        SystemdLogind *l = (SystemdLogind *) logind;
        HeldLock *h = &l->locks[lock];

        if (why && h->why && streq(why, h->why) && (h->fd >= 0 || h->call))
                return;
        if (lock == LOGIND_BLOCK && (h->fd >= 0 || h->call))
                l->may_be_listed = true;
        h->call = sd_bus_slot_unref(h->call); /* one that is on its way is closed with its message */
        if (!why)
                h->fd = safe_close(h->fd);
        free(h->why);
        h->why = why ? strdup(why) : NULL;
        if (h->why)
                lock_ask(l, lock);
}

static bool systemd_holds(Logind *logind, LogindLock lock) {
        return ((SystemdLogind *) logind)->locks[lock].fd >= 0;
}

/* --- whether the host is being shut down, where nothing was heard of it */

static void prepare(SystemdLogind *l, bool start, ShutdownKind kind) {
        l->shutting_down = start;
        l->kind = kind;
        l->events.prepare(start, kind, l->events.userdata);
}

static int get_property_async(
                SystemdLogind *l, sd_bus_slot **slot, bool of_logind, const char *name, sd_bus_message_handler_t handler) {
        sd_bus_message *m = NULL;
        int r;

        *slot = sd_bus_slot_unref(*slot);
        r = sd_bus_message_new_method_call(l->bus, &m, of_logind ? LOGIN_NAME : SYSTEMD_NAME, of_logind ? LOGIN_PATH : SYSTEMD_PATH,
                                           "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", of_logind ? LOGIN_MANAGER : SYSTEMD_MANAGER, name);
        if (r >= 0)
                r = sd_bus_call_async(l->bus, slot, m, handler, l, ASK_TIMEOUT_USEC);
        sd_bus_message_unref(m);
        return r;
}

static void kexec_done(SystemdLogind *l, const char *message);

/* Both have said what they know. */
static void looked(SystemdLogind *l, bool under_way) {
        bool was = l->shutting_down;

        l->look_call = sd_bus_slot_unref(l->look_call);
        if (l->unanswered) {
                l->unanswered = false;
                l->shutting_down |= under_way;
                kexec_done(l, l->shutting_down ? NULL : "logind did not answer in time, and is not shutting down");
        } else if (was && !under_way) /* the logind that had begun it is gone, and it with it */
                prepare(l, /* start= */ false, l->kind);
        else if (!was && l->prepares) /* its signal was missed */
                prepare(l, /* start= */ true, SHUTDOWN_UNKNOWN);
}

static int on_system_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        const char *state;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "s", &state) < 0)
                looked(l, l->prepares || l->shutting_down); /* as was known */
        else
                looked(l, l->prepares || streq(state, "stopping"));
        return 0;
}

static int on_preparing(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        int preparing = 0;

        if (!sd_bus_message_is_method_error(m, NULL))
                (void) sd_bus_message_read(m, "v", "b", &preparing);
        l->prepares = preparing;
        if (get_property_async(l, &l->look_call, /* of_logind= */ false, "SystemState", on_system_state) < 0)
                looked(l, l->shutting_down || l->prepares);
        return 0;
}

static void look(SystemdLogind *l) {
        l->prepares = false;
        if (get_property_async(l, &l->look_call, /* of_logind= */ true, "PreparingForShutdown", on_preparing) < 0)
                looked(l, l->shutting_down);
}

static int on_delay_max(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        uint64_t usec;

        l->delay_call = sd_bus_slot_unref(l->delay_call);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "v", "t", &usec) > 0)
                l->delay_max = usec;
        return 0;
}

/* logind was started anew, perhaps with another configuration, and without a shutdown that the one before had only announced. Its
 * locks are FIFOs and live on, as a rule; the new ones take the place of those without a gap. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        const char *name, *from, *to;

        if (sd_bus_message_read(m, "sss", &name, &from, &to) < 0 || to[0] == '\0')
                return 0;
        for (LogindLock lock = 0; lock < _LOGIND_LOCK_MAX; lock++)
                if (l->locks[lock].why) {
                        l->locks[lock].call = sd_bus_slot_unref(l->locks[lock].call);
                        lock_ask(l, lock);
                }
        (void) get_property_async(l, &l->delay_call, /* of_logind= */ true, "InhibitDelayMaxUSec", on_delay_max);
        if (!l->unanswered)
                look(l);
        return 0;
}

/* --- the kexec */

static void kexec_done(SystemdLogind *l, const char *message) {
        logind_done_fn done = l->done;

        l->kexec_call = sd_bus_slot_unref(l->kexec_call);
        l->done = NULL;
        if (done)
                done(message, l->userdata);
}

/* It may have been taken for all that. */
static bool is_no_answer(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT) ||
               sd_bus_error_has_name(e, "org.freedesktop.DBus.Error.TimedOut");
}

static int on_kexec(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        SystemdLogind *l = userdata;

        if (e && is_no_answer(e) && !l->shutting_down) {
                l->unanswered = true;
                look(l);
        } else
                kexec_done(l, !e || is_no_answer(e) ? NULL : e->message ? e->message : e->name);
        return 0;
}

static bool is_nobody_there(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) || sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_METHOD) ||
               sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit") ||
               sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitMasked") ||
               sd_bus_error_has_name(e, "org.freedesktop.systemd1.LoadFailed");
}

static void kexec_fail(SystemdLogind *l, int error) {
        kexec_done(l, strerror(-error));
}

static int on_logind_kexec(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        int r;

        if (!is_nobody_there(sd_bus_message_get_error(m)))
                return on_kexec(m, userdata, reterr_error);

        /* No logind, or one that can't: as systemctl does then. */
        l->kexec_call = sd_bus_slot_unref(l->kexec_call);
        r = sd_bus_call_method_async(l->bus, &l->kexec_call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartUnit", on_kexec,
                                     l, "ss", "kexec.target", "replace-irreversibly");
        if (r < 0)
                kexec_fail(l, r);
        return 0;
}

static int ask_for_kexec(SystemdLogind *l) {
        return sd_bus_call_method_async(l->bus, &l->kexec_call, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "RebootWithFlags",
                                        on_logind_kexec, l, "t", REBOOT_KEXEC);
}

static int ask_for_list(SystemdLogind *l);

static uint64_t now_monotonic(SystemdLogind *l) {
        uint64_t usec = 0;

        (void) sd_event_now(l->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static bool lists_own_block(sd_bus_message *m) {
        const char *what, *who, *why, *mode;
        uint32_t uid, pid;
        bool found = false;

        if (sd_bus_message_enter_container(m, 'a', "(ssssuu)") < 0)
                return false;
        while (sd_bus_message_read(m, "(ssssuu)", &what, &who, &why, &mode, &uid, &pid) > 0)
                found |= streq(who, "luod") && streq(mode, "block") && uid == 0 && pid == (uint32_t) getpid();
        return found;
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        int r;

        l->kexec_call = sd_bus_slot_unref(l->kexec_call);
        if (!sd_bus_message_is_method_error(m, NULL) && lists_own_block(m) && now_monotonic(l) < l->list_until)
                r = ask_for_list(l);
        else {
                l->may_be_listed = false;
                r = ask_for_kexec(l);
        }
        if (r < 0)
                kexec_fail(l, r);
        return 0;
}

static int ask_for_list(SystemdLogind *l) {
        return sd_bus_call_method_async(l->bus, &l->kexec_call, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "ListInhibitors", on_list, l,
                                        NULL);
}

static int systemd_kexec(Logind *logind, logind_done_fn done, void *userdata) {
        SystemdLogind *l = (SystemdLogind *) logind;
        int r;

        if (l->done)
                return -EALREADY;
        l->list_until = now_monotonic(l) + LISTED_MAX_USEC;
        r = l->may_be_listed ? ask_for_list(l) : ask_for_kexec(l);
        if (r < 0)
                return r;
        l->done = done;
        l->userdata = userdata;
        return 0;
}

/* --- what is heard */

static ShutdownKind kind_from_string(const char *type) {
        return streq(type, "kexec") ? SHUTDOWN_KEXEC : SHUTDOWN_COLD;
}

static int read_metadata(sd_bus_message *m, ShutdownKind *ret) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key, *type;

                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0 && streq(key, "type")) {
                        r = sd_bus_message_read(m, "v", "s", &type);
                        if (r >= 0)
                                *ret = kind_from_string(type);
                } else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int on_prepare_with_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        ShutdownKind kind = SHUTDOWN_UNKNOWN;
        int start;

        if (sd_bus_message_read(m, "b", &start) < 0)
                return 0;
        (void) read_metadata(m, &kind);
        prepare(userdata, start, kind);
        return 0;
}

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        int start;

        if (l->version < SYSTEMD_VERSION_METADATA && sd_bus_message_read(m, "b", &start) >= 0)
                prepare(l, start, SHUTDOWN_UNKNOWN);
        return 0;
}

static int on_job_new(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        SystemdLogind *l = userdata;
        const char *path, *unit;
        uint32_t id;

        if (sd_bus_message_read(m, "uos", &id, &path, &unit) < 0 || !streq(unit, "kexec.target"))
                return 0;
        l->shutting_down = true;
        l->kind = SHUTDOWN_KEXEC;
        l->events.kexec_begun(l->events.userdata);
        return 0;
}

/* The job of kexec.target came to nothing: cancelled, or failed. One that is done is followed by the jump. */
static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0 && streq(unit, "kexec.target") &&
            !streq(result, "done"))
                prepare(userdata, false, SHUTDOWN_KEXEC);
        return 0;
}

/* --- what is asked */

static bool systemd_look_for_kexec(Logind *logind) {
        SystemdLogind *l = (SystemdLogind *) logind;
        const char *name, *description, *load, *active, *sub, *following, *unit_path, *type, *job;
        sd_bus_message *m = NULL, *reply = NULL;
        uint32_t id = 0;
        int r;

        r = sd_bus_message_new_method_call(l->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByNames");
        if (r >= 0)
                r = sd_bus_message_append(m, "as", 1, "kexec.target");
        if (r >= 0)
                r = sd_bus_call(l->bus, m, LOOK_TIMEOUT_USEC, NULL, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "(ssssssouso)", &name, &description, &load, &active, &sub, &following, &unit_path,
                                        &id, &type, &job);
        r = r > 0 && id != 0 && streq(type, "start");
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return r;
}

/* A luod that was started again in the middle of a shutdown must know. */
static bool system_is_stopping(SystemdLogind *l) {
        _cleanup_free_ char *state = NULL;

        return sd_bus_get_property_string(l->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "SystemState", NULL, &state) >= 0 &&
                streq(state, "stopping");
}

/* --- life */

static Logind *systemd_free(Logind *logind) {
        SystemdLogind *l = (SystemdLogind *) logind;

        for (LogindLock lock = 0; lock < _LOGIND_LOCK_MAX; lock++) {
                sd_bus_slot_unref(l->locks[lock].call);
                safe_close(l->locks[lock].fd);
                free(l->locks[lock].why);
        }
        sd_bus_slot_unref(l->metadata_slot);
        sd_bus_slot_unref(l->prepare_slot);
        sd_bus_slot_unref(l->job_slot);
        sd_bus_slot_unref(l->removed_slot);
        sd_bus_slot_unref(l->owner_slot);
        sd_bus_slot_unref(l->delay_call);
        sd_bus_slot_unref(l->look_call);
        sd_bus_slot_unref(l->kexec_call);
        sd_bus_unref(l->bus);
        free(l);
        return NULL;
}

static uint64_t systemd_get_delay_max(Logind *logind) {
        return ((SystemdLogind *) logind)->delay_max;
}

static bool systemd_is_shutting_down(Logind *logind) {
        return ((SystemdLogind *) logind)->shutting_down;
}

static ShutdownKind systemd_get_kind(Logind *logind) {
        return ((SystemdLogind *) logind)->kind;
}

static const LogindOps systemd_ops = {
        .kexec = systemd_kexec,
        .hold = systemd_hold,
        .holds = systemd_holds,
        .get_delay_max = systemd_get_delay_max,
        .is_shutting_down = systemd_is_shutting_down,
        .get_kind = systemd_get_kind,
        .look_for_kexec = systemd_look_for_kexec,
        .free = systemd_free,
};

static int listen(SystemdLogind *l) {
        int r;

        r = sd_bus_match_signal_async(l->bus, &l->metadata_slot, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER,
                                      "PrepareForShutdownWithMetadata", on_prepare_with_metadata, NULL, l);
        if (r >= 0)
                r = sd_bus_match_signal_async(l->bus, &l->prepare_slot, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER,
                                              "PrepareForShutdown", on_prepare, NULL, l);
        if (r >= 0)
                r = sd_bus_match_signal_async(l->bus, &l->job_slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobNew",
                                              on_job_new, NULL, l);
        if (r >= 0)
                r = sd_bus_match_signal_async(l->bus, &l->removed_slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
                                              on_job_removed, NULL, l);
        if (r >= 0)
                r = sd_bus_add_match_async(l->bus, &l->owner_slot,
                                           "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                           "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" LOGIN_NAME "'",
                                           on_owner_changed, NULL, l);
        return r;
}

/* While logind waits for delay locks: the property is there since 256 or so. */
static ShutdownKind read_kind(SystemdLogind *l) {
        ShutdownKind kind = SHUTDOWN_UNKNOWN;
        sd_bus_message *reply = NULL;

        if (sd_bus_get_property(l->bus, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "PreparingForShutdownWithMetadata", NULL, &reply,
                                "a{sv}") >= 0)
                (void) read_metadata(reply, &kind);
        sd_bus_message_unref(reply);
        return kind;
}

static void read_logind(SystemdLogind *l) {
        _cleanup_free_ char *version = NULL;
        int preparing = 0;

        if (sd_bus_get_property_string(l->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Version", NULL, &version) >= 0)
                l->version = (unsigned) strtoul(version, NULL, 10);
        if (sd_bus_get_property_trivial(l->bus, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "InhibitDelayMaxUSec", NULL, 't',
                                        &l->delay_max) < 0)
                l->delay_max = 0;
        if (sd_bus_get_property_trivial(l->bus, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "PreparingForShutdown", NULL, 'b',
                                        &preparing) >= 0)
                l->shutting_down = preparing;
        if (systemd_look_for_kexec(&l->logind)) {
                l->shutting_down = true;
                l->kind = SHUTDOWN_KEXEC;
        } else if (system_is_stopping(l)) {
                l->shutting_down = true;
                l->kind = SHUTDOWN_COLD;
        } else if (l->shutting_down)
                l->kind = read_kind(l);
}

int logind_new_systemd(sd_event *event, sd_bus *bus, const LogindEvents *events, Logind **ret) {
        SystemdLogind *l = malloc(sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (SystemdLogind) { .logind.ops = &systemd_ops, .event = event, .bus = sd_bus_ref(bus), .events = *events };
        for (LogindLock lock = 0; lock < _LOGIND_LOCK_MAX; lock++)
                l->locks[lock].fd = -EBADF;
        r = listen(l);
        if (r < 0) {
                systemd_free(&l->logind);
                return r;
        }
        read_logind(l);
        *ret = &l->logind;
        return 0;
}

int logind_kexec(Logind *l, logind_done_fn done, void *userdata) {
        return l ? l->ops->kexec(l, done, userdata) : -ENOTCONN;
}

void logind_hold(Logind *l, LogindLock lock, const char *why) {
        if (l)
                l->ops->hold(l, lock, why);
}

bool logind_holds(Logind *l, LogindLock lock) {
        return l && l->ops->holds(l, lock);
}

uint64_t logind_get_delay_max(Logind *l) {
        return l ? l->ops->get_delay_max(l) : 0;
}

bool logind_is_shutting_down(Logind *l) {
        return l && l->ops->is_shutting_down(l);
}

ShutdownKind logind_get_kind(Logind *l) {
        return l ? l->ops->get_kind(l) : SHUTDOWN_UNKNOWN;
}

bool logind_look_for_kexec(Logind *l) {
        return l && l->ops->look_for_kexec(l);
}

Logind *logind_free(Logind *l) {
        return l ? l->ops->free(l) : NULL;
}
