// SPDX-License-Identifier: Apache-2.0
/* memo_db_repair(): the store's own repair, then new vectors for the texts that lost theirs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"
#include "memory/db.h"
#include "memory/upkeep/findings.h"

typedef struct repair_owner {
    memo_repair_report report; /* first: this is what the caller sees */
    memo_finding_list list;
} repair_owner;

void memo_repair_report_free(memo_repair_report *report)
{
    repair_owner *owner = (repair_owner *)report;

    if (!owner)
        return;
    memo_finding_list_fini(&owner->list);
    memo_free(owner);
}

/* ---- vectors ------------------------------------------------------------------------------- */

typedef struct repair_texts {
    memo_arena arena;
    size_t n, cap;
    struct repair_text {
        const char *ns, *id;
    } * list;
    int out_of_memory;
} repair_texts;

static int repair_keep_id(void *user, const char *ns, const char *id)
{
    repair_texts *t = user;
    struct repair_text *grown = memo_grow(t->list, t->n, &t->cap, sizeof *grown);

    if (!grown) {
        t->out_of_memory = 1;
        return 1;
    }
    t->list = grown;
    t->list[t->n].ns = memo_arena_strdup(&t->arena, ns);
    t->list[t->n].id = memo_arena_strdup(&t->arena, id);
    t->out_of_memory |= !t->list[t->n].ns || !t->list[t->n].id;
    t->n++;
    return t->out_of_memory;
}

/* What the model cannot embed stays without vectors: another model's text, or one it refuses. */
static memo_status repair_embed_one(memo_db *db, repair_owner *owner, const struct repair_text *t,
                                    memo_err *err)
{
    memo_err why = {0};
    memo_status status = memo_db_embed_again(db, t->ns, t->id, &why);

    if (status == MEMO_OK) {
        owner->report.n_reembedded++;
        owner->report.n_unembedded -= owner->report.n_unembedded > 0; /* others write again */
        return MEMO_OK;
    }
    if (status != MEMO_ERR_MISMATCH && status != MEMO_ERR_VALUE && status != MEMO_ERR_LIMIT) {
        if (err)
            *err = why;
        return status;
    }
    memo_err_prefix(&why, status, "record %s keeps its text without vectors", t->id);
    memo_finding_list_add(&owner->list, MEMO_FINDING_WARN, "vectors", why.message, why.hint);
    return MEMO_OK;
}

static memo_status repair_embed(memo_ctx *ctx, const char *path, const memo_repair_options *o,
                                repair_owner *owner, memo_err *err)
{
    const memo_db_options options = {.size = sizeof options,
                                     .mode = MEMO_OPEN_EXISTING,
                                     .model = o->model,
                                     .busy_timeout_ms = o->busy_timeout_ms};
    repair_texts texts = {.n = 0};
    memo_db *db = NULL;
    memo_status status = memo_db_open(ctx, path, &options, &db, err);

    if (status == MEMO_OK)
        status = memo_store_each_unembedded(db->store, repair_keep_id, &texts, err);
    if (status == MEMO_OK && texts.out_of_memory)
        status = memo_fail_nomem(err, "a list of texts", texts.n);
    for (size_t i = 0; i < texts.n && status == MEMO_OK; i++)
        status = repair_embed_one(db, owner, &texts.list[i], err);
    memo_db_close(db);
    memo_arena_fini(&texts.arena);
    memo_free(texts.list);
    return status;
}

/* The store is whole by now: a failure here must not hide what was done, nor where the original is. */
static memo_status repair_try_embed(memo_ctx *ctx, const char *path, const memo_repair_options *o,
                                    repair_owner *owner, memo_err *err)
{
    memo_err why = {0};
    memo_status status = repair_embed(ctx, path, o, owner, &why);

    if (status == MEMO_ERR_NOMEM && err)
        *err = why;
    if (status == MEMO_OK || status == MEMO_ERR_NOMEM)
        return status;
    memo_err_prefix(&why, status, "texts are not embedded again");
    memo_finding_list_add(&owner->list, MEMO_FINDING_WARN, "vectors", why.message, why.hint);
    return MEMO_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void repair_say_vectors(repair_owner *owner)
{
    char message[96];

    if (owner->report.n_reembedded) {
        snprintf(message, sizeof message, "%" PRIu64 " records embedded again",
                 owner->report.n_reembedded);
        memo_finding_list_add(&owner->list, MEMO_FINDING_OK, "vectors", message, "");
    }
    if (owner->report.n_unembedded) {
        snprintf(message, sizeof message, "%" PRIu64 " records lack vectors: found by words only",
                 owner->report.n_unembedded);
        memo_finding_list_add(&owner->list, MEMO_FINDING_WARN, "vectors", message,
                              "memolith doctor --repair --model FILE   makes them again");
    }
}

memo_status memo_db_repair(memo_ctx *ctx, const char *path, const memo_repair_options *options,
                           memo_repair_report **report, memo_err *err)
{
    memo_repair_options o;
    memo_store_sink sink;
    repair_owner *owner;
    memo_status status = memo_options_copy(&o, sizeof o, options, "memo_repair_options", err);

    if (status)
        return status;
    if (!ctx || !path || !*path || !report)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_db_repair: context, path and report must not be NULL or empty");
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "a report", sizeof *owner);
    sink = (memo_store_sink){memo_finding_list_add, &owner->list, &owner->list.arena};
    status = memo_store_repair(ctx, path, &o, &sink, &owner->report, err);
    if (status == MEMO_OK && o.model && !o.dry_run && owner->report.n_unembedded)
        status = repair_try_embed(ctx, path, &o, owner, err);
    if (status == MEMO_OK) {
        repair_say_vectors(owner);
        status = memo_finding_list_check(&owner->list, err);
    }
    owner->report.findings = &owner->list.findings;
    if (status)
        memo_repair_report_free(&owner->report);
    else
        *report = &owner->report;
    return status;
}

memo_status memo_db_quarantine(memo_db *db, int (*fn)(void *user, const memo_quarantined *row),
                               void *user, memo_err *err)
{
    memo_status status = memo_db_check_call(db, fn ? db : NULL, "memo_db_quarantine", err);

    return status ? status : memo_store_each_quarantined(db->store, fn, user, err);
}
