// SPDX-License-Identifier: Apache-2.0
/* base/fpmode.h -- the default floating-point mode for as long as something computes.
 *
 * A caller may have set another rounding, or subnormals to zero. The threads of a pool would not know
 * of it, and vectors would depend on who computed them. */
#ifndef MEMO_BASE_FPMODE_H
#define MEMO_BASE_FPMODE_H

#include <fenv.h>

static inline void memo_fp_default(fenv_t *before)
{
    fegetenv(before);
    fesetenv(FE_DFL_ENV);
}

/* The caller's mode and flags again. */
static inline void memo_fp_restore(const fenv_t *before)
{
    fesetenv(before);
}

#endif
