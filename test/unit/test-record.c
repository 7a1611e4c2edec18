/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "macro.h"
#include "record.h"

/* Each kind of record through one pair of functions, in a place large enough for any. */
typedef union Any {
        HeadRecord head;
        SessionRecord session;
        PartRecord part;
        FileRecord file;
        MetaRecord meta;
        EndRecord end;
} Any;

typedef struct Kind {
        const char *name;
        const char *sample; /* as it is written */
        int (*decode)(const char *text, size_t size, Any *ret);
        int (*encode)(const Any *record, char **ret, size_t *ret_size);
        void (*done)(Any *record);
} Kind;

#define DEFINE_KIND(name, type)                                                     \
        static int name##_decode(const char *text, size_t size, Any *ret) {         \
                return name##_record_decode(text, size, &ret->name);                \
        }                                                                           \
        static int name##_encode(const Any *record, char **ret, size_t *ret_size) { \
                return name##_record_encode(&record->name, ret, ret_size);          \
        }                                                                           \
        static void name##_done(Any *record) {                                      \
                name##_record_done(&record->name);                                  \
        }

DEFINE_KIND(head, HeadRecord)
DEFINE_KIND(session, SessionRecord)
DEFINE_KIND(part, PartRecord)
DEFINE_KIND(file, FileRecord)
DEFINE_KIND(meta, MetaRecord)
DEFINE_KIND(end, EndRecord)

#define KIND(name, sample_) \
        { #name, sample_, name##_decode, name##_encode, name##_done }
#define BOOT "\"boot\":\"4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1\""

static const Kind kinds[] = {
        KIND(head, "{\"generation\":3," BOOT ",\"series\":\"a\",\"next_sid\":12,\"next_fdname\":40,\"ledger\":\"luod-a-0\",\"previous\":\"luod-b-0\"}"),
        KIND(session,
             "{\"name\":\"vm1\",\"uid\":1000,\"direction\":\"outgoing\",\"state\":\"live\","
             "\"created\":1719000000000000,\"created_generation\":2,\"answered\":true,\"flags\":0}"),
        KIND(session,
             "{\"name\":\"vm1\",\"uid\":1000,\"direction\":\"incoming\",\"state\":\"live\","
             "\"created\":1719000000000000,\"created_generation\":2,\"answered\":true,\"flags\":0,\"claimed\":1719000000000001}"),
        KIND(part, "{\"kname\":\"luod-a-7\",\"fdname\":\"1f\"," BOOT ",\"many\":false,\"gone\":false}"),
        KIND(file,
             "{\"part\":\"luod-a-7\",\"ktoken\":1,\"token\":18446744073709551615,\"label\":\"ram\",\"kind\":"
             "\"memfd\","
             "\"state\":\"kept\",\"size\":4096,\"uid\":1000,\"gid\":100,\"mode\":384,\"access\":\"read-"
             "write\","
             "\"seals\":15,\"dev\":23,\"ino\":9223372036854775808,\"error\":0}"),
        KIND(meta, "{\"key\":\"k\",\"value\":\"00ff7f\"}"),
        KIND(end, "{\"how\":\"finished\",\"name\":\"vm1\",\"when\":1719000000000000}"),
};

static int decode_text(const Kind *kind, const char *text, Any *ret) {
        return kind->decode(text, strlen(text), ret);
}

static bool is_refused(const Kind *kind, const char *text) {
        Any record, before;
        int r;

        memset(&record, 0xa5, sizeof(record));
        before = record;
        r = decode_text(kind, text, &record);
        if (r >= 0)
                kind->done(&record);
        return r == -EBADMSG && memcmp(&record, &before, sizeof(record)) == 0;
}

static bool is_taken(const Kind *kind, const char *text) {
        Any record = {};
        int r;

        r = decode_text(kind, text, &record);
        kind->done(&record);
        return r == 0;
}

static char *reencode(const Kind *kind, const char *text) {
        Any record = {};
        char *again = NULL;
        size_t size = 0;

        assert_int_equal(decode_text(kind, text, &record), 0);
        assert_int_equal(kind->encode(&record, &again, &size), 0);
        assert_int_equal(size, strlen(again));
        kind->done(&record);
        return again;
}

static bool comes_back_as(const Kind *kind, const char *text, const char *as) {
        _cleanup_free_ char *again = reencode(kind, text);

        if (!streq(again, as))
                print_error("%s\n%s\n", again, as);
        return streq(again, as);
}

/* The sample with @key's value replaced by the JSON text @value; removed when that is NULL. */
static char *with(const Kind *kind, const char *key, const char *value) {
        struct json_object *object = json_tokener_parse(kind->sample);
        char *text, *hole;

        assert_non_null(object);
        if (!value)
                json_object_object_del(object, key);
        else
                (void) json_object_object_add(object, key, json_object_new_string("@@"));
        text = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
        (void) json_object_put(object);
        if (!value)
                return text;

        hole = strstr(text, "\"@@\""); /* as it stands: a parser would put some values right */
        assert_non_null(hole);
        *hole = 0;
        assert_true(asprintf(&hole, "%s%s%s", text, value, hole + 4) > 0);
        free(text);
        return hole;
}

static bool with_is_refused(const Kind *kind, const char *key, const char *value) {
        _cleanup_free_ char *text = with(kind, key, value);

        return is_refused(kind, text);
}

static bool with_is_taken(const Kind *kind, const char *key, const char *value) {
        _cleanup_free_ char *text = with(kind, key, value);

        return is_taken(kind, text);
}

static const Kind *kind_named(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (streq(kinds[i].name, name))
                        return &kinds[i];
        fail();
        return NULL;
}

static void test_what_was_written_is_written_again(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                assert_true(comes_back_as(&kinds[i], kinds[i].sample, kinds[i].sample));
}

static void test_every_truncated_text_is_refused(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                for (size_t size = 0; size < strlen(kinds[i].sample); size++) {
                        char *text = strndup(kinds[i].sample, size), *exact = malloc(size);

                        assert_non_null(text);
                        assert_true(is_refused(&kinds[i], text));
                        if (exact) { /* not terminated: nothing behind is read */
                                Any record;

                                memcpy(exact, text, size);
                                assert_int_equal(kinds[i].decode(exact, size, &record), -EBADMSG);
                        }
                        free(text);
                        free(exact);
                }
}

static void test_text_need_not_be_terminated(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                size_t size = strlen(kinds[i].sample);
                char *exact = malloc(size);
                Any record = {};

                assert_non_null(exact);
                memcpy(exact, kinds[i].sample, size);
                assert_int_equal(kinds[i].decode(exact, size, &record), 0);
                kinds[i].done(&record);
                free(exact);
        }
}

static void test_every_missing_key_is_refused(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                struct json_object *object = json_tokener_parse(kinds[i].sample);

                json_object_object_foreach(object, key, value) {
                        bool optional = (streq(kinds[i].name, "meta") && streq(key, "value")) ||
                                        (streq(kinds[i].name, "session") && streq(key, "claimed")); /* as of an older luod */

                        assert_non_null(value);
                        assert_int_equal(with_is_refused(&kinds[i], key, NULL), !optional);
                }
                (void) json_object_put(object);
        }
}

static void test_every_wrong_type_is_refused(void **state) {
        static const struct {
                json_type type;
                const char *text;
        } values[] = {
                { json_type_null, "null" },
                { json_type_boolean, "true" },
                { json_type_boolean, "false" },
                { json_type_int, "1" },
                { json_type_int, "0" },
                { json_type_double, "1.0" },
                { json_type_double, "1e3" },
                { json_type_object, "{}" },
                { json_type_object, "{\"a\":1}" },
                { json_type_array, "[]" },
                { json_type_array, "[1]" },
                { json_type_string, "\"42x\"" },
                { json_type_string, "\"42\"" },
                { json_type_string, "\"true\"" },
                { json_type_string, "\"\"" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                struct json_object *object = json_tokener_parse(kinds[i].sample);

                json_object_object_foreach(object, key, value) {
                        for (size_t k = 0; k < ARRAY_SIZE(values); k++)
                                if (values[k].type != json_object_get_type(value))
                                        assert_true(with_is_refused(&kinds[i], key, values[k].text));
                }
                (void) json_object_put(object);
        }
}

static void test_every_number_is_refused_when_negative_or_beyond_64_bits(void **state) {
        static const char *const numbers[] = { "-1",
                                               "-9223372036854775808",
                                               "-9223372036854775809",
                                               "18446744073709551616",
                                               "99999999999999999999999999",
                                               "1.5",
                                               "1e2",
                                               "0x10",
                                               "010",
                                               "NaN",
                                               "Infinity",
                                               "-",
                                               "+1" };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                struct json_object *object = json_tokener_parse(kinds[i].sample);

                json_object_object_foreach(object, key, value) {
                        if (!json_object_is_type(value, json_type_int))
                                continue;
                        for (size_t k = 0; k < ARRAY_SIZE(numbers); k++)
                                assert_true(with_is_refused(&kinds[i], key, numbers[k]));
                }
                (void) json_object_put(object);
        }
}

static void test_numbers_of_64_bits_are_exact(void **state) {
        static const uint64_t numbers[] = {
                0, 1, INT64_MAX - 1, INT64_MAX, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX, (1ULL << 53) + 1
        };

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                FileRecord file = { .token = numbers[i],
                                    .size = numbers[i],
                                    .dev = numbers[i],
                                    .ino = numbers[i] },
                           back;
                _cleanup_free_ char *text = NULL;
                size_t size;

                assert_int_equal(file_record_encode(&file, &text, &size), 0);
                assert_int_equal(file_record_decode(text, size, &back), 0);
                assert_true(back.token == numbers[i] && back.size == numbers[i] && back.dev == numbers[i] &&
                            back.ino == numbers[i]);
                file_record_done(&back);
        }
}

static void test_numbers_in_strings_and_unknown_keys_are_left_alone(void **state) {
        static const char *const texts[] = {
                "{\"how\":\"undone\",\"name\":\"99999999999999999999999\",\"when\":1}",
                "{\"how\":\"undone\",\"name\":\"a\\\\\\\" 99999999999999999999999 \\\"\",\"when\":1}",
                "{\"how\":\"undone\",\"name\":\"a\",\"when\":1,\"x\":0.99999999999999999999999,\"y\":"
                "99999999999999999999999e-9}",
                "{\"how\":\"undone\",\"name\":\"a\",\"when\":1,\"x\":-9223372036854775808,\"y\":["
                "18446744073709551615]}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_true(comes_back_as(kind_named("end"), texts[i], texts[i]));
        assert_true(
                is_refused(kind_named("end"),
                           "{\"how\":\"undone\",\"name\":\"a\",\"when\":1,\"x\":[-9223372036854775809]}"));
}

static void test_numbers_of_32_bits_have_their_limits(void **state) {
        const Kind *file = kind_named("file"), *session = kind_named("session");

        assert_true(with_is_taken(session, "uid", "4294967295"));
        assert_true(with_is_refused(session, "uid", "4294967296"));
        assert_true(with_is_taken(file, "gid", "4294967295"));
        assert_true(with_is_refused(file, "gid", "4294967296"));
        assert_true(with_is_taken(file, "seals", "4294967295"));
        assert_true(with_is_refused(file, "seals", "4294967296"));
        assert_true(with_is_taken(file, "mode", "4095"));
        assert_true(with_is_refused(file, "mode", "4096"));
        assert_true(with_is_taken(file, "error", "2147483647"));
        assert_true(with_is_refused(file, "error", "2147483648"));
}

static void test_unknown_names_of_values_are_refused(void **state) {
        static const char *const names[] = { "\"\"",      "\"bogus\"",       "\"Live\"",
                                             "\"live \"", "\"live\\u0000\"", "\"0\"" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                assert_true(with_is_refused(kind_named("session"), "direction", names[i]));
                assert_true(with_is_refused(kind_named("session"), "state", names[i]));
                assert_true(with_is_refused(kind_named("file"), "kind", names[i]));
                assert_true(with_is_refused(kind_named("file"), "state", names[i]));
                assert_true(with_is_refused(kind_named("file"), "access", names[i]));
                assert_true(with_is_refused(kind_named("end"), "how", names[i]));
                assert_true(with_is_refused(kind_named("head"), "series", names[i]));
        }
        assert_true(with_is_refused(kind_named("head"), "series", "\"ab\""));
        assert_true(with_is_refused(kind_named("head"), "series", "\"c\""));
        assert_true(with_is_taken(kind_named("head"), "series", "\"b\""));
}

static void assert_length_limit(const char *kind, const char *key, size_t max) {
        char text[128];

        memset(text, 'x', sizeof(text));
        text[0] = text[max + 1] = '"';
        text[max + 2] = 0;
        assert_true(with_is_taken(kind_named(kind), key, text));
        text[max + 1] = 'x';
        text[max + 2] = '"';
        text[max + 3] = 0;
        assert_true(with_is_refused(kind_named(kind), key, text));
        assert_true(with_is_refused(kind_named(kind), key, "\"embedded\\u0000zero\""));
        assert_true(with_is_refused(kind_named(kind), key, "\"\\u0000\""));
}

static void test_strings_fit_their_fields_and_hide_no_zero(void **state) {
        assert_length_limit("head", "boot", 36);
        assert_length_limit("session", "name", NAME_LENGTH_MAX);
        assert_length_limit("part", "kname", KNAME_SIZE - 1);
        assert_length_limit("part", "fdname", FDNAME_SIZE - 1);
        assert_length_limit("part", "boot", 36);
        assert_length_limit("file", "part", KNAME_SIZE - 1);
        assert_length_limit("file", "label", LABEL_LENGTH_MAX);
        assert_length_limit("meta", "key", METADATA_KEY_MAX);
        assert_length_limit("end", "name", NAME_LENGTH_MAX);
}

static void assert_name_survives(const char *name) {
        SessionRecord session = { .uid = 1 }, back;
        _cleanup_free_ char *text = NULL;
        size_t size;

        (void) snprintf(session.name, sizeof(session.name), "%s", name);
        assert_int_equal(session_record_encode(&session, &text, &size), 0);
        assert_int_equal(strlen(text), size);
        for (size_t i = 0; i < size; i++) /* what the ledger's magics rely on */
                assert_true((unsigned char) text[i] >= 0x20);
        assert_int_equal(session_record_decode(text, size, &back), 0);
        assert_string_equal(back.name, name);
        session_record_done(&back);
}

static void test_names_of_any_bytes_survive(void **state) {
        static const char *const names[] = { "",
                                             "\"",
                                             "\\",
                                             "/",
                                             "\\u0041",
                                             "a\"b\\c/d\n\t\r\b\f\x1b\x7f",
                                             "Zoë ☃ 🙂 日本",
                                             "{\"name\":1}",
                                             "\xff\xfe not UTF-8 \xc3" };
        char name[8];

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                assert_name_survives(names[i]);
        for (unsigned c = 1; c < 256; c++) {
                (void) snprintf(name, sizeof(name), "a%cb", (int) c);
                assert_name_survives(name);
        }
}

/* Ledgers from before there was such a thing lack these; later ones have them where they say something. */
static void test_session_may_be_carried_and_renewed_by_itself(void **state) {
        SessionRecord session = { .name = "vm1" }, back;
        _cleanup_free_ char *plain = NULL, *text = NULL;
        size_t size;

        assert_int_equal(session_record_encode(&session, &plain, &size), 0);
        assert_null(strstr(plain, "carr"));
        assert_null(strstr(plain, "renew"));
        assert_int_equal(session_record_decode(plain, size, &back), 0);
        assert_int_equal(back.carried, 0);
        assert_false(back.auto_renew || back.carrying);

        session.auto_renew = session.carrying = true;
        session.carried = 256; /* its first byte is 0 */
        assert_int_equal(session_record_encode(&session, &text, &size), 0);
        assert_int_equal(session_record_decode(text, size, &back), 0);
        assert_int_equal(back.carried, 256);
        assert_true(back.auto_renew && back.carrying);
        assert_null(back.extra);
}

static void test_field_filled_to_the_brim_without_zero_is_not_read_beyond(void **state) {
        EndRecord end = {};
        _cleanup_free_ char *text = NULL;
        size_t size;

        memset(end.name, 'n', sizeof(end.name));
        assert_int_equal(end_record_encode(&end, &text, &size), 0);
        assert_true(is_taken(kind_named("end"), text));
}

static void test_unknown_keys_are_kept_and_written_back(void **state) {
        static const char *const more[] = {
                "\"future\":1",
                "\"future\":{\"a\":[1,2,{\"b\":null}],\"c\":true},\"z\":\"\\u0000 zero\"",
                "\"price\":1.10,\"big\":18446744073709551615,\"negative\":-5,\"path\":\"/a/b\",\"\":\"\"",
        };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                for (size_t k = 0; k < ARRAY_SIZE(more); k++) {
                        _cleanup_free_ char *text = NULL, *shuffled = NULL;

                        assert_true(asprintf(&text, "%.*s,%s}", (int) strlen(kinds[i].sample) - 1,
                                             kinds[i].sample, more[k]) > 0);
                        assert_true(asprintf(&shuffled, "{%s,%s", more[k], kinds[i].sample + 1) > 0);
                        assert_true(comes_back_as(&kinds[i], text, text));
                        assert_true(comes_back_as(&kinds[i], shuffled, text));
                }
}

static void test_known_key_in_extra_does_not_win(void **state) {
        char extra[] = "{\"name\":\"other\",\"uid\":0,\"more\":1}";
        EndRecord end = { .how = END_FINISHED, .name = "mine", .when = 1, .extra = extra };
        _cleanup_free_ char *text = NULL;
        size_t size;

        assert_int_equal(end_record_encode(&end, &text, &size), 0);
        assert_string_equal(text,
                            "{\"how\":\"finished\",\"name\":\"mine\",\"when\":1,\"uid\":0,\"more\":1}");
}

static void test_broken_extra_is_refused(void **state) {
        char extra[] = "{\"more\":";
        EndRecord end = { .extra = extra };
        char *text = NULL;
        size_t size;

        assert_int_equal(end_record_encode(&end, &text, &size), -EBADMSG);
        assert_null(text);
}

static void test_no_unknown_keys_are_no_extra(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                Any record = {};

                assert_int_equal(decode_text(&kinds[i], kinds[i].sample, &record), 0);
                if (streq(kinds[i].name, "end"))
                        assert_null(record.end.extra);
                if (streq(kinds[i].name, "file"))
                        assert_null(record.file.extra);
                kinds[i].done(&record);
        }
}

static void test_of_duplicate_keys_the_last_holds(void **state) {
        assert_true(comes_back_as(kind_named("end"),
                                  "{\"when\":1,\"how\":\"undone\",\"name\":\"a\",\"name\":\"b\",\"when\":2}",
                                  "{\"how\":\"undone\",\"name\":\"b\",\"when\":2}"));
        assert_true(
                is_refused(kind_named("end"), "{\"when\":1,\"how\":\"undone\",\"name\":\"a\",\"name\":1}"));
}

static void test_what_is_no_object_is_refused(void **state) {
        static const char *const texts[] = { "",
                                             " ",
                                             "null",
                                             "1",
                                             "\"x\"",
                                             "[]",
                                             "[{}]",
                                             "{",
                                             "}",
                                             "{}",
                                             "true",
                                             "{\"a\"}",
                                             "{'how':'undone','name':'a','when':1}",
                                             "{\"how\":\"undone\",\"name\":\"a\",\"when\":1,}",
                                             "{\"how\":\"undone\",\"name\":\"a\",\"when\":1}}",
                                             "{\"how\":\"undone\",\"name\":\"a\",\"when\":1}x",
                                             "{\"how\":\"undone\",\"name\":\"a\",\"when\":1}{}",
                                             "/* c */{\"how\":\"undone\",\"name\":\"a\",\"when\":1}" };
        static const char zero[] = "{\"how\":\"undone\",\"name\":\"a\",\"when\":1}\0x";
        Any record;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_true(is_refused(kind_named("end"), texts[i]));
        assert_int_equal(end_decode(zero, sizeof(zero) - 1, &record), -EBADMSG);
        assert_int_equal(end_decode(zero, sizeof(zero) - 2, &record), -EBADMSG);
}

static void test_zero_byte_anywhere_is_refused(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                for (size_t at = 0; at < strlen(kinds[i].sample); at++) {
                        _cleanup_free_ char *text = strdup(kinds[i].sample);
                        size_t size = strlen(text);
                        Any record;
                        int r;

                        text[at] = 0;
                        r = kinds[i].decode(text, size, &record);
                        if (r >= 0)
                                kinds[i].done(&record);
                        assert_int_equal(r, -EBADMSG);
                }
}

static void test_deep_nesting_is_refused(void **state) {
        const size_t depth = 100000;
        char *text = malloc(2 * depth + 64), *p = text;

        assert_non_null(text);
        p += sprintf(p, "{\"how\":\"undone\",\"name\":\"a\",\"when\":1,\"deep\":");
        memset(p, '[', depth);
        memset(p + depth, ']', depth);
        strcpy(p + 2 * depth, "}");
        assert_true(is_refused(kind_named("end"), text));
        free(text);
}

/* Metadata */

static void test_metadata_of_any_bytes_survive(void **state) {
        uint8_t *value = malloc(METADATA_SIZE_MAX);
        MetaRecord meta = { .key = "k", .value = value, .n_value = METADATA_SIZE_MAX }, back;
        _cleanup_free_ char *text = NULL;
        size_t size;

        assert_non_null(value);
        for (size_t i = 0; i < METADATA_SIZE_MAX; i++)
                value[i] = (uint8_t) (i * 7 + i / 256);
        assert_int_equal(meta_record_encode(&meta, &text, &size), 0);
        assert_int_equal(meta_record_decode(text, size, &back), 0);
        assert_int_equal(back.n_value, METADATA_SIZE_MAX);
        assert_memory_equal(back.value, value, METADATA_SIZE_MAX);
        meta_record_done(&back);
        free(value);
}

static void test_metadata_empty_is_not_gone(void **state) {
        const Kind *meta = kind_named("meta");
        MetaRecord back = {};

        assert_int_equal(meta_record_decode("{\"key\":\"k\",\"value\":\"\"}", 22, &back), 0);
        assert_non_null(back.value);
        assert_int_equal(back.n_value, 0);
        meta_record_done(&back);
        assert_null(back.value);

        assert_int_equal(meta_record_decode("{\"key\":\"k\"}", 11, &back), 0);
        assert_null(back.value);
        meta_record_done(&back);

        assert_true(comes_back_as(meta, "{\"key\":\"k\",\"value\":\"\"}", "{\"key\":\"k\",\"value\":\"\"}"));
        assert_true(comes_back_as(meta, "{\"key\":\"k\"}", "{\"key\":\"k\"}"));
}

static void test_metadata_that_is_no_lowercase_hex_is_refused(void **state) {
        static const char *const values[] = { "\"0\"",  "\"000\"",         "\"0g\"", "\"FF\"",
                                              "\"fF\"", "\" 0\"",          "\"0x\"", "\"-1\"",
                                              "null",   "\"00\\u000000\"", "\"é\"" };
        size_t size = 2 * METADATA_SIZE_MAX + 2;
        char *large = malloc(size + 3);

        for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                assert_true(with_is_refused(kind_named("meta"), "value", values[i]));

        assert_non_null(large);
        memset(large, '0', size + 2);
        large[0] = large[size + 1] = '"';
        large[size + 2] = 0;
        assert_true(with_is_refused(kind_named("meta"), "value", large));
        free(large);
}

/* The rest */

static void test_any_one_changed_byte_is_refused_or_read_as_what_it_says(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                _cleanup_free_ char *text = strdup(kinds[i].sample);

                for (size_t at = 0; text[at]; at++) {
                        char was = text[at];

                        for (unsigned c = 1; c < 256; c++) {
                                _cleanup_free_ char *again = NULL;

                                text[at] = (char) c;
                                if (is_taken(&kinds[i], text)) {
                                        again = reencode(&kinds[i], text);
                                        assert_true(comes_back_as(&kinds[i], again, again));
                                }
                        }
                        text[at] = was;
                }
        }
}

static void test_access_is_the_one_of_open(void **state) {
        static const struct {
                const char *text;
                int access;
        } accesses[] = { { "\"read\"", O_RDONLY }, { "\"write\"", O_WRONLY }, { "\"read-write\"", O_RDWR } };

        for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
                _cleanup_free_ char *text = with(kind_named("file"), "access", accesses[i].text);
                FileRecord file = {};

                assert_int_equal(file_record_decode(text, strlen(text), &file), 0);
                assert_int_equal(file.access, accesses[i].access);
                file_record_done(&file);
        }
}

static void test_done_takes_zeroed_records_twice(void **state) {
        Any record = {};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                kinds[i].done(&record);
                kinds[i].done(&record);
        }
}

static void test_string_tables_are_complete_and_refuse_the_rest(void **state) {
        for (int i = 0; i < _RECORD_TYPE_MAX; i++)
                assert_non_null(record_type_to_string((RecordType) i));
        for (int i = 0; i < _DIRECTION_MAX; i++)
                assert_int_equal(direction_from_string(direction_to_string((Direction) i)), i);
        for (int i = 0; i < _SESSION_STATE_MAX; i++)
                assert_int_equal(session_state_from_string(session_state_to_string((SessionState) i)), i);
        for (int i = 0; i < _FILE_STATE_MAX; i++)
                assert_int_equal(file_state_from_string(file_state_to_string((FileState) i)), i);
        for (int i = 0; i < _FILE_KIND_MAX; i++)
                assert_int_equal(file_kind_from_string(file_kind_to_string((FileKind) i)), i);
        for (int i = 0; i < _END_HOW_MAX; i++)
                assert_int_equal(end_how_from_string(end_how_to_string((EndHow) i)), i);

        assert_null(record_type_to_string(_RECORD_TYPE_MAX));
        assert_null(direction_to_string(_DIRECTION_INVALID));
        assert_null(file_state_to_string((FileState) 4711));
        assert_int_equal(direction_from_string(NULL), _DIRECTION_INVALID);
        assert_int_equal(end_how_from_string(""), _END_HOW_INVALID);
        assert_int_equal(file_kind_from_string("memf"), _FILE_KIND_INVALID);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_written_is_written_again),
                cmocka_unit_test(test_every_truncated_text_is_refused),
                cmocka_unit_test(test_text_need_not_be_terminated),
                cmocka_unit_test(test_every_missing_key_is_refused),
                cmocka_unit_test(test_every_wrong_type_is_refused),
                cmocka_unit_test(test_every_number_is_refused_when_negative_or_beyond_64_bits),
                cmocka_unit_test(test_numbers_of_64_bits_are_exact),
                cmocka_unit_test(test_numbers_in_strings_and_unknown_keys_are_left_alone),
                cmocka_unit_test(test_numbers_of_32_bits_have_their_limits),
                cmocka_unit_test(test_unknown_names_of_values_are_refused),
                cmocka_unit_test(test_strings_fit_their_fields_and_hide_no_zero),
                cmocka_unit_test(test_names_of_any_bytes_survive),
                cmocka_unit_test(test_session_may_be_carried_and_renewed_by_itself),
                cmocka_unit_test(test_field_filled_to_the_brim_without_zero_is_not_read_beyond),
                cmocka_unit_test(test_unknown_keys_are_kept_and_written_back),
                cmocka_unit_test(test_known_key_in_extra_does_not_win),
                cmocka_unit_test(test_broken_extra_is_refused),
                cmocka_unit_test(test_no_unknown_keys_are_no_extra),
                cmocka_unit_test(test_of_duplicate_keys_the_last_holds),
                cmocka_unit_test(test_what_is_no_object_is_refused),
                cmocka_unit_test(test_zero_byte_anywhere_is_refused),
                cmocka_unit_test(test_deep_nesting_is_refused),
                cmocka_unit_test(test_metadata_of_any_bytes_survive),
                cmocka_unit_test(test_metadata_empty_is_not_gone),
                cmocka_unit_test(test_metadata_that_is_no_lowercase_hex_is_refused),
                cmocka_unit_test(test_any_one_changed_byte_is_refused_or_read_as_what_it_says),
                cmocka_unit_test(test_access_is_the_one_of_open),
                cmocka_unit_test(test_done_takes_zeroed_records_twice),
                cmocka_unit_test(test_string_tables_are_complete_and_refuse_the_rest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
