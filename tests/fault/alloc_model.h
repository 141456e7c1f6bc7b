// SPDX-License-Identifier: Apache-2.0
/* fault/alloc_model.h -- scenarios without a store: context, JSON, compile, open, embed, tokenize,
 * chunk, filter. */
#ifndef MEMO_FAULT_ALLOC_MODEL_H
#define MEMO_FAULT_ALLOC_MODEL_H

#include "base/hash.h"
#include "base/json.h"
#include "store/filter/filter.h"
#include "text/chunk.h"

#include "alloc_env.h"

/* ---- context and JSON ---------------------------------------------------------------------- */

static memo_status alloc_run_ctx(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_ctx_options o = {
        .size = sizeof o, .n_threads = (unsigned)s->a, .cpu = (memo_cpu)s->b};
    memo_ctx *ctx = NULL;
    memo_status status = memo_ctx_new(&o, &ctx, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%s %u", memo_cpu_name(memo_ctx_cpu(ctx)), memo_ctx_n_threads(ctx));
    memo_ctx_free(ctx);
    return status;
}

static memo_status alloc_run_json(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    json_t *json = NULL;
    memo_status status = memo_json_parse(s->text, strlen(s->text),
                                         s->a ? &memo_json_loose_limits : &memo_json_request_limits,
                                         "json", &json, err);
    seam_stop();
    if (!status)
        json_dumpf(json, e->out, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(json);
    return status;
}

static memo_status alloc_run_json_file(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    char path[512], *text = NULL;
    size_t n_bytes = 0;
    json_t *json = NULL;
    memo_status status;
    alloc_path(path, e->base, s->text);
    status = memo_file_slurp(path, memo_json_vocab_limits.max_bytes, &text, &n_bytes, err);
    if (!status)
        status = memo_json_parse(text, n_bytes, &memo_json_vocab_limits, path, &json, err);
    memo_free(text);
    seam_stop();
    if (!status)
        json_dumpf(json, e->out, 0);
    json_decref(json);
    return status;
}

/* ---- compile and open ---------------------------------------------------------------------- */

static void alloc_print_report(FILE *f, const memo_compile_report *r)
{
    fprintf(f, "%s %llu %llu %llu", r->fingerprint, (unsigned long long)r->file_bytes,
            (unsigned long long)r->n_tensors, (unsigned long long)r->n_parameters);
    for (size_t i = 0; i < r->n_unused; i++)
        alloc_print_str(f, "unused", r->unused[i]);
    for (size_t i = 0; i < r->n_warnings; i++)
        alloc_print_str(f, "warning", r->warnings[i]);
}

/* After success the file is the same, byte for byte; after a failure nothing lies in its folder. */
static memo_status alloc_run_compile(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_compile_options o = {.size = sizeof o,
                                    .cls = (memo_class)s->a,
                                    .name = s->b ? "another name than the folder's" : NULL,
                                    .pooling = s->b ? MEMO_POOLING_CLS : MEMO_POOLING_AUTO};
    char source[512], folder[512], out[520];
    memo_compile_report *report = NULL;
    size_t n_bytes = 0;
    memo_status status;
    alloc_path(source, e->base, s->text);
    alloc_path(folder, e->dir, "out");
    snprintf(out, sizeof out, "%s/model", folder);
    status = memo_model_compile(e->ctx, source, out, &o, &report, err);
    seam_stop();
    if (!status) {
        char *bytes = NULL;
        alloc_print_report(e->out, report);
        if (memo_file_slurp(out, SIZE_MAX, &bytes, &n_bytes, err) == MEMO_OK)
            fprintf(e->out, " file %zu %llx", n_bytes,
                    (unsigned long long)memo_xxh64(bytes, n_bytes, 0));
        memo_free(bytes);
        unlink(out);
    }
    memo_compile_report_free(report);
    if (rmdir(folder) != 0) /* something else lies in it */
        fprintf(e->out, " LEFTOVER"), status = MEMO_OK;
    mkdir(folder, 0700);
    return status;
}

static void alloc_print_info(FILE *f, const memo_model *model)
{
    memo_model_info i = {.size = sizeof i};
    memo_model_get_info(model, &i, NULL);
    fprintf(f, "%s %s %s %zu %zu %zu %zu %zu %s\n", i.name, i.architecture, i.fingerprint, i.dim,
            i.max_tokens, i.n_special_tokens, i.n_layers, i.hidden_size, i.recipe_json);
}

static memo_status alloc_run_open(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_model_options o = {.size = sizeof o, .verify_all = s->a};
    memo_model *model = NULL;
    char path[512];
    memo_status status;
    alloc_path(path, e->base, s->text);
    status = memo_model_open(e->ctx, path, &o, &model, err);
    seam_stop();
    if (!status)
        alloc_print_info(e->out, model);
    memo_model_close(model);
    return status;
}

static memo_status alloc_run_open_memory(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_model_options o = {.size = sizeof o, .verify_all = s->a};
    memo_model *model = NULL;
    char path[512];
    void *bytes = NULL;
    struct stat st;
    FILE *f;
    memo_status status;
    alloc_path(path, e->base, s->text);
    f = fopen(path, "rbe");
    if (!f || fstat(fileno(f), &st) != 0 || posix_memalign(&bytes, 64, (size_t)st.st_size) != 0 ||
        fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        fail_msg("cannot read %s", path);
    fclose(f);
    status = memo_model_open_memory(e->ctx, bytes, (size_t)st.st_size, &o, &model, err);
    seam_stop();
    if (!status)
        alloc_print_info(e->out, model);
    memo_model_close(model);
    free(bytes);
    return status;
}

static memo_status alloc_run_verify(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_verify_report r = {.size = sizeof r};
    memo_status status = memo_model_verify(e->model, &r, err);
    (void)s;
    seam_stop();
    if (!status)
        fprintf(e->out, "%llu %d %zu %zu %a", (unsigned long long)r.n_blocks_checked,
                r.fingerprint_matches, r.n_probes, r.n_probe_ids_differ, r.probe_max_abs_diff);
    return status;
}

static memo_status alloc_run_inspect(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_tensor_list *list = NULL;
    char path[512];
    memo_status status;
    alloc_path(path, e->base, s->text);
    status = memo_model_inspect(e->ctx, path, &list, err);
    seam_stop();
    for (size_t i = 0; !status && i < list->n; i++) {
        const memo_tensor_info *t = &list->tensors[i];
        fprintf(e->out, "%s %s %llu %llu", t->name, t->dtype, (unsigned long long)t->offset,
                (unsigned long long)t->n_bytes);
        for (size_t d = 0; d < t->n_dims; d++)
            fprintf(e->out, " %llu", (unsigned long long)t->shape[d]);
    }
    for (size_t i = 0; !status && i < 2 * list->n_metadata; i++)
        alloc_print_str(e->out, "meta", list->metadata[i]);
    memo_tensor_list_free(list);
    return status;
}

/* ---- embed and tokenize -------------------------------------------------------------------- */

enum { ALLOC_TEXTS = 5, ALLOC_MAX_DIM = 64 };

/* a: role and 10 times the rule of overlong texts; b: threads, negative: with every other option. */
static memo_status alloc_run_embed(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_embed_options o = {.size = sizeof o,
                                  .role = (memo_role)(s->a % 10),
                                  .overlong = (memo_overlong)(s->a / 10),
                                  .max_tokens = s->b < 0 ? 20 : 0,
                                  .chunk_overlap = s->b < 0 ? 5 : 0,
                                  .replace_invalid_utf8 = s->b < 0,
                                  .safe_specials = s->b < 0,
                                  .n_threads = s->b < 0 ? 1 : (unsigned)s->b};
    const memo_text texts[ALLOC_TEXTS] = {MEMO_TEXT("the spare key"),
                                          MEMO_TEXT(""),
                                          {alloc_long_text, sizeof alloc_long_text - 1},
                                          {s->text, strlen(s->text)},
                                          MEMO_TEXT("[MASK] about [SEP] nothing")};
    float vectors[ALLOC_TEXTS * ALLOC_MAX_DIM];
    memo_embed_result results[ALLOC_TEXTS] = {{.size = sizeof *results}};
    char path[512];
    memo_model *model = NULL;
    memo_status status = MEMO_OK;
    if (s->b > 1) { /* a model of the context with threads */
        int armed = seam_pause();
        alloc_path(path, e->base, "prompts.model");
        status = memo_model_open(e->threads, path, NULL, &model, err);
        seam_resume(armed);
    }
    if (!status)
        status = memo_model_embed(model ? model : e->model, &o, texts, ALLOC_TEXTS, vectors,
                                  results, err);
    seam_stop();
    if (!status) {
        alloc_print_vectors(e->out, vectors, ALLOC_TEXTS * (size_t)TINY_HIDDEN);
        for (size_t i = 0; i < ALLOC_TEXTS; i++)
            fprintf(e->out, "%zu %zu %d ", results[i].n_tokens_seen, results[i].n_tokens_total,
                    results[i].truncated);
    }
    memo_model_close(model);
    return status;
}

static memo_status alloc_run_plan(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_plan plan = {.size = sizeof plan};
    memo_status status = memo_model_plan(e->model, (size_t)s->a, (size_t)s->b, 1, &plan, err);
    seam_stop();
    fprintf(e->out, "%llu", (unsigned long long)plan.scratch_bytes);
    return status;
}

static memo_status alloc_run_tokenize(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_tokenize_options o = {.size = sizeof o,
                                     .no_special_tokens = s->a & 1,
                                     .replace_invalid_utf8 = (s->a & 2) != 0,
                                     .safe_specials = (s->a & 4) != 0};
    memo_tokens *tokens = NULL;
    memo_status status = memo_model_tokenize(e->model, MEMO_STR(s->text), &o, &tokens, err);
    seam_stop();
    for (size_t i = 0; !status && i < tokens->n; i++)
        fprintf(e->out, "%u:%zu-%zu ", tokens->ids[i], tokens->offsets[i][0],
                tokens->offsets[i][1]);
    memo_tokens_free(tokens);
    return status;
}

static memo_status alloc_run_tables(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_buf tables = {0};
    memo_tokenizer_notes notes;
    memo_status status = s->a ? memo_tokenizer_build_vocab(s->text, strlen(s->text), 1, "vocab.txt",
                                                           &tables, &notes, err)
                              : memo_tokenizer_build_json(s->text, strlen(s->text),
                                                          "tokenizer.json", &tables, &notes, err);
    seam_stop();
    if (!status)
        fprintf(e->out, "%zu %llx", tables.n,
                (unsigned long long)memo_xxh64(tables.data, tables.n, 0));
    memo_buf_fini(&tables);
    return status;
}

static memo_status alloc_run_chunk(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    const memo_chunk_options o = {
        .markdown = s->a, .max_tokens = 16, .first_tokens = 12, .overlap = 4};
    memo_chunk_list list = {0};
    fixture f;
    memo_status status = fixture_open(FIXTURE_UNCASED, &f, err);
    if (!status)
        status = memo_chunk_split(f.tokenizer, MEMO_STR(s->text), &o, &list, err);
    seam_stop();
    for (size_t i = 0; !status && i < list.n; i++)
        fprintf(e->out, "%zu-%zu %zu ", list.chunks[i].begin, list.chunks[i].end,
                list.chunks[i].n_tokens);
    memo_chunk_list_fini(&list);
    fixture_close(&f);
    return status;
}

static memo_status alloc_run_filter(alloc_env *e, const alloc_scenario *s, memo_err *err)
{
    memo_filter *filter = NULL;
    size_t n = 0;
    memo_status status = memo_filter_new(s->text, ALLOC_NOW_MS, &filter, err);
    seam_stop();
    if (!status) {
        const memo_filter_param *params = memo_filter_params(filter, &n);
        fputs(memo_filter_sql(filter), e->out);
        for (size_t i = 0; i < n; i++) {
            fprintf(e->out, " %d %lld", (int)params[i].kind, (long long)params[i].integer);
            alloc_print_text(e->out, "text", params[i].text.bytes, params[i].text.n_bytes);
        }
    }
    memo_filter_free(filter);
    return status;
}

/* ---- the list ------------------------------------------------------------------------------ */

#define ALLOC_JSON_STRINGS                                                                         \
    "{\"a short\": \"x\", \"a key of more than sixteen characters\": \"a value that makes the "    \
    "buffer of a token grow more than once, for it is longer than sixty-four bytes\", \"b\": "     \
    "[\"once more with \\\"quotes\\\", \\\\ and \\n\", \"\"]}"
#define ALLOC_JSON_ESCAPES                                                                         \
    "[\"\\u00e9\\u4e2d\\u6587\\ud83d\\ude00\\ud83d\\ude00\\u0000\\t\\b\\f\\r\\n\\/\\\"\\\\\", "    \
    "\"caf\xC3\xA9 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80 \xF0\x9F\x98\x80 is the end of it\"]"
#define ALLOC_JSON_NUMBERS                                                                         \
    "[0, -1, 9223372036854775807, -9223372036854775808, 1.5, -2.25e-3, 0.30000000000000004, "      \
    "1234567890123456.5, 123456789012345678901234567890e-5, true, false, null]"
#define ALLOC_JSON_NESTED                                                                          \
    "{\"a\":{\"b\":{\"c\":[[[[1,2],[3]],[]],{}],\"d\":{\"e\":{}}}},\"f\":[{},{},{\"g\":[]},1,2,3," \
    "4,5,6,7,8,9,10,11,12],\"h\":1,\"i\":2,\"j\":3,\"k\":4,\"l\":5,\"m\":6,\"n\":7,\"o\":8,\"p\":" \
    "9}"

#define ALLOC_EMBED(rule, role, threads)                                                           \
    {                                                                                              \
        "embed " #rule " " #role " " #threads, 0, alloc_run_embed, "note",                         \
            10 * MEMO_OVERLONG_##rule + MEMO_ROLE_##role, threads                                  \
    }
#define ALLOC_EMBED_RULE(rule)                                                                     \
    ALLOC_EMBED(rule, DOCUMENT, 1), ALLOC_EMBED(rule, QUERY, 1), ALLOC_EMBED(rule, NONE, 1),       \
        ALLOC_EMBED(rule, DOCUMENT, 3)

static const alloc_scenario alloc_model_scenarios[] = {
    {"ctx one thread", 0, alloc_run_ctx, NULL, 1, MEMO_CPU_AUTO},
    {"ctx of threads", 0, alloc_run_ctx, NULL, 4, MEMO_CPU_REF},
    {"json strings", 0, alloc_run_json, ALLOC_JSON_STRINGS, 0, 0},
    {"json escapes", 0, alloc_run_json, ALLOC_JSON_ESCAPES, 0, 0},
    {"json numbers", 0, alloc_run_json, ALLOC_JSON_NUMBERS, 0, 0},
    {"json numbers as reals", 0, alloc_run_json, ALLOC_JSON_NUMBERS, 1, 0},
    {"json nested", 0, alloc_run_json, ALLOC_JSON_NESTED, 0, 0},
    {"json cut", 0, alloc_run_json, "{\"a key of more than sixteen bytes\": [1, 2", 0, 0},
    {"json twice the key", 0, alloc_run_json,
     "{\"the key of an object\":1,\"the key of an object\":2}", 0, 0},
    {"json first of a process", ALLOC_FRESH, alloc_run_json, ALLOC_JSON_STRINGS, 0, 0},
    {"json file", 0, alloc_run_json_file, "json/tokenizer.json", 0, 0},
    {"json file absent", 0, alloc_run_json_file, "absent.json", 0, 0},
    {"compile vocab.txt", 0, alloc_run_compile, "tiny", 0, 0},
    {"compile tokenizer.json", 0, alloc_run_compile, "json", 0, 0},
    {"compile prompts", 0, alloc_run_compile, "prompts", 0, 1},
    {"compile bare bert", 0, alloc_run_compile, "bert-0", 0, 0},
    {"compile prefixed names", 0, alloc_run_compile, "bert-1", 0, 0},
    {"compile f64", 0, alloc_run_compile, "bert-2", 0, 0},
    {"compile unused tensors", 0, alloc_run_compile, "bert-3", 0, 0},
    {"compile missing tensor", 0, alloc_run_compile, "bert-4", 0, 0},
    {"compile infinite weight", 0, alloc_run_compile, "bert-5", 0, 0},
    {"compile bad config", 0, alloc_run_compile, "bert-6", 0, 0},
    {"compile absent", 0, alloc_run_compile, "absent", 0, 0},
    {"open", 0, alloc_run_open, "tiny.model", 0, 0},
    {"open verify all", 0, alloc_run_open, "tiny.model", 1, 0},
    {"open with prompts", 0, alloc_run_open, "prompts.model", 0, 0},
    {"open a source", 0, alloc_run_open, "tiny/model.safetensors", 0, 0},
    {"open damaged", 0, alloc_run_open, "damaged.model", 1, 0},
    {"open absent", 0, alloc_run_open, "absent.model", 0, 0},
    {"open memory", 0, alloc_run_open_memory, "tiny.model", 0, 0},
    {"open memory verify all", 0, alloc_run_open_memory, "tiny.model", 1, 0},
    {"open memory damaged", 0, alloc_run_open_memory, "damaged.model", 1, 0},
    {"verify", 0, alloc_run_verify, NULL, 0, 0},
    {"inspect compiled", 0, alloc_run_inspect, "tiny.model", 0, 0},
    {"inspect source", 0, alloc_run_inspect, "bert-2/model.safetensors", 0, 0},
    {"inspect text", 0, alloc_run_inspect, "tiny/vocab.txt", 0, 0},
    ALLOC_EMBED_RULE(HEAD),
    ALLOC_EMBED_RULE(TAIL),
    ALLOC_EMBED_RULE(ERROR),
    ALLOC_EMBED_RULE(CHUNK),
    {"embed all options", 0, alloc_run_embed, "a \xFF b", 10 * MEMO_OVERLONG_CHUNK, -1},
    {"embed bad UTF-8", 0, alloc_run_embed, "a \xFF b", 0, 1},
    {"plan", 0, alloc_run_plan, NULL, 1000, 50},
    {"tokenize", 0, alloc_run_tokenize, alloc_long_text, 0, 0},
    {"tokenize plain", 0, alloc_run_tokenize, "caf\xC3\xA9 [MASK] \xE4\xB8\xAD", 1, 0},
    {"tokenize safe", 0, alloc_run_tokenize, "a [MASK] \xFF \xE4\xB8\xAD", 6, 0},
    {"tokenize bad UTF-8", 0, alloc_run_tokenize, "a \xFF", 0, 0},
    {"tables of tokenizer.json", 0, alloc_run_tables, FIXTURE_UNCASED, 0, 0},
    {"tables of a bad tokenizer.json", 0, alloc_run_tables, "{\"model\": {\"type\": \"BPE\"}}", 0,
     0},
    {"tables of vocab.txt", 0, alloc_run_tables, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n", 1,
     0},
    {"chunk plain", 0, alloc_run_chunk, alloc_long_text, 0, 0},
    {"chunk markdown", 0, alloc_run_chunk, alloc_long_text, 1, 0},
    {"filter simple", 0, alloc_run_filter, "tags = 'gift'", 0, 0},
    {"filter dates", 0, alloc_run_filter,
     "created >= '2025-07-01' and created < now-7d and updated between '2024-01-01' and now", 0, 0},
    {"filter logic", 0, alloc_run_filter,
     "(tags in ('a', 'b') or not (meta.place = 'Porto' or title exists)) and meta.n >= 1.5", 0, 0},
    {"filter strings", 0, alloc_run_filter,
     "text contains 'it''s' and source prefix '/some' and meta.\"odd name\" != null", 0, 0},
    {"filter wrong", 0, alloc_run_filter, "titel = 'x'", 0, 0},
};

#endif
