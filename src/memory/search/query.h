// SPDX-License-Identifier: Apache-2.0
/* memory/search/query.h -- what a query asks for by its letters: words, names and its class.
 *
 *   words    runs of letters and digits, as FTS5's unicode61 cuts them. Common English words are
 *            left out of the word search while any other word remains; they say where nothing is.
 *            A script written without spaces is one run to unicode61: such a word is searched as
 *            the beginning of a run, and everywhere else by its parts (store/rows/parts.h).
 *   needles  what must stand in a text letter by letter for the exact lane: what the query puts in
 *            "quotes" or `backticks`, identifiers in it, and the whole query when it is at most
 *            MEMO_QUERY_PHRASE_WORDS words.
 *   class    decides the weights of the lanes.
 *
 * An identifier is a run without white space that holds digits next to letters (ERR-4512, v2.1),
 * five digits or more, `_ / \ @ # ::` or a dot between letters (not e.g.), or a capital after a
 * small letter.
 * Everything here reads the query as text: no character of it is an operator. */
#ifndef MEMO_MEMORY_QUERY_H
#define MEMO_MEMORY_QUERY_H

#include <memolith/memory.h>

#include "base/arena.h"

#define MEMO_QUERY_MAX_WORDS    256 /* distinct words that are searched; later ones are not */
#define MEMO_QUERY_MAX_NEEDLES  16
#define MEMO_QUERY_PHRASE_WORDS 12

typedef enum memo_query_class {
    MEMO_QUERY_NATURAL,    /* a sentence or some words */
    MEMO_QUERY_IDENTIFIER, /* identifiers or quotes, with at most two other words */
} memo_query_class;

typedef struct memo_needle {
    const char *text;
    size_t n_bytes;
    int is_name; /* an identifier or quoted, not merely the whole query */
} memo_needle;

typedef struct memo_query {
    memo_query_class cls;
    size_t n_words;
    const char **words;        /* [n_words] lower case, distinct, in order */
    const char **word_matches; /* [n_words] full-text expression of one word */
    const char **word_parts;   /* [n_words] the same over parts of unspaced scripts; NULL: none */
    const char *match;         /* full-text expression of all words, joined by OR; NULL: no words */
    const char *parts;         /* of all parts of unspaced scripts; NULL: no such script */
    int wants_recent;          /* "latest", "today" ... */
    size_t n_needles;
    memo_needle needles[MEMO_QUERY_MAX_NEEDLES];
} memo_query;

/* `text` is valid UTF-8 and may hold NUL. Everything lives in `arena`. */
memo_status memo_query_parse(memo_text text, memo_arena *arena, memo_query *query, memo_err *err);

#endif
