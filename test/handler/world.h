/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "bus-names.h"
#include "bus.h"
#include "fake-custody.h"
#include "fake-kernel.h"
#include "fake-kexec.h"
#include "fake-logind.h"
#include "fake-units.h"
#include "fd-util.h"
#include "manager.h"
#include "operations.h"

/* All that luod lives in: a kernel, PID 1's fd store, a directory on a tmpfs, and two clients that are connected
 * to it by socketpairs: ROOT, who runs the test, and OTHER with another uid. luod itself runs in this process, its
 * workers inline, and can be killed and started again, and the whole be sent over a live update. */

#define OTHER_UID 4242U

typedef enum ClientId {
        ROOT,
        OTHER,
        N_CLIENTS,
} ClientId;

typedef struct Client {
        sd_bus *server, *client; /* the two ends */
        Bus bus;                 /* on the server's */
} Client;

typedef struct World {
        FakeKernel kernel;
        FakeStore store;
        FakeKexec kexec;
        FakeLogind logind;
        FakeUnits units;
        bool no_custodian;       /* PID 1 can't be reached */
        char dir[40];            /* the runtime directory */
        char boot_id[BOOT_ID_SIZE];
        unsigned n_boots;
        const char *const *config_directories; /* where luod.conf is; NULL: luod is as built */
        const char *const *unit_directories;   /* where luod.service is; NULL: where this host has its own */

        const char *reports_dir; /* luod's state directory; NULL: it has none */
        ReportHooks report_hooks;

        /* Where luod runs in another process (remote.h), and the rest of this is only its idea of the world. */
        const LuoOps *remote_luo;
        Custody *(*remote_custody_new)(sd_event *event);
        bool with_workers;       /* processes of their own */
        bool few_fds;            /* it can have only so many more than PID 1 hands over: */
        unsigned n_few_fds;

        sd_event *event;
        Manager *manager;
        Client clients[N_CLIENTS];
        bool changed_over;
        int changeover_error;

        int *handed;                 /* fds that luod got from PID 1 at its start, n_handed of them */
        uint64_t *handed_ino;        /* what they were */
        size_t n_handed;

        char *error, *error_message; /* of the last call that was refused */
        Failure failure;             /* of the last operation that was */
        unsigned n_fds_at_start;
        Caller *callers[4];          /* caller_of() */
} World;

/* cmocka fixtures: a world in which luod is up, and one in which nothing was started. The teardown checks that no
 * fd was leaked. */
int world_setup(void **state);
int world_setup_down(void **state);
int world_teardown(void **state);
/* The same for tests that need more than one. */
World *world_new(void);
World *world_free(World *w);

/* Starts luod. 0, or what the restoring or the change-over came to. */
int world_start(World *w);
/* kill -9: what luod has in memory is gone, and its fds are closed; nothing else happens. Only where nothing is
 * under way; see remote.h for a death in the middle. */
void world_kill(World *w);
/* The live update, luod being dead or killed by it: in custody or not, what is outgoing is what goes over. */
void world_kexec(World *w);
/* world_kill(), world_start(): asserts that it comes up. */
void world_restart(World *w);
/* world_kill(), world_kexec(), world_start(): what is in custody comes over */
void world_update(World *w);
/* The same by kexec -e: luod lives until the jump, so all of its kernel sessions come over. */
void world_jump(World *w);

/* After fake_store_kexec(): the rest of world_kexec(). */
void world_new_boot(World *w);

/* Runs the event loop until nothing more happens by itself. */
void world_settle(World *w);
/* Runs the event loop until the int is not 0. */
void world_run_until(World *w, const int *flag);
/* Those who wait for a spare kernel session have waited long enough; the upkeep's pause is over. */
void world_time_passes(World *w);

/* Everything that luod knows of sessions, as text. The caller frees it. */
char *world_dump(World *w);
/* What luod knows, what its ledger says, what the index pages say and what the kernel has are the same; all of it
 * is in custody, the ledger included. */
void world_check(World *w);
/* fds of luod that are no kernel sessions. */
unsigned world_count_fds(World *w);

/* Calls a method and waits for the answer. Returns 0, or -errno with w->error set. @ret_reply may be NULL. */
int world_call(World *w,
               ClientId client,
               const char *path,
               const char *interface,
               const char *member,
               sd_bus_message **ret_reply,
               const char *types,
               ...);
/* Sends a message, and collects its answer later with call_wait(). */
typedef struct Call {
        World *world;
        sd_bus_slot *slot;
        sd_bus_message *reply;
        int answered;      /* 1 once the answer is there */
        unsigned position; /* the how manieth answer of this world it was */
} Call;
#define CALL_NULL {}
void call_send(World *w, ClientId client, sd_bus_message *message, Call *call);
/* As world_call(). */
int call_wait(Call *call, sd_bus_message **ret_reply);
/* Asserts that a call was answered with success; prints the error if not. */
#define assert_success(w, call)                                                                  \
        do {                                                                                     \
                if ((call) < 0)                                                                  \
                        fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, (w)->error, (w)->error_message); \
        } while (0)
void call_done(Call *call);

sd_bus_message *manager_message(World *w, ClientId client, const char *member);
sd_bus_message *session_message(World *w, ClientId client, const char *session, const char *member);
/* Sends, waits, unrefs the message. */
int world_send(World *w, ClientId client, sd_bus_message *message, sd_bus_message **ret_reply);

/* The session's name stands for it. All return as world_call(). */
int create(World *w, ClientId client, const char *name);
int create_auto_renewed(World *w, ClientId client, const char *name);
int create_with(World *w, ClientId client, const char *name, const char *key, const char *value);
int preserve(World *w, ClientId client, const char *session, uint64_t token, int fd);
int preserve_many(World *w, ClientId client, const char *session, const uint64_t *tokens, const int *fds, size_t n);
int retrieve(World *w, ClientId client, const char *session, uint64_t token, int *ret_fd);
/* @value NULL: remove it */
int set_metadata(World *w, ClientId client, const char *session, const char *key, const char *value);
int renew(World *w, ClientId client, const char *session);
int carry(World *w, ClientId client, const char *session);
int finish(World *w, ClientId client, const char *session);
int discard(World *w, ClientId client, const char *session);

/* --- as the bus edge would: without messages, which need fds of their own; any uid. These return 0 or -ECANCELED,
 * with w->failure filled. */
/* Somebody with that uid, of whom nothing else is known; borrowed. */
Caller *caller_of(World *w, uid_t uid);
int op_create(World *w, const char *name, uid_t uid);
int op_preserve(World *w, const char *session, uid_t uid, const uint64_t *tokens, const int *fds, size_t n, bool many);
int op_retrieve(World *w, const char *session, uid_t uid, uint64_t token, int *ret_fd);
int op_renew(World *w, const char *session, uid_t uid);
int op_carry(World *w, const char *session, uid_t uid);
int op_end(World *w, const char *session, uid_t uid, EndHow how);

/* --- as clients */

/* Reads a property; *ret_reply is inside of the variant. @interface as in bus-names.h. */
int get_property(World *w,
                 ClientId client,
                 const char *path,
                 const char *interface,
                 const char *property,
                 const char *type,
                 sd_bus_message **ret_reply);
/* Of a session: the property Files as one line for each file. The caller frees it. */
char *get_files(World *w, ClientId client, const char *session);
char *session_path(const char *session);

/* Asserts that @call, an expression with one of the above, is refused with that error (without "org.luod1.Error."),
 * and that nothing has changed or leaked. */
#define assert_refused(w, name, call)                                                            \
        do {                                                                                     \
                Before _before = before_new(w);                                                  \
                assert_true((call) < 0);                                                         \
                before_compare(w, &_before, name, __FILE__, __LINE__);                           \
        } while (0)
typedef struct Before {
        char *dump;
        unsigned n_fds, n_files;
} Before;
Before before_new(World *w);
void before_compare(World *w, Before *before, const char *error, const char *file, int line);

/* From now on only @spare fds can be had; gives the limit to go back to. */
struct rlimit limit_fds(unsigned spare);

/* A memfd with that content. */
int make_memfd(const char *content);
/* Closes @fd after comparing. */
void assert_content(int fd, const char *content);
const Session *find_session(World *w, const char *name);
const File *find_file(World *w, const char *session, uint64_t token);
/* The state of a file, or -ENOENT. */
int file_state(World *w, const char *session, uint64_t token);

/* Ends the process (exit status 77) with the reason if this world can't be: no root, no tmpfs. */
void world_require(void);
