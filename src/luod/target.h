/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "failure.h"
#include "kexec.h"
#include "target-record.h"

/* The kernel that comes next: loading it, and knowing what is loaded. Manager.target. */

struct Job;
struct Manager;

typedef struct Target {
        const KexecOps *kexec;
        const char *boot_dir; /* "/boot": where kernels and their configurations lie */
        char boot_id[BOOT_ID_SIZE];
        bool known;   /* @record is of this boot */
        bool damaged; /* there was one, but it could not be read */
        TargetRecord record;
        struct Job *job; /* the one that is loading or unloading; NULL: none */
} Target;

typedef struct TargetView {
        bool loaded;
        Knowledge by_luod; /* as far as can be seen: who loads over what is loaded leaves no trace */
        const TargetRecord *record; /* of what luod has loaded, if that is what is loaded; or NULL */
} TargetView;

/* Reads what a luod before this one has written down in this boot. */
void target_restore(struct Manager *manager, const char *boot_id);
void target_done(Target *target);

/* What is loaded now. A record of what is not loaded any more is dropped. */
TargetView target_look(struct Manager *manager);

typedef struct LoadOptions {
        bool no_initrd; /* @initrd is not looked at */
        bool force;     /* although it would not bring back what is kept */
} LoadOptions;

/* Both as the operations in operations.h; @kernel and @initrd are duplicated. The image is looked into first:
 * what is no kernel for this machine is refused, and, unless forced, what could not bring back what is kept.
 * When it fails, what was loaded before is still loaded. */
int operation_load_kernel(struct Manager *manager,
                          int kernel,
                          int initrd,
                          const char *cmdline,
                          const LoadOptions *options,
                          void (*done)(struct Job *job, const Failure *failure, void *userdata),
                          void *userdata,
                          Failure *ret);
int operation_unload_kernel(struct Manager *manager,
                            void (*done)(struct Job *job, const Failure *failure, void *userdata),
                            void *userdata,
                            Failure *ret);
