/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "lines.h"
#include "target-record.h"

static const char *const states[_TARGET_STATE_MAX] = {
        [TARGET_LOADING] = "loading",
        [TARGET_LOADED] = "loaded",
};

int target_record_encode(const TargetRecord *r, char **ret) {
        if (asprintf(
                    ret,
                    "luod-next-kernel 1\nboot-id %s\nstate %s\nrelease %s\nluo %s\nmemfd %s\nabi %s\nhandlers %s\nlacks %s\nswitched-on %s\n"
                    "forced %s\ntimestamp %" PRIu64 "\ncommand-line %s\nend\n",
                    r->boot_id, states[r->state], r->release, knowledge_to_string(r->luo),
                    knowledge_to_string(r->memfd), knowledge_to_string(r->abi),
                    knowledge_to_string(r->handlers), r->lacks, yes_no(r->switched_on), yes_no(r->forced), r->timestamp, r->cmdline) < 0)
                return -ENOMEM;
        return 0;
}

static bool take_knowledge(const char **p, const char *key, Knowledge *ret) {
        char value[16];

        if (!lines_take(p, key, value, sizeof(value)))
                return false;
        *ret = knowledge_from_string(value);
        return *ret != _KNOWLEDGE_INVALID;
}

static bool take_bool(const char **p, const char *key, bool *ret) {
        Knowledge k;

        if (!take_knowledge(p, key, &k) || k == KNOWLEDGE_UNKNOWN)
                return false;
        *ret = k == KNOWLEDGE_YES;
        return true;
}

static bool take_state(const char **p, TargetState *ret) {
        char value[16];

        if (!lines_take(p, "state", value, sizeof(value)))
                return false;
        for (TargetState s = 0; s < _TARGET_STATE_MAX; s++)
                if (streq(value, states[s])) {
                        *ret = s;
                        return true;
                }
        return false;
}

/* A luod that was updated meanwhile finds the record of one that did not know them. */
static bool take_handlers(const char **p, TargetRecord *ret) {
        ret->handlers = KNOWLEDGE_UNKNOWN;
        if (strncmp(*p, "handlers", strlen("handlers")) != 0)
                return true;
        return take_knowledge(p, "handlers", &ret->handlers) && lines_take(p, "lacks", ret->lacks, sizeof(ret->lacks));
}

int target_record_decode(const char *text, TargetRecord *ret) {
        TargetRecord r = {};
        const char *p = text;
        char version[8];

        if (!lines_take(&p, "luod-next-kernel", version, sizeof(version)) || !streq(version, "1") ||
            !lines_take(&p, "boot-id", r.boot_id, sizeof(r.boot_id)) || !take_state(&p, &r.state) ||
            !lines_take(&p, "release", r.release, sizeof(r.release)) || !take_knowledge(&p, "luo", &r.luo) ||
            !take_knowledge(&p, "memfd", &r.memfd) || !take_knowledge(&p, "abi", &r.abi) ||
            !take_handlers(&p, &r) || !take_bool(&p, "switched-on", &r.switched_on) || !take_bool(&p, "forced", &r.forced) ||
            !lines_take_u64(&p, "timestamp", &r.timestamp) ||
            !lines_take(&p, "command-line", r.cmdline, sizeof(r.cmdline)) ||
            (!streq(p, "end\n") && !streq(p, "end"))) /* read_small_file() cuts off the newline */
                return -EBADMSG;
        *ret = r;
        return 0;
}
