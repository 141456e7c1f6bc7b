// SPDX-License-Identifier: Apache-2.0
#include "index/exact.h"

#include <math.h>

#include "index/blocks.h"

#define EXACT_ROWS 64 /* at once: their dot products lie on the stack */

/* The square of a vector's length. */
static float exact_square(const memo_exact *exact, const float *v)
{
    float square;
    exact->kernels->dot_rows_f32(exact->dim, v, v, exact->dim, 1, &square);
    return square;
}

static int exact_in_range(float square)
{
    return square > (float)MEMO_LEAST_SQUARE && square < (float)MEMO_MOST_SQUARE;
}

void memo_exact_init(memo_exact *exact, const memo_kernels *kernels, size_t dim, const float *query)
{
    float square;

    *exact = (memo_exact){.kernels = kernels, .dim = dim, .query = query};
    square = exact_square(exact, query);
    exact->length = sqrt((double)square);
    exact->in_double = !exact_in_range(square);
}

static double exact_in_double(const memo_exact *exact, const float *v)
{
    double dot = 0, qq = 0, vv = 0;

    for (size_t i = 0; i < exact->dim; i++) {
        dot += (double)exact->query[i] * (double)v[i];
        qq += (double)exact->query[i] * (double)exact->query[i];
        vv += (double)v[i] * (double)v[i];
    }
    return qq == 0 || vv == 0 ? 0 : dot / (sqrt(qq) * sqrt(vv)); /* NaN stays NaN */
}

static double exact_cosine(const memo_exact *exact, const float *v, float dot)
{
    float square = exact_square(exact, v);

    if (exact->in_double || !isfinite(dot) || !exact_in_range(square))
        return exact_in_double(exact, v);
    return (double)dot / (sqrt((double)square) * exact->length);
}

void memo_exact_scores(const memo_exact *exact, const float *rows, size_t n, double *scores)
{
    float dots[EXACT_ROWS];

    for (size_t at = 0; at < n; at += EXACT_ROWS) {
        size_t n_rows = n - at < EXACT_ROWS ? n - at : EXACT_ROWS;
        const float *v = rows + at * exact->dim;
        exact->kernels->dot_rows_f32(exact->dim, exact->query, v, exact->dim, n_rows, dots);
        for (size_t i = 0; i < n_rows; i++)
            scores[at + i] = exact_cosine(exact, v + i * exact->dim, dots[i]);
    }
}
