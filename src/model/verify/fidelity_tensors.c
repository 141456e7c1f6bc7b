// SPDX-License-Identifier: Apache-2.0
/* Weight by weight beside a reference: both are unpacked and dequantized 16 rows at a time. */
#include "model/verify/fidelity.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "model/slot_rows.h"
#include "quant/figures.h"

memo_status memo_fidelity_same_network(const memo_model *model, const memo_model *against,
                                       memo_err *err)
{
    const memo_compiled *a = &model->file, *b = &against->file;
    const memo_st_tensor *x = a->extra[MEMO_EXTRA_TOKENIZER], *y = b->extra[MEMO_EXTRA_TOKENIZER];
    size_t n = a->layout.n_slots < b->layout.n_slots ? a->layout.n_slots : b->layout.n_slots;
    size_t dim = memo_recipe_dim(&a->recipe), reference_dim = memo_recipe_dim(&b->recipe);

    for (size_t i = 0; i < n; i++) {
        const memo_slot *p = &a->layout.slots[i], *q = &b->layout.slots[i];
        if (strcmp(p->name, q->name) || p->n_rows != q->n_rows || p->n_cols != q->n_cols)
            return memo_fail(err, MEMO_ERR_MISMATCH,
                             "the reference is another network: its %s is [%zu, %zu], the model's "
                             "%s is [%zu, %zu]",
                             q->name, q->n_rows, q->n_cols, p->name, p->n_rows, p->n_cols);
    }
    if (a->layout.n_slots != b->layout.n_slots)
        return memo_fail(err, MEMO_ERR_MISMATCH,
                         "the reference is another network: %zu layers, the model has %zu",
                         b->recipe.n_layers, a->recipe.n_layers);
    if (dim > reference_dim) /* fewer are the first of the reference's */
        return memo_fail(err, MEMO_ERR_MISMATCH,
                         "the reference's vectors have %zu dimensions, the model's have %zu",
                         reference_dim, dim);
    if (x->end - x->begin != y->end - y->begin ||
        memcmp(memo_compiled_data(a, x), memo_compiled_data(b, y), (size_t)(x->end - x->begin)))
        return memo_fail(err, MEMO_ERR_MISMATCH,
                         "the reference has another tokenizer: the same text would be other ids");
    return MEMO_OK;
}

/* One of the two models, at one weight. */
typedef struct tensor_side {
    const memo_slot *slot;
    const void *data[MEMO_STORED_KINDS];
    void *room;    /* for unpacking 16 rows */
    float *values; /* the same as floats */
} tensor_side;

/* Sums over a weight. */
typedef struct tensor_sums {
    memo_quant_figures figures;
    int differs; /* in the bits */
} tensor_sums;

/* Rows row .. row + n_rows as floats. */
static const float *tensor_rows(const tensor_side *side, size_t row, size_t n_rows)
{
    return memo_slot_read(side->slot, side->data, row, n_rows, side->room, side->values);
}

static void tensor_add(tensor_sums *sums, const float *ours, const float *theirs, size_t n)
{
    sums->differs |= memcmp(ours, theirs, n * sizeof *ours) != 0;
    memo_quant_figures_add(&sums->figures, n, theirs, ours);
}

static tensor_sums tensor_compare(const tensor_side *ours, const tensor_side *theirs)
{
    const memo_slot *slot = ours->slot;
    tensor_sums sums = {0};

    for (size_t row = 0; row < slot->n_rows; row += MEMO_PANEL) {
        size_t left = slot->n_rows - row, n_rows = left < MEMO_PANEL ? left : MEMO_PANEL;
        tensor_add(&sums, tensor_rows(ours, row, n_rows), tensor_rows(theirs, row, n_rows),
                   n_rows * slot->n_cols);
    }
    return sums;
}

/* One block for both sides; a weight's rows fit in all four buffers. */
static memo_status tensor_buffers(const memo_layout *layout, tensor_side *ours, tensor_side *theirs,
                                  memo_err *err)
{
    size_t widest = 0;

    for (size_t i = 0; i < layout->n_slots; i++)
        if (layout->slots[i].n_cols > widest)
            widest = layout->slots[i].n_cols;
    size_t n = MEMO_PANEL * widest; /* at most 16 * 3 * 65,536 */
    float *block = memo_calloc(4 * n, sizeof *block);
    if (!block)
        return memo_fail_nomem(err, "16 rows of weights", 4 * n * sizeof *block);
    ours->room = block;
    ours->values = block + n;
    theirs->room = block + 2 * n;
    theirs->values = block + 3 * n;
    return MEMO_OK;
}

memo_status memo_fidelity_tensors(memo_fidelity_job *job, const memo_model *model,
                                  const memo_model *against, memo_err *err)
{
    const memo_layout *layout = &model->file.layout;
    memo_fidelity_report *report = &job->report;
    tensor_side ours = {0}, theirs = {0};
    memo_tensor_fidelity *list = memo_arena_array(&job->arena, layout->n_slots, sizeof *list);

    if (!list)
        return memo_fail_nomem(err, "the report", layout->n_slots * sizeof *list);
    memo_status status = tensor_buffers(layout, &ours, &theirs, err);
    for (size_t i = 0; i < layout->n_slots && status == MEMO_OK; i++) {
        const memo_slot *slot = ours.slot = &layout->slots[i];
        theirs.slot = &against->file.layout.slots[i];
        memo_compiled_slot(&model->file, ours.slot, ours.data);
        memo_compiled_slot(&against->file, theirs.slot, theirs.data);
        tensor_sums sums = tensor_compare(&ours, &theirs);
        if (!sums.differs) {
            report->n_equal++;
            continue;
        }
        memo_tensor_fidelity *t = &list[report->n_tensors++];
        *t = (memo_tensor_fidelity){
            .name = memo_arena_strdup(&job->arena, slot->name),
            .cls = slot->format.cls,
            .n_rows = slot->n_rows,
            .n_cols = slot->n_cols,
            .snr_db = memo_quant_figures_snr_db(&sums.figures),
            .max_abs_error = sums.figures.worst,
            .largest = sums.figures.largest,
        };
        if (!t->name)
            status = memo_fail_nomem(err, "the report", sizeof slot->name);
    }
    report->tensors = list;
    memo_free(ours.room);
    return status;
}
