// SPDX-License-Identifier: Apache-2.0
/* Everything that may happen at once to an open model happens at once, and no bit differs.
 *
 * A tiny model is compiled in every class; one context opens each. Then four threads work side by
 * side on the same handles, each with random draws of its own:
 *
 *   three embed   1 to 12 of 64 texts of very different lengths, on 1 to 3 threads of the one pool,
 *                 now and then with a deadline that passed or soon does, or a progress function that
 *                 cancels: then the status may be that, else every vector must have the bits that
 *                 each text alone gave
 *   one opens     the same file again, embeds, verifies a model that the others use, closes; or has
 *                 a context of its own for a moment
 *
 * The thread sanitizer is the second reader; MEMO_RACE=1 gives it something to find. MEMO_SEED
 * chooses the draws, MEMO_SCALE multiplies them, MEMO_QUICK takes an eighth. */
#include "unit/memo_test.h"

#include <memolith/memolith.h>

#include <pthread.h>
#include <stdatomic.h>

#include "unit/tiny_model.h"

enum {
    N_TEXTS = 64,
    MAX_BATCH = 12,
    MAX_TEXT = 600,
    MAX_CLASSES = 16,
    N_EMBEDDERS = 3,
    EMBEDS = 1600, /* of each embedder */
    OPENS = 160,
};

/* A model in one class, and the vector of each text alone. */
typedef struct threads_model {
    char path[512];
    memo_model *model;
    float want[N_TEXTS][TINY_HIDDEN];
} threads_model;

typedef struct threads_world {
    memo_ctx *ctx;
    threads_model models[MAX_CLASSES];
    size_t n_models;
    char bytes[N_TEXTS][MAX_TEXT];
    memo_text texts[N_TEXTS];
    size_t n_embeds, n_opens;
    uint64_t seed;
    atomic_size_t n_vectors, n_deadlines, n_cancelled;
    int race;
    size_t n_unguarded; /* counted by all threads without a guard, when `race` */
    atomic_int failed;
    char what[1024]; /* the first failure, of who set `failed` */
} threads_world;

typedef struct threads_thread {
    threads_world *world;
    unsigned number;
} threads_thread;

/* cmocka's own checks work on the main thread only. */
static void threads_fail(threads_world *w, const threads_thread *thread, const char *what,
                         const char *message)
{
    if (!atomic_exchange(&w->failed, 1))
        snprintf(w->what, sizeof w->what, "thread %u, MEMO_SEED=%llu: %s: %s", thread->number,
                 (unsigned long long)w->seed, what, message);
}

/* ---- embed --------------------------------------------------------------------------------- */

static int threads_cancel(void *user, const memo_progress *progress)
{
    int *left = user;
    (void)progress;
    return (*left)-- <= 0;
}

/* Embed a draw of texts and hold each vector against its text's own. */
static void threads_embed(threads_world *w, const threads_thread *thread,
                          const threads_model *known, memo_model *model, memo_rng *rng)
{
    memo_embed_options o = {.size = sizeof o, .n_threads = 1 + (unsigned)memo_rng_below(rng, 3)};
    size_t n = 1 + memo_rng_below(rng, MAX_BATCH), drawn[MAX_BATCH];
    int n_progress = (int)memo_rng_below(rng, 4), cancels = memo_rng_below(rng, 8) == 0;
    float vectors[MAX_BATCH][TINY_HIDDEN];
    memo_text texts[MAX_BATCH];
    memo_err err = {0};

    if (cancels) {
        o.progress = threads_cancel;
        o.progress_user = &n_progress;
    }
    if (memo_rng_below(rng, 8) == 0)
        o.deadline_ms = memo_rng_below(rng, 2) ? -1 : 1;
    for (size_t i = 0; i < n; i++) {
        drawn[i] = memo_rng_below(rng, N_TEXTS);
        texts[i] = w->texts[drawn[i]];
    }
    memo_status status = memo_model_embed(model, &o, texts, n, vectors[0], NULL, &err);
    if (status == MEMO_ERR_DEADLINE && o.deadline_ms) {
        atomic_fetch_add(&w->n_deadlines, 1);
    } else if (status == MEMO_ERR_CANCELLED && cancels) {
        atomic_fetch_add(&w->n_cancelled, 1);
    } else if (status != MEMO_OK) {
        threads_fail(w, thread, "embed", err.message);
    } else {
        for (size_t i = 0; i < n; i++)
            if (memcmp(vectors[i], known->want[drawn[i]], sizeof vectors[i]))
                threads_fail(w, thread, "bits differ", w->texts[drawn[i]].bytes);
        atomic_fetch_add(&w->n_vectors, n);
    }
}

static void *threads_embedder(void *user)
{
    const threads_thread *thread = user;
    threads_world *w = thread->world;
    memo_rng rng;

    memo_rng_init(&rng, w->seed * 16 + thread->number);
    for (size_t i = 0; i < w->n_embeds && !atomic_load(&w->failed); i++) {
        const threads_model *known = &w->models[memo_rng_below(&rng, w->n_models)];
        threads_embed(w, thread, known, known->model, &rng);
        if (w->race)
            w->n_unguarded++;
    }
    return NULL;
}

/* ---- open ---------------------------------------------------------------------------------- */

static void threads_open(threads_world *w, const threads_thread *thread, memo_rng *rng)
{
    const memo_model_options all = {.size = sizeof all, .verify_all = memo_rng_below(rng, 2) == 0};
    const memo_ctx_options three = {.size = sizeof three, .n_threads = 3};
    const threads_model *known = &w->models[memo_rng_below(rng, w->n_models)];
    memo_ctx *own = NULL;
    memo_model *model = NULL;
    memo_verify_report report = {.size = sizeof report};
    memo_err err = {0};

    if (memo_rng_below(rng, 4) == 0 && memo_ctx_new(&three, &own, &err))
        threads_fail(w, thread, "a context", err.message);
    else if (memo_model_open(own ? own : w->ctx, known->path, &all, &model, &err))
        threads_fail(w, thread, "open", err.message);
    else
        threads_embed(w, thread, known, model, rng);
    if (memo_rng_below(rng, 2) && memo_model_verify(known->model, &report, &err))
        threads_fail(w, thread, "verify", err.message);
    memo_model_close(model);
    memo_ctx_free(own);
}

static void *threads_opener(void *user)
{
    const threads_thread *thread = user;
    threads_world *w = thread->world;
    memo_rng rng;

    memo_rng_init(&rng, w->seed * 16 + thread->number);
    for (size_t i = 0; i < w->n_opens && !atomic_load(&w->failed); i++)
        threads_open(w, thread, &rng);
    return NULL;
}

/* ---- the world ----------------------------------------------------------------------------- */

/* From nothing to more than the tiny model's 64 tokens. */
static void threads_make_texts(threads_world *w)
{
    static const char *const words[] = {"the ",   "key ",  "is ",   "under ",       "flower ",
                                        "pots, ", "Anna ", "1954 ", "caf\xc3\xa9 ", "boilers. "};
    memo_rng rng;

    memo_rng_init(&rng, w->seed);
    for (size_t i = 0; i < N_TEXTS; i++) {
        size_t n_words = memo_rng_below(&rng, i % 8 == 0 ? 60 : 12), n = 0;
        for (size_t k = 0; k < n_words; k++)
            n += (size_t)snprintf(w->bytes[i] + n, MAX_TEXT - n, "%s",
                                  words[memo_rng_below(&rng, sizeof words / sizeof *words)]);
        w->texts[i] = (memo_text){w->bytes[i], n};
    }
}

static void threads_add_class(threads_world *w, const char *folder, const char *source,
                              memo_class cls)
{
    const memo_compile_options o = {.size = sizeof o, .cls = cls, .name = "tiny"};
    threads_model *m = &w->models[w->n_models];
    memo_embed_options alone = {.size = sizeof alone, .n_threads = 1};
    memo_err err = {0};

    snprintf(m->path, sizeof m->path, "%s/%s.safetensors", folder, memo_class_name(cls));
    memo_status status = memo_model_compile(w->ctx, source, m->path, &o, NULL, &err);
    if (status == MEMO_ERR_UNSUPPORTED) {
        printf("SKIPPED class %s: %s\n", memo_class_name(cls), err.message);
        return;
    }
    assert_memo_ok(status, err);
    assert_memo_ok(memo_model_open(w->ctx, m->path, NULL, &m->model, &err), err);
    w->n_models++;
    for (size_t i = 0; i < N_TEXTS; i++)
        assert_memo_ok(memo_model_embed(m->model, &alone, &w->texts[i], 1, m->want[i], NULL, &err),
                       err);
    /* The threads are to make the first use of every block, too. */
    memo_model_close(m->model);
    assert_memo_ok(memo_model_open(w->ctx, m->path, NULL, &m->model, &err), err);
}

static void threads_make_models(threads_world *w, const char *folder)
{
    const memo_ctx_options three = {.size = sizeof three, .n_threads = 3};
    char source[400];
    memo_err err = {0};

    assert_memo_ok(memo_ctx_new(&three, &w->ctx, &err), err);
    snprintf(source, sizeof source, "%s/source", folder);
    mkdir(source, 0700);
    tiny_model_write(source, w->seed);
    for (int cls = 0; strcmp(memo_class_name((memo_class)cls), "unknown"); cls++)
        threads_add_class(w, folder, source, (memo_class)cls);
    assert_true(w->n_models >= 2);
}

static size_t threads_count(size_t n)
{
    const char *scale = getenv("MEMO_SCALE");
    n *= scale && atoi(scale) > 0 ? (size_t)atoi(scale) : 1;
    return getenv("MEMO_QUICK") ? n / 8 : MEMO_TEST_SANITIZED ? n / 4 : n;
}

static void test_threads_share_models(void **state)
{
    threads_world *w = calloc(1, sizeof *w);
    threads_thread threads[N_EMBEDDERS + 1];
    pthread_t ids[N_EMBEDDERS + 1];
    const char *seed = getenv("MEMO_SEED");

    assert_non_null(w);
    w->seed = seed ? strtoull(seed, NULL, 10) : 1;
    w->n_embeds = threads_count(EMBEDS);
    w->n_opens = threads_count(OPENS);
    w->race = getenv("MEMO_RACE") != NULL;
    threads_make_texts(w);
    threads_make_models(w, *state);
    for (unsigned i = 0; i <= N_EMBEDDERS; i++) {
        threads[i] = (threads_thread){w, i + 1};
        assert_int_equal(pthread_create(&ids[i], NULL,
                                        i < N_EMBEDDERS ? threads_embedder : threads_opener,
                                        &threads[i]),
                         0);
    }
    for (unsigned i = 0; i <= N_EMBEDDERS; i++)
        pthread_join(ids[i], NULL);
    if (w->failed)
        fail_msg("%s", w->what);
    printf("%zu classes, %zu calls and %zu opens at once: %zu vectors equal in every bit, %zu "
           "deadlines passed, %zu cancelled; MEMO_SEED=%llu\n",
           w->n_models, N_EMBEDDERS * w->n_embeds, w->n_opens, w->n_vectors, w->n_deadlines,
           w->n_cancelled, (unsigned long long)w->seed);
    assert_true(w->n_vectors > w->n_embeds && w->n_deadlines > 0 && w->n_cancelled > 0);
    for (size_t i = 0; i < w->n_models; i++)
        memo_model_close(w->models[i].model);
    memo_ctx_free(w->ctx);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads_share_models, memo_test_setup_dir,
                                        memo_test_teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
