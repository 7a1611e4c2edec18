/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "fuzz.h"

/* Appends values of the types @signature to @m, made of the input's bytes. What sd-bus does not let out (text that is no
 * UTF-8, say) becomes something that it does; below 0 if that is not possible. */
int fuzz_append(sd_bus_message *m, const char *signature, Input *input);

/* Strings: one of those that luod knows, or the input's own. Borrowed until the next call but 8. */
const char *fuzz_string(Input *input);

/* Where fds in messages come from: borrowed until the message has its own. Set by who has any; else it is /dev/null. */
extern int (*fuzz_fd)(Input *input);
