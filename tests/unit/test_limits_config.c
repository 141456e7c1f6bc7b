// SPDX-License-Identifier: Apache-2.0
/* Bad model folders, by number: one file of a good folder is replaced, and the folder is compiled.
 * Each is refused with its class and field, in bounded time and memory, and nothing is written.
 *
 *   28  test_limits_28_needed_weights              96   test_limits_96_unknown_names
 *   37, 38  test_limits_37_38_sharded_index        97   test_limits_97_norm_eps
 *   78  test_limits_78_gaps_below_the_rows         98   test_limits_98_position_table
 *   79  test_limits_79_ids_against_rows            99   test_limits_99_code_of_the_publisher
 *   90  test_limits_90_file_of_200_mb              100  test_limits_100_pooling
 *   92  test_limits_92_precedence                  101  test_limits_101_normalize_default
 *   93  test_limits_93_sizes                       102  test_limits_102_not_json
 *   94  test_limits_94_heads
 *   95  test_limits_95_layers
 *
 * 36 and the tensors of 95 are in test_model_compile.c. Heads of keys and values (94) and rope theta
 * (97) come with architectures that have them. */
#include <dirent.h>

#include <memolith/model.h>

#include "bert_source.h"
#include "limits_gauge.h"
#include "model/compile/source.h"
#include "tokenizer_fixture.h"

typedef struct config_env {
    memo_ctx *ctx;
    char dir[256], source[300], out[300];
    char says[1024];
    size_t n_warnings;
} config_env;

static void write_folder(const config_env *e, bert_spec spec)
{
    char path[512];
    memo_test_remove_tree(e->source);
    mkdir(e->source, 0700);
    bert_write_model(e->source, spec);
    mkdir(memo_test_path(path, e->source, "1_Pooling"), 0700);
}

static int setup(void **state)
{
    config_env *e = calloc(1, sizeof *e);
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1};
    memo_err err = {0};

    memo_test_temp_dir(e->dir);
    snprintf(e->source, sizeof e->source, "%.255s/source", e->dir);
    snprintf(e->out, sizeof e->out, "%.255s/out", e->dir);
    mkdir(e->out, 0700);
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &err), err);
    write_folder(e, (bert_spec){0});
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    config_env *e = *state;
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

/* Files in a folder, also hidden ones. */
static size_t count_files(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));)
        n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
    closedir(dir);
    return n;
}

/* e->says becomes the message, or all warnings one after the other. */
static memo_status compile_folder(config_env *e)
{
    memo_compile_options o = {.size = sizeof o, .overwrite = 1};
    memo_compile_report *report = NULL;
    memo_err err = {0};
    char out[512];

    memo_test_path(out, e->out, "model");
    limits_gauge g = limits_begin();
    memo_status status = memo_model_compile(e->ctx, e->source, out, &o, &report, &err);
    snprintf(e->says, sizeof e->says, "%s", err.message);
    e->n_warnings = report ? report->n_warnings : 0;
    for (size_t i = 0; i < e->n_warnings; i++)
        snprintf(e->says + strlen(e->says), sizeof e->says - strlen(e->says), "%s\n",
                 report->warnings[i]);
    memo_compile_report_free(report);
    limits_end_within(g, e->says, status ? LIMITS_MS : 1000, LIMITS_BYTES);
    assert_int_equal(count_files(e->out), status == MEMO_OK);
    unlink(out);
    return status;
}

typedef struct config_case {
    const char *text;
    memo_status status;
    const char *says;
} config_case;

/* Each text as `file` of the folder, which is as before afterwards. */
static void check_cases(config_env *e, const char *file, const config_case *cases, size_t n)
{
    char path[512], *before = NULL;
    size_t n_before = 0;

    memo_test_path(path, e->source, file);
    if (access(path, F_OK) == 0)
        assert_int_equal(memo_file_slurp(path, 1 << 20, &before, &n_before, NULL), MEMO_OK);
    for (size_t i = 0; i < n; i++) {
        bert_write_text(e->source, file, cases[i].text);
        memo_status status = compile_folder(e);
        if (status != cases[i].status || !strstr(e->says, cases[i].says))
            fail_msg("%s: %s\n  gives %s \"%s\"\n  expected %s \"%s\"", file, cases[i].text,
                     memo_status_name(status), e->says, memo_status_name(cases[i].status),
                     cases[i].says);
        if (status && !strstr(e->says, strcmp(file, "config.json") ? file : ""))
            fail_msg("the message does not name %s: %s", file, e->says);
    }
    unlink(path);
    if (before)
        memo_test_write_file(path, before, n_before);
    memo_free(before);
}

#define CHECK(file, cases) check_cases(*state, file, cases, sizeof(cases) / sizeof *(cases))

#define CONFIG(rest)                                                                               \
    "{\"model_type\": \"bert\", \"num_hidden_layers\": 2, \"hidden_size\": 40, "                   \
    "\"num_attention_heads\": 5, \"intermediate_size\": 72, \"max_position_embeddings\": 48, "     \
    "\"vocab_size\": 71" rest "}"

/* The same with one field replaced: any field may come once only. */
#define FIELDS(layers, hidden, heads, positions, vocab)                                            \
    "{\"model_type\": \"bert\", \"num_hidden_layers\": " layers ", \"hidden_size\": " hidden       \
    ", \"num_attention_heads\": " heads ", \"intermediate_size\": 72, "                            \
    "\"max_position_embeddings\": " positions ", \"vocab_size\": " vocab "}"
#define LAYERS(n)    FIELDS(n, "40", "5", "48", "71")
#define HIDDEN(n)    FIELDS("2", n, "5", "48", "71")
#define HEADS(n)     FIELDS("2", "40", n, "48", "71")
#define POSITIONS(n) FIELDS("2", "40", "5", n, "71")
#define ROWS(n)      FIELDS("2", "40", "5", "48", n)

/* ---- weights --------------------------------------------------------------------------------- */

static void test_limits_28_needed_weights(void **state)
{
    config_env *e = *state;

    write_folder(e, (bert_spec){.empty = "encoder.layer.1.attention.self.value.weight"});
    assert_int_equal(compile_folder(e), MEMO_ERR_VALUE);
    assert_contains(e->says, "\"encoder.layer.1.attention.self.value.weight\" has 2 dimensions and "
                             "0 values; config.json asks for [40, 40]");
    write_folder(e, (bert_spec){.empty = "encoder.layer.0.output.LayerNorm.bias"});
    assert_int_equal(compile_folder(e), MEMO_ERR_VALUE);
    assert_contains(e->says, "\"encoder.layer.0.output.LayerNorm.bias\" has 1 dimensions and 0 "
                             "values; config.json asks for [40]");
    write_folder(e, (bert_spec){.scalar = "encoder.layer.0.output.LayerNorm.bias"});
    assert_int_equal(compile_folder(e), MEMO_ERR_VALUE);
    assert_contains(e->says, "\"encoder.layer.0.output.LayerNorm.bias\" has 0 dimensions and 1 "
                             "values; config.json asks for [40]");
}

/* Shards are not read yet, whatever their names: nothing in the index is looked at. */
static void test_limits_37_38_sharded_index(void **state)
{
    static const config_case cases[] = {
        {"{\"weight_map\": {\"a\": \"../secret.safetensors\"}}", MEMO_ERR_UNSUPPORTED, "split"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", MEMO_ERR_UNSUPPORTED, "split"},
        {"not JSON", MEMO_ERR_UNSUPPORTED, "one model.safetensors is needed"},
    };
    config_env *e = *state;
    char path[512];

    unlink(memo_test_path(path, e->source, "model.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bert_write_text(e->source, "model.safetensors.index.json", cases[i].text);
        assert_int_equal(compile_folder(e), cases[i].status);
        assert_contains(e->says, cases[i].says);
        assert_contains(e->says, e->source);
    }
}

/* ---- tokenizer ------------------------------------------------------------------------------- */

#define TOKENIZER(rest, vocab)                                                                     \
    "{" rest "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":" FIXTURE_MODEL(vocab) "}"

static void test_limits_78_gaps_below_the_rows(void **state)
{
    static const config_case cases[] = {
        {TOKENIZER("", "\"[UNK]\":3,\"a\":70"), MEMO_OK, ""},
        {TOKENIZER("", "\"[UNK]\":3,\"a\":71"), MEMO_ERR_VALUE, "ids up to 71"},
        {TOKENIZER("\"added_tokens\":[" FIXTURE_ADDED("<x>", 2, SMALL_PLAIN) "],",
                   "\"[UNK]\":0,\"a\":70"),
         MEMO_OK, ""},
    };
    config_env *e = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bert_write_text(e->source, "tokenizer.json", cases[i].text);
        assert_int_equal(compile_folder(e), cases[i].status);
        assert_contains(e->says, cases[i].says);
    }
}

static void test_limits_79_ids_against_rows(void **state)
{
    static const config_case cases[] = {
        /* vocab.txt has 71 tokens, the embedding 71 rows */
        {ROWS("70"), MEMO_ERR_VALUE,
         "the tokenizer has ids up to 70, but vocab_size of config.json is 70"},
        {ROWS("72"), MEMO_ERR_VALUE, "word_embeddings.weight\" has 2 dimensions and 2840 values"},
        {ROWS("71"), MEMO_OK, ""},
    };
    CHECK("config.json", cases);
}

/* tokenizer.json and config.json stand for all that is JSON, vocab.txt for what is lines. */
static void test_limits_90_file_of_200_mb(void **state)
{
    static const char *const files[] = {"tokenizer.json", "vocab.txt", "config.json"};
    config_env *e = *state;
    char path[512];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        memo_test_write_file(memo_test_path(path, e->source, files[i]), "{", 1);
        assert_int_equal(truncate(path, 200 << 20), 0); /* a hole: nothing is read of it */
        assert_int_equal(compile_folder(e), MEMO_ERR_LIMIT);
        assert_contains(e->says, files[i]);
        assert_contains(e->says, "209715200");
        if (i == 0)
            unlink(path); /* it would be taken before vocab.txt */
        else
            write_folder(e, (bert_spec){0});
    }
}

static size_t max_tokens_of(config_env *e, const char **origin)
{
    memo_compile_options o = {.size = sizeof o};
    memo_source source = {0};
    memo_err err = {0};
    assert_memo_ok(memo_source_open(&source, e->source, &o, &err), err);
    size_t n = source.recipe.max_tokens;
    *origin = source.recipe.origin[MEMO_RECIPE_max_tokens];
    memo_source_close(&source);
    return n;
}

/* sentence_bert_config.json, else the smaller of tokenizer_config.json and the positions; what
 * tokenizer.json says is not followed, and named once when it differs. */
static void test_limits_92_precedence(void **state)
{
    config_env *e = *state;
    const char *origin;

    bert_write_text(e->source, "tokenizer.json",
                    TOKENIZER("\"truncation\":{\"direction\":\"Right\",\"max_length\":20,"
                              "\"strategy\":\"LongestFirst\",\"stride\":0},"
                              "\"padding\":{\"strategy\":{\"Fixed\":20}},",
                              "\"[UNK]\":0,\"a\":1"));
    assert_int_equal(compile_folder(e), MEMO_OK);
    assert_int_equal(e->n_warnings, 2);
    assert_contains(e->says, "tokenizer.json truncates at 20 tokens; 48 are used (config.json)");
    assert_contains(e->says, "tokenizer.json asks for padding; texts are run without any");
    bert_write_text(e->source, "tokenizer_config.json", "{\"model_max_length\": 24}");
    assert_int_equal(max_tokens_of(e, &origin), 24);
    assert_string_equal(origin, "tokenizer_config.json");
    bert_write_text(e->source, "sentence_bert_config.json", "{\"max_seq_length\": 32}");
    assert_int_equal(max_tokens_of(e, &origin), 32);
    assert_string_equal(origin, "sentence_bert_config.json");
    bert_write_text(e->source, "sentence_bert_config.json", "{\"max_seq_length\": 20}");
    assert_int_equal(compile_folder(e), MEMO_OK);
    assert_int_equal(e->n_warnings, 1); /* of the padding alone */
}

/* ---- config.json ----------------------------------------------------------------------------- */

static void test_limits_93_sizes(void **state)
{
    static const config_case cases[] = {
        {HIDDEN("0"), MEMO_ERR_VALUE, "config.json.hidden_size: is 0, not between 1 and 65536"},
        {HIDDEN("-40"), MEMO_ERR_VALUE, "config.json.hidden_size: is -40, not between"},
        {HIDDEN("2147483648"), MEMO_ERR_VALUE, "config.json.hidden_size: is 2147483648, not"},
        {HIDDEN("1e309"), MEMO_ERR_VALUE, "config.json.hidden_size: line 1 column"},
        {HIDDEN("99999999999999999999"), MEMO_ERR_VALUE, "config.json.hidden_size: line 1 column"},
        {HIDDEN("\"40\""), MEMO_ERR_VALUE, "config.json.hidden_size: is a string, not an integer"},
        {HIDDEN("40.0"), MEMO_ERR_VALUE, "config.json.hidden_size: is a real number, not an"},
        {HIDDEN("null"), MEMO_ERR_FORMAT, "config.json: has no \"hidden_size\""},
        {LAYERS("0"), MEMO_ERR_VALUE, "config.json.num_hidden_layers: is 0"},
        {LAYERS("4294967297"), MEMO_ERR_VALUE, "config.json.num_hidden_layers: is 4294967297"},
        {HEADS("0"), MEMO_ERR_VALUE, "config.json.num_attention_heads: is 0"},
        {POSITIONS("-1"), MEMO_ERR_VALUE, "config.json.max_position_embeddings: is -1"},
        {ROWS("2000001"), MEMO_ERR_VALUE, "config.json.vocab_size: is 2000001"},
        {CONFIG(", \"type_vocab_size\": 0"), MEMO_ERR_VALUE, "config.json.type_vocab_size: is 0"},
    };
    static const config_case lengths[] = {
        {"{\"max_seq_length\": 0}", MEMO_ERR_VALUE, "max_seq_length: is 0"},
        {"{\"max_seq_length\": -1}", MEMO_ERR_VALUE, "max_seq_length: is -1"},
        {"{\"max_seq_length\": \"48\"}", MEMO_ERR_VALUE, "max_seq_length: is a string"},
    };
    CHECK("config.json", cases);
    CHECK("sentence_bert_config.json", lengths);
}

static void test_limits_94_heads(void **state)
{
    static const config_case cases[] = {
        {HEADS("6"), MEMO_ERR_VALUE, "6 attention heads do not divide the hidden size 40"},
        {HEADS("80"), MEMO_ERR_VALUE, "80 attention heads do not divide the hidden size 40"},
    };
    CHECK("config.json", cases);
}

static void test_limits_95_layers(void **state)
{
    static const config_case cases[] = {
        {LAYERS("3"), MEMO_ERR_FORMAT, "\"encoder.layer.2."},
        {LAYERS("1"), MEMO_ERR_FORMAT, "\"encoder.layer.1."},
        {LAYERS("1"), MEMO_ERR_FORMAT, "has no place in a bert of 1 layers"},
    };
    CHECK("config.json", cases);
}

static void test_limits_96_unknown_names(void **state)
{
    static const config_case cases[] = {
        {CONFIG(", \"hidden_act\": \"relu\""), MEMO_ERR_UNSUPPORTED, "hidden_act \"relu\""},
        {CONFIG(", \"position_embedding_type\": \"relative_key\""), MEMO_ERR_UNSUPPORTED,
         "position_embedding_type \"relative_key\" is not supported, only absolute"},
        {"{\"model_type\": \"xlm-roberta\"}", MEMO_ERR_UNSUPPORTED,
         "model_type \"xlm-roberta\" is not supported; supported are bert and distilbert"},
    };
    CHECK("config.json", cases);
}

static void test_limits_97_norm_eps(void **state)
{
    static const config_case cases[] = {
        {CONFIG(", \"layer_norm_eps\": 0"), MEMO_ERR_VALUE, "config.json.layer_norm_eps: is 0"},
        {CONFIG(", \"layer_norm_eps\": -1e-5"), MEMO_ERR_VALUE, "layer_norm_eps: is -1e-05"},
        {CONFIG(", \"layer_norm_eps\": 1"), MEMO_ERR_VALUE, "config.json.layer_norm_eps: is 1"},
        {CONFIG(", \"layer_norm_eps\": \"NaN\""), MEMO_ERR_VALUE, "layer_norm_eps: is a string"},
        {CONFIG(", \"layer_norm_eps\": 1e-400"), MEMO_ERR_VALUE, "layer_norm_eps"},
    };
    CHECK("config.json", cases);
}

static void test_limits_98_position_table(void **state)
{
    static const config_case cases[] = {
        {POSITIONS("49"), MEMO_ERR_VALUE,
         "position_embeddings.weight\" has 2 dimensions and 1920 values; config.json asks for [49, "
         "40]"},
    };
    static const config_case lengths[] = {
        {"{\"max_seq_length\": 49}", MEMO_ERR_VALUE,
         "a maximum of 49 tokens, but the model has 48 positions"},
    };
    config_env *e = *state;

    CHECK("config.json", cases);
    bert_write_text(e->source, "sentence_bert_config.json", lengths[0].text);
    assert_int_equal(compile_folder(e), lengths[0].status);
    assert_contains(e->says, lengths[0].says);
}

static void test_limits_99_code_of_the_publisher(void **state)
{
    config_env *e = *state;

    bert_write_text(
        e->source, "config.json",
        CONFIG(", \"auto_map\": {\"AutoModel\": \"x--y.Z\"}, \"custom_pipelines\": {}"));
    bert_write_text(e->source, "tokenizer_config.json", "{\"auto_map\": {\"AutoTokenizer\": []}}");
    bert_write_text(e->source, "modules.json",
                    "[{\"path\": \"\", \"type\": \"custom_st.Transformer\"}, {\"path\": "
                    "\"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]");
    assert_int_equal(compile_folder(e), MEMO_OK);
    assert_contains(e->says, "config.json: auto_map names code of the publisher; it is ignored");
    assert_contains(e->says, "config.json: custom_pipelines names code");
    assert_contains(e->says, "tokenizer_config.json: auto_map names code");
    assert_contains(e->says, "module 0 is \"custom_st.Transformer\", code of the publisher");
    assert_int_equal(e->n_warnings, 5); /* the fifth is of vocab.txt */
}

static void test_limits_100_pooling(void **state)
{
    static const config_case cases[] = {
        {"{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}", MEMO_ERR_VALUE,
         "both pooling_mode_cls_token and pooling_mode_mean_tokens are set"},
        {"{\"pooling_mode_cls_token\": false}", MEMO_ERR_VALUE, "no pooling mode is set"},
        {"{}", MEMO_ERR_VALUE, "no pooling mode is set"},
        {"{\"pooling_mode_mean_tokens\": 1}", MEMO_ERR_VALUE,
         "pooling_mode_mean_tokens: is an integer, not true or false"},
        {"{\"word_embedding_dimension\": 41, \"pooling_mode_mean_tokens\": true}", MEMO_ERR_VALUE,
         "word_embedding_dimension is 41, but hidden_size of config.json is 40"},
        {"{\"word_embedding_dimension\": -40, \"pooling_mode_mean_tokens\": true}", MEMO_ERR_VALUE,
         "word_embedding_dimension: is -40"},
        {"{\"pooling_mode_max_tokens\": true}", MEMO_ERR_UNSUPPORTED, "pooling_mode_max_tokens"},
    };
    CHECK("1_Pooling/config.json", cases);
}

static void test_limits_101_normalize_default(void **state)
{
    config_env *e = *state;
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};
    memo_compile_options o = {.size = sizeof o, .overwrite = 1};
    char out[512];

    memo_test_path(out, e->dir, "model");
    assert_memo_ok(memo_model_compile(e->ctx, e->source, out, &o, NULL, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, out, NULL, &model, &err), err);
    memo_model_get_info(model, &info, NULL); /* what `model show` prints */
    assert_contains(info.recipe_json, "\"normalize\":{\"value\":true,\"origin\":\"default\"}");
    memo_model_close(model);
}

static void test_limits_102_not_json(void **state)
{
    static const config_case cases[] = {
        {CONFIG(","), MEMO_ERR_FORMAT, "config.json: line 1 column 166"},
        {"{\n  \"model_type\": \"bert\",\n}", MEMO_ERR_FORMAT, "config.json: line 3 column 1"},
        {"// comment\n" CONFIG(""), MEMO_ERR_FORMAT, "config.json: line 1 column 1"},
        {"{\n/* comment */ \"a\": 1}", MEMO_ERR_FORMAT, "config.json: line 2 column 1"},
        {LAYERS("NaN"), MEMO_ERR_FORMAT, "config.json: line 1 column"},
        {CONFIG(", \"layer_norm_eps\": -Infinity"), MEMO_ERR_FORMAT, "config.json: line 1 column"},
        {CONFIG(", \"vocab_size\": 71"), MEMO_ERR_FORMAT, "config.json: line 1 column"},
        {"", MEMO_ERR_FORMAT, "config.json: empty"},
    };
    static const config_case others[] = {
        {"{\"pooling_mode_mean_tokens\": true,}", MEMO_ERR_FORMAT, "line 1 column 35"},
        {"{\n  \"pooling_mode_mean_tokens\": NaN}", MEMO_ERR_FORMAT, "line 2 column 31"},
        {"# comment\n{}", MEMO_ERR_FORMAT, "line 1 column 1"},
    };
    CHECK("config.json", cases);
    CHECK("1_Pooling/config.json", others);
    CHECK("modules.json", others);
    CHECK("sentence_bert_config.json", others);
    CHECK("tokenizer_config.json", others);
    CHECK("config_sentence_transformers.json", others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_ENV(test_limits_28_needed_weights),
        IN_ENV(test_limits_37_38_sharded_index),
        IN_ENV(test_limits_78_gaps_below_the_rows),
        IN_ENV(test_limits_79_ids_against_rows),
        IN_ENV(test_limits_90_file_of_200_mb),
        IN_ENV(test_limits_92_precedence),
        IN_ENV(test_limits_93_sizes),
        IN_ENV(test_limits_94_heads),
        IN_ENV(test_limits_95_layers),
        IN_ENV(test_limits_96_unknown_names),
        IN_ENV(test_limits_97_norm_eps),
        IN_ENV(test_limits_98_position_table),
        IN_ENV(test_limits_99_code_of_the_publisher),
        IN_ENV(test_limits_100_pooling),
        IN_ENV(test_limits_101_normalize_default),
        IN_ENV(test_limits_102_not_json),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
