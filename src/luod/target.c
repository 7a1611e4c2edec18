/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "job.h"
#include "manager.h"
#include "target.h"

/* Loading is two trips to a child: one looks into the images, and luod judges; the other loads. In between it is written
 * down that something is being loaded, and afterwards what: a luod that dies meanwhile finds the first, and says that
 * it does not know.
 *
 * What can't be seen: /sys/kernel/kexec_loaded tells that something is loaded, and nothing else. Who loads another kernel
 * over luod's leaves no trace. */

typedef struct Loading {
        Job job;
        int kernel, initrd; /* -EBADF: none */
        LoadOptions options;
        bool unload;
        char boot_dir[256];
        KernelImage image;
        TargetRecord record;
} Loading;

/* --- the record's file */

static void record_path(Manager *m, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/next-kernel", m->runtime_dir);
}

static int record_write(Manager *m, const TargetRecord *record) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        int r;

        record_path(m, path);
        r = target_record_encode(record, &text);
        return r < 0 ? r : write_small_file(path, text);
}

static void record_remove(Manager *m) {
        char path[PATH_MAX];

        record_path(m, path);
        (void) unlink(path);
}

static void target_forget(Manager *m) {
        if (m->target.known || m->target.damaged)
                record_remove(m);
        m->target.known = m->target.damaged = false;
}

/* What was there before a load that failed is what is there. */
static void record_put_back(Manager *m) {
        if (!m->target.known || record_write(m, &m->target.record) < 0)
                record_remove(m);
}

void target_restore(Manager *m, const char *boot_id) {
        Target *t = &m->target;
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];

        (void) snprintf(t->boot_id, sizeof(t->boot_id), "%s", boot_id);
        record_path(m, path);
        if (read_small_file(path, &text) < 0)
                return;
        if (target_record_decode(text, &t->record) < 0)
                t->damaged = true;
        else if (streq(t->record.boot_id, boot_id))
                t->known = true;
        else
                record_remove(m);
}

void target_done(Target *t) {
        if (t->job)
                t->job->free(t->job);
        t->job = NULL;
}

TargetView target_look(Manager *m) {
        Target *t = &m->target;
        bool loaded = t->kexec->is_loaded(t->kexec) > 0;

        if (!loaded) {
                if (!t->job)
                        target_forget(m);
                return (TargetView){ .by_luod = KNOWLEDGE_NO };
        }
        if (t->damaged || (t->known && t->record.state != TARGET_LOADED))
                return (TargetView){ .loaded = true, .by_luod = KNOWLEDGE_UNKNOWN };
        if (!t->known)
                return (TargetView){ .loaded = true, .by_luod = KNOWLEDGE_NO };
        return (TargetView){ .loaded = true, .by_luod = KNOWLEDGE_YES, .record = &t->record };
}

/* --- judging */

static int refuse_what_is_no_kernel(const KernelImage *image, Failure *ret) {
#if defined(__x86_64__)
        switch (image->kind) {
        case KERNEL_IMAGE_BZIMAGE:
                return 0;
        case KERNEL_IMAGE_TRUNCATED:
                return failure_set(
                        ret, FAILURE_KERNEL_TRUNCATED,
                        "The kernel image is not complete: its header tells of more than the file has. Copy "
                        "or install it again");
        case KERNEL_IMAGE_OTHER_ARCH:
                return failure_set(ret, FAILURE_WRONG_ARCHITECTURE,
                                   "This kernel is for another architecture%s%s%s; this machine is x86-64",
                                   image->arch[0] ? " (" : "", image->arch, image->arch[0] ? ")" : "");
        case KERNEL_IMAGE_VMLINUX:
                return failure_set(
                        ret, FAILURE_NOT_A_KERNEL,
                        "This is an uncompressed kernel (vmlinux), which kexec can't load here; take the "
                        "bzImage that was built with it (arch/x86/boot/bzImage, /boot/vmlinuz-RELEASE)");
        case KERNEL_IMAGE_NOT_LOADABLE:
                return failure_set(
                        ret, FAILURE_NOT_A_KERNEL,
                        "kexec can't load this kernel: it is too old (before 3.8), or was built without "
                        "CONFIG_RELOCATABLE=y");
        default:
                return failure_set(ret, FAILURE_NOT_A_KERNEL,
                                   "This is not a kernel image (for x86-64: a bzImage)");
        }
#else
        return 0; /* the kernel knows its images best */
#endif
}

/* Where LUO works luod keeps files in memory: its own records at the least. */
static bool memory_is_kept(const Manager *m) {
        return m->support == LUO_SUPPORTED;
}

static const char *release_or(const KernelImage *image, const char *otherwise) {
        return image->release[0] ? image->release : otherwise;
}

static int refuse_what_would_lose(const Manager *m, const Loading *l, Failure *ret) {
        static const char force[] = "; with the option 'force' it is loaded all the same";
        const char *release = release_or(&l->image, "without a name"), *session = NULL;

        if (l->record.luo == KNOWLEDGE_NO)
                return failure_set(ret, FAILURE_KERNEL_UNFIT,
                                   "Kernel %s was built without the Live Update Orchestrator "
                                   "(CONFIG_LIVEUPDATE): everything that is kept would be lost%s",
                                   release, force);
        if (l->record.memfd == KNOWLEDGE_NO && memory_is_kept(m))
                return failure_set(
                        ret, FAILURE_KERNEL_UNFIT,
                        "Kernel %s has no handler for files in memory (CONFIG_LIVEUPDATE_MEMFD): as such "
                        "are kept, it could give back nothing at all%s",
                        release, force);
        if (l->record.abi == KNOWLEDGE_NO && memory_is_kept(m))
                return failure_set(ret, FAILURE_KERNEL_UNFIT,
                                   "Kernel %s does not understand what this one hands over: the versions of "
                                   "their formats differ, so it could give back nothing at all%s",
                                   release, force);
        if (l->record.handlers == KNOWLEDGE_NO && manager_count_outgoing(m, FILE_KIND_OTHER, &session) > 0)
                return failure_set(ret, FAILURE_KERNEL_UNFIT,
                                   "Kernel %s lacks the handler '%s' of this one, and in session '%s' files are kept "
                                   "that are not in memory: it could give back nothing at all%s",
                                   release, l->record.lacks, session, force);
        if (!l->record.switched_on)
                return failure_set(ret, FAILURE_CMDLINE_UNFIT,
                                   "With this command line kernel %s would not have the Live Update "
                                   "Orchestrator switched on, and everything that is kept would be lost: it "
                                   "needs 'kho=on liveupdate=on'%s",
                                   release, force);
        return 0;
}

static int judge(const Manager *m, const Loading *l, Failure *ret) {
        size_t n = strlen(l->record.cmdline) + 1;
        int r;

        r = refuse_what_is_no_kernel(&l->image, ret);
        if (r < 0)
                return r;
        if (l->image.cmdline_max > 0 && n > l->image.cmdline_max)
                return failure_set(ret, FAILURE_CMDLINE_TOO_LONG,
                                   "The command line has %zu bytes; kernel %s takes %u at the most", n - 1,
                                   release_or(&l->image, "without a name"), l->image.cmdline_max - 1);
        return l->options.force ? 0 : refuse_what_would_lose(m, l, ret);
}

/* --- looking into it, in a child */

/* The image of the kernel that runs, if it is where such images are: the formats of this kernel are in it. */
static void read_own_image(const Loading *l, const struct utsname *uts, KernelImage *ret) {
        _cleanup_(closep) int fd = -EBADF;
        char path[512];

        (void) snprintf(path, sizeof(path), "%s/vmlinuz-%s", l->boot_dir, uts->release);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || kernel_image_read(fd, l->boot_dir, ret) < 0 || !streq(ret->release, uts->release) ||
            !streq(ret->version, uts->version)) /* another build of that name */
                *ret = (KernelImage) KERNEL_IMAGE_NULL;
}

static int check_initrd(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) && st.st_size > 0 ? 0 : -ENODATA;
}

typedef struct Look {
        KernelImage image;
        Knowledge abi, handlers;
        char lacks[KERNEL_ABI_LENGTH_MAX + 1];
} Look;

static void compare_with_own(const Loading *l, Look *look) {
        KernelImage ours = KERNEL_IMAGE_NULL;
        const KernelImage *image = &look->image;
        struct utsname uts;

        if (uname(&uts) < 0)
                return;
        if (image->version[0] && streq(image->release, uts.release) && streq(image->version, uts.version)) {
                look->abi = look->handlers = KNOWLEDGE_YES; /* it is this very kernel */
                return;
        }
        read_own_image(l, &uts, &ours);
        look->abi = kernel_image_same_abi(image, &ours, /* memfd= */ true);
        look->handlers = kernel_image_same_handlers(image, &ours, look->lacks);
}

/* values: a Look. -ENODATA: the initrd is none. */
static void look_at_images(void *arg, WorkerReply *reply) {
        const Loading *l = arg;
        Look look = {};

        _Static_assert(sizeof(Look) <= sizeof(reply->values), "does not fit");

        reply->error = l->initrd >= 0 ? check_initrd(l->initrd) : 0;
        if (reply->error >= 0)
                reply->error = kernel_image_read(l->kernel, l->boot_dir, &look.image);
        if (reply->error < 0)
                return;
        if (look.image.kind == KERNEL_IMAGE_BZIMAGE)
                compare_with_own(l, &look);
        memcpy(reply->values, &look, sizeof(look));
}

/* In a process of its own memory may run out for it alone. Never in luod's own (tests). */
static void look_as_child(void *arg, WorkerReply *reply) {
        const Loading *l = arg;

        if (!l->job.manager->workers.inline_)
                worker_offer_to_oom_killer();
        look_at_images(arg, reply);
}

/* --- loading, in a child */

#define BUSY_RETRIES 50U /* of 100 ms: another load takes its time */

static void load_or_unload(void *arg, WorkerReply *reply) {
        Loading *l = arg;
        const KexecOps *kexec = l->job.manager->target.kexec;
        const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
        bool inline_ = l->job.manager->workers.inline_;

        for (unsigned i = 0;; i++) {
                reply->error = l->unload ? kexec->unload(kexec)
                                         : kexec->load(kexec, l->kernel, l->initrd, l->record.cmdline);
                if (reply->error != -EBUSY || inline_ || i >= BUSY_RETRIES)
                        return;
                (void) clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        }
}

static int failure_set_kexec(Failure *ret, int error, bool unload) {
        const char *what = unload ? "unload" : "load";

        switch (-error) {
        case EBUSY:
                return failure_set(
                        ret, FAILURE_KEXEC_BUSY,
                        "Somebody else is loading a kernel, or a kexec has begun; try again in a moment");
        case EPERM:
        case EACCES:
                return failure_set(
                        ret, FAILURE_KERNEL_REJECTED,
                        "This kernel does not let a kernel be %sed: kernel lockdown "
                        "(/sys/kernel/security/lockdown), kexec_load_disabled (sysctl "
                        "kernel.kexec_load_disabled), a security module, or luod.service without "
                        "CAP_SYS_BOOT",
                        what);
        case EKEYREJECTED:
        case ENOKEY:
        case EKEYEXPIRED:
        case EKEYREVOKED:
        case ENOPKG:
        case EBADMSG:
        case ENODATA:
        case ELIBBAD:
                return failure_set(
                        ret, FAILURE_KERNEL_REJECTED,
                        "The signature of the kernel image is not accepted (%s): it is not signed, or not "
                        "by a key that this kernel trusts",
                        strerror(-error));
        case ENOEXEC:
                return failure_set(ret, FAILURE_NOT_A_KERNEL,
                                   "The kernel says that this is not an image that it can load");
        case ETXTBSY:
                return failure_set(ret, FAILURE_KEXEC_BUSY,
                                   "The kernel image or the initrd is open for writing; try again when it "
                                   "is written");
        case ENOSYS:
        case EOPNOTSUPP:
                return failure_set(ret, FAILURE_KERNEL_UNSUPPORTED,
                                   "This kernel has no kexec_file_load (CONFIG_KEXEC_FILE), or luod.service "
                                   "does not allow it");
        case ENOMEM:
        case EADDRNOTAVAIL:
        case EFBIG:
                return failure_set(
                        ret, FAILURE_OUT_OF_MEMORY,
                        "There is not enough memory to %s the kernel; what was loaded before still is",
                        what);
        default:
                return failure_set(ret, FAILURE_INTERNAL, "Can't %s the kernel: %s", what, strerror(-error));
        }
}

/* --- the job */

static void loading_free(Job *job) {
        Loading *l = (Loading *) job;

        safe_close(l->kernel);
        safe_close(l->initrd);
        free(l);
}

static void loading_end(Loading *l, const Failure *failure) {
        Manager *m = l->job.manager;

        m->target.job = NULL;
        if (!failure)
                manager_emit(m, "LoadedKernel");
        job_end(&l->job, failure);
}

static void loading_fail_errno(Loading *l, int error, const char *what) {
        (void) failure_set_errno(&l->job.failure, error, what);
        loading_end(l, &l->job.failure);
}

static void on_loaded(WorkerReply *reply, void *userdata) {
        Loading *l = userdata;
        Target *t = &l->job.manager->target;

        if (reply->error == -EOWNERDEAD) { /* it may have been after the call */
                t->record = l->record;
                t->known = true;
                loading_fail_errno(l, reply->error, "Can't tell whether the kernel was loaded");
                return;
        }
        if (reply->error < 0) {
                record_put_back(l->job.manager);
                (void) failure_set_kexec(&l->job.failure, reply->error, l->unload);
                loading_end(l, &l->job.failure);
                return;
        }

        l->record.state = TARGET_LOADED;
        l->record.timestamp = now_realtime();
        t->record = l->record;
        t->known = true;
        t->damaged = false;
        (void) record_write(l->job.manager,
                            &t->record); /* failing, a restarted luod does not know what it is */
        loading_end(l, NULL);
}

static void on_unloaded(WorkerReply *reply, void *userdata) {
        Loading *l = userdata;

        if (reply->error < 0) {
                (void) failure_set_kexec(&l->job.failure, reply->error, l->unload);
                loading_end(l, &l->job.failure);
                return;
        }
        target_forget(l->job.manager);
        loading_end(l, NULL);
}

static int say_why_not_looked_at(Loading *l, int error) {
        switch (-error) {
        case ENODATA:
                return failure_set(
                        &l->job.failure, FAILURE_INVALID_ARGUMENT,
                        "The initrd is empty or not a regular file; the option 'no-initrd' loads a kernel "
                        "without one");
        case EINVAL:
        case EISDIR:
        case EFBIG:
                return failure_set(&l->job.failure, FAILURE_NOT_A_KERNEL,
                                   "This is not a kernel image: not a regular file, or larger than %llu MiB",
                                   KERNEL_IMAGE_SIZE_MAX / 1048576);
        case EOWNERDEAD:
                return failure_set(
                        &l->job.failure, FAILURE_OUT_OF_MEMORY,
                        "The process that looked into the kernel image was killed, most likely for want of "
                        "memory");
        case EBADF:
                return failure_set(&l->job.failure, FAILURE_INVALID_ARGUMENT,
                                   "The kernel image is not open for reading");
        default:
                return failure_set_errno(&l->job.failure, error, "Can't look into the kernel image");
        }
}

static void on_looked(WorkerReply *reply, void *userdata) {
        Loading *l = userdata;
        Manager *m = l->job.manager;
        const KernelImage *image = &l->image;
        TargetRecord *record = &l->record;
        Look look;
        int r;

        if (reply->error < 0) {
                (void) say_why_not_looked_at(l, reply->error);
                loading_end(l, &l->job.failure);
                return;
        }
        memcpy(&look, reply->values, sizeof(look));
        l->image = look.image;
        (void) snprintf(record->release, sizeof(record->release), "%s", image->release);
        record->luo = image->luo;
        record->memfd = image->memfd;
        record->abi = look.abi;
        record->handlers = look.handlers;
        (void) snprintf(record->lacks, sizeof(record->lacks), "%s", look.lacks);
        record->switched_on = kernel_image_is_switched_on(image, record->cmdline);
        if (judge(m, l, &l->job.failure) < 0) {
                loading_end(l, &l->job.failure);
                return;
        }

        r = record_write(m, record);
        if (r >= 0)
                r = worker_run(&m->workers, load_or_unload, l, (int[]){ l->kernel, l->initrd },
                               l->initrd < 0 ? 1 : 2,
                               /* flags= */ 0, on_loaded, l);
        if (r < 0) {
                record_put_back(m);
                loading_fail_errno(l, r, "Can't load the kernel");
        }
}

static void loading_run(Job *job) {
        Loading *l = (Loading *) job;
        Manager *m = job->manager;
        int r;

        m->target.job = job;
        if (l->unload)
                r = worker_run(&m->workers, load_or_unload, l, NULL, 0, /* flags= */ 0, on_unloaded, l);
        else
                r = worker_run(&m->workers, look_as_child, l, (int[]){ l->kernel, l->initrd },
                               l->initrd < 0 ? 1 : 2,
                               /* flags= */ 0, on_looked, l);
        if (r < 0)
                loading_fail_errno(l, r, "Can't start a process for that");
}

static int check_idle(const Manager *m, Failure *ret) {
        if (m->stopping)
                return failure_set(ret, FAILURE_SHUTTING_DOWN,
                                   "luod is being stopped; ask again when it is back");
        if (m->target.job)
                return failure_set(ret, FAILURE_KEXEC_BUSY,
                                   "A kernel is being loaded or unloaded; try again when that is done");
        return 0;
}

static Loading *loading_new(Manager *m, job_done_fn done, void *userdata) {
        Loading *l = malloc(sizeof(*l));

        if (!l)
                return NULL;
        *l = (Loading){
                .job = { .manager = m,
                         .done = done,
                         .userdata = userdata,
                         .run = loading_run,
                         .free = loading_free },
                .kernel = -EBADF,
                .initrd = -EBADF,
        };
        return l;
}

static int check_cmdline(const char *cmdline, Failure *ret) {
        for (const char *p = cmdline; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return failure_set(ret, FAILURE_INVALID_ARGUMENT,
                                           "There are control characters in the command line");
        if (strlen(cmdline) >= KERNEL_CMDLINE_MAX)
                return failure_set(ret, FAILURE_CMDLINE_TOO_LONG,
                                   "The command line has %zu bytes; no kernel takes more than %u",
                                   strlen(cmdline), KERNEL_CMDLINE_MAX - 1);
        return 0;
}

static int take_fds(Loading *l, int kernel, int initrd) {
        l->kernel = fd_dup(kernel);
        if (l->kernel < 0)
                return l->kernel;
        if (l->options.no_initrd)
                return 0;
        l->initrd = fd_dup(initrd);
        return MIN(l->initrd, 0);
}

int operation_load_kernel(Manager *m,
                          int kernel,
                          int initrd,
                          const char *cmdline,
                          const LoadOptions *options,
                          job_done_fn done,
                          void *userdata,
                          Failure *ret) {
        Loading *l;
        int r;

        r = check_idle(m, ret);
        if (r >= 0)
                r = check_cmdline(cmdline, ret);
        if (r < 0)
                return r;

        l = loading_new(m, done, userdata);
        if (!l)
                return failure_set_errno(ret, -ENOMEM, "Can't load the kernel");
        l->options = *options;
        r = take_fds(l, kernel, initrd);
        if (r < 0) {
                loading_free(&l->job);
                return failure_set_errno(ret, r, "Can't take the files");
        }
        (void) snprintf(l->boot_dir, sizeof(l->boot_dir), "%s", m->target.boot_dir);
        l->record.state = TARGET_LOADING;
        l->record.forced = options->force;
        l->record.timestamp = now_realtime();
        (void) snprintf(l->record.boot_id, sizeof(l->record.boot_id), "%s", m->target.boot_id);
        (void) snprintf(l->record.cmdline, sizeof(l->record.cmdline), "%s", cmdline);
        return job_submit(&l->job, /* asker= */ NULL, ret);
}

int operation_unload_kernel(Manager *m, job_done_fn done, void *userdata, Failure *ret) {
        Loading *l;

        if (check_idle(m, ret) < 0)
                return -ECANCELED;
        l = loading_new(m, done, userdata);
        if (!l)
                return failure_set_errno(ret, -ENOMEM, "Can't unload the kernel");
        l->unload = true;
        return job_submit(&l->job, /* asker= */ NULL, ret);
}
