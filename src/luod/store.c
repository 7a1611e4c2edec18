/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd-util.h"
#include "store.h"

/* No record but that of a large metadata value is longer. */
#define RECORD_SIZE_USUAL 1024U

typedef int (*append_fn)(Ledger *ledger, RecordType type, uint64_t sid, const char *payload, size_t size);

static int write_head(Ledger *ledger, append_fn append, const State *state) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = head_record_encode(&state->head, &text, &size);
        return r < 0 ? r : append(ledger, RECORD_HEAD, /* sid= */ 0, text, size);
}

static int write_session(Ledger *ledger, append_fn append, const Session *s) {
        _cleanup_free_ char *text = NULL;
        SessionRecord record = s->record;
        size_t size;
        int r;

        record.flags = s->flags;
        r = session_record_encode(&record, &text, &size);
        return r < 0 ? r : append(ledger, RECORD_SESSION, s->sid, text, size);
}

static int write_part(Ledger *ledger, append_fn append, const Part *p) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = part_record_encode(&p->record, &text, &size);
        return r < 0 ? r : append(ledger, RECORD_PART, p->session->sid, text, size);
}

static int write_file(Ledger *ledger, append_fn append, const File *f) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = file_record_encode(&f->record, &text, &size);
        return r < 0 ? r : append(ledger, RECORD_FILE, f->part->session->sid, text, size);
}

static int write_metadata(Ledger *ledger, append_fn append, const Session *s, const char *key) {
        const Metadata *m = session_find_metadata(s, key);
        _cleanup_free_ char *text = NULL;
        MetaRecord record = {
                .value = m ? m->value : NULL,
                .n_value = m ? m->n_value : 0,
                .extra = m ? m->extra : NULL,
        };
        size_t size;
        int r;

        (void) snprintf(record.key, sizeof(record.key), "%s", key);
        r = meta_record_encode(&record, &text, &size);
        return r < 0 ? r : append(ledger, RECORD_META, s->sid, text, size);
}

static int write_session_whole(Ledger *ledger, append_fn append, const Session *s) {
        Part *p;
        int r;

        r = write_session(ledger, append, s);
        if (r < 0)
                return r;
        LIST_FOREACH(&s->parts, Part, session_link, p) {
                r = write_part(ledger, append, p);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < s->n_files; i++) {
                r = write_file(ledger, append, s->files[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < s->n_metadata; i++) {
                r = write_metadata(ledger, append, s, s->metadata[i].key);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Writes the state, all of it, into the other half and makes that the one in force. */
static int store_compact(Store *store) {
        Session *s;
        int r;

        ledger_compact_begin(store->ledger);
        r = write_head(store->ledger, ledger_compact_append, store->state);
        if (r < 0)
                return r;
        LIST_FOREACH(&store->state->sessions, Session, link, s) {
                r = write_session_whole(store->ledger, ledger_compact_append, s);
                if (r < 0)
                        return r; /* without a commit the old half stays in force */
        }
        ledger_compact_commit(store->ledger);
        return 0;
}

int file_link(int fd, const char *path) {
        char link[64];

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int store_map(Store *store, int fd, bool writable) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < 8192)
                return -ENODATA;

        store->size = (size_t) st.st_size / 128 * 128;
        store->memory = mmap(NULL, store->size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
        if (store->memory == MAP_FAILED) {
                store->memory = NULL;
                return -errno;
        }
        return 0;
}

int store_create(Store *store, State *state, const char *dir) {
        int r;

        assert(!store->memory);

        store->state = state;
        store->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (store->fd < 0)
                r = -errno;
        else if (posix_fallocate(store->fd, 0, LEDGER_FILE_SIZE) != 0) /* no SIGBUS later */
                r = -ENOSPC;
        else
                r = store_map(store, store->fd, /* writable= */ true);
        if (r >= 0)
                r = ledger_new(store->memory, store->size, &store->ledger);
        if (r >= 0)
                r = store_compact(store);
        if (r < 0)
                store_done(store);
        return r;
}

static int apply(RecordType type, uint64_t sid, const char *payload, size_t size, void *userdata) {
        return state_apply(userdata, type, sid, payload, size);
}

int store_open(Store *store, State *state, int *fd, bool writable, LedgerDamage *ret_damage) {
        Store s = STORE_NULL;
        int r;

        s.state = state;
        r = store_map(&s, *fd, writable);
        if (r >= 0)
                r = ledger_open(s.memory, s.size, writable, apply, state, ret_damage, writable ? &s.ledger : NULL);
        if (r < 0) {
                store_done(&s);
                return r;
        }

        s.fd = TAKE_FD(*fd);
        *store = s;
        return 0;
}

void store_done(Store *store) {
        store->ledger = ledger_free(store->ledger);
        if (store->memory)
                (void) munmap(store->memory, store->size);
        safe_close(store->fd);
        *store = (Store) STORE_NULL;
}

/* Does @write_call; without room for it, compacts: the state that is written then has it already. */
#define store_write(store, write_call)                            \
        ({                                                        \
                int _r = (store)->ledger ? (write_call) : -EROFS; \
                if (_r == -ENOSPC)                                \
                        _r = store_compact(store);                \
                _r;                                               \
        })

int store_put_head(Store *store) {
        return store_write(store, write_head(store->ledger, ledger_append, store->state));
}

int store_put_session(Store *store, const Session *session) {
        return store_write(store, write_session(store->ledger, ledger_append, session));
}

int store_put_part(Store *store, const Part *part) {
        return store_write(store, write_part(store->ledger, ledger_append, part));
}

int store_put_part_gone(Store *store, const Part *part) {
        PartRecord record = part->record;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        if (!store->ledger)
                return -EROFS;
        record.gone = true;
        r = part_record_encode(&record, &text, &size);
        if (r < 0)
                return r;
        r = ledger_append(store->ledger, RECORD_PART, part->session->sid, text, size);
        if (r != -ENOSPC)
                return r;
        r = store_compact(store);
        return r < 0 ? r : ledger_append(store->ledger, RECORD_PART, part->session->sid, text, size);
}

int store_put_file(Store *store, const File *file) {
        return store_write(store, write_file(store->ledger, ledger_append, file));
}

int store_put_metadata(Store *store, const Session *session, const char *key) {
        return store_write(store, write_metadata(store->ledger, ledger_append, session, key));
}

int store_put_end(Store *store, const Session *session, EndHow how, uint64_t now) {
        _cleanup_free_ char *text = NULL;
        EndRecord record = { .how = how, .when = now };
        size_t size;
        int r;

        (void) snprintf(record.name, sizeof(record.name), "%s", session->record.name);
        r = end_record_encode(&record, &text, &size);
        if (r < 0)
                return r;
        if (!store->ledger)
                return -EROFS;
        r = ledger_append(store->ledger, RECORD_END, session->sid, text, size);
        if (r != -ENOSPC)
                return r;
        /* The state still has the session: only the record itself says that it is over. */
        r = store_compact(store);
        return r < 0 ? r : ledger_append(store->ledger, RECORD_END, session->sid, text, size);
}

bool store_has_room(Store *store, size_t n_records, size_t n_bytes) {
        size_t need = n_records * RECORD_SIZE_USUAL + n_bytes + LEDGER_RESERVE;

        if (!store->ledger)
                return false;
        if (ledger_room(store->ledger) >= need)
                return true;
        return store_compact(store) >= 0 && ledger_room(store->ledger) >= need;
}
