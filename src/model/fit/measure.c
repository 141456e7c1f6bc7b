// SPDX-License-Identifier: Apache-2.0
#include "model/fit/measure.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/verify/fidelity.h"
#include "model/verify/probe.h"

void memo_measure_fini(memo_measure_texts *texts)
{
    memo_buf_fini(&texts->ids);
    memo_buf_fini(&texts->starts);
    memset(texts, 0, sizeof *texts);
}

memo_status memo_measure_encode(memo_measure_texts *out, const memo_model *model,
                                const memo_text *texts, size_t n, memo_err *err)
{
    size_t max_tokens = model->file.recipe.max_tokens, at = 0;
    memo_token_list list = {0};
    memo_status status = MEMO_OK;

    if (max_tokens > MEMO_MEASURE_TOKENS && memo_model_n_special(model) < MEMO_MEASURE_TOKENS)
        max_tokens = MEMO_MEASURE_TOKENS;
    memo_buf_append(&out->starts, &at, sizeof at);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        status =
            memo_probe_encode_text(model->tokenizer, texts[i], max_tokens, &list, &out->ids, err);
        size_t end = out->ids.n / sizeof(uint32_t);
        if (end - at > out->longest)
            out->longest = end - at;
        at = end;
        memo_buf_append(&out->starts, &at, sizeof at);
    }
    out->n = n;
    memo_token_list_fini(&list);
    if (status == MEMO_OK && out->starts.failed)
        status = memo_fail_nomem(err, "token ids", out->starts.cap);
    return status;
}

memo_status memo_measure_own(memo_measure_texts *out, const memo_model *model, memo_err *err)
{
    memo_text_set set = {0};
    memo_status status = memo_text_set_all(&set, err);

    if (status == MEMO_OK)
        status = memo_measure_encode(out, model, set.texts, set.n, err);
    memo_text_set_fini(&set);
    return status;
}

typedef struct measure_job {
    const memo_transformer *transformer;
    memo_transformer_plan plan;
    const uint32_t *ids;
    const size_t *starts;
    size_t step, dim;
    memo_tap tap;
    char *scratch; /* [n_workers, plan.scratch_bytes] */
    float *vectors;
} measure_job;

static void measure_text(void *user, size_t task, unsigned worker)
{
    const measure_job *job = user;
    const size_t *at = job->starts + task * job->step;
    const size_t cu_seqlens[2] = {0, at[1] - at[0]};
    memo_batch batch = {1, job->ids + at[0], cu_seqlens};
    float *vector = job->vectors + task * job->dim;
    unsigned char ok;

    memo_workspace work = {.scratch = job->scratch + worker * job->plan.scratch_bytes};
    memo_transformer_run(job->transformer, &job->plan, &batch, work, job->tap, vector, &ok);
    if (!ok)
        memset(vector, 0, job->dim * sizeof *vector);
}

memo_status memo_measure_run(memo_ctx *ctx, const memo_transformer *transformer,
                             const memo_measure_texts *texts, size_t step, memo_tap tap,
                             float *vectors, memo_err *err)
{
    unsigned n_workers = tap.fn || tap.input ? 1 : memo_pool_n_workers(ctx->pool);
    measure_job job = {
        .transformer = transformer,
        .ids = (const uint32_t *)(const void *)texts->ids.data,
        .starts = (const size_t *)(const void *)texts->starts.data,
        .step = step,
        .dim = memo_transformer_dim(&transformer->config),
        .tap = tap,
        .vectors = vectors,
    };
    memo_status status = memo_transformer_plan_run(&transformer->config, texts->longest,
                                                   texts->longest, &job.plan, err);

    if (status)
        return status;
    job.scratch = memo_aligned_alloc(n_workers * job.plan.scratch_bytes);
    if (!job.scratch)
        return memo_fail_nomem(err, "scratch of the texts", n_workers * job.plan.scratch_bytes);
    memo_pool_run(ctx->pool, n_workers, (texts->n + step - 1) / step, measure_text, &job);
    memo_aligned_free(job.scratch);
    return MEMO_OK;
}
