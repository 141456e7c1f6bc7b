// SPDX-License-Identifier: Apache-2.0
#include "quant/half.h"

#include <string.h>

static float half_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
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
