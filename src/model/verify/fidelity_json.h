// SPDX-License-Identifier: Apache-2.0
/* model/verify/fidelity_json.h -- the report that a compiled model carries.
 *
 *   {"version": 1, "reference": FINGERPRINT, "reference_class": "f32",
 *    "tensors_equal": N, "tensors": [{"name", "snr_db", "max_abs_error", "largest"}, ...],
 *    "layer_texts": N, "layers": [{"cosine_mean", "cosine_min", "relative_error"}, ...],
 *    "against": {"texts", "cosine_mean", "cosine_p01", "cosine_min", "worst", "worst_text",
 *                "top10_overlap", "spearman"}}
 *
 * Figures are as in memo_fidelity_report; one that is no number, or beyond all numbers, is null. The
 * tensors stand in the order of the file, the layers begin with the embeddings. Class and extents of
 * a tensor are those of the model that carries the report, so the two cannot contradict. */
#ifndef MEMO_MODEL_FIDELITY_JSON_H
#define MEMO_MODEL_FIDELITY_JSON_H

#include <memolith/model.h>

#include "model/layout.h"

/* Bytes that the report of such a model takes at most, the NUL at its end included. */
size_t memo_fidelity_room(const memo_layout *layout, size_t n_layers);

/* A report with a reference, as text; memo_free() it. */
memo_status memo_fidelity_write(const memo_fidelity_report *report, char **json, memo_err *err);

/* memo_fidelity_read() -- the report of a model with this layout.
 *
 *   json    NUL-terminated, not trusted
 *   report  out; memo_fidelity_free() it
 *
 * MEMO_ERR_FORMAT, MEMO_ERR_VALUE or MEMO_ERR_LIMIT naming what it is that no report of such a model
 * could say; MEMO_ERR_UNSUPPORTED for another version. */
memo_status memo_fidelity_read(const char *json, const memo_layout *layout, size_t n_layers,
                               memo_fidelity_report **report, memo_err *err);

#endif
