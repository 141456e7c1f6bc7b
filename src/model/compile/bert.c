// SPDX-License-Identifier: Apache-2.0
/* BERT and its smaller relative DistilBERT: learned positions, post-LayerNorm, full attention, erf
 * GELU. DistilBERT has the same network without token types, and other names for everything.
 * Source: Devlin et al., 2018; Sanh et al., 2019. */
#include "model/compile/architecture.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"

#define BERT_NORM_EPS 1e-12 /* of both families, when no file says */

/* What another value of would make it a different network. */
static memo_status bert_refuse_flag(const json_t *config, const char *key, memo_err *err)
{
    int on = 0;
    memo_status status = memo_json_get_bool(config, "config.json", key, 0, &on, err);

    if (status == MEMO_OK && on)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "config.json: %s is true; only an encoder is supported", key);
    return status;
}

static memo_status bert_read_sizes(const json_t *c, memo_recipe *r, memo_err *err)
{
    memo_status status;

    r->n_positions = 512;
    r->n_token_types = 2;
    if ((status = memo_config_size(c, "num_hidden_layers", MEMO_RECIPE_MAX_LAYERS, &r->n_layers, r,
                                   MEMO_RECIPE_n_layers, err)) ||
        (status = memo_config_size(c, "hidden_size", MEMO_RECIPE_MAX_WIDTH, &r->hidden_size, r,
                                   MEMO_RECIPE_hidden_size, err)) ||
        (status = memo_config_size(c, "num_attention_heads", MEMO_RECIPE_MAX_WIDTH, &r->n_heads, r,
                                   MEMO_RECIPE_n_heads, err)) ||
        (status = memo_config_size(c, "intermediate_size", MEMO_RECIPE_MAX_WIDTH,
                                   &r->intermediate_size, r, MEMO_RECIPE_intermediate_size, err)) ||
        (status = memo_config_size(c, "vocab_size", MEMO_RECIPE_MAX_VOCAB, &r->vocab_size, r,
                                   MEMO_RECIPE_vocab_size, err)) ||
        (status = memo_config_size(c, "max_position_embeddings", MEMO_RECIPE_MAX_TOKENS,
                                   &r->n_positions, r, MEMO_RECIPE_n_positions, err)) ||
        (status = memo_config_size(c, "type_vocab_size", 1024, &r->n_token_types, r,
                                   MEMO_RECIPE_n_token_types, err)))
        return status;
    return MEMO_OK;
}

static memo_status bert_read_config(const json_t *config, memo_recipe *recipe, memo_err *err)
{
    const char *position = "absolute";
    memo_status status;

    if ((status = bert_read_sizes(config, recipe, err)) ||
        (status = memo_config_activation(config, "hidden_act", recipe, err)) ||
        (status = bert_refuse_flag(config, "is_decoder", err)) ||
        (status = bert_refuse_flag(config, "add_cross_attention", err)) ||
        (status = memo_json_get_string(config, "config.json", "position_embedding_type", 0,
                                       &position, err)))
        return status;
    if (strcmp(position, "absolute"))
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "config.json: position_embedding_type \"%.64s\" is not supported, only "
                         "absolute",
                         position);
    recipe->norm_eps = BERT_NORM_EPS;
    recipe->origin[MEMO_RECIPE_norm_eps] =
        json_object_get(config, "layer_norm_eps") ? "config.json" : "default";
    /* Zero would divide by zero on a constant row; the smallest eps of a float is not useful. */
    return memo_json_get_double(config, "config.json", "layer_norm_eps", 0,
                                (memo_json_reals){1e-30, 0.1}, &recipe->norm_eps, err);
}

const memo_architecture memo_architecture_bert = {
    .model_type = "bert",
    .read_config = bert_read_config,
    .prefix = "bert.",
    .roots = {"embeddings.", "encoder.", NULL},
    .layer_prefix = "encoder.layer.",
    .ignored = "embeddings.position_ids",
    .names =
        {
            [MEMO_WEIGHT_EMBED_NORM_BIAS] = {"embeddings.LayerNorm.bias"},
            [MEMO_WEIGHT_EMBED_NORM_GAIN] = {"embeddings.LayerNorm.weight"},
            [MEMO_WEIGHT_POSITION] = {"embeddings.position_embeddings.weight"},
            [MEMO_WEIGHT_TOKEN_TYPE] = {"embeddings.token_type_embeddings.weight"},
            [MEMO_WEIGHT_WORD] = {"embeddings.word_embeddings.weight"},
            [MEMO_WEIGHT_ATTN_NORM_BIAS] = {"attention.output.LayerNorm.bias"},
            [MEMO_WEIGHT_ATTN_NORM_GAIN] = {"attention.output.LayerNorm.weight"},
            [MEMO_WEIGHT_ATTN_OUT_BIAS] = {"attention.output.dense.bias"},
            [MEMO_WEIGHT_ATTN_OUT] = {"attention.output.dense.weight"},
            [MEMO_WEIGHT_QKV_BIAS] = {"attention.self.query.bias", "attention.self.key.bias",
                                      "attention.self.value.bias"},
            [MEMO_WEIGHT_QKV] = {"attention.self.query.weight", "attention.self.key.weight",
                                 "attention.self.value.weight"},
            [MEMO_WEIGHT_FFN_DOWN_BIAS] = {"output.dense.bias"},
            [MEMO_WEIGHT_FFN_DOWN] = {"output.dense.weight"},
            [MEMO_WEIGHT_FFN_NORM_BIAS] = {"output.LayerNorm.bias"},
            [MEMO_WEIGHT_FFN_NORM_GAIN] = {"output.LayerNorm.weight"},
            [MEMO_WEIGHT_FFN_UP_BIAS] = {"intermediate.dense.bias"},
            [MEMO_WEIGHT_FFN_UP] = {"intermediate.dense.weight"},
        },
};

static memo_status distilbert_read_config(const json_t *c, memo_recipe *r, memo_err *err)
{
    memo_status status;

    r->n_positions = 512;
    r->n_token_types = 0;
    r->origin[MEMO_RECIPE_n_token_types] = "default";
    r->norm_eps = BERT_NORM_EPS;
    r->origin[MEMO_RECIPE_norm_eps] = "default";
    /* sinusoidal_pos_embds only says how the stored position table was filled. */
    if ((status = memo_config_size(c, "n_layers", MEMO_RECIPE_MAX_LAYERS, &r->n_layers, r,
                                   MEMO_RECIPE_n_layers, err)) ||
        (status = memo_config_size(c, "dim", MEMO_RECIPE_MAX_WIDTH, &r->hidden_size, r,
                                   MEMO_RECIPE_hidden_size, err)) ||
        (status = memo_config_size(c, "n_heads", MEMO_RECIPE_MAX_WIDTH, &r->n_heads, r,
                                   MEMO_RECIPE_n_heads, err)) ||
        (status = memo_config_size(c, "hidden_dim", MEMO_RECIPE_MAX_WIDTH, &r->intermediate_size, r,
                                   MEMO_RECIPE_intermediate_size, err)) ||
        (status = memo_config_size(c, "vocab_size", MEMO_RECIPE_MAX_VOCAB, &r->vocab_size, r,
                                   MEMO_RECIPE_vocab_size, err)) ||
        (status = memo_config_size(c, "max_position_embeddings", MEMO_RECIPE_MAX_TOKENS,
                                   &r->n_positions, r, MEMO_RECIPE_n_positions, err)))
        return status;
    return memo_config_activation(c, "activation", r, err);
}

const memo_architecture memo_architecture_distilbert = {
    .model_type = "distilbert",
    .read_config = distilbert_read_config,
    .prefix = "distilbert.",
    .roots = {"embeddings.", "transformer.", NULL},
    .layer_prefix = "transformer.layer.",
    .ignored = "embeddings.position_ids",
    .names =
        {
            [MEMO_WEIGHT_EMBED_NORM_BIAS] = {"embeddings.LayerNorm.bias"},
            [MEMO_WEIGHT_EMBED_NORM_GAIN] = {"embeddings.LayerNorm.weight"},
            [MEMO_WEIGHT_POSITION] = {"embeddings.position_embeddings.weight"},
            [MEMO_WEIGHT_WORD] = {"embeddings.word_embeddings.weight"},
            [MEMO_WEIGHT_ATTN_NORM_BIAS] = {"sa_layer_norm.bias"},
            [MEMO_WEIGHT_ATTN_NORM_GAIN] = {"sa_layer_norm.weight"},
            [MEMO_WEIGHT_ATTN_OUT_BIAS] = {"attention.out_lin.bias"},
            [MEMO_WEIGHT_ATTN_OUT] = {"attention.out_lin.weight"},
            [MEMO_WEIGHT_QKV_BIAS] = {"attention.q_lin.bias", "attention.k_lin.bias",
                                      "attention.v_lin.bias"},
            [MEMO_WEIGHT_QKV] = {"attention.q_lin.weight", "attention.k_lin.weight",
                                 "attention.v_lin.weight"},
            [MEMO_WEIGHT_FFN_DOWN_BIAS] = {"ffn.lin2.bias"},
            [MEMO_WEIGHT_FFN_DOWN] = {"ffn.lin2.weight"},
            [MEMO_WEIGHT_FFN_NORM_BIAS] = {"output_layer_norm.bias"},
            [MEMO_WEIGHT_FFN_NORM_GAIN] = {"output_layer_norm.weight"},
            [MEMO_WEIGHT_FFN_UP_BIAS] = {"ffn.lin1.bias"},
            [MEMO_WEIGHT_FFN_UP] = {"ffn.lin1.weight"},
        },
};
