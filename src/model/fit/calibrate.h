// SPDX-License-Identifier: Apache-2.0
/* model/fit/calibrate.h -- what the inputs of the matrices look like, measured on texts.
 *
 * Twice through the texts: least, largest and mean square of each input first; then a histogram of
 * each matrix, from which the range is chosen whose bytes cost the least squared error: a few large
 * values may be clipped. Second moments (quant/feedback.h), a square of floats for each matrix, come
 * when they are asked for: for as many matrices at a time as fit in MEMO_CALIBRATE_BYTES, each time
 * once more through the texts. */
#ifndef MEMO_MODEL_CALIBRATE_H
#define MEMO_MODEL_CALIBRATE_H

#include "model/compile/encode.h"
#include "model/model_handle.h"

#define MEMO_CALIBRATE_TEXTS 1024 /* lines beyond these are not read */
#define MEMO_CALIBRATE_BYTES                                                                       \
    ((size_t)96 << 20) /* of moments, at most; see memo_calibration_check() */

typedef struct memo_calibrate_job memo_calibrate_job;

/* memo_calibrate() -- run a model on the lines of a text file.
 *
 *   model    borrowed until the calibration is freed; in class f32 as a rule
 *   path     NULL: our own texts
 *   options  progress; borrowed likewise
 *
 * MEMO_ERR_VALUE: no line with a character, invalid UTF-8 naming the line, or an input that is not
 * finite. Memory: 8 KiB and the importance of its inputs for each matrix, and the texts. */
memo_status memo_calibrate(memo_model *model, const char *path, const memo_compile_options *options,
                           memo_calibrate_job **out, memo_err *err);
void memo_calibration_free(memo_calibrate_job *calibration);

/* memo_calibration_check() -- hold what moments will need against the memory limit of a context.
 *
 *   layout  whose formats say which moments are wanted
 *
 * The moments of at least one matrix, their factor and the scratch must fit: MEMO_ERR_LIMIT naming the
 * matrix that needs most. Within the limit fewer matrices are measured at a time, with the same result. */
memo_status memo_calibration_check(const memo_ctx *ctx, const memo_layout *layout, memo_err *err);

/* memo_calibration_input() -- what was seen of the input of a slot; NULL when it is no matrix.
 *
 *   layout  of the same network, whose formats say which moments are wanted; the same for all calls
 *           in the order of the slots, or moments are measured again
 *   input   out, valid until the next call */
memo_status memo_calibration_input(memo_calibrate_job *calibration, const memo_layout *layout,
                                   size_t slot, const memo_input_range **input, memo_err *err);

#endif
