// SPDX-License-Identifier: Apache-2.0
#include "store/rows/cells.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

/* ---- tables -------------------------------------------------------------------------------- */

#define CELLS_COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const cells_record_names[] = {
    "rid",        "ns",         "id",           "key",           "version",  "seq",
    "created_ms", "updated_ms", "expires_ms",   "trust",         "pinned",   "tier",
    "parent",     "chunking",   "chunk_tokens", "chunk_overlap", "n_chunks", "content_hash",
    "checksum",   "source",     "title",        "tags",          "metadata", "text"};
static const char *const cells_chunk_names[] = {"cid",      "rid",      "position", "span_begin",
                                                "span_end", "n_tokens", "checksum"};
static const char *const cells_vector_names[] = {"vid", "cid",      "space", "ns",
                                                 "rid", "checksum", "vector"};
static const char *const cells_namespace_names[] = {"id", "name", "space", "created_ms"};
static const char *const cells_space_names[] = {"id",  "fingerprint", "name",      "model_path",
                                                "dim", "kind",        "created_ms"};
static const char *const cells_quarantine_names[] = {"qid",    "area",     "row",    "id",
                                                     "reason", "moved_ms", "content"};

#define CELLS_TABLE(what, table, text, list)                                                       \
    {                                                                                              \
        .area = (what), .name = (table), .columns = (text), .names = (list),                       \
        .n_columns = CELLS_COUNT(list)                                                             \
    }

const memo_table memo_table_records =
    CELLS_TABLE("record", "records", MEMO_ROW_COLUMNS, cells_record_names);
const memo_table memo_table_versions =
    CELLS_TABLE("version", "versions", MEMO_ROW_COLUMNS, cells_record_names);
const memo_table memo_table_chunks =
    CELLS_TABLE("chunk", "chunks", MEMO_CHUNK_COLUMNS, cells_chunk_names);
const memo_table memo_table_vectors = CELLS_TABLE(
    "vector", "vectors", "vid, cid, space, ns, rid, checksum, vector", cells_vector_names);
const memo_table memo_table_namespaces =
    CELLS_TABLE("namespace", "namespaces", "id, name, space, created_ms", cells_namespace_names);
const memo_table memo_table_spaces =
    CELLS_TABLE("space", "spaces", "id, fingerprint, name, model_path, dim, kind, created_ms",
                cells_space_names);
const memo_table memo_table_quarantine =
    CELLS_TABLE("quarantine", "quarantine", "qid, area, row, id, reason, moved_ms, content",
                cells_quarantine_names);

static const char *const cells_positions[] = {
    "c0",  "c1",  "c2",  "c3",  "c4",  "c5",  "c6",  "c7",  "c8",  "c9",  "c10", "c11",
    "c12", "c13", "c14", "c15", "c16", "c17", "c18", "c19", "c20", "c21", "c22", "c23"};
const memo_table memo_table_unknown = CELLS_TABLE("unknown", "", "", cells_positions);

/* ---- in ------------------------------------------------------------------------------------ */

static memo_text cells_text(const void *bytes, size_t n)
{
    return (memo_text){bytes ? bytes : "", n};
}

void memo_cells_take(const memo_stmt *st, memo_cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int c = (int)i;
        cells[i] = (memo_cell){MEMO_CELL_NULL, 0, 0, {NULL, 0}};
        switch (sqlite3_column_type(st->s, c)) {
        case SQLITE_INTEGER:
            cells[i].kind = MEMO_CELL_INT;
            cells[i].integer = sqlite3_column_int64(st->s, c);
            break;
        case SQLITE_FLOAT:
            cells[i].kind = MEMO_CELL_REAL;
            cells[i].real = sqlite3_column_double(st->s, c);
            break;
        case SQLITE_TEXT:
        case SQLITE_BLOB: {
            const void *bytes = sqlite3_column_blob(st->s, c); /* a text's bytes as they are */
            cells[i].kind =
                sqlite3_column_type(st->s, c) == SQLITE_TEXT ? MEMO_CELL_TEXT : MEMO_CELL_BLOB;
            cells[i].bytes = cells_text(bytes, (size_t)sqlite3_column_bytes(st->s, c));
            break;
        }
        default:
            break;
        }
    }
}

size_t memo_cells_varint(const unsigned char *p, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 9 && i < n; i++) {
        if (i == 8) {
            *value = v << 8 | p[i];
            return 9;
        }
        v = v << 7 | (p[i] & 0x7f);
        if (!(p[i] & 0x80)) {
            *value = v;
            return i + 1;
        }
    }
    return 0;
}

/* Bytes that a value of this serial type takes. */
static uint64_t cells_type_bytes(uint64_t type)
{
    static const unsigned char fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < sizeof fixed ? fixed[type] : (type - 12) / 2;
}

static int64_t cells_int(const unsigned char *p, size_t n)
{
    uint64_t v = n && (p[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static int cells_decode_value(const unsigned char *p, uint64_t type, size_t n, memo_cell *cell)
{
    *cell = (memo_cell){MEMO_CELL_NULL, 0, 0, {NULL, 0}};
    if (type == 0)
        return 1;
    if (type >= 12) {
        cell->kind = type % 2 ? MEMO_CELL_TEXT : MEMO_CELL_BLOB;
        cell->bytes = cells_text(p, n);
        return 1;
    }
    if (type == 7) {
        int64_t bits = cells_int(p, n);
        cell->kind = MEMO_CELL_REAL;
        memcpy(&cell->real, &bits, sizeof bits);
        return 1;
    }
    cell->kind = MEMO_CELL_INT;
    cell->integer = type == 8 ? 0 : type == 9 ? 1 : cells_int(p, n);
    return type < 10; /* 10 and 11 are reserved */
}

size_t memo_cells_decode(const unsigned char *payload, size_t n_bytes, memo_cell *cells, size_t max)
{
    uint64_t header, type;
    size_t at = memo_cells_varint(payload, n_bytes, &header), body, n = 0;
    if (!at || header > n_bytes || header < at)
        return 0;
    body = (size_t)header;
    while (at < header) {
        size_t used = memo_cells_varint(payload + at, (size_t)header - at, &type);
        uint64_t length = used ? cells_type_bytes(type) : 0;
        if (!used || n == max || length > n_bytes - body ||
            !cells_decode_value(payload + body, type, (size_t)length, &cells[n]))
            return 0;
        at += used;
        body += (size_t)length;
        n++;
    }
    return body == n_bytes ? n : 0;
}

int memo_cells_fit(const unsigned char *payload, size_t n_here, uint64_t n_bytes)
{
    uint64_t header, type, body;
    size_t at = memo_cells_varint(payload, n_here, &header);
    if (!at || header < at || header > n_bytes)
        return 0;
    if (header > n_here)
        return 1;
    for (body = header; at < header && body <= n_bytes; body += cells_type_bytes(type)) {
        size_t used = memo_cells_varint(payload + at, (size_t)header - at, &type);
        if (!used)
            return 0;
        at += used;
    }
    return at == header && body == n_bytes;
}

/* ---- as our structs ------------------------------------------------------------------------ */

void memo_cells_to_row(const memo_cell *cells, memo_row *row)
{
    int64_t *const numbers[] = {&row->rid,
                                &row->ns,
                                NULL,
                                NULL,
                                &row->version,
                                &row->seq,
                                &row->created_ms,
                                &row->updated_ms,
                                &row->expires_ms,
                                &row->trust,
                                &row->pinned,
                                &row->tier,
                                &row->parent,
                                &row->chunking,
                                &row->chunk_tokens,
                                &row->chunk_overlap,
                                &row->n_chunks,
                                &row->content_hash,
                                &row->checksum};
    memo_text *const texts[] = {&row->source, &row->title, &row->tags, &row->metadata, &row->text};
    memset(row, 0, sizeof *row);
    for (size_t i = 0; i < CELLS_COUNT(numbers); i++)
        if (numbers[i])
            *numbers[i] = cells[i].kind == MEMO_CELL_INT ? cells[i].integer : 0;
    if (cells[2].kind == MEMO_CELL_TEXT)
        row->id = cells[2].bytes;
    if (cells[3].kind == MEMO_CELL_TEXT)
        row->key = cells[3].bytes;
    for (size_t i = 0; i < CELLS_COUNT(texts); i++)
        if (cells[19 + i].kind == MEMO_CELL_TEXT)
            *texts[i] = cells[19 + i].bytes;
}

void memo_cells_to_chunk(const memo_cell *cells, memo_chunk_row *chunk)
{
    chunk->cid = cells[0].integer;
    chunk->rid = cells[1].integer;
    chunk->position = cells[2].integer;
    chunk->begin = cells[3].integer;
    chunk->end = cells[4].integer;
    chunk->n_tokens = cells[5].integer;
    chunk->checksum = cells[6].integer;
}

/* ---- out ----------------------------------------------------------------------------------- */

void memo_cells_bind(memo_stmt *st, const memo_cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        switch (cells[i].kind) {
        case MEMO_CELL_INT:
            memo_stmt_int(st, cells[i].integer);
            break;
        case MEMO_CELL_REAL:
            memo_stmt_double(st, cells[i].real);
            break;
        case MEMO_CELL_TEXT:
            memo_stmt_text(st, cells[i].bytes.bytes, cells[i].bytes.n_bytes);
            break;
        case MEMO_CELL_BLOB:
            memo_stmt_blob(st, cells[i].bytes.bytes, cells[i].bytes.n_bytes);
            break;
        default:
            memo_stmt_text(st, NULL, 0);
        }
}

static void cells_put_hex(memo_buf *out, memo_text bytes)
{
    static const char digits[] = "0123456789abcdef";
    memo_buf_puts(out, "{\"hex\":\"");
    for (size_t i = 0; i < bytes.n_bytes; i++) {
        unsigned char b = (unsigned char)bytes.bytes[i];
        memo_buf_putc(out, digits[b >> 4]);
        memo_buf_putc(out, digits[b & 15]);
    }
    memo_buf_puts(out, "\"}");
}

void memo_cells_put_json(memo_buf *out, const memo_table *table, const memo_cell *cells)
{
    memo_buf_putc(out, '{');
    for (size_t i = 0; i < table->n_columns; i++) {
        const memo_cell *c = &cells[i];
        memo_buf_printf(out, "%s\"%s\":", i ? "," : "", table->names[i]);
        if (c->kind == MEMO_CELL_INT)
            memo_buf_printf(out, "%" PRId64, c->integer);
        else if (c->kind == MEMO_CELL_TEXT &&
                 memo_utf8_check(c->bytes.bytes, c->bytes.n_bytes) == c->bytes.n_bytes)
            memo_buf_put_json(out, c->bytes.bytes, c->bytes.n_bytes);
        else if (c->kind == MEMO_CELL_TEXT || c->kind == MEMO_CELL_BLOB)
            cells_put_hex(out, c->bytes);
        else if (c->kind == MEMO_CELL_REAL)
            cells_put_hex(out, (memo_text){(const char *)&c->real, sizeof c->real});
        else
            memo_buf_puts(out, "null");
    }
    memo_buf_putc(out, '}');
}
