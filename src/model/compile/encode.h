// SPDX-License-Identifier: Apache-2.0
/* model/compile/encode.h -- the rows of a weight, as floats, into what its format stores.
 *
 *   memo_encoder_begin        one weight
 *   memo_encoder_survey       all of its rows, once for each of memo_encoder_n_surveys(): what a scale
 *                             or palette of the whole weight needs to know
 *   memo_encoder_rows         all of its rows, memo_encoder_strip() at a time
 *   memo_encoder_side         the tensors that follow the values
 *
 * Memory: a strip of 32 rows of the widest weight; the scales, sums and multipliers of the largest, at
 * most 1/4 byte for each of its values; and for feedback n_cols^2 floats of the widest 4-bit matrix
 * that is not wider than MEMO_ENCODER_FEEDBACK, and 96 of its rows. Neither bits nor memory depend on
 * the number of threads. */
#ifndef MEMO_MODEL_ENCODE_H
#define MEMO_MODEL_ENCODE_H

#include "base/pool.h"
#include "model/layout.h"
#include "quant/feedback.h"
#include "quant/palette.h"

#define MEMO_ENCODER_ROWS     32   /* of the largest strip: they share a palette */
#define MEMO_ENCODER_FEEDBACK 4096 /* inputs: two squares of floats, 128 MiB */

/* What was seen of the input of a matrix. */
typedef struct memo_input_range {
    float scale, offset;     /* x = scale * byte + offset */
    const float *importance; /* [n_cols] mean square of each input, or NULL */
    const float *moments;    /* [n_cols, n_cols] see quant/feedback.h, or NULL */
} memo_input_range;

typedef struct memo_encoder {
    const memo_compile_options *options; /* borrowed, as the pool */
    memo_pool *pool;
    const memo_slot *slot;         /* of the weight at hand */
    const memo_input_range *input; /* of the weight at hand, or NULL */
    float largest, tensor_scale;   /* over the whole weight */
    memo_palette_sums *palette_sums;
    memo_feedback feedback; /* of the weight at hand, when `feeds` */
    int feeds;
    int8_t tensor_palette[MEMO_PALETTE_SIZE];
    void *rows;        /* [32, widest] logical rows of the strip; owns the block */
    int8_t *bytes;     /* [32, widest] what codes stand for */
    uint8_t *row_side; /* [32, most blocks] multipliers of the rows */
    float *room;       /* [32] times what refine.h wants for one */
    float *scale;      /* the side tensors as they are stored */
    int32_t *sum;
    uint8_t *multiplier;
    int8_t *palette;
    float range[2];
} memo_encoder;

/* Room for every slot of a layout; `feedback` when inputs will come with moments. `encoder` is zeroed
 * by the caller but for its options. */
memo_status memo_encoder_init(memo_encoder *encoder, const memo_layout *layout, int feedback,
                              memo_err *err);

/* Whether moments of a weight's input are of use. */
int memo_encoder_wants_moments(const memo_slot *slot);
void memo_encoder_fini(memo_encoder *encoder);

void memo_encoder_begin(memo_encoder *encoder, const memo_slot *slot,
                        const memo_input_range *input);
size_t memo_encoder_n_surveys(const memo_encoder *encoder);

/* Rows that are encoded together: 32 of the classes that are worth a search on all threads (and may
 * share a palette), else 16. */
size_t memo_encoder_strip(const memo_encoder *encoder);

/* Both return n_rows, or the index of the first row that the format cannot store: it holds NaN, an
 * infinity, a value too large, or only values too small for a scale.
 *
 *   survey  counts from 0; after the last row of each memo_encoder_end_survey() */
size_t memo_encoder_survey(memo_encoder *encoder, size_t survey, const float *x, size_t n_rows);
/* 0 when the whole weight has no scale. */
int memo_encoder_end_survey(memo_encoder *encoder, size_t survey);
/*   row   first of them in the weight; encoder->rows is written, and their part of the side tensors */
size_t memo_encoder_rows(memo_encoder *encoder, const float *x, size_t row, size_t n_rows);

/* data [MEMO_STORED_KINDS] out: the side tensors once all rows were encoded. */
void memo_encoder_side(const memo_encoder *encoder, const void **data);

#endif
