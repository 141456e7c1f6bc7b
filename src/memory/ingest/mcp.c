// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/mcp.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "memory/facts/db_facts.h"
#include "memory/ingest/lines.h"

/* ---- a line -------------------------------------------------------------------------------- */

/* A member's string in the arena. */
static memo_status mcp_string(const json_t *object, const char *name, memo_arena *arena,
                              const char **out, memo_err *err)
{
    const char *s = NULL;
    memo_status status = memo_json_get_string(object, "line", name, 1, &s, err);

    if (status)
        return status;
    *out = memo_arena_strdup(arena, s);
    return *out ? MEMO_OK : memo_fail_nomem(err, name, strlen(s));
}

static memo_status mcp_observations(const json_t *object, memo_arena *arena, memo_mcp_line *out,
                                    memo_err *err)
{
    const json_t *list = json_object_get(object, "observations");

    if (list && !json_is_array(list))
        return memo_fail(err, MEMO_ERR_FORMAT, "\"observations\" is not an array");
    out->n = json_array_size(list);
    out->observations = memo_arena_array(arena, out->n + 1, sizeof *out->observations);
    if (!out->observations)
        return memo_fail_nomem(err, "observations", out->n * sizeof *out->observations);
    for (size_t i = 0; i < out->n; i++) {
        const json_t *item = json_array_get(list, i);
        const char *s = json_string_value(item);
        if (!s || strlen(s) != json_string_length(item))
            return memo_fail(err, MEMO_ERR_FORMAT, "observation %zu is not a text", i);
        if (strlen(s) > MEMO_MCP_OBSERVATION_BYTES)
            return memo_fail(err, MEMO_ERR_LIMIT,
                             "observation %zu has %zu bytes, at most %zu are allowed", i, strlen(s),
                             MEMO_MCP_OBSERVATION_BYTES);
        out->observations[i] = memo_arena_strdup(arena, s);
        if (!out->observations[i])
            return memo_fail_nomem(err, "observations", strlen(s));
    }
    return MEMO_OK;
}

static memo_status mcp_fill(const json_t *object, memo_arena *arena, memo_mcp_line *out,
                            memo_err *err)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    memo_status status;

    if (type && strcmp(type, "entity") == 0) {
        status = mcp_string(object, "name", arena, &out->entity, err);
        if (status == MEMO_OK)
            status = mcp_string(object, "entityType", arena, &out->kind, err);
        if (status == MEMO_OK && !*out->kind)
            out->kind = NULL;
        return status ? status : mcp_observations(object, arena, out, err);
    }
    if (!type || strcmp(type, "relation") != 0)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "neither an entity nor a relation: \"type\" is %s%.40s%s",
                         type ? "\"" : "", type ? type : "missing", type ? "\"" : "");
    status = mcp_string(object, "from", arena, &out->from, err);
    if (status == MEMO_OK)
        status = mcp_string(object, "relationType", arena, &out->relation, err);
    return status ? status : mcp_string(object, "to", arena, &out->to, err);
}

memo_status memo_mcp_read(memo_text line, memo_arena *arena, memo_mcp_line *out, memo_err *err)
{
    json_t *object = NULL;
    memo_status status =
        memo_json_parse(line.bytes, line.n_bytes, &memo_json_line_limits, "JSON", &object, err);

    memset(out, 0, sizeof *out);
    if (status == MEMO_OK && !json_is_object(object))
        status = memo_fail(err, MEMO_ERR_FORMAT, "the line is not a JSON object");
    if (status == MEMO_OK)
        status = mcp_fill(object, arena, out, err);
    json_decref(object);
    return status;
}

memo_status memo_mcp_looks_like(memo_text line, int *is, memo_err *err)
{
    memo_arena arena = {0};
    memo_mcp_line parsed;
    memo_status status = MEMO_OK;

    *is = line.n_bytes && memmem(line.bytes, line.n_bytes, "\"type\"", 6) &&
          (memmem(line.bytes, line.n_bytes, "\"entityType\"", 12) ||
           memmem(line.bytes, line.n_bytes, "\"relationType\"", 14));
    if (*is)
        status = memo_mcp_read(line, &arena, &parsed, err);
    *is &= status == MEMO_OK;
    memo_arena_fini(&arena);
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Who is meant by a name of the file that several entities have. */
typedef struct mcp_chosen {
    const char *name;
    char id[MEMO_ID_BYTES];
} mcp_chosen;

/* One pass over the lines of a file. */
typedef struct mcp_pass {
    memo_import_work *w;
    const char *path, *source; /* as given; of the records */
    int facts;                 /* the second pass: entities and observations are there */
    memo_arena arena;          /* of the line */
    memo_buf bad;              /* numbers (uint64_t) of the lines that the first pass reported */
    size_t bad_at;             /* of the one that comes next in the second pass */
    memo_buf keys;             /* of the observations that the first pass has read */
    int has_entity;            /* a file that says nothing at all is not believed */
    memo_buf chosen;           /* mcp_chosen, by the first pass for the second */
    memo_arena chosen_names;   /* theirs */
    uint64_t *counted;         /* instead of all this, count steps; or NULL */
} mcp_pass;

memo_status memo_mcp_key(const char *entity, const char *observation, memo_arena *arena,
                         const char **key, memo_err *err)
{
    size_t n = strlen(entity), m = strlen(observation);
    char *joined = memo_arena_alloc(arena, n + 1 + m + 1);

    if (!joined)
        return memo_fail_nomem(err, "key", n + m);
    memcpy(joined, entity, n + 1);
    memcpy(joined + n + 1, observation, m + 1);
    return memo_lines_hash_key((memo_text){joined, n + 1 + m}, arena, key, err);
}

/* What leads to the entity of that name: its id where the first pass has chosen among several. */
static const char *mcp_who(const mcp_pass *p, const char *name)
{
    const mcp_chosen *chosen = (const mcp_chosen *)(const void *)p->chosen.data;

    for (size_t i = 0; i < p->chosen.n / sizeof *chosen; i++)
        if (strcmp(chosen[i].name, name) == 0)
            return chosen[i].id;
    return name;
}

static memo_status mcp_choose(mcp_pass *p, const char *name, const char *id, memo_err *err)
{
    mcp_chosen chosen = {.name = NULL};

    if (mcp_who(p, name) != name)
        return MEMO_OK;
    chosen.name = memo_arena_strdup(&p->chosen_names, name);
    memcpy(chosen.id, id, sizeof chosen.id);
    if (chosen.name)
        memo_buf_append(&p->chosen, &chosen, sizeof chosen);
    return chosen.name && !p->chosen.failed ? MEMO_OK : memo_fail_nomem(err, "names", p->chosen.n);
}

static memo_status mcp_put_entity(mcp_pass *p, const memo_mcp_line *line, memo_err *err)
{
    memo_facts_met met;
    memo_status status;

    if (p->w->options.dry_run)
        return MEMO_OK;
    status =
        memo_facts_meet_entity(p->w->db, p->w->options.ns, line->entity, line->kind, &met, err);
    if (status)
        return status;
    p->w->report->n_entities += met.made != 0;
    return met.several ? mcp_choose(p, line->entity, met.id, err) : MEMO_OK;
}

/* An observation as a record; its strings move to the group's arena. */
static memo_status mcp_make_record(mcp_pass *p, const memo_mcp_line *line, const char *text,
                                   memo_record_in *record, memo_err *err)
{
    memo_import_work *w = p->w;

    *record = (memo_record_in){.size = sizeof *record,
                               .text = {memo_arena_strdup(&w->arena, text), strlen(text)},
                               .title = memo_arena_strdup(&w->arena, line->entity),
                               .source = p->source,
                               .chunking = w->options.chunking,
                               .chunk_tokens = w->options.chunk_tokens,
                               .chunk_overlap = w->options.chunk_overlap};
    if (!record->text.bytes || !record->title)
        return memo_fail_nomem(err, "observation", strlen(text));
    memo_status status = memo_mcp_key(line->entity, text, &w->arena, &record->key, err);
    return status ? status : memo_ingest_check(record, err);
}

static memo_status mcp_put_fact(mcp_pass *p, const memo_fact_in *fact, memo_err *err)
{
    memo_fact_result result = {.size = sizeof result, .outcome = MEMO_OUTCOME_UNCHANGED};
    memo_status status = memo_db_fact_add(p->w->db, p->w->options.ns, fact, &result, err);

    p->w->report->n_facts += status == MEMO_OK && result.outcome != MEMO_OUTCOME_UNCHANGED;
    p->w->report->n_entities +=
        status == MEMO_OK ? (uint64_t)(result.made_subject != 0) + (result.made_object != 0) : 0;
    return status;
}

/* All of a line's facts. */
static memo_status mcp_put_facts(mcp_pass *p, const memo_mcp_line *line, memo_err *err)
{
    memo_status status = MEMO_OK;

    if (!line->entity) {
        const memo_fact_in fact = {.size = sizeof fact,
                                   .subject = mcp_who(p, line->from),
                                   .relation = line->relation,
                                   .object = mcp_who(p, line->to)};
        return mcp_put_fact(p, &fact, err);
    }
    for (size_t i = 0; i < line->n && status == MEMO_OK; i++) {
        memo_evidence_in evidence = {0};
        const memo_fact_in fact = {.size = sizeof fact,
                                   .subject = mcp_who(p, line->entity),
                                   .relation = "observation",
                                   .value = line->observations[i],
                                   .evidence = &evidence,
                                   .n_evidence = 1};
        status =
            memo_mcp_key(line->entity, line->observations[i], &p->arena, &evidence.record, err);
        if (status == MEMO_OK)
            status = mcp_put_fact(p, &fact, err);
    }
    return status;
}

/* The first pass: an entity and its observations. *bad is set to what is wrong with the data. */
static memo_status mcp_put_records(mcp_pass *p, const memo_mcp_line *line, uint64_t number,
                                   memo_status *bad, memo_err *why, memo_err *err)
{
    const memo_import_origin origin = {p->path, number};

    *bad = line->entity ? mcp_put_entity(p, line, why) : MEMO_OK;
    if (*bad || !line->entity)
        return MEMO_OK;
    p->w->done++;
    p->has_entity = 1;
    for (size_t i = 0; i < line->n; i++) {
        memo_record_in record;
        memo_status status;
        *bad = mcp_make_record(p, line, line->observations[i], &record, why);
        if (*bad)
            return MEMO_OK;
        memo_buf_append(&p->keys, record.key, MEMO_MCP_KEY_BYTES);
        if (p->keys.failed)
            return memo_fail_nomem(err, "keys of observations", p->keys.n);
        status = memo_import_take(p->w, &record, NULL, origin, err);
        if (status)
            return status;
    }
    return MEMO_OK;
}

/* Report a line of the first pass, and remember not to look at it in the second. */
static memo_status mcp_report(mcp_pass *p, uint64_t number, const memo_err *why, memo_err *err)
{
    memo_buf_append(&p->bad, &number, sizeof number);
    if (p->bad.failed)
        return memo_fail_nomem(err, "bad lines of a file", p->bad.n);
    return memo_import_bad(p->w, p->path, number, why, err);
}

static int mcp_was_bad(mcp_pass *p, uint64_t number)
{
    uint64_t next = 0;

    if (p->bad_at + sizeof next > p->bad.n)
        return 0;
    memcpy(&next, p->bad.data + p->bad_at, sizeof next);
    p->bad_at += next == number ? sizeof next : 0;
    return next == number;
}

static memo_status mcp_line(mcp_pass *p, memo_text line, uint64_t number, memo_err *err)
{
    memo_mcp_line parsed;
    memo_err why = {0};
    memo_status bad, status = MEMO_OK;

    if (p->facts && mcp_was_bad(p, number))
        return MEMO_OK;
    bad = memo_mcp_read(line, &p->arena, &parsed, &why);
    if (p->counted) {
        *p->counted += bad || !parsed.entity ? 1 : 1 + parsed.n;
        return bad == MEMO_ERR_NOMEM ? memo_fail_nomem(err, "line of a file", line.n_bytes)
                                     : MEMO_OK;
    }
    if (bad == MEMO_OK && p->facts) {
        bad = mcp_put_facts(p, &parsed, &why);
        p->w->done += bad == MEMO_OK && !parsed.entity;
        if (bad == MEMO_OK)
            status = memo_import_tell(p->w, err);
    } else if (bad == MEMO_OK) {
        status = mcp_put_records(p, &parsed, number, &bad, &why, err);
    }
    if (status || bad == MEMO_OK)
        return status;
    if (memo_import_is_bad_data(bad))
        return mcp_report(p, number, &why, err);
    if (err)
        *err = why;
    return bad;
}

/* The file cannot be unpacked to its end. Counting, it is an error; later it was found before, and what
 * stood before the damage is asked for. */
static memo_status mcp_broken(mcp_pass *p, uint64_t number, memo_status status, const memo_err *why,
                              memo_err *err)
{
    if (!p->counted && p->facts)
        return MEMO_OK;
    if (!p->counted && memo_import_is_bad_data(status))
        return mcp_report(p, number, why, err);
    if (err)
        *err = *why;
    return memo_err_prefix(err, status, "%s:%llu", p->path, (unsigned long long)number);
}

static memo_status mcp_run(mcp_pass *p, memo_err *err)
{
    memo_file file = {0};
    memo_lines lines = {0};
    int more = 1;
    memo_status status = memo_lines_open(&lines, &file, p->path, p->w->options.unpacker, err);

    while (status == MEMO_OK) {
        memo_text line = {NULL, 0};
        memo_err why = {0};
        status = memo_lines_next(&lines, &line, &more, &why);
        if (status == MEMO_OK && !more)
            break;
        if (status == MEMO_OK) {
            status = mcp_line(p, line, lines.number, err);
        } else if (lines.broken) {
            status = mcp_broken(p, lines.number, status, &why, err);
        } else if (status == MEMO_ERR_LIMIT) {
            status = MEMO_OK;
            if (p->counted)
                ++*p->counted;
            else if (!p->facts || !mcp_was_bad(p, lines.number))
                status = mcp_report(p, lines.number, &why, err);
        } else if (err) {
            *err = why;
        }
        memo_arena_fini(&p->arena);
    }
    memo_lines_fini(&lines);
    memo_file_close(&file);
    return status;
}

memo_status memo_mcp_count(memo_import_work *w, const char *path, uint64_t *n, memo_err *err)
{
    mcp_pass pass = {.w = w, .path = path, .counted = n};

    *n = 0;
    return mcp_run(&pass, err);
}

memo_status memo_mcp_import(memo_import_work *w, const memo_walk_file *file, memo_err *err)
{
    mcp_pass pass = {.w = w, .path = file->path, .source = file->real};
    const uint64_t n_failed = w->report->n_failed;
    memo_status status = mcp_run(&pass, err);

    if (status == MEMO_OK)
        status = memo_import_flush(w, err); /* the records that are to be evidence */
    pass.facts = 1;
    if (status == MEMO_OK && !w->options.dry_run)
        status = mcp_run(&pass, err);
    /* With a bad line it is not known what the file says. */
    if (status == MEMO_OK && pass.has_entity && pass.bad.n == 0 && w->report->n_failed == n_failed)
        status = memo_mcp_forget_stale(w, file->real, &pass.keys, err);
    memo_arena_fini(&pass.chosen_names);
    memo_buf_fini(&pass.chosen);
    memo_buf_fini(&pass.keys);
    memo_buf_fini(&pass.bad);
    return status;
}
