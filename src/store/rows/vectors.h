// SPDX-License-Identifier: Apache-2.0
/* store/rows/vectors.h -- rows of vectors, and how many of which there are in each space.
 *
 * Table `tallies` has a row a space: the number of its vectors, and the sum of their row checksums
 * modulo 2^64. Who keeps copies of vectors elsewhere proves by it, without reading them all, that they
 * are still the store's: the same number and sum are the same rows. It is derived, and kept by whoever
 * writes or removes vectors: through the calls below. Where it is wrong copies are not used. */
#ifndef MEMO_STORE_VECTORS_H
#define MEMO_STORE_VECTORS_H

#include "store/rows/rows.h"

/* Write one vector's row. */
memo_status memo_vector_put(memo_store *store, int64_t cid, int64_t space, int64_t ns, int64_t rid,
                            const float *vector, size_t dim, memo_err *err);
/* Remove the vectors of a record's chunks, in all spaces. */
memo_status memo_vectors_delete(memo_store *store, int64_t rid, memo_err *err);
/* Remove those of a namespace in a space. */
memo_status memo_vectors_delete_space(memo_store *store, int64_t ns, int64_t space, memo_err *err);

/* Before a commit: write down what the calls above have changed. */
memo_status memo_vector_sets_write(memo_store *store, memo_err *err);
/* Count all vectors again. */
memo_status memo_vector_sets_make(memo_sql *sql, memo_err *err);
/* *same: the table says what there is. */
memo_status memo_vector_sets_check(memo_sql *sql, int *same, memo_err *err);

#endif
