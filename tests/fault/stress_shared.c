// SPDX-License-Identifier: Apache-2.0
/* What the processes of the stress harness share: failures, who holds the lock, times, texts. */
#include "stress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

/* ---- failures ------------------------------------------------------------------------------ */

int stress_fail(stress_world *world, const char *fmt, ...)
{
    stress_shared *shared = world->shared;
    va_list args;
    if (atomic_fetch_add(&shared->n_failures, 1) == 0) {
        va_start(args, fmt);
        vsnprintf(shared->why, sizeof shared->why, fmt, args);
        va_end(args);
    }
    atomic_store(&shared->stop, 1);
    return -1;
}

int stress_status(stress_world *world, memo_status status, const char *doing, const memo_err *err)
{
    if (status == MEMO_OK)
        return 0;
    if (status == MEMO_ERR_BUSY)
        atomic_fetch_add(&world->shared->n_busy, 1);
    return stress_fail(world, "%s: %s: %s", doing, memo_status_name(status), err->message);
}

/* ---- who holds the lock -------------------------------------------------------------------- */

static int shared_is_doomed(const stress_shared *shared, pid_t pid)
{
    for (unsigned i = 0; i < STRESS_MAX_WRITERS; i++)
        if (atomic_load(&shared->writers[i].doomed) == pid)
            return 1;
    return 0;
}

void stress_enter(stress_world *world)
{
    stress_shared *shared = world->shared;
    pid_t before = atomic_exchange(&shared->holder, getpid());
    if (before != 0 && !shared_is_doomed(shared, before))
        atomic_fetch_add(&shared->n_two_holders, 1);
}

void stress_leave(stress_world *world)
{
    stress_shared *shared = world->shared;
    if (atomic_exchange(&shared->holder, 0) != getpid())
        atomic_fetch_add(&shared->n_two_holders, 1);
}

/* ---- times --------------------------------------------------------------------------------- */

static unsigned shared_bucket(uint64_t us)
{
    unsigned octave = 0;
    while (us >> octave > 31)
        octave++;
    unsigned bucket = 16 * octave + (unsigned)(us >> octave);
    return bucket < STRESS_BUCKETS ? bucket : STRESS_BUCKETS - 1;
}

static uint64_t shared_bucket_us(unsigned bucket)
{
    return bucket < 32 ? bucket : (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1);
}

void stress_time(stress_times *times, double since_s)
{
    uint64_t us = (uint64_t)((fault_seconds() - since_s) * 1e6);
    uint64_t longest = atomic_load(&times->longest_us);
    atomic_fetch_add(&times->n[shared_bucket(us)], 1);
    while (us > longest && !atomic_compare_exchange_weak(&times->longest_us, &longest, us)) {
    }
}

static double shared_quantile_ms(const stress_times *times, double part)
{
    uint64_t n = 0, seen = 0;
    for (unsigned i = 0; i < STRESS_BUCKETS; i++)
        n += atomic_load(&times->n[i]);
    for (unsigned i = 0; i < STRESS_BUCKETS; i++) {
        seen += atomic_load(&times->n[i]);
        if (n && (double)seen >= part * (double)n)
            return (double)shared_bucket_us(i) / 1000;
    }
    return 0;
}

void stress_times_format(const stress_times *times, char out[80])
{
    snprintf(out, 80, "p50 %.2f p99 %.2f longest %.1f ms", shared_quantile_ms(times, 0.5),
             shared_quantile_ms(times, 0.99), (double)atomic_load(&times->longest_us) / 1000);
}

/* ---- texts --------------------------------------------------------------------------------- */

static const char shared_batch_word[] = "batch ";

void stress_text(const stress_world *world, unsigned writer, uint64_t batch, unsigned part,
                 char out[STRESS_TEXT_BYTES])
{
    static const char filler[] = " the ladder stands behind the shed";
    uint64_t chance = fault_mix(world->seed, batch * 64 + writer * 8 + part);
    size_t n = (size_t)snprintf(out, STRESS_TEXT_BYTES,
                                "%s%" PRIu64 " of writer %u, part %u w%us%u:", shared_batch_word,
                                batch, writer, part, writer, (unsigned)(batch % STRESS_SLOTS));
    for (unsigned i = 0; i < chance % 24; i++, n += sizeof filler - 1)
        memcpy(out + n, filler, sizeof filler);
}

uint64_t stress_batch_of(const char *text)
{
    size_t n = sizeof shared_batch_word - 1;
    return strncmp(text, shared_batch_word, n) == 0 ? strtoull(text + n, NULL, 10) : 0;
}

uint64_t stress_batch_in_slot(uint64_t last, unsigned slot)
{
    uint64_t back = (last + STRESS_SLOTS - slot) % STRESS_SLOTS;
    return last > back ? last - back : 0;
}
