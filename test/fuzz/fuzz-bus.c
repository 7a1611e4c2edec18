/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz-message.h"
#include "fuzz-world.h"

/* The whole surface of the bus. An input is a sequence of calls, most of them of methods that there are, by two users, with any
 * values and fds; in between luod is restarted, the host updated, the kernel unwilling. What is at stake: luod lives, answers,
 * and what it knows, what is written down and what the kernel has remain the same. */

#define CALLS_MAX 48
#define FDS 12

static int fds[FDS];

static int open_fd(unsigned kind) {
        int fd, pair[2], other;
        char path[64];

        switch (kind) {
        default:
                return make_memfd("content");
        case 4:
                fd = make_memfd("sealed");
                require(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
                return fd;
        case 5: /* more than there is memory */
                fd = make_memfd("sparse");
                require(ftruncate(fd, 1LL << 45) == 0);
                return fd;
        case 6:
                fd = make_memfd("for reading");
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                other = open(path, O_RDONLY | O_CLOEXEC);
                (void) close(fd);
                return other;
        case 7:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        case 8:
                return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        case 9:
                return open("/", O_PATH | O_CLOEXEC);
        case 10:
                return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        case 11:
                require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
                (void) close(pair[1]);
                return pair[0];
        }
}

/* The same one for the same number, so that objects are met again. */
static int take_fd(Input *input) {
        unsigned kind = input_u8(input) % FDS;

        if (fds[kind] < 0)
                fds[kind] = open_fd(kind);
        require(fds[kind] >= 0);
        return fds[kind];
}

/* --- calls */

typedef struct Method {
        const char *member, *signature;
        bool of_session;
} Method;

/* All of dbus/org.luod1.xml, a new one at the end: inputs know them by their number. */
static const Method methods[] = {
        { "Preserve", "tsh", true },
        { "PreserveMany", "a(tsh)a{sv}", true },
        { "Retrieve", "t", true },
        { "RetrieveMany", "at", true },
        { "SetMetadata", "a{say}", true },
        { "Renew", "", true },
        { "Carry", "", true },
        { "SetReady", "b", true },
        { "Finish", "", true },
        { "Discard", "", true },
        { "Release", "t", true },
        { "OpenFd", "", true },
        { "CreateSession", "sa{sv}", false },
        { "GetSession", "s", false },
        { "ListSessions", "", false },
        { "Identify", "h", false },
        { "Check", "", false },
        { "Reload", "", false },
        { "LoadKernel", "hhsa{sv}", false },
        { "UnloadKernel", "", false },
        { "Update", "a{sv}", false },
        { "Cancel", "", false },
        { "Inhibit", "ssss", false },
        { "ListInhibitors", "", false },
        { "GetReport", "", false },
        { "GetReportOf", "t", false },
        { "ListReports", "", false },
        { "ReleaseLock", "t", false },
        { "GetQuota", "", false },
};

/* The value of an attribute in a line of XML, or NULL. */
static const char *attribute(const char *line, const char *name, char buffer[static 64]) {
        const char *p = strstr(line, name);

        if (!p || strlen(p) <= strlen(name) + 2)
                return NULL;
        (void) snprintf(buffer, 64, "%.*s", (int) MIN(strcspn(p + strlen(name) + 2, "\""), (size_t) 63), p + strlen(name) + 2);
        return buffer;
}

static void require_method(const char *member, const char *signature) {
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (streq(methods[i].member, member) && streq(methods[i].signature, signature))
                        return;
        fprintf(stderr, "%s: the method %s(%s) is missing at the end of the table in fuzz-bus.c, or is another one there\n", BUS_XML,
                member, signature);
        exit(EXIT_FAILURE);
}

static void compare_with_xml(void) {
        _cleanup_(fclosep) FILE *f = fopen(BUS_XML, "re");
        char line[1024], member[64], type[64], direction[64], signature[64] = "";

        require(f);
        member[0] = '\0';
        while (fgets(line, sizeof(line), f)) {
                if (strstr(line, "<method ")) {
                        require(attribute(line, " name", member));
                        signature[0] = '\0';
                }
                if (strstr(line, "<arg ") && member[0] && attribute(line, " type", type) &&
                    (!attribute(line, " direction", direction) || streq(direction, "in")))
                        (void) snprintf(signature + strlen(signature), sizeof(signature) - strlen(signature), "%s", type);
                if (member[0] && (strstr(line, "</method>") || (strstr(line, "<method ") && strstr(line, "/>")))) {
                        require_method(member, signature);
                        member[0] = '\0';
                }
        }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        compare_with_xml();
        fuzz_world_require();
        fuzz_fd = take_fd;
        return 0;
}

/* Nobody waits for the answer: an Update() may take long. */
static void send_off(World *w, ClientId client, sd_bus_message *m, int r) {
        sd_bus *bus = w->clients[client].client;
        uint64_t cookie;

        if (r >= 0 && sd_bus_is_open(bus))
                (void) sd_bus_send(bus, m, &cookie);
        sd_bus_message_unref(m);
}

static sd_bus_message *message_to(World *w, ClientId client, const char *path, const char *interface, const char *member) {
        sd_bus_message *m = NULL;

        if (sd_bus_message_new_method_call(w->clients[client].client, &m, NULL, path, interface, member) < 0)
                return NULL;
        return m;
}

static char *session_path_of(Input *input) {
        char *path;

        require(sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, fuzz_string(input), &path) >= 0);
        return path;
}

static void call_method(World *w, ClientId client, unsigned which, Input *input) {
        const Method *method = methods + which % ARRAY_SIZE(methods);
        _cleanup_free_ char *path = method->of_session ? session_path_of(input) : strdup(LUOD_OBJECT_PATH);
        sd_bus_message *m;

        m = message_to(w, client, path, method->of_session ? LUOD_INTERFACE_SESSION : LUOD_INTERFACE_MANAGER, method->member);
        if (m)
                send_off(w, client, m, fuzz_append(m, method->signature, input));
}

static void call_anything(World *w, ClientId client, Input *input) {
        static const char *const members[] = { "Get",       "GetAll", "Set", "Introspect", "GetManagedObjects", "Ping",
                                               "GetMachineId", "Preserve", "CreateSession", "Update", "Nothing" };
        static const char *const signatures[] = { "ss", "s", "ssv", "", "tsh", "sa{sv}", "a{sv}", "a(tsh)a{sv}", "v", "ah" };
        _cleanup_free_ char *path = input_u8(input) & 1 ? session_path_of(input) : strdup(fuzz_string(input));
        uint8_t shape = input_u8(input);
        char interface[64], member[64];
        sd_bus_message *m;

        (void) snprintf(interface, sizeof(interface), "%.63s", fuzz_string(input));
        (void) snprintf(member, sizeof(member), "%.63s", shape & 1 ? members[shape / 2 % ARRAY_SIZE(members)] : fuzz_string(input));
        m = message_to(w, client, path[0] == '/' ? path : LUOD_OBJECT_PATH, interface, member);
        if (!m)
                return;
        shape = input_u8(input);
        send_off(w, client, m, fuzz_append(m, shape < 0x80 ? signatures[shape % ARRAY_SIZE(signatures)] : fuzz_string(input), input));
}

/* --- what else happens */

static void heal(World *w) {
        w->kernel.device_error = w->kernel.create_error = w->kernel.preserve_error = w->kernel.finish_error = 0;
        w->kernel.retrieve_error = 0;
        w->store.push_error = w->store.remove_error = 0;
}

static void world_turns(World *w, uint8_t what, unsigned *n_starts) {
        static const int errors[] = { 0, -ENOMEM, -EBUSY, -EIO, -EINVAL, -ENOSPC, -ETIMEDOUT };
        int error = errors[what / 16 % ARRAY_SIZE(errors)];

        switch (what % 16) {
        case 0:
                heal(w);
                if ((*n_starts)++ < 3)
                        world_restart(w);
                break;
        case 1:
        case 2:
                heal(w);
                if ((*n_starts)++ < 3)
                        (what % 16 == 1 ? world_update : world_jump)(w);
                break;
        case 3:
                world_time_passes(w);
                break;
        case 4:
                w->kernel.preserve_error = error;
                break;
        case 5:
                w->kernel.retrieve_error = error;
                break;
        case 6:
                w->kernel.create_error = error;
                break;
        case 7:
                w->kernel.finish_error = error;
                break;
        case 8:
                w->store.push_error = error;
                break;
        case 9:
                fake_logind_prepare(&w->logind, what & 16, what & 32 ? SHUTDOWN_KEXEC : SHUTDOWN_COLD);
                break;
        default:
                heal(w);
        }
        world_settle(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        unsigned n_starts = 0;
        World *w;

        for (unsigned i = 0; i < FDS; i++)
                fds[i] = -EBADF;
        w = fuzz_world_new();
        w->kernel.keeps_eventfds = input_u8(&input) & 1;
        require(world_start(w) == 0);
        require(create(w, OTHER, "s") == 0 && create(w, ROOT, "t") == 0);
        for (unsigned i = 0; i < CALLS_MAX && input.size > 0; i++) {
                uint8_t what = input_u8(&input);
                ClientId client = what & 1 ? ROOT : OTHER;

                if (what < 0xc0)
                        call_method(w, client, what / 2, &input);
                else if (what < 0xe0)
                        call_anything(w, client, &input);
                else
                        world_turns(w, input_u8(&input), &n_starts);
                if (!(what & 0x10)) /* or else with the next one */
                        world_settle(w);
        }
        heal(w);
        world_settle(w);
        fuzz_world_check(w);

        for (unsigned i = 0; i < FDS; i++)
                safe_close(fds[i]);
        fuzz_world_free(w);
        return 0;
}
