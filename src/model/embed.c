// SPDX-License-Identifier: Apache-2.0
/* Texts to vectors.
 *
 * Texts are tokenized one after the other into a *window* of packed sequences. A full window is cut
 * into *shards* of whole sequences, which the threads claim; one thread takes a shard through all
 * layers. Vectors are gathered in a buffer of our own and copied out when everything went well.
 * All memory is planned from the longest text and the number of texts, and allocated at once (but
 * for the list of one text's tokens, which grows to its bound). */
#include <memolith/model.h>

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/checked.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/fpmode.h"
#include "base/utf8.h"
#include "model/embed_plan.h"
#include "nn/pooling.h"

typedef struct embed_job {
    memo_model *model;
    memo_embed_options o;
    const memo_text *texts;
    size_t n_texts, dim;
    memo_embed_sizes sizes;
    memo_deadline deadline;
    unsigned encode_flags;
    size_t max_tokens;
    const uint32_t *prefix, *suffix;
    size_t n_prefix, n_suffix;
    const char *prompt;
    size_t n_lead; /* tokens of the prompt */
    memo_token_list list;
    memo_buf prompted; /* prompt and text */
    /* the block */
    void *block;
    float *staging;             /* [n_texts, dim] */
    memo_embed_result *results; /* [n_texts] */
    uint32_t *ids;
    size_t n_ids;
    memo_embed_seq *seqs;
    size_t *cu; /* [n_seqs + 1] */
    size_t n_seqs;
    memo_embed_shard *shards;
    size_t n_shards;
    unsigned char *ok;
    float *vectors; /* [window_seqs, dim] */
    double *sum;    /* [dim] of the chunks of one text */
    double sum_weight;
    size_t failed; /* the text that an error is about; SIZE_MAX: none */
    /* shared by the workers */
    atomic_size_t n_done; /* texts */
    atomic_int stop;      /* a memo_status */
} embed_job;

static size_t embed_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- run a window -------------------------------------------------------------------------- */

/* Cut the window into shards of whole sequences: as many for each worker, so that none waits for the
 * last. */
static size_t embed_cut(embed_job *job)
{
    size_t most = embed_min(MEMO_EMBED_SHARD_TOKENS, job->sizes.shard_tokens);
    size_t rounds = job->n_ids / (most * job->sizes.n_workers) + 1;
    size_t target = job->n_ids / (rounds * job->sizes.n_workers) + 1, n_shards = 0;

    if (target < MEMO_EMBED_MIN_SHARD_TOKENS)
        target = MEMO_EMBED_MIN_SHARD_TOKENS;
    target = embed_min(target, most);
    for (size_t seq = 0; seq < job->n_seqs;) {
        size_t begin = job->cu[seq], n = 1;
        while (seq + n < job->n_seqs && job->cu[seq + n + 1] - begin <= target)
            n++;
        job->shards[n_shards++] = (memo_embed_shard){seq, n};
        seq += n;
    }
    return n_shards;
}

/* Called by every worker before a shard and each layer of it, as a text may be one long shard or many
 * shards; the progress function only on the caller's thread. */
static int embed_may_go_on(embed_job *job, unsigned worker)
{
    if (atomic_load(&job->stop))
        return 0;
    if (memo_deadline_passed(job->deadline)) {
        atomic_store(&job->stop, MEMO_ERR_DEADLINE);
        return 0;
    }
    if (worker == 0 && memo_progress_call(job->o.progress, job->o.progress_user, "embed",
                                          atomic_load(&job->n_done), job->n_texts, NULL, NULL)) {
        atomic_store(&job->stop, MEMO_ERR_CANCELLED);
        return 0;
    }
    return 1;
}

/* A worker within a shard. */
typedef struct embed_layers {
    embed_job *job;
    unsigned worker;
} embed_layers;

static int embed_layer_may_go_on(void *user)
{
    const embed_layers *at = user;
    return embed_may_go_on(at->job, at->worker);
}

static void embed_run_shard(void *user, size_t task, unsigned worker)
{
    embed_job *job = user;
    const memo_embed_sizes *s = &job->sizes;
    memo_embed_shard shard = job->shards[task];
    size_t *starts =
        (size_t *)(void *)((char *)job->block + s->starts) + worker * (s->shard_tokens + 1);
    void *scratch =
        (char *)job->block + s->scratch + worker * memo_round_up(s->plan.scratch_bytes, 64);
    size_t begin = job->cu[shard.first_seq], n_texts = 0;

    if (!embed_may_go_on(job, worker))
        return;
    for (size_t i = 0; i <= shard.n_seqs; i++)
        starts[i] = job->cu[shard.first_seq + i] - begin;
    memo_batch batch = {shard.n_seqs, job->ids + begin, starts};
    embed_layers layers = {job, worker};
    memo_workspace work = {
        .scratch = scratch, .n_workers = 1, .go_on = embed_layer_may_go_on, .go_on_user = &layers};
    if (job->n_shards == 1) { /* which the calling thread runs, outside the pool */
        work.stride = memo_round_up(s->plan.scratch_bytes, 64);
        work.n_workers = memo_transformer_workers(starts[shard.n_seqs], (unsigned)s->n_workers);
        work.pool = work.n_workers > 1 ? job->model->ctx->pool : NULL;
    }
    memo_transformer_run(&job->model->transformer, &s->plan, &batch, work, (memo_tap){0},
                         job->vectors + shard.first_seq * job->dim, job->ok + shard.first_seq);
    if (atomic_load(&job->stop)) /* perhaps without vectors */
        return;
    for (size_t i = 0; i < shard.n_seqs; i++)
        n_texts += (size_t)job->seqs[shard.first_seq + i].last;
    atomic_fetch_add(&job->n_done, n_texts);
}

static memo_status embed_refused(embed_job *job, size_t text, memo_err *err)
{
    job->failed = text;
    return memo_fail(err, MEMO_ERR_VALUE,
                     "text %zu: its vector is not finite or has no length; the model's weights "
                     "cannot represent it",
                     text);
}

/* Mean of the chunks of a text weighted by their tokens, then as the recipe normalizes. */
static memo_status embed_gather_chunk(embed_job *job, const memo_embed_seq *seq,
                                      const float *vector, memo_err *err)
{
    if (seq->first) {
        memset(job->sum, 0, job->dim * sizeof *job->sum);
        job->sum_weight = 0;
    }
    for (size_t d = 0; d < job->dim; d++)
        job->sum[d] += (double)seq->weight * (double)vector[d];
    job->sum_weight += (double)seq->weight;
    if (!seq->last)
        return MEMO_OK;
    for (size_t d = 0; d < job->dim; d++)
        job->sum[d] /= job->sum_weight;
    if (!memo_pool_finish(job->sum, job->dim, job->model->transformer.config.normalize,
                          job->staging + seq->text * job->dim))
        return embed_refused(job, seq->text, err);
    return MEMO_OK;
}

/* Vectors of the window to their texts, in input order. */
static memo_status embed_gather(embed_job *job, memo_err *err)
{
    for (size_t i = 0; i < job->n_seqs; i++) {
        const memo_embed_seq *seq = &job->seqs[i];
        const float *vector = job->vectors + i * job->dim;
        if (!job->ok[i])
            return embed_refused(job, seq->text, err);
        if (seq->first && seq->last) {
            memcpy(job->staging + seq->text * job->dim, vector, job->dim * sizeof *vector);
        } else {
            memo_status status = embed_gather_chunk(job, seq, vector, err);
            if (status)
                return status;
        }
    }
    return MEMO_OK;
}

static memo_status embed_stopped(const embed_job *job, memo_err *err)
{
    if (atomic_load(&job->stop) == MEMO_ERR_DEADLINE)
        return memo_fail(err, MEMO_ERR_DEADLINE,
                         "the deadline of %" PRId64 " ms passed after %zu of %zu texts",
                         job->o.deadline_ms, atomic_load(&job->n_done), job->n_texts);
    return memo_fail(err, MEMO_ERR_CANCELLED, "cancelled after %zu of %zu texts",
                     atomic_load(&job->n_done), job->n_texts);
}

static memo_status embed_flush(embed_job *job, memo_err *err)
{
    memo_status status;

    job->failed = SIZE_MAX;
    if (!job->n_seqs)
        return MEMO_OK;
    if ((status = memo_model_check_words(job->model, job->ids, job->n_ids, err)))
        return status;
    job->n_shards = embed_cut(job);
    if (job->n_shards == 1)
        embed_run_shard(job, 0, 0);
    else
        memo_pool_run(job->model->ctx->pool, (unsigned)job->sizes.n_workers, job->n_shards,
                      embed_run_shard, job);
    if (atomic_load(&job->stop))
        return embed_stopped(job, err);
    if ((status = embed_gather(job, err)))
        return status;
    job->n_ids = job->n_seqs = 0;
    return MEMO_OK;
}

/* ---- fill a window ------------------------------------------------------------------------- */

static void embed_put_ids(embed_job *job, const uint32_t *ids, size_t n)
{
    if (n)
        memcpy(job->ids + job->n_ids, ids, n * sizeof *ids);
    job->n_ids += n;
}

/* Append one sequence: specials, prompt, tokens first .. first + n of the body, specials. */
static memo_status embed_put_seq(embed_job *job, memo_embed_seq seq, size_t first, size_t n,
                                 memo_err *err)
{
    size_t n_tokens = job->n_prefix + job->n_lead + n + job->n_suffix;

    if (!n_tokens)
        return memo_fail(err, MEMO_ERR_VALUE, "text %zu has no tokens", seq.text);
    if (n_tokens > job->sizes.max_seq) /* a tokenizer that makes more tokens than bytes */
        return memo_fail(err, MEMO_ERR_LIMIT, "text %zu has %zu tokens, %zu were planned", seq.text,
                         n_tokens, job->sizes.max_seq);
    if (job->n_seqs == job->sizes.window_seqs || job->n_ids + n_tokens > job->sizes.window_tokens) {
        memo_status status = embed_flush(job, err);
        if (status)
            return status;
        job->failed = seq.text; /* what may go wrong from here on is this text's again */
    }
    seq.weight = n ? n : 1;
    job->cu[job->n_seqs] = job->n_ids;
    job->seqs[job->n_seqs++] = seq;
    embed_put_ids(job, job->prefix, job->n_prefix);
    embed_put_ids(job, job->list.ids, job->n_lead);
    embed_put_ids(job, job->list.ids + job->n_lead + first, n);
    embed_put_ids(job, job->suffix, job->n_suffix);
    job->cu[job->n_seqs] = job->n_ids;
    return MEMO_OK;
}

static memo_status embed_put_chunks(embed_job *job, size_t text, size_t n_body, size_t room,
                                    memo_err *err)
{
    size_t overlap = job->o.chunk_overlap ? job->o.chunk_overlap : room * 15 / 100;
    memo_status status = MEMO_OK;

    if (overlap >= room)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "a chunk overlap of %zu tokens, but a chunk holds %zu", overlap, room);
    for (size_t first = 0; status == MEMO_OK; first += room - overlap) {
        size_t n = embed_min(room, n_body - first);
        int last = first + n == n_body;
        status = embed_put_seq(job, (memo_embed_seq){text, 0, first == 0, last}, first, n, err);
        if (last)
            break;
    }
    return status;
}

/* Tokenize prompt and text into the list. The text's own bytes are checked first, so that an error
 * counts from their start. */
static memo_status embed_encode(embed_job *job, size_t index, memo_err *err)
{
    memo_text text = job->texts[index];

    if (!job->o.replace_invalid_utf8) {
        size_t bad = memo_utf8_check(text.bytes, text.n_bytes);
        if (bad != text.n_bytes)
            return memo_fail(err, MEMO_ERR_VALUE, "text %zu: invalid UTF-8 at byte %zu of %zu",
                             index, bad, text.n_bytes);
    }
    if (*job->prompt) {
        memo_buf_clear(&job->prompted);
        memo_buf_puts(&job->prompted, job->prompt);
        memo_buf_append(&job->prompted, text.bytes, text.n_bytes);
        if (job->prompted.failed)
            return memo_fail_nomem(err, "prompt and text", text.n_bytes);
        text = (memo_text){job->prompted.data, job->prompted.n};
    }
    job->list.n = 0;
    return memo_tokenizer_encode(job->model->tokenizer, text.bytes, text.n_bytes, job->encode_flags,
                                 &job->list, err);
}

static memo_status embed_add_text(embed_job *job, size_t index, memo_err *err)
{
    size_t special = job->n_prefix + job->n_suffix;
    size_t room = job->max_tokens - special - job->n_lead;
    job->failed = index;
    memo_status status = embed_encode(job, index, err);

    if (status)
        return status;
    if (job->list.n < job->n_lead) /* prompt and text melted into fewer tokens */
        return memo_fail(err, MEMO_ERR_VALUE, "text %zu: its prompt cannot be told from it", index);
    size_t n_body = job->list.n - job->n_lead;
    size_t total = special + job->list.n, seen = total, first = 0;
    memo_embed_seq whole = {index, 0, 1, 1};
    if (n_body <= room) {
        status = embed_put_seq(job, whole, 0, n_body, err);
    } else if (job->o.overlong == MEMO_OVERLONG_CHUNK) {
        status = embed_put_chunks(job, index, n_body, room, err);
    } else if (job->o.overlong == MEMO_OVERLONG_ERROR) {
        memo_fail(err, MEMO_ERR_LIMIT, "text %zu has %zu tokens, at most %zu are allowed", index,
                  total, job->max_tokens);
        return memo_hint(err, MEMO_ERR_LIMIT,
                         "keep its first or last tokens, or split it (--overlong head|tail|chunk)");
    } else {
        if (job->o.overlong == MEMO_OVERLONG_TAIL)
            first = n_body - room;
        seen = job->max_tokens;
        status = embed_put_seq(job, whole, first, room, err);
    }
    job->results[index] = (memo_embed_result){.n_tokens_seen = seen,
                                              .n_tokens_total = total,
                                              .truncated = seen < total,
                                              .cpu = job->model->transformer.kernels->cpu};
    return status;
}

/* ---- the call ------------------------------------------------------------------------------ */

/* Prompt and lengths. */
static memo_status embed_begin(embed_job *job, memo_err *err)
{
    const memo_recipe *recipe = &job->model->file.recipe;
    memo_status status;

    if ((unsigned)job->o.role > MEMO_ROLE_NONE || (unsigned)job->o.overlong > MEMO_OVERLONG_CHUNK)
        return memo_fail(err, MEMO_ERR_USAGE, "role %d or overlong rule %d is not one of the list",
                         (int)job->o.role, (int)job->o.overlong);
    job->n_prefix = memo_tokenizer_prefix(job->model->tokenizer, &job->prefix);
    job->n_suffix = memo_tokenizer_suffix(job->model->tokenizer, &job->suffix);
    job->encode_flags = (job->o.replace_invalid_utf8 ? MEMO_ENCODE_REPLACE_INVALID : 0u) |
                        (job->o.safe_specials ? MEMO_ENCODE_SAFE : 0u);
    job->prompt = job->o.role == MEMO_ROLE_DOCUMENT ? recipe->prompt_document
                  : job->o.role == MEMO_ROLE_QUERY  ? recipe->prompt_query
                                                    : "";
    if (*job->prompt) {
        status = memo_tokenizer_encode(job->model->tokenizer, job->prompt, strlen(job->prompt),
                                       job->encode_flags, &job->list, err);
        if (status)
            return status;
        job->n_lead = job->list.n;
    }
    size_t fixed = job->n_prefix + job->n_lead + job->n_suffix;
    job->max_tokens = job->o.max_tokens ? job->o.max_tokens : recipe->max_tokens;
    if (job->max_tokens > recipe->max_tokens || job->max_tokens <= fixed)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "max_tokens is %zu; it must be above the %zu of special tokens and prompt "
                         "and at most the model's %zu",
                         job->max_tokens, fixed, recipe->max_tokens);
    return MEMO_OK;
}

/* Plan from the texts at hand, hold it against the limit, allocate. */
static memo_status embed_allocate(embed_job *job, memo_err *err)
{
    memo_embed_sizes *s = &job->sizes;
    uint64_t limit = job->model->ctx->mem_limit_bytes;
    size_t longest = 0;
    memo_status status;

    if (job->n_texts > PTRDIFF_MAX / sizeof *job->texts)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu texts, more than there can be", job->n_texts);
    for (size_t i = 0; i < job->n_texts; i++) {
        if (!job->texts[i].bytes && job->texts[i].n_bytes) {
            job->failed = i;
            return memo_fail(err, MEMO_ERR_USAGE, "text %zu is NULL and has %zu bytes", i,
                             job->texts[i].n_bytes);
        }
        if (job->texts[i].n_bytes > longest)
            longest = job->texts[i].n_bytes;
    }
    status = memo_embed_plan(job->model, longest, job->n_texts, job->o.n_threads,
                             job->o.overlong == MEMO_OVERLONG_CHUNK, s, err);
    if (status)
        return status;
    if (s->total_bytes > limit) {
        memo_fail(err, MEMO_ERR_LIMIT,
                  "%zu texts of up to %zu bytes need %zu bytes, allowed are %" PRIu64, job->n_texts,
                  longest, s->total_bytes, limit);
        return memo_hint(err, MEMO_ERR_LIMIT,
                         "a higher memory limit (--mem-limit), or fewer texts in one call");
    }
    char *block = memo_aligned_alloc(s->block_bytes);
    if (!block)
        return memo_fail_nomem(err, "scratch of embedding", s->block_bytes);
    job->block = block;
    job->staging = (float *)(void *)(block + s->staging);
    job->results = (memo_embed_result *)(void *)(block + s->results);
    job->ids = (uint32_t *)(void *)(block + s->ids);
    job->seqs = (memo_embed_seq *)(void *)(block + s->seqs);
    job->cu = (size_t *)(void *)(block + s->cu);
    job->shards = (memo_embed_shard *)(void *)(block + s->shards);
    job->ok = (unsigned char *)(block + s->ok);
    job->vectors = (float *)(void *)(block + s->vectors);
    job->sum = (double *)(void *)(block + s->sum);
    return MEMO_OK;
}

static void embed_fini(embed_job *job)
{
    memo_token_list_fini(&job->list);
    memo_buf_fini(&job->prompted);
    memo_aligned_free(job->block);
}

static memo_status embed_all(embed_job *job, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < job->n_texts && status == MEMO_OK; i++) {
        if (memo_deadline_passed(job->deadline)) {
            job->failed = SIZE_MAX;
            atomic_store(&job->stop, MEMO_ERR_DEADLINE);
            return embed_stopped(job, err);
        }
        status = embed_add_text(job, i, err);
    }
    if (status == MEMO_OK)
        status = embed_flush(job, err);
    if (status == MEMO_OK)
        status = memo_progress_call(job->o.progress, job->o.progress_user, "embed", job->n_texts,
                                    job->n_texts, NULL, err);
    return status;
}

memo_status memo_model_embed(memo_model *model, const memo_embed_options *options,
                             const memo_text *texts, size_t n_texts, float *vectors,
                             memo_embed_result *results, memo_err *err)
{
    embed_job job = {.model = model, .texts = texts, .n_texts = n_texts, .failed = SIZE_MAX};
    memo_status status;
    fenv_t mode;

    if (!model || (n_texts && (!texts || !vectors)))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "embedding needs a model, texts and room for vectors");
    if ((status = memo_options_copy(&job.o, sizeof job.o, options, "memo_embed_options", err)))
        return status;
    if (n_texts && (status = memo_result_check(results, "memo_embed_result", err)))
        return status;
    job.dim = memo_transformer_dim(&model->transformer.config);
    job.deadline = memo_deadline_in(job.o.deadline_ms);
    memo_fp_default(&mode);
    if ((status = embed_begin(&job, err)) || !n_texts || (status = embed_allocate(&job, err)) ||
        (status = memo_model_check_weights(model, err)) || (status = embed_all(&job, err)))
        goto done;
    memcpy(vectors, job.staging, n_texts * job.dim * sizeof *vectors);
    for (size_t i = 0; i < n_texts; i++)
        memo_result_write_at(results, i, &job.results[i], sizeof job.results[i]);
done:
    if (job.o.failed)
        *job.o.failed = job.failed;
    memo_fp_restore(&mode);
    embed_fini(&job);
    return status;
}
