// SPDX-License-Identifier: Apache-2.0
/* memory/context/context_pack.h -- inside a context: its pieces, which of them are alike, and how they are
 * written down. context.c chooses. */
#ifndef MEMO_MEMORY_CONTEXT_CONTEXT_PACK_H
#define MEMO_MEMORY_CONTEXT_CONTEXT_PACK_H

#include <memolith/context.h>

#include "base/arena.h"
#include "base/buf.h"
#include "text/shingles.h"

/* One hit, a chunk that may become part of the context. */
typedef struct memo_piece {
    const memo_hit *hit;
    size_t rank;     /* from 1 */
    size_t n_tokens; /* of a passage of it alone */
    double value;
    int chosen;
    int duplicate;
    memo_shingles words; /* memo_piece_read(); the hashes are in the arena */
} memo_piece;

/* Read the words of the hit's text. `room` is used again from piece to piece. */
memo_status memo_piece_read(memo_piece *piece, memo_shingles *room, memo_arena *arena,
                            memo_err *err);
/* Whether most of what a says stands in b. */
int memo_piece_repeats(const memo_piece *a, const memo_piece *b);

/* Whether b goes on where a ends, in one record. */
int memo_piece_follows(const memo_piece *a, const memo_piece *b);

/* Neighbouring pieces as one: parts [n_parts] in the order of the record's text. */
typedef struct memo_part {
    const memo_piece **parts;
    size_t n_parts;
    const memo_piece *best; /* of lowest rank */
} memo_part;

/* Append the text of the passages; `parts` [n] in the order in which they are to stand. */
void memo_context_render(memo_buf *out, memo_context_format format, const memo_part *parts,
                         size_t n);

#endif
