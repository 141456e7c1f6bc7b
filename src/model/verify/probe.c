// SPDX-License-Identifier: Apache-2.0
#include "model/verify/probe.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Short and long, several scripts, digits, punctuation, an emoji, words outside any vocabulary. */
const char *const memo_probe_texts[MEMO_COMPILED_PROBES] = {
    "tea",
    "The spare key hangs behind the blue door of the boat house.",
    "Der Zug nach Görlitz fährt heute von Gleis 7, Abschnitt B.",
    "El médico cambió la cita al jueves a las 16:30; hay que llevar el informe.",
    "Ключи от подвала лежат в синей коробке на верхней полке.",
    "明日の会議は十時から三階の部屋で始まります。🙂",
    "for (i = 0; i < n; i++) sum += x[i] * w[i];  // 3.14e-2, 0x1F, user_name@example.org",
    "When the river rose for the second time that spring, the people of the lower village carried "
    "their books and seed potatoes up to the school, lit the stove in the gymnasium, and waited "
    "two "
    "nights; on the third morning the water had left a line of straw along the church wall, "
    "exactly "
    "as high as the mark of 1954, and everyone agreed that the new dam had been worth its price, "
    "although nobody could say any more who had paid for it.",
};

memo_status memo_probe_encode_text(const memo_tokenizer *tokenizer, memo_text text,
                                   size_t max_tokens, memo_token_list *list, memo_buf *ids,
                                   memo_err *err)
{
    const uint32_t *prefix = NULL, *suffix = NULL;
    size_t n_prefix = memo_tokenizer_prefix(tokenizer, &prefix);
    size_t n_suffix = memo_tokenizer_suffix(tokenizer, &suffix);
    size_t room = max_tokens - n_prefix - n_suffix;

    list->n = 0;
    memo_status status = memo_tokenizer_encode(tokenizer, text.bytes, text.n_bytes, 0, list, err);
    if (status)
        return status;
    memo_buf_append(ids, prefix, n_prefix * sizeof *prefix);
    memo_buf_append(ids, list->ids, (list->n < room ? list->n : room) * sizeof *list->ids);
    memo_buf_append(ids, suffix, n_suffix * sizeof *suffix);
    return ids->failed ? memo_fail_nomem(err, "token ids", ids->cap) : MEMO_OK;
}

memo_status memo_probe_encode(const memo_tokenizer *tokenizer, const char *const *texts,
                              size_t max_tokens, memo_probe_ids *out, memo_err *err)
{
    memo_token_list list = {0};
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < MEMO_COMPILED_PROBES && status == MEMO_OK; i++) {
        memo_text text = {texts[i], strlen(texts[i])};
        status = memo_probe_encode_text(tokenizer, text, max_tokens, &list, &out->ids, err);
        out->cu_seqlens[i + 1] = (uint32_t)(out->ids.n / sizeof(uint32_t));
    }
    memo_token_list_fini(&list);
    return status;
}

memo_status memo_probe_run(const memo_transformer *transformer, const uint32_t *ids,
                           const uint32_t *cu_seqlens, memo_tap tap, float *vectors,
                           unsigned char *ok, memo_err *err)
{
    memo_transformer_plan plan;
    size_t starts[MEMO_COMPILED_PROBES + 1];
    size_t longest = 0;

    for (size_t i = 0; i <= MEMO_COMPILED_PROBES; i++) {
        starts[i] = cu_seqlens[i];
        if (i && starts[i] - starts[i - 1] > longest)
            longest = starts[i] - starts[i - 1];
    }
    memo_status status = memo_transformer_plan_run(
        &transformer->config, starts[MEMO_COMPILED_PROBES], longest, &plan, err);
    if (status)
        return status;
    void *scratch = memo_aligned_alloc(plan.scratch_bytes);
    if (!scratch)
        return memo_fail_nomem(err, "scratch of the probes", plan.scratch_bytes);
    memset(vectors, 0,
           MEMO_COMPILED_PROBES * memo_transformer_dim(&transformer->config) * sizeof *vectors);
    memo_batch batch = {MEMO_COMPILED_PROBES, ids, starts};
    memo_transformer_run(transformer, &plan, &batch, (memo_workspace){.scratch = scratch}, tap,
                         vectors, ok);
    memo_aligned_free(scratch);
    for (size_t i = 0; i < MEMO_COMPILED_PROBES; i++)
        if (!ok[i])
            memset(vectors + i * memo_transformer_dim(&transformer->config), 0,
                   memo_transformer_dim(&transformer->config) * sizeof *vectors);
    return MEMO_OK;
}
