/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <json-c/json.h>

#include "encode.h"
#include "macro.h"
#include "text.h"

static void json_putp(json_object **o) {
        if (*o)
                json_object_put(*o);
}

JsonMode json_mode_from_string(const char *s) {
        static const char *const names[_JSON_MODE_MAX] = {
                [JSON_OFF] = "off",
                [JSON_SHORT] = "short",
                [JSON_PRETTY] = "pretty",
        };

        for (JsonMode m = 0; m < _JSON_MODE_MAX; m++)
                if (streq(names[m], s))
                        return m;
        return _JSON_MODE_INVALID;
}

/* The two ways to attach @value. It is taken over in any case, and NULL is a value that could not be made:
 * so calls can be nested and only the outermost result needs to be looked at. */
static int add(json_object *object, const char *key, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(object, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int append(json_object *array, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_array_add(array, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int add_string(json_object *object, const char *key, const char *s) {
        return add(object, key, json_object_new_string(strempty(s)));
}

static int add_u64(json_object *object, const char *key, uint64_t n) {
        return add(object, key, json_object_new_uint64(n));
}

static int print(json_object *o, JsonMode mode, char **ret) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
        const char *text;

        assert(mode != JSON_OFF);

        flags |= mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                     : JSON_C_TO_STRING_PLAIN;
        text = json_object_to_json_string_ext(o, flags);
        if (!text)
                return -ENOMEM;
        return text_escape_json(text, ret);
}

/* Without line breaks. */
static json_object *new_base64(const unsigned char *data, size_t size) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        text = malloc((size + 2) / 3 * 4 + 1);
        if (!text)
                return NULL;

        for (size_t i = 0; i < size; i += 3) {
                size_t left = size - i;
                uint32_t group = (uint32_t) data[i] << 16;

                group |= left > 1 ? (uint32_t) data[i + 1] << 8 : 0;
                group |= left > 2 ? (uint32_t) data[i + 2] : 0;
                text[n++] = digits[group >> 18];
                text[n++] = digits[group >> 12 & 63];
                text[n++] = left > 1 ? digits[group >> 6 & 63] : '=';
                text[n++] = left > 2 ? digits[group & 63] : '=';
        }

        text[n] = '\0';
        return json_object_new_string(text);
}

static json_object *new_bytes(const void *data, size_t size) {
        _cleanup_(json_putp) json_object *o = NULL;

        if (size <= INT32_MAX && text_is_utf8(data, size))
                return json_object_new_string_len(data, (int) size);

        o = json_object_new_object();
        if (!o || add(o, "base64", new_base64(data, size)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static json_object *new_strings(const StringList *l) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        for (size_t i = 0; a && i < l->n_items; i++)
                if (append(a, json_object_new_string(l->items[i])) < 0)
                        return NULL;
        return TAKE_PTR(a);
}

static json_object *new_metadata(const MetadataList *l) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        for (size_t i = 0; o && i < l->n_items; i++)
                if (add(o, l->items[i].key, new_bytes(l->items[i].value, l->items[i].size)) < 0)
                        return NULL;
        return TAKE_PTR(o);
}

static json_object *new_file(const FileInfo *f) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_u64(o, "token", f->token) < 0 || add_string(o, "label", f->label) < 0 ||
            add_string(o, "kind", f->kind) < 0 || add_u64(o, "size", f->size) < 0 ||
            add_u64(o, "mode", f->mode) < 0 || add_string(o, "access", f->access) < 0 ||
            add_string(o, "state", f->state) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static json_object *new_files(const FileList *l) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        for (size_t i = 0; a && i < l->n_items; i++)
                if (append(a, new_file(&l->items[i])) < 0)
                        return NULL;
        return TAKE_PTR(a);
}

static json_object *new_waiting(const WaitingList *l) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        for (size_t i = 0; a && i < l->n_items; i++) {
                json_object *o = json_object_new_object();

                /* it is the array's, whether it is complete or not */
                if (append(a, o) < 0 || add_string(o, "kind", l->items[i].kind) < 0 ||
                    add_string(o, "name", l->items[i].name) < 0 || add_string(o, "why", l->items[i].why) < 0)
                        return NULL;
        }
        return TAKE_PTR(a);
}

static json_object *new_info(const Property *properties, const void *info);

static json_object *new_field(PropertyType type, const void *field) {
        switch (type) {
        case PROPERTY_STRING:
        case PROPERTY_PATH:
                return json_object_new_string(strempty(*(char *const *) field));
        case PROPERTY_BOOL:
                return json_object_new_boolean(*(const bool *) field);
        case PROPERTY_U32:
                return json_object_new_uint64(*(const uint32_t *) field);
        case PROPERTY_U64:
                return json_object_new_uint64(*(const uint64_t *) field);
        case PROPERTY_STRINGS:
                return new_strings(field);
        case PROPERTY_FILES:
                return new_files(field);
        case PROPERTY_METADATA:
                return new_metadata(field);
        case PROPERTY_KERNEL:
                return new_info(kernel_properties, field);
        case PROPERTY_WAITING:
                return new_waiting(field);
        default:
                assert(false);
                return NULL;
        }
}

/* An object of the properties that are present. */
static json_object *new_info(const Property *properties, const void *info) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        uint64_t present = *(const uint64_t *) info;

        for (size_t i = 0; o && properties[i].name; i++)
                if ((present & UINT64_C(1) << i) &&
                    add(o, properties[i].key,
                        new_field(properties[i].type, (const char *) info + properties[i].offset)) < 0)
                        return NULL;
        return TAKE_PTR(o);
}

int encode_manager(const ManagerInfo *info, const char *const *warnings, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = new_info(manager_properties, info);
        json_object *a;

        if (!o)
                return -ENOMEM;
        a = json_object_new_array();
        if (add(o, "warnings", a) < 0)
                return -ENOMEM;
        for (; *warnings; warnings++)
                if (append(a, json_object_new_string(*warnings)) < 0)
                        return -ENOMEM;

        return print(o, mode, ret);
}

int encode_session(const SessionInfo *info, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = new_info(session_properties, info);

        if (!o)
                return -ENOMEM;
        return print(o, mode, ret);
}

int encode_identification(const IdentificationInfo *info, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = new_info(identification_properties, info);

        if (!o)
                return -ENOMEM;
        return print(o, mode, ret);
}

static json_object *new_row(const SessionRow *row) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_string(o, "name", row->name) < 0 || add_string(o, "direction", row->direction) < 0 ||
            add_u64(o, "owner", row->owner) < 0 || add_u64(o, "n_files", row->n_files) < 0 ||
            add_u64(o, "size", row->size) < 0 || add_string(o, "path", row->path) < 0)
                return NULL;
        return TAKE_PTR(o);
}

int encode_session_rows(const SessionRows *rows, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        if (!a)
                return -ENOMEM;
        for (size_t i = 0; i < rows->n_items; i++)
                if (append(a, new_row(&rows->items[i])) < 0)
                        return -ENOMEM;
        return print(a, mode, ret);
}

static json_object *new_inhibitor(const Inhibitor *i) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_string(o, "what", i->what) < 0 || add_string(o, "who", i->who) < 0 ||
            add_string(o, "why", i->why) < 0 || add_string(o, "mode", i->mode) < 0 ||
            add_u64(o, "uid", i->uid) < 0 || add_u64(o, "pid", i->pid) < 0 || add_u64(o, "id", i->id) < 0)
                return NULL;
        return TAKE_PTR(o);
}

int encode_inhibitors(const Inhibitors *inhibitors, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        if (!a)
                return -ENOMEM;
        for (size_t i = 0; i < inhibitors->n_items; i++)
                if (append(a, new_inhibitor(&inhibitors->items[i])) < 0)
                        return -ENOMEM;
        return print(a, mode, ret);
}

/* "user" is null for all users together, "limit" where there is none. */
static json_object *new_quota_row(const QuotaRow *row) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || (row->uid == QUOTA_ALL_USERS ? json_object_object_add(o, "user", NULL) : add_u64(o, "user", row->uid)) < 0 ||
            add_string(o, "resource", row->resource) < 0 || add_string(o, "unit", row->unit) < 0 ||
            add_u64(o, "used", row->used) < 0 ||
            (row->limit == QUOTA_NO_LIMIT ? json_object_object_add(o, "limit", NULL) : add_u64(o, "limit", row->limit)) < 0 ||
            add_string(o, "key", row->key) < 0)
                return NULL;
        return TAKE_PTR(o);
}

int encode_quota(const QuotaRows *rows, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        if (!a)
                return -ENOMEM;
        for (size_t i = 0; i < rows->n_items; i++)
                if (append(a, new_quota_row(&rows->items[i])) < 0)
                        return -ENOMEM;
        return print(a, mode, ret);
}

static json_object *new_finding(const Finding *f) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_string(o, "severity", f->severity) < 0 || add_string(o, "id", f->id) < 0 ||
            add_string(o, "finding", f->text) < 0 || add_string(o, "advice", f->advice) < 0)
                return NULL;
        return TAKE_PTR(o);
}

int encode_findings(const Findings *findings, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();
        size_t count[_SEVERITY_MAX];
        json_object *a;

        if (!o || add_string(o, "verdict", severity_to_string(findings_worst(findings, count))) < 0)
                return -ENOMEM;
        a = json_object_new_array();
        if (add(o, "findings", a) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < findings->n_items; i++)
                if (append(a, new_finding(&findings->items[i])) < 0)
                        return -ENOMEM;

        return print(o, mode, ret);
}

int encode_created(const char *name, const char *path, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_string(o, "name", name) < 0 || add_string(o, "path", path) < 0)
                return -ENOMEM;
        return print(o, mode, ret);
}

int encode_event(const Event *event, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_u64(o, "timestamp", event->timestamp) < 0 ||
            add_string(o, "event", event->event) < 0 ||
            (event->session && add_string(o, "session", event->session) < 0) ||
            (event->path && add_string(o, "path", event->path) < 0) ||
            (event->how && add_string(o, "how", event->how) < 0) ||
            (event->properties && add(o, "changed", new_info(event->properties, event->info)) < 0) ||
            (event->invalidated && add(o, "invalidated", new_strings(event->invalidated)) < 0))
                return -ENOMEM;
        return print(o, mode, ret);
}

int encode_report(const char *report, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *o = json_tokener_parse(report);

        return json_object_is_type(o, json_type_object) ? print(o, mode, ret) : -EBADMSG;
}

static json_object *new_report_row(const ReportRow *row) {
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || add_u64(o, "id", row->id) < 0 || add_string(o, "road", row->road) < 0 ||
            add_string(o, "result", row->result) < 0 || add_u64(o, "realtime", row->realtime) < 0)
                return NULL;
        return TAKE_PTR(o);
}

int encode_report_rows(const ReportRow *rows, size_t n, JsonMode mode, char **ret) {
        _cleanup_(json_putp) json_object *a = json_object_new_array();

        for (size_t i = 0; a && i < n; i++)
                if (append(a, new_report_row(rows + i)) < 0)
                        return -ENOMEM;
        return a ? print(a, mode, ret) : -ENOMEM;
}
