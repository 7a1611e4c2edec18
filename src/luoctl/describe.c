/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "describe.h"
#include "macro.h"

typedef struct Word {
        const char *word;
        const char *meaning;
} Word;

static const char *look_up(const Word *words, size_t n, const char *word) {
        for (size_t i = 0; word && i < n; i++)
                if (streq(words[i].word, word))
                        return words[i].meaning;
        return NULL;
}

const char *describe_direction(const char *direction) {
        static const Word words[] = {
                { "outgoing", "kept over the next live update" },
                { "incoming", "brought by the last live update; retrieve what is in it, then finish it" },
        };

        return look_up(words, ARRAY_SIZE(words), direction);
}

const char *describe_keeper(const char *keeper) {
        static const Word words[] = {
                { "none", "nobody keeps it" },
                { "session", "luod keeps it" },
                { "unknown", "luod has kept it since before it was restarted, in a session that it can't tell" },
                { "foreign", "kept by somebody else than luod: systemd's fd store, or another agent" },
        };

        return look_up(words, ARRAY_SIZE(words), keeper);
}

const char *describe_flag(const char *flag) {
        static const Word words[] = {
                { "owner-unknown", "who owned it is not known; root owns it now" },
                { "metadata-damaged", "some of its metadata could not be read" },
                { "files-damaged", "some of what is known about its files could not be read" },
                { "end-damaged", "it may have been finished or discarded: that record could not be read" },
                { "parts-missing", "the kernel or systemd did not bring all of it" },
                { "unindexed", "its index could not be read: which files it has is not known" },
        };

        return look_up(words, ARRAY_SIZE(words), flag);
}

const char *describe_custody(const char *custody) {
        static const Word words[] = {
                { "fdstore", "systemd holds the sessions, over a live update too" },
                { "fdstore-no-kexec", "systemd holds the sessions, but not over a live update" },
                { "degraded", "being repaired" },
                { "none", "nobody but luod holds the sessions" },
        };

        return look_up(words, ARRAY_SIZE(words), custody);
}

static bool is(const char *word, const char *what) {
        return streq(strempty(word), what);
}

const char *describe_kernel(const KernelInfo *k) {
        if (!k->loaded)
                return "a reboot would be cold, and lose all that is kept: 'luoctl load'";
        if (is(k->by_luod, "no"))
                return "not by luod, so that what it would hand over is not known: 'luoctl load'";
        if (!is(k->by_luod, "yes"))
                return "perhaps by luod, which died meanwhile: 'luoctl load'";
        if (is(k->luo, "no"))
                return "it was built without CONFIG_LIVEUPDATE and loses all that is kept";
        if (is(k->memfd, "no"))
                return "it has no handler for files in memory and can give back nothing";
        if (is(k->same_formats, "no"))
                return "it does not understand what this kernel hands over and can give back nothing";
        if (!k->switched_on)
                return "its command line lacks 'kho=on liveupdate=on'";
        if (is(k->luo, "unknown") || is(k->memfd, "unknown"))
                return "whether it keeps files in memory is not known";
        if (is(k->same_formats, "unknown"))
                return "whether it understands what this kernel hands over is not known";
        return "it takes over what is kept";
}

const char *describe_restore(const char *restore) {
        static const Word words[] = {
                { "none", "this boot was none by a live update" },
                { "restored", "sessions wait to be claimed by their owners" },
                { "claimed", "no session waits for its owner any more" },
                { "finished", "all sessions were finished, discarded or renewed" },
                { "impaired", "not everything came back" },
        };

        return look_up(words, ARRAY_SIZE(words), restore);
}

static const char *restore_warning(const ManagerInfo *info) {
        return is(info->restore, "impaired") && !is(info->restore_message, "") ? info->restore_message : NULL;
}

static const char *custody_warning(const char *custody) {
        static const Word words[] = {
                { "fdstore", NULL },
                { "fdstore-no-kexec",
                  "This systemd does not hand its fd store over to the next kernel, so nothing is accepted. "
                  "systemd 261 or newer is needed." },
                { "degraded",
                  "Some sessions are not safe with systemd at the moment; luod is putting that right. Do not "
                  "start a live update now." },
                { "none",
                  "Nobody holds the sessions while luod does not run, so nothing is accepted. Is luod started "
                  "by systemd, as luod.service?" },
        };

        return look_up(words, ARRAY_SIZE(words), custody);
}

static const char *ledger_warning(const char *ledger) {
        static const Word words[] = {
                { "intact", NULL },
                { "damaged",
                  "Some records of the ledger could not be read. 'luoctl show' tells with each session what "
                  "that means for it." },
                { "rebuilt",
                  "The ledger was lost. What is known now was read from the sessions themselves: all files "
                  "are there, but metadata is lost." },
                { "newer",
                  "The ledger was written by a newer luod and is left as it is. Metadata is not known until "
                  "luod is updated." },
                { "none", "There is no ledger: no session can be made." },
        };

        return look_up(words, ARRAY_SIZE(words), ledger);
}

static const char *kernel_warning(const ManagerInfo *info) {
        if (streq(strempty(info->kernel_support), "supported"))
                return NULL;
        if (info->kernel_support_message && info->kernel_support_message[0])
                return info->kernel_support_message;
        return "The kernel can't keep objects over a live update.";
}

static const char *state_warning(const char *state) {
        return streq(strempty(state), "stopping") ? "luod is stopping and takes no new calls." : NULL;
}

/* Without the kernel there is nothing to hold and nothing to write down: no need to complain of that as well. */
static bool is_consequence(const ManagerInfo *info, const char *word) {
        return kernel_warning(info) && streq(strempty(word), "none");
}

void describe_warnings(const ManagerInfo *info, const char *ret[static WARNINGS_MAX + 1]) {
        const char *all[WARNINGS_MAX] = {
                kernel_warning(info),
                is_consequence(info, info->custody) ? NULL : custody_warning(info->custody),
                is_consequence(info, info->ledger) ? NULL : ledger_warning(info->ledger),
                kernel_warning(info) ? NULL : restore_warning(info), /* the kernel's own words are above */
                state_warning(info->state),
        };
        size_t n = 0;

        for (size_t i = 0; i < WARNINGS_MAX; i++)
                if (all[i])
                        ret[n++] = all[i];
        ret[n] = NULL;
}
