/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "fd-util.h"
#include "hammer.h"
#include "test-bus.h"
#include "test-file.h"

#define SESSIONS_MAX 12U
#define FILES_PER_SESSION 24U
#define FILE_SIZE_MAX 16384U
#define KEYS 4U

typedef struct HammerSession {
        char name[64];
        uint64_t n_files, n_changes;
} HammerSession;

typedef struct Hammer {
        sd_bus *bus;
        const char *dir;
        uint64_t seed, random;
        int acked;
        HammerSession sessions[SESSIONS_MAX]; /* the oldest first */
        size_t n_sessions;
        uint64_t n_created;
} Hammer;

static void _printf_(2, 3) acknowledge(const Hammer *h, const char *format, ...) {
        char line[256];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        if (write(h->acked, line, (size_t) n) != n)
                die("Can't note what was acknowledged: %m");
}

static void create(Hammer *h) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_manager_call(h->bus, "CreateSession");
        HammerSession *s = h->sessions + h->n_sessions;

        *s = (HammerSession) {};
        (void) snprintf(s->name, sizeof(s->name), "hammer-%" PRIu64 "-%" PRIu64, h->seed, h->n_created);
        check_message(sd_bus_message_append(m, "sa{sv}", s->name, 0));
        test_bus_call_until_answered(h->bus, m, /* gone_is_fine= */ false, s->name);
        acknowledge(h, "create %s\n", s->name);
        h->n_created++;
        h->n_sessions++;
}

static void preserve(Hammer *h, HammerSession *s, bool many) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                test_bus_session_call(h->bus, s->name, many ? "PreserveMany" : "Preserve");
        uint64_t seeds[3], sizes[3];
        size_t n = many ? 3 : 1;

        if (many)
                check_message(sd_bus_message_open_container(m, 'a', "(tsh)"));
        for (size_t i = 0; i < n; i++) {
                _cleanup_(closep) int fd = -EBADF;

                seeds[i] = random_next(&h->random);
                sizes[i] = 1 + random_next(&h->random) % FILE_SIZE_MAX;
                fd = test_file_random(seeds[i], sizes[i]);
                check_message(sd_bus_message_append(m, many ? "(tsh)" : "tsh", s->n_files + i, "hammered", fd));
        }
        if (many) {
                check_message(sd_bus_message_close_container(m));
                check_message(sd_bus_message_append(m, "a{sv}", 0));
        }

        test_bus_call_until_answered(h->bus, m, /* gone_is_fine= */ false, s->name);
        for (size_t i = 0; i < n; i++)
                acknowledge(h, "preserve %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s->name, s->n_files + i, seeds[i],
                            sizes[i]);
        s->n_files += n;
}

/* The values of a key grow, so that a change that came through without being acknowledged can be told from a lost one. */
static void set_metadata(Hammer *h, HammerSession *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_session_call(h->bus, s->name, "SetMetadata");
        uint64_t number = ++s->n_changes;
        char key[16], value[32];

        (void) snprintf(key, sizeof(key), "key%" PRIu64, number % KEYS);
        (void) snprintf(value, sizeof(value), "%" PRIu64, number);
        check_message(sd_bus_message_open_container(m, 'a', "{say}"));
        check_message(sd_bus_message_open_container(m, 'e', "say"));
        check_message(sd_bus_message_append(m, "s", key));
        check_message(sd_bus_message_append_array(m, 'y', value, strlen(value)));
        check_message(sd_bus_message_close_container(m));
        check_message(sd_bus_message_close_container(m));
        test_bus_call_until_answered(h->bus, m, /* gone_is_fine= */ false, s->name);
        acknowledge(h, "metadata %s %s %s\n", s->name, key, value);
}

static void discard_oldest(Hammer *h) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                test_bus_session_call(h->bus, h->sessions[0].name, "Discard");

        acknowledge(h, "discarding %s\n", h->sessions[0].name);
        test_bus_call_until_answered(h->bus, m, /* gone_is_fine= */ true, h->sessions[0].name);
        acknowledge(h, "discarded %s\n", h->sessions[0].name);
        memmove(h->sessions, h->sessions + 1, --h->n_sessions * sizeof(*h->sessions));
}

static void step(Hammer *h) {
        uint64_t choice = random_next(&h->random) % 16;
        HammerSession *s;

        if (h->n_sessions == 0 || (choice == 0 && h->n_sessions < SESSIONS_MAX)) {
                create(h);
                return;
        }
        if (choice == 0) {
                discard_oldest(h);
                return;
        }
        s = h->sessions + random_next(&h->random) % h->n_sessions;
        if (choice <= 6 && s->n_files < FILES_PER_SESSION)
                preserve(h, s, /* many= */ false);
        else if (choice <= 8 && s->n_files < FILES_PER_SESSION)
                preserve(h, s, /* many= */ true);
        else
                set_metadata(h, s);
}

int hammer(const char *dir, uint64_t seed) {
        Hammer h = { .bus = test_bus_open(), .dir = dir, .seed = seed, .random = seed };
        char path[PATH_MAX], stop[PATH_MAX];
        uint64_t steps = 0;

        (void) snprintf(path, sizeof(path), "%s/acked.%" PRIu64, dir, seed);
        (void) snprintf(stop, sizeof(stop), "%s/stop", dir);
        /* On the disk before the next step: `kexec -e` takes the page cache along, and the notes must never be behind. */
        h.acked = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_DSYNC | O_CLOEXEC, 0600);
        if (h.acked < 0)
                die("%s: %m", path);

        for (; access(stop, F_OK) < 0; steps++)
                step(&h);
        printf("%" PRIu64 " steps\n", steps);
        safe_close(h.acked);
        sd_bus_flush_close_unref(h.bus);
        return EXIT_SUCCESS;
}

/* --- what is left of it */

typedef struct CheckedFile {
        uint64_t token, seed, size;
        bool seen;
} CheckedFile;

typedef struct CheckedSession {
        char name[64];
        CheckedFile files[FILES_PER_SESSION + 3];
        size_t n_files;
        uint64_t values[KEYS], highest; /* the last acknowledged of each key, and of all */
        bool discarding, discarded;
} CheckedSession;

typedef struct HammerCheck {
        sd_bus *bus;
        CheckedSession *sessions;
        size_t n_sessions;
        unsigned n_files, n_values, n_wrong;
} HammerCheck;

static void _printf_(2, 3) complain(HammerCheck *c, const char *format, ...) {
        va_list ap;

        c->n_wrong++;
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
}

static CheckedSession *find(HammerCheck *c, const char *name) {
        /* most lines are about one of the newest sessions */
        for (size_t i = c->n_sessions; i-- > 0;)
                if (streq(c->sessions[i].name, name))
                        return c->sessions + i;
        die("The notes speak of a session '%s' that was never made", name);
}

static void read_note(HammerCheck *c, const char *line) {
        uint64_t a, b, size;
        CheckedSession *s;
        char name[64];
        unsigned key;

        if (sscanf(line, "create %63s", name) == 1) {
                c->sessions = realloc(c->sessions, (c->n_sessions + 1) * sizeof(*c->sessions));
                if (!c->sessions)
                        die("Out of memory");
                s = c->sessions + c->n_sessions++;
                *s = (CheckedSession) {};
                memcpy(s->name, name, sizeof(name));
        } else if (sscanf(line, "preserve %63s %" SCNu64 " %" SCNu64 " %" SCNu64, name, &a, &b, &size) == 4) {
                s = find(c, name);
                if (s->n_files >= ARRAY_SIZE(s->files))
                        die("The notes tell of too many files in '%s'", name);
                s->files[s->n_files++] = (CheckedFile) { .token = a, .seed = b, .size = size };
        } else if (sscanf(line, "metadata %63s key%u %" SCNu64, name, &key, &a) == 3 && key < KEYS) {
                s = find(c, name);
                s->values[key] = s->highest = a;
        } else if (sscanf(line, "discarding %63s", name) == 1)
                find(c, name)->discarding = true;
        else if (sscanf(line, "discarded %63s", name) == 1)
                find(c, name)->discarded = true;
        else
                die("Can't understand the note '%s'", line);
}

static void read_notes(HammerCheck *c, const char *path) {
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        char line[256];

        if (!f)
                die("%s: %m", path);
        while (fgets(line, sizeof(line), f))
                if (strchr(line, '\n')) /* a last line that was cut off tells nothing */
                        read_note(c, line);
}

static bool is_there(HammerCheck *c, const CheckedSession *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_manager_call(c->bus, "GetSession");
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        check_message(sd_bus_message_append(m, "s", s->name));
        r = sd_bus_call(c->bus, m, TEST_TIMEOUT_USEC, &error, /* ret_reply= */ NULL);
        if (r < 0 && !sd_bus_error_has_name(&error, "org.luod1.Error.NoSuchSession"))
                wrong("GetSession '%s': %s", s->name, strempty(error.message));
        return r >= 0;
}

static void check_listed_file(HammerCheck *c, CheckedSession *s, uint64_t token, uint64_t size, const char *state) {
        for (size_t i = 0; i < s->n_files; i++) {
                CheckedFile *f = s->files + i;

                if (f->token != token)
                        continue;
                f->seen = true;
                if (f->size != size)
                        complain(c, "%s: token %" PRIu64 " has %" PRIu64 " bytes, not %" PRIu64, s->name, token, size, f->size);
                if (!streq(state, "kept") && !streq(state, "retrieved"))
                        complain(c, "%s: token %" PRIu64 " is %s", s->name, token, state);
        }
}

static void check_files(HammerCheck *c, CheckedSession *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = test_bus_get(c->bus, s->name, "Files", "a(tsstuss)");
        const char *label, *kind, *access, *state;
        uint64_t token, size;
        uint32_t mode;
        int r;

        check_message(sd_bus_message_enter_container(reply, 'a', "(tsstuss)"));
        while ((r = sd_bus_message_read(reply, "(tsstuss)", &token, &label, &kind, &size, &mode, &access, &state)) > 0)
                check_listed_file(c, s, token, size, state);
        check_message(r);
        for (size_t i = 0; i < s->n_files; i++)
                if (!s->files[i].seen)
                        complain(c, "%s: token %" PRIu64 " is lost", s->name, s->files[i].token);
        c->n_files += (unsigned) s->n_files;
}

/* At most one change can have been made after the last acknowledged one. */
static void check_value(HammerCheck *c, CheckedSession *s, unsigned key, uint64_t value) {
        bool unacknowledged = value == s->highest + 1 && value % KEYS == key;

        if (key < KEYS && value != s->values[key] && !unacknowledged)
                complain(c, "%s: key%u is %" PRIu64 ", not %" PRIu64, s->name, key, value, s->values[key]);
}

static void check_metadata(HammerCheck *c, CheckedSession *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = test_bus_get(c->bus, s->name, "Metadata", "a{say}");
        bool seen[KEYS] = {};
        int r;

        check_message(sd_bus_message_enter_container(reply, 'a', "{say}"));
        while ((r = sd_bus_message_enter_container(reply, 'e', "say")) > 0) {
                char text[32] = {};
                const char *key;
                const void *value;
                unsigned number = KEYS;
                size_t size;

                check_message(sd_bus_message_read(reply, "s", &key));
                check_message(sd_bus_message_read_array(reply, 'y', &value, &size));
                check_message(sd_bus_message_exit_container(reply));
                memcpy(text, value, MIN(size, sizeof(text) - 1));
                if (sscanf(key, "key%u", &number) != 1 || number >= KEYS)
                        continue;
                seen[number] = true;
                check_value(c, s, number, strtoull(text, NULL, 10));
        }
        check_message(r);
        for (unsigned i = 0; i < KEYS; i++) {
                if (s->values[i] != 0 && !seen[i])
                        complain(c, "%s: key%u is lost", s->name, i);
                c->n_values += s->values[i] != 0;
        }
}

static void check_contents(HammerCheck *c, CheckedSession *s) {
        for (size_t i = 0; i < s->n_files; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_bus_session_call(c->bus, s->name, "Retrieve"),
                                                                *reply = NULL;
                CheckedFile *f = s->files + i;
                int fd;

                check_message(sd_bus_message_append(m, "t", f->token));
                if (test_bus_call(c->bus, m, /* expect= */ NULL, &reply) != EXIT_SUCCESS) {
                        complain(c, "%s: token %" PRIu64 " can't be retrieved", s->name, f->token);
                        continue;
                }
                check_message(sd_bus_message_read(reply, "h", &fd));
                if (test_file_checksum(fd) != test_file_random_checksum(f->seed, f->size))
                        complain(c, "%s: token %" PRIu64 " has another content", s->name, f->token);
        }
}

static void check_session(HammerCheck *c, CheckedSession *s, bool retrieve) {
        bool there = is_there(c, s);

        if (there && s->discarded)
                complain(c, "%s: is back, after it was discarded", s->name);
        else if (!there && !s->discarding)
                complain(c, "%s: is lost", s->name);
        if (!there || s->discarding)
                return;

        check_files(c, s);
        check_metadata(c, s);
        if (retrieve)
                check_contents(c, s);
}

int hammer_check(const char *dir, uint64_t seed, bool retrieve) {
        HammerCheck c = { .bus = test_bus_open() };
        char path[PATH_MAX];

        (void) snprintf(path, sizeof(path), "%s/acked.%" PRIu64, dir, seed);
        read_notes(&c, path);
        for (size_t i = 0; i < c.n_sessions; i++)
                check_session(&c, c.sessions + i, retrieve);

        printf("%zu sessions, %u files, %u values checked; %u wrong\n", c.n_sessions, c.n_files, c.n_values, c.n_wrong);
        free(c.sessions);
        sd_bus_flush_close_unref(c.bus);
        return c.n_wrong == 0 && c.n_sessions > 0 ? EXIT_SUCCESS : EXIT_REFUSED;
}
