// SPDX-License-Identifier: Apache-2.0
/* Prove an open model whole: checksums, fingerprint from unpacked weights, probes run again. */
#include <memolith/model.h>

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fpmode.h"
#include "model/model_handle.h"
#include "model/verify/probe.h"
#include "model/verify/verify_slots.h"

/* How far a probe's vector may be from the stored one. In floats levels differ in the last bits. In
 * the other classes attention is of bf16 on some levels, and a value between two bytes may fall on
 * either side: the angle is that by which the class itself is off. */
#define VERIFY_MAX_DIFF        1e-5
#define VERIFY_MIN_COSINE_BF16 0.9999
#define VERIFY_MIN_COSINE_INT  0.99

/* The least exact of the classes of its weights. */
static memo_class verify_class(const memo_layout *layout)
{
    memo_class least = MEMO_CLASS_F32;

    for (size_t i = 0; i < layout->n_slots; i++) {
        memo_class cls = layout->slots[i].format.cls;
        if (cls != MEMO_CLASS_F32 && cls != MEMO_CLASS_F16 && cls != MEMO_CLASS_BF16)
            return cls;
        if (cls == MEMO_CLASS_BF16)
            least = cls;
    }
    return least;
}

static memo_status verify_judge_vectors(const memo_model *model, const memo_verify_report *report,
                                        memo_err *err)
{
    memo_class cls = verify_class(&model->file.layout);
    double least = cls == MEMO_CLASS_BF16 ? VERIFY_MIN_COSINE_BF16 : VERIFY_MIN_COSINE_INT;

    if (cls == MEMO_CLASS_F32) {
        if (!(report->probe_max_abs_diff <= VERIFY_MAX_DIFF))
            return memo_fail(err, MEMO_ERR_VERIFY,
                             "a probe's vector differs from the stored one by %g, allowed %g",
                             report->probe_max_abs_diff, VERIFY_MAX_DIFF);
    } else if (!(report->probe_min_cosine >= least)) {
        return memo_fail(err, MEMO_ERR_VERIFY,
                         "a probe's vector has cosine %.6f to the stored one, at least %g wanted",
                         report->probe_min_cosine, least);
    }
    return MEMO_OK;
}

/* ---- weights ------------------------------------------------------------------------------- */

static memo_status verify_fingerprint(const memo_compiled *file, int *matches, memo_err *err)
{
    const memo_st_tensor *tables = file->extra[MEMO_EXTRA_TOKENIZER];
    char hex[2 * MEMO_SHA256_BYTES + 1];
    memo_fingerprint fingerprint = {0};
    memo_verify_strip strip = {0};
    memo_status status;

    if ((status = memo_verify_strip_init(&strip, &file->layout, err)) ||
        (status = memo_fingerprint_begin(&fingerprint, &file->layout, file->cls, err)))
        goto done;
    for (size_t i = 0; i < file->layout.n_slots && status == MEMO_OK; i++)
        status = memo_verify_slot(file, &file->layout.slots[i], &strip, &fingerprint, err);
    if (status == MEMO_OK)
        status =
            memo_fingerprint_end(&fingerprint, memo_compiled_data(file, tables),
                                 (size_t)(tables->end - tables->begin), &file->recipe, hex, err);
    if (status == MEMO_OK)
        *matches = !strcmp(hex, file->fingerprint);
done:
    memo_fingerprint_fini(&fingerprint);
    memo_verify_strip_fini(&strip);
    return status;
}

/* ---- probes -------------------------------------------------------------------------------- */

/* How many of the stored texts give other ids now. */
static memo_status verify_probe_ids(const memo_model *model, size_t *n_differ, memo_err *err)
{
    const memo_compiled *file = &model->file;
    const char *text = memo_compiled_data(file, file->extra[MEMO_EXTRA_PROBE_TEXTS]);
    const uint32_t *cu = memo_compiled_data(file, file->extra[MEMO_EXTRA_PROBE_CU_SEQLENS]);
    const uint32_t *ids = memo_compiled_data(file, file->extra[MEMO_EXTRA_PROBE_IDS]);
    const char *texts[MEMO_COMPILED_PROBES];
    memo_probe_ids now = {0};

    for (size_t i = 0; i < MEMO_COMPILED_PROBES; i++, text += strlen(text) + 1)
        texts[i] = text;
    memo_status status =
        memo_probe_encode(model->tokenizer, texts, file->recipe.max_tokens, &now, err);
    const uint32_t *found = (const uint32_t *)(const void *)now.ids.data;
    for (size_t i = 0; i < MEMO_COMPILED_PROBES && status == MEMO_OK; i++) {
        size_t n = cu[i + 1] - cu[i];
        if (now.cu_seqlens[i + 1] - now.cu_seqlens[i] != n ||
            memcmp(found + now.cu_seqlens[i], ids + cu[i], n * sizeof *ids) != 0)
            (*n_differ)++;
    }
    memo_buf_fini(&now.ids);
    return status;
}

static void verify_compare(const float *a, const float *b, size_t dim, memo_verify_report *report)
{
    double dot = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < dim; i++) {
        double diff = fabs((double)a[i] - (double)b[i]);
        if (!(diff <= report->probe_max_abs_diff)) /* also NaN */
            report->probe_max_abs_diff = diff;
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    /* Two vectors that were refused on both sides are equal; one alone is not. */
    double cosine = aa == 0 && bb == 0 ? 1 : dot / sqrt(aa * bb);
    if (!(cosine >= report->probe_min_cosine))
        report->probe_min_cosine = cosine;
}

static memo_status verify_probe_vectors(const memo_model *model, memo_verify_report *report,
                                        memo_err *err)
{
    const memo_compiled *file = &model->file;
    size_t dim = memo_recipe_dim(&file->recipe);
    unsigned char ok[MEMO_COMPILED_PROBES];
    float *vectors = memo_calloc(MEMO_COMPILED_PROBES, dim * sizeof *vectors);

    if (!vectors)
        return memo_fail_nomem(err, "the probes", MEMO_COMPILED_PROBES * dim * sizeof *vectors);
    memo_status status = memo_probe_run(
        &model->transformer, memo_compiled_data(file, file->extra[MEMO_EXTRA_PROBE_IDS]),
        memo_compiled_data(file, file->extra[MEMO_EXTRA_PROBE_CU_SEQLENS]), (memo_tap){0}, vectors,
        ok, err);
    const float *stored = memo_compiled_data(file, file->extra[MEMO_EXTRA_PROBE_VECTORS]);
    for (size_t i = 0; i < MEMO_COMPILED_PROBES && status == MEMO_OK; i++)
        verify_compare(vectors + i * dim, stored + i * dim, dim, report);
    memo_free(vectors);
    return status;
}

static memo_status verify_run(memo_model *model, memo_verify_report *report, memo_err *err)
{
    memo_compiled *file = &model->file;
    memo_status status;

    if ((status = memo_compiled_check_all(file, file->st->data_begin,
                                          file->extra[MEMO_EXTRA_CHECKSUMS]->begin,
                                          model->ctx->pool, 1, err)))
        return status;
    report->n_blocks_checked = file->n_blocks;
    if ((status = verify_fingerprint(file, &report->fingerprint_matches, err)))
        return status;
    if (!report->fingerprint_matches)
        return memo_fail(err, MEMO_ERR_CORRUPT,
                         "the weights, tokenizer and recipe do not give the stored fingerprint "
                         "%.12s...",
                         file->fingerprint);
    report->n_probes = MEMO_COMPILED_PROBES;
    if ((status = verify_probe_ids(model, &report->n_probe_ids_differ, err)) ||
        (status = verify_probe_vectors(model, report, err)))
        return status;
    if (report->n_probe_ids_differ)
        return memo_fail(err, MEMO_ERR_VERIFY, "%zu of %zu probe texts give other token ids",
                         report->n_probe_ids_differ, report->n_probes);
    return verify_judge_vectors(model, report, err);
}

memo_status memo_model_verify(memo_model *model, memo_verify_report *report, memo_err *err)
{
    memo_verify_report made = {.probe_min_cosine = 1};
    memo_status status;
    fenv_t mode;

    if (!model)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_model_verify: the model is NULL");
    if ((status = memo_result_check(report, "memo_verify_report", err)))
        return status;
    memo_fp_default(&mode);
    status = verify_run(model, &made, err);
    memo_fp_restore(&mode);
    if (status == MEMO_OK || status == MEMO_ERR_CORRUPT || status == MEMO_ERR_VERIFY)
        memo_result_write(report, &made, sizeof made);
    return status;
}
