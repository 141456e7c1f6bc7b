// SPDX-License-Identifier: Apache-2.0
/* unit/tiny_model.h -- a BERT of two layers with random weights, as a publisher's folder and
 * compiled: everything a real model has, in a few hundred KiB and a few milliseconds.
 *
 *   tiny_model_write(folder, 1);                      a model folder; another seed, other weights
 *   model = tiny_model_open(ctx, folder, 1, &err);    the same, compiled into the folder, opened
 *
 * hidden 32, 4 heads, 64 positions, mean pooling, normalized. The vocabulary holds every ASCII
 * letter, digit and mark, also as a continuation, and a few words: any text has tokens. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include "memo_test.h"

#include <memolith/model.h>

#include "base/rng.h"

enum {
    TINY_HIDDEN = 32,
    TINY_FFN = 64,
    TINY_LAYERS = 2,
    TINY_POSITIONS = 64,
    TINY_MAX_VOCAB = 256
};

static inline FILE *tiny_model_create(const char *folder, const char *name)
{
    char path[600];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "wb");
    if (!f)
        fail_msg("cannot write %s", path);
    return f;
}

static inline void tiny_model_put(const char *folder, const char *name, const char *text)
{
    FILE *f = tiny_model_create(folder, name);
    fputs(text, f);
    fclose(f);
}

/* One token a line; returns their number. */
static inline size_t tiny_model_vocab(const char *folder)
{
    static const char *const words[] = {
        "[PAD]", "[UNK]",  "[CLS]", "[SEP]", "[MASK]", "the",   "key",  "is",     "under",
        "a",     "flower", "pot",   "spare", "boiler", "was",   "and",  "of",     "to",
        "in",    "##ing",  "##ed",  "##s",   "note",   "about", "anna", "garden",
    };
    FILE *f = tiny_model_create(folder, "vocab.txt");
    size_t n = sizeof words / sizeof *words;
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s\n", words[i]);
    for (int c = '!'; c <= '~'; c++) {
        if (c >= 'A' && c <= 'Z')
            continue;
        if (c != 'a') { /* a word already */
            fprintf(f, "%c\n", c);
            n++;
        }
        if (((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) && c != 's') { /* ##s as well */
            fprintf(f, "##%c\n", c);
            n++;
        }
    }
    fclose(f);
    return n;
}

typedef struct tiny_tensor {
    char name[80];
    size_t rows, cols; /* cols 0: a vector */
    double scale, offset;
} tiny_tensor;

static inline size_t tiny_model_layer(tiny_tensor *t, int layer)
{
    static const struct {
        const char *name;
        size_t rows, cols;
        double offset;
    } parts[] = {
        {"attention.self.query.weight", TINY_HIDDEN, TINY_HIDDEN, 0},
        {"attention.self.query.bias", TINY_HIDDEN, 0, 0},
        {"attention.self.key.weight", TINY_HIDDEN, TINY_HIDDEN, 0},
        {"attention.self.key.bias", TINY_HIDDEN, 0, 0},
        {"attention.self.value.weight", TINY_HIDDEN, TINY_HIDDEN, 0},
        {"attention.self.value.bias", TINY_HIDDEN, 0, 0},
        {"attention.output.dense.weight", TINY_HIDDEN, TINY_HIDDEN, 0},
        {"attention.output.dense.bias", TINY_HIDDEN, 0, 0},
        {"attention.output.LayerNorm.weight", TINY_HIDDEN, 0, 1},
        {"attention.output.LayerNorm.bias", TINY_HIDDEN, 0, 0},
        {"intermediate.dense.weight", TINY_FFN, TINY_HIDDEN, 0},
        {"intermediate.dense.bias", TINY_FFN, 0, 0},
        {"output.dense.weight", TINY_HIDDEN, TINY_FFN, 0},
        {"output.dense.bias", TINY_HIDDEN, 0, 0},
        {"output.LayerNorm.weight", TINY_HIDDEN, 0, 1},
        {"output.LayerNorm.bias", TINY_HIDDEN, 0, 0},
    };
    size_t n = sizeof parts / sizeof *parts;
    for (size_t i = 0; i < n; i++) {
        snprintf(t[i].name, sizeof t[i].name, "encoder.layer.%d.%s", layer, parts[i].name);
        t[i].rows = parts[i].rows;
        t[i].cols = parts[i].cols;
        t[i].scale = parts[i].cols ? 0.2 : 0.05;
        t[i].offset = parts[i].offset;
    }
    return n;
}

static inline void tiny_model_weights(const char *folder, size_t n_vocab, uint64_t seed)
{
    tiny_tensor t[5 + 16 * TINY_LAYERS] = {
        {"embeddings.word_embeddings.weight", n_vocab, TINY_HIDDEN, 1, 0},
        {"embeddings.position_embeddings.weight", TINY_POSITIONS, TINY_HIDDEN, 0.1, 0},
        {"embeddings.token_type_embeddings.weight", 2, TINY_HIDDEN, 0.1, 0},
        {"embeddings.LayerNorm.weight", TINY_HIDDEN, 0, 0.05, 1},
        {"embeddings.LayerNorm.bias", TINY_HIDDEN, 0, 0.05, 0},
    };
    char header[16384];
    size_t n = 5, at = 0, offset = 0;
    unsigned char length[8] = {0};
    memo_rng rng;
    FILE *f = tiny_model_create(folder, "model.safetensors");
    for (int layer = 0; layer < TINY_LAYERS; layer++)
        n += tiny_model_layer(t + n, layer);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = t[i].rows * (t[i].cols ? t[i].cols : 1) * 4;
        at += (size_t)snprintf(header + at, sizeof header - at, "%s\"%s\":{\"dtype\":\"F32\",",
                               i ? "," : "{", t[i].name);
        at += t[i].cols
                  ? (size_t)snprintf(header + at, sizeof header - at, "\"shape\":[%zu,%zu]",
                                     t[i].rows, t[i].cols)
                  : (size_t)snprintf(header + at, sizeof header - at, "\"shape\":[%zu]", t[i].rows);
        at += (size_t)snprintf(header + at, sizeof header - at, ",\"data_offsets\":[%zu,%zu]}",
                               offset, offset + bytes);
        offset += bytes;
    }
    header[at++] = '}';
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)at >> (8 * i));
    fwrite(length, 1, 8, f);
    fwrite(header, 1, at, f);
    memo_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].rows * (t[i].cols ? t[i].cols : 1); j++) {
            float x = (float)(t[i].offset + t[i].scale * memo_rng_normal(&rng));
            fwrite(&x, 4, 1, f);
        }
    fclose(f);
}

/* Fill an existing folder. */
static inline void tiny_model_write(const char *folder, uint64_t seed)
{
    char text[512];
    size_t n_vocab = tiny_model_vocab(folder);
    tiny_model_weights(folder, n_vocab, seed);
    snprintf(text, sizeof text,
             "{\"model_type\":\"bert\",\"_name_or_path\":\"tiny\",\"vocab_size\":%zu,"
             "\"hidden_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":4,"
             "\"intermediate_size\":%d,\"max_position_embeddings\":%d,\"type_vocab_size\":2,"
             "\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-12,\"pad_token_id\":0}",
             n_vocab, TINY_HIDDEN, TINY_LAYERS, TINY_FFN, TINY_POSITIONS);
    tiny_model_put(folder, "config.json", text);
    tiny_model_put(folder, "modules.json",
                   "[{\"idx\":0,\"name\":\"0\",\"path\":\"\","
                   "\"type\":\"sentence_transformers.models.Transformer\"},"
                   "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\","
                   "\"type\":\"sentence_transformers.models.Pooling\"},"
                   "{\"idx\":2,\"name\":\"2\",\"path\":\"2_Normalize\","
                   "\"type\":\"sentence_transformers.models.Normalize\"}]");
    snprintf(text, sizeof text, "%s/1_Pooling", folder);
    mkdir(text, 0700);
    tiny_model_put(folder, "1_Pooling/config.json",
                   "{\"word_embedding_dimension\":32,\"pooling_mode_cls_token\":false,"
                   "\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":false,"
                   "\"pooling_mode_mean_sqrt_len_tokens\":false}");
    snprintf(text, sizeof text, "{\"max_seq_length\":%d,\"do_lower_case\":false}", TINY_POSITIONS);
    tiny_model_put(folder, "sentence_bert_config.json", text);
}

/* Write, compile to FOLDER/tiny-SEED.safetensors, open. The name is "tiny". */
static inline memo_model *tiny_model_open(memo_ctx *ctx, const char *folder, uint64_t seed,
                                          memo_err *err)
{
    const memo_compile_options options = {.size = sizeof options, .name = "tiny", .overwrite = 1};
    memo_model *model = NULL;
    char source[400], out[500];
    snprintf(source, sizeof source, "%s/tiny-%u", folder, (unsigned)seed);
    snprintf(out, sizeof out, "%s/tiny-%u.safetensors", folder, (unsigned)seed);
    mkdir(source, 0700);
    tiny_model_write(source, seed);
    assert_memo_ok(memo_model_compile(ctx, source, out, &options, NULL, err), *err);
    assert_memo_ok(memo_model_open(ctx, out, NULL, &model, err), *err);
    return model;
}

#endif
