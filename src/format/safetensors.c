// SPDX-License-Identifier: Apache-2.0
/* Reader of safetensors headers.
 *
 * The JSON of a header has one fixed form, three levels deep, so it is read by a scanner that knows
 * that form alone: no tree, no recursion, nothing to exhaust. One pass appends tensors, dimensions
 * and metadata to flat arrays, strings go unescaped into one pool (never longer than the header).
 * Then extents and names are sorted once: the first proves that the data is tiled, the second that
 * no name is there twice, and serves look-ups. */
#include "format/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/utf8.h"

static const struct {
    const char *name;
    unsigned bits;
} dtype_table[] = {
#define MEMO_DTYPE_ROW(name, bits) {#name, bits},
    MEMO_DTYPE_MAP(MEMO_DTYPE_ROW)
#undef MEMO_DTYPE_ROW
};

const char *memo_dtype_name(memo_dtype dtype)
{
    return (unsigned)dtype < MEMO_DTYPE_COUNT ? dtype_table[dtype].name : "?";
}

unsigned memo_dtype_bits(memo_dtype dtype)
{
    return (unsigned)dtype < MEMO_DTYPE_COUNT ? dtype_table[dtype].bits : 0;
}

/* The object callers see, with what owns its memory. */
typedef struct st_object {
    memo_safetensors base; /* first: a memo_safetensors * is an st_object * */
    memo_st_tensor *tensors;
    const memo_st_tensor **by_name; /* [n_tensors] */
    memo_st_metadata *metadata;
    const memo_st_metadata **by_key; /* [n_metadata] */
    uint64_t *dims;                  /* all shapes, one after the other */
    char *pool;                      /* all strings */
} st_object;

/* State of one parse. `at` is an offset into the header; messages add 8 for the file's. */
typedef struct st_scan {
    const char *text;
    size_t n, at;
    const char *what;
    const char *name; /* of the tensor being read, for messages; NULL outside one */
    st_object *st;
    size_t pool_used, tensor_cap, metadata_cap, n_dims, dims_cap;
    int metadata_seen;
    memo_err *err;
} st_scan;

/* Bytes of a name shown in a message: enough to know it, never cut inside a character. */
static int st_shown(const char *name)
{
    return (int)memo_utf8_floor(name, strlen(name), 200);
}

static memo_status st_fail(const st_scan *scan, const char *problem)
{
    if (scan->name)
        return memo_fail(scan->err, MEMO_ERR_FORMAT, "%s: tensor '%.*s': %s, at byte %zu",
                         scan->what, st_shown(scan->name), scan->name, problem, scan->at + 8);
    return memo_fail(scan->err, MEMO_ERR_FORMAT, "%s: header: %s, at byte %zu", scan->what, problem,
                     scan->at + 8);
}

/* -- tokens of JSON --------------------------------------------------------------------------- */

static void st_skip_space(st_scan *scan)
{
    while (scan->at < scan->n && strchr(" \t\r\n", scan->text[scan->at]) && scan->text[scan->at])
        scan->at++;
}

/* Consume `c` (after white space) if it is next. */
static int st_take(st_scan *scan, char c)
{
    st_skip_space(scan);
    if (scan->at >= scan->n || scan->text[scan->at] != c)
        return 0;
    scan->at++;
    return 1;
}

static memo_status st_expect(st_scan *scan, char c, const char *problem)
{
    return st_take(scan, c) ? MEMO_OK : st_fail(scan, problem);
}

/* Four hex digits at `at`, or -1. */
static long st_hex4(const st_scan *scan, size_t at)
{
    long value = 0;

    if (scan->n - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = scan->text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The character of an escape whose backslash was consumed. */
static memo_status st_unescape(st_scan *scan, uint32_t *cp)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple;

    if (scan->at >= scan->n)
        return st_fail(scan, "string without an end");
    char c = scan->text[scan->at++];
    if (c && (simple = strchr(from, c)) != NULL) {
        *cp = (unsigned char)to[simple - from];
        return MEMO_OK;
    }
    long high = c == 'u' ? st_hex4(scan, scan->at) : -1;
    if (high < 0)
        return st_fail(scan, "bad escape in a string");
    if (high == 0)
        return st_fail(scan, "NUL in a string is not allowed");
    scan->at += 4;
    *cp = (uint32_t)high;
    if (high < 0xD800 || high > 0xDFFF)
        return MEMO_OK;
    if (high > 0xDBFF || scan->n - scan->at < 6 || scan->text[scan->at] != '\\' ||
        scan->text[scan->at + 1] != 'u')
        return st_fail(scan, "lone surrogate in a string");
    long low = st_hex4(scan, scan->at + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return st_fail(scan, "lone surrogate in a string");
    scan->at += 6;
    *cp = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return MEMO_OK;
}

/* A string, unescaped into the pool and NUL-terminated. The pool has the header's size plus one,
 * and every string is shorter than its text with two quotes, so there is always room. */
static memo_status st_string(st_scan *scan, const char *problem, const char **out)
{
    char *start = scan->st->pool + scan->pool_used, *to = start;

    if (!st_take(scan, '"'))
        return st_fail(scan, problem);
    for (;;) {
        if (scan->at >= scan->n)
            return st_fail(scan, "string without an end");
        char c = scan->text[scan->at];
        if (c == '"')
            break;
        if ((unsigned char)c < 0x20)
            return st_fail(scan, "raw control character in a string");
        scan->at++;
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        uint32_t cp = 0;
        memo_status status = st_unescape(scan, &cp);
        if (status)
            return status;
        to += memo_utf8_encode(cp, to);
    }
    scan->at++;
    *to++ = '\0';
    scan->pool_used += (size_t)(to - start);
    *out = start;
    return MEMO_OK;
}

/* A plain non-negative integer: what shapes and offsets are made of. */
static memo_status st_integer(st_scan *scan, uint64_t *out)
{
    uint64_t value = 0;
    size_t start;

    st_skip_space(scan);
    start = scan->at;
    while (scan->at < scan->n && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9') {
        uint64_t digit = (uint64_t)(scan->text[scan->at] - '0');
        if (!memo_mul_u64(value, 10, &value) || !memo_add_u64(value, digit, &value))
            return st_fail(scan, "integer above 2^64 - 1");
        scan->at++;
    }
    if (scan->at == start)
        return st_fail(scan, "expected a non-negative integer");
    if (scan->text[start] == '0' && scan->at > start + 1)
        return st_fail(scan, "integer with a leading zero");
    if (scan->at < scan->n && scan->text[scan->at] && strchr(".eE", scan->text[scan->at]))
        return st_fail(scan, "expected an integer, found a fraction or exponent");
    *out = value;
    return MEMO_OK;
}

/* -- growing arrays --------------------------------------------------------------------------- */

/* Room for one more item of item_bytes in *items (of n, capacity *cap). */
static memo_status st_grow(st_scan *scan, void **items, size_t n, size_t *cap, size_t item_bytes)
{
    size_t wanted = *cap ? *cap * 2 : 16;

    if (n < *cap)
        return MEMO_OK;
    void *grown = memo_reallocarray(*items, wanted, item_bytes);
    if (!grown)
        return memo_fail_nomem(scan->err, scan->what, (uint64_t)wanted * item_bytes);
    *items = grown;
    *cap = wanted;
    return MEMO_OK;
}

/* -- the members of a header ------------------------------------------------------------------ */

static memo_status st_metadata(st_scan *scan)
{
    memo_status status;

    if (scan->metadata_seen++)
        return st_fail(scan, "'__metadata__' is there twice");
    status = st_expect(scan, '{', "'__metadata__' must be an object of strings");
    if (status || st_take(scan, '}'))
        return status;
    do {
        void *items = scan->st->metadata;
        status = st_grow(scan, &items, scan->st->base.n_metadata, &scan->metadata_cap,
                         sizeof *scan->st->metadata);
        if (status)
            return status;
        scan->st->metadata = items;
        memo_st_metadata *pair = &scan->st->metadata[scan->st->base.n_metadata];
        status = st_string(scan, "expected a key of '__metadata__'", &pair->key);
        if (!status)
            status = st_expect(scan, ':', "expected ':'");
        if (!status)
            status = st_string(scan, "value in '__metadata__' is not a string", &pair->value);
        if (status)
            return status;
        scan->st->base.n_metadata++;
    } while (st_take(scan, ','));
    return st_expect(scan, '}', "expected ',' or '}'");
}

static memo_status st_dtype(st_scan *scan, memo_dtype *out)
{
    const char *name = NULL;
    memo_status status = st_string(scan, "'dtype' must be a string", &name);

    if (status)
        return status;
    for (size_t i = 0; i < MEMO_DTYPE_COUNT; i++) {
        if (strcmp(name, dtype_table[i].name) == 0) {
            *out = (memo_dtype)i;
            return MEMO_OK;
        }
    }
    return memo_fail(scan->err, MEMO_ERR_UNSUPPORTED, "%s: tensor '%.*s': unknown dtype '%.*s'",
                     scan->what, st_shown(scan->name), scan->name, st_shown(name), name);
}

/* A list of integers appended to the dims; `out_n` is their number. */
static memo_status st_shape(st_scan *scan, size_t *out_n)
{
    size_t n = 0;
    memo_status status = st_expect(scan, '[', "'shape' must be a list");

    if (status || st_take(scan, ']')) {
        *out_n = 0;
        return status;
    }
    do {
        void *items = scan->st->dims;
        status = st_grow(scan, &items, scan->n_dims, &scan->dims_cap, sizeof *scan->st->dims);
        if (status)
            return status;
        scan->st->dims = items;
        status = st_integer(scan, &scan->st->dims[scan->n_dims]);
        if (status)
            return status;
        scan->n_dims++;
        if (++n > MEMO_SAFETENSORS_MAX_DIMS)
            return memo_fail(scan->err, MEMO_ERR_LIMIT,
                             "%s: tensor '%.*s' has more than %u dimensions", scan->what,
                             st_shown(scan->name), scan->name, MEMO_SAFETENSORS_MAX_DIMS);
    } while (st_take(scan, ','));
    *out_n = n;
    return st_expect(scan, ']', "expected ',' or ']' in 'shape'");
}

static memo_status st_offsets(st_scan *scan, memo_st_tensor *tensor)
{
    memo_status status = st_expect(scan, '[', "'data_offsets' must be a list of two integers");

    if (!status)
        status = st_integer(scan, &tensor->begin);
    if (!status)
        status = st_expect(scan, ',', "'data_offsets' must be a list of two integers");
    if (!status)
        status = st_integer(scan, &tensor->end);
    if (!status)
        status = st_expect(scan, ']', "'data_offsets' must be a list of two integers");
    return status;
}

/* The object of one tensor: exactly the three fields, in any order. */
static memo_status st_fields(st_scan *scan, memo_st_tensor *tensor)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
    unsigned seen = 0;
    memo_status status = st_expect(scan, '{', "expected an object");

    if (status)
        return status;
    do {
        const char *key = NULL;
        size_t pool_used = scan->pool_used;
        status = st_string(scan, "expected 'dtype', 'shape' and 'data_offsets'", &key);
        if (!status)
            status = st_expect(scan, ':', "expected ':'");
        if (status)
            return status;
        scan->pool_used = pool_used; /* a field's name is needed for this comparison alone */
        unsigned field = strcmp(key, "dtype") == 0          ? DTYPE
                         : strcmp(key, "shape") == 0        ? SHAPE
                         : strcmp(key, "data_offsets") == 0 ? OFFSETS
                                                            : 0;
        if (!field)
            return st_fail(scan, "unknown field (allowed: dtype, shape, data_offsets)");
        if (seen & field)
            return st_fail(scan, "a field is there twice");
        seen |= field;
        status = field == DTYPE   ? st_dtype(scan, &tensor->dtype)
                 : field == SHAPE ? st_shape(scan, &tensor->n_dims)
                                  : st_offsets(scan, tensor);
        scan->pool_used = pool_used;
        if (status)
            return status;
    } while (st_take(scan, ','));
    status = st_expect(scan, '}', "expected ',' or '}'");
    if (!status && seen != (DTYPE | SHAPE | OFFSETS))
        status = st_fail(scan, !(seen & DTYPE)   ? "field 'dtype' is missing"
                               : !(seen & SHAPE) ? "field 'shape' is missing"
                                                 : "field 'data_offsets' is missing");
    return status;
}

static memo_status st_member(st_scan *scan)
{
    const char *name = NULL;
    void *items = scan->st->tensors;
    memo_status status = st_string(scan, "expected a tensor's name", &name);

    if (!status)
        status = st_expect(scan, ':', "expected ':'");
    if (status)
        return status;
    if (strcmp(name, "__metadata__") == 0)
        return st_metadata(scan);
    if (scan->st->base.n_tensors >= MEMO_SAFETENSORS_MAX_TENSORS)
        return memo_fail(scan->err, MEMO_ERR_LIMIT, "%s: more than %u tensors", scan->what,
                         MEMO_SAFETENSORS_MAX_TENSORS);
    status = st_grow(scan, &items, scan->st->base.n_tensors, &scan->tensor_cap,
                     sizeof *scan->st->tensors);
    if (status)
        return status;
    scan->st->tensors = items;
    memo_st_tensor *tensor = &scan->st->tensors[scan->st->base.n_tensors];
    memset(tensor, 0, sizeof *tensor);
    tensor->name = scan->name = name;
    status = st_fields(scan, tensor);
    if (status)
        return status;
    scan->name = NULL;
    scan->st->base.n_tensors++;
    return MEMO_OK;
}

static memo_status st_header(st_scan *scan)
{
    memo_status status = st_expect(scan, '{', "expected a JSON object");

    if (status)
        return status;
    if (!st_take(scan, '}')) {
        do {
            status = st_member(scan);
            if (status)
                return status;
        } while (st_take(scan, ','));
        status = st_expect(scan, '}', "expected ',' or '}'");
        if (status)
            return status;
    }
    st_skip_space(scan);
    return scan->at == scan->n ? MEMO_OK : st_fail(scan, "bytes after the JSON object");
}

/* -- validation of the whole ------------------------------------------------------------------ */

static int st_compare_extent(const void *a, const void *b)
{
    const memo_st_tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int st_compare_name(const void *a, const void *b)
{
    const memo_st_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int st_compare_key(const void *a, const void *b)
{
    const memo_st_metadata *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* Bytes that dtype and shape ask for; sets n_values. */
static memo_status st_extent(const st_scan *scan, memo_st_tensor *tensor, uint64_t *n_bytes)
{
    uint64_t bits, n = 1;
    int fits = 1;

    for (size_t i = 0; i < tensor->n_dims && fits; i++)
        fits = memo_mul_u64(n, tensor->shape[i], &n);
    if (!fits || !memo_mul_u64(n, memo_dtype_bits(tensor->dtype), &bits))
        return memo_fail(scan->err, MEMO_ERR_FORMAT,
                         "%s: tensor '%.*s': the product of its shape overflows", scan->what,
                         st_shown(tensor->name), tensor->name);
    if (bits % 8)
        return memo_fail(scan->err, MEMO_ERR_FORMAT,
                         "%s: tensor '%.*s': %" PRIu64 " values of %s are no whole bytes",
                         scan->what, st_shown(tensor->name), tensor->name, n,
                         memo_dtype_name(tensor->dtype));
    tensor->n_values = n;
    *n_bytes = bits / 8;
    return MEMO_OK;
}

#define ST_CUT_HINT                                                                                \
    "copy or download the file again; a model that was compiled can be compiled again"

/* A tensor that reaches beyond the data. Behind a sound header that is what a copy that was broken
 * off looks like. */
static memo_status st_beyond(const st_scan *scan, const memo_st_tensor *tensor, uint64_t data_bytes)
{
    const st_object *st = scan->st;
    uint64_t begin = st->base.data_begin, last = st->tensors[st->base.n_tensors - 1].end;
    char cut[96] = "";

    if (tensor->end >= tensor->begin && memo_add_u64(last, begin, &last))
        snprintf(cut, sizeof cut,
                 ": the file is cut short, %" PRIu64 " of at least %" PRIu64 " bytes",
                 begin + data_bytes, last);
    memo_fail(scan->err, MEMO_ERR_FORMAT,
              "%s: tensor '%.*s': data_offsets [%" PRIu64 ", %" PRIu64 "] do not lie in the "
              "%" PRIu64 " bytes of data%s",
              scan->what, st_shown(tensor->name), tensor->name, tensor->begin, tensor->end,
              data_bytes, cut);
    return cut[0] ? memo_hint(scan->err, MEMO_ERR_FORMAT, "%s", ST_CUT_HINT) : MEMO_ERR_FORMAT;
}

/* Prove that the extents, sorted, tile [0, data_bytes). Makes offsets absolute. */
static memo_status st_check_extents(const st_scan *scan, uint64_t data_bytes)
{
    st_object *st = scan->st;
    uint64_t next = 0;

    for (size_t i = 0; i < st->base.n_tensors; i++) {
        memo_st_tensor *tensor = &st->tensors[i];
        uint64_t begin = tensor->begin, end = tensor->end, needed = 0;
        if (end < begin || end > data_bytes)
            return st_beyond(scan, tensor, data_bytes);
        if (begin != next)
            return memo_fail(
                scan->err, MEMO_ERR_FORMAT,
                "%s: tensor '%.*s' begins at data byte %" PRIu64 ", %s %" PRIu64, scan->what,
                st_shown(tensor->name), tensor->name, begin,
                begin < next ? "inside the tensor that ends at" : "leaving a gap after byte", next);
        memo_status status = st_extent(scan, tensor, &needed);
        if (status)
            return status;
        if (needed != end - begin)
            return memo_fail(scan->err, MEMO_ERR_FORMAT,
                             "%s: tensor '%.*s': dtype and shape need %" PRIu64
                             " bytes, data_offsets give %" PRIu64,
                             scan->what, st_shown(tensor->name), tensor->name, needed, end - begin);
        next = end;
        tensor->begin += st->base.data_begin;
        tensor->end += st->base.data_begin;
    }
    if (next != data_bytes)
        return memo_fail(scan->err, MEMO_ERR_FORMAT,
                         "%s: tensors end at data byte %" PRIu64 ", the file has %" PRIu64
                         " bytes of data",
                         scan->what, next, data_bytes);
    return MEMO_OK;
}

/* Build the two look-up orders; a name or key that is there twice is refused. */
static memo_status st_check_names(const st_scan *scan)
{
    st_object *st = scan->st;
    size_t n = st->base.n_tensors, m = st->base.n_metadata;

    st->by_name = memo_calloc(n + 1, sizeof *st->by_name);
    st->by_key = memo_calloc(m + 1, sizeof *st->by_key);
    if (!st->by_name || !st->by_key)
        return memo_fail_nomem(scan->err, scan->what, (n + m) * sizeof(void *));
    for (size_t i = 0; i < n; i++)
        st->by_name[i] = &st->tensors[i];
    for (size_t i = 0; i < m; i++)
        st->by_key[i] = &st->metadata[i];
    qsort(st->by_name, n, sizeof *st->by_name, st_compare_name);
    qsort(st->by_key, m, sizeof *st->by_key, st_compare_key);
    for (size_t i = 1; i < n; i++)
        if (strcmp(st->by_name[i - 1]->name, st->by_name[i]->name) == 0)
            return memo_fail(scan->err, MEMO_ERR_FORMAT, "%s: two tensors are named '%.*s'",
                             scan->what, st_shown(st->by_name[i]->name), st->by_name[i]->name);
    for (size_t i = 1; i < m; i++)
        if (strcmp(st->by_key[i - 1]->key, st->by_key[i]->key) == 0)
            return memo_fail(scan->err, MEMO_ERR_FORMAT,
                             "%s: '__metadata__' holds the key '%.*s' twice", scan->what,
                             st_shown(st->by_key[i]->key), st->by_key[i]->key);
    return MEMO_OK;
}

/* The header's text is known to lie in the file; everything else is checked here. */
static memo_status st_parse_header(const char *text, size_t n, uint64_t file_bytes,
                                   const char *what, memo_safetensors **out, memo_err *err)
{
    st_scan scan = {.text = text, .n = n, .what = what, .err = err};
    memo_status status;

    scan.st = memo_calloc(1, sizeof *scan.st);
    if (!scan.st)
        return memo_fail_nomem(err, what, sizeof *scan.st);
    scan.at = memo_utf8_check(text, n);
    if (scan.at < n) {
        status = st_fail(&scan, "not UTF-8");
        goto fail;
    }
    scan.at = 0;
    scan.st->pool = memo_malloc(n + 1);
    if (!scan.st->pool) {
        status = memo_fail_nomem(err, what, n + 1);
        goto fail;
    }
    status = st_header(&scan);
    if (status)
        goto fail;
    const uint64_t *dims = scan.st->dims; /* only now do the arrays stay where they are */
    for (size_t i = 0; i < scan.st->base.n_tensors; i++) {
        scan.st->tensors[i].shape = dims;
        dims = dims ? dims + scan.st->tensors[i].n_dims : NULL;
    }
    scan.st->base.data_begin = 8 + (uint64_t)n;
    scan.st->base.n_bytes = file_bytes;
    if (scan.st->base.n_tensors)
        qsort(scan.st->tensors, scan.st->base.n_tensors, sizeof *scan.st->tensors,
              st_compare_extent);
    /* Names first: two of one name mostly overlap as well, and the name is what helps. */
    status = st_check_names(&scan);
    if (!status)
        status = st_check_extents(&scan, file_bytes - scan.st->base.data_begin);
    if (status)
        goto fail;
    scan.st->base.tensors = scan.st->tensors;
    scan.st->base.metadata = scan.st->metadata;
    *out = &scan.st->base;
    return MEMO_OK;
fail:
    memo_safetensors_free(&scan.st->base);
    return status;
}

/* Length-first: nothing is read or allocated before N is known to be possible. */
static memo_status st_check_length(const unsigned char bytes[8], uint64_t file_bytes,
                                   const char *what, size_t *n, memo_err *err)
{
    uint64_t length = 0;

    for (int i = 7; i >= 0; i--)
        length = length << 8 | bytes[i];
    if (length > file_bytes - 8) {
        memo_fail(err, MEMO_ERR_FORMAT,
                  "%s: header length %" PRIu64 " at byte 0, but the file has %" PRIu64
                  " bytes after it",
                  what, length, file_bytes - 8);
        if (length <= MEMO_SAFETENSORS_MAX_HEADER) /* else it is hardly such a file */
            memo_hint(err, MEMO_ERR_FORMAT, "if it was cut short: %s", ST_CUT_HINT);
        return MEMO_ERR_FORMAT;
    }
    if (length > MEMO_SAFETENSORS_MAX_HEADER)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: header of %" PRIu64 " bytes, allowed %u", what,
                         length, MEMO_SAFETENSORS_MAX_HEADER);
    if (length == 0)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: header length 0 at byte 0", what);
    *n = (size_t)length;
    return MEMO_OK;
}

static memo_status st_too_short(uint64_t n_bytes, const char *what, memo_err *err)
{
    return memo_fail(err, MEMO_ERR_FORMAT,
                     "%s: %" PRIu64 " bytes are shorter than 8, the length of the header's length",
                     what, n_bytes);
}

memo_status memo_safetensors_parse(const void *bytes, size_t n_bytes, const char *what,
                                   memo_safetensors **out, memo_err *err)
{
    size_t n = 0;

    if (n_bytes < 8)
        return st_too_short(n_bytes, what, err);
    memo_status status = st_check_length(bytes, n_bytes, what, &n, err);
    if (status)
        return status;
    return st_parse_header((const char *)bytes + 8, n, n_bytes, what, out, err);
}

memo_status memo_safetensors_read(const memo_file *file, memo_safetensors **out, memo_err *err)
{
    unsigned char length[8];
    size_t n = 0;

    if (file->n_bytes < sizeof length)
        return st_too_short(file->n_bytes, file->path, err);
    memo_status status = memo_file_read(file, 0, length, sizeof length, err);
    if (!status)
        status = st_check_length(length, file->n_bytes, file->path, &n, err);
    if (status)
        return status;
    char *text = memo_malloc(n);
    if (!text)
        return memo_fail_nomem(err, file->path, n);
    status = memo_file_read(file, sizeof length, text, n, err);
    if (!status)
        status = st_parse_header(text, n, file->n_bytes, file->path, out, err);
    memo_free(text);
    return status;
}

void memo_safetensors_free(memo_safetensors *base)
{
    st_object *st = (st_object *)base;

    if (!st)
        return;
    memo_free(st->tensors);
    memo_free(st->by_name);
    memo_free(st->metadata);
    memo_free(st->by_key);
    memo_free(st->dims);
    memo_free(st->pool);
    memo_free(st);
}

const memo_st_tensor *memo_safetensors_find(const memo_safetensors *base, const char *name)
{
    const st_object *st = (const st_object *)base;
    const memo_st_tensor probe = {.name = name}, *wanted = &probe;
    const memo_st_tensor **found =
        bsearch(&wanted, st->by_name, base->n_tensors, sizeof *st->by_name, st_compare_name);
    return found ? *found : NULL;
}

const char *memo_safetensors_metadata(const memo_safetensors *base, const char *key)
{
    const st_object *st = (const st_object *)base;
    const memo_st_metadata probe = {.key = key}, *wanted = &probe;
    const memo_st_metadata **found =
        bsearch(&wanted, st->by_key, base->n_metadata, sizeof *st->by_key, st_compare_key);
    return found ? (*found)->value : NULL;
}
