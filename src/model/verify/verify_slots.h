// SPDX-License-Identifier: Apache-2.0
/* model/verify/verify_slots.h -- stored weights, fed to a fingerprint, and what the fingerprint does
 * not see of them. */
#ifndef MEMO_MODEL_VERIFY_SLOTS_H
#define MEMO_MODEL_VERIFY_SLOTS_H

#include "model/compiled.h"
#include "model/fingerprint.h"

/* Buffers for 16 rows of the widest weight, in one block. */
typedef struct memo_verify_strip {
    void *rows;    /* unpacked; owns the block */
    void *again;   /* packed once more */
    int8_t *bytes; /* what codes stand for */
} memo_verify_strip;

memo_status memo_verify_strip_init(memo_verify_strip *strip, const memo_layout *layout,
                                   memo_err *err);
void memo_verify_strip_fini(memo_verify_strip *strip);

/* memo_verify_slot() -- feed one slot to the fingerprint as the compiler did, 16 rows at a time.
 *
 * MEMO_ERR_CORRUPT naming the weight when padding is not what it must be, a sum is not that of its
 * bytes, or a scale, multiplier, palette or range is none that a compiler writes. */
memo_status memo_verify_slot(const memo_compiled *file, const memo_slot *slot,
                             const memo_verify_strip *strip, const memo_fingerprint *fingerprint,
                             memo_err *err);

#endif
