// SPDX-License-Identifier: Apache-2.0
/* check_math.c -- element-wise kernels against libm in double. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MATH_CASES 400
#define MATH_DENSE (1u << 19) /* floats spread over all bit patterns, by default */

typedef void (*math_kernel)(size_t n, const float *x, float *y);

typedef struct math_function {
    const char *name;
    double (*exact)(double x);
    double bound_ulp; /* as kernels.h states it */
    int ulp_of_x;     /* the unit is that of |x|, not of the result */
    size_t entry;     /* offset in the table */
} math_function;

static double math_gelu_erf(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

static double math_gelu_tanh(double x)
{
    return x / (1.0 + exp(-1.59576912160573071176 * (x + 0.044715 * x * x * x)));
}

#define MATH_ENTRY(field) offsetof(memo_kernels, field)
static const math_function math_functions[] = {
    {"exp_f32", exp, 1.0, 0, MATH_ENTRY(exp_f32)},
    {"erf_f32", erf, 2.0, 0, MATH_ENTRY(erf_f32)},
    {"tanh_f32", tanh, 2.0, 0, MATH_ENTRY(tanh_f32)},
    {"gelu_erf_f32", math_gelu_erf, 2.5, 1, MATH_ENTRY(gelu_erf_f32)},
    {"gelu_tanh_f32", math_gelu_tanh, 2.0, 1, MATH_ENTRY(gelu_tanh_f32)},
    /* 2^-13.8 |x| where an ULP is least: 2^-24 |x| */
    {"gelu_erf_fast_f32", math_gelu_erf, 1176.0, 1, MATH_ENTRY(gelu_erf_fast_f32)},
};
#undef MATH_ENTRY

static math_kernel math_entry(const memo_kernels *kernels, const math_function *f)
{
    math_kernel kernel;
    memcpy(&kernel, (const char *)kernels + f->entry, sizeof kernel);
    return kernel;
}

/* Distance from |a| to the next float. */
static double math_ulp(double a)
{
    float f = fminf(fabsf((float)a), FLT_MAX);
    int e;
    frexpf(f, &e);
    return ldexp(1.0, (e < -125 ? -125 : e) - 24);
}

/* Error in ULP; infinite when a special value is not what it must be. */
static double math_error(const math_function *f, float x, float y, double exact)
{
    if (isnan(exact) || isnan(y))
        return isnan(exact) && isnan(y) ? 0.0 : INFINITY;
    if (y == (float)exact)
        return signbit(y) == signbit((float)exact) || f->ulp_of_x ? 0.0 : INFINITY;
    if (isinf(y))
        return INFINITY;
    return fabs((double)y - exact) / math_ulp(f->ulp_of_x ? (double)x : exact);
}

static void math_compare(check *c, const math_function *f, size_t n, const float *x, const float *y)
{
    for (size_t i = 0; i < n; i++) {
        double exact = f->exact((double)x[i]);
        double error = math_error(f, x[i], y[i], exact);
        if (!(error <= f->bound_ulp)) {
            check_fail(c, "f(%a) is %a, exact %.9g: %.3g ULP, allowed %.3g", (double)x[i],
                       (double)y[i], exact, error, f->bound_ulp);
            return;
        }
    }
}

/* Equally spaced bit patterns from a random start: every exponent, both signs, NaN, subnormals. */
static void math_check_dense(check *c, const math_function *f, math_kernel kernel)
{
    enum { BLOCK = 1024 };
    uint32_t bits = (uint32_t)memo_rng_u64(&c->rng), step = UINT32_MAX / MATH_DENSE | 1u;
    for (size_t done = 0; done < MATH_DENSE && !c->failed; done += BLOCK) {
        check_begin(c);
        float *x = check_new(c, BLOCK);
        for (size_t i = 0; i < BLOCK; i++, bits += step)
            memcpy(&x[i], &bits, sizeof bits);
        float *y = check_new(c, BLOCK);
        kernel(BLOCK, x, y);
        math_compare(c, f, BLOCK, x, y);
        if (c->peer) {
            float *other = check_new(c, BLOCK);
            math_entry(c->peer, f)(BLOCK, x, other);
            check_bits(c, "against the other vector level", y, other, BLOCK);
        }
    }
}

static void math_check(check *c, const char *name)
{
    const math_function *f = math_functions;
    while (strcmp(f->name, name))
        f++;
    math_kernel kernel = math_entry(c->kernels, f);
    for (int i = 0; i < MATH_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = check_size(c, 200);
        float *x = check_new_values(c, n, (check_values)(i % CHECK_N_VALUES));
        float *before = check_new_copy(c, x, n);
        float *y = check_new(c, n);
        kernel(n, x, y);
        check_bits(c, "input after the call", x, before, n);
        math_compare(c, f, n, x, y);
        for (size_t j = 0; j < n; j++) {
            float alone;
            kernel(1, x + j, &alone);
            check_bits(c, "in a longer call", y + j, &alone, 1);
        }
        kernel(n, x, x);
        check_bits(c, "in place", x, y, n);
        check_outside(c, name);
    }
    math_check_dense(c, f, kernel);
}

void check_exp_f32(check *c)
{
    math_check(c, "exp_f32");
}

void check_erf_f32(check *c)
{
    math_check(c, "erf_f32");
}

void check_tanh_f32(check *c)
{
    math_check(c, "tanh_f32");
}

void check_gelu_erf_f32(check *c)
{
    math_check(c, "gelu_erf_f32");
}

void check_gelu_tanh_f32(check *c)
{
    math_check(c, "gelu_tanh_f32");
}

/* Also the bits of the reference. */
void check_gelu_erf_fast_f32(check *c)
{
    enum { BLOCK = 1024 };
    const memo_kernels *ref = memo_kernels_for(MEMO_CPU_REF);
    math_check(c, "gelu_erf_fast_f32");
    uint32_t bits = (uint32_t)memo_rng_u64(&c->rng), step = UINT32_MAX / MATH_DENSE | 1u;
    for (size_t done = 0; done < MATH_DENSE && !c->failed; done += BLOCK) {
        check_begin(c);
        float *x = check_new(c, BLOCK), *y = check_new(c, BLOCK), *want = check_new(c, BLOCK);
        for (size_t i = 0; i < BLOCK; i++, bits += step)
            memcpy(&x[i], &bits, sizeof bits);
        c->kernels->gelu_erf_fast_f32(BLOCK, x, y);
        ref->gelu_erf_fast_f32(BLOCK, x, want);
        check_bits(c, "against level ref", y, want, BLOCK);
    }
}

void check_add_f32(check *c)
{
    for (int i = 0; i < MATH_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = check_size(c, 200);
        float *a = check_new_values(c, n, (check_values)(i % CHECK_N_VALUES));
        float *b = check_new_values(c, n, (check_values)(i / 3 % CHECK_N_VALUES));
        float *y = check_new(c, n), *want = check_new(c, n);
        for (size_t j = 0; j < n; j++)
            want[j] = a[j] + b[j];
        c->kernels->add_f32(n, a, b, y);
        check_bits(c, "sum", y, want, n);
        c->kernels->add_f32(n, a, b, a);
        check_bits(c, "in place", a, want, n);
        check_outside(c, "add_f32");
    }
}

/* Rows of the last one's length, so that the guard page lies right behind the last value. */
static size_t math_room(size_t n_rows, size_t n, size_t ld)
{
    return n_rows ? (n_rows - 1) * ld + n : 0;
}

void check_scale_rows_f32(check *c)
{
    for (int i = 0; i < MATH_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = check_size(c, 80), n_rows = check_size(c, 13);
        size_t ldx = n + memo_rng_below(&c->rng, 20), ldy = n + memo_rng_below(&c->rng, 20);
        size_t n_x = math_room(n_rows, n, ldx), n_y = math_room(n_rows, n, ldy);
        float *factors = check_new_values(c, n_rows, (check_values)(i / 3 % CHECK_N_VALUES));
        float *x = check_new_values(c, n_x, (check_values)(i % CHECK_N_VALUES));
        float *y = check_new(c, n_y), *want = check_new_copy(c, y, n_y);
        float *in_place = check_new_copy(c, x, n_x);
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t j = 0; j < n; j++)
                want[r * ldy + j] = in_place[r * ldx + j] = factors[r] * x[r * ldx + j];
        }
        c->kernels->scale_rows_f32(n_rows, n, factors, x, ldx, y, ldy);
        check_bits(c, "product", y, want, n_y);
        c->kernels->scale_rows_f32(n_rows, n, factors, x, ldx, x, ldx);
        check_bits(c, "in place", x, in_place, n_x);
        check_outside(c, "scale_rows_f32");
    }
}

int check_exhaustive(const char *kernel, const memo_kernels *const *levels, size_t n_levels)
{
    enum { BLOCK = 4096, MOST_LEVELS = 8 };
    static float x[BLOCK], y[BLOCK];
    static double exact[BLOCK];
    double worst[MOST_LEVELS] = {0};
    float worst_x[MOST_LEVELS] = {0};
    int excess = 0;
    const math_function *f = math_functions;
    while (strcmp(f->name, kernel))
        f++;
    for (uint64_t first = 0; first <= UINT32_MAX; first += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            uint32_t bits = (uint32_t)first + i;
            memcpy(&x[i], &bits, sizeof bits);
            exact[i] = f->exact((double)x[i]);
        }
        for (size_t l = 0; l < n_levels && l < MOST_LEVELS; l++) {
            math_entry(levels[l], f)(BLOCK, x, y);
            for (size_t i = 0; i < BLOCK; i++) {
                double error = math_error(f, x[i], y[i], exact[i]);
                if (error > worst[l]) {
                    worst[l] = error;
                    worst_x[l] = x[i];
                }
            }
        }
    }
    for (size_t l = 0; l < n_levels && l < MOST_LEVELS; l++) {
        printf("%-8s %-14s all 2^32 floats: at most %.3f ULP%s, at %a; allowed %.1f\n",
               memo_cpu_name(levels[l]->cpu), kernel, worst[l], f->ulp_of_x ? " of |x|" : "",
               (double)worst_x[l], f->bound_ulp);
        fflush(stdout);
        excess |= worst[l] > f->bound_ulp;
    }
    return excess;
}
