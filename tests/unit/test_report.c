// SPDX-License-Identifier: Apache-2.0
/* The report that a compiled model carries: it is what measuring gives, damage of it is found, it is no
 * part of the fingerprint, a file without one is as good, and a hostile one is refused. */
#include "memo_test.h"

#include <math.h>
#include <memolith/model.h>

#include "bert_source.h"
#include "model/model_handle.h"
#include "model/verify/fidelity_json.h"

typedef struct report_env {
    memo_ctx *ctx;
    char dir[256], source[300], out[300], other[300];
} report_env;

static memo_compile_options classed(memo_class cls)
{
    return (memo_compile_options){.size = sizeof(memo_compile_options), .cls = cls, .overwrite = 1};
}

static void compile(const report_env *e, const memo_compile_options *o, const char *out)
{
    memo_err err = {0};
    assert_memo_ok(memo_model_compile(e->ctx, e->source, out, o, NULL, &err), err);
}

static memo_model *open_model(memo_ctx *ctx, const char *path, int portable)
{
    const memo_model_options o = {.size = sizeof o, .portable = portable};
    memo_model *model = NULL;
    memo_err err = {0};

    assert_memo_ok(memo_model_open(ctx, path, &o, &model, &err), err);
    return model;
}

static memo_fidelity_report *get_report(const memo_model *model)
{
    memo_fidelity_report *report = NULL;
    memo_err err = {0};

    assert_memo_ok(memo_model_get_report(model, &report, &err), err);
    return report;
}

static int setup(void **state)
{
    report_env *e = calloc(1, sizeof *e);
    memo_ctx_options o = {.size = sizeof o, .n_threads = 1};
    memo_err err = {0};

    memo_test_temp_dir(e->dir);
    assert_memo_ok(memo_ctx_new(&o, &e->ctx, &err), err);
    snprintf(e->source, sizeof e->source, "%s/source", e->dir);
    snprintf(e->out, sizeof e->out, "%s/out.safetensors", e->dir);
    snprintf(e->other, sizeof e->other, "%s/other.safetensors", e->dir);
    mkdir(e->source, 0700);
    bert_write_model(e->source, (bert_spec){.hidden = 20, .n_heads = 4, .intermediate = 24});
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    report_env *e = *state;
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

/* Nine digits are stored. */
static void assert_near(double stored, double measured)
{
    if (!(fabs(stored - measured) <= 1e-8 * fabs(measured)))
        fail_msg("stored %.12g, measured %.12g", stored, measured);
}

static void assert_same_report(const memo_fidelity_report *a, const memo_fidelity_report *b)
{
    assert_string_equal(a->reference, b->reference);
    assert_int_equal(a->reference_class, b->reference_class);
    assert_int_equal(a->n_tensors, b->n_tensors);
    assert_int_equal(a->n_equal, b->n_equal);
    for (size_t i = 0; i < b->n_tensors; i++) {
        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
        assert_int_equal(a->tensors[i].cls, b->tensors[i].cls);
        assert_int_equal(a->tensors[i].n_rows, b->tensors[i].n_rows);
        assert_int_equal(a->tensors[i].n_cols, b->tensors[i].n_cols);
        assert_near(a->tensors[i].snr_db, b->tensors[i].snr_db);
        assert_near(a->tensors[i].max_abs_error, b->tensors[i].max_abs_error);
        assert_near(a->tensors[i].largest, b->tensors[i].largest);
    }
    assert_int_equal(a->n_layers, b->n_layers);
    assert_int_equal(a->n_layer_texts, b->n_layer_texts);
    for (size_t i = 0; i < b->n_layers; i++) {
        assert_near(a->layers[i].cosine_mean, b->layers[i].cosine_mean);
        assert_near(a->layers[i].cosine_min, b->layers[i].cosine_min);
        assert_near(a->layers[i].relative_error, b->layers[i].relative_error);
    }
    assert_int_equal(a->against.n_texts, b->against.n_texts);
    assert_int_equal(a->against.worst, b->against.worst);
    assert_string_equal(a->against.worst_text, b->against.worst_text);
    assert_near(a->against.cosine_mean, b->against.cosine_mean);
    assert_near(a->against.cosine_p01, b->against.cosine_p01);
    assert_near(a->against.cosine_min, b->against.cosine_min);
    assert_near(a->against.top10_overlap, b->against.top10_overlap);
    assert_near(a->against.spearman, b->against.spearman);
}

/* `out` was made from `reference`. */
static void assert_report_is_measured(const report_env *e, const char *out, const char *reference)
{
    memo_model *model = open_model(e->ctx, out, 1), *against = open_model(e->ctx, reference, 0);
    memo_fidelity_options o = {.size = sizeof o, .against = against};
    memo_fidelity_report *stored = get_report(model), *measured = NULL;
    memo_err err = {0};

    assert_non_null(stored);
    assert_memo_ok(memo_model_fidelity(model, &o, &measured, &err), err);
    assert_true(measured->n_tensors > 0);
    assert_same_report(stored, measured);
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_fidelity_free(stored);
    memo_fidelity_free(measured);
    memo_model_close(model);
    memo_model_close(against);
}

static void test_report_is_what_is_measured(void **state)
{
    const report_env *e = *state;
    static const memo_class classes[] = {MEMO_CLASS_INT8, MEMO_CLASS_BF16, MEMO_CLASS_F16,
                                         MEMO_CLASS_LUT4};
    memo_compile_options o = classed(MEMO_CLASS_F32);

    compile(e, &o, e->other);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        o = classed(classes[i]);
        compile(e, &o, e->out);
        assert_report_is_measured(e, e->out, e->other);
    }
}

/* What is compressed is measured beside what it was compressed from. */
static void test_report_of_a_compressed_model(void **state)
{
    const report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_BF16);
    memo_err err = {0};

    compile(e, &o, e->other);
    o = classed(MEMO_CLASS_INT8);
    assert_memo_ok(memo_model_compress(e->ctx, e->other, e->out, &o, NULL, &err), err);
    assert_report_is_measured(e, e->out, e->other);
    memo_model *model = open_model(e->ctx, e->out, 0);
    memo_fidelity_report *report = get_report(model);
    assert_int_equal(report->reference_class, MEMO_CLASS_BF16);
    memo_fidelity_free(report);
    memo_model_close(model);
}

static void test_report_is_no_part_of_the_fingerprint(void **state)
{
    const report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_INT8);
    memo_model_info with = {.size = sizeof with}, without = {.size = sizeof without};

    compile(e, &o, e->out);
    o.no_report = 1;
    compile(e, &o, e->other);
    memo_model *a = open_model(e->ctx, e->out, 0), *b = open_model(e->ctx, e->other, 0);
    memo_model_get_info(a, &with, NULL);
    memo_model_get_info(b, &without, NULL);
    assert_string_equal(with.fingerprint, without.fingerprint);
    assert_non_null(with.report_json);
    assert_null(without.report_json);
    assert_null(get_report(b));
    memo_model_close(a);
    memo_model_close(b);
}

/* No loss, or nothing that could be measured: no report. */
static void test_report_is_left_out(void **state)
{
    const report_env *e = *state;
    memo_compile_options options[] = {classed(MEMO_CLASS_F32), classed(MEMO_CLASS_F16)};

    options[1].allow_nonfinite = 1;
    for (size_t i = 0; i < 2; i++) {
        compile(e, &options[i], e->out);
        memo_model *model = open_model(e->ctx, e->out, 0);
        assert_null(get_report(model));
        memo_model_close(model);
    }
}

/* Every bit of it lies under a checksum that is looked at when the file is opened. */
static void test_report_damage_is_found(void **state)
{
    const report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_INT8);
    memo_err err = {0};
    size_t n = 0;
    char *bytes = NULL;
    memo_model *model = NULL;

    compile(e, &o, e->out);
    model = open_model(e->ctx, e->out, 0);
    const memo_st_tensor *t = model->file.extra[MEMO_EXTRA_REPORT];
    size_t begin = (size_t)t->begin, end = (size_t)t->end;
    memo_model_close(model);
    model = NULL;
    assert_memo_ok(memo_file_slurp(e->out, 1 << 24, &bytes, &n, &err), err);
    char *copy = memo_aligned_alloc(n);
    memcpy(copy, bytes, n);
    for (size_t at = begin; at < end; at++) {
        copy[at] ^= (char)(1 << at % 8);
        assert_memo_status(memo_model_open_memory(e->ctx, copy, n, NULL, &model, &err),
                           MEMO_ERR_CORRUPT, err);
        copy[at] ^= (char)(1 << at % 8);
    }
    memo_aligned_free(copy);
    memo_free(bytes);
}

/* The figures do not tell which level computed them, where vectors do not. */
static void test_report_is_the_same_on_each_level(void **state)
{
    const report_env *e = *state;
    static const memo_cpu levels[] = {MEMO_CPU_AVX2, MEMO_CPU_AVX512, MEMO_CPU_AVX512VNNI,
                                      MEMO_CPU_AVX512BF16, MEMO_CPU_AMX};
    memo_compile_options o = classed(MEMO_CLASS_INT8);
    char *first = NULL;
    size_t n = 0;

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        memo_ctx_options options = {.size = sizeof options, .n_threads = 1, .cpu = levels[i]};
        memo_ctx *ctx = NULL;
        memo_err err = {0};
        memo_model_info info = {.size = sizeof info};
        if (memo_ctx_new(&options, &ctx, &err))
            continue;
        if (memo_ctx_cpu(ctx) == levels[i]) {
            assert_memo_ok(memo_model_compile(ctx, e->source, e->out, &o, NULL, &err), err);
            memo_model *model = open_model(ctx, e->out, 0);
            memo_model_get_info(model, &info, NULL);
            if (first)
                assert_string_equal(first, info.report_json);
            else
                first = strdup(info.report_json);
            memo_model_close(model);
            n++;
        }
        memo_ctx_free(ctx);
    }
    free(first);
    if (n < 2)
        memo_test_skip("this machine has %zu of the levels", n);
}

/* ---- the text ------------------------------------------------------------------------------ */

/* What is written is read as the same, and fits the room, whatever the figures. */
static void test_report_room_is_enough(void **state)
{
    const report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_INT8);
    enum { LAYERS = 60 }; /* so many that their part of the room is most of it */
    memo_tensor_fidelity tensors[4 * LAYERS + 1];
    memo_layer_fidelity layers[LAYERS + 1];
    char worst[61], *json = NULL;
    memo_err err = {0};
    memo_fidelity_report report = {.tensors = tensors, .layers = layers, .n_layer_texts = 10000};
    memo_fidelity_report *again = NULL;

    compile(e, &o, e->out);
    memo_model *model = open_model(e->ctx, e->out, 0);
    memo_recipe recipe = model->file.recipe; /* of which only the layers are more */
    memo_layout large = {0}, *layout = &large;
    const memo_weight_format int8 = {.cls = MEMO_CLASS_INT8};
    size_t n_layers = recipe.n_layers = LAYERS;
    assert_memo_ok(memo_layout_init(layout, &recipe, &err), err);
    memo_layout_set_class(layout, &int8);
    for (size_t i = 0; i < layout->n_slots; i++)
        if (memo_slot_has_format(&layout->slots[i]))
            tensors[report.n_tensors++] =
                (memo_tensor_fidelity){layout->slots[i].name,   layout->slots[i].format.cls,
                                       layout->slots[i].n_rows, layout->slots[i].n_cols,
                                       -1.23456789e-201,        1.23456789e-201,
                                       1.23456789e-201};
    report.n_equal = layout->n_slots - report.n_tensors;
    report.n_layers = n_layers + 1;
    for (size_t i = 0; i <= n_layers; i++)
        layers[i] = (memo_layer_fidelity){-1.23456789e-201, -1.23456789e-201, 1.23456789e-201};
    memset(worst, 1, 60);
    worst[60] = '\0';
    report.against =
        (memo_texts_fidelity){10000, -1.23456789e-201, -1.23456789e-201, -1.23456789e-201, 9999,
                              worst, 1.23456789e-201,  -1.23456789e-201};
    memset(report.reference, 'a', 64);
    report.reference_class = MEMO_CLASS_BF16;
    assert_memo_ok(memo_fidelity_write(&report, &json, &err), err);
    assert_true(strlen(json) < memo_fidelity_room(layout, n_layers));
    assert_memo_ok(memo_fidelity_read(json, layout, n_layers, &again, &err), err);
    assert_same_report(again, &report);
    memo_fidelity_free(again);
    memo_free(json);
    memo_layout_fini(layout);
    memo_model_close(model);
}

/* A figure that is no number comes back as none. */
static void test_report_without_numbers(void **state)
{
    const report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_INT8);
    memo_err err = {0};
    char *json = NULL;
    memo_fidelity_report *again = NULL;

    compile(e, &o, e->out);
    memo_model *model = open_model(e->ctx, e->out, 0);
    memo_fidelity_report *report = get_report(model);
    report->against.spearman = NAN;
    ((memo_tensor_fidelity *)(uintptr_t)report->tensors)[0].snr_db = INFINITY;
    assert_memo_ok(memo_fidelity_write(report, &json, &err), err);
    assert_memo_ok(
        memo_fidelity_read(json, &model->file.layout, model->file.recipe.n_layers, &again, &err),
        err);
    assert_true(isnan(again->against.spearman));
    assert_true(isinf(again->tensors[0].snr_db) && again->tensors[0].snr_db > 0);
    memo_free(json);
    memo_fidelity_free(report);
    memo_fidelity_free(again);
    memo_model_close(model);
}

#define SIXTY "123456789012345678901234567890123456789012345678901234567890"

/* Each change of a good report is refused, and says what is wrong. */
static void test_report_hostile_texts(void **state)
{
    static const struct {
        const char *from, *to;
        memo_status status;
        const char *says;
    } changes[] = {
        {"{\"version\":1", "{\"version\":2", MEMO_ERR_UNSUPPORTED, "version 2"},
        {"{\"version\":1", "{\"version\":\"1\"", MEMO_ERR_VALUE, "version"},
        {"{\"version\":1", "[\"version\",1", MEMO_ERR_FORMAT, "report"},
        {"\"reference\":\"", "\"reference\":\"G", MEMO_ERR_FORMAT, "no model"},
        {"\"reference_class\":\"f32\"", "\"reference_class\":\"f31\"", MEMO_ERR_FORMAT, "f31"},
        {"\"tensors_equal\":", "\"tensors_equal\":1", MEMO_ERR_VALUE, "tensors_equal"},
        {"\"tensors\":[{", "\"tensors\":[7,{", MEMO_ERR_FORMAT, "tensors"},
        {"\"tensors\":[", "\"tensors\":{},\"tensor\":[", MEMO_ERR_FORMAT, "0 tensors"},
        {"\"embeddings.word\"", "\"layer.001.ffn.up.weight\"", MEMO_ERR_FORMAT, "order"},
        {"\"embeddings.word\"", "\"embeddings.position\"", MEMO_ERR_FORMAT, "order"},
        {"\"embeddings.word\"", "\"a\\u0000b\"", MEMO_ERR_VALUE, "name"},
        {"\"snr_db\":", "\"snr_db\":1e99,\"x\":", MEMO_ERR_VALUE, "snr_db"},
        {"\"snr_db\":", "\"snr_db\":true,\"x\":", MEMO_ERR_VALUE, "snr_db"},
        {"\"largest\":", "\"largest\":-1,\"x\":", MEMO_ERR_VALUE, "largest"},
        {"\"layer_texts\":", "\"layer_texts\":9999", MEMO_ERR_VALUE, "layer_texts"},
        {"\"layers\":[", "\"layers\":[{},", MEMO_ERR_FORMAT, "layers"},
        {"\"cosine_mean\":0.", "\"cosine_mean\":3.", MEMO_ERR_VALUE, "cosine_mean"},
        {"\"against\":{", "\"against\":[],\"x\":{", MEMO_ERR_VALUE, "array"},
        {"\"texts\":64", "\"texts\":1", MEMO_ERR_VALUE, "texts"},
        {"\"worst\":", "\"worst\":64,\"x\":", MEMO_ERR_VALUE, "worst"},
        {"\"worst_text\":", "\"worst_text\":7,\"x\":", MEMO_ERR_VALUE, "worst_text"},
        {"\"worst_text\":\"", "\"worst_text\":\"" SIXTY, MEMO_ERR_FORMAT, "worst_text"},
        {"\"top10_overlap\":", "\"top10_overlap\":1.5,\"x\":", MEMO_ERR_VALUE, "top10_overlap"},
        {"}}", "}", MEMO_ERR_FORMAT, "report"},
    };
    const report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_INT8);
    memo_model_info info = {.size = sizeof info};

    compile(e, &o, e->out);
    memo_model *model = open_model(e->ctx, e->out, 0);
    memo_model_get_info(model, &info, NULL);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[16384];
        memo_fidelity_report *report = NULL;
        memo_err err = {0};
        const char *at = strstr(info.report_json, changes[i].from);
        if (!at)
            fail_msg("\"%s\" is not in the report", changes[i].from);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - info.report_json), info.report_json,
                 changes[i].to, at + strlen(changes[i].from));
        memo_status status = memo_fidelity_read(text, &model->file.layout,
                                                model->file.recipe.n_layers, &report, &err);
        if (status != changes[i].status || report)
            fail_msg("\"%s\" gives %s \"%s\", not %s", changes[i].to, memo_status_name(status),
                     err.message, memo_status_name(changes[i].status));
        assert_contains(err.message, changes[i].says);
    }
    memo_model_close(model);
}

/* ---- failing allocations ------------------------------------------------------------------- */

static memo_status compile_int8(void *user, memo_err *err)
{
    const report_env *e = user;
    const memo_compile_options o = classed(MEMO_CLASS_INT8);

    return memo_model_compile(e->ctx, e->source, e->out, &o, NULL, err);
}

static memo_status read_and_write(void *user, memo_err *err)
{
    memo_fidelity_report *report = NULL;
    char *json = NULL;
    memo_status status = memo_model_get_report(user, &report, err);

    if (status == MEMO_OK)
        status = memo_fidelity_write(report, &json, err);
    memo_free(json);
    memo_fidelity_free(report);
    return status;
}

static void test_report_each_failing_allocation(void **state)
{
    report_env *e = *state;
    memo_compile_options o = classed(MEMO_CLASS_INT8);

    assert_true(memo_test_alloc_sweep(compile_int8, e) > 100);
    compile(e, &o, e->out);
    memo_model *model = open_model(e->ctx, e->out, 0);
    assert_true(memo_test_alloc_sweep(read_and_write, model) > 3);
    memo_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_ENV(test_report_is_what_is_measured),
        IN_ENV(test_report_of_a_compressed_model),
        IN_ENV(test_report_is_no_part_of_the_fingerprint),
        IN_ENV(test_report_is_left_out),
        IN_ENV(test_report_damage_is_found),
        IN_ENV(test_report_is_the_same_on_each_level),
        IN_ENV(test_report_room_is_enough),
        IN_ENV(test_report_without_numbers),
        IN_ENV(test_report_hostile_texts),
        IN_ENV(test_report_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
