/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "changeover.h"
#include "index-page.h"
#include "job.h"
#include "parts.h"
#include "restore.h"
#include "world.h"

#define PATIENCE_USEC (20ULL * 1000 * 1000)

/* --- the runtime directory */

static bool make_dir(World *w) {
        struct statfs sfs;

        (void) snprintf(w->dir, sizeof(w->dir), "/dev/shm/luod-test-XXXXXX");
        return mkdtemp(w->dir) && statfs(w->dir, &sfs) >= 0 && sfs.f_type == TMPFS_MAGIC;
}

static void clear_dir(const char *path) {
        DIR *d = opendir(path);
        struct dirent *de;

        if (!d)
                return;
        while ((de = readdir(d))) {
                char name[512];

                if (streq(de->d_name, ".") || streq(de->d_name, ".."))
                        continue;
                (void) snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
                if (de->d_type == DT_DIR) {
                        clear_dir(name);
                        (void) rmdir(name);
                } else
                        (void) unlink(name);
        }
        (void) closedir(d);
}

/* --- life and death */

static void new_boot(World *w) {
        w->n_boots++;
        (void) snprintf(w->boot_id, sizeof(w->boot_id), "%08x-b007-4000-8000-000000000000", w->n_boots);
}

World *world_new(void) {
        World *w = calloc(1, sizeof(*w));

        if (!w)
                abort();
        (void) sd_journal_print(LOG_DEBUG, "luod's tests"); /* the first line opens a socket for all that follow */
        w->n_fds_at_start = count_fds();
        fake_kernel_init(&w->kernel);
        fake_store_init(&w->store);
        fake_kexec_init(&w->kexec);
        fake_logind_init(&w->logind);
        new_boot(w);
        if (!make_dir(w))
                return world_free(w);
        return w;
}

World *world_free(World *w) {
        if (!w)
                return NULL;

        world_kill(w);
        for (size_t i = 0; i < ARRAY_SIZE(w->callers); i++)
                caller_unref(w->callers[i]);
        fake_logind_done(&w->logind);
        fake_store_done(&w->store);
        fake_kernel_done(&w->kernel);
        clear_dir(w->dir);
        (void) rmdir(w->dir);
        free(w->error);
        free(w->error_message);
        free(w);
        return NULL;
}

static sd_bus *connection_new(World *w, int fd, bool server) {
        sd_id128_t id;
        sd_bus *bus;

        if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0)
                abort();
        if (server && (sd_id128_randomize(&id) < 0 || sd_bus_set_server(bus, true, id) < 0))
                abort();
        if (sd_bus_start(bus) < 0 || sd_bus_attach_event(bus, w->event, 0) < 0)
                abort();
        return bus;
}

/* A socketpair belongs to who makes it. */
static void client_connect(World *w, ClientId id) {
        Client *c = &w->clients[id];
        int pair[2];

        if (id == OTHER && seteuid(OTHER_UID) < 0)
                abort();
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                abort();
        if (id == OTHER && seteuid(0) < 0)
                abort();

        c->server = connection_new(w, pair[0], /* server= */ true);
        c->client = connection_new(w, pair[1], /* server= */ false);
        for (unsigned i = 0; sd_bus_is_ready(c->server) <= 0 || sd_bus_is_ready(c->client) <= 0; i++)
                if (i > 1000 || sd_event_run(w->event, 10000) < 0)
                        abort();
        assert_int_equal(bus_init(&c->bus, w->manager, c->server), 0);
}

static void client_disconnect(Client *c) {
        if (!c->server)
                return;
        bus_done(&c->bus);
        sd_bus_close_unref(c->client);
        sd_bus_close_unref(c->server);
        *c = (Client) {};
}

static void on_changed_over(Manager *m, int error, void *userdata) {
        World *w = userdata;

        w->changed_over = true;
        w->changeover_error = error;
}

static void on_config_message(const char *message, void *userdata) {
}

static uint64_t ino_of(int fd) {
        struct stat st;

        return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

/* What PID 1 hands over: the fds of the store, by name. What luod leaves open of them ends with it. */
static int restore(World *w) {
        FoundFd *found = calloc(w->store.n_stored + 1, sizeof(*found));
        FakeStored *s;
        int r;

        w->handed = calloc(w->store.n_stored + 1, sizeof(int));
        w->handed_ino = calloc(w->store.n_stored + 1, sizeof(uint64_t));
        if (!found || !w->handed || !w->handed_ino)
                abort();
        LIST_FOREACH(&w->store.stored, FakeStored, link, s) {
                int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);

                assert_true(fd >= 0);
                w->handed[w->n_handed] = fd;
                w->handed_ino[w->n_handed] = ino_of(fd);
                found[w->n_handed++] = (FoundFd) { fd, s->fdname };
        }
        if (w->remote_luo) /* PID 1's own are in another process */
                LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                        s->fd = safe_close(s->fd);
        if (w->few_fds)
                (void) limit_fds(w->n_few_fds);
        r = manager_restore(w->manager, w->boot_id, found, w->n_handed);
        free(found);
        return r;
}

static void close_handed(World *w) {
        for (size_t i = 0; i < w->n_handed; i++)
                if (ino_of(w->handed[i]) == w->handed_ino[i])
                        safe_close(w->handed[i]);
        free(w->handed);
        free(w->handed_ino);
        w->handed = NULL;
        w->handed_ino = NULL;
        w->n_handed = 0;
}

int world_start(World *w) {
        int r;

        assert_null(w->manager);
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(manager_new(w->event, w->remote_luo ? w->remote_luo : &w->kernel.ops, w->dir, &w->manager), 0);
        w->manager->workers.inline_ = !w->with_workers;
        w->manager->config_directories = w->config_directories;
        assert_int_equal(manager_reload(w->manager, on_config_message, w), 0);
        if (w->unit_directories)
                w->manager->unit_directories = w->unit_directories;
        w->manager->target.kexec = &w->kexec.ops;
        w->manager->target.boot_dir = w->dir;
        w->manager->reports.hooks = w->report_hooks;
        if (w->reports_dir)
                assert_int_equal(reports_open(w->manager, w->reports_dir), 0);
        r = restore(w);
        if (r < 0)
                return r;
        if (!w->remote_luo) {
                LogindEvents events = update_logind_events(w->manager);

                w->manager->logind = fake_logind_connect(&w->logind, &events);
        }

        if (!w->no_custodian) {
                w->manager->custody = w->remote_custody_new ? w->remote_custody_new(w->event)
                                                            : fake_custody_new(&w->store, w->event);
                fake_store_show(&w->store, w->manager);
        }
        w->changed_over = false;
        r = changeover_start(w->manager, on_changed_over, w);
        if (r < 0)
                return r;
        world_settle(w);
        if (!w->changed_over)
                return -EINPROGRESS;
        if (w->changeover_error < 0 || w->remote_luo)
                return w->changeover_error;

        reports_restore(w->manager);
        update_restore(w->manager);
        client_connect(w, OTHER);
        client_connect(w, ROOT); /* the last one hears the signals */
        update_resume(w->manager);
        w->manager->unit_starter = fake_units_new(&w->units);
        restored_start(w->manager);
        world_settle(w);
        return 0;
}

void world_kill(World *w) {
        if (!w->event)
                return;
        for (unsigned i = 0; i < N_CLIENTS; i++)
                client_disconnect(&w->clients[i]);
        w->manager = manager_free(w->manager);
        w->event = sd_event_unref(w->event);
        close_handed(w);
}

void world_new_boot(World *w) {
        clear_dir(w->dir);
        w->kexec.loaded = w->logind.shutting_down = false;
        new_boot(w);
}

void world_kexec(World *w) {
        fake_store_kexec(&w->store, &w->kernel);
        world_kill(w);
        world_new_boot(w);
}

void world_restart(World *w) {
        world_kill(w);
        assert_int_equal(world_start(w), 0);
        world_check(w);
}

void world_update(World *w) {
        world_kill(w);
        world_kexec(w);
        assert_int_equal(world_start(w), 0);
        world_check(w);
}

void world_require(void) {
        const char *must = getenv("LUOD_TEST_MUST_RUN"), *reason = NULL;
        World *w;

        if (geteuid() != 0)
                reason = "files of other owners and clients with other uids need root";
        else if (!(w = world_new()))
                reason = "/dev/shm is no tmpfs that can be written to";
        else
                world_free(w);
        if (!reason)
                return;
        fprintf(stderr, "skipped: %s\n", reason);
        exit(must && streq(must, "1") ? EXIT_FAILURE : 77);
}

void world_jump(World *w) {
        world_kexec(w);
        assert_int_equal(world_start(w), 0);
        world_check(w);
}

int world_setup_down(void **state) {
        *state = world_new();
        return *state ? 0 : -1;
}

int world_setup(void **state) {
        int r = world_setup_down(state);

        return r < 0 ? r : world_start(*state);
}

int world_teardown(void **state) {
        World *w = *state;
        unsigned before = w->n_fds_at_start, after;

        world_free(w);
        after = count_fds();
        if (after != before)
                print_error("fds: %u before, %u after\n", before, after);
        return after == before ? 0 : -1;
}

/* --- time */

void world_settle(World *w) {
        uint64_t start = now_realtime();

        /* Other processes need their time; they are not done before they say so. */
        while (sd_event_run(w->event, w->with_workers && !workers_are_idle(&w->manager->workers) ? 100000 : 0) > 0 ||
               (w->with_workers && !workers_are_idle(&w->manager->workers)))
                if (now_realtime() - start > PATIENCE_USEC)
                        fail_msg("it never comes to rest");
}

void world_run_until(World *w, const int *flag) {
        uint64_t start = now_realtime();

        while (!*flag) {
                assert_true(sd_event_run(w->event, 100000) >= 0);
                if (now_realtime() - start > PATIENCE_USEC)
                        fail_msg("no answer");
        }
}

void world_time_passes(World *w) {
        Session *s;
        Job *j;

        LIST_FOREACH(&w->manager->spare_waiters, Job, wait_link, j)
                assert_true(sd_event_source_set_time(j->timeout, 0) >= 0);
        if (w->manager->upkeep)
                assert_true(sd_event_source_set_time(w->manager->upkeep, 0) >= 0);
        LIST_FOREACH(&w->manager->state.sessions, Session, link, s)
                s->renewal_next = 0;
        renewals_kick(w->manager);
        world_settle(w);
}

/* --- comparing */

static void dump_session(FILE *f, const Session *s) {
        fprintf(f, "session %s sid %llu uid %u %s %s answered %d created %llu auto-renew %d carrying %d carried %u "
                "claimed %llu\n",
                s->record.name, (unsigned long long) s->sid, (unsigned) s->record.uid,
                direction_to_string(s->record.direction), session_state_to_string(s->record.state), s->record.answered,
                (unsigned long long) s->record.created, s->record.auto_renew, s->record.carrying, s->record.carried,
                (unsigned long long) s->record.claimed);
        for (size_t i = 0; i < s->n_files; i++) {
                const FileRecord *r = &s->files[i]->record;

                fprintf(f, "  file %llu %s %s in %s %llu size %llu label '%s' mode %o access %d seals %x\n",
                        (unsigned long long) r->token, file_kind_to_string(r->kind),
                        file_state_to_string(r->state), s->files[i]->part->record.kname,
                        (unsigned long long) r->ktoken, (unsigned long long) r->size, r->label, r->mode, r->access,
                        r->seals);
        }
        for (size_t i = 0; i < s->n_metadata; i++)
                fprintf(f, "  metadata '%s' %zu bytes crc %u\n", s->metadata[i].key, s->metadata[i].n_value,
                        s->metadata[i].n_value ? s->metadata[i].value[0] : 0);
}

static char *dump_state(State *state) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        uint64_t last = 0;
        Session *s;

        if (!f)
                abort();
        for (unsigned i = 0; i < state->n_sessions; i++) { /* by sid */
                Session *next = NULL;

                LIST_FOREACH(&state->sessions, Session, link, s)
                        if (s->sid > last && (!next || s->sid < next->sid))
                                next = s;
                if (!next)
                        break;
                last = next->sid;
                dump_session(f, next);
        }
        (void) fclose(f);
        return text;
}

char *world_dump(World *w) {
        return dump_state(&w->manager->state);
}

static void check_ledger(World *w) {
        Store store = STORE_NULL;
        LedgerDamage damage = {};
        char path[64], *ours, *theirs;
        struct stat st;
        State state;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/ledger", w->dir);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_true(fstat(fd, &st) >= 0);
        if (!w->no_custodian)
                assert_true(fake_kernel_keeps(&w->kernel, fd));

        state_init(&state);
        assert_int_equal(store_open(&store, &state, &fd, /* writable= */ false, &damage), 0);
        ours = world_dump(w);
        theirs = dump_state(&state);
        assert_string_equal(ours, theirs);
        free(ours);
        free(theirs);
        store_done(&store);
        state_done(&state);
}

static void check_index_slot(const Part *p, const FakeSession *ks, const File *f) {
        uint32_t page = ktoken_page(f->record.ktoken);
        _Alignas(8) char memory[INDEX_PAGE_SIZE];
        FileRecord record = {};
        FakeFile *index = fake_session_find((FakeSession *) ks, index_page_ktoken(page));
        IndexHead head;

        assert_non_null(index);
        assert_int_equal(pread(index->fd, memory, sizeof(memory), 0), sizeof(memory));
        assert_int_equal(index_page_get_head(memory, &head), 0);
        assert_int_equal(head.role, INDEX_SESSION);
        assert_string_equal(head.name, p->session->record.name);
        assert_int_equal(head.uid, p->session->record.uid);
        assert_int_equal(index_page_get_file(memory, page,
                                             (unsigned) (f->record.ktoken - index_page_ktoken(page) - 1), &record),
                         0);
        assert_int_equal(record.token, f->record.token);
        assert_int_equal(record.state, f->record.state);
        assert_string_equal(record.label, f->record.label);
}

static void check_file(World *w, const File *f) {
        const Part *p = f->part;
        FakeSession *ks;
        FakeFile *kf;

        if (p->fd < 0 || f->record.state == FILE_INTENT || f->record.state == FILE_FAILED)
                return;
        ks = fake_kernel_find(&w->kernel, p->record.kname, !p->outgoing);
        assert_non_null(ks);
        kf = fake_session_find(ks, f->record.ktoken);
        assert_non_null(kf);
        if (!p->outgoing)
                return;
        assert_int_equal(kf->ino, f->record.ino);
        check_index_slot(p, ks, f);
}

static bool is_in_store(World *w, const FakeSession *ks) {
        FakeStored *s;
        struct stat st;

        LIST_FOREACH(&w->store.stored, FakeStored, link, s)
                if (fstat(s->fd, &st) >= 0 && st.st_ino == ks->ino)
                        return true;
        return false;
}

static void check_part(World *w, const Part *p) {
        FakeSession *ks = fake_kernel_find(&w->kernel, p->record.kname, !p->outgoing);
        unsigned n_kernel = 0;
        FakeFile *f;

        if (p->fd < 0)
                return;
        assert_non_null(ks);
        assert_ptr_equal(fake_kernel_find_by_fd(&w->kernel, p->fd), ks);
        if (!w->no_custodian)
                assert_int_equal(is_in_store(w, ks), p->role != PART_BARE);
        if (p->role == PART_UNKNOWN || p->role == PART_LEDGER)
                return;

        /* What the kernel has and luod does not know can only come to light as an intent. */
        LIST_FOREACH(&ks->files, FakeFile, link, f)
                n_kernel += !ktoken_is_index(f->token);
        if (p->outgoing)
                assert_true(n_kernel <= p->n_files);
}

/* Each entry of the registry is a file's, and nothing is left of calls that are over. */
static void check_registry(World *w) {
        Manager *m = w->manager;
        size_t n_entries = 0;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                for (size_t i = 0; i < s->n_files; i++) {
                        const File *f = s->files[i];

                        if (!f->entry) {
                                assert_true(!file_holds_object(f) || f->record.kind == FILE_KIND_OTHER);
                                continue;
                        }
                        n_entries++;
                        assert_int_equal(f->entry->sid, s->sid);
                        assert_int_equal(f->entry->token, f->record.token);
                        assert_ptr_equal(registry_find(&m->state.registry, &f->entry->identity), f->entry);
                }
        if (m->n_jobs > 0)
                return;
        assert_int_equal(m->state.registry.n, n_entries);
        assert_true(list_is_empty(&m->in_flight.users));
        assert_int_equal(m->holes_in_flight, 0);
        assert_true(list_is_empty(&m->probes));
}

void world_check(World *w) {
        Session *s;
        Part *p;

        world_settle(w);
        check_ledger(w);
        check_registry(w);
        LIST_FOREACH(&w->manager->state.parts, Part, state_link, p)
                check_part(w, p);
        LIST_FOREACH(&w->manager->state.sessions, Session, link, s)
                for (size_t i = 0; i < s->n_files; i++)
                        check_file(w, s->files[i]);
}

unsigned world_count_fds(World *w) {
        unsigned n = count_fds();
        Part *p;

        LIST_FOREACH(&w->manager->state.parts, Part, state_link, p)
                n -= p->fd >= 0;
        return n;
}

/* Index pages are files, too, one for each spare kernel session that was made meanwhile. */
static unsigned count_client_files(World *w) {
        unsigned n = 0;
        FakeSession *s;
        FakeFile *f;

        fake_kernel_reap(&w->kernel);
        LIST_FOREACH(&w->kernel.sessions, FakeSession, link, s)
                LIST_FOREACH(&s->files, FakeFile, link, f)
                        n += !s->incoming && !ktoken_is_index(f->token);
        return n;
}

Before before_new(World *w) {
        world_settle(w);
        return (Before) {
                .dump = world_dump(w),
                .n_fds = world_count_fds(w),
                .n_files = count_client_files(w),
        };
}

void before_compare(World *w, Before *before, const char *error, const char *file, int line) {
        Before after = before_new(w);
        char name[128];

        (void) snprintf(name, sizeof(name), "%s%s", strchr(error, '.') ? "" : LUOD_ERROR_PREFIX, error);
        if (!w->error || !streq(w->error, name) || strlen(w->error_message) < 10)
                fail_msg("%s:%d: %s instead of %s: %s", file, line, w->error, name, w->error_message);
        if (!streq(after.dump, before->dump))
                fail_msg("%s:%d: before:\n%safter:\n%s", file, line, before->dump, after.dump);
        if (after.n_fds != before->n_fds)
                fail_msg("%s:%d: %u fds before, %u after", file, line, before->n_fds, after.n_fds);
        if (after.n_files != before->n_files)
                fail_msg("%s:%d: %u files in the kernel before, %u after", file, line, before->n_files, after.n_files);
        free(after.dump);
        free(before->dump);
}

/* --- clients */

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        static unsigned position;
        Call *call = userdata;

        call->reply = sd_bus_message_ref(m);
        call->answered = 1;
        call->position = ++position;
        return 0;
}

void call_send(World *w, ClientId client, sd_bus_message *message, Call *call) {
        *call = (Call) { .world = w };
        assert_true(sd_bus_call_async(w->clients[client].client, &call->slot, message, on_reply, call, 0) >= 0);
}

int call_wait(Call *call, sd_bus_message **ret_reply) {
        World *w = call->world;
        const sd_bus_error *error;

        world_run_until(w, &call->answered);
        free(w->error);
        free(w->error_message);
        w->error = w->error_message = NULL;

        error = sd_bus_message_get_error(call->reply);
        if (error) {
                w->error = strdup(error->name);
                w->error_message = strdup(strempty(error->message));
                return -sd_bus_error_get_errno(error);
        }
        if (ret_reply)
                *ret_reply = sd_bus_message_ref(call->reply);
        return 0;
}

void call_done(Call *call) {
        sd_bus_slot_unref(call->slot);
        sd_bus_message_unref(call->reply);
        *call = (Call) {};
}

static sd_bus_message *message_new(
                World *w, ClientId client, const char *path, const char *interface, const char *member) {
        sd_bus_message *m;

        assert_true(sd_bus_message_new_method_call(w->clients[client].client, &m, NULL, path, interface, member) >= 0);
        return m;
}

sd_bus_message *manager_message(World *w, ClientId client, const char *member) {
        return message_new(w, client, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, member);
}

sd_bus_message *session_message(World *w, ClientId client, const char *session, const char *member) {
        _cleanup_free_ char *path = NULL;

        assert_true(sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, session, &path) >= 0);
        return message_new(w, client, path, LUOD_INTERFACE_SESSION, member);
}

int world_send(World *w, ClientId client, sd_bus_message *message, sd_bus_message **ret_reply) {
        Call call = CALL_NULL;
        int r;

        call_send(w, client, message, &call);
        sd_bus_message_unref(message);
        r = call_wait(&call, ret_reply);
        call_done(&call);
        world_settle(w);
        return r;
}

int world_call(World *w,
               ClientId client,
               const char *path,
               const char *interface,
               const char *member,
               sd_bus_message **ret_reply,
               const char *types,
               ...) {
        sd_bus_message *m = message_new(w, client, path, interface, member);
        va_list ap;

        va_start(ap, types);
        if (types)
                assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        return world_send(w, client, m, ret_reply);
}

int create(World *w, ClientId client, const char *name) {
        sd_bus_message *m = manager_message(w, client, "CreateSession");

        assert_true(sd_bus_message_append(m, "sa{sv}", name, 0) >= 0);
        return world_send(w, client, m, NULL);
}

int create_auto_renewed(World *w, ClientId client, const char *name) {
        sd_bus_message *m = manager_message(w, client, "CreateSession");

        assert_true(sd_bus_message_append(m, "sa{sv}", name, 1, "auto-renew", "b", true) >= 0);
        return world_send(w, client, m, NULL);
}

int create_with(World *w, ClientId client, const char *name, const char *key, const char *value) {
        sd_bus_message *m = manager_message(w, client, "CreateSession");

        assert_true(sd_bus_message_append(m, "s", name) >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(m, "s", "metadata") >= 0);
        assert_true(sd_bus_message_open_container(m, 'v', "a{say}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "{say}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "say") >= 0);
        assert_true(sd_bus_message_append(m, "s", key) >= 0);
        assert_true(sd_bus_message_append_array(m, 'y', value, strlen(value)) >= 0);
        for (unsigned i = 0; i < 5; i++)
                assert_true(sd_bus_message_close_container(m) >= 0);
        return world_send(w, client, m, NULL);
}

int preserve(World *w, ClientId client, const char *session, uint64_t token, int fd) {
        sd_bus_message *m = session_message(w, client, session, "Preserve");

        assert_true(sd_bus_message_append(m, "tsh", token, "label", fd) >= 0);
        return world_send(w, client, m, NULL);
}

int preserve_many(World *w, ClientId client, const char *session, const uint64_t *tokens, const int *fds, size_t n) {
        sd_bus_message *m = session_message(w, client, session, "PreserveMany");

        assert_true(sd_bus_message_open_container(m, 'a', "(tsh)") >= 0);
        for (size_t i = 0; i < n; i++)
                assert_true(sd_bus_message_append(m, "(tsh)", tokens[i], "many", fds[i]) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
        return world_send(w, client, m, NULL);
}

int retrieve(World *w, ClientId client, const char *session, uint64_t token, int *ret_fd) {
        sd_bus_message *m = session_message(w, client, session, "Retrieve"), *reply = NULL;
        int fd, r;

        assert_true(sd_bus_message_append(m, "t", token) >= 0);
        r = world_send(w, client, m, &reply);
        if (r < 0)
                return r;
        assert_true(sd_bus_message_read(reply, "h", &fd) >= 0);
        *ret_fd = fd_dup(fd);
        assert_true(*ret_fd >= 0);
        sd_bus_message_unref(reply);
        return 0;
}

int set_metadata(World *w, ClientId client, const char *session, const char *key, const char *value) {
        sd_bus_message *m = session_message(w, client, session, "SetMetadata");

        assert_true(sd_bus_message_open_container(m, 'a', "{say}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "say") >= 0);
        assert_true(sd_bus_message_append(m, "s", key) >= 0);
        assert_true(sd_bus_message_append_array(m, 'y', value, value ? strlen(value) : 0) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        return world_send(w, client, m, NULL);
}

int renew(World *w, ClientId client, const char *session) {
        return world_send(w, client, session_message(w, client, session, "Renew"), NULL);
}

int carry(World *w, ClientId client, const char *session) {
        return world_send(w, client, session_message(w, client, session, "Carry"), NULL);
}

int finish(World *w, ClientId client, const char *session) {
        return world_send(w, client, session_message(w, client, session, "Finish"), NULL);
}

int discard(World *w, ClientId client, const char *session) {
        return world_send(w, client, session_message(w, client, session, "Discard"), NULL);
}

char *session_path(const char *session) {
        char *path;

        assert_true(sd_bus_path_encode(LUOD_SESSION_PATH_PREFIX, session, &path) >= 0);
        return path;
}

int get_property(World *w,
                 ClientId client,
                 const char *path,
                 const char *interface,
                 const char *property,
                 const char *type,
                 sd_bus_message **ret_reply) {
        int r;

        r = world_call(w, client, path, "org.freedesktop.DBus.Properties", "Get", ret_reply, "ss", interface,
                       property);
        if (r >= 0)
                assert_true(sd_bus_message_enter_container(*ret_reply, 'v', type) > 0);
        return r;
}

char *get_files(World *w, ClientId client, const char *session) {
        _cleanup_free_ char *path = session_path(session);
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        const char *label, *kind, *access, *state;
        sd_bus_message *reply = NULL;
        uint64_t token, n_bytes;
        uint32_t mode;

        assert_non_null(f);
        assert_int_equal(get_property(w, client, path, LUOD_INTERFACE_SESSION, "Files", "a(tsstuss)", &reply), 0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "(tsstuss)") > 0);
        while (sd_bus_message_read(reply, "(tsstuss)", &token, &label, &kind, &n_bytes, &mode, &access, &state) > 0)
                fprintf(f, "%llu %s %s %llu %o %s %s\n", (unsigned long long) token, label, kind,
                        (unsigned long long) n_bytes, mode, access, state);
        sd_bus_message_unref(reply);
        (void) fclose(f);
        return text;
}

/* --- operations */

typedef struct Operation {
        World *world;
        int over, result;
        bool retrieval;
        int fd;
} Operation;

static void on_operation_done(Job *job, const Failure *failure, void *userdata) {
        Operation *o = userdata;

        o->over = 1;
        o->result = failure ? -ECANCELED : 0;
        if (failure)
                o->world->failure = *failure;
        else if (o->retrieval)
                o->fd = fd_dup(retrieval_get_fds(job)[0]);
}

static int operation_wait(World *w, Operation *o, int r) {
        if (r < 0)
                return r;
        world_run_until(w, &o->over);
        world_settle(w);
        return o->result;
}

Caller *caller_of(World *w, uid_t uid) {
        for (size_t i = 0; i < ARRAY_SIZE(w->callers); i++) {
                const CallerCredentials credentials = { .uid = uid, .pidfd = -EBADF };

                if (!w->callers[i] && caller_new(&credentials, w->callers + i) < 0)
                        abort();
                if (w->callers[i]->uid == uid)
                        return w->callers[i];
        }
        abort();
}

int op_create(World *w, const char *name, uid_t uid) {
        Operation o = { .world = w };

        return operation_wait(w, &o, operation_create(w->manager, name, caller_of(w, uid), NULL, 0, /* auto_renew= */ false, on_operation_done, &o,
                                                      &w->failure));
}

int op_preserve(
                World *w, const char *session, uid_t uid, const uint64_t *tokens, const int *fds, size_t n, bool many) {
        FileRecord *records = calloc(n + 1, sizeof(*records));
        Session *s = state_find_session(&w->manager->state, session);
        Operation o = { .world = w };
        int r;

        assert_non_null(records);
        assert_non_null(s);
        for (size_t i = 0; i < n; i++)
                records[i].token = tokens[i];
        r = operation_preserve(w->manager, s, caller_of(w, uid), records, fds, n, many, /* accept_write_seal= */ false,
                               on_operation_done, &o, &w->failure);
        free(records);
        return operation_wait(w, &o, r);
}

int op_retrieve(World *w, const char *session, uid_t uid, uint64_t token, int *ret_fd) {
        Session *s = state_find_session(&w->manager->state, session);
        Operation o = { .world = w, .retrieval = true, .fd = -EBADF };
        int r;

        assert_non_null(s);
        r = operation_wait(w, &o, operation_retrieve(w->manager, s, caller_of(w, uid), &token, 1, on_operation_done, &o, &w->failure));
        *ret_fd = o.fd;
        return r;
}

int op_renew(World *w, const char *session, uid_t uid) {
        Session *s = state_find_session(&w->manager->state, session);
        Operation o = { .world = w };

        assert_non_null(s);
        return operation_wait(w, &o, operation_renew(w->manager, s, caller_of(w, uid), on_operation_done, &o, &w->failure));
}

int op_carry(World *w, const char *session, uid_t uid) {
        Session *s = state_find_session(&w->manager->state, session);
        Operation o = { .world = w };

        assert_non_null(s);
        return operation_wait(w, &o, operation_carry(w->manager, s, caller_of(w, uid), on_operation_done, &o, &w->failure));
}

int op_end(World *w, const char *session, uid_t uid, EndHow how) {
        Session *s = state_find_session(&w->manager->state, session);
        Operation o = { .world = w };

        assert_non_null(s);
        return operation_wait(w, &o, operation_end(w->manager, s, caller_of(w, uid), how, on_operation_done, &o, &w->failure));
}

/* --- files */

struct rlimit limit_fds(unsigned spare) {
        struct rlimit before, few;
        unsigned n = 0;
        int fd = 0;

        for (; n < spare || fcntl(fd, F_GETFD) >= 0; fd++)
                n += fcntl(fd, F_GETFD) < 0;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        few = before;
        few.rlim_cur = (rlim_t) fd;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        return before;
}

int make_memfd(const char *content) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, content, strlen(content), 0), strlen(content));
        return fd;
}

void assert_content(int fd, const char *content) {
        char buffer[4096] = {};
        ssize_t n = pread(fd, buffer, sizeof(buffer) - 1, 0);

        assert_int_equal(n, strlen(content));
        assert_string_equal(buffer, content);
        safe_close(fd);
}

const Session *find_session(World *w, const char *name) {
        return state_find_session(&w->manager->state, name);
}

const File *find_file(World *w, const char *session, uint64_t token) {
        Session *s = state_find_session(&w->manager->state, session);

        return s ? session_find_file(s, token) : NULL;
}

int file_state(World *w, const char *session, uint64_t token) {
        const File *f = find_file(w, session, token);

        return f ? (int) f->record.state : -ENOENT;
}
