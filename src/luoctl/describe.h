/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "info.h"

/* The words of org.luod1(5) in plain English. The texts are constants; NULL: there is nothing to say. */

/* "incoming", "outgoing" */
const char *describe_direction(const char *direction);

/* Who keeps an object: "none", "session", "unknown", "foreign" */
const char *describe_keeper(const char *keeper);

/* A session's flag. */
const char *describe_flag(const char *flag);

/* Where the sessions are while luod does not run. */
const char *describe_custody(const char *custody);

/* What is loaded to come next, besides its name. */
const char *describe_kernel(const KernelInfo *kernel);

/* What became of what the last live update brought. */
const char *describe_restore(const char *restore);

#define WARNINGS_MAX 5U

/* What is not as it should be with luod, NULL-terminated. The strings are constants or belong to @info. */
void describe_warnings(const ManagerInfo *info, const char *ret[static WARNINGS_MAX + 1]);
