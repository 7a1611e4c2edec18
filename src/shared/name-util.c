/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <ctype.h>

#include "macro.h"
#include "name-util.h"

/* Decodes one UTF-8 character. Returns its length, or 0 if the bytes are none (overlong forms, surrogates and
 * what lies beyond U+10FFFF included). */
static size_t utf8_decode(const unsigned char *s, uint32_t *ret) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        uint32_t c;
        size_t n;

        if (s[0] < 0x80)
                n = 1, c = s[0];
        else if ((s[0] & 0xe0) == 0xc0)
                n = 2, c = s[0] & 0x1f;
        else if ((s[0] & 0xf0) == 0xe0)
                n = 3, c = s[0] & 0x0f;
        else if ((s[0] & 0xf8) == 0xf0)
                n = 4, c = s[0] & 0x07;
        else
                return 0;

        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80) /* the NUL at the end stops here, too */
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }

        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;

        *ret = c;
        return n;
}

bool is_printable_utf8(const char *s) {
        const unsigned char *p = (const unsigned char *) s;

        while (*p) {
                uint32_t c;
                size_t n = utf8_decode(p, &c);

                if (n == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
                        return false;
                p += n;
        }

        return true;
}

char *utf8_mend(char *text) {
        unsigned char *from = (unsigned char *) text, *to = from;

        while (*from) {
                uint32_t c;
                size_t n = utf8_decode(from, &c);

                (void) memmove(to, from, n);
                to += n;
                from += MAX(n, (size_t) 1);
        }
        *to = '\0';
        return text;
}

bool session_name_is_valid(const char *name) {
        return name && name[0] != '\0' && name[0] != '.' && strnlen(name, NAME_LENGTH_MAX + 1) <= NAME_LENGTH_MAX &&
               !strchr(name, '/') && !streq(name, "systemd") && strncmp(name, "unknown-", 8) != 0 &&
               strncmp(name, "recovered-", 10) != 0 && is_printable_utf8(name);
}

bool label_is_valid(const char *label) {
        return label && strnlen(label, LABEL_LENGTH_MAX + 1) <= LABEL_LENGTH_MAX && is_printable_utf8(label);
}

bool metadata_key_is_valid(const char *key) {
        return key && key[0] != '\0' && strnlen(key, METADATA_KEY_MAX + 1) <= METADATA_KEY_MAX &&
               is_printable_utf8(key);
}

void kernel_name_format(char series, uint32_t number, char ret[static KERNEL_NAME_SIZE]) {
        assert(series == 'a' || series == 'b');
        (void) snprintf(ret, KERNEL_NAME_SIZE, "luod-%c-%u", series, number);
}

bool kernel_name_parse(const char *name, char *ret_series, uint32_t *ret_number) {
        uint32_t number = 0;
        const char *digits;

        if (strncmp(name, "luod-", 5) != 0 || (name[5] != 'a' && name[5] != 'b') || name[6] != '-')
                return false;

        digits = name + 7;
        if (!isdigit((unsigned char) digits[0]) || (digits[0] == '0' && digits[1] != '\0'))
                return false;
        for (const char *p = digits; *p; p++) {
                if (!isdigit((unsigned char) *p) || p - digits >= 5)
                        return false;
                number = number * 10 + (uint32_t) (*p - '0');
        }
        if (number >= PART_NUMBER_END)
                return false;

        if (ret_series)
                *ret_series = name[5];
        if (ret_number)
                *ret_number = number;
        return true;
}
