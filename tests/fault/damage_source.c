// SPDX-License-Identifier: Apache-2.0
#include "damage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

enum { SOURCE_MAX_BYTES = 1 << 24 };

static const char *const source_names[] = {
    "model.safetensors",        "config.json",  "vocab.txt",
    "tokenizer.json",           "modules.json", "1_Pooling/config.json",
    "sentence_bert_config.json"};

static void source_die(const char *what, const char *why)
{
    fprintf(stderr, "damage: %s: %s\n", what, why);
    exit(2);
}

static void source_path(char out[600], const char *folder, const char *name)
{
    snprintf(out, 600, "%.300s/%.200s", folder, name);
}

static void source_write(const char *folder, const char *name, const void *bytes, size_t n)
{
    char path[600];
    source_path(path, folder, name);
    FILE *f = fopen(path, "wbe");
    if (!f || (n && fwrite(bytes, 1, n, f) != n) || fclose(f) != 0)
        source_die(path, "cannot be written");
}

/* ---- the source ---------------------------------------------------------------------------- */

/* Compile FOLDER to FOLDER.model; the report's fingerprint. */
static memo_status source_compile(memo_ctx *ctx, const char *folder, memo_class cls, char out[320],
                                  char fingerprint[65], memo_err *err)
{
    const memo_compile_options o = {.size = sizeof o, .cls = cls, .name = "tiny", .overwrite = 1};
    memo_compile_report *report = NULL;
    snprintf(out, 320, "%.300s.model", folder);
    memo_status status = memo_model_compile(ctx, folder, out, &o, &report, err);
    if (status == MEMO_OK)
        memcpy(fingerprint, report->fingerprint, 65);
    memo_compile_report_free(report);
    return status;
}

/* Zero when each vector is finite and of length 1. */
static int source_vectors_wrong(const float *v, size_t dim)
{
    for (size_t i = 0; i < DAMAGE_MAX_TEXTS; i++) {
        double sum = 0;
        for (size_t k = 0; k < dim; k++)
            sum += (double)v[i * dim + k] * v[i * dim + k];
        if (!(fabs(sum - 1) < 1e-3))
            return 1;
    }
    return 0;
}

static void source_fill(const damage_source *s, const char *work)
{
    char path[600];
    mkdir(work, 0700);
    source_path(path, work, "1_Pooling");
    mkdir(path, 0700);
    for (size_t i = 0; i < s->n_files; i++)
        source_write(work, s->files[i], s->bytes[i], s->n_bytes[i]);
}

void damage_source_open(damage_source *s, memo_ctx *ctx, const char *name, const char *folder,
                        const char *work)
{
    memo_err err = {0};
    memset(s, 0, sizeof *s);
    s->name = name;
    snprintf(s->folder, sizeof s->folder, "%.299s", folder);
    for (size_t i = 0; i < sizeof source_names / sizeof *source_names; i++) {
        char path[600], *bytes = NULL;
        source_path(path, folder, source_names[i]);
        if (!memo_path_exists(path))
            continue;
        if (memo_file_slurp(path, SOURCE_MAX_BYTES, &bytes, &s->n_bytes[s->n_files], &err))
            source_die(path, err.message);
        s->bytes[s->n_files] = (unsigned char *)bytes;
        s->files[s->n_files++] = source_names[i];
    }
    source_fill(s, work);
    for (int cls = 0; cls < 2; cls++) {
        char out[320];
        memo_model *model = NULL;
        if (source_compile(ctx, work, (memo_class)cls, out, s->fingerprint[cls], &err) ||
            memo_model_open(ctx, out, NULL, &model, &err) ||
            damage_embed(model, s->vectors[cls], &err))
            source_die(folder, err.message);
        memo_model_close(model);
    }
}

void damage_source_free(damage_source *s)
{
    for (size_t i = 0; i < s->n_files; i++)
        memo_free(s->bytes[i]);
}

/* As many of the weights' header as of the weights. */
void damage_source_points(damage_list *list, const damage_source *s, uint64_t seed,
                          size_t n_of_file)
{
    for (size_t f = 0; f < s->n_files; f++) {
        size_t head = f == 0 ? 8 + s->bytes[0][0] + 256 * (size_t)s->bytes[0][1] : 0;
        for (size_t i = 0; i < n_of_file; i++) {
            size_t first = i % 2 ? head : 0, last = i % 2 || !head ? s->n_bytes[f] : head;
            uint64_t x = fault_mix(seed + f, i);
            damage_push(list, (damage_point){.byte = damage_spread(first, last, i, n_of_file, x),
                                             .bit = (unsigned char)(x >> 32 & 7),
                                             .op = i % 16 == 15 ? DAMAGE_CUT : DAMAGE_FLIP,
                                             .target = (unsigned char)f});
        }
    }
}

/* ---- one point ----------------------------------------------------------------------------- */

static int source_refused(memo_status status, const memo_err *err, const char *call,
                          char why[FAULT_WHY_BYTES])
{
    switch (status) {
    case MEMO_ERR_FORMAT:
    case MEMO_ERR_VALUE:
    case MEMO_ERR_LIMIT:
    case MEMO_ERR_UNSUPPORTED:
    case MEMO_ERR_CORRUPT:
        if (err->message[0])
            return 0;
        break;
    default:
        break;
    }
    return fault_fail(why, "%s: %s \"%.300s\"", call, memo_status_name(status), err->message);
}

/* What was compiled from a harmed source must be a whole model. */
static int source_use(const damage_source *s, memo_model *model, memo_class cls,
                      const char *fingerprint, const char *work, damage_end *end,
                      char why[FAULT_WHY_BYTES])
{
    float vectors[DAMAGE_MAX_TEXTS * DAMAGE_MAX_DIM];
    memo_model_info info = {.size = sizeof info};
    memo_source_check check = {.size = sizeof check};
    memo_err err = {0};
    memo_status status = memo_model_verify(model, NULL, &err);
    if (status)
        return fault_fail(why, "verify: %s: %.300s", memo_status_name(status), err.message);
    if (memo_model_check_source(model, work, &check, &err) || !check.matches)
        return fault_fail(why, "does not match the source it was made from: %.300s", err.message);
    memo_model_get_info(model, &info, NULL);
    if (info.dim > DAMAGE_MAX_DIM)
        return fault_fail(why, "dimension %zu", info.dim);
    if ((status = damage_embed(model, vectors, &err)) != MEMO_OK)
        return source_refused(status, &err, "embed", why);
    if (source_vectors_wrong(vectors, info.dim))
        return fault_fail(why, "a vector is not of length 1");
    *end = strcmp(fingerprint, s->fingerprint[cls]) == 0 ? DAMAGE_SAME : DAMAGE_OTHER;
    if (*end == DAMAGE_SAME &&
        memcmp(vectors, s->vectors[cls], DAMAGE_MAX_TEXTS * info.dim * sizeof(float)) != 0)
        return fault_fail(why, "the same fingerprint, other bits");
    return 0;
}

int damage_source_try(const damage_source *s, memo_ctx *ctx, const char *work,
                      const damage_point *point, damage_end *end, char why[FAULT_WHY_BYTES])
{
    memo_class cls = point->byte & 1 ? MEMO_CLASS_INT8 : MEMO_CLASS_F32;
    size_t f = point->target, n = point->op == DAMAGE_CUT ? (size_t)point->byte : s->n_bytes[f];
    char out[320], fingerprint[65];
    memo_model *model = NULL;
    memo_err err = {0};
    source_fill(s, work);
    if (point->op == DAMAGE_FLIP)
        s->bytes[f][point->byte] ^= (unsigned char)(1u << point->bit);
    source_write(work, s->files[f], s->bytes[f], n);
    if (point->op == DAMAGE_FLIP)
        s->bytes[f][point->byte] ^= (unsigned char)(1u << point->bit);
    memo_status status = source_compile(ctx, work, cls, out, fingerprint, &err);
    *end = DAMAGE_REFUSED;
    if (status && access(out, F_OK) == 0)
        return fault_fail(why, "refused, and a file was written");
    if (status)
        return source_refused(status, &err, "compile", why);
    status = memo_model_open(ctx, out, NULL, &model, &err);
    int failed = status ? fault_fail(why, "open: %s: %.300s", memo_status_name(status), err.message)
                        : source_use(s, model, cls, fingerprint, work, end, why);
    memo_model_close(model);
    unlink(out);
    return failed;
}
