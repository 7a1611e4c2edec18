/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "fake-units.h"
#include "macro.h"

typedef struct FakeStarter {
        UnitStarter starter;
        FakeUnits *units;
} FakeStarter;

static int start(UnitStarter *starter, const char *unit, bool optional, unit_started_fn done, void *userdata) {
        FakeUnits *u = ((FakeStarter *) starter)->units;
        size_t n = strlen(u->started);

        (void) snprintf(u->started + n, sizeof(u->started) - n, "%s ", unit);
        done(u->error, userdata);
        return 0;
}

static UnitStarter *starter_free(UnitStarter *starter) {
        free(starter);
        return NULL;
}

UnitStarter *fake_units_new(FakeUnits *units) {
        static const UnitStarterOps ops = { .start = start, .free = starter_free };
        FakeStarter *s = malloc(sizeof(*s));

        if (!s)
                abort();
        *s = (FakeStarter) { .starter.ops = &ops, .units = units };
        return &s->starter;
}
