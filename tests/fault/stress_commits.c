// SPDX-License-Identifier: Apache-2.0
/* Writers that commit small batches and checkpoint.
 *
 * A checkpoint is one of three in turn: PASSIVE under the lock, as a commit does when the log is
 * long; TRUNCATE under the lock, as a close does; and a close with the open after it.
 *
 * SQLite before 3.51.3 loses commits when one connection checkpoints while another begins the log
 * anew (sqlite.org/wal.html, "the WAL-reset bug"). One checkpoint copies the whole log. A second one
 * reads the log's header, and before it asks how much of the log was copied already, a commit begins
 * the log anew. Then the second one says that all of the old log's length is copied, and the next
 * one that empties the log throws the commit away. The lock rule keeps that commit out.
 *
 * Between the header and the question there is no system call; but where the header has changed and
 * the file offers version 3 of SQLite's methods, SQLite tells it to drop mapped pages just there. So
 * the files get those methods: with `widen` the call sleeps, in stress_race() the commit is made in
 * it. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "fault.h"
#include "store/store_inner.h"
#include "stress.h"

enum { COMMIT_DIM = 8, COMMIT_SLEEP_US = 8000, COMMIT_PAUSE_US = 500, COMMIT_TRIES = 40 };

typedef struct commit_work {
    stress_world *world;
    stress_writer *mine;
    unsigned number; /* of the writer */
    uint64_t turn;   /* of the last checkpoint */
    memo_store *store;
    int kept_out; /* in stress_race(): the commit had to wait for the checkpoint */
} commit_work;

static commit_work *commit_racer; /* who commits in the window; NULL: nobody, it sleeps */

static void commit_sleep(long us)
{
    struct timespec t = {0, us * 1000};
    (void)nanosleep(&t, NULL);
}

/* ---- the window ---------------------------------------------------------------------------- */

static int commit_batch(commit_work *w, uint64_t batch);

static int commit_fetch(sqlite3_file *file, sqlite3_int64 offset, int amount, void **page)
{
    (void)file;
    (void)offset;
    (void)amount;
    *page = NULL;
    return SQLITE_OK;
}

static int commit_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    (void)file;
    (void)offset;
    commit_work *racer = commit_racer;
    if (racer) {
        commit_racer = NULL;
        racer->kept_out = commit_batch(racer, atomic_load(&racer->mine->n_acked) + 1) != 0;
    } else if (!page) {
        commit_sleep(COMMIT_SLEEP_US);
    }
    return SQLITE_OK;
}

static void commit_widen(memo_store *store)
{
    static sqlite3_io_methods methods; /* the same for every file of the process */
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(store->sql.db, "main", SQLITE_FCNTL_FILE_POINTER, &file) || !file)
        return;
    methods = *file->pMethods;
    methods.iVersion = 3;
    methods.xFetch = commit_fetch;
    methods.xUnfetch = commit_unfetch;
    file->pMethods = &methods;
}

/* ---- one batch ----------------------------------------------------------------------------- */

static int commit_open(commit_work *w, memo_open_mode mode)
{
    memo_store_options options = {.mode = mode, .busy_timeout_ms = w->world->races ? 200 : 0};
    memo_err err = {0};
    memo_status status = memo_store_open(w->world->ctx, w->world->path, &options, &w->store, &err);
    if (status == MEMO_OK && (w->world->widen || w->world->races))
        commit_widen(w->store);
    return stress_status(w->world, status, "open", &err);
}

/* The lock file names the holder as long as it holds the lock. */
static void commit_check_pid(commit_work *w)
{
    char text[24] = "";
    ssize_t n = pread(w->store->lock.fd, text, sizeof text - 1, 0);
    if (n <= 0 || strtol(text, NULL, 10) != (long)getpid())
        atomic_fetch_add(&w->world->shared->n_two_holders, 1);
}

/* What the slot holds before `batch` goes in: the batch that was there, or `batch` itself when a
 * process was killed between its commit and the acknowledgement. */
static int commit_check_slot(commit_work *w, uint64_t batch, int *occupied)
{
    uint64_t old = batch > STRESS_SLOTS ? batch - STRESS_SLOTS : 0, first = 0;
    char key[48], text[STRESS_TEXT_BYTES];
    for (unsigned part = 0; part < STRESS_PARTS; part++) {
        memo_arena arena = {0};
        memo_record record;
        memo_err err = {0};
        snprintf(key, sizeof key, "w%u-s%u-%u", w->number, (unsigned)(batch % STRESS_SLOTS), part);
        memo_status status = memo_store_get(w->store, 1, key, &arena, &record, &err);
        uint64_t found = status == MEMO_OK ? stress_batch_of(record.text.bytes) : 0;
        int same = 1;
        if (status == MEMO_OK) {
            stress_text(w->world, w->number, found, part, text);
            same = strcmp(text, record.text.bytes) == 0;
        }
        memo_arena_fini(&arena);
        if (status && status != MEMO_ERR_NOTFOUND)
            return stress_status(w->world, status, key, &err);
        if (part == 0)
            first = found;
        if (!same || found != first || (found != old && found != batch))
            return stress_fail(w->world, "%s: batch %" PRIu64 " where %" PRIu64 " was acknowledged",
                               key, found, old);
    }
    *occupied = first != 0;
    return 0;
}

static int commit_put(commit_work *w, uint64_t batch, unsigned part, int occupied)
{
    float vector[COMMIT_DIM];
    char key[48], tag[24], text[STRESS_TEXT_BYTES];
    const char *tags[] = {tag};
    memo_store_chunk chunk = {.n_tokens = 3, .vector = vector};
    memo_add_result result = {.size = sizeof result};
    memo_err err = {0};
    memo_status status = MEMO_OK;
    int found = 0;
    stress_text(w->world, w->number, batch, part, text);
    snprintf(key, sizeof key, "w%u-s%u-%u", w->number, (unsigned)(batch % STRESS_SLOTS), part);
    snprintf(tag, sizeof tag, "w%us%u", w->number, (unsigned)(batch % STRESS_SLOTS));
    for (size_t i = 0; i < COMMIT_DIM; i++)
        vector[i] = (float)(fault_mix(batch, i) % 1000) / 500.0f - 1.0f;
    chunk.end = strlen(text);
    if (occupied)
        status = memo_store_forget(w->store, 1, key, &found, &err);
    if (status == MEMO_OK && found != occupied)
        return stress_fail(w->world, "%s was there and cannot be forgotten", key);
    memo_store_put put = {.key = key,
                          .text = {text, strlen(text)},
                          .tags = tags,
                          .n_tags = 1,
                          .space = 1,
                          .chunks = &chunk,
                          .n_chunks = 1};
    if (status == MEMO_OK)
        status = memo_store_put_record(w->store, 1, &put, &result, &err);
    return stress_status(w->world, status, "put", &err);
}

static void commit_note_wait(commit_work *w, double since)
{
    uint64_t us = (uint64_t)((fault_seconds() - since) * 1e6);
    stress_time(&w->world->shared->wait, since);
    if (us > atomic_load(&w->mine->longest_wait_us))
        atomic_store(&w->mine->longest_wait_us, us);
}

static int commit_batch(commit_work *w, uint64_t batch)
{
    stress_world *world = w->world;
    memo_err err = {0};
    double since = fault_seconds();
    int occupied = 0;
    memo_status status = memo_store_begin_write(w->store, &err);
    if (status == MEMO_ERR_BUSY && world->races)
        return -1; /* what the lock is for */
    if (stress_status(world, status, "begin", &err))
        return -1;
    commit_note_wait(w, since);
    stress_enter(world);
    atomic_store(&w->mine->n_begun, batch);
    commit_check_pid(w);
    int bad = commit_check_slot(w, batch, &occupied);
    for (unsigned part = 0; !bad && part < STRESS_PARTS; part++)
        bad = commit_put(w, batch, part, occupied);
    if (!bad && world->ack_early) {
        atomic_store(&w->mine->n_acked, batch);
        commit_sleep(COMMIT_SLEEP_US);
    }
    commit_check_pid(w);
    stress_leave(world);
    since = fault_seconds();
    if (bad || stress_status(world, memo_store_commit(w->store, &err), "commit", &err))
        return -1;
    stress_time(&world->shared->commit, since);
    atomic_fetch_add(&world->shared->n_commits, 1);
    atomic_store(&w->mine->n_acked, batch);
    return 0;
}

/* ---- checkpoints --------------------------------------------------------------------------- */

static int commit_checkpoint_locked(commit_work *w, int mode)
{
    memo_err err = {0};
    if (stress_status(w->world, memo_lock_take(&w->store->lock, w->store->busy_ms, &err), "lock",
                      &err))
        return -1;
    stress_enter(w->world);
    (void)sqlite3_busy_timeout(w->store->sql.db, 0); /* readers are not waited for */
    int rc, tries = w->world->widen ? COMMIT_TRIES : 1;
    do {
        rc = sqlite3_wal_checkpoint_v2(w->store->sql.db, "main", mode, NULL, NULL);
        if (tries > 1)
            commit_sleep(COMMIT_PAUSE_US);
    } while (rc == SQLITE_BUSY && --tries > 0);
    (void)sqlite3_busy_timeout(w->store->sql.db, (int)w->store->busy_ms);
    commit_check_pid(w);
    stress_leave(w->world);
    memo_lock_drop(&w->store->lock);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return stress_fail(w->world, "checkpoint: %s (SQLite code %d)", sqlite3_errstr(rc), rc);
    return 0;
}

static int commit_checkpoint(commit_work *w)
{
    double since = fault_seconds();
    uint64_t kind = (w->turn + w->number) % 3;
    int bad;
    if (kind == 0) {
        memo_store_close(w->store);
        w->store = NULL;
        bad = commit_open(w, MEMO_OPEN_EXISTING);
    } else {
        bad = commit_checkpoint_locked(w, kind == 1 ? SQLITE_CHECKPOINT_PASSIVE
                                                    : SQLITE_CHECKPOINT_TRUNCATE);
    }
    stress_time(&w->world->shared->checkpoint, since);
    atomic_fetch_add(&w->world->shared->n_checkpoints, 1);
    return bad;
}

/* Is it this writer's time for a checkpoint? With `widen` it is everybody's at once. */
static int commit_turn_has_come(commit_work *w, uint64_t n_mine, uint64_t n_all)
{
    uint64_t turn = (w->world->widen ? n_all / w->world->n_writers : n_mine) / w->world->every;
    if (turn == w->turn)
        return 0;
    w->turn = turn;
    return 1;
}

/* ---- processes ----------------------------------------------------------------------------- */

int stress_commit(stress_world *world, unsigned writer)
{
    commit_work w = {.world = world, .mine = &world->shared->writers[writer], .number = writer};
    int bad = commit_open(&w, MEMO_OPEN_EXISTING);
    uint64_t batch = atomic_load(&w.mine->n_acked) + 1;
    w.turn = batch / world->every;
    for (; !bad && !atomic_load(&world->shared->stop); batch++) {
        bad = commit_batch(&w, batch);
        if (!bad && commit_turn_has_come(&w, batch, atomic_load(&world->shared->n_commits)))
            bad = commit_checkpoint(&w);
    }
    memo_store_close(w.store);
    return bad != 0;
}

int stress_commit_prepare(stress_world *world)
{
    commit_work w = {.world = world};
    memo_store_space space = {.fingerprint = "f", .name = "f", .dim = COMMIT_DIM};
    memo_store_ns ns;
    memo_err err = {0};
    int64_t id;
    space.kind = MEMO_SPACE_MODEL;
    if (commit_open(&w, MEMO_OPEN_CREATE))
        return -1;
    memo_status status = memo_store_begin_write(w.store, &err);
    if (status == MEMO_OK)
        status = memo_store_make_ns(w.store, "default", &ns, &err);
    if (status == MEMO_OK)
        status = memo_store_make_space(w.store, &space, &id, &err);
    if (status == MEMO_OK)
        status = memo_store_commit(w.store, &err);
    memo_store_close(w.store);
    return stress_status(world, status, "make the store", &err);
}

/* ---- the race, step by step ---------------------------------------------------------------- */

/* Three handles of one process, which exclude each other as three processes do. */
int stress_race(stress_world *world)
{
    enum { FIRST, SECOND, RACER, N };
    commit_work works[N];
    uint64_t batch = 0;
    int bad = 0;
    for (unsigned i = 0; !bad && i < N; i++) {
        works[i] = (commit_work){.world = world, .mine = &world->shared->writers[0]};
        bad = commit_open(&works[i], MEMO_OPEN_EXISTING);
    }
    while (!bad && ++batch < STRESS_SLOTS)
        bad = commit_batch(&works[FIRST], batch);
    if (!bad)
        bad = commit_checkpoint_locked(&works[FIRST], SQLITE_CHECKPOINT_PASSIVE);
    commit_racer = bad ? NULL : &works[RACER];
    if (!bad)
        bad = commit_checkpoint_locked(&works[SECOND], SQLITE_CHECKPOINT_PASSIVE);
    if (!bad && commit_racer)
        bad = stress_fail(world, "SQLite %s does not come to the window", sqlite3_libversion());
    commit_racer = NULL;
    if (!bad && works[RACER].kept_out)
        bad = commit_batch(&works[RACER], batch);
    if (!bad)
        bad = commit_checkpoint_locked(&works[FIRST], SQLITE_CHECKPOINT_TRUNCATE);
    printf("  the commit in the window %s\n",
           works[RACER].kept_out ? "was kept out by the lock" : "went through");
    for (unsigned i = 0; i < N; i++)
        memo_store_close(works[i].store);
    return bad;
}
