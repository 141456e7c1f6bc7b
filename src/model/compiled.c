// SPDX-License-Identifier: Apache-2.0
#include "model/compiled.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "model/verify/fidelity_json.h"

const memo_st_spec memo_extra_specs[MEMO_EXTRAS] = {
    {"memolith.tokenizer", MEMO_DTYPE_U8, 1, NULL},
    {"memolith.probe.texts", MEMO_DTYPE_U8, 1, NULL},
    {"memolith.probe.cu_seqlens", MEMO_DTYPE_U32, 1, NULL},
    {"memolith.probe.ids", MEMO_DTYPE_U32, 1, NULL},
    {"memolith.probe.vectors", MEMO_DTYPE_F32, 2, NULL},
    {"memolith.report", MEMO_DTYPE_U8, 1, NULL},
    {"memolith.checksums", MEMO_DTYPE_U64, 1, NULL},
};

/* ---- the header's checksum ----------------------------------------------------------------- */

/* First occurrence of `text` in bytes, or NULL. */
static const char *compiled_search(const char *bytes, size_t n_bytes, const char *text)
{
    size_t n = strlen(text);
    const char *end = bytes + n_bytes;

    for (const char *p = bytes; (size_t)(end - p) >= n; p++) {
        p = memchr(p, text[0], (size_t)(end - p) - n + 1);
        if (!p || !memcmp(p, text, n))
            return p;
    }
    return NULL;
}

int memo_compiled_header_hash(const void *header, size_t n_bytes, size_t *at,
                              char digits[MEMO_HEADER_HASH_DIGITS + 1])
{
    const char *text = header;
    const char *field = compiled_search(text, n_bytes, "\"" MEMO_KEY_HEADER_HASH "\":\"");

    if (!field)
        return 0;
    size_t begin = (size_t)(field - text) + strlen("\"" MEMO_KEY_HEADER_HASH "\":\"");
    size_t end = begin + MEMO_HEADER_HASH_DIGITS;
    if (end > n_bytes)
        return 0;
    uint64_t hash = memo_xxh64(text + end, n_bytes - end, memo_xxh64(text, begin, 0));
    *at = begin;
    snprintf(digits, MEMO_HEADER_HASH_DIGITS + 1, "%016" PRIx64, hash);
    return 1;
}

/* Before anything is parsed: a changed bit in the header is damage, whatever the parser would make
 * of it. A file without the field is left to the parser. */
static memo_status compiled_check_header(const unsigned char *bytes, size_t n_bytes,
                                         const char *what, memo_err *err)
{
    char digits[MEMO_HEADER_HASH_DIGITS + 1];
    uint64_t header = 0;
    size_t at;

    if (n_bytes < 8)
        return MEMO_OK;
    for (int i = 0; i < 8; i++)
        header |= (uint64_t)bytes[i] << 8 * i;
    if (header > MEMO_SAFETENSORS_MAX_HEADER || header > n_bytes - 8)
        return MEMO_OK;
    if (!memo_compiled_header_hash(bytes, (size_t)header + 8, &at, digits) ||
        !memcmp(bytes + at, digits, MEMO_HEADER_HASH_DIGITS))
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_CORRUPT, "%s: the header is damaged: its checksum differs", what);
    return memo_hint(err, MEMO_ERR_CORRUPT, "compile the model again");
}

/* ---- metadata ------------------------------------------------------------------------------ */

/* `ours` are one or two versions: "1", or "1" and "2". */
static memo_status compiled_version(const memo_compiled *c, const char *key,
                                    const char *const ours[2], const char *what, memo_err *err)
{
    const char *found = memo_safetensors_metadata(c->st, key);

    if (!found) {
        memo_fail(err, MEMO_ERR_FORMAT, "%s: not a compiled model: it has no %s", what, key);
        return memo_hint(err, MEMO_ERR_FORMAT,
                         "a published model is compiled with: memolith model compile FOLDER -o "
                         "FILE");
    }
    if (!strcmp(found, ours[0]) || (ours[1] && !strcmp(found, ours[1])))
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_UNSUPPORTED,
              "%s: %s is version \"%.32s\", this memolith reads \"%s\"%s%s%s", what, key, found,
              ours[0], ours[1] ? " and \"" : "", ours[1] ? ours[1] : "", ours[1] ? "\"" : "");
    return memo_hint(err, MEMO_ERR_UNSUPPORTED, "recompile the model with this memolith");
}

static memo_status compiled_text(const memo_compiled *c, const char *key, const char **out,
                                 const char *what, memo_err *err)
{
    *out = memo_safetensors_metadata(c->st, key);
    if (!*out)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: metadata \"%s\" is missing", what, key);
    return MEMO_OK;
}

static int compiled_is_sha256(const char *text)
{
    return strlen(text) == 2 * MEMO_SHA256_BYTES &&
           strspn(text, "0123456789abcdef") == 2 * MEMO_SHA256_BYTES;
}

/* A value that the compiler refuses to write is a malformed file. */
static memo_status compiled_read_recipe(memo_compiled *c, const char *what, memo_err *err)
{
    memo_err why = {0};
    memo_status status = memo_recipe_read(c->recipe_json, &c->recipe, &why);

    if (status == MEMO_ERR_VALUE || status == MEMO_ERR_LIMIT)
        status = MEMO_ERR_FORMAT;
    return status ? memo_fail(err, status, "%s: %s", what, why.message) : MEMO_OK;
}

static memo_status compiled_read_class(memo_compiled *c, const char *cls, const char *what,
                                       memo_err *err)
{
    int mixed = !strcmp(memo_safetensors_metadata(c->st, MEMO_KEY_LAYOUT), MEMO_COMPILED_MIXED);

    if (!memo_class_find(cls, strlen(cls), &c->cls))
        return memo_fail(
            err, MEMO_ERR_UNSUPPORTED,
            "%s: class \"%.32s\" is not supported; supported are f32, f16, bf16, int8, "
            "int4 and lut4",
            what, cls);
    if (mixed)
        return compiled_text(c, MEMO_KEY_WEIGHTS, &c->weights_json, what, err);
    if (c->cls != MEMO_CLASS_F32 && c->cls != MEMO_CLASS_INT8)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: class %s needs layout \"2\"", what, cls);
    return MEMO_OK;
}

static memo_status compiled_read_metadata(memo_compiled *c, const char *what, memo_err *err)
{
    static const char *const formats[2] = {MEMO_COMPILED_FORMAT, NULL};
    static const char *const layouts[2] = {MEMO_COMPILED_LAYOUT, MEMO_COMPILED_MIXED};
    const char *cls = NULL, *hash = NULL;
    memo_status status;

    if ((status = compiled_version(c, MEMO_KEY_FORMAT, formats, what, err)) ||
        (status = compiled_version(c, MEMO_KEY_LAYOUT, layouts, what, err)) ||
        (status = compiled_text(c, MEMO_KEY_CLASS, &cls, what, err)) ||
        (status = compiled_text(c, MEMO_KEY_NAME, &c->metadata_name, what, err)) ||
        (status = compiled_text(c, MEMO_KEY_RECIPE, &c->recipe_json, what, err)) ||
        (status = compiled_text(c, MEMO_KEY_FINGERPRINT, &c->fingerprint, what, err)) ||
        (status = compiled_text(c, MEMO_KEY_TOOL, &c->tool, what, err)))
        return status;
    /* compiled_check_header() found the field, or it is not there as this version writes it. */
    if ((status = compiled_text(c, MEMO_KEY_HEADER_HASH, &hash, what, err)))
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: the header has lost its checksum", what);
    if ((status = compiled_read_class(c, cls, what, err)))
        return status;
    c->source = memo_safetensors_metadata(c->st, MEMO_KEY_SOURCE);
    if (!compiled_is_sha256(c->fingerprint) || (c->source && !compiled_is_sha256(c->source)))
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: the fingerprint or the source's hash is not 64 hex digits", what);
    return compiled_read_recipe(c, what, err);
}

/* ---- extents ------------------------------------------------------------------------------- */

/* The tensor must be of the wanted type and rank; also of the wanted extents, when shape is given. */
static int compiled_fits(const memo_st_tensor *t, const memo_st_spec *wanted)
{
    if (t->dtype != wanted->dtype || t->n_dims != wanted->n_dims ||
        t->begin % MEMO_SAFETENSORS_ALIGN)
        return 0;
    for (size_t d = 0; wanted->shape && d < t->n_dims; d++)
        if (t->shape[d] != wanted->shape[d])
            return 0;
    return 1;
}

static memo_status compiled_find(const memo_compiled *c, memo_st_spec wanted, const char *what,
                                 const memo_st_tensor **out, memo_err *err)
{
    *out = memo_safetensors_find(c->st, wanted.name);
    if (!*out)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: tensor \"%s\" is missing", what, wanted.name);
    if (!compiled_fits(*out, &wanted))
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: tensor \"%s\" has not the type, shape or alignment that the recipe "
                         "asks for",
                         what, wanted.name);
    return MEMO_OK;
}

/* The format of each weight that has a choice, and nothing else. */
static memo_status compiled_read_formats(memo_compiled *c, const char *what, memo_err *err)
{
    const memo_weight_format plain = {.cls = c->cls};
    json_t *root = NULL;
    size_t n = 0;
    memo_err why = {0};

    memo_layout_set_class(&c->layout, &plain);
    if (!c->weights_json)
        return MEMO_OK;
    memo_status status = memo_json_parse(c->weights_json, strlen(c->weights_json),
                                         &memo_json_request_limits, MEMO_KEY_WEIGHTS, &root, &why);
    if (status)
        return memo_fail(err, status == MEMO_ERR_NOMEM ? status : MEMO_ERR_FORMAT, "%s: %s", what,
                         why.message);
    for (size_t i = 0; i < c->layout.n_slots && status == MEMO_OK; i++) {
        memo_slot *slot = &c->layout.slots[i];
        if (!memo_slot_has_format(slot))
            continue;
        const json_t *text = json_object_get(root, slot->name);
        n++;
        if (!json_is_string(text) ||
            !memo_weight_format_read(json_string_value(text), json_string_length(text), NULL,
                                     &slot->format) ||
            !memo_slot_takes(slot, &slot->format))
            status = memo_fail(err, MEMO_ERR_FORMAT,
                               "%s: " MEMO_KEY_WEIGHTS " gives %s no format "
                               "that it could have",
                               what, slot->name);
    }
    if (status == MEMO_OK && json_object_size(root) != n)
        status = memo_fail(err, MEMO_ERR_FORMAT,
                           "%s: " MEMO_KEY_WEIGHTS " names %zu weights, the model has %zu", what,
                           json_object_size(root), n);
    json_decref(root);
    return status;
}

static memo_status compiled_find_weights(memo_compiled *c, const char *what, memo_err *err)
{
    memo_status status;

    if ((status = memo_layout_init(&c->layout, &c->recipe, err)) ||
        (status = compiled_read_formats(c, what, err)) ||
        (status = memo_layout_store(&c->layout, err)))
        return status;
    size_t n = c->layout.n_stored;
    c->tensors = memo_calloc(n, sizeof *c->tensors);
    if (!c->tensors)
        return memo_fail_nomem(err, "the list of weights", n * sizeof *c->tensors);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        const memo_stored *stored = &c->layout.stored[i];
        memo_st_spec wanted = {stored->name, stored->dtype, stored->n_dims, stored->shape};
        status = compiled_find(c, wanted, what, &c->tensors[i], err);
    }
    return status;
}

/* The checksums end the file, one for each block of the data before them. */
static memo_status compiled_check_sums(memo_compiled *c, const char *what, memo_err *err)
{
    const memo_st_tensor *sums = c->extra[MEMO_EXTRA_CHECKSUMS];
    uint64_t n_data = sums->begin - c->st->data_begin;
    uint64_t n_blocks = (n_data + MEMO_COMPILED_BLOCK - 1) / MEMO_COMPILED_BLOCK;

    if (sums->end != c->n_bytes || sums->n_values != n_blocks + 1)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: memolith.checksums holds %" PRIu64 " values, %" PRIu64
                         " are needed at the end of the file",
                         what, sums->n_values, n_blocks + 1);
    c->n_blocks = (size_t)n_blocks;
    c->sums = memo_compiled_data(c, sums);
    if (memo_xxh64(c->sums, c->n_blocks * sizeof *c->sums, n_blocks) != c->sums[n_blocks])
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: memolith.checksums is damaged", what);
    c->seen = memo_calloc(c->n_blocks ? c->n_blocks : 1, sizeof *c->seen);
    if (!c->seen)
        return memo_fail_nomem(err, "the list of blocks", c->n_blocks);
    return MEMO_OK;
}

static memo_status compiled_find_extras(memo_compiled *c, const char *what, memo_err *err)
{
    uint64_t vectors[2] = {MEMO_COMPILED_PROBES, memo_recipe_dim(&c->recipe)};
    uint64_t seqlens = MEMO_COMPILED_PROBES + 1;

    for (size_t i = 0; i < MEMO_EXTRAS; i++) {
        memo_st_spec wanted = memo_extra_specs[i];
        if (i == MEMO_EXTRA_PROBE_VECTORS)
            wanted.shape = vectors;
        if (i == MEMO_EXTRA_PROBE_CU_SEQLENS)
            wanted.shape = &seqlens;
        if (i == MEMO_EXTRA_REPORT && !memo_safetensors_find(c->st, wanted.name))
            continue;
        memo_status status = compiled_find(c, wanted, what, &c->extra[i], err);
        if (status)
            return status;
    }
    return MEMO_OK;
}

/* Probe texts are eight, NUL-ended; their ids lie one after the other and fit the model. */
static memo_status compiled_check_probes(const memo_compiled *c, const char *what, memo_err *err)
{
    const memo_st_tensor *texts = c->extra[MEMO_EXTRA_PROBE_TEXTS];
    const unsigned char *text = memo_compiled_data(c, texts);
    const uint32_t *cu = memo_compiled_data(c, c->extra[MEMO_EXTRA_PROBE_CU_SEQLENS]);
    const uint32_t *ids = memo_compiled_data(c, c->extra[MEMO_EXTRA_PROBE_IDS]);
    uint64_t n_ids = c->extra[MEMO_EXTRA_PROBE_IDS]->n_values;
    size_t n_texts = 0;
    int good = cu[0] == 0 && cu[MEMO_COMPILED_PROBES] == n_ids && texts->n_values > 0 &&
               text[texts->n_values - 1] == 0;

    for (uint64_t i = 0; i < texts->n_values; i++)
        n_texts += text[i] == 0;
    for (size_t i = 0; good && i < MEMO_COMPILED_PROBES; i++)
        good = cu[i] < cu[i + 1] && cu[i + 1] - cu[i] <= c->recipe.max_tokens;
    for (uint64_t i = 0; good && i < n_ids; i++)
        good = ids[i] < c->recipe.vocab_size;
    if (!good || n_texts != MEMO_COMPILED_PROBES)
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: the probes contradict the recipe", what);
    return MEMO_OK;
}

/* It is shown as it stands, so it must be what it says it is. */
static memo_status compiled_read_report(memo_compiled *c, const char *what, memo_err *err)
{
    const memo_st_tensor *tensor = c->extra[MEMO_EXTRA_REPORT];
    memo_fidelity_report *report = NULL;
    memo_err why = {0};

    if (!tensor)
        return MEMO_OK;
    const char *text = memo_compiled_data(c, tensor);
    if (!tensor->n_values || text[tensor->n_values - 1])
        return memo_fail(err, MEMO_ERR_FORMAT, "%s: memolith.report does not end with a NUL", what);
    if (!*text) /* it is to be measured on this very file */
        return MEMO_OK;
    memo_status status = memo_fidelity_read(text, &c->layout, c->recipe.n_layers, &report, &why);
    memo_fidelity_free(report);
    if (status)
        return memo_fail(err, status == MEMO_ERR_NOMEM ? status : MEMO_ERR_FORMAT, "%s: %s", what,
                         why.message);
    c->report_json = text;
    return MEMO_OK;
}

memo_status memo_compiled_open(memo_compiled *c, const void *bytes, size_t n_bytes,
                               const char *what, memo_err *err)
{
    memo_status status;

    c->bytes = bytes;
    c->n_bytes = n_bytes;
    if ((status = compiled_check_header(c->bytes, n_bytes, what, err)) ||
        (status = memo_safetensors_parse(bytes, n_bytes, what, &c->st, err)) ||
        (status = compiled_read_metadata(c, what, err)) ||
        (status = compiled_find_weights(c, what, err)) ||
        (status = compiled_find_extras(c, what, err)) ||
        (status = compiled_check_sums(c, what, err)))
        return status;
    for (size_t i = 0; i < MEMO_EXTRA_CHECKSUMS; i++)
        if (c->extra[i] &&
            (status = memo_compiled_check(c, c->extra[i]->begin, c->extra[i]->end, err)))
            return status;
    if ((status = compiled_check_probes(c, what, err)))
        return status;
    return compiled_read_report(c, what, err);
}

void memo_compiled_close(memo_compiled *c)
{
    memo_safetensors_free(c->st);
    memo_recipe_fini(&c->recipe);
    memo_layout_fini(&c->layout);
    memo_free(c->tensors);
    memo_free((void *)(uintptr_t)c->seen);
    memset(c, 0, sizeof *c);
}

void memo_compiled_slot(const memo_compiled *c, const memo_slot *slot, const void **data)
{
    for (size_t kind = 0; kind < MEMO_STORED_KINDS; kind++)
        data[kind] = NULL;
    for (size_t i = 0; i < slot->n_stored; i++)
        data[slot->kinds[i]] = memo_compiled_data(c, c->tensors[slot->first + i]);
}

/* ---- blocks -------------------------------------------------------------------------------- */

static int compiled_check_block(memo_compiled *c, size_t block)
{
    uint64_t begin = c->st->data_begin + (uint64_t)block * MEMO_COMPILED_BLOCK;
    uint64_t end = c->extra[MEMO_EXTRA_CHECKSUMS]->begin;
    uint64_t n = end - begin < MEMO_COMPILED_BLOCK ? end - begin : MEMO_COMPILED_BLOCK;

    if (memo_xxh64(c->bytes + begin, (size_t)n, block) != c->sums[block])
        return 0;
    atomic_store_explicit(&c->seen[block], 1, memory_order_release);
    return 1;
}

/* Name the tensor that a damaged block lies in: the first that reaches into it. */
static memo_status compiled_damaged(const memo_compiled *c, size_t block, memo_err *err)
{
    uint64_t begin = c->st->data_begin + (uint64_t)block * MEMO_COMPILED_BLOCK;
    const char *first = "padding", *last = NULL;

    for (size_t i = 0; i < c->st->n_tensors; i++) {
        const memo_st_tensor *t = &c->st->tensors[i];
        if (t->end <= begin || t->begin >= begin + MEMO_COMPILED_BLOCK)
            continue;
        if (!last)
            first = t->name;
        last = t->name;
    }
    memo_fail(err, MEMO_ERR_CORRUPT,
              "the compiled model is damaged at bytes %" PRIu64 " to %" PRIu64
              " (%s%s%s): a checksum differs",
              begin, begin + MEMO_COMPILED_BLOCK, first, last && last != first ? " to " : "",
              last && last != first ? last : "");
    return memo_hint(err, MEMO_ERR_CORRUPT, "compile the model again");
}

memo_status memo_compiled_check(memo_compiled *c, uint64_t begin, uint64_t end, memo_err *err)
{
    if (begin >= end)
        return MEMO_OK;
    size_t first = (size_t)((begin - c->st->data_begin) / MEMO_COMPILED_BLOCK);
    size_t last = (size_t)((end - 1 - c->st->data_begin) / MEMO_COMPILED_BLOCK);
    for (size_t b = first; b <= last; b++)
        if (!atomic_load_explicit(&c->seen[b], memory_order_acquire) && !compiled_check_block(c, b))
            return compiled_damaged(c, b, err);
    return MEMO_OK;
}

/* Blocks of one task: 256 KiB, 50 microseconds, so that no thread waits long for the last. */
#define COMPILED_TASK_BLOCKS ((size_t)4)

typedef struct compiled_sweep {
    memo_compiled *compiled;
    size_t first, end; /* blocks */
    int again;
    atomic_size_t bad; /* lowest damaged block + 1, or 0 */
} compiled_sweep;

static void compiled_sweep_task(void *user, size_t task, unsigned worker)
{
    compiled_sweep *s = user;
    size_t begin = s->first + task * COMPILED_TASK_BLOCKS;
    size_t end = begin + COMPILED_TASK_BLOCKS < s->end ? begin + COMPILED_TASK_BLOCKS : s->end;

    (void)worker;
    for (size_t b = begin; b < end; b++) {
        if ((!s->again && atomic_load_explicit(&s->compiled->seen[b], memory_order_acquire)) ||
            compiled_check_block(s->compiled, b))
            continue;
        size_t bad = atomic_load(&s->bad);
        while ((!bad || b + 1 < bad) && !atomic_compare_exchange_weak(&s->bad, &bad, b + 1))
            ;
        return;
    }
}

memo_status memo_compiled_check_all(memo_compiled *c, uint64_t begin, uint64_t end, memo_pool *pool,
                                    int again, memo_err *err)
{
    if (begin >= end)
        return MEMO_OK;
    compiled_sweep sweep = {
        .compiled = c,
        .first = (size_t)((begin - c->st->data_begin) / MEMO_COMPILED_BLOCK),
        .end = (size_t)((end - 1 - c->st->data_begin) / MEMO_COMPILED_BLOCK) + 1,
        .again = again,
    };
    size_t n_tasks = (sweep.end - sweep.first + COMPILED_TASK_BLOCKS - 1) / COMPILED_TASK_BLOCKS;
    memo_pool_run(pool, memo_pool_n_workers(pool), n_tasks, compiled_sweep_task, &sweep);
    size_t bad = atomic_load(&sweep.bad);
    return bad ? compiled_damaged(c, bad - 1, err) : MEMO_OK;
}
