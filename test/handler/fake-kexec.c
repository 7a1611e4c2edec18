/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "fake-kexec.h"
#include "macro.h"

static int fake_load(const KexecOps *ops, int kernel, int initrd, const char *cmdline) {
        FakeKexec *k = ops->userdata;

        if (k->load_error < 0)
                return k->load_error;
        if (fcntl(kernel, F_GETFD) < 0 || (initrd >= 0 && fcntl(initrd, F_GETFD) < 0))
                return -EBADF;
        k->n_loads++;
        k->loaded = true;
        k->with_initrd = initrd >= 0;
        (void) snprintf(k->cmdline, sizeof(k->cmdline), "%s", cmdline);
        return 0;
}

static int fake_unload(const KexecOps *ops) {
        FakeKexec *k = ops->userdata;

        if (k->unload_error < 0)
                return k->unload_error;
        k->n_unloads++;
        k->loaded = false;
        return 0;
}

static int fake_is_loaded(const KexecOps *ops) {
        FakeKexec *k = ops->userdata;

        return k->is_loaded_error < 0 ? k->is_loaded_error : k->loaded;
}

void fake_kexec_init(FakeKexec *k) {
        *k = (FakeKexec){
                .ops = { .load = fake_load,
                         .unload = fake_unload,
                         .is_loaded = fake_is_loaded,
                         .userdata = k },
        };
}
