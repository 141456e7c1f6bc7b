// SPDX-License-Identifier: Apache-2.0
#include "model/compile/encode.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "model/slot_rows.h"
#include "quant/half.h"
#include "quant/int4.h"
#include "quant/int8.h"
#include "quant/lut4.h"
#include "quant/pack.h"
#include "quant/refine.h"

/* ---- room ---------------------------------------------------------------------------------- */

/* The most that any weight of a layout needs. */
typedef struct encode_sizes {
    size_t n_cols, n_scales, n_multipliers, n_palettes, n_blocks;
    size_t n_feedback; /* inputs */
    int tensor_palette;
} encode_sizes;

static size_t encode_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int memo_encoder_wants_moments(const memo_slot *slot)
{
    return slot->packed && !slot->kept && slot->n_cols <= MEMO_ENCODER_FEEDBACK &&
           (slot->format.cls == MEMO_CLASS_INT4 || slot->format.cls == MEMO_CLASS_LUT4);
}

static encode_sizes encode_measure(const memo_layout *layout, int feedback)
{
    encode_sizes most = {0};

    for (size_t i = 0; i < layout->n_slots; i++) {
        const memo_slot *slot = &layout->slots[i];
        size_t n_panels = memo_pack_n_panels(slot->n_rows);
        most.n_cols = encode_larger(most.n_cols, slot->n_cols);
        if (memo_class_is_integer(slot->format.cls))
            most.n_scales = encode_larger(most.n_scales, memo_slot_n_groups(slot) * slot->n_rows);
        if (slot->format.cls == MEMO_CLASS_INT4) {
            size_t n_blocks = memo_slot_n_blocks(slot);
            most.n_blocks = encode_larger(most.n_blocks, n_blocks);
            most.n_multipliers =
                encode_larger(most.n_multipliers, n_panels * n_blocks * MEMO_PANEL);
        }
        if (slot->format.cls == MEMO_CLASS_LUT4)
            most.n_palettes = encode_larger(most.n_palettes, n_panels * 2 * MEMO_PALETTE_SIZE);
        most.tensor_palette |= slot->format.grain == MEMO_GRAIN_TENSOR;
        if (feedback && memo_encoder_wants_moments(slot))
            most.n_feedback = encode_larger(most.n_feedback, slot->n_cols);
    }
    return most;
}

/* Take n_bytes of a block that is counted first (base NULL) and cut then. */
static void *encode_take(char *base, size_t *at, size_t n_bytes)
{
    size_t begin = *at;
    *at = memo_round_up(begin + n_bytes, 64);
    return base ? base + begin : NULL;
}

static size_t encode_cut(memo_encoder *e, const encode_sizes *most, char *base)
{
    size_t n = MEMO_ENCODER_ROWS * most->n_cols, at = 0;

    e->rows = encode_take(base, &at, n * sizeof(float));
    e->bytes = encode_take(base, &at, n);
    e->row_side = encode_take(base, &at, MEMO_ENCODER_ROWS * most->n_blocks);
    e->scale = encode_take(base, &at, most->n_scales * sizeof *e->scale);
    e->sum = encode_take(base, &at, most->n_scales * sizeof *e->sum);
    e->multiplier = encode_take(base, &at, most->n_multipliers);
    e->palette = encode_take(base, &at, most->n_palettes);
    size_t n_feedback = most->n_feedback;
    e->feedback.order = encode_take(base, &at, n_feedback * sizeof *e->feedback.order);
    e->room =
        encode_take(base, &at, MEMO_ENCODER_ROWS * memo_refine_room(n_feedback) * sizeof *e->room);
    e->feedback.factor =
        encode_take(base, &at, n_feedback * n_feedback * sizeof *e->feedback.factor);
    if (most->tensor_palette)
        e->palette_sums = encode_take(base, &at, sizeof *e->palette_sums);
    return at;
}

memo_status memo_encoder_init(memo_encoder *e, const memo_layout *layout, int feedback,
                              memo_err *err)
{
    encode_sizes most = encode_measure(layout, feedback);
    size_t n_bytes = encode_cut(e, &most, NULL);
    char *base = memo_aligned_alloc(n_bytes);

    if (!base)
        return memo_fail_nomem(err, "a strip of weights", n_bytes);
    encode_cut(e, &most, base);
    return MEMO_OK;
}

void memo_encoder_fini(memo_encoder *e)
{
    memo_aligned_free(e->rows);
    e->rows = NULL;
}

/* ---- surveys ------------------------------------------------------------------------------- */

/* One scale for the whole weight: int8/tensor, and palettes without scales of the channels. */
static int encode_shares_scale(const memo_encoder *e)
{
    const memo_weight_format *f = &e->slot->format;

    return (f->cls == MEMO_CLASS_INT8 && f->grain == MEMO_GRAIN_TENSOR) ||
           (f->cls == MEMO_CLASS_LUT4 && e->options->palette_plain_scales);
}

/* One fitted palette for the whole weight. */
static int encode_shares_palette(const memo_encoder *e)
{
    return e->slot->format.cls == MEMO_CLASS_LUT4 && e->slot->format.grain == MEMO_GRAIN_TENSOR;
}

static const float *encode_importance(const memo_encoder *e)
{
    return e->input ? e->input->importance : NULL;
}

void memo_encoder_begin(memo_encoder *e, const memo_slot *slot, const memo_input_range *input)
{
    e->slot = slot;
    e->input = input;
    e->largest = e->tensor_scale = 0;
    if (e->palette_sums)
        memo_palette_clear(e->palette_sums);
    memset(e->range, 0, sizeof e->range);
    e->feedback.n = slot->n_cols;
    e->feeds = input && input->moments && memo_encoder_wants_moments(slot) &&
               memo_feedback_factor(&e->feedback, input->moments);
    if (input) {
        e->range[0] = input->scale;
        e->range[1] = input->offset;
    }
    /* What missing channels and blocks hold. */
    if (slot->format.cls == MEMO_CLASS_INT4)
        memset(e->multiplier, 1,
               memo_pack_n_panels(slot->n_rows) * memo_slot_n_blocks(slot) * MEMO_PANEL);
}

size_t memo_encoder_n_surveys(const memo_encoder *e)
{
    return (size_t)encode_shares_scale(e) + (size_t)encode_shares_palette(e);
}

size_t memo_encoder_strip(const memo_encoder *e)
{
    memo_class cls = e->slot->format.cls;

    return cls == MEMO_CLASS_INT4 || cls == MEMO_CLASS_LUT4 ? MEMO_ENCODER_ROWS : MEMO_PANEL;
}

size_t memo_encoder_survey(memo_encoder *e, size_t survey, const float *x, size_t n_rows)
{
    size_t n = e->slot->n_cols;
    int of_scale = survey == 0 && encode_shares_scale(e);

    for (size_t r = 0; r < n_rows; r++, x += n) {
        float scale = e->tensor_scale;
        if (of_scale && !memo_int8_largest(n, x, &e->largest))
            return r;
        if (of_scale)
            continue;
        if (!encode_shares_scale(e) && !memo_lut4_start_scale(n, x, encode_importance(e), &scale))
            return r;
        memo_palette_add(e->palette_sums, n, x, encode_importance(e), scale);
    }
    return n_rows;
}

int memo_encoder_end_survey(memo_encoder *e, size_t survey)
{
    if (survey == 0 && encode_shares_scale(e))
        return memo_int8_scale(e->largest, &e->tensor_scale);
    if (e->options->palette == MEMO_PALETTE_UNIFORM)
        memo_palette_uniform(e->tensor_palette);
    else
        memo_palette_fit(e->palette_sums, e->tensor_palette);
    return 1;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static size_t encode_halves(memo_encoder *e, const float *x, size_t n_rows)
{
    size_t n = e->slot->n_cols, total = n_rows * n;
    size_t done = e->slot->format.cls == MEMO_CLASS_F16 ? memo_f16_from_row(total, x, e->rows)
                                                        : memo_bf16_from_row(total, x, e->rows);
    return done == total ? n_rows : done / n;
}

/* One row or group of class int8. */
static int encode_int8_part(const memo_encoder *e, size_t begin, size_t n, const float *x,
                            int8_t *q, float *scale)
{
    const float *importance = encode_importance(e);

    if (e->options->scales == MEMO_SCALES_SEARCH)
        return memo_int8_search_row(n, x, importance ? importance + begin : NULL, q, scale);
    return memo_int8_quantize_row(n, x, q, scale);
}

static size_t encode_int8(memo_encoder *e, const float *x, size_t row, size_t n_rows)
{
    const memo_slot *slot = e->slot;
    size_t n = slot->n_cols, n_groups = memo_slot_n_groups(slot);
    size_t group = n_groups > 1 ? slot->format.grain : n;

    for (size_t r = 0; r < n_rows; r++)
        for (size_t g = 0; g < n_groups; g++) {
            size_t begin = g * group, at = g * slot->n_rows + row + r;
            size_t some = begin >= n ? 0 : n - begin < group ? n - begin : group;
            int8_t *q = (int8_t *)e->rows + r * n + begin;
            if (slot->format.grain == MEMO_GRAIN_TENSOR) {
                e->scale[at] = e->tensor_scale;
                if (!memo_int8_quantize_row_at(some, x + r * n, e->tensor_scale, q))
                    return r;
            } else if (some == 0) {
                e->scale[at] = 0; /* of padding alone */
            } else if (!encode_int8_part(e, begin, some, x + r * n + begin, q, &e->scale[at])) {
                return r;
            }
            e->sum[at] = memo_int8_sum_row(some, q);
        }
    return n_rows;
}

/* The sums of rows of codes, once their multipliers or palettes are in place. */
static void encode_sum_codes(memo_encoder *e, size_t row, size_t n_rows)
{
    const void *data[MEMO_STORED_KINDS];
    size_t n = e->slot->n_cols;

    memo_encoder_side(e, data);
    for (size_t first = 0; first < n_rows; first += MEMO_PANEL) {
        size_t left = n_rows - first, some = left < MEMO_PANEL ? left : MEMO_PANEL;
        memo_slot_expand(e->slot, data, row + first, some, (uint8_t *)e->rows + first * n,
                         e->bytes);
        for (size_t r = 0; r < some; r++)
            e->sum[row + first + r] = memo_int8_sum_row(n, e->bytes + r * n);
    }
}

/* A strip of rows at work: parts of one or more rows that do not need each other. */
typedef struct encode_strip {
    memo_encoder *e;
    const float *x;
    size_t row, n_rows;
    size_t share; /* rows of a part */
    size_t refused
        [MEMO_ENCODER_ROWS]; /* of each part: its first row that cannot be stored, or n_rows */
} encode_strip;

/* Encode the parts, over the threads; returns n_rows or the first row that cannot be stored. */
static size_t encode_parts(encode_strip *strip, memo_task_fn part)
{
    size_t n_parts = (strip->n_rows + strip->share - 1) / strip->share, first = strip->n_rows;

    memo_pool_run(strip->e->pool, memo_pool_n_workers(strip->e->pool), n_parts, part, strip);
    for (size_t i = n_parts; i-- > 0;)
        first = strip->refused[i] < first ? strip->refused[i] : first;
    return first;
}

static float *encode_room(const memo_encoder *e, size_t r)
{
    return e->room + r * memo_refine_room(e->feedback.n);
}

static void encode_int4_row(void *user, size_t r, unsigned worker)
{
    encode_strip *strip = user;
    memo_encoder *e = strip->e;
    size_t n = e->slot->n_cols, row = strip->row + r, block = e->slot->format.grain;
    size_t n_blocks = memo_slot_n_blocks(e->slot);
    uint8_t *panel = e->multiplier + row / MEMO_PANEL * n_blocks * MEMO_PANEL;
    memo_int4_row one = {(uint8_t *)e->rows + r * n, e->row_side + r * n_blocks, 0};

    (void)worker;
    strip->refused[r] = strip->n_rows;
    if (!memo_int4_quantize_row(n, block, strip->x + r * n, encode_importance(e), &one)) {
        strip->refused[r] = r;
        return;
    }
    if (e->feeds)
        memo_int4_feedback_row(&e->feedback, block, strip->x + r * n, &one, encode_room(e, r));
    e->scale[row] = one.scale;
    for (size_t b = 0; b < n_blocks; b++)
        panel[b * MEMO_PANEL + row % MEMO_PANEL] = one.multipliers[b];
}

static size_t encode_int4(memo_encoder *e, const float *x, size_t row, size_t n_rows)
{
    encode_strip strip = {.e = e, .x = x, .row = row, .n_rows = n_rows, .share = 1};
    size_t done = encode_parts(&strip, encode_int4_row);

    if (done == n_rows)
        encode_sum_codes(e, row, n_rows);
    return done;
}

/* Palettes are stored for each 8 rows, whatever shares them; half a panel without rows repeats the
 * other half's. */
static void encode_put_palette(memo_encoder *e, size_t row, size_t n_rows, const int8_t *palette)
{
    size_t end = memo_round_up(row + n_rows, 8);

    if (memo_round_up(e->slot->n_rows, 8) == end)
        end = memo_round_up(end, MEMO_PANEL);
    for (; row < end; row += 8)
        memcpy(e->palette + row / 8 * MEMO_PALETTE_SIZE, palette, MEMO_PALETTE_SIZE);
}

/* A row of a strip, once it has a palette, a scale and codes. */
static void encode_lut4_feedback(const encode_strip *strip, size_t r, const int8_t *palette)
{
    memo_encoder *e = strip->e;
    size_t n = e->slot->n_cols;
    memo_lut4_row row = {
        .palette = palette,
        .scale = &e->scale[strip->row + r],
        .keep_scale = encode_shares_scale(e),
        .codes = (uint8_t *)e->rows + r * n,
    };

    if (e->feeds)
        memo_lut4_feedback_row(&e->feedback, strip->x + r * n, &row, encode_room(e, r));
}

/* A row under the palette of the whole weight. */
static void encode_lut4_row(void *user, size_t r, unsigned worker)
{
    encode_strip *strip = user;
    memo_encoder *e = strip->e;
    const float *importance = encode_importance(e), *x = strip->x + r * e->slot->n_cols;
    size_t n = e->slot->n_cols;
    uint8_t *codes = (uint8_t *)e->rows + r * n;
    float *scale = &e->scale[strip->row + r];

    (void)worker;
    *scale = e->tensor_scale;
    int ok = encode_shares_scale(e)
                 ? memo_lut4_quantize_row_at(n, x, e->tensor_palette, *scale, codes)
                 : memo_lut4_start_scale(n, x, importance, scale) &&
                       memo_lut4_quantize_row(n, x, importance, e->tensor_palette, scale, codes);
    strip->refused[r] = ok ? strip->n_rows : r;
    if (ok)
        encode_lut4_feedback(strip, r, e->tensor_palette);
}

/* The rows that share a palette. */
static void encode_lut4_group(void *user, size_t part, unsigned worker)
{
    encode_strip *strip = user;
    memo_encoder *e = strip->e;
    size_t n = e->slot->n_cols, first = part * strip->share, left = strip->n_rows - first;
    memo_lut4_group group = {
        .n_rows = left < strip->share ? left : strip->share,
        .n_in = n,
        .x = strip->x + first * n,
        .importance = encode_importance(e),
        .uniform = e->options->palette == MEMO_PALETTE_UNIFORM,
        .keep_scales = encode_shares_scale(e),
        .scales = e->scale + strip->row + first,
        .codes = (uint8_t *)e->rows + first * n,
    };

    (void)worker;
    for (size_t r = 0; r < group.n_rows; r++)
        group.scales[r] = e->tensor_scale;
    size_t done = memo_lut4_quantize_group(&group);
    strip->refused[part] = done < group.n_rows ? first + done : strip->n_rows;
    if (done < group.n_rows)
        return;
    for (size_t r = 0; r < group.n_rows; r++)
        encode_lut4_feedback(strip, first + r, group.palette);
    encode_put_palette(e, strip->row + first, group.n_rows, group.palette);
}

static size_t encode_lut4(memo_encoder *e, const float *x, size_t row, size_t n_rows)
{
    int one_palette = e->slot->format.grain == MEMO_GRAIN_TENSOR;
    encode_strip strip = {
        .e = e,
        .x = x,
        .row = row,
        .n_rows = n_rows,
        .share = one_palette ? 1 : e->slot->format.grain,
    };
    size_t done = encode_parts(&strip, one_palette ? encode_lut4_row : encode_lut4_group);

    if (done < n_rows)
        return done;
    if (one_palette)
        encode_put_palette(e, row, n_rows, e->tensor_palette);
    encode_sum_codes(e, row, n_rows);
    return n_rows;
}

size_t memo_encoder_rows(memo_encoder *e, const float *x, size_t row, size_t n_rows)
{
    switch (e->slot->format.cls) {
    case MEMO_CLASS_F32:
        memcpy(e->rows, x, n_rows * e->slot->n_cols * sizeof *x);
        break;
    case MEMO_CLASS_F16:
    case MEMO_CLASS_BF16:
        return encode_halves(e, x, n_rows);
    case MEMO_CLASS_INT8:
        return encode_int8(e, x, row, n_rows);
    case MEMO_CLASS_INT4:
        return encode_int4(e, x, row, n_rows);
    case MEMO_CLASS_LUT4:
        return encode_lut4(e, x, row, n_rows);
    }
    return n_rows;
}

void memo_encoder_side(const memo_encoder *e, const void **data)
{
    data[MEMO_STORED_VALUES] = NULL;
    data[MEMO_STORED_INPUT] = e->range;
    data[MEMO_STORED_MULTIPLIER] = e->multiplier;
    data[MEMO_STORED_PALETTE] = e->palette;
    data[MEMO_STORED_SCALE] = e->scale;
    data[MEMO_STORED_SUM] = e->sum;
}
