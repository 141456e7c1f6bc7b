// SPDX-License-Identifier: Apache-2.0
/* memory/upkeep/review.c -- memo_db_audit(): one walk through the records of a namespace, oldest first.
 *
 * Likeness is found by words, not by vectors: comparing every vector with all others is quadratic, and
 * a cosine would have to be proved by the words anyway. A record is compared with one other, the
 * most similar by signature (near.h); those that are like an older one are not compared with again, so
 * a thousand equal records cost a thousand comparisons. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/grow.h"
#include "base/hash.h"
#include "memory/db.h"
#include "store/upkeep/usage.h"
#include "text/near.h"
#include "text/secrets.h"

#define REVIEW_LIMIT     1000
#define REVIEW_PAGE      32 /* records read at a time: a few may be of many MiB */
#define REVIEW_DAY_MS    INT64_C(86400000)
#define REVIEW_STALE     365
#define REVIEW_UNUSED    30
#define REVIEW_ECHO_MS   INT64_C(600000) /* as the echo guard counts, see links.h */
#define REVIEW_OVERSIZED ((size_t)1 << 20)
#define REVIEW_MOST_DAYS INT64_C(36500)

/* What is kept of a record that others may be like. */
typedef struct review_entry {
    char id[MEMO_ID_BYTES];
    uint64_t hash; /* of its text */
} review_entry;

typedef struct review_use {
    char id[MEMO_ID_BYTES];
    int64_t first_ms, last_ms;
} review_use;

typedef struct review_echo {
    char id[MEMO_ID_BYTES], other[MEMO_ID_BYTES];
    double score;
} review_echo;

/* An array that grows by one; items begin with the id that they are found by. */
typedef struct review_array {
    size_t n, cap, item_bytes;
    void *items;
    int failed;
} review_array;

typedef struct review_kind {
    size_t n, cap;
    memo_audit_finding *list;
} review_kind;

typedef struct review_owner {
    memo_audit audit; /* first: this is what the caller sees */
    memo_arena arena;
    memo_audit_finding *list;
} review_owner;

typedef struct review_run {
    memo_db *db;
    memo_audit_options o;
    memo_store_ns ns;
    int64_t now_ms;
    uint64_t n_total;
    review_owner *owner;
    review_kind kinds[MEMO_AUDIT_N_KINDS];
    review_array uses, echoes; /* by id */
    review_entry *entries;     /* [n_entries] */
    size_t n_entries, cap_entries, n_slots;
    uint32_t *slots; /* [n_slots] entries by the hash of their text, plus 1 */
    memo_near near;
    memo_shingles words, other_words;
    char ns_words[MEMO_STORE_MAX_NS_BYTES + 8]; /* " --ns NAME" of the hints */
} review_run;

const char *memo_audit_kind_name(memo_audit_kind kind)
{
    static const char *const names[MEMO_AUDIT_N_KINDS] = {
        "secret",   "echo",      "duplicate", "near",   "untrusted",
        "dangling", "oversized", "stale",     "unused",
    };

    return (unsigned)kind < MEMO_AUDIT_N_KINDS ? names[kind] : "unknown";
}

/* ---- what is asked for by id --------------------------------------------------------------- */

static void *review_array_add(review_array *a)
{
    void *grown = memo_grow(a->items, a->n, &a->cap, a->item_bytes);

    if (!grown) {
        a->failed = 1;
        return NULL;
    }
    a->items = grown;
    return (char *)a->items + a->n++ * a->item_bytes;
}

static int review_by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const void *review_array_find(const review_array *a, const char *id)
{
    return a->n ? bsearch(id, a->items, a->n, a->item_bytes, review_by_id) : NULL;
}

static int review_keep_use(void *user, const memo_store_usage *usage)
{
    review_use *use = review_array_add(user);

    if (!use)
        return 1;
    *use = (review_use){.first_ms = usage->first_ms, .last_ms = usage->last_ms};
    snprintf(use->id, sizeof use->id, "%s", usage->id);
    return 0;
}

static int review_keep_echo(void *user, const char *id, const char *other, double score)
{
    review_echo *echo = review_array_add(user);

    if (!echo)
        return 1;
    *echo = (review_echo){.score = score};
    snprintf(echo->id, sizeof echo->id, "%s", id);
    snprintf(echo->other, sizeof echo->other, "%s", other);
    return 0;
}

static memo_status review_read_use(review_run *r, memo_err *err)
{
    memo_store *store = r->db->store;
    memo_status status = memo_store_each_usage(store, r->ns.id, review_keep_use, &r->uses, err);

    if (!status)
        status = memo_store_each_link(store, r->ns.id, MEMO_LINK_ECHO, review_keep_echo, &r->echoes,
                                      err);
    if (!status)
        status = memo_store_oldest_search(store, r->ns.id, &r->owner->audit.searches_from_ms, err);
    if (!status && (r->uses.failed || r->echoes.failed))
        status = memo_fail_nomem(err, "what was shown", r->uses.n * sizeof(review_use));
    if (r->uses.n)
        qsort(r->uses.items, r->uses.n, r->uses.item_bytes, review_by_id);
    if (r->echoes.n)
        qsort(r->echoes.items, r->echoes.n, r->echoes.item_bytes, review_by_id);
    return status;
}

/* ---- findings ------------------------------------------------------------------------------ */

/* `what` is what the hint does with the record: "forget", "get". */
static memo_status review_find(review_run *r, const memo_record *record, memo_audit_finding finding,
                               const char *what, memo_err *err)
{
    review_kind *kind = &r->kinds[finding.kind];
    memo_arena *arena = &r->owner->arena;
    memo_audit_finding *grown;
    char hint[64 + MEMO_ID_BYTES + sizeof r->ns_words];

    r->owner->audit.counts[finding.kind]++;
    if (kind->n == r->o.limit)
        return MEMO_OK;
    grown = memo_grow(kind->list, kind->n, &kind->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "findings", (kind->n + 1) * sizeof *grown);
    kind->list = grown;
    snprintf(hint, sizeof hint, "memolith %s %s%s", what, record->id, r->ns_words);
    finding.id = memo_arena_strdup(arena, record->id);
    finding.key = record->key ? memo_arena_strdup(arena, record->key) : NULL;
    if (finding.other && !(finding.other = memo_arena_strdup(arena, finding.other)))
        return memo_fail_nomem(err, "findings", kind->n);
    finding.why = memo_arena_strdup(arena, finding.why);
    finding.hint = memo_arena_strdup(arena, hint);
    if (!finding.id || (record->key && !finding.key) || !finding.why || !finding.hint)
        return memo_fail_nomem(err, "findings", kind->n);
    kind->list[kind->n++] = finding;
    return MEMO_OK;
}

static memo_status review_secrets(review_run *r, const memo_record *record, memo_err *err)
{
    const struct {
        const char *name;
        memo_text text;
    } places[] = {{"text", record->text},
                  {"title", MEMO_STR(record->title)},
                  {"metadata", MEMO_STR(record->metadata_json)},
                  {"source", MEMO_STR(record->source)}};
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memo_secret secret = {0};
        while (!status && memo_secret_next(places[i].text, secret.end, &secret)) {
            char why[128];
            snprintf(why, sizeof why, "%s %.*s... at byte %zu of the %s", secret.kind,
                     MEMO_SECRET_SHOWN, places[i].text.bytes + secret.begin, secret.begin,
                     places[i].name);
            status =
                review_find(r, record,
                            (memo_audit_finding){
                                .kind = MEMO_AUDIT_SECRET, .score = secret.entropy, .why = why},
                            "forget --shred", err);
        }
    }
    return status;
}

/* ---- likeness ------------------------------------------------------------------------------ */

/* Read the text of an older record; NULL when it cannot be read any more. */
static memo_status review_other(review_run *r, const char *id, memo_arena *arena,
                                memo_record *other, int *there, memo_err *err)
{
    memo_err why = {0};
    memo_status status = memo_store_get(r->db->store, r->ns.id, id, arena, other, &why);

    *there = status == MEMO_OK;
    if (status == MEMO_ERR_NOTFOUND || status == MEMO_ERR_CORRUPT)
        return MEMO_OK;
    if (status && err)
        *err = why;
    return status;
}

/* Whether the first or the last search that showed a record did so shortly before `at_ms`. */
static int review_was_seen(const review_use *use, int64_t at_ms)
{
    return use && ((use->first_ms <= at_ms && at_ms - use->first_ms <= REVIEW_ECHO_MS) ||
                   (use->last_ms <= at_ms && at_ms - use->last_ms <= REVIEW_ECHO_MS));
}

/* It may be an echo that was written without being compared. */
static memo_status review_like(review_run *r, const memo_record *record, memo_audit_kind kind,
                               const char *other, double score, memo_err *err)
{
    const review_use *use = review_array_find(&r->uses, other);
    char why[160];

    if (review_was_seen(use, record->updated_ms)) {
        kind = MEMO_AUDIT_ECHO;
        snprintf(why, sizeof why,
                 "written just after %s had been shown; they share %.0f %% of their word triples",
                 other, score * 100);
    } else if (kind == MEMO_AUDIT_DUPLICATE) {
        snprintf(why, sizeof why, "the same text as %s", other);
    } else {
        snprintf(why, sizeof why, "shares %.0f %% of all word triples with %s", score * 100, other);
    }
    return review_find(
        r, record, (memo_audit_finding){.kind = kind, .other = other, .score = score, .why = why},
        "forget", err);
}

static memo_status review_near(review_run *r, const memo_record *record, memo_arena *arena,
                               uint32_t self, int *found, memo_err *err)
{
    memo_near_mark mark;
    memo_record other;
    uint32_t like;
    int there = 0;
    double score = 0;
    memo_status status = memo_shingles_make(&r->words, record->text, err);

    if (status || r->words.n == 0)
        return status;
    memo_near_sign(&r->words, &mark);
    if (memo_near_find(&r->near, &mark, &like)) {
        status = review_other(r, r->entries[like].id, arena, &other, &there, err);
        if (!status && there)
            status = memo_shingles_make(&r->other_words, other.text, err);
        if (!status && there)
            score = memo_shingles_alike(&r->words, &r->other_words);
    }
    *found = score >= MEMO_SHINGLES_NEAR;
    if (!status && *found)
        return review_like(r, record, MEMO_AUDIT_NEAR, r->entries[like].id, score, err);
    if (!status)
        memo_near_add(&r->near, &mark, self);
    return status;
}

/* The entry with this very text; *slot is where it belongs when there is none. */
static memo_status review_same(review_run *r, const memo_record *record, uint64_t hash,
                               memo_arena *arena, uint32_t *entry, memo_err *err)
{
    size_t slot = (size_t)hash & (r->n_slots - 1);

    *entry = 0;
    for (; r->slots[slot]; slot = (slot + 1) & (r->n_slots - 1)) {
        const review_entry *e = &r->entries[r->slots[slot] - 1];
        memo_record other;
        int there = 0;
        memo_status status;
        if (e->hash != hash)
            continue;
        status = review_other(r, e->id, arena, &other, &there, err);
        if (status)
            return status;
        if (there && other.text.n_bytes == record->text.n_bytes &&
            memcmp(other.text.bytes, record->text.bytes, other.text.n_bytes) == 0) {
            *entry = r->slots[slot];
            return MEMO_OK;
        }
    }
    r->slots[slot] = (uint32_t)r->n_entries + 1;
    return MEMO_OK;
}

static memo_status review_likeness(review_run *r, const memo_record *record, memo_err *err)
{
    const review_echo *echo = review_array_find(&r->echoes, record->id);
    uint64_t hash = memo_xxh64(record->text.bytes, record->text.n_bytes, 0);
    memo_arena arena = {0};
    uint32_t same = 0, self = (uint32_t)r->n_entries;
    int found = 0;
    memo_status status;

    if (r->n_entries ==
        r->cap_entries) /* added since they were counted: cannot be, in one snapshot */
        return MEMO_OK;
    snprintf(r->entries[self].id, MEMO_ID_BYTES, "%s", record->id);
    r->entries[self].hash = hash;
    status = review_same(r, record, hash, &arena, &same, err);
    if (!status && echo)
        status = review_find(r, record,
                             (memo_audit_finding){.kind = MEMO_AUDIT_ECHO,
                                                  .other = echo->other[0] ? echo->other : NULL,
                                                  .score = echo->score,
                                                  .why = "linked as an echo when it was written"},
                             "forget", err);
    else if (!status && same)
        status = review_like(r, record, MEMO_AUDIT_DUPLICATE, r->entries[same - 1].id, 1, err);
    else if (!status)
        status = review_near(r, record, &arena, self, &found, err);
    if (!status && !same)
        r->n_entries++;
    memo_arena_fini(&arena);
    return status;
}

/* ---- one record after the other ------------------------------------------------------------ */

/* A source that names a file; what cannot be looked at counts as there. */
static int review_is_gone(const char *source)
{
    if (strncmp(source, "file://", 7) == 0)
        source += 7;
    return source[0] && !strstr(source, "://") && !strchr(source, '\n') &&
           !memo_path_exists(source);
}

static memo_status review_marks(review_run *r, const memo_record *record, memo_err *err)
{
    char why[160];
    memo_status status = MEMO_OK;

    if (record->trust < 0)
        status = review_find(
            r, record,
            (memo_audit_finding){.kind = MEMO_AUDIT_UNTRUSTED, .why = "it is marked as untrusted"},
            "get", err);
    if (!status && r->o.sources && review_is_gone(record->source)) {
        snprintf(why, sizeof why, "its source is gone: %.100s", record->source);
        status =
            review_find(r, record, (memo_audit_finding){.kind = MEMO_AUDIT_DANGLING, .why = why},
                        "forget", err);
    }
    if (!status && record->text.n_bytes > r->o.oversized_bytes) {
        snprintf(why, sizeof why, "a text of %zu bytes in %zu chunk%s", record->text.n_bytes,
                 record->n_chunks, record->n_chunks == 1 ? "" : "s");
        status = review_find(r, record,
                             (memo_audit_finding){.kind = MEMO_AUDIT_OVERSIZED,
                                                  .score = (double)record->text.n_bytes,
                                                  .why = why},
                             "get", err);
    }
    return status;
}

static memo_status review_age(review_run *r, const memo_record *record, memo_err *err)
{
    const review_use *use = review_array_find(&r->uses, record->id);
    int64_t since = r->owner->audit.searches_from_ms, last = record->updated_ms;
    int64_t days = (r->now_ms - last) / REVIEW_DAY_MS;
    char why[160];
    memo_status status = MEMO_OK;

    if (use && use->last_ms > last)
        days = (r->now_ms - use->last_ms) / REVIEW_DAY_MS;
    if (record->pinned || record->tier == 0)
        return MEMO_OK;
    if (days >= r->o.stale_days) {
        snprintf(why, sizeof why, "neither written nor shown for %" PRId64 " days", days);
        status = review_find(
            r, record,
            (memo_audit_finding){.kind = MEMO_AUDIT_STALE, .score = (double)days, .why = why},
            "get", err);
    }
    days = (r->now_ms - (last > since ? last : since)) / REVIEW_DAY_MS;
    if (!status && since && !use && days >= r->o.unused_days) {
        snprintf(why, sizeof why, "no search of the last %" PRId64 " days has shown it", days);
        status = review_find(
            r, record,
            (memo_audit_finding){.kind = MEMO_AUDIT_UNUSED, .score = (double)days, .why = why},
            "get", err);
    }
    return status;
}

static memo_status review_record(review_run *r, const memo_record *record, memo_err *err)
{
    memo_status status = review_secrets(r, record, err);

    if (!status)
        status = review_likeness(r, record, err);
    if (!status)
        status = review_marks(r, record, err);
    if (!status)
        status = review_age(r, record, err);
    r->owner->audit.n_records++;
    return status;
}

/* Cursors and records of a page live in its arena until the next page has come. */
static memo_status review_pages(review_run *r, memo_err *err)
{
    const memo_store_scope scope = {.ns = r->ns.id, .now_ms = r->now_ms};
    memo_store_list_options list = {.limit = REVIEW_PAGE, .oldest_first = 1};
    memo_audit *audit = &r->owner->audit;
    memo_arena arena = {0};
    memo_status status;

    do {
        memo_arena next = {0};
        memo_records page = {0};
        status = memo_store_list(r->db->store, &scope, &list, &next, &page, err);
        memo_arena_fini(&arena);
        arena = next;
        list.after = page.next;
        audit->n_damaged += page.n_damaged;
        for (size_t i = 0; i < page.n && !status; i++)
            status = review_record(r, &page.records[i], err);
        if (!status)
            status = memo_progress_call(r->o.progress, r->o.progress_user, "audit",
                                        audit->n_records, r->n_total, NULL, err);
    } while (!status && list.after);
    memo_arena_fini(&arena);
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static memo_status review_room(review_run *r, memo_err *err)
{
    const memo_store_scope scope = {.ns = r->ns.id, .now_ms = r->now_ms};
    uint64_t n_chunks = 0;
    memo_status status = memo_store_count(r->db->store, &scope, &r->n_total, &n_chunks, err);

    if (!status)
        status = memo_near_init(&r->near, (size_t)r->n_total, err);
    if (status)
        return status;
    r->cap_entries = (size_t)r->n_total;
    for (r->n_slots = 64; r->n_slots < r->cap_entries * 2;)
        r->n_slots *= 2;
    r->entries = memo_reallocarray(NULL, r->cap_entries + 1, sizeof *r->entries);
    r->slots = memo_calloc(r->n_slots, sizeof *r->slots);
    if (!r->entries || !r->slots)
        return memo_fail_nomem(err, "an audit", r->cap_entries * sizeof *r->entries);
    return MEMO_OK;
}

static memo_status review_gather(review_run *r, memo_err *err)
{
    memo_audit *audit = &r->owner->audit;
    size_t n = 0;

    for (size_t k = 0; k < MEMO_AUDIT_N_KINDS; k++)
        n += r->kinds[k].n;
    r->owner->list = memo_reallocarray(NULL, n + 1, sizeof *r->owner->list);
    if (!r->owner->list)
        return memo_fail_nomem(err, "findings", n * sizeof *r->owner->list);
    for (size_t k = 0; k < MEMO_AUDIT_N_KINDS; k++) {
        if (r->kinds[k].n)
            memcpy(r->owner->list + audit->n, r->kinds[k].list,
                   r->kinds[k].n * sizeof *r->owner->list);
        audit->n += r->kinds[k].n;
    }
    audit->findings = r->owner->list;
    return MEMO_OK;
}

static memo_status review_snapshot(review_run *r, memo_err *err)
{
    const char *name = memo_db_ns_name(r->o.ns);
    memo_status status = memo_store_begin_read(r->db->store, err);

    if (status)
        return status;
    status = memo_store_find_ns(r->db->store, name, &r->ns, err);
    if (!status)
        status = review_room(r, err);
    if (!status)
        status = review_read_use(r, err);
    if (!status)
        status = review_pages(r, err);
    memo_store_end_read(r->db->store);
    return status ? status : review_gather(r, err);
}

static void review_fini(review_run *r)
{
    for (size_t k = 0; k < MEMO_AUDIT_N_KINDS; k++)
        memo_free(r->kinds[k].list);
    memo_free(r->uses.items);
    memo_free(r->echoes.items);
    memo_free(r->entries);
    memo_free(r->slots);
    memo_near_fini(&r->near);
    memo_shingles_fini(&r->words);
    memo_shingles_fini(&r->other_words);
}

void memo_audit_free(memo_audit *audit)
{
    review_owner *owner = (review_owner *)audit;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner->list);
    memo_free(owner);
}

memo_status memo_db_audit(memo_db *db, const memo_audit_options *options, memo_audit **audit,
                          memo_err *err)
{
    review_run r = {
        .db = db, .uses.item_bytes = sizeof(review_use), .echoes.item_bytes = sizeof(review_echo)};
    memo_db_progress wrapper;
    memo_status status = memo_options_copy(&r.o, sizeof r.o, options, "memo_audit_options", err);

    if (!status)
        status = memo_db_check_call(db, audit, "memo_db_audit", err);
    if (!status && (r.o.stale_days < 0 || r.o.stale_days > REVIEW_MOST_DAYS))
        status = memo_fail(err, MEMO_ERR_VALUE, "stale after %" PRId64 " days: 0 to %" PRId64,
                           r.o.stale_days, REVIEW_MOST_DAYS);
    if (!status && (r.o.unused_days < 0 || r.o.unused_days > REVIEW_MOST_DAYS))
        status = memo_fail(err, MEMO_ERR_VALUE, "unused for %" PRId64 " days: 0 to %" PRId64,
                           r.o.unused_days, REVIEW_MOST_DAYS);
    if (status)
        return status;
    r.o.unused_days = r.o.unused_days ? r.o.unused_days : REVIEW_UNUSED;
    r.o.stale_days = r.o.stale_days ? r.o.stale_days : REVIEW_STALE;
    r.o.oversized_bytes = r.o.oversized_bytes ? r.o.oversized_bytes : REVIEW_OVERSIZED;
    r.o.limit = r.o.limit ? r.o.limit : REVIEW_LIMIT;
    memo_db_wrap_progress(&wrapper, db, &r.o.progress, &r.o.progress_user);
    r.now_ms = memo_now_ms(db->ctx);
    if (r.o.ns && strcmp(r.o.ns, MEMO_DB_DEFAULT_NS) != 0)
        snprintf(r.ns_words, sizeof r.ns_words, " --ns %s", r.o.ns);
    r.owner = memo_calloc(1, sizeof *r.owner);
    if (!r.owner)
        return memo_fail_nomem(err, "an audit", sizeof *r.owner);
    status = review_snapshot(&r, err);
    review_fini(&r);
    if (status)
        memo_audit_free(&r.owner->audit);
    else
        *audit = &r.owner->audit;
    return status;
}
