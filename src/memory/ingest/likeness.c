// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/likeness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "memory/ingest/echo.h"
#include "store/rows/stored_settings.h"

#define LIKENESS_ECHO_MS INT64_C(600000)
#define LIKENESS_GROUP   256 /* records of one transaction of memo_db_link() */
#define LIKENESS_SETTING "links"

/* ---- settings ------------------------------------------------------------------------------ */

/* "MODE ECHO_MS"; what is no setting of ours is as none. */
static void likeness_parse(const char *text, memo_link_settings *out)
{
    char *end = NULL;
    long mode = strtol(text, &end, 10);
    long long echo_ms = *end == ' ' ? strtoll(end, NULL, 10) : 0;

    if (mode >= MEMO_LINKS_OFF && mode <= MEMO_LINKS_NEAR)
        out->mode = (memo_links_mode)mode;
    if (echo_ms)
        out->echo_ms = echo_ms;
}

static memo_status likeness_settings(memo_db *db, memo_link_settings *out, memo_err *err)
{
    memo_arena arena = {0};
    const char *text = NULL;
    memo_status status = memo_store_get_setting(db->store, LIKENESS_SETTING, &arena, &text, err);

    *out = (memo_link_settings){sizeof *out, MEMO_LINKS_NEAR, LIKENESS_ECHO_MS};
    if (status == MEMO_OK && text)
        likeness_parse(text, out);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_get_links(memo_db *db, memo_link_settings *settings, memo_err *err)
{
    memo_link_settings found;
    memo_status status = memo_db_check_call(db, settings, "memo_db_get_links", err);

    if (status == MEMO_OK)
        status = memo_result_check(settings, "memo_link_settings", err);
    if (status == MEMO_OK)
        status = likeness_settings(db, &found, err);
    if (status == MEMO_OK)
        memo_result_write(settings, &found, sizeof found);
    return status;
}

memo_status memo_db_set_links(memo_db *db, const memo_link_settings *settings, memo_err *err)
{
    memo_link_settings s;
    char text[48];
    memo_status status = memo_options_copy(&s, sizeof s, settings, "memo_link_settings", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, settings, "memo_db_set_links", err);
    if (status == MEMO_OK && (unsigned)s.mode > MEMO_LINKS_NEAR)
        status = memo_fail(err, MEMO_ERR_VALUE, "unknown mode of links %d", (int)s.mode);
    if (status == MEMO_OK)
        status = memo_store_begin_write(db->store, err);
    if (status)
        return status;
    snprintf(text, sizeof text, "%d %" PRId64, (int)s.mode, s.echo_ms);
    status = memo_store_put_setting(db->store, LIKENESS_SETTING, text, err);
    return memo_store_end_write(db->store, status, err);
}

/* ---- sketches ------------------------------------------------------------------------------ */

static uint64_t likeness_seed(const char *ns)
{
    return memo_xxh64(ns, strlen(ns), 0);
}

memo_status memo_likeness_init(memo_likeness *l, memo_db *db, const char *ns, memo_links_mode mode,
                               memo_err *err)
{
    *l = (memo_likeness){.db = db, .mode = mode, .seed = likeness_seed(ns)};
    if ((unsigned)mode > MEMO_LINKS_NEAR)
        return memo_fail(err, MEMO_ERR_VALUE, "unknown mode of links %d", (int)mode);
    return MEMO_OK;
}

memo_status memo_likeness_look(memo_likeness *l, const char *ns, const char *actor, memo_err *err)
{
    memo_link_settings s;
    memo_status status = MEMO_OK;

    if (l->mode == MEMO_LINKS_OFF)
        return MEMO_OK;
    status = likeness_settings(l->db, &s, err);
    if (status)
        return status;
    if (l->mode == MEMO_LINKS_AS_STORED)
        l->mode = s.mode;
    if (l->mode == MEMO_LINKS_OFF || s.echo_ms < 0)
        return MEMO_OK;
    status = memo_echo_look(l->db, ns, memo_now_ms(l->db->ctx) - s.echo_ms, actor, err);
    l->echo = status == MEMO_OK && l->db->echo->n_items > 0;
    return status;
}

void memo_likeness_fini(memo_likeness *l)
{
    memo_shingles_fini(&l->words);
    memo_shingles_fini(&l->other);
}

/* Without a word there is the text itself. */
memo_status memo_likeness_sketch(memo_likeness *l, memo_text text, memo_sketch *sketch,
                                 memo_err *err)
{
    uint64_t hash = 0;
    const memo_shingles itself = {1, 1, &hash};
    const memo_shingles *words = &l->words;
    memo_status status = memo_shingles_make(&l->words, text, err);

    *sketch = (memo_sketch){0};
    if (status)
        return status;
    if (words->n == 0) {
        hash = memo_xxh64(text.bytes, text.n_bytes, 1);
        words = &itself;
    }
    sketch->n = memo_shingles_least(words, l->seed, sketch->hashes, MEMO_STORE_SKETCH);
    return MEMO_OK;
}

/* ---- links --------------------------------------------------------------------------------- */

typedef struct likeness_match {
    int64_t rid; /* 0: none */
    memo_link_kind kind;
    double score;
} likeness_match;

/* Compare with one candidate; *best becomes it when it is the same, or nearer. */
static memo_status likeness_compare(memo_likeness *l, memo_text text, int64_t rid,
                                    likeness_match *best, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_text other;
    double score = 0;
    memo_status status = memo_store_text_of(l->db->store, rid, &arena, &other, err);

    if (status == MEMO_OK && other.found && other.text.n_bytes == text.n_bytes &&
        memcmp(other.text.bytes, text.bytes, text.n_bytes) == 0) {
        *best = (likeness_match){rid, MEMO_LINK_DUPLICATE, 1};
    } else if (status == MEMO_OK && other.found && l->mode == MEMO_LINKS_NEAR) {
        status = memo_shingles_make(&l->other, other.text, err);
        score = status ? 0 : memo_shingles_alike(&l->words, &l->other);
        if (score >= MEMO_SHINGLES_NEAR && score > best->score)
            *best = (likeness_match){rid, MEMO_LINK_NEAR, score};
    }
    memo_arena_fini(&arena);
    return status;
}

/* The words of the text are in l->words. */
static memo_status likeness_find(memo_likeness *l, int64_t self, memo_text text,
                                 const memo_sketch *sketch, likeness_match *best, memo_err *err)
{
    memo_store_alike alike[MEMO_STORE_ALIKE];
    size_t n = 0;
    memo_status status =
        memo_store_find_alike(l->db->store, sketch->hashes, sketch->n, self, alike, &n, err);

    *best = (likeness_match){0};
    for (size_t i = 0; i < n && status == MEMO_OK && best->kind != MEMO_LINK_DUPLICATE; i++)
        status = likeness_compare(l, text, alike[i].rid, best, err);
    return status;
}

memo_status memo_likeness_link(memo_likeness *l, const memo_store_written *written, memo_text text,
                               const memo_sketch *sketch, int *linked, memo_err *err)
{
    int64_t rid = written->rid, echoed = 0;
    double score = 0;
    likeness_match match = {0};
    memo_status status = memo_shingles_make(&l->words, text, err);

    if (status == MEMO_OK && l->echo && written->trust < 1)
        memo_echo_find(l->db->echo, &l->words, rid, &echoed, &score);
    if (status == MEMO_OK && echoed)
        status = memo_store_link(l->db->store, rid, echoed, MEMO_LINK_ECHO, score, err);
    if (status == MEMO_OK)
        status = likeness_find(l, rid, text, sketch, &match, err);
    /* The newer one says it of the older, in whatever order they are compared. */
    if (status == MEMO_OK && match.rid)
        status = memo_store_link(l->db->store, rid > match.rid ? rid : match.rid,
                                 rid > match.rid ? match.rid : rid, match.kind, match.score, err);
    if (linked)
        *linked = match.rid != 0;
    return status;
}

/* ---- what has waited ----------------------------------------------------------------------- */

typedef struct likeness_work {
    memo_db *db;
    memo_link_options options;
    memo_link_report report;
    int64_t last; /* row id of the record that was compared last */
    uint64_t n_total;
    memo_likeness likeness;
} likeness_work;

/* A damaged record stays waiting: it is for the repair. */
static memo_status likeness_settle(likeness_work *w, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_text text;
    memo_store_written written = {.rid = w->last, .trust = 1, .new_text = 1};
    memo_sketch sketch;
    int linked = 0;
    memo_status status = memo_store_text_of(w->db->store, w->last, &arena, &text, err);

    if (status == MEMO_OK && text.found)
        w->likeness.seed = likeness_seed(text.ns);
    if (status == MEMO_OK && text.found)
        status = memo_likeness_sketch(&w->likeness, text.text, &sketch, err);
    if (status == MEMO_OK && text.found)
        status = memo_store_settle_sketch(w->db->store, w->last, sketch.hashes, sketch.n, err);
    if (status == MEMO_OK && text.found)
        status = memo_likeness_link(&w->likeness, &written, text.text, &sketch, &linked, err);
    w->report.n_compared += (uint64_t)text.found;
    w->report.n_linked += (uint64_t)linked;
    memo_arena_fini(&arena);
    return status;
}

/* *more 0: none is left. */
static memo_status likeness_group(likeness_work *w, int *more, memo_err *err)
{
    const memo_link_report before = w->report;
    memo_status status = memo_store_begin_write(w->db->store, err);

    if (status)
        return status;
    for (int i = 0; i < LIKENESS_GROUP && *more && status == MEMO_OK; i++) {
        status = memo_store_next_unlinked(w->db->store, &w->last, err);
        *more = status == MEMO_OK && w->last != 0;
        if (*more)
            status = likeness_settle(w, err);
    }
    status = memo_store_end_write(w->db->store, status, err);
    if (status)
        w->report = before;
    return status;
}

memo_status memo_db_link(memo_db *db, const memo_link_options *options, memo_link_report *report,
                         memo_err *err)
{
    likeness_work w = {.db = db};
    memo_db_progress progress;
    int more;
    memo_status status =
        memo_options_copy(&w.options, sizeof w.options, options, "memo_link_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, db, "memo_db_link", err);
    if (status == MEMO_OK)
        status = memo_result_check(report, "memo_link_report", err);
    if (status == MEMO_OK && memo_store_read_only(db->store))
        status = memo_fail(err, MEMO_ERR_USAGE, "linking records needs a store opened for writing");
    if (status)
        return status;
    memo_db_wrap_progress(&progress, db, &w.options.progress, &w.options.progress_user);
    w.likeness = (memo_likeness){.db = db, .mode = MEMO_LINKS_NEAR};
    status = memo_store_count_unlinked(db->store, &w.n_total, err);
    more = w.n_total > 0;
    while (more && status == MEMO_OK) {
        status = likeness_group(&w, &more, err);
        if (status == MEMO_OK)
            status = memo_progress_call(w.options.progress, w.options.progress_user, "link",
                                        w.report.n_compared, w.n_total, NULL, err);
    }
    memo_likeness_fini(&w.likeness);
    memo_result_write(report, &w.report, sizeof w.report);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Links with the arena that holds them. */
typedef struct likeness_owner {
    memo_links links; /* first: this is what the caller sees */
    memo_arena arena;
} likeness_owner;

const char *memo_link_kind_name(memo_link_kind kind)
{
    static const char *const names[] = {"unknown", "duplicate", "echo", "supersedes", "near"};

    return names[(unsigned)kind <= MEMO_LINK_NEAR ? kind : 0];
}

void memo_links_free(memo_links *links)
{
    likeness_owner *owner = (likeness_owner *)links;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

memo_status memo_db_links(memo_db *db, const char *ns, const char *id, memo_links **links,
                          memo_err *err)
{
    likeness_owner *owner;
    memo_store_ns found;
    memo_status status = memo_db_check_call(db, links, "memo_db_links", err);

    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_links", err);
    if (status == MEMO_OK)
        status = memo_store_find_ns(db->store, memo_db_ns_name(ns), &found, err);
    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "links", sizeof *owner);
    status = memo_store_links(db->store, found.id, id, &owner->arena, &owner->links, err);
    if (status)
        memo_links_free(&owner->links);
    else
        *links = &owner->links;
    return status;
}
