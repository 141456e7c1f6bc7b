// SPDX-License-Identifier: Apache-2.0
/* The soak: short texts by the thousand or the million through one model, and no byte more at the
 * end than near the beginning.
 *
 *   soak_points MODEL [--texts N] [--threads N] [--seed S] [--leak BLOCKS]
 *
 * Half of the texts are embedded one by one, half in batches of 2 to 64. Held against what was
 * promised:
 *
 *   growth   resident memory (VmRSS) at the end is less than 1 MiB above that after a tenth
 *   live     every call frees as many bytes as it allocated
 *   plan     no call allocates more at a time than memo_model_plan() said before it
 *   bits     one text, embedded again and again between the others, has the same bits
 *
 * The model is opened with all of it verified, so that its pages are resident from the start.
 * --leak loses that many small blocks with every text, outside the counted allocator: a soak that does not
 * notice it is broken. */
#include <inttypes.h>
#include <math.h>

#include <memolith/memolith.h>

#include "fault.h"
#include "unit/limits_gauge.h"

#include "base/rng.h"

enum { SOAK_BATCH = 64, SOAK_TEXT = 200, SOAK_LINES = 10, SOAK_GROWTH_KIB = 1024 };

typedef struct soak {
    size_t n_wanted, n_leak;
    unsigned n_threads;
    uint64_t seed;
    memo_ctx *ctx;
    memo_model *model;
    memo_model_info info;
    memo_rng rng;
    char bytes[SOAK_BATCH][SOAK_TEXT];
    memo_text texts[SOAK_BATCH];
    float *vectors, *known; /* [SOAK_BATCH, dim]; [dim] of the text that comes again */
    size_t n_texts, n_calls, n_failed;
    double largest_share; /* of a plan that a call allocated */
    long first_kib, last_kib;
} soak;

/* ---- what the system says ------------------------------------------------------------------ */

/* A field of /proc/self/status in KiB; -1 where there is none. */
static long soak_status_kib(const char *field)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");

    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field), NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static void soak_die(const char *what, const char *message)
{
    fprintf(stderr, "soak: %s: %s\n", what, message);
    exit(2);
}

static void soak_fail(soak *s, const char *what, uint64_t found, uint64_t allowed)
{
    if (s->n_failed++ < 10)
        printf("FAILED %s after %zu texts: %" PRIu64 ", allowed %" PRIu64 "; again: --seed %" PRIu64
               " --texts %zu\n",
               what, s->n_texts, found, allowed, s->seed, s->n_wanted);
}

/* ---- texts --------------------------------------------------------------------------------- */

/* One to eight words; now and then one of random letters, a number, another script. */
static void soak_make_text(soak *s, size_t i)
{
    static const char *const words[] = {
        "the",
        "spare",
        "key",
        "is",
        "under",
        "flower",
        "pot",
        "boiler",
        "was",
        "serviced",
        "third",
        "of",
        "May",
        "Anna",
        "caf\xc3\xa9",
        "garden",
        "night",
        "window,",
        "(see",
        "1954)",
        "river",
        "boats",
        "\xe6\x9c\xa8\xe6\x9b\x9c",
        "\xd0\xb4\xd0\xbe\xd0\xbc",
    };
    char *out = s->bytes[i];
    size_t n_words = 1 + memo_rng_below(&s->rng, 8), n = 0;

    for (size_t k = 0; k < n_words; k++) {
        uint64_t kind = memo_rng_below(&s->rng, 12);
        if (kind == 0)
            n += (size_t)snprintf(out + n, SOAK_TEXT - n, "%" PRIu64 " ",
                                  memo_rng_below(&s->rng, (uint64_t)1 << 40));
        else if (kind == 1)
            for (int c = 0; c < 8; c++)
                out[n++] = c < 7 ? (char)('a' + memo_rng_below(&s->rng, 26)) : ' ';
        else
            n += (size_t)snprintf(out + n, SOAK_TEXT - n, "%s ",
                                  words[memo_rng_below(&s->rng, sizeof words / sizeof *words)]);
    }
    s->texts[i] = (memo_text){out, n > SOAK_TEXT ? SOAK_TEXT : n};
}

/* ---- calls --------------------------------------------------------------------------------- */

/* Embed texts[0..n) and hold the call's memory against the plan. */
static void soak_call(soak *s, size_t n)
{
    memo_embed_options o = {.size = sizeof o, .n_threads = s->n_threads};
    memo_err err = {0};
    memo_plan plan = {.size = sizeof plan};
    size_t longest = 0;

    for (size_t i = 0; i < n; i++)
        longest = s->texts[i].n_bytes > longest ? s->texts[i].n_bytes : longest;
    if (memo_model_plan(s->model, longest, n, s->n_threads, &plan, &err))
        soak_die("plan", err.message);
    uint64_t live = limits_live_bytes;
    limits_peak_bytes = live;
    if (memo_model_embed(s->model, &o, s->texts, n, s->vectors, NULL, &err))
        soak_die("embed", err.message);
    uint64_t peak = limits_peak_bytes - live;
    double share = (double)peak / (double)plan.scratch_bytes;
    s->largest_share = share > s->largest_share ? share : s->largest_share;
    s->n_texts += n;
    s->n_calls++;
    if (limits_live_bytes != live)
        soak_fail(s, "live bytes", limits_live_bytes, live);
    if (peak > plan.scratch_bytes)
        soak_fail(s, "bytes of a call", peak, plan.scratch_bytes);
    for (size_t i = 0; i < n * s->n_leak; i++) /* touched, or it would not be resident */
        *(volatile char *)malloc(1) = 1;
}

/* The text that comes again must have the bits that it had. */
static void soak_known_text(soak *s)
{
    static const char text[] = "the spare key is under the flower pot";
    size_t n_bytes = s->info.dim * sizeof *s->known;
    int first = s->n_calls == 0; /* since the warm-up */

    s->texts[0] = (memo_text){text, sizeof text - 1};
    soak_call(s, 1);
    if (first)
        memcpy(s->known, s->vectors, n_bytes);
    if (memcmp(s->known, s->vectors, n_bytes))
        soak_fail(s, "a text whose bits changed", 1, 0);
}

/* The largest calls there are, some times: every thread gets to touch its part of the scratch. */
static void soak_warm_up(soak *s)
{
    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < SOAK_BATCH; k++) {
            memset(s->bytes[k], 'a' + (int)k % 26, SOAK_TEXT);
            s->texts[k] = (memo_text){s->bytes[k], SOAK_TEXT};
        }
        soak_call(s, SOAK_BATCH);
    }
    s->n_texts = s->n_calls = 0;
}

/* About 64 texts one by one, then as many in one call. */
static void soak_round(soak *s)
{
    size_t n = 2 + memo_rng_below(&s->rng, SOAK_BATCH - 1);

    soak_known_text(s);
    for (size_t i = 0; i < n; i++) {
        soak_make_text(s, 0);
        soak_call(s, 1);
    }
    for (size_t i = 0; i < n; i++)
        soak_make_text(s, i);
    soak_call(s, n);
}

/* ---- the soak ------------------------------------------------------------------------------ */

static void soak_report(soak *s, double seconds)
{
    long rss = soak_status_kib("VmRSS:");

    if (s->first_kib == 0)
        s->first_kib = rss;
    s->last_kib = rss;
    printf("%9zu texts %8zu calls %7.0f s   resident %6ld KiB, of it anonymous %5ld; most %6ld\n",
           s->n_texts, s->n_calls, seconds, rss, soak_status_kib("RssAnon:"),
           soak_status_kib("VmHWM:"));
    fflush(stdout);
}

static void soak_open(soak *s, const char *path)
{
    const memo_ctx_options o = {.size = sizeof o, .n_threads = s->n_threads};
    const memo_model_options all = {.size = sizeof all, .verify_all = 1};
    memo_err err = {0};

    if (memo_ctx_new(&o, &s->ctx, &err) || memo_model_open(s->ctx, path, &all, &s->model, &err))
        soak_die(path, err.message);
    s->info.size = sizeof s->info;
    memo_model_get_info(s->model, &s->info, NULL);
    s->vectors = calloc(SOAK_BATCH, s->info.dim * sizeof *s->vectors);
    s->known = calloc(s->info.dim, sizeof *s->known);
    if (!s->vectors || !s->known)
        soak_die("vectors", "no memory");
    memo_rng_init(&s->rng, s->seed);
}

static void soak_run(soak *s)
{
    double start = fault_seconds();

    soak_warm_up(s);
    for (size_t line = 1; line <= SOAK_LINES; line++) {
        while (s->n_texts * SOAK_LINES < s->n_wanted * line)
            soak_round(s);
        soak_report(s, fault_seconds() - start);
    }
    if (s->last_kib - s->first_kib >= SOAK_GROWTH_KIB)
        soak_fail(s, "growth in KiB", (uint64_t)(s->last_kib - s->first_kib), SOAK_GROWTH_KIB - 1);
    printf("%zu texts in %zu calls, %u threads, class %s, seed %" PRIu64
           ": grown by %ld KiB since the first tenth, a call took at most %.2f of its plan, %zu "
           "failed\n",
           s->n_texts, s->n_calls, s->n_threads, memo_class_name(s->info.cls), s->seed,
           s->last_kib - s->first_kib, s->largest_share, s->n_failed);
}

int main(int argc, char **argv)
{
    static soak s = {.n_wanted = 5000, .n_threads = 1, .seed = 1};
    const char *path = NULL;

    for (int i = 1; i < argc; i++) {
        uint64_t n = i + 1 < argc ? strtoull(argv[i + 1], NULL, 10) : 0;
        if (argv[i][0] != '-' && !path)
            path = argv[i];
        else if (i + 1 == argc)
            soak_die(argv[i], "needs a value");
        else if (!strcmp(argv[i], "--texts") && ++i)
            s.n_wanted = (size_t)n;
        else if (!strcmp(argv[i], "--threads") && ++i)
            s.n_threads = (unsigned)n;
        else if (!strcmp(argv[i], "--seed") && ++i)
            s.seed = n;
        else if (!strcmp(argv[i], "--leak") && ++i)
            s.n_leak = (size_t)n;
        else
            soak_die(argv[i], "unknown");
    }
    if (!path)
        soak_die("usage", "soak_points MODEL [--texts N] [--threads N] [--seed S] [--leak BLOCKS]");
    if (soak_status_kib("VmRSS:") < 0) {
        printf("SKIPPED soak: this system does not say what is resident\n");
        return 0;
    }
    limits_count_memory();
    soak_open(&s, path);
    soak_run(&s);
    memo_model_close(s.model);
    memo_ctx_free(s.ctx);
    free(s.vectors);
    free(s.known);
    return s.n_failed != 0;
}
