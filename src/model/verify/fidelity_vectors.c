// SPDX-License-Identifier: Apache-2.0
/* Vectors beside others of the same texts: cosines text by text, and whether the texts keep their
 * neighbours. Nothing here knows a model. */
#include "model/verify/fidelity.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

/* All pairs of so many texts are compared: 524 k similarities, 40 MB. */
#define VECTORS_MAX_PAIRED ((size_t)1024)
#define VECTORS_NEIGHBOURS ((size_t)10)

/* A value and where it belongs. */
typedef struct vector_rank {
    double value;
    size_t index;
} vector_rank;

/* Greatest first; equal ones by index, so that the order is one. */
static int vector_by_value(const void *a, const void *b)
{
    const vector_rank *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

/* A vector of no length, which no model gives, counts as the opposite. */
static double vector_cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    double cosine = ab / sqrt(aa * bb);
    return isfinite(cosine) ? cosine : -1;
}

/* ---- text by text -------------------------------------------------------------------------- */

static void vectors_each(const float *ours, const float *theirs, size_t n, size_t dim,
                         vector_rank *room, memo_texts_fidelity *out)
{
    double sum = 0;

    out->n_texts = n;
    for (size_t i = 0; i < n; i++) {
        double cosine = vector_cosine(ours + i * dim, theirs + i * dim, dim);
        sum += cosine;
        room[i] = (vector_rank){cosine, i};
    }
    qsort(room, n, sizeof *room, vector_by_value);
    out->cosine_mean = sum / (double)n;
    out->cosine_p01 = room[n - 1 - n / 100].value; /* n / 100 texts are below */
    out->cosine_min = room[n - 1].value;
    out->worst = room[n - 1].index;
}

/* ---- neighbours ---------------------------------------------------------------------------- */

/* Similarities of one text to the n - 1 others, best first. */
static void vectors_nearest(const float *vectors, size_t text, size_t n, size_t dim,
                            vector_rank *room)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        if (i != text)
            room[at++] =
                (vector_rank){vector_cosine(vectors + text * dim, vectors + i * dim, dim), i};
    qsort(room, n - 1, sizeof *room, vector_by_value);
}

/* Mean share of each text's nearest others that are among them on both sides. */
static double vectors_overlap(const float *ours, const float *theirs, size_t n, size_t dim,
                              vector_rank *a, vector_rank *b)
{
    size_t k = n - 1 < VECTORS_NEIGHBOURS ? n - 1 : VECTORS_NEIGHBOURS, n_kept = 0;

    for (size_t text = 0; text < n; text++) {
        vectors_nearest(ours, text, n, dim, a);
        vectors_nearest(theirs, text, n, dim, b);
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++)
                n_kept += a[i].index == b[j].index;
    }
    return (double)n_kept / (double)(n * k);
}

/* Ranks of the similarities of all pairs; equal ones share the mean of their ranks. */
static void vectors_rank_pairs(const float *vectors, size_t n, size_t dim, vector_rank *room,
                               double *ranks)
{
    size_t n_pairs = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++, n_pairs++)
            room[n_pairs] =
                (vector_rank){vector_cosine(vectors + i * dim, vectors + j * dim, dim), n_pairs};
    qsort(room, n_pairs, sizeof *room, vector_by_value);
    for (size_t i = 0, j; i < n_pairs; i = j) {
        for (j = i + 1; j < n_pairs && room[j].value == room[i].value; j++)
            ;
        for (size_t k = i; k < j; k++)
            ranks[room[k].index] = (double)(i + j - 1) / 2;
    }
}

/* Correlation of two lists of ranks 0 .. n - 1; 1 when both are constant, NaN when one is. */
static double vectors_correlation(const double *a, const double *b, size_t n)
{
    double mean = (double)(n - 1) / 2, ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++) {
        ab += (a[i] - mean) * (b[i] - mean);
        aa += (a[i] - mean) * (a[i] - mean);
        bb += (b[i] - mean) * (b[i] - mean);
    }
    return aa == 0 && bb == 0 ? 1 : ab / sqrt(aa * bb);
}

memo_status memo_fidelity_vectors(const float *ours, const float *theirs, size_t n, size_t dim,
                                  memo_texts_fidelity *out, memo_err *err)
{
    size_t n_paired = n < VECTORS_MAX_PAIRED ? n : VECTORS_MAX_PAIRED;
    size_t n_pairs = n_paired * (n_paired - 1) / 2, n_room = n_pairs > 2 * n ? n_pairs : 2 * n;
    vector_rank *room = memo_calloc(n_room, sizeof *room);
    double *ranks = memo_calloc(2 * n_pairs, sizeof *ranks);
    memo_status status = MEMO_OK;

    if (!room || !ranks) {
        status = memo_fail_nomem(err, "similarities of the texts", n_room * sizeof *room);
        goto done;
    }
    vectors_each(ours, theirs, n, dim, room, out);
    out->top10_overlap = vectors_overlap(ours, theirs, n_paired, dim, room, room + n);
    vectors_rank_pairs(ours, n_paired, dim, room, ranks);
    vectors_rank_pairs(theirs, n_paired, dim, room, ranks + n_pairs);
    out->spearman = vectors_correlation(ranks, ranks + n_pairs, n_pairs);
done:
    memo_free(room);
    memo_free(ranks);
    return status;
}
