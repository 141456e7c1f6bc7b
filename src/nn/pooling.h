// SPDX-License-Identifier: Apache-2.0
/* nn/pooling.h -- from the last hidden states of one sequence to its vector. */
#ifndef MEMO_NN_POOLING_H
#define MEMO_NN_POOLING_H

#include <memolith/model.h>

#include "nn/linear.h"

/* memo_pool_tokens() -- add the states that `mode` chooses to sum [dim]; returns how many they are.
 *
 * Sums run in double: the mean over 8,192 tokens loses nothing, and the order of tokens is fixed.
 *
 *   mode    not MEMO_POOLING_AUTO; MEAN is over all tokens, special ones included
 *   states  [n_tokens >= 1, dim] */
size_t memo_pool_tokens(memo_pooling mode, memo_rows states, size_t n_tokens, size_t dim,
                        double *sum);

/* Write v as f32, divided by its length when `unit` is set. Returns 0, and writes nothing of use,
 * when a value is not finite or the length is 0: such a vector must not leave the engine. */
int memo_pool_finish(const double *v, size_t dim, int unit, float *out);

#endif
