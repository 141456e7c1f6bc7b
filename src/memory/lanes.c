// SPDX-License-Identifier: Apache-2.0
#include "memory/lanes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "index/exact.h"

#define LANES_SCORES       256  /* scored at once: stays in the first-level cache */
#define LANES_TITLE_WEIGHT 2.0  /* BM25; 1 to 2 raises nDCG@10 on Cranfield from 0.378 to 0.385 */
#define LANES_MAX_EXACT    1000 /* chunks a name may stand in and still be looked at */
#define LANES_KEY_SCORE    1000 /* of memo_store_exact() for a record whose key the needle is */
/* A query vector this near to length 1 comes from a model that normalizes, and so do the stored
 * ones. */
#define LANES_UNIT 1e-3
/* Outside of this range the square of a length, summed in float, has overflowed or lost digits to
 * denormals; between them a product of two lengths and a dot product are far from both. */
#define LANES_LEAST_SQUARE 1e-30
#define LANES_MOST_SQUARE  1e30

void memo_lanes_fini(memo_lanes *lanes)
{
    for (int i = 0; i < MEMO_N_LANES; i++)
        memo_lane_list_fini(&lanes->lists[i]);
    memo_lane_list_fini(&lanes->promoted);
}

static memo_lane_hit lanes_hit(const memo_lanes *lanes, int64_t record, int64_t chunk, double score)
{
    return (memo_lane_hit){lanes->by_chunk ? chunk : record, chunk, score};
}

/* ---- dense --------------------------------------------------------------------------------- */

typedef struct lanes_scan {
    memo_lanes *lanes;
    const memo_kernels *kernels;
    size_t dim;
    double query_norm;
    int is_unit;   /* all vectors have length 1, the dot product is the cosine */
    int in_double; /* the query's own length is out of float's range */
    memo_status status;
    memo_err *err;
} lanes_scan;

/* The square of a vector's length. */
static float lanes_square(const lanes_scan *scan, const float *v)
{
    float square;
    memo_exact_scores(scan->kernels, v, scan->dim, v, 1, &square);
    return square;
}

static int lanes_in_range(float square)
{
    return square > (float)LANES_LEAST_SQUARE && square < (float)LANES_MOST_SQUARE;
}

/* In double every finite vector has a square: 65,536 components of 3e38 make 6e81. */
static double lanes_cosine_in_double(const lanes_scan *scan, const float *vector)
{
    const float *query = scan->lanes->vector;
    double dot = 0, qq = 0, vv = 0;

    for (size_t i = 0; i < scan->dim; i++) {
        dot += (double)query[i] * (double)vector[i];
        qq += (double)query[i] * (double)query[i];
        vv += (double)vector[i] * (double)vector[i];
    }
    return qq == 0 || vv == 0 ? 0 : dot / (sqrt(qq) * sqrt(vv)); /* NaN stays NaN */
}

static double lanes_cosine(const lanes_scan *scan, const float *vector, float dot)
{
    float square;

    if (scan->is_unit && isfinite(dot))
        return dot;
    square = lanes_square(scan, vector);
    if (scan->in_double || !isfinite(dot) || !lanes_in_range(square))
        return lanes_cosine_in_double(scan, vector);
    return dot / (sqrt(square) * scan->query_norm);
}

static void lanes_note_chunk(memo_lanes *lanes, int64_t chunk)
{
    char name[40];

    snprintf(name, sizeof name, "chunk %" PRId64, chunk);
    memo_damage_add(&lanes->damage, name);
}

static int lanes_scan_block(void *user, const memo_store_block *block)
{
    lanes_scan *scan = user;
    memo_lanes *lanes = scan->lanes;
    float scores[LANES_SCORES];

    for (size_t at = 0; at < block->n; at += LANES_SCORES) {
        size_t n = block->n - at < LANES_SCORES ? block->n - at : LANES_SCORES;
        const float *vectors = block->vectors + at * scan->dim;
        memo_exact_scores(scan->kernels, lanes->vector, scan->dim, vectors, n, scores);
        for (size_t i = 0; i < n; i++) {
            double score = lanes_cosine(scan, vectors + i * scan->dim, scores[i]);
            memo_lane_hit hit =
                lanes_hit(lanes, block->records[at + i], block->chunks[at + i], score);
            if (!isfinite(score)) { /* no vector of ours: its checksum was made to fit */
                lanes_note_chunk(lanes, block->chunks[at + i]);
                continue;
            }
            scan->status =
                memo_lane_list_offer(&lanes->lists[MEMO_LANE_DENSE], hit, lanes->depth, scan->err);
            if (scan->status)
                return 1;
        }
    }
    lanes->n_scanned += block->n;
    lanes->partial |= memo_deadline_passed(lanes->deadline);
    return lanes->partial;
}

memo_status memo_lanes_dense(memo_lanes *lanes, memo_err *err)
{
    lanes_scan scan = {.lanes = lanes,
                       .kernels = memo_kernels_for(memo_ctx_cpu(lanes->db->ctx)),
                       .dim = lanes->db->info.dim,
                       .err = err};
    memo_status status;

    float square = lanes_square(&scan, lanes->vector);
    scan.in_double = !lanes_in_range(square);
    scan.query_norm = sqrt(square);
    scan.is_unit = fabs(scan.query_norm - 1) < LANES_UNIT;
    status = memo_store_scan(lanes->db->store, &lanes->scope, lanes->space, lanes_scan_block, &scan,
                             &lanes->damage, err);
    if (status == MEMO_OK)
        status = scan.status;
    memo_lane_list_rank(&lanes->lists[MEMO_LANE_DENSE], lanes->depth);
    return status;
}

/* ---- lexical ------------------------------------------------------------------------------- */

static memo_status lanes_push_all(memo_lanes *lanes, memo_lane_list *list,
                                  const memo_store_hit *hits, size_t n, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        status = memo_lane_list_push(
            list, lanes_hit(lanes, hits[i].record, hits[i].chunk, hits[i].score), err);
    return status;
}

/* The store limits chunks, the lane wants records: ask for more until there are enough. */
memo_status memo_lanes_lexical(memo_lanes *lanes, memo_err *err)
{
    memo_lane_list *list = &lanes->lists[MEMO_LANE_LEXICAL];
    memo_store_hits hits = {.arena = lanes->arena, .limit = lanes->depth};

    if (!lanes->query.match)
        return MEMO_OK;
    for (;;) {
        memo_status status = memo_store_fulltext(
            lanes->db->store, &lanes->scope, lanes->query.match, LANES_TITLE_WEIGHT, &hits, err);
        list->n = 0;
        if (status == MEMO_OK)
            status = lanes_push_all(lanes, list, hits.hits, hits.n, err);
        if (status)
            return status;
        memo_lane_list_rank(list, lanes->depth);
        if (hits.n < hits.limit || list->n == lanes->depth)
            return MEMO_OK;
        hits.limit *= 4;
    }
}

/* ---- exact --------------------------------------------------------------------------------- */

/* Promote what a needle is the key of, and the one record in which a name stands, if it is one. */
static memo_status lanes_promote(memo_lanes *lanes, const memo_needle *needle,
                                 const memo_store_hit *hits, size_t n, memo_err *err)
{
    int alone = needle->is_name;
    memo_status status = MEMO_OK;

    for (size_t i = 1; i < n; i++)
        alone &= hits[i].record == hits[0].record;
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        int why = hits[i].score >= LANES_KEY_SCORE ? MEMO_PROMOTE_KEY
                  : alone                          ? MEMO_PROMOTE_NAME
                                                   : 0;
        if (why)
            status = memo_lane_list_push(&lanes->promoted,
                                         lanes_hit(lanes, hits[i].record, hits[i].chunk, why), err);
    }
    return status;
}

/* Each needle adds 1, or 1,000 when it is the record's key: how often it stands there says little,
 * how many of them stand there says much. */
static memo_status lanes_find_needle(memo_lanes *lanes, const memo_needle *needle, memo_err *err)
{
    memo_lane_list found = {0};
    memo_store_hits hits = {
        .arena = lanes->arena, .limit = LANES_MAX_EXACT, .damage = &lanes->damage};
    memo_status status = memo_store_exact(lanes->db->store, &lanes->scope,
                                          (memo_text){needle->text, needle->n_bytes}, &hits, err);

    if (status == MEMO_OK)
        status = lanes_push_all(lanes, &found, hits.hits, hits.n, err);
    if (status == MEMO_OK) {
        memo_lane_list_rank(&found, LANES_MAX_EXACT);
        status = lanes_promote(lanes, needle, hits.hits, hits.n, err);
    }
    for (size_t i = 0; i < found.n && status == MEMO_OK; i++) {
        memo_lane_hit hit = found.hits[i];
        hit.score = hit.score >= LANES_KEY_SCORE ? LANES_KEY_SCORE : 1;
        status = memo_lane_list_push(&lanes->lists[MEMO_LANE_EXACT], hit, err);
    }
    memo_lane_list_fini(&found);
    return status;
}

memo_status memo_lanes_exact(memo_lanes *lanes, memo_err *err)
{
    for (size_t i = 0; i < lanes->query.n_needles; i++) {
        memo_status status = lanes_find_needle(lanes, &lanes->query.needles[i], err);
        if (status)
            return status;
    }
    memo_lane_list_sum(&lanes->lists[MEMO_LANE_EXACT]);
    memo_lane_list_rank(&lanes->lists[MEMO_LANE_EXACT], LANES_MAX_EXACT);
    return MEMO_OK;
}
