// SPDX-License-Identifier: Apache-2.0
/* fault/alloc_env.h -- what the scenarios of alloc_points.c work on: a folder of templates that is
 * made once (models, a small store, files to import), a folder for each worker, and the results of
 * calls as text, so that two runs are compared by one strcmp().
 *
 * A scenario runs armed: seam_stop() comes after its call and before it prints. */
#ifndef MEMO_FAULT_ALLOC_ENV_H
#define MEMO_FAULT_ALLOC_ENV_H

#include "unit/memo_test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>

#include <memolith/memolith.h>

#include "unit/bert_source.h"
#include "unit/tiny_model.h"
#include "unit/tokenizer_fixture.h"

#include "alloc_seam.h"

#define ALLOC_TEMPLATE_MS INT64_C(1740000000000) /* clock while the templates are made */
#define ALLOC_NOW_MS      INT64_C(1750000000000) /* clock of every run */

typedef enum alloc_flags {
    ALLOC_DB = 1,         /* a copy of the store is open as env->db, with the model */
    ALLOC_STORE = 2,      /* a copy of the store lies at env->store, closed */
    ALLOC_LOG = 4,        /* the copy has a write-ahead log, as after a kill */
    ALLOC_NO_STORE = 8,   /* nothing lies at env->store */
    ALLOC_CHANGES = 16,   /* the store is another one afterwards */
    ALLOC_NO_MODEL = 32,  /* env->db is open without a model */
    ALLOC_READ_ONLY = 64, /* env->db is open for reading */
    ALLOC_FRESH = 128,    /* each run in a process that has used nothing yet */
    ALLOC_PREPARES = 256, /* the run changes the store before its call */
    ALLOC_CONTROL = 512,  /* wrong on purpose: must be detected */
    ALLOC_DAMAGED = 1024, /* the copy has a page with a wrong bit in it */
    ALLOC_SLOW = 2048,    /* waits: with a stride, fewer of its points */
} alloc_flags;

typedef struct alloc_env {
    char base[128]; /* the templates */
    char dir[160];  /* of this worker */
    char store[192];
    int64_t now_ms;
    memo_ctx *ctx, *threads; /* of one and of three threads; kept over all points */
    memo_model *model;
    memo_db *db; /* a scenario that closes it sets it NULL */
    FILE *out;   /* what the call gave */
} alloc_env;

typedef struct alloc_scenario alloc_scenario;
struct alloc_scenario {
    const char *name;
    unsigned flags;
    memo_status (*run)(alloc_env *e, const alloc_scenario *s, memo_err *err);
    const char *text; /* of the variant */
    int a, b;
};

static int64_t alloc_clock(void *user)
{
    return ((alloc_env *)user)->now_ms;
}

static void alloc_path(char out[512], const char *folder, const char *name)
{
    snprintf(out, 512, "%s/%s", folder, name);
}

static void alloc_copy(const char *from, const char *to)
{
    char block[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    unlink(to);
    if (in < 0)
        return;
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while ((n = read(in, block, sizeof block)) > 0)
        if (out < 0 || write(out, block, (size_t)n) != n)
            fail_msg("cannot write %s", to);
    close(in);
    close(out);
}

/* ---- results as text ----------------------------------------------------------------------- */

static void alloc_print_text(FILE *f, const char *name, const char *bytes, size_t n)
{
    fprintf(f, " %s=", name);
    if (!bytes)
        fputs("NULL", f);
    else
        fwrite(bytes, 1, n, f);
}

static void alloc_print_str(FILE *f, const char *name, const char *s)
{
    alloc_print_text(f, name, s, s ? strlen(s) : 0);
}

/* An id made during a run is random. */
static void alloc_print_record(FILE *f, const memo_record *r)
{
    alloc_print_str(f, "record", r->created_ms < ALLOC_NOW_MS ? r->id : "*");
    alloc_print_str(f, "key", r->key);
    alloc_print_str(f, "ns", r->ns);
    alloc_print_str(f, "title", r->title);
    alloc_print_str(f, "metadata", r->metadata_json);
    alloc_print_str(f, "source", r->source);
    for (size_t i = 0; i < r->n_tags; i++)
        alloc_print_str(f, "tag", r->tags[i]);
    fprintf(f, " %lld %lld %lld v%llu c%zu", (long long)r->created_ms, (long long)r->updated_ms,
            (long long)r->expires_ms, (unsigned long long)r->version, r->n_chunks);
    alloc_print_text(f, "text", r->text.bytes, r->text.n_bytes);
    fputc('\n', f);
}

static void alloc_print_records(FILE *f, const memo_records *r)
{
    for (size_t i = 0; i < r->n; i++)
        alloc_print_record(f, &r->records[i]);
    alloc_print_str(f, "next", r->next);
    fprintf(f, " damaged %zu\n", r->n_damaged);
}

static void alloc_print_hits(FILE *f, const memo_hits *h)
{
    for (size_t i = 0; i < h->n; i++) {
        const memo_hit *hit = &h->hits[i];
        alloc_print_str(f, "hit", hit->created_ms < ALLOC_NOW_MS ? hit->id : "*");
        alloc_print_str(f, "key", hit->key);
        alloc_print_str(f, "title", hit->title);
        alloc_print_text(f, "text", hit->text, hit->text_bytes);
        alloc_print_str(f, "terms", hit->terms);
        alloc_print_str(f, "metadata", hit->metadata_json);
        alloc_print_str(f, "source", hit->source);
        for (size_t t = 0; t < hit->n_tags; t++)
            alloc_print_str(f, "tag", hit->tags[t]);
        fprintf(f, " %zu..%zu chunk %zu at %lld score %a", hit->begin, hit->end, hit->chunk,
                (long long)hit->created_ms, hit->score);
        for (int l = 0; l < MEMO_N_LANES; l++)
            fprintf(f, " [%zu %a %a]", hit->lanes[l].rank, hit->lanes[l].score,
                    hit->lanes[l].share);
        fputc('\n', f);
    }
    fprintf(f, "mode %d searched %zu damaged %zu partial %d cut %d model %s\n", (int)h->mode,
            h->n_searched, h->n_damaged, h->partial, h->query_truncated, h->model);
}

static void alloc_print_vectors(FILE *f, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%a ", (double)v[i]);
    fputc('\n', f);
}

/* Everything that a caller can read of a store, but what a repeated run may change: sizes of files
 * and random ids. */
static memo_status alloc_print_store(FILE *f, memo_db *db, memo_err *err)
{
    static const char *const spaces[] = {"default", "work", "new"};
    memo_db_stats s = {.size = sizeof s};
    memo_records *r;
    memo_hits *h;
    memo_status status = memo_db_get_stats(db, &s, err);
    if (status)
        return status;
    fprintf(f, "records %llu chunks %llu vectors %llu tombstones %llu versions %llu spaces %llu",
            (unsigned long long)s.n_records, (unsigned long long)s.n_chunks,
            (unsigned long long)s.n_vectors, (unsigned long long)s.n_tombstones,
            (unsigned long long)s.n_versions, (unsigned long long)s.n_namespaces);
    fprintf(f, " seq %llu schema %d\n", (unsigned long long)s.change_seq, s.schema_version);
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        const memo_list_options list = {.size = sizeof list, .ns = spaces[i], .limit = 100};
        const memo_search_options search = {
            .size = sizeof search, .ns = spaces[i], .mode = MEMO_SEARCH_LEXICAL, .k = 50};
        r = NULL;
        h = NULL;
        status = memo_db_list(db, &list, &r, err);
        if (status == MEMO_OK)
            alloc_print_records(f, r);
        memo_records_free(r);
        if (status == MEMO_OK)
            status = memo_db_search(db, MEMO_STR("key under note"), &search, &h, err);
        if (status == MEMO_OK)
            alloc_print_hits(f, h);
        memo_hits_free(h);
        if (status && status != MEMO_ERR_NOTFOUND)
            return status;
    }
    return MEMO_OK;
}

/* ---- templates ----------------------------------------------------------------------------- */

static const char *const alloc_notes[][4] = {
    /* key, text, metadata, tag */
    {"n-1", "the spare key is under the third flower pot of the garden", "{\"n\":1}", "home"},
    {"n-2", "Anna is allergic to peanuts and a note about ERR-4512", "{\"n\":2}", "anna"},
    {"n-3", "the boiler was serviced; key of the cellar, see src/a.c", "{\"n\":3.25}", "home"},
    {"n-4", "a note about nothing at all", "{\"place\":\"Porto, the old town\"}", "trip"},
    {NULL, "caf\xC3\xA9 and \xE4\xB8\xAD\xE6\x96\x87 and the key", "{}", "odd"},
};
#define ALLOC_NOTES (sizeof alloc_notes / sizeof *alloc_notes)

static const char alloc_long_text[] =
    "# The garden\n\nthe key is under the flower pot. Anna was in the garden and a note was under "
    "the pot.\n\n## The boiler\n\nthe boiler is in the cellar. it was serviced and the note about "
    "it is under the key. ERR-4512 is what it says.\n\n```\na fenced block\nof two lines\n```\n\n"
    "and the rest of it is about nothing: the spare key, the boiler, the note, and a flower.\n";

static memo_record_in alloc_record(const char *key, const char *text)
{
    return (memo_record_in){
        .size = sizeof(memo_record_in), .key = key, .text = {text, strlen(text)}};
}

static void alloc_fill_store(alloc_env *e, memo_db *db)
{
    const memo_write_options work = {.size = sizeof work, .ns = "work"};
    memo_forget_options forget = {.size = sizeof forget, .n_ids = 1};
    const char *gone[] = {"gone"};
    memo_err err = {0};
    for (size_t i = 0; i < ALLOC_NOTES; i++) {
        memo_record_in in = alloc_record(alloc_notes[i][0], alloc_notes[i][1]);
        e->now_ms += 1000;
        in.metadata_json = alloc_notes[i][2];
        in.tags = &alloc_notes[i][3];
        in.n_tags = 1;
        in.title = i % 2 ? "About a note" : NULL;
        in.source = "/some/where.txt";
        assert_memo_ok(memo_db_add(db, i == 3 ? &work : NULL, &in, 1, NULL, &err), err);
    }
    memo_record_in in = alloc_record("long", alloc_long_text);
    in.chunk_tokens = 24;
    in.chunking = MEMO_CHUNK_MARKDOWN;
    in.title = "The long one";
    e->now_ms += 1000;
    assert_memo_ok(memo_db_add(db, NULL, &in, 1, NULL, &err), err);
    in = alloc_record("gone", "this one is forgotten");
    assert_memo_ok(memo_db_add(db, NULL, &in, 1, NULL, &err), err);
    in = alloc_record("n-2", "Anna is allergic to peanuts; ERR-4512 is mended");
    e->now_ms += 1000;
    assert_memo_ok(memo_db_add(db, NULL, &in, 1, NULL, &err), err);
    forget.ids = gone;
    assert_memo_ok(memo_db_forget(db, &forget, NULL, NULL, &err), err);
}

static memo_status alloc_compile(memo_ctx *ctx, const alloc_env *e, const char *source,
                                 const char *out, memo_err *err)
{
    const memo_compile_options o = {.size = sizeof o, .name = "tiny", .overwrite = 1};
    char from[512], to[512];
    alloc_path(from, e->base, source);
    alloc_path(to, e->base, out);
    return memo_model_compile(ctx, from, to, &o, NULL, err);
}

/* A copy of the closed store with a bit of a text flipped. */
static void alloc_make_damaged(const alloc_env *e, const char *path)
{
    static const char word[] = "boiler was serviced";
    static char bytes[1 << 22];
    char damaged[512], *at;
    ssize_t n;
    int fd;
    alloc_path(damaged, e->base, "damaged.memo");
    alloc_copy(path, damaged);
    fd = open(damaged, O_RDWR | O_CLOEXEC);
    n = read(fd, bytes, sizeof bytes);
    at = n > 0 ? memmem(bytes, (size_t)n, word, sizeof word - 1) : NULL;
    if (!at)
        fail_msg("no text to damage in %s", damaged);
    at[0] ^= 1;
    if (pwrite(fd, at, 1, at - bytes) != 1)
        fail_msg("cannot write %s", damaged);
    close(fd);
}

/* A store closed properly, and one as a kill leaves it: some of it in the log only. */
static void alloc_make_stores(alloc_env *e)
{
    memo_db_options open = {.size = sizeof open, .model = e->model};
    char path[512], copy[512], log[520], log_copy[520];
    memo_db *db = NULL;
    memo_err err = {0};
    alloc_path(path, e->base, "store.memo");
    assert_memo_ok(memo_db_open(e->ctx, path, &open, &db, &err), err);
    alloc_fill_store(e, db);
    memo_db_close(db);
    alloc_make_damaged(e, path);
    assert_memo_ok(memo_db_open(e->ctx, path, &open, &db, &err), err);
    memo_record_in in = alloc_record("late", "a late note under the log");
    assert_memo_ok(memo_db_add(db, NULL, &in, 1, NULL, &err), err);
    alloc_path(copy, e->base, "killed.memo");
    alloc_copy(path, copy);
    snprintf(log, sizeof log, "%s-wal", path);
    snprintf(log_copy, sizeof log_copy, "%s-wal", copy);
    alloc_copy(log, log_copy);
    memo_db_close(db);
}

static void alloc_make_folder(char out[300], const alloc_env *e, const char *name)
{
    snprintf(out, 300, "%s/%s", e->base, name);
    mkdir(out, 0700);
}

static void alloc_make_imports(const alloc_env *e)
{
    char folder[300];
    alloc_make_folder(folder, e, "in");
    bert_write_text(folder, "notes.md", alloc_long_text);
    bert_write_text(folder, "plain.txt", "a plain note about the key\nof two lines\n");
    bert_write_text(folder, "table.csv",
                    "title,text,metadata.n,tags\nanna,peanuts,7,\"nut, food\"\nboiler,\"serviced, "
                    "twice\",true,\n");
    bert_write_text(
        folder, "lines.ndjson",
        "{\"id\":\"l-1\",\"text\":\"the first line about a key\",\"tags\":[\"a\",\"b\"],"
        "\"metadata\":{\"n\":1,\"long\":\"a value of more than sixteen characters\"}}\n"
        "\n"
        "{\"text\":\"the second line has no key \\u00e9\\ud83d\\ude00\",\"created\":"
        "\"2025-07-01T00:00:00Z\",\"title\":\"Second\"}\n"
        "{\"_id\":\"l-3\",\"text\":\"the third\",\"created\":1750000000123}\n");
    bert_write_text(folder, "array.json",
                    "[{\"id\": \"j-1\", \"text\": \"the lamp\", \"tags\": [\"home\"]},\n"
                    " {\"id\": \"j-2\", \"text\": \"the oil\", \"n\": 2.5}]\n");
    bert_write_text(folder, "bad.ndjson",
                    "{\"id\":\"b-1\",\"text\":\"good\"}\n{\"id\":\"b-2\"}\nnot json\n"
                    "{\"id\":\"b-4\",\"text\":\"good as well\"}\n");
}

static void alloc_make_sources(const alloc_env *e)
{
    static const bert_spec specs[] = {
        {.n_layers = 1},
        {.n_layers = 1, .prefix = "bert."},
        {.n_layers = 1, .with_f64 = 1},
        {.n_layers = 1, .extra = "cls.predictions.bias"},
        {.n_layers = 1, .missing = "encoder.layer.0.output.dense.weight"},
        {.n_layers = 1, .poisoned = "embeddings.word_embeddings.weight", .poison = INFINITY},
        {.n_layers = 1, .config = "{\"model_type\": \"bert\", \"num_hidden_layers\": 1e400}"},
    };
    char folder[300];
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        char name[16];
        snprintf(name, sizeof name, "bert-%zu", i);
        alloc_make_folder(folder, e, name);
        bert_write_model(folder, specs[i]);
    }
    alloc_make_folder(folder, e, "tiny");
    tiny_model_write(folder, 1);
    alloc_make_folder(folder, e, "prompts");
    tiny_model_write(folder, 2);
    bert_write_text(folder, "config_sentence_transformers.json",
                    "{\"prompts\": {\"query\": \"search for this text: \", \"document\": "
                    "\"a document: \"}, \"default_prompt_name\": null}");
    bert_write_text(folder, "tokenizer_config.json",
                    "{\"do_lower_case\": true, \"model_max_length\": 512, \"tokenizer_class\": "
                    "\"BertTokenizer\"}");
    alloc_make_folder(folder, e, "json");
    tiny_model_write(folder, 3);
    bert_write_text(folder, "tokenizer.json", FIXTURE_UNCASED);
}

#endif
