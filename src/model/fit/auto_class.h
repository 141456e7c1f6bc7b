// SPDX-License-Identifier: Apache-2.0
/* model/fit/auto_class.h -- the cheapest class for each matrix that keeps a model's vectors.
 *
 * The model exists whole in a few classes; a network may take each matrix from another of them, so
 * that any mixture is run without compiling it. First every matrix is made small alone and its harm
 * measured, on a part of the texts; harms nearly add up. Then for a price of harm each matrix takes
 * the class that is cheapest in bytes plus harm, and the lowest price whose mixture reaches the
 * targets on all texts is found by bisection: measured as a whole, nothing is trusted to add up. */
#ifndef MEMO_MODEL_AUTO_CLASS_H
#define MEMO_MODEL_AUTO_CLASS_H

#include "model/model_handle.h"

/* The classes to choose from, from small to exact; then the source as it is. */
#define MEMO_AUTO_CLASSES 3
#define MEMO_AUTO_MODELS  (MEMO_AUTO_CLASSES + 1)
extern const memo_class memo_auto_classes[MEMO_AUTO_CLASSES];

typedef struct memo_auto_job {
    memo_ctx *ctx;
    const memo_compile_options *options;
    size_t n_models;                      /* the last is the reference */
    memo_model *models[MEMO_AUTO_MODELS]; /* one network, from small to exact */
    const memo_model *fixed;              /* where fixed slots come from; may be NULL without any */
    const unsigned char *is_fixed;        /* [n_slots] weights that are not to be chosen */
} memo_auto_job;

/* memo_auto_choose() -- for each slot the model that it is to be stored as.
 *
 *   choice  [n_slots] out: index in models; of slots that have no choice the last
 *   found   out: the figures of that mixture beside the reference
 *
 * Deterministic on one CPU level. Memory: the vectors of our own texts twice, and a megabyte for
 * their neighbours. */
memo_status memo_auto_choose(const memo_auto_job *job, unsigned char *choice,
                             memo_texts_fidelity *found, memo_err *err);

#endif
