// SPDX-License-Identifier: Apache-2.0
/* kernel/entries.h -- the entries of the level that V() names, so that a higher level can put them
 * into its table: memo_exp_f32_avx512 and so on. kernels.h is their contract. No guard on purpose. */

void V(memo_gemm_f32_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
void V(memo_gemm_f16_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
void V(memo_gemm_bf16_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
void V(memo_gemm_w8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
void V(memo_unpack_4bit)(const memo_unpack *unpack, size_t panel, size_t k, const uint8_t *from,
                         int8_t *to);
void V(memo_quantize_row_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q,
                               memo_int8_row *row);
void V(memo_quantize_static_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q,
                                  memo_int8_row *row);
void V(memo_gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
void V(memo_f16_to_f32)(size_t n, const uint16_t *h, float *y);
void V(memo_exp_f32)(size_t n, const float *x, float *y);
void V(memo_erf_f32)(size_t n, const float *x, float *y);
void V(memo_tanh_f32)(size_t n, const float *x, float *y);
void V(memo_gelu_erf_f32)(size_t n, const float *x, float *y);
void V(memo_gelu_tanh_f32)(size_t n, const float *x, float *y);
void V(memo_gelu_erf_fast_f32)(size_t n, const float *x, float *y);
void V(memo_add_f32)(size_t n, const float *a, const float *b, float *y);
void V(memo_scale_rows_f32)(size_t n_rows, size_t n, const float *factors, const float *x,
                            size_t ldx, float *y, size_t ldy);
void V(memo_softmax_tile_f32)(const memo_softmax_tile *tile);
void V(memo_layer_norm_f32)(size_t n, const float *x, const float *gain, const float *bias,
                            float eps, float *y);
float V(memo_dot_f32)(size_t n, const float *a, const float *b);
void V(memo_dot_rows_f32)(size_t n, const float *q, const float *rows, size_t stride, size_t n_rows,
                          float *out);
void V(memo_pack_panels_f32)(size_t n_rows, size_t n_cols, const float *src, size_t lds, float *dst,
                             size_t panel_stride);
