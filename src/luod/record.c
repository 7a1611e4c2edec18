/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>

#include <json-c/json.h>

#include "macro.h"
#include "record.h"

/* Each kind of record is described by a table of fields; encoding and decoding walk the same table, so one
 * cannot know what the other does not. json-c converts silently ("42x" read as a number is 42, -1 read as
 * uint64 is 0, 2^64 is 2^64-1), therefore the type is always asked for before the value, and numbers are
 * looked at before json-c. */

#define DEPTH_MAX 16

typedef enum FieldKind {
        FIELD_U64,
        FIELD_NUMBER, /* 32 bits, 0 to @max */
        FIELD_BOOL,
        FIELD_STRING, /* char array of @size with NUL */
        FIELD_CHAR,   /* one of those in table[0] */
        FIELD_ENUM,   /* by @table, @size names */
        FIELD_HEX,    /* of MetaRecord alone: value and n_value, absent when NULL */
} FieldKind;

typedef struct Field {
        const char *key;
        FieldKind kind;
        size_t offset; /* in the record */
        size_t size;
        uint32_t max;
        const char *const *table;
        bool optional; /* absent when it is empty, 0 or false */
} Field;

typedef struct Layout {
        const Field *fields;
        size_t n_fields;
        size_t size;  /* of the record */
        size_t extra; /* offset of it */
} Layout;

static const char *const record_types[_RECORD_TYPE_MAX] = {
        [RECORD_HEAD] = "head", [RECORD_SESSION] = "session", [RECORD_PART] = "part",
        [RECORD_FILE] = "file", [RECORD_META] = "meta",       [RECORD_END] = "end",
};

static const char *const directions[_DIRECTION_MAX] = {
        [DIRECTION_OUTGOING] = "outgoing",
        [DIRECTION_INCOMING] = "incoming",
};

static const char *const session_states[_SESSION_STATE_MAX] = {
        [SESSION_NEW] = "new",
        [SESSION_LIVE] = "live",
        [SESSION_FINISHING] = "finishing",
        [SESSION_DISCARDING] = "discarding",
        [SESSION_RENEWING] = "renewing",
};

static const char *const file_states[_FILE_STATE_MAX] = {
        [FILE_INTENT] = "intent", [FILE_KEPT] = "kept",       [FILE_RETRIEVED] = "retrieved",
        [FILE_FAILED] = "failed", [FILE_DROPPED] = "dropped",
};

static const char *const file_kinds[_FILE_KIND_MAX] = {
        [FILE_KIND_MEMFD] = "memfd",
        [FILE_KIND_OTHER] = "other",
};

static const char *const end_hows[_END_HOW_MAX] = {
        [END_FINISHED] = "finished",
        [END_DISCARDED] = "discarded",
        [END_UNDONE] = "undone",
};

static const char *const accesses[] = {
        [O_RDONLY] = "read",
        [O_WRONLY] = "write",
        [O_RDWR] = "read-write",
};

static const char *const series[] = { "ab" };

#define FIELD(type, key_, member, kind_, ...) \
        { .key = key_, .kind = kind_, .offset = offsetof(type, member), __VA_ARGS__ }
#define U64(type, member) FIELD(type, #member, member, FIELD_U64)
#define NUMBER(type, member, max_) FIELD(type, #member, member, FIELD_NUMBER, .max = max_)
#define BOOL(type, member) FIELD(type, #member, member, FIELD_BOOL)
#define STRING_AS(type, key_, member) \
        FIELD(type, key_, member, FIELD_STRING, .size = sizeof(((type *) 0)->member))
#define STRING(type, member) STRING_AS(type, #member, member)
#define ENUM(type, member, table_) \
        FIELD(type, #member, member, FIELD_ENUM, .table = table_, .size = ARRAY_SIZE(table_))
#define LAYOUT(type, fields_)                                                             \
        {                                                                                 \
                .fields = fields_, .n_fields = ARRAY_SIZE(fields_), .size = sizeof(type), \
                .extra = offsetof(type, extra)                                            \
        }

/* FIELD_NUMBER and FIELD_ENUM are stored as 32 bits. */
static_assert(sizeof(uid_t) == 4 && sizeof(gid_t) == 4 && sizeof(mode_t) == 4, "ids and modes have 32 bits");
static_assert(sizeof(int) == 4 && sizeof(Direction) == 4 && sizeof(FileState) == 4, "enums have 32 bits");

static const Field head_fields[] = {
        U64(HeadRecord, generation),
        STRING_AS(HeadRecord, "boot", boot_id),
        FIELD(HeadRecord, "series", series, FIELD_CHAR, .table = series),
        U64(HeadRecord, next_sid),
        U64(HeadRecord, next_fdname),
        STRING(HeadRecord, ledger),
        STRING(HeadRecord, previous),
};
static const Layout head_layout = LAYOUT(HeadRecord, head_fields);

static const Field session_fields[] = {
        STRING(SessionRecord, name),
        NUMBER(SessionRecord, uid, UINT32_MAX),
        ENUM(SessionRecord, direction, directions),
        ENUM(SessionRecord, state, session_states),
        U64(SessionRecord, created),
        U64(SessionRecord, created_generation),
        BOOL(SessionRecord, answered),
        NUMBER(SessionRecord, flags, UINT32_MAX),
        FIELD(SessionRecord, "participates", participates, FIELD_BOOL, .optional = true),
        FIELD(SessionRecord, "unready", unready, FIELD_BOOL, .optional = true),
        FIELD(SessionRecord, "claimed", claimed, FIELD_U64, .optional = true),
        FIELD(SessionRecord, "auto_renew", auto_renew, FIELD_BOOL, .optional = true),
        FIELD(SessionRecord, "carrying", carrying, FIELD_BOOL, .optional = true),
        FIELD(SessionRecord, "carried", carried, FIELD_NUMBER, .max = UINT32_MAX, .optional = true),
};
static const Layout session_layout = LAYOUT(SessionRecord, session_fields);

static const Field part_fields[] = {
        STRING(PartRecord, kname),
        STRING(PartRecord, fdname),
        STRING_AS(PartRecord, "boot", boot_id),
        BOOL(PartRecord, many),
        BOOL(PartRecord, gone),
};
static const Layout part_layout = LAYOUT(PartRecord, part_fields);

static const Field file_fields[] = {
        STRING(FileRecord, part),
        U64(FileRecord, ktoken),
        U64(FileRecord, token),
        STRING(FileRecord, label),
        ENUM(FileRecord, kind, file_kinds),
        ENUM(FileRecord, state, file_states),
        U64(FileRecord, size),
        NUMBER(FileRecord, uid, UINT32_MAX),
        NUMBER(FileRecord, gid, UINT32_MAX),
        NUMBER(FileRecord, mode, 07777),
        ENUM(FileRecord, access, accesses),
        NUMBER(FileRecord, seals, UINT32_MAX),
        U64(FileRecord, dev),
        U64(FileRecord, ino),
        NUMBER(FileRecord, error, INT32_MAX),
        FIELD(FileRecord, "object", object, FIELD_STRING, .size = OBJECT_NAME_MAX + 1, .optional = true),
};
static const Layout file_layout = LAYOUT(FileRecord, file_fields);

static const Field meta_fields[] = {
        STRING(MetaRecord, key),
        FIELD(MetaRecord, "value", value, FIELD_HEX),
};
static const Layout meta_layout = LAYOUT(MetaRecord, meta_fields);

static const Field end_fields[] = {
        ENUM(EndRecord, how, end_hows),
        STRING(EndRecord, name),
        U64(EndRecord, when),
};
static const Layout end_layout = LAYOUT(EndRecord, end_fields);

static struct json_object *json_object_freeo(struct json_object *o) {
        (void) json_object_put(o);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct json_object, json_object_freeo);

static struct json_tokener *json_tokener_freet(struct json_tokener *t) {
        json_tokener_free(t);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct json_tokener, json_tokener_freet);

/* String tables */

static const char *table_get(const char *const *table, size_t n, int value) {
        return value >= 0 && (size_t) value < n ? table[value] : NULL;
}

static int table_find(const char *const *table, size_t n, const char *s) {
        for (size_t i = 0; s && i < n; i++)
                if (streq(table[i], s))
                        return (int) i;
        return -EINVAL;
}

const char *record_type_to_string(RecordType t) {
        return table_get(record_types, ARRAY_SIZE(record_types), t);
}

const char *direction_to_string(Direction d) {
        return table_get(directions, ARRAY_SIZE(directions), d);
}

Direction direction_from_string(const char *s) {
        return (Direction) table_find(directions, ARRAY_SIZE(directions), s);
}

const char *session_state_to_string(SessionState s) {
        return table_get(session_states, ARRAY_SIZE(session_states), s);
}

SessionState session_state_from_string(const char *s) {
        return (SessionState) table_find(session_states, ARRAY_SIZE(session_states), s);
}

const char *file_state_to_string(FileState s) {
        return table_get(file_states, ARRAY_SIZE(file_states), s);
}

FileState file_state_from_string(const char *s) {
        return (FileState) table_find(file_states, ARRAY_SIZE(file_states), s);
}

const char *file_kind_to_string(FileKind k) {
        return table_get(file_kinds, ARRAY_SIZE(file_kinds), k);
}

FileKind file_kind_from_string(const char *s) {
        return (FileKind) table_find(file_kinds, ARRAY_SIZE(file_kinds), s);
}

const char *end_how_to_string(EndHow h) {
        return table_get(end_hows, ARRAY_SIZE(end_hows), h);
}

EndHow end_how_from_string(const char *s) {
        return (EndHow) table_find(end_hows, ARRAY_SIZE(end_hows), s);
}

/* Hex */

static struct json_object *hex_encode(const uint8_t *value, size_t n) {
        static const char digits[] = "0123456789abcdef";
        _cleanup_free_ char *text = NULL;

        text = malloc(2 * n + 1);
        if (!text)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                text[2 * i] = digits[value[i] >> 4];
                text[2 * i + 1] = digits[value[i] & 15];
        }
        return json_object_new_string_len(text, (int) (2 * n));
}

/* -1 for what is no lowercase hex digit. */
static int unhex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_decode(const char *text, size_t size, uint8_t **ret, size_t *ret_n) {
        _cleanup_free_ uint8_t *value = NULL;

        if (size % 2 != 0 || size / 2 > METADATA_SIZE_MAX)
                return -EBADMSG;
        value = malloc(size / 2 + 1); /* NULL would say that the key is gone */
        if (!value)
                return -ENOMEM;

        for (size_t i = 0; i < size / 2; i++) {
                int high = unhex(text[2 * i]), low = unhex(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                value[i] = (uint8_t) (high << 4 | low);
        }

        *ret = TAKE_PTR(value);
        *ret_n = size / 2;
        return 0;
}

/* Encoding */

static uint32_t load_u32(const void *p) {
        uint32_t value;

        memcpy(&value, p, sizeof(value));
        return value;
}

static uint64_t load_u64(const void *p) {
        uint64_t value;

        memcpy(&value, p, sizeof(value));
        return value;
}

/* NULL: no memory. A value that could not be read back is a programming error. */
static struct json_object *field_encode(const Field *field, const void *record) {
        const void *p = (const char *) record + field->offset;
        const MetaRecord *meta = record;
        const char *name;

        switch (field->kind) {
        case FIELD_U64:
                return json_object_new_uint64(load_u64(p));
        case FIELD_NUMBER:
                assert(load_u32(p) <= field->max);
                return json_object_new_uint64(load_u32(p));
        case FIELD_BOOL:
                return json_object_new_boolean(*(const bool *) p);
        case FIELD_STRING:
                return json_object_new_string_len(p, (int) strnlen(p, field->size - 1));
        case FIELD_CHAR:
                assert(*(const char *) p && strchr(field->table[0], *(const char *) p));
                return json_object_new_string_len(p, 1);
        case FIELD_ENUM:
                name = table_get(field->table, field->size, (int) load_u32(p));
                assert(name);
                return json_object_new_string(strempty(name));
        case FIELD_HEX:
                return hex_encode(meta->value, meta->n_value);
        }
        return NULL;
}

/* Takes over @value, also when it fails. */
static int object_add(struct json_object *object, const char *key, struct json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(object, key, value) < 0) {
                (void) json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int text_parse(const char *text, size_t size, struct json_object **ret);

/* Adds what a newer luod wrote; what this one knows goes before. */
static int extra_encode(const char *extra, struct json_object *object) {
        _cleanup_(json_object_freeop) struct json_object *more = NULL;
        int r;

        if (!extra)
                return 0;
        r = text_parse(extra, strlen(extra), &more);
        if (r < 0)
                return r;

        json_object_object_foreach(more, key, value) {
                if (json_object_object_get_ex(object, key, NULL))
                        continue;
                if (json_object_object_add(object, key, json_object_get(value)) < 0) {
                        (void) json_object_put(value);
                        return -ENOMEM;
                }
        }
        return 0;
}

static bool field_is_absent(const Field *field, const void *record) {
        const void *p = (const char *) record + field->offset;

        if (field->kind == FIELD_HEX)
                return !((const MetaRecord *) record)->value;
        if (!field->optional)
                return false;
        if (field->kind == FIELD_U64)
                return load_u64(p) == 0;
        return field->kind == FIELD_NUMBER ? load_u32(p) == 0 : *(const char *) p == '\0';
}

static int fields_encode(const Layout *layout, const void *record, struct json_object *object) {
        for (size_t i = 0; i < layout->n_fields; i++) {
                const Field *field = &layout->fields[i];
                int r;

                if (field_is_absent(field, record))
                        continue;
                r = object_add(object, field->key, field_encode(field, record));
                if (r < 0)
                        return r;
        }
        return 0;
}

static char **record_extra(const Layout *layout, void *record) {
        return (char **) ((char *) record + layout->extra);
}

static int object_print(struct json_object *object, char **ret, size_t *ret_size) {
        const char *text;
        size_t size;
        char *copy;

        text = json_object_to_json_string_length(
                object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
        copy = text ? strdup(text) : NULL;
        if (!copy)
                return -ENOMEM;

        *ret = copy;
        *ret_size = size;
        return 0;
}

static int record_encode(const Layout *layout, const void *record, char **ret, size_t *ret_size) {
        _cleanup_(json_object_freeop) struct json_object *object = NULL;
        int r;

        object = json_object_new_object();
        if (!object)
                return -ENOMEM;
        r = fields_encode(layout, record, object);
        if (r < 0)
                return r;
        r = extra_encode(*record_extra(layout, (void *) record), object);
        if (r < 0)
                return r;

        return object_print(object, ret, ret_size);
}

/* Decoding */

/* Whether json-c, which makes the largest number of any larger one without a word, reads the number at @s as
 * what it says. */
static bool number_is_exact(const char *s, size_t size) {
        bool negative = s[0] == '-';
        const char *limit = negative ? "9223372036854775808" : "18446744073709551615";
        size_t n_limit = strlen(limit), n = size - negative;

        for (size_t i = 0; i < size; i++)
                if (strchr(".eE", s[i]))
                        return true; /* a double, and its text is kept */
        return n < n_limit || (n == n_limit && memcmp(s + negative, limit, n) <= 0);
}

static size_t string_length(const char *s, size_t size) {
        for (size_t i = 1; i < size; i++) {
                if (s[i] == '\\')
                        i++;
                else if (s[i] == '"')
                        return i + 1;
        }
        return size;
}

static size_t number_length(const char *s, size_t size) {
        size_t n = 0;

        while (n < size && s[n] && strchr("+-.0123456789eE", s[n]))
                n++;
        return n;
}

static bool numbers_are_exact(const char *text, size_t size) {
        for (size_t i = 0, n; i < size; i += n) {
                bool number = text[i] == '-' || (text[i] >= '0' && text[i] <= '9');

                n = 1;
                if (text[i] == '"')
                        n = string_length(text + i, size - i);
                else if (number)
                        n = number_length(text + i, size - i);
                if (number && !number_is_exact(text + i, n))
                        return false;
        }
        return true;
}

/* The text, all of it, as an object. Strict: no comments, no number beyond 64 bits, nothing behind the end.
 */
static int text_parse(const char *text, size_t size, struct json_object **ret) {
        _cleanup_(json_tokener_freetp) struct json_tokener *tokener = NULL;
        _cleanup_(json_object_freeop) struct json_object *object = NULL;

        if (size > INT32_MAX || !numbers_are_exact(text, size))
                return -EBADMSG;
        tokener = json_tokener_new_ex(DEPTH_MAX);
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);

        object = json_tokener_parse_ex(tokener, text, (int) size);
        if (json_tokener_get_error(tokener) != json_tokener_success ||
            json_tokener_get_parse_end(tokener) != size)
                return -EBADMSG;
        if (!json_object_is_type(object, json_type_object))
                return -EBADMSG;

        *ret = TAKE_PTR(object);
        return 0;
}

static int value_get_u64(struct json_object *value, uint64_t max, uint64_t *ret) {
        if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
                return -EBADMSG;
        if (json_object_get_uint64(value) > max)
                return -EBADMSG;

        *ret = json_object_get_uint64(value);
        return 0;
}

/* Without embedded NUL, below @size bytes. */
static int value_get_string(struct json_object *value, size_t size, const char **ret) {
        const char *s;

        if (!json_object_is_type(value, json_type_string))
                return -EBADMSG;
        s = json_object_get_string(value);
        if (strlen(s) != (size_t) json_object_get_string_len(value) || strlen(s) >= size)
                return -EBADMSG;

        *ret = s;
        return 0;
}

static int number_decode(const Field *field, struct json_object *value, void *p) {
        bool wide = field->kind == FIELD_U64;
        uint64_t number;
        uint32_t narrow;
        int r;

        r = value_get_u64(value, wide ? UINT64_MAX : field->max, &number);
        if (r < 0)
                return r;

        narrow = (uint32_t) number;
        memcpy(p, wide ? (void *) &number : &narrow, wide ? sizeof(number) : sizeof(narrow));
        return 0;
}

static int string_decode(const Field *field, struct json_object *value, char *p) {
        const char *s;
        int r;

        r = value_get_string(value, field->size, &s);
        if (r < 0)
                return r;
        memcpy(p, s, strlen(s) + 1);
        return 0;
}

static int char_decode(const Field *field, struct json_object *value, char *p) {
        const char *s;
        int r;

        r = value_get_string(value, /* size= */ 2, &s);
        if (r < 0)
                return r;
        if (!s[0] || !strchr(field->table[0], s[0]))
                return -EBADMSG;
        *p = s[0];
        return 0;
}

static int enum_decode(const Field *field, struct json_object *value, void *p) {
        const char *s;
        int r, found;

        r = value_get_string(value, SIZE_MAX, &s);
        if (r < 0)
                return r;
        found = table_find(field->table, field->size, s);
        if (found < 0)
                return -EBADMSG;
        memcpy(p, &found, sizeof(found));
        return 0;
}

static int meta_value_decode(struct json_object *value, MetaRecord *meta) {
        const char *s;
        int r;

        r = value_get_string(value, SIZE_MAX, &s);
        return r < 0 ? r : hex_decode(s, strlen(s), &meta->value, &meta->n_value);
}

static int field_decode(const Field *field, struct json_object *value, void *record) {
        void *p = (char *) record + field->offset;

        switch (field->kind) {
        case FIELD_U64:
        case FIELD_NUMBER:
                return number_decode(field, value, p);
        case FIELD_BOOL:
                if (!json_object_is_type(value, json_type_boolean))
                        return -EBADMSG;
                *(bool *) p = json_object_get_boolean(value);
                return 0;
        case FIELD_STRING:
                return string_decode(field, value, p);
        case FIELD_CHAR:
                return char_decode(field, value, p);
        case FIELD_ENUM:
                return enum_decode(field, value, p);
        case FIELD_HEX:
                return meta_value_decode(value, record);
        }
        return -EBADMSG;
}

/* Fills the record and takes out of @object what is known. */
static int fields_decode(const Layout *layout, struct json_object *object, void *record) {
        for (size_t i = 0; i < layout->n_fields; i++) {
                const Field *field = &layout->fields[i];
                struct json_object *value;
                int r;

                if (!json_object_object_get_ex(object, field->key, &value)) {
                        if (field->kind == FIELD_HEX || field->optional)
                                continue;
                        return -EBADMSG;
                }
                r = field_decode(field, value, record);
                if (r < 0)
                        return r;
                json_object_object_del(object, field->key);
        }
        return 0;
}

static void record_done(const Layout *layout, void *record) {
        char **extra = record_extra(layout, record);

        free(*extra);
        *extra = NULL;
        if (layout == &meta_layout) {
                MetaRecord *meta = record;

                free(meta->value);
                meta->value = NULL;
                meta->n_value = 0;
        }
}

static int record_fill(const Layout *layout, struct json_object *object, void *record) {
        size_t size;
        int r;

        r = fields_decode(layout, object, record);
        if (r < 0 || json_object_object_length(object) == 0)
                return r;
        return object_print(object, record_extra(layout, record), &size);
}

static int record_decode(const Layout *layout, const char *text, size_t size, void *ret) {
        _cleanup_(json_object_freeop) struct json_object *object = NULL;
        _cleanup_free_ void *fresh = NULL;
        int r;

        r = text_parse(text, size, &object);
        if (r < 0)
                return r;
        fresh = calloc(1, layout->size);
        if (!fresh)
                return -ENOMEM;

        r = record_fill(layout, object, fresh);
        if (r < 0) {
                record_done(layout, fresh);
                return r;
        }

        memcpy(ret, fresh, layout->size);
        return 0;
}

int head_record_encode(const HeadRecord *record, char **ret, size_t *ret_size) {
        return record_encode(&head_layout, record, ret, ret_size);
}

int head_record_decode(const char *text, size_t size, HeadRecord *ret) {
        return record_decode(&head_layout, text, size, ret);
}

void head_record_done(HeadRecord *record) {
        record_done(&head_layout, record);
}

int session_record_encode(const SessionRecord *record, char **ret, size_t *ret_size) {
        return record_encode(&session_layout, record, ret, ret_size);
}

int session_record_decode(const char *text, size_t size, SessionRecord *ret) {
        return record_decode(&session_layout, text, size, ret);
}

void session_record_done(SessionRecord *record) {
        record_done(&session_layout, record);
}

int part_record_encode(const PartRecord *record, char **ret, size_t *ret_size) {
        return record_encode(&part_layout, record, ret, ret_size);
}

int part_record_decode(const char *text, size_t size, PartRecord *ret) {
        return record_decode(&part_layout, text, size, ret);
}

void part_record_done(PartRecord *record) {
        record_done(&part_layout, record);
}

int file_record_encode(const FileRecord *record, char **ret, size_t *ret_size) {
        return record_encode(&file_layout, record, ret, ret_size);
}

int file_record_decode(const char *text, size_t size, FileRecord *ret) {
        return record_decode(&file_layout, text, size, ret);
}

void file_record_done(FileRecord *record) {
        record_done(&file_layout, record);
}

int meta_record_encode(const MetaRecord *record, char **ret, size_t *ret_size) {
        return record_encode(&meta_layout, record, ret, ret_size);
}

int meta_record_decode(const char *text, size_t size, MetaRecord *ret) {
        return record_decode(&meta_layout, text, size, ret);
}

void meta_record_done(MetaRecord *record) {
        record_done(&meta_layout, record);
}

int end_record_encode(const EndRecord *record, char **ret, size_t *ret_size) {
        return record_encode(&end_layout, record, ret, ret_size);
}

int end_record_decode(const char *text, size_t size, EndRecord *ret) {
        return record_decode(&end_layout, text, size, ret);
}

void end_record_done(EndRecord *record) {
        record_done(&end_layout, record);
}
