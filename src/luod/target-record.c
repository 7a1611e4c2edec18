/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "target-record.h"

static const char *const states[_TARGET_STATE_MAX] = {
        [TARGET_LOADING] = "loading",
        [TARGET_LOADED] = "loaded",
};

int target_record_encode(const TargetRecord *r, char **ret) {
        if (asprintf(
                    ret,
                    "luod-next-kernel 1\nboot-id %s\nstate %s\nrelease %s\nluo %s\nmemfd %s\nabi %s\nswitched-on %s\n"
                    "forced %s\ntimestamp %" PRIu64 "\ncommand-line %s\nend\n",
                    r->boot_id, states[r->state], r->release, knowledge_to_string(r->luo),
                    knowledge_to_string(r->memfd), knowledge_to_string(r->abi), yes_no(r->switched_on),
                    yes_no(r->forced), r->timestamp, r->cmdline) < 0)
                return -ENOMEM;
        return 0;
}

/* Takes the line "KEY VALUE" from *p. */
static bool take(const char **p, const char *key, char *ret, size_t size) {
        const char *end = strchr(*p, '\n');
        size_t n_key = strlen(key), n;

        if (!end || strncmp(*p, key, n_key) != 0 || (*p)[n_key] != ' ')
                return false;
        n = (size_t) (end - *p) - n_key - 1;
        if (n >= size)
                return false;
        memcpy(ret, *p + n_key + 1, n);
        ret[n] = '\0';
        *p = end + 1;
        return true;
}

static bool take_knowledge(const char **p, const char *key, Knowledge *ret) {
        char value[16];

        if (!take(p, key, value, sizeof(value)))
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

        if (!take(p, "state", value, sizeof(value)))
                return false;
        for (TargetState s = 0; s < _TARGET_STATE_MAX; s++)
                if (streq(value, states[s])) {
                        *ret = s;
                        return true;
                }
        return false;
}

static bool take_u64(const char **p, const char *key, uint64_t *ret) {
        char value[24], *end;

        if (!take(p, key, value, sizeof(value)) || value[0] < '0' || value[0] > '9')
                return false;
        errno = 0;
        *ret = strtoull(value, &end, 10);
        return errno == 0 && *end == '\0';
}

int target_record_decode(const char *text, TargetRecord *ret) {
        TargetRecord r = {};
        const char *p = text;
        char version[8];

        if (!take(&p, "luod-next-kernel", version, sizeof(version)) || !streq(version, "1") ||
            !take(&p, "boot-id", r.boot_id, sizeof(r.boot_id)) || !take_state(&p, &r.state) ||
            !take(&p, "release", r.release, sizeof(r.release)) || !take_knowledge(&p, "luo", &r.luo) ||
            !take_knowledge(&p, "memfd", &r.memfd) || !take_knowledge(&p, "abi", &r.abi) ||
            !take_bool(&p, "switched-on", &r.switched_on) || !take_bool(&p, "forced", &r.forced) ||
            !take_u64(&p, "timestamp", &r.timestamp) ||
            !take(&p, "command-line", r.cmdline, sizeof(r.cmdline)) ||
            (!streq(p, "end\n") && !streq(p, "end"))) /* read_small_file() cuts off the newline */
                return -EBADMSG;
        *ret = r;
        return 0;
}
