// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/exported.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "memory/ingest/lines.h"

/* ---- members ------------------------------------------------------------------------------- */

memo_status memo_exported_string(const json_t *object, const char *name, memo_arena *arena,
                                 const char **out, memo_err *err)
{
    const char *s = NULL;
    memo_status status = memo_json_get_string(object, "line", name, 0, &s, err);

    if (status || !s)
        return status;
    *out = memo_arena_strdup(arena, s);
    return *out ? MEMO_OK : memo_fail_nomem(err, name, strlen(s));
}

memo_status memo_exported_need_string(const json_t *object, const char *name, memo_arena *arena,
                                      const char **out, memo_err *err)
{
    memo_status status = memo_exported_string(object, name, arena, out, err);

    return status || *out ? status
                          : memo_fail(err, MEMO_ERR_FORMAT, "there is no field \"%s\"", name);
}

/* A whole number within bounds; *out stays as it is when it is absent. */
memo_status memo_exported_int(const json_t *object, const char *name, int64_t min, int64_t max,
                              int64_t *out, memo_err *err)
{
    const json_t *value = json_object_get(object, name);

    if (!value)
        return MEMO_OK;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "field \"%s\": a whole number from %lld to %lld is "
                         "needed",
                         name, (long long)min, (long long)max);
    *out = json_integer_value(value);
    return MEMO_OK;
}

static memo_status exported_marks(const json_t *object, memo_arena *arena, memo_record_in *record,
                                  memo_err *err)
{
    int64_t trust = 0, pinned = 0, tier = 2;
    int *marks = memo_arena_array(arena, 3, sizeof *marks);
    memo_status status = memo_exported_int(object, "trust", -1, 1, &trust, err);

    if (!marks)
        return memo_fail_nomem(err, "marks of a record", 3 * sizeof *marks);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "pinned", 0, 1, &pinned, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "tier", 0, 2, &tier, err);
    marks[0] = (int)trust;
    marks[1] = (int)pinned;
    marks[2] = (int)tier;
    record->trust = &marks[0];
    record->pinned = &marks[1];
    record->tier = &marks[2];
    return status;
}

static memo_status exported_cut(const json_t *object, memo_record_in *record, memo_err *err)
{
    const json_t *cut = json_object_get(object, "cut");
    int64_t how = 0, tokens = 0, overlap = 0;
    memo_status status;

    if (!cut || record->chunking != MEMO_CHUNK_AUTO || record->chunk_tokens)
        return MEMO_OK; /* the caller's wish counts more */
    status = memo_exported_int(cut, "how", 0, MEMO_CHUNK_CODE, &how, err);
    if (status == MEMO_OK)
        status = memo_exported_int(cut, "tokens", 0, INT32_MAX, &tokens, err);
    if (status == MEMO_OK)
        status = memo_exported_int(cut, "overlap", -1, INT32_MAX, &overlap, err);
    record->chunking = (memo_chunking)how;
    record->chunk_tokens = (size_t)tokens;
    record->chunk_overlap = overlap < 0 ? SIZE_MAX : (size_t)overlap;
    return status;
}

/* ---- vectors ------------------------------------------------------------------------------- */

static memo_status exported_vector(const json_t *chunk, size_t (*span)[2], memo_arena *arena,
                                   memo_vector *vector, memo_err *err)
{
    const json_t *list = json_object_get(chunk, "vector");
    int64_t begin = -1, end = -1;
    size_t n = json_array_size(list);
    float *floats;
    memo_status status = memo_exported_int(chunk, "begin", 0, INT32_MAX, &begin, err);

    if (status == MEMO_OK)
        status = memo_exported_int(chunk, "end", 0, INT32_MAX, &end, err);
    if (status == MEMO_OK && (n == 0 || begin < 0 || end < 0))
        status = memo_fail(err, MEMO_ERR_FORMAT,
                           "field \"vectors\": a chunk without begin, end or vector");
    if (status)
        return status;
    floats = memo_arena_array(arena, n, sizeof *floats);
    if (!floats)
        return memo_fail_nomem(err, "a vector", n * sizeof *floats);
    for (size_t i = 0; i < n; i++) {
        const json_t *number = json_array_get(list, i);
        if (!json_is_number(number))
            return memo_fail(err, MEMO_ERR_FORMAT,
                             "field \"vectors\": component %zu is not a number", i);
        floats[i] = (float)json_number_value(number);
    }
    (*span)[0] = (size_t)begin;
    (*span)[1] = (size_t)end;
    *vector = (memo_vector){.f32 = floats, .dim = n};
    return MEMO_OK;
}

static memo_status exported_vectors(const json_t *object, memo_arena *arena, memo_record_in *record,
                                    memo_exported *out, memo_err *err)
{
    const json_t *all = json_object_get(object, "vectors");
    const json_t *chunks = json_object_get(all, "chunks");
    size_t n = json_array_size(chunks);
    memo_vector *vectors = memo_arena_array(arena, n + 1, sizeof *vectors);
    size_t(*spans)[2] = memo_arena_array(arena, n + 1, sizeof *spans);
    memo_status status = MEMO_OK;

    if (!all)
        return MEMO_OK;
    if (!vectors || !spans)
        return memo_fail_nomem(err, "vectors of a record", n * sizeof *vectors);
    status = memo_exported_string(all, "space", arena, &out->space, err);
    if (status == MEMO_OK)
        status = memo_exported_string(all, "fingerprint", arena, &out->print, err);
    if (status == MEMO_OK && (n == 0 || !out->space || !out->print))
        status =
            memo_fail(err, MEMO_ERR_FORMAT, "field \"vectors\" lacks space, fingerprint or chunks");
    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        status = exported_vector(json_array_get(chunks, i), &spans[i], arena, &vectors[i], err);
    record->vectors = vectors;
    record->n_vectors = n;
    record->spans = (const size_t(*)[2])spans;
    return status;
}

memo_status memo_exported_check_space(const memo_db *db, const memo_exported *exported, int reembed,
                                      memo_record_in *record, memo_err *err)
{
    const char *print = db->space.fingerprint, *name = db->space.name;

    if (!exported->print)
        return MEMO_OK;
    if (reembed) {
        record->vectors = NULL;
        record->spans = NULL;
        record->n_vectors = 0;
        return MEMO_OK;
    }
    /* The fingerprint of an external space is made of name and dimension, which the vector proves. */
    if ((print && strcmp(print, exported->print) == 0) ||
        (!db->model && name && strcmp(name, exported->space) == 0))
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_MISMATCH, "its vectors are of %s (%s), those of this store of %s (%s)",
              exported->space, exported->print, name ? name : "no model", print ? print : "none");
    return memo_hint(err, MEMO_ERR_MISMATCH, "--reembed makes them anew");
}

/* ---- all of it ----------------------------------------------------------------------------- */

const char *memo_exported_type(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));

    return type && json_is_integer(json_object_get(object, "memolith")) &&
                   strcmp(type, "record") != 0
               ? type
               : NULL;
}

memo_status memo_exported_check_form(const json_t *object, memo_err *err)
{
    const json_t *version = json_object_get(object, "memolith");

    if (json_integer_value(version) == MEMO_EXPORTED_VERSION)
        return MEMO_OK;
    return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                     "an exported line of form %lld; this program reads form %d",
                     (long long)json_integer_value(version), MEMO_EXPORTED_VERSION);
}

/* The identity that the record had: kept where it is new. One without a key is found by its id. */
static memo_status exported_kept(const json_t *object, memo_arena *arena, memo_record_in *record,
                                 memo_store_kept *kept, memo_err *err)
{
    const char *key = NULL;
    int64_t version = 0;
    memo_status status = memo_exported_string(object, "key", arena, &key, err);

    if (status == MEMO_OK)
        status = memo_exported_string(object, "id", arena, &kept->id, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "version", 1, INT64_MAX - 1, &version, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "updated", 0, INT64_MAX, &kept->updated_ms, err);
    kept->version = (uint64_t)version;
    kept->no_key = !key;
    record->key = key ? key : kept->id ? kept->id : record->key;
    return status;
}

memo_status memo_exported_read(const json_t *object, memo_arena *arena, memo_record_in *record,
                               memo_exported *out, memo_err *err)
{
    memo_status status;

    memset(out, 0, sizeof *out);
    if (!json_is_integer(json_object_get(object, "memolith")))
        return MEMO_OK;
    status = memo_exported_check_form(object, err);
    if (status)
        return status;
    out->is = 1;
    record->source = NULL;
    status = exported_kept(object, arena, record, &out->kept, err);
    if (status == MEMO_OK)
        status = memo_exported_string(object, "source", arena, &record->source, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "expires", 0, INT64_MAX, &record->expires_ms, err);
    if (status == MEMO_OK)
        status = exported_marks(object, arena, record, err);
    if (status == MEMO_OK)
        status = exported_cut(object, record, err);
    if (status == MEMO_OK)
        status = memo_exported_string(object, "parent", arena, &out->parent, err);
    if (status == MEMO_OK)
        status = memo_exported_string(object, "supersedes", arena, &out->supersedes, err);
    return status ? status : exported_vectors(object, arena, record, out, err);
}

memo_status memo_exported_version(json_t *object, memo_arena *arena, memo_store_put *put,
                                  memo_store_kept *kept, memo_err *err)
{
    const memo_import_options defaults = {.size = sizeof defaults};
    memo_record_in in;
    memo_exported said = {0};
    int64_t n_chunks = 1;
    memo_status status =
        memo_lines_object(object, (memo_text){"", 0}, &defaults, NULL, arena, &in, err);

    if (status == MEMO_OK)
        status = memo_exported_read(object, arena, &in, &said, err);
    if (status == MEMO_OK)
        status = memo_ingest_check(&in, err);
    if (status == MEMO_OK)
        status = memo_exported_int(object, "chunks", 0, INT32_MAX, &n_chunks, err);
    if (status == MEMO_OK && (!said.kept.id || !said.kept.version))
        status = memo_fail(err, MEMO_ERR_FORMAT, "a version without \"id\" or \"version\"");
    *kept = said.kept;
    kept->n_chunks = (size_t)n_chunks;
    *put = (memo_store_put){.id = kept->id,
                            .keep_chunks = 1,
                            .text = in.text,
                            .title = in.title,
                            .metadata = in.metadata_json,
                            .tags = in.tags,
                            .n_tags = in.n_tags,
                            .created_ms = in.created_ms,
                            .expires_ms = in.expires_ms,
                            .source = in.source,
                            .chunking = in.chunking,
                            .chunk_tokens = in.chunk_tokens,
                            .chunk_overlap = in.chunk_overlap,
                            .trust = in.trust,
                            .pinned = in.pinned,
                            .tier = in.tier,
                            .parent = said.parent,
                            .kept = kept};
    return status;
}
