// SPDX-License-Identifier: Apache-2.0
#include "text/fold.h"

#include <string.h>
#include <utf8proc.h>

#include "base/error.h"
#include "base/utf8.h"
#include "text/words.h"

#define FOLD_OPTIONS                                                                               \
    (UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE)

/* In place: runs of white space become one space, those at the ends nothing. */
static void fold_spaces(char *text, size_t n)
{
    size_t out = 0, step;
    int space = 0;
    for (size_t i = 0; i < n; i += step) {
        uint32_t c = 0;
        step = memo_utf8_decode(text + i, n - i, &c);
        if (!step)
            break;
        if (memo_is_space(c)) {
            space = out > 0;
            continue;
        }
        if (space)
            text[out++] = ' ';
        space = 0;
        memmove(text + out, text + i, step);
        out += step;
    }
    text[out] = '\0';
}

memo_status memo_fold_name(memo_arena *arena, const char *text, size_t n_bytes, char **folded,
                           memo_err *err)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_int32_t *points = NULL;
    utf8proc_ssize_t n =
        utf8proc_decompose(bytes, (utf8proc_ssize_t)n_bytes, NULL, 0, FOLD_OPTIONS);

    if (n >= 0) { /* one more than the characters, for the NUL of their encoding */
        points = memo_arena_array(arena, (size_t)n + 1, sizeof *points);
        if (!points)
            return memo_fail_nomem(err, "a name", (size_t)n * sizeof *points);
        n = utf8proc_decompose(bytes, (utf8proc_ssize_t)n_bytes, points, n, FOLD_OPTIONS);
    }
    if (n >= 0)
        n = utf8proc_reencode(points, n, FOLD_OPTIONS);
    if (n < 0)
        return memo_fail(err, MEMO_ERR_VALUE, "the name cannot be folded: %s", utf8proc_errmsg(n));
    *folded = (char *)points;
    fold_spaces(*folded, (size_t)n);
    return MEMO_OK;
}
