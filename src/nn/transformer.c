// SPDX-License-Identifier: Apache-2.0
#include "nn/transformer.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "nn/attention.h"
#include "nn/pooling.h"
#include "quant/half.h"
#include "quant/int8.h"

/* Rows are one cache line longer than their values: with strides of a power of two the rows of a
 * tile fall into the same few sets of the first-level cache (measured 4-6 % end to end). */
#define TRANSFORMER_ROW_GAP ((size_t)MEMO_PANEL)

/* Largest hidden or intermediate size; keeps every product of a few sizes far from overflow. */
#define TRANSFORMER_MAX_WIDTH ((size_t)1 << 20)

/* Rows of a block after attention: the input of `down` and what leads to it stay in a second-level
 * cache of 1 MiB, and weights come from further away once a block. */
#define TRANSFORMER_BLOCK_ROWS ((size_t)128)

/* Rows of a block are a multiple of what a tile of the int8 kernels takes; and no worker joins for
 * fewer rows than these: tiles are full, and a run of the pool is little beside its tasks. */
#define TRANSFORMER_ROW_STEP   ((size_t)8)
#define TRANSFORMER_LEAST_ROWS ((size_t)24)

static int transformer_averages(const memo_transformer_config *c)
{
    return c->layers_average > 1;
}

/* Reserve n_rows * ld floats at the end of the scratch. */
static int transformer_reserve(size_t *end, size_t n_rows, size_t ld, size_t *offset)
{
    size_t n, total;

    if (!memo_mul_size(n_rows, ld, &n) || !memo_add_size(*end, n, &total) || total > SIZE_MAX / 64)
        return 0;
    *offset = *end;
    *end = memo_round_up(total, MEMO_PANEL);
    return 1;
}

memo_status memo_transformer_plan_run(const memo_transformer_config *c, size_t max_tokens,
                                      size_t max_seq, memo_transformer_plan *plan, memo_err *err)
{
    memo_transformer_plan p = {.max_tokens = max_tokens, .max_seq = max_seq};
    size_t end = 0, x, wide, n_attention, n_pooled;

    if (!c->hidden_size || c->hidden_size > TRANSFORMER_MAX_WIDTH || !c->intermediate_size ||
        c->intermediate_size > TRANSFORMER_MAX_WIDTH || !c->n_heads ||
        c->hidden_size % c->n_heads || !max_tokens || !max_seq || max_seq > max_tokens)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "transformer: hidden size %zu, intermediate size %zu, %zu heads and "
                         "sequences of %zu in %zu tokens do not fit together",
                         c->hidden_size, c->intermediate_size, c->n_heads, max_seq, max_tokens);
    p.ld_hidden = memo_round_up(c->hidden_size, MEMO_PANEL) + TRANSFORMER_ROW_GAP;
    p.ld_qkv = memo_round_up(3 * c->hidden_size, MEMO_PANEL) + TRANSFORMER_ROW_GAP;
    p.ld_ffn = memo_round_up(c->intermediate_size, MEMO_PANEL) + TRANSFORMER_ROW_GAP;
    p.block_rows = max_tokens < TRANSFORMER_BLOCK_ROWS ? max_tokens : TRANSFORMER_BLOCK_ROWS;
    wide = c->hidden_size > c->intermediate_size ? c->hidden_size : c->intermediate_size;
    n_pooled = transformer_averages(c) ? max_tokens : 1; /* no more sequences than tokens */
    n_attention = memo_attention_scratch(max_seq, c->hidden_size / c->n_heads);
    if (!n_attention || !transformer_reserve(&end, max_tokens, p.ld_hidden, &x) ||
        !transformer_reserve(&end, max_tokens, p.ld_hidden, &p.context) ||
        !transformer_reserve(&end, max_tokens, p.ld_qkv, &p.qkv) ||
        !transformer_reserve(&end, p.block_rows, p.ld_ffn, &p.ffn) ||
        !transformer_reserve(&end, 1, n_attention, &p.attention) ||
        !transformer_reserve(&end, p.block_rows, memo_linear_room_row(wide) / sizeof(float),
                             &p.input) ||
        !transformer_reserve(&end, p.block_rows, sizeof(memo_int8_row) / sizeof(float),
                             &p.input_rows) ||
        !transformer_reserve(&end, 1, memo_linear_room_unpacked(wide) / sizeof(float),
                             &p.unpacked) ||
        !transformer_reserve(&end, 2 * n_pooled, c->hidden_size, &p.pooled))
        return memo_fail(err, MEMO_ERR_VALUE, "transformer: scratch for %zu tokens overflows",
                         max_tokens);
    p.scratch_bytes = end * sizeof(float);
    *plan = p;
    return MEMO_OK;
}

/* The views of one run: what all workers see, and of the one at hand what is its own. */
typedef struct transformer_state {
    const memo_transformer *model;
    const memo_transformer_plan *plan;
    const memo_batch *batch;
    memo_tap tap;
    memo_workspace work;
    size_t n_tokens, block_rows, n_blocks;
    size_t layer;
    memo_rows x, context, qkv; /* of all tokens */
    double *pooled;
    memo_rows ffn; /* of a block: the worker's own, as are those below */
    float *attention;
    memo_linear_room room;
} transformer_state;

/* The state as a worker has it. */
static transformer_state transformer_of_worker(const transformer_state *s, unsigned worker)
{
    const memo_transformer_plan *plan = s->plan;
    float *own = (float *)(void *)((char *)s->work.scratch + worker * s->work.stride);
    transformer_state w = *s;

    w.ffn = (memo_rows){own + plan->ffn, plan->ld_ffn};
    w.attention = own + plan->attention;
    w.room = (memo_linear_room){(uint8_t *)(own + plan->input),
                                (memo_int8_row *)(void *)(own + plan->input_rows),
                                (int8_t *)(own + plan->unpacked)};
    return w;
}

/* fn for each task, on all workers of the run. */
static void transformer_divide(transformer_state *s, size_t n_tasks, memo_task_fn fn)
{
    if (s->work.pool && n_tasks > 1)
        memo_pool_run(s->work.pool, s->work.n_workers, n_tasks, fn, s);
    else
        for (size_t task = 0; task < n_tasks; task++)
            fn(s, task, 0);
}

/* Rows of a block, or of all tokens, from row `first` on. */
static memo_rows transformer_rows(memo_rows rows, size_t first)
{
    return (memo_rows){rows.data + first * rows.ld, rows.ld};
}

/* y = epilogue(x W' + bias) of n rows that are prepared in the room. */
static void transformer_linear(const transformer_state *s, const memo_linear *linear, size_t n,
                               memo_rows x, memo_epilogue epilogue, memo_rows y)
{
    if (s->tap.input)
        s->tap.input(s->tap.user, linear, x, n);
    memo_linear_run(s->model->kernels, linear, n, x, epilogue, y, s->room);
}

static void transformer_prepare(const transformer_state *s, const memo_linear *linear, size_t n,
                                memo_rows x)
{
    for (size_t r = 0; r < n; r++)
        memo_linear_prepare(s->model->kernels, linear, x.data + r * x.ld, r, s->room);
}

/* x = norm(x), prepared for the layer that reads it next, or NULL, while each row is at hand. */
static void transformer_norm(const transformer_state *s, memo_norm_weights norm,
                             const memo_linear *next, size_t n, memo_rows x)
{
    const memo_transformer_config *c = &s->model->config;
    const memo_kernels *kernels = s->model->kernels;

    for (size_t r = 0; r < n; r++) {
        float *row = x.data + r * x.ld;
        kernels->layer_norm_f32(c->hidden_size, row, norm.gain, norm.bias, c->norm_eps, row);
        if (next)
            memo_linear_prepare(kernels, next, row, r, s->room);
    }
}

/* The embedding of a token: where it lies, or as floats in `room`. */
static const float *transformer_word(const memo_transformer *m, uint32_t id, float *room)
{
    size_t dim = m->config.hidden_size, at = id * dim;

    switch (m->config.word_cls) {
    case MEMO_CLASS_F32:
        return (const float *)m->word.rows + at;
    case MEMO_CLASS_F16:
        m->kernels->f16_to_f32(dim, (const uint16_t *)m->word.rows + at, room);
        break;
    case MEMO_CLASS_BF16:
        for (size_t i = 0; i < dim; i++)
            room[i] = memo_bf16_to_f32(((const uint16_t *)m->word.rows)[at + i]);
        break;
    default:
        memo_int8_dequantize_row(dim, (const int8_t *)m->word.rows + at, m->word.scale[id], room);
        break;
    }
    return room;
}

/* x = word[id] + token_type[0] + position[t], added in this order as the reference does. */
static void transformer_gather(const transformer_state *s)
{
    const memo_transformer *m = s->model;
    const memo_kernels *kernels = m->kernels;
    size_t dim = m->config.hidden_size;

    for (size_t seq = 0; seq < s->batch->n_seqs; seq++) {
        size_t begin = s->batch->cu_seqlens[seq];
        size_t end = s->batch->cu_seqlens[seq + 1];
        for (size_t t = begin; t < end; t++) {
            float *x = s->x.data + t * s->x.ld;
            const float *word = transformer_word(m, s->batch->ids[t], x);
            const float *position = m->position + (t - begin) * dim;
            if (m->token_type) {
                kernels->add_f32(dim, word, m->token_type, x);
                word = x;
            }
            kernels->add_f32(dim, word, position, x);
        }
    }
}

/* Rows of a task's block. */
static size_t transformer_block_of(const transformer_state *s, size_t task, size_t *row)
{
    *row = task * s->block_rows;
    size_t left = s->n_tokens - *row;
    return left < s->block_rows ? left : s->block_rows;
}

/* Norm of the embeddings and the first layer's projections. */
static void transformer_first_block(void *user, size_t task, unsigned worker)
{
    transformer_state s = transformer_of_worker(user, worker);
    const memo_linear *qkv = &s.model->layers[0].qkv;
    size_t row, n = transformer_block_of(&s, task, &row);
    memo_rows x = transformer_rows(s.x, row);

    transformer_norm(&s, s.model->embedding_norm, qkv, n, x);
    transformer_linear(&s, qkv, n, x, MEMO_EPILOGUE_NONE, transformer_rows(s.qkv, row));
}

/* Tasks into which attention is divided: all heads at once, or some to each worker. */
static size_t transformer_head_tasks(const transformer_state *s)
{
    size_t n_heads = s->model->config.n_heads, most = 2 * (size_t)s->work.n_workers;
    return !s->work.pool ? 1 : n_heads < most ? n_heads : most;
}

static void transformer_attend(void *user, size_t task, unsigned worker)
{
    transformer_state s = transformer_of_worker(user, worker);
    const memo_transformer_config *c = &s.model->config;
    size_t n_tasks = transformer_head_tasks(&s), head_dim = c->hidden_size / c->n_heads;
    size_t first = c->n_heads * task / n_tasks, end = c->n_heads * (task + 1) / n_tasks;
    float *q = s.qkv.data + first * head_dim;
    memo_attention attention = {
        .n_seqs = s.batch->n_seqs,
        .cu_seqlens = s.batch->cu_seqlens,
        .n_heads = end - first,
        .n_kv_heads = end - first,
        .head_dim = head_dim,
        .precision = c->precision,
        .q = {q, s.qkv.ld},
        .k = {q + c->hidden_size, s.qkv.ld},
        .v = {q + 2 * c->hidden_size, s.qkv.ld},
        .out = {s.context.data + first * head_dim, s.context.ld},
    };

    memo_attention_run(s.model->kernels, &attention, s.attention);
}

/* What follows `up`: where `down` reads bytes, of which one step is 2^-8 of a row's range, the GELU
 * that errs by 2^-13 will do. */
static memo_epilogue transformer_activation(const memo_transformer_config *c,
                                            const memo_linear *down)
{
    if (c->activation == MEMO_ACTIVATION_GELU_TANH)
        return MEMO_EPILOGUE_GELU_TANH;
    return memo_linear_takes_bytes(down) ? MEMO_EPILOGUE_GELU_ERF_FAST : MEMO_EPILOGUE_GELU_ERF;
}

/* One block behind attention: x = norm(x + out(context)), x = norm(x + down(activation(up(x)))),
 * and the projections of the next layer unless this is the last. */
static void transformer_block(void *user, size_t task, unsigned worker)
{
    transformer_state s = transformer_of_worker(user, worker);
    const memo_transformer_config *c = &s.model->config;
    const memo_layer_weights *w = &s.model->layers[s.layer];
    const memo_linear *next = s.layer + 1 < c->n_layers ? &w[1].qkv : NULL;
    size_t row, n = transformer_block_of(&s, task, &row);
    memo_rows x = transformer_rows(s.x, row), context = transformer_rows(s.context, row);

    transformer_prepare(&s, &w->out, n, context);
    transformer_linear(&s, &w->out, n, context, MEMO_EPILOGUE_ADD, x);
    transformer_norm(&s, w->attention_norm, &w->up, n, x);
    transformer_linear(&s, &w->up, n, x, transformer_activation(c, &w->down), s.ffn);
    transformer_prepare(&s, &w->down, n, s.ffn);
    transformer_linear(&s, &w->down, n, s.ffn, MEMO_EPILOGUE_ADD, x);
    transformer_norm(&s, w->ffn_norm, next, n, x);
    if (next)
        transformer_linear(&s, next, n, x, MEMO_EPILOGUE_NONE, transformer_rows(s.qkv, row));
}

/* Add the states of one sequence to `sum`; returns how many. */
static size_t transformer_pool(const transformer_state *s, size_t seq, double *sum)
{
    const memo_transformer_config *c = &s->model->config;
    size_t begin = s->batch->cu_seqlens[seq];

    return memo_pool_tokens(c->pooling, transformer_rows(s->x, begin),
                            s->batch->cu_seqlens[seq + 1] - begin, c->hidden_size, sum);
}

/* The mean of the last layers: pooling is linear, so that their states are added to one sum. The
 * last layer itself comes with transformer_finish(). */
static void transformer_average(const transformer_state *s, size_t layer)
{
    const memo_transformer_config *c = &s->model->config;
    size_t first = c->n_layers - c->layers_average;

    if (layer == first)
        memset(s->pooled, 0, s->batch->n_seqs * c->hidden_size * sizeof *s->pooled);
    for (size_t seq = 0; layer >= first && layer + 1 < c->n_layers && seq < s->batch->n_seqs; seq++)
        transformer_pool(s, seq, s->pooled + seq * c->hidden_size);
}

static void transformer_finish(const transformer_state *s, float *vectors, unsigned char *ok)
{
    const memo_transformer_config *c = &s->model->config;
    size_t dim = memo_transformer_dim(c),
           n_layers = transformer_averages(c) ? c->layers_average : 1;

    for (size_t seq = 0; seq < s->batch->n_seqs; seq++) {
        double *sum = s->pooled;
        if (n_layers > 1)
            sum += seq * c->hidden_size;
        else
            memset(sum, 0, c->hidden_size * sizeof *sum);
        double n = (double)(transformer_pool(s, seq, sum) * n_layers);
        for (size_t i = 0; i < dim; i++)
            sum[i] /= n;
        ok[seq] = (unsigned char)memo_pool_finish(sum, dim, c->normalize, vectors + seq * dim);
    }
}

unsigned memo_transformer_workers(size_t n_tokens, unsigned most)
{
    size_t n = n_tokens / TRANSFORMER_LEAST_ROWS;
    return n < 1 ? 1 : n < most ? (unsigned)n : most;
}

/* Rows of a block: as planned, or fewer so that every worker has one. */
static size_t transformer_block_rows(const transformer_state *s)
{
    size_t n = s->work.pool ? s->work.n_workers : 1;
    size_t share = memo_round_up((s->n_tokens + n - 1) / n, TRANSFORMER_ROW_STEP);
    return share < s->plan->block_rows ? share : s->plan->block_rows;
}

void memo_transformer_run(const memo_transformer *model, const memo_transformer_plan *plan,
                          const memo_batch *batch, memo_workspace work, memo_tap tap,
                          float *vectors, unsigned char *ok)
{
    float *room = work.scratch;
    transformer_state s = {
        .model = model,
        .plan = plan,
        .batch = batch,
        .work = work,
        .tap = tap,
        .n_tokens = batch->cu_seqlens[batch->n_seqs],
        .x = {room, plan->ld_hidden},
        .context = {room + plan->context, plan->ld_hidden},
        .qkv = {room + plan->qkv, plan->ld_qkv},
        .pooled = (double *)(void *)(room + plan->pooled),
    };

    s.block_rows = transformer_block_rows(&s);
    s.n_blocks = (s.n_tokens + s.block_rows - 1) / s.block_rows;
    transformer_gather(&s);
    transformer_divide(&s, s.n_blocks, transformer_first_block);
    if (tap.fn)
        tap.fn(tap.user, 0, s.x, s.n_tokens);
    for (s.layer = 0; s.layer < model->config.n_layers; s.layer++) {
        if (work.go_on && !work.go_on(work.go_on_user))
            return;
        transformer_divide(&s, transformer_head_tasks(&s), transformer_attend);
        transformer_divide(&s, s.n_blocks, transformer_block);
        if (tap.fn)
            tap.fn(tap.user, s.layer + 1, s.x, s.n_tokens);
        if (transformer_averages(&model->config))
            transformer_average(&s, s.layer);
    }
    transformer_finish(&s, vectors, ok);
}
