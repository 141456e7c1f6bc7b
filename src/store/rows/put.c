// SPDX-License-Identifier: Apache-2.0
/* Writing records: check, compare with what is there, keep the old version, replace what is derived
 * from it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/floats.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "store/events/event_rows.h"
#include "store/rows/cells.h"
#include "store/rows/fulltext.h"
#include "store/rows/numbers.h"
#include "store/rows/sketches.h"
#include "store/rows/vectors.h"
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
static memo_status put_write_tags(const char *const *tags, size_t n_tags, memo_buf *out,
                                  memo_err *err)
{
    memo_tags_write(out, tags, n_tags);
    if (out->failed)
        return memo_fail_nomem(err, "tags", n_tags);
    if (out->n > PUT_MAX_TAGS)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "the %zu tags have %zu bytes as JSON; at most %d are allowed", n_tags,
                         out->n, PUT_MAX_TAGS);
    return MEMO_OK;
}

memo_status memo_store_check_tags(const char *const *tags, size_t n_tags, memo_err *err)
{
    memo_buf written = {0};
    memo_status status = n_tags ? put_write_tags(tags, n_tags, &written, err) : MEMO_OK;
    memo_buf_fini(&written);
    return status;
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

/* Find the record that this put is about. row->rid 0: there is none. Texts are in the arena. */
static memo_status put_find(memo_sql *sql, int64_t ns, const memo_store_put *put, memo_arena *arena,
                            memo_row *row, memo_err *err)
{
    memset(row, 0, sizeof *row);
    if (!put->id && !put->key)
        return MEMO_OK;
    if (put->id)
        return memo_row_find_id(sql, ns, put->id, arena, row, err);
    memo_status status = memo_row_find_key(sql, ns, put->key, arena, row, err);
    if (!status && !row->rid && put->key_or_id)
        status = memo_row_find_id(sql, ns, put->key, arena, row, err);
    return status;
}

/* The row id of the record that a put names beside its own. */
static memo_status put_find_other(memo_sql *sql, int64_t ns, const char *what, const char *name,
                                  int64_t self, int64_t *rid, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT rid FROM records WHERE ns = ?1 AND (id = ?2 OR key = ?2)"
                                  " ORDER BY id = ?2 DESC LIMIT 1",
                                  "find a record");
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, name);
    status = memo_stmt_step(&st, &more, err);
    *rid = !status && more ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    if (!status && !*rid)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no record \"%.600s\"", what, name);
    if (!status && *rid == self)
        status = memo_fail(err, MEMO_ERR_VALUE, "%s: a record cannot name itself", what);
    return status;
}

/* What a put says only in part: marks, parent, and *superseded, 0: none. Of a damaged record nothing
 * is carried over. */
static memo_status put_carry(memo_sql *sql, const memo_store_put *put, const memo_row *old,
                             memo_row *now, int64_t *superseded, memo_err *err)
{
    int known = old->rid && memo_row_good(old);
    int64_t parent = 0;
    memo_err why = {0};
    memo_status status = MEMO_OK;
    now->trust = put->trust ? *put->trust : known ? old->trust : 0;
    now->pinned = put->pinned ? *put->pinned : known ? old->pinned : 0;
    now->tier = put->tier ? *put->tier : known ? old->tier : 2;
    now->parent = put->parent && !*put->parent ? 0 : known ? old->parent : 0;
    *superseded = 0;
    if (put->parent && *put->parent)
        status = put_find_other(sql, now->ns, "parent", put->parent, old->rid, &parent, &why);
    if (!status && parent)
        now->parent = parent;
    if (status == MEMO_ERR_NOTFOUND && put->kept) /* it may not have come along, or comes later */
        status = MEMO_OK;
    if (!status && put->supersedes)
        status =
            put_find_other(sql, now->ns, "supersedes", put->supersedes, old->rid, superseded, &why);
    if (status == MEMO_ERR_NOTFOUND && put->kept)
        status = MEMO_OK;
    if (status && err)
        *err = why;
    return status;
}

static memo_status put_is_linked(memo_sql *sql, int64_t rid, int64_t other, int *linked,
                                 memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT 1 FROM links WHERE rid = ? AND other = ? AND kind = ?", "read its links");
    memo_stmt_int(&st, rid);
    memo_stmt_int(&st, other);
    memo_stmt_int(&st, MEMO_LINK_SUPERSEDES);
    status = memo_stmt_step(&st, linked, err);
    memo_stmt_done(&st);
    return status;
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
           old->trust == now->trust && old->pinned == now->pinned && old->tier == now->tier &&
           old->parent == now->parent && old->chunking == now->chunking &&
           old->chunk_tokens == now->chunk_tokens && old->chunk_overlap == now->chunk_overlap &&
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

static memo_status put_find_dim(memo_store *store, int64_t id, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_space space;
    memo_status status;
    if (store->dim_space == id)
        return MEMO_OK;
    status = memo_store_get_space(store, id, &arena, &space, err);
    memo_arena_fini(&arena); /* only space.dim is used */
    if (!status) {
        store->dim_space = id;
        store->dim = space.dim;
    }
    return status;
}

/* Whether a good record has the caller's spans and vectors: as many as are whole have been counted,
 * but rows that are not may stand between them. */
static memo_status put_same_chunks(memo_store *store, const memo_store_put *put,
                                   const memo_row *record, int *same, memo_err *err)
{
    int more = 0;
    size_t i = 0, n_bytes;
    memo_status status = put_find_dim(store, put->space, err);
    memo_stmt st;
    *same = put->n_chunks == (size_t)record->n_chunks;
    if (status || !*same)
        return status;
    n_bytes = store->dim * sizeof(float);
    st = memo_stmt_keep(&store->sql,
                        "SELECT c.span_begin, c.span_end, v.vector FROM chunks c"
                        " JOIN vectors v ON v.cid = c.cid AND v.space = ?2"
                        " WHERE c.rid = ?1 ORDER BY c.position",
                        "read its vectors");
    memo_stmt_int(&st, record->rid);
    memo_stmt_int(&st, put->space);
    while (*same && !(status = memo_stmt_step(&st, &more, err)) && more) {
        const memo_store_chunk *c = &put->chunks[i];
        const void *bytes = sqlite3_column_blob(st.s, 2);
        *same = i++ < put->n_chunks && (size_t)sqlite3_column_bytes(st.s, 2) == n_bytes &&
                memo_stmt_col_int(&st, 0) == (int64_t)c->begin &&
                memo_stmt_col_int(&st, 1) == (int64_t)c->end &&
                memcmp(bytes, c->vector, n_bytes) == 0;
    }
    *same = *same && i == put->n_chunks;
    memo_stmt_done(&st);
    return status;
}

/* *now becomes the whole row that the put asks for, but for what a write decides. */
static memo_status put_is_same(memo_store *store, const memo_store_put *put, const memo_row *old,
                               memo_row *now, int64_t *superseded, int *same, memo_err *err)
{
    memo_sql *sql = &store->sql;
    int64_t n_vectors;
    memo_status status = put_carry(sql, put, old, now, superseded, err);
    memo_row_keep_unsaid(put, old, now);
    if (!status)
        status = memo_row_was_said(sql, put, old, now, same, err);
    if (status || *same)
        return status;
    *same = !status && old->rid && memo_row_good(old) && put_same_row(old, now);
    if (*same && *superseded)
        status = put_is_linked(sql, old->rid, *superseded, same, err);
    if (!status && *same && !put->keep_chunks) {
        status = put_count_vectors(sql, old, put->space, &n_vectors, err);
        *same = n_vectors == old->n_chunks;
    }
    if (!status && *same && put->own_vectors)
        status = put_same_chunks(store, put, old, same, err);
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
    int64_t superseded = 0;
    int same = 0;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    status = put_write_tags(put->tags, put->n_tags, &tags, err);
    if (!status)
        status = put_find(&store->sql, ns, put, &arena, &old, err);
    if (!status) {
        put_make_row(put, ns, &tags, &now);
        status = put_is_same(store, put, &old, &now, &superseded, &same, err);
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

/* ---- writing ------------------------------------------------------------------------------- */

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
    if (memo_floats_have_direction(vector, dim))
        return MEMO_OK;
    for (size_t i = 0; i < dim; i++)
        if (!isfinite(vector[i]))
            return memo_fail(err, MEMO_ERR_VALUE,
                             "chunk %zu: component %zu of its vector is not finite", chunk, i);
    return memo_fail(err, MEMO_ERR_VALUE, "chunk %zu: its vector has no length", chunk);
}

static memo_status put_write_chunks(memo_store *store, const memo_store_put *put,
                                    const memo_row *row, size_t *n_tokens, memo_err *err)
{
    int64_t cid = 0;
    memo_status status = put->space ? put_find_dim(store, put->space, err) : MEMO_OK;
    if (!status)
        status = memo_numbers_take(store, MEMO_NUMBERED_CHUNKS, put->n_chunks, &cid, err);
    for (size_t i = 0; !status && i < put->n_chunks; i++) {
        const memo_store_chunk *in = &put->chunks[i];
        memo_chunk_row chunk = {.cid = cid + (int64_t)i,
                                .rid = row->rid,
                                .position = (int64_t)i,
                                .begin = (int64_t)in->begin,
                                .end = (int64_t)in->end,
                                .n_tokens = (int64_t)in->n_tokens};
        chunk.checksum = memo_chunk_sum(&chunk);
        if (in->vector)
            status = put_check_vector(i, in->vector, store->dim, err);
        if (!status)
            status = put_write_chunk(store, &chunk, err);
        if (!status && in->vector)
            status = memo_vector_put(store, chunk.cid, put->space, row->ns, chunk.rid, in->vector,
                                     store->dim, err);
        if (!status)
            status = memo_fulltext_add(store, &chunk, row, err);
        *n_tokens += in->n_tokens;
    }
    return status;
}

static memo_status put_keep_version(memo_store *store, int64_t rid, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "INSERT INTO versions(" MEMO_ROW_COLUMNS
                                  ") SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                                  "keep a version");
    memo_stmt_int(&st, rid);
    return memo_stmt_run(&st, err);
}

/* Keep the old version, and carry over what a put does not set. Chunks alone make no version. */
static memo_status put_retire(memo_store *store, const memo_store_put *put, const memo_row *old,
                              memo_row *now, memo_err *err)
{
    memo_status status = MEMO_OK;
    if (!put->chunks_only)
        status = put_keep_version(store, old->rid, err);
    if (!status && (old->version < 1 || old->version == INT64_MAX))
        return memo_fail(err, MEMO_ERR_CORRUPT, "record %s has version %" PRId64, old->id.bytes,
                         old->version);
    now->rid = old->rid;
    now->id = old->id;
    now->key = old->key;
    now->version = old->version + !put->chunks_only;
    if (!now->created_ms)
        now->created_ms = old->created_ms;
    if (put->keep_chunks)
        now->n_chunks = old->n_chunks;
    else if (!status)
        status = memo_row_delete_chunks(store, old, err);
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

/* 26 letters of Crockford's base 32 that are not above 128 bits. */
static int put_is_ulid(const char *id)
{
    return id && strlen(id) == MEMO_ID_BYTES - 1 && id[0] <= '7' &&
           strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == MEMO_ID_BYTES - 1;
}

memo_status memo_store_id_is_free(memo_store *store, const char *table, const char *id,
                                  int *is_free, memo_err *err)
{
    memo_buf text = {0};
    memo_status status;
    memo_stmt st;
    int taken = 0;
    *is_free = 0;
    if (!put_is_ulid(id))
        return MEMO_OK;
    memo_buf_printf(&text, "SELECT 1 FROM %s WHERE id = ?", table);
    st = memo_stmt_built(&store->sql, &text, "look for an id");
    memo_stmt_str(&st, id);
    status = memo_stmt_step(&st, &taken, err);
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    *is_free = !status && !taken;
    return status;
}

/* Id, row id and creation time of a new record. */
static memo_status put_identify(memo_store *store, const memo_store_put *put, int64_t now_ms,
                                memo_row *now, char id[MEMO_ID_BYTES], memo_err *err)
{
    const memo_store_kept *kept = put->kept;
    int keeps = 0;
    memo_status status =
        kept ? memo_store_id_is_free(store, "records", kept->id, &keeps, err) : MEMO_OK;
    if (!status && keeps) {
        memcpy(id, kept->id, MEMO_ID_BYTES);
        if (kept->version > 0 && kept->version < INT64_MAX)
            now->version = (int64_t)kept->version;
        if (kept->no_key)
            now->key = (memo_text){NULL, 0};
    } else if (!status) {
        status = memo_ulid_make(store, now_ms, id, err);
    }
    now->id = (memo_text){id, MEMO_ID_BYTES - 1};
    if (!status)
        status = memo_numbers_take(store, MEMO_NUMBERED_RECORDS, 1, &now->rid, err);
    if (!now->created_ms)
        now->created_ms = put->born_ms && put->born_ms < now_ms ? put->born_ms : now_ms;
    return status;
}

/* Of a new text: its sketch, or that it waits for one. */
static memo_status put_sketch(memo_store *store, const memo_store_put *put, const memo_row *old,
                              const memo_row *now, memo_err *err)
{
    int new_text = !old->rid || !put_same_text(old->text, now->text);
    memo_status status = MEMO_OK;
    if (put->written)
        *put->written = (memo_store_written){now->rid, (int)now->trust, new_text};
    if (new_text && old->rid)
        status = memo_related_unlike(store, now->rid, err);
    if (!status && new_text)
        status = memo_sketch_put(&store->sql, now->rid, put->sketch, put->n_sketch, err);
    return status;
}

static memo_status put_apply(memo_store *store, const memo_store_put *put, memo_row *old,
                             memo_row *now, memo_add_result *result, memo_err *err)
{
    char id[MEMO_ID_BYTES];
    size_t n_tokens = 0;
    int64_t now_ms = memo_now_ms(store->ctx);
    memo_status status = MEMO_OK;
    if (old->rid && !memo_row_good(old)) { /* by key: the damaged record makes way for a new one */
        status = memo_actions_release(store, old->rid, err);
        if (!status)
            status = memo_row_forget(store, old, 0, err);
        old->rid = 0;
    }
    if (!status && old->rid) {
        status = put_retire(store, put, old, now, err);
    } else if (!status) {
        status = put_identify(store, put, now_ms, now, id, err);
    }
    now->updated_ms = put->chunks_only                                      ? old->updated_ms
                      : !old->rid && put->kept && put->kept->updated_ms > 0 ? put->kept->updated_ms
                                                                            : now_ms;
    now->seq = ++store->seq;
    now->checksum = memo_row_sum(now);
    if (!status)
        status = put_write_row(store, now, old->rid != 0, err);
    if (!status && old->rid)
        status = memo_row_underive(&store->sql, old, err);
    if (!status)
        status = put->tags ? memo_row_derive_tags(&store->sql, now, put->tags, put->n_tags, err)
                           : memo_row_derive(&store->sql, now, err);
    if (!status)
        status = put_sketch(store, put, old, now, err);
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
    int64_t superseded = 0;
    int same = 0;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = put_check(put, err);
    if (status)
        return status;
    status = put_write_tags(put->tags, put->n_tags, &tags, err);
    if (!status)
        status = put_find(&store->sql, ns, put, &arena, &old, err);
    if (!status)
        status = put_check_target(put, &old, err);
    if (!status) {
        put_make_row(put, ns, &tags, &now);
        status = put_is_same(store, put, &old, &now, &superseded, &same, err);
    }
    if (!status && same)
        put_fill_result(&old, MEMO_OUTCOME_UNCHANGED, result);
    else if (!status)
        status = put_apply(store, put, &old, &now, result, err);
    if (!status && !same && superseded)
        status = memo_store_link(store, now.rid, superseded, MEMO_LINK_SUPERSEDES, 1, err);
    memo_buf_fini(&tags);
    memo_arena_fini(&arena);
    return status;
}

/* ---- of the past --------------------------------------------------------------------------- */

memo_status memo_row_bring_back(memo_store *store, const memo_row *now, memo_row *then,
                                const memo_store_put *chunks, memo_err *err)
{
    size_t n_tokens = 0;
    memo_status status = chunks ? memo_row_delete_chunks(store, now, err) : MEMO_OK;
    then->n_chunks = chunks ? (int64_t)chunks->n_chunks : now->n_chunks;
    then->checksum = memo_row_sum(then);
    if (!status)
        status = put_write_row(store, then, 1, err);
    if (!status)
        status = memo_row_underive(&store->sql, now, err);
    if (!status)
        status = memo_row_derive(&store->sql, then, err);
    return status || !chunks ? status : put_write_chunks(store, chunks, then, &n_tokens, err);
}

/* ---- earlier versions ---------------------------------------------------------------------- */

static memo_status put_has_version(memo_sql *sql, int64_t rid, int64_t version, int *has,
                                   memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "SELECT 1 FROM versions WHERE rid = ? AND version = ?",
                                  "find a version");
    memo_stmt_int(&st, rid);
    memo_stmt_int(&st, version);
    status = memo_stmt_step(&st, has, err);
    memo_stmt_done(&st);
    return status;
}

static memo_status put_write_version(memo_store *store, const memo_row *row, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&store->sql,
                       "INSERT INTO versions(" MEMO_ROW_COLUMNS
                       ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                       " ?, ?, ?, ?, ?)",
                       "write a version");
    memo_row_bind(&st, row);
    return memo_stmt_run(&st, err);
}

/* The row of an earlier version of the record `now`. */
static memo_status put_make_version(memo_store *store, const memo_store_put *put,
                                    const memo_row *now, const memo_buf *tags, memo_row *row,
                                    memo_err *err)
{
    memo_status status = MEMO_OK;
    put_make_row(put, now->ns, tags, row);
    row->rid = now->rid;
    row->id = now->id;
    row->key = now->key;
    row->version = (int64_t)put->kept->version;
    row->updated_ms = put->kept->updated_ms;
    row->n_chunks = memo_size_to_column(put->kept->n_chunks);
    row->trust = put->trust ? *put->trust : 0;
    row->pinned = put->pinned ? *put->pinned : 0;
    row->tier = put->tier ? *put->tier : 2;
    row->seq = store->seq; /* no change that a feed tells, so no number of its own */
    if (put->parent)
        status = put_find_other(&store->sql, now->ns, "parent", put->parent, now->rid, &row->parent,
                                NULL);
    row->checksum = memo_row_sum(row);
    return status == MEMO_ERR_NOTFOUND || status == MEMO_ERR_VALUE ? MEMO_OK
           : status ? memo_fail(err, status, "the parent of a version cannot be read")
                    : MEMO_OK;
}

memo_status memo_store_put_version(memo_store *store, int64_t ns, const memo_store_put *put,
                                   int *added, memo_err *err)
{
    memo_arena arena = {0};
    memo_buf tags = {0};
    memo_row now, row;
    int has = 0;
    memo_status status = memo_store_check_write(store, err);
    *added = 0;
    if (!status)
        status = put_check(put, err);
    if (status)
        return status;
    status = put_write_tags(put->tags, put->n_tags, &tags, err);
    if (!status)
        status = put_find(&store->sql, ns, put, &arena, &now, err);
    if (!status && !now.rid)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%s\"", put->id);
    if (!status && !memo_row_good(&now))
        status =
            memo_fail(err, MEMO_ERR_CORRUPT, "record %s: its checksum does not match", put->id);
    if (!status && put->kept->version > 0 && put->kept->version < (uint64_t)now.version)
        status = put_has_version(&store->sql, now.rid, (int64_t)put->kept->version, &has, err);
    else
        has = 1;
    if (!status && !has)
        status = put_make_version(store, put, &now, &tags, &row, err);
    if (!status && !has)
        status = put_write_version(store, &row, err);
    *added = !status && !has;
    memo_buf_fini(&tags);
    memo_arena_fini(&arena);
    return status;
}
