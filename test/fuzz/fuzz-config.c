/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config-file.h"
#include "config-value.h"
#include "config.h"
#include "fuzz.h"
#include "name-util.h"

/* luod.conf: up to three files, one after the other, with a NUL in between; then each as a value. And the same files once more
 * as files. */

#define FILES 3

static void on_message(const char *message, void *userdata) {
        require(is_printable_utf8(message));
        ++*(unsigned *) userdata;
}

/* Whatever was said, what holds is in its bounds. */
static void check(const Config *c) {
        for (const ConfigItem *i = config_items; i->key; i++) {
                const void *field = (const char *) c + i->offset;

                if (i->type == CONFIG_UNSIGNED)
                        require(*(const unsigned *) field >= i->least && *(const unsigned *) field <= i->most);
                else if (i->type == CONFIG_SIZE || i->type == CONFIG_TIME)
                        require(*(const uint64_t *) field >= i->least && *(const uint64_t *) field <= i->most);
                else if (i->type == CONFIG_UNIT && *(char *const *) field)
                        require(is_printable_utf8(*(char *const *) field) && !strchr(*(char *const *) field, '/'));
        }
}

static void try_texts(char *const texts[static FILES]) {
        Config former, now;
        unsigned n_messages = 0;
        ConfigReading reading;

        config_set_defaults(&former);
        config_set_defaults(&now);
        config_reading_init(&reading, config_items, &now, on_message, &n_messages);
        for (unsigned i = 0; i < FILES; i++)
                require(config_read_text(&reading, "file", texts[i], strlen(texts[i])) == 0);
        require(config_reading_end(&reading, &former) == 0);
        require(n_messages <= CONFIG_MESSAGES_MAX + 1);
        check(&now);
        config_reset(config_items, &now);
        config_reset(config_items, &former);
}

static void try_values(const char *text) {
        char *unit, **list = NULL;
        uint64_t number;
        bool yes;

        (void) config_value_bool(text, &yes);
        (void) config_value_number(text, &number);
        (void) config_value_size(text, &number);
        (void) config_value_time(text, &number);
        if (config_value_unit(text, &unit) == 0) {
                require(streq(unit, text));
                free(unit);
        }
        (void) config_value_strings(text, &list);
        (void) config_value_strings(text, &list);
        config_strings_free(list);
}

static void write_file(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text));
        (void) close(fd);
}

static void try_files(char *const texts[static FILES]) {
        static const char *const names[FILES] = { "luod.conf", "luod.conf.d/1.conf", "luod.conf.d/2.conf" };
        static char dir[] = "/tmp/luod-fuzz-XXXXXX";
        const char *const directories[] = { dir, NULL };
        unsigned n_messages = 0;
        Config c, former;
        char path[128];

        require(mkdtemp(strcpy(dir, "/tmp/luod-fuzz-XXXXXX")));
        (void) snprintf(path, sizeof(path), "%s/luod.conf.d", dir);
        require(mkdir(path, 0700) == 0);
        for (unsigned i = 0; i < FILES; i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                write_file(path, texts[i]);
        }
        config_set_defaults(&former);
        require(config_load(directories, &former, &c, on_message, &n_messages) == 0);
        check(&c);
        config_reset(config_items, &c);
        for (unsigned i = 0; i < FILES; i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                (void) unlink(path);
        }
        (void) snprintf(path, sizeof(path), "%s/luod.conf.d", dir);
        (void) rmdir(path);
        (void) rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        char *texts[FILES];
        unsigned n_messages = 0;
        ConfigReading reading;
        Config c;

        /* As bytes: a NUL is one of them. */
        config_set_defaults(&c);
        config_reading_init(&reading, config_items, &c, on_message, &n_messages);
        require(config_read_text(&reading, "file", (const char *) data, size) == 0);
        require(config_reading_end(&reading, &c) == 0);
        check(&c);
        config_reset(config_items, &c);

        for (unsigned i = 0; i < FILES; i++)
                texts[i] = input_string(&input);
        try_texts(texts);
        if (size % 8 == 0) /* slow */
                try_files(texts);
        for (unsigned i = 0; i < FILES; i++) {
                try_values(texts[i]);
                free(texts[i]);
        }
        return 0;
}
