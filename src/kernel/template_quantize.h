// SPDX-License-Identifier: Apache-2.0
/* kernel/template_quantize.h -- rows of activations to bytes, once for all vector levels; V() and the
 * primitives are those of vec.h and these. No guard on purpose.
 *
 *   store_bytes(q, x)  16 integral floats in -127..127 as bytes, each XOR INT8_ZERO
 *
 *   INT8_ZERO          0 for signed bytes; 0x80, which adds 128, for an unsigned dot product */

/* Two chains each for the maximum and for what spots a NaN or an infinity: x * 0 is then NaN. */
void V(memo_quantize_row_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q, float *scale)
{
    size_t tail = n % VEC_LANES, whole = n - tail, i = 0;
    V(f32) none = V(set1)(0.0f);
    V(f32) max0 = none, max1 = none, odd0 = none, odd1 = none;
    for (; i + 2 * VEC_LANES <= whole; i += 2 * VEC_LANES) {
        V(f32) x0 = V(load)(x + i), x1 = V(load)(x + i + VEC_LANES);
        max0 = V(max)(V(abs)(x0), max0);
        max1 = V(max)(V(abs)(x1), max1);
        odd0 = V(fma)(x0, none, odd0);
        odd1 = V(fma)(x1, none, odd1);
    }
    for (; i < n; i += VEC_LANES) {
        V(f32) x0 = i < whole ? V(load)(x + i) : V(load_part)(x + i, tail);
        max0 = V(max)(V(abs)(x0), max0);
        odd0 = V(fma)(x0, none, odd0);
    }
    float absmax = V(max_lane)(V(max)(max0, max1));
    float odd = V(sum)(V(add)(odd0, odd1));
    float factor = 127.0f / absmax;
    if (odd != 0.0f || factor > FLT_MAX) {
        memset(q, INT8_ZERO, n_pad);
        *scale = odd != 0.0f ? NAN : 0.0f;
        return;
    }
    *scale = absmax / 127.0f;
    V(f32) factors = V(set1)(factor);
    for (i = 0; i < whole; i += VEC_LANES)
        V(store_bytes)(q + i, V(round)(V(mul)(V(load)(x + i), factors)));
    if (tail) {
        V(store_bytes)(q + i, V(round)(V(mul)(V(load_part)(x + i, tail), factors)));
        i += VEC_LANES;
    }
    memset(q + i, INT8_ZERO, n_pad - i);
}
