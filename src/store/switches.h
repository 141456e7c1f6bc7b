// SPDX-License-Identifier: Apache-2.0
/* store/switches.h -- a namespace on its way from one vector space to another.
 *
 * While it is on its way searches see the old space; vectors of the next one gather beside it, chunk by
 * chunk. A chunk's text never changes and its id is never reused, ids only grow: so one pass upwards
 * over the ids meets every chunk, also those that others add meanwhile, and a pass that was
 * interrupted goes on with the chunks that have no vector yet.
 *
 * Table `switches` has a row for a namespace that has been, or is being, switched:
 *   since_seq  change number of the last switch: it has the current space since then; 0: never
 *   next       the space it is on its way to, or null
 *   previous   the one before the current, whose vectors are still there, or null */
#ifndef MEMO_STORE_SWITCHES_H
#define MEMO_STORE_SWITCHES_H

#include "store/store.h"

typedef struct memo_store_switch {
    int64_t since_seq;
    int64_t next, previous; /* 0: none */
} memo_store_switch;

/* Zeroes when there is no row; MEMO_ERR_CORRUPT when it fails its checksum. */
memo_status memo_store_get_switch(memo_store *store, int64_t ns, memo_store_switch *out,
                                  memo_err *err);

/* memo_store_begin_switch() -- write: from now on the namespace is on its way to `space`. Vectors of
 * another space that it was on its way to are dropped. Its current space: it stays where it is. */
memo_status memo_store_begin_switch(memo_store *store, const memo_store_ns *ns, int64_t space,
                                    memo_err *err);

/* memo_store_finish_switch() -- write: `space` is the current one, the change sequence grows by one.
 *   keep  non-zero: the old space's vectors stay, it is the previous one; else they are dropped
 * Vectors of the space that was the previous one until now are dropped. Where it is the current one
 * already, nothing is changed. */
memo_status memo_store_finish_switch(memo_store *store, const memo_store_ns *ns, int64_t space,
                                     int keep, memo_err *err);

/* Write. Drop the previous space's vectors; never those of the current one. */
memo_status memo_store_drop_previous(memo_store *store, const memo_store_ns *ns, memo_err *err);

/* A chunk that has no vector in a space. */
typedef struct memo_store_lacking {
    int64_t chunk, record;
    memo_text text;    /* its span, in the arena */
    const char *title; /* of the record, for its first chunk; NULL for the others */
    const char *id;    /* of the record */
    /* What the caller has made of it. */
    const float *vector; /* [dim of the space]; NULL: none could be made */
    size_t n_tokens;     /* as the space's model counts: kept with the chunk; 0: not counted */
} memo_store_lacking;

typedef struct memo_store_lackings {
    memo_arena *arena; /* set by the caller, like the next two */
    size_t limit;
    int64_t
        after;  /* the chunk behind which to begin, from 0; moved behind the last one looked at */
    int at_end; /* there is none behind it */
    size_t n;
    memo_store_lacking *list; /* [n], by chunk */
    size_t n_damaged; /* chunks passed over because they or their record fail their checksum */
} memo_store_lackings;

/* The next ones of a namespace, at most `limit`; a long text is read once a call, and what is given is
 * at most MEMO_LACKING_BYTES beyond one chunk. */
#define MEMO_LACKING_BYTES ((size_t)4 << 20)
memo_status memo_store_find_lacking(memo_store *store, int64_t ns, int64_t space,
                                    memo_store_lackings *out, memo_err *err);

/* Chunks of a namespace, and how many of them have a vector in the space. */
memo_status memo_store_count_space(memo_store *store, int64_t ns, int64_t space, uint64_t *n_chunks,
                                   uint64_t *n_vectors, memo_err *err);

/* memo_store_fill_lacking() -- write: keep a chunk's vector.
 *   *written  0: the chunk is gone, or has one by now */
memo_status memo_store_fill_lacking(memo_store *store, int64_t ns, int64_t space,
                                    const memo_store_lacking *chunk, size_t dim, int *written,
                                    memo_err *err);

/* The records of a namespace, cut by whoever makes vectors, that have a chunk of more than `most`
 * tokens: up to `limit` ids in the arena, behind row `after` (moved). */
typedef struct memo_store_overlong {
    memo_arena *arena;
    size_t limit;
    int64_t after;
    size_t n;
    const char **ids; /* [n] */
} memo_store_overlong;
memo_status memo_store_find_overlong(memo_store *store, int64_t ns, size_t most,
                                     memo_store_overlong *out, memo_err *err);

/* Each space once, in order of id, with what it holds; strings are borrowed. */
typedef int (*memo_store_space_fn)(void *user, const memo_store_space *space, uint64_t n_vectors);
memo_status memo_store_each_space(memo_store *store, memo_store_space_fn fn, void *user,
                                  memo_err *err);

#endif
