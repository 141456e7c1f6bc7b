// SPDX-License-Identifier: Apache-2.0
#include "memory/relevance/hit_refine.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "memory/context/context_pack.h"
#include "memory/relevance/known_curves.h"

#define REFINE_LIKELY 0.5 /* more likely a match than not */

size_t memo_refine_pool(const memo_search_options *options, size_t k)
{
    return options->diversity > 0 || options->drop_duplicates ? 4 * k + 16 : k;
}

/* ---- repetitions --------------------------------------------------------------------------- */

static memo_status refine_drop_repeats(const memo_refine *r, memo_found *found, size_t *n,
                                       memo_hits *out, memo_err *err)
{
    memo_piece *pieces = memo_arena_array(r->arena, *n + 1, sizeof *pieces);
    memo_shingles room = {0};
    size_t n_kept = 0;
    memo_status status = MEMO_OK;
    if (!pieces)
        return memo_fail_nomem(err, "hits", *n * sizeof *pieces);
    for (size_t i = 0; i < *n; i++) {
        int repeats = 0;
        pieces[n_kept] = (memo_piece){.hit = &found[i].hit};
        status = memo_piece_read(&pieces[n_kept], &room, r->arena, err);
        if (status)
            break;
        for (size_t j = 0; j < n_kept && !repeats; j++)
            repeats = memo_piece_repeats(&pieces[n_kept], &pieces[j]);
        out->n_duplicates += (size_t)repeats;
        if (repeats)
            continue;
        found[n_kept] = found[i];
        pieces[n_kept].hit = &found[n_kept].hit;
        n_kept++;
    }
    memo_shingles_fini(&room);
    if (!status)
        *n = n_kept;
    return status;
}

/* ---- variety ------------------------------------------------------------------------------- */

typedef struct refine_vectors {
    size_t dim;
    float *vectors; /* [n, dim] */
    unsigned char *found;
} refine_vectors;

static memo_status refine_read_vectors(const memo_refine *r, const memo_found *found, size_t n,
                                       refine_vectors *v, memo_err *err)
{
    memo_store_space space = {0};
    int64_t *chunks = memo_arena_array(r->arena, n, sizeof *chunks);
    memo_status status = memo_store_get_space(r->db->store, r->space, r->arena, &space, err);
    if (status)
        return status;
    v->dim = space.dim;
    v->vectors = memo_arena_array(r->arena, n, v->dim * sizeof *v->vectors);
    v->found = memo_arena_array(r->arena, n, 1);
    if (!chunks || !v->vectors || !v->found)
        return memo_fail_nomem(err, "vectors of hits", n * v->dim * sizeof *v->vectors);
    for (size_t i = 0; i < n; i++)
        chunks[i] = found[i].chunk;
    return memo_store_vectors_of(r->db->store, r->space, chunks, n, v->dim, v->vectors, v->found,
                                 err);
}

static double refine_cosine(const refine_vectors *v, size_t i, size_t j)
{
    const float *a = v->vectors + i * v->dim, *b = v->vectors + j * v->dim;
    double ab = 0, aa = 0, bb = 0;
    if (!v->found[i] || !v->found[j])
        return 0;
    for (size_t d = 0; d < v->dim; d++) {
        ab += (double)a[d] * b[d];
        aa += (double)a[d] * a[d];
        bb += (double)b[d] * b[d];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* Take the next best of those that are left, k times; ties go to the better score's. */
static memo_status refine_vary(const memo_refine *r, memo_found *found, size_t *n, memo_err *err)
{
    double d = r->options->diversity < 1 ? r->options->diversity : 1;
    double best = found[0].hit.score;
    size_t n_out = *n < r->k ? *n : r->k;
    double *nearest = memo_arena_array(r->arena, *n, sizeof *nearest);
    unsigned char *taken = memo_arena_array(r->arena, *n, 1);
    memo_found *out = memo_arena_array(r->arena, *n, sizeof *out);
    refine_vectors v = {0};
    memo_status status = refine_read_vectors(r, found, *n, &v, err);
    if (status)
        return status;
    if (!nearest || !taken || !out)
        return memo_fail_nomem(err, "hits", *n * sizeof *out);
    for (size_t at = 0; at < n_out; at++) {
        size_t pick = *n;
        double most = -INFINITY;
        for (size_t i = 0; i < *n; i++) {
            double worth = (1 - d) * (best > 0 ? found[i].hit.score / best : 0) - d * nearest[i];
            if (!taken[i] && worth > most) {
                most = worth;
                pick = i;
            }
        }
        taken[pick] = 1;
        out[at] = found[pick];
        for (size_t i = 0; i < *n; i++)
            nearest[i] = fmax(nearest[i], refine_cosine(&v, i, pick));
    }
    memcpy(found, out, n_out * sizeof *out);
    *n = n_out;
    return MEMO_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void refine_hide(const memo_refine *r, memo_found *found, size_t *n, memo_hits *out)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (found[i].hit.score >= r->options->min_score) {
            found[n_kept++] = found[i];
            continue;
        }
        if (out->n_hidden++ == 0 || found[i].hit.score > out->best_hidden)
            out->best_hidden = found[i].hit.score;
    }
    *n = n_kept;
}

memo_status memo_refine_hits(const memo_refine *r, memo_found *found, size_t *n, memo_hits *out,
                             memo_err *err)
{
    memo_status status = MEMO_OK;
    out->n_hidden = out->n_duplicates = 0;
    if (r->options->drop_duplicates)
        status = refine_drop_repeats(r, found, n, out, err);
    if (status == MEMO_OK && r->options->diversity > 0 && r->space && *n > 1)
        status = refine_vary(r, found, n, err);
    if (status)
        return status;
    *n = *n < r->k ? *n : r->k;
    if (r->options->min_score != 0)
        refine_hide(r, found, n, out);
    return MEMO_OK;
}

/* The curve of the store, else what is known of the model; "" when there is none. One that is damaged is
 * none: the search does not suffer. */
static memo_status refine_find_curve(const memo_refine *r, memo_logistic *curve,
                                     const char **origin, memo_err *err)
{
    memo_store_calibration c;
    memo_err why = {0};
    int known = 0;
    memo_status status = memo_store_get_calibration(r->db->store, r->space, &c, &known, &why);
    *origin = "";
    if (status == MEMO_ERR_CORRUPT) {
        memo_log(r->db->ctx, MEMO_LOG_WARN, "%s; fix: %s", why.message, why.hint);
        return MEMO_OK;
    }
    if (status && err)
        *err = why;
    if (known) {
        *curve = (memo_logistic){c.slope, c.offset};
        *origin = "store";
    } else if (status == MEMO_OK && r->db->model &&
               memo_known_curve(r->db->info.source_hash, curve)) {
        *origin = "model";
    }
    return status;
}

memo_status memo_refine_judge(const memo_refine *r, memo_found *found, size_t n, int named,
                              memo_hits *out, memo_err *err)
{
    memo_logistic curve;
    memo_status status = MEMO_OK;
    out->relevant = -1;
    out->best_probability = -1;
    for (size_t i = 0; i < n; i++)
        found[i].hit.probability = -1;
    if (r->space && r->options->mode != MEMO_SEARCH_LEXICAL)
        status = refine_find_curve(r, &curve, &out->calibration, err);
    if (status || !out->calibration[0])
        return status;
    for (size_t i = 0; i < n; i++) {
        const memo_lane_score *dense = &found[i].hit.lanes[MEMO_LANE_DENSE];
        if (dense->rank == 0)
            continue;
        found[i].hit.probability = memo_logistic_value(curve, dense->score);
        out->best_probability = fmax(out->best_probability, found[i].hit.probability);
    }
    out->relevant = named || out->best_probability >= REFINE_LIKELY;
    return MEMO_OK;
}
