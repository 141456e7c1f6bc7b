// SPDX-License-Identifier: Apache-2.0
#include "cli/limits.h"

#include <sqlite3.h>
#include <sys/resource.h>

#define LIMITS_SQLITE_LEAST  (UINT64_C(8) << 20)
#define LIMITS_PROCESS_LEAST (UINT64_C(512) << 20) /* libraries, texts, a model being compiled */
#define LIMITS_THREAD        (UINT64_C(8) << 20)
#define LIMITS_MOST          (UINT64_C(1) << 60)

/* A sanitizer's own tables are private data too, terabytes of them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITS_SANITIZED 1
#elif defined(__has_feature)
#define LIMITS_SANITIZED                                                                           \
    (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                        \
     __has_feature(memory_sanitizer))
#else
#define LIMITS_SANITIZED 0
#endif

static rlim_t limits_own_data = RLIM_INFINITY; /* what was set here */

char cli_limits_inherited(uint64_t *n_bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        *n_bytes = limit.rlim_cur;
        return 'v';
    }
    if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur != limits_own_data) {
        *n_bytes = limit.rlim_cur;
        return 'd';
    }
    return 0;
}

static void limits_lower_data(uint64_t n_bytes)
{
    struct rlimit limit;
    if (LIMITS_SANITIZED || (rlim_t)n_bytes != n_bytes || getrlimit(RLIMIT_DATA, &limit) != 0)
        return;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= n_bytes)
        return;
    limit.rlim_cur = (rlim_t)n_bytes;
    if (setrlimit(RLIMIT_DATA, &limit) == 0) /* a system that refuses goes on without */
        limits_own_data = limit.rlim_cur;
}

void cli_limits_set(uint64_t mem_limit_bytes, unsigned n_threads)
{
    if (mem_limit_bytes > LIMITS_MOST)
        return;
    uint64_t sqlite = mem_limit_bytes > LIMITS_SQLITE_LEAST ? mem_limit_bytes : LIMITS_SQLITE_LEAST;
    (void)sqlite3_hard_heap_limit64((sqlite3_int64)sqlite);
    limits_lower_data(mem_limit_bytes + sqlite + LIMITS_PROCESS_LEAST + n_threads * LIMITS_THREAD);
}
