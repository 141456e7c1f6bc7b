// SPDX-License-Identifier: Apache-2.0
/* fuzz_report.c -- any bytes as the report of a compiled model. What is accepted fits the room that is
 * kept for it when it is written, and what is written of it is read as the same text again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "model/recipe.h"
#include "model/verify/fidelity_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static memo_recipe fuzz_model; /* of one layer, class int8 */
static memo_layout fuzz_slots;

static void fuzz_report_init(void)
{
    static const char recipe[] =
        "{\"architecture\":{\"value\":\"bert\"},\"n_layers\":{\"value\":1},"
        "\"hidden_size\":{\"value\":8},\"n_heads\":{\"value\":2},"
        "\"intermediate_size\":{\"value\":8},\"vocab_size\":{\"value\":9},"
        "\"n_positions\":{\"value\":8},\"n_token_types\":{\"value\":2},"
        "\"activation\":{\"value\":\"gelu_erf\"},\"norm_eps\":{\"value\":1e-12},"
        "\"pooling\":{\"value\":\"mean\"},\"normalize\":{\"value\":true},"
        "\"max_tokens\":{\"value\":8},\"prompt_query\":{\"value\":\"\"},"
        "\"prompt_document\":{\"value\":\"\"}}";
    const memo_weight_format format = {.cls = MEMO_CLASS_INT8};

    if (memo_recipe_read(recipe, &fuzz_model, NULL) ||
        memo_layout_init(&fuzz_slots, &fuzz_model, NULL))
        abort();
    memo_layout_set_class(&fuzz_slots, &format);
}

static char *fuzz_again(const char *text, memo_err *err)
{
    memo_fidelity_report *report = NULL;
    char *json = NULL;

    if (memo_fidelity_read(text, &fuzz_slots, fuzz_model.n_layers, &report, err)) {
        if (report || !err->message[0] ||
            memo_utf8_check(err->message, strlen(err->message)) != strlen(err->message))
            abort();
        return NULL;
    }
    if (report->n_layers != 2 || report->against.worst >= report->against.n_texts ||
        report->n_tensors + report->n_equal != fuzz_slots.n_slots ||
        memo_fidelity_write(report, &json, err))
        abort();
    if (strlen(json) >= memo_fidelity_room(&fuzz_slots, fuzz_model.n_layers))
        abort();
    memo_fidelity_free(report);
    return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_err err = {0};
    char *text = memo_strndup((const char *)data, size);

    if (!fuzz_slots.n_slots)
        fuzz_report_init();
    if (!text)
        abort();
    char *once = fuzz_again(text, &err);
    if (once) {
        char *twice = fuzz_again(once, &err);
        if (!twice || strcmp(once, twice) != 0)
            abort();
        memo_free(twice);
    }
    memo_free(once);
    memo_free(text);
    return 0;
}
