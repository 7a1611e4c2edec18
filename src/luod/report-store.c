/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd-util.h"
#include "macro.h"
#include "report-store.h"

ReportSummary report_summarize(const Report *report) {
        ReportSummary s = { .id = report->id, .road = report->road, .result = report->result };

        for (ReportTime t = 0; t < _REPORT_TIME_MAX && s.realtime == 0; t++)
                s.realtime = report->times[t].realtime;
        return s;
}

int report_store_init(ReportStore *store, const char *directory, const char *runtime_dir) {
        ReportStore s = {};

        if (asprintf(&s.directory, "%s/reports", directory) < 0)
                s.directory = NULL;
        if (asprintf(&s.fallback, "%s/reports", runtime_dir) < 0)
                s.fallback = NULL;
        if (!s.directory || !s.fallback) {
                report_store_done(&s);
                return -ENOMEM;
        }
        *store = s;
        return 0;
}

void report_store_done(ReportStore *store) {
        free(store->directory);
        free(store->fallback);
        *store = (ReportStore) {};
}

static int write_all(int fd, const char *text, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, text, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                text += n;
                size -= (size_t) n;
        }
        return 0;
}

static int write_file(int dir, const char *writer, const char *name, const char *text, bool sync) {
        _cleanup_(closep) int fd = -EBADF;
        char anew[NAME_MAX + 1];
        int r;

        (void) snprintf(anew, sizeof(anew), ".%s.%s", name, writer);
        fd = openat(dir, anew, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, strlen(text));
        if (r >= 0 && sync && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && renameat(dir, anew, dir, name) < 0)
                r = -errno;
        if (r >= 0 && sync && fsync(dir) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(dir, anew, 0);
        return r;
}

static int put_into(const char *directory, const char *writer, const char *name, const char *text, bool sync) {
        _cleanup_(closep) int dir = -EBADF;

        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                return -errno;
        dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return dir < 0 ? -errno : write_file(dir, writer, name, text, sync);
}

static void format_path(const char *directory, const char *name, const char *suffix, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/%s.json%s", directory, name, suffix);
}

int report_store_put(
                const ReportStore *s, const char *writer, const char *name, const char *text, bool sync, int *ret_error) {
        char file[NAME_MAX + 1], path[PATH_MAX];
        int r;

        if (!s->directory)
                return 0;
        (void) snprintf(file, sizeof(file), "%s.json", name);
        r = put_into(s->directory, writer, file, text, sync);
        if (r >= 0) { /* an older one in the fallback would be taken for newer */
                format_path(s->fallback, name, "", path);
                (void) unlink(path);
                return 0;
        }
        *ret_error = r;
        r = put_into(s->fallback, writer, file, text, /* sync= */ false);
        return r < 0 ? r : 1;
}

char *report_store_get_text(ReportStore *s, const char *name) {
        char path[PATH_MAX], *text;

        if (!s->directory)
                return NULL;
        format_path(s->fallback, name, "", path);
        if (read_small_file(path, &text) >= 0)
                return text;
        format_path(s->directory, name, "", path);
        return read_small_file(path, &text) >= 0 ? text : NULL;
}

/* Of at most REPORT_SIZE_MAX. */
static int read_report(const char *directory, const char *name, Report *ret) {
        _cleanup_(closep) int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        struct stat st;
        size_t n = 0;

        format_path(directory, name, "", path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size > REPORT_SIZE_MAX)
                return -EBADMSG;
        text = malloc((size_t) st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (n < (size_t) st.st_size) {
                ssize_t k = read(fd, text + n, (size_t) st.st_size - n);

                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }
        return report_decode(text, n, ret);
}

int report_store_get(ReportStore *s, const char *name, Report *ret) {
        int r;

        if (!s->directory)
                return -ENOENT;
        r = read_report(s->fallback, name, ret);
        return r == -ENOENT ? read_report(s->directory, name, ret) : r;
}

void report_store_remove(ReportStore *s, const char *name) {
        char path[PATH_MAX];

        if (!s->directory)
                return;
        format_path(s->directory, name, "", path);
        (void) unlink(path);
        format_path(s->fallback, name, "", path);
        (void) unlink(path);
}

void report_store_put_aside(ReportStore *s, const char *name, const char *suffix) {
        const char *const directories[] = { s->directory, s->fallback };
        char from[PATH_MAX], to[PATH_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(directories) && s->directory; i++) {
                format_path(directories[i], name, "", from);
                format_path(directories[i], name, suffix, to);
                (void) rename(from, to);
        }
}

/* --- the listing */

static int compare_summaries(const void *a, const void *b) {
        const ReportSummary *x = a, *y = b;

        return (x->id > y->id) - (x->id < y->id);
}

/* "12.json" */
static bool parse_file_name(const char *name, uint64_t *ret) {
        uint64_t id = 0;
        size_t n = 0;

        for (; name[n] >= '0' && name[n] <= '9' && n < 19; n++)
                id = 10 * id + (uint64_t) (name[n] - '0');
        *ret = id;
        return n > 0 && name[0] != '0' && streq(name + n, ".json");
}

typedef struct Listing {
        ReportSummary *items;
        size_t n_items;
        uint64_t highest;
} Listing;

static bool listing_has(const Listing *l, uint64_t id) {
        for (size_t i = 0; i < l->n_items; i++)
                if (l->items[i].id == id)
                        return true;
        return false;
}

static int list_one(ReportStore *s,
                    const char *directory,
                    uint64_t id,
                    Listing *l,
                    report_unreadable_fn unreadable,
                    void *userdata) {
        char name[24], path[PATH_MAX];
        ReportSummary *larger;
        Report report = {};
        int r;

        l->highest = MAX(l->highest, id);
        if (listing_has(l, id))
                return 0;
        (void) snprintf(name, sizeof(name), "%" PRIu64, id);
        r = read_report(directory, name, &report);
        if (r == -ENOMEM)
                return r;
        if (r >= 0 && report.id != id)
                r = -EBADMSG;
        if (r < 0) {
                report_done(&report);
                format_path(directory, name, "", path);
                unreadable(path,
                           r == -EPROTONOSUPPORT ? "a newer luod wrote it"
                                   : r == -EBADMSG ? "it is damaged"
                                                   : strerror(-r),
                           userdata);
                return 0;
        }
        larger = reallocarray(l->items, l->n_items + 1, sizeof(*larger));
        if (larger) {
                l->items = larger;
                l->items[l->n_items++] = report_summarize(&report);
        }
        report_done(&report);
        return larger ? 0 : -ENOMEM;
}

static int list_directory(ReportStore *s,
                          const char *directory,
                          Listing *l,
                          report_unreadable_fn unreadable,
                          void *userdata) {
        DIR *d = opendir(directory);
        struct dirent *de;
        uint64_t id;
        int r = 0;

        while (d && r >= 0 && (de = readdir(d)))
                if (parse_file_name(de->d_name, &id))
                        r = list_one(s, directory, id, l, unreadable, userdata);
        if (d)
                (void) closedir(d);
        return r;
}

int report_store_list(ReportStore *s,
                      ReportSummary **ret,
                      size_t *ret_n,
                      uint64_t *ret_highest,
                      report_unreadable_fn unreadable,
                      void *userdata) {
        Listing l = {};
        int r = 0;

        if (s->directory) {
                r = list_directory(s, s->fallback, &l, unreadable, userdata);
                if (r >= 0)
                        r = list_directory(s, s->directory, &l, unreadable, userdata);
        }
        if (r < 0) {
                free(l.items);
                return r;
        }
        if (l.n_items > 0)
                qsort(l.items, l.n_items, sizeof(*l.items), compare_summaries);
        *ret = l.items;
        *ret_n = l.n_items;
        *ret_highest = l.highest;
        return 0;
}
