// SPDX-License-Identifier: Apache-2.0
/* unit/limits_gauge.h -- what every refusal of a bad input may cost: under 100 ms of processor time,
 * under 64 MiB of memory, no block left behind, and (of a whole parser) time that is linear.
 *
 *   limits_gauge g = limits_begin();
 *   status = parse(...);
 *   limits_end(g, "what was parsed");
 *
 * Memory is counted twice: what the library allocates (limits_count_memory() installs the counter,
 * once and first), and how far the process grew, which sees jansson's as well. Sanitizers grow a
 * process by their own bookkeeping and slow it: there only leaks are judged. */
#ifndef MEMO_LIMITS_GAUGE_H
#define MEMO_LIMITS_GAUGE_H

#include <sys/resource.h>
#include <time.h>

#include <memolith/status.h>

#include "memo_test.h"

#define LIMITS_MS    100.0
#define LIMITS_BYTES ((uint64_t)64 << 20)

/* ---- allocations ----------------------------------------------------------------------------- */

/* Live and most bytes since limits_begin(). Tests run on one thread. */
static uint64_t limits_live_bytes, limits_peak_bytes;

#define LIMITS_PREFIX 16 /* the block's size in front of it; keeps the alignment */

static inline void *limits_realloc(void *user, void *p, size_t n)
{
    unsigned char *old = p ? (unsigned char *)p - LIMITS_PREFIX : NULL;
    uint64_t old_bytes = 0;

    (void)user;
    if (old)
        memcpy(&old_bytes, old, sizeof old_bytes);
    unsigned char *block = n < SIZE_MAX - LIMITS_PREFIX ? realloc(old, n + LIMITS_PREFIX) : NULL;
    if (!block)
        return NULL;
    uint64_t n_bytes = n;
    memcpy(block, &n_bytes, sizeof n_bytes);
    limits_live_bytes += n_bytes - old_bytes;
    if (limits_live_bytes > limits_peak_bytes)
        limits_peak_bytes = limits_live_bytes;
    return block + LIMITS_PREFIX;
}

static inline void *limits_malloc(void *user, size_t n)
{
    return limits_realloc(user, NULL, n);
}

static inline void limits_free(void *user, void *p)
{
    unsigned char *block = p ? (unsigned char *)p - LIMITS_PREFIX : NULL;
    uint64_t n_bytes = 0;

    (void)user;
    if (!block)
        return;
    memcpy(&n_bytes, block, sizeof n_bytes);
    limits_live_bytes -= n_bytes;
    free(block);
}

/* Before the first allocation of the program. */
static inline void limits_count_memory(void)
{
    static const memo_allocator counting = {limits_malloc, limits_realloc, limits_free, NULL};
    if (memo_set_allocator(&counting, NULL))
        abort();
}

/* ---- the gauge ------------------------------------------------------------------------------- */

typedef struct limits_gauge {
    double ms;
    int64_t live;
    uint64_t live_bytes;
    long rss_kib; /* most so far */
} limits_gauge;

static inline double limits_cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static inline long limits_rss_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return usage.ru_maxrss / 1024;
#else
    return usage.ru_maxrss;
#endif
}

static inline limits_gauge limits_begin(void)
{
    limits_peak_bytes = limits_live_bytes;
    return (limits_gauge){limits_cpu_ms(), memo_alloc_live(), limits_live_bytes, limits_rss_kib()};
}

static inline void limits_end_within(limits_gauge g, const char *what, double max_ms,
                                     uint64_t max_bytes)
{
    double ms = limits_cpu_ms() - g.ms;
    uint64_t grown = (uint64_t)(limits_rss_kib() - g.rss_kib) * 1024;
    uint64_t allocated = limits_peak_bytes - g.live_bytes;

    if (memo_alloc_live() != g.live)
        fail_msg("%.200s: %d blocks are left", what, (int)(memo_alloc_live() - g.live));
    if (MEMO_TEST_SANITIZED)
        return;
    if (ms > max_ms)
        fail_msg("%.200s: %.0f ms of processor time, at most %.0f", what, ms, max_ms);
    if (allocated > max_bytes || grown > LIMITS_BYTES)
        fail_msg("%.200s: %llu bytes allocated, the process grew by %llu, at most %llu", what,
                 (unsigned long long)allocated, (unsigned long long)grown,
                 (unsigned long long)max_bytes);
}

static inline void limits_end(limits_gauge g, const char *what)
{
    limits_end_within(g, what, LIMITS_MS, LIMITS_BYTES);
}

/* ---- linear time ----------------------------------------------------------------------------- */

/* fn(user, n_bytes) makes an input of about n_bytes and returns the milliseconds that parsing it
 * took; *n_bytes becomes its real size. Time per byte must stay flat from 64 KiB to `largest`: what
 * is quadratic costs a hundred times as much a byte at 16 MiB, the caches and a sort a few times. */
static inline void limits_check_linear(double (*fn)(size_t *n_bytes), size_t largest,
                                       const char *what)
{
    double first = 0;

    if (MEMO_TEST_SANITIZED || getenv("MEMO_QUICK"))
        largest = largest < (1u << 20) ? largest : 1u << 20;
    for (size_t size = 1024; size <= largest; size *= size < 1u << 20 ? 32 : 8) {
        size_t n = size;
        double best = 0;
        for (int i = 0; i < (size < 1u << 20 ? 9 : 2); i++) {
            double ms = fn(&n);
            best = i == 0 || ms < best ? ms : best;
        }
        double rate = best / (double)n * 1e6;
        printf("%s: %10zu bytes, %.2f ns a byte\n", what, n, rate);
        if (size >= 32 * 1024 && first == 0)
            first = rate;
        if (first > 0 && rate > 6 * first)
            fail_msg("%s: %.2f ns a byte at %zu bytes, %.2f at 32 KiB", what, rate, n, first);
    }
}

#endif
