/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For its checksums, as fuzz-ledger.c. */
#include "../../src/luod/index-page.c" // NOLINT(bugprone-suspicious-include)

#include "fuzz.h"

/* An index page. The first byte: bit 0: its checksums are right; the rest is the number of the page. */

static void set_right(Page *page, uint32_t number) {
        PageHead *heads[] = { &page->head, &page->copy };

        for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
                heads[i]->magic = PAGE_MAGIC;
                heads[i]->one = 1;
                heads[i]->crc = head_crc(heads[i]);
        }
        for (unsigned i = 0; i < INDEX_SLOTS; i++)
                if (page->slots[i].last != 0) {
                        page->slots[i].one = 1;
                        page->slots[i].crc = slot_crc(page->slots + i, index_page_ktoken(number) + 1 + i);
                }
}

static void try_slot(Page *page, uint32_t number, unsigned slot) {
        FileRecord first, second;
        int r = index_page_get_file(page, number, slot, &first);

        require(r == 0 || r == -ENODATA || r == -EBADMSG);
        if (r < 0)
                return;
        require(memchr(first.label, 0, sizeof(first.label)));
        require(first.state >= 0 && first.state < _FILE_STATE_MAX && first.kind >= 0 && first.kind < _FILE_KIND_MAX);
        require(first.mode <= 07777 && (first.access == O_RDONLY || first.access == O_WRONLY || first.access == O_RDWR));
        if (first.state == FILE_DROPPED) /* would clear it */
                return;
        index_page_set_file(page, number, &first);
        require(index_page_get_file(page, number, slot, &second) == 0);
        require(second.token == first.token && second.size == first.size && streq(second.label, first.label));
        require(second.state == first.state && second.error == first.error && second.mode == first.mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Page *page = aligned_alloc(64, sizeof(*page));
        Input input = { data, size };
        uint8_t flags = input_u8(&input);
        uint32_t number = flags >> 1;
        const uint8_t *bytes;
        IndexHead head, again;
        size_t n;
        int r;

        require(page);
        memset(page, 0, sizeof(*page));
        bytes = input_bytes(&input, sizeof(*page), &n);
        if (n > 0)
                memcpy(page, bytes, n);
        if (flags & 1)
                set_right(page, number);

        r = index_page_get_head(page, &head);
        require(r == 0 || r == -ENODATA || r == -EBADMSG || r == -EPROTONOSUPPORT);
        if (r == 0) {
                require(head.role >= 0 && head.role < _INDEX_ROLE_MAX);
                require(memchr(head.name, 0, sizeof(head.name)) && memchr(head.boot_id, 0, sizeof(head.boot_id)));
                index_page_set_head(page, &head);
                require(index_page_get_head(page, &again) == 0);
                require(again.sid == head.sid && streq(again.name, head.name) && again.uid == head.uid);
        }
        for (unsigned slot = 0; slot < INDEX_SLOTS; slot++)
                try_slot(page, number, slot);
        free(page);
        return 0;
}
