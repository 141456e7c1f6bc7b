// SPDX-License-Identifier: Apache-2.0
/* The pass over the weights, 16 output rows at a time (32 of 4-bit classes; two or three
 * passes where a scale or a palette is the whole weight's): read, encode, feed the fingerprint, pack,
 * write, feed the checksums. What grows with the model is encode.h's side tensors of one weight.
 * A weight that the compiled source has in the same codes is copied. */
#include "model/compile/compile_job.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/slot_rows.h"
#include "quant/pack.h"

/* Buffers of the pass. */
typedef struct compile_strip {
    memo_strip source; /* 32 rows of the widest weight, as floats; raw owns the block */
    void *panel;       /* 16 of them, packed */
    memo_encoder encoder;
} compile_strip;

static memo_status compile_alloc_strip(memo_compile_job *job, compile_strip *strip, memo_err *err)
{
    size_t widest = 0;

    for (size_t i = 0; i < job->layout.n_slots; i++)
        if (job->layout.slots[i].n_cols > widest)
            widest = job->layout.slots[i].n_cols;
    /* at most 65,536 * 3 columns of 32 rows */
    size_t n_panel = memo_pack_panel_values(widest), n = MEMO_ENCODER_ROWS / MEMO_PANEL * n_panel;
    size_t rows = MEMO_STRIP_RAW_BYTES(n), panel = rows + n * sizeof(float);
    size_t n_bytes = panel + n_panel * sizeof(float);
    char *block = memo_aligned_alloc(n_bytes);
    if (!block)
        return memo_fail_nomem(err, "a strip of weights", n_bytes);
    strip->source.raw = block;
    strip->source.rows = (float *)(void *)(block + rows);
    strip->panel = block + panel;
    strip->encoder.options = &job->options;
    strip->encoder.pool = job->ctx->pool;
    return memo_encoder_init(&strip->encoder, &job->layout, job->calibration != NULL, err);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Rows row .. row + n_rows of the source as floats; n_rows <= 32, row a multiple of 16. */
static memo_status compile_read(const memo_compile_job *job, size_t index, size_t row,
                                size_t n_rows, const compile_strip *strip, const float **values,
                                memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    float *rows = strip->source.rows;

    *values = rows;
    if (!job->from)
        return memo_weight_read(&job->source, &job->map.slots[index], (uint64_t)row * slot->n_cols,
                                n_rows * slot->n_cols, !job->options.allow_nonfinite, strip->source,
                                err);
    const void *data[MEMO_STORED_KINDS];
    const memo_slot *from = &job->from->file.layout.slots[index];
    memo_compiled_slot(&job->from->file, from, data);
    for (size_t done = 0; done < n_rows; done += MEMO_PANEL) {
        size_t some = n_rows - done < MEMO_PANEL ? n_rows - done : MEMO_PANEL;
        float *to = rows + done * slot->n_cols;
        const float *at = memo_slot_read(from, data, row + done, some, strip->source.raw, to);
        if (at != to)
            memcpy(to, at, some * slot->n_cols * sizeof *to);
    }
    return MEMO_OK;
}

/* Say why a row cannot be stored. A weight's rows come from up to three tensors of the source. */
static memo_status compile_refuse_row(const memo_compile_job *job, size_t index, size_t row,
                                      memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    const char *cls = memo_class_name(slot->format.cls), *name = slot->name, *where = "the model";

    if (!job->from) {
        const memo_weight_source *weight = &job->map.slots[index];
        size_t part_rows = slot->n_rows / weight->n_parts;
        name = weight->parts[row / part_rows]->name;
        row %= part_rows;
        where = "model.safetensors";
    }
    if (memo_class_is_integer(slot->format.cls))
        memo_fail(err, MEMO_ERR_VALUE,
                  "%s: tensor \"%.128s\": row %zu has no scale in class %s: it holds "
                  "NaN, an infinity, or only values below 1.5e-36",
                  where, name, row, cls);
    else
        memo_fail(
            err, MEMO_ERR_VALUE,
            "%s: tensor \"%.128s\": row %zu does not fit class %s: it holds NaN, an infinity, "
            "or a value above %s",
            where, name, row, cls, slot->format.cls == MEMO_CLASS_F16 ? "65,504" : "3.38e38");
    return memo_hint(err, MEMO_ERR_VALUE, "--class f32 keeps such weights");
}

/* ---- one weight ---------------------------------------------------------------------------- */

/* What a scale or a palette of the whole weight needs to know. */
static memo_status compile_survey(memo_compile_job *job, size_t index, compile_strip *strip,
                                  memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    memo_encoder *encoder = &strip->encoder;
    const float *values;
    memo_status status;

    for (size_t survey = 0; survey < memo_encoder_n_surveys(encoder); survey++) {
        for (size_t row = 0; row < slot->n_rows; row += MEMO_PANEL) {
            size_t left = slot->n_rows - row, n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
            if ((status = compile_read(job, index, row, n_rows, strip, &values, err)))
                return status;
            size_t done = memo_encoder_survey(encoder, survey, values, n_rows);
            if (done < n_rows)
                return compile_refuse_row(job, index, row + done, err);
        }
        if (!memo_encoder_end_survey(encoder, survey))
            return compile_refuse_row(job, index, 0, err);
    }
    return MEMO_OK;
}

/* Fingerprint, pack and write the rows that were encoded. */
static memo_status compile_put_rows(memo_compile_job *job, const memo_slot *slot, size_t n_rows,
                                    const compile_strip *strip, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t done = 0; done < n_rows && status == MEMO_OK; done += MEMO_PANEL) {
        size_t some = n_rows - done < MEMO_PANEL ? n_rows - done : MEMO_PANEL;
        size_t n_bytes = some * memo_slot_row_bytes(slot);
        const void *rows = (const char *)strip->encoder.rows + done * memo_slot_row_bytes(slot);
        memo_fingerprint_rows(&job->identity, slot, rows, some);
        if (slot->packed) {
            memo_slot_pack(slot, rows, some, strip->panel);
            rows = strip->panel;
            n_bytes = memo_slot_strip_bytes(slot);
        }
        status = memo_compile_append(job, slot->first, rows, n_bytes, err);
    }
    return status;
}

/* The tensors that follow the values. */
static memo_status compile_side_tensors(memo_compile_job *job, const memo_slot *slot,
                                        const void *const *data, memo_err *err)
{
    memo_status status = MEMO_OK;

    memo_fingerprint_side(&job->identity, slot, data);
    for (size_t k = 1; k < slot->n_stored && status == MEMO_OK; k++)
        status = memo_compile_append(job, slot->first + k, data[slot->kinds[k]],
                                     (size_t)job->layout.stored[slot->first + k].n_bytes, err);
    return status;
}

/* A weight whose codes the source has: as they are, with a new range of the input if it had none. */
static memo_status compile_copy_slot(memo_compile_job *job, size_t index,
                                     const memo_input_range *input, const compile_strip *strip,
                                     memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    const void *data[MEMO_STORED_KINDS];
    float range[2];
    memo_status status;

    memo_compiled_slot(&job->from->file, &job->from->file.layout.slots[index], data);
    const char *at = data[MEMO_STORED_VALUES];
    for (size_t row = 0; row < slot->n_rows; row += MEMO_PANEL) {
        size_t left = slot->n_rows - row, n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
        size_t n_bytes =
            slot->packed ? memo_slot_strip_bytes(slot) : n_rows * memo_slot_row_bytes(slot);
        memo_fingerprint_rows(&job->identity, slot,
                              memo_slot_unpack(slot, at, n_rows, strip->source.raw), n_rows);
        if ((status = memo_compile_append(job, slot->first, at, n_bytes, err)))
            return status;
        at += n_bytes;
    }
    if (input && !data[MEMO_STORED_INPUT]) {
        range[0] = input->scale;
        range[1] = input->offset;
        data[MEMO_STORED_INPUT] = range;
    }
    return compile_side_tensors(job, slot, data, err);
}

static memo_status compile_slot(memo_compile_job *job, size_t index, compile_strip *strip,
                                memo_err *err)
{
    const memo_slot *slot = &job->layout.slots[index];
    memo_encoder *encoder = &strip->encoder;
    const void *data[MEMO_STORED_KINDS];
    const memo_input_range *input = NULL;
    const float *values;
    memo_status status;

    if (job->calibration &&
        (status = memo_calibration_input(job->calibration, &job->layout, index, &input, err)))
        return status;
    memo_fingerprint_slot(&job->identity, slot);
    if (slot->kept)
        return compile_copy_slot(job, index, input, strip, err);
    memo_encoder_begin(encoder, slot, input);
    if ((status = compile_survey(job, index, strip, err)))
        return status;
    size_t most = memo_encoder_strip(encoder);
    for (size_t row = 0; row < slot->n_rows; row += most) {
        size_t left = slot->n_rows - row, n_rows = left < most ? left : most;
        if ((status = compile_read(job, index, row, n_rows, strip, &values, err)))
            return status;
        size_t done = memo_encoder_rows(encoder, values, row, n_rows);
        if (done < n_rows)
            return compile_refuse_row(job, index, row + done, err);
        if ((status = compile_put_rows(job, slot, n_rows, strip, err)))
            return status;
    }
    memo_encoder_side(encoder, data);
    return compile_side_tensors(job, slot, data, err);
}

memo_status memo_compile_weights(memo_compile_job *job, memo_err *err)
{
    const memo_compile_options *o = &job->options;
    uint64_t total = 0, done = 0;
    compile_strip strip = {0};
    memo_status status = compile_alloc_strip(job, &strip, err);

    for (size_t i = 0; i < job->layout.n_slots; i++)
        total += job->layout.slots[i].n_values;
    if (status == MEMO_OK)
        status = memo_fingerprint_begin(&job->identity, &job->layout, o->cls, err);
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
    memo_encoder_fini(&strip.encoder);
    memo_aligned_free(strip.source.raw);
    return status;
}
