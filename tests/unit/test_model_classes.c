// SPDX-License-Identifier: Apache-2.0
/* Classes and formats: what lies in the file against the contract of model/layout.h, mixtures, what is
 * measured. */
#include "class_env.h"

#include <math.h>

#include "base/cpu.h"
#include "model/slot_rows.h"
#include "quant/half.h"
#include "quant/int8.h"

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
        memo_model_info info = {.size = sizeof info};
        memo_err err = {0};
        assert_memo_ok(memo_model_compile(e->ctx, e->source, f ? e->out : e->other, &o, NULL, &err),
                       err);
        memo_model *model = open_out(e, f ? e->out : e->other);
        exact = f ? exact : model;
        memo_model_get_info(model, &info, NULL);
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
    memo_weight_info weight = {.size = sizeof weight};
    memo_text text = MEMO_TEXT("the cat sat on the mat");
    float vector[40];
    size_t n = 0;
    memo_err err = {0};

    o.cls = MEMO_CLASS_BF16;
    o.set = rules;
    o.n_set = 4;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    memo_model *model = open_out(e, e->out);
    for (; memo_model_get_weight(model, n, &weight, NULL) == MEMO_OK; n++) {
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
    memo_model_info info = {.size = sizeof info};
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
    memo_model_get_info(model, &info, NULL);
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

/* Each weight is done with after one stage: the embeddings', or its layer's. */
static void test_classes_stages_share_the_weights(void **state)
{
    class_env *e = *state;
    memo_compile_options o = defaults();
    size_t first, end, next = 0;
    memo_err err = {0};

    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    memo_model *model = open_out(e, e->out);
    const memo_layout *layout = &model->file.layout;
    for (size_t stage = 0; stage <= 2; stage++) {
        memo_layout_stage(layout, stage, &first, &end);
        assert_int_equal(first, next);
        assert_true(end > first);
        for (size_t i = first; i < end; i++)
            assert_int_equal(
                layout->slots[i].weight < MEMO_WEIGHT_LAYER_FIRST ? 0 : layout->slots[i].layer + 1,
                stage);
        next = end;
    }
    assert_int_equal(next, layout->n_slots);
    memo_layout_stage(layout, 3, &first, &end);
    assert_int_equal(first, end);
    memo_model_close(model);
}

/* ---- levels -------------------------------------------------------------------------------- */

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
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, class_env_setup, class_env_teardown)
        IN_ENV(test_classes_file_is_as_the_contract_says),
        IN_ENV(test_classes_errors_and_fingerprints),
        IN_ENV(test_classes_by_option_or_rule),
        IN_ENV(test_classes_stages_share_the_weights),
        IN_ENV(test_classes_calibrate_alike_on_all_levels),
        IN_ENV(test_classes_mixed_by_pattern),
        IN_ENV(test_classes_dims_and_layers),
        IN_ENV(test_classes_static_ranges),
        IN_ENV(test_classes_calibrate_refuses),
        IN_ENV(test_classes_without_calibration),
        IN_ENV(test_classes_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
