// SPDX-License-Identifier: Apache-2.0
#include "index/blocks.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/pack.h"

#define BLOCKS_LANES 8 /* partial sums: a chain of additions waits for itself */

_Static_assert(MEMO_BLOCK == MEMO_PANEL, "a block is a panel of weights");

size_t memo_block_count(size_t n)
{
    return n / MEMO_BLOCK + (n % MEMO_BLOCK != 0);
}

size_t memo_block_inputs(size_t dim)
{
    return (dim + MEMO_PACK_INPUTS - 1) / MEMO_PACK_INPUTS * MEMO_PACK_INPUTS;
}

size_t memo_block_bytes(size_t dim)
{
    return memo_block_inputs(dim) * MEMO_BLOCK;
}

static double blocks_total(const double lanes[BLOCKS_LANES])
{
    double total = 0;
    for (size_t i = 0; i < BLOCKS_LANES; i++)
        total += lanes[i];
    return total;
}

static double blocks_square(const float *v, size_t n)
{
    double lanes[BLOCKS_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % BLOCKS_LANES] += (double)v[i] * (double)v[i];
    return blocks_total(lanes);
}

static float blocks_largest(const float *v, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fabsf(v[i]) > largest ? fabsf(v[i]) : largest;
    return largest;
}

/* The length of factor * v - scale * codes. */
static double blocks_error(const float *v, double factor, const int8_t *codes, double scale,
                           size_t n)
{
    double lanes[BLOCKS_LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        double e = factor * (double)v[i] - scale * codes[i];
        lanes[i % BLOCKS_LANES] += e * e;
    }
    return sqrt(blocks_total(lanes));
}

/* Above whatever the double arithmetic before it has rounded away: a relative 2^-30 is far more than
 * 65,536 operations of 2^-53, and 2^-40 covers the rounding of factor, of a length of 1. */
static float blocks_round_up(double x)
{
    return nextafterf((float)(x * (1 + 0x1p-30) + 0x1p-40), FLT_MAX);
}

/* The form of a level's activations: signed bytes, or with 128 added, as its zero tells. */
static uint8_t blocks_zero(const memo_kernels *kernels)
{
    uint8_t zeros[MEMO_PACK_INPUTS];
    memo_int8_row row = {.scale = 1};
    const float x = 0;
    kernels->quantize_static_int8(1, sizeof zeros, &x, zeros, &row);
    return zeros[0];
}

/* Bytes of a row of activations to signed values, in place. */
static void blocks_to_signed(uint8_t zero, size_t n, int8_t *codes)
{
    for (size_t i = 0; i < n; i++)
        codes[i] = (int8_t)(uint8_t)((uint8_t)codes[i] - zero);
}

/* ---- vectors ------------------------------------------------------------------------------- */

static int blocks_has_direction(double square)
{
    return square > MEMO_LEAST_SQUARE && square < MEMO_MOST_SQUARE; /* NaN: no */
}

static void blocks_encode_one(const memo_kernels *kernels, size_t dim, const float *v,
                              int8_t *codes, const memo_block_out *out, size_t at)
{
    const size_t n_in = memo_block_inputs(dim);
    double square = blocks_square(v, dim), length = sqrt(square);
    memo_int8_row row = {0};
    int32_t w_sum = 0;

    memset(codes, 0, n_in);
    out->scale[at] = 0;
    out->w_sum[at] = 0;
    out->error[at] = INFINITY;
    if (!blocks_has_direction(square))
        return;
    row.scale = blocks_largest(v, dim) / 127;
    kernels->quantize_static_int8(dim, n_in, v, (uint8_t *)codes, &row);
    blocks_to_signed(blocks_zero(kernels), n_in, codes);
    for (size_t i = 0; i < dim; i++)
        w_sum += codes[i];
    out->w_sum[at] = w_sum;
    out->scale[at] = (float)((double)row.scale / length);
    out->error[at] =
        blocks_round_up(blocks_error(v, 1 / length, codes, (double)out->scale[at], dim));
}

void memo_block_encode(const memo_kernels *kernels, size_t dim, const float *vectors, size_t n,
                       int8_t *scratch, const memo_block_out *out)
{
    const size_t n_in = memo_block_inputs(dim);

    for (size_t i = 0; i < MEMO_BLOCK; i++) {
        if (i < n) {
            blocks_encode_one(kernels, dim, vectors + i * dim, scratch + i * n_in, out, i);
            continue;
        }
        out->scale[i] = out->error[i] = 0;
        out->w_sum[i] = 0;
    }
    memo_pack_int8(n, n_in, scratch, out->codes);
}

/* ---- queries ------------------------------------------------------------------------------- */

/* The byte nearest to x / scale, x being no more than 127 scales and a rounding. */
static int blocks_nearest(double x, double scale)
{
    long code = lrint(x / scale);
    return code > 127 ? 127 : code < -127 ? -127 : (int)code;
}

int memo_block_query_encode(const memo_kernels *kernels, size_t dim, const float *query,
                            memo_block_query *out)
{
    const size_t n_in = memo_block_inputs(dim);
    double square = blocks_square(query, dim), factor = 1 / sqrt(square), error = 0;
    double high, low;
    uint8_t zero;

    if (!blocks_has_direction(square))
        return 0;
    zero = blocks_zero(kernels);
    out->rows[0] = (memo_int8_row){.scale = (float)(blocks_largest(query, dim) * factor / 127)};
    out->rows[1] = (memo_int8_row){.scale = out->rows[0].scale / 252};
    high = (double)out->rows[0].scale;
    low = (double)out->rows[1].scale;
    memset(out->bytes, zero, 2 * n_in);
    for (size_t i = 0; i < dim; i++) {
        double x = factor * (double)query[i], rest;
        int code = blocks_nearest(x, high), fine;
        rest = x - high * code;
        fine = blocks_nearest(rest, low);
        rest -= low * fine;
        error += rest * rest;
        out->bytes[i] = (uint8_t)(code + zero);
        out->bytes[n_in + i] = (uint8_t)(fine + zero);
    }
    out->error = blocks_round_up(sqrt(error));
    return 1;
}

/* The dot product and both squares of the exact score are trees of 16 lanes: dim / 16 + 5 roundings of
 * 2^-24 each, relative to |v| |w|, the roots and the rest less than ten more. The estimate is two sums
 * below 1.1 of six roundings each. Together less than (dim / 16 + 16) 2^-23; here twice that. */
float memo_block_slack(size_t dim)
{
    size_t n_roundings = dim / 16 + 16;
    return (float)n_roundings * 0x1p-22f;
}
