// SPDX-License-Identifier: Apache-2.0
#include "memory/feedback/search_log.h"

#include <string.h>

#include "base/buf.h"
#include "base/machine.h"

static const char *latency_mode(memo_search_mode mode)
{
    static const char *const names[] = {"hybrid", "dense", "lexical"};

    return names[mode];
}

static const char *latency_cache(const memo_db *db, const memo_search_note *note)
{
    if (!note->space || !db->index.view.base)
        return "none";
    return db->index.set.slots ? "memory" : "file";
}

static void latency_put_text(memo_buf *line, const char *name, const char *text)
{
    memo_buf_printf(line, ",\"%s\":", name);
    memo_buf_put_json(line, text, strlen(text));
}

static void latency_put(memo_buf *line, const memo_db *db, const memo_search_note *note)
{
    const memo_hits *hits = note->hits;
    const memo_search_timings *t = &hits->timings;
    const struct {
        const char *name;
        double ms;
    } stages[] = {{"total", t->total_ms}, {"embed", t->embed_ms},     {"filter", t->filter_ms},
                  {"dense", t->dense_ms}, {"lexical", t->lexical_ms}, {"exact", t->exact_ms},
                  {"facts", t->facts_ms}, {"fuse", t->fuse_ms},       {"fetch", t->fetch_ms}};

    memo_buf_printf(line, "{\"time\":%lld", (long long)memo_now_ms(db->ctx));
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) /* whole thousandths: no locale */
        memo_buf_printf(line, ",\"%s_ms\":%lld.%03lld", stages[i].name,
                        (long long)(stages[i].ms * 1000) / 1000,
                        (long long)(stages[i].ms * 1000) % 1000);
    memo_buf_printf(line, ",\"hits\":%zu,\"searched\":%zu,\"k\":%zu", hits->n, hits->n_searched,
                    note->options->k ? note->options->k : 10);
    latency_put_text(line, "mode", latency_mode(hits->mode));
    memo_buf_printf(line, ",\"dim\":%zu", note->space ? db->space.dim : 0);
    latency_put_text(line, "model", hits->model);
    latency_put_text(line, "level", memo_cpu_name(memo_ctx_cpu(db->ctx)));
    memo_buf_printf(line, ",\"threads\":%u", memo_ctx_n_threads(db->ctx));
    latency_put_text(line, "cache", latency_cache(db, note));
    memo_buf_printf(line, ",\"partial\":%s,\"memory\":%llu", hits->partial ? "true" : "false",
                    (unsigned long long)memo_memory_peak());
    latency_put_text(line, "store", memo_store_path(db->store));
    latency_put_text(line, "ns", memo_db_ns_name(note->options->ns));
    latency_put_text(line, "search_id", hits->search_id);
    memo_buf_putc(line, '}');
}

void memo_latency_tell(memo_db *db, const memo_db *searched, const memo_search_note *note)
{
    memo_buf line = {0};

    if (!db->latency || note->hits->timings.total_ms < db->slow_ms)
        return;
    latency_put(&line, searched, note);
    if (!line.failed) { /* without memory a search is answered and not told of */
        db->in_callback = 1;
        db->latency(db->latency_user, line.data);
        db->in_callback = 0;
    }
    memo_buf_fini(&line);
}
