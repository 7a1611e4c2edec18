/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "bus-names.h"
#include "info.h"
#include "macro.h"

#define MANAGER(n, k, t) \
        { .name = n, .key = #k, .type = t, .offset = offsetof(ManagerInfo, k) }
#define SESSION(n, k, t) \
        { .name = n, .key = #k, .type = t, .offset = offsetof(SessionInfo, k) }
#define IDENTIFICATION(n, k, t) \
        { .name = n, .key = #k, .type = t, .offset = offsetof(IdentificationInfo, k) }

#define KERNEL(n, k, t) \
        { .name = n, .key = #k, .type = t, .offset = offsetof(KernelInfo, k) }

const Property kernel_properties[] = {
        KERNEL("Loaded", loaded, PROPERTY_BOOL),
        KERNEL("ByLuod", by_luod, PROPERTY_STRING),
        KERNEL("Release", release, PROPERTY_STRING),
        KERNEL("CommandLine", command_line, PROPERTY_STRING),
        KERNEL("Luo", luo, PROPERTY_STRING),
        KERNEL("Memfd", memfd, PROPERTY_STRING),
        KERNEL("SameFormats", same_formats, PROPERTY_STRING),
        KERNEL("SwitchedOn", switched_on, PROPERTY_BOOL),
        KERNEL("Forced", forced, PROPERTY_BOOL),
        KERNEL("Timestamp", timestamp, PROPERTY_U64),
        {},
};

const Property manager_properties[] = {
        MANAGER("Version", version, PROPERTY_STRING),
        MANAGER("State", state, PROPERTY_STRING),
        MANAGER("Generation", generation, PROPERTY_U64),
        MANAGER("BootedByLiveUpdate", booted_by_live_update, PROPERTY_BOOL),
        MANAGER("KernelSupport", kernel_support, PROPERTY_STRING),
        MANAGER("KernelSupportMessage", kernel_support_message, PROPERTY_STRING),
        MANAGER("Custody", custody, PROPERTY_STRING),
        MANAGER("Ledger", ledger, PROPERTY_STRING),
        MANAGER("Restore", restore, PROPERTY_STRING),
        MANAGER("RestoreMessage", restore_message, PROPERTY_STRING),
        MANAGER("NIncoming", n_incoming, PROPERTY_U32),
        MANAGER("NUnclaimed", n_unclaimed, PROPERTY_U32),
        MANAGER("NClaimed", n_claimed, PROPERTY_U32),
        MANAGER("NFailed", n_failed, PROPERTY_U32),
        MANAGER("NRenewed", n_renewed, PROPERTY_U32),
        MANAGER("NEnded", n_ended, PROPERTY_U32),
        MANAGER("LoadedKernel", loaded_kernel, PROPERTY_KERNEL),
        MANAGER("NSessions", n_sessions, PROPERTY_U32),
        MANAGER("NFiles", n_files, PROPERTY_U32),
        MANAGER("NParts", n_parts, PROPERTY_U32),
        MANAGER("KeptBytes", kept_bytes, PROPERTY_U64),
        MANAGER("LimitParts", limit_parts, PROPERTY_U32),
        MANAGER("LimitSessionsPerUser", limit_sessions_per_user, PROPERTY_U32),
        MANAGER("LimitFilesPerUser", limit_files_per_user, PROPERTY_U32),
        MANAGER("LimitFilesPerSession", limit_files_per_session, PROPERTY_U32),
        MANAGER("LimitFiles", limit_files, PROPERTY_U32),
        MANAGER("LimitMetadataPerSession", limit_metadata_per_session, PROPERTY_U32),
        MANAGER("UpdateDeadline", update_deadline, PROPERTY_U64),
        MANAGER("WaitingFor", waiting_for, PROPERTY_WAITING),
        {},
};

const Property session_properties[] = {
        SESSION("Name", name, PROPERTY_STRING),
        SESSION("Direction", direction, PROPERTY_STRING),
        SESSION("Owner", owner, PROPERTY_U32),
        SESSION("Files", files, PROPERTY_FILES),
        SESSION("Metadata", metadata, PROPERTY_METADATA),
        SESSION("CreatedTimestamp", created_timestamp, PROPERTY_U64),
        SESSION("CreatedGeneration", created_generation, PROPERTY_U64),
        SESSION("AutoRenew", auto_renew, PROPERTY_BOOL),
        SESSION("Carried", carried, PROPERTY_U32),
        SESSION("Flags", flags, PROPERTY_STRINGS),
        SESSION("Ready", ready, PROPERTY_BOOL),
        SESSION("Claim", claim, PROPERTY_STRING),
        SESSION("ClaimedTimestamp", claimed_timestamp, PROPERTY_U64),
        SESSION("Errno", error, PROPERTY_U32),
        {},
};

const Property identification_properties[] = {
        IDENTIFICATION("Kind", kind, PROPERTY_STRING),
        IDENTIFICATION("Type", type, PROPERTY_STRING),
        IDENTIFICATION("Size", size, PROPERTY_U64),
        IDENTIFICATION("Holes", holes, PROPERTY_U64),
        IDENTIFICATION("Mode", mode, PROPERTY_U32),
        IDENTIFICATION("Owner", owner, PROPERTY_U32),
        IDENTIFICATION("Access", access, PROPERTY_STRING),
        IDENTIFICATION("Seals", seals, PROPERTY_STRINGS),
        IDENTIFICATION("Keepable", keepable, PROPERTY_STRING),
        IDENTIFICATION("Reason", reason, PROPERTY_STRING),
        IDENTIFICATION("Kept", kept, PROPERTY_BOOL),
        IDENTIFICATION("Keeper", keeper, PROPERTY_STRING),
        IDENTIFICATION("Session", session, PROPERTY_STRING),
        IDENTIFICATION("SessionPath", session_path, PROPERTY_PATH),
        IDENTIFICATION("Direction", direction, PROPERTY_STRING),
        IDENTIFICATION("Token", token, PROPERTY_U64),
        {},
};

/* Makes room for one more item, zeroed and already counted, so that releasing the list releases it too. */
static void *list_grow(void *items, size_t *n_items, size_t size) {
        char *larger = reallocarray(*(void **) items, *n_items + 1, size);

        if (!larger)
                return NULL;
        *(void **) items = larger;
        return memset(larger + size * (*n_items)++, 0, size);
}

static int exit_container(sd_bus_message *m) {
        int r = sd_bus_message_exit_container(m);

        return MIN(r, 0);
}

static int copy_string(const char *s, char **ret) {
        char *copy = strdup(s);

        if (!copy)
                return -ENOMEM;
        free(*ret); /* a property that is sent twice */
        *ret = copy;
        return 0;
}

void string_list_done(StringList *l) {
        for (size_t i = 0; i < l->n_items; i++)
                free(l->items[i]);
        free(l->items);
        *l = (StringList){};
}

static void files_done(FileList *l) {
        for (size_t i = 0; i < l->n_items; i++) {
                free(l->items[i].label);
                free(l->items[i].kind);
                free(l->items[i].access);
                free(l->items[i].state);
        }
        free(l->items);
        *l = (FileList){};
}

static void metadata_done(MetadataList *l) {
        for (size_t i = 0; i < l->n_items; i++) {
                free(l->items[i].key);
                free(l->items[i].value);
        }
        free(l->items);
        *l = (MetadataList){};
}

static void waiting_done(WaitingList *l) {
        for (size_t i = 0; i < l->n_items; i++) {
                free(l->items[i].kind);
                free(l->items[i].name);
                free(l->items[i].why);
        }
        free(l->items);
        *l = (WaitingList){};
}

static int read_text(sd_bus_message *m, char type, void *field) {
        const char *s;
        int r;

        r = sd_bus_message_read_basic(m, type, &s);
        if (r < 0)
                return r;
        return copy_string(s, field);
}

static int read_string(sd_bus_message *m, void *field) {
        return read_text(m, 's', field);
}

static int read_path(sd_bus_message *m, void *field) {
        return read_text(m, 'o', field);
}

static int read_bool(sd_bus_message *m, void *field) {
        int b, r;

        r = sd_bus_message_read_basic(m, 'b', &b);
        if (r < 0)
                return r;
        *(bool *) field = b;
        return 0;
}

static int read_u32(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 'u', field);
}

static int read_u64(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 't', field);
}

int string_list_read(sd_bus_message *m, StringList *l) {
        int r;

        string_list_done(l);
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                char **item = list_grow(&l->items, &l->n_items, sizeof(*l->items));

                if (!item)
                        return -ENOMEM;
                r = read_string(m, item);
                if (r < 0)
                        return r;
        }

        return r < 0 ? r : exit_container(m);
}

static int read_strings(sd_bus_message *m, void *field) {
        return string_list_read(m, field);
}

static int read_files(sd_bus_message *m, void *field) {
        FileList *l = field;
        const char *label, *kind, *access, *state;
        FileInfo file = {};
        int r;

        files_done(l);
        r = sd_bus_message_enter_container(m, 'a', "(tsstuss)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(tsstuss)", &file.token, &label, &kind, &file.size, &file.mode,
                                        &access, &state)) > 0) {
                FileInfo *item = list_grow(&l->items, &l->n_items, sizeof(*l->items));

                if (!item)
                        return -ENOMEM;
                *item = file; /* its strings are still NULL */
                if (copy_string(label, &item->label) < 0 || copy_string(kind, &item->kind) < 0 ||
                    copy_string(access, &item->access) < 0 || copy_string(state, &item->state) < 0)
                        return -ENOMEM;
        }

        return r < 0 ? r : exit_container(m);
}

static int read_metadata_entry(sd_bus_message *m, MetadataEntry *entry) {
        const void *value;
        size_t size;
        int r;

        r = read_string(m, &entry->key);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(m, 'y', &value, &size);
        if (r < 0)
                return r;

        entry->value = malloc(MAX(size, (size_t) 1));
        if (!entry->value)
                return -ENOMEM;
        if (size > 0)
                memcpy(entry->value, value, size);
        entry->size = size;
        return 0;
}

static int read_metadata(sd_bus_message *m, void *field) {
        MetadataList *l = field;
        int r;

        metadata_done(l);
        r = sd_bus_message_enter_container(m, 'a', "{say}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "say")) > 0) {
                MetadataEntry *item = list_grow(&l->items, &l->n_items, sizeof(*l->items));

                if (!item)
                        return -ENOMEM;
                r = read_metadata_entry(m, item);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }

        return r < 0 ? r : exit_container(m);
}

static int read_waiting(sd_bus_message *m, void *field) {
        WaitingList *l = field;
        const char *kind, *name, *why;
        int r;

        waiting_done(l);
        r = sd_bus_message_enter_container(m, 'a', "(sss)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(sss)", &kind, &name, &why)) > 0) {
                WaitingInfo *item = list_grow(&l->items, &l->n_items, sizeof(*l->items));

                if (!item || copy_string(kind, &item->kind) < 0 || copy_string(name, &item->name) < 0 ||
                    copy_string(why, &item->why) < 0)
                        return -ENOMEM;
        }

        return r < 0 ? r : exit_container(m);
}

static void info_done(const Property *properties, char *info);

static int read_kernel(sd_bus_message *m, void *field) {
        info_done(kernel_properties, field); /* a property that is sent twice */
        *(KernelInfo *) field = (KernelInfo) {};
        return info_read(m, kernel_properties, field);
}

static const struct {
        const char *signature;
        int (*read)(sd_bus_message *m, void *field);
} types[_PROPERTY_TYPE_MAX] = {
        [PROPERTY_STRING] = { "s", read_string },
        [PROPERTY_PATH] = { "o", read_path },
        [PROPERTY_BOOL] = { "b", read_bool },
        [PROPERTY_U32] = { "u", read_u32 },
        [PROPERTY_U64] = { "t", read_u64 },
        [PROPERTY_STRINGS] = { "as", read_strings },
        [PROPERTY_FILES] = { "a(tsstuss)", read_files },
        [PROPERTY_METADATA] = { "a{say}", read_metadata },
        [PROPERTY_KERNEL] = { "a{sv}", read_kernel },
        [PROPERTY_WAITING] = { "a(sss)", read_waiting },
};

static int read_property(sd_bus_message *m, const Property *properties, char *info, uint64_t *present) {
        const char *name;
        size_t i = 0;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;

        while (properties[i].name && !streq(properties[i].name, name))
                i++;
        if (!properties[i].name)
                return sd_bus_message_skip(m, "v");

        r = sd_bus_message_enter_container(m, 'v', types[properties[i].type].signature);
        if (r < 0)
                return r;
        r = types[properties[i].type].read(m, info + properties[i].offset);
        if (r < 0)
                return r;
        *present |= UINT64_C(1) << i;
        return exit_container(m);
}

int info_read(sd_bus_message *m, const Property *properties, void *info) {
        uint64_t *present = info; /* the first member of all */
        int r;

        _Static_assert(offsetof(ManagerInfo, present) == 0 && offsetof(SessionInfo, present) == 0 &&
                               offsetof(IdentificationInfo, present) == 0 && offsetof(KernelInfo, present) == 0,
                       "moved");

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(m, properties, info, present);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }

        return r < 0 ? r : exit_container(m);
}

static void info_done(const Property *properties, char *info) {
        for (const Property *p = properties; p->name; p++)
                switch (p->type) {
                case PROPERTY_STRING:
                case PROPERTY_PATH:
                        freep(info + p->offset);
                        break;
                case PROPERTY_STRINGS:
                        string_list_done((StringList *) (info + p->offset));
                        break;
                case PROPERTY_FILES:
                        files_done((FileList *) (info + p->offset));
                        break;
                case PROPERTY_METADATA:
                        metadata_done((MetadataList *) (info + p->offset));
                        break;
                case PROPERTY_KERNEL:
                        info_done(kernel_properties, info + p->offset);
                        break;
                case PROPERTY_WAITING:
                        waiting_done((WaitingList *) (info + p->offset));
                        break;
                default:
                        break;
                }
}

void manager_info_done(ManagerInfo *info) {
        info_done(manager_properties, (char *) info);
        *info = (ManagerInfo){};
}

void session_info_done(SessionInfo *info) {
        info_done(session_properties, (char *) info);
        *info = (SessionInfo){};
}

void identification_info_done(IdentificationInfo *info) {
        info_done(identification_properties, (char *) info);
        *info = (IdentificationInfo){};
}

/* The interfaces of one object. */
static int read_object(sd_bus_message *m, SessionInfos *infos) {
        const char *interface;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                SessionInfo *info;

                r = sd_bus_message_read_basic(m, 's', &interface);
                if (r < 0)
                        return r;
                if (streq(interface, LUOD_INTERFACE_SESSION)) {
                        info = list_grow(&infos->items, &infos->n_items, sizeof(*infos->items));
                        r = info ? info_read(m, session_properties, info) : -ENOMEM;
                } else
                        r = sd_bus_message_skip(m, "a{sv}");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : exit_container(m);
}

static int compare_infos(const void *a, const void *b) {
        const SessionInfo *x = a, *y = b;

        return strcmp(strempty(x->name), strempty(y->name));
}

int session_infos_read(sd_bus_message *m, SessionInfos *infos) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
                r = sd_bus_message_skip(m, "o");
                if (r >= 0)
                        r = read_object(m, infos);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        if (infos->n_items > 0)
                qsort(infos->items, infos->n_items, sizeof(SessionInfo), compare_infos);
        return exit_container(m);
}

void session_infos_done(SessionInfos *infos) {
        for (size_t i = 0; i < infos->n_items; i++)
                session_info_done(infos->items + i);
        free(infos->items);
        *infos = (SessionInfos){};
}

static int compare_rows(const void *a, const void *b) {
        const SessionRow *x = a, *y = b;

        return strcmp(x->name, y->name);
}

int session_rows_read(sd_bus_message *m, SessionRows *rows) {
        const char *name, *direction, *path;
        SessionRow row = {};
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssuuto)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(ssuuto)", &name, &direction, &row.owner, &row.n_files,
                                        &row.size, &path)) > 0) {
                SessionRow *item = list_grow(&rows->items, &rows->n_items, sizeof(*rows->items));

                if (!item)
                        return -ENOMEM;
                *item = row;
                if (copy_string(name, &item->name) < 0 || copy_string(direction, &item->direction) < 0 ||
                    copy_string(path, &item->path) < 0)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;

        if (rows->n_items > 0)
                qsort(rows->items, rows->n_items, sizeof(*rows->items), compare_rows);
        return exit_container(m);
}

void session_rows_done(SessionRows *rows) {
        for (size_t i = 0; i < rows->n_items; i++) {
                free(rows->items[i].name);
                free(rows->items[i].direction);
                free(rows->items[i].path);
        }
        free(rows->items);
        *rows = (SessionRows){};
}

int findings_read(sd_bus_message *m, Findings *findings) {
        const char *severity, *id, *text, *advice;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssss)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(ssss)", &severity, &id, &text, &advice)) > 0) {
                Finding *item = list_grow(&findings->items, &findings->n_items, sizeof(*findings->items));

                if (!item)
                        return -ENOMEM;
                if (copy_string(severity, &item->severity) < 0 || copy_string(id, &item->id) < 0 ||
                    copy_string(text, &item->text) < 0 || copy_string(advice, &item->advice) < 0)
                        return -ENOMEM;
        }

        return r < 0 ? r : exit_container(m);
}

void findings_done(Findings *findings) {
        for (size_t i = 0; i < findings->n_items; i++) {
                free(findings->items[i].severity);
                free(findings->items[i].id);
                free(findings->items[i].text);
                free(findings->items[i].advice);
        }
        free(findings->items);
        *findings = (Findings){};
}

static const char *const severities[_SEVERITY_MAX] = {
        [SEVERITY_OK] = "ok",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_BLOCKS] = "blocks",
};

const char *severity_to_string(Severity severity) {
        assert(severity < _SEVERITY_MAX);
        return severities[severity];
}

Severity finding_severity(const Finding *finding) {
        for (Severity s = 0; s < _SEVERITY_MAX; s++)
                if (streq(finding->severity, severities[s]))
                        return s;
        return SEVERITY_WARNING;
}

Severity findings_worst(const Findings *findings, size_t ret_count[static _SEVERITY_MAX]) {
        Severity worst = SEVERITY_OK;

        memset(ret_count, 0, sizeof(size_t) * _SEVERITY_MAX);
        for (size_t i = 0; i < findings->n_items; i++) {
                Severity s = finding_severity(&findings->items[i]);

                ret_count[s]++;
                worst = MAX(worst, s);
        }

        return worst;
}

void inhibitors_done(Inhibitors *l) {
        for (size_t i = 0; i < l->n_items; i++) {
                free(l->items[i].what);
                free(l->items[i].who);
                free(l->items[i].why);
                free(l->items[i].mode);
        }
        free(l->items);
        *l = (Inhibitors){};
}

int inhibitors_read(sd_bus_message *m, Inhibitors *l) {
        const char *what, *who, *why, *mode;
        uint32_t uid, pid;
        uint64_t id;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssuut)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(ssssuut)", &what, &who, &why, &mode, &uid, &pid, &id)) > 0) {
                Inhibitor *item = list_grow(&l->items, &l->n_items, sizeof(*l->items));

                if (!item || copy_string(what, &item->what) < 0 || copy_string(who, &item->who) < 0 ||
                    copy_string(why, &item->why) < 0 || copy_string(mode, &item->mode) < 0)
                        return -ENOMEM;
                item->uid = uid;
                item->pid = pid;
                item->id = id;
        }

        return r < 0 ? r : exit_container(m);
}

void quota_rows_done(QuotaRows *l) {
        for (size_t i = 0; i < l->n_items; i++) {
                free(l->items[i].resource);
                free(l->items[i].unit);
                free(l->items[i].key);
        }
        free(l->items);
        *l = (QuotaRows) {};
}

int quota_rows_read(sd_bus_message *m, QuotaRows *l) {
        const char *resource, *unit, *key;
        QuotaRow row = {};
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(usstts)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(usstts)", &row.uid, &resource, &unit, &row.used, &row.limit, &key)) > 0) {
                QuotaRow *item = list_grow(&l->items, &l->n_items, sizeof(*l->items));

                if (!item)
                        return -ENOMEM;
                *item = row; /* its strings are still NULL */
                if (copy_string(resource, &item->resource) < 0 || copy_string(unit, &item->unit) < 0 ||
                    copy_string(key, &item->key) < 0)
                        return -ENOMEM;
        }

        return r < 0 ? r : exit_container(m);
}
