/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdarg.h>

#include "config.h"
#include "config-value.h"
#include "luod-limits.h"
#include "macro.h"
#include "name-util.h"

#define FIELD(name) offsetof(Config, name)

/* test-man-pages.sh reads this table, too. */
const ConfigItem config_items[] = {
        { "Limits", "SessionsPerUser", CONFIG_UNSIGNED, FIELD(sessions_per_user), SESSIONS_PER_USER_MAX, 0, PARTS_MAX },
        { "Limits", "Sessions", CONFIG_UNSIGNED, FIELD(sessions), PARTS_MAX, 0, PARTS_MAX },
        { "Limits", "FilesPerUser", CONFIG_UNSIGNED, FIELD(files_per_user), FILES_PER_USER_MAX, 0, FILES_MAX },
        { "Limits", "Files", CONFIG_UNSIGNED, FIELD(files), FILES_MAX, 0, FILES_MAX },
        { "Limits", "PartsPerUser", CONFIG_UNSIGNED, FIELD(parts_per_user), PARTS_PER_USER_MAX, 0, PARTS_MAX },
        { "Limits", "Parts", CONFIG_UNSIGNED, FIELD(parts), PARTS_MAX, PARTS_LEAST, PARTS_MAX },
        { "Limits", "MetadataPerUser", CONFIG_SIZE, FIELD(metadata_per_user), METADATA_SIZE_PER_USER, 0, METADATA_SIZE_TOTAL },
        { "Limits", "Metadata", CONFIG_SIZE, FIELD(metadata), METADATA_SIZE_TOTAL, 0, METADATA_SIZE_TOTAL },
        { "Limits", "KeptPerUser", CONFIG_SHARE, FIELD(kept_per_user), CONFIG_SHARE_PERCENT(KEPT_PER_USER_PERCENT), 0,
          MEMORY_RESERVE_MAX },
        { "Limits", "Kept", CONFIG_SHARE, FIELD(kept), CONFIG_SHARE_PERCENT(KEPT_PERCENT), 0, MEMORY_RESERVE_MAX },
        { "Limits", "LocksPerUser", CONFIG_UNSIGNED, FIELD(locks_per_user), LOCKS_PER_USER_MAX, 0, LOCKS_MAX },
        { "Limits", "Locks", CONFIG_UNSIGNED, FIELD(locks), LOCKS_MAX, 0, LOCKS_MAX },
        { "Limits", "CallsPerUser", CONFIG_UNSIGNED, FIELD(calls_per_user), CALLS_IN_FLIGHT_PER_USER_MAX, 1, CALLS_IN_FLIGHT_MAX },
        { "Limits", "Calls", CONFIG_UNSIGNED, FIELD(calls), CALLS_IN_FLIGHT_MAX, CALLS_IN_FLIGHT_LEAST, CALLS_IN_FLIGHT_MAX },
        { "Limits", "FileDescriptorsPerUser", CONFIG_UNSIGNED, FIELD(fds_per_user), FDS_IN_FLIGHT_PER_USER_MAX, 1,
          FDS_IN_FLIGHT_MAX },
        { "Limits", "FileDescriptors", CONFIG_UNSIGNED, FIELD(fds), FDS_IN_FLIGHT_MAX, FDS_PER_CALL_MAX, FDS_IN_FLIGHT_MAX },
        { "Limits", "MemoryReserve", CONFIG_SIZE, FIELD(memory_reserve), MEMORY_RESERVE, 0, MEMORY_RESERVE_MAX },
        { "Update", "PrepareTimeout", CONFIG_TIME, FIELD(prepare_timeout), PREPARE_TIMEOUT_USEC, PREPARE_TIMEOUT_LEAST_USEC,
          PREPARE_TIMEOUT_MAX_USEC },
        { "Update", "ProtectReboot", CONFIG_BOOL, FIELD(protect_reboot), true, 0, 0 },
        { "Device", "BusyTimeout", CONFIG_TIME, FIELD(busy_timeout), DEVICE_BUSY_TIMEOUT_USEC,
          DEVICE_BUSY_TIMEOUT_LEAST_USEC, DEVICE_BUSY_TIMEOUT_MAX_USEC },
        { "Restore", "OnRestored", CONFIG_UNIT, FIELD(on_restored), 0, 0, 0 },
        { "Restore", "OnClaimed", CONFIG_UNIT, FIELD(on_claimed), 0, 0, 0 },
        { "Restore", "OnFinished", CONFIG_UNIT, FIELD(on_finished), 0, 0, 0 },
        { "Restore", "OnImpaired", CONFIG_UNIT, FIELD(on_impaired), 0, 0, 0 },
        { "Report", "Keep", CONFIG_UNSIGNED, FIELD(report_keep), REPORTS_KEEP, 1, REPORTS_KEEP_MAX },
        {},
};

_Static_assert(ARRAY_SIZE(config_items) <= CONFIG_ITEMS_MAX, "ConfigReading.said has a place for each");

/* --- messages */

#define QUOTED_MAX 64U

/* Foreign text for a message: as it is if it can be shown and is short, else with what can't be shown as \xNN, and cut. */
static const char *quote(const char *text, char ret[static 4 * QUOTED_MAX + 4]) {
        char *p = ret;

        if (is_printable_utf8(text) && strlen(text) <= QUOTED_MAX)
                return text;
        for (size_t i = 0; text[i] && i < QUOTED_MAX; i++)
                if (text[i] >= 0x20 && text[i] < 0x7f)
                        *p++ = text[i];
                else
                        p += sprintf(p, "\\x%02x", (unsigned char) text[i]);
        (void) strcpy(p, strlen(text) > QUOTED_MAX ? "..." : "");
        return ret;
}
#define QUOTE(text) quote(text, (char[4 * QUOTED_MAX + 4]) {})

/* @line 0: the file as a whole */
static void report(ConfigReading *r, const char *file, unsigned line, const char *format, ...) _printf_(4, 5);

static void report(ConfigReading *r, const char *file, unsigned line, const char *format, ...) {
        char text[1024], message[2048], number[16] = "";
        va_list ap;

        if (r->n_messages >= CONFIG_MESSAGES_MAX)
                return;
        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (line > 0)
                (void) snprintf(number, sizeof(number), ":%u", line);
        if (++r->n_messages == CONFIG_MESSAGES_MAX)
                (void) snprintf(text, sizeof(text), "too much is wrong, no more of it is named");
        (void) snprintf(message, sizeof(message), "%s%s: %s",
                        strlen(file) <= 512 && is_printable_utf8(file) ? file : QUOTE(file), number, text);
        r->message(message, r->userdata);
}

void config_messages_add(const char *message, void *userdata) {
        ConfigMessages *m = userdata;
        char **longer = reallocarray(m->items, m->n_items + 2, sizeof(*longer));

        if (!longer)
                return;
        m->items = longer;
        m->items[m->n_items] = strdup(message);
        if (m->items[m->n_items])
                m->items[++m->n_items] = NULL;
}

void config_messages_done(ConfigMessages *m) {
        m->items = config_strings_free(m->items);
        m->n_items = 0;
}

/* --- values in the struct */

uint64_t config_share_of(uint64_t share, uint64_t all) {
        uint64_t percent = share ^ CONFIG_SHARE_PERCENT(0);

        if (!(share & CONFIG_SHARE_PERCENT(0)))
                return share;
        return all / 100 * percent + all % 100 * percent / 100;
}

static void *value_of(const ConfigItem *item, const void *config) {
        return (char *) config + item->offset;
}

/* Without freeing what is there. */
static void set_fallback(const ConfigItem *item, void *config) {
        void *value = value_of(item, config);

        switch (item->type) {
        case CONFIG_BOOL:
                *(bool *) value = item->fallback != 0;
                break;
        case CONFIG_UNSIGNED:
                *(unsigned *) value = (unsigned) item->fallback;
                break;
        case CONFIG_SIZE:
        case CONFIG_SHARE:
        case CONFIG_TIME:
                *(uint64_t *) value = item->fallback;
                break;
        case CONFIG_UNIT:
                *(char **) value = NULL;
                break;
        case CONFIG_STRINGS:
                *(char ***) value = NULL;
                break;
        default:
                assert(false);
        }
}

static void reset_item(const ConfigItem *item, void *config) {
        if (item->type == CONFIG_UNIT)
                free(*(char **) value_of(item, config));
        else if (item->type == CONFIG_STRINGS)
                (void) config_strings_free(*(char ***) value_of(item, config));
        set_fallback(item, config);
}

void config_set_defaults(Config *ret) {
        for (const ConfigItem *item = config_items; item->key; item++)
                set_fallback(item, ret);
}

void config_reset(const ConfigItem *items, void *config) {
        for (const ConfigItem *item = items; item->key; item++)
                reset_item(item, config);
}

static int copy_strings(char *const *from, char ***ret) {
        char **copy = NULL;
        size_t n = 0;

        while (from && from[n])
                n++;
        if (n > 0) {
                copy = calloc(n + 1, sizeof(*copy));
                if (!copy)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < n; i++) {
                copy[i] = strdup(from[i]);
                if (!copy[i]) {
                        (void) config_strings_free(copy);
                        return -ENOMEM;
                }
        }
        *ret = copy;
        return 0;
}

/* What is at @to is a fallback. */
static int copy_value(const ConfigItem *item, void *to, const void *from) {
        const char *unit;

        switch (item->type) {
        case CONFIG_BOOL:
                *(bool *) value_of(item, to) = *(bool *) value_of(item, from);
                return 0;
        case CONFIG_UNSIGNED:
                *(unsigned *) value_of(item, to) = *(unsigned *) value_of(item, from);
                return 0;
        case CONFIG_UNIT:
                unit = *(char **) value_of(item, from);
                return unit && !(*(char **) value_of(item, to) = strdup(unit)) ? -ENOMEM : 0;
        case CONFIG_STRINGS:
                return copy_strings(*(char ***) value_of(item, from), value_of(item, to));
        default:
                *(uint64_t *) value_of(item, to) = *(uint64_t *) value_of(item, from);
                return 0;
        }
}

static int check_range(const ConfigItem *item, uint64_t n) {
        return n >= item->least && n <= item->most ? 0 : -ERANGE;
}

/* 0, or what is wrong with the text: -EINVAL, -ERANGE; or -ENOMEM. The value is then as it was. */
static int set_value(const ConfigItem *item, void *config, const char *text) {
        void *value = value_of(item, config);
        char *unit;
        uint64_t n;
        int r;

        switch (item->type) {
        case CONFIG_BOOL:
                return config_value_bool(text, value);
        case CONFIG_UNIT:
                r = config_value_unit(text, &unit);
                if (r < 0)
                        return r;
                free(*(char **) value);
                *(char **) value = unit;
                return 0;
        case CONFIG_STRINGS:
                return config_value_strings(text, value);
        case CONFIG_UNSIGNED:
                r = config_value_number(text, &n);
                if (r >= 0)
                        r = check_range(item, n);
                if (r >= 0)
                        *(unsigned *) value = (unsigned) n;
                return r;
        case CONFIG_SHARE:
                r = config_value_percent(text, &n);
                if (r == -EINVAL)
                        r = config_value_size(text, &n);
                else if (r >= 0) {
                        *(uint64_t *) value = CONFIG_SHARE_PERCENT(n);
                        return 0;
                }
                if (r >= 0)
                        r = check_range(item, n);
                if (r >= 0)
                        *(uint64_t *) value = n;
                return r;
        case CONFIG_SIZE:
        case CONFIG_TIME:
                r = item->type == CONFIG_SIZE ? config_value_size(text, &n) : config_value_time(text, &n);
                if (r >= 0)
                        r = check_range(item, n);
                if (r >= 0)
                        *(uint64_t *) value = n;
                return r;
        default:
                assert(false);
                return -EINVAL;
        }
}

/* --- text */

/* Where in a file we are. */
typedef struct Place {
        const char *file;
        unsigned line;
        const char *section;  /* the table's; NULL before the first one and in one that is not known */
        bool in_section;
} Place;

static const char *find_section(const ConfigReading *r, const char *name) {
        for (const ConfigItem *item = r->items; item->key; item++)
                if (streq(item->section, name))
                        return item->section;
        return NULL;
}

static const ConfigItem *find_item(const ConfigReading *r, const char *section, const char *key) {
        for (const ConfigItem *item = r->items; item->key; item++)
                if (streq(item->section, section) && streq(item->key, key))
                        return item;
        return NULL;
}

static void report_value(ConfigReading *r, const Place *place, const ConfigItem *item, const char *text, int error) {
        static const char *const kinds[_CONFIG_TYPE_MAX] = {
                [CONFIG_BOOL] = "yes or no",
                [CONFIG_UNSIGNED] = "a number",
                [CONFIG_SIZE] = "a size in bytes (K, M or G may follow)",
                [CONFIG_SHARE] = "a size in bytes (K, M or G may follow) or a percentage of the host's memory",
                [CONFIG_TIME] = "a time span such as 500ms, 5s, 2min or 1h",
                [CONFIG_UNIT] = "the name of a unit",
                [CONFIG_STRINGS] = "printable UTF-8",
        };

        if (error == -EINVAL)
                report(r, place->file, place->line, "%s=%s is not %s, ignored", item->key, QUOTE(text), kinds[item->type]);
        else
                report(r, place->file, place->line, "%s=%s is out of range (%llu%s to %llu%s), ignored", item->key,
                       QUOTE(text), (unsigned long long) item->least / (item->type == CONFIG_TIME ? 1000 : 1),
                       item->type == CONFIG_TIME ? "ms" : "",
                       (unsigned long long) item->most / (item->type == CONFIG_TIME ? 1000 : 1),
                       item->type == CONFIG_TIME ? "ms" : "");
}

static int apply_assignment(ConfigReading *r, const Place *place, const char *key, const char *text) {
        const ConfigItem *item;
        ConfigSaid *said;
        int error = 0;

        if (!place->in_section) {
                report(r, place->file, place->line, "'%s' is in no section, ignored", QUOTE(key));
                return 0;
        }
        if (!place->section) /* the section was reported */
                return 0;
        item = find_item(r, place->section, key);
        if (!item) {
                report(r, place->file, place->line, "there is no key '%s' in section [%s], ignored", QUOTE(key),
                       place->section);
                return 0;
        }

        said = r->said + (item - r->items);
        if (*text == '\0')
                reset_item(item, r->config);
        else
                error = set_value(item, r->config, text);
        if (error == -ENOMEM)
                return error;
        if (error < 0)
                report_value(r, place, item, text, error);
        *said = error >= 0 ? CONFIG_SAID : MAX(*said, CONFIG_SAID_WRONG);
        return 0;
}

static char *strip(char *s) {
        char *end;

        s += strspn(s, " \t\r");
        for (end = s + strlen(s); end > s && strchr(" \t\r", end[-1]); end--)
                end[-1] = '\0';
        return s;
}

/* @line is changed. */
static int apply_line(ConfigReading *r, Place *place, char *line) {
        char *equals;

        line = strip(line);
        if (*line == '\0' || *line == '#' || *line == ';')
                return 0;

        if (*line == '[') {
                size_t length = strlen(line);

                place->section = NULL;
                place->in_section = true;
                if (line[length - 1] == ']') {
                        line[length - 1] = '\0';
                        place->section = find_section(r, line + 1);
                }
                if (!place->section)
                        report(r, place->file, place->line, "there is no section '%s', ignored up to the next one",
                               QUOTE(line + 1));
                return 0;
        }

        equals = strchr(line, '=');
        if (!equals) {
                report(r, place->file, place->line, "'%s' is neither a section nor an assignment, ignored", QUOTE(line));
                return 0;
        }
        *equals = '\0';
        return apply_assignment(r, place, strip(line), strip(equals + 1));
}

/* Nobody knows what would have been said. */
static void say_all_wrong(ConfigReading *r) {
        for (size_t i = 0; r->items[i].key; i++)
                r->said[i] = MAX(r->said[i], CONFIG_SAID_WRONG);
}

static void refuse_line(ConfigReading *r, Place *place, const char *line, size_t size, const char *why) {
        while (size > 1 && (*line == ' ' || *line == '\t'))
                line++, size--;
        if (*line == '#' || *line == ';')
                return;
        report(r, place->file, place->line, "%s, ignored", why);
        say_all_wrong(r);
        if (*line == '[') { /* what comes next is not of the former one */
                place->section = NULL;
                place->in_section = true;
        }
}

int config_read_text(ConfigReading *r, const char *file, const char *text, size_t size) {
        static const char bom[] = "\xef\xbb\xbf";
        Place place = { .file = file };
        char line[CONFIG_LINE_MAX + 1];
        size_t n;
        int error;

        if (size >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0)
                text += strlen(bom), size -= strlen(bom);

        for (; size > 0; text += n, size -= n) {
                const char *end = memchr(text, '\n', size);

                place.line++;
                n = end ? (size_t) (end - text) : size;
                if (n > CONFIG_LINE_MAX)
                        refuse_line(r, &place, text, n, "the line is too long");
                else if (memchr(text, '\0', n))
                        refuse_line(r, &place, text, n, "the line has a NUL byte in it");
                else {
                        memcpy(line, text, n);
                        line[n] = '\0';
                        error = apply_line(r, &place, line);
                        if (error < 0)
                                return error;
                }
                n += end ? 1 : 0;
        }
        return 0;
}

void config_read_failed(ConfigReading *r, const char *file, const char *why) {
        report(r, file, 0, "this can't be read: %s", why);
        say_all_wrong(r);
}

void config_reading_init(ConfigReading *ret, const ConfigItem *items, void *config, config_message_fn message, void *userdata) {
        *ret = (ConfigReading) { .items = items, .config = config, .message = message, .userdata = userdata };
        for (size_t i = 0; items[i].key; i++) {
                assert(i < CONFIG_ITEMS_MAX);
                set_fallback(items + i, config);
        }
}

int config_reading_end(ConfigReading *r, const void *former) {
        int error = 0;

        for (size_t i = 0; r->items[i].key && error >= 0; i++)
                if (r->said[i] == CONFIG_SAID_WRONG)
                        error = copy_value(r->items + i, r->config, former);
        return error;
}
