// SPDX-License-Identifier: Apache-2.0
#include "base/ctx.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/error.h"

enum { CTX_MAX_THREADS = 1024 };

static memo_status ctx_resolve_cpu(memo_cpu asked, memo_cpu *cpu, memo_err *err)
{
    if (asked == MEMO_CPU_AUTO) {
        *cpu = memo_cpu_best();
        return MEMO_OK;
    }
    if ((unsigned)asked > MEMO_CPU_COUNT - 1)
        return memo_fail(err, MEMO_ERR_USAGE, "%d is no CPU level", (int)asked);
    if (!memo_cpu_has(asked)) {
        memo_fail(err, MEMO_ERR_UNSUPPORTED, "this machine lacks CPU level %s; the best is %s",
                  memo_cpu_name(asked), memo_cpu_name(memo_cpu_best()));
        return memo_hint(err, MEMO_ERR_UNSUPPORTED, "use level %s or auto",
                         memo_cpu_name(memo_cpu_best()));
    }
    *cpu = asked;
    return MEMO_OK;
}

memo_status memo_ctx_new(const memo_ctx_options *options, memo_ctx **out, memo_err *err)
{
    memo_ctx_options o;
    memo_cpu cpu = MEMO_CPU_REF;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_ctx_options", err);
    if (status != MEMO_OK)
        return status;
    if (!out)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_ctx_new: ctx must not be NULL");
    status = ctx_resolve_cpu(o.cpu, &cpu, err);
    if (status != MEMO_OK)
        return status;
    if (o.n_threads > CTX_MAX_THREADS)
        return memo_fail(err, MEMO_ERR_LIMIT, "%u threads; at most %d are allowed", o.n_threads,
                         CTX_MAX_THREADS);
    if (o.n_threads == 0) {
        o.n_threads = memo_cpu_count();
        if (o.n_threads > CTX_MAX_THREADS)
            o.n_threads = CTX_MAX_THREADS;
    }
    memo_ctx *ctx = memo_calloc(1, sizeof *ctx);
    if (!ctx)
        return memo_fail_nomem(err, "a context", sizeof *ctx);
    ctx->options = o;
    ctx->cpu = cpu;
    ctx->mem_limit_bytes = o.mem_limit_bytes ? o.mem_limit_bytes : memo_memory_available() / 2;
    status = memo_pool_new(o.n_threads, &ctx->pool, err);
    if (status != MEMO_OK) {
        memo_ctx_free(ctx);
        return status;
    }
    *out = ctx;
    return MEMO_OK;
}

void memo_ctx_free(memo_ctx *ctx)
{
    if (!ctx)
        return;
    memo_pool_free(ctx->pool);
    memo_free(ctx);
}

memo_cpu memo_ctx_cpu(const memo_ctx *ctx)
{
    return ctx ? ctx->cpu : MEMO_CPU_AUTO;
}

unsigned memo_ctx_n_threads(const memo_ctx *ctx)
{
    return ctx ? memo_pool_n_workers(ctx->pool) : 0;
}

void memo_log(const memo_ctx *ctx, memo_log_level level, const char *fmt, ...)
{
    char message[1024];
    if (!ctx->options.log)
        return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (n >= 0)
        ctx->options.log(ctx->options.log_user, level, message);
}

int64_t memo_now_ms(const memo_ctx *ctx)
{
    if (ctx->options.clock_ms)
        return ctx->options.clock_ms(ctx->options.clock_user);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double memo_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

memo_status memo_progress_call(memo_progress_fn fn, void *user, const char *stage, uint64_t done,
                               uint64_t total, const char *item, memo_err *err)
{
    const memo_progress progress = {stage, done, total, item};
    if (fn && fn(user, &progress))
        return memo_fail(err, MEMO_ERR_CANCELLED, "%s: cancelled by the caller", stage);
    return MEMO_OK;
}

memo_deadline memo_deadline_in(int64_t deadline_ms)
{
    if (deadline_ms == 0)
        return (memo_deadline){0};
    if (deadline_ms < 0)
        return (memo_deadline){-1};
    return (memo_deadline){memo_monotonic_ms() + (double)deadline_ms};
}

int memo_deadline_passed(memo_deadline deadline)
{
    return deadline.at_ms != 0 && memo_monotonic_ms() >= deadline.at_ms;
}
