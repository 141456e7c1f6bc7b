// SPDX-License-Identifier: Apache-2.0
/* base/ctx.h -- what memo_ctx holds, for the rooms above. base does not know kernels: `cpu` is the
 * caller's cap, resolved by memo_kernels_for() when a model or store is opened. */
#ifndef MEMO_BASE_CTX_H
#define MEMO_BASE_CTX_H

#include <memolith/status.h>

#include "base/machine.h"
#include "base/pool.h"

struct memo_ctx {
    memo_ctx_options options;
    memo_cpu cpu; /* resolved level */
    uint64_t mem_limit_bytes;
    memo_pool *pool;
};

void memo_log(const memo_ctx *ctx, memo_log_level level, const char *fmt, ...) MEMO_PRINTF(3, 4);
int64_t memo_now_ms(const memo_ctx *ctx); /* wall clock of the context */
double memo_monotonic_ms(void);           /* for timings and deadlines */

/* Call a progress function; MEMO_ERR_CANCELLED when it asks to stop. fn may be NULL. */
memo_status memo_progress_call(memo_progress_fn fn, void *user, const char *stage, uint64_t done,
                               uint64_t total, const char *item, memo_err *err);

/* A deadline on the monotonic clock. deadline_ms 0: never passes. */
typedef struct memo_deadline {
    double at_ms; /* 0: none */
} memo_deadline;

memo_deadline memo_deadline_in(int64_t deadline_ms);
int memo_deadline_passed(memo_deadline deadline);

#endif
