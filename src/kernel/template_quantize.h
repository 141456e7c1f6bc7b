// SPDX-License-Identifier: Apache-2.0
/* kernel/template_quantize.h -- rows of activations to bytes, once for all vector levels; V() and the
 * primitives are those of vec.h and these. No guard on purpose.
 *
 *   store_bytes(q, x)  16 floats to the nearest integers, ties to even, which are in -127..127, as
 *                      bytes, each XOR INT8_ZERO
 *
 *   INT8_ZERO          0 for signed bytes; 0x80, which adds 128, for an unsigned dot product */

/* Two chains each for the ends of the range and for what spots a NaN or an infinity: x * 0 is then
 * NaN. The range holds 0, so the zeros of a short vector change nothing, and |x - offset| is at most
 * half of it: no byte needs a clamp. */
void V(memo_quantize_row_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q,
                               memo_int8_row *row)
{
    size_t tail = n % VEC_LANES, whole = n - tail, i = 0;
    V(f32) none = V(set1)(0.0f);
    V(f32) high0 = none, high1 = none, low0 = none, low1 = none, odd0 = none, odd1 = none;
    for (; i + 2 * VEC_LANES <= whole; i += 2 * VEC_LANES) {
        V(f32) x0 = V(load)(x + i), x1 = V(load)(x + i + VEC_LANES);
        high0 = V(max)(x0, high0);
        high1 = V(max)(x1, high1);
        low0 = V(min)(x0, low0);
        low1 = V(min)(x1, low1);
        odd0 = V(fma)(x0, none, odd0);
        odd1 = V(fma)(x1, none, odd1);
    }
    for (; i < n; i += VEC_LANES) {
        V(f32) x0 = i < whole ? V(load)(x + i) : V(load_part)(x + i, tail);
        high0 = V(max)(x0, high0);
        low0 = V(min)(x0, low0);
        odd0 = V(fma)(x0, none, odd0);
    }
    float high = V(max_lane)(V(max)(high0, high1)) * 0.5f;
    float low = V(max_lane)(V(sub)(none, V(min)(low0, low1))) * 0.5f;
    float odd = V(sum)(V(add)(odd0, odd1));
    float half = high + low, factor = 127.0f / half;
    if (odd != 0.0f || factor > FLT_MAX) {
        memset(q, INT8_ZERO, n_pad);
        *row = odd != 0.0f ? (memo_int8_row){NAN, 0.0f} : (memo_int8_row){0.0f, high - low};
        return;
    }
    *row = (memo_int8_row){half / 127.0f, high - low};
    V(f32) factors = V(set1)(factor), offset = V(set1)(row->offset);
    for (i = 0; i < whole; i += VEC_LANES)
        V(store_bytes)(q + i, V(mul)(V(sub)(V(load)(x + i), offset), factors));
    if (tail) {
        V(f32) last = V(mul)(V(sub)(V(load_part)(x + i, tail), offset), factors);
        V(store_bytes)(q + i, last);
        memset(q + n, INT8_ZERO, VEC_LANES - tail);
        i += VEC_LANES;
    }
    memset(q + i, INT8_ZERO, n_pad - i);
}

void V(memo_quantize_static_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q,
                                  memo_int8_row *row)
{
    size_t tail = n % VEC_LANES, whole = n - tail, i = 0;
    V(f32) scale = V(set1)(row->scale), offset = V(set1)(row->offset), none = V(set1)(0.0f);
    V(f32) low = V(set1)(-127.0f), high = V(set1)(127.0f), odd = none;
    for (; i < n; i += VEC_LANES) {
        V(f32) v = i < whole ? V(load)(x + i) : V(load_part)(x + i, tail);
        odd = V(fma)(v, none, odd);
        v = V(div)(V(sub)(v, offset), scale);
        V(store_bytes)(q + i, V(min)(V(max)(v, low), high));
    }
    memset(q + n, INT8_ZERO, n_pad - n);
    if (V(sum)(odd) != 0.0f)
        row->scale = NAN;
}
