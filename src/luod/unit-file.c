/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd-util.h"
#include "macro.h"
#include "unit-file.h"

#define DROP_INS_MAX 128U

const char *const unit_directories[] = {
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        NULL,
};

typedef struct DropIn {
        char name[NAME_MAX + 1];
        char path[PATH_MAX];
} DropIn;

static void apply_line(UnitFile *u, char *line) {
        char *value, *end;

        while (isspace((unsigned char) *line))
                line++;
        value = strchr(line, '=');
        if (!value || *line == '#' || *line == ';')
                return;
        *value++ = '\0';
        for (end = value - 2; end >= line && isspace((unsigned char) *end); end--)
                *end = '\0';
        while (isspace((unsigned char) *value))
                value++;
        for (end = value + strlen(value); end > value && isspace((unsigned char) end[-1]); end--)
                end[-1] = '\0';

        if (streq(line, "ExecStart"))
                u->startable = *value != '\0'; /* an empty one resets the list */
        else if (streq(line, "FileDescriptorStoreMax"))
                u->store_max = (uint32_t) strtoul(value, NULL, 10);
        else if (streq(line, "FileDescriptorStorePreserve"))
                u->preserve = streq(value, "yes") || streq(value, "true") || streq(value, "on") || streq(value, "1");
}

static int apply_file(UnitFile *u, const char *path) {
        _cleanup_free_ char *text = NULL;
        char *state = NULL;
        int r;

        r = read_small_file(path, &text);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
                apply_line(u, line);
        return 0;
}

static bool is_masked(const char *path) {
        struct stat st;

        return stat(path, &st) >= 0 && (!S_ISREG(st.st_mode) || st.st_size == 0);
}

static int compare_drop_ins(const void *a, const void *b) {
        return strcmp(((const DropIn *) a)->name, ((const DropIn *) b)->name);
}

static bool drop_ins_have(const DropIn *list, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(list[i].name, name))
                        return true;
        return false;
}

static void collect_drop_ins(const char *directory, const char *unit, DropIn *list, size_t *n) {
        char path[PATH_MAX];
        struct dirent *de;
        DIR *d;

        (void) snprintf(path, sizeof(path), "%s/%s.d", directory, unit);
        d = opendir(path);
        if (!d)
                return;
        while ((de = readdir(d)) && *n < DROP_INS_MAX) {
                size_t length = strlen(de->d_name);

                if (length < 5 || !streq(de->d_name + length - 5, ".conf") || drop_ins_have(list, *n, de->d_name))
                        continue;
                (void) snprintf(list[*n].name, sizeof(list[*n].name), "%s", de->d_name);
                if (snprintf(list[*n].path, PATH_MAX, "%s/%s", path, de->d_name) < PATH_MAX)
                        (*n)++;
        }
        (void) closedir(d);
}

int unit_file_read(const char *const *directories, const char *name, UnitFile *ret) {
        _cleanup_free_ DropIn *drop_ins = calloc(DROP_INS_MAX, sizeof(*drop_ins));
        UnitFile u = {};
        char path[PATH_MAX];
        size_t n = 0;
        int r = 0;

        if (!drop_ins)
                return -ENOMEM;

        for (size_t i = 0; directories[i] && !u.found; i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", directories[i], name);
                u.masked = is_masked(path);
                if (!u.masked)
                        r = apply_file(&u, path);
                u.found = u.masked || r >= 0;
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        for (size_t i = 0; directories[i]; i++)
                collect_drop_ins(directories[i], name, drop_ins, &n);
        qsort(drop_ins, n, sizeof(*drop_ins), compare_drop_ins);
        for (size_t i = 0; i < n && !u.masked; i++)
                (void) apply_file(&u, drop_ins[i].path); /* a drop-in masked by a link to /dev/null is empty */

        *ret = u;
        return 0;
}

static bool is_dependency_directory(const char *name) {
        static const char *const suffixes[] = { ".wants", ".requires", ".upholds" };
        const char *dot = strrchr(name, '.');

        for (size_t i = 0; dot && dot > name && i < ARRAY_SIZE(suffixes); i++)
                if (streq(dot, suffixes[i]))
                        return true;
        return false;
}

static bool
entry_exists(const char *directory, const char *wants, const char *name, char ret_path[static PATH_MAX]) {
        struct stat st;

        return snprintf(ret_path, PATH_MAX, "%s/%s/%s", directory, wants, name) < PATH_MAX &&
               lstat(ret_path, &st) >= 0;
}

/* The first directory that has an entry in @wants decides. */
static bool is_wanted_by(const char *const *directories, const char *wants, const char *name) {
        char path[PATH_MAX], target[16] = "";

        for (size_t i = 0; directories[i]; i++)
                if (entry_exists(directories[i], wants, name, path))
                        return readlink(path, target, sizeof(target) - 1) < 0 || !streq(target, "/dev/null");
        return false;
}

bool unit_file_is_enabled(const char *const *directories, const char *name) {
        bool enabled = false;

        for (size_t i = 0; directories[i] && !enabled; i++) {
                DIR *d = opendir(directories[i]);
                struct dirent *de;

                while (d && !enabled && (de = readdir(d)))
                        enabled = is_dependency_directory(de->d_name) &&
                                  is_wanted_by(directories, de->d_name, name);
                if (d)
                        (void) closedir(d);
        }
        return enabled;
}
