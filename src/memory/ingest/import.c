// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/import.c -- many records from files.
 *
 * The paths are walked and the items counted first, so that progress has a total. Records gather in
 * a group; a full group goes in as one transaction, so what an interruption loses is at most one
 * group, and what was counted is on the disk. Running the same import again finds everything
 * unchanged. Groups grow or shrink towards two seconds each: large enough for the model and the
 * disk, small enough to be lost.
 *
 * A record that cannot be is found before it joins a group: with skip_bad it is reported and left
 * out, else the group before it is still committed and the import stops there. What is refused only
 * with the model or the store at hand refuses its group, which then goes in by halves, so that the
 * record is found and all others are taken. */
#include "memory/ingest/import.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/ingest/front.h"
#include "memory/ingest/mcp.h"
#include "memory/ingest/reader.h"
#include "text/words.h"

/* A group's limits: at first, and in what bounds they are then fitted to the time that it takes. */
#define IMPORT_FIRST_RECORDS ((size_t)64)
#define IMPORT_LEAST_RECORDS ((size_t)16)
#define IMPORT_FIRST_BYTES   ((size_t)128 << 10) /* of text: about 32,000 tokens */
#define IMPORT_LEAST_BYTES   ((size_t)32 << 10)
#define IMPORT_MOST_BYTES    ((size_t)4 << 20)
#define IMPORT_GROUP_MS      2000
#define IMPORT_BINARY_SCAN   ((size_t)8192) /* a NUL this early makes a file binary */

/* ---- groups -------------------------------------------------------------------------------- */

/* Progress within a group, told in records. */
static int import_tell_embedding(void *user, const memo_progress *p)
{
    memo_import_work *w = user;
    uint64_t part = p->total ? p->done * w->n_group / p->total : 0;
    memo_progress told = {"import", w->done - w->n_group + part, w->total, w->item};

    return w->options.progress ? w->options.progress(w->options.progress_user, &told) : 0;
}

static void import_count(memo_import_work *w, size_t begin, size_t end)
{
    memo_import_report *r = w->report;

    for (size_t i = begin; i < end; i++) {
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

memo_status memo_import_tell(memo_import_work *w, memo_err *err)
{
    return memo_progress_call(w->options.progress, w->options.progress_user, "import", w->done,
                              w->total, w->item, err);
}

static size_t import_fit(size_t n, double factor, size_t least, size_t most)
{
    double fitted = (double)n * factor;
    return fitted < (double)least ? least : fitted > (double)most ? most : (size_t)fitted;
}

/* The next group's limits, after one that took so long. */
static void import_fit_group(memo_import_work *w, double ms)
{
    double factor = ms > IMPORT_GROUP_MS * 2 ? 0.5 : ms < IMPORT_GROUP_MS / 2.0 ? 2 : 1;

    w->max_records = import_fit(w->max_records, factor, IMPORT_LEAST_RECORDS, MEMO_IMPORT_GROUP);
    w->max_bytes = import_fit(w->max_bytes, factor, IMPORT_LEAST_BYTES, IMPORT_MOST_BYTES);
}

/* Count what is bad and tell of it. */
static void import_report_bad(memo_import_work *w, memo_import_origin from, const memo_err *why)
{
    w->report->n_failed++;
    w->is_unread |= why->status == MEMO_ERR_IO;
    if (w->options.on_bad) {
        w->db->in_callback = 1;
        w->options.on_bad(w->options.on_bad_user, from.path, from.line, why);
        w->db->in_callback = 0;
    }
}

/* The import ends at what is bad. */
static memo_status import_stop_at(memo_import_origin from, const memo_err *why, memo_err *err)
{
    if (err)
        *err = *why;
    if (from.line)
        return memo_err_prefix(err, why->status, "%s:%llu", from.path,
                               (unsigned long long)from.line);
    if (strncmp(why->message, from.path, strlen(from.path)) == 0) /* the file layer has named it */
        return why->status;
    return memo_err_prefix(err, why->status, "%s", from.path);
}

/* Commit records [begin, end) of the group: halves of it when one is refused. */
static memo_status import_commit(memo_import_work *w, size_t begin, size_t end, memo_err *err)
{
    const memo_ingest job = {.ns = memo_db_ns_name(w->options.ns),
                             .records = w->group + begin,
                             .n = end - begin,
                             .results = w->results + begin,
                             .progress = end - begin == w->n_group ? import_tell_embedding : NULL,
                             .progress_user = w,
                             .compare_only = w->options.dry_run,
                             .take_vectors = !w->options.vector_field,
                             .key_or_id = 1,
                             .kept = w->kept + begin,
                             .said_ms = w->said_ms + begin,
                             .born_ms = w->born_ms + begin,
                             .links = w->options.links};
    const size_t middle = begin + (end - begin) / 2;
    memo_err why = {0};
    memo_status status;

    w->results[begin].size = sizeof w->results[begin];
    status = memo_ingest_run(w->db, &job, &why);
    if (status == MEMO_OK) {
        import_count(w, begin, end);
        return MEMO_OK;
    }
    if (!memo_import_is_bad_data(status)) {
        if (err)
            *err = why;
        return status;
    }
    if (end - begin > 1) {
        status = import_commit(w, begin, middle, err);
        return status ? status : import_commit(w, middle, end, err);
    }
    import_report_bad(w, w->origins[begin], &why);
    return w->options.skip_bad ? MEMO_OK : import_stop_at(w->origins[begin], &why, err);
}

memo_status memo_import_flush(memo_import_work *w, memo_err *err)
{
    double began = memo_monotonic_ms();
    memo_status status;

    if (w->n_group == 0)
        return MEMO_OK;
    status = import_commit(w, 0, w->n_group, err);
    import_fit_group(w, memo_monotonic_ms() - began);
    w->n_group = w->group_bytes = w->bad_bytes = 0;
    memo_arena_fini(&w->arena);
    return status ? status : memo_import_tell(w, err);
}

memo_status memo_import_take(memo_import_work *w, const memo_record_in *record,
                             const memo_store_kept *kept, memo_import_origin origin, memo_err *err)
{
    w->kept[w->n_group] = kept ? *kept : (memo_store_kept){0};
    w->origins[w->n_group] = origin;
    w->said_ms[w->n_group] = kept && kept->id ? 0 : w->item_ms; /* an export says all there is */
    w->born_ms[w->n_group] = origin.line == 0 && !kept ? w->item_born_ms : 0;
    w->group[w->n_group++] = *record;
    w->group_bytes += record->text.n_bytes;
    w->done++;
    if (w->n_group < w->max_records && w->group_bytes < w->max_bytes)
        return MEMO_OK;
    return memo_import_flush(w, err);
}

memo_status memo_import_bad(memo_import_work *w, const char *path, uint64_t line,
                            const memo_err *why, memo_err *err)
{
    const memo_import_origin from = {path, line};
    memo_status status = MEMO_OK;

    import_report_bad(w, from, why);
    w->done++;
    if (w->n_group == 0) {
        w->bad_bytes = 0;
        memo_arena_fini(&w->arena);
    }
    if (!w->options.skip_bad || w->bad_bytes > IMPORT_MOST_BYTES)
        status = memo_import_flush(w, err);
    return status || w->options.skip_bad ? status : import_stop_at(from, why, err);
}

int memo_import_is_bad_data(memo_status status)
{
    return status == MEMO_ERR_FORMAT || status == MEMO_ERR_VALUE || status == MEMO_ERR_LIMIT ||
           status == MEMO_ERR_UNSUPPORTED || status == MEMO_ERR_MISMATCH;
}

/* ---- files of many records ----------------------------------------------------------------- */

/* What became of an item: bad data is reported, a failure of the machine ends the import. */
static memo_status import_bad_or_fail(memo_import_work *w, const memo_reader *reader,
                                      memo_status status, const memo_err *why, memo_err *err)
{
    w->bad_bytes += reader->item.n_bytes;
    if (memo_import_is_bad_data(status) || memo_lines_is_broken(&reader->lines, status))
        return memo_import_bad(w, reader->path, reader->number, why, err);
    if (err)
        *err = *why;
    return status;
}

/* Vectors that it brings, and what it says of other records. */
static memo_status import_check_exported(memo_import_work *w, const memo_exported *exported,
                                         memo_record_in *record, memo_err *err)
{
    memo_status status =
        memo_exported_check_space(w->db, exported, w->options.reembed, record, err);

    if (exported->kept.id) { /* those that stand before it; others are linked at the end */
        record->parent = exported->parent;
        record->supersedes = exported->supersedes;
    }

    if (status == MEMO_OK && record->n_vectors && w->db->space.kind == MEMO_SPACE_EXTERNAL)
        status = memo_external_take_dim(w->db, record->vectors->dim, err);
    return status ? status : memo_import_keep_links(w, record->key, exported, err);
}

/* The other rows of the file, also when it ends early: they stood before what is bad. */
static memo_status import_end_items(memo_import_work *w, memo_status status, memo_err *err)
{
    memo_err why = {0};
    memo_status ended = memo_import_flush_rows(w, &why);

    if (ended && status == MEMO_OK && err)
        *err = why;
    return status ? status : ended;
}

static memo_status import_items(memo_import_work *w, const memo_walk_file *file, memo_err *err)
{
    memo_reader reader;
    memo_err why = {0};
    int more = 1;
    memo_status status = memo_reader_open(&reader, file->path, file->format, &w->options, &why);

    reader.source = file->real;
    if (status) {
        status = import_bad_or_fail(w, &reader, status, &why, err);
        more = 0; /* without its header nothing in it can be read */
    }
    while (status == MEMO_OK && more) {
        memo_record_in record;
        why = (memo_err){0};
        status = memo_reader_next(&reader, &more, &why);
        if (status == MEMO_OK && !more)
            break;
        if (status == MEMO_OK)
            status = memo_reader_record(&reader, &w->arena, &record, &why);
        if (status == MEMO_OK && reader.exported.row) {
            status = memo_import_take_row(w, file->path, reader.number, reader.exported.row, err);
            continue;
        }
        if (status == MEMO_OK)
            status = import_check_exported(w, &reader.exported, &record, &why);
        status = status ? import_bad_or_fail(w, &reader, status, &why, err)
                        : memo_import_take(w, &record, &reader.exported.kept,
                                           (memo_import_origin){file->path, reader.number}, err);
    }
    memo_reader_close(&reader);
    return import_end_items(w, status, err);
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

/* What a Markdown file says of itself: its block of front matter, its heading. What would make it bad, or
 * leaves no text, is text. */
static memo_status import_take_front(memo_import_work *w, memo_record_in *record, memo_err *err)
{
    memo_front front;
    memo_record_in with = *record;
    memo_text heading;
    memo_err why = {0};
    memo_status status = memo_front_read(record->text, &w->arena, &front, err);

    if (status)
        return status;
    with.text =
        (memo_text){record->text.bytes + front.n_bytes, record->text.n_bytes - front.n_bytes};
    heading = memo_front_heading(with.text);
    if (heading.n_bytes && !front.title) {
        front.title = memo_arena_strndup(&w->arena, heading.bytes, heading.n_bytes);
        if (!front.title)
            return memo_fail_nomem(err, "title of a file", heading.n_bytes);
    }
    if (front.title && *front.title)
        with.title = front.title;
    with.tags = front.tags;
    with.n_tags = front.n_tags;
    with.metadata_json = front.metadata;
    with.created_ms = front.created_ms;
    status = memo_ingest_check(&with, &why);
    if (status == MEMO_OK)
        *record = with;
    if (status == MEMO_ERR_NOMEM && err)
        *err = why;
    return status == MEMO_ERR_NOMEM ? status : MEMO_OK;
}

/* A whole file as a record; its key and source are where it lies. *skip for what is no text. */
static memo_status import_read_file(memo_import_work *w, const memo_walk_file *file,
                                    memo_record_in *record, int *skip, memo_err *err)
{
    char *bytes = NULL;
    size_t n = 0;
    memo_status status = memo_file_slurp(file->path, MEMO_DB_TEXT_BYTES, &bytes, &n, err);

    if (status)
        return status;
    *skip = memchr(bytes, 0, n < IMPORT_BINARY_SCAN ? n : IMPORT_BINARY_SCAN) != NULL ||
            memo_lines_is_packed(bytes, n) ||
            (memo_utf8_check(bytes, n) == n && memo_text_is_blank(bytes, n));
    *record = (memo_record_in){.size = sizeof *record,
                               .text = {bytes, n},
                               .key = file->real,
                               .title = import_title(&w->arena, file->path),
                               .source = file->real,
                               .chunking = w->options.chunking,
                               .chunk_tokens = w->options.chunk_tokens,
                               .chunk_overlap = w->options.chunk_overlap};
    if (!*skip && !record->title)
        status = memo_fail_nomem(err, "title of a file", 0);
    if (!*skip && status == MEMO_OK)
        status = memo_ingest_check(record, err); /* before it is kept: what is bad takes no room */
    if (!*skip && status == MEMO_OK) {
        record->text.bytes = memo_arena_strndup(&w->arena, bytes, n);
        if (!record->text.bytes)
            status = memo_fail_nomem(err, "text of a file", n);
    }
    if (!*skip && status == MEMO_OK && memo_document_is_markdown(record))
        status = import_take_front(w, record, err);
    memo_free(bytes);
    return status;
}

static void import_on_skipped(void *user, const char *path, const char *why)
{
    memo_import_work *w = user;

    if (!w->options.on_skipped)
        return;
    w->db->in_callback = 1;
    w->options.on_skipped(w->options.on_skipped_user, path, why);
    w->db->in_callback = 0;
}

static memo_status import_file(memo_import_work *w, const memo_walk_file *file, memo_err *err)
{
    memo_record_in record;
    memo_err why = {0};
    int skip = 0;
    memo_status status = import_read_file(w, file, &record, &skip, &why);

    if (status == MEMO_OK && skip && file->is_named)
        status = memo_fail(&why, MEMO_ERR_VALUE, "not a text: the file is empty or binary");
    if (status == MEMO_OK && skip) {
        w->report->n_skipped++;
        import_on_skipped(w, file->path, "it is empty or binary");
        w->done++;
        return MEMO_OK;
    }
    if (status == MEMO_OK)
        return memo_import_take(w, &record, NULL, (memo_import_origin){file->path, 0}, err);
    if (memo_import_is_bad_data(status) || status == MEMO_ERR_IO) /* unreadable, or gone since */
        return memo_import_bad(w, file->path, 0, &why, err);
    if (err)
        *err = why;
    return status;
}

/* Those with ready vectors were written without being compared. They are imported all the same: what
 * keeps them from being compared now leaves them waiting for the next time. */
static memo_status import_link(memo_import_work *w, memo_err *err)
{
    const memo_link_options options = {.size = sizeof options,
                                       .progress = w->options.progress,
                                       .progress_user = w->options.progress_user};
    memo_link_settings settings = {.size = sizeof settings, .mode = w->options.links};
    memo_err why = {0};
    memo_status status = MEMO_OK;

    if (w->options.dry_run)
        return MEMO_OK;
    if (settings.mode == MEMO_LINKS_AS_STORED)
        status = memo_db_get_links(w->db, &settings, &why);
    if (status == MEMO_OK && settings.mode != MEMO_LINKS_OFF)
        status = memo_db_link(w->db, &options, NULL, &why);
    if (status == MEMO_ERR_CANCELLED && err)
        *err = why;
    else if (status)
        memo_log(w->db->ctx, MEMO_LOG_WARN, "what was imported waits to be compared: %s",
                 why.message);
    return status == MEMO_ERR_CANCELLED ? status : MEMO_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* Find out a file's format, and how much progress it takes. */
static memo_status import_survey(memo_import_work *w, memo_walk_file *file, memo_err *err)
{
    memo_status status = memo_reader_format(file, &w->options, &file->format, err);
    memo_err why = {0};
    uint64_t n = 1;

    w->total += file->format == MEMO_IMPORT_TEXT;
    if (status == MEMO_OK && file->format == MEMO_IMPORT_STORE)
        return memo_import_check_store(w, file->path, err);
    if (status == MEMO_OK && file->format == MEMO_IMPORT_MCP)
        status = memo_mcp_count(w, file->path, &n, &why);
    else if (status == MEMO_OK && file->format != MEMO_IMPORT_TEXT)
        status = memo_reader_count(file->path, file->format, &w->options, &n, &why);
    else
        return status;
    w->total += n;
    if (status && err)
        *err = why;
    if (status == MEMO_ERR_CORRUPT || memo_import_is_bad_data(status))
        status = w->options.skip_bad ? MEMO_OK : memo_import_bad(w, file->path, 0, &why, err);
    return status;
}

static void import_ask(memo_import_work *w, memo_walk_file *file)
{
    const memo_import_file found = {file->path, file->n_bytes, file->inode, file->modified_ns};

    if (!w->options.wanted)
        return;
    w->db->in_callback = 1;
    file->is_unwanted = !w->options.wanted(w->options.wanted_user, &found);
    w->db->in_callback = 0;
}

static memo_status import_list(memo_import_work *w, const char *const *paths, size_t n_paths,
                               memo_err *err)
{
    memo_status status = MEMO_OK;

    w->walk.arena = &w->paths;
    w->walk.store = memo_store_path(w->db->store);
    w->walk.on_skipped = import_on_skipped;
    w->walk.user = w;
    for (size_t i = 0; i < n_paths && status == MEMO_OK; i++)
        status = memo_walk_add(&w->walk, paths[i], err);
    w->report->n_skipped = w->walk.n_skipped;
    for (size_t i = 0; i < w->walk.n && status == MEMO_OK; i++)
        import_ask(w, &w->walk.files[i]);
    for (size_t i = 0; i < w->walk.n && status == MEMO_OK; i++)
        if (!w->walk.files[i].is_unwanted)
            status = import_survey(w, &w->walk.files[i], err);
    return status;
}

static memo_status import_all(memo_import_work *w, memo_err *err)
{
    memo_status status = memo_import_tell(w, err);

    for (size_t i = 0; i < w->walk.n && status == MEMO_OK; i++) {
        const memo_walk_file *file = &w->walk.files[i];
        if (file->is_unwanted)
            continue;
        w->item = file->path;
        w->item_born_ms = file->modified_ns > 1000000 ? file->modified_ns / 1000000 : 0;
        w->item_ms = w->item_born_ms ? w->item_born_ms : 1;
        if (file->format == MEMO_IMPORT_TEXT)
            status = import_file(w, file, err);
        else if (file->format == MEMO_IMPORT_MCP)
            status = memo_mcp_import(w, file, err);
        else if (file->format == MEMO_IMPORT_STORE)
            status = memo_import_store(w, file->path, err);
        else
            status = import_items(w, file, err);
        w->report->n_files += status == MEMO_OK;
    }
    return status == MEMO_OK ? memo_import_flush(w, err) : status;
}

static memo_status import_run(memo_db *db, const char *const *paths, size_t n_paths,
                              const memo_import_options *options, memo_import_report *report,
                              memo_err *err)
{
    memo_import_work *w;
    memo_db_progress progress;
    double started = memo_monotonic_ms();

    memo_status status = memo_db_need_space(db, "importing", err);
    if (status)
        return status;
    w = memo_calloc(1, sizeof *w);
    if (!w)
        return memo_fail_nomem(err, "import", sizeof *w);
    w->db = db;
    w->report = report;
    w->max_records = IMPORT_FIRST_RECORDS;
    w->max_bytes = IMPORT_FIRST_BYTES;
    status = memo_options_copy(&w->options, sizeof w->options, options, "memo_import_options", err);
    w->wanted_ns = w->options.ns;
    memo_db_wrap_progress(&progress, db, &w->options.progress, &w->options.progress_user);
    if (status == MEMO_OK)
        status = import_list(w, paths, n_paths, err);
    if (status == MEMO_OK)
        status = import_all(w, err);
    if (status == MEMO_OK)
        status = memo_import_make_links(w, err);
    if (status == MEMO_OK)
        status = import_link(w, err);
    if (status == MEMO_OK && w->options.prune)
        status = memo_import_prune(w, paths, n_paths, err);
    report->elapsed_ms = (int64_t)(memo_monotonic_ms() - started);
    memo_free(w->links);
    memo_free(w->met);
    memo_free(w->met_slots);
    memo_walk_fini(&w->walk);
    memo_arena_fini(&w->arena);
    memo_arena_fini(&w->paths);
    memo_free(w);
    return status;
}

memo_status memo_db_import(memo_db *db, const char *const *paths, size_t n_paths,
                           const memo_import_options *options, memo_import_report *report,
                           memo_err *err)
{
    memo_import_report done = {0};
    memo_status status = memo_db_check_call(db, db, "memo_db_import", err);

    if (status == MEMO_OK && n_paths && !paths)
        status = memo_fail(err, MEMO_ERR_USAGE, "memo_db_import: paths is NULL");
    if (status == MEMO_OK)
        status = memo_result_check(report, "memo_import_report", err);
    if (status)
        return status;
    status = import_run(db, paths, n_paths, options, &done, err);
    memo_result_write(report, &done, sizeof done);
    return status;
}
