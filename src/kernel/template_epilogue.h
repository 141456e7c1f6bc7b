// SPDX-License-Identifier: Apache-2.0
/* kernel/template_epilogue.h -- the end of a GEMM tile, once for all vector levels; V() and the
 * primitives are those of vec.h and template_lanes.h. No guard on purpose. */

/* Elements of `rows` rows in panel p of the tile, which are in registers, to C. Each function runs
 * over all rows, so that their chains hide the latency of one another. */
KERNEL_INLINE void V(tile_store)(const size_t rows, size_t p, V(f32) * x, const memo_gemm_tile *t)
{
    float *c = t->c + p * MEMO_PANEL;
    switch (t->epilogue) {
    case MEMO_EPILOGUE_GELU_ERF:
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            x[r] = V(gelu_erf_lanes)(x[r]);
        break;
    case MEMO_EPILOGUE_GELU_TANH:
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            x[r] = V(gelu_tanh_lanes)(x[r]);
        break;
    case MEMO_EPILOGUE_GELU_ERF_FAST:
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            x[r] = V(gelu_erf_fast_lanes)(x[r]);
        break;
    case MEMO_EPILOGUE_ADD:
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            x[r] = V(add)(x[r], V(load)(t->residual + p * MEMO_PANEL + r * t->ld_residual));
        break;
    case MEMO_EPILOGUE_NONE:
        break;
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        V(store)(c + r * t->ldc, x[r]);
}
