// SPDX-License-Identifier: Apache-2.0
/* model/model_handle.h -- an open model: the validated file, and the views that run on it. */
#ifndef MEMO_MODEL_HANDLE_H
#define MEMO_MODEL_HANDLE_H

#include "base/ctx.h"
#include "base/file.h"
#include "model/compiled.h"
#include "model/tokens.h"

struct memo_model {
    memo_ctx *ctx;
    memo_map map;       /* empty when the caller owns the bytes */
    memo_compiled file; /* weights of it are checked before their first use */
    memo_tokenizer *tokenizer;
    memo_transformer transformer;
    memo_layer_weights *layers; /* [n_layers], transformer.layers */
    atomic_int weights_checked; /* all but the word embeddings */
};

/* Special tokens around every text. */
size_t memo_model_n_special(const memo_model *model);

/* Give back the pages of what a stage of the executor has read (memo_layout_stage()): a model that is run
 * once through many texts then takes the memory of one layer. Bytes of the caller's stay. */
void memo_model_release(const memo_model *model, size_t stage);

/* Checksums of everything that a forward pass reads but the word embeddings, once. */
memo_status memo_model_check_weights(memo_model *model, memo_err *err);
/* Checksums of the rows of the word embeddings for these ids. An id beyond the table, which only a
 * hostile tokenizer gives, is MEMO_ERR_FORMAT. */
memo_status memo_model_check_words(memo_model *model, const uint32_t *ids, size_t n_ids,
                                   memo_err *err);

#endif
