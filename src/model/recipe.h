// SPDX-License-Identifier: Apache-2.0
/* model/recipe.h -- how a model turns texts into vectors: data, read once from the publisher's
 * files, stored in the compiled model, obeyed at run time.
 *
 * Every field has a value and an origin: the file it came from ("sentence_bert_config.json"),
 * "option" when the caller of compile set it, or "default" when no file says and the documented
 * default holds. The defaults: pooling mean, normalize true when there is no modules.json (false
 * when there is one without a Normalize module), erf GELU, norm_eps 1e-12, 512 positions, 2 token
 * types, no prompts.
 *
 * Stored as one JSON object, {"pooling": {"value": "mean", "origin": "1_Pooling/config.json"}, ...},
 * which may come back from a hostile file: reading checks type and range of every field. */
#ifndef MEMO_MODEL_RECIPE_H
#define MEMO_MODEL_RECIPE_H

#include <jansson.h>

#include "base/hash.h"
#include "nn/transformer.h"

#define MEMO_RECIPE_MAX_LAYERS 999 /* three digits in the names of tensors */
#define MEMO_RECIPE_MAX_WIDTH  65536
#define MEMO_RECIPE_MAX_VOCAB  2000000
#define MEMO_RECIPE_MAX_TOKENS 1048576
#define MEMO_RECIPE_MAX_PROMPT 4096 /* bytes */

/* Fields from this on came later: a recipe that lacks them has 0, and 0 is not fed to a
 * fingerprint, so that older models stay what they are. */
#define MEMO_RECIPE_FIRST_LATER MEMO_RECIPE_layers_average

#define MEMO_RECIPE_OPTION "option" /* the origin of what the caller of compile set */

/* X(field): the fields in the order in which they are stored and shown. */
#define MEMO_RECIPE_MAP(X)                                                                         \
    X(architecture)                                                                                \
    X(n_layers)                                                                                    \
    X(hidden_size)                                                                                 \
    X(n_heads)                                                                                     \
    X(intermediate_size)                                                                           \
    X(vocab_size)                                                                                  \
    X(n_positions)                                                                                 \
    X(n_token_types)                                                                               \
    X(activation)                                                                                  \
    X(norm_eps)                                                                                    \
    X(max_tokens)                                                                                  \
    X(pooling)                                                                                     \
    X(normalize)                                                                                   \
    X(prompt_query)                                                                                \
    X(prompt_document)                                                                             \
    X(layers_average)                                                                              \
    X(dims)

typedef enum memo_recipe_field {
#define MEMO_RECIPE_ENUM(name) MEMO_RECIPE_##name,
    MEMO_RECIPE_MAP(MEMO_RECIPE_ENUM)
#undef MEMO_RECIPE_ENUM
        MEMO_RECIPE_FIELDS
} memo_recipe_field;

typedef struct memo_recipe {
    char *architecture; /* "bert"; owned, as the prompts are */
    size_t n_layers, hidden_size, n_heads, intermediate_size;
    size_t vocab_size, n_positions, n_token_types;
    size_t activation; /* memo_activation */
    double norm_eps;
    size_t max_tokens;                      /* special tokens included */
    size_t pooling;                         /* memo_pooling */
    size_t normalize;                       /* 0 or 1 */
    char *prompt_query, *prompt_document;   /* put before a text of that role; "" for none */
    size_t layers_average;                  /* states of the last so many layers; 0: of the last */
    size_t dims;                            /* of a vector; 0: hidden_size */
    const char *origin[MEMO_RECIPE_FIELDS]; /* static strings; in a recipe that was parsed only
                                               MEMO_RECIPE_OPTION is kept, else NULL */
} memo_recipe;

void memo_recipe_fini(memo_recipe *recipe); /* a zeroed recipe is an empty one */

/* Replace an owned text field. MEMO_ERR_LIMIT beyond MEMO_RECIPE_MAX_PROMPT bytes. */
memo_status memo_recipe_set_text(char **field, const char *value, memo_err *err);

/* Everything that must hold between fields: heads divide the width, max_tokens fit the positions.
 * MEMO_ERR_VALUE naming the fields. */
memo_status memo_recipe_check(const memo_recipe *recipe, memo_err *err);

/* Dimensions of a vector. */
static inline size_t memo_recipe_dim(const memo_recipe *recipe)
{
    return recipe->dims ? recipe->dims : recipe->hidden_size;
}

/* What the executor needs of it; memo_layout_config() adds what depends on the formats. */
memo_transformer_config memo_recipe_config(const memo_recipe *recipe);

/* As compact JSON; release with memo_free(). */
memo_status memo_recipe_write(const memo_recipe *recipe, char **json, memo_err *err);
/* The inverse, from a text that is not trusted; ranges and memo_recipe_check() hold afterwards.
 * `recipe` is zeroed by the caller and must be released also on failure. */
memo_status memo_recipe_read(const char *json, memo_recipe *recipe, memo_err *err);

/* Feed the values (not the origins: they change no vector) to a fingerprint. */
void memo_recipe_hash(const memo_recipe *recipe, memo_sha256 *sha);

#endif
