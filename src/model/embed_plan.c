// SPDX-License-Identifier: Apache-2.0
/* Sizes of the one block that embedding works in, and memo_model_plan(). */
#include "model/embed_plan.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"

/* A window: enough shards that threads seldom wait for the last one. */
#define EMBED_WINDOW_TOKENS ((size_t)16384)
#define EMBED_WINDOW_SEQS   ((size_t)1024)

/* Bytes that tokenizing takes per byte of the longest text: at most one token a byte, 4 bytes each,
 * three times while the list moves to twice its size; and the text behind its prompt, likewise. */
#define EMBED_TEXT_BYTES ((size_t)16)
/* ... and whatever its length: buffers of one word, the first size of the list, heads of blocks. */
#define EMBED_FIXED_BYTES ((size_t)32768)

static size_t plan_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Reserve n * item_bytes at a 64-byte boundary. */
static int plan_reserve(size_t *end, size_t n, size_t item_bytes, size_t *offset)
{
    size_t bytes, total;

    if (!memo_mul_size(n, item_bytes, &bytes) || !memo_add_size(*end, bytes, &total) ||
        total > SIZE_MAX / 2)
        return 0;
    *offset = *end;
    *end = memo_round_up(total, 64);
    return 1;
}

/* Bytes of the longest prompt. */
static size_t plan_prompt_bytes(const memo_model *model)
{
    size_t query = strlen(model->file.recipe.prompt_query);
    size_t document = strlen(model->file.recipe.prompt_document);
    return query > document ? query : document;
}

/* How many tokens a window and a shard may hold. The largest text has at most as many tokens as
 * bytes; a text counts as one sequence, and more than one only when it fills sequences. */
static void plan_window(const memo_model *model, size_t longest_bytes, size_t n_texts, int chunk,
                        memo_embed_sizes *s)
{
    size_t max_tokens = model->file.recipe.max_tokens;
    size_t special = memo_model_n_special(model);
    size_t prompt = plan_prompt_bytes(model), all;

    s->max_seq = max_tokens;
    if (longest_bytes < max_tokens && longest_bytes + prompt + special < max_tokens)
        s->max_seq = longest_bytes + prompt + special;
    if (!s->max_seq)
        s->max_seq = 1;
    s->window_tokens = EMBED_WINDOW_TOKENS > max_tokens ? EMBED_WINDOW_TOKENS : max_tokens;
    s->window_seqs = EMBED_WINDOW_SEQS;
    if (!chunk || s->max_seq < max_tokens) {
        s->window_seqs = plan_min(s->window_seqs, n_texts);
        if (memo_mul_size(n_texts, s->max_seq, &all))
            s->window_tokens = plan_min(s->window_tokens, all);
    }
    s->shard_tokens = plan_min(s->window_tokens, MEMO_EMBED_SHARD_TOKENS);
    if (s->shard_tokens < s->max_seq)
        s->shard_tokens = s->max_seq;
}

memo_status memo_embed_plan(const memo_model *model, size_t longest_bytes, size_t n_texts,
                            unsigned n_threads, int chunk, memo_embed_sizes *s, memo_err *err)
{
    unsigned most = memo_pool_n_workers(model->ctx->pool);
    size_t dim = memo_transformer_dim(&model->transformer.config);
    size_t end = 0, text, prompt = plan_prompt_bytes(model);
    memo_status status;

    if (n_threads > most)
        return memo_fail(err, MEMO_ERR_VALUE, "%u threads, but the context has %u", n_threads,
                         most);
    plan_window(model, longest_bytes, n_texts, chunk, s);
    s->n_workers = n_threads ? n_threads : most;
    /* No more workers than the smallest shards of a full window. */
    size_t shards = s->window_tokens / MEMO_EMBED_MIN_SHARD_TOKENS + 1;
    size_t useful = plan_min(shards, s->window_seqs);
    /* ... or those who can share a single one. */
    unsigned sharing = memo_transformer_workers(s->shard_tokens, (unsigned)s->n_workers);
    s->n_workers = plan_min(s->n_workers, useful > sharing ? useful : sharing);
    if ((status = memo_transformer_plan_run(&model->transformer.config, s->shard_tokens, s->max_seq,
                                            &s->plan, err)))
        return status;
    size_t scratch = memo_round_up(s->plan.scratch_bytes, 64);
    if (!plan_reserve(&end, n_texts, dim * sizeof(float), &s->staging) ||
        !plan_reserve(&end, n_texts, sizeof(memo_embed_result), &s->results) ||
        !plan_reserve(&end, s->window_tokens, sizeof(uint32_t), &s->ids) ||
        !plan_reserve(&end, s->window_seqs, sizeof(memo_embed_seq), &s->seqs) ||
        !plan_reserve(&end, s->window_seqs + 1, sizeof(size_t), &s->cu) ||
        !plan_reserve(&end, s->window_seqs, sizeof(memo_embed_shard), &s->shards) ||
        !plan_reserve(&end, s->window_seqs, 1, &s->ok) ||
        !plan_reserve(&end, s->window_seqs, dim * sizeof(float), &s->vectors) ||
        !plan_reserve(&end, dim, sizeof(double), &s->sum) ||
        !plan_reserve(&end, s->n_workers * (s->shard_tokens + 1), sizeof(size_t), &s->starts) ||
        !plan_reserve(&end, s->n_workers, scratch, &s->scratch) ||
        !memo_add_size(longest_bytes, prompt, &text) ||
        !memo_mul_size(text, EMBED_TEXT_BYTES, &text) ||
        !memo_add_size(end, EMBED_FIXED_BYTES, &s->total_bytes) ||
        !memo_add_size(s->total_bytes, text, &s->total_bytes))
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "%zu texts of up to %zu bytes need more memory than there are addresses",
                         n_texts, longest_bytes);
    s->block_bytes = end;
    return MEMO_OK;
}

memo_status memo_model_plan(const memo_model *model, size_t longest_bytes, size_t n_texts,
                            unsigned n_threads, memo_plan *plan, memo_err *err)
{
    memo_embed_sizes sizes = {0};
    memo_plan found;
    memo_status status;

    if (!model || !plan)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_model_plan: a needed argument is NULL");
    status = memo_result_check(plan, "memo_plan", err);
    if (status == MEMO_OK)
        status = memo_embed_plan(model, longest_bytes, n_texts, n_threads, 0, &sizes, err);
    if (status)
        return status;
    found = (memo_plan){.scratch_bytes = n_texts ? sizes.total_bytes : 0,
                        .mapped_bytes = model->file.n_bytes,
                        .n_threads = (unsigned)sizes.n_workers};
    memo_result_write(plan, &found, sizeof found);
    return MEMO_OK;
}
