/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "build-config.h"
#include "bus-bounds.h"
#include "bus-error.h"
#include "bus-names.h"
#include "bus-options.h"
#include "bus-quota.h"
#include "bus-update.h"
#include "bus-report.h"
#include "bus.h"
#include "check.h"
#include "identify.h"
#include "operations.h"
#include "parts.h"

/* org.luod1.Manager. What the members mean: dbus/org.luod1.xml. */

typedef struct CreateOptions {
        MetadataChange *changes; /* owned array */
        size_t n_changes;
        bool auto_renew;
} CreateOptions;

static void create_options_done(CreateOptions *o) {
        free(o->changes);
}

static int read_first_metadata(sd_bus_message *m, void *field, sd_bus_error *reterr) {
        CreateOptions *o = field;

        return bus_read_metadata(m, &o->changes, &o->n_changes, reterr);
}

static const BusOption create_options[] = {
        { "metadata", "a{say}", .read = read_first_metadata },
        { "auto-renew", "b", offsetof(CreateOptions, auto_renew) },
};

static void on_created(Job *job, const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;
        _cleanup_free_ char *path = NULL;
        Session *s;

        if (failure)
                (void) bus_reply_failure(m, failure);
        else {
                uint64_t queued = 1;

                s = creation_get_session(job);
                if (bus_session_path(s, &path) >= 0 && sd_bus_reply_method_return(m, "o", path) >= 0 &&
                    sd_bus_get_n_queued_write(sd_bus_message_get_bus(m), &queued) >= 0 && queued == 0)
                        creation_answered(job->manager, s);
        }
        sd_bus_message_unref(m);
}

static int method_create_session(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        _cleanup_(create_options_done) CreateOptions options = {};
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        const char *name;
        Caller *caller;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = bus_read_options(m, create_options, &options, reterr_error);
        if (r < 0)
                return r;
        r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;

        kept = bus_keep_call(m);
        r = operation_create(b->manager, name, caller, options.changes, options.n_changes, options.auto_renew, on_created,
                             kept, &failure);
        if (r < 0) {
                sd_bus_message_unref(kept);
                return bus_error_set_failure(reterr_error, &failure);
        }
        return 1;
}

static int method_get_session(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        _cleanup_free_ char *path = NULL;
        Failure failure = FAILURE_INIT;
        const char *name;
        Session *s;
        Caller *caller;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;

        s = state_find_session(&b->manager->state, name);
        if (!s || s->record.state == SESSION_NEW) {
                failure_set(&failure, FAILURE_NO_SUCH_SESSION, "There is no session of that name; ListSessions() lists yours");
                return bus_error_set_failure(reterr_error, &failure);
        }
        if (manager_check_access(s, caller, &failure) < 0)
                return bus_error_set_failure(reterr_error, &failure);
        r = bus_session_path(s, &path);
        return r < 0 ? r : sd_bus_reply_method_return(m, "o", path);
}

static int append_session(sd_bus_message *reply, const Session *s) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = bus_session_path(s, &path);
        if (r < 0)
                return r;
        return sd_bus_message_append(reply, "(ssuuto)", s->record.name, direction_to_string(s->record.direction),
                                     (uint32_t) s->record.uid, (uint32_t) s->n_files, s->kept_bytes, path);
}

static int method_list_sessions(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        sd_bus_message *reply = NULL;
        Session *s;
        Caller *caller;
        int r;

        r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(ssuuto)");
        LIST_FOREACH(&b->manager->state.sessions, Session, link, s) {
                if (r < 0)
                        break;
                if (session_is_seen_by(s, caller))
                        r = append_session(reply, s);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}

static int method_check(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        Finding findings[FINDINGS_MAX];
        sd_bus_message *reply = NULL;
        size_t n = manager_check(b->manager, findings);
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(ssss)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(reply, "(ssss)", finding_severity_to_string(findings[i].severity),
                                          findings[i].id, findings[i].message, findings[i].fix);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}

/* --- Reload() */

/* The protocol of Type=notify-reload (systemd 253), which is one with plain Type=notify as well: the unit shows as
 * reloading, whoever asked for it. */
static void notify_reloading(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        (void) sd_notifyf(/* unset_environment= */ 0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                          (unsigned long long) ts.tv_sec * 1000000 + (unsigned long long) ts.tv_nsec / 1000);
}

int bus_reload(Bus *b, ConfigMessages *ret) {
        int r;

        notify_reloading();
        r = manager_reload(b->manager, config_messages_add, ret);
        (void) sd_notify(/* unset_environment= */ 0, "READY=1");

        for (size_t i = 0; i < ret->n_items; i++)
                (void) sd_journal_print(LOG_WARNING, "%s", ret->items[i]);
        if (r < 0)
                (void) sd_journal_print(LOG_WARNING, "The configuration can't be read and stays as it is: %s", strerror(-r));
        return r;
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        _cleanup_(config_messages_done) ConfigMessages messages = {};
        sd_bus_message *reply = NULL;
        int r;

        r = bus_check_root(userdata, m, "What is in luod.conf", reterr_error);
        if (r >= 0)
                r = bus_reload(userdata, &messages);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, messages.items);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}

/* --- Identify() */

static int append_seals(sd_bus_message *reply, uint32_t seals) {
        static const char *const names[] = { "seal", "shrink", "grow", "write", "future-write", "exec" };
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', "Seals");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++)
                if (seals & (1U << i)) /* F_SEAL_SEAL and those after it (fcntl(2)) */
                        r = sd_bus_message_append_basic(reply, 's', names[i]);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int append_what_it_is(sd_bus_message *reply, const Identification *i) {
        static const char *const access[] = { [O_RDONLY] = "ro", [O_WRONLY] = "wo", [O_RDWR] = "rw" };
        const FileRecord *record = &i->record;
        int r;

        r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Kind", "s", file_kind_to_string(record->kind),
                                  "Type", "s", i->type, "Size", "t", record->size, "Holes", "t", i->holes, "Mode", "u",
                                  (uint32_t) record->mode, "Owner", "u", (uint32_t) record->uid, "Access", "s",
                                  access[record->access]);
        return r < 0 ? r : append_seals(reply, record->seals);
}

/* Which session it is, is for those to know who may see it. */
static int append_keeper(sd_bus_message *reply, Manager *m, const Caller *caller, const Identification *i) {
        Session *s = i->keeper == KEEPER_SESSION ? state_find_session_by_sid(&m->state, i->sid) : NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_message_append(reply, "{sv}{sv}", "Kept", "b", (int) (i->keeper != KEEPER_NONE), "Keeper", "s",
                                  keeper_kind_to_string(i->keeper));
        if (r < 0 || !s || !session_is_seen_by(s, caller))
                return r;
        r = bus_session_path(s, &path);
        if (r < 0)
                return r;
        return sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "Session", "s", s->record.name, "SessionPath", "o", path,
                                     "Direction", "s", direction_to_string(s->record.direction), "Token", "t", i->token);
}

static int reply_identification(sd_bus_message *m, Manager *manager, const Caller *caller, const Identification *i) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append_what_it_is(reply, i);
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}", "Keepable", "s", keepable_to_string(i->keepable), "Reason", "s",
                                          i->keepable == KEEPABLE_YES ? "" : i->reason.message);
        if (r >= 0)
                r = append_keeper(reply, manager, caller, i);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}

static void on_identified(Job *job, const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;
        int r;

        r = failure ? bus_reply_failure(m, failure) : reply_identification(m, job->manager, identification_get_caller(job), identification_get(job));
        if (r < 0)
                (void) sd_bus_reply_method_errno(m, r, NULL);
        sd_bus_message_unref(m);
}

static int method_identify(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        Caller *caller;
        int fd, r;

        r = bus_explain_missing_fd(sd_bus_message_read(m, "h", &fd), reterr_error);
        if (r < 0)
                return r;
        r = bus_get_caller(b, m, &caller);
        if (r < 0)
                return r;

        kept = bus_keep_call(m);
        r = operation_identify(b->manager, caller, fd, on_identified, kept, &failure);
        if (r < 0) {
                sd_bus_message_unref(kept);
                return bus_error_set_failure(reterr_error, &failure);
        }
        return 1;
}

/* --- the kernel that comes next */

static const BusOption load_options[] = {
        { "no-initrd", "b", offsetof(LoadOptions, no_initrd) },
        { "force", "b", offsetof(LoadOptions, force) },
};

static void on_target_done(Job *job, const Failure *failure, void *userdata) {
        sd_bus_message *m = userdata;

        if (failure)
                (void) bus_reply_failure(m, failure);
        else
                (void) sd_bus_reply_method_return(m, NULL);
        sd_bus_message_unref(m);
}

static int method_load_kernel(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        LoadOptions options = {};
        const char *cmdline;
        int kernel, initrd, r;

        r = bus_explain_missing_fd(sd_bus_message_read(m, "hhs", &kernel, &initrd, &cmdline), reterr_error);
        if (r >= 0)
                r = bus_read_options(m, load_options, &options, reterr_error);
        if (r >= 0)
                r = bus_check_root(b, m, "Which kernel comes next", reterr_error);
        if (r < 0)
                return r;

        kept = bus_keep_call(m);
        r = operation_load_kernel(b->manager, kernel, initrd, cmdline, &options, on_target_done, kept,
                                  &failure);
        if (r < 0) {
                sd_bus_message_unref(kept);
                return bus_error_set_failure(reterr_error, &failure);
        }
        return 1;
}

static int method_unload_kernel(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        Bus *b = userdata;
        Failure failure = FAILURE_INIT;
        sd_bus_message *kept;
        int r;

        r = bus_check_root(b, m, "Which kernel comes next", reterr_error);
        if (r < 0)
                return r;
        kept = bus_keep_call(m);
        r = operation_unload_kernel(b->manager, on_target_done, kept, &failure);
        if (r < 0) {
                sd_bus_message_unref(kept);
                return bus_error_set_failure(reterr_error, &failure);
        }
        return 1;
}

static int append_target(sd_bus_message *reply, const TargetRecord *r) {
        return sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Release", "s", r->release, "CommandLine", "s",
                                     r->cmdline, "Luo", "s", knowledge_to_string(r->luo), "Memfd", "s",
                                     knowledge_to_string(r->memfd), "SameFormats", "s", knowledge_to_string(r->abi),
                                     "SwitchedOn", "b", (int) r->switched_on, "Forced", "b", (int) r->forced, "Timestamp", "t",
                                     r->timestamp);
}

static int get_loaded_kernel(sd_bus *bus,
                             const char *path,
                             const char *interface,
                             const char *property,
                             sd_bus_message *reply,
                             void *userdata,
                             sd_bus_error *reterr_error) {
        TargetView view = target_look(((Bus *) userdata)->manager);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}", "Loaded", "b", (int) view.loaded, "ByLuod", "s",
                                          knowledge_to_string(view.by_luod));
        if (r >= 0 && view.record)
                r = append_target(reply, view.record);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* --- properties: what each name stands for, by type */

static int get_string(sd_bus *bus,
                      const char *path,
                      const char *interface,
                      const char *property,
                      sd_bus_message *reply,
                      void *userdata,
                      sd_bus_error *reterr_error) {
        Manager *m = ((Bus *) userdata)->manager;
        const char *value = "";

        if (streq(property, "Version"))
                value = PROJECT_VERSION;
        else if (streq(property, "State"))
                value = m->stopping ? "stopping" : update_state_to_string(m->update.state);
        else if (streq(property, "KernelSupport"))
                value = luo_support_to_string(m->support);
        else if (streq(property, "KernelSupportMessage"))
                value = luo_support_message(m->support);
        else if (streq(property, "Custody"))
                value = custody_state_to_string(parts_custody_state(m));
        else if (streq(property, "Ledger"))
                value = ledger_health_to_string(m->ledger_health);
        return sd_bus_message_append(reply, "s", value);
}

static int get_u32(sd_bus *bus,
                   const char *path,
                   const char *interface,
                   const char *property,
                   sd_bus_message *reply,
                   void *userdata,
                   sd_bus_error *reterr_error) {
        Manager *m = ((Bus *) userdata)->manager;
        uint32_t value = 0;

        if (streq(property, "NSessions"))
                value = m->state.n_sessions;
        else if (streq(property, "NFiles"))
                value = m->state.n_files;
        else if (streq(property, "NParts"))
                value = m->state.n_parts;
        else if (streq(property, "LimitParts"))
                value = parts_limit(m);
        else if (streq(property, "LimitSessionsPerUser"))
                value = m->config.sessions_per_user;
        else if (streq(property, "LimitFilesPerUser"))
                value = m->config.files_per_user;
        else if (streq(property, "LimitFilesPerSession"))
                value = FILES_PER_SESSION_MAX;
        else if (streq(property, "LimitFiles"))
                value = m->config.files;
        else if (streq(property, "LimitMetadataPerSession"))
                value = METADATA_SIZE_MAX;
        return sd_bus_message_append(reply, "u", value);
}

static int get_u64(sd_bus *bus,
                   const char *path,
                   const char *interface,
                   const char *property,
                   sd_bus_message *reply,
                   void *userdata,
                   sd_bus_error *reterr_error) {
        Manager *m = ((Bus *) userdata)->manager;

        return sd_bus_message_append(reply, "t",
                                     streq(property, "Generation")             ? m->state.head.generation
                                             : streq(property, "UpdateDeadline") ? m->update.deadline
                                                                                 : m->state.kept_bytes);
}

static int get_booted(sd_bus *bus,
                      const char *path,
                      const char *interface,
                      const char *property,
                      sd_bus_message *reply,
                      void *userdata,
                      sd_bus_error *reterr_error) {
        return sd_bus_message_append(reply, "b", (int) ((Bus *) userdata)->manager->booted_by_live_update);
}

#define CONST_PROPERTY SD_BUS_VTABLE_PROPERTY_CONST
#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("CreateSession", SD_BUS_ARGS("s", name, "a{sv}", options), SD_BUS_RESULT("o", session),
                                method_create_session, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSession", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", session), method_get_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListSessions", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssuuto)", sessions),
                                method_list_sessions, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Identify", SD_BUS_ARGS("h", file), SD_BUS_RESULT("a{sv}", identification), method_identify,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetQuota", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(usstts)", quota), bus_method_get_quota,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Check", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssss)", findings), method_check,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        /* For root alone, says bus_check_root(); sd-bus would ask the bus driver, and wait. */
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("as", messages), method_reload,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("LoadKernel", SD_BUS_ARGS("h", kernel, "h", initrd, "s", cmdline, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_load_kernel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("UnloadKernel", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unload_kernel,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Update", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, bus_method_update,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Inhibit", SD_BUS_ARGS("s", what, "s", who, "s", why, "s", mode), SD_BUS_RESULT("h", lock),
                                bus_method_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListInhibitors", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssssuut)", inhibitors),
                                bus_method_list_inhibitors, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReleaseLock", SD_BUS_ARGS("t", id), SD_BUS_NO_RESULT, bus_method_release_lock,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("PrepareForUpdate", SD_BUS_ARGS("b", start, "t", deadline), 0),
        SD_BUS_SIGNAL_WITH_ARGS("UpdateFinished", SD_BUS_ARGS("s", result, "s", message), 0),
        SD_BUS_METHOD_WITH_ARGS("GetReport", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", report), bus_method_get_report,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetReportOf", SD_BUS_ARGS("t", id), SD_BUS_RESULT("s", report), bus_method_get_report_of,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListReports", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tsst)", reports), bus_method_list_reports,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("SessionNew", SD_BUS_ARGS("s", name, "o", session), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SessionRemoved", SD_BUS_ARGS("s", name, "o", session, "s", how), 0),
        SD_BUS_PROPERTY("Version", "s", get_string, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("State", "s", get_string, 0, EMITS),
        SD_BUS_PROPERTY("UpdateDeadline", "t", get_u64, 0, EMITS),
        SD_BUS_PROPERTY("WaitingFor", "a(sss)", bus_get_waiting_for, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Generation", "t", get_u64, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("BootedByLiveUpdate", "b", get_booted, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("KernelSupport", "s", get_string, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("KernelSupportMessage", "s", get_string, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("Custody", "s", get_string, 0, EMITS),
        SD_BUS_PROPERTY("Ledger", "s", get_string, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("Restore", "s", bus_get_restore, 0, EMITS),
        SD_BUS_PROPERTY("RestoreMessage", "s", bus_get_restore, 0, EMITS),
        SD_BUS_PROPERTY("NIncoming", "u", bus_get_restore_count, 0, EMITS),
        SD_BUS_PROPERTY("NUnclaimed", "u", bus_get_restore_count, 0, EMITS),
        SD_BUS_PROPERTY("NClaimed", "u", bus_get_restore_count, 0, EMITS),
        SD_BUS_PROPERTY("NFailed", "u", bus_get_restore_count, 0, EMITS),
        SD_BUS_PROPERTY("NRenewed", "u", bus_get_restore_count, 0, EMITS),
        SD_BUS_PROPERTY("NEnded", "u", bus_get_restore_count, 0, EMITS),
        SD_BUS_PROPERTY("LoadedKernel", "a{sv}", get_loaded_kernel, 0, EMITS),
        SD_BUS_PROPERTY("NSessions", "u", get_u32, 0, EMITS),
        SD_BUS_PROPERTY("NFiles", "u", get_u32, 0, EMITS),
        SD_BUS_PROPERTY("NParts", "u", get_u32, 0, 0),
        SD_BUS_PROPERTY("KeptBytes", "t", get_u64, 0, 0),
        SD_BUS_PROPERTY("LimitParts", "u", get_u32, 0, EMITS),
        SD_BUS_PROPERTY("LimitSessionsPerUser", "u", get_u32, 0, EMITS),
        SD_BUS_PROPERTY("LimitFilesPerUser", "u", get_u32, 0, EMITS),
        SD_BUS_PROPERTY("LimitFilesPerSession", "u", get_u32, 0, CONST_PROPERTY),
        SD_BUS_PROPERTY("LimitFiles", "u", get_u32, 0, EMITS),
        SD_BUS_PROPERTY("LimitMetadataPerSession", "u", get_u32, 0, CONST_PROPERTY),
        SD_BUS_VTABLE_END,
};

int bus_manager_add(Bus *b) {
        int r;

        r = sd_bus_add_object_vtable(b->bus, &b->manager_slot, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER,
                                     manager_vtable, b);
        if (r < 0)
                return r;
        return sd_bus_add_object_manager(b->bus, &b->object_manager_slot, LUOD_OBJECT_PATH);
}
