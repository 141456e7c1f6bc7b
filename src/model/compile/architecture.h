// SPDX-License-Identifier: Apache-2.0
/* model/compile/architecture.h -- what a model family calls its settings and its tensors.
 *
 * A family is a table and one function: it translates the publisher's config into recipe fields and
 * the executor's weights into the names of source tensors. It computes nothing. */
#ifndef MEMO_MODEL_ARCHITECTURE_H
#define MEMO_MODEL_ARCHITECTURE_H

#include "model/layout.h"

#define MEMO_ARCHITECTURE_PARTS 3 /* source tensors stacked into one weight: q, k, v */

typedef struct memo_architecture {
    const char *model_type; /* config.json's */
    /* Fill the network's fields of a zeroed recipe, and their origins. MEMO_ERR_VALUE naming the
     * field, MEMO_ERR_UNSUPPORTED for what the executor does not do. */
    memo_status (*read_config)(const json_t *config, memo_recipe *recipe, memo_err *err);
    const char *prefix;       /* may stand before every name: "bert." */
    const char *roots[3];     /* names below these belong to the encoder: one that the table does
                                 not know is an error, names elsewhere (heads) are unused */
    const char *layer_prefix; /* "encoder.layer." and then the layer's number and a dot */
    const char *ignored;      /* in the encoder, but not a weight: a buffer saved with the model */
    const char *names[MEMO_WEIGHT_KINDS][MEMO_ARCHITECTURE_PARTS]; /* NULL ends a list */
} memo_architecture;

extern const memo_architecture memo_architecture_bert, memo_architecture_distilbert;

/* By config.json's model_type; MEMO_ERR_UNSUPPORTED naming it and what is supported. */
memo_status memo_architecture_find(const char *model_type, const memo_architecture **architecture,
                                   memo_err *err);

/* Name of a part of a weight without the optional prefix, or NULL when there is no such part. `out`
 * has 128 bytes. */
const char *memo_architecture_name(const memo_architecture *architecture, memo_weight weight,
                                   size_t layer, size_t part, char *out);

/* Helpers for read_config: take a member, or leave the default, and note where it came from. */
memo_status memo_config_size(const json_t *config, const char *key, size_t max, size_t *out,
                             memo_recipe *recipe, memo_recipe_field field, memo_err *err);
memo_status memo_config_activation(const json_t *config, const char *key, memo_recipe *recipe,
                                   memo_err *err);

#endif
