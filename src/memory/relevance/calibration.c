// SPDX-License-Identifier: Apache-2.0
/* How likely a match is at a cosine: a logistic curve for each space, fitted to pairs of texts.
 *
 * Given pairs, or pairs of the store's own: what stands at the beginning of a text (its title, else its
 * first sentence) and the rest of it belong together; the same beginning and the rest of another text
 * do not. Every other pair is held out of the fit, and the error is measured on those. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/db.h"
#include "memory/relevance/logistic.h"
#include "text/words.h"

enum {
    CALIBRATE_MIN = 20,      /* of matches, and of pairs that are none */
    CALIBRATE_RECORDS = 500, /* of the store's own */
    CALIBRATE_BLOCK = 128,   /* pairs embedded at once */
    CALIBRATE_MAX = 1000000,
    CALIBRATE_PART_BYTES = 12, /* less is no beginning, and no rest */
};

typedef struct calibrate_work {
    memo_db *db;
    memo_calibrate_options options;
    memo_db_progress progress;
    memo_arena arena;
    memo_store_ns ns;
    const memo_pair *pairs; /* [n] */
    size_t n;
    double *cosines;       /* [n]; fitted ones first, after calibrate_split() */
    unsigned char *labels; /* [n] */
    size_t n_fitted;
} calibrate_work;

/* ---- pairs of the store's own -------------------------------------------------------------- */

/* Where the first sentence or line ends; 0 when nothing follows it. */
static size_t calibrate_first_sentence(memo_text text)
{
    for (size_t i = CALIBRATE_PART_BYTES; i + CALIBRATE_PART_BYTES < text.n_bytes; i++) {
        char c = text.bytes[i], next = text.bytes[i + 1];
        if (c == '\n' || ((c == '.' || c == '?' || c == '!') && (next == ' ' || next == '\n')))
            return i + 1;
    }
    return 0;
}

static int calibrate_cut(const memo_record *record, memo_pair *pair)
{
    memo_text text = record->text;
    size_t at = record->title[0] ? 0 : calibrate_first_sentence(text);
    if (!at && strlen(record->title) < CALIBRATE_PART_BYTES)
        return 0;
    pair->a = at ? (memo_text){text.bytes, at} : (memo_text){record->title, strlen(record->title)};
    pair->b = (memo_text){text.bytes + at, text.n_bytes - at};
    pair->match = 1;
    return !memo_text_is_blank(pair->a.bytes, pair->a.n_bytes) &&
           !memo_text_is_blank(pair->b.bytes, pair->b.n_bytes);
}

static memo_status calibrate_own_pairs(calibrate_work *w, memo_err *err)
{
    const memo_store_scope scope = {.ns = w->ns.id, .now_ms = memo_now_ms(w->db->ctx)};
    const memo_store_list_options list = {.limit = CALIBRATE_RECORDS};
    memo_records records = {0};
    memo_pair *pairs;
    size_t n = 0;
    memo_status status = memo_store_list(w->db->store, &scope, &list, &w->arena, &records, err);
    if (status)
        return status;
    pairs = memo_arena_array(&w->arena, 2 * records.n + 1, sizeof *pairs);
    if (!pairs)
        return memo_fail_nomem(err, "pairs of texts", 2 * records.n * sizeof *pairs);
    for (size_t i = 0; i < records.n; i++)
        n += (size_t)calibrate_cut(&records.records[i], &pairs[n]);
    for (size_t i = 0; i < n; i++)
        pairs[n + i] = (memo_pair){pairs[i].a, pairs[(i + n / 2) % n].b, 0};
    w->pairs = pairs;
    w->n = 2 * n;
    return MEMO_OK;
}

/* ---- cosines ------------------------------------------------------------------------------- */

static double calibrate_cosine(const float *a, const float *b, size_t dim)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dim; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

static memo_status calibrate_embed_block(calibrate_work *w, size_t at, size_t n, float *vectors,
                                         memo_err *err)
{
    const memo_embed_options query = {.size = sizeof query, .role = MEMO_ROLE_QUERY};
    const memo_embed_options document = {.size = sizeof document, .role = MEMO_ROLE_DOCUMENT};
    memo_text texts[CALIBRATE_BLOCK];
    size_t dim = w->db->space.dim;
    memo_status status;
    for (size_t i = 0; i < n; i++)
        texts[i] = w->pairs[at + i].a;
    status = memo_db_embed(w->db, &query, texts, n, vectors, NULL, err);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++)
        texts[i] = w->pairs[at + i].b;
    status = memo_db_embed(w->db, &document, texts, n, vectors + n * dim, NULL, err);
    for (size_t i = 0; i < n && !status; i++) {
        w->cosines[at + i] = calibrate_cosine(vectors + i * dim, vectors + (n + i) * dim, dim);
        w->labels[at + i] = w->pairs[at + i].match != 0;
    }
    return status;
}

static memo_status calibrate_embed(calibrate_work *w, memo_err *err)
{
    size_t dim = w->db->space.dim;
    float *vectors = memo_reallocarray(NULL, 2 * CALIBRATE_BLOCK * dim, sizeof *vectors);
    memo_status status = MEMO_OK;
    w->cosines = memo_arena_array(&w->arena, w->n, sizeof *w->cosines);
    w->labels = memo_arena_array(&w->arena, w->n, 1);
    if (!vectors || !w->cosines || !w->labels)
        status = memo_fail_nomem(err, "vectors of pairs", w->n * sizeof *w->cosines);
    for (size_t at = 0; at < w->n && !status; at += CALIBRATE_BLOCK) {
        size_t n = w->n - at < CALIBRATE_BLOCK ? w->n - at : CALIBRATE_BLOCK;
        const memo_progress progress = {.stage = "embed", .done = at, .total = w->n};
        if (w->options.progress && w->options.progress(w->options.progress_user, &progress))
            status = memo_fail(err, MEMO_ERR_CANCELLED, "cancelled; nothing was calibrated");
        else
            status = calibrate_embed_block(w, at, n, vectors, err);
    }
    memo_free(vectors);
    return status;
}

/* ---- fit ----------------------------------------------------------------------------------- */

/* Of each label every other pair is held out, and goes behind the fitted ones. */
static memo_status calibrate_split(calibrate_work *w, memo_err *err)
{
    double *x = memo_arena_array(&w->arena, w->n, sizeof *x);
    unsigned char *y = memo_arena_array(&w->arena, w->n, 1);
    size_t seen[2] = {0}, n = 0, end = w->n;
    if (!x || !y)
        return memo_fail_nomem(err, "cosines", w->n * sizeof *x);
    for (size_t i = 0; i < w->n; i++) {
        size_t to = seen[w->labels[i]]++ % 2 ? --end : n++;
        x[to] = w->cosines[i];
        y[to] = w->labels[i];
    }
    w->cosines = x;
    w->labels = y;
    w->n_fitted = n;
    return MEMO_OK;
}

static memo_status calibrate_check_pairs(const calibrate_work *w, memo_err *err)
{
    size_t n_match = 0;
    for (size_t i = 0; i < w->n; i++) {
        const memo_pair *pair = &w->pairs[i];
        if ((!pair->a.bytes && pair->a.n_bytes) || (!pair->b.bytes && pair->b.n_bytes))
            return memo_fail(err, MEMO_ERR_USAGE, "pair %zu: a text is NULL", i);
        if (memo_text_is_blank(pair->a.bytes, pair->a.n_bytes) ||
            memo_text_is_blank(pair->b.bytes, pair->b.n_bytes))
            return memo_fail(err, MEMO_ERR_VALUE, "pair %zu: a text is empty", i);
        n_match += pair->match != 0;
    }
    if (n_match >= CALIBRATE_MIN && w->n - n_match >= CALIBRATE_MIN)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_VALUE,
              w->options.pairs
                  ? "%zu pairs that match and %zu that do not; at least %d of each are "
                    "needed"
                  : "the store gives %zu pairs that match and %zu that do not (records "
                    "with a title, or of two sentences); at least %d of each are needed",
              n_match, w->n - n_match, CALIBRATE_MIN);
    return memo_hint(err, MEMO_ERR_VALUE, "memolith calibrate --pairs FILE.ndjson   (a, b, match)");
}

/* A cosine that is lower for matches says nothing that a probability could be made of. */
static memo_status calibrate_fit(calibrate_work *w, memo_calibration *out, memo_err *err)
{
    memo_logistic f;
    memo_status status = calibrate_split(w, err);
    if (status)
        return status;
    f = memo_logistic_fit(w->cosines, w->labels, w->n_fitted);
    if (!isfinite(f.slope) || !isfinite(f.offset) || f.slope <= 0)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the pairs that match are not nearer than the others (slope %g)", f.slope);
    *out = (memo_calibration){.slope = f.slope,
                              .offset = f.offset,
                              .error =
                                  memo_logistic_error(f, w->cosines + w->n_fitted,
                                                      w->labels + w->n_fitted, w->n - w->n_fitted),
                              .n_pairs = w->n,
                              .n_held_out = w->n - w->n_fitted,
                              .made_ms = memo_now_ms(w->db->ctx)};
    return MEMO_OK;
}

static memo_status calibrate_keep(calibrate_work *w, const memo_calibration *c, memo_err *err)
{
    const memo_store_calibration row = {c->slope, c->offset, c->error, c->n_pairs, c->made_ms};
    memo_status status = memo_store_begin_write(w->db->store, err);
    if (status)
        return status;
    status = memo_store_put_calibration(w->db->store, w->ns.space, &row,
                                        w->options.pairs ? "pairs" : "store", err);
    return memo_store_end_write(w->db->store, status, err);
}

static memo_status calibrate_open(calibrate_work *w, memo_err *err)
{
    const char *name = memo_db_ns_name(w->options.ns);
    memo_status status = memo_db_need_embedder(w->db, "calibrating", err);
    if (status == MEMO_OK && w->options.pairs && w->options.n_pairs > CALIBRATE_MAX)
        status = memo_fail(err, MEMO_ERR_LIMIT, "%zu pairs, at most %d are allowed",
                           w->options.n_pairs, CALIBRATE_MAX);
    if (status == MEMO_OK)
        status = memo_store_find_ns(w->db->store, name, &w->ns, err);
    if (status == MEMO_OK && !w->ns.space)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "namespace \"%s\" is empty", name);
    if (status == MEMO_OK)
        status = memo_db_check_space(w->db, name, &w->ns, "nothing was calibrated", err);
    return status;
}

memo_status memo_db_calibrate(memo_db *db, const memo_calibrate_options *options,
                              memo_calibration *calibration, memo_err *err)
{
    calibrate_work w = {.db = db};
    memo_calibration c = {0};
    memo_status status =
        memo_options_copy(&w.options, sizeof w.options, options, "memo_calibrate_options", err);
    if (status == MEMO_OK)
        status = memo_db_check_call(db, calibration, "memo_db_calibrate", err);
    if (status == MEMO_OK)
        status = memo_result_check(calibration, "memo_calibration", err);
    if (status == MEMO_OK)
        status = calibrate_open(&w, err);
    if (status)
        return status;
    memo_db_wrap_progress(&w.progress, db, &w.options.progress, &w.options.progress_user);
    w.pairs = w.options.pairs;
    w.n = w.options.n_pairs;
    if (!w.pairs)
        status = calibrate_own_pairs(&w, err);
    if (status == MEMO_OK)
        status = calibrate_check_pairs(&w, err);
    if (status == MEMO_OK)
        status = calibrate_embed(&w, err);
    if (status == MEMO_OK)
        status = calibrate_fit(&w, &c, err);
    if (status == MEMO_OK)
        status = calibrate_keep(&w, &c, err);
    if (status == MEMO_OK)
        memo_result_write(calibration, &c, sizeof c);
    memo_arena_fini(&w.arena);
    return status;
}
