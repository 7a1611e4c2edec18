/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <sys/mman.h>

#include "fd-util.h"
#include "index-page.h"
#include "name-util.h"
#include "state.h"

void state_init(State *state) {
        *state = (State) {};
        list_init(&state->sessions);
        list_init(&state->parts);
        registry_init(&state->registry);
}

void state_done(State *state) {
        Session *s;
        Part *p;

        LIST_FOREACH(&state->sessions, Session, link, s)
                session_free(state, s);
        LIST_FOREACH(&state->parts, Part, state_link, p)
                part_close(state, p);
        registry_done(&state->registry);
        head_record_done(&state->head);
}

static void list_move(List *to, List *from) {
        ListLink *l;

        list_init(to);
        while ((l = list_first(from))) {
                list_unlink(l);
                list_append(to, l);
        }
}

void state_move(State *to, State *from) {
        *to = *from;
        list_move(&to->sessions, &from->sessions); /* the lists are rings that go through their State */
        list_move(&to->parts, &from->parts);
        registry_move(&to->registry, &from->registry);
        state_init(from);
}

Session *state_find_session(State *state, const char *name) {
        Session *s;

        LIST_FOREACH(&state->sessions, Session, link, s)
                if (streq(s->record.name, name))
                        return s;
        return NULL;
}

Session *state_find_session_by_sid(State *state, uint64_t sid) {
        Session *s;

        LIST_FOREACH(&state->sessions, Session, link, s)
                if (s->sid == sid)
                        return s;
        return NULL;
}

Part *state_find_part(State *state, const char *kname) {
        Part *p;

        LIST_FOREACH(&state->parts, Part, state_link, p)
                if (streq(p->record.kname, kname))
                        return p;
        return NULL;
}

int session_new(State *state, uint64_t sid, SessionRecord *record, Session **ret) {
        Session *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;
        *s = (Session) { .sid = sid, .record = *record };
        record->extra = NULL;
        list_init(&s->parts);
        list_init(&s->jobs);
        list_append(&state->sessions, &s->link);
        state->n_sessions++;
        state->head.next_sid = MAX(state->head.next_sid, sid + 1);

        if (ret)
                *ret = s;
        return 0;
}

void session_detach(State *state, Session *s) {
        if (!s->link.next)
                return;
        list_unlink(&s->link);
        state->n_sessions--;
}

Session *session_free(State *state, Session *s) {
        Part *p;

        if (!s)
                return NULL;

        while (s->n_files > 0)
                file_free(state, s->files[s->n_files - 1]);
        LIST_FOREACH(&s->parts, Part, session_link, p)
                part_attach(p, NULL);
        for (size_t i = 0; i < s->n_metadata; i++) {
                free(s->metadata[i].key);
                free(s->metadata[i].value);
                free(s->metadata[i].extra);
        }
        state->metadata_size -= s->metadata_size + s->n_metadata * METADATA_KEY_COST;
        free(s->metadata);
        free(s->files);
        session_record_done(&s->record);
        session_detach(state, s);
        free(s);
        return NULL;
}

int part_new(State *state, Session *session, PartRecord *record, Part **ret) {
        Part *p = malloc(sizeof(*p));

        if (!p)
                return -ENOMEM;
        *p = (Part) {
                .record = *record,
                .fd = -EBADF,
                .next_ktoken = 1,
                .outgoing = streq(record->boot_id, state->head.boot_id),
        };
        record->extra = NULL;
        list_append(&state->parts, &p->state_link);
        state->n_parts++;
        part_attach(p, session);

        if (ret)
                *ret = p;
        return 0;
}

void part_attach(Part *part, Session *session) {
        list_unlink(&part->session_link);
        part->session = session;
        part->role = session ? PART_SESSION : PART_UNKNOWN;
        if (session)
                list_append(&session->parts, &part->session_link);
}

Part *part_close(State *state, Part *p) {
        if (!p)
                return NULL;

        assert(p->n_files == 0);
        for (unsigned i = 0; i < p->n_pages; i++)
                if (p->pages[i])
                        (void) munmap(p->pages[i], INDEX_PAGE_SIZE);
        free(p->pages);
        safe_close(p->fd);
        list_unlink(&p->session_link);
        list_unlink(&p->state_link);
        state->n_parts--;
        part_record_done(&p->record);
        free(p);
        return NULL;
}

void part_take_fd(Part *part, int *fd) {
        assert(part->fd < 0);
        part->fd = TAKE_FD(*fd);
}

uint32_t part_number(const Part *part) {
        uint32_t n;

        return kernel_name_parse(part->record.kname, /* ret_series= */ NULL, &n) ? n : UINT32_MAX;
}

/* The position of @token in the sorted array, or where it belongs. */
static size_t file_position(const Session *s, uint64_t token) {
        size_t low = 0, high = s->n_files;

        while (low < high) {
                size_t mid = low + (high - low) / 2;

                if (s->files[mid]->record.token < token)
                        low = mid + 1;
                else
                        high = mid;
        }

        return low;
}

File *session_find_file(Session *session, uint64_t token) {
        size_t i = file_position(session, token);

        return i < session->n_files && session->files[i]->record.token == token ? session->files[i] : NULL;
}

static int session_make_room(Session *s) {
        size_t n = s->n_allocated ? s->n_allocated * 2 : 4;
        File **larger;

        if (s->n_files < s->n_allocated)
                return 0;
        larger = realloc(s->files, n * sizeof(File *));
        if (!larger)
                return -ENOMEM;
        s->files = larger;
        s->n_allocated = n;
        return 0;
}

static void part_note_ktoken(Part *part, uint64_t ktoken) {
        part->n_files++;
        if (part->next_ktoken <= ktoken)
                part->next_ktoken = ktoken + 1;
        if (ktoken_is_index(part->next_ktoken))
                part->next_ktoken++;
}

int file_new(State *state, Part *part, FileRecord *record, File **ret) {
        _cleanup_free_ File *f = NULL;
        Session *s = part->session;
        size_t i;
        int r;

        assert(s);

        i = file_position(s, record->token);
        if (i < s->n_files && s->files[i]->record.token == record->token)
                return -EEXIST;
        r = session_make_room(s);
        if (r < 0)
                return r;
        f = malloc(sizeof(*f));
        if (!f)
                return -ENOMEM;

        *f = (File) { .record = *record, .part = part };
        (void) snprintf(f->record.part, sizeof(f->record.part), "%s", part->record.kname);
        record->extra = NULL;
        memmove(s->files + i + 1, s->files + i, (s->n_files - i) * sizeof(File *));
        s->files[i] = f;
        s->n_files++;
        s->kept_bytes += f->record.size;
        part_note_ktoken(part, f->record.ktoken);
        state->n_files++;
        state->kept_bytes += f->record.size;

        if (ret)
                *ret = f;
        TAKE_PTR(f);
        return 0;
}

File *file_free(State *state, File *f) {
        Session *s = f->part->session;
        size_t i = file_position(s, f->record.token);

        assert(i < s->n_files && s->files[i] == f);
        memmove(s->files + i, s->files + i + 1, (s->n_files - i - 1) * sizeof(File *));
        s->n_files--;
        s->kept_bytes -= f->record.size;
        f->part->n_files--;
        state->n_files--;
        state->kept_bytes -= f->record.size;
        f->entry = registry_remove(&state->registry, f->entry);
        file_record_done(&f->record);
        free(f);
        return NULL;
}

void file_set_attributes(State *state, File *f, const FileRecord *now) {
        Session *s = f->part->session;

        s->kept_bytes += now->size - f->record.size;
        state->kept_bytes += now->size - f->record.size;
        f->record.kind = now->kind;
        f->record.size = now->size;
        f->record.uid = now->uid;
        f->record.gid = now->gid;
        f->record.mode = now->mode;
        f->record.seals = now->seals;
        f->record.dev = now->dev;
        f->record.ino = now->ino;
}

void file_move(State *state, File *f, Part *to, uint64_t ktoken) {
        assert(to->session == f->part->session);

        f->part->n_files--;
        f->part = to;
        f->record.ktoken = ktoken;
        (void) snprintf(f->record.part, sizeof(f->record.part), "%s", to->record.kname);
        part_note_ktoken(to, ktoken);
}

int file_register(State *state, File *f, Identity *identity) {
        RegistryEntry *e;
        int r;

        assert(!f->entry);
        r = registry_add(&state->registry, identity, f->part->session->sid, f->record.token, &e);
        if (r >= 0)
                f->entry = e;
        return r;
}

bool file_holds_object(const File *f) {
        if (f->part->fd < 0)
                return false;
        if (!f->part->outgoing)
                return f->record.state == FILE_RETRIEVED;
        return f->record.state == FILE_INTENT || f->record.state == FILE_KEPT;
}

static size_t metadata_position(const Session *s, const char *key, bool *ret_found) {
        size_t i = 0;
        int c = 1;

        while (i < s->n_metadata && (c = strcmp(s->metadata[i].key, key)) < 0)
                i++;
        *ret_found = i < s->n_metadata && c == 0;
        return i;
}

const Metadata *session_find_metadata(const Session *session, const char *key) {
        bool found;
        size_t i = metadata_position(session, key, &found);

        return found ? session->metadata + i : NULL;
}

void part_drop_files(State *state, Part *p) {
        Session *s = p->session;

        for (size_t i = s ? s->n_files : 0; i-- > 0;)
                if (s->files[i]->part == p)
                        file_free(state, s->files[i]);
}

static void metadata_account(State *state, Session *s, const Metadata *m, int sign) {
        size_t size = strlen(m->key) + m->n_value;

        s->metadata_size += (size_t) sign * size;
        state->metadata_size += (size_t) sign * (size + METADATA_KEY_COST);
}

static void metadata_remove(State *state, Session *s, size_t i) {
        metadata_account(state, s, s->metadata + i, -1);
        free(s->metadata[i].key);
        free(s->metadata[i].value);
        free(s->metadata[i].extra);
        memmove(s->metadata + i, s->metadata + i + 1, (s->n_metadata - i - 1) * sizeof(Metadata));
        s->n_metadata--;
}

int session_set_metadata(State *state, Session *s, const char *key, const void *value, size_t size) {
        _cleanup_free_ uint8_t *copy = NULL;
        _cleanup_free_ char *key_copy = NULL;
        Metadata *larger;
        bool found;
        size_t i;

        i = metadata_position(s, key, &found);
        if (!value) {
                if (found)
                        metadata_remove(state, s, i);
                return 0;
        }

        copy = malloc(MAX(size, 1U));
        key_copy = strdup(key);
        if (!copy || !key_copy)
                return -ENOMEM;
        memcpy(copy, value, size);

        larger = realloc(s->metadata, (s->n_metadata + 1) * sizeof(Metadata));
        if (!larger)
                return -ENOMEM;
        s->metadata = larger;

        if (found)
                metadata_remove(state, s, i);
        memmove(s->metadata + i + 1, s->metadata + i, (s->n_metadata - i) * sizeof(Metadata));
        s->metadata[i] = (Metadata) { .key = TAKE_PTR(key_copy), .value = TAKE_PTR(copy), .n_value = size };
        s->n_metadata++;
        metadata_account(state, s, s->metadata + i, +1);
        return 0;
}

static int apply_head(State *state, const char *payload, size_t size) {
        HeadRecord record = {};
        int r = head_record_decode(payload, size, &record);

        if (r < 0)
                return r;
        record.next_sid = MAX(record.next_sid, state->head.next_sid);
        record.next_fdname = MAX(record.next_fdname, state->head.next_fdname);
        head_record_done(&state->head);
        state->head = record;
        return 0;
}

static int apply_session(State *state, uint64_t sid, const char *payload, size_t size) {
        Session *s = state_find_session_by_sid(state, sid);
        SessionRecord record = {};
        int r;

        r = session_record_decode(payload, size, &record);
        if (r < 0)
                return r;

        if (!s)
                r = session_new(state, sid, &record, &s);
        else {
                session_record_done(&s->record);
                s->record = record;
                s->flags &= ~(unsigned) (SESSION_OWNER_UNKNOWN | SESSION_END_DAMAGED);
                record = (SessionRecord) {};
        }
        if (s)
                s->flags |= s->record.flags;

        session_record_done(&record);
        return r;
}

/* The record of a session whose own record was damaged, but not those of its parts and files. */
static int session_for_orphans(State *state, uint64_t sid, Session **ret) {
        SessionRecord record = { .state = SESSION_LIVE, .uid = 0 };
        int r;

        *ret = state_find_session_by_sid(state, sid);
        if (*ret)
                return 0;

        (void) snprintf(record.name, sizeof(record.name), "unknown-%llu", (unsigned long long) sid);
        r = session_new(state, sid, &record, ret);
        if (r < 0)
                return r;
        (*ret)->flags |= SESSION_OWNER_UNKNOWN;
        return 0;
}

/* Kernel names are used again: what the log says last holds, whoever had the name before. */
static int part_give_to(State *state, Part *p, uint64_t sid) {
        Session *s;
        int r;

        if (p->session && p->session->sid == sid)
                return 0;
        r = session_for_orphans(state, sid, &s);
        if (r < 0)
                return r;
        part_drop_files(state, p);
        p->next_ktoken = 1;
        part_attach(p, s);
        return 0;
}

static void note_fdname(State *state, const char *fdname) {
        char *end;
        uint64_t n = strtoull(fdname + (fdname[0] == LEDGER_FDNAME_PREFIX), &end, 16);

        if (*end == '\0')
                state->head.next_fdname = MAX(state->head.next_fdname, n + 1);
}

static int apply_part(State *state, uint64_t sid, const char *payload, size_t size) {
        PartRecord record = {};
        Session *s;
        Part *p;
        int r;

        r = part_record_decode(payload, size, &record);
        if (r < 0)
                return r;

        note_fdname(state, record.fdname);
        p = state_find_part(state, record.kname);
        if (p && record.gone) {
                if (p->session && p->session->sid == sid) {
                        part_drop_files(state, p);
                        part_close(state, p);
                }
                r = 0;
        } else if (p) {
                r = part_give_to(state, p, sid);
                if (r >= 0) {
                        part_record_done(&p->record);
                        p->record = record;
                        p->outgoing = streq(record.boot_id, state->head.boot_id);
                        return 0;
                }
        } else if (!record.gone) {
                r = session_for_orphans(state, sid, &s);
                if (r >= 0)
                        r = part_new(state, s, &record, NULL);
        }
        part_record_done(&record);
        return r;
}

/* The part of a file whose part's own record was damaged: taken as one of the boot of the log. */
static int part_for_orphans(State *state, uint64_t sid, const FileRecord *file, Part **ret) {
        PartRecord record = {};
        Session *s;
        int r;

        *ret = state_find_part(state, file->part);
        if (*ret)
                return part_give_to(state, *ret, sid);

        r = session_for_orphans(state, sid, &s);
        if (r < 0)
                return r;
        (void) snprintf(record.kname, sizeof(record.kname), "%s", file->part);
        (void) snprintf(record.boot_id, sizeof(record.boot_id), "%s", state->head.boot_id);
        return part_new(state, s, &record, ret);
}

static int apply_file(State *state, uint64_t sid, const char *payload, size_t size) {
        FileRecord record = {};
        Part *p;
        File *f;
        int r;

        r = file_record_decode(payload, size, &record);
        if (r < 0)
                return r;

        p = state_find_part(state, record.part);
        if (record.state == FILE_DROPPED && (!p || !p->session || p->session->sid != sid)) {
                file_record_done(&record);
                return 0;
        }
        r = part_for_orphans(state, sid, &record, &p);
        if (r >= 0) {
                f = session_find_file(p->session, record.token);
                if (f)
                        file_free(state, f);
                r = record.state == FILE_DROPPED ? 0 : file_new(state, p, &record, NULL);
        }

        file_record_done(&record);
        return r;
}

static int apply_meta(State *state, uint64_t sid, const char *payload, size_t size) {
        MetaRecord record = {};
        Session *s;
        int r;

        r = meta_record_decode(payload, size, &record);
        if (r < 0)
                return r;

        r = session_for_orphans(state, sid, &s);
        if (r >= 0)
                r = session_set_metadata(state, s, record.key, record.value, record.n_value);
        if (r >= 0 && record.value) {
                bool found;
                Metadata *m = s->metadata + metadata_position(s, record.key, &found);

                m->extra = TAKE_PTR(record.extra);
        }
        meta_record_done(&record);
        return r;
}

/* A session is over, and its parts with it: operations.c writes this only after they are gone. */
static void apply_end(State *state, uint64_t sid) {
        Session *s = state_find_session_by_sid(state, sid);
        Part *p;

        if (!s)
                return;
        while (s->n_files > 0)
                file_free(state, s->files[s->n_files - 1]);
        LIST_FOREACH(&s->parts, Part, session_link, p)
                part_close(state, p);
        session_free(state, s);
}

static int apply_damaged(State *state, RecordType type, uint64_t sid) {
        Session *s;
        int r;

        if (type == RECORD_HEAD || type >= _RECORD_TYPE_MAX || type < 0)
                return 0;

        r = session_for_orphans(state, sid, &s);
        if (r < 0)
                return r;

        switch (type) {
        case RECORD_META:
                s->flags |= SESSION_METADATA_DAMAGED;
                break;
        case RECORD_PART:
        case RECORD_FILE:
                s->flags |= SESSION_FILES_DAMAGED;
                break;
        default: /* RECORD_SESSION, RECORD_END: an older record, or the index, says whose it is */
                s->flags |= SESSION_END_DAMAGED;
                break;
        }

        return 0;
}

int state_apply(State *state, RecordType type, uint64_t sid, const char *payload, size_t size) {
        int r = -EBADMSG;

        if (payload)
                switch ((int) type) {
                case RECORD_HEAD:
                        r = apply_head(state, payload, size);
                        break;
                case RECORD_SESSION:
                        r = apply_session(state, sid, payload, size);
                        break;
                case RECORD_PART:
                        r = apply_part(state, sid, payload, size);
                        break;
                case RECORD_FILE:
                        r = apply_file(state, sid, payload, size);
                        break;
                case RECORD_META:
                        r = apply_meta(state, sid, payload, size);
                        break;
                case RECORD_END:
                        apply_end(state, sid);
                        r = 0;
                        break;
                default: /* a kind of record that a newer luod has */
                        r = 0;
                        break;
                }

        if (r == -EBADMSG || r == -EEXIST)
                return apply_damaged(state, type, sid);
        return r;
}

void session_flags_to_strings(unsigned flags, const char *ret[static 7]) {
        static const char *const names[] = {
                "owner-unknown", "metadata-damaged", "files-damaged", "end-damaged", "parts-missing", "unindexed",
        };
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (flags & (1U << i))
                        ret[n++] = names[i];
        ret[n] = NULL;
}
