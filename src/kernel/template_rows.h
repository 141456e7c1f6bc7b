// SPDX-License-Identifier: Apache-2.0
/* kernel/template_rows.h -- kernels that reduce a row, once for all vector levels; V() and the
 * primitives are those of vec.h. No guard on purpose.
 *
 * A sum runs over 16 lanes, element i in lane i % 16, and ends in the tree of V(sum). */

/* Two passes, because E[x^2] - E[x]^2 loses all digits when the mean is large. */
void V(memo_layer_norm_f32)(size_t n, const float *x, const float *gain, const float *bias,
                            float eps, float *y)
{
    size_t tail = n % VEC_LANES, whole = n - tail;
    V(f32) sum = V(set1)(0.0f);
    for (size_t i = 0; i < whole; i += VEC_LANES)
        sum = V(add)(sum, V(load)(x + i));
    if (tail)
        sum = V(add)(sum, V(load_part)(x + whole, tail));
    float mean = V(sum)(sum) / (float)n;

    V(f32) mean_lanes = V(set1)(mean);
    V(f32) squares = V(set1)(0.0f);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        V(f32) d = V(sub)(V(load)(x + i), mean_lanes);
        squares = V(fma)(d, d, squares);
    }
    if (tail) {
        float rest[VEC_LANES] = {0};
        for (size_t i = 0; i < tail; i++)
            rest[i] = x[whole + i] - mean;
        V(f32) d = V(load)(rest);
        squares = V(fma)(d, d, squares);
    }
    V(f32) inverse = V(set1)(1.0f / sqrtf(V(sum)(squares) / (float)n + eps));

    for (size_t i = 0; i < whole; i += VEC_LANES) {
        V(f32) d = V(mul)(V(sub)(V(load)(x + i), mean_lanes), inverse);
        V(store)(y + i, V(fma)(d, V(load)(gain + i), V(load)(bias + i)));
    }
    if (tail) {
        V(f32) d = V(mul)(V(sub)(V(load_part)(x + whole, tail), mean_lanes), inverse);
        d = V(fma)(d, V(load_part)(gain + whole, tail), V(load_part)(bias + whole, tail));
        V(store_part)(y + whole, d, tail);
    }
}

/* Dot products of q with `rows` rows at once: loads of q are shared, and the chains of the rows
 * hide the latency of one another. Each row has one chain of its own whatever `rows` is. Several
 * streams are more than the hardware follows: the prefetch doubles the speed from memory. */
KERNEL_INLINE void V(dot_group)(const size_t rows, size_t n, const float *q, const float *x,
                                size_t stride, float *out)
{
    size_t tail = n % VEC_LANES, whole = n - tail;
    V(f32) acc[DOT_ROWS];
    for (size_t r = 0; r < rows; r++)
        acc[r] = V(set1)(0.0f);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        V(f32) lanes = V(load)(q + i);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            acc[r] = V(fma)(lanes, V(load)(x + r * stride + i), acc[r]);
            if (rows > 1) /* the next group; past the last one a prefetch does no harm */
                __builtin_prefetch(x + (rows + r) * stride + i, 0, 2);
        }
    }
    if (tail) {
        V(f32) lanes = V(load_part)(q + whole, tail);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            acc[r] = V(fma)(lanes, V(load_part)(x + r * stride + whole, tail), acc[r]);
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        out[r] = V(sum)(acc[r]);
}

float V(memo_dot_f32)(size_t n, const float *a, const float *b)
{
    float out;
    V(dot_group)(1, n, a, b, 0, &out);
    return out;
}

void V(memo_dot_rows_f32)(size_t n, const float *q, const float *rows, size_t stride, size_t n_rows,
                          float *out)
{
    size_t i = 0;
    for (; i + DOT_ROWS <= n_rows; i += DOT_ROWS)
        V(dot_group)(DOT_ROWS, n, q, rows + i * stride, stride, out + i);
    for (; i < n_rows; i++)
        V(dot_group)(1, n, q, rows + i * stride, stride, out + i);
}

/* 4 x 4 blocks by V(transpose4) where rows and columns last, single elements at the edges. */
void V(memo_pack_panels_f32)(size_t n_rows, size_t n_cols, const float *src, size_t lds, float *dst,
                             size_t panel_stride)
{
    for (size_t row = 0; row < n_rows; row += MEMO_PANEL, dst += panel_stride) {
        size_t rows = n_rows - row < MEMO_PANEL ? n_rows - row : MEMO_PANEL;
        for (size_t r = 0; r < MEMO_PANEL; r += 4) {
            const float *from = src + (row + r) * lds;
            size_t i = 0;
            for (; r + 4 <= rows && i + 4 <= n_cols; i += 4)
                V(transpose4)(from + i, lds, dst + i * MEMO_PANEL + r, MEMO_PANEL);
            for (; i < n_cols; i++) {
                for (size_t j = 0; j < 4; j++)
                    dst[i * MEMO_PANEL + r + j] = r + j < rows ? from[j * lds + i] : 0.0f;
            }
        }
    }
}
