/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "fd-util.h"
#include "macro.h"
#include "stop-point.h"

void stop_point(const char *name) {
        static const char *dir;
        static bool initialized;
        char path[PATH_MAX];

        if (!initialized) {
                dir = secure_getenv("LUOD_STOP_DIR");
                initialized = true;
        }
        if (!dir)
                return;

        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (unlink(path) < 0)
                return;

        (void) snprintf(path, sizeof(path), "%s/stopped", dir);
        (void) safe_close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        (void) raise(SIGSTOP);
}
