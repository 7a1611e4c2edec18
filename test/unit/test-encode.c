/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "encode.h"
#include "macro.h"

/* Bits of SessionInfo.present, by name. */
static uint64_t present(const Property *properties, const char *name) {
        for (size_t i = 0; properties[i].name; i++)
                if (streq(properties[i].name, name))
                        return UINT64_C(1) << i;
        fail();
        return 0;
}

static void assert_json(char *json, const char *expected) {
        assert_string_equal(json, expected);
        free(json);
}

static char *encode_value(void *value, size_t size) {
        static char key[] = "k";
        MetadataEntry entry = { .key = key, .value = value, .size = size };
        SessionInfo info = {
                .present = present(session_properties, "Metadata"),
                .metadata = { .items = &entry, .n_items = 1 },
        };
        char *json = NULL;

        assert_int_equal(encode_session(&info, JSON_SHORT, &json), 0);
        return json;
}

#define BYTES(s) (char[]){ s }, sizeof(s) - 1

static void test_modes_have_names(void **state) {
        assert_int_equal(json_mode_from_string("off"), JSON_OFF);
        assert_int_equal(json_mode_from_string("short"), JSON_SHORT);
        assert_int_equal(json_mode_from_string("pretty"), JSON_PRETTY);
        assert_int_equal(json_mode_from_string(""), _JSON_MODE_INVALID);
        assert_int_equal(json_mode_from_string("Short"), _JSON_MODE_INVALID);
}

static void test_quota_has_null_for_all_users_and_for_no_limit(void **state) {
        static char sessions[] = "sessions", kept[] = "kept", bytes[] = "bytes", key[] = "Kept", none[] = "";
        QuotaRow items[] = {
                { .uid = 0, .resource = sessions, .unit = none, .used = 3, .limit = QUOTA_NO_LIMIT, .key = none },
                { .uid = QUOTA_ALL_USERS, .resource = kept, .unit = bytes, .used = 0, .limit = UINT64_C(1) << 63, .key = key },
        };
        char *json = NULL;

        assert_int_equal(encode_quota(&(QuotaRows) { items, 2 }, JSON_SHORT, &json), 0);
        assert_json(json, "[{\"user\":0,\"resource\":\"sessions\",\"unit\":\"\",\"used\":3,\"limit\":null,\"key\":\"\"},"
                          "{\"user\":null,\"resource\":\"kept\",\"unit\":\"bytes\",\"used\":0,\"limit\":9223372036854775808,"
                          "\"key\":\"Kept\"}]");
}

static void test_metadata_is_text_where_it_can_be(void **state) {
        assert_json(encode_value(BYTES("")), "{\"metadata\":{\"k\":\"\"}}");
        assert_json(encode_value(BYTES("ä/\"\n")), "{\"metadata\":{\"k\":\"ä/\\\"\\n\"}}");
        assert_json(encode_value(BYTES("a\0b")), "{\"metadata\":{\"k\":\"a\\u0000b\"}}");
        assert_json(encode_value(BYTES("\xc2\x9b")), "{\"metadata\":{\"k\":\"\\u009b\"}}");
}

static void test_metadata_is_base64_where_it_must_be(void **state) {
        assert_json(encode_value(BYTES("\xff")), "{\"metadata\":{\"k\":{\"base64\":\"/w==\"}}}");
        assert_json(encode_value(BYTES("\xff\xee")), "{\"metadata\":{\"k\":{\"base64\":\"/+4=\"}}}");
        assert_json(encode_value(BYTES("\xff\xee\xdd")), "{\"metadata\":{\"k\":{\"base64\":\"/+7d\"}}}");
        assert_json(encode_value(BYTES("\xff\0\0\0")), "{\"metadata\":{\"k\":{\"base64\":\"/wAAAA==\"}}}");
}

static void test_identification_has_only_what_was_told(void **state) {
        static char keeper[] = "session", path[] = "/org/luod1/session/vm1";
        IdentificationInfo info = {
                .present = present(identification_properties, "Kept") | present(identification_properties, "Keeper"),
                .kept = true,
                .keeper = keeper,
                .session_path = path,
                .token = UINT64_MAX,
        };
        char *json = NULL;

        assert_int_equal(encode_identification(&info, JSON_SHORT, &json), 0);
        assert_json(json, "{\"kept\":true,\"keeper\":\"session\"}");
        info.present = present(identification_properties, "SessionPath") | present(identification_properties, "Token");
        assert_int_equal(encode_identification(&info, JSON_SHORT, &json), 0);
        assert_json(json, "{\"session_path\":\"/org/luod1/session/vm1\",\"token\":18446744073709551615}");
}

static void test_tokens_have_all_their_bits(void **state) {
        static char label[] = "ram", kind[] = "memfd", access[] = "ro", kept[] = "kept";
        FileInfo file = {
                .token = UINT64_MAX,
                .label = label,
                .kind = kind,
                .size = UINT64_C(1) << 40,
                .mode = 0600,
                .access = access,
                .state = kept,
        };
        SessionInfo info = {
                .present = present(session_properties, "Files"),
                .files = { .items = &file, .n_items = 1 },
        };
        char *json = NULL;

        assert_int_equal(encode_session(&info, JSON_SHORT, &json), 0);
        assert_json(json, "{\"files\":[{\"token\":18446744073709551615,\"label\":\"ram\",\"kind\":\"memfd\","
                          "\"size\":1099511627776,\"mode\":384,\"access\":\"ro\",\"state\":\"kept\"}]}");
}

static void test_what_was_not_sent_is_left_out(void **state) {
        SessionInfo info = { .present = present(session_properties, "Owner"), .owner = 1000 };
        char *json = NULL;

        assert_int_equal(encode_session(&info, JSON_SHORT, &json), 0);
        assert_json(json, "{\"owner\":1000}");
}

static void test_manager_carries_its_warnings(void **state) {
        static char version[] = "1";
        ManagerInfo info = {
                .present = present(manager_properties, "Version") |
                           present(manager_properties, "BootedByLiveUpdate"),
                .version = version,
                .booted_by_live_update = true,
        };
        char *json = NULL;

        assert_int_equal(encode_manager(&info, (const char *const[]){ "one", NULL }, JSON_SHORT, &json), 0);
        assert_json(json, "{\"version\":\"1\",\"booted_by_live_update\":true,\"warnings\":[\"one\"]}");
}

static void test_lists_may_be_empty(void **state) {
        char *json = NULL;

        assert_int_equal(encode_session_rows(&(SessionRows){}, JSON_SHORT, &json), 0);
        assert_json(json, "[]");
        assert_int_equal(encode_findings(&(Findings){}, JSON_SHORT, &json), 0);
        assert_json(json, "{\"verdict\":\"ok\",\"findings\":[]}");
}

static void test_verdict_is_the_worst_finding(void **state) {
        static char ok[] = "ok", blocks[] = "blocks", new_word[] = "frightening", empty[] = "";
        Finding items[] = {
                { .severity = ok, .id = empty, .text = empty, .advice = empty },
                { .severity = new_word, .id = empty, .text = empty, .advice = empty },
                { .severity = blocks, .id = empty, .text = empty, .advice = empty },
        };
        size_t count[_SEVERITY_MAX];

        assert_int_equal(findings_worst(&(Findings){ items, 1 }, count), SEVERITY_OK);
        assert_int_equal(findings_worst(&(Findings){ items, 2 }, count), SEVERITY_WARNING);
        assert_int_equal(findings_worst(&(Findings){ items, 3 }, count), SEVERITY_BLOCKS);
        assert_int_equal(count[SEVERITY_WARNING], 1);
}

static void test_events_say_only_what_happened(void **state) {
        Event e = {
                .timestamp = 5, .event = "session-removed", .session = "s", .path = "/p", .how = "finished"
        };
        SessionInfo info = { .present = present(session_properties, "Owner"), .owner = 1 };
        static char name[] = "Files", *names[] = { name };
        StringList invalidated = { .items = names, .n_items = 1 };
        char *json = NULL;

        assert_int_equal(encode_event(&e, JSON_SHORT, &json), 0);
        assert_json(json, "{\"timestamp\":5,\"event\":\"session-removed\",\"session\":\"s\",\"path\":\"/p\","
                          "\"how\":\"finished\"}");

        e = (Event){
                .event = "changed",
                .properties = session_properties,
                .info = &info,
                .invalidated = &invalidated,
        };
        assert_int_equal(encode_event(&e, JSON_SHORT, &json), 0);
        assert_json(
                json,
                "{\"timestamp\":0,\"event\":\"changed\",\"changed\":{\"owner\":1},\"invalidated\":[\"Files\"]}");
}

static void test_loaded_kernel_is_an_object_of_what_was_sent(void **state) {
        static const char *const no_warnings[] = { NULL };
        static char yes[] = "yes", release[] = "7.3.4";
        ManagerInfo info = {
                .present = present(manager_properties, "LoadedKernel"),
                .loaded_kernel = { .present = present(kernel_properties, "Loaded") | present(kernel_properties, "ByLuod") |
                                              present(kernel_properties, "Release"),
                                   .loaded = true, .by_luod = yes, .release = release },
        };
        char *json = NULL;

        assert_int_equal(encode_manager(&info, no_warnings, JSON_SHORT, &json), 0);
        assert_json(json, "{\"loaded_kernel\":{\"loaded\":true,\"by_luod\":\"yes\",\"release\":\"7.3.4\"},\"warnings\":[]}");
}

static void test_reports(void **state) {
        static const ReportRow rows[] = { { UINT64_MAX, "luoctl", "done", 17 }, { 2, "logind", "lost", 0 } };
        _cleanup_free_ char *json = NULL, *list = NULL, *none = NULL;

        /* as luod gave it, also what luoctl has never heard of */
        assert_int_equal(encode_report("{\"format\":9,\"n\":18446744073709551615,\"new\":[]}", JSON_SHORT, &json), 0);
        assert_string_equal(json, "{\"format\":9,\"n\":18446744073709551615,\"new\":[]}");
        assert_int_equal(encode_report("{\"format\":", JSON_SHORT, &json), -EBADMSG);

        assert_int_equal(encode_report_rows(rows, 2, JSON_SHORT, &list), 0);
        assert_string_equal(list, "[{\"id\":18446744073709551615,\"road\":\"luoctl\",\"result\":\"done\",\"realtime\":17},"
                                  "{\"id\":2,\"road\":\"logind\",\"result\":\"lost\",\"realtime\":0}]");
        assert_int_equal(encode_report_rows(NULL, 0, JSON_SHORT, &none), 0);
        assert_string_equal(none, "[]");
}

static void test_who_is_waited_for_is_a_list(void **state) {
        static const char *const no_warnings[] = { NULL };
        static char lock[] = "lock", name[] = "qemu", why[] = "it \"flushes\"";
        WaitingInfo items[] = { { lock, name, why }, { NULL, name, NULL } };
        ManagerInfo info = {
                .present = present(manager_properties, "WaitingFor") |
                           present(manager_properties, "UpdateDeadline"),
                .update_deadline = 9,
                .waiting_for = { items, 2 },
        };
        char *json = NULL;

        assert_int_equal(encode_manager(&info, no_warnings, JSON_SHORT, &json), 0);
        assert_json(
                json,
                "{\"update_deadline\":9,\"waiting_for\":[{\"kind\":\"lock\",\"name\":\"qemu\",\"why\":\"it "
                "\\\"flushes\\\"\"},{\"kind\":\"\",\"name\":\"qemu\",\"why\":\"\"}],\"warnings\":[]}");
}

static void test_inhibitors_are_a_list(void **state) {
        static char what[] = "update", who[] = "qemu", why[] = "x", mode[] = "delay";
        Inhibitor items[] = { { what, who, why, mode, 1000, 77, 12 } };
        Inhibitors inhibitors = { items, 1 };
        char *json = NULL;

        assert_int_equal(encode_inhibitors(&inhibitors, JSON_SHORT, &json), 0);
        assert_json(json,
                    "[{\"what\":\"update\",\"who\":\"qemu\",\"why\":\"x\",\"mode\":\"delay\",\"uid\":1000,"
                    "\"pid\":77,\"id\":12}]");
        inhibitors.n_items = 0;
        assert_int_equal(encode_inhibitors(&inhibitors, JSON_SHORT, &json), 0);
        assert_json(json, "[]");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reports),
                cmocka_unit_test(test_modes_have_names),
                cmocka_unit_test(test_quota_has_null_for_all_users_and_for_no_limit),
                cmocka_unit_test(test_metadata_is_text_where_it_can_be),
                cmocka_unit_test(test_metadata_is_base64_where_it_must_be),
                cmocka_unit_test(test_identification_has_only_what_was_told),
                cmocka_unit_test(test_tokens_have_all_their_bits),
                cmocka_unit_test(test_what_was_not_sent_is_left_out),
                cmocka_unit_test(test_manager_carries_its_warnings),
                cmocka_unit_test(test_lists_may_be_empty),
                cmocka_unit_test(test_verdict_is_the_worst_finding),
                cmocka_unit_test(test_events_say_only_what_happened),
                cmocka_unit_test(test_loaded_kernel_is_an_object_of_what_was_sent),
                cmocka_unit_test(test_who_is_waited_for_is_a_list),
                cmocka_unit_test(test_inhibitors_are_a_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
