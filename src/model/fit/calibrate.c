// SPDX-License-Identifier: Apache-2.0
#include "model/fit/calibrate.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "model/fit/measure.h"
#include "quant/int8.h"

#define CALIBRATE_BINS       1024
#define CALIBRATE_STEPS      64 /* ends of the range that are tried on each side */
#define CALIBRATE_FILE_BYTES ((size_t)64 << 20)

/* The input of one matrix. */
typedef struct calibrate_input {
    double low, high;
    double n_rows;
    uint64_t *counts;  /* [CALIBRATE_BINS] between low and high */
    float *importance; /* [n_cols] sums of squares, means at the end */
    int bad;           /* NaN or infinity was seen */
} calibrate_input;

typedef struct calibrate_job {
    const memo_layout *layout;
    const memo_layer_weights *layers;
    size_t per_layer;        /* slots of a layer */
    size_t first;            /* slot of the first layer */
    calibrate_input *inputs; /* [n_slots] */
} calibrate_job;

/* ---- texts --------------------------------------------------------------------------------- */

/* Lines of a file that hold a character. */
static memo_status calibrate_lines(const char *path, const char *bytes, size_t n_bytes,
                                   memo_text *texts, size_t *n, memo_err *err)
{
    size_t line = 0;

    *n = 0;
    for (const char *at = bytes, *end = bytes + n_bytes; at < end && *n < MEMO_CALIBRATE_TEXTS;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        line++;
        if (memo_utf8_check(at, length) < length)
            return memo_fail(err, MEMO_ERR_VALUE, "%s: line %zu is not valid UTF-8", path, line);
        if (length && at[length - 1] == '\r')
            length--;
        if (length)
            texts[(*n)++] = (memo_text){at, length};
        at = stop ? stop + 1 : end;
    }
    if (!*n)
        return memo_fail(err, MEMO_ERR_VALUE, "%s: no text to calibrate on", path);
    return MEMO_OK;
}

static memo_status calibrate_read(const memo_model *model, const char *path,
                                  memo_measure_texts *texts, memo_err *err)
{
    memo_text *lines = memo_calloc(MEMO_CALIBRATE_TEXTS, sizeof *lines);
    char *bytes = NULL;
    size_t n_bytes = 0, n = 0;
    memo_status status;

    if (!lines)
        return memo_fail_nomem(err, "the texts", MEMO_CALIBRATE_TEXTS * sizeof *lines);
    if (!(status = memo_file_slurp(path, CALIBRATE_FILE_BYTES, &bytes, &n_bytes, err)) &&
        !(status = calibrate_lines(path, bytes, n_bytes, lines, &n, err)))
        status = memo_measure_encode(texts, model, lines, n, err);
    memo_free(bytes);
    memo_free(lines);
    return status;
}

/* ---- what is seen -------------------------------------------------------------------------- */

/* The slot of a matrix that is about to run. */
static calibrate_input *calibrate_find(calibrate_job *job, const memo_linear *linear)
{
    size_t layer = (size_t)((const char *)linear - (const char *)job->layers) / sizeof *job->layers;
    size_t begin = job->first + layer * job->per_layer;

    for (size_t i = begin; i < begin + job->per_layer; i++)
        if (memo_layout_linear(&job->layout->slots[i],
                               (memo_layer_weights *)(uintptr_t)job->layers) == linear)
            return &job->inputs[i];
    return NULL;
}

static void calibrate_extremes(void *user, const memo_linear *linear, memo_rows x, size_t n_rows)
{
    calibrate_input *in = calibrate_find(user, linear);

    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < linear->n_in; i++) {
            float value = x.data[r * x.ld + i];
            in->bad |= !isfinite(value);
            in->low = value < in->low ? (double)value : in->low;
            in->high = value > in->high ? (double)value : in->high;
            in->importance[i] += value * value;
        }
    in->n_rows += (double)n_rows;
}

static void calibrate_count(void *user, const memo_linear *linear, memo_rows x, size_t n_rows)
{
    calibrate_input *in = calibrate_find(user, linear);
    double step = CALIBRATE_BINS / (in->high - in->low);

    for (size_t r = 0; r < n_rows && in->high > in->low; r++)
        for (size_t i = 0; i < linear->n_in; i++) {
            size_t bin = (size_t)(((double)x.data[r * x.ld + i] - in->low) * step);
            in->counts[bin < CALIBRATE_BINS ? bin : CALIBRATE_BINS - 1]++;
        }
}

/* ---- the range ----------------------------------------------------------------------------- */

/* Squared error of a byte between low and high: that of rounding inside, of clipping outside. */
static double calibrate_cost(const calibrate_input *in, double low, double high)
{
    double width = (in->high - in->low) / CALIBRATE_BINS, cost = 0;
    double step = (high - low) / (2 * MEMO_INT8_LARGEST), rounding = step * step / 12;

    for (size_t b = 0; b < CALIBRATE_BINS; b++) {
        double value = in->low + ((double)b + 0.5) * width;
        double beyond = value < low ? low - value : value > high ? value - high : 0;
        cost += (double)in->counts[b] * (beyond > 0 ? beyond * beyond : rounding);
    }
    return cost;
}

/* One end after the other moves inwards as long as that pays; twice. */
static memo_input_range calibrate_choose(const calibrate_input *in)
{
    double span = in->high - in->low, best[2] = {in->low, in->high};

    if (span > 0) {
        double least = calibrate_cost(in, best[0], best[1]);
        for (int pass = 0; pass < 4; pass++)
            for (int s = 1; s < CALIBRATE_STEPS; s++) {
                double ends[2] = {best[0], best[1]};
                double inwards = span * s / (2 * CALIBRATE_STEPS);
                ends[pass % 2] = pass % 2 ? in->high - inwards : in->low + inwards;
                double cost = ends[0] < ends[1] ? calibrate_cost(in, ends[0], ends[1]) : INFINITY;
                if (cost < least) {
                    least = cost;
                    best[pass % 2] = ends[pass % 2];
                }
            }
    }
    double scale = (best[1] - best[0]) / (2 * MEMO_INT8_LARGEST);
    return (memo_input_range){
        /* an input that never changes: any scale will do */
        .scale = scale >= (double)FLT_MIN ? (float)scale : 1.0f / MEMO_INT8_LARGEST,
        .offset = (float)((best[0] + best[1]) / 2),
        .importance = in->importance,
    };
}

/* ---- both passes --------------------------------------------------------------------------- */

static memo_status calibrate_run(calibrate_job *job, memo_model *model,
                                 const memo_measure_texts *texts,
                                 const memo_compile_options *options, float *vectors, memo_err *err)
{
    const memo_tap_input_fn passes[2] = {calibrate_extremes, calibrate_count};
    memo_status status = MEMO_OK;

    for (size_t pass = 0; pass < 2 && status == MEMO_OK; pass++) {
        memo_tap tap = {.input = passes[pass], .user = job};
        status = memo_progress_call(options->progress, options->progress_user, "calibrate", pass, 2,
                                    NULL, err);
        if (status == MEMO_OK)
            status = memo_measure_run(model->ctx, &model->transformer, texts, 1, tap, vectors, err);
        for (size_t i = 0; i < job->layout->n_slots && status == MEMO_OK; i++)
            if (job->inputs[i].bad)
                status = memo_fail(err, MEMO_ERR_VALUE, "%s: its input is not finite on a text",
                                   job->layout->slots[i].name);
    }
    return status;
}

/* One block: the ranges, which are kept; the importances behind them, kept too; then what is only
 * used here. */
static memo_status calibrate_alloc(calibrate_job *job, memo_input_range **ranges, uint64_t **counts,
                                   memo_err *err)
{
    size_t n_slots = job->layout->n_slots, n_importance = 0, n_matrices = 0;

    for (size_t i = 0; i < n_slots; i++)
        if (job->layout->slots[i].packed) {
            n_importance += job->layout->slots[i].n_cols;
            n_matrices++;
        }
    size_t n_bytes = n_slots * sizeof **ranges + n_importance * sizeof(float);
    *ranges = memo_calloc(1, n_bytes);
    *counts = memo_calloc(n_matrices, CALIBRATE_BINS * sizeof **counts);
    job->inputs = memo_calloc(n_slots, sizeof *job->inputs);
    if (!*ranges || !*counts || !job->inputs)
        return memo_fail_nomem(err, "the inputs of the matrices", n_bytes);
    float *importance = (float *)(void *)(*ranges + n_slots);
    for (size_t i = 0, m = 0; i < n_slots; i++) {
        if (!job->layout->slots[i].packed)
            continue;
        job->inputs[i] = (calibrate_input){
            .low = INFINITY,
            .high = -INFINITY,
            .counts = *counts + m++ * CALIBRATE_BINS,
            .importance = importance,
        };
        importance += job->layout->slots[i].n_cols;
    }
    return MEMO_OK;
}

memo_status memo_calibrate(memo_model *model, const char *path, const memo_compile_options *options,
                           memo_input_range **out, memo_err *err)
{
    const memo_layout *layout = &model->file.layout;
    calibrate_job job = {.layout = layout, .layers = model->layers};
    memo_measure_texts texts = {0};
    memo_input_range *ranges = NULL;
    uint64_t *counts = NULL;
    float *vectors = NULL;
    memo_status status;

    while (layout->slots[job.first].weight < MEMO_WEIGHT_LAYER_FIRST)
        job.first++;
    job.per_layer = (layout->n_slots - job.first) / model->file.recipe.n_layers;
    if ((status = calibrate_read(model, path, &texts, err)) ||
        (status = calibrate_alloc(&job, &ranges, &counts, err)))
        goto done;
    vectors = memo_calloc(texts.n, memo_recipe_dim(&model->file.recipe) * sizeof *vectors);
    status = vectors ? calibrate_run(&job, model, &texts, options, vectors, err)
                     : memo_fail_nomem(err, "vectors", texts.n);
    for (size_t i = 0; i < layout->n_slots && status == MEMO_OK; i++) {
        calibrate_input *in = &job.inputs[i];
        if (!layout->slots[i].packed)
            continue;
        for (size_t c = 0; c < layout->slots[i].n_cols; c++)
            in->importance[c] /= (float)in->n_rows;
        ranges[i] = calibrate_choose(in);
    }
    if (status == MEMO_OK) {
        *out = ranges;
        ranges = NULL;
    }
done:
    memo_measure_fini(&texts);
    memo_free(ranges);
    memo_free(counts);
    memo_free(job.inputs);
    memo_free(vectors);
    return status;
}
