// SPDX-License-Identifier: Apache-2.0
#include "store/rows/rows.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/rng.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stored vectors are little-endian and are used in place"
#endif

/* ---- checksums ----------------------------------------------------------------------------- */

static uint64_t rows_sum_ints(uint64_t h, const int64_t *v, size_t n)
{
    return memo_xxh64(v, n * sizeof *v, h);
}

static uint64_t rows_sum_text(uint64_t h, memo_text t)
{
    int64_t n = t.bytes ? (int64_t)t.n_bytes : -1;
    h = rows_sum_ints(h, &n, 1);
    return t.bytes ? memo_xxh64(t.bytes, t.n_bytes, h) : h;
}

int64_t memo_row_sum(const memo_row *row)
{
    const int64_t numbers[] = {
        row->rid,        row->ns,           row->version,       row->seq,
        row->created_ms, row->updated_ms,   row->expires_ms,    row->trust,
        row->pinned,     row->tier,         row->parent,        row->chunking,
        row->n_chunks,   row->chunk_tokens, row->chunk_overlap, row->content_hash,
    };
    uint64_t h = rows_sum_ints(0, numbers, sizeof numbers / sizeof *numbers);
    h = rows_sum_text(h, row->id);
    h = rows_sum_text(h, row->key);
    h = rows_sum_text(h, row->source);
    h = rows_sum_text(h, row->title);
    h = rows_sum_text(h, row->tags);
    h = rows_sum_text(h, row->metadata);
    h = rows_sum_text(h, row->text);
    return (int64_t)h;
}

int memo_row_good(const memo_row *row)
{
    return row->id.bytes && row->source.bytes && row->title.bytes && row->tags.bytes &&
           row->metadata.bytes && row->text.bytes && memo_row_sum(row) == row->checksum;
}

int64_t memo_chunk_sum(const memo_chunk_row *chunk)
{
    const int64_t numbers[] = {chunk->cid,   chunk->rid, chunk->position,
                               chunk->begin, chunk->end, chunk->n_tokens};
    return (int64_t)rows_sum_ints(0, numbers, sizeof numbers / sizeof *numbers);
}

int memo_chunk_good(const memo_chunk_row *chunk, const memo_row *row)
{
    return memo_chunk_sum(chunk) == chunk->checksum && chunk->rid == row->rid &&
           chunk->begin >= 0 && chunk->begin <= chunk->end &&
           (uint64_t)chunk->end <= row->text.n_bytes;
}

int64_t memo_vector_sum(int64_t cid, int64_t space, int64_t ns, int64_t rid, const void *bytes,
                        size_t n_bytes)
{
    const int64_t numbers[] = {cid, space, ns, rid};
    return (int64_t)memo_xxh64(bytes, n_bytes, rows_sum_ints(0, numbers, 4));
}

/* ---- records ------------------------------------------------------------------------------- */

void memo_row_read(const memo_stmt *st, memo_row *row)
{
    int c = 0;
    row->rid = memo_stmt_col_int(st, c++);
    row->ns = memo_stmt_col_int(st, c++);
    row->id = memo_stmt_col_text(st, c++);
    row->key = memo_stmt_col_text(st, c++);
    row->version = memo_stmt_col_int(st, c++);
    row->seq = memo_stmt_col_int(st, c++);
    row->created_ms = memo_stmt_col_int(st, c++);
    row->updated_ms = memo_stmt_col_int(st, c++);
    row->expires_ms = memo_stmt_col_int(st, c++);
    row->trust = memo_stmt_col_int(st, c++);
    row->pinned = memo_stmt_col_int(st, c++);
    row->tier = memo_stmt_col_int(st, c++);
    row->parent = memo_stmt_col_int(st, c++);
    row->chunking = memo_stmt_col_int(st, c++);
    row->chunk_tokens = memo_stmt_col_int(st, c++);
    row->chunk_overlap = memo_stmt_col_int(st, c++);
    row->n_chunks = memo_stmt_col_int(st, c++);
    row->content_hash = memo_stmt_col_int(st, c++);
    row->checksum = memo_stmt_col_int(st, c++);
    row->source = memo_stmt_col_text(st, c++);
    row->title = memo_stmt_col_text(st, c++);
    row->tags = memo_stmt_col_text(st, c++);
    row->metadata = memo_stmt_col_text(st, c++);
    row->text = memo_stmt_col_text(st, c++);
}

static void rows_bind_text(memo_stmt *st, memo_text t)
{
    memo_stmt_text(st, t.bytes, t.n_bytes);
}

void memo_row_bind(memo_stmt *st, const memo_row *row)
{
    memo_stmt_int(st, row->rid);
    memo_stmt_int(st, row->ns);
    rows_bind_text(st, row->id);
    rows_bind_text(st, row->key);
    memo_stmt_int(st, row->version);
    memo_stmt_int(st, row->seq);
    memo_stmt_int(st, row->created_ms);
    memo_stmt_int(st, row->updated_ms);
    memo_stmt_int(st, row->expires_ms);
    memo_stmt_int(st, row->trust);
    memo_stmt_int(st, row->pinned);
    memo_stmt_int(st, row->tier);
    memo_stmt_int(st, row->parent);
    memo_stmt_int(st, row->chunking);
    memo_stmt_int(st, row->chunk_tokens);
    memo_stmt_int(st, row->chunk_overlap);
    memo_stmt_int(st, row->n_chunks);
    memo_stmt_int(st, row->content_hash);
    memo_stmt_int(st, row->checksum);
    rows_bind_text(st, row->source);
    rows_bind_text(st, row->title);
    rows_bind_text(st, row->tags);
    rows_bind_text(st, row->metadata);
    rows_bind_text(st, row->text);
}

int memo_row_copy(memo_arena *arena, memo_row *row)
{
    memo_text *const texts[] = {&row->id,   &row->key,      &row->source, &row->title,
                                &row->tags, &row->metadata, &row->text};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i]->bytes)
            continue;
        texts[i]->bytes = memo_arena_strndup(arena, texts[i]->bytes, texts[i]->n_bytes);
        if (!texts[i]->bytes)
            return 0;
    }
    return 1;
}

void memo_chunk_read(const memo_stmt *st, memo_chunk_row *chunk)
{
    chunk->cid = memo_stmt_col_int(st, 0);
    chunk->rid = memo_stmt_col_int(st, 1);
    chunk->position = memo_stmt_col_int(st, 2);
    chunk->begin = memo_stmt_col_int(st, 3);
    chunk->end = memo_stmt_col_int(st, 4);
    chunk->n_tokens = memo_stmt_col_int(st, 5);
    chunk->checksum = memo_stmt_col_int(st, 6);
}

int64_t memo_size_to_column(size_t n)
{
    return n > INT64_MAX ? -1 : (int64_t)n;
}

size_t memo_size_from_column(int64_t v)
{
    return v < 0 ? SIZE_MAX : (size_t)v;
}

void memo_tags_write(memo_buf *out, const char *const *tags, size_t n_tags)
{
    memo_buf_putc(out, '[');
    for (size_t i = 0; i < n_tags; i++) {
        if (i)
            memo_buf_putc(out, ',');
        memo_buf_put_json(out, tags[i], strlen(tags[i]));
    }
    memo_buf_putc(out, ']');
}

static memo_status rows_read_tags(memo_text json, memo_arena *arena, memo_record *out,
                                  memo_err *err)
{
    json_t *array = NULL;
    const char **tags;
    size_t n;
    memo_status status;
    if (json.n_bytes <= 2)
        return MEMO_OK;
    status =
        memo_json_parse(json.bytes, json.n_bytes, &memo_json_request_limits, "tags", &array, err);
    if (status)
        return status;
    n = json_array_size(array);
    for (size_t i = 0; !status && i < n; i++)
        if (!json_is_string(json_array_get(array, i)))
            status = memo_fail(err, MEMO_ERR_CORRUPT, "record %s: a tag is not a string", out->id);
    if (status)
        goto done;
    tags = memo_arena_array(arena, n ? n : 1, sizeof *tags);
    for (size_t i = 0; tags && i < n; i++) {
        const json_t *tag = json_array_get(array, i);
        tags[i] = memo_arena_strndup(arena, json_string_value(tag), json_string_length(tag));
        if (!tags[i])
            tags = NULL;
    }
    if (!tags)
        status = memo_fail_nomem(err, "tags", json.n_bytes);
    out->tags = tags;
    out->n_tags = tags ? n : 0;
done:
    json_decref(array);
    return status;
}

memo_status memo_row_publish(const memo_row *row, const char *ns, int with_text, memo_arena *arena,
                             memo_record *out, memo_err *err)
{
    memo_row copy = *row;
    if (!with_text)
        copy.text = (memo_text){NULL, 0};
    memset(out, 0, sizeof *out);
    if (!memo_row_copy(arena, &copy) || !(out->ns = memo_arena_strdup(arena, ns)))
        return memo_fail_nomem(err, "a record", row->text.n_bytes);
    out->id = copy.id.bytes;
    out->key = copy.key.bytes;
    out->text = copy.text;
    out->title = copy.title.bytes;
    out->metadata_json = copy.metadata.bytes;
    out->created_ms = copy.created_ms;
    out->updated_ms = copy.updated_ms;
    out->expires_ms = copy.expires_ms;
    out->source = copy.source.bytes;
    out->version = (uint64_t)copy.version;
    out->trust = (int)copy.trust;
    out->pinned = (int)copy.pinned;
    out->tier = (int)copy.tier;
    out->n_chunks = (size_t)copy.n_chunks;
    return rows_read_tags(copy.tags, arena, out, err);
}

/* ---- ids ----------------------------------------------------------------------------------- */

/* Add one to the random part; a carry out of it (2^80 ids in a millisecond) wraps. */
static void rows_ulid_next(unsigned char tail[10])
{
    for (int i = 9; i >= 0; i--)
        if (++tail[i])
            return;
}

memo_status memo_ulid_make(memo_store *store, int64_t now_ms, char out[MEMO_ID_BYTES],
                           memo_err *err)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned char bytes[16];
    uint64_t ms = (uint64_t)now_ms & 0xffffffffffff;
    unsigned bits = 0, held = 2; /* 128 bits in 26 digits: two zero bits come first */
    if (now_ms == store->ulid_ms) {
        rows_ulid_next(store->ulid_tail);
    } else {
        memo_status status = memo_random_bytes(store->ulid_tail, sizeof store->ulid_tail, err);
        if (status)
            return status;
        store->ulid_ms = now_ms;
    }
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    memcpy(bytes + 6, store->ulid_tail, sizeof store->ulid_tail);
    for (int i = 0, n = 0; i < 16; i++) {
        bits = (bits << 8 | bytes[i]) & 0xfff;
        held += 8;
        while (held >= 5) {
            held -= 5;
            out[n++] = digits[bits >> held & 31];
        }
    }
    out[MEMO_ID_BYTES - 1] = '\0';
    return MEMO_OK;
}
