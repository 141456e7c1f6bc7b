// SPDX-License-Identifier: Apache-2.0
/* fault/fault_deeds.h -- workloads that do more than put and forget records, and everything a store
 * holds, as text.
 *
 * A deed is one call of the public interface: shred, restore, a fact, what was done with a search, a
 * setting, an import of a folder. What it must leave has no table of small numbers; it is learned. The
 * deeds are done once without harm, and at each moment between two commits a picture is taken of all
 * that can be read. A deed that takes more commits that can be seen than its list says ends the
 * program, and so does one that changes nothing. Then no harm may leave a store with any other picture:
 * that after the last acknowledged deed, that after the one that had begun, or one between its commits.
 *
 * Pictures hold no id that a deed has made and no number of a change; the clock stands still within a
 * deed and is the same at each run. */
#ifndef MEMO_TESTS_FAULT_DEEDS_H
#define MEMO_TESTS_FAULT_DEEDS_H

#include "base/buf.h"
#include "fault.h"

/* The clock when deed number 0 is done; a second more for each. */
#define FAULT_DEEDS_MS INT64_C(1760000000000)

typedef struct fault_deed fault_deed;
typedef memo_status (*fault_deed_fn)(fault_session *session, const fault_deed *deed, memo_err *err);

struct fault_deed {
    fault_deed_fn run; /* NULL: the step as it is */
    fault_step step;   /* what it is done to: the fields mean what `run` makes of them */
    int n_commits;     /* that can be seen; 0: 1 */
    int again;         /* done once more after a kill it leads to the same end */
    int partly;        /* of records; when it fails those before may be there */
    int shreds;        /* of the records of `step` nothing is in any file when it is acknowledged */
};

typedef struct fault_deeds {
    const char *name;
    const fault_workload *before; /* its `before` makes the records */
    const fault_deed *made;       /* [n_made] done to the prepared store, too */
    size_t n_made;
    const fault_deed *deeds; /* [n] */
    size_t n;
    int has_files; /* folders to import lie in the world's */
} fault_deeds;

extern const fault_deeds fault_deeds_all[]; /* NULL name at the end */
const fault_deeds *fault_deeds_find(const char *name);

/* Deeds that are wrong on purpose, in the place of the right one: a record is forgotten and not
 * shredded; a fact is replaced in two commits. */
memo_status fault_deed_forget(fault_session *session, const fault_deed *deed, memo_err *err);
memo_status fault_deed_shred(fault_session *session, const fault_deed *deed, memo_err *err);
memo_status fault_deed_replace(fault_session *session, const fault_deed *deed, memo_err *err);
memo_status fault_deed_replace_in_two(fault_session *session, const fault_deed *deed,
                                      memo_err *err);

/* The prepared store and the files to import; the folder exists. Exits when it cannot. */
void fault_deeds_prepare(fault_world *world, const fault_deeds *deeds, const char *folder);

/* Do them all to the store in `folder` and close it; ends at the first that fails. */
memo_status fault_deeds_run(fault_world *world, const fault_deeds *deeds, const char *folder,
                            fault_told_fn told, void *user, memo_err *err);
/* The same with another deed in the place of one: a control. */
memo_status fault_deeds_run_instead(fault_world *world, const fault_deeds *deeds,
                                    const char *folder, fault_deed_fn right, fault_deed_fn wrong,
                                    fault_told_fn told, void *user, memo_err *err);

/* What may be there. */
typedef struct fault_deed_plan {
    fault_world *world;
    const fault_deeds *deeds;
    size_t n_states, cap;
    char **states; /* pictures; states[0] is of the prepared store */
    size_t *after; /* [deeds->n] state after each deed */
} fault_deed_plan;

/* Learn it on copies of the prepared store. Exits as said above. */
void fault_deed_plan_init(fault_deed_plan *plan, fault_world *world, const fault_deeds *deeds,
                          const char *image);
void fault_deed_plan_fini(fault_deed_plan *plan);

typedef enum fault_verdict {
    FAULT_FINE,
    FAULT_LOST,   /* whole, but as it was before an acknowledged deed */
    FAULT_BROKEN, /* does not open, holds what it never did, or what must be gone; does not go on */
} fault_verdict;

/* fault_deeds_check() -- the store in `folder` after harm: bytes that must be gone, first of all; its
 * picture; the deed that was cut short once more, where that leads to the same end; a new record, and
 * that after it was opened again. */
fault_verdict fault_deeds_check(const fault_deed_plan *plan, const char *folder,
                                const fault_progress *progress, char why[FAULT_WHY_BYTES]);

/* fault_picture() -- all that can be read through the public interface (fault_picture.c): statistics,
 * records, versions, searches with the bits of their scores, changes, entities, facts, actions,
 * settings, spaces, what doctor finds bad. A call that fails is in it as its message. */
void fault_picture(fault_world *world, memo_db *db, memo_buf *out);

#endif
