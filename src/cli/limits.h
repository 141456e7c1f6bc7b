// SPDX-License-Identifier: Apache-2.0
/* cli/limits.h -- the memory of the whole process, bounded at its start.
 *
 * The library bounds what one call plans (memo_ctx_options.mem_limit_bytes); SQLite and the C library
 * know nothing of that. The command owns its process and bounds both; a library must not. */
#ifndef MEMO_CLI_LIMITS_H
#define MEMO_CLI_LIMITS_H

#include <stdint.h>

/* Bound the process, from the largest working memory of one call and the threads that compute:
 *
 *   SQLite's heap  the same size, at least 8 MiB: what one transaction changes, and page caches
 *   private data   (RLIMIT_DATA) that, the working memory, 8 MiB for each thread and 512 MiB for all
 *                  else. What is mapped from files does not count. Only ever lowered; not bounded in
 *                  a sanitized build, whose tables are private data
 *
 * Beyond them an allocation fails, which is MEMO_ERR_NOMEM. An exabyte and more: no bound. */
void cli_limits_set(uint64_t mem_limit_bytes, unsigned n_threads);

/* A limit on the whole process that the command was started with: its size and the letter of ulimit
 * that sets it; 0: none. */
char cli_limits_inherited(uint64_t *n_bytes);

#endif
