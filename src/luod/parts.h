/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "index-page.h"
#include "manager.h"

/* Kernel sessions ("parts") and their index pages: made ahead of need as spares, so that CreateSession() needs
 * neither the device nor PID 1. See luod-limits.h for how many. Names are luod-SERIES-N with the lowest free N. */

/* Looks after spares and custody: starts what is missing, in the background. Cheap; called whenever a spare was
 * taken, a part was closed, custody changed. */
void parts_upkeep(Manager *manager);
/* ... again in a while, as something could not be done. */
void parts_upkeep_later(Manager *manager);

/* A spare to be used: PART_READY or PART_BARE, without fd in custody for the latter; NULL when there is none
 * (parts_upkeep() then makes some and job_wait_for_spare() tells). The caller attaches it to a session. */
Part *parts_take_spare(Manager *manager, PartRole role);
/* Where no more spares are made, as there are as many parts as there may be: has one of the other kind become one of @role. Who
 * waits with job_wait_for_custody() is woken by it. false: there is none. */
bool parts_convert_spare(Manager *manager, PartRole role);
/* How many parts there may be. There can be more than that: a limit that is lowered ends nothing. */
unsigned parts_limit(Manager *manager);
bool parts_limit_reached(Manager *manager);

/* Writes @part's index: whose it is, on all of its pages. */
void part_write_index_head(Manager *manager, Part *part);
/* Writes, or for FILE_DROPPED clears, the slot of a file. */
void part_write_index_file(Part *part, const FileRecord *file);

/* Index pages that are needed for kernel tokens below @end but not there yet. */
unsigned part_missing_pages(const Part *part, uint64_t end);
/* The kernel token after @ktoken that is no index page's. */
uint64_t ktoken_next(uint64_t ktoken);

/* For a child process: makes index page @page of the kernel session @session (its name @kname): a nameless file
 * with @head in it, preserved, then linked. 0 or -errno. */
int index_file_make(const LuoOps *luo,
                    const char *runtime_dir,
                    int session,
                    const char *kname,
                    uint32_t page,
                    const IndexHead *head);
/* Maps the next page, by its name. 0 or -errno. */
int part_map_next_page(Manager *manager, Part *part);
/* The names of the index files are of no use once the part is gone. */
void part_unlink_pages(Manager *manager, const Part *part);

/* For a child process that has closed all copies of an outgoing kernel session but PID 1's: waits until that is gone, too,
 * which shows in its name being free. 0, or -errno: -ETIMEDOUT after 5 s, or the device could not be had. */
int kernel_session_await_end(const LuoOps *luo, const char *kname);

/* Drops an outgoing part with all that it keeps: only where that was decided. The custodian must not have it any more; with
 * @was_stored it had it, or may have had. The last close, which may take its time, happens in a child; @done is called when
 * the kernel has let go. The part must have no files any more, is nobody's on return, and gone when @done is called. */
typedef void (*part_dropped_fn)(void *userdata);
void part_drop(Manager *manager, Part *part, bool was_stored, part_dropped_fn done, void *userdata);

/* A fresh FDNAME: a few bytes, never used before; that of the ledger's part is marked as such. */
void part_assign_fdname(Manager *manager, Part *part);
/* Hands the part to the custodian; part->in_custody tells when it is there. */
typedef void (*part_custody_fn)(Part *part, int error, void *userdata);
int part_push(Manager *manager, Part *part, part_custody_fn done, void *userdata);

/* The custodian's state, and CUSTODY_DEGRADED while something that belongs into its store is not there. */
CustodyState parts_custody_state(Manager *manager);
/* The custodian's list was read anew: notes what is in custody, and pushes what is missing. */
void parts_listed(Manager *manager, char **fdnames);

/* For creating parts outside of the pool (the ledger's own): as a task for worker_run(). */
typedef struct PartsMaking {
        const LuoOps *luo;
        const char *runtime_dir;
        uint64_t busy_timeout;             /* usec, for the device */
        char series;
        char boot_id[BOOT_ID_SIZE];
        IndexRole role;
        uint32_t numbers[PART_NUMBER_END]; /* candidates, ascending */
        size_t n_numbers;
        size_t n_wanted;
} PartsMaking;
/* Fills in the candidates: all numbers that no part of the current series has. */
void parts_making_init(Manager *manager, IndexRole role, size_t n_wanted, PartsMaking *ret);
/* reply: fds are the sessions, values their numbers. */
void parts_make(void *arg, WorkerReply *reply);
/* Enters one made so into the state, as PART_BARE. */
int parts_adopt(Manager *manager, uint32_t number, int *fd, Part **ret);
