// SPDX-License-Identifier: Apache-2.0
/* golden/golden_util.h -- memory, paths, vectors and ranks for the golden programs. Tests only; they
 * share nothing with what the library computes likewise. */
#ifndef MEMO_GOLDEN_UTIL_H
#define MEMO_GOLDEN_UTIL_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memolith/model.h>

static inline void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "golden: out of memory\n");
        exit(1);
    }
    return p;
}

#define PATH_BYTES 2048

/* "folder/name"; longer ones are cut and then not found. */
static inline const char *join(char out[PATH_BYTES], const char *folder, const char *name)
{
    snprintf(out, PATH_BYTES, "%.1500s/%.500s", folder, name);
    return out;
}

static inline double max_diff(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)a[i] - (double)b[i]);
        if (!(diff <= worst))
            worst = diff;
    }
    return worst;
}

static inline double cosine(const float *a, const float *b, size_t n)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(aa * bb);
}

typedef struct ranked {
    double value;
    size_t index;
} ranked;

static inline int by_value(const void *a, const void *b)
{
    double x = ((const ranked *)a)->value, y = ((const ranked *)b)->value;
    return (x > y) - (x < y);
}

/* Ranks from 1; equal values share the mean of their ranks. */
static inline void average_ranks(const double *values, size_t n, double *ranks)
{
    ranked *r = need(calloc(n, sizeof *r));

    for (size_t i = 0; i < n; i++)
        r[i] = (ranked){values[i], i};
    qsort(r, n, sizeof *r, by_value);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && r[j].value == r[i].value; j++)
            ;
        for (size_t k = i; k < j; k++)
            ranks[r[k].index] = (double)(i + 1 + j) / 2;
    }
    free(r);
}

static inline double spearman(const double *a, const double *b, size_t n)
{
    double *x = need(calloc(2 * n, sizeof *x)), *y = x + n;
    double mean = (double)(n + 1) / 2, xy = 0, xx = 0, yy = 0;

    average_ranks(a, n, x);
    average_ranks(b, n, y);
    for (size_t i = 0; i < n; i++) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    free(x);
    return xy / sqrt(xx * yy);
}

/* Lines of score, tab, sentence, tab, sentence. */
static inline size_t read_sts(FILE *f, size_t max, double *scores, memo_text *texts)
{
    char *line = NULL;
    size_t cap = 0, n = 0;
    ssize_t got;

    while (n < max && (got = getline(&line, &cap, f)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        char *first = strchr(line, '\t');
        char *second = first ? strchr(first + 1, '\t') : NULL;
        if (!second)
            continue;
        *second = '\0';
        scores[n] = strtod(line, NULL);
        texts[2 * n] = (memo_text){need(strdup(first + 1)), strlen(first + 1)};
        texts[2 * n + 1] = (memo_text){need(strdup(second + 1)), strlen(second + 1)};
        n++;
    }
    free(line);
    return n;
}

#endif
