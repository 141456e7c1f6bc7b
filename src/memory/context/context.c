// SPDX-License-Identifier: Apache-2.0
/* Choosing what goes into a context.
 *
 *   1  search for chunks; those that repeat a better one are out
 *   2  take chunks by value per token, each at what it costs alone, while they fit; the best chunk
 *      alone instead, if it is worth more than all of those and they leave no room for it
 *   3  write it down and count; while it is too long the worst goes again
 *   4  merging neighbours saves tokens: try what was left out once more, each by a count of the whole
 *
 * The value of a chunk is 1 / (1 + rank): what stands first is worth the next two. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/hash.h"
#include "memory/context/context_pack.h"
#include "memory/db.h"
#include "memory/search/search_work.h"
#include "model/tokens.h"
#include "text/tokenizer.h"

enum {
    CONTEXT_CANDIDATES = 64,
    CONTEXT_TRIES = 16, /* of step 4: each counts the whole text once */
};

typedef struct context_work {
    memo_db *db;
    memo_context_options options;
    const memo_model *tokenizer;
    memo_hits *hits;
    memo_arena arena;    /* of the work; the result has its own */
    memo_piece *pieces;  /* [n] by rank */
    memo_shingles words; /* of the piece being read */
    size_t n;
    memo_piece **by_density;   /* [n] */
    const memo_piece **chosen; /* [n] those that are, by their place */
    memo_part *parts;          /* [n_parts] the same merged, in order */
    size_t n_parts;
    memo_buf text, other; /* other: what stood there before a try */
    size_t n_tokens;      /* of text */
    memo_token_list tokens;
    uint64_t tokenizer_print; /* in the keys of prices */
} context_work;

typedef struct context_owner {
    memo_context context; /* first: this is what the caller sees */
    memo_arena arena;
} context_owner;

void memo_context_free(memo_context *context)
{
    context_owner *owner = (context_owner *)context;
    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

/* ---- counting ------------------------------------------------------------------------------ */

/* Count what is written. */
static memo_status context_count(context_work *w, memo_err *err)
{
    memo_status status;
    w->tokens.n = 0;
    status = memo_tokenizer_encode(memo_model_tokenizer(w->tokenizer), w->text.data, w->text.n, 0,
                                   &w->tokens, err);
    w->n_tokens = w->tokens.n;
    return status;
}

static int context_compare_place(const void *pa, const void *pb)
{
    const memo_piece *a = *(memo_piece *const *)pa, *b = *(memo_piece *const *)pb;
    int order = strcmp(a->hit->id, b->hit->id);
    return order ? order : (a->hit->chunk > b->hit->chunk) - (a->hit->chunk < b->hit->chunk);
}

static int context_compare_parts(const void *pa, const void *pb)
{
    const memo_part *a = pa, *b = pb;
    return (a->best->rank > b->best->rank) - (a->best->rank < b->best->rank);
}

/* The chosen pieces as passages, in order of their best ranks. */
static void context_merge(context_work *w)
{
    const memo_piece **chosen = w->chosen;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->pieces[i].chosen)
            chosen[n++] = &w->pieces[i];
    if (n > 1)
        qsort(chosen, n, sizeof *chosen, context_compare_place);
    w->n_parts = 0;
    for (size_t i = 0; i < n; i++) {
        memo_part *last = w->n_parts ? &w->parts[w->n_parts - 1] : NULL;
        if (last && memo_piece_follows(chosen[i - 1], chosen[i])) {
            last->n_parts++;
            if (chosen[i]->rank < last->best->rank)
                last->best = chosen[i];
        } else {
            w->parts[w->n_parts++] = (memo_part){&chosen[i], 1, chosen[i]};
        }
    }
    if (w->n_parts > 1)
        qsort(w->parts, w->n_parts, sizeof *w->parts, context_compare_parts);
}

static memo_status context_render(context_work *w, memo_err *err)
{
    memo_context_render(&w->text, w->options.format, w->parts, w->n_parts);
    return w->text.failed ? memo_fail_nomem(err, "a context", w->text.n) : MEMO_OK;
}

/* Write what is chosen and count it. */
static memo_status context_write(context_work *w, memo_err *err)
{
    memo_status status;
    context_merge(w);
    status = context_render(w, err);
    return status ? status : context_count(w, err);
}

/* ---- choosing ------------------------------------------------------------------------------ */

/* The tokens of a passage of one piece, counted or known from an earlier context. */
static memo_status context_count_alone(context_work *w, const memo_piece *piece, memo_err *err)
{
    memo_passage_key key;
    memo_status status;
    w->chosen[0] = piece;
    w->parts[0] = (memo_part){w->chosen, 1, piece};
    w->n_parts = 1;
    status = context_render(w, err);
    if (status)
        return status;
    key = memo_passage_key_of((memo_text){w->text.data, w->text.n}, w->tokenizer_print);
    if (memo_passage_counts_get(&w->db->passage_counts, key, &w->n_tokens))
        return MEMO_OK;
    status = context_count(w, err);
    return status ? status : memo_passage_counts_put(&w->db->passage_counts, key, w->n_tokens, err);
}

/* Whether a better piece says the same. One that does not fit itself keeps nothing out. */
static int context_is_repeated(const context_work *w, size_t i, size_t room)
{
    for (size_t j = 0; j < i; j++)
        if (!w->pieces[j].duplicate && w->pieces[j].n_tokens <= room &&
            memo_piece_repeats(&w->pieces[i], &w->pieces[j]))
            return 1;
    return 0;
}

/* What each piece costs by itself, less what is written even when nothing is; duplicates are marked. */
static memo_status context_price(context_work *w, size_t n_empty, memo_err *err)
{
    for (size_t i = 0; i < w->n; i++) {
        memo_status status;
        w->pieces[i].duplicate = context_is_repeated(w, i, w->options.budget_tokens - n_empty);
        if (w->pieces[i].duplicate)
            continue;
        status = context_count_alone(w, &w->pieces[i], err);
        if (status)
            return status;
        w->pieces[i].n_tokens = w->n_tokens > n_empty ? w->n_tokens - n_empty : 1;
    }
    return MEMO_OK;
}

static int context_compare_density(const void *pa, const void *pb)
{
    const memo_piece *a = *(memo_piece *const *)pa, *b = *(memo_piece *const *)pb;
    double x = a->value * (double)b->n_tokens, y = b->value * (double)a->n_tokens;
    if (x != y)
        return x > y ? -1 : 1;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

static void context_choose(context_work *w, size_t n_empty)
{
    size_t room = w->options.budget_tokens - n_empty;
    double worth = 0;
    const memo_piece *best = NULL;
    for (size_t i = 0; i < w->n; i++) {
        memo_piece *piece = w->by_density[i];
        if (piece->duplicate)
            continue;
        if (piece->n_tokens <= w->options.budget_tokens - n_empty &&
            (!best || piece->rank < best->rank))
            best = piece;
        if (piece->n_tokens > room)
            continue;
        piece->chosen = 1;
        room -= piece->n_tokens;
        worth += piece->value;
    }
    if (!best || best->chosen || best->value <= worth)
        return;
    for (size_t i = 0; i < w->n; i++)
        w->pieces[i].chosen = &w->pieces[i] == best;
}

static memo_status context_shrink(context_work *w, memo_err *err)
{
    memo_status status = context_write(w, err);
    for (size_t i = w->n; i-- > 0 && !status && w->n_tokens > w->options.budget_tokens;) {
        if (!w->by_density[i]->chosen)
            continue;
        w->by_density[i]->chosen = 0;
        status = context_write(w, err);
    }
    return status;
}

/* Choose one more if the whole then fits still; else all is as it was. */
static memo_status context_try(context_work *w, memo_piece *piece, memo_err *err)
{
    memo_buf before = w->text;
    size_t n_before = w->n_tokens;
    memo_status status;
    w->text = w->other;
    w->other = before;
    piece->chosen = 1;
    status = context_write(w, err);
    if (status || w->n_tokens <= w->options.budget_tokens)
        return status;
    w->other = w->text;
    w->text = before;
    w->n_tokens = n_before;
    piece->chosen = 0;
    context_merge(w);
    return MEMO_OK;
}

/* A piece that follows one that is chosen saves its heading and the overlap: it may fit still. */
static memo_status context_fill(context_work *w, memo_err *err)
{
    size_t n_tries = 0;
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < w->n && n_tries < CONTEXT_TRIES && !status; i++) {
        memo_piece *piece = w->by_density[i];
        if (piece->chosen || piece->duplicate || w->n_tokens >= w->options.budget_tokens)
            continue;
        n_tries++;
        status = context_try(w, piece, err);
    }
    return status;
}

static memo_status context_take_hits(context_work *w, memo_err *err)
{
    memo_status status = MEMO_OK;
    w->n = w->hits->n;
    w->pieces = memo_arena_array(&w->arena, w->n + 1, sizeof *w->pieces);
    w->by_density = memo_arena_array(&w->arena, w->n + 1, sizeof *w->by_density);
    w->chosen = memo_arena_array(&w->arena, w->n + 1, sizeof *w->chosen);
    w->parts = memo_arena_array(&w->arena, w->n + 1, sizeof *w->parts);
    if (!w->pieces || !w->by_density || !w->chosen || !w->parts)
        return memo_fail_nomem(err, "a context", w->n * sizeof *w->pieces);
    for (size_t i = 0; i < w->n && !status; i++) {
        w->pieces[i] = (memo_piece){
            .hit = &w->hits->hits[i], .rank = i + 1, .value = 1.0 / (double)(i + 1 + 1)};
        w->by_density[i] = &w->pieces[i];
        status = memo_piece_read(&w->pieces[i], &w->words, &w->arena, err);
    }
    return status;
}

static memo_status context_pack(context_work *w, memo_err *err)
{
    size_t n_empty;
    memo_status status = context_take_hits(w, err);
    if (!status)
        status = context_write(w, err); /* nothing is chosen yet */
    if (status)
        return status;
    n_empty = w->n_tokens;
    if (n_empty > w->options.budget_tokens)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "a budget of %zu tokens; an empty answer in JSON takes %zu",
                         w->options.budget_tokens, n_empty);
    status = context_price(w, n_empty, err);
    if (status)
        return status;
    if (w->n > 1)
        qsort(w->by_density, w->n, sizeof *w->by_density, context_compare_density);
    context_choose(w, n_empty);
    status = context_shrink(w, err);
    return status ? status : context_fill(w, err);
}

/* ---- the result ---------------------------------------------------------------------------- */

static memo_status context_copy_passages(const context_work *w, context_owner *owner, memo_err *err)
{
    memo_passage *out = memo_arena_array(&owner->arena, w->n_parts + 1, sizeof *out);
    if (!out)
        return memo_fail_nomem(err, "a context", w->n_parts * sizeof *out);
    for (size_t i = 0; i < w->n_parts; i++) {
        const memo_part *part = &w->parts[i];
        const memo_hit *hit = part->best->hit;
        out[i] = (memo_passage){.id = memo_arena_strdup(&owner->arena, hit->id),
                                .key = hit->key ? memo_arena_strdup(&owner->arena, hit->key) : NULL,
                                .begin = part->parts[0]->hit->begin,
                                .end = part->parts[part->n_parts - 1]->hit->end,
                                .n_chunks = part->n_parts,
                                .rank = part->best->rank,
                                .score = hit->score};
        if (!out[i].id || (hit->key && !out[i].key))
            return memo_fail_nomem(err, "a context", strlen(hit->id));
    }
    owner->context.passages = out;
    owner->context.n_passages = w->n_parts;
    return MEMO_OK;
}

static memo_status context_copy_left(const context_work *w, context_owner *owner, memo_err *err)
{
    memo_left_out *out = memo_arena_array(&owner->arena, w->n + 1, sizeof *out);
    size_t n = 0;
    if (!out)
        return memo_fail_nomem(err, "a context", w->n * sizeof *out);
    for (size_t i = 0; i < w->n; i++) {
        const memo_piece *piece = &w->pieces[i];
        if (piece->chosen)
            continue;
        out[n] = (memo_left_out){.id = memo_arena_strdup(&owner->arena, piece->hit->id),
                                 .chunk = piece->hit->chunk,
                                 .rank = piece->rank,
                                 .n_tokens = piece->n_tokens,
                                 .why = piece->duplicate ? MEMO_LEFT_DUPLICATE : MEMO_LEFT_BUDGET};
        if (!out[n++].id)
            return memo_fail_nomem(err, "a context", 0);
    }
    owner->context.left_out = out;
    owner->context.n_left_out = n;
    return MEMO_OK;
}

static memo_status context_copy(const context_work *w, context_owner *owner, memo_err *err)
{
    memo_context *c = &owner->context;
    memo_status status = context_copy_passages(w, owner, err);
    if (!status)
        status = context_copy_left(w, owner, err);
    if (status)
        return status;
    c->text = memo_arena_strndup(&owner->arena, w->text.data, w->text.n);
    if (!c->text)
        return memo_fail_nomem(err, "a context", w->text.n);
    c->n_bytes = w->text.n;
    c->n_tokens = w->n_tokens;
    c->partial = w->hits->partial;
    c->n_damaged = w->hits->n_damaged;
    c->search_ms = w->hits->timings.total_ms;
    memcpy(c->search_id, w->hits->search_id, sizeof c->search_id);
    return MEMO_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status context_check(context_work *w, memo_err *err)
{
    const memo_context_options *o = &w->options;
    memo_model_info info = {.size = sizeof info};
    if (o->budget_tokens == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "a context of 0 tokens; at least 1 is needed");
    if ((unsigned)o->format > MEMO_CONTEXT_JSON)
        return memo_fail(err, MEMO_ERR_VALUE, "unknown context format %d", (int)o->format);
    w->tokenizer = o->tokenizer ? o->tokenizer : w->db->model;
    if (!w->tokenizer)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "a context is counted in tokens: the store was opened without a model, "
                         "and no tokenizer is given");
    memo_model_get_info(w->tokenizer, &info, NULL);
    w->tokenizer_print = memo_xxh64(info.fingerprint, strlen(info.fingerprint), 0);
    return MEMO_OK;
}

static memo_search_options context_search_options(const memo_context_options *o)
{
    return (memo_search_options){
        .size = sizeof(memo_search_options),
        .ns = o->ns,
        .k = o->candidates ? o->candidates : CONTEXT_CANDIDATES,
        .mode = o->mode,
        .where = o->where,
        .chunks = 1,
        .deadline_ms = o->deadline_ms,
        .vector = o->vector,
        .as_of_ms = o->as_of_ms,
        .no_terms = 1,
        .actor = o->actor,
        .surface = o->surface,
        .no_log = o->no_log,
    };
}

/* What is only considered is not shown. */
static memo_status context_search(context_work *w, memo_text query, memo_err *err)
{
    memo_search_options search = context_search_options(&w->options);
    search.no_log = 1;
    return memo_db_search(w->db, query, &search, &w->hits, err);
}

/* What stands in the context was shown, in its order. */
static memo_status context_log(context_work *w, memo_text query, memo_err *err)
{
    const memo_search_options search = context_search_options(&w->options);
    size_t *shown = memo_arena_array(&w->arena, w->n + 1, sizeof *shown), n = 0;
    if (!shown)
        return memo_fail_nomem(err, "a context", w->n * sizeof *shown);
    for (size_t i = 0; i < w->n_parts; i++)
        for (size_t j = 0; j < w->parts[i].n_parts; j++)
            shown[n++] = (size_t)(w->parts[i].parts[j] - w->pieces);
    memo_search_log_chosen(w->db, &search, query, w->hits, shown, n);
    return MEMO_OK;
}

memo_status memo_db_context(memo_db *db, memo_text query, const memo_context_options *options,
                            memo_context **context, memo_err *err)
{
    context_work w = {.db = db};
    context_owner *owner = NULL;
    double started = memo_monotonic_ms();
    memo_status status =
        memo_options_copy(&w.options, sizeof w.options, options, "memo_context_options", err);
    if (status == MEMO_OK)
        status = memo_db_check_call(db, context, "memo_db_context", err);
    if (status == MEMO_OK)
        status = context_check(&w, err);
    if (status == MEMO_OK)
        status = context_search(&w, query, err);
    if (status == MEMO_OK)
        status = context_pack(&w, err);
    if (status == MEMO_OK)
        status = context_log(&w, query, err);
    if (status == MEMO_OK) {
        owner = memo_calloc(1, sizeof *owner);
        status =
            owner ? context_copy(&w, owner, err) : memo_fail_nomem(err, "a context", sizeof *owner);
    }
    if (status == MEMO_OK) {
        owner->context.total_ms = memo_monotonic_ms() - started;
        *context = &owner->context;
    } else if (owner) {
        memo_context_free(&owner->context);
    }
    memo_hits_free(w.hits);
    memo_buf_fini(&w.text);
    memo_buf_fini(&w.other);
    memo_token_list_fini(&w.tokens);
    memo_shingles_fini(&w.words);
    memo_arena_fini(&w.arena);
    return status;
}
