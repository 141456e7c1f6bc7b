// SPDX-License-Identifier: Apache-2.0
/* The report of what the classes cost, in the file that it is about: the finished file is opened as any
 * other, measured beside what it was made from, and the figures go into the room kept for them. They
 * are no part of the fingerprint. */
#include "model/compile/compile_job.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/verify/fidelity_json.h"

memo_status memo_compile_plan_report(memo_compile_job *job, memo_err *err)
{
    const memo_compile_options *o = &job->options;

    if (o->no_report || memo_layout_is_plain(&job->layout, MEMO_CLASS_F32))
        return MEMO_OK;
    if (o->allow_nonfinite)
        return memo_source_warn(&job->source, err,
                                "no report of what the classes cost: weights may be NaN or "
                                "infinite");
    if (job->layout.n_parameters > MEMO_COMPILE_MEASURED)
        return memo_source_warn(&job->source, err,
                                "no report of what the classes cost, as the model has more than a "
                                "billion parameters; memolith model verify --against measures it");
    job->report_room = memo_fidelity_room(&job->layout, job->recipe->n_layers);
    return MEMO_OK;
}

memo_status memo_compile_measure(memo_compile_job *job, const char *out, memo_err *err)
{
    memo_fidelity_options options = {
        .size = sizeof options,
        .progress = job->options.progress,
        .progress_user = job->options.progress_user,
    };
    /* The figures are then the same wherever the bits are. */
    const memo_model_options portable = {.size = sizeof portable, .portable = 1};
    memo_model *made = NULL;
    memo_fidelity_report *report = NULL;
    char *json = NULL;
    memo_status status;

    if (!job->report_room)
        return MEMO_OK;
    if (job->owns_calibration) { /* of which up to 96 MiB are moments */
        memo_calibration_free(job->calibration);
        job->calibration = NULL;
    }
    if (!(status = memo_compile_reference(job, out, &options.against, err)) &&
        !(status = memo_model_open(job->ctx, job->out.tmp_path, &portable, &made, err)) &&
        !(status = memo_model_fidelity(made, &options, &report, err)))
        status = memo_fidelity_write(report, &json, err);
    memo_fidelity_free(report);
    memo_model_close(made); /* what is mapped is not written to */
    if (status == MEMO_OK)
        status = memo_compile_put_report(job, json, err);
    else
        memo_hint(err, status, "without the report: --no-report");
    memo_free(json);
    return status;
}
