// SPDX-License-Identifier: Apache-2.0
/* One pass over the weights, 16 output rows at a time: read, convert, check, quantize, feed the
 * fingerprint, pack, write, feed the checksums. What grows with the model is the scales and sums of
 * the matrix at hand, 8 bytes an output row: they follow its values in the file. */
#include "model/compile/compile_job.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "quant/int8.h"
#include "quant/pack.h"

/* Buffers of the pass, in one block. */
typedef struct compile_strip {
    memo_strip source; /* 16 rows of the widest weight, as floats */
    int8_t *bytes;     /* the same, quantized; class int8 only */
    void *panel;       /* the same, packed */
    float *scales;     /* [rows of the tallest int8 weight] */
    int32_t *row_sums; /* likewise */
} compile_strip;

static memo_status compile_alloc_strip(memo_compile_job *job, compile_strip *strip, memo_err *err)
{
    size_t widest = 0, tallest = 0;

    for (size_t i = 0; i < job->layout.n_slots; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        if (slot->n_cols > widest)
            widest = slot->n_cols;
        if (slot->cls == MEMO_CLASS_INT8 && slot->n_rows > tallest)
            tallest = slot->n_rows;
    }
    size_t n = memo_pack_panel_values(widest); /* at most 65,536 * 3 columns of 16 rows */
    size_t side = (tallest + 15) / 16 * 16;    /* at most 2 M rows */
    size_t rows = MEMO_STRIP_RAW_BYTES(n), panel = rows + n * sizeof(float);
    size_t bytes = panel + n * sizeof(float), scales = bytes + n;
    size_t n_bytes = scales + side * (sizeof *strip->scales + sizeof *strip->row_sums);
    char *block = memo_aligned_alloc(n_bytes);
    if (!block)
        return memo_fail_nomem(err, "a strip of weights", n_bytes);
    strip->source.raw = block;
    strip->source.rows = (float *)(void *)(block + rows);
    strip->panel = block + panel;
    strip->bytes = (int8_t *)(void *)(block + bytes);
    strip->scales = (float *)(void *)(block + scales);
    strip->row_sums = (int32_t *)(void *)(strip->scales + side);
    return MEMO_OK;
}

/* ---- class int8 ---------------------------------------------------------------------------- */

/* Say why a row has no scale. A weight's rows come from up to three tensors of the source. */
static memo_status compile_refuse_row(const memo_compile_job *job, size_t index, size_t row,
                                      memo_err *err)
{
    const memo_weight_source *weight = &job->map.slots[index];
    size_t part_rows = job->layout.slots[index].n_rows / weight->n_parts;

    memo_fail(err, MEMO_ERR_VALUE,
              "model.safetensors: tensor \"%.128s\": row %zu has no scale in class int8: it holds "
              "NaN, an infinity, or only values below 1.5e-36",
              weight->parts[row / part_rows]->name, row % part_rows);
    return memo_hint(err, MEMO_ERR_VALUE, "--class f32 keeps such weights");
}

/* Rows row .. row + n_rows of the strip to bytes. */
static memo_status compile_quantize(const memo_compile_job *job, size_t index, size_t row,
                                    size_t n_rows, compile_strip *strip, memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];

    for (size_t r = 0; r < n_rows; r++) {
        int8_t *bytes = strip->bytes + r * slot->n_cols;
        if (!memo_int8_quantize_row(slot->n_cols, strip->source.rows + r * slot->n_cols, bytes,
                                    &strip->scales[row + r]))
            return compile_refuse_row(job, index, row + r, err);
        strip->row_sums[row + r] = memo_int8_sum_row(slot->n_cols, bytes);
    }
    return MEMO_OK;
}

/* The tensors that follow the values. */
static memo_status compile_side_tensors(memo_compile_job *job, const memo_slot *slot,
                                        const compile_strip *strip, memo_err *err)
{
    const void *const data[MEMO_STORED_KINDS] = {NULL, strip->scales, strip->row_sums};
    memo_status status = MEMO_OK;

    if (slot->cls == MEMO_CLASS_INT8)
        memo_fingerprint_scales(job->sha, slot, strip->scales);
    for (size_t kind = MEMO_STORED_SCALE; kind < slot->n_stored && status == MEMO_OK; kind++)
        status = memo_compile_append(job, slot->first + kind, data[kind],
                                     (size_t)job->layout.stored[slot->first + kind].n_bytes, err);
    return status;
}

/* ---- the pass ------------------------------------------------------------------------------ */

/* Quantize, fingerprint, pack and write the rows that were read. */
static memo_status compile_put_rows(memo_compile_job *job, size_t index, size_t row, size_t n_rows,
                                    compile_strip *strip, memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    const void *rows = strip->source.rows;
    size_t n_bytes = n_rows * memo_slot_row_bytes(slot);

    if (slot->cls == MEMO_CLASS_INT8) {
        memo_status status = compile_quantize(job, index, row, n_rows, strip, err);
        if (status)
            return status;
        rows = strip->bytes;
    }
    memo_fingerprint_rows(job->sha, slot, rows, n_rows);
    if (slot->packed) {
        memo_slot_pack(slot, rows, n_rows, strip->panel);
        rows = strip->panel;
        n_bytes = memo_slot_strip_bytes(slot);
    }
    return memo_compile_append(job, slot->first, rows, n_bytes, err);
}

static memo_status compile_slot(memo_compile_job *job, size_t index, compile_strip *strip,
                                memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    memo_status status;

    memo_fingerprint_slot(job->sha, slot);
    for (size_t row = 0; row < slot->n_rows; row += MEMO_PANEL) {
        size_t left = slot->n_rows - row;
        size_t n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
        if ((status = memo_weight_read(&job->source, &job->map.slots[index],
                                       (uint64_t)row * slot->n_cols, n_rows * slot->n_cols,
                                       !job->options.allow_nonfinite, strip->source, err)) ||
            (status = compile_put_rows(job, index, row, n_rows, strip, err)))
            return status;
    }
    return compile_side_tensors(job, slot, strip, err);
}

memo_status memo_compile_weights(memo_compile_job *job, memo_err *err)
{
    const memo_compile_options *o = &job->options;
    uint64_t total = 0, done = 0;
    compile_strip strip = {0};
    memo_status status = compile_alloc_strip(job, &strip, err);

    for (size_t i = 0; i < job->layout.n_slots; i++)
        total += job->layout.slots[i].n_values;
    memo_fingerprint_begin(job->sha, o->cls);
    for (size_t i = 0; i < job->layout.n_slots && status == MEMO_OK; i++) {
        const memo_slot *slot = &job->layout.slots[i];
        status = memo_progress_call(o->progress, o->progress_user, "compile", done, total,
                                    slot->name, err);
        if (status == MEMO_OK)
            status = compile_slot(job, i, &strip, err);
        done += slot->n_values;
    }
    if (status == MEMO_OK)
        status =
            memo_progress_call(o->progress, o->progress_user, "compile", total, total, NULL, err);
    memo_aligned_free(strip.source.raw);
    return status;
}
