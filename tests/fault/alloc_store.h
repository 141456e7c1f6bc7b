// SPDX-License-Identifier: Apache-2.0
/* fault/alloc_store.h -- scenarios of a store: open, add, edit, forget, import, get, list, search,
 * doctor, and three that are wrong on purpose. */
#ifndef MEMO_FAULT_ALLOC_STORE_H
#define MEMO_FAULT_ALLOC_STORE_H

#include "alloc_env.h"
#include "alloc_memory.h"

/* ---- open and close ------------------------------------------------------------------------ */

/* a: mode; b: with a model. */
static memo_status alloc_run_db_open(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_db_options o = {.size = sizeof o,
                               .mode = (memo_open_mode)s->a,
                               .model = s->b ? e->model : NULL,
                               .busy_timeout_ms = 100};
    char path[512];
    memo_db *db = NULL;
    memo_status status;
    alloc_path(path, e->base, s->text ? s->text : "");
    status = memo_db_open(e->ctx, s->text ? path : e->store, &o, &db, err);
    seam_stop();
    if (!status)
        status = alloc_print_store(e->out, db, err);
    memo_db_close(db);
    return status;
}

/* What a program does first, with nothing of the libraries used before. */
static memo_status alloc_run_first_use(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_db_options open = {.size = sizeof open, .busy_timeout_ms = 100};
    char path[512];
    memo_ctx *ctx = NULL;
    memo_model *model = NULL;
    memo_db *db = NULL;
    memo_hits *hits = NULL;
    memo_status status = memo_ctx_new(NULL, &ctx, err);
    (void)s;
    alloc_path(path, e->base, "tiny.model");
    if (!status)
        status = memo_model_open(ctx, path, NULL, &model, err);
    open.model = model;
    if (!status)
        status = memo_db_open(ctx, e->store, &open, &db, err);
    if (!status)
        status = memo_db_search(db, MEMO_STR("the key"), NULL, &hits, err);
    seam_stop();
    if (!status)
        alloc_print_hits(e->out, hits);
    memo_hits_free(hits);
    memo_db_close(db);
    memo_model_close(model);
    memo_ctx_free(ctx);
    return status;
}

/* memo_db_close() cannot fail; without memory it must still lose nothing. */
static memo_status alloc_run_close(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_record_in in = alloc_record("n-1", "another text of the note that is closed upon");
    int armed = seam_pause();
    memo_status status;
    (void)s;
    status = memo_db_add(e->db, NULL, &in, 1, NULL, err);
    seam_resume(armed);
    memo_db_close(e->db);
    seam_stop();
    e->db = NULL;
    return status;
}

/* ---- write --------------------------------------------------------------------------------- */

static void alloc_print_added(FILE *f, const memo_add_result *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%d v%llu c%zu t%zu\n", (int)r[i].outcome, (unsigned long long)r[i].version,
                r[i].n_chunks, r[i].n_tokens);
}

/* text NULL: the long one; a: chunking, b: 1 every field, 2 another namespace. */
static memo_status alloc_run_add(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    static const char *const tags[] = {"one", "two \"quoted\"", "a third that is a long tag"};
    const memo_write_options o = {.size = sizeof o, .ns = s->b == 2 ? "new" : NULL};
    memo_record_in in = alloc_record("new", s->text ? s->text : alloc_long_text);
    memo_add_result result = {.size = sizeof result};
    memo_status status;
    in.chunking = (memo_chunking)s->a;
    if (s->b == 1) {
        in.key = "n-1";
        in.title = "A title of the record";
        in.metadata_json = "{\"place\": \"Porto\", \"n\": 12.5, \"list\": [1, 2, {\"x\": null}], "
                           "\"a long name of a field\": \"and a long value, longer than others\"}";
        in.tags = tags;
        in.n_tags = 3;
        in.source = "/some/path.md";
        in.expires_ms = ALLOC_NOW_MS + 100000;
        in.chunk_tokens = 20;
        in.chunk_overlap = 4;
    }
    status = memo_db_add(e->db, &o, &in, 1, &result, err);
    seam_stop();
    if (!status)
        alloc_print_added(e->out, &result, 1);
    return status;
}

enum { ALLOC_BATCH = 8 };

/* New, changed, unchanged and doubled keys; with a = 1 the last one is refused. */
static memo_status alloc_run_batch(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_record_in in[ALLOC_BATCH];
    memo_add_result results[ALLOC_BATCH] = {{.size = sizeof *results}};
    char keys[ALLOC_BATCH][16];
    memo_status status;
    for (size_t i = 0; i < ALLOC_BATCH; i++) {
        snprintf(keys[i], sizeof keys[i], i < 3 ? "n-%zu" : "new-%zu", i + 1);
        in[i] = alloc_record(keys[i], i == 0 ? alloc_notes[0][1] : "a note of the batch");
    }
    in[6].key = "new-4";
    in[6].text = MEMO_STR("another text for a key of the same batch");
    if (s->a)
        in[ALLOC_BATCH - 1].text = MEMO_STR(" \n ");
    status = memo_db_add(e->db, NULL, in, ALLOC_BATCH, results, err);
    seam_stop();
    if (!status)
        alloc_print_added(e->out, results, ALLOC_BATCH);
    return status;
}

static memo_status alloc_run_edit(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    static const char *const tags[] = {"red", "blue"};
    const memo_text text = MEMO_STR("an edited text about the flower pot");
    const int64_t never = 0;
    const memo_record_edit edit = {.size = sizeof edit,
                                   .text = s->a & 1 ? &text : NULL,
                                   .title = s->a & 2 ? "An edited title" : NULL,
                                   .metadata_json =
                                       s->a & 4 ? "{\"n\":null,\"m\":\"added\"}" : NULL,
                                   .tags = tags,
                                   .n_tags = s->a & 8 ? 2 : 0,
                                   .set_tags = (s->a & 8) != 0,
                                   .expires_ms = s->a & 16 ? &never : NULL};
    memo_add_result result = {.size = sizeof result};
    memo_status status = memo_db_edit(e->db, NULL, s->text, &edit, &result, err);
    seam_stop();
    if (!status)
        alloc_print_added(e->out, &result, 1);
    return status;
}

/* text: the key, or with b = 1 the filter; a: dry run. */
static memo_status alloc_run_forget(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const char *ids[] = {s->text, "nobody"};
    const memo_forget_options o = {.size = sizeof o,
                                   .ids = ids,
                                   .n_ids = s->b ? 0 : 2,
                                   .where = s->b ? s->text : NULL,
                                   .dry_run = s->a};
    uint64_t n_forgotten = 0, n_absent = 0;
    memo_status status = memo_db_forget(e->db, &o, &n_forgotten, &n_absent, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%llu %llu", (unsigned long long)n_forgotten, (unsigned long long)n_absent);
    return status;
}

/* text: file or folder; a: skip bad ones; b: run it once before, so that nothing is left to do. */
static memo_status alloc_run_import(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_import_options o = {.size = sizeof o, .skip_bad = s->a, .chunk_tokens = 24};
    memo_import_report r = {.size = sizeof r};
    char path[512];
    const char *paths[] = {path};
    memo_status status = MEMO_OK;
    alloc_path(path, e->base, s->text);
    if (s->b) {
        int armed = seam_pause();
        status = memo_db_import(e->db, paths, 1, &o, &r, err);
        seam_resume(armed);
    }
    if (!status)
        status = memo_db_import(e->db, paths, 1, &o, &r, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%llu %llu %llu %llu %llu %llu %llu %llu", (unsigned long long)r.n_files,
                (unsigned long long)r.n_new, (unsigned long long)r.n_changed,
                (unsigned long long)r.n_unchanged, (unsigned long long)r.n_skipped,
                (unsigned long long)r.n_failed, (unsigned long long)r.n_chunks,
                (unsigned long long)r.n_tokens);
    return status;
}

/* ---- read ---------------------------------------------------------------------------------- */

static memo_status alloc_run_get(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_records *r = NULL;
    memo_status status = memo_db_get(e->db, s->a ? "work" : NULL, s->text, &r, err);
    seam_stop();
    if (!status)
        alloc_print_records(e->out, r);
    memo_records_free(r);
    return status;
}

/* a: oldest first; b: page length, two pages. */
static memo_status alloc_run_list(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_list_options o = {
        .size = sizeof o, .where = s->text, .limit = (size_t)s->b, .oldest_first = s->a};
    memo_records *first = NULL, *second = NULL;
    memo_status status = memo_db_list(e->db, &o, &first, err);
    if (!status && first->next) {
        o.after = first->next;
        status = memo_db_list(e->db, &o, &second, err);
    }
    seam_stop();
    if (!status)
        alloc_print_records(e->out, first);
    if (!status && second)
        alloc_print_records(e->out, second);
    memo_records_free(first);
    memo_records_free(second);
    return status;
}

static memo_status alloc_run_stats(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_db_stats stats = {.size = sizeof stats};
    memo_status status = memo_db_get_stats(e->db, &stats, err);
    (void)s;
    seam_stop();
    if (!status)
        fprintf(e->out, "%llu %llu %llu", (unsigned long long)stats.n_records,
                (unsigned long long)stats.n_chunks, (unsigned long long)stats.change_seq);
    return status;
}

/* a: mode; b: 1 chunks, 2 a filter, 3 both, 4 the other namespace, 5 an empty one, 6 one hit. */
static memo_status alloc_run_search(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    static const char filter[] =
        "(tags in ('home', 'odd') or meta.n >= 2) and not (text contains 'nothing')";
    const memo_search_options o = {.size = sizeof o,
                                   .mode = (memo_search_mode)s->a,
                                   .chunks = s->b == 1 || s->b == 3,
                                   .where = s->b == 2 || s->b == 3 ? filter : NULL,
                                   .ns = s->b == 4   ? "work"
                                         : s->b == 5 ? "nowhere"
                                                     : NULL,
                                   .k = s->b == 6 ? 1 : 0};
    memo_hits *hits = NULL;
    memo_status status = memo_db_search(e->db, MEMO_STR(s->text), &o, &hits, err);
    seam_stop();
    if (!status)
        alloc_print_hits(e->out, hits);
    memo_hits_free(hits);
    return status;
}

static memo_status alloc_run_doctor(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_findings *f = NULL;
    memo_status status = memo_db_doctor(e->db, &f, err);
    (void)s;
    seam_stop();
    for (size_t i = 0; !status && i < f->n; i++)
        fprintf(e->out, "%d %s: %s\n", (int)f->findings[i].level, f->findings[i].area,
                f->findings[i].message);
    memo_findings_free(f);
    return status;
}

/* ---- wrong on purpose ---------------------------------------------------------------------- */

static memo_status alloc_run_control_leak(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    void *first = memo_malloc(8), *second = first ? memo_malloc(8) : NULL;
    (void)e, (void)s;
    if (!first || !second)
        return memo_fail_nomem(err, "the second of two blocks, and the first is forgotten", 8);
    memo_free(first);
    memo_free(second);
    return MEMO_OK;
}

static memo_status alloc_run_control_wrong(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_buf buf = {0};
    (void)s, (void)err;
    for (int i = 0; i < 100; i++)
        memo_buf_printf(&buf, "part %d ", i);
    seam_stop();
    fprintf(e->out, "%s", buf.data ? buf.data : ""); /* buf.failed is not looked at */
    memo_buf_fini(&buf);
    return MEMO_OK;
}

/* The failure is noticed and told as something else. */
static memo_status alloc_run_control_swallowed(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    void *block = memo_malloc(8);
    (void)e, (void)s;
    if (!block)
        return memo_fail(err, MEMO_ERR_NOTFOUND, "there is nothing");
    memo_free(block);
    return MEMO_OK;
}

static memo_status alloc_run_control_crash(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    volatile char *p = memo_malloc(8);
    (void)e, (void)s, (void)err;
    p[0] = 1;
    memo_free((void *)(uintptr_t)p);
    return MEMO_OK;
}

/* ---- the list ------------------------------------------------------------------------------ */

#define ALLOC_WRITES (ALLOC_DB | ALLOC_CHANGES)

static const alloc_scenario alloc_store_scenarios[] = {
    {"first use", ALLOC_STORE | ALLOC_FRESH, alloc_run_first_use, NULL, 0, 0},
    {"first open", ALLOC_STORE | ALLOC_FRESH, alloc_run_db_open, NULL, MEMO_OPEN_READ_ONLY, 0},
    {"store new", ALLOC_NO_STORE | ALLOC_CHANGES, alloc_run_db_open, NULL, MEMO_OPEN_CREATE, 1},
    {"store open", ALLOC_STORE, alloc_run_db_open, NULL, MEMO_OPEN_CREATE, 1},
    {"store open existing", ALLOC_STORE, alloc_run_db_open, NULL, MEMO_OPEN_EXISTING, 0},
    {"store open to read", ALLOC_STORE, alloc_run_db_open, NULL, MEMO_OPEN_READ_ONLY, 1},
    {"store open after a kill", ALLOC_STORE | ALLOC_LOG, alloc_run_db_open, NULL,
     MEMO_OPEN_EXISTING, 1},
    {"store read after a kill", ALLOC_STORE | ALLOC_LOG, alloc_run_db_open, NULL,
     MEMO_OPEN_READ_ONLY, 0},
    {"store absent", ALLOC_NO_STORE, alloc_run_db_open, NULL, MEMO_OPEN_EXISTING, 0},
    {"store is a model", 0, alloc_run_db_open, "tiny.model", MEMO_OPEN_EXISTING, 0},
    {"store is a folder", 0, alloc_run_db_open, "in", MEMO_OPEN_CREATE, 0},
    {"close after a write", ALLOC_WRITES, alloc_run_close, NULL, 0, 0},
    {"close after a kill", ALLOC_WRITES | ALLOC_LOG, alloc_run_close, NULL, 0, 0},
    {"add", ALLOC_WRITES, alloc_run_add, "a new note about the key", MEMO_CHUNK_AUTO, 0},
    {"add every field", ALLOC_WRITES, alloc_run_add, NULL, MEMO_CHUNK_PLAIN, 1},
    {"add long", ALLOC_WRITES, alloc_run_add, NULL, MEMO_CHUNK_PLAIN, 0},
    {"add Markdown", ALLOC_WRITES, alloc_run_add, NULL, MEMO_CHUNK_MARKDOWN, 0},
    {"add uncut", ALLOC_WRITES, alloc_run_add, NULL, MEMO_CHUNK_NONE, 0},
    {"add to a new namespace", ALLOC_WRITES, alloc_run_add, "a note elsewhere", MEMO_CHUNK_AUTO, 2},
    {"add after a kill", ALLOC_WRITES | ALLOC_LOG, alloc_run_add, "a new note", MEMO_CHUNK_AUTO, 0},
    {"add a blank text", ALLOC_DB, alloc_run_add, " ", MEMO_CHUNK_AUTO, 0},
    {"add without a model", ALLOC_DB | ALLOC_NO_MODEL, alloc_run_add, "x", MEMO_CHUNK_AUTO, 0},
    {"add to a read-only store", ALLOC_DB | ALLOC_READ_ONLY, alloc_run_add, "x", MEMO_CHUNK_AUTO,
     0},
    {"add a batch", ALLOC_WRITES, alloc_run_batch, NULL, 0, 0},
    {"add a bad batch", ALLOC_DB, alloc_run_batch, NULL, 1, 0},
    {"edit text", ALLOC_WRITES, alloc_run_edit, "n-1", 1, 0},
    {"edit title", ALLOC_WRITES, alloc_run_edit, "n-2", 2, 0},
    {"edit metadata", ALLOC_WRITES, alloc_run_edit, "n-3", 4, 0},
    {"edit tags", ALLOC_WRITES, alloc_run_edit, "long", 8, 0},
    {"edit everything", ALLOC_WRITES, alloc_run_edit, "long", 31, 0},
    {"edit nobody", ALLOC_DB, alloc_run_edit, "nobody", 2, 0},
    {"forget a key", ALLOC_WRITES, alloc_run_forget, "long", 0, 0},
    {"forget by filter", ALLOC_WRITES, alloc_run_forget, "tags = 'home'", 0, 1},
    {"forget dry", ALLOC_DB, alloc_run_forget, "tags = 'home'", 1, 1},
    {"import lines", ALLOC_WRITES, alloc_run_import, "in/lines.ndjson", 0, 0},
    {"import bad lines", ALLOC_WRITES, alloc_run_import, "in/bad.ndjson", 1, 0},
    {"import and stop", ALLOC_WRITES, alloc_run_import, "in/bad.ndjson", 0, 0},
    {"import CSV", ALLOC_WRITES, alloc_run_import, "in/table.csv", 0, 0},
    {"import an array", ALLOC_WRITES, alloc_run_import, "in/array.json", 0, 0},
    {"import Markdown", ALLOC_WRITES, alloc_run_import, "in/notes.md", 0, 0},
    {"import a folder", ALLOC_WRITES, alloc_run_import, "in", 1, 0},
    {"import again", ALLOC_WRITES | ALLOC_PREPARES, alloc_run_import, "in/lines.ndjson", 0, 1},
    {"import absent", ALLOC_DB, alloc_run_import, "in/absent", 0, 0},
    {"get by key", ALLOC_DB, alloc_run_get, "n-2", 0, 0},
    {"get long", ALLOC_DB, alloc_run_get, "long", 0, 0},
    {"get of a namespace", ALLOC_DB, alloc_run_get, "n-4", 1, 0},
    {"get absent", ALLOC_DB, alloc_run_get, "nobody", 0, 0},
    {"get after a kill", ALLOC_DB | ALLOC_LOG, alloc_run_get, "late", 0, 0},
    {"list", ALLOC_DB, alloc_run_list, NULL, 0, 0},
    {"list pages", ALLOC_DB, alloc_run_list, NULL, 1, 2},
    {"list filtered", ALLOC_DB, alloc_run_list, "meta.n > 1 and tags exists", 0, 20},
    {"list by text", ALLOC_DB, alloc_run_list, "text contains 'key' and created < now", 1, 1},
    {"list wrong filter", ALLOC_DB, alloc_run_list, "title ~ 'x'", 0, 0},
    {"list read-only", ALLOC_DB | ALLOC_READ_ONLY | ALLOC_LOG, alloc_run_list, NULL, 0, 0},
    {"stats", ALLOC_DB, alloc_run_stats, NULL, 0, 0},
    {"search dense", ALLOC_DB, alloc_run_search, "spare key", MEMO_SEARCH_DENSE, 0},
    {"search dense chunks", ALLOC_DB, alloc_run_search, "the boiler", MEMO_SEARCH_DENSE, 1},
    {"search dense filtered", ALLOC_DB, alloc_run_search, "a note", MEMO_SEARCH_DENSE, 2},
    {"search lexical", ALLOC_DB, alloc_run_search, "keys of flowers", MEMO_SEARCH_LEXICAL, 0},
    {"search lexical filtered", ALLOC_DB, alloc_run_search, "key note", MEMO_SEARCH_LEXICAL, 3},
    {"search lexical without a model", ALLOC_DB | ALLOC_NO_MODEL, alloc_run_search, "key",
     MEMO_SEARCH_HYBRID, 0},
    {"search hybrid", ALLOC_DB, alloc_run_search, "where is the spare key", MEMO_SEARCH_HYBRID, 0},
    {"search hybrid chunks", ALLOC_DB, alloc_run_search, "note about a key", MEMO_SEARCH_HYBRID, 1},
    {"search hybrid filtered", ALLOC_DB, alloc_run_search, "the key", MEMO_SEARCH_HYBRID, 3},
    {"search a name", ALLOC_DB, alloc_run_search, "what is ERR-4512", MEMO_SEARCH_HYBRID, 0},
    {"search a path", ALLOC_DB, alloc_run_search, "src/a.c \"of the cellar\"", MEMO_SEARCH_HYBRID,
     0},
    {"search a key", ALLOC_DB, alloc_run_search, "n-2", MEMO_SEARCH_HYBRID, 0},
    {"search one", ALLOC_DB, alloc_run_search, "the garden", MEMO_SEARCH_HYBRID, 6},
    {"search a namespace", ALLOC_DB, alloc_run_search, "nothing", MEMO_SEARCH_HYBRID, 4},
    {"search nowhere", ALLOC_DB, alloc_run_search, "key", MEMO_SEARCH_HYBRID, 5},
    {"search after a kill", ALLOC_DB | ALLOC_LOG, alloc_run_search, "late log", MEMO_SEARCH_HYBRID,
     0},
    {"search read-only", ALLOC_DB | ALLOC_READ_ONLY, alloc_run_search, "key", MEMO_SEARCH_HYBRID,
     0},
    {"doctor", ALLOC_DB, alloc_run_doctor, NULL, 0, 0},
    {"doctor without a model", ALLOC_DB | ALLOC_NO_MODEL, alloc_run_doctor, NULL, 0, 0},
    {"doctor read-only", ALLOC_DB | ALLOC_READ_ONLY | ALLOC_LOG, alloc_run_doctor, NULL, 0, 0},
    {"doctor of damage", ALLOC_DB | ALLOC_DAMAGED | ALLOC_SLOW, alloc_run_doctor, NULL, 0, 0},
    {"get damage", ALLOC_DB | ALLOC_DAMAGED, alloc_run_get, "n-3", 0, 0},
    {"get beside damage", ALLOC_DB | ALLOC_DAMAGED, alloc_run_get, "n-1", 0, 0},
    {"list with damage", ALLOC_DB | ALLOC_DAMAGED, alloc_run_list, NULL, 0, 0},
    {"list filtered with damage", ALLOC_DB | ALLOC_DAMAGED, alloc_run_list, "meta.n >= 1", 0, 20},
    {"search damage", ALLOC_DB | ALLOC_DAMAGED, alloc_run_search, "the key of the boiler",
     MEMO_SEARCH_HYBRID, 0},
    {"search damage dense", ALLOC_DB | ALLOC_DAMAGED, alloc_run_search, "the boiler",
     MEMO_SEARCH_DENSE, 0},
    {"shred", ALLOC_WRITES | ALLOC_PREPARES, alloc_run_shred, "n-1", 0, 0},
    {"shred nobody", ALLOC_DB, alloc_run_shred, "nobody", 0, 0},
    {"prove gone", ALLOC_DB, alloc_run_prove, "what nobody ever wrote", 0, 0},
    {"fact", ALLOC_WRITES, alloc_run_fact, "Anna", 0, 0},
    {"fact with evidence", ALLOC_WRITES, alloc_run_fact, "Bertha", 1, 0},
    {"entity", ALLOC_WRITES, alloc_run_entity, "the boiler", 0, 0},
    {"feedback", ALLOC_DB, alloc_run_feedback, "n-2", MEMO_ACTION_ACCEPT, 0},
    {"feedback hides", ALLOC_WRITES, alloc_run_feedback, "n-2", MEMO_ACTION_DELETE, 0},
    {"changes", ALLOC_DB, alloc_run_changes, NULL, 0, 0},
    {"history", ALLOC_DB, alloc_run_history, "n-1", 0, 0},
    {"audit", ALLOC_DB, alloc_run_audit, NULL, 0, 0},
    {"export", ALLOC_DB, alloc_run_export, NULL, 0, 0},
    {"export filtered with vectors", ALLOC_DB, alloc_run_export, "tags exists", 1, 0},
    {"spaces", ALLOC_DB, alloc_run_spaces, NULL, 0, 0},
    {"control: leak", ALLOC_CONTROL, alloc_run_control_leak, NULL, 0, 0},
    {"control: wrong result", ALLOC_CONTROL, alloc_run_control_wrong, NULL, 0, 0},
    {"control: swallowed", ALLOC_CONTROL, alloc_run_control_swallowed, NULL, 0, 0},
    {"control: crash", ALLOC_CONTROL, alloc_run_control_crash, NULL, 0, 0},
};

#endif
