/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fd-util.h"
#include "kernel-image.h"
#include "luod-limits.h"
#include "unpack.h"

/* How it is found out what a kernel can do. A bzImage is a small program that unpacks the real kernel, which is packed in
 * it. That one is unpacked piece by piece, never kept as a whole, and each piece is looked through (Scan) for
 *
 *   - the configuration, gzip'ed between IKCFG_ST and IKCFG_ED, if it was built with CONFIG_IKCONFIG=y,
 *   - the names of the formats that kernels hand over to each other in ("luo-v5"): strings, as the kernel compares them,
 *   - its banner, for a vmlinux, which has no header.
 *
 * Without a configuration the strings are what tells; if not all of it could be looked through, they tell only what is
 * there. */

/* --- the unpacked kernel, piece by piece */

#define WINDOW_SIZE (256U * 1024U)
#define LOOKAHEAD 256U /* the longest thing that is looked for */
#define LOOKBEHIND 64U /* how far back a name may have begun */

typedef struct Scan {
        KernelImage *image;
        char *window;       /* WINDOW_SIZE, of which n are used */
        size_t n, n_behind; /* the first n_behind were looked through before */
        uint64_t n_all;
        uint64_t deadline; /* usec, CLOCK_MONOTONIC */
        uint8_t *config;   /* KERNEL_CONFIG_PACKED_MAX, once it is found */
        size_t n_config, config_skip;
        bool saw_liveupdate; /* the word, as parameter or device name */
} Scan;

static Scan *scan_done(Scan *s) {
        free(s->window);
        free(s->config);
        return NULL;
}

static inline void scan_donep(Scan *s) {
        scan_done(s);
}

static uint64_t now_monotonic(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static bool is_name_char(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_printable(char c) {
        return c >= ' ' && c <= '~';
}

/* Copies printable ASCII up to @end or the end of what there is; true if @end was found in time. */
static bool copy_until(const char *p, const char *limit, char end, char *ret, size_t max) {
        size_t n = 0;

        while (p + n < limit && n < max && p[n] != end && is_printable(p[n]))
                n++;
        if (p + n == limit || p[n] != end)
                return false;
        memcpy(ret, p, n);
        ret[n] = '\0';
        return true;
}

/* What every kernel with LUO names. */
static const char *const formats[] = { "kho-v", "luo-v", "luo-session-v", "luo-flb-v", "memfd-v" };

/* Handlers of other files, as the series that bring them name them: all that is not one of the formats. The last is the test
 * handler of kernel-patches/7.3. */
static const char *const handlers[] = { "vfio-pci-v", "iommufd-v", "luo-" };

static bool begins_with_one_of(const char *abi, const char *const *prefixes, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strncmp(abi, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

static bool abi_is_format(const char *abi) {
        return begins_with_one_of(abi, formats, ARRAY_SIZE(formats));
}

static bool abi_concerns_us(const char *abi) {
        return abi_is_format(abi) || begins_with_one_of(abi, handlers, ARRAY_SIZE(handlers));
}

static bool has_abi(const KernelImage *image, const char *abi) {
        for (uint32_t i = 0; i < image->n_abis; i++)
                if (streq(image->abis[i], abi))
                        return true;
        return false;
}

static void add_abi(KernelImage *image, const char *p, size_t n) {
        char abi[KERNEL_ABI_LENGTH_MAX + 1];

        if (n > KERNEL_ABI_LENGTH_MAX)
                return;
        memcpy(abi, p, n);
        abi[n] = '\0';
        if (!abi_concerns_us(abi))
                return;
        if (image->n_abis < KERNEL_ABIS_MAX && !has_abi(image, abi))
                memcpy(image->abis[image->n_abis++], abi, n + 1);
}

/* "-v" at @v, in [@start, @limit): the whole string must be NAME-vDIGITS. */
static void look_at_abi(Scan *s, const char *start, const char *v, const char *limit) {
        const char *first = v, *last = v + 2;

        while (first > start && is_name_char(first[-1]) && v - first <= (ptrdiff_t) KERNEL_ABI_LENGTH_MAX)
                first--;
        while (last < limit && *last >= '0' && *last <= '9')
                last++;
        if (last == v + 2 || last == limit || *last != '\0' || (first > start && is_name_char(first[-1])))
                return;
        add_abi(s->image, first, (size_t) (last - first));
}

static void look_at_banner(Scan *s, const char *p, const char *limit) {
        KernelImage *image = s->image;
        const char *hash;

        if (image->release[0] ||
            !copy_until(p + strlen("Linux version "), limit, ' ', image->release, KERNEL_RELEASE_MAX))
                return;
        hash = memmem(p, (size_t) (limit - p), " #", 2);
        if (hash)
                (void) copy_until(hash + 1, limit, '\n', image->version, KERNEL_VERSION_MAX);
}

static const char *find(const char *p, const char *end, const char *needle, size_t n) {
        return p < end ? memmem(p, (size_t) (end - p), needle, n) : NULL;
}

/* @p is behind "IKCFG_ST". */
static int begin_config(Scan *s, const char *p, const char *end, const char *limit) {
        if (s->config || limit - p < 3 || memcmp(p, "\x1f\x8b\x08", 3) != 0)
                return 0;
        s->config = malloc(KERNEL_CONFIG_PACKED_MAX);
        if (!s->config)
                return -ENOMEM;
        s->config_skip = p > end ? (size_t) (p - end) : 0; /* of the next window */
        s->n_config = p < end ? MIN((size_t) (end - p), KERNEL_CONFIG_PACKED_MAX) : 0;
        memcpy(s->config, p, s->n_config);
        return 0;
}

static void go_on_with_config(Scan *s, const char *p, const char *end) {
        size_t n;

        p += s->config_skip;
        s->config_skip = 0;
        n = p < end ? MIN((size_t) (end - p), KERNEL_CONFIG_PACKED_MAX - s->n_config) : 0;
        memcpy(s->config + s->n_config, p, n);
        s->n_config += n;
}

/* Looks for what begins in [from, end). What begins there is in the window as a whole: it goes on to limit, which is
 * LOOKAHEAD further, if there is as much. */
static int scan_window(Scan *s, bool last) {
        static const char config[] = "IKCFG_ST", banner[] = "Linux version ", word[] = "liveupdate";
        const char *start = s->window, *from = start + s->n_behind, *limit = start + s->n, *end, *p;
        size_t n_keep;
        int r;

        if (!last && (size_t) (limit - from) <= LOOKAHEAD)
                return 0;
        end = last ? limit : limit - LOOKAHEAD;

        if (s->config)
                go_on_with_config(s, from, end);
        for (p = from; (p = find(p, limit, config, strlen(config))) && p < end; p++) {
                r = begin_config(s, p + strlen(config), end, limit);
                if (r < 0)
                        return r;
        }
        for (p = from; (p = find(p, limit, "-v", 2)) && p < end; p++)
                look_at_abi(s, start, p, limit);
        if (!s->image->release[0])
                for (p = from; (p = find(p, limit, banner, strlen(banner))) && p < end; p++)
                        look_at_banner(s, p, limit);
        if (!s->saw_liveupdate && (p = find(from, limit, word, sizeof(word))) && p < end) /* with its NUL */
                s->saw_liveupdate = true;

        s->n_behind = MIN((size_t) (end - start), LOOKBEHIND);
        n_keep = (size_t) (limit - end) + s->n_behind;
        memmove(s->window, limit - n_keep, n_keep);
        s->n = n_keep;
        return 0;
}

static int scan_feed(const void *data, size_t n, void *userdata) {
        const char *p = data;
        Scan *s = userdata;
        int r;

        s->n_all += n;
        if (s->n_all > KERNEL_UNPACKED_SIZE_MAX)
                return -EFBIG;
        if (now_monotonic() > s->deadline)
                return -ETIMEDOUT;
        while (n > 0) {
                size_t k = MIN(n, WINDOW_SIZE - s->n);

                memcpy(s->window + s->n, p, k);
                s->n += k;
                p += k;
                n -= k;
                if (s->n < WINDOW_SIZE)
                        break;
                r = scan_window(s, /* last= */ false);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- its configuration */

typedef struct Text {
        char *text;
        size_t n;
} Text;

static int text_feed(const void *data, size_t n, void *userdata) {
        Text *t = userdata;
        char *larger;

        if (n > KERNEL_CONFIG_SIZE_MAX - t->n)
                return -EFBIG;
        if (n == 0)
                return 0;
        larger = realloc(t->text, t->n + n);
        if (!larger)
                return -ENOMEM;
        t->text = larger;
        memcpy(t->text + t->n, data, n);
        t->n += n;
        return 0;
}

/* The value of an option: what follows "NAME=" at the beginning of a line; NULL: it is not set. */
static const char *config_get(const char *text, size_t n, const char *option, size_t *ret_n) {
        const char *end = text + n, *line = text;

        while (line < end) {
                const char *newline = memchr(line, '\n', (size_t) (end - line));
                size_t n_line = (size_t) ((newline ? newline : end) - line), n_option = strlen(option);

                if (n_line > n_option && memcmp(line, option, n_option) == 0 && line[n_option] == '=') {
                        *ret_n = n_line - n_option - 1;
                        return line + n_option + 1;
                }
                line += n_line + 1;
        }
        return NULL;
}

static bool config_is_set(const char *text, size_t n, const char *option) {
        size_t n_value;
        const char *value = config_get(text, n, option, &n_value);

        return value && n_value == 1 && *value == 'y';
}

/* The command line that is built in: "…", with \" and \\ in it. */
static void config_built_in(const char *text, size_t n, KernelImage *image) {
        char cmdline[KERNEL_CMDLINE_MAX];
        size_t n_value, k = 0;
        const char *value;

        if (!config_is_set(text, n, "CONFIG_CMDLINE_BOOL"))
                return;
        value = config_get(text, n, "CONFIG_CMDLINE", &n_value);
        if (!value || n_value < 2 || value[0] != '"' || value[n_value - 1] != '"')
                return;
        for (size_t i = 1; i < n_value - 1 && k < sizeof(cmdline) - 1; i++) {
                if (value[i] == '\\' && i + 1 < n_value - 1)
                        i++;
                cmdline[k++] = value[i];
        }
        cmdline[k] = '\0';
        image->built_in_kho = kernel_cmdline_switch(cmdline, "kho", KERNEL_SWITCH_UNSET);
        image->built_in_liveupdate = kernel_cmdline_switch(cmdline, "liveupdate", KERNEL_SWITCH_UNSET);
        image->cmdline_override = config_is_set(text, n, "CONFIG_CMDLINE_OVERRIDE");
}

/* As it stands in a configuration for what could have been set, and was not. */
static bool config_is_refused(const char *text, size_t n, const char *option) {
        char line[128];
        int k = snprintf(line, sizeof(line), "\n# %s is not set\n", option);

        return memmem(text, n, line, (size_t) k);
}

static Knowledge known(bool b) {
        return b ? KNOWLEDGE_YES : KNOWLEDGE_NO;
}

/* 6.19 has no option of its own for that: there it is part of the rest, and only the string tells. */
static Knowledge config_memfd(const char *text, size_t n, Knowledge luo) {
        if (config_is_set(text, n, "CONFIG_LIVEUPDATE_MEMFD"))
                return KNOWLEDGE_YES;
        if (luo == KNOWLEDGE_NO || config_is_refused(text, n, "CONFIG_LIVEUPDATE_MEMFD"))
                return KNOWLEDGE_NO;
        return KNOWLEDGE_UNKNOWN;
}

void kernel_image_add_config(KernelImage *image, const char *text, size_t n) {
        /* Every kernel has this one; without it, it is another text, or half of one. */
        if (image->has_config || !config_is_set(text, n, "CONFIG_PRINTK") || text[n - 1] != '\n')
                return;
        image->has_config = true;
        if (image->luo == KNOWLEDGE_UNKNOWN)
                image->luo = known(config_is_set(text, n, "CONFIG_LIVEUPDATE") &&
                                   config_is_set(text, n, "CONFIG_KEXEC_HANDOVER"));
        if (image->memfd == KNOWLEDGE_UNKNOWN)
                image->memfd = config_memfd(text, n, image->luo);
        image->kho_default = known(config_is_set(text, n, "CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT"));
        config_built_in(text, n, image);
}

static int add_embedded_config(Scan *s) {
        Text t = {};
        int r;

        if (!s->config)
                return 0;
        r = unpack(s->config, s->n_config, text_feed, &t);
        if (r >= 0 && t.n > 0)
                kernel_image_add_config(s->image, t.text, t.n);
        free(t.text);
        return r == -ENOMEM ? r : 0;
}

static const char *find_abi(const KernelImage *image, const char *prefix) {
        for (uint32_t i = 0; i < image->n_abis; i++)
                if (strncmp(image->abis[i], prefix, strlen(prefix)) == 0)
                        return image->abis[i];
        return NULL;
}

static void judge_by_strings(KernelImage *image) {
        if (find_abi(image, "luo-v"))
                image->luo = KNOWLEDGE_YES;
        if (find_abi(image, "memfd-v"))
                image->memfd = KNOWLEDGE_YES;
}

/* What is not there says something only if all was looked through; and without the word "liveupdate" nothing in it can be
 * switched on. */
static void judge_by_absence(KernelImage *image, bool saw_liveupdate) {
        if (!image->unpacked)
                return;
        if (image->luo == KNOWLEDGE_UNKNOWN && !saw_liveupdate)
                image->luo = KNOWLEDGE_NO;
        if (image->memfd == KNOWLEDGE_UNKNOWN && image->luo != KNOWLEDGE_UNKNOWN)
                image->memfd = KNOWLEDGE_NO;
}

/* @packed: unpack it first. What is too large, takes too long or is damaged is known in part. */
static int look_through(KernelImage *image, const void *data, size_t n, bool packed) {
        _cleanup_(scan_donep)
                Scan s = { .image = image, .deadline = now_monotonic() + KERNEL_LOOK_TIMEOUT_USEC };
        int r, q;

        s.window = malloc(WINDOW_SIZE);
        if (!s.window)
                return -ENOMEM;
        r = packed ? unpack(data, n, scan_feed, &s) : scan_feed(data, n, &s);
        q = scan_window(&s, /* last= */ true);
        if (r == -ENOMEM && !s.n_all)
                r = -EOPNOTSUPP; /* it wants a larger dictionary than it gets */
        image->unpacked = r >= 0 && q >= 0 && s.n_all > 0;
        if (q < 0)
                return q;

        judge_by_strings(image);
        r = add_embedded_config(&s);
        judge_by_absence(image, s.saw_liveupdate);
        return r;
}

/* --- the headers */

static uint16_t get_u16(const uint8_t *p) {
        return (uint16_t) (p[0] | p[1] << 8);
}

static uint32_t get_u32(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

/* Offsets in the setup header of the boot protocol, whose fields up to payload_length are there from 2.08 on. */
enum {
        SETUP_SECTS = 0x1f1,
        SYSSIZE = 0x1f4,
        BOOT_FLAG = 0x1fe,
        HEADER_MAGIC = 0x202,
        PROTOCOL = 0x206,
        KERNEL_VERSION = 0x20e,
        LOADFLAGS = 0x211,
        RELOCATABLE = 0x234,
        XLOADFLAGS = 0x236,
        CMDLINE_SIZE = 0x238,
        PAYLOAD_OFFSET = 0x248,
        PAYLOAD_LENGTH = 0x24c,
        HEADER_END = 0x268,
};

#define XLF_KERNEL_64 (1U << 0)
#define XLF_CAN_BE_LOADED_ABOVE_4G (1U << 1)

/* "7.3.4 (who@where) #1 SMP …" */
static void read_version(const uint8_t *data, size_t n, KernelImage *image) {
        size_t offset = (size_t) get_u16(data + KERNEL_VERSION) + 0x200;
        const char *p = (const char *) data + offset, *limit = (const char *) data + n, *hash;

        if (get_u16(data + KERNEL_VERSION) == 0 || offset >= n)
                return;
        limit = MIN(limit, p + 512);
        if (!copy_until(p, limit, ' ', image->release, KERNEL_RELEASE_MAX))
                return;
        hash = memmem(p, (size_t) (limit - p), " #", 2);
        if (hash)
                (void) copy_until(hash + 1, limit, '\0', image->version, KERNEL_VERSION_MAX);
}

static int parse_bzimage(const uint8_t *data, size_t n, KernelImage *image) {
        uint64_t setup, all, payload, n_payload;

        if (n < HEADER_END) {
                image->kind = KERNEL_IMAGE_TRUNCATED;
                return 0;
        }
        setup = ((data[SETUP_SECTS] ? data[SETUP_SECTS] : 4U) + 1U) * 512U;
        all = setup + (uint64_t) get_u32(data + SYSSIZE) * 16;
        read_version(data, MIN((uint64_t) n, setup), image);

        if (get_u16(data + PROTOCOL) < 0x020c || !(data[LOADFLAGS] & 1)) {
                image->kind = KERNEL_IMAGE_NOT_LOADABLE;
                return 0;
        }
        if (!(get_u16(data + XLOADFLAGS) & XLF_KERNEL_64)) {
                image->kind = KERNEL_IMAGE_OTHER_ARCH;
                (void) strcpy(image->arch, "32-bit x86");
                return 0;
        }
        if (n < all) {
                image->kind = KERNEL_IMAGE_TRUNCATED;
                return 0;
        }
        if (!data[RELOCATABLE] || !(get_u16(data + XLOADFLAGS) & XLF_CAN_BE_LOADED_ABOVE_4G)) {
                image->kind = KERNEL_IMAGE_NOT_LOADABLE;
                return 0;
        }

        image->kind = KERNEL_IMAGE_BZIMAGE;
        image->cmdline_max = get_u32(data + CMDLINE_SIZE);
        payload = setup + get_u32(data + PAYLOAD_OFFSET);
        n_payload = get_u32(data + PAYLOAD_LENGTH);
        if (n_payload == 0 || payload > n || n_payload > n - payload)
                return 0; /* loadable, as the kernel does not look at these, but nothing more is known */
        return look_through(image, data + payload, n_payload, /* packed= */ true);
}

static void set_arch(KernelImage *image, const char *arch) {
        image->kind = KERNEL_IMAGE_OTHER_ARCH;
        (void) snprintf(image->arch, sizeof(image->arch), "%s", arch);
}

static const char *elf_machine_to_string(uint16_t machine) {
        switch (machine) {
        case EM_386:
                return "32-bit x86";
        case EM_AARCH64:
                return "aarch64";
        case EM_ARM:
                return "arm";
        case EM_PPC64:
                return "ppc64";
        case EM_S390:
                return "s390x";
        case EM_RISCV:
                return "riscv64";
        default:
                return "";
        }
}

static bool headers_are_within(const Elf64_Ehdr *h, const uint8_t *data, size_t n) {
        uint64_t at = le64toh(h->e_phoff), count = le16toh(h->e_phnum), size = le16toh(h->e_phentsize);

        if (at > n || count * size > n - at)
                return false;
        for (uint64_t i = 0; i < count; i++) {
                Elf64_Phdr p;

                memcpy(&p, data + at + i * size, sizeof(p));
                if (le64toh(p.p_offset) > n || le64toh(p.p_filesz) > n - le64toh(p.p_offset))
                        return false;
        }
        return true;
}

static int parse_elf(const uint8_t *data, size_t n, KernelImage *image) {
        Elf64_Ehdr h;
        int r;

        if (n < sizeof(h))
                return 0;
        memcpy(&h, data, sizeof(h));
        if (data[EI_DATA] == ELFDATA2MSB) {
                set_arch(image, elf_machine_to_string((uint16_t) (data[18] << 8 | data[19])));
                return 0;
        }
        if (le16toh(h.e_machine) != EM_X86_64 || data[EI_CLASS] != ELFCLASS64) {
                set_arch(image, elf_machine_to_string(le16toh(h.e_machine)));
                return 0;
        }
        if (le16toh(h.e_type) != ET_EXEC || le16toh(h.e_phnum) == 0 ||
            le16toh(h.e_phentsize) != sizeof(Elf64_Phdr))
                return 0; /* a program, a library, a module */
        if (!headers_are_within(&h, data, n)) {
                image->kind = KERNEL_IMAGE_TRUNCATED;
                return 0;
        }
        r = look_through(image, data, n, /* packed= */ false);
        if (r >= 0 && image->release[0]) /* programs have no banner */
                image->kind = KERNEL_IMAGE_VMLINUX;
        return r;
}

/* Images of others that say what they are. */
static const struct {
        size_t offset;
        const char *magic;
        const char *arch;
} others[] = {
        { 0x38, "ARM\x64", "aarch64" },
        { 0x38, "RSC\x05", "riscv64" },
        { 0x24, "\x18\x28\x6f\x01", "arm" },
        { 4, "zimg", "" }, /* packed for EFI: aarch64, riscv64 or loongarch64 */
};

int kernel_image_parse(const void *data, size_t n, KernelImage *ret) {
        const uint8_t *p = data;

        *ret = (KernelImage) KERNEL_IMAGE_NULL;
        if (n >= HEADER_MAGIC + 4 && memcmp(p + HEADER_MAGIC, "HdrS", 4) == 0 &&
            get_u16(p + BOOT_FLAG) == 0xaa55)
                return parse_bzimage(p, n, ret);
        if (n >= SELFMAG && memcmp(p, ELFMAG, SELFMAG) == 0)
                return parse_elf(p, n, ret);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (n >= others[i].offset + 4 && memcmp(p + others[i].offset, others[i].magic, 4) == 0) {
                        set_arch(ret, others[i].arch);
                        return 0;
                }
        return 0;
}

/* --- files */

/* Read, not mapped: who shortens the file meanwhile gets no SIGBUS out of luod. */
static int read_all(int fd, uint8_t **ret, size_t *ret_n) {
        _cleanup_free_ uint8_t *data = NULL;
        struct stat st;
        size_t n = 0, size;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if ((uint64_t) st.st_size > KERNEL_IMAGE_SIZE_MAX)
                return -EFBIG;
        size = (size_t) st.st_size;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;
        while (n < size) {
                ssize_t k = pread(fd, data + n, size - n, (off_t) n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }
        *ret = TAKE_PTR(data);
        *ret_n = n;
        return 0;
}

static bool release_is_a_file_name(const char *release) {
        return release[0] && release[0] != '.' && !strchr(release, '/');
}

/* The configuration that distributions install beside the kernel; there may be none, or that of another build. */
static void add_config_beside(const char *boot_dir, KernelImage *image) {
        _cleanup_free_ char *text = NULL, *longer = NULL;
        char path[256];

        if (image->has_config || !release_is_a_file_name(image->release) ||
            snprintf(path, sizeof(path), "%s/config-%s", boot_dir, image->release) >= (int) sizeof(path) ||
            read_small_file(path, &text) < 0 ||
            asprintf(&longer, "%s\n", text) < 0) /* its last newline was cut off */
                return;
        kernel_image_add_config(image, longer, strlen(longer));
}

int kernel_image_read(int fd, const char *boot_dir, KernelImage *ret) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t n = 0;
        int r;

        r = read_all(fd, &data, &n);
        if (r >= 0)
                r = kernel_image_parse(data, n, ret);
        if (r < 0)
                return r;
        if (ret->kind == KERNEL_IMAGE_BZIMAGE || ret->kind == KERNEL_IMAGE_VMLINUX)
                add_config_beside(boot_dir, ret);
        return 0;
}

/* --- judging */

/* The kernels compare these strings as a whole, so each has one version of a format. */
Knowledge kernel_image_same_abi(const KernelImage *image, const KernelImage *ours, bool memfd) {
        Knowledge all = image->unpacked && ours->unpacked ? KNOWLEDGE_YES : KNOWLEDGE_UNKNOWN;

        for (size_t i = 0; i < ARRAY_SIZE(formats) - !memfd; i++) {
                const char *our = find_abi(ours, formats[i]), *its = find_abi(image, formats[i]);

                if (our && its && !streq(our, its))
                        return KNOWLEDGE_NO;
                if (!our != !its)
                        all = KNOWLEDGE_UNKNOWN; /* one has it and the other not: is it needed? */
        }
        return find_abi(ours, "luo-v") ? all : KNOWLEDGE_UNKNOWN;
}

Knowledge kernel_image_same_handlers(
                const KernelImage *image, const KernelImage *ours, char ret_missing[static KERNEL_ABI_LENGTH_MAX + 1]) {
        const char *missing = NULL;
        unsigned n = 0, n_missing = 0;

        if (!image->unpacked || !ours->unpacked)
                return KNOWLEDGE_UNKNOWN;
        for (uint32_t i = 0; i < ours->n_abis; i++) {
                if (abi_is_format(ours->abis[i]))
                        continue;
                n++;
                if (has_abi(image, ours->abis[i]))
                        continue;
                if (n_missing++ == 0)
                        missing = ours->abis[i];
        }
        if (n == 0 || (n_missing > 0 && n_missing < n))
                return KNOWLEDGE_UNKNOWN;
        if (n_missing == 0)
                return KNOWLEDGE_YES;
        (void) strcpy(ret_missing, missing);
        return KNOWLEDGE_NO;
}

bool kernel_image_is_switched_on(const KernelImage *image, const char *cmdline) {
        KernelSwitch kho = image->kho_default == KNOWLEDGE_YES ? KERNEL_SWITCH_ON : KERNEL_SWITCH_OFF,
                     liveupdate = KERNEL_SWITCH_OFF;

        if (image->built_in_kho != KERNEL_SWITCH_UNSET)
                kho = image->built_in_kho;
        if (image->built_in_liveupdate != KERNEL_SWITCH_UNSET)
                liveupdate = image->built_in_liveupdate;
        if (!image->cmdline_override) {
                kho = kernel_cmdline_switch(cmdline, "kho", kho);
                liveupdate = kernel_cmdline_switch(cmdline, "liveupdate", liveupdate);
        }
        return kho == KERNEL_SWITCH_ON && liveupdate == KERNEL_SWITCH_ON;
}

static const char *const knowledge_names[_KNOWLEDGE_MAX] = {
        [KNOWLEDGE_UNKNOWN] = "unknown",
        [KNOWLEDGE_NO] = "no",
        [KNOWLEDGE_YES] = "yes",
};

const char *knowledge_to_string(Knowledge k) {
        return k >= 0 && k < _KNOWLEDGE_MAX ? knowledge_names[k] : NULL;
}

Knowledge knowledge_from_string(const char *s) {
        for (Knowledge k = 0; k < _KNOWLEDGE_MAX; k++)
                if (streq(s, knowledge_names[k]))
                        return k;
        return _KNOWLEDGE_INVALID;
}
