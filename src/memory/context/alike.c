// SPDX-License-Identifier: Apache-2.0
/* Which pieces say what another has said, and which go on where another ends. */
#include <string.h>

#include "base/error.h"
#include "memory/context/context_pack.h"

#define ALIKE_PERCENT 80 /* of a text's shingles that the other has, too */

memo_status memo_piece_read(memo_piece *piece, memo_shingles *room, memo_arena *arena,
                            memo_err *err)
{
    const memo_text text = {piece->hit->text, piece->hit->text_bytes};
    memo_status status = memo_shingles_make_passage(room, text, err);
    if (status)
        return status;
    piece->words = (memo_shingles){room->n, room->n, NULL};
    piece->words.hashes = memo_arena_array(arena, room->n + 1, sizeof *room->hashes);
    if (!piece->words.hashes)
        return memo_fail_nomem(err, "words of a passage", room->n * sizeof *room->hashes);
    if (room->n)
        memcpy(piece->words.hashes, room->hashes, room->n * sizeof *room->hashes);
    return MEMO_OK;
}

/* Without words there is the text itself. */
int memo_piece_repeats(const memo_piece *a, const memo_piece *b)
{
    if (a->words.n)
        return memo_shingles_repeat(&a->words, &b->words, ALIKE_PERCENT);
    return a->hit->text_bytes == b->hit->text_bytes &&
           memcmp(a->hit->text, b->hit->text, a->hit->text_bytes) == 0;
}

int memo_piece_follows(const memo_piece *a, const memo_piece *b)
{
    return strcmp(a->hit->id, b->hit->id) == 0 && b->hit->chunk == a->hit->chunk + 1;
}
