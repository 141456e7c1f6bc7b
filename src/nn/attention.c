// SPDX-License-Identifier: Apache-2.0
#include "nn/attention.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

/* Keys whose scores a tile of rows has at once: with 12 rows, 24 KiB of a first-level cache; with
 * ATTENTION_ROWS of them, as AMX takes, of a second-level one. */
#define ATTENTION_KEYS ((size_t)512)

/* Rows that go through a block of keys before the next one is fetched: a multiple of the GEMM tiles'
 * rows on every level (12, 6, 4, 32), and enough that K and V come from memory seldom. */
#define ATTENTION_ROWS ((size_t)96)

/* K and V are padded with zeros to whole tiles of AMX. */
#define ATTENTION_KEY_STEP ((size_t)32)

/* Floats of each part of scratch; both precisions fit. */
typedef struct attention_layout {
    size_t dim; /* head_dim in whole panels */
    size_t
        scores; /* of a row: of one block of keys, off a power of two so that rows share no sets */
    size_t packed; /* K, and as much for V */
    size_t block;  /* what ATTENTION_ROWS rows have gathered, and as much for their Q as bf16 */
    size_t total;
} attention_layout;

static int attention_plan(size_t n_tokens, size_t head_dim, attention_layout *l)
{
    if (n_tokens > SIZE_MAX / 64 || head_dim > SIZE_MAX / 64 / ATTENTION_ROWS)
        return 0;
    l->dim = memo_round_up(head_dim, MEMO_PANEL);
    l->block = ATTENTION_ROWS * l->dim;
    l->scores =
        memo_round_up(n_tokens < ATTENTION_KEYS ? n_tokens : ATTENTION_KEYS, ATTENTION_KEY_STEP) +
        MEMO_PANEL;
    size_t rest = ATTENTION_ROWS * (l->scores + 3) + 2 * l->block;
    return memo_mul_size(memo_round_up(n_tokens, ATTENTION_KEY_STEP), l->dim, &l->packed) &&
           l->packed <= SIZE_MAX / 64 && memo_add_size(2 * l->packed, rest, &l->total) &&
           l->total <= SIZE_MAX / 64;
}

size_t memo_attention_scratch(size_t n_tokens, size_t head_dim)
{
    attention_layout l;
    return attention_plan(n_tokens, head_dim, &l) ? l.total : 0;
}

/* What is the same for all heads and sequences, and the head at hand. */
typedef struct attention_work {
    const memo_kernels *kernels;
    const memo_attention *a;
    memo_gemm_kind kind;
    float scale;
    size_t dim, ld_scores;
    size_t key_panel, value_panel; /* bytes from one panel to the next */
    size_t n_tokens;               /* of the sequence; rows below count from its first */
    const float *q;
    float *out;
    float *keys, *values, *scores;
    float *gathered;                 /* [ATTENTION_ROWS, dim] */
    float *queries;                  /* [ATTENTION_ROWS, dim / 2] pairs of bf16 */
    float *largest, *sum, *rescaled; /* [ATTENTION_ROWS] of memo_softmax_tile */
} attention_work;

/* Rows row .. row + n_rows, and the keys from .. to that any of them sees; from is a whole step. */
typedef struct attention_tile {
    size_t row, n_rows, from, to;
} attention_tile;

static size_t attention_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static attention_tile attention_see(const attention_work *w, size_t row, size_t n_rows)
{
    const memo_attention *a = w->a;
    attention_tile t = {.row = row, .n_rows = n_rows, .to = w->n_tokens};
    if (a->window && row > a->window)
        t.from = (row - a->window) / ATTENTION_KEY_STEP * ATTENTION_KEY_STEP;
    if (a->window && a->window < w->n_tokens - row)
        t.to = attention_min(t.to, row + n_rows + a->window);
    if (a->causal)
        t.to = attention_min(t.to, row + n_rows);
    return t;
}

static int attention_is_bf16(const attention_work *w)
{
    return w->kind == MEMO_GEMM_BF16;
}

/* A dot product over head_dim, and the room of a row: of Q, and of a panel of K. */
static size_t attention_query_bytes(const attention_work *w)
{
    return attention_is_bf16(w)
               ? memo_round_up(w->a->head_dim, ATTENTION_KEY_STEP) * sizeof(uint16_t)
               : w->a->head_dim * sizeof(float);
}

/* V [n_tokens, head_dim] as panels: outputs are the head's dimensions, inputs are the tokens. Rows
 * of a panel of f32 are 16 consecutive floats of a row of V, so nothing is transposed. */
static void attention_pack_values(const attention_work *w, const float *v)
{
    size_t dim = w->a->head_dim, ld = w->a->v.ld;
    if (attention_is_bf16(w)) {
        w->kernels->pack_inputs_bf16(w->n_tokens, dim, v, ld, (uint16_t *)(void *)w->values,
                                     w->value_panel / sizeof(uint16_t));
        return;
    }
    for (size_t col = 0; col < dim; col += MEMO_PANEL) {
        float *panel = w->values + col / MEMO_PANEL * (w->value_panel / sizeof *panel);
        size_t n = attention_min(dim - col, MEMO_PANEL);
        if (n == MEMO_PANEL) { /* a size the compiler knows, so that it is a few moves */
            for (size_t t = 0; t < w->n_tokens; t++)
                memcpy(panel + t * MEMO_PANEL, v + t * ld + col, MEMO_PANEL * sizeof *panel);
            continue;
        }
        for (size_t t = 0; t < w->n_tokens; t++) {
            memcpy(panel + t * MEMO_PANEL, v + t * ld + col, n * sizeof *panel);
            memset(panel + t * MEMO_PANEL + n, 0, (MEMO_PANEL - n) * sizeof *panel);
        }
    }
}

static void attention_pack(attention_work *w, const float *k, const float *v)
{
    size_t dim = w->a->head_dim, ld = w->a->k.ld;
    w->key_panel = attention_query_bytes(w) * MEMO_PANEL;
    w->value_panel = memo_round_up(w->n_tokens, ATTENTION_KEY_STEP) * MEMO_PANEL *
                     (attention_is_bf16(w) ? sizeof(uint16_t) : sizeof(float));
    if (attention_is_bf16(w))
        w->kernels->pack_panels_bf16(w->n_tokens, dim, k, ld, (uint16_t *)(void *)w->keys,
                                     w->key_panel / sizeof(uint16_t));
    else
        w->kernels->pack_panels_f32(w->n_tokens, dim, k, ld, w->keys, w->key_panel / sizeof(float));
    attention_pack_values(w, v);
}

/* scores [rows, keys] = Q K', columns up to a whole panel. */
static void attention_score(const attention_work *w, const attention_tile *t, size_t first_row)
{
    const memo_gemm_kernel *kernel = &w->kernels->gemm[w->kind];
    size_t end = (t->to + MEMO_PANEL - 1) / MEMO_PANEL;
    memo_gemm_tile tile = {.k = w->a->head_dim, .ldc = w->ld_scores};
    if (attention_is_bf16(w)) {
        tile.lda = attention_query_bytes(w);
        tile.a = (const char *)w->queries + (t->row - first_row) * tile.lda;
    } else {
        tile.lda = w->a->q.ld * sizeof(float);
        tile.a = w->q + t->row * w->a->q.ld;
    }
    tile.panel_stride = w->key_panel;
    for (size_t p = t->from / MEMO_PANEL; p < end; p += kernel->panels) {
        tile.w = (const char *)w->keys + p * w->key_panel;
        tile.c = w->scores + (p * MEMO_PANEL - t->from);
        kernel->run(t->n_rows, attention_min(kernel->panels, end - p), &tile);
    }
}

/* gathered [rows, dim] = weights V, on top of what the keys before gave when `first` is not set. */
static void attention_mix(const attention_work *w, const attention_tile *t, float *gathered,
                          int first)
{
    const memo_gemm_kernel *kernel = &w->kernels->gemm[w->kind];
    size_t n_panels = w->dim / MEMO_PANEL;
    size_t key_bytes = MEMO_PANEL * (attention_is_bf16(w) ? sizeof(uint16_t) : sizeof(float));
    memo_gemm_tile tile = {
        .k = t->to - t->from,
        .a = w->scores,
        .lda = w->ld_scores * sizeof(float),
        .panel_stride = w->value_panel,
        .accumulate = !first,
        .ldc = w->dim,
    };
    for (size_t p = 0; p < n_panels; p += kernel->panels) {
        tile.w = (const char *)w->values + p * w->value_panel + t->from * key_bytes;
        tile.c = gathered + p * MEMO_PANEL;
        kernel->run(t->n_rows, attention_min(kernel->panels, n_panels - p), &tile);
    }
}

/* The keys t->from .. t->to for a tile of rows. first_row: the first of all rows in `gathered`. */
static void attention_step(const attention_work *w, const attention_tile *t, size_t first_row,
                           int first)
{
    const memo_kernels *kernels = w->kernels;
    size_t at = t->row - first_row, n = w->n_tokens;
    size_t window = w->a->window ? attention_min(w->a->window, n) : n;
    float *gathered = w->gathered + at * w->dim;
    memo_softmax_tile softmax = {
        .n_rows = t->n_rows,
        .n_keys = t->to - t->from,
        .x = w->scores,
        .ld = w->ld_scores,
        .from = (ptrdiff_t)(t->row) - (ptrdiff_t)(t->from + window),
        .to = (ptrdiff_t)(t->row + 1 + (w->a->causal ? 0 : window)) - (ptrdiff_t)t->from,
        .scale = w->scale,
        .first = first,
        .largest = w->largest + at,
        .sum = w->sum + at,
        .rescale = w->rescaled + at,
    };

    attention_score(w, t, first_row);
    if (attention_is_bf16(w))
        kernels->softmax_tile_bf16(&softmax);
    else
        kernels->softmax_tile_f32(&softmax);
    if (!first)
        kernels->scale_rows_f32(t->n_rows, w->dim, softmax.rescale, gathered, w->dim, gathered,
                                w->dim);
    attention_mix(w, t, gathered, first);
}

/* Rows row .. row + n_rows of the head, at most ATTENTION_ROWS. */
static void attention_rows(const attention_work *w, size_t row, size_t n_rows)
{
    const memo_attention *a = w->a;
    size_t most = attention_min(w->kernels->gemm[w->kind].rows, ATTENTION_ROWS);
    size_t n_tiles = (n_rows + most - 1) / most, step = (n_rows + n_tiles - 1) / n_tiles;
    attention_tile all = attention_see(w, row, n_rows);

    if (attention_is_bf16(w)) {
        size_t ld = attention_query_bytes(w) / sizeof(uint16_t);
        w->kernels->rows_to_bf16(n_rows, a->head_dim, ld, w->q + row * a->q.ld, a->q.ld,
                                 (uint16_t *)(void *)w->queries, ld);
    }
    for (size_t key = all.from; key < all.to; key += ATTENTION_KEYS) {
        for (size_t r = 0; r < n_rows; r += step) {
            attention_tile t = attention_see(w, row + r, attention_min(step, n_rows - r));
            int first = t.from >= key;
            t.from = first ? t.from : key;
            t.to = attention_min(t.to, key + ATTENTION_KEYS);
            if (t.from < t.to)
                attention_step(w, &t, row, first);
        }
    }
    for (size_t r = 0; r < n_rows; r++)
        w->sum[r] = 1.0f / w->sum[r];
    w->kernels->scale_rows_f32(n_rows, a->head_dim, w->sum, w->gathered, w->dim,
                               w->out + row * a->out.ld, a->out.ld);
}

static void attention_sequence(attention_work *w, size_t begin)
{
    const memo_attention *a = w->a;
    size_t n_shared = a->n_heads / a->n_kv_heads;

    for (size_t kv = 0; kv < a->n_kv_heads; kv++) {
        attention_pack(w, a->k.data + begin * a->k.ld + kv * a->head_dim,
                       a->v.data + begin * a->v.ld + kv * a->head_dim);
        for (size_t h = kv * n_shared; h < (kv + 1) * n_shared; h++) {
            w->q = a->q.data + begin * a->q.ld + h * a->head_dim;
            w->out = a->out.data + begin * a->out.ld + h * a->head_dim;
            for (size_t row = 0; row < w->n_tokens; row += ATTENTION_ROWS)
                attention_rows(w, row, attention_min(ATTENTION_ROWS, w->n_tokens - row));
        }
    }
}

void memo_attention_run(const memo_kernels *kernels, const memo_attention *a, float *scratch)
{
    int bf16 = a->precision == MEMO_PRECISION_BF16 && kernels->bf16_inputs;
    attention_layout l = {0};
    attention_work w = {
        .kernels = kernels,
        .a = a,
        .kind = bf16 ? MEMO_GEMM_BF16 : MEMO_GEMM_F32,
        .scale = a->scale > 0.0f ? a->scale : (float)(1.0 / sqrt((double)a->head_dim)),
        .dim = memo_round_up(a->head_dim, MEMO_PANEL),
    };

    for (size_t seq = 0; seq < a->n_seqs; seq++) {
        w.n_tokens = a->cu_seqlens[seq + 1] - a->cu_seqlens[seq];
        attention_plan(w.n_tokens, a->head_dim, &l); /* no more than was planned */
        w.ld_scores = l.scores;
        w.keys = scratch;
        w.values = w.keys + l.packed;
        w.scores = w.values + l.packed;
        w.gathered = w.scores + ATTENTION_ROWS * l.scores;
        w.queries = w.gathered + l.block;
        w.largest = w.queries + l.block;
        w.sum = w.largest + ATTENTION_ROWS;
        w.rescaled = w.sum + ATTENTION_ROWS;
        attention_sequence(&w, a->cu_seqlens[seq]);
    }
}
