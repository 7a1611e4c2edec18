/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

/* Holds dbus/org.luod1.xml, which people read, equal to what the daemon says of itself. Both are boiled down to
 * one line for each member, sorted; annotations and comments do not count. */

#define MEMBERS_MAX 128U

typedef struct Members {
        char *lines[MEMBERS_MAX];
        size_t n;
} Members;

static const char *xml_path;

static void members_done(Members *m) {
        for (size_t i = 0; i < m->n; i++)
                free(m->lines[i]);
        m->n = 0;
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The value of an attribute within a tag ("" if there is none). */
static void attribute(const char *tag, size_t size, const char *name, char ret[static 128]) {
        char pattern[32];
        const char *p, *end;

        ret[0] = '\0';
        (void) snprintf(pattern, sizeof(pattern), " %s=\"", name);
        p = memmem(tag, size, pattern, strlen(pattern));
        if (!p)
                return;
        p += strlen(pattern);
        end = memchr(p, '"', size - (size_t) (p - tag));
        assert_non_null(end);
        (void) snprintf(ret, 128, "%.*s", (int) (end - p), p);
}

static bool tag_is(const char *tag, const char *name) {
        size_t n = strlen(name);

        return strncmp(tag, name, n) == 0 && strchr(" />\n", tag[n]);
}

static void _printf_(2, 3) append(char **line, const char *format, ...) {
        char *longer, text[512];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        assert_true(asprintf(&longer, "%s%s", *line, text) >= 0);
        free(*line);
        *line = longer;
}

/* One tag; @interface is the one that it is in. */
static void read_tag(Members *m, const char *tag, size_t size, char interface[static 128]) {
        char name[128], type[128], direction[128], access[128];

        attribute(tag, size, "name", name);
        attribute(tag, size, "type", type);
        attribute(tag, size, "direction", direction);
        attribute(tag, size, "access", access);
        if (tag_is(tag, "interface"))
                (void) strcpy(interface, name);
        if (strncmp(interface, LUOD_BUS_NAME, strlen(LUOD_BUS_NAME)) != 0)
                return;

        if (tag_is(tag, "method") || tag_is(tag, "signal") || tag_is(tag, "property")) {
                assert_true(m->n < MEMBERS_MAX);
                assert_true(asprintf(&m->lines[m->n++], "%s %.*s %s", interface, (int) strcspn(tag, " "), tag, name) >= 0);
        }
        if (tag_is(tag, "property"))
                append(&m->lines[m->n - 1], " %s %s", type, access);
        if (tag_is(tag, "arg"))
                append(&m->lines[m->n - 1], " (%s %s %s)", direction, type, name);
}

static void read_xml(Members *m, const char *text) {
        char interface[128] = "";

        for (const char *p = text; (p = strchr(p, '<')); p++) {
                const char *end;

                if (strncmp(p, "<!--", 4) == 0) {
                        p = strstr(p, "-->");
                        assert_non_null(p);
                        continue;
                }
                end = strchr(p, '>');
                assert_non_null(end);
                if (strncmp(p, "</interface", 11) == 0)
                        interface[0] = '\0';
                else
                        read_tag(m, p + 1, (size_t) (end - p - 1), interface);
        }
        qsort(m->lines, m->n, sizeof(char *), compare_lines);
}

static void introspect(World *w, const char *path, char **ret) {
        sd_bus_message *reply = NULL;
        const char *text;

        assert_success(w, world_call(w, OTHER, path, "org.freedesktop.DBus.Introspectable", "Introspect", &reply, NULL));
        assert_true(sd_bus_message_read(reply, "s", &text) > 0);
        *ret = strdup(text);
        sd_bus_message_unref(reply);
}

static void test_documented_interface_is_the_live_one(void **state) {
        World *w = *state;
        _cleanup_free_ char *manager = NULL, *session = NULL, *both = NULL, *written = NULL;
        Members live = {}, documented = {};

        assert_success(w, create(w, OTHER, "vm1"));
        introspect(w, LUOD_OBJECT_PATH, &manager);
        introspect(w, LUOD_SESSION_PATH_PREFIX "/vm1", &session);
        assert_true(asprintf(&both, "%s\n%s", manager, session) >= 0);
        assert_int_equal(read_small_file(xml_path, &written), 0);
        read_xml(&live, both);
        read_xml(&documented, written);

        for (size_t i = 0; i < live.n && i < documented.n; i++)
                assert_string_equal(live.lines[i], documented.lines[i]);
        assert_int_equal(live.n, documented.n);
        assert_true(live.n > 20);
        members_done(&live);
        members_done(&documented);
}

static void test_sessions_are_found_by_walking_the_tree(void **state) {
        World *w = *state;
        _cleanup_free_ char *root = NULL, *node = NULL;

        assert_success(w, create(w, OTHER, "mine"));
        assert_success(w, create(w, ROOT, "theirs"));
        introspect(w, LUOD_OBJECT_PATH, &root);
        assert_non_null(strstr(root, "<node name=\"session\""));
        assert_non_null(strstr(root, "org.freedesktop.DBus.ObjectManager"));
        introspect(w, LUOD_SESSION_PATH_PREFIX, &node);
        assert_non_null(strstr(node, "<node name=\"mine\""));
        assert_null(strstr(node, "theirs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                TEST(test_documented_interface_is_the_live_one),
                TEST(test_sessions_are_found_by_walking_the_tree),
        };

        if (argc < 2) {
                fprintf(stderr, "usage: %s XML\n", argv[0]);
                return EXIT_FAILURE;
        }
        xml_path = argv[1];
        world_require();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
