// SPDX-License-Identifier: Apache-2.0
/* fault/power_check.h -- is what a power loss left what was promised? */
#ifndef MEMO_TESTS_POWER_CHECK_H
#define MEMO_TESTS_POWER_CHECK_H

#include "power_work.h"

typedef enum power_verdict {
    POWER_FINE,
    POWER_LOST,   /* whole, but as it was before an acknowledged change */
    POWER_BROKEN, /* does not open, is damaged, holds what never was, or takes no new record */
} power_verdict;

/* What may be there after the power loss: the content after change `done`, or after `begun`, which
 * is done or done + 1. Every older content after a change is POWER_LOST. */
typedef struct power_promise {
    const power_run *run;
    size_t done, begun;
} power_promise;

/* power_check_folder() -- open what lies in `folder` as a program would after a restart, and compare.
 *
 *   variant  chooses among equals: which record is searched by word, whether the store is opened
 *            once more in the end
 *   why      what is wrong
 *
 * Checks: the store opens (before the first change is acknowledged it may be absent or empty and is
 * made); each record is there with text, metadata and vector, and is the nearest to its vector; no
 * other is; the check of the whole store finds nothing; one more record can be added and is there
 * after a close. The model file is old or new as a whole. */
power_verdict power_check_folder(const power_promise *promise, const char *folder, memo_ctx *ctx,
                                 uint64_t variant, char why[512]);

#endif
