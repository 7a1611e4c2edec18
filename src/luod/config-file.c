/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build-config.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "config-file.h"
#include "fd-util.h"
#include "luod-limits.h"
#include "macro.h"

const char *const config_directories[] = { SYSCONFDIR "/luod", "/run/luod", "/usr/local/lib/luod", "/usr/lib/luod", NULL };

typedef struct DropIn {
        char *name;
        const char *directory;
} DropIn;

typedef struct DropIns {
        DropIn items[CONFIG_DROP_INS_MAX];
        size_t n_items;
} DropIns;

static bool is_dev_null(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* 1 with the content, 0 if there is no such file, -errno, or *reterr_why with -EBADF. */
static int read_file(const char *path, char **ret, size_t *ret_size, const char **reterr_why) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(closep) int fd = -EBADF;
        struct stat st;
        size_t size = 0;

        /* Neither a FIFO nor a terminal may hold up luod. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !is_dev_null(&st)) {
                *reterr_why = "it is no regular file";
                return -EBADF;
        }

        text = malloc(CONFIG_FILE_MAX + 1);
        if (!text)
                return -ENOMEM;
        while (size <= CONFIG_FILE_MAX) {
                ssize_t n = read(fd, text + size, CONFIG_FILE_MAX + 1 - size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                size += n > 0 ? (size_t) n : 0;
        }
        if (size > CONFIG_FILE_MAX) {
                *reterr_why = "it is too large";
                return -EBADF;
        }

        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 1;
}

/* 1 if the file is there, whatever is in it; 0; -ENOMEM */
static int apply_file(ConfigReading *reading, const char *path) {
        _cleanup_free_ char *text = NULL;
        const char *why = NULL;
        size_t size = 0;
        int r;

        r = read_file(path, &text, &size, &why);
        if (r == -ENOMEM || r == 0)
                return r;
        if (r < 0) {
                config_read_failed(reading, path, why ? why : strerror(-r));
                return 1;
        }
        r = config_read_text(reading, path, text, size);
        return r < 0 ? r : 1;
}

static bool drop_ins_have(const DropIns *d, const char *name) {
        for (size_t i = 0; i < d->n_items; i++)
                if (streq(d->items[i].name, name))
                        return true;
        return false;
}

static int drop_ins_add(DropIns *d, ConfigReading *reading, const char *directory, const char *path, const char *name) {
        size_t length = strlen(name);
        char *copy;

        if (length <= strlen(".conf") || *name == '.' || !streq(name + length - strlen(".conf"), ".conf") ||
            drop_ins_have(d, name))
                return 0;
        if (d->n_items == ARRAY_SIZE(d->items)) {
                config_read_failed(reading, path, "there are too many files in it");
                return -ENOBUFS;
        }
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        d->items[d->n_items++] = (DropIn) { copy, directory };
        return 0;
}

static int drop_ins_collect(DropIns *d, ConfigReading *reading, const char *directory, const char *name) {
        char path[PATH_MAX];
        struct dirent *de;
        DIR *dir;
        int r = 0;

        if (snprintf(path, sizeof(path), "%s/%s.d", directory, name) >= (int) sizeof(path))
                return 0;
        dir = opendir(path);
        if (!dir) {
                if (errno == ENOMEM)
                        return -ENOMEM;
                if (errno != ENOENT)
                        config_read_failed(reading, path, strerror(errno));
                return 0;
        }
        while (r >= 0 && (de = readdir(dir)))
                r = drop_ins_add(d, reading, directory, path, de->d_name);
        (void) closedir(dir);
        return r == -ENOMEM ? r : 0;
}

static int compare_drop_ins(const void *a, const void *b) {
        return strcmp(((const DropIn *) a)->name, ((const DropIn *) b)->name);
}

static void drop_ins_done(DropIns *d) {
        for (size_t i = 0; i < d->n_items; i++)
                free(d->items[i].name);
        d->n_items = 0;
}

int config_read_files(ConfigReading *reading, const char *const *directories, const char *name) {
        _cleanup_(drop_ins_done) DropIns drop_ins = {};
        char path[PATH_MAX];
        int r = 0;

        for (size_t i = 0; directories[i] && r == 0; i++)
                if (snprintf(path, sizeof(path), "%s/%s", directories[i], name) < (int) sizeof(path))
                        r = apply_file(reading, path);
        for (size_t i = 0; directories[i] && r >= 0; i++)
                r = drop_ins_collect(&drop_ins, reading, directories[i], name);
        qsort(drop_ins.items, drop_ins.n_items, sizeof(DropIn), compare_drop_ins);
        for (size_t i = 0; i < drop_ins.n_items && r >= 0; i++)
                if (snprintf(path, sizeof(path), "%s/%s.d/%s", drop_ins.items[i].directory, name,
                             drop_ins.items[i].name) < (int) sizeof(path))
                        r = apply_file(reading, path);
        return r < 0 ? r : 0;
}

int config_load(const char *const *directories,
                const Config *former,
                Config *ret,
                config_message_fn message,
                void *userdata) {
        ConfigReading reading;
        Config config;
        int r;

        config_reading_init(&reading, config_items, &config, message, userdata);
        r = config_read_files(&reading, directories, "luod.conf");
        if (r >= 0)
                r = config_reading_end(&reading, former);
        if (r < 0) {
                config_reset(config_items, &config);
                return r;
        }
        *ret = config;
        return 0;
}
