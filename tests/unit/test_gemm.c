// SPDX-License-Identifier: Apache-2.0
/* The kernel tables as callers see them; the kernels themselves are tested by memo_check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "kernel/kernels.h"

static void test_kernels_for_every_level_or_null(void **state)
{
    (void)state;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu <= MEMO_CPU_AVX512; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!memo_cpu_has(cpu)) {
            assert_null(kernels);
            continue;
        }
        if (kernels)
            assert_int_equal(kernels->cpu, cpu);
    }
    assert_non_null(memo_kernels_for(MEMO_CPU_REF));
    assert_null(memo_kernels_for((memo_cpu)999));
}

static void test_kernels_for_auto_is_the_best(void **state)
{
    (void)state;
    const memo_kernels *best = memo_kernels_for(MEMO_CPU_AUTO);
    assert_non_null(best);
    for (memo_cpu cpu = MEMO_CPU_REF; cpu <= MEMO_CPU_AVX512; cpu++) {
        if (memo_kernels_for(cpu))
            assert_true(best->cpu >= cpu);
    }
}

/* Small whole numbers, so that every order of summation gives the same exact result. */
static void test_gemm_exact_on_whole_numbers(void **state)
{
    (void)state;
    enum { M = 29, N = 39, K = 21, PANELS = (N + MEMO_PANEL - 1) / MEMO_PANEL };
    static float a[M * K], rows[N * K], bias[N], residual[M * N], c[M * N];
    static _Alignas(64) float w[PANELS * K * MEMO_PANEL];
    for (int i = 0; i < M * K; i++)
        a[i] = (float)(i % 7 - 3);
    for (int i = 0; i < N * K; i++)
        rows[i] = (float)(i % 5 - 2);
    for (int i = 0; i < N; i++)
        bias[i] = (float)(i - 20);
    for (int i = 0; i < M * N; i++)
        residual[i] = (float)(i % 11);
    for (memo_cpu cpu = MEMO_CPU_REF; cpu <= MEMO_CPU_AVX512; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels)
            continue;
        kernels->pack_panels_f32(N, K, rows, K, w, K * MEMO_PANEL);
        memo_gemm_f32 g = {M,        N, K, a, K, w, K * MEMO_PANEL, bias, c, N, MEMO_EPILOGUE_ADD,
                           residual, N};
        memo_gemm_f32_run(kernels, &g);
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                float want = bias[j] + residual[i * N + j];
                for (int x = 0; x < K; x++)
                    want += a[i * K + x] * rows[j * K + x];
                assert_true(c[i * N + j] == want);
            }
        }
    }
}

/* A 400-row product crosses several blocks of rows; each row is the product of that row alone. */
static void test_gemm_row_does_not_depend_on_the_batch(void **state)
{
    (void)state;
    enum { M = 400, N = 48, K = 700 };
    static float a[M * K], c[M * N], alone[N];
    static _Alignas(64) float w[N * K];
    for (int i = 0; i < M * K; i++)
        a[i] = sinf((float)i);
    for (int i = 0; i < N * K; i++)
        w[i] = cosf((float)(i * 3));
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
    memo_gemm_f32 g = {.m = M,
                       .n = N,
                       .k = K,
                       .a = a,
                       .lda = K,
                       .w = w,
                       .panel_stride = K * MEMO_PANEL,
                       .c = c,
                       .ldc = N,
                       .epilogue = MEMO_EPILOGUE_GELU_ERF};
    memo_gemm_f32_run(kernels, &g);
    g.m = 1;
    g.c = alone;
    for (int i = 0; i < M; i++) {
        g.a = a + i * K;
        memo_gemm_f32_run(kernels, &g);
        assert_memory_equal(alone, c + i * N, sizeof alone);
    }
}

static void test_gemm_empty_sizes(void **state)
{
    (void)state;
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
    float bias[3] = {1.0f, -2.0f, 3.0f}, c[6] = {9.0f, 9.0f, 9.0f, 9.0f, 9.0f, 9.0f};
    static _Alignas(64) float w[MEMO_PANEL];
    memo_gemm_f32 g = {.m = 0, .n = 3, .k = 0, .a = c, .w = w, .bias = bias, .c = c, .ldc = 3};
    memo_gemm_f32_run(kernels, &g);
    g.m = 2;
    g.n = 0;
    memo_gemm_f32_run(kernels, &g);
    for (int i = 0; i < 6; i++)
        assert_true(c[i] == 9.0f);
    g.n = 3; /* k = 0: the bias alone */
    memo_gemm_f32_run(kernels, &g);
    for (int i = 0; i < 6; i++)
        assert_true(c[i] == bias[i % 3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_for_every_level_or_null),
        cmocka_unit_test(test_kernels_for_auto_is_the_best),
        cmocka_unit_test(test_gemm_exact_on_whole_numbers),
        cmocka_unit_test(test_gemm_row_does_not_depend_on_the_batch),
        cmocka_unit_test(test_gemm_empty_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
