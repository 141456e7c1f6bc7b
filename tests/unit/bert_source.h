// SPDX-License-Identifier: Apache-2.0
/* unit/bert_source.h -- a BERT folder whose every detail a test can bend: sizes, names, types, missing,
 * surplus and poisoned tensors. (tiny_model.h is the one for tests that only need some model.) */
#ifndef MEMO_BERT_SOURCE_H
#define MEMO_BERT_SOURCE_H

#include "base/file.h"
#include "base/rng.h"
#include "format/safetensors.h"
#include "memo_test.h"

typedef struct bert_spec {
    size_t n_layers, hidden, n_heads, intermediate, n_positions; /* 0: 2, 40, 5, 72, 48 */
    uint64_t seed;
    const char *prefix;   /* before every name; NULL: none */
    const char *missing;  /* name left out */
    const char *extra;    /* name added, one value */
    const char *empty;    /* name whose first dimension is 0 */
    const char *scalar;   /* name that has no dimensions, but one value */
    const char *poisoned; /* name whose value `poison_at` is `poison` */
    size_t poison_at;
    float poison;
    const char *scaled; /* beginning of names whose values are multiplied by `scale` */
    double scale;
    const char *config; /* replaces config.json */
    int with_f64;       /* weights as F64 */
} bert_spec;

/* 5 specials, 26 letters, 26 continuations, some words and punctuation. */
static const char *const bert_words[] = {"the",  "cat", "sat",  "on",    "mat", "tea", "##ing",
                                         "##ed", "key", "door", "river", ".",   ",",   "!"};
#define BERT_WORDS (sizeof bert_words / sizeof *bert_words)
#define BERT_VOCAB (5 + 26 + 26 + BERT_WORDS)

static inline void bert_write_text(const char *folder, const char *name, const char *text)
{
    char path[512];
    memo_test_write_file(memo_test_path(path, folder, name), text, strlen(text));
}

static inline void bert_write_vocab(const char *folder)
{
    char text[2048] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    size_t n = strlen(text);
    for (int i = 0; i < 26; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%c\n", 'a' + i);
    for (int i = 0; i < 26; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "##%c\n", 'a' + i);
    for (size_t i = 0; i < BERT_WORDS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", bert_words[i]);
    bert_write_text(folder, "vocab.txt", text);
}

static inline void bert_defaults(bert_spec *s)
{
    s->n_layers = s->n_layers ? s->n_layers : 2;
    s->hidden = s->hidden ? s->hidden : 40;
    s->n_heads = s->n_heads ? s->n_heads : 5;
    s->intermediate = s->intermediate ? s->intermediate : 72;
    s->n_positions = s->n_positions ? s->n_positions : 48;
    s->prefix = s->prefix ? s->prefix : "";
}

static inline void bert_write_config(const char *folder, const bert_spec *s)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"model_type\": \"bert\", \"num_hidden_layers\": %zu, \"hidden_size\": %zu, "
             "\"num_attention_heads\": %zu, \"intermediate_size\": %zu, "
             "\"max_position_embeddings\": %zu, \"type_vocab_size\": 2, \"vocab_size\": %zu, "
             "\"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-12}",
             s->n_layers, s->hidden, s->n_heads, s->intermediate, s->n_positions, BERT_VOCAB);
    bert_write_text(folder, "config.json", s->config ? s->config : text);
}

typedef struct bert_tensor {
    char name[128];
    uint64_t shape[2];
    size_t n_dims;
    double base, spread; /* values are base + spread * normal */
} bert_tensor;

static inline void bert_add(bert_tensor *list, size_t *n, const bert_spec *s, bert_tensor t)
{
    if (s->missing && !strcmp(s->missing, t.name))
        return;
    snprintf(list[*n].name, sizeof list[*n].name, "%s%s", s->prefix, t.name);
    memcpy(list[*n].shape, t.shape, sizeof t.shape);
    if (s->empty && !strcmp(s->empty, t.name))
        list[*n].shape[0] = 0;
    list[*n].n_dims = s->scalar && !strcmp(s->scalar, t.name) ? 0 : t.n_dims;
    list[*n].base = t.base;
    list[*n].spread = t.spread;
    (*n)++;
}

/* weight [rows, cols] and bias [rows] of a linear layer. */
static inline void bert_add_linear(bert_tensor *list, size_t *n, const bert_spec *s,
                                   const char *name, size_t rows, size_t cols)
{
    bert_tensor w = {.shape = {rows, cols}, .n_dims = 2, .spread = 0.2};
    bert_tensor b = {.shape = {rows}, .n_dims = 1, .spread = 0.1};
    snprintf(w.name, sizeof w.name, "%s.weight", name);
    snprintf(b.name, sizeof b.name, "%s.bias", name);
    bert_add(list, n, s, w);
    bert_add(list, n, s, b);
}

static inline void bert_add_norm(bert_tensor *list, size_t *n, const bert_spec *s, const char *name)
{
    bert_tensor w = {.shape = {s->hidden}, .n_dims = 1, .base = 1, .spread = 0.1};
    bert_tensor b = {.shape = {s->hidden}, .n_dims = 1, .spread = 0.1};
    snprintf(w.name, sizeof w.name, "%s.LayerNorm.weight", name);
    snprintf(b.name, sizeof b.name, "%s.LayerNorm.bias", name);
    bert_add(list, n, s, w);
    bert_add(list, n, s, b);
}

static inline void bert_add_table(bert_tensor *list, size_t *n, const bert_spec *s,
                                  const char *name, size_t rows)
{
    bert_tensor t = {.shape = {rows, s->hidden}, .n_dims = 2, .spread = 1};
    snprintf(t.name, sizeof t.name, "embeddings.%s_embeddings.weight", name);
    bert_add(list, n, s, t);
}

static inline size_t bert_list(bert_tensor *list, const bert_spec *s)
{
    static const char *const square[] = {"attention.self.query", "attention.self.key",
                                         "attention.self.value", "attention.output.dense"};
    char name[96];
    size_t n = 0;

    bert_add_table(list, &n, s, "word", BERT_VOCAB);
    bert_add_table(list, &n, s, "position", s->n_positions);
    bert_add_table(list, &n, s, "token_type", 2);
    bert_add_norm(list, &n, s, "embeddings");
    for (size_t l = 0; l < s->n_layers; l++) {
        for (size_t i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "encoder.layer.%zu.%s", l, square[i]);
            bert_add_linear(list, &n, s, name, s->hidden, s->hidden);
        }
        snprintf(name, sizeof name, "encoder.layer.%zu.attention.output", l);
        bert_add_norm(list, &n, s, name);
        snprintf(name, sizeof name, "encoder.layer.%zu.intermediate.dense", l);
        bert_add_linear(list, &n, s, name, s->intermediate, s->hidden);
        snprintf(name, sizeof name, "encoder.layer.%zu.output.dense", l);
        bert_add_linear(list, &n, s, name, s->hidden, s->intermediate);
        snprintf(name, sizeof name, "encoder.layer.%zu.output", l);
        bert_add_norm(list, &n, s, name);
    }
    if (s->extra)
        snprintf(list[n].name, sizeof list[n].name, "%s", s->extra), list[n].shape[0] = 1,
                                                                     list[n].n_dims = 1, n++;
    return n;
}

static inline void bert_append(memo_st_writer *writer, size_t index, const bert_tensor *t,
                               const bert_spec *s, memo_rng *rng)
{
    size_t n_values = 1;
    memo_err err = {0};
    for (size_t d = 0; d < t->n_dims; d++)
        n_values *= (size_t)t->shape[d];
    for (size_t i = 0; i < n_values; i++) {
        double value_of = t->base + t->spread * memo_rng_normal(rng);
        if (s->scaled && !strncmp(s->scaled, t->name, strlen(s->scaled)))
            value_of *= s->scale;
        float f = (float)value_of;
        if (s->poisoned && !strcmp(s->poisoned, t->name) && i == s->poison_at)
            f = s->poison;
        double d = (double)f;
        const void *value = s->with_f64 ? (const void *)&d : (const void *)&f;
        assert_memo_ok(
            memo_st_writer_append(writer, index, value, s->with_f64 ? sizeof d : sizeof f, &err),
            err);
    }
}

/* Write the whole folder; `folder` exists. */
static inline void bert_write_model(const char *folder, bert_spec s)
{
    static bert_tensor list[256];
    memo_st_spec specs[256];
    memo_replace out = {0};
    memo_st_writer *writer = NULL;
    memo_err err = {0};
    memo_rng rng;
    char path[512];

    bert_defaults(&s);
    memo_rng_init(&rng, s.seed + 1);
    memset(list, 0, sizeof list);
    size_t n = bert_list(list, &s);
    for (size_t i = 0; i < n; i++)
        specs[i] = (memo_st_spec){list[i].name, s.with_f64 ? MEMO_DTYPE_F64 : MEMO_DTYPE_F32,
                                  list[i].n_dims, list[i].shape};
    memo_test_path(path, folder, "model.safetensors");
    assert_memo_ok(memo_replace_begin(&out, path, 1, &err), err);
    assert_memo_ok(memo_st_writer_new(&out, specs, n, 0, &writer, &err), err);
    for (size_t i = 0; i < n; i++)
        bert_append(writer, i, &list[i], &s, &rng);
    assert_memo_ok(memo_st_writer_finish(writer, &err), err);
    memo_st_writer_free(writer);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    bert_write_config(folder, &s);
    bert_write_vocab(folder);
}

#endif
