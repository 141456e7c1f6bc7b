// SPDX-License-Identifier: Apache-2.0
/* model/weight_format.h -- how one weight is stored and run, and how that is written.
 *
 * One grammar serves the file (which must say it, so that opening can hold every tensor against
 * it), the rules that a caller gives, the fingerprint and what is shown:
 *
 *   CLASS[/GRAIN][:ACTIVATIONS]
 *
 *   f32  f16  bf16             no grain, no activations: they multiply floats
 *   int8                       a scale for each row (channel)
 *   int8/tensor                one scale for all rows, stored once a row
 *   int8/32 int8/64 int8/128   a scale for each row and group of so many inputs
 *   int4/32 int4/64 int4/128   a multiplier for each row and block of so many inputs
 *   lut4/8 lut4/16 lut4/32     a palette for so many rows
 *   lut4/tensor                one palette
 *   ...                        quantized by the row, as it comes (dynamic; said by silence)
 *   ...:static                 quantized by the stored range of a calibration
 *   ...:none                   not quantized: the weights become floats inside the kernel */
#ifndef MEMO_MODEL_WEIGHT_FORMAT_H
#define MEMO_MODEL_WEIGHT_FORMAT_H

#include <memolith/model.h>

#define MEMO_GRAIN_TENSOR SIZE_MAX

typedef struct memo_weight_format {
    memo_class cls;
    memo_activations activations; /* of the integer classes */
    size_t grain; /* int8: inputs of a scale, 0 for all; int4: inputs of a multiplier; lut4: rows of
                     a palette; MEMO_GRAIN_TENSOR for one of a kind; else 0 */
} memo_weight_format;

#define MEMO_WEIGHT_FORMAT_TEXT 32 /* bytes that hold any of them */
#define MEMO_WEIGHT_FORMATS                                                                        \
    "f32, f16, bf16, int8, int8/tensor, int8/32, int8/64, int8/128, int4/32, int4/64, int4/128, "  \
    "lut4/8, lut4/16, lut4/32 and lut4/tensor, the integer ones also with :none or :static"

/* Weights are bytes or less, with scales. */
int memo_class_is_integer(memo_class cls);
/* By name; 0 when there is no such class. `n` bytes of name. */
int memo_class_find(const char *name, size_t n, memo_class *cls);
/* "dynamic", "none", "static". */
const char *memo_activations_name(memo_activations activations);

/* Write it. */
void memo_weight_format_put(const memo_weight_format *format, char text[MEMO_WEIGHT_FORMAT_TEXT]);

/* memo_weight_format_read() -- the inverse.
 *
 *   defaults  [MEMO_CLASSES] what silence about grain and activations means, by class; NULL: a text
 *             from a file, which is silent about nothing but dynamic
 *
 * Returns 0 when the text is none of the list above; `format` is then as it was. */
int memo_weight_format_read(const char *text, size_t n, const memo_weight_format *defaults,
                            memo_weight_format *format);

#define MEMO_CLASSES (MEMO_CLASS_LUT4 + 1)

#endif
