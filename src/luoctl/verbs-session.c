/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus-names.h"
#include "client.h"
#include "content.h"
#include "fd-util.h"
#include "output.h"
#include "parse.h"
#include "text.h"
#include "verbs.h"

/* A connection, and the session that the first argument names. */
typedef struct Target {
        sd_bus *bus;
        char *path;
} Target;

static void target_done(Target *t) {
        t->path = (free(t->path), NULL);
        t->bus = sd_bus_flush_close_unref(t->bus);
}

static ExitStatus target_find(const Options *o, Target *ret) {
        ExitStatus status;

        status = client_open(&ret->bus);
        if (status != STATUS_OK)
                return status;

        return client_find_session(ret->bus, o->arguments[0], &ret->path);
}

static ExitStatus take_token(const Options *o, const char *s, uint64_t *ret) {
        int r;

        r = parse_token(s, ret);
        if (r == -ERANGE)
                return report_usage(o->verb->name, "Token '%s' is too large: 2^64-1 is the largest.", s);
        if (r < 0)
                return report_usage(o->verb->name,
                                    "'%s' is not a token: a decimal number, or 0x and a hexadecimal one.",
                                    s);
        return STATUS_OK;
}

/* Checked as a whole before anything is sent, so that a slip in the last one is a usage error like one in
 * the first. */
static ExitStatus check_assignments(const Options *o, const char *const *assignments, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *key = NULL;
                const char *value;
                int r;

                r = parse_assignment(assignments[i], &key, &value);
                if (r == -ENOMEM)
                        return report_oom();
                if (r == -EILSEQ)
                        return report_usage(o->verb->name, "The key of '%s' is not UTF-8.", assignments[i]);
                if (r < 0)
                        return report_usage(o->verb->name, "'%s' is not of the form KEY=VALUE.",
                                            assignments[i]);

                for (size_t j = 0; j < i; j++)
                        if (strncmp(assignments[j], assignments[i], strlen(key) + 1) == 0)
                                return report_usage(o->verb->name, "The key '%s' is given twice.", key);
        }

        return STATUS_OK;
}

/* Appends checked assignments as a{say}. */
static int append_assignments(sd_bus_message *m, const char *const *assignments, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{say}");
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *key = NULL;
                const char *value;

                r = parse_assignment(assignments[i], &key, &value);
                if (r < 0)
                        return r;
                r = sd_bus_message_open_container(m, 'e', "say");
                if (r < 0)
                        return r;
                r = sd_bus_message_append_basic(m, 's', key);
                if (r < 0)
                        return r;
                r = sd_bus_message_append_array(m, 'y', value, strlen(value));
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(m);
}

/* The a{sv} of CreateSession(). */
static int append_create_options(sd_bus_message *m, const Options *o) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        if (o->n_metadata > 0) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r < 0)
                        return r;
                r = sd_bus_message_append_basic(m, 's', "metadata");
                if (r < 0)
                        return r;
                r = sd_bus_message_open_container(m, 'v', "a{say}");
                if (r < 0)
                        return r;
                r = append_assignments(m, o->metadata, o->n_metadata);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }

        if (o->auto_renew) {
                r = sd_bus_message_append(m, "{sv}", "auto-renew", "b", true);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(m);
}

static ExitStatus print_created(const Options *o, const char *path) {
        _cleanup_free_ char *json = NULL;

        if (o->json == JSON_OFF) {
                print_text(path);
                putchar('\n');
                return STATUS_OK;
        }

        if (encode_created(o->arguments[0], path, o->json, &json) < 0)
                return report_oom();
        print_json(json);
        return STATUS_OK;
}

ExitStatus verb_create(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        const char *name = o->arguments[0], *path;
        ExitStatus status;
        int r;

        if (!text_is_utf8(name, strlen(name)))
                return report_usage(o->verb->name, "'%s' can't be the name of a session: it is not UTF-8.",
                                    name);
        status = check_assignments(o, o->metadata, o->n_metadata);
        if (status != STATUS_OK)
                return status;

        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(bus, LUOD_OBJECT_PATH, "CreateSession", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append_basic(m, 's', name);
        if (r < 0)
                return client_message_failed(r);
        r = append_create_options(m, o);
        if (r < 0)
                return client_message_failed(r);

        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_read_basic(reply, 'o', &path);
        if (r < 0)
                return client_message_failed(r);
        return print_created(o, path);
}

/* Copies a file, or standard input for "-", into a new memfd; not more than @max bytes. */
static ExitStatus load(const char *path, uint64_t max, int *ret_memfd) {
        _cleanup_(closep) int file = -EBADF, memfd = -EBADF;
        bool from_stdin = streq(path, "-"), reading;
        const char *what = from_stdin ? "standard input" : path;
        int r;

        if (!from_stdin) {
                file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                if (file < 0) {
                        report("Can't open '%s': %s", path, strerror(errno));
                        return STATUS_FAILURE;
                }
        }

        r = content_new_memfd(&memfd);
        if (r < 0) {
                report("Can't make a file in memory: %s", strerror(-r));
                return r == -ENOMEM || r == -ENOSPC ? STATUS_NO_ROOM : STATUS_FAILURE;
        }

        r = content_fill(memfd, from_stdin ? STDIN_FILENO : file, max, &reading);
        if (r == -EFBIG && !reading) {
                report("'%s' is larger than what you may still have kept, %" PRIu64 " bytes: see 'luoctl status --quota'.", what, max);
                return STATUS_NO_ROOM;
        }
        if (r < 0 && reading) {
                report("Can't read '%s': %s", what, strerror(-r));
                return STATUS_FAILURE;
        }
        if (r < 0) {
                report("Can't copy '%s' into memory: %s", what, strerror(-r));
                return r == -ENOMEM || r == -ENOSPC ? STATUS_NO_ROOM : STATUS_FAILURE;
        }

        *ret_memfd = TAKE_FD(memfd);
        return STATUS_OK;
}

static ExitStatus preserve(const Target *t, uint64_t token, const char *label, int memfd) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitStatus status;
        int r;

        status = client_new_call(t->bus, t->path, "Preserve", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append(m, "tsh", token, label, memfd);
        if (r < 0)
                return client_message_failed(r);

        return client_call(t->bus, m, CLIENT_TIMEOUT_INFINITE, /* ret_reply= */ NULL);
}

ExitStatus verb_preserve(const Options *o) {
        _cleanup_(target_done) Target t = {};
        _cleanup_(closep) int memfd = -EBADF; /* held until luod has answered */
        ExitStatus status;
        uint64_t token;

        status = take_token(o, o->arguments[1], &token);
        if (status != STATUS_OK)
                return status;
        if (!text_is_utf8(o->label, strlen(o->label)))
                return report_usage(o->verb->name, "'%s' can't be a label: it is not UTF-8.", o->label);

        /* First the session: a wrong name should not cost reading all of standard input. */
        status = target_find(o, &t);
        if (status != STATUS_OK)
                return status;
        status = load(o->arguments[2], get_room(t.bus), &memfd);
        if (status != STATUS_OK)
                return status;

        status = preserve(&t, token, o->label, memfd);
        if (status == STATUS_EXISTS)
                report("Nothing was changed. Each 'preserve' makes a new copy, so one that is repeated finds "
                       "its own token taken; 'luoctl show %s' tells what is kept.",
                       o->arguments[0]);
        return status;
}

/* Writes the content of @fd to a file, or to standard output where @path is NULL. */
static ExitStatus save(int fd, const char *path) {
        int r;

        r = path ? content_save(fd, path) : content_write(fd, STDOUT_FILENO);
        if (r >= 0)
                return STATUS_OK;

        if (r == -EBADFD)
                report("The file was kept write-only: its content can't be read.");
        else if (r == -ENOTSUP)
                report("What is kept is not a file with content.");
        else if (r == -ENODATA)
                report("The file became shorter while it was copied.");
        else if (r == -EEXIST)
                report("'%s' is not a regular file, so it was not replaced; for a device or a pipe use '-'.",
                       path);
        else if (path)
                report("Can't write '%s': %s", path, strerror(-r));
        else
                report("Can't write to standard output: %s", strerror(-r));
        return STATUS_FAILURE;
}

ExitStatus verb_retrieve(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(target_done) Target t = {};
        ExitStatus status;
        const char *path = o->n_arguments > 2 ? o->arguments[2] : "-";
        uint64_t token;
        int r, fd;

        status = take_token(o, o->arguments[1], &token);
        if (status != STATUS_OK)
                return status;
        status = target_find(o, &t);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(t.bus, t.path, "Retrieve", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append_basic(m, 't', &token);
        if (r < 0)
                return client_message_failed(r);

        status = client_call(t.bus, m, CLIENT_TIMEOUT_INFINITE, &reply);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_read_basic(reply, 'h', &fd); /* @reply owns it */
        if (r < 0)
                return client_message_failed(r);

        return save(fd, streq(path, "-") ? NULL : path);
}

ExitStatus verb_set_metadata(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(target_done) Target t = {};
        const char *const *assignments = (const char *const *) o->arguments + 1;
        size_t n = (size_t) o->n_arguments - 1;
        ExitStatus status;
        int r;

        status = check_assignments(o, assignments, n);
        if (status != STATUS_OK)
                return status;
        status = target_find(o, &t);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(t.bus, t.path, "SetMetadata", &m);
        if (status != STATUS_OK)
                return status;
        r = append_assignments(m, assignments, n);
        if (r < 0)
                return client_message_failed(r);

        return client_call(t.bus, m, CLIENT_TIMEOUT, /* ret_reply= */ NULL);
}

ExitStatus verb_renew(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(target_done) Target t = {};
        ExitStatus status;

        status = target_find(o, &t);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(t.bus, t.path, "Renew", &m);
        if (status != STATUS_OK)
                return status;

        return client_call(t.bus, m, CLIENT_TIMEOUT_INFINITE, /* ret_reply= */ NULL);
}

static ExitStatus carry(sd_bus *bus, const char *path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitStatus status;

        status = client_new_call(bus, path, "Carry", &m);
        if (status != STATUS_OK)
                return status;
        return client_call(bus, m, CLIENT_TIMEOUT_INFINITE, /* ret_reply= */ NULL);
}

/* STATUS_OK: @ret says whether it is there to be carried. */
static ExitStatus look_whether_unclaimed(sd_bus *bus, const SessionRow *row, bool *ret) {
        _cleanup_(session_info_done) SessionInfo info = {};
        ExitStatus status;

        *ret = false;
        if (!streq(row->direction, "incoming"))
                return STATUS_OK;
        status = client_get_session(bus, row->path, &info);
        if (status != STATUS_OK)
                return status;
        *ret = streq(strempty(info.claim), "unclaimed");
        return STATUS_OK;
}

/* Each is tried, whatever becomes of the others; the first failure is what is told. */
static ExitStatus carry_all(sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(session_rows_done) SessionRows rows = {};
        ExitStatus status;
        int r;

        status = client_new_call(bus, LUOD_OBJECT_PATH, "ListSessions", &m);
        if (status != STATUS_OK)
                return status;
        status = client_call(bus, m, CLIENT_TIMEOUT, &reply);
        if (status != STATUS_OK)
                return status;
        r = session_rows_read(reply, &rows);
        if (r < 0)
                return client_message_failed(r);

        for (size_t i = 0; i < rows.n_items; i++) {
                bool unclaimed;
                ExitStatus s;

                s = look_whether_unclaimed(bus, &rows.items[i], &unclaimed);
                if (s == STATUS_OK && unclaimed)
                        s = carry(bus, rows.items[i].path);
                if (status == STATUS_OK)
                        status = s;
        }
        return status;
}

ExitStatus verb_carry(const Options *o) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus status;

        if (o->all == (o->n_arguments > 0))
                return report_usage(o->verb->name, "Which sessions? Name them, or give --all.");
        status = client_open(&bus);
        if (status != STATUS_OK)
                return status;
        if (o->all)
                return carry_all(bus);

        for (int i = 0; i < o->n_arguments; i++) {
                _cleanup_free_ char *path = NULL;
                ExitStatus s;

                s = client_find_session(bus, o->arguments[i], &path);
                if (s == STATUS_OK)
                        s = carry(bus, path);
                if (status == STATUS_OK)
                        status = s;
        }
        return status;
}

static ExitStatus end_session(const Options *o, const char *member) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(target_done) Target t = {};
        ExitStatus status;

        status = target_find(o, &t);
        if (status != STATUS_OK)
                return status;
        status = client_new_call(t.bus, t.path, member, &m);
        if (status != STATUS_OK)
                return status;

        return client_call_final(t.bus, m, CLIENT_TIMEOUT_INFINITE);
}

ExitStatus verb_finish(const Options *o) {
        return end_session(o, "Finish");
}

ExitStatus verb_discard(const Options *o) {
        if (o->n_arguments > 1)
                return report_usage(o->verb->name,
                                    "A single file is never given back: the kernel can drop a session only as a whole. "
                                    "Keep what is to be dropped alone in a session of its own.");
        return end_session(o, "Discard");
}
