// SPDX-License-Identifier: Apache-2.0
/* model/fit/calibrate.h -- what the inputs of the matrices look like, measured on texts.
 *
 * Twice through the texts: least, largest and mean square of each input first; then a histogram of
 * each matrix, from which the range is chosen whose bytes cost the least squared error: a few large
 * values may be clipped. */
#ifndef MEMO_MODEL_CALIBRATE_H
#define MEMO_MODEL_CALIBRATE_H

#include "model/compile/encode.h"
#include "model/model_handle.h"

#define MEMO_CALIBRATE_TEXTS 1024 /* lines beyond these are not read */

/* memo_calibrate() -- run a model on the lines of a text file.
 *
 *   inputs  out: [n_slots] for memo_free(); scale 0 where a slot is no matrix
 *
 * MEMO_ERR_VALUE: no line with a character, invalid UTF-8 naming the line, or an input that is not
 * finite. Memory: 8 KiB and the importance of its inputs for each matrix, and the texts. */
memo_status memo_calibrate(memo_model *model, const char *path, const memo_compile_options *options,
                           memo_input_range **inputs, memo_err *err);

#endif
