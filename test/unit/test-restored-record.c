/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "macro.h"
#include "restored-record.h"

static const RestoredRecord sample = { .boot_id = "4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1", .n_sessions = 1000, .units = 15 };

static void test_what_is_written_is_read(void **state) {
        char text[RESTORED_RECORD_SIZE];
        RestoredRecord back;

        restored_record_encode(&sample, text);
        assert_string_equal(text, "luod-restore 1\nboot-id 4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1\nsessions 1000\nunits 15\nend\n");
        assert_int_equal(restored_record_decode(text, &back), 0);
        assert_memory_equal(&back, &sample, sizeof(back));
        text[strlen(text) - 1] = '\0';
        assert_int_equal(restored_record_decode(text, &back), 0);
}

static void test_every_torn_or_longer_one_is_refused(void **state) {
        char text[RESTORED_RECORD_SIZE], torn[RESTORED_RECORD_SIZE + 2];
        RestoredRecord back = { .units = 3 };

        restored_record_encode(&sample, text);
        for (size_t n = 0; n < strlen(text) - 1; n++) {
                (void) snprintf(torn, sizeof(torn), "%.*s", (int) n, text);
                assert_int_equal(restored_record_decode(torn, &back), -EBADMSG);
        }
        (void) snprintf(torn, sizeof(torn), "%sx", text);
        assert_int_equal(restored_record_decode(torn, &back), -EBADMSG);
        assert_int_equal(back.units, 3);
}

static void test_what_sscanf_would_take_is_refused(void **state) {
        static const char *const texts[] = {
                "luod-restore 1 boot-id 4ad9 sessions 1 units 1 end\n",
                "luod-restore 1\nboot-id 4ad9\nsessions -1\nunits 1\nend\n",
                "luod-restore 1\nboot-id 4ad9\nsessions 01\nunits 1\nend\n",
                "luod-restore 1\nboot-id 4ad9\nsessions 4294967297\nunits 1\nend\n",
                "luod-restore 2\nboot-id 4ad9\nsessions 1\nunits 1\nend\n",
                "luod-restore 1\nboot-id \nsessions 1\nunits 1\nend\n",
        };
        RestoredRecord back;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(restored_record_decode(texts[i], &back), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_is_read),
                cmocka_unit_test(test_every_torn_or_longer_one_is_refused),
                cmocka_unit_test(test_what_sscanf_would_take_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
