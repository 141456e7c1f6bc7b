// SPDX-License-Identifier: Apache-2.0
#include "power_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "base/hash.h"
#include "power_disk.h"
#include "store/store_inner.h"

/* ---- content ------------------------------------------------------------------------------- */

void power_word(unsigned key, unsigned version, char out[32])
{
    snprintf(out, 32, "zk%uv%uz", key, version);
}

char *power_text(unsigned key, unsigned version)
{
    static const char filler[] = "lamp river seven copper\n";
    char word[32];
    size_t n = key < 32 ? 40 : key < 48 ? 20000 : key < POWER_PROBE ? 180000 : 40, at;
    char *text = power_alloc(n + 128);
    power_word(key, version, word);
    at = (size_t)sprintf(text, "record %u, version %u: %s\n", key, version, word);
    for (size_t i = 0; i < n; i++)
        text[at++] = filler[(i + key + version) % (sizeof filler - 1)];
    return text;
}

void power_vector(unsigned key, unsigned version, float out[POWER_DIM])
{
    for (unsigned i = 0; i < POWER_DIM; i++) {
        unsigned seed[3] = {key, version, i};
        out[i] = (float)(memo_xxh64(seed, sizeof seed, 0) >> 40) / 16777216.0f - 0.5f;
    }
}

unsigned char *power_model_bytes(unsigned version, size_t *n_bytes)
{
    *n_bytes = 20000 + 1000 * (size_t)version;
    unsigned char *bytes = power_alloc(*n_bytes);
    for (size_t i = 0; i < *n_bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + version);
    return bytes;
}

memo_status power_put(memo_store *store, int64_t ns, unsigned key, unsigned version, memo_err *err)
{
    char name[16], metadata[32], *text = power_text(key, version);
    float vector[POWER_DIM];
    memo_store_chunk chunk = {.end = strlen(text), .n_tokens = 3, .vector = vector};
    memo_store_put put = {.key = name,
                          .text = {text, strlen(text)},
                          .metadata = metadata,
                          .space = 1,
                          .chunks = &chunk,
                          .n_chunks = 1};
    memo_add_result result = {.size = sizeof result};
    snprintf(name, sizeof name, "k%02u", key);
    snprintf(metadata, sizeof metadata, "{\"v\":%u}", version);
    power_vector(key, version, vector);
    memo_status status = memo_store_put_record(store, ns, &put, &result, err);
    free(text);
    return status;
}

static int64_t power_now_ms;

static int64_t work_clock(void *user)
{
    (void)user;
    return INT64_C(1750000000000) + power_now_ms++;
}

memo_ctx *power_ctx_new(void)
{
    memo_ctx *ctx = NULL;
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1, .clock_ms = work_clock};
    if (memo_ctx_new(&options, &ctx, NULL))
        power_die("no context");
    power_now_ms = 0;
    return ctx;
}

/* ---- running a script ---------------------------------------------------------------------- */

typedef struct work_state {
    power_run *run;
    memo_ctx *ctx;
    char path[300], copy[300], model[300];
    memo_store *store, *reader;
    power_versions now;
    unsigned char *versions; /* of the open store: now.of or now.in_copy */
    int recording, in_batch;
    int64_t ns;
} work_state;

#define WORK_OK(call)                                                                              \
    do {                                                                                           \
        memo_err work_err = {0}, *err = &work_err;                                                 \
        if (call)                                                                                  \
            power_die("workload %s: %s: %s", w->run->work->name, #call, work_err.message);         \
    } while (0)

static void work_begin_change(work_state *w)
{
    if (w->recording)
        power_log_mark(POWER_BEGIN, (int64_t)w->run->n_changes + 1);
}

/* The change was acknowledged. */
static void work_end_change(work_state *w)
{
    power_run *run = w->run;
    if (w->recording) {
        run->n_changes++;
        power_log_mark(POWER_DONE, (int64_t)run->n_changes);
        run->after = power_realloc(run->after, (run->n_changes + 1) * sizeof *run->after);
    }
    run->after[run->n_changes] = w->now;
}

static void work_open(work_state *w)
{
    memo_store_options options = {.mode = MEMO_OPEN_CREATE};
    WORK_OK(memo_store_open(w->ctx, w->path, &options, &w->store, err));
    w->versions = w->now.of;
    if (w->run->work->normal_sync)
        WORK_OK(memo_sql_exec(&w->store->sql, "PRAGMA synchronous = NORMAL", "lower it", err));
}

static void work_read(work_state *w)
{
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    WORK_OK(memo_store_open(w->ctx, w->path, &options, &w->reader, err));
    WORK_OK(memo_store_begin_read(w->reader, err));
}

static void work_unread(work_state *w)
{
    memo_store_close(w->reader);
    w->reader = NULL;
}

static void work_begin_batch(work_state *w)
{
    memo_store_ns ns;
    memo_store_space space = {
        .fingerprint = "power", .name = "power", .dim = POWER_DIM, .kind = MEMO_SPACE_MODEL};
    int64_t id;
    work_begin_change(w);
    WORK_OK(memo_store_begin_write(w->store, err));
    WORK_OK(memo_store_make_ns(w->store, "default", &ns, err));
    WORK_OK(memo_store_make_space(w->store, &space, &id, err));
    w->ns = ns.id;
    w->in_batch = 1;
}

static void work_end_batch(work_state *w)
{
    WORK_OK(memo_store_commit(w->store, err));
    w->in_batch = 0;
    work_end_change(w);
}

/* "+5", "+5-9", "-5" */
static void work_change(work_state *w, const char *word)
{
    unsigned from = 0, to = 0;
    int alone = !w->in_batch, n = sscanf(word + 1, "%u-%u", &from, &to);
    to = n < 2 ? from : to;
    if (n < 1 || to >= POWER_PROBE)
        power_die("workload %s: '%s' names no record", w->run->work->name, word);
    if (alone)
        work_begin_batch(w);
    for (unsigned key = from; key <= to; key++) {
        char name[16];
        int found = 0;
        snprintf(name, sizeof name, "k%02u", key);
        if (*word == '+') {
            unsigned version = w->versions[key] + 1u;
            WORK_OK(power_put(w->store, w->ns, key, version, err));
            w->versions[key] = (unsigned char)version;
        } else {
            WORK_OK(memo_store_forget(w->store, w->ns, name, &found, err));
            w->versions[key] = 0;
        }
    }
    if (alone)
        work_end_batch(w);
}

static void work_checkpoint(work_state *w, int mode)
{
    int rc = sqlite3_wal_checkpoint_v2(w->store->sql.db, "main", mode, NULL, NULL);
    if (rc != SQLITE_OK)
        power_die("workload %s: checkpoint: %s", w->run->work->name, sqlite3_errstr(rc));
}

/* In pieces out of order, as a writer that fills in its header last does. */
static void work_model(work_state *w, int overwrite)
{
    unsigned version = w->now.model + 1u;
    size_t n, head = 700;
    unsigned char *bytes = power_model_bytes(version, &n);
    memo_replace out;
    work_begin_change(w);
    WORK_OK(memo_replace_begin(&out, w->model, overwrite, err));
    WORK_OK(memo_replace_write_at(&out, head, bytes + head, n / 2 - head, err));
    WORK_OK(memo_replace_append(&out, bytes + n / 2, n - n / 2, err));
    WORK_OK(memo_replace_write_at(&out, 0, bytes, head, err));
    WORK_OK(memo_replace_commit(&out, err));
    memo_replace_fini(&out);
    free(bytes);
    w->now.model = (unsigned char)version;
    work_end_change(w);
}

static void work_close(work_state *w)
{
    memo_store_close(w->store);
    w->store = NULL;
}

static void work_backup(work_state *w, int overwrite)
{
    const memo_backup_options options = {.size = sizeof options, .overwrite = overwrite};
    work_begin_change(w);
    WORK_OK(memo_store_backup(w->store, w->copy, &options, NULL, err));
    memcpy(w->now.in_copy, w->now.of, sizeof w->now.of);
    w->now.copy = 1;
    work_end_change(w);
}

/* "+5" or "-5" in the copy, which is open for that long. */
static void work_copy(work_state *w, const char *word)
{
    memo_store *store = w->store;
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING};
    WORK_OK(memo_store_open(w->ctx, w->copy, &options, &w->store, err));
    w->versions = w->now.in_copy;
    work_change(w, word);
    work_close(w);
    w->store = store;
    w->versions = w->now.of;
}

static int work_word(work_state *w, const char *word)
{
    static const struct {
        const char *word;
        int mode;
    } checkpoints[] = {{"passive", SQLITE_CHECKPOINT_PASSIVE},
                       {"full", SQLITE_CHECKPOINT_FULL},
                       {"restart", SQLITE_CHECKPOINT_RESTART},
                       {"truncate", SQLITE_CHECKPOINT_TRUNCATE}};
    static const struct {
        const char *word;
        void (*fn)(work_state *w);
    } verbs[] = {{"open", work_open},     {"close", work_close},   {"read", work_read},
                 {"unread", work_unread}, {"[", work_begin_batch}, {"]", work_end_batch}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(word, verbs[i].word) == 0)
            return verbs[i].fn(w), 1;
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++)
        if (strcmp(word, checkpoints[i].word) == 0)
            return work_checkpoint(w, checkpoints[i].mode), 1;
    if (strncmp(word, "model", 5) == 0)
        return work_model(w, word[5] != '!'), 1;
    if (strncmp(word, "backup", 6) == 0)
        return work_backup(w, word[6] != '!'), 1;
    if (strncmp(word, "copy", 4) == 0)
        return work_copy(w, word + 4), 1;
    if (strcmp(word, "points") == 0)
        return w->run->first_point = w->run->log.n, 1;
    if (*word == '+' || *word == '-')
        return work_change(w, word), 1;
    return 0;
}

static void work_script(work_state *w, const char *script)
{
    char word[32];
    int n = 0;
    for (; sscanf(script, "%31s%n", word, &n) == 1; script += n)
        if (!work_word(w, word))
            power_die("workload %s: no word '%s'", w->run->work->name, word);
}

/* The files as a crash of the process would leave them now; then the handles are closed. */
static void work_abandon(work_state *w, const char *folder)
{
    power_files files;
    power_files_read(&files, folder);
    work_unread(w);
    work_close(w);
    power_files_write(&files, folder);
    power_files_fini(&files);
}

/* The record, replayed without a power loss, must give what is in the folder: nothing was missed. */
static void work_check_record(const power_run *run, const char *folder)
{
    power_files there, replayed;
    power_disk disk;
    power_files_read(&there, folder);
    power_disk_init(&disk, &run->log, run->log.n);
    power_disk_state(&disk, 0, POWER_STATE_ALL, &replayed);
    if (power_files_hash(&there) != power_files_hash(&replayed))
        power_die("workload %s: the record does not give the files in %s", run->work->name, folder);
    power_disk_fini(&disk);
    power_files_fini(&there);
    power_files_fini(&replayed);
}

static void work_record_script(power_run *run, const power_work *work, const char *folder,
                               uint64_t seed)
{
    work_state w = {.run = run, .ctx = power_ctx_new()};
    power_log before = {0};
    *run = (power_run){.work = work, .after = power_alloc(sizeof *run->after)};
    snprintf(w.path, sizeof w.path, "%s/" POWER_STORE, folder);
    snprintf(w.copy, sizeof w.copy, "%s/" POWER_COPY, folder);
    snprintf(w.model, sizeof w.model, "%s/" POWER_MODEL_NAME, folder);
    power_files_write(&(power_files){0}, folder);
    power_log_begin(&before, folder, seed, POWER_HONEST); /* for its seeded random bytes */
    work_script(&w, work->before);
    work_abandon(&w, folder);
    power_log_end();
    power_log_fini(&before);
    w.recording = 1;
    power_log_begin(&run->log, folder, seed + 1, work->lies);
    work_script(&w, work->script);
    work_unread(&w);
    work_close(&w);
    power_log_end();
    memo_ctx_free(w.ctx);
    work_check_record(run, folder);
}

/* ---- deeds --------------------------------------------------------------------------------- */

static void work_told(void *user, size_t number, int done)
{
    (void)user;
    power_log_mark(done ? POWER_DONE : POWER_BEGIN, (int64_t)number);
}

static void work_record_deeds(power_run *run, const power_work *work, const char *folder,
                              uint64_t seed)
{
    const fault_deeds *deeds = fault_deeds_find(work->deeds);
    power_log before = {0};
    memo_err err = {0};
    *run = (power_run){.work = work, .world = power_alloc(sizeof *run->world)};
    if (!deeds)
        power_die("no deeds '%s'", work->deeds);
    fault_world_init(run->world, seed);
    power_files_write(&(power_files){0}, folder);
    power_log_begin(&before, folder, seed, POWER_HONEST); /* for its seeded random bytes */
    fault_deeds_prepare(run->world, deeds, folder);
    power_log_end();
    power_log_fini(&before);
    fault_deed_plan_init(&run->deeds, run->world, deeds, folder);
    run->n_changes = deeds->n;
    power_log_begin(&run->log, folder, seed + 1, work->lies);
    if (fault_deeds_run_instead(run->world, deeds, folder, fault_deed_shred,
                                work->only_forget ? fault_deed_forget : fault_deed_shred, work_told,
                                NULL, &err))
        power_die("workload %s: %s", work->name, err.message);
    power_log_end();
    work_check_record(run, folder);
}

void power_run_record(power_run *run, const power_work *work, const char *folder, uint64_t seed)
{
    if (work->deeds)
        work_record_deeds(run, work, folder, seed);
    else
        work_record_script(run, work, folder, seed);
}

void power_run_fini(power_run *run)
{
    power_log_fini(&run->log);
    free(run->after);
    fault_deed_plan_fini(&run->deeds);
    if (run->world)
        fault_world_fini(run->world);
    free(run->world);
    *run = (power_run){0};
}

void power_run_promise(const power_run *run, size_t point, size_t *begun, size_t *done)
{
    *begun = *done = 0;
    for (size_t i = 0; i < point; i++) {
        const power_event *e = &run->log.events[i];
        if (e->kind == POWER_BEGIN)
            *begun = (size_t)e->offset;
        else if (e->kind == POWER_DONE)
            *done = (size_t)e->offset;
    }
}
