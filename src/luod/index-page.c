/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>

#include "crc32c.h"
#include "index-page.h"
#include "macro.h"

/* Every head and slot ends in one 8-byte word with its checksum, and what changes most, in it: the store of
 * that word, the last one, makes the whole valid. Zero there means that it was never or not yet written.
 *
 * The head counts, and while that is being replaced, its copy, which is replaced before it. Both carry the same
 * facts afterwards, so damage to one never brings back what the part was before. */

#define PAGE_MAGIC 0x0178656469646f01ULL
#define VERSION 1U

/* The first 12 bytes, the size and the checksum's place stay as they are in every version. */
typedef struct PageHead {
        uint64_t magic;
        uint32_t version;
        uint32_t page;
        uint64_t sid;
        uint64_t created;
        uint64_t created_generation;
        uint32_t uid;
        uint8_t role;
        uint8_t many;
        char boot_id[BOOT_ID_SIZE];
        char name[NAME_LENGTH_MAX + 1];
        uint8_t reserved[9];
        union {
                struct {
                        uint32_t crc; /* of all above */
                        uint32_t one; /* 1: so that the word is never zero */
                };
                uint64_t last;
        };
} PageHead;

typedef struct Slot {
        uint64_t token;
        uint64_t size;
        uint64_t dev;
        uint64_t ino;
        char label[LABEL_LENGTH_MAX + 1];
        uint32_t uid;
        uint32_t gid;
        uint32_t seals;
        uint16_t mode;
        uint8_t access;
        uint8_t kind;
        union {
                struct {
                        uint32_t crc; /* of the kernel token, all above, error, state and one */
                        uint16_t error;
                        uint8_t state;
                        uint8_t one; /* 1: so that the word is never zero */
                };
                uint64_t last;
        };
} Slot;

typedef struct Page {
        PageHead head;
        Slot slots[INDEX_SLOTS];
        uint8_t reserved[INDEX_PAGE_SIZE - 2 * sizeof(PageHead) - INDEX_SLOTS * sizeof(Slot)];
        PageHead copy;
} Page;

static_assert(sizeof(PageHead) == 168, "PageHead has a fixed layout");
static_assert(sizeof(Slot) == 120, "Slot has a fixed layout");
static_assert(sizeof(Page) == INDEX_PAGE_SIZE, "a page is full, and no more");
static_assert(sizeof(Page) - 2 * sizeof(PageHead) - INDEX_SLOTS * sizeof(Slot) < sizeof(Slot),
              "no room is wasted");

static void publish(uint64_t *place, uint64_t value) {
        __atomic_store_n(place, value, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool string_is_terminated(const char *s, size_t size) {
        return strnlen(s, size) < size;
}

static void string_store(char *to, const char *from, size_t size) {
        memcpy(to, from, strnlen(from, size - 1));
}

/* Heads */

static uint32_t head_crc(const PageHead *head) {
        return crc32c(0, head, offsetof(PageHead, crc));
}

static bool head_is_sound(const PageHead *head) {
        return head->one == 1 && head->magic == PAGE_MAGIC && head->crc == head_crc(head);
}

static bool head_is_valid(const PageHead *head) {
        return head_is_sound(head) && head->version == VERSION && head->role < _INDEX_ROLE_MAX &&
               head->many <= 1 && string_is_terminated(head->boot_id, sizeof(head->boot_id)) &&
               string_is_terminated(head->name, sizeof(head->name));
}

static bool head_is_newer(const PageHead *head) {
        return head_is_sound(head) && head->version > VERSION;
}

/* The head that counts, or NULL. */
static const PageHead *page_head(const Page *page) {
        if (head_is_valid(&page->head))
                return &page->head;
        return head_is_valid(&page->copy) ? &page->copy : NULL;
}

static void head_write(PageHead *place, const PageHead *head) {
        publish(&place->last, 0);
        memcpy(place, head, offsetof(PageHead, last));
        publish(&place->last, head->last);
}

void index_page_set_head(void *page, const IndexHead *head) {
        Page *p = page;
        PageHead fresh = {
                .magic = PAGE_MAGIC,
                .version = VERSION,
                .page = head->page,
                .sid = head->sid,
                .created = head->created,
                .created_generation = head->created_generation,
                .uid = head->uid,
                .role = (uint8_t) head->role,
                .many = head->many,
                .one = 1,
        };

        assert((uintptr_t) page % 8 == 0);
        assert((unsigned) head->role < _INDEX_ROLE_MAX);

        string_store(fresh.boot_id, head->boot_id, sizeof(fresh.boot_id));
        string_store(fresh.name, head->name, sizeof(fresh.name));
        fresh.crc = head_crc(&fresh);

        /* The copy first, unless it alone is valid, after a death below or by damage to the head. */
        if (page_head(p) == &p->copy)
                head_write(&p->head, &fresh);
        head_write(&p->copy, &fresh);
        head_write(&p->head, &fresh);
}

int index_page_get_head(const void *page, IndexHead *ret) {
        const Page *p = page;
        const PageHead *head = page_head(p);

        if (head_is_newer(&p->head) || head_is_newer(&p->copy))
                return -EPROTONOSUPPORT;
        if (!head)
                return p->head.last == 0 && p->copy.last == 0 ? -ENODATA : -EBADMSG;

        *ret = (IndexHead) {
                .role = (IndexRole) head->role,
                .page = head->page,
                .sid = head->sid,
                .uid = head->uid,
                .created = head->created,
                .created_generation = head->created_generation,
                .many = head->many,
        };
        memcpy(ret->boot_id, head->boot_id, sizeof(ret->boot_id));
        memcpy(ret->name, head->name, sizeof(ret->name));
        return 0;
}

/* Slots */

/* The kernel token is in the checksum: a slot is valid in its place alone. */
static uint32_t slot_crc(const Slot *slot, uint64_t ktoken) {
        uint32_t crc;

        crc = crc32c(0, &ktoken, sizeof(ktoken));
        crc = crc32c(crc, slot, offsetof(Slot, crc));
        return crc32c(crc, &slot->error, sizeof(Slot) - offsetof(Slot, error));
}

static bool slot_is_valid(const Slot *slot, uint64_t ktoken) {
        return slot->one == 1 && slot->crc == slot_crc(slot, ktoken) && slot->state < _FILE_STATE_MAX &&
               slot->kind < _FILE_KIND_MAX && slot->access <= O_RDWR && slot->mode <= 07777 &&
               string_is_terminated(slot->label, sizeof(slot->label));
}

static Slot slot_make(const FileRecord *file) {
        Slot slot = {
                .token = file->token,
                .size = file->size,
                .dev = file->dev,
                .ino = file->ino,
                .uid = file->uid,
                .gid = file->gid,
                .seals = file->seals,
                .mode = (uint16_t) file->mode,
                .access = (uint8_t) file->access,
                .kind = (uint8_t) file->kind,
                .error = (uint16_t) MIN(file->error, (int) UINT16_MAX),
                .state = (uint8_t) file->state,
                .one = 1,
        };

        string_store(slot.label, file->label, sizeof(slot.label));
        slot.crc = slot_crc(&slot, file->ktoken);
        return slot;
}

void index_page_set_file(void *page, uint32_t page_number, const FileRecord *file) {
        uint64_t first = index_page_ktoken(page_number) + 1;
        Slot *place, fresh = {};

        assert((uintptr_t) page % 8 == 0);
        assert(file->ktoken >= first && file->ktoken - first < INDEX_SLOTS);
        assert((unsigned) file->state < _FILE_STATE_MAX && (unsigned) file->kind < _FILE_KIND_MAX);
        assert(file->access >= 0 && file->access <= O_RDWR && file->mode <= 07777 && file->error >= 0);

        place = &((Page *) page)->slots[file->ktoken - first];
        if (file->state != FILE_DROPPED)
                fresh = slot_make(file);

        if (memcmp(place, &fresh, offsetof(Slot, last)) != 0) {
                publish(&place->last, 0);
                memcpy(place, &fresh, offsetof(Slot, last));
        }
        publish(&place->last, fresh.last);
}

int index_page_get_file(const void *page, uint32_t page_number, unsigned slot, FileRecord *ret) {
        uint64_t ktoken = index_page_ktoken(page_number) + 1 + slot;
        const Slot *s = &((const Page *) page)->slots[slot];

        assert(slot < INDEX_SLOTS);

        if (s->last == 0)
                return -ENODATA;
        *ret = (FileRecord) { .ktoken = ktoken };
        if (!slot_is_valid(s, ktoken))
                return -EBADMSG;

        ret->token = s->token;
        ret->kind = (FileKind) s->kind;
        ret->state = (FileState) s->state;
        ret->size = s->size;
        ret->uid = s->uid;
        ret->gid = s->gid;
        ret->mode = s->mode;
        ret->access = s->access;
        ret->seals = s->seals;
        ret->dev = s->dev;
        ret->ino = s->ino;
        ret->error = s->error;
        memcpy(ret->label, s->label, sizeof(ret->label));
        return 0;
}
