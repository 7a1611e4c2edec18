/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "bus-options.h"
#include "name-util.h"

static int refuse_unknown(const char *key, const BusOption *options, size_t n, sd_bus_error *reterr) {
        char known[512] = "";
        size_t used = 0;

        for (size_t i = 0; i < n && used < sizeof(known); i++)
                used += (size_t) snprintf(known + used, sizeof(known) - used, "%s%s (%s)", i > 0 ? ", " : "",
                                          options[i].key, options[i].type);
        /* Of what somebody made up only what could be a key is repeated. */
        return sd_bus_error_setf(reterr, SD_BUS_ERROR_INVALID_ARGS, "Unknown option '%s'; there are: %s",
                                 metadata_key_is_valid(key) ? key : "(not a name)", known);
}

static const BusOption *find(const BusOption *options, size_t n, const char *key) {
        for (size_t i = 0; i < n; i++)
                if (streq(options[i].key, key))
                        return options + i;
        return NULL;
}

static int read_value(sd_bus_message *m, const BusOption *option, void *field, sd_bus_error *reterr) {
        int r, yes;

        if (option->read)
                return option->read(m, field, reterr);
        if (streq(option->type, "as"))
                return sd_bus_message_read_strv(m, (char ***) field);
        if (streq(option->type, "t"))
                return sd_bus_message_read_basic(m, 't', (uint64_t *) field);

        assert(streq(option->type, "b"));
        r = sd_bus_message_read_basic(m, 'b', &yes);
        if (r >= 0)
                *(bool *) field = yes;
        return r;
}

static int read_variant(sd_bus_message *m, const BusOption *option, void *field, sd_bus_error *reterr) {
        int r;

        r = sd_bus_message_enter_container(m, 'v', option->type);
        if (r == -ENXIO)
                return sd_bus_error_setf(reterr, SD_BUS_ERROR_INVALID_ARGS, "The option '%s' is of type %s", option->key,
                                         option->type);
        if (r >= 0)
                r = read_value(m, option, field, reterr);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_option(sd_bus_message *m,
                       const BusOption *options,
                       size_t n,
                       uint32_t *seen,
                       void *target,
                       sd_bus_error *reterr) {
        const BusOption *option;
        const char *key;
        uint32_t bit;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;
        option = find(options, n, key);
        if (!option)
                return refuse_unknown(key, options, n, reterr);
        bit = UINT32_C(1) << (option - options);
        if (*seen & bit)
                return sd_bus_error_setf(reterr, SD_BUS_ERROR_INVALID_ARGS, "The option '%s' is given twice", key);
        *seen |= bit;
        return read_variant(m, option, (char *) target + option->offset, reterr);
}

int bus_read_options_table(
                sd_bus_message *m, const BusOption *options, size_t n, void *target, sd_bus_error *reterr) {
        uint32_t seen = 0;
        int r;

        assert(n <= BUS_OPTIONS_MAX);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_option(m, options, n, &seen, target, reterr);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}
