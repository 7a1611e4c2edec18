/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz-world.h"

static char reports_dir[64];
static unsigned n_fds;

void fuzz_world_require(void) {
        (void) setenv("CMOCKA_TEST_ABORT", "1", 1);
        world_require();
}

static void empty(const char *path) {
        DIR *d = opendir(path);
        struct dirent *de;

        while (d && (de = readdir(d))) {
                char name[512];

                if (streq(de->d_name, ".") || streq(de->d_name, ".."))
                        continue;
                (void) snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
                if (de->d_type == DT_DIR) {
                        empty(name);
                        (void) rmdir(name);
                } else
                        (void) unlink(name);
        }
        if (d)
                (void) closedir(d);
}

World *fuzz_world_new(void) {
        World *w = world_new();

        require(w);
        n_fds = w->n_fds_at_start;
        (void) strcpy(reports_dir, "/dev/shm/luod-fuzz-XXXXXX");
        require(mkdtemp(reports_dir));
        w->reports_dir = reports_dir;
        return w;
}

void fuzz_world_free(World *w) {
        world_free(w);
        empty(reports_dir);
        (void) rmdir(reports_dir);
        require(count_fds() == n_fds);
}

void fuzz_world_check(World *w) {
        sd_bus_message *reply = NULL;

        if (!sd_bus_is_open(w->clients[OTHER].client)) /* it has hung up on who sent rubbish */
                return;
        require(world_call(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "ListSessions", &reply, NULL) == 0);
        sd_bus_message_unref(reply);
        world_check(w);
}

void fuzz_world_write(World *w, const char *name, const void *data, size_t size) {
        char path[256];
        int fd;

        if (name[0] == '/')
                (void) snprintf(path, sizeof(path), "%s", name);
        else
                (void) snprintf(path, sizeof(path), "%s/%s", w->dir, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        require(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t) size));
        (void) close(fd);
}
