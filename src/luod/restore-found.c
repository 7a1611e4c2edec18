/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "by-name.h"
#include "fd-util.h"
#include "parking.h"
#include "restore-internal.h"

static int found_add(Restore *r, int *fd, const char *kname, const char *fdname, bool stored) {
        Found *larger = realloc(r->found, (r->n_found + 1) * sizeof(Found));
        Found *f;

        if (!larger)
                return -ENOMEM;
        r->found = larger;
        f = r->found + r->n_found++;
        *f = (Found) { .fd = TAKE_FD(*fd), .stored = stored, .incoming = !stored };
        (void) snprintf(f->kname, sizeof(f->kname), "%s", kname);
        (void) snprintf(f->fdname, sizeof(f->fdname), "%s", fdname);
        return 0;
}

int found_from_custody(Restore *r, FoundFd *fds, size_t n) {
        Manager *m = r->manager;
        int error;

        for (size_t i = 0; i < n; i++) {
                char kname[LUO_NAME_SIZE];
                uint64_t number, sid, token;
                char *end;

                number = strtoull(fds[i].fdname + (fds[i].fdname[0] == LEDGER_FDNAME_PREFIX), &end, 16);
                if (*end == '\0')
                        m->state.head.next_fdname = MAX(m->state.head.next_fdname, number + 1);

                if (parked_name_parse(fds[i].fdname, &sid, &token)) {
                        error = parking_add(m, sid, token, &fds[i].fd, /* in_custody= */ true, NULL);
                        if (error == -ENOMEM)
                                return error;
                        continue;
                }

                /* What is no session, or not one of luod's, is left open and in the store: not ours to drop. */
                if (m->luo->session_get_name(m->luo, fds[i].fd, kname) < 0 || !kernel_name_parse(kname, NULL, NULL))
                        continue;
                error = found_add(r, &fds[i].fd, kname, fds[i].fdname, /* stored= */ true);
                if (error < 0)
                        return error;
        }
        return 0;
}

static Found *found_find(Restore *r, const char *kname) {
        for (size_t i = 0; i < r->n_found; i++)
                if (streq(r->found[i].kname, kname))
                        return r->found + i;
        return NULL;
}

/* Index files are of outgoing sessions. */
static bool index_file_is_there(const Manager *m, const char *kname) {
        char name[LUO_NAME_SIZE + 16], path[PATH_MAX];

        (void) snprintf(name, sizeof(name), "index/%s.0", kname);
        runtime_path(m, name, path);
        return access(path, F_OK) >= 0;
}

static void name_to_try(Manager *m, const char *kname, NamedSession *ret) {
        (void) snprintf(ret->kname, sizeof(ret->kname), "%.*s", (int) sizeof(ret->kname) - 1, kname);
        (void) snprintf(ret->fdname, sizeof(ret->fdname), "%llx", (unsigned long long) m->state.head.next_fdname++);
}

/* In a boot's first start all names are tried, later only those that are known and missing. And those of sessions of which
 * only the kernel knows the direction: some kernels take a session apart when asked for an outgoing one's files, so they
 * are not asked before that is clear. */
static size_t names_to_try(Restore *r, NamedSession *ret) {
        Manager *m = r->manager;
        size_t n = 0;
        Part *p;

        if (r->same_boot) {
                LIST_FOREACH(&m->state.parts, Part, state_link, p)
                        if (!p->outgoing && kernel_name_parse(p->record.kname, NULL, NULL) &&
                            !found_find(r, p->record.kname) && n < 2 * PART_NUMBER_END)
                                name_to_try(m, p->record.kname, ret + n++);
                for (size_t i = 0; i < r->n_found && n < 2 * PART_NUMBER_END; i++)
                        if (!state_find_part(&m->state, r->found[i].kname) && !index_file_is_there(m, r->found[i].kname))
                                name_to_try(m, r->found[i].kname, ret + n++);
                return n;
        }

        for (char series = 'a'; series <= 'b'; series++)
                for (uint32_t i = 0; i < PART_NUMBER_END; i++) {
                        char kname[KERNEL_NAME_SIZE];

                        kernel_name_format(series, i, kname);
                        name_to_try(m, kname, ret + n++);
                }
        return n;
}

int found_by_name(Restore *r) {
        Manager *m = r->manager;
        _cleanup_free_ NamedSession *names = calloc(2 * PART_NUMBER_END, sizeof(*names));
        size_t n;
        int error;

        if (!names)
                return -ENOMEM;
        n = names_to_try(r, names);
        error = retrieve_sessions_by_name(m->luo, m->config.busy_timeout, names, n, m->workers.inline_);
        if (error < 0)
                return error;
        for (size_t i = 0; i < n; i++) {
                Found *f = found_find(r, names[i].kname);

                if (f && names[i].fd == -EINVAL)
                        f->incoming = true;
                if (names[i].fd < 0)
                        continue;
                error = found_add(r, &names[i].fd, names[i].kname, names[i].fdname, /* stored= */ false);
                if (error < 0)
                        return error;
        }
        return 0;
}

/* --- index pages of incoming sessions */

int retrieve_index_page(const LuoOps *luo, int session, uint32_t page, void **ret) {
        _cleanup_(closep) int fd = luo->retrieve(luo, session, index_page_ktoken(page));
        struct stat st;
        void *p;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size != INDEX_PAGE_SIZE)
                return -EBADMSG;
        p = mmap(NULL, INDEX_PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = p;
        return 0;
}

int read_incoming_head(const LuoOps *luo, int session, IndexHead *ret) {
        void *page = NULL; /* gcc -O3 does not see that it is set */
        int r;

        r = retrieve_index_page(luo, session, 0, &page);
        if (r < 0)
                return r;
        r = index_page_get_head(page, ret);
        (void) munmap(page, INDEX_PAGE_SIZE);
        return r;
}

int read_outgoing_head(Manager *m, const Found *f, IndexHead *ret) {
        _cleanup_(closep) int fd = -EBADF;
        char name[LUO_NAME_SIZE + 16], path[PATH_MAX];
        char page[INDEX_PAGE_SIZE];

        (void) snprintf(name, sizeof(name), "index/%s.0", f->kname);
        runtime_path(m, name, path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (pread(fd, page, sizeof(page), 0) != sizeof(page))
                return -EBADMSG;
        return index_page_get_head(page, ret);
}
