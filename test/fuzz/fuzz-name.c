/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-bus.h>

#include "bus-names.h"
#include "fuzz.h"
#include "identity.h"
#include "name-util.h"

/* Names: of sessions, labels, keys, kernel sessions; and the paths of their objects. */

static void try_name(const char *text) {
        char *path, *name;

        if (session_name_is_valid(text)) {
                require(label_is_valid(text) && metadata_key_is_valid(text));
                require(!strchr(text, '/') && text[0] != '.' && text[0] != '\0' && strlen(text) <= NAME_LENGTH_MAX);
                require(!streq(text, "systemd"));
        }
        require(!metadata_key_is_valid(text) || is_printable_utf8(text));
        require(!label_is_valid(text) || strlen(text) <= LABEL_LENGTH_MAX);

        require(sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, text, &path) >= 0);
        require(sd_bus_path_decode(path, LUOD_SESSION_PATH_PREFIX, &name) > 0);
        require(streq(name, text));
        free(name);
        free(path);
        if (sd_bus_path_decode(text, LUOD_SESSION_PATH_PREFIX, &name) > 0) {
                (void) session_name_is_valid(name);
                free(name);
        }
}

static void try_kernel_name(const char *text) {
        char name[KERNEL_NAME_SIZE], series = 0;
        uint32_t number;

        if (!kernel_name_parse(text, &series, &number))
                return;
        require(number < PART_NUMBER_END && (series == 'a' || series == 'b'));
        kernel_name_format(series, number, name);
        require(streq(name, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        char *text = input_string(&input), *more = input_string(&input);
        char object[OBJECT_NAME_MAX + 1];

        try_name(text);
        try_kernel_name(text);
        if (identity_name_from_text(text, more, object))
                require(memchr(object, 0, sizeof(object)));
        free(text);
        free(more);
        return 0;
}
