// SPDX-License-Identifier: Apache-2.0
/* model/compile/weights.h -- the weights of a source, found by name and read as float, a few rows at a
 * time. */
#ifndef MEMO_MODEL_WEIGHTS_H
#define MEMO_MODEL_WEIGHTS_H

#include "model/compile/source.h"

/* Where one slot of the layout comes from: up to three tensors, one below the other. */
typedef struct memo_weight_source {
    const memo_st_tensor *parts[MEMO_ARCHITECTURE_PARTS];
    size_t n_parts;
} memo_weight_source;

typedef struct memo_weight_map {
    memo_weight_source *slots; /* [layout->n_slots] */
    size_t n_unused;
    const char **unused; /* [n_unused] names of tensors that the recipe does not need */
} memo_weight_map;

/* memo_weight_map_init() -- match the source's tensors with the layout, one to one.
 *
 * MEMO_ERR_FORMAT naming the first tensor that is missing, or the first inside the encoder that the
 * config does not account for; MEMO_ERR_VALUE for a shape that contradicts the config;
 * MEMO_ERR_UNSUPPORTED for a type that is not a float. Tensors outside the encoder (a pooler, the
 * head of a task) become unused. `map` is zeroed by the caller and borrows names of the source. */
memo_status memo_weight_map_init(memo_weight_map *map, const memo_source *source,
                                 const memo_layout *layout, memo_err *err);
void memo_weight_map_fini(memo_weight_map *map);

/* Room for a few rows: as the source has them, and as float. */
typedef struct memo_strip {
    void *raw;   /* [MEMO_STRIP_RAW_BYTES(n_values)] */
    float *rows; /* [n_values] */
} memo_strip;

#define MEMO_STRIP_RAW_BYTES(n_values) (8 * (n_values))

/* memo_weight_read() -- values first .. first + n_values of a slot, row by row, into strip.rows.
 *
 *   strict  refuse NaN and infinity: MEMO_ERR_VALUE naming tensor and index. A double that is
 *           finite and does not fit a float is refused in any case. */
memo_status memo_weight_read(const memo_source *source, const memo_weight_source *weight,
                             uint64_t first, size_t n_values, int strict, memo_strip strip,
                             memo_err *err);

#endif
