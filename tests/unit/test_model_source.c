// SPDX-License-Identifier: Apache-2.0
/* What a publisher's folder may say, and what is refused beside the numbered cases of
 * test_limits_config.c: each case writes one file over a good folder and compiles. */
#include "memo_test.h"

#include <memolith/model.h>

#include "bert_source.h"
#include "model/compile/source.h"

#define CONFIG(rest)                                                                               \
    "{\"model_type\": \"bert\", \"num_hidden_layers\": 2, \"hidden_size\": 40, "                   \
    "\"num_attention_heads\": 5, \"intermediate_size\": 72, \"max_position_embeddings\": 48, "     \
    "\"vocab_size\": 71" rest "}"

#define MODULES(pooling, rest)                                                                     \
    "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "                                    \
    "\"sentence_transformers.models.Transformer\"}, {\"idx\": 1, \"name\": \"1\", \"path\": "      \
    "\"" pooling "\", \"type\": \"sentence_transformers.models.Pooling\"}" rest "]"

typedef struct source_case {
    const char *file, *text;
    memo_status status;
    const char *says;
} source_case;

static const source_case cases[] = {
    {"config.json", CONFIG(", \"is_decoder\": true"), MEMO_ERR_UNSUPPORTED, "is_decoder"},
    {"config.json", CONFIG(", \"hidden_act\": \"gelu_new\""), MEMO_OK, ""},
    {"config.json", "{}", MEMO_ERR_FORMAT, "model_type"},
    {"config.json", "[]", MEMO_ERR_VALUE, "config.json"},
    {"config.json", "{\"model_type\": \"bert\"}", MEMO_ERR_FORMAT, "num_hidden_layers"},
    {"1_Pooling/config.json", "{\"pooling_mode_lasttoken\": true}", MEMO_OK, ""},
    /* modules.json */
    {"modules.json", "{}", MEMO_ERR_VALUE, "modules.json"},
    {"modules.json", MODULES("../other", ""), MEMO_ERR_VALUE, "../other"},
    {"modules.json", MODULES("/etc", ""), MEMO_ERR_VALUE, "/etc"},
    {"modules.json",
     MODULES("1_Pooling",
             ", {\"path\": \"2_Dense\", \"type\": \"sentence_transformers.models.Dense\"}"),
     MEMO_ERR_UNSUPPORTED, "Dense"},
    {"modules.json", "[1, 2]", MEMO_ERR_VALUE, "modules.json"},
    /* lengths */
    {"sentence_bert_config.json", "{\"max_seq_length\": 49}", MEMO_ERR_VALUE, "49"},
    {"sentence_bert_config.json", "{\"max_seq_length\": 0}", MEMO_ERR_VALUE, "max_seq_length"},
    {"sentence_bert_config.json", "{\"max_seq_length\": 2}", MEMO_ERR_VALUE, "special tokens"},
    {"sentence_bert_config.json", "{\"max_seq_length\": 32, \"do_lower_case\": true}",
     MEMO_ERR_UNSUPPORTED, "do_lower_case"},
    {"sentence_bert_config.json", "{\"max_seq_length\": null}", MEMO_OK, ""},
    {"tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}", MEMO_OK,
     ""},
    /* prompts */
    {"config_sentence_transformers.json", "{\"prompts\": []}", MEMO_ERR_VALUE, "prompts"},
    {"config_sentence_transformers.json", "{\"prompts\": {\"query\": 1}}", MEMO_ERR_VALUE, "query"},
    {"config_sentence_transformers.json", "{\"prompts\": null}", MEMO_OK, ""},
    /* tokenizer and weights */
    {"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", MEMO_OK, "vocab.txt"},
    {"model.safetensors", "short", MEMO_ERR_FORMAT, "model.safetensors"},
};

/* The first line of what went wrong, or of what was warned of. */
static memo_status compile_case(memo_ctx *ctx, const char *folder, char says[512])
{
    memo_compile_options o = {.size = sizeof o};
    memo_compile_report *report = NULL;
    memo_err err = {0};
    char out[512];

    says[0] = '\0';
    memo_test_path(out, folder, "out.safetensors");
    memo_status status = memo_model_compile(ctx, folder, out, &o, &report, &err);
    assert_int_equal(access(out, F_OK) == 0, status == MEMO_OK);
    snprintf(says, 512, "%s", err.message);
    for (size_t i = 0; report && i < report->n_warnings; i++)
        if (strlen(says) + strlen(report->warnings[i]) < 511)
            strcat(says, report->warnings[i]);
    memo_compile_report_free(report);
    unlink(out);
    return status;
}

static void make_folder(const char *folder)
{
    char path[512];
    bert_write_model(folder, (bert_spec){0});
    mkdir(memo_test_path(path, folder, "1_Pooling"), 0700);
}

static void test_model_source_each_case(void **state)
{
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    char says[512], folder[300], name[32];

    assert_memo_ok(memo_ctx_new(NULL, &ctx, &err), err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const source_case *c = &cases[i];
        snprintf(name, sizeof name, "case%zu", i);
        snprintf(folder, sizeof folder, "%.200s/%s", (char *)*state, name);
        mkdir(folder, 0700);
        make_folder(folder);
        bert_write_text(folder, c->file, c->text);
        memo_status status = compile_case(ctx, folder, says);
        if (status != c->status || !strstr(says, c->says))
            fail_msg("case %zu, %s: %s \"%s\", not %s with \"%s\"", i, c->file,
                     memo_status_name(status), says, memo_status_name(c->status), c->says);
        memo_test_remove_tree(folder);
    }
    memo_ctx_free(ctx);
}

static void test_model_source_names_what_is_missing(void **state)
{
    static const char *const files[] = {"config.json", "vocab.txt", "model.safetensors"};
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    char says[512], path[512];

    assert_memo_ok(memo_ctx_new(NULL, &ctx, &err), err);
    for (size_t i = 0; i < 3; i++) {
        make_folder(*state);
        unlink(memo_test_path(path, *state, files[i]));
        assert_int_not_equal(compile_case(ctx, *state, says), MEMO_OK);
        assert_contains(says, files[i]);
    }
    memo_ctx_free(ctx);
}

/* ---- recipe and origins -------------------------------------------------------------------- */

static void open_source(memo_source *source, const char *folder, const memo_compile_options *o)
{
    memo_err err = {0};
    memset(source, 0, sizeof *source);
    assert_memo_ok(memo_source_open(source, folder, o, &err), err);
}

#define assert_origin(source, field, text)                                                         \
    assert_string_equal((source).recipe.origin[MEMO_RECIPE_##field], text)

/* Flat files: the documented defaults. */
static void test_model_source_defaults(void **state)
{
    memo_compile_options o = {.size = sizeof o};
    memo_source s;

    make_folder(*state);
    bert_write_text(*state, "config.json", CONFIG(""));
    open_source(&s, *state, &o);
    assert_int_equal(s.recipe.pooling, MEMO_POOLING_MEAN);
    assert_origin(s, pooling, "default");
    assert_int_equal(s.recipe.normalize, 1);
    assert_origin(s, normalize, "default");
    assert_int_equal(s.recipe.max_tokens, 48);
    assert_origin(s, max_tokens, "config.json");
    assert_int_equal(s.recipe.activation, MEMO_ACTIVATION_GELU_ERF);
    assert_origin(s, activation, "default");
    assert_true(s.recipe.norm_eps == 1e-12);
    assert_origin(s, norm_eps, "default");
    assert_int_equal(s.recipe.n_token_types, 2);
    assert_origin(s, n_token_types, "default");
    assert_string_equal(s.recipe.prompt_query, "");
    memo_source_close(&s);
}

/* MiniLM's trap: three maximum lengths; sentence_bert_config.json's is the reference's. */
static void test_model_source_length_precedence(void **state)
{
    memo_compile_options o = {.size = sizeof o};
    memo_source s;

    make_folder(*state);
    bert_write_text(*state, "tokenizer_config.json", "{\"model_max_length\": 20}");
    open_source(&s, *state, &o);
    assert_int_equal(s.recipe.max_tokens, 20);
    assert_origin(s, max_tokens, "tokenizer_config.json");
    memo_source_close(&s);

    bert_write_text(*state, "sentence_bert_config.json", "{\"max_seq_length\": 32}");
    open_source(&s, *state, &o);
    assert_int_equal(s.recipe.max_tokens, 32);
    assert_origin(s, max_tokens, "sentence_bert_config.json");
    memo_source_close(&s);

    o.max_tokens = 10;
    open_source(&s, *state, &o);
    assert_int_equal(s.recipe.max_tokens, 10);
    assert_origin(s, max_tokens, "option");
    memo_source_close(&s);
}

static void test_model_source_sentence_transformer_files(void **state)
{
    memo_compile_options o = {.size = sizeof o};
    char *json = NULL;
    memo_recipe back = {0};
    memo_err err = {0};
    memo_source s;

    make_folder(*state);
    bert_write_text(*state, "modules.json", MODULES("1_Pooling", ""));
    bert_write_text(*state, "1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}");
    bert_write_text(*state, "config_sentence_transformers.json",
                    "{\"prompts\": {\"query\": \"the key: \", \"passage\": \"p\\u00e8re \"}}");
    open_source(&s, *state, &o);
    assert_int_equal(s.recipe.pooling, MEMO_POOLING_CLS);
    assert_origin(s, pooling, "1_Pooling/config.json");
    assert_int_equal(s.recipe.normalize, 0);
    assert_origin(s, normalize, "modules.json");
    assert_string_equal(s.recipe.prompt_query, "the key: ");
    assert_string_equal(s.recipe.prompt_document, "p\u00e8re ");
    assert_origin(s, prompt_query, "config_sentence_transformers.json");

    /* What is stored is what is read back. */
    assert_memo_ok(memo_recipe_write(&s.recipe, &json, &err), err);
    assert_contains(json, "\"norm_eps\":{\"value\":1e-12,\"origin\":\"config.json\"}");
    assert_memo_ok(memo_recipe_read(json, &back, &err), err);
    assert_string_equal(back.prompt_document, s.recipe.prompt_document);
    assert_int_equal(back.pooling, s.recipe.pooling);
    assert_int_equal(back.vocab_size, s.recipe.vocab_size);
    assert_true(back.norm_eps == s.recipe.norm_eps);
    memo_recipe_fini(&back);
    memo_free(json);
    memo_source_close(&s);

    bert_write_text(*state, "1_Pooling/config.json",
                    "{\"pooling_mode_mean_tokens\": true, \"include_prompt\": false}");
    memset(&s, 0, sizeof s);
    assert_memo_status(memo_source_open(&s, *state, &o, &err), MEMO_ERR_UNSUPPORTED, err);
    memo_source_close(&s);
    o.pooling = MEMO_POOLING_LAST;
    open_source(&s, *state, &o);
    assert_int_equal(s.recipe.pooling, MEMO_POOLING_LAST);
    assert_origin(s, pooling, "option");
    memo_source_close(&s);
}

static void test_model_source_default_prompt(void **state)
{
    memo_compile_options o = {.size = sizeof o};
    memo_source s;

    make_folder(*state);
    bert_write_text(*state, "config_sentence_transformers.json",
                    "{\"prompts\": {\"all\": \"tea \"}, \"default_prompt_name\": \"all\"}");
    open_source(&s, *state, &o);
    assert_string_equal(s.recipe.prompt_query, "tea ");
    assert_string_equal(s.recipe.prompt_document, "tea ");
    memo_source_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_DIR(test)                                                                               \
    cmocka_unit_test_setup_teardown(test, memo_test_setup_dir, memo_test_teardown_dir)
        IN_DIR(test_model_source_each_case),
        IN_DIR(test_model_source_names_what_is_missing),
        IN_DIR(test_model_source_defaults),
        IN_DIR(test_model_source_length_precedence),
        IN_DIR(test_model_source_sentence_transformer_files),
        IN_DIR(test_model_source_default_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
