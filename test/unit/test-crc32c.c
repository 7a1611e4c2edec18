/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"

/* RFC 3720, B.4 */
static void test_known_vectors_come_out(void **state) {
        static const uint8_t read_pdu[48] = {
                0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
                0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
                0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        };
        uint8_t buffer[32];

        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283U);
        assert_int_equal(crc32c(0, memset(buffer, 0, 32), 32), 0x8a9136aaU);
        assert_int_equal(crc32c(0, memset(buffer, 0xff, 32), 32), 0x62a8ab43U);
        for (unsigned i = 0; i < 32; i++)
                buffer[i] = (uint8_t) i;
        assert_int_equal(crc32c(0, buffer, 32), 0x46dd794eU);
        for (unsigned i = 0; i < 32; i++)
                buffer[i] = (uint8_t) (31 - i);
        assert_int_equal(crc32c(0, buffer, 32), 0x113fdb5cU);
        assert_int_equal(crc32c(0, read_pdu, sizeof(read_pdu)), 0xd9963a56U);
}

static void test_nothing_changes_nothing(void **state) {
        assert_int_equal(crc32c(0, NULL, 0), 0);
        assert_int_equal(crc32c(0x12345678, NULL, 0), 0x12345678);
}

static void test_parts_chain_to_the_whole_at_every_split(void **state) {
        const char text[] = "the quick brown fox jumps over the lazy dog";
        uint32_t whole = crc32c(0, text, sizeof(text));

        for (size_t i = 0; i <= sizeof(text); i++)
                assert_int_equal(crc32c(crc32c(0, text, i), text + i, sizeof(text) - i), whole);
}

static uint32_t reference(const uint8_t *p, size_t size) {
        uint32_t crc = ~0U;

        for (size_t i = 0; i < size; i++) {
                crc ^= p[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78U : 0);
        }
        return ~crc;
}

static void test_every_alignment_and_length_agrees_with_the_definition(void **state) {
        uint8_t buffer[96];
        uint32_t seed = 1;

        for (size_t i = 0; i < sizeof(buffer); i++) {
                seed = seed * 1664525 + 1013904223;
                buffer[i] = (uint8_t) (seed >> 24);
        }
        for (size_t start = 0; start < 16; start++)
                for (size_t size = 0; start + size <= sizeof(buffer); size++)
                        assert_int_equal(crc32c(0, buffer + start, size), reference(buffer + start, size));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_vectors_come_out),
                cmocka_unit_test(test_nothing_changes_nothing),
                cmocka_unit_test(test_parts_chain_to_the_whole_at_every_split),
                cmocka_unit_test(test_every_alignment_and_length_agrees_with_the_definition),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
