// SPDX-License-Identifier: Apache-2.0
/* fault/power_work.h -- workloads in a few letters, and what they promise.
 *
 * A script is words with blanks between:
 *
 *   open  close  read  unread   the store for writing; a second handle that holds a snapshot
 *   +5  +5-9  -5                put a new version of records 5..9, forget record 5; one transaction
 *   [ ... ]                     several of them in one transaction
 *   passive  full  restart  truncate     a checkpoint
 *   model  model!               replace the model file by its next version; ! refuses to overwrite
 *   backup  backup!             copy the store to another file in the same way
 *   copy+5  copy-5              use that copy as a store: open, change, close
 *   points                      from here on a power loss is tried (without it: from the start)
 *
 * Records 0..31 are one short line, 32..47 about 20 KB, 48..61 about 180 KB. A version of a record
 * has a text, metadata and a vector that follow from its number, so that what a store holds is
 * described by one version a record, 0 for none. Each transaction, replacing and backup is a change;
 * changes are numbered from 1.
 *
 * Or a workload is a list of fault_deeds.h: each deed is a change. */
#ifndef MEMO_TESTS_POWER_WORK_H
#define MEMO_TESTS_POWER_WORK_H

#include <memolith/memory.h>

#include "fault_deeds.h"
#include "power_log.h"
#include "store/store.h"

#define POWER_KEYS  62         /* records */
#define POWER_PROBE POWER_KEYS /* the record that a check adds */
#define POWER_DIM   8

#define POWER_STORE      "s.memo" /* as fault_session_init() has it */
#define POWER_COPY       "b.memo"
#define POWER_MODEL_NAME "model.safetensors"

/* Everything that a workload has made. */
typedef struct power_versions {
    unsigned char of[POWER_KEYS + 1]; /* in the store; the last is the probe's */
    unsigned char in_copy[POWER_KEYS + 1];
    unsigned char copy, model; /* whether there is a copy; version of the model file */
} power_versions;

typedef struct power_work {
    const char *name;
    const char *deeds;  /* name of a list, or NULL: the scripts */
    const char *before; /* script that makes what is on the disk when recording begins */
    const char *script;
    int no_store;    /* only files */
    int normal_sync; /* PRAGMA synchronous = NORMAL: a negative control */
    int only_forget; /* records are not shredded: a negative control */
    unsigned lies;   /* power_lie: negative controls */
    unsigned share;  /* of the states, in parts of the sum of all */
} power_work;

/* A workload that was run and recorded. */
typedef struct power_run {
    const power_work *work;
    power_log log;
    size_t first_point;    /* where power losses begin */
    power_versions *after; /* [n_changes + 1]: after change number i; of deeds NULL, and */
    fault_deed_plan deeds; /* with deeds.deeds what they must leave */
    fault_world *world;
    size_t n_changes;
} power_run;

/* Run and record in an empty folder (absolute, no links). Ends the program when a step fails or the
 * record does not give the files that are there. */
void power_run_record(power_run *run, const power_work *work, const char *folder, uint64_t seed);
void power_run_fini(power_run *run);

/* What was begun and acknowledged in the first `point` events: the numbers of the last ones. */
void power_run_promise(const power_run *run, size_t point, size_t *begun, size_t *done);

/* What record `key` holds. The strings are the caller's to free(). */
char *power_text(unsigned key, unsigned version);
void power_vector(unsigned key, unsigned version, float out[POWER_DIM]);
/* Word of the text that only this version has. */
void power_word(unsigned key, unsigned version, char out[32]);
/* The model file of a version. free(). */
unsigned char *power_model_bytes(unsigned version, size_t *n_bytes);

/* Put one version in the open write transaction. */
memo_status power_put(memo_store *store, int64_t ns, unsigned key, unsigned version, memo_err *err);
/* A context with a clock that only moves when it is read. */
memo_ctx *power_ctx_new(void);

#endif
