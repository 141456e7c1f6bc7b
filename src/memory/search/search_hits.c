// SPDX-License-Identifier: Apache-2.0
/* From fused hits to those that are shown. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "memory/relevance/hit_refine.h"
#include "memory/search/search_work.h"

#define SEARCH_K 10

size_t memo_search_shown(const search_work *w)
{
    return w->options.k ? w->options.k : SEARCH_K;
}

size_t memo_search_pool(const search_work *w)
{
    return memo_refine_pool(&w->options, memo_search_shown(w));
}

memo_status memo_search_note_failure(search_work *w, memo_lane lane, const memo_err *why,
                                     memo_err *err)
{
    const char **failed = &w->owner->hits.lane_failed[lane];

    if (*failed)
        return MEMO_OK;
    memo_log(w->db->ctx, MEMO_LOG_WARN, "searched without the %s lane: %s; fix: %s",
             memo_lane_name(lane), why->message, why->hint);
    *failed = memo_arena_strdup(&w->owner->arena, why->message);
    return *failed ? MEMO_OK : memo_fail_nomem(err, "a message", strlen(why->message));
}

/* A fused hit with its row. */
typedef struct search_row {
    const memo_fused *fused;
    const memo_store_chunk_row *row;
} search_row;

static int search_compare_rows(const void *pa, const void *pb)
{
    const search_row *a = pa, *b = pb;
    int order = memo_fused_compare(a->fused, b->fused);

    if (order == 0)
        order = strcmp(a->row->record_info.id, b->row->record_info.id);
    return order ? order
                 : (a->row->position > b->row->position) - (a->row->position < b->row->position);
}

/* Rows of fused[from, to) that are whole, appended to rows. */
static memo_status search_fetch(search_work *w, size_t from, size_t to, search_row *rows, size_t *n,
                                memo_err *err)
{
    memo_arena *arena = &w->owner->arena;
    memo_store_chunk_row *fetched = NULL;
    int64_t *chunks = memo_arena_array(arena, to - from, sizeof *chunks);
    memo_status status;

    if (!chunks)
        return memo_fail_nomem(err, "hits", (to - from) * sizeof *chunks);
    for (size_t i = from; i < to; i++)
        chunks[i - from] = w->fused[i].chunk;
    status =
        memo_store_fetch(w->db->store, chunks, to - from, arena, &fetched, &w->lanes.damage, err);
    for (size_t i = from; i < to && status == MEMO_OK; i++)
        if (!fetched[i - from].damaged)
            rows[(*n)++] = (search_row){&w->fused[i], &fetched[i - from]};
    return status;
}

/* The k best whole rows in their final order. Ties are fetched as a whole, for ids decide them;
 * damaged rows are made up for by those that follow. */
static memo_status search_select(search_work *w, search_row **out, size_t *n_out, memo_err *err)
{
    size_t k = memo_search_pool(w);
    size_t at = 0, n = 0;
    search_row *rows = memo_arena_array(&w->owner->arena, w->n_fused + 1, sizeof *rows);

    if (!rows)
        return memo_fail_nomem(err, "hits", w->n_fused * sizeof *rows);
    while (n < k && at < w->n_fused) {
        size_t end = w->n_fused - at > k - n ? at + k - n : w->n_fused;
        memo_status status;
        while (end < w->n_fused && memo_fused_compare(&w->fused[end - 1], &w->fused[end]) == 0)
            end++;
        status = search_fetch(w, at, end, rows, &n, err);
        if (status)
            return status;
        at = end;
    }
    if (n > 1)
        qsort(rows, n, sizeof *rows, search_compare_rows);
    *out = rows;
    *n_out = n < k ? n : k;
    return MEMO_OK;
}

static void search_fill_hit(const search_row *from, memo_hit *hit)
{
    const memo_store_chunk_row *row = from->row;
    const memo_record *record = &row->record_info;

    *hit = (memo_hit){.id = record->id,
                      .key = record->key,
                      .title = record->title,
                      .text = row->text.bytes,
                      .text_bytes = row->text.n_bytes,
                      .begin = row->begin,
                      .end = row->end,
                      .chunk = row->position,
                      .score = from->fused->score,
                      .terms = "",
                      .tags = record->tags,
                      .n_tags = record->n_tags,
                      .metadata_json = record->metadata_json,
                      .source = record->source,
                      .created_ms = record->created_ms,
                      .updated_ms = record->updated_ms,
                      .version = record->version,
                      .trust = record->trust,
                      .pinned = record->pinned,
                      .tier = record->tier};
    memcpy(hit->lanes, from->fused->lanes, sizeof hit->lanes);
}

/* Damage in the full-text index costs the words, not the hits, where another lane found those. */
static memo_status search_match_word(search_work *w, size_t word, const int64_t *chunks, size_t n,
                                     unsigned char *found, memo_err *err)
{
    memo_err why = {0};
    const char *parts = w->lanes.query.word_parts[word];
    memo_status status;

    memset(found, 0, n);
    status = memo_store_match_chunks(w->db->store, MEMO_STORE_WORDS,
                                     w->lanes.query.word_matches[word], chunks, n, found, &why);
    if (status == MEMO_OK && parts)
        status =
            memo_store_match_chunks(w->db->store, MEMO_STORE_PARTS, parts, chunks, n, found, &why);
    if (status == MEMO_ERR_CORRUPT && w->options.mode != MEMO_SEARCH_LEXICAL) {
        memset(found, 0, n);
        return memo_search_note_failure(w, MEMO_LANE_LEXICAL, &why, err);
    }
    if (status && err)
        *err = why;
    return status;
}

/* Which words of the query each hit holds, by asking the full-text index itself: only it knows what
 * its stemmer makes of them. */
static memo_status search_fill_terms(search_work *w, const memo_found *found, memo_hit *hits,
                                     size_t n, memo_err *err)
{
    memo_arena *arena = &w->owner->arena;
    const memo_query *query = &w->lanes.query;
    int64_t *chunks = memo_arena_array(arena, n, sizeof *chunks);
    unsigned char *holds = memo_arena_alloc(arena, n);
    memo_buf *terms = memo_arena_array(arena, n, sizeof *terms);
    memo_status status = MEMO_OK;

    if (!chunks || !holds || !terms)
        return memo_fail_nomem(err, "matched words", n * sizeof *terms);
    for (size_t i = 0; i < n; i++)
        chunks[i] = found[i].chunk;
    for (size_t word = 0; word < query->n_words && status == MEMO_OK; word++) {
        if (w->owner->hits.lane_failed[MEMO_LANE_LEXICAL])
            break;
        status = search_match_word(w, word, chunks, n, holds, err);
        for (size_t i = 0; i < n && status == MEMO_OK; i++)
            if (holds[i])
                memo_buf_printf(&terms[i], "%s%s", terms[i].n ? " " : "", query->words[word]);
    }
    for (size_t i = 0; i < n; i++) {
        if ((terms[i].n || terms[i].failed) && status == MEMO_OK) {
            hits[i].terms = terms[i].failed ? NULL : memo_arena_strdup(arena, terms[i].data);
            if (!hits[i].terms)
                status = memo_fail_nomem(err, "matched words", terms[i].n);
        }
        memo_buf_fini(&terms[i]);
    }
    return status;
}

/* Whether one of the hits holds every word that was searched for, whatever vectors say of it: a cosine knows
 * little of a name or of a single word. */
static memo_status search_holds_all_words(search_work *w, const memo_found *found, size_t n,
                                          int *holds_all, memo_err *err)
{
    const memo_query *query = &w->lanes.query;
    int64_t *chunks = memo_arena_array(&w->owner->arena, n, sizeof *chunks);
    unsigned char *holds = memo_arena_alloc(&w->owner->arena, 2 * n), *all = holds + n;
    size_t n_left = n;
    memo_status status = MEMO_OK;

    if (!chunks || !holds)
        return memo_fail_nomem(err, "matched words", n * sizeof *chunks);
    memset(all, 1, n);
    for (size_t i = 0; i < n; i++)
        chunks[i] = found[i].chunk;
    for (size_t word = 0; word < query->n_words && n_left && status == MEMO_OK; word++) {
        status = search_match_word(w, word, chunks, n, holds, err);
        n_left = 0;
        for (size_t i = 0; i < n && status == MEMO_OK; i++)
            n_left += all[i] &= holds[i];
    }
    *holds_all = status == MEMO_OK && query->n_words && n_left;
    return status;
}

/* Nothing is likely by its vector: the words may say otherwise. */
static memo_status search_judge_words(search_work *w, const memo_found *found, size_t n,
                                      memo_err *err)
{
    int holds_all = 0;
    memo_status status;

    if (w->owner->hits.relevant != 0 || w->options.mode != MEMO_SEARCH_HYBRID ||
        w->owner->hits.lane_failed[MEMO_LANE_LEXICAL] || memo_deadline_passed(w->lanes.deadline))
        return MEMO_OK;
    status = search_holds_all_words(w, found, n, &holds_all, err);
    w->owner->hits.relevant = holds_all;
    return status;
}

/* The hits that are shown, of rows [n]. */
static memo_status search_refine(search_work *w, const search_row *rows, size_t n, memo_found **out,
                                 size_t *n_out, memo_err *err)
{
    const memo_refine refine = {.db = w->db,
                                .options = &w->options,
                                .space = w->lanes.space,
                                .k = memo_search_shown(w),
                                .arena = &w->owner->arena};
    memo_found *found = memo_arena_array(&w->owner->arena, n, sizeof *found);
    memo_status status;

    if (!found)
        return memo_fail_nomem(err, "hits", n * sizeof *found);
    for (size_t i = 0; i < n; i++) {
        search_fill_hit(&rows[i], &found[i].hit);
        found[i].record = rows[i].row->record;
        found[i].chunk = rows[i].row->chunk;
    }
    status = memo_refine_hits(&refine, found, &n, &w->owner->hits, err);
    if (status == MEMO_OK)
        status =
            memo_refine_judge(&refine, found, n, w->lanes.promoted.n > 0, &w->owner->hits, err);
    if (status == MEMO_OK)
        status = search_judge_words(w, found, n, err);
    *out = found;
    *n_out = n;
    return status;
}

memo_status memo_search_fill(search_work *w, memo_err *err)
{
    search_row *rows = NULL;
    memo_found *found = NULL;
    memo_hit *hits;
    size_t n = 0;
    memo_status status = search_select(w, &rows, &n, err);

    w->owner->hits.relevant = -1;
    w->owner->hits.best_probability = -1;
    if (status == MEMO_OK && n)
        status = search_refine(w, rows, n, &found, &n, err);
    w->owner->hits.n = 0;
    if (status || n == 0)
        return status;
    hits = memo_arena_array(&w->owner->arena, n, sizeof *hits);
    w->keys = memo_arena_array(&w->owner->arena, n, sizeof *w->keys);
    if (!hits || !w->keys)
        return memo_fail_nomem(err, "hits", n * sizeof *hits);
    for (size_t i = 0; i < n; i++) {
        hits[i] = found[i].hit;
        w->keys[i][0] = found[i].record;
        w->keys[i][1] = found[i].chunk;
    }
    w->owner->hits.hits = hits;
    w->owner->hits.n = n;
    return w->options.no_terms ? MEMO_OK : search_fill_terms(w, found, hits, n, err);
}
