/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "build-config.h"
#include "config-file.h"
#include "config-value.h"
#include "luod-limits.h"
#include "macro.h"

/* A table with all types, for what luod's own has no key of yet. */
typedef struct Sample {
        bool b;
        unsigned u;
        uint64_t size, span;
        char *unit;
        char **strings;
} Sample;

static const ConfigItem sample_items[] = {
        { "A", "Bool", CONFIG_BOOL, offsetof(Sample, b), 1, 0, 0 },
        { "A", "Unsigned", CONFIG_UNSIGNED, offsetof(Sample, u), 7, 2, 100 },
        { "A", "Size", CONFIG_SIZE, offsetof(Sample, size), 1024, 0, UINT64_MAX },
        { "A", "Time", CONFIG_TIME, offsetof(Sample, span), 5000000, 1000, UINT64_MAX },
        { "B", "Unit", CONFIG_UNIT, offsetof(Sample, unit), 0, 0, 0 },
        { "B", "Strings", CONFIG_STRINGS, offsetof(Sample, strings), 0, 0, 0 },
        { "B", "Bool", CONFIG_BOOL, offsetof(Sample, b), 1, 0, 0 }, /* the same name in another section */
        {},
};

static ConfigMessages messages;

static int clear_messages(void **state) {
        config_messages_done(&messages);
        return 0;
}

static const char *join_messages(void) {
        static char text[65536];

        text[0] = '\0';
        for (size_t i = 0; i < messages.n_items; i++) {
                assert_true(strlen(text) + strlen(messages.items[i]) + 2 < sizeof(text));
                (void) strcat(strcat(text, messages.items[i]), "\n");
        }
        return text;
}

/* As if @text were all there is. */
static Sample read_sample(const char *text, size_t size) {
        ConfigReading reading;
        Sample s;

        config_messages_done(&messages);
        config_reading_init(&reading, sample_items, &s, config_messages_add, &messages);
        assert_int_equal(config_read_text(&reading, "x.conf", text, size), 0);
        return s;
}

static void sample_done(Sample *s) {
        config_reset(sample_items, s);
}

/* --- values */

static void test_values_are_what_is_written(void **state) {
        static const struct {
                const char *text;
                uint64_t size, usec; /* 1: it is none */
        } rows[] = {
                { "0", 0, 0 },
                { "10", 10, 10000000 },
                { "007", 7, 7000000 },
                { "1K", 1024, 1 },
                { "3M", 3 << 20, 1 },
                { "2G", 2ULL << 30, 1 },
                { "10s", 1, 10000000 },
                { "10 s", 1, 10000000 },
                { "100ms", 1, 100000 },
                { "2min", 1, 120000000 },
                { "1h", 1, 3600000000 },
                { "1min 30s", 1, 90000000 },
                { "1min30s", 1, 90000000 },
                { "1h 1min 1s 1ms", 1, 3661001000 },
                { "infinity", 1, UINT64_MAX },
                { "18446744073709551615", UINT64_MAX, 1 },
                { "18446744073709551616", 1, 1 },
                { "99999999999999999999999999999999999999999999", 1, 1 },
                { "17179869183G", 17179869183ULL << 30, 1 },
                { "17179869184G", 1, 1 },
                { "18446744073709552s", 1, 1 },
                { "18446744073709s 551ms", 1, 18446744073709551000ULL },
                { "18446744073709s 552ms", 1, 1 },
                { "-1", 1, 1 },
                { "+1", 1, 1 },
                { "0x10", 1, 1 },
                { "1.5", 1, 1 },
                { "1k", 1, 1 },
                { "1KB", 1, 1 },
                { "1 K", 1, 1 },
                { "K", 1, 1 },
                { "s", 1, 1 },
                { "1 s s", 1, 1 },
                { "1d", 1, 1 },
                { "Infinity", 1, 1 },
                { "infinity 1s", 1, 1 },
                { "\xd9\xa1", 1, 1 }, /* a digit, but not ours */
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                uint64_t n = 1;
                int r;

                r = config_value_size(rows[i].text, &n);
                assert_true(r >= 0 || r == -EINVAL || r == -ERANGE);
                if (n != rows[i].size || (r < 0) != (n == 1))
                        fail_msg("'%s' as a size is %llu", rows[i].text, (unsigned long long) n);
                n = 1;
                r = config_value_time(rows[i].text, &n);
                assert_true(r >= 0 || r == -EINVAL || r == -ERANGE);
                if (n != rows[i].usec || (r < 0) != (n == 1))
                        fail_msg("'%s' as a time is %llu", rows[i].text, (unsigned long long) n);
        }
}

static void test_units_have_a_name_and_a_type(void **state) {
        static const char *const good[] = { "a.service", "a-b\\x2dc.mount", "vm@1.service", "a.b.socket", "-.slice" };
        static const char *const bad[] = { "", "a", ".service", "a.", "a.servic", "a.service ", "a/b.service", "@x.service", "\xff.service" };
        char *unit, huge[300];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(config_value_unit(good[i], &unit), 0);
                assert_string_equal(unit, good[i]);
                free(unit);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(config_value_unit(bad[i], &unit), -EINVAL);
        (void) memset(huge, 'a', sizeof(huge));
        (void) strcpy(huge + sizeof(huge) - 10, ".service");
        assert_int_equal(config_value_unit(huge, &unit), -EINVAL);
}

static void test_a_file_sets_all_types(void **state) {
        static const char text[] = "\xef\xbb\xbf# comment with any bytes \xff\xfe\n; another\n\n"
                                   "[A]\nBool=no\r\n  Unsigned \t = 100  \nSize=2K\nTime=1min 1s\n"
                                   "[B]\nBool=on\nUnit=vm.service\nStrings=one  two\nStrings=Gr\xc3\xb6\xc3\x9f"
                                   "e\n[A]\nBool=1";
        _cleanup_(sample_done) Sample s = read_sample(text, strlen(text));

        assert_string_equal(join_messages(), "");
        assert_true(s.b);
        assert_int_equal(s.u, 100);
        assert_int_equal(s.size, 2048);
        assert_int_equal(s.span, 61000000);
        assert_string_equal(s.unit, "vm.service");
        assert_string_equal(s.strings[0], "one");
        assert_string_equal(s.strings[1], "two");
        assert_string_equal(s.strings[2], "Größe");
        assert_null(s.strings[3]);
}

static void test_an_empty_value_goes_back_to_the_default(void **state) {
        static const char text[] = "[A]\nBool=no\nBool=\nUnsigned=9\nUnsigned=\nTime=1s\nTime = \n"
                                   "[B]\nUnit=a.service\nUnit=\nStrings=a b\nStrings=\nStrings=c\n";
        _cleanup_(sample_done) Sample s = read_sample(text, strlen(text));

        assert_string_equal(join_messages(), "");
        assert_true(s.b);
        assert_int_equal(s.u, 7);
        assert_int_equal(s.span, 5000000);
        assert_null(s.unit);
        assert_string_equal(s.strings[0], "c");
        assert_null(s.strings[1]);
}

/* Each is named with its line, and all that is around it counts. */
static void test_what_is_wrong_is_named_and_left_out(void **state) {
        static const struct {
                const char *line, *message;
        } rows[] = {
                { "Unsigned=many", "x.conf:3: Unsigned=many is not a number, ignored\n" },
                { "Unsigned=-1", "x.conf:3: Unsigned=-1 is not a number, ignored\n" },
                { "Unsigned=1", "x.conf:3: Unsigned=1 is out of range (2 to 100), ignored\n" },
                { "Unsigned=101", "x.conf:3: Unsigned=101 is out of range (2 to 100), ignored\n" },
                { "Unsigned=4294967298", "x.conf:3: Unsigned=4294967298 is out of range (2 to 100), ignored\n" },
                { "Unsigned=18446744073709551618", "x.conf:3: Unsigned=18446744073709551618 is out of range (2 to 100), ignored\n" },
                { "Unsigned=8 # no comment", "x.conf:3: Unsigned=8 # no comment is not a number, ignored\n" },
                { "Bool=maybe", "x.conf:3: Bool=maybe is not yes or no, ignored\n" },
                { "Size=1X", "x.conf:3: Size=1X is not a size in bytes (K, M or G may follow), ignored\n" },
                { "Time=1fortnight", "x.conf:3: Time=1fortnight is not a time span such as 500ms, 5s, 2min or 1h, ignored\n" },
                { "Time=0", "x.conf:3: Time=0 is out of range (1ms to 18446744073709551ms), ignored\n" },
                { "unsigned=8", "x.conf:3: there is no key 'unsigned' in section [A], ignored\n" },
                { "Unit=a.service", "x.conf:3: there is no key 'Unit' in section [A], ignored\n" },
                { "Nonsense=", "x.conf:3: there is no key 'Nonsense' in section [A], ignored\n" },
                { "=8", "x.conf:3: there is no key '' in section [A], ignored\n" },
                { "Unsigned", "x.conf:3: 'Unsigned' is neither a section nor an assignment, ignored\n" },
                { "Unsigned=\xff\x1b[2J", "x.conf:3: Unsigned=\\xff\\x1b[2J is not a number, ignored\n" },
                { "\xc3=8", "x.conf:3: there is no key '\\xc3' in section [A], ignored\n" },
                { "[C]\nUnsigned=9\nX=y\n[A]", "x.conf:3: there is no section 'C', ignored up to the next one\n" },
                { "[A\nUnsigned=9\n[A]", "x.conf:3: there is no section 'A', ignored up to the next one\n" },
                { "[]\n[A]", "x.conf:3: there is no section '', ignored up to the next one\n" },
                { "[\n[A]", "x.conf:3: there is no section '', ignored up to the next one\n" },
                { "[ A ]\n[A]", "x.conf:3: there is no section ' A ', ignored up to the next one\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char text[512];

                (void) snprintf(text, sizeof(text), "[A]\nUnsigned=42\n%s\nSize=5\n", rows[i].line);
                _cleanup_(sample_done) Sample s = read_sample(text, strlen(text));

                assert_string_equal(join_messages(), rows[i].message);
                assert_int_equal(s.u, 42);
                assert_int_equal(s.size, 5);
                assert_true(s.b);
        }
}

static void test_assignments_need_a_section(void **state) {
        static const char text[] = "Unsigned=9\n[A]\nSize=5\n";
        _cleanup_(sample_done) Sample s = read_sample(text, strlen(text));

        assert_string_equal(join_messages(), "x.conf:1: 'Unsigned' is in no section, ignored\n");
        assert_int_equal(s.u, 7);
        assert_int_equal(s.size, 5);
}

static void test_lines_that_cannot_be_read_are_named(void **state) {
        static const char nul[] = "[A]\nUnsigned=4\0002\nSize=5\n[B\0]\nBool=yes\n# \0\n";
        char *text = malloc(3 * CONFIG_LINE_MAX);
        Sample s = read_sample(nul, sizeof(nul) - 1);

        assert_non_null(text);
        assert_string_equal(join_messages(), "x.conf:2: the line has a NUL byte in it, ignored\n"
                                             "x.conf:4: the line has a NUL byte in it, ignored\n");
        assert_int_equal(s.u, 7);
        assert_int_equal(s.size, 5);
        assert_true(s.b);
        sample_done(&s);

        (void) memset(text, 'x', 3 * CONFIG_LINE_MAX);
        memcpy(text, "[A]\nUnsigned=", 13);
        memcpy(text + 2 * CONFIG_LINE_MAX, "\nSize=5\n#", 9);
        s = read_sample(text, 3 * CONFIG_LINE_MAX);
        assert_string_equal(join_messages(), "x.conf:2: the line is too long, ignored\n");
        assert_int_equal(s.size, 5);
        sample_done(&s);

        memcpy(text, "[A]\nUnsigned=", 13);
        text[4 + CONFIG_LINE_MAX] = '\n';
        s = read_sample(text, 5 + CONFIG_LINE_MAX); /* as long as can be */
        assert_int_equal(messages.n_items, 1);
        assert_non_null(strstr(messages.items[0], "xxx... is not a number"));
        sample_done(&s);
        free(text);
}

static void test_messages_have_an_end(void **state) {
        char text[4096] = "";

        for (size_t i = 0; i < sizeof(text) / 2 - 1; i++)
                (void) memcpy(text + 2 * i, "x\n", 3);
        _cleanup_(sample_done) Sample s = read_sample(text, strlen(text));

        assert_int_equal(s.u, 7);
        assert_int_equal(messages.n_items, CONFIG_MESSAGES_MAX);
        assert_string_equal(messages.items[CONFIG_MESSAGES_MAX - 1], "x.conf:64: too much is wrong, no more of it is named");
}

/* Whatever is cut off or damaged: something is read, and nothing breaks (the sanitizers look on). */
static void test_any_bytes_can_be_read(void **state) {
        static const char whole[] = "\xef\xbb\xbf# \xff\n[A]\nBool=no\nUnsigned=100\nSize=2K\nTime=1min 1s\r\n"
                                    "[B]\nUnit=vm.service\nStrings=one two\nStrings=\nStrings=\xc3\xb6\n[Z]\nX=\0\n";

        for (size_t size = 0; size <= sizeof(whole) - 1; size++) {
                char *cut = malloc(size + 1); /* so that what is read behind the end is seen */

                assert_non_null(cut);
                memcpy(cut, whole, size);
                cut = realloc(cut, size ? size : 1);
                Sample s = read_sample(cut, size);
                sample_done(&s);
                for (unsigned byte = 0; byte < 256 && size > 0; byte += 1) {
                        cut[size - 1] = (char) byte;
                        s = read_sample(cut, size);
                        sample_done(&s);
                }
                free(cut);
        }
        srand(7);
        for (unsigned i = 0; i < 2000; i++) {
                static const char letters[] = "[]AB=\n\r\t #;BoolUnitSizeTime0189KMGsmh.\\\"'\0\xff\xc3\xb6";
                char text[257];
                size_t size = (size_t) rand() % sizeof(text);

                for (size_t j = 0; j < size; j++)
                        text[j] = letters[(size_t) rand() % (sizeof(letters) - 1)];
                Sample s = read_sample(text, size);
                sample_done(&s);
        }
}

/* --- former values */

static void test_a_wrong_value_keeps_what_held_before(void **state) {
        static const char text[] = "[A]\nUnsigned=many\nSize=1X\nSize=3\n[B]\nUnit=?\nStrings=\xff\n";
        Sample former = { .u = 50, .size = 51, .span = 52 }, s;
        ConfigReading reading;

        assert_int_equal(config_value_unit("former.service", &former.unit), 0);
        assert_int_equal(config_value_strings("a b", &former.strings), 0);
        config_reading_init(&reading, sample_items, &s, config_messages_add, &messages);
        assert_int_equal(config_read_text(&reading, "x.conf", text, strlen(text)), 0);
        assert_int_equal(config_reading_end(&reading, &former), 0);
        assert_int_equal(messages.n_items, 4);
        assert_int_equal(s.u, 50);
        assert_int_equal(s.size, 3);        /* something right was said, too */
        assert_int_equal(s.span, 5000000);  /* nothing was said */
        assert_string_equal(s.unit, "former.service");
        assert_string_equal(s.strings[1], "b");
        assert_null(s.strings[2]);
        sample_done(&s);

        /* One file right, the next one wrong. */
        config_reading_init(&reading, sample_items, &s, config_messages_add, &messages);
        assert_int_equal(config_read_text(&reading, "a.conf", "[A]\nUnsigned=9", 14), 0);
        assert_int_equal(config_read_text(&reading, "b.conf", text, strlen(text)), 0);
        config_read_failed(&reading, "c.conf", "no luck");
        assert_int_equal(config_reading_end(&reading, &former), 0);
        assert_int_equal(s.u, 9);
        assert_int_equal(s.span, 52); /* c.conf may have said something */
        sample_done(&s);
        sample_done(&former);
}

/* --- files */

static char top[] = "/tmp/test-config.XXXXXX";
static char etc[64], run[64], lib[64];
static const char *const directories[] = { etc, run, lib, NULL };

static void put(const char *directory, const char *name, const char *text) {
        char path[256];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static int setup_files(void **state) {
        char path[128];

        strcpy(top, "/tmp/test-config.XXXXXX");
        assert_non_null(mkdtemp(top));
        (void) snprintf(etc, sizeof(etc), "%s/etc", top);
        (void) snprintf(run, sizeof(run), "%s/run", top);
        (void) snprintf(lib, sizeof(lib), "%s/lib", top);
        for (size_t i = 0; directories[i]; i++) {
                assert_int_equal(mkdir(directories[i], 0700), 0);
                (void) snprintf(path, sizeof(path), "%s/luod.conf.d", directories[i]);
                assert_int_equal(mkdir(path, 0700), 0);
        }
        return 0;
}

static int teardown_files(void **state) {
        char command[128];

        (void) snprintf(command, sizeof(command), "rm -r '%s'", top);
        (void) clear_messages(state);
        return system(command);
}

static Config load(const Config *former) {
        Config fallback, c;

        config_messages_done(&messages);
        config_set_defaults(&fallback);
        assert_int_equal(config_load(directories, former ? former : &fallback, &c, config_messages_add, &messages), 0);
        return c;
}

static void test_without_files_all_is_as_built(void **state) {
        char command[128];
        Config c = load(NULL);

        assert_int_equal(messages.n_items, 0);
        assert_int_equal(c.sessions_per_user, SESSIONS_PER_USER_MAX);
        assert_int_equal(c.files_per_user, FILES_PER_USER_MAX);
        assert_int_equal(c.files, FILES_MAX);
        assert_int_equal(c.parts, PARTS_MAX);
        assert_int_equal(c.memory_reserve, MEMORY_RESERVE);
        assert_int_equal(c.busy_timeout, DEVICE_BUSY_TIMEOUT_USEC);

        /* Nor without their directories. */
        (void) snprintf(command, sizeof(command), "rm -r %s/*", top);
        assert_int_equal(system(command), 0);
        c = load(NULL);
        assert_int_equal(messages.n_items, 0);
        assert_int_equal(c.files, FILES_MAX);
        assert_string_equal(config_directories[0], SYSCONFDIR "/luod");
}

static void test_what_the_ledger_is_not_made_for_is_out_of_range(void **state) {
        Config c;

        put(etc, "luod.conf", "[Limits]\nSessionsPerUser=1001\nFilesPerUser=8193\nFiles=8193\nParts=1001\nParts=15\n"
                              "MemoryReserve=infinity\nMemoryReserve=99999999G\n[Device]\nBusyTimeout=infinity\nBusyTimeout=61s\nBusyTimeout=99ms\n");
        c = load(NULL);
        assert_int_equal(messages.n_items, 10);
        assert_int_equal(c.files, FILES_MAX);
        assert_int_equal(c.parts, PARTS_MAX);
        put(etc, "luod.conf", "[Limits]\nSessionsPerUser=1000\nFilesPerUser=0\nFiles=8192\nParts=16\nMemoryReserve=0\n"
                              "[Device]\nBusyTimeout=1min\n");
        c = load(NULL);
        assert_int_equal(messages.n_items, 0);
        assert_int_equal(c.sessions_per_user, 1000);
        assert_int_equal(c.files_per_user, 0);
        assert_int_equal(c.parts, 16);
        assert_int_equal(c.memory_reserve, 0);
        assert_int_equal(c.busy_timeout, 60000000);
}

static void test_what_is_kept_may_be_a_share_of_the_memory(void **state) {
        Config c = load(NULL);

        assert_int_equal(config_share_of(c.kept, 1000), 900);
        assert_int_equal(config_share_of(c.kept_per_user, 1 << 20), 1 << 19);
        put(etc, "luod.conf", "[Limits]\nKept=0%\nKeptPerUser=12G\n");
        c = load(NULL);
        assert_int_equal(messages.n_items, 0);
        assert_int_equal(config_share_of(c.kept, UINT64_MAX), 0);
        assert_int_equal(config_share_of(c.kept_per_user, 5), 12ULL << 30);
        put(etc, "luod.conf", "[Limits]\nKept=100%\nKept=101%\nKept=18446744073709551617%\nKept=%\nKept=5 %\nKept=-1%\n"
                              "Kept=1%%\nKept=9223372036854775809\nKeptPerUser=1%\nFiles=5%\n");
        c = load(NULL);
        assert_int_equal(messages.n_items, 8);
        assert_int_equal(config_share_of(c.kept, UINT64_MAX), UINT64_MAX);
        assert_int_equal(config_share_of(c.kept_per_user, 12345678901ULL), 123456789);
}

static void test_the_first_luod_conf_is_the_one(void **state) {
        put(lib, "luod.conf", "[Limits]\nFiles=1\nParts=100\n");
        assert_int_equal(load(NULL).files, 1);
        put(run, "luod.conf", "[Limits]\nFiles=2\n");
        assert_int_equal(load(NULL).files, 2);
        put(etc, "luod.conf", "[Limits]\nFiles=3\n");
        assert_int_equal(load(NULL).files, 3);
        assert_int_equal(load(NULL).parts, PARTS_MAX);
}

static void test_drop_ins_come_after_it_and_by_name(void **state) {
        put(etc, "luod.conf", "[Limits]\nFiles=1\nParts=100\n");
        put(lib, "luod.conf.d/20.conf", "[Limits]\nFiles=20\n");
        put(etc, "luod.conf.d/10.conf", "[Limits]\nFiles=10\nFilesPerUser=10\n");
        put(run, "luod.conf.d/15.conf", "[Limits]\nFilesPerUser=15\n");
        put(etc, "luod.conf.d/99.conf.bak", "[Limits]\nFiles=99\n");
        put(etc, "luod.conf.d/.99.conf", "[Limits]\nFiles=99\n");
        put(etc, "luod.conf.d/99", "[Limits]\nFiles=99\n");
        assert_int_equal(load(NULL).files, 20);
        assert_int_equal(load(NULL).files_per_user, 15);
        assert_int_equal(load(NULL).parts, 100);

        /* One in /etc hides one of the same name elsewhere, as a whole. */
        put(etc, "luod.conf.d/20.conf", "");
        assert_int_equal(load(NULL).files, 10);
}

static void test_a_link_to_dev_null_masks(void **state) {
        char path[128];

        put(lib, "luod.conf", "[Limits]\nFiles=1\n");
        put(lib, "luod.conf.d/a.conf", "[Limits]\nParts=100\n");
        (void) snprintf(path, sizeof(path), "%s/luod.conf.d/a.conf", etc);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(load(NULL).parts, PARTS_MAX);
        (void) snprintf(path, sizeof(path), "%s/luod.conf", run);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(load(NULL).files, FILES_MAX);
        assert_int_equal(messages.n_items, 0);
}

/* luod must not wait for anybody to write into a FIFO, and what can't be read changes nothing. */
static void test_what_is_no_file_is_named_and_changes_nothing(void **state) {
        Config former = load(NULL);
        char path[128];
        FILE *f;

        former.files = 77;
        (void) snprintf(path, sizeof(path), "%s/luod.conf", etc);
        assert_int_equal(mkfifo(path, 0600), 0);
        put(lib, "luod.conf", "[Limits]\nFiles=1\n"); /* still hidden */
        put(lib, "luod.conf.d/b.conf", "[Limits]\nParts=100\n");
        assert_int_equal(load(&former).files, 77);
        assert_int_equal(load(&former).parts, 100);
        assert_int_equal(messages.n_items, 1);
        assert_non_null(strstr(messages.items[0], "/etc/luod.conf: this can't be read: it is no regular file"));
        assert_int_equal(unlink(path), 0);

        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(load(&former).files, 77);
        assert_int_equal(messages.n_items, 1);
        assert_int_equal(rmdir(path), 0);

        assert_int_equal(symlink(path, path), 0);
        assert_int_equal(load(&former).files, 77);
        assert_int_equal(messages.n_items, 1);
        assert_int_equal(unlink(path), 0);

        f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fseek(f, CONFIG_FILE_MAX, SEEK_SET), 0);
        assert_int_equal(fputc('\n', f), '\n');
        assert_int_equal(fclose(f), 0);
        assert_int_equal(load(&former).files, 77);
        assert_non_null(strstr(join_messages(), "too large"));
        assert_int_equal(unlink(path), 0);
        assert_int_equal(load(&former).files, 1);
}

static void test_more_drop_ins_than_are_read_are_named(void **state) {
        char name[64];

        for (unsigned i = 0; i < CONFIG_DROP_INS_MAX + 1; i++) {
                (void) snprintf(name, sizeof(name), "luod.conf.d/%u.conf", i);
                put(etc, name, "[Limits]\nParts=100\n");
        }
        assert_int_equal(load(NULL).parts, 100);
        assert_int_equal(messages.n_items, 1);
        assert_non_null(strstr(messages.items[0], "/etc/luod.conf.d: this can't be read: there are too many files in it"));
}

#define TEST(name) cmocka_unit_test_teardown(name, clear_messages)
#define TEST_FILES(name) cmocka_unit_test_setup_teardown(name, setup_files, teardown_files)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_values_are_what_is_written),
                TEST(test_units_have_a_name_and_a_type),
                TEST(test_a_file_sets_all_types),
                TEST(test_an_empty_value_goes_back_to_the_default),
                TEST(test_what_is_wrong_is_named_and_left_out),
                TEST(test_assignments_need_a_section),
                TEST(test_lines_that_cannot_be_read_are_named),
                TEST(test_messages_have_an_end),
                TEST(test_any_bytes_can_be_read),
                TEST(test_a_wrong_value_keeps_what_held_before),
                TEST_FILES(test_without_files_all_is_as_built),
                TEST_FILES(test_what_the_ledger_is_not_made_for_is_out_of_range),
                TEST_FILES(test_what_is_kept_may_be_a_share_of_the_memory),
                TEST_FILES(test_the_first_luod_conf_is_the_one),
                TEST_FILES(test_drop_ins_come_after_it_and_by_name),
                TEST_FILES(test_a_link_to_dev_null_masks),
                TEST_FILES(test_what_is_no_file_is_named_and_changes_nothing),
                TEST_FILES(test_more_drop_ins_than_are_read_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
