// SPDX-License-Identifier: Apache-2.0
#include "model/fit/auto_class.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/fit/measure.h"
#include "model/verify/fidelity.h"

#define AUTO_COSINE 0.999
#define AUTO_TOP10  0.97
/* Harms of single matrices are measured on every so-manieth text. */
#define AUTO_STEP ((size_t)8)
/* Halvings of the price: from a factor of 2^40 to one of 1.03. */
#define AUTO_HALVINGS 10

const memo_class memo_auto_classes[MEMO_AUTO_CLASSES] = {MEMO_CLASS_LUT4, MEMO_CLASS_INT8,
                                                         MEMO_CLASS_BF16};

typedef struct auto_run {
    const memo_auto_job *job;
    const memo_layout *layout; /* of the reference: names and extents are those of all */
    memo_measure_texts texts;
    size_t dim;
    float *reference, *vectors; /* [n_texts, dim] */
    memo_layer_weights *layers; /* [n_layers] of the mixture */
    double *harm;               /* [n_slots, n_models - 1] 1 - mean cosine when it alone is small */
    unsigned char *choice;      /* [n_slots] of the mixture at hand */
    double cosine, top10;       /* targets */
} auto_run;

/* ---- mixtures ------------------------------------------------------------------------------ */

static const memo_model *auto_model(const auto_run *run, size_t slot, const unsigned char *choice)
{
    const memo_auto_job *job = run->job;
    return job->is_fixed[slot] ? job->fixed : job->models[choice[slot]];
}

/* A network whose weights come from the models of a choice. */
static void auto_bind(const auto_run *run, const unsigned char *choice,
                      memo_transformer *transformer)
{
    const memo_model *reference = run->job->models[run->job->n_models - 1];

    *transformer = reference->transformer;
    transformer->config.precision = MEMO_PRECISION_F32;
    memset(run->layers, 0, reference->file.recipe.n_layers * sizeof *run->layers);
    transformer->layers = run->layers;
    for (size_t i = 0; i < run->layout->n_slots; i++) {
        const memo_compiled *file = &auto_model(run, i, choice)->file;
        const memo_slot *slot = &file->layout.slots[i];
        const void *data[MEMO_STORED_KINDS];
        memo_compiled_slot(file, slot, data);
        memo_layout_bind(slot, data, transformer, run->layers);
        /* as memo_layout_config() will have it */
        if (slot->weight == MEMO_WEIGHT_WORD)
            transformer->config.word_cls = slot->format.cls;
        if (slot->packed && slot->format.cls != MEMO_CLASS_F32 &&
            slot->format.cls != MEMO_CLASS_F16)
            transformer->config.precision = MEMO_PRECISION_BF16;
    }
}

/* Every step-th text through a mixture, into run->vectors. */
static memo_status auto_run_texts(auto_run *run, const unsigned char *choice, size_t step,
                                  memo_err *err)
{
    memo_transformer transformer;

    auto_bind(run, choice, &transformer);
    return memo_measure_run(run->job->ctx, &transformer, &run->texts, step, (memo_tap){0},
                            run->vectors, err);
}

/* 1 - mean cosine over every AUTO_STEP-th text. */
static double auto_distance(const auto_run *run)
{
    double sum = 0;
    size_t n = 0;

    for (size_t text = 0; text < run->texts.n; text += AUTO_STEP, n++) {
        const float *a = run->vectors + n * run->dim, *b = run->reference + text * run->dim;
        double ab = 0, aa = 0, bb = 0;
        for (size_t i = 0; i < run->dim; i++) {
            ab += (double)a[i] * (double)b[i];
            aa += (double)a[i] * (double)a[i];
            bb += (double)b[i] * (double)b[i];
        }
        double cosine = ab / sqrt(aa * bb);
        sum += isfinite(cosine) ? 1 - cosine : 2;
    }
    return sum / (double)n;
}

/* ---- harms --------------------------------------------------------------------------------- */

static int auto_is_free(const auto_run *run, size_t slot)
{
    return memo_slot_has_format(&run->layout->slots[slot]) && !run->job->is_fixed[slot];
}

static memo_status auto_measure_harms(auto_run *run, memo_err *err)
{
    const memo_compile_options *o = run->job->options;
    size_t n_small = run->job->n_models - 1;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < run->layout->n_slots && status == MEMO_OK; i++) {
        if (!auto_is_free(run, i))
            continue;
        status = memo_progress_call(o->progress, o->progress_user, "auto", i, run->layout->n_slots,
                                    run->layout->slots[i].name, err);
        for (size_t m = 0; m < n_small && status == MEMO_OK; m++) {
            run->choice[i] = (unsigned char)m;
            status = auto_run_texts(run, run->choice, AUTO_STEP, err);
            run->harm[i * n_small + m] = auto_distance(run);
        }
        run->choice[i] = (unsigned char)n_small;
    }
    return status;
}

/* ---- prices -------------------------------------------------------------------------------- */

static uint64_t auto_bytes(const memo_model *model, size_t slot)
{
    const memo_slot *s = &model->file.layout.slots[slot];
    uint64_t n = 0;

    for (size_t k = 0; k < s->n_stored; k++)
        n += model->file.layout.stored[s->first + k].n_bytes;
    return n;
}

/* The cheapest model for each slot when harm costs `price` bytes for a cosine of 1. */
static void auto_choose_at(const auto_run *run, double price, unsigned char *choice)
{
    size_t n_small = run->job->n_models - 1;

    for (size_t i = 0; i < run->layout->n_slots; i++) {
        double least = INFINITY;
        choice[i] = (unsigned char)n_small;
        for (size_t m = 0; m <= n_small && auto_is_free(run, i); m++) {
            double harm = m < n_small ? run->harm[i * n_small + m] : 0;
            double cost = (double)auto_bytes(run->job->models[m], i) + price * harm;
            if (cost < least) {
                least = cost;
                choice[i] = (unsigned char)m;
            }
        }
    }
}

/* Measure a mixture on all texts. */
static memo_status auto_try(auto_run *run, const unsigned char *choice, memo_texts_fidelity *found,
                            int *passes, memo_err *err)
{
    memo_status status = auto_run_texts(run, choice, 1, err);

    if (status == MEMO_OK)
        status =
            memo_fidelity_vectors(run->vectors, run->reference, run->texts.n, run->dim, found, err);
    *passes = status == MEMO_OK && found->cosine_mean >= run->cosine &&
              found->top10_overlap >= run->top10;
    return status;
}

/* All small; else bisection on the logarithm of the price, and `choice` ends as the cheapest mixture
 * that passed. */
static memo_status auto_search(auto_run *run, unsigned char *choice, memo_texts_fidelity *found,
                               memo_err *err)
{
    size_t n = run->layout->n_slots;
    double low = 0, high = 50; /* log2 of bytes for a cosine of 1 */
    memo_texts_fidelity figures;
    int passes = 0;

    auto_choose_at(run, 0, choice);
    memo_status status = auto_try(run, choice, found, &passes, err);
    if (status || passes)
        return status;
    memset(choice, (int)run->job->n_models - 1, n);
    if ((status = auto_try(run, choice, found, &passes, err)))
        return status;
    if (!passes)
        return memo_fail(
            err, MEMO_ERR_VERIFY,
            "what the rules fix alone gives a mean cosine of %.6f and a top-10 overlap "
            "of %.4f; the targets are %g and %g",
            found->cosine_mean, found->top10_overlap, run->cosine, run->top10);
    status = auto_measure_harms(run, err);
    for (int step = 0; step < AUTO_HALVINGS && status == MEMO_OK; step++) {
        double middle = (low + high) / 2;
        auto_choose_at(run, exp2(middle), run->choice);
        int same = memcmp(run->choice, choice, n) == 0;
        if (!same)
            status = auto_try(run, run->choice, &figures, &passes, err);
        if (same || passes) {
            high = middle;
            memcpy(choice, run->choice, n);
            *found = same ? *found : figures;
        } else {
            low = middle;
        }
    }
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status auto_begin(auto_run *run, memo_err *err)
{
    const memo_auto_job *job = run->job;
    const memo_model *reference = job->models[job->n_models - 1];
    size_t n_slots = run->layout->n_slots, n_texts = MEMO_ALL_TEXTS;
    memo_status status = memo_measure_own(&run->texts, reference, err);

    if (status)
        return status;
    run->dim = memo_recipe_dim(&reference->file.recipe);
    run->reference = memo_calloc(n_texts, run->dim * sizeof *run->reference);
    run->vectors = memo_calloc(n_texts, run->dim * sizeof *run->vectors);
    run->layers = memo_calloc(reference->file.recipe.n_layers, sizeof *run->layers);
    run->harm = memo_calloc(n_slots, MEMO_AUTO_MODELS * sizeof *run->harm);
    run->choice = memo_malloc(n_slots);
    if (!run->reference || !run->vectors || !run->layers || !run->harm || !run->choice)
        return memo_fail_nomem(err, "vectors of the texts", 2 * n_texts * run->dim * sizeof(float));
    memset(run->choice, (int)job->n_models - 1, n_slots);
    return memo_measure_run(job->ctx, &reference->transformer, &run->texts, 1, (memo_tap){0},
                            run->reference, err);
}

memo_status memo_auto_choose(const memo_auto_job *job, unsigned char *choice,
                             memo_texts_fidelity *found, memo_err *err)
{
    const memo_compile_options *o = job->options;
    auto_run run = {
        .job = job,
        .layout = &job->models[job->n_models - 1]->file.layout,
        .cosine = o->target_cosine > 0 ? o->target_cosine : AUTO_COSINE,
        .top10 = o->target_top10 > 0 ? o->target_top10 : AUTO_TOP10,
    };
    memo_status status = auto_begin(&run, err);

    if (status == MEMO_OK)
        status = auto_search(&run, choice, found, err);
    memo_measure_fini(&run.texts);
    memo_free(run.reference);
    memo_free(run.vectors);
    memo_free(run.layers);
    memo_free(run.harm);
    memo_free(run.choice);
    return status;
}
