// SPDX-License-Identifier: Apache-2.0
#include "nn/pooling.h"

#include <math.h>

size_t memo_pool_tokens(memo_pooling mode, memo_rows states, size_t n_tokens, size_t dim,
                        double *sum)
{
    size_t first = mode == MEMO_POOLING_LAST ? n_tokens - 1 : 0;
    size_t n = mode == MEMO_POOLING_MEAN ? n_tokens : 1;

    for (size_t t = first; t < first + n; t++) {
        const float *row = states.data + t * states.ld;
        for (size_t i = 0; i < dim; i++)
            sum[i] += (double)row[i];
    }
    return n;
}

int memo_pool_finish(const double *v, size_t dim, int unit, float *out)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += v[i] * v[i];
    double length = sqrt(sum);
    if (!isfinite(length) || length == 0)
        return 0;
    double divisor = unit ? length : 1;
    for (size_t i = 0; i < dim; i++) {
        out[i] = (float)(v[i] / divisor);
        if (!isfinite(out[i]))
            return 0;
    }
    return 1;
}
