// SPDX-License-Identifier: Apache-2.0
#include "damage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "format/safetensors.h"
#include "model/compiled.h"

static void compiled_die(const char *what, const char *why)
{
    fprintf(stderr, "damage: %s: %s\n", what, why);
    exit(2);
}

void damage_push(damage_list *list, damage_point point)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 65536;
        list->points = realloc(list->points, list->cap * sizeof *list->points);
        if (!list->points)
            compiled_die("points", "no memory");
    }
    list->points[list->n++] = point;
}

static int compiled_compare(const void *a, const void *b)
{
    const damage_point *x = a, *y = b;
    if (x->target != y->target)
        return x->target < y->target ? -1 : 1;
    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    if (x->byte != y->byte)
        return x->byte < y->byte ? -1 : 1;
    return x->bit < y->bit ? -1 : x->bit > y->bit;
}

void damage_unique(damage_list *list)
{
    size_t n = 0;
    qsort(list->points, list->n, sizeof *list->points, compiled_compare);
    for (size_t i = 0; i < list->n; i++)
        if (!n || compiled_compare(&list->points[n - 1], &list->points[i]) != 0)
            list->points[n++] = list->points[i];
    list->n = n;
}

uint64_t damage_spread(uint64_t first, uint64_t last, size_t i, size_t n, uint64_t x)
{
    uint64_t begin = first + (last - first) * i / n, end = first + (last - first) * (i + 1) / n;
    return end > begin ? begin + x % (end - begin) : begin;
}

/* ---- the model ----------------------------------------------------------------------------- */

memo_status damage_embed(memo_model *model, float *vectors, memo_err *err)
{
    const memo_text texts[DAMAGE_MAX_TEXTS] = {MEMO_TEXT("the spare key is under the flower pot"),
                                               MEMO_TEXT("ERR-4512; a note of 7 words, or so"),
                                               MEMO_TEXT("")};
    const memo_embed_options o = {.size = sizeof o, .n_threads = 1};
    return memo_model_embed(model, &o, texts, DAMAGE_MAX_TEXTS, vectors, NULL, err);
}

void damage_model_open(damage_model *m, memo_ctx *ctx, const char *name, const char *path)
{
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(m, 0, sizeof *m);
    m->name = name;
    if (fd < 0 || fstat(fd, &st) != 0)
        compiled_die(path, "cannot be opened");
    m->n_bytes = (size_t)st.st_size;
    m->bytes = mmap(NULL, m->n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (m->bytes == MAP_FAILED)
        compiled_die(path, "cannot be mapped");
    if (memo_model_open_memory(ctx, m->bytes, m->n_bytes, NULL, &model, &err))
        compiled_die(path, err.message);
    memo_model_get_info(model, &info, NULL);
    m->dim = info.dim;
    if (info.dim > DAMAGE_MAX_DIM || damage_embed(model, m->vectors, &err) ||
        memo_model_verify(model, NULL, &err))
        compiled_die(path, err.message);
    memo_model_close(model);
}

/* ---- points -------------------------------------------------------------------------------- */

static memo_safetensors *compiled_parse(const damage_model *m)
{
    memo_safetensors *st = NULL;
    memo_err err = {0};
    if (memo_safetensors_parse(m->bytes, m->n_bytes, m->name, &st, &err))
        compiled_die(m->name, err.message);
    return st;
}

/* One bit in `every` of [begin, end), at a random place of each. */
static void compiled_flips(damage_list *list, unsigned char target, uint64_t seed, uint64_t begin,
                           uint64_t end, unsigned every)
{
    for (uint64_t bit = 8 * begin; bit < 8 * end; bit += every) {
        uint64_t at = bit + fault_mix(seed, bit) % every;
        if (at < 8 * end)
            damage_push(list, (damage_point){.byte = at / 8,
                                             .bit = (unsigned char)(at % 8),
                                             .op = DAMAGE_FLIP,
                                             .target = target});
    }
}

void damage_compiled_points(damage_list *list, const damage_model *m, unsigned char target,
                            uint64_t seed, unsigned one_in)
{
    enum { TABLE_HEAD = 512, SPARSE = 24 };
    memo_safetensors *st = compiled_parse(m);
    compiled_flips(list, target, seed, 0, st->data_begin, one_in);
    for (size_t i = 0; i < st->n_tensors; i++) {
        const memo_st_tensor *t = &st->tensors[i];
        uint64_t dense = t->begin;
        if (strncmp(t->name, "memolith.", 9) == 0) /* read before anything is computed */
            dense = strcmp(t->name, "memolith.tokenizer") == 0 && t->begin + TABLE_HEAD < t->end
                        ? t->begin + TABLE_HEAD
                        : t->end;
        compiled_flips(list, target, seed, t->begin, dense, one_in);
        compiled_flips(list, target, seed, dense, t->end, SPARSE * one_in);
    }
    memo_safetensors_free(st);
    for (uint64_t n = fault_mix(seed, target) % one_in; n < m->n_bytes; n += one_in)
        damage_push(list, (damage_point){.byte = n, .op = DAMAGE_CUT, .target = target});
    for (uint64_t n = 1; n <= 256; n += one_in)
        damage_push(list, (damage_point){.byte = n, .op = DAMAGE_GROW, .target = target});
}

void damage_some_points(damage_list *list, const damage_model *m, unsigned char target,
                        uint64_t seed, size_t n)
{
    memo_safetensors *st = compiled_parse(m);
    for (size_t i = 0; i < n; i++) {
        uint64_t first = i % 4 ? st->data_begin : 0, last = i % 4 ? m->n_bytes : st->data_begin;
        uint64_t x = fault_mix(seed, i);
        damage_push(list, (damage_point){.byte = damage_spread(first, last, i, n, x),
                                         .bit = (unsigned char)(x >> 32 & 7),
                                         .op = DAMAGE_FLIP,
                                         .target = target});
        if (i % 4 == 0)
            damage_push(list, (damage_point){.byte = fault_mix(seed, n + i) % m->n_bytes,
                                             .op = DAMAGE_CUT,
                                             .target = target});
    }
    memo_safetensors_free(st);
}

void damage_resealed_points(damage_list *list, const damage_model *m, unsigned char target,
                            uint64_t seed, size_t n)
{
    memo_safetensors *st = compiled_parse(m);
    uint64_t begin = st->data_begin, end = memo_safetensors_find(st, "memolith.tokenizer")->begin;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = fault_mix(seed, i);
        damage_push(list, (damage_point){.byte = damage_spread(begin, end, i, n, x),
                                         .bit = (unsigned char)(x >> 32 & 7),
                                         .op = DAMAGE_RESEALED,
                                         .target = target});
    }
    memo_safetensors_free(st);
}

/* ---- one point ----------------------------------------------------------------------------- */

/* Room for a file that ends less than 64 bytes before a page that cannot be read; of this process. */
static unsigned char *compiled_room(size_t n_bytes)
{
    static unsigned char *base;
    static size_t n_mapped;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (n_bytes + 63) / 64 * 64;
    if (n_mapped < n + 2 * page) {
        if (base)
            munmap(base, n_mapped);
        n_mapped = (2 * n + 3 * page) / page * page;
        base = mmap(NULL, n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED || mprotect(base + n_mapped - page, page, PROT_NONE) != 0)
            compiled_die("memory", "cannot be mapped");
    }
    return base + n_mapped - page - n;
}

/* Make the checksums agree again: of the block, and of the list of checksums. */
static void compiled_reseal(unsigned char *bytes, size_t n_bytes, uint64_t byte)
{
    memo_safetensors *st = NULL;
    if (memo_safetensors_parse(bytes, n_bytes, "model", &st, NULL))
        return;
    uint64_t first = memo_safetensors_find(st, "memolith.checksums")->begin;
    uint64_t *sums = (uint64_t *)(void *)(bytes + first);
    uint64_t n_blocks = (n_bytes - first) / sizeof *sums - 1;
    uint64_t block = (byte - st->data_begin) / MEMO_COMPILED_BLOCK;
    uint64_t begin = st->data_begin + block * MEMO_COMPILED_BLOCK;
    uint64_t n = first - begin < MEMO_COMPILED_BLOCK ? first - begin : MEMO_COMPILED_BLOCK;
    sums[block] = memo_xxh64(bytes + begin, (size_t)n, block);
    sums[n_blocks] = memo_xxh64(sums, (size_t)n_blocks * sizeof *sums, n_blocks);
    memo_safetensors_free(st);
}

static int compiled_refused(memo_status status, const memo_err *err, const char *call,
                            char why[FAULT_WHY_BYTES])
{
    if ((status == MEMO_ERR_CORRUPT || status == MEMO_ERR_FORMAT ||
         status == MEMO_ERR_UNSUPPORTED || status == MEMO_ERR_VERIFY) &&
        err->message[0])
        return 0;
    return fault_fail(why, "%s: %s \"%.300s\"", call, memo_status_name(status), err->message);
}

/* A model that opened: what it embeds is right or refused, and verify finds the damage. */
static int compiled_use(const damage_model *m, memo_model *model, const damage_point *point,
                        damage_end *end, char why[FAULT_WHY_BYTES])
{
    float vectors[DAMAGE_MAX_TEXTS * DAMAGE_MAX_DIM];
    size_t n_bytes = DAMAGE_MAX_TEXTS * m->dim * sizeof(float);
    memo_err err = {0};
    memo_status status = damage_embed(model, vectors, &err);
    int other = status == MEMO_OK && memcmp(vectors, m->vectors, n_bytes) != 0;
    if (status && !(status == MEMO_ERR_VALUE && point->op == DAMAGE_RESEALED) && /* infinite */
        compiled_refused(status, &err, "embed", why))
        return 1;
    if (other && point->op != DAMAGE_RESEALED)
        return fault_fail(why, "embeds with other bits");
    *end = status ? DAMAGE_AT_USE : other ? DAMAGE_OTHER : DAMAGE_AT_VERIFY;
    memset(&err, 0, sizeof err);
    status = memo_model_verify(model, NULL, &err);
    if (status)
        return compiled_refused(status, &err, "verify", why);
    if (other || point->op != DAMAGE_RESEALED)
        return fault_fail(why, "verify finds nothing");
    *end = DAMAGE_SAME; /* padding between the rows, which nobody reads */
    return 0;
}

int damage_compiled_try(const damage_model *m, memo_ctx *ctx, const damage_point *point,
                        damage_end *end, char why[FAULT_WHY_BYTES])
{
    size_t n = point->op == DAMAGE_CUT    ? (size_t)point->byte
               : point->op == DAMAGE_GROW ? m->n_bytes + (size_t)point->byte
                                          : m->n_bytes;
    unsigned char *bytes = compiled_room(n);
    memo_model *model = NULL;
    memo_err err = {0};
    memcpy(bytes, m->bytes, n < m->n_bytes ? n : m->n_bytes);
    if (n > m->n_bytes)
        memset(bytes + m->n_bytes, 0, n - m->n_bytes);
    if (point->op == DAMAGE_FLIP || point->op == DAMAGE_RESEALED)
        bytes[point->byte] ^= (unsigned char)(1u << point->bit);
    if (point->op == DAMAGE_RESEALED)
        compiled_reseal(bytes, n, point->byte);
    *end = DAMAGE_REFUSED;
    memo_status status = memo_model_open_memory(ctx, bytes, n, NULL, &model, &err);
    if (status)
        return compiled_refused(status, &err, "open", why);
    int failed = compiled_use(m, model, point, end, why);
    memo_model_close(model);
    return failed;
}
