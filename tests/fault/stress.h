// SPDX-License-Identifier: Apache-2.0
/* fault/stress.h -- many processes on one store at once, and what they know of each other.
 *
 * Processes share one block of memory. A writer tells there what it has begun and what has been
 * acknowledged; a reader reads the second before it looks into the store and the first after it, so
 * it knows the least and the most that may be there. Texts follow from (writer, batch, part): every
 * byte that is read is compared with something that never was in a store.
 *
 * Three kinds of work:
 *
 *   adds     processes that add through the public interface, each a given number of times, singly
 *            and in batches, beside readers that search, list, get and count (stress_adds.c)
 *   mixed    the same with facts, actions and shredding beside readers of the past and of exports
 *            (stress_mixed.c)
 *   commits  writers that commit small batches as fast as they can and checkpoint every so many,
 *            for a given time, beside readers (stress_commits.c, stress_readers.c). A writer has
 *            STRESS_SLOTS slots; a batch replaces what its slot holds, so the store stays small and
 *            each writer meets every batch of its own again before it goes.
 *
 * No call may fail, with BUSY or anything else. The first failure stops all processes. */
#ifndef MEMO_TESTS_STRESS_H
#define MEMO_TESTS_STRESS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <memolith/memolith.h>

#include "base/rng.h"

enum {
    STRESS_MAX_WRITERS = 8,
    STRESS_MAX_READERS = 4,
    STRESS_PARTS = 3,  /* records of a batch */
    STRESS_SLOTS = 40, /* batches of a writer that are kept */
    STRESS_TEXT_BYTES = 1024,
    STRESS_WHY_BYTES = 600,
    STRESS_BUCKETS = 512,
    STRESS_STAMPS = 1024, /* rounds of a writer of `mixed`, at most */
};

/* How long calls took: counts by logarithm, 16 buckets an octave of microseconds. */
typedef struct stress_times {
    _Atomic uint64_t n[STRESS_BUCKETS];
    _Atomic uint64_t longest_us;
} stress_times;

/* What a writer tells the others. Batches are numbered from 1. */
typedef struct stress_writer {
    _Atomic uint64_t n_begun, n_acked;
    _Atomic uint64_t n_shredded;            /* of `mixed`: the last one that was shredded */
    _Atomic int64_t when_ms[STRESS_STAMPS]; /* likewise: a moment at which this one was there */
    _Atomic pid_t doomed;                   /* the process of it that is being killed */
    _Atomic uint64_t longest_wait_us;
} stress_writer;

typedef struct stress_shared {
    _Atomic int stop;
    _Atomic int n_failures; /* the first one's words are in `why` */
    char why[STRESS_WHY_BYTES];
    _Atomic pid_t holder;           /* who says that it holds the writer lock; 0: nobody */
    _Atomic uint64_t n_two_holders; /* how often somebody else said so too */
    _Atomic uint64_t n_commits, n_checkpoints, n_reads, n_busy;
    stress_times wait, commit, checkpoint, read;
    stress_writer writers[STRESS_MAX_WRITERS];
} stress_shared;

typedef struct stress_world {
    char dir[200];
    char path[260];  /* of the store */
    char model[260]; /* of a compiled tiny model, for `adds` */
    uint64_t seed;
    double seconds;
    unsigned n_writers, n_readers;
    unsigned
        every; /* commits of a writer between two of its checkpoints; of a writer of `adds`: all */
    int widen; /* sleep where SQLite's race between checkpoint and log reset is open */
    int mixed; /* the work of `mixed` */
    int races; /* stress_race() is what is done */
    int ack_early; /* negative control: acknowledge before the commit */
    int kills;     /* writers are killed and started again */
    memo_ctx *ctx; /* of one thread: processes are forked */
    stress_shared *shared;
} stress_world;

/* ---- telling (stress_shared.c) ------------------------------------------------------------- */

/* Record a failure and stop everybody; always -1. Harness code never goes on after it. */
int stress_fail(stress_world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* MEMO_OK is 0; anything else is a failure, BUSY counted apart. */
int stress_status(stress_world *world, memo_status status, const char *doing, const memo_err *err);

/* The harness's own account of who works under the writer lock. */
void stress_enter(stress_world *world);
void stress_leave(stress_world *world);

void stress_time(stress_times *times, double since_s);
/* "p50 0.3 p99 4.1 longest 9.0 ms" */
void stress_times_format(const stress_times *times, char out[80]);

/* ---- texts (stress_shared.c) --------------------------------------------------------------- */

/* One of a batch's records. The text begins with "batch N of writer W, part P" and holds the word
 * "wWsS" of the writer's slot. */
void stress_text(const stress_world *world, unsigned writer, uint64_t batch, unsigned part,
                 char out[STRESS_TEXT_BYTES]);
/* The batch that a text says it belongs to; 0 when it says nothing. */
uint64_t stress_batch_of(const char *text);
/* Newest batch up to `last` that lies in this slot; 0 when there is none. */
uint64_t stress_batch_in_slot(uint64_t last, unsigned slot);

/* ---- work: bodies of processes; they return the exit status -------------------------------- */

int stress_add(stress_world *world, unsigned writer); /* stress_adds.c */
int stress_add_reader(stress_world *world, unsigned reader);
int stress_add_prepare(stress_world *world);  /* in the parent: model and store */
int stress_add_check(stress_world *world);    /* in the parent, at the end */
uint64_t stress_add_records(uint64_t n_adds); /* of one writer after so many */

int stress_mixed(stress_world *world, unsigned writer); /* stress_mixed.c; prepared as adds */
int stress_mixed_reader(stress_world *world, unsigned reader);
int stress_mixed_check(stress_world *world);

int stress_commit(stress_world *world, unsigned writer); /* stress_commits.c */
int stress_race(stress_world *world);
int stress_commit_prepare(stress_world *world);                 /* in the parent: make the store */
int stress_commit_reader(stress_world *world, unsigned reader); /* stress_readers.c */
int stress_commit_check(stress_world *world);

#endif
