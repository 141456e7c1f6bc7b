// SPDX-License-Identifier: Apache-2.0
/* Classes, formats and what a compile may be asked for: each option taken or refused by name, what
 * lies in the file against the contract of model/layout.h, mixtures, compressing, measuring. */
#include "memo_test.h"

#include <math.h>

#include <memolith/model.h>

#include "base/cpu.h"
#include "bert_source.h"
#include "model/model_handle.h"
#include "model/slot_rows.h"
#include "quant/half.h"
#include "quant/int8.h"

typedef struct class_env {
    memo_ctx *ctx;
    char dir[256], source[300], out[512], other[512];
} class_env;

static int setup(void **state)
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

static int teardown(void **state)
{
    class_env *e = *state;
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static memo_compile_options defaults(void)
{
    return (memo_compile_options){.size = sizeof(memo_compile_options), .overwrite = 1};
}

/* A file of texts beside the source; of a few words, so that measuring takes no time. */
static const char *write_texts(class_env *e, const char *text, size_t n)
{
    static char path[512];
    memo_test_write_file(memo_test_path(path, e->dir, "texts.txt"), text, n);
    return path;
}

/* All weights in one format ("*=int8/64:none"). */
static memo_compile_options one_format(class_env *e, const char *const *rule)
{
    static const char texts[] = "the cat sat on the mat\ntea in the river, a key ing the door\n";
    memo_compile_options o = defaults();
    o.set = rule;
    o.n_set = 1;
    if (strstr(*rule, "int") || strstr(*rule, "lut"))
        o.calibrate = write_texts(e, texts, sizeof texts - 1);
    return o;
}

static memo_model *open_out(class_env *e, const char *path)
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

/* ---- what is in the file ------------------------------------------------------------------- */

/* Value (row, col) of a matrix, from the bytes of the file alone, by the table of model/layout.h. */
static float value_at(const memo_safetensors *st, const unsigned char *bytes, const memo_slot *slot,
                      size_t row, size_t col)
{
    char name[80];
    const void *side[4];
    static const char *const names[4] = {".multiplier", ".palette", ".scale", ""};
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", slot->name, names[i]);
        const memo_st_tensor *t = memo_safetensors_find(st, name);
        side[i] = t ? bytes + t->begin : NULL;
    }
    size_t pad = (slot->n_cols + 63) / 64 * 64, panel = row / 16, r = row % 16;
    size_t grain = slot->format.grain;
    const float *scale = side[2];
    switch (slot->format.cls) {
    case MEMO_CLASS_F32:
        return ((const float *)side[3])[(panel * pad + col) * 16 + r];
    case MEMO_CLASS_F16:
        return memo_f16_to_f32(
            ((const uint16_t *)side[3])[panel * pad * 16 + col / 2 * 32 + col % 2 * 16 + r]);
    case MEMO_CLASS_BF16:
        return memo_bf16_to_f32(
            ((const uint16_t *)side[3])[panel * pad * 16 + col / 2 * 32 + r * 2 + col % 2]);
    case MEMO_CLASS_INT8: {
        int q = ((const int8_t *)side[3])[panel * pad * 16 + col / 4 * 64 + r * 4 + col % 4];
        int grouped = grain && grain < pad;
        return scale[grouped ? col / grain * slot->n_rows + row : row] * (float)q;
    }
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        break;
    }
    unsigned byte = ((const uint8_t *)side[3])[panel * pad * 8 + col / 8 * 64 + r * 4 + col % 4];
    int code = (int)(col % 8 / 4 ? byte >> 4 : byte & 15), q;
    if (slot->format.cls == MEMO_CLASS_INT4) {
        size_t n_blocks = (pad + grain - 1) / grain;
        int times = ((const uint8_t *)side[0])[(panel * n_blocks + col / grain) * 16 + r];
        q = (code < 8 ? code : code - 16) * times;
    } else {
        q = ((const int8_t *)side[1])[(panel * 2 + r / 8) * 16 + (size_t)code];
    }
    return scale[row] * (float)q;
}

/* Every value of every matrix as memo_slot_read() gives it is what the contract says lies there. */
static void test_classes_file_is_as_the_contract_says(void **state)
{
    class_env *e = *state;
    float room[16 * 72], values[16 * 72];
    size_t n_values = 0;

    for (size_t f = 0; f < ALL_FORMATS; f++) {
        memo_compile_options o = one_format(e, &all_formats[f]);
        memo_err err = {0};
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
        memo_model *model = open_out(e, e->out);
        const memo_compiled *file = &model->file;
        for (size_t i = 0; i < file->layout.n_slots; i++) {
            const memo_slot *slot = &file->layout.slots[i];
            const void *data[MEMO_STORED_KINDS];
            memo_compiled_slot(file, slot, data);
            for (size_t row = 0; slot->packed && row < slot->n_rows; row += 16) {
                size_t n = slot->n_rows - row < 16 ? slot->n_rows - row : 16;
                const float *got = memo_slot_read(slot, data, row, n, room, values);
                for (size_t k = 0; k < n * slot->n_cols; k++, n_values++)
                    if (got[k] != value_at(file->st, file->bytes, slot, row + k / slot->n_cols,
                                           k % slot->n_cols))
                        fail_msg("%s: %s, row %zu, column %zu", all_formats[f], slot->name,
                                 row + k / slot->n_cols, k % slot->n_cols);
            }
        }
        memo_model_close(model);
    }
    printf("%zu values in %zu formats\n", n_values, ALL_FORMATS);
}

/* Largest error of a format beside the source, relative to the largest value of the weight. */
static double worst_error(const memo_model *model, const memo_model *exact)
{
    double worst = 0;

    for (size_t i = 0; i < exact->file.layout.n_slots; i++) {
        const memo_slot *a = &model->file.layout.slots[i], *b = &exact->file.layout.slots[i];
        const void *x[MEMO_STORED_KINDS], *y[MEMO_STORED_KINDS];
        float room[16 * 72], values[16 * 72], room2[16 * 72], values2[16 * 72];
        double error = 0, largest = 0;
        memo_compiled_slot(&model->file, a, x);
        memo_compiled_slot(&exact->file, b, y);
        for (size_t row = 0; b->packed && row < b->n_rows; row += 16) {
            size_t n = b->n_rows - row < 16 ? b->n_rows - row : 16;
            const float *got = memo_slot_read(a, x, row, n, room, values);
            const float *want = memo_slot_read(b, y, row, n, room2, values2);
            for (size_t k = 0; k < n * b->n_cols; k++) {
                error = fmax(error, fabs((double)got[k] - (double)want[k]));
                largest = fmax(largest, fabs((double)want[k]));
            }
        }
        if (largest > 0)
            worst = fmax(worst, error / largest);
    }
    return worst;
}

/* What rounding alone may cost: half a step of the format, of the largest value; 4-bit formats may
 * clip and feed errors on, and are only held to be no other matrix. Each verifies, and has a
 * fingerprint of its own. */
static void test_classes_errors_and_fingerprints(void **state)
{
    static const double bounds[] = {
        0, 0x1p-11, 0x1p-8, 0.5 / 127, 0.5 / 127, 0.5 / 127, 0.5 / 127, 0.5 / 127, 0.5 / 127, 1,
        1, 1,       1,      1,         1,         1,         1,         1,         0.5 / 127,
    };
    class_env *e = *state;
    char prints[ALL_FORMATS][65];
    memo_model *exact = NULL;

    for (size_t f = 0; f < ALL_FORMATS; f++) {
        memo_compile_options o = one_format(e, &all_formats[f]);
        memo_model_info info;
        memo_err err = {0};
        assert_memo_ok(memo_model_compile(e->ctx, e->source, f ? e->out : e->other, &o, NULL, &err),
                       err);
        memo_model *model = open_out(e, f ? e->out : e->other);
        exact = f ? exact : model;
        memo_model_get_info(model, &info);
        memcpy(prints[f], info.fingerprint, 65);
        for (size_t i = 0; i < f; i++)
            if (!strcmp(prints[i], prints[f]) && /* one group of inputs is one scale for a row */
                strcmp(all_formats[i], "*=int8"))
                fail_msg("%s and %s have one fingerprint", all_formats[i], all_formats[f]);
        assert_memo_ok(memo_model_verify(model, NULL, &err), err);
        double worst = worst_error(model, exact);
        if (worst > bounds[f] * 1.0001)
            fail_msg("%s: error %g, at most %g", all_formats[f], worst, bounds[f]);
        if (model != exact)
            memo_model_close(model);
    }
    memo_model_close(exact);
}

/* The class of a whole model, and the same said by a rule for every weight, are one. */
static void test_classes_by_option_or_rule(void **state)
{
    static const char *const rules[] = {"*=f16", "*=bf16", "*=int8", "*=int4/64", "*=lut4/16:none"};
    class_env *e = *state;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        memo_compile_report *a = NULL, *b = NULL;
        memo_compile_options by_rule = one_format(e, &rules[i]), by_option = defaults();
        memo_err err = {0};
        static const memo_class classes[] = {MEMO_CLASS_F16, MEMO_CLASS_BF16, MEMO_CLASS_INT8,
                                             MEMO_CLASS_INT4, MEMO_CLASS_LUT4};
        by_option.cls = classes[i];
        by_option.block = i == 3 ? 64 : 0;
        by_option.palette_group = i == 4 ? 16 : 0;
        by_option.calibrate = by_rule.calibrate;
        by_option.activations = i == 4 ? MEMO_ACTIVATIONS_NONE : MEMO_ACTIVATIONS_DYNAMIC;
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &by_rule, &a, &err), err);
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->other, &by_option, &b, &err), err);
        assert_string_equal(a->fingerprint, b->fingerprint);
        memo_compile_report_free(a);
        memo_compile_report_free(b);
    }
}

/* ---- options ------------------------------------------------------------------------------- */

typedef struct bad_option {
    memo_compile_options options; /* size and overwrite are filled in */
    memo_status status;
    const char *named, *allowed; /* in the message */
} bad_option;

static void test_classes_options_are_refused_by_name(void **state)
{
    static const char *const nothing[] = {"layer.*.nothing=int8"}, *const odd[] = {"*"};
    static const char *const bits[] = {"*=int3"}, *const grain[] = {"*=int8/48"};
    static const char *const floats[] = {"*=f16:none"}, *const word[] = {"embeddings.word=int4"};
    static const char *const fixed[] = {"layer.000.ffn.up.weight=int8:static"};
    const bad_option bad[] = {
        {{.cls = (memo_class)6}, MEMO_ERR_UNSUPPORTED, "class 6", "lut4"},
        {{.cls = MEMO_CLASS_INT8, .granularity = (memo_granularity)3},
         MEMO_ERR_UNSUPPORTED,
         "granularity 3",
         "channel, tensor and group"},
        {{.cls = MEMO_CLASS_INT8, .granularity = MEMO_GRANULARITY_GROUP, .group = 48},
         MEMO_ERR_UNSUPPORTED,
         "group 48",
         "32, 64 and 128"},
        {{.cls = MEMO_CLASS_INT8, .group = 64}, MEMO_ERR_USAGE, "group 64", "granularity group"},
        {{.cls = MEMO_CLASS_INT8, .scales = (memo_scales)2},
         MEMO_ERR_UNSUPPORTED,
         "scales 2",
         "absmax and search"},
        {{.cls = MEMO_CLASS_INT4, .block = 16},
         MEMO_ERR_UNSUPPORTED,
         "block-size 16",
         "32, 64 and 128"},
        {{.cls = MEMO_CLASS_LUT4, .palette = (memo_palette_kind)2},
         MEMO_ERR_UNSUPPORTED,
         "palette 2",
         "kmeans and uniform"},
        {{.cls = MEMO_CLASS_LUT4, .palette_group = 12},
         MEMO_ERR_UNSUPPORTED,
         "palette-group 12",
         "8, 16, 32 and tensor"},
        {{.cls = MEMO_CLASS_LUT4, .palette_bits = 6}, MEMO_ERR_UNSUPPORTED, "palette-bits 6", "4"},
        {{.cls = MEMO_CLASS_INT8, .activations = (memo_activations)3},
         MEMO_ERR_UNSUPPORTED,
         "activations 3",
         "dynamic, none and static"},
        {{.cls = MEMO_CLASS_INT8, .activations = MEMO_ACTIVATIONS_STATIC},
         MEMO_ERR_USAGE,
         "static",
         "texts"},
        {{.set = fixed, .n_set = 1}, MEMO_ERR_USAGE, "static", "texts"},
        {{.cls = MEMO_CLASS_F16, .activations = MEMO_ACTIVATIONS_NONE},
         MEMO_ERR_USAGE,
         "activations",
         "int8, int4 or lut4"},
        {{.block = 32}, MEMO_ERR_USAGE, "block-size", "int4"},
        {{.cls = MEMO_CLASS_INT4, .palette_group = 8}, MEMO_ERR_USAGE, "palette-group", "lut4"},
        {{.scales = MEMO_SCALES_SEARCH}, MEMO_ERR_USAGE, "scales", "int8"},
        {{.calibrate = "/dev/null"}, MEMO_ERR_USAGE, "calibrate", "int8, int4 or lut4"},
        {{.target_cosine = 0.9}, MEMO_ERR_USAGE, "target", "auto"},
        {{.auto_class = 1, .target_cosine = 1.5}, MEMO_ERR_VALUE, "cos=1.5", "between 0 and 1"},
        {{.auto_class = 1, .activations = MEMO_ACTIVATIONS_NONE},
         MEMO_ERR_UNSUPPORTED,
         "none",
         "dynamic"},
        {{.set = nothing, .n_set = 1}, MEMO_ERR_USAGE, "layer.*.nothing", "fits no weight"},
        {{.set = odd, .n_set = 1}, MEMO_ERR_USAGE, "\"*\"", "PATTERN=FORMAT"},
        {{.set = bits, .n_set = 1}, MEMO_ERR_UNSUPPORTED, "int3", "lut4/tensor"},
        {{.set = grain, .n_set = 1}, MEMO_ERR_UNSUPPORTED, "int8/48", "int8/64"},
        {{.set = floats, .n_set = 1}, MEMO_ERR_UNSUPPORTED, "f16:none", ":none or :static"},
        {{.set = word, .n_set = 1}, MEMO_ERR_UNSUPPORTED, "embeddings.word=int4", "or int8"},
        {{.layers_average = 3}, MEMO_ERR_VALUE, "last 3 layers", "has 2"},
        {{.dims = 41}, MEMO_ERR_VALUE, "41 dimensions", "have 40"},
    };
    class_env *e = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memo_compile_options o = bad[i].options;
        memo_err err = {0};
        o.size = sizeof o;
        memo_status status = memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err);
        if (status != bad[i].status)
            fail_msg("%s: %s: %s", bad[i].named, memo_status_name(status), err.message);
        assert_contains(err.message, bad[i].named);
        assert_contains(err.message, bad[i].allowed);
        assert_int_equal(access(e->out, F_OK), -1);
    }
}

/* ---- mixtures ------------------------------------------------------------------------------ */

static void test_classes_mixed_by_pattern(void **state)
{
    static const char *const rules[] = {
        "layer.*=int8",
        "layer.00?.ffn.down.weight=int4/64:none",
        "embeddings.word=f16",
        "layer.001.attention.*.weight=lut4/tensor",
    };
    static const char *const wanted[] = {
        "f16",         "int8",        "int8",         "int4/64:none", "int8",
        "lut4/tensor", "lut4/tensor", "int4/64:none", "int8",
    };
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_weight_info weight;
    memo_text text = MEMO_TEXT("the cat sat on the mat");
    float vector[40];
    size_t n = 0;
    memo_err err = {0};

    o.cls = MEMO_CLASS_BF16;
    o.set = rules;
    o.n_set = 4;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    memo_model *model = open_out(e, e->out);
    for (; memo_model_get_weight(model, n, &weight); n++) {
        assert_true(n < sizeof wanted / sizeof *wanted);
        if (strcmp(weight.format, wanted[n]) != 0)
            fail_msg("%s is %s, wanted %s", weight.name, weight.format, wanted[n]);
        assert_true(weight.n_bytes >= (uint64_t)weight.n_rows * weight.n_cols / 2);
    }
    assert_int_equal(n, sizeof wanted / sizeof *wanted);
    assert_memo_ok(memo_model_embed(model, NULL, &text, 1, vector, NULL, &err), err);
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_model_close(model);
}

static void embed_one(memo_model *model, float *vector)
{
    memo_text text = MEMO_TEXT("the river, the key and the door");
    memo_err err = {0};
    assert_memo_ok(memo_model_embed(model, NULL, &text, 1, vector, NULL, &err), err);
}

static void test_classes_dims_and_layers(void **state)
{
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_model_info info;
    float whole[40], part[40], mean[40];
    double norm = 0;
    memo_err err = {0};

    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    memo_model *model = open_out(e, e->out);
    embed_one(model, whole);
    memo_model_close(model);
    o.dims = 16;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    model = open_out(e, e->out);
    memo_model_get_info(model, &info);
    assert_int_equal(info.dim, 16);
    assert_int_equal(info.hidden_size, 40);
    assert_contains(info.recipe_json, "\"dims\":{\"value\":16,\"origin\":\"option\"}");
    embed_one(model, part);
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_model_close(model);
    for (size_t i = 0; i < 16; i++)
        norm += (double)whole[i] * (double)whole[i];
    for (size_t i = 0; i < 16; i++)
        assert_true(fabs((double)part[i] - (double)whole[i] / sqrt(norm)) < 1e-6);
    o.dims = 0;
    o.layers_average = 2;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    model = open_out(e, e->out);
    embed_one(model, mean);
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_model_close(model);
    assert_true(memcmp(mean, whole, sizeof mean) != 0);
    o.layers_average = 1; /* the last alone: the same vectors, another recipe */
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    model = open_out(e, e->out);
    embed_one(model, mean);
    memo_model_close(model);
    assert_memory_equal(mean, whole, sizeof mean);
}

/* ---- compress ------------------------------------------------------------------------------ */

static void test_classes_compress_equals_compile(void **state)
{
    class_env *e = *state;
    memo_err err = {0};

    for (size_t f = 0; f < ALL_FORMATS; f++) {
        memo_compile_report *direct = NULL, *by_way = NULL;
        memo_compile_options o = one_format(e, &all_formats[f]), plain = defaults();
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &direct, &err), err);
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &plain, NULL, &err), err);
        assert_memo_ok(memo_model_compress(e->ctx, e->out, e->other, &o, &by_way, &err), err);
        if (strcmp(direct->fingerprint, by_way->fingerprint) != 0)
            fail_msg("%s: compressed it is another model", all_formats[f]);
        assert_int_equal(direct->file_bytes, by_way->file_bytes);
        memo_model *model = open_out(e, e->other);
        memo_model_info info;
        memo_source_check check;
        memo_model_get_info(model, &info);
        assert_string_equal(info.name, "source");
        assert_memo_ok(memo_model_check_source(model, e->source, &check, &err), err);
        assert_int_equal(check.matches, 1);
        assert_memo_ok(memo_model_verify(model, NULL, &err), err);
        memo_model_close(model);
        memo_compile_report_free(direct);
        memo_compile_report_free(by_way);
    }
}

/* The fingerprint of a format that was compiled on one level by some threads; the caller frees it. */
static memo_compile_report *compile_on(class_env *e, const memo_compile_options *o, memo_cpu cpu,
                                       unsigned n_threads)
{
    const memo_ctx_options options = {.size = sizeof options, .cpu = cpu, .n_threads = n_threads};
    memo_compile_report *report = NULL;
    memo_ctx *ctx = NULL;
    memo_err err = {0};

    assert_memo_ok(memo_ctx_new(&options, &ctx, &err), err);
    assert_memo_ok(memo_model_compile(ctx, e->source, e->out, o, &report, &err), err);
    memo_ctx_free(ctx);
    return report;
}

/* What texts decide does not depend on the level that ran them, but for the reference, which rounds
 * otherwise; nor on the number of threads. Other texts decide otherwise. */
static void test_classes_calibrate_alike_on_all_levels(void **state)
{
    static const char *const formats[] = {"*=int4/32", "*=int4/128",    "*=lut4/8",
                                          "*=lut4/32", "*=lut4/tensor", "*=int8:static"};
    static const char others[] = "a river of tea\nthe mat sat on the key\n";
    class_env *e = *state;

    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        memo_compile_options o = one_format(e, &formats[f]);
        memo_compile_report *first = compile_on(e, &o, memo_cpu_best(), 1);
        for (int cpu = MEMO_CPU_REF + 1; cpu < MEMO_CPU_COUNT; cpu++) {
            if (!memo_cpu_has((memo_cpu)cpu))
                continue;
            memo_compile_report *same = compile_on(e, &o, (memo_cpu)cpu, 3);
            if (strcmp(first->fingerprint, same->fingerprint) != 0)
                fail_msg("%s: another model on level %s", formats[f], memo_cpu_name((memo_cpu)cpu));
            memo_compile_report_free(same);
        }
        o.calibrate = write_texts(e, others, sizeof others - 1);
        memo_compile_report *other = compile_on(e, &o, memo_cpu_best(), 1);
        assert_string_not_equal(first->fingerprint, other->fingerprint);
        memo_compile_report_free(other);
        memo_compile_report_free(first);
    }
}

static void test_classes_compress_only_loses(void **state)
{
    static const struct {
        memo_class from, to;
        memo_status status;
    } steps[] = {
        {MEMO_CLASS_F16, MEMO_CLASS_F32, MEMO_ERR_UNSUPPORTED},
        {MEMO_CLASS_BF16, MEMO_CLASS_F16, MEMO_ERR_UNSUPPORTED},
        {MEMO_CLASS_INT8, MEMO_CLASS_BF16, MEMO_ERR_UNSUPPORTED},
        {MEMO_CLASS_INT4, MEMO_CLASS_LUT4, MEMO_ERR_UNSUPPORTED},
        {MEMO_CLASS_LUT4, MEMO_CLASS_INT8, MEMO_ERR_UNSUPPORTED},
        {MEMO_CLASS_F16, MEMO_CLASS_BF16, MEMO_OK},
        {MEMO_CLASS_F16, MEMO_CLASS_INT8, MEMO_OK},
        {MEMO_CLASS_INT8, MEMO_CLASS_INT8, MEMO_OK},
        {MEMO_CLASS_INT8, MEMO_CLASS_LUT4, MEMO_OK},
    };
    class_env *e = *state;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        memo_compile_options o = defaults();
        memo_err err = {0};
        o.cls = steps[i].from;
        o.calibrate = memo_class_name(o.cls)[0] == 'i' || o.cls == MEMO_CLASS_LUT4
                          ? write_texts(e, "the cat\n", 8)
                          : NULL;
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
        o.cls = steps[i].to;
        o.calibrate = memo_class_name(o.cls)[0] == 'i' || o.cls == MEMO_CLASS_LUT4
                          ? write_texts(e, "the cat\n", 8)
                          : NULL;
        unlink(e->other);
        assert_memo_status(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err),
                           steps[i].status, err);
        if (steps[i].status)
            assert_contains(err.message, memo_class_name(steps[i].to));
    }
}

static void test_classes_compress_keeps_the_recipe(void **state)
{
    const memo_compile_options bad[] = {
        {.cls = MEMO_CLASS_INT8, .max_tokens = 8},
        {.cls = MEMO_CLASS_INT8, .pooling = MEMO_POOLING_CLS},
        {.cls = MEMO_CLASS_INT8, .dims = 8},
        {.cls = MEMO_CLASS_INT8, .layers_average = 2},
    };
    static const char *const named[] = {"max-tokens", "pooling", "dims", "layers-average"};
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};

    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    for (size_t i = 0; i < 4; i++) {
        o = bad[i];
        o.size = sizeof o;
        assert_memo_status(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err),
                           MEMO_ERR_USAGE, err);
        assert_contains(err.message, named[i]);
    }
    o = defaults();
    assert_memo_status(memo_model_compress(e->ctx, e->out, e->out, &o, NULL, &err), MEMO_ERR_USAGE,
                       err);
    assert_memo_status(memo_model_compress(e->ctx, e->source, e->other, &o, NULL, &err),
                       MEMO_ERR_IO, err);
}

/* ---- measuring ----------------------------------------------------------------------------- */

static void test_classes_static_ranges(void **state)
{
    static const char texts[] = "the cat sat on the mat\n\nthe river, the key\r\ntea ing ed door.";
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};
    float exact[40], vector[40];
    double dot = 0;

    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    memo_model *model = open_out(e, e->out);
    embed_one(model, exact);
    memo_model_close(model);
    o.cls = MEMO_CLASS_INT8;
    o.activations = MEMO_ACTIVATIONS_STATIC;
    o.calibrate = write_texts(e, texts, sizeof texts - 1);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    model = open_out(e, e->out);
    for (size_t i = 0; i < model->file.layout.n_slots; i++) {
        const memo_slot *slot = &model->file.layout.slots[i];
        const void *data[MEMO_STORED_KINDS];
        memo_compiled_slot(&model->file, slot, data);
        const float *input = data[MEMO_STORED_INPUT];
        assert_int_equal(input != NULL, slot->packed);
        if (input) /* states after a norm: neither nothing nor very large */
            assert_true(input[0] > 1e-4 && input[0] < 1 && fabs((double)input[1]) < 10);
    }
    embed_one(model, vector);
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_model_close(model);
    for (size_t i = 0; i < 40; i++)
        dot += (double)exact[i] * (double)vector[i];
    assert_true(dot > 0.99 && dot < 0.9999999);
}

static void test_classes_calibrate_refuses(void **state)
{
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};

    o.cls = MEMO_CLASS_INT8;
    o.activations = MEMO_ACTIVATIONS_STATIC;
    o.calibrate = e->source; /* a folder */
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), MEMO_ERR_IO,
                       err);
    o.calibrate = write_texts(e, "\n\r\n\n", 4);
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "no text");
    o.calibrate = write_texts(e,
                              "fine\nb\xff"
                              "d\n",
                              9);
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "line 2");
    assert_int_equal(access(e->out, F_OK), -1);
}

/* Rounded without measuring: other codes than those that make up for each other, the same each time. */
static void test_classes_without_calibration(void **state)
{
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_compile_report *report = NULL;
    char fingerprints[3][65];
    memo_err err = {0};

    o.cls = MEMO_CLASS_INT4;
    o.no_report = 1;
    for (int i = 0; i < 3; i++) {
        o.no_calibration = i < 2;
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &report, &err), err);
        memcpy(fingerprints[i], report->fingerprint, sizeof fingerprints[i]);
        memo_compile_report_free(report);
    }
    assert_string_equal(fingerprints[0], fingerprints[1]);
    assert_string_not_equal(fingerprints[0], fingerprints[2]);
    o.no_calibration = 1;
    o.calibrate = write_texts(e, "the cat\n", 8);
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_USAGE, err);
    o.calibrate = NULL;
    o.auto_class = 1;
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_USAGE, err);
    assert_contains(err.message, "auto");
}

/* How many matrices have a class. */
static size_t count_class(class_env *e, const char *path, memo_class cls)
{
    memo_model *model = open_out(e, path);
    memo_weight_info weight;
    size_t n = 0;
    for (size_t i = 0; memo_model_get_weight(model, i, &weight); i++)
        n += weight.cls == cls && strcmp(weight.name, "embeddings.word") != 0;
    memo_model_close(model);
    return n;
}

static void test_classes_auto_follows_the_targets(void **state)
{
    static const char *const rule[] = {"layer.000.ffn.up.weight=f32"};
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_compile_report *first = NULL, *again = NULL;
    memo_err err = {0};

    o.auto_class = 1;
    o.target_cosine = 0.5;
    o.target_top10 = 0.01;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    assert_int_equal(count_class(e, e->out, MEMO_CLASS_LUT4), 8);
    o.set = rule;
    o.n_set = 1;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    assert_int_equal(count_class(e, e->out, MEMO_CLASS_LUT4), 7);
    assert_int_equal(count_class(e, e->out, MEMO_CLASS_F32), 1);
    o.n_set = 0;
    o.target_cosine = 1;
    o.target_top10 = 1;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    assert_int_equal(count_class(e, e->out, MEMO_CLASS_F32), 8);
    o.target_cosine = o.target_top10 = 0; /* the defaults */
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &first, &err), err);
    assert_contains(first->warnings[first->n_warnings - 1], "class auto");
    assert_true(count_class(e, e->out, MEMO_CLASS_F32) < 8);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &again, &err), err);
    assert_string_equal(first->fingerprint, again->fingerprint);
    memo_compile_report_free(first);
    memo_compile_report_free(again);
}

/* ---- allocation failures ------------------------------------------------------------------- */

static memo_status compile_static_lut4(void *user, memo_err *err)
{
    class_env *e = user;
    memo_compile_options o = defaults();
    o.cls = MEMO_CLASS_LUT4;
    o.palette_group = MEMO_PALETTE_GROUP_TENSOR;
    o.activations = MEMO_ACTIVATIONS_STATIC;
    o.no_report = 1; /* has a sweep of its own */
    o.calibrate = write_texts(e, "the cat\n", 8);
    return memo_model_compile(e->ctx, e->source, e->other, &o, NULL, err);
}

static memo_status compress_int4(void *user, memo_err *err)
{
    class_env *e = user;
    memo_compile_options o = defaults();
    o.cls = MEMO_CLASS_INT4;
    o.no_report = 1; /* has a sweep of its own */
    o.calibrate = write_texts(e, "the cat\n", 8);
    return memo_model_compress(e->ctx, e->out, e->other, &o, NULL, err);
}

static void test_classes_each_failing_allocation(void **state)
{
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};

    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    assert_true(memo_test_alloc_sweep(compile_static_lut4, e) > 100);
    assert_true(memo_test_alloc_sweep(compress_int4, e) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_ENV(test_classes_file_is_as_the_contract_says),
        IN_ENV(test_classes_errors_and_fingerprints),
        IN_ENV(test_classes_by_option_or_rule),
        IN_ENV(test_classes_options_are_refused_by_name),
        IN_ENV(test_classes_mixed_by_pattern),
        IN_ENV(test_classes_dims_and_layers),
        IN_ENV(test_classes_compress_equals_compile),
        IN_ENV(test_classes_calibrate_alike_on_all_levels),
        IN_ENV(test_classes_compress_only_loses),
        IN_ENV(test_classes_compress_keeps_the_recipe),
        IN_ENV(test_classes_static_ranges),
        IN_ENV(test_classes_calibrate_refuses),
        IN_ENV(test_classes_without_calibration),
        IN_ENV(test_classes_auto_follows_the_targets),
        IN_ENV(test_classes_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
