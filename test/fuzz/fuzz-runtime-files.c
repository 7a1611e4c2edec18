/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz-world.h"
#include "owners.h"
#include "restored-record.h"
#include "target-record.h"
#include "unit-file.h"

/* The small files that luod finds at its start: what it wrote itself before, and what the host has. The first byte says which it
 * is. Whatever is in it, luod comes up. */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        fuzz_world_require();
        return 0;
}

static void try_start(const char *name, const uint8_t *data, size_t size, bool update) {
        World *w = fuzz_world_new();
        char path[256];
        int fd = -EBADF;

        require(world_start(w) == 0);
        require(create(w, OTHER, "s") == 0);
        world_kill(w);
        (void) snprintf(path, sizeof(path), "%s/inhibit", w->dir);
        require(mkdir(path, 0700) == 0);
        if (streq(name, "inhibit/1")) { /* somebody holds it */
                (void) snprintf(path, sizeof(path), "%s/inhibit/1.fifo", w->dir);
                require(mkfifo(path, 0600) == 0);
                fd = open(path, O_RDWR | O_CLOEXEC);
                require(fd >= 0);
        }
        if (name[0] == '/') {
                (void) snprintf(path, sizeof(path), "%s/reports", w->reports_dir);
                (void) mkdir(path, 0700);
                (void) snprintf(path, sizeof(path), "%s%s", w->reports_dir, name);
                fuzz_world_write(w, path, data, size);
        } else
                fuzz_world_write(w, name, data, size);
        if (update)
                world_kexec(w);
        require(world_start(w) == 0);
        fuzz_world_check(w);
        require(find_session(w, "s"));
        world_kill(w);
        safe_close(fd);
        fuzz_world_free(w);
}

static void try_restored(const char *text) {
        char again[RESTORED_RECORD_SIZE];
        RestoredRecord record = {};

        if (restored_record_decode(text, &record) < 0)
                return;
        restored_record_encode(&record, again);
        require(strncmp(text, again, strlen(text)) == 0);
}

static void try_target(const char *text) {
        TargetRecord record = {}, second = {};
        char *again;

        if (target_record_decode(text, &record) < 0)
                return;
        require(target_record_encode(&record, &again) == 0);
        require(target_record_decode(again, &second) == 0);
        require(memcmp(&record, &second, sizeof(record)) == 0);
        free(again);
}

/* A unit file, and a passwd. */
static void try_host_files(const uint8_t *data, size_t size) {
        char dir[] = "/dev/shm/luod-fuzz-XXXXXX", path[128];
        Owner owners[] = { { .uid = 0 }, { .uid = 1000 }, { .uid = 4294967294U } };
        const char *directories[] = { dir, NULL };
        UnitFile unit;
        int fd;

        require(mkdtemp(dir));
        (void) snprintf(path, sizeof(path), "%s/luod.service", dir);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        require(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t) size));
        (void) close(fd);
        (void) unit_file_read(directories, "luod.service", &unit);
        (void) unit_file_is_enabled(directories, "luod.service");
        (void) owners_find_names(path, owners, ARRAY_SIZE(owners));
        (void) unlink(path);
        (void) rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const names[] = { "restore", "update", "next-kernel", "inhibit/1", "/reports/under-way.json", "/reports/1.json" };
        Input input = { data, size };
        uint8_t what = input_u8(&input);
        char *text = strndup(input.size > 0 ? (const char *) input.data : "", input.size);

        require(text);
        if (what < 0x80) { /* the quick ones most of the time */
                try_restored(text);
                try_target(text);
                try_host_files(input.data, input.size);
        } else
                try_start(names[what / 2 % ARRAY_SIZE(names)], input.data, input.size, what & 1);
        free(text);
        return 0;
}
