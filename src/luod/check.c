/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdarg.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"
#include "fd-util.h"
#include "operations.h"
#include "inspect.h"
#include "name-util.h"
#include "owners.h"
#include "parts.h"
#include "unit-file.h"

static void finding(Finding *f, FindingSeverity severity, const char *id, const char *fix, const char *format, ...)
                _printf_(5, 6);

static void finding(Finding *f, FindingSeverity severity, const char *id, const char *fix, const char *format, ...) {
        va_list ap;

        f->severity = severity;
        f->id = id;
        (void) snprintf(f->fix, sizeof(f->fix), "%s", fix);
        va_start(ap, format);
        (void) vsnprintf(f->message, sizeof(f->message), format, ap);
        (void) utf8_mend(f->message); /* names in it may have been cut */
        va_end(ap);
}

static void check_kernel(Manager *m, Finding *f) {
        static const char *const fixes[_LUO_SUPPORT_MAX] = {
                [LUO_SUPPORTED] = "",
                [LUO_NOT_CONFIGURED] = "Boot a kernel with CONFIG_LIVEUPDATE=y, and 'kho=on liveupdate=on' on its command line.",
                [LUO_DISABLED] = "Add 'kho=on liveupdate=on' to the kernel command line and boot again.",
                [LUO_NO_DEVICE] = "Look at 'dmesg | grep -i -e luo -e kho'.",
                [LUO_IMPAIRED] = "Reboot. What was kept is lost then.",
        };

        finding(f, m->support == LUO_SUPPORTED ? FINDING_OK : FINDING_BLOCKS, "kernel", fixes[m->support], "%s",
                luo_support_message(m->support));
}

static void check_features(Manager *m, Finding *f) {
        if (!(m->features & LUO_FEATURE_PROBED))
                finding(f, FINDING_WARNING, "handlers",
                        "Wait until it is tried again, or restart luod ('systemctl restart luod.service'); nothing is lost by that.",
                        "What this kernel can do could not be tried: %s.", strerror(-m->features_error));
        else if (!(m->features & LUO_FEATURE_MEMFD))
                finding(f, FINDING_BLOCKS, "handlers", "Boot a kernel with CONFIG_LIVEUPDATE_MEMFD=y.",
                        "This kernel has no live update handler for files in memory.");
        else if (!(m->features & LUO_FEATURE_ONE_KEEPER) || !(m->features & LUO_FEATURE_DIRECTION))
                finding(f, FINDING_WARNING, "handlers",
                        "Use a kernel of 7.1 or newer, or one with the patches of kernel-patches/6.19; until then let nobody "
                        "but luod use " LUO_DEVICE ".",
                        "This kernel would keep an object twice, or take a session apart, if it were asked to: luod does not, "
                        "but can't see what others do.");
        else
                finding(f, FINDING_OK, "handlers", "", "This kernel keeps files in memory, and no object twice.");
}

static void check_custody_state(Manager *m, Finding *f) {
        switch (parts_custody_state(m)) {
        case CUSTODY_FDSTORE:
                finding(f, FINDING_OK, "custody", "", "systemd's fd store holds all kernel sessions, over kexec too.");
                break;
        case CUSTODY_DEGRADED:
                finding(f, FINDING_BLOCKS, "custody", "Wait a moment; if it stays so, see 'systemctl status luod.service'.",
                        "systemd's fd store is being checked or does not hold all kernel sessions.");
                break;
        case CUSTODY_FDSTORE_NO_KEXEC:
                finding(f, FINDING_BLOCKS, "custody", "Update systemd to 261 or newer; keep FileDescriptorStorePreserve=yes in luod.service.",
                        "systemd's fd store does not go over kexec here.");
                break;
        default:
                finding(f, FINDING_BLOCKS, "custody", "Run luod as luod.service ('systemctl start luod.service').",
                        "systemd can't be asked for luod's fd store.");
        }
}

/* The unit as PID 1 will see it after its next reload, or the next boot. */
static void check_unit_file(Manager *m, Finding *f) {
        static const char fix[] = "Put luod.service back as it came ('systemctl revert luod.service', 'systemctl unmask "
                                  "luod.service'), before a daemon-reload or a live update.";
        unsigned stored = 0;
        UnitFile u;
        Part *p;

        LIST_FOREACH(&m->state.parts, Part, state_link, p)
                stored += p->role != PART_BARE && p->fd >= 0;

        if (unit_file_read(m->unit_directories, "luod.service", &u) < 0 || !u.found)
                finding(f, FINDING_WARNING, "unit", "Install luod.service.",
                        "There is no unit file luod.service on disk: luod will not run after the next boot.");
        else if (u.masked)
                finding(f, FINDING_BLOCKS, "unit", fix, "luod.service is masked on disk: systemd will drop all stored fds.");
        else if (!u.startable)
                finding(f, FINDING_BLOCKS, "unit", fix,
                        "luod.service on disk has no ExecStart=: systemd will drop all stored fds.");
        else if (!u.preserve)
                finding(f, FINDING_BLOCKS, "unit", fix,
                        "luod.service on disk lacks FileDescriptorStorePreserve=yes: nothing would go over kexec.");
        else if (u.store_max < stored)
                finding(f, FINDING_BLOCKS, "unit", fix,
                        "luod.service on disk has FileDescriptorStoreMax=%u, but %u fds must be stored: systemd drops the rest.",
                        u.store_max, stored);
        else
                finding(f, FINDING_OK, "unit", "", "luod.service on disk keeps its fd store.");
}

static void check_enabled(Manager *m, Finding *f) {
        UnitFile u;

        if (unit_file_is_enabled(m->unit_directories, "luod.service"))
                finding(f, FINDING_OK, "units", "",
                        "luod.service is enabled: it comes back with the next boot.");
        else if (unit_file_read(m->unit_directories, "luod.service", &u) < 0 || !u.found)
                finding(f, FINDING_WARNING, "units",
                        "Install luod.service, and enable it ('systemctl enable luod.service').",
                        "luod.service would not come back with the next boot: it is not installed.");
        else
                finding(f, FINDING_WARNING, "units", "Enable it: 'systemctl enable luod.service'.",
                        "luod.service is not enabled: after a live update it starts only when somebody calls it.");
}

static void check_ledger(Manager *m, Finding *f) {
        switch (m->ledger_health) {
        case LEDGER_INTACT:
        case LEDGER_NONE:
                finding(f, FINDING_OK, "ledger", "", "The ledger is intact.");
                break;
        case LEDGER_DAMAGED:
                finding(f, FINDING_WARNING, "ledger", "Look at the sessions that carry flags ('luoctl list', 'luoctl show').",
                        "Records of the ledger were damaged.");
                break;
        case LEDGER_NEWER:
                finding(f, FINDING_WARNING, "ledger", "Update luod; the old ledger is still held.",
                        "The ledger was written by a newer luod; metadata is not known.");
                break;
        default:
                finding(f, FINDING_WARNING, "ledger", "Look at the sessions that carry flags ('luoctl list', 'luoctl show').",
                        "The ledger was lost; sessions, owners and tokens come from the index in each kernel session, "
                        "metadata is lost.");
        }
}

static void check_sessions(Manager *m, Finding *f) {
        unsigned flagged = 0;
        const char *name = NULL;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (s->flags != 0) {
                        flagged++;
                        name = s->record.name;
                }
        if (flagged == 0)
                finding(f, FINDING_OK, "sessions", "", "All %u sessions are complete.", m->state.n_sessions);
        else
                finding(f, FINDING_WARNING, "sessions", "See the property Flags ('luoctl show SESSION'); discard what is lost.",
                        "%u of %u sessions are not complete or not wholly known, '%s' among them.", flagged,
                        m->state.n_sessions, name);
}

/* Up to @max names, quoted, and how many more there are: "'a', 'b' and 3 more". */
typedef struct Names {
        char text[400];
        unsigned n, max;
} Names;

static void names_add(Names *names, const char *name, const char *remark) {
        size_t used = strlen(names->text);

        if (names->n++ < names->max)
                (void) snprintf(names->text + used, sizeof(names->text) - used, "%s'%s'%s",
                                used > 0 ? ", " : "", name, remark);
}

static const char *names_end(Names *names) {
        size_t used = strlen(names->text);

        if (names->n > names->max)
                (void) snprintf(names->text + used, sizeof(names->text) - used, " and %u more",
                                names->n - names->max);
        return names->text;
}

static bool is_among(const char *const *names, const char *name) {
        for (; names && *names; names++)
                if (streq(*names, name))
                        return true;
        return false;
}

/* Whom an update would wait for, and who is against it. */
static void check_participants(Manager *m, Finding *f) {
        const Lock *block = participants_find(&m->participants, LOCK_BLOCK), *l;
        Names names = { .max = 5 };
        Session *s;

        if (block) {
                finding(f, FINDING_BLOCKS, "participants", "Have it released ('luoctl inhibitors' lists all), or break it ('luoctl release-lock').",
                        "'%.100s' holds a lock against live updates: %.200s.", block->who, block->why);
                return;
        }
        LIST_FOREACH(&m->participants.locks, Lock, link, l)
                names_add(&names, l->who, " (a lock)");
        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (session_is_awaited(s))
                        names_add(&names, s->record.name, "");
        if (names.n == 0)
                finding(f, FINDING_OK, "participants", "", "Nobody has to be waited for.");
        else
                finding(f, FINDING_WARNING, "participants",
                        "None is needed if they get ready once they are told that an update is prepared; see 'luoctl inhibitors', "
                        "'luoctl ready'.",
                        "An update waits for %s.", names_end(&names));
}

/* What an update does of itself about what the last one brought. */
typedef struct Exempt {
        const char *const *drop_unclaimed; /* NULL: none */
        bool auto_renewed, unclaimed;
        bool for_people; /* what never blocks counts, too */
} Exempt;

static bool is_exempt(const Session *s, const Exempt *exempt) {
        return is_among(exempt->drop_unclaimed, s->record.name) || (exempt->auto_renewed && s->record.auto_renew) ||
                (exempt->unclaimed && !session_is_claimed(s)) ||
                ((exempt->auto_renewed || exempt->unclaimed) && s->record.state == SESSION_RENEWING);
}

static void check_incoming(Manager *m, const Exempt *exempt, Finding *f) {
        Names names = { .max = 5 }, renewed = { .max = 5 };
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (s->record.direction == DIRECTION_INCOMING)
                        names_add(is_exempt(s, exempt) ? &renewed : &names, s->record.name, "");
        if (names.n == 0 && renewed.n == 0)
                finding(f, FINDING_OK, "incoming", "", "No session of the last live update is left unfinished.");
        else if (names.n == 0)
                finding(f, FINDING_OK, "incoming", "",
                        "Of the last live update %s %s left, which the next one begins by keeping anew.", names_end(&renewed),
                        renewed.n == 1 ? "is" : "are");
        else
                finding(f, FINDING_BLOCKS, "incoming",
                        "Have its owner claim and finish it, or keep it: 'luoctl renew SESSION' what is in use, 'luoctl carry "
                        "SESSION' what nobody has claimed; or let it be lost: 'luoctl update --drop-unclaimed=SESSION'.",
                        "%s of the last live update %s not finished: the next one loses %s.",
                        names_end(&names), names.n == 1 ? "is" : "are", names.n == 1 ? "it" : "them");
}

/* --- those who have sessions */

static Owner *owners_of_sessions(Manager *m, size_t *ret_n) {
        Owner *owners = calloc(m->state.n_sessions + 1, sizeof(*owners));
        size_t n = 0;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (owners && s->record.uid != 0 && n < m->state.n_sessions)
                        owners[n++].uid = s->record.uid;
        *ret_n = owners ? owners_sort(owners, n) : 0;
        return owners;
}

static void add_session_without_owner(Names *names, const Session *s, const Owner *owner) {
        char remark[64];

        (void) snprintf(remark, sizeof(remark), " (of uid %u%s)", (unsigned) owner->uid,
                        owner->named ? "" : ", not in /etc/passwd");
        names_add(names, s->record.name, remark);
}

static uint64_t now_monotonic(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static void check_owners(Manager *m, Finding *f) {
        _cleanup_free_ Owner *owners = NULL;
        Names names = { .max = 3 };
        Session *s;
        size_t n;
        int r;

        owners = owners_of_sessions(m, &n);
        r = !owners ? -ENOMEM : n == 0 ? 0 : owners_find_processes_seldom(&m->owners_seen, "/proc", owners, n, PROCESSES_LOOK_MAX_USEC,
                                                                           now_monotonic());
        if (r < 0) {
                finding(f, FINDING_OK, "owners", "",
                        "Whether sessions have living owners can't be told: %s.", strerror(-r));
                return;
        }
        (void) owners_find_names("/etc/passwd", owners, n); /* a remark only */

        LIST_FOREACH(&m->state.sessions, Session, link, s) {
                const Owner *owner = owners_find(owners, n, s->record.uid);

                if (owner && !owner->lives)
                        add_session_without_owner(&names, s, owner);
        }
        if (names.n == 0)
                finding(f, FINDING_OK, "owners", "", "The owners of all sessions have processes.");
        else
                finding(f, FINDING_WARNING, "owners",
                        "Start what they belong to again, or discard them ('luoctl discard SESSION'): they take memory.",
                        "Sessions without a living owner: %s. No process of that user runs.",
                        names_end(&names));
}

/* --- memory */

static unsigned long long mib(uint64_t bytes) {
        return (bytes + (1U << 20) - 1) >> 20;
}

static void check_memory(Manager *m, Finding *f) {
        uint64_t available = memory_available(), reserve = m->config.memory_reserve,
                 holes = m->holes_in_flight;
        char filling[96] = "";

        if (holes > 0)
                (void) snprintf(filling, sizeof(filling),
                                ", and holes of %llu MiB may be filled by what is just being kept",
                                mib(holes));
        if (available == UINT64_MAX)
                finding(f, FINDING_OK, "memory", "", "%llu MiB are kept%s; how much is free is not known.",
                        mib(m->state.kept_bytes), filling);
        else if (available < reserve || available - reserve < holes)
                finding(f, FINDING_WARNING, "memory",
                        "Free some memory, have sessions that nobody needs finished or discarded, or set a smaller MemoryReserve= "
                        "in luod.conf.",
                        "%llu MiB are kept%s; %llu MiB are free, of which %llu MiB stay reserved (MemoryReserve=).",
                        mib(m->state.kept_bytes), filling, (unsigned long long) available >> 20,
                        mib(reserve));
        else
                finding(f, FINDING_OK, "memory", "", "%llu MiB are kept%s; %llu MiB are free.",
                        mib(m->state.kept_bytes), filling, (unsigned long long) available >> 20);
}

/* vm.memfd_noexec=1 gives every memfd F_SEAL_EXEC, which comes back write-sealed. */
static void check_memfd_sysctl(Finding *f) {
        _cleanup_free_ char *text = NULL;

        if (read_small_file("/proc/sys/vm/memfd_noexec", &text) < 0 || streq(text, "0"))
                finding(f, FINDING_OK, "memfd", "", "memfds are made writable after a live update (vm.memfd_noexec=0).");
        else
                finding(f, FINDING_WARNING, "memfd", "Set vm.memfd_noexec=0, or have programs create memfds with MFD_EXEC.",
                        "vm.memfd_noexec=%s: memfds get F_SEAL_EXEC and would come back write-sealed; luod refuses them.",
                        text);
}

static const char *release_of(const TargetRecord *r) {
        return r->release[0] ? r->release : "without a name";
}

static void check_luods_target(const TargetRecord *r, Finding *f) {
        if (r->luo == KNOWLEDGE_NO)
                finding(f, FINDING_BLOCKS, "target", "Load another one ('luoctl load --kernel=FILE').",
                        "The kernel that is loaded, %s, was built without CONFIG_LIVEUPDATE: it loses all that is kept.",
                        release_of(r));
        else if (r->memfd == KNOWLEDGE_NO)
                finding(f, FINDING_BLOCKS, "target", "Load another one ('luoctl load --kernel=FILE').",
                        "The kernel that is loaded, %s, has no handler for files in memory "
                        "(CONFIG_LIVEUPDATE_MEMFD): it can give back nothing.",
                        release_of(r));
        else if (r->abi == KNOWLEDGE_NO)
                finding(f, FINDING_BLOCKS, "target", "Load another one ('luoctl load --kernel=FILE').",
                        "The kernel that is loaded, %s, does not understand what this one hands over: it can give back nothing.",
                        release_of(r));
        else if (!r->switched_on)
                finding(f, FINDING_BLOCKS, "target",
                        "Load it with 'kho=on liveupdate=on' ('luoctl load --reuse-cmdline --append=...').",
                        "The command line of the kernel that is loaded, %s, does not switch the Live Update Orchestrator on.",
                        release_of(r));
        else if (r->luo == KNOWLEDGE_UNKNOWN || r->memfd == KNOWLEDGE_UNKNOWN)
                finding(f, FINDING_WARNING, "target",
                        "Install its configuration as /boot/config-RELEASE, and load it again.",
                        "Whether the kernel that is loaded, %s, keeps files in memory is not known: it could not be looked into.",
                        release_of(r));
        else if (r->abi == KNOWLEDGE_UNKNOWN)
                finding(f, FINDING_WARNING, "target",
                        "Have the image of the kernel that runs as /boot/vmlinuz-RELEASE, and load the next one again; or try the "
                        "update where nothing is at stake.",
                        "Whether the kernel that is loaded, %s, understands what this one hands over is not known.",
                        release_of(r));
        else
                finding(f, FINDING_OK, "target", "",
                        "Kernel %s is loaded to come next, and takes over what is kept.", release_of(r));
}

/* What `luoctl load` takes: the kernel that runs, by its name. luod looks into it before it loads it. */
static bool find_loadable(Manager *m, char *ret, size_t n) {
        struct utsname uts;

        return uname(&uts) >= 0 &&
               snprintf(ret, n, "%s/vmlinuz-%s", m->target.boot_dir, uts.release) < (int) n &&
               access(ret, R_OK) >= 0;
}

static void check_no_target(Manager *m, Finding *f) {
        static const char nothing[] =
                "No kernel is loaded to come next: without one a reboot is cold, and loses all that is kept.";
        char path[256];

        if (find_loadable(m, path, sizeof(path)))
                finding(f, FINDING_WARNING, "target",
                        "Load it ('luoctl load'); 'luoctl update' does so by itself.",
                        "%s The one that runs is loadable: %s.", nothing, path);
        else
                finding(f, FINDING_WARNING, "target", "Load one ('luoctl load --kernel=FILE').",
                        "%s The one that runs is not in %s under its name.", nothing, m->target.boot_dir);
}

static void check_target(Manager *m, Finding *f) {
        TargetView view = target_look(m);

        if (!view.loaded)
                check_no_target(m, f);
        else if (!view.record)
                finding(f, FINDING_WARNING, "target", "Load it anew ('luoctl load').",
                        "%s loaded the kernel that comes next, and how is not known: by kexec_load (as "
                        "'kexec -l' does without '-s') nothing is handed over.",
                        view.by_luod == KNOWLEDGE_NO ? "Somebody else than luod" : "Perhaps not luod");
        else
                check_luods_target(view.record, f);
}

unsigned manager_count_outgoing(const Manager *m, FileKind kind, const char **ret_session) {
        const Session *s;
        unsigned n = 0;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                for (size_t i = 0; s->record.direction == DIRECTION_OUTGOING && i < s->n_files; i++)
                        if (s->files[i]->record.kind == kind) {
                                n++;
                                *ret_session = s->record.name;
                        }
        return n;
}

/* With the same release and the same formats it is the kernel that runs, whose handlers have taken the files. */
static bool is_kernel_that_runs(const TargetRecord *r) {
        struct utsname uts;

        return r && r->abi == KNOWLEDGE_YES && uname(&uts) >= 0 && streq(r->release, uts.release);
}

/* Of a single file without a handler the next kernel takes back nothing at all. Which handlers a kernel has beside the one
 * for files in memory its image tells only as far as they have names that luod knows. */
static void check_files(Manager *m, Finding *f) {
        const TargetView view = target_look(m);
        const char *session = NULL;
        unsigned n_memory = manager_count_outgoing(m, FILE_KIND_MEMFD, &session),
                 n_others = manager_count_outgoing(m, FILE_KIND_OTHER, &session);

        if (n_memory > 0 && view.record &&
            (view.record->luo == KNOWLEDGE_NO || view.record->memfd == KNOWLEDGE_NO))
                finding(f, FINDING_BLOCKS, "files", "Load another one ('luoctl load --kernel=FILE').",
                        "%u files in memory are kept, and the kernel that is loaded has no handler for them.",
                        n_memory);
        else if (n_others == 0)
                finding(f, FINDING_OK, "files", "", "All %u files that are kept are files in memory.",
                        n_memory);
        else if (view.record && view.record->luo == KNOWLEDGE_NO)
                finding(f, FINDING_BLOCKS, "files", "Load another one ('luoctl load --kernel=FILE').",
                        "%u files that are not in memory are kept, and the kernel that is loaded has no handlers at all.",
                        n_others);
        else if (view.record && view.record->handlers == KNOWLEDGE_NO)
                finding(f, FINDING_BLOCKS, "files", "Load one that has it ('luoctl load', the one that runs, has).",
                        "%u files that are not in memory are kept, in session '%s' for one, and the kernel that is loaded, %s, lacks "
                        "the handler '%s' of this one: it can give back nothing at all.",
                        n_others, session, release_of(view.record), view.record->lacks);
        else if (view.record && view.record->handlers == KNOWLEDGE_YES && !is_kernel_that_runs(view.record))
                finding(f, FINDING_OK, "files", "",
                        "%u files that are not in memory are kept, and the kernel that is loaded, %s, has the handlers of this one.",
                        n_others, release_of(view.record));
        else if (is_kernel_that_runs(view.record))
                finding(f, FINDING_OK, "files", "",
                        "%u files that are not in memory are kept, and the kernel that runs comes next.",
                        n_others);
        else
                finding(f, FINDING_WARNING, "files",
                        "Load a kernel of which you know that it has the handlers ('luoctl load', the one that runs, has), or try "
                        "the update where nothing is at stake.",
                        "%u files that are not in memory are kept, in session '%s' for one: whether the kernel that comes next "
                        "has handlers for them is not known, and without them it gives back nothing at all.",
                        n_others, session);
}

static size_t check_all(Manager *m, const Exempt *exempt, Finding ret[static FINDINGS_MAX]) {
        size_t n = 0;

        check_kernel(m, ret + n++);
        if (m->support != LUO_SUPPORTED) /* the rest is not there */
                return n;
        check_features(m, ret + n++);
        check_custody_state(m, ret + n++);
        check_unit_file(m, ret + n++);
        check_enabled(m, ret + n++);
        check_ledger(m, ret + n++);
        check_sessions(m, ret + n++);
        check_participants(m, ret + n++);
        check_incoming(m, exempt, ret + n++);
        if (exempt->for_people) /* never blocks, and looks at all processes */
                check_owners(m, ret + n++);
        check_memory(m, ret + n++);
        check_memfd_sysctl(ret + n++);
        check_target(m, ret + n++);
        check_files(m, ret + n++);
        assert(n <= FINDINGS_MAX);
        return n;
}

size_t manager_check(Manager *m, Finding ret[static FINDINGS_MAX]) {
        static const Exempt exempt = { .auto_renewed = true, .for_people = true };

        return check_all(m, &exempt, ret);
}

int manager_check_blocking(
                Manager *m, const char *const *drop_unclaimed, bool before_renewal, bool carry, Failure *ret) {
        const Exempt exempt = {
                .drop_unclaimed = drop_unclaimed,
                .auto_renewed = before_renewal,
                .unclaimed = before_renewal && carry,
        };
        Finding findings[FINDINGS_MAX];
        size_t n = check_all(m, &exempt, findings);

        for (size_t i = 0; i < n; i++) {
                const Finding *f = findings + i;

                if (f->severity == FINDING_BLOCKS || (streq(f->id, "target") && !target_look(m).loaded))
                        return failure_set(ret, FAILURE_UPDATE_BLOCKED, "%s %s", f->message, f->fix);
        }
        return 0;
}

const char *finding_severity_to_string(FindingSeverity severity) {
        static const char *const names[_FINDING_SEVERITY_MAX] = { "ok", "warning", "blocks" };

        return severity >= 0 && severity < _FINDING_SEVERITY_MAX ? names[severity] : NULL;
}
