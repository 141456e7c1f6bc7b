// SPDX-License-Identifier: Apache-2.0
#include "text/words.h"

#include <utf8proc.h>

#include "base/utf8.h"

static int words_is_part(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CO:
        return 1;
    default:
        return 0;
    }
}

int memo_word_next(memo_text text, size_t at, memo_word *word)
{
    size_t i = at, step;
    uint32_t c = 0;
    int inside = 0;

    word->unspaced = 0;
    for (; i < text.n_bytes; i += step) {
        step = 1;
        c = (unsigned char)text.bytes[i];
        if (c >= 0x80)
            step = memo_utf8_decode(text.bytes + i, text.n_bytes - i, &c);
        if (!step)
            return 0;
        if (words_is_part(c)) {
            if (!inside)
                word->begin = i;
            inside = 1;
            word->unspaced |= c >= 0x80 && memo_utf8_is_unspaced(c);
        } else if (inside) {
            break;
        }
    }
    word->end = i;
    return inside;
}

char *memo_word_lower(memo_arena *arena, const char *text, size_t n_bytes)
{
    /* The lower case of one character may take more bytes: U+023A has 2, its lower case 3. */
    char *out = memo_arena_array(arena, n_bytes + 1, 2);
    size_t n = 0, step;
    uint32_t c = 0;

    for (size_t i = 0; out && i < n_bytes; i += step) {
        step = memo_utf8_decode(text + i, n_bytes - i, &c);
        if (!step)
            break;
        n += memo_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), out + n);
    }
    return out;
}

int memo_is_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

int memo_text_is_blank(const char *text, size_t n_bytes)
{
    uint32_t c = 0;
    size_t step;

    for (size_t i = 0; i < n_bytes; i += step) {
        step = memo_utf8_decode(text + i, n_bytes - i, &c);
        if (!step)
            return 0;
        if (!memo_is_space(c) && c >= 0x20 && (c < 0x7F || c > 0x9F))
            return 0;
    }
    return 1;
}
