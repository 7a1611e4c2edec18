/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../handler/world.h"
#include "fuzz.h"

/* A world (world.h) for one input. Its asserts abort. */

/* For LLVMFuzzerInitialize(): ends the process (77) where no world can be. */
void fuzz_world_require(void);

/* luod is not started yet. Reports have a directory. */
World *fuzz_world_new(void);
/* Requires that no fd is left. */
void fuzz_world_free(World *w);

/* luod is alive and well: it answers, and all that it knows is the same everywhere. */
void fuzz_world_check(World *w);

/* Overwrites, or makes, the file @name in the runtime directory, or of that path. */
void fuzz_world_write(World *w, const char *name, const void *data, size_t size);
