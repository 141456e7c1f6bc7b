// SPDX-License-Identifier: Apache-2.0
/* Prove an open model whole: checksums, fingerprint from unpacked weights, probes run again. */
#include <memolith/model.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "model/model_handle.h"
#include "model/verify/probe.h"
#include "quant/int8.h"

/* A probe's vector may be this far from the stored one: levels differ in the last bits. */
#define VERIFY_MAX_DIFF 1e-5

/* ---- weights ------------------------------------------------------------------------------- */

/* Buffers for 16 rows of the widest weight, in one block. */
typedef struct verify_strip {
    void *rows;  /* unpacked */
    void *again; /* packed once more */
} verify_strip;

/* What the fingerprint does not see of a strip of an int8 weight: the sums must be those of the
 * bytes, the padding zero, and a scale may be 0 only where the bytes are. */
static memo_status verify_int8_strip(const memo_slot *slot, const void *const *data, size_t row,
                                     size_t n_rows, const verify_strip *strip, memo_err *err)
{
    const int8_t *rows = strip->rows;
    const float *scale = data[MEMO_STORED_SCALE];
    const int32_t *sum = data[MEMO_STORED_SUM];

    for (size_t r = 0; r < n_rows; r++) {
        const int8_t *q = rows + r * slot->n_cols;
        int lowest = 0, any = 0;
        for (size_t i = 0; i < slot->n_cols; i++) {
            lowest = q[i] < lowest ? q[i] : lowest;
            any |= q[i];
        }
        if (lowest < -MEMO_INT8_LARGEST ||
            (sum && sum[row + r] != memo_int8_sum_row(slot->n_cols, q)))
            return memo_fail(err, MEMO_ERR_CORRUPT,
                             "%s: row %zu holds -128, or its stored sum is not that of its bytes",
                             slot->name, row + r);
        if (any ? !(scale[row + r] >= FLT_MIN && scale[row + r] <= FLT_MAX) : scale[row + r] != 0)
            return memo_fail(err, MEMO_ERR_CORRUPT, "%s: row %zu has the scale %g", slot->name,
                             row + r, (double)scale[row + r]);
    }
    if (!slot->packed)
        return MEMO_OK;
    memo_slot_pack(slot, rows, n_rows, strip->again);
    size_t n_bytes = memo_slot_strip_bytes(slot);
    const char *stored = (const char *)data[MEMO_STORED_VALUES] + row / MEMO_PANEL * n_bytes;
    if (memcmp(strip->again, stored, n_bytes) != 0)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: the padding of rows %zu to %zu is not zero",
                         slot->name, row, row + n_rows - 1);
    return MEMO_OK;
}

/* Feed one slot to the fingerprint as the compiler did: 16 logical rows at a time. */
static memo_status verify_slot(const memo_compiled *file, const memo_slot *slot,
                               const verify_strip *strip, memo_sha256 *sha, memo_err *err)
{
    size_t strip_bytes = memo_slot_strip_bytes(slot);
    const void *data[MEMO_STORED_KINDS];

    memo_compiled_slot(file, slot, data);
    memo_fingerprint_slot(sha, slot);
    for (size_t row = 0; row < slot->n_rows; row += MEMO_PANEL) {
        size_t left = slot->n_rows - row;
        size_t n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
        const char *stored =
            (const char *)data[MEMO_STORED_VALUES] + row / MEMO_PANEL * strip_bytes;
        const void *rows = memo_slot_unpack(slot, stored, n_rows, strip->rows);
        memo_fingerprint_rows(sha, slot, rows, n_rows);
        if (slot->cls == MEMO_CLASS_INT8) {
            verify_strip at = {(void *)(uintptr_t)rows, strip->again};
            memo_status status = verify_int8_strip(slot, data, row, n_rows, &at, err);
            if (status)
                return status;
        }
    }
    if (slot->cls == MEMO_CLASS_INT8)
        memo_fingerprint_scales(sha, slot, data[MEMO_STORED_SCALE]);
    return MEMO_OK;
}

static memo_status verify_fingerprint(const memo_compiled *file, int *matches, memo_err *err)
{
    const memo_st_tensor *tables = file->extra[MEMO_EXTRA_TOKENIZER];
    unsigned char digest[MEMO_SHA256_BYTES];
    char hex[2 * MEMO_SHA256_BYTES + 1];
    size_t widest = 0;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < file->layout.n_slots; i++)
        if (memo_slot_strip_bytes(&file->layout.slots[i]) > widest)
            widest = memo_slot_strip_bytes(&file->layout.slots[i]);
    memo_sha256 *sha = memo_sha256_new();
    char *block = memo_calloc(2, widest);
    if (!sha || !block) {
        status = memo_fail_nomem(err, "a strip of weights", 2 * widest);
        goto done;
    }
    verify_strip strip = {block, block + widest};
    memo_fingerprint_begin(sha, file->cls);
    for (size_t i = 0; i < file->layout.n_slots && status == MEMO_OK; i++)
        status = verify_slot(file, &file->layout.slots[i], &strip, sha, err);
    if (status)
        goto done;
    memo_fingerprint_rest(sha, memo_compiled_data(file, tables),
                          (size_t)(tables->end - tables->begin), &file->recipe);
    memo_sha256_final(sha, digest);
    sha = NULL;
    memo_hex(digest, sizeof digest, hex);
    *matches = !strcmp(hex, file->fingerprint);
done:
    memo_sha256_final(sha, NULL);
    memo_free(block);
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
    size_t dim = file->recipe.hidden_size;
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
    if (!(report->probe_max_abs_diff <= VERIFY_MAX_DIFF))
        return memo_fail(err, MEMO_ERR_VERIFY,
                         "a probe's vector differs from the stored one by %g, allowed %g",
                         report->probe_max_abs_diff, VERIFY_MAX_DIFF);
    return MEMO_OK;
}

memo_status memo_model_verify(memo_model *model, memo_verify_report *report, memo_err *err)
{
    memo_verify_report made = {.probe_min_cosine = 1};
    memo_status status =
        model ? verify_run(model, &made, err)
              : memo_fail(err, MEMO_ERR_USAGE, "memo_model_verify: the model is NULL");

    if (report && (status == MEMO_OK || status == MEMO_ERR_CORRUPT || status == MEMO_ERR_VERIFY))
        *report = made;
    return status;
}
