/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "encode.h"
#include "fuzz.h"
#include "options.h"
#include "report-plot.h"
#include "report-text.h"
#include "report.h"

/* A report as luod reads it from its directory, and luoctl from luod. */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* report_print() */

        require(fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
        return 0;
}

static void try_show(const Report *report) {
        Options options = OPTIONS_NULL;
        char *text = NULL;
        size_t size = 0;
        FILE *f;

        require(report_print(&options, report) == 0);
        options.bytes = true;
        require(report_print(&options, report) == 0);

        f = open_memstream(&text, &size);
        require(f);
        require(report_plot(report, f) == 0);
        (void) fclose(f);
        for (size_t i = 0; i < size; i++)
                require((unsigned char) text[i] >= 0x20 || text[i] == '\n');
        free(text);
}

static void try_text(const char *text) {
        Report first, second;
        char *once, *twice, *of_other;

        if (report_decode(text, strlen(text), &first) < 0)
                return;
        require(report_encode(&first, 0, &once) == 0);
        require(report_decode(once, strlen(once), &second) == 0);
        require(report_encode(&second, 0, &twice) == 0);
        require(streq(once, twice));
        report_done(&second);

        /* What somebody gets to see who has nothing to do with it. */
        require(report_encode(&first, 4242, &of_other) == 0);
        require(report_decode(of_other, strlen(of_other), &second) == 0);
        for (size_t i = 0; i < second.n_sessions; i++)
                require(second.sessions[i].uid == 4242);
        try_show(&first);
        report_done(&second);
        report_done(&first);
        free(once);
        free(twice);
        free(of_other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        char *text = input_string(&input), *json = NULL;

        try_text(text);
        if (encode_report(text, JSON_PRETTY, &json) == 0)
                free(json);
        free(text);
        return 0;
}
