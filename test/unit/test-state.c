/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "fd-util.h"
#include "index-page.h"
#include "state.h"

/* The model itself; how a log is applied to it: test-state-log.c. */

#define BOOT "4ad9c4a4-6d4c-4a0e-9e6e-1c2c0f3fd6a1"
#define EARLIER_BOOT "00000000-6d4c-4a0e-9e6e-1c2c0f3fd6a1"

static int setup(void **state) {
        static State s;

        state_init(&s);
        (void) snprintf(s.head.boot_id, sizeof(s.head.boot_id), BOOT);
        s.head.next_sid = 1;
        *state = &s;
        return 0;
}

static int teardown(void **state) {
        state_done(*state);
        return 0;
}

static Session *add_session(State *s, uint64_t sid, const char *name, uid_t uid) {
        SessionRecord record = { .uid = uid, .state = SESSION_LIVE };
        Session *session;

        (void) snprintf(record.name, sizeof(record.name), "%s", name);
        assert_int_equal(session_new(s, sid, &record, &session), 0);
        return session;
}

static Part *add_part(State *s, Session *session, const char *kname, const char *boot) {
        PartRecord record = {};
        Part *part;

        (void) snprintf(record.kname, sizeof(record.kname), "%s", kname);
        (void) snprintf(record.boot_id, sizeof(record.boot_id), "%s", boot);
        assert_int_equal(part_new(s, session, &record, &part), 0);
        return part;
}

static File *add_file(State *s, Part *part, uint64_t token, uint64_t ino) {
        FileRecord record = { .token = token, .ktoken = part->next_ktoken, .size = 10, .dev = 1, .ino = ino };
        File *f;

        assert_int_equal(file_new(s, part, &record, &f), 0);
        return f;
}

/* What is counted is what is there. */
static void assert_counts(const State *s) {
        unsigned n_sessions = 0, n_parts = 0, n_files = 0, n_part_files = 0;
        size_t metadata = 0;
        uint64_t bytes = 0;
        Session *session;
        Part *p;

        LIST_FOREACH(&s->sessions, Session, link, session) {
                uint64_t kept = 0;
                size_t size = 0;

                n_sessions++;
                n_files += (unsigned) session->n_files;
                for (size_t i = 0; i < session->n_files; i++) {
                        kept += session->files[i]->record.size;
                        assert_ptr_equal(session->files[i]->part->session, session);
                        if (i > 0)
                                assert_true(session->files[i - 1]->record.token < session->files[i]->record.token);
                }
                for (size_t i = 0; i < session->n_metadata; i++) {
                        size += strlen(session->metadata[i].key) + session->metadata[i].n_value;
                        if (i > 0)
                                assert_true(strcmp(session->metadata[i - 1].key, session->metadata[i].key) < 0);
                }
                assert_int_equal(session->kept_bytes, kept);
                assert_int_equal(session->metadata_size, size);
                bytes += kept;
                metadata += size + session->n_metadata * METADATA_KEY_COST;
        }
        LIST_FOREACH(&s->parts, Part, state_link, p) {
                n_parts++;
                n_part_files += p->n_files;
        }
        assert_int_equal(s->n_sessions, n_sessions);
        assert_int_equal(s->n_parts, n_parts);
        assert_int_equal(s->n_files, n_files);
        assert_int_equal(n_part_files, n_files);
        assert_int_equal(s->kept_bytes, bytes);
        assert_int_equal(s->metadata_size, metadata);
}

/* --- sessions and parts */

static void test_sessions_are_found_by_name_and_number(void **state) {
        State *s = *state;
        Session *one = add_session(s, 5, "one", 1000), *two = add_session(s, 3, "two", 1000);

        assert_ptr_equal(state_find_session(s, "one"), one);
        assert_ptr_equal(state_find_session_by_sid(s, 3), two);
        assert_null(state_find_session(s, "three"));
        assert_null(state_find_session_by_sid(s, 4));
        assert_int_equal(s->head.next_sid, 6); /* never used twice */
        assert_counts(s);
        assert_null(session_free(s, one));
        assert_null(session_free(s, NULL));
        assert_null(state_find_session(s, "one"));
        assert_int_equal(s->head.next_sid, 6);
        assert_counts(s);
}

static void test_part_is_outgoing_if_it_was_made_in_this_boot(void **state) {
        State *s = *state;

        assert_true(add_part(s, NULL, "luod-a-1", BOOT)->outgoing);
        assert_false(add_part(s, NULL, "luod-b-1", EARLIER_BOOT)->outgoing);
        assert_false(add_part(s, NULL, "luod-b-2", "")->outgoing);
}

static void test_part_of_a_freed_session_is_nobodys_but_stays(void **state) {
        State *s = *state;
        Session *session = add_session(s, 1, "one", 0);
        Part *p = add_part(s, session, "luod-a-1", BOOT);

        assert_int_equal(p->role, PART_SESSION);
        (void) add_file(s, p, 1, 1);
        session_free(s, session);
        assert_ptr_equal(state_find_part(s, "luod-a-1"), p);
        assert_null(p->session);
        assert_int_equal(p->role, PART_UNKNOWN);
        assert_int_equal(p->n_files, 0);
        assert_counts(s);
}

static void test_closing_a_part_closes_its_fd_and_unmaps_its_pages(void **state) {
        State *s = *state;
        Part *p = add_part(s, NULL, "luod-a-12", BOOT);
        int fd = fcntl(0, F_DUPFD_CLOEXEC, 100), number = fd;

        assert_int_equal(part_number(p), 12);
        part_take_fd(p, &fd);
        assert_int_equal(fd, -EBADF);
        p->pages = calloc(1, sizeof(void *));
        assert_non_null(p->pages);
        p->pages[0] = mmap(NULL, INDEX_PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p->n_pages = 1;
        assert_null(part_close(s, p));
        assert_null(part_close(s, NULL));
        assert_int_equal(fcntl(number, F_GETFD), -1);
        assert_null(state_find_part(s, "luod-a-12"));
        assert_counts(s);
}

static void test_part_with_a_name_of_others_has_no_number(void **state) {
        assert_int_equal(part_number(add_part(*state, NULL, "lost-7", BOOT)), UINT32_MAX);
}

/* --- files */

static void test_files_are_found_whatever_the_order_they_came_in(void **state) {
        static const uint64_t tokens[] = { 5, UINT64_MAX, 0, 7, 6, 1ULL << 63, 1 };
        State *s = *state;
        Session *session = add_session(s, 1, "one", 0);
        Part *a = add_part(s, session, "luod-a-1", BOOT), *b = add_part(s, session, "luod-a-2", BOOT);

        for (unsigned i = 0; i < ARRAY_SIZE(tokens); i++) {
                File *f = add_file(s, i % 2 ? a : b, tokens[i], i);

                assert_string_equal(f->record.part, i % 2 ? "luod-a-1" : "luod-a-2");
                assert_counts(s);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(tokens); i++)
                assert_true(session_find_file(session, tokens[i])->record.ino == i);
        assert_null(session_find_file(session, 2));
        part_drop_files(s, a);
        assert_int_equal(session->n_files, 4);
        assert_null(session_find_file(session, UINT64_MAX));
        assert_counts(s);
        for (unsigned i = 0; i < ARRAY_SIZE(tokens); i += 2)
                assert_null(file_free(s, session_find_file(session, tokens[i])));
        assert_int_equal(session->n_files, 0);
        assert_counts(s);
}

static void test_token_can_be_used_once_in_a_session(void **state) {
        State *s = *state;
        Session *one = add_session(s, 1, "one", 0), *two = add_session(s, 2, "two", 0);
        Part *a = add_part(s, one, "luod-a-1", BOOT), *b = add_part(s, one, "luod-a-2", BOOT);
        FileRecord record = { .token = 7, .size = 1000 };

        (void) add_file(s, a, 7, 1);
        assert_int_equal(file_new(s, a, &record, NULL), -EEXIST);
        assert_int_equal(file_new(s, b, &record, NULL), -EEXIST);
        (void) add_file(s, add_part(s, two, "luod-a-3", BOOT), 7, 1);
        assert_counts(s);
}

static void test_kernel_tokens_run_in_sequence_and_leave_room_for_index_pages(void **state) {
        State *s = *state;
        Part *p = add_part(s, add_session(s, 1, "one", 0), "luod-a-1", BOOT);
        uint64_t last = 0;

        for (uint64_t token = 0; token < 200; token++) {
                File *f = add_file(s, p, 1000 - token, token);

                assert_false(ktoken_is_index(f->record.ktoken));
                assert_true(f->record.ktoken == last + 1 || (f->record.ktoken == last + 2 && ktoken_is_index(last + 1)));
                last = f->record.ktoken;
        }
        /* One that is gone is not used again: the kernel may have it all the same. */
        file_free(s, session_find_file(p->session, 1000 - 199));
        assert_true(p->next_ktoken > last);
}

static void test_files_hold_their_objects_where_the_kernel_does(void **state) {
        State *s = *state;
        Session *session = add_session(s, 1, "one", 0);
        Part *now = add_part(s, session, "luod-a-1", BOOT), *earlier = add_part(s, session, "luod-b-1", EARLIER_BOOT);
        int fd = fcntl(0, F_DUPFD_CLOEXEC, 100), other = fcntl(0, F_DUPFD_CLOEXEC, 100);
        File *kept, *incoming;

        part_take_fd(now, &fd);
        part_take_fd(earlier, &other);
        kept = add_file(s, now, 1, 77);
        incoming = add_file(s, earlier, 2, 78);
        kept->record.state = FILE_INTENT; /* the kernel may have it already */
        assert_true(file_holds_object(kept));
        kept->record.state = incoming->record.state = FILE_KEPT;
        assert_true(file_holds_object(kept));
        assert_false(file_holds_object(incoming)); /* there is no file of it in this boot yet */
        incoming->record.state = FILE_RETRIEVED;
        assert_true(file_holds_object(incoming));
        incoming->record.state = FILE_FAILED;
        assert_false(file_holds_object(incoming));
        now->fd = safe_close(now->fd); /* lost: it is free to be kept again */
        assert_false(file_holds_object(kept));
}

static void test_object_leaves_the_registry_with_its_file(void **state) {
        State *s = *state;
        Session *session = add_session(s, 7, "one", 0);
        Part *p = add_part(s, session, "luod-a-1", BOOT);
        File *f = add_file(s, p, 1, 77), *second = add_file(s, p, 2, 77);
        Identity identity = identity_from_inode(1, 77), same = identity;

        assert_int_equal(file_register(s, f, &identity), 0);
        assert_int_equal(file_register(s, second, &same), -EEXIST);
        assert_null(second->entry);
        assert_ptr_equal(registry_find(&s->registry, &same), f->entry);
        assert_int_equal(f->entry->sid, 7);
        assert_int_equal(f->entry->token, 1);

        file_free(s, second);
        assert_non_null(registry_find(&s->registry, &same));
        file_free(s, f);
        assert_null(registry_find(&s->registry, &same));
        assert_int_equal(file_register(s, add_file(s, p, 3, 77), &same), 0);
}

/* --- metadata */

static void test_metadata_is_set_replaced_and_removed(void **state) {
        State *s = *state;
        Session *session = add_session(s, 1, "one", 0);

        assert_int_equal(session_set_metadata(s, session, "b", "value", 5), 0);
        assert_int_equal(session_set_metadata(s, session, "a", "", 0), 0);
        assert_int_equal(session_set_metadata(s, session, "c", "\0\1\2", 3), 0);
        assert_counts(s);
        assert_int_equal(session->n_metadata, 3);
        assert_memory_equal(session_find_metadata(session, "c")->value, "\0\1\2", 3);
        assert_int_equal(session_find_metadata(session, "a")->n_value, 0);
        assert_int_equal(session_set_metadata(s, session, "b", "longer value", 12), 0);
        assert_int_equal(session_find_metadata(session, "b")->n_value, 12);
        assert_counts(s);
        assert_int_equal(session_set_metadata(s, session, "b", NULL, 0), 0);
        assert_int_equal(session_set_metadata(s, session, "never there", NULL, 0), 0);
        assert_null(session_find_metadata(session, "b"));
        assert_int_equal(session->n_metadata, 2);
        assert_counts(s);
        session_free(s, session);
        assert_int_equal(s->metadata_size, 0);
}

static void test_metadata_can_be_set_from_itself(void **state) {
        State *s = *state;
        Session *session = add_session(s, 1, "one", 0);
        const Metadata *m;

        assert_int_equal(session_set_metadata(s, session, "key", "value", 5), 0);
        m = session_find_metadata(session, "key");
        assert_int_equal(session_set_metadata(s, session, m->key, m->value, m->n_value), 0);
        assert_memory_equal(session_find_metadata(session, "key")->value, "value", 5);
        assert_counts(s);
}

/* --- by user */

static void test_state_moves_as_a_whole(void **state) {
        State *s = *state, to;
        Session *session = add_session(s, 1, "one", 0);
        Part *p = add_part(s, session, "luod-a-1", BOOT);

        (void) add_file(s, p, 1, 1);
        assert_int_equal(session_set_metadata(s, session, "key", "value", 5), 0);
        state_move(&to, s);
        assert_counts(&to);
        assert_int_equal(to.n_sessions, 1);
        assert_ptr_equal(state_find_session(&to, "one"), session);
        assert_string_equal(to.head.boot_id, BOOT);
        assert_int_equal(s->n_sessions + s->n_parts + s->n_files, 0);
        assert_true(list_is_empty(&s->sessions) && list_is_empty(&s->parts));
        state_move(s, &to);
        assert_counts(s);
        state_move(&to, s); /* and of nothing, too */
        state_move(s, &to);
        state_done(&to);
        assert_counts(s);
}

/* --- anything, many times */

static void test_counts_hold_through_random_changes(void **state) {
        State *s = *state;
        uint64_t random = 88172645463325252ULL;

        for (unsigned i = 0; i < 20000; i++) {
                char name[KNAME_SIZE];
                Session *session;
                unsigned n;
                File *f;

                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                n = (unsigned) (random >> 32) % 12;
                (void) snprintf(name, sizeof(name), "luod-a-%u", n);
                session = state_find_session(s, name);
                switch ((random >> 20) % 8) {
                case 0:
                        if (session)
                                break;
                        session = add_session(s, s->head.next_sid, name, n % 3);
                        if (state_find_part(s, name))
                                part_attach(state_find_part(s, name), session);
                        else
                                (void) add_part(s, session, name, n % 2 ? BOOT : EARLIER_BOOT);
                        break;
                case 1:
                        if ((random >> 40) % 16 == 0)
                                session_free(s, session);
                        break;
                case 2:
                        if (session && (f = session_find_file(session, (random >> 50) % 16)))
                                file_free(s, f);
                        break;
                case 3:
                        if (session)
                                assert_int_equal(session_set_metadata(s, session, random & 1 ? "k" : "l", &random,
                                                                      random % 9), 0);
                        break;
                case 4:
                        if (session)
                                assert_int_equal(session_set_metadata(s, session, "k", NULL, 0), 0);
                        break;
                default:
                        if (session && list_first(&session->parts) && !session_find_file(session, (random >> 50) % 16))
                                (void) add_file(s, LIST_ENTRY(list_first(&session->parts), Part, session_link),
                                                (random >> 50) % 16, i);
                        break;
                }
                if (i % 64 == 0)
                        assert_counts(s);
        }
        assert_counts(s);
}

static void test_flags_have_names(void **state) {
        const char *names[7];

        session_flags_to_strings(0, names);
        assert_null(names[0]);
        session_flags_to_strings(SESSION_PARTS_MISSING | SESSION_OWNER_UNKNOWN, names);
        assert_string_equal(names[0], "owner-unknown");
        assert_string_equal(names[1], "parts-missing");
        assert_null(names[2]);
        session_flags_to_strings(~0U, names);
        assert_non_null(names[5]);
        assert_null(names[6]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_sessions_are_found_by_name_and_number),
                TEST(test_part_is_outgoing_if_it_was_made_in_this_boot),
                TEST(test_part_of_a_freed_session_is_nobodys_but_stays),
                TEST(test_closing_a_part_closes_its_fd_and_unmaps_its_pages),
                TEST(test_part_with_a_name_of_others_has_no_number),
                TEST(test_files_are_found_whatever_the_order_they_came_in),
                TEST(test_token_can_be_used_once_in_a_session),
                TEST(test_kernel_tokens_run_in_sequence_and_leave_room_for_index_pages),
                TEST(test_files_hold_their_objects_where_the_kernel_does),
                TEST(test_object_leaves_the_registry_with_its_file),
                TEST(test_metadata_is_set_replaced_and_removed),
                TEST(test_metadata_can_be_set_from_itself),
                TEST(test_state_moves_as_a_whole),
                TEST(test_counts_hold_through_random_changes),
                TEST(test_flags_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
