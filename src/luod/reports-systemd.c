/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager.h"
#include "reports-internal.h"

/* When PID 1 went down in the boot before (systemd 262 and newer hand that over a kexec) and came up in this one. */

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

typedef struct SystemdTimes {
        uint64_t shutdown, jump, userspace, userspace_monotonic;
} SystemdTimes;

static uint64_t *times_field(SystemdTimes *t, const char *property) {
        if (streq(property, "PreviousShutdownStartTimestamp"))
                return &t->shutdown;
        if (streq(property, "PreviousShutdownLateFinishTimestamp"))
                return &t->jump;
        if (streq(property, "UserspaceTimestamp"))
                return &t->userspace;
        return streq(property, "UserspaceTimestampMonotonic") ? &t->userspace_monotonic : NULL;
}

static int read_times(sd_bus_message *reply, SystemdTimes *ret) {
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *property;
                uint64_t *field;

                r = sd_bus_message_read_basic(reply, 's', &property);
                if (r < 0)
                        return r;
                field = times_field(ret, property);
                r = field ? sd_bus_message_read(reply, "v", "t", field) : sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

/* Only the realtime clock is taken of the boot before: systemd's other one stands still in suspend. Before systemd runs
 * nothing suspends. */
static void note_times(Manager *m, const SystemdTimes *t) {
        Report *report = &m->reports.arrived;
        ReportStamp *shutdown = report->times + REPORT_TIME_SHUTDOWN, *userspace = report->times + REPORT_TIME_USERSPACE;

        if (!report_stamp_is_known(shutdown))
                shutdown->realtime = t->shutdown;
        report->times[REPORT_TIME_JUMP].realtime = t->jump;
        if (t->userspace > 0) {
                userspace->realtime = t->userspace;
                userspace->boottime = t->userspace_monotonic;
                report_set_text(userspace->boot_id, sizeof(userspace->boot_id), m->state.head.boot_id);
        }
        reports_changed(m, &m->reports.arrived_changed);
}

static int on_systemd_answer(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        Manager *m = userdata;
        SystemdTimes times = {};

        m->reports.systemd_slot = sd_bus_slot_unref(m->reports.systemd_slot);
        if (!sd_bus_message_is_method_error(reply, NULL) && read_times(reply, &times) >= 0)
                note_times(m, &times);
        return 0;
}

void reports_ask_systemd(Manager *m, sd_bus *bus) {
        Reports *rs = &m->reports;

        if (rs->arrived.id == 0 || rs->systemd_slot || report_stamp_is_known(rs->arrived.times + REPORT_TIME_USERSPACE))
                return;
        if (!rs->systemd_bus)
                rs->systemd_bus = sd_bus_ref(bus);
        (void) sd_bus_call_method_async(bus, &rs->systemd_slot, SYSTEMD_NAME, SYSTEMD_PATH, "org.freedesktop.DBus.Properties",
                                        "GetAll", on_systemd_answer, m, "s", SYSTEMD_MANAGER);
}
