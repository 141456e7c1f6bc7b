// SPDX-License-Identifier: Apache-2.0
/* A model file with a flipped bit, cut, or made longer: opening, embedding or verifying refuses it
 * by name, and what embeds at all gives the same bits as the undamaged file. A published folder that
 * is harmed so is refused, or compiles to a model that is whole in itself.
 *
 *   damage_points                              all points
 *   damage_points --quick                      a sample
 *   damage_points --workload tiny.int8         of one target: tiny.f32, vocab, real.f32 ...
 *   damage_points --workload vocab --point 7   one point
 *
 * MEMO_MODEL_F32 and MEMO_MODEL_INT8 name real compiled models; some tens of their bits are flipped.
 *
 * Negative control: weights whose checksum was made to agree with the changed bit. The comparison of
 * vectors must see other bits, and verify must find the fingerprint changed. */
#include "damage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/memo_test.h"

#include "unit/bert_source.h"
#include "unit/tiny_model.h"
#include "unit/tokenizer_fixture.h"

enum {
    POINTS_ONE_IN = 60,     /* of a quick run */
    POINTS_OF_SOURCE = 900, /* of each file, times the scale */
    POINTS_OF_WIDE = 4000,
    POINTS_OF_REAL = 24,
    POINTS_RESEALED = 400,
    POINTS_LEAST = 200000,
};

/* In shared memory. */
typedef struct damage_counts {
    _Atomic uint64_t n[DAMAGE_N_ENDS];
} damage_counts;

/* One file or folder with its points. */
typedef struct damage_target {
    const char *name;
    damage_model *model;   /* compiled, or */
    damage_source *source; /* published */
    damage_list list;
} damage_target;

typedef struct damage_run {
    fault_options options;
    fault_world world;
    const damage_target *target;
    damage_counts *counts;
    size_t n_points, n_passed, n_failed, n_skipped;
} damage_run;

static void points_name(void *user, size_t i, char why[FAULT_WHY_BYTES])
{
    static const char *const ops[] = {"bit flipped", "cut", "longer", "bit flipped and resealed"};
    const damage_run *run = user;
    const damage_point *p = &run->target->list.points[i];
    snprintf(why, FAULT_WHY_BYTES,
             "%s %s, byte %" PRIu64 " bit %u: %s; again: %s --seed %" PRIu64
             "%s --scale %u --workload %s --point %zu",
             run->target->name, run->target->source ? run->target->source->files[p->target] : "",
             p->byte, p->bit, ops[p->op], run->options.program, run->options.seed,
             run->options.quick ? " --quick" : "", run->options.scale, run->target->name, i);
}

static int points_one(void *user, size_t i, char why[FAULT_WHY_BYTES])
{
    damage_run *run = user;
    const damage_target *t = run->target;
    char what[FAULT_WHY_BYTES] = "", name[FAULT_WHY_BYTES], work[300];
    damage_end end = DAMAGE_REFUSED;
    int failed;
    snprintf(work, sizeof work, "%s/%ld", run->world.dir, (long)getpid());
    failed =
        t->model
            ? damage_compiled_try(t->model, run->world.ctx, &t->list.points[i], &end, what)
            : damage_source_try(t->source, run->world.ctx, work, &t->list.points[i], &end, what);
    atomic_fetch_add(&run->counts->n[end], 1);
    if (!failed)
        return 0;
    points_name(run, i, name);
    return fault_fail(why, "%.250s\n  %.340s", what, name);
}

/* All points of a target, or the one that was asked for. */
static void points_sweep(damage_run *run, damage_target *t)
{
    damage_counts *c = run->counts;
    double began = fault_seconds();
    char why[FAULT_WHY_BYTES] = "";
    size_t n_failed;
    damage_unique(&t->list);
    memset(c, 0, sizeof *c);
    run->target = t;
    if (run->options.point >= 0) {
        size_t i = (size_t)run->options.point;
        if (i >= t->list.n) {
            fprintf(stderr, "%s has %zu points\n", t->name, t->list.n);
            exit(2);
        }
        points_name(run, i, why);
        printf("%s\n", why);
        n_failed = (size_t)points_one(run, i, why);
        printf("%s\n", n_failed ? why : "as it should be");
    } else {
        n_failed = fault_pool_run(t->list.n, run->options.n_workers, points_one, points_name, run);
    }
    printf("%-10s %7zu points in %.0f s: %" PRIu64 " refused, %" PRIu64 " at use, %" PRIu64
           " by verify, %" PRIu64 " mean the same, %" PRIu64 " are another model, %zu failed\n",
           t->name, t->list.n, fault_seconds() - began, c->n[DAMAGE_REFUSED], c->n[DAMAGE_AT_USE],
           c->n[DAMAGE_AT_VERIFY], c->n[DAMAGE_SAME], c->n[DAMAGE_OTHER], n_failed);
    run->n_points += t->list.n;
    *(n_failed ? &run->n_failed : &run->n_passed) += 1;
}

static int points_wanted(const damage_run *run, const char *name)
{
    return !run->options.workload || strcmp(run->options.workload, name) == 0;
}

/* ---- targets ------------------------------------------------------------------------------- */

static void points_tiny(damage_run *run, memo_class cls)
{
    const char *name = cls == MEMO_CLASS_F32 ? "tiny.f32" : "tiny.int8";
    const memo_compile_options o = {.size = sizeof o, .cls = cls, .name = "tiny", .overwrite = 1};
    static damage_model model;
    damage_target t = {.name = name, .model = &model};
    char path[300];
    memo_err err = {0};
    if (!points_wanted(run, name))
        return;
    snprintf(path, sizeof path, "%s/%s", run->world.dir, name);
    assert_memo_ok(memo_model_compile(run->world.ctx, run->world.source, path, &o, NULL, &err),
                   err);
    damage_model_open(&model, run->world.ctx, name, path);
    damage_compiled_points(&t.list, &model, 0, run->options.seed,
                           run->options.quick ? POINTS_ONE_IN : 1);
    points_sweep(run, &t);
    free(t.list.points);
}

/* A model of more than one block of checksums, so that some are looked at only when they are used. */
static void points_wide(damage_run *run, memo_class cls)
{
    const char *name = cls == MEMO_CLASS_F32 ? "wide.f32" : "wide.int8";
    const memo_compile_options o = {.size = sizeof o, .cls = cls, .name = "wide", .overwrite = 1};
    const bert_spec spec = {.hidden = 256, .n_heads = 4, .intermediate = 512};
    static damage_model model;
    damage_target t = {.name = name, .model = &model};
    char source[300], path[300];
    memo_err err = {0};
    if (!points_wanted(run, name))
        return;
    snprintf(source, sizeof source, "%s/wide", run->world.dir);
    snprintf(path, sizeof path, "%s/%s", run->world.dir, name);
    mkdir(source, 0700);
    bert_write_model(source, spec);
    assert_memo_ok(memo_model_compile(run->world.ctx, source, path, &o, NULL, &err), err);
    damage_model_open(&model, run->world.ctx, name, path);
    damage_some_points(&t.list, &model, 0, run->options.seed,
                       run->options.quick ? POINTS_OF_WIDE / POINTS_ONE_IN
                                          : POINTS_OF_WIDE * run->options.scale);
    points_sweep(run, &t);
    free(t.list.points);
}

static void points_source(damage_run *run, const char *name, const char *tokenizer_json)
{
    static damage_source source;
    damage_target t = {.name = name, .source = &source};
    size_t n = POINTS_OF_SOURCE * run->options.scale;
    char folder[300], work[300];
    if (!points_wanted(run, name))
        return;
    snprintf(folder, sizeof folder, "%s/%s", run->world.dir, name);
    snprintf(work, sizeof work, "%s/%s.work", run->world.dir, name);
    mkdir(folder, 0700);
    tiny_model_write(folder, 4);
    if (tokenizer_json)
        tiny_model_put(folder, "tokenizer.json", tokenizer_json);
    damage_source_open(&source, run->world.ctx, name, folder, work);
    damage_source_points(&t.list, &source, run->options.seed,
                         run->options.quick ? n / POINTS_ONE_IN + 1 : n);
    points_sweep(run, &t);
    damage_source_free(&source);
    free(t.list.points);
}

static void points_real(damage_run *run, const char *name, const char *variable)
{
    static damage_model model;
    damage_target t = {.name = name, .model = &model};
    const char *path = getenv(variable);
    if (!points_wanted(run, name))
        return;
    if (!path || !*path) {
        printf("SKIPPED %s: %s names no compiled model\n", name, variable);
        run->n_skipped++;
        return;
    }
    damage_model_open(&model, run->world.ctx, name, path);
    damage_some_points(&t.list, &model, 0, run->options.seed,
                       run->options.quick ? 2 : POINTS_OF_REAL * run->options.scale);
    points_sweep(run, &t);
    free(t.list.points);
}

/* Vectors of the weights as they are now would be taken for the model's. */
static void points_control(damage_run *run)
{
    static damage_model model;
    damage_target t = {.name = "control", .model = &model};
    char path[300];
    if (!points_wanted(run, "control"))
        return;
    snprintf(path, sizeof path, "%s/tiny-1.safetensors", run->world.dir);
    damage_model_open(&model, run->world.ctx, "control", path);
    damage_resealed_points(&t.list, &model, 0, run->options.seed,
                           run->options.quick ? POINTS_RESEALED / 10 : POINTS_RESEALED);
    points_sweep(run, &t);
    run->n_points -= t.list.n;
    uint64_t n = run->counts->n[DAMAGE_OTHER];
    printf(
        "negative control: checksums that agree with a changed bit of the weights: of %zu, %" PRIu64
        " embed with other bits, %s\n",
        t.list.n, n, n ? "detected, and verify finds the fingerprint changed" : "NOT DETECTED");
    if (!n && run->n_passed) {
        run->n_passed--;
        run->n_failed++;
    }
    free(t.list.points);
}

int main(int argc, char **argv)
{
    static damage_run run;
    fault_options_parse(&run.options, argc, argv);
    fault_world_init(&run.world, 1);
    run.counts = fault_shared(sizeof *run.counts);
    points_tiny(&run, MEMO_CLASS_F32);
    points_tiny(&run, MEMO_CLASS_INT8);
    points_wide(&run, MEMO_CLASS_F32);
    points_wide(&run, MEMO_CLASS_INT8);
    points_source(&run, "vocab", NULL);
    points_source(&run, "json", FIXTURE_UNCASED);
    points_real(&run, "real.f32", "MEMO_MODEL_F32");
    points_real(&run, "real.int8", "MEMO_MODEL_INT8");
    points_control(&run);
    printf("model file damage: %zu distinct flips and truncations, seed %" PRIu64 ", %zu of %zu "
           "targets failed\n",
           run.n_points, run.options.seed, run.n_failed, run.n_passed + run.n_failed);
    if (!run.options.quick && !run.options.workload && run.n_points < POINTS_LEAST) {
        printf("FAILED: fewer than %d points\n", POINTS_LEAST);
        run.n_failed++;
    }
    printf("%zu passed, %zu failed, %zu skipped\n", run.n_passed, run.n_failed, run.n_skipped);
    fault_world_fini(&run.world);
    return run.n_failed > 0;
}
