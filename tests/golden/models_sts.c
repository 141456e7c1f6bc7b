// SPDX-License-Identifier: Apache-2.0
/* Sentence pairs with people's scores: every class must keep what its gate says, the rank correlation
 * with the scores and the mean cosine to the vectors of class f32; and palettes must be no worse than
 * 4-bit integers, with fewer bytes. */
#include "golden/models_golden.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "golden/golden_util.h"

/* Spearman of all-MiniLM-L6-v2 on STS-B dev, torch float32. */
#define STS_WANT 0.867164
#define STS_TOL  0.0002

/* What a class may lose of it, and the mean cosine to class f32 over the same sentences. */
static const struct {
    memo_class cls;
    double loss, cosine;
} sts_gates[] = {
    {MEMO_CLASS_F16, 0.0002, 0.999999}, {MEMO_CLASS_BF16, 0.0002, 0.9999},
    {MEMO_CLASS_INT8, 0.002, 0.997},    {MEMO_CLASS_INT4, 0.01, 0.98},
    {MEMO_CLASS_LUT4, 0.01, 0.98},
};

/* "No worse" of two classes of 4 bits: other roundings of one model differ by as much. */
#define STS_NOISE 0.002

typedef struct sts_table {
    size_t n; /* pairs */
    double *scores;
    memo_text *texts; /* [2 n] */
} sts_table;

typedef struct sts_result {
    memo_class cls;
    uint64_t file_bytes;
    double spearman;
    float *vectors; /* [2 n, dim] */
    size_t dim;
} sts_result;

/* Embed the sentences; 0 when that fails. */
static int sts_run(memo_ctx *ctx, const char *path, const sts_table *table, sts_result *out)
{
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};
    size_t n = table->n;

    if (!golden_check(memo_model_open(ctx, path, NULL, &model, &err) == MEMO_OK, "sts", "%s",
                      err.message))
        return 0;
    memo_model_get_info(model, &info, NULL);
    *out = (sts_result){.cls = info.cls, .file_bytes = info.file_bytes, .dim = info.dim};
    out->vectors = need(calloc(2 * n + 1, info.dim * sizeof *out->vectors));
    double *cosines = need(calloc(n + 1, sizeof *cosines));
    int ok = golden_check(
        memo_model_embed(model, NULL, table->texts, 2 * n, out->vectors, NULL, &err) == MEMO_OK,
        "sts", "%s", err.message);
    for (size_t i = 0; i < n; i++)
        cosines[i] = cosine(out->vectors + 2 * i * info.dim, out->vectors + (2 * i + 1) * info.dim,
                            info.dim);
    out->spearman = spearman(table->scores, cosines, n);
    free(cosines);
    memo_model_close(model);
    return ok;
}

static void sts_hold(const sts_result *exact, const sts_result *r, size_t n)
{
    double mean = 0;

    for (size_t i = 0; i < 2 * n; i++)
        mean += cosine(exact->vectors + i * r->dim, r->vectors + i * r->dim, r->dim);
    mean /= (double)(2 * n);
    for (size_t g = 0; g < sizeof sts_gates / sizeof *sts_gates; g++) {
        if (sts_gates[g].cls != r->cls)
            continue;
        golden_check(r->spearman >= exact->spearman - sts_gates[g].loss, "sts",
                     "class %s: Spearman %.6f, class f32 %.6f", memo_class_name(r->cls),
                     r->spearman, exact->spearman);
        golden_check(mean >= sts_gates[g].cosine, "sts", "class %s: mean cosine %.7f",
                     memo_class_name(r->cls), mean);
        printf("sts: %zu pairs, class %-4s: Spearman %.6f (class f32 %.6f, allowed -%g), mean "
               "cosine %.7f (allowed %g), %.1f MB\n",
               n, memo_class_name(r->cls), r->spearman, exact->spearman, sts_gates[g].loss, mean,
               sts_gates[g].cosine, (double)r->file_bytes / 1e6);
    }
}

/* All models on the table; the first is of class f32. */
static void sts_models(memo_ctx *ctx, const sts_table *table, char *const *paths, size_t n_paths)
{
    sts_result exact = {0}, lut4 = {0}, int4 = {0};

    if (!sts_run(ctx, paths[0], table, &exact))
        return;
    golden_check(fabs(exact.spearman - STS_WANT) <= STS_TOL, "sts",
                 "Spearman %.6f, wanted %.6f +- %g", exact.spearman, STS_WANT, STS_TOL);
    printf("sts: %zu pairs, class f32: Spearman %.6f (reference %.6f, allowed +- %g)\n", table->n,
           exact.spearman, STS_WANT, STS_TOL);
    for (size_t i = 1; i < n_paths; i++) {
        sts_result r = {0};
        if (sts_run(ctx, paths[i], table, &r) && r.dim == exact.dim)
            sts_hold(&exact, &r, table->n);
        free(r.vectors);
        lut4 = r.cls == MEMO_CLASS_LUT4 ? r : lut4;
        int4 = r.cls == MEMO_CLASS_INT4 ? r : int4;
    }
    if (lut4.file_bytes && int4.file_bytes)
        golden_check(lut4.file_bytes < int4.file_bytes &&
                         lut4.spearman >= int4.spearman - STS_NOISE,
                     "sts", "lut4 has %.6f in %" PRIu64 " bytes, int4 %.6f in %" PRIu64,
                     lut4.spearman, lut4.file_bytes, int4.spearman, int4.file_bytes);
    free(exact.vectors);
}

void golden_run_sts(memo_ctx *ctx, const char *path, char *const *paths, size_t n_paths)
{
    enum { MAX_PAIRS = 20000 };
    FILE *f = fopen(path, "r");

    if (!f) {
        golden_skip("sts", "no table of sentence pairs beside the golden data");
        return;
    }
    sts_table table = {
        .scores = need(calloc(MAX_PAIRS, sizeof *table.scores)),
        .texts = need(calloc(2 * MAX_PAIRS, sizeof *table.texts)),
    };
    table.n = read_sts(f, MAX_PAIRS, table.scores, table.texts);
    fclose(f);
    sts_models(ctx, &table, paths, n_paths);
    for (size_t i = 0; i < 2 * table.n; i++)
        free((char *)(uintptr_t)table.texts[i].bytes);
    free(table.texts);
    free(table.scores);
}
