// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/echo.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/feedback/search_log.h"
#include "store/events/event_rows.h"

#define ECHO_ALIKE    0.8
#define ECHO_SEARCHES 16 /* that are kept in the file, the newest */
/* A shorter text is contained in many: it must be the passage itself. */
#define ECHO_WORDS 8

void memo_echo_free(memo_echo *echo)
{
    if (!echo)
        return;
    memo_free(echo->items);
    memo_free(echo);
}

/* ---- what was shown ------------------------------------------------------------------------ */

typedef struct echo_list {
    const char *actor;
    size_t n;
    int64_t cids[MEMO_ECHO_PASSAGES];
} echo_list;

static int echo_take(void *user, const char *actor, size_t n_actor, int64_t cid)
{
    echo_list *list = user;
    if (list->actor && *list->actor && n_actor &&
        (strlen(list->actor) != n_actor || memcmp(list->actor, actor, n_actor) != 0))
        return 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->cids[i] == cid)
            return 0;
    if (list->n < MEMO_ECHO_PASSAGES)
        list->cids[list->n++] = cid;
    return list->n == MEMO_ECHO_PASSAGES;
}

static int echo_compare(const void *pa, const void *pb)
{
    const memo_echo_item *a = pa, *b = pb;
    int order = (a->hash > b->hash) - (a->hash < b->hash);
    return order ? order : (a->passage > b->passage) - (a->passage < b->passage);
}

static memo_status echo_add(memo_echo *echo, const memo_store_chunk_row *row, memo_shingles *words,
                            memo_err *err)
{
    memo_echo_passage *passage = &echo->passages[echo->n];
    memo_status status;
    *passage = (memo_echo_passage){.rid = row->record, .cid = row->chunk};
    if (!row->damaged) {
        status = memo_shingles_make(words, row->text, err);
        if (status)
            return status;
        passage->n_words = words->n;
    }
    if (echo->n_items + passage->n_words > echo->cap) {
        size_t cap = (echo->n_items + passage->n_words) * 2;
        memo_echo_item *grown = memo_reallocarray(echo->items, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "what was shown", cap * sizeof *grown);
        echo->items = grown;
        echo->cap = cap;
    }
    for (size_t i = 0; i < passage->n_words; i++)
        echo->items[echo->n_items++] = (memo_echo_item){words->hashes[i], (uint32_t)echo->n};
    echo->n++;
    return MEMO_OK;
}

static memo_status echo_make(memo_db *db, const echo_list *list, memo_err *err)
{
    memo_echo *echo = db->echo;
    memo_arena arena = {0};
    memo_shingles words = {0};
    memo_store_chunk_row *rows = NULL;
    memo_status status = memo_store_fetch(db->store, list->cids, list->n, &arena, &rows, NULL, err);
    echo->n = echo->n_items = 0;
    for (size_t i = 0; i < list->n && status == MEMO_OK; i++)
        status = echo_add(echo, &rows[i], &words, err);
    if (status)
        echo->n = echo->n_items = 0;
    else if (echo->n_items)
        qsort(echo->items, echo->n_items, sizeof *echo->items, echo_compare);
    memo_shingles_fini(&words);
    memo_arena_fini(&arena);
    return status;
}

static int echo_is_same(const memo_echo *echo, const echo_list *list)
{
    if (echo->n != list->n)
        return 0;
    for (size_t i = 0; i < list->n; i++)
        if (echo->passages[i].cid != list->cids[i])
            return 0;
    return 1;
}

memo_status memo_echo_look(memo_db *db, const char *ns, int64_t since_ms, const char *actor,
                           memo_err *err)
{
    echo_list list = {.actor = actor};
    memo_recent_scope scope = {.since_ms = since_ms, .n_searches = ECHO_SEARCHES};
    memo_store_ns found = {0};
    memo_err why = {0};
    memo_status status = memo_store_find_ns(db->store, ns, &found, &why);
    if (!db->echo && !(db->echo = memo_calloc(1, sizeof *db->echo)))
        return memo_fail_nomem(err, "what was shown", sizeof *db->echo);
    if (status == MEMO_ERR_NOTFOUND) { /* it is new */
        db->echo->n = db->echo->n_items = 0;
        return MEMO_OK;
    }
    if (status && err)
        *err = why;
    if (status)
        return status;
    scope.ns = found.id;
    memo_search_log_each(db, &scope, echo_take, &list); /* not in the file yet, so newer */
    status = memo_store_each_recent(db->store, &scope, echo_take, &list, err);
    if (status || echo_is_same(db->echo, &list))
        return status;
    return echo_make(db, &list, err);
}

/* ---- a text -------------------------------------------------------------------------------- */

/* The first item with this hash or a later one. */
static size_t echo_seek(const memo_echo *echo, uint64_t hash)
{
    size_t begin = 0, end = echo->n_items;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (echo->items[middle].hash < hash)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

void memo_echo_find(const memo_echo *echo, const memo_shingles *words, int64_t self, int64_t *rid,
                    double *score)
{
    size_t shared[MEMO_ECHO_PASSAGES] = {0}, n_shown = 0, best = 0;
    *rid = 0;
    *score = 0;
    for (size_t i = 0; i < words->n; i++) {
        int shown = 0;
        for (size_t at = echo_seek(echo, words->hashes[i]);
             at < echo->n_items && echo->items[at].hash == words->hashes[i]; at++) {
            uint32_t p = echo->items[at].passage;
            if (echo->passages[p].rid == self)
                continue;
            shown = 1;
            shared[p]++;
        }
        n_shown += (size_t)shown;
    }
    for (size_t p = 1; p < echo->n; p++)
        best = shared[p] > shared[best] ? p : best;
    if (n_shown == 0)
        return;
    *score = (double)n_shown / (double)words->n;
    if (words->n < ECHO_WORDS)
        *score =
            (double)shared[best] / (double)(words->n + echo->passages[best].n_words - shared[best]);
    if (*score >= ECHO_ALIKE)
        *rid = echo->passages[best].rid;
}
