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

struct memo_calibrate_job {
    memo_model *model;
    const memo_compile_options *options;
    const memo_layout *layout; /* the model's */
    size_t per_layer;          /* slots of a layer */
    size_t first;              /* slot of the first layer */
    memo_measure_texts texts;
    float *vectors;           /* [texts.n, dim] not used */
    memo_input_range *ranges; /* [n_slots], the importances behind them */
    calibrate_input *inputs;  /* [n_slots], while ranges are measured */
    uint64_t *counts;         /* [n_matrices, CALIBRATE_BINS] likewise */
    float *moments;           /* of the slots whose ranges point into it */
    float *scratch;           /* of memo_feedback_add() */
};

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
    char *bytes = NULL;
    size_t n_bytes = 0, n = 0;
    memo_status status;

    if (!path)
        return memo_measure_own(texts, model, err);
    memo_text *lines = memo_calloc(MEMO_CALIBRATE_TEXTS, sizeof *lines);
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

/* The slot of a matrix that is about to run: it is one of its layer's. */
static size_t calibrate_find(const memo_calibrate_job *job, const memo_linear *linear)
{
    const memo_layer_weights *layers = job->model->layers;
    size_t layer = (size_t)((const char *)linear - (const char *)layers) / sizeof *layers;
    size_t slot = job->first + layer * job->per_layer;

    while (memo_layout_linear(&job->layout->slots[slot], job->model->layers) != linear)
        slot++;
    return slot;
}

static void calibrate_extremes(void *user, const memo_linear *linear, memo_rows x, size_t n_rows)
{
    memo_calibrate_job *job = user;
    calibrate_input *in = &job->inputs[calibrate_find(job, linear)];

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
    memo_calibrate_job *job = user;
    calibrate_input *in = &job->inputs[calibrate_find(job, linear)];
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

static void calibrate_release(void *user, size_t stage, memo_rows states, size_t n_tokens)
{
    const memo_calibrate_job *job = user;

    (void)states, (void)n_tokens;
    memo_model_release(job->model, stage);
}

/* ---- both passes --------------------------------------------------------------------------- */

static memo_status calibrate_pass(memo_calibrate_job *job, memo_tap_input_fn look, memo_err *err)
{
    const memo_compile_options *o = job->options;
    memo_tap tap = {.fn = calibrate_release, .input = look, .user = job};
    memo_status status =
        memo_progress_call(o->progress, o->progress_user, "calibrate", 0, 0, NULL, err);

    return status ? status
                  : memo_measure_run(job->model->ctx, &job->model->transformer, &job->texts, 1, tap,
                                     job->vectors, err);
}

/* One block for the ranges and the importances behind them; and what is only used here. */
static memo_status calibrate_alloc(memo_calibrate_job *job, memo_err *err)
{
    size_t n_slots = job->layout->n_slots, n_importance = 0, n_matrices = 0;

    for (size_t i = 0; i < n_slots; i++)
        if (job->layout->slots[i].packed) {
            n_importance += job->layout->slots[i].n_cols;
            n_matrices++;
        }
    size_t n_bytes = n_slots * sizeof *job->ranges + n_importance * sizeof(float);
    job->ranges = memo_calloc(1, n_bytes);
    job->counts = memo_calloc(n_matrices, CALIBRATE_BINS * sizeof *job->counts);
    job->inputs = memo_calloc(n_slots, sizeof *job->inputs);
    job->vectors =
        memo_calloc(job->texts.n, memo_recipe_dim(&job->model->file.recipe) * sizeof *job->vectors);
    if (!job->ranges || !job->counts || !job->inputs || !job->vectors)
        return memo_fail_nomem(err, "the inputs of the matrices", n_bytes);
    float *importance = (float *)(void *)(job->ranges + n_slots);
    for (size_t i = 0, m = 0; i < n_slots; i++) {
        if (!job->layout->slots[i].packed)
            continue;
        job->inputs[i] = (calibrate_input){
            .low = INFINITY,
            .high = -INFINITY,
            .counts = job->counts + m++ * CALIBRATE_BINS,
            .importance = importance,
        };
        importance += job->layout->slots[i].n_cols;
    }
    return MEMO_OK;
}

static memo_status calibrate_ranges(memo_calibrate_job *job, memo_err *err)
{
    memo_status status = calibrate_pass(job, calibrate_extremes, err);

    for (size_t i = 0; i < job->layout->n_slots && status == MEMO_OK; i++)
        if (job->inputs[i].bad)
            status = memo_fail(err, MEMO_ERR_VALUE, "%s: its input is not finite on a text",
                               job->layout->slots[i].name);
    if (status == MEMO_OK)
        status = calibrate_pass(job, calibrate_count, err);
    for (size_t i = 0; i < job->layout->n_slots && status == MEMO_OK; i++) {
        calibrate_input *in = &job->inputs[i];
        if (!job->layout->slots[i].packed)
            continue;
        for (size_t c = 0; c < job->layout->slots[i].n_cols; c++)
            in->importance[c] /= (float)in->n_rows;
        job->ranges[i] = calibrate_choose(in);
    }
    memo_free(job->inputs);
    memo_free(job->counts);
    job->inputs = NULL;
    job->counts = NULL;
    return status;
}

memo_status memo_calibrate(memo_model *model, const char *path, const memo_compile_options *options,
                           memo_calibrate_job **out, memo_err *err)
{
    memo_calibrate_job *job = memo_calloc(1, sizeof *job);
    memo_status status;

    if (!job)
        return memo_fail_nomem(err, "the calibration", sizeof *job);
    job->model = model;
    job->options = options;
    job->layout = &model->file.layout;
    while (job->layout->slots[job->first].weight < MEMO_WEIGHT_LAYER_FIRST)
        job->first++;
    job->per_layer = (job->layout->n_slots - job->first) / model->file.recipe.n_layers;
    if ((status = calibrate_read(model, path, &job->texts, err)) ||
        (status = calibrate_alloc(job, err)) || (status = calibrate_ranges(job, err)))
        memo_calibration_free(job);
    else
        *out = job;
    return status;
}

void memo_calibration_free(memo_calibrate_job *job)
{
    if (!job)
        return;
    memo_measure_fini(&job->texts);
    memo_free(job->vectors);
    memo_free(job->ranges);
    memo_free(job->inputs);
    memo_free(job->counts);
    memo_aligned_free(job->moments);
    memo_aligned_free(job->scratch);
    memo_free(job);
}

/* ---- moments ------------------------------------------------------------------------------- */

static void calibrate_moments(void *user, const memo_linear *linear, memo_rows x, size_t n_rows)
{
    memo_calibrate_job *job = user;
    float *moments = (float *)(uintptr_t)job->ranges[calibrate_find(job, linear)].moments;

    for (size_t r = 0; r < n_rows && moments; r += MEMO_FEEDBACK_ROWS) {
        size_t n = n_rows - r < MEMO_FEEDBACK_ROWS ? n_rows - r : MEMO_FEEDBACK_ROWS;
        memo_feedback_add(job->model->transformer.kernels, n, linear->n_in, x.data + r * x.ld, x.ld,
                          moments, job->scratch);
    }
}

/* The widest matrix whose moments are wanted, or NULL. */
static const memo_slot *calibrate_widest(const memo_layout *layout)
{
    const memo_slot *widest = NULL;

    for (size_t i = 0; i < layout->n_slots; i++)
        if (memo_encoder_wants_moments(&layout->slots[i]) &&
            (!widest || layout->slots[i].n_cols > widest->n_cols))
            widest = &layout->slots[i];
    return widest;
}

/* Bytes beside the moments: the factor of one matrix and the scratch. n <= MEMO_ENCODER_FEEDBACK. */
static uint64_t calibrate_beside(size_t n)
{
    return ((uint64_t)n * n + memo_feedback_scratch(n)) * sizeof(float);
}

memo_status memo_calibration_check(const memo_ctx *ctx, const memo_layout *layout, memo_err *err)
{
    const memo_slot *slot = calibrate_widest(layout);
    uint64_t limit = ctx->mem_limit_bytes, n = slot ? slot->n_cols : 0;
    uint64_t needs = n * n * sizeof(float) + calibrate_beside((size_t)n);

    if (!slot || needs <= limit)
        return MEMO_OK;
    memo_fail(
        err, MEMO_ERR_LIMIT,
        "%s: moments of its %zu inputs and their factor need %llu bytes, and the limit is %llu",
        slot->name, slot->n_cols, (unsigned long long)needs, (unsigned long long)limit);
    return memo_hint(err, MEMO_ERR_LIMIT, "allow more memory, or round without: --calibrate none");
}

/* Measure the moments of the slots from `slot` on that are wanted and fit together. */
static memo_status calibrate_next(memo_calibrate_job *job, const memo_layout *layout, size_t slot,
                                  memo_err *err)
{
    size_t n_values = 0, widest = 0, end = slot;
    memo_status status = memo_calibration_check(job->model->ctx, layout, err);

    if (status)
        return status;
    uint64_t left =
        job->model->ctx->mem_limit_bytes - calibrate_beside(calibrate_widest(layout)->n_cols);
    uint64_t most = left < MEMO_CALIBRATE_BYTES ? left : MEMO_CALIBRATE_BYTES;

    for (size_t i = 0; i < layout->n_slots; i++)
        job->ranges[i].moments = NULL;
    memo_aligned_free(job->moments);
    memo_aligned_free(job->scratch);
    for (; end < layout->n_slots; end++) {
        size_t n = layout->slots[end].n_cols;
        if (!memo_encoder_wants_moments(&layout->slots[end]))
            continue;
        if (n_values && (n_values + n * n) * sizeof(float) > most)
            break;
        n_values += n * n;
        widest = n > widest ? n : widest;
    }
    job->moments = memo_aligned_alloc(n_values * sizeof *job->moments);
    job->scratch = memo_aligned_alloc(memo_feedback_scratch(widest) * sizeof *job->scratch);
    if (!job->moments || !job->scratch)
        return memo_fail_nomem(err, "moments of the inputs", n_values * sizeof *job->moments);
    memset(job->moments, 0, n_values * sizeof *job->moments);
    float *at = job->moments;
    for (size_t i = slot; i < end; i++)
        if (memo_encoder_wants_moments(&layout->slots[i])) {
            job->ranges[i].moments = at;
            at += layout->slots[i].n_cols * layout->slots[i].n_cols;
        }
    return calibrate_pass(job, calibrate_moments, err);
}

memo_status memo_calibration_input(memo_calibrate_job *job, const memo_layout *layout, size_t slot,
                                   const memo_input_range **input, memo_err *err)
{
    memo_status status = MEMO_OK;

    *input = NULL;
    if (!layout->slots[slot].packed)
        return MEMO_OK;
    if (memo_encoder_wants_moments(&layout->slots[slot]) && !job->ranges[slot].moments)
        status = calibrate_next(job, layout, slot, err);
    *input = &job->ranges[slot];
    return status;
}
