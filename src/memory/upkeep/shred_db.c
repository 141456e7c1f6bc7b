// SPDX-License-Identifier: Apache-2.0
/* memo_db_shred() and memo_db_prove_gone(): the store's work, in order, and the files beside it. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "memory/db.h"
#include "memory/upkeep/findings.h"
#include "memory/vector_index.h"
#include "store/upkeep/shred.h"

typedef struct shred_owner {
    memo_shred_report report; /* first: this is what the caller sees */
    memo_finding_list list;
} shred_owner;

typedef struct shred_job {
    memo_db *db;
    shred_owner *owner;
    memo_store_sink sink;
    memo_traces traces;
    int backups;
} shred_job;

void memo_shred_report_free(memo_shred_report *report)
{
    shred_owner *owner = (shred_owner *)report;

    if (!owner)
        return;
    memo_finding_list_fini(&owner->list);
    memo_free(owner);
}

static memo_status shred_job_begin(shred_job *job, memo_db *db, memo_err *err)
{
    *job = (shred_job){.db = db, .owner = memo_calloc(1, sizeof *job->owner)};
    if (!job->owner)
        return memo_fail_nomem(err, "a report", sizeof *job->owner);
    job->sink.fn = memo_finding_list_add;
    job->sink.user = &job->owner->list;
    job->sink.arena = &job->owner->list.arena;
    return MEMO_OK;
}

static memo_status shred_job_end(shred_job *job, memo_status status, memo_shred_report **report,
                                 memo_err *err)
{
    memo_traces_fini(&job->traces);
    if (status == MEMO_OK && job->owner)
        status = memo_finding_list_check(&job->owner->list, err);
    if (status || !job->owner) {
        memo_shred_report_free(job->owner ? &job->owner->report : NULL);
        return status;
    }
    job->owner->report.findings = &job->owner->list.findings;
    *report = &job->owner->report;
    return MEMO_OK;
}

static void shred_say(shred_job *job, memo_finding_level level, const char *message,
                      const char *hint)
{
    memo_finding_list_add(&job->owner->list, level, "gone", message, hint);
}

/* ---- 1: rows ------------------------------------------------------------------------------- */

static memo_status shred_delete_all(shred_job *job, int64_t ns, const memo_shred_options *o,
                                    memo_err *err)
{
    memo_shred_report *r = &job->owner->report;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < o->n_ids && status == MEMO_OK; i++) {
        int forgotten = 0, tombstone = 0;
        status = memo_shred_rows(job->db->store, ns, o->ids[i], &job->traces, &forgotten,
                                 &tombstone, err);
        r->n_forgotten += forgotten != 0;
        r->n_finished += tombstone != 0;
        r->n_absent += !forgotten && !tombstone;
    }
    return status;
}

static memo_status shred_delete(shred_job *job, const memo_shred_options *o, memo_err *err)
{
    memo_store *store = job->db->store;
    memo_store_ns ns = {0};
    memo_err absent = {0};
    memo_status status = memo_store_begin_write(store, err);

    if (status)
        return status;
    if (o->n_ids == 0)
        status = memo_shred_forgotten(store, err);
    if (status == MEMO_OK)
        status = memo_shred_count(store, &job->owner->report.n_finished, err);
    if (status == MEMO_OK) {
        status = memo_store_find_ns(store, memo_db_ns_name(o->ns), &ns, &absent);
        if (status && status != MEMO_ERR_NOTFOUND && err)
            *err = absent;
    }
    if (status == MEMO_ERR_NOTFOUND) {
        job->owner->report.n_absent = o->n_ids;
        status = MEMO_OK;
    } else if (status == MEMO_OK) {
        status = shred_delete_all(job, ns.id, o, err);
    }
    return memo_store_end_write(store, status, err);
}

/* ---- 2: files beside the store ------------------------------------------------------------- */

/* "NAME.v1.bak", "NAME.before-repair-2" and what belongs to them. */
static int shred_is_copy(const char *name, const char *of)
{
    size_t n = strlen(of);
    const char *rest = name + n;

    return strncmp(name, of, n) == 0 && ((strncmp(rest, ".v", 2) == 0 && strstr(rest, ".bak")) ||
                                         strncmp(rest, ".before-repair-", 15) == 0);
}

static memo_status shred_meet_copy(shred_job *job, const char *path, memo_err *err)
{
    memo_buf message = {0};

    if (job->backups && memo_sys_get()->unlink(path) != 0 && errno != ENOENT)
        return memo_fail_errno(err, errno, path, "delete");
    memo_buf_printf(&message,
                    job->backups ? "%s was deleted"
                                 : "%s: a copy of the store as it was, may hold what was "
                                   "shredded",
                    path);
    if (message.failed)
        return memo_fail_nomem(err, "a message", strlen(path));
    shred_say(job, job->backups ? MEMO_FINDING_OK : MEMO_FINDING_WARN, message.data,
              job->backups ? "" : "memolith forget --shred --backups   or delete it yourself");
    memo_buf_fini(&message);
    return MEMO_OK;
}

/* At last what was removed, the index too, is so durably. */
static memo_status shred_copies(shred_job *job, memo_err *err)
{
    const char *path = memo_store_path(job->db->store), *slash = strrchr(path, '/');
    char *folder = memo_path_folder(path);
    DIR *dir = folder ? opendir(folder) : NULL;
    memo_status status = MEMO_OK;
    const struct dirent *entry;

    if (!folder)
        return memo_fail_nomem(err, "a file name", strlen(path));
    memo_replace_clear(path); /* of a repair that was killed */
    if (!dir)
        status = memo_fail_errno(err, errno, folder, "list");
    while (status == MEMO_OK && (entry = readdir(dir)) != NULL) {
        char *name;
        if (!shred_is_copy(entry->d_name, slash ? slash + 1 : path))
            continue;
        name = memo_path_join(folder, entry->d_name);
        status = name ? shred_meet_copy(job, name, err)
                      : memo_fail_nomem(err, "a file name", strlen(path));
        memo_free(name);
    }
    if (dir)
        closedir(dir);
    if (status == MEMO_OK)
        status = memo_sync_folder(folder, err);
    memo_free(folder);
    return status;
}

/* ---- 3 and 4: proof ------------------------------------------------------------------------ */

static memo_status shred_prove(shred_job *job, memo_err *err)
{
    memo_shred_report *r = &job->owner->report;
    memo_prove_result result = {0};
    char message[256];
    memo_status status = memo_prove_bytes(job->db->store, &job->traces, &job->sink, &result, err);

    r->n_bytes = result.n_bytes;
    r->n_shared = result.n_shared;
    r->n_found += result.n_found;
    r->n_words = job->traces.n_words;
    r->n_pieces = job->traces.n_pieces;
    if (status || r->n_found || job->traces.n == 0)
        return status;
    snprintf(message, sizeof message,
             "looked for %zu word%s and %zu stretch%s of text in %" PRIu64
             " bytes and the full text: none is there; %" PRIu64
             " of them stand in other rows, which proves nothing",
             job->traces.n_words, job->traces.n_words == 1 ? "" : "s", job->traces.n_pieces,
             job->traces.n_pieces == 1 ? "" : "es", result.n_bytes, result.n_shared);
    shred_say(job, MEMO_FINDING_OK, message, "");
    return MEMO_OK;
}

static memo_status shred_mark_done(shred_job *job, const memo_shred_pass *pass, memo_err *err)
{
    memo_status status = memo_store_begin_write(job->db->store, err);

    if (status)
        return status;
    status = memo_shred_done(job->db->store, pass, err);
    return memo_store_end_write(job->db->store, status, err);
}

static memo_status shred_run(shred_job *job, const memo_shred_options *o, memo_err *err)
{
    memo_store *store = job->db->store;
    memo_shred_report *r = &job->owner->report;
    memo_arena arena = {0};
    memo_shred_pass pass = {.arena = &arena};
    memo_status status = shred_delete(job, o, err);

    if (status == MEMO_OK && r->n_forgotten == 0 && r->n_finished == 0)
        return o->backups ? shred_copies(job, err) : MEMO_OK;
    if (status)
        return status;
    memo_vector_index_drop(&job->db->index);
    status = memo_shred_file(store, &pass, err);
    if (status == MEMO_OK)
        status = memo_vector_index_remove(memo_store_path(store), err);
    if (status == MEMO_OK)
        status = shred_copies(job, err);
    if (status == MEMO_OK)
        status = memo_prove_begun(store, &job->sink, &r->n_found, err);
    if (status == MEMO_OK)
        status = shred_prove(job, err);
    if (status == MEMO_OK && r->n_found == 0)
        status = shred_mark_done(job, &pass, err);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_shred(memo_db *db, const memo_shred_options *options,
                          memo_shred_report **report, memo_err *err)
{
    memo_shred_options o;
    shred_job job;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_shred_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, report, "memo_db_shred", err);
    for (size_t i = 0; i < o.n_ids && status == MEMO_OK; i++)
        status = memo_db_check_id(o.ids ? o.ids[i] : NULL, "memo_db_shred", err);
    if (status)
        return status;
    status = shred_job_begin(&job, db, err);
    job.backups = o.backups;
    if (status == MEMO_OK)
        status = shred_run(&job, &o, err);
    return shred_job_end(&job, status, report, err);
}

/* ---- proof alone --------------------------------------------------------------------------- */

static memo_status shred_prove_options(shred_job *job, const memo_prove_options *o, memo_err *err)
{
    memo_store *store = job->db->store;
    memo_store_ns ns = {0};
    memo_status status = MEMO_OK;

    if (o->n_ids)
        status = memo_store_find_ns(store, memo_db_ns_name(o->ns), &ns, err);
    for (size_t i = 0; i < o->n_ids && status == MEMO_OK; i++)
        status =
            memo_prove_row(store, ns.id, o->ids[i], &job->sink, &job->owner->report.n_found, err);
    for (size_t i = 0; i < o->n_texts && status == MEMO_OK; i++)
        status = memo_traces_add(&job->traces, o->texts[i], err);
    return status || o->n_texts == 0 ? status : shred_prove(job, err);
}

memo_status memo_db_prove_gone(memo_db *db, const memo_prove_options *options,
                               memo_shred_report **report, memo_err *err)
{
    memo_prove_options o;
    shred_job job;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_prove_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, report, "memo_db_prove_gone", err);
    if (status == MEMO_OK && o.n_ids == 0 && o.n_texts == 0)
        status =
            memo_fail(err, MEMO_ERR_USAGE, "nothing says what must be gone: give ids or texts");
    for (size_t i = 0; status == MEMO_OK && i < o.n_ids; i++)
        status = memo_db_check_id(o.ids ? o.ids[i] : NULL, "memo_db_prove_gone", err);
    if (status == MEMO_OK && o.n_texts && !o.texts)
        status = memo_fail(err, MEMO_ERR_USAGE, "texts is NULL with %zu texts", o.n_texts);
    if (status)
        return status;
    status = shred_job_begin(&job, db, err);
    if (status == MEMO_OK)
        status = shred_prove_options(&job, &o, err);
    return shred_job_end(&job, status, report, err);
}
