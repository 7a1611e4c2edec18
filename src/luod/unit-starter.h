/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Has units started, which is how admins hook into what luod does. One implementation asks PID 1 (bus-units.h); tests
 * bring their own. */

typedef struct UnitStarter UnitStarter;

/* @error: 0; -ENOENT: there is no such unit; others: it was refused. -ETIMEDOUT, -ENOTCONN: nobody knows. */
typedef void (*unit_started_fn)(int error, void *userdata);

typedef struct UnitStarterOps {
        /* Asks for @unit, and returns at once; @done is called once the job is queued (not: done), perhaps before the return.
         * @optional: that there is none is nothing to warn of. */
        int (*start)(UnitStarter *starter, const char *unit, bool optional, unit_started_fn done, void *userdata);
        /* What is under way is forgotten. */
        UnitStarter *(*free)(UnitStarter *starter);
} UnitStarterOps;

struct UnitStarter {
        const UnitStarterOps *ops;
};
