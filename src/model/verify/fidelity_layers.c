// SPDX-License-Identifier: Apache-2.0
/* States layer by layer: each text runs through the reference, whose states are kept, and then
 * through the model, whose states are compared as they come. */
#include "model/verify/fidelity.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/verify/probe.h"

/* Enough for figures that do not depend on single texts; a few seconds for a model of 12 layers. */
#define LAYERS_MAX_TEXTS  64
#define LAYERS_MAX_TOKENS 256

/* Sums over the tokens of one stage: the embeddings, or a layer. */
typedef struct layer_sums {
    double cosines, least, error2, signal2;
    size_t n_tokens;
} layer_sums;

/* A model, its plan for one text, and room for it. */
typedef struct layer_side {
    const memo_transformer *transformer;
    memo_transformer_plan plan;
    void *scratch;
} layer_side;

typedef struct layer_job {
    layer_side ours, theirs;
    size_t dim, n_stages;
    size_t n_tokens; /* of the text at hand */
    float *states;   /* [n_stages, n_tokens, dim] of the reference */
    float *vector;   /* [dim] not used */
    layer_sums *sums;
} layer_job;

static void layer_keep(void *user, size_t stage, memo_rows states, size_t n_tokens)
{
    layer_job *job = user;
    float *to = job->states + stage * n_tokens * job->dim;

    for (size_t t = 0; t < n_tokens; t++)
        memcpy(to + t * job->dim, states.data + t * states.ld, job->dim * sizeof *to);
}

static void layer_compare(void *user, size_t stage, memo_rows states, size_t n_tokens)
{
    layer_job *job = user;
    layer_sums *sums = &job->sums[stage];
    const float *reference = job->states + stage * n_tokens * job->dim;

    for (size_t t = 0; t < n_tokens; t++) {
        const float *x = states.data + t * states.ld, *y = reference + t * job->dim;
        double xy = 0, xx = 0, yy = 0, error2 = 0;
        for (size_t i = 0; i < job->dim; i++) {
            double d = (double)x[i] - (double)y[i];
            xy += (double)x[i] * (double)y[i];
            xx += (double)x[i] * (double)x[i];
            yy += (double)y[i] * (double)y[i];
            error2 += d * d;
        }
        double cosine = xx == 0 && yy == 0 ? 1 : xy / sqrt(xx * yy);
        sums->cosines += cosine;
        if (!(cosine >= sums->least)) /* also NaN */
            sums->least = cosine;
        sums->error2 += error2;
        sums->signal2 += yy;
        sums->n_tokens++;
    }
}

static memo_status layer_begin_side(layer_side *side, const memo_model *model, size_t max_tokens,
                                    memo_err *err)
{
    side->transformer = &model->transformer;
    memo_status status = memo_transformer_plan_run(&model->transformer.config, max_tokens,
                                                   max_tokens, &side->plan, err);
    if (status)
        return status;
    if (side->plan.scratch_bytes > model->ctx->mem_limit_bytes)
        return memo_fail(err, MEMO_ERR_LIMIT, "comparing layers needs %zu bytes, the limit is %llu",
                         side->plan.scratch_bytes, (unsigned long long)model->ctx->mem_limit_bytes);
    side->scratch = memo_aligned_alloc(side->plan.scratch_bytes);
    if (!side->scratch)
        return memo_fail_nomem(err, "scratch of a layer", side->plan.scratch_bytes);
    return MEMO_OK;
}

static memo_status layer_begin(layer_job *job, const memo_model *model, const memo_model *against,
                               size_t max_tokens, memo_err *err)
{
    memo_status status;

    job->dim = model->transformer.config.hidden_size;
    job->n_stages = model->transformer.config.n_layers + 1;
    if ((status = layer_begin_side(&job->ours, model, max_tokens, err)) ||
        (status = layer_begin_side(&job->theirs, against, max_tokens, err)))
        return status;
    size_t n = job->n_stages * max_tokens * job->dim; /* at most 1,000 * 256 * 65,536 */
    job->states = memo_calloc(n, sizeof *job->states);
    job->vector = memo_calloc(job->dim, sizeof *job->vector);
    job->sums = memo_calloc(job->n_stages, sizeof *job->sums);
    if (!job->states || !job->vector || !job->sums)
        return memo_fail_nomem(err, "states of the layers", n * sizeof *job->states);
    for (size_t s = 0; s < job->n_stages; s++)
        job->sums[s].least = 1;
    return MEMO_OK;
}

static void layer_end(layer_job *job)
{
    memo_aligned_free(job->ours.scratch);
    memo_aligned_free(job->theirs.scratch);
    memo_free(job->states);
    memo_free(job->vector);
    memo_free(job->sums);
}

static void layer_run_text(layer_job *job, const uint32_t *ids, size_t n_tokens)
{
    const size_t cu_seqlens[2] = {0, n_tokens};
    memo_batch batch = {1, ids, cu_seqlens};
    unsigned char ok;

    memo_transformer_run(job->theirs.transformer, &job->theirs.plan, &batch,
                         (memo_workspace){.scratch = job->theirs.scratch},
                         (memo_tap){.fn = layer_keep, .user = job}, job->vector, &ok);
    memo_transformer_run(job->ours.transformer, &job->ours.plan, &batch,
                         (memo_workspace){.scratch = job->ours.scratch},
                         (memo_tap){.fn = layer_compare, .user = job}, job->vector, &ok);
}

static memo_status layer_run(layer_job *job, const memo_model *model, const memo_text_set *set,
                             size_t n_texts, size_t max_tokens, memo_err *err)
{
    memo_token_list list = {0};
    memo_buf ids = {0};
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < n_texts && status == MEMO_OK; i++) {
        /* spread over the whole set, which may be sorted by kind */
        memo_buf_clear(&ids);
        status = memo_probe_encode_text(model->tokenizer, set->texts[i * set->n / n_texts],
                                        max_tokens, &list, &ids, err);
        if (status == MEMO_OK)
            layer_run_text(job, (const uint32_t *)(const void *)ids.data, ids.n / sizeof(uint32_t));
    }
    memo_buf_fini(&ids);
    memo_token_list_fini(&list);
    return status;
}

memo_status memo_fidelity_layers(memo_fidelity_job *job, const memo_model *model,
                                 const memo_model *against, const memo_text_set *set, memo_err *err)
{
    size_t n_texts = set->n < LAYERS_MAX_TEXTS ? set->n : LAYERS_MAX_TEXTS;
    size_t max_tokens = model->file.recipe.max_tokens;
    layer_job run = {0};

    if (max_tokens > LAYERS_MAX_TOKENS && memo_model_n_special(model) < LAYERS_MAX_TOKENS)
        max_tokens = LAYERS_MAX_TOKENS;
    if (max_tokens > against->file.recipe.n_positions)
        return memo_fail(err, MEMO_ERR_MISMATCH, "the reference takes %zu tokens, the model %zu",
                         against->file.recipe.n_positions, max_tokens);
    memo_status status = layer_begin(&run, model, against, max_tokens, err);
    if (status == MEMO_OK)
        status = layer_run(&run, model, set, n_texts, max_tokens, err);
    memo_layer_fidelity *list = NULL;
    if (status == MEMO_OK) {
        list = memo_arena_array(&job->arena, run.n_stages, sizeof *list);
        if (!list)
            status = memo_fail_nomem(err, "the report", run.n_stages * sizeof *list);
    }
    for (size_t s = 0; list && s < run.n_stages; s++)
        list[s] = (memo_layer_fidelity){
            .cosine_mean = run.sums[s].cosines / (double)run.sums[s].n_tokens,
            .cosine_min = run.sums[s].least,
            .relative_error = sqrt(run.sums[s].error2 / run.sums[s].signal2),
        };
    if (list) {
        job->report.layers = list;
        job->report.n_layers = run.n_stages;
        job->report.n_layer_texts = n_texts;
    }
    layer_end(&run);
    return status;
}
