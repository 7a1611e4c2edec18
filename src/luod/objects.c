/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fd-util.h"
#include "objects.h"
#include "parking.h"

void file_note_object(Manager *m, File *f, int fd) {
        _cleanup_(identity_done) Identity identity = IDENTITY_NULL;

        if (f->entry || identity_from_fd(fd, &identity) < 0)
                return;
        (void) file_register(&m->state, f, &identity);
}

static void retrieved_rebuild(Manager *m, File *f) {
        const Parked *p = parking_find(m, f->part->session->sid, f->record.token);
        _cleanup_(closep) int fd = -EBADF;

        if (p) { /* its session may be finished */
                file_note_object(m, f, p->fd);
                return;
        }
        fd = m->luo->retrieve(m->luo, f->part->fd, f->record.ktoken);
        if (fd >= 0)
                file_note_object(m, f, fd);
}

static void kept_rebuild(Manager *m, File *f) {
        _cleanup_(identity_done) Identity identity = IDENTITY_NULL;

        if (f->record.kind == FILE_KIND_MEMFD)
                identity = identity_from_inode(f->record.dev, f->record.ino);
        else if (f->record.object[0] == '\0' || identity_from_name(f->record.object, &identity) < 0)
                return;
        (void) file_register(&m->state, f, &identity);
}

static void rebuild(Manager *m, File *f, bool intents) {
        if (f->entry || !file_holds_object(f) || (f->record.state == FILE_INTENT) != intents)
                return;
        if (f->part->outgoing)
                kept_rebuild(m, f);
        else
                retrieved_rebuild(m, f);
}

void objects_rebuild(Manager *m) {
        Session *s;

        /* Should a damaged ledger have two files of one object, then one that did not come true is among them: what is
         * known to be kept comes first. */
        for (int intents = 0; intents <= 1; intents++)
                LIST_FOREACH(&m->state.sessions, Session, link, s)
                        for (size_t i = 0; i < s->n_files; i++)
                                rebuild(m, s->files[i], intents);
}

void objects_rebuild_kept(Manager *m) {
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                for (size_t i = 0; i < s->n_files; i++) {
                        File *f = s->files[i];

                        if (!f->entry && f->part->outgoing && file_holds_object(f))
                                kept_rebuild(m, f);
                }
}

unsigned objects_count_unknown(Manager *m) {
        unsigned n = 0;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                for (size_t i = 0; i < s->n_files; i++)
                        n += !s->files[i]->entry && file_holds_object(s->files[i]);
        return n;
}
