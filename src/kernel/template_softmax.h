// SPDX-License-Identifier: Apache-2.0
/* kernel/template_softmax.h -- the weights of attention, once for all vector levels; V() and the
 * primitives are those of vec.h, exp is that of template_lanes.h. No guard on purpose. */

/* x, the lanes at .. at + 15 of a row, with -infinity outside of from .. to - 1. */
KERNEL_INLINE V(f32) V(softmax_seen)(V(f32) x, size_t at, size_t from, size_t to)
{
    static const float lane[VEC_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    V(f32) none = V(set1)(-INFINITY);
    V(f32) key = V(add)(V(load)(lane), V(set1)((float)at)); /* exact: a block has few keys */
    x = V(select_lt)(key, V(set1)((float)to), x, none);
    return V(select_lt)(key, V(set1)((float)from), none, x);
}

/* Keys from .. to - 1 of a row. The maximum is a number unless all are NaN; one that it missed comes
 * back through the sum. Both shifts are rounded before they are compared, so that their errors
 * cancel in the quotient. */
KERNEL_INLINE void V(softmax_row)(const memo_softmax_tile *t, size_t r, size_t from, size_t to)
{
    float *x = t->x + r * t->ld;
    size_t begin = from / VEC_LANES * VEC_LANES, pad = (t->n_keys + 31) / 32 * 32;
    V(f32) lanes = V(set1)(-INFINITY);
    for (size_t i = begin; i < to; i += VEC_LANES) {
        V(f32) some = V(load)(x + i);
        if (i < from || to - i < VEC_LANES) {
            some = V(softmax_seen)(some, i, from, to);
            V(store)(x + i, some);
        }
        lanes = V(max)(lanes, some);
    }
    float before = t->first ? -INFINITY : t->largest[r], largest = V(max_lane)(lanes);
    largest = largest > before ? largest : before;

    V(f32) scale = V(set1)(t->scale), shift = V(set1)(-(t->scale * largest));
    V(f32) sum = V(set1)(0.0f);
    size_t i = 0;
    for (; i < begin; i += VEC_LANES)
        V(store)(x + i, V(set1)(0.0f));
    for (; i < to; i += VEC_LANES) {
        V(f32) e = V(exp_lanes)(V(fma)(scale, V(load)(x + i), shift));
        V(store)(x + i, e);
        sum = V(add)(sum, e);
    }
    for (; i < pad; i += VEC_LANES)
        V(store)(x + i, V(set1)(0.0f));
    t->largest[r] = largest;
    t->rescale[r] = 1.0f;
    float total = V(sum)(sum);
    if (!t->first && before != largest) {
        float out[VEC_LANES];
        V(store)(out, V(exp_lanes)(V(add)(V(set1)(t->scale * before), shift)));
        t->rescale[r] = out[0];
    }
    t->sum[r] = t->first ? total : t->sum[r] * t->rescale[r] + total;
}

/* A row that sees no key of the block. */
KERNEL_INLINE void V(softmax_nothing)(const memo_softmax_tile *t, size_t r)
{
    for (size_t i = 0; i < (t->n_keys + 31) / 32 * 32; i += VEC_LANES)
        V(store)(t->x + r * t->ld + i, V(set1)(0.0f));
    if (t->first) {
        t->largest[r] = -INFINITY;
        t->sum[r] = 0.0f;
    }
    t->rescale[r] = 1.0f;
}

void V(memo_softmax_tile_f32)(const memo_softmax_tile *t)
{
    ptrdiff_t n = (ptrdiff_t)t->n_keys;
    for (size_t r = 0; r < t->n_rows; r++) {
        ptrdiff_t from = t->from + (ptrdiff_t)r, to = t->to + (ptrdiff_t)r;
        from = from > 0 ? from : 0;
        to = to < n ? to : n;
        if (from < to)
            V(softmax_row)(t, r, (size_t)from, (size_t)to);
        else
            V(softmax_nothing)(t, r);
    }
}
