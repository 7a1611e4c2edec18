/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Named points between two steps, where a test can stop luod exactly: it is how the windows that a random kill
 * never hits are shown to be safe.
 *
 * With LUOD_STOP_DIR=DIR in luod's environment (nobody but the admin of the unit can set that), luod looks for
 * DIR/NAME whenever it passes the point NAME. If the file is there, luod removes it, creates DIR/stopped and
 * stops itself with SIGSTOP. Without the variable a point costs one comparison. */
void stop_point(const char *name);
