/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <systemd/sd-journal.h>

#include "bus.h"
#include "message-ids.h"

/* The properties about what the last live update brought. */

int bus_get_restore(sd_bus *bus,
                    const char *path,
                    const char *interface,
                    const char *property,
                    sd_bus_message *reply,
                    void *userdata,
                    sd_bus_error *reterr_error) {
        const Restored *r = &((Bus *) userdata)->manager->restored;

        return sd_bus_message_append(reply, "s", streq(property, "Restore") ? r->state : r->message);
}

int bus_get_restore_count(sd_bus *bus,
                          const char *path,
                          const char *interface,
                          const char *property,
                          sd_bus_message *reply,
                          void *userdata,
                          sd_bus_error *reterr_error) {
        const RestoredCounts *c = &((Bus *) userdata)->manager->restored.counts;
        uint32_t value = c->ended;

        if (streq(property, "NIncoming"))
                value = c->incoming;
        else if (streq(property, "NUnclaimed"))
                value = c->by_claim[CLAIM_WAITING];
        else if (streq(property, "NClaimed"))
                value = c->by_claim[CLAIM_CLAIMED];
        else if (streq(property, "NFailed"))
                value = c->by_claim[CLAIM_FAILED];
        else if (streq(property, "NRenewed"))
                value = c->renewed;
        return sd_bus_message_append(reply, "u", value);
}

int bus_get_claim(sd_bus *bus,
                  const char *path,
                  const char *interface,
                  const char *property,
                  sd_bus_message *reply,
                  void *userdata,
                  sd_bus_error *reterr_error) {
        const Session *s = userdata;

        if (streq(property, "Claim"))
                return sd_bus_message_append(reply, "s", claim_to_string(session_get_claim(s)));
        if (streq(property, "ClaimedTimestamp"))
                return sd_bus_message_append(reply, "t", s->record.claimed);
        return sd_bus_message_append(reply, "u", (uint32_t) session_get_error(s));
}

void bus_restore_changed(const Manager *m) {
        if (streq(m->restored.state, "none"))
                return;
        if (streq(m->restored.state, "impaired"))
                (void) sd_journal_send("MESSAGE_ID=" MESSAGE_ID_RESTORE_IMPAIRED, "PRIORITY=%i", LOG_WARNING,
                                       "MESSAGE=Not everything came back over the live update: %s", m->restored.message, NULL);
        else
                (void) sd_journal_print(LOG_INFO, "The restore is at '%s': %u sessions unclaimed, %u claimed, %u renewed, %u ended",
                                        m->restored.state, m->restored.counts.by_claim[CLAIM_WAITING],
                                        m->restored.counts.by_claim[CLAIM_CLAIMED], m->restored.counts.renewed,
                                        m->restored.counts.ended);
}
