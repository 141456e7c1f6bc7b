// SPDX-License-Identifier: Apache-2.0
/* What a compile measures before it writes: inputs of the matrices (calibration), and which class
 * each can bear (auto). Both run the model as it was before: a compiled one itself, a folder by way
 * of a temporary of class f32 beside the output, which has no name any more once it is mapped. */
#include "model/compile/compile_job.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/compile/choose.h"
#include "model/fit/auto_class.h"
#include "model/fit/calibrate.h"

typedef struct compile_fit {
    memo_compile_job *job;
    const char *out;
    memo_model *reference; /* a temporary, or job->from */
} compile_fit;

/* The options of the job that a model in another class shares. */
static memo_compile_options fit_options(const compile_fit *fit, memo_class cls)
{
    memo_compile_options o = fit->job->options;

    o.cls = cls;
    o.auto_class = 0;
    o.target_cosine = o.target_top10 = 0;
    o.calibrate = NULL;
    o.set = NULL;
    o.n_set = 0;
    o.progress = NULL;
    if (cls != MEMO_CLASS_INT8) {
        o.granularity = MEMO_GRANULARITY_CHANNEL;
        o.group = 0;
        o.scales = MEMO_SCALES_ABSMAX;
    }
    if (cls != MEMO_CLASS_INT4)
        o.block = 0;
    if (cls != MEMO_CLASS_LUT4) {
        o.palette = MEMO_PALETTE_KMEANS;
        o.palette_group = 0;
        o.palette_bits = 0;
        o.palette_plain_scales = 0;
    }
    if (!memo_class_is_integer(cls))
        o.activations = MEMO_ACTIVATIONS_DYNAMIC;
    return o;
}

static memo_status fit_make(compile_fit *fit, const memo_compile_options *options,
                            memo_model **model, memo_err *err)
{
    memo_compile_job *job = fit->job;
    memo_status status = memo_compile_temporary(job->ctx, job->source.folder, fit->reference,
                                                options, fit->out, job->calibration, model, err);

    if (status == MEMO_OK)
        job->made[job->n_made++] = *model;
    return status;
}

/* ---- auto ---------------------------------------------------------------------------------- */

/* Whether every weight of the reference may become this class. */
static int fit_may_become(const memo_model *reference, memo_class cls)
{
    const memo_layout *layout = &reference->file.layout;
    const memo_weight_format format = {.cls = cls};

    for (size_t i = 0; i < layout->n_slots; i++)
        if (memo_slot_has_format(&layout->slots[i]) &&
            !memo_choose_may_follow(layout->slots[i].format.cls,
                                    memo_slot_format_of(&layout->slots[i], &format).cls))
            return 0;
    return 1;
}

/* The class that most values of the matrices have; noted beside how many matrices have each. */
static memo_status fit_note(memo_compile_job *job, const memo_texts_fidelity *found, memo_err *err)
{
    uint64_t n_values[MEMO_CLASSES] = {0};
    size_t n[MEMO_CLASSES] = {0};
    memo_class most = MEMO_CLASS_F32;

    for (size_t i = 0; i < job->layout.n_slots; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        n[slot->format.cls] += slot->packed != 0;
        n_values[slot->format.cls] += slot->packed ? slot->n_values : 0;
        if (n_values[slot->format.cls] > n_values[most])
            most = slot->format.cls;
    }
    job->options.cls = most;
    return memo_source_warn(&job->source, err,
                            "class auto: matrices %zu lut4, %zu int4, %zu int8, %zu bf16, %zu f16, "
                            "%zu f32; mean cosine %.5f, top-10 overlap %.4f over %zu texts",
                            n[MEMO_CLASS_LUT4], n[MEMO_CLASS_INT4], n[MEMO_CLASS_INT8],
                            n[MEMO_CLASS_BF16], n[MEMO_CLASS_F16], n[MEMO_CLASS_F32],
                            found->cosine_mean, found->top10_overlap, found->n_texts);
}

/* The models to choose from, from small to exact, and the one that holds what rules have fixed. */
static memo_status fit_candidates(compile_fit *fit, memo_auto_job *job, memo_err *err)
{
    static const memo_class classes[] = {MEMO_CLASS_LUT4, MEMO_CLASS_INT8, MEMO_CLASS_BF16};
    const memo_compile_options *o = &fit->job->options;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < sizeof classes / sizeof *classes && status == MEMO_OK; i++) {
        memo_compile_options options = fit_options(fit, classes[i]);
        if (fit_may_become(fit->reference, classes[i]))
            status = fit_make(fit, &options, &job->models[job->n_models++], err);
    }
    if (status == MEMO_OK && o->n_set) {
        memo_model *fixed = NULL;
        memo_compile_options options = *o;
        options.cls = fit->reference->file.cls;
        options.auto_class = 0;
        options.target_cosine = options.target_top10 = 0;
        options.calibrate = NULL;
        options.progress = NULL;
        status = fit_make(fit, &options, &fixed, err);
        job->fixed = fixed;
    }
    job->models[job->n_models++] = fit->reference;
    return status;
}

static memo_status fit_auto(compile_fit *fit, memo_err *err)
{
    memo_compile_job *job = fit->job;
    memo_auto_job choose = {.ctx = job->ctx, .options = &job->options};
    size_t n_slots = job->layout.n_slots;
    memo_texts_fidelity found = {0};
    unsigned char *choice = memo_calloc(2, n_slots), *is_fixed = choice + n_slots;
    memo_status status;

    if (!choice)
        return memo_fail_nomem(err, "the choice of classes", 2 * n_slots);
    for (size_t i = 0; i < n_slots; i++)
        is_fixed[i] = memo_slot_has_format(&job->layout.slots[i]) &&
                      memo_choose_is_set(&job->options, job->layout.slots[i].name);
    choose.is_fixed = is_fixed;
    if (!(status = fit_candidates(fit, &choose, err)) &&
        !(status = memo_auto_choose(&choose, choice, &found, err))) {
        for (size_t i = 0; i < n_slots; i++)
            if (!is_fixed[i])
                job->layout.slots[i].format = choose.models[choice[i]]->file.layout.slots[i].format;
        status = fit_note(job, &found, err);
    }
    memo_free(choice);
    return status;
}

/* ---- both ---------------------------------------------------------------------------------- */

/* Rounding to 4 bits needs to know which errors matter: without a file our own texts say so. */
static int fit_wants_moments(const memo_compile_job *job)
{
    for (size_t i = 0; i < job->layout.n_slots; i++)
        if (memo_encoder_wants_moments(&job->layout.slots[i]))
            return 1;
    return 0;
}

/* Whether inputs are to be measured. */
static memo_status fit_wants_inputs(memo_compile_job *job, int *wants, memo_err *err)
{
    const memo_compile_options *o = &job->options;

    *wants = o->calibrate || o->auto_class;
    if (job->calibration) /* a temporary's, from the compile that it is for */
        *wants = 0;
    else if (!*wants && !o->no_calibration && fit_wants_moments(job)) {
        *wants = job->layout.n_parameters <= MEMO_COMPILE_MEASURED;
        if (!*wants)
            return memo_source_warn(&job->source, err,
                                    "rounded to 4 bits without measuring which errors matter, as "
                                    "the model has more than a billion parameters; --calibrate "
                                    "FILE does it on its texts");
    }
    return MEMO_OK;
}

memo_status memo_compile_fit(memo_compile_job *job, const char *out, memo_err *err)
{
    compile_fit fit = {.job = job, .out = out, .reference = job->from};
    int wants = 0;
    memo_status status = fit_wants_inputs(job, &wants, err);

    if (status || !wants)
        return status;
    if (!(status = memo_compile_reference(job, out, &fit.reference, err)))
        status = memo_calibrate(fit.reference, job->options.calibrate, &job->options,
                                &job->calibration, err);
    job->owns_calibration = 1;
    return status == MEMO_OK && job->options.auto_class ? fit_auto(&fit, err) : status;
}

memo_status memo_compile_reference(memo_compile_job *job, const char *out, memo_model **reference,
                                   memo_err *err)
{
    compile_fit fit = {.job = job, .out = out, .reference = job->from};
    memo_status status = MEMO_OK;

    if (!job->from && !job->reference) {
        memo_compile_options options = fit_options(&fit, MEMO_CLASS_F32);
        status = fit_make(&fit, &options, &job->reference, err);
    }
    *reference = job->from ? job->from : job->reference;
    return status;
}
