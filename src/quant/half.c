// SPDX-License-Identifier: Apache-2.0
#include "quant/half.h"

#include <string.h>

static float half_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t half_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float memo_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = bits >> 10 & 0x1Fu;
    uint32_t fraction = bits & 0x3FFu;

    if (exponent == 31) /* infinity and NaN, payload kept */
        return half_from_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent) /* 2^(e - 15): the bias grows by 112 */
        return half_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f; /* zero or subnormal: an exact product */
    return sign ? -magnitude : magnitude;
}

float memo_bf16_to_f32(uint16_t bits)
{
    return half_from_bits((uint32_t)bits << 16);
}

/* v / 2^shift to the nearest integer, ties to even; shift in 1..24. */
static uint32_t half_shift_to_even(uint32_t v, uint32_t shift)
{
    return (v + (1u << (shift - 1)) - 1 + (v >> shift & 1u)) >> shift;
}

uint16_t memo_f16_from_f32(float x)
{
    uint32_t bits = half_to_bits(x);
    uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;

    if (magnitude > 0x7F800000u) /* NaN, made quiet */
        return (uint16_t)(sign | 0x7E00u | (magnitude >> 13 & 0x3FFu));
    if (magnitude >= 0x47800000u) /* 2^16; what rounds up to it becomes infinity by its carry */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude >= 0x38800000u) /* 2^-14: normal; a carry out of the fraction is right */
        return (uint16_t)(sign | half_shift_to_even(magnitude - (112u << 23), 13));
    /* In units of 2^-24, the step of subnormals, the value is significand / 2^shift. */
    uint32_t shift = 126 - (magnitude >> 23);
    if (shift > 24) /* below 2^-25: less than half a step */
        return (uint16_t)sign;
    return (uint16_t)(sign | half_shift_to_even((magnitude & 0x7FFFFFu) | 0x800000u, shift));
}

uint16_t memo_bf16_from_f32(float x)
{
    uint32_t bits = half_to_bits(x);

    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) /* NaN, made quiet */
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

size_t memo_f16_from_row(size_t n, const float *x, uint16_t *bits)
{
    size_t first = n;

    for (size_t i = n; i-- > 0;) {
        bits[i] = memo_f16_from_f32(x[i]);
        if ((bits[i] & 0x7C00u) == 0x7C00u)
            first = i;
    }
    return first;
}

size_t memo_bf16_from_row(size_t n, const float *x, uint16_t *bits)
{
    size_t first = n;

    for (size_t i = n; i-- > 0;) {
        bits[i] = memo_bf16_from_f32(x[i]);
        if ((bits[i] & 0x7F80u) == 0x7F80u)
            first = i;
    }
    return first;
}

void memo_f16_to_row(size_t n, const uint16_t *bits, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = memo_f16_to_f32(bits[i]);
}

void memo_bf16_to_row(size_t n, const uint16_t *bits, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = memo_bf16_to_f32(bits[i]);
}
