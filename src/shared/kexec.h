/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel that comes next, by kexec_file_load(2): the older kexec_load() hands nothing over. The only code that makes
 * these calls. A table, so that tests can hand in a kernel of their own. */

typedef struct KexecOps KexecOps;
struct KexecOps {
        void *userdata; /* borrowed; for the table's owner */

        /* Loads @kernel, with @initrd (negative: none). Takes long: the images are read, copied and hashed.
         * -ENOEXEC: not a kernel for this machine; -EPERM, -EKEYREJECTED, -ENOPKG, -EBADMSG, -ENODATA, …: not
         * allowed; -EBUSY: a load or crash is under way; -ETXTBSY: somebody has it open for writing; -ENOSYS,
         * -EOPNOTSUPP: this kernel can't. */
        int (*load)(const KexecOps *ops, int kernel, int initrd, const char *cmdline);
        /* Drops what is loaded; none is fine. */
        int (*unload)(const KexecOps *ops);
        /* Whether something is loaded, whoever did it: 1, 0, or -errno. Does not block. */
        int (*is_loaded)(const KexecOps *ops);
};

/* The real kernel. */
const KexecOps *kexec_kernel_ops(void);
