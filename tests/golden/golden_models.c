// SPDX-License-Identifier: Apache-2.0
/* Token ids, hidden states, vectors and neighbours against the reference implementation's.
 *
 *     golden_models F32_MODEL INT8_MODEL FOLDER [--sts FILE] [MODEL...]
 *
 * FOLDER has the form of data/models: all-minilm-l6-v2/ is compared with both compiled models, each
 * tiny/ARCH/ with its own model/, compiled here. FILE is a table of score, sentence, sentence; by
 * default FOLDER/../sts/stsb/dev.tsv. What is not supported or not there is skipped by name.
 *
 * What the sentence pairs prove: models_sts.c.
 *
 * Class f32 must be the reference but for rounding. Class int8 must be near it: by the cosine of
 * every vector, and by what is lost on the sentence pairs; and its bits must be the same over batch
 * sizes, orders, threads and the levels of this CPU. */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <memolith/memolith.h>

#include "base/alloc.h"
#include "golden/golden_util.h"
#include "golden/models_golden.h"
#include "golden/npy.h"
#include "model/model_handle.h"

/* The reference computed in double and rounded once. Its own float run is within 3e-7. */
#define MIN_COSINE 0.999999
#define MAX_DIFF   2e-6

/* States: largest difference over the largest value of the same stage. Each of up to 7 stages adds
 * a few hundred roundings of sums of up to 1,536 products: some 50 eps. */
#define MAX_STATE_DIFF 6e-6

/* Cosines of top10.json are written with 8 decimals; two vectors off by MAX_DIFF each. */
#define MAX_COSINE_DIFF 2e-6
#define TIE_GAP         1e-6

/* Class int8, cosine to the reference over all texts. */
#define INT8_MEAN_COSINE 0.997
#define INT8_MIN_COSINE  0.985

static int exists(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    struct stat info;
    return stat(join(path, folder, name), &info) == 0;
}

static json_t *load_json(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    json_error_t why;
    join(path, folder, name);
    return json_load_file(path, 0, &why);
}

/* One JSON value a line, as an array; empty when the file is not there. */
static json_t *load_lines(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    json_t *all = need(json_array());

    join(path, folder, name);
    FILE *f = fopen(path, "r");
    while (f && (n = getline(&line, &cap, f)) > 0) {
        json_t *value = json_loadb(line, (size_t)n, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
        if (value)
            json_array_append_new(all, value);
    }
    if (f)
        fclose(f);
    free(line);
    return all;
}

/* ---- one model ----------------------------------------------------------------------------- */

typedef struct golden_row {
    char *text; /* prefix and text, NUL-terminated, may hold NULs */
    size_t n_bytes;
    size_t n_full, n_ids;
    uint32_t *ids;
} golden_row;

typedef struct golden_set {
    const char *suite, *folder;
    memo_ctx *ctx;
    memo_model *model;
    memo_model_info info;
    size_t n;
    golden_row *rows;
    float *vectors; /* [n, dim] ours */
    npy want;       /* [n, dim] */
} golden_set;

static void read_row(golden_row *row, const json_t *tokens, const json_t *text)
{
    const char *prefix = json_string_value(json_object_get(tokens, "prefix"));
    const json_t *ids = json_object_get(tokens, "ids");
    size_t n_prefix = prefix ? strlen(prefix) : 0, n_text = json_string_length(text);

    row->n_bytes = n_prefix + n_text;
    row->text = need(malloc(row->n_bytes + 1));
    memcpy(row->text, prefix ? prefix : "", n_prefix);
    memcpy(row->text + n_prefix, json_string_value(text), n_text + 1);
    row->n_full = (size_t)json_integer_value(json_object_get(tokens, "n_full"));
    row->n_ids = json_array_size(ids);
    row->ids = need(malloc((row->n_ids + 1) * sizeof *row->ids));
    for (size_t i = 0; i < row->n_ids; i++)
        row->ids[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
}

/* The default model has tokens.jsonl, with texts in the folder above; a tiny one has both in its
 * texts.jsonl. Returns 0 when there are none. */
static int read_rows(golden_set *g)
{
    char above[PATH_BYTES];
    int split = exists(g->folder, "tokens.jsonl");
    json_t *tokens = load_lines(g->folder, split ? "tokens.jsonl" : "texts.jsonl");
    join(above, g->folder, "..");
    json_t *texts = split ? load_lines(above, "texts.jsonl") : json_incref(tokens);

    g->n = json_array_size(tokens);
    g->rows = need(calloc(g->n + 1, sizeof *g->rows));
    for (size_t r = 0; r < g->n; r++) {
        const json_t *row = json_array_get(tokens, r);
        size_t at = split ? (size_t)json_integer_value(json_object_get(row, "i")) : r;
        read_row(&g->rows[r], row, json_object_get(json_array_get(texts, at), "text"));
    }
    json_decref(tokens);
    json_decref(texts);
    return g->n > 0;
}

static void free_set(golden_set *g)
{
    for (size_t r = 0; g->rows && r < g->n; r++) {
        free(g->rows[r].text);
        free(g->rows[r].ids);
    }
    free(g->rows);
    free(g->vectors);
    free(g->want.data);
    memo_model_close(g->model);
}

/* Ids of the whole text, and after the reference's truncation: the first ones, then the specials
 * that end every text. */
static void check_tokens(const golden_set *g)
{
    for (size_t r = 0; r < g->n; r++) {
        const golden_row *row = &g->rows[r];
        memo_tokens *tokens = NULL;
        memo_err err = {0};
        const uint32_t *suffix;
        size_t n_suffix = memo_tokenizer_suffix(memo_model_tokenizer(g->model), &suffix);
        memo_text text = {row->text, row->n_bytes};
        if (!golden_check(memo_model_tokenize(g->model, text, NULL, &tokens, &err) == MEMO_OK,
                          g->suite, "row %zu: %s", r, err.message))
            continue;
        size_t head = row->n_ids - n_suffix;
        golden_check(tokens->n == row->n_full && row->n_ids <= g->info.max_tokens &&
                         !memcmp(tokens->ids, row->ids, head * sizeof *row->ids) &&
                         !memcmp(suffix, row->ids + head, n_suffix * sizeof *row->ids),
                     g->suite, "row %zu: token ids differ (%zu, not %zu)", r, tokens->n,
                     row->n_full);
        memo_tokens_free(tokens);
    }
}

/* The tokens that a text was reported to have. */
static void check_result(const golden_set *g, size_t r, const memo_embed_result *result)
{
    const golden_row *row = &g->rows[r];

    golden_check(result->n_tokens_seen == row->n_ids && result->n_tokens_total == row->n_full &&
                     result->truncated == (row->n_ids < row->n_full),
                 g->suite, "row %zu: %zu of %zu tokens seen, not %zu of %zu", r,
                 result->n_tokens_seen, result->n_tokens_total, row->n_ids, row->n_full);
}

/* Class f32: every vector, to the rounding. */
static void compare_f32(const golden_set *g)
{
    size_t dim = g->info.dim;
    double worst = 0, least = 1;

    for (size_t r = 0; r < g->n; r++) {
        const float *ours = g->vectors + r * dim, *want = g->want.data + r * dim;
        double diff = max_diff(ours, want, dim), cos = cosine(ours, want, dim);
        worst = fmax(worst, diff);
        least = fmin(least, cos);
        golden_check(diff <= MAX_DIFF && cos >= MIN_COSINE, g->suite,
                     "row %zu: vector differs by %g, cosine %.9f", r, diff, cos);
    }
    printf("%s: %zu vectors, largest difference %.3g (allowed %.3g), least cosine %.12f\n",
           g->suite, g->n, worst, MAX_DIFF, least);
}

/* Class int8: the mean and the least of the cosines. */
static void compare_int8(const golden_set *g)
{
    size_t dim = g->info.dim, at = 0;
    double sum = 0, least = 1;

    for (size_t r = 0; r < g->n; r++) {
        double cos = cosine(g->vectors + r * dim, g->want.data + r * dim, dim);
        sum += cos;
        if (!(cos >= least)) {
            least = cos;
            at = r;
        }
    }
    double mean = sum / (double)g->n;
    golden_check(mean >= INT8_MEAN_COSINE, g->suite, "mean cosine %.6f, at least %g wanted", mean,
                 INT8_MEAN_COSINE);
    golden_check(least >= INT8_MIN_COSINE, g->suite, "row %zu: cosine %.6f, at least %g wanted", at,
                 least, INT8_MIN_COSINE);
    printf("%s: %zu vectors, mean cosine %.5f (at least %g), least %.5f at row %zu (at least %g)\n",
           g->suite, g->n, mean, INT8_MEAN_COSINE, least, at, INT8_MIN_COSINE);
}

static memo_text *row_texts(const golden_set *g)
{
    memo_text *texts = need(calloc(g->n, sizeof *texts));

    for (size_t r = 0; r < g->n; r++)
        texts[r] = (memo_text){g->rows[r].text, g->rows[r].n_bytes};
    return texts;
}

/* Returns whether there are vectors to go on with. */
static int check_vectors(golden_set *g)
{
    memo_text *texts = row_texts(g);
    memo_embed_result *results = need(calloc(g->n, sizeof *results));
    memo_embed_options o = {.size = sizeof o, .role = MEMO_ROLE_NONE};
    memo_err err = {0};

    results->size = sizeof *results;
    g->vectors = need(calloc(g->n, g->info.dim * sizeof *g->vectors));
    int ok = golden_check(memo_model_embed(g->model, &o, texts, g->n, g->vectors, results, &err) ==
                              MEMO_OK,
                          g->suite, "%s", err.message);
    for (size_t r = 0; ok && r < g->n; r++)
        check_result(g, r, &results[r]);
    if (ok && g->info.cls == MEMO_CLASS_INT8)
        compare_int8(g);
    else if (ok)
        compare_f32(g);
    free(results);
    free(texts);
    return ok;
}

/* ---- hidden states ------------------------------------------------------------------------- */

typedef struct state_check {
    const golden_set *g;
    const npy *want; /* [stages, tokens, dim] */
    size_t row;
    int bad;
    double worst;
} state_check;

static void compare_state(void *user, size_t stage, memo_rows states, size_t n_tokens)
{
    state_check *s = user;
    size_t dim = s->want->shape[2];
    const float *want = s->want->data + stage * n_tokens * dim;
    double diff = 0, largest = 0;

    for (size_t t = 0; t < n_tokens; t++)
        for (size_t d = 0; d < dim; d++) {
            double w = want[t * dim + d], ours = states.data[t * states.ld + d];
            largest = fmax(largest, fabs(w));
            if (!(fabs(ours - w) <= diff))
                diff = fabs(ours - w);
        }
    double relative = diff / largest;
    if (!(relative <= s->worst))
        s->worst = relative;
    if (!(relative <= MAX_STATE_DIFF) && !s->bad) { /* the first one is where it went wrong */
        s->bad = 1;
        printf("FAILED %s: row %zu: first differing stage is %zu (%s%zu): %g of the largest value, "
               "allowed %g\n",
               s->g->suite, s->row, stage, stage ? "layer " : "embeddings ",
               stage ? stage - 1 : stage, relative, MAX_STATE_DIFF);
    }
}

/* Run one row's ids through the executor with a tap. Returns the largest relative difference. */
static double check_hidden_row(const golden_set *g, size_t r)
{
    const memo_transformer *t = &g->model->transformer;
    const golden_row *row = &g->rows[r];
    size_t starts[2] = {0, row->n_ids};
    memo_transformer_plan plan;
    char path[PATH_BYTES];
    npy want;
    unsigned char ok;
    state_check s = {g, &want, r, 0, 0};

    snprintf(path, sizeof path, "%s/hidden_row%zu.npy", g->folder, r);
    if (!golden_check(npy_read(path, &want) && want.n_dims == 3 &&
                          want.shape[0] == t->config.n_layers + 1 && want.shape[1] == row->n_ids &&
                          want.shape[2] == t->config.hidden_size,
                      g->suite, "%s: not the states of %zu tokens", path, row->n_ids))
        return 0;
    float *vector = need(calloc(t->config.hidden_size, sizeof *vector));
    if (memo_transformer_plan_run(&t->config, row->n_ids, row->n_ids, &plan, NULL) == MEMO_OK) {
        void *scratch = need(memo_aligned_alloc(plan.scratch_bytes));
        memo_batch batch = {1, row->ids, starts};
        memo_transformer_run(t, &plan, &batch, (memo_workspace){.scratch = scratch},
                             (memo_tap){.fn = compare_state, .user = &s}, vector, &ok);
        memo_aligned_free(scratch);
        golden_check(!s.bad, g->suite, "row %zu: hidden states differ", r);
    }
    free(vector);
    free(want.data);
    return s.worst;
}

static void check_hidden(const golden_set *g)
{
    json_t *index = load_json(g->folder, "hidden.json");
    const json_t *files = json_is_array(index) ? index : json_object_get(index, "files");
    double worst = 0;

    for (size_t i = 0; i < json_array_size(files); i++) {
        size_t r = (size_t)json_integer_value(json_object_get(json_array_get(files, i), "row"));
        if (golden_check(r < g->n, g->suite, "hidden.json: row %zu of %zu", r, g->n))
            worst = fmax(worst, check_hidden_row(g, r));
    }
    if (json_array_size(files))
        printf("%s: states of %zu rows, largest relative difference %.3g (allowed %.3g)\n",
               g->suite, json_array_size(files), worst, MAX_STATE_DIFF);
    else
        golden_skip(g->suite, "no hidden.json");
    json_decref(index);
}

/* ---- batch and neighbours ------------------------------------------------------------------ */

/* The reference's padded batch: our ids are its ids without padding, and texts embedded together
 * give the bits of texts embedded alone. */
static void check_batch(const golden_set *g)
{
    json_t *batch = load_json(g->folder, "batch.json");
    const json_t *ids = json_object_get(batch, "input_ids");
    const json_t *mask = json_object_get(batch, "attention_mask");
    const json_t *rows = json_object_get(batch, "rows");
    float *alone = need(calloc(g->info.dim, sizeof *alone));
    memo_embed_options o = {.size = sizeof o, .role = MEMO_ROLE_NONE};

    for (size_t b = 0; b < json_array_size(ids); b++) {
        size_t r = rows ? (size_t)json_integer_value(json_array_get(rows, b)) : b, n = 0;
        const json_t *line = json_array_get(ids, b), *real = json_array_get(mask, b);
        if (!golden_check(r < g->n, g->suite, "batch.json: row %zu of %zu", r, g->n))
            continue;
        int same = 1;
        for (size_t i = 0; i < json_array_size(line); i++)
            if (json_integer_value(json_array_get(real, i))) {
                uint32_t id = (uint32_t)json_integer_value(json_array_get(line, i));
                same = same && n < g->rows[r].n_ids && g->rows[r].ids[n] == id;
                n++;
            }
        memo_text text = {g->rows[r].text, g->rows[r].n_bytes};
        memo_status status = memo_model_embed(g->model, &o, &text, 1, alone, NULL, NULL);
        golden_check(same && n == g->rows[r].n_ids && status == MEMO_OK &&
                         !memcmp(alone, g->vectors + r * g->info.dim, g->info.dim * sizeof *alone),
                     g->suite, "batch row %zu: ids or bits differ from the row alone", r);
    }
    if (!ids)
        golden_skip(g->suite, "no batch.json");
    free(alone);
    json_decref(batch);
}

static void check_neighbours(const golden_set *g)
{
    json_t *top = load_json(g->folder, "top10.json");
    const json_t *nn = json_object_get(top, "nn"), *cos = json_object_get(top, "cos");
    const json_t *gap = json_object_get(top, "gap");
    size_t dim = g->info.dim;
    double *score = need(calloc(g->n, sizeof *score));

    for (size_t r = 0; r < g->n && r < json_array_size(nn); r++) {
        const json_t *want = json_array_get(nn, r), *scores = json_array_get(cos, r);
        size_t k = json_array_size(want), n_above = 0;
        int ties = json_number_value(json_array_get(gap, r)) < TIE_GAP, good = 1;
        double last = json_number_value(json_array_get(scores, k - 1));
        for (size_t i = 0; i < g->n; i++) {
            score[i] = cosine(g->vectors + r * dim, g->vectors + i * dim, dim);
            n_above += i != r && score[i] > last + MAX_COSINE_DIFF;
        }
        for (size_t i = 0; i < k; i++) {
            size_t id = (size_t)json_integer_value(json_array_get(want, i));
            double wanted = json_number_value(json_array_get(scores, i));
            good = good && id < g->n && fabs(score[id] - wanted) <= MAX_COSINE_DIFF;
        }
        /* No row that is not among the ten may be clearly nearer than the tenth. */
        golden_check(good && (ties || n_above < k), g->suite, "row %zu: other neighbours", r);
    }
    if (!nn)
        golden_skip(g->suite, "no top10.json");
    free(score);
    json_decref(top);
}

/* ---- bits ---------------------------------------------------------------------------------- */

/* One way of embedding the texts. */
typedef struct bits_run {
    size_t batch;
    unsigned n_threads;
    int backwards;
} bits_run;

/* Embed the first n texts as `run` says and compare every bit with g->vectors. */
static void check_bits_run(const golden_set *g, memo_model *model, const memo_text *texts, size_t n,
                           bits_run run, const char *level)
{
    memo_embed_options o = {.size = sizeof o, .role = MEMO_ROLE_NONE, .n_threads = run.n_threads};
    size_t dim = g->info.dim, n_other = 0;
    memo_text *some = need(calloc(run.batch, sizeof *some));
    float *v = need(calloc(run.batch, dim * sizeof *v));
    memo_status status = MEMO_OK;
    memo_err err = {0};

    for (size_t first = 0; first < n && status == MEMO_OK; first += run.batch) {
        size_t n_some = n - first < run.batch ? n - first : run.batch;
        for (size_t i = 0; i < n_some; i++)
            some[i] = texts[run.backwards ? n - 1 - first - i : first + i];
        status = memo_model_embed(model, &o, some, n_some, v, NULL, &err);
        for (size_t i = 0; i < n_some; i++) {
            size_t r = run.backwards ? n - 1 - first - i : first + i;
            n_other += memcmp(v + i * dim, g->vectors + r * dim, dim * sizeof *v) != 0;
        }
    }
    golden_check(status == MEMO_OK && n_other == 0, g->suite,
                 "level %s, batch %zu, %u threads, %s: %zu of %zu vectors have other bits %s",
                 level, run.batch, run.n_threads, run.backwards ? "backwards" : "in order", n_other,
                 n, err.message);
    free(some);
    free(v);
}

/* The first n vectors with attention that is portable, into g->vectors. */
static void embed_portable(const golden_set *g, const char *path, const memo_text *texts, size_t n)
{
    memo_model_options portable = {.size = sizeof portable, .portable = 1};
    memo_embed_options o = {.size = sizeof o, .role = MEMO_ROLE_NONE};
    memo_model *model = NULL;
    memo_err err = {0};

    golden_check(memo_model_open(g->ctx, path, &portable, &model, &err) == MEMO_OK &&
                     memo_model_embed(model, &o, texts, n, g->vectors, NULL, &err) == MEMO_OK,
                 g->suite, "portable: %s", err.message);
    memo_model_close(model);
}

/* Batches, orders and threads at the best level; then, with portable attention, the other levels with
 * vector instructions: the same bits everywhere. Level ref has its own exp and erf; prop_embed says
 * how near it is. */
static void check_bits(const golden_set *g, const char *path)
{
    static const bits_run runs[] = {{1, 1, 0}, {7, 2, 1}, {32, 4, 0}, {300, 1, 1}};
    enum { N_RUNS = sizeof runs / sizeof *runs, N_BELOW = 100 };
    memo_text *texts = row_texts(g);
    size_t n_below = g->n < N_BELOW ? g->n : N_BELOW;

    for (size_t i = 0; i < N_RUNS; i++)
        check_bits_run(g, g->model, texts, g->n, runs[i], memo_cpu_name(memo_ctx_cpu(g->ctx)));
    printf("%s: bits of %zu texts in %d batches, orders and threads; other levels:", g->suite, g->n,
           N_RUNS);
    embed_portable(g, path, texts, n_below);
    for (memo_cpu cpu = MEMO_CPU_REF + 1; cpu <= MEMO_CPU_NEON_I8MM; cpu++) {
        memo_model_options portable = {.size = sizeof portable, .portable = 1};
        memo_ctx_options o = {.size = sizeof o, .cpu = cpu, .n_threads = 2};
        memo_ctx *ctx = NULL;
        memo_model *model = NULL;
        if (cpu == memo_ctx_cpu(g->ctx) || memo_ctx_new(&o, &ctx, NULL))
            continue; /* this CPU lacks it */
        if (golden_check(memo_model_open(ctx, path, &portable, &model, NULL) == MEMO_OK, g->suite,
                         "%s", memo_cpu_name(cpu)))
            check_bits_run(g, model, texts, n_below, (bits_run){32, 2, 1}, memo_cpu_name(cpu));
        printf(" %s", memo_cpu_name(cpu));
        memo_model_close(model);
        memo_ctx_free(ctx);
    }
    printf(" (%zu texts each)\n", n_below);
    free(texts);
}

/* ---- suites -------------------------------------------------------------------------------- */

static void run_set(memo_ctx *ctx, const char *suite, const char *folder, const char *path)
{
    golden_set g = {.suite = suite, .folder = folder, .ctx = ctx};
    memo_err err = {0};
    char npy_path[PATH_BYTES];

    join(npy_path, folder, "emb_f64.npy");
    if (!golden_check(memo_model_open(ctx, path, NULL, &g.model, &err) == MEMO_OK, suite, "%s",
                      err.message))
        return;
    g.info.size = sizeof g.info;
    memo_model_get_info(g.model, &g.info, NULL);
    if (golden_check(read_rows(&g) && npy_read(npy_path, &g.want) && g.want.n_dims == 2 &&
                         g.want.shape[0] == g.n && g.want.shape[1] == g.info.dim,
                     suite, "%s: no rows with vectors of %zu dimensions", folder, g.info.dim)) {
        check_tokens(&g);
        int exact = g.info.cls == MEMO_CLASS_F32, ok = check_vectors(&g);
        if (exact)
            check_hidden(&g);
        if (ok)
            check_batch(&g);
        if (ok && exact)
            check_neighbours(&g);
        else if (ok)
            check_bits(&g, path);
    }
    free_set(&g);
}

/* Compile FOLDER/model into a temporary file and compare; an architecture that is not supported is
 * skipped with the library's own words. */
static void run_tiny(memo_ctx *ctx, const char *suite, const char *folder)
{
    char source[PATH_BYTES], out[] = "/tmp/golden_model.XXXXXX";
    memo_compile_options o = {.size = sizeof o, .overwrite = 1};
    memo_err err = {0};

    join(source, folder, "model");
    int fd = mkstemp(out);
    if (!golden_check(fd >= 0, suite, "no temporary file"))
        return;
    close(fd);
    memo_status status = memo_model_compile(ctx, source, out, &o, NULL, &err);
    if (status == MEMO_ERR_UNSUPPORTED)
        golden_skip(suite, err.message);
    else if (golden_check(status == MEMO_OK, suite, "compile: %s", err.message))
        run_set(ctx, suite, folder, out);
    unlink(out);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder, sorted; the caller frees the names and the list. */
static size_t list_folder(const char *folder, char ***names)
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    *names = need(calloc(1024, sizeof **names));
    for (struct dirent *e; dir && n < 1024 && (e = readdir(dir));)
        if (e->d_name[0] != '.')
            (*names)[n++] = need(strdup(e->d_name));
    if (dir)
        closedir(dir);
    qsort(*names, n, sizeof **names, by_name);
    return n;
}

static void run_folder(memo_ctx *ctx, const char *f32, const char *int8, const char *folder)
{
    char path[PATH_BYTES], suite[PATH_BYTES];
    char **names;
    size_t n = list_folder(folder, &names);

    for (size_t i = 0; i < n; i++) {
        join(path, folder, names[i]);
        if (!strcmp(names[i], "all-minilm-l6-v2")) {
            run_set(ctx, names[i], path, f32);
            run_set(ctx, "all-minilm-l6-v2 int8", path, int8);
        } else if (exists(path, "emb_f64.npy")) {
            golden_skip(names[i], "its weights are not part of the golden data");
        }
        free(names[i]);
    }
    free(names);
    join(path, folder, "tiny");
    n = list_folder(path, &names);
    for (size_t i = 0; i < n; i++) {
        join(suite, "tiny", names[i]);
        join(path, folder, suite);
        if (exists(path, "emb_f64.npy"))
            run_tiny(ctx, suite, path);
        else
            golden_skip(suite, "a tokenizer without a model");
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    memo_ctx_options o = {.size = sizeof o, .n_threads = 4};
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    char sts[PATH_BYTES];

    int named = argc > 5 && !strcmp(argv[4], "--sts");
    if (argc < 4 || (argc > 4 && argv[4][0] == '-' && !named)) {
        fprintf(stderr,
                "usage: golden_models F32_MODEL INT8_MODEL FOLDER [--sts FILE] [MODEL...]\n");
        return 2;
    }
    if (memo_ctx_new(&o, &ctx, &err)) {
        fprintf(stderr, "golden_models: %s\n", err.message);
        return 1;
    }
    printf("level %s\n", memo_cpu_name(memo_ctx_cpu(ctx)));
    run_folder(ctx, argv[1], argv[2], argv[3]);
    join(sts, argv[3], "../sts/stsb/dev.tsv");
    /* argv: f32, int8, then the further models */
    int first = named ? 6 : 4;
    char **paths = need(calloc((size_t)argc, sizeof *paths));
    paths[0] = argv[1];
    paths[1] = argv[2];
    for (int i = first; i < argc; i++)
        paths[2 + i - first] = argv[i];
    golden_run_sts(ctx, named ? argv[5] : sts, paths, (size_t)(2 + argc - first));
    free(paths);
    memo_ctx_free(ctx);
    return golden_end();
}
