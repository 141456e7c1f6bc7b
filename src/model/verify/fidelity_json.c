// SPDX-License-Identifier: Apache-2.0
#include "model/verify/fidelity_json.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "model/verify/fidelity.h"

#define REPORT_VERSION 1
#define REPORT_DIGITS  9

/* Bytes of keys and figures, each of at most 16 characters ("-1.23456789e-308") and what jansson adds
 * to a whole number (".0"): of a tensor without its name, of a layer, of all the rest, where each of
 * the 60 bytes of the worst text may be written in six. */
#define REPORT_TENSOR_BYTES 128
#define REPORT_LAYER_BYTES  128
#define REPORT_REST_BYTES   1280

size_t memo_fidelity_room(const memo_layout *layout, size_t n_layers)
{
    size_t n = REPORT_REST_BYTES + (n_layers + 1) * REPORT_LAYER_BYTES;

    for (size_t i = 0; i < layout->n_slots; i++)
        if (memo_slot_has_format(&layout->slots[i]))
            n += REPORT_TENSOR_BYTES + strlen(layout->slots[i].name);
    return n;
}

/* ---- write --------------------------------------------------------------------------------- */

/* NULL values and failed pairs are counted, so that one look at the end is enough. */
static void report_put(json_t *object, const char *key, json_t *value, int *failed)
{
    *failed |= json_object_set_new(object, key, value) != 0;
}

static void report_put_real(json_t *object, const char *key, double value, int *failed)
{
    report_put(object, key, isfinite(value) ? json_real(value) : json_null(), failed);
}

static void report_put_size(json_t *object, const char *key, size_t value, int *failed)
{
    report_put(object, key, json_integer((json_int_t)value), failed);
}

static void report_push(json_t *array, json_t *value, int *failed)
{
    *failed |= json_array_append_new(array, value) != 0;
}

static json_t *report_tensors(const memo_fidelity_report *r, int *failed)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_tensors; i++) {
        const memo_tensor_fidelity *t = &r->tensors[i];
        json_t *item = json_object();
        report_put(item, "name", json_string(t->name), failed);
        report_put_real(item, "snr_db", t->snr_db, failed);
        report_put_real(item, "max_abs_error", t->max_abs_error, failed);
        report_put_real(item, "largest", t->largest, failed);
        report_push(list, item, failed);
    }
    return list;
}

static json_t *report_layers(const memo_fidelity_report *r, int *failed)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_layers; i++) {
        const memo_layer_fidelity *layer = &r->layers[i];
        json_t *item = json_object();
        report_put_real(item, "cosine_mean", layer->cosine_mean, failed);
        report_put_real(item, "cosine_min", layer->cosine_min, failed);
        report_put_real(item, "relative_error", layer->relative_error, failed);
        report_push(list, item, failed);
    }
    return list;
}

static json_t *report_texts(const memo_texts_fidelity *t, int *failed)
{
    json_t *item = json_object();

    report_put_size(item, "texts", t->n_texts, failed);
    report_put_real(item, "cosine_mean", t->cosine_mean, failed);
    report_put_real(item, "cosine_p01", t->cosine_p01, failed);
    report_put_real(item, "cosine_min", t->cosine_min, failed);
    report_put_size(item, "worst", t->worst, failed);
    report_put(item, "worst_text", json_string(t->worst_text), failed);
    report_put_real(item, "top10_overlap", t->top10_overlap, failed);
    report_put_real(item, "spearman", t->spearman, failed);
    return item;
}

memo_status memo_fidelity_write(const memo_fidelity_report *r, char **json, memo_err *err)
{
    const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(REPORT_DIGITS);
    int failed = 0;
    memo_status status;
    json_t *root = json_object();

    report_put_size(root, "version", REPORT_VERSION, &failed);
    report_put(root, "reference", json_string(r->reference), &failed);
    report_put(root, "reference_class", json_string(memo_class_name(r->reference_class)), &failed);
    report_put_size(root, "tensors_equal", r->n_equal, &failed);
    report_put(root, "tensors", report_tensors(r, &failed), &failed);
    report_put_size(root, "layer_texts", r->n_layer_texts, &failed);
    report_put(root, "layers", report_layers(r, &failed), &failed);
    report_put(root, "against", report_texts(&r->against, &failed), &failed);
    status = memo_json_dump(failed ? NULL : root, flags, "the report", json, err);
    json_decref(root);
    return status;
}

/* ---- read ---------------------------------------------------------------------------------- */

typedef struct report_reader {
    const memo_layout *layout;
    size_t n_layers;
    memo_fidelity_job *job;
} report_reader;

static const memo_json_reals report_cosine = {-1.001, 1.001}; /* rounded */
static const memo_json_reals report_any = {0, 1e300};

/* The next slot from *at on that has this name. */
static const memo_slot *report_slot(const memo_layout *layout, const char *name, size_t *at)
{
    while (*at < layout->n_slots) {
        const memo_slot *slot = &layout->slots[(*at)++];
        if (memo_slot_has_format(slot) && !strcmp(slot->name, name))
            return slot;
    }
    return NULL;
}

static memo_status report_read_tensor(const json_t *item, const memo_layout *layout, size_t *at,
                                      memo_tensor_fidelity *t, memo_err *err)
{
    static const char what[] = "report: tensors";
    const char *name = NULL;
    memo_status status = memo_json_get_string(item, what, "name", 1, &name, err);

    if (status)
        return status;
    const memo_slot *slot = report_slot(layout, name, at);
    if (!slot)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "report: tensor \"%.60s\" is none of the model's, or not in their order",
                         name);
    t->cls = slot->format.cls;
    t->n_rows = slot->n_rows;
    t->n_cols = slot->n_cols;
    t->name = slot->name; /* copied by the caller */
    t->snr_db = INFINITY;
    t->max_abs_error = t->largest = NAN;
    if ((status = memo_json_get_double(item, what, "snr_db", 0, (memo_json_reals){-1e4, 1e4},
                                       &t->snr_db, err)) ||
        (status = memo_json_get_double(item, what, "max_abs_error", 0, report_any,
                                       &t->max_abs_error, err)))
        return status;
    return memo_json_get_double(item, what, "largest", 0, report_any, &t->largest, err);
}

static memo_status report_read_tensors(const report_reader *reader, const json_t *root,
                                       memo_err *err)
{
    memo_fidelity_report *r = &reader->job->report;
    const json_t *list = json_object_get(root, "tensors");
    size_t n = json_array_size(list), at = 0, most = reader->layout->n_slots;
    memo_status status = memo_json_get_size(root, "report", "tensors_equal", 1,
                                            (memo_json_sizes){0, most}, &r->n_equal, err);

    if (status)
        return status;
    if (!json_is_array(list) || n > most || r->n_equal != most - n)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "report: %zu tensors and %zu equal ones, the model has %zu", n, r->n_equal,
                         most);
    memo_tensor_fidelity *tensors = memo_arena_array(&reader->job->arena, n + 1, sizeof *tensors);
    if (!tensors)
        return memo_fail_nomem(err, "the report", n * sizeof *tensors);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        status = report_read_tensor(json_array_get(list, i), reader->layout, &at, &tensors[i], err);
        if (status == MEMO_OK &&
            !(tensors[i].name = memo_arena_strdup(&reader->job->arena, tensors[i].name)))
            status = memo_fail_nomem(err, "the report", sizeof reader->layout->slots->name);
    }
    r->tensors = tensors;
    r->n_tensors = n;
    return status;
}

static memo_status report_read_layers(const report_reader *reader, const json_t *root,
                                      memo_err *err)
{
    static const char what[] = "report: layers";
    memo_fidelity_report *r = &reader->job->report;
    const json_t *list = json_object_get(root, "layers");
    size_t n = json_array_size(list);
    memo_status status =
        memo_json_get_size(root, "report", "layer_texts", 1,
                           (memo_json_sizes){1, MEMO_TEXT_SET_MAX}, &r->n_layer_texts, err);

    if (status)
        return status;
    if (!json_is_array(list) || n != reader->n_layers + 1)
        return memo_fail(err, MEMO_ERR_FORMAT, "report: %zu layers, the model has %zu", n,
                         reader->n_layers + 1);
    memo_layer_fidelity *layers = memo_arena_array(&reader->job->arena, n, sizeof *layers);
    if (!layers)
        return memo_fail_nomem(err, "the report", n * sizeof *layers);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        layers[i] = (memo_layer_fidelity){NAN, NAN, NAN};
        if ((status = memo_json_get_double(item, what, "cosine_mean", 0, report_cosine,
                                           &layers[i].cosine_mean, err)) ||
            (status = memo_json_get_double(item, what, "cosine_min", 0, report_cosine,
                                           &layers[i].cosine_min, err)) ||
            (status = memo_json_get_double(item, what, "relative_error", 0, report_any,
                                           &layers[i].relative_error, err)))
            return status;
    }
    r->layers = layers;
    r->n_layers = n;
    return MEMO_OK;
}

static memo_status report_read_texts(const report_reader *reader, const json_t *root, memo_err *err)
{
    static const char what[] = "report: against";
    memo_texts_fidelity *t = &reader->job->report.against;
    const json_t *item = json_object_get(root, "against");
    const char *worst = NULL;
    memo_status status;

    t->cosine_mean = t->cosine_p01 = t->cosine_min = t->top10_overlap = t->spearman = NAN;
    if ((status = memo_json_get_size(item, what, "texts", 1,
                                     (memo_json_sizes){MEMO_TEXT_SET_MIN, MEMO_TEXT_SET_MAX},
                                     &t->n_texts, err)) ||
        (status = memo_json_get_size(item, what, "worst", 1, (memo_json_sizes){0, t->n_texts - 1},
                                     &t->worst, err)) ||
        (status = memo_json_get_string(item, what, "worst_text", 1, &worst, err)) ||
        (status = memo_json_get_double(item, what, "cosine_mean", 0, report_cosine, &t->cosine_mean,
                                       err)) ||
        (status = memo_json_get_double(item, what, "cosine_p01", 0, report_cosine, &t->cosine_p01,
                                       err)) ||
        (status = memo_json_get_double(item, what, "cosine_min", 0, report_cosine, &t->cosine_min,
                                       err)) ||
        (status = memo_json_get_double(item, what, "top10_overlap", 0, (memo_json_reals){0, 1},
                                       &t->top10_overlap, err)) ||
        (status =
             memo_json_get_double(item, what, "spearman", 0, report_cosine, &t->spearman, err)))
        return status;
    if (strlen(worst) > MEMO_WORST_TEXT_BYTES)
        return memo_fail(err, MEMO_ERR_FORMAT, "report: a worst_text of %zu bytes, at most %d",
                         strlen(worst), MEMO_WORST_TEXT_BYTES);
    t->worst_text = memo_arena_strdup(&reader->job->arena, worst);
    return t->worst_text ? MEMO_OK : memo_fail_nomem(err, "the report", strlen(worst));
}

/* The version, and what the model was measured against. */
static memo_status report_read_head(const report_reader *reader, const json_t *root, memo_err *err)
{
    memo_fidelity_report *r = &reader->job->report;
    const char *reference = NULL, *cls = NULL;
    size_t version = 0;
    memo_status status;

    if ((status = memo_json_get_size(root, "report", "version", 1, (memo_json_sizes){1, 1000},
                                     &version, err)))
        return status;
    if (version != REPORT_VERSION)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED, "report: version %zu, this memolith reads %d",
                         version, REPORT_VERSION);
    if ((status = memo_json_get_string(root, "report", "reference", 1, &reference, err)) ||
        (status = memo_json_get_string(root, "report", "reference_class", 1, &cls, err)))
        return status;
    if (strlen(reference) != sizeof r->reference - 1 ||
        strspn(reference, "0123456789abcdef") != sizeof r->reference - 1 ||
        !memo_class_find(cls, strlen(cls), &r->reference_class))
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "report: the reference \"%.70s\" of class \"%.20s\" is no model",
                         reference, cls);
    memcpy(r->reference, reference, sizeof r->reference);
    return MEMO_OK;
}

memo_status memo_fidelity_read(const char *json, const memo_layout *layout, size_t n_layers,
                               memo_fidelity_report **report, memo_err *err)
{
    json_t *root = NULL;
    report_reader reader = {layout, n_layers, NULL};
    memo_status status =
        memo_json_parse(json, strlen(json), &memo_json_request_limits, "report", &root, err);

    if (status)
        return status;
    reader.job = memo_calloc(1, sizeof *reader.job);
    if (!reader.job)
        status = memo_fail_nomem(err, "the report", sizeof *reader.job);
    else if (!(status = report_read_head(&reader, root, err)) &&
             !(status = report_read_tensors(&reader, root, err)) &&
             !(status = report_read_layers(&reader, root, err)))
        status = report_read_texts(&reader, root, err);
    json_decref(root);
    if (status)
        memo_fidelity_free(reader.job ? &reader.job->report : NULL);
    else
        *report = &reader.job->report;
    return status;
}
