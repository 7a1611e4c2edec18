/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "world.h"

/* luod in a process of its own, so that it can die anywhere and for real.
 *
 * That process asks for the kernel and the custodian over a socket; the test has them, and answers. It passes a
 * *point* before and after each such request, and at each stop point of luod (stop-point.h). At a point the test
 * decides whether it goes on. */

typedef enum Fate {
        FATE_KILL,   /* kill -9, and luod is started again */
        FATE_UPDATE, /* kill -9, and then the live update: what is in custody comes over */
        FATE_JUMP,   /* kexec -e at that very moment: whatever luod has comes over */
        _FATE_MAX,
} Fate;

typedef struct Trial {
        World *world;
        Fate fate;
        unsigned die_at;      /* number of the point, from 1; UINT_MAX: never */

        /* the outcome */
        unsigned n_points;
        unsigned n_acked;     /* steps of which was said that they succeeded */
        bool died;
        char died_at[96];     /* name of the point */
        bool refused;         /* a step was refused: what was said of it */
        char refusal[512];
} Trial;

/* What luod does once it is up: calls remote_ack() after each step. Ends the process. No asserts of cmocka! */
typedef void (*remote_fn)(World *w, void *userdata);

/* Starts luod in a process of its own, lets it do @fn, and has it die as @trial says. The fd store and the kernel are
 * those of the world, in which no luod runs. Points count from the start of luod, or with @late from the start
 * of @fn. Afterwards the world is as luod's death, or the live update, left it. */
void remote_run(Trial *trial, remote_fn fn, void *userdata, bool late);

/* In that process. */
void remote_ack(void);
_Noreturn void remote_refuse(const char *message);
