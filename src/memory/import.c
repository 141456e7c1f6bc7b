// SPDX-License-Identifier: Apache-2.0
/* memory/import.c -- many records from files.
 *
 * The paths are walked and the lines counted first, so that progress has a total. Records gather in
 * a group; a full group goes in as one transaction, so what an interruption loses is at most one
 * group, and what was counted is on the disk. Running the same import again finds everything
 * unchanged.
 *
 * A record that cannot be is found before it joins a group: with skip_bad it is reported and left
 * out, else the group before it is still committed and the import stops there. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/db.h"
#include "memory/lines.h"
#include "memory/walk.h"
#include "text/words.h"

/* A group is what an interruption throws away: a few seconds of embedding. */
#define IMPORT_GROUP       64                  /* records */
#define IMPORT_GROUP_BYTES ((size_t)128 << 10) /* of text: about 32,000 tokens */
#define IMPORT_BINARY_SCAN ((size_t)8192)      /* a NUL this early makes a file binary */

typedef struct import_work {
    memo_db *db;
    memo_import_options options;
    memo_import_report *report;
    memo_arena paths; /* of the whole import */
    memo_walk walk;
    uint64_t total, done; /* files and lines */
    memo_arena arena;     /* of the group */
    memo_record_in group[IMPORT_GROUP];
    memo_add_result results[IMPORT_GROUP];
    size_t n_group, group_bytes;
    const char *item; /* being read */
} import_work;

/* ---- groups -------------------------------------------------------------------------------- */

/* Progress within a group, told in records. */
static int import_tell_embedding(void *user, const memo_progress *p)
{
    import_work *w = user;
    uint64_t part = p->total ? p->done * w->n_group / p->total : 0;
    memo_progress told = {"import", w->done - w->n_group + part, w->total, w->item};

    return w->options.progress ? w->options.progress(w->options.progress_user, &told) : 0;
}

static void import_count(import_work *w)
{
    memo_import_report *r = w->report;

    for (size_t i = 0; i < w->n_group; i++) {
        const memo_add_result *result = &w->results[i];
        r->n_new += result->outcome == MEMO_OUTCOME_NEW;
        r->n_changed += result->outcome == MEMO_OUTCOME_CHANGED;
        r->n_unchanged += result->outcome == MEMO_OUTCOME_UNCHANGED;
        if (result->outcome != MEMO_OUTCOME_UNCHANGED) {
            r->n_chunks += result->n_chunks;
            r->n_tokens += result->n_tokens;
        }
    }
}

static memo_status import_flush(import_work *w, memo_err *err)
{
    const memo_ingest job = {.ns = memo_db_ns_name(w->options.ns),
                             .records = w->group,
                             .n = w->n_group,
                             .results = w->results,
                             .progress = import_tell_embedding,
                             .progress_user = w};
    memo_status status;

    if (w->n_group == 0)
        return MEMO_OK;
    status = memo_ingest_run(w->db, &job, err);
    if (status == MEMO_OK)
        import_count(w);
    w->n_group = w->group_bytes = 0;
    memo_arena_fini(&w->arena);
    if (status)
        return status;
    return memo_progress_call(w->options.progress, w->options.progress_user, "import", w->done,
                              w->total, w->item, err);
}

/* The record's strings lie in the group's arena. */
static memo_status import_take(import_work *w, const memo_record_in *record, memo_err *err)
{
    w->group[w->n_group++] = *record;
    w->group_bytes += record->text.n_bytes;
    w->done++;
    if (w->n_group < IMPORT_GROUP && w->group_bytes < IMPORT_GROUP_BYTES)
        return MEMO_OK;
    return import_flush(w, err);
}

/* Report a bad file (line 0) or line. Not MEMO_OK when the import must end here. */
static memo_status import_bad(import_work *w, const char *path, uint64_t line, const memo_err *why,
                              memo_err *err)
{
    memo_status status;

    w->report->n_failed++;
    w->done++;
    if (w->options.on_bad) {
        w->db->in_callback = 1;
        w->options.on_bad(w->options.on_bad_user, path, line, why);
        w->db->in_callback = 0;
    }
    if (w->options.skip_bad)
        return MEMO_OK;
    status = import_flush(w, err);
    if (status)
        return status;
    if (err)
        *err = *why;
    if (line)
        return memo_err_prefix(err, why->status, "%s:%llu", path, (unsigned long long)line);
    if (strncmp(why->message, path, strlen(path)) == 0) /* from the file layer: names it already */
        return why->status;
    return memo_err_prefix(err, why->status, "%s", path);
}

/* What is wrong with the data, as against with the machine. */
static int import_is_bad_data(memo_status status)
{
    return status == MEMO_ERR_FORMAT || status == MEMO_ERR_VALUE || status == MEMO_ERR_LIMIT;
}

/* ---- lines --------------------------------------------------------------------------------- */

static memo_status import_line(import_work *w, const char *path, const memo_lines *lines,
                               memo_text line, memo_err *err)
{
    memo_record_in record;
    memo_err why = {0};
    memo_status status = memo_lines_record(line, &w->options, path, &w->arena, &record, &why);

    if (status == MEMO_OK)
        status = memo_ingest_check(&record, &why);
    if (status == MEMO_OK)
        return import_take(w, &record, err);
    if (import_is_bad_data(status))
        return import_bad(w, path, lines->number, &why, err);
    if (err)
        *err = why;
    return status;
}

static memo_status import_lines(import_work *w, const char *path, memo_err *err)
{
    memo_file file = {0};
    memo_lines lines = {.file = &file};
    memo_text line = {NULL, 0};
    int more = 1;
    memo_status status = memo_file_open(&file, path, err);

    while (status == MEMO_OK) {
        memo_err why = {0};
        memo_status next = memo_lines_next(&lines, &line, &more, &why);
        if (next == MEMO_ERR_LIMIT) {
            status = import_bad(w, path, lines.number, &why, err);
        } else if (next) {
            status = next;
            if (err)
                *err = why;
        } else if (!more) {
            break;
        } else {
            status = import_line(w, path, &lines, line, err);
        }
    }
    memo_lines_fini(&lines);
    memo_file_close(&file);
    return status;
}

/* ---- files --------------------------------------------------------------------------------- */

/* The name without folder and extension. */
static const char *import_title(memo_arena *arena, const char *path)
{
    const char *name = strrchr(path, '/');
    const char *dot;

    name = name ? name + 1 : path;
    dot = strrchr(name, '.');
    return memo_arena_strndup(arena, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

/* A whole file as a record; its key and source are its path. *skip for what is no text. */
static memo_status import_read_file(import_work *w, const memo_walk_file *file,
                                    memo_record_in *record, int *skip, memo_err *err)
{
    char *bytes = NULL;
    size_t n = 0;
    memo_status status = memo_file_slurp(file->path, MEMO_DB_TEXT_BYTES, &bytes, &n, err);

    if (status)
        return status;
    *skip = memchr(bytes, 0, n < IMPORT_BINARY_SCAN ? n : IMPORT_BINARY_SCAN) != NULL ||
            (memo_utf8_check(bytes, n) == n && memo_text_is_blank(bytes, n));
    if (*skip) {
        memo_free(bytes);
        return MEMO_OK;
    }
    *record = (memo_record_in){.size = sizeof *record,
                               .key = memo_arena_strdup(&w->arena, file->path),
                               .title = import_title(&w->arena, file->path),
                               .source = file->path,
                               .chunking = w->options.chunking,
                               .chunk_tokens = w->options.chunk_tokens,
                               .chunk_overlap = w->options.chunk_overlap};
    record->text = (memo_text){memo_arena_strndup(&w->arena, bytes, n), n};
    memo_free(bytes);
    if (!record->key || !record->title || !record->text.bytes)
        return memo_fail_nomem(err, "text of a file", n);
    return memo_ingest_check(record, err);
}

static memo_status import_file(import_work *w, const memo_walk_file *file, memo_err *err)
{
    memo_record_in record;
    memo_err why = {0};
    int skip = 0;
    memo_status status = import_read_file(w, file, &record, &skip, &why);

    if (status == MEMO_OK && skip && file->is_named)
        status = memo_fail(&why, MEMO_ERR_VALUE, "not a text: the file is empty or binary");
    if (status == MEMO_OK && skip) {
        w->report->n_skipped++;
        w->done++;
        return MEMO_OK;
    }
    if (status == MEMO_OK)
        return import_take(w, &record, err);
    if (import_is_bad_data(status) || status == MEMO_ERR_IO) /* unreadable, or gone since */
        return import_bad(w, file->path, 0, &why, err);
    if (err)
        *err = why;
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status import_count_lines(const char *path, uint64_t *n, memo_err *err)
{
    memo_file file = {0};
    memo_lines lines = {.file = &file};
    memo_status status = memo_file_open(&file, path, err);

    if (status == MEMO_OK)
        status = memo_lines_count(&lines, n, err);
    memo_lines_fini(&lines);
    memo_file_close(&file);
    return status;
}

static memo_status import_list(import_work *w, const char *const *paths, size_t n_paths,
                               memo_err *err)
{
    memo_status status = MEMO_OK;

    w->walk.arena = &w->paths;
    w->walk.store = memo_store_path(w->db->store);
    for (size_t i = 0; i < n_paths && status == MEMO_OK; i++)
        status = memo_walk_add(&w->walk, paths[i], err);
    w->report->n_skipped = w->walk.n_skipped;
    for (size_t i = 0; i < w->walk.n && status == MEMO_OK; i++) {
        uint64_t n = 1;
        if (w->walk.files[i].is_lines)
            status = import_count_lines(w->walk.files[i].path, &n, err);
        w->total += n;
    }
    return status;
}

static memo_status import_all(import_work *w, memo_err *err)
{
    memo_status status = memo_progress_call(w->options.progress, w->options.progress_user, "import",
                                            0, w->total, NULL, err);

    for (size_t i = 0; i < w->walk.n && status == MEMO_OK; i++) {
        const memo_walk_file *file = &w->walk.files[i];
        w->item = file->path;
        status = file->is_lines ? import_lines(w, file->path, err) : import_file(w, file, err);
        w->report->n_files += status == MEMO_OK;
    }
    return status == MEMO_OK ? import_flush(w, err) : status;
}

memo_status memo_db_import(memo_db *db, const char *const *paths, size_t n_paths,
                           const memo_import_options *options, memo_import_report *report,
                           memo_err *err)
{
    memo_import_report unused;
    import_work *w;
    memo_db_progress progress;
    double started = memo_monotonic_ms();
    memo_status status;

    report = report ? report : &unused;
    memset(report, 0, sizeof *report);
    if ((status = memo_db_check_call(db, db, "memo_db_import", err)))
        return status;
    if (n_paths && !paths)
        return memo_fail(err, MEMO_ERR_USAGE, "memo_db_import: paths is NULL");
    status = memo_db_need_model(db, "importing", err);
    if (status)
        return status;
    w = memo_calloc(1, sizeof *w);
    if (!w)
        return memo_fail_nomem(err, "import", sizeof *w);
    w->db = db;
    w->report = report;
    status = memo_options_copy(&w->options, sizeof w->options, options, "memo_import_options", err);
    memo_db_wrap_progress(&progress, db, &w->options.progress, &w->options.progress_user);
    if (status == MEMO_OK)
        status = import_list(w, paths, n_paths, err);
    if (status == MEMO_OK)
        status = import_all(w, err);
    report->elapsed_ms = (int64_t)(memo_monotonic_ms() - started);
    memo_walk_fini(&w->walk);
    memo_arena_fini(&w->arena);
    memo_arena_fini(&w->paths);
    memo_free(w);
    return status;
}
