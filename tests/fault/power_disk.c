// SPDX-License-Identifier: Apache-2.0
#include "power_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { DISK_SECTOR = 512, DISK_BLOCK = 4096, DISK_LATE_MARKS = 3 };

/* ---- what is durable ----------------------------------------------------------------------- */

static int disk_is_name_event(const power_event *e)
{
    return e->kind == POWER_CREATE || e->kind == POWER_RENAME || e->kind == POWER_UNLINK;
}

static void disk_drop_name(power_name *names, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(names[i].name, name) == 0) {
            names[i] = names[--*n];
            return;
        }
    }
}

/* `names` has room for one more. */
static void disk_apply_name(power_name *names, size_t *n, const power_event *e)
{
    const char *name = e->kind == POWER_RENAME ? e->to : e->name;
    disk_drop_name(names, n, e->name);
    disk_drop_name(names, n, name);
    if (e->kind == POWER_UNLINK)
        return;
    snprintf(names[*n].name, sizeof names[*n].name, "%s", name);
    names[(*n)++].file = e->file;
}

static void disk_grow(power_content *c, size_t n_bytes)
{
    if (n_bytes <= c->n_bytes)
        return;
    c->bytes = power_realloc(c->bytes, n_bytes);
    memset(c->bytes + c->n_bytes, 0, n_bytes - c->n_bytes);
    c->n_bytes = n_bytes;
}

static void disk_apply_durably(power_content *c, const power_event *e)
{
    if (e->kind == POWER_TRUNCATE) {
        disk_grow(c, (size_t)e->offset);
        c->n_bytes = (size_t)e->offset;
    } else {
        disk_grow(c, (size_t)e->offset + e->n_bytes);
        memcpy(c->bytes + e->offset, e->bytes, e->n_bytes);
    }
}

/* A sync: what it covers leaves the pending ones. */
static void disk_settle(power_disk *disk, const power_event *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk->n_pending; i++) {
        const power_event *e = &disk->log->events[disk->pending[i]];
        if (sync->kind == POWER_SYNC_FOLDER && disk_is_name_event(e))
            disk_apply_name(disk->names, &disk->n_names, e);
        else if (sync->kind == POWER_SYNC && !disk_is_name_event(e) && e->file == sync->file)
            disk_apply_durably(&disk->contents[e->file], e);
        else
            disk->pending[kept++] = disk->pending[i];
    }
    disk->n_pending = kept;
}

static void disk_measure(power_disk *disk)
{
    for (int i = 0; i < disk->log->n_files; i++)
        disk->contents[i].most = disk->contents[i].whole = disk->contents[i].n_bytes;
    for (size_t i = 0; i < disk->n_pending; i++) {
        const power_event *e = &disk->log->events[disk->pending[i]];
        if (e->kind != POWER_WRITE && e->kind != POWER_TRUNCATE)
            continue;
        power_content *c = &disk->contents[e->file];
        size_t end = (size_t)e->offset + e->n_bytes;
        c->whole = e->kind == POWER_TRUNCATE || end > c->whole ? end : c->whole;
        c->most = end > c->most ? end : c->most;
    }
}

/* Before one more write to the mark of a lock file: nobody syncs those, so of many in a row the
 * oldest are taken as written back by the kernel. */
static void disk_age_marks(power_disk *disk, const power_event *mark)
{
    size_t n = 0, oldest = 0;
    for (size_t i = disk->n_pending; i-- > 0;) {
        const power_event *e = &disk->log->events[disk->pending[i]];
        if (e->is_mark && e->file == mark->file)
            n++, oldest = i;
    }
    if (n < DISK_LATE_MARKS)
        return;
    disk_apply_durably(&disk->contents[mark->file], &disk->log->events[disk->pending[oldest]]);
    disk->n_pending--;
    memmove(disk->pending + oldest, disk->pending + oldest + 1,
            (disk->n_pending - oldest) * sizeof *disk->pending);
}

void power_disk_init(power_disk *disk, const power_log *log, size_t point)
{
    *disk = (power_disk){.log = log, .point = point};
    disk->contents = power_alloc((size_t)log->n_files * sizeof *disk->contents);
    disk->names = power_alloc(((size_t)log->n_files + 1) * sizeof *disk->names);
    disk->pending = power_alloc(point * sizeof *disk->pending);
    for (size_t i = 0; i < log->start.n; i++) {
        const power_file *f = &log->start.at[i];
        disk_grow(&disk->contents[i], f->n_bytes);
        memcpy(disk->contents[i].bytes, f->bytes, f->n_bytes);
        snprintf(disk->names[i].name, sizeof disk->names[i].name, "%s", f->name);
        disk->names[i].file = (int)i;
    }
    disk->n_names = log->start.n;
    for (size_t i = 0; i < point; i++) {
        const power_event *e = &log->events[i];
        if (e->is_mark)
            disk_age_marks(disk, e);
        if (e->kind == POWER_SYNC || e->kind == POWER_SYNC_FOLDER)
            disk_settle(disk, e);
        else if (e->kind < POWER_BEGIN)
            disk->pending[disk->n_pending++] = i;
    }
    disk_measure(disk);
}

void power_disk_fini(power_disk *disk)
{
    for (int i = 0; disk->contents && i < disk->log->n_files; i++)
        free(disk->contents[i].bytes);
    free(disk->contents);
    free(disk->names);
    free(disk->pending);
    *disk = (power_disk){0};
}

/* ---- the fate of what is not --------------------------------------------------------------- */

typedef enum disk_keep { DISK_DROP, DISK_KEEP, DISK_HEAD, DISK_TAIL, DISK_MIX } disk_keep;

/* How the size of a file that grew comes out where data was dropped. */
typedef enum disk_size {
    DISK_SIZE_OF_DATA, /* to the end of what was kept, zeros in between */
    DISK_SIZE_ZEROS,   /* as large as it was, zeros where data is missing */
    DISK_SIZE_RUBBISH, /* as large as it was, rubbish there */
    DISK_SIZE_OLD,     /* not grown: what was kept beyond is lost */
} disk_size;

typedef struct disk_fate {
    disk_keep *keep; /* [n_pending] */
    disk_size size;
    size_t grain; /* DISK_SECTOR or DISK_BLOCK */
    memo_rng rng; /* of mixes and rubbish */
} disk_fate;

static void disk_fill(disk_fate *fate, size_t n, disk_keep keep)
{
    for (size_t i = 0; i < n; i++)
        fate->keep[i] = keep;
}

enum { DISK_WHOLE_STATES = 5, DISK_WAYS = 6 };

/* Nothing, everything, nothing but the sizes. */
static void disk_fate_of_all(disk_fate *fate, size_t n, size_t state)
{
    static const disk_size sizes[DISK_WHOLE_STATES] = {
        DISK_SIZE_OF_DATA, DISK_SIZE_OF_DATA, DISK_SIZE_ZEROS, DISK_SIZE_RUBBISH, DISK_SIZE_OLD};
    disk_fill(fate, n, state == POWER_STATE_ALL || state == 4 ? DISK_KEEP : DISK_DROP);
    fate->size = sizes[state];
}

/* One pending call is treated in a way of its own. */
static void disk_fate_of_one(disk_fate *fate, size_t n, size_t one, size_t way)
{
    switch (way) {
    case 0: /* only it is missing */
        disk_fill(fate, n, DISK_KEEP);
        fate->keep[one] = DISK_DROP;
        break;
    case 1: /* only it is there */
        fate->keep[one] = DISK_KEEP;
        break;
    case 2: /* everything up to it */
        disk_fill(fate, one + 1, DISK_KEEP);
        break;
    case 3: /* only it is torn */
    case 4:
        disk_fill(fate, n, DISK_KEEP);
        fate->keep[one] = way == 3 ? DISK_HEAD : DISK_TAIL;
        break;
    default: /* everything up to the middle of it */
        disk_fill(fate, one, DISK_KEEP);
        fate->keep[one] = DISK_HEAD;
        break;
    }
}

static disk_keep disk_tear(memo_rng *rng)
{
    return (disk_keep)(DISK_HEAD + memo_rng_below(rng, 3));
}

static void disk_fate_prefix(disk_fate *fate, size_t n, memo_rng *rng)
{
    size_t cut = (size_t)memo_rng_below(rng, n + 1);
    disk_fill(fate, cut, DISK_KEEP);
    if (cut < n)
        fate->keep[cut] = disk_tear(rng);
    for (size_t i = cut + 1; i < n; i++) /* some that came later are there all the same */
        fate->keep[i] = memo_rng_below(rng, 8) == 0 ? DISK_KEEP : DISK_DROP;
}

/* The pending calls on one file are there and those on others are not, or the reverse. */
static void disk_fate_by_file(disk_fate *fate, const power_disk *disk, memo_rng *rng)
{
    int file = disk->log->events[disk->pending[memo_rng_below(rng, disk->n_pending)]].file;
    int only = memo_rng_below(rng, 2) == 0;
    for (size_t i = 0; i < disk->n_pending; i++) {
        int its = disk->log->events[disk->pending[i]].file == file;
        fate->keep[i] = its == only ? DISK_KEEP : DISK_DROP;
    }
}

static void disk_fate_random(disk_fate *fate, const power_disk *disk, memo_rng *rng)
{
    static const unsigned of_eight[] = {4, 1, 7, 8};
    size_t n = disk->n_pending;
    size_t style = (size_t)memo_rng_below(rng, 7);
    if (style == 4) {
        disk_fate_prefix(fate, n, rng);
    } else if (style == 5) {
        disk_fate_by_file(fate, disk, rng);
    } else if (style == 6) {
        disk_fill(fate, n, DISK_MIX);
    } else {
        for (size_t i = 0; i < n; i++)
            if (memo_rng_below(rng, 8) < of_eight[style])
                fate->keep[i] = memo_rng_below(rng, 4) == 0 ? disk_tear(rng) : DISK_KEEP;
    }
    fate->grain = memo_rng_below(rng, 4) == 0 ? DISK_BLOCK : DISK_SECTOR;
    if (memo_rng_below(rng, 2) == 0)
        fate->size = (disk_size)memo_rng_below(rng, DISK_SIZE_OLD + 1);
}

static void disk_choose(disk_fate *fate, const power_disk *disk, uint64_t seed, size_t state)
{
    size_t n = disk->n_pending, n_of_one = n * DISK_WAYS;
    size_t half = state >= DISK_WHOLE_STATES ? (state - DISK_WHOLE_STATES) / 2 : 0;
    memo_rng_init(&fate->rng, seed + (uint64_t)disk->point * 1000003 + (uint64_t)state * 7919);
    fate->grain = DISK_SECTOR;
    if (n == 0)
        return;
    if (state < DISK_WHOLE_STATES) {
        disk_fate_of_all(fate, n, state);
    } else if (state % 2 && half < n_of_one) {
        /* Spread, so that a few of them already reach all over the calls; the step is a prime that
         * does not divide the count, so each comes up once. */
        size_t step = n_of_one % 7919 ? 7919 : 7907;
        size_t at = (size_t)((uint64_t)half * step % n_of_one);
        disk_fate_of_one(fate, n, at / DISK_WAYS, at % DISK_WAYS);
    } else {
        disk_fate_random(fate, disk, &fate->rng);
    }
}

/* ---- the files that come of it ------------------------------------------------------------- */

/* Bytes [begin, end) of a kept or torn write, where it is kept. Returns the end of what is kept. */
static size_t disk_put_write(unsigned char *image, const power_event *e, disk_keep keep,
                             disk_fate *fate)
{
    size_t begin = (size_t)e->offset, stop = begin + e->n_bytes, end = 0;
    size_t first = begin / fate->grain, n = (stop + fate->grain - 1) / fate->grain - first;
    size_t cut = n > 1 ? 1 + (size_t)memo_rng_below(&fate->rng, n - 1) : 0;
    for (size_t i = 0; i < n; i++) {
        int there = keep == DISK_KEEP   ? 1
                    : keep == DISK_HEAD ? i < cut
                    : keep == DISK_TAIL ? i >= cut
                                        : memo_rng_below(&fate->rng, 2) == 0;
        size_t from = (first + i) * fate->grain, to = from + fate->grain;
        if (!there)
            continue;
        from = from < begin ? begin : from;
        to = to > stop ? stop : to;
        memcpy(image + from, e->bytes + (from - begin), to - from);
        end = to;
    }
    return end;
}

static void disk_make_file(const power_disk *disk, int file, disk_fate *fate, power_file *out)
{
    const power_content *c = &disk->contents[file];
    size_t size = c->n_bytes;
    out->bytes = power_alloc(c->most);
    memcpy(out->bytes, c->bytes ? (const void *)c->bytes : "", c->n_bytes);
    if (fate->size == DISK_SIZE_RUBBISH)
        for (size_t i = c->n_bytes; i < c->most; i++)
            out->bytes[i] = (unsigned char)memo_rng_u64(&fate->rng);
    for (size_t i = 0; i < disk->n_pending; i++) {
        const power_event *e = &disk->log->events[disk->pending[i]];
        if (disk_is_name_event(e) || e->file != file || fate->keep[i] == DISK_DROP)
            continue;
        if (e->kind == POWER_TRUNCATE) {
            size_t to = (size_t)e->offset;
            if (to < size)
                memset(out->bytes + to, 0, size - to);
            size = to;
        } else {
            size_t end = disk_put_write(out->bytes, e, fate->keep[i], fate);
            size = end > size ? end : size;
        }
    }
    if ((fate->size == DISK_SIZE_ZEROS || fate->size == DISK_SIZE_RUBBISH) && size < c->whole)
        size = c->whole;
    if (fate->size == DISK_SIZE_OLD && size > c->n_bytes)
        size = c->n_bytes;
    out->n_bytes = size;
}

void power_disk_state(const power_disk *disk, uint64_t seed, size_t state, power_files *out)
{
    disk_fate fate = {.keep = power_alloc(disk->n_pending * sizeof *fate.keep)};
    size_t n = disk->n_names;
    power_name *names = power_alloc((n + disk->n_pending + 1) * sizeof *names);
    memcpy(names, disk->names, n * sizeof *names);
    disk_choose(&fate, disk, seed, state);
    for (size_t i = 0; i < disk->n_pending; i++) {
        const power_event *e = &disk->log->events[disk->pending[i]];
        if (disk_is_name_event(e) && fate.keep[i] != DISK_DROP)
            disk_apply_name(names, &n, e);
    }
    *out = (power_files){0};
    for (size_t i = 0; i < n; i++) {
        power_file file = {0};
        disk_make_file(disk, names[i].file, &fate, &file);
        power_files_add(out, names[i].name, file.bytes, file.n_bytes);
    }
    free(names);
    free(fate.keep);
}
