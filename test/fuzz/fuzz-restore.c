/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz-world.h"
#include "ledger.h"
#include "log.h"

/* A start with a ledger that says anything: luod has a session with two files, is killed, records are added to its ledger and
 * bytes damaged, and it is started again, perhaps after a live update. It comes up, and nothing is dropped that no record asked
 * to drop.
 *
 * FLAGS, records (log.h) after each a byte: 0xff: enough; then damage: PLACE(3) XOR(1). FLAGS: 1: by a live update. */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        fuzz_world_require();
        return 0;
}

static int ignore(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        return 0;
}

/* Whether a payload may ask that something be dropped: by a word of its own, whole. */
static bool may_drop(const LogEntry *e) {
        static const char *const words[] = { "new", "finishing", "discarding", "renewing", "finished", "discarded", "undone", "intent", "dropped", "gone" };

        if (e->type == RECORD_END || e->type == RECORD_HEAD)
                return true;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (e->size > 0 && memmem(e->payload, e->size, words[i], strlen(words[i])))
                        return true;
        return false;
}

/* false: nothing may be dropped on account of it. */
static bool change_ledger(World *w, Input *input) {
        LedgerDamage damage;
        bool drops = false;
        char path[64];
        void *memory;
        Ledger *l;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/ledger", w->dir);
        fd = open(path, O_RDWR | O_CLOEXEC);
        require(fd >= 0);
        memory = mmap(NULL, LEDGER_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        require(memory != MAP_FAILED);
        (void) close(fd);
        require(ledger_open(memory, LEDGER_FILE_SIZE, /* repair= */ true, ignore, NULL, &damage, &l) == 0);
        while (input->size > 0 && input_u8(input) != 0xff) {
                LogEntry e = log_take(input);

                drops |= may_drop(&e);
                (void) ledger_append(l, e.type, e.sid, e.payload, e.size);
        }
        ledger_free(l);
        while (input->size > 0) {
                size_t at = (size_t) input_number(input, 3) % LEDGER_FILE_SIZE;

                at = at % 2 ? at : at % 8192; /* near the beginning there is something */
                ((uint8_t *) memory)[at] ^= input_u8(input);
        }
        (void) munmap(memory, LEDGER_FILE_SIZE);
        return !drops;
}

static unsigned count_files(World *w) {
        FakeSession *s;
        unsigned n = 0;
        FakeFile *f;

        fake_kernel_reap(&w->kernel);
        LIST_FOREACH(&w->kernel.sessions, FakeSession, link, s)
                LIST_FOREACH(&s->files, FakeFile, link, f)
                        n += (f->seals & F_SEAL_FUTURE_WRITE) != 0; /* the clients' are marked */
        return n;
}

static int make_marked(const char *content) {
        int fd = make_memfd(content);

        require(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
        return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        uint8_t flags = input_u8(&input);
        World *w = fuzz_world_new();
        int a = make_marked("a"), b = make_marked("b");
        bool keeps;

        require(world_start(w) == 0);
        require(create(w, OTHER, "s") == 0);
        require(preserve(w, ROOT, "s", 1, a) == 0 && preserve(w, ROOT, "s", 2, b) == 0);
        require(count_files(w) == 2);
        safe_close(a);
        safe_close(b);
        world_kill(w);
        keeps = change_ledger(w, &input);
        if (flags & 1)
                world_kexec(w);
        if (world_start(w) == 0)
                fuzz_world_check(w);
        if (keeps)
                require(count_files(w) == 2);
        fuzz_world_free(w);
        return 0;
}
