// SPDX-License-Identifier: Apache-2.0
#include "nn/attention.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

/* Scores of one block of query rows: 128 KiB, an eighth of a second-level cache, beside the packed
 * keys and values of the head. */
#define ATTENTION_SCORES ((size_t)32768)

/* Rows of the GEMM tile divide this on every level (12, 6, 4), so blocks leave no ragged tile. */
#define ATTENTION_ROW_STEP ((size_t)12)

/* Scratch: packed keys, packed values, scores; each a multiple of 16 floats. */
typedef struct attention_layout {
    size_t key_panel, value_panel; /* floats from one panel to the next */
    size_t n_keys, n_values;       /* floats */
    size_t ld_scores, block_rows;
    size_t most_scores; /* floats that block_rows rows take, here and for any shorter sequence */
} attention_layout;

static int attention_plan(size_t n_tokens, size_t head_dim, attention_layout *l)
{
    if (n_tokens > SIZE_MAX / 64 || head_dim > SIZE_MAX / 64)
        return 0;
    size_t tokens = memo_round_up(n_tokens, MEMO_PANEL);
    l->key_panel = head_dim * MEMO_PANEL;
    l->value_panel = tokens * MEMO_PANEL;
    l->ld_scores = tokens;
    size_t rows = ATTENTION_SCORES / (tokens + 1) / ATTENTION_ROW_STEP * ATTENTION_ROW_STEP;
    l->block_rows = rows < ATTENTION_ROW_STEP ? ATTENTION_ROW_STEP : rows;
    if (l->block_rows > n_tokens)
        l->block_rows = n_tokens;
    /* A shorter sequence may have a block of more scores (448 tokens: 72 rows, 464: 60), so the size
     * of a block is no bound for the shorter ones. This is one, because it never falls. */
    size_t least = ATTENTION_ROW_STEP * tokens, most = tokens;
    if (!memo_mul_size(tokens, tokens, &most) || most > ATTENTION_SCORES)
        most = ATTENTION_SCORES;
    l->most_scores = most > least ? most : least;
    return memo_mul_size(tokens, head_dim, &l->n_keys) &&
           memo_mul_size(tokens, memo_round_up(head_dim, MEMO_PANEL), &l->n_values);
}

size_t memo_attention_scratch(size_t n_tokens, size_t head_dim)
{
    attention_layout l;
    size_t n;

    if (!attention_plan(n_tokens, head_dim, &l) || !memo_add_size(l.n_keys, l.n_values, &n) ||
        !memo_add_size(n, l.most_scores, &n) || n > SIZE_MAX / 64)
        return 0;
    return memo_round_up(n, MEMO_PANEL);
}

/* V [n_tokens, head_dim] as panels: outputs are the head's dimensions, inputs are the tokens. Rows
 * of a panel are 16 consecutive floats of a row of V, so nothing is transposed. */
static void attention_pack_values(const memo_attention *a, const float *v,
                                  const attention_layout *l, float *panels)
{
    for (size_t col = 0; col < a->head_dim; col += MEMO_PANEL) {
        float *panel = panels + col / MEMO_PANEL * l->value_panel;
        size_t n = a->head_dim - col < MEMO_PANEL ? a->head_dim - col : MEMO_PANEL;
        for (size_t t = 0; t < a->n_tokens; t++) {
            memcpy(panel + t * MEMO_PANEL, v + t * a->qkv.ld + col, n * sizeof *panel);
            if (n < MEMO_PANEL)
                memset(panel + t * MEMO_PANEL + n, 0, (MEMO_PANEL - n) * sizeof *panel);
        }
    }
}

static void attention_head(const memo_kernels *kernels, const memo_attention *a,
                           const attention_layout *l, size_t head, float *scratch)
{
    size_t width = a->n_heads * a->head_dim;
    float *q = a->qkv.data + head * a->head_dim;
    float *keys = scratch;
    float *values = keys + l->n_keys;
    float *scores = values + l->n_values;
    float scale = (float)(1.0 / sqrt((double)a->head_dim));
    /* All columns of the last panel: its missing keys are zero, and softmax leaves them out. */
    memo_linear score = {
        .n_in = a->head_dim, .n_out = l->ld_scores, .panels = keys, .panel_stride = l->key_panel * sizeof(float)};
    memo_linear mix = {.n_in = a->n_tokens,
                       .n_out = a->head_dim,
                       .panels = values,
                       .panel_stride = l->value_panel * sizeof(float)};
    memo_linear_room none = {0}; /* both are class f32 */

    kernels->pack_panels_f32(a->n_tokens, a->head_dim, q + width, a->qkv.ld, keys, l->key_panel);
    attention_pack_values(a, q + 2 * width, l, values);
    for (size_t row = 0; row < a->n_tokens; row += l->block_rows) {
        size_t left = a->n_tokens - row;
        size_t n_rows = left < l->block_rows ? left : l->block_rows;
        memo_rows s = {scores, l->ld_scores};
        memo_rows block = {q + row * a->qkv.ld, a->qkv.ld};
        memo_rows out = {a->out.data + row * a->out.ld + head * a->head_dim, a->out.ld};
        memo_linear_run(kernels, &score, n_rows, block, MEMO_EPILOGUE_NONE, s, none);
        for (size_t r = 0; r < n_rows; r++)
            kernels->softmax_f32(a->n_tokens, scale, scores + r * l->ld_scores);
        memo_linear_run(kernels, &mix, n_rows, s, MEMO_EPILOGUE_NONE, out, none);
    }
}

void memo_attention_run(const memo_kernels *kernels, const memo_attention *attention,
                        float *scratch)
{
    attention_layout l = {0}; /* the same sizes planned well before */

    attention_plan(attention->n_tokens, attention->head_dim, &l);
    for (size_t head = 0; head < attention->n_heads; head++)
        attention_head(kernels, attention, &l, head, scratch);
}
