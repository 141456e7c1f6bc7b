// SPDX-License-Identifier: Apache-2.0
/* Writer of safetensors files: one pass over the data, the header last.
 *
 * The layout (where each tensor begins, how long the header is) is fixed when the writer is made,
 * so data goes straight to its place. The header is written twice: first without metadata, padded
 * with spaces to its full length, and at the end with it, over the first.
 *
 * Data is handed to the system in large aligned pieces: Linux keeps what came in one piece in one
 * large folio of its page cache, and maps such a file in a third of the time (11 MB: 0.1 ms instead
 * of 1). */
#include "format/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/utf8.h"

/* Text of the header that no pair of the metadata accounts for: "__metadata__":{}, */
#define ST_METADATA_FRAME 20

#define ST_PIECE_BYTES ((size_t)256 << 10)

/* One declared tensor; begin and end count from the start of the data section. */
typedef struct st_item {
    memo_st_spec spec; /* name and shape in the arena */
    uint64_t begin, end;
} st_item;

typedef struct st_pair {
    char *key, *value; /* memo_free() */
} st_pair;

struct memo_st_writer {
    memo_replace *out;
    memo_arena arena;
    st_item *items; /* [n_items], arena */
    size_t n_items, current;
    uint64_t at; /* bytes of data appended */
    char *piece; /* [ST_PIECE_BYTES] data that is not in the file yet */
    size_t n_piece;
    st_pair *pairs;
    size_t n_pairs;
    size_t header_bytes; /* N of the format */
};

/* -- layout ----------------------------------------------------------------------------------- */

static int st_compare_spec(const void *a, const void *b)
{
    const memo_st_spec *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static memo_status st_check_specs(const memo_st_spec *specs, size_t n, memo_err *err)
{
    size_t pad = strlen(MEMO_SAFETENSORS_PAD_PREFIX);

    if (n > MEMO_SAFETENSORS_MAX_TENSORS / 2) /* each may need a padding tensor before it */
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu tensors to write, allowed %u", n,
                         MEMO_SAFETENSORS_MAX_TENSORS / 2);
    for (size_t i = 0; i < n; i++) {
        const char *name = specs[i].name;
        if (memo_utf8_check(name, strlen(name)) != strlen(name) ||
            strcmp(name, "__metadata__") == 0 ||
            strncmp(name, MEMO_SAFETENSORS_PAD_PREFIX, pad) == 0)
            return memo_fail(err, MEMO_ERR_USAGE, "tensor %zu: its name is reserved or not UTF-8",
                             i);
        if ((unsigned)specs[i].dtype >= MEMO_DTYPE_COUNT ||
            specs[i].n_dims > MEMO_SAFETENSORS_MAX_DIMS)
            return memo_fail(err, MEMO_ERR_USAGE, "tensor '%s': dtype %d with %zu dimensions", name,
                             (int)specs[i].dtype, specs[i].n_dims);
    }
    const memo_st_spec **sorted = memo_calloc(n + 1, sizeof *sorted);
    if (!sorted)
        return memo_fail_nomem(err, "tensor names", (n + 1) * sizeof *sorted);
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &specs[i];
    qsort(sorted, n, sizeof *sorted, st_compare_spec);
    for (size_t i = 1; i < n && !status; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            status = memo_fail(err, MEMO_ERR_USAGE, "two tensors to write are named '%s'",
                               sorted[i]->name);
    memo_free(sorted);
    return status;
}

/* Copy the specs and give each its place. */
static memo_status st_lay_out(memo_st_writer *writer, const memo_st_spec *specs, memo_err *err)
{
    uint64_t end = 0;

    writer->items = memo_arena_array(&writer->arena, writer->n_items, sizeof *writer->items);
    if (!writer->items && writer->n_items)
        return memo_fail_nomem(err, "tensor list", writer->n_items * sizeof *writer->items);
    for (size_t i = 0; i < writer->n_items; i++) {
        st_item *item = &writer->items[i];
        uint64_t bits = memo_dtype_bits(specs[i].dtype);
        uint64_t *shape = memo_arena_array(&writer->arena, specs[i].n_dims + 1, sizeof *shape);
        item->spec = specs[i];
        item->spec.name = memo_arena_strdup(&writer->arena, specs[i].name);
        item->spec.shape = shape;
        if (!shape || !item->spec.name)
            return memo_fail_nomem(err, "tensor list", specs[i].n_dims * sizeof *shape);
        int fits = end <= INT64_MAX / 2;
        for (size_t d = 0; d < specs[i].n_dims; d++) {
            shape[d] = specs[i].shape[d];
            fits = fits && memo_mul_u64(bits, shape[d], &bits);
        }
        if (!fits || bits % 8 || bits / 8 > INT64_MAX / 2)
            return memo_fail(err, MEMO_ERR_USAGE, "tensor '%s': its size is no number of bytes",
                             item->spec.name);
        item->begin =
            (end + MEMO_SAFETENSORS_ALIGN - 1) / MEMO_SAFETENSORS_ALIGN * MEMO_SAFETENSORS_ALIGN;
        item->end = end = item->begin + bits / 8;
    }
    return MEMO_OK;
}

/* -- header ----------------------------------------------------------------------------------- */

static void st_put_tensor(memo_buf *text, const memo_st_spec *spec, uint64_t begin, uint64_t end)
{
    memo_buf_put_json(text, spec->name, strlen(spec->name));
    memo_buf_printf(text, ":{\"dtype\":\"%s\",\"shape\":[", memo_dtype_name(spec->dtype));
    for (size_t d = 0; d < spec->n_dims; d++)
        memo_buf_printf(text, "%s%" PRIu64, d ? "," : "", spec->shape[d]);
    memo_buf_printf(text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end);
}

static void st_put_metadata(memo_buf *text, const memo_st_writer *writer)
{
    memo_buf_puts(text, "\"__metadata__\":{");
    for (size_t i = 0; i < writer->n_pairs; i++) {
        if (i)
            memo_buf_putc(text, ',');
        memo_buf_put_json(text, writer->pairs[i].key, strlen(writer->pairs[i].key));
        memo_buf_putc(text, ':');
        memo_buf_put_json(text, writer->pairs[i].value, strlen(writer->pairs[i].value));
    }
    memo_buf_putc(text, '}');
}

/* The header's JSON, with the metadata known so far and without the trailing spaces. */
static void st_put_header(memo_buf *text, const memo_st_writer *writer)
{
    const char *comma = "";
    uint64_t end = 0;

    memo_buf_putc(text, '{');
    if (writer->n_pairs) {
        st_put_metadata(text, writer);
        comma = ",";
    }
    for (size_t i = 0; i < writer->n_items; i++) {
        const st_item *item = &writer->items[i];
        if (item->begin > end) {
            char name[64];
            uint64_t n_bytes = item->begin - end;
            memo_st_spec pad = {name, MEMO_DTYPE_U8, 1, &n_bytes};
            snprintf(name, sizeof name, "%s%zu", MEMO_SAFETENSORS_PAD_PREFIX, i);
            memo_buf_puts(text, comma);
            st_put_tensor(text, &pad, end, item->begin);
            comma = ",";
        }
        memo_buf_puts(text, comma);
        st_put_tensor(text, &item->spec, item->begin, item->end);
        comma = ",";
        end = item->end;
    }
    memo_buf_putc(text, '}');
}

/* Length and JSON, padded to header_bytes (which is fixed by the first call, with `room` to
 * spare), as it lies at the start of the file. The caller releases `text`. */
static memo_status st_build_header(memo_st_writer *writer, size_t room, memo_buf *text,
                                   memo_err *err)
{
    memo_buf_append(text, "\0\0\0\0\0\0\0\0", 8);
    st_put_header(text, writer);
    if (text->failed)
        return memo_fail_nomem(err, "safetensors header", text->n);
    if (!writer->header_bytes) {
        if (!memo_add_size(text->n, room, &room) || room > MEMO_SAFETENSORS_MAX_HEADER)
            return memo_fail(err, MEMO_ERR_LIMIT, "safetensors header above %u bytes",
                             MEMO_SAFETENSORS_MAX_HEADER);
        writer->header_bytes = memo_round_up(room, MEMO_SAFETENSORS_ALIGN) - 8;
    }
    if (text->n > 8 + writer->header_bytes)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "safetensors header needs %zu bytes, %zu were kept for it", text->n - 8,
                         writer->header_bytes);
    char *rest = memo_buf_reserve(text, 8 + writer->header_bytes - text->n);
    if (!rest)
        return memo_fail_nomem(err, "safetensors header", writer->header_bytes);
    memset(rest, ' ', 8 + writer->header_bytes - text->n);
    for (int i = 0; i < 8; i++)
        text->data[i] = (char)((uint64_t)writer->header_bytes >> 8 * i & 0xFF);
    return MEMO_OK;
}

/* -- the writer ------------------------------------------------------------------------------- */

memo_status memo_st_writer_new(memo_replace *out, const memo_st_spec *specs, size_t n_specs,
                               size_t metadata_bytes, memo_st_writer **writer_out, memo_err *err)
{
    memo_buf text = {0};
    memo_st_writer *writer;
    memo_status status = st_check_specs(specs, n_specs, err);

    if (status)
        return status;
    writer = memo_calloc(1, sizeof *writer);
    if (!writer)
        return memo_fail_nomem(err, "safetensors writer", sizeof *writer);
    writer->out = out;
    writer->n_items = n_specs;
    writer->piece = memo_malloc(ST_PIECE_BYTES);
    status = writer->piece ? st_lay_out(writer, specs, err)
                           : memo_fail_nomem(err, "a piece of a file", ST_PIECE_BYTES);
    if (!status && !memo_add_size(metadata_bytes, ST_METADATA_FRAME, &metadata_bytes))
        status = memo_fail(err, MEMO_ERR_LIMIT, "room for metadata overflows");
    if (!status)
        status = st_build_header(writer, metadata_bytes, &text, err);
    if (!status)
        status = memo_replace_append(out, text.data, 8 + writer->header_bytes, err);
    memo_buf_fini(&text);
    if (status) {
        memo_st_writer_free(writer);
        return status;
    }
    *writer_out = writer;
    return MEMO_OK;
}

memo_status memo_st_writer_flush(memo_st_writer *writer, memo_err *err)
{
    memo_status status = memo_replace_append(writer->out, writer->piece, writer->n_piece, err);

    if (!status)
        writer->n_piece = 0;
    return status;
}

/* The next bytes of the data; pieces end at multiples of their length in the file. */
static memo_status st_put(memo_st_writer *writer, const char *bytes, size_t n_bytes, memo_err *err)
{
    while (n_bytes) {
        size_t room = ST_PIECE_BYTES - (size_t)(writer->out->n_bytes % ST_PIECE_BYTES);
        size_t n = room - writer->n_piece < n_bytes ? room - writer->n_piece : n_bytes;
        memcpy(writer->piece + writer->n_piece, bytes, n);
        writer->n_piece += n;
        writer->at += n;
        bytes += n;
        n_bytes -= n;
        if (writer->n_piece == room) {
            memo_status status = memo_st_writer_flush(writer, err);
            if (status)
                return status;
        }
    }
    return MEMO_OK;
}

/* Zero bytes up to offset `to` of the data. */
static memo_status st_pad_to(memo_st_writer *writer, uint64_t to, memo_err *err)
{
    static const char zeros[MEMO_SAFETENSORS_ALIGN];

    return st_put(writer, zeros, (size_t)(to - writer->at), err);
}

/* Close the tensors before `spec` and stand at its begin; spec n_items: the end of the data. */
static memo_status st_advance(memo_st_writer *writer, size_t spec, memo_err *err)
{
    while (writer->current < spec) {
        const st_item *item = &writer->items[writer->current];
        memo_status status = writer->at < item->begin ? st_pad_to(writer, item->begin, err) : 0;
        if (status)
            return status;
        if (writer->at != item->end)
            return memo_fail(err, MEMO_ERR_USAGE,
                             "tensor '%s': %" PRIu64 " bytes written, its shape needs %" PRIu64,
                             item->spec.name, writer->at - item->begin, item->end - item->begin);
        writer->current++;
    }
    if (spec < writer->n_items && writer->at < writer->items[spec].begin)
        return st_pad_to(writer, writer->items[spec].begin, err);
    return MEMO_OK;
}

memo_status memo_st_writer_append(memo_st_writer *writer, size_t spec, const void *bytes,
                                  size_t n_bytes, memo_err *err)
{
    if (spec >= writer->n_items || spec < writer->current)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "data of tensor %zu cannot be written: %zu tensors, at tensor %zu", spec,
                         writer->n_items, writer->current);
    memo_status status = st_advance(writer, spec, err);
    if (status)
        return status;
    const st_item *item = &writer->items[spec];
    if (n_bytes > item->end - writer->at)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "tensor '%s': %zu bytes more, but its shape leaves %" PRIu64,
                         item->spec.name, n_bytes, item->end - writer->at);
    return st_put(writer, bytes, n_bytes, err);
}

memo_status memo_st_writer_set(memo_st_writer *writer, const char *key, const char *value,
                               memo_err *err)
{
    char *copy = memo_strdup(value);

    if (!copy)
        return memo_fail_nomem(err, "metadata value", strlen(value));
    for (size_t i = 0; i < writer->n_pairs; i++) {
        if (strcmp(writer->pairs[i].key, key) == 0) {
            memo_free(writer->pairs[i].value);
            writer->pairs[i].value = copy;
            return MEMO_OK;
        }
    }
    st_pair *pairs = memo_reallocarray(writer->pairs, writer->n_pairs + 1, sizeof *writer->pairs);
    if (pairs)
        writer->pairs = pairs;
    char *key_copy = pairs ? memo_strdup(key) : NULL;
    if (!key_copy) {
        memo_free(copy);
        return memo_fail_nomem(err, "metadata", strlen(key));
    }
    pairs[writer->n_pairs++] = (st_pair){key_copy, copy};
    return MEMO_OK;
}

memo_status memo_st_writer_finish(memo_st_writer *writer, memo_err *err)
{
    memo_buf text = {0};
    memo_status status = st_advance(writer, writer->n_items, err);

    if (!status)
        status = memo_st_writer_flush(writer, err);
    if (!status)
        status = st_build_header(writer, 0, &text, err);
    if (!status)
        status = memo_replace_write_at(writer->out, 0, text.data, 8 + writer->header_bytes, err);
    memo_buf_fini(&text);
    return status;
}

void memo_st_writer_free(memo_st_writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < writer->n_pairs; i++) {
        memo_free(writer->pairs[i].key);
        memo_free(writer->pairs[i].value);
    }
    memo_free(writer->pairs);
    memo_free(writer->piece);
    memo_arena_fini(&writer->arena);
    memo_free(writer);
}

uint64_t memo_st_writer_offset(const memo_st_writer *writer, size_t spec)
{
    return 8 + (uint64_t)writer->header_bytes + writer->items[spec].begin;
}
