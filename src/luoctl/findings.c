/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "findings.h"
#include "output.h"

static void print_finding(const Finding *f) {
        printf("%-9s", severity_to_string(finding_severity(f)));
        print_text(f->id);
        printf(": ");
        print_text(f->text);
        putchar('\n');

        if (f->advice[0]) {
                printf("%9s-> ", "");
                print_text(f->advice);
                putchar('\n');
        }
}

void findings_print(const Findings *findings, bool legend) {
        size_t count[_SEVERITY_MAX];
        Severity worst = findings_worst(findings, count);

        for (size_t i = 0; i < findings->n_items; i++)
                print_finding(&findings->items[i]);
        if (!legend)
                return;

        if (worst == SEVERITY_OK)
                printf("\nNothing stands in the way of keeping objects over a live update.\n");
        else if (worst == SEVERITY_WARNING)
                printf("\nObjects will be kept over a live update. Warnings: %zu\n",
                       count[SEVERITY_WARNING]);
        else
                printf("\nA live update now would lose what is kept. Blocking: %zu, warnings: %zu\n",
                       count[SEVERITY_BLOCKS], count[SEVERITY_WARNING]);
}

ExitStatus findings_to_status(const Findings *findings) {
        static const ExitStatus statuses[_SEVERITY_MAX] = {
                [SEVERITY_OK] = STATUS_OK,
                [SEVERITY_WARNING] = STATUS_CHECK_WARNING,
                [SEVERITY_BLOCKS] = STATUS_CHECK_BLOCKED,
        };
        size_t count[_SEVERITY_MAX];

        return statuses[findings_worst(findings, count)];
}

size_t findings_count_blocking(const Findings *findings, bool incoming_cared_for) {
        size_t n = 0;

        for (size_t i = 0; i < findings->n_items; i++) {
                const Finding *f = &findings->items[i];

                n += finding_severity(f) == SEVERITY_BLOCKS &&
                     !(incoming_cared_for && streq(f->id, "incoming"));
        }
        return n;
}
