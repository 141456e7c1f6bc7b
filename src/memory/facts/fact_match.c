// SPDX-License-Identifier: Apache-2.0
/* Which entities a query names, and the records that prove facts about them.
 *
 * A name stands in a query where its folded form does, from the beginning of a word to the end of one:
 * every run of up to MATCH_SPAN words is looked up in the aliases. A piece between blanks counts as a
 * word too ("C++"), and so does every character of a script written without spaces. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/grow.h"
#include "base/utf8.h"
#include "memory/facts/db_facts.h"
#include "text/fold.h"
#include "text/words.h"

#define MATCH_QUERY_BYTES  4096
#define MATCH_MAX_PLACES   128 /* where a name may begin or end, each */
#define MATCH_SPAN         8 /* words of a name; twice that many places, as a word may end twice */
#define MATCH_MAX_ENTITIES 32
#define MATCH_MAX_FACTS    256 /* of one entity */

typedef struct match_work {
    memo_db *db;
    int64_t ns, now_ms;
    memo_arena *arena;
    memo_store_damage *damage;
    size_t begins[MATCH_MAX_PLACES], ends[MATCH_MAX_PLACES];
    size_t n_begins, n_ends;
    int64_t entities[MATCH_MAX_ENTITIES];
    size_t n_entities;
    memo_fact_match *matches; /* [cap] */
    size_t n, cap;
    int64_t *facts; /* [cap_facts] counted already: both ends of one may be named */
    size_t n_facts, cap_facts;
} match_work;

/* ---- where names may stand ----------------------------------------------------------------- */

static void match_add_place(size_t *places, size_t *n, size_t at)
{
    for (size_t i = *n; i > 0 && places[i - 1] >= at; i--)
        if (places[i - 1] == at)
            return;
    if (*n == MATCH_MAX_PLACES)
        return;
    places[(*n)++] = at;
}

static int match_compare_places(const void *pa, const void *pb)
{
    const size_t *a = pa, *b = pb;

    return (*a > *b) - (*a < *b);
}

static void match_collect_words(match_work *w, memo_text text)
{
    memo_word word = {0};

    while (w->n_begins < MATCH_MAX_PLACES && memo_word_next(text, word.end, &word)) {
        match_add_place(w->begins, &w->n_begins, word.begin);
        for (size_t at = word.begin; word.unspaced && at < word.end;) {
            uint32_t c;
            match_add_place(w->begins, &w->n_begins, at);
            at += memo_utf8_decode(text.bytes + at, text.n_bytes - at, &c);
            match_add_place(w->ends, &w->n_ends, at);
        }
        match_add_place(w->ends, &w->n_ends, word.end);
    }
}

/* Pieces between blanks (folding leaves single spaces), with and without a sentence mark at the
 * end. */
static void match_collect_pieces(match_work *w, memo_text text)
{
    size_t end;

    for (size_t begin = 0; begin < text.n_bytes; begin = end + 1) {
        size_t stop;
        for (end = begin; end < text.n_bytes && text.bytes[end] != ' '; end++)
            ;
        for (stop = end; stop > begin && strchr(".,;:!?", text.bytes[stop - 1]); stop--)
            ;
        match_add_place(w->begins, &w->n_begins, begin);
        match_add_place(w->ends, &w->n_ends, end);
        if (stop > begin)
            match_add_place(w->ends, &w->n_ends, stop);
    }
    qsort(w->begins, w->n_begins, sizeof *w->begins, match_compare_places);
    qsort(w->ends, w->n_ends, sizeof *w->ends, match_compare_places);
}

/* ---- entities ------------------------------------------------------------------------------ */

static int match_knows(const match_work *w, int64_t eid)
{
    for (size_t i = 0; i < w->n_entities; i++)
        if (w->entities[i] == eid)
            return 1;
    return 0;
}

static memo_status match_look_up(match_work *w, const char *folded, memo_err *err)
{
    const memo_entity_scope scope = {.ns = w->ns, .folded = folded};
    memo_entity_page page = {.arena = w->arena, .damage = w->damage, .limit = MATCH_MAX_ENTITIES};
    memo_status status = memo_store_list_entities(w->db->store, &scope, &page, err);

    for (size_t i = 0; i < page.n && !status && w->n_entities < MATCH_MAX_ENTITIES; i++)
        if (!match_knows(w, page.rows[i].eid))
            w->entities[w->n_entities++] = page.rows[i].eid;
    return status;
}

static memo_status match_find_entities(match_work *w, char *text, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < w->n_begins && status == MEMO_OK; i++) {
        size_t begin = w->begins[i], n_tried = 0;
        for (size_t j = 0; j < w->n_ends && n_tried < 2 * MATCH_SPAN && !status; j++) {
            size_t end = w->ends[j];
            char after;
            if (end <= begin || end - begin > FACTS_NAME_BYTES)
                continue;
            n_tried++;
            after = text[end]; /* the name, in place */
            text[end] = '\0';
            status = match_look_up(w, text + begin, err);
            text[end] = after;
        }
    }
    return status;
}

/* ---- facts and records --------------------------------------------------------------------- */

static memo_status match_add_record(match_work *w, const memo_evidence_row *evidence, double score,
                                    memo_err *err)
{
    memo_fact_match *grown;

    for (size_t i = 0; i < w->n; i++)
        if (w->matches[i].record == evidence->rid) {
            w->matches[i].score += score;
            return MEMO_OK;
        }
    grown = memo_arena_grow(w->arena, w->matches, w->n, &w->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "facts", (w->n + 1) * sizeof *grown);
    w->matches = grown;
    w->matches[w->n++] = (memo_fact_match){evidence->rid, evidence->begin, score};
    return MEMO_OK;
}

static memo_status match_add_fact(match_work *w, const memo_fact_row *row, memo_err *err)
{
    int64_t *grown;
    memo_evidence_row *evidence = NULL;
    size_t n = 0;
    int both = row->object && match_knows(w, row->subject) && match_knows(w, row->object);
    memo_status status;

    for (size_t i = 0; i < w->n_facts; i++)
        if (w->facts[i] == row->fid)
            return MEMO_OK;
    grown = memo_arena_grow(w->arena, w->facts, w->n_facts, &w->cap_facts, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "facts", (w->n_facts + 1) * sizeof *grown);
    w->facts = grown;
    w->facts[w->n_facts++] = row->fid;
    status =
        memo_store_list_evidence(w->db->store, row->fid, w->arena, w->damage, &evidence, &n, err);
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        if (i == 0 || evidence[i].rid != evidence[i - 1].rid) /* in order of record */
            status = match_add_record(w, &evidence[i], row->confidence * (both ? 2 : 1), err);
    return status;
}

static memo_status match_add_entity(match_work *w, int64_t eid, memo_err *err)
{
    const memo_fact_scope scope = {
        .ns = w->ns, .about = eid, .valid_at_ms = w->now_ms, .as_of_ms = w->db->as_of_ms};
    memo_fact_page page = {.arena = w->arena, .damage = w->damage, .limit = MATCH_MAX_FACTS};
    memo_status status = memo_store_list_facts(w->db->store, &scope, &page, err);

    for (size_t i = 0; i < page.n && status == MEMO_OK; i++)
        status = match_add_fact(w, &page.rows[i], err);
    return status;
}

static int match_compare(const void *pa, const void *pb)
{
    const memo_fact_match *a = pa, *b = pb;

    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return (a->record > b->record) - (a->record < b->record);
}

memo_status memo_facts_match(memo_db *db, int64_t ns, memo_text query, int64_t now_ms,
                             memo_fact_matches *matches, memo_err *err)
{
    match_work w = {
        .db = db, .ns = ns, .now_ms = now_ms, .arena = matches->arena, .damage = matches->damage};
    size_t n_bytes = query.n_bytes < MATCH_QUERY_BYTES ? query.n_bytes : MATCH_QUERY_BYTES;
    char *folded = NULL;
    int any = 0;
    memo_status status = memo_store_has_aliases(db->store, ns, &any, err);

    matches->n = 0;
    if (status || !any || n_bytes == 0)
        return status;
    n_bytes = memo_utf8_floor(query.bytes, query.n_bytes, n_bytes);
    status = memo_fold_name(w.arena, query.bytes, n_bytes, &folded, err);
    if (status)
        return status;
    match_collect_words(&w, (memo_text){folded, strlen(folded)});
    match_collect_pieces(&w, (memo_text){folded, strlen(folded)});
    status = match_find_entities(&w, folded, err);
    for (size_t i = 0; i < w.n_entities && status == MEMO_OK; i++)
        status = match_add_entity(&w, w.entities[i], err);
    if (status)
        return status;
    if (w.n > 1)
        qsort(w.matches, w.n, sizeof *w.matches, match_compare);
    matches->items = w.matches;
    matches->n = w.n;
    return MEMO_OK;
}
