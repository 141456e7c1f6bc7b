// SPDX-License-Identifier: Apache-2.0
/* memolith/search.h -- find records of a store again: filters, lanes, hits.
 *
 * A chapter of memory.h, which includes it. */
#ifndef MEMOLITH_SEARCH_H
#define MEMOLITH_SEARCH_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Filters have two spellings with the same answers, text and JSON (which begins with "{"):
 *
 *   tags = 'gift' and created >= '2025-07-01' and not (meta.place = 'Porto' or title exists)
 *   {"tags": "gift", "created": {">=": "2025-07-01"},
 *    "not": {"or": [{"meta.place": "Porto"}, {"title": {"exists": true}}]}}
 *
 *   fields     id key title text source tags created updated expires version trust tier pinned echo parent
 *              meta.NAME
 *   operators  = != < <= > >=   in (a, b)   between a and b   exists   prefix 's'   contains 's'
 *   values     'string' "string" 12 -3.5 true false null; dates 'YYYY-MM-DD', RFC 3339, or relative:
 *              now, now-7d (s m h d w), also 'now-7d'
 *   logic      and, or, not, parentheses; at most 256 nodes, depth 16 (MEMO_ERR_LIMIT)
 *
 * In JSON the members of an object all hold; "and" and "or" take a list of objects, "not" one object;
 * {"FIELD": value} is "=", {"FIELD": {"OP": operand}} any operator: a list for "in", two values for
 * "between", true or false for "exists"; a relative time is {"now": "-7d"}, or "now-7d" in a date.
 *
 * Types are strict: a text of the metadata that is compared with a number does not match; a value that
 * any other field cannot have, an unknown field and an unknown operator are MEMO_ERR_VALUE naming it
 * and its byte, or its place in the JSON. trust is 'trusted', 'untrusted' or 'unknown', tier 'goals',
 * 'hot' or 'rest' (or their numbers), pinned and echo are true or false (also 'yes' or 'no').
 * `tags = 'x'` means one of the tags is x; any other `!=` leaves out the records without the field.
 * Strings compare by bytes; integers are exact. Values are bound, never pasted into SQL. */

typedef struct memo_search_options {
    size_t size;
    const char *ns;
    size_t k; /* hits wanted, 0: 10; at most 1,000 (MEMO_ERR_LIMIT) */
    memo_search_mode mode;
    const char *where;   /* filter, NULL: all */
    int chunks;          /* non-zero: every chunk is a hit; default: a record's best chunk */
    int64_t deadline_ms; /* from now, 0: none; what is found by then is returned with `partial` */
    const memo_vector *vector; /* searched by in the dense lane instead of the query's; needs no
                                  model. Without a query the mode is dense. NULL: the query's */
    const char *actor;         /* who asks, at most 128 bytes; kept with the search. NULL: nobody */
    const char *surface;       /* where, e.g. "chat", likewise */
    int no_log;                /* non-zero: this search is not kept (feedback.h) */
    double min_score;          /* of a hit; what is below is hidden and counted; 0: nothing is */
    double diversity;      /* 0: the best; towards 1: those that are unlike the ones before them */
    int drop_duplicates;   /* non-zero: hits that repeat a better one are hidden and counted */
    double recency;        /* weight of the recency lane; 0: 0.5 when the query asks for it (latest,
                             recent, today ...), else none; negative: none */
    double half_life_days; /* of the recency lane, 0: 30 */
    int64_t as_of_ms;      /* Unix ms: search what was there at that moment; 0: the present */
    int explain;           /* non-zero: memo_hits.plan is filled in */
    int no_terms; /* non-zero: `terms` of the hits stays empty; of many hits that is a third of
                              the time */
} memo_search_options;

typedef struct memo_hit {
    const char *id;
    const char *key; /* or NULL */
    const char *title;
    const char *text; /* the chunk, NUL-terminated */
    size_t text_bytes;
    size_t begin, end; /* byte span of the chunk in the record's text */
    size_t chunk;      /* its position, from 0 */
    double score;      /* hits are in descending order of it, unless `diversity` was asked for */
    memo_lane_score lanes[MEMO_N_LANES];
    const char *terms; /* matched words, space-separated, "" when none */
    const char *const *tags;
    size_t n_tags;
    const char *metadata_json;
    const char *source;
    int64_t created_ms;
    int64_t updated_ms;
    uint64_t version;        /* of the record */
    int trust, pinned, tier; /* as in memo_record_in */
    double probability;      /* 0..1 that it is a match; -1: not known (memo_db_calibrate()) */
} memo_hit;

typedef struct memo_search_timings {
    double embed_ms, filter_ms, dense_ms, lexical_ms, exact_ms, facts_ms, fuse_ms, fetch_ms,
        total_ms;
} memo_search_timings;

/* How a search went about it. */
typedef struct memo_search_plan {
    double weights[MEMO_N_LANES]; /* of each lane's ranks */
    size_t n_found[MEMO_N_LANES]; /* records, or chunks, that it ranked */
    int weighed;                  /* words and vectors count by what their hits lack as well */
    const char *filter; /* how SQLite finds what the filter lets through, steps joined by "; ": by
                                     which index, or a scan; "": there is no filter */
    int narrowed;       /* the namespace is small: words are looked for where its chunks lie */
    size_t n_scored;    /* vectors compared in floats */
    size_t n_indexed;   /* vectors in the index; 0: all were read from the store */
    size_t n_later;     /* vectors newer than the index, compared one by one */
    uint64_t index_seq; /* the change at which the index was made, */
    uint64_t store_seq; /* and that of the store (history.h) */
} memo_search_plan;

typedef struct memo_hits {
    size_t n;
    const memo_hit *hits; /* [n], best first; ties by best single rank, then by id */
    memo_search_mode mode;
    size_t n_searched;    /* chunks the filter let through (by the deadline, when partial) */
    size_t n_damaged;     /* rows left out because their checksum failed */
    size_t n_damaged_ids; /* <= n_damaged: at most 64 are named */
    const char *const *damaged_ids;        /* [n_damaged_ids] records, else "chunk N", "page N" */
    const char *lane_failed[MEMO_N_LANES]; /* damage kept this lane from answering: why; or NULL */
    int partial;                           /* the deadline cut it short */
    int query_truncated;                   /* the query has more tokens than the model takes */
    memo_search_timings timings;
    const char *model; /* name of the model that embedded the query, "" in lexical mode */
    char search_id[MEMO_ID_BYTES]; /* for memo_db_feedback(); "" when the search is not kept */
    const char *query_class;       /* "natural" or "identifier": decides the weights of the lanes */
    size_t n_hidden;               /* by min_score, of those that would have been shown */
    double best_hidden;            /* their best score */
    size_t n_duplicates;           /* hidden by drop_duplicates */
    int relevant; /* 1: a hit is a match more likely than not, or holds a name of the query, or (hybrid) all
                                its words but the most common ones;
                                0: none is, the hits are only the nearest there are; -1: not known,
                                the space is not calibrated */
    double best_probability; /* of any hit; -1: not known */
    const char
        *calibration; /* whence probabilities come: "store": memo_db_calibrate(); "model": known
                                of the model as it was published; "": they are not known */
    const memo_search_plan *plan; /* with `explain`; else NULL */
} memo_hits;

/* memo_db_search() -- find what is near a query.
 *
 *   query  UTF-8, not empty, unless a vector is given
 *   hits   out, free with memo_hits_free(); n may be 0
 *
 * Lanes are fused by weighted reciprocal rank (k = 60); a record whose key is in the query, or that
 * alone holds an identifier of it (ERR-4512, src/a.c, "quoted"), is not pushed below one that
 * matches neither. Words match by their English stem (unless the store is MEMO_FULLTEXT_PLAIN),
 * accents and case aside; in scripts without spaces (Chinese, Thai ...) any part of a run matches.
 *
 * Damage costs only what it touches: a row that fails its checksum is left out and named, and in
 * hybrid mode a lane whose pages are damaged is left out (lane_failed says why, and so does the log)
 * while the others answer. MEMO_ERR_CORRUPT: no lane of the mode could answer.
 *
 * With as_of_ms every lane, the filter and its `now` see the namespace as it was then: the versions of
 * that time, what had not expired, facts as they were recorded. The answer is that of a store that had
 * stopped there, less what was forgotten since. The first search of a moment copies the store into
 * memory, undoes later changes in the copy and embeds texts that have changed; it is kept for the
 * searches of the same moment that follow, until the store changes or the present is searched. Vectors
 * that were given ready are not kept with versions: where no embedder is, those texts are found by words
 * only. Such a search has no search_id; a damaged page fails it with MEMO_ERR_CORRUPT, a deadline that
 * passes while the store is copied with MEMO_ERR_DEADLINE.
 *
 * Never fewer than min(k, matches of the filter) hits in dense and hybrid mode.
 * MEMO_ERR_NOTFOUND: the namespace is empty; MEMO_ERR_MISMATCH: its vectors come from another model
 * (lexical mode still works). */
MEMO_API memo_status memo_db_search(memo_db *db, memo_text query,
                                    const memo_search_options *options, memo_hits **hits,
                                    memo_err *err);
MEMO_API void memo_hits_free(memo_hits *hits);

/* ---- calibration --------------------------------------------------------------------------- */

/* Two texts, a as a query and b as a document, and whether b answers a. */
typedef struct memo_pair {
    memo_text a, b;
    int match;
} memo_pair;

typedef struct memo_calibrate_options {
    size_t size;
    const char *ns;
    const memo_pair *pairs; /* [n_pairs]; NULL: pairs of the store's own records */
    size_t n_pairs;
    memo_progress_fn progress; /* stage "embed", counts pairs */
    void *progress_user;
} memo_calibrate_options;

typedef struct memo_calibration {
    size_t size;
    double slope, offset; /* probability = 1 / (1 + exp(-(slope * cosine + offset))) */
    double error;         /* expected calibration error on the pairs held out of the fit */
    size_t n_pairs, n_held_out;
    int64_t made_ms;
} memo_calibration;

/* memo_db_calibrate() -- find out what a cosine of this model says about a match, and keep it.
 *
 * A cosine of 0.4 is a sure match for one model and nothing for another. What is known of a published
 * model (all-MiniLM-L6-v2) serves until a store is calibrated; of others nothing is. Fits a logistic curve to the
 * cosines of pairs that match and pairs that do not: the caller's, or the store's own (a title or a
 * first sentence with the rest of its text, and with that of another record). Half of the pairs are
 * held out, and the error is measured on them. Own pairs say how a store's texts lie apart; labelled
 * pairs of real questions say more. It holds for the space of the namespace, wherever that is used.
 *
 * MEMO_ERR_VALUE: fewer than 20 pairs of either kind, or pairs that match are not nearer than others;
 * MEMO_ERR_USAGE: nothing here can embed. */
MEMO_API memo_status memo_db_calibrate(memo_db *db, const memo_calibrate_options *options,
                                       memo_calibration *calibration, memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
