// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/csv.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"

void memo_csv_fini(memo_csv *csv)
{
    for (size_t i = 0; i < csv->n; i++)
        memo_free(csv->names[i]);
    memo_free(csv->names);
    memo_buf_fini(&csv->row);
    csv->names = NULL;
    csv->n = 0;
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Whether an odd number of quotes stands in the bytes: the last one then is open. */
static int csv_is_odd(memo_text line)
{
    int odd = 0;
    for (size_t i = 0; i < line.n_bytes; i++)
        odd ^= line.bytes[i] == '"';
    return odd;
}

static int csv_is_blank(memo_text line)
{
    return line.n_bytes == 0 || (line.n_bytes == 1 && line.bytes[0] == '\r');
}

/* Read on to the end of the row's open quote. What is beyond the limit is dropped, *too_long set: the lines
 * of a cell are never rows. */
static memo_status csv_close_quote(memo_csv *csv, int *too_long, int *more, memo_err *err)
{
    int is_open = 1;

    while (is_open) {
        memo_text line = {NULL, 0};
        memo_status status = memo_lines_raw(csv->lines, &line, more, err);
        if (status == MEMO_ERR_LIMIT && !csv->lines->broken) {
            *too_long = 1;
            is_open ^= csv->lines->is_odd;
            continue;
        }
        if (status)
            return status;
        if (!*more) {
            *more = 1; /* the row itself; the call after says that nothing follows */
            if (*too_long)
                return MEMO_OK; /* said by the caller */
            return memo_fail(err, MEMO_ERR_FORMAT, "a quote is opened and never closed");
        }
        *too_long |= csv->row.n + line.n_bytes > MEMO_LINES_MAX_BYTES;
        if (!*too_long) {
            memo_buf_putc(&csv->row, '\n');
            memo_buf_append(&csv->row, line.bytes, line.n_bytes);
        }
        is_open ^= csv_is_odd(line);
    }
    return MEMO_OK;
}

memo_status memo_csv_next(memo_csv *csv, int *more, memo_err *err)
{
    memo_text line = {NULL, 0};
    int too_long;
    memo_status status;

    memo_buf_clear(&csv->row);
    do {
        status = memo_lines_raw(csv->lines, &line, more, err);
        csv->number = csv->lines->number;
        too_long = status == MEMO_ERR_LIMIT && !csv->lines->broken;
        if ((status && !too_long) || !*more)
            return status;
    } while (!too_long && csv_is_blank(line));
    status = MEMO_OK;
    if (!too_long)
        memo_buf_append(&csv->row, line.bytes, line.n_bytes);
    if (too_long ? csv->lines->is_odd : csv_is_odd(line))
        status = csv_close_quote(csv, &too_long, more, err);
    if (status)
        return status;
    if (too_long)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "the row has more than the %zu bytes that are allowed: is a quote not "
                         "closed?",
                         MEMO_LINES_MAX_BYTES);
    if (csv->row.failed)
        return memo_fail_nomem(err, "row of a file", csv->row.n);
    if (csv->row.n && csv->row.data[csv->row.n - 1] == '\r')
        csv->row.data[--csv->row.n] = 0;
    return MEMO_OK;
}

/* Take the field at *at, its quotes removed; *at goes behind its separator, or to SIZE_MAX behind the
 * last field. */
static memo_status csv_field(const memo_csv *csv, size_t *at, memo_buf *field, memo_err *err)
{
    const char *s = csv->row.data;
    size_t i = *at, n = csv->row.n;

    memo_buf_clear(field);
    memo_buf_append(field, "", 0);
    if (i < n && s[i] == '"') {
        for (i++; i < n && !(s[i] == '"' && (i + 1 == n || s[i + 1] != '"')); i++) {
            memo_buf_putc(field, s[i]);
            i += s[i] == '"';
        }
        i++; /* the closing quote: there is one, quotes are even */
        if (i < n && s[i] != csv->separator)
            return memo_fail(err, MEMO_ERR_FORMAT,
                             "after a closing quote comes more than a separator");
    } else {
        size_t begin = i;
        while (i < n && s[i] != csv->separator && s[i] != '"')
            i++;
        if (i < n && s[i] == '"')
            return memo_fail(err, MEMO_ERR_FORMAT,
                             "a quote within a field that does not begin with one");
        memo_buf_append(field, s + begin, i - begin);
    }
    *at = i < n ? i + 1 : SIZE_MAX;
    return field->failed ? memo_fail_nomem(err, "field of a row", n) : MEMO_OK;
}

/* ---- the header ---------------------------------------------------------------------------- */

/* The first of the separators that stands outside quotes. */
static char csv_separator(const memo_buf *row)
{
    int quoted = 0;
    for (size_t i = 0; i < row->n; i++) {
        quoted ^= row->data[i] == '"';
        if (!quoted && row->data[i] && strchr(",;\t", row->data[i]))
            return row->data[i];
    }
    return ',';
}

static memo_status csv_add_name(memo_csv *csv, memo_buf *field, memo_err *err)
{
    if (csv->n == MEMO_CSV_MAX_FIELDS)
        return memo_fail(err, MEMO_ERR_LIMIT, "the header has more than %d fields",
                         MEMO_CSV_MAX_FIELDS);
    if (strlen(field->data) != field->n || memo_utf8_check(field->data, field->n) != field->n)
        return memo_fail(err, MEMO_ERR_FORMAT, "the header's field %zu is not text", csv->n + 1);
    for (size_t i = 0; i < csv->n; i++)
        if (field->n && strcmp(csv->names[i], field->data) == 0)
            return memo_fail(err, MEMO_ERR_FORMAT, "the header names \"%.100s\" twice",
                             field->data);
    csv->names[csv->n] = memo_buf_take(field);
    if (!csv->names[csv->n])
        return memo_fail_nomem(err, "header of a file", 0);
    csv->n++;
    return MEMO_OK;
}

static int csv_has_name(const memo_csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->n; i++)
        if (strcmp(csv->names[i], name) == 0)
            return 1;
    return 0;
}

memo_status memo_csv_open(memo_csv *csv, memo_lines *lines, const memo_import_options *options,
                          memo_err *err)
{
    const char *text = options->text_field ? options->text_field : "text";
    memo_buf field = {0};
    size_t at = 0;
    int more = 0;
    memo_status status;

    *csv = (memo_csv){.lines = lines};
    status = memo_csv_next(csv, &more, err);
    if (status == MEMO_OK && !more)
        status = memo_fail(err, MEMO_ERR_FORMAT, "there is no header that names the fields");
    csv->names = memo_calloc(MEMO_CSV_MAX_FIELDS, sizeof *csv->names);
    if (status == MEMO_OK && !csv->names)
        status = memo_fail_nomem(err, "header of a file", MEMO_CSV_MAX_FIELDS);
    if (status == MEMO_OK)
        csv->separator = csv_separator(&csv->row);
    while (status == MEMO_OK && at != SIZE_MAX) {
        status = csv_field(csv, &at, &field, err);
        if (status == MEMO_OK)
            status = csv_add_name(csv, &field, err);
    }
    if (status == MEMO_OK && !csv_has_name(csv, text))
        status = memo_hint(
            err,
            memo_fail(err, MEMO_ERR_FORMAT, "the header names no field \"%s\" with the text", text),
            "--text-field NAME if another column has it, or --skip-bad to name and leave out what "
            "is bad");
    memo_buf_fini(&field);
    return status;
}

/* ---- objects ------------------------------------------------------------------------------- */

/* A cell as a number, true or false where it reads as one, else a string; NULL without memory. */
static json_t *csv_value(const char *s, size_t n)
{
    json_t *box = NULL, *value = NULL;
    memo_buf wrapped = {0};
    memo_status status;

    memo_buf_printf(&wrapped, "[%s]", s);
    status = wrapped.failed
                 ? MEMO_ERR_NOMEM
                 : memo_json_parse(wrapped.data, wrapped.n, &memo_json_line_limits, "", &box, NULL);
    if (status == MEMO_OK && strlen(s) == n) {
        json_t *only = json_array_size(box) == 1 ? json_array_get(box, 0) : NULL;
        if (json_is_number(only) || json_is_boolean(only))
            value = json_incref(only);
    }
    json_decref(box);
    memo_buf_fini(&wrapped);
    return value || status == MEMO_ERR_NOMEM ? value : json_stringn(s, n);
}

static json_t *csv_tags(const char *s)
{
    json_t *tags = json_array();

    while (tags && *s) {
        size_t n = strcspn(s, ",;"), begin = 0, end = n;
        while (begin < end && s[begin] == ' ')
            begin++;
        while (end > begin && s[end - 1] == ' ')
            end--;
        if (end > begin && json_array_append_new(tags, json_stringn(s + begin, end - begin))) {
            json_decref(tags);
            return NULL;
        }
        s += n + (s[n] != 0);
    }
    return tags;
}

static int csv_is_name(const char *name, const char *field, const char *otherwise)
{
    return strcmp(name, field ? field : otherwise) == 0;
}

/* A cell that is an object of JSON; what is none is refused where the record is made. 0 when out of memory. */
static int csv_put_metadata(json_t *object, const char *name, const memo_buf *cell)
{
    json_t *value = NULL, *named = json_object_get(object, name);

    if (memo_json_parse(cell->data, cell->n, &memo_json_line_limits, "", &value, NULL) ==
        MEMO_ERR_NOMEM)
        return 0;
    if (!json_is_object(value)) {
        json_decref(value);
        value = json_stringn(cell->data, cell->n);
    } else if (named && json_object_update_missing(value, named)) {
        json_decref(value);
        return 0;
    }
    return json_object_set_new(object, name, value) == 0;
}

/* Put one cell into the object, as its field wants it. 0 when out of memory. */
static int csv_put(json_t *object, const char *name, const memo_buf *cell,
                   const memo_import_options *o)
{
    const char *prefix = o->metadata_field ? o->metadata_field : "metadata";
    size_t n_prefix = strlen(prefix);

    if (!*name || (cell->n == 0 && !csv_is_name(name, o->text_field, "text")))
        return 1;
    if (strncmp(name, prefix, n_prefix) == 0 && name[n_prefix] == '.' && name[n_prefix + 1]) {
        json_t *metadata = json_object_get(object, prefix);
        if (!metadata && json_object_set_new(object, prefix, metadata = json_object()))
            return 0;
        if (!json_is_object(metadata)) /* refused in any case */
            return 1;
        return json_object_set_new(metadata, name + n_prefix + 1, csv_value(cell->data, cell->n)) ==
               0;
    }
    if (strcmp(name, prefix) == 0)
        return csv_put_metadata(object, name, cell);
    if (csv_is_name(name, o->tags_field, "tags") && strlen(cell->data) == cell->n)
        return json_object_set_new(object, name, csv_tags(cell->data)) == 0;
    if (csv_is_name(name, o->created_field, "created") &&
        strspn(cell->data, "0123456789") == cell->n)
        return json_object_set_new(object, name, csv_value(cell->data, cell->n)) == 0;
    return json_object_set_new(object, name, json_stringn(cell->data, cell->n)) == 0;
}

memo_status memo_csv_object(const memo_csv *csv, const memo_import_options *options, json_t **out,
                            memo_err *err)
{
    size_t at = 0, n = 0, bad = memo_utf8_check(csv->row.data, csv->row.n);
    memo_buf cell = {0};
    memo_status status = MEMO_OK;
    json_t *object;

    if (bad < csv->row.n)
        return memo_fail(err, MEMO_ERR_FORMAT, "the row is not UTF-8 at byte %zu", bad);
    object = json_object();
    if (!object)
        return memo_fail_nomem(err, "row of a file", csv->row.n);
    for (; status == MEMO_OK && at != SIZE_MAX; n++) {
        status = csv_field(csv, &at, &cell, err);
        if (status == MEMO_OK && n < csv->n && !csv_put(object, csv->names[n], &cell, options))
            status = memo_fail_nomem(err, "row of a file", csv->row.n);
    }
    if (status == MEMO_OK && n != csv->n)
        status =
            memo_fail(err, MEMO_ERR_FORMAT, "the row has %zu fields, the header %zu", n, csv->n);
    memo_buf_fini(&cell);
    if (status)
        json_decref(object);
    else
        *out = object;
    return status;
}
