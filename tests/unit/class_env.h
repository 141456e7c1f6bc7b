// SPDX-License-Identifier: Apache-2.0
/* unit/class_env.h -- a folder with a small published model, and models compiled from it in all
 * formats. */
#ifndef CLASS_ENV_H
#define CLASS_ENV_H

#include "memo_test.h"

#include <memolith/model.h>

#include "bert_source.h"
#include "model/model_handle.h"

typedef struct class_env {
    memo_ctx *ctx;
    char dir[256], source[300], out[512], other[512];
} class_env;

static inline int class_env_setup(void **state)
{
    class_env *e = calloc(1, sizeof *e);
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1};
    memo_err err = {0};

    memo_test_temp_dir(e->dir);
    snprintf(e->source, sizeof e->source, "%.255s/source", e->dir);
    memo_test_path(e->out, e->dir, "model.safetensors");
    memo_test_path(e->other, e->dir, "other.safetensors");
    mkdir(e->source, 0700);
    bert_write_model(e->source, (bert_spec){0});
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &err), err);
    *state = e;
    return 0;
}

static inline int class_env_teardown(void **state)
{
    class_env *e = *state;
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static inline memo_compile_options defaults(void)
{
    return (memo_compile_options){.size = sizeof(memo_compile_options), .overwrite = 1};
}

/* A file of texts beside the source; of a few words, so that measuring takes no time. */
static inline const char *write_texts(class_env *e, const char *text, size_t n)
{
    static char path[512];
    memo_test_write_file(memo_test_path(path, e->dir, "texts.txt"), text, n);
    return path;
}

/* All weights in one format ("*=int8/64:none"). */
static inline memo_compile_options one_format(class_env *e, const char *const *rule)
{
    static const char texts[] = "the cat sat on the mat\ntea in the river, a key ing the door\n";
    memo_compile_options o = defaults();
    o.set = rule;
    o.n_set = 1;
    if (strstr(*rule, "int4") || strstr(*rule, "lut4") || strstr(*rule, "static"))
        o.calibrate = write_texts(e, texts, sizeof texts - 1);
    return o;
}

static inline memo_model *open_out(class_env *e, const char *path)
{
    memo_model *model = NULL;
    memo_err err = {0};
    assert_memo_ok(memo_model_open(e->ctx, path, NULL, &model, &err), err);
    return model;
}

/* The formats that can be written without measuring on texts, and those that are. */
static const char *const all_formats[] = {
    "*=f32",     "*=f16",         "*=bf16",      "*=int8",         "*=int8/tensor",
    "*=int8/32", "*=int8/64",     "*=int8/128",  "*=int8:none",    "*=int4/32",
    "*=int4/64", "*=int4/128",    "*=int4:none", "*=lut4/8",       "*=lut4/16",
    "*=lut4/32", "*=lut4/tensor", "*=lut4:none", "*=int8/32:none",
};
#define ALL_FORMATS (sizeof all_formats / sizeof *all_formats)

/* How many matrices have a class. */
static inline size_t count_class(class_env *e, const char *path, memo_class cls)
{
    memo_model *model = open_out(e, path);
    memo_weight_info weight = {.size = sizeof weight};
    size_t n = 0;
    for (size_t i = 0; memo_model_get_weight(model, i, &weight, NULL) == MEMO_OK; i++)
        n += weight.cls == cls && strcmp(weight.name, "embeddings.word") != 0;
    memo_model_close(model);
    return n;
}

#endif
