// SPDX-License-Identifier: Apache-2.0
/* The buffer holds searches one after the other:
 *
 *   log_head, actor, surface, filter, query, then n_shown * log_item */
#include "memory/feedback/search_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "store/events/event_rows.h"
#include "store/rows/stored_settings.h"

#define SEARCH_LOG_BYTES     ((size_t)256 << 10) /* about 300 searches for ten hits */
#define SEARCH_LOG_GROUP     256 /* far fewer than one search in a hundred writes: not seen by p99 */
#define SEARCH_LOG_QUERY     4096 /* bytes of a query or filter that are kept */
#define SEARCH_LOG_ACTOR     128
#define SEARCH_LOG_CLOSE_MS  200 /* how long closing waits for another writer */
#define SEARCH_LOG_KEEP      100000
#define SEARCH_LOG_MOST_DAYS INT64_C(36500)
#define SEARCH_LOG_DAY_MS    (INT64_C(24) * 3600 * 1000)

enum { LOG_FEATURES = 2 * MEMO_N_LANES + 1, LOG_N_TEXTS = 4, LOG_RECENT = 64 };

typedef struct log_item {
    int64_t record, chunk;
    unsigned char features[LOG_FEATURES * 4];
} log_item;

typedef struct log_head {
    int64_t ns, space, at_ms;
    int32_t mode, cls;
    uint32_t n_texts[LOG_N_TEXTS]; /* bytes of actor, surface, filter, query */
    uint32_t n_shown;
    char id[MEMO_ID_BYTES];
} log_head;

struct memo_search_buffer {
    size_t n_bytes, n_searches;
    int known; /* `settings` have been read */
    memo_search_log settings;
    unsigned char bytes[SEARCH_LOG_BYTES];
};

/* ---- settings ------------------------------------------------------------------------------ */

static const char *const log_settings[] = {"search_log.off", "search_log.max_searches",
                                           "search_log.max_days"};

static memo_status log_read_setting(memo_db *db, const char *name, int64_t *value, memo_err *err)
{
    memo_arena arena = {0};
    const char *text = NULL;
    memo_status status = memo_store_get_setting(db->store, name, &arena, &text, err);

    if (status == MEMO_OK && text)
        *value = strtoll(text, NULL, 10);
    memo_arena_fini(&arena);
    return status;
}

static memo_status log_read_settings(memo_db *db, memo_search_log *log, memo_err *err)
{
    int64_t off = 0, searches = SEARCH_LOG_KEEP, days = 0;
    memo_status status = log_read_setting(db, log_settings[0], &off, err);

    if (status == MEMO_OK)
        status = log_read_setting(db, log_settings[1], &searches, err);
    if (status == MEMO_OK)
        status = log_read_setting(db, log_settings[2], &days, err);
    if (status)
        return status;
    *log = (memo_search_log){.size = sizeof *log,
                             .off = off != 0,
                             .max_searches = searches > 0 ? (uint64_t)searches : SEARCH_LOG_KEEP,
                             .max_days = days <= 0                     ? 0
                                         : days < SEARCH_LOG_MOST_DAYS ? days
                                                                       : SEARCH_LOG_MOST_DAYS};
    return MEMO_OK;
}

memo_status memo_db_get_search_log(memo_db *db, memo_search_log *log, memo_err *err)
{
    memo_search_log found;
    memo_status status = memo_db_check_call(db, log, "memo_db_get_search_log", err);

    if (status == MEMO_OK)
        status = memo_result_check(log, "memo_search_log", err);
    if (status == MEMO_OK)
        status = log_read_settings(db, &found, err);
    if (status == MEMO_OK)
        memo_result_write(log, &found, sizeof found);
    return status;
}

memo_status memo_db_set_search_log(memo_db *db, const memo_search_log *log, memo_err *err)
{
    memo_search_log o;
    memo_status status = memo_options_copy(&o, sizeof o, log, "memo_search_log", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, log, "memo_db_set_search_log", err);
    if (status == MEMO_OK &&
        (o.max_days < 0 || o.max_days > SEARCH_LOG_MOST_DAYS || o.max_searches > INT64_MAX))
        status =
            memo_fail(err, MEMO_ERR_VALUE, "searches are kept for %" PRId64 " days: 0 to %" PRId64,
                      o.max_days, SEARCH_LOG_MOST_DAYS);
    if (status == MEMO_OK)
        status = memo_store_begin_write(db->store, err);
    if (status)
        return status;
    const uint64_t values[] = {o.off != 0, o.max_searches, (uint64_t)o.max_days};
    for (size_t i = 0; i < 3 && status == MEMO_OK; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, values[i]);
        status = memo_store_put_setting(db->store, log_settings[i], text, err);
    }
    status = memo_store_end_write(db->store, status, err);
    if (status == MEMO_OK && db->searches)
        db->searches->known = 0;
    return status;
}

/* Off as well when the setting cannot be read: somebody may have said so. */
static int log_is_off(memo_db *db)
{
    struct memo_search_buffer *b = db->searches;

    if (!b->known) {
        b->settings = (memo_search_log){.off = 1};
        b->known = log_read_settings(db, &b->settings, NULL) == MEMO_OK;
    }
    return b->settings.off;
}

/* ---- into the buffer ----------------------------------------------------------------------- */

/* A little-endian single. */
static void log_put_float(unsigned char *out, double value)
{
    float single = (float)value;
    uint32_t bits;

    memcpy(&bits, &single, sizeof bits);
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(bits >> (8 * i));
}

static void log_put_features(const memo_hit *hit, unsigned char *out)
{
    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        log_put_float(out + 8 * lane, (double)hit->lanes[lane].rank);
        log_put_float(out + 8 * lane + 4, hit->lanes[lane].score);
    }
    log_put_float(out + 8 * MEMO_N_LANES, hit->score);
}

/* The first bytes of a text that are kept. */
static memo_text log_cut(const char *text, size_t n, size_t max)
{
    return (memo_text){text ? text : "", text ? memo_utf8_floor(text, n, n < max ? n : max) : 0};
}

static memo_text log_cut_str(const char *text, size_t max)
{
    size_t n = text ? strlen(text) : 0;

    return memo_utf8_check(text ? text : "", n) == n ? log_cut(text, n, max) : log_cut(NULL, 0, 0);
}

static void log_append(struct memo_search_buffer *b, const void *bytes, size_t n)
{
    if (n)
        memcpy(b->bytes + b->n_bytes, bytes, n);
    b->n_bytes += n;
}

static void log_append_search(struct memo_search_buffer *b, const memo_search_note *note,
                              const log_head *head, const memo_text texts[LOG_N_TEXTS])
{
    log_append(b, head, sizeof *head);
    for (int i = 0; i < LOG_N_TEXTS; i++)
        log_append(b, texts[i].bytes, texts[i].n_bytes);
    for (size_t i = 0; i < note->hits->n; i++) {
        log_item item = {.record = note->keys[i][0], .chunk = note->keys[i][1]};
        log_put_features(&note->hits->hits[i], item.features);
        log_append(b, &item, sizeof item);
    }
    b->n_searches++;
}

/* ---- into the store ------------------------------------------------------------------------ */

/* Whether all that the search showed is still there. */
static memo_status log_has_all(memo_db *db, const unsigned char *items, size_t n, int *has,
                               memo_err *err)
{
    memo_status status = MEMO_OK;

    *has = 1;
    for (size_t i = 0; i < n && *has && status == MEMO_OK; i++) {
        int64_t rid;
        memcpy(&rid, items + i * sizeof(log_item) + offsetof(log_item, record), sizeof rid);
        status = memo_store_has_record(db->store, rid, has, err);
    }
    return status;
}

/* Write the search at byte *at, and go past it. One that showed a record which is gone by now is
 * dropped: the record may have been shredded, by another program too, and the query may repeat it. */
static memo_status log_write_one(memo_db *db, size_t *at, memo_err *err)
{
    const struct memo_search_buffer *b = db->searches;
    memo_shown_row shown[64];
    const unsigned char *items;
    log_head head;
    memo_text texts[LOG_N_TEXTS];
    memo_search_row row;
    int64_t sid = 0;
    int has_all;
    memo_status status;

    memcpy(&head, b->bytes + *at, sizeof head);
    *at += sizeof head;
    for (int i = 0; i < LOG_N_TEXTS; i++) {
        texts[i] = (memo_text){(const char *)b->bytes + *at, head.n_texts[i]};
        *at += head.n_texts[i];
    }
    items = b->bytes + *at;
    *at += head.n_shown * sizeof(log_item);
    row = (memo_search_row){.ns = head.ns,
                            .id = head.id,
                            .at_ms = head.at_ms,
                            .mode = head.mode,
                            .cls = head.cls,
                            .space = head.space,
                            .actor = texts[0],
                            .surface = texts[1],
                            .filter = texts[2],
                            .query = texts[3]};
    status = log_has_all(db, items, head.n_shown, &has_all, err);
    if (status || !has_all)
        return status;
    status = memo_store_put_search(db->store, &row, &sid, err);
    for (size_t i = 0; i < head.n_shown && status == MEMO_OK; i += 64) {
        size_t n = head.n_shown - i < 64 ? head.n_shown - i : 64;
        for (size_t j = 0; j < n; j++) {
            const unsigned char *p = items + (i + j) * sizeof(log_item);
            memcpy(&shown[j].rid, p + offsetof(log_item, record), sizeof shown[j].rid);
            memcpy(&shown[j].cid, p + offsetof(log_item, chunk), sizeof shown[j].cid);
            shown[j].features = p + offsetof(log_item, features);
            shown[j].n_bytes = LOG_FEATURES * 4;
        }
        status = memo_store_put_shown(db->store, sid, (int64_t)i + 1, shown, n, err);
    }
    return status;
}

/* Bytes of the search that begins with this head. */
static size_t log_size(const log_head *head)
{
    size_t n = sizeof *head + head->n_shown * sizeof(log_item);
    for (int i = 0; i < LOG_N_TEXTS; i++)
        n += head->n_texts[i];
    return n;
}

static int log_each_shown(const unsigned char *at, const log_head *head, memo_recent_fn fn,
                          void *user)
{
    const unsigned char *items = at + log_size(head) - head->n_shown * sizeof(log_item);
    int stop = 0;

    for (size_t i = 0; i < head->n_shown && !stop; i++) {
        int64_t cid;
        memcpy(&cid, items + i * sizeof(log_item) + offsetof(log_item, chunk), sizeof cid);
        stop = fn(user, (const char *)at + sizeof *head, head->n_texts[0], cid);
    }
    return stop;
}

/* They lie oldest first: the newest are found by counting. */
void memo_search_log_each(memo_db *db, memo_recent_scope *scope, memo_recent_fn fn, void *user)
{
    const struct memo_search_buffer *b = db->searches;
    size_t starts[LOG_RECENT], n = 0;
    log_head head;

    for (size_t at = 0; b && at < b->n_bytes; at += log_size(&head)) {
        memcpy(&head, b->bytes + at, sizeof head);
        if (head.ns == scope->ns && head.at_ms >= scope->since_ms)
            starts[n++ % LOG_RECENT] = at;
    }
    for (size_t left = n < LOG_RECENT ? n : LOG_RECENT; left > 0 && scope->n_searches > 0; left--) {
        size_t at = starts[--n % LOG_RECENT];
        memcpy(&head, b->bytes + at, sizeof head);
        scope->n_searches--;
        if (log_each_shown(b->bytes + at, &head, fn, user))
            return;
    }
}

memo_status memo_search_log_write(memo_db *db, memo_err *err)
{
    const struct memo_search_buffer *b = db->searches;
    int64_t oldest_ms = INT64_MIN;
    memo_status status = MEMO_OK;

    if (!b || b->n_searches == 0)
        return MEMO_OK;
    for (size_t at = 0; at < b->n_bytes && status == MEMO_OK;)
        status = log_write_one(db, &at, err);
    if (b->settings.max_days)
        oldest_ms = memo_now_ms(db->ctx) - b->settings.max_days * SEARCH_LOG_DAY_MS;
    return status ? status
                  : memo_store_trim_searches(db->store, b->settings.max_searches, oldest_ms, err);
}

static void log_clear(memo_db *db)
{
    if (!db->searches)
        return;
    db->searches->n_bytes = db->searches->n_searches = 0;
    db->searches->known = 0; /* another process may have changed them */
}

memo_status memo_search_log_end(memo_db *db, memo_status status, memo_err *err)
{
    status = memo_store_end_write(db->store, status, err);
    if (status == MEMO_OK)
        log_clear(db);
    return status;
}

/* Try to write all of it without a sync. When the lock cannot be had it stays for the next time; what
 * cannot be written is lost, so that it does not stand in the way of the next. */
static void log_flush(memo_db *db, int64_t wait_ms)
{
    memo_err err = {0};
    memo_status status;

    if (!db->searches || db->searches->n_searches == 0)
        return;
    status = memo_store_begin_relaxed(db->store, wait_ms, &err);
    if (status == MEMO_ERR_BUSY)
        return;
    if (status == MEMO_OK)
        status = memo_store_end_write(db->store, memo_search_log_write(db, &err), &err);
    if (status)
        memo_log(db->ctx, MEMO_LOG_WARN, "%zu searches are not kept: %s", db->searches->n_searches,
                 err.message);
    log_clear(db);
}

void memo_search_log_after_write(memo_db *db)
{
    log_flush(db, -1);
}

memo_status memo_db_flush(memo_db *db, memo_err *err)
{
    memo_status status = memo_db_check_call(db, db, "memo_db_flush", err);

    if (status || !db->searches || db->searches->n_searches == 0)
        return status;
    status = memo_store_begin_write(db->store, err);
    if (status)
        return status;
    return memo_search_log_end(db, memo_search_log_write(db, err), err);
}

/* ---- a handle's ---------------------------------------------------------------------------- */

memo_status memo_search_log_init(memo_db *db, memo_err *err)
{
    if (memo_store_read_only(db->store))
        return MEMO_OK;
    db->searches = memo_calloc(1, sizeof *db->searches);
    return db->searches ? MEMO_OK
                        : memo_fail_nomem(err, "a buffer of searches", sizeof *db->searches);
}

void memo_search_log_fini(memo_db *db)
{
    log_flush(db, SEARCH_LOG_CLOSE_MS);
    memo_free(db->searches);
    db->searches = NULL;
}

void memo_search_log_add(memo_db *db, const memo_search_note *note, char id[MEMO_ID_BYTES])
{
    struct memo_search_buffer *b = db->searches;
    memo_text texts[LOG_N_TEXTS];
    log_head head = {.ns = note->ns,
                     .space = note->space,
                     .at_ms = memo_now_ms(db->ctx),
                     .mode = (int32_t)note->hits->mode,
                     .cls = (int32_t)note->cls,
                     .n_shown = (uint32_t)note->hits->n};
    size_t needed = sizeof head + note->hits->n * sizeof(log_item);

    id[0] = '\0';
    if (!b || note->options->no_log || log_is_off(db))
        return;
    texts[0] = log_cut_str(note->options->actor, SEARCH_LOG_ACTOR);
    texts[1] = log_cut_str(note->options->surface, SEARCH_LOG_ACTOR);
    texts[2] = log_cut_str(note->options->where, SEARCH_LOG_QUERY);
    texts[3] = log_cut(note->query.bytes, note->query.n_bytes, SEARCH_LOG_QUERY);
    for (int i = 0; i < LOG_N_TEXTS; i++)
        needed += head.n_texts[i] = (uint32_t)texts[i].n_bytes;
    if (b->n_searches >= SEARCH_LOG_GROUP || needed > sizeof b->bytes - b->n_bytes)
        log_flush(db, -1);
    if (needed > sizeof b->bytes - b->n_bytes ||
        memo_ulid_make(db->store, head.at_ms, head.id, NULL))
        return; /* another writer holds the lock, and the buffer is full */
    log_append_search(b, note, &head, texts);
    memcpy(id, head.id, MEMO_ID_BYTES);
}
