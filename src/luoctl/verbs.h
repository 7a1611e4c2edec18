/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "options.h"

/* What each verb does. The number of arguments has been checked; all have told the user of any failure. */

ExitStatus verb_status(const Options *options);
/* How many bytes more the caller may have kept: UINT64_MAX where that is not known. Says nothing. */
uint64_t get_room(sd_bus *bus);
/* `luoctl status --quota` */
ExitStatus show_quota(const Options *options, sd_bus *bus);
ExitStatus verb_list(const Options *options);
ExitStatus verb_show(const Options *options);
ExitStatus verb_was_restored(const Options *options);
ExitStatus verb_identify(const Options *options);
ExitStatus verb_check(const Options *options);
ExitStatus verb_reload(const Options *options);

ExitStatus verb_create(const Options *options);
ExitStatus verb_preserve(const Options *options);
ExitStatus verb_retrieve(const Options *options);
ExitStatus verb_set_metadata(const Options *options);
ExitStatus verb_renew(const Options *options);
ExitStatus verb_carry(const Options *options);
ExitStatus verb_finish(const Options *options);
ExitStatus verb_discard(const Options *options);

ExitStatus verb_load(const Options *options);
ExitStatus verb_unload(const Options *options);

/* As `luoctl load` without options. */
ExitStatus load_default_kernel(sd_bus *bus);

ExitStatus verb_update(const Options *options);
ExitStatus verb_cancel(const Options *options);
ExitStatus verb_inhibit(const Options *options);
ExitStatus verb_inhibitors(const Options *options);
ExitStatus verb_release_lock(const Options *options);
ExitStatus verb_ready(const Options *options);
ExitStatus verb_report(const Options *options);

ExitStatus verb_monitor(const Options *options);
