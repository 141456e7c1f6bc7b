// SPDX-License-Identifier: Apache-2.0
/* check_memory.c -- guarded arrays, awkward values and the fault handler. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_ARRAYS 24
#define MEMORY_BYTES  (8u << 20) /* the largest array */
#define MEMORY_BESIDE 64         /* floats beside an array that are compared */

typedef struct guarded {
    float *begin, *end; /* the whole region between two guard pages */
    float *array;       /* the one handed out */
    size_t n;
} guarded;

static guarded memory_regions[MEMORY_ARRAYS];
static sigjmp_buf memory_fault;

/* A quiet NaN that no arithmetic makes: its payload is not the default one. */
static float memory_pattern(void)
{
    uint32_t bits = 0x7fedcba9u;
    float a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

int check_is_untouched(float a)
{
    float pattern = memory_pattern();
    return !memcmp(&a, &pattern, sizeof a);
}

static void memory_map(guarded *g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, MEMORY_BYTES + 2 * page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) ||
        mprotect(p + page + MEMORY_BYTES, page, PROT_NONE)) {
        perror("memo_check: cannot map guarded memory");
        exit(2);
    }
    g->begin = (float *)(void *)(p + page);
    g->end = (float *)(void *)(p + page + MEMORY_BYTES);
}

void check_begin(check *c)
{
    c->n_arrays = 0;
    c->at_end = (int)memo_rng_below(&c->rng, 2);
}

float *check_new(check *c, size_t n)
{
    guarded *g = &memory_regions[c->n_arrays++];
    if (c->n_arrays > MEMORY_ARRAYS || n > MEMORY_BYTES / sizeof(float) - MEMORY_BESIDE) {
        fprintf(stderr, "memo_check: a case asks for too much memory\n");
        exit(2);
    }
    if (!g->begin)
        memory_map(g);
    g->n = n;
    g->array = c->at_end ? g->end - n : g->begin;
    float pattern = memory_pattern();
    float *from = c->at_end ? g->array - MEMORY_BESIDE : g->array;
    for (size_t i = 0; i < n + MEMORY_BESIDE; i++)
        from[i] = pattern;
    return g->array;
}

/* Regions begin and end on pages, so whole panels are aligned on either side. */
float *check_new_panels(check *c, size_t n)
{
    return check_new(c, (n + MEMO_PANEL - 1) / MEMO_PANEL * MEMO_PANEL);
}

uint8_t *check_new_bytes(check *c, size_t n)
{
    float *p = check_new(c, (n + sizeof *p - 1) / sizeof *p);
    uint8_t *end = (uint8_t *)memory_regions[c->n_arrays - 1].end;
    return c->at_end ? end - n : (uint8_t *)p;
}

static float memory_awkward(memo_rng *rng)
{
    static const float values[] = {
        NAN,      INFINITY,  -INFINITY,      0.0f,   -0.0f,     0x1p-149f, -0x1p-149f, FLT_MIN,
        -FLT_MIN, FLT_MAX,   -FLT_MAX,       1.0f,   -1.0f,     1e-20f,    -1e20f,     88.72284f,
        -104.0f,  -103.972f, FLT_MIN / 2.0f, -5.48f, 0x1p-126f, 3.92f,     0x1p23f,    0.99999994f,
    };
    return values[memo_rng_below(rng, sizeof values / sizeof *values)];
}

float *check_new_values(check *c, size_t n, check_values values)
{
    float *p = check_new(c, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)memo_rng_normal(&c->rng);
        if (values == CHECK_WIDE)
            p[i] = ldexpf(p[i], (int)memo_rng_below(&c->rng, 81) - 40);
        else if (values == CHECK_AWKWARD && memo_rng_below(&c->rng, 8) == 0)
            p[i] = memory_awkward(&c->rng);
    }
    return p;
}

float *check_new_copy(check *c, const float *from, size_t n)
{
    float *p = check_new(c, n);
    memcpy(p, from, n * sizeof *p);
    return p;
}

void check_outside(check *c, const char *what)
{
    for (unsigned i = 0; i < c->n_arrays; i++) {
        const guarded *g = &memory_regions[i];
        const float *beside = c->at_end ? g->array - MEMORY_BESIDE : g->array + g->n;
        for (size_t j = 0; j < MEMORY_BESIDE; j++) {
            if (!check_is_untouched(beside[j])) {
                check_fail(c, "%s wrote outside array %u of %zu floats", what, i, g->n);
                return;
            }
        }
    }
}

size_t check_size(check *c, size_t most)
{
    static const size_t edges[] = {1,  2,  3,   5,   7,   11,  13,  15,  16,  17,
                                   31, 32, 33,  47,  48,  49,  63,  64,  65,  95,
                                   96, 97, 127, 128, 131, 192, 255, 256, 384, 389};
    size_t n = memo_rng_below(&c->rng, 2)
                   ? edges[memo_rng_below(&c->rng, sizeof edges / sizeof *edges)]
                   : memo_rng_below(&c->rng, most + 1);
    return n <= most ? n : memo_rng_below(&c->rng, most + 1);
}

void check_fail(check *c, const char *fmt, ...)
{
    if (c->failed++)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->message, sizeof c->message, fmt, args);
    va_end(args);
}

int check_same_bits(float a, float b)
{
    return (isnan(a) && isnan(b)) || !memcmp(&a, &b, sizeof a);
}

void check_bits(check *c, const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!check_same_bits(got[i], want[i])) {
            check_fail(c, "%s: element %zu of %zu is %a, must have the bits of %a", what, i, n,
                       (double)got[i], (double)want[i]);
            return;
        }
    }
}

static void memory_on_fault(int signal_number)
{
    siglongjmp(memory_fault, signal_number);
}

void check_guarded(check *c, void (*run)(check *c))
{
    struct sigaction action = {.sa_handler = memory_on_fault}, old_segv, old_bus;
    sigaction(SIGSEGV, &action, &old_segv);
    sigaction(SIGBUS, &action, &old_bus);
    int fault = sigsetjmp(memory_fault, 1);
    if (!fault)
        run(c);
    else
        check_fail(c, "read or write outside an array (signal %d), arrays %s their guard page",
                   fault, c->at_end ? "end at" : "begin after");
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
}
