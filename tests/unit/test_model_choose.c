// SPDX-License-Identifier: Apache-2.0
/* From the options of a compile to the format of every weight: each option taken or refused by name;
 * compressing, which rounds no weight twice; class auto, alone and beside other options. */
#include "class_env.h"

/* ---- options ------------------------------------------------------------------------------- */

typedef struct bad_option {
    memo_compile_options options; /* size and overwrite are filled in */
    memo_status status;
    const char *named, *allowed; /* in the message */
} bad_option;

static const char *const choose_nothing[] = {"layer.*.nothing=int8"}, *const choose_odd[] = {"*"};
static const char *const choose_bits[] = {"*=int3"}, *const choose_grain[] = {"*=int8/48"};
static const char *const choose_floats[] = {"*=f16:none"}, *const choose_word[] = {
                                                               "embeddings.word=int4"};
static const char *const choose_fixed[] = {"layer.000.ffn.up.weight=int8:static"};
static const bad_option choose_bad[] = {
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
    {{.set = choose_fixed, .n_set = 1}, MEMO_ERR_USAGE, "static", "texts"},
    {{.cls = MEMO_CLASS_F16, .activations = MEMO_ACTIVATIONS_NONE},
     MEMO_ERR_USAGE,
     "activations",
     "int8, int4 or lut4"},
    {{.block = 32}, MEMO_ERR_USAGE, "block-size", "int4"},
    {{.cls = MEMO_CLASS_INT4, .palette_group = 8}, MEMO_ERR_USAGE, "palette-group", "lut4"},
    {{.scales = MEMO_SCALES_SEARCH}, MEMO_ERR_USAGE, "scales", "int8"},
    {{.calibrate = "/dev/null"}, MEMO_ERR_USAGE, "calibrate", "int4 or lut4"},
    /* A search of scales without a use for texts, texts without a search. */
    {{.cls = MEMO_CLASS_INT8, .calibrate = "/dev/null"},
     MEMO_ERR_USAGE,
     "calibrate",
     "scales search"},
    {{.cls = MEMO_CLASS_INT8,
      .scales = MEMO_SCALES_SEARCH,
      .granularity = MEMO_GRANULARITY_TENSOR,
      .calibrate = "/dev/null"},
     MEMO_ERR_USAGE,
     "calibrate",
     "scales search"},
    {{.cls = MEMO_CLASS_INT4, .granularity = MEMO_GRANULARITY_TENSOR},
     MEMO_ERR_USAGE,
     "granularity",
     "int8"},
    {{.auto_class = 1, .block = 64}, MEMO_ERR_USAGE, "block-size", "int4"},
    {{.auto_class = 1, .set = choose_fixed, .n_set = 1}, MEMO_ERR_USAGE, "static", "texts"},
    {{.target_cosine = 0.9}, MEMO_ERR_USAGE, "target", "auto"},
    {{.auto_class = 1, .target_cosine = 1.5}, MEMO_ERR_VALUE, "cos=1.5", "between 0 and 1"},
    {{.auto_class = 1, .activations = MEMO_ACTIVATIONS_NONE},
     MEMO_ERR_UNSUPPORTED,
     "none",
     "dynamic"},
    {{.set = choose_nothing, .n_set = 1}, MEMO_ERR_USAGE, "layer.*.nothing", "fits no weight"},
    {{.set = choose_odd, .n_set = 1}, MEMO_ERR_USAGE, "\"*\"", "PATTERN=FORMAT"},
    {{.set = choose_bits, .n_set = 1}, MEMO_ERR_USAGE, "int3", "lut4/tensor"},
    {{.set = choose_grain, .n_set = 1}, MEMO_ERR_USAGE, "int8/48", "int8/64"},
    {{.set = choose_floats, .n_set = 1}, MEMO_ERR_USAGE, "f16:none", ":none or :static"},
    {{.set = choose_word, .n_set = 1}, MEMO_ERR_UNSUPPORTED, "embeddings.word=int4", "or int8"},
    {{.layers_average = 3}, MEMO_ERR_VALUE, "last 3 layers", "has 2"},
    {{.dims = 41}, MEMO_ERR_VALUE, "41 dimensions", "have 40"},
};

static void test_choose_options_are_refused_by_name(void **state)
{
    class_env *e = *state;

    for (size_t i = 0; i < sizeof choose_bad / sizeof *choose_bad; i++) {
        memo_compile_options o = choose_bad[i].options;
        memo_err err = {0};
        o.size = sizeof o;
        memo_status status = memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err);
        if (status != choose_bad[i].status)
            fail_msg("%s: %s: %s", choose_bad[i].named, memo_status_name(status), err.message);
        assert_contains(err.message, choose_bad[i].named);
        assert_contains(err.message, choose_bad[i].allowed);
        assert_int_equal(access(e->out, F_OK), -1);
    }
}

/* ---- compress ------------------------------------------------------------------------------ */

static void test_choose_compress_equals_compile(void **state)
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
        memo_model_info info = {.size = sizeof info};
        memo_source_check check = {.size = sizeof check};
        memo_model_get_info(model, &info, NULL);
        assert_string_equal(info.name, "source");
        assert_memo_ok(memo_model_check_source(model, e->source, &check, &err), err);
        assert_int_equal(check.matches, 1);
        assert_memo_ok(memo_model_verify(model, NULL, &err), err);
        memo_model_close(model);
        memo_compile_report_free(direct);
        memo_compile_report_free(by_way);
    }
}

/* Texts where a format cannot be without them. */
static const char *texts_for(class_env *e, const char *rule)
{
    int needed = strstr(rule, "int4") || strstr(rule, "lut4") || strstr(rule, "static");
    return needed ? write_texts(e, "the cat\n", 8) : NULL;
}

static void test_choose_compress_only_loses(void **state)
{
    static const struct {
        const char *from, *to;
        memo_status status;
    } steps[] = {
        {"*=f16", "*=f32", MEMO_ERR_UNSUPPORTED},
        {"*=bf16", "*=f16", MEMO_ERR_UNSUPPORTED},
        {"*=int8", "*=bf16", MEMO_ERR_UNSUPPORTED},
        {"*=int4", "*=lut4", MEMO_ERR_UNSUPPORTED},
        {"*=lut4", "*=int8", MEMO_ERR_UNSUPPORTED},
        {"*=int8", "*=int8/tensor", MEMO_ERR_UNSUPPORTED},
        {"*=int8/64", "*=int8/32", MEMO_ERR_UNSUPPORTED},
        {"*=int4/128", "*=int4/32", MEMO_ERR_UNSUPPORTED},
        {"*=lut4/8", "*=lut4/32", MEMO_ERR_UNSUPPORTED},
        {"*=f16", "*=bf16", MEMO_OK},
        {"*=f16", "*=int8", MEMO_OK},
        {"*=int8", "*=lut4", MEMO_OK},
        {"*=int8/tensor", "*=int4", MEMO_OK},
    };
    class_env *e = *state;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        memo_compile_options o = defaults();
        memo_err err = {0};
        o.set = &steps[i].from;
        o.n_set = 1;
        o.calibrate = texts_for(e, steps[i].from);
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
        o.set = &steps[i].to;
        o.calibrate = texts_for(e, steps[i].to);
        unlink(e->other);
        assert_memo_status(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err),
                           steps[i].status, err);
        if (steps[i].status) { /* token embeddings come first: as bytes they have no grain */
            assert_contains(err.message, "second loss");
            assert_int_equal(access(e->other, F_OK), -1);
        }
    }
}

/* The tensors of a weight in two files, byte by byte. */
static int same_weight(const memo_model *a, const memo_model *b, size_t slot)
{
    const memo_slot *x = &a->file.layout.slots[slot], *y = &b->file.layout.slots[slot];
    const void *p[MEMO_STORED_KINDS], *q[MEMO_STORED_KINDS];

    memo_compiled_slot(&a->file, x, p);
    memo_compiled_slot(&b->file, y, q);
    for (size_t k = 0; k < MEMO_STORED_KINDS; k++) {
        if (!p[k] != !q[k])
            return 0;
        for (size_t i = 0; p[k] && i < x->n_stored; i++)
            if (x->kinds[i] == k &&
                memcmp(p[k], q[k], (size_t)a->file.layout.stored[x->first + i].n_bytes) != 0)
                return 0;
    }
    return x->n_stored == y->n_stored;
}

/* What keeps its format keeps its bytes, and all of it the fingerprint; also beside a matrix that is
 * made smaller. */
static void test_choose_compress_never_rounds_twice(void **state)
{
    static const char *const formats[] = {
        "*=f16",          "*=int8",    "*=int8/tensor", "*=int8/32",     "*=int4/64",
        "*=int4/32:none", "*=lut4/32", "*=lut4/tensor", "*=int8:static", "*=lut4/8:static"};
    static const char one[] = "layer.001.ffn.up.weight=int4/128";
    class_env *e = *state;

    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        const char *const rules[] = {formats[f], one};
        memo_compile_report *first = NULL, *second = NULL;
        memo_compile_options o = defaults();
        memo_err err = {0};
        int may = !strstr(formats[f], "4/") && !strstr(formats[f], "lut4");
        o.set = rules;
        o.n_set = 1;
        o.calibrate = texts_for(e, formats[f]);
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &first, &err), err);
        o.calibrate = NULL; /* nothing is measured, nothing is searched */
        assert_memo_ok(memo_model_compress(e->ctx, e->out, e->other, &o, &second, &err), err);
        assert_string_equal(first->fingerprint, second->fingerprint);
        memo_compile_report_free(first);
        memo_compile_report_free(second);
        if (!may)
            continue;
        o.n_set = 2;
        o.calibrate = write_texts(e, "the cat\n", 8);
        assert_memo_ok(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err), err);
        memo_model *a = open_out(e, e->out), *b = open_out(e, e->other);
        size_t n_other = 0;
        for (size_t i = 0; i < a->file.layout.n_slots; i++)
            n_other += !same_weight(a, b, i);
        assert_int_equal(n_other, 1);
        memo_model_close(a);
        memo_model_close(b);
    }
}

/* Other activations are no other codes; a range that was not known is measured. */
static void test_choose_compress_changes_activations(void **state)
{
    static const char *const none[] = {"*=int8:none"}, *const fixed[] = {"*=int8:static"};
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};

    o.cls = MEMO_CLASS_INT8;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    for (int k = 0; k < 2; k++) {
        o = defaults();
        o.set = k ? fixed : none;
        o.n_set = 1;
        o.calibrate = texts_for(e, *o.set);
        assert_memo_ok(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err), err);
        memo_model *a = open_out(e, e->out), *b = open_out(e, e->other);
        for (size_t i = 0; i < a->file.layout.n_slots; i++) {
            const void *p[MEMO_STORED_KINDS], *q[MEMO_STORED_KINDS];
            const memo_slot *slot = &a->file.layout.slots[i];
            memo_compiled_slot(&a->file, slot, p);
            memo_compiled_slot(&b->file, &b->file.layout.slots[i], q);
            assert_memory_equal(p[MEMO_STORED_VALUES], q[MEMO_STORED_VALUES],
                                (size_t)a->file.layout.stored[slot->first].n_bytes);
            assert_int_equal(q[MEMO_STORED_INPUT] != NULL, k && slot->packed);
            if (q[MEMO_STORED_INPUT])
                assert_true(*(const float *)q[MEMO_STORED_INPUT] > 0);
        }
        assert_memo_ok(memo_model_verify(b, NULL, &err), err);
        memo_model_close(a);
        memo_model_close(b);
    }
}

static void test_choose_compress_keeps_the_recipe(void **state)
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

/* ---- auto ---------------------------------------------------------------------------------- */

static void test_choose_auto_follows_the_targets(void **state)
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

/* Options of the candidates go together with rules for a part of the weights. */
static void test_choose_auto_with_options_and_rules(void **state)
{
    static const char texts[] = "the cat sat on the mat\ntea in the river, a key ing the door\n";
    static const char *const rules[] = {
        "layer.000.ffn.up.weight=int8",
        "layer.000.ffn.up.weight=bf16",
        "layer.000.ffn.up.weight=int8:static",
        "layer.001.*=int4",
        "*=bf16", /* leaves auto nothing */
    };
    const struct {
        memo_compile_options options;
        size_t rule;
        const char *format; /* of layer.000.ffn.up.weight */
        int calibrate;
    } cases[] = {
        {{.palette = MEMO_PALETTE_UNIFORM}, 0, "int8", 0},
        {{.granularity = MEMO_GRANULARITY_GROUP}, 0, "int8/64", 0},
        {{.palette_group = 32, .palette_plain_scales = 1}, 2, "int8:static", 1},
        {{.granularity = MEMO_GRANULARITY_TENSOR, .scales = MEMO_SCALES_SEARCH}, 3, NULL, 1},
        {{.block = 64}, 3, NULL, 0},
        {{.granularity = MEMO_GRANULARITY_GROUP}, 1, "bf16", 0},
        {{.granularity = MEMO_GRANULARITY_GROUP}, 4, "bf16", 0},
    };
    class_env *e = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_compile_options o = cases[i].options;
        memo_weight_info weight = {.size = sizeof weight};
        memo_err err = {0};
        o.size = sizeof o;
        o.overwrite = o.auto_class = 1;
        o.target_cosine = 0.5;
        o.target_top10 = 0.01;
        o.set = &rules[cases[i].rule];
        o.n_set = 1;
        o.calibrate = cases[i].calibrate ? write_texts(e, texts, sizeof texts - 1) : NULL;
        assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
        memo_model *model = open_out(e, e->out);
        for (size_t k = 0; memo_model_get_weight(model, k, &weight, NULL) == MEMO_OK; k++)
            if (cases[i].format && strcmp(weight.name, "layer.000.ffn.up.weight") == 0)
                assert_string_equal(weight.format, cases[i].format);
        assert_memo_ok(memo_model_verify(model, NULL, &err), err);
        memo_model_close(model);
    }
}

/* From a compiled model: what no candidate may replace stays as it is, bytes and all. */
static void test_choose_auto_compresses(void **state)
{
    static const char *const mixed[] = {"*=f16", "layer.000.ffn.up.weight=int4/64"};
    static const char *const rule[] = {"layer.001.ffn.up.weight=lut4/32"};
    class_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};

    o.cls = MEMO_CLASS_INT8;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    o = defaults();
    o.auto_class = 1;
    o.target_cosine = 0.5;
    o.target_top10 = 0.01;
    assert_memo_ok(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err), err);
    assert_int_equal(count_class(e, e->other, MEMO_CLASS_LUT4), 8);
    o = defaults();
    o.set = mixed;
    o.n_set = 2;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    o.auto_class = 1;
    o.set = rule;
    o.n_set = 1;
    o.target_cosine = 0.5;
    o.target_top10 = 0.01;
    assert_memo_ok(memo_model_compress(e->ctx, e->out, e->other, &o, NULL, &err), err);
    assert_int_equal(count_class(e, e->other, MEMO_CLASS_LUT4), 1);
    assert_int_equal(count_class(e, e->other, MEMO_CLASS_INT4), 1);
    memo_model *a = open_out(e, e->out), *b = open_out(e, e->other);
    size_t n_other = 0;
    for (size_t i = 0; i < a->file.layout.n_slots; i++)
        n_other += !same_weight(a, b, i);
    assert_int_equal(n_other, 1);
    memo_model_close(a);
    memo_model_close(b);
}

/* ---- memory -------------------------------------------------------------------------------- */

static memo_status compile_within(class_env *e, uint64_t limit, memo_class cls, char *fingerprint,
                                  memo_err *err)
{
    const memo_ctx_options options = {
        .size = sizeof options, .n_threads = 1, .mem_limit_bytes = limit};
    memo_compile_options o = defaults();
    memo_compile_report *report = NULL;
    memo_ctx *ctx = NULL;
    memo_err of_ctx = {0};

    o.cls = cls;
    o.no_report = 1;
    assert_memo_ok(memo_ctx_new(&options, &ctx, &of_ctx), of_ctx);
    memo_status status = memo_model_compile(ctx, e->source, e->out, &o, &report, err);
    if (report)
        memcpy(fingerprint, report->fingerprint, 65);
    memo_compile_report_free(report);
    memo_ctx_free(ctx);
    return status;
}

/* A limit of the context holds for what is measured: below that of one matrix by name, above it with
 * the same codes, however few matrices fit together. */
static void test_choose_calibrates_within_the_limit(void **state)
{
    class_env *e = *state;
    char whole[65] = "", part[65] = "";
    memo_err err = {0};

    assert_memo_ok(compile_within(e, 0, MEMO_CLASS_INT4, whole, &err), err);
    uint64_t widest = 0, least = 0, low = 1, high = 1 << 24;
    while (low + 1 < high) { /* the least limit that is taken */
        uint64_t middle = (low + high) / 2;
        memo_err one = {0};
        memo_status status = compile_within(e, middle, MEMO_CLASS_INT4, part, &one);
        if (status == MEMO_OK) {
            high = middle;
            assert_string_equal(whole, part);
            continue;
        }
        low = middle;
        assert_memo_status(status, MEMO_ERR_LIMIT, one);
        assert_contains(one.message, ".weight: moments of its");
        assert_contains(one.hint, "--calibrate none");
    }
    memo_model *model = open_out(e, e->out);
    for (size_t i = 0; i < model->file.layout.n_slots; i++)
        if (model->file.layout.slots[i].packed && model->file.layout.slots[i].n_cols > widest)
            widest = model->file.layout.slots[i].n_cols;
    memo_model_close(model);
    least = 2 * widest * widest * sizeof(float); /* moments and factor, then the scratch */
    assert_true(high > least && high < least + (1 << 20));
    assert_memo_ok(compile_within(e, 1, MEMO_CLASS_INT8, part, &err), err); /* measures nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, class_env_setup, class_env_teardown)
        IN_ENV(test_choose_options_are_refused_by_name),
        IN_ENV(test_choose_compress_equals_compile),
        IN_ENV(test_choose_compress_only_loses),
        IN_ENV(test_choose_compress_never_rounds_twice),
        IN_ENV(test_choose_compress_changes_activations),
        IN_ENV(test_choose_compress_keeps_the_recipe),
        IN_ENV(test_choose_auto_follows_the_targets),
        IN_ENV(test_choose_auto_with_options_and_rules),
        IN_ENV(test_choose_auto_compresses),
        IN_ENV(test_choose_calibrates_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
