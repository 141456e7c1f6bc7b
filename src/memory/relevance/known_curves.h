// SPDX-License-Identifier: Apache-2.0
/* memory/relevance/known_curves.h -- what a cosine of a published model says before a store has been
 * calibrated. */
#ifndef MEMO_MEMORY_KNOWN_CURVES_H
#define MEMO_MEMORY_KNOWN_CURVES_H

#include "memory/relevance/logistic.h"

/* Of the model compiled from the files with this hash (memo_model_info.source_hash), whatever class its
 * weights are in; 0: nothing is known of it. */
int memo_known_curve(const char *source_hash, memo_logistic *curve);

#endif
