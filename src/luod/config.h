/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* luod.conf(5). What stands in the files becomes a struct by a table, so that a further key is a field and a line of the
 * table. This module only looks at text and reports through a callback; config-file.c reads the files. */

typedef struct Config {
        /* [Limits] */
        unsigned sessions_per_user, sessions;
        unsigned files_per_user, files;
        unsigned parts_per_user, parts;
        uint64_t metadata_per_user, metadata; /* bytes */
        uint64_t kept_per_user, kept;  /* bytes, or a share: config_share_of() */
        unsigned locks_per_user, locks;
        unsigned calls_per_user, calls;
        unsigned fds_per_user, fds;
        uint64_t memory_reserve;       /* bytes */
        /* [Update] */
        uint64_t prepare_timeout;      /* usec */
        bool protect_reboot;
        /* [Device] */
        uint64_t busy_timeout;         /* usec */
        /* [Restore], see restored.h */
        char *on_restored;
        char *on_claimed;
        char *on_finished;
        char *on_impaired;
        /* [Report] */
        unsigned report_keep;
} Config;

typedef enum ConfigType {
        CONFIG_BOOL,     /* bool */
        CONFIG_UNSIGNED, /* unsigned */
        CONFIG_SIZE,     /* uint64_t, bytes */
        CONFIG_SHARE,    /* uint64_t, bytes, or a share of what there is: see config_share_of() */
        CONFIG_TIME,     /* uint64_t, usec; UINT64_MAX: for ever */
        CONFIG_UNIT,     /* char *, owned; NULL if none is set */
        CONFIG_STRINGS,  /* char **, owned; NULL if none is set. Further lines add to it. */
        _CONFIG_TYPE_MAX,
        _CONFIG_TYPE_INVALID = -EINVAL,
} ConfigType;

typedef struct ConfigItem {
        const char *section, *key;
        ConfigType type;
        size_t offset;                  /* in the struct */
        uint64_t fallback;              /* what holds when it is not set; of CONFIG_UNIT and CONFIG_STRINGS NULL does */
        uint64_t least, most;           /* CONFIG_UNSIGNED, CONFIG_SIZE, CONFIG_SHARE, CONFIG_TIME */
} ConfigItem;

/* The table of Config; ends with an item without a key. */
extern const ConfigItem config_items[];
#define CONFIG_ITEMS_MAX 64U

/* A CONFIG_SHARE that is @percent of what there is, and how much a CONFIG_SHARE is of @all. */
#define CONFIG_SHARE_PERCENT(percent) ((1ULL << 63) | (percent))
uint64_t config_share_of(uint64_t share, uint64_t all);

/* A message for the admin: printable UTF-8 that begins with "FILE:LINE: " or "FILE: ". */
typedef void (*config_message_fn)(const char *message, void *userdata);

/* What the files say, one after the other. */
typedef enum ConfigSaid {
        CONFIG_SAID_NOTHING,
        CONFIG_SAID_WRONG,  /* all that was said of it was wrong */
        CONFIG_SAID,        /* a value, or by an empty one that the fallback holds */
} ConfigSaid;

typedef struct ConfigReading {
        const ConfigItem *items;
        void *config;                     /* the struct; borrowed */
        ConfigSaid said[CONFIG_ITEMS_MAX];
        config_message_fn message;
        void *userdata;
        unsigned n_messages;
} ConfigReading;

/* What holds without any file. */
void config_set_defaults(Config *ret);

/* Begins: everything in @config, in which nothing is freed, becomes its fallback. */
void config_reading_init(ConfigReading *ret,
                         const ConfigItem *items,
                         void *config,
                         config_message_fn message,
                         void *userdata);
/* Applies one file's content, any bytes whatever; @file is for messages. What is wrong is reported and left out, and the
 * value that was there before stays. 0 or -ENOMEM. */
int config_read_text(ConfigReading *reading, const char *file, const char *text, size_t size);
/* A file could not be looked into: it is as if it had said something wrong of each key. */
void config_read_failed(ConfigReading *reading, const char *file, const char *why);
/* Ends: of what only wrong things were said, the value in @former holds. 0 or -ENOMEM. */
int config_reading_end(ConfigReading *reading, const void *former);

/* Frees what the struct owns; all becomes the fallback. */
void config_reset(const ConfigItem *items, void *config);

/* Messages as a list: config_messages_add() is a config_message_fn. One that there is no memory for is left out. */
typedef struct ConfigMessages {
        char **items; /* ends with NULL; NULL if there are none */
        size_t n_items;
} ConfigMessages;
void config_messages_add(const char *message, void *messages);
void config_messages_done(ConfigMessages *messages);
