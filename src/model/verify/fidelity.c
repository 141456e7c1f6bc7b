// SPDX-License-Identifier: Apache-2.0
/* What a model's class costs: checks, then the three measures, then their figures by name. */
#include "model/verify/fidelity.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fpmode.h"
#include "base/utf8.h"
#include "model/verify/fidelity_json.h"

void memo_fidelity_free(memo_fidelity_report *report)
{
    memo_fidelity_job *job = (memo_fidelity_job *)(void *)report;

    if (!job)
        return;
    memo_arena_fini(&job->arena);
    memo_free(job);
}

memo_status memo_model_get_report(const memo_model *model, memo_fidelity_report **report,
                                  memo_err *err)
{
    if (!model || !report)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_model_get_report: model and report must not be NULL");
    const memo_compiled *file = &model->file;
    if (file->report_json)
        return memo_fidelity_read(file->report_json, &file->layout, file->recipe.n_layers, report,
                                  err);
    *report = NULL;
    return MEMO_OK;
}

/* Every block of the file agrees with its checksum. */
static memo_status fidelity_check(memo_model *model, memo_err *err)
{
    memo_compiled *file = &model->file;

    return memo_compiled_check_all(file, file->st->data_begin,
                                   file->extra[MEMO_EXTRA_CHECKSUMS]->begin, model->ctx->pool, 0,
                                   err);
}

/* Keep the first `dim` values of each vector of `from`. Figures of vectors are cosines, so that no
 * vector needs its length back. */
static void fidelity_first_dims(float *vectors, size_t n, size_t from, size_t dim)
{
    for (size_t i = 0; i < n && from > dim; i++)
        memmove(vectors + i * dim, vectors + i * from, dim * sizeof *vectors);
}

static memo_status fidelity_embed(memo_model *model, const memo_fidelity_options *o,
                                  const memo_text_set *set, float **vectors, memo_err *err)
{
    memo_embed_options embed = {
        .size = sizeof embed,
        .role = MEMO_ROLE_NONE,
        .progress = o->progress,
        .progress_user = o->progress_user,
    };
    size_t dim = memo_recipe_dim(&model->file.recipe);

    *vectors = memo_calloc(set->n, dim * sizeof **vectors);
    if (!*vectors)
        return memo_fail_nomem(err, "vectors", set->n * dim * sizeof **vectors);
    return memo_model_embed(model, &embed, set->texts, set->n, *vectors, NULL, err);
}

/* Vectors beside others, and the worst text's first characters. */
static memo_status fidelity_put(memo_fidelity_job *job, const memo_text_set *set, size_t dim,
                                const float *ours, const float *theirs, memo_texts_fidelity *out,
                                memo_err *err)
{
    memo_status status = memo_fidelity_vectors(ours, theirs, set->n, dim, out, err);

    if (status)
        return status;
    memo_text worst = set->texts[out->worst];
    size_t n = worst.n_bytes < MEMO_WORST_TEXT_BYTES ? worst.n_bytes : MEMO_WORST_TEXT_BYTES;
    out->worst_text = memo_arena_strndup(&job->arena, worst.bytes,
                                         memo_utf8_floor(worst.bytes, worst.n_bytes, n));
    return out->worst_text ? MEMO_OK : memo_fail_nomem(err, "the report", n);
}

static memo_status fidelity_end_to_end(memo_fidelity_job *job, memo_model *model,
                                       const memo_fidelity_options *o, const memo_text_set *set,
                                       memo_err *err)
{
    size_t dim = memo_recipe_dim(&model->file.recipe);
    float *ours = NULL, *theirs = NULL;
    memo_status status = fidelity_embed(model, o, set, &ours, err);

    if (status == MEMO_OK && o->against)
        status = fidelity_embed(o->against, o, set, &theirs, err);
    if (status == MEMO_OK && o->against) {
        fidelity_first_dims(theirs, set->n, memo_recipe_dim(&o->against->file.recipe), dim);
        status = fidelity_put(job, set, dim, ours, theirs, &job->report.against, err);
    }
    if (status == MEMO_OK && set->vectors)
        status = fidelity_put(job, set, dim, ours, set->vectors, &job->report.golden, err);
    memo_free(ours);
    memo_free(theirs);
    return status;
}

static memo_status fidelity_run(memo_fidelity_job *job, memo_model *model,
                                const memo_fidelity_options *o, memo_text_set *set, memo_err *err)
{
    memo_status status;

    if (o->against && ((status = memo_fidelity_same_network(model, o->against, err)) ||
                       (status = fidelity_check(o->against, err))))
        return status;
    if ((status = fidelity_check(model, err)))
        return status;
    if (!o->golden)
        memo_text_set_own(set);
    else if ((status =
                  memo_text_set_load(set, o->golden, memo_recipe_dim(&model->file.recipe), err)))
        return status;
    if (o->against) {
        const memo_compiled *reference = &o->against->file;
        memcpy(job->report.reference, reference->fingerprint, sizeof job->report.reference);
        job->report.reference_class = reference->cls;
    }
    if (o->against && ((status = memo_fidelity_tensors(job, model, o->against, err)) ||
                       (status = memo_fidelity_layers(job, model, o->against, set, err))))
        return status;
    return fidelity_end_to_end(job, model, o, set, err);
}

memo_status memo_model_fidelity(memo_model *model, const memo_fidelity_options *options,
                                memo_fidelity_report **report, memo_err *err)
{
    memo_fidelity_options o;
    memo_text_set set = {0};
    fenv_t mode;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_fidelity_options", err);

    if (status)
        return status;
    if (!model || !report)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_model_fidelity: model and report must not be NULL");
    if (!o.against && !o.golden)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "fidelity is measured beside a reference, golden vectors, or both");
    memo_fidelity_job *job = memo_calloc(1, sizeof *job);
    if (!job)
        return memo_fail_nomem(err, "the report", sizeof *job);
    memo_fp_default(&mode);
    status = fidelity_run(job, model, &o, &set, err);
    memo_fp_restore(&mode);
    memo_text_set_fini(&set);
    if (status)
        memo_fidelity_free(&job->report);
    else
        *report = &job->report;
    return status;
}

/* ---- gates --------------------------------------------------------------------------------- */

/* The lesser, NaN being the least. */
static double fidelity_least(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
}

static double fidelity_least_layer(const memo_fidelity_report *r)
{
    double least = INFINITY;

    for (size_t i = 0; i < r->n_layers; i++)
        least = fidelity_least(least, r->layers[i].cosine_mean);
    return least;
}

static double fidelity_least_snr(const memo_fidelity_report *r)
{
    double least = INFINITY; /* also when every weight is equal */

    for (size_t i = 0; i < r->n_tensors; i++)
        least = fidelity_least(least, r->tensors[i].snr_db);
    return least;
}

/* A figure of memo_texts_fidelity, over the comparisons that were made. */
static double fidelity_texts_figure(const memo_fidelity_report *r, size_t offset)
{
    double least = INFINITY, value;

    if (r->against.n_texts) {
        memcpy(&value, (const char *)&r->against + offset, sizeof value);
        least = fidelity_least(least, value);
    }
    if (r->golden.n_texts) {
        memcpy(&value, (const char *)&r->golden + offset, sizeof value);
        least = fidelity_least(least, value);
    }
    return least;
}

memo_status memo_fidelity_gate(const memo_fidelity_report *report, const char *figure, double least,
                               double *found, memo_err *err)
{
    static const struct {
        const char *name;
        size_t offset; /* in memo_texts_fidelity */
    } figures[] = {
        {"cos", offsetof(memo_texts_fidelity, cosine_mean)},
        {"cos-p01", offsetof(memo_texts_fidelity, cosine_p01)},
        {"cos-min", offsetof(memo_texts_fidelity, cosine_min)},
        {"top10", offsetof(memo_texts_fidelity, top10_overlap)},
        {"spearman", offsetof(memo_texts_fidelity, spearman)},
    };
    size_t i = 0, n = sizeof figures / sizeof *figures;
    double value;

    if (!report || !figure)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_fidelity_gate: report and figure must not be NULL");
    while (i < n && strcmp(figures[i].name, figure) != 0)
        i++;
    int layer = !strcmp(figure, "layer"), snr = !strcmp(figure, "snr");
    if (i == n && !layer && !snr)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "\"%.40s\" is no figure; allowed are cos, cos-p01, cos-min, top10, "
                         "spearman, layer and snr",
                         figure);
    if ((layer || snr) && !report->n_layers)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "%s is measured beside a reference, and there is none", figure);
    value = layer ? fidelity_least_layer(report)
            : snr ? fidelity_least_snr(report)
                  : fidelity_texts_figure(report, figures[i].offset);
    if (found)
        *found = value;
    if (!(value >= least))
        return memo_fail(err, MEMO_ERR_VERIFY, "%s is %.9g, at least %.9g is wanted", figure, value,
                         least);
    return MEMO_OK;
}
