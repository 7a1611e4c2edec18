/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz-message.h"
#include "fuzz-world.h"

/* Every a{sv} of options that there is: keys of any kind, with values of any type. The first byte says whose. */

typedef struct Taker {
        const char *member;
        bool of_session;
        const char *before; /* arguments in front */
} Taker;

static const Taker takers[] = {
        { "CreateSession", false, "s" },
        { "Update", false, "" },
        { "LoadKernel", false, "hhs" },
        { "PreserveMany", true, "a(tsh)" },
};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        fuzz_world_require();
        (void) fuzz_fd(NULL);
        return 0;
}

static int append_options(sd_bus_message *m, Input *input) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (unsigned n = input_u8(input) % 8; r >= 0 && n > 0; n--)
                r = fuzz_append(m, "{sv}", input);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        uint8_t which = input_u8(&input);
        const Taker *taker = takers + which / 2 % ARRAY_SIZE(takers);
        ClientId client = which & 1 ? OTHER : ROOT;
        World *w = fuzz_world_new();
        uint64_t cookie;
        sd_bus_message *m;
        int r;

        require(world_start(w) == 0);
        require(create(w, client, "s") == 0);
        m = taker->of_session ? session_message(w, client, "s", taker->member) : manager_message(w, client, taker->member);
        r = fuzz_append(m, taker->before, &input);
        if (r >= 0)
                r = append_options(m, &input);
        if (r >= 0)
                (void) sd_bus_send(w->clients[client].client, m, &cookie);
        sd_bus_message_unref(m);
        world_settle(w);
        fuzz_world_check(w);
        fuzz_world_free(w);
        return 0;
}
