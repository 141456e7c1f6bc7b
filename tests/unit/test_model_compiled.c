// SPDX-License-Identifier: Apache-2.0
/* A compiled file that is cut, damaged, or hostile with every checksum in order. By number:
 *
 *   103  test_limits_103_each_truncation
 *   104  test_limits_104_each_flip, test_limits_104_damage_found_at_first_use
 *   105  test_limits_105_106_hostile_headers, test_limits_105_int8_headers,
 *        test_limits_105_mixed_headers,
 *        test_limits_105_hostile_probes, test_limits_105_random_tables
 *   106  test_limits_105_106_hostile_headers, test_limits_106_names_both_versions
 *   107 to 110  test_limits_compiled.c; 111 test_model_compile.c */
#include "memo_test.h"

#include <memolith/model.h>

#include "base/hash.h"
#include "bert_source.h"
#include "model/compiled.h"

typedef struct bytes_env {
    memo_ctx *ctx;
    char dir[256], path[512];
    unsigned char *good, *work; /* [n] aligned */
    size_t n;
} bytes_env;

static memo_compile_options compile_extra; /* rules and calibrate */

static int setup_class(void **state, memo_class cls, bert_spec spec)
{
    bytes_env *e = calloc(1, sizeof *e);
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1};
    memo_compile_options o = compile_extra;
    o.size = sizeof o;
    o.cls = cls;
    memo_err err = {0};
    char source[300], *bytes = NULL;

    memo_test_temp_dir(e->dir);
    snprintf(source, sizeof source, "%.255s/source", e->dir);
    memo_test_path(e->path, e->dir, "model.safetensors");
    mkdir(source, 0700);
    bert_write_model(source, spec);
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &err), err);
    assert_memo_ok(memo_model_compile(e->ctx, source, e->path, &o, NULL, &err), err);
    assert_memo_ok(memo_file_slurp(e->path, 1 << 24, &bytes, &e->n, &err), err);
    e->good = memo_aligned_alloc(e->n);
    e->work = memo_aligned_alloc(e->n);
    memcpy(e->good, bytes, e->n);
    memcpy(e->work, bytes, e->n);
    memo_free(bytes);
    *state = e;
    return 0;
}

static const bert_spec small_spec = {.hidden = 20, .n_heads = 4, .intermediate = 24};

static int setup(void **state)
{
    return setup_class(state, MEMO_CLASS_F32, small_spec);
}

static int setup_int8(void **state)
{
    return setup_class(state, MEMO_CLASS_INT8, small_spec);
}

/* Every class in one file. */
static int setup_mixed(void **state)
{
    static const char *const rules[] = {
        "layer.000.ffn.up.weight=int4/32", "layer.001.ffn.up.weight=lut4/16",
        "layer.000.ffn.down.weight=bf16", "layer.001.ffn.down.weight=f16",
        "layer.*.out.weight=int8/32:static"};
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char texts[256];
    snprintf(texts, sizeof texts, "%.200s/memo-texts-%ld", folder, (long)getpid());
    memo_test_write_file(texts, "the cat\n", 8);
    compile_extra = (memo_compile_options){.set = rules, .n_set = 5, .calibrate = texts};
    int rc = setup_class(state, MEMO_CLASS_INT8, small_spec);
    compile_extra = (memo_compile_options){.set = NULL};
    unlink(texts);
    return rc;
}

/* Weights of several blocks of the checksums, also as bytes. */
static int setup_blocks(void **state)
{
    return setup_class(state, MEMO_CLASS_INT8,
                       (bert_spec){.hidden = 160, .n_heads = 4, .intermediate = 160});
}

static int teardown(void **state)
{
    bytes_env *e = *state;
    memo_aligned_free(e->good);
    memo_aligned_free(e->work);
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static memo_status open_work(bytes_env *e, size_t n, int verify_all, memo_model **out,
                             memo_err *err)
{
    memo_model_options o = {.size = sizeof o, .verify_all = verify_all};
    return memo_model_open_memory(e->ctx, e->work, n, &o, out, err);
}

static size_t header_end(const bytes_env *e)
{
    uint64_t n;
    memcpy(&n, e->good, sizeof n);
    return (size_t)n + 8;
}

/* Steps of the sweeps: every one, a third of them where a sanitizer makes them slow. */
static size_t stride(size_t quick)
{
    return getenv("MEMO_QUICK") ? quick : MEMO_TEST_SANITIZED ? 3 : 1;
}

/* ---- damage -------------------------------------------------------------------------------- */

static void test_limits_103_each_truncation(void **state)
{
    bytes_env *e = *state;
    memo_err err = {0};
    memo_model *model = NULL;
    size_t n_cut = 0;

    for (size_t n = 0; n < e->n; n += stride(31), n_cut++) {
        memo_status status = open_work(e, n, 0, &model, &err);
        if (status != MEMO_ERR_FORMAT)
            fail_msg("%zu of %zu bytes: %s: %s", n, e->n, memo_status_name(status), err.message);
    }
    assert_memo_ok(open_work(e, e->n, 1, &model, &err), err);
    memo_model_close(model);
    printf("%zu truncations, all found\n", n_cut);
}

/* Does the message name the section that byte `at` lies in? Beyond the header that is the range of
 * bytes, and the tensors in it; the checksums have checksums of their own. */
static int names_section(const char *message, size_t at, size_t header)
{
    unsigned long long begin, end;
    const char *bytes = strstr(message, "damaged at bytes ");
    char first[64];

    if (at < header)
        return strstr(message, "the header ") != NULL;
    if (!bytes)
        return strstr(message, "memolith.checksums is damaged") != NULL;
    return sscanf(bytes, "damaged at bytes %llu to %llu (%63[a-z0-9_.]", &begin, &end, first) ==
               3 &&
           begin <= at && at < end;
}

/* Every bit of the header and of the file's end, and a bit of every third byte between. */
static void test_limits_104_each_flip(void **state)
{
    bytes_env *e = *state;
    size_t n_flips = 0, dense = header_end(e), tail = e->n - 64;

    for (size_t at = 0; at < e->n; at += at < dense || at >= tail ? 1 : 3 * stride(7))
        for (int bit = 0; bit < 8; bit++) {
            memo_model *model = NULL;
            memo_err err = {0};
            if (at >= dense && at < tail && bit != (int)(at % 8))
                continue;
            e->work[at] ^= (unsigned char)(1 << bit);
            memo_status status = open_work(e, e->n, 1, &model, &err);
            e->work[at] ^= (unsigned char)(1 << bit);
            n_flips++;
            /* The header's length and the name of its checksum are known as wrong, not as damaged. */
            if (status != MEMO_ERR_CORRUPT && !(status == MEMO_ERR_FORMAT && at < dense))
                fail_msg("bit %d of byte %zu: %s: %s", bit, at, memo_status_name(status),
                         err.message);
            if (status == MEMO_ERR_CORRUPT && !names_section(err.message, at, dense))
                fail_msg("bit %d of byte %zu: no section is named: %s", bit, at, err.message);
            if (status == MEMO_ERR_FORMAT && at >= 8 &&
                !memmem(e->work + (at < 64 ? 0 : at - 64), 128, MEMO_KEY_HEADER_HASH,
                        strlen(MEMO_KEY_HEADER_HASH)))
                fail_msg("bit %d of byte %zu: %s", bit, at, err.message);
        }
    printf("%zu flips, all found\n", n_flips);
}

/* Without verify_all, damage is found when the weights are first used, and named. */
static void test_limits_104_damage_found_at_first_use(void **state)
{
    bytes_env *e = *state;
    memo_safetensors *st = NULL;
    memo_text text = MEMO_TEXT("the cat");
    float vector[160];
    memo_err err = {0};
    static const char *const names[] = {"layer.000.attention.qkv.weight", "embeddings.word",
                                        "embeddings.position"};

    assert_memo_ok(memo_safetensors_parse(e->good, e->n, "model", &st, &err), err);
    for (size_t i = 0; i < 3; i++) {
        const memo_st_tensor *t = memo_safetensors_find(st, names[i]);
        size_t row_bytes = (size_t)((t->end - t->begin) / t->shape[0]);
        /* the row of token "the" in the word embeddings, else the first value */
        size_t at = (size_t)t->begin + (i == 1 ? (5 + 52) * row_bytes : 0);
        memo_model *model = NULL;
        e->work[at] ^= 4;
        assert_memo_ok(open_work(e, e->n, 0, &model, &err), err);
        assert_memo_status(memo_model_embed(model, NULL, &text, 1, vector, NULL, &err),
                           MEMO_ERR_CORRUPT, err);
        assert_true(names_section(err.message, at, header_end(e)));
        memo_verify_report report = {.size = sizeof report};
        assert_memo_status(memo_model_verify(model, &report, &err), MEMO_ERR_CORRUPT, err);
        memo_model_close(model);
        e->work[at] ^= 4;
    }
    memo_safetensors_free(st);
}

/* ---- hostile ------------------------------------------------------------------------------- */

/* Make every checksum agree again with what the bytes have become. */
static void sign_work(bytes_env *e)
{
    memo_safetensors *st = NULL;
    char digits[MEMO_HEADER_HASH_DIGITS + 1];
    size_t at;

    if (memo_safetensors_parse(e->work, e->n, "work", &st, NULL) == MEMO_OK) {
        const memo_st_tensor *sums = memo_safetensors_find(st, "memolith.checksums");
        if (sums && sums->dtype == MEMO_DTYPE_U64 && sums->n_values) {
            uint64_t n_data = sums->begin - st->data_begin, value;
            size_t n_blocks = (size_t)sums->n_values - 1;
            for (size_t b = 0; b < n_blocks && b * 65536 < n_data; b++) {
                uint64_t left = n_data - b * 65536;
                value = memo_xxh64(e->work + st->data_begin + b * 65536,
                                   left < 65536 ? (size_t)left : 65536, b);
                memcpy(e->work + sums->begin + 8 * b, &value, 8);
            }
            value = memo_xxh64(e->work + sums->begin, 8 * n_blocks, n_blocks);
            memcpy(e->work + sums->begin + 8 * n_blocks, &value, 8);
        }
        memo_safetensors_free(st);
    }
    if (memo_compiled_header_hash(e->work, header_end(e), &at, digits))
        memcpy(e->work + at, digits, MEMO_HEADER_HASH_DIGITS);
}

/* Replace text in the header by as many bytes. */
static void edit_header(bytes_env *e, const char *from, const char *to)
{
    unsigned char *at = memmem(e->work, header_end(e), from, strlen(from));
    assert_int_equal(strlen(from), strlen(to));
    if (!at)
        fail_msg("the header does not hold %s", from);
    memcpy(at, to, strlen(to));
}

/* A field of the recipe, which lies in the header as JSON in JSON. */
#define FIELD(name, value) name "\\\":{\\\"value\\\":" value

typedef struct header_edit {
    const char *from, *to;
    memo_status status;
} header_edit;

static void check_edits(bytes_env *e, const header_edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const header_edit *edit = &edits[i];
        memo_model *model = NULL;
        memo_err err = {0};
        memcpy(e->work, e->good, e->n);
        if (strlen(edit->from) == strlen(edit->to))
            edit_header(e, edit->from, edit->to);
        else /* one byte of the value gives way */
            memcpy(memmem(e->work, header_end(e), edit->from, strlen(edit->from)), edit->to,
                   strlen(edit->to));
        sign_work(e);
        memo_status status = open_work(e, e->n, 1, &model, &err);
        if (status != edit->status)
            fail_msg("%s: %s: %s", edit->to, memo_status_name(status), err.message);
        if (status == MEMO_ERR_UNSUPPORTED && strstr(edit->to, "format"))
            assert_contains(err.hint, "recompile");
    }
}

static void test_limits_105_106_hostile_headers(void **state)
{
    static const header_edit edits[] = {
        {FIELD("hidden_size", "20"), FIELD("hidden_size", "24"), MEMO_ERR_FORMAT},
        {FIELD("hidden_size", "20"), FIELD("hidden_size", "16"), MEMO_ERR_FORMAT},
        {FIELD("hidden_size", "20"), FIELD("hidden_size", "-1"), MEMO_ERR_FORMAT},
        {FIELD("intermediate_size", "24"), FIELD("intermediate_size", "32"), MEMO_ERR_FORMAT},
        {FIELD("n_layers", "2"), FIELD("n_layers", "3"), MEMO_ERR_FORMAT},
        {FIELD("n_layers", "2"), FIELD("n_layers", "0"), MEMO_ERR_FORMAT},
        {FIELD("n_heads", "4"), FIELD("n_heads", "3"), MEMO_ERR_FORMAT},
        {FIELD("n_heads", "4"), FIELD("n_heads", "0"), MEMO_ERR_FORMAT},
        {FIELD("vocab_size", "71"), FIELD("vocab_size", "70"), MEMO_ERR_FORMAT},
        {FIELD("vocab_size", "71"), FIELD("vocab_size", "99"), MEMO_ERR_FORMAT},
        {FIELD("n_positions", "48"), FIELD("n_positions", "99"), MEMO_ERR_FORMAT},
        {FIELD("max_tokens", "48"), FIELD("max_tokens", "49"), MEMO_ERR_FORMAT},
        {FIELD("max_tokens", "48"), FIELD("max_tokens", " 2"), MEMO_ERR_FORMAT},
        {FIELD("n_token_types", "2"), FIELD("n_token_types", "3"), MEMO_ERR_FORMAT},
        {FIELD("pooling", "\\\"mean\\\""), FIELD("pooling", "\\\"auto\\\""), MEMO_ERR_UNSUPPORTED},
        {FIELD("normalize", "true"), FIELD("normalize", "1234"), MEMO_ERR_FORMAT},
        {FIELD("norm_eps", "1e-12"), FIELD("norm_eps", "0e-12"), MEMO_ERR_FORMAT},
        {"\\\"n_heads\\\":", "\\\"n_hoads\\\":", MEMO_ERR_FORMAT},
        {"\"layer.001.ffn.up.bias\":", "\"layer.001.ffn.up.bios\":", MEMO_ERR_FORMAT},
        {"\"layer.001.ffn.up.bias\":{\"dtype\":\"F32\"",
         "\"layer.001.ffn.up.bias\":{\"dtype\":\"I32\"", MEMO_ERR_FORMAT},
        {"\"embeddings.norm.bias\":{\"dtype\":\"F32\",\"shape\":[20]",
         "\"embeddings.norm.bias\":{\"dtype\":\"F32\",\"shape\":[21]", MEMO_ERR_FORMAT},
        {"\"memolith.format\":\"1\"", "\"memolith.format\":\"2\"", MEMO_ERR_UNSUPPORTED},
        {"\"memolith.format\":\"1\"", "\"memolith.format\":\"0\"", MEMO_ERR_UNSUPPORTED},
        {"\"memolith.layout\":\"1\"", "\"memolith.layout\":\"7\"", MEMO_ERR_UNSUPPORTED},
        {"\"memolith.class\":\"f32\"", "\"memolith.class\":\"int\"", MEMO_ERR_UNSUPPORTED},
        {"\"memolith.format\"", "\"memolith.farmat\"", MEMO_ERR_FORMAT},
        {"\"memolith.tokenizer\":", "\"memolith.tokenizar\":", MEMO_ERR_FORMAT},
        {"\"memolith.checksums\":", "\"memolith.checksoms\":", MEMO_ERR_FORMAT},
        {"\"memolith.fingerprint\":\"", "\"memolith.fingerprint\":\" ", MEMO_ERR_FORMAT},
    };
    check_edits(*state, edits, sizeof edits / sizeof *edits);
}

/* What only a file of class int8 has. */
static void test_limits_105_int8_headers(void **state)
{
    static const header_edit edits[] = {
        {"\"memolith.class\":\"int8\"", "\"memolith.class\":\"int7\"", MEMO_ERR_UNSUPPORTED},
        {"\"memolith.class\":\"int8\"", "\"memolith.class\":\"int4\"", MEMO_ERR_FORMAT},
        {"\"memolith.layout\":\"1\"", "\"memolith.layout\":\"2\"", MEMO_ERR_FORMAT},
        {"\"embeddings.word\":{\"dtype\":\"I8\"", "\"embeddings.word\":{\"dtype\":\"U8\"",
         MEMO_ERR_FORMAT},
        {"\"embeddings.word.scale\":{\"dtype\":\"F32\"",
         "\"embeddings.word.scale\":{\"dtype\":\"I32\"", MEMO_ERR_FORMAT},
        {"\"layer.000.ffn.up.weight\":{\"dtype\":\"I8\"",
         "\"layer.000.ffn.up.weight\":{\"dtype\":\"U8\"", MEMO_ERR_FORMAT},
        {"\"layer.001.ffn.up.weight.sum\":{\"dtype\":\"I32\"",
         "\"layer.001.ffn.up.weight.sum\":{\"dtype\":\"F32\"", MEMO_ERR_FORMAT},
        {"\"layer.001.ffn.up.weight.sum\":", "\"layer.001.ffn.up.weight.som\":", MEMO_ERR_FORMAT},
        {"\"layer.001.ffn.up.weight.scale\":", "\"layer.001.ffn.up.weight.skale\":",
         MEMO_ERR_FORMAT},
        {"\"embeddings.word.scale\":{\"dtype\":\"F32\",\"shape\":[71]",
         "\"embeddings.word.scale\":{\"dtype\":\"F32\",\"shape\":[70]", MEMO_ERR_FORMAT},
    };
    check_edits(*state, edits, sizeof edits / sizeof *edits);
}

/* What only a file of mixed formats has. */
static void test_limits_105_mixed_headers(void **state)
{
#define FORMAT(name, format) name "\\\":\\\"" format "\\\""
    static const header_edit edits[] = {
        {FORMAT("layer.000.ffn.up.weight", "int4/32"), FORMAT("layer.000.ffn.up.weight", "int4/64"),
         MEMO_ERR_FORMAT},
        {FORMAT("layer.000.ffn.up.weight", "int4/32"), FORMAT("layer.000.ffn.up.weight", "int4/48"),
         MEMO_ERR_FORMAT},
        {FORMAT("layer.000.ffn.up.weight", "int4/32"), FORMAT("layer.000.ffn.up.weight", "lut4/32"),
         MEMO_ERR_FORMAT},
        {FORMAT("layer.001.ffn.up.weight", "lut4/16"), FORMAT("layer.001.ffn.up.weight", "int8/32"),
         MEMO_ERR_FORMAT},
        {FORMAT("layer.001.ffn.up.weight", "lut4/16"), FORMAT("layer.001.ffn.up.waight", "lut4/16"),
         MEMO_ERR_FORMAT},
        {FORMAT("layer.000.ffn.down.weight", "bf16"), FORMAT("layer.000.ffn.down.weight", "int8"),
         MEMO_ERR_FORMAT},
        {FORMAT("layer.000.ffn.down.weight", "bf16"), FORMAT("layer.000.ffn.down.weight", "b\\u31"),
         MEMO_ERR_FORMAT},
        {FORMAT("embeddings.word", "int8"), FORMAT("embeddings.word", "int4"), MEMO_ERR_FORMAT},
        {FORMAT("embeddings.word", "int8"), FORMAT("embeddings.ward", "int8"), MEMO_ERR_FORMAT},
        {"\"memolith.layout\":\"2\"", "\"memolith.layout\":\"1\"", MEMO_ERR_FORMAT},
        {"\"memolith.weights\":\"{", "\"memolith.weights\":\"[", MEMO_ERR_FORMAT},
        {"\"memolith.weights\":", "\"memolith.waights\":", MEMO_ERR_FORMAT},
        {"\"layer.001.ffn.up.weight.palette\":{\"dtype\":\"I8\"",
         "\"layer.001.ffn.up.weight.palette\":{\"dtype\":\"U8\"", MEMO_ERR_FORMAT},
        {"\"layer.000.ffn.up.weight.multiplier\":", "\"layer.000.ffn.up.weight.maltiplier\":",
         MEMO_ERR_FORMAT},
    };
#undef FORMAT
    check_edits(*state, edits, sizeof edits / sizeof *edits);
}

static void test_limits_106_names_both_versions(void **state)
{
    static const char *const keys[] = {"memolith.format", "memolith.layout"};
    static const char *const ours[] = {MEMO_COMPILED_FORMAT, MEMO_COMPILED_LAYOUT};
    bytes_env *e = *state;

    for (int newer = 0; newer < 2; newer++)
        for (size_t i = 0; i < 2; i++) {
            char from[64], to[64], found[16], wanted[64];
            memo_model *model = NULL;
            memo_err err = {0};
            snprintf(found, sizeof found, "%c", newer ? '9' : '0');
            snprintf(from, sizeof from, "\"%s\":\"%s\"", keys[i], ours[i]);
            snprintf(to, sizeof to, "\"%s\":\"%s\"", keys[i], found);
            memcpy(e->work, e->good, e->n);
            edit_header(e, from, to);
            sign_work(e);
            assert_memo_status(open_work(e, e->n, 0, &model, &err), MEMO_ERR_UNSUPPORTED, err);
            snprintf(wanted, sizeof wanted, "%s is version \"%s\", this memolith reads \"%s\"",
                     keys[i], found, ours[i]);
            assert_contains(err.message, wanted);
            assert_contains(err.hint, "recompile the model with this memolith");
            assert_null(model);
        }
}

/* Overwrite a value of a tensor. */
static memo_status open_with_u32(bytes_env *e, const char *name, size_t index, uint32_t value,
                                 memo_err *err)
{
    memo_safetensors *st = NULL;
    memo_model *model = NULL;

    memcpy(e->work, e->good, e->n);
    assert_memo_ok(memo_safetensors_parse(e->good, e->n, "model", &st, err), *err);
    memcpy(e->work + memo_safetensors_find(st, name)->begin + 4 * index, &value, 4);
    memo_safetensors_free(st);
    sign_work(e);
    return open_work(e, e->n, 1, &model, err);
}

static void test_limits_105_hostile_probes(void **state)
{
    bytes_env *e = *state;
    memo_err err = {0};

    assert_memo_status(open_with_u32(e, "memolith.probe.cu_seqlens", 0, 1, &err), MEMO_ERR_FORMAT,
                       err);
    assert_memo_status(open_with_u32(e, "memolith.probe.cu_seqlens", 3, 0xFFFFFFFF, &err),
                       MEMO_ERR_FORMAT, err);
    assert_memo_status(open_with_u32(e, "memolith.probe.cu_seqlens", 8, 1u << 30, &err),
                       MEMO_ERR_FORMAT, err);
    assert_memo_status(open_with_u32(e, "memolith.probe.ids", 2, 71, &err), MEMO_ERR_FORMAT, err);
    assert_memo_status(open_with_u32(e, "memolith.probe.texts", 0, 0, &err), MEMO_ERR_FORMAT, err);
}

/* Anything may stand in the tables: the model is refused, or it runs within its bounds (the
 * sanitizers watch), or a text is refused. */
static void test_limits_105_random_tables(void **state)
{
    bytes_env *e = *state;
    const char *seed_text = getenv("MEMO_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 20261121;
    static const char *const tables[] = {"memolith.tokenizer", "memolith.tokenizer",
                                         "memolith.probe.texts", "memolith.probe.ids",
                                         "memolith.probe.cu_seqlens"};
    memo_text texts[3] = {MEMO_TEXT("the cat sat on the mat, walking!"), MEMO_TEXT(""),
                          MEMO_TEXT("k\xc3\xa4tze [CLS] 1234 key door")};
    size_t n_opened = 0, n_rounds = 4000 / stride(10);
    float vectors[3 * 20];
    memo_safetensors *st = NULL;
    memo_rng rng;

    printf("MEMO_SEED=%llu %s\n", (unsigned long long)seed, "tests/test_model_compiled");
    memo_rng_init(&rng, seed);
    assert_int_equal(memo_safetensors_parse(e->good, e->n, "model", &st, NULL), MEMO_OK);
    for (size_t round = 0; round < n_rounds; round++) {
        const memo_st_tensor *t = memo_safetensors_find(st, tables[memo_rng_below(&rng, 5)]);
        memo_model *model = NULL;
        memo_err err = {0};
        memcpy(e->work, e->good, e->n);
        for (uint64_t k = 0, n = 1 + memo_rng_below(&rng, 4); k < n; k++) {
            /* tables have their counts and offsets in front: half of the hits go there */
            uint64_t span = t->end - t->begin;
            if (memo_rng_below(&rng, 2) && span > 256)
                span = 256;
            e->work[t->begin + memo_rng_below(&rng, span)] = (unsigned char)memo_rng_u64(&rng);
        }
        sign_work(e);
        if (open_work(e, e->n, 0, &model, &err) == MEMO_OK) {
            n_opened++;
            for (size_t i = 0; i < 3; i++)
                memo_model_embed(model, NULL, &texts[i], 1, vectors, NULL, NULL);
            memo_model_verify(model, NULL, NULL);
        }
        memo_model_close(model);
    }
    memo_safetensors_free(st);
    printf("%zu of %zu damaged tables opened\n", n_opened, n_rounds);
    assert_true(n_opened > 0 && n_opened < n_rounds);
}

/* ---- opening ------------------------------------------------------------------------------- */

static void test_model_compiled_refuses_other_files(void **state)
{
    bytes_env *e = *state;
    memo_model *model = NULL;
    memo_err err = {0};
    char path[512];

    snprintf(path, sizeof path, "%.255s/source/model.safetensors", e->dir);
    assert_memo_status(memo_model_open(e->ctx, path, NULL, &model, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "not a compiled model");
    assert_contains(err.hint, "model compile");
    snprintf(path, sizeof path, "%.255s/source", e->dir);
    assert_memo_status(memo_model_open(e->ctx, path, NULL, &model, &err), MEMO_ERR_IO, err);
    snprintf(path, sizeof path, "%.255s/nothing", e->dir);
    assert_memo_status(memo_model_open(e->ctx, path, NULL, &model, &err), MEMO_ERR_IO, err);
    assert_null(model);
}

static void test_model_compiled_memory_equals_file(void **state)
{
    bytes_env *e = *state;
    memo_text text = MEMO_TEXT("the cat sat on the mat");
    memo_model *file = NULL, *memory = NULL;
    float a[20], b[20];
    memo_err err = {0};
    unsigned char *shifted = memo_aligned_alloc(e->n + 64);

    memcpy(shifted + 8, e->good, e->n);
    assert_memo_status(memo_model_open_memory(e->ctx, shifted + 8, e->n, NULL, &memory, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "64");
    memo_aligned_free(shifted);
    assert_memo_ok(memo_model_open(e->ctx, e->path, NULL, &file, &err), err);
    assert_memo_ok(memo_model_open_memory(e->ctx, e->good, e->n, NULL, &memory, &err), err);
    assert_memo_ok(memo_model_embed(file, NULL, &text, 1, a, NULL, &err), err);
    assert_memo_ok(memo_model_embed(memory, NULL, &text, 1, b, NULL, &err), err);
    assert_memory_equal(a, b, sizeof a);
    memo_model_close(file);
    memo_model_close(memory);
}

/* A fingerprint that does not belong to the weights passes every checksum and fails verify. */
static void test_model_compiled_verify_recomputes_fingerprint(void **state)
{
    bytes_env *e = *state;
    memo_safetensors *st = NULL;
    memo_verify_report report = {.size = sizeof report};
    memo_model *model = NULL;
    memo_err err = {0};
    float value;

    assert_memo_ok(memo_safetensors_parse(e->good, e->n, "model", &st, &err), err);
    uint64_t at = memo_safetensors_find(st, "layer.000.ffn.up.weight")->begin + 4 * (16 * 3 + 5);
    memcpy(&value, e->work + at, 4);
    value *= 1.0000002f;
    memcpy(e->work + at, &value, 4);
    sign_work(e);
    assert_memo_ok(open_work(e, e->n, 1, &model, &err), err);
    assert_memo_status(memo_model_verify(model, &report, &err), MEMO_ERR_CORRUPT, err);
    assert_int_equal(report.fingerprint_matches, 0);
    assert_true(report.n_blocks_checked > 0);
    memo_model_close(model);
    /* Stored probes are not part of the fingerprint: they fail on their own. */
    model = NULL;
    memcpy(e->work, e->good, e->n);
    at = memo_safetensors_find(st, "memolith.probe.vectors")->begin + 4 * 25;
    memcpy(&value, e->work + at, 4);
    value += 2e-5f;
    memcpy(e->work + at, &value, 4);
    sign_work(e);
    assert_memo_ok(open_work(e, e->n, 1, &model, &err), err);
    assert_memo_status(memo_model_verify(model, &report, &err), MEMO_ERR_VERIFY, err);
    assert_int_equal(report.fingerprint_matches, 1);
    assert_true(report.probe_max_abs_diff > 1.9e-5 && report.probe_max_abs_diff < 2.1e-5);
    memo_model_close(model);
    memo_safetensors_free(st);
}

/* A byte of any tensor of a weight is changed and every checksum made to agree: verify tells, by the
 * fingerprint or by what the tensor must be. */
static void test_model_compiled_verify_sees_each_tensor(void **state)
{
    bytes_env *e = *state;
    memo_safetensors *st = NULL;
    size_t n = 0;
    memo_err err = {0};

    assert_memo_ok(memo_safetensors_parse(e->good, e->n, "model", &st, &err), err);
    for (size_t i = 0; i < st->n_tensors; i++) {
        const memo_st_tensor *t = &st->tensors[i];
        uint64_t step = (t->end - t->begin) / 7 + 1;
        for (uint64_t at = t->begin; !strncmp(t->name, "layer.", 6) && at < t->end; at += step) {
            memo_model *model = NULL;
            memcpy(e->work, e->good, e->n);
            e->work[at] ^= 0x11;
            sign_work(e);
            assert_memo_ok(open_work(e, e->n, 0, &model, &err), err);
            if (memo_model_verify(model, NULL, &err) != MEMO_ERR_CORRUPT)
                fail_msg("byte %zu of %s was changed", (size_t)(at - t->begin), t->name);
            memo_model_close(model);
            n++;
        }
    }
    memo_safetensors_free(st);
    printf("%zu bytes\n", n);
    assert_true(n > 200);
}

static memo_status open_and_verify(void *user, memo_err *err)
{
    bytes_env *e = user;
    memo_model *model = NULL;
    memo_status status = memo_model_open(e->ctx, e->path, NULL, &model, err);
    if (status == MEMO_OK)
        status = memo_model_verify(model, NULL, err);
    memo_model_close(model);
    return status;
}

static void test_model_compiled_each_failing_allocation(void **state)
{
    assert_true(memo_test_alloc_sweep(open_and_verify, *state) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test)            cmocka_unit_test_setup_teardown(test, setup, teardown)
#define IN_INT8(test, setup_it) {#test "_int8", test, setup_it, teardown, NULL}
#define IN_MIXED(test)                                                                             \
    {                                                                                              \
#test "_mixed", test, setup_mixed, teardown, NULL                                          \
    }
        IN_ENV(test_limits_103_each_truncation),
        IN_INT8(test_limits_103_each_truncation, setup_int8),
        IN_ENV(test_limits_104_each_flip),
        IN_INT8(test_limits_104_each_flip, setup_int8),
        IN_ENV(test_limits_104_damage_found_at_first_use),
        IN_INT8(test_limits_104_damage_found_at_first_use, setup_blocks),
        IN_ENV(test_limits_105_106_hostile_headers),
        IN_INT8(test_limits_105_int8_headers, setup_int8),
        IN_MIXED(test_limits_105_mixed_headers),
        IN_ENV(test_limits_106_names_both_versions),
        IN_ENV(test_limits_105_hostile_probes),
        IN_ENV(test_limits_105_random_tables),
        IN_INT8(test_limits_105_random_tables, setup_int8),
        IN_MIXED(test_limits_105_random_tables),
        IN_ENV(test_model_compiled_refuses_other_files),
        IN_ENV(test_model_compiled_memory_equals_file),
        IN_ENV(test_model_compiled_verify_recomputes_fingerprint),
        IN_MIXED(test_model_compiled_verify_sees_each_tensor),
        IN_ENV(test_model_compiled_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
