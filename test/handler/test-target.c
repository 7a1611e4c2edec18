/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"
#include "kernel-maker.h"
#include "world.h"

#define CMDLINE "root=/dev/vda kho=on liveupdate=on"

static const char *const abis[] = { "kho-v4", "luo-v5", "memfd-v2", NULL };
static const char *const abis_newer[] = { "kho-v4", "luo-v6", "memfd-v2", NULL };
static const char *const abis_no_memfd[] = { "kho-v4", "luo-v5", NULL };

static const Recipe luo_kernel = { .packing = PACK_GZIP, .config = CONFIG_LUO, .abis = abis },
                    newer_kernel = { .packing = PACK_GZIP,
                                     .release = "7.4.0",
                                     .config = CONFIG_LUO,
                                     .abis = abis_newer },
                    no_luo_kernel = { .packing = PACK_GZIP, .release = "6.1.0", .config = CONFIG_NO_LUO },
                    no_memfd_kernel = { .packing = PACK_GZIP,
                                        .config = CONFIG_NO_MEMFD,
                                        .abis = abis_no_memfd },
                    unknown_kernel = { .packing = PACK_NONE, .release = "9.9.9" };

static int file_of(const void *data, size_t n) {
        int fd = memfd_create("file", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, n), n);
        return fd;
}

/* All but the last @cut bytes of it. */
static int kernel_of(const Recipe *r, size_t cut) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t n;

        data = make_bzimage(r, &n);
        return file_of(data, n - cut);
}

/* @initrd negative: the option no-initrd. */
static int load_fds(World *w, ClientId client, int kernel, int initrd, const char *cmdline, bool force) {
        sd_bus_message *m = manager_message(w, client, "LoadKernel");

        assert_true(sd_bus_message_append(m, "hhs", kernel, initrd < 0 ? kernel : initrd, cmdline) >= 0);
        assert_true(sd_bus_message_append(m, "a{sv}", 2, "no-initrd", "b", (int) (initrd < 0), "force", "b",
                                          (int) force) >= 0);
        return world_send(w, client, m, NULL);
}

static int load_with(World *w, ClientId client, const Recipe *r, const char *cmdline, bool force) {
        _cleanup_(closep) int kernel = kernel_of(r, 0), initrd = file_of("initrd", 6);

        return load_fds(w, client, kernel, initrd, cmdline, force);
}

static int load(World *w, const Recipe *r) {
        return load_with(w, ROOT, r, CMDLINE, /* force= */ false);
}

static int unload(World *w, ClientId client) {
        return world_send(w, client, manager_message(w, client, "UnloadKernel"), NULL);
}

/* LoadedKernel as "Key=value " */
static void loaded_kernel(World *w, char ret[static 1024]) {
        sd_bus_message *reply = NULL;
        const char *key, *contents;
        FILE *f = fmemopen(ret, 1024, "w");
        char type;

        assert_non_null(f);
        assert_int_equal(get_property(w, OTHER, LUOD_OBJECT_PATH, LUOD_INTERFACE_MANAGER, "LoadedKernel",
                                      "a{sv}", &reply),
                         0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "{sv}") >= 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(reply, "s", &key) > 0);
                assert_true(sd_bus_message_peek_type(reply, &type, &contents) > 0);
                assert_true(sd_bus_message_enter_container(reply, 'v', contents) > 0);
                if (streq(contents, "s")) {
                        const char *value;

                        assert_true(sd_bus_message_read(reply, "s", &value) > 0);
                        fprintf(f, "%s=%s ", key, value);
                } else if (streq(contents, "b")) {
                        int value;

                        assert_true(sd_bus_message_read(reply, "b", &value) > 0);
                        fprintf(f, "%s=%s ", key, yes_no(value));
                } else
                        assert_true(sd_bus_message_skip(reply, contents) > 0);
                assert_true(sd_bus_message_exit_container(reply) > 0);
                assert_true(sd_bus_message_exit_container(reply) > 0);
        }
        sd_bus_message_unref(reply);
        (void) fclose(f);
}

static void assert_loaded(World *w, const char *what) {
        char text[1024];

        loaded_kernel(w, text);
        if (!strstr(text, what))
                fail_msg("not '%s' but '%s'", what, text);
}

static void assert_finding(World *w, FindingSeverity severity, const char *hint) {
        Finding findings[FINDINGS_MAX];
        size_t n = manager_check(w->manager, findings);

        for (size_t i = 0; i < n; i++)
                if (streq(findings[i].id, "target")) {
                        if (findings[i].severity != severity || !strstr(findings[i].message, hint))
                                fail_msg("%d: %s", findings[i].severity, findings[i].message);
                        return;
                }
        fail_msg("there is no such finding");
}

/* The kernel that the tests run on seems to be made by that recipe: its image is where it should be. */
static void install_own(World *w, const Recipe *r) {
        _cleanup_free_ uint8_t *data = NULL;
        _cleanup_(closep) int fd = -EBADF;
        struct utsname uts;
        char path[256];
        size_t n;

        assert_int_equal(uname(&uts), 0);
        data = make_bzimage(r, &n);
        memset(data + 0x280, 0, 256);
        (void) snprintf((char *) data + 0x280, 256, "%s (a@b) %s", uts.release, uts.version);
        (void) snprintf(path, sizeof(path), "%s/vmlinuz-%s", w->dir, uts.release);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, data, n), n);
}

static void test_kernel_is_loaded_and_unloaded(void **state) {
        World *w = *state;

        assert_loaded(w, "Loaded=no ByLuod=no ");
        assert_finding(w, FINDING_WARNING, "No kernel is loaded");
        install_own(w, &luo_kernel);
        assert_success(w, load(w, &luo_kernel));
        assert_true(w->kexec.loaded && w->kexec.with_initrd);
        assert_string_equal(w->kexec.cmdline, CMDLINE);
        assert_loaded(w, "Loaded=yes ByLuod=yes Release=7.3.4-test CommandLine=" CMDLINE
                         " Luo=yes Memfd=yes SameFormats=yes "
                         "SwitchedOn=yes Forced=no ");
        assert_finding(w, FINDING_OK, "7.3.4-test");

        /* Another one takes its place. */
        assert_success(w, load_with(w, ROOT, &unknown_kernel, CMDLINE " x", false));
        assert_loaded(w, "Release=9.9.9 CommandLine=" CMDLINE
                         " x Luo=unknown Memfd=unknown SameFormats=unknown ");
        assert_finding(w, FINDING_WARNING, "could not be looked into");

        assert_success(w, unload(w, ROOT));
        assert_loaded(w, "Loaded=no ByLuod=no ");
        assert_success(w, unload(w, ROOT));
        assert_int_equal(w->kexec.n_unloads, 2);
        world_check(w);
}

static void test_kernel_is_loaded_without_an_initrd(void **state) {
        World *w = *state;
        _cleanup_(closep) int kernel = kernel_of(&luo_kernel, 0), empty = file_of("", 0),
                              null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert_success(w, load_fds(w, ROOT, kernel, -1, CMDLINE, false));
        assert_true(w->kexec.loaded && !w->kexec.with_initrd);
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, load_fds(w, ROOT, kernel, empty, CMDLINE, false));
        assert_non_null(strstr(w->error_message, "no-initrd"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, load_fds(w, ROOT, kernel, null, CMDLINE, true));
        assert_int_equal(w->kexec.n_loads, 1);
}

static void test_only_root_decides(void **state) {
        World *w = *state;

        assert_refused(w, SD_BUS_ERROR_ACCESS_DENIED, load_with(w, OTHER, &luo_kernel, CMDLINE, true));
        assert_success(w, load(w, &luo_kernel));
        assert_refused(w, SD_BUS_ERROR_ACCESS_DENIED, unload(w, OTHER));
        assert_true(w->kexec.loaded);
}

static void test_what_is_no_kernel_is_refused_even_by_force(void **state) {
        World *w = *state;
        _cleanup_(closep) int text = file_of("#!/bin/sh\n", 10), cut = kernel_of(&luo_kernel, 17),
                              null = open("/dev/null", O_RDONLY | O_CLOEXEC), arm = -EBADF, vmlinux = -EBADF,
                              dir = open("/", O_RDONLY | O_CLOEXEC),
                              path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
        _cleanup_free_ uint8_t *data = NULL, *other = NULL;
        size_t n;

        data = make_vmlinux(&luo_kernel, EM_AARCH64, &n);
        arm = file_of(data, n);
        other = make_vmlinux(&luo_kernel, EM_X86_64, &n);
        vmlinux = file_of(other, n);
        for (unsigned force = 0; force < 2; force++) {
                assert_refused(w, "NotAKernel", load_fds(w, ROOT, text, -1, CMDLINE, force));
                assert_refused(w, "KernelTruncated", load_fds(w, ROOT, cut, -1, CMDLINE, force));
                assert_refused(w, "NotAKernel", load_fds(w, ROOT, null, -1, CMDLINE, force));
                assert_refused(w, "NotAKernel", load_fds(w, ROOT, dir, -1, CMDLINE, force));
                assert_refused(w, "WrongArchitecture", load_fds(w, ROOT, arm, -1, CMDLINE, force));
                assert_refused(w, "NotAKernel", load_fds(w, ROOT, vmlinux, -1, CMDLINE, force));
                assert_non_null(strstr(w->error_message, "vmlinux"));
                assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, load_fds(w, ROOT, path, -1, CMDLINE, force));
        }
        assert_false(w->kexec.loaded);
        assert_loaded(w, "Loaded=no ");
}

static void test_what_would_lose_everything_needs_force(void **state) {
        World *w = *state;
        static const struct {
                const Recipe *kernel;
                const char *cmdline, *error;
        } cases[] = {
                { &no_luo_kernel, CMDLINE, "KernelUnfit" },
                { &no_memfd_kernel, CMDLINE, "KernelUnfit" },
                { &newer_kernel, CMDLINE, "KernelUnfit" },
                { &luo_kernel, "root=/dev/vda", "CommandLineUnfit" },
                { &luo_kernel, "kho=on liveupdate=off", "CommandLineUnfit" },
                { &luo_kernel, "kho=on -- liveupdate=on", "CommandLineUnfit" },
                { &unknown_kernel, "", "CommandLineUnfit" },
        };

        install_own(w, &luo_kernel);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_refused(w, cases[i].error,
                               load_with(w, ROOT, cases[i].kernel, cases[i].cmdline, /* force= */ false));
                assert_non_null(strstr(w->error_message, "force"));
                assert_false(w->kexec.loaded);
                assert_success(w, load_with(w, ROOT, cases[i].kernel, cases[i].cmdline, /* force= */ true));
                assert_loaded(w, "Forced=yes");
                assert_finding(w, FINDING_BLOCKS, "kernel that is loaded");
                assert_success(w, unload(w, ROOT));
        }
}

static void test_lack_of_a_handler_counts_when_it_is_needed(void **state) {
        static const char *const abis_vfio[] = { "kho-v4", "luo-v5", "memfd-v2", "vfio-pci-v1", NULL };
        static const Recipe vfio_kernel = { .packing = PACK_GZIP, .config = CONFIG_LUO, .abis = abis_vfio };
        _cleanup_(closep) int memfd = make_memfd("hello"), event = eventfd(0, EFD_CLOEXEC);
        World *w = *state;

        install_own(w, &vfio_kernel);
        assert_success(w, create(w, ROOT, "vm1"));
        assert_success(w, preserve(w, ROOT, "vm1", 1, memfd));
        assert_success(w, load(w, &luo_kernel));

        w->kernel.keeps_eventfds = true;
        assert_success(w, preserve(w, ROOT, "vm1", 2, event));
        assert_refused(w, "KernelUnfit", load(w, &luo_kernel));
        assert_non_null(strstr(w->error_message, "'vfio-pci-v1'"));
        assert_non_null(strstr(w->error_message, "'vm1'"));
        assert_success(w, load(w, &vfio_kernel));
        assert_success(w, load_with(w, ROOT, &luo_kernel, CMDLINE, /* force= */ true));
        world_restart(w);
        assert_string_equal(target_look(w->manager).record->lacks, "vfio-pci-v1");
}

static int load_with_option(World *w, int kernel, const char *option, const char *value) {
        sd_bus_message *m = manager_message(w, ROOT, "LoadKernel");

        assert_true(sd_bus_message_append(m, "hhsa{sv}", kernel, kernel, CMDLINE, 1, option, "s", value) >=
                    0);
        return world_send(w, ROOT, m, NULL);
}

static void test_arguments_that_cannot_be_are_refused(void **state) {
        World *w = *state;
        _cleanup_(closep) int kernel = kernel_of(&luo_kernel, 0);
        char longer[KERNEL_CMDLINE_MAX + 32] = CMDLINE " ";

        memset(longer + strlen(longer), 'x', 2047 - strlen(longer)); /* one more than fits with the NUL */
        assert_refused(w, "CommandLineTooLong", load_with(w, ROOT, &luo_kernel, longer, true));
        longer[2046] = '\0';
        assert_success(w, load_with(w, ROOT, &luo_kernel, longer, false));
        memset(longer + 2046, 'x', sizeof(longer) - 2047);
        assert_refused(w, "CommandLineTooLong", load_with(w, ROOT, &luo_kernel, longer, true));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, load_with(w, ROOT, &luo_kernel, CMDLINE "\nend", true));

        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, load_with_option(w, kernel, "colour", "blue"));
        assert_refused(w, SD_BUS_ERROR_INVALID_ARGS, load_with_option(w, kernel, "force", "yes"));
        assert_int_equal(w->kexec.n_loads, 1);
}

static void test_what_the_kernel_refuses_is_said_in_words(void **state) {
        World *w = *state;
        static const struct {
                int error;
                const char *name, *hint;
        } cases[] = {
                { -EPERM, "KernelRejected", "lockdown" },   { -EKEYREJECTED, "KernelRejected", "signature" },
                { -ENOPKG, "KernelRejected", "signature" }, { -EBADMSG, "KernelRejected", "signature" },
                { -ENOEXEC, "NotAKernel", "image" },        { -EBUSY, "KexecBusy", "again" },
                { -ETXTBSY, "KexecBusy", "writing" },       { -ENOMEM, "OutOfMemory", "memory" },
                { -ENOSYS, "KernelUnsupported", "KEXEC" },  { -EIO, SD_BUS_ERROR_FAILED, "Can't load" },
        };

        assert_success(w, load(w, &luo_kernel));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                w->kexec.load_error = cases[i].error;
                assert_refused(w, cases[i].name, load_with(w, ROOT, &unknown_kernel, CMDLINE, false));
                assert_non_null(strstr(w->error_message, cases[i].hint));
                /* What was loaded before still is, and a restarted luod knows it. */
                assert_loaded(w, "Loaded=yes ByLuod=yes Release=7.3.4-test ");
                world_restart(w);
                assert_loaded(w, "Loaded=yes ByLuod=yes Release=7.3.4-test ");
        }
        w->kexec.unload_error = -EPERM;
        assert_refused(w, "KernelRejected", unload(w, ROOT));
        assert_loaded(w, "Loaded=yes ByLuod=yes ");
}

static void test_restarted_luod_knows_what_it_loaded(void **state) {
        World *w = *state;
        char path[64];

        assert_success(w, load(w, &luo_kernel));
        world_restart(w);
        assert_loaded(w, "Loaded=yes ByLuod=yes Release=7.3.4-test CommandLine=" CMDLINE " ");

        /* Damaged: nobody knows. */
        (void) snprintf(path, sizeof(path), "%s/next-kernel", w->dir);
        assert_int_equal(truncate(path, 100), 0);
        world_restart(w);
        assert_loaded(w, "Loaded=yes ByLuod=unknown ");
        assert_finding(w, FINDING_WARNING, "not known");
        assert_success(w, load(w, &luo_kernel));
        world_restart(w);
        assert_loaded(w, "Loaded=yes ByLuod=yes ");

        /* It was unloaded behind luod's back, and another one loaded. */
        w->kexec.loaded = false;
        assert_loaded(w, "Loaded=no ByLuod=no ");
        w->kexec.loaded = true;
        assert_loaded(w, "Loaded=yes ByLuod=no ");
        world_restart(w);
        assert_loaded(w, "Loaded=yes ByLuod=no ");
        assert_finding(w, FINDING_WARNING, "Somebody else");
}

static void test_luod_that_died_while_loading_does_not_know(void **state) {
        World *w = *state;
        TargetRecord record = { .state = TARGET_LOADING, .luo = KNOWLEDGE_YES };
        _cleanup_free_ char *text = NULL;
        _cleanup_(closep) int fd = -EBADF;
        char path[64];

        (void) snprintf(path, sizeof(path), "%s/next-kernel", w->dir);
        (void) snprintf(record.boot_id, sizeof(record.boot_id), "%s", w->boot_id);
        assert_int_equal(target_record_encode(&record, &text), 0);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        w->kexec.loaded = true;
        world_restart(w);
        assert_loaded(w, "Loaded=yes ByLuod=unknown ");
        w->kexec.loaded = false;
        assert_loaded(w, "Loaded=no ByLuod=no ");
        assert_int_equal(access(path, F_OK), -1);
}

static void test_next_boot_has_nothing_loaded(void **state) {
        World *w = *state;

        assert_success(w, load(w, &luo_kernel));
        world_update(w);
        assert_loaded(w, "Loaded=no ByLuod=no ");

        /* The file of another boot, left behind: not of this one. */
        assert_success(w, load(w, &luo_kernel));
        world_kill(w);
        w->boot_id[0] = 'f';
        assert_int_equal(world_start(w), 0);
        assert_loaded(w, "Loaded=yes ByLuod=no ");
}

static void test_is_not_asked_where_sys_does_not_tell(void **state) {
        World *w = *state;

        w->kexec.is_loaded_error = -ENOENT;
        assert_loaded(w, "Loaded=no ByLuod=no ");
}

static void test_calls_in_between_are_busy(void **state) {
        World *w = *state;
        _cleanup_(closep) int kernel = kernel_of(&luo_kernel, 0);
        Call first = CALL_NULL, second = CALL_NULL;
        sd_bus_message *m[2];

        for (unsigned i = 0; i < 2; i++) {
                m[i] = manager_message(w, ROOT, "LoadKernel");
                assert_true(sd_bus_message_append(m[i], "hhsa{sv}", kernel, kernel, CMDLINE, 1, "no-initrd",
                                                  "b", 1) >= 0);
        }
        call_send(w, ROOT, m[0], &first);
        call_send(w, ROOT, m[1], &second);
        assert_int_equal(call_wait(&first, NULL), 0);
        assert_true(call_wait(&second, NULL) < 0);
        assert_string_equal(w->error, LUOD_ERROR_KEXEC_BUSY);
        call_done(&first);
        call_done(&second);
        sd_bus_message_unref(m[0]);
        sd_bus_message_unref(m[1]);
        assert_int_equal(w->kexec.n_loads, 1);
        assert_success(w, unload(w, ROOT));
}

static void test_it_is_loaded_by_a_process_of_its_own(void **state) {
        World *w = *state;

        sigset_t mask, before;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        assert_int_equal(sigprocmask(SIG_BLOCK, &mask, &before), 0); /* sd-event wants it so */
        w->with_workers = true;
        w->manager->workers.inline_ = false;
        w->kexec.loaded = true; /* the child's fake is another one */
        assert_success(w, load(w, &luo_kernel));
        assert_int_equal(w->kexec.n_loads, 0);
        assert_loaded(w, "Loaded=yes ByLuod=yes Release=7.3.4-test ");
        w->kexec.load_error = -EKEYREJECTED;
        assert_refused(w, "KernelRejected", load(w, &luo_kernel));
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_kernel_is_loaded_and_unloaded),
                TEST(test_kernel_is_loaded_without_an_initrd),
                TEST(test_only_root_decides),
                TEST(test_what_is_no_kernel_is_refused_even_by_force),
                TEST(test_what_would_lose_everything_needs_force),
                TEST(test_lack_of_a_handler_counts_when_it_is_needed),
                TEST(test_arguments_that_cannot_be_are_refused),
                TEST(test_what_the_kernel_refuses_is_said_in_words),
                TEST(test_restarted_luod_knows_what_it_loaded),
                TEST(test_luod_that_died_while_loading_does_not_know),
                TEST(test_next_boot_has_nothing_loaded),
                TEST(test_is_not_asked_where_sys_does_not_tell),
                TEST(test_calls_in_between_are_busy),
                TEST(test_it_is_loaded_by_a_process_of_its_own),
        };

        if (!packing_is_possible(PACK_GZIP)) {
                fprintf(stderr,
                        "skipped: the kernels of this test are packed with gzip, and there is no zlib\n");
                return 77;
        }
        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
