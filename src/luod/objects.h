/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager.h"

/* Which objects luod's files are, as the registry has it. */

/* The object of @file is the one behind @fd: for what was just retrieved. Known already, or not to be told: nothing. */
void file_note_object(Manager *manager, File *file, int fd);

/* Fills the registry at a start, from what was written down in this boot: inodes of shmem files, names that drivers gave;
 * retrieved files are had from the kernel once more, which hands out the same ones. What is left is open files that
 * were kept before the restart: nothing but the kernel knows them (file->entry stays NULL). */
void objects_rebuild(Manager *manager);

/* The part of it that costs nothing: what is written down. */
void objects_rebuild_kept(Manager *manager);

/* How many files are kept of which luod does not know which object they are. */
unsigned objects_count_unknown(Manager *manager);
