/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "report.h"

/* A report as a picture: one SVG document that needs nothing else. Whether @f took it is for the caller to ask. 0 or
 * -ENOMEM. */
int report_plot(const Report *report, FILE *f);
