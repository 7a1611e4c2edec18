/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "bus-bounds.h"
#include "bus-error.h"
#include "bus-names.h"
#include "bus-options.h"
#include "bus.h"
#include "name-util.h"
#include "operations.h"

/* org.luod1.Session. What the members mean: dbus/org.luod1.xml. The object's userdata is the Session; handlers
 * find the Bus through bus_of(). */

static Bus *bus_of(sd_bus_message *m) {
        sd_bus_slot *slot = sd_bus_get_current_slot(sd_bus_message_get_bus(m));

        return sd_bus_slot_get_userdata(slot);
}

/* --- methods */

static void on_done(Job *job, const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;

        (void) (failure ? bus_reply_failure(m, failure) : sd_bus_reply_method_return(m, NULL));
        sd_bus_message_unref(m);
}

/* What an operation_*() returned, as a handler's return value; on failure what it would have kept of the call is dropped. */
static int accepted(int r, sd_bus_message *kept, const Failure *failure, sd_bus_error *reterr) {
        if (r >= 0)
                return 1;
        sd_bus_message_unref(kept);
        return bus_error_set_failure(reterr, failure);
}

/* A label that is too long for its field is made invalid, not cut. */
static void set_label(FileRecord *record, const char *label) {
        if (strlen(label) <= LABEL_LENGTH_MAX)
                (void) snprintf(record->label, sizeof(record->label), "%s", label);
        else
                memcpy(record->label, "\n", 2);
}

static int method_preserve(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        FileRecord record = {};
        const char *label;
        Caller *caller;
        int fd, r;

        r = bus_explain_missing_fd(sd_bus_message_read(m, "tsh", &record.token, &label, &fd), reterr_error);
        if (r < 0)
                return r;
        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;
        set_label(&record, label);

        kept = bus_keep_call(m);
        r = operation_preserve(bus_of(m)->manager, userdata, caller, &record, &fd, 1, /* many= */ false,
                               /* accept_write_seal= */ false, on_done, kept, &failure);
        return accepted(r, kept, &failure, reterr_error);
}

typedef struct PreserveOptions {
        bool accept_write_seal;
} PreserveOptions;

static const BusOption preserve_options[] = {
        { "accept-write-seal", "b", offsetof(PreserveOptions, accept_write_seal) },
};

/* @records and @fds have room for FDS_PER_CALL_MAX. Where there are more the next one is counted, and none after it looked at:
 * there may be a million. */
static int read_files(sd_bus_message *m, FileRecord *records, int *fds, size_t *ret_n) {
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(tsh)");
        if (r < 0)
                return r;
        for (;; n++) {
                const char *label;
                uint64_t token;
                int fd;

                r = sd_bus_message_read(m, "(tsh)", &token, &label, &fd);
                if (r <= 0)
                        break;
                if (n >= FDS_PER_CALL_MAX) {
                        *ret_n = n + 1;
                        return 0;
                }
                records[n].token = token;
                set_label(records + n, label);
                fds[n] = fd;
        }
        if (r < 0)
                return r;
        *ret_n = n;
        return sd_bus_message_exit_container(m);
}

static int method_preserve_many(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_free_ FileRecord *records = calloc(FDS_PER_CALL_MAX, sizeof(*records));
        int fds[FDS_PER_CALL_MAX];
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        PreserveOptions options = {};
        size_t n = 0;
        Caller *caller;
        int r;

        if (!records)
                return -ENOMEM;
        r = bus_explain_missing_fd(read_files(m, records, fds, &n), reterr_error);
        if (r < 0)
                return r;
        if (n <= FDS_PER_CALL_MAX) /* else it is refused, and not read on */
                r = bus_read_options(m, preserve_options, &options, reterr_error);
        if (r < 0)
                return r;
        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;

        kept = bus_keep_call(m);
        r = operation_preserve(bus_of(m)->manager, userdata, caller, records, fds, n, /* many= */ true,
                               options.accept_write_seal, on_done, kept, &failure);
        return accepted(r, kept, &failure, reterr_error);
}

static void on_retrieved_one(Job *job, const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;
        int r;

        r = failure ? bus_reply_failure(m, failure) : sd_bus_reply_method_return(m, "h", retrieval_get_fds(job)[0]);
        if (r < 0) /* no fd free for the message's copy, say: the caller must not wait for nothing */
                (void) sd_bus_reply_method_errno(m, r, NULL);
        sd_bus_message_unref(m);
}

static int method_retrieve(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        uint64_t token;
        Caller *caller;
        int r;

        r = sd_bus_message_read(m, "t", &token);
        if (r < 0)
                return r;
        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;

        kept = bus_keep_call(m);
        r = operation_retrieve(bus_of(m)->manager, userdata, caller, &token, 1, on_retrieved_one, kept,
                               &failure);
        return accepted(r, kept, &failure, reterr_error);
}

static int reply_files(sd_bus_message *m, const uint64_t *tokens, const int *fds, size_t n) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(th)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(reply, "(th)", tokens[i], fds[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}

static void on_retrieved_many(Job *job, const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;
        size_t n;
        int r;

        if (failure)
                r = bus_reply_failure(m, failure);
        else {
                const uint64_t *tokens = retrieval_get_tokens(job, &n);

                r = reply_files(m, tokens, retrieval_get_fds(job), n);
        }
        if (r < 0)
                (void) sd_bus_reply_method_errno(m, r, NULL);
        sd_bus_message_unref(m);
}

static int method_retrieve_many(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        const uint64_t *tokens;
        size_t size;
        Caller *caller;
        int r;

        r = sd_bus_message_read_array(m, 't', (const void **) &tokens, &size);
        if (r < 0)
                return r;
        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;

        kept = bus_keep_call(m);
        r = operation_retrieve(bus_of(m)->manager, userdata, caller, tokens, size / sizeof(uint64_t), on_retrieved_many,
                               kept, &failure);
        return accepted(r, kept, &failure, reterr_error);
}

static int method_set_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_free_ MetadataChange *changes = NULL;
        Failure failure = FAILURE_INIT;
        size_t n = 0;
        Caller *caller;
        int r;

        r = bus_read_metadata(m, &changes, &n, reterr_error);
        if (r < 0)
                return r;
        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;

        r = operation_set_metadata(bus_of(m)->manager, userdata, caller, changes, n, &failure);
        if (r < 0)
                return bus_error_set_failure(reterr_error, &failure);
        return sd_bus_reply_method_return(m, NULL);
}

static int end_session(sd_bus_message *m, Session *session, EndHow how, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        Caller *caller;
        int r;

        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;
        kept = bus_keep_call(m);
        r = operation_end(bus_of(m)->manager, session, caller, how, on_done, kept, &failure);
        return accepted(r, kept, &failure, reterr_error);
}

static int method_finish(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        return end_session(m, userdata, END_FINISHED, reterr_error);
}

static int method_discard(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        return end_session(m, userdata, END_DISCARDED, reterr_error);
}

static int method_renew(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        Caller *caller;
        int r;

        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;
        kept = bus_keep_call(m);
        r = operation_renew(bus_of(m)->manager, userdata, caller, on_done, kept, &failure);
        return accepted(r, kept, &failure, reterr_error);
}

static int method_carry(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        Caller *caller;
        int r;

        r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;
        kept = bus_keep_call(m);
        r = operation_carry(bus_of(m)->manager, userdata, caller, on_done, kept, &failure);
        return accepted(r, kept, &failure, reterr_error);
}

static int method_set_ready(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Failure failure = FAILURE_INIT;
        int ready, r;
        Caller *caller;

        r = sd_bus_message_read(m, "b", &ready);
        if (r >= 0)
                r = bus_get_caller(bus_of(m), m, &caller);
        if (r < 0)
                return r;
        r = operation_set_ready(bus_of(m)->manager, userdata, caller, ready, &failure);
        return r < 0 ? bus_error_set_failure(reterr_error, &failure) : sd_bus_reply_method_return(m, NULL);
}

/* Not in the introspection: for those who try. */
static int method_release(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        return sd_bus_error_set(reterr_error, SD_BUS_ERROR_NOT_SUPPORTED,
                                "A single file is never given back: the kernel can drop a session only as a whole. Keep "
                                "what is to be dropped alone in a session of its own, and Discard() that");
}

/* --- properties */

#define PROPERTY_ARGS                                                                                     \
        sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, \
                        void *userdata, sd_bus_error *reterr_error

static int get_string(PROPERTY_ARGS) {
        Session *s = userdata;

        return sd_bus_message_append(reply, "s",
                                     streq(property, "Name") ? s->record.name
                                                             : direction_to_string(s->record.direction));
}

static int get_owner(PROPERTY_ARGS) {
        return sd_bus_message_append(reply, "u", (uint32_t) ((Session *) userdata)->record.uid);
}

static int get_u64(PROPERTY_ARGS) {
        Session *s = userdata;

        return sd_bus_message_append(reply, "t",
                                     streq(property, "CreatedTimestamp") ? s->record.created
                                                                         : s->record.created_generation);
}

static int get_carried(PROPERTY_ARGS) {
        return sd_bus_message_append(reply, "u", ((Session *) userdata)->record.carried);
}

static int get_auto_renew(PROPERTY_ARGS) {
        return sd_bus_message_append(reply, "b", ((Session *) userdata)->record.auto_renew);
}

static int get_ready(PROPERTY_ARGS) {
        return sd_bus_message_append(reply, "b", (int) !((Session *) userdata)->record.unready);
}

static int get_flags(PROPERTY_ARGS) {
        const char *names[7];
        int r;

        session_flags_to_strings(((Session *) userdata)->flags, names);
        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; names[i] && r >= 0; i++)
                r = sd_bus_message_append(reply, "s", names[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* What clients are told of a file's state. */
static const char *file_state_shown(const File *f) {
        if (f->part->fd < 0 && f->part->session->record.state == SESSION_LIVE)
                return "failed"; /* its kernel session did not come */
        return f->record.state == FILE_INTENT ? "unconfirmed" : file_state_to_string(f->record.state);
}

static int append_file(sd_bus_message *reply, const File *f) {
        static const char *const access[] = { [O_RDONLY] = "ro", [O_WRONLY] = "wo", [O_RDWR] = "rw" };
        const FileRecord *r = &f->record;

        return sd_bus_message_append(reply, "(tsstuss)", r->token, r->label, file_kind_to_string(r->kind), r->size,
                                     (uint32_t) r->mode,
                                     r->access >= 0 && r->access <= O_RDWR ? access[r->access] : "rw",
                                     file_state_shown(f));
}

static int get_files(PROPERTY_ARGS) {
        Session *s = userdata;
        size_t n = bus_is_property_request(bus) ? s->n_files : 0; /* none in signals: they go to everybody */
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(tsstuss)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_file(reply, s->files[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_metadata(sd_bus_message *reply, const Metadata *metadata) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "say");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', metadata->key);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', metadata->value, metadata->n_value);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_metadata(PROPERTY_ARGS) {
        Session *s = userdata;
        size_t n = bus_is_property_request(bus) ? s->n_metadata : 0;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{say}");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_metadata(reply, s->metadata + i);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define INVALIDATES SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION

static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Preserve", SD_BUS_ARGS("t", token, "s", label, "h", file), SD_BUS_NO_RESULT,
                                method_preserve, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PreserveMany", SD_BUS_ARGS("a(tsh)", files, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_preserve_many, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Retrieve", SD_BUS_ARGS("t", token), SD_BUS_RESULT("h", file), method_retrieve,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RetrieveMany", SD_BUS_ARGS("at", tokens), SD_BUS_RESULT("a(th)", files),
                                method_retrieve_many, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetMetadata", SD_BUS_ARGS("a{say}", changes), SD_BUS_NO_RESULT, method_set_metadata,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Renew", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_renew,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        /* For root alone, says operation_carry(). */
        SD_BUS_METHOD_WITH_ARGS("Carry", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_carry,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetReady", SD_BUS_ARGS("b", ready), SD_BUS_NO_RESULT, method_set_ready,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Finish", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_finish,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Discard", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_discard,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Release", "t", "", method_release, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_HIDDEN),
        SD_BUS_METHOD("Unpreserve", "t", "", method_release, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_HIDDEN),
        SD_BUS_PROPERTY("Name", "s", get_string, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Direction", "s", get_string, 0, EMITS),
        SD_BUS_PROPERTY("Owner", "u", get_owner, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Ready", "b", get_ready, 0, EMITS),
        SD_BUS_PROPERTY("Files", "a(tsstuss)", get_files, 0, INVALIDATES),
        SD_BUS_PROPERTY("Metadata", "a{say}", get_metadata, 0, INVALIDATES),
        SD_BUS_PROPERTY("CreatedTimestamp", "t", get_u64, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CreatedGeneration", "t", get_u64, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("AutoRenew", "b", get_auto_renew, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Carried", "u", get_carried, 0, EMITS),
        SD_BUS_PROPERTY("Flags", "as", get_flags, 0, EMITS),
        SD_BUS_PROPERTY("Claim", "s", bus_get_claim, 0, EMITS),
        SD_BUS_PROPERTY("ClaimedTimestamp", "t", bus_get_claim, 0, EMITS),
        SD_BUS_PROPERTY("Errno", "u", bus_get_claim, 0, EMITS),
        SD_BUS_VTABLE_END,
};

/* Properties are for the owner and root; methods check that themselves, once they know what is asked. */
static int check_property_access(Bus *b, sd_bus *bus, const Session *s, sd_bus_error *reterr) {
        Failure failure = FAILURE_INIT;
        Caller *caller;
        int r;

        if (!bus_is_property_request(bus))
                return 0;
        r = bus_get_caller(b, sd_bus_get_current_message(bus), &caller);
        if (r < 0)
                return r;
        return manager_check_access(s, caller, &failure) < 0 ? bus_error_set_failure(reterr, &failure) : 0;
}

static int find_session(
                sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *reterr) {
        Bus *b = userdata;
        _cleanup_free_ char *name = NULL;
        Failure failure = FAILURE_INIT;
        Session *s;
        int r;

        r = sd_bus_path_decode(path, LUOD_SESSION_PATH_PREFIX, &name);
        if (r <= 0)
                return r;
        if (name[0] == '\0') /* the node above them, which GetManagedObjects() comes by */
                return 0;
        s = state_find_session(&b->manager->state, name);
        if (!s || s->record.state == SESSION_NEW) {
                /* Anything may be in a path; only what could be a name can be said on the bus. */
                failure_set(&failure, FAILURE_NO_SUCH_SESSION,
                            "There is no session '%s': it was finished, discarded or never made",
                            label_is_valid(name) ? name : "(not a name)");
                return bus_error_set_failure(reterr, &failure);
        }
        r = check_property_access(b, bus, s, reterr);
        if (r < 0)
                return r;

        *ret = s;
        return 1;
}

/* The objects that the caller may see. */
static int enumerate_sessions(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *reterr) {
        Bus *b = userdata;
        sd_bus_message *m = sd_bus_get_current_message(bus);
        char **paths;
        size_t n = 0;
        Caller *caller = NULL;
        Session *s;
        int r;

        r = m ? bus_get_caller(b, m, &caller) : 0;
        if (r < 0)
                return r;
        paths = calloc(b->manager->state.n_sessions + 1, sizeof(char *));
        if (!paths)
                return -ENOMEM;
        LIST_FOREACH(&b->manager->state.sessions, Session, link, s) {
                if ((caller && !session_is_seen_by(s, caller)) || s->record.state == SESSION_NEW)
                        continue;
                r = bus_session_path(s, paths + n);
                if (r < 0)
                        break;
                n++;
        }
        if (r < 0) {
                for (size_t i = 0; i < n; i++)
                        free(paths[i]);
                free(paths);
                return r;
        }

        *ret = paths;
        return 1;
}

int bus_session_add(Bus *b) {
        int r;

        r = sd_bus_add_fallback_vtable(b->bus, &b->session_slot, LUOD_SESSION_PATH_PREFIX, LUOD_INTERFACE_SESSION,
                                       session_vtable, find_session, b);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(b->bus, &b->enumerator_slot, LUOD_SESSION_PATH_PREFIX, enumerate_sessions, b);
}
