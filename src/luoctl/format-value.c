/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <pwd.h>
#include <time.h>

#include "format-value.h"
#include "macro.h"

const char *format_bytes(char buffer[static FORMAT_BYTES_MAX], uint64_t bytes) {
        static const char units[] = "BKMGTPE";
        uint64_t tenths;
        unsigned u = 0;

        if (bytes < 1024) {
                snprintf(buffer, FORMAT_BYTES_MAX, "%" PRIu64 "B", bytes);
                return buffer;
        }

        /* Down to at most 1024 * 1024 first: below, times ten can't overflow. */
        while (bytes >= UINT64_C(1024) * 1024) {
                bytes = bytes / 1024 + (bytes % 1024 >= 512);
                u++;
        }
        tenths = (bytes * 10 + 512) / 1024;
        u++;
        if (tenths >= 10240) { /* rounding made it a whole one of the next unit */
                tenths = 10;
                u++;
        }

        if (tenths % 10 == 0)
                snprintf(buffer, FORMAT_BYTES_MAX, "%" PRIu64 "%c", tenths / 10, units[u]);
        else
                snprintf(buffer, FORMAT_BYTES_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
                         units[u]);
        return buffer;
}

const char *format_size(char buffer[static FORMAT_BYTES_MAX], uint64_t bytes, bool exact) {
        if (!exact)
                return format_bytes(buffer, bytes);

        snprintf(buffer, FORMAT_BYTES_MAX, "%" PRIu64, bytes);
        return buffer;
}

static void format_seconds(char *buffer, size_t size, uint64_t seconds) {
        static const struct {
                const char *name;
                uint64_t seconds;
        } units[] = {
                { "y", UINT64_C(365) * 24 * 3600 },
                { "d", 24 * 3600 },
                { "h", 3600 },
                { "min", 60 },
                { "s", 1 },
        };
        size_t i = 0;
        uint64_t rest;

        while (i + 1 < ARRAY_SIZE(units) && seconds < units[i].seconds)
                i++;

        rest = seconds % units[i].seconds;
        if (i + 1 < ARRAY_SIZE(units) && rest >= units[i + 1].seconds)
                snprintf(buffer, size, "%" PRIu64 "%s %" PRIu64 "%s", seconds / units[i].seconds,
                         units[i].name, rest / units[i + 1].seconds, units[i + 1].name);
        else
                snprintf(buffer, size, "%" PRIu64 "%s", seconds / units[i].seconds, units[i].name);
}

const char *format_age(char buffer[static FORMAT_AGE_MAX], uint64_t now, uint64_t then) {
        uint64_t distance = now > then ? now - then : then - now;
        char span[FORMAT_AGE_MAX - 8];

        if (distance < USEC_PER_SEC) {
                snprintf(buffer, FORMAT_AGE_MAX, "just now");
                return buffer;
        }

        format_seconds(span, sizeof(span), distance / USEC_PER_SEC);
        snprintf(buffer, FORMAT_AGE_MAX, now > then ? "%s ago" : "in %s", span);
        return buffer;
}

const char *format_span(char buffer[static FORMAT_SPAN_MAX], uint64_t usec) {
        uint64_t tenths = (usec + USEC_PER_SEC / 20) / (USEC_PER_SEC / 10);

        if (usec == 0)
                snprintf(buffer, FORMAT_SPAN_MAX, "0s");
        else if (usec < 1000)
                snprintf(buffer, FORMAT_SPAN_MAX, "%" PRIu64 "us", usec);
        else if (usec < USEC_PER_SEC)
                snprintf(buffer, FORMAT_SPAN_MAX, "%" PRIu64 "ms", usec / 1000);
        else if (tenths < 600 && tenths % 10 == 0)
                snprintf(buffer, FORMAT_SPAN_MAX, "%" PRIu64 "s", tenths / 10);
        else if (tenths < 600)
                snprintf(buffer, FORMAT_SPAN_MAX, "%" PRIu64 ".%" PRIu64 "s", tenths / 10, tenths % 10);
        else
                format_seconds(buffer, FORMAT_SPAN_MAX, (usec + USEC_PER_SEC / 2) / USEC_PER_SEC);
        return buffer;
}

const char *format_time(char buffer[static FORMAT_TIME_MAX], uint64_t usec) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) ||
            strftime(buffer, FORMAT_TIME_MAX, "%Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                snprintf(buffer, FORMAT_TIME_MAX, "%" PRIu64 "us", usec);
        return buffer;
}

const char *format_user(char buffer[static FORMAT_USER_MAX], uint32_t uid) {
        const struct passwd *pw = getpwuid(uid);

        if (pw)
                snprintf(buffer, FORMAT_USER_MAX, "%s", pw->pw_name);
        else
                snprintf(buffer, FORMAT_USER_MAX, "%" PRIu32, uid);
        return buffer;
}

uint64_t now_realtime(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}
