/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bus-names.h"
#include "client.h"
#include "fd-util.h"
#include "kernel-cmdline.h"
#include "output.h"
#include "text.h"
#include "verbs.h"

/* luoctl load, luoctl unload: which kernel comes next. luod looks into it and decides; here only the files are found. */

typedef struct Next {
        char *kernel;
        char *initrd; /* NULL: none */
        char *cmdline;
        int kernel_fd, initrd_fd;
} Next;

#define NEXT_NULL \
        { .kernel_fd = -EBADF, .initrd_fd = -EBADF }

static void next_done(Next *n) {
        free(n->kernel);
        free(n->initrd);
        free(n->cmdline);
        safe_close(n->kernel_fd);
        safe_close(n->initrd_fd);
}

static ExitStatus find_kernel(const Options *o, char **ret) {
        struct utsname uts;
        int r;

        if (o->kernel) {
                *ret = strdup(o->kernel);
                return *ret ? STATUS_OK : report_oom();
        }
        if (uname(&uts) < 0) {
                report("Can't tell which kernel runs: %m");
                return STATUS_FAILURE;
        }
        r = asprintf(ret, "/boot/vmlinuz-%s", uts.release);
        if (r < 0)
                *ret = NULL;
        return r < 0 ? report_oom() : STATUS_OK;
}

/* Beside DIR/vmlinuz-RELEASE, as distributions name it; there may be none. */
static ExitStatus find_initrd(const Options *o, const char *kernel, char **ret) {
        static const char *const names[][2] = { { "initrd.img-", "" },
                                                { "initramfs-", ".img" },
                                                { "initrd-", "" } };
        const char *slash = strrchr(kernel, '/'), *name = slash ? slash + 1 : kernel, vmlinuz[] = "vmlinuz-";

        if (o->no_initrd)
                return STATUS_OK;
        if (o->initrd) {
                *ret = strdup(o->initrd);
                return *ret ? STATUS_OK : report_oom();
        }
        if (strncmp(name, vmlinuz, strlen(vmlinuz)) != 0)
                return STATUS_OK;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%.*s%s%s%s", (int) (name - kernel), kernel, names[i][0],
                             name + strlen(vmlinuz), names[i][1]) < 0) {
                        path = NULL;
                        return report_oom();
                }
                if (access(path, F_OK) >= 0) {
                        *ret = TAKE_PTR(path);
                        return STATUS_OK;
                }
        }
        return STATUS_OK;
}

/* What the boot loader added for itself is not of the kernel that comes next. */
static ExitStatus reuse_cmdline(const char *append, char **ret) {
        _cleanup_free_ char *own = NULL, *cleaned = NULL;
        int r;

        r = read_small_file("/proc/cmdline", &own);
        if (r < 0) {
                report("Can't read /proc/cmdline: %s", strerror(-r));
                return STATUS_FAILURE;
        }
        if (kernel_cmdline_without(own, "BOOT_IMAGE", &cleaned) < 0)
                return report_oom();
        if (!append) {
                *ret = TAKE_PTR(cleaned);
                return STATUS_OK;
        }
        if (asprintf(ret, "%s%s%s", cleaned, cleaned[0] ? " " : "", append) < 0) {
                *ret = NULL;
                return report_oom();
        }
        return STATUS_OK;
}

static ExitStatus find_cmdline(const Options *o, char **ret) {
        if (!o->cmdline)
                return reuse_cmdline(o->append, ret);
        *ret = strdup(o->cmdline);
        return *ret ? STATUS_OK : report_oom();
}

static ExitStatus open_file(const char *path, int *ret) {
        /* Nobody is waited for: it may be a pipe. */
        *ret = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (*ret >= 0)
                return STATUS_OK;
        report("Can't open '%s': %m", path);
        return STATUS_FAILURE;
}

static ExitStatus check_load_options(const Options *o) {
        if (o->initrd && o->no_initrd)
                return report_usage("load", "'--initrd' and '--no-initrd' exclude each other.");
        if (o->cmdline && (o->reuse_cmdline || o->append))
                return report_usage(
                        "load",
                        "'--cmdline' is the whole command line: there is nothing to reuse or to append to.");
        return STATUS_OK;
}

static ExitStatus find_next(const Options *o, Next *n) {
        ExitStatus status;

        status = find_kernel(o, &n->kernel);
        if (status == STATUS_OK)
                status = find_initrd(o, n->kernel, &n->initrd);
        if (status == STATUS_OK)
                status = find_cmdline(o, &n->cmdline);
        if (status != STATUS_OK)
                return status;
        if (!text_is_utf8(n->cmdline, strlen(n->cmdline))) {
                report("The command line is not UTF-8.");
                return STATUS_USAGE;
        }
        status = open_file(n->kernel, &n->kernel_fd);
        if (status == STATUS_OK && n->initrd)
                status = open_file(n->initrd, &n->initrd_fd);
        return status;
}

static ExitStatus load(sd_bus *bus, const Options *o, const Next *n) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        ExitStatus status;
        int r;

        status = client_new_call(bus, LUOD_OBJECT_PATH, "LoadKernel", &m);
        if (status != STATUS_OK)
                return status;
        r = sd_bus_message_append(m, "hhsa{sv}", n->kernel_fd, n->initrd ? n->initrd_fd : n->kernel_fd,
                                  n->cmdline, 2, "no-initrd", "b", (int) !n->initrd, "force", "b",
                                  (int) o->force);
        if (r < 0)
                return client_message_failed(r);
        return client_call(bus, m, CLIENT_TIMEOUT_INFINITE, /* ret_reply= */ NULL);
}

static void print_next(const Next *n) {
        enum { WIDTH = 12 };

        print_key("Loaded", WIDTH);
        print_described(n->kernel, NULL);
        print_key("Initrd", WIDTH);
        print_described(n->initrd ? n->initrd : "none", NULL);
        print_key("Command line", WIDTH);
        print_described(n->cmdline, NULL);
}

ExitStatus verb_load(const Options *o) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(next_done) Next next = NEXT_NULL;
        ExitStatus status;

        status = check_load_options(o);
        if (status == STATUS_OK)
                status = find_next(o, &next);
        if (status == STATUS_OK)
                status = client_open(&bus);
        if (status == STATUS_OK)
                status = load(bus, o, &next);
        if (status == STATUS_OK)
                print_next(&next);
        return status;
}

ExitStatus load_default_kernel(sd_bus *bus) {
        _cleanup_(next_done) Next next = NEXT_NULL;
        const Options nothing = OPTIONS_NULL;
        ExitStatus status;

        status = find_next(&nothing, &next);
        if (status == STATUS_OK)
                status = load(bus, &nothing, &next);
        if (status == STATUS_OK)
                print_next(&next);
        return status;
}

ExitStatus verb_unload(const Options *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus status;

        status = client_open(&bus);
        if (status == STATUS_OK)
                status = client_new_call(bus, LUOD_OBJECT_PATH, "UnloadKernel", &m);
        if (status == STATUS_OK)
                status = client_call(bus, m, CLIENT_TIMEOUT, /* ret_reply= */ NULL);
        return status;
}
