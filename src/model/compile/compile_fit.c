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

/* A temporary that lives as long as the job. */
static memo_status fit_make(compile_fit *fit, const memo_layout *formats, memo_class cls,
                            memo_model **model, memo_err *err)
{
    memo_compile_job *job = fit->job;
    memo_status status =
        memo_compile_temporary(job, fit->reference, formats, cls, fit->out, model, err);

    if (status == MEMO_OK)
        job->made[job->n_made++] = *model;
    return status;
}

/* ---- auto ---------------------------------------------------------------------------------- */

/* Whether every weight of the reference may become this format. */
static int fit_may_become(const memo_model *reference, const memo_weight_format *format)
{
    const memo_layout *layout = &reference->file.layout;

    for (size_t i = 0; i < layout->n_slots; i++) {
        memo_weight_format to = memo_slot_format_of(&layout->slots[i], format);
        if (!memo_choose_may_follow(&layout->slots[i].format, &to))
            return 0;
    }
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
static memo_status fit_candidates(compile_fit *fit, memo_auto_job *choose, memo_err *err)
{
    const memo_compile_job *job = fit->job;
    memo_weight_format defaults[MEMO_CLASSES];
    memo_status status = MEMO_OK;

    memo_choose_defaults(&job->options, defaults);
    for (size_t i = 0; i < MEMO_AUTO_CLASSES && status == MEMO_OK; i++) {
        memo_class cls = memo_auto_classes[i];
        if (fit_may_become(fit->reference, &defaults[cls]))
            status = fit_make(fit, NULL, cls, &choose->models[choose->n_models++], err);
    }
    if (status == MEMO_OK && job->options.n_set) {
        memo_model *fixed = NULL;
        status = fit_make(fit, &job->layout, fit->reference->file.cls, &fixed, err);
        choose->fixed = fixed;
    }
    choose->models[choose->n_models++] = fit->reference;
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
    if (!*wants && !o->no_calibration && fit_wants_moments(job)) {
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

    if (status || !wants || (status = memo_calibration_check(job->ctx, &job->layout, err)))
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

    if (!job->from && !job->reference)
        status = fit_make(&fit, NULL, MEMO_CLASS_F32, &job->reference, err);
    *reference = job->from ? job->from : job->reference;
    return status;
}
