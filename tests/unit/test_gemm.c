// SPDX-License-Identifier: Apache-2.0
/* The kernel tables as callers see them; the kernels themselves are tested by memo_check. */
#include "memo_test.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "kernel/kernels.h"
#include "kernel/levels.h"

static void test_kernels_for_every_level_or_null(void **state)
{
    (void)state;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
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
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        if (memo_kernels_for(cpu))
            assert_true(best->cpu >= cpu);
    }
}

/* A level that adds nothing to an entry names a lower one's: no entry is left out. The driver's buffers
 * hold the largest tile. */
static void test_kernels_tables_are_complete(void **state)
{
    (void)state;
    const memo_kernels *const levels[] = {
        memo_kernels_ref,        memo_kernels_avx2,       memo_kernels_avx512,
        memo_kernels_avx512vnni, memo_kernels_avx512bf16, memo_kernels_avx512bf16_on_floats,
        memo_kernels_amx,        memo_kernels_neon,       memo_kernels_neon_dot,
        memo_kernels_neon_i8mm,
    };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (!levels[i])
            continue;
        memo_kernels table = *levels[i];
        const size_t *words = (const size_t *)(const void *)&table;
        assert_true(table.cpu != MEMO_CPU_AUTO);
        if (!table.bf16_inputs) { /* these go with it */
            table.softmax_tile_bf16 = memo_kernels_ref->softmax_tile_bf16;
            table.rows_to_bf16 = memo_kernels_ref->rows_to_bf16;
            table.pack_panels_bf16 = memo_kernels_ref->pack_panels_bf16;
            table.pack_inputs_bf16 = memo_kernels_ref->pack_inputs_bf16;
        }
        if (!table.gemm_4bit.rows) /* all of it or nothing */
            table.gemm_4bit = table.gemm[MEMO_GEMM_INT8];
        table.bf16_inputs = 1; /* 0 is a value of it */
        for (size_t w = 1; w < sizeof table / sizeof *words; w++)
            assert_true(words[w] != 0); /* a count or a function; the first word is the level */
        for (size_t kind = 0; kind < MEMO_GEMM_KINDS; kind++) {
            size_t cols = table.gemm[kind].panels * MEMO_PANEL;
            assert_true(cols <= MEMO_TILE_COLS);
            assert_true(cols * table.gemm[kind].rows <= MEMO_TILE_FLOATS);
        }
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
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels)
            continue;
        kernels->pack_panels_f32(N, K, rows, K, w, K * MEMO_PANEL);
        memo_gemm g = {.m = M,
                       .n = N,
                       .k = K,
                       .a = a,
                       .lda = K * sizeof *a,
                       .w = w,
                       .panel_stride = K * MEMO_PANEL * sizeof *w,
                       .bias = bias,
                       .c = c,
                       .ldc = N,
                       .epilogue = MEMO_EPILOGUE_ADD,
                       .residual = residual,
                       .ld_residual = N};
        memo_gemm_run(kernels, &g);
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
    memo_gemm g = {.m = M,
                   .n = N,
                   .k = K,
                   .a = a,
                   .lda = K * sizeof *a,
                   .w = w,
                   .panel_stride = K * MEMO_PANEL * sizeof *w,
                   .c = c,
                   .ldc = N,
                   .epilogue = MEMO_EPILOGUE_GELU_ERF};
    memo_gemm_run(kernels, &g);
    g.m = 1;
    g.c = alone;
    for (int i = 0; i < M; i++) {
        g.a = a + i * K;
        memo_gemm_run(kernels, &g);
        assert_memory_equal(alone, c + i * N, sizeof alone);
    }
}

static void test_gemm_empty_sizes(void **state)
{
    (void)state;
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
    float bias[3] = {1.0f, -2.0f, 3.0f}, c[6] = {9.0f, 9.0f, 9.0f, 9.0f, 9.0f, 9.0f};
    static _Alignas(64) float w[MEMO_PANEL];
    memo_gemm g = {.m = 0, .n = 3, .k = 0, .a = c, .w = w, .bias = bias, .c = c, .ldc = 3};
    memo_gemm_run(kernels, &g);
    g.m = 2;
    g.n = 0;
    memo_gemm_run(kernels, &g);
    for (int i = 0; i < 6; i++)
        assert_true(c[i] == 9.0f);
    g.n = 3; /* k = 0: the bias alone */
    memo_gemm_run(kernels, &g);
    for (int i = 0; i < 6; i++)
        assert_true(c[i] == bias[i % 3]);
}

/* The machine that runs this may lack the tiles, so the check program proves the source of level amx
 * over an emulation. That the real level is that source with the real instructions shows in the
 * bytes of this program: tdpbssd of all four sums, ldtilecfg and tilerelease. */
static void test_gemm_amx_is_made_of_tile_instructions(void **state)
{
    (void)state;
    static const uint8_t masked[][5] = {
        /* every byte XOR 0xff, else the program would find this list */
        {0x3b, 0x1d, 0xb4, 0xa1, 0x3b}, /* tdpbssd tmm0, tmm4, tmm6: c4 e2 4b 5e c4 */
        {0x3b, 0x1d, 0xbc, 0xa1, 0x33}, /* tdpbssd tmm1, tmm4, tmm7 */
        {0x3b, 0x1d, 0xb4, 0xa1, 0x2a}, /* tdpbssd tmm2, tmm5, tmm6 */
        {0x3b, 0x1d, 0xbc, 0xa1, 0x22}, /* tdpbssd tmm3, tmm5, tmm7 */
        {0x3b, 0x1d, 0x87, 0xb6, 0x3f}, /* tilerelease: c4 e2 78 49 c0 */
    };
    if (!memo_kernels_amx)
        memo_test_skip("the level is not of this architecture");
    FILE *f = fopen("/proc/self/exe", "re");
    if (!f)
        memo_test_skip("/proc/self/exe is not there");
    static uint8_t program[64u << 20];
    size_t n = fread(program, 1, sizeof program, f);
    fclose(f);
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        uint8_t code[5];
        for (size_t b = 0; b < sizeof code; b++)
            code[b] = masked[i][b] ^ 0xff;
        assert_non_null(memmem(program, n, code, sizeof code));
    }
    /* ldtilecfg: the opcode of tilerelease with a place in memory and 0 in the middle field. */
    int found = 0;
    for (size_t i = 0; i + 5 <= n; i++) {
        int vex = program[i] == 0xc4 && (program[i + 1] & 0x1f) == 2 && program[i + 2] == 0x78;
        found |=
            vex && program[i + 3] == 0x49 && program[i + 4] < 0xc0 && (program[i + 4] & 0x38) == 0;
    }
    assert_int_equal(found, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_for_every_level_or_null),
        cmocka_unit_test(test_kernels_for_auto_is_the_best),
        cmocka_unit_test(test_gemm_exact_on_whole_numbers),
        cmocka_unit_test(test_gemm_row_does_not_depend_on_the_batch),
        cmocka_unit_test(test_gemm_empty_sizes),
        cmocka_unit_test(test_kernels_tables_are_complete),
        cmocka_unit_test(test_gemm_amx_is_made_of_tile_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
