/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "target-record.h"

static const TargetRecord example = {
        .boot_id = "5b0c5d7e-0001-4000-8000-000000000000",
        .state = TARGET_LOADED,
        .release = "7.3.4-1-amd64",
        .luo = KNOWLEDGE_YES,
        .memfd = KNOWLEDGE_NO,
        .abi = KNOWLEDGE_UNKNOWN,
        .handlers = KNOWLEDGE_NO,
        .lacks = "vfio-pci-v1",
        .switched_on = true,
        .timestamp = 1764061679000000,
        .cmdline = "root=/dev/vda \"x=y z\" kho=on liveupdate=on end",
};

static void assert_same(const TargetRecord *a, const TargetRecord *b) {
        assert_string_equal(a->boot_id, b->boot_id);
        assert_int_equal(a->state, b->state);
        assert_string_equal(a->release, b->release);
        assert_int_equal(a->luo, b->luo);
        assert_int_equal(a->memfd, b->memfd);
        assert_int_equal(a->abi, b->abi);
        assert_int_equal(a->handlers, b->handlers);
        assert_string_equal(a->lacks, b->lacks);
        assert_int_equal(a->switched_on, b->switched_on);
        assert_int_equal(a->forced, b->forced);
        assert_int_equal(a->timestamp, b->timestamp);
        assert_string_equal(a->cmdline, b->cmdline);
}

static void test_what_was_written_is_read(void **state) {
        TargetRecord back, longest = example, least = { .boot_id = "x" };
        const TargetRecord *const all[] = { &example, &longest, &least };

        longest.state = TARGET_LOADING;
        longest.forced = true;
        longest.timestamp = UINT64_MAX;
        memset(longest.cmdline, 'x', sizeof(longest.cmdline) - 1);
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(target_record_encode(all[i], &text), 0);
                assert_int_equal(target_record_decode(text, &back), 0);
                assert_same(&back, all[i]);
        }
}

static void test_every_truncation_is_refused(void **state) {
        _cleanup_free_ char *text = NULL;
        TargetRecord back;

        assert_int_equal(target_record_encode(&example, &text), 0);
        text[strlen(text) - 1] = '\0'; /* as read_small_file() gives it */
        assert_int_equal(target_record_decode(text, &back), 0);
        for (size_t n = strlen(text); n-- > 0;) {
                text[n] = '\0';
                assert_int_equal(target_record_decode(text, &back), -EBADMSG);
        }
}

static void test_what_is_not_known_is_refused(void **state) {
        static const struct {
                const char *old, *new;
        } changes[] = {
                { "kernel 1\n", "kernel 2\n" }, { "state loaded", "state ready" },
                { "luo yes", "luo maybe" },     { "luo yes", "lou yes" },
                { "on yes", "on unknown" },     { "1764061679000000", "-1" },
                { "\nend", "\nmore x\nend" },
        };
        _cleanup_free_ char *text = NULL;

        assert_int_equal(target_record_encode(&example, &text), 0);
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                const char *p = strstr(text, changes[i].old);
                _cleanup_free_ char *changed = NULL;
                TargetRecord back;

                assert_non_null(p);
                assert_true(asprintf(&changed, "%.*s%s%s", (int) (p - text), text, changes[i].new,
                                     p + strlen(changes[i].old)) > 0);
                assert_int_equal(target_record_decode(changed, &back), -EBADMSG);
        }
}

static void test_one_of_an_older_luod_is_read(void **state) {
        static const char lines[] = "handlers no\nlacks vfio-pci-v1\n";
        TargetRecord back, older = example;
        char *text = NULL, *p;

        assert_int_equal(target_record_encode(&example, &text), 0);
        p = strstr(text, lines);
        assert_non_null(p);
        memmove(p, p + strlen(lines), strlen(p + strlen(lines)) + 1);
        assert_int_equal(target_record_decode(text, &back), 0);
        free(text);
        older.handlers = KNOWLEDGE_UNKNOWN;
        older.lacks[0] = '\0';
        assert_same(&back, &older);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_written_is_read),
                cmocka_unit_test(test_every_truncation_is_refused),
                cmocka_unit_test(test_what_is_not_known_is_refused),
                cmocka_unit_test(test_one_of_an_older_luod_is_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
