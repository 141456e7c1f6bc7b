// SPDX-License-Identifier: Apache-2.0
#include "memory/relevance/known_curves.h"

#include <string.h>

/* Fitted to queries with a document that answers them and with a random other one, the train half of
 * Cranfield (tools/eval_calibration.py shows that it still is the fit). Error on the half held out 0.038.
 * Of queries among documents of their own kind 97 % and more have a hit that is likely; of queries among
 * documents of another kind at most 3 % (Cranfield and ADI, each in each). */
static const struct {
    const char *source_hash;
    memo_logistic curve;
} known_curves[] = {
    /* all-MiniLM-L6-v2 */
    {"88c8dc22a05765761c6dfcfe67155e406ac6c453d2c7a7a5f0b4b16e71d9500c", {12.92, -4.518}},
};

int memo_known_curve(const char *source_hash, memo_logistic *curve)
{
    for (size_t i = 0; i < sizeof known_curves / sizeof *known_curves; i++)
        if (strcmp(source_hash, known_curves[i].source_hash) == 0) {
            *curve = known_curves[i].curve;
            return 1;
        }
    return 0;
}
