// SPDX-License-Identifier: Apache-2.0
/* kernel/template_lanes.h -- functions of 16 lanes, once for all vector levels; V() and the primitives
 * are those of vec.h. Included by each level file inside its target region: no guard on purpose.
 *
 * The polynomials are weighted least-squares fits driven to the minimax error, with coefficients
 * rounded to float afterwards. The errors stated are those of the finished functions over all 2^32
 * floats (`memo_check --exhaustive`). */

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2, exp(r) by degree 6 (error 2^-28).
 * At the clamps the result is already 0 and infinity. 0.92 ULP. */
KERNEL_INLINE V(f32) V(exp_lanes)(V(f32) x)
{
    x = V(max)(V(set1)(-104.0f), V(min)(V(set1)(89.0f), x));
    V(f32) n = V(round)(V(mul)(x, V(set1)(0x1.715476p+0f))); /* 1 / ln 2 */
    V(f32) r = V(fma)(n, V(set1)(-0x1.62e430p-1f), x);       /* ln 2, high part */
    r = V(fma)(n, V(set1)(0x1.05c610p-29f), r);              /* and what it lacks */
    V(f32) p = V(set1)(0x1.6db42ap-10f);
    p = V(fma)(p, r, V(set1)(0x1.123b54p-7f));
    p = V(fma)(p, r, V(set1)(0x1.55545ep-5f));
    p = V(fma)(p, r, V(set1)(0x1.55548ep-3f));
    p = V(fma)(p, r, V(set1)(0.5f));
    p = V(fma)(p, r, V(set1)(1.0f));
    p = V(fma)(p, r, V(set1)(1.0f));
    return V(scale2)(p, n);
}

/* |x| < 1: x + x P(x^2), degree 6 (error 2^-29). Beyond: a polynomial of degree 14 around the
 * middle of [1, 3.92] (error 2^-27), at whose end erf has rounded to 1. 1.27 ULP. */
KERNEL_INLINE V(f32) V(erf_lanes)(V(f32) x)
{
    V(f32) s = V(mul)(x, x);
    V(f32) p = V(set1)(0x1.4ae4d0p-14f);
    p = V(fma)(p, s, V(set1)(-0x1.a485ecp-11f));
    p = V(fma)(p, s, V(set1)(0x1.5419f6p-8f));
    p = V(fma)(p, s, V(set1)(-0x1.b7fbb4p-6f));
    p = V(fma)(p, s, V(set1)(0x1.ce2d20p-4f));
    p = V(fma)(p, s, V(set1)(-0x1.81273ep-2f));
    p = V(fma)(p, s, V(set1)(0x1.06eba8p-3f));
    V(f32) near = V(fma)(p, x, x);

    V(f32) a = V(min)(V(set1)(3.92f), V(abs)(x));
    V(f32) t = V(fma)(a, V(set1)(0x1.5eaf58p-1f), V(set1)(-0x1.af57acp+0f)); /* (a - 2.46) / 1.46 */
    V(f32) q = V(set1)(0x1.ece256p-13f);
    q = V(fma)(q, t, V(set1)(0x1.566944p-17f));
    q = V(fma)(q, t, V(set1)(-0x1.b8e76ap-10f));
    q = V(fma)(q, t, V(set1)(0x1.a28056p-10f));
    q = V(fma)(q, t, V(set1)(0x1.bf5c18p-9f));
    q = V(fma)(q, t, V(set1)(-0x1.284d70p-7f));
    q = V(fma)(q, t, V(set1)(0x1.de3114p-8f));
    q = V(fma)(q, t, V(set1)(0x1.aa1df2p-8f));
    q = V(fma)(q, t, V(set1)(-0x1.d1cccep-6f));
    q = V(fma)(q, t, V(set1)(0x1.718028p-5f));
    q = V(fma)(q, t, V(set1)(-0x1.710ce2p-5f));
    q = V(fma)(q, t, V(set1)(0x1.f55a7cp-6f));
    q = V(fma)(q, t, V(set1)(-0x1.c86b5ep-7f));
    q = V(fma)(q, t, V(set1)(0x1.fc4f5cp-9f));
    q = V(fma)(q, t, V(set1)(0x1.ffbe06p-1f));
    return V(select_lt)(V(abs)(x), V(set1)(1.0f), near, V(copysign)(q, x));
}

/* |x| < 0.55: x + x^3 P(x^2), degree 4 (error 2^-30). Beyond: 1 - 2 / (exp(2 |x|) + 1).
 * 1.59 ULP. */
KERNEL_INLINE V(f32) V(tanh_lanes)(V(f32) x)
{
    V(f32) s = V(mul)(x, x);
    V(f32) p = V(set1)(-0x1.9bbb44p-8f);
    p = V(fma)(p, s, V(set1)(0x1.5956b2p-6f));
    p = V(fma)(p, s, V(set1)(-0x1.b92bc0p-5f));
    p = V(fma)(p, s, V(set1)(0x1.110d3cp-3f));
    p = V(fma)(p, s, V(set1)(-0x1.55554cp-2f));
    V(f32) near = V(fma)(V(mul)(p, s), x, x);

    V(f32) a = V(abs)(x);
    V(f32) one = V(set1)(1.0f);
    V(f32) e = V(exp_lanes)(V(add)(a, a));
    V(f32) far = V(sub)(one, V(div)(V(set1)(2.0f), V(add)(e, one)));
    return V(copysign)(V(select_lt)(a, V(set1)(0.55f), near, far), x); /* tanh(-0) is -0 */
}

/* x Phi(x) with Phi(x) = 1/2 + z P(z^2), z = x clamped to +-5.48, P of degree 15 in
 * t = 2 z^2 / 5.48^2 - 1 (error 2^-27; at t = -1 all terms have one sign, so nothing cancels).
 * At the clamps Phi is exactly 0 and 1, because the product is rounded before 1/2 is added.
 * 2.10 ULP of |x|; more terms gain nothing, what is left is rounding. */
KERNEL_INLINE V(f32) V(gelu_erf_lanes)(V(f32) x)
{
    V(f32) z = V(max)(V(set1)(-5.48f), V(min)(V(set1)(5.48f), x));
    V(f32) t = V(fma)(V(mul)(z, z), V(set1)(0x1.10ca4cp-4f), V(set1)(-1.0f));
    V(f32) p = V(set1)(-0x1.d2d53ap-13f);
    p = V(fma)(p, t, V(set1)(0x1.37bdaep-11f));
    p = V(fma)(p, t, V(set1)(-0x1.0823b6p-11f));
    p = V(fma)(p, t, V(set1)(0x1.71cc0cp-11f));
    p = V(fma)(p, t, V(set1)(-0x1.3330d4p-9f));
    p = V(fma)(p, t, V(set1)(0x1.25c2e0p-8f));
    p = V(fma)(p, t, V(set1)(-0x1.b540cap-8f));
    p = V(fma)(p, t, V(set1)(0x1.4a3958p-7f));
    p = V(fma)(p, t, V(set1)(-0x1.e66548p-7f));
    p = V(fma)(p, t, V(set1)(0x1.4b9576p-6f));
    p = V(fma)(p, t, V(set1)(-0x1.a9be8cp-6f));
    p = V(fma)(p, t, V(set1)(0x1.06d354p-5f));
    p = V(fma)(p, t, V(set1)(-0x1.3e7f1cp-5f));
    p = V(fma)(p, t, V(set1)(0x1.88501cp-5f));
    p = V(fma)(p, t, V(set1)(-0x1.07c902p-4f));
    p = V(fma)(p, t, V(set1)(0x1.083bcep-3f));
    return V(mul)(x, V(add)(V(mul)(z, p), V(set1)(0.5f)));
}

/* x Phi(x) with Phi(x) = 1/2 + x P(x^2), P of degree 6, clamped to 0..1: where the polynomial leaves
 * that range, beyond 3.82, it never comes back, because its last coefficient is positive; so large x
 * give exactly x and -0. Coefficients: the linear program that minimizes e over -e <= error <= e up
 * to Phi^-1(1 - e) and error >= -e beyond. 2^-13.87 |x|. */
KERNEL_INLINE V(f32) V(gelu_erf_fast_lanes)(V(f32) x)
{
    V(f32) s = V(mul)(x, x);
    V(f32) p = V(set1)(0x1.32d464p-25f);
    p = V(fma)(p, s, V(set1)(-0x1.2b9b6ap-19f));
    p = V(fma)(p, s, V(set1)(0x1.f78de8p-15f));
    p = V(fma)(p, s, V(set1)(-0x1.e5bc56p-11f));
    p = V(fma)(p, s, V(set1)(0x1.30abbep-7f));
    p = V(fma)(p, s, V(set1)(-0x1.0d117cp-4f));
    p = V(fma)(p, s, V(set1)(0x1.983b64p-2f));
    p = V(fma)(x, p, V(set1)(0.5f));
    return V(mul)(x, V(max)(V(set1)(0.0f), V(min)(V(set1)(1.0f), p)));
}

/* x (1 + tanh u) / 2 = x / (1 + exp(-2u)), 2u = sqrt(8 / pi) (x + 0.044715 x^3). 1.61 ULP of |x|. */
KERNEL_INLINE V(f32) V(gelu_tanh_lanes)(V(f32) x)
{
    V(f32) cubic = V(fma)(V(mul)(x, x), V(set1)(-0x1.2444f2p-4f), V(set1)(-0x1.988454p+0f));
    V(f32) e = V(exp_lanes)(V(mul)(x, cubic)); /* -2u */
    return V(div)(x, V(add)(V(set1)(1.0f), e));
}
