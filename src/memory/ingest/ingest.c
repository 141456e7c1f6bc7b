// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/ingest.c -- the one way in for records: add, edit and import all come through here.
 *
 *   1  compare with what is stored; what is unchanged is done (a snapshot, no lock)
 *   2  cut the rest into chunks and embed them, all records in common batches (no lock)
 *   3  take the writer lock, write everything, link what says the same (likeness.h), commit
 *
 * A record that another process changes between 1 and 3 is simply written after it; an edit carries
 * the version it was made from and is refused instead. */
#include "memory/db.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "memory/feedback/search_log.h"
#include "memory/ingest/likeness.h"
#include "text/words.h"

#define INGEST_EMBED_CHUNKS 128 /* a call of the model */
/* Comparing records is a tenth of writing them and a hundredth of embedding them: those that come with
 * vectors, and in numbers, are not held up by it. */
#define INGEST_LINK_RECORDS 32

/* One record on its way. */
typedef struct ingest_item {
    memo_store_put put;
    memo_document document;
    size_t first_chunk; /* of its chunks in the job's common arrays */
    memo_sketch sketch;
    memo_store_written written;
    memo_add_result result;
    int done; /* unchanged, nothing to write */
} ingest_item;

typedef struct ingest_work {
    memo_db *db;
    const memo_ingest *job;
    memo_arena arena;
    ingest_item *items; /* [job->n] */
    size_t n_chunks, n_embedded;
    memo_text *inputs;        /* [n_chunks] */
    memo_store_chunk *chunks; /* [n_chunks] */
    float *vectors;           /* [n_chunks, dim] */
    memo_likeness likeness;
    int link; /* records are compared with others */
} ingest_work;

/* ---- checks -------------------------------------------------------------------------------- */

static memo_status ingest_check_string(const char *s, const char *what, size_t max_bytes,
                                       memo_err *err)
{
    size_t n, bad;

    if (!s)
        return MEMO_OK;
    n = strlen(s);
    if (max_bytes && n > max_bytes)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s has %zu bytes, at most %zu are allowed", what, n,
                         max_bytes);
    bad = memo_utf8_check(s, n);
    if (bad < n)
        return memo_fail(err, MEMO_ERR_VALUE, "%s is not UTF-8 at byte %zu", what, bad);
    return MEMO_OK;
}

static memo_status ingest_check_text(memo_text text, memo_err *err)
{
    size_t bad;

    if (!text.bytes && text.n_bytes)
        return memo_fail(err, MEMO_ERR_USAGE, "text is NULL with %zu bytes", text.n_bytes);
    if (text.n_bytes > MEMO_DB_TEXT_BYTES)
        return memo_fail(err, MEMO_ERR_LIMIT, "text has %zu bytes, at most %zu are allowed",
                         text.n_bytes, MEMO_DB_TEXT_BYTES);
    bad = memo_utf8_check(text.bytes, text.n_bytes);
    if (bad < text.n_bytes)
        return memo_fail(err, MEMO_ERR_VALUE, "text is not UTF-8 at byte %zu", bad);
    if (memo_text_is_blank(text.bytes, text.n_bytes))
        return memo_fail(err, MEMO_ERR_VALUE,
                         "text is empty: it needs at least one character that is not white space");
    return MEMO_OK;
}

/* Whether a string anywhere in a value holds a NUL; as deep as the parser lets it nest. */
static int ingest_holds_nul(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value))
        return strlen(json_string_value(value)) != json_string_length(value);
    json_array_foreach(value, i, item)
    {
        if (ingest_holds_nul(item))
            return 1;
    }
    json_object_foreach(value, key, item)
    {
        if (ingest_holds_nul(item))
            return 1;
    }
    return 0;
}

static memo_status ingest_parse_metadata(const char *text, json_t **object, memo_err *err)
{
    size_t n = strlen(text);
    memo_status status;

    if (n > MEMO_DB_METADATA_BYTES)
        return memo_fail(err, MEMO_ERR_LIMIT, "metadata has %zu bytes, at most %zu are allowed", n,
                         MEMO_DB_METADATA_BYTES);
    status = memo_json_parse(text, n, &memo_json_request_limits, "metadata", object, err);
    if (status == MEMO_OK && !json_is_object(*object)) {
        json_decref(*object);
        *object = NULL;
        status = memo_fail(err, MEMO_ERR_VALUE, "metadata must be a JSON object like {\"a\": 1}");
    }
    /* SQLite's JSON reads a string up to its first NUL: a filter would take "a" for "a\\u0000b". */
    if (status == MEMO_OK && ingest_holds_nul(*object)) {
        json_decref(*object);
        *object = NULL;
        status = memo_fail(err, MEMO_ERR_VALUE,
                           "metadata: a string holds U+0000, which filters cannot compare");
    }
    return status;
}

static memo_status ingest_check_tags(const memo_record_in *in, memo_err *err)
{
    if (in->n_tags && !in->tags)
        return memo_fail(err, MEMO_ERR_USAGE, "tags is NULL with %zu tags", in->n_tags);
    for (size_t i = 0; i < in->n_tags; i++) {
        memo_status status;
        if (!in->tags[i] || !*in->tags[i])
            return memo_fail(err, MEMO_ERR_VALUE, "tag %zu is empty", i);
        status = ingest_check_string(in->tags[i], "tag", 0, err);
        if (status)
            return status;
    }
    return memo_store_check_tags(in->tags, in->n_tags, err);
}

static memo_status ingest_check_mark(const char *what, const int *mark, int least, int most,
                                     memo_err *err)
{
    if (!mark || (*mark >= least && *mark <= most))
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_VALUE, "%s is %d; allowed is %d to %d", what, *mark, least,
                     most);
}

static memo_status ingest_check_marks(const memo_record_in *in, memo_err *err)
{
    memo_status status = ingest_check_mark("trust", in->trust, -1, 1, err);

    if (status == MEMO_OK)
        status = ingest_check_mark("pinned", in->pinned, 0, 1, err);
    if (status == MEMO_OK)
        status = ingest_check_mark("tier", in->tier, 0, 2, err);
    if (status == MEMO_OK)
        status = ingest_check_string(in->parent, "parent", MEMO_STORE_MAX_KEY_BYTES, err);
    if (status == MEMO_OK)
        status = ingest_check_string(in->supersedes, "supersedes", MEMO_STORE_MAX_KEY_BYTES, err);
    return status;
}

static int ingest_is_boundary(memo_text text, size_t at)
{
    return at == text.n_bytes || ((unsigned char)text.bytes[at] & 0xc0) != 0x80;
}

static memo_status ingest_check_spans(const memo_record_in *in, memo_err *err)
{
    size_t before = 0;

    if (!in->spans)
        return in->n_vectors == 1
                   ? MEMO_OK
                   : memo_fail(err, MEMO_ERR_USAGE,
                               "%zu vectors without spans: which part of the text each is of must "
                               "be said",
                               in->n_vectors);
    for (size_t i = 0; i < in->n_vectors; i++) {
        size_t begin = in->spans[i][0], end = in->spans[i][1];
        if (begin >= end || end > in->text.n_bytes || begin < before ||
            !ingest_is_boundary(in->text, begin) || !ingest_is_boundary(in->text, end))
            return memo_fail(err, MEMO_ERR_VALUE,
                             "span %zu is bytes %zu to %zu; within the %zu bytes of the text, at "
                             "characters, in order of their begin is allowed",
                             i, begin, end, in->text.n_bytes);
        before = begin;
    }
    return MEMO_OK;
}

static memo_status ingest_check_vectors(const memo_record_in *in, memo_err *err)
{
    memo_status status;

    if (in->n_vectors == 0)
        return in->spans ? memo_fail(err, MEMO_ERR_USAGE, "spans without vectors") : MEMO_OK;
    if (!in->vectors)
        return memo_fail(err, MEMO_ERR_USAGE, "vectors is NULL with %zu vectors", in->n_vectors);
    status = ingest_check_spans(in, err);
    for (size_t i = 0; i < in->n_vectors && status == MEMO_OK; i++) {
        status = memo_vector_check(&in->vectors[i], err);
        if (status)
            memo_err_prefix(err, status, "vector %zu", i);
    }
    return status;
}

memo_status memo_ingest_check_fields(const memo_record_in *in, memo_err *err)
{
    memo_status status = ingest_check_text(in->text, err);

    if (status == MEMO_OK && in->key && !*in->key)
        status = memo_fail(err, MEMO_ERR_VALUE, "key is empty: give 1 to %d bytes, or none",
                           MEMO_STORE_MAX_KEY_BYTES);
    if (status == MEMO_OK)
        status = ingest_check_string(in->key, "key", MEMO_STORE_MAX_KEY_BYTES, err);
    if (status == MEMO_OK)
        status = ingest_check_string(in->title, "title", MEMO_DB_TEXT_BYTES, err);
    if (status == MEMO_OK)
        status = ingest_check_string(in->source, "source", 0, err);
    if (status == MEMO_OK)
        status = ingest_check_tags(in, err);
    if (status == MEMO_OK && in->expires_ms < 0)
        status = memo_fail(err, MEMO_ERR_VALUE,
                           "expires_ms is %lld: give Unix milliseconds, or 0 for never",
                           (long long)in->expires_ms);
    if (status == MEMO_OK && (unsigned)in->chunking > MEMO_CHUNK_CODE)
        status = memo_fail(err, MEMO_ERR_VALUE, "unknown chunking %d", (int)in->chunking);
    if (status == MEMO_OK)
        status = ingest_check_vectors(in, err);
    return status == MEMO_OK ? ingest_check_marks(in, err) : status;
}

memo_status memo_ingest_check(const memo_record_in *in, memo_err *err)
{
    json_t *metadata = NULL;
    memo_status status = memo_ingest_check_fields(in, err);

    if (status == MEMO_OK && in->metadata_json) {
        status = ingest_parse_metadata(in->metadata_json, &metadata, err);
        json_decref(metadata);
    }
    return status;
}

/* ---- 1: compare ---------------------------------------------------------------------------- */

/* Metadata in one spelling. */
static memo_status ingest_canonical(const char *text, memo_arena *arena, const char **out,
                                    memo_err *err)
{
    json_t *object = NULL;
    memo_status status;

    *out = "{}";
    if (!text)
        return MEMO_OK;
    status = ingest_parse_metadata(text, &object, err);
    if (status)
        return status;
    status = memo_db_put_object(object, arena, out, err);
    json_decref(object);
    return status;
}

/* The record's own vectors and spans; floats stay where the caller has them. */
static memo_status ingest_take_vectors(ingest_work *w, const memo_record_in *in,
                                       memo_store_put *put, memo_err *err)
{
    memo_store_chunk *chunks = memo_arena_array(&w->arena, in->n_vectors, sizeof *chunks);

    if (!chunks)
        return memo_fail_nomem(err, "chunks of a record", in->n_vectors * sizeof *chunks);
    if (w->db->model && !w->job->take_vectors)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "it brings a vector; those of this store are made by %s: open it with an "
                         "external space to bring them",
                         w->db->space.name);
    for (size_t i = 0; i < in->n_vectors; i++) {
        const memo_vector *vector = &in->vectors[i];
        float *room = NULL;
        memo_status status = MEMO_OK;
        if (!w->db->model)
            status = memo_external_take_dim(w->db, vector->dim, err);
        else if (vector->dim != w->db->space.dim)
            status = memo_fail(err, MEMO_ERR_MISMATCH,
                               "a vector of %zu dimensions; those of %s have %zu", vector->dim,
                               w->db->space.name, w->db->space.dim);
        if (status)
            return status;
        if (!vector->f32 && !(room = memo_arena_array(&w->arena, vector->dim, sizeof *room)))
            return memo_fail_nomem(err, "a vector", vector->dim * sizeof *room);
        chunks[i] = (memo_store_chunk){.begin = in->spans ? in->spans[i][0] : 0,
                                       .end = in->spans ? in->spans[i][1] : in->text.n_bytes,
                                       .vector = memo_vector_floats(vector, room)};
    }
    put->chunks = chunks;
    put->n_chunks = in->n_vectors;
    put->own_vectors = 1;
    return MEMO_OK;
}

static memo_status ingest_make_put(ingest_work *w, size_t i, memo_err *err)
{
    const memo_record_in *in = &w->job->records[i];
    memo_store_put *put = &w->items[i].put;
    memo_status status = MEMO_OK;

    *put = (memo_store_put){.id = w->job->id,
                            .expect_version = w->job->expect_version,
                            .keep_chunks = w->job->keep_chunks,
                            .chunks_only = w->job->chunks_only,
                            .key = in->key,
                            .text = in->text,
                            .title = in->title,
                            .tags = in->tags,
                            .n_tags = in->n_tags,
                            .created_ms = in->created_ms,
                            .expires_ms = in->expires_ms,
                            .source = in->source,
                            .chunking = in->chunking,
                            .chunk_tokens = in->chunk_tokens,
                            .chunk_overlap = in->chunk_overlap,
                            .trust = in->trust,
                            .pinned = in->pinned,
                            .tier = in->tier,
                            .parent = in->parent,
                            .supersedes = in->supersedes,
                            .key_or_id = w->job->key_or_id,
                            .kept = w->job->kept && w->job->kept[i].id ? &w->job->kept[i] : NULL,
                            .said_ms = w->job->said_ms ? w->job->said_ms[i] : 0,
                            .born_ms = w->job->born_ms ? w->job->born_ms[i] : 0};
    if (in->n_vectors)
        status = ingest_take_vectors(w, in, put, err);
    if (status == MEMO_OK && (in->metadata_json || !put->said_ms))
        status = ingest_canonical(in->metadata_json, &w->arena, &put->metadata, err);
    return status && w->job->n > 1 ? memo_err_prefix(err, status, "record %zu", i) : status;
}

/* Records ordered by key, then position, those without a key first. */
static int ingest_by_key(const void *pa, const void *pb)
{
    const ingest_item *a = *(ingest_item *const *)pa, *b = *(ingest_item *const *)pb;
    int order;

    if (!a->put.key || !b->put.key)
        order = (a->put.key != NULL) - (b->put.key != NULL);
    else
        order = strcmp(a->put.key, b->put.key);
    return order ? order : (a > b) - (a < b);
}

/* Of two records with one key only the first may be compared beforehand: the second will meet what
 * the first has written. */
static memo_status ingest_compare_all(ingest_work *w, int64_t ns, int64_t space, memo_err *err)
{
    size_t n = w->job->n;
    ingest_item **sorted = memo_arena_array(&w->arena, n, sizeof *sorted);

    if (!sorted)
        return memo_fail_nomem(err, "records of a batch", n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &w->items[i];
    qsort(sorted, n, sizeof *sorted, ingest_by_key);
    for (size_t i = 0; i < n; i++) {
        memo_store_put *put = &sorted[i]->put;
        memo_status status;
        if (!put->key ||
            (i > 0 && sorted[i - 1]->put.key && strcmp(put->key, sorted[i - 1]->put.key) == 0))
            continue;
        put->space = space;
        status = memo_store_compare(w->db->store, ns, put, &sorted[i]->result, err);
        if (status)
            return status;
        sorted[i]->done = sorted[i]->result.outcome == MEMO_OUTCOME_UNCHANGED;
    }
    return MEMO_OK;
}

static memo_status ingest_compare(ingest_work *w, memo_err *err)
{
    memo_store_ns ns = {0};
    memo_err absent = {0};
    memo_status status = memo_store_find_ns(w->db->store, w->job->ns, &ns, &absent);

    if (status == MEMO_ERR_NOTFOUND || w->job->keep_chunks)
        return MEMO_OK;
    if (status) {
        if (err)
            *err = absent;
        return status;
    }
    status = memo_db_check_space(w->db, w->job->ns, &ns, "nothing was written", err);
    if (status || w->job->id || ns.space == 0)
        return status;
    status = memo_store_begin_read(w->db->store, err);
    if (status)
        return status;
    status = ingest_compare_all(w, ns.id, ns.space, err);
    memo_store_end_read(w->db->store);
    return status;
}

/* ---- 2: embed ------------------------------------------------------------------------------ */

/* A record that is there already was asked to be cut for the model of its time: what this one cannot
 * do is done as nearly as it can. */
static memo_status ingest_fit_chunks(ingest_work *w, memo_record_in *in, memo_err *err)
{
    size_t capacity = 0;
    memo_status status = MEMO_OK;

    if (!w->job->id || in->chunk_tokens == 0 || !w->db->model)
        return MEMO_OK;
    status = memo_db_capacity(w->db, &capacity, err);
    if (status == MEMO_OK && in->chunk_tokens > capacity) {
        in->chunk_tokens = capacity;
        if (in->chunk_overlap != SIZE_MAX && in->chunk_overlap > capacity / 2)
            in->chunk_overlap = capacity / 2;
    }
    return status;
}

static memo_status ingest_cut_all(ingest_work *w, memo_err *err)
{
    for (size_t i = 0; i < w->job->n; i++) {
        ingest_item *item = &w->items[i];
        memo_status status;
        if (item->done || item->put.keep_chunks || item->put.own_vectors)
            continue;
        status = memo_db_need_embedder(w->db, "a record without a vector", err);
        memo_record_in in = w->job->records[i];
        if (status == MEMO_OK)
            status = ingest_fit_chunks(w, &in, err);
        if (status == MEMO_OK)
            status = memo_document_cut(w->db, &in, &w->arena, &item->document, err);
        if (status)
            return w->job->n > 1 ? memo_err_prefix(err, status, "record %zu", i) : status;
        item->first_chunk = w->n_chunks;
        w->n_chunks += item->document.n;
    }
    return MEMO_OK;
}

static memo_status ingest_allocate(ingest_work *w, memo_err *err)
{
    size_t dim = w->db->space.dim;

    w->inputs = memo_arena_array(&w->arena, w->n_chunks, sizeof *w->inputs);
    w->chunks = memo_arena_array(&w->arena, w->n_chunks, sizeof *w->chunks);
    w->vectors = memo_reallocarray(NULL, w->n_chunks, dim * sizeof *w->vectors);
    if (!w->inputs || !w->chunks || !w->vectors)
        return memo_fail_nomem(err, "vectors of a batch", (uint64_t)w->n_chunks * dim * 4);
    for (size_t i = 0; i < w->job->n; i++) {
        ingest_item *item = &w->items[i];
        for (size_t j = 0; j < item->document.n; j++) {
            size_t at = item->first_chunk + j;
            w->inputs[at] = item->document.inputs[j];
            w->chunks[at].begin = item->document.spans[j][0];
            w->chunks[at].end = item->document.spans[j][1];
            w->chunks[at].vector = w->vectors + at * dim;
        }
        if (item->document.n) {
            item->put.chunks = w->chunks + item->first_chunk;
            item->put.n_chunks = item->document.n;
            item->put.own_vectors = w->job->chunks_only; /* other spans are what it is for */
        }
    }
    return MEMO_OK;
}

/* What is left of a deadline in ms for a callee, at least 1; 0 when there is none. */
static int64_t ingest_time_left(memo_deadline deadline)
{
    double left = deadline.at_ms - memo_monotonic_ms();

    if (deadline.at_ms == 0)
        return 0;
    return left > 1 ? (int64_t)left : 1;
}

/* Progress within a call of the model, told of the whole batch. */
static int ingest_tell(void *user, const memo_progress *p)
{
    const ingest_work *w = user;
    memo_progress told = {"embed", w->n_embedded + p->done, w->n_chunks, NULL};

    return w->job->progress(w->job->progress_user, &told);
}

/* The record that a chunk belongs to. */
static size_t ingest_record_of(const ingest_work *w, size_t chunk)
{
    size_t i = w->job->n;

    while (i-- > 0)
        if (w->items[i].document.n && w->items[i].first_chunk <= chunk)
            return i;
    return 0;
}

/* The model refused one of its texts: name the record. It says which text of its call, in words; so
 * the texts are asked for one by one, which gives the same vectors, until one fails again. */
static memo_status ingest_blame(ingest_work *w, const memo_embed_options *options, size_t n,
                                memo_status status, memo_err *err)
{
    static const char call[] = "text 0: ";
    size_t dim = w->db->space.dim;

    for (size_t c = w->n_embedded; c < w->n_embedded + n; c++) {
        memo_err why = {0};
        size_t i = ingest_record_of(w, c), chunk = c - w->items[i].first_chunk;
        const char *key = w->items[i].put.key;
        if (memo_db_embed(w->db, options, w->inputs + c, 1, w->vectors + c * dim, NULL, &why) !=
            status)
            continue;
        const char *reason = why.message;
        if (strncmp(reason, call, sizeof call - 1) == 0)
            reason += sizeof call - 1;
        return memo_fail(err, status, "record %zu%s%.64s%s, chunk %zu: %s", i,
                         key ? " (key \"" : "", key ? key : "", key ? "\")" : "", chunk, reason);
    }
    return status;
}

static memo_status ingest_embed(ingest_work *w, memo_err *err)
{
    memo_embed_result results[INGEST_EMBED_CHUNKS];
    memo_embed_options options = {.size = sizeof options,
                                  .role = MEMO_ROLE_DOCUMENT,
                                  .progress = w->job->progress ? ingest_tell : NULL,
                                  .progress_user = w};
    size_t dim = w->db->space.dim;

    while (w->n_embedded < w->n_chunks) {
        size_t at = w->n_embedded, n = w->n_chunks - at;
        memo_status status;
        if (n > INGEST_EMBED_CHUNKS)
            n = INGEST_EMBED_CHUNKS;
        options.deadline_ms = ingest_time_left(w->job->deadline);
        status =
            memo_db_embed(w->db, &options, w->inputs + at, n, w->vectors + at * dim, results, err);
        if (status == MEMO_ERR_CANCELLED)
            return memo_fail(err, status, "cancelled; nothing of this batch was written");
        if (status == MEMO_ERR_VALUE)
            return ingest_blame(w, &options, n, status, err);
        if (status)
            return status;
        for (size_t i = 0; i < n; i++)
            w->chunks[at + i].n_tokens = results[i].n_tokens_seen;
        w->n_embedded += n;
    }
    return MEMO_OK;
}

/* What records are compared by, made before the lock is taken. */
static memo_status ingest_sketch(ingest_work *w, memo_err *err)
{
    memo_status status = memo_likeness_look(&w->likeness, w->job->ns, w->job->actor, err);

    w->link = w->likeness.mode != MEMO_LINKS_OFF &&
              (w->n_embedded > 0 || w->job->n <= INGEST_LINK_RECORDS);
    for (size_t i = 0; i < w->job->n && status == MEMO_OK; i++) {
        ingest_item *item = &w->items[i];
        item->put.written = &item->written;
        if (item->done || item->put.keep_chunks || item->put.chunks_only || !w->link)
            continue;
        status = memo_likeness_sketch(&w->likeness, item->put.text, &item->sketch, err);
        item->put.sketch = item->sketch.hashes;
        item->put.n_sketch = item->sketch.n;
    }
    return status;
}

/* ---- 3: write ------------------------------------------------------------------------------ */

static memo_status ingest_write_record(ingest_work *w, ingest_item *item, int64_t ns, memo_err *err)
{
    memo_status status = memo_store_put_record(w->db->store, ns, &item->put, &item->result, err);

    if (status || item->result.outcome == MEMO_OUTCOME_UNCHANGED || !item->put.sketch ||
        !item->written.new_text)
        return status;
    return memo_likeness_link(&w->likeness, &item->written, item->put.text, &item->sketch, NULL,
                              err);
}

/* The namespace, made when it is new, and the space of its vectors. */
static memo_status ingest_place(ingest_work *w, int64_t *ns_id, int64_t *space_id, memo_err *err)
{
    memo_store_ns ns = {0};
    memo_status status = memo_store_make_ns(w->db->store, w->job->ns, &ns, err);

    *ns_id = ns.id;
    if (status || w->job->keep_chunks)
        return status;
    status = memo_db_check_space(w->db, w->job->ns, &ns, "nothing was written", err);
    if (status)
        return status;
    *space_id = ns.space;
    if (!ns.space) {
        status = memo_store_make_space(w->db->store, &w->db->space, space_id, err);
        if (status == MEMO_OK)
            status = memo_store_set_ns_space(w->db->store, ns.id, *space_id, err);
    }
    return status ? status : memo_external_keep_probes(w->db, *space_id, err);
}

static memo_status ingest_write(ingest_work *w, memo_err *err)
{
    int64_t ns = 0, space = 0;
    memo_status status;

    if (memo_deadline_passed(w->job->deadline))
        return memo_fail(err, MEMO_ERR_DEADLINE, "the deadline passed; nothing was written");
    status = memo_store_begin_write(w->db->store, err);
    if (status)
        return status;
    status = ingest_place(w, &ns, &space, err);
    for (size_t i = 0; i < w->job->n && status == MEMO_OK; i++) {
        ingest_item *item = &w->items[i];
        if (item->done)
            continue;
        item->put.space = space;
        status = ingest_write_record(w, item, ns, err);
        if (status && w->job->n > 1)
            memo_err_prefix(err, status, "record %zu", i);
    }
    if (status == MEMO_OK && w->job->also)
        status = w->job->also->fn(w->job->also->user, err);
    status = memo_store_end_write(w->db->store, status, err);
    if (status == MEMO_OK)
        memo_search_log_after_write(w->db);
    return status;
}

static memo_status ingest_prepare(ingest_work *w, memo_err *err)
{
    memo_status status = MEMO_OK;

    w->items = memo_arena_array(&w->arena, w->job->n, sizeof *w->items);
    if (!w->items)
        return memo_fail_nomem(err, "records of a batch", w->job->n * sizeof *w->items);
    for (size_t i = 0; i < w->job->n && status == MEMO_OK; i++)
        status = ingest_make_put(w, i, err);
    if (status == MEMO_OK)
        status = ingest_compare(w, err);
    if (status || w->job->compare_only)
        return status;
    status = ingest_cut_all(w, err);
    if (status == MEMO_OK && w->n_chunks)
        status = ingest_allocate(w, err);
    if (status == MEMO_OK && w->n_chunks)
        status = ingest_embed(w, err);
    return status ? status : ingest_sketch(w, err);
}

memo_status memo_ingest_run(memo_db *db, const memo_ingest *job, memo_err *err)
{
    ingest_work w = {.db = db, .job = job};
    memo_status status;
    size_t n_left = 0;

    if (job->n == 0)
        return MEMO_OK;
    status = memo_likeness_init(&w.likeness, db, job->ns, job->links, err);
    if (status == MEMO_OK)
        status = ingest_prepare(&w, err);
    for (size_t i = 0; i < job->n && status == MEMO_OK; i++)
        n_left += !w.items[i].done;
    if (status == MEMO_OK && n_left && !job->compare_only)
        status = ingest_write(&w, err);
    for (size_t i = 0; i < job->n && status == MEMO_OK && job->results; i++)
        memo_result_write_at(job->results, i, &w.items[i].result, sizeof w.items[i].result);
    memo_likeness_fini(&w.likeness);
    memo_free(w.vectors);
    memo_arena_fini(&w.arena);
    return status;
}
