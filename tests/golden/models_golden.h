// SPDX-License-Identifier: Apache-2.0
/* golden/models_golden.h -- what the files of golden_models share: counts of what was checked. */
#ifndef MEMO_MODELS_GOLDEN_H
#define MEMO_MODELS_GOLDEN_H

#include <memolith/memolith.h>

/* Count one check, and say what failed (the first 20). Returns ok. */
int golden_check(int ok, const char *suite, const char *fmt, ...) MEMO_PRINTF(3, 4);
void golden_skip(const char *suite, const char *reason);
/* Print the counts; the exit status. */
int golden_end(void);

/* Every model on the sentence pairs of a table; the first of paths [n_paths] is of class f32. */
void golden_run_sts(memo_ctx *ctx, const char *path, char *const *paths, size_t n_paths);

#endif
