// SPDX-License-Identifier: Apache-2.0
/* fault/fault.h -- what the fault harnesses share: options and the line that replays a failure, a
 * pool of processes, a world to work in, workloads that know what they must leave, and the
 * comparison of a store with that.
 *
 * A workload is a list of steps; a step is one call of the public interface and puts or forgets a
 * range of keys. What a store must hold is then a table of small numbers: which version of each key.
 * Text, title, metadata and vectors follow from (seed, namespace, key, version), so every byte can
 * be checked against something that never was in a store. A call is acknowledged when it returned
 * MEMO_OK: the table after the last acknowledged step is the least a store may hold, and the table
 * after a step that had begun the most. Nothing between two transactions' tables is allowed.
 *
 * The shape of a harness:
 *
 *   fault_options_parse() -> fault_world_init() -> fault_plan_init() for each workload ->
 *   fault_pool_run() over points; in each point: copy a prepared folder, do harm, fault_check() */
#ifndef MEMO_TESTS_FAULT_H
#define MEMO_TESTS_FAULT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <memolith/memolith.h>

/* ---- options (fault_pool.c) ---------------------------------------------------------------- */

typedef struct fault_options {
    const char *program;
    uint64_t seed;        /* --seed S */
    unsigned scale;       /* --scale N: so many times the points, 1 */
    int quick;            /* --quick: a sample */
    unsigned n_workers;   /* --workers N; the CPUs of this process */
    int control;          /* --control: break something on purpose */
    const char *workload; /* --workload W, or NULL: all */
    const char *mode;     /* --mode M, or NULL: all */
    int64_t point;        /* --point N, or -1: all */
} fault_options;

/* Exits with a message on what it does not know. */
void fault_options_parse(fault_options *options, int argc, char **argv);

/* ---- processes (fault_pool.c) -------------------------------------------------------------- */

enum { FAULT_WHY_BYTES = 600, FAULT_POINT_SECONDS = 60 };

/* One point; runs in a worker process. Zero: passed; else `why` says what is wrong and how to run
 * it again. A worker that dies or takes FAULT_POINT_SECONDS has failed its point. */
typedef int (*fault_point_fn)(void *user, size_t point, char why[FAULT_WHY_BYTES]);

/* Run points 0 .. n-1 over forked workers, print "FAILED ..." for each that fails (the first 20);
 * returns how many failed. `name_point` (or NULL) names one whose worker died. */
typedef void (*fault_name_fn)(void *user, size_t point, char why[FAULT_WHY_BYTES]);
size_t fault_pool_run(size_t n, unsigned n_workers, fault_point_fn fn, fault_name_fn name_point,
                      void *user);

/* Zeroed memory that forked processes share, page-aligned; never fails (it exits). */
void *fault_shared(size_t n_bytes);
void fault_unshare(void *p, size_t n_bytes);

/* Say why a point fails; always 1. */
int fault_fail(char why[FAULT_WHY_BYTES], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

double fault_seconds(void);                    /* since some moment */
uint64_t fault_mix(uint64_t seed, uint64_t n); /* a number from two: deterministic choices */
size_t fault_open_fds(void);                   /* of this process */

/* ---- folders (fault_pool.c) ---------------------------------------------------------------- */

/* A fresh folder in memory where there is one (/dev/shm), else in TMPDIR. */
void fault_folder_make(char out[200]);
void fault_folder_remove(const char *path);
/* Make folder `to` hold exactly the plain files of `from`. Exits when it cannot. */
void fault_folder_copy(const char *from, const char *to);
size_t fault_folder_count(const char *path, const char *suffix); /* files whose name ends so */
void fault_folder_each(const char *path,
                       void (*fn)(const char *folder, const char *name, void *user), void *user);

/* ---- a world (fault_world.c) --------------------------------------------------------------- */

enum {
    FAULT_N_NS = 3,
    FAULT_N_KEYS = 256,  /* of a namespace */
    FAULT_N_VERSIONS = 6 /* 0 is "absent" */
};

typedef struct fault_world {
    char dir[200];    /* for everything the harness makes */
    char source[300]; /* folder of a tiny model as published */
    uint64_t seed;
    int64_t now_ms; /* the context's clock */
    memo_ctx *ctx;  /* of one thread: workers are forked */
    memo_model *model;
    size_t dim;
    float *vectors[FAULT_N_NS][FAULT_N_KEYS][FAULT_N_VERSIONS]; /* see fault_vector() */
} fault_world;

void fault_world_init(fault_world *world, uint64_t seed); /* exits when it cannot */
void fault_world_fini(fault_world *world);

enum { FAULT_TEXT_BYTES = 2048 };
/* What record `key` of a namespace holds in its version, from 1. Every text has a word of its own,
 * fault_word(); about one in eight has several chunks. */
void fault_text(uint64_t seed, int ns, int key, int version, char out[FAULT_TEXT_BYTES]);
void fault_word(int ns, int key, int version, char out[32]);
void fault_title(int ns, int key, int version, char out[64]);
void fault_metadata(int ns, int key, int version, char out[64]);
void fault_key(int key, char out[16]);
const char *fault_ns(int ns); /* NULL for the first: the default's */

/* The vector of the first chunk, made by the model once, or NULL when there are several chunks.
 * Call it before forking for what will be needed (fault_plan_init() does). */
const float *fault_vector(fault_world *world, int ns, int key, int version);

/* ---- steps (fault_steps.c) ----------------------------------------------------------------- */

typedef enum fault_kind {
    FAULT_PUT,        /* keys first .. first + n - 1 to `version`: one memo_db_add() */
    FAULT_EDIT,       /* key `first`: memo_db_edit() */
    FAULT_FORGET,     /* those keys: one memo_db_forget() */
    FAULT_IMPORT,     /* an NDJSON file of those keys: groups of 64 */
    FAULT_REOPEN,     /* close and open */
    FAULT_SEARCH,     /* both lanes, for key `first` */
    FAULT_READER,     /* a second handle: opened when there is none, it counts records */
    FAULT_SNAPSHOT,   /* the second handle begins to read, or ends it */
    FAULT_CHECKPOINT, /* from now on a checkpoint as soon as the log has `n` pages; 0: as usual */
    FAULT_BACKUP,     /* to FOLDER/backup.memo, over what is there */
} fault_kind;

typedef struct fault_step {
    fault_kind kind;
    int ns, first, n, version;
} fault_step;

typedef struct fault_workload {
    const char *name;
    const fault_step *before; /* done first, then closed: the prepared store */
    size_t n_before;
    const fault_step *steps;
    size_t n_steps;
} fault_workload;

/* The common list; NULL name at the end. */
extern const fault_workload fault_workloads[];

/* Which version of each key; 0: absent. */
typedef struct fault_state {
    unsigned char version[FAULT_N_NS][FAULT_N_KEYS];
} fault_state;

/* What a workload must leave after each of its transactions. */
typedef struct fault_plan {
    const fault_workload *workload;
    size_t n_states;
    fault_state *states; /* [n_states], states[0] is the prepared store */
    size_t *after;       /* [n_steps] state after each step */
} fault_plan;

void fault_plan_init(fault_plan *plan, fault_world *world, const fault_workload *workload);
/* The same for a store that holds `start` at first, whatever `before` says. */
void fault_plan_init_from(fault_plan *plan, fault_world *world, const fault_workload *workload,
                          const fault_state *start);
void fault_plan_fini(fault_plan *plan);

/* How far a process came, in shared memory: begun before a call, acknowledged after it. */
typedef struct fault_progress {
    _Atomic size_t n_begun, n_acked; /* steps */
    _Atomic int refused; /* a call has returned a failure: of many files it may have done some */
} fault_progress;

/* Handles on one store. */
typedef struct fault_session {
    fault_world *world;
    char path[300];
    int64_t busy_ms; /* 0: do not wait for another writer */
    memo_db *db;     /* NULL: not open */
    memo_db *reader; /* a second handle, read-only */
    int in_snapshot;
} fault_session;

/* Path is FOLDER/s.memo. */
void fault_session_init(fault_session *session, fault_world *world, const char *folder);
memo_status fault_session_open(fault_session *session, memo_err *err); /* open already: fine */
void fault_session_close(fault_session *session);
/* One step; opens the store when it is not. */
memo_status fault_step_run(fault_session *session, const fault_step *step, memo_err *err);

typedef memo_status (*fault_step_fn)(fault_session *session, const fault_step *step, memo_err *err);
/* Is told before (done 0) and after each step or deed; `number` from 1. */
typedef void (*fault_told_fn)(void *user, size_t number, int done);
/* Of those one that notes it: `user` is a fault_progress. */
void fault_progress_told(void *user, size_t number, int done);

/* All steps, each by `step`, then close; stops at the first that fails. */
memo_status fault_workload_run(fault_session *session, const fault_workload *workload,
                               fault_step_fn step, fault_told_fn told, void *user, memo_err *err);
/* Make the prepared store of a workload in a folder that exists. Exits when it cannot. */
void fault_workload_prepare(fault_world *world, const fault_workload *workload, const char *folder);

/* ---- comparison (fault_check.c) ------------------------------------------------------------ */

/* What may be there: any of states[first .. last]. */
typedef struct fault_allowed {
    const fault_state *states;
    size_t first, last;
} fault_allowed;

fault_allowed fault_plan_allowed(const fault_plan *plan, const fault_progress *progress);

/* fault_check_db() -- compare an open store with what may be there.
 *
 * Every record of every namespace with all its bytes, every vector of texts of one chunk, searches
 * by word and by meaning for some of them, none for what is gone, and memo_db_doctor(). Zero when
 * all is well; else `why`. `found` (or NULL) is the state that is there. */
int fault_check_db(fault_world *world, memo_db *db, const fault_allowed *allowed,
                   fault_state *found, char why[FAULT_WHY_BYTES]);

/* Of that only the records with all their bytes: what a reader sees between two changes. */
int fault_check_seen(fault_world *world, memo_db *db, const fault_allowed *allowed,
                     char why[FAULT_WHY_BYTES]);

/* fault_check() -- the same for a store that nobody has open: it opens without waiting, is compared,
 * takes a new record, closes, and opens
 * again with the same records and the new one. A store that does not exist is empty. */
int fault_check(fault_world *world, const char *folder, const fault_allowed *allowed,
                fault_state *found, char why[FAULT_WHY_BYTES]);

#endif
