/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <wchar.h>

#include "macro.h"
#include "text.h"

#define ELLIPSIS "…"

/* One character of at most @size bytes; returns its length, or 0 if it is not well-formed UTF-8 (overlong
 * forms, surrogates and what is beyond U+10FFFF included). */
static size_t decode(const unsigned char *s, size_t size, uint32_t *ret) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        uint32_t c;
        size_t n;

        if (size == 0)
                return 0;
        if (s[0] < 0x80) {
                *ret = s[0];
                return 1;
        }

        if ((s[0] & 0xe0) == 0xc0)
                n = 2;
        else if ((s[0] & 0xf0) == 0xe0)
                n = 3;
        else if ((s[0] & 0xf8) == 0xf0)
                n = 4;
        else
                return 0;
        if (n > size)
                return 0;

        c = s[0] & (0xffU >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fU);
        }
        if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;

        *ret = c;
        return n;
}

bool text_is_utf8(const void *data, size_t size) {
        const unsigned char *s = data;
        uint32_t c;

        while (size > 0) {
                size_t n = decode(s, size, &c);

                if (n == 0)
                        return false;
                s += n;
                size -= n;
        }

        return true;
}

/* Characters that would let foreign text move the cursor, break the line, or show other than it reads. */
static bool is_harmful(uint32_t c) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                { 0x0000, 0x001f }, /* C0 */
                { 0x007f, 0x009f }, /* DEL, C1 */
                { 0x061c, 0x061c }, /* Arabic letter mark */
                { 0x200b, 0x200f }, /* zero width, direction marks */
                { 0x2028, 0x202e }, /* line and paragraph separator, direction overrides */
                { 0x2066, 0x2069 }, /* direction isolates */
                { 0xfeff, 0xfeff }, /* zero width no-break space */
        };

        for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

static void escape_character(FILE *f, uint32_t c) {
        switch (c) {
        case '\n':
                fputs("\\n", f);
                break;
        case '\t':
                fputs("\\t", f);
                break;
        case '\r':
                fputs("\\r", f);
                break;
        default:
                fprintf(f, c < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned) c);
        }
}

int text_escape(const void *data, size_t size, char **ret) {
        const unsigned char *s = data;
        char *buffer = NULL;
        size_t length;
        FILE *f;

        f = open_memstream(&buffer, &length);
        if (!f)
                return -ENOMEM;

        while (size > 0) {
                uint32_t c = 0;
                size_t n = decode(s, size, &c);

                if (n == 0) {
                        fprintf(f, "\\x%02x", s[0]);
                        n = 1;
                } else if (is_harmful(c))
                        escape_character(f, c);
                else
                        fwrite(s, 1, n, f);
                s += n;
                size -= n;
        }

        if (fclose(f) != 0) {
                free(buffer);
                return -ENOMEM;
        }
        *ret = buffer;
        return 0;
}

int text_escape_json(const char *json, char **ret) {
        const unsigned char *s = (const unsigned char *) json;
        size_t size = strlen(json), length, n;
        char *buffer = NULL;
        FILE *f;

        f = open_memstream(&buffer, &length);
        if (!f)
                return -ENOMEM;

        for (; size > 0; s += n, size -= n) {
                uint32_t c = 0;

                n = decode(s, size, &c);
                if (n > 0 && c != '\n' && is_harmful(c)) /* all below U+10000, so one \u is enough */
                        fprintf(f, "\\u%04x", (unsigned) c);
                else
                        fwrite(s, 1, MAX(n, (size_t) 1), f);
                n = MAX(n, (size_t) 1);
        }

        if (fclose(f) != 0) {
                free(buffer);
                return -ENOMEM;
        }
        *ret = buffer;
        return 0;
}

/* What is not a character counts as one column for each byte: it is never printed without text_escape(). */
static size_t character_width(const char *s, size_t size, size_t *ret_length) {
        uint32_t c = 0;
        size_t n = decode((const unsigned char *) s, size, &c);
        int width;

        *ret_length = n > 0 ? n : 1;
        if (n == 0)
                return 1;

        width = wcwidth((wchar_t) c);
        return width < 0 ? 1 : (size_t) width;
}

size_t text_width(const char *text) {
        size_t size = strlen(text), width = 0, n;

        for (; size > 0; text += n, size -= n)
                width += character_width(text, size, &n);

        return width;
}

int text_ellipsize(const char *text, size_t width, char **ret) {
        size_t size = strlen(text), kept = 0, used = 0;
        char *result;

        if (text_width(text) <= width) {
                result = strdup(text);
                if (!result)
                        return -ENOMEM;
                *ret = result;
                return 0;
        }

        while (kept < size && width > 0) {
                size_t n, w;

                w = character_width(text + kept, size - kept, &n);
                if (used + w > width - 1) /* one for the ellipsis */
                        break;
                used += w;
                kept += n;
        }

        if (asprintf(&result, "%.*s%s", (int) kept, text, width > 0 ? ELLIPSIS : "") < 0)
                return -ENOMEM;
        *ret = result;
        return 0;
}

int text_shorten(const char *text, size_t max, char **ret) {
        static const char ellipsis[] = "…";
        char *escaped;
        size_t n;

        if (text_escape(text, strlen(text), &escaped) < 0)
                return -ENOMEM;
        if (strlen(escaped) > max) {
                bool shown = max >= strlen(ellipsis);

                n = shown ? max - strlen(ellipsis) : max;
                while (n > 0 && ((unsigned char) escaped[n] & 0xc0) == 0x80) /* not within a character */
                        n--;
                escaped[n] = '\0';
                if (shown)
                        memcpy(escaped + n, ellipsis, sizeof(ellipsis));
        }
        *ret = escaped;
        return 0;
}
