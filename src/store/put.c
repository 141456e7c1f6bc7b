// SPDX-License-Identifier: Apache-2.0
/* Writing records: check, compare with what is there, keep the old version, replace what is derived
 * from it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "store/fulltext.h"
#include "store/repair/repair.h"
#include "store/rows.h"
#include "store/store_inner.h"

enum { PUT_MAX_METADATA = 64 << 10, PUT_MAX_TAGS = 64 << 10 };

/* ---- checking ------------------------------------------------------------------------------ */

static memo_status put_check_text(const char *what, const char *s, size_t n, memo_err *err)
{
    size_t bad = n ? memo_utf8_check(s, n) : 0;
    if (bad == n)
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_VALUE, "the %s is not UTF-8: byte %zu is 0x%02x", what, bad,
                     (unsigned char)s[bad]);
}

static memo_status put_check_str(const char *what, const char *s, size_t max, memo_err *err)
{
    size_t n = s ? strlen(s) : 0;
    if (n > max)
        return memo_fail(err, MEMO_ERR_LIMIT, "the %s has %zu bytes; at most %zu are allowed", what,
                         n, max);
    return put_check_text(what, s, n, err);
}

static memo_status put_check_chunks(const memo_store_put *put, memo_err *err)
{
    size_t before = 0;
    if (put->keep_chunks)
        return put->id ? MEMO_OK
                       : memo_fail(err, MEMO_ERR_USAGE, "keep_chunks needs an existing record");
    if (put->n_chunks == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "a record without chunks");
    for (size_t i = 0; i < put->n_chunks; i++) {
        const memo_store_chunk *c = &put->chunks[i];
        if (c->begin >= c->end || c->end > put->text.n_bytes || c->begin < before || !c->vector)
            return memo_fail(err, MEMO_ERR_VALUE,
                             "chunk %zu: bytes %zu to %zu of a text of %zu, after one that begins "
                             "at %zu",
                             i, c->begin, c->end, put->text.n_bytes, before);
        before = c->begin;
    }
    return MEMO_OK;
}

static memo_status put_check(const memo_store_put *put, memo_err *err)
{
    memo_status status;
    if (put->key && !*put->key)
        return memo_fail(err, MEMO_ERR_VALUE, "the key is empty");
    status = put_check_str("key", put->key, MEMO_STORE_MAX_KEY_BYTES, err);
    if (!status)
        status = put_check_text("text", put->text.bytes, put->text.n_bytes, err);
    if (!status)
        status = put_check_str("title", put->title, SIZE_MAX, err);
    if (!status)
        status = put_check_str("source", put->source, SIZE_MAX, err);
    if (!status)
        status = put_check_str("metadata", put->metadata, PUT_MAX_METADATA, err);
    for (size_t i = 0; !status && i < put->n_tags; i++)
        status = put_check_str("tag", put->tags[i], PUT_MAX_TAGS, err);
    return status ? status : put_check_chunks(put, err);
}

/* Tags as they are stored; what is written here must be read again within the limits of JSON. */
static memo_status put_write_tags(const memo_store_put *put, memo_buf *tags, memo_err *err)
{
    memo_tags_write(tags, put->tags, put->n_tags);
    if (tags->failed)
        return memo_fail_nomem(err, "tags", put->n_tags);
    if (tags->n > PUT_MAX_TAGS)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "the %zu tags have %zu bytes as JSON; at most %d are allowed", put->n_tags,
                         tags->n, PUT_MAX_TAGS);
    return MEMO_OK;
}

/* ---- what is there ------------------------------------------------------------------------- */

static memo_text put_str(const char *s, const char *otherwise)
{
    if (!s)
        s = otherwise;
    return (memo_text){s, s ? strlen(s) : 0};
}

/* The row that `put` asks for, apart from what the store decides (ids, version, times it fills in,
 * checksum). `tags` is owned by the caller. */
static void put_make_row(const memo_store_put *put, int64_t ns, const memo_buf *tags, memo_row *row)
{
    *row = (memo_row){.ns = ns, .version = 1, .tier = 2};
    row->key = put_str(put->key, NULL);
    row->created_ms = put->created_ms;
    row->expires_ms = put->expires_ms;
    row->chunking = put->chunking;
    row->chunk_tokens = memo_size_to_column(put->chunk_tokens);
    row->chunk_overlap = memo_size_to_column(put->chunk_overlap);
    row->n_chunks = memo_size_to_column(put->n_chunks);
    row->source = put_str(put->source, "");
    row->title = put_str(put->title, "");
    row->tags = (memo_text){tags->data, tags->n};
    row->metadata = put_str(put->metadata, "{}");
    row->text = put->text.bytes ? put->text : (memo_text){"", 0};
    row->content_hash = (int64_t)memo_xxh64(row->text.bytes, row->text.n_bytes, 0);
}

/* The row of a SELECT of MEMO_ROW_COLUMNS, if there is one; its texts are in the arena. */
static memo_status put_take_row(memo_stmt *st, memo_arena *arena, memo_row *row, memo_err *err)
{
    int more;
    memo_status status = memo_stmt_step(st, &more, err);
    if (!status && more) {
        memo_row_read(st, row);
        if (!memo_row_copy(arena, row))
            status = memo_fail_nomem(err, "a record", row->text.n_bytes);
    }
    memo_stmt_done(st);
    return status;
}

/* Find the record that this put is about. row->rid 0: there is none. Texts are in the arena. */
static memo_status put_find(memo_sql *sql, int64_t ns, const memo_store_put *put, memo_arena *arena,
                            memo_row *row, memo_err *err)
{
    memo_stmt st;
    memset(row, 0, sizeof *row);
    if (!put->id && !put->key)
        return MEMO_OK;
    st = put->id
             ? memo_stmt_keep(sql,
                              "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND id = ?",
                              "read a record")
             : memo_stmt_keep(sql,
                              "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND key = ?",
                              "read a record");
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, put->id ? put->id : put->key);
    return put_take_row(&st, arena, row, err);
}

static int put_same_text(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0;
}

static int put_same_row(const memo_row *old, const memo_row *now)
{
    return put_same_text(old->text, now->text) && put_same_text(old->title, now->title) &&
           put_same_text(old->metadata, now->metadata) && put_same_text(old->tags, now->tags) &&
           put_same_text(old->source, now->source) && old->expires_ms == now->expires_ms &&
           old->chunking == now->chunking && old->chunk_tokens == now->chunk_tokens &&
           old->chunk_overlap == now->chunk_overlap &&
           (now->created_ms == 0 || now->created_ms == old->created_ms);
}

/* How many chunks of a good record are whole, with a whole vector in `space`. */
static memo_status put_count_vectors(memo_sql *sql, const memo_row *record, int64_t space,
                                     int64_t *n, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT c.cid, c.rid, c.position, c.span_begin, c.span_end,"
                                  " c.n_tokens, c.checksum, v.ns, v.rid, v.checksum, v.vector"
                                  " FROM chunks c JOIN vectors v ON v.cid = c.cid"
                                  " AND v.space = ?2 WHERE c.rid = ?1",
                                  "read its vectors");
    memo_stmt_int(&st, record->rid);
    memo_stmt_int(&st, space);
    *n = 0;
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        int64_t ns = memo_stmt_col_int(&st, 7), rid = memo_stmt_col_int(&st, 8);
        const void *bytes = sqlite3_column_blob(st.s, 10);
        size_t n_bytes = (size_t)sqlite3_column_bytes(st.s, 10);
        memo_chunk_read(&st, &chunk);
        *n +=
            bytes && rid == record->rid && ns == record->ns && memo_chunk_good(&chunk, record) &&
            memo_vector_sum(chunk.cid, space, ns, rid, bytes, n_bytes) == memo_stmt_col_int(&st, 9);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status put_is_same(memo_sql *sql, const memo_store_put *put, const memo_row *old,
                               const memo_row *now, int *same, memo_err *err)
{
    int64_t n_vectors;
    memo_status status = MEMO_OK;
    *same = old->rid && memo_row_good(old) && put_same_row(old, now);
    if (*same && !put->keep_chunks) {
        status = put_count_vectors(sql, old, put->space, &n_vectors, err);
        *same = n_vectors == old->n_chunks;
    }
    return status;
}

static void put_fill_result(const memo_row *row, memo_outcome outcome, memo_add_result *result)
{
    memset(result, 0, sizeof *result);
    result->outcome = outcome;
    result->version = (uint64_t)row->version;
    result->n_chunks = (size_t)row->n_chunks;
    if (row->id.n_bytes < MEMO_ID_BYTES)
        memcpy(result->id, row->id.bytes, row->id.n_bytes);
}

memo_status memo_store_compare(memo_store *store, int64_t ns, const memo_store_put *put,
                               memo_add_result *result, memo_err *err)
{
    memo_arena arena = {0};
    memo_buf tags = {0};
    memo_row old, now;
    int same = 0;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    status = put_write_tags(put, &tags, err);
    if (!status)
        status = put_find(&store->sql, ns, put, &arena, &old, err);
    if (!status) {
        put_make_row(put, ns, &tags, &now);
        status = put_is_same(&store->sql, put, &old, &now, &same, err);
    }
    if (!status) {
        memset(result, 0, sizeof *result);
        result->outcome = old.rid ? MEMO_OUTCOME_CHANGED : MEMO_OUTCOME_NEW;
        if (same)
            put_fill_result(&old, MEMO_OUTCOME_UNCHANGED, result);
    }
    memo_buf_fini(&tags);
    memo_arena_fini(&arena);
    return status;
}

/* ---- taking away --------------------------------------------------------------------------- */

static memo_status put_delete_by(memo_store *store, const char *constant, int64_t rid,
                                 memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "remove a record");
    memo_stmt_int(&st, rid);
    return memo_stmt_run(&st, err);
}

/* Chunks, vectors and full-text rows of a record. When the words of a row are not known for sure
 * the whole index is made anew at the commit. */
static memo_status put_delete_chunks(memo_store *store, const memo_row *row, memo_err *err)
{
    int more, good = memo_row_good(row);
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        &store->sql, "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks WHERE rid = ?", "read its chunks");
    memo_stmt_int(&st, row->rid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        memo_chunk_read(&st, &chunk);
        if (good && memo_chunk_good(&chunk, row))
            status = memo_fulltext_delete(store, &chunk, row, err);
        else
            store->rebuild_fulltext = 1;
        if (status)
            break;
    }
    memo_stmt_done(&st);
    if (!status)
        status = put_delete_by(
            store, "DELETE FROM vectors WHERE cid IN (SELECT cid FROM chunks WHERE rid = ?)",
            row->rid, err);
    if (!status)
        status = put_delete_by(store, "DELETE FROM chunks WHERE rid = ?", row->rid, err);
    return status;
}

static memo_status put_bury(memo_store *store, const memo_row *row, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "INSERT INTO tombstones(seq, ns, id, key, deleted_ms)"
                                  " VALUES(?, ?, ?, ?, ?)",
                                  "write a tombstone");
    memo_stmt_int(&st, ++store->seq);
    memo_stmt_int(&st, row->ns);
    memo_stmt_text(&st, row->id.bytes, row->id.n_bytes);
    memo_stmt_text(&st, row->key.bytes, row->key.n_bytes);
    memo_stmt_int(&st, memo_now_ms(store->ctx));
    return memo_stmt_run(&st, err);
}

static memo_status put_forget_row(memo_store *store, const memo_row *row, memo_err *err)
{
    memo_status status = put_delete_chunks(store, row, err);
    if (!status)
        status = put_delete_by(store, "DELETE FROM versions WHERE rid = ?", row->rid, err);
    if (!status)
        status = put_delete_by(store, "DELETE FROM records WHERE rid = ?", row->rid, err);
    return status ? status : put_bury(store, row, err);
}

memo_status memo_store_forget(memo_store *store, int64_t ns, const char *id, int *found,
                              memo_err *err)
{
    memo_arena arena = {0};
    memo_row row;
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    status = put_find(&store->sql, ns, &(memo_store_put){.id = id}, &arena, &row, err);
    if (!status && !row.rid)
        status = put_find(&store->sql, ns, &(memo_store_put){.key = id}, &arena, &row, err);
    if (!status && row.rid)
        status = put_forget_row(store, &row, err);
    if (!status)
        *found = row.rid != 0;
    if (!status) /* what is there of it in quarantine is its text as well */
        status = memo_quarantine_forget(&store->sql, row.rid ? row.id.bytes : id, found, err);
    memo_arena_fini(&arena);
    return status;
}

/* The next record after `rid` that the scope lets through; row->rid 0 at the end. */
static memo_status put_next_match(memo_store *store, const memo_buf *text,
                                  const memo_store_scope *scope, int64_t rid, memo_arena *arena,
                                  memo_row *row, memo_err *err)
{
    memo_stmt st = memo_stmt_built(&store->sql, text, "find what to forget");
    memset(row, 0, sizeof *row);
    memo_scope_bind(&st, scope);
    st.next = 3;
    memo_stmt_int(&st, rid);
    return put_take_row(&st, arena, row, err);
}

/* Whether a damaged row really passes the filter cannot be known. */
static memo_status put_fail_unproven(const memo_row *row, memo_err *err)
{
    memo_fail(err, MEMO_ERR_CORRUPT,
              "record %s passes the filter, but its checksum does not match; nothing was forgotten",
              row->id.bytes ? row->id.bytes : "?");
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "memolith doctor --repair takes it out of service; memolith forget ID deletes "
                     "it");
}

memo_status memo_store_forget_where(memo_store *store, int64_t ns, const memo_filter *filter,
                                    uint64_t *n_forgotten, memo_err *err)
{
    memo_store_scope scope = {.ns = ns, .filter = filter};
    memo_buf text = {0};
    memo_row row = {0};
    uint64_t n = 0;
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    if (!filter)
        return memo_fail(err, MEMO_ERR_USAGE, "forgetting everything needs a filter that says so");
    /* By row id: the index by namespace would sort what is left once for each record. */
    memo_buf_puts(&text,
                  "SELECT " MEMO_ROW_COLUMNS " FROM records r NOT INDEXED WHERE r.rid > ?3 AND ");
    memo_scope_sql(&text, &scope);
    memo_buf_puts(&text, " ORDER BY r.rid LIMIT 1");
    do {
        memo_arena arena = {0};
        status = put_next_match(store, &text, &scope, row.rid, &arena, &row, err);
        if (!status && row.rid && !memo_row_good(&row))
            status = put_fail_unproven(&row, err);
        if (!status && row.rid) {
            status = put_forget_row(store, &row, err);
            n++;
        }
        memo_arena_fini(&arena);
    } while (!status && row.rid);
    memo_buf_fini(&text);
    if (!status)
        *n_forgotten = n;
    return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* One more than the largest row id a table ever had. */
static memo_status put_next_id(memo_store *store, const char *table, int64_t *id, memo_err *err)
{
    int row;
    int64_t last;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql, "SELECT seq FROM sqlite_sequence WHERE name = ?",
                                  "number a row");
    memo_stmt_str(&st, table);
    status = memo_stmt_step(&st, &row, err);
    last = !status && row ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    if (!status && (last < 0 || last == INT64_MAX))
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: row id %" PRId64 " in table %s", store->path,
                           last, table);
    if (!status)
        *id = last + 1;
    return status;
}

static memo_status put_write_row(memo_store *store, const memo_row *row, int exists, memo_err *err)
{
    memo_stmt st =
        exists ? memo_stmt_keep(&store->sql,
                                "UPDATE records SET (" MEMO_ROW_COLUMNS
                                ") = (?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                                " ?, ?, ?, ?) WHERE rid = ?1",
                                "write a record")
               : memo_stmt_keep(&store->sql,
                                "INSERT INTO records(" MEMO_ROW_COLUMNS
                                ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                                " ?, ?, ?, ?, ?)",
                                "write a record");
    memo_row_bind(&st, row);
    return memo_stmt_run(&st, err);
}

static memo_status put_write_vector(memo_store *store, const memo_chunk_row *chunk, int64_t ns,
                                    int64_t space, const float *vector, size_t dim, memo_err *err)
{
    size_t n_bytes = dim * sizeof *vector;
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "INSERT INTO vectors(cid, space, ns, rid, checksum, vector)"
                                  " VALUES(?, ?, ?, ?, ?, ?)",
                                  "write a vector");
    memo_stmt_int(&st, chunk->cid);
    memo_stmt_int(&st, space);
    memo_stmt_int(&st, ns);
    memo_stmt_int(&st, chunk->rid);
    memo_stmt_int(&st, memo_vector_sum(chunk->cid, space, ns, chunk->rid, vector, n_bytes));
    memo_stmt_blob(&st, vector, n_bytes);
    return memo_stmt_run(&st, err);
}

static memo_status put_write_chunk(memo_store *store, const memo_chunk_row *chunk, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(
        &store->sql, "INSERT INTO chunks(" MEMO_CHUNK_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?)",
        "write a chunk");
    memo_stmt_int(&st, chunk->cid);
    memo_stmt_int(&st, chunk->rid);
    memo_stmt_int(&st, chunk->position);
    memo_stmt_int(&st, chunk->begin);
    memo_stmt_int(&st, chunk->end);
    memo_stmt_int(&st, chunk->n_tokens);
    memo_stmt_int(&st, chunk->checksum);
    return memo_stmt_run(&st, err);
}

/* The last door before the disk: a vector without a direction has no cosine to any other. */
static memo_status put_check_vector(size_t chunk, const float *vector, size_t dim, memo_err *err)
{
    int has_length = 0;
    for (size_t i = 0; i < dim; i++) {
        if (!isfinite(vector[i]))
            return memo_fail(err, MEMO_ERR_VALUE,
                             "chunk %zu: component %zu of its vector is not finite", chunk, i);
        has_length |= vector[i] != 0;
    }
    return has_length
               ? MEMO_OK
               : memo_fail(err, MEMO_ERR_VALUE, "chunk %zu: its vector has no length", chunk);
}

static memo_status put_write_chunks(memo_store *store, const memo_store_put *put,
                                    const memo_row *row, size_t *n_tokens, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_space space;
    int64_t cid = 0;
    memo_status status = memo_store_get_space(store, put->space, &arena, &space, err);
    memo_arena_fini(&arena); /* only space.dim is used */
    if (!status)
        status = put_next_id(store, "chunks", &cid, err);
    for (size_t i = 0; !status && i < put->n_chunks; i++) {
        const memo_store_chunk *in = &put->chunks[i];
        memo_chunk_row chunk = {.cid = cid + (int64_t)i,
                                .rid = row->rid,
                                .position = (int64_t)i,
                                .begin = (int64_t)in->begin,
                                .end = (int64_t)in->end,
                                .n_tokens = (int64_t)in->n_tokens};
        chunk.checksum = memo_chunk_sum(&chunk);
        status = put_check_vector(i, in->vector, space.dim, err);
        if (!status)
            status = put_write_chunk(store, &chunk, err);
        if (!status)
            status =
                put_write_vector(store, &chunk, row->ns, put->space, in->vector, space.dim, err);
        if (!status)
            status = memo_fulltext_add(store, &chunk, row, err);
        *n_tokens += in->n_tokens;
    }
    return status;
}

/* Keep the old version, and carry over what a put does not set. Chunks alone make no version. */
static memo_status put_retire(memo_store *store, const memo_store_put *put, const memo_row *old,
                              memo_row *now, memo_err *err)
{
    memo_status status = MEMO_OK;
    if (!put->chunks_only)
        status = put_delete_by(store,
                               "INSERT INTO versions(" MEMO_ROW_COLUMNS ") SELECT " MEMO_ROW_COLUMNS
                               " FROM records WHERE rid = ?",
                               old->rid, err);
    if (!status && (old->version < 1 || old->version == INT64_MAX))
        return memo_fail(err, MEMO_ERR_CORRUPT, "record %s has version %" PRId64, old->id.bytes,
                         old->version);
    now->rid = old->rid;
    now->id = old->id;
    now->key = old->key;
    now->version = old->version + !put->chunks_only;
    now->trust = old->trust;
    now->pinned = old->pinned;
    now->tier = old->tier;
    now->parent = old->parent;
    if (!now->created_ms)
        now->created_ms = old->created_ms;
    if (put->keep_chunks)
        now->n_chunks = old->n_chunks;
    else if (!status)
        status = put_delete_chunks(store, old, err);
    return status;
}

static memo_status put_check_target(const memo_store_put *put, const memo_row *old, memo_err *err)
{
    if (!put->id)
        return MEMO_OK;
    if (!old->rid)
        return memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%s\"", put->id);
    if (!memo_row_good(old))
        return memo_fail(err, MEMO_ERR_CORRUPT, "record %s: its checksum does not match", put->id);
    if (put->expect_version && put->expect_version != (uint64_t)old->version)
        return memo_fail(err, MEMO_ERR_BUSY,
                         "record %s has version %" PRId64 " by now, not %" PRIu64
                         ": another writer changed it",
                         put->id, old->version, put->expect_version);
    if (put->key && (!old->key.bytes || strcmp(put->key, old->key.bytes) != 0))
        return memo_fail(err, MEMO_ERR_VALUE, "record %s: its key cannot be changed to \"%s\"",
                         put->id, put->key);
    if (put->keep_chunks && (put->text.n_bytes != old->text.n_bytes ||
                             memcmp(put->text.bytes, old->text.bytes, old->text.n_bytes) != 0 ||
                             strcmp(put->title ? put->title : "", old->title.bytes) != 0))
        return memo_fail(err, MEMO_ERR_USAGE, "record %s: its text changed, so must its chunks",
                         put->id);
    return MEMO_OK;
}

static memo_status put_apply(memo_store *store, const memo_store_put *put, memo_row *old,
                             memo_row *now, memo_add_result *result, memo_err *err)
{
    char id[MEMO_ID_BYTES];
    size_t n_tokens = 0;
    int64_t now_ms = memo_now_ms(store->ctx);
    memo_status status = MEMO_OK;
    if (old->rid && !memo_row_good(old)) { /* by key: the damaged record makes way for a new one */
        status = put_forget_row(store, old, err);
        old->rid = 0;
    }
    if (!status && old->rid) {
        status = put_retire(store, put, old, now, err);
    } else if (!status) {
        status = memo_ulid_make(store, now_ms, id, err);
        now->id = (memo_text){id, MEMO_ID_BYTES - 1};
        if (!status)
            status = put_next_id(store, "records", &now->rid, err);
        if (!now->created_ms)
            now->created_ms = now_ms;
    }
    now->updated_ms = put->chunks_only ? old->updated_ms : now_ms;
    now->seq = ++store->seq;
    now->checksum = memo_row_sum(now);
    if (!status)
        status = put_write_row(store, now, old->rid != 0, err);
    if (!status && !put->keep_chunks)
        status = put_write_chunks(store, put, now, &n_tokens, err);
    if (status)
        return status;
    put_fill_result(now, old->rid ? MEMO_OUTCOME_CHANGED : MEMO_OUTCOME_NEW, result);
    result->n_tokens = n_tokens;
    return MEMO_OK;
}

memo_status memo_store_put_record(memo_store *store, int64_t ns, const memo_store_put *put,
                                  memo_add_result *result, memo_err *err)
{
    memo_arena arena = {0};
    memo_buf tags = {0};
    memo_row old, now;
    int same = 0;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = put_check(put, err);
    if (status)
        return status;
    status = put_write_tags(put, &tags, err);
    if (!status)
        status = put_find(&store->sql, ns, put, &arena, &old, err);
    if (!status)
        status = put_check_target(put, &old, err);
    if (!status) {
        put_make_row(put, ns, &tags, &now);
        status = put_is_same(&store->sql, put, &old, &now, &same, err);
    }
    if (!status && same)
        put_fill_result(&old, MEMO_OUTCOME_UNCHANGED, result);
    else if (!status)
        status = put_apply(store, put, &old, &now, result, err);
    memo_buf_fini(&tags);
    memo_arena_fini(&arena);
    return status;
}
