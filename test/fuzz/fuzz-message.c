/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "fuzz-message.h"

static int null_fd(Input *input) {
        static int fd = -EBADF;

        if (fd < 0)
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return fd;
}

int (*fuzz_fd)(Input *input) = null_fd;

/* What a fuzzer would look long for. */
static const char *const words[] = {
        "s",          "t",        "vm1",       "incoming",  "systemd",        "unknown-luod-a-1", "recovered-1",
        "",           "metadata", "auto-renew", "accept-write-seal", "drop-unclaimed", "deadline",      "force",
        "no-wait",    "carry",    "no-initrd", "update",    "block",          "delay",         "org.luod1.Manager",
        "org.luod1.Session", "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.Introspectable",
        "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Peer", "Name", "Files", "Metadata", "kho=on liveupdate=on",
        "root=/dev/vda", "key",   "../x",      "a/b",       ".hidden",        "\xc3\xa4",      "a\nb",
        "bind-unit",  "unit",     "charge",
};

static const char *keep(char *s) {
        static char *kept[8];
        static unsigned next;

        free(kept[next % 8]);
        return kept[next++ % 8] = s;
}

const char *fuzz_string(Input *input) {
        uint8_t what = input_u8(input);
        const uint8_t *bytes;
        size_t n;
        char *s;

        if (what < 0xc0)
                return words[what % ARRAY_SIZE(words)];
        if (what == 0xff) { /* long ones */
                n = (size_t) input_number(input, 2);
                s = malloc(n + 1);
                require(s);
                memset(s, 'x', n);
        } else {
                bytes = input_bytes(input, what - 0xc0U, &n);
                s = malloc(n + 1);
                require(s);
                if (n > 0)
                        memcpy(s, bytes, n);
        }
        s[n] = '\0';
        return keep(s);
}

/* The end of the first complete type, or NULL. */
static const char *type_end(const char *t) {
        switch (*t) {
        case 'a':
                return type_end(t + 1);
        case '(':
        case '{':
                for (t++; *t && *t != ')' && *t != '}';) {
                        t = type_end(t);
                        if (!t)
                                return NULL;
                }
                return *t ? t + 1 : NULL;
        case '\0':
        case ')':
        case '}':
                return NULL;
        default:
                return t + 1;
        }
}

static int append_types(sd_bus_message *m, const char *types, size_t n, Input *input, unsigned depth);

static int append_container(sd_bus_message *m, char kind, const char *types, size_t n, unsigned times, Input *input, unsigned depth) {
        char contents[256];
        int r;

        if (n >= sizeof(contents) || depth > 16)
                return -EINVAL;
        memcpy(contents, types, n);
        contents[n] = '\0';
        r = sd_bus_message_open_container(m, kind, contents);
        for (; r >= 0 && times > 0; times--)
                r = append_types(m, contents, n, input, depth + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_variant(sd_bus_message *m, Input *input, unsigned depth) {
        static const char *const types[] = { "s", "b", "t", "as", "a{say}", "u", "h", "ay", "v", "a{sv}", "i", "d", "(st)", "o", "x", "y" };
        const char *type = types[input_u8(input) % ARRAY_SIZE(types)];

        return append_container(m, 'v', type, strlen(type), 1, input, depth);
}

static int append_basic(sd_bus_message *m, char type, Input *input) {
        union {
                uint8_t y;
                int b, h;
                uint16_t n;
                uint32_t u;
                uint64_t t;
                double d;
        } v = {};
        int r;

        switch (type) {
        case 's':
        case 'o':
        case 'g': {
                const char *s = fuzz_string(input);

                r = sd_bus_message_append_basic(m, type, s);
                return r >= 0 ? r : sd_bus_message_append_basic(m, type, type == 'o' ? "/org/luod1" : type == 's' ? "?" : "s");
        }
        case 'y':
                v.y = input_u8(input);
                break;
        case 'b':
                v.b = input_u8(input) & 1;
                break;
        case 'n':
        case 'q':
                v.n = (uint16_t) input_number(input, 2);
                break;
        case 'i':
        case 'u':
                v.u = (uint32_t) input_number(input, 4);
                break;
        case 't':
        case 'x': /* mostly small ones, which are met again */
                v.t = input_u8(input);
                if (v.t >= 0xf0)
                        v.t = input_number(input, 8);
                else
                        v.t %= 8;
                break;
        case 'd':
                v.t = input_number(input, 8);
                break;
        case 'h':
                v.h = fuzz_fd(input);
                break;
        default:
                return -EINVAL;
        }
        return sd_bus_message_append_basic(m, type, &v);
}

static int append_types(sd_bus_message *m, const char *types, size_t n, Input *input, unsigned depth) {
        const char *end = types + n;

        while (types < end) {
                const char *next = type_end(types);
                int r;

                if (!next || next > end)
                        return -EINVAL;
                if (*types == 'a') {
                        unsigned times = input_u8(input);

                        times = times < 0xf0 ? times % 4 : times - 0xf0U + 12;
                        if (input->size == 0)
                                times = MIN(times, 1U);
                        r = append_container(m, 'a', types + 1, (size_t) (next - types) - 1, times, input, depth);
                } else if (*types == '(' || *types == '{')
                        r = append_container(m, *types == '(' ? 'r' : 'e', types + 1, (size_t) (next - types) - 2, 1, input, depth);
                else if (*types == 'v')
                        r = append_variant(m, input, depth);
                else
                        r = append_basic(m, *types, input);
                if (r < 0)
                        return r;
                types = next;
        }
        return 0;
}

int fuzz_append(sd_bus_message *m, const char *signature, Input *input) {
        return append_types(m, signature, strlen(signature), input, 0);
}
