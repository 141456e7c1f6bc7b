// SPDX-License-Identifier: Apache-2.0
/* memory/upkeep/findings.h -- a list of findings that grows, with what its strings need. */
#ifndef MEMO_MEMORY_FINDINGS_H
#define MEMO_MEMORY_FINDINGS_H

#include <memolith/memory.h>

#include "base/arena.h"

/* Zeroed: empty. */
typedef struct memo_finding_list {
    memo_findings findings; /* first: this is what a caller sees */
    memo_finding *list;     /* [cap], findings.findings */
    size_t cap;
    memo_arena arena;
    int out_of_memory; /* something could not be kept: the list is of no use */
} memo_finding_list;

/* A memo_store_finding_fn; `user` is the list. Strings are copied. */
void memo_finding_list_add(void *user, memo_finding_level level, const char *area,
                           const char *message, const char *hint);
/* MEMO_ERR_NOMEM when one could not be kept. */
memo_status memo_finding_list_check(const memo_finding_list *list, memo_err *err);
void memo_finding_list_fini(memo_finding_list *list);

/* In a block of its own, for memo_findings_free(); NULL: no memory. */
memo_finding_list *memo_finding_list_new(void);

#endif
