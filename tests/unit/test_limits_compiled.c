// SPDX-License-Identifier: Apache-2.0
/* Compiled models in the wrong place at the wrong time, by number; damage and hostile bytes (103 to
 * 106) are in test_model_compiled.c, a compile that is killed (111) in test_model_compile.c.
 *
 *   107  test_limits_107_every_cpu_level_or_refused
 *   108  test_limits_108_replaced_while_mapped, test_limits_108_cut_before_it_is_mapped
 *        (cut while it is mapped: tests/cli/model.t)
 *   109  test_limits_109_source_changed, test_limits_109_source_of_a_model_with_options,
 *        test_limits_109_source_not_recorded
 *   110  test_limits_110_extents_of_the_header, test_limits_110_sections_of_the_tables */
#include <memolith/model.h>

#include "base/cpu.h"
#include "limits_gauge.h"
#include "model/compiled.h"
#include "text/tokenizer_tables.h"
#include "tiny_model.h"

typedef struct compiled_env {
    memo_ctx *ctx;
    char dir[256], path[512], source[300];
    memo_model *model;
} compiled_env;

static int setup(void **state)
{
    compiled_env *e = calloc(1, sizeof *e);
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1};
    memo_err err = {0};

    memo_test_temp_dir(e->dir);
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &err), err);
    e->model = tiny_model_open(e->ctx, e->dir, 1, &err);
    memo_test_path(e->path, e->dir, "tiny-1.safetensors");
    snprintf(e->source, sizeof e->source, "%.255s/tiny-1", e->dir);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    compiled_env *e = *state;
    memo_model_close(e->model);
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static void embed(memo_model *model, float vector[TINY_HIDDEN])
{
    memo_text text = MEMO_TEXT("the spare key is under the flower pot");
    memo_err err = {0};
    assert_memo_ok(memo_model_embed(model, NULL, &text, 1, vector, NULL, &err), err);
}

/* ---- machines -------------------------------------------------------------------------------- */

/* One file for all levels: a level runs it, or is refused by name before any of its code runs. */
static void test_limits_107_every_cpu_level_or_refused(void **state)
{
    compiled_env *e = *state;
    float best[TINY_HIDDEN], vector[TINY_HIDDEN];
    size_t n_run = 0, n_refused = 0;

    embed(e->model, best);
    for (int level = MEMO_CPU_REF; level < MEMO_CPU_COUNT; level++) {
        memo_ctx_options options = {.size = sizeof options, .n_threads = 1, .cpu = (memo_cpu)level};
        memo_ctx *ctx = NULL;
        memo_model *model = NULL;
        memo_err err = {0};
        memo_status status = memo_ctx_new(&options, &ctx, &err);
        if (status == MEMO_OK)
            status = memo_model_open(ctx, e->path, NULL, &model, &err);
        if (status == MEMO_OK) {
            double dot = 0;
            embed(model, vector);
            for (size_t i = 0; i < TINY_HIDDEN; i++)
                dot += (double)vector[i] * best[i];
            assert_true(dot > 0.9999);
            n_run++;
        } else {
            assert_memo_status(status, MEMO_ERR_UNSUPPORTED, err);
            assert_contains(err.message, memo_cpu_name((memo_cpu)level));
            n_refused++;
        }
        memo_model_close(model);
        memo_ctx_free(ctx);
    }
    printf("%zu levels run, %zu refused by name\n", n_run, n_refused);
    assert_true(n_run > 0 && n_refused > 0); /* no CPU is both x86 and ARM */
}

/* ---- files that change ----------------------------------------------------------------------- */

static void test_limits_108_replaced_while_mapped(void **state)
{
    compiled_env *e = *state;
    const memo_compile_options o = {.size = sizeof o, .overwrite = 1};
    float before[TINY_HIDDEN], after[TINY_HIDDEN], other[TINY_HIDDEN];
    memo_model *fresh = NULL;
    memo_err err = {0};

    embed(e->model, before);
    tiny_model_write(e->source, 2);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->path, &o, NULL, &err), err);
    embed(e->model, after); /* the old file, as long as it is open */
    assert_memory_equal(before, after, sizeof before);
    assert_memo_ok(memo_model_verify(e->model, NULL, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, e->path, NULL, &fresh, &err), err);
    embed(fresh, other);
    assert_memory_not_equal(before, other, sizeof before);
    memo_model_close(fresh);
    unlink(e->path);
    embed(e->model, after);
    assert_memory_equal(before, after, sizeof before);
}

static void test_limits_108_cut_before_it_is_mapped(void **state)
{
    compiled_env *e = *state;
    memo_model *model = NULL;
    memo_err err = {0};
    struct stat st;
    char cut[128];

    memo_model_close(e->model);
    e->model = NULL;
    assert_int_equal(stat(e->path, &st), 0);
    assert_int_equal(truncate(e->path, st.st_size / 2), 0);
    limits_gauge g = limits_begin();
    assert_memo_status(memo_model_open(e->ctx, e->path, NULL, &model, &err), MEMO_ERR_FORMAT, err);
    limits_end(g, "a file cut in half");
    assert_contains(err.message, e->path);
    snprintf(cut, sizeof cut, "the file is cut short, %lld of at least %lld bytes",
             (long long)st.st_size / 2, (long long)st.st_size);
    assert_contains(err.message, cut);
    assert_contains(err.hint, "compiled again");
    assert_int_equal(truncate(e->path, 100), 0); /* within the header */
    assert_memo_status(memo_model_open(e->ctx, e->path, NULL, &model, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.hint, "cut short");
    assert_int_equal(truncate(e->path, 0), 0);
    assert_memo_status(memo_model_open(e->ctx, e->path, NULL, &model, &err), MEMO_ERR_FORMAT, err);
}

/* ---- the source ------------------------------------------------------------------------------ */

static memo_source_check check_source(compiled_env *e)
{
    memo_source_check check = {.size = sizeof check};
    memo_err err = {0};
    assert_memo_ok(memo_model_check_source(e->model, e->source, &check, &err), err);
    assert_int_equal(strlen(check.found), 64);
    return check;
}

/* Every file that compiling reads counts, each byte of it, and nothing else in the folder. */
static void test_limits_109_source_changed(void **state)
{
    static const char *const read_files[] = {"config.json",
                                             "vocab.txt",
                                             "modules.json",
                                             "1_Pooling/config.json",
                                             "sentence_bert_config.json",
                                             "model.safetensors"};
    compiled_env *e = *state;
    memo_source_check whole = check_source(e), check;
    char path[600];
    memo_err err = {0};

    assert_int_equal(whole.matches, 1);
    assert_string_equal(whole.recorded, whole.found);
    tiny_model_put(e->source, "README.md", "not read");
    assert_int_equal(check_source(e).matches, 1);
    for (size_t i = 0; i < sizeof read_files / sizeof *read_files; i++) {
        char *bytes = NULL;
        size_t n = 0;
        snprintf(path, sizeof path, "%s/%s", e->source, read_files[i]);
        assert_memo_ok(memo_file_slurp(path, 1 << 20, &bytes, &n, &err), err);
        if (i == 5) /* a weight's lowest bit */
            bytes[n - 4] ^= 1;
        else if (i == 1) /* white space alone: what is said is the same, the file is not */
            bytes[n - 1] = ' ';
        else
            bytes[n++] = '\n'; /* where the NUL of the slurp was */
        memo_test_write_file(path, bytes, n);
        check = check_source(e);
        if (check.matches || strcmp(check.found, whole.recorded) == 0)
            fail_msg("a change of %s is not seen", read_files[i]);
        assert_string_equal(check.recorded, whole.recorded);
        if (i == 5)
            bytes[n - 4] ^= 1;
        else if (i == 1)
            bytes[n - 1] = '\n';
        else
            n--;
        memo_test_write_file(path, bytes, n);
        memo_free(bytes);
    }
    assert_int_equal(check_source(e).matches, 1);
    tiny_model_put(e->source, "config_sentence_transformers.json", "{\"prompts\":{}}"); /* new */
    assert_int_equal(check_source(e).matches, 0);
    unlink(memo_test_path(path, e->source, "model.safetensors"));
    assert_memo_status(memo_model_check_source(e->model, e->source, &check, &err), MEMO_ERR_IO,
                       err);
    assert_contains(err.message, "model.safetensors");
    assert_memo_status(memo_model_check_source(e->model, "", &check, &err), MEMO_ERR_USAGE, err);
    assert_memo_status(memo_model_check_source(e->model, e->source, NULL, &err), MEMO_ERR_USAGE,
                       err);
}

/* What the caller of compile decided for the files is decided here as well: they alone could not be
 * compiled. */
static void test_limits_109_source_of_a_model_with_options(void **state)
{
    compiled_env *e = *state;
    const memo_compile_options o = {
        .size = sizeof o, .overwrite = 1, .pooling = MEMO_POOLING_CLS, .max_tokens = 20};
    memo_model *model = NULL;
    memo_source_check check = {.size = sizeof check};
    memo_err err = {0};

    tiny_model_put(e->source, "1_Pooling/config.json",
                   "{\"word_embedding_dimension\":32,\"pooling_mode_max_tokens\":true}");
    tiny_model_put(e->source, "sentence_bert_config.json", "{\"max_seq_length\":1000}");
    assert_memo_status(memo_model_check_source(e->model, e->source, &check, &err),
                       MEMO_ERR_UNSUPPORTED, err);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->path, &o, NULL, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, e->path, NULL, &model, &err), err);
    assert_memo_ok(memo_model_check_source(model, e->source, &check, &err), err);
    assert_int_equal(check.matches, 1);
    tiny_model_put(e->source, "sentence_bert_config.json", "{\"max_seq_length\":1001}");
    assert_memo_ok(memo_model_check_source(model, e->source, &check, &err), err);
    assert_int_equal(check.matches, 0);
    memo_model_close(model);
}

/* ---- hostile extents ------------------------------------------------------------------------- */

/* The file as bytes that a test may change; sign with sign_header(). */
typedef struct model_bytes {
    unsigned char *bytes;
    size_t n;
} model_bytes;

static model_bytes read_model(const compiled_env *e)
{
    model_bytes m = {NULL, 0};
    memo_err err = {0};
    char *text = NULL;
    assert_memo_ok(memo_file_slurp(e->path, 1 << 24, &text, &m.n, &err), err);
    m.bytes = memo_aligned_alloc(m.n);
    memcpy(m.bytes, text, m.n);
    memo_free(text);
    return m;
}

static size_t header_end(model_bytes m)
{
    uint64_t n;
    memcpy(&n, m.bytes, sizeof n);
    return (size_t)n + 8;
}

static void sign_header(model_bytes m)
{
    char digits[MEMO_HEADER_HASH_DIGITS + 1];
    size_t at;
    if (memo_compiled_header_hash(m.bytes, header_end(m), &at, digits))
        memcpy(m.bytes + at, digits, MEMO_HEADER_HASH_DIGITS);
}

static memo_status open_bytes(compiled_env *e, model_bytes m, memo_err *err)
{
    memo_model *model = NULL;
    limits_gauge g = limits_begin();
    memo_status status = memo_model_open_memory(e->ctx, m.bytes, m.n, NULL, &model, err);
    if (status == MEMO_OK)
        memo_model_close(model);
    limits_end(g, "hostile extents");
    return status;
}

static void test_limits_109_source_not_recorded(void **state)
{
    compiled_env *e = *state;
    model_bytes m = read_model(e);
    memo_model *model = NULL;
    memo_source_check check = {.size = sizeof check};
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};

    unsigned char *key = memmem(m.bytes, header_end(m), MEMO_KEY_SOURCE, strlen(MEMO_KEY_SOURCE));
    assert_non_null(key);
    key[strlen(MEMO_KEY_SOURCE) - 1] = 'E'; /* a field that earlier versions did not write */
    sign_header(m);
    assert_memo_ok(memo_model_open_memory(e->ctx, m.bytes, m.n, NULL, &model, &err), err);
    memo_model_get_info(model, &info, NULL);
    assert_string_equal(info.source_hash, "");
    assert_memo_ok(memo_model_check_source(model, e->source, &check, &err), err);
    assert_string_equal(check.recorded, "");
    assert_int_equal(check.matches, 0);
    memo_model_close(model);
    key[strlen(MEMO_KEY_SOURCE) - 1] = 'e';
    key[strlen(MEMO_KEY_SOURCE) + 5] = 'x'; /* in its value */
    sign_header(m);
    assert_memo_status(open_bytes(e, m, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "64 hex digits");
    memo_aligned_free(m.bytes);
}

/* The two offsets of a tensor as the header spells them; `to` is as long. */
static void set_offsets(model_bytes m, const char *name, const char *format)
{
    char quoted[128], now[64], then[64];
    memo_safetensors *st = NULL;
    memo_err err = {0};

    assert_memo_ok(memo_safetensors_parse(m.bytes, m.n, "model", &st, &err), err);
    const memo_st_tensor *t = memo_safetensors_find(st, name);
    unsigned long long begin = t->begin - st->data_begin, end = t->end - st->data_begin;
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    snprintf(now, sizeof now, "[%llu,%llu]", begin, end);
    if (*format == 'o') /* overlap: from one byte earlier */
        snprintf(then, sizeof then, "[%llu,%llu]", begin - 64, end);
    else if (*format == 'r') /* reversed */
        snprintf(then, sizeof then, "[%llu,%llu]", end, begin);
    else /* as far as the digits reach */
        snprintf(then, sizeof then, "[%llu,%.*s]", begin, (int)(strlen(now) - 2) / 2, "99999999");
    unsigned char *at = memmem(m.bytes, header_end(m), quoted, strlen(quoted));
    at = memmem(at, header_end(m) - (size_t)(at - m.bytes), now, strlen(now));
    assert_non_null(at);
    assert_int_equal(strlen(now), strlen(then));
    memcpy(at, then, strlen(then));
    memo_safetensors_free(st);
}

static void test_limits_110_extents_of_the_header(void **state)
{
    static const char *const kinds[] = {"overlap", "reversed", "far"};
    static const char *const names[] = {"layer.001.ffn.up.weight", "memolith.tokenizer",
                                        "memolith.checksums"};
    compiled_env *e = *state;
    model_bytes m = read_model(e);
    memo_err err = {0};

    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < 3; i++) {
            model_bytes work = read_model(e);
            set_offsets(work, names[i], kinds[k]);
            sign_header(work);
            assert_memo_status(open_bytes(e, work, &err), MEMO_ERR_FORMAT, err);
            memo_aligned_free(work.bytes);
        }
    /* A header that claims 2^32 bytes of entries. */
    uint64_t huge = (uint64_t)1 << 32;
    memcpy(m.bytes, &huge, sizeof huge);
    assert_memo_status(open_bytes(e, m, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "4294967296");
    memo_aligned_free(m.bytes);
}

/* The tables' own list of sections, as they lie in the model. */
static void test_limits_110_sections_of_the_tables(void **state)
{
    compiled_env *e = *state;
    model_bytes m = read_model(e);
    memo_safetensors *st = NULL;
    memo_tables tables;
    memo_err err = {0};

    assert_memo_ok(memo_safetensors_parse(m.bytes, m.n, "model", &st, &err), err);
    const memo_st_tensor *t = memo_safetensors_find(st, "memolith.tokenizer");
    size_t n = (size_t)(t->end - t->begin);
    unsigned char *work = memo_aligned_alloc(n);
    for (int kind = 0; kind < 4; kind++) {
        memo_tables_header *h = (memo_tables_header *)(void *)work;
        memcpy(work, m.bytes + t->begin, n);
        assert_memo_ok(memo_tables_view(work, n, &tables, &err), err);
        if (kind == 0) { /* overlapping */
            h->sections[MEMO_TABLES_TOKEN_BYTES].begin = h->sections[MEMO_TABLES_TOKENS].begin;
        } else if (kind == 1) { /* out of order, inside each other's place */
            uint32_t begin = h->sections[MEMO_TABLES_RAW_VALUES].begin;
            h->sections[MEMO_TABLES_RAW_VALUES].begin = h->sections[MEMO_TABLES_CONTINUING].begin;
            h->sections[MEMO_TABLES_CONTINUING].begin = begin;
        } else if (kind == 2) { /* 2^32 - 1 entries */
            h->sections[MEMO_TABLES_VOCAB_NODES].n = UINT32_MAX;
        } else { /* the header itself as a section */
            h->sections[MEMO_TABLES_TOKENS].begin = 0;
        }
        if (memo_tables_view(work, n, &tables, &err) != MEMO_ERR_FORMAT)
            fail_msg("kind %d of a hostile list of sections is accepted", kind);
        assert_contains(err.message, "section");
    }
    memo_aligned_free(work);
    memo_safetensors_free(st);
    memo_aligned_free(m.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_ENV(test_limits_107_every_cpu_level_or_refused),
        IN_ENV(test_limits_108_replaced_while_mapped),
        IN_ENV(test_limits_108_cut_before_it_is_mapped),
        IN_ENV(test_limits_109_source_changed),
        IN_ENV(test_limits_109_source_of_a_model_with_options),
        IN_ENV(test_limits_109_source_not_recorded),
        IN_ENV(test_limits_110_extents_of_the_header),
        IN_ENV(test_limits_110_sections_of_the_tables),
    };
    limits_count_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
