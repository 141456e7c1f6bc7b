// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/front.h -- what a Markdown file says of itself: the block before its text, its heading.
 *
 * Front matter is a line "---" at the very start, lines of YAML and a line "---" or "...". Of YAML this much is
 * read, after its 1.2 core schema:
 *
 *   key: plain words         a number, true or false where it is one (but not 007); ~ and null are nothing
 *   key: "quoted" or 'so'    \" \\ \/ \n \t; '' is one quote
 *   key: [a, "b"]            of scalars, on one line
 *   key:                     lines "- a", indented or not, follow: the same; none: nothing
 *   # comment
 *
 * A block that holds anything else (nested values, text over many lines, anchors, a key twice) is not
 * understood in parts: all of it stays text, as does one of more than 64 KiB. */
#ifndef MEMO_MEMORY_FRONT_H
#define MEMO_MEMORY_FRONT_H

#include <memolith/memory.h>

#include "base/arena.h"

#define MEMO_FRONT_BYTES ((size_t)64 << 10)

typedef struct memo_front {
    size_t n_bytes;          /* of the block with both of its lines; 0: there is none */
    const char *title;       /* or NULL */
    const char *const *tags; /* [n_tags]; NULL: nothing was said of them */
    size_t n_tags;
    int64_t created_ms;   /* of "created", else of "date"; 0: neither is a date */
    const char *metadata; /* JSON object of all else; NULL: there is nothing else */
} memo_front;

/* memo_front_read() -- the block at the start of a text, valid UTF-8; strings go to the arena.
 *
 * Of "title" and "tags" no value is a number: 1.10 and True stay as they were written. "tags" is a list, or
 * one text with commas. A "created" or "date" that is no date is metadata; of a date without a zone, UTC is
 * taken. Only MEMO_ERR_NOMEM. */
memo_status memo_front_read(memo_text text, memo_arena *arena, memo_front *front, memo_err *err);

/* The first heading of the first level, outside of fences, without its marks; n_bytes 0: none in the first
 * 64 KiB, or a longer one than a title should be. Borrowed from the text. */
memo_text memo_front_heading(memo_text text);

#endif
