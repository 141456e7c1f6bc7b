// SPDX-License-Identifier: Apache-2.0
/* model/verify/fidelity.h -- the three measures of memo_model_fidelity(), each by itself.
 *
 * Both models are whole (checksums seen) and of one network: memo_fidelity_same_network() first. */
#ifndef MEMO_MODEL_FIDELITY_H
#define MEMO_MODEL_FIDELITY_H

#include "base/arena.h"
#include "model/model_handle.h"

/* A report owns all that it points to. The public part comes first, so that its address is the
 * block's. */
typedef struct memo_fidelity_job {
    memo_fidelity_report report;
    memo_arena arena; /* of the report */
} memo_fidelity_job;

/* Texts, and their vectors by another implementation when they come from a golden folder. */
typedef struct memo_text_set {
    size_t n;
    const memo_text *texts; /* [n] in the arena, or static */
    float *vectors;         /* [n, dim] or NULL */
    memo_arena arena;
} memo_text_set;

/* Of the worst text, how much a report tells. */
#define MEMO_WORST_TEXT_BYTES 60

#define MEMO_TEXT_SET_MIN 2 /* fewer have no neighbours */
#define MEMO_TEXT_SET_MAX 10000

/* Our own texts: short and long, in several languages, code and figures. */
#define MEMO_OWN_TEXTS 64
extern const memo_text memo_own_texts[MEMO_OWN_TEXTS];
void memo_text_set_own(memo_text_set *set);
/* These and 448 sentences more: what calibration and class auto measure on. `set` is zeroed by the
 * caller and must be released also on failure. (own_sentences.c) */
#define MEMO_ALL_TEXTS 512
memo_status memo_text_set_all(memo_text_set *set, memo_err *err);
/* Those of a golden folder; <memolith/model.h> says how it looks. `set` is zeroed by the caller and
 * must be released also on failure. */
memo_status memo_text_set_load(memo_text_set *set, const char *folder, size_t dim, memo_err *err);
void memo_text_set_fini(memo_text_set *set);

/* MEMO_ERR_MISMATCH naming what differs: extents of a weight, the tokenizer, or that the reference's
 * vectors are shorter. Longer ones are compared by their first values. */
memo_status memo_fidelity_same_network(const memo_model *model, const memo_model *against,
                                       memo_err *err);

/* Weight by weight: report->tensors, n_tensors, n_equal. */
memo_status memo_fidelity_tensors(memo_fidelity_job *job, const memo_model *model,
                                  const memo_model *against, memo_err *err);

/* States layer by layer: report->layers, n_layers, n_layer_texts. */
memo_status memo_fidelity_layers(memo_fidelity_job *job, const memo_model *model,
                                 const memo_model *against, const memo_text_set *set,
                                 memo_err *err);

/* memo_fidelity_vectors() -- vectors beside others of the same texts.
 *
 *   ours, theirs  [set->n, dim]
 *   out           all but worst_text; that is the caller's, who owns an arena */
memo_status memo_fidelity_vectors(const float *ours, const float *theirs, size_t n, size_t dim,
                                  memo_texts_fidelity *out, memo_err *err);

#endif
