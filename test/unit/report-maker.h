/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "report.h"

#define MAKER_FROM_BOOT "11111111-1111-4111-8111-111111111111"
#define MAKER_TO_BOOT "22222222-2222-4222-8222-222222222222"
/* What XML, JSON, a terminal or a reader's eye could trip over. */
#define MAKER_HOSTILE "</text><script>alert(1)</script>&'\"]]>\xe2\x80\xae\xef\xbf\xbe"

/* An update with everything in it and @n_sessions sessions, their names hostile if wanted. report_done() is the caller's. */
void make_report(Report *ret, unsigned n_sessions, bool hostile);
