// SPDX-License-Identifier: Apache-2.0
#include "memory/search/lanes.h"

#include "base/error.h"
#include "memory/facts/db_facts.h"

#define LANES_TITLE_WEIGHT 2.0  /* BM25; 1 to 2 raises nDCG@10 on Cranfield from 0.378 to 0.385 */
#define LANES_MAX_EXACT    1000 /* chunks a name may stand in and still be looked at */
#define LANES_KEY_SCORE    1000 /* of memo_store_exact() for a record whose key the needle is */

void memo_lanes_fini(memo_lanes *lanes)
{
    for (int i = 0; i < MEMO_N_LANES; i++)
        memo_lane_list_fini(&lanes->lists[i]);
    memo_lane_list_fini(&lanes->promoted);
}

memo_lane_hit memo_lanes_hit(const memo_lanes *lanes, int64_t record, int64_t chunk, double score)
{
    return (memo_lane_hit){lanes->by_chunk ? chunk : record, chunk, score, 0};
}

/* ---- lexical ------------------------------------------------------------------------------- */

static memo_status lanes_push_all(memo_lanes *lanes, memo_lane_list *list,
                                  const memo_store_hit *hits, size_t n, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        memo_lane_hit hit = memo_lanes_hit(lanes, hits[i].record, hits[i].chunk, hits[i].score);
        hit.lacks = 1 - hits[i].cover;
        status = memo_lane_list_push(list, hit, err);
    }
    return status;
}

/* The store limits chunks, the lane wants records: ask for more until there are enough. */
static memo_status lanes_find_words(memo_lanes *lanes, memo_store_words words, const char *match,
                                    memo_lane_list *list, memo_err *err)
{
    memo_store_hits hits = {
        .arena = lanes->arena, .limit = lanes->depth, .with_cover = lanes->weigh};

    if (!match)
        return MEMO_OK;
    for (;;) {
        memo_status status = memo_store_fulltext(lanes->db->store, &lanes->scope, words, match,
                                                 LANES_TITLE_WEIGHT, &hits, err);
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

/* Words and parts are two indexes; a record that both find has the sum. */
memo_status memo_lanes_lexical(memo_lanes *lanes, memo_err *err)
{
    memo_lane_list *list = &lanes->lists[MEMO_LANE_LEXICAL];
    memo_lane_list parts = {0};
    memo_status status = lanes_find_words(lanes, MEMO_STORE_WORDS, lanes->query.match, list, err);

    if (status == MEMO_OK)
        status = lanes_find_words(lanes, MEMO_STORE_PARTS, lanes->query.parts, &parts, err);
    for (size_t i = 0; i < parts.n && status == MEMO_OK; i++)
        status = memo_lane_list_push(list, parts.hits[i], err);
    if (status == MEMO_OK && parts.n) {
        memo_lane_list_sum(list);
        memo_lane_list_rank(list, lanes->depth);
    }
    memo_lane_list_fini(&parts);
    return status;
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
            status = memo_lane_list_push(
                &lanes->promoted, memo_lanes_hit(lanes, hits[i].record, hits[i].chunk, why), err);
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

/* ---- facts --------------------------------------------------------------------------------- */

/* What proves facts about the entities that the query names. */
memo_status memo_lanes_facts(memo_lanes *lanes, memo_err *err)
{
    memo_fact_matches matches = {.arena = lanes->arena, .damage = &lanes->damage};
    memo_status status = memo_facts_match(lanes->db, lanes->scope.ns, lanes->text,
                                          lanes->scope.now_ms, &matches, err);

    for (size_t i = 0; i < matches.n && i < lanes->depth && status == MEMO_OK; i++) {
        int64_t chunk = 0;
        status = memo_store_chunk_at(lanes->db->store, &lanes->scope, matches.items[i].record,
                                     matches.items[i].begin, &chunk, err);
        if (status == MEMO_OK && chunk)
            status = memo_lane_list_push(
                &lanes->lists[MEMO_LANE_FACTS],
                memo_lanes_hit(lanes, matches.items[i].record, chunk, matches.items[i].score), err);
    }
    memo_lane_list_rank(&lanes->lists[MEMO_LANE_FACTS], lanes->depth);
    return status;
}
