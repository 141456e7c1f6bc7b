// SPDX-License-Identifier: Apache-2.0
/* kernel/template_math.h -- element-wise kernels, once for all vector levels; V() and the primitives
 * are those of vec.h, the functions those of template_lanes.h. No guard on purpose. */

/* y[i] = f(x[i]); the tail goes through the same operations. */
KERNEL_INLINE void V(map)(size_t n, const float *x, float *y, V(f32) (*f)(V(f32)))
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES)
        V(store)(y + i, f(V(load)(x + i)));
    if (i < n)
        V(store_part)(y + i, f(V(load_part)(x + i, n - i)), n - i);
}

void V(memo_exp_f32)(size_t n, const float *x, float *y)
{
    V(map)(n, x, y, V(exp_lanes));
}

void V(memo_erf_f32)(size_t n, const float *x, float *y)
{
    V(map)(n, x, y, V(erf_lanes));
}

void V(memo_tanh_f32)(size_t n, const float *x, float *y)
{
    V(map)(n, x, y, V(tanh_lanes));
}

void V(memo_gelu_erf_f32)(size_t n, const float *x, float *y)
{
    V(map)(n, x, y, V(gelu_erf_lanes));
}

void V(memo_gelu_tanh_f32)(size_t n, const float *x, float *y)
{
    V(map)(n, x, y, V(gelu_tanh_lanes));
}

void V(memo_gelu_erf_fast_f32)(size_t n, const float *x, float *y)
{
    V(map)(n, x, y, V(gelu_erf_fast_lanes));
}

void V(memo_add_f32)(size_t n, const float *a, const float *b, float *y)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES)
        V(store)(y + i, V(add)(V(load)(a + i), V(load)(b + i)));
    if (i < n)
        V(store_part)(y + i, V(add)(V(load_part)(a + i, n - i), V(load_part)(b + i, n - i)), n - i);
}

void V(memo_scale_rows_f32)(size_t n_rows, size_t n, const float *factors, const float *x,
                            size_t ldx, float *y, size_t ldy)
{
    size_t tail = n % VEC_LANES, whole = n - tail;
    for (size_t r = 0; r < n_rows; r++, x += ldx, y += ldy) {
        V(f32) factor = V(set1)(factors[r]);
        for (size_t i = 0; i < whole; i += VEC_LANES)
            V(store)(y + i, V(mul)(factor, V(load)(x + i)));
        if (tail)
            V(store_part)(y + whole, V(mul)(factor, V(load_part)(x + whole, tail)), tail);
    }
}

void V(memo_f16_to_f32)(size_t n, const uint16_t *h, float *y)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES)
        V(store)(y + i, V(load_f16)(h + i));
    if (i < n) {
        uint16_t rest[VEC_LANES] = {0};
        memcpy(rest, h + i, (n - i) * sizeof *h);
        V(store_part)(y + i, V(load_f16)(rest), n - i);
    }
}
