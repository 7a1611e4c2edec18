/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "unit-starter.h"

/* Those who start units, for tests. */
typedef struct FakeUnits {
        char started[512]; /* names, each followed by a space */
        int error;         /* what each start comes to */
} FakeUnits;

/* @units must outlive it. */
UnitStarter *fake_units_new(FakeUnits *units);
