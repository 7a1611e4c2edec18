/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "kexec.h"

/* kexec_file_load() and what /sys says of it, for tests. */

typedef struct FakeKexec {
        KexecOps ops;
        bool loaded;        /* whoever did it */
        char cmdline[4096]; /* of the last load */
        bool with_initrd;
        unsigned n_loads, n_unloads;
        int load_error, unload_error; /* -errno, 0: none */
        int is_loaded_error;
} FakeKexec;

/* @kexec must stay where it is. */
void fake_kexec_init(FakeKexec *kexec);
