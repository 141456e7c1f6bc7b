// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/likeness.h -- link what is written to what says the same, see memolith/links.h.
 *
 * A sketch is made of a text's shingles: the four that come first in an order that every text of a
 * namespace has in common. Two texts of Jaccard similarity J share none of them with probability
 * (1 - J)^4, 1 in 625 at J = 0.8. A longer sketch finds more and costs a row, and a page of the log,
 * for each hash with every record.
 *
 * Source: Broder, "On the resemblance and containment of documents", 1997. */
#ifndef MEMO_MEMORY_INGEST_LIKENESS_H
#define MEMO_MEMORY_INGEST_LIKENESS_H

#include "memory/db.h"
#include "text/shingles.h"

typedef struct memo_sketch {
    size_t n;
    int64_t hashes[MEMO_STORE_SKETCH];
} memo_sketch;

typedef struct memo_likeness {
    memo_db *db;
    memo_links_mode mode; /* never MEMO_LINKS_AS_STORED */
    int echo;             /* db->echo is to be asked */
    uint64_t seed;        /* of the namespace: texts of two have nothing in common */
    memo_shingles words, other;
} memo_likeness;

/* What a write is to do; `mode` is the caller's. */
memo_status memo_likeness_init(memo_likeness *l, memo_db *db, const char *ns, memo_links_mode mode,
                               memo_err *err);
/* Outside the lock: what was shown lately, to `actor`. */
memo_status memo_likeness_look(memo_likeness *l, const char *ns, const char *actor, memo_err *err);
void memo_likeness_fini(memo_likeness *l);

/* The sketch of a text; never empty. */
memo_status memo_likeness_sketch(memo_likeness *l, memo_text text, memo_sketch *sketch,
                                 memo_err *err);

/* Write: link a record that has just got this text. *linked (or NULL): it is like another. */
memo_status memo_likeness_link(memo_likeness *l, const memo_store_written *written, memo_text text,
                               const memo_sketch *sketch, int *linked, memo_err *err);

#endif
