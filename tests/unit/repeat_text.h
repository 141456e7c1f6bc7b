// SPDX-License-Identifier: Apache-2.0
/* unit/repeat_text.h -- large texts of one thing. */
#ifndef MEMO_REPEAT_TEXT_H
#define MEMO_REPEAT_TEXT_H

#include <stdlib.h>
#include <string.h>

/* `piece` repeated, at most n bytes, never cut inside; free(). */
static inline char *repeat_text(const char *piece, size_t n, size_t *n_bytes)
{
    size_t step = strlen(piece);
    char *text = malloc(n + 1);
    for (*n_bytes = 0; *n_bytes + step <= n; *n_bytes += step)
        memcpy(text + *n_bytes, piece, step);
    text[*n_bytes] = '\0';
    return text;
}

#endif
