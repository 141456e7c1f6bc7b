// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/echo.h -- is a text only what this store has just shown?
 *
 * What was shown are passages, and who writes them back cuts and joins them: so a text is compared with
 * all recent passages together. All their shingles lie in one sorted list; of a text the share is
 * counted that is found there. The list is kept with the handle and made anew only when other passages
 * have been shown, so the writes that follow a search cost a look-up for each word. */
#ifndef MEMO_MEMORY_INGEST_ECHO_H
#define MEMO_MEMORY_INGEST_ECHO_H

#include "memory/db.h"
#include "text/shingles.h"

#define MEMO_ECHO_PASSAGES 64 /* the newest count */

typedef struct memo_echo_passage {
    int64_t rid, cid;
    size_t n_words; /* shingles that it has */
} memo_echo_passage;

typedef struct memo_echo_item {
    uint64_t hash;
    uint32_t passage;
} memo_echo_item;

/* Zeroed: nothing was shown. */
typedef struct memo_echo {
    size_t n, n_items, cap;
    memo_echo_passage passages[MEMO_ECHO_PASSAGES]; /* [n] newest first */
    memo_echo_item *items;                          /* [n_items] by hash */
} memo_echo;

void memo_echo_free(memo_echo *echo);

/* memo_echo_look() -- bring db->echo to what was shown in a namespace at or after since_ms, to `actor`
 * (NULL: to anybody), or when nobody said to whom. */
memo_status memo_echo_look(memo_db *db, const char *ns, int64_t since_ms, const char *actor,
                           memo_err *err);

/* The record (not `self`) of which a text with these shingles has most, and which share of them was
 * shown; *rid 0: it is no echo. */
void memo_echo_find(const memo_echo *echo, const memo_shingles *words, int64_t self, int64_t *rid,
                    double *score);

#endif
