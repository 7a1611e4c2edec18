/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "fd-util.h"
#include "list.h"

/* Runs what may block (the ioctls of a session, the device while somebody else has it, PID 1's notify socket)
 * in a child process, so that the event loop never does. */

/* What a task gives back. */
typedef struct WorkerReply {
        int error;                       /* 0 or -errno; -EOWNERDEAD: the child died before it could tell */
        uint32_t n_done;                 /* for tasks that are a list of steps: how many succeeded */
        uint64_t values[FD_TRANSFER_MAX]; /* the task's own */
        int fds[FD_TRANSFER_MAX];        /* the receiver's: it takes with TAKE_FD what it wants, the rest is closed */
        size_t n_fds;
} WorkerReply;

/* The task. Runs in the child; must not touch what it shares with the parent but through @arg. */
typedef void (*worker_fn)(void *arg, WorkerReply *reply);
/* Its end, in the parent. @reply is valid during the call. */
typedef void (*worker_done_fn)(WorkerReply *reply, void *userdata);

/* For a task: has the kernel kill this child before anybody else when memory runs out. */
void worker_offer_to_oom_killer(void);

typedef enum WorkerFlags {
        /* Let it come to its end when luod dies: for what must not be interrupted (a RETRIEVE that fails once
         * fails for ever), or must reach PID 1. Otherwise the child dies with luod. */
        WORKER_OUTLIVES = 1 << 0,
} WorkerFlags;

typedef struct Workers {
        sd_event *event; /* borrowed */
        bool inline_;    /* tests: run the task in this process, at the next turn of the event loop */
        List running;    /* Worker.link */
} Workers;

void workers_init(Workers *workers, sd_event *event);
/* Forgets the running ones: their done functions are not called any more. */
void workers_done(Workers *workers);
bool workers_are_idle(const Workers *workers);

/* Starts @fn(@arg) with only @keep_fds (and 0 to 2) open. @arg must stay valid until @done is called. Returns 0
 * or -errno (-EAGAIN: no more processes, -EMFILE); then @done is not called. */
int worker_run(Workers *workers,
               worker_fn fn,
               void *arg,
               const int *keep_fds,
               size_t n_keep_fds,
               unsigned flags,
               worker_done_fn done,
               void *userdata);
