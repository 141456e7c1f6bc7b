// SPDX-License-Identifier: Apache-2.0
#include "golden/models_golden.h"

#include <stdarg.h>
#include <stdio.h>

static size_t n_passed, n_failed, n_skipped;

int golden_check(int ok, const char *suite, const char *fmt, ...)
{
    va_list args;

    n_passed += ok != 0;
    n_failed += ok == 0;
    if (!ok && n_failed <= 20) {
        printf("FAILED %s: ", suite);
        va_start(args, fmt);
        vprintf(fmt, args);
        va_end(args);
        printf("\n");
    }
    return ok;
}

void golden_skip(const char *suite, const char *reason)
{
    n_skipped++;
    printf("SKIPPED %s: %s\n", suite, reason);
}

int golden_end(void)
{
    printf("%zu passed, %zu failed, %zu skipped\n", n_passed, n_failed, n_skipped);
    return n_failed != 0;
}
