/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Journal messages that an admin must act on, or that stand for the end of an update; units/luod.catalog says more. */
#define MESSAGE_ID_KERNEL_UNSUPPORTED "63a222763b9e4146ac4d54133ad040c2"
#define MESSAGE_ID_NOT_COMPLETE "567b199bd2e74b5a8a08ecaa6da86bf3"
#define MESSAGE_ID_RESTORE_IMPAIRED "5d37419965d14ab6b2147a9a11dd502a"
#define MESSAGE_ID_NO_CUSTODY "1272c760166c40128ba690317def2f8a"
#define MESSAGE_ID_UPDATE_DONE "5e7fcbbb41aa4653a9b34100528a89c1"
#define MESSAGE_ID_UPDATE_NOT_DONE "2ed272c754674f48a2d93d1491761969"
#define MESSAGE_ID_UPDATE_CLAIMED "bbe2cad8863b46ae851dafc18932f71e"
