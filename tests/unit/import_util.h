// SPDX-License-Identifier: Apache-2.0
/* A folder of files to import, and what its import reports. */
#ifndef MEMO_TEST_IMPORT_UTIL_H
#define MEMO_TEST_IMPORT_UTIL_H

#include "db_util.h"

/* A memory file of an MCP server: two entities, two observations, a relation. */
static const char mcp_lines[] =
    "{\"type\":\"entity\",\"name\":\"Anna\",\"entityType\":\"person\",\"observations\":[\"likes "
    "tea\",\"has a boat\"]}\n"
    "{\"type\":\"entity\",\"name\":\"Initech\",\"entityType\":\"company\",\"observations\":[]}\n"
    "{\"type\":\"relation\",\"from\":\"Anna\",\"to\":\"Initech\",\"relationType\":\"works_at\"}\n";

static char folder[400];

typedef struct formats_env {
    memo_import_report report;
    char bad[600]; /* "name:line STATUS" joined by spaces */
} formats_env;

static inline void formats_note_bad(void *user, const char *path, uint64_t line,
                                    const memo_err *why)
{
    formats_env *f = user;
    size_t at = strlen(f->bad);
    const char *name = strrchr(path, '/');
    snprintf(f->bad + at, sizeof f->bad - at, "%s%s:%d %s", at ? " " : "", name ? name + 1 : path,
             (int)line, memo_status_name(why->status) + 4); /* without "ERR_" */
}

static inline void formats_folder(db_env *e)
{
    snprintf(folder, sizeof folder, "%s/in", e->dir);
    memo_test_remove_tree(folder);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static inline void formats_put(const char *name, const char *text)
{
    FILE *f = tiny_model_create(folder, name);
    fwrite(text, 1, strlen(text), f);
    fclose(f);
}

static inline memo_status formats_import(db_env *e, const char *name, memo_import_options o,
                                         formats_env *f)
{
    char path[600];
    const char *const paths[] = {path};
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    memset(f, 0, sizeof *f);
    o.size = sizeof o;
    o.on_bad = formats_note_bad;
    o.on_bad_user = f;
    memset(&e->err, 0, sizeof e->err);
    f->report.size = sizeof f->report;
    return memo_db_import(e->db, paths, 1, &o, &f->report, &e->err);
}

static inline void formats_expect(const formats_env *f, int n_new, int n_changed, int n_unchanged,
                                  int n_removed, int n_failed)
{
    const memo_import_report *r = &f->report;
    if ((int)r->n_new != n_new || (int)r->n_changed != n_changed ||
        (int)r->n_unchanged != n_unchanged || (int)r->n_removed != n_removed ||
        (int)r->n_failed != n_failed)
        fail_msg("new %d changed %d unchanged %d removed %d failed %d, not %d %d %d %d %d",
                 (int)r->n_new, (int)r->n_changed, (int)r->n_unchanged, (int)r->n_removed,
                 (int)r->n_failed, n_new, n_changed, n_unchanged, n_removed, n_failed);
}

static inline memo_records *formats_get(db_env *e, const char *key)
{
    memo_records *r = NULL;
    assert_memo_ok(memo_db_get(e->db, NULL, key, &r, &e->err), e->err);
    return r;
}

#endif
