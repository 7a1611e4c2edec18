/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "exit-status.h"
#include "info.h"

/* What Check() has found, on a terminal. With @legend a line at the end says what that comes to. */
void findings_print(const Findings *findings, bool legend);

/* The exit status tells the worst. */
ExitStatus findings_to_status(const Findings *findings);

/* How many block an update. Of unfinished incoming sessions luod itself must say whether they still do, if the user has
 * said what is to become of them (@incoming_cared_for). */
size_t findings_count_blocking(const Findings *findings, bool incoming_cared_for);
