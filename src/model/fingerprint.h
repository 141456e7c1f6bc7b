// SPDX-License-Identifier: Apache-2.0
/* model/fingerprint.h -- the identity of a model: SHA-256 of its logical content.
 *
 * It sees values, scales and recipe, never packing or what follows from them. Fed in the order of
 * the layout: begin; then for each slot its head, all its rows, its side tensors; then the rest.
 *
 *   begin   "memolith fingerprint 1", class                        a plain layout
 *           "memolith fingerprint 2"                               any other
 *   head    name, n_rows, n_cols; of any other layout the format as it is written
 *   rows    logical rows, model/slot_rows.h
 *   side    ".input", scale and offset; ".multiplier", [n_rows, n_blocks]; ".palette", one for each
 *           8 rows; ".scale", as stored
 *   rest    the tokenizer's tables, the recipe
 *
 * Two heads, so that models that an earlier version compiled keep their identity. */
#ifndef MEMO_MODEL_FINGERPRINT_H
#define MEMO_MODEL_FINGERPRINT_H

#include "base/hash.h"
#include "model/layout.h"

typedef struct memo_fingerprint {
    memo_sha256 *sha; /* owned */
    int plain;
} memo_fingerprint;

/* `fingerprint` is zeroed by the caller, and must be released also on failure. */
memo_status memo_fingerprint_begin(memo_fingerprint *fingerprint, const memo_layout *layout,
                                   memo_class cls, memo_err *err);
void memo_fingerprint_fini(memo_fingerprint *fingerprint);

void memo_fingerprint_slot(const memo_fingerprint *fingerprint, const memo_slot *slot);
void memo_fingerprint_rows(const memo_fingerprint *fingerprint, const memo_slot *slot,
                           const void *rows, size_t n_rows);
/* data [MEMO_STORED_KINDS]: the side tensors as they are stored. */
void memo_fingerprint_side(const memo_fingerprint *fingerprint, const memo_slot *slot,
                           const void *const *data);
/* The rest, and the digest in hex. */
memo_status memo_fingerprint_end(memo_fingerprint *fingerprint, const void *tokenizer,
                                 size_t n_bytes, const memo_recipe *recipe,
                                 char hex[2 * MEMO_SHA256_BYTES + 1], memo_err *err);

#endif
