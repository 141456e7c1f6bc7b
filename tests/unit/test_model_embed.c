// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include <memolith/memolith.h>

#include "bert_source.h"

#define DIM 40
#define MAX 48 /* tokens, [CLS] and [SEP] included */

typedef struct embed_env {
    memo_ctx *ctx;
    memo_model *model;
    char dir[256], path[512];
} embed_env;

static void open_model(embed_env *e, unsigned n_threads, uint64_t mem_limit)
{
    memo_ctx_options o = {.size = sizeof o, .n_threads = n_threads, .mem_limit_bytes = mem_limit};
    memo_err err = {0};
    memo_model_close(e->model);
    memo_ctx_free(e->ctx);
    assert_memo_ok(memo_ctx_new(&o, &e->ctx, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, e->path, NULL, &e->model, &err), err);
}

static int setup(void **state)
{
    embed_env *e = calloc(1, sizeof *e);
    memo_ctx_options two = {.size = sizeof two, .n_threads = 2};
    memo_compile_options o = {.size = sizeof o};
    memo_err err = {0};
    char source[300];

    memo_test_temp_dir(e->dir);
    snprintf(source, sizeof source, "%.255s/source", e->dir);
    memo_test_path(e->path, e->dir, "model.safetensors");
    mkdir(source, 0700);
    bert_write_model(source, (bert_spec){0});
    bert_write_text(source, "config_sentence_transformers.json",
                    "{\"prompts\": {\"query\": \"the key \", \"document\": \"tea, \"}}");
    assert_memo_ok(memo_ctx_new(&two, &e->ctx, &err), err);
    assert_memo_ok(memo_model_compile(e->ctx, source, e->path, &o, NULL, &err), err);
    open_model(e, 2, 0);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    embed_env *e = *state;
    memo_model_close(e->model);
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static memo_embed_options plain(void)
{
    return (memo_embed_options){.size = sizeof(memo_embed_options), .role = MEMO_ROLE_NONE};
}

static memo_embed_result embed_with(embed_env *e, const memo_embed_options *o, const char *text,
                                    float vector[DIM])
{
    memo_text t = {text, strlen(text)};
    memo_embed_result result = {.size = sizeof result};
    memo_err err = {0};
    assert_memo_ok(memo_model_embed(e->model, o, &t, 1, vector, &result, &err), err);
    return result;
}

/* Words i .. j - 1 of an endless text in which every word is one token. */
static const char *words(char out[4096], size_t i, size_t j)
{
    static const char *const some[] = {"the", "cat", "sat", "on", "mat", "tea", "key", "door"};
    size_t n = 0;
    out[0] = '\0';
    for (; i < j; i++)
        n += (size_t)snprintf(out + n, 4096 - n, "%s ", some[i * i % 8]);
    return out;
}

static void test_model_embed_gives_unit_vectors(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    float vector[DIM];
    double length = 0;

    memo_embed_result r = embed_with(e, &o, "the cat sat", vector);
    assert_int_equal(r.n_tokens_seen, 5);
    assert_int_equal(r.n_tokens_total, 5);
    assert_int_equal(r.truncated, 0);
    assert_int_equal(r.cpu, memo_ctx_cpu(e->ctx));
    for (size_t i = 0; i < DIM; i++)
        length += (double)vector[i] * (double)vector[i];
    assert_true(fabs(length - 1) < 1e-6);
    /* The empty text is the vector of the special tokens. */
    r = embed_with(e, &o, "", vector);
    assert_int_equal(r.n_tokens_seen, 2);
}

static void test_model_embed_accepts_nothing(void **state)
{
    embed_env *e = *state;
    memo_text text = MEMO_TEXT("cat");
    memo_err err = {0};

    assert_memo_ok(memo_model_embed(e->model, NULL, NULL, 0, NULL, NULL, &err), err);
    assert_memo_status(memo_model_embed(e->model, NULL, &text, 1, NULL, NULL, &err), MEMO_ERR_USAGE,
                       err);
    assert_memo_status(memo_model_embed(NULL, NULL, &text, 1, NULL, NULL, &err), MEMO_ERR_USAGE,
                       err);
}

/* A role puts the recipe's prompt before the text. */
static void test_model_embed_roles(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    float a[DIM], b[DIM];

    o.role = MEMO_ROLE_QUERY;
    assert_int_equal(embed_with(e, &o, "door", a).n_tokens_total, 5);
    o.role = MEMO_ROLE_NONE;
    embed_with(e, &o, "the key door", b);
    assert_memory_equal(a, b, sizeof a);
    embed_with(e, NULL, "door", a); /* documents by default */
    embed_with(e, &o, "tea, door", b);
    assert_memory_equal(a, b, sizeof a);
}

/* 46 tokens fit beside the special ones. */
static void test_model_embed_overlong(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    memo_embed_result r = {.size = sizeof r};
    float a[DIM], b[DIM];
    char text[8192], part[4096];
    memo_err err = {0};

    words(text, 0, 100);
    r = embed_with(e, &o, text, a);
    assert_int_equal(r.n_tokens_seen, MAX);
    assert_int_equal(r.n_tokens_total, 102);
    assert_int_equal(r.truncated, 1);
    embed_with(e, &o, words(part, 0, 46), b);
    assert_memory_equal(a, b, sizeof a);

    o.overlong = MEMO_OVERLONG_TAIL;
    r = embed_with(e, &o, text, a);
    assert_int_equal(r.truncated, 1);
    embed_with(e, &o, words(part, 54, 100), b);
    assert_memory_equal(a, b, sizeof a);

    o.overlong = MEMO_OVERLONG_ERROR;
    memo_text two[2] = {MEMO_TEXT("cat"), {text, strlen(text)}};
    float both[2 * DIM];
    assert_memo_status(memo_model_embed(e->model, &o, two, 2, both, NULL, &err), MEMO_ERR_LIMIT,
                       err);
    assert_contains(err.message, "text 1");
    assert_contains(err.message, "102");
    embed_with(e, &o, words(part, 0, 46), b);

    /* The prompt stays, whatever is cut. */
    o.overlong = MEMO_OVERLONG_TAIL;
    o.role = MEMO_ROLE_QUERY;
    embed_with(e, &o, text, a);
    o.role = MEMO_ROLE_NONE;
    snprintf(text, sizeof text, "the key %s", words(part, 56, 100));
    embed_with(e, &o, text, b);
    assert_memory_equal(a, b, sizeof a);
}

/* Chunks of at most 46 tokens, overlapping; mean of their vectors weighted by tokens. */
static void check_chunks(embed_env *e, size_t n_words, size_t overlap, size_t room)
{
    memo_embed_options o = plain(), whole = plain();
    float vector[DIM], part[DIM];
    double sum[DIM] = {0}, length = 0;
    char text[4096];

    o.overlong = MEMO_OVERLONG_CHUNK;
    o.chunk_overlap = overlap;
    if (room != MAX - 2)
        o.max_tokens = room + 2;
    memo_embed_result r = embed_with(e, &o, words(text, 0, n_words), vector);
    assert_int_equal(r.n_tokens_seen, n_words + 2);
    assert_int_equal(r.truncated, 0);
    size_t step = room - (overlap ? overlap : room * 15 / 100);
    for (size_t first = 0;; first += step) {
        size_t end = first + room < n_words ? first + room : n_words;
        embed_with(e, &whole, words(text, first, end), part);
        for (size_t d = 0; d < DIM; d++)
            sum[d] += (double)(end - first) * (double)part[d];
        if (end == n_words)
            break;
    }
    for (size_t d = 0; d < DIM; d++)
        length += sum[d] * sum[d];
    for (size_t d = 0; d < DIM; d++)
        assert_true(fabs((double)vector[d] - sum[d] / sqrt(length)) < 1e-6);
}

static void test_model_embed_chunks(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    memo_text text;
    char bytes[4096];
    float vector[DIM];
    memo_err err = {0};

    check_chunks(e, 46, 0, 46);
    check_chunks(e, 47, 0, 46);
    check_chunks(e, 300, 0, 46);
    check_chunks(e, 300, 45, 46); /* 255 chunks of one text */
    check_chunks(e, 100, 1, 10);
    o.overlong = MEMO_OVERLONG_CHUNK;
    o.chunk_overlap = 46;
    words(bytes, 0, 100);
    text = (memo_text){bytes, strlen(bytes)};
    assert_memo_status(memo_model_embed(e->model, &o, &text, 1, vector, NULL, &err), MEMO_ERR_VALUE,
                       err);
}

static void test_model_embed_max_tokens(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    memo_text text = MEMO_TEXT("cat");
    float a[DIM], b[DIM];
    char long_text[4096], part[4096];
    memo_err err = {0};

    o.max_tokens = 10;
    words(long_text, 0, 30);
    assert_int_equal(embed_with(e, &o, long_text, a).n_tokens_seen, 10);
    o.max_tokens = 0;
    embed_with(e, &o, words(part, 0, 8), b);
    assert_memory_equal(a, b, sizeof a);
    o.max_tokens = MAX + 1;
    assert_memo_status(memo_model_embed(e->model, &o, &text, 1, a, NULL, &err), MEMO_ERR_VALUE,
                       err);
    o.max_tokens = 2;
    assert_memo_status(memo_model_embed(e->model, &o, &text, 1, a, NULL, &err), MEMO_ERR_VALUE,
                       err);
}

static void test_model_embed_invalid_utf8(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = {.size = sizeof o}; /* with the documents' prompt */
    memo_text texts[2] = {MEMO_TEXT("cat"), MEMO_TEXT("the c\xff\xfe")};
    float a[2 * DIM], b[DIM];
    memo_err err = {0};

    assert_memo_status(memo_model_embed(e->model, &o, texts, 2, a, NULL, &err), MEMO_ERR_VALUE,
                       err);
    assert_contains(err.message, "text 1");
    assert_contains(err.message, "byte 5");
    o.replace_invalid_utf8 = 1;
    assert_memo_ok(memo_model_embed(e->model, &o, texts, 2, a, NULL, &err), err);
    embed_with(e, &o, "the c\xef\xbf\xbd\xef\xbf\xbd", b);
    assert_memory_equal(a + DIM, b, sizeof b);
}

static void test_model_embed_special_tokens_in_text(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    float vector[DIM];

    assert_int_equal(embed_with(e, &o, "cat [SEP] cat", vector).n_tokens_total, 5);
    o.safe_specials = 1;
    assert_true(embed_with(e, &o, "cat [SEP] cat", vector).n_tokens_total > 5);
}

static void test_model_embed_options_are_checked(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    memo_text text = MEMO_TEXT("cat");
    float vector[DIM];
    memo_err err = {0};

    o.n_threads = 3; /* the context has 2 */
    assert_memo_status(memo_model_embed(e->model, &o, &text, 1, vector, NULL, &err), MEMO_ERR_VALUE,
                       err);
    o = plain();
    o.role = (memo_role)9;
    assert_memo_status(memo_model_embed(e->model, &o, &text, 1, vector, NULL, &err), MEMO_ERR_USAGE,
                       err);
    o = plain();
    o.size = 1;
    assert_memo_status(memo_model_embed(e->model, &o, &text, 1, vector, NULL, &err), MEMO_ERR_USAGE,
                       err);
}

/* ---- long calls ---------------------------------------------------------------------------- */

#define MANY 3000

typedef struct watcher {
    pthread_t thread;
    size_t n_calls, cancel_at;
    uint64_t last;
} watcher;

static int watch(void *user, const memo_progress *progress)
{
    watcher *w = user;
    assert_true(pthread_equal(w->thread, pthread_self()));
    assert_string_equal(progress->stage, "embed");
    assert_int_equal(progress->total, MANY);
    assert_true(progress->done >= w->last && progress->done <= MANY);
    w->last = progress->done;
    return ++w->n_calls == w->cancel_at;
}

static void test_model_embed_progress_and_deadline(void **state)
{
    embed_env *e = *state;
    memo_embed_options o = plain();
    memo_text *texts = calloc(MANY, sizeof *texts);
    float *vectors = calloc(MANY, DIM * sizeof *vectors);
    watcher w = {.thread = pthread_self()};
    memo_err err = {0};
    char text[4096];

    words(text, 0, 40);
    for (size_t i = 0; i < MANY; i++)
        texts[i] = (memo_text){text, strlen(text) - i % 30};
    o.progress = watch;
    o.progress_user = &w;
    assert_memo_ok(memo_model_embed(e->model, &o, texts, MANY, vectors, NULL, &err), err);
    assert_true(w.n_calls > 5);
    assert_int_equal(w.last, MANY);

    memset(vectors, 0xAB, MANY * DIM * sizeof *vectors);
    w = (watcher){.thread = pthread_self(), .cancel_at = 3};
    assert_memo_status(memo_model_embed(e->model, &o, texts, MANY, vectors, NULL, &err),
                       MEMO_ERR_CANCELLED, err);
    assert_int_equal(w.n_calls, 3);
    o = plain();
    o.deadline_ms = 1;
    assert_memo_status(memo_model_embed(e->model, &o, texts, MANY, vectors, NULL, &err),
                       MEMO_ERR_DEADLINE, err);
    for (size_t i = 0; i < MANY * DIM * sizeof *vectors; i++) /* written only on MEMO_OK */
        if (((unsigned char *)vectors)[i] != 0xAB)
            fail_msg("byte %zu was written", i);
    free(vectors);
    free(texts);
}

typedef struct long_watcher {
    size_t n_calls, cancel_at;
    uint64_t last;
} long_watcher;

static int long_watch(void *user, const memo_progress *progress)
{
    long_watcher *w = user;
    assert_int_equal(progress->total, 1);
    w->last = progress->done;
    return ++w->n_calls == w->cancel_at;
}

/* One text can be stopped within: between the shards of its chunks, and between the layers when it is
 * a single sequence. */
static void test_model_embed_stops_inside_a_text(void **state)
{
    static const unsigned threads[] = {1, 2};
    embed_env *e = *state;
    size_t n = (size_t)1 << 20, long_bytes[] = {30, n};
    char *bytes = malloc(n);
    float vector[DIM], untouched[DIM];
    memo_err err = {0};

    for (size_t i = 0; i < n; i++)
        bytes[i] = "a b c d tea "[i % 12];
    memset(vector, 0xAB, sizeof vector);
    memcpy(untouched, vector, sizeof vector);
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < 2; i++) {
            memo_embed_options o = plain();
            memo_text text = {bytes, long_bytes[i]};
            long_watcher w = {.cancel_at = i ? 20 : 2};
            open_model(e, threads[t], 0);
            o.overlong = MEMO_OVERLONG_CHUNK;
            o.progress = long_watch;
            o.progress_user = &w;
            assert_memo_status(memo_model_embed(e->model, &o, &text, 1, vector, NULL, &err),
                               MEMO_ERR_CANCELLED, err);
            assert_int_equal(w.n_calls, w.cancel_at);
            assert_int_equal(w.last, 0);
            assert_contains(err.message, "cancelled after 0 of 1 texts");
            o = plain();
            o.overlong = MEMO_OVERLONG_CHUNK;
            o.deadline_ms = 1;
            if (i)
                assert_memo_status(memo_model_embed(e->model, &o, &text, 1, vector, NULL, &err),
                                   MEMO_ERR_DEADLINE, err);
            assert_memory_equal(vector, untouched, sizeof vector);
        }
    free(bytes);
}

/* Whose fault it is, also by number. */
static void test_model_embed_names_the_failed_text(void **state)
{
    embed_env *e = *state;
    char many[4096];
    float vectors[3 * DIM];
    size_t failed = 7;
    memo_err err = {0};
    memo_embed_options o = plain();
    memo_text texts[] = {MEMO_TEXT("tea"), MEMO_TEXT("cat"), MEMO_TEXT("\xff")};

    o.failed = &failed;
    assert_memo_ok(memo_model_embed(e->model, &o, texts, 2, vectors, NULL, &err), err);
    assert_true(failed == SIZE_MAX);
    assert_memo_status(memo_model_embed(e->model, &o, texts, 3, vectors, NULL, &err),
                       MEMO_ERR_VALUE, err);
    assert_int_equal(failed, 2);
    words(many, 0, 100);
    texts[1] = (memo_text){many, strlen(many)};
    o.overlong = MEMO_OVERLONG_ERROR;
    assert_memo_status(memo_model_embed(e->model, &o, texts, 2, vectors, NULL, &err),
                       MEMO_ERR_LIMIT, err);
    assert_int_equal(failed, 1);
    assert_contains(err.message, "text 1 has ");
    assert_contains(err.hint, "--overlong head|tail|chunk");
    o.n_threads = 1000;
    assert_memo_status(memo_model_embed(e->model, &o, texts, 1, vectors, NULL, &err),
                       MEMO_ERR_VALUE, err);
    assert_true(failed == SIZE_MAX);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Bytes that the library holds now, and the most since mark_memory(). */
static atomic_size_t held, most_held;

static void *counting_realloc(void *user, void *p, size_t n)
{
    size_t *head = p ? (size_t *)p - 2 : NULL, old = head ? *head : 0;
    size_t *block = realloc(head, n + 2 * sizeof *block);
    (void)user;
    if (!block)
        return NULL;
    *block = n;
    /* A block that moves exists twice for a moment. */
    size_t now = atomic_fetch_add(&held, n) + n, most = atomic_load(&most_held);
    while (now > most && !atomic_compare_exchange_weak(&most_held, &most, now))
        ;
    atomic_fetch_sub(&held, old);
    return block + 2;
}

static void *counting_malloc(void *user, size_t n)
{
    return counting_realloc(user, NULL, n);
}

static void counting_free(void *user, void *p)
{
    size_t *head = p ? (size_t *)p - 2 : NULL;
    (void)user;
    if (!head)
        return;
    atomic_fetch_sub(&held, *head);
    free(head);
}

static void check_plan(embed_env *e, size_t n_texts, size_t n_bytes, unsigned n_threads)
{
    memo_text *texts = calloc(n_texts, sizeof *texts);
    float *vectors = calloc(n_texts, DIM * sizeof *vectors);
    char *text = malloc(n_bytes + 1);
    memo_embed_options o = plain();
    memo_plan plan = {.size = sizeof plan};
    memo_err err = {0};

    for (size_t i = 0; i < n_bytes; i++) /* one token a byte: the worst */
        text[i] = i % 2 ? ',' : '.';
    for (size_t i = 0; i < n_texts; i++)
        texts[i] = (memo_text){text, n_bytes - i % (n_bytes + 1)};
    o.n_threads = n_threads;
    assert_memo_ok(memo_model_plan(e->model, n_bytes, n_texts, n_threads, &plan, &err), err);
    size_t before = atomic_load(&held);
    atomic_store(&most_held, before);
    assert_memo_ok(memo_model_embed(e->model, &o, texts, n_texts, vectors, NULL, &err), err);
    size_t most = atomic_load(&most_held) - before;
    if (most > plan.scratch_bytes || atomic_load(&held) != before)
        fail_msg("%zu texts of %zu bytes: %zu bytes used, %llu planned", n_texts, n_bytes, most,
                 (unsigned long long)plan.scratch_bytes);
    assert_true(plan.n_threads >= 1 && plan.n_threads <= 2);
    free(text);
    free(vectors);
    free(texts);
}

static void test_model_embed_stays_inside_the_plan(void **state)
{
    static const size_t n_texts[] = {1, 2, 33, 2000}, n_bytes[] = {0, 1, 7, 100, 5000};
    embed_env *e = *state;

    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++)
            for (unsigned threads = 0; threads <= 2; threads++)
                check_plan(e, n_texts[i], n_bytes[j], threads);
}

static void test_model_embed_memory_limit(void **state)
{
    embed_env *e = *state;
    memo_text *texts = calloc(10000, sizeof *texts);
    float *vectors = calloc(10000, DIM * sizeof *vectors);
    memo_plan plan = {.size = sizeof plan};
    memo_err err = {0};

    for (size_t i = 0; i < 10000; i++)
        texts[i] = (memo_text){"the cat", 7};
    open_model(e, 1, 1 << 20);
    assert_memo_ok(memo_model_plan(e->model, 7, 10000, 0, &plan, &err), err);
    assert_true(plan.scratch_bytes > 1 << 20);
    assert_memo_status(memo_model_embed(e->model, NULL, texts, 10000, vectors, NULL, &err),
                       MEMO_ERR_LIMIT, err);
    assert_memo_ok(memo_model_embed(e->model, NULL, texts, 100, vectors, NULL, &err), err);
    assert_memo_status(memo_model_plan(e->model, SIZE_MAX, SIZE_MAX, 0, &plan, &err),
                       MEMO_ERR_LIMIT, err);
    free(vectors);
    free(texts);
}

static memo_status embed_once(void *user, memo_err *err)
{
    embed_env *e = user;
    memo_text texts[2] = {MEMO_TEXT("the cat sat on the mat"), MEMO_TEXT("tea")};
    float vectors[2 * DIM];
    return memo_model_embed(e->model, NULL, texts, 2, vectors, NULL, err);
}

static memo_status tokenize_once(void *user, memo_err *err)
{
    embed_env *e = user;
    memo_tokens *tokens = NULL;
    memo_status status =
        memo_model_tokenize(e->model, (memo_text){"the cat", 7}, NULL, &tokens, err);
    memo_tokens_free(tokens);
    return status;
}

static void test_model_embed_each_failing_allocation(void **state)
{
    assert_true(memo_test_alloc_sweep(embed_once, *state) > 2);
    assert_true(memo_test_alloc_sweep(tokenize_once, *state) > 2);
}

/* ---- many threads, one model --------------------------------------------------------------- */

typedef struct racer {
    memo_model *model;
    float vectors[8 * DIM];
} racer;

static void *race(void *user)
{
    racer *r = user;
    memo_text texts[8];
    char bytes[8][4096];
    for (size_t i = 0; i < 8; i++) {
        words(bytes[i], i, i + 3 * i + 1);
        texts[i] = (memo_text){bytes[i], strlen(bytes[i])};
    }
    for (int round = 0; round < 20; round++)
        if (memo_model_embed(r->model, NULL, texts, 8, r->vectors, NULL, NULL))
            return NULL;
    return r;
}

static void test_model_embed_from_many_threads(void **state)
{
    embed_env *e = *state;
    pthread_t threads[4];
    static racer racers[4];
    void *good;

    open_model(e, 2, 0); /* nothing checked yet: the first uses race */
    for (size_t i = 0; i < 4; i++) {
        racers[i].model = e->model;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_ptr_equal(good, &racers[i]);
        assert_memory_equal(racers[i].vectors, racers[0].vectors, sizeof racers[0].vectors);
    }
}

/* ---- tokens -------------------------------------------------------------------------------- */

static void test_model_tokenize_shows_what_the_model_sees(void **state)
{
    embed_env *e = *state;
    memo_tokenize_options o = {.size = sizeof o, .no_special_tokens = 1};
    memo_tokens *tokens = NULL;
    memo_text text = MEMO_TEXT("Cat, sating");
    static const size_t spans[6][2] = {{0, 0}, {0, 3}, {3, 4}, {5, 8}, {8, 11}, {0, 0}};
    static const char *const names[6] = {"[CLS]", "cat", ",", "sat", "##ing", "[SEP]"};
    memo_err err = {0};

    assert_memo_ok(memo_model_tokenize(e->model, text, NULL, &tokens, &err), err);
    assert_int_equal(tokens->n, 6);
    for (size_t i = 0; i < 6; i++) {
        size_t n = 0;
        const char *name = memo_model_token(e->model, tokens->ids[i], &n);
        assert_int_equal(n, strlen(names[i]));
        assert_memory_equal(name, names[i], n);
        assert_int_equal(tokens->offsets[i][0], spans[i][0]);
        assert_int_equal(tokens->offsets[i][1], spans[i][1]);
    }
    memo_tokens_free(tokens);
    assert_memo_ok(memo_model_tokenize(e->model, text, &o, &tokens, &err), err);
    assert_int_equal(tokens->n, 4);
    memo_tokens_free(tokens);
    size_t n;
    assert_null(memo_model_token(e->model, 1000000, &n));
    text = (memo_text){"a\xc3", 2};
    assert_memo_status(memo_model_tokenize(e->model, text, NULL, &tokens, &err), MEMO_ERR_VALUE,
                       err);
}

int main(void)
{
    const memo_allocator counting = {counting_malloc, counting_realloc, counting_free, NULL};
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_ENV(test_model_embed_gives_unit_vectors),
        IN_ENV(test_model_embed_accepts_nothing),
        IN_ENV(test_model_embed_roles),
        IN_ENV(test_model_embed_overlong),
        IN_ENV(test_model_embed_chunks),
        IN_ENV(test_model_embed_max_tokens),
        IN_ENV(test_model_embed_invalid_utf8),
        IN_ENV(test_model_embed_special_tokens_in_text),
        IN_ENV(test_model_embed_options_are_checked),
        IN_ENV(test_model_embed_progress_and_deadline),
        IN_ENV(test_model_embed_stops_inside_a_text),
        IN_ENV(test_model_embed_names_the_failed_text),
        IN_ENV(test_model_embed_stays_inside_the_plan),
        IN_ENV(test_model_embed_memory_limit),
        IN_ENV(test_model_embed_each_failing_allocation),
        IN_ENV(test_model_embed_from_many_threads),
        IN_ENV(test_model_tokenize_shows_what_the_model_sees),
    };
    if (memo_set_allocator(&counting, NULL) != MEMO_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
