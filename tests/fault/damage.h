// SPDX-License-Identifier: Apache-2.0
/* fault/damage.h -- model files with a flipped bit, cut short or made longer. */
#ifndef MEMO_TESTS_DAMAGE_H
#define MEMO_TESTS_DAMAGE_H

#include "fault.h"

typedef enum damage_op { DAMAGE_FLIP, DAMAGE_CUT, DAMAGE_GROW, DAMAGE_RESEALED } damage_op;

/* One way to harm one file. */
typedef struct damage_point {
    uint64_t byte; /* of a flip; length of a cut; how many bytes longer */
    unsigned char bit;
    unsigned char op;     /* damage_op */
    unsigned char target; /* compiled file, or file of the source */
    unsigned char kind;   /* of the caller, for counts */
} damage_point;

typedef struct damage_list {
    damage_point *points;
    size_t n, cap;
} damage_list;

void damage_push(damage_list *list, damage_point point); /* exits without memory */
/* Sort the points and drop those that are there already. */
void damage_unique(damage_list *list);
/* A byte in the i-th of n equal parts of [first, last), chosen by x. */
uint64_t damage_spread(uint64_t first, uint64_t last, size_t i, size_t n, uint64_t x);

/* What came of a point. */
typedef enum damage_end {
    DAMAGE_REFUSED,   /* not opened, or not compiled */
    DAMAGE_AT_USE,    /* opened; refused when the weights were used */
    DAMAGE_AT_VERIFY, /* embeds with the same bits; verify finds it */
    DAMAGE_SAME,      /* another file that means the same */
    DAMAGE_OTHER,     /* a consistent model of other content: of a source, or resealed */
    DAMAGE_N_ENDS,
} damage_end;

/* ---- compiled files (damage_compiled.c) ----------------------------------------------------- */

enum { DAMAGE_MAX_TEXTS = 3, DAMAGE_MAX_DIM = 1024 };

/* A compiled model and what it gives undamaged. */
typedef struct damage_model {
    const char *name;
    unsigned char *bytes; /* [n_bytes] 64-byte aligned, private */
    size_t n_bytes;
    size_t dim;
    float vectors[DAMAGE_MAX_TEXTS * DAMAGE_MAX_DIM];
} damage_model;

/* Map the file privately and embed; exits when it cannot. */
void damage_model_open(damage_model *model, memo_ctx *ctx, const char *name, const char *path);

/* Points of a tiny model: all bits of the header, of tables that say how long something is and of
 * checksums, one bit of every 8 bytes of the rest, each length of a cut. Of all that one in `one_in`. */
void damage_compiled_points(damage_list *list, const damage_model *model, unsigned char target,
                            uint64_t seed, unsigned one_in);
/* n flips, a quarter of them in the header, and n / 4 cuts, of a model of any size. */
void damage_some_points(damage_list *list, const damage_model *model, unsigned char target,
                        uint64_t seed, size_t n);
/* n bits of the weights. */
void damage_resealed_points(damage_list *list, const damage_model *model, unsigned char target,
                            uint64_t seed, size_t n);

/* Harm, open, embed, verify. Zero when it is refused by name or gives the same bits, and verify
 * finds it; DAMAGE_RESEALED may give other bits, or the same and no more to find (padding). */
int damage_compiled_try(const damage_model *model, memo_ctx *ctx, const damage_point *point,
                        damage_end *end, char why[FAULT_WHY_BYTES]);

/* Embed the texts of the comparison: vectors [DAMAGE_MAX_TEXTS, dim]. */
memo_status damage_embed(memo_model *model, float *vectors, memo_err *err);

/* ---- sources (damage_source.c) -------------------------------------------------------------- */

enum { DAMAGE_MAX_FILES = 10 };

/* A publisher's folder, and what compiling it gives. */
typedef struct damage_source {
    const char *name;
    char folder[300];
    size_t n_files;
    const char *files[DAMAGE_MAX_FILES]; /* relative to the folder */
    unsigned char *bytes[DAMAGE_MAX_FILES];
    size_t n_bytes[DAMAGE_MAX_FILES];
    char fingerprint[2][65]; /* by class */
    float vectors[2][DAMAGE_MAX_TEXTS * DAMAGE_MAX_DIM];
} damage_source;

/* Read the files of a folder and compile it in both classes, in `work`. */
void damage_source_open(damage_source *source, memo_ctx *ctx, const char *name, const char *folder,
                        const char *work);
void damage_source_free(damage_source *source);

void damage_source_points(damage_list *list, const damage_source *source, uint64_t seed,
                          size_t n_of_file);

/* Harm a copy of the folder in `work` and compile it: refused by name with nothing written, or a
 * model that verifies, embeds, and is the undamaged one if it says so. */
int damage_source_try(const damage_source *source, memo_ctx *ctx, const char *work,
                      const damage_point *point, damage_end *end, char why[FAULT_WHY_BYTES]);

#endif
