/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config.h"

/* Which files make up the configuration, and reading them. */

/* The first wins. The host's own is /etc/luod, or where else the build was told that such things are. /usr/lib/luod is for
 * distributions, /run/luod for what is not to outlive this boot. */
extern const char *const config_directories[];

/* config_read_files() - read NAME and NAME.d/x.conf
 *
 * As systemd's programs do it: NAME of the first directory that has it; then all the drop-ins by file name, across the
 * directories; of those with one name that of the first directory. A link to /dev/null is an empty file. What is no regular
 * file is never waited for: it is reported, as are files that can't be read. 0 or -ENOMEM. */
int config_read_files(ConfigReading *reading, const char *const *directories, const char *name);

/* Reads luod.conf; @former is what holds now and may be the same as @ret. 0 or -ENOMEM, with *ret untouched. */
int config_load(const char *const *directories,
                const Config *former,
                Config *ret,
                config_message_fn message,
                void *userdata);
