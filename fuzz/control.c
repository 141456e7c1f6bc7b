// SPDX-License-Identifier: Apache-2.0
/* control.c -- a target with a bug: after "MEM" it reads a byte past the end. Its run must fail, or
 * the runs of the other targets prove nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t control_sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* its own block, of exactly this size */
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (size >= 3 && copy[0] == 'M' && copy[1] == 'E' && copy[2] == 'M')
        control_sink = copy[size];
    free(copy);
    return 0;
}
