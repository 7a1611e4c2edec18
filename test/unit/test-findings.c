/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "findings.h"
#include "macro.h"

static char ok[] = "ok", warning[] = "warning", blocks[] = "blocks", future[] = "deadly",
            incoming[] = "incoming", other[] = "unit";

static void test_exit_status_tells_the_worst(void **state) {
        Finding items[] = { { ok, other }, { warning, other }, { blocks, other } };
        Findings findings = { items, 0 };

        assert_int_equal(findings_to_status(&findings), STATUS_OK);
        findings.n_items = 1;
        assert_int_equal(findings_to_status(&findings), STATUS_OK);
        findings.n_items = 2;
        assert_int_equal(findings_to_status(&findings), STATUS_CHECK_WARNING);
        findings.n_items = 3;
        assert_int_equal(findings_to_status(&findings), STATUS_CHECK_BLOCKED);
        items[2].severity = future; /* what luoctl does not know */
        assert_int_equal(findings_to_status(&findings), STATUS_CHECK_WARNING);
}

static void test_sessions_that_are_cared_for_block_no_update(void **state) {
        Finding items[] = { { warning, other }, { blocks, incoming }, { blocks, other } };
        Findings findings = { items, 3 };

        assert_int_equal(findings_count_blocking(&findings, /* incoming_cared_for= */ false), 2);
        assert_int_equal(findings_count_blocking(&findings, /* incoming_cared_for= */ true), 1);
        findings.n_items = 2;
        assert_int_equal(findings_count_blocking(&findings, /* incoming_cared_for= */ true), 0);
        findings.n_items = 1;
        assert_int_equal(findings_count_blocking(&findings, /* incoming_cared_for= */ false), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exit_status_tells_the_worst),
                cmocka_unit_test(test_sessions_that_are_cared_for_block_no_update),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
