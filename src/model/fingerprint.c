// SPDX-License-Identifier: Apache-2.0
#include "model/fingerprint.h"

#include <string.h>

#include "base/error.h"
#include "model/slot_rows.h"
#include "quant/pack.h"
#include "quant/palette.h"

static void fingerprint_u64(memo_sha256 *sha, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    memo_sha256_update(sha, bytes, sizeof bytes);
}

/* A word and the NUL that ends it. */
static void fingerprint_word(memo_sha256 *sha, const char *word)
{
    memo_sha256_update(sha, word, strlen(word) + 1);
}

memo_status memo_fingerprint_begin(memo_fingerprint *f, const memo_layout *layout, memo_class cls,
                                   memo_err *err)
{
    f->plain = memo_layout_is_plain(layout, cls);
    f->sha = memo_sha256_new();
    if (!f->sha)
        return memo_fail_nomem(err, "the fingerprint", 0);
    fingerprint_word(f->sha, f->plain ? "memolith fingerprint 1" : "memolith fingerprint 2");
    if (f->plain)
        fingerprint_word(f->sha, memo_class_name(cls));
    return MEMO_OK;
}

void memo_fingerprint_fini(memo_fingerprint *f)
{
    memo_sha256_final(f->sha, NULL);
    f->sha = NULL;
}

void memo_fingerprint_slot(const memo_fingerprint *f, const memo_slot *slot)
{
    char format[MEMO_WEIGHT_FORMAT_TEXT];

    fingerprint_word(f->sha, slot->name);
    fingerprint_u64(f->sha, slot->n_rows);
    fingerprint_u64(f->sha, slot->n_cols);
    if (f->plain)
        return;
    memo_weight_format_put(&slot->format, format);
    fingerprint_word(f->sha, format);
}

void memo_fingerprint_rows(const memo_fingerprint *f, const memo_slot *slot, const void *rows,
                           size_t n_rows)
{
    memo_sha256_update(f->sha, rows, n_rows * memo_slot_row_bytes(slot));
}

/* Multipliers lie [n_panels, n_blocks, 16]: row by row. */
static void fingerprint_multipliers(memo_sha256 *sha, const memo_slot *slot, const uint8_t *stored)
{
    size_t n_blocks = memo_slot_n_blocks(slot);

    for (size_t row = 0; row < slot->n_rows; row++) {
        const uint8_t *panel = stored + row / MEMO_PANEL * n_blocks * MEMO_PANEL + row % MEMO_PANEL;
        for (size_t b = 0; b < n_blocks; b++)
            memo_sha256_update(sha, panel + b * MEMO_PANEL, 1);
    }
}

void memo_fingerprint_side(const memo_fingerprint *f, const memo_slot *slot,
                           const void *const *data)
{
    for (size_t i = 1; i < slot->n_stored; i++)
        switch ((memo_stored_kind)slot->kinds[i]) {
        case MEMO_STORED_INPUT:
            fingerprint_word(f->sha, ".input");
            memo_sha256_update(f->sha, data[MEMO_STORED_INPUT], 2 * sizeof(float));
            break;
        case MEMO_STORED_MULTIPLIER:
            fingerprint_word(f->sha, ".multiplier");
            fingerprint_multipliers(f->sha, slot, data[MEMO_STORED_MULTIPLIER]);
            break;
        case MEMO_STORED_PALETTE:
            fingerprint_word(f->sha, ".palette");
            memo_sha256_update(f->sha, data[MEMO_STORED_PALETTE],
                               (slot->n_rows + 7) / 8 * MEMO_PALETTE_SIZE);
            break;
        case MEMO_STORED_SCALE:
            fingerprint_word(f->sha, ".scale");
            memo_sha256_update(f->sha, data[MEMO_STORED_SCALE],
                               memo_slot_n_groups(slot) * slot->n_rows * sizeof(float));
            break;
        case MEMO_STORED_VALUES:
        case MEMO_STORED_SUM: /* follows from the values */
        case MEMO_STORED_KINDS:
            break;
        }
}

memo_status memo_fingerprint_end(memo_fingerprint *f, const void *tokenizer, size_t n_bytes,
                                 const memo_recipe *recipe, char hex[2 * MEMO_SHA256_BYTES + 1],
                                 memo_err *err)
{
    unsigned char digest[MEMO_SHA256_BYTES];

    fingerprint_u64(f->sha, n_bytes);
    memo_sha256_update(f->sha, tokenizer, n_bytes);
    memo_recipe_hash(recipe, f->sha);
    int hashed = memo_sha256_final(f->sha, digest);
    f->sha = NULL;
    if (!hashed)
        return memo_fail(err, MEMO_ERR_IO, "libcrypto could not compute a SHA-256");
    memo_hex(digest, sizeof digest, hex);
    return MEMO_OK;
}
