// SPDX-License-Identifier: Apache-2.0
#include "nn/transformer.h"

#include "base/checked.h"
#include "base/error.h"
#include "nn/attention.h"
#include "nn/pooling.h"
#include "quant/int8.h"

/* Rows are one cache line longer than their values: with strides of a power of two the rows of a
 * tile fall into the same few sets of the first-level cache (measured 4-6 % end to end). */
#define TRANSFORMER_ROW_GAP ((size_t)MEMO_PANEL)

/* Largest hidden or intermediate size; keeps every product of a few sizes far from overflow. */
#define TRANSFORMER_MAX_WIDTH ((size_t)1 << 20)

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

/* Room for the bytes of the widest input of a layer. */
static int transformer_reserve_bytes(const memo_transformer_config *c, size_t *end,
                                     memo_transformer_plan *p)
{
    size_t wide = c->hidden_size > c->intermediate_size ? c->hidden_size : c->intermediate_size;

    return c->cls != MEMO_CLASS_INT8 ||
           (transformer_reserve(end, p->max_tokens, memo_linear_row_bytes(wide) / sizeof(float),
                                &p->bytes) &&
            transformer_reserve(end, p->max_tokens, sizeof(memo_int8_row) / sizeof(float),
                                &p->byte_rows));
}

memo_status memo_transformer_plan_run(const memo_transformer_config *c, size_t max_tokens,
                                      size_t max_seq, memo_transformer_plan *plan, memo_err *err)
{
    memo_transformer_plan p = {.max_tokens = max_tokens, .max_seq = max_seq};
    size_t end = 0, x, wide, n_attention;

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
    wide = p.ld_qkv > p.ld_ffn ? p.ld_qkv : p.ld_ffn;
    n_attention = memo_attention_scratch(max_seq, c->hidden_size / c->n_heads);
    if (!n_attention || !transformer_reserve(&end, max_tokens, p.ld_hidden, &x) ||
        !transformer_reserve(&end, max_tokens, p.ld_hidden, &p.context) ||
        !transformer_reserve(&end, max_tokens, wide, &p.qkv) ||
        !transformer_reserve(&end, 1, n_attention, &p.attention) ||
        !transformer_reserve_bytes(c, &end, &p) ||
        !transformer_reserve(&end, 2, c->hidden_size, &p.pooled))
        return memo_fail(err, MEMO_ERR_VALUE, "transformer: scratch for %zu tokens overflows",
                         max_tokens);
    p.ffn = p.qkv;
    p.scratch_bytes = end * sizeof(float);
    *plan = p;
    return MEMO_OK;
}

/* The views of one run. */
typedef struct transformer_state {
    const memo_transformer *model;
    const memo_batch *batch;
    size_t n_tokens;
    memo_rows x, context, qkv, ffn;
    float *attention; /* scratch */
    memo_linear_room room;
} transformer_state;

static void transformer_norm(const transformer_state *s, memo_norm_weights norm)
{
    const memo_transformer_config *c = &s->model->config;
    const memo_kernels *kernels = s->model->kernels;

    for (size_t t = 0; t < s->n_tokens; t++) {
        float *row = s->x.data + t * s->x.ld;
        kernels->layer_norm_f32(c->hidden_size, row, norm.gain, norm.bias, c->norm_eps, row);
    }
}

/* The embedding of a token: where it lies, or dequantized into `room`. */
static const float *transformer_word(const memo_transformer *m, uint32_t id, float *room)
{
    size_t dim = m->config.hidden_size;

    if (m->config.cls != MEMO_CLASS_INT8)
        return (const float *)m->word.rows + id * dim;
    memo_int8_dequantize_row(dim, (const int8_t *)m->word.rows + id * dim, m->word.scale[id], room);
    return room;
}

/* x = norm(word[id] + token_type[0] + position[t]), added in this order as the reference does. */
static void transformer_embed(const transformer_state *s)
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
    transformer_norm(s, m->embedding_norm);
}

/* x = norm(x + attention(x)) */
static void transformer_attend(const transformer_state *s, const memo_layer_weights *layer)
{
    const memo_transformer_config *c = &s->model->config;
    const memo_kernels *kernels = s->model->kernels;

    memo_linear_run(kernels, &layer->qkv, s->n_tokens, s->x, MEMO_EPILOGUE_NONE, s->qkv, s->room);
    memo_attention attention = {
        .n_seqs = s->batch->n_seqs,
        .cu_seqlens = s->batch->cu_seqlens,
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_heads,
        .head_dim = c->hidden_size / c->n_heads,
        .q = s->qkv,
        .k = {s->qkv.data + c->hidden_size, s->qkv.ld},
        .v = {s->qkv.data + 2 * c->hidden_size, s->qkv.ld},
        .out = s->context,
    };
    memo_attention_run(kernels, &attention, s->attention);
    memo_linear_run(kernels, &layer->out, s->n_tokens, s->context, MEMO_EPILOGUE_ADD, s->x,
                    s->room);
    transformer_norm(s, layer->attention_norm);
}

/* x = norm(x + down(activation(up(x)))) */
static void transformer_feed_forward(const transformer_state *s, const memo_layer_weights *layer)
{
    const memo_kernels *kernels = s->model->kernels;
    memo_epilogue activation = s->model->config.activation == MEMO_ACTIVATION_GELU_TANH
                                   ? MEMO_EPILOGUE_GELU_TANH
                                   : MEMO_EPILOGUE_GELU_ERF;

    memo_linear_run(kernels, &layer->up, s->n_tokens, s->x, activation, s->ffn, s->room);
    memo_linear_run(kernels, &layer->down, s->n_tokens, s->ffn, MEMO_EPILOGUE_ADD, s->x, s->room);
    transformer_norm(s, layer->ffn_norm);
}

static void transformer_pool(const transformer_state *s, double *pooled, float *vectors,
                             unsigned char *ok)
{
    const memo_transformer_config *c = &s->model->config;

    for (size_t seq = 0; seq < s->batch->n_seqs; seq++) {
        size_t begin = s->batch->cu_seqlens[seq];
        size_t n_tokens = s->batch->cu_seqlens[seq + 1] - begin;
        memo_rows states = {s->x.data + begin * s->x.ld, s->x.ld};
        memo_pool_tokens(c->pooling, states, n_tokens, c->hidden_size, pooled);
        ok[seq] = (unsigned char)memo_pool_finish(pooled, c->hidden_size, c->normalize,
                                                  vectors + seq * c->hidden_size);
    }
}

void memo_transformer_run(const memo_transformer *model, const memo_transformer_plan *plan,
                          const memo_batch *batch, void *scratch, memo_tap tap, float *vectors,
                          unsigned char *ok)
{
    float *room = scratch;
    transformer_state s = {
        .model = model,
        .batch = batch,
        .n_tokens = batch->cu_seqlens[batch->n_seqs],
        .x = {room, plan->ld_hidden},
        .context = {room + plan->context, plan->ld_hidden},
        .qkv = {room + plan->qkv, plan->ld_qkv},
        .ffn = {room + plan->ffn, plan->ld_ffn},
        .attention = room + plan->attention,
        .room = {(uint8_t *)(room + plan->bytes),
                 (memo_int8_row *)(void *)(room + plan->byte_rows)},
    };

    transformer_embed(&s);
    if (tap.fn)
        tap.fn(tap.user, 0, s.x, s.n_tokens);
    for (size_t l = 0; l < model->config.n_layers; l++) {
        transformer_attend(&s, &model->layers[l]);
        transformer_feed_forward(&s, &model->layers[l]);
        if (tap.fn)
            tap.fn(tap.user, l + 1, s.x, s.n_tokens);
    }
    transformer_pool(&s, (double *)(void *)(room + plan->pooled), vectors, ok);
}
