/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "check.h"
#include "fd-util.h"
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

        if (unit_file_read(UNIT_DIRECTORIES, "luod.service", &u) < 0 || !u.found)
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

static void check_unclaimed(Manager *m, Finding *f) {
        unsigned n = 0;
        const char *name = NULL;
        Session *s;

        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (s->record.direction == DIRECTION_INCOMING) {
                        n++;
                        name = s->record.name;
                }
        if (n == 0)
                finding(f, FINDING_OK, "incoming", "", "No session of the last live update is left unfinished.");
        else
                finding(f, FINDING_WARNING, "incoming",
                        "Have them renewed ('luoctl renew SESSION') or, when they are not needed any more, finished.",
                        "%u sessions of the last live update, '%s' among them, are not finished: the next one loses them.", n,
                        name);
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

static void check_target(Manager *m, Finding *f) {
        TargetView view = target_look(m);

        if (!view.loaded)
                finding(f, FINDING_WARNING, "target", "Load one ('luoctl load').",
                        "No kernel is loaded to come next: without one a reboot is cold, and loses all that is kept.");
        else if (!view.record)
                finding(f, FINDING_WARNING, "target", "Load it anew ('luoctl load').",
                        "%s loaded the kernel that comes next, and how is not known: by kexec_load (as "
                        "'kexec -l' does without '-s') nothing is handed over.",
                        view.by_luod == KNOWLEDGE_NO ? "Somebody else than luod" : "Perhaps not luod");
        else
                check_luods_target(view.record, f);
}

size_t manager_check(Manager *m, Finding ret[static FINDINGS_MAX]) {
        size_t n = 0;

        check_kernel(m, ret + n++);
        if (m->support != LUO_SUPPORTED) /* the rest is not there */
                return n;
        check_features(m, ret + n++);
        check_custody_state(m, ret + n++);
        check_unit_file(m, ret + n++);
        check_ledger(m, ret + n++);
        check_sessions(m, ret + n++);
        check_unclaimed(m, ret + n++);
        check_memfd_sysctl(ret + n++);
        check_target(m, ret + n++);
        return n;
}

static bool is_named(const char *name, const char *const *names) {
        for (size_t i = 0; names && names[i]; i++)
                if (streq(names[i], name))
                        return true;
        return false;
}

int manager_check_blocking(Manager *m, const char *const *drop_unclaimed, Failure *ret) {
        Finding findings[FINDINGS_MAX];
        size_t n = manager_check(m, findings);
        Session *s;

        for (size_t i = 0; i < n; i++)
                if (findings[i].severity == FINDING_BLOCKS)
                        return failure_set(ret, FAILURE_UPDATE_BLOCKED, "%s %s", findings[i].message, findings[i].fix);
        LIST_FOREACH(&m->state.sessions, Session, link, s)
                if (s->record.direction == DIRECTION_INCOMING && !is_named(s->record.name, drop_unclaimed))
                        return failure_set(ret, FAILURE_UPDATE_BLOCKED, "Session '%s' would be lost", s->record.name);
        if (!target_look(m).loaded)
                return failure_set(ret, FAILURE_UPDATE_BLOCKED, "No kernel is loaded. Load one ('luoctl load')");
        return 0;
}

const char *finding_severity_to_string(FindingSeverity severity) {
        static const char *const names[_FINDING_SEVERITY_MAX] = { "ok", "warning", "blocks" };

        return severity >= 0 && severity < _FINDING_SEVERITY_MAX ? names[severity] : NULL;
}
