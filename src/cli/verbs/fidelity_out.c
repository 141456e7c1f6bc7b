// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/fidelity_out.h"

#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"

/* ---- text ---------------------------------------------------------------------------------- */

static void fidelity_put_tensors(memo_buf *out, const memo_fidelity_report *r)
{
    memo_buf_printf(out, "  tensors      %zu equal in every bit, %zu with loss\n", r->n_equal,
                    r->n_tensors);
    for (size_t i = 0; i < r->n_tensors; i++) {
        const memo_tensor_fidelity *t = &r->tensors[i];
        memo_buf_printf(out, "    %6.2f dB  error at most %-9.3g of %-8.3g %-5s [%zu, %zu]  %s\n",
                        t->snr_db, t->max_abs_error, t->largest, memo_class_name(t->cls), t->n_rows,
                        t->n_cols, t->name);
    }
}

static void fidelity_put_layers(memo_buf *out, const memo_fidelity_report *r)
{
    memo_buf_printf(out, "  states       of %zu texts\n", r->n_layer_texts);
    for (size_t i = 0; i < r->n_layers; i++) {
        const memo_layer_fidelity *layer = &r->layers[i];
        char name[32] = "embeddings";
        if (i)
            snprintf(name, sizeof name, "layer %zu", i - 1);
        memo_buf_printf(out, "    %-11s cosine %.5f, least %.5f, relative error %.4f\n", name,
                        layer->cosine_mean, layer->cosine_min, layer->relative_error);
    }
}

void cli_fidelity_put_texts(memo_buf *out, const memo_texts_fidelity *t)
{
    memo_buf_printf(out,
                    "  vectors      of %zu texts: cosine %.5f, 1st percentile %.5f, least %.5f\n"
                    "    top-10 overlap %.4f, rank correlation of similarities %.5f\n"
                    "    worst text %zu: ",
                    t->n_texts, t->cosine_mean, t->cosine_p01, t->cosine_min, t->top10_overlap,
                    t->spearman, t->worst);
    memo_buf_put_json(out, t->worst_text, strlen(t->worst_text));
    memo_buf_putc(out, '\n');
}

void cli_fidelity_put(memo_buf *out, const memo_fidelity_report *r)
{
    fidelity_put_tensors(out, r);
    fidelity_put_layers(out, r);
    cli_fidelity_put_texts(out, &r->against);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void fidelity_json_tensors(memo_buf *out, const memo_fidelity_report *r)
{
    cli_json_put_u64(out, "tensors_equal", r->n_equal);
    cli_json_key(out, "tensors");
    cli_json_open(out, '[');
    for (size_t i = 0; i < r->n_tensors; i++) {
        const memo_tensor_fidelity *t = &r->tensors[i];
        cli_json_open(out, '{');
        cli_json_put_string(out, "name", t->name);
        cli_json_put_string(out, "class", memo_class_name(t->cls));
        cli_json_put_u64(out, "rows", t->n_rows);
        cli_json_put_u64(out, "columns", t->n_cols);
        cli_json_put_double(out, "snr_db", t->snr_db);
        cli_json_put_double(out, "max_abs_error", t->max_abs_error);
        cli_json_put_double(out, "largest", t->largest);
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

static void fidelity_json_layers(memo_buf *out, const memo_fidelity_report *r)
{
    cli_json_put_u64(out, "layer_texts", r->n_layer_texts);
    cli_json_key(out, "layers");
    cli_json_open(out, '[');
    for (size_t i = 0; i < r->n_layers; i++) {
        cli_json_open(out, '{');
        cli_json_put_double(out, "cosine_mean", r->layers[i].cosine_mean);
        cli_json_put_double(out, "cosine_min", r->layers[i].cosine_min);
        cli_json_put_double(out, "relative_error", r->layers[i].relative_error);
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
}

void cli_fidelity_json_texts(memo_buf *out, const char *key, const char *path,
                             const memo_texts_fidelity *t)
{
    cli_json_key(out, key);
    cli_json_open(out, '{');
    cli_json_put_string(out, "path", path);
    cli_json_put_u64(out, "texts", t->n_texts);
    cli_json_put_double(out, "cosine_mean", t->cosine_mean);
    cli_json_put_double(out, "cosine_p01", t->cosine_p01);
    cli_json_put_double(out, "cosine_min", t->cosine_min);
    cli_json_put_u64(out, "worst", t->worst);
    cli_json_put_string(out, "worst_text", t->worst_text);
    cli_json_put_double(out, "top10_overlap", t->top10_overlap);
    cli_json_put_double(out, "spearman", t->spearman);
    cli_json_close(out, '}');
}

void cli_fidelity_json(memo_buf *out, const memo_fidelity_report *r)
{
    fidelity_json_tensors(out, r);
    fidelity_json_layers(out, r);
}
