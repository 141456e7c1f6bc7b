// SPDX-License-Identifier: Apache-2.0
/* quant/half.h -- the 16-bit float formats as single precision; both conversions are exact. */
#ifndef MEMO_QUANT_HALF_H
#define MEMO_QUANT_HALF_H

#include <stdint.h>

float memo_f16_to_f32(uint16_t bits);  /* IEEE binary16, subnormals included */
float memo_bf16_to_f32(uint16_t bits); /* the upper half of a float */

#endif
