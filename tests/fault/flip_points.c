// SPDX-License-Identifier: Apache-2.0
/* One bit of a store flips, in any of its files: every such store is refused, or what is damaged in
 * it is reported and all else that can be read is right, or nothing that can be read has changed.
 *
 *   flip_points                     all points
 *   flip_points --quick             one in ten of the bits
 *   flip_points --point 4711        one of them, with what differs
 *   flip_points --control           only the negative controls
 *
 * Points are distinct (image, file, byte, bit); half of them are read by a handle for reading, half
 * by one that also folds the log into the file, which is then read once more.
 *
 * Negative controls: the comparison must find wrong results where a page's checksum was made to
 * agree with its changed bit, and where the mark of the last acknowledged commit is taken away
 * before its log is damaged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flip_picture.h"
#include "flip_store.h"
#include "store/disk/vfs.h"

enum {
    POINTS_INSIDE = 20, /* random bits inside each page, times the scale */
    POINTS_LEAST = 20000,
    POINTS_CONTROLS = 600,
};

typedef enum flip_harm {
    FLIP_BIT,      /* nothing but the bit */
    FLIP_RESEALED, /* and the page's checksum is made to agree */
    FLIP_UNMARKED, /* and nothing says what was acknowledged */
} flip_harm;

/* How a store is read. */
typedef enum flip_way { FLIP_READ, FLIP_WRITE, FLIP_AFTER_WRITE, FLIP_N_WAYS } flip_way;

static const char *const flip_way_names[FLIP_N_WAYS] = {"reading", "writing", "after writing"};

/* In shared memory. */
typedef struct flip_counts {
    _Atomic uint64_t n[FLIP_N_KINDS], n_noticed[FLIP_N_KINDS];
    _Atomic uint64_t n_wrong; /* of a control */
} flip_counts;

typedef struct flip_run {
    fault_options options;
    fault_world *world;
    flip_image images[FLIP_N_IMAGES];
    flip_picture want[FLIP_N_IMAGES][FLIP_N_WAYS];
    uint64_t copy_hash[FLIP_N_IMAGES][FLIP_N_WAYS];
    flip_point *points;
    size_t n_points;
    flip_harm harm;
    flip_counts *counts;
} flip_run;

/* A folder and a picture of this process. */
typedef struct flip_place {
    char folder[240], path[260], copy[260];
    flip_picture got;
} flip_place;

static flip_place *flip_here(const flip_run *run)
{
    static flip_place *place;
    static pid_t owner;
    if (owner == getpid())
        return place;
    owner = getpid();
    place = calloc(1, sizeof *place);
    if (!place)
        exit(2);
    snprintf(place->folder, sizeof place->folder, "%s/%ld", run->world->dir, (long)owner);
    snprintf(place->path, sizeof place->path, "%s/s.memo", place->folder);
    snprintf(place->copy, sizeof place->copy, "%s/copy.memo", place->folder);
    if (mkdir(place->folder, 0700) != 0)
        exit(2);
    return place;
}

/* ---- one point ----------------------------------------------------------------------------- */

static flip_way points_way(const flip_run *run, size_t i)
{
    const flip_point *p = &run->points[i];
    uint64_t bit = 8 * (uint64_t)p->byte + p->bit;
    return fault_mix(run->options.seed + p->file, bit) & 1 ? FLIP_WRITE : FLIP_READ;
}

static void points_name(void *user, size_t i, char why[FAULT_WHY_BYTES])
{
    const flip_run *run = user;
    const flip_point *p = &run->points[i];
    snprintf(why, FAULT_WHY_BYTES,
             "%s, %s%s byte %u bit %u, opened for %s; again: %s --seed %" PRIu64 "%s --scale %u "
             "--point %zu",
             flip_kind_names[p->kind], run->images[p->image].name, flip_suffixes[p->file], p->byte,
             p->bit, flip_way_names[points_way(run, i)], run->options.program, run->options.seed,
             run->options.quick ? " --quick" : "", run->options.scale, i);
}

static void points_reseal(unsigned char *file, uint32_t byte)
{
    uint32_t number = byte / MEMO_PAGE_BYTES + 1;
    unsigned char *page = file + (size_t)(number - 1) * MEMO_PAGE_BYTES;
    uint64_t sum = memo_vfs_page_sum(page, number);
    for (int i = 0; i < MEMO_PAGE_SUM; i++)
        page[MEMO_PAGE_BYTES - MEMO_PAGE_SUM + i] = (unsigned char)(sum >> (8 * i));
}

/* Put the point's store in place. */
static void points_harm(flip_run *run, const flip_point *p, const char *path)
{
    flip_image image = run->images[p->image];
    unsigned char *bytes = image.bytes[p->file];
    bytes[p->byte] ^= (unsigned char)(1u << p->bit);
    if (run->harm == FLIP_RESEALED)
        points_reseal(bytes, p->byte);
    if (run->harm == FLIP_UNMARKED)
        image.bytes[FLIP_LOCK] = NULL;
    flip_store_put(&image, path, p->file == FLIP_INDEX);
    bytes[p->byte] ^= (unsigned char)(1u << p->bit);
    if (run->harm == FLIP_RESEALED)
        points_reseal(bytes, p->byte);
}

/* Read it, and what a writer leaves once more. */
static int points_read(flip_run *run, size_t i, int *noticed, char why[FAULT_WHY_BYTES])
{
    const flip_point *p = &run->points[i];
    flip_place *here = flip_here(run);
    flip_way way = points_way(run, i);
    flip_picture *want = run->want[p->image], *got = &here->got;
    flip_picture_take(run->world, here->path,
                      way == FLIP_READ ? MEMO_OPEN_READ_ONLY : MEMO_OPEN_EXISTING, here->copy,
                      &run->copy_hash[p->image][way], 0, got);
    if (flip_picture_honest(&want[way], got, why))
        return 1;
    *noticed = got->noticed;
    if (p->file == FLIP_INDEX && got->noticed)
        return fault_fail(why, "the index has changed an answer");
    if (way == FLIP_READ || p->image == FLIP_CLOSED || got->sections[0].status)
        return 0;
    flip_picture_take(run->world, here->path, MEMO_OPEN_READ_ONLY, NULL, NULL, 0, got);
    if (flip_picture_honest(&want[FLIP_AFTER_WRITE], got, why))
        return 1;
    *noticed |= got->noticed;
    return 0;
}

static int points_one(void *user, size_t i, char why[FAULT_WHY_BYTES])
{
    flip_run *run = user;
    const flip_point *p = &run->points[i];
    char what[FAULT_WHY_BYTES] = "", name[FAULT_WHY_BYTES];
    int noticed = 0;
    points_harm(run, p, flip_here(run)->path);
    if (points_read(run, i, &noticed, what)) {
        atomic_fetch_add(&run->counts->n_wrong, 1);
        if (run->harm != FLIP_BIT)
            return 0;
        points_name(run, i, name);
        return fault_fail(why, "%.250s\n  %.340s", what, name);
    }
    atomic_fetch_add(&run->counts->n[p->kind], 1);
    atomic_fetch_add(&run->counts->n_noticed[p->kind], (uint64_t)noticed);
    return 0;
}

/* ---- what is right ------------------------------------------------------------------------- */

static void points_learn_way(flip_run *run, int image, flip_way way)
{
    static const memo_open_mode modes[FLIP_N_WAYS] = {MEMO_OPEN_READ_ONLY, MEMO_OPEN_EXISTING,
                                                      MEMO_OPEN_READ_ONLY};
    flip_place *here = flip_here(run);
    flip_picture *want = &run->want[image][way];
    flip_picture_take(run->world, here->path, modes[way],
                      way == FLIP_AFTER_WRITE ? NULL : here->copy, &run->copy_hash[image][way], 1,
                      want);
    for (size_t i = 0; i < want->n; i++)
        if (want->sections[i].reported ||
            (want->sections[i].status && want->sections[i].status != MEMO_ERR_NOTFOUND)) {
            fprintf(stderr, "flips: the undamaged store (%s): %s: %s\n", run->images[image].name,
                    want->sections[i].name, memo_status_name(want->sections[i].status));
            exit(2);
        }
}

/* The index is used, and no answer is another one. */
static void points_learn_index(flip_run *run)
{
    char why[FAULT_WHY_BYTES] = "";
    int noticed = 0;
    flip_store_put(&run->images[FLIP_CLOSED], flip_here(run)->path, 1);
    if (points_read(run, FLIP_CLOSED, &noticed, why) || noticed || !flip_here(run)->got.indexed) {
        fprintf(stderr, "flips: the index of an undamaged store %s: %s\n",
                flip_here(run)->got.indexed ? "changes answers" : "is not used", why);
        exit(2);
    }
}

/* Each way twice: what does not repeat is no measure. */
static void points_learn(flip_run *run)
{
    static flip_point undamaged[FLIP_N_IMAGES] = {{.image = FLIP_CLOSED}, {.image = FLIP_KILLED}};
    char why[FAULT_WHY_BYTES];
    for (int image = 0; image < FLIP_N_IMAGES; image++) {
        flip_store_put(&run->images[image], flip_here(run)->path, 0);
        for (int way = 0; way < FLIP_N_WAYS; way++)
            points_learn_way(run, image, (flip_way)way);
    }
    run->points = undamaged;
    for (size_t i = 0; i < FLIP_N_IMAGES; i++) {
        int noticed = 0;
        flip_store_put(&run->images[i], flip_here(run)->path, 0);
        if (points_read(run, i, &noticed, why) || noticed) {
            fprintf(stderr, "flips: two readings of an undamaged store differ: %s\n", why);
            exit(2);
        }
    }
    points_learn_index(run);
}

/* ---- all of them --------------------------------------------------------------------------- */

/* Printed for one point: what was read of it. */
static int points_replay(flip_run *run)
{
    char why[FAULT_WHY_BYTES] = "", name[FAULT_WHY_BYTES];
    size_t i = (size_t)run->options.point;
    const flip_picture *got = &flip_here(run)->got;
    if (i >= run->n_points) {
        fprintf(stderr, "there are %zu points\n", run->n_points);
        return 2;
    }
    points_name(run, i, name);
    printf("%s\n", name);
    int failed = points_one(run, i, why);
    for (size_t k = 0; k < got->n; k++)
        if (got->sections[k].status || got->sections[k].is_doctor)
            printf("%s: %s: %.*s\n", got->sections[k].name,
                   memo_status_name(got->sections[k].status),
                   (int)(got->sections[k].end - got->sections[k].begin),
                   got->text.data + got->sections[k].begin);
    printf("%s\n", failed ? why : "honest");
    return failed;
}

static size_t points_sweep(flip_run *run)
{
    uint64_t n_noticed = 0;
    size_t n_failed =
        fault_pool_run(run->n_points, run->options.n_workers, points_one, points_name, run);
    printf("%-24s %8s %9s %9s\n", "one bit of", "points", "noticed", "harmless");
    for (int kind = 0; kind < FLIP_N_KINDS; kind++) {
        uint64_t n = run->counts->n[kind], noticed = run->counts->n_noticed[kind];
        n_noticed += noticed;
        printf("%-24s %8" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n", flip_kind_names[kind], n, noticed,
               n - noticed);
    }
    printf("store bit flips: %zu distinct points, seed %" PRIu64 ": %" PRIu64
           " noticed, %zu changed nothing that can be read, %zu failed\n",
           run->n_points, run->options.seed, n_noticed,
           run->n_points - (size_t)n_noticed - n_failed, n_failed);
    if (!run->options.quick && run->n_points < POINTS_LEAST) {
        printf("FAILED: fewer than %d points\n", POINTS_LEAST);
        n_failed++;
    }
    return n_failed;
}

/* Run `harm` on some points of a file; the comparison must find some of them wrong. */
static int points_control(flip_run *run, flip_harm harm, flip_file file, int image,
                          const char *what)
{
    flip_run control = *run;
    size_t n = 0, n_of = 0, n_wanted = run->options.quick ? POINTS_CONTROLS / 10 : POINTS_CONTROLS;
    control.points = calloc(n_wanted, sizeof *control.points);
    control.counts = fault_shared(sizeof *control.counts);
    control.harm = harm;
    if (!control.points)
        exit(2);
    for (size_t i = 0; i < run->n_points; i++)
        n_of += run->points[i].file == file && run->points[i].image == image;
    for (size_t i = 0, k = 0; i < run->n_points && n < n_wanted; i++) {
        const flip_point *p = &run->points[i];
        if (p->file != file || p->image != image || p->kind == FLIP_PAGE_SUM)
            continue;
        if (k++ % (n_of / n_wanted + 1) == 0)
            control.points[n++] = *p;
    }
    size_t n_died = fault_pool_run(n, run->options.n_workers, points_one, points_name, &control);
    uint64_t n_wrong = control.counts->n_wrong;
    printf("negative control: %s: of %zu, %" PRIu64 " gave wrong results, %s\n", what, n, n_wrong,
           n_wrong ? "detected" : "NOT DETECTED");
    fault_unshare(control.counts, sizeof *control.counts);
    free(control.points);
    return n_wrong == 0 || n_died > 0;
}

int main(int argc, char **argv)
{
    fault_world world;
    flip_run *run = calloc(1, sizeof *run);
    size_t n_failed = 0, n_run = 0;
    if (!run)
        return 2;
    fault_options_parse(&run->options, argc, argv);
    fault_world_init(&world, run->options.seed);
    run->world = &world;
    run->counts = fault_shared(sizeof *run->counts);
    flip_store_make(&world, world.dir, run->images);
    points_learn(run);
    run->n_points = flip_store_points(run->images, flip_here(run)->path, run->options.seed,
                                      POINTS_INSIDE * run->options.scale,
                                      run->options.quick ? 60 : 1, &run->points);
    if (run->options.point >= 0) {
        n_failed = (size_t)points_replay(run);
    } else {
        if (!run->options.control)
            n_failed += points_sweep(run) > 0, n_run++;
        n_failed += (size_t)points_control(run, FLIP_RESEALED, FLIP_MAIN, FLIP_CLOSED,
                                           "checksums that agree with the changed bit");
        n_failed += (size_t)points_control(run, FLIP_UNMARKED, FLIP_LOG, FLIP_KILLED,
                                           "a log without the mark of the last commit");
        n_run += 2;
        printf("%zu passed, %zu failed, 0 skipped\n", n_run - n_failed, n_failed);
    }
    for (int i = 0; i < FLIP_N_IMAGES; i++)
        for (int way = 0; way < FLIP_N_WAYS; way++)
            flip_picture_fini(&run->want[i][way]);
    flip_picture_fini(&flip_here(run)->got);
    flip_store_free(run->images);
    free(flip_here(run));
    free(run->points);
    free(run);
    fault_world_fini(&world);
    return n_failed > 0;
}
